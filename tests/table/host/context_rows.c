/* SPDX-License-Identifier: MIT */
/*
 * What a provider calls: its context, on a request, in an Unload, and after the end (reference E),
 * the server, and the indications that it posts (reference D.5).
 */
#include "../../unit/host_module.h"

#include "rows.h"

static MI_Server *seen_server;

/* As the generated code of a module has them. */
MI_Result MI_Server_GetVersion(MI_Uint32 *version)
{
    return seen_server->serverFT->GetVersion(version);
}

MI_Result MI_Server_GetSystemName(const MI_Char **name)
{
    return seen_server->serverFT->GetSystemName(name);
}

static void server_rows(void)
{
    MI_Uint32 version = 0;
    const MI_Char *name = NULL;

    ROW(OK, MI_Server_GetVersion, "of the host", &version);
    EFFECT(version == MI_VERSION);
    ROW(INVALID_PARAMETER, MI_Server_GetVersion, "nowhere to answer", NULL);
    ROW(OK, MI_Server_GetSystemName, "of the host", &name);
    EFFECT(name != NULL && name[0] != '\0');
    ROW(INVALID_PARAMETER, MI_Server_GetSystemName, "nowhere to answer", NULL);
}

/* ---- every slot ------------------------------------------------------------------------------ */

static void on_cancel(MI_CancellationReason reason, void *data)
{
    (void)reason;
    (void)data;
}

/* What a call of MI_Context_<NAME> answers on a request, in the Unload of a module, and at the end.
 */
