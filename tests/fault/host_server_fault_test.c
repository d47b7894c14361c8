/* SPDX-License-Identifier: MIT */
/*
 * The embedded server without memory: each allocation of a round fails in turn. The answer must be
 * a failure or the whole result, and nothing may be left: no block, no operation, no context.
 */
#include "../unit/host_module.h"

#include "base/alloc.h"
#include "host/server/host.h"

#include <check.h>

/* ---- in place of src/base/alloc.c -------------------------------------------------------- */

static atomic_long countdown; /* the allocation that fails; 0 for none */
static atomic_long blocks;

static bool fails(void)
{
    return atomic_load(&countdown) > 0 && atomic_fetch_sub(&countdown, 1) == 1;
}

void *base_alloc(size_t count, size_t size)
{
    void *block = fails() ? NULL : calloc(count, size);
    atomic_fetch_add(&blocks, block != NULL);
    return block;
}

void *base_resize(void *block, size_t count, size_t size)
{
    void *resized = fails() ? NULL : reallocarray(block, count, size);
    atomic_fetch_add(&blocks, resized != NULL && block == NULL);
    return resized;
}

void base_free(void *block)
{
    atomic_fetch_sub(&blocks, block != NULL);
    free(block);
}

/* ---- in place of src/host/server/thread.c -------------------------------------------------------
 */

static int threads_left = -1; /* -1: any number */

bool host_thread(void *(*function)(void *), void *argument)
{
    pthread_t thread;

    if (threads_left == 0) {
        return false;
    }
    threads_left -= threads_left > 0;
    if (pthread_create(&thread, NULL, function, argument) != 0) {
        return false;
    }
    pthread_detach(thread);
    return true;
}

/* ---- rounds ------------------------------------------------------------------------------ */

static char ids[256];

static pthread_mutex_t final_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t final_changed = PTHREAD_COND_INITIALIZER;
static unsigned finals;
static MI_Result final_result;

static void on_instance(MI_Operation *operation, void *context, const MI_Instance *instance,
                        MI_Boolean more, MI_Result result, const MI_Char *message,
                        const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    MI_Value value;
    (void)operation;
    (void)context;
    (void)message;
    (void)details;
    (void)acknowledge;

    pthread_mutex_lock(&final_lock);
    if (instance != NULL &&
        MI_Instance_GetElement(instance, "Id", &value, NULL, NULL, NULL) == MI_RESULT_OK) {
        size_t length = strlen(ids);
        snprintf(ids + length, sizeof(ids) - length, "%s ", value.string);
    }
    if (!more) {
        finals++;
        final_result = result;
    }
    pthread_cond_broadcast(&final_changed);
    pthread_mutex_unlock(&final_lock);
}

static MI_Result await_final(MI_Operation *operation)
{
    pthread_mutex_lock(&final_lock);
    while (finals == 0) {
        pthread_cond_wait(&final_changed, &final_lock);
    }
    ck_assert_uint_eq(finals, 1);
    pthread_mutex_unlock(&final_lock);
    MI_Operation_Close(operation);
    return final_result;
}

static MI_Instance *widget_key, *gadget_key, *any_key, *parameters;
static MI_OperationOptions options;

static MI_Result round_get(void)
{
    MI_Operation operation;
    MI_Session_GetInstance(&session, 0, &options, SPACE, widget_key, NULL, &operation);
    return drain(&operation, ids, sizeof(ids));
}

static MI_Result round_match(void)
{
    MI_Operation operation;
    MI_Session_GetInstance(&session, 0, NULL, SPACE, gadget_key, NULL, &operation);
    return drain(&operation, ids, sizeof(ids));
}

static MI_Result round_dynamic(void)
{
    MI_Operation operation;
    MI_Session_GetInstance(&session, 0, NULL, SPACE, any_key, NULL, &operation);
    return drain(&operation, ids, sizeof(ids));
}

