/* SPDX-License-Identifier: MIT */
/*
 * The host's callbacks reach the provider under the session's identity. The host chooses the
 * thread, so the thread adopts that identity for the call and is restored afterwards. When a thread
 * cannot adopt it, the provider gets its one final ACCESS_DENIED, and no data.
 *
 * The host gets the name of the operation's handle as context, not its address: a call at the wrong
 * time is then detected like any other stale handle.
 *
 * A callback: find_operation() by the name; is the session still valid (is_over); adopt its
 * identity; call the provider; restore the thread. What the host waits for is a struct debt, which
 * settle_debt() pays on every way out that the provider does not answer itself. Results go through
 * on_result(), all else through enter_message().
 */
#include "gateway/gateway.h"
#include "switch/switch.h"

/* One callback on its way to the provider. On the stack of the callback: the pin of operation is
 * released when it returns. */
struct delivery {
    struct guarded_operation *operation; /* NULL: nothing can be delivered any more */
    MI_Operation handle;                 /* a copy: only its content counts (B.6) */
    const MI_OperationCallbacks *callbacks;
    bool result; /* counted in the operation's delivering */
};

/* What the host still waits for. Declared before the frame of the adoption, so it is paid after the
 * thread is restored. */
struct debt {
    struct guarded_operation *operation; /* NULL: nothing, or the provider will do it */
    MI_Operation *inner;
    bool result;                    /* a result, which must be acknowledged */
    _Atomic(host_answer) *question; /* a question, which must be answered; or NULL */
    bool final;
};

/* False when the operation no longer exists, or never did; that is recorded. With true the
 * operation is pinned, and leave() releases it. A retired operation is found, too: its last
 * callbacks may come after its Close. */
static bool find_operation(void *context, struct delivery *delivery)
{
    const uint64_t name = (uint64_t)(uintptr_t)context;
    void *object = NULL;
    struct refusal refusal;

    enum slots_verdict verdict = slots_acquire_retired(&guarded_operations, name, &object);
    if (verdict != SLOTS_OK) {
        guard_refuse_handle(OPERATION_CALLBACK, verdict, name, NULL, &refusal);
        return false;
    }
    delivery->operation = object;
    delivery->handle = guarded_operation_public(delivery->operation);
    delivery->callbacks = &delivery->operation->callbacks;
    return true;
}

/* Releases the pin of find_operation(). Also when a callback of the provider is left by
 * unwinding. */
static void leave(const struct delivery *delivery)
{
    if (delivery->operation == NULL) {
        return;
    }
    if (delivery->result) {
        left_open_delivered(delivery->operation);
    }
    slots_release(&guarded_operations, delivery->operation);
}

/*
 * Does what the host waits for: answers No to a question, acknowledges a result; otherwise the host
 * would wait forever. Needed when the provider was not called, or when pthread_exit(3) or an
 * exception left the callback. The provider's own answer has cleared these by then (objects.h,
 * inner_acknowledge).
 */
static void settle_debt(const struct debt *debt)
{
    struct guarded_operation *operation = debt->operation;

    if (operation == NULL) {
        return;
    }
    host_answer answer =
        debt->question != NULL ? atomic_exchange(debt->question, NULL) : (host_answer)NULL;
    if (answer != NULL) {
        (void)answer(debt->inner, MI_OperationCallback_ResponseType_No);
    }
    host_acknowledge acknowledge = debt->result
                                       ? atomic_exchange(&operation->inner_acknowledge, NULL)
                                       : (host_acknowledge)NULL;
    if (acknowledge != NULL) {
        (void)acknowledge(debt->inner);
    }
    /* The pin until the final result; the provider's acknowledgement would have released it. */
    if (debt->final &&
        (!debt->result || atomic_exchange(&operation->final_unacknowledged, false))) {
        slots_release(&guarded_operations, operation);
    }
}

/* The use that a callback is recorded as. Its place in the code is the host's, which says
 * nothing. */
static struct guard_call call_of(const struct delivery *delivery)
{
    return guarded_operation_call(delivery->operation, OPERATION_CALLBACK, NULL);
}

/* Recorded, because the provider gets an end that it cannot explain otherwise. */
static void refuse_adoption(const struct delivery *delivery, struct refusal *ret_refusal)
{
    const struct guard_call call = call_of(delivery);
    guard_refuse(&call, AUDIT_ACTION_CALLBACK, AUDIT_REASON_CANNOT_ADOPT, GUARD_DENIED,
                 ret_refusal);
}

/* A session that was revoked after the operation started gets nothing more. The refusal is recorded
 * by the guard; the caller uses it for the end that it delivers. */
