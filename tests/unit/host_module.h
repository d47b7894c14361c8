/* SPDX-License-Identifier: MIT */
/*
 * A provider module for the host's tests, declared as a generator would:
 *
 *   T_Base (abstract) <- T_Widget <- T_Gadget (no GetInstance of its own) <- T_Idea (abstract)
 *   T_Bare    a provider with no function at all
 *   T_Hollow  a class without a provider
 *   T_Link    an association of two T_Base
 *   any other class: the dynamic provider
 *
 * What T_Widget does is in hooks that a test sets; each has a default.
 */
#ifndef TESTS_UNIT_HOST_MODULE_H
#define TESTS_UNIT_HOST_MODULE_H

#include <MI.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "miguard/host.h"

#define SPACE    "root/test"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct widget {
    MI_Instance instance;
    MI_ConstStringField Id;
    MI_ConstUint32Field Count;
};

struct gadget {
    MI_Instance instance;
    MI_ConstStringField Id;
    MI_ConstUint32Field Count;
    MI_ConstUint32Field Weight;
};

struct add {
    MI_Instance instance;
    MI_ConstUint32Field MIReturn;
    MI_ConstUint32Field A;
    MI_ConstUint32Field B;
    MI_ConstUint32Field Difference;
};

/* What happened, in order. */
static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;
static char trace[4096];

static void note(const char *what)
{
    pthread_mutex_lock(&trace_lock);
    size_t length = strlen(trace);
    snprintf(trace + length, sizeof(trace) - length, "%s ", what);
    pthread_mutex_unlock(&trace_lock);
}

static struct {
    void (*get)(MI_Context *context, const struct widget *key);
    void (*enumerate)(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only);
    void (*create)(MI_Context *context, const struct widget *instance);
    void (*modify)(MI_Context *context, const struct widget *instance, const MI_PropertySet *set);
    void (*touch)(MI_Context *context, const struct widget *instance);
    void (*load)(void **self, MI_Context *context);
    void (*unload)(MI_Context *context);
    void (*module_load)(MI_Module_Self **self, MI_Context *context);
    void (*module_unload)(MI_Context *context);
} hooks;

/* ---- declarations ------------------------------------------------------------------------ */

static MI_Uint32 code_of(const char *name)
{
    size_t length = strlen(name);
    MI_Uint32 first = (MI_Uint32)(name[0] | 0x20), last = (MI_Uint32)(name[length - 1] | 0x20);
    return first << 16 | last << 8 | (MI_Uint32)length;
}

static MI_PropertyDecl id_decl = {.flags = MI_FLAG_PROPERTY | MI_FLAG_KEY,
                                  .name = "Id",
                                  .type = MI_STRING,
                                  .offset = offsetof(struct widget, Id),
                                  .origin = "T_Base",
                                  .propagator = "T_Base"};
static MI_PropertyDecl count_decl = {.flags = MI_FLAG_PROPERTY,
                                     .name = "Count",
                                     .type = MI_UINT32,
                                     .offset = offsetof(struct widget, Count),
                                     .origin = "T_Widget",
                                     .propagator = "T_Widget"};
static MI_PropertyDecl weight_decl = {.flags = MI_FLAG_PROPERTY,
                                      .name = "Weight",
                                      .type = MI_UINT32,
                                      .offset = offsetof(struct gadget, Weight),
                                      .origin = "T_Gadget",
                                      .propagator = "T_Gadget"};
static const MI_PropertyDecl *const base_properties[] = {&id_decl};
static const MI_PropertyDecl *const widget_properties[] = {&id_decl, &count_decl};
static const MI_PropertyDecl *const gadget_properties[] = {&id_decl, &count_decl, &weight_decl};

static MI_ParameterDecl return_decl = {.flags = MI_FLAG_PARAMETER | MI_FLAG_OUT,
                                       .name = "MIReturn",
                                       .type = MI_UINT32,
                                       .offset = offsetof(struct add, MIReturn)};
