/* SPDX-License-Identifier: MIT */
/*
 * MI_Operation, guarded: results, the end of an operation, and the answers of its callbacks.
 *
 * Each slot pins the operation and asks the guard (enter_operation). Get* asks the host (fetch),
 * checks again, and hands out or withholds (get_result). Close and Cancel agree by the word
 * host_calls (objects.h): claim_end() claims the end, begin_call() and end_call() surround calls of
 * the host, and the last one out carries out a claimed end (close_claimed or left_open_end).
 */
#include <string.h>

#include "gateway/gateway.h"
#include "switch/switch.h"

/* 0 for NULL: the wrappers of MI.h stop a NULL handle, but a caller can use the table directly. The
 * words are taken as they are: the table of handles judges them. */
static struct slots_handle handle_of(const MI_Operation *handle)
{
    return handle == NULL ? (struct slots_handle){0, 0}
                          : (struct slots_handle){handle->reserved1, (uint64_t)handle->reserved2};
}

/* For ON_LEAVING: also when a callback within the host's call unwinds the slot. */
static void unpin(struct guarded_operation *const *operation)
{
    if (*operation != NULL) {
        slots_release(&guarded_operations, *operation);
    }
}

/* Pins the operation and asks the guard. False: *ret_refusal has the refusal. With true the caller
 * holds the pin and releases it with unpin(). An operation that is closed but still pinned counts
 * as stale. */
static bool enter_operation(const MI_Operation *handle, enum operation used, const void *call_site,
                            struct guarded_operation **ret_operation, struct guard_call *ret_call,
                            struct refusal *ret_refusal)
{
    void *object = NULL;
    struct slots_handle asked = handle_of(handle);
    enum slots_verdict verdict = slots_acquire(&guarded_operations, asked, &object);

    if (verdict != SLOTS_OK) {
        guard_refuse_handle(used, verdict, asked.name, call_site, ret_refusal);
        return false;
    }
    struct guarded_operation *operation = object;
    *ret_call = guarded_operation_call(operation, used, call_site);
    if (!guard_use(ret_call, ret_refusal)) {
        slots_release(&guarded_operations, operation);
        return false;
    }
    *ret_operation = operation;
    return true;
}

/* The handle is still live, but the operation is being closed: it counts as stale. Recorded like
 * any use of a stale handle. */
static MI_Result refuse_ended(const struct guard_call *call, struct refusal *ret_refusal)
{
    guard_refuse(call, AUDIT_ACTION_SESSION_USE, AUDIT_REASON_HANDLE_STALE, GUARD_INVALID,
                 ret_refusal);
    return refused_result(ret_refusal);
}

/* Close was called, or the context ended: no further result is fetched. */
static bool is_claimed(const struct guarded_operation *operation)
{
    return (atomic_load(&operation->host_calls) & OPERATION_CLAIMED) != 0;
}

/* ---- Get* ------------------------------------------------------------------------------------ */

/* For ON_LEAVING: the host's Get* has returned, or a provider within it was left by unwinding. */
static void end_fetch(struct guarded_operation *const *operation)
{
    left_open_fetched(*operation);
}

/* As guarded_operation_ask(), and notes what has come: an operation that is left open is ended by
 * that. */
static MI_Result fetch(struct guarded_operation *operation, enum result_kind kind,
                       struct guarded_result *result)
{
    struct guarded_operation *fetched ON_LEAVING(end_fetch) = operation;

    /* Counted first: either the end of the context sees this call, or this call sees the end. */
    atomic_fetch_add(&fetched->getting, 1);
    MI_Result answer = atomic_load(&fetched->left.open)
                           ? MI_RESULT_INVALID_PARAMETER
                           : guarded_operation_ask(fetched, kind, result);
    if (answer == MI_RESULT_OK) {
        atomic_store(&fetched->begun, true);
        atomic_store(&fetched->all_read, !result->more);
    }
    return answer;
}

/* A result that was withheld is handed out once, to the first thread that may have it. */
static bool take_withheld(struct guarded_operation *operation, struct guarded_result *result)
{
    pthread_mutex_t *lock = &operation->session->context->lock;

    pthread_mutex_lock(lock);
    bool valid = operation->withheld_valid;
    if (valid) {
        *result = operation->withheld;
        operation->withheld_valid = false;
    }
    pthread_mutex_unlock(lock);
    return valid;
}

/* Keeps a result for its owner: take_withheld() comes before the host is asked again. */
static void withhold(struct guarded_operation *operation, const struct guarded_result *result)
{
    pthread_mutex_t *lock = &operation->session->context->lock;

    pthread_mutex_lock(lock);
    operation->withheld = *result;
    operation->withheld_valid = true;
    pthread_mutex_unlock(lock);
}

