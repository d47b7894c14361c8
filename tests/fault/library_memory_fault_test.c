/* SPDX-License-Identifier: MIT */
/*
 * The whole process runs out of memory, libraries that we call and the C library included:
 * malloc(3) and its like are this file's, and deny the n-th allocation of an operation, or all from
 * the n-th on, for each n in a child of its own. The operation fails or succeeds; no signal ends
 * the process, nothing hangs, umask and identity stay, an OK of the gate is a gate, and a session
 * that was given out is guarded.
 *
 * What base/reserve.h promises is kept here: of what a thread allocates within a reserve that it
 * has, as much as was found free is not denied. tests/table/little_memory_test.c shows with real
 * limits that glibc keeps that promise.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/reserve.h"
#include "identity/identity.h"
#include "miguard.h"
#include "miguard/gate.h"
#include "miguard/host.h"
#include "miguard/switch.h"
#include "support/lacks.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"
#include "tools/review/unpack.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR 0
#else
#define OWN_ALLOCATOR 1
#endif

enum { DONE = 1, REFUSED = 2, WRONG = 3, CHILD_SECONDS = 30, MOST_WRONG = 8 };

static int passed, failed;

/* ---- the allocator --------------------------------------------------------------------------- */

static atomic_bool armed;
static atomic_long tried; /* allocations since it is armed */
static long deny_at;      /* the first that is denied; -1: none */
static bool deny_all;     /* and all behind it */
static __thread bool within /* a reserve */ __attribute__((tls_model("initial-exec")));
static __thread size_t used /* of it */ __attribute__((tls_model("initial-exec")));

static bool denied(size_t size)
{
    if (!atomic_load(&armed)) {
        return false;
    }
    if (within && used + size <= (size_t)RESERVE_PIECE * RESERVE_PIECES) {
        used += size;
        return false;
    }
    const long number = atomic_fetch_add(&tried, 1);
    if (deny_at < 0 || number < deny_at || (number > deny_at && !deny_all)) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

#if OWN_ALLOCATOR
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

/* In place of the C library's, in libraries as well: hence visible. free(3) is its own. */
#pragma GCC visibility push(default)
void *malloc(size_t size)
{
    return denied(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return denied(count * size) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return size != 0 && denied(size) ? NULL : __libc_realloc(block, size);
}

void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes = 0;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, bytes);
}

void *memalign(size_t alignment, size_t size)
{
    return denied(size) ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *block = memalign(alignment, size);

    if (block == NULL) {
        return ENOMEM;
    }
    *ret = block;
    return 0;
}
#pragma GCC visibility pop
#endif

/* In place of the library's. */
bool reserve_take(struct reserve *ret)
{
    if (denied((size_t)RESERVE_PIECE * RESERVE_PIECES)) {
        return false;
    }
    ret->kept = NULL;
    within = true;
    used = 0;
    return true;
}

void reserve_end(struct reserve *reserve)
{
    (void)reserve;
    within = false;
}

static struct told {
    long tried;
    int line; /* of this file: what did not hold */
} * told;     /* in memory that the children share */

/* ---- the operations -------------------------------------------------------------------------- */

static struct stub_host *host;
static MI_Context *context;
static struct miguard_target *target;
static char folder[] = "/run/miguard-test-XXXXXX"; /* no other user may write above a policy */
static char policy_file[64];

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        abort();
    }
}

static void write_policy(const char *text)
{
    write_file(policy_file, text);
}

static const char policy_text[] =
    "version: 1\n"
    "rules:\n"
    "  - {name: root, match: {user: root}, decision: allow}\n"
    "  - {name: named, match: {group-name: \"ops-*\"}, decision: deny}\n";

static bool configure(const char *policy)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;

    config.audit_file = log_path();
    config.policy = policy;
    config.repeat_window = 0;
    return miguard_configure(&config, NULL) == MIGUARD_OK;
}

/* What must hold whatever is denied. */
static void need_at(bool good, int line)
{
    if (!good) {
        told->line = line;
        _exit(WRONG);
    }
}

#define need(good) need_at(good, __LINE__)

static void no_set_up(void)
{
}

static bool configure_default(void)
{
    return configure(NULL);
}

static void policy_set_up(void)
{
    write_policy(policy_text);
}

static bool configure_policy(void)
{
    return configure(policy_file);
}