static MI_ParameterDecl a_decl = {.flags = MI_FLAG_PARAMETER | MI_FLAG_IN,
                                  .name = "A",
                                  .type = MI_UINT32,
                                  .offset = offsetof(struct add, A)};
static MI_ParameterDecl b_decl = {.flags = MI_FLAG_PARAMETER | MI_FLAG_IN,
                                  .name = "B",
                                  .type = MI_UINT32,
                                  .offset = offsetof(struct add, B)};
static MI_ParameterDecl difference_decl = {.flags = MI_FLAG_PARAMETER | MI_FLAG_OUT,
                                           .name = "Difference",
                                           .type = MI_UINT32,
                                           .offset = offsetof(struct add, Difference)};
/* As generators declare it: it is posted by itself, and has no place among the others. */
static MI_ParameterDecl stream_decl = {.flags = MI_FLAG_PARAMETER | MI_FLAG_OUT | MI_FLAG_STREAM,
                                       .name = "Lines",
                                       .type = MI_STRINGA,
                                       .offset = UINT32_MAX};
static const MI_ParameterDecl *const watch_parameters[] = {&return_decl, &stream_decl};
static const MI_ParameterDecl *const add_parameters[] = {&return_decl, &a_decl, &b_decl,
                                                         &difference_decl};

static MI_SchemaDecl test_schema;
static MI_ClassDecl base_decl, widget_decl, gadget_decl, idea_decl, bare_decl, hollow_decl,
    link_decl;

struct link {
    MI_Instance instance;
    MI_ConstReferenceField End;
    MI_ConstReferenceField Other;
};

static MI_PropertyDecl end_decl = {.flags = MI_FLAG_PROPERTY | MI_FLAG_KEY | MI_FLAG_REFERENCE,
                                   .name = "End",
                                   .type = MI_REFERENCE,
                                   .className = "T_Base",
                                   .offset = offsetof(struct link, End),
                                   .origin = "T_Link",
                                   .propagator = "T_Link"};
static MI_PropertyDecl other_decl = {.flags = MI_FLAG_PROPERTY | MI_FLAG_KEY | MI_FLAG_REFERENCE,
                                     .name = "Other",
                                     .type = MI_REFERENCE,
                                     .className = "T_Base",
                                     .offset = offsetof(struct link, Other),
                                     .origin = "T_Link",
                                     .propagator = "T_Link"};
static const MI_PropertyDecl *const link_properties[] = {&end_decl, &other_decl};

static void add_method(void *self, MI_Context *context, const MI_Char *name_space,
                       const MI_Char *class_name, const MI_Char *method_name,
                       const MI_Instance *instance, const MI_Instance *parameters);
static void touch_method(void *self, MI_Context *context, const MI_Char *name_space,
                         const MI_Char *class_name, const MI_Char *method_name,
                         const MI_Instance *instance, const MI_Instance *parameters);

static MI_MethodDecl add_decl = {.flags = MI_FLAG_METHOD | MI_FLAG_STATIC,
                                 .name = "Add",
                                 .parameters = add_parameters,
                                 .numParameters = COUNT(add_parameters),
                                 .size = sizeof(struct add),
                                 .returnType = MI_UINT32,
                                 .origin = "T_Widget",
                                 .propagator = "T_Widget",
                                 .schema = &test_schema,
                                 .function = add_method};
static MI_MethodDecl touch_decl = {.flags = MI_FLAG_METHOD,
                                   .name = "Touch",
                                   .parameters = add_parameters,
                                   .numParameters = COUNT(add_parameters),
                                   .size = sizeof(struct add),
                                   .returnType = MI_UINT32,
                                   .origin = "T_Widget",
                                   .propagator = "T_Widget",
                                   .schema = &test_schema,
                                   .function = touch_method};
