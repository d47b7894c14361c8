/* SPDX-License-Identifier: MIT */
/*
 * Every entry point, cancelled at each of its system calls; without FULL, at every fifth.
 *
 * A seccomp filter on the thread under test asks this program about each call that it makes, which
 * needs no other process: at the k-th one the thread is cancelled and then let go on. The first run
 * of a row counts its calls. With the deferred type the thread must come back from the library and
 * be cancelled then; with the asynchronous one it may end at the last line of the entry point. In
 * either case nothing is left behind: no lock (another thread records, forks and reloads), no pin,
 * no number of a record that was not written, and the thread was itself again.
 *
 * The same with a signal whose handler jumps out of the call: libmiguard(3) says not to do that,
 * and what holds nevertheless. No record is left half written, and no lock of the log is held.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "identity/identity.h"
#include "miguard.h"
#include "support/entry_points.h"
#include "support/log.h"

enum {
    SOMEBODY = 65534,
    SLOW = 1,
    PATIENCE = 60,
    /* seconds that anything may take */ ENOUGH = 20 /* failures */
};

static unsigned passed, failed;

/* ---- the rows ------------------------------------------------------------------------------ */

/* As whom the thread under test makes the call: it is allowed, or refused and recorded; or the host
 * calls back as somebody else, and the library adopts the session's identity. */
enum who { ITSELF, ANOTHER };

struct stage {
    struct scene scene;
    const struct entry_point *point;
    struct miguard_target *target;
    struct miguard_identity *identity;
};

struct row {
    const char *name;
    enum who who;
    void (*call)(struct stage *stage);
    const struct entry_point *point;
};

static void use(struct stage *stage)
{
    int callbacks = 0;
    (void)stage->point->call(&stage->scene, &callbacks);
}

static void capture(struct stage *stage)
{
    struct miguard_identity *identity = NULL;
    (void)stage;
    (void)!miguard_identity_capture(&identity, NULL);
    miguard_identity_free(identity);
}

static void read_thread(struct stage *stage)
{
    struct miguard_identity *identity = NULL;
    (void)stage;
    (void)!miguard_identity_read(getpid(), &identity, NULL);
    miguard_identity_free(identity);
}

static void describe(struct stage *stage)
{
    char text[8192];
    size_t length = 0;
    (void)!miguard_identity_describe(stage->identity, text, sizeof(text), &length);
    (void)!miguard_identity_to_json(stage->identity, text, sizeof(text), &length);
}

static void target_user(struct stage *stage)
{
    struct miguard_target *target = NULL;
    (void)stage;
    (void)!miguard_target_user("root", &target, NULL);
    miguard_target_free(target);
}

static void target_ids(struct stage *stage)
{
    const struct miguard_groups groups = {MIGUARD_GROUPS_OF_USER, NULL, 0, "root"};
    struct miguard_target *target = NULL;
    (void)stage;
    if (miguard_target_ids(SOMEBODY, SOMEBODY, &groups, &target, NULL) == MIGUARD_OK) {
        (void)!miguard_target_keep_caps(target, "cap_chown", NULL);
        miguard_target_free(target);
    }
}

static void target_session(struct stage *stage)
{
    struct miguard_target *target = NULL;
    (void)!miguard_target_session(&stage->scene.session, &target, NULL);
    miguard_target_free(target);
    (void)!miguard_target_identity(stage->identity, &target, NULL);
    miguard_target_free(target);
}

static void switch_there_and_back(struct stage *stage)
{
    if (miguard_switch_to(stage->target, NULL) == MIGUARD_OK) {
        (void)!miguard_switch_back(NULL);
    }
}

static void switch_in_block(struct stage *stage)
{
    enum miguard_status status;
    MIGUARD_SWITCHED(stage->target, &status, NULL)
    {
    }
}

static void switch_back_in_vain(struct stage *stage)
{
    (void)stage;
    (void)!miguard_switch_back(NULL);
}

static void close_gate_in_vain(struct stage *stage)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    (void)stage;
    options.scope = MIGUARD_GATE_OFF;
    (void)!miguard_gate_close(&options, NULL);
    (void)miguard_gate_state();
}

static void reload(struct stage *stage)
{
    (void)stage;
    (void)!miguard_reload(NULL);
}

static void configure_in_vain(struct stage *stage)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    (void)stage;
    config.audit_file = log_path();
    (void)!miguard_configure(&config, NULL); /* a context is alive */
}

static struct stub_host *second; /* its context is guarded by nobody yet */

