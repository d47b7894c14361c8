/* SPDX-License-Identifier: MIT */
/*
 * What the functions of MI.h do by themselves: on a NULL handle or table, and in those that are
 * more than a call through a slot. That every plain one reaches its own slot with its own arguments
 * is tested by the program that tests/table/mi_abi.awk makes.
 */
#include <MI.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Memory that nobody has written to, told apart from zeroed memory. */
#define UNTOUCHED 0xA5

static int all_bytes(const void *memory, size_t size, unsigned char value)
{
    const unsigned char *bytes = memory;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value) {
            return 0;
        }
    }
    return 1;
}

/* The call, made on a handle of that kind, refuses a NULL one and one without a table. */
#define REFUSED(KIND, CALL)                                                                        \
    do {                                                                                           \
        KIND no_table_in_it;                                                                       \
        KIND *const none[] = {NULL, &no_table_in_it};                                              \
                                                                                                   \
        memset(&no_table_in_it, 0, sizeof(no_table_in_it));                                        \
        for (size_t n = 0; n < MI_COUNT(none); n++) {                                              \
            KIND *handle = none[n];                                                                \
            ck_assert_msg((CALL) == MI_RESULT_INVALID_PARAMETER, "%s", #CALL);                     \
        }                                                                                          \
    } while (0)

/* ---- Starters on no session ------------------------------------------------------------------ */

enum result_kind { RESULT_INSTANCE, RESULT_INDICATION, RESULT_CLASS };

/* What the result callbacks were called with. */
static struct {
    int calls[3];
    void *context;
    int all_neutral;
    MI_Result code;
} delivered;

static void MI_CALL on_instance(MI_Operation *operation, void *context, const MI_Instance *instance,
                                MI_Boolean more, MI_Result code, const MI_Char *error,
                                const MI_Instance *details,
                                MI_Result (*acknowledge)(MI_Operation *))
{
    delivered.calls[RESULT_INSTANCE]++;
    delivered.context = context;
    delivered.code = code;
    delivered.all_neutral = !operation && !instance && !more && !error && !details && !acknowledge;
}

static void MI_CALL on_indication(MI_Operation *operation, void *context,
                                  const MI_Instance *instance, const MI_Char *bookmark,
                                  const MI_Char *machine, MI_Boolean more, MI_Result code,
                                  const MI_Char *error, const MI_Instance *details,
                                  MI_Result (*acknowledge)(MI_Operation *))
{
    delivered.calls[RESULT_INDICATION]++;
    delivered.context = context;
    delivered.code = code;
    delivered.all_neutral = !operation && !instance && !bookmark && !machine && !more && !error &&
                            !details && !acknowledge;
}

static void MI_CALL on_class(MI_Operation *operation, void *context, const MI_Class *result,
                             MI_Boolean more, MI_Result code, const MI_Char *error,
                             const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    delivered.calls[RESULT_CLASS]++;
    delivered.context = context;
    delivered.code = code;
    delivered.all_neutral = !operation && !result && !more && !error && !details && !acknowledge;
}

static MI_Instance some_instance;

#define STARTER(NAME, ...)                                                                         \
    static void start_##NAME(MI_Session *session, MI_OperationCallbacks *callbacks,                \
                             MI_Operation *operation)                                              \
    {                                                                                              \
        MI_Session_##NAME(session, 0, __VA_ARGS__, callbacks, operation);                          \
    }

STARTER(GetInstance, NULL, "root", &some_instance)
STARTER(ModifyInstance, NULL, "root", &some_instance)
STARTER(CreateInstance, NULL, "root", &some_instance)
STARTER(DeleteInstance, NULL, "root", &some_instance)
STARTER(Invoke, NULL, "root", "C", "m", &some_instance, &some_instance)
STARTER(EnumerateInstances, NULL, "root", "C", MI_FALSE)
STARTER(QueryInstances, NULL, "root", MI_QUERY_DIALECT_WQL, "select * from C")
STARTER(AssociatorInstances, NULL, "root", &some_instance, "A", "C", "r", "s", MI_FALSE)
STARTER(ReferenceInstances, NULL, "root", &some_instance, "C", "r", MI_FALSE)
STARTER(Subscribe, NULL, "root", MI_QUERY_DIALECT_WQL, "select * from I", NULL)
STARTER(GetClass, NULL, "root", "C")
STARTER(EnumerateClasses, NULL, "root", "C", MI_FALSE)

static void start_TestConnection(MI_Session *session, MI_OperationCallbacks *callbacks,
                                 MI_Operation *operation)
{
    MI_Session_TestConnection(session, 0, callbacks, operation);
}

static const struct starter {
    const char *name;
    enum result_kind kind;
    void (*start)(MI_Session *, MI_OperationCallbacks *, MI_Operation *);
} starters[] = {
    {"GetInstance", RESULT_INSTANCE, start_GetInstance},
    {"ModifyInstance", RESULT_INSTANCE, start_ModifyInstance},
    {"CreateInstance", RESULT_INSTANCE, start_CreateInstance},
    {"DeleteInstance", RESULT_INSTANCE, start_DeleteInstance},
    {"Invoke", RESULT_INSTANCE, start_Invoke},
    {"EnumerateInstances", RESULT_INSTANCE, start_EnumerateInstances},
    {"QueryInstances", RESULT_INSTANCE, start_QueryInstances},
    {"AssociatorInstances", RESULT_INSTANCE, start_AssociatorInstances},
    {"ReferenceInstances", RESULT_INSTANCE, start_ReferenceInstances},
    {"Subscribe", RESULT_INDICATION, start_Subscribe},
    {"GetClass", RESULT_CLASS, start_GetClass},
    {"EnumerateClasses", RESULT_CLASS, start_EnumerateClasses},
    {"TestConnection", RESULT_INSTANCE, start_TestConnection},
};

#define NUMBER_OF_STARTERS ((int)MI_COUNT(starters))

static MI_Session no_table = MI_SESSION_NULL;

static MI_Session *const no_session[] = {NULL, &no_table};

static MI_OperationCallbacks all_callbacks(void *context)
{
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;

    callbacks.callbackContext = context;
    callbacks.instanceResult = on_instance;
    callbacks.indicationResult = on_indication;
    callbacks.classResult = on_class;
    return callbacks;
}

static void expect_calls(const struct starter *starter, int instance, int indication, int class)
{
    ck_assert_msg(delivered.calls[RESULT_INSTANCE] == instance &&
                      delivered.calls[RESULT_INDICATION] == indication &&
                      delivered.calls[RESULT_CLASS] == class,
                  "%s: %d instance, %d indication, %d class callbacks", starter->name,
                  delivered.calls[RESULT_INSTANCE], delivered.calls[RESULT_INDICATION],
                  delivered.calls[RESULT_CLASS]);
}

