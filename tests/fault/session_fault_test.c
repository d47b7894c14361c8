/* SPDX-License-Identifier: MIT */
/*
 * A session while the kernel does not answer or memory runs out. This program brings its own table
 * of system calls and its own allocator, which stand in place of the library's.
 *
 * Each call of the way is failed in turn: nothing may be given out, served or lost, and once the
 * fault is gone all works again. The tests with two rows are run through MI and, as the second,
 * through <miguard/guard.h> (support/fronts.h).
 */
#include <check.h>
#include <errno.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "identity/kernel.h"
#include "support/always_interrupted.h"
#include "support/failing_alloc.h"
#include "support/fronts.h"
#include "support/log.h"
#include "support/real_kernel.h"

/* ---- the kernel -------------------------------------------------------------------------- */

/* Which reading function lies, and how. */
enum reader {
    READ_RESUID,
    READ_RESGID,
    READ_GROUPS,
    READ_CAPGET,
    READ_OPEN,
    READ_FILE,
    READ_LINK,
    READ_FSUID,
    READ_FSGID,
    READ_PRCTL,
    READER_COUNT
};
static const char *const reader_names[READER_COUNT] = {
    "getresuid", "getresgid", "getgroups", "capget",   "open",
    "read",      "readlink",  "setfsuid",  "setfsgid", "prctl"};

/* For this thread alone: the log's own reads who it is whenever it likes. */
static __thread int failing = -1;  /* enum reader, or -1 */
static __thread long failing_call; /* which of its calls; -1 all */
static __thread long calls_seen;
static __thread long failing_with = -EPERM;

static bool fails(enum reader reader)
{
    if (failing != (int)reader) {
        return false;
    }
    long call = calls_seen++;
    return failing_call < 0 || call == failing_call;
}

#define READER(name, reader, PARAMETERS, ARGUMENTS)                                                \
    static long faulty_##name PARAMETERS                                                           \
    {                                                                                              \
        return fails(reader) ? failing_with : real_kernel.name ARGUMENTS;                          \
    }

READER(getresuid, READ_RESUID, (uid_t * r, uid_t *e, uid_t *s), (r, e, s))
READER(getresgid, READ_RESGID, (gid_t * r, gid_t *e, gid_t *s), (r, e, s))
READER(getgroups, READ_GROUPS, (int size, gid_t *list), (size, list))
READER(capget, READ_CAPGET,
       (struct __user_cap_header_struct * header, struct __user_cap_data_struct *data),
       (header, data))
READER(open, READ_OPEN, (const char *path, int flags), (path, flags))
READER(read, READ_FILE, (int fd, void *buffer, size_t size), (fd, buffer, size))
READER(readlink, READ_LINK, (const char *path, char *buffer, size_t size), (path, buffer, size))
READER(setfsuid, READ_FSUID, (uid_t id), (id))
READER(setfsgid, READ_FSGID, (gid_t id), (id))
READER(prctl, READ_PRCTL,
       (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d),
       (option, a, b, c, d))

#define FORWARD_0(name)                                                                            \
    static long faulty_##name(void)                                                                \
    {                                                                                              \
        return real_kernel.name();                                                                 \
    }
FORWARD_0(gettid)
FORWARD_0(getpid)
FORWARD_0(session_keyring)

static long close_file(int fd)
{
    return real_kernel.close(fd);
}

static long setresuid_real(uid_t r, uid_t e, uid_t s)
{
    return real_kernel.setresuid(r, e, s);
}

static long setresgid_real(gid_t r, gid_t e, gid_t s)
{
    return real_kernel.setresgid(r, e, s);
}

static long setgroups_real(size_t size, const gid_t *list)
{
    return real_kernel.setgroups(size, list);
}

static long capset_real(struct __user_cap_header_struct *header,
                        const struct __user_cap_data_struct *data)
{
    return real_kernel.capset(header, data);
}

const struct identity_kernel identity_kernel = {
    .getresuid = faulty_getresuid,
    .getresgid = faulty_getresgid,
    .getgroups = faulty_getgroups,
    .capget = faulty_capget,
    .open = faulty_open,
    .read = faulty_read,
    .close = close_file,
    .readlink = faulty_readlink,
    .gettid = faulty_gettid,
    .getpid = faulty_getpid,
    .session_keyring = faulty_session_keyring,
    .setfsuid = faulty_setfsuid,
    .setfsgid = faulty_setfsgid,
    .prctl = faulty_prctl,
    .setresuid = setresuid_real,
    .setresgid = setresgid_real,
    .setgroups = setgroups_real,
    .capset = capset_real,
};

