/* SPDX-License-Identifier: MIT */
/*
 * The operation of a starter that failed. It has no resources: the handle keeps the
 * session's words, so that GetSession works, and its table determines the result.
 *
 * A zeroed operation would not do: the inline functions of MI.h answer INVALID_PARAMETER for it,
 * and its caller would never see why the start was refused. Nor can the result be stored in the
 * handle, whose two words are the session's. So there is one table for each result, and the address
 * of the table is the result.
 */
#include "host/server/host.h"

#include <string.h>

enum { RESULT_COUNT = MI_RESULT_SERVER_IS_SHUTTING_DOWN + 1 };

static const MI_OperationFT error_fts[RESULT_COUNT];

/* The position of the operation's table among the tables. */
static MI_Result error_code(const MI_Operation *operation)
{
    for (MI_Uint32 i = 0; operation != NULL && i < RESULT_COUNT; i++) {
        if (operation->ft == &error_fts[i]) {
            return (MI_Result)i;
        }
    }
    return MI_RESULT_INVALID_PARAMETER;
}

/* The outputs of a Get function, the same on each call. */
static MI_Result answer(const MI_Operation *operation, MI_Boolean *more, MI_Result *result,
                        const MI_Char **message, const MI_Instance **details)
{
    if (more != NULL) {
        *more = MI_FALSE;
    }
    if (result != NULL) {
        *result = error_code(operation);
    }
    if (message != NULL) {
        *message = NULL;
    }
    if (details != NULL) {
        *details = NULL;
    }
    return operation == NULL ? MI_RESULT_INVALID_PARAMETER : MI_RESULT_OK;
}

/* GetInstance, GetIndication and GetClass answer whatever the kind of the operation was. */
static MI_Result error_get_instance(MI_Operation *operation, const MI_Instance **instance,
                                    MI_Boolean *more, MI_Result *result, const MI_Char **message,
                                    const MI_Instance **details)
{
    if (instance != NULL) {
        *instance = NULL;
    }
    return answer(operation, more, result, message, details);
}

/* Its further outputs are NULL too. */
static MI_Result error_get_indication(MI_Operation *operation, const MI_Instance **instance,
                                      const MI_Char **bookmark, const MI_Char **machine,
                                      MI_Boolean *more, MI_Result *result, const MI_Char **message,
                                      const MI_Instance **details)
{
    if (bookmark != NULL) {
        *bookmark = NULL;
    }
    if (machine != NULL) {
        *machine = NULL;
    }
    return error_get_instance(operation, instance, more, result, message, details);
}

/* The item is a class here, and NULL. */
static MI_Result error_get_class(MI_Operation *operation, const MI_Class **class_item,
                                 MI_Boolean *more, MI_Result *result, const MI_Char **message,
                                 const MI_Instance **details)
{
    if (class_item != NULL) {
        *class_item = NULL;
    }
    return answer(operation, more, result, message, details);
}

/* Close: nothing is held, so the handle is zeroed and later uses are INVALID_PARAMETER. */
static MI_Result error_close(MI_Operation *operation)
{
    if (operation == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(operation, 0, sizeof(*operation));
    return MI_RESULT_OK;
}

/* Cancel: there is nothing to cancel. */
static MI_Result error_cancel(MI_Operation *operation, MI_CancellationReason reason)
{
    (void)reason;
    return operation == NULL ? MI_RESULT_INVALID_PARAMETER : MI_RESULT_FAILED;
}

/* GetSession: the session may have ended meanwhile; then its handle is stale and says so itself. */
static MI_Result error_get_session(MI_Operation *operation, MI_Session *session)
{
    if (session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(session, 0, sizeof(*session));
    if (operation == NULL || operation->reserved1 == 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *session = (MI_Session){operation->reserved1, operation->reserved2, &session_ft};
    return MI_RESULT_OK;
}

#define ERROR_FT                                                                                   \
    {                                                                                              \
        .Close = error_close, .Cancel = error_cancel, .GetSession = error_get_session,             \
        .GetInstance = error_get_instance, .GetIndication = error_get_indication,                  \
        .GetClass = error_get_class,                                                               \
    }
#define ERROR_FT_5 ERROR_FT, ERROR_FT, ERROR_FT, ERROR_FT, ERROR_FT

/* The same functions at different addresses, one table for each result. */
static const MI_OperationFT error_fts[RESULT_COUNT] = {
    ERROR_FT_5, ERROR_FT_5, ERROR_FT_5, ERROR_FT_5, ERROR_FT_5,
    ERROR_FT,   ERROR_FT,   ERROR_FT,   ERROR_FT,
};
_Static_assert(RESULT_COUNT == 29, "one table for each result");

/* The result callback, once, with the error and nothing else. The handle is filled before: the
 * client may use it in the callback. */
static void call(const struct operation_start *start, MI_Operation *operation, MI_Result result)
{
    const MI_OperationCallbacks *callbacks = start->callbacks;
    if (callbacks == NULL) {
        return;
    }
    void *context = callbacks->callbackContext;
    switch (start->kind) {
    case OPERATION_INSTANCE:
        if (callbacks->instanceResult != NULL) {
            callbacks->instanceResult(operation, context, NULL, MI_FALSE, result, NULL, NULL, NULL);
        }
        break;
    case OPERATION_INDICATION:
        if (callbacks->indicationResult != NULL) {
            callbacks->indicationResult(operation, context, NULL, NULL, NULL, MI_FALSE, result,
                                        NULL, NULL, NULL);
        }
        break;
    case OPERATION_CLASS:
        if (callbacks->classResult != NULL) {
            callbacks->classResult(operation, context, NULL, MI_FALSE, result, NULL, NULL, NULL);
        }
        break;
    }
}

/* A caller that gave no place for the operation still gets its callback, with a temporary
 * handle. */
void operation_refuse(const struct operation_start *start, MI_Result result)
{
    MI_Operation unwanted;
    MI_Operation *operation = start->operation == NULL ? &unwanted : start->operation;

    *operation = (MI_Operation){.ft = &error_fts[host_result((MI_Uint32)result)]};
    if (start->session != NULL) {
        operation->reserved1 = start->session->reserved1;
        operation->reserved2 = start->session->reserved2;
    }
    call(start, operation, result);
}
