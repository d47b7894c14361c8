/* SPDX-License-Identifier: MIT */
/*
 * Which provider serves a class, and which providers an enumeration calls.
 *
 * A class may be declared by several modules and served by one. Both functions go through the
 * modules of a catalogue in the order of registration, and read copies of their declarations, so
 * that none of them needs to be loaded.
 */
#include "host/server/host.h"

#include "base/alloc.h"
#include "host/object/object.h"

/* A chain of superclasses is not followed further; decl_fault() has refused longer ones. */
enum { DEPTH_MAX = 64 };

/* The module's declaration of the class, or NULL. */
static const MI_ClassDecl *known_class(const struct module *module, const char *name)
{
    return decl_class_find(module->schema, name);
}

/* The first module with a provider for the class is used; then the first that knows it; then the
 * first with a provider for unknown classes. */
MI_Result plan_find_class(const struct catalogue *catalogue, const char *name_space,
                          const char *name, struct plan_class *ret_class)
{
    struct plan_class known = {0};
    struct plan_class dynamic = {0};
    bool any = false;

    for (size_t m = 0; m < catalogue->count; m++) {
        struct module *module = catalogue->modules[m];
        if (!module_serves(module, name_space)) {
            continue;
        }
        any = true;
        const MI_ClassDecl *decl = known_class(module, name);
        struct provider *provider = module_provider(module, decl);
        struct plan_class found = {module, decl, provider};
        if (decl != NULL && provider != NULL) {
            *ret_class = found;
            return MI_RESULT_OK;
        }
        if (decl != NULL && known.decl == NULL) {
            known = found;
        } else if (provider != NULL && dynamic.provider == NULL) {
            dynamic = found;
        }
    }
    if (known.decl == NULL && dynamic.provider == NULL) {
        return any ? MI_RESULT_INVALID_CLASS : MI_RESULT_INVALID_NAMESPACE;
    }
    *ret_class = known.decl != NULL ? known : dynamic;
    return MI_RESULT_OK;
}

/* ---- enumeration ------------------------------------------------------------------------- */

bool plan_is_shallow(MI_Uint32 flags)
{
    /* The flag for base properties only contains the bit of the shallow one. */
    return (flags & MI_OPERATIONFLAGS_POLYMORPHISM_DEEP_BASE_PROPS_ONLY) ==
           MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW;
}

/* Subclasses too, but of their properties only those of the requested class. */
static bool is_base_only(MI_Uint32 flags)
{
    return (flags & MI_OPERATIONFLAGS_POLYMORPHISM_DEEP_BASE_PROPS_ONLY) ==
           MI_OPERATIONFLAGS_POLYMORPHISM_DEEP_BASE_PROPS_ONLY;
}

/* Two modules may serve one class; the one that was loaded first does. */
static bool is_planned(const struct request *request, const char *name)
{
    for (MI_Uint32 i = 0; i < request->step_count; i++) {
        if (decl_name_equal(request->steps[i].class_name, name)) {
            return true;
        }
    }
    return false;
}

/* Abstract classes have no instances of their own (DSP0004, qualifier Abstract). class_name NULL:
 * every class. */
static bool is_wanted(const struct request *request, const MI_ClassDecl *decl,
                      const char *class_name, bool shallow)
{
    return decl != NULL && (decl->flags & MI_FLAG_ABSTRACT) == 0 &&
           (class_name == NULL || (shallow ? decl_name_equal(decl->name, class_name)
                                           : decl_derives_from(decl, class_name))) &&
           !is_planned(request, decl->name);
}

/* Whether the provider has the function that the request begins with. */
static bool is_able(const struct provider *provider, const struct request *request)
{
    if (request->lifecycle_types != 0) {
        return provider->ft->Load != NULL; /* only there it gets what it reports changes with */
    }
    return request->kind == REQUEST_SUBSCRIBE ? provider->ft->EnableIndications != NULL
                                              : provider->ft->EnumerateInstances != NULL;
}

/* Adds one step for each wanted class that can be enumerated. *ret_unable if one
 * had no such function. */
static MI_Result add_steps(const struct module *module, const char *class_name, bool shallow,
                           struct request *request, bool *ret_unable)
{
    MI_Result result = MI_RESULT_OK;
    struct step *step = NULL;

    for (MI_Uint32 i = 0; i < module->provider_count && result == MI_RESULT_OK; i++) {
        struct provider *provider = &module->providers[i];
        if (!is_wanted(request, provider->decl, class_name, shallow)) {
            continue;
        }
        if (is_able(provider, request)) {
            result = plan_step(request, provider, provider->decl->name, &step);
        } else {
            *ret_unable = true;
        }
    }
    return result;
}

