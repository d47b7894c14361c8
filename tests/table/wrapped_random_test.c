/* SPDX-License-Identifier: MIT */
/*
 * miguard_wrap_module() with random modules, also such as no generator makes: lists that are NULL
 * or have NULL in them, names twice or missing, superclasses in circles, one class or one list of
 * methods in several places, instances that contain themselves. Each lies in memory that may not be
 * written, and pointers that only a host has a use for lead to memory that may not be read.
 *
 * A model that is written from the manual page says which are wrapped. Of those each field of the
 * copy is compared with the original, and a host drives both: what the provider is called with,
 * what it is answered, and what the host gets must be the same, line by line. Then each allocation
 * fails in turn.
 *
 * SEED=n starts elsewhere; a failure prints the seed that shows it again at once.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/failing_alloc.h"
#include "support/log.h"
#include "support/stub_host.h"

static unsigned long passed, failures, wrapped_modules, refused_modules, lines_compared;
static unsigned long first_seed;

static void check(bool good, const char *what)
{
    if (!good && failures < 20) {
        printf("FAILED: SEED=%lu: %s\n", first_seed, what);
    }
    *(good ? &passed : &failures) += 1;
}

static void on_crash(int number)
{
    char text[64];
    int length = snprintf(text, sizeof(text), "SEED=%lu: signal %d\n", first_seed, number);
    (void)!write(STDOUT_FILENO, text, (size_t)length);
    _exit(1);
}

/* ---- random numbers ---------------------------------------------------------------------------
 */

static uint64_t random_state;

static void start_random(uint64_t seed)
{
    random_state = seed * 0x9E3779B97F4A7C15U + 1;
}

/* Below n, from xorshift64*. */
static unsigned below(unsigned n)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (unsigned)((random_state * 0x2545F4914F6CDD1DU) >> 33) % n;
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

/* ---- what happens, as lines ---------------------------------------------------------------------
 */

struct trace {
    char text[1 << 16];
    size_t length;
};

static struct trace traces[2];
static struct trace *trace;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    size_t room = sizeof(trace->text) - trace->length;

    va_start(arguments, format);
    int length = vsnprintf(trace->text + trace->length, room, format, arguments);
    va_end(arguments);
    trace->length += (size_t)length < room ? (size_t)length : room - 1;
}

/* Whether it is there and has a place in the instance. */
static bool has_place(const MI_ClassDecl *decl, const MI_PropertyDecl *property)
{
    size_t size = property == NULL              ? 0
                  : property->type >= MI_ARRAY  ? sizeof(MI_InstanceAField)
                  : property->type == MI_UINT32 ? sizeof(MI_Uint32Field)
                                                : sizeof(MI_InstanceField);

    return property != NULL && property->offset >= sizeof(MI_Instance) &&
           property->offset + size <= decl->size && property->offset % sizeof(void *) == 0;
}

/* An instance with all that lies in it. Those that contain themselves end by depth. */
static void say_instance(const MI_Instance *instance, int depth)
{
    const MI_ClassDecl *decl = instance != NULL ? instance->classDecl : NULL;

    say(" {%p", (const void *)decl);
    for (MI_Uint32 i = 0; decl != NULL && depth < 3 && i < decl->numProperties; i++) {
        const MI_PropertyDecl *property = decl->properties != NULL ? decl->properties[i] : NULL;
        if (!has_place(decl, property)) {
            continue;
        }
        const char *at = (const char *)instance + property->offset;
        if (property->type == MI_INSTANCE || property->type == MI_REFERENCE) {
            const MI_InstanceField *one = (const void *)at;
            say("%d", one->exists);
            if (one->exists) {
                say_instance(one->value, depth + 1);
            }
        } else if (property->type == MI_INSTANCEA || property->type == MI_REFERENCEA) {
            const MI_InstanceAField *many = (const void *)at;
            for (MI_Uint32 k = 0; many->exists && many->value.data != NULL && k < many->value.size;
                 k++) {
                say_instance(many->value.data[k], depth + 1);
            }
        }
    }
    say("}");
}

/* ---- the provider -------------------------------------------------------------------------------
 */

/* Posts what chance says: nothing of it may depend on which side is driven. */
static void answer(MI_Context *context)
{
    MI_Instance instance = {.ft = NULL};

    for (unsigned i = below(3); i > 0; i--) {
        say(" post %d", MI_Context_PostInstance(context, &instance));
    }
    if (one_in(6)) {
        say(" error %d", MI_Context_PostError(context, 3, MI_RESULT_TYPE_MI, "error"));
    } else {
        say(" result %d", MI_Context_PostResult(context, one_in(4) ? (MI_Result)below(29) : 0));
    }
}

