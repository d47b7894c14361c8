/* SPDX-License-Identifier: MIT */
/*
 * Wrapping a provider module.
 *
 * A host finds a provider's functions in the module's declarations. The wrapped module is a copy of
 * these in which each function is the library's; the provider's memory is not written. The
 * library's function guards the context, converts objects that the host made from the copy back
 * into what the provider expects, and calls the provider's own.
 *
 * Every function but the two Loads gets the self pointer that Load chose, and so finds what it
 * wraps. Load itself gets nothing that identifies a class: each wrapped class and module uses one
 * of a fixed number of Load functions that know their place in a table.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fork.h"
#include "gateway/gateway.h"
#include "miguard/shim.h"

struct wrapped_module;

/* One provider table: that of a class, or the dynamic one of a module. Its place in the table is
 * fixed by its Load function, so it is never moved. */
struct wrapped_class {
    struct wrapped_module *module; /* NULL: a free place */
    const MI_ProviderFT *original;
    const MI_ClassDecl *decl; /* the original; NULL for the dynamic provider */
    MI_ProviderFT table;
};

/* The result of one Load; a module that several hosts of a process serve is loaded by each. These
 * are the self pointers that a host gets; `self` is the provider's own. */
struct loaded_class {
    struct loaded_class *next;
    struct wrapped_class *wrapped;
    void *self;
};

/* One host's Load of the module; freed when that host unloads it. */
struct loaded_module {
    struct loaded_module *next; /* of the wrapped module */
    struct wrapped_module *wrapped;
    struct loaded_class *classes;
    MI_Module_Self *self;
};

/* A copied declaration beside its original: an address within the array of copies leads to the
 * original (original_decl). */
struct class_copy {
    MI_ClassDecl decl;
    const MI_ClassDecl *original;
};

/* The same for a method, whose declaration also describes its parameters. */
struct method_copy {
    MI_MethodDecl decl;
    const MI_MethodDecl *original;
};

/* A copy of a module and of its declarations, which refer to each other. It lives until its place
 * is taken by another module. */
struct wrapped_module {
    MI_Module module; /* what the host gets */
    const MI_Module *original;
    MI_SchemaDecl schema;
    const MI_ClassDecl **class_list;
    struct class_copy *classes;
    MI_Uint32 class_count;
    struct method_copy *methods;
    const MI_MethodDecl **method_lists;
    size_t method_count;
    MI_Module source;            /* *original when it was copied */
    struct loaded_module *loads; /* not yet unloaded; a failed Load stays in the list, because
                                    its host does not report that */
    bool finished;               /* loaded, and unloaded by the last of its hosts */
    char name[PROVIDER_KEPT];
};

/* What the Load functions look up. The place of a finished module is free for another one: its
 * library may be unmapped by then. */
static struct {
    pthread_mutex_t lock;
    struct wrapped_module *modules[MIGUARD_MAX_MODULES];
    struct wrapped_class classes[MIGUARD_MAX_CLASSES];
} places = {.lock = PTHREAD_MUTEX_INITIALIZER};

FORK_OWNER(places_owner, .rank = FORK_MODULES, .lock = &places.lock);

/* ---- inbound instances ------------------------------------------------------------------- */

/* The host lays out inbound instances by the copy of a declaration. The provider knows only the
 * original, also by its address (IsA), so that is put in; the layout is the same. A declaration
 * from outside of both arrays is returned as it is. */
static const MI_ClassDecl *original_decl(const struct wrapped_module *module,
                                         const MI_ClassDecl *decl)
{
    const char *at = (const char *)decl;
    const char *classes = (const char *)module->classes;
    const char *methods = (const char *)module->methods;

    if (at >= classes && at < classes + module->class_count * sizeof(struct class_copy)) {
        return ((const struct class_copy *)(const void *)at)->original;
    }
    if (at >= methods && at < methods + module->method_count * sizeof(struct method_copy)) {
        return (const MI_ClassDecl *)(const void *)((const struct method_copy *)(const void *)at)
            ->original;
    }
    return decl;
}

