/* SPDX-License-Identifier: MIT */
/*
 * The one place where provider functions are called for a request.
 *
 * dispatch_step() makes sure that the provider is loaded, makes a context for the call, and calls
 * the function. end_visit() runs on every way out, also when the provider ends the thread or throws
 * through it.
 */
#include "host/server/host.h"

/* Per thread: a provider may use a session that is not its context's, and then only this shows that
 * one request is inside another. */
static _Thread_local unsigned depth;

/* 0 on a thread of a client. */
unsigned dispatch_depth(void)
{
    return depth;
}

/* Called in pairs, by dispatch_step() and end_visit(). */
unsigned dispatch_enter(unsigned new_depth)
{
    unsigned old = depth;
    depth = new_depth;
    return old;
}

/* A generated method has its function in its declaration; the Invoke slot is for dynamic providers
 * and for methods without one. The name is passed as the module spells it. */
static void call_method(const struct request *request, const struct step *step,
                        struct context *context)
{
    struct provider *provider = step->provider;
    MI_ProviderFT_Invoke function = provider->ft->Invoke;

    if (request->method != NULL && request->method->function != NULL) {
        function = request->method->function;
    }
    function(provider->self, &context->base, request->name_space, step->class_name,
             request->method == NULL ? request->method_name : request->method->name,
             request->instance, request->parameters);
}

/* Only a module that declares it gets a filter (MI_MODULE_FLAG_FILTER_SUPPORT). */
static const MI_Filter *filter_for(const struct request *request, const struct step *step)
{
    MI_Uint32 flags = step->provider->module->mi->flags;

    return request->query != NULL && (flags & MI_MODULE_FLAG_FILTER_SUPPORT) != 0 ? &request->filter
                                                                                  : NULL;
}

/* The slots were checked by plan.c and are not NULL. A GET without its own slot enumerates
 * everything, and operation_post() keeps what matches. */
static void call(const struct request *request, const struct step *step, struct context *context)
{
    const MI_ProviderFT *ft = step->provider->ft;
    void *self = step->provider->self;
    const char *name_space = request->name_space;
    const MI_PropertySet *set = request->pass_set ? request->set : NULL;

    switch (request->kind) {
    case REQUEST_GET:
        if (request->match) {
            ft->EnumerateInstances(self, &context->base, name_space, step->class_name, NULL,
                                   MI_FALSE, NULL);
        } else {
            ft->GetInstance(self, &context->base, name_space, step->class_name, request->instance,
                            set);
        }
        break;
    case REQUEST_ENUMERATE:
    case REQUEST_QUERY:
        ft->EnumerateInstances(self, &context->base, name_space, step->class_name, set,
                               request->keys_only, filter_for(request, step));
        break;
    case REQUEST_ASSOCIATORS:
        ft->AssociatorInstances(self, &context->base, name_space, step->class_name, step->instance,
                                request->result_class, request->role, request->result_role, set,
                                request->keys_only, NULL);
        break;
    case REQUEST_REFERENCES:
        ft->ReferenceInstances(self, &context->base, name_space, step->class_name, step->instance,
                               request->role, set, request->keys_only, NULL);
        break;
    case REQUEST_CREATE:
        ft->CreateInstance(self, &context->base, name_space, step->class_name, request->instance);
        break;
    case REQUEST_MODIFY:
        ft->ModifyInstance(self, &context->base, name_space, step->class_name, request->instance,
                           set);
        break;
    case REQUEST_DELETE:
        ft->DeleteInstance(self, &context->base, name_space, step->class_name, request->instance);
        break;
    case REQUEST_INVOKE:
        call_method(request, step, context);
        break;
    default:
        break;
    }
}

/* Before there is a context: the operation ends itself. */
static void fail(struct operation *operation, MI_Result result)
{
    pthread_mutex_lock(&operation->lock);
    operation_finish(operation, result, NULL, NULL);
    pthread_mutex_unlock(&operation->lock);
}

/* One call of a provider's function. */
struct visit {
    struct operation *operation;
    struct context *context; /* NULL: not made yet */
    unsigned outside;        /* the depth to restore */
    bool unwound;            /* the function has not returned, and will post nothing any more */
};

/* A function that was left by unwinding posts nothing any more, so its request fails now rather
 * than never. */
static void end_visit(const struct visit *visit)
{
    if (visit->context != NULL) {
        if (visit->unwound) {
            context_finish(visit->context, MI_RESULT_FAILED, NULL, NULL);
        }
        operation_returned(visit->operation, visit->context);
        context_unpin(visit->context);
    }
    dispatch_enter(visit->outside);
}

/* operation_attach() is the last moment at which a cancellation keeps the provider from being
 * called. */
void dispatch_step(struct operation *operation, const struct step *step)
{
    struct provider *provider = step->provider;
    struct visit visit ON_LEAVING(end_visit) = {.operation = operation,
                                                .outside = dispatch_enter(operation->depth + 1)};

    MI_Result result = provider_enter(provider);
    if (result != MI_RESULT_OK) {
        fail(operation, result);
        return;
    }
    visit.context = context_new(CONTEXT_REQUEST, provider->module, provider, operation);
    if (visit.context == NULL) {
        provider_leave(provider);
        fail(operation, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    if (operation_attach(operation, visit.context)) {
        atomic_fetch_add_explicit(&operation->host->provider_calls, 1, memory_order_relaxed);
        visit.unwound = true;
        call(&operation->request, step, visit.context);
        visit.unwound = false;
    } else {
        /* The operation ended before the call: end the context; the result is dropped. */
        context_finish(visit.context, MI_RESULT_FAILED, NULL, NULL);
    }
}