static MI_Result round_enumerate(void)
{
    MI_Operation operation;
    MI_Session_EnumerateInstances(&session,
                                  MI_OPERATIONFLAGS_POLYMORPHISM_DEEP_BASE_PROPS_ONLY |
                                      MI_OPERATIONFLAGS_REPORT_OPERATION_STARTED,
                                  NULL, SPACE, "T_Widget", MI_FALSE, NULL, &operation);
    return drain(&operation, ids, sizeof(ids));
}

static MI_Result round_texts(void)
{
    MI_Operation operation;
    MI_Session_EnumerateInstances(&session, MI_OPERATIONFLAGS_NO_RTTI, NULL, SPACE, "T_Widget",
                                  MI_FALSE, NULL, &operation);
    return drain(&operation, ids, sizeof(ids));
}

static MI_Result round_async(void)
{
    MI_OperationCallbacks callbacks = {.instanceResult = on_instance};
    MI_Operation operation;
    finals = 0;
    MI_Session_EnumerateInstances(&session, 0, NULL, SPACE, "T_Base", MI_TRUE, &callbacks,
                                  &operation);
    return await_final(&operation);
}

static MI_Result round_query(void)
{
    MI_Operation operation;
    MI_Session_QueryInstances(&session, 0, NULL, SPACE, "WQL",
                              "SELECT Count, Id FROM T_Widget WHERE Id LIKE 'w%' OR Count = '2'",
                              NULL, &operation);
    return drain(&operation, ids, sizeof(ids));
}

static MI_Result associate(bool references)
{
    MI_Operation operation;

    if (references) {
        MI_Session_ReferenceInstances(&session, 0, NULL, SPACE, widget_key, "T_Link", "End",
                                      MI_TRUE, NULL, &operation);
    } else {
        MI_Session_AssociatorInstances(&session, 0, NULL, SPACE, widget_key, "T_Link", "T_Widget",
                                       "End", "Other", MI_TRUE, NULL, &operation);
    }
    return drain(&operation, ids, sizeof(ids));
}

static MI_Result round_associators(void)
{
    return associate(false);
}

static MI_Result round_references(void)
{
    return associate(true);
}

static MI_Result round_classes(void)
{
    const MI_Class *class_item = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Operation operation;
    MI_Result result = MI_RESULT_OK;

    for (int names_only = 0; names_only < 2 && result == MI_RESULT_OK; names_only++) {
        MI_Session_EnumerateClasses(&session, 0, NULL, SPACE, NULL, names_only != 0, NULL,
                                    &operation);
        more = MI_TRUE;
        while (more) {
            ck_assert_int_eq(
                MI_Operation_GetClass(&operation, &class_item, &more, &result, NULL, NULL),
                MI_RESULT_OK);
        }
        ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    }
    ids[0] = '\0';
    return result;
}

static MI_Result round_create(void)
{
    MI_Operation operation;
    MI_Session_CreateInstance(&session, 0, NULL, SPACE, widget_key, NULL, &operation);
    return drain(&operation, ids, sizeof(ids));
}

