/* SPDX-License-Identifier: MIT */
/*
 * Who runs an operation's steps. The driver is the one thread that calls its providers and its
 * client: the caller's own (in the starter, later in Get*), or the worker made for it. A thread
 * made here has the credentials of the caller, because the kernel copies them at clone(2).
 *
 * A synchronous operation for one object is driven by run_here() in its starter and, where its
 * provider answers late, by fetch() in operation.c. One that may have any number of results, one
 * with a time-out (run_needs_worker()), and an asynchronous one are driven by worker() from start
 * to end. While it is driven, `driver` names the thread; a post or question that comes from that
 * very thread is handled at once, since waiting for the driver would wait for itself.
 *
 * A provider that does not return keeps the worker. When the time-out of an asynchronous operation
 * has elapsed then, its timer takes the worker's place (take_over()) and gives the client the end;
 * when it was cancelled, the thread of run_grace() does so some time later. The worker notices by
 * run_is_driver() when the provider returns, and leaves.
 */
#include "base/clock.h"
#include "host/server/host.h"

#include <errno.h>

#include "base/alloc.h"
#include "host/object/object.h"

/* The lock is held by the caller, here as in the next two functions. */
void run_claim(struct operation *operation)
{
    operation->driving = true;
    operation->driver = pthread_self();
}

/* The broadcast wakes a Get that waits to drive. */
void run_unclaim(struct operation *operation)
{
    operation->driving = false;
    pthread_cond_broadcast(&operation->changed);
}

/* `driver` is valid only while `driving`. */
bool run_is_driver(const struct operation *operation)
{
    return operation->driving && pthread_equal(operation->driver, pthread_self());
}

/* One step further, unless a provider still runs the last one. False when nothing is left to do.
 * The lock is released while the provider is called. */
static bool run_step(struct operation *operation)
{
    struct request *request = &operation->request;

    if (operation->finished || operation->context != NULL) {
        return false;
    }
    if (operation->cancelled) {
        operation_finish(operation, MI_RESULT_FAILED, NULL, NULL);
    } else if (request->next_step == request->step_count) {
        if (request->kind == REQUEST_SUBSCRIBE) {
            return false; /* until its client ends it, or a provider */
        }
        operation_finish(operation, MI_RESULT_OK, NULL, NULL);
    } else {
        struct step *step = &request->steps[request->next_step++];
        operation->in_provider = true;
        pthread_mutex_unlock(&operation->lock);
        if (request->kind == REQUEST_SUBSCRIBE) {
            indication_begin(operation, step);
        } else {
            dispatch_step(operation, step);
        }
        pthread_mutex_lock(&operation->lock);
        if (!run_is_driver(operation)) {
            return false; /* take_over() was here */
        }
        operation->in_provider = false;
    }
    return true;
}

/* Results are delivered between the steps, so that a provider does not wait for the client of
 * another. */
void run_steps(struct operation *operation)
{
    do {
        deliver_pending(operation);
    } while (run_step(operation));
    if (operation->waiting_posts > 0) {
        pthread_cond_broadcast(&operation->changed); /* the driver is no longer in a provider */
    }
}

/* A callback was left by unwinding, so the end of run_driven() was not reached. */
static void end_drive(struct operation *const *driven)
{
    if (*driven != NULL) {
        pthread_mutex_lock(&(*driven)->lock);
        (*driven)->in_provider = false;
        run_unclaim(*driven);
        pthread_mutex_unlock(&(*driven)->lock);
    }
}

/* ON_LEAVING gives the claim back where a callback ends the thread; the lock is not held then. */
void run_driven(struct operation *operation, void (*way)(struct operation *))
{
    struct operation *driven ON_LEAVING(end_drive) = operation;

    run_claim(operation);
    way(operation);
    run_unclaim(operation);
    driven = NULL;
}

/* Returns when the operation is finished or a provider works on a thread of its own. */
void run_here(struct operation *operation)
{
    pthread_mutex_lock(&operation->lock);
    run_driven(operation, run_steps);
    pthread_mutex_unlock(&operation->lock);
}

