/* SPDX-License-Identifier: MIT */
/*
 * The functions in the copied declarations: each guards the context, converts instances that the
 * host made from the copy back into what the provider expects, and calls the provider's own.
 *
 * Every one gets the self pointer that Load chose (wrapped_load.c), and so finds what it wraps.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "gateway/wrapped.h"

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

/* A host need not look at what a module declares, nor does a provider that never uses it: memory
 * outside of the instance must not be taken for a field. */
static bool lies_within(MI_Uint32 offset, size_t size, MI_Uint32 instance_size)
{
    return offset >= sizeof(MI_Instance) && offset <= instance_size &&
           instance_size - offset >= size && offset % sizeof(void *) == 0;
}

/* An embedded instance or reference, or an array of them. A parameter is the first 48 bytes of a
 * property, and only those are read. */
static void restamp_field(const struct wrapped_module *module, const MI_ParameterDecl *element,
                          const char *fields, MI_Uint32 size, int depth)
{
    const char *field = fields + element->offset;
    bool is_array = (element->type & MI_ARRAY) != 0;

    if (!lies_within(element->offset,
                     is_array ? sizeof(MI_InstanceAField) : sizeof(MI_InstanceField), size)) {
        return;
    }
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
    for (MI_Uint32 i = 0; decl->properties != NULL && i < decl->numProperties; i++) {
        if (decl->properties[i] != NULL) {
            restamp_field(module, (const MI_ParameterDecl *)(const void *)decl->properties[i],
                          (const char *)instance, decl->size, depth);
        }
    }
}

/* ---- one call ---------------------------------------------------------------------------- */

static bool begin(const struct wrapped_module *module, MI_Context *host, bool load,
                  struct call *call)
{
    call->guarded = guarded_context_relay(host, module->name, load, &call->context);
    if (call->guarded != NULL) {
        call->guarded->has_lifecycle = module->host_version >= MI_MAKE_VERSION(1, 1, 0);
    }
    return call->guarded != NULL;
}

bool call_begin_load(const struct wrapped_module *module, MI_Context *host, struct call *call)
{
    ENTRY_UNCANCELLED;
    return begin(module, host, true, call);
}

