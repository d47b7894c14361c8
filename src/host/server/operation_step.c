/* SPDX-License-Identifier: MIT */
/*
 * Operations from the providers' side: posts, final results, and cancellation.
 *
 * Three things can end an operation: the final result of its last step, an error of any step, and a
 * cancellation. All go through operation_finish(), under the lock, and the first one counts.
 */
#include "host/server/host.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "host/object/object.h"

/* The client may be waiting for `changed` in fetch(), the worker in worker(). */
void operation_finish(struct operation *operation, MI_Result result, char *message,
                      MI_Instance *details)
{
    if (operation->finished) {
        base_free(message);
        instance_delete(details);
        return;
    }
    operation->finished = true;
    operation->result = result;
    operation->message = message;
    operation->details = details;
    pthread_cond_broadcast(&operation->changed);
}

/* A synchronous operation is over for its client with Close; an asynchronous one also needs its
 * final callback, and the acknowledgement of it. */
void operation_settle(struct operation *operation)
{
    bool unused = !operation->async || (operation->complete && !operation->ack_pending);
    if ((operation->closed && unused) || operation->abandoned) {
        operation_retire(operation);
    }
}

/* The caller has checked the number of results. */
void operation_append(struct operation *operation, struct result *result)
{
    result->next = NULL;
    *operation->results_end = result;
    operation->results_end = &result->next;
    operation->result_count++;
    operation->result_bytes += result->size;
    pthread_cond_broadcast(&operation->changed);
}

struct result *operation_take(struct operation *operation)
{
    struct result *first = operation->results;

    if (first == NULL) {
        return NULL;
    }
    operation->results = first->next;
    if (operation->results == NULL) {
        operation->results_end = &operation->results;
    }
    operation->result_count--;
    operation->result_bytes -= first->size;
    if (operation->waiting_posts > 0) {
        pthread_cond_broadcast(&operation->changed);
    }
    return first;
}

/* Under the same lock as a cancellation: either that sees the context, or this sees the
 * cancellation. */
bool operation_attach(struct operation *operation, struct context *context)
{
    pthread_mutex_lock(&operation->lock);
    bool wanted = !operation->finished && !operation->cancelled;
    if (wanted) {
        operation->context = context;
    }
    pthread_mutex_unlock(&operation->lock);
    return wanted;
}

/* Before this, a cancellation waits for the function; after it, it may end the operation at
 * once. */
void operation_returned(struct operation *operation, struct context *context)
{
    pthread_mutex_lock(&operation->lock);
    context->in_slot = false;
    /* Cancelled while it ran, without a way to inform it: a final post may never come. */
    if (operation->context == context && operation->cancelled && context->cancel == NULL) {
        operation_finish(operation, MI_RESULT_FAILED, NULL, NULL);
    }
    pthread_mutex_unlock(&operation->lock);
}

/* The result of a provider's success: not OK when a post was lost, or when a GET that enumerates
 * has found nothing. */
static MI_Result outcome(const struct operation *operation, bool last)
{
    const struct request *request = &operation->request;

    if (operation->lost != MI_RESULT_OK) {
        return operation->lost;
    }
    return last && request->match && !request->matched ? MI_RESULT_NOT_FOUND : MI_RESULT_OK;
}

/* Associators and references poll every association class that fits. One whose provider cannot
 * answer has found nothing. */
static bool is_no_answer(const struct request *request, MI_Result result)
{
    return result == MI_RESULT_NOT_SUPPORTED &&
           (request->kind == REQUEST_ASSOCIATORS || request->kind == REQUEST_REFERENCES);
}

/* A step that is not the operation's current one has ended too late, and its result is dropped. */
void operation_step_done(struct operation *operation, struct context *context, MI_Result result,
                         char *message, MI_Instance *details)
{
    struct request *request = &operation->request;

    pthread_mutex_lock(&operation->lock);
    bool last = request->next_step == request->step_count;
    bool ours = operation->context == context;
    if (ours) {
        operation->context = NULL;
        pthread_cond_broadcast(&operation->changed);
    }
    if (ours && is_no_answer(request, result)) {
        base_free(message);
        instance_delete(details);
        message = NULL;
        details = NULL;
        result = MI_RESULT_OK;
    }
    if (ours && result == MI_RESULT_OK) {
        result = outcome(operation, last);
    }
    if (ours && (result != MI_RESULT_OK || last)) {
        operation_finish(operation, result, message, details);
        message = NULL;
        details = NULL;
    }
    pthread_mutex_unlock(&operation->lock);
    base_free(message);
    instance_delete(details);
}

/* Whether a post is still delivered; the caller holds the lock. *ret_answer is the answer
 * otherwise. A provider that posts after a cancellation does nothing wrong; but one that goes on
 * for long may look at the answers only, and learns from them that its client is gone. */
static bool wants_post(const struct operation *operation, const struct context *context,
                       MI_Result *ret_answer)
{
    const struct request *request = &operation->request;

    *ret_answer = MI_RESULT_OK;
    if (operation->context != context) {
        *ret_answer = MI_RESULT_INVALID_PARAMETER;
        return false;
    }
    if (operation->cancelled && operation->finished && clock_now_ms() > operation->patience_end) {
        *ret_answer = MI_RESULT_INVALID_PARAMETER;
        return false;
    }
    if (operation->finished || operation->cancelled || (request->match && request->matched)) {
        return false;
    }
    return true;
}

/* ---- flow control ------------------------------------------------------------------------ */

