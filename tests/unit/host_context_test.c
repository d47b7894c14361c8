/* SPDX-License-Identifier: MIT */
/* The 31 slots of a context, as reference E has them, on every kind of context, and after its end.
 */
#include "host_module.h"

#include <check.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/server/host.h"
#include "support/lacks.h"

static char ids[256];

#define OK  MI_RESULT_OK
#define BAD MI_RESULT_INVALID_PARAMETER
#define NOT MI_RESULT_NOT_SUPPORTED
#define NON MI_RESULT_NO_SUCH_PROPERTY

/* ---- one call of each slot, and what it leaves in its outs ------------------------------- */

struct outs {
    MI_Boolean flag;
    const void *pointer; /* NULL after a failure */
    MI_Uint32 number;
    MI_Char locale[MI_MAX_LOCALE_SIZE];
    MI_Session session;
};

static void on_cancel(MI_CancellationReason reason, void *data)
{
    (void)reason;
    (void)data;
}

static MI_Result call_post_indication(MI_Context *context, struct outs *outs)
{
    (void)outs;
    return MI_Context_PostIndication(context, NULL, 0, NULL);
}

static MI_Result call_post_null(MI_Context *context, struct outs *outs)
{
    (void)outs;
    return MI_Context_PostInstance(context, NULL);
}

static MI_Result call_construct(MI_Context *context, struct outs *outs)
{
    struct gadget gadget;
    (void)outs;
    memset(&gadget, 0xAA, sizeof(gadget));
    MI_Result result = MI_Context_ConstructInstance(context, &gadget_decl, &gadget.instance);
    if (result == MI_RESULT_OK) {
        ck_assert(!gadget.Weight.exists && gadget.Weight.value == 0);
        MI_Instance_Destruct(&gadget.instance);
    }
    return result;
}

static MI_Result call_construct_parameters(MI_Context *context, struct outs *outs)
{
    struct add add;
    (void)outs;
    memset(&add, 0xAA, sizeof(add));
    MI_Result result = MI_Context_ConstructParameters(context, &add_decl, &add.instance);
    if (result == MI_RESULT_OK) {
        ck_assert(!add.MIReturn.exists && !add.Difference.exists);
        MI_Instance_Destruct(&add.instance);
    }
    return result;
}

static MI_Result keep(MI_Result result, MI_Instance *instance, struct outs *outs)
{
    if (result == MI_RESULT_OK) {
        ck_assert_ptr_nonnull(instance);
        MI_Instance_Delete(instance);
    } else {
        outs->pointer = instance;
    }
    return result;
}

static MI_Result call_new_instance(MI_Context *context, struct outs *outs)
{
    MI_Instance *instance = (MI_Instance *)1;
    MI_Result result = MI_Context_NewInstance(context, &gadget_decl, &instance);
    return keep(result, instance, outs);
}

static MI_Result call_new_dynamic(MI_Context *context, struct outs *outs)
{
    MI_Instance *instance = (MI_Instance *)1;
    MI_Result result = MI_Context_NewDynamicInstance(context, "Any_Name", 0, &instance);
    return keep(result, instance, outs);
}

static MI_Result call_new_bad_dynamic(MI_Context *context, struct outs *outs)
{
    MI_Instance *instance = (MI_Instance *)1;
    MI_Result result = MI_Context_NewDynamicInstance(context, "1 bad", 0, &instance);
    return keep(result, instance, outs);
}

static MI_Result call_new_parameters(MI_Context *context, struct outs *outs)
{
    MI_Instance *instance = (MI_Instance *)1;
    MI_Result result = MI_Context_NewParameters(context, &add_decl, &instance);
    return keep(result, instance, outs);
}

static MI_Result call_canceled(MI_Context *context, struct outs *outs)
{
    return MI_Context_Canceled(context, &outs->flag);
}

static MI_Result call_locale(MI_Context *context, struct outs *outs)
{
    return context->ft->GetLocale(context, MI_LOCALE_TYPE_REQUESTED_UI, outs->locale);
}

static MI_Result call_register_cancel(MI_Context *context, struct outs *outs)
{
    (void)outs;
    return MI_Context_RegisterCancel(context, on_cancel, NULL);
}

static MI_Result call_request_unload(MI_Context *context, struct outs *outs)
{
    (void)outs;
    return MI_Context_RequestUnload(context);
}

static MI_Result call_refuse_unload(MI_Context *context, struct outs *outs)
{
    (void)outs;
    return MI_Context_RefuseUnload(context);
}

