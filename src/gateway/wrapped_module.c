/* SPDX-License-Identifier: MIT */
/*
 * Wrapping a provider module.
 *
 * A host finds a provider's functions in the module's declarations. The wrapped module is a copy of
 * these in which each function is the library's; the provider's memory is not written. What is
 * copied: module, schema, classes and methods, which have functions or refer to such; properties,
 * parameters and qualifiers are the provider's own.
 *
 * miguard_wrap_module() finds the wrapping that exists or makes one: fill_module() -> copy_schema()
 * -> copy_class(). A module is wrapped once, however many hosts of the process load it.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/process.h"
#include "gateway/wrapped.h"
#include "miguard/shim.h"

/* ---- the copies of classes ------------------------------------------------------------------- */

/* A copy, looked up by its original. */
struct known_class {
    const MI_ClassDecl *original;
    MI_ClassDecl *copy;
};

static int compare_known(const void *a, const void *b)
{
    uintptr_t first = (uintptr_t)((const struct known_class *)a)->original;
    uintptr_t second = (uintptr_t)((const struct known_class *)b)->original;
    return first < second ? -1 : first > second;
}

/* Sorted by the original; NULL without memory. */
static struct known_class *list_known(struct wrapped_module *module)
{
    struct known_class *known = base_alloc(module->class_count + 1, sizeof(*known));

    for (MI_Uint32 i = 0; known != NULL && i < module->class_count; i++) {
        known[i] = (struct known_class){module->classes[i].original, &module->classes[i].decl};
    }
    if (known != NULL) {
        qsort(known, module->class_count, sizeof(*known), compare_known);
    }
    return known;
}

/* A superclass of the same module is replaced by its copy; one from elsewhere stays. */
static const MI_ClassDecl *copied_super(const struct known_class *known, MI_Uint32 count,
                                        const MI_ClassDecl *super)
{
    const struct known_class wanted = {super, NULL};
    const struct known_class *found =
        super != NULL ? bsearch(&wanted, known, count, sizeof(wanted), compare_known) : NULL;

    return found != NULL ? found->copy : super;
}

/* The library's functions in the slots that the provider has. Load is always set, since it provides
 * self, and Unload, which frees that. False: no Load function can be made. */
static bool fill_table(struct wrapped_module *module, MI_Uint32 place,
                       const MI_ProviderFT *original, const MI_ClassDecl *decl)
{
    struct wrapped_class *wrapped = &module->tables[place];

    wrapped->module = module;
    wrapped->original = original;
    wrapped->decl = decl;
    wrapped_relays(&wrapped->table, original);
    wrapped->table.Load = wrapped_class_load(place);
    wrapped->table.Unload = wrapped_class_unload;
    return wrapped->table.Load != NULL;
}

/* ---- their methods --------------------------------------------------------------------------- */

/* By name, and for the same name by the place in the class. */
struct listed_method {
    const MI_MethodDecl *decl;
    MI_Uint32 place;
};

static int compare_methods(const void *a, const void *b)
{
    const struct listed_method *first = a, *second = b;
    int order = strcasecmp(first->decl->name, second->decl->name);

    return order != 0 ? order : first->place < second->place ? -1 : first->place > second->place;
}

/* False without memory. */
static bool sort_methods(const MI_ClassDecl *decl, const MI_MethodDecl **ret_sorted)
{
    struct listed_method *list = base_alloc(decl->numMethods + 1, sizeof(*list));

    if (list == NULL) {
        return false;
    }
    for (MI_Uint32 i = 0; i < decl->numMethods; i++) {
        list[i] = (struct listed_method){decl->methods[i], i};
    }
    qsort(list, decl->numMethods, sizeof(*list), compare_methods);
    for (MI_Uint32 i = 0; i < decl->numMethods; i++) {
        ret_sorted[i] = list[i].decl;
    }
    base_free(list);
    return true;
}

static void copy_methods(struct wrapped_module *module, const MI_ClassDecl *original, size_t first)
{
    for (MI_Uint32 i = 0; i < original->numMethods; i++) {
        struct method_copy *method = &module->methods[first + i];
        method->original = original->methods[i];
        method->decl = *original->methods[i];
        method->decl.schema = &module->schema;
        if (method->decl.function != NULL) {
            method->decl.function = wrapped_method;
        }
        module->method_lists[first + i] = &method->decl;
    }
}

/* Copies one class with its methods; *next_method is the first of them. False without memory or a
 * Load function; wrapped_free() then undoes the whole. */