/* ---- a component that cannot be read ----------------------------------------------------- */

static MI_Result try_session(struct stub_host *host)
{
    MI_Context *context = NULL;
    MI_Session session = MI_SESSION_NULL;

    ck_assert_int_eq(miguard_guard_context(&host->context, &context), MI_RESULT_OK);
    memset(&session, 0xAA, sizeof(session));
    MI_Result result = MI_Context_GetLocalSession(context, &session);
    if (result != MI_RESULT_OK) {
        ck_assert_ptr_null(session.ft);
        ck_assert_uint_eq(session.reserved1, 0);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
    return result;
}

/* The same with a binding; the host counts what was given out. */
static MI_Result try_binding(struct stub_host *host)
{
    static const char *const actions[] = {"read"};
    struct miguard_front_end *front_end = NULL;
    struct miguard_binding *binding = NULL;
    struct miguard_refusal refusal = {.status = MIGUARD_OK};

    ck_assert_int_eq(miguard_front_end_register("faults", actions, 1, &front_end, NULL),
                     MIGUARD_OK);
    enum miguard_status status = miguard_bind(front_end, "/srv/data", "fault", &binding, &refusal);
    ck_assert_int_eq(status, refusal.status);
    ck_assert((binding != NULL) == (status == MIGUARD_OK));
    host->local_sessions += binding != NULL ? 1 : 0;
    miguard_release(binding);
    return status == MIGUARD_OK       ? MI_RESULT_OK
           : status == MIGUARD_DENIED ? MI_RESULT_ACCESS_DENIED
                                      : MI_RESULT_SERVER_LIMITS_EXCEEDED;
}

static MI_Result try_open(struct stub_host *host, int front)
{
    return front == FRONT_MI ? try_session(host) : try_binding(host);
}

static void fail_kernel(int reader, long call, long answer)
{
    failing = reader;
    failing_call = call;
    failing_with = answer;
    calls_seen = 0;
}

/* Each single call of each function on the way to a session. The audit record reads some of the
 * same things for people; a failure there is no reason to refuse, so only those before the first
 * GetLocalSession of the host count. */
START_TEST(no_session_when_something_cannot_be_read)
{
    struct stub_host *host = stub_host_new();
    log_start();
    for (int reader = 0; reader < READER_COUNT; reader++) {
        if (reader == READ_OPEN || reader == READ_FILE) {
            continue; /* the label, in a test of its own */
        }
        for (long call = 0;; call++) {
            unsigned long before = host->local_sessions;
            fail_kernel(reader, call, -EPERM);
            MI_Result result = try_open(host, _i);
            bool reached = calls_seen > call;
            bool given = host->local_sessions > before;
            fail_kernel(-1, 0, 0);
            if (!reached) {
                ck_assert_msg(call > 0, "%s is never called", reader_names[reader]);
                break;
            }
            /* Denied, or the failure came after the decision, while the record was written. */
            ck_assert_msg(result == MI_RESULT_ACCESS_DENIED ? !given : result == MI_RESULT_OK,
                          "%s call %ld: result %d", reader_names[reader], call, (int)result);
        }
        fail_kernel(reader, -1, -EPERM);
        MI_Result result = try_open(host, _i);
        fail_kernel(-1, 0, 0);
        ck_assert_msg(result == MI_RESULT_ACCESS_DENIED, "%s failing: result %d",
                      reader_names[reader], (int)result);
        ck_assert_int_eq(try_open(host, _i), MI_RESULT_OK);
    }
    ck_assert(log_count("session-open", "identity-unreadable") > 0);
    stub_host_free(host);
    log_remove();
}
END_TEST

enum { NEVER = 1000000 };

/* How often the reader is asked on the way to a session. */
static long calls_to_take(MI_Context *context, enum reader reader, MI_Session *ret_session)
{
    fail_kernel((int)reader, NEVER, -EPERM);
    MI_Result result = MI_Context_GetLocalSession(context, ret_session);
    long seen = calls_seen;
    fail_kernel(-1, 0, 0);
    ck_assert_int_eq(result, MI_RESULT_OK);
    return seen;
}

static bool is_same(const MI_Session *a, const MI_Session *b)
{
    return a->reserved1 == b->reserved1 && a->reserved2 == b->reserved2;
}

/* A thread that has its session is checked, not captured; and with one read that fails it gets that
 * session or none. */
START_TEST(a_session_is_taken_again_by_one_check)
{
    struct stub_host *host = stub_host_new();
    MI_Context *context = NULL;
    MI_Session first, again;
    log_start();
    ck_assert_int_eq(miguard_guard_context(&host->context, &context), MI_RESULT_OK);
    ck_assert_int_gt(calls_to_take(context, READ_CAPGET, &first), 1);
    ck_assert_int_eq(calls_to_take(context, READ_CAPGET, &again), 1);
    ck_assert(is_same(&first, &again));
    ck_assert_uint_eq(host->local_sessions, 1);
    for (int reader = 0; reader < READER_COUNT; reader++) {
        const long total = calls_to_take(context, reader, &again);
        for (long call = 0; call < total; call++) {
            fail_kernel(reader, call, -EPERM);
            MI_Result result = MI_Context_GetLocalSession(context, &again);
            fail_kernel(-1, 0, 0);
            ck_assert(result == MI_RESULT_ACCESS_DENIED ||
                      (result == MI_RESULT_OK && is_same(&first, &again)));
        }
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
    stub_host_free(host);
    log_remove();
}
END_TEST

/* The ids alone do not make a session one's own. */
START_TEST(a_session_of_the_same_ids_is_not_taken)
{
    struct stub_host *host = stub_host_new();
    MI_Context *context = NULL;
    MI_Session first, second, again;
    const int securebits = SECBIT_KEEP_CAPS;
    log_start();
    ck_assert_int_eq(miguard_guard_context(&host->context, &context), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &first), MI_RESULT_OK);
    ck_assert_int_eq(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) & securebits, securebits);
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &second), MI_RESULT_OK);
    ck_assert(!is_same(&first, &second));
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &again), MI_RESULT_OK);
    ck_assert(is_same(&second, &again));
    ck_assert_int_eq(prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0), 0);
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &again), MI_RESULT_OK);
    ck_assert(is_same(&first, &again));
    MI_Context_PostResult(context, MI_RESULT_OK);
    stub_host_free(host);
    log_remove();
}
END_TEST

