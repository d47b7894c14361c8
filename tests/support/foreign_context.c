/* SPDX-License-Identifier: MIT */
/* MI_Context of the foreign host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/foreign_inside.h"

enum { MAGIC = 0x0F0E16, MESSAGE = 512 };

void foreign_context_init(struct foreign_context *context, enum foreign_purpose purpose,
                          struct foreign_host *host, struct foreign_provider *provider)
{
    memset(context, 0, sizeof(*context));
    context->context.ft = &foreign_context_ft;
    context->magic = MAGIC;
    context->purpose = purpose;
    context->host = host;
    context->provider = provider;
    if (provider != NULL) {
        atomic_fetch_add(&provider->busy, 1);
    }
}

/* The cast is the peer's: whoever hands in another address gets what it deserves. */
static struct foreign_context *of(const MI_Context *context)
{
    return (struct foreign_context *)(uintptr_t)context;
}

static bool is_live(const MI_Context *context)
{
    return of(context)->magic == MAGIC;
}

void foreign_context_end(struct foreign_context *context)
{
    bool on_stack = context->purpose <= FOR_PROVIDER_UNLOAD;
    MI_Instance *inbound[2] = {context->inbound[0], context->inbound[1]};

    if (context->provider != NULL) {
        atomic_fetch_sub(&context->provider->busy, 1);
    }
    memset(context, 0xFF, sizeof(*context));
    foreign_instance_free(inbound[0]);
    foreign_instance_free(inbound[1]);
    if (!on_stack) {
        free(context);
    }
}

/* ---- the final posts ------------------------------------------------------------------------- */

