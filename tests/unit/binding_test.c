/* SPDX-License-Identifier: MIT */
/* The bindings of <miguard/guard.h>: registering a front end, binding, verifying, numbers, forks,
 * policies about own actions; bad arguments; what the records say. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard/gate.h"
#include "miguard/guard.h"
#include "support/log.h"
#include "support/raw.h"
#include "switch/switch.h"

enum { STRANGER = 12345 };
enum { READ, WRITE, ADMIN };
static const char *const actions[] = {"read", "write", "admin.delete"};

static struct miguard_front_end *front;
static struct miguard_refusal refusal;
static struct miguard_error error;

static void set_up(void)
{
    log_start();
    ck_assert_int_eq(miguard_front_end_register("files", actions, 3, &front, &error), MIGUARD_OK);
    memset(&refusal, 0x5A, sizeof(refusal));
}

static void tear_down(void)
{
    log_remove();
}

static struct miguard_binding *bind_one(void)
{
    struct miguard_binding *binding = NULL;
    ck_assert_int_eq(miguard_bind(front, "/srv/a", "connection 1", &binding, &refusal), MIGUARD_OK);
    ck_assert_ptr_nonnull(binding);
    return binding;
}

static enum miguard_status use(struct miguard_binding *binding, uint32_t action)
{
    const struct miguard_use asked = MIGUARD_USE(action, NULL);
    return miguard_verify(binding, &asked, &refusal);
}

static enum miguard_status use_again(struct miguard_binding *binding, uint32_t action)
{
    const struct miguard_use asked = MIGUARD_USE(action, NULL);
    return miguard_verify_again(binding, &asked, &refusal);
}

static bool need_root(void)
{
    if (geteuid() != 0) {
        printf("skip: binding_test: changing credentials needs root\n");
    }
    return geteuid() == 0;
}

/* ---- a front end -------------------------------------------------------------------------- */

static char long_name[300];

static const struct {
    const char *component;
    const char *action;
    const char *says;
} bad_front_ends[] = {
    {NULL, "read", "component"},
    {"", "read", "component"},
    {long_name, "read", "1 to 255"},
    {"\xff", "read", "UTF-8"},
    {"bad", NULL, "missing"},
    {"bad", "", "missing"},
    {"bad", "a b", "letters"},
    {"bad", "a*", "letters"},
    {"bad", "gr\xc3\xbc\xc3\x9f", "letters"},
    {"bad", long_name, "1 to 128"},
    {"bad", "GetInstance", "taken"},
    {"bad", "Bind", "taken"},
    {"bad", "Action", "taken"},
};

START_TEST(a_bad_front_end_says_what_is_wrong)
{
    struct miguard_front_end *none = NULL;
    const char *names[] = {bad_front_ends[_i].action};

    memset(long_name, 'x', sizeof(long_name) - 1);
    ck_assert_int_eq(
        miguard_front_end_register(bad_front_ends[_i].component, names, 1, &none, &error),
        MIGUARD_INVALID_ARGUMENT);
    ck_assert_ptr_null(none);
    ck_assert_msg(strstr(error.detail, bad_front_ends[_i].says) != NULL, "%s", error.detail);
}
END_TEST