/* The results that a provider may be ahead of its client. Large enough that two threads seldom wait
 * for each other, and that a provider which holds a lock of its own while it posts a few objects is
 * not stopped within it. */
enum { AHEAD_RESULTS = 1024, AHEAD_BYTES = 4 * 1024 * 1024 };

/* Whether a thread other than the one that posts can take results: the client in Get..., or the
 * driver between two provider functions. A driver that is within one may wait there for the very
 * thread that posts. */
static bool can_be_taken(const struct operation *operation)
{
    if (run_is_driver(operation)) {
        return operation->has_worker && !operation->async;
    }
    return !operation->in_provider || operation->delivering ||
           (operation->has_worker && !operation->async);
}

/* Waits until the client has taken enough of what was posted, or the request is over. The caller
 * holds the lock. */
static void await_room(struct operation *operation, const struct context *context)
{
    bool waits = false;

    operation->waiting_posts++;
    while ((operation->result_count >= AHEAD_RESULTS || operation->result_bytes >= AHEAD_BYTES) &&
           operation->context == context && !operation->finished && !operation->cancelled &&
           can_be_taken(operation)) {
        if (!waits) {
            waits = true;
            pthread_cond_broadcast(&operation->changed); /* for may_return_result() */
        }
        pthread_cond_wait(&operation->changed, &operation->lock);
    }
    operation->waiting_posts--;
}

/* Where no thread takes results meanwhile, these are all that an operation keeps. */
static bool is_full(const struct operation *operation, const struct result *next)
{
    return operation->result_count >= MIGUARD_HOST_MAX_RESULTS ||
           next->size > MIGUARD_HOST_MAX_RESULT_BYTES - operation->result_bytes;
}

/* The answer to a post that the client does not want. */
static MI_Result post_unwanted(struct operation *operation, const struct context *context)
{
    MI_Result answer = MI_RESULT_OK;

    pthread_mutex_lock(&operation->lock);
    (void)wants_post(operation, context, &answer);
    pthread_mutex_unlock(&operation->lock);
    return answer;
}

/* The copy is made without the lock, as it may be large; whether it is still wanted is decided
 * afterwards, under the lock. */
MI_Result operation_post(struct operation *operation, struct context *context,
                         const MI_Instance *instance)
{
    struct request *request = &operation->request;
    struct result *item = NULL;

    /* Outputs of a method have no keys, and streamed ones no place. */
    if (request->kind != REQUEST_INVOKE && !instance_keys_complete(instance)) {
        return MI_RESULT_FAILED;
    }
    if ((request->match && !instance_keys_equal(instance, request->instance)) ||
        !plan_selects(request, instance) || !plan_is_associated(request, instance)) {
        return post_unwanted(operation, context);
    }
    MI_Result made = result_new(request, instance, context->module->copies, &item);
    if (made == MI_RESULT_OK && request->kind == REQUEST_INVOKE) {
        made = stream_join(operation, item->instance);
    }
    if (made == MI_RESULT_OK) {
        made = result_as_wanted(request, item);
    }
    MI_Result answer = MI_RESULT_OK;
    pthread_mutex_lock(&operation->lock);
    if (made == MI_RESULT_OK) {
        await_room(operation, context);
        made = is_full(operation, item) ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_OK;
    }
    bool wanted = wants_post(operation, context, &answer);
    if (wanted && made != MI_RESULT_OK) {
        answer = made;
        operation->lost = made;
    } else if (wanted) {
        request->matched = true;
        operation_append(operation, item);
        item = NULL;
        if (run_is_driver(operation)) {
            deliver_pending(operation);
        }
    }
    pthread_mutex_unlock(&operation->lock);
    result_free(item);
    return answer;
}

/* The callback is called without the lock and with the context pinned, so that a final post on
 * another thread does not end it meanwhile. */
void operation_cancel(struct operation *operation, MI_CancellationReason reason)
{
    struct context *pinned ON_LEAVING(context_let_go) = NULL;
    MI_CancelCallback callback = NULL;
    void *data = NULL;

    pthread_mutex_lock(&operation->lock);
    if (operation->finished || operation->cancelled) {
        pthread_mutex_unlock(&operation->lock);
        return;
    }
    operation->cancelled = true;
    operation->reason = reason;
    operation->patience_end = clock_now_ms() + (int64_t)operation->host->options.load_timeout_ms;
    struct context *context = operation->context;
    if (context != NULL && context->cancel != NULL) {
        /* Not pinned: it is about to post its final result and need not be informed. */
        pinned = context_pin(&context->base);
        callback = pinned != NULL ? context->cancel : NULL;
        data = context->cancel_data;
    } else if (context == NULL ? !operation->driving : !context->in_slot) {
        operation_finish(operation, MI_RESULT_FAILED, NULL, NULL);
    }
    pthread_cond_broadcast(&operation->changed);
    pthread_mutex_unlock(&operation->lock);
    if (callback != NULL) {
        callback(reason, data);
    }
}

/* `abandoned` also ends the waits for an acknowledgement or an answer, which can come from no
 * client any more. */
void operation_abandon(struct operation *operation, MI_CancellationReason reason)
{
    operation_cancel(operation, reason);
    pthread_mutex_lock(&operation->lock);
    operation->closed = true;
    operation->abandoned = true;
    if (!operation->async) {
        operation_finish(operation, MI_RESULT_FAILED, NULL, NULL);
    }
    pthread_cond_broadcast(&operation->changed);
    operation_settle(operation);
    pthread_mutex_unlock(&operation->lock);
    run_grace(operation);
}
