/* SPDX-License-Identifier: MIT */
/*
 * Class providers: Load on the first request, Unload after some time without one and when the host
 * ends.
 *
 * provider_enter() is on the way of every request: it counts the request, and then reads the state.
 * Unloading sets the state, and then reads the count. Each sees the other's write or is seen (both
 * are in the one order of memory_order_seq_cst), so a provider is never unloaded under a request.
 * When the provider is not READY one thread calls Load, outside the lock, and others wait in
 * await_other(). Load and Unload never run at the same time as another call into the same provider.
 */
#include "base/clock.h"
#include "host/server/host.h"

#include <errno.h>

#include "host/object/object.h"

/* Calls Load on this thread; returns the state of the provider after it. */
static enum provider_state load(struct provider *provider, MI_Result *ret_result)
{
    struct module *module = provider->module;

    if (provider->ft->Load == NULL) {
        *ret_result = MI_RESULT_OK;
        return PROVIDER_READY;
    }
    struct context *context ON_LEAVING(context_close) =
        context_new(CONTEXT_PROVIDER_LOAD, module, provider, NULL);
    if (context == NULL) {
        *ret_result = MI_RESULT_SERVER_LIMITS_EXCEEDED;
        return PROVIDER_IDLE;
    }
    atomic_store(&provider->refuse_unload, false);
    provider->ft->Load(&context->self, module->self, &context->base);
    bool posted = context_await(context, module->host->options.load_timeout_ms, ret_result);
    if (posted && *ret_result == MI_RESULT_OK) {
        provider->self = context->self;
    }
    if (!posted) {
        atomic_store(&module->abandoned, true);
        *ret_result = MI_RESULT_FAILED;
        return PROVIDER_BROKEN;
    }
    return *ret_result == MI_RESULT_OK ? PROVIDER_READY : PROVIDER_IDLE;
}

/* Waits while another thread is in Load or Unload; the caller holds the host's lock. */
static MI_Result await_other(struct provider *provider)
{
    struct miguard_host *host = provider->module->host;
    struct timespec deadline = clock_after_ms(host->options.load_timeout_ms);

    while (atomic_load(&provider->state) == PROVIDER_LOADING ||
           atomic_load(&provider->state) == PROVIDER_UNLOADING) {
        /* A Load that uses its own class would wait for itself; two that use each other's would
         * wait until the time-out. */
        if (pthread_equal(provider->loader, pthread_self()) ||
            pthread_cond_timedwait(&host->changed, &host->lock, &deadline) == ETIMEDOUT) {
            return MI_RESULT_FAILED;
        }
    }
    return MI_RESULT_OK;
}

/* The host's list; the caller holds its lock. */
static void list_loaded(struct provider *provider)
{
    struct miguard_host *host = provider->module->host;

    provider->loaded_before = host->loaded;
    host->loaded = provider;
    idle_notice(host);
}

static void unlist_loaded(struct provider *provider)
{
    struct provider **link = &provider->module->host->loaded;

    while (*link != provider) {
        link = &(*link)->loaded_before;
    }
    *link = provider->loaded_before;
}

/* A Load that is running: the state in which end_load() leaves the provider. */
struct loading {
    struct provider *provider;
    enum provider_state state;
};

