/* SPDX-License-Identifier: MIT */
/*
 * While the host is asked for a result anything may run on the caller's thread: each component that
 * a thread can change x one thread and two x gated or not. The result is withheld, nobody is given
 * anything, and whoever the session belongs to gets it later. The same for what else runs between
 * the check and the answer: a policy that is reloaded, the writing of a record.
 *
 * Each trial runs in a child process of its own. This file defines pthread_sigmask(3), to come in
 * where a record is written.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { SOMEBODY = 12345, SOMEGROUP = 23456 };

static unsigned passed, failed, skipped;
static struct stub_host *host;
static MI_Context *context;
static MI_Session session;
static MI_Operation operation;
static bool wrong;

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            wrong = true;                                                                          \
        }                                                                                          \
    } while (0)

/* ---- changes, and the way back where there is one ---------------------------------------------
 */

static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
static struct __user_cap_data_struct caps[2]; /* of before */
static gid_t groups[64];
static int group_count;

static void remember(void)
{
    MUST(syscall(SYS_capget, &header, caps) == 0);
    group_count = (int)syscall(SYS_getgroups, 64, groups);
}

static bool restore_caps(void)
{
    return syscall(SYS_capset, &header, caps) == 0;
}

static bool change_caps(uint32_t effective, uint32_t permitted, uint32_t inheritable)
{
    struct __user_cap_data_struct changed[2] = {caps[0], caps[1]};
    changed[0].effective &= ~effective;
    changed[0].permitted &= ~permitted;
    changed[0].inheritable |= inheritable;
    return syscall(SYS_capset, &header, changed) == 0;
}

#define BIT(NAME) (1U << CAP_##NAME)

#define WAY(name, call)                                                                            \
    static bool name(void)                                                                         \
    {                                                                                              \
        return call;                                                                               \
    }

WAY(set_ruid, raw_setresuid(SOMEBODY, (uid_t)-1, (uid_t)-1))
WAY(unset_ruid, raw_setresuid(0, (uid_t)-1, (uid_t)-1))
WAY(set_euid, raw_setresuid((uid_t)-1, SOMEBODY, (uid_t)-1))
WAY(unset_euid, raw_setresuid((uid_t)-1, 0, (uid_t)-1))
WAY(set_suid, raw_setresuid((uid_t)-1, (uid_t)-1, SOMEBODY))
WAY(unset_suid, raw_setresuid((uid_t)-1, (uid_t)-1, 0))
WAY(set_fsuid, raw_setfsuid(SOMEBODY))
WAY(unset_fsuid, raw_setfsuid(0) && restore_caps())
WAY(set_rgid, raw_setresgid(SOMEGROUP, (gid_t)-1, (gid_t)-1))
WAY(unset_rgid, raw_setresgid(0, (gid_t)-1, (gid_t)-1))
WAY(set_egid, raw_setresgid((gid_t)-1, SOMEGROUP, (gid_t)-1))
WAY(unset_egid, raw_setresgid((gid_t)-1, 0, (gid_t)-1))
WAY(set_sgid, raw_setresgid((gid_t)-1, (gid_t)-1, SOMEGROUP))
WAY(unset_sgid, raw_setresgid((gid_t)-1, (gid_t)-1, 0))
WAY(set_fsgid, (syscall(SYS_setfsgid, SOMEGROUP), syscall(SYS_setfsgid, -1) == SOMEGROUP))
WAY(unset_fsgid, (syscall(SYS_setfsgid, 0), syscall(SYS_setfsgid, -1) == 0))
WAY(set_groups, raw_setgroups(1, (const gid_t[]){SOMEGROUP}))
WAY(unset_groups, raw_setgroups((size_t)group_count, groups))
WAY(set_effective, change_caps(BIT(SYS_TIME), 0, 0))
WAY(set_permitted, change_caps(BIT(SYS_TIME), BIT(SYS_TIME), 0))
WAY(set_inheritable, change_caps(0, 0, BIT(KILL)))
WAY(raise_ambient, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0)
WAY(lower_ambient, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0)
WAY(drop_bounding, prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0) == 0)
WAY(set_securebits, prctl(PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0) == 0)
WAY(unset_securebits, prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) == 0)
WAY(set_no_new_privs, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)

/* EINVAL: there is another thread (unshare(2)). A record's question for a name has one for a
 * moment, which on a busy machine is left behind and ends soon. */