/* A host that calls a provider which it has not loaded has no self pointer for it. */
bool call_begin(void *self, MI_Context *host, struct call *call)
{
    ENTRY_UNCANCELLED;
    const struct loaded_class *loaded = self;

    if (loaded == NULL) {
        MI_Context_PostResult(host, MI_RESULT_FAILED);
        return false;
    }
    call->target = loaded->wrapped;
    call->self = loaded->self;
    if (!begin(call->target->module, host, false, call)) {
        MI_Context_PostResult(host, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return false;
    }
    return true;
}

void call_end(const struct call *call)
{
    ENTRY_UNCANCELLED;
    if (call->guarded != NULL) {
        guarded_context_release(call->guarded);
    }
}

/* Between call_begin() and call_end() the host's cancellation state applies: whether a thread
 * may be cancelled while the provider's own code runs is not for the library to decide. */

/* RELAY(Slot, (parameters), instance to restamp or NULL, arguments after the context) */
#define RELAY(Slot, PARAMETERS, inbound, ...)                                                      \
    static void MI_CALL relay_##Slot PARAMETERS                                                    \
    {                                                                                              \
        struct call call ON_LEAVING(call_end) = {0};                                               \
        if (call_begin(self, host, &call)) {                                                       \
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
RELAY(Subscribe,
      (COMMON, const MI_Filter *filter, const MI_Char *bookmark, MI_Uint64 id, void **subscription),
      NULL, space, name, filter, bookmark, id, subscription)
RELAY(Unsubscribe, (COMMON, MI_Uint64 id, void *subscription), NULL, space, name, id, subscription)

/* Not by RELAY: it has two instances. */
static void MI_CALL relay_Invoke(COMMON, const MI_Char *method, const MI_Instance *instance,
                                 const MI_Instance *parameters)
{
    struct call call ON_LEAVING(call_end) = {0};
    if (call_begin(self, host, &call)) {
        restamp(call.target->module, instance, 0);
        restamp(call.target->module, parameters, 0);
        call.target->original->Invoke(call.self, call.context, space, name, method, instance,
                                      parameters);
    }
}

/* CIM names are compared without regard to case (DSP0004). */
static int compare_names(const void *name, const void *listed)
{
    return strcasecmp(name, (*(const MI_MethodDecl *const *)listed)->name);
}

/* Of several methods of one name the first, as a host takes them. */
static const MI_MethodDecl *find_method(const struct wrapped_class *class, const MI_Char *name)
{
    MI_Uint32 count = class->decl != NULL ? class->decl->numMethods : 0;
    const MI_MethodDecl **found = name != NULL && count > 0 ? bsearch(name, class->methods, count,
                                                                      sizeof(*found), compare_names)
                                                            : NULL;

    while (found != NULL && found > class->methods && strcasecmp(found[-1]->name, name) == 0) {
        found--;
    }
    return found != NULL ? *found : NULL;
}

void MI_CALL wrapped_method(COMMON, const MI_Char *method, const MI_Instance *instance,
                            const MI_Instance *parameters)
{
    struct call call ON_LEAVING(call_end) = {0};
    if (!call_begin(self, host, &call)) {
        return;
    }
    const MI_MethodDecl *decl = find_method(call.target, method);
    if (decl == NULL || decl->function == NULL) {
        MI_Context_PostResult(call.context, MI_RESULT_METHOD_NOT_FOUND);
    } else {
        restamp(call.target->module, instance, 0);
        restamp(call.target->module, parameters, 0);
        decl->function(call.self, call.context, space, name, method, instance, parameters);
    }
}

/* ---- indications ----------------------------------------------------------------------------- */

/*
 * The context of EnableIndications has no final post when all goes well: the provider posts
 * indications on it until DisableIndications, and then the host ends it. So its guard ends with the
 * final post of DisableIndications, or with the provider's Unload.
 */

static void free_enabled(struct enabled_context *enabled)
{
    base_free(enabled->name_space);
    base_free(enabled->class_name);
    base_free(enabled);
}

/* A class may be enabled in several namespaces. */
static bool is_enabled_for(const struct enabled_context *enabled, const MI_Char *space,
                           const MI_Char *name)
{
    return strcasecmp(enabled->name_space, space != NULL ? space : "") == 0 &&
           strcasecmp(enabled->class_name, name != NULL ? name : "") == 0;
}

/* False without memory. */
static bool keep_enabled(struct loaded_class *loaded, struct guarded_context *guarded,
                         const MI_Char *space, const MI_Char *name)
{
    ENTRY_UNCANCELLED;
    struct enabled_context *enabled = base_alloc(1, sizeof(*enabled));

    if (enabled != NULL) {
        enabled->name_space = base_copy_text(space != NULL ? space : "");
        enabled->class_name = base_copy_text(name != NULL ? name : "");
    }
    if (enabled == NULL || enabled->name_space == NULL || enabled->class_name == NULL) {
        if (enabled != NULL) {
            free_enabled(enabled);
        }
        return false;
    }
    enabled->guarded = guarded;
    guarded_context_keep(guarded);
    pthread_mutex_lock(&wrapped_lock);
    enabled->next = loaded->enabled;
    loaded->enabled = enabled;
    pthread_mutex_unlock(&wrapped_lock);
    return true;
}

/* Its guard, with the pin of the list; NULL: nothing is enabled there. */
static struct guarded_context *take_enabled(struct loaded_class *loaded, const MI_Char *space,
                                            const MI_Char *name)
{
    ENTRY_UNCANCELLED;
    struct guarded_context *guarded = NULL;

    pthread_mutex_lock(&wrapped_lock);
    struct enabled_context **link = &loaded->enabled, *enabled;
    while (*link != NULL && !is_enabled_for(*link, space, name)) {
        link = &(*link)->next;
    }
    enabled = *link;
    if (enabled != NULL) {
        *link = enabled->next;
    }
    pthread_mutex_unlock(&wrapped_lock);
    if (enabled != NULL) {
        guarded = enabled->guarded;
        free_enabled(enabled);
    }
    return guarded;
}

static void MI_CALL relay_EnableIndications(COMMON)
{
    struct call call ON_LEAVING(call_end) = {0};

    if (!call_begin(self, host, &call)) {
        return;
    }
    if (!keep_enabled(self, call.guarded, space, name)) {
        MI_Context_PostResult(call.context, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    call.target->original->EnableIndications(call.self, call.context, space, name);
}

/* The provider may post on both contexts until its final post on this one. */
static void MI_CALL relay_DisableIndications(COMMON)
{
    struct call call ON_LEAVING(call_end) = {0};

    if (call_begin(self, host, &call)) {
        guarded_context_end_with(call.guarded, take_enabled(self, space, name));
        call.target->original->DisableIndications(call.self, call.context, space, name);
    }
}

void wrapped_end_indications(struct loaded_class *loaded)
{
    ENTRY_UNCANCELLED;
    pthread_mutex_lock(&wrapped_lock);
    struct enabled_context *enabled = loaded->enabled;
    loaded->enabled = NULL;
    pthread_mutex_unlock(&wrapped_lock);
    while (enabled != NULL) {
        struct enabled_context *next = enabled->next;
        guarded_context_abandon(enabled->guarded);
        free_enabled(enabled);
        enabled = next;
    }
}

/* ---- the table --------------------------------------------------------------------------------
 */

/* A slot that the provider leaves NULL stays NULL: hosts answer for it. */
void wrapped_relays(MI_ProviderFT *table, const MI_ProviderFT *original)
{
#define RELAY_SLOT(Slot) table->Slot = original->Slot != NULL ? relay_##Slot : NULL
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
}
