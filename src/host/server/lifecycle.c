/* SPDX-License-Identifier: MIT */
/*
 * Lifecycle indications: a provider says that an instance of its class was created, modified,
 * deleted or read, or that a method was called.
 *
 * A provider takes its lifecycle context in Load and may post on it until its Unload has ended,
 * from any thread. The context lies in a struct context, whose memory is never freed: a later post
 * is found invalid. It counts as a reference of its host that the host's end does not wait for,
 * since only the Unload of its provider ends it; a call that is inside it is waited for.
 *
 * A client subscribes to CIM_InstIndication or a class that derives from it; indication.c has its
 * subscriptions beside those of the class's own indications. What the clients want is reported to
 * the provider by its callback, one call at a time, so that the last call says what is true.
 */
#include "host/server/lifecycle.h"

#include "host/object/object.h"
#include "host/server/host.h"

/* ---- the context ------------------------------------------------------------------------------
 */

/* Pinned, or NULL. Only the address is used before it is known to be one of a context. */
static struct context *pin(const MI_LifecycleIndicationContext *handle)
{
    uintptr_t address = (uintptr_t)handle - offsetof(struct context, lifecycle);
    struct context *context = handle == NULL ? NULL : context_pin((const MI_Context *)address);

    if (context != NULL && context->kind != CONTEXT_LIFECYCLE) {
        context_unpin(context);
        return NULL;
    }
    return context;
}