static bool new_namespace(void)
{
    for (int i = 0; i < 2000; i++) {
        if (syscall(SYS_unshare, CLONE_NEWUSER) == 0) {
            return true;
        }
        if (errno != EINVAL) {
            return false;
        }
        (void)usleep(1000);
    }
    return false;
}

static const struct change {
    const char *component; /* that the record must name */
    bool (*change)(void);
    bool (*undo)(void); /* NULL: there is no way back */
    bool (*before)(void);
    bool alone; /* the kernel allows it to the only thread */
} changes[] = {
    {"ruid", set_ruid, unset_ruid, NULL, false},
    {"euid", set_euid, unset_euid, NULL, false},
    {"suid", set_suid, unset_suid, NULL, false},
    {"fsuid", set_fsuid, unset_fsuid, NULL, false},
    {"rgid", set_rgid, unset_rgid, NULL, false},
    {"egid", set_egid, unset_egid, NULL, false},
    {"sgid", set_sgid, unset_sgid, NULL, false},
    {"fsgid", set_fsgid, unset_fsgid, NULL, false},
    {"groups", set_groups, unset_groups, NULL, false},
    {"cap-effective", set_effective, restore_caps, NULL, false},
    {"cap-permitted", set_permitted, NULL, NULL, false},
    {"cap-inheritable", set_inheritable, restore_caps, NULL, false},
    {"cap-ambient", raise_ambient, lower_ambient, set_inheritable, false},
    {"cap-bounding", drop_bounding, NULL, NULL, false},
    {"securebits", set_securebits, unset_securebits, NULL, false},
    {"no-new-privs", set_no_new_privs, NULL, NULL, false},
    {"user-namespace", new_namespace, NULL, NULL, true},
};

/* ---- one trial --------------------------------------------------------------------------------
 */

struct trial {
    const struct change *change;
    bool threads, gated;
    bool changed; /* in a gated process the kernel refuses it */
};

static bool starts(void)
{
    host = stub_host_new();
    host->items = 3;
    MUST(miguard_guard_context(&host->context, &context) == MI_RESULT_OK);
    MUST(MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK);
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "Test", MI_FALSE, NULL,
                                  &operation);
    return !wrong;
}

static MI_Result get(const MI_Instance **ret_instance)
{
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;
    const MI_Char *message = NULL;

    *ret_instance = NULL;
    MI_Result answer =
        MI_Operation_GetInstance(&operation, ret_instance, &more, &result, &message, NULL);
    MUST(answer == MI_RESULT_OK || (*ret_instance == NULL && !more && result == answer));
    MUST(answer != MI_RESULT_ACCESS_DENIED || strstr(message, "miguard") != NULL);
    return answer;
}

static void change_it(void *data)
{
    struct trial *trial = data;
    host->before_result = NULL;
    trial->changed = trial->change->change();
}

/* A thread that was there before has what it had. */
static pthread_barrier_t barrier;

static void *wait_and_get(void *unused)
{
    const MI_Instance *instance = NULL;

    pthread_barrier_wait(&barrier);
    MUST(get(&instance) == MI_RESULT_OK && instance != NULL);
    return unused;
}

static void later(const struct trial *trial, pthread_t thread)
{
    const MI_Instance *instance = NULL;
    unsigned long reached = host->reached;

    if (trial->threads) {
        pthread_barrier_wait(&barrier);
        MUST(pthread_join(thread, NULL) == 0);
    } else if (trial->change->undo != NULL) {
        MUST(trial->change->undo());
        MUST(get(&instance) == MI_RESULT_OK && instance != NULL);
    } else {
        return;
    }
    MUST(host->reached == reached); /* it was the one that was withheld */
}

static bool try(void *data)
{
    struct trial *trial = data;
    const MI_Instance *instance = NULL;
    pthread_t thread = pthread_self();

    remember();
    MUST(trial->change->before == NULL || trial->change->before());
    log_start();
    if (trial->gated) {
        struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
        options.scope = MIGUARD_GATE_PROCESS;
        MUST(miguard_gate_close(&options, NULL) == MIGUARD_OK);
    }
    MUST(starts());
    if (trial->threads) {
        MUST(pthread_barrier_init(&barrier, NULL, 2) == 0);
        MUST(pthread_create(&thread, NULL, wait_and_get, NULL) == 0);
    }
    host->before_result = change_it;
    host->before_result_data = trial;
    MI_Result answer = get(&instance);
    if (trial->gated && !trial->changed) {
        MUST(answer == MI_RESULT_OK && instance != NULL);
        return !wrong;
    }
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "\"%s\"", trial->change->component);
    MUST(trial->changed && answer == MI_RESULT_ACCESS_DENIED && instance == NULL);
    later(trial, thread);
    if (trial->change->undo != NULL) {
        MUST(!trial->threads || trial->change->undo());
        MUST(log_count("session-use", "identity-mismatch") == 1);
        MUST(log_mentions(quoted) >= 1);
    }
    return !wrong;
}