/* Where no LSM is active the answer is EINVAL; anything else is "not readable". */
START_TEST(no_session_when_the_label_cannot_be_read)
{
    struct stub_host *host = stub_host_new();
    log_start();
    fail_kernel(READ_OPEN, -1, -EACCES);
    ck_assert_int_eq(try_open(host, _i), MI_RESULT_ACCESS_DENIED);
    fail_kernel(READ_OPEN, -1, -EMFILE);
    ck_assert_int_eq(try_open(host, _i), MI_RESULT_ACCESS_DENIED);
    fail_kernel(READ_FILE, -1, -EIO);
    ck_assert_int_eq(try_open(host, _i), MI_RESULT_ACCESS_DENIED);
    fail_kernel(READ_FILE, -1, -EINVAL);
    ck_assert_int_eq(try_open(host, _i), MI_RESULT_OK);
    fail_kernel(-1, 0, 0);
    stub_host_free(host);
    log_remove();
}
END_TEST

/* Ids that mean "no change" or that no call can return. */
START_TEST(no_session_for_an_id_of_minus_one)
{
    struct stub_host *host = stub_host_new();
    log_start();
    fail_kernel(READ_FSUID, -1, (long)(uid_t)-1);
    ck_assert_int_eq(try_open(host, _i), MI_RESULT_ACCESS_DENIED);
    fail_kernel(READ_FSGID, -1, (long)(gid_t)-1);
    ck_assert_int_eq(try_open(host, _i), MI_RESULT_ACCESS_DENIED);
    fail_kernel(READ_GROUPS, -1, 1000000);
    ck_assert_int_eq(try_open(host, _i), MI_RESULT_ACCESS_DENIED);
    fail_kernel(READ_PRCTL, -1, 77);
    ck_assert_int_eq(try_open(host, _i), MI_RESULT_ACCESS_DENIED);
    fail_kernel(-1, 0, 0);
    stub_host_free(host);
    log_remove();
}
END_TEST

/* Every guarded function, with every component unreadable in turn. */
START_TEST(no_use_when_something_cannot_be_read)
{
    struct scene scene;
    log_start();
    ck_assert(fronts[_i].make(&scene));
    for (int reader = 0; reader < READER_COUNT; reader++) {
        if (reader == READ_OPEN || reader == READ_FILE) {
            continue; /* no label where no LSM is active */
        }
        for (unsigned i = 0; i < entry_point_count; i++) {
            const struct entry_point *entry = &entry_points[i];
            unsigned long reached = scene.host->reached;
            int callbacks = 0;
            fail_kernel(reader, -1, -EPERM);
            MI_Result result = fronts[_i].call(&scene, i, &callbacks);
            fail_kernel(-1, 0, 0);
            ck_assert_msg(result == MI_RESULT_ACCESS_DENIED, "%s with %s failing: result %d",
                          entry->name, reader_names[reader], (int)result);
            ck_assert_msg(scene.host->reached == reached, "%s with %s failing reached the host",
                          entry->name, reader_names[reader]);
        }
    }
    ck_assert_int_eq(log_count("session-use", "identity-unreadable"),
                     (long)(READER_COUNT - 2) * entry_point_count);
    for (unsigned i = 0; i < entry_point_count; i++) {
        int callbacks = 0;
        ck_assert_int_eq(fronts[_i].call(&scene, i, &callbacks), fronts[_i].served(i));
    }
    fronts[_i].end(&scene);
    log_remove();
}
END_TEST

