/* SPDX-License-Identifier: MIT */
/*
 * What a client calls: applications, sessions and operations (reference B.4 to B.9 and G.5).
 */
#include "../../unit/host_module.h"

#include "rows.h"

/* The answer of an operation, read to its end and closed. */
static MI_Result finish(MI_Operation *operation)
{
    char ids[256];
    MI_Result result = drain(operation, ids, sizeof(ids));
    return (int)result < 0 ? MI_RESULT_INVALID_PARAMETER : result;
}

static MI_Result finish_classes(MI_Operation *operation)
{
    const MI_Class *item = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;

    while (more &&
           MI_Operation_GetClass(operation, &item, &more, &result, NULL, NULL) == MI_RESULT_OK) {
    }
    MI_Operation_Close(operation);
    return result;
}

static MI_Result finish_indications(MI_Operation *operation)
{
    const MI_Instance *item = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;

    while (more && MI_Operation_GetIndication(operation, &item, NULL, NULL, &more, &result, NULL,
                                              NULL) == MI_RESULT_OK) {
    }
    MI_Operation_Close(operation);
    return result;
}

/* Starts an operation, whose final result must be MI_RESULT_<RESULT>. */
#define STARTED_BY(FINISH, RESULT, FUNCTION, CASE, ...)                                            \
    do {                                                                                           \
        MI_Operation started = MI_OPERATION_NULL;                                                  \
        FUNCTION(__VA_ARGS__, NULL, &started);                                                     \
        VOID_ROW(RESULT, FUNCTION, CASE, FINISH(&started));                                        \
    } while (0)
#define STARTED(...) STARTED_BY(finish, __VA_ARGS__)

static MI_Session none = MI_SESSION_NULL, stale = MI_SESSION_NULL;

/* The starters that begin alike: no session, a stale one, a namespace that nobody serves. */
#define STARTER(FINISH, FUNCTION, ...)                                                             \
    do {                                                                                           \
        STARTED_BY(FINISH, INVALID_PARAMETER, FUNCTION, "no session", NULL, 0, NULL, SPACE,        \
                   __VA_ARGS__);                                                                   \
        STARTED_BY(FINISH, INVALID_PARAMETER, FUNCTION, "a session without a table", &none, 0,     \
                   NULL, SPACE, __VA_ARGS__);                                                      \
        STARTED_BY(FINISH, INVALID_PARAMETER, FUNCTION, "a stale session", &stale, 0, NULL, SPACE, \
                   __VA_ARGS__);                                                                   \
        STARTED_BY(FINISH, INVALID_NAMESPACE, FUNCTION, "a namespace that nobody serves",          \
                   &session, 0, NULL, "root/nowhere", __VA_ARGS__);                                \
        FUNCTION(&session, 0, NULL, SPACE, __VA_ARGS__, NULL, NULL);                               \
    } while (0)

