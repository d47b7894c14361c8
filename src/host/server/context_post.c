/* SPDX-License-Identifier: MIT */
/*
 * How a provider answers a request, and the session that it may use meanwhile.
 *
 * Each of the three final posts ends the context before it returns: the provider must not use it
 * any more, and a second post is INVALID_PARAMETER (MI_Context_PostResult). PostInstance may be
 * called any number of times before, from any thread.
 */
#include "host/server/host.h"

#include "base/alloc.h"
#include "host/object/object.h"

/* The end of every final post. */
static MI_Result finish_and_unpin(struct context *context, MI_Result result, char *message,
                                  MI_Instance *details)
{
    MI_Result answer = context_finish(context, result, message, details);
    context_unpin(context);
    return answer;
}

/* The CIM_Error of a final result. Without memory for it the result is posted without: the result
 * matters more than its explanation. */
static MI_Instance *explain(const struct context *context, MI_Result result, MI_Uint32 code,
                            const MI_Char *type, const MI_Char *message)
{
    MI_Instance *details = NULL;

    if (context->operation == NULL || result == MI_RESULT_OK ||
        error_instance_new(result, code, type, message, &details) != MI_RESULT_OK) {
        return NULL;
    }
    return details;
}

/* PostResult: a code that is not an MI_Result becomes FAILED; the CIM_Error keeps the number that
 * was posted. */
MI_Result context_post_result(MI_Context *address, MI_Result result)
{
    ENTRY_UNCANCELLED;
    struct context *context = context_pin(address);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result final = host_result((MI_Uint32)result);
    MI_Instance *details = explain(context, final, (MI_Uint32)result, MI_RESULT_TYPE_MI, NULL);
    return finish_and_unpin(context, final, NULL, details);
}

/* PostError: the message for the client is a copy; without memory the result is posted without
 * it. */
MI_Result context_post_error(MI_Context *address, MI_Uint32 code, const MI_Char *type,
                             const MI_Char *message)
{
    ENTRY_UNCANCELLED;
    struct context *context = context_pin(address);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result final = error_result_from(code, type);
    MI_Instance *details = explain(context, final, code, type, message);
    char *copy = final == MI_RESULT_OK ? NULL : base_copy_text(message);
    return finish_and_unpin(context, final, copy, details);
}

/* The Message of a CIM_Error, copied, or NULL. */
static char *error_message(const MI_Instance *error)
{
    MI_Uint32 flags = 0;
    MI_Value value;
    MI_Type type;

    if (instance_element_find(error, MI_T("Message"), &value, &type, &flags) != MI_RESULT_OK ||
        type != MI_STRING || (flags & MI_FLAG_NULL) != 0) {
        return NULL;
    }
    return base_copy_text(value.string);
}

/* PostCimError: the client gets a copy of the error; without memory only the result and the
 * message. */
MI_Result context_post_cim_error(MI_Context *address, const MI_Instance *error)
{
    ENTRY_UNCANCELLED;
    struct context *context = context_pin(address);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (error == NULL || error->classDecl == NULL) {
        /* The provider is done, even after an invalid post: an open request would help
         * no caller. */
        finish_and_unpin(context, MI_RESULT_FAILED, NULL, NULL);
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Instance *details = NULL;
    if (context->operation != NULL &&
        instance_take(error, context->module->copies, &details) != MI_RESULT_OK) {
        details = NULL;
    }
    return finish_and_unpin(context, error_instance_result(error), error_message(error), details);
}

/* PostInstance: needs a declaration to be read by; a function table is not required. */
MI_Result context_post_instance(MI_Context *address, const MI_Instance *instance)
{
    ENTRY_UNCANCELLED;
    MI_Result result = MI_RESULT_INVALID_PARAMETER;
    struct context *context ON_LEAVING(context_let_go) = context_pin(address);

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (context->operation == NULL) {
        result = MI_RESULT_NOT_SUPPORTED;
    } else if (instance != NULL && instance->classDecl != NULL) {
        result = operation_post(context->operation, context, instance);
    }
    return result;
}

/* GetLocalSession: one session for each context, made on the first call and returned by every later
 * one. The check for a live context is under the lock that end_session() takes, so that no session
 * is made after the end. The gateway, not this function, binds it to an identity. */
MI_Result context_get_local_session(const MI_Context *address, MI_Session *session)
{
    ENTRY_UNCANCELLED;
    if (session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *session = (MI_Session)MI_SESSION_NULL;
    struct context *context = context_pin(address);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = MI_RESULT_OK;
    pthread_mutex_lock(&context->lock);
    if (!context_is_live(context)) {
        result = MI_RESULT_INVALID_PARAMETER;
    } else if (context->session == NULL) {
        context->session = session_new(context->host, true, context->depth, NULL);
        result = context->session == NULL ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_OK;
    }
    if (result == MI_RESULT_OK) {
        *session = session_handle(context->session);
    }
    pthread_mutex_unlock(&context->lock);
    context_unpin(context);
    return result;
}

/* RegisterCancel: NOT_SUPPORTED on the context of a Load or Unload, which is not cancelled. */
MI_Result context_register_cancel(MI_Context *address, MI_CancelCallback callback, void *data)
{
    ENTRY_UNCANCELLED;
    struct context *context ON_LEAVING(context_let_go) =
        callback == NULL ? NULL : context_pin(address);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct operation *operation = context->operation;
    if (operation == NULL) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    pthread_mutex_lock(&operation->lock);
    bool late = operation->cancelled && context->cancel == NULL;
    context->cancel = callback;
    context->cancel_data = data;
    MI_CancellationReason reason = operation->reason;
    pthread_mutex_unlock(&operation->lock);
    if (late) {
        /* The cancellation has already happened: this is the only moment to report it. */
        callback(reason, data);
    }
    return MI_RESULT_OK;
}
