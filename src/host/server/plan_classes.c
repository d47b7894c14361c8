/* SPDX-License-Identifier: MIT */
/*
 * GetClass and EnumerateClasses: answered from the declarations of the modules, without a provider.
 *
 * Where several modules declare a class, that one counts whose provider serves it, and else the
 * first: each name occurs once.
 */
#include "host/server/host.h"

#include "base/alloc.h"
#include "host/object/object.h"

/* The classes so far; freed as a whole on failure. */
struct class_list {
    struct result *first, **end;
    MI_Uint32 count;
};

static void list_free(struct class_list *list)
{
    while (list->first != NULL) {
        struct result *item = list->first;
        list->first = item->next;
        result_free(item);
    }
}

static MI_Result list_add(struct class_list *list, const MI_ClassDecl *decl, bool names_only,
                          const char *name_space)
{
    struct result *item = base_alloc(1, sizeof(*item));

    if (item == NULL || list->count >= MIGUARD_HOST_MAX_RESULTS) {
        base_free(item);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Result result = names_only ? class_new_name(decl, name_space, &item->class_item)
                                  : class_new(decl, name_space, NULL, &item->class_item);
    if (result != MI_RESULT_OK) {
        base_free(item);
        return result;
    }
    *list->end = item;
    list->end = &item->next;
    list->count++;
    return MI_RESULT_OK;
}

/* Whether the class is one of those below `above`, or of all when that is NULL. Shallow: directly
 * below, or without a superclass. The class itself is not below itself. */
static bool is_below(const MI_ClassDecl *decl, const char *above, bool shallow)
{
    if (shallow) {
        return above == NULL ? decl->superClass == NULL : decl_name_equal(decl->superClass, above);
    }
    return above == NULL || (!decl_name_equal(decl->name, above) && decl_derives_from(decl, above));
}

static MI_Result add_module(const struct catalogue *catalogue, const struct request_input *input,
                            const struct module *module, bool shallow, struct class_list *list)
{
    const MI_SchemaDecl *schema = module->schema;
    const char *above =
        input->class_name == NULL || input->class_name[0] == '\0' ? NULL : input->class_name;
    MI_Result result = MI_RESULT_OK;

    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < schema->numClassDecls; i++) {
        const MI_ClassDecl *decl = schema->classDecls[i];
        struct plan_class found = {0};
        if (is_below(decl, above, shallow) &&
            plan_find_class(catalogue, input->name_space, decl->name, &found) == MI_RESULT_OK &&
            found.module == module && found.decl == decl) {
            result = list_add(list, decl, input->keys_only != MI_FALSE, input->name_space);
        }
    }
    return result;
}

/* The class below which the others are looked for must be declared; without one, the namespace must
 * be served. */
static MI_Result check_above(const struct catalogue *catalogue, const struct request_input *input)
{
    struct plan_class found = {0};

    if (input->class_name == NULL || input->class_name[0] == '\0') {
        for (size_t m = 0; m < catalogue->count; m++) {
            struct module *module = catalogue->modules[m];
            if (module_serves(module, input->name_space)) {
                return MI_RESULT_OK;
            }
        }
        return MI_RESULT_INVALID_NAMESPACE;
    }
    MI_Result result = plan_find_class(catalogue, input->name_space, input->class_name, &found);
    return result == MI_RESULT_OK && found.decl == NULL ? MI_RESULT_NOT_SUPPORTED : result;
}

MI_Result plan_classes(const struct catalogue *catalogue, const struct request_input *input,
                       MI_Uint32 flags, struct result **ret_results)
{
    struct class_list list = {.end = &list.first};

    MI_Result result = check_above(catalogue, input);
    for (size_t m = 0; m < catalogue->count && result == MI_RESULT_OK; m++) {
        const struct module *module = catalogue->modules[m];
        if (module_serves(module, input->name_space)) {
            result = add_module(catalogue, input, module, plan_is_shallow(flags), &list);
        }
    }
    if (result != MI_RESULT_OK) {
        list_free(&list);
        return result;
    }
    *ret_results = list.first;
    return MI_RESULT_OK;
}

MI_Result plan_one_class(const struct catalogue *catalogue, const struct request_input *input,
                         struct result **ret_results)
{
    struct class_list list = {.end = &list.first};
    struct plan_class found;

    MI_Result result = plan_find_class(catalogue, input->name_space, input->class_name, &found);
    if (result == MI_RESULT_OK) {
        /* A dynamic provider has no declarations to return. */
        result = found.decl == NULL ? MI_RESULT_NOT_SUPPORTED
                                    : list_add(&list, found.decl, false, input->name_space);
    }
    *ret_results = list.first;
    return result;
}
