/* SPDX-License-Identifier: MIT */
/*
 * The thread that unloads providers which have had no request for some time.
 *
 * It is started with the first module, so that it has the credentials of the program that runs the
 * server: a thread of a client, on which a provider becomes idle, would have the client's. It
 * sleeps until the first of the loaded providers may be unloaded, or the next one is loaded.
 */
#include "base/clock.h"
#include "host/server/host.h"

/* When the host is to end, or a provider was loaded, it is woken. The caller holds the lock. */
static void sleep_until(struct miguard_host *host, int64_t when)
{
    int64_t now = clock_now_ms();

    if (when == INT64_MAX) {
        pthread_cond_wait(&host->idle, &host->lock);
    } else if (when > now) {
        struct timespec deadline = clock_after_ms((uint64_t)(when - now));
        (void)pthread_cond_timedwait(&host->idle, &host->lock, &deadline);
    }
}

/* Providers stay where they are as long as their module, and modules as long as the host; only the
 * list changes while the lock is released for an Unload. So one is looked for again after each. */
static bool unload_one(struct miguard_host *host, int64_t *ret_next)
{
    int64_t idle_ms = host->options.idle_unload_ms;
    int64_t now = clock_now_ms();
    int64_t next = INT64_MAX;

    for (struct provider *at = host->loaded; at != NULL; at = at->loaded_before) {
        int64_t last_used = atomic_load(&at->users) > 0 || atomic_load(&at->refuse_unload)
                                ? now
                                : atomic_load(&at->last_used);
        if (last_used + idle_ms <= now && !atomic_load(&at->module->abandoned)) {
            pthread_mutex_unlock(&host->lock);
            (void)provider_unload_idle(at, now - idle_ms, &last_used);
            pthread_mutex_lock(&host->lock);
            return true;
        }
        if (last_used + idle_ms < next && !atomic_load(&at->module->abandoned)) {
            next = last_used + idle_ms;
        }
    }
    *ret_next = next;
    return false;
}

static void *unload_idle(void *argument)
{
    ENTRY_UNCANCELLED;
    struct miguard_host *host = argument;
    int64_t next = INT64_MAX;

    pthread_mutex_lock(&host->lock);
    while (!host->idle_ending) {
        if (!unload_one(host, &next)) {
            sleep_until(host, next);
        }
    }
    host->idle_running = false;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
    return NULL;
}

void idle_start(struct miguard_host *host)
{
    if (host->options.idle_unload_ms == MIGUARD_HOST_KEEP_LOADED) {
        return;
    }
    pthread_mutex_lock(&host->lock);
    if (!host->idle_running) {
        host->idle_running = host_thread(unload_idle, host);
    }
    pthread_mutex_unlock(&host->lock);
}

void idle_notice(struct miguard_host *host)
{
    pthread_cond_signal(&host->idle);
}

void idle_stop(struct miguard_host *host)
{
    pthread_mutex_lock(&host->lock);
    host->idle_ending = true;
    pthread_cond_signal(&host->idle);
    while (host->idle_running) {
        pthread_cond_wait(&host->changed, &host->lock);
    }
    pthread_mutex_unlock(&host->lock);
}
