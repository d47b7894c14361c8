/* SPDX-License-Identifier: MIT */
/*
 * What the embedded server does as the other public CIM server does: the same provider modules were
 * loaded in both, and each difference that was found is a row here.
 */
#include "../unit/host_module.h"

#include <check.h>

#include "host/object/object.h"
#include "host/server/host.h"

#include "../unit/host_decls.h"

static char ids[256];

/* ---- classes without functions ----------------------------------------------------------- */

static const struct {
    const char *class_name;
    const char *id; /* NULL: an instance without keys */
    MI_Result result;
} gets[] = {
    {"T_Bare", "x", MI_RESULT_INVALID_CLASS},       {"T_Bare", NULL, MI_RESULT_INVALID_CLASS},
    {"t_bARE", NULL, MI_RESULT_INVALID_CLASS},      {"T_Hollow", NULL, MI_RESULT_INVALID_CLASS},
    {"T_Widget", NULL, MI_RESULT_NO_SUCH_PROPERTY}, {"T_Gadget", "none", MI_RESULT_NOT_FOUND},
};

START_TEST(test_get_without_functions)
{
    ck_assert(start_host());
    ck_assert_int_eq(get(&session, gets[_i].class_name, gets[_i].id, ids, sizeof(ids)),
                     gets[_i].result);
    stop_host();
}
END_TEST

/* ---- defaults ---------------------------------------------------------------------------- */

/* What a provider constructs and leaves alone is NULL; what a client creates has the defaults. */
START_TEST(test_defaults)
{
    struct test_thing thing;
    MI_Instance *made = NULL, *received = NULL;
    const struct test_thing *fields;
    MI_Value id = {.string = (MI_Char *)(uintptr_t) "k"};

    memset(&thing, 0xA5, sizeof(thing));
    ck_assert_int_eq(instance_construct(&test_thing_decl, &thing.instance), MI_RESULT_OK);
    ck_assert_uint_eq(thing.Number.exists, MI_FALSE);
    ck_assert_uint_eq(thing.Text.exists, MI_FALSE);
    ck_assert_int_eq(MI_Instance_Destruct(&thing.instance), MI_RESULT_OK);

    ck_assert_int_eq(instance_new(&test_thing_decl, &made), MI_RESULT_OK);
    fields = (const struct test_thing *)(const void *)made;
    ck_assert_uint_eq(fields->Number.exists, MI_FALSE);
    instance_delete(made);

    ck_assert_int_eq(instance_new_dynamic("Test_Thing", 0, &made), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_AddElement(made, "Id", &id, MI_STRING, MI_FLAG_KEY), MI_RESULT_OK);
    ck_assert_int_eq(instance_convert_to(made, &test_thing_decl, NULL, &received), MI_RESULT_OK);
    fields = (const struct test_thing *)(const void *)received;
    ck_assert_uint_eq(fields->Number.value, 7);
    ck_assert_str_eq(fields->Text.value, "plain");
    instance_delete(received);
    instance_delete(made);
}
END_TEST

/* ---- order of a deep enumeration --------------------------------------------------------- */

/* The schema lists derived classes first, as one in alphabetical order may. */
static MI_Module *main_backwards(MI_Server *server)
{
    static const MI_ClassDecl *const backwards[] = {
        &idea_decl, &gadget_decl, &bare_decl, &widget_decl, &base_decl, &hollow_decl, &link_decl};
    MI_Module *module = test_main(server);

    test_schema.classDecls = backwards;
    return module;
}

static const struct {
    MI_MainFunction main_function;
    const char *class_name, *ids;
} orders[] = {
    {test_main, "T_Base", "w1 w2 g1 g2 "},
    {main_backwards, "T_Base", "w1 w2 g1 g2 "},
    {main_backwards, "T_Widget", "w1 w2 g1 g2 "},
    {main_backwards, "T_Gadget", "g1 g2 "},
};

