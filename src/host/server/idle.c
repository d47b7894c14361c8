/* SPDX-License-Identifier: MIT */
/*
 * The thread that unloads providers which have had no request for some time, then their modules,
 * and modules that were replaced as soon as they are not in use.
 *
 * It is started with the first module, so that it has the credentials of the program that runs the
 * server: a thread of a client, on which a provider becomes idle, would have the client's. It
 * sleeps until the first of what is loaded may be unloaded, or something is loaded.
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

/* Until a module that was replaced is looked at again while it is in use: its last user does not
 * wake this thread. */
enum { RETIRED_POLL_MS = 50 };

/* When something that is in use, or was used last at last_used, may be unloaded. */
static int64_t when_due(const struct module *module, bool used, int64_t last_used, int64_t now)
{
    uint32_t idle_ms = module->host->options.idle_unload_ms;

    if (atomic_load(&module->abandoned)) {
        return INT64_MAX;
    }
    if (module->retired) {
        return used ? now + RETIRED_POLL_MS : now;
    }
    if (idle_ms == MIGUARD_HOST_KEEP_LOADED) {
        return INT64_MAX;
    }
    return (used ? now : last_used) + idle_ms;
}

static int64_t provider_due(const struct provider *provider, int64_t now)
{
    const struct module *module = provider->module;
    bool refuses = !module->retired && atomic_load(&provider->refuse_unload);

    return when_due(module, refuses || atomic_load(&provider->users) > 0,
                    atomic_load(&provider->last_used), now);
}

static bool is_empty(const struct module *module)
{
    for (MI_Uint32 i = 0; i < module->provider_count; i++) {
        if (atomic_load(&module->providers[i].state) != PROVIDER_IDLE) {
            return false;
        }
    }
    return true;
}

/* A function stays loaded: it is the program's. */
static int64_t module_due(const struct module *module, int64_t now)
{
    bool awaited = !module->retired && module->registration->waiting > 0;

    if (atomic_load(&module->state) != MODULE_LOADED || module->library == NULL) {
        return INT64_MAX;
    }
    return when_due(module, awaited || atomic_load(&module->users) > 0 || !is_empty(module),
                    atomic_load(&module->last_used), now);
}

/* A request that is faster (registry_enter()) prevents it. */
bool idle_unload_module(struct module *module)
{
    struct miguard_host *host = module->host;

    module->unloader = pthread_self();
    atomic_store(&module->state, MODULE_UNLOADING);
    if (atomic_load(&module->users) > 0) {
        atomic_store(&module->state, MODULE_LOADED);
        pthread_cond_broadcast(&host->changed); /* who saw the other waits */
        return false;
    }
    atomic_fetch_add(&module->references, 1); /* it may be replaced meanwhile */
    pthread_mutex_unlock(&host->lock);
    module_unload(module);
    bool unmapped = module_unmap(module);
    pthread_mutex_lock(&host->lock);
    atomic_store(&module->state, unmapped ? MODULE_UNLOADED : MODULE_BROKEN);
    if (module->retired && unmapped) {
        registry_unretire(module);
    }
    pthread_cond_broadcast(&host->changed);
    module_release(module);
    return true;
}

/* A provider is in the list as long as it is loaded, and a module where it is; only the lists
 * change while the lock is released for an Unload. So one is looked for again after each. */
static bool unload_provider(struct miguard_host *host, int64_t now, int64_t *next)
{
    for (struct provider *at = host->loaded; at != NULL; at = at->loaded_before) {
        int64_t due = provider_due(at, now);
        if (due <= now) {
            int64_t last_used = 0;
            int64_t before = at->module->retired ? now : now - host->options.idle_unload_ms;
            pthread_mutex_unlock(&host->lock);
            (void)provider_unload_idle(at, before, &last_used);
            pthread_mutex_lock(&host->lock);
            return true;
        }
        *next = due < *next ? due : *next;
    }
    return false;
}

/* False when it is not due yet. */
static bool unload_due(struct module *module, int64_t now, int64_t *next)
{
    int64_t due = module == NULL ? INT64_MAX : module_due(module, now);

    if (due <= now && idle_unload_module(module)) {
        return true;
    }
    due = due <= now ? now + 1 : due; /* a request was faster */
    *next = due < *next ? due : *next;
    return false;
}

/* One provider or module; false, with the time of the next, when nothing is due. */
static bool unload_one(struct miguard_host *host, int64_t *ret_next)
{
    int64_t now = clock_now_ms();

    *ret_next = INT64_MAX;
    if (unload_provider(host, now, ret_next)) {
        return true;
    }
    for (struct registration *at = host->registrations; at != NULL; at = at->next) {
        if (unload_due(at->module, now, ret_next)) {
            return true;
        }
    }
    for (struct module *at = host->retired; at != NULL; at = at->next) {
        if (unload_due(at, now, ret_next)) {
            return true;
        }
    }
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

/* Nothing is unloaded for lack of requests unless it can be loaded again. */
void idle_start(struct miguard_host *host)
{
    pthread_mutex_lock(&host->lock);
    bool wanted =
        host->options.idle_unload_ms != MIGUARD_HOST_KEEP_LOADED && registry_start_loader(host);
    if ((wanted || host->retired != NULL) && !host->idle_running) {
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
    pthread_cond_signal(&host->wanted);
    while (host->idle_running || host->loader_running) {
        pthread_cond_wait(&host->changed, &host->lock);
    }
    pthread_mutex_unlock(&host->lock);
}
