/* SPDX-License-Identifier: MIT */
/*
 * Who asks, end to end: the embedded server knows the clients of its sessions, and providers behind
 * the guard ask it. Two clients at a time on one host, requests within requests, servers beside
 * each other, contexts of Load, late and inherited ones, and hosts that do not say it.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "miguard.h"
#include "miguard/host.h"
#include "support/lacks.h"
#include "support/log.h"
#include "support/raw.h"
#include "switch/target.h"

enum { FIRST = 12345, SECOND = 23456, THREADS = 8 };

static const struct miguard_host_clients clients = MIGUARD_HOST_CLIENTS;

static struct miguard_host *host;
static struct miguard_error error;

/* ---- the provider ------------------------------------------------------------------------------
 */

/* What its latest request learned: each thread's own, or that of an asynchronous request. */
struct answer {
    enum miguard_status status;
    uid_t uid;
    bool exact;
    char detail[192];
};
static _Thread_local struct answer *answer;
static struct answer elsewhere;          /* of a thread that has none; one request at a time */
static _Atomic(const MI_Context *) kept; /* of several requests at a time */
static struct answer at_load;

static struct answer learn(const MI_Context *context)
{
    struct miguard_target *client = NULL;
    struct miguard_error why = {0};
    struct answer learned = {.status = miguard_context_client(context, &client, &why)};

    snprintf(learned.detail, sizeof(learned.detail), "%s", why.detail);
    if (learned.status == MIGUARD_OK) {
        learned.exact = client->exact;
        learned.uid = client->identity.uid[0];
        miguard_target_free(client);
    } else {
        learned.uid = (uid_t)-1;
    }
    return learned;
}

static void keep_answer(struct answer learned)
{
    *(answer != NULL ? answer : &elsewhere) = learned;
}

static MI_Result finish(MI_Operation *operation)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    while (more && MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL) ==
                       MI_RESULT_OK) {
    }
    MI_Operation_Close(operation);
    return result;
}

static MI_Result invoke_on(MI_Session *session, const char *method)
{
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_Invoke(session, 0, NULL, "root/test", "T_Who", method, NULL, NULL, NULL, &operation);
    return finish(&operation);
}

static MI_Result nested(MI_Context *context, const char *method)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Result result = MI_Context_GetLocalSession(context, &session);

    return result == MI_RESULT_OK ? invoke_on(&session, method) : result;
}

static MI_Result nested_as_client(MI_Context *context)
{
    struct miguard_target *client = NULL;
    enum miguard_status status = MIGUARD_OK;
    MI_Result result = MI_RESULT_FAILED;

    if (miguard_context_client(context, &client, NULL) != MIGUARD_OK) {
        return MI_RESULT_ACCESS_DENIED;
    }
    MIGUARD_SWITCHED(client, &status, NULL)
    {
        result = nested(context, "Ask");
    }
    miguard_target_free(client);
    return result;
}

static pthread_mutex_t final_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t final_changed = PTHREAD_COND_INITIALIZER;
static bool final_came;

static void MI_CALL on_result(MI_Operation *operation, void *data, const MI_Instance *instance,
                              MI_Boolean more, MI_Result result, const MI_Char *message,
                              const MI_Instance *details,
                              MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)data, (void)instance, (void)result, (void)message, (void)details;
    (void)acknowledge;
    pthread_mutex_lock(&final_lock);
    final_came = final_came || !more;
    pthread_cond_broadcast(&final_changed);
    pthread_mutex_unlock(&final_lock);
}