static MI_Result call_local_session(MI_Context *context, struct outs *outs)
{
    return MI_Context_GetLocalSession(context, &outs->session);
}

static MI_Result call_set_filter(MI_Context *context, struct outs *outs)
{
    (void)outs;
    return MI_Context_SetStringOption(context, "__FilterByProvider", "TRUE");
}

static MI_Result call_set_other(MI_Context *context, struct outs *outs)
{
    (void)outs;
    return MI_Context_SetStringOption(context, "Other", "TRUE");
}

static MI_Result call_string_option(MI_Context *context, struct outs *outs)
{
    const MI_Char *value = "x";
    MI_Result result = MI_Context_GetStringOption(context, "Missing", &value);
    outs->pointer = value;
    return result;
}

static MI_Result call_number_option(MI_Context *context, struct outs *outs)
{
    return MI_Context_GetNumberOption(context, "Missing", &outs->number);
}

static MI_Result call_custom_option(MI_Context *context, struct outs *outs)
{
    MI_Value value;
    MI_Type type;
    (void)outs;
    return MI_Context_GetCustomOption(context, "Missing", &type, &value);
}

static MI_Result call_custom_count(MI_Context *context, struct outs *outs)
{
    outs->number = 9;
    MI_Result result = MI_Context_GetCustomOptionCount(context, &outs->number);
    ck_assert_uint_eq(outs->number, 0);
    return result;
}

static MI_Result call_custom_at(MI_Context *context, struct outs *outs)
{
    const MI_Char *name = "x";
    MI_Value value;
    MI_Type type;
    MI_Result result = MI_Context_GetCustomOptionAt(context, 0, &name, &type, &value);
    outs->pointer = name;
    return result;
}

static MI_Result call_message(MI_Context *context, struct outs *outs)
{
    (void)outs;
    return MI_Context_WriteWarning(context, "text");
}

static MI_Result call_progress(MI_Context *context, struct outs *outs)
{
    (void)outs;
    return MI_Context_WriteProgress(context, NULL, NULL, NULL, 1, 1);
}

static MI_Result call_stream(MI_Context *context, struct outs *outs)
{
    MI_Value value = {0};
    (void)outs;
    return MI_Context_WriteStreamParameter(context, "P", &value, MI_UINT32, 0);
}

static MI_Result call_cim_error(MI_Context *context, struct outs *outs)
{
    MI_Instance *error = NULL;
    MI_Application_NewInstance(&application, "CIM_Error", NULL, &error);
    MI_Result result = MI_Context_WriteCimError(context, error, &outs->flag);
    MI_Instance_Delete(error);
    return result;
}

static MI_Result call_cim_error_null(MI_Context *context, struct outs *outs)
{
    return MI_Context_WriteCimError(context, NULL, &outs->flag);
}

static MI_Result call_error(MI_Context *context, struct outs *outs)
{
    return MI_Context_WriteError(context, 1, MI_RESULT_TYPE_MI, "text", &outs->flag);
}

static MI_Result call_prompt(MI_Context *context, struct outs *outs)
{
    return MI_Context_PromptUser(context, "text", MI_PROMPTTYPE_NORMAL, &outs->flag);
}

static MI_Result call_prompt_null(MI_Context *context, struct outs *outs)
{
    return MI_Context_PromptUser(context, NULL, MI_PROMPTTYPE_NORMAL, &outs->flag);
}

static MI_Result call_should_process(MI_Context *context, struct outs *outs)
{
    return MI_Context_ShouldProcess(context, "a", "b", &outs->flag);
}

static MI_Result call_should_continue(MI_Context *context, struct outs *outs)
{
    return MI_Context_ShouldContinue(context, "a", &outs->flag);
}

static MI_Result call_lifecycle(MI_Context *context, struct outs *outs)
{
    MI_LifecycleIndicationContext *lifecycle = (MI_LifecycleIndicationContext *)1;
    MI_Result result = context->ft->GetLifecycleIndicationContext(context, &lifecycle);
    outs->pointer = lifecycle;
    return result;
}

/* ---- the table --------------------------------------------------------------------------- */

enum kind { REQUEST, PROVIDER_LOAD, PROVIDER_UNLOAD, MODULE_LOAD, MODULE_UNLOAD, ENDED, KINDS };

static const char *const kind_names[] = {"request",     "provider load", "provider unload",
                                         "module load", "module unload", "ended"};

