/* SPDX-License-Identifier: MIT */
/*
 * miguard_wrap_module() with modules that are made up: many modules and classes, whose Load must
 * find its own; declarations that cannot be; every version under hosts of every version; contexts
 * that end without a post; indications; lifecycle contexts; memory that runs out; thunks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/wrapped.h"
#include "miguard.h"
#include "support/failing_alloc.h"
#include "support/log.h"
#include "support/stub_host.h"

static unsigned passed, failures;

static void check(bool good, const char *what)
{
    if (!good) {
        printf("FAILED: %s\n", what);
    }
    *(good ? &passed : &failures) += 1;
}

/* ---- a module ---------------------------------------------------------------------------------
 */

/* What the provider was last called as. */
static struct {
    void *self;
    MI_Context *context;
    char what[32];
    unsigned count;
} seen;

static void note(void *self, MI_Context *context, const char *what)
{
    seen.self = self;
    seen.context = context;
    seen.count++;
    snprintf(seen.what, sizeof(seen.what), "%s", what);
}

/* Without Load nothing else has the number of the class: each class has its own. */
enum { MOST_CLASSES = 1500, MOST_METHODS = 40 };

static bool posts = true;

static void finish(MI_Context *context, MI_Result result)
{
    if (posts) {
        MI_Context_PostResult(context, result);
    }
}

/* The provider's self is the address of what is loaded: its number, in a table of numbers. */
static int numbers[MOST_CLASSES + 1];
static unsigned next_number;

static void MI_CALL load_class(void **self, MI_Module_Self *module, MI_Context *context)
{
    *self = &numbers[next_number];
    note(*self, context, module != NULL ? "load" : "load without module");
    finish(context, MI_RESULT_OK);
}

static void MI_CALL unload_class(void *self, MI_Context *context)
{
    note(self, context, "unload");
    finish(context, MI_RESULT_OK);
}

static void MI_CALL enumerate(void *self, MI_Context *context, const MI_Char *space,
                              const MI_Char *name, const MI_PropertySet *set, MI_Boolean keys_only,
                              const MI_Filter *filter)
{
    (void)space, (void)set, (void)keys_only, (void)filter;
    note(self, context, name);
    finish(context, MI_RESULT_OK);
}

static void MI_CALL enable(void *self, MI_Context *context, const MI_Char *space,
                           const MI_Char *name)
{
    (void)space, (void)name;
    note(self, context, "enable");
}

static void MI_CALL disable(void *self, MI_Context *context, const MI_Char *space,
                            const MI_Char *name)
{
    (void)space, (void)name;
    note(self, context, "disable");
    finish(context, MI_RESULT_OK);
}

static void MI_CALL invoke(void *self, MI_Context *context, const MI_Char *space,
                           const MI_Char *name, const MI_Char *method, const MI_Instance *instance,
                           const MI_Instance *parameters)
{
    (void)space, (void)name, (void)instance, (void)parameters;
    note(self, context, method);
    finish(context, MI_RESULT_OK);
}

static void MI_CALL load_module(MI_Module_Self **self, MI_Context *context)
{
    *self = (MI_Module_Self *)(void *)&numbers[MOST_CLASSES];
    note(*self, context, "load module");
    finish(context, MI_RESULT_OK);
}

static void MI_CALL unload_module(MI_Module_Self *self, MI_Context *context)
{
    note(self, context, "unload module");
    finish(context, MI_RESULT_OK);
}

static const MI_ProviderFT provider = {
    .Load = load_class,
    .Unload = unload_class,
    .EnumerateInstances = enumerate,
    .EnableIndications = enable,
    .DisableIndications = disable,
    .Invoke = invoke,
};

/* The declarations of a module, freed by end_module(). */
struct made {
    MI_Module module;
    MI_SchemaDecl schema;
    MI_ClassDecl *classes;
    const MI_ClassDecl **list;
    MI_MethodDecl *methods;
    const MI_MethodDecl **method_list;
    char (*names)[24];
};