/* A policy that lets every mismatch pass does not let pass what nobody could see (invariant 4). The
 * file lies below /run, since one below /tmp is refused. */
START_TEST(no_policy_allows_what_cannot_be_read)
{
    char folder[] = "/run/miguard-test-XXXXXX", path[64];
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct scene scene;

    if (geteuid() != 0) {
        printf("skip: a policy file that the library trusts needs root\n");
        return;
    }
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chmod(folder, 0755), 0);
    snprintf(path, sizeof(path), "%s/policy.yaml", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("version: 1\ndefaults: { mode: permissive }\n", file);
    fclose(file);
    config.policy = path;
    config.audit_file = log_path();
    ck_assert_int_eq(miguard_configure(&config, NULL), MIGUARD_OK);
    ck_assert(fronts[_i].make(&scene));
    for (int reader = 0; reader < READER_COUNT; reader++) {
        int callbacks = 0;
        unsigned long reached = scene.host->reached;
        if (reader == READ_OPEN || reader == READ_FILE) {
            continue;
        }
        fail_kernel(reader, -1, -EPERM);
        MI_Result result = fronts[_i].call(&scene, 2, &callbacks);
        fail_kernel(-1, 0, 0);
        ck_assert_msg(result == MI_RESULT_ACCESS_DENIED, "%s failing was let pass",
                      reader_names[reader]);
        ck_assert_uint_eq(scene.host->reached, reached);
    }
    fronts[_i].end(&scene);
    unlink(path);
    rmdir(folder);
    log_remove();
}
END_TEST