START_TEST(test_base_class_first)
{
    MI_Operation operation = MI_OPERATION_NULL;
    struct miguard_host_options no_options = {0};
    struct miguard_host *own = NULL;

    memset(&hooks, 0, sizeof(hooks));
    ck_assert_int_eq(miguard_host_new(&no_options, &own, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_add(own, orders[_i].main_function, NULL, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_session(own, &session, NULL), MIGUARD_OK);
    MI_Session_EnumerateInstances(&session, 0, NULL, SPACE, orders[_i].class_name, MI_FALSE, NULL,
                                  &operation);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_str_eq(ids, orders[_i].ids);
    miguard_host_free(own);
}
END_TEST

/* ---- callbacks of an asynchronous operation ---------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned calls, items;
    bool final;
    MI_Result result;
    bool item_with_final;
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void note_call(bool item, MI_Boolean more, MI_Result result)
{
    pthread_mutex_lock(&heard.lock);
    heard.calls++;
    heard.items += item;
    if (!more) {
        heard.final = true;
        heard.result = result;
        heard.item_with_final = item;
    }
    pthread_cond_signal(&heard.changed);
    pthread_mutex_unlock(&heard.lock);
}

static void MI_CALL on_instance(MI_Operation *operation, void *context, const MI_Instance *instance,
                                MI_Boolean more, MI_Result result, const MI_Char *message,
                                const MI_Instance *details,
                                MI_Result (*acknowledge)(MI_Operation *))
{
    (void)context;
    (void)message;
    (void)details;
    if (acknowledge != NULL) {
        acknowledge(operation);
    }
    note_call(instance != NULL, more, result);
}

static void MI_CALL on_class(MI_Operation *operation, void *context, const MI_Class *class_item,
                             MI_Boolean more, MI_Result result, const MI_Char *message,
                             const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    (void)operation;
    (void)context;
    (void)message;
    (void)details;
    (void)acknowledge;
    note_call(class_item != NULL, more, result);
}

enum way {
    WAY_GET,
    WAY_GET_TWICE,
    WAY_GET_ERROR,
    WAY_CREATE,
    WAY_DELETE,
    WAY_INVOKE,
    WAY_CLASS,
    WAY_ENUMERATE
};

static const struct {
    enum way way;
    MI_Uint32 flags;
    MI_Result result;
    unsigned calls, items;
    bool item_with_final;
} ways[] = {
    {WAY_GET, 0, MI_RESULT_OK, 1, 1, true},
    {WAY_GET, MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS, MI_RESULT_OK, 1, 1, true},
    {WAY_GET, MI_OPERATIONFLAGS_REPORT_OPERATION_STARTED, MI_RESULT_OK, 2, 1, true},
    {WAY_GET_TWICE, 0, MI_RESULT_OK, 2, 2, true},
    {WAY_GET_ERROR, 0, MI_RESULT_ACCESS_DENIED, 2, 1, false},
    {WAY_CREATE, 0, MI_RESULT_OK, 1, 1, true},
    {WAY_DELETE, 0, MI_RESULT_OK, 1, 0, false},
    {WAY_INVOKE, 0, MI_RESULT_OK, 1, 1, true},
    {WAY_CLASS, 0, MI_RESULT_OK, 1, 1, true},
    {WAY_ENUMERATE, 0, MI_RESULT_OK, 5, 4, false},
};

static void get_twice(MI_Context *context, const struct widget *wanted)
{
    (void)wanted;
    post_widget(context, &widget_decl, "a", 1);
    post_widget(context, &widget_decl, "b", 1);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void get_error(MI_Context *context, const struct widget *wanted)
{
    (void)wanted;
    post_widget(context, &widget_decl, "a", 1);
    MI_Context_PostResult(context, MI_RESULT_ACCESS_DENIED);
}

static void start_way(int row, MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    MI_Uint32 flags = ways[row].flags;
    MI_Instance *instance = key("T_Widget", "abc");

    hooks.get = ways[row].way == WAY_GET_TWICE   ? get_twice
                : ways[row].way == WAY_GET_ERROR ? get_error
                                                 : NULL;
    switch (ways[row].way) {
    case WAY_CREATE:
        MI_Session_CreateInstance(&session, flags, NULL, SPACE, instance, callbacks, operation);
        break;
    case WAY_DELETE:
        MI_Session_DeleteInstance(&session, flags, NULL, SPACE, instance, callbacks, operation);
        break;
    case WAY_INVOKE:
        MI_Session_Invoke(&session, flags, NULL, SPACE, "T_Widget", "Add", NULL, NULL, callbacks,
                          operation);
        break;
    case WAY_CLASS:
        MI_Session_GetClass(&session, flags, NULL, SPACE, "T_Widget", callbacks, operation);
        break;
    case WAY_ENUMERATE:
        MI_Session_EnumerateInstances(&session, flags, NULL, SPACE, "T_Widget", MI_FALSE, callbacks,
                                      operation);
        break;
    default:
        MI_Session_GetInstance(&session, flags, NULL, SPACE, instance, callbacks, operation);
        break;
    }
    MI_Instance_Delete(instance);
}

START_TEST(test_callbacks)
{
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    MI_Operation operation = MI_OPERATION_NULL;

    callbacks.instanceResult = on_instance;
    callbacks.classResult = on_class;
    heard.calls = heard.items = 0;
    heard.final = heard.item_with_final = false;
    ck_assert(start_host());
    start_way(_i, &callbacks, &operation);
    pthread_mutex_lock(&heard.lock);
    while (!heard.final) {
        pthread_cond_wait(&heard.changed, &heard.lock);
    }
    ck_assert_uint_eq(heard.calls, ways[_i].calls);
    ck_assert_uint_eq(heard.items, ways[_i].items);
    ck_assert_int_eq(heard.result, ways[_i].result);
    ck_assert(heard.item_with_final == ways[_i].item_with_final);
    pthread_mutex_unlock(&heard.lock);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    stop_host();
}
END_TEST

/* ---- datetimes --------------------------------------------------------------------------- */

#define MOMENT(...)                                                                                \
    {                                                                                              \
        1,                                                                                         \
        {                                                                                          \
            .timestamp = { __VA_ARGS__ }                                                           \
        }                                                                                          \
    }
#define SPAN(...)                                                                                  \
    {                                                                                              \
        0,                                                                                         \
        {                                                                                          \
            .interval = { __VA_ARGS__ }                                                            \
        }                                                                                          \
    }

static const struct {
    MI_Datetime value;
    bool possible;
} datetimes[] = {
    {MOMENT(2026, 11, 22, 9, 15, 0, 0, 0), true},
    {MOMENT(2024, 2, 29, 23, 59, 59, 999999, -720), true},
    {MOMENT(0, 1, 1, 0, 0, 0, 0, 0), true},
    {MOMENT(9999, 12, 31, 0, 0, 0, 0, 999), true},
    {SPAN(0), true},
    {SPAN(99999999, 23, 59, 59, 999999), true},
    {MOMENT(2026, 2, 29, 0, 0, 0, 0, 0), false},
    {MOMENT(2026, 0, 1, 0, 0, 0, 0, 0), false},
    {MOMENT(2026, 13, 1, 0, 0, 0, 0, 0), false},
    {MOMENT(2026, 1, 0, 0, 0, 0, 0, 0), false},
    {MOMENT(2026, 1, 1, 24, 0, 0, 0, 0), false},
    {MOMENT(2026, 1, 1, 0, 60, 0, 0, 0), false},
    {MOMENT(2026, 1, 1, 0, 0, 60, 0, 0), false},
    {MOMENT(2026, 1, 1, 0, 0, 0, 1000000, 0), false},
    {MOMENT(2026, 1, 1, 0, 0, 0, 0, 1000), false},
    {MOMENT(2026, 1, 1, 0, 0, 0, 0, -1000), false},
    {MOMENT(10000, 1, 1, 0, 0, 0, 0, 0), false},
    {SPAN(100000000), false},
    {SPAN(0, 24), false},
    {SPAN(0, 0, 60), false},
    {SPAN(0, 0, 0, 60), false},
    {SPAN(0, 0, 0, 0, 1000000), false},
};

START_TEST(test_datetimes)
{
    MI_Instance *dynamic = NULL, *fixed = NULL;
    MI_Datetime list[2] = {datetimes[0].value, datetimes[_i].value};
    MI_Value value = {.datetime = datetimes[_i].value};
    MI_Value array = {.datetimea = {list, 2}};
    MI_Result wanted = datetimes[_i].possible ? MI_RESULT_OK : MI_RESULT_INVALID_PARAMETER;
    MI_Uint32 count = 0;

    ck_assert_int_eq(instance_new_dynamic("D", 0, &dynamic), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_AddElement(dynamic, "When", &value, MI_DATETIME, 0), wanted);
    ck_assert_int_eq(MI_Instance_AddElement(dynamic, "All", &array, MI_DATETIMEA, 0), wanted);
    ck_assert_int_eq(MI_Instance_AddElement(dynamic, "Lent", &array, MI_DATETIMEA, MI_FLAG_BORROW),
                     wanted);
    MI_Instance_GetElementCount(dynamic, &count);
    ck_assert_uint_eq(count, datetimes[_i].possible ? 3 : 0);
    instance_delete(dynamic);

    ck_assert_int_eq(instance_new(&test_thing_decl, &fixed), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetElement(fixed, "When", &value, MI_DATETIME, 0), wanted);
    ck_assert_int_eq(MI_Instance_SetElementAt(fixed, WHEN, &value, MI_DATETIME, 0), wanted);
    ck_assert_int_eq(MI_Instance_SetElementAt(fixed, WHEN, &value, MI_DATETIME, MI_FLAG_NULL),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetElement(fixed, "Ratio", &value, MI_DATETIME, 0),
                     MI_RESULT_TYPE_MISMATCH);
    instance_delete(fixed);
}
END_TEST

/* ---- options ----------------------------------------------------------------------------- */

#define CHANNEL "__MI_OPERATIONOPTIONS_CHANNEL"

/* A sequence of channels: positive enables, negative disables; numbers begin at 1 here. */
static const struct {
    int calls[6];
    MI_Uint32 enabled[6];
    MI_Uint32 count;
} channel_rows[] = {
    {{0}, {1, 2, 3}, 3},
    {{-1}, {2, 3}, 2},
    {{-1, 1}, {2, 3, 1}, 3},
    {{-2, 4}, {1, 3, 4}, 3},
    {{1, 2, 3}, {1, 2, 3}, 3},
    {{-1, -2, -3}, {0}, 0},
    {{-1, -2, -3, 3, 2}, {3, 2}, 2},
    {{9, 8, 7}, {1, 2, 3, 9, 8, 7}, 6},
    {{-9}, {1, 2, 3}, 3},
};

static void check_channels(const MI_OperationOptions *options, int row)
{
    MI_Uint32 list[8] = {0}, count = 0, flags = 9;
    const MI_Char *name = NULL;
    MI_Value value;
    MI_Type type;

    ck_assert_int_eq(MI_OperationOptions_GetEnabledChannels(options, list, 8, &count, &flags),
                     MI_RESULT_OK);
    ck_assert_uint_eq(count, channel_rows[row].count);
    ck_assert_uint_eq(flags, 0);
    for (MI_Uint32 i = 0; i < count; i++) {
        ck_assert_uint_eq(list[i] + 1, channel_rows[row].enabled[i]);
    }
    ck_assert_int_eq(MI_OperationOptions_GetOptionCount(options, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(MI_OperationOptions_GetOptionAt(options, 0, &name, &value, &type, NULL),
                     MI_RESULT_OK);
    ck_assert_str_eq(name, CHANNEL);
    ck_assert_int_eq(type, MI_UINT32A);
    ck_assert_uint_eq(value.uint32a.size, channel_rows[row].count);
}

START_TEST(test_channels)
{
    MI_OperationOptions options, clone;
    const MI_Char *text = NULL;
    MI_Uint32 number = 0, index = 9;

    ck_assert_int_eq(operation_options_new(MI_FALSE, &options), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_SetString(&options, "a", "x", 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_SetNumber(&options, "b", 5, 0), MI_RESULT_OK);
    for (size_t i = 0; i < 6 && channel_rows[_i].calls[i] != 0; i++) {
        int channel = channel_rows[_i].calls[i];
        MI_Result result =
            channel > 0 ? MI_OperationOptions_EnableChannel(&options, (MI_Uint32)channel - 1)
                        : MI_OperationOptions_DisableChannel(&options, (MI_Uint32)-channel - 1);
        ck_assert_int_eq(result, MI_RESULT_OK);
    }
    check_channels(&options, _i);
    ck_assert_int_eq(MI_OperationOptions_Clone(&options, &clone), MI_RESULT_OK);
    MI_OperationOptions_Delete(&options);
    check_channels(&clone, _i);
    ck_assert_int_eq(MI_OperationOptions_GetString(&clone, "a", &text, &index, NULL), MI_RESULT_OK);
    ck_assert_uint_eq(index, 1);
    ck_assert_int_eq(MI_OperationOptions_GetNumber(&clone, "b", &number, &index, NULL),
                     MI_RESULT_OK);
    ck_assert_uint_eq(index, 2);
    /* What the clone is set to stays its own. */
    ck_assert_int_eq(MI_OperationOptions_EnableChannel(&clone, 77), MI_RESULT_OK);
    MI_OperationOptions_Delete(&clone);
}
END_TEST

/* Every row is refused. */
START_TEST(test_option_arguments)
{
    MI_OperationOptions options;
    const MI_Char *name = NULL;
    MI_Uint32 list[1], count = 0;
    MI_Value value;
    MI_Type type;

    ck_assert_int_eq(operation_options_new(MI_FALSE, &options), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_SetNumber(&options, "b", 5, 0), MI_RESULT_OK);
    const MI_OperationOptionsFT *ft = options.ft;
    const struct {
        MI_Result result, wanted;
    } rows[] = {
        {ft->GetOptionAt(&options, 2, &name, &value, &type, NULL), MI_RESULT_INVALID_PARAMETER},
        {ft->GetOptionAt(&options, 256, &name, &value, &type, NULL), MI_RESULT_INVALID_PARAMETER},
        {ft->GetOptionAt(&options, 1, &name, &value, NULL, NULL), MI_RESULT_INVALID_PARAMETER},
        {ft->GetOptionAt(&options, 1, &name, NULL, &type, NULL), MI_RESULT_INVALID_PARAMETER},
        {ft->GetOptionAt(&options, 1, NULL, &value, &type, NULL), MI_RESULT_INVALID_PARAMETER},
        {ft->GetOption(&options, "b", &value, NULL, NULL, NULL), MI_RESULT_INVALID_PARAMETER},
        {ft->GetOption(&options, "c", &value, &type, NULL, NULL), MI_RESULT_NO_SUCH_PROPERTY},
        {ft->GetNumber(&options, CHANNEL, &count, NULL, NULL), MI_RESULT_TYPE_MISMATCH},
        {ft->SetNumber(&options, CHANNEL, 1, 2), MI_RESULT_INVALID_PARAMETER},
        {ft->SetString(&options, CHANNEL, "1", 0), MI_RESULT_TYPE_MISMATCH},
        {ft->GetEnabledChannels(&options, "b", list, 1, &count, NULL), MI_RESULT_TYPE_MISMATCH},
        {ft->GetEnabledChannels(&options, "c", list, 1, &count, NULL), MI_RESULT_OK},
        {ft->GetEnabledChannels(&options, CHANNEL, list, 1, &count, NULL), MI_RESULT_FAILED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        ck_assert_msg(rows[i].result == rows[i].wanted, "row %zu: %d", i, (int)rows[i].result);
    }
    MI_OperationOptions_Delete(&options);
}
END_TEST

/* A clone has the same options at the same places, and is independent from then on. The open peer
 * counts one more in options of a destination: what its own configuration file adds. */
START_TEST(test_clones)
{
    const MI_Interval minute = {.minutes = 1};
    MI_DestinationOptions destination, destination_clone;
    MI_SubscriptionDeliveryOptions delivery, delivery_clone;
    MI_Interval interval = {0};
    const MI_Char *text = NULL;
    MI_Uint32 count = 9, index = 9;

    ck_assert_int_eq(destination_options_new(&destination), MI_RESULT_OK);
    ck_assert_int_eq(MI_DestinationOptions_GetOptionCount(&destination, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(MI_DestinationOptions_SetTimeout(&destination, &minute), MI_RESULT_OK);
    ck_assert_int_eq(MI_DestinationOptions_SetString(&destination, CHANNEL, "x"), MI_RESULT_OK);
    ck_assert_int_eq(MI_DestinationOptions_Clone(&destination, &destination_clone), MI_RESULT_OK);
    ck_assert_int_eq(MI_DestinationOptions_SetString(&destination, CHANNEL, "y"), MI_RESULT_OK);
    MI_DestinationOptions_Delete(&destination);
    ck_assert_int_eq(MI_DestinationOptions_GetOptionCount(&destination_clone, &count),
                     MI_RESULT_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(MI_DestinationOptions_GetTimeout(&destination_clone, &interval), MI_RESULT_OK);
    ck_assert_uint_eq(interval.minutes, 1);
    ck_assert_int_eq(MI_DestinationOptions_GetString(&destination_clone, CHANNEL, &text, &index),
                     MI_RESULT_OK);
    ck_assert_str_eq(text, "x");
    ck_assert_uint_eq(index, 1);
    MI_DestinationOptions_Delete(&destination_clone);

    ck_assert_int_eq(delivery_options_new(MI_SubscriptionDeliveryType_Pull, &delivery),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_SetBookmark(&delivery, "b"), MI_RESULT_OK);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_Clone(&delivery, &delivery_clone),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_SetBookmark(&delivery, "c"), MI_RESULT_OK);
    MI_SubscriptionDeliveryOptions_Delete(&delivery);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_GetBookmark(&delivery_clone, &text),
                     MI_RESULT_OK);
    ck_assert_str_eq(text, "b");
    MI_SubscriptionDeliveryOptions_Delete(&delivery_clone);
}
END_TEST

START_TEST(test_application_close)
{
    MI_Application own, copy;

    ck_assert_int_eq(MI_Application_Initialize(0, NULL, NULL, &own), MI_RESULT_OK);
    copy = own;
    ck_assert_int_eq(MI_Application_Close(&own), MI_RESULT_OK);
    ck_assert_ptr_null(own.ft);
    ck_assert_int_eq(MI_Application_Close(&own), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Application_Close(&copy), MI_RESULT_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host beside its peer");
    TCase *tests = tcase_create("peer");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_get_without_functions, 0, (int)COUNT(gets));
    tcase_add_test(tests, test_defaults);
    tcase_add_loop_test(tests, test_base_class_first, 0, (int)COUNT(orders));
    tcase_add_loop_test(tests, test_callbacks, 0, (int)COUNT(ways));
    tcase_add_loop_test(tests, test_datetimes, 0, (int)COUNT(datetimes));
    tcase_add_loop_test(tests, test_channels, 0, (int)COUNT(channel_rows));
    tcase_add_test(tests, test_option_arguments);
    tcase_add_test(tests, test_clones);
    tcase_add_test(tests, test_application_close);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