static struct made *make_module(unsigned classes, unsigned methods)
{
    struct made *made = calloc(1, sizeof(*made));

    made->classes = calloc(classes + 1, sizeof(*made->classes));
    made->list = calloc(classes + 1, sizeof(*made->list));
    made->names = calloc(classes + methods + 1, sizeof(*made->names));
    made->methods = calloc(methods + 1, sizeof(*made->methods));
    made->method_list = calloc(methods + 1, sizeof(*made->method_list));
    for (unsigned i = 0; i < methods; i++) {
        snprintf(made->names[classes + i], sizeof(*made->names), "Method%u", i);
        made->methods[i] = (MI_MethodDecl){.name = made->names[classes + i], .function = invoke};
        made->method_list[i] = &made->methods[i];
    }
    for (unsigned i = 0; i < classes; i++) {
        snprintf(made->names[i], sizeof(*made->names), "Class%u", i);
        made->classes[i] = (MI_ClassDecl){.name = made->names[i],
                                          .providerFT = &provider,
                                          .superClassDecl = i > 0 ? &made->classes[i - 1] : NULL,
                                          .methods = made->method_list,
                                          .numMethods = methods};
        made->list[i] = &made->classes[i];
    }
    made->schema = (MI_SchemaDecl){.classDecls = made->list, .numClassDecls = classes};
    made->module = (MI_Module){.version = MI_VERSION,
                               .charSize = sizeof(MI_Char),
                               .schemaDecl = &made->schema,
                               .Load = load_module,
                               .Unload = unload_module};
    return made;
}

static void end_module(struct made *made)
{
    free(made->classes);
    free(made->list);
    free(made->names);
    free(made->methods);
    free(made->method_list);
    free(made);
}

/* ---- a host -----------------------------------------------------------------------------------
 */

static MI_Uint32 host_version = MI_VERSION;

static MI_Result MI_CALL get_version(MI_Uint32 *version)
{
    *version = host_version;
    return host_version != 0 ? MI_RESULT_OK : MI_RESULT_FAILED;
}

static const MI_ServerFT server_ft = {.GetVersion = get_version};
static MI_Server server = {.serverFT = &server_ft};
static struct stub_host *host;

/* Each call has the same context of the host, as of one that reuses its memory. */
static MI_Module_Self *load_it(MI_Module *module)
{
    MI_Module_Self *self = NULL;
    module->Load(&self, &host->context);
    return self;
}

/* ---- many classes and modules ------------------------------------------------------------------
 */

/* Each class finds the self that its own Load chose, and its own methods. */
static void check_classes(unsigned classes, unsigned methods, const char *what)
{
    struct made *made = make_module(classes, methods);
    MI_Module *wrapped = miguard_wrap_module(&server, &made->module);
    void **selves = calloc(classes + 1, sizeof(*selves));
    unsigned wrong = wrapped == NULL;
    MI_Module_Self *self = wrapped != NULL ? load_it(wrapped) : NULL;

    for (unsigned i = 0; i < classes && wrapped != NULL; i++) {
        const MI_ClassDecl *decl = wrapped->schemaDecl->classDecls[i];
        next_number = i;
        decl->providerFT->Load(&selves[i], self, &host->context);
        wrong += seen.self != &numbers[i] || strcmp(seen.what, "load") != 0;
        wrong += i > 0 && decl->superClassDecl != wrapped->schemaDecl->classDecls[i - 1];
    }
    for (unsigned i = classes; i-- > 0 && wrapped != NULL;) {
        const MI_ClassDecl *decl = wrapped->schemaDecl->classDecls[i];
        decl->providerFT->EnumerateInstances(selves[i], &host->context, "root", decl->name, NULL,
                                             MI_FALSE, NULL);
        wrong += seen.self != &numbers[i] || strcmp(seen.what, decl->name) != 0;
        for (unsigned k = 0; k < methods; k++) {
            char name[24];
            snprintf(name, sizeof(name), k % 2 == 0 ? "Method%u" : "METHOD%u", k);
            decl->methods[k]->function(selves[i], &host->context, "root", decl->name, name, NULL,
                                       NULL);
            wrong += seen.self != &numbers[i] || strcmp(seen.what, name) != 0;
        }
        decl->providerFT->Unload(selves[i], &host->context);
        wrong += seen.self != &numbers[i] || strcmp(seen.what, "unload") != 0;
    }
    if (wrapped != NULL) {
        wrapped->Unload(self, &host->context);
    }
    wrong += slots_in_use(&guarded_contexts) != 0;
    check(wrong == 0, what);
    free(selves);
    end_module(made);
}