/* On a thread of the host, which the answer must not depend on. */
static MI_Result invoke_elsewhere(MI_Session *session)
{
    MI_OperationCallbacks callbacks = {.instanceResult = on_result};
    MI_Operation operation = MI_OPERATION_NULL;

    pthread_mutex_lock(&final_lock);
    final_came = false;
    pthread_mutex_unlock(&final_lock);
    MI_Session_Invoke(session, 0, NULL, "root/test", "T_Who", "Ask", NULL, NULL, &callbacks,
                      &operation);
    pthread_mutex_lock(&final_lock);
    while (!final_came) {
        pthread_cond_wait(&final_changed, &final_lock);
    }
    pthread_mutex_unlock(&final_lock);
    MI_Operation_Close(&operation);
    return MI_RESULT_OK;
}

static MI_Result nested_elsewhere(MI_Context *context)
{
    struct miguard_target *client = NULL;
    enum miguard_status status = MIGUARD_OK;
    MI_Session session = MI_SESSION_NULL;
    MI_Result result = MI_RESULT_FAILED;

    if (miguard_context_client(context, &client, NULL) != MIGUARD_OK) {
        return MI_RESULT_ACCESS_DENIED;
    }
    MIGUARD_SWITCHED(client, &status, NULL)
    {
        result = MI_Context_GetLocalSession(context, &session);
        result = result == MI_RESULT_OK ? invoke_elsewhere(&session) : result;
    }
    miguard_target_free(client);
    return result;
}

static bool child_is_refused(void *data)
{
    return learn(data).status != MIGUARD_OK;
}

static void *ask_on_thread(void *context)
{
    elsewhere = learn(context);
    return NULL;
}

static MI_Result refused_nested;

static void invoke(void *self, MI_Context *context, const MI_Char *name_space,
                   const MI_Char *class_name, const MI_Char *method, const MI_Instance *instance,
                   const MI_Instance *parameters)
{
    MI_Result result = MI_RESULT_OK;
    (void)self, (void)name_space, (void)class_name, (void)instance, (void)parameters;

    if (strcmp(method, "Ask") == 0) {
        keep_answer(learn(context));
    } else if (strcmp(method, "AskOnThread") == 0) {
        pthread_t thread;
        result = pthread_create(&thread, NULL, ask_on_thread, context) == 0 ? MI_RESULT_OK
                                                                            : MI_RESULT_FAILED;
        pthread_join(thread, NULL);
    } else if (strcmp(method, "Nested") == 0) {
        result = nested(context, "Ask");
    } else if (strcmp(method, "NestedRefused") == 0) {
        refused_nested = nested(context, "Ask");
    } else if (strcmp(method, "NestedTwice") == 0) {
        result = nested(context, "Nested");
    } else if (strcmp(method, "NestedAsClient") == 0) {
        result = nested_as_client(context);
    } else if (strcmp(method, "NestedElsewhere") == 0) {
        result = nested_elsewhere(context);
    } else if (strcmp(method, "Fork") == 0) {
        result = raw_in_child(child_is_refused, context) ? MI_RESULT_OK : MI_RESULT_FAILED;
    }
    kept = context;
    MI_Context_PostResult(context, result);
}