static const struct {
    const char *title;
    MI_Result (*call)(MI_Context *context, struct outs *outs);
    MI_Result results[KINDS]; /* request, p. load, p. unload, m. load, m. unload, ended */
    int flag[2];              /* while alive, after the end; -1: has none */
} slots[] = {
    {"PostIndication", call_post_indication, {NOT, NOT, NOT, NOT, NOT, BAD}, {-1, -1}},
    {"PostInstance NULL", call_post_null, {BAD, NOT, NOT, NOT, NOT, BAD}, {-1, -1}},
    {"ConstructInstance", call_construct, {OK, OK, OK, OK, OK, BAD}, {-1, -1}},
    {"ConstructParameters", call_construct_parameters, {OK, OK, OK, OK, OK, BAD}, {-1, -1}},
    {"NewInstance", call_new_instance, {OK, OK, OK, OK, OK, BAD}, {-1, -1}},
    {"NewDynamicInstance", call_new_dynamic, {OK, OK, OK, OK, OK, BAD}, {-1, -1}},
    {"NewDynamicInstance, bad name",
     call_new_bad_dynamic,
     {BAD, BAD, BAD, BAD, BAD, BAD},
     {-1, -1}},
    {"NewParameters", call_new_parameters, {OK, OK, OK, OK, OK, BAD}, {-1, -1}},
    {"Canceled", call_canceled, {OK, OK, OK, OK, OK, BAD}, {0, 1}},
    {"GetLocale", call_locale, {NOT, NOT, NOT, NOT, NOT, BAD}, {-1, -1}},
    {"RegisterCancel", call_register_cancel, {OK, NOT, NOT, NOT, NOT, BAD}, {-1, -1}},
    {"RequestUnload", call_request_unload, {OK, OK, BAD, BAD, BAD, BAD}, {-1, -1}},
    {"RefuseUnload", call_refuse_unload, {OK, OK, BAD, BAD, BAD, BAD}, {-1, -1}},
    {"GetLocalSession", call_local_session, {OK, OK, OK, OK, OK, BAD}, {-1, -1}},
    {"SetStringOption filter", call_set_filter, {OK, OK, OK, OK, OK, BAD}, {-1, -1}},
    {"SetStringOption other", call_set_other, {NOT, NOT, NOT, NOT, NOT, BAD}, {-1, -1}},
    {"GetStringOption", call_string_option, {NON, BAD, BAD, BAD, BAD, BAD}, {-1, -1}},
    {"GetNumberOption", call_number_option, {NON, BAD, BAD, BAD, BAD, BAD}, {-1, -1}},
    {"GetCustomOption", call_custom_option, {NON, BAD, BAD, BAD, BAD, BAD}, {-1, -1}},
    {"GetCustomOptionCount", call_custom_count, {OK, BAD, BAD, BAD, BAD, BAD}, {-1, -1}},
    {"GetCustomOptionAt", call_custom_at, {NON, BAD, BAD, BAD, BAD, BAD}, {-1, -1}},
    {"WriteMessage", call_message, {OK, OK, OK, OK, OK, BAD}, {-1, -1}},
    {"WriteProgress", call_progress, {OK, OK, OK, OK, OK, BAD}, {-1, -1}},
    {"WriteStreamParameter", call_stream, {NOT, NOT, NOT, NOT, NOT, BAD}, {-1, -1}},
    {"WriteCimError", call_cim_error, {OK, OK, OK, OK, OK, BAD}, {1, 0}},
    {"WriteCimError NULL", call_cim_error_null, {BAD, BAD, BAD, BAD, BAD, BAD}, {0, 0}},
    {"WriteError", call_error, {OK, OK, OK, OK, OK, BAD}, {1, 0}},
    {"PromptUser", call_prompt, {OK, OK, OK, OK, OK, BAD}, {1, 0}},
    {"PromptUser NULL", call_prompt_null, {BAD, BAD, BAD, BAD, BAD, BAD}, {0, 0}},
    {"ShouldProcess", call_should_process, {OK, OK, OK, OK, OK, BAD}, {1, 0}},
    {"ShouldContinue", call_should_continue, {OK, OK, OK, OK, OK, BAD}, {1, 0}},
    {"GetLifecycleIndicationContext", call_lifecycle, {NOT, OK, NOT, NOT, NOT, BAD}, {-1, -1}},
};

static unsigned checked[KINDS];