static void tell(bool good, const char *what, bool threads, bool gated)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAILED: %s, %s, %s\n", what, threads ? "two threads" : "one thread",
               gated ? "gated" : "not gated");
    }
}

static void try_all(void)
{
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        for (int kind = 0; kind < 4; kind++) {
            struct trial trial = {&changes[i], (kind & 1) != 0, (kind & 2) != 0, false};
            if (changes[i].alone && (trial.threads || RAW_HIDDEN_THREAD)) {
                skipped += RAW_HIDDEN_THREAD ? 1 : 0;
                continue;
            }
            tell(raw_in_child(try, &trial), changes[i].component, trial.threads, trial.gated);
        }
    }
}

/* ---- a switch that is left behind: what a gated thread can still change ------------------------
 */

static struct miguard_target *somebody;

static void switch_away(void *unused)
{
    (void)unused;
    host->before_result = NULL;
    MUST(miguard_switch_to(somebody, NULL) == MIGUARD_OK);
}

static void switch_and_back(void *unused)
{
    switch_away(unused);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK);
}

static bool switch_while_waiting(void *data)
{
    const bool *gated = data;
    const struct miguard_groups clear = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
    const MI_Instance *instance = NULL;

    log_start();
    MUST(miguard_target_ids(SOMEBODY, SOMEBODY, &clear, &somebody, NULL) == MIGUARD_OK);
    if (*gated) {
        struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
        options.scope = MIGUARD_GATE_THREAD;
        MUST(miguard_gate_close(&options, NULL) == MIGUARD_OK);
    }
    MUST(starts());
    host->before_result = switch_and_back;
    MUST(get(&instance) == MI_RESULT_OK && instance != NULL);
    host->before_result = switch_away;
    MUST(get(&instance) == MI_RESULT_ACCESS_DENIED && instance == NULL);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK);
    unsigned long reached = host->reached;
    MUST(get(&instance) == MI_RESULT_OK && instance != NULL && host->reached == reached);
    return !wrong;
}

/* ---- a failure of the host has a message, which is data, too -----------------------------------
 */

static void fail_as_somebody(void *unused)
{
    (void)unused;
    host->before_result = NULL;
    host->get_answer = MI_RESULT_FAILED;
    MUST(set_fsuid());
}

static bool failure_while_waiting(void *unused)
{
    const MI_Instance *instance = NULL;
    (void)unused;

    log_start();
    MUST(starts());
    host->before_result = fail_as_somebody;
    MUST(get(&instance) == MI_RESULT_ACCESS_DENIED);
    return !wrong;
}

/* ---- policies -----------------------------------------------------------------------------------
 */

static char folder[64], policy_file[128];

static void write_policy(const char *text)
{
    FILE *file = fopen(policy_file, "w");
    MUST(file != NULL && fputs(text, file) >= 0 && fchmod(fileno(file), 0644) == 0);
    MUST(file != NULL && fclose(file) == 0);
}

static void configure(const char *text)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {.status = MIGUARD_OK};

    write_policy(text);
    config.audit_file = log_path();
    config.policy = policy_file;
    if (miguard_configure(&config, &error) != MIGUARD_OK) {
        fprintf(stderr, "%s: %s\n", error.step, error.detail);
        wrong = true;
    }
}

#define HEAD "version: 1\n"
#define DENY_ROOT                                                                                  \
    HEAD "rules:\n  - {name: no, match: {user: root, operation: GetLocalSession}, "                \
         "decision: deny}\n"

static void reload_to_deny(void *unused)
{
    struct miguard_error error = {.status = MIGUARD_OK};
    (void)unused;
    host->before_result = NULL;
    write_policy(DENY_ROOT);
    if (miguard_reload(&error) != MIGUARD_OK) {
        fprintf(stderr, "%s: %s\n", error.step, error.detail);
        wrong = true;
    }
}

static bool reload_while_waiting(void *unused)
{
    const MI_Instance *instance = NULL;
    (void)unused;

    configure(HEAD);
    MUST(starts());
    host->before_result = reload_to_deny;
    MUST(get(&instance) == MI_RESULT_ACCESS_DENIED && instance == NULL);
    MUST(log_count("session-use", "policy") == 1);
    MUST(get(&instance) == MI_RESULT_ACCESS_DENIED && instance == NULL);
    return !wrong;
}

