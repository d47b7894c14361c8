/* SPDX-License-Identifier: MIT */
/*
 * Messages, reports and questions to the client (MI_OperationCallbacks in MI.h). Where the client
 * does not handle them the answer is "go on", at once. A question of an operation that is over is
 * answered "no".
 *
 * Information (messages, progress, reports) is copied into an owned event and the provider goes on.
 * A question stays on the stack of the provider's thread, which waits in event_post() for its
 * answer.
 */
#include "host/server/host.h"

#include "base/alloc.h"
#include "base/text.h"
#include "host/object/object.h"

/* The context of a call with a boolean output, which is set to false first: a provider that ignores
 * the result must not go on. NULL also when flag is NULL. */
static struct context *pin_for_flag(MI_Context *address, MI_Boolean *flag)
{
    if (flag == NULL) {
        return NULL;
    }
    *flag = MI_FALSE;
    return context_pin(address);
}

/* False without memory. */
static bool set_text(struct event *event, size_t index, const char *text)
{
    event->text[index] = base_copy_text(text);
    return text == NULL || event->text[index] != NULL;
}

/* Takes over event, which may be NULL; complete is false when a part of it could not be copied. */
static MI_Result post_owned(struct operation *operation, struct event *event, bool complete)
{
    if (!complete) {
        if (event != NULL) {
            event_free(event);
        }
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    event->owned = true;
    event_post(operation, event);
    return MI_RESULT_OK;
}

/* WriteMessage: not even copied when the client has no callback or has disabled the channel. */
MI_Result context_write_message(MI_Context *address, MI_Uint32 channel, const MI_Char *message)
{
    ENTRY_UNCANCELLED;
    MI_Result result = MI_RESULT_OK;
    struct context *context ON_LEAVING(context_let_go) =
        message == NULL ? NULL : context_pin(address);

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct operation *operation = context->operation;
    if (operation != NULL && operation->callbacks.writeMessage != NULL &&
        operation_channel_enabled(operation, channel)) {
        struct event *event = base_alloc(1, sizeof(*event));
        bool complete = event != NULL && set_text(event, 0, message);
        if (event != NULL) {
            event->kind = EVENT_MESSAGE;
            event->number = channel;
        }
        result = post_owned(operation, event, complete);
    }
    return result;
}

/* WriteProgress: each text may be NULL. percent and seconds are passed on unchecked. */
MI_Result context_write_progress(MI_Context *address, const MI_Char *activity,
                                 const MI_Char *current, const MI_Char *description,
                                 MI_Uint32 percent, MI_Uint32 seconds)
{
    ENTRY_UNCANCELLED;
    MI_Result result = MI_RESULT_OK;
    struct context *context ON_LEAVING(context_let_go) = context_pin(address);

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct operation *operation = context->operation;
    if (operation != NULL && operation->callbacks.writeProgress != NULL) {
        struct event *event = base_alloc(1, sizeof(*event));
        bool complete = event != NULL && set_text(event, 0, activity) &&
                        set_text(event, 1, current) && set_text(event, 2, description);
        if (event != NULL) {
            event->kind = EVENT_PROGRESS;
            event->number = percent;
            event->seconds = seconds;
        }
        result = post_owned(operation, event, complete);
    }
    return result;
}

/* ---- errors that do not end the operation ------------------------------------------------ */

/* Whether the client handles errors, and wants to be asked. *flag is the answer where it does not
 * want to be asked. */
static bool wants_errors(struct operation *operation, bool *ret_ask, MI_Boolean *flag)
{
    pthread_mutex_lock(&operation->lock);
    MI_CallbackMode mode = operation->error_mode;
    int all = operation->error_all;
    pthread_mutex_unlock(&operation->lock);

    *flag = all == MI_OperationCallback_ResponseType_NoToAll ? MI_FALSE : MI_TRUE;
    *ret_ask = mode == MI_CALLBACKMODE_INQUIRE && all == 0;
    return operation->callbacks.writeError != NULL && mode != MI_CALLBACKMODE_IGNORE;
}

/* Delivers the error, or asks about it. Takes over error. */
static MI_Result write_error(struct operation *operation, MI_Instance *error, bool ask,
                             MI_Boolean *flag)
{
    if (ask) {
        struct event question = {.kind = EVENT_ERROR, .answer_wanted = true, .error = error};
        event_post(operation, &question);
        *flag = question.answer;
        instance_delete(error);
        return MI_RESULT_OK;
    }
    struct event *event = base_alloc(1, sizeof(*event));
    if (event == NULL) {
        instance_delete(error);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    event->kind = EVENT_ERROR;
    event->error = error;
    return post_owned(operation, event, true);
}

/* WriteCimError: *flag is true where the client takes no part (MI.h: the default is to
 * continue). */
MI_Result context_write_cim_error(MI_Context *address, const MI_Instance *error, MI_Boolean *flag)
{
    ENTRY_UNCANCELLED;
    MI_Result result = MI_RESULT_OK;
    MI_Instance *copy = NULL;
    bool ask = false;
    struct context *context ON_LEAVING(context_let_go) = pin_for_flag(address, flag);

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (error == NULL || error->classDecl == NULL) {
        result = MI_RESULT_INVALID_PARAMETER;
    } else if (context->operation == NULL) {
        *flag = MI_TRUE;
    } else if (wants_errors(context->operation, &ask, flag)) {
        result = instance_take(error, context->module->copies, &copy);
        if (result == MI_RESULT_OK) {
            result = write_error(context->operation, copy, ask, flag);
        }
    }
    return result;
}

/* WriteError: the same with a CIM_Error made from the three arguments. */
MI_Result context_write_error(MI_Context *address, MI_Uint32 code, const MI_Char *type,
                              const MI_Char *message, MI_Boolean *flag)
{
    ENTRY_UNCANCELLED;
    MI_Result result = MI_RESULT_OK;
    MI_Instance *error = NULL;
    bool ask = false;
    struct context *context ON_LEAVING(context_let_go) = pin_for_flag(address, flag);

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *flag = MI_TRUE;
    if (context->operation != NULL && wants_errors(context->operation, &ask, flag)) {
        result = error_instance_new(error_result_from(code, type), code, type, message, &error);
        if (result == MI_RESULT_OK) {
            result = write_error(context->operation, error, ask, flag);
        }
    }
    return result;
}

/* ---- questions --------------------------------------------------------------------------- */

/* A prompt in REPORT mode: the client sees it, but is not asked. */
static MI_Result post_prompt(struct operation *operation, const MI_Char *message,
                             MI_PromptType type)
{
    struct event *event = base_alloc(1, sizeof(*event));
    bool complete = event != NULL && set_text(event, 0, message);
    if (event != NULL) {
        event->kind = EVENT_PROMPT;
        event->number = (MI_Uint32)type;
    }
    return post_owned(operation, event, complete);
}

/* The order of what decides: a missing callback; an earlier "to all"; the mode of the options. A
 * critical prompt is asked in any mode and ignores an earlier "to all", since that was given for
 * ordinary ones. */
static MI_Result prompt(struct operation *operation, const MI_Char *message, MI_PromptType type,
                        MI_Boolean *flag)
{
    if (operation == NULL || operation->callbacks.promptUser == NULL) {
        *flag = MI_TRUE;
        return MI_RESULT_OK;
    }
    bool critical = type == MI_PROMPTTYPE_CRITICAL;
    MI_CallbackMode mode = critical ? MI_CALLBACKMODE_INQUIRE : operation->prompt_mode;
    pthread_mutex_lock(&operation->lock);
    int all = critical ? 0 : operation->prompt_all;
    pthread_mutex_unlock(&operation->lock);

    if (mode == MI_CALLBACKMODE_INQUIRE && all == 0) {
        struct event question = {.kind = EVENT_PROMPT,
                                 .answer_wanted = true,
                                 .number = (MI_Uint32)type,
                                 .text = {message}};
        event_post(operation, &question);
        *flag = question.answer;
        return MI_RESULT_OK;
    }
    if (all != 0) {
        *flag = all == MI_OperationCallback_ResponseType_YesToAll ? MI_TRUE : MI_FALSE;
        return MI_RESULT_OK;
    }
    *flag = operation->prompt_default;
    return mode == MI_CALLBACKMODE_IGNORE ? MI_RESULT_OK : post_prompt(operation, message, type);
}

/* PromptUser: *flag stays false for an invalid argument. */
MI_Result context_prompt_user(MI_Context *address, const MI_Char *message, MI_PromptType type,
                              MI_Boolean *flag)
{
    ENTRY_UNCANCELLED;
    MI_Result result = MI_RESULT_INVALID_PARAMETER;
    struct context *context ON_LEAVING(context_let_go) = pin_for_flag(address, flag);

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (message != NULL && (type == MI_PROMPTTYPE_NORMAL || type == MI_PROMPTTYPE_CRITICAL)) {
        result = prompt(context->operation, message, type, flag);
    }
    return result;
}

/* ShouldProcess: the text is in English, as every text here; the client sees the two arguments in
 * it. */
MI_Result context_should_process(MI_Context *address, const MI_Char *target, const MI_Char *action,
                                 MI_Boolean *flag)
{
    ENTRY_UNCANCELLED;
    MI_Result result = MI_RESULT_SERVER_LIMITS_EXCEEDED;
    struct text message ON_LEAVING(text_release) = TEXT_EMPTY;
    struct context *context ON_LEAVING(context_let_go) = pin_for_flag(address, flag);

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (target == NULL || action == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    text_format(&message, "Performing the operation \"%s\" on target \"%s\".", action, target);
    if (!message.failed) {
        result = prompt(context->operation, message.data, MI_PROMPTTYPE_NORMAL, flag);
    }
    return result;
}

/* ShouldContinue: for what cannot be undone, so it is a critical prompt. */
MI_Result context_should_continue(MI_Context *address, const MI_Char *message, MI_Boolean *flag)
{
    ENTRY_UNCANCELLED;
    return context_prompt_user(address, message, MI_PROMPTTYPE_CRITICAL, flag);
}
