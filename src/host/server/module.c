/* SPDX-License-Identifier: MIT */
/*
 * Provider libraries: mapping, checking, Load and Unload.
 *
 * One struct module is one loading of a library or function that was registered: module_make()
 * begins it, module_unload() and module_unmap() end it. What was read from it stays in
 * copies (declarations, tables of functions), so that planning needs no library. A library that is
 * loaded again is another struct module.
 *
 * A module that does not answer in time is marked abandoned: it is not called again and stays
 * mapped.
 */
#include "host/server/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "host/object/object.h"

/* ---- the library ------------------------------------------------------------------------------
 */

static bool same_file(const struct module_file *a, const struct module_file *b)
{
    return a->device == b->device && a->inode == b->inode;
}

static bool same_content(const struct module_file *a, const struct module_file *b)
{
    return a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool find_file(const char *path, struct module_file *ret_file)
{
    struct stat found;

    if (stat(path, &found) != 0) {
        return false;
    }
    *ret_file = (struct module_file){found.st_dev, found.st_ino, found.st_size, found.st_mtim};
    return true;
}

bool module_is_current(const struct module *module, const char *path)
{
    struct module_file now;

    return find_file(path, &now) && same_file(&module->file, &now) &&
           same_content(&module->file, &now);
}

/* The path with `dots` times "./" before the name of the file. */
static bool spell(const char *path, unsigned dots, char *ret_path, size_t size)
{
    const char *name = strrchr(path, '/') + 1;
    int length = snprintf(ret_path, size, "%.*s%.*s%s", (int)(name - path), path, (int)(2 * dots),
                          "./././././././././././././././././", name);

    return length > 0 && (size_t)length < size;
}

/*
 * dlopen(3) compares names before it looks at files, so by its own name a file that was replaced is
 * not mapped as long as the old one is. So each spelling is tried for which nothing is mapped, or
 * this very file. The name of the file is the same in all, by which policies know the module.
 */
static enum miguard_status open_spelled(struct miguard_host *host, const char *path,
                                        const struct module_file *file, void **ret_library,
                                        struct miguard_error *reterr)
{
    enum { MOST_DOTS = 16 };
    char spelled[PATH_MAX];

    for (unsigned dots = 0; dots <= MOST_DOTS && spell(path, dots, spelled, sizeof(spelled));
         dots++) {
        struct module_file loaded;
        void *mapped = dlopen(spelled, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
        bool ours = mapped != NULL && registry_file_of(host, mapped, &loaded);
        if (mapped != NULL) {
            dlclose(mapped);
        }
        if (ours && !same_file(&loaded, file)) {
            continue;
        }
        if (ours && !same_content(&loaded, file)) {
            return error_set(reterr, MIGUARD_BAD_MODULE, 0, "dlopen",
                             "%s was written to while it is loaded: replace it by rename(2)", path);
        }
        /* All symbols now, so that no symbol is missing during a request; RTLD_LOCAL, since every
         * provider defines MI_Main. */
        *ret_library = dlopen(spelled, RTLD_NOW | RTLD_LOCAL);
        if (*ret_library == NULL) {
            const char *why = dlerror();
            return error_set(reterr, MIGUARD_BAD_MODULE, 0, "dlopen", "%s",
                             why == NULL ? path : why);
        }
        return MIGUARD_OK;
    }
    return error_set(reterr, MIGUARD_BAD_MODULE, 0, "dlopen",
                     "%s: too many older versions of it are still in use", path);
}

/* Maps the file that is there now. One that was replaced meanwhile is mapped anew: what is noted of
 * a file must be that of the mapping. stat(2) first, so that a missing file is reported as such:
 * dlerror(3) has one text for everything. */
static enum miguard_status map_library(struct module *module, const char *path,
                                       struct miguard_error *reterr)
{
    enum { MOST_TRIES = 8 };

    for (unsigned tries = 0; tries < MOST_TRIES; tries++) {
        if (!find_file(path, &module->file)) {
            return error_set(reterr, MIGUARD_NOT_FOUND, errno, "access", "%s", path);
        }
        enum miguard_status status =
            open_spelled(module->host, path, &module->file, &module->library, reterr);
        if (status != MIGUARD_OK || module_is_current(module, path)) {
            return status;
        }
        dlclose(module->library);
        module->library = NULL;
    }
    return error_set(reterr, MIGUARD_BAD_MODULE, 0, "dlopen", "%s changes again and again", path);
}

/* Its constructors run on this thread, with the credentials of the process. */
static enum miguard_status open_library(struct module *module, const char *path,
                                        MI_MainFunction *ret_main_function,
                                        struct miguard_error *reterr)
{
    enum miguard_status status = map_library(module, path, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    void *symbol = dlsym(module->library, "MI_Main");
    if (symbol == NULL) {
        return error_set(reterr, MIGUARD_BAD_MODULE, 0, "dlsym", "%s has no MI_Main", path);
    }
    /* POSIX (dlsym) requires this conversion to work; ISO C has no cast for it. */
    memcpy(ret_main_function, &symbol, sizeof(*ret_main_function));
    return MIGUARD_OK;
}

/* ---- checks -----------------------------------------------------------------------------------
 */

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
static const char *module_fault(const MI_Module *mi)
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

/* The fault is a static text of module_fault(). */
static enum miguard_status refuse_module(struct miguard_error *reterr, const char *fault)
{
    return error_set(reterr, MIGUARD_BAD_MODULE, 0, "MI_Main", "%s", fault);
}

/* What main_function returns, checked, and checked again after a gateway has wrapped it. The
 * wrapper's module is the one that is used. */
static enum miguard_status call_main(struct miguard_host *host, MI_MainFunction main_function,
                                     MI_Module **ret_mi, struct miguard_error *reterr)
{
    MI_Module *mi = main_function(server_table());
    const char *fault = module_fault(mi);
    if (fault != NULL) {
        return refuse_module(reterr, fault);
    }
    if (host->options.wrap != NULL) {
        mi = host->options.wrap(server_table(), mi);
        if (mi == NULL) {
            return refuse_module(reterr, "the module was refused by the wrapper");
        }
        fault = module_fault(mi);
        if (fault != NULL) {
            return refuse_module(reterr, fault);
        }
    }
    *ret_mi = mi;
    return MIGUARD_OK;
}

/* ---- providers --------------------------------------------------------------------------------
 */

/* There is room for all of them: take_providers() counted. */
static void add_provider(struct module *module, const MI_ClassDecl *decl, const MI_ProviderFT *ft)
{
    struct provider *provider = &module->providers[module->provider_count++];

    *provider = (struct provider){.module = module,
                                  .decl = decl,
                                  .table = *ft,
                                  .subscription_lock = PTHREAD_MUTEX_INITIALIZER};
    provider->ft = &provider->table;
}

/* One provider for each class with a table, and one without a class for the dynamic table. */
static enum miguard_status take_providers(struct module *module, MI_Module *mi,
                                          struct miguard_error *reterr)
{
    const MI_SchemaDecl *schema = mi->schemaDecl;
    MI_Uint32 class_count = schema == NULL ? 0 : schema->numClassDecls;

    module->mi = mi;
    module->providers = base_alloc((size_t)class_count + 1, sizeof(*module->providers));
    if (module->providers == NULL || decl_copy_schema(schema, &module->copies) != MI_RESULT_OK) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "module", NULL);
    }
    module->schema = decl_copy_classes(module->copies);
    for (MI_Uint32 i = 0; i < class_count; i++) {
        const MI_ProviderFT *table = schema->classDecls[i]->providerFT;
        if (table != NULL) {
            add_provider(module, module->schema->classDecls[i], table);
        }
    }
    if (mi->dynamicProviderFT != NULL) {
        add_provider(module, NULL, mi->dynamicProviderFT);
    }
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

/* ---- Load and Unload --------------------------------------------------------------------------
 */

/* A Load slot that is NULL has nothing to load (MI_Module). */
static enum miguard_status call_load(struct module *module, struct miguard_error *reterr)
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

enum miguard_status module_make(struct registration *registration, struct module **ret_module,
                                struct miguard_error *reterr)
{
    MI_MainFunction main_function = registration->main_function;
    struct module *module = base_alloc(1, sizeof(*module));
    enum miguard_status status = MIGUARD_OK;
    MI_Module *mi = NULL;

    if (module == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "module", NULL);
    }
    module->host = registration->host;
    module->registration = registration;
    module->name_space = registration->name_space;
    atomic_init(&module->references, 1);
    atomic_init(&module->last_used, clock_now_ms());
    if (registration->path != NULL) {
        status = open_library(module, registration->path, &main_function, reterr);
    }
    if (status == MIGUARD_OK) {
        status = call_main(module->host, main_function, &mi, reterr);
    }
    if (status == MIGUARD_OK) {
        status = take_providers(module, mi, reterr);
    }
    if (status == MIGUARD_OK) {
        status = call_load(module, reterr);
    }
    if (status != MIGUARD_OK) {
        module_discard(module);
        return status;
    }
    *ret_module = module;
    return MIGUARD_OK;
}

/* An Unload that posts nothing in time leaves the library mapped. */
static void call_unload(struct module *module)
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

/* A thread of the module that is inside a call to the host would return to where nothing is mapped.
 * Each context that ends wakes those that wait for `changed`. */
static void await_contexts(struct module *module)
{
    struct miguard_host *host = module->host;
    struct timespec deadline = clock_after_ms(host->options.load_timeout_ms);

    pthread_mutex_lock(&host->lock);
    while (atomic_load(&module->users) > 0 && !atomic_load(&module->abandoned)) {
        if (pthread_cond_timedwait(&host->changed, &host->lock, &deadline) == ETIMEDOUT) {
            atomic_store(&module->abandoned, true);
        }
    }
    pthread_mutex_unlock(&host->lock);
}

void module_unload(struct module *module)
{
    call_unload(module);
    module->self = NULL;
}

bool module_unmap(struct module *module)
{
    if (module->library == NULL) {
        return true;
    }
    await_contexts(module);
    if (atomic_load(&module->abandoned)) {
        return false;
    }
    /* Forgotten only now: until then a file that is opened must know whose mapping this is
     * (registry_file_of()). */
    dlclose(module->library);
    pthread_mutex_lock(&module->host->lock);
    module->library = NULL;
    pthread_mutex_unlock(&module->host->lock);
    module->mi = NULL;
    return true;
}

/* `used`: only one with a request that is not over, though its result may be there: its code
 * runs. */
void module_abandon(struct module *module, bool used)
{
    bool runs = !used;

    for (MI_Uint32 i = 0; i < module->provider_count; i++) {
        runs |= atomic_load(&module->providers[i].users) > 0;
    }
    if (runs) {
        atomic_store(&module->abandoned, true);
    }
}

/* ---- memory -----------------------------------------------------------------------------------
 */

void module_release(struct module *module)
{
    if (module != NULL &&
        atomic_fetch_sub_explicit(&module->references, 1, memory_order_acq_rel) == 1) {
        decl_copy_drop(module->copies);
        base_free(module->providers);
        base_free(module);
    }
}

/* A late call on one of its contexts still counts down `users`. */
void module_discard(struct module *module)
{
    if (module_unmap(module) && atomic_load(&module->users) == 0) {
        module_release(module);
        return;
    }
    pthread_mutex_lock(&module->host->lock);
    registry_retire(module);
    pthread_mutex_unlock(&module->host->lock);
}