/* What the caller gets in place of data: the refusal as result and message. */
static void refuse_result(struct guarded_result *result, const struct refusal *refusal)
{
    memset(result, 0, sizeof(*result));
    result->result = refused_result(refusal);
    result->message = refused_message(refusal);
}

/*
 * While the host works, any code may run on this thread: a provider that serves the request, a
 * signal handler; and another thread may change this one (glibc setxid). So everything is checked
 * again before anything is handed out, even a failure's message. A result that arrived for another
 * identity is kept for its owner.
 */
static MI_Result get_result(const MI_Operation *handle, enum result_kind kind, enum operation used,
                            const void *call_site, struct guarded_result *result)
{
    struct guarded_operation *operation ON_LEAVING(unpin) = NULL;
    struct guard_call call;
    struct refusal refusal;
    MI_Result answer = MI_RESULT_OK;

    memset(result, 0, sizeof(*result));
    if (!enter_operation(handle, used, call_site, &operation, &call, &refusal)) {
        refuse_result(result, &refusal);
        return refused_result(&refusal);
    }
    if (is_claimed(operation)) {
        answer = refuse_ended(&call, &refusal);
        refuse_result(result, &refusal);
    } else if (!take_withheld(operation, result)) {
        answer = fetch(operation, kind, result);
        if (!guard_use_again(&call, &refusal)) {
            if (answer == MI_RESULT_OK) {
                withhold(operation, result);
            }
            refuse_result(result, &refusal);
            answer = refused_result(&refusal);
        } else {
            host_refusal_in_result(operation, &call, answer, result);
        }
    }
    return answer;
}

/* The outputs that all Get* share; each may be NULL. */
static void hand_out(const struct guarded_result *from, MI_Boolean *more, MI_Result *result,
                     const MI_Char **message, const MI_Instance **details)
{
    if (more != NULL) {
        *more = from->more;
    }
    if (result != NULL) {
        *result = from->result;
    }
    if (message != NULL) {
        *message = from->message;
    }
    if (details != NULL) {
        *details = from->details;
    }
}

/* What the outputs hold when the caller gave no place for the result itself. */
static const struct guarded_result no_item = {.result = MI_RESULT_INVALID_PARAMETER};

/* Without a place for the instance the host is not asked: the result would be lost. */
static MI_Result MI_CALL guarded_get_instance(MI_Operation *operation, const MI_Instance **instance,
                                              MI_Boolean *more, MI_Result *code,
                                              const MI_Char **message, const MI_Instance **details)
{
    ENTER_SLOT;
    struct guarded_result result = no_item;
    MI_Result answer = MI_RESULT_INVALID_PARAMETER;

    if (instance != NULL) {
        answer = get_result(operation, RESULT_INSTANCE, OPERATION_OPERATION_GET_INSTANCE,
                            __builtin_return_address(0), &result);
        *instance = result.instance;
    }
    hand_out(&result, more, code, message, details);
    return answer;
}

/* As guarded_get_instance(), with a bookmark and the machine that sent it. */
static MI_Result MI_CALL guarded_get_indication(MI_Operation *operation,
                                                const MI_Instance **instance,
                                                const MI_Char **bookmark, const MI_Char **machine,
                                                MI_Boolean *more, MI_Result *code,
                                                const MI_Char **message,
                                                const MI_Instance **details)
{
    ENTER_SLOT;
    struct guarded_result result = no_item;
    MI_Result answer = MI_RESULT_INVALID_PARAMETER;

    if (instance != NULL) {
        answer = get_result(operation, RESULT_INDICATION, OPERATION_OPERATION_GET_INDICATION,
                            __builtin_return_address(0), &result);
        *instance = result.instance;
    }
    if (bookmark != NULL) {
        *bookmark = result.bookmark;
    }
    if (machine != NULL) {
        *machine = result.machine_id;
    }
    hand_out(&result, more, code, message, details);
    return answer;
}

/* As guarded_get_instance(). */
static MI_Result MI_CALL guarded_get_class(MI_Operation *operation, const MI_Class **class_object,
                                           MI_Boolean *more, MI_Result *code,
                                           const MI_Char **message, const MI_Instance **details)
{
    ENTER_SLOT;
    struct guarded_result result = no_item;
    MI_Result answer = MI_RESULT_INVALID_PARAMETER;

    if (class_object != NULL) {
        answer = get_result(operation, RESULT_CLASS, OPERATION_OPERATION_GET_CLASS,
                            __builtin_return_address(0), &result);
        *class_object = result.class_object;
    }
    hand_out(&result, more, code, message, details);
    return answer;
}

