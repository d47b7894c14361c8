/* SPDX-License-Identifier: MIT */
/*
 * The beginning and the end of an operation.
 *
 * operation_start() checks the arguments, makes the operation (make(), prepare()), publishes it and
 * starts what drives it. Everything that can fail comes before the handle is given out, but for the
 * threads; operation_refuse() then replaces the handle.
 */
#include "base/clock.h"
#include "host/server/host.h"

#include "base/alloc.h"
#include "host/object/object.h"

/* By the presence of the callback for this kind alone: a client with only promptUser fetches its
 * results. */
static bool is_async(const struct operation_start *start)
{
    const MI_OperationCallbacks *callbacks = start->callbacks;
    if (callbacks == NULL) {
        return false;
    }
    switch (start->kind) {
    case OPERATION_INSTANCE:
        return callbacks->instanceResult != NULL;
    case OPERATION_INDICATION:
        return callbacks->indicationResult != NULL;
    case OPERATION_CLASS:
        return callbacks->classResult != NULL;
    }
    return false;
}

/* Makes session_end() find the operation. The caller holds the session's lock. */
static void list_operation(struct operation *operation)
{
    struct session *session = operation->session;

    operation->next = session->operations;
    if (operation->next != NULL) {
        operation->next->previous = operation;
    }
    session->operations = operation;
    operation->listed = true;
}

/* Does nothing when it is not listed: session_end() may have unlisted it. */
void operation_unlist(struct operation *operation)
{
    if (!operation->listed) {
        return;
    }
    if (operation->previous != NULL) {
        operation->previous->next = operation->next;
    } else {
        operation->session->operations = operation->next;
    }
    if (operation->next != NULL) {
        operation->next->previous = operation->previous;
    }
    operation->next = NULL;
    operation->previous = NULL;
    operation->listed = false;
}

/* An operation that was only allocated has no session and owns nothing. */
void operation_destroy(void *object)
{
    struct operation *operation = object;
    struct session *session = operation->session;

    if (session == NULL) {
        return;
    }
    pthread_mutex_lock(&session->lock);
    operation_unlist(operation);
    session->operation_count--;
    pthread_cond_broadcast(&session->changed);
    pthread_mutex_unlock(&session->lock);

    while (operation->results != NULL) {
        struct result *first = operation->results;
        operation->results = first->next;
        result_free(first);
    }
    while (operation->events != NULL) {
        struct event *first = operation->events;
        operation->events = first->next;
        event_free(first);
    }
    result_free(operation->current);
    stream_free(operation);
    base_free(operation->message);
    instance_delete(operation->details);
    if (operation->options.ft != NULL) {
        operation->options.ft->Delete(&operation->options);
    }
    plan_release(&operation->request);
    if (operation->nested_client != NULL) {
        operation->host->clients.release(operation->nested_client);
    }
    pthread_cond_destroy(&operation->changed);
    pthread_mutex_destroy(&operation->lock);
    session_release(session);
}

/* On the thread that makes the request, which for a provider is its client. One that cannot be read
 * is refused: its provider would serve a request of which it cannot learn whose it is. */
static MI_Result take_client(struct operation *operation)
{
    const struct session *session = operation->session;
    const struct miguard_host_clients *clients = &session->host->clients;

    if (!session->local || clients->thread == NULL) {
        return MI_RESULT_OK;
    }
    return clients->thread(&operation->nested_client, NULL) == MIGUARD_OK ? MI_RESULT_OK
                                                                          : MI_RESULT_ACCESS_DENIED;
}

/* An operation with everything that cannot fail. Takes over the pin of session. */
static struct operation *make(const struct operation_start *start, struct session *session)
{
    struct operation *operation = operation_allocate();
    if (operation == NULL) {
        return NULL;
    }
    pthread_mutex_init(&operation->lock, NULL);
    clock_cond_init(&operation->changed);
    operation->host = session->host;
    operation->session = session;
    operation->kind = start->kind;
    operation->flags = start->flags;
    operation->async = is_async(start);
    if (start->callbacks != NULL) {
        operation->callbacks = *start->callbacks;
    }
    operation->results_end = &operation->results;
    operation->events_end = &operation->events;
    /* The nesting depth of provider requests: on this thread or through their session. */
    unsigned depth = dispatch_depth();
    operation->depth = depth > session->depth ? depth : session->depth;

    pthread_mutex_lock(&session->lock);
    session->operation_count++;
    pthread_mutex_unlock(&session->lock);
    return operation;
}

