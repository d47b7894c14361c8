/* SPDX-License-Identifier: MIT */
/*
 * Closing the gate beside switches and adoptions: scope x action x who asks for it x what the
 * calling thread is doing x what another one is doing x privilege. No row may end in an abort.
 * After a refusal no thread has changed, no_new_privs included, and there is no gate; every way
 * back leads home. Each row is a process of its own, since no gate can be opened again.
 *
 * QUICK=1 runs a quarter of the rows: of way, caller, other thread and privilege every value with
 * every two values of the others. What only four of them together would show is left out.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity/identity.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { SOMEBODY = 12345, GROUP = 23456 };

enum way { BY_CALL, BY_RELOAD, BY_CONFIGURE, BY_SESSION, WAYS };
/* FILTERED, of the other thread alone: it has a filter of its own, so TSYNC fails. */
enum doing { PLAIN, SWITCHED, IN_BLOCK, ADOPTED, DOINGS, FILTERED = DOINGS, OTHERS };
enum privilege { PRIVILEGED, UNPRIVILEGED, CALLER_HAS_NNP, ALL_HAVE_NNP, PRIVILEGES };

static const char *const way_names[] = {"call", "reload", "configure", "session"};
static const char *const doing_names[] = {"plain", "switched", "in a block", "adopted", "filtered"};
static const char *const privilege_names[] = {"CAP_SYS_ADMIN", "no CAP_SYS_ADMIN",
                                              "caller with no_new_privs", "all with no_new_privs"};

struct row {
    enum miguard_gate_scope scope;
    enum miguard_gate_action action;
    int report;
    enum way way;
    enum doing caller, other;
    enum privilege privilege;
};

static char folder[64], policy_file[96];

/* ---- what a row is made of ------------------------------------------------------------------- */

static const struct row *row;
static struct miguard_target *target;
static struct stub_host *host;
static MI_Context *context;
static struct stub_operation *for_caller, *for_other;
static sem_t other_goes, other_is_there, other_comes_back;
static struct miguard_error error;
static enum miguard_status status;
static MI_Result session_result;

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s (%s: %s)\n", __FILE__, __LINE__, #condition, error.step,    \
                    error.detail);                                                                 \
            _exit(2);                                                                              \
        }                                                                                          \
    } while (0)

static void write_policy(bool with_gate)
{
    FILE *file = fopen(policy_file, "w");

    NEED(file != NULL);
    fputs("version: 1\n", file);
    if (with_gate) {
        fprintf(file, "gate: { scope: %s, action: %s, report: %s }\n",
                row->scope == MIGUARD_GATE_PROCESS ? "process" : "thread",
                row->action == MIGUARD_GATE_KILL ? "kill" : "errno",
                row->report ? "true" : "false");
    }
    NEED(fchmod(fileno(file), 0644) == 0 && fclose(file) == 0);
}

static enum miguard_status configure(void)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;

    config.audit_file = log_path();
    config.policy = policy_file;
    config.repeat_window = 0;
    return miguard_configure(&config, &error);
}

static int no_new_privs(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static bool lose_sys_admin(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    data[0].effective &= ~(1U << CAP_SYS_ADMIN);
    data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
    data[0].inheritable = data[1].inheritable = 0;
    return syscall(SYS_capset, &header, data) == 0;
}

/* ---- the act --------------------------------------------------------------------------------- */

static MI_Result take_session(void)
{
    MI_Session session = MI_SESSION_NULL;
    return MI_Context_GetLocalSession(context, &session);
}

static void act(void)
{
    const struct miguard_gate_options options = {sizeof(options), row->scope, row->action,
                                                 row->report, 0};
    memset(&error, 0, sizeof(error));
    session_result = MI_RESULT_OK;
    if (row->way == BY_CALL) {
        status = miguard_gate_close(&options, &error);
    } else if (row->way == BY_RELOAD) {
        status = miguard_reload(&error);
    } else if (row->way == BY_CONFIGURE) {
        status = configure();
    } else {
        session_result = take_session();
    }
}

static void let_other_come(void);

static void MI_CALL on_result(MI_Operation *operation, void *which, const MI_Instance *instance,
                              MI_Boolean more, MI_Result result, const MI_Char *message,
                              const MI_Instance *details,
                              MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)instance, (void)result, (void)message, (void)details, (void)acknowledge;
    NEED(geteuid() == SOMEBODY || !more);
    if (more) {
        (*(void (**)(void))which)();
    }
}