START_TEST(a_front_end_is_registered_once)
{
    struct miguard_front_end *again = NULL;
    const char *const twice[] = {"one", "one"};

    ck_assert_int_eq(miguard_front_end_register("files", actions, 3, &again, NULL), MIGUARD_OK);
    ck_assert_ptr_eq(again, front);
    ck_assert_int_eq(miguard_front_end_register("files", actions, 2, &again, &error),
                     MIGUARD_BAD_STATE);
    ck_assert_int_eq(miguard_front_end_register("others", twice, 2, &again, &error),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_msg(strstr(error.detail, "twice") != NULL, "%s", error.detail);
    ck_assert_int_eq(miguard_front_end_register("files", NULL, 3, &again, &error),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_front_end_register("files", actions, 3, NULL, &error),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_front_end_register("none", NULL, 0, &again, &error), MIGUARD_OK);
}
END_TEST

START_TEST(there_is_a_limit_of_front_ends)
{
    struct miguard_front_end *one = NULL;
    enum miguard_status status = MIGUARD_OK;
    unsigned made = 0;
    char name[32];

    for (; status == MIGUARD_OK && made < 2 * MIGUARD_MAX_FRONT_ENDS; made++) {
        snprintf(name, sizeof(name), "front-%u", made);
        status = miguard_front_end_register(name, actions, 3, &one, &error);
    }
    ck_assert_int_eq(status, MIGUARD_LIMIT);
    ck_assert_uint_le(made, MIGUARD_MAX_FRONT_ENDS);
    ck_assert_int_eq(miguard_front_end_register("files", actions, 3, &one, NULL), MIGUARD_OK);
}
END_TEST

/* ---- bad arguments ------------------------------------------------------------------------ */

START_TEST(bad_arguments_are_refused_with_a_sentence)
{
    struct miguard_binding *binding = bind_one(), *none = binding;
    struct miguard_use asked = MIGUARD_USE(READ, NULL);
    struct miguard_target *target = NULL;

    ck_assert_int_eq(miguard_bind(NULL, NULL, NULL, &none, &refusal), MIGUARD_INVALID_ARGUMENT);
    ck_assert(strstr(refusal.sentence, "front_end") != NULL);
    ck_assert_int_eq(miguard_bind(front, NULL, NULL, NULL, &refusal), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_bind_target(front, NULL, NULL, NULL, &none, &refusal),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_ptr_null(none);
    ck_assert(strstr(refusal.sentence, "target") != NULL);
    ck_assert_int_eq(miguard_verify(NULL, &asked, &refusal), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_verify(binding, NULL, &refusal), MIGUARD_INVALID_ARGUMENT);
    asked.size = 1;
    ck_assert_int_eq(miguard_verify(binding, &asked, &refusal), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(use(binding, 3), MIGUARD_INVALID_ARGUMENT);
    ck_assert(strstr(refusal.sentence, "action") != NULL);
    ck_assert_int_eq(use(binding, UINT32_MAX), MIGUARD_INVALID_ARGUMENT);
    ck_assert_str_eq(refusal.reason, "none");
    ck_assert_int_eq(refusal.status, MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_verify(binding, NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_binding_find(1, NULL, &refusal), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_binding(NULL, &target, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_binding(binding, NULL, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_uint_eq(miguard_binding_number(NULL), 0);
    ck_assert_ptr_null(miguard_binding_identity(NULL));
    miguard_revoke(NULL);
    miguard_release(NULL);
    miguard_release(binding);
    ck_assert_int_eq(log_count("session-use", NULL), 0);
}
END_TEST

/* ---- use ------------------------------------------------------------------------------------ */

START_TEST(the_same_identity_may_use_it)
{
    struct miguard_binding *binding = bind_one();

    ck_assert_int_eq(log_count("session-open", "identity-match"), 1);
    ck_assert_str_eq(log_last("miguard.operation"), "Bind");
    ck_assert_str_eq(log_last("miguard.provider"), "files");
    ck_assert_str_eq(log_last("miguard.resource"), "/srv/a");
    ck_assert_str_eq(log_last("miguard.object"), "connection 1");
    ck_assert_int_eq(use(binding, READ), MIGUARD_OK);
    ck_assert_int_eq(use_again(binding, READ), MIGUARD_OK);
    ck_assert_int_eq(refusal.sentence[0], 0x5A); /* written only on failure */
    miguard_release(binding);
}
END_TEST

START_TEST(another_identity_is_refused_and_recorded)
{
    struct miguard_binding *binding = bind_one();

    if (need_root()) {
        ck_assert(raw_setresuid((uid_t)-1, STRANGER, (uid_t)-1));
        ck_assert_int_eq(use(binding, WRITE), MIGUARD_DENIED);
        ck_assert_int_eq(use_again(binding, WRITE), MIGUARD_DENIED);
        ck_assert(raw_setresuid((uid_t)-1, 0, (uid_t)-1));
        ck_assert_int_eq(refusal.status, MIGUARD_DENIED);
        ck_assert_str_eq(refusal.reason, "identity-mismatch");
        ck_assert((refusal.difference & MIGUARD_COMPONENT_EUID) != 0);
        ck_assert_msg(strstr(refusal.sentence, "euid") != NULL, "%s", refusal.sentence);
        ck_assert_msg(strstr(refusal.sentence, refusal.decision_id) != NULL, "%s",
                      refusal.sentence);
        ck_assert_int_eq(log_count("session-use", "identity-mismatch"), 2);
        ck_assert_str_eq(log_last("miguard.operation"), "write");
        ck_assert_str_eq(log_last("event.id"), refusal.decision_id);
        ck_assert_int_eq(use(binding, WRITE), MIGUARD_OK);
    }
    miguard_release(binding);
}
END_TEST

START_TEST(a_refusal_need_not_be_asked_for)
{
    struct miguard_binding *binding = bind_one();
    const struct miguard_use asked = MIGUARD_USE(READ, NULL);

    miguard_revoke(binding);
    ck_assert_int_eq(miguard_verify(binding, &asked, NULL), MIGUARD_DENIED);
    miguard_release(binding);
}
END_TEST

START_TEST(a_use_names_its_own_resource_and_object)
{
    struct miguard_binding *binding = bind_one();
    struct miguard_use asked = MIGUARD_USE(ADMIN, "/srv/b");

    asked.object = "request 7";
    miguard_revoke(binding);
    ck_assert_int_eq(miguard_verify(binding, &asked, &refusal), MIGUARD_DENIED);
    ck_assert_str_eq(refusal.reason, "session-revoked");
    ck_assert_str_eq(log_last("miguard.operation"), "admin.delete");
    ck_assert_str_eq(log_last("miguard.resource"), "/srv/b");
    ck_assert_str_eq(log_last("miguard.object"), "request 7");
    miguard_release(binding);
}
END_TEST

START_TEST(a_revoked_binding_stays_revoked)
{
    struct miguard_binding *binding = bind_one();
    struct miguard_target *target = NULL;

    miguard_revoke(binding);
    ck_assert_int_eq(use(binding, READ), MIGUARD_DENIED);
    ck_assert_int_eq(use_again(binding, READ), MIGUARD_DENIED);
    ck_assert_int_eq(miguard_target_binding(binding, &target, &error), MIGUARD_BAD_STATE);
    ck_assert_ptr_null(target);
    miguard_release(binding);
}
END_TEST

/* ---- a target without switching ------------------------------------------------------------- */

static struct miguard_target *stranger(void)
{
    const gid_t list[] = {STRANGER, 4};
    const struct miguard_groups groups = {.choice = MIGUARD_GROUPS_LIST, .list = list, .count = 2};
    struct miguard_target *target = NULL;
    ck_assert_int_eq(miguard_target_ids(STRANGER, STRANGER, &groups, &target, &error), MIGUARD_OK);
    return target;
}

START_TEST(a_target_is_bound_without_switching)
{
    struct miguard_binding *binding = NULL;
    struct miguard_target *target = stranger(), *again = NULL;
    enum miguard_status status = MIGUARD_OK;

    if (!need_root()) {
        return;
    }
    ck_assert_int_eq(miguard_bind_target(front, target, NULL, NULL, &binding, &refusal),
                     MIGUARD_OK);
    ck_assert_uint_eq(geteuid(), 0);
    ck_assert_int_eq(use(binding, READ), MIGUARD_DENIED);
    MIGUARD_SWITCHED(target, &status, &error)
    {
        ck_assert_int_eq(use(binding, READ), MIGUARD_OK);
    }
    ck_assert_int_eq(status, MIGUARD_OK);
    ck_assert_int_eq(use(binding, READ), MIGUARD_DENIED);
    ck_assert_int_eq(miguard_target_binding(binding, &again, &error), MIGUARD_OK);
    MIGUARD_SWITCHED(again, &status, &error)
    {
        ck_assert_int_eq(use(binding, READ), MIGUARD_OK);
    }
    ck_assert_int_eq(status, MIGUARD_OK);
    miguard_release(binding);
    miguard_target_free(target);
    miguard_target_free(again);
}
END_TEST

static void *use_as_stranger(void *argument)
{
    struct miguard_target *target = stranger();
    enum miguard_status status = MIGUARD_OK, answer = MIGUARD_DENIED;

    MIGUARD_SWITCHED(target, &status, &error)
    {
        answer = use(argument, READ);
    }
    miguard_target_free(target);
    return answer == MIGUARD_OK ? argument : NULL;
}

START_TEST(another_thread_may_use_it_as_the_target)
{
    struct miguard_binding *binding = NULL;
    struct miguard_target *target = stranger();
    pthread_t thread;
    void *result = NULL;

    if (!need_root()) {
        return;
    }
    ck_assert_int_eq(miguard_bind_target(front, target, NULL, NULL, &binding, &refusal),
                     MIGUARD_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, use_as_stranger, binding), 0);
    pthread_join(thread, &result);
    ck_assert_ptr_eq(result, binding);
    miguard_release(binding);
    miguard_target_free(target);
}
END_TEST

/* ---- a thread that jumped out of a callback
 * ------------------------------------------------------
 */

static jmp_buf landing;

__attribute__((noinline, noreturn)) static void adopt_and_jump(const struct miguard_identity *other)
{
    struct switch_frame frame = {0};
    if (switch_adopt(other, &frame, &error) != MIGUARD_OK) {
        abort();
    }
    longjmp(landing, 1);
}

/* What it left behind is undone before anything is bound, or verified: by the first function that
 * the landing one calls (switch/switch.h), hence no helpers here. */
START_TEST(a_jump_out_of_an_adoption_binds_nobody_else)
{
    struct miguard_target *target = stranger();
    struct miguard_identity *home = NULL, *other = NULL;
    enum miguard_status status = MIGUARD_OK;
    static struct miguard_binding *binding;
    const struct miguard_use asked = MIGUARD_USE(READ, NULL);

    if (!need_root()) {
        return;
    }
    ck_assert_int_eq(miguard_identity_capture(&home, &error), MIGUARD_OK);
    MIGUARD_SWITCHED(target, &status, &error)
    {
        ck_assert_int_eq(miguard_identity_capture(&other, &error), MIGUARD_OK);
    }
    if (setjmp(landing) == 0) {
        adopt_and_jump(other);
    }
    ck_assert_int_eq(miguard_bind(front, NULL, NULL, &binding, &refusal), MIGUARD_OK);
    ck_assert_uint_eq(miguard_identity_compare(miguard_binding_identity(binding), home), 0);
    if (setjmp(landing) == 0) {
        adopt_and_jump(other);
    }
    ck_assert_int_eq(miguard_verify(binding, &asked, &refusal), MIGUARD_OK);
    miguard_release(binding);
    miguard_target_free(target);
    miguard_identity_free(home);
    miguard_identity_free(other);
}
END_TEST

/* ---- numbers -------------------------------------------------------------------------------- */

START_TEST(a_number_finds_its_binding)
{
    struct miguard_binding *binding = bind_one(), *found = NULL;
    uint64_t number = miguard_binding_number(binding);

    ck_assert_uint_ne(number, 0);
    ck_assert_int_eq(miguard_binding_find(number, &found, &refusal), MIGUARD_OK);
    ck_assert_ptr_eq(found, binding);
    miguard_release(binding); /* the reference of found keeps it */
    ck_assert_int_eq(use(found, READ), MIGUARD_OK);
    ck_assert_ptr_eq(miguard_keep(found), found);
    miguard_release(found);
    miguard_release(found);
    ck_assert_int_eq(miguard_binding_find(number, &found, &refusal), MIGUARD_BAD_HANDLE);
    ck_assert_ptr_null(found);
    ck_assert_str_eq(refusal.reason, "handle-stale");
    ck_assert_int_eq(log_count("session-use", "handle-stale"), 1);
}
END_TEST

START_TEST(every_other_number_is_refused)
{
    struct miguard_binding *binding = bind_one(), *found = binding;
    uint64_t number = miguard_binding_number(binding);
    unsigned accepted = 0;

    for (unsigned bit = 0; bit < 64; bit++) {
        accepted +=
            miguard_binding_find(number ^ (uint64_t)1 << bit, &found, &refusal) == MIGUARD_OK;
        ck_assert_ptr_null(found);
        ck_assert_int_eq(refusal.status, MIGUARD_BAD_HANDLE);
    }
    ck_assert_uint_eq(accepted, 0);
    ck_assert_int_eq(miguard_binding_find(0, &found, &refusal), MIGUARD_BAD_HANDLE);
    ck_assert_str_eq(refusal.reason, "handle-forged");
    ck_assert_int_eq(miguard_binding_find(UINT64_MAX, &found, &refusal), MIGUARD_BAD_HANDLE);
    miguard_release(binding);
}
END_TEST

/* Slots are reused: an old number must not find who has the slot now. */
START_TEST(a_number_is_never_given_twice)
{
    enum { ROUNDS = 2000 };
    static uint64_t numbers[ROUNDS];
    struct miguard_binding *found = NULL;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct miguard_binding *binding = bind_one();
        numbers[i] = miguard_binding_number(binding);
        if (i > 0) {
            ck_assert_int_eq(miguard_binding_find(numbers[i - 1], &found, NULL),
                             MIGUARD_BAD_HANDLE);
        }
        miguard_release(binding);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned k = i + 1; k < ROUNDS; k++) {
            ck_assert_uint_ne(numbers[i], numbers[k]);
        }
    }
}
END_TEST

/* ---- a fork -----------------------------------------------------------------------------------
 */

static int in_child(struct miguard_binding *binding, uint64_t number)
{
    struct miguard_binding *found = NULL;
    struct miguard_target *target = NULL;

    return use(binding, READ) == MIGUARD_BAD_HANDLE &&
                   strcmp(refusal.reason, "handle-inherited") == 0 &&
                   use_again(binding, READ) == MIGUARD_BAD_HANDLE &&
                   miguard_binding_find(number, &found, &refusal) == MIGUARD_BAD_HANDLE &&
                   strcmp(refusal.reason, "handle-inherited") == 0 &&
                   miguard_target_binding(binding, &target, NULL) == MIGUARD_BAD_HANDLE
               ? 0
               : 1;
}

START_TEST(a_child_may_not_use_what_it_inherited)
{
    struct miguard_binding *binding = bind_one();
    uint64_t number = miguard_binding_number(binding);
    int status = -1;

    pid_t child = fork();
    if (child == 0) {
        int answer = in_child(binding, number);
        miguard_release(binding);
        struct miguard_binding *own = NULL;
        if (miguard_bind(front, NULL, NULL, &own, NULL) != MIGUARD_OK ||
            use(own, READ) != MIGUARD_OK) {
            answer = 2;
        }
        _exit(answer);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(log_count("session-use", "handle-inherited"), 3);
    ck_assert_int_eq(use(binding, READ), MIGUARD_OK);
    miguard_release(binding);
}
END_TEST

/* ---- policies ---------------------------------------------------------------------------------
 */

/* Below /run: others can write /tmp, where a policy is refused. */
static char policy_folder[64], policy_file[96];

static void make_policy_folder(void)
{
    snprintf(policy_folder, sizeof(policy_folder), "/run/miguard-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(policy_folder));
    snprintf(policy_file, sizeof(policy_file), "%s/policy.yaml", policy_folder);
}

static void remove_policy(void)
{
    unlink(policy_file);
    rmdir(policy_folder);
}

static void write_policy(const char *text)
{
    FILE *file = fopen(policy_file, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    ck_assert_int_eq(chmod(policy_file, 0644), 0);
}

static void in_force(const char *text)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;

    make_policy_folder();
    write_policy(text);
    config.audit_file = log_path();
    config.policy = policy_file;
    enum miguard_status status = miguard_configure(&config, &error);
    remove_policy();
    ck_assert_msg(status == MIGUARD_OK, "%s: %s", error.step, error.detail);
}

START_TEST(a_policy_decides_about_actions_and_resources)
{
    in_force("version: 1\n"
             "rules:\n"
             "  - name: no-admin\n"
             "    match: { action: [\"admin.*\"] }\n"
             "    decision: deny\n"
             "    reason: not on this machine\n"
             "  - name: no-secrets\n"
             "    match: { provider: files, resource: \"/srv/secret/*\" }\n"
             "    decision: deny\n");
    struct miguard_binding *binding = bind_one(), *none = NULL;
    const struct miguard_use secret = MIGUARD_USE(READ, "/srv/secret/plan");

    ck_assert_int_eq(use(binding, READ), MIGUARD_OK);
    ck_assert_int_eq(use(binding, ADMIN), MIGUARD_DENIED);
    ck_assert_str_eq(refusal.rule, "no-admin");
    ck_assert_str_eq(refusal.reason, "policy");
    ck_assert(strstr(refusal.sentence, "not on this machine") != NULL);
    ck_assert_int_eq(miguard_verify(binding, &secret, &refusal), MIGUARD_DENIED);
    ck_assert_str_eq(refusal.rule, "no-secrets");
    ck_assert_int_eq(use_again(binding, ADMIN), MIGUARD_OK); /* the rules were asked before */
    ck_assert_int_eq(miguard_bind(front, "/srv/secret/x", NULL, &none, &refusal), MIGUARD_DENIED);
    ck_assert_ptr_null(none);
    ck_assert_str_eq(refusal.rule, "no-secrets");
    miguard_release(binding);
}
END_TEST

/* ---- behind a gate ----------------------------------------------------------------------------
 */

/* Each verification but the first of a binding is answered by what the thread knows. */
static void *close_own_gate_and_use(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_binding *first = NULL, *second = NULL;

    options.scope = MIGUARD_GATE_THREAD;
    if (miguard_gate_close(&options, &error) != MIGUARD_OK ||
        miguard_bind(front, NULL, NULL, &first, NULL) != MIGUARD_OK ||
        miguard_bind(front, NULL, NULL, &second, NULL) != MIGUARD_OK) {
        return (void *)1;
    }
    for (int i = 0; i < 3; i++) {
        if (use(first, READ) != MIGUARD_OK || use_again(first, WRITE) != MIGUARD_OK ||
            use(first, ADMIN) != MIGUARD_DENIED || strcmp(refusal.rule, "no-admin") != 0) {
            return (void *)2;
        }
    }
    miguard_revoke(first);
    if (use(first, READ) != MIGUARD_DENIED || use_again(first, READ) != MIGUARD_DENIED ||
        use(second, READ) != MIGUARD_OK || use(second, 3) != MIGUARD_INVALID_ARGUMENT) {
        return (void *)3;
    }
    write_policy("version: 1\nrules:\n  - { name: gone, match: { provider: files }, "
                 "decision: deny }\n");
    if (miguard_reload(&error) != MIGUARD_OK || use(second, READ) != MIGUARD_DENIED ||
        strcmp(refusal.rule, "gone") != 0 || use_again(second, READ) != MIGUARD_DENIED) {
        return (void *)4;
    }
    miguard_release(first);
    miguard_release(second);
    return unused;
}

static bool child_is_refused(struct miguard_binding *binding)
{
    int ended = -1;

    pid_t child = fork();
    if (child == 0) {
        _exit(use(binding, READ) == MIGUARD_BAD_HANDLE ? 0 : 1);
    }
    return waitpid(child, &ended, 0) == child && ended == 0;
}

/* Where no rule asks for the action, the policy is not asked at all: the quickest way of all. A
 * newer policy is noticed all the same, and takes the resource of the binding for the use. */
static void *use_without_rules(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_binding *first = NULL, *second = NULL;
    const struct miguard_use elsewhere = MIGUARD_USE(READ, "/srv/public");

    options.scope = MIGUARD_GATE_THREAD;
    if (miguard_gate_close(&options, &error) != MIGUARD_OK ||
        miguard_bind(front, NULL, NULL, &first, NULL) != MIGUARD_OK ||
        miguard_bind(front, "/srv/secret", NULL, &second, NULL) != MIGUARD_OK) {
        return (void *)1;
    }
    for (int i = 0; i < 2; i++) {
        if (use(first, READ) != MIGUARD_OK || use(first, 3) != MIGUARD_INVALID_ARGUMENT ||
            miguard_verify(second, &elsewhere, &refusal) != MIGUARD_OK ||
            miguard_verify(second, &elsewhere, &refusal) != MIGUARD_OK) {
            return (void *)2;
        }
    }
    if (!child_is_refused(first) || use(first, READ) != MIGUARD_OK) {
        return (void *)3;
    }
    write_policy("version: 1\nrules:\n  - { name: gone, match: { resource: /srv/secret }, "
                 "decision: deny }\n");
    if (miguard_verify(second, &elsewhere, &refusal) != MIGUARD_OK ||
        miguard_reload(&error) != MIGUARD_OK ||
        miguard_verify(second, &elsewhere, &refusal) != MIGUARD_DENIED ||
        strcmp(refusal.rule, "gone") != 0 || use(first, READ) != MIGUARD_OK ||
        use(first, READ) != MIGUARD_OK) {
        return (void *)4;
    }
    miguard_revoke(first);
    if (use(first, READ) != MIGUARD_DENIED) {
        return (void *)5;
    }
    miguard_release(first);
    miguard_release(second);
    return unused;
}

static bool need_filters(void)
{
    bool has = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
    if (!has) {
        printf("skip: binding_test: a gated thread: no seccomp here\n");
    }
    return has;
}

static void on_gated_thread(void *(*function)(void *))
{
    pthread_t thread;
    void *result = NULL;

    ck_assert_int_eq(pthread_create(&thread, NULL, function, NULL), 0);
    pthread_join(thread, &result);
    ck_assert_msg(result == NULL, "step %lu: %s %s", (unsigned long)(uintptr_t)result, error.step,
                  error.detail);
}

static void configure_gated(const char *text)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;

    make_policy_folder();
    write_policy(text);
    config.audit_file = log_path();
    config.policy = policy_file;
    ck_assert_int_eq(miguard_configure(&config, &error), MIGUARD_OK);
}

START_TEST(a_gated_thread_is_refused_what_another_is)
{
    if (!need_filters()) {
        return;
    }
    configure_gated("version: 1\nrules:\n  - { name: no-admin, match: { action: \"admin.*\" }, "
                    "decision: deny }\n");
    on_gated_thread(close_own_gate_and_use);
    remove_policy();
}
END_TEST

START_TEST(what_a_gated_thread_knows_is_still_true)
{
    if (!need_filters()) {
        return;
    }
    configure_gated("version: 1\n");
    on_gated_thread(use_without_rules);
    remove_policy();
}
END_TEST

START_TEST(a_binding_holds_the_set_up)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_binding *binding = bind_one();

    config.audit_file = log_path();
    ck_assert_int_eq(miguard_configure(&config, &error), MIGUARD_BAD_STATE);
    miguard_release(binding);
    ck_assert_int_eq(miguard_configure(&config, &error), MIGUARD_OK);
}
END_TEST

/* ---- threads ----------------------------------------------------------------------------------
 */

enum { THREADS = 8, ROUNDS = 20000 };

static void *bind_and_find(void *argument)
{
    struct miguard_binding *binding = argument;
    struct miguard_binding *found = NULL;
    uint64_t number = miguard_binding_number(binding);
    uintptr_t failed = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        if (miguard_binding_find(number, &found, NULL) != MIGUARD_OK ||
            (i % 64 == 0 && use(found, READ) != MIGUARD_OK)) {
            failed++;
        }
        miguard_release(found);
        found = NULL;
    }
    return (void *)failed;
}

START_TEST(threads_share_a_binding)
{
    struct miguard_binding *binding = bind_one();
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, bind_and_find, binding), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    miguard_release(binding);
}
END_TEST

static atomic_bool stop_binding;

static void *bind_and_release(void *unused)
{
    const struct miguard_use asked = MIGUARD_USE(READ, NULL);

    while (!atomic_load(&stop_binding)) {
        struct miguard_binding *binding = NULL;
        if (miguard_bind(front, "/srv/a", NULL, &binding, NULL) != MIGUARD_OK ||
            miguard_verify(binding, &asked, NULL) != MIGUARD_OK) {
            return (void *)1;
        }
        miguard_release(binding);
        sched_yield(); /* now and then all are without one */
    }
    return unused;
}

/* Each new log replaces one that no thread may be using: a sanitizer sees it if one does. */
START_TEST(a_set_up_waits_for_no_user_and_replaces_none)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    pthread_t threads[3];
    unsigned rounds = getenv("QUICK") != NULL ? 60 : 600;

    config.audit_file = log_path();
    atomic_store(&stop_binding, false);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, bind_and_release, NULL), 0);
    }
    for (unsigned i = 0; i < rounds; i++) {
        enum miguard_status status = miguard_configure(&config, &error);
        ck_assert(status == MIGUARD_OK || status == MIGUARD_BAD_STATE);
    }
    atomic_store(&stop_binding, true);
    for (unsigned i = 0; i < 3; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    ck_assert_int_eq(miguard_configure(&config, &error), MIGUARD_OK); /* all have left */
}
END_TEST

