/* SPDX-License-Identifier: MIT */
/*
 * A wrapped module, for the files that make it:
 *
 *   wrapped_module.c   copies a module's declarations
 *   wrapped_places.c   knows the wrapped modules
 *   wrapped_calls.c    the functions in the copies: each guards the context and calls the provider
 *   wrapped_load.c     Load and Unload, where hosts get their self pointers
 *   thunk.c            functions that know their number, beyond those that are compiled in
 */
#ifndef GATEWAY_WRAPPED_H
#define GATEWAY_WRAPPED_H

#include <pthread.h>

#include "gateway/gateway.h"

struct wrapped_module;

/* One provider table: that of a class, or the dynamic one of a module. Its Load function knows its
 * place among those of the module, and the host passes the module's self. */
struct wrapped_class {
    struct wrapped_module *module;
    const MI_ProviderFT *original; /* NULL: the class has no provider */
    const MI_ClassDecl *decl;      /* the original; NULL for the dynamic provider */
    const MI_MethodDecl **methods; /* of decl, sorted by name; those of one name in their order */
    MI_ProviderFT table;
};

/* A context of EnableIndications, which the host ends with DisableIndications. */
struct enabled_context {
    struct enabled_context *next;
    struct guarded_context *guarded; /* pinned */
    char *name_space, *class_name;
};

/* The result of one Load; a module that several hosts of a process serve is loaded by each. These
 * are the self pointers that a host gets; `self` is the provider's own. */
struct loaded_class {
    struct loaded_class *next, **link; /* of the owner; link: what leads here */
    struct loaded_module *owner;
    struct wrapped_class *wrapped;
    struct enabled_context *enabled;
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
 * original (wrapped_original_decl()). */
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
    struct wrapped_class *tables; /* one for each class, then the dynamic one */
    struct method_copy *methods;
    const MI_MethodDecl **method_lists, **sorted_methods;
    size_t method_count;
    MI_Module source;            /* *original when it was copied */
    MI_Uint32 host_version;      /* the oldest of its hosts; 0: not known */
    struct loaded_module *loads; /* not yet unloaded; a failed Load stays in the list, because
                                    its host does not report that */
    bool finished;               /* loaded, and unloaded by the last of its hosts */
    char name[PROVIDER_KEPT];
};

/* ---- wrapped_places.c ------------------------------------------------------------------------ */

/* Protects the list of modules, and what is loaded of each. */
extern pthread_mutex_t wrapped_lock;

/* The module whose Load has this place. Takes the lock; the others want it held. */
struct wrapped_module *wrapped_at(unsigned place);
/* The wrapping of module that is in use, or the one that module is itself; NULL: none. A module
 * whose memory was reused for another one differs in its content, and is wrapped anew. */
struct wrapped_module *wrapped_find(const MI_Module *module);
/* A place that is free, or whose module is finished, which is then freed. False without memory. */
bool wrapped_find_place(unsigned *ret_place);
void wrapped_put(unsigned place, struct wrapped_module *module);
/* NULL is allowed, and one that was filled in part. */
void wrapped_free(struct wrapped_module *module);

/* ---- wrapped_calls.c ------------------------------------------------------------------------- */

/* A request of the host on its way to the provider. */
struct call {
    const struct wrapped_class *target;
    void *self; /* the provider's */
    struct guarded_context *guarded;
    MI_Context *context; /* the provider's */
};

/* Guards the host's context for a Load or Unload of the module or of a class in it. False: no
 * context can be guarded. */
bool call_begin_load(const struct wrapped_module *module, MI_Context *host, struct call *call);
/* Guards that of a request. False when it was answered here because no context could be made. *call
 * has what call_end() releases, also after false. */
bool call_begin(void *self, MI_Context *host, struct call *call);
/* The provider's function has returned or was left by unwinding. An asynchronous provider goes on
 * after this: the context lives until its final post, not until the return. */
void call_end(const struct call *call);

/* The library's functions in the slots that the provider has; without Load and Unload. */
void wrapped_relays(MI_ProviderFT *table, const MI_ProviderFT *original);
/* Every static method of a wrapped module: the host calls it through the copied declaration. */
void MI_CALL wrapped_method(void *self, MI_Context *host, const MI_Char *space, const MI_Char *name,
                            const MI_Char *method, const MI_Instance *instance,
                            const MI_Instance *parameters);

/* Ends the guards of all contexts of EnableIndications that are left. */
void wrapped_end_indications(struct loaded_class *loaded);

/* ---- wrapped_load.c ----------------------------------------------------------------------------
 */

typedef void(MI_CALL *class_load)(void **self, MI_Module_Self *module, MI_Context *host);
typedef void(MI_CALL *module_load)(MI_Module_Self **self, MI_Context *host);

/* The Load functions for a place: of a class within its module, of a module in the process. NULL:
 * no further one can be made, which is written to standard error. The caller holds the lock. */
class_load wrapped_class_load(unsigned place);
module_load wrapped_module_load(unsigned place);
void MI_CALL wrapped_class_unload(void *self, MI_Context *host);
void MI_CALL wrapped_module_unload(MI_Module_Self *self, MI_Context *host);

/* ---- thunk.c -----------------------------------------------------------------------------------
 */

/* What a thunk calls: with its number, and the arguments that it was called with. */
typedef void (*thunk_function)(uintptr_t number, void *first, void *second, void *third);

/* The thunks of one function, made as they are asked for and never freed. Zero but for function. */
struct thunks {
    thunk_function function;
    unsigned char **rows; /* by number; NULL: not made yet */
    size_t count;
};

/* A function that calls thunks->function with number and its own arguments, up to three pointers.
 * The address is the same for the same number. NULL: none can be made; *ret_why says why. The
 * caller holds wrapped_lock. */
void *thunk_for(struct thunks *thunks, uintptr_t number, const char **ret_why);

#endif
