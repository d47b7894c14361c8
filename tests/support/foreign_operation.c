/* SPDX-License-Identifier: MIT */
/*
 * MI_Operation of the foreign host: results on their way to a client.
 *
 * A result goes out when the next one or the end is known: the last one goes out together with the
 * end. A synchronous operation is read by Get*; the results of an asynchronous one are delivered by
 * jobs of the selector, one at a time.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/foreign_inside.h"

enum { CLOSE, CANCEL, GET_SESSION, GET_INSTANCE, GET_INDICATION, GET_CLASS };

static const MI_OperationFT foreign_operation_ft;

MI_Operation foreign_handle(const struct foreign_operation *operation)
{
    return (MI_Operation){operation->version, (ptrdiff_t)operation, &foreign_operation_ft};
}

/* A slot of this host is never freed: looking into it is safe for every handle it gave out. */
static struct foreign_operation *slot_of(const MI_Operation *handle)
{
    return (struct foreign_operation *)handle->reserved2;
}

static void count_slot(const struct foreign_operation *operation, unsigned slot)
{
    if (!operation->of_client) {
        atomic_fetch_add(&operation->host->counts.operation[slot], 1);
    }
}

/* Who calls, and whether the handle is live. Under the lock. */
static MI_Result check(struct foreign_operation *operation, const MI_Operation *handle)
{
    if (handle->reserved1 != operation->version || handle->reserved1 == 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return foreign_check(operation->host, operation->session.reserved1);
}

/* ---- memory ---------------------------------------------------------------------------------- */

void foreign_operation_empty(struct foreign_operation *operation)
{
    for (struct foreign_item *item = operation->first, *next = NULL; item != NULL; item = next) {
        next = item->next;
        foreign_instance_free(item->instance);
        free(item);
    }
    operation->first = NULL;
    operation->last = &operation->first;
    foreign_instance_free(operation->current);
    foreign_instance_free(operation->details);
    foreign_instance_free(operation->request.instance);
    foreign_instance_free(operation->request.parameters);
    free(operation->message);
    operation->current = operation->details = NULL;
    operation->request.instance = operation->request.parameters = NULL;
    operation->message = NULL;
    if (operation->descriptor > 0) {
        close(operation->descriptor);
    }
    operation->descriptor = 0;
}

void foreign_unpin(struct foreign_operation *operation)
{
    struct foreign_host *host = operation->host;

    if (--operation->pins > 0) {
        return;
    }
    foreign_operation_empty(operation);
    operation->next = host->free_operations;
    host->free_operations = operation;
    atomic_fetch_sub(&host->counts.open_operations, 1);
}

/* ---- from the provider's side ---------------------------------------------------------------- */

static void deliver_next(void *data);

/* A result goes out when it is known what comes after it. Under the lock. */
static bool is_ready(const struct foreign_operation *operation)
{
    return operation->queued >= 2 || operation->final_known;
}

/* One job at a time, and none while an acknowledgement is missing. Under the lock. */
static void wake(struct foreign_operation *operation)
{
    pthread_cond_broadcast(&operation->host->changed);
    if (operation->asynchronous && !operation->delivering && !operation->final_taken &&
        is_ready(operation)) {
        operation->delivering = true;
        loop_post(&operation->host->selector, deliver_next, operation);
    }
}

void foreign_deliver(struct foreign_operation *operation, MI_Instance *instance)
{
    struct foreign_item *item = malloc(sizeof(*item));

    if (item == NULL) {
        abort();
    }
    *item = (struct foreign_item){NULL, instance};
    pthread_mutex_lock(&operation->host->lock);
    operation->seen++;
    if (operation->cancelled) { /* silently dropped */
        foreign_instance_free(instance);
        free(item);
    } else {
        *operation->last = item;
        operation->last = &item->next;
        operation->queued++;
        wake(operation);
    }
    pthread_mutex_unlock(&operation->host->lock);
}

void foreign_finish(struct foreign_operation *operation, MI_Result code, const char *message,
                    MI_Instance *details)
{
    struct foreign_host *host = operation->host;

    pthread_mutex_lock(&host->lock);
    if (operation->final_known) { /* a cancelled subscription */
        foreign_instance_free(details);
    } else {
        operation->final_known = true;
        operation->code = code;
        operation->message = message != NULL ? strdup(message) : NULL;
        operation->details = details;
        wake(operation);
        foreign_unpin(operation);
    }
    pthread_mutex_unlock(&host->lock);
}

/* ---- to the client --------------------------------------------------------------------------- */

/* What one Get* or callback brings. */
struct result {
    MI_Instance *instance;
    MI_Boolean more;
    MI_Result code;
    const MI_Char *message;
    const MI_Instance *details;
};

/* Of an operation that is ready. The item before it ends here. Under the lock. */
static struct result take(struct foreign_operation *operation)
{
    struct foreign_item *item = operation->first;

    foreign_instance_free(operation->current);
    operation->current = item != NULL ? item->instance : NULL;
    if (item != NULL) {
        operation->first = item->next;
        operation->last = operation->first == NULL ? &operation->first : operation->last;
        operation->queued--;
        free(item);
    }
    bool final = operation->final_known && operation->first == NULL;
    operation->final_taken = operation->final_taken || final;
    return (struct result){operation->current, !final, final ? operation->code : MI_RESULT_OK,
                           final ? operation->message : NULL, final ? operation->details : NULL};
}

/* Whether this thread would have to bring the result that it waits for: the selector brings all,
 * and an agent what its own providers answer. */
static bool would_deadlock(struct foreign_operation *operation)
{
    struct foreign_host *host = operation->host;
    const struct loop *own = foreign_own_loop(host);

    return own != NULL && (own == &host->selector ||
                           (operation->part_count > 0 && own == foreign_agent_of(operation)));
}

/* False: it cannot come any more. Under the lock. */
static bool wait_for_result(struct foreign_operation *operation)
{
    if (!is_ready(operation) && would_deadlock(operation)) {
        atomic_fetch_add(&operation->host->counts.deadlocks, 1);
        return false;
    }
    while (!is_ready(operation) && foreign_host_died(operation->host) == NULL) {
        foreign_wait(operation->host, 100);
    }
    return is_ready(operation);
}

static MI_Result get(MI_Operation *handle, unsigned slot, enum foreign_kind kind,
                     struct result *ret_result)
{
    struct foreign_operation *operation = slot_of(handle);
    struct foreign_host *host = operation->host;

    *ret_result = (struct result){.code = MI_RESULT_INVALID_PARAMETER};
    pthread_mutex_lock(&host->lock);
    count_slot(operation, slot);
    MI_Result answer = check(operation, handle);
    if (answer == MI_RESULT_OK && (operation->asynchronous || operation->kind != kind)) {
        answer = MI_RESULT_INVALID_PARAMETER;
    }
    if (answer == MI_RESULT_OK && !wait_for_result(operation)) {
        answer = MI_RESULT_FAILED;
    }
    if (answer == MI_RESULT_OK) {
        *ret_result = take(operation);
        pthread_cond_broadcast(&host->changed);
    } else {
        ret_result->code = answer;
    }
    pthread_mutex_unlock(&host->lock);
    return answer;
}

static void hand_out(const struct result *from, MI_Boolean *more, MI_Result *code,
                     const MI_Char **message, const MI_Instance **details)
{
    if (more != NULL) {
        *more = from->more;
    }
    if (code != NULL) {
        *code = from->code;
    }
    if (message != NULL) {
        *message = from->message;
    }
    if (details != NULL) {
        *details = from->details;
    }
}

static MI_Result MI_CALL operation_get_instance(MI_Operation *handle, const MI_Instance **instance,
                                                MI_Boolean *more, MI_Result *code,
                                                const MI_Char **message,
                                                const MI_Instance **details)
{
    struct result result;
    MI_Result answer = get(handle, GET_INSTANCE, KIND_INSTANCE, &result);

    *instance = result.instance;
    hand_out(&result, more, code, message, details);
    return answer;
}

static MI_Result MI_CALL operation_get_indication(MI_Operation *handle,
                                                  const MI_Instance **instance,
                                                  const MI_Char **bookmark, const MI_Char **machine,
                                                  MI_Boolean *more, MI_Result *code,
                                                  const MI_Char **message,
                                                  const MI_Instance **details)
{
    struct result result;
    MI_Result answer = get(handle, GET_INDICATION, KIND_INDICATION, &result);

    *instance = result.instance;
    *bookmark = *machine = NULL;
    hand_out(&result, more, code, message, details);
    return answer;
}

static MI_Result MI_CALL operation_get_class(MI_Operation *handle, const MI_Class **object,
                                             MI_Boolean *more, MI_Result *code,
                                             const MI_Char **message, const MI_Instance **details)
{
    struct result result;
    MI_Result answer = get(handle, GET_CLASS, KIND_CLASS, &result);

    *object = NULL;
    hand_out(&result, more, code, message, details);
    return answer;
}

/* ---- delivery -------------------------------------------------------------------------------- */

/* The result was acknowledged, by the client or by the return of its callback. Under the lock. */
static void acknowledged(struct foreign_operation *operation)
{
    operation->delivering = operation->unacknowledged = false;
    if (operation->final_taken) {
        foreign_unpin(operation);
    } else {
        wake(operation);
    }
}

static MI_Result MI_CALL acknowledge(MI_Operation *handle)
{
    struct foreign_operation *operation = slot_of(handle);
    struct foreign_host *host = operation->host;

    pthread_mutex_lock(&host->lock);
    atomic_fetch_add(&host->counts.answered, operation->of_client ? 0 : 1);
    MI_Result answer = foreign_check(host, operation->session.reserved1);
    if (answer == MI_RESULT_OK && !operation->unacknowledged) {
        answer = MI_RESULT_INVALID_PARAMETER;
    }
    if (answer == MI_RESULT_OK) {
        acknowledged(operation);
    }
    pthread_mutex_unlock(&host->lock);
    return answer;
}

static void call_back(struct foreign_operation *operation, MI_Operation *handle,
                      const struct result *result)
{
    const MI_OperationCallbacks *callbacks = &operation->callbacks;
    MI_Result(MI_CALL * acknowledgement)(MI_Operation *) = operation->manual ? acknowledge : NULL;

    if (operation->kind == KIND_INSTANCE) {
        callbacks->instanceResult(handle, callbacks->callbackContext, result->instance,
                                  result->more, result->code, result->message, result->details,
                                  acknowledgement);
    } else if (operation->kind == KIND_INDICATION) {
        callbacks->indicationResult(handle, callbacks->callbackContext, result->instance, NULL,
                                    NULL, result->more, result->code, result->message,
                                    result->details, acknowledgement);
    } else {
        callbacks->classResult(handle, callbacks->callbackContext, NULL, result->more, result->code,
                               result->message, result->details, acknowledgement);
    }
}

/* On the selector, under its own identity. */
static void deliver_next(void *data)
{
    struct foreign_operation *operation = data;
    struct foreign_host *host = operation->host;
    bool manual = operation->manual;

    pthread_mutex_lock(&host->lock);
    MI_Operation handle = foreign_handle(operation);
    const struct result result = take(operation);
    operation->unacknowledged = manual;
    pthread_mutex_unlock(&host->lock);
    call_back(operation, &handle, &result);
    if (!manual) {
        pthread_mutex_lock(&host->lock);
        acknowledged(operation);
        pthread_mutex_unlock(&host->lock);
    }
}

/* ---- Cancel and Close ------------------------------------------------------------------------ */

/* Under the lock. */
static void cancel(struct foreign_operation *operation)
{
    struct foreign_host *host = operation->host;

    if (operation->final_known || operation->cancelled) {
        return;
    }
    if (operation->seen == 0) {
        atomic_fetch_add(&host->counts.early_cancels, 1);
        if (foreign_now_ms() - operation->started_ms < host->options.cancel_race_ms) {
            foreign_die(host, "a Cancel before the first result");
        }
    }
    operation->cancelled = true;
    if (operation->request.verb == VERB_SUBSCRIBE) { /* has no provider that would end it */
        operation->final_known = true;
        operation->code = MI_RESULT_FAILED;
        wake(operation);
        foreign_unpin(operation);
    }
}

static MI_Result MI_CALL operation_cancel(MI_Operation *handle, MI_CancellationReason reason)
{
    struct foreign_operation *operation = slot_of(handle);
    struct foreign_host *host = operation->host;

    (void)reason;
    pthread_mutex_lock(&host->lock);
    count_slot(operation, CANCEL);
    MI_Result answer = check(operation, handle);
    if (answer == MI_RESULT_OK) {
        cancel(operation);
    }
    pthread_mutex_unlock(&host->lock);
    return answer;
}

/* True: another thread read it to its end. Never, on a thread that would have to bring the
 * results; in the peer neither then. Under the lock. */
static bool wait_for_end(struct foreign_operation *operation)
{
    int64_t end = foreign_now_ms() + FOREIGN_STUCK_MS;

    while (!operation->final_taken && foreign_now_ms() < end) {
        foreign_wait(operation->host, 20);
    }
    if (!operation->final_taken) {
        atomic_fetch_add(&operation->host->counts.stuck_closes, 1);
    }
    return operation->final_taken;
}

static MI_Result MI_CALL operation_close(MI_Operation *handle)
{
    struct foreign_operation *operation = slot_of(handle);
    struct foreign_host *host = operation->host;

    pthread_mutex_lock(&host->lock);
    count_slot(operation, CLOSE);
    MI_Result answer = check(operation, handle);
    if (answer == MI_RESULT_OK) {
        cancel(operation);
        if (!operation->asynchronous && !wait_for_end(operation)) {
            answer = MI_RESULT_FAILED;
        }
    }
    if (answer == MI_RESULT_OK && handle->reserved1 == operation->version) {
        operation->version = 0;
        foreign_unpin(operation);
    }
    pthread_mutex_unlock(&host->lock);
    return answer;
}

static MI_Result MI_CALL operation_get_session(MI_Operation *handle, MI_Session *session)
{
    struct foreign_operation *operation = slot_of(handle);

    pthread_mutex_lock(&operation->host->lock);
    count_slot(operation, GET_SESSION);
    MI_Result answer = check(operation, handle);
    *session = operation->session;
    pthread_mutex_unlock(&operation->host->lock);
    return answer;
}

static const MI_OperationFT foreign_operation_ft = {
    .Close = operation_close,
    .Cancel = operation_cancel,
    .GetSession = operation_get_session,
    .GetInstance = operation_get_instance,
    .GetIndication = operation_get_indication,
    .GetClass = operation_get_class,
};

/* ---- operations that failed at their start --------------------------------------------------- */

enum { ERRORS = MI_RESULT_SERVER_IS_SHUTTING_DOWN + 1 };
static MI_OperationFT error_tables[ERRORS];

/* The place of its table says which error it is. */
static MI_Result error_of(const MI_Operation *handle)
{
    return (MI_Result)(handle->ft - error_tables);
}

static MI_Result MI_CALL error_close(MI_Operation *handle)
{
    memset(handle, 0, sizeof(*handle));
    return MI_RESULT_OK;
}

static MI_Result MI_CALL error_cancel(MI_Operation *handle, MI_CancellationReason reason)
{
    (void)handle;
    (void)reason;
    return MI_RESULT_FAILED;
}

static MI_Result MI_CALL error_session(MI_Operation *handle, MI_Session *session)
{
    *session = (MI_Session){handle->reserved1, handle->reserved2, &foreign_session_ft};
    return MI_RESULT_FAILED;
}

static MI_Result MI_CALL error_instance(MI_Operation *handle, const MI_Instance **instance,
                                        MI_Boolean *more, MI_Result *code, const MI_Char **message,
                                        const MI_Instance **details)
{
    const struct result result = {.code = error_of(handle)};

    *instance = NULL;
    hand_out(&result, more, code, message, details);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL error_indication(MI_Operation *handle, const MI_Instance **instance,
                                          const MI_Char **bookmark, const MI_Char **machine,
                                          MI_Boolean *more, MI_Result *code,
                                          const MI_Char **message, const MI_Instance **details)
{
    *bookmark = *machine = NULL;
    return error_instance(handle, instance, more, code, message, details);
}

static MI_Result MI_CALL error_class(MI_Operation *handle, const MI_Class **object,
                                     MI_Boolean *more, MI_Result *code, const MI_Char **message,
                                     const MI_Instance **details)
{
    const MI_Instance *none = NULL;

    *object = NULL;
    return error_instance(handle, &none, more, code, message, details);
}

static void fill_error_tables(void)
{
    for (unsigned i = 0; i < ERRORS; i++) {
        error_tables[i] = (MI_OperationFT){error_close,    error_cancel,     error_session,
                                           error_instance, error_indication, error_class};
    }
}

const MI_OperationFT *foreign_error_table(MI_Result code)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fill_error_tables);
    return &error_tables[code];
}