START_TEST(starter_zeroes_the_operation)
{
    const struct starter *starter = &starters[_i];

    for (size_t s = 0; s < MI_COUNT(no_session); s++) {
        MI_Operation operation;

        memset(&operation, UNTOUCHED, sizeof(operation));
        starter->start(no_session[s], NULL, &operation);
        ck_assert_msg(all_bytes(&operation, sizeof(operation), 0), "%s", starter->name);
        starter->start(no_session[s], NULL, NULL);
    }
}
END_TEST

START_TEST(starter_calls_its_own_callback_once)
{
    const struct starter *starter = &starters[_i];

    for (size_t s = 0; s < MI_COUNT(no_session); s++) {
        for (int with_operation = 0; with_operation < 2; with_operation++) {
            int context;
            MI_OperationCallbacks callbacks = all_callbacks(&context);
            MI_Operation operation;

            memset(&operation, UNTOUCHED, sizeof(operation));
            memset(&delivered, 0, sizeof(delivered));
            starter->start(no_session[s], &callbacks, with_operation ? &operation : NULL);
            expect_calls(starter, starter->kind == RESULT_INSTANCE,
                         starter->kind == RESULT_INDICATION, starter->kind == RESULT_CLASS);
            ck_assert_ptr_eq(delivered.context, &context);
            ck_assert_int_eq(delivered.code, MI_RESULT_INVALID_PARAMETER);
            ck_assert_msg(delivered.all_neutral, "%s", starter->name);
            if (with_operation) {
                ck_assert_msg(all_bytes(&operation, sizeof(operation), 0), "%s", starter->name);
            }
        }
    }
}
END_TEST

START_TEST(starter_without_its_own_callback_calls_none)
{
    const struct starter *starter = &starters[_i];

    for (size_t s = 0; s < MI_COUNT(no_session); s++) {
        MI_OperationCallbacks callbacks = all_callbacks(NULL);
        MI_Operation operation;

        if (starter->kind == RESULT_INSTANCE) {
            callbacks.instanceResult = NULL;
        } else if (starter->kind == RESULT_INDICATION) {
            callbacks.indicationResult = NULL;
        } else {
            callbacks.classResult = NULL;
        }
        memset(&operation, UNTOUCHED, sizeof(operation));
        memset(&delivered, 0, sizeof(delivered));
        starter->start(no_session[s], &callbacks, &operation);
        expect_calls(starter, 0, 0, 0);
        ck_assert_msg(all_bytes(&operation, sizeof(operation), 0), "%s", starter->name);
    }
}
END_TEST

/* ---- Closing no session ---------------------------------------------------------------------- */

static void *completed_with;

static void on_completion(void *context)
{
    completed_with = context;
}

START_TEST(session_close_without_a_session)
{
    for (size_t s = 0; s < MI_COUNT(no_session); s++) {
        int context;

        completed_with = NULL;
        ck_assert_int_eq(MI_Session_Close(no_session[s], &context, on_completion), MI_RESULT_OK);
        ck_assert_ptr_eq(completed_with, &context);
        ck_assert_int_eq(MI_Session_Close(no_session[s], &context, NULL),
                         MI_RESULT_INVALID_PARAMETER);
    }
}
END_TEST

/* ---- Results of no operation ----------------------------------------------------------------- */

static MI_Operation no_operation_table = MI_OPERATION_NULL;

static MI_Operation *const no_operation[] = {NULL, &no_operation_table};

/* Every output, each with a value of its own that must survive. */
struct outputs {
    const MI_Instance *instance;
    const MI_Class *class;
    const MI_Char *bookmark;
    const MI_Char *machine;
    const MI_Char *error;
    const MI_Instance *details;
};

static MI_Result get_instance(MI_Operation *operation, struct outputs *outputs, MI_Boolean *more,
                              MI_Result *result)
{
    return MI_Operation_GetInstance(operation, &outputs->instance, more, result, &outputs->error,
                                    &outputs->details);
}

static MI_Result get_indication(MI_Operation *operation, struct outputs *outputs, MI_Boolean *more,
                                MI_Result *result)
{
    return MI_Operation_GetIndication(operation, &outputs->instance, &outputs->bookmark,
                                      &outputs->machine, more, result, &outputs->error,
                                      &outputs->details);
}

static MI_Result get_class(MI_Operation *operation, struct outputs *outputs, MI_Boolean *more,
                           MI_Result *result)
{
    return MI_Operation_GetClass(operation, &outputs->class, more, result, &outputs->error,
                                 &outputs->details);
}

static MI_Result (*const getters[])(MI_Operation *, struct outputs *, MI_Boolean *,
                                    MI_Result *) = {get_instance, get_indication, get_class};

START_TEST(get_without_an_operation_sets_only_the_result)
{
    for (size_t o = 0; o < MI_COUNT(no_operation); o++) {
        struct outputs outputs;
        MI_Boolean more = MI_TRUE;
        MI_Result result = MI_RESULT_OK;

        memset(&outputs, UNTOUCHED, sizeof(outputs));
        ck_assert_int_eq(getters[_i](no_operation[o], &outputs, &more, &result),
                         MI_RESULT_INVALID_PARAMETER);
        ck_assert_uint_eq(more, MI_FALSE);
        ck_assert_int_eq(result, MI_RESULT_INVALID_PARAMETER);
        ck_assert(all_bytes(&outputs, sizeof(outputs), UNTOUCHED));

        ck_assert_int_eq(getters[_i](no_operation[o], &outputs, NULL, NULL),
                         MI_RESULT_INVALID_PARAMETER);
        ck_assert(all_bytes(&outputs, sizeof(outputs), UNTOUCHED));
    }
}
END_TEST

START_TEST(close_and_cancel_without_an_operation)
{
    REFUSED(MI_Operation, MI_Operation_Close(handle));
    REFUSED(MI_Operation, MI_Operation_Cancel(handle, MI_REASON_NONE));
}
END_TEST

/* ---- Handles handed out by nobody ------------------------------------------------------------ */