static void sinks_set_up(void)
{
    char text[512];

    snprintf(text, sizeof(text),
             "version: 1\naudit: {sinks: [{file: {path: %s}}, {syslog: {}}, {journald: {}}, "
             "{audit: {}}]}\n",
             log_path());
    write_policy(text);
}

static void reload_set_up(void)
{
    write_policy(policy_text);
    need(configure(policy_file));
    write_policy("version: 1\nrules:\n  - {name: other, match: {user: daemon}, decision: deny}\n");
}

static bool reload(void)
{
    return miguard_reload(NULL) == MIGUARD_OK;
}

static void session_set_up(void)
{
    need(configure(NULL));
}

/* Refused by the guard: it does not reach the host. */
static bool refuses(MI_Session *session)
{
    const unsigned long reached = atomic_load(&host->reached);
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_TestConnection(session, 0, NULL, &operation);
    const bool refused = atomic_load(&host->reached) == reached;
    (void)!MI_Operation_Close(&operation);
    return refused;
}

/* Served, refused under another identity, and refused as a forged handle. */
static bool session(void)
{
    MI_Session opened = MI_SESSION_NULL;

    if (miguard_guard_context(&host->context, &context) != MI_RESULT_OK) {
        return false;
    }
    const bool good = MI_Context_GetLocalSession(context, &opened) == MI_RESULT_OK;
    bool served = false;
    if (good) {
        served = !refuses(&opened);
        MI_Session forged = opened;
        forged.reserved2 ^= 1;
        need(refuses(&forged));
        if (geteuid() == 0) {
            need(raw_setfsuid(12345) && refuses(&opened) && raw_setfsuid(0));
        }
    }
    (void)!MI_Context_PostResult(context, MI_RESULT_OK);
    need(!good || refuses(&opened));
    return served;
}

static bool configure_and_serve(void)
{
    return configure(policy_file) && session();
}

static void target_set_up(void)
{
    const struct miguard_groups none = {.choice = MIGUARD_GROUPS_CLEAR};

    need(miguard_target_ids(12345, 12345, &none, &target, NULL) == MIGUARD_OK);
}

static bool switch_around(void)
{
    if (miguard_switch_to(target, NULL) != MIGUARD_OK) {
        return false;
    }
    need(geteuid() == 12345);
    return miguard_switch_back(NULL) == MIGUARD_OK;
}

static bool target_of_user(void)
{
    struct miguard_target *user = NULL;
    const bool good = miguard_target_user("root", &user, NULL) == MIGUARD_OK;

    miguard_target_free(user);
    return good;
}

static bool drop(void)
{
    const bool dropped = miguard_drop(target, NULL) == MIGUARD_OK;

    need(dropped ? geteuid() == 12345 : geteuid() == 0);
    return dropped;
}

static bool close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    const bool closed = miguard_gate_close(&options, NULL) == MIGUARD_OK;

    need(!closed || (syscall(SYS_setresuid, -1, -1, -1) == -1 && errno == EPERM));
    need((miguard_gate_state().scope == MIGUARD_GATE_PROCESS) == closed);
    return closed;
}

static struct miguard_front_end *front_end;

static bool bind_and_verify(void)
{
    static const char *const actions[] = {"read", "write"};
    const struct miguard_use use = MIGUARD_USE(1, "/srv/data");
    struct miguard_refusal refusal;
    struct miguard_binding *binding = NULL;

    if (miguard_front_end_register("files", actions, 2, &front_end, NULL) != MIGUARD_OK ||
        miguard_bind(front_end, "/srv", "connection 1", &binding, &refusal) != MIGUARD_OK) {
        return false;
    }
    const bool good = miguard_verify(binding, &use, &refusal) == MIGUARD_OK;
    if (geteuid() == 0) {
        need(raw_setfsuid(12345));
        need(miguard_verify(binding, &use, &refusal) != MIGUARD_OK);
        need(raw_setfsuid(0));
    }
    miguard_release(binding);
    return good;
}

static bool describe(void)
{
    struct miguard_identity identity;
    char text[4096];
    size_t length = 0;

    if (identity_capture(&identity, NULL) != MIGUARD_OK) {
        return false;
    }
    const bool good =
        miguard_identity_describe(&identity, text, sizeof(text), &length) == MIGUARD_OK;
    identity_release(&identity);
    return good;
}

/* ---- the embedded server and its texts ------------------------------------------------------- */