/* ---- a tracer -------------------------------------------------------------------------------
 */

enum { MOST_SHOWN = 16 };

static struct shown_call {
    char call[32], reason[32], resource[32];
    bool allowed, again, bound, timed;
    miguard_components difference;
} shown[MOST_SHOWN];
static unsigned shown_count;

static void note_call(void *data, const struct miguard_traced_call *call)
{
    if (data == &shown_count && shown_count < MOST_SHOWN) {
        struct shown_call *next = &shown[shown_count++];
        snprintf(next->call, sizeof(next->call), "%s", call->call);
        snprintf(next->reason, sizeof(next->reason), "%s",
                 call->refusal != NULL ? call->refusal->reason : "");
        snprintf(next->resource, sizeof(next->resource), "%s",
                 call->resource != NULL ? call->resource : "");
        next->allowed = call->allowed;
        next->again = call->again;
        next->bound = call->bound != NULL;
        next->timed = call->nanoseconds > 0 && call->size == sizeof(*call);
        next->difference = call->refusal != NULL ? call->refusal->difference : 0;
    }
    errno = EXDEV;
}

static const struct miguard_tracer tracer = {.crossed = note_call, .data = &shown_count};

static bool is_shown(unsigned index, const char *call, bool allowed, const char *reason)
{
    const struct shown_call *one = &shown[index];
    return index < shown_count && strcmp(one->call, call) == 0 && one->allowed == allowed &&
           strcmp(one->reason, reason) == 0 && one->timed;
}