static void application_rows(void)
{
    MI_Application made = MI_APPLICATION_NULL;
    MI_Instance *error = NULL, *instance = NULL;
    MI_Class *class_item = NULL;
    MI_Session no_session;
    MI_HostedProvider provider;
    MI_OperationOptions operation_options;
    MI_DestinationOptions destination_options;
    MI_SubscriptionDeliveryOptions delivery_options;
    const MI_ClassDecl *parameters = (const MI_ClassDecl *)(const void *)&add_decl;

    ROW(OK, MI_Application_InitializeV1, "no flags", 0, NULL, &error, &made);
    ROW(INVALID_PARAMETER, MI_Application_InitializeV1, "flags", 1, NULL, &error, &made);
    ROW(INVALID_PARAMETER, MI_Application_InitializeV1, "nowhere to answer", 0, NULL, &error, NULL);
    MI_Application_InitializeV1(0, NULL, NULL, &made);
    NO_HANDLE(MI_Application, MI_Application_NewInstance, "C", NULL, &instance);
    ROW(OK, MI_Application_NewInstance, "dynamic", &made, "C", NULL, &instance);
    MI_Instance_Delete(instance);
    ROW(OK, MI_Application_NewInstance, "of a declaration", &made, NULL, &widget_decl, &instance);
    EFFECT(instance->classDecl == &widget_decl);
    MI_Instance_Delete(instance);
    ROW(INVALID_PARAMETER, MI_Application_NewInstance, "neither name nor declaration", &made, NULL,
        NULL, &instance);
    EFFECT(instance == NULL);
    ROW(INVALID_PARAMETER, MI_Application_NewInstance, "no CIM identifier", &made, "a b", NULL,
        &instance);
    NO_HANDLE(MI_Application, MI_Application_NewParameterSet, parameters, &instance);
    ROW(OK, MI_Application_NewParameterSet, "of a method", &made, parameters, &instance);
    MI_Instance_Delete(instance);
    ROW(INVALID_PARAMETER, MI_Application_NewParameterSet, "nowhere to answer", &made, parameters,
        NULL);
    made.ft->NewClass(&made, &gadget_decl, SPACE, NULL, &class_item);
    NO_HANDLE(MI_Application, MI_Application_NewInstanceFromClass, "T_Gadget", class_item,
              &instance);
    ROW(OK, MI_Application_NewInstanceFromClass, "of a class", &made, "T_Gadget", class_item,
        &instance);
    MI_Instance_Delete(instance);
    ROW(INVALID_PARAMETER, MI_Application_NewInstanceFromClass, "neither name nor class", &made,
        NULL, NULL, &instance);
    MI_Class_Delete(class_item);

    NO_HANDLE(MI_Application, MI_Application_NewOperationOptions, MI_FALSE, &operation_options);
    EFFECT(operation_options.ft == NULL);
    ROW(OK, MI_Application_NewOperationOptions, "new", &made, MI_FALSE, &operation_options);
    MI_OperationOptions_Delete(&operation_options);
    ROW(INVALID_PARAMETER, MI_Application_NewOperationOptions, "nowhere to answer", &made, MI_FALSE,
        NULL);
    NO_HANDLE(MI_Application, MI_Application_NewDestinationOptions, &destination_options);
    ROW(OK, MI_Application_NewDestinationOptions, "new", &made, &destination_options);
    MI_DestinationOptions_Delete(&destination_options);
    ROW(INVALID_PARAMETER, MI_Application_NewDestinationOptions, "nowhere to answer", &made, NULL);
    NO_HANDLE(MI_Application, MI_Application_NewSubscriptionDeliveryOptions,
              MI_SubscriptionDeliveryType_Pull, &delivery_options);
    ROW(OK, MI_Application_NewSubscriptionDeliveryOptions, "pull", &made,
        MI_SubscriptionDeliveryType_Pull, &delivery_options);
    MI_SubscriptionDeliveryOptions_Delete(&delivery_options);
    ROW(INVALID_PARAMETER, MI_Application_NewSubscriptionDeliveryOptions, "no such type", &made,
        (MI_SubscriptionDeliveryType)9, &delivery_options);

    NO_HANDLE(MI_Application, MI_Application_NewSession, NULL, NULL, NULL, NULL, &error,
              &no_session);
    ROW(NOT_SUPPORTED, MI_Application_NewSession, "miguard_host_session() makes them", &made, NULL,
        NULL, NULL, NULL, &error, &no_session);
    EFFECT(no_session.ft == NULL && error == NULL);
    ROW(INVALID_PARAMETER, MI_Application_NewSession, "nowhere to answer", &made, NULL, NULL, NULL,
        NULL, &error, NULL);
    NO_HANDLE(MI_Application, MI_Application_NewHostedProvider, SPACE, "p", test_main, &error,
              &provider);
    ROW(NOT_SUPPORTED, MI_Application_NewHostedProvider, "miguard_host_add() adds them", &made,
        SPACE, "p", test_main, &error, &provider);
    EFFECT(provider.ft == NULL);
    NO_HANDLE(MI_HostedProvider, MI_HostedProvider_Close);
    NO_HANDLE(MI_HostedProvider, MI_HostedProvider_GetApplication, &made);
    MI_Application_InitializeV1(0, NULL, NULL, &made);

    NO_HANDLE(MI_Application, MI_Application_Close);
    ROW(OK, MI_Application_Close, "an open one", &made);
    EFFECT(made.ft == NULL);
    ROW(INVALID_PARAMETER, MI_Application_Close, "closed", &made);
}