static bool read_instance(const char *format, const char *text)
{
    MI_Application application = MI_APPLICATION_NULL;
    MI_Deserializer deserializer;
    MI_Instance *instance = NULL, *error = NULL;
    MI_Uint32 read = 0;

    memset(&deserializer, 0, sizeof(deserializer));
    if (MI_Application_Initialize(0, NULL, NULL, &application) != MI_RESULT_OK) {
        return false;
    }
    bool good = MI_Application_NewDeserializer(&application, 0, (MI_Char *)(uintptr_t)format,
                                               &deserializer) == MI_RESULT_OK;
    if (good) {
        good = MI_Deserializer_DeserializeInstance(&deserializer, 0, (MI_Uint8 *)(uintptr_t)text,
                                                   (MI_Uint32)strlen(text), NULL, 0, NULL, NULL,
                                                   &read, &instance, &error) == MI_RESULT_OK;
        need(good == (instance != NULL));
        (void)!MI_Instance_Delete(instance);
        (void)!MI_Instance_Delete(error);
        (void)!MI_Deserializer_Close(&deserializer);
    }
    (void)!MI_Application_Close(&application);
    return good;
}

static bool read_xml(void)
{
    return read_instance("MI_XML",
                         "<INSTANCE CLASSNAME=\"T_End\"><PROPERTY NAME=\"Number\" TYPE=\"uint8\">"
                         "<VALUE>7</VALUE></PROPERTY></INSTANCE>");
}

static bool read_mof(void)
{
    return read_instance("MI_MOF_CIMV2_EXTV1", "instance of T_End { Number = 7; };");
}

/* A provider that is loaded and asked, under the guard. */
static bool serve_by_host(void)
{
    const struct miguard_host_options options = {.wrap = miguard_wrap_module};
    struct miguard_host *server = NULL;
    MI_Session opened = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    char path[512];
    bool good = false;

    snprintf(path, sizeof(path), "%s/providers/account.so",
             getenv("OUT") != NULL ? getenv("OUT") : "build");
    if (miguard_host_new(&options, &server, NULL) != MIGUARD_OK) {
        return false;
    }
    if (miguard_host_load(server, path, NULL, NULL) == MIGUARD_OK &&
        miguard_host_session(server, &opened, NULL) == MIGUARD_OK) {
        const MI_Instance *instance = NULL, *details = NULL;
        const MI_Char *message = NULL;
        MI_Result result = MI_RESULT_FAILED;
        MI_Boolean more = MI_TRUE;
        MI_Session_EnumerateInstances(&opened, 0, NULL, "root/test", "MG_UserAccount", MI_FALSE,
                                      NULL, &operation);
        while (more && MI_Operation_GetInstance(&operation, &instance, &more, &result, &message,
                                                &details) == MI_RESULT_OK) {
        }
        good = result == MI_RESULT_OK;
        (void)!MI_Operation_Close(&operation);
        (void)!MI_Session_Close(&opened, NULL, NULL);
    }
    miguard_host_free(server);
    return good;
}

/* ---- what the command reads ------------------------------------------------------------------ */

static char packed[128];

static void gzip_set_up(void)
{
    snprintf(packed, sizeof(packed), "%s.gz", log_path());
    gzFile file = gzopen(packed, "wb");

    need(file != NULL && gzputs(file, "{\"event\":{\"action\":\"use\"}}\n") > 0 &&
         gzclose(file) == Z_OK);
}