/* Nesting of embedded instances: a bound for a cycle, which a host does not make. */
enum { RESTAMP_DEPTH = 32 };

static void restamp(const struct wrapped_module *module, const MI_Instance *instance, int depth);

/* An embedded instance or reference, or an array of them. A parameter is the first 48 bytes of a
 * property, and only those are read. */
static void restamp_field(const struct wrapped_module *module, const MI_ParameterDecl *element,
                          const char *fields, int depth)
{
    const char *field = fields + element->offset;

    if (element->type == MI_INSTANCE || element->type == MI_REFERENCE) {
        const MI_InstanceField *one = (const void *)field;
        if (one->exists) {
            restamp(module, one->value, depth + 1);
        }
    } else if (element->type == MI_INSTANCEA || element->type == MI_REFERENCEA) {
        const MI_InstanceAField *many = (const void *)field;
        for (MI_Uint32 i = 0; many->exists && many->value.data != NULL && i < many->value.size;
             i++) {
            restamp(module, many->value.data[i], depth + 1);
        }
    }
}

/* Only instances that were laid out by a copy are changed; what they contain is looked at, too. */
static void restamp(const struct wrapped_module *module, const MI_Instance *instance, int depth)
{
    if (instance == NULL || instance->classDecl == NULL || depth > RESTAMP_DEPTH) {
        return;
    }
    const MI_ClassDecl *decl = original_decl(module, instance->classDecl);
    if (decl == instance->classDecl) {
        return; /* dynamic, or not made from the copied declarations */
    }
    /* The host made the instance for this call; const is the slot's promise to the provider. */
    ((MI_Instance *)(uintptr_t)instance)->classDecl = decl;
    for (MI_Uint32 i = 0; i < decl->numProperties; i++) {
        restamp_field(module, (const MI_ParameterDecl *)(const void *)decl->properties[i],
                      (const char *)instance, depth);
    }
}

/* ---- one call ---------------------------------------------------------------------------- */

/* A request of the host on its way to the provider. */
struct call {
    const struct wrapped_class *target;
    void *self; /* the provider's */
    struct guarded_context *guarded;
    MI_Context *context; /* the provider's */
};

/* False when the request was answered here because no context could be made. *call has what
 * end_relay() releases, also after false. */