static void whole_request(struct stage *stage)
{
    (void)stage;
    MI_Context *context = NULL;
    MI_Session session;
    MI_Operation operation = MI_OPERATION_NULL; /* left open: it is reaped */
    if (miguard_guard_context(&second->context, &context) == MI_RESULT_OK) {
        (void)MI_Context_GetLocalSession(context, &session);
        MI_Session_TestConnection(&session, 0, NULL, &operation);
        MI_Context_PostResult(context, MI_RESULT_OK);
    }
}

static void application(struct stage *stage)
{
    MI_Application application;
    MI_Instance *instance = NULL;
    if (MI_Session_GetApplication(&stage->scene.session, &application) == MI_RESULT_OK) {
        (void)MI_Application_NewInstance(&application, "Test", NULL, &instance);
        (void)MI_Application_Close(&application);
    }
}

static void called_back(struct stage *stage)
{
    stub_fire(stage->scene.stub, true, true);
    stub_ask(stage->scene.stub);
    stub_report(stage->scene.stub);
}

/* The library's locks are held from before to behind it. */
static void fork_child(struct stage *stage)
{
    (void)stage;
    if (fork() == 0) {
        _exit(0);
    }
}

static const struct row library_rows[] = {
    {"identity capture", ITSELF, capture, NULL},
    {"identity read", ITSELF, read_thread, NULL},
    {"identity texts", ITSELF, describe, NULL},
    {"target of a user", ITSELF, target_user, NULL},
    {"target of ids", ITSELF, target_ids, NULL},
    {"target of a session", ITSELF, target_session, NULL},
    {"switch there and back", ITSELF, switch_there_and_back, NULL},
    {"switch in a block", ITSELF, switch_in_block, NULL},
    {"switch back in vain", ITSELF, switch_back_in_vain, NULL},
    {"gate close in vain", ITSELF, close_gate_in_vain, NULL},
    {"reload", ITSELF, reload, NULL},
    {"configure in vain", ITSELF, configure_in_vain, NULL},
    {"a request, an operation left open", ITSELF, whole_request, NULL},
    {"the application", ITSELF, application, NULL},
    {"fork", ITSELF, fork_child, NULL},
    {"callbacks", ITSELF, called_back, NULL},
    {"callbacks, adopted", ANOTHER, called_back, NULL},
};

/* ---- one trial ------------------------------------------------------------------------------ */

static struct trial {
    const struct row *row;
    struct stage *stage;
    int type;
    atomic_int listener; /* -1: there is none yet; -2: there cannot be one */
    atomic_bool inside, returned, same_again;
} trial;

enum { JUMP = 1000 }; /* beside the two types of cancellation */

static __thread sigjmp_buf out;

static void jump(int signal)
{
    (void)signal;
    if (atomic_load(&trial.inside)) {
        siglongjmp(out, 1);
    }
}

static int filter_this_thread(void)
{
    struct sock_filter ask[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)};
    const struct sock_fprog program = {1, ask};

    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

/* AddressSanitizer does not see that a cancelled thread leaves its frames. From in here it is told;
 * where the library's are left it cannot be. */
#ifdef __SANITIZE_ADDRESS__
void __asan_handle_no_return(void);
#define forget_frames() __asan_handle_no_return()
static const bool can_leave_frames = false;
#else
#define forget_frames() (void)0
static const bool can_leave_frames = true;
#endif

static void *victim(void *unused)
{
    const struct row *row = trial.row;
    uid_t fsuid = row->who == ANOTHER ? SOMEBODY : 0;
    int old = 0, listener = filter_this_thread();

    atomic_store(&trial.listener, listener >= 0 ? listener : -2);
    if (listener < 0) {
        return unused;
    }
    (void)setfsuid(fsuid);
    if (trial.type != JUMP) {
        pthread_setcanceltype(trial.type, &old);
    }
    if (sigsetjmp(out, 1) == 0) {
        atomic_store(&trial.inside, true);
        row->call(trial.stage);
    }
    atomic_store(&trial.inside, false);
    atomic_store(&trial.returned, true);
    atomic_store(&trial.same_again, (uid_t)setfsuid((uid_t)-1) == fsuid);
    forget_frames();
    pthread_testcancel();
    return unused;
}

/* The bounding set takes one call for each capability: they count as one. */
static bool continues(const struct seccomp_notif *call, bool *in_row)
{
    bool one = call->data.nr == SYS_prctl && call->data.args[0] == PR_CAPBSET_READ;
    bool further = one && *in_row;
    *in_row = one;
    return further;
}

/* Lets the thread go on from each of its calls; at the one with the number `at` it is cancelled
 * first. How many there were inside the row. */