/* An operation on its worker. A callback may end the thread by pthread_exit(3). */
struct work {
    struct operation *operation; /* NULL: done */
    bool final_begun;
};

/* The session waits for the final callback of an asynchronous operation. Without a lock. */
static void count_final(struct operation *operation, int change)
{
    struct session *session = operation->session;

    if (operation->async) {
        pthread_mutex_lock(&session->lock);
        session->final_count += (uint64_t)(int64_t)change;
        pthread_cond_broadcast(&session->changed);
        pthread_mutex_unlock(&session->lock);
    }
}

/* The last driver of an operation with a worker leaves; the caller holds the lock, and calls
 * count_final() without it. */
static void end_last_drive(struct operation *operation)
{
    operation->complete = true;
    operation->in_provider = false;
    run_unclaim(operation);
    operation_settle(operation);
}

/* The end of the worker on every way out: the final callback has been called, or its client has
 * ended the thread in it. */
static void end_work(struct work *work)
{
    struct operation *operation = work->operation;

    if (operation != NULL) {
        indication_end(operation);
        pthread_mutex_lock(&operation->lock);
        bool last = run_is_driver(operation);
        if (last) {
            end_last_drive(operation);
        }
        pthread_mutex_unlock(&operation->lock);
        if (last) {
            count_final(operation, -1);
        }
        operation_release(operation);
    }
}

/* Once, even if the callback itself ends the thread. */
static void give_final(struct work *work)
{
    if (!work->final_begun && work->operation->async) {
        work->final_begun = true;
        deliver_final(work->operation);
    }
}

/* The client has ended the thread that delivered its results: nothing follows but the
 * final result. */
static void give_up(struct work *work)
{
    struct work last ON_LEAVING(end_work) = *work;
    struct operation *operation = work->operation;

    if (operation == NULL || work->final_begun) {
        return;
    }
    operation_cancel(operation, MI_REASON_NONE);
    pthread_mutex_lock(&operation->lock);
    operation_finish(operation, MI_RESULT_FAILED, NULL, NULL);
    if (run_is_driver(operation)) {
        give_final(&last);
    }
    pthread_mutex_unlock(&operation->lock);
}

/* Nothing is left to call or to deliver but the final result. The client of a synchronous operation
 * fetches the rest itself. */
static bool is_through(const struct operation *operation)
{
    return operation->finished && operation->events == NULL &&
           (!operation->async || operation->results == NULL || deliver_waits_for_final(operation));
}

/* The thread of an operation that has one. It waits while providers work on threads of their
 * own. */
static void *worker(void *argument)
{
    ENTRY_UNCANCELLED;
    struct operation *operation = argument;
    struct work work ON_LEAVING(give_up) = {operation, false};

    pthread_mutex_lock(&operation->lock);
    run_claim(operation);
    for (;;) {
        run_steps(operation);
        if (!run_is_driver(operation) || is_through(operation)) {
            break;
        }
        pthread_cond_wait(&operation->changed, &operation->lock);
    }
    if (run_is_driver(operation)) {
        give_final(&work);
    }
    pthread_mutex_unlock(&operation->lock);
    return NULL; /* end_work() does the clean-up */
}

/* A client that fetches waits in Get... and sees the end there; the starter of a request without a
 * step has nothing to wait for. */
bool run_needs_worker(const struct operation *operation)
{
    switch (operation->request.kind) {
    case REQUEST_ENUMERATE:
    case REQUEST_QUERY:
    case REQUEST_ASSOCIATORS:
    case REQUEST_REFERENCES:
    case REQUEST_SUBSCRIBE:
        return operation->request.step_count > 0;
    default:
        return operation->timeout_ms != 0 && operation->request.step_count > 0;
    }
}

/* The pin is the worker's; it is released here if there is no thread. */
bool run_worker(struct operation *operation)
{
    operation_pin(operation);
    count_final(operation, 1);
    if (host_thread(worker, operation)) {
        return true;
    }
    count_final(operation, -1);
    operation_release(operation);
    return false;
}

/* Whether the worker cannot deliver the end: it is in a function of a provider, and not in the
 * middle of a delivery, which goes on by itself. */