/* ---- the end ----------------------------------------------------------------------------- */

/* False: it is being ended already, by code that will also handle its abandonment. *ret_idle: no
 * call is under way that would end it. Two threads may call this at once; exactly one gets true. */
static bool claim_end(struct guarded_operation *operation, unsigned abandoned, bool *ret_idle)
{
    unsigned before = atomic_load(&operation->host_calls), wanted = 0;

    do {
        wanted = before | OPERATION_CLAIMED | abandoned;
    } while (!atomic_compare_exchange_weak(&operation->host_calls, &before, wanted));
    *ret_idle = (before & OPERATION_CALLS) == 0;
    return (before & OPERATION_CLAIMED) == 0;
}

/* Closes at the host, for the one that claimed it. If the host refuses, the claim is released,
 * unless the context has ended meanwhile. */
static MI_Result close_claimed(struct guarded_operation *operation)
{
    MI_Result answer = MI_Operation_Close(&operation->inner);
    bool idle = false;

    if (answer == MI_RESULT_OK) {
        guarded_operation_unlist(operation);
        if (slots_retire(&guarded_operations, operation)) {
            slots_release(&guarded_operations, operation); /* the pin of the handle */
        }
        return answer;
    }
    unsigned before = atomic_fetch_and(&operation->host_calls, ~(unsigned)OPERATION_CLAIMED);
    if ((before & OPERATION_ABANDONED) != 0 && claim_end(operation, 0, &idle) && idle) {
        left_open_end(operation);
    }
    return answer;
}

/* False: it is being ended. Otherwise end_call() must follow. */
static bool begin_call(struct guarded_operation *operation)
{
    unsigned before = atomic_load(&operation->host_calls);

    do {
        if ((before & OPERATION_CLAIMED) != 0) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&operation->host_calls, &before, before + 1));
    return true;
}

/* The call that returns last, after the end was claimed, ends the operation. That may be on another
 * thread than the Close. */
static void end_call(struct guarded_operation *operation)
{
    unsigned before = atomic_fetch_sub(&operation->host_calls, 1);

    if ((before & OPERATION_CLAIMED) == 0 || (before & OPERATION_CALLS) != 1) {
        return;
    }
    if ((before & OPERATION_ABANDONED) != 0) {
        left_open_end(operation);
    } else {
        (void)close_claimed(operation);
    }
}

/* The host's starter has returned. */
void guarded_operation_started(struct guarded_operation *operation)
{
    end_call(operation);
}

/* Its context has ended, and its handle is stale already. */
void guarded_operation_abandon(struct guarded_operation *operation)
{
    bool idle = false;

    atomic_store(&operation->mute, true);
    if (claim_end(operation, OPERATION_ABANDONED, &idle) && idle) {
        left_open_end(operation);
    }
}

/* ---- Close, Cancel, GetSession ----------------------------------------------------------- */

/* OK also when a call is under way: the operation is closed when that returns, and the provider
 * cannot use it any more. */
static MI_Result MI_CALL guarded_close(MI_Operation *handle)
{
    ENTER_SLOT;
    struct guarded_operation *operation ON_LEAVING(unpin) = NULL;
    struct guard_call call;
    struct refusal refusal;
    MI_Result answer = MI_RESULT_OK;
    bool idle = false;

    if (!enter_operation(handle, OPERATION_OPERATION_CLOSE, __builtin_return_address(0), &operation,
                         &call, &refusal)) {
        return refused_result(&refusal);
    }
    if (!claim_end(operation, 0, &idle)) {
        answer = refuse_ended(&call, &refusal);
    } else if (idle) {
        answer = close_claimed(operation);
        host_refusal_of_call(operation, &call, answer);
    }
    return answer;
}

/* Runs also when a callback within the host's Cancel does not return. NULL: no call of the host was
 * begun. */
static void end_called(struct guarded_operation *const *operation)
{
    if (*operation != NULL) {
        end_call(*operation);
    }
}

/* The host may deliver the final result from within, on this thread. */
static MI_Result MI_CALL guarded_cancel(MI_Operation *handle, MI_CancellationReason reason)
{
    ENTER_SLOT;
    struct guarded_operation *operation ON_LEAVING(unpin) = NULL;
    struct guarded_operation *called ON_LEAVING(end_called) = NULL;
    struct guard_call call;
    struct refusal refusal;
    MI_Result answer = MI_RESULT_OK;

    if (!enter_operation(handle, OPERATION_OPERATION_CANCEL, __builtin_return_address(0),
                         &operation, &call, &refusal)) {
        return refused_result(&refusal);
    }
    if (begin_call(operation)) {
        called = operation;
        answer = MI_Operation_Cancel(&operation->inner, reason);
        host_refusal_of_call(operation, &call, answer);
    } else {
        answer = refuse_ended(&call, &refusal);
    }
    return answer;
}