/* Publishes the state. The release order makes `self` visible to requests that see READY. */
static void end_load(const struct loading *loading)
{
    struct provider *provider = loading->provider;
    struct miguard_host *host = provider->module->host;

    if (loading->state != PROVIDER_READY) {
        lifecycle_end(provider);
    }
    pthread_mutex_lock(&host->lock);
    atomic_store_explicit(&provider->state, (int)loading->state, memory_order_release);
    if (loading->state == PROVIDER_READY) {
        list_loaded(provider);
    }
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* `mine` decides under the lock which one thread calls Load. */
static MI_Result load_or_wait(struct provider *provider)
{
    struct miguard_host *host = provider->module->host;
    MI_Result result = MI_RESULT_OK;

    pthread_mutex_lock(&host->lock);
    result = await_other(provider);
    int state = atomic_load(&provider->state);
    bool mine = result == MI_RESULT_OK && state == PROVIDER_IDLE && !host->unloading;
    if (mine) {
        atomic_store(&provider->state, PROVIDER_LOADING);
        provider->loader = pthread_self();
    } else if (result == MI_RESULT_OK && state != PROVIDER_READY) {
        result = host->unloading ? MI_RESULT_SERVER_IS_SHUTTING_DOWN : MI_RESULT_FAILED;
    }
    pthread_mutex_unlock(&host->lock);
    if (!mine) {
        return result;
    }

    /* The state if Load is left by unwinding. */
    struct loading loading ON_LEAVING(end_load) = {provider, PROVIDER_BROKEN};
    loading.state = load(provider, &result);
    return result;
}

/* The count stays up during the Load, too: what was READY for this request stays so. */
MI_Result provider_enter(struct provider *provider)
{
    MI_Result result = MI_RESULT_OK;

    atomic_fetch_add(&provider->users, 1);
    while (result == MI_RESULT_OK && atomic_load(&provider->state) != PROVIDER_READY) {
        result = load_or_wait(provider);
    }
    if (result != MI_RESULT_OK) {
        provider_leave(provider);
    }
    return result;
}

/* The time before the count: who sees 0 sees the time. */
void provider_leave(struct provider *provider)
{
    atomic_store_explicit(&provider->last_used, clock_now_ms(), memory_order_relaxed);
    atomic_fetch_sub(&provider->users, 1);
}

/* The context of an Unload that was left without a result is closed by ON_LEAVING. */
static void unload(struct provider *provider)
{
    struct module *module = provider->module;
    MI_Result result = MI_RESULT_OK;

    if (atomic_load(&module->abandoned) || provider->ft->Unload == NULL) {
        return;
    }
    struct context *context ON_LEAVING(context_close) =
        context_new(CONTEXT_PROVIDER_UNLOAD, module, provider, NULL);
    if (context == NULL) {
        atomic_store(&module->abandoned, true);
        return;
    }
    provider->ft->Unload(provider->self, &context->base);
    if (!context_await(context, module->host->options.load_timeout_ms, &result)) {
        atomic_store(&module->abandoned, true);
    }
}

/* Takes an idle provider out of use, unless a request or the provider itself prevents it. */
static bool begin_unload(struct provider *provider, int64_t before, int64_t *ret_last_used)
{
    struct miguard_host *host = provider->module->host;
    bool idle = false;

    pthread_mutex_lock(&host->lock);
    if (atomic_load(&provider->state) == PROVIDER_READY) {
        atomic_store(&provider->state, PROVIDER_UNLOADING);
        provider->loader = pthread_self();
        bool used = atomic_load(&provider->users) > 0;
        *ret_last_used = used ? clock_now_ms() : atomic_load(&provider->last_used);
        idle = !used && *ret_last_used <= before &&
               (provider->module->retired || !atomic_load(&provider->refuse_unload)) &&
               !atomic_load(&provider->module->abandoned);
        if (idle) {
            unlist_loaded(provider);
        } else {
            atomic_store(&provider->state,
                         PROVIDER_READY); /* who saw the other waits for the lock */
        }
    }
    pthread_mutex_unlock(&host->lock);
    return idle;
}

bool provider_unload_idle(struct provider *provider, int64_t before, int64_t *ret_last_used)
{
    struct miguard_host *host = provider->module->host;

    *ret_last_used = before;
    if (!begin_unload(provider, before, ret_last_used)) {
        return false;
    }
    unload(provider);
    lifecycle_end(provider);
    pthread_mutex_lock(&host->lock);
    provider->self = NULL;
    bool unknown = atomic_load(&provider->module->abandoned);
    atomic_store(&provider->state, unknown ? PROVIDER_BROKEN : PROVIDER_IDLE);
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
    return true;
}

/* Only providers that were READY are in the list. Requests of the one that is unloaded to others
 * are still served. */
bool provider_unload_last(struct miguard_host *host)
{
    pthread_mutex_lock(&host->lock);
    struct provider *provider = host->loaded;
    if (provider != NULL) {
        host->loaded = provider->loaded_before;
        /* From here on a request for its class is refused, also one by its own Unload. */
        atomic_store(&provider->state, PROVIDER_GONE);
    }
    pthread_mutex_unlock(&host->lock);
    if (provider == NULL) {
        return false;
    }
    unload(provider);
    lifecycle_end(provider);
    return true;
}