static bool unpack(void)
{
    struct unpack_file file = {0};
    char text[256];
    const int fd = open(packed, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && unpack_file_open(&file, fd, UNPACK_GZIP);

    if (good) {
        const ssize_t length = unpack_file_read(&file, text, sizeof(text));
        need(length >= 0 || errno == ENOMEM);
        good = length > 0;
        unpack_file_close(&file);
    }
    close(fd);
    return good;
}

/* ---- a trial --------------------------------------------------------------------------------- */

struct operation {
    const char *name;
    void (*set_up)(void);
    bool (*call)(void);
    bool as_root, changes_identity;
};

static const struct operation operations[] = {
    {"configure", no_set_up, configure_default, false, false},
    {"configure, a policy", policy_set_up, configure_policy, true, false},
    {"configure, all sinks, and a session", sinks_set_up, configure_and_serve, true, false},
    {"reload", reload_set_up, reload, true, false},
    {"session", session_set_up, session, false, false},
    {"bind and verify", session_set_up, bind_and_verify, false, false},
    {"capture and describe", no_set_up, describe, false, false},
    {"target of a user", no_set_up, target_of_user, false, false},
    {"switch and back", target_set_up, switch_around, true, false},
    {"drop", target_set_up, drop, true, true},
    {"gate", no_set_up, close_gate, false, false},
    {"XML", no_set_up, read_xml, false, false},
    {"MOF", no_set_up, read_mof, false, false},
    {"host", session_set_up, serve_by_host, false, false},
    {"gzip", gzip_set_up, unpack, false, false},
};

static _Noreturn void run(const struct operation *operation)
{
    struct miguard_identity before, after;

    (void)alarm(CHILD_SECONDS);
    operation->set_up();
    const mode_t mask = umask(0);
    (void)umask(mask);
    need(identity_capture(&before, NULL) == MIGUARD_OK);
    atomic_store(&armed, true);
    const bool done = operation->call();
    atomic_store(&armed, false);
    told->tried = atomic_load(&tried);
    need(umask(mask) == mask);
    if (!operation->changes_identity) {
        need(identity_capture(&after, NULL) == MIGUARD_OK);
        need((miguard_identity_compare(&before, &after) &
              ~(miguard_components)MIGUARD_COMPONENT_NO_NEW_PRIVS) == 0);
    }
    _exit(done ? DONE : REFUSED);
}

/* The exit status, or that of a signal. */
static int try_one(const struct operation *operation, long at, bool all)
{
    int status = 0;

    log_remove();
    (void)log_path();
    told->tried = -1;
    told->line = 0;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        deny_at = at;
        deny_all = all;
        run(operation);
    }
    (void)waitpid(child, &status, 0);
    return status;
}

static void try_operation(const struct operation *operation)
{
    const long most = getenv("FULL") != NULL ? 1000000 : getenv("QUICK") != NULL ? 60 : 250;
    int refused = 0, done = 0, wrong = 0;
    int status = try_one(operation, -1, false);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != DONE) {
        printf("FAILED: %s: it does not succeed with all memory (status %#x, line %d)\n",
               operation->name, (unsigned)status, told->line);
        failed++;
        return;
    }
    const long count = told->tried, step = count / most + 1;
    for (long at = 0; at < count && wrong < MOST_WRONG; at += step) {
        for (int all = 0; all < 2; all++) {
            status = try_one(operation, at, all != 0);
            const bool good = WIFEXITED(status) &&
                              (WEXITSTATUS(status) == DONE || WEXITSTATUS(status) == REFUSED);
            done += good && WEXITSTATUS(status) == DONE;
            refused += good && WEXITSTATUS(status) == REFUSED;
            wrong += !good;
            if (!good) {
                printf("FAILED: %s: allocation %ld%s is denied: %s %d, line %d\n", operation->name,
                       at, all ? " and each behind it" : "",
                       WIFSIGNALED(status) ? "killed by signal" : "exit status",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), told->line);
            }
        }
    }
    passed += done + refused;
    failed += wrong;
    printf("%s: %ld allocations, step %ld: %d succeeded, %d refused, %d wrong\n", operation->name,
           count, step, done, refused, wrong);
}

static const char *cannot(void)
{
    const char *runner = getenv("RUNNER");

    return !OWN_ALLOCATOR ? "a sanitizer has an allocator of its own"
           : runner != NULL && strstr(runner, "valgrind") != NULL
               ? "valgrind has an allocator of its own"
               : NULL;
}

static bool gate_is_there(void *unused)
{
    (void)unused;
    return close_gate();
}

int main(void)
{
    const char *why = cannot();

    if (why != NULL) {
        printf("skip: memory of other libraries: %s\n0 passed, 0 failed, 1 skipped\n", why);
        return 0;
    }
    told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED) {
        return 1;
    }
    if (mkdtemp(folder) != NULL) {
        (void)chmod(folder, 0755);
        snprintf(policy_file, sizeof(policy_file), "%s/policy.yaml", folder);
    }
    host = stub_host_new();
    const bool gate = raw_in_child(gate_is_there, NULL);
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (operations[i].as_root && geteuid() != 0) {
            printf("skip: %s: root alone may do that\n", operations[i].name);
        } else if (operations[i].call == close_gate && !gate) {
            printf("skip: gate: no seccomp filter can be had here\n");
        } else if (operations[i].call == drop && lacks_plain_threads()) {
            printf("skip: drop: the emulator has a thread of its own\n");
        } else {
            try_operation(&operations[i]);
        }
    }
    log_remove();
    (void)unlink(policy_file);
    (void)rmdir(folder);
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