static char selves[64];

static void note(const char *what, const void *self, const MI_Char *space, const MI_Char *name)
{
    say("%s self %p in %s of %s:", what, self, space, name != NULL ? name : "(none)");
}

#define COMMON void *self, MI_Context *context, const MI_Char *space, const MI_Char *name

static void MI_CALL load_module(MI_Module_Self **self, MI_Context *context)
{
    say("module load:");
    if (!one_in(4)) {
        *self = (MI_Module_Self *)(void *)&selves[below(64)];
    }
    answer(context);
}

static void MI_CALL unload_module(MI_Module_Self *self, MI_Context *context)
{
    say("module unload %p:", (void *)self);
    answer(context);
}

static void MI_CALL load(void **self, MI_Module_Self *module, MI_Context *context)
{
    say("load of module %p:", (void *)module);
    if (!one_in(4)) {
        *self = &selves[below(64)];
    }
    answer(context);
}

static void MI_CALL unload(void *self, MI_Context *context)
{
    say("unload %p:", self);
    answer(context);
}

static void MI_CALL get(COMMON, const MI_Instance *instance, const MI_PropertySet *set)
{
    note("get", self, space, name);
    say(" set %p", (const void *)set);
    say_instance(instance, 0);
    answer(context);
}

static void MI_CALL enumerate(COMMON, const MI_PropertySet *set, MI_Boolean keys_only,
                              const MI_Filter *filter)
{
    note("enumerate", self, space, name);
    say(" set %p keys %d filter %p", (const void *)set, keys_only, (const void *)filter);
    answer(context);
}

static void MI_CALL create(COMMON, const MI_Instance *instance)
{
    note("create", self, space, name);
    say_instance(instance, 0);
    answer(context);
}

static void MI_CALL modify(COMMON, const MI_Instance *instance, const MI_PropertySet *set)
{
    note("modify", self, space, name);
    say(" set %p", (const void *)set);
    say_instance(instance, 0);
    answer(context);
}

static void MI_CALL delete (COMMON, const MI_Instance *instance)
{
    note("delete", self, space, name);
    say_instance(instance, 0);
    answer(context);
}

static void MI_CALL associators(COMMON, const MI_Instance *instance, const MI_Char *result_class,
                                const MI_Char *role, const MI_Char *result_role,
                                const MI_PropertySet *set, MI_Boolean keys_only,
                                const MI_Filter *filter)
{
    note("associators", self, space, name);
    say(" %s %s %s %p %d %p", result_class, role, result_role, (const void *)set, keys_only,
        (const void *)filter);
    say_instance(instance, 0);
    answer(context);
}

static void MI_CALL references(COMMON, const MI_Instance *instance, const MI_Char *role,
                               const MI_PropertySet *set, MI_Boolean keys_only,
                               const MI_Filter *filter)
{
    note("references", self, space, name);
    say(" %s %p %d %p", role, (const void *)set, keys_only, (const void *)filter);
    say_instance(instance, 0);
    answer(context);
}

static MI_Context *enabled;

static void MI_CALL enable(COMMON)
{
    note("enable", self, space, name);
    enabled = context;
}

/* Indications are posted until the end of Disable. */
static void MI_CALL disable(COMMON)
{
    MI_Instance instance = {.ft = NULL};

    note("disable", self, space, name);
    if (enabled != NULL) {
        say(" indication %d", MI_Context_PostInstance(enabled, &instance));
    }
    enabled = NULL;
    answer(context);
}

static void MI_CALL subscribe(COMMON, const MI_Filter *filter, const MI_Char *bookmark,
                              MI_Uint64 id, void **subscription)
{
    note("subscribe", self, space, name);
    say(" %p %s %llu", (const void *)filter, bookmark, (unsigned long long)id);
    *subscription = &selves[below(64)];
    answer(context);
}

static void MI_CALL unsubscribe(COMMON, MI_Uint64 id, void *subscription)
{
    note("unsubscribe", self, space, name);
    say(" %llu %p", (unsigned long long)id, subscription);
    answer(context);
}