static void as(enum doing doing, void (*function)(void), struct stub_operation *operation)
{
    enum miguard_status entered = MIGUARD_OK;

    switch (doing) {
    case SWITCHED:
        NEED(miguard_switch_to(target, &error) == MIGUARD_OK);
        function();
        NEED(miguard_switch_back(NULL) == MIGUARD_OK);
        break;
    case IN_BLOCK:
        MIGUARD_SWITCHED(target, &entered, &error)
        {
            function();
        }
        NEED(entered == MIGUARD_OK);
        break;
    case ADOPTED:
        stub_fire(operation, true, false);
        break;
    default:
        function();
    }
}

/* ---- the other thread ------------------------------------------------------------------------ */

static void let_other_come(void)
{
    sem_post(&other_is_there);
    while (sem_wait(&other_comes_back) != 0) {
    }
}

static miguard_components other_differs;

static void take_filter(void)
{
    struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    struct sock_fprog program = {1, &allow};

    NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    NEED(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

static void *be_other(void *unused)
{
    struct miguard_identity before, after;

    while (sem_wait(&other_goes) != 0) {
    }
    if (row->other == FILTERED) {
        take_filter();
    }
    NEED(identity_capture(&before, NULL) == MIGUARD_OK);
    as(row->other, let_other_come, for_other);
    NEED(identity_capture(&after, NULL) == MIGUARD_OK);
    other_differs = miguard_identity_compare(&before, &after);
    return unused;
}

/* ---- one row --------------------------------------------------------------------------------- */

static struct stub_operation *start(MI_Session *session, void (**function)(void))
{
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    MI_Operation operation = MI_OPERATION_NULL;

    callbacks.callbackContext = (void *)function;
    callbacks.instanceResult = on_result;
    MI_Session_EnumerateInstances(session, 0, NULL, "root/test", "Test", MI_FALSE, &callbacks,
                                  &operation);
    return stub_latest(host);
}

static void set_up_sessions(void)
{
    static void (*caller_function)(void) = act, (*other_function)(void) = let_other_come;
    MI_Session session = MI_SESSION_NULL;

    host = stub_host_new();
    host->items = 1000;
    NEED(miguard_guard_context(&host->context, &context) == MI_RESULT_OK);
    NEED(miguard_switch_to(target, &error) == MIGUARD_OK);
    NEED(MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK);
    for_caller = start(&session, &caller_function);
    for_other = start(&session, &other_function);
    NEED(miguard_switch_back(&error) == MIGUARD_OK);
}

static bool needs_sessions(void)
{
    return row->way == BY_SESSION || row->caller == ADOPTED || row->other == ADOPTED;
}

/* Who configures must be able to write the log: then somebody else is root with other groups. */
static void make_target(void)
{
    static const gid_t groups[] = {GROUP};
    const struct miguard_groups other = {MIGUARD_GROUPS_LIST, groups, 1, NULL};
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
    bool is_root = row->way == BY_CONFIGURE && !needs_sessions();

    NEED(miguard_target_ids(is_root ? 0 : SOMEBODY, is_root ? 0 : SOMEBODY,
                            is_root ? &other : &none, &target, &error) == MIGUARD_OK);
}

static bool other_hinders(void)
{
    return row->scope == MIGUARD_GATE_PROCESS &&
           (row->other == FILTERED || (row->other != PLAIN && (row->privilege == UNPRIVILEGED ||
                                                               row->privilege == CALLER_HAS_NNP)));
}

static enum miguard_status expected(void)
{
    if (row->way == BY_SESSION || (row->way != BY_CALL && row->scope == MIGUARD_GATE_THREAD)) {
        return row->way == BY_CONFIGURE && needs_sessions() ? MIGUARD_BAD_STATE : MIGUARD_OK;
    }
    return row->caller != PLAIN || other_hinders() || (row->way == BY_CONFIGURE && needs_sessions())
               ? MIGUARD_BAD_STATE
               : MIGUARD_OK;
}

/* Who configures as somebody may not even get as far, since he cannot write the log. */
static bool is_expected(void)
{
    return status == expected() || (row->way == BY_CONFIGURE && row->caller != PLAIN &&
                                    needs_sessions() && status != MIGUARD_OK);
}

static bool closes_now(void)
{
    return row->way == BY_SESSION ? row->caller == PLAIN
                                  : expected() == MIGUARD_OK &&
                                        (row->way == BY_CALL || row->scope == MIGUARD_GATE_PROCESS);
}

/* In the calling thread, home again. */
static bool as_it_should(const struct miguard_identity *before)
{
    struct miguard_identity after;
    bool may_set = closes_now() && row->privilege == UNPRIVILEGED;

    NEED(identity_capture(&after, NULL) == MIGUARD_OK);
    miguard_components differs = miguard_identity_compare(before, &after);
    if (differs != (may_set ? MIGUARD_COMPONENT_NO_NEW_PRIVS : 0)) {
        printf("the caller differs in %llx\n", (unsigned long long)differs);
        return false;
    }
    if (miguard_gate_state().scope != (closes_now() ? row->scope : MIGUARD_GATE_OFF)) {
        printf("the gate is %d\n", miguard_gate_state().scope);
        return false;
    }
    return true;
}

/* What was put off is recorded, and made up for when the thread asks as itself. */
static bool put_off_is_made_up_for(void)
{
    return log_count("gate", "gate-failed") == 1 && log_count("session-open", "no-policy") == 0 &&
           take_session() == MI_RESULT_OK && miguard_gate_state().scope == MIGUARD_GATE_THREAD &&
           log_count("gate", "none") == 1;
}

static bool run_row(void *data)
{
    struct miguard_identity before;
    pthread_t thread;

    row = data;
    alarm(20);
    NEED(row->privilege != UNPRIVILEGED || lose_sys_admin());
    NEED(row->privilege != ALL_HAVE_NNP || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    NEED(sem_init(&other_goes, 0, 0) == 0 && sem_init(&other_is_there, 0, 0) == 0 &&
         sem_init(&other_comes_back, 0, 0) == 0);
    NEED(pthread_create(&thread, NULL, be_other, NULL) == 0);
    write_policy(false);
    NEED(configure() == MIGUARD_OK);
    make_target();
    if (needs_sessions()) {
        set_up_sessions();
    }
    NEED(row->privilege != CALLER_HAS_NNP || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    write_policy(row->way != BY_CALL);
    NEED(row->way != BY_SESSION || miguard_reload(&error) == MIGUARD_OK);
    NEED(identity_capture(&before, NULL) == MIGUARD_OK);
    sem_post(&other_goes);
    while (sem_wait(&other_is_there) != 0) {
    }
    as(row->caller, act, for_caller);
    bool good = is_expected() && session_result == MI_RESULT_OK && as_it_should(&before);
    if (!good) {
        printf("%s, expected %s (%s: %s), session %d\n", miguard_status_name(status),
               miguard_status_name(expected()), error.step, error.detail, session_result);
    }
    sem_post(&other_comes_back);
    NEED(pthread_join(thread, NULL) == 0);
    bool spreads = closes_now() && row->scope == MIGUARD_GATE_PROCESS &&
                   (row->privilege == UNPRIVILEGED || row->privilege == CALLER_HAS_NNP);
    if (other_differs != (spreads ? MIGUARD_COMPONENT_NO_NEW_PRIVS : 0)) {
        printf("the other differs in %llx\n", (unsigned long long)other_differs);
        good = false;
    }
    if (row->way == BY_SESSION && row->caller != PLAIN && !put_off_is_made_up_for()) {
        printf("what was put off: %ld records, gate %d\n", log_count("gate", "gate-failed"),
               miguard_gate_state().scope);
        good = false;
    }
    return good;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static unsigned passed, failed;

static void empty_log(void)
{
    char path[512], *slash = strrchr(strcpy(path, log_path()), '/') + 1;
    *slash = '\0';
    DIR *entries = opendir(path);

    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        snprintf(slash, sizeof(path) - (size_t)(slash - path), "%s", entry->d_name);
        unlink(path);
    }
    if (entries != NULL) {
        closedir(entries);
    }
}

static void try_row(const struct row *one)
{
    struct row copy = *one;

    empty_log();
    fflush(NULL);
    bool good = raw_in_child(run_row, &copy);
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: scope %d, action %d, report %d, by %s, caller %s, other %s, %s\n", one->scope,
               one->action, one->report, way_names[one->way], doing_names[one->caller],
               doing_names[one->other], privilege_names[one->privilege]);
    }
}

/* The action and the report say nothing about whether it can be closed: for one way all of them. */
static void try_actions(struct row *one)
{
    for (int action = 0; action < (one->way == BY_CALL ? 3 : 1); action++) {
        one->action = action == 1 ? MIGUARD_GATE_KILL : MIGUARD_GATE_ERRNO;
        one->report = action == 2;
        try_row(one);
    }
}

/* A policy closes the process's gate at once. A thread that has set no_new_privs cannot adopt the
 * identity of a session from before. */
static bool exists(const struct row *one)
{
    return (one->way != BY_SESSION || one->scope == MIGUARD_GATE_THREAD) &&
           (one->caller != ADOPTED || one->privilege != CALLER_HAS_NNP);
}

/* Any three of the four values decide the last. FILTERED, the fifth of `other`, goes as PLAIN. */
static bool is_of_the_quarter(const struct row *one)
{
    return ((unsigned)one->way + one->caller + one->other + one->privilege) % 4 == 0;
}

static void try_all(void)
{
    bool quick = getenv("QUICK") != NULL;

    for (unsigned i = 0; i < 2U * WAYS * DOINGS * OTHERS * PRIVILEGES; i++) {
        struct row one = {.scope = i % 2 == 0 ? MIGUARD_GATE_THREAD : MIGUARD_GATE_PROCESS,
                          .way = i / 2 % WAYS,
                          .caller = i / (2 * WAYS) % DOINGS,
                          .other = i / (2 * WAYS * DOINGS) % OTHERS,
                          .privilege = i / (2 * WAYS * DOINGS * OTHERS)};
        if (exists(&one) && (!quick || is_of_the_quarter(&one))) {
            try_actions(&one);
        }
    }
}

/* For another reason than a switch the session is refused, and the record says why. */
static bool session_is_refused(void *unused)
{
    static const struct row by_session = {.scope = MIGUARD_GATE_THREAD, .way = BY_SESSION};
    struct sock_filter refuse[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_setresuid},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    struct sock_fprog program = {4, refuse};
    (void)unused;

    row = &by_session;
    write_policy(true);
    NEED(configure() == MIGUARD_OK);
    host = stub_host_new();
    NEED(miguard_guard_context(&host->context, &context) == MI_RESULT_OK);
    NEED(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
    return take_session() == MI_RESULT_ACCESS_DENIED && no_new_privs() == 0 &&
           log_count("session-open", "gate-failed") == 1 && log_count("gate", "gate-failed") == 1;
}

static bool can_close(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    (void)unused;
    return miguard_gate_close(&options, NULL) == MIGUARD_OK;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (geteuid() != 0 || no_new_privs() != 0 || !raw_in_child(can_close, NULL)) {
        printf("skip: closing the gate: needs root, and seccomp filters\n"
               "0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    snprintf(folder, sizeof(folder), "/run/miguard-test-XXXXXX");
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        return 1;
    }
    snprintf(policy_file, sizeof(policy_file), "%s/miguard.yaml", folder);
    try_all();
    empty_log();
    bool refused = raw_in_child(session_is_refused, NULL);
    passed += refused;
    failed += !refused;
    unlink(policy_file);
    rmdir(folder);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