static bool copy_class(struct wrapped_module *module, MI_Uint32 index,
                       const struct known_class *known, size_t *next_method)
{
    const MI_ClassDecl *original = module->classes[index].original;
    MI_ClassDecl *copy = &module->classes[index].decl;
    size_t first = *next_method;

    *copy = *original;
    copy->schema = &module->schema;
    copy->superClassDecl = (MI_ClassDecl *)(uintptr_t)copied_super(known, module->class_count,
                                                                   original->superClassDecl);
    copy->methods = &module->method_lists[first];
    copy_methods(module, original, first);
    *next_method += original->numMethods;
    module->class_list[index] = copy;
    if (original->providerFT == NULL) {
        return true;
    }
    copy->providerFT = &module->tables[index].table;
    module->tables[index].methods = &module->sorted_methods[first];
    return sort_methods(original, &module->sorted_methods[first]) &&
           fill_table(module, index, original->providerFT, original);
}

/* ---- the schema ------------------------------------------------------------------------------ */

/* Whether the declarations can be copied: no NULL where a host would follow a pointer, and each
 * method has a name. */
static bool schema_sound(const MI_SchemaDecl *schema)
{
    if (schema == NULL || schema->numClassDecls == 0) {
        return true;
    }
    for (MI_Uint32 i = 0; i < schema->numClassDecls; i++) {
        const MI_ClassDecl *decl = schema->classDecls != NULL ? schema->classDecls[i] : NULL;
        if (decl == NULL || (decl->numMethods > 0 && decl->methods == NULL)) {
            return false;
        }
        for (MI_Uint32 k = 0; k < decl->numMethods; k++) {
            if (decl->methods[k] == NULL || decl->methods[k]->name == NULL) {
                return false;
            }
        }
    }
    return true;
}

/* One array for each kind of copy, allocated at once, so that their addresses do not change while
 * they refer to each other. + 1: not 0 elements, for which calloc(3) may return NULL, and a table
 * for the dynamic provider. */
static bool make_arrays(struct wrapped_module *module, const MI_SchemaDecl *original)
{
    module->class_count = original != NULL ? original->numClassDecls : 0;
    for (MI_Uint32 i = 0; i < module->class_count; i++) {
        module->method_count += original->classDecls[i]->numMethods;
    }
    module->tables = base_alloc((size_t)module->class_count + 1, sizeof(*module->tables));
    module->classes = base_alloc((size_t)module->class_count + 1, sizeof(*module->classes));
    module->class_list = base_alloc((size_t)module->class_count + 1, sizeof(*module->class_list));
    module->methods = base_alloc(module->method_count + 1, sizeof(*module->methods));
    module->method_lists = base_alloc(module->method_count + 1, sizeof(*module->method_lists));
    module->sorted_methods = base_alloc(module->method_count + 1, sizeof(*module->sorted_methods));
    return module->tables != NULL && module->classes != NULL && module->class_list != NULL &&
           module->methods != NULL && module->method_lists != NULL &&
           module->sorted_methods != NULL;
}

static bool copy_classes(struct wrapped_module *module, const MI_SchemaDecl *original)
{
    size_t next_method = 0;
    bool copied = true;

    for (MI_Uint32 i = 0; i < module->class_count; i++) {
        module->classes[i].original = original->classDecls[i];
    }
    struct known_class *known = list_known(module);
    for (MI_Uint32 i = 0; i < module->class_count && known != NULL && copied; i++) {
        copied = copy_class(module, i, known, &next_method);
    }
    copied = copied && known != NULL;
    base_free(known);
    return copied;
}

static bool copy_schema(struct wrapped_module *module)
{
    const MI_SchemaDecl *original = module->original->schemaDecl;

    if (!make_arrays(module, original)) {
        return false;
    }
    if (original == NULL) {
        return true;
    }
    module->schema = *original;
    module->schema.classDecls = module->class_list;
    module->module.schemaDecl = &module->schema;
    return copy_classes(module, original);
}

/* ---- the module ------------------------------------------------------------------------------ */

/* The file of the module's static storage: the name that policies and records use. "" where no file
 * is known. A provider that `miguard wrap` moved aside keeps the name that it had, so that its
 * rules go on to apply. A long name is cut and marked (identity/cut.h). */
