/* SPDX-License-Identifier: MIT */
/*
 * Load and Unload of wrapped classes and modules, where a host gets its self pointers.
 *
 * Load gets nothing that says which class or module it is for. So each has a Load function that
 * knows its place: among the classes of the module whose self the host passes, or among the
 * modules. The first functions are compiled in, and more are thunks (thunk.c).
 */
#include <string.h>

#include "base/alloc.h"
#include "base/stderr_line.h"
#include "gate/gate.h"
#include "gateway/wrapped.h"

enum { MODULES_COMPILED_IN = 64, CLASSES_COMPILED_IN = 512 };

/* ---- a class --------------------------------------------------------------------------------- */

/* The self pointer for the host, listed for forget_load(). NULL without memory. */
static struct loaded_class *enlist_class(struct wrapped_class *wrapped, struct loaded_module *owner)
{
    ENTRY_UNCANCELLED;
    struct loaded_class *loaded = base_alloc(1, sizeof(*loaded));

    if (loaded != NULL) {
        loaded->wrapped = wrapped;
        loaded->owner = owner;
        pthread_mutex_lock(&wrapped_lock);
        loaded->next = owner->classes;
        loaded->link = &owner->classes;
        if (loaded->next != NULL) {
            loaded->next->link = &loaded->next;
        }
        owner->classes = loaded;
        pthread_mutex_unlock(&wrapped_lock);
    }
    return loaded;
}

/* Its context is guarded like that of a request, since Load posts a result. A host that has loaded
 * no module has nothing to say which one it means. */