START_TEST(a_tracer_sees_each_call)
{
    struct miguard_binding *found = NULL;

    shown_count = 0;
    miguard_set_tracer(&tracer);
    struct miguard_binding *binding = bind_one();
    errno = ENOTTY;
    ck_assert_int_eq(use(binding, READ), MIGUARD_OK);
    ck_assert_int_eq(errno, ENOTTY);
    ck_assert_int_eq(use_again(binding, WRITE), MIGUARD_OK);
    ck_assert_int_eq(miguard_binding_find(1, &found, NULL), MIGUARD_BAD_HANDLE);
    miguard_revoke(binding);
    ck_assert_int_eq(use(binding, READ), MIGUARD_DENIED);
    ck_assert_uint_eq(shown_count, 5);
    ck_assert(is_shown(0, "Bind", true, "") && shown[0].bound);
    ck_assert(is_shown(1, "read", true, "") && !shown[1].again);
    ck_assert_str_eq(shown[1].resource, "/srv/a");
    ck_assert(is_shown(2, "write", true, "") && shown[2].again);
    ck_assert(is_shown(3, "Action", false, "handle-forged") && !shown[3].bound);
    ck_assert(is_shown(4, "read", false, "session-revoked"));
    miguard_set_tracer(NULL);
    ck_assert_int_eq(use(binding, READ), MIGUARD_DENIED);
    ck_assert_uint_eq(shown_count, 5);
    miguard_release(binding);
}
END_TEST