static unsigned let_run(pthread_t thread, int listener, unsigned at)
{
    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    unsigned count = 0;
    bool in_row = false;

#ifdef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
#endif
    for (;;) {
        struct seccomp_notif call = {0};
        if (poll(&waiting, 1, -1) < 0) {
            continue;
        }
        if ((waiting.revents & POLLIN) == 0) {
            return count; /* the thread has ended */
        }
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
            continue;
        }
        if (atomic_load(&trial.inside) && !continues(&call, &in_row) && ++count == at) {
            (void)(trial.type == JUMP ? pthread_kill(thread, SIGUSR1) : pthread_cancel(thread));
        }
        struct seccomp_notif_resp answer = {.id = call.id,
                                            .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

static const char *what_hangs = "", *where = "";

static void hang(int signal)
{
    char text[256];
    int length = snprintf(text, sizeof(text), "FAIL %s: hangs in %s\n1 passed, 1 failed\n", where,
                          what_hangs);
    (void)signal;
    (void)!write(STDOUT_FILENO, text, (size_t)length);
    _exit(1);
}

static void wrong(const struct row *row, unsigned at, const char *what)
{
    failed++;
    printf("FAIL %s, %s, %s, cancelled at call %u: %s\n", row->name,
           row->who == ANOTHER ? "as another" : "as itself",
           trial.type == PTHREAD_CANCEL_DEFERRED ? "deferred"
           : trial.type == JUMP                  ? "jump"
                                                 : "asynchronous",
           at, what);
    if (failed == ENOUGH) {
        printf("%u passed, %u failed, the rest not tried\n", passed, failed);
        exit(1);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The number of calls; 0: there is no filter to be had. */
static unsigned try_once(const struct row *row, struct stage *stage, int type, unsigned at)
{
    pthread_t thread;
    void *result = NULL;

    trial.row = row;
    trial.stage = stage;
    trial.type = type;
    atomic_store(&trial.listener, -1);
    atomic_store(&trial.inside, false);
    atomic_store(&trial.returned, false);
    atomic_store(&trial.same_again, false);
    what_hangs = "the call";
    alarm(PATIENCE);
    double began = seconds();
    if (pthread_create(&thread, NULL, victim, NULL) != 0) {
        abort();
    }
    while (atomic_load(&trial.listener) == -1) {
        sched_yield();
    }
    int listener = atomic_load(&trial.listener);
    unsigned count = listener >= 0 ? let_run(thread, listener, at) : 0;
    pthread_join(thread, &result);
    if (listener >= 0) {
        (void)close(listener);
    }
    bool cancelled = at > 0 && at <= count && type != JUMP;
    bool back = type != PTHREAD_CANCEL_ASYNCHRONOUS || !cancelled;
    /* One that ends in pthread_setcancelstate(3) has no result in glibc 2.36. */
    bool ended = back ? result == PTHREAD_CANCELED : !atomic_load(&trial.returned);
    if (back && !atomic_load(&trial.returned)) {
        wrong(row, at, "the thread did not come back from the library");
    } else if (atomic_load(&trial.returned) && !atomic_load(&trial.same_again)) {
        wrong(row, at, "the thread is somebody else");
    } else if (seconds() - began > SLOW) {
        wrong(row, at, "it waited for a lock that nobody gives back");
    } else if (ended != cancelled) {
        wrong(row, at, "whether it was cancelled");
    } else {
        passed++;
    }
    alarm(0);
    return count;
}

/* ---- what is left behind ----------------------------------------------------------------------
 */

struct pins {
    uint32_t contexts, sessions, operations;
};

static struct pins pins_now(void)
{
    return (struct pins){slots_in_use(&guarded_contexts), slots_in_use(&guarded_sessions),
                         slots_in_use(&guarded_operations)};
}

/* Another thread records, forks and reloads. */
static void check_locks(const struct row *row)
{
    struct miguard_error error = {.status = MIGUARD_OK};

    alarm(PATIENCE);
    what_hangs = "another thread's record";
    (void)!miguard_switch_back(&error);
    what_hangs = "a fork";
    pid_t child = fork();
    if (child == 0) {
        (void)!miguard_switch_back(&error);
        _exit(error.status == MIGUARD_NOT_SWITCHED ? 0 : 1);
    }
    int status = 1;
    if (waitpid(child, &status, 0) != child || status != 0) {
        wrong(row, 0, "a child of fork(2)");
    }
    what_hangs = "a reload";
    if (miguard_reload(&error) != MIGUARD_OK) {
        wrong(row, 0, "a reload");
    }
    alarm(0);
}

static void make_stage(struct stage *stage, const struct row *row)
{
    const struct miguard_groups clear = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};

    stage->point = row->point;
    if (!scene_make(&stage->scene) ||
        miguard_target_ids(SOMEBODY, SOMEBODY, &clear, &stage->target, NULL) != MIGUARD_OK ||
        miguard_identity_capture(&stage->identity, NULL) != MIGUARD_OK) {
        printf("FAIL no scene\n");
        exit(1);
    }
}

static void end_stage(struct stage *stage)
{
    scene_end(&stage->scene);
    miguard_target_free(stage->target);
    miguard_identity_free(stage->identity);
}

static void try_row(const struct row *row, int type)
{
    struct stage stage;
    struct pins before = pins_now();
    bool each = row->point != NULL && row->point->ends;

    where = row->name;
    make_stage(&stage, row);
    unsigned calls = try_once(row, &stage, type, 0);
    /* The asynchronous type ends at one place, wherever the request came. */
    unsigned step = type != PTHREAD_CANCEL_ASYNCHRONOUS && getenv("FULL") != NULL ? 1 : 5;
    for (unsigned at = 1; at <= calls; at += step) {
        if (each) {
            end_stage(&stage);
            make_stage(&stage, row);
        }
        (void)try_once(row, &stage, type, at);
    }
    end_stage(&stage);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    check_locks(row);
    struct pins after = pins_now();
    if (type != JUMP && memcmp(&before, &after, sizeof(before)) != 0) {
        wrong(row, 0, "a pin is left");
    }
}

/* With the asynchronous type a row ends with the first of its calls. Those that need a second one
 * to give back what they have, and would be called back on a stack that is gone, are left out. */
static bool can_end_anywhere(const struct row *row, int type)
{
    if (type == JUMP) { /* a refused use, and what else is recorded with nothing changed */
        return row->who == ANOTHER ? row->point != NULL : row->call == switch_back_in_vain;
    }
    bool starts = row->point != NULL && row->point->way == ENTRY_ASYNC &&
                  strncmp(row->name, "Session_", strlen("Session_")) == 0;
    return !starts && row->call != whole_request && row->call != fork_child;
}

static void try_row_if_right(const struct row *row, int type)
{
    if (type == PTHREAD_CANCEL_DEFERRED || can_end_anywhere(row, type)) {
        try_row(row, type);
    }
}

static void try_all(int type)
{
    for (unsigned i = 0; i < entry_point_count; i++) {
        const struct row allowed = {entry_points[i].name, ITSELF, use, &entry_points[i]};
        const struct row refused = {entry_points[i].name, ANOTHER, use, &entry_points[i]};
        try_row_if_right(&allowed, type);
        try_row_if_right(&refused, type);
    }
    for (size_t i = 0; i < sizeof(library_rows) / sizeof(library_rows[0]); i++) {
        try_row_if_right(&library_rows[i], type);
    }
}

/* ---- the log ------------------------------------------------------------------------------------
 */

/* No number is missing in what is there, and no loss was told. */
static void check_log(void)
{
    static char line[65536];
    unsigned long long last = 0, number = 0;
    unsigned lines = 0;
    FILE *file = fopen(log_path(), "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *at = strstr(line, "\"sequence\":");
        if (at == NULL) {
            continue;
        }
        number = strtoull(at + strlen("\"sequence\":"), NULL, 10);
        if (last != 0 && number != last + 1) {
            printf("FAIL the record %llu follows %llu\n", number, last);
            failed++;
        }
        last = number;
        lines++;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    long losses = log_mentions("audit-gap");
    if (lines < 100 || losses != 0) {
        printf("FAIL %u records, %ld losses\n", lines, losses);
        failed++;
    } else {
        passed++;
    }
}

static void *wait_for_ever(void *unused)
{
    pause();
    return unused;
}

/* What glibc and the log do once in a process is done before: pthread_cancel() loads a library, and
 * the log's own thread must not inherit a filter. */
static void warm_up(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0) {
        abort();
    }
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0) {
        abort();
    }
    (void)!miguard_switch_back(NULL);
    usleep(50000);
}

static bool can_ask(void)
{
    static const struct row nothing = {"nothing", ITSELF, capture, NULL};
    struct stage stage = {.point = NULL};

    return try_once(&nothing, &stage, PTHREAD_CANCEL_DEFERRED, 0) > 0;
}

int main(void)
{
    if (geteuid() != 0) {
        printf("skip: cancel: needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
#ifdef __SANITIZE_THREAD__
    printf("skip: cancel: ThreadSanitizer holds signals back\n0 passed, 0 failed, 1 skipped\n");
    return 0;
#endif
    (void)signal(SIGALRM, hang);
    (void)signal(SIGUSR1, jump);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    log_start();
    second = stub_host_new();
    warm_up();
    if (!can_ask()) {
        printf("skip: cancel: no seccomp filter that asks\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    try_all(PTHREAD_CANCEL_DEFERRED);
    if (can_leave_frames) {
        try_all(PTHREAD_CANCEL_ASYNCHRONOUS);
        try_all(JUMP);
    }
    check_log();
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