static void name_module(struct wrapped_module *module)
{
    Dl_info info;
    const char *path = "";

    if (dladdr(module->original, &info) != 0 && info.dli_fname != NULL) {
        const char *slash = strrchr(info.dli_fname, '/');
        path = slash != NULL ? slash + 1 : info.dli_fname;
    }
    char own[NAME_MAX + 1];
    size_t length = strnlen(path, sizeof(own) - 1), aside = strlen(MIGUARD_SHIM_ASIDE);
    bool moved = length > aside && strcmp(path + length - aside, MIGUARD_SHIM_ASIDE) == 0;
    memcpy(own, path, length);
    own[moved ? length - aside : length] = '\0';
    (void)cut_text(own, AUDIT_MAX_NAME, module->name);
}

/*
 * The version that the copy has. A host refuses a module that is newer than itself (OMI). Within
 * version 1 a newer one only has more slots at the end of the tables that hosts provide (MI.h,
 * MI_API_VERSION), and the tables that a provider gets are the library's, which have all of them:
 * so the copy is as old as its host, or where that is not known, as when a registration tool reads
 * the declarations, as the oldest.
 */
static MI_Uint32 version_for(MI_Uint32 version, MI_Uint32 host_version)
{
    MI_Uint32 most = host_version != 0 ? host_version : MI_MAKE_VERSION(MI_MAJOR, 0, 0);
    return version < most ? version : most;
}

/* 0: not known. */
static MI_Uint32 version_of(const MI_Server *server)
{
    MI_Uint32 version = 0;
    bool known = server != NULL && server->serverFT != NULL &&
                 server->serverFT->GetVersion != NULL &&
                 server->serverFT->GetVersion(&version) == MI_RESULT_OK;
    return known ? version : 0;
}

/* The caller holds the lock. */
static bool fill_module(struct wrapped_module *wrapped, MI_Module *module, unsigned place,
                        MI_Uint32 host_version)
{
    wrapped->original = module;
    wrapped->source = *module;
    wrapped->module = *module;
    wrapped->host_version = host_version;
    wrapped->module.version = version_for(module->version, host_version);
    wrapped->module.Load = wrapped_module_load(place);
    wrapped->module.Unload = wrapped_module_unload;
    name_module(wrapped);
    if (wrapped->module.Load == NULL || !copy_schema(wrapped)) {
        return false;
    }
    if (module->dynamicProviderFT == NULL) {
        return true;
    }
    wrapped->module.dynamicProviderFT = &wrapped->tables[wrapped->class_count].table;
    return fill_table(wrapped, wrapped->class_count, module->dynamicProviderFT, NULL);
}

/* ---- wrapping ---------------------------------------------------------------------------------
 */

/* The caller holds the lock. NULL without memory or a Load function. */
static struct wrapped_module *wrap(MI_Module *module, MI_Uint32 host_version)
{
    unsigned place = 0;

    if (!wrapped_find_place(&place)) {
        return NULL;
    }
    struct wrapped_module *wrapped = base_alloc(1, sizeof(*wrapped));
    if (wrapped == NULL || !fill_module(wrapped, module, place, host_version)) {
        wrapped_free(wrapped);
        return NULL;
    }
    wrapped_put(place, wrapped);
    return wrapped;
}

/* Another layout of the declarations, or of every name in them, cannot be copied. */
static bool is_known_layout(const MI_Module *module)
{
    return module->version >> 16 <= MI_MAJOR && module->charSize == sizeof(MI_Char);
}

/* What several hosts have in common counts. */
static void note_host(struct wrapped_module *wrapped, MI_Uint32 host_version)
{
    if (host_version != 0 && (wrapped->host_version == 0 || host_version < wrapped->host_version)) {
        wrapped->host_version = host_version;
        wrapped->module.version = version_for(wrapped->source.version, host_version);
    }
}

MI_Module *miguard_wrap_module(MI_Server *server, MI_Module *module)
{
    ENTRY_UNCANCELLED;
    if (process_is_stuck() || module == NULL || !is_known_layout(module) ||
        !schema_sound(module->schemaDecl)) {
        return NULL;
    }
    MI_Uint32 host_version = version_of(server);
    pthread_mutex_lock(&wrapped_lock);
    struct wrapped_module *wrapped = wrapped_find(module);
    if (wrapped == NULL) {
        wrapped = wrap(module, host_version);
    } else {
        note_host(wrapped, host_version);
    }
    pthread_mutex_unlock(&wrapped_lock);
    return wrapped != NULL ? &wrapped->module : NULL;
}