/* One row each: the call with no handle or no table zeroes the handle it would have handed out. */
#define HANDS_OUT(GIVER, TAKER, CALL)                                                              \
    do {                                                                                           \
        GIVER no_giver_table;                                                                      \
        GIVER *const no_giver[] = {NULL, &no_giver_table};                                         \
                                                                                                   \
        memset(&no_giver_table, 0, sizeof(no_giver_table));                                        \
        for (size_t g = 0; g < MI_COUNT(no_giver); g++) {                                          \
            GIVER *giver = no_giver[g];                                                            \
            TAKER taker;                                                                           \
            TAKER *out = &taker;                                                                   \
                                                                                                   \
            memset(&taker, UNTOUCHED, sizeof(taker));                                              \
            ck_assert_int_eq(CALL, MI_RESULT_INVALID_PARAMETER);                                   \
            ck_assert_msg(all_bytes(&taker, sizeof(taker), 0), "%s", #CALL);                       \
            out = NULL;                                                                            \
            ck_assert_int_eq(CALL, MI_RESULT_INVALID_PARAMETER);                                   \
        }                                                                                          \
    } while (0)

START_TEST(handles_are_zeroed)
{
    MI_Char *format = NULL;

    HANDS_OUT(MI_Session, MI_Application, MI_Session_GetApplication(giver, out));
    HANDS_OUT(MI_HostedProvider, MI_Application, MI_HostedProvider_GetApplication(giver, out));
    HANDS_OUT(MI_Operation, MI_Session, MI_Operation_GetSession(giver, out));
    HANDS_OUT(MI_Application, MI_Session,
              MI_Application_NewSession(giver, NULL, NULL, NULL, NULL, NULL, out));
    HANDS_OUT(MI_Application, MI_HostedProvider,
              MI_Application_NewHostedProvider(giver, "root", "P", NULL, NULL, out));
    HANDS_OUT(MI_Application, MI_DestinationOptions,
              MI_Application_NewDestinationOptions(giver, out));
    HANDS_OUT(MI_Application, MI_OperationOptions,
              MI_Application_NewOperationOptions(giver, MI_FALSE, out));
    HANDS_OUT(MI_Application, MI_SubscriptionDeliveryOptions,
              MI_Application_NewSubscriptionDeliveryOptions(giver, MI_SubscriptionDeliveryType_Pull,
                                                            out));
    HANDS_OUT(MI_Application, MI_Serializer, MI_Application_NewSerializer(giver, 0, format, out));
    HANDS_OUT(MI_Application, MI_Deserializer,
              MI_Application_NewDeserializer(giver, 0, format, out));
    HANDS_OUT(MI_OperationOptions, MI_OperationOptions, MI_OperationOptions_Clone(giver, out));
    HANDS_OUT(MI_DestinationOptions, MI_DestinationOptions,
              MI_DestinationOptions_Clone(giver, out));
    HANDS_OUT(MI_SubscriptionDeliveryOptions, MI_SubscriptionDeliveryOptions,
              MI_SubscriptionDeliveryOptions_Clone(giver, out));
}
END_TEST

/* ---- Contexts -------------------------------------------------------------------------------- */

static MI_Context no_context_table;

static MI_Context *const no_context[] = {NULL, &no_context_table};

START_TEST(get_local_session_without_a_context_leaves_the_session)
{
    for (size_t c = 0; c < MI_COUNT(no_context); c++) {
        MI_Session session;

        memset(&session, UNTOUCHED, sizeof(session));
        ck_assert_int_eq(MI_Context_GetLocalSession(no_context[c], &session),
                         MI_RESULT_INVALID_PARAMETER);
        ck_assert(all_bytes(&session, sizeof(session), UNTOUCHED));
    }
}
END_TEST

START_TEST(answers_without_a_context_are_left)
{
    MI_Boolean flag = UNTOUCHED;
    MI_Instance *instance = &some_instance;

    REFUSED(MI_Context, MI_Context_Canceled(handle, &flag));
    REFUSED(MI_Context, MI_Context_ShouldProcess(handle, "t", "a", &flag));
    REFUSED(MI_Context, MI_Context_ShouldContinue(handle, "m", &flag));
    REFUSED(MI_Context, MI_Context_PromptUser(handle, "m", MI_PROMPTTYPE_NORMAL, &flag));
    REFUSED(MI_Context, MI_Context_WriteError(handle, 1, MI_RESULT_TYPE_MI, "m", &flag));
    ck_assert_uint_eq(flag, UNTOUCHED);
    REFUSED(MI_Context, MI_Context_NewDynamicInstance(handle, "C", 0, &instance));
    ck_assert_ptr_eq(instance, &some_instance);
    REFUSED(MI_Context, MI_Context_WriteWarning(handle, "m"));
    REFUSED(MI_Context, MI_Context_WriteVerbose(handle, "m"));
    REFUSED(MI_Context, MI_Context_WriteDebug(handle, "m"));
    REFUSED(MI_Context, MI_Context_SetFilterOption(handle, MI_TRUE));
}
END_TEST

static MI_Result locale_not_supported(const MI_Context *context, MI_LocaleType type,
                                      MI_Char *locale)
{
    (void)context;
    (void)type;
    (void)locale;
    return MI_RESULT_NOT_SUPPORTED;
}

START_TEST(get_locale_begins_with_an_empty_string)
{
    MI_Char locale[MI_MAX_LOCALE_SIZE] = "xx-XX";
    MI_ContextFT table = {0};
    MI_Context context = {0};

    for (size_t c = 0; c < MI_COUNT(no_context); c++) {
        strcpy(locale, "xx-XX");
        ck_assert_int_eq(MI_Context_GetLocale(no_context[c], MI_LOCALE_TYPE_REQUESTED_UI, locale),
                         MI_RESULT_INVALID_PARAMETER);
        ck_assert_str_eq(locale, "");
        ck_assert_int_eq(MI_Context_GetLocale(no_context[c], MI_LOCALE_TYPE_REQUESTED_UI, NULL),
                         MI_RESULT_INVALID_PARAMETER);
    }
    strcpy(locale, "xx-XX");
    table.GetLocale = locale_not_supported;
    context.ft = &table;
    ck_assert_int_eq(MI_Context_GetLocale(&context, MI_LOCALE_TYPE_REQUESTED_UI, locale),
                     MI_RESULT_NOT_SUPPORTED);
    ck_assert_str_eq(locale, "");
}
END_TEST

static struct {
    MI_Uint32 channel;
    const MI_Char *message;
    const MI_Char *option;
    const MI_Char *value;
} told;

static MI_Result take_message(MI_Context *context, MI_Uint32 channel, const MI_Char *message)
{
    (void)context;
    told.channel = channel;
    told.message = message;
    return MI_RESULT_OK;
}

static MI_Result take_option(MI_Context *context, const MI_Char *name, const MI_Char *value)
{
    (void)context;
    told.option = name;
    told.value = value;
    return MI_RESULT_OK;
}

START_TEST(context_helpers_reach_the_generic_slots)
{
    static const MI_Char message[] = "something";
    MI_ContextFT table = {0};
    MI_Context context = {0};

    table.WriteMessage = take_message;
    table.SetStringOption = take_option;
    context.ft = &table;

    ck_assert_int_eq(MI_Context_WriteWarning(&context, message), MI_RESULT_OK);
    ck_assert_uint_eq(told.channel, MI_WRITEMESSAGE_CHANNEL_WARNING);
    ck_assert_int_eq(MI_Context_WriteVerbose(&context, message), MI_RESULT_OK);
    ck_assert_uint_eq(told.channel, MI_WRITEMESSAGE_CHANNEL_VERBOSE);
    ck_assert_int_eq(MI_Context_WriteDebug(&context, message), MI_RESULT_OK);
    ck_assert_uint_eq(told.channel, MI_WRITEMESSAGE_CHANNEL_DEBUG);
    ck_assert_ptr_eq(told.message, message);

    ck_assert_int_eq(MI_Context_SetFilterOption(&context, MI_TRUE), MI_RESULT_OK);
    ck_assert_str_eq(told.option, "__FilterByProvider");
    ck_assert_str_eq(told.value, "TRUE");
    ck_assert_int_eq(MI_Context_SetFilterOption(&context, MI_FALSE), MI_RESULT_OK);
    ck_assert_str_eq(told.value, "FALSE");
}
END_TEST

static struct {
    const MI_Instance *instance;
    const MI_Char *method;
    MI_Boolean before;
    const MI_Instance *parameter;
    const MI_Char *value;
} posted;

static MI_Result take_method_call(MI_LifecycleIndicationContext *context,
                                  const MI_Instance *instance, const MI_Char *method,
                                  MI_Boolean before, const MI_Instance *parameter,
                                  const MI_Char *value)
{
    (void)context;
    posted.instance = instance;
    posted.method = method;
    posted.before = before;
    posted.parameter = parameter;
    posted.value = value;
    return MI_RESULT_OK;
}

START_TEST(lifecycle_method_calls_say_before_or_after)
{
    static const MI_Char value[] = "0";
    MI_Instance parameter;
    MI_LifecycleIndicationContextFT table = {0};
    MI_LifecycleIndicationContext context = {0};

    REFUSED(MI_LifecycleIndicationContext,
            MI_LifecycleIndicationContext_PostMethodCall_Before(handle, NULL, "m", NULL));
    REFUSED(MI_LifecycleIndicationContext,
            MI_LifecycleIndicationContext_PostMethodCall_After(handle, NULL, "m", NULL, NULL));

    table.PostMethodCall = take_method_call;
    context.ft = &table;
    ck_assert_int_eq(MI_LifecycleIndicationContext_PostMethodCall_Before(&context, &some_instance,
                                                                         "m", &parameter),
                     MI_RESULT_OK);
    ck_assert_ptr_eq(posted.instance, &some_instance);
    ck_assert_str_eq(posted.method, "m");
    ck_assert_uint_eq(posted.before, MI_TRUE);
    ck_assert_ptr_eq(posted.parameter, &parameter);
    ck_assert_ptr_null(posted.value);

    ck_assert_int_eq(MI_LifecycleIndicationContext_PostMethodCall_After(&context, &some_instance,
                                                                        "m", &parameter, value),
                     MI_RESULT_OK);
    ck_assert_uint_eq(posted.before, MI_FALSE);
    ck_assert_ptr_eq(posted.parameter, &parameter);
    ck_assert_ptr_eq(posted.value, value);
}
END_TEST

/* ---- Instances and applications -------------------------------------------------------------- */

START_TEST(outputs_of_no_instance_are_left)
{
    MI_Instance no_instance_table = {0};
    const MI_Instance *const no_instance[] = {NULL, &no_instance_table};

    for (size_t n = 0; n < MI_COUNT(no_instance); n++) {
        MI_Value value;
        MI_Type type;
        MI_Uint32 numbers[2];
        const MI_Char *name;

        memset(&value, UNTOUCHED, sizeof(value));
        memset(&type, UNTOUCHED, sizeof(type));
        memset(numbers, UNTOUCHED, sizeof(numbers));
        memset(&name, UNTOUCHED, sizeof(name));
        ck_assert_int_eq(
            MI_Instance_GetElement(no_instance[n], "p", &value, &type, &numbers[0], &numbers[1]),
            MI_RESULT_INVALID_PARAMETER);
        ck_assert_int_eq(
            MI_Instance_GetElementAt(no_instance[n], 0, &name, &value, &type, &numbers[0]),
            MI_RESULT_INVALID_PARAMETER);
        ck_assert_int_eq(MI_Instance_GetNameSpace(no_instance[n], &name),
                         MI_RESULT_INVALID_PARAMETER);
        ck_assert(all_bytes(&value, sizeof(value), UNTOUCHED));
        ck_assert(all_bytes(&type, sizeof(type), UNTOUCHED));
        ck_assert(all_bytes(numbers, sizeof(numbers), UNTOUCHED));
        ck_assert(all_bytes(&name, sizeof(name), UNTOUCHED));
    }
}
END_TEST

static struct {
    const MI_Char *name;
    const MI_ClassDecl *decl;
} made;

static MI_Result make_instance(MI_Application *application, const MI_Char *name,
                               const MI_ClassDecl *decl, MI_Instance **instance)
{
    (void)application;
    made.name = name;
    made.decl = decl;
    *instance = &some_instance;
    return MI_RESULT_OK;
}

START_TEST(parameter_set_is_an_instance)
{
    MI_ApplicationFT table = {0};
    MI_Application application = MI_APPLICATION_NULL;
    MI_ClassDecl decl = {0};
    MI_Instance *instance = NULL;

    REFUSED(MI_Application, MI_Application_NewParameterSet(handle, NULL, &instance));
    ck_assert_ptr_null(instance);

    table.NewInstance = make_instance;
    application.ft = &table;
    ck_assert_int_eq(MI_Application_NewParameterSet(&application, &decl, &instance), MI_RESULT_OK);
    ck_assert_str_eq(made.name, "Parameters");
    ck_assert_ptr_eq(made.decl, &decl);
    ck_assert_ptr_eq(instance, &some_instance);
}
END_TEST

/* ---- Options --------------------------------------------------------------------------------- */

/*
 * A host's options object for all three kinds: what was set last under each name, and what the last
 * call looked like. A name that was never set gives NO_SUCH_PROPERTY.
 */
struct option {
    const MI_Char *name;
    const MI_Char *string;
    MI_Uint32 number;
    MI_Interval interval;
    MI_Datetime datetime;
    const MI_UserCredentials *credentials;
    MI_Type type;
    MI_Boolean must_comply;
};

static struct {
    struct option options[32];
    size_t count;
    const MI_Char *name;
    MI_Uint32 flags;
    int deleted;
} store;

static struct option *find(const MI_Char *name)
{
    store.name = name;
    for (size_t i = 0; i < store.count; i++) {
        if (strcmp(store.options[i].name, name) == 0) {
            return &store.options[i];
        }
    }
    return NULL;
}

static struct option *find_or_add(const MI_Char *name, MI_Uint32 flags)
{
    struct option *option = find(name);

    store.flags = flags;
    if (!option) {
        ck_assert_uint_lt(store.count, MI_COUNT(store.options));
        option = &store.options[store.count++];
        memset(option, 0, sizeof(*option));
        option->name = name;
    }
    return option;
}

/* A value was stored under KEY, and nothing else with it. */
#define EXPECT_STORED(KEY)                                                                         \
    do {                                                                                           \
        ck_assert_str_eq(store.name, KEY);                                                         \
        ck_assert_uint_eq(store.flags, 0);                                                         \
    } while (0)

#define STORE_SLOT(KIND, SLOT, SET_TYPE, GET_TYPE, MEMBER, STORED)                                 \
    static MI_Result KIND##_set_##MEMBER(KIND *options, const MI_Char *name, SET_TYPE value,       \
                                         MI_Uint32 flags)                                          \
    {                                                                                              \
        (void)options;                                                                             \
        find_or_add(name, flags)->MEMBER = STORED;                                                 \
        return MI_RESULT_OK;                                                                       \
    }                                                                                              \
    static MI_Result KIND##_get_##MEMBER(const KIND *options, const MI_Char *name, GET_TYPE value, \
                                         MI_Uint32 *index, MI_Uint32 *flags)                       \
    {                                                                                              \
        const struct option *option = find(name);                                                  \
                                                                                                   \
        (void)options;                                                                             \
        if (!value) {                                                                              \
            return MI_RESULT_INVALID_PARAMETER;                                                    \
        }                                                                                          \
        if (!option) {                                                                             \
            return MI_RESULT_NO_SUCH_PROPERTY;                                                     \
        }                                                                                          \
        *value = option->MEMBER;                                                                   \
        if (index) {                                                                               \
            *index = (MI_Uint32)(option - store.options);                                          \
        }                                                                                          \
        if (flags) {                                                                               \
            *flags = 0;                                                                            \
        }                                                                                          \
        return MI_RESULT_OK;                                                                       \
    }