static void load_class(uintptr_t place, void **self, MI_Module_Self *module, MI_Context *host)
{
    struct loaded_module *owner = (struct loaded_module *)(void *)module;
    struct loaded_class *loaded = NULL;
    struct call call ON_LEAVING(call_end) = {0};

    if (owner == NULL || self == NULL) {
        MI_Context_PostResult(host, MI_RESULT_FAILED);
        return;
    }
    struct wrapped_class *wrapped = &owner->wrapped->tables[place];
    loaded = enlist_class(wrapped, owner);
    if (loaded == NULL) {
        MI_Context_PostResult(host, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    *self = loaded;
    if (wrapped->original->Load == NULL) {
        MI_Context_PostResult(host, MI_RESULT_OK);
    } else if (call_begin_load(owner->wrapped, host, &call)) {
        wrapped->original->Load(&loaded->self, owner->self, call.context);
    } else {
        MI_Context_PostResult(host, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    }
}

/* The host has no further use for its self. */
static void forget_class(struct loaded_class *loaded)
{
    ENTRY_UNCANCELLED;
    pthread_mutex_lock(&wrapped_lock);
    *loaded->link = loaded->next;
    if (loaded->next != NULL) {
        loaded->next->link = loaded->link;
    }
    pthread_mutex_unlock(&wrapped_lock);
    base_free(loaded);
}

/* Where the provider has no Unload, the library answers for it. */
void MI_CALL wrapped_class_unload(void *self, MI_Context *host)
{
    struct loaded_class *loaded = self;
    struct call call ON_LEAVING(call_end) = {0};

    if (loaded == NULL) {
        MI_Context_PostResult(host, MI_RESULT_OK);
        return;
    }
    wrapped_end_indications(loaded);
    if (loaded->wrapped->original->Unload == NULL) {
        MI_Context_PostResult(host, MI_RESULT_OK);
    } else if (call_begin_load(loaded->owner->wrapped, host, &call)) {
        loaded->wrapped->original->Unload(loaded->self, call.context);
    } else {
        MI_Context_PostResult(host, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return; /* not unloaded: the host may come again */
    }
    forget_class(loaded);
}

/* ---- a module -------------------------------------------------------------------------------- */

/* NULL when memory ran out or a limit is reached. Both are made before the load is listed, so that
 * a failure leaves nothing to undo. */
static struct loaded_module *enlist_load(struct wrapped_module *wrapped, MI_Context *host,
                                         struct call *call)
{
    ENTRY_UNCANCELLED;
    struct loaded_module *loaded = base_alloc(1, sizeof(*loaded));

    if (loaded == NULL || !call_begin_load(wrapped, host, call)) {
        base_free(loaded);
        return NULL;
    }
    pthread_mutex_lock(&wrapped_lock);
    loaded->wrapped = wrapped;
    loaded->next = wrapped->loads;
    wrapped->loads = loaded;
    wrapped->finished = false;
    pthread_mutex_unlock(&wrapped_lock);
    return loaded;
}

/* `loaded` is what the host gets as self; the provider's own is stored in it. */
static void load_module(uintptr_t place, MI_Module_Self **self, MI_Context *host)
{
    struct wrapped_module *wrapped = wrapped_at((unsigned)place);
    struct call call ON_LEAVING(call_end) = {0};
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

/* Frees what the host of this Load had, its classes too, which are unloaded by now. A module
 * without loads is finished: its place may be used again. */
static void forget_load(struct loaded_module *loaded)
{
    ENTRY_UNCANCELLED;
    while (loaded->classes != NULL) {
        wrapped_end_indications(loaded->classes);
        forget_class(loaded->classes);
    }
    pthread_mutex_lock(&wrapped_lock);
    struct loaded_module **link = &loaded->wrapped->loads;
    while (*link != loaded) {
        link = &(*link)->next;
    }
    *link = loaded->next;
    loaded->wrapped->finished = loaded->wrapped->loads == NULL;
    pthread_mutex_unlock(&wrapped_lock);
    base_free(loaded);
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

void MI_CALL wrapped_module_unload(MI_Module_Self *self, MI_Context *host)
{
    struct loaded_module *loaded = (struct loaded_module *)(void *)self;
    struct call call ON_LEAVING(call_end) = {0};

    if (loaded == NULL) {
        MI_Context_PostResult(host, MI_RESULT_OK);
        return;
    }
    if (!call_begin_load(loaded->wrapped, host, &call)) {
        MI_Context_PostResult(host, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    unload(loaded, call.context);
    gate_report_flush(); /* what it tried is recorded with its name */
    forget_load(loaded);
}

/* ---- the Load functions ---------------------------------------------------------------------- */

/* Those that are compiled in are made by the preprocessor, because C has no closures. */
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
static const class_load class_loads[CLASSES_COMPILED_IN] = {REPEAT_512(CLASS_LOAD_NAME, 0)};

#define MODULE_LOAD(n)                                                                             \
    static void MI_CALL load_module_##n(MI_Module_Self **self, MI_Context *host)                   \
    {                                                                                              \
        load_module(n, self, host);                                                                \
    }
#define MODULE_LOAD_NAME(n) load_module_##n,
REPEAT_64(MODULE_LOAD, 0)
static const module_load module_loads[MODULES_COMPILED_IN] = {REPEAT_64(MODULE_LOAD_NAME, 0)};

static void load_class_by_thunk(uintptr_t place, void *self, void *module, void *host)
{
    load_class(place, self, module, host);
}

static void load_module_by_thunk(uintptr_t place, void *self, void *host, void *unused)
{
    (void)unused;
    load_module(place, self, host);
}

static struct thunks class_thunks = {.function = load_class_by_thunk};
static struct thunks module_thunks = {.function = load_module_by_thunk};

/* dlsym(3) says how an object pointer becomes one to a function. */
static void *make_thunk(struct thunks *thunks, unsigned place, const char *what)
{
    const char *why = NULL;
    void *thunk = thunk_for(thunks, place, &why);

    if (thunk == NULL) {
        stderr_line("a module cannot be wrapped: its %s number %u needs a thunk: %s", what, place,
                    why);
    }
    return thunk;
}

class_load wrapped_class_load(unsigned place)
{
    class_load load = NULL;

    if (place < CLASSES_COMPILED_IN) {
        return class_loads[place];
    }
    void *thunk = make_thunk(&class_thunks, place, "class");
    memcpy(&load, &thunk, sizeof(load));
    return load;
}

module_load wrapped_module_load(unsigned place)
{
    module_load load = NULL;

    if (place < MODULES_COMPILED_IN) {
        return module_loads[place];
    }
    void *thunk = make_thunk(&module_thunks, place, "place");
    memcpy(&load, &thunk, sizeof(load));
    return load;
}