static void call_method(const char *what, COMMON, const MI_Char *method,
                        const MI_Instance *instance, const MI_Instance *parameters)
{
    note(what, self, space, name);
    say(" %s", method);
    say_instance(instance, 0);
    say_instance(parameters, 0);
    answer(context);
}

static void MI_CALL invoke(COMMON, const MI_Char *method, const MI_Instance *instance,
                           const MI_Instance *parameters)
{
    call_method("invoke", self, context, space, name, method, instance, parameters);
}

static void MI_CALL first_method(COMMON, const MI_Char *method, const MI_Instance *instance,
                                 const MI_Instance *parameters)
{
    call_method("first", self, context, space, name, method, instance, parameters);
}

static void MI_CALL second_method(COMMON, const MI_Char *method, const MI_Instance *instance,
                                  const MI_Instance *parameters)
{
    call_method("second", self, context, space, name, method, instance, parameters);
}

static const MI_ProviderFT all_slots = {load,    unload,    get,         enumerate,  create,
                                        modify,  delete,    associators, references, enable,
                                        disable, subscribe, unsubscribe, invoke};

/* ---- a random module ----------------------------------------------------------------------------
 */

enum { ARENA = 1 << 20, CLASSES = 12, METHODS = 6, PROPERTIES = 5, TABLES = 4 };

static char *arena, *poison;
static size_t arena_used;

/* In the memory that is read-only once the module is made. */
static void *room_for(size_t size)
{
    void *at = arena + arena_used;
    arena_used = (arena_used + size + 15) & ~(size_t)15;
    if (arena_used > ARENA) {
        abort();
    }
    memset(at, 0, size);
    return at;
}

/* Names are pointers into a table: a wrapping must not copy them. */
static const MI_Char *const names[] = {"Alpha",       "alpha",    "Beta", "B",
                                       "Gamma_Delta", "\xC3\xA9", "",     "Zeta"};

static const MI_Char *random_name(unsigned missing)
{
    return one_in(missing) ? NULL : names[below(sizeof(names) / sizeof(names[0]))];
}

/* Odds of what cannot be: one in this many; the half of the modules have nothing of it. */
static unsigned oddity;

static MI_PropertyDecl *random_property(MI_Uint32 *size)
{
    static const MI_Type types[] = {MI_INSTANCE, MI_REFERENCE,  MI_INSTANCEA,
                                    MI_UINT32,   MI_REFERENCEA, MI_STRING};
    MI_PropertyDecl *property = room_for(sizeof(*property));

    property->name = random_name(oddity);
    property->type = types[below(6)];
    property->qualifiers = (const MI_Qualifier *const *)(void *)poison;
    property->numQualifiers = below(3);
    property->origin = property->propagator = poison;
    property->value = poison;
    property->offset = *size;
    *size += (MI_Uint32)sizeof(MI_InstanceAField);
    if (one_in(oddity)) {
        const MI_Uint32 nowhere[] = {1U << 24, 0, UINT32_MAX, *size - 23};
        property->offset = nowhere[below(4)];
    }
    return property;
}

/* In the layout that class and method declarations share up to size. */
static void fill_properties(MI_ClassDecl *decl)
{
    MI_PropertyDecl **list = room_for(PROPERTIES * sizeof(*list));

    decl->numProperties = below(PROPERTIES + 1);
    decl->size = sizeof(MI_Instance);
    for (MI_Uint32 i = 0; i < decl->numProperties; i++) {
        list[i] = one_in(oddity) ? NULL : random_property(&decl->size);
    }
    if (decl->numProperties > 0 && one_in(oddity)) {
        decl->size -= below(25); /* the last one is not wholly in it */
    }
    decl->properties = one_in(oddity) ? NULL : (const MI_PropertyDecl *const *)(const void *)list;
}

static MI_MethodDecl *random_method(void)
{
    MI_MethodDecl *method = room_for(sizeof(*method));

    method->flags = MI_FLAG_METHOD | below(1U << 16) << 1;
    method->code = below(1U << 24);
    fill_properties((MI_ClassDecl *)(void *)method);
    method->name = random_name(oddity * METHODS);
    method->qualifiers = (const MI_Qualifier *const *)(void *)poison;
    method->numQualifiers = below(3);
    method->returnType = below(14);
    method->origin = method->propagator = poison;
    method->schema = (const MI_SchemaDecl *)(void *)poison;
    method->function = one_in(5) ? NULL : one_in(2) ? first_method : second_method;
    return method;
}

