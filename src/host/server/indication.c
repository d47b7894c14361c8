/* SPDX-License-Identifier: MIT */
/*
 * Subscriptions: what a client of Subscribe waits for, and what providers post.
 *
 * The worker of a subscription's operation calls its providers, class by class: EnableIndications
 * for the first subscription of a class, then Subscribe; and in the end Unsubscribe, and after the
 * last one DisableIndications. The context of EnableIndications lives until then, and what is
 * posted on it goes to each subscription of the class whose query it matches.
 *
 * A post never waits for a client, since others wait for the same post. A client that does not
 * fetch is ended with SERVER_LIMITS_EXCEEDED: it knows then that it has missed something.
 */
#include "base/clock.h"
#include "host/server/host.h"

#include <errno.h>

#include "base/alloc.h"
#include "host/object/object.h"

/* Indications that a client has not fetched. */
enum { MAX_WAITING = 4096 };

/* Of one operation at one provider. */
struct subscription {
    struct subscription *next;   /* the provider's list, under its lock */
    struct operation *operation; /* takes it from the list before it ends */
    MI_Uint64 id;
    void *self;      /* what Subscribe stored */
    MI_Uint32 types; /* of lifecycle indications; 0: the class's own */
    bool listed, enabled, accepted;
};

static _Atomic uint64_t last_id;

/* ---- functions of a provider that only confirm ------------------------------------------------
 */

enum confirmed { DISABLE, SUBSCRIBE, UNSUBSCRIBE };

/* Only a module that declares it gets a filter (MI_MODULE_FLAG_FILTER_SUPPORT). */
static const MI_Filter *filter_for(const struct provider *provider, const struct request *request)
{
    return (provider->module->mi->flags & MI_MODULE_FLAG_FILTER_SUPPORT) != 0 ? &request->filter
                                                                              : NULL;
}

static void call(enum confirmed what, const struct step *step, const struct request *request,
                 MI_Context *context)
{
    const struct provider *provider = step->provider;
    struct subscription *subscription = step->subscription;

    switch (what) {
    case DISABLE:
        provider->ft->DisableIndications(provider->self, context, request->name_space,
                                         step->class_name);
        break;
    case SUBSCRIBE:
        provider->ft->Subscribe(provider->self, context, request->name_space, step->class_name,
                                filter_for(provider, request), request->bookmark, subscription->id,
                                &subscription->self);
        break;
    case UNSUBSCRIBE:
        provider->ft->Unsubscribe(provider->self, context, request->name_space, step->class_name,
                                  subscription->id, subscription->self);
        break;
    }
}

/* The result that the provider posts, in the time that a Load has. Its code may run on after that,
 * so the module is not unloaded any more. */