/* More modules at one time than Load functions are compiled in. */
static void check_modules(unsigned count)
{
    struct made **made = calloc(count, sizeof(*made));
    MI_Module **wrapped = calloc(count, sizeof(*wrapped));
    MI_Module_Self **selves = calloc(count, sizeof(*selves));
    unsigned wrong = 0;

    for (unsigned i = 0; i < count; i++) {
        made[i] = make_module(1, 0);
        made[i]->names[0][0] = (char)('A' + i % 26);
        wrapped[i] = miguard_wrap_module(i % 2 == 0 ? &server : NULL, &made[i]->module);
        wrong += wrapped[i] == NULL ||
                 wrapped[i]->schemaDecl->classDecls[0]->name != made[i]->classes[0].name;
        selves[i] = wrapped[i] != NULL ? load_it(wrapped[i]) : NULL;
    }
    for (unsigned i = 0; i < count && wrong == 0; i++) {
        void *self = NULL;
        next_number = i % MOST_CLASSES;
        const MI_ClassDecl *decl = wrapped[i]->schemaDecl->classDecls[0];
        decl->providerFT->Load(&self, selves[i], &host->context);
        decl->providerFT->EnumerateInstances(self, &host->context, "root", decl->name, NULL,
                                             MI_FALSE, NULL);
        wrong += seen.self != &numbers[next_number] || seen.what[0] != 'A' + (char)(i % 26);
        decl->providerFT->Unload(self, &host->context);
        wrong += miguard_wrap_module(&server, &made[i]->module) != wrapped[i];
        wrong += miguard_wrap_module(&server, wrapped[i]) != wrapped[i];
    }
    for (unsigned i = 0; i < count; i++) {
        if (wrapped[i] != NULL) {
            wrapped[i]->Unload(selves[i], &host->context);
        }
        end_module(made[i]);
    }
    check(wrong == 0, "200 modules at one time");
    free(made);
    free(wrapped);
    free(selves);
}

/* ---- declarations that cannot be ----------------------------------------------------------------
 */

static void break_null_class(struct made *made)
{
    made->list[1] = NULL;
}

static void break_null_list(struct made *made)
{
    made->schema.classDecls = NULL;
}

static void break_null_methods(struct made *made)
{
    made->classes[1].methods = NULL;
}

static void break_null_method(struct made *made)
{
    made->method_list[1] = NULL;
}

static void break_method_name(struct made *made)
{
    made->methods[1].name = NULL;
}

static void break_major(struct made *made)
{
    made->module.version = MI_MAKE_VERSION(2, 0, 0);
}

static void break_char_size(struct made *made)
{
    made->module.charSize = 2;
}

static void keep_no_schema(struct made *made)
{
    made->module.schemaDecl = NULL;
}

static void keep_super_of_itself(struct made *made)
{
    made->classes[0].superClassDecl = &made->classes[2];
    made->classes[2].superClassDecl = &made->classes[0];
}

static void keep_same_class_twice(struct made *made)
{
    made->list[2] = made->list[1];
}

static void keep_same_name_twice(struct made *made)
{
    made->classes[2].name = made->classes[1].name;
    made->methods[2].name = made->methods[1].name;
}

static void keep_no_names(struct made *made)
{
    made->classes[1].name = NULL;
}

static void keep_no_providers(struct made *made)
{
    made->classes[0].providerFT = made->classes[1].providerFT = NULL;
}

