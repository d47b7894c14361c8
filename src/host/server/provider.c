/* SPDX-License-Identifier: MIT */
/*
 * Class providers: Load on the first request, Unload when the host ends.
 *
 * provider_ready() is on the way of every request: one atomic load when the provider is READY.
 * Otherwise one thread calls Load, outside the lock, and others wait in await_other(). Load and
 * Unload never run at the same time as another call into the same provider.
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

/* Waits while another thread is in Load; the caller holds the host's lock. */
static MI_Result await_other(struct provider *provider)
{
    struct miguard_host *host = provider->module->host;
    struct timespec deadline = clock_after_ms(host->options.load_timeout_ms);

    while (atomic_load(&provider->state) == PROVIDER_LOADING) {
        /* A Load that uses its own class would wait for itself; two that use each other's would
         * wait until the time-out. */
        if (pthread_equal(provider->loader, pthread_self()) ||
            pthread_cond_timedwait(&host->changed, &host->lock, &deadline) == ETIMEDOUT) {
            return MI_RESULT_FAILED;
        }
    }
    return MI_RESULT_OK;
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

    pthread_mutex_lock(&host->lock);
    atomic_store_explicit(&provider->state, (int)loading->state, memory_order_release);
    if (loading->state == PROVIDER_READY) {
        provider->loaded_before = host->loaded;
        host->loaded = provider;
    }
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* `mine` decides under the lock which one thread calls Load. */
MI_Result provider_ready(struct provider *provider)
{
    struct miguard_host *host = provider->module->host;
    MI_Result result = MI_RESULT_OK;

    if (atomic_load_explicit(&provider->state, memory_order_acquire) == PROVIDER_READY) {
        return MI_RESULT_OK;
    }
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
    return true;
}