static MI_Result confirm(enum confirmed what, const struct step *step,
                         const struct request *request)
{
    struct module *module = step->provider->module;
    MI_Result result = MI_RESULT_FAILED;

    struct context *context ON_LEAVING(context_close) =
        context_new(CONTEXT_SUBSCRIPTION, module, step->provider, NULL);
    if (context == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    call(what, step, request, &context->base);
    if (!context_await(context, module->host->options.load_timeout_ms, &result)) {
        atomic_store(&module->abandoned, true);
        return MI_RESULT_FAILED;
    }
    return result;
}

/* ---- enabled or not ---------------------------------------------------------------------------
 */

/* A change that is on its way, and what it leads to. */
struct change {
    struct provider *provider; /* NULL: no change */
    struct context *context;   /* NULL: disabled */
};

/* Also where the provider has ended the thread in its function: then it is disabled. */
static void end_change(const struct change *change)
{
    if (change->provider == NULL) {
        return;
    }
    struct miguard_host *host = change->provider->module->host;

    pthread_mutex_lock(&host->lock);
    change->provider->indication_context = change->context;
    change->provider->changing = false;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* The caller holds the host's lock. False after the time that a Load has. */
static bool await_change(struct provider *provider)
{
    struct miguard_host *host = provider->module->host;
    struct timespec deadline = clock_after_ms(host->options.load_timeout_ms);

    while (provider->changing) {
        if (pthread_cond_timedwait(&host->changed, &host->lock, &deadline) == ETIMEDOUT) {
            return !provider->changing;
        }
    }
    return true;
}

/* A provider that posts a final result in EnableIndications refuses. */
static MI_Result call_enable(struct provider *provider, const struct step *step,
                             const struct request *request)
{
    MI_Result result = MI_RESULT_FAILED;
    struct change change ON_LEAVING(end_change) = {provider, NULL};

    struct context *context ON_LEAVING(context_close) =
        context_new(CONTEXT_INDICATIONS, provider->module, provider, NULL);
    if (context == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    provider->ft->EnableIndications(provider->self, &context->base, request->name_space,
                                    step->class_name);
    if (!context_is_live(context)) {
        (void)context_await(context, 0, &result);
        return result == MI_RESULT_OK ? MI_RESULT_FAILED : result;
    }
    change.context = context;
    context = NULL; /* the provider's now */
    return MI_RESULT_OK;
}

static MI_Result enable(const struct step *step, const struct request *request)
{
    struct provider *provider = step->provider;
    struct miguard_host *host = provider->module->host;

    pthread_mutex_lock(&host->lock);
    const struct context *context = await_change(provider) ? provider->indication_context : NULL;
    bool first = !provider->changing && context == NULL;
    /* One that has ended its indications is enabled again after its last subscription. */
    bool joins = first || (context != NULL && context_is_live(context));
    provider->subscribers += joins;
    provider->changing |= first;
    pthread_mutex_unlock(&host->lock);
    if (!joins) {
        return MI_RESULT_FAILED;
    }
    MI_Result result = first ? call_enable(provider, step, request) : MI_RESULT_OK;
    if (result != MI_RESULT_OK) {
        pthread_mutex_lock(&host->lock);
        provider->subscribers--;
        pthread_mutex_unlock(&host->lock);
    }
    return result;
}

/* After the last subscription. A provider that has ended its indications is not asked. */
static void disable(const struct step *step, const struct request *request)
{
    struct provider *provider = step->provider;
    struct miguard_host *host = provider->module->host;

    /* The context ends first, then the change: it would end the next subscriptions. */
    struct change change ON_LEAVING(end_change) = {NULL, NULL};
    struct context *context ON_LEAVING(context_close) = NULL;

    pthread_mutex_lock(&host->lock);
    while (provider->changing) {
        pthread_cond_wait(&host->changed, &host->lock);
    }
    if (--provider->subscribers == 0) {
        context = provider->indication_context;
        change.provider = provider;
        provider->changing = true;
    }
    pthread_mutex_unlock(&host->lock);
    if (context != NULL && context_is_live(context) && provider->ft->DisableIndications != NULL) {
        (void)confirm(DISABLE, step, request);
    }
}

/* ---- one subscription -------------------------------------------------------------------------
 */

static void list_subscription(struct provider *provider, struct subscription *subscription)
{
    pthread_mutex_lock(&provider->subscription_lock);
    subscription->next = provider->subscriptions;
    provider->subscriptions = subscription;
    subscription->listed = true;
    pthread_mutex_unlock(&provider->subscription_lock);
}

static void unlist_subscription(struct provider *provider, struct subscription *subscription)
{
    pthread_mutex_lock(&provider->subscription_lock);
    struct subscription **link = &provider->subscriptions;
    while (*link != subscription) {
        link = &(*link)->next;
    }
    *link = subscription->next;
    subscription->listed = false;
    pthread_mutex_unlock(&provider->subscription_lock);
}

/* It is in the list before Subscribe, which may post already. */
static MI_Result subscribe(struct step *step, struct operation *operation)
{
    struct provider *provider = step->provider;
    struct subscription *subscription = step->subscription;

    MI_Result result = enable(step, &operation->request);
    if (result != MI_RESULT_OK) {
        return result;
    }
    subscription->enabled = true;
    list_subscription(provider, subscription);
    if (!context_is_live(provider->indication_context)) {
        return MI_RESULT_FAILED; /* it has ended them since: indication_over() may have been before
                                  */
    }
    if (provider->ft->Subscribe == NULL) {
        return MI_RESULT_OK; /* it posts the same for all */
    }
    result = confirm(SUBSCRIBE, step, &operation->request);
    subscription->accepted = result == MI_RESULT_OK;
    return result;
}

/* To changes of the class's instances; NOT_SUPPORTED if the provider reports none that are wanted.
 * In the list first: a provider that ends its reports meanwhile ends the subscription. */
static MI_Result subscribe_lifecycle(const struct step *step, const struct request *request)
{
    step->subscription->types = request->lifecycle_types;
    list_subscription(step->provider, step->subscription);
    if (!lifecycle_offers(step->provider, request->lifecycle_types)) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    lifecycle_report(step->provider);
    return MI_RESULT_OK;
}

static MI_Result begin(struct operation *operation, struct step *step)
{
    MI_Result result = provider_enter(step->provider);
    if (result != MI_RESULT_OK) {
        return result;
    }
    step->subscription = base_alloc(1, sizeof(*step->subscription));
    if (step->subscription == NULL) {
        provider_leave(step->provider);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    step->subscription->operation = operation;
    step->subscription->id = atomic_fetch_add(&last_id, 1) + 1;
    atomic_fetch_add_explicit(&operation->host->provider_calls, 1, memory_order_relaxed);
    return operation->request.lifecycle_types != 0 ? subscribe_lifecycle(step, &operation->request)
                                                   : subscribe(step, operation);
}

static void restore_depth(const unsigned *outside)
{
    dispatch_enter(*outside);
}

/* Its memory goes with it, also where the provider ends the thread. */
static void free_subscription(struct subscription *const *subscription)
{
    base_free(*subscription);
}

static void end(struct operation *operation, struct step *step)
{
    struct provider *provider = step->provider;
    struct subscription *subscription ON_LEAVING(free_subscription) = step->subscription;

    if (subscription->listed) {
        unlist_subscription(provider, subscription);
    }
    if (subscription->types != 0) {
        lifecycle_report(provider);
    }
    if (subscription->accepted && provider->ft->Unsubscribe != NULL) {
        (void)confirm(UNSUBSCRIBE, step, &operation->request);
    }
    if (subscription->enabled) {
        disable(step, &operation->request);
    }
    step->subscription = NULL;
    provider_leave(provider);
}

/* Which providers report changes is known after their Load: those that do not are left out. Where
 * none does, the client would wait for nothing. */
static MI_Result leave_out(struct operation *operation, struct step *step)
{
    const struct request *request = &operation->request;
    bool any = step != &request->steps[request->step_count - 1];

    end(operation, step);
    for (MI_Uint32 i = 0; i < request->step_count; i++) {
        any |= request->steps[i].subscription != NULL;
    }
    return any ? MI_RESULT_OK : MI_RESULT_NOT_SUPPORTED;
}

void indication_begin(struct operation *operation, struct step *step)
{
    unsigned outside ON_LEAVING(restore_depth) = dispatch_enter(operation->depth + 1);
    MI_Result result = begin(operation, step);

    if (result == MI_RESULT_NOT_SUPPORTED && step->subscription != NULL &&
        step->subscription->types != 0) {
        result = leave_out(operation, step);
    }
    if (result != MI_RESULT_OK) {
        pthread_mutex_lock(&operation->lock);
        operation_finish(operation, result, NULL, NULL);
        pthread_mutex_unlock(&operation->lock);
    }
}

void indication_end(struct operation *operation)
{
    struct request *request = &operation->request;

    for (MI_Uint32 i = 0; request->kind == REQUEST_SUBSCRIBE && i < request->step_count; i++) {
        if (request->steps[i].subscription != NULL) {
            end(operation, &request->steps[i]);
        }
    }
}

/* ---- posts -----------------------------------------------------------------------------------
 */

/* What one subscription gets of an indication; NULL for nothing. */
static MI_Result make_result(const struct request *request, const MI_Instance *indication,
                             const char *bookmark, struct result **ret_item)
{
    struct result *item = NULL;

    if (!plan_selects(request, indication)) {
        return MI_RESULT_OK;
    }
    MI_Result result = result_new(request, indication, NULL, &item);
    if (result == MI_RESULT_OK) {
        result = result_as_wanted(request, item);
    }
    if (result == MI_RESULT_OK && bookmark != NULL) {
        item->bookmark = base_copy_text(bookmark);
        result = item->bookmark == NULL ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_OK;
    }
    if (result != MI_RESULT_OK) {
        result_free(item);
        return result;
    }
    *ret_item = item;
    return MI_RESULT_OK;
}

static void post_to(struct operation *operation, const MI_Instance *indication,
                    const char *bookmark)
{
    struct result *item = NULL;
    MI_Result result = make_result(&operation->request, indication, bookmark, &item);

    pthread_mutex_lock(&operation->lock);
    bool wanted = !operation->finished && !operation->cancelled;
    if (item != NULL && (operation->result_count >= MAX_WAITING ||
                         item->size > MIGUARD_HOST_MAX_RESULT_BYTES - operation->result_bytes)) {
        result = MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    if (wanted && result != MI_RESULT_OK) {
        operation_finish(operation, result, NULL, NULL);
    } else if (wanted && item != NULL) {
        operation_append(operation, item);
        item = NULL;
    }
    pthread_mutex_unlock(&operation->lock);
    result_free(item);
}

/* Whether a post of these types (0: the class's own) goes to the subscription. */
static bool is_for(const struct subscription *subscription, MI_Uint32 types)
{
    return types == 0 ? subscription->types == 0 : (subscription->types & types) != 0;
}

void indication_give(struct provider *provider, MI_Uint32 types, const MI_Instance *indication,
                     const char *bookmark)
{
    pthread_mutex_lock(&provider->subscription_lock);
    for (struct subscription *at = provider->subscriptions; at != NULL; at = at->next) {
        if (is_for(at, types)) {
            post_to(at->operation, indication, bookmark);
        }
    }
    pthread_mutex_unlock(&provider->subscription_lock);
}

MI_Uint32 indication_wanted_types(const struct provider *provider)
{
    MI_Uint32 types = MI_LIFECYCLE_INDICATION_NONE;

    for (const struct subscription *at = provider->subscriptions; at != NULL; at = at->next) {
        types |= at->types;
    }
    return types;
}

/* The provider's instance is read once and without a lock, since its table may be foreign code. */
MI_Result indication_post(MI_Context *address, const MI_Instance *indication, MI_Uint32 id_count,
                          const MI_Char *bookmark)
{
    ENTRY_UNCANCELLED;
    MI_Instance *copy = NULL;
    size_t size = 0;
    (void)id_count; /* the host compares with each query itself */

    struct context *context ON_LEAVING(context_let_go) = context_pin(address);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (context->kind != CONTEXT_INDICATIONS) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    if (indication == NULL || indication->classDecl == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (!instance_fits(indication, MIGUARD_HOST_MAX_INSTANCE_BYTES, &size)) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Result result = instance_take(indication, context->module->copies, &copy);
    if (result != MI_RESULT_OK) {
        return result;
    }
    indication_give(context->provider, 0, copy, bookmark);
    instance_delete(copy);
    return MI_RESULT_OK;
}

/* Without memory for the message the result stands alone. */
void indication_over(const struct context *context, MI_Result result, const char *message)
{
    struct provider *provider = context->provider;
    MI_Uint32 types = context->kind == CONTEXT_LIFECYCLE ? MI_LIFECYCLE_INDICATION_ALL : 0;

    pthread_mutex_lock(&provider->subscription_lock);
    for (struct subscription *at = provider->subscriptions; at != NULL; at = at->next) {
        if (!is_for(at, types)) {
            continue;
        }
        char *copy = base_copy_text(message);
        pthread_mutex_lock(&at->operation->lock);
        operation_finish(at->operation, result, copy, NULL);
        pthread_mutex_unlock(&at->operation->lock);
    }
    pthread_mutex_unlock(&provider->subscription_lock);
}
