/* SPDX-License-Identifier: MIT */
/*
 * The public functions of the embedded server.
 *
 * What was registered, and what of it is loaded, is in registry.c.
 *
 * miguard_host_new() makes the host, miguard_host_load() and miguard_host_add() give it modules,
 * miguard_host_session() gives a client its session, and miguard_host_free() ends all of them in
 * order. Requests never come here: they go from session_table.c to operation_new.c.
 */
#include "host/server/host.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/pin.h"
#include "base/process.h"

enum { DEFAULT_LOAD_TIMEOUT_MS = 10000, DEFAULT_IDLE_UNLOAD_MS = 90000 };

/* The caller holds a reference, or a handle that keeps miguard_host_free() waiting. */
void host_retain(struct miguard_host *host)
{
    pthread_mutex_lock(&host->lock);
    host->references++;
    pthread_mutex_unlock(&host->lock);
}

static void host_destroy(struct miguard_host *host)
{
    registry_free(host);
    pthread_cond_destroy(&host->wanted);
    pthread_cond_destroy(&host->idle);
    pthread_cond_destroy(&host->changed);
    pthread_mutex_destroy(&host->lock);
    base_free(host);
}

/* The lock covers both the count and the broadcast: once the waiter in quiesce() has it, no other
 * thread touches the host. */
void host_release(struct miguard_host *host)
{
    pthread_mutex_lock(&host->lock);
    host->references--;
    bool last = host->left && host->references == 0;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
    if (last) {
        host_destroy(host);
    }
}

/* The numbers 18 and 19 are not used in MI_Result. */
MI_Result host_result(MI_Uint32 code)
{
    bool known = code <= MI_RESULT_SERVER_IS_SHUTTING_DOWN && code != 18 && code != 19;
    return known ? (MI_Result)code : MI_RESULT_FAILED;
}

/* The options are copied. Nothing is loaded yet, and no thread is started. */
enum miguard_status miguard_host_new(const struct miguard_host_options *options,
                                     struct miguard_host **ret_host, struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (ret_host == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "host", "no place for the host");
    }
    if (process_is_stuck()) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "host", PROCESS_STUCK);
    }
    if (!pin_in_memory()) { /* a detached thread may still run its last lines after the free */
        return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "host",
                         "this copy cannot be kept from being unloaded");
    }
    struct miguard_host *host = base_alloc(1, sizeof(*host));
    if (host == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "host", NULL);
    }
    if (options != NULL) {
        host->options = *options;
    }
    if (host->options.load_timeout_ms == 0) {
        host->options.load_timeout_ms = DEFAULT_LOAD_TIMEOUT_MS;
    }
    if (host->options.idle_unload_ms == 0) {
        host->options.idle_unload_ms = DEFAULT_IDLE_UNLOAD_MS;
    }
    host->epoch = process_epoch();
    pthread_mutex_init(&host->lock, NULL);
    clock_cond_init(&host->changed);
    clock_cond_init(&host->idle);
    clock_cond_init(&host->wanted);
    if (!registry_init(host)) {
        host_destroy(host);
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "host", NULL);
    }
    *ret_host = host;
    return MIGUARD_OK;
}

bool host_is_inherited(const struct miguard_host *host)
{
    return host->epoch != process_epoch();
}

enum miguard_status host_refuse_inherited(const char *step, struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_BAD_STATE, 0, step,
                     "the server is that of the process which this one was forked from");
}

static enum miguard_status add(struct miguard_host *host, const char *path,
                               MI_MainFunction main_function, const char *name_space,
                               struct miguard_error *reterr)
{
    enum miguard_status status = registry_add(host, path, main_function, name_space, reterr);

    if (status == MIGUARD_OK) {
        idle_start(host);
    }
    return status;
}

/* A path without a slash would be searched for by dlopen(3) along LD_LIBRARY_PATH: which library is
 * loaded must not depend on the environment. */