static void load(MI_Module_Self **self, MI_Context *context)
{
    *self = NULL;
    at_load = learn(context);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void unload(MI_Module_Self *self, MI_Context *context)
{
    (void)self;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_Module *MI_MAIN_CALL module_main(MI_Server *server)
{
    static const MI_ProviderFT provider = {.Invoke = invoke};
    static MI_Module module = {.version = MI_VERSION,
                               .charSize = sizeof(MI_Char),
                               .Load = load,
                               .Unload = unload,
                               .dynamicProviderFT = &provider};
    (void)server;
    return &module;
}

/* ---- the host ----------------------------------------------------------------------------------
 */

static struct miguard_host *start(bool guarded, const struct miguard_host_clients *table)
{
    const struct miguard_host_options options = {.wrap = guarded ? miguard_wrap_module : NULL};
    struct miguard_host *made = NULL;

    ck_assert_int_eq(miguard_host_new(&options, &made, &error), MIGUARD_OK);
    if (table != NULL) {
        ck_assert_int_eq(miguard_host_set_clients(made, table, &error), MIGUARD_OK);
    }
    ck_assert_int_eq(miguard_host_add(made, module_main, NULL, &error), MIGUARD_OK);
    return made;
}

static struct miguard_target *target_of(uid_t uid)
{
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
    struct miguard_target *target = NULL;

    ck_assert_int_eq(miguard_target_ids(uid, uid, &none, &target, &error), MIGUARD_OK);
    return target;
}

static MI_Session session_for(struct miguard_host *of, uid_t uid)
{
    struct miguard_target *target = target_of(uid);
    MI_Session session = MI_SESSION_NULL;

    ck_assert_int_eq(miguard_host_session_for(of, target, &session, &error), MIGUARD_OK);
    miguard_target_free(target); /* the host has its own */
    return session;
}

static struct answer ask(MI_Session *session, const char *method)
{
    struct answer learned = {.status = MIGUARD_SYSTEM};

    answer = &learned;
    ck_assert_int_eq(invoke_on(session, method), MI_RESULT_OK);
    answer = NULL;
    return learned;
}

/* A fork in a request, which has other threads beside it. */
static void fork_in(MI_Session *session)
{
    if (lacks_plain_threads()) {
        printf("skip: a fork in a request: the emulator does not survive it among threads\n");
        return;
    }
    ask(session, "Fork");
}

static void set_up(void)
{
    log_start();
    miguard_set_client_source(miguard_host_context_client, NULL);
    host = start(true, &clients);
}

static void tear_down(void)
{
    miguard_host_free(host);
    miguard_set_client_source(NULL, NULL);
    log_remove();
}

static bool need_root(void)
{
    if (geteuid() != 0) {
        printf("skip: host_client_test: changing credentials needs root\n");
    }
    return geteuid() == 0;
}

/* ---- what the host says ------------------------------------------------------------------------
 */

START_TEST(a_session_has_its_client)
{
    MI_Session session = session_for(host, FIRST);
    struct answer learned = ask(&session, "Ask");

    ck_assert_int_eq(learned.status, MIGUARD_OK);
    ck_assert_uint_eq(learned.uid, FIRST);
    ck_assert_int_eq(ask(&session, "AskOnThread").status, MIGUARD_SYSTEM); /* answered elsewhere */
    ck_assert_uint_eq(elsewhere.uid, FIRST);
    ck_assert_int_eq(invoke_elsewhere(&session), MI_RESULT_OK);
    ck_assert_uint_eq(elsewhere.uid, FIRST);
    MI_Session_Close(&session, NULL, NULL);
}
END_TEST

START_TEST(a_session_without_a_client_has_none)
{
    MI_Session session = MI_SESSION_NULL;

    ck_assert_int_eq(miguard_host_session(host, &session, &error), MIGUARD_OK);
    struct answer learned = ask(&session, "Ask");
    ck_assert_int_eq(learned.status, MIGUARD_NOT_SUPPORTED); /* and not who this process is */
    ck_assert_ptr_nonnull(strstr(learned.detail, "without a client"));
    MI_Session_Close(&session, NULL, NULL);
}
END_TEST

START_TEST(load_has_no_client)
{
    ck_assert_int_eq(at_load.status, MIGUARD_NOT_SUPPORTED);
    ck_assert_ptr_nonnull(strstr(at_load.detail, "loads"));
}
END_TEST

START_TEST(a_context_that_has_ended_has_none)
{
    struct miguard_target *target = NULL;
    MI_Session session = session_for(host, FIRST);

    ask(&session, "Ask");
    ck_assert_int_eq(miguard_context_client(kept, &target, &error), MIGUARD_BAD_HANDLE);
    ck_assert_ptr_null(target);
    MI_Session_Close(&session, NULL, NULL);
}
END_TEST

START_TEST(a_child_has_no_client)
{
    MI_Session session = session_for(host, FIRST);

    fork_in(&session); /* which fails the request otherwise */
    MI_Session_Close(&session, NULL, NULL);
}
END_TEST

START_TEST(without_a_guard_the_host_answers_for_what_is_alive)
{
    struct miguard_target *target = NULL;
    struct miguard_host *bare = start(false, &clients);
    MI_Session session = session_for(bare, SECOND);

    ck_assert_uint_eq(ask(&session, "Ask").uid, SECOND);
    ck_assert_int_eq(miguard_context_client(kept, &target, &error), MIGUARD_NOT_SUPPORTED);
    ck_assert_ptr_null(target);
    fork_in(&session);
    MI_Session_Close(&session, NULL, NULL);
    miguard_host_free(bare);
}
END_TEST

START_TEST(a_source_for_one_server_knows_no_other)
{
    struct miguard_host *second = start(true, &clients);
    MI_Session here = session_for(host, FIRST), there = session_for(second, SECOND);

    ck_assert_uint_eq(ask(&here, "Ask").uid, FIRST); /* for every server */
    ck_assert_uint_eq(ask(&there, "Ask").uid, SECOND);
    miguard_set_client_source(miguard_host_context_client, host);
    ck_assert_uint_eq(ask(&here, "Ask").uid, FIRST);
    struct answer learned = ask(&there, "Ask");
    ck_assert_int_eq(learned.status, MIGUARD_NOT_SUPPORTED);
    ck_assert_ptr_nonnull(strstr(learned.detail, "another server"));
    MI_Session_Close(&here, NULL, NULL);
    MI_Session_Close(&there, NULL, NULL);
    miguard_host_free(second);
}
END_TEST

/* ---- requests within requests ------------------------------------------------------------------
 */

/* The provider did not switch: it asks as what it is, and that is not hidden. */
START_TEST(a_provider_that_does_not_switch_asks_as_itself)
{
    MI_Session session = session_for(host, FIRST);
    struct answer learned = ask(&session, "Nested");

    ck_assert_int_eq(learned.status, MIGUARD_OK);
    ck_assert_uint_eq(learned.uid, geteuid());
    ck_assert(learned.exact); /* its session's identity, every component */
    learned = ask(&session, "NestedTwice");
    ck_assert_uint_eq(learned.uid, geteuid());
    MI_Session_Close(&session, NULL, NULL);
}
END_TEST

START_TEST(a_provider_that_switches_asks_as_its_client)
{
    if (!need_root()) {
        return;
    }
    MI_Session session = session_for(host, FIRST), other = session_for(host, SECOND);
    struct answer learned = ask(&session, "NestedAsClient");
    ck_assert_int_eq(learned.status, MIGUARD_OK);
    ck_assert_uint_eq(learned.uid, FIRST);
    ck_assert_uint_eq(ask(&other, "NestedAsClient").uid, SECOND);
    ask(&session, "NestedElsewhere");
    ck_assert_int_eq(elsewhere.status, MIGUARD_OK);
    ck_assert_uint_eq(elsewhere.uid, FIRST);
    MI_Session_Close(&session, NULL, NULL);
    MI_Session_Close(&other, NULL, NULL);
}
END_TEST

static enum miguard_status cannot_read(struct miguard_target **ret_client,
                                       struct miguard_error *reterr)
{
    (void)ret_client, (void)reterr;
    return MIGUARD_UNREADABLE;
}

/* A thread that cannot be read is no client that is not known: it is refused. */
START_TEST(a_nested_request_of_an_unreadable_thread_is_refused)
{
    struct miguard_host_clients unreadable = clients;

    unreadable.thread = cannot_read;
    struct miguard_host *second = start(true, &unreadable);
    MI_Session session = session_for(second, FIRST);
    ck_assert_int_eq(ask(&session, "Ask").status,
                     MIGUARD_OK); /* its client is that of the session */
    uint64_t before = miguard_host_provider_calls(second);
    refused_nested = MI_RESULT_OK;
    ask(&session, "NestedRefused");
    ck_assert_int_eq(refused_nested, MI_RESULT_ACCESS_DENIED);
    ck_assert_uint_eq(miguard_host_provider_calls(second), before + 1);
    MI_Session_Close(&session, NULL, NULL);
    miguard_host_free(second);
}
END_TEST

START_TEST(a_nested_request_is_made_though_clients_are_not_known)
{
    struct miguard_host_clients without = clients;

    without.thread = NULL;
    struct miguard_host *second = start(true, &without);
    MI_Session session = session_for(second, FIRST);
    struct answer learned = ask(&session, "Nested");
    ck_assert_int_eq(learned.status, MIGUARD_NOT_SUPPORTED); /* neither FIRST nor the host */
    ck_assert_ptr_nonnull(strstr(learned.detail, "not known"));
    MI_Session_Close(&session, NULL, NULL);
    miguard_host_free(second);
}
END_TEST

/* ---- several clients at a time -----------------------------------------------------------------
 */

struct asker {
    pthread_t thread;
    uid_t uid;
    unsigned rounds, wrong;
};

static void *ask_for_one(void *argument)
{
    struct asker *asker = argument;
    const bool can_switch = geteuid() == 0;
    MI_Session session = session_for(host, asker->uid);

    for (unsigned i = 0; i < asker->rounds; i++) {
        const char *method = can_switch && i % 4 == 0 ? "NestedAsClient" : "Ask";
        struct answer learned = ask(&session, method);
        asker->wrong += learned.status != MIGUARD_OK || learned.uid != asker->uid;
    }
    MI_Session_Close(&session, NULL, NULL);
    return NULL;
}

START_TEST(each_of_many_clients_is_itself)
{
    struct asker askers[THREADS];
    unsigned rounds = getenv("QUICK") != NULL ? 50 : 500;

    for (unsigned i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){.uid = i % 2 == 0 ? FIRST : SECOND + i, .rounds = rounds};
        ck_assert_int_eq(pthread_create(&askers[i].thread, NULL, ask_for_one, &askers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(askers[i].thread, NULL);
        ck_assert_uint_eq(askers[i].wrong, 0);
    }
}
END_TEST

/* ---- arguments and errors ----------------------------------------------------------------------
 */

START_TEST(the_table_is_given_once_and_whole)
{
    struct miguard_host_clients table = clients;
    struct miguard_host *bare = NULL;

    ck_assert_int_eq(miguard_host_set_clients(host, &clients, &error), MIGUARD_BAD_STATE);
    ck_assert_int_eq(miguard_host_new(NULL, &bare, &error), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_set_clients(NULL, &clients, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_host_set_clients(bare, NULL, &error), MIGUARD_INVALID_ARGUMENT);
    table.size--;
    ck_assert_int_eq(miguard_host_set_clients(bare, &table, &error), MIGUARD_INVALID_ARGUMENT);
    table = clients;
    table.copy = NULL;
    ck_assert_int_eq(miguard_host_set_clients(bare, &table, &error), MIGUARD_INVALID_ARGUMENT);
    table = clients;
    table.release = NULL;
    ck_assert_int_eq(miguard_host_set_clients(bare, &table, &error), MIGUARD_INVALID_ARGUMENT);
    miguard_host_free(bare);
}
END_TEST

START_TEST(a_session_for_needs_the_table_and_a_client)
{
    struct miguard_target *target = target_of(FIRST);
    struct miguard_host *bare = start(true, NULL);
    MI_Session session = MI_SESSION_NULL;

    ck_assert_int_eq(miguard_host_session_for(bare, target, &session, &error), MIGUARD_BAD_STATE);
    ck_assert_int_eq(miguard_host_session_for(host, NULL, &session, &error),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_host_session_for(NULL, target, &session, &error),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_host_session_for(host, target, NULL, &error),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_ptr_null(session.ft);
    miguard_host_free(bare);
    miguard_target_free(target);
}
END_TEST

static unsigned copies_until_failure;

static enum miguard_status copy_or_fail(const struct miguard_target *target,
                                        struct miguard_target **ret_copy,
                                        struct miguard_error *reterr)
{
    if (copies_until_failure-- == 0) {
        reterr->status = MIGUARD_NO_MEMORY;
        return MIGUARD_NO_MEMORY;
    }
    return miguard_target_copy(target, ret_copy, reterr);
}

START_TEST(a_copy_that_fails_is_reported)
{
    struct miguard_target *target = target_of(FIRST);
    struct miguard_host_clients failing = clients;
    MI_Session session = MI_SESSION_NULL;

    failing.copy = copy_or_fail;
    struct miguard_host *second = start(true, &failing);
    copies_until_failure = 0;
    ck_assert_int_eq(miguard_host_session_for(second, target, &session, &error), MIGUARD_NO_MEMORY);
    copies_until_failure = 1;
    ck_assert_int_eq(miguard_host_session_for(second, target, &session, &error), MIGUARD_OK);
    ck_assert_int_eq(ask(&session, "Ask").status, MIGUARD_NO_MEMORY);
    MI_Session_Close(&session, NULL, NULL);
    miguard_host_free(second);
    miguard_target_free(target);
}
END_TEST

START_TEST(the_host_answers_only_for_its_contexts)
{
    struct miguard_target *target = (struct miguard_target *)(uintptr_t)1;
    MI_Context stranger = {0};

    ck_assert_int_eq(miguard_host_context_client(host, &stranger, NULL, &error),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_host_context_client(host, &stranger, &target, &error),
                     MIGUARD_NOT_SUPPORTED);
    ck_assert_ptr_null(target);
    ck_assert_int_eq(miguard_host_context_client(NULL, NULL, &target, &error),
                     MIGUARD_NOT_SUPPORTED);
    ck_assert_int_eq(miguard_context_client(&stranger, &target, &error), MIGUARD_NOT_SUPPORTED);
}
END_TEST

static bool host_is_refused(void *data)
{
    MI_Session session = MI_SESSION_NULL;

    return miguard_host_session_for(host, data, &session, &error) == MIGUARD_BAD_STATE &&
           miguard_host_set_clients(host, &clients, &error) == MIGUARD_BAD_STATE;
}

START_TEST(a_child_gets_no_session)
{
    struct miguard_target *target = target_of(FIRST);

    ck_assert(raw_in_child(host_is_refused, target));
    miguard_target_free(target);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host client");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_session_has_its_client);
    tcase_add_test(tests, a_session_without_a_client_has_none);
    tcase_add_test(tests, load_has_no_client);
    tcase_add_test(tests, a_context_that_has_ended_has_none);
    tcase_add_test(tests, a_child_has_no_client);
    tcase_add_test(tests, without_a_guard_the_host_answers_for_what_is_alive);
    tcase_add_test(tests, a_source_for_one_server_knows_no_other);
    tcase_add_test(tests, a_provider_that_does_not_switch_asks_as_itself);
    tcase_add_test(tests, a_provider_that_switches_asks_as_its_client);
    tcase_add_test(tests, a_nested_request_of_an_unreadable_thread_is_refused);
    tcase_add_test(tests, a_nested_request_is_made_though_clients_are_not_known);
    tcase_add_test(tests, each_of_many_clients_is_itself);
    tcase_add_test(tests, the_table_is_given_once_and_whole);
    tcase_add_test(tests, a_session_for_needs_the_table_and_a_client);
    tcase_add_test(tests, a_copy_that_fails_is_reported);
    tcase_add_test(tests, the_host_answers_only_for_its_contexts);
    tcase_add_test(tests, a_child_gets_no_session);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    printf("%d passed, %d failed\n", srunner_ntests_run(runner) - failed, failed);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