/* Posts what takes no memory, and says that all went well whatever came of it. */
static void create_carelessly(MI_Context *context, const struct widget *widget)
{
    struct widget bare;
    (void)widget;
    memset(&bare, 0, sizeof(bare));
    bare.instance.classDecl = &widget_decl;
    bare.Id.value = "abc";
    bare.Id.exists = MI_TRUE;
    MI_Context_PostInstance(context, &bare.instance);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_Result round_create_careless(void)
{
    hooks.create = create_carelessly;
    return round_create();
}

static MI_Result round_modify(void)
{
    MI_Operation operation;
    MI_Session_ModifyInstance(&session, 0, NULL, SPACE, widget_key, NULL, &operation);
    return drain(&operation, ids, sizeof(ids));
}

static MI_Result round_invoke(void)
{
    const MI_Instance *out = NULL;
    MI_Boolean more;
    MI_Result result;
    MI_Operation operation;

    MI_Session_Invoke(&session, 0, NULL, SPACE, "T_Widget", "Add", widget_key, parameters, NULL,
                      &operation);
    ck_assert_int_eq(MI_Operation_GetInstance(&operation, &out, &more, &result, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert(more || result != MI_RESULT_OK || number(out, "ReturnValue") == 5);
    return MI_Operation_Close(&operation) == MI_RESULT_OK ? result : (MI_Result)-1;
}

static MI_Result round_class(void)
{
    const MI_Class *class_item = NULL;
    MI_Boolean more;
    MI_Result result;
    MI_Operation operation;

    MI_Session_GetClass(&session, 0, NULL, SPACE, "T_Gadget", NULL, &operation);
    ck_assert_int_eq(MI_Operation_GetClass(&operation, &class_item, &more, &result, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert(result != MI_RESULT_OK || class_item != NULL);
    return MI_Operation_Close(&operation) == MI_RESULT_OK ? result : (MI_Result)-1;
}

static void on_message(MI_Operation *operation, void *context, MI_Uint32 channel,
                       const MI_Char *message)
{
    (void)operation;
    (void)context;
    (void)channel;
    (void)message;
}

static void on_error(MI_Operation *operation, void *context, MI_Instance *error,
                     MI_Result (*answer)(MI_Operation *, MI_OperationCallback_ResponseType))
{
    (void)operation;
    (void)context;
    (void)error;
    (void)answer;
}

/* Ignores every failure, as careless providers do. */
static void touch_carelessly(MI_Context *context, const struct widget *widget)
{
    MI_Session local;
    MI_Boolean flag;
    MI_Operation operation = MI_OPERATION_NULL;
    char nested[64];

    MI_Context_GetLocalSession(context, &local);
    MI_Session_GetInstance(&local, 0, NULL, SPACE, &widget->instance, NULL, &operation);
    (void)drain(&operation, nested, sizeof(nested));
    MI_Context_WriteWarning(context, "careful");
    MI_Context_WriteError(context, 5, MI_RESULT_TYPE_MI, "careful", &flag);
    MI_Context_ShouldProcess(context, "a", "b", &flag);
    MI_Context_PostInstance(context, parameters);
    MI_Context_PostError(context, 6, MI_RESULT_TYPE_MI, "missing");
}

static MI_Result round_careless(void)
{
    MI_OperationCallbacks callbacks = {.writeMessage = on_message, .writeError = on_error};
    MI_Operation operation;
    MI_Session_Invoke(&session, 0, NULL, SPACE, "T_Widget", "Touch", widget_key, NULL, &callbacks,
                      &operation);
    MI_Result result = drain(&operation, ids, sizeof(ids));
    return result == MI_RESULT_NOT_FOUND ? MI_RESULT_OK : result;
}

/* Lifecycle indications (PostCreate, PostModify, PostDelete, PostMethodCall): what was posted with
 * success is fetched, in its order, before a failure is. */
static MI_LifecycleIndicationContext *of_widget;

static void load_reports(void **self, MI_Context *context)
{
    MI_Result result = MI_Context_GetLifecycleIndicationContext(context, &of_widget);

    (void)self;
    if (result == MI_RESULT_OK) {
        result =
            MI_LifecycleIndicationContext_SetSupportedTypes(of_widget, MI_LIFECYCLE_INDICATION_ALL);
    }
    MI_Context_PostResult(context, result);
}

static MI_Result post_change(unsigned kind)
{
    switch (kind) {
    case 0:
        return MI_LifecycleIndicationContext_PostCreate(of_widget, widget_key);
    case 1:
        return MI_LifecycleIndicationContext_PostModify(of_widget, widget_key, widget_key);
    case 2:
        return MI_LifecycleIndicationContext_PostDelete(of_widget, widget_key);
    default:
        return MI_LifecycleIndicationContext_PostMethodCall_After(of_widget, widget_key, "Touch",
                                                                  parameters, "7");
    }
}

/* The classes of what comes, up to the end or to `count`. */
static MI_Result fetch_changes(MI_Operation *operation, unsigned count)
{
    const MI_Instance *instance = NULL;
    const MI_Char *name = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    while (more && count > 0) {
        if (MI_Operation_GetIndication(operation, &instance, NULL, NULL, &more, &result, NULL,
                                       NULL) != MI_RESULT_OK) {
            return MI_RESULT_INVALID_PARAMETER;
        }
        if (instance != NULL && MI_Instance_GetClassName(instance, &name) == MI_RESULT_OK) {
            size_t length = strlen(ids);
            snprintf(ids + length, sizeof(ids) - length, "%s ", name + strlen("CIM_Inst"));
            count--;
        }
    }
    return result;
}

/* Until the client is served: then the provider learns that somebody wants changes. */
static bool is_wanted(MI_Operation *operation)
{
    struct operation *subscription = operation_acquire(operation);
    MI_Uint32 types = 0;
    bool over = subscription == NULL;

    for (int i = 0; i < 2000 && types == 0 && !over; i++) {
        nap(1);
        pthread_mutex_lock(&subscription->lock);
        over = subscription->finished;
        pthread_mutex_unlock(&subscription->lock);
        if (!over && (of_widget == NULL ||
                      MI_LifecycleIndicationContext_GetTypes(of_widget, &types) != MI_RESULT_OK)) {
            types = 0;
        }
    }
    if (subscription != NULL) {
        operation_release(subscription);
    }
    return types != 0;
}

static MI_Result round_lifecycle(void)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Result result = MI_RESULT_OK;
    unsigned posted = 0;

    MI_Session_Subscribe(&session, 0, NULL, SPACE, "WQL", "SELECT * FROM CIM_InstIndication", NULL,
                         NULL, &operation);
    if (!is_wanted(&operation)) {
        result = fetch_changes(&operation, UINT32_MAX);
        MI_Operation_Close(&operation);
        return result;
    }
    for (unsigned kind = 0; kind < 4 && result == MI_RESULT_OK; kind++) {
        result = post_change(kind);
        posted += result == MI_RESULT_OK;
    }
    MI_Result fetched = fetch_changes(&operation, posted);
    MI_Operation_Close(&operation);
    return result == MI_RESULT_OK ? fetched : result;
}

static const struct {
    const char *title;
    MI_Result (*run)(void);
    const char *ids; /* of a success */
} rounds[] = {
    {"get", round_get, "abc "},
    {"get by enumeration", round_match, "g2 "},
    {"get, dynamic", round_dynamic, "any "},
    {"enumerate", round_enumerate, "w1 w2 g1 g2 "},
    {"enumerate without types", round_texts, "w1 w2 g1 g2 "},
    {"enumerate, async", round_async, "w1 w2 g1 g2 "},
    {"query", round_query, "w1 w2 g2 "},
    {"associators", round_associators, "abc "},
    {"references", round_references, ""},
    {"classes", round_classes, ""},
    {"create", round_create, "abc "},
    {"create, careless", round_create_careless, "abc "},
    {"modify", round_modify, ""},
    {"invoke", round_invoke, ""},
    {"get class", round_class, ""},
    {"careless provider", round_careless, ""},
    {"lifecycle", round_lifecycle, "Creation Modification Deletion MethodCall "},
};

/* A lifecycle context lasts as long as its provider is loaded. */
static uint32_t standing(void)
{
    pthread_mutex_lock(&host->lock);
    uint64_t count = host->standing_references;
    pthread_mutex_unlock(&host->lock);
    return (uint32_t)count;
}

/* An async operation is let go of by its own thread. */
static void settle(void)
{
    for (int i = 0; i < 2000 && operation_in_use() + context_in_use() > standing(); i++) {
        nap(1);
    }
    ck_assert_uint_eq(operation_in_use(), 0);
    ck_assert_uint_eq(context_in_use(), standing());
    ck_assert_uint_eq(session_in_use(), 1);
}

static void setup(void)
{
    MI_Value value;

    atomic_store(&countdown, 0);
    ck_assert(start_host());
    hooks.touch = touch_carelessly;
    widget_key = key("T_Widget", "abc");
    gadget_key = key("T_Gadget", "g2");
    any_key = key("D_Any", "any");
    ck_assert_int_eq(MI_Application_NewInstance(&application, "Parameters", NULL, &parameters),
                     MI_RESULT_OK);
    value.uint32 = 2;
    MI_Instance_AddElement(parameters, "A", &value, MI_UINT32, 0);
    value.uint32 = 3;
    MI_Instance_AddElement(parameters, "B", &value, MI_UINT32, 0);
    ck_assert_int_eq(MI_Application_NewOperationOptions(&application, MI_FALSE, &options),
                     MI_RESULT_OK);
    MI_OperationOptions_SetString(&options, "Colour", "green", 0);
}

static void setup_round(int i)
{
    setup();
    of_widget = NULL;
    hooks.load = rounds[i].run == round_lifecycle ? load_reports : NULL;
}

static void teardown(void)
{
    MI_OperationOptions_Delete(&options);
    MI_Instance_Delete(widget_key);
    MI_Instance_Delete(gadget_key);
    MI_Instance_Delete(any_key);
    MI_Instance_Delete(parameters);
    stop_host();
}

static void expect_failure_or_all(size_t i, MI_Result result, long at)
{
    ck_assert_msg(result == MI_RESULT_OK || result == MI_RESULT_SERVER_LIMITS_EXCEEDED ||
                      result == MI_RESULT_FAILED,
                  "%s, allocation %ld: %d", rounds[i].title, at, (int)result);
    ck_assert_msg(result != MI_RESULT_OK || strcmp(ids, rounds[i].ids) == 0,
                  "%s, allocation %ld: %s", rounds[i].title, at, ids);
}

/* The first requests of a process, when nothing has been set up yet. */
START_TEST(test_cold)
{
    bool failed = true;

    setup_round(_i);
    for (long at = 1; failed; at++) {
        atomic_store(&countdown, at);
        ids[0] = '\0';
        MI_Result result = rounds[_i].run();
        failed = atomic_exchange(&countdown, 0) == 0;
        expect_failure_or_all((size_t)_i, result, at);
        settle();
    }
    teardown();
}
END_TEST

/* With every pool at its full size, so that each block that is left is a leak. */
START_TEST(test_warm)
{
    bool failed = true;

    setup_round(_i);
    for (int i = 0; i < 700; i++) {
        ck_assert_int_eq(round_careless(), MI_RESULT_OK);
        ck_assert_int_eq(round_get(), MI_RESULT_OK);
    }
    settle();
    long before = atomic_load(&blocks);
    for (long at = 1; failed; at++) {
        atomic_store(&countdown, at);
        ids[0] = '\0';
        MI_Result result = rounds[_i].run();
        failed = atomic_exchange(&countdown, 0) == 0;
        expect_failure_or_all((size_t)_i, result, at);
        settle();
        ck_assert_msg(atomic_load(&blocks) == before, "%s, allocation %ld: %ld blocks left",
                      rounds[_i].title, at, atomic_load(&blocks) - before);
        ck_assert(at == 1 || !failed || at < 1000);
    }
    ck_assert_int_eq(rounds[_i].run(), MI_RESULT_OK);
    teardown();
}
END_TEST

START_TEST(test_host)
{
    struct miguard_host *own = NULL;
    bool failed = true;

    atomic_store(&countdown, 0);
    ck_assert(start_host());
    ck_assert_int_eq(miguard_host_session(host, &session, NULL), MIGUARD_OK);
    stop_host();
    long before = atomic_load(&blocks);
    for (long at = 1; failed; at++) {
        MI_Session other;
        atomic_store(&countdown, at);
        enum miguard_status status = miguard_host_new(NULL, &own, NULL);
        if (status == MIGUARD_OK) {
            status = miguard_host_add(own, test_main, SPACE, NULL);
            if (status == MIGUARD_OK) {
                status = miguard_host_session(own, &other, NULL);
            }
            miguard_host_free(own);
        }
        failed = atomic_exchange(&countdown, 0) == 0;
        ck_assert_int_eq(status, failed ? MIGUARD_NO_MEMORY : MIGUARD_OK);
        ck_assert_int_eq(atomic_load(&blocks), before);
    }
}
END_TEST

/* ---- without threads --------------------------------------------------------------------- */

static pthread_t callback_thread;

static void on_refused(MI_Operation *operation, void *context, const MI_Instance *instance,
                       MI_Boolean more, MI_Result result, const MI_Char *message,
                       const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    callback_thread = pthread_self();
    on_instance(operation, context, instance, more, result, message, details, acknowledge);
}

/* async, with a time-out, threads that can be had. */
static const struct {
    bool async, timeout;
    int threads;
} scarce[] = {{true, false, 0}, {false, true, 0}, {true, true, 0}, {true, true, 1}};

START_TEST(test_no_thread)
{
    MI_OperationCallbacks callbacks = {.instanceResult = on_refused};
    MI_Interval interval = {.minutes = 5};
    const MI_Instance *instance = NULL;
    MI_Boolean more;
    MI_Result result;
    MI_Operation operation;

    setup();
    finals = 0;
    if (scarce[_i].timeout) {
        MI_OperationOptions_SetTimeout(&options, &interval);
    }
    threads_left = scarce[_i].threads;
    MI_Session_GetInstance(&session, 0, &options, SPACE, widget_key,
                           scarce[_i].async ? &callbacks : NULL, &operation);
    threads_left = -1;
    ck_assert_int_eq(MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_int_eq(result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_eq(finals, scarce[_i].async);
    if (scarce[_i].async) {
        ck_assert_int_eq(final_result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        ck_assert(pthread_equal(callback_thread, pthread_self()));
    }
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_uint_eq(miguard_host_provider_calls(host), 0);
    settle();
    teardown();
}
END_TEST

static unsigned closed;

static void on_closed(void *data)
{
    (void)data;
    closed++;
}

static MI_Context *kept;

static void get_keeps(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    kept = context;
}

START_TEST(test_close_without_thread)
{
    MI_Operation operation;

    setup();
    closed = 0;
    hooks.get = get_keeps;
    MI_Session_GetInstance(&session, 0, NULL, SPACE, widget_key, NULL, &operation);
    threads_left = 0;
    ck_assert_int_eq(MI_Session_Close(&session, NULL, on_closed), MI_RESULT_OK);
    threads_left = -1;
    ck_assert_uint_eq(closed, 1);
    ck_assert_int_eq(MI_Context_PostResult(kept, MI_RESULT_OK), MI_RESULT_OK);
    ck_assert_uint_eq(operation_in_use(), 0);
    teardown();
    ck_assert_uint_eq(closed, 1);
}
END_TEST

/* ---- a host that is left to its provider --------------------------------------------------- */

static atomic_bool may_return;

static void enumerate_stays(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only)
{
    (void)set;
    (void)keys_only;
    while (!atomic_load(&may_return)) {
        nap(1);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* The second time, when the pools are full, every block of the host is freed by the provider's
 * thread. */
START_TEST(test_left_host)
{
    long before = 0;

    for (int round = 0; round < 2; round++) {
        MI_Operation operation;

        before = atomic_load(&blocks);
        atomic_store(&may_return, false);
        ck_assert(start_host_with(20));
        hooks.enumerate = enumerate_stays;
        MI_Session_EnumerateInstances(&session, MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, NULL, SPACE,
                                      "T_Widget", MI_FALSE, NULL, &operation);
        while (miguard_host_provider_calls(host) == 0) {
            nap(1);
        }
        stop_host();
        ck_assert_int_gt(atomic_load(&blocks), before);
        atomic_store(&may_return, true);
        for (int i = 0; i < 2000 && session_in_use() > 0; i++) {
            nap(1);
        }
        nap(20); /* the last line of its thread */
    }
    ck_assert_int_eq(atomic_load(&blocks), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host server without memory");
    TCase *tests = tcase_create("fault");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_cold, 0, COUNT(rounds));
    tcase_add_loop_test(tests, test_warm, 0, COUNT(rounds));
    tcase_add_test(tests, test_host);
    tcase_add_loop_test(tests, test_no_thread, 0, COUNT(scarce));
    tcase_add_test(tests, test_close_without_thread);
    tcase_add_test(tests, test_left_host);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
