/* SPDX-License-Identifier: MIT */
/*
 * Associators and references: which association classes can lead away from an object, and how each
 * of their providers is asked.
 *
 * An association class is asked when one of its references can hold the object (in the role that
 * the client named), and for associators another one can hold a result (of the class and in the
 * role that the client named). Its provider gets the object laid out by its own module, as the
 * class that the module knows: the object's own, or the nearest superclass.
 */
#include "host/server/host.h"

#include "base/alloc.h"
#include "host/object/object.h"

/* What the client asked for, and what is known of it. */
struct search {
    const struct catalogue *catalogue;
    const struct request_input *input;
    struct request *request;
    /* The class whose name filters the associations, or NULL. */
    const char *association_class;
    struct plan_class source;      /* the class of the object */
    struct plan_class association; /* valid with association_class */
    struct plan_class result;      /* valid with request->result_class */
    bool unable;                   /* an association class has no such function */
};

/* An empty name counts as a missing one. */
static MI_Result copy_name(const MI_Char *name, char **ret_copy)
{
    if (name == NULL || name[0] == '\0') {
        return MI_RESULT_OK;
    }
    *ret_copy = base_copy_text(name);
    return *ret_copy == NULL ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_OK;
}

/* Whether an object of the class can stand where a reference is declared with this name. */
static bool can_hold(const struct plan_class *found, const char *own_name, const char *declared)
{
    return declared == NULL || decl_name_equal(own_name, declared) ||
           (found->decl != NULL && decl_derives_from(found->decl, declared));
}

/* A result of the class may be behind a reference to it, to a superclass, or to a subclass. */
static bool may_be_result(const struct search *search, const struct module *module,
                          const char *declared)
{
    const char *wanted = search->request->result_class;

    if (wanted == NULL || can_hold(&search->result, wanted, declared)) {
        return true;
    }
    const MI_ClassDecl *decl = decl_class_find(module->schema, declared);
    return decl != NULL && decl_derives_from(decl, wanted);
}

/* Whether a reference has the role that was named; without a name each one has. */
static bool has_role(const char *role, const struct decl_element *element)
{
    return element->type == MI_REFERENCE && (role == NULL || decl_name_equal(role, element->name));
}

/* Whether another reference than the one at `near` can hold a result. */
static bool leads_away(const struct search *search, const struct provider *provider, MI_Uint32 near)
{
    MI_Uint32 count = decl_element_count(provider->decl);
    struct decl_element element;

    for (MI_Uint32 i = 0; i < count; i++) {
        if (i != near && decl_element_at(provider->decl, i, &element) &&
            has_role(search->request->result_role, &element) &&
            may_be_result(search, provider->module, element.class_name)) {
            return true;
        }
    }
    return false;
}

/* Whether the association class can have the object at one end. */
static bool reaches(const struct search *search, const struct provider *provider)
{
    const struct request *request = search->request;
    MI_Uint32 count = decl_element_count(provider->decl);
    struct decl_element element;

    for (MI_Uint32 i = 0; i < count; i++) {
        if (decl_element_at(provider->decl, i, &element) && has_role(request->role, &element) &&
            can_hold(&search->source, request->class_name, element.class_name) &&
            (request->kind == REQUEST_REFERENCES || leads_away(search, provider, i))) {
            return true;
        }
    }
    return false;
}

/* Abstract classes have no instances; of two modules that serve one class the first does. */
static bool is_wanted(const struct search *search, const struct provider *provider)
{
    const struct request *request = search->request;
    const MI_ClassDecl *decl = provider->decl;

    if (decl == NULL || (decl->flags & MI_FLAG_ASSOCIATION) == 0 ||
        (decl->flags & MI_FLAG_ABSTRACT) != 0 ||
        (search->association_class != NULL &&
         !decl_derives_from(decl, search->association_class))) {
        return false;
    }
    for (MI_Uint32 i = 0; i < request->step_count; i++) {
        if (decl_name_equal(request->steps[i].class_name, decl->name)) {
            return false;
        }
    }
    return reaches(search, provider);
}

static bool has_function(const struct search *search, const struct provider *provider)
{
    return search->request->kind == REQUEST_ASSOCIATORS ? provider->ft->AssociatorInstances != NULL
                                                        : provider->ft->ReferenceInstances != NULL;
}

/* The class as which a module knows the object, or NULL. */
static const MI_ClassDecl *source_in(const struct search *search, const struct module *module)
{
    const MI_SchemaDecl *schema = module->schema;
    const MI_ClassDecl *own = search->source.decl;
    const MI_ClassDecl *decl = decl_class_find(schema, search->request->class_name);

    for (; decl == NULL && own != NULL; own = own->superClassDecl) {
        decl = decl_class_find(schema, own->name);
    }
    return decl;
}

/* decl NULL: the object as it came, for a dynamic provider. */
static MI_Result add_step(struct search *search, struct provider *provider, const char *class_name,
                          const MI_ClassDecl *decl)
{
    struct request *request = search->request;
    struct step *step = NULL;

    MI_Result result = plan_step(request, provider, class_name, &step);
    if (result != MI_RESULT_OK) {
        return result;
    }
    const struct instance_convert how = {.schema = provider->module->mi->schemaDecl,
                                         .keys_required = true};
    return plan_take_instance(search->input->instance, decl == NULL ? NULL : decl_copy_origin(decl),
                              &how, request->name_space, &step->instance);
}

/* One step for each wanted class of the module. A module that does not know the object could only
 * read its memory wrongly, and is left out. */