#define STORE(KIND)                                                                                \
    STORE_SLOT(KIND, String, const MI_Char *, const MI_Char **, string, value)                     \
    STORE_SLOT(KIND, Number, MI_Uint32, MI_Uint32 *, number, value)                                \
    STORE_SLOT(KIND, Interval, const MI_Interval *, MI_Interval *, interval, *value)

STORE(MI_OperationOptions)
STORE(MI_DestinationOptions)
STORE(MI_SubscriptionDeliveryOptions)
STORE_SLOT(MI_SubscriptionDeliveryOptions, DateTime, const MI_Datetime *, MI_Datetime *, datetime,
           *value)

static MI_Result set_custom(MI_OperationOptions *options, const MI_Char *name, MI_Type type,
                            const MI_Value *value, MI_Boolean must_comply, MI_Uint32 flags)
{
    struct option *option = find_or_add(name, flags);

    (void)options;
    option->type = type;
    option->number = value->uint32;
    option->must_comply = must_comply;
    return MI_RESULT_OK;
}

static MI_Result enabled_channels(const MI_OperationOptions *options, const MI_Char *name,
                                  MI_Uint32 *channels, MI_Uint32 length, MI_Uint32 *count,
                                  MI_Uint32 *flags)
{
    (void)options;
    store.name = name;
    *channels = length;
    *count = 7;
    *flags = 8;
    return MI_RESULT_OK;
}