static bool is_over(const struct delivery *delivery, struct refusal *ret_refusal)
{
    const struct guard_call call = call_of(delivery);
    return !guard_may_deliver(&call, ret_refusal);
}

/* The thread has the session's identity until switch_restore(frame). */
static bool adopt(const struct delivery *delivery, struct switch_frame *frame)
{
    return switch_adopt(&delivery->operation->session->binding.identity, frame, NULL) == MIGUARD_OK;
}

/* ---- messages, which need no answer --------------------------------------------------------- */

/* True when the provider may be called. The caller has cleared *delivery and *frame; both are
 * cleaned up by ON_LEAVING after false as well. */
static bool enter_message(void *context, struct delivery *delivery, struct switch_frame *frame)
{
    struct refusal refusal;

    switch_settle();
    if (!find_operation(context, delivery) || atomic_load(&delivery->operation->mute) ||
        is_over(delivery, &refusal)) {
        return false;
    }
    if (!adopt(delivery, frame)) {
        refuse_adoption(delivery, &refusal);
        return false;
    }
    return true;
}

/* frame is declared last and so cleaned up first: the thread is restored before the pin is
 * released. */
static void MI_CALL on_message(MI_Operation *inner, void *context, MI_Uint32 channel,
                               const MI_Char *message)
{
    ENTRY_UNCANCELLED;
    struct delivery delivery ON_LEAVING(leave) = {0};
    struct switch_frame frame ON_LEAVING(switch_restore) = {0};

    (void)inner;
    if (enter_message(context, &delivery, &frame)) {
        delivery.callbacks->writeMessage(&delivery.handle, delivery.callbacks->callbackContext,
                                         channel, message);
    }
}

/* As on_message(). */
static void MI_CALL on_progress(MI_Operation *inner, void *context, const MI_Char *activity,
                                const MI_Char *current, const MI_Char *status, MI_Uint32 percent,
                                MI_Uint32 seconds)
{
    ENTRY_UNCANCELLED;
    struct delivery delivery ON_LEAVING(leave) = {0};
    struct switch_frame frame ON_LEAVING(switch_restore) = {0};

    (void)inner;
    if (enter_message(context, &delivery, &frame)) {
        delivery.callbacks->writeProgress(&delivery.handle, delivery.callbacks->callbackContext,
                                          activity, current, status, percent, seconds);
    }
}

/* ---- questions: without an answer of the provider it is No ---------------------------------- */

/* A prompt without an answer function is a notice: nothing is owed. When the provider returned, the
 * answer is its own matter; it may also answer later. */
static void MI_CALL on_prompt(MI_Operation *inner, void *context, const MI_Char *message,
                              MI_PromptType type,
                              MI_Result(MI_CALL *answer)(MI_Operation *,
                                                         MI_OperationCallback_ResponseType))
{
    ENTRY_UNCANCELLED;
    struct delivery delivery ON_LEAVING(leave) = {0};
    struct debt debt ON_LEAVING(settle_debt) = {NULL, inner, false, NULL, false};
    struct switch_frame frame ON_LEAVING(switch_restore) = {0};

    if (enter_message(context, &delivery, &frame)) {
        debt.operation = delivery.operation;
        debt.question = &delivery.operation->inner_prompt;
        atomic_store(&delivery.operation->inner_prompt, answer);
        delivery.callbacks->promptUser(&delivery.handle, delivery.callbacks->callbackContext,
                                       message, type,
                                       answer != NULL ? guarded_operation_answer_prompt : NULL);
        debt.operation = NULL;
    } else if (answer != NULL) {
        (void)answer(inner, MI_OperationCallback_ResponseType_No);
    }
}

/* As on_prompt(), with the answer to an error. */
static void MI_CALL on_error(MI_Operation *inner, void *context, MI_Instance *error,
                             MI_Result(MI_CALL *answer)(MI_Operation *,
                                                        MI_OperationCallback_ResponseType))
{
    ENTRY_UNCANCELLED;
    struct delivery delivery ON_LEAVING(leave) = {0};
    struct debt debt ON_LEAVING(settle_debt) = {NULL, inner, false, NULL, false};
    struct switch_frame frame ON_LEAVING(switch_restore) = {0};

    if (enter_message(context, &delivery, &frame)) {
        debt.operation = delivery.operation;
        debt.question = &delivery.operation->inner_error;
        atomic_store(&delivery.operation->inner_error, answer);
        delivery.callbacks->writeError(&delivery.handle, delivery.callbacks->callbackContext, error,
                                       answer != NULL ? guarded_operation_answer_error : NULL);
        debt.operation = NULL;
    } else if (answer != NULL) {
        (void)answer(inner, MI_OperationCallback_ResponseType_No);
    }
}

