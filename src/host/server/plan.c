/* SPDX-License-Identifier: MIT */
/*
 * From the arguments of a session function to a request that owns all it needs. Providers cast the
 * instances they get to their own structs, so every input is laid out anew by the provider's own
 * declaration.
 *
 * plan_request() distinguishes the kinds: requests on an instance (plan_instance()), method calls
 * (plan_invoke()), enumerations (plan_class.c), queries (plan_query.c), associations
 * (plan_association.c) and classes (plan_classes.c). Each but the last finds the providers, checks
 * that they have the function, and copies the input.
 */
#include "host/server/host.h"

#include "base/alloc.h"
#include "host/object/object.h"
#include "host/query/query.h"

/* As MI_SubscriptionDeliveryOptions_SetBookmark() names it. */
#define BOOKMARK "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_BOOKMARK"

/* steps may be the memory of `first`; a zeroed request has neither and is freed likewise. */
void plan_release(struct request *request)
{
    base_free(request->name_space);
    base_free(request->class_name);
    base_free(request->method_name);
    wql_free(request->query);
    instance_delete(request->instance);
    instance_delete(request->parameters);
    if (request->set != NULL) {
        request->set->ft->Delete(request->set);
    }
    base_free(request->bookmark);
    base_free(request->result_class);
    base_free(request->role);
    base_free(request->result_role);
    for (MI_Uint32 i = 0; i < request->step_count; i++) {
        instance_delete(request->steps[i].instance);
        if (request->steps[i].entered) {
            registry_leave(request->steps[i].provider->module);
        }
    }
    if (request->steps != &request->first) {
        base_free(request->steps);
    }
    catalogue_release(request->catalogue);
}

/* NULL stays NULL with OK. */
static MI_Result copy_text(const MI_Char *text, char **ret_copy)
{
    if (text == NULL) {
        return MI_RESULT_OK;
    }
    *ret_copy = base_copy_text(text);
    return *ret_copy == NULL ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_OK;
}

MI_Result plan_take_instance(const MI_Instance *from, const MI_ClassDecl *decl,
                             const struct instance_convert *how, const char *name_space,
                             MI_Instance **ret_instance)
{
    size_t size = 0;

    if (!instance_fits(from, MIGUARD_HOST_MAX_INSTANCE_BYTES, &size)) {
        *ret_instance = NULL;
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Result result = decl == NULL ? instance_take(from, NULL, ret_instance)
                                    : instance_convert_to(from, decl, how, ret_instance);
    if (result != MI_RESULT_OK) {
        *ret_instance = NULL;
        return result;
    }
    MI_Instance *copy = *ret_instance;
    return copy->nameSpace == NULL ? copy->ft->SetNameSpace(copy, name_space) : MI_RESULT_OK;
}

MI_Result plan_step(struct request *request, struct provider *provider, const char *class_name,
                    struct step **ret_step)
{
    struct step *step = &request->steps[request->step_count];

    MI_Result result = registry_enter(provider->module, &request->awaited);
    if (result != MI_RESULT_OK) {
        return result;
    }
    *step = (struct step){.provider = provider, .entered = true, .class_name = class_name};
    request->step_count++; /* at once: what a failure leaves in the step is freed with it */
    *ret_step = step;
    return MI_RESULT_OK;
}

/* The only step of a request that has one provider. */
static MI_Result set_step(struct request *request, struct provider *provider)
{
    const MI_ClassDecl *decl = provider->decl;
    struct step *step = NULL;

    return plan_step(request, provider, decl == NULL ? request->class_name : decl->name, &step);
}

/* The declaration by which the module's provider reads its memory. The module is loaded. */
static const MI_ClassDecl *own_declaration(const struct plan_class *found)
{
    return found->decl == NULL ? NULL : decl_copy_origin(found->decl);
}

/* Finds a class to which the request can be sent. */
static MI_Result find_served(const struct catalogue *catalogue, const struct request *request,
                             const char *name, struct plan_class *ret_class)
{
    MI_Result result = plan_find_class(catalogue, request->name_space, name, ret_class);
    if (result == MI_RESULT_OK && ret_class->provider == NULL) {
        return MI_RESULT_INVALID_CLASS;
    }
    return result;
}

/* Whether the provider has the function. GET can be served by EnumerateInstances too, and then
 * compares keys. A class with neither has no instances to name: INVALID_CLASS, as other servers
 * answer. */
static MI_Result check_slot(const MI_ProviderFT *ft, struct request *request)
{
    bool there = false;

    switch (request->kind) {
    case REQUEST_GET:
        request->match = ft->GetInstance == NULL;
        there = ft->GetInstance != NULL || ft->EnumerateInstances != NULL;
        break;
    case REQUEST_CREATE:
        there = ft->CreateInstance != NULL;
        break;
    case REQUEST_MODIFY:
        there = ft->ModifyInstance != NULL;
        break;
    case REQUEST_DELETE:
        there = ft->DeleteInstance != NULL;
        break;
    default:
        break;
    }
    if (there) {
        return MI_RESULT_OK;
    }
    return request->kind == REQUEST_GET ? MI_RESULT_INVALID_CLASS : MI_RESULT_NOT_SUPPORTED;
}

/*
 * An instance with fewer elements than its class does not specify the others, and after conversion
 * they would look like elements to set to NULL: so the provider gets a set of those it has. NULL
 * means all.
 */
static MI_Result plan_modified(const MI_Instance *from, const MI_ClassDecl *decl,
                               struct request *request)
{
    MI_Uint32 count = instance_element_count(from);

    if (decl == NULL || count >= decl_element_count(decl)) {
        return MI_RESULT_OK;
    }
    MI_Result result = property_set_new(&request->set);
    request->pass_set = result == MI_RESULT_OK;
    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < count; i++) {
        const char *name = NULL;
        result = instance_element_at(from, i, &name, NULL, NULL, NULL);
        if (result == MI_RESULT_OK) {
            result = request->set->ft->AddElement(request->set, name);
        }
    }
    return result;
}

