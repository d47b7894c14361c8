/* SPDX-License-Identifier: MIT */
/*
 * Provider libraries: mapping, checking, Load and Unload.
 *
 * A module is loaded by miguard_host_load() or miguard_host_add() in the order module_new(),
 * module_fault(), module_take(), module_load(), and ended by miguard_host_free() with
 * module_unload() and module_free(). A module that does not answer in time is marked abandoned: it
 * is not called again and stays mapped.
 */
#include "host/server/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "host/object/object.h"

/* access(2) first, so that a missing file is reported as such: dlerror(3) has one text for
 * everything. It is no check of permission. */
enum miguard_status module_open(const char *path, void **ret_library,
                                MI_MainFunction *ret_main_function, struct miguard_error *reterr)
{
    if (access(path, F_OK) != 0) {
        return error_set(reterr, MIGUARD_NOT_FOUND, errno, "access", "%s", path);
    }
    /* All symbols now, so that no symbol is missing during a request; RTLD_LOCAL, since every
     * provider defines MI_Main. */
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *why = dlerror();
        return error_set(reterr, MIGUARD_BAD_MODULE, 0, "dlopen", "%s", why == NULL ? path : why);
    }
    void *symbol = dlsym(library, "MI_Main");
    if (symbol == NULL) {
        dlclose(library);
        return error_set(reterr, MIGUARD_BAD_MODULE, 0, "dlsym", "%s has no MI_Main", path);
    }
    /* POSIX (dlsym) requires this conversion to work; ISO C has no cast for it. */
    memcpy(ret_main_function, &symbol, sizeof(*ret_main_function));
    *ret_library = library;
    return MIGUARD_OK;
}

/* A class that is declared; whether it has a provider does not matter, since it may be a superclass
 * or a parameter. */