/* ---- results --------------------------------------------------------------------------------- */

/* The callback of this kind. A NULL acknowledge means to the provider that it need not
 * acknowledge. */
static void call_provider(const struct delivery *delivery, enum result_kind kind,
                          const struct guarded_result *result, bool acknowledged_by_caller)
{
    const MI_OperationCallbacks *callbacks = delivery->callbacks;
    MI_Operation handle = delivery->handle;
    MI_Result(MI_CALL * acknowledge)(MI_Operation *) =
        acknowledged_by_caller ? guarded_operation_acknowledge : NULL;

    switch (kind) {
    case RESULT_INSTANCE:
        callbacks->instanceResult(&handle, callbacks->callbackContext, result->instance,
                                  result->more, result->result, result->message, result->details,
                                  acknowledge);
        break;
    case RESULT_INDICATION:
        callbacks->indicationResult(&handle, callbacks->callbackContext, result->instance,
                                    result->bookmark, result->machine_id, result->more,
                                    result->result, result->message, result->details, acknowledge);
        break;
    case RESULT_CLASS:
        callbacks->classResult(&handle, callbacks->callbackContext, result->class_object,
                               result->more, result->result, result->message, result->details,
                               acknowledge);
        break;
    }
}

/* The provider must get the final result exactly once (C.2), and nothing else after a refusal. The
 * host's own final result, which may still come, is then acknowledged and not delivered. */
static void deliver_end(struct delivery *delivery, enum result_kind kind, MI_Result code,
                        const char *message)
{
    const struct guarded_result end = {.result = code, .message = message};

    atomic_store(&delivery->operation->mute, true);
    if (!delivery->operation->final_delivered) {
        delivery->operation->final_delivered = true;
        call_provider(delivery, kind, &end, false);
    }
}

/* True when the provider has the result, which it got under the session's identity and must
 * acknowledge. False: it got the end of the operation instead, and the host's operation is
 * cancelled, so that it stops working for a provider that gets nothing any more. */
static bool deliver(struct delivery *delivery, enum result_kind kind,
                    const struct guarded_result *result, bool acknowledged_by_caller)
{
    struct refusal refusal;
    struct switch_frame frame ON_LEAVING(switch_restore) = {0};
    bool over = is_over(delivery, &refusal);

    if (over || !adopt(delivery, &frame)) {
        if (!over) {
            refuse_adoption(delivery, &refusal);
        }
        (void)MI_Operation_Cancel(&delivery->operation->inner, MI_REASON_NONE);
        deliver_end(delivery, kind, refused_result(&refusal), refused_message(&refusal));
        return false;
    }
    delivery->operation->final_delivered = !result->more;
    call_provider(delivery, kind, result, acknowledged_by_caller);
    return true;
}

/* The final result comes once (C.2), and its pin is then released. A result after it is dropped and
 * recorded. */
static bool is_after_final(const struct delivery *delivery, const struct guarded_result *result)
{
    struct guarded_operation *operation = delivery->operation;
    const struct guard_call call = call_of(delivery);
    struct refusal refusal;

    bool after = result->more ? atomic_load(&operation->final_came)
                              : atomic_exchange(&operation->final_came, true);
    if (after) {
        guard_refuse(&call, AUDIT_ACTION_CALLBACK, AUDIT_REASON_HANDLE_STALE, GUARD_INVALID,
                     &refusal);
    }
    return after;
}

/* The callbacks of one operation run one after the other (C.2), so its fields need no lock here.
 * acknowledge is not NULL when the host waits for it. Where the provider is not or cannot be
 * called, the library acknowledges instead, so that the host can finish. The provider's
 * acknowledgement is forwarded by guarded_operation_acknowledge(), which takes the function that is
 * stored here. */
static void on_result(void *context, MI_Operation *inner, enum result_kind kind,
                      const struct guarded_result *result,
                      MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    struct delivery delivery ON_LEAVING(leave) = {0};

    switch_settle(); /* an earlier callback of this thread may have left by longjmp(3) */
    if (!find_operation(context, &delivery) || is_after_final(&delivery, result)) {
        if (acknowledge != NULL) { /* the host need not wait for it */
            (void)acknowledge(inner);
        }
        return;
    }
    delivery.result = true;
    atomic_fetch_add(&delivery.operation->delivering, 1);
    atomic_store(&delivery.operation->begun, true);
    struct debt debt ON_LEAVING(settle_debt) = {delivery.operation, inner, acknowledge != NULL,
                                                NULL, !result->more};
    atomic_store(&delivery.operation->inner_acknowledge, acknowledge);
    /* A final result that waits for its acknowledgement keeps its pin until that comes, perhaps
     * after the provider has closed the operation. */
    atomic_store(&delivery.operation->final_unacknowledged, !result->more && acknowledge != NULL);
    if (!atomic_load(&delivery.operation->mute)) {
        struct guarded_result explained = *result;
        const struct guard_call call = call_of(&delivery);
        host_refusal_in_result(delivery.operation, &call, MI_RESULT_OK, &explained);
        bool handed_over = deliver(&delivery, kind, &explained, acknowledge != NULL);
        debt.operation = handed_over && acknowledge != NULL ? NULL : delivery.operation;
    } else if (!result->more) {
        deliver_end(&delivery, kind,
                    result->result != MI_RESULT_OK ? result->result : MI_RESULT_FAILED, NULL);
    }
}