/* How many superclasses a class has, as far as its module declares them. */
static unsigned class_depth(const MI_ClassDecl *decl)
{
    unsigned depth = 0;

    while (decl->superClassDecl != NULL && depth < DEPTH_MAX) {
        decl = decl->superClassDecl;
        depth++;
    }
    return depth;
}

/* Base classes come first, whatever the order in which modules list their classes: generators do it
 * in alphabetical order. Stable, so that else the order of loading counts; the lists are short. */
static void sort_steps(struct request *request)
{
    for (MI_Uint32 i = 1; i < request->step_count; i++) {
        struct step step = request->steps[i];
        unsigned depth = class_depth(step.provider->decl);
        MI_Uint32 at = i;
        while (at > 0 && class_depth(request->steps[at - 1].provider->decl) > depth) {
            request->steps[at] = request->steps[at - 1];
            at--;
        }
        request->steps[at] = step;
    }
}

/* Adds the names of the class's properties. Those of a dynamic class are not known. */
static MI_Result base_properties(const MI_ClassDecl *decl, MI_PropertySet *set)
{
    MI_Result result = MI_RESULT_OK;
    MI_Uint32 count = decl == NULL ? 0 : decl_element_count(decl);

    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < count; i++) {
        struct decl_element element;
        if (decl_element_at(decl, i, &element)) {
            result = set->ft->AddElement(set, element.name);
        }
    }
    return result;
}

/* What results are reduced to: the keys, or the properties of the requested class. */
static MI_Result plan_projection(const MI_ClassDecl *decl, MI_Uint32 flags, struct request *request)
{
    bool base_only = is_base_only(flags) && decl != NULL;

    if (!base_only && !request->keys_only) {
        return MI_RESULT_OK;
    }
    MI_Result result = property_set_new(&request->set);
    if (result == MI_RESULT_OK && !request->keys_only) {
        result = base_properties(decl, request->set);
        request->pass_set = true;
    }
    request->project = true;
    return result;
}

/* A dynamic provider gets the request as it is; it alone knows its subclasses. */
static MI_Result plan_dynamic(const struct plan_class *found, struct request *request)
{
    if (!is_able(found->provider, request)) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    struct step *step = NULL;
    return plan_step(request, found->provider, request->class_name, &step);
}

/* The steps of all modules of the namespace. */
static MI_Result collect_steps(const struct catalogue *catalogue, const char *class_name,
                               bool shallow, struct request *request, bool *ret_unable)
{
    size_t most = 0;

    for (size_t m = 0; m < catalogue->count; m++) {
        struct module *module = catalogue->modules[m];
        most += module_serves(module, request->name_space) ? module->provider_count : 0;
    }
    if (most > 1) {
        struct step *steps = base_alloc(most, sizeof(*steps));
        if (steps == NULL) {
            return MI_RESULT_SERVER_LIMITS_EXCEEDED;
        }
        request->steps = steps;
    }
    for (size_t m = 0; m < catalogue->count; m++) {
        struct module *module = catalogue->modules[m];
        if (module_serves(module, request->name_space)) {
            MI_Result result = add_steps(module, class_name, shallow, request, ret_unable);
            if (result != MI_RESULT_OK) {
                return result;
            }
        }
    }
    sort_steps(request);
    return MI_RESULT_OK;
}

MI_Result plan_lifecycle(const struct catalogue *catalogue, const char *source,
                         struct request *request)
{
    bool unable = false;

    return collect_steps(catalogue, source, false, request, &unable);
}

/* Subclasses are the host's affair: a provider posts instances of exactly the class it is called
 * for. */
MI_Result plan_enumerate(const struct catalogue *catalogue, MI_Uint32 flags,
                         struct request *request)
{
    struct plan_class found;
    bool unable = false;

    MI_Result result = plan_find_class(catalogue, request->name_space, request->class_name, &found);
    if (result == MI_RESULT_OK) {
        result = plan_projection(found.decl, flags, request);
    }
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (found.decl == NULL) {
        return plan_dynamic(&found, request);
    }
    result =
        collect_steps(catalogue, request->class_name, plan_is_shallow(flags), request, &unable);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (request->step_count > 0) {
        return MI_RESULT_OK;
    }
    if (unable) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    /* An abstract class without served subclasses has no instances; any other class without a
     * provider is not served. */
    return (found.decl->flags & MI_FLAG_ABSTRACT) != 0 ? MI_RESULT_OK : MI_RESULT_INVALID_CLASS;
}