static const MI_MethodDecl **random_methods(MI_Uint32 count)
{
    const MI_MethodDecl **list = room_for(METHODS * sizeof(*list));

    for (MI_Uint32 i = 0; i < count; i++) {
        list[i] = i > 0 && one_in(8) ? list[i - 1] : random_method();
        if (one_in(oddity * METHODS)) {
            list[i] = NULL;
        }
    }
    return list;
}

static const MI_ProviderFT *random_table(void)
{
    MI_ProviderFT *table = room_for(sizeof(*table));
    const void *const *from = (const void *const *)(const void *)&all_slots;
    const void **to = (const void **)(void *)table;

    for (size_t i = 0; i < sizeof(*table) / sizeof(void *); i++) {
        to[i] = one_in(4) ? NULL : from[i];
    }
    return table;
}

static MI_ClassDecl *random_class(MI_ClassDecl **known, MI_Uint32 count)
{
    MI_ClassDecl *decl = known[count];
    MI_ClassDecl *from = count > 0 ? known[below(count)] : NULL;

    decl->flags = below(1U << 20) << 2 | MI_FLAG_CLASS;
    decl->code = below(1U << 24);
    decl->name = random_name(oddity);
    decl->qualifiers = (const MI_Qualifier *const *)(void *)poison;
    decl->numQualifiers = below(3);
    fill_properties(decl);
    decl->superClass = poison;
    decl->superClassDecl = known[below(CLASSES)]; /* itself and circles, too */
    decl->schema = (const MI_SchemaDecl *)(void *)poison;
    decl->numMethods = one_in(3) ? 0 : below(METHODS + 1);
    decl->methods = random_methods(decl->numMethods);
    decl->providerFT = one_in(5) ? NULL : random_table();
    if (one_in(3)) {
        decl->superClassDecl = one_in(2) ? NULL : (MI_ClassDecl *)(void *)poison;
    }
    if (from != NULL && one_in(6)) { /* what two classes share */
        decl->methods = from->methods;
        decl->numMethods = from->numMethods;
        decl->providerFT = from->providerFT;
    }
    if (one_in(oddity)) {
        decl->methods = NULL;
    }
    decl->owningClass = one_in(oddity) ? (MI_Class *)(uintptr_t)-1 : NULL;
    return decl;
}

static MI_SchemaDecl *random_schema(void)
{
    MI_SchemaDecl *schema = room_for(sizeof(*schema));
    MI_ClassDecl *known[CLASSES];
    const MI_ClassDecl **list = room_for(CLASSES * sizeof(*list));

    for (unsigned i = 0; i < CLASSES; i++) {
        known[i] = room_for(sizeof(*known[i]));
    }
    schema->qualifierDecls = (const MI_QualifierDecl *const *)(void *)poison;
    schema->numQualifierDecls = below(4);
    schema->numClassDecls = below(CLASSES + 1);
    for (MI_Uint32 i = 0; i < schema->numClassDecls; i++) {
        const MI_ClassDecl *made = random_class(known, i);
        list[i] = one_in(oddity) ? NULL : i > 0 && one_in(12) ? list[i - 1] : made;
    }
    schema->classDecls = one_in(oddity) ? NULL : list;
    return schema;
}

static MI_Module *random_module(void)
{
    static const MI_Uint32 versions[] = {0x10000, 0x10100, 0x10203, 0x1FFFF, 0, 0x900};
    static const MI_Uint32 wrong[] = {0x20000, 0xFFFFFFFF, 0x20100};

    (void)mprotect(arena, ARENA, PROT_READ | PROT_WRITE);
    arena_used = 0;
    oddity = one_in(2) ? 1U << 30 : 40;
    MI_Module *module = room_for(sizeof(*module));
    module->version = one_in(oddity) ? wrong[below(3)] : versions[below(6)];
    module->generatorVersion = below(1U << 30);
    module->flags = below(1U << 30);
    module->charSize = one_in(oddity) ? below(5) : 1;
    module->schemaDecl = one_in(12) ? NULL : random_schema();
    module->Load = one_in(4) ? NULL : load_module;
    module->Unload = one_in(4) ? NULL : unload_module;
    module->dynamicProviderFT = one_in(2) ? NULL : random_table();
    if (mprotect(arena, ARENA, PROT_READ) != 0) {
        abort();
    }
    return module;
}

/* ---- the model
 * -----------------------------------------------------------------------------------
 */