START_TEST(a_tracer_sees_what_differs)
{
    if (!need_root()) {
        return;
    }
    shown_count = 0;
    struct miguard_binding *binding = bind_one();
    miguard_set_tracer(&tracer);
    ck_assert(raw_setresuid((uid_t)-1, STRANGER, (uid_t)-1));
    enum miguard_status used = use(binding, READ);
    ck_assert(raw_setresuid((uid_t)-1, 0, (uid_t)-1));
    miguard_set_tracer(NULL);
    ck_assert_int_eq(used, MIGUARD_DENIED);
    ck_assert(is_shown(0, "read", false, "identity-mismatch"));
    ck_assert_uint_eq(shown[0].difference, refusal.difference);
    miguard_release(binding);
}
END_TEST

/* Behind a gate a use that is known to be allowed asks nothing; a tracer sees it all the same. */
static void *use_traced(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_binding *binding = NULL;

    options.scope = MIGUARD_GATE_THREAD;
    if (miguard_gate_close(&options, &error) != MIGUARD_OK ||
        miguard_bind(front, NULL, NULL, &binding, NULL) != MIGUARD_OK ||
        use(binding, READ) != MIGUARD_OK || use(binding, READ) != MIGUARD_OK) {
        return (void *)1;
    }
    shown_count = 0;
    miguard_set_tracer(&tracer);
    bool used = use(binding, READ) == MIGUARD_OK && use(binding, READ) == MIGUARD_OK;
    miguard_set_tracer(NULL);
    miguard_release(binding);
    return used && shown_count == 2 ? unused : (void *)2;
}