enum miguard_status miguard_host_load(struct miguard_host *host, const char *path,
                                      const char *name_space, struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (host == NULL || path == NULL || strchr(path, '/') == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "host load",
                         "a host and a path with a slash are needed");
    }
    if (host_is_inherited(host)) {
        return host_refuse_inherited("host load", reterr);
    }
    return add(host, path, NULL, name_space, reterr);
}

/* As miguard_host_load(), for a module that is linked into the program: there is no library to
 * close. */
enum miguard_status miguard_host_add(struct miguard_host *host, MI_MainFunction main_function,
                                     const char *name_space, struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (host == NULL || main_function == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "host add",
                         "a host and a main function are needed");
    }
    if (host_is_inherited(host)) {
        return host_refuse_inherited("host add", reterr);
    }
    return add(host, NULL, main_function, name_space, reterr);
}

/* One after the other from the start of the list, since ending one needs the host's lock itself. */
static void end_sessions(struct miguard_host *host)
{
    for (;;) {
        pthread_mutex_lock(&host->lock);
        struct session *first = host->sessions;
        MI_Session handle = first == NULL ? (MI_Session)MI_SESSION_NULL : session_handle(first);
        if (first != NULL) {
            session_unlist(first);
        }
        pthread_mutex_unlock(&host->lock);
        if (first == NULL) {
            return;
        }
        /* By handle: the session may be ending. */
        struct session *session = session_acquire(&handle);
        if (session != NULL) {
            session_end(session, MI_REASON_SHUTDOWN);
            session_release(session);
        }
    }
}

/*
 * Waits until no request is left; false when that takes too long. After the load time-out a request
 * whose provider has returned and does not post is abandoned, since it cannot be distinguished from
 * one that never will; after that time again one whose provider does not return.
 */
static bool quiesce(struct miguard_host *host)
{
    struct timespec deadline = clock_after_ms(host->options.load_timeout_ms);
    bool again = false, patient = true;

    pthread_mutex_lock(&host->lock);
    while (host->references > host->standing_references && patient) {
        if (pthread_cond_timedwait(&host->changed, &host->lock, &deadline) != ETIMEDOUT) {
            continue;
        }
        pthread_mutex_unlock(&host->lock);
        context_abandon(host, again);
        patient = !again;
        again = true;
        deadline = clock_after_ms(host->options.load_timeout_ms);
        pthread_mutex_lock(&host->lock);
    }
    pthread_mutex_unlock(&host->lock);
    if (!patient) {
        registry_abandon(host, true);
    }
    return patient;
}

/* Where a provider still runs, all that it may use stays: what it holds is given back when it ends,
 * but no library is unmapped, since any of them may be on its stack. */
static bool leave_behind(struct miguard_host *host, bool quiet)
{
    if (quiet) {
        return false;
    }
    registry_abandon(host, false);
    pthread_mutex_lock(&host->lock);
    host->left = host->references > 0;
    bool left = host->left;
    pthread_mutex_unlock(&host->lock);
    return left;
}

/* The order: clients' sessions, the requests still running, class providers, modules, and their
 * libraries last of all, when no provider function can run any more. */
void miguard_host_free(struct miguard_host *host)
{
    ENTRY_UNCANCELLED;
    if (host == NULL || host_is_inherited(host)) { /* the child must not unload it */
        return;
    }
    end_sessions(host);
    bool quiet = quiesce(host);
    idle_stop(host);

    pthread_mutex_lock(&host->lock);
    host->unloading = true;
    pthread_mutex_unlock(&host->lock);
    /* In reverse order of loading: a module may use one that was loaded earlier. */
    while (provider_unload_last(host)) {
        quiet = quiet && quiesce(host);
    }
    while (registry_unload_last(host)) {
        quiet = quiet && quiesce(host);
    }
    if (!leave_behind(host, quiet)) {
        host_destroy(host);
    }
}

/* A count for tests and statistics; it orders nothing. */
uint64_t miguard_host_provider_calls(const struct miguard_host *host)
{
    return host == NULL ? 0 : atomic_load_explicit(&host->provider_calls, memory_order_relaxed);
}
