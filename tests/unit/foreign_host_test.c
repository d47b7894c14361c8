/* SPDX-License-Identifier: MIT */
/* The foreign host of the tests does what its header says: each way in which it differs from ours,
 * with a module that no guard has touched. */
#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/hosts.h"
#include "support/raw.h"

enum { OTHER = 54321 };

/* ---- a module ------------------------------------------------------------------------------- */

/* "Front" does what a test says; everything else answers with one instance, and enumerations with
 * three. */
static void (*front)(MI_Context *context);
static bool is_silent; /* "Back" does not answer, and keeps its context */
static MI_Context *_Atomic silent_context;

static MI_Result post(MI_Context *context, const char *class_name, const char *id)
{
    MI_Instance *instance = NULL;
    MI_Value value;

    value.string = (MI_Char *)(uintptr_t)id;
    MI_Context_NewDynamicInstance(context, class_name, 0, &instance);
    MI_Instance_AddElement(instance, "Id", &value, MI_STRING, MI_FLAG_KEY);
    MI_Result result = MI_Context_PostInstance(context, instance);
    MI_Instance_Delete(instance);
    return result;
}

static void MI_CALL get(void *self, MI_Context *context, const MI_Char *space, const MI_Char *name,
                        const MI_Instance *key, const MI_PropertySet *set)
{
    (void)self, (void)space, (void)key, (void)set;
    if (strcmp(name, "Front") == 0) {
        front(context);
    } else if (is_silent) {
        atomic_store(&silent_context, context);
    } else {
        post(context, name, "one");
        MI_Context_PostResult(context, MI_RESULT_OK);
    }
}

static void MI_CALL enumerate(void *self, MI_Context *context, const MI_Char *space,
                              const MI_Char *name, const MI_PropertySet *set, MI_Boolean keys_only,
                              const MI_Filter *filter)
{
    (void)self, (void)space, (void)set, (void)keys_only, (void)filter;
    post(context, name, "one");
    post(context, name, "two");
    post(context, name, "three");
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_ProviderFT provider = {.GetInstance = get, .EnumerateInstances = enumerate};
static MI_Module module = {
    .version = MI_VERSION, .charSize = sizeof(MI_Char), .dynamicProviderFT = &provider};

static MI_Module *MI_CALL module_main(MI_Server *server)
{
    (void)server;
    return &module;
}

static MI_Module *MI_CALL picky_main(MI_Server *server)
{
    return server != NULL ? &module : NULL;
}

static const struct hosted_module modules[] = {{.main_function = module_main, .agent = 1}};
static const struct ask ask_front = {
    .verb = ASK_GET, .class_name = "Front", .names = {"Id"}, .values = {"x"}};

static struct running_host host;

static void start_host(void)
{
    front = NULL;
    is_silent = false;
    ck_assert(host_kinds[HOST_FOREIGN].start(&host, modules, 1, NULL));
}

static void stop_host(void)
{
    host_kinds[HOST_FOREIGN].stop(&host);
}

static const struct foreign_counts *counts(void)
{
    return foreign_host_counts(host.foreign);
}

/* ---- a client -------------------------------------------------------------------------------- */

START_TEST(test_both_hosts_answer_alike)
{
    static const struct ask asks[] = {
        {.verb = ASK_GET, .class_name = "Back", .names = {"Id"}, .values = {"x"}},
        {.verb = ASK_ENUMERATE, .class_name = "Back"},
        {.verb = ASK_ENUMERATE, .class_name = "Back", .asynchronous = true},
        {.verb = ASK_TEST}};
    char text[HOSTS][4096];

    for (int kind = 0; kind < HOSTS; kind++) {
        ck_assert(host_kinds[kind].start(&host, modules, 1, NULL));
        ck_assert_int_eq(hosts_ask(&host, &asks[_i], text[kind], sizeof(text[kind])), MI_RESULT_OK);
        ck_assert_uint_eq(host_kinds[kind].provider_calls(&host), _i < 3);
        host_kinds[kind].stop(&host);
    }
    ck_assert_str_eq(text[HOST_EMBEDDED], text[HOST_FOREIGN]);
    ck_assert(_i == 3 || strstr(text[HOST_FOREIGN], "Id (13, 1004) 'one'") != NULL);
}
END_TEST

START_TEST(test_registration)
{
    struct foreign_options_of_host older = {.version = 0x00010000};
    char why[256] = "";
    struct foreign_host *strict = foreign_host_new(&older);

    ck_assert(!foreign_host_add(strict, picky_main, 0, why));
    ck_assert_str_eq(why, "MI_Main returned NULL");
    ck_assert(!foreign_host_add(strict, module_main, 0, why));
    ck_assert_str_eq(why, "provider version newer than server");
    ck_assert(!foreign_host_open(strict, "/nonexistent.so", 0, why));
    ck_assert_ptr_nonnull(strstr(why, "nonexistent"));
    foreign_host_free(strict);
}
END_TEST

/* ---- a provider's nested requests ------------------------------------------------------------ */

static MI_Session session;

static MI_Instance *name_of_back(void)
{
    MI_Application application;
    MI_Instance *name = NULL;

    MI_Session_GetApplication(&session, &application);
    MI_Application_NewInstance(&application, "Back", NULL, &name);
    return name;
}

/* Starts a request for Back on the session. */
static MI_Operation begin(void)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *name = name_of_back();

    MI_Session_GetInstance(&session, 0, NULL, HOSTS_SPACE, name, NULL, &operation);
    MI_Instance_Delete(name);
    return operation;
}