static bool begin_relay(void *self, MI_Context *host, struct call *call)
{
    ENTRY_UNCANCELLED;
    const struct loaded_class *loaded = self;
    call->target = loaded->wrapped;
    call->self = loaded->self;
    call->guarded = guarded_context_new(host, call->target->module->name, &call->context);
    if (call->guarded == NULL) {
        MI_Context_PostResult(host, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return false;
    }
    return true;
}

/* The provider's function has returned or was left by unwinding. An asynchronous provider goes on
 * after this: the context lives until its final post, not until the return. */
static void end_relay(const struct call *call)
{
    ENTRY_UNCANCELLED;
    if (call->guarded != NULL) {
        guarded_context_release(call->guarded);
    }
}

/* Between begin_relay() and end_relay() the host's cancellation state applies: whether a thread may
 * be cancelled while the provider's own code runs is not for the library to decide. */

/* RELAY(Slot, (parameters), instance to restamp or NULL, arguments after the context) */
#define RELAY(Slot, PARAMETERS, inbound, ...)                                                      \
    static void MI_CALL relay_##Slot PARAMETERS                                                    \
    {                                                                                              \
        struct call call ON_LEAVING(end_relay) = {0};                                              \
        if (begin_relay(self, host, &call)) {                                                      \
            restamp(call.target->module, inbound, 0);                                              \
            call.target->original->Slot(call.self, call.context, ##__VA_ARGS__);                   \
        }                                                                                          \
    }

/* The parameters with which every slot of a provider begins. */
#define COMMON void *self, MI_Context *host, const MI_Char *space, const MI_Char *name

/* The slots that have an instance of the host restamp it; the others have none. */
RELAY(GetInstance, (COMMON, const MI_Instance *instance, const MI_PropertySet *set), instance,
      space, name, instance, set)
RELAY(EnumerateInstances,
      (COMMON, const MI_PropertySet *set, MI_Boolean keys_only, const MI_Filter *filter), NULL,
      space, name, set, keys_only, filter)
RELAY(CreateInstance, (COMMON, const MI_Instance *instance), instance, space, name, instance)
RELAY(ModifyInstance, (COMMON, const MI_Instance *instance, const MI_PropertySet *set), instance,
      space, name, instance, set)
RELAY(DeleteInstance, (COMMON, const MI_Instance *instance), instance, space, name, instance)
RELAY(AssociatorInstances,
      (COMMON, const MI_Instance *instance, const MI_Char *result_class, const MI_Char *role,
       const MI_Char *result_role, const MI_PropertySet *set, MI_Boolean keys_only,
       const MI_Filter *filter),
      instance, space, name, instance, result_class, role, result_role, set, keys_only, filter)
RELAY(ReferenceInstances,
      (COMMON, const MI_Instance *instance, const MI_Char *role, const MI_PropertySet *set,
       MI_Boolean keys_only, const MI_Filter *filter),
      instance, space, name, instance, role, set, keys_only, filter)
RELAY(EnableIndications, (COMMON), NULL, space, name)
RELAY(DisableIndications, (COMMON), NULL, space, name)
RELAY(Subscribe,
      (COMMON, const MI_Filter *filter, const MI_Char *bookmark, MI_Uint64 id, void **subscription),
      NULL, space, name, filter, bookmark, id, subscription)
RELAY(Unsubscribe, (COMMON, MI_Uint64 id, void *subscription), NULL, space, name, id, subscription)
RELAY(Unload, (void *self, MI_Context *host), NULL)

/* Not by RELAY: it has two instances. */
static void MI_CALL relay_Invoke(COMMON, const MI_Char *method, const MI_Instance *instance,
                                 const MI_Instance *parameters)
{
    struct call call ON_LEAVING(end_relay) = {0};
    if (begin_relay(self, host, &call)) {
        restamp(call.target->module, instance, 0);
        restamp(call.target->module, parameters, 0);
        call.target->original->Invoke(call.self, call.context, space, name, method, instance,
                                      parameters);
    }
}

/* CIM names are compared without regard to case (DSP0004). */
static const MI_MethodDecl *find_method(const MI_ClassDecl *decl, const MI_Char *name)
{
    for (MI_Uint32 i = 0; decl != NULL && name != NULL && i < decl->numMethods; i++) {
        if (strcasecmp(decl->methods[i]->name, name) == 0) {
            return decl->methods[i];
        }
    }
    return NULL;
}

/* Every static method of a wrapped module: the host calls it through the copied declaration. */
static void MI_CALL relay_method(COMMON, const MI_Char *method, const MI_Instance *instance,
                                 const MI_Instance *parameters)
{
    struct call call ON_LEAVING(end_relay) = {0};
    if (!begin_relay(self, host, &call)) {
        return;
    }
    const MI_MethodDecl *decl = find_method(call.target->decl, method);
    if (decl == NULL || decl->function == NULL) {
        MI_Context_PostResult(call.context, MI_RESULT_METHOD_NOT_FOUND);
    } else {
        restamp(call.target->module, instance, 0);
        restamp(call.target->module, parameters, 0);
        decl->function(call.self, call.context, space, name, method, instance, parameters);
    }
}

/* ---- Load and Unload --------------------------------------------------------------------- */

/* The self pointer for the host, listed for forget_load(). NULL without memory. */
static struct loaded_class *enlist_class(struct wrapped_class *wrapped, struct loaded_module *owner)
{
    ENTRY_UNCANCELLED;
    struct loaded_class *loaded = base_alloc(1, sizeof(*loaded));

    if (loaded != NULL) {
        loaded->wrapped = wrapped;
        pthread_mutex_lock(&places.lock);
        loaded->next = owner->classes;
        owner->classes = loaded;
        pthread_mutex_unlock(&places.lock);
    }
    return loaded;
}

/* The Load of a class. Its context is guarded like that of a request, since Load posts a result. */
static void load_class(unsigned place, void **self, MI_Module_Self *module, MI_Context *host)
{
    struct wrapped_class *wrapped = &places.classes[place];
    struct loaded_module *owner = (struct loaded_module *)(void *)module;
    struct loaded_class *loaded = enlist_class(wrapped, owner);
    struct call call ON_LEAVING(end_relay) = {0};

    if (loaded == NULL) {
        MI_Context_PostResult(host, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    *self = loaded;
    if (wrapped->original->Load == NULL) {
        MI_Context_PostResult(host, MI_RESULT_OK);
    } else if (begin_relay(loaded, host, &call)) {
        wrapped->original->Load(&loaded->self, owner->self, call.context);
    }
}

/* NULL when memory ran out or a limit is reached. Both are made before the load is listed, so that
 * a failure leaves nothing to undo. */
static struct loaded_module *enlist_load(struct wrapped_module *wrapped, MI_Context *host,
                                         struct call *call)
{
    ENTRY_UNCANCELLED;
    struct loaded_module *loaded = base_alloc(1, sizeof(*loaded));

    call->guarded =
        loaded != NULL ? guarded_context_new(host, wrapped->name, &call->context) : NULL;
    if (call->guarded == NULL) {
        base_free(loaded);
        return NULL;
    }
    pthread_mutex_lock(&places.lock);
    loaded->wrapped = wrapped;
    loaded->next = wrapped->loads;
    wrapped->loads = loaded;
    wrapped->finished = false;
    pthread_mutex_unlock(&places.lock);
    return loaded;
}

/* The Load of the module. `loaded` is what the host gets as self; the provider's own is stored in
 * it. */
static void load_module(unsigned place, MI_Module_Self **self, MI_Context *host)
{
    struct wrapped_module *wrapped = places.modules[place];
    struct call call ON_LEAVING(end_relay) = {0};
    struct loaded_module *loaded = enlist_load(wrapped, host, &call);

    if (loaded == NULL) {
        MI_Context_PostResult(host, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    *self = (MI_Module_Self *)(void *)loaded;
    if (wrapped->original->Load == NULL) {
        MI_Context_PostResult(call.context, MI_RESULT_OK);
    } else {
        wrapped->original->Load(&loaded->self, call.context);
    }
}

/* Frees what the host of this Load had. A module without loads is finished: its place may be used
 * again. */
static void forget_load(struct loaded_module *loaded)
{
    ENTRY_UNCANCELLED;
    while (loaded->classes != NULL) {
        struct loaded_class *next = loaded->classes->next;
        base_free(loaded->classes);
        loaded->classes = next;
    }
    pthread_mutex_lock(&places.lock);
    struct loaded_module **link = &loaded->wrapped->loads;
    while (*link != loaded) {
        link = &(*link)->next;
    }
    *link = loaded->next;
    loaded->wrapped->finished = loaded->wrapped->loads == NULL;
    pthread_mutex_unlock(&places.lock);
    base_free(loaded);
}

/* As begin_relay(), for the module, which has no class. */
static bool begin_unload(const struct loaded_module *loaded, MI_Context *host, struct call *call)
{
    ENTRY_UNCANCELLED;
    call->guarded = guarded_context_new(host, loaded->wrapped->name, &call->context);
    return call->guarded != NULL;
}

/* Where the provider has no Unload, the library answers for it. */
static void unload(const struct loaded_module *loaded, MI_Context *context)
{
    const MI_Module *original = loaded->wrapped->original;

    if (original->Unload == NULL) {
        MI_Context_PostResult(context, MI_RESULT_OK);
    } else {
        original->Unload(loaded->self, context);
    }
}

/* The class providers are unloaded by now, so their objects are freed with the
 * module's. */
static void MI_CALL unload_module(MI_Module_Self *self, MI_Context *host)
{
    struct loaded_module *loaded = (struct loaded_module *)(void *)self;
    struct call call ON_LEAVING(end_relay) = {0};

    if (!begin_unload(loaded, host, &call)) {
        MI_Context_PostResult(host, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    unload(loaded, call.context);
    forget_load(loaded);
}

/* The Load functions: one for each place, made by the preprocessor, because C has no closures. */
#define REPEAT_8(M, n) M(n##0) M(n##1) M(n##2) M(n##3) M(n##4) M(n##5) M(n##6) M(n##7)
#define REPEAT_64(M, n)                                                                            \
    REPEAT_8(M, n##0)                                                                              \
    REPEAT_8(M, n##1)                                                                              \
    REPEAT_8(M, n##2)                                                                              \
    REPEAT_8(M, n##3)                                                                              \
    REPEAT_8(M, n##4) REPEAT_8(M, n##5) REPEAT_8(M, n##6) REPEAT_8(M, n##7)
#define REPEAT_512(M, n)                                                                           \
    REPEAT_64(M, n##0)                                                                             \
    REPEAT_64(M, n##1)                                                                             \
    REPEAT_64(M, n##2)                                                                             \
    REPEAT_64(M, n##3)                                                                             \
    REPEAT_64(M, n##4) REPEAT_64(M, n##5) REPEAT_64(M, n##6) REPEAT_64(M, n##7)

/* The numbers are octal, as their leading 0 says. */
#define CLASS_LOAD(n)                                                                              \
    static void MI_CALL load_class_##n(void **self, MI_Module_Self *module, MI_Context *host)      \
    {                                                                                              \
        load_class(n, self, module, host);                                                         \
    }
#define CLASS_LOAD_NAME(n) load_class_##n,
REPEAT_512(CLASS_LOAD, 0)
static void(MI_CALL *const class_loads[MIGUARD_MAX_CLASSES])(void **, MI_Module_Self *,
                                                             MI_Context *) = {
    REPEAT_512(CLASS_LOAD_NAME, 0)};

#define MODULE_LOAD(n)                                                                             \
    static void MI_CALL load_module_##n(MI_Module_Self **self, MI_Context *host)                   \
    {                                                                                              \
        load_module(n, self, host);                                                                \
    }
#define MODULE_LOAD_NAME(n) load_module_##n,
REPEAT_64(MODULE_LOAD, 0)
static void(MI_CALL *const module_loads[MIGUARD_MAX_MODULES])(MI_Module_Self **, MI_Context *) = {
    REPEAT_64(MODULE_LOAD_NAME, 0)};

/* ---- making the copy --------------------------------------------------------------------- */

/* A slot that the provider leaves NULL stays NULL: hosts answer for it. Load and
 * Unload are always set, since Load provides self. */
static void MI_CALL unload_nothing(void *self, MI_Context *host)
{
    (void)self;
    MI_Context_PostResult(host, MI_RESULT_OK);
}

/* The provider's table with the library's functions in the same slots. */
static MI_ProviderFT relay_table(const MI_ProviderFT *original, unsigned place)
{
    MI_ProviderFT table = {.Load = class_loads[place]};
    table.Unload = original->Unload != NULL ? relay_Unload : unload_nothing;
#define RELAY_SLOT(Slot) table.Slot = original->Slot != NULL ? relay_##Slot : NULL
    RELAY_SLOT(GetInstance);
    RELAY_SLOT(EnumerateInstances);
    RELAY_SLOT(CreateInstance);
    RELAY_SLOT(ModifyInstance);
    RELAY_SLOT(DeleteInstance);
    RELAY_SLOT(AssociatorInstances);
    RELAY_SLOT(ReferenceInstances);
    RELAY_SLOT(EnableIndications);
    RELAY_SLOT(DisableIndications);
    RELAY_SLOT(Subscribe);
    RELAY_SLOT(Unsubscribe);
    RELAY_SLOT(Invoke);
#undef RELAY_SLOT
    return table;
}

/* The caller holds the lock. NULL when all places are in use. The place stays taken until
 * free_module(), since a host may call the table until it has unloaded the module. */
static const MI_ProviderFT *wrap_table(struct wrapped_module *module, const MI_ProviderFT *original,
                                       const MI_ClassDecl *decl)
{
    unsigned place = 0;

    while (place < MIGUARD_MAX_CLASSES && places.classes[place].module != NULL) {
        place++;
    }
    if (place == MIGUARD_MAX_CLASSES) {
        return NULL;
    }
    struct wrapped_class *wrapped = &places.classes[place];
    *wrapped = (struct wrapped_class){.module = module, .original = original, .decl = decl};
    wrapped->table = relay_table(original, place);
    return &wrapped->table;
}

/* A superclass of the same module is replaced by its copy; one from elsewhere stays. */
static const MI_ClassDecl *copied_super(const struct wrapped_module *module,
                                        const MI_ClassDecl *super)
{
    for (MI_Uint32 i = 0; i < module->class_count; i++) {
        if (module->classes[i].original == super) {
            return &module->classes[i].decl;
        }
    }
    return super;
}

/* Copies one class with its methods. False when no place for its provider table is left;
 * free_module() then undoes the whole. */
static bool copy_class(struct wrapped_module *module, MI_Uint32 index, size_t *next_method)
{
    const MI_ClassDecl *original = module->classes[index].original;
    MI_ClassDecl *copy = &module->classes[index].decl;

    *copy = *original;
    copy->schema = &module->schema;
    copy->superClassDecl =
        (MI_ClassDecl *)(uintptr_t)copied_super(module, original->superClassDecl);
    copy->methods = &module->method_lists[*next_method];
    for (MI_Uint32 i = 0; i < original->numMethods; i++, (*next_method)++) {
        struct method_copy *method = &module->methods[*next_method];
        method->original = original->methods[i];
        method->decl = *original->methods[i];
        method->decl.schema = &module->schema;
        if (method->decl.function != NULL) {
            method->decl.function = relay_method;
        }
        module->method_lists[*next_method] = &method->decl;
    }
    module->class_list[index] = copy;
    if (original->providerFT == NULL) {
        return true;
    }
    copy->providerFT = wrap_table(module, original->providerFT, original);
    return copy->providerFT != NULL;
}

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
 * they refer to each other. + 1: not 0 elements, for which calloc(3) may return NULL. */
static bool copy_schema(struct wrapped_module *module)
{
    const MI_SchemaDecl *original = module->original->schemaDecl;
    size_t next_method = 0;

    if (original == NULL) {
        return true;
    }
    module->class_count = original->numClassDecls;
    for (MI_Uint32 i = 0; i < module->class_count; i++) {
        module->method_count += original->classDecls[i]->numMethods;
    }
    module->classes = base_alloc(module->class_count + 1, sizeof(*module->classes));
    module->class_list = base_alloc(module->class_count + 1, sizeof(*module->class_list));
    module->methods = base_alloc(module->method_count + 1, sizeof(*module->methods));
    module->method_lists = base_alloc(module->method_count + 1, sizeof(*module->method_lists));
    if (module->classes == NULL || module->class_list == NULL || module->methods == NULL ||
        module->method_lists == NULL) {
        return false;
    }
    for (MI_Uint32 i = 0; i < module->class_count; i++) {
        module->classes[i].original = original->classDecls[i];
    }
    for (MI_Uint32 i = 0; i < module->class_count; i++) {
        if (!copy_class(module, i, &next_method)) {
            return false;
        }
    }
    module->schema = *original;
    module->schema.classDecls = module->class_list;
    module->module.schemaDecl = &module->schema;
    return true;
}

/* The caller holds the lock. */
static void free_module(struct wrapped_module *module)
{
    for (unsigned i = 0; i < MIGUARD_MAX_CLASSES; i++) {
        if (module != NULL && places.classes[i].module == module) {
            places.classes[i].module = NULL;
        }
    }
    if (module != NULL) {
        base_free(module->classes);
        base_free(module->class_list);
        base_free(module->methods);
        base_free(module->method_lists);
        base_free(module);
    }
}

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

/* The caller holds the lock. */
static bool fill_module(struct wrapped_module *wrapped, MI_Module *module, unsigned place)
{
    wrapped->original = module;
    wrapped->source = *module;
    wrapped->module = *module;
    wrapped->module.Load = module_loads[place];
    wrapped->module.Unload = unload_module;
    name_module(wrapped);
    if (!copy_schema(wrapped)) {
        return false;
    }
    if (module->dynamicProviderFT != NULL) {
        wrapped->module.dynamicProviderFT = wrap_table(wrapped, module->dynamicProviderFT, NULL);
        return wrapped->module.dynamicProviderFT != NULL;
    }
    return true;
}

/* The wrapping of module that is in use, or module itself when it is a wrapping. The caller holds
 * the lock. A module whose memory was reused for another one differs in its content, and is wrapped
 * anew. */
static MI_Module *find_wrapped(const MI_Module *module)
{
    for (unsigned place = 0; place < MIGUARD_MAX_MODULES; place++) {
        struct wrapped_module *wrapped = places.modules[place];
        if (wrapped == NULL) {
            continue;
        }
        bool same = wrapped->original == module && !wrapped->finished &&
                    memcmp(&wrapped->source, module, sizeof(*module)) == 0;
        if (same || &wrapped->module == module) {
            return &wrapped->module;
        }
    }
    return NULL;
}

/* The caller holds the lock. NULL when all places are in use or memory ran out. The place of a
 * finished module is freed first. */
static MI_Module *wrap(MI_Module *module)
{
    unsigned place = 0;

    while (place < MIGUARD_MAX_MODULES && places.modules[place] != NULL &&
           !places.modules[place]->finished) {
        place++;
    }
    if (place == MIGUARD_MAX_MODULES) {
        return NULL;
    }
    free_module(places.modules[place]);
    places.modules[place] = NULL;
    struct wrapped_module *wrapped = base_alloc(1, sizeof(*wrapped));
    if (wrapped == NULL || !fill_module(wrapped, module, place)) {
        free_module(wrapped);
        return NULL;
    }
    places.modules[place] = wrapped;
    return &wrapped->module;
}

/* The same module is wrapped once, however many hosts of the process load it. */
MI_Module *miguard_wrap_module(MI_Server *server, MI_Module *module)
{
    ENTRY_UNCANCELLED;
    (void)server; /* NULL where a tool reads the declarations */
    if (module == NULL || !schema_sound(module->schemaDecl)) {
        return NULL;
    }
    pthread_mutex_lock(&places.lock);
    MI_Module *wrapped = find_wrapped(module);
    if (wrapped == NULL) {
        wrapped = wrap(module);
    }
    pthread_mutex_unlock(&places.lock);
    return wrapped;
}

/* A module that was never loaded, as a tool does that only reads declarations, would keep its
 * place. */
void wrapped_module_forget(const MI_Module *original)
{
    pthread_mutex_lock(&places.lock);
    for (unsigned place = 0; place < MIGUARD_MAX_MODULES; place++) {
        struct wrapped_module *wrapped = places.modules[place];
        if (wrapped != NULL && wrapped->original == original && wrapped->loads == NULL) {
            wrapped->finished = true;
        }
    }
    pthread_mutex_unlock(&places.lock);
}