/* The answer to a Load, or a subscription, which somebody waits for. */
static void answer_waiter(struct foreign_context *context, MI_Result code)
{
    struct foreign_host *host = context->host;

    pthread_mutex_lock(&host->lock);
    *context->answer = code;
    *context->answered = true;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* The next class of an enumeration, or the end. */
static void finish_part(struct foreign_operation *operation, MI_Result code, const char *message,
                        MI_Instance *details)
{
    if (code == MI_RESULT_OK && operation->part + 1 < operation->part_count) {
        operation->part++;
        loop_post(foreign_agent_of(operation), foreign_run_part, operation);
    } else {
        foreign_finish(operation, code, message, details);
    }
}

static MI_Result post_final(MI_Context *pub, MI_Result code, const char *message,
                            MI_Instance *details)
{
    struct foreign_context *context = of(pub);
    struct foreign_operation *operation = context->operation;
    enum foreign_purpose purpose = context->purpose;

    atomic_fetch_add(&context->host->counts.final_posts, 1);
    if (context->match != NULL && code == MI_RESULT_OK && !context->matched) {
        code = MI_RESULT_NOT_FOUND;
    }
    if (code == MI_RESULT_NOT_SUPPORTED && operation != NULL &&
        (operation->request.verb == VERB_ASSOCIATORS ||
         operation->request.verb == VERB_REFERENCES)) {
        code = MI_RESULT_OK;
    }
    if (purpose == FOR_REQUEST) {
        foreign_context_end(context);
        finish_part(operation, code, message, details);
        return MI_RESULT_OK;
    }
    foreign_instance_free(details);
    if (purpose == FOR_INDICATIONS) { /* the provider ends its indications by itself */
        context->provider->enabled = NULL;
        foreign_context_end(context);
        return MI_RESULT_OK;
    }
    answer_waiter(context, code);
    if (purpose == FOR_SUBSCRIPTION) {
        if (context->ends != NULL) {
            foreign_context_end(context->ends);
        }
        foreign_context_end(context);
    } else {
        memset(&context->context, 0xFF, sizeof(context->context));
        context->magic = 0;
    }
    return MI_RESULT_OK;
}

static MI_Instance *error_object(MI_Result code, const char *message)
{
    MI_Instance *error = foreign_instance_new("CIM_Error", 0);
    MI_Value value;

    value.uint32 = (MI_Uint32)code;
    (void)MI_Instance_AddElement(error, "CIMStatusCode", &value, MI_UINT32, 0);
    value.string = (MI_Char *)(uintptr_t)message;
    (void)MI_Instance_AddElement(error, "Message", message != NULL ? &value : NULL, MI_STRING, 0);
    return error;
}

static MI_Result MI_CALL post_result(MI_Context *context, MI_Result code)
{
    return !is_live(context) ? MI_RESULT_INVALID_PARAMETER
                             : post_final(context, code, NULL,
                                          code != MI_RESULT_OK ? error_object(code, NULL) : NULL);
}

static MI_Result MI_CALL post_error(MI_Context *context, MI_Uint32 code, const MI_Char *type,
                                    const MI_Char *message)
{
    if (!is_live(context)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = type == NULL || strcmp(type, "MI") != 0 ? MI_RESULT_FAILED : (MI_Result)code;
    return post_final(context, result, message, error_object(result, message));
}

static MI_Result MI_CALL post_cim_error(MI_Context *context, const MI_Instance *error)
{
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Result code = MI_RESULT_FAILED;

    if (!is_live(context)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Instance *copy = foreign_instance_clone(error);
    if (copy != NULL &&
        MI_Instance_GetElement(copy, "CIMStatusCode", &value, &type, NULL, NULL) == MI_RESULT_OK &&
        type == MI_UINT32) {
        code = (MI_Result)value.uint32;
    }
    return post_final(context, code, NULL, copy);
}

/* ---- results --------------------------------------------------------------------------------- */

static MI_Result MI_CALL post_instance(MI_Context *pub, const MI_Instance *instance)
{
    struct foreign_context *context = of(pub);

    if (!is_live(pub) || instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (context->purpose != FOR_REQUEST) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    atomic_fetch_add(&context->host->counts.posts, 1);
    if ((instance->classDecl->flags & MI_FLAG_METHOD) == 0 &&
        !foreign_instance_has_keys(instance)) {
        return MI_RESULT_FAILED;
    }
    if (context->match != NULL) {
        if (context->matched || !foreign_instance_same_keys(context->match, instance)) {
            return MI_RESULT_OK;
        }
        context->matched = true;
    }
    MI_Instance *copy = foreign_instance_clone(instance);
    if (copy->nameSpace == NULL) {
        (void)MI_Instance_SetNameSpace(copy, context->operation->request.name_space);
    }
    foreign_deliver(context->operation, copy);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL post_indication(MI_Context *context, const MI_Instance *indication,
                                         MI_Uint32 count, const MI_Char *bookmark)
{
    (void)count;
    (void)bookmark;
    if (!is_live(context) || indication == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (of(context)->purpose != FOR_INDICATIONS) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    atomic_fetch_add(&of(context)->host->counts.indications, 1);
    return MI_RESULT_OK;
}

/* ---- instances ------------------------------------------------------------------------------- */

static MI_Result MI_CALL construct_instance(MI_Context *context, const MI_ClassDecl *decl,
                                            MI_Instance *instance)
{
    if (!is_live(context) || decl == NULL || instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    foreign_instance_construct(decl, instance);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL construct_parameters(MI_Context *context, const MI_MethodDecl *decl,
                                              MI_Instance *instance)
{
    return construct_instance(context, (const MI_ClassDecl *)(const void *)decl, instance);
}

static MI_Result MI_CALL new_instance(MI_Context *context, const MI_ClassDecl *decl,
                                      MI_Instance **instance)
{
    if (!is_live(context) || decl == NULL || instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *instance = foreign_instance_make(decl);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL new_parameters(MI_Context *context, const MI_MethodDecl *decl,
                                        MI_Instance **instance)
{
    return new_instance(context, (const MI_ClassDecl *)(const void *)decl, instance);
}

static MI_Result MI_CALL new_dynamic(MI_Context *context, const MI_Char *name, MI_Uint32 flags,
                                     MI_Instance **instance)
{
    if (!is_live(context) || name == NULL || instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *instance = foreign_instance_new(name, flags);
    return MI_RESULT_OK;
}

/* ---- the request ----------------------------------------------------------------------------- */

static MI_Result MI_CALL canceled(const MI_Context *pub, MI_Boolean *flag)
{
    struct foreign_context *context = of(pub);

    if (!is_live(pub)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    pthread_mutex_lock(&context->host->lock);
    *flag = context->operation != NULL && context->operation->cancelled;
    pthread_mutex_unlock(&context->host->lock);
    return MI_RESULT_OK;
}

static MI_Result set_refusal(MI_Context *pub, bool refuses)
{
    struct foreign_context *context = of(pub);

    if (!is_live(pub) || context->provider == NULL || context->purpose == FOR_PROVIDER_UNLOAD) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    context->provider->refuses_unload = refuses;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL request_unload(MI_Context *context)
{
    return set_refusal(context, false);
}

static MI_Result MI_CALL refuse_unload(MI_Context *context)
{
    return set_refusal(context, true);
}

/* One session for all, owned by who asks first; also the dead one is handed out. */
static MI_Result MI_CALL get_local_session(const MI_Context *pub, MI_Session *session)
{
    struct foreign_context *context = of(pub);

    if (!is_live(pub) || session == NULL || context->provider == NULL ||
        context->purpose == FOR_PROVIDER_UNLOAD) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct foreign_host *host = context->host;
    atomic_fetch_add(&host->counts.local_sessions, 1);
    pthread_mutex_lock(&host->lock);
    if (host->local.version == 0) {
        host->local = (struct foreign_session){++host->versions, true, getuid(), getgid()};
    }
    *session = (MI_Session){host->local.version, (ptrdiff_t)host, &foreign_session_ft};
    pthread_mutex_unlock(&host->lock);
    return MI_RESULT_OK;
}

/* ---- options --------------------------------------------------------------------------------- */

static MI_Result MI_CALL option_at(MI_Context *pub, MI_Uint32 index, const MI_Char **name,
                                   MI_Type *type, MI_Value *value)
{
    struct foreign_context *context = of(pub);

    if (!is_live(pub) || context->operation == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct foreign_options *options = &context->operation->request.options;
    if (index >= options->count) {
        return MI_RESULT_FAILED;
    }
    *name = options->options[index].name;
    *type = options->options[index].type;
    *value = options->options[index].value;
    if (*type == MI_STRING) {
        value->string = options->options[index].text;
    }
    return MI_RESULT_OK;
}

static MI_Result MI_CALL custom_option(MI_Context *context, const MI_Char *name, MI_Type *type,
                                       MI_Value *value)
{
    const MI_Char *found = NULL;
    MI_Result result = MI_RESULT_OK;

    for (MI_Uint32 i = 0; result == MI_RESULT_OK; i++) {
        result = option_at(context, i, &found, type, value);
        if (result == MI_RESULT_OK && strcasecmp(found, name) == 0) {
            return MI_RESULT_OK;
        }
    }
    return result == MI_RESULT_FAILED ? MI_RESULT_NO_SUCH_PROPERTY : result;
}

static MI_Result MI_CALL string_option(MI_Context *context, const MI_Char *name,
                                       const MI_Char **text)
{
    MI_Type type = MI_BOOLEAN;
    MI_Value value;
    MI_Result result = custom_option(context, name, &type, &value);

    if (result == MI_RESULT_OK && type == MI_STRING) {
        *text = value.string;
        return MI_RESULT_OK;
    }
    return result == MI_RESULT_OK ? MI_RESULT_NO_SUCH_PROPERTY : result;
}

static MI_Result MI_CALL number_option(MI_Context *context, const MI_Char *name, MI_Uint32 *number)
{
    MI_Type type = MI_BOOLEAN;
    MI_Value value;
    MI_Result result = custom_option(context, name, &type, &value);

    if (result == MI_RESULT_OK && type == MI_UINT32) {
        *number = value.uint32;
        return MI_RESULT_OK;
    }
    return result == MI_RESULT_OK ? MI_RESULT_NO_SUCH_PROPERTY : result;
}

static MI_Result MI_CALL option_count(MI_Context *context, MI_Uint32 *count)
{
    if (!is_live(context) || of(context)->operation == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *count = of(context)->operation->request.options.count;
    return MI_RESULT_OK;
}

/* ---- what the peer does not support ---------------------------------------------------------- */

/* The outputs stay as they are. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define UNSUPPORTED(name, ...)                                                                     \
    static MI_Result MI_CALL name(__VA_ARGS__)                                                     \
    {                                                                                              \
        return MI_RESULT_NOT_SUPPORTED;                                                            \
    }
UNSUPPORTED(get_locale, const MI_Context *context, MI_LocaleType type, MI_Char *locale)
UNSUPPORTED(register_cancel, MI_Context *context, MI_CancelCallback callback, void *data)
UNSUPPORTED(set_string_option, MI_Context *context, const MI_Char *name, const MI_Char *value)
UNSUPPORTED(write_message, MI_Context *context, MI_Uint32 channel, const MI_Char *message)
UNSUPPORTED(write_progress, MI_Context *context, const MI_Char *a, const MI_Char *b,
            const MI_Char *c, MI_Uint32 percent, MI_Uint32 seconds)
UNSUPPORTED(write_stream, MI_Context *context, const MI_Char *name, const MI_Value *value,
            MI_Type type, MI_Uint32 flags)
UNSUPPORTED(write_cim_error, MI_Context *context, const MI_Instance *error, MI_Boolean *flag)
UNSUPPORTED(prompt_user, MI_Context *context, const MI_Char *message, MI_PromptType type,
            MI_Boolean *flag)
UNSUPPORTED(should_process, MI_Context *context, const MI_Char *target, const MI_Char *action,
            MI_Boolean *flag)
UNSUPPORTED(should_continue, MI_Context *context, const MI_Char *message, MI_Boolean *flag)
UNSUPPORTED(write_error, MI_Context *context, MI_Uint32 code, const MI_Char *type,
            const MI_Char *message, MI_Boolean *flag)
#pragma GCC diagnostic pop

const MI_ContextFT foreign_context_ft = {
    .PostResult = post_result,
    .PostInstance = post_instance,
    .PostIndication = post_indication,
    .ConstructInstance = construct_instance,
    .ConstructParameters = construct_parameters,
    .NewInstance = new_instance,
    .NewDynamicInstance = new_dynamic,
    .NewParameters = new_parameters,
    .Canceled = canceled,
    .GetLocale = get_locale,
    .RegisterCancel = register_cancel,
    .RequestUnload = request_unload,
    .RefuseUnload = refuse_unload,
    .GetLocalSession = get_local_session,
    .SetStringOption = set_string_option,
    .GetStringOption = string_option,
    .GetNumberOption = number_option,
    .GetCustomOption = custom_option,
    .GetCustomOptionCount = option_count,
    .GetCustomOptionAt = option_at,
    .WriteMessage = write_message,
    .WriteProgress = write_progress,
    .WriteStreamParameter = write_stream,
    .WriteCimError = write_cim_error,
    .PromptUser = prompt_user,
    .ShouldProcess = should_process,
    .ShouldContinue = should_continue,
    .PostError = post_error,
    .PostCimError = post_cim_error,
    .WriteError = write_error,
    /* The lifecycle slot is NULL: a host of API version 1 has none. */
};