static const char *class_fault(const MI_ClassDecl *decl)
{
    if (decl == NULL) {
        return "a class declaration is NULL";
    }
    const char *fault = decl_fault(decl);
    if (fault != NULL) {
        return fault;
    }
    if (decl->numMethods > 0 && decl->methods == NULL) {
        return "a class has methods but no list of them";
    }
    for (MI_Uint32 i = 0; i < decl->numMethods; i++) {
        fault = decl->methods[i] == NULL ? "a method declaration is NULL"
                                         : decl_method_fault(decl->methods[i]);
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

/* Another major version may have other layouts. A newer minor one has more slots at the end of the
 * host's tables (MI.h, MI_API_VERSION), for which there is room (context_table.c). charSize differs
 * in a module that was built for wide characters. */
const char *module_fault(const MI_Module *mi)
{
    if (mi == NULL) {
        return "MI_Main returned NULL";
    }
    if (mi->version >> 16 > MI_MAJOR) {
        return "the module is of a newer major version of the API than this host";
    }
    if (mi->charSize != sizeof(MI_Char)) {
        return "the module was built with another size of MI_Char";
    }
    const MI_SchemaDecl *schema = mi->schemaDecl;
    if (schema == NULL) {
        return NULL;
    }
    if (schema->numClassDecls > 0 && schema->classDecls == NULL) {
        return "the schema has classes but no list of them";
    }
    for (MI_Uint32 i = 0; i < schema->numClassDecls; i++) {
        const char *fault = class_fault(schema->classDecls[i]);
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

/* "*" is the way to say "every namespace" in a configuration. */
enum miguard_status module_new(struct miguard_host *host, void *library, const char *name_space,
                               struct module **ret_module, struct miguard_error *reterr)
{
    bool everywhere = name_space == NULL || strcmp(name_space, "*") == 0;
    struct module *module = base_alloc(1, sizeof(*module));

    if (module != NULL && !everywhere) {
        module->name_space = base_copy_text(name_space);
    }
    if (module == NULL || (!everywhere && module->name_space == NULL)) {
        base_free(module);
        if (library != NULL) {
            dlclose(library);
        }
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "module", NULL);
    }
    module->host = host;
    module->library = library;
    *ret_module = module;
    return MIGUARD_OK;
}

/* There is room for all of them: module_take() counted. */
static void add_provider(struct module *module, const MI_ClassDecl *decl, const MI_ProviderFT *ft)
{
    module->providers[module->provider_count++] = (struct provider){
        .module = module, .decl = decl, .ft = ft, .subscription_lock = PTHREAD_MUTEX_INITIALIZER};
}

/* One provider for each class with a table, and one without a class for the dynamic table. */
enum miguard_status module_take(struct module *module, MI_Module *mi, struct miguard_error *reterr)
{
    const MI_SchemaDecl *schema = mi->schemaDecl;
    MI_Uint32 class_count = schema == NULL ? 0 : schema->numClassDecls;

    module->providers = base_alloc((size_t)class_count + 1, sizeof(*module->providers));
    if (module->providers == NULL || decl_copy_schema(schema, &module->copies) != MI_RESULT_OK) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "module", NULL);
    }
    for (MI_Uint32 i = 0; i < class_count; i++) {
        const MI_ClassDecl *decl = schema->classDecls[i];
        if (decl->providerFT != NULL) {
            add_provider(module, decl, decl->providerFT);
        }
    }
    if (mi->dynamicProviderFT != NULL) {
        add_provider(module, NULL, mi->dynamicProviderFT);
    }
    module->mi = mi;
    return MIGUARD_OK;
}

/* A module without a namespace serves every one. */
bool module_serves(const struct module *module, const char *name_space)
{
    return module->name_space == NULL || decl_name_equal(module->name_space, name_space);
}

/* By pointer: two classes of one name are two declarations. */
struct provider *module_provider(const struct module *module, const MI_ClassDecl *decl)
{
    for (MI_Uint32 i = 0; i < module->provider_count; i++) {
        if (module->providers[i].decl == decl) {
            return &module->providers[i];
        }
    }
    return NULL;
}

/* A Load slot that is NULL has nothing to load (MI_Module). */
enum miguard_status module_load(struct module *module, struct miguard_error *reterr)
{
    MI_Result result = MI_RESULT_OK;

    if (module->mi->Load == NULL) {
        return MIGUARD_OK;
    }
    struct context *context = context_new(CONTEXT_MODULE_LOAD, module, NULL, NULL);
    if (context == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "Load", NULL);
    }
    /* The module writes its self into memory that outlives a Load that comes too late. */
    module->mi->Load((MI_Module_Self **)&context->self, &context->base);
    bool posted = context_await(context, module->host->options.load_timeout_ms, &result);
    if (posted && result == MI_RESULT_OK) {
        module->self = context->self;
    }
    context_unpin(context);
    if (!posted) {
        atomic_store(&module->abandoned, true);
        return error_set(reterr, MIGUARD_BAD_MODULE, ETIMEDOUT, "Load",
                         "the module's Load posted no result in time");
    }
    if (result != MI_RESULT_OK) {
        return error_set(reterr, MIGUARD_BAD_MODULE, 0, "Load",
                         "the module's Load posted MI_Result %d", (int)result);
    }
    return MIGUARD_OK;
}

/* An Unload that posts nothing in time leaves the library mapped. */
void module_unload(struct module *module)
{
    MI_Result result = MI_RESULT_OK;

    if (atomic_load(&module->abandoned) || module->mi->Unload == NULL) {
        return;
    }
    struct context *context = context_new(CONTEXT_MODULE_UNLOAD, module, NULL, NULL);
    if (context == NULL) {
        /* Without a context it cannot be asked to end its threads, so it stays mapped. */
        atomic_store(&module->abandoned, true);
        return;
    }
    module->mi->Unload(module->self, &context->base);
    if (!context_await(context, module->host->options.load_timeout_ms, &result)) {
        atomic_store(&module->abandoned, true);
    }
    context_unpin(context);
}

/* The providers are not unloaded here: a module that failed in module_load() has none that were
 * loaded. */
void module_free(struct module *module)
{
    if (module->library != NULL && !atomic_load(&module->abandoned)) {
        dlclose(module->library);
    }
    decl_copy_drop(module->copies);
    base_free(module->providers);
    base_free(module->name_space);
    base_free(module);
}