static void keep_no_loads(struct made *made)
{
    made->module.Load = NULL;
    made->module.Unload = NULL;
}

static const struct {
    const char *what;
    void (*change)(struct made *);
    bool wrapped;
} shapes[] = {
    {"a class is NULL", break_null_class, false},
    {"the list of classes is NULL", break_null_list, false},
    {"the list of methods is NULL", break_null_methods, false},
    {"a method is NULL", break_null_method, false},
    {"a method has no name", break_method_name, false},
    {"another major version", break_major, false},
    {"another size of characters", break_char_size, false},
    {"no schema", keep_no_schema, true},
    {"superclasses in a circle", keep_super_of_itself, true},
    {"a class twice", keep_same_class_twice, true},
    {"a name twice", keep_same_name_twice, true},
    {"a class without a name", keep_no_names, true},
    {"classes without providers", keep_no_providers, true},
    {"a module without Load", keep_no_loads, true},
};

static void check_shapes(void)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct made *made = make_module(4, 4);
        shapes[i].change(made);
        MI_Module *wrapped = miguard_wrap_module(&server, &made->module);
        check((wrapped != NULL) == shapes[i].wrapped, shapes[i].what);
        if (wrapped != NULL) { /* leaves its place */
            wrapped->Unload(load_it(wrapped), &host->context);
        }
        end_module(made);
    }
    check(miguard_wrap_module(&server, NULL) == NULL, "no module");
}

/* Of two methods of one name a host takes the first. */
static void check_first_method(void)
{
    struct made *made = make_module(1, 4);
    void *self = NULL;

    made->methods[3].name = made->methods[2].name = made->methods[1].name;
    made->methods[2].function = made->methods[3].function = NULL;
    MI_Module *wrapped = miguard_wrap_module(&server, &made->module);
    MI_Module_Self *module = load_it(wrapped);
    const MI_ClassDecl *decl = wrapped->schemaDecl->classDecls[0];
    decl->providerFT->Load(&self, module, &host->context);
    decl->methods[1]->function(self, &host->context, "root", "Class0", "method1", NULL, NULL);
    check(strcmp(seen.what, "method1") == 0, "of two methods of one name the first");
    host->posted = MI_RESULT_OK;
    decl->methods[1]->function(self, &host->context, "root", "Class0", "None", NULL, NULL);
    check(host->posted == MI_RESULT_METHOD_NOT_FOUND, "a method that is not there");
    decl->methods[1]->function(self, &host->context, "root", "Class0", NULL, NULL, NULL);
    check(host->posted == MI_RESULT_METHOD_NOT_FOUND, "a method without a name");
    decl->providerFT->Unload(self, &host->context);
    wrapped->Unload(module, &host->context);
    end_module(made);
}

/* What a host does that loads nothing. */
static void check_without_load(void)
{
    struct made *made = make_module(1, 1);
    MI_Module *wrapped = miguard_wrap_module(&server, &made->module);
    const MI_ClassDecl *decl = wrapped->schemaDecl->classDecls[0];
    void *self = NULL;

    seen.count = 0;
    decl->providerFT->Load(&self, NULL, &host->context);
    check(host->posted == MI_RESULT_FAILED && seen.count == 0, "a class without its module");
    decl->providerFT->EnumerateInstances(NULL, &host->context, "root", "Class0", NULL, MI_FALSE,
                                         NULL);
    check(host->posted == MI_RESULT_FAILED && seen.count == 0, "a request without Load");
    decl->providerFT->Unload(NULL, &host->context);
    wrapped->Unload(NULL, &host->context);
    check(host->posted == MI_RESULT_OK && seen.count == 0, "Unload without Load");
    wrapped->Unload(load_it(wrapped), &host->context);
    end_module(made);
}

/* ---- versions -----------------------------------------------------------------------------------
 */

