/* SPDX-License-Identifier: MIT */
/*
 * Sessions: what they own and how they end. The slots are in session_table.c.
 *
 * session_end() is the one way in which a session ends, called by Close, by the end of a provider's
 * context, and by miguard_host_free(): it retires the handle first, so that no new operation is
 * started, and then abandons the open ones.
 */
#include "base/clock.h"
#include "host/server/host.h"

#include <errno.h>

#include "base/alloc.h"

static void destroy(void *object);

static struct slots sessions =
    SLOTS_INIT(sizeof(struct session), destroy, MIGUARD_HOST_MAX_SESSIONS);

/* The last pin after the end destroys the session and lets the host go on. */
void session_release(struct session *session)
{
    slots_release(&sessions, session);
}

/* Published, or still pinned. */
uint32_t session_in_use(void)
{
    return slots_in_use(&sessions);
}

/* Only sessions of clients are in the list: those of providers end with their contexts. */
static void list_session(struct session *session)
{
    struct miguard_host *host = session->host;

    pthread_mutex_lock(&host->lock);
    session->next = host->sessions;
    if (session->next != NULL) {
        session->next->previous = session;
    }
    host->sessions = session;
    session->listed = true;
    pthread_mutex_unlock(&host->lock);
}

/* Does nothing when it is not listed: the end of the host may have unlisted it. */
void session_unlist(struct session *session)
{
    if (!session->listed) {
        return;
    }
    if (session->previous != NULL) {
        session->previous->next = session->next;
    } else {
        session->host->sessions = session->next;
    }
    if (session->next != NULL) {
        session->next->previous = session->previous;
    }
    session->next = NULL;
    session->previous = NULL;
    session->listed = false;
}

/* The slot table's destructor: the last pin is released, so no operation is left. */
static void destroy(void *object)
{
    struct session *session = object;
    struct miguard_host *host = session->host;

    pthread_mutex_lock(&host->lock);
    session_unlist(session);
    pthread_mutex_unlock(&host->lock);
    pthread_cond_destroy(&session->changed);
    pthread_mutex_destroy(&session->lock);
    if (session->client != NULL) {
        host->clients.release(session->client);
    }
    host_release(host);
}

/* The host is retained until destroy(), which is what miguard_host_free() waits for. */
struct session *session_new(struct miguard_host *host, bool local, unsigned depth,
                            struct miguard_target *client)
{
    struct session *session = slots_new(&sessions, NULL);
    if (session == NULL) {
        return NULL;
    }
    session->host = host;
    session->local = local;
    session->depth = depth;
    session->client = client;
    pthread_mutex_init(&session->lock, NULL);
    clock_cond_init(&session->changed);
    host_retain(host);
    slots_publish(&sessions, session);
    if (!local) {
        list_session(session);
    }
    return session;
}

/* The words are those of the slot table: a name that is never used again, and a check. */
MI_Session session_handle(const struct session *session)
{
    struct slots_handle handle = slots_handle_of(&sessions, session);
    return (MI_Session){handle.name, (ptrdiff_t)handle.check, &session_ft};
}

/* Reads the words of the caller's copy only; ft was read by the inline functions of MI.h. */
struct session *session_acquire(const MI_Session *handle)
{
    void *object = NULL;
    if (handle == NULL) {
        return NULL;
    }
    struct slots_handle name = {handle->reserved1, (uint64_t)handle->reserved2};
    return slots_acquire(&sessions, name, &object) == SLOTS_OK ? object : NULL;
}

/* The first open operation, removed from the list; it may be ending, and then is NULL although
 * *ret_any is true. */
static struct operation *take_first_operation(struct session *session, bool *ret_any)
{
    struct operation *operation = NULL;

    pthread_mutex_lock(&session->lock);
    struct operation *first = session->operations;
    if (first != NULL) {
        MI_Operation handle = operation_handle(first);
        operation_unlist(first);
        operation = operation_acquire(&handle);
    }
    *ret_any = first != NULL;
    pthread_mutex_unlock(&session->lock);
    return operation;
}

/* The slot table decides which of two concurrent calls ends it. */
bool session_end(struct session *session, MI_CancellationReason reason)
{
    bool any = true;

    if (!slots_retire(&sessions, session)) {
        return false;
    }
    pthread_mutex_lock(&session->lock);
    session->ended = true;
    pthread_mutex_unlock(&session->lock);
    while (any) {
        struct operation *operation = take_first_operation(session, &any);
        if (operation != NULL) {
            operation_abandon(operation, reason);
            operation_release(operation);
        }
    }
    return true;
}

/* ---- Close ------------------------------------------------------------------------------- */

/* What the thread of a Close with a callback needs. */
struct closing {
    struct session *session;
    void *data;
    void (*callback)(void *);
};

/* Waits until the last operation is gone, including its final callback; from some time on only for
 * these callbacks: a provider may never answer. */
static void *await_operations(void *argument)
{
    ENTRY_UNCANCELLED;
    struct closing closing = *(struct closing *)argument;
    struct session *session = closing.session;

    bool patient = true;

    base_free(argument);
    struct timespec deadline = clock_after_ms(session->host->options.load_timeout_ms);
    pthread_mutex_lock(&session->lock);
    while (session->operation_count > 0 && (patient || session->final_count > 0)) {
        if (!patient) {
            pthread_cond_wait(&session->changed, &session->lock);
        } else if (pthread_cond_timedwait(&session->changed, &session->lock, &deadline) ==
                   ETIMEDOUT) {
            patient = false;
        }
    }
    pthread_mutex_unlock(&session->lock);
    closing.callback(closing.data);
    session_release(session);
    return NULL;
}

/* Takes over the pin of session. Without operations, or without resources for a thread, the
 * callback is called here: late is acceptable, never is not. */
static void close_with_callback(struct session *session, void *data, void (*callback)(void *))
{
    pthread_mutex_lock(&session->lock);
    bool busy = session->operation_count > 0;
    pthread_mutex_unlock(&session->lock);

    struct closing *closing = busy ? base_alloc(1, sizeof(*closing)) : NULL;
    if (closing != NULL) {
        *closing = (struct closing){session, data, callback};
        if (host_thread(await_operations, closing)) {
            return;
        }
        base_free(closing);
    }
    callback(data);
    session_release(session);
}

/* Close: the form without a callback does not wait for operations, since a callback of one may be
 * what called it, and it would wait for itself. */
MI_Result session_close(MI_Session *handle, void *data, void (*callback)(void *))
{
    ENTRY_UNCANCELLED;
    struct session *session = session_acquire(handle);
    if (session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (session->local) {
        /* MI_Context_GetLocalSession: it ends with its context and not before: nothing is closed,
         * but the completion callback is called. */
        session_release(session);
        if (callback != NULL) {
            callback(data);
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (!session_end(session, MI_REASON_NONE)) {
        session_release(session);
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (callback == NULL) {
        session_release(session);
    } else {
        close_with_callback(session, data, callback);
    }
    return MI_RESULT_OK;
}