/* The guarded session, never the host's. */
static MI_Result MI_CALL guarded_get_session(MI_Operation *handle, MI_Session *session)
{
    ENTER_SLOT;
    struct guarded_operation *operation ON_LEAVING(unpin) = NULL;
    struct guard_call call;
    struct refusal refusal;

    if (session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(session, 0, sizeof(*session));
    if (!enter_operation(handle, OPERATION_OPERATION_GET_SESSION, __builtin_return_address(0),
                         &operation, &call, &refusal)) {
        return refused_result(&refusal);
    }
    *session = guarded_session_public(operation->session);
    return MI_RESULT_OK;
}

/* Every slot is set, so that each wrapper of MI.h may call it. */
const MI_OperationFT guarded_operation_ft = {
    .Close = guarded_close,
    .Cancel = guarded_cancel,
    .GetSession = guarded_get_session,
    .GetInstance = guarded_get_instance,
    .GetIndication = guarded_get_indication,
    .GetClass = guarded_get_class,
};

/* ---- answers of a callback --------------------------------------------------------------- */

/* These find the operation also after its Close: a result without acknowledgement keeps the host
 * from finishing (C.2). The check word must still be right: a retired handle is accepted, a forged
 * one is not. */
static bool enter_answer(const MI_Operation *handle, enum operation used, const void *call_site,
                         struct guarded_operation **ret_operation, struct guard_call *ret_call,
                         struct refusal *ret_refusal)
{
    void *object = NULL;
    const struct slots_handle asked = handle_of(handle);
    struct slots_handle expected = slots_handle_named(&guarded_operations, asked.name);
    enum slots_verdict verdict =
        expected.check != asked.check
            ? SLOTS_FORGED
            : slots_acquire_retired(&guarded_operations, asked.name, &object);

    if (verdict != SLOTS_OK) {
        guard_refuse_handle(used, verdict, asked.name, call_site, ret_refusal);
        return false;
    }
    struct guarded_operation *operation = object;
    *ret_call = guarded_operation_call(operation, used, call_site);
    if (!guard_use(ret_call, ret_refusal)) {
        slots_release(&guarded_operations, operation);
        return false;
    }
    *ret_operation = operation;
    return true;
}

/* The three differ only in the host's function that they call. The first answer takes the function,
 * and puts it back when the host refuses; a second answer finds NULL. A host that delivers the next
 * result from within that call has stored that result's function by then. */
#define ANSWER(used, host_function, ...)                                                           \
    ENTER_SLOT;                                                                                    \
    struct guarded_operation *operation ON_LEAVING(unpin) = NULL;                                  \
    struct guard_call call;                                                                        \
    struct refusal refusal;                                                                        \
    MI_Result answer = MI_RESULT_INVALID_PARAMETER;                                                \
    if (!enter_answer(handle, used, __builtin_return_address(0), &operation, &call, &refusal)) {   \
        return refused_result(&refusal);                                                           \
    }                                                                                              \
    __auto_type function = atomic_exchange(&operation->host_function, NULL);                       \
    if (function == NULL) {                                                                        \
        answer = refuse_ended(&call, &refusal);                                                    \
    } else if ((answer = function(&operation->inner, ##__VA_ARGS__)) != MI_RESULT_OK) {            \
        __auto_type empty = (__typeof__(function))NULL;                                            \
        (void)atomic_compare_exchange_strong(&operation->host_function, &empty, function);         \
    }

MI_Result MI_CALL guarded_operation_acknowledge(MI_Operation *handle)
{
    ANSWER(OPERATION_ACKNOWLEDGE, inner_acknowledge);
    if (answer == MI_RESULT_OK && atomic_exchange(&operation->final_unacknowledged, false)) {
        slots_release(&guarded_operations, operation); /* the pin until the final */
    }
    return answer;
}

/* Only the host's function differs from the acknowledgement; an answer holds no pin. */
MI_Result MI_CALL guarded_operation_answer_prompt(MI_Operation *handle,
                                                  MI_OperationCallback_ResponseType response)
{
    ANSWER(OPERATION_ANSWER_PROMPT, inner_prompt, response);
    return answer;
}

MI_Result MI_CALL guarded_operation_answer_error(MI_Operation *handle,
                                                 MI_OperationCallback_ResponseType response)
{
    ANSWER(OPERATION_ANSWER_ERROR, inner_error, response);
    return answer;
}