static MI_Result add_destination_credentials(MI_DestinationOptions *options, const MI_Char *name,
                                             const MI_UserCredentials *credentials, MI_Uint32 flags)
{
    (void)options;
    find_or_add(name, flags)->credentials = credentials;
    return MI_RESULT_OK;
}

static MI_Result add_delivery_credentials(MI_SubscriptionDeliveryOptions *options,
                                          const MI_Char *name,
                                          const MI_UserCredentials *credentials, MI_Uint32 flags)
{
    (void)options;
    find_or_add(name, flags)->credentials = credentials;
    return MI_RESULT_OK;
}

static void delete_operation_options(MI_OperationOptions *options)
{
    (void)options;
    store.deleted++;
}

static void delete_destination_options(MI_DestinationOptions *options)
{
    (void)options;
    store.deleted++;
}

static const MI_OperationOptionsFT operation_options_table = {
    .Delete = delete_operation_options,
    .SetString = MI_OperationOptions_set_string,
    .GetString = MI_OperationOptions_get_string,
    .SetNumber = MI_OperationOptions_set_number,
    .GetNumber = MI_OperationOptions_get_number,
    .SetInterval = MI_OperationOptions_set_interval,
    .GetInterval = MI_OperationOptions_get_interval,
    .SetCustomOption = set_custom,
    .GetEnabledChannels = enabled_channels,
};

static const MI_DestinationOptionsFT destination_options_table = {
    .Delete = delete_destination_options,
    .SetString = MI_DestinationOptions_set_string,
    .GetString = MI_DestinationOptions_get_string,
    .SetNumber = MI_DestinationOptions_set_number,
    .GetNumber = MI_DestinationOptions_get_number,
    .SetInterval = MI_DestinationOptions_set_interval,
    .GetInterval = MI_DestinationOptions_get_interval,
    .AddCredentials = add_destination_credentials,
};

static const MI_SubscriptionDeliveryOptionsFT subscription_options_table = {
    .SetString = MI_SubscriptionDeliveryOptions_set_string,
    .GetString = MI_SubscriptionDeliveryOptions_get_string,
    .SetNumber = MI_SubscriptionDeliveryOptions_set_number,
    .GetNumber = MI_SubscriptionDeliveryOptions_get_number,
    .SetInterval = MI_SubscriptionDeliveryOptions_set_interval,
    .GetInterval = MI_SubscriptionDeliveryOptions_get_interval,
    .SetDateTime = MI_SubscriptionDeliveryOptions_set_datetime,
    .GetDateTime = MI_SubscriptionDeliveryOptions_get_datetime,
    .AddCredentials = add_delivery_credentials,
};

/* The objects under test; the checks below name them by their kind. */
static MI_OperationOptions MI_OperationOptions_object;
static MI_DestinationOptions MI_DestinationOptions_object;
static MI_SubscriptionDeliveryOptions MI_SubscriptionDeliveryOptions_object;

static void set_up(void)
{
    memset(&store, 0, sizeof(store));
    MI_OperationOptions_object.ft = &operation_options_table;
    MI_DestinationOptions_object.ft = &destination_options_table;
    MI_SubscriptionDeliveryOptions_object.ft = &subscription_options_table;
}

/*
 * One row each: what Set stores under KEY, Get reads back; a value that is not there, no handle and
 * no table leave the output alone.
 */