/* Get, Create, Modify and Delete: the class of the instance decides who serves it. */
static MI_Result plan_instance(const struct catalogue *catalogue, const struct request_input *input,
                               struct request *request)
{
    struct plan_class found;
    bool creates = input->kind == REQUEST_CREATE;
    bool changes = creates || input->kind == REQUEST_MODIFY;

    MI_Result result = copy_text(instance_class_name(input->instance), &request->class_name);
    if (result == MI_RESULT_OK && request->class_name == NULL) {
        result = MI_RESULT_INVALID_PARAMETER;
    }
    if (result == MI_RESULT_OK) {
        result = find_served(catalogue, request, request->class_name, &found);
    }
    if (result == MI_RESULT_OK) {
        result = check_slot(found.provider->ft, request);
    }
    if (result == MI_RESULT_OK) {
        result = set_step(request, found.provider);
    }
    if (result != MI_RESULT_OK) {
        return result;
    }
    /* The provider may choose keys, but an unknown property must not be dropped. */
    const struct instance_convert how = {
        .schema = found.module->mi->schemaDecl,
        .keys_required = !creates,
        .reject_unknown = changes,
    };
    result = plan_take_instance(input->instance, own_declaration(&found), &how, request->name_space,
                                &request->instance);
    if (result == MI_RESULT_OK && input->kind == REQUEST_MODIFY) {
        result = plan_modified(input->instance, found.decl, request);
    }
    return result;
}

/* ---- Invoke ------------------------------------------------------------------------------ */

/* The class with the method: that of the instance if it is the named one or derives from it. */
static MI_Result find_method_class(const struct catalogue *catalogue,
                                   const struct request_input *input, struct request *request,
                                   struct plan_class *ret_class)
{
    bool named = input->class_name != NULL && input->class_name[0] != '\0';
    const char *own = input->instance == NULL ? NULL : instance_class_name(input->instance);
    const char *name = named ? input->class_name : own;

