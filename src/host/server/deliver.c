/* SPDX-License-Identifier: MIT */
/*
 * Calls the client. Only the driver of an operation does so, so that the callbacks of one operation
 * never overlap, and none follows the final one. The operation's lock is released around each.
 *
 * deliver_pending() is the loop: events first, since a provider may wait for an answer, then
 * results. call() and call_event() are the only places that call client code; both mark
 * in_callback, release the lock, call, and take the lock again. A client may end the thread within
 * a callback: ON_LEAVING(unwound) then leaves the operation in a state that others can go on from.
 */
#include "host/server/host.h"

#include "host/object/object.h"

/* The lock is released here and taken again in finish(). */
static void begin(struct operation *operation)
{
    operation->in_callback = true;
    pthread_mutex_unlock(&operation->lock);
}

/* Also disarms the unwinding handler. */
static void finish(struct operation **operation)
{
    pthread_mutex_lock(&(*operation)->lock);
    (*operation)->in_callback = false;
    *operation = NULL;
}

/* A callback that pthread_exit(3) or an exception left neither acknowledges nor answers
 * any more. */
static void unwound(struct operation *const *unfinished)
{
    struct operation *operation = *unfinished;

    if (operation == NULL) {
        return;
    }
    pthread_mutex_lock(&operation->lock);
    operation->in_callback = false;
    operation->delivering = false;
    operation->ack_pending = false;
    if (operation->question != NULL) {
        operation->question->state = EVENT_DONE;
        operation->question = NULL;
    }
    if (operation->streamed != NULL) {
        operation->streamed->state = EVENT_DONE;
        operation->streamed = NULL;
    }
    pthread_cond_broadcast(&operation->changed);
    pthread_mutex_unlock(&operation->lock);
}

/* The form that ON_LEAVING calls: the event is freed also when its callback ends the thread. */
static void free_event(struct event *const *event)
{
    event_free(*event);
}

/* ---- the result's callback --------------------------------------------------------------- */

/* Under MANUAL_ACK no result follows an unacknowledged one. The end of the session ends the wait:
 * its client is gone. */
static void await_acknowledgement(struct operation *operation)
{
    while (operation->ack_pending && !operation->abandoned) {
        pthread_cond_wait(&operation->changed, &operation->lock);
    }
    operation->ack_pending = false;
}

/* One call of the result callback. The final one (more false) carries result, message and details,
 * and may have an item; the others carry an item only. ack_pending is set before the call, since
 * the client may acknowledge within it. */
static void call(struct operation *operation, const struct result *item, MI_Boolean more)
{
    MI_Operation handle = operation_handle(operation);
    const MI_OperationCallbacks *callbacks = &operation->callbacks;
    const MI_Instance *instance = item == NULL ? NULL : item->instance;
    bool manual = (operation->flags & MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS) != 0;
    MI_Result (*acknowledge)(MI_Operation *) = manual ? deliver_acknowledge : NULL;
    MI_Result result = more ? MI_RESULT_OK : operation->result;
    const char *message = more ? NULL : operation->message;
    const MI_Instance *details = more ? NULL : operation->details;

    await_acknowledgement(operation);
    operation->ack_pending = manual;
    struct operation *unfinished ON_LEAVING(unwound) = operation;
    begin(operation);
    switch (operation->kind) {
    case OPERATION_INSTANCE:
        callbacks->instanceResult(&handle, callbacks->callbackContext, instance, more, result,
                                  message, details, acknowledge);
        break;
    case OPERATION_INDICATION:
        callbacks->indicationResult(&handle, callbacks->callbackContext, instance,
                                    item == NULL ? NULL : item->bookmark, NULL, more, result,
                                    message, details, acknowledge);
        break;
    case OPERATION_CLASS:
        callbacks->classResult(&handle, callbacks->callbackContext,
                               item == NULL ? NULL : item->class_item, more, result, message,
                               details, acknowledge);
        break;
    }
    finish(&unfinished);
}

/* Takes the first result out of the queue, as the current one. The wait comes before the free: the
 * client may use the current item until it has acknowledged it. */
static struct result *take_result(struct operation *operation)
{
    struct result *item = operation_take(operation);

    await_acknowledgement(operation);
    result_free(operation->current);
    /* Kept until the next one, for a client that acknowledges later. */
    operation->current = item;
    return item;
}

/* The answer of a request for one object is delivered with the final result, in one callback: it
 * waits for that, unless the final result is an error, which is delivered by itself. */
bool deliver_waits_for_final(const struct operation *operation)
{
    const struct result *item = operation->results;
    enum request_kind kind = operation->request.kind;
    bool single = kind == REQUEST_GET || kind == REQUEST_CREATE || kind == REQUEST_MODIFY ||
                  kind == REQUEST_INVOKE || kind == REQUEST_CLASS;

    return operation->async && single && item != NULL && item->next == NULL &&
           (item->instance != NULL || item->class_item != NULL) &&
           (!operation->finished || operation->result == MI_RESULT_OK);
}

/* After it no callback of this operation is called any more. */
void deliver_final(struct operation *operation)
{
    call(operation, deliver_waits_for_final(operation) ? take_result(operation) : NULL, MI_FALSE);
}