static void check_all(MI_Context *context, enum kind kind)
{
    for (size_t i = 0; i < COUNT(slots); i++) {
        struct outs outs = {.flag = 9, .locale = "untouched"};
        memset(&outs.session, 0xFF, sizeof(outs.session));
        MI_Result result = slots[i].call(context, &outs);
        ck_assert_msg(result == slots[i].results[kind], "%s on %s: %d", slots[i].title,
                      kind_names[kind], (int)result);
        int flag = slots[i].flag[kind == ENDED];
        ck_assert_msg(flag < 0 || outs.flag == flag, "%s on %s: flag %d", slots[i].title,
                      kind_names[kind], outs.flag);
        bool given = slots[i].call == call_lifecycle && result == MI_RESULT_OK;
        ck_assert_msg((outs.pointer != NULL) == given, "%s on %s", slots[i].title,
                      kind_names[kind]);
        if (slots[i].call == call_locale) {
            ck_assert_str_eq(outs.locale, "");
        }
        if (slots[i].call == call_local_session) {
            ck_assert((outs.session.ft != NULL) == (result == MI_RESULT_OK));
        }
    }
    checked[kind]++;
}

static void expect_ended(MI_Context *context)
{
    check_all(context, ENDED);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_PostError(context, 1, MI_RESULT_TYPE_MI, "x"),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_PostCimError(context, NULL), MI_RESULT_INVALID_PARAMETER);
}

static void check_get(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    check_all(context, REQUEST);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
    expect_ended(context);
}

static void check_load(void **self, MI_Context *context)
{
    (void)self;
    check_all(context, PROVIDER_LOAD);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
    expect_ended(context);
}

static void check_unload(MI_Context *context)
{
    check_all(context, PROVIDER_UNLOAD);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
    expect_ended(context);
}

static void check_module_load(MI_Module_Self **self, MI_Context *context)
{
    ck_assert_ptr_null(*self);
    check_all(context, MODULE_LOAD);
    /* Not a success, and not a crash (reference D.3). */
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_NOT_SUPPORTED), MI_RESULT_OK);
    expect_ended(context);
}

static void check_module_unload(MI_Context *context)
{
    check_all(context, MODULE_UNLOAD);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
    expect_ended(context);
}

START_TEST(test_slots)
{
    memset(checked, 0, sizeof(checked));
    ck_assert(start_host());
    hooks.load = check_load;
    hooks.get = check_get;
    hooks.unload = check_unload;
    hooks.module_load = check_module_load;
    hooks.module_unload = check_module_unload;
    ck_assert_int_eq(miguard_host_add(host, test_main, SPACE, NULL), MIGUARD_BAD_MODULE);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    stop_host();
    for (size_t i = 0; i < ENDED; i++) {
        ck_assert_msg(checked[i] == 1, "%s", kind_names[i]);
    }
    ck_assert_uint_eq(checked[ENDED], 5);
}
END_TEST