/* Versions of module and host, 0: no server; and what the host is given. */
static const struct {
    MI_Uint32 module, host, given;
} versions[] = {
    {0x10000, 0x10000, 0x10000}, {0x10000, 0x10100, 0x10000}, {0x10100, 0x10100, 0x10100},
    {0x10100, 0x10000, 0x10000}, {0x10205, 0x10100, 0x10100}, {0x10205, 0x10000, 0x10000},
    {0x10100, 0, 0x10000},       {0x10000, 0, 0x10000},       {0x1FFFF, 0, 0x10000},
    {0x00900, 0x10000, 0x00900}, {0x10100, 0x20000, 0x10100},
};

static MI_Result MI_CALL get_lifecycle(const MI_Context *context,
                                       MI_LifecycleIndicationContext **lifecycle)
{
    static MI_LifecycleIndicationContext given;
    (void)context;
    *lifecycle = &given;
    return MI_RESULT_OK;
}

/* A host of version 1.0 has no such slot: what is behind its table must not be called. */
static MI_Result ask_lifecycle(MI_Context *context)
{
    MI_LifecycleIndicationContext *lifecycle = NULL;
    MI_Result result = MI_Context_GetLifecycleIndicationContext(context, &lifecycle);
    return (result == MI_RESULT_OK) == (lifecycle != NULL) ? result : MI_RESULT_FAILED;
}

static MI_Result asked;

static void MI_CALL load_that_asks(MI_Module_Self **self, MI_Context *context)
{
    (void)self;
    asked = ask_lifecycle(context);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void check_versions(void)
{
    MI_ContextFT table = *host->context.ft;
    const MI_ContextFT *before = host->context.ft;

    table.GetLifecycleIndicationContext = get_lifecycle;
    host->context.ft = &table;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct made *made = make_module(1, 0);
        char what[96];
        host_version = versions[i].host;
        made->module.version = versions[i].module;
        made->module.Load = load_that_asks;
        MI_Module *wrapped =
            miguard_wrap_module(versions[i].host != 0 ? &server : NULL, &made->module);
        snprintf(what, sizeof(what), "a module of %x under a host of %x", versions[i].module,
                 versions[i].host);
        check(wrapped != NULL && wrapped->version == versions[i].given, what);
        MI_Module_Self *self = wrapped != NULL ? load_it(wrapped) : NULL;
        snprintf(what, sizeof(what), "a lifecycle context of a host of %x", versions[i].host);
        check(asked == (versions[i].host >= 0x10100 ? MI_RESULT_OK : MI_RESULT_NOT_SUPPORTED),
              what);
        if (wrapped != NULL) {
            wrapped->Unload(self, &host->context);
        }
        end_module(made);
    }
    host->context.ft = before;
    host_version = MI_VERSION;
}