/* A zeroed identity is nobody's: a session bound to it serves nobody, uid 0 included. */
START_TEST(a_zeroed_identity_serves_nobody)
{
    struct scene scene;
    void *object = NULL;
    log_start();
    ck_assert(scene_make(&scene));
    struct slots_handle handle = {scene.session.reserved1, (uint64_t)scene.session.reserved2};
    ck_assert_int_eq(slots_acquire(&guarded_sessions, handle, &object), SLOTS_OK);
    struct guarded_session *session = object;
    struct miguard_identity kept = session->binding.identity;
    memset(&session->binding.identity, 0, sizeof(session->binding.identity));
    for (unsigned i = 0; i < entry_point_count; i++) {
        int callbacks = 0;
        unsigned long reached = scene.host->reached;
        ck_assert_int_eq(entry_points[i].call(&scene, &callbacks), MI_RESULT_ACCESS_DENIED);
        ck_assert_uint_eq(scene.host->reached, reached);
    }
    session->binding.identity = kept;
    slots_release(&guarded_sessions, session);
    scene_end(&scene);
    log_remove();
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------ */

/* One round of what a daemon does: bind, as the thread and as a target, use, find, release. */
static MI_Result round_of_binding(struct stub_host *host)
{
    const struct miguard_use use = MIGUARD_USE(0, "/srv/data/item");
    static const char *const actions[] = {"read"};
    struct miguard_front_end *front_end = NULL;
    struct miguard_binding *binding = NULL, *found = NULL;

    (void)host;
    enum miguard_status status = miguard_front_end_register("memory", actions, 1, &front_end, NULL);
    if (status == MIGUARD_OK) {
        status = miguard_bind(front_end, "/srv/data", "memory", &binding, NULL);
    }
    if (status == MIGUARD_OK) {
        status = miguard_verify(binding, &use, NULL);
    }
    if (status == MIGUARD_OK) {
        status = miguard_binding_find(miguard_binding_number(binding), &found, NULL);
    }
    miguard_release(found);
    miguard_release(binding);
    return status == MIGUARD_OK       ? MI_RESULT_OK
           : status == MIGUARD_DENIED ? MI_RESULT_ACCESS_DENIED
                                      : MI_RESULT_SERVER_LIMITS_EXCEEDED;
}

/* One round of what a provider does. OK, or the first result that is not. */
static MI_Result round_of_provider(struct stub_host *host)
{
    MI_Context *context = NULL;
    MI_Session session = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result code = MI_RESULT_OK;

    MI_Result result = miguard_guard_context(&host->context, &context);
    if (result != MI_RESULT_OK) {
        ck_assert_ptr_null(context);
        return result;
    }
    result = MI_Context_GetLocalSession(context, &session);
    if (result == MI_RESULT_OK) {
        MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "Test", MI_FALSE, NULL,
                                      &operation);
        result = MI_Operation_GetInstance(&operation, &instance, &more, &code, NULL, NULL);
        result = result == MI_RESULT_OK ? code : result;
        MI_Operation_Close(&operation);
    } else {
        ck_assert_ptr_null(session.ft);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
    return result;
}

static MI_Result round_trip(struct stub_host *host, int front)
{
    return front == FRONT_MI ? round_of_provider(host) : round_of_binding(host);
}

/* The chunks of the tables are never given back but here. That of the bindings is had once, in the
 * first round. */
static void give_tables_back(void)
{
    slots_release_all(&guarded_contexts);
    slots_release_all(&guarded_sessions);
    slots_release_all(&guarded_operations);
}

/* The log's own threads give memory back when they get to it; a leak stays. */
static bool comes_back_to(long blocks)
{
    for (int i = 0; i < 5000 && outstanding != blocks; i++) {
        usleep(1000);
    }
    return outstanding == blocks;
}

/* What is outstanding when they have: nothing is given back for a while. */
static long settled_blocks(void)
{
    enum { QUIET_MS = 30 };
    long blocks = outstanding;

    for (int quiet = 0; quiet < QUIET_MS; quiet++) {
        usleep(1000);
        quiet = outstanding == blocks ? quiet : 0;
        blocks = outstanding;
    }
    return blocks;
}

START_TEST(out_of_memory_refuses_and_leaks_nothing)
{
    long failures = 0;

    give_tables_back();
    for (long nth = 0;; nth++) {
        struct stub_host *host = stub_host_new();
        log_start();
        ck_assert_int_eq(round_trip(host, _i), MI_RESULT_OK); /* the log remembers what it wrote */
        give_tables_back();
        countdown = nth;
        (void)round_trip(host, _i); /* and what it wrote about the failure */
        countdown = -1;
        long opened = log_count("session-open", "identity-match");
        give_tables_back();
        long blocks_before = settled_blocks();
        failed = false;
        countdown = nth;
        MI_Result result = round_trip(host, _i);
        countdown = -1;
        ck_assert_uint_eq(slots_in_use(&guarded_contexts), 0);
        ck_assert_uint_eq(slots_in_use(&guarded_sessions), 0);
        ck_assert_uint_eq(slots_in_use(&guarded_operations), 0);
        ck_assert_int_eq(round_trip(host, _i), MI_RESULT_OK);
        give_tables_back();
        ck_assert_msg(comes_back_to(blocks_before), "allocation %ld failed: %ld blocks, %ld before",
                      nth, outstanding, blocks_before);
        stub_host_free(host);
        if (!failed) {
            ck_assert_int_eq(result, MI_RESULT_OK);
            break;
        }
        failures++;
        /* OK is right only where nothing was lost but the second identity in the record. */
        ck_assert_msg(result == MI_RESULT_SERVER_LIMITS_EXCEEDED ||
                          result == MI_RESULT_ACCESS_DENIED ||
                          log_count("session-open", "identity-match") == opened + 2,
                      "allocation %ld failed and the result is %d", nth, (int)result);
    }
    ck_assert(failures > 5);
    log_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session faults");
    TCase *tcase = tcase_create("session faults");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, no_session_when_something_cannot_be_read, 0, FRONTS);
    tcase_add_test(tcase, a_session_is_taken_again_by_one_check);
    tcase_add_test(tcase, a_session_of_the_same_ids_is_not_taken);
    tcase_add_loop_test(tcase, no_session_when_the_label_cannot_be_read, 0, FRONTS);
    tcase_add_loop_test(tcase, no_session_for_an_id_of_minus_one, 0, FRONTS);
    tcase_add_loop_test(tcase, no_use_when_something_cannot_be_read, 0, FRONTS);
    tcase_add_loop_test(tcase, no_policy_allows_what_cannot_be_read, 0, FRONTS);
    tcase_add_test(tcase, a_zeroed_identity_serves_nobody);
    tcase_add_loop_test(tcase, out_of_memory_refuses_and_leaks_nothing, 0, FRONTS);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? 0 : 1;
}