#define ON_ALL(NAME, IN_REQUEST, IN_UNLOAD, ...)                                                   \
    switch (stage) {                                                                               \
    case STAGE_REQUEST:                                                                            \
        NO_HANDLE(MI_Context, MI_Context_##NAME, ##__VA_ARGS__);                                   \
        ROW(IN_REQUEST, MI_Context_##NAME, "on a request", context, ##__VA_ARGS__);                \
        break;                                                                                     \
    case STAGE_UNLOAD:                                                                             \
        ROW(IN_UNLOAD, MI_Context_##NAME, "in the Unload of a module", context, ##__VA_ARGS__);    \
        break;                                                                                     \
    case STAGE_END:                                                                                \
        ROW(INVALID_PARAMETER, MI_Context_##NAME, "after the end", context, ##__VA_ARGS__);        \
    }

enum stage { STAGE_REQUEST, STAGE_UNLOAD, STAGE_END };

static void making_rows(MI_Context *context, enum stage stage)
{
    struct gadget gadget;
    struct add add;
    MI_Instance *instance = NULL;

    ON_ALL(ConstructInstance, OK, OK, &gadget_decl, &gadget.instance);
    if (stage != STAGE_END) {
        EFFECT(!gadget.Weight.exists && gadget.instance.classDecl == &gadget_decl);
        MI_Instance_Destruct(&gadget.instance);
    }
    ROW(INVALID_PARAMETER, MI_Context_ConstructInstance, "no class", context, NULL,
        &gadget.instance);
    ON_ALL(ConstructParameters, OK, OK, &add_decl, &add.instance);
    if (stage != STAGE_END) {
        EFFECT(!add.MIReturn.exists);
        MI_Instance_Destruct(&add.instance);
    }
    ROW(INVALID_PARAMETER, MI_Context_ConstructParameters, "no method", context, NULL,
        &add.instance);
    ON_ALL(NewInstance, OK, OK, &gadget_decl, &instance);
    EFFECT((instance != NULL) == (stage != STAGE_END));
    MI_Instance_Delete(instance);
    ROW(INVALID_PARAMETER, MI_Context_NewInstance, "no class", context, NULL, &instance);
    EFFECT(instance == NULL);
    ON_ALL(NewDynamicInstance, OK, OK, "Any_Name", 0, &instance);
    MI_Instance_Delete(instance);
    ROW(INVALID_PARAMETER, MI_Context_NewDynamicInstance, "no CIM identifier", context, "1 bad", 0,
        &instance);
    EFFECT(instance == NULL);
    ON_ALL(NewParameters, OK, OK, &add_decl, &instance);
    MI_Instance_Delete(instance);
    ROW(INVALID_PARAMETER, MI_Context_NewParameters, "no method", context, NULL, &instance);
}

static void state_rows(MI_Context *context, enum stage stage)
{
    MI_Boolean canceled = MI_TRUE;
    MI_Char locale[MI_MAX_LOCALE_SIZE] = "x";
    MI_Session local = MI_SESSION_NULL;
    MI_LifecycleIndicationContext *lifecycle = NULL;

    ON_ALL(Canceled, OK, OK, &canceled);
    EFFECT(canceled == (stage == STAGE_END));
    ROW(INVALID_PARAMETER, MI_Context_Canceled, "nowhere to answer", context, NULL);
    ON_ALL(GetLocale, OK, NOT_SUPPORTED, MI_LOCALE_TYPE_CLOSEST_UI, locale);
    EFFECT(strcmp(locale, stage == STAGE_REQUEST ? "de-CH" : "") == 0);
    if (stage == STAGE_REQUEST) {
        ROW(NOT_SUPPORTED, MI_Context_GetLocale, "not asked for", context,
            MI_LOCALE_TYPE_REQUESTED_DATA, locale);
        EFFECT(locale[0] == '\0');
    }
    ON_ALL(RegisterCancel, OK, NOT_SUPPORTED, on_cancel, NULL);
    ON_ALL(GetLocalSession, OK, OK, &local);
    EFFECT((local.ft != NULL) == (stage != STAGE_END));
    ROW(INVALID_PARAMETER, MI_Context_GetLocalSession, "nowhere to answer", context, NULL);
    ON_ALL(GetLifecycleIndicationContext, NOT_SUPPORTED, NOT_SUPPORTED, &lifecycle);
    EFFECT(lifecycle == NULL);
    if (stage == STAGE_REQUEST) {
        ON_ALL(RefuseUnload, OK, INVALID_PARAMETER);
        ON_ALL(RequestUnload, OK, INVALID_PARAMETER);
    } else {
        ROW(INVALID_PARAMETER, MI_Context_RefuseUnload, "no provider", context);
        ROW(INVALID_PARAMETER, MI_Context_RequestUnload, "no provider", context);
    }
}

static void option_rows(MI_Context *context, enum stage stage)
{
    const MI_Char *string = "x", *name = NULL;
    MI_Uint32 number_value = 9, count = 9;
    MI_Value value;
    MI_Type type = MI_STRING;

    ON_ALL(SetFilterOption, OK, OK, MI_TRUE);
    ON_ALL(SetStringOption, OK, OK, "__FilterByProvider", "TRUE");
    if (stage == STAGE_REQUEST) {
        ROW(NOT_SUPPORTED, MI_Context_SetStringOption, "another name", context, "Other", "TRUE");
        ROW(INVALID_PARAMETER, MI_Context_SetStringOption, "no name", context, NULL, "TRUE");
    }
    ON_ALL(GetStringOption, OK, INVALID_PARAMETER, "Colour", &string);
    EFFECT((string != NULL) == (stage == STAGE_REQUEST));
    ON_ALL(GetNumberOption, OK, INVALID_PARAMETER, "Size", &number_value);
    ON_ALL(GetCustomOption, OK, INVALID_PARAMETER, "Colour", &type, &value);
    ON_ALL(GetCustomOptionCount, OK, INVALID_PARAMETER, &count);
    EFFECT(count == (stage == STAGE_REQUEST ? 2 : 0));
    ON_ALL(GetCustomOptionAt, OK, INVALID_PARAMETER, 0, &name, &type, &value);
    if (stage == STAGE_REQUEST) {
        EFFECT(strcmp(name, "Colour") == 0 && number_value == 12);
        ROW(NO_SUCH_PROPERTY, MI_Context_GetStringOption, "a number", context, "Size", &string);
        EFFECT(string == NULL);
        ROW(NO_SUCH_PROPERTY, MI_Context_GetNumberOption, "a string", context, "Colour",
            &number_value);
        ROW(NO_SUCH_PROPERTY, MI_Context_GetCustomOption, "not set", context, "X", &type, &value);
        ROW(NO_SUCH_PROPERTY, MI_Context_GetCustomOptionAt, "one too far", context, 2, &name, &type,
            &value);
        ROW(INVALID_PARAMETER, MI_Context_GetCustomOptionCount, "nowhere to answer", context, NULL);
    }
}

static void writing_rows(MI_Context *context, enum stage stage)
{
    MI_Boolean go = 9;
    MI_Instance *error = NULL;
    MI_Value value = {.uint32 = 1};

    MI_Application_NewInstance(&application, "CIM_Error", NULL, &error);
    ON_ALL(WriteMessage, OK, OK, MI_WRITEMESSAGE_CHANNEL_WARNING, "m");
    ON_ALL(WriteWarning, OK, OK, "m");
    ON_ALL(WriteVerbose, OK, OK, "m");
    ON_ALL(WriteDebug, OK, OK, "m");
    ON_ALL(WriteProgress, OK, OK, "a", "b", "c", 1, 1);
    ON_ALL(WriteStreamParameter, NOT_SUPPORTED, NOT_SUPPORTED, "P", &value, MI_UINT32, 0);
    ON_ALL(WriteError, OK, OK, 1, MI_RESULT_TYPE_MI, "m", &go);
    EFFECT(go == (stage != STAGE_END));
    ON_ALL(WriteCimError, OK, OK, error, &go);
    EFFECT(go == (stage != STAGE_END));
    ON_ALL(PromptUser, OK, OK, "m", MI_PROMPTTYPE_NORMAL, &go);
    EFFECT(go == (stage != STAGE_END));
    ON_ALL(ShouldProcess, OK, OK, "t", "a", &go);
    EFFECT(go == (stage != STAGE_END));
    ON_ALL(ShouldContinue, OK, OK, "m", &go);
    EFFECT(go == (stage != STAGE_END));
    ROW(INVALID_PARAMETER, MI_Context_WriteCimError, "no error", context, NULL, &go);
    EFFECT(go == MI_FALSE);
    ROW(INVALID_PARAMETER, MI_Context_PromptUser, "no message", context, NULL, MI_PROMPTTYPE_NORMAL,
        &go);
    ROW(INVALID_PARAMETER, MI_Context_WriteMessage, "no message", context,
        MI_WRITEMESSAGE_CHANNEL_WARNING, NULL);
    MI_Instance_Delete(error);
}

static void posting_rows(MI_Context *context, enum stage stage)
{
    MI_Instance *instance = NULL, *keyless = NULL;
    MI_Value id = {.string = (MI_Char *)(uintptr_t) "a"};

    MI_Application_NewInstance(&application, NULL, &widget_decl, &instance);
    MI_Application_NewInstance(&application, NULL, &widget_decl, &keyless);
    MI_Instance_SetElement(instance, "Id", &id, MI_STRING, 0);
    ON_ALL(PostIndication, NOT_SUPPORTED, NOT_SUPPORTED, instance, 0, NULL);
    ON_ALL(PostInstance, OK, NOT_SUPPORTED, instance);
    if (stage == STAGE_REQUEST) {
        ROW(INVALID_PARAMETER, MI_Context_PostInstance, "no instance", context, NULL);
        ROW(FAILED, MI_Context_PostInstance, "a key that is NULL", context, keyless);
    }
    MI_Instance_Delete(instance);
    MI_Instance_Delete(keyless);
}

static void all_rows(MI_Context *context, enum stage stage)
{
    making_rows(context, stage);
    state_rows(context, stage);
    option_rows(context, stage);
    writing_rows(context, stage);
    posting_rows(context, stage);
}

/* ---- the three stages, and the three ways to end --------------------------------------------- */

static enum { END_RESULT, END_ERROR, END_CIM_ERROR, END_NULL_ERROR } way;

static void end_by(MI_Context *context)
{
    MI_Instance *error = NULL;
    MI_Value status = {.uint32 = MI_RESULT_NOT_FOUND};

    MI_Application_NewInstance(&application, "CIM_Error", NULL, &error);
    MI_Instance_AddElement(error, "CIMStatusCode", &status, MI_UINT32, 0);
    switch (way) {
    case END_RESULT:
        NO_HANDLE(MI_Context, MI_Context_PostResult, MI_RESULT_OK);
        ROW(OK, MI_Context_PostResult, "once", context, MI_RESULT_ALREADY_EXISTS);
        ROW(INVALID_PARAMETER, MI_Context_PostResult, "twice", context, MI_RESULT_OK);
        break;
    case END_ERROR:
        NO_HANDLE(MI_Context, MI_Context_PostError, 2, MI_RESULT_TYPE_ERRNO, "m");
        ROW(OK, MI_Context_PostError, "once", context, 2, MI_RESULT_TYPE_ERRNO, "m");
        ROW(INVALID_PARAMETER, MI_Context_PostError, "twice", context, 2, MI_RESULT_TYPE_ERRNO,
            "m");
        break;
    case END_CIM_ERROR:
        NO_HANDLE(MI_Context, MI_Context_PostCimError, error);
        ROW(OK, MI_Context_PostCimError, "once", context, error);
        ROW(INVALID_PARAMETER, MI_Context_PostCimError, "twice", context, error);
        break;
    case END_NULL_ERROR:
        ROW(INVALID_PARAMETER, MI_Context_PostCimError, "none: the request ends all the same",
            context, NULL);
        ROW(INVALID_PARAMETER, MI_Context_PostResult, "after that", context, MI_RESULT_OK);
    }
    MI_Instance_Delete(error);
}

static void ending_get(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    end_by(context);
}

static void request_get(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    all_rows(context, STAGE_REQUEST);
    MI_Context_PostResult(context, MI_RESULT_OK);
    all_rows(context, STAGE_END);
}

static void rows_in_unload(MI_Context *context)
{
    all_rows(context, STAGE_UNLOAD);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_Result get_with_options(void)
{
    MI_OperationOptions options;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *a = key("T_Widget", "a");
    char ids[64];

    MI_Application_NewOperationOptions(&application, MI_FALSE, &options);
    MI_OperationOptions_SetString(&options, "Colour", "green", 0);
    MI_OperationOptions_SetNumber(&options, "Size", 12, 0);
    MI_OperationOptions_SetString(&options, "__MI_DESTINATIONOPTIONS_UI_LOCALE", "de-CH", 0);
    MI_Session_GetInstance(&session, 0, &options, SPACE, a, NULL, &operation);
    MI_Instance_Delete(a);
    MI_OperationOptions_Delete(&options);
    return drain(&operation, ids, sizeof(ids));
}

static void request_rows(void)
{
    static const MI_Result answers[] = {MI_RESULT_ALREADY_EXISTS, MI_RESULT_FAILED,
                                        MI_RESULT_NOT_FOUND, MI_RESULT_FAILED};

    hooks.module_unload = rows_in_unload;
    hooks.get = request_get;
    get_with_options();
    hooks.get = ending_get;
    for (way = END_RESULT; way <= END_NULL_ERROR; way++) {
        MI_Result answer = get_with_options();
        EFFECT(answer == answers[way]);
    }
    hooks.get = NULL;
}

/* ---- streamed parameters --------------------------------------------------------------------- */

static void stream_method(void *self, MI_Context *context, const MI_Char *name_space,
                          const MI_Char *class_name, const MI_Char *method_name,
                          const MI_Instance *instance, const MI_Instance *parameters)
{
    MI_Char *line = (MI_Char *)(uintptr_t) "x";
    MI_Value lines = {.stringa = {&line, 1}}, one = {.uint32 = 1};
    (void)self, (void)name_space, (void)class_name, (void)method_name, (void)instance;
    (void)parameters;

    ROW(OK, MI_Context_WriteStreamParameter, "a part", context, "Lines", &lines, MI_STRINGA, 0);
    ROW(NO_SUCH_PROPERTY, MI_Context_WriteStreamParameter, "one that is not streamed", context,
        "MIReturn", &one, MI_UINT32A, 0);
    ROW(TYPE_MISMATCH, MI_Context_WriteStreamParameter, "another type", context, "Lines", &one,
        MI_UINT32, 0);
    ROW(INVALID_PARAMETER, MI_Context_WriteStreamParameter, "no value", context, "Lines", NULL,
        MI_STRINGA, 0);
    post_sum(context, &watch_decl, 1, 0);
}

static void stream_rows(void)
{
    MI_Operation operation = MI_OPERATION_NULL;
    char ids[64];

    MI_Session_Invoke(&session, 0, NULL, SPACE, "T_Widget", "Watch", NULL, NULL, NULL, &operation);
    VOID_ROW(OK, MI_Session_Invoke, "with streamed output", drain(&operation, ids, sizeof(ids)));
}

/* ---- indications ----------------------------------------------------------------------------- */

static MI_ClassDecl alert_decl;
static MI_SchemaDecl alert_schema;
static const MI_ClassDecl *const alert_classes[] = {&alert_decl};
static _Atomic(MI_Context *) enabled_on;

static void alert_enable(void *self, MI_Context *context, const MI_Char *name_space,
                         const MI_Char *class_name)
{
    (void)self, (void)name_space, (void)class_name;
    atomic_store(&enabled_on, context);
}

static void alert_end(void *self, MI_Context *context, const MI_Char *name_space,
                      const MI_Char *class_name)
{
    (void)self, (void)name_space, (void)class_name;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static const MI_ProviderFT alert_ft = {.EnableIndications = alert_enable,
                                       .DisableIndications = alert_end};

static MI_Module *alert_main(MI_Server *server)
{
    static MI_Module module;

    seen_server = server;
    declare(&alert_decl, "T_Alert", MI_FLAG_INDICATION, NULL, base_properties, 1,
            sizeof(struct widget), &alert_ft);
    alert_schema = (MI_SchemaDecl){.classDecls = alert_classes, .numClassDecls = 1};
    module = (MI_Module){
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &alert_schema};
    return &module;
}

static void indication_rows(void)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *received = NULL;
    const MI_Char *bookmark = NULL, *machine = NULL;
    MI_Instance *alert = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;
    MI_Value id = {.string = (MI_Char *)(uintptr_t) "a"};

    MI_Session_Subscribe(&session, 0, NULL, SPACE, "WQL", "select * from T_Alert", NULL, NULL,
                         &operation);
    for (int i = 0; i < 20000 && atomic_load(&enabled_on) == NULL; i++) {
        nap(1);
    }
    MI_Context *context = atomic_load(&enabled_on);
    MI_Application_NewInstance(&application, NULL, &alert_decl, &alert);
    MI_Instance_SetElement(alert, "Id", &id, MI_STRING, 0);
    ROW(OK, MI_Context_PostIndication, "to one client", context, alert, 0, "mark");
    ROW(INVALID_PARAMETER, MI_Context_PostIndication, "no indication", context, NULL, 0, NULL);
    ROW(NOT_SUPPORTED, MI_Context_PostInstance, "no way to send an indication", context, alert);
    MI_Instance_Delete(alert);
    ROW(OK, MI_Operation_GetIndication, "the one that was sent", &operation, &received, &bookmark,
        &machine, &more, &result, NULL, NULL);
    EFFECT(received != NULL && more && strcmp(bookmark, "mark") == 0);
    MI_Operation_Cancel(&operation, MI_REASON_NONE);
    while (more && MI_Operation_GetIndication(&operation, &received, NULL, NULL, &more, &result,
                                              NULL, NULL) == MI_RESULT_OK) {
    }
    VOID_ROW(OK, MI_Session_Subscribe, "delivered until it was cancelled",
             MI_Operation_Close(&operation));
}

void context_rows(void)
{
    watch_decl.function = stream_method;
    watch_decl.code = code_of("Watch");
    stream_decl.code = code_of("Lines");
    bool ready = start_host() && miguard_host_add(host, alert_main, SPACE, NULL) == MIGUARD_OK;
    request_rows();
    EFFECT(ready);
    stream_rows();
    server_rows();
    indication_rows();
    stop_host();
}