/* A module of a later version may call a slot that is not known here. */
static void check_later_slots(void)
{
    MI_Context *context = NULL;
    const void *const *slots;
    MI_Result (*later)(const MI_Context *) = NULL;

    check(miguard_guard_context(&host->context, &context) == MI_RESULT_OK, "a context");
    slots = (const void *const *)(const void *)context->ft;
    for (size_t i = sizeof(MI_ContextFT) / sizeof(void *);
         i < sizeof(MI_ContextFT) / sizeof(void *) + 32; i++) {
        memcpy(&later, &slots[i], sizeof(later));
        check(later(context) == MI_RESULT_NOT_SUPPORTED, "a slot of a later version");
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* ---- contexts
 * ------------------------------------------------------------------------------------ */

/* A Load that never posts, on a context that its host then uses again: the next call is another
 * one, and what the provider kept of the first is dead. */
static void check_silent_load(void)
{
    struct made *made = make_module(1, 0);
    MI_Module *wrapped = miguard_wrap_module(&server, &made->module);
    const MI_ClassDecl *decl = wrapped->schemaDecl->classDecls[0];
    void *self = NULL;

    posts = false;
    MI_Module_Self *module = load_it(wrapped);
    MI_Context *of_module = seen.context;
    decl->providerFT->Load(&self, module, &host->context);
    MI_Context *of_class = seen.context;
    check(of_module != of_class, "the context of another Load is another one");
    posts = true;
    unsigned long before = host->final_posts;
    check(MI_Context_PostResult(of_module, MI_RESULT_OK) == MI_RESULT_INVALID_PARAMETER &&
              host->final_posts == before,
          "a Load that posts after its context ended reaches no host");
    decl->providerFT->EnumerateInstances(self, &host->context, "root", "Class0", NULL, MI_FALSE,
                                         NULL);
    check(host->final_posts == before + 1, "a request after it is answered");
    check(MI_Context_PostResult(of_class, MI_RESULT_OK) == MI_RESULT_INVALID_PARAMETER,
          "the same of the class's");
    decl->providerFT->Unload(self, &host->context);
    wrapped->Unload(module, &host->context);
    check(slots_in_use(&guarded_contexts) == 0, "nothing is left of it");
    end_module(made);
}

/* The context of EnableIndications is used until the final post of DisableIndications. how: 0 by
 * that, 1 by the provider's own post, 2 by Unload, 3 by DisableIndications on the same context. */
static void check_indications(int how)
{
    struct stub_host *second = stub_host_new();
    struct made *made = make_module(2, 0);
    MI_Module *wrapped = miguard_wrap_module(&server, &made->module);
    const MI_ClassDecl *decl = wrapped->schemaDecl->classDecls[0];
    MI_Instance instance = {.ft = NULL};
    MI_Context *other = how == 3 ? &second->context : &host->context;
    void *self = NULL;

    MI_Module_Self *module = load_it(wrapped);
    decl->providerFT->Load(&self, module, &host->context);
    decl->providerFT->EnableIndications(self, &second->context, "root", "Class0");
    MI_Context *kept = seen.context;
    for (int i = 0; i < 3; i++) {
        decl->providerFT->EnumerateInstances(self, &host->context, "root", "Class0", NULL, MI_FALSE,
                                             NULL);
        check(MI_Context_PostInstance(kept, &instance) == MI_RESULT_OK &&
                  second->posts == (unsigned long)i + 1,
              "a post on it between requests");
    }
    check(second->final_posts == 0, "it has no final post");
    if (how == 1) {
        MI_Context_PostResult(kept, MI_RESULT_FAILED);
    }
    if (how != 2) {
        decl->providerFT->DisableIndications(self, other, "ROOT", "class0");
        check(strcmp(seen.what, "disable") == 0, "DisableIndications reaches the provider");
    }
    decl->providerFT->Unload(self, &host->context);
    check(MI_Context_PostInstance(kept, &instance) == MI_RESULT_INVALID_PARAMETER &&
              second->posts == 3,
          "a post after its end reaches no host");
    check(second->final_posts == (how == 1 || how == 3 ? 1 : 0),
          "its host gets no post that it did not ask for");
    wrapped->Unload(module, &host->context);
    check(slots_in_use(&guarded_contexts) == 0, "its guard is gone");
    stub_host_free(second);
    end_module(made);
}

/* ---- memory, loading again, thunks
 * --------------------------------------------------------------- */

static void check_memory(void)
{
    long nth = 0;
    bool wrapped_one = false, wrong = false;

    for (; nth < 64 && !wrapped_one; nth++) {
        struct made *made = make_module(3, 3);
        countdown = nth;
        failed = false;
        MI_Module *wrapped = miguard_wrap_module(&server, &made->module);
        bool met = failed;
        countdown = -1;
        wrong = wrong || (wrapped == NULL) != met;
        wrapped_one = wrapped != NULL;
        if (wrapped != NULL) {
            wrapped->Unload(load_it(wrapped), &host->context);
        }
        end_module(made);
    }
    check(!wrong && wrapped_one && nth > 5, "each lack of memory refuses the whole module");
}

static void check_again(void)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < 1000; i++) {
        struct made *made = make_module(1 + i % 5, 1);
        MI_Module *wrapped = miguard_wrap_module(i % 3 == 0 ? NULL : &server, &made->module);
        void *self = NULL;
        MI_Module_Self *module = wrapped != NULL ? load_it(wrapped) : NULL;
        next_number = i;
        for (unsigned k = 0; k < 3 && wrapped != NULL; k++) { /* idle classes are unloaded */
            const MI_ClassDecl *decl = wrapped->schemaDecl->classDecls[i % 5 / 2];
            decl->providerFT->Load(&self, module, &host->context);
            wrong += seen.self != &numbers[i];
            decl->providerFT->Unload(self, &host->context);
        }
        if (wrapped != NULL) {
            wrapped->Unload(module, &host->context);
        }
        wrong += wrapped == NULL;
        end_module(made);
    }
    check(wrong == 0, "1,000 modules one after another, each class loaded three times");
}