/* libmiguard(3): NULL for another major version or size of MI_Char, and for declarations that lack
 * what they count, or a method's name. */
static bool model_wraps(const MI_Module *module)
{
    const MI_SchemaDecl *schema = module->schemaDecl;

    if (module->version >= 0x20000 || module->charSize != 1) {
        return false;
    }
    for (MI_Uint32 i = 0; schema != NULL && i < schema->numClassDecls; i++) {
        if (schema->classDecls == NULL || schema->classDecls[i] == NULL) {
            return false;
        }
        const MI_ClassDecl *decl = schema->classDecls[i];
        for (MI_Uint32 k = 0; k < decl->numMethods; k++) {
            if (decl->methods == NULL || decl->methods[k] == NULL ||
                decl->methods[k]->name == NULL) {
                return false;
            }
        }
    }
    return true;
}

/* The copy with the original's pointers in place of those that must differ is the original. */
static bool same_method(const MI_MethodDecl *copy, const MI_MethodDecl *original,
                        const MI_SchemaDecl *schema)
{
    MI_MethodDecl back = *copy;

    back.schema = original->schema;
    back.function = original->function;
    return copy != original && copy->schema == schema &&
           (copy->function == NULL) == (original->function == NULL) &&
           memcmp(&back, original, sizeof(back)) == 0;
}

static bool same_table(const MI_ProviderFT *copy, const MI_ProviderFT *original)
{
    const void *const *slots = (const void *const *)(const void *)copy;
    const void *const *wanted = (const void *const *)(const void *)original;

    if (copy == NULL || original == NULL) {
        return copy == original;
    }
    bool same = copy->Load != NULL && copy->Unload != NULL;
    for (size_t i = 2; i < sizeof(*copy) / sizeof(void *); i++) {
        same = same && (slots[i] == NULL) == (wanted[i] == NULL) &&
               (slots[i] == NULL || slots[i] != wanted[i]);
    }
    return same;
}

/* One of the module itself leads to its copy; another one stays. */
static bool same_super(const MI_SchemaDecl *copies, const MI_SchemaDecl *originals,
                       const MI_ClassDecl *copy, const MI_ClassDecl *original)
{
    for (MI_Uint32 i = 0; i < originals->numClassDecls; i++) {
        if (copies->classDecls[i] == copy) {
            return originals->classDecls[i] == original;
        }
        if (originals->classDecls[i] == original) {
            bool is_copy = false; /* a class that is listed twice has two */
            for (MI_Uint32 k = i; k < originals->numClassDecls; k++) {
                is_copy = is_copy ||
                          (copies->classDecls[k] == copy && originals->classDecls[k] == original);
            }
            return is_copy;
        }
    }
    return copy == original;
}

static bool same_class(const MI_SchemaDecl *copies, const MI_SchemaDecl *originals, MI_Uint32 i)
{
    const MI_ClassDecl *copy = copies->classDecls[i], *original = originals->classDecls[i];
    MI_ClassDecl back = *copy;
    bool same = copy != original && copy->schema == copies;

    back.superClassDecl = original->superClassDecl;
    back.methods = original->methods;
    back.schema = original->schema;
    back.providerFT = original->providerFT;
    same = same && memcmp(&back, original, sizeof(back)) == 0 &&
           same_super(copies, originals, copy->superClassDecl, original->superClassDecl) &&
           same_table(copy->providerFT, original->providerFT);
    for (MI_Uint32 k = 0; same && k < original->numMethods; k++) {
        same = same_method(copy->methods[k], original->methods[k], copies);
    }
    return same;
}

static bool same_module(const MI_Module *copy, const MI_Module *original)
{
    const MI_SchemaDecl *copies = copy->schemaDecl, *originals = original->schemaDecl;
    bool same = copy != original && copy->generatorVersion == original->generatorVersion &&
                copy->flags == original->flags && copy->charSize == original->charSize &&
                copy->Load != NULL && copy->Unload != NULL &&
                (copies == NULL) == (originals == NULL) &&
                same_table(copy->dynamicProviderFT, original->dynamicProviderFT);

    if (!same || copies == NULL) {
        return same;
    }
    same = copies->numClassDecls == originals->numClassDecls &&
           copies->qualifierDecls == originals->qualifierDecls &&
           copies->numQualifierDecls == originals->numQualifierDecls;
    for (MI_Uint32 i = 0; same && i < originals->numClassDecls; i++) {
        same = same_class(copies, originals, i);
    }
    return same;
}