/* What the formats give is tested with the serializer itself. */
static void serializer_rows(void)
{
    MI_Char mof[] = "MI_MOF_CIMV2_EXTV1", unknown[] = "MI_NOTHING";
    MI_Serializer serializer;
    MI_Deserializer deserializer;

    NO_HANDLE(MI_Application, MI_Application_NewSerializer, 0, mof, &serializer);
    ROW(OK, MI_Application_NewSerializer, "MOF", &application, 0, mof, &serializer);
    ROW(NOT_SUPPORTED, MI_Application_NewSerializer, "no such format", &application, 0, unknown,
        &serializer);
    ROW(INVALID_PARAMETER, MI_Application_NewSerializer, "flags", &application, 1, mof,
        &serializer);
    ROW(INVALID_PARAMETER, MI_Application_NewSerializer, "no format", &application, 0, NULL,
        &serializer);
    NO_HANDLE(MI_Application, MI_Application_NewDeserializer, 0, mof, &deserializer);
    ROW(OK, MI_Application_NewDeserializer, "MOF", &application, 0, mof, &deserializer);
    ROW(NOT_SUPPORTED, MI_Application_NewDeserializer, "no such format", &application, 0, unknown,
        &deserializer);
    ROW(INVALID_PARAMETER, MI_Application_NewDeserializer, "flags", &application, 1, mof,
        &deserializer);
    ROW(INVALID_PARAMETER, MI_Application_NewDeserializer, "no format", &application, 0, NULL,
        &deserializer);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static void instance_rows(void)
{
    MI_Instance *a = key("T_Widget", "a"), *absent = key("T_Widget", "none"),
                *keyless = key("T_Widget", NULL), *bare = key("T_Bare", "x");

    STARTER(finish, MI_Session_GetInstance, a);
    STARTED(OK, MI_Session_GetInstance, "by its key", &session, 0, NULL, SPACE, a);
    STARTED(INVALID_PARAMETER, MI_Session_GetInstance, "no key", &session, 0, NULL, SPACE, NULL);
    STARTED(NOT_FOUND, MI_Session_GetInstance, "no such instance", &session, 0, NULL, SPACE,
            absent);
    STARTED(NO_SUCH_PROPERTY, MI_Session_GetInstance, "without its key", &session, 0, NULL, SPACE,
            keyless);
    STARTED(INVALID_CLASS, MI_Session_GetInstance, "a class without functions", &session, 0, NULL,
            SPACE, bare);
    STARTER(finish, MI_Session_CreateInstance, a);
    STARTED(OK, MI_Session_CreateInstance, "new", &session, 0, NULL, SPACE, a);
    STARTED(INVALID_PARAMETER, MI_Session_CreateInstance, "no instance", &session, 0, NULL, SPACE,
            NULL);
    STARTED(NOT_SUPPORTED, MI_Session_CreateInstance, "a class without functions", &session, 0,
            NULL, SPACE, bare);
    STARTER(finish, MI_Session_ModifyInstance, a);
    STARTED(OK, MI_Session_ModifyInstance, "there", &session, 0, NULL, SPACE, a);
    STARTED(INVALID_PARAMETER, MI_Session_ModifyInstance, "no instance", &session, 0, NULL, SPACE,
            NULL);
    STARTED(NO_SUCH_PROPERTY, MI_Session_ModifyInstance, "without its key", &session, 0, NULL,
            SPACE, keyless);
    STARTED(NOT_SUPPORTED, MI_Session_ModifyInstance, "a class without functions", &session, 0,
            NULL, SPACE, bare);
    STARTER(finish, MI_Session_DeleteInstance, a);
    STARTED(OK, MI_Session_DeleteInstance, "there", &session, 0, NULL, SPACE, a);
    STARTED(INVALID_PARAMETER, MI_Session_DeleteInstance, "no key", &session, 0, NULL, SPACE, NULL);
    STARTED(NOT_FOUND, MI_Session_DeleteInstance, "no such instance", &session, 0, NULL, SPACE,
            absent);
    STARTED(NOT_SUPPORTED, MI_Session_DeleteInstance, "a class without functions", &session, 0,
            NULL, SPACE, bare);
    MI_Instance_Delete(a);
    MI_Instance_Delete(absent);
    MI_Instance_Delete(keyless);
    MI_Instance_Delete(bare);
}

static void invoke_rows(void)
{
    MI_Instance *inputs = NULL, *a = key("T_Widget", "a"), *wrong = NULL;
    MI_Value number_value = {.uint32 = 2}, text_value = {.string = (MI_Char *)(uintptr_t) "x"};

    MI_Application_NewInstance(&application, "Add", NULL, &inputs);
    MI_Instance_AddElement(inputs, "A", &number_value, MI_UINT32, 0);
    MI_Instance_AddElement(inputs, "B", &number_value, MI_UINT32, 0);
    MI_Application_NewInstance(&application, "Add", NULL, &wrong);
    MI_Instance_AddElement(wrong, "A", &text_value, MI_STRING, 0);
    STARTER(finish, MI_Session_Invoke, "T_Widget", "Add", NULL, inputs);
    STARTED(OK, MI_Session_Invoke, "a static method", &session, 0, NULL, SPACE, "T_Widget", "Add",
            NULL, inputs);
    STARTED(OK, MI_Session_Invoke, "a method of an instance", &session, 0, NULL, SPACE, "T_Widget",
            "Touch", a, NULL);
    STARTED(INVALID_PARAMETER, MI_Session_Invoke, "without its instance", &session, 0, NULL, SPACE,
            "T_Widget", "Touch", NULL, NULL);
    STARTED(INVALID_PARAMETER, MI_Session_Invoke, "no method name", &session, 0, NULL, SPACE,
            "T_Widget", NULL, NULL, inputs);
    STARTED(METHOD_NOT_FOUND, MI_Session_Invoke, "no such method", &session, 0, NULL, SPACE,
            "T_Widget", "Nothing", NULL, inputs);
    STARTED(METHOD_NOT_AVAILABLE, MI_Session_Invoke, "a method without a function", &session, 0,
            NULL, SPACE, "T_Widget", "Absent", NULL, inputs);
    STARTED(TYPE_MISMATCH, MI_Session_Invoke, "an input of another type", &session, 0, NULL, SPACE,
            "T_Widget", "Add", NULL, wrong);
    MI_Instance_Delete(inputs);
    MI_Instance_Delete(wrong);
    MI_Instance_Delete(a);
}

static void many_rows(void)
{
    MI_Instance *a = key("T_Widget", "a");

    STARTER(finish, MI_Session_EnumerateInstances, "T_Base", MI_FALSE);
    STARTED(OK, MI_Session_EnumerateInstances, "with derived classes", &session, 0, NULL, SPACE,
            "T_Base", MI_FALSE);
    STARTED(INVALID_PARAMETER, MI_Session_EnumerateInstances, "no class name", &session, 0, NULL,
            SPACE, NULL, MI_FALSE);
    STARTED(NOT_SUPPORTED, MI_Session_EnumerateInstances, "a class without functions", &session, 0,
            NULL, SPACE, "T_Bare", MI_FALSE);
    STARTED(INVALID_CLASS, MI_Session_EnumerateInstances, "a class without a provider", &session, 0,
            NULL, SPACE, "T_Hollow", MI_FALSE);

    STARTER(finish, MI_Session_QueryInstances, "WQL", "select * from T_Widget");
    STARTED(OK, MI_Session_QueryInstances, "one of two", &session, 0, NULL, SPACE, "WQL",
            "select * from T_Widget where Count = 2");
    STARTED(INVALID_PARAMETER, MI_Session_QueryInstances, "no dialect", &session, 0, NULL, SPACE,
            NULL, "select * from T_Widget");
    STARTED(INVALID_PARAMETER, MI_Session_QueryInstances, "no query", &session, 0, NULL, SPACE,
            "WQL", NULL);
    STARTED(QUERY_LANGUAGE_NOT_SUPPORTED, MI_Session_QueryInstances, "another dialect", &session, 0,
            NULL, SPACE, "XPath", "//x");
    STARTED(INVALID_QUERY, MI_Session_QueryInstances, "no query", &session, 0, NULL, SPACE, "WQL",
            "select from");
    STARTED(INVALID_QUERY, MI_Session_QueryInstances, "an unknown property", &session, 0, NULL,
            SPACE, "WQL", "select * from T_Widget where Nothing = 2");

    STARTER(finish, MI_Session_AssociatorInstances, a, "T_Link", NULL, NULL, NULL, MI_FALSE);
    STARTED(OK, MI_Session_AssociatorInstances, "by the association", &session, 0, NULL, SPACE, a,
            "T_Link", NULL, NULL, NULL, MI_FALSE);
    STARTED(INVALID_PARAMETER, MI_Session_AssociatorInstances, "no object", &session, 0, NULL,
            SPACE, NULL, "T_Link", NULL, NULL, NULL, MI_FALSE);
    STARTER(finish, MI_Session_ReferenceInstances, a, "T_Link", NULL, MI_FALSE);
    STARTED(OK, MI_Session_ReferenceInstances, "a provider that knows none", &session, 0, NULL,
            SPACE, a, "T_Link", NULL, MI_FALSE);
    STARTED(INVALID_PARAMETER, MI_Session_ReferenceInstances, "no object", &session, 0, NULL, SPACE,
            NULL, "T_Link", NULL, MI_FALSE);
    MI_Instance_Delete(a);
}

/* Whether the first gadget has its types, and its class the whole line of superclasses. */
static bool is_typed(const MI_Instance *gadget)
{
    MI_Class *own = NULL, *parent = NULL;
    const MI_Char *name = NULL;
    MI_Value value;
    MI_Type type = MI_STRING;

    bool typed =
        gadget != NULL &&
        MI_Instance_GetElement(gadget, "Weight", &value, &type, NULL, NULL) == MI_RESULT_OK &&
        type == MI_UINT32 && MI_Instance_GetClass(gadget, &own) == MI_RESULT_OK &&
        MI_Class_GetParentClass(own, &parent) == MI_RESULT_OK &&
        MI_Class_GetParentClassName(parent, &name) == MI_RESULT_OK && strcmp(name, "T_Base") == 0;
    MI_Class_Delete(parent);
    MI_Class_Delete(own);
    return typed;
}

/* How much of the types a client takes (reference B.3). Whatever it asks for, except for strings
 * alone, it gets the right type at every level of the class. */
static void type_rows(void)
{
    static const MI_Uint32 flags[] = {MI_OPERATIONFLAGS_DEFAULT_RTTI, MI_OPERATIONFLAGS_BASIC_RTTI,
                                      MI_OPERATIONFLAGS_STANDARD_RTTI, MI_OPERATIONFLAGS_FULL_RTTI,
                                      MI_OPERATIONFLAGS_FULL_RTTI |
                                          MI_OPERATIONFLAGS_LOCALIZED_QUALIFIERS};

    for (size_t i = 0; i < COUNT(flags); i++) {
        MI_Operation operation = MI_OPERATION_NULL;
        const MI_Instance *gadget = NULL;
        MI_Boolean more = MI_FALSE;
        MI_Result result = MI_RESULT_FAILED;

        MI_Session_EnumerateInstances(&session, flags[i], NULL, SPACE, "T_Gadget", MI_FALSE, NULL,
                                      &operation);
        ROW(OK, MI_Operation_GetInstance, "with types", &operation, &gadget, &more, &result, NULL,
            NULL);
        EFFECT(is_typed(gadget));
        VOID_ROW(OK, MI_Session_EnumerateInstances, "with types", finish(&operation));
    }
}

static void class_rows(void)
{
    STARTER(finish_classes, MI_Session_GetClass, "T_Widget");
    STARTED_BY(finish_classes, OK, MI_Session_GetClass, "declared", &session, 0, NULL, SPACE,
               "T_Widget");
    STARTED_BY(finish_classes, INVALID_PARAMETER, MI_Session_GetClass, "no name", &session, 0, NULL,
               SPACE, NULL);
    STARTED_BY(finish_classes, NOT_SUPPORTED, MI_Session_GetClass,
               "known to the dynamic provider alone", &session, 0, NULL, SPACE, "T_Nowhere");
    STARTER(finish_classes, MI_Session_EnumerateClasses, NULL, MI_FALSE);
    STARTED_BY(finish_classes, OK, MI_Session_EnumerateClasses, "all", &session, 0, NULL, SPACE,
               NULL, MI_FALSE);
    STARTED_BY(finish_classes, NOT_SUPPORTED, MI_Session_EnumerateClasses,
               "below a class of the dynamic provider alone", &session, 0, NULL, SPACE, "T_Nowhere",
               MI_FALSE);
}

static void subscribe_rows(void)
{
    static const char query[] = "select * from T_Alert";
    MI_Operation operation = MI_OPERATION_NULL;

    STARTER(finish_indications, MI_Session_Subscribe, "WQL", query, NULL);
    STARTED_BY(finish_indications, INVALID_PARAMETER, MI_Session_Subscribe, "no dialect", &session,
               0, NULL, SPACE, NULL, query, NULL);
    STARTED_BY(finish_indications, QUERY_LANGUAGE_NOT_SUPPORTED, MI_Session_Subscribe,
               "another dialect", &session, 0, NULL, SPACE, "XPath", "//x", NULL);
    STARTED_BY(finish_indications, INVALID_QUERY, MI_Session_Subscribe, "no query", &session, 0,
               NULL, SPACE, "WQL", "select", NULL);
    STARTED_BY(finish_indications, INVALID_QUERY, MI_Session_Subscribe, "no indication class",
               &session, 0, NULL, SPACE, "WQL", "select * from T_Widget", NULL);
    (void)operation;
}

static unsigned completed;

static void on_completion(void *context)
{
    (*(unsigned *)context)++;
}

static void session_rows(void)
{
    MI_Application got = MI_APPLICATION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    struct miguard_host *other = NULL;
    struct miguard_host_options options = {0};

    bool made = miguard_host_new(&options, &other, NULL) == MIGUARD_OK &&
                miguard_host_session(other, &stale, NULL) == MIGUARD_OK;
    ROW(INVALID_PARAMETER, MI_Session_Close, "no session", NULL, NULL, NULL);
    EFFECT(made);
    ROW(OK, MI_Session_Close, "no session, with a callback", NULL, &completed, on_completion);
    EFFECT(completed == 1);
    ROW(OK, MI_Session_Close, "an open one",
        &(MI_Session){stale.reserved1, stale.reserved2, stale.ft}, NULL, NULL);
    ROW(INVALID_PARAMETER, MI_Session_Close, "closed; the callback is not made", &stale, &completed,
        on_completion);
    EFFECT(completed == 1);
    miguard_host_free(other);
    NO_HANDLE(MI_Session, MI_Session_GetApplication, &got);
    EFFECT(got.ft == NULL);
    ROW(OK, MI_Session_GetApplication, "of an open session", &session, &got);
    ROW(INVALID_PARAMETER, MI_Session_GetApplication, "of a closed session", &stale, &got);
    ROW(INVALID_PARAMETER, MI_Session_GetApplication, "nowhere to answer", &session, NULL);

    MI_Session_TestConnection(&session, 0, NULL, &operation);
    VOID_ROW(OK, MI_Session_TestConnection, "an open session", finish(&operation));
    MI_Session_TestConnection(&stale, 0, NULL, &operation);
    VOID_ROW(INVALID_PARAMETER, MI_Session_TestConnection, "a closed session", finish(&operation));
    MI_Session_TestConnection(NULL, 0, NULL, &operation);
    VOID_ROW(INVALID_PARAMETER, MI_Session_TestConnection, "no session", finish(&operation));
}

/* ---- operations ------------------------------------------------------------------------------ */

static MI_Operation start_get(void)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *a = key("T_Widget", "a");

    MI_Session_GetInstance(&session, 0, NULL, SPACE, a, NULL, &operation);
    MI_Instance_Delete(a);
    return operation;
}