/* The three result callbacks only gather their arguments. */
static void MI_CALL on_instance(MI_Operation *inner, void *context, const MI_Instance *instance,
                                MI_Boolean more, MI_Result code, const MI_Char *message,
                                const MI_Instance *details,
                                MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    ENTRY_UNCANCELLED;
    const struct guarded_result result = {
        .instance = instance, .more = more, .result = code, .message = message, .details = details};
    on_result(context, inner, RESULT_INSTANCE, &result, acknowledge);
}

/* As on_instance(), with bookmark and machine. */
static void MI_CALL on_indication(MI_Operation *inner, void *context, const MI_Instance *instance,
                                  const MI_Char *bookmark, const MI_Char *machine_id,
                                  MI_Boolean more, MI_Result code, const MI_Char *message,
                                  const MI_Instance *details,
                                  MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    ENTRY_UNCANCELLED;
    const struct guarded_result result = {.instance = instance,
                                          .bookmark = bookmark,
                                          .machine_id = machine_id,
                                          .more = more,
                                          .result = code,
                                          .message = message,
                                          .details = details};
    on_result(context, inner, RESULT_INDICATION, &result, acknowledge);
}

/* As on_instance(), with a class. */
static void MI_CALL on_class(MI_Operation *inner, void *context, const MI_Class *class_object,
                             MI_Boolean more, MI_Result code, const MI_Char *message,
                             const MI_Instance *details,
                             MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    ENTRY_UNCANCELLED;
    const struct guarded_result result = {.class_object = class_object,
                                          .more = more,
                                          .result = code,
                                          .message = message,
                                          .details = details};
    on_result(context, inner, RESULT_CLASS, &result, acknowledge);
}

/* A streamed parameter must be acknowledged like a result, but never is the last one. */
static void MI_CALL on_parameter(MI_Operation *inner, void *context, const MI_Char *name,
                                 MI_Type type, const MI_Value *value,
                                 MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    ENTRY_UNCANCELLED;
    struct delivery delivery ON_LEAVING(leave) = {0};
    struct debt debt ON_LEAVING(settle_debt) = {NULL, inner, acknowledge != NULL, NULL, false};
    struct switch_frame frame ON_LEAVING(switch_restore) = {0};

    if (enter_message(context, &delivery, &frame)) {
        debt.operation = delivery.operation;
        atomic_store(&delivery.operation->inner_acknowledge, acknowledge);
        delivery.callbacks->streamedParameterResult(
            &delivery.handle, delivery.callbacks->callbackContext, name, type, value,
            acknowledge != NULL ? guarded_operation_acknowledge : NULL);
        debt.operation = NULL;
    } else if (acknowledge != NULL) {
        (void)acknowledge(inner);
    }
}

/* Sets only the callbacks that the provider gave: the set of callbacks decides how a
 * host behaves. */
MI_OperationCallbacks callback_table(const struct guarded_operation *operation, uint64_t name,
                                     enum result_kind kind)
{
    const MI_OperationCallbacks *wanted = &operation->callbacks;
    MI_OperationCallbacks table = {.callbackContext = (void *)(uintptr_t)name};

    table.promptUser = wanted->promptUser != NULL ? on_prompt : NULL;
    table.writeError = wanted->writeError != NULL ? on_error : NULL;
    table.writeMessage = wanted->writeMessage != NULL ? on_message : NULL;
    table.writeProgress = wanted->writeProgress != NULL ? on_progress : NULL;
    table.streamedParameterResult = wanted->streamedParameterResult != NULL ? on_parameter : NULL;
    if (operation->asynchronous) {
        table.instanceResult = kind == RESULT_INSTANCE ? on_instance : NULL;
        table.indicationResult = kind == RESULT_INDICATION ? on_indication : NULL;
        table.classResult = kind == RESULT_CLASS ? on_class : NULL;
    }
    return table;
}