START_TEST(a_tracer_sees_a_gated_thread)
{
    if (need_filters()) {
        on_gated_thread(use_traced);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("binding");
    TCase *tests = tcase_create("all");
    SRunner *runner = srunner_create(suite);

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_bad_front_end_says_what_is_wrong, 0,
                        sizeof(bad_front_ends) / sizeof(bad_front_ends[0]));
    tcase_add_test(tests, a_front_end_is_registered_once);
    tcase_add_test(tests, there_is_a_limit_of_front_ends);
    tcase_add_test(tests, bad_arguments_are_refused_with_a_sentence);
    tcase_add_test(tests, the_same_identity_may_use_it);
    tcase_add_test(tests, another_identity_is_refused_and_recorded);
    tcase_add_test(tests, a_refusal_need_not_be_asked_for);
    tcase_add_test(tests, a_use_names_its_own_resource_and_object);
    tcase_add_test(tests, a_revoked_binding_stays_revoked);
    tcase_add_test(tests, a_target_is_bound_without_switching);
    tcase_add_test(tests, another_thread_may_use_it_as_the_target);
    tcase_add_test(tests, a_jump_out_of_an_adoption_binds_nobody_else);
    tcase_add_test(tests, a_number_finds_its_binding);
    tcase_add_test(tests, every_other_number_is_refused);
    tcase_add_test(tests, a_number_is_never_given_twice);
    tcase_add_test(tests, a_child_may_not_use_what_it_inherited);
    tcase_add_test(tests, a_policy_decides_about_actions_and_resources);
    tcase_add_test(tests, a_gated_thread_is_refused_what_another_is);
    tcase_add_test(tests, what_a_gated_thread_knows_is_still_true);
    tcase_add_test(tests, a_binding_holds_the_set_up);
    tcase_add_test(tests, threads_share_a_binding);
    tcase_add_test(tests, a_set_up_waits_for_no_user_and_replaces_none);
    tcase_add_test(tests, a_tracer_sees_each_call);
    tcase_add_test(tests, a_tracer_sees_what_differs);
    tcase_add_test(tests, a_tracer_sees_a_gated_thread);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