static struct {
    int calls, data, messages;
    MI_Result result;
} seen;

static void MI_CALL on_instance(MI_Operation *unused, void *data, const MI_Instance *instance,
                                MI_Boolean more, MI_Result result, const MI_Char *message,
                                const MI_Instance *details,
                                MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)unused, (void)data, (void)more, (void)message, (void)details, (void)acknowledge;
    seen.calls++;
    seen.data += instance != NULL;
    seen.result = result;
}

static void MI_CALL on_message(MI_Operation *unused, void *data, MI_Uint32 channel,
                               const MI_Char *message)
{
    (void)unused, (void)data, (void)channel, (void)message;
    seen.messages++;
}

static void MI_CALL on_progress(MI_Operation *unused, void *data, const MI_Char *activity,
                                const MI_Char *current, const MI_Char *status, MI_Uint32 percent,
                                MI_Uint32 seconds)
{
    (void)unused, (void)data, (void)activity, (void)current, (void)status, (void)percent;
    (void)seconds;
    seen.messages++;
}

/* What comes after a session was denied brings its end and no data. */
static bool reload_before_callback(void *unused)
{
    MI_OperationCallbacks callbacks = {
        .instanceResult = on_instance, .writeMessage = on_message, .writeProgress = on_progress};
    (void)unused;

    configure(HEAD);
    MUST(starts());
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "Test", MI_FALSE, &callbacks,
                                  &operation);
    stub_chatter(stub_latest(host));
    stub_fire(stub_latest(host), true, false);
    MUST(seen.calls == 1 && seen.data == 1 && seen.messages == 2);
    reload_to_deny(NULL);
    stub_chatter(stub_latest(host));
    MUST(seen.messages == 2);
    stub_fire(stub_latest(host), true, false);
    MUST(seen.calls == 2 && seen.data == 1 && seen.result == MI_RESULT_ACCESS_DENIED);
    stub_fire(stub_latest(host), false, false);
    MUST(seen.calls == 2 &&
         log_count("session-use", NULL) + log_count("session-callback", NULL) > 0);
    return !wrong;
}

/* ---- a record -----------------------------------------------------------------------------------
 */

static bool armed;
static int visits;

/* What the library calls on the thread that writes a record, before it does: as if something on the
 * way changed the thread. */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    if (armed) {
        visits++;
        MUST(raw_setfsuid(0)); /* which the real uid allows */
    }
    return syscall(SYS_rt_sigprocmask, how, set, before, 8) == 0 ? 0 : errno;
}

#define USE HEAD "defaults:\n  audit: [deny, use]\n"

static bool change_while_recording(void *data)
{
    const bool *mismatch = data;

    configure(!*mismatch ? USE
                         : USE "rules:\n  - {name: sgid, match: {mismatch: [sgid]}, "
                               "decision: allow}\n");
    MUST(set_euid() && starts());
    MI_Session own = session;
    MUST(unset_euid() && (!*mismatch || set_sgid()) && set_euid());
    unsigned long reached = host->reached;
    armed = true;
    MI_Session_EnumerateInstances(&own, 0, NULL, "root/test", "Test", MI_FALSE, NULL, &operation);
    armed = false;
    MUST(visits > 0 && host->reached == reached);
    MUST(unset_euid() && log_count("session-use", "identity-torn") == 1);
    return !wrong;
}

/* ------------------------------------------------------------------------------------------------
 */

static void check(const char *what, bool (*body)(void *), bool flag)
{
    tell(raw_in_child(body, &flag), what, false, flag);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (geteuid() != 0) {
        printf("skip: changing credentials: needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    /* Below /run, since a policy in /tmp is refused. */
    snprintf(folder, sizeof(folder), "/run/miguard-test-XXXXXX");
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        return 1;
    }
    snprintf(policy_file, sizeof(policy_file), "%s/miguard.yaml", folder);
    try_all();
    check("a switch during the wait", switch_while_waiting, false);
    check("a switch during the wait", switch_while_waiting, true);
    check("a failure after the wait", failure_while_waiting, false);
    check("a reload during the wait", reload_while_waiting, false);
    check("a reload before a callback", reload_before_callback, false);
    check("a change during the record of a match", change_while_recording, false);
    check("a change during the record of a mismatch that a rule allows", change_while_recording,
          true);
    unlink(policy_file);
    rmdir(folder);
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