static unsigned long thunk_sum;

static void add(uintptr_t number, void *first, void *second, void *third)
{
    thunk_sum = number * 1000 + (uintptr_t)first * 100 + (uintptr_t)second * 10 + (uintptr_t)third;
}

static struct thunks thunks = {.function = add};

static void check_thunks(void)
{
    unsigned wrong = 0;

    for (uintptr_t i = 0; i < 1000; i++) {
        const char *why = "?";
        void (*function)(uintptr_t, uintptr_t, uintptr_t) = NULL;
        void *thunk = thunk_for(&thunks, i, &why);
        memcpy(&function, &thunk, sizeof(function));
        if (thunk == NULL) {
            printf("    %s\n", why);
            wrong++;
            break;
        }
        function(1, 2, 3);
        wrong += thunk_sum != i * 1000 + 123 || thunk_for(&thunks, i, &why) != thunk;
    }
    check(wrong == 0, "1,000 thunks");
}

/* What a thunk calls lies one page behind it, and must not be another's to choose. */
static void check_thunk_data(void)
{
#if defined(__aarch64__)
    enum { THUNK_PAGE = 65536 };
#else
    enum { THUNK_PAGE = 4096 };
#endif
    const char *why = "?";
    char *thunk = thunk_for(&thunks, 1, &why);
    int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    check(thunk != NULL && zeros >= 0 && read(zeros, thunk, 1) == -1 && errno == EFAULT,
          "the code of a thunk cannot be written");
    check(thunk != NULL && zeros >= 0 && read(zeros, thunk + THUNK_PAGE, 1) == -1 &&
              errno == EFAULT,
          "nor what it calls");
    close(zeros);
}

/* PR_SET_MDWE, of Linux 6.3, forbids memory that is or was writable to be executed. */
static void check_thunks_without_code(void)
{
    enum { SET_MDWE = 65, REFUSE_EXEC_GAIN = 1 };
    int status = -1;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        const char *why = "?";
        if (prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0) {
            _exit(2);
        }
        bool made = true;
        for (uintptr_t i = 5000; i < 5600; i++) {
            made = made && thunk_for(&thunks, i, &why) != NULL;
        }
        _exit(made ? 0 : 1);
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
        printf("skip: thunks where no memory becomes code: no PR_SET_MDWE in this kernel\n");
        return;
    }
    check(status == 0, "thunks where no memory becomes code");
}

int main(void)
{
    log_start();
    host = stub_host_new();
    check_classes(1, 1, "one class");
    check_classes(300, 3, "300 classes");
    check_classes(2, MOST_METHODS, "40 methods");
    check_classes(MOST_CLASSES, 1, "1,500 classes, of which 988 need thunks");
    check_modules(200);
    check_shapes();
    check_first_method();
    check_without_load();
    check_versions();
    check_later_slots();
    check_silent_load();
    for (int how = 0; how < 4; how++) {
        check_indications(how);
    }
    check_memory();
    check_again();
    check_thunks();
    check_thunk_data();
    check_thunks_without_code();
    stub_host_free(host);
    printf("%u passed, %u failed\n", passed, failures);
    return failures == 0 ? 0 : 1;
}