/* May be the last use of the handle after Close, so it may retire the operation. */
MI_Result deliver_acknowledge(MI_Operation *handle)
{
    ENTRY_UNCANCELLED;
    struct operation *operation = operation_acquire(handle);
    if (operation == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    pthread_mutex_lock(&operation->lock);
    operation->ack_pending = false;
    pthread_cond_broadcast(&operation->changed);
    operation_settle(operation);
    pthread_mutex_unlock(&operation->lock);
    operation_release(operation);
    return MI_RESULT_OK;
}

/* ---- the other callbacks ----------------------------------------------------------------- */

/* One call of another callback. A response function is passed only where an answer is wanted, as
 * MI.h says. */
static void call_event(struct operation *operation, struct event *event)
{
    MI_Operation handle = operation_handle(operation);
    const MI_OperationCallbacks *callbacks = &operation->callbacks;
    void *context = callbacks->callbackContext;
    MI_Result (*respond)(MI_Operation *, MI_OperationCallback_ResponseType) =
        event->answer_wanted ? deliver_answer : NULL;
    bool manual = event->kind == EVENT_STREAM &&
                  (operation->flags & MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS) != 0;
    MI_Result (*acknowledge)(MI_Operation *) = manual ? deliver_acknowledge : NULL;

    if (manual) {
        await_acknowledgement(operation); /* of the result before */
        operation->ack_pending = true;
    }
    struct operation *unfinished ON_LEAVING(unwound) = operation;
    begin(operation);
    switch (event->kind) {
    case EVENT_MESSAGE:
        callbacks->writeMessage(&handle, context, event->number, event->text[0]);
        break;
    case EVENT_PROGRESS:
        callbacks->writeProgress(&handle, context, event->text[0], event->text[1], event->text[2],
                                 event->number, event->seconds);
        break;
    case EVENT_ERROR:
        callbacks->writeError(&handle, context, event->error, respond);
        break;
    case EVENT_STREAM:
        callbacks->streamedParameterResult(&handle, context, event->text[0], event->value_type,
                                           event->value, acknowledge);
        break;
    case EVENT_PROMPT:
        callbacks->promptUser(&handle, context, event->text[0], (MI_PromptType)event->number,
                              respond);
        break;
    }
    finish(&unfinished);
}

/* A question waits for its answer here too, on the driver: the client may give it later and on
 * another thread. */
static void deliver_event(struct operation *operation)
{
    struct event *event = operation->events;

    operation->events = event->next;
    if (operation->events == NULL) {
        operation->events_end = &operation->events;
    }
    operation->event_count--;
    event->state = EVENT_DELIVERING;
    if (event->kind == EVENT_STREAM) {
        operation->streamed = event;
        call_event(operation, event);
        await_acknowledgement(operation); /* the value is valid until then */
        operation->streamed = NULL;
        event->state = EVENT_DONE;
        pthread_cond_broadcast(&operation->changed);
        return;
    }
    if (!event->answer_wanted) {
        struct event *owned ON_LEAVING(free_event) = event;
        call_event(operation, owned);
        return;
    }
    operation->question = event;
    call_event(operation, event);
    while (!event->answered && !operation->finished && !operation->cancelled &&
           !operation->abandoned) {
        pthread_cond_wait(&operation->changed, &operation->lock);
    }
    operation->question = NULL;
    /* From here on the event may be gone: it is on the stack of the thread that asked. */
    event->state = EVENT_DONE;
    pthread_cond_broadcast(&operation->changed);
}

/* The "to all" answers are kept for the rest of the operation, separately for errors and
 * prompts. */
MI_Result deliver_answer(MI_Operation *handle, MI_OperationCallback_ResponseType response)
{
    ENTRY_UNCANCELLED;
    if (response < MI_OperationCallback_ResponseType_No ||
        response > MI_OperationCallback_ResponseType_YesToAll) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct operation *operation = operation_acquire(handle);
    if (operation == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    pthread_mutex_lock(&operation->lock);
    struct event *question = operation->question;
    bool taken = question != NULL && !question->answered;
    if (taken) {
        bool to_all = response == MI_OperationCallback_ResponseType_NoToAll ||
                      response == MI_OperationCallback_ResponseType_YesToAll;
        int *all = question->kind == EVENT_ERROR ? &operation->error_all : &operation->prompt_all;
        question->answered = true;
        question->answer = response == MI_OperationCallback_ResponseType_Yes ||
                                   response == MI_OperationCallback_ResponseType_YesToAll
                               ? MI_TRUE
                               : MI_FALSE;
        *all = to_all ? (int)response : *all;
        pthread_cond_broadcast(&operation->changed);
    }
    pthread_mutex_unlock(&operation->lock);
    operation_release(operation);
    return taken ? MI_RESULT_OK : MI_RESULT_INVALID_PARAMETER;
}

/* Delivers the next event or result. False without one. Asynchronous results only: those of
 * a synchronous operation wait in the queue for Get. */
static bool deliver_next(struct operation *operation)
{
    if (operation->events != NULL) {
        deliver_event(operation);
        return true;
    }
    if (operation->async && operation->results != NULL && !deliver_waits_for_final(operation)) {
        call(operation, take_result(operation), MI_TRUE);
        return true;
    }
    return false;
}

/* `delivering` is set also while the driver waits for an acknowledgement or an answer: it has taken
 * the result already. */
void deliver_pending(struct operation *operation)
{
    if (operation->in_callback) {
        return;
    }
    operation->delivering = true;
    while (deliver_next(operation)) {
    }
    operation->delivering = false;
    if (operation->waiting_posts > 0 || operation->finished) {
        pthread_cond_broadcast(&operation->changed); /* a post, or a time-out, waits for the end */
    }
}