static MI_Result add_steps(struct search *search, struct module *module)
{
    const MI_ClassDecl *decl = source_in(search, module);
    MI_Result result = MI_RESULT_OK;

    for (MI_Uint32 i = 0; decl != NULL && result == MI_RESULT_OK && i < module->provider_count;
         i++) {
        struct provider *provider = &module->providers[i];
        if (!is_wanted(search, provider)) {
            continue;
        }
        if (has_function(search, provider)) {
            result = add_step(search, provider, provider->decl->name, decl);
        } else {
            search->unable = true;
        }
    }
    return result;
}

/* The classes that the client named must be known, so that a misspelt one is not an empty answer.
 */
static MI_Result find_classes(struct search *search)
{
    struct request *request = search->request;
    const struct catalogue *catalogue = search->catalogue;
    const char *name_space = request->name_space;

    MI_Result result = plan_find_class(catalogue, name_space, request->class_name, &search->source);
    if (result == MI_RESULT_OK && search->association_class != NULL) {
        result =
            plan_find_class(catalogue, name_space, search->association_class, &search->association);
    }
    if (result == MI_RESULT_OK && request->result_class != NULL) {
        result = plan_find_class(catalogue, name_space, request->result_class, &search->result);
    }
    return result;
}

/* What the client gave, and the object as its own class has it, to compare posted references with.
 * The result class of references is the association's. */
static MI_Result copy_input(struct search *search)
{
    const struct request_input *input = search->input;
    struct request *request = search->request;
    bool associators = request->kind == REQUEST_ASSOCIATORS;
    const MI_Char *association = associators ? input->association_class : input->result_class;

    search->association_class = association == NULL || association[0] == '\0' ? NULL : association;
    MI_Result result = copy_name(instance_class_name(input->instance), &request->class_name);
    if (result == MI_RESULT_OK && request->class_name == NULL) {
        result = MI_RESULT_INVALID_PARAMETER;
    }
    if (result == MI_RESULT_OK) {
        result = copy_name(input->role, &request->role);
    }
    if (result == MI_RESULT_OK && associators) {
        result = copy_name(input->result_class, &request->result_class);
    }
    if (result == MI_RESULT_OK && associators) {
        result = copy_name(input->result_role, &request->result_role);
    }
    if (result == MI_RESULT_OK && request->keys_only) {
        result = property_set_new(&request->set);
        request->project = true;
    }
    return result;
}

/* A dynamic association class is known by its name only. */
static MI_Result plan_dynamic(struct search *search)
{
    struct provider *provider = search->association.provider;

    if (!has_function(search, provider)) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    return add_step(search, provider, search->association_class, NULL);
}

static MI_Result plan_all(struct search *search)
{
    struct request *request = search->request;
    MI_Result result = MI_RESULT_OK;
    size_t most = 1;

    for (size_t m = 0; m < search->catalogue->count; m++) {
        const struct module *module = search->catalogue->modules[m];
        most += module_serves(module, request->name_space) ? module->provider_count : 0;
    }
    struct step *steps = base_alloc(most, sizeof(*steps));
    if (steps == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    request->steps = steps;
    if (search->association_class != NULL && search->association.decl == NULL) {
        return plan_dynamic(search);
    }
    for (size_t m = 0; m < search->catalogue->count && result == MI_RESULT_OK; m++) {
        struct module *module = search->catalogue->modules[m];
        if (module_serves(module, request->name_space)) {
            result = add_steps(search, module);
        }
    }
    return result == MI_RESULT_OK && request->step_count == 0 && search->unable
               ? MI_RESULT_NOT_SUPPORTED
               : result;
}

MI_Result plan_associated(const struct catalogue *catalogue, const struct request_input *input,
                          struct request *request)
{
    struct search search = {.catalogue = catalogue, .input = input, .request = request};

    MI_Result result = copy_input(&search);
    if (result == MI_RESULT_OK) {
        result = find_classes(&search);
    }
    if (result == MI_RESULT_OK) {
        const struct instance_convert how = {.keys_required = true};
        result = plan_take_instance(input->instance, search.source.decl, &how, request->name_space,
                                    &request->instance);
    }
    return result == MI_RESULT_OK ? plan_all(&search) : result;
}

/* A provider may ignore the result class: its name is compared, and what the host knows of the
 * class of the posted instance. */
static bool is_of_class(const struct request *request, const MI_Instance *instance)
{
    struct plan_class found = {0};

    if (decl_derives_from(instance->classDecl, request->result_class)) {
        return true;
    }
    return plan_find_class(request->catalogue, request->name_space, instance_class_name(instance),
                           &found) == MI_RESULT_OK &&
           found.decl != NULL && decl_derives_from(found.decl, request->result_class);
}

/* Likewise for the role: the reference of this name must be one to the object. */
static bool refers_to_source(const struct request *request, const MI_Instance *instance)
{
    MI_Uint32 flags = 0;
    MI_Value value;
    MI_Type type;

    return instance_element_find(instance, request->role, &value, &type, &flags) == MI_RESULT_OK &&
           type == MI_REFERENCE && (flags & MI_FLAG_NULL) == 0 &&
           instance_keys_equal(value.reference, request->instance);
}

bool plan_is_associated(const struct request *request, const MI_Instance *instance)
{
    if (request->kind == REQUEST_ASSOCIATORS) {
        return request->result_class == NULL || is_of_class(request, instance);
    }
    return request->kind != REQUEST_REFERENCES || request->role == NULL ||
           refers_to_source(request, instance);
}
