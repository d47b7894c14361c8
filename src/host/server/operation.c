/* SPDX-License-Identifier: MIT */
/*
 * Operations as their clients see them: handles, fetching, Cancel and Close (MI_OperationFT).
 *
 * A handle is valid until Close. But the acknowledgement of a result that was delivered under
 * MANUAL_ACK may follow Close, so the slot is retired only after that: operation_settle().
 *
 * fetch() is the common body of the three Get functions: it drives the operation itself when no
 * other thread does (a synchronous operation has no thread of its own) and waits otherwise.
 */
#include "host/server/host.h"

#include <string.h>

static struct slots operations =
    SLOTS_INIT(sizeof(struct operation), operation_destroy, MIGUARD_HOST_MAX_OPERATIONS);

/* Unpublished, pinned once. */
struct operation *operation_allocate(void)
{
    return slots_new(&operations, NULL);
}

/* The handle is made by operation_handle(). */
void operation_publish(struct operation *operation)
{
    slots_publish(&operations, operation);
}

/* A second call does nothing. */
void operation_retire(struct operation *operation)
{
    slots_retire(&operations, operation);
}

/* The same words each time, so handles of one operation can be compared. */
MI_Operation operation_handle(const struct operation *operation)
{
    struct slots_handle handle = slots_handle_of(&operations, operation);
    return (MI_Operation){handle.name, (ptrdiff_t)handle.check, &operation_ft};
}

/* A forged, stale or inherited handle is not found (base/slots.h). */
struct operation *operation_acquire(const MI_Operation *handle)
{
    void *object = NULL;
    if (handle == NULL) {
        return NULL;
    }
    struct slots_handle name = {handle->reserved1, (uint64_t)handle->reserved2};
    return slots_acquire(&operations, name, &object) == SLOTS_OK ? object : NULL;
}

/* May destroy the operation, and with it release its session. */
void operation_release(struct operation *operation)
{
    slots_release(&operations, operation);
}

/* For a thread or a context that is going to use it later. */
void operation_pin(struct operation *operation)
{
    slots_pin(&operations, operation);
}

/* The form that ON_LEAVING calls. */
void operation_unpin(struct operation *const *operation)
{
    if (*operation != NULL) {
        operation_release(*operation);
    }
}

/* For tests. */
uint32_t operation_in_use(void)
{
    return slots_in_use(&operations);
}

/* Pinned and locked, and not closed; or NULL. */
static struct operation *enter(const MI_Operation *handle)
{
    struct operation *operation = operation_acquire(handle);
    if (operation == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&operation->lock);
    if (operation->closed) {
        pthread_mutex_unlock(&operation->lock);
        operation_release(operation);
        return NULL;
    }
    return operation;
}

/* The end of what enter() began. */
static void leave(struct operation *operation)
{
    pthread_mutex_unlock(&operation->lock);
    operation_release(operation);
}

/* ---- fetching ---------------------------------------------------------------------------- */

/* The common outputs of the three Get functions; each may be NULL. */
struct outs {
    MI_Boolean *more;
    MI_Result *result;
    const MI_Char **message;
    const MI_Instance **details;
};

/* A success and a failure set every output, as the documentation of MI_Operation_GetInstance
 * demands. */
static void set_outs(const struct outs *outs, MI_Boolean more, MI_Result result,
                     const MI_Char *message, const MI_Instance *details)
{
    if (outs->more != NULL) {
        *outs->more = more;
    }
    if (outs->result != NULL) {
        *outs->result = result;
    }
    if (outs->message != NULL) {
        *outs->message = message;
    }
    if (outs->details != NULL) {
        *outs->details = details;
    }
}

/* Whether the first result can be given out. Where a worker runs the provider, not before it is
 * known what follows: then the last object is returned together with the end, as it is where the
 * provider ran to its end before. A post that waits for room says that something follows. */
static bool may_return_result(const struct operation *operation)
{
    const struct result *first = operation->results;

    return first != NULL && (!operation->has_worker || operation->kind == OPERATION_INDICATION ||
                             first->next != NULL || first->instance == NULL ||
                             operation->finished || operation->waiting_posts > 0);
}

/* Drives the operation from here, unless it has a worker, until there is something to return. */
static void await_result(struct operation *operation)
{
    for (;;) {
        bool idle = !operation->driving && !operation->has_worker;
        if (idle && operation->events != NULL) {
            run_driven(operation, deliver_pending);
        } else if (may_return_result(operation) || operation->finished) {
            return;
        } else if (idle && operation->context == NULL) {
            run_driven(operation, run_steps);
        } else {
            pthread_cond_wait(&operation->changed, &operation->lock);
        }
    }
}

/* A copy of the current item, or of none, in *ret_item; what it points to is valid until the next
 * call or Close. It is read under the lock, because behind that the end of the session may take the
 * operation from under a client that has not closed it. INVALID_PARAMETER
 * for a handle that is closed, of another kind, or delivers through a callback. The function
 * succeeds when the operation failed: its result is in outs. */