static bool is_stuck(const struct operation *operation)
{
    return operation->in_provider && !operation->delivering;
}

/* The final result of an operation that is over, from this thread if the worker does not return
 * from its provider; true then. The caller holds the lock, as run_claim() asks. */
static bool take_over(struct operation *operation)
{
    struct work work = {operation, false};

    while (!operation->complete && !is_stuck(operation)) {
        pthread_cond_wait(&operation->changed, &operation->lock);
    }
    if (operation->complete) {
        return false;
    }
    run_claim(operation);
    operation->in_provider = false;
    deliver_pending(operation);
    give_final(&work);
    end_last_drive(operation);
    return true;
}

/* Ends the operation, unless its provider has, and sees that its client gets the end. Takes over
 * details. Without memory for the text it ends without. */
static void finish_late(struct operation *operation, const char *text, MI_Instance *details)
{
    char *message = base_copy_text(text);

    pthread_mutex_lock(&operation->lock);
    operation_finish(operation, MI_RESULT_FAILED, message, details);
    bool taken = operation->async && take_over(operation);
    pthread_mutex_unlock(&operation->lock);
    if (taken) {
        count_final(operation, -1);
    }
}

/* Ends the operation with the reason in words and as a CIM_Error. Without memory it ends without
 * them. */
static void finish_timed_out(struct operation *operation)
{
    static const char text[] = "the operation's time-out has elapsed";
    MI_Instance *details = NULL;

    if (error_instance_timeout(text, &details) != MI_RESULT_OK) {
        details = NULL;
    }
    finish_late(operation, text, details);
}

/* Whether the client has the end, or can fetch it; the caller holds the lock. A provider may have
 * posted its final result and keep the worker from delivering it. */
static bool client_has_end(const struct operation *operation)
{
    return operation->finished && (!operation->async || operation->complete);
}

/* False when it has not come in time. */
static bool await_end(struct operation *operation, uint64_t milliseconds)
{
    struct timespec deadline = clock_after_ms(milliseconds);
    bool in_time = true;

    pthread_mutex_lock(&operation->lock);
    while (!client_has_end(operation) && in_time) {
        in_time =
            pthread_cond_timedwait(&operation->changed, &operation->lock, &deadline) != ETIMEDOUT;
    }
    bool has_end = client_has_end(operation);
    pthread_mutex_unlock(&operation->lock);
    return has_end;
}

/*
 * A thread for each operation with a time-out: the cancel callback that it calls is provider code,
 * and must run under the credentials of the caller, not of one clock thread for all.
 */
static void *timer(void *argument)
{
    ENTRY_UNCANCELLED;
    struct operation *operation = argument;

    if (!await_end(operation, operation->timeout_ms)) {
        operation_cancel(operation, MI_REASON_TIMEOUT);
        finish_timed_out(operation);
    }
    operation_release(operation);
    return NULL;
}

/* As run_worker(). */
bool run_timer(struct operation *operation)
{
    operation_pin(operation);
    if (host_thread(timer, operation)) {
        return true;
    }
    operation_release(operation);
    return false;
}

/* ---- after a cancellation ---------------------------------------------------------------- */

static const char no_answer[] = "the operation was cancelled, and its provider has not answered";

static void *grace(void *argument)
{
    ENTRY_UNCANCELLED;
    struct operation *operation = argument;

    if (!await_end(operation, operation->host->options.load_timeout_ms)) {
        finish_late(operation, no_answer, NULL);
    }
    operation_release(operation);
    return NULL;
}

/* Once for an operation. Without a thread this one cannot wait for a worker, on which it may be. */
void run_grace(struct operation *operation)
{
    pthread_mutex_lock(&operation->lock);
    bool needed = !operation->grace && !client_has_end(operation);
    operation->grace = true;
    pthread_mutex_unlock(&operation->lock);
    if (!needed) {
        return;
    }
    operation_pin(operation);
    if (host_thread(grace, operation)) {
        return;
    }
    pthread_mutex_lock(&operation->lock);
    operation_finish(operation, MI_RESULT_FAILED, NULL, NULL);
    pthread_mutex_unlock(&operation->lock);
    operation_release(operation);
}