/* The number of references that quiesce() does not wait for. */
static void count_standing(struct miguard_host *host, bool more)
{
    pthread_mutex_lock(&host->lock);
    host->standing_references += more ? 1 : (uint64_t)-1;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* One for each Load, however often it asks. The lock is held over the making, for two threads. */
static struct context *take(struct provider *provider)
{
    pthread_mutex_lock(&provider->subscription_lock);
    struct context *context = provider->lifecycle.context;
    if (context == NULL) {
        context = context_new(CONTEXT_LIFECYCLE, provider->module, provider, NULL);
        provider->lifecycle.context = context;
        if (context != NULL) {
            count_standing(context->host, true);
        }
    }
    pthread_mutex_unlock(&provider->subscription_lock);
    return context;
}

MI_Result lifecycle_get(const MI_Context *address, MI_LifecycleIndicationContext **lifecycle)
{
    ENTRY_UNCANCELLED;
    if (lifecycle == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *lifecycle = NULL;
    struct context *load ON_LEAVING(context_let_go) = context_pin(address);
    if (load == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (load->kind != CONTEXT_PROVIDER_LOAD) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    struct context *context = take(load->provider);
    if (context == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    *lifecycle = &context->lifecycle;
    return MI_RESULT_OK;
}

void lifecycle_end(struct provider *provider)
{
    pthread_mutex_lock(&provider->subscription_lock);
    struct context *context = provider->lifecycle.context;
    provider->lifecycle = (struct lifecycle){0};
    pthread_mutex_unlock(&provider->subscription_lock);
    if (context != NULL) {
        count_standing(context->host, false);
        context_close(&context);
    }
}

/* ---- what clients want ------------------------------------------------------------------------
 */

bool lifecycle_offers(struct provider *provider, MI_Uint32 types)
{
    pthread_mutex_lock(&provider->subscription_lock);
    const struct lifecycle *lifecycle = &provider->lifecycle;
    bool offers = lifecycle->context != NULL && context_is_live(lifecycle->context) &&
                  (lifecycle->supported & types) != 0;
    pthread_mutex_unlock(&provider->subscription_lock);
    return offers;
}

/* Also where the callback ends its thread. */
static void end_report(struct provider *const *provider)
{
    pthread_mutex_lock(&(*provider)->subscription_lock);
    (*provider)->lifecycle.reporting = false;
    pthread_mutex_unlock(&(*provider)->subscription_lock);
}

static void call(struct provider *provider, const struct lifecycle *now)
{
    struct provider *reporting ON_LEAVING(end_report) = provider;

    now->callback(now->reported, now->callback_data);
    (void)reporting;
}

/* A thread that is in the callback reports also what has changed meanwhile. Each caller uses the
 * provider, which is not unloaded before that. */
void lifecycle_report(struct provider *provider)
{
    struct lifecycle *lifecycle = &provider->lifecycle;

    pthread_mutex_lock(&provider->subscription_lock);
    while (!lifecycle->reporting) {
        MI_Uint32 wanted = indication_wanted_types(provider) & lifecycle->supported;
        if (wanted == lifecycle->reported || lifecycle->callback == NULL) {
            break;
        }
        lifecycle->reported = wanted;
        lifecycle->reporting = true;
        struct lifecycle now = *lifecycle;
        pthread_mutex_unlock(&provider->subscription_lock);
        call(provider, &now);
        pthread_mutex_lock(&provider->subscription_lock);
    }
    pthread_mutex_unlock(&provider->subscription_lock);
}

/* SetSupportedTypes: before it no type is supported, and no client can subscribe. */
static MI_Result set_supported_types(MI_LifecycleIndicationContext *handle, MI_Uint32 types)
{
    ENTRY_UNCANCELLED;
    struct context *context ON_LEAVING(context_let_go) = pin(handle);

    if (context == NULL || (types & ~MI_LIFECYCLE_INDICATION_ALL) != 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    pthread_mutex_lock(&context->provider->subscription_lock);
    context->provider->lifecycle.supported = types;
    pthread_mutex_unlock(&context->provider->subscription_lock);
    return MI_RESULT_OK;
}

/* GetTypes: those that clients want now, of the supported ones. */
static MI_Result get_types(MI_LifecycleIndicationContext *handle, MI_Uint32 *types)
{
    ENTRY_UNCANCELLED;
    if (types == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *types = MI_LIFECYCLE_INDICATION_NONE;
    struct context *context ON_LEAVING(context_let_go) = pin(handle);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct provider *provider = context->provider;
    pthread_mutex_lock(&provider->subscription_lock);
    *types = indication_wanted_types(provider) & provider->lifecycle.supported;
    pthread_mutex_unlock(&provider->subscription_lock);
    return MI_RESULT_OK;
}

/* RegisterCallback: the last one counts. It is called for changes that come after it. */
static MI_Result register_callback(MI_LifecycleIndicationContext *handle,
                                   MI_LifecycleIndicationCallback callback, void *data)
{
    ENTRY_UNCANCELLED;
    struct context *context ON_LEAVING(context_let_go) = pin(handle);

    if (context == NULL || callback == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct lifecycle *lifecycle = &context->provider->lifecycle;
    pthread_mutex_lock(&context->provider->subscription_lock);
    lifecycle->callback = callback;
    lifecycle->callback_data = data;
    pthread_mutex_unlock(&context->provider->subscription_lock);
    return MI_RESULT_OK;
}

/* ---- posts ------------------------------------------------------------------------------------
 */

static bool is_readable(const MI_Instance *instance)
{
    return instance != NULL && instance->classDecl != NULL;
}

static bool fits(const MI_Instance *instance)
{
    size_t size = 0;

    return instance == NULL || instance_fits(instance, MIGUARD_HOST_MAX_INSTANCE_BYTES, &size);
}

/* Nothing is copied where no subscription waits for the type. */
static MI_Result post(MI_LifecycleIndicationContext *handle, const struct lifecycle_event *event)
{
    MI_Instance *indication = NULL;
    struct context *context ON_LEAVING(context_let_go) = pin(handle);

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    pthread_mutex_lock(&context->provider->subscription_lock);
    bool wanted = (indication_wanted_types(context->provider) & event->type) != 0;
    pthread_mutex_unlock(&context->provider->subscription_lock);
    if (!wanted) {
        return MI_RESULT_OK;
    }
    if (!fits(event->source) || !fits(event->previous) || !fits(event->parameters)) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    struct lifecycle_event now = *event;
    now.copies = context->module->copies;
    MI_Result result = lifecycle_instance(&now, &indication);
    if (result == MI_RESULT_OK) {
        indication_give(context->provider, event->type, indication, NULL);
        instance_delete(indication);
    }
    return result;
}

static MI_Result post_one(MI_LifecycleIndicationContext *handle, MI_Uint32 type,
                          const MI_Instance *instance)
{
    const struct lifecycle_event event = {.type = type, .source = instance};

    return is_readable(instance) ? post(handle, &event) : MI_RESULT_INVALID_PARAMETER;
}

static MI_Result post_create(MI_LifecycleIndicationContext *handle, const MI_Instance *instance)
{
    ENTRY_UNCANCELLED;
    return post_one(handle, MI_LIFECYCLE_INDICATION_CREATE, instance);
}

static MI_Result post_delete(MI_LifecycleIndicationContext *handle, const MI_Instance *instance)
{
    ENTRY_UNCANCELLED;
    return post_one(handle, MI_LIFECYCLE_INDICATION_DELETE, instance);
}

static MI_Result post_read(MI_LifecycleIndicationContext *handle, const MI_Instance *instance)
{
    ENTRY_UNCANCELLED;
    return post_one(handle, MI_LIFECYCLE_INDICATION_READ, instance);
}

static MI_Result post_modify(MI_LifecycleIndicationContext *handle, const MI_Instance *original,
                             const MI_Instance *instance)
{
    ENTRY_UNCANCELLED;
    const struct lifecycle_event event = {
        .type = MI_LIFECYCLE_INDICATION_MODIFY, .source = instance, .previous = original};

    return is_readable(original) && is_readable(instance) ? post(handle, &event)
                                                          : MI_RESULT_INVALID_PARAMETER;
}

/* PostMethodCall: a static method has no instance, and one without inputs no parameters. */
static MI_Result post_method_call(MI_LifecycleIndicationContext *handle,
                                  const MI_Instance *instance, const MI_Char *method,
                                  MI_Boolean before_call, const MI_Instance *parameters,
                                  const MI_Char *return_value)
{
    ENTRY_UNCANCELLED;
    const struct lifecycle_event event = {.type = MI_LIFECYCLE_INDICATION_METHODCALL,
                                          .source = instance,
                                          .parameters = parameters,
                                          .method = method,
                                          .return_value = return_value,
                                          .before_call = before_call ? MI_TRUE : MI_FALSE};

    if (method == NULL || (instance != NULL && !is_readable(instance)) ||
        (parameters != NULL && !is_readable(parameters))) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return post(handle, &event);
}

/* PostResult: the provider reports no changes any more, until it is loaded again. */
static MI_Result post_result(MI_LifecycleIndicationContext *handle, MI_Result result)
{
    ENTRY_UNCANCELLED;
    struct context *context ON_LEAVING(context_let_go) = pin(handle);

    return context == NULL ? MI_RESULT_INVALID_PARAMETER
                           : context_finish(context, host_result((MI_Uint32)result), NULL, NULL);
}

/* ---- instances, as a context makes them -------------------------------------------------------
 */

/* The live context behind the handle, for the slots of context_ft; they pin it themselves. */
static MI_Context *as_context(MI_LifecycleIndicationContext *handle)
{
    struct context *context ON_LEAVING(context_let_go) = pin(handle);

    return context == NULL ? NULL : &context->base;
}

static MI_Result construct_instance(MI_LifecycleIndicationContext *handle, const MI_ClassDecl *decl,
                                    MI_Instance *instance)
{
    ENTRY_UNCANCELLED;
    return context_ft.known.ConstructInstance(as_context(handle), decl, instance);
}

static MI_Result construct_parameters(MI_LifecycleIndicationContext *handle,
                                      const MI_MethodDecl *decl, MI_Instance *instance)
{
    ENTRY_UNCANCELLED;
    return context_ft.known.ConstructParameters(as_context(handle), decl, instance);
}

static MI_Result new_instance(MI_LifecycleIndicationContext *handle, const MI_ClassDecl *decl,
                              MI_Instance **instance)
{
    ENTRY_UNCANCELLED;
    return context_ft.known.NewInstance(as_context(handle), decl, instance);
}

static MI_Result new_dynamic_instance(MI_LifecycleIndicationContext *handle, const MI_Char *name,
                                      MI_Uint32 flags, MI_Instance **instance)
{
    ENTRY_UNCANCELLED;
    return context_ft.known.NewDynamicInstance(as_context(handle), name, flags, instance);
}

static MI_Result new_parameters(MI_LifecycleIndicationContext *handle, const MI_MethodDecl *decl,
                                MI_Instance **instance)
{
    ENTRY_UNCANCELLED;
    return context_ft.known.NewParameters(as_context(handle), decl, instance);
}

const MI_LifecycleIndicationContextFT lifecycle_ft = {.PostCreate = post_create,
                                                      .PostModify = post_modify,
                                                      .PostDelete = post_delete,
                                                      .PostRead = post_read,
                                                      .PostMethodCall = post_method_call,
                                                      .PostResult = post_result,
                                                      .ConstructInstance = construct_instance,
                                                      .ConstructParameters = construct_parameters,
                                                      .NewInstance = new_instance,
                                                      .NewDynamicInstance = new_dynamic_instance,
                                                      .NewParameters = new_parameters,
                                                      .SetSupportedTypes = set_supported_types,
                                                      .GetTypes = get_types,
                                                      .RegisterCallback = register_callback};