/* "accepted", the result without an item. */
static MI_Result append_started(struct operation *operation)
{
    struct result *item = base_alloc(1, sizeof(*item));

    if (item == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    operation_append(operation, item);
    return MI_RESULT_OK;
}

/* What can fail: nesting, the client, options, planning. The results that are known at the start,
 * "accepted" and classes, are queued here. */
static MI_Result prepare(struct operation *operation, const struct operation_start *start)
{
    struct result *classes = NULL;

    if (operation->depth >= MIGUARD_HOST_MAX_NESTING) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Result result = take_client(operation);
    if (result == MI_RESULT_OK) {
        result = operation_take_options(operation, start->options);
    }
    if (result == MI_RESULT_OK &&
        (start->flags & MI_OPERATIONFLAGS_REPORT_OPERATION_STARTED) != 0) {
        result = append_started(operation);
    }
    if (result == MI_RESULT_OK) {
        result = plan_request(operation->host, &start->input, start->flags, &operation->request,
                              &classes);
    }
    while (classes != NULL) {
        struct result *next = classes->next;
        operation_append(operation, classes);
        classes = next;
    }
    return result;
}

/* `ended` is checked under the lock that session_end() takes: an operation is either listed in time
 * for its end or refused. */
MI_Result operation_new(const struct operation_start *start, struct operation **ret_operation)
{
    struct session *session = session_acquire(start->session);
    if (session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct operation *operation = make(start, session);
    if (operation == NULL) {
        session_release(session);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Result result = prepare(operation, start);
    operation->has_worker = operation->async || run_needs_worker(operation);
    if (result == MI_RESULT_OK) {
        pthread_mutex_lock(&session->lock);
        if (session->ended) {
            result = MI_RESULT_INVALID_PARAMETER;
        } else {
            operation_publish(operation);
            list_operation(operation);
        }
        pthread_mutex_unlock(&session->lock);
    }
    if (result != MI_RESULT_OK) {
        operation_release(operation);
        return result;
    }
    *ret_operation = operation;
    return MI_RESULT_OK;
}

/* ---- starting ---------------------------------------------------------------------------- */

/* A missing and an empty name are the same mistake. */
static bool is_empty(const MI_Char *text)
{
    return text == NULL || text[0] == '\0';
}

/* Without a declaration an instance cannot be read. */
static bool is_instance(const MI_Instance *instance)
{
    return instance != NULL && instance->classDecl != NULL;
}

/* A static method needs a class, any other an instance; parameters are optional. */
static MI_Result check_invoke(const struct request_input *input)
{
    bool sound = !is_empty(input->method_name) &&
                 (!is_empty(input->class_name) || input->instance != NULL) &&
                 (input->instance == NULL || is_instance(input->instance)) &&
                 (input->parameters == NULL || is_instance(input->parameters));
    return sound ? MI_RESULT_OK : MI_RESULT_INVALID_PARAMETER;
}

/* The required arguments of each function. This comes before everything else, so that an invalid
 * call has no effect and looks the same on every session. */
static MI_Result check_input(const struct request_input *input)
{
    if (input->kind != REQUEST_TEST && is_empty(input->name_space)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    switch (input->kind) {
    case REQUEST_GET:
    case REQUEST_CREATE:
    case REQUEST_MODIFY:
    case REQUEST_DELETE:
    case REQUEST_ASSOCIATORS:
    case REQUEST_REFERENCES:
        return is_instance(input->instance) ? MI_RESULT_OK : MI_RESULT_INVALID_PARAMETER;
    case REQUEST_INVOKE:
        return check_invoke(input);
    case REQUEST_ENUMERATE:
    case REQUEST_CLASS:
        return is_empty(input->class_name) ? MI_RESULT_INVALID_PARAMETER : MI_RESULT_OK;
    case REQUEST_QUERY:
    case REQUEST_SUBSCRIBE:
        return is_empty(input->dialect) || is_empty(input->expression) ? MI_RESULT_INVALID_PARAMETER
                                                                       : MI_RESULT_OK;
    case REQUEST_CLASSES:
    case REQUEST_TEST:
        break;
    }
    return MI_RESULT_OK;
}

/* When no thread can be made, the operation exists already: it is abandoned, and the handle
 * replaced by one that answers the error. A worker that was started would deliver the callback
 * itself. */
void operation_start(const struct operation_start *start)
{
    ENTRY_UNCANCELLED;
    struct operation *operation ON_LEAVING(operation_unpin) = NULL;
    MI_Result result = check_input(&start->input);

    if (start->operation == NULL) {
        result = MI_RESULT_INVALID_PARAMETER;
    }
    if (result == MI_RESULT_OK) {
        result = operation_new(start, &operation);
    }
    if (result != MI_RESULT_OK) {
        operation_refuse(start, result);
        return;
    }
    /* Set before anything runs that could call back. */
    *start->operation = operation_handle(operation);
    bool running = operation->timeout_ms == 0 || run_timer(operation);
    if (running && operation->has_worker) {
        running = run_worker(operation);
    } else if (running) {
        run_here(operation);
    }
    if (!running) {
        pthread_mutex_lock(&operation->lock);
        operation_finish(operation, MI_RESULT_SERVER_LIMITS_EXCEEDED, NULL, NULL);
        operation->complete = true; /* its callback is called below */
        pthread_mutex_unlock(&operation->lock);
        operation_abandon(operation, MI_REASON_NONE);
        operation_refuse(start, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    }
}
