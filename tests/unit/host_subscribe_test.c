/* SPDX-License-Identifier: MIT */
/*
 * Subscriptions of the embedded server (reference D.5): when providers are enabled and disabled,
 * which client gets which indication, and how a subscription ends.
 */
#include "host_module.h"

#include <check.h>

#include "host/server/host.h"

/* ---- the provider ---------------------------------------------------------------------------- */

struct alert {
    MI_Instance instance;
    MI_ConstUint32Field Level;
};

static MI_PropertyDecl level_decl = {.flags = MI_FLAG_PROPERTY,
                                     .code = 'l' << 16 | 'l' << 8 | 5,
                                     .name = "Level",
                                     .type = MI_UINT32,
                                     .offset = offsetof(struct alert, Level),
                                     .origin = "T_Alert",
                                     .propagator = "T_Alert"};
static const MI_PropertyDecl *const alert_properties[] = {&level_decl};
static MI_SchemaDecl alert_schema;
static MI_ClassDecl alert_decl, plain_decl, silent_decl;
static const MI_ClassDecl *const alert_classes[] = {&alert_decl, &plain_decl, &silent_decl};

static _Atomic(MI_Context *) enabled_on;
static atomic_int enabled, subscribed, inside_wrong;
static MI_Result enable_answer, subscribe_answer, nested_post;
static char seen_bookmark[64];
static MI_Uint64 seen_id;

static MI_Result post_alert(MI_Context *context, MI_Uint32 level, const char *bookmark)
{
    struct alert alert;

    memset(&alert, 0, sizeof(alert));
    alert.instance.classDecl = &alert_decl;
    alert.Level.value = level;
    alert.Level.exists = MI_TRUE;
    return MI_Context_PostIndication(context, &alert.instance, 0, bookmark);
}

static void alert_enable(void *self, MI_Context *context, const MI_Char *name_space,
                         const MI_Char *class_name)
{
    (void)self, (void)name_space, (void)class_name;
    note("enable");
    atomic_fetch_add(&inside_wrong, atomic_fetch_add(&enabled, 1) != 0);
    if (enable_answer != MI_RESULT_OK) {
        atomic_fetch_sub(&enabled, 1);
        MI_Context_PostResult(context, enable_answer);
        return;
    }
    atomic_store(&enabled_on, context);
}