/* ---- a host that drives it
 * ------------------------------------------------------------------------
 */

static struct stub_host *host, *indication_host;

/* What a call left with the host. */
static void say_host(void)
{
    say(" -> %d %s posts %lu final %lu\n", host->posted, host->posted_message, host->posts,
        host->final_posts);
    host->posts = host->final_posts = 0;
    host->posted = MI_RESULT_OK;
    host->posted_message[0] = '\0';
}

/* Instances for one call; of more, none is nested. */
enum { MOST_INSTANCES = 24, INSTANCE_SIZE = 512 };

static struct {
    _Alignas(16) char memory[MOST_INSTANCES][INSTANCE_SIZE];
    MI_Instance *lists[MOST_INSTANCES][3];
    unsigned used;
} instances;

static MI_Instance *random_instance(const MI_SchemaDecl *schema, const MI_ClassDecl *decl,
                                    int depth);

/* Of any class of the module, or of none; or one that contains it. */
static MI_Instance *random_value(const MI_SchemaDecl *schema, MI_Instance *outer, int depth)
{
    if (schema == NULL || schema->numClassDecls == 0 || one_in(6)) {
        return one_in(2) ? outer : NULL;
    }
    return random_instance(schema, schema->classDecls[below(schema->numClassDecls)], depth + 1);
}

static void fill_field(const MI_SchemaDecl *schema, MI_Instance *instance,
                       const MI_PropertyDecl *property, int depth)
{
    char *at = (char *)instance + property->offset;

    if (property->type == MI_INSTANCE || property->type == MI_REFERENCE) {
        MI_InstanceField *one = (void *)at;
        one->exists = !one_in(4);
        one->value =
            one->exists ? random_value(schema, instance, depth) : (MI_Instance *)(void *)poison;
    } else if (property->type == MI_INSTANCEA || property->type == MI_REFERENCEA) {
        MI_InstanceAField *many = (void *)at;
        MI_Instance **list = instances.lists[instances.used % MOST_INSTANCES];
        many->exists = !one_in(4);
        many->value.size = below(4);
        many->value.data = one_in(4) ? NULL : list;
        for (MI_Uint32 i = 0; i < 3; i++) {
            list[i] = random_value(schema, instance, depth);
        }
    }
}

static MI_Instance *random_instance(const MI_SchemaDecl *schema, const MI_ClassDecl *decl,
                                    int depth)
{
    if (instances.used == MOST_INSTANCES || depth > 4 || decl->size > INSTANCE_SIZE) {
        return NULL;
    }
    MI_Instance *instance = (void *)instances.memory[instances.used++];
    /* What is no field must not be followed: not the header, not what is behind the last one. */
    memset(instance, 0xA5, INSTANCE_SIZE);
    instance->classDecl = decl;
    for (MI_Uint32 i = 0; decl->properties != NULL && i < decl->numProperties; i++) {
        const MI_PropertyDecl *property = decl->properties[i];
        if (has_place(decl, property)) {
            fill_field(schema, instance, property, depth);
        }
    }
    return instance;
}

/* Of the class that is called, of another one, or NULL. */
static MI_Instance *inbound(const MI_SchemaDecl *schema, const MI_ClassDecl *decl)
{
    return decl == NULL || one_in(8) ? NULL
           : one_in(3)               ? random_value(schema, NULL, 0)
                                     : random_instance(schema, decl, 0);
}

/* The other parameters are opaque to who passes them on. */
static const void *token(void)
{
    return one_in(2) ? NULL : poison + below(64);
}

struct driven {
    const MI_SchemaDecl *schema;
    const MI_ClassDecl *decl;
    const MI_ProviderFT *table;
    void *self;
};

static void drive_indications(const struct driven *driven, const MI_Char *name)
{
    void *subscription = NULL;
    MI_Context *context = &host->context;

    enabled = NULL;
    driven->table->EnableIndications(driven->self, &indication_host->context, "root", name);
    if (driven->table->Subscribe != NULL) {
        driven->table->Subscribe(driven->self, context, "root", name, token(), "mark", below(99),
                                 &subscription);
        say_host();
    }
    if (driven->table->Unsubscribe != NULL) {
        driven->table->Unsubscribe(driven->self, context, "root", name, below(99), subscription);
        say_host();
    }
    if (!one_in(4)) { /* else Unload ends it */
        driven->table->DisableIndications(driven->self, context, "root", name);
    }
    say(" indications %lu", indication_host->posts);
    indication_host->posts = 0;
}