static MI_Result read_one(MI_Operation *operation)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;
    MI_Result answer = MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL);

    ck_assert(!more);
    return answer != MI_RESULT_OK ? answer : result;
}

static void take_session(void *context)
{
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &session), MI_RESULT_OK);
}

/* On the I/O thread of the agent that serves both: the peer never answers. */
static void nested_on_own_thread(MI_Context *context)
{
    take_session(context);
    MI_Operation operation = begin();
    ck_assert_int_eq(read_one(&operation), MI_RESULT_FAILED);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

START_TEST(test_a_wait_on_its_own_thread_is_a_deadlock)
{
    start_host();
    front = nested_on_own_thread;
    ck_assert_int_eq(hosts_ask(&host, &ask_front, NULL, 0), MI_RESULT_OK);
    ck_assert_uint_eq(counts()->deadlocks, 1);
    stop_host();
}
END_TEST

static MI_Context *kept_context;

static void *answer_later(void *data)
{
    (void)data;
    take_session(kept_context);
    MI_Operation operation = begin();
    ck_assert_int_eq(read_one(&operation), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_INVALID_PARAMETER);
    MI_Context_PostResult(kept_context, MI_RESULT_OK);
    return NULL;
}

static void answer_on_a_thread(MI_Context *context)
{
    pthread_t thread;

    kept_context = context;
    ck_assert_int_eq(pthread_create(&thread, NULL, answer_later, NULL), 0);
    pthread_detach(thread);
}

START_TEST(test_a_thread_of_its_own_is_served)
{
    start_host();
    front = answer_on_a_thread;
    ck_assert_int_eq(hosts_ask(&host, &ask_front, NULL, 0), MI_RESULT_OK);
    ck_assert_int_eq(counts()->open_operations, 0);
    ck_assert_uint_eq(counts()->session[2], 1);
    ck_assert_uint_eq(counts()->deadlocks, 0);
    ck_assert_ptr_null(foreign_host_died(host.foreign));
    stop_host();
}
END_TEST

static void only_take_session(MI_Context *context)
{
    take_session(context);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void with_session(void)
{
    start_host();
    front = only_take_session;
    ck_assert_int_eq(hosts_ask(&host, &ask_front, NULL, 0), MI_RESULT_OK);
}

static void as_another(void *data)
{
    MI_Result *result = data;

    if (raw_become(OTHER, OTHER)) {
        MI_Operation operation = begin();
        *result = read_one(&operation);
    }
}

/* The first owner has it for life; what it closes is closed for all. */
START_TEST(test_one_session_by_its_real_ids)
{
    MI_Result result = MI_RESULT_FAILED;

    if (geteuid() != 0) {
        return;
    }
    with_session();
    raw_on_thread(as_another, &result);
    ck_assert_int_eq(result, MI_RESULT_ACCESS_DENIED);
    ck_assert_uint_eq(counts()->refused, 1);
    ck_assert_int_eq(MI_Session_Close(&session, NULL, NULL), MI_RESULT_OK);
    ck_assert_int_eq(hosts_ask(&host, &ask_front, NULL, 0), MI_RESULT_OK);
    MI_Operation operation = begin();
    ck_assert_int_eq(read_one(&operation), MI_RESULT_INVALID_PARAMETER);
    stop_host();
}
END_TEST

/* ---- the ends of operations ------------------------------------------------------------------ */

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");

    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

START_TEST(test_what_is_not_closed_holds_a_descriptor)
{
    with_session();
    unsigned before = descriptors();
    MI_Operation operation = begin();
    ck_assert_uint_eq(descriptors(), before + 1);
    ck_assert_int_eq(read_one(&operation), MI_RESULT_OK);
    ck_assert_int_eq(read_one(&operation), MI_RESULT_OK);
    MI_Operation_Close(&operation);
    ck_assert_uint_eq(descriptors(), before);
    stop_host();
}
END_TEST

START_TEST(test_close_waits_for_the_reader)
{
    with_session();
    MI_Operation operation = begin();
    for (int i = 0; i < 1000 && counts()->final_posts < 2; i++) {
        usleep(1000);
    }
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_FAILED);
    ck_assert_uint_eq(counts()->stuck_closes, 1);
    ck_assert_int_eq(read_one(&operation), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_ptr_null(foreign_host_died(host.foreign));
    stop_host();
}
END_TEST

/* Of a start that is too young, by Cancel and by Close. */
START_TEST(test_an_early_cancel_kills)
{
    MI_Session client;

    with_session();
    client = session;
    is_silent = true;
    MI_Operation operation = begin();
    (void)(_i == 0 ? MI_Operation_Cancel(&operation, MI_REASON_NONE)
                   : MI_Operation_Close(&operation));
    ck_assert_str_eq(foreign_host_died(host.foreign), "a Cancel before the first result");
    ck_assert_uint_eq(counts()->early_cancels, 1);
    session = client;
    operation = begin();
    ck_assert_int_eq(read_one(&operation), MI_RESULT_FAILED);
    while (atomic_load(&silent_context) == NULL) {
        usleep(1000);
    }
    MI_Context_PostResult(atomic_load(&silent_context), MI_RESULT_OK); /* frees it */
    stop_host();
}
END_TEST

START_TEST(test_a_cancel_after_a_result_is_well)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;

    with_session();
    MI_Session_EnumerateInstances(&session, 0, NULL, HOSTS_SPACE, "Back", MI_FALSE, NULL,
                                  &operation);
    MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    ck_assert(more && instance != NULL);
    ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_NONE), MI_RESULT_OK);
    while (more) {
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    }
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_uint_eq(counts()->early_cancels, 0);
    ck_assert_ptr_null(foreign_host_died(host.foreign));
    stop_host();
}
END_TEST

START_TEST(test_idle_unload)
{
    with_session();
    ck_assert_uint_eq(counts()->loads, 2);
    foreign_host_idle(host.foreign);
    ck_assert_uint_eq(counts()->unloads, 2);
    ck_assert_int_eq(hosts_ask(&host, &ask_front, NULL, 0), MI_RESULT_OK);
    ck_assert_uint_eq(counts()->loads, 4);
    stop_host();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("foreign_host");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 20);
    tcase_add_loop_test(tests, test_both_hosts_answer_alike, 0, 4);
    tcase_add_test(tests, test_registration);
    tcase_add_test(tests, test_a_wait_on_its_own_thread_is_a_deadlock);
    tcase_add_test(tests, test_a_thread_of_its_own_is_served);
    tcase_add_test(tests, test_one_session_by_its_real_ids);
    tcase_add_test(tests, test_what_is_not_closed_holds_a_descriptor);
    tcase_add_test(tests, test_close_waits_for_the_reader);
    tcase_add_loop_test(tests, test_an_early_cancel_kills, 0, 2);
    tcase_add_test(tests, test_a_cancel_after_a_result_is_well);
    tcase_add_test(tests, test_idle_unload);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