static MI_Result fetch(MI_Operation *handle, enum operation_kind kind, const struct outs *outs,
                       struct result *ret_item)
{
    set_outs(outs, MI_FALSE, MI_RESULT_INVALID_PARAMETER, NULL, NULL);
    struct operation *operation = enter(handle);
    if (operation == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    /* A driver that gets here is in a callback of this operation and would wait for itself. */
    if (operation->async || operation->kind != kind || run_is_driver(operation)) {
        leave(operation);
        return MI_RESULT_INVALID_PARAMETER;
    }
    result_free(operation->current);
    operation->current = NULL;
    struct operation *pinned ON_LEAVING(operation_unpin) = operation;
    await_result(operation);
    pinned = NULL; /* leave() unpins it */
    operation->current = operation_take(operation);
    if (operation->current != NULL) {
        *ret_item = *operation->current;
    }

    bool over = operation->finished && operation->results == NULL;
    /* The last item and a success are returned together. A failure is returned by itself, so that a
     * client that checks the item first cannot miss it. */
    if (over && (operation->current == NULL || operation->result == MI_RESULT_OK)) {
        set_outs(outs, MI_FALSE, operation->result, operation->message, operation->details);
    } else {
        set_outs(outs, MI_TRUE, MI_RESULT_OK, NULL, NULL);
    }
    leave(operation);
    return MI_RESULT_OK;
}

/* The three Get functions differ in the item only. A missing place for it is refused before
 * anything is consumed. */
static MI_Result get_instance(MI_Operation *handle, const MI_Instance **instance, MI_Boolean *more,
                              MI_Result *result, const MI_Char **message,
                              const MI_Instance **details)
{
    ENTRY_UNCANCELLED;
    struct outs outs = {more, result, message, details};
    struct result item = {0};

    if (instance == NULL) {
        set_outs(&outs, MI_FALSE, MI_RESULT_INVALID_PARAMETER, NULL, NULL);
        return MI_RESULT_INVALID_PARAMETER;
    }
    *instance = NULL;
    MI_Result answer = fetch(handle, OPERATION_INSTANCE, &outs, &item);
    *instance = item.instance;
    return answer;
}

/* machine is NULL: this one. */
static MI_Result get_indication(MI_Operation *handle, const MI_Instance **instance,
                                const MI_Char **bookmark, const MI_Char **machine, MI_Boolean *more,
                                MI_Result *result, const MI_Char **message,
                                const MI_Instance **details)
{
    ENTRY_UNCANCELLED;
    struct outs outs = {more, result, message, details};
    struct result item = {0};

    if (bookmark != NULL) {
        *bookmark = NULL;
    }
    if (machine != NULL) {
        *machine = NULL;
    }
    if (instance == NULL) {
        set_outs(&outs, MI_FALSE, MI_RESULT_INVALID_PARAMETER, NULL, NULL);
        return MI_RESULT_INVALID_PARAMETER;
    }
    *instance = NULL;
    MI_Result answer = fetch(handle, OPERATION_INDICATION, &outs, &item);
    *instance = item.instance;
    if (bookmark != NULL) {
        *bookmark = item.bookmark;
    }
    return answer;
}

/* GetClass of MI_Operation: for GetClass of a session. */
static MI_Result get_class(MI_Operation *handle, const MI_Class **class_item, MI_Boolean *more,
                           MI_Result *result, const MI_Char **message, const MI_Instance **details)
{
    ENTRY_UNCANCELLED;
    struct outs outs = {more, result, message, details};
    struct result item = {0};

    if (class_item == NULL) {
        set_outs(&outs, MI_FALSE, MI_RESULT_INVALID_PARAMETER, NULL, NULL);
        return MI_RESULT_INVALID_PARAMETER;
    }
    *class_item = NULL;
    MI_Result answer = fetch(handle, OPERATION_CLASS, &outs, &item);
    *class_item = item.class_item;
    return answer;
}

/* ---- Close, Cancel, GetSession ----------------------------------------------------------- */

/* Close: a second call is INVALID_PARAMETER, because of `closed`. The operation lives on until its
 * provider has posted its result. */
static MI_Result close_operation(MI_Operation *handle)
{
    ENTRY_UNCANCELLED;
    struct operation *operation = enter(handle);
    if (operation == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    operation->closed = true;
    pthread_mutex_unlock(&operation->lock);

    /* Does not wait for the provider. It is informed, and its later posts are dropped. */
    struct operation *pinned ON_LEAVING(operation_unpin) = operation;
    operation_cancel(operation, MI_REASON_NONE);
    pthread_mutex_lock(&operation->lock);
    if (!operation->async) {
        operation_finish(operation, MI_RESULT_FAILED, NULL, NULL);
    }
    operation_settle(operation);
    pthread_mutex_unlock(&operation->lock);
    run_grace(operation);
    return MI_RESULT_OK;
}

/* Cancel: OK also when the operation has ended or was cancelled before. */
static MI_Result cancel(MI_Operation *handle, MI_CancellationReason reason)
{
    ENTRY_UNCANCELLED;
    struct operation *operation = enter(handle);
    if (operation == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    pthread_mutex_unlock(&operation->lock);
    struct operation *pinned ON_LEAVING(operation_unpin) = operation;
    operation_cancel(pinned, reason);
    run_grace(pinned);
    return MI_RESULT_OK;
}

/* GetSession: the handle of the session, which needs no Close of its own. */
static MI_Result get_session(MI_Operation *handle, MI_Session *session)
{
    ENTRY_UNCANCELLED;
    if (session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(session, 0, sizeof(*session));
    struct operation *operation = enter(handle);
    if (operation == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *session = session_handle(operation->session);
    leave(operation);
    return MI_RESULT_OK;
}

const MI_OperationFT operation_ft = {
    .Close = close_operation,
    .Cancel = cancel,
    .GetSession = get_session,
    .GetInstance = get_instance,
    .GetIndication = get_indication,
    .GetClass = get_class,
};