/* NULL slots are not called: a host looks. */
#define CALL(Slot, ...)                                                                            \
    (table->Slot == NULL ? say("no " #Slot)                                                        \
                         : table->Slot(driven->self, &host->context, "root", name, ##__VA_ARGS__))

static void drive_slot(const struct driven *driven)
{
    const MI_ProviderFT *table = driven->table;
    const MI_Char *name = driven->decl != NULL ? driven->decl->name : "Dynamic";
    const MI_Instance *first = inbound(driven->schema, driven->decl);

    switch (below(9)) {
    case 0:
        CALL(GetInstance, first, token());
        break;
    case 1:
        CALL(EnumerateInstances, token(), (MI_Boolean)below(2), token());
        break;
    case 2:
        CALL(CreateInstance, first);
        break;
    case 3:
        CALL(ModifyInstance, first, token());
        break;
    case 4:
        CALL(DeleteInstance, first);
        break;
    case 5:
        CALL(AssociatorInstances, first, "A", "B", "C", token(), (MI_Boolean)below(2), token());
        break;
    case 6:
        CALL(ReferenceInstances, first, "B", token(), (MI_Boolean)below(2), token());
        break;
    case 7:
        CALL(Invoke, "Method", first, inbound(driven->schema, driven->decl));
        break;
    default:
        if (table->EnableIndications != NULL && table->DisableIndications != NULL) {
            drive_indications(driven, name);
        }
        break;
    }
    say_host();
}

/* As a host does: the function of the first method of that name, with its own declaration. */
static void drive_method(const struct driven *driven)
{
    const MI_ClassDecl *decl = driven->decl;
    const MI_MethodDecl *method = decl->methods[below(decl->numMethods)];

    for (MI_Uint32 i = 0; i < decl->numMethods; i++) {
        if (strcasecmp(decl->methods[i]->name, method->name) == 0) {
            method = decl->methods[i];
            break;
        }
    }
    if (method->function == NULL) {
        return;
    }
    method->function(driven->self, &host->context, "root", decl->name, method->name,
                     inbound(driven->schema, decl),
                     inbound(driven->schema, (const MI_ClassDecl *)(const void *)method));
    say_host();
}

static void drive_calls(const struct driven *driven)
{
    for (unsigned i = below(8); i > 0; i--) {
        instances.used = 0;
        if (driven->decl != NULL && driven->decl->numMethods > 0 && one_in(2)) {
            drive_method(driven);
        } else {
            drive_slot(driven);
        }
    }
}

/* Load and Unload that the provider lacks are answered by the library, and by a host itself. */
static void drive_class(const MI_Module *module, const MI_ClassDecl *decl,
                        const MI_ProviderFT *table, MI_Module_Self *self, bool own)
{
    struct driven driven = {module->schemaDecl, decl, table, NULL};

    if (table == NULL) {
        return;
    }
    if (own || table->Load != NULL) {
        table->Load(&driven.self, self, &host->context);
    } else {
        MI_Context_PostResult(&host->context, MI_RESULT_OK);
    }
    say_host();
    drive_calls(&driven);
    if (own || table->Unload != NULL) {
        table->Unload(driven.self, &host->context);
    } else {
        MI_Context_PostResult(&host->context, MI_RESULT_OK);
    }
    say_host();
}

/* own: a wrapping, whose Load is never NULL. */
static void drive(const MI_Module *module, uint64_t seed, bool own, struct trace *into)
{
    MI_Module_Self *self = NULL;
    const MI_SchemaDecl *schema = module->schemaDecl;

    trace = into;
    trace->length = 0;
    start_random(seed);
    if (own || module->Load != NULL) {
        module->Load(&self, &host->context);
    } else {
        MI_Context_PostResult(&host->context, MI_RESULT_OK);
    }
    say_host();
    for (MI_Uint32 i = 0; schema != NULL && i < schema->numClassDecls; i++) {
        drive_class(module, schema->classDecls[i], schema->classDecls[i]->providerFT, self, own);
    }
    drive_class(module, NULL, module->dynamicProviderFT, self, own);
    if (own || module->Unload != NULL) {
        module->Unload(self, &host->context);
    } else {
        MI_Context_PostResult(&host->context, MI_RESULT_OK);
    }
    say_host();
}

/* The first line in which they differ. */
static void compare_traces(void)
{
    const char *first = traces[0].text, *second = traces[1].text;
    bool same =
        traces[0].length == traces[1].length && memcmp(first, second, traces[0].length) == 0;

    check(same, "wrapped and not differ:");
    for (const char *line = first, *other = second; !same && failures < 20;) {
        int length = (int)strcspn(line, "\n"), others = (int)strcspn(other, "\n");
        if (length != others || memcmp(line, other, (size_t)length) != 0 || line[length] == '\0') {
            printf("    not:     %.*s\n    wrapped: %.*s\n", length, line, others, other);
            break;
        }
        line += length + 1;
        other += others + 1;
    }
    for (size_t i = 0; i < traces[0].length; i++) {
        lines_compared += first[i] == '\n';
    }
}

/* ---- one module ---------------------------------------------------------------------------------
 */

/* Nothing may be left of one that memory did not suffice for. */
static void fail_each_allocation(MI_Module *module)
{
    long before = outstanding;

    for (long nth = 0;; nth++) {
        countdown = nth;
        failed = false;
        MI_Module *wrapped = miguard_wrap_module(NULL, module);
        countdown = -1;
        if (!failed) {
            check(wrapped != NULL, "with memory it is wrapped");
            return;
        }
        check(wrapped == NULL, "without memory it is not wrapped");
        check(outstanding <= before, "a refused module leaves no memory");
    }
}

/* One that fails while the wrapping is used: the host gets an answer each time. */
static void drive_without_memory(const MI_Module *wrapped, uint64_t seed)
{
    keeps_failing = false;
    for (long nth = 0; nth < 40; nth += 1 + below(7)) {
        uint64_t state = random_state;
        countdown = nth;
        failed = false;
        drive(wrapped, seed, true, &traces[1]);
        countdown = -1;
        random_state = state;
        if (!failed) {
            return;
        }
    }
}

static void try_module(uint64_t seed)
{
    start_random(seed);
    MI_Module *module = random_module();
    bool expected = model_wraps(module);

    if (expected && one_in(8)) {
        fail_each_allocation(module);
    }
    MI_Module *wrapped = miguard_wrap_module(NULL, module);
    check((wrapped != NULL) == expected, expected ? "a sound module is refused" : "it is wrapped");
    *(wrapped != NULL ? &wrapped_modules : &refused_modules) += 1;
    if (wrapped == NULL || !expected) {
        return;
    }
    check(same_module(wrapped, module), "each field of the copy");
    check(miguard_wrap_module(NULL, module) == wrapped &&
              miguard_wrap_module(NULL, wrapped) == wrapped,
          "it is wrapped once");
    drive(module, seed, false, &traces[0]);
    drive(wrapped, seed, true, &traces[1]);
    compare_traces();
    if (seed % 8 == 0) {
        drive_without_memory(wrapped, seed);
    }
    check(slots_in_use(&guarded_contexts) == 0, "no guard is left");
}

int main(void)
{
    const char *seed = getenv("SEED");
    unsigned long start = seed != NULL ? strtoul(seed, NULL, 10) : 1;
    unsigned long count = getenv("QUICK") != NULL ? 2000 : 20000;
    long settled = 0;

    log_start();
    arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    poison = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED || poison == MAP_FAILED) {
        abort();
    }
    signal(SIGSEGV, on_crash);
    signal(SIGBUS, on_crash);
    host = stub_host_new();
    indication_host = stub_host_new();
    static MI_Module empty = {.version = MI_VERSION, .charSize = sizeof(MI_Char)};
    drive(miguard_wrap_module(NULL, &empty), 0, true, &traces[0]); /* what is made once */
    for (unsigned long i = 0; i < count && failures < 20; i++) {
        first_seed = start + i;
        try_module(first_seed);
        settled = i == count / 10 ? outstanding : settled;
    }
    /* The wrapping of the last module lives on: at most that much more. */
    check(outstanding <= settled + 32, "blocks of memory do not grow with the number of modules");
    check(seed != NULL || (wrapped_modules > count / 4 && refused_modules > count / 20),
          "both kinds were made");
    printf("%lu modules wrapped, %lu refused, %lu lines the same\n", wrapped_modules,
           refused_modules, lines_compared);
    stub_host_free(host);
    stub_host_free(indication_host);
    printf("%lu passed, %lu failed\n", passed, failures);
    return failures == 0 ? 0 : 1;
}