#define ROUND_TRIP(KIND, NAME, TYPE, ARGUMENT, VALUE, KEY)                                         \
    do {                                                                                           \
        KIND *const options = &KIND##_object;                                                      \
        KIND no_options = {0, 0, NULL};                                                            \
        TYPE value;                                                                                \
        TYPE wanted = VALUE;                                                                       \
                                                                                                   \
        memset(&value, UNTOUCHED, sizeof(value));                                                  \
        ck_assert_int_eq(KIND##_Get##NAME(options, &value), MI_RESULT_NO_SUCH_PROPERTY);           \
        ck_assert_int_eq(KIND##_Get##NAME(NULL, &value), MI_RESULT_INVALID_PARAMETER);             \
        ck_assert_int_eq(KIND##_Get##NAME(&no_options, &value), MI_RESULT_INVALID_PARAMETER);      \
        ck_assert(all_bytes(&value, sizeof(value), UNTOUCHED));                                    \
        ck_assert_int_eq(KIND##_Set##NAME(NULL, ARGUMENT), MI_RESULT_INVALID_PARAMETER);           \
        ck_assert_int_eq(KIND##_Set##NAME(&no_options, ARGUMENT), MI_RESULT_INVALID_PARAMETER);    \
        ck_assert_int_eq(KIND##_Set##NAME(options, ARGUMENT), MI_RESULT_OK);                       \
        EXPECT_STORED(KEY);                                                                        \
        store.name = NULL;                                                                         \
        ck_assert_int_eq(KIND##_Get##NAME(options, &value), MI_RESULT_OK);                         \
        ck_assert_str_eq(store.name, KEY);                                                         \
        ck_assert_mem_eq(&value, &wanted, sizeof(value));                                          \
        ck_assert_int_eq(KIND##_Get##NAME(options, NULL), MI_RESULT_INVALID_PARAMETER);            \
        store.count = 0;                                                                           \
    } while (0)

#define STRING(KIND, NAME, KEY)            ROUND_TRIP(KIND, NAME, const MI_Char *, wanted, "some " #NAME, KEY)
#define NUMBER(KIND, NAME, KEY)            ROUND_TRIP(KIND, NAME, MI_Uint32, wanted, 4000000001U, KEY)
#define INTERVAL(KIND, NAME, KEY)          ROUND_TRIP(KIND, NAME, MI_Interval, &wanted, an_interval, KEY)
#define DATETIME(KIND, NAME, KEY)          ROUND_TRIP(KIND, NAME, MI_Datetime, &wanted, a_datetime, KEY)
#define CODE(KIND, NAME, TYPE, VALUE, KEY) ROUND_TRIP(KIND, NAME, TYPE, wanted, VALUE, KEY)
#define BOOLEAN(KIND, NAME, KEY)                                                                   \
    do {                                                                                           \
        ROUND_TRIP(KIND, NAME, MI_Boolean, wanted, MI_TRUE, KEY);                                  \
        ROUND_TRIP(KIND, NAME, MI_Boolean, wanted, MI_FALSE, KEY);                                 \
    } while (0)

static const MI_Interval an_interval = {1, 2, 3, 4, 5, 0, 0, 0};
static const MI_Datetime a_datetime = {1, {{2025, 11, 22, 9, 15, 0, 123456, 60}}};

START_TEST(operation_options_round_trip)
{
    CODE(MI_OperationOptions, WriteErrorMode, MI_CallbackMode, MI_CALLBACKMODE_IGNORE,
         "__MI_OPERATIONOPTIONS_WRITEERRORMODE");
    CODE(MI_OperationOptions, PromptUserMode, MI_CallbackMode, MI_CALLBACKMODE_INQUIRE,
         "__MI_OPERATIONOPTIONS_PROMPTUSERMODE");
    INTERVAL(MI_OperationOptions, Timeout, "__MI_OPERATIONOPTIONS_TIMEOUT");
    STRING(MI_OperationOptions, ResourceUriPrefix, "__MI_OPERATIONOPTIONS_RESOURCE_URI_PREFIX");
    STRING(MI_OperationOptions, ResourceUri, "__MI_OPERATIONOPTIONS_RESOURCE_URI");
    BOOLEAN(MI_OperationOptions, UseMachineID, "__MI_OPERATIONOPTIONS_USE_MACHINE_ID");
}
END_TEST

START_TEST(destination_options_round_trip)
{
    INTERVAL(MI_DestinationOptions, Timeout, "__MI_DESTINATIONOPTIONS_TIMEOUT");
    BOOLEAN(MI_DestinationOptions, CertCACheck, "__MI_DESTINATIONOPTIONS_CERT_CA_CHECK");
    BOOLEAN(MI_DestinationOptions, CertCNCheck, "__MI_DESTINATIONOPTIONS_CERT_CN_CHECK");
    BOOLEAN(MI_DestinationOptions, CertRevocationCheck,
            "__MI_DESTINATIONOPTIONS_CERT_REVOCATION_CHECK");
    BOOLEAN(MI_DestinationOptions, PacketPrivacy, "__MI_DESTINATIONOPTIONS_PACKET_PRIVACY");
    BOOLEAN(MI_DestinationOptions, PacketIntegrity, "__MI_DESTINATIONOPTIONS_PACKET_INTEGRITY");
    STRING(MI_DestinationOptions, PacketEncoding, "__MI_DESTINATIONOPTIONS_PACKET_ENCODING");
    STRING(MI_DestinationOptions, DataLocale, "__MI_DESTINATIONOPTIONS_DATA_LOCALE");
    STRING(MI_DestinationOptions, UILocale, "__MI_DESTINATIONOPTIONS_UI_LOCALE");
    NUMBER(MI_DestinationOptions, MaxEnvelopeSize, "__MI_DESTINATIONOPTIONS_MAX_ENVELOPE_SIZE");
    NUMBER(MI_DestinationOptions, MaxElements, "__MI_DESTINATIONOPTIONS_MAX_ELEMENTS");
    BOOLEAN(MI_DestinationOptions, EncodePortInSPN, "__MI_DESTINATIONOPTIONS_ENCODE_PORT_IN_SPN");
    STRING(MI_DestinationOptions, HttpUrlPrefix, "__MI_DESTINATIONOPTIONS_HTTP_URL_PREFIX");
    NUMBER(MI_DestinationOptions, DestinationPort, "__MI_DESTINATIONOPTIONS_DESTINATION_PORT");
    STRING(MI_DestinationOptions, TrustedCertsDir, "__MI_DESTINATIONOPTIONS_TRUSTED_CERTS_DIR");
    STRING(MI_DestinationOptions, CertFile, "__MI_DESTINATIONOPTIONS_CERT_FILE");
    STRING(MI_DestinationOptions, PrivateKeyFile, "__MI_DESTINATIONOPTIONS_PRIVATE_KEY_FILE");
    STRING(MI_DestinationOptions, Transport, "__MI_DESTINATIONOPTIONS_TRANSPORT");
    STRING(MI_DestinationOptions, ProxyType, "__MI_DESTINATIONOPTIONS_PROXY_TYPE");
    NUMBER(MI_DestinationOptions, SslOptions, "__MI_DESTINATIONOPTIONS_SSL_OPTIONS");
    CODE(MI_DestinationOptions, ImpersonationType, MI_DestinationOptions_ImpersonationType,
         MI_DestinationOptions_ImpersonationType_Delegate,
         "__MI_DESTINATIONOPTIONS_IMPERSONATION_TYPE");
}
END_TEST

START_TEST(subscription_options_round_trip)
{
    INTERVAL(MI_SubscriptionDeliveryOptions, MaximumLatency,
             "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_MAXIMUM_LATENCY");
    INTERVAL(MI_SubscriptionDeliveryOptions, HeartbeatInterval,
             "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_HEARTBEAT_INTERVAL");
    DATETIME(MI_SubscriptionDeliveryOptions, ExpirationTime,
             "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_EXPIRATION_TIME");
    STRING(MI_SubscriptionDeliveryOptions, Bookmark,
           "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_BOOKMARK");
    STRING(MI_SubscriptionDeliveryOptions, DeliveryDestination,
           "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_DELIVERY_DESTINATION");
    NUMBER(MI_SubscriptionDeliveryOptions, DeliveryPortNumber,
           "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_DELIVERY_PORT_NUMBER");
    INTERVAL(MI_SubscriptionDeliveryOptions, DeliveryRetryInterval,
             "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_DELIVERY_RETRY_INTERVAL");
    NUMBER(MI_SubscriptionDeliveryOptions, DeliveryRetryAttempts,
           "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_DELIVERY_RETRY_ATTEMPTS");
}
END_TEST

/* A number that no Set stored: everything but zero is TRUE, also what a byte can't hold. */
START_TEST(any_number_but_zero_is_true)
{
    MI_DestinationOptions *options = &MI_DestinationOptions_object;
    MI_Boolean check = MI_FALSE;

    ck_assert_int_eq(
        MI_DestinationOptions_SetNumber(options, "__MI_DESTINATIONOPTIONS_CERT_CA_CHECK", 256),
        MI_RESULT_OK);
    ck_assert_int_eq(MI_DestinationOptions_GetCertCACheck(options, &check), MI_RESULT_OK);
    ck_assert_uint_eq(check, MI_TRUE);
}
END_TEST

START_TEST(prompt_mode_with_its_answer)
{
    MI_OperationOptions *options = &MI_OperationOptions_object;
    MI_CallbackMode mode = MI_CALLBACKMODE_INQUIRE;
    MI_Boolean answer = UNTOUCHED;

    REFUSED(MI_OperationOptions,
            MI_OperationOptions_SetPromptUserRegularMode(handle, mode, MI_TRUE));
    REFUSED(MI_OperationOptions,
            MI_OperationOptions_GetPromptUserRegularMode(handle, &mode, &answer));
    ck_assert_int_eq(MI_OperationOptions_GetPromptUserRegularMode(options, &mode, &answer),
                     MI_RESULT_NO_SUCH_PROPERTY);
    ck_assert_uint_eq(answer, UNTOUCHED);

    ck_assert_int_eq(
        MI_OperationOptions_SetPromptUserRegularMode(options, MI_CALLBACKMODE_REPORT, MI_TRUE),
        MI_RESULT_OK);
    EXPECT_STORED("__MI_OPERATIONOPTIONS_PROMPTUSERMODEREGULAR_ACKVALUE");
    ck_assert_uint_eq(find("__MI_OPERATIONOPTIONS_PROMPTUSERMODE")->number, MI_CALLBACKMODE_REPORT);
    ck_assert_int_eq(MI_OperationOptions_GetPromptUserRegularMode(options, &mode, &answer),
                     MI_RESULT_OK);
    ck_assert_int_eq(mode, MI_CALLBACKMODE_REPORT);
    ck_assert_uint_eq(answer, MI_TRUE);
}
END_TEST

START_TEST(provider_architecture_with_its_demand)
{
    MI_OperationOptions *options = &MI_OperationOptions_object;
    MI_ProviderArchitecture architecture = MI_PROVIDER_ARCHITECTURE_32BIT;
    MI_Boolean must = UNTOUCHED;

    REFUSED(MI_OperationOptions,
            MI_OperationOptions_SetProviderArchitecture(handle, architecture, MI_TRUE));
    REFUSED(MI_OperationOptions,
            MI_OperationOptions_GetProviderArchitecture(handle, &architecture, &must));
    ck_assert_int_eq(MI_OperationOptions_GetProviderArchitecture(options, &architecture, &must),
                     MI_RESULT_NO_SUCH_PROPERTY);
    ck_assert_uint_eq(must, UNTOUCHED);

    ck_assert_int_eq(MI_OperationOptions_SetProviderArchitecture(
                         options, MI_PROVIDER_ARCHITECTURE_64BIT, MI_TRUE),
                     MI_RESULT_OK);
    EXPECT_STORED("__MI_OPERATIONOPTIONS_REQUIRED_ARCHITECTURE");
    ck_assert_uint_eq(find("__MI_OPERATIONOPTIONS_PROVIDER_ARCHITECTURE")->number,
                      MI_PROVIDER_ARCHITECTURE_64BIT);
    ck_assert_int_eq(MI_OperationOptions_GetProviderArchitecture(options, &architecture, &must),
                     MI_RESULT_OK);
    ck_assert_int_eq(architecture, MI_PROVIDER_ARCHITECTURE_64BIT);
    ck_assert_uint_eq(must, MI_TRUE);
}
END_TEST

START_TEST(channels_are_flagged_numbers)
{
    MI_OperationOptions *options = &MI_OperationOptions_object;
    MI_Uint32 channels[3] = {0};
    MI_Uint32 count = 0;
    MI_Uint32 flags = 0;

    REFUSED(MI_OperationOptions, MI_OperationOptions_EnableChannel(handle, 1));
    REFUSED(MI_OperationOptions, MI_OperationOptions_DisableChannel(handle, 1));
    REFUSED(MI_OperationOptions,
            MI_OperationOptions_GetEnabledChannels(handle, channels, 3, &count, &flags));

    ck_assert_int_eq(MI_OperationOptions_EnableChannel(options, MI_WRITEMESSAGE_CHANNEL_DEBUG),
                     MI_RESULT_OK);
    EXPECT_STORED("__MI_OPERATIONOPTIONS_CHANNEL");
    ck_assert_uint_eq(store.options[0].number, MI_WRITEMESSAGE_CHANNEL_DEBUG);
    ck_assert_int_eq(MI_OperationOptions_DisableChannel(options, MI_WRITEMESSAGE_CHANNEL_VERBOSE),
                     MI_RESULT_OK);
    ck_assert_str_eq(store.name, "__MI_OPERATIONOPTIONS_CHANNEL");
    ck_assert_uint_eq(store.flags, 1);
    ck_assert_uint_eq(store.options[0].number, MI_WRITEMESSAGE_CHANNEL_VERBOSE);

    store.name = NULL;
    ck_assert_int_eq(MI_OperationOptions_GetEnabledChannels(options, channels, 3, &count, &flags),
                     MI_RESULT_OK);
    ck_assert_str_eq(store.name, "__MI_OPERATIONOPTIONS_CHANNEL");
    ck_assert_uint_eq(channels[0], 3);
    ck_assert_uint_eq(count, 7);
    ck_assert_uint_eq(flags, 8);
}
END_TEST

START_TEST(custom_option)
{
    MI_OperationOptions *options = &MI_OperationOptions_object;
    MI_Value value = {0};

    value.uint32 = 42;
    REFUSED(MI_OperationOptions,
            MI_OperationOptions_SetCustomOption(handle, "depth", MI_UINT32, &value, MI_TRUE));
    ck_assert_int_eq(
        MI_OperationOptions_SetCustomOption(options, "depth", MI_UINT32, &value, MI_TRUE),
        MI_RESULT_OK);
    EXPECT_STORED("depth");
    ck_assert_uint_eq(store.options[0].number, 42);
    ck_assert_int_eq(store.options[0].type, MI_UINT32);
    ck_assert_uint_eq(store.options[0].must_comply, MI_TRUE);
}
END_TEST

START_TEST(credentials)
{
    MI_DestinationOptions *destination = &MI_DestinationOptions_object;
    MI_SubscriptionDeliveryOptions *delivery = &MI_SubscriptionDeliveryOptions_object;
    MI_UserCredentials user = {MI_AUTH_TYPE_BASIC, {{"domain", "user", "password"}}};

    REFUSED(MI_DestinationOptions, MI_DestinationOptions_AddProxyCredentials(handle, &user));
    REFUSED(MI_DestinationOptions, MI_DestinationOptions_AddDestinationCredentials(handle, &user));
    REFUSED(MI_SubscriptionDeliveryOptions,
            MI_SubscriptionDeliveryOptions_AddDeliveryCredentials(handle, &user));

    ck_assert_int_eq(MI_DestinationOptions_AddProxyCredentials(destination, &user), MI_RESULT_OK);
    EXPECT_STORED("__MI_DESTINATIONOPTIONS_PROXY_CREDENTIALS");
    ck_assert_ptr_eq(store.options[0].credentials, &user);
    ck_assert_int_eq(MI_DestinationOptions_AddDestinationCredentials(destination, &user),
                     MI_RESULT_OK);
    EXPECT_STORED("__MI_DESTINATIONOPTIONS_DESTINATION_CREDENTIALS");
    ck_assert_ptr_eq(store.options[1].credentials, &user);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_AddDeliveryCredentials(delivery, &user),
                     MI_RESULT_OK);
    EXPECT_STORED("__MI_SUBSCRIPTIONDELIVERYOPTIONS_ADD_DELIVERY_CREDENTIALS");
    ck_assert_ptr_eq(store.options[2].credentials, &user);
}
END_TEST

START_TEST(destination_options_have_no_flags)
{
    MI_DestinationOptions *options = &MI_DestinationOptions_object;
    const MI_Char *string = NULL;
    MI_Uint32 number = 0;
    MI_Uint32 index = 9;

    REFUSED(MI_DestinationOptions, MI_DestinationOptions_SetString(handle, "a", "b"));
    REFUSED(MI_DestinationOptions, MI_DestinationOptions_SetNumber(handle, "a", 1));
    REFUSED(MI_DestinationOptions, MI_DestinationOptions_GetString(handle, "a", &string, &index));
    REFUSED(MI_DestinationOptions, MI_DestinationOptions_GetNumber(handle, "a", &number, &index));

    ck_assert_int_eq(MI_DestinationOptions_SetString(options, "s", "value"), MI_RESULT_OK);
    EXPECT_STORED("s");
    ck_assert_int_eq(MI_DestinationOptions_SetNumber(options, "n", 5), MI_RESULT_OK);
    EXPECT_STORED("n");
    ck_assert_int_eq(MI_DestinationOptions_GetString(options, "s", &string, &index), MI_RESULT_OK);
    ck_assert_str_eq(string, "value");
    ck_assert_uint_eq(index, 0);
    ck_assert_int_eq(MI_DestinationOptions_GetNumber(options, "n", &number, &index), MI_RESULT_OK);
    ck_assert_uint_eq(number, 5);
    ck_assert_uint_eq(index, 1);
}
END_TEST

START_TEST(deleting_no_options_is_nothing)
{
    MI_OperationOptions no_operation_options = MI_OPERATIONOPTIONS_NULL;
    MI_DestinationOptions no_destination_options = MI_DESTINATIONOPTIONS_NULL;

    MI_OperationOptions_Delete(NULL);
    MI_OperationOptions_Delete(&no_operation_options);
    MI_DestinationOptions_Delete(NULL);
    MI_DestinationOptions_Delete(&no_destination_options);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_Delete(NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(store.deleted, 0);
    MI_OperationOptions_Delete(&MI_OperationOptions_object);
    MI_DestinationOptions_Delete(&MI_DestinationOptions_object);
    ck_assert_int_eq(store.deleted, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("MI.h functions");
    TCase *null = tcase_create("no handle");
    TCase *context = tcase_create("helpers");
    TCase *options = tcase_create("options");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, null);
    tcase_add_loop_test(null, starter_zeroes_the_operation, 0, NUMBER_OF_STARTERS);
    tcase_add_loop_test(null, starter_calls_its_own_callback_once, 0, NUMBER_OF_STARTERS);
    tcase_add_loop_test(null, starter_without_its_own_callback_calls_none, 0, NUMBER_OF_STARTERS);
    tcase_add_test(null, session_close_without_a_session);
    tcase_add_loop_test(null, get_without_an_operation_sets_only_the_result, 0,
                        (int)MI_COUNT(getters));
    tcase_add_test(null, close_and_cancel_without_an_operation);
    tcase_add_test(null, handles_are_zeroed);
    tcase_add_test(null, get_local_session_without_a_context_leaves_the_session);
    tcase_add_test(null, answers_without_a_context_are_left);
    tcase_add_test(null, outputs_of_no_instance_are_left);

    suite_add_tcase(suite, context);
    tcase_add_test(context, get_locale_begins_with_an_empty_string);
    tcase_add_test(context, context_helpers_reach_the_generic_slots);
    tcase_add_test(context, lifecycle_method_calls_say_before_or_after);
    tcase_add_test(context, parameter_set_is_an_instance);

    suite_add_tcase(suite, options);
    tcase_add_checked_fixture(options, set_up, NULL);
    tcase_add_test(options, operation_options_round_trip);
    tcase_add_test(options, destination_options_round_trip);
    tcase_add_test(options, subscription_options_round_trip);
    tcase_add_test(options, any_number_but_zero_is_true);
    tcase_add_test(options, prompt_mode_with_its_answer);
    tcase_add_test(options, provider_architecture_with_its_demand);
    tcase_add_test(options, channels_are_flagged_numbers);
    tcase_add_test(options, custom_option);
    tcase_add_test(options, credentials);
    tcase_add_test(options, destination_options_have_no_flags);
    tcase_add_test(options, deleting_no_options_is_nothing);

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