/* The operation refused to start: each way of reading it gives the reason (reference B.5). */
static void failed_operation_rows(void)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL, *details = NULL;
    const MI_Class *class_item = NULL;
    const MI_Char *message = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    MI_Session parent;

    MI_Session_GetInstance(&session, 0, NULL, SPACE, NULL, NULL, &operation);
    ROW(OK, MI_Operation_GetInstance, "of a failed start", &operation, &instance, &more, &result,
        &message, &details);
    EFFECT(result == MI_RESULT_INVALID_PARAMETER && !more && instance == NULL);
    ROW(OK, MI_Operation_GetClass, "of a failed start", &operation, &class_item, &more, &result,
        &message, &details);
    EFFECT(result == MI_RESULT_INVALID_PARAMETER);
    ROW(OK, MI_Operation_GetIndication, "of a failed start", &operation, &instance, NULL, NULL,
        &more, &result, &message, &details);
    EFFECT(result == MI_RESULT_INVALID_PARAMETER);
    ROW(OK, MI_Operation_GetSession, "of a failed start", &operation, &parent);
    EFFECT(parent.ft != NULL);
    ROW(FAILED, MI_Operation_Cancel, "of a failed start", &operation, MI_REASON_NONE);
    ROW(OK, MI_Operation_Close, "of a failed start", &operation);
    EFFECT(operation.ft == NULL);
}