/* NULL outs and required arguments. */
static void check_nulls(MI_Context *context, const struct widget *widget)
{
    const MI_ContextFT *ft = context->ft;
    MI_Boolean flag = 9;
    MI_Char text[MI_MAX_LOCALE_SIZE];
    MI_Uint32 count = 0;
    const MI_Char *name = NULL;
    MI_Value value;
    MI_Type type;
    (void)widget;
    (void)text;

    ck_assert_int_eq(ft->ConstructInstance(context, NULL, NULL), BAD);
    ck_assert_int_eq(ft->ConstructParameters(context, NULL, NULL), BAD);
    ck_assert_int_eq(ft->NewInstance(context, NULL, NULL), BAD);
    ck_assert_int_eq(ft->NewDynamicInstance(context, "A", 0, NULL), BAD);
    ck_assert_int_eq(ft->NewParameters(context, &add_decl, NULL), BAD);
    ck_assert_int_eq(ft->Canceled(context, NULL), BAD);
    ck_assert_int_eq(ft->GetLocale(context, MI_LOCALE_TYPE_REQUESTED_UI, NULL), BAD);
    ck_assert_int_eq(ft->RegisterCancel(context, NULL, NULL), BAD);
    ck_assert_int_eq(ft->GetLocalSession(context, NULL), BAD);
    ck_assert_int_eq(ft->SetStringOption(context, NULL, "x"), BAD);
    ck_assert_int_eq(ft->GetStringOption(context, "x", NULL), BAD);
    ck_assert_int_eq(ft->GetStringOption(context, NULL, &name), BAD);
    ck_assert_int_eq(ft->GetNumberOption(context, NULL, &count), BAD);
    ck_assert_int_eq(ft->GetCustomOption(context, NULL, &type, &value), BAD);
    ck_assert_int_eq(ft->GetCustomOption(context, "x", NULL, &value), BAD);
    ck_assert_int_eq(ft->GetCustomOptionCount(context, NULL), BAD);
    ck_assert_int_eq(ft->GetCustomOptionAt(context, 0, NULL, &type, &value), BAD);
    ck_assert_int_eq(ft->WriteMessage(context, 0, NULL), BAD);
    ck_assert_int_eq(ft->PromptUser(context, "x", MI_PROMPTTYPE_NORMAL, NULL), BAD);
    ck_assert_int_eq(ft->PromptUser(context, "x", (MI_PromptType)5, &flag), BAD);
    ck_assert_int_eq(flag, MI_FALSE);
    ck_assert_int_eq(ft->ShouldProcess(context, NULL, "x", &flag), BAD);
    ck_assert_int_eq(ft->ShouldContinue(context, NULL, &flag), BAD);
    ck_assert_int_eq(ft->WriteError(context, 1, MI_RESULT_TYPE_MI, "x", NULL), BAD);
    ck_assert_int_eq(ft->WriteCimError(context, NULL, NULL), BAD);
    ck_assert_int_eq(ft->GetLifecycleIndicationContext(context, NULL), BAD);
    ck_assert_int_eq(ft->PostResult(NULL, OK), BAD);
    /* Addresses that no context has. */
    MI_Context elsewhere = {.ft = ft};
    ck_assert_int_eq(ft->PostResult(&elsewhere, OK), BAD);
    ck_assert_int_eq(ft->PostResult((MI_Context *)(void *)((char *)context + 8), OK), BAD);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

START_TEST(test_nulls)
{
    ck_assert(start_host());
    hooks.get = check_nulls;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    stop_host();
}
END_TEST

/* ---- final posts ------------------------------------------------------------------------- */

enum how { RESULT, ERROR, CIM_ERROR };

static const struct {
    enum how how;
    MI_Uint32 code; /* CIM_ERROR: the status, 0 for a NULL instance, 1000 for none in it */
    const char *type;
    const char *message;
    MI_Result answer, result;
} finals[] = {
    {RESULT, MI_RESULT_OK, NULL, NULL, OK, OK},
    {RESULT, MI_RESULT_NOT_FOUND, NULL, NULL, OK, MI_RESULT_NOT_FOUND},
    {RESULT, MI_RESULT_ACCESS_DENIED, NULL, NULL, OK, MI_RESULT_ACCESS_DENIED},
    {RESULT, 18, NULL, NULL, OK, MI_RESULT_FAILED},
    {RESULT, 29, NULL, NULL, OK, MI_RESULT_FAILED},
    {RESULT, 0x80000000U, NULL, NULL, OK, MI_RESULT_FAILED},
    {ERROR, MI_RESULT_NOT_FOUND, MI_RESULT_TYPE_MI, "gone", OK, MI_RESULT_NOT_FOUND},
    {ERROR, 77, MI_RESULT_TYPE_MI, "odd", OK, MI_RESULT_FAILED},
    {ERROR, 2, MI_RESULT_TYPE_ERRNO, "no file", OK, MI_RESULT_FAILED},
    {ERROR, 5, MI_RESULT_TYPE_WIN32, NULL, OK, MI_RESULT_FAILED},
    {ERROR, 5, "NONSENSE", "x", OK, MI_RESULT_FAILED},
    {ERROR, 5, NULL, "x", OK, MI_RESULT_FAILED},
    {ERROR, 0, MI_RESULT_TYPE_MI, NULL, OK, OK},
    {CIM_ERROR, MI_RESULT_NOT_FOUND, NULL, "explained", OK, MI_RESULT_NOT_FOUND},
    {CIM_ERROR, 1000, NULL, "no status", OK, MI_RESULT_FAILED},
    {CIM_ERROR, 0, NULL, NULL, BAD, MI_RESULT_FAILED},
};

static int row;

static MI_Result post_cim_error(MI_Context *context)
{
    MI_Instance *error = NULL;
    MI_Value value;

    if (finals[row].code == 0) {
        return MI_Context_PostCimError(context, NULL);
    }
    MI_Context_NewDynamicInstance(context, "CIM_Error", 0, &error);
    value.string = (MI_Char *)(uintptr_t)finals[row].message;
    MI_Instance_AddElement(error, "Message", &value, MI_STRING, 0);
    value.uint32 = finals[row].code;
    if (finals[row].code != 1000) {
        MI_Instance_AddElement(error, "CIMStatusCode", &value, MI_UINT32, 0);
    }
    MI_Result result = MI_Context_PostCimError(context, error);
    MI_Instance_Delete(error);
    return result;
}

static void get_finals(MI_Context *context, const struct widget *widget)
{
    MI_Result answer;
    (void)widget;

    switch (finals[row].how) {
    case RESULT:
        answer = MI_Context_PostResult(context, (MI_Result)finals[row].code);
        break;
    case ERROR:
        answer =
            MI_Context_PostError(context, finals[row].code, finals[row].type, finals[row].message);
        break;
    default:
        answer = post_cim_error(context);
        break;
    }
    ck_assert_int_eq(answer, finals[row].answer);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
}

START_TEST(test_finals)
{
    const MI_Instance *instance = NULL, *details = NULL;
    const MI_Char *message = NULL;
    MI_Operation operation;
    MI_Boolean more;
    MI_Result result;

    row = _i;
    ck_assert(start_host());
    hooks.get = get_finals;
    MI_Instance *of = key("T_Widget", "a");
    MI_Session_GetInstance(&session, 0, NULL, SPACE, of, NULL, &operation);
    MI_Instance_Delete(of);
    ck_assert_int_eq(
        MI_Operation_GetInstance(&operation, &instance, &more, &result, &message, &details),
        MI_RESULT_OK);
    ck_assert_int_eq(result, finals[row].result);
    bool bare = finals[row].how == CIM_ERROR && finals[row].code == 0;
    ck_assert_int_eq(details != NULL, result != MI_RESULT_OK && !bare);
    if (finals[row].message == NULL) {
        ck_assert_ptr_null(message);
    } else {
        ck_assert_str_eq(message, finals[row].message);
    }
    MI_Operation_Close(&operation);
    stop_host();
}
END_TEST

/* ---- posted instances -------------------------------------------------------------------- */

static void get_odd_posts(MI_Context *context, const struct widget *widget)
{
    struct widget bare;
    (void)widget;

    /* Without a key. */
    ck_assert_int_eq(post_widget(context, &widget_decl, NULL, 1), MI_RESULT_FAILED);
    /* Without a function table, as C++ layers make them (reference F.5). */
    memset(&bare, 0, sizeof(bare));
    ck_assert_int_eq(MI_Context_PostInstance(context, &bare.instance), MI_RESULT_INVALID_PARAMETER);
    bare.instance.classDecl = &widget_decl;
    bare.Id.value = "bare";
    bare.Id.exists = MI_TRUE;
    ck_assert_int_eq(MI_Context_PostInstance(context, &bare.instance), MI_RESULT_OK);
    MI_Context_PostResult(context, MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_PostInstance(context, &bare.instance), MI_RESULT_INVALID_PARAMETER);
}

START_TEST(test_odd_posts)
{
    ck_assert(start_host());
    hooks.get = get_odd_posts;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_str_eq(ids, "bare ");
    stop_host();
}
END_TEST

/* ---- fork -------------------------------------------------------------------------------- */

static void get_forks(MI_Context *context, const struct widget *widget)
{
    MI_Session local;
    int status = -1;
    (void)widget;

    pid_t child = fork();
    if (child == 0) {
        bool refused = MI_Context_PostResult(context, MI_RESULT_OK) == BAD &&
                       MI_Context_GetLocalSession(context, &local) == BAD;
        _exit(refused ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* The request is the parent's: a child that goes on with it is told so. */
START_TEST(test_fork)
{
    if (lacks_plain_threads()) {
        printf("skip: a fork in a request: the emulator does not survive it among threads\n");
        return;
    }
    ck_assert(start_host());
    hooks.get = get_forks;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), OK);
    stop_host();
}
END_TEST

/* ---- options ----------------------------------------------------------------------------- */

static void get_with_options(MI_Context *context, const struct widget *widget)
{
    const MI_Char *text = NULL, *name = NULL;
    MI_Char locale[MI_MAX_LOCALE_SIZE] = "x";
    MI_Uint32 value = 0, count = 0;
    MI_Value any;
    MI_Type type;
    (void)widget;

    ck_assert_int_eq(MI_Context_GetStringOption(context, "Colour", &text), OK);
    ck_assert_str_eq(text, "green");
    ck_assert_int_eq(MI_Context_GetStringOption(context, "COLOUR", &text), OK);
    ck_assert_int_eq(MI_Context_GetNumberOption(context, "Size", &value), OK);
    ck_assert_uint_eq(value, 12);
    ck_assert_int_eq(MI_Context_GetNumberOption(context, "Colour", &value), NON);
    ck_assert_int_eq(MI_Context_GetStringOption(context, "Size", &text), NON);
    ck_assert_int_eq(MI_Context_GetCustomOption(context, "Loud", &type, &any), OK);
    ck_assert(type == MI_BOOLEAN && any.boolean);
    /* What is the host's business is not listed. */
    ck_assert_int_eq(MI_Context_GetCustomOptionCount(context, &count), OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(MI_Context_GetCustomOptionAt(context, 2, &name, &type, &any), OK);
    ck_assert_str_eq(name, "Loud");
    ck_assert_int_eq(MI_Context_GetCustomOptionAt(context, 3, &name, &type, &any), NON);
    ck_assert_int_eq(MI_Context_GetLocale(context, MI_LOCALE_TYPE_CLOSEST_UI, locale), OK);
    ck_assert_str_eq(locale, "de-CH");
    ck_assert_int_eq(MI_Context_GetLocale(context, MI_LOCALE_TYPE_REQUESTED_DATA, locale), NOT);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_Result get_with(MI_OperationOptions *options)
{
    MI_Operation operation;
    MI_Instance *instance = key("T_Widget", "a");

    MI_Session_GetInstance(&session, 0, options, SPACE, instance, NULL, &operation);
    MI_Instance_Delete(instance);
    return drain(&operation, ids, sizeof(ids));
}

START_TEST(test_options)
{
    MI_Interval interval = {.seconds = 20};
    MI_OperationOptions options, copy, none = MI_OPERATIONOPTIONS_NULL;
    MI_Value value = {.boolean = MI_TRUE};

    ck_assert(start_host());
    hooks.get = get_with_options;
    ck_assert_int_eq(MI_Application_NewOperationOptions(&application, MI_FALSE, &options), OK);
    ck_assert_int_eq(MI_OperationOptions_SetTimeout(&options, &interval), OK);
    ck_assert_int_eq(MI_OperationOptions_SetString(&options, "Colour", "green", 0), OK);
    ck_assert_int_eq(MI_OperationOptions_SetNumber(&options, "Size", 12, 0), OK);
    ck_assert_int_eq(
        MI_OperationOptions_SetString(&options, "__MI_DESTINATIONOPTIONS_UI_LOCALE", "de-CH", 0),
        OK);
    ck_assert_int_eq(
        MI_OperationOptions_SetCustomOption(&options, "Loud", MI_BOOLEAN, &value, MI_FALSE), OK);
    ck_assert_int_eq(get_with(&options), OK);
    /* As long as a time-out may be, and longer. */
    interval = (MI_Interval){.days = 100000};
    ck_assert_int_eq(MI_OperationOptions_SetTimeout(&options, &interval), OK);
    ck_assert_int_eq(get_with(&options), OK);
    uint64_t calls = miguard_host_provider_calls(host);
    interval.microseconds = 1;
    ck_assert_int_eq(MI_OperationOptions_SetTimeout(&options, &interval), OK);
    ck_assert_int_eq(get_with(&options), MI_RESULT_INVALID_OPERATION_TIMEOUT);
    interval = (MI_Interval){.days = UINT32_MAX, .hours = UINT32_MAX};
    ck_assert_int_eq(MI_OperationOptions_SetTimeout(&options, &interval), OK);
    ck_assert_int_eq(get_with(&options), MI_RESULT_INVALID_OPERATION_TIMEOUT);
    interval = (MI_Interval){.seconds = 20};
    ck_assert_int_eq(MI_OperationOptions_SetTimeout(&options, &interval), OK);
    /* A resource URI is not acted on, and refused where it must be complied with. */
    MI_Value uri = {.string = (MI_Char *)(uintptr_t) "urn:x"};
    ck_assert_int_eq(MI_OperationOptions_SetResourceUri(&options, "urn:x"), OK);
    ck_assert_uint_eq(miguard_host_provider_calls(host), calls);
    ck_assert_int_eq(MI_OperationOptions_SetCustomOption(
                         &options, "__MI_OPERATIONOPTIONS_RESOURCE_URI", MI_STRING, &uri, MI_TRUE),
                     OK);
    ck_assert_int_eq(get_with(&options), NOT);
    ck_assert_int_eq(MI_OperationOptions_SetResourceUri(&options, "urn:x"), OK);
    /* Not understood, and it must be. */
    ck_assert_int_eq(
        MI_OperationOptions_SetCustomOption(&options, "Must", MI_BOOLEAN, &value, MI_TRUE), OK);
    ck_assert_int_eq(get_with(&options), NOT);
    copy = options;
    MI_OperationOptions_Delete(&options);
    ck_assert_int_eq(get_with(&copy), BAD);
    ck_assert_uint_eq(miguard_host_provider_calls(host), calls);
    hooks.get = NULL;
    ck_assert_int_eq(get_with(&none), OK);
    stop_host();
}
END_TEST

static unsigned messages[3];

static void on_message(MI_Operation *operation, void *context, MI_Uint32 channel,
                       const MI_Char *message)
{
    (void)operation;
    (void)context;
    (void)message;
    messages[channel]++;
}

static void get_writes(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    MI_Context_WriteWarning(context, "w");
    MI_Context_WriteVerbose(context, "v");
    MI_Context_WriteDebug(context, "d");
    MI_Context_PostResult(context, MI_RESULT_OK);
}

START_TEST(test_channels)
{
    MI_OperationCallbacks callbacks = {.writeMessage = on_message};
    MI_OperationOptions options;
    MI_Operation operation;

    ck_assert(start_host());
    memset(messages, 0, sizeof(messages));
    hooks.get = get_writes;
    MI_Application_NewOperationOptions(&application, MI_FALSE, &options);
    MI_OperationOptions_DisableChannel(&options, MI_WRITEMESSAGE_CHANNEL_VERBOSE);
    MI_OperationOptions_EnableChannel(&options, MI_WRITEMESSAGE_CHANNEL_DEBUG);
    MI_Instance *instance = key("T_Widget", "a");
    MI_Session_GetInstance(&session, 0, &options, SPACE, instance, &callbacks, &operation);
    MI_Instance_Delete(instance);
    MI_OperationOptions_Delete(&options);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), OK);
    ck_assert(messages[0] == 1 && messages[1] == 0 && messages[2] == 1);
    stop_host();
}
END_TEST

/* ---- old contexts ------------------------------------------------------------------------ */

static MI_Context *kept;

static void get_keeps(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    kept = context;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

START_TEST(test_old_contexts)
{
    MI_Session old;

    ck_assert(start_host());
    hooks.get = get_keeps;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), OK);
    MI_Context *oldest = kept;
    hooks.get = NULL;
    for (int i = 0; i < 600; i++) {
        get(&session, "T_Widget", "a", ids, sizeof(ids));
        ck_assert_int_eq(MI_Context_PostResult(oldest, OK), BAD);
        ck_assert_int_eq(post_widget(oldest, &widget_decl, "x", 1), BAD);
    }
    stop_host();
    /* Not even the end of the host takes the memory away. */
    ck_assert_int_eq(MI_Context_GetLocalSession(oldest, &old), BAD);
    ck_assert_uint_eq(context_in_use(), 0);
}
END_TEST

/* Late posts while the address may be made ready for another request. */
static atomic_bool stop;

static void *post_late(void *context)
{
    MI_Boolean flag;
    while (!stop) {
        MI_Context_Canceled(context, &flag);
        MI_Context_PostInstance(context, NULL);
    }
    return NULL;
}

START_TEST(test_late_posts_race)
{
    pthread_t thread;

    ck_assert(start_host());
    hooks.get = get_keeps;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), OK);
    stop = false;
    pthread_create(&thread, NULL, post_late, kept);
    hooks.get = NULL;
    for (int i = 0; i < 3000; i++) {
        ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), OK);
    }
    stop = true;
    pthread_join(thread, NULL);
    stop_host();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host context");
    TCase *tests = tcase_create("context");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_slots);
    tcase_add_test(tests, test_nulls);
    tcase_add_loop_test(tests, test_finals, 0, COUNT(finals));
    tcase_add_test(tests, test_odd_posts);
    tcase_add_test(tests, test_fork);
    tcase_add_test(tests, test_options);
    tcase_add_test(tests, test_channels);
    tcase_add_test(tests, test_old_contexts);
    tcase_add_test(tests, test_late_posts_race);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