static void alert_disable(void *self, MI_Context *context, const MI_Char *name_space,
                          const MI_Char *class_name)
{
    (void)self, (void)name_space, (void)class_name;
    note("disable");
    atomic_fetch_add(&inside_wrong, atomic_load(&subscribed) != 0);
    atomic_fetch_sub(&enabled, 1);
    atomic_store(&enabled_on, NULL);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void alert_subscribe(void *self, MI_Context *context, const MI_Char *name_space,
                            const MI_Char *class_name, const MI_Filter *filter,
                            const MI_Char *bookmark, MI_Uint64 id, void **subscription_self)
{
    (void)self, (void)name_space, (void)class_name;
    note("subscribe");
    atomic_fetch_add(&inside_wrong, atomic_load(&enabled) != 1 || filter != NULL);
    *subscription_self = &alert_decl;
    MI_Result post = post_alert(context, 1, NULL);
    pthread_mutex_lock(&trace_lock);
    snprintf(seen_bookmark, sizeof(seen_bookmark), "%s", bookmark == NULL ? "none" : bookmark);
    seen_id = id;
    nested_post = post;
    pthread_mutex_unlock(&trace_lock);
    atomic_fetch_add(&subscribed, subscribe_answer == MI_RESULT_OK);
    MI_Context_PostResult(context, subscribe_answer);
}

static void alert_unsubscribe(void *self, MI_Context *context, const MI_Char *name_space,
                              const MI_Char *class_name, MI_Uint64 id, void *subscription_self)
{
    (void)self, (void)name_space, (void)class_name, (void)id;
    note("unsubscribe");
    atomic_fetch_sub(&subscribed, 1);
    atomic_fetch_add(&inside_wrong, subscription_self != &alert_decl);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static const MI_ProviderFT alert_ft = {.EnableIndications = alert_enable,
                                       .DisableIndications = alert_disable,
                                       .Subscribe = alert_subscribe,
                                       .Unsubscribe = alert_unsubscribe};
static const MI_ProviderFT silent_ft;

static MI_Module *alert_main(MI_Server *server)
{
    static MI_Module module;
    (void)server;

    declare(&alert_decl, "T_Alert", MI_FLAG_INDICATION, NULL, alert_properties, 1,
            sizeof(struct alert), &alert_ft);
    declare(&plain_decl, "T_Plain", 0, NULL, alert_properties, 1, sizeof(struct alert), &alert_ft);
    declare(&silent_decl, "T_Silent", MI_FLAG_INDICATION, NULL, alert_properties, 1,
            sizeof(struct alert), &silent_ft);
    alert_schema =
        (MI_SchemaDecl){.classDecls = alert_classes, .numClassDecls = COUNT(alert_classes)};
    module = (MI_Module){
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &alert_schema};
    return &module;
}

static void set_up(void)
{
    ck_assert(start_host());
    ck_assert_int_eq(miguard_host_add(host, alert_main, SPACE, NULL), MIGUARD_OK);
    enable_answer = subscribe_answer = MI_RESULT_OK;
    atomic_store(&enabled_on, NULL);
    trace[0] = '\0';
}

static MI_Context *await_enabled(int subscriptions)
{
    for (int i = 0; i < 60000 &&
                    (atomic_load(&enabled_on) == NULL || atomic_load(&subscribed) < subscriptions);
         i++) {
        nap(1);
    }
    ck_assert_ptr_nonnull(atomic_load(&enabled_on));
    return atomic_load(&enabled_on);
}

static void expect_trace(const char *expected)
{
    for (int i = 0; i < 60000 && operation_in_use() > 0; i++) {
        nap(1);
    }
    ck_assert_uint_eq(operation_in_use(), 0);
    pthread_mutex_lock(&trace_lock);
    ck_assert_str_eq(trace, expected);
    pthread_mutex_unlock(&trace_lock);
    ck_assert_int_eq(atomic_load(&inside_wrong), 0);
}

/* ---- the client ------------------------------------------------------------------------------ */

static MI_Operation start_query(const char *query, MI_OperationCallbacks *callbacks)
{
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_Subscribe(&session, 0, NULL, SPACE, "WQL", query, NULL, callbacks, &operation);
    return operation;
}

/* The level of the next indication, 0 for the end. */
static MI_Uint32 fetch(MI_Operation *operation, MI_Result *result, char *bookmark)
{
    const MI_Instance *instance = NULL;
    const MI_Char *mark = NULL;
    MI_Boolean more = MI_FALSE;

    ck_assert_int_eq(
        MI_Operation_GetIndication(operation, &instance, &mark, NULL, &more, result, NULL, NULL),
        MI_RESULT_OK);
    ck_assert(instance != NULL || !more);
    snprintf(bookmark, 32, "%s", mark == NULL ? "none" : mark);
    return instance == NULL ? 0 : number(instance, "Level");
}

START_TEST(test_fetch)
{
    MI_Result result = MI_RESULT_OK;
    char bookmark[32];

    set_up();
    MI_Operation operation = start_query("SELECT * FROM T_Alert WHERE Level > 5", NULL);
    MI_Context *context = await_enabled(1);
    ck_assert_int_eq(nested_post, MI_RESULT_NOT_SUPPORTED); /* not on the context of Subscribe */
    for (MI_Uint32 level = 4; level < 8; level++) {
        ck_assert_int_eq(post_alert(context, level, level == 7 ? "seven" : NULL), MI_RESULT_OK);
    }
    ck_assert_int_eq(MI_Context_PostIndication(context, NULL, 0, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(fetch(&operation, &result, bookmark), 6);
    ck_assert_str_eq(bookmark, "none");
    ck_assert_uint_eq(fetch(&operation, &result, bookmark), 7);
    ck_assert_str_eq(bookmark, "seven");
    if (_i == 0) {
        ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_NONE), MI_RESULT_OK);
        ck_assert_uint_eq(fetch(&operation, &result, bookmark), 0);
        ck_assert_int_eq(result, MI_RESULT_FAILED);
        ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    } else if (_i == 1) {
        ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    } else {
        ck_assert_int_eq(MI_Session_Close(&session, NULL, NULL), MI_RESULT_OK);
    }
    expect_trace("enable subscribe unsubscribe disable ");
    ck_assert_int_eq(post_alert(context, 9, NULL), MI_RESULT_INVALID_PARAMETER);
    stop_host();
}
END_TEST

/* A client that wants strings alone gets its indications so. */
START_TEST(test_without_types)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;

    set_up();
    MI_Session_Subscribe(&session, MI_OPERATIONFLAGS_NO_RTTI, NULL, SPACE, "WQL",
                         "SELECT * FROM T_Alert WHERE Level > 5", NULL, NULL, &operation);
    ck_assert_int_eq(post_alert(await_enabled(1), 6, "b"), MI_RESULT_OK);
    ck_assert_int_eq(
        MI_Operation_GetIndication(&operation, &instance, NULL, NULL, &more, &result, NULL, NULL),
        MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_GetElement(instance, "Level", &value, &type, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_int_eq(type, MI_STRING);
    ck_assert_str_eq(value.string, "6");
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    stop_host();
}
END_TEST

static atomic_uint indications, finals, sum;
static atomic_int final_result;

static void on_indication(MI_Operation *operation, void *context, const MI_Instance *instance,
                          const MI_Char *bookmark, const MI_Char *machine, MI_Boolean more,
                          MI_Result result, const MI_Char *message, const MI_Instance *details,
                          MI_Result (*acknowledge)(MI_Operation *))
{
    (void)operation, (void)context, (void)machine, (void)message, (void)details, (void)acknowledge;
    if (instance != NULL) {
        atomic_fetch_add(&sum, number(instance, "Level"));
        atomic_fetch_add(&indications, bookmark != NULL && strcmp(bookmark, "b") == 0);
    }
    if (!more) {
        atomic_store(&final_result, (int)result);
        atomic_fetch_add(&finals, 1);
    }
}

static MI_OperationCallbacks callbacks = {.indicationResult = on_indication};

static void await_count(atomic_uint *count, unsigned wanted)
{
    for (int i = 0; i < 60000 && atomic_load(count) < wanted; i++) {
        nap(1);
    }
    ck_assert_uint_eq(atomic_load(count), wanted);
}

START_TEST(test_called_back)
{
    set_up();
    MI_Operation operation = start_query("SELECT * FROM T_Alert", &callbacks);
    MI_Context *context = await_enabled(1);
    for (MI_Uint32 level = 1; level <= 10; level++) {
        ck_assert_int_eq(post_alert(context, level, "b"), MI_RESULT_OK);
    }
    await_count(&indications, 10);
    ck_assert_uint_eq(atomic_load(&sum), 55);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    await_count(&finals, 1);
    expect_trace("enable subscribe unsubscribe disable ");
    stop_host();
}
END_TEST

/* Enabled for the first, disabled after the last, and again. */
START_TEST(test_two_clients)
{
    MI_Result result = MI_RESULT_OK;
    char bookmark[32];

    set_up();
    MI_Operation low = start_query("SELECT * FROM T_Alert WHERE Level < 5", NULL);
    MI_Context *context = await_enabled(1);
    MI_Operation high = start_query("SELECT * FROM T_Alert WHERE Level >= 5", NULL);
    ck_assert_ptr_eq(await_enabled(2), context);
    post_alert(context, 9, NULL);
    post_alert(context, 2, NULL);
    ck_assert_uint_eq(fetch(&low, &result, bookmark), 2);
    ck_assert_uint_eq(fetch(&high, &result, bookmark), 9);
    MI_Operation_Close(&low);
    for (int i = 0; i < 60000 && operation_in_use() > 1; i++) {
        nap(1);
    }
    post_alert(context, 8, NULL);
    ck_assert_uint_eq(fetch(&high, &result, bookmark), 8);
    MI_Operation_Close(&high);
    expect_trace("enable subscribe subscribe unsubscribe unsubscribe disable ");
    low = start_query("SELECT * FROM T_Alert", NULL);
    await_enabled(1);
    MI_Operation_Close(&low);
    expect_trace("enable subscribe subscribe unsubscribe unsubscribe disable "
                 "enable subscribe unsubscribe disable ");
    stop_host();
}
END_TEST

/* ---- refusals and ends ----------------------------------------------------------------------- */

static const struct {
    const char *dialect, *query;
    MI_Result result;
} refusals[] = {
    {"WQL", "SELECT * FROM T_Alert WHERE", MI_RESULT_INVALID_QUERY},
    {"WQL", "SELECT * FROM T_Alert WHERE Height = 1", MI_RESULT_INVALID_QUERY},
    {"SQL", "SELECT * FROM T_Alert", MI_RESULT_QUERY_LANGUAGE_NOT_SUPPORTED},
    {"WQL", "SELECT * FROM T_Plain", MI_RESULT_INVALID_QUERY},
    {"WQL", "SELECT * FROM T_Silent", MI_RESULT_NOT_SUPPORTED},
    {"WQL", "SELECT * FROM T_Unheard_Of", MI_RESULT_NOT_SUPPORTED}, /* the dynamic provider's */
    {NULL, "SELECT * FROM T_Alert", MI_RESULT_INVALID_PARAMETER},
    {"WQL", NULL, MI_RESULT_INVALID_PARAMETER},
};

START_TEST(test_refused)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Result result = MI_RESULT_OK;
    char bookmark[32];

    set_up();
    MI_Session_Subscribe(&session, 0, NULL, SPACE, refusals[_i].dialect, refusals[_i].query, NULL,
                         NULL, &operation);
    ck_assert_uint_eq(fetch(&operation, &result, bookmark), 0);
    ck_assert_int_eq(result, refusals[_i].result);
    MI_Operation_Close(&operation);
    expect_trace("");
    stop_host();
}
END_TEST

START_TEST(test_provider_refuses)
{
    MI_Result result = MI_RESULT_OK;
    char bookmark[32];

    set_up();
    enable_answer = _i == 0 ? MI_RESULT_ACCESS_DENIED : MI_RESULT_OK;
    subscribe_answer = MI_RESULT_ACCESS_DENIED;
    MI_Operation operation = start_query("SELECT * FROM T_Alert", NULL);
    ck_assert_uint_eq(fetch(&operation, &result, bookmark), 0);
    ck_assert_int_eq(result, MI_RESULT_ACCESS_DENIED);
    MI_Operation_Close(&operation);
    expect_trace(_i == 0 ? "enable " : "enable subscribe disable ");
    stop_host();
}
END_TEST

/* A final result on the context of EnableIndications ends every subscription of the class. */
START_TEST(test_provider_ends)
{
    MI_Result result = MI_RESULT_OK;
    char bookmark[32];

    set_up();
    MI_Operation operation = start_query("SELECT * FROM T_Alert", NULL);
    MI_Context *context = await_enabled(1);
    post_alert(context, 3, NULL);
    ck_assert_int_eq(MI_Context_PostError(context, MI_RESULT_NOT_FOUND, MI_RESULT_TYPE_MI, "gone"),
                     MI_RESULT_OK);
    atomic_store(&enabled, 0);
    ck_assert_int_eq(post_alert(context, 4, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(fetch(&operation, &result, bookmark), 3);
    ck_assert_uint_eq(fetch(&operation, &result, bookmark), 0);
    ck_assert_int_eq(result, MI_RESULT_NOT_FOUND);
    MI_Operation_Close(&operation);
    expect_trace("enable subscribe unsubscribe ");
    operation = start_query("SELECT * FROM T_Alert", NULL);
    await_enabled(1);
    MI_Operation_Close(&operation);
    expect_trace("enable subscribe unsubscribe enable subscribe unsubscribe disable ");
    stop_host();
}
END_TEST

/* It never makes its provider wait, and learns that it has missed something. */
START_TEST(test_slow_client)
{
    MI_Result result = MI_RESULT_OK;
    char bookmark[32];
    unsigned count = 0;

    set_up();
    MI_Operation slow = start_query("SELECT * FROM T_Alert", NULL);
    MI_Context *context = await_enabled(1);
    unsigned posts = 0;
    while (posts < 1000000 && post_alert(context, 1, NULL) == MI_RESULT_OK) {
        posts++; /* until it was the last one, and indications are disabled */
    }
    ck_assert_uint_ge(posts, 4096);
    while (fetch(&slow, &result, bookmark) != 0) {
        count++;
    }
    ck_assert_int_eq(result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_eq(count, 4096);
    MI_Operation_Close(&slow);
    expect_trace("enable subscribe unsubscribe disable ");
    stop_host();
}
END_TEST

static const struct {
    MI_SubscriptionDeliveryType type;
    const char *bookmark;
    MI_Result result;
} deliveries[] = {
    {MI_SubscriptionDeliveryType_Pull, NULL, MI_RESULT_OK},
    {MI_SubscriptionDeliveryType_Pull, "here", MI_RESULT_OK},
    {MI_SubscriptionDeliveryType_Push, NULL, MI_RESULT_NOT_SUPPORTED},
};

START_TEST(test_delivery)
{
    MI_SubscriptionDeliveryOptions options;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Result result = MI_RESULT_OK;
    char bookmark[32];

    set_up();
    ck_assert_int_eq(
        MI_Application_NewSubscriptionDeliveryOptions(&application, deliveries[_i].type, &options),
        MI_RESULT_OK);
    if (deliveries[_i].bookmark != NULL) {
        MI_SubscriptionDeliveryOptions_SetBookmark(&options, deliveries[_i].bookmark);
    }
    MI_Session_Subscribe(&session, 0, NULL, SPACE, "WQL", "SELECT * FROM T_Alert", &options, NULL,
                         &operation);
    MI_SubscriptionDeliveryOptions_Delete(&options);
    if (deliveries[_i].result != MI_RESULT_OK) {
        ck_assert_uint_eq(fetch(&operation, &result, bookmark), 0);
        ck_assert_int_eq(result, deliveries[_i].result);
    } else {
        await_enabled(1);
        ck_assert_str_eq(seen_bookmark,
                         deliveries[_i].bookmark == NULL ? "none" : deliveries[_i].bookmark);
        ck_assert_uint_ne(seen_id, 0);
    }
    MI_Operation_Close(&operation);
    expect_trace(deliveries[_i].result == MI_RESULT_OK ? "enable subscribe unsubscribe disable "
                                                       : "");
    stop_host();
}
END_TEST

/* ---- many at a time -------------------------------------------------------------------------- */

enum { CLIENTS = 6 };

static atomic_bool over;
static atomic_uint rounds;

static void *post_always(void *unused)
{
    (void)unused;
    while (!atomic_load(&over)) {
        MI_Context *context = atomic_load(&enabled_on);
        if (context == NULL || post_alert(context, 7, "b") != MI_RESULT_OK) {
            nap(1);
        }
    }
    return NULL;
}

static void *come_and_go(void *number_of)
{
    bool called_back = (uintptr_t)number_of % 2 != 0;
    unsigned least = getenv("QUICK") != NULL ? 10 : 100;
    MI_Result result = MI_RESULT_OK;
    char bookmark[32];

    for (unsigned i = 0; i < least; i++) {
        MI_Operation operation =
            start_query("SELECT * FROM T_Alert", called_back ? &callbacks : NULL);
        if (!called_back) {
            (void)fetch(&operation, &result, bookmark);
        } else {
            nap(i % 3);
        }
        ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
        atomic_fetch_add(&rounds, 1);
    }
    return NULL;
}

START_TEST(test_storm)
{
    pthread_t clients[CLIENTS], posters[2];

    set_up();
    for (int i = 0; i < 2; i++) {
        pthread_create(&posters[i], NULL, post_always, NULL);
    }
    for (uintptr_t i = 0; i < CLIENTS; i++) {
        pthread_create(&clients[i], NULL, come_and_go, (void *)i);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i], NULL);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(posters[i], NULL);
    }
    for (int i = 0; i < 60000 && operation_in_use() > 0; i++) {
        nap(1);
    }
    ck_assert_uint_eq(operation_in_use(), 0);
    ck_assert_int_eq(atomic_load(&inside_wrong), 0);
    ck_assert_int_eq(atomic_load(&enabled), 0);
    ck_assert_int_eq(atomic_load(&subscribed), 0);
    stop_host();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host subscribe");
    TCase *tests = tcase_create("subscribe");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_fetch, 0, 3);
    tcase_add_test(tests, test_without_types);
    tcase_add_test(tests, test_called_back);
    tcase_add_test(tests, test_two_clients);
    tcase_add_loop_test(tests, test_refused, 0, COUNT(refusals));
    tcase_add_loop_test(tests, test_provider_refuses, 0, 2);
    tcase_add_test(tests, test_provider_ends);
    tcase_add_test(tests, test_slow_client);
    tcase_add_loop_test(tests, test_delivery, 0, COUNT(deliveries));
    tcase_add_test(tests, test_storm);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