    if (own != NULL && find_served(catalogue, request, own, ret_class) == MI_RESULT_OK &&
        (!named || (ret_class->decl != NULL && decl_derives_from(ret_class->decl, name)))) {
        return copy_text(own, &request->class_name);
    }
    if (name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = find_served(catalogue, request, name, ret_class);
    return result == MI_RESULT_OK ? copy_text(name, &request->class_name) : result;
}

/* A method that the class declares. Its parameters are laid out by its declaration, which is used
 * as a class's. */
static MI_Result plan_static_method(const struct plan_class *found,
                                    const struct request_input *input, struct request *request)
{
    const MI_MethodDecl *method = decl_method_find(own_declaration(found), input->method_name);
    if (method == NULL) {
        return MI_RESULT_METHOD_NOT_FOUND;
    }
    if (method->function == NULL && found->provider->ft->Invoke == NULL) {
        return MI_RESULT_METHOD_NOT_AVAILABLE;
    }
    if ((method->flags & MI_FLAG_STATIC) == 0 && input->instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    request->method = method;
    /* Generated code reads its parameters without checking for NULL. */
    const MI_ClassDecl *layout = (const MI_ClassDecl *)(const void *)method;
    if (input->parameters == NULL) {
        return instance_new(layout, &request->parameters);
    }
    const struct instance_convert how = {
        .schema = found->module->mi->schemaDecl,
        .reject_unknown = true,
    };
    return plan_take_instance(input->parameters, layout, &how, request->name_space,
                              &request->parameters);
}

/* A dynamic provider declares nothing, so only it can know whether the method exists. */
static MI_Result plan_dynamic_method(const struct plan_class *found,
                                     const struct request_input *input, struct request *request)
{
    if (found->provider->ft->Invoke == NULL) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    if (input->parameters == NULL) {
        return MI_RESULT_OK;
    }
    return plan_take_instance(input->parameters, NULL, NULL, request->name_space,
                              &request->parameters);
}

/* The instance is passed as it was received: it may consist of keys only. */
static MI_Result plan_invoke(const struct catalogue *catalogue, const struct request_input *input,
                             struct request *request)
{
    struct plan_class found;

    MI_Result result = copy_text(input->method_name, &request->method_name);
    if (result == MI_RESULT_OK) {
        result = find_method_class(catalogue, input, request, &found);
    }
    if (result == MI_RESULT_OK) {
        result = set_step(request, found.provider);
    }
    if (result != MI_RESULT_OK) {
        return result;
    }
    result = found.decl == NULL ? plan_dynamic_method(&found, input, request)
                                : plan_static_method(&found, input, request);
    if (result == MI_RESULT_OK && input->instance != NULL) {
        const struct instance_convert how = {
            .schema = found.module->mi->schemaDecl,
            .keys_required = true,
        };
        result = plan_take_instance(input->instance, own_declaration(&found), &how,
                                    request->name_space, &request->instance);
    }
    return result;
}

/* ---- all --------------------------------------------------------------------------------- */

/* Delivery is by pull: the client fetches. To push needs a destination elsewhere. */
static MI_Result take_delivery(const MI_SubscriptionDeliveryOptions *delivery,
                               struct request *request)
{
    MI_SubscriptionDeliveryType type = MI_SubscriptionDeliveryType_Pull;
    const MI_Char *bookmark = NULL;

    if (delivery == NULL || delivery->ft == NULL) {
        return MI_RESULT_OK;
    }
    MI_Result result = delivery_options_type(delivery, &type);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (type != MI_SubscriptionDeliveryType_Pull) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    if (delivery->ft->GetString(delivery, BOOKMARK, &bookmark, NULL, NULL) == MI_RESULT_OK) {
        result = copy_text(bookmark, &request->bookmark);
    }
    return result;
}

/* Whether the client wants strings alone. One that also asks for types gets them. */
static bool wants_texts(MI_Uint32 flags)
{
    const MI_Uint32 types = MI_OPERATIONFLAGS_BASIC_RTTI | MI_OPERATIONFLAGS_STANDARD_RTTI |
                            MI_OPERATIONFLAGS_FULL_RTTI;

    return (flags & MI_OPERATIONFLAGS_NO_RTTI) != 0 && (flags & types) == 0;
}

/* With the modules of request->catalogue. */
static MI_Result plan(const struct request_input *input, MI_Uint32 flags, struct request *request,
                      struct result **ret_results)
{
    const struct catalogue *catalogue = request->catalogue;

    request->kind = input->kind;
    request->keys_only = input->keys_only ? MI_TRUE : MI_FALSE;
    request->texts = wants_texts(flags);
    request->steps = &request->first;
    MI_Result result = copy_text(input->name_space, &request->name_space);
    if (result != MI_RESULT_OK) {
        return result;
    }
    switch (input->kind) {
    case REQUEST_GET:
    case REQUEST_CREATE:
    case REQUEST_MODIFY:
    case REQUEST_DELETE:
        return plan_instance(catalogue, input, request);
    case REQUEST_INVOKE:
        return plan_invoke(catalogue, input, request);
    case REQUEST_ENUMERATE:
        result = copy_text(input->class_name, &request->class_name);
        return result == MI_RESULT_OK ? plan_enumerate(catalogue, flags, request) : result;
    case REQUEST_SUBSCRIBE:
        result = take_delivery(input->delivery, request);
        return result == MI_RESULT_OK ? plan_query(catalogue, input, flags, request) : result;
    case REQUEST_QUERY:
        return plan_query(catalogue, input, flags, request);
    case REQUEST_ASSOCIATORS:
    case REQUEST_REFERENCES:
        return plan_associated(catalogue, input, request);
    case REQUEST_CLASS:
        return plan_one_class(catalogue, input, ret_results);
    case REQUEST_CLASSES:
        return plan_classes(catalogue, input, flags, ret_results);
    case REQUEST_TEST:
        break;
    }
    return MI_RESULT_OK;
}

/* Once, unless a module has to be loaded for it; then again with what that declares now. There is
 * an end to it where modules are unloaded all the time. */
MI_Result plan_request(struct miguard_host *host, const struct request_input *input,
                       MI_Uint32 flags, struct request *request, struct result **ret_results)
{
    struct registration *awaited = NULL;
    size_t loads = 0, most_loads = 0;

    do {
        request->catalogue = catalogue_acquire(host);
        most_loads = 2 * request->catalogue->count + 8;
        MI_Result result = plan(input, flags, request, ret_results);
        registry_end_wait(awaited);
        awaited = request->awaited;
        if (awaited == NULL) {
            return result;
        }
        request->awaited = NULL;
        plan_release(request);
        *request = (struct request){0};
    } while (++loads < most_loads);
    registry_end_wait(awaited);
    return MI_RESULT_SERVER_LIMITS_EXCEEDED;
}