static MI_MethodDecl absent_decl = {.flags = MI_FLAG_METHOD | MI_FLAG_STATIC,
                                    .name = "Absent",
                                    .parameters = add_parameters,
                                    .numParameters = COUNT(add_parameters),
                                    .size = sizeof(struct add),
                                    .returnType = MI_UINT32,
                                    .origin = "T_Widget",
                                    .propagator = "T_Widget",
                                    .schema = &test_schema};
static MI_MethodDecl watch_decl = {.flags = MI_FLAG_METHOD | MI_FLAG_STATIC,
                                   .name = "Watch",
                                   .parameters = watch_parameters,
                                   .numParameters = COUNT(watch_parameters),
                                   .size = sizeof(struct add),
                                   .returnType = MI_UINT32,
                                   .origin = "T_Widget",
                                   .propagator = "T_Widget",
                                   .schema = &test_schema,
                                   .function = add_method};
static const MI_MethodDecl *const widget_methods[] = {&add_decl, &touch_decl, &absent_decl,
                                                      &watch_decl};

/* ---- T_Widget ---------------------------------------------------------------------------- */

static MI_Result post_widget(MI_Context *context, const MI_ClassDecl *decl, const char *id,
                             MI_Uint32 count)
{
    struct gadget gadget; /* the larger of the two */
    MI_Value value;

    if (MI_Context_ConstructInstance(context, decl, &gadget.instance) != MI_RESULT_OK) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    value.string = (MI_Char *)(uintptr_t)id;
    if (id != NULL &&
        MI_Instance_SetElementAt(&gadget.instance, 0, &value, MI_STRING, 0) != MI_RESULT_OK) {
        MI_Instance_Destruct(&gadget.instance);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    gadget.Count.value = count;
    gadget.Count.exists = MI_TRUE;
    if (decl == &gadget_decl) {
        gadget.Weight.value = count * 10;
        gadget.Weight.exists = MI_TRUE;
    }
    MI_Result result = MI_Context_PostInstance(context, &gadget.instance);
    MI_Instance_Destruct(&gadget.instance);
    return result;
}

static void widget_load(void **self, MI_Module_Self *module, MI_Context *context)
{
    (void)module;
    note("widget-load");
    if (hooks.load != NULL) {
        hooks.load(self, context);
        return;
    }
    *self = &widget_decl;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void widget_unload(void *self, MI_Context *context)
{
    (void)self;
    note("widget-unload");
    if (hooks.unload != NULL) {
        hooks.unload(context);
        return;
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void widget_get(void *self, MI_Context *context, const MI_Char *name_space,
                       const MI_Char *class_name, const MI_Instance *key, const MI_PropertySet *set)
{
    const struct widget *widget = (const struct widget *)(const void *)key;
    (void)self;
    (void)name_space;
    (void)class_name;
    (void)set;
    if (hooks.get != NULL) {
        hooks.get(context, widget);
        return;
    }
    if (strcmp(widget->Id.value, "none") == 0) {
        MI_Context_PostResult(context, MI_RESULT_NOT_FOUND);
        return;
    }
    MI_Result result =
        post_widget(context, &widget_decl, widget->Id.value, (MI_Uint32)strlen(widget->Id.value));
    MI_Context_PostResult(context, result);
}

static void widget_enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                             const MI_Char *class_name, const MI_PropertySet *set,
                             MI_Boolean keys_only, const MI_Filter *filter)
{
    (void)self;
    (void)name_space;
    (void)class_name;
    (void)filter;
    if (hooks.enumerate != NULL) {
        hooks.enumerate(context, set, keys_only);
        return;
    }
    MI_Result result = post_widget(context, &widget_decl, "w1", 1);
    if (result == MI_RESULT_OK) {
        result = post_widget(context, &widget_decl, "w2", 2);
    }
    MI_Context_PostResult(context, result);
}

static void widget_create(void *self, MI_Context *context, const MI_Char *name_space,
                          const MI_Char *class_name, const MI_Instance *instance)
{
    const struct widget *widget = (const struct widget *)(const void *)instance;
    (void)self;
    (void)name_space;
    (void)class_name;
    if (hooks.create != NULL) {
        hooks.create(context, widget);
        return;
    }
    const char *id = widget->Id.exists ? widget->Id.value : "made";
    MI_Context_PostResult(context, post_widget(context, &widget_decl, id, 0));
}

static void widget_modify(void *self, MI_Context *context, const MI_Char *name_space,
                          const MI_Char *class_name, const MI_Instance *instance,
                          const MI_PropertySet *set)
{
    (void)self;
    (void)name_space;
    (void)class_name;
    if (hooks.modify != NULL) {
        hooks.modify(context, (const struct widget *)(const void *)instance, set);
        return;
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void widget_delete(void *self, MI_Context *context, const MI_Char *name_space,
                          const MI_Char *class_name, const MI_Instance *instance)
{
    const struct widget *widget = (const struct widget *)(const void *)instance;
    (void)self;
    (void)name_space;
    (void)class_name;
    bool none = strcmp(widget->Id.value, "none") == 0;
    MI_Context_PostResult(context, none ? MI_RESULT_NOT_FOUND : MI_RESULT_OK);
}

static void post_sum(MI_Context *context, const MI_MethodDecl *decl, MI_Uint32 sum,
                     MI_Uint32 difference)
{
    struct add out;

    MI_Result result = MI_Context_ConstructParameters(context, decl, &out.instance);
    if (result != MI_RESULT_OK) {
        MI_Context_PostResult(context, result);
        return;
    }
    out.MIReturn.value = sum;
    out.MIReturn.exists = MI_TRUE;
    out.Difference.value = difference;
    out.Difference.exists = MI_TRUE;
    result = MI_Context_PostInstance(context, &out.instance);
    MI_Instance_Destruct(&out.instance);
    MI_Context_PostResult(context, result);
}

static void add_method(void *self, MI_Context *context, const MI_Char *name_space,
                       const MI_Char *class_name, const MI_Char *method_name,
                       const MI_Instance *instance, const MI_Instance *parameters)
{
    const struct add *in = (const struct add *)(const void *)parameters;
    (void)self;
    (void)name_space;
    (void)class_name;
    (void)method_name;
    (void)instance;
    MI_Uint32 a = in->A.exists ? in->A.value : 0, b = in->B.exists ? in->B.value : 0;
    post_sum(context, &add_decl, a + b, a - b);
}

static void touch_method(void *self, MI_Context *context, const MI_Char *name_space,
                         const MI_Char *class_name, const MI_Char *method_name,
                         const MI_Instance *instance, const MI_Instance *parameters)
{
    (void)self;
    (void)name_space;
    (void)class_name;
    (void)method_name;
    (void)parameters;
    if (hooks.touch != NULL) {
        hooks.touch(context, (const struct widget *)(const void *)instance);
        return;
    }
    post_sum(context, &touch_decl, 1, 0);
}

/* ---- T_Gadget and the dynamic provider --------------------------------------------------- */

static void gadget_load(void **self, MI_Module_Self *module, MI_Context *context)
{
    (void)self;
    (void)module;
    note("gadget-load");
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void gadget_unload(void *self, MI_Context *context)
{
    (void)self;
    note("gadget-unload");
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void gadget_enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                             const MI_Char *class_name, const MI_PropertySet *set,
                             MI_Boolean keys_only, const MI_Filter *filter)
{
    (void)self;
    (void)name_space;
    (void)class_name;
    (void)set;
    (void)keys_only;
    (void)filter;
    MI_Result result = post_widget(context, &gadget_decl, "g1", 1);
    if (result == MI_RESULT_OK) {
        result = post_widget(context, &gadget_decl, "g2", 2);
    }
    MI_Context_PostResult(context, result);
}

static MI_Result post_dynamic(MI_Context *context, const char *class_name, const char *id)
{
    MI_Instance *instance = NULL;
    MI_Value value;

    MI_Result result = MI_Context_NewDynamicInstance(context, class_name, 0, &instance);
    if (result != MI_RESULT_OK) {
        return result;
    }
    value.string = (MI_Char *)(uintptr_t)id;
    result = MI_Instance_AddElement(instance, "Id", &value, MI_STRING, MI_FLAG_KEY);
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, instance);
    }
    MI_Instance_Delete(instance);
    return result;
}

static void dynamic_get(void *self, MI_Context *context, const MI_Char *name_space,
                        const MI_Char *class_name, const MI_Instance *key,
                        const MI_PropertySet *set)
{
    MI_Value value;
    (void)self;
    (void)name_space;
    (void)set;
    if (MI_Instance_GetElement(key, "Id", &value, NULL, NULL, NULL) != MI_RESULT_OK) {
        MI_Context_PostResult(context, MI_RESULT_NOT_FOUND);
        return;
    }
    MI_Context_PostResult(context, post_dynamic(context, class_name, value.string));
}

static void dynamic_enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                              const MI_Char *class_name, const MI_PropertySet *set,
                              MI_Boolean keys_only, const MI_Filter *filter)
{
    (void)self;
    (void)name_space;
    (void)set;
    (void)keys_only;
    (void)filter;
    MI_Context_PostResult(context, post_dynamic(context, class_name, "d1"));
}

static void dynamic_invoke(void *self, MI_Context *context, const MI_Char *name_space,
                           const MI_Char *class_name, const MI_Char *method_name,
                           const MI_Instance *instance, const MI_Instance *parameters)
{
    MI_Instance *out = NULL;
    MI_Value value;
    (void)self;
    (void)name_space;
    (void)class_name;
    (void)instance;
    (void)parameters;
    MI_Result result = MI_Context_NewDynamicInstance(context, method_name, MI_FLAG_METHOD, &out);
    value.uint32 = 77;
    if (result == MI_RESULT_OK) {
        result = MI_Instance_AddElement(out, "MIReturn", &value, MI_UINT32, 0);
    }
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, out);
    }
    if (out != NULL) {
        MI_Instance_Delete(out);
    }
    MI_Context_PostResult(context, result);
}

/* ---- the module -------------------------------------------------------------------------- */

static const MI_ProviderFT widget_ft = {.Load = widget_load,
                                        .Unload = widget_unload,
                                        .GetInstance = widget_get,
                                        .EnumerateInstances = widget_enumerate,
                                        .CreateInstance = widget_create,
                                        .ModifyInstance = widget_modify,
                                        .DeleteInstance = widget_delete};
static const MI_ProviderFT gadget_ft = {
    .Load = gadget_load, .Unload = gadget_unload, .EnumerateInstances = gadget_enumerate};
/* T_Link: the object itself is at its other end. */
static void link_associators(void *self, MI_Context *context, const MI_Char *name_space,
                             const MI_Char *class_name, const MI_Instance *object,
                             const MI_Char *result_class, const MI_Char *role,
                             const MI_Char *result_role, const MI_PropertySet *set,
                             MI_Boolean keys_only, const MI_Filter *filter)
{
    const struct widget *widget = (const struct widget *)(const void *)object;
    (void)self;
    (void)name_space;
    (void)class_name;
    (void)result_class;
    (void)role;
    (void)result_role;
    (void)set;
    (void)keys_only;
    (void)filter;
    MI_Context_PostResult(context, post_widget(context, &widget_decl, widget->Id.value, 1));
}

static void link_references(void *self, MI_Context *context, const MI_Char *name_space,
                            const MI_Char *class_name, const MI_Instance *object,
                            const MI_Char *role, const MI_PropertySet *set, MI_Boolean keys_only,
                            const MI_Filter *filter)
{
    (void)self;
    (void)name_space;
    (void)class_name;
    (void)object;
    (void)role;
    (void)set;
    (void)keys_only;
    (void)filter;
    MI_Context_PostResult(context, MI_RESULT_NOT_SUPPORTED);
}

static const MI_ProviderFT link_ft = {.AssociatorInstances = link_associators,
                                      .ReferenceInstances = link_references};
static const MI_ProviderFT bare_ft;
static const MI_ProviderFT dynamic_ft = {
    .GetInstance = dynamic_get, .EnumerateInstances = dynamic_enumerate, .Invoke = dynamic_invoke};

static const MI_ClassDecl *const test_classes[] = {
    &base_decl, &widget_decl, &gadget_decl, &idea_decl, &bare_decl, &hollow_decl, &link_decl};

static void test_module_load(MI_Module_Self **self, MI_Context *context)
{
    note("module-load");
    if (hooks.module_load != NULL) {
        hooks.module_load(self, context);
        return;
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void test_module_unload(MI_Module_Self *self, MI_Context *context)
{
    (void)self;
    note("module-unload");
    if (hooks.module_unload != NULL) {
        hooks.module_unload(context);
        return;
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_Module test_module;

static void declare(MI_ClassDecl *decl, const char *name, MI_Uint32 flags, MI_ClassDecl *super,
                    const MI_PropertyDecl *const *properties, MI_Uint32 property_count, size_t size,
                    const MI_ProviderFT *ft)
{
    *decl = (MI_ClassDecl){.flags = MI_FLAG_CLASS | flags,
                           .code = code_of(name),
                           .name = name,
                           .properties = properties,
                           .numProperties = property_count,
                           .size = (MI_Uint32)size,
                           .superClass = super == NULL ? NULL : super->name,
                           .superClassDecl = super,
                           .schema = &test_schema,
                           .providerFT = ft};
}

static MI_Module *test_main(MI_Server *server)
{
    MI_PropertyDecl *properties[] = {&id_decl, &count_decl, &weight_decl};
    MI_ParameterDecl *parameters[] = {&return_decl, &a_decl, &b_decl, &difference_decl};
    MI_MethodDecl *methods[] = {&add_decl, &touch_decl, &absent_decl};

    if (server == NULL || server->contextFT == NULL || server->filterFT == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < COUNT(properties); i++) {
        properties[i]->code = code_of(properties[i]->name);
    }
    for (size_t i = 0; i < COUNT(parameters); i++) {
        parameters[i]->code = code_of(parameters[i]->name);
    }
    for (size_t i = 0; i < COUNT(methods); i++) {
        methods[i]->code = code_of(methods[i]->name);
    }
    declare(&base_decl, "T_Base", MI_FLAG_ABSTRACT, NULL, base_properties, 1, sizeof(struct widget),
            NULL);
    declare(&widget_decl, "T_Widget", 0, &base_decl, widget_properties, 2, sizeof(struct widget),
            &widget_ft);
    widget_decl.methods = widget_methods;
    widget_decl.numMethods = COUNT(widget_methods);
    declare(&gadget_decl, "T_Gadget", 0, &widget_decl, gadget_properties, 3, sizeof(struct gadget),
            &gadget_ft);
    declare(&idea_decl, "T_Idea", MI_FLAG_ABSTRACT, &gadget_decl, gadget_properties, 3,
            sizeof(struct gadget), &gadget_ft);
    declare(&bare_decl, "T_Bare", 0, NULL, base_properties, 1, sizeof(struct widget), &bare_ft);
    declare(&hollow_decl, "T_Hollow", 0, NULL, base_properties, 1, sizeof(struct widget), NULL);
    declare(&link_decl, "T_Link", MI_FLAG_ASSOCIATION, NULL, link_properties, 2,
            sizeof(struct link), &link_ft);
    test_schema = (MI_SchemaDecl){.classDecls = test_classes, .numClassDecls = COUNT(test_classes)};
    test_module = (MI_Module){.version = MI_VERSION,
                              .charSize = sizeof(MI_Char),
                              .schemaDecl = &test_schema,
                              .Load = test_module_load,
                              .Unload = test_module_unload,
                              .dynamicProviderFT = &dynamic_ft};
    return &test_module;
}

/* ---- the client's side ------------------------------------------------------------------- */

static struct miguard_host *host;
static MI_Session session;
static MI_Application application;

/* A test that includes another one defines these to run it with every module wrapped. */
#ifndef TEST_WRAP
#define TEST_WRAP NULL
#define TEST_PREPARE()
#endif

/* False when it did not work. */
static inline bool start_host_idle(unsigned load_timeout_ms, unsigned idle_unload_ms)
{
    struct miguard_host_options options = {
        .wrap = TEST_WRAP, .load_timeout_ms = load_timeout_ms, .idle_unload_ms = idle_unload_ms};

    TEST_PREPARE();
    memset(&hooks, 0, sizeof(hooks));
    trace[0] = '\0';
    return miguard_host_new(&options, &host, NULL) == MIGUARD_OK &&
           miguard_host_add(host, test_main, SPACE, NULL) == MIGUARD_OK &&
           miguard_host_session(host, &session, NULL) == MIGUARD_OK &&
           MI_Session_GetApplication(&session, &application) == MI_RESULT_OK;
}

static inline bool start_host_with(unsigned load_timeout_ms)
{
    return start_host_idle(load_timeout_ms, 0);
}

static inline bool start_host(void)
{
    return start_host_with(2000);
}

static inline void stop_host(void)
{
    miguard_host_free(host);
    host = NULL;
}

/* A dynamic instance with the key Id; NULL for none. */
static inline MI_Instance *key(const char *class_name, const char *id)
{
    MI_Instance *instance = NULL;
    MI_Value value;

    if (MI_Application_NewInstance(&application, class_name, NULL, &instance) != MI_RESULT_OK) {
        return NULL;
    }
    value.string = (MI_Char *)(uintptr_t)id;
    if (id != NULL) {
        MI_Instance_AddElement(instance, "Id", &value, MI_STRING, MI_FLAG_KEY);
    }
    return instance;
}

static inline MI_Uint32 number(const MI_Instance *instance, const char *name)
{
    MI_Value value;
    MI_Uint32 flags = 0;
    MI_Type type;

    if (instance == NULL ||
        MI_Instance_GetElement(instance, name, &value, &type, &flags, NULL) != MI_RESULT_OK ||
        type != MI_UINT32 || (flags & MI_FLAG_NULL) != 0) {
        return 999999;
    }
    return value.uint32;
}

/* Fetches all, with the Ids one after the other in ids, and closes. The final result. */
static inline MI_Result drain(MI_Operation *operation, char *ids, size_t size)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;
    MI_Value value;

    ids[0] = '\0';
    while (more) {
        if (MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL) !=
            MI_RESULT_OK) {
            return (MI_Result)-1;
        }
        if (instance != NULL &&
            MI_Instance_GetElement(instance, "Id", &value, NULL, NULL, NULL) == MI_RESULT_OK) {
            size_t length = strlen(ids);
            snprintf(ids + length, size - length, "%s ", value.string);
        }
    }
    if (MI_Operation_Close(operation) != MI_RESULT_OK) {
        return (MI_Result)-2;
    }
    return result;
}

static inline MI_Result get(MI_Session *from, const char *class_name, const char *id, char *ids,
                            size_t size)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *instance = key(class_name, id);

    MI_Session_GetInstance(from, 0, NULL, SPACE, instance, NULL, &operation);
    MI_Instance_Delete(instance);
    return drain(&operation, ids, size);
}

static inline void nap(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

uint32_t operation_in_use(void);

/* The thread of an operation ends a moment after its client has got the last result. */
static inline bool no_operation_left(void)
{
    for (int i = 0; i < 60000 && operation_in_use() > 0; i++) {
        nap(1);
    }
    return operation_in_use() == 0;
}

#endif