static void operation_rows(void)
{
    MI_Operation operation = start_get(), copy = operation;
    const MI_Instance *instance = NULL, *details = NULL;
    const MI_Class *class_item = NULL;
    const MI_Char *message = NULL, *bookmark = NULL, *machine = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    MI_Session parent;

    NO_HANDLE(MI_Operation, MI_Operation_GetInstance, &instance, &more, &result, &message,
              &details);
    EFFECT(result == MI_RESULT_INVALID_PARAMETER && !more);
    NO_HANDLE(MI_Operation, MI_Operation_GetIndication, &instance, &bookmark, &machine, &more,
              &result, &message, &details);
    NO_HANDLE(MI_Operation, MI_Operation_GetClass, &class_item, &more, &result, &message, &details);
    NO_HANDLE(MI_Operation, MI_Operation_Close);
    NO_HANDLE(MI_Operation, MI_Operation_Cancel, MI_REASON_NONE);
    NO_HANDLE(MI_Operation, MI_Operation_GetSession, &parent);
    EFFECT(parent.ft == NULL);

    ROW(OK, MI_Operation_GetSession, "running", &operation, &parent);
    EFFECT(parent.reserved1 == session.reserved1 && parent.ft == session.ft);
    ROW(INVALID_PARAMETER, MI_Operation_GetSession, "nowhere to answer", &operation, NULL);
    ROW(INVALID_PARAMETER, MI_Operation_GetClass, "an operation of instances", &operation,
        &class_item, &more, &result, &message, &details);
    ROW(INVALID_PARAMETER, MI_Operation_GetIndication, "an operation of instances", &operation,
        &instance, &bookmark, &machine, &more, &result, &message, &details);
    ROW(INVALID_PARAMETER, MI_Operation_GetInstance, "nowhere for the instance", &operation, NULL,
        &more, &result, &message, &details);
    EFFECT(result == MI_RESULT_INVALID_PARAMETER);
    ROW(OK, MI_Operation_GetInstance, "the only one", &operation, &instance, &more, &result,
        &message, &details);
    EFFECT(instance != NULL && result == MI_RESULT_OK);
    while (more) {
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    }
    ROW(OK, MI_Operation_GetInstance, "again, after the end", &operation, &instance, &more, &result,
        &message, &details);
    EFFECT(instance == NULL && !more && result == MI_RESULT_OK);
    ROW(OK, MI_Operation_Cancel, "after the end", &operation, MI_REASON_NONE);
    ROW(OK, MI_Operation_Close, "read to its end", &operation);
    ROW(INVALID_PARAMETER, MI_Operation_Close, "a stale copy", &copy);
    ROW(INVALID_PARAMETER, MI_Operation_Cancel, "a stale copy", &copy, MI_REASON_NONE);
    ROW(INVALID_PARAMETER, MI_Operation_GetSession, "a stale copy", &copy, &parent);
    ROW(INVALID_PARAMETER, MI_Operation_GetInstance, "a stale copy", &copy, &instance, &more,
        &result, &message, &details);

    MI_Session_GetClass(&session, 0, NULL, SPACE, "T_Widget", NULL, &operation);
    ROW(OK, MI_Operation_GetClass, "the only one", &operation, &class_item, &more, &result,
        &message, &details);
    EFFECT(class_item != NULL);
    finish_classes(&operation);
}

void client_rows(void)
{
    if (!start_host()) {
        VOID_ROW(OK, MI_Session_TestConnection, "the host starts", MI_RESULT_FAILED);
        return;
    }
    application_rows();
    serializer_rows();
    session_rows();
    instance_rows();
    invoke_rows();
    many_rows();
    type_rows();
    class_rows();
    subscribe_rows();
    failed_operation_rows();
    operation_rows();
    stop_host();
}
