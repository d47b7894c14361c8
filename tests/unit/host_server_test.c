/* SPDX-License-Identifier: MIT */
/* The embedded server: modules, dispatch, polymorphism, unloading. */
#include "host_module.h"

#include <check.h>

#include "host/server/host.h"

static char ids[256];

/* ---- modules ----------------------------------------------------------------------------- */

static MI_Module *main_null(MI_Server *server)
{
    (void)server;
    return NULL;
}

static MI_Module *main_newer(MI_Server *server)
{
    MI_Module *module = test_main(server);
    module->version = MI_MAKE_VERSION(MI_MAJOR + 1, 0, 0);
    return module;
}

static MI_Module *main_wide(MI_Server *server)
{
    MI_Module *module = test_main(server);
    module->charSize = 4;
    return module;
}

static MI_Module *main_bad_class(MI_Server *server)
{
    MI_Module *module = test_main(server);
    widget_decl.name = NULL;
    return module;
}

static MI_Module *main_bad_method(MI_Server *server)
{
    static MI_MethodDecl bad = {.flags = MI_FLAG_METHOD, .name = "Bad", .size = 1};
    static const MI_MethodDecl *const methods[] = {&bad};
    MI_Module *module = test_main(server);
    widget_decl.methods = methods;
    widget_decl.numMethods = 1;
    return module;
}

static void load_fails(MI_Module_Self **self, MI_Context *context)
{
    (void)self;
    MI_Context_PostResult(context, MI_RESULT_NOT_SUPPORTED);
}

static void load_silent(MI_Module_Self **self, MI_Context *context)
{
    (void)self;
    (void)context;
}

static const struct {
    MI_MainFunction main_function;
    void (*load)(MI_Module_Self **self, MI_Context *context);
    const char *detail;
} bad_modules[] = {
    {main_null, NULL, "NULL"},           {main_newer, NULL, "newer"},
    {main_wide, NULL, "MI_Char"},        {main_bad_class, NULL, ""},
    {main_bad_method, NULL, ""},         {test_main, load_fails, "MI_Result 7"},
    {test_main, load_silent, "in time"},
};

START_TEST(test_bad_modules)
{
    struct miguard_host_options options = {.load_timeout_ms = 50};
    struct miguard_error error = {0};
    struct miguard_host *own = NULL;

    memset(&hooks, 0, sizeof(hooks));
    hooks.module_load = bad_modules[_i].load;
    ck_assert_int_eq(miguard_host_new(&options, &own, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_add(own, bad_modules[_i].main_function, NULL, &error),
                     MIGUARD_BAD_MODULE);
    ck_assert_msg(strstr(error.detail, bad_modules[_i].detail) != NULL, "%s", error.detail);
    /* Unchanged: nothing is served. */
    MI_Operation operation;
    ck_assert_int_eq(miguard_host_session(own, &session, NULL), MIGUARD_OK);
    MI_Session_EnumerateInstances(&session, 0, NULL, SPACE, "T_Widget", MI_FALSE, NULL, &operation);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_INVALID_NAMESPACE);
    miguard_host_free(own);
}
END_TEST

/* Each released version, and minor ones to come. */
static MI_Uint32 loaded_version;

static MI_Module *main_of_version(MI_Server *server)
{
    MI_Module *module = test_main(server);
    module->version = loaded_version;
    return module;
}

static const MI_Uint32 good_versions[] = {
    MI_MAKE_VERSION(1, 0, 0), MI_MAKE_VERSION(1, 0, 7),     MI_MAKE_VERSION(1, 1, 0),
    MI_MAKE_VERSION(1, 1, 1), MI_MAKE_VERSION(1, 255, 255),
};

START_TEST(test_good_versions)
{
    struct miguard_host_options options = {0};
    struct miguard_host *own = NULL;

    memset(&hooks, 0, sizeof(hooks));
    loaded_version = good_versions[_i];
    ck_assert_int_eq(miguard_host_new(&options, &own, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_add(own, main_of_version, NULL, NULL), MIGUARD_OK);
    miguard_host_free(own);
}
END_TEST

START_TEST(test_load_arguments)
{
    struct miguard_error error = {0};

    ck_assert(start_host());
    ck_assert_int_eq(miguard_host_load(NULL, "/x", NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_host_load(host, "libc.so.6", NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_host_load(host, "/nowhere/lib.so", NULL, &error), MIGUARD_NOT_FOUND);
    ck_assert_int_eq(miguard_host_load(host, "/etc/passwd", NULL, &error), MIGUARD_BAD_MODULE);
    ck_assert_int_eq(miguard_host_add(host, NULL, NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_host_new(NULL, NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_host_session(host, NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_uint_eq(miguard_host_provider_calls(NULL), 0);
    stop_host();
    miguard_host_free(NULL);
}
END_TEST

static MI_Module wrapped;

static MI_Module *wrap(MI_Server *server, MI_Module *module)
{
    ck_assert_ptr_nonnull(server);
    wrapped = *module;
    wrapped.dynamicProviderFT = NULL;
    wrapped.Load = NULL;
    wrapped.Unload = NULL;
    return &wrapped;
}

static MI_Module *wrap_refuses(MI_Server *server, MI_Module *module)
{
    (void)server;
    (void)module;
    return NULL;
}

START_TEST(test_wrap)
{
    struct miguard_host_options options = {.wrap = wrap};
    struct miguard_host *own = NULL;

    memset(&hooks, 0, sizeof(hooks));
    ck_assert_int_eq(miguard_host_new(&options, &own, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_add(own, test_main, "*", NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_session(own, &session, NULL), MIGUARD_OK);
    ck_assert_int_eq(MI_Session_GetApplication(&session, &application), MI_RESULT_OK);
    ck_assert_int_eq(get(&session, "T_Widget", "abc", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_int_eq(get(&session, "D_Any", "abc", ids, sizeof(ids)), MI_RESULT_INVALID_CLASS);
    miguard_host_free(own);

    options.wrap = wrap_refuses;
    ck_assert_int_eq(miguard_host_new(&options, &own, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_add(own, test_main, "*", NULL), MIGUARD_BAD_MODULE);
    miguard_host_free(own);
}
END_TEST

START_TEST(test_server_table)
{
    MI_Server *server = server_table();
    const MI_Char *name = NULL;
    MI_Uint32 version = 0;
    const void *const *slots[] = {
        (const void *const *)(const void *)server->contextFT,
        (const void *const *)(const void *)server->instanceFT,
        (const void *const *)(const void *)server->propertySetFT,
        (const void *const *)(const void *)server->filterFT,
        (const void *const *)(const void *)server->serverFT,
        (const void *const *)(const void *)&session_ft,
        (const void *const *)(const void *)&operation_ft,
        (const void *const *)(const void *)&application_ft,
    };
    static const size_t counts[] = {31, 18, 8, 2, 2, 15, 6, 11};

    for (size_t i = 0; i < COUNT(slots); i++) {
        for (size_t k = 0; k < counts[i]; k++) {
            ck_assert_msg(slots[i][k] != NULL, "table %zu slot %zu", i, k);
        }
    }
    ck_assert_int_eq(server->serverFT->GetVersion(&version), MI_RESULT_OK);
    ck_assert_uint_eq(version, MI_VERSION);
    ck_assert_int_eq(server->serverFT->GetSystemName(&name), MI_RESULT_OK);
    ck_assert_ptr_nonnull(name);
    ck_assert_int_eq(server->serverFT->GetVersion(NULL), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

/* ---- requests by table ------------------------------------------------------------------- */

enum act { GET, CREATE, MODIFY, DELETE, ENUMERATE, KEYS, SHALLOW, BASE, CLASS };

static const struct {
    const char *title;
    enum act act;
    const char *name_space;
    const char *class_name;
    const char *id;
    MI_Result result;
    const char *ids;
    unsigned calls;
} requests[] = {
    {"get", GET, SPACE, "T_Widget", "abc", MI_RESULT_OK, "abc ", 1},
    {"get, name in other case", GET, "ROOT/Test", "t_WIDGET", "abc", MI_RESULT_OK, "abc ", 1},
    {"get what is not there", GET, SPACE, "T_Widget", "none", MI_RESULT_NOT_FOUND, "", 1},
    {"get without a key", GET, SPACE, "T_Widget", NULL, MI_RESULT_NO_SUCH_PROPERTY, "", 0},
    {"get by enumeration", GET, SPACE, "T_Gadget", "g2", MI_RESULT_OK, "g2 ", 1},
    {"get by enumeration, no match", GET, SPACE, "T_Gadget", "g9", MI_RESULT_NOT_FOUND, "", 1},
    {"get, keys differ in case", GET, SPACE, "T_Gadget", "G2", MI_RESULT_NOT_FOUND, "", 1},
    {"get, no slots", GET, SPACE, "T_Bare", "x", MI_RESULT_INVALID_CLASS, "", 0},
    {"get, no provider", GET, SPACE, "T_Hollow", "x", MI_RESULT_INVALID_CLASS, "", 0},
    {"get, abstract", GET, SPACE, "T_Base", "x", MI_RESULT_INVALID_CLASS, "", 0},
    {"get, dynamic", GET, SPACE, "D_Any", "x", MI_RESULT_OK, "x ", 1},
    {"get, unknown namespace", GET, "root/no", "T_Widget", "x", MI_RESULT_INVALID_NAMESPACE, "", 0},
    {"get, empty namespace", GET, "", "T_Widget", "x", MI_RESULT_INVALID_PARAMETER, "", 0},
    {"get, no namespace", GET, NULL, "T_Widget", "x", MI_RESULT_INVALID_PARAMETER, "", 0},
    {"create", CREATE, SPACE, "T_Widget", "new", MI_RESULT_OK, "new ", 1},
    {"create, key left to it", CREATE, SPACE, "T_Widget", NULL, MI_RESULT_OK, "made ", 1},
    {"create, no slot", CREATE, SPACE, "T_Gadget", "x", MI_RESULT_NOT_SUPPORTED, "", 0},
    {"create, dynamic without slot", CREATE, SPACE, "D_Any", "x", MI_RESULT_NOT_SUPPORTED, "", 0},
    {"modify", MODIFY, SPACE, "T_Widget", "abc", MI_RESULT_OK, "", 1},
    {"modify, no slot", MODIFY, SPACE, "T_Gadget", "x", MI_RESULT_NOT_SUPPORTED, "", 0},
    {"delete", DELETE, SPACE, "T_Widget", "abc", MI_RESULT_OK, "", 1},
    {"delete what is not there", DELETE, SPACE, "T_Widget", "none", MI_RESULT_NOT_FOUND, "", 1},
    {"delete, no slot", DELETE, SPACE, "T_Gadget", "x", MI_RESULT_NOT_SUPPORTED, "", 0},
    {"enumerate, deep", ENUMERATE, SPACE, "T_Widget", NULL, MI_RESULT_OK, "w1 w2 g1 g2 ", 2},
    {"enumerate, abstract base", ENUMERATE, SPACE, "T_Base", NULL, MI_RESULT_OK, "w1 w2 g1 g2 ", 2},
    {"enumerate, leaf", ENUMERATE, SPACE, "T_Gadget", NULL, MI_RESULT_OK, "g1 g2 ", 1},
    {"enumerate, shallow", SHALLOW, SPACE, "T_Widget", NULL, MI_RESULT_OK, "w1 w2 ", 1},
    {"enumerate, shallow abstract", SHALLOW, SPACE, "T_Base", NULL, MI_RESULT_OK, "", 0},
    {"enumerate, base properties", BASE, SPACE, "T_Widget", NULL, MI_RESULT_OK, "w1 w2 g1 g2 ", 2},
    {"enumerate, keys", KEYS, SPACE, "T_Widget", NULL, MI_RESULT_OK, "w1 w2 g1 g2 ", 2},
    {"enumerate, no slot", ENUMERATE, SPACE, "T_Bare", NULL, MI_RESULT_NOT_SUPPORTED, "", 0},
    {"enumerate, no provider", ENUMERATE, SPACE, "T_Hollow", NULL, MI_RESULT_INVALID_CLASS, "", 0},
    {"enumerate, dynamic", ENUMERATE, SPACE, "D_Any", NULL, MI_RESULT_OK, "d1 ", 1},
    {"enumerate, no class", ENUMERATE, SPACE, "", NULL, MI_RESULT_INVALID_PARAMETER, "", 0},
    {"enumerate, no namespace", ENUMERATE, "x", "T_Widget", NULL, MI_RESULT_INVALID_NAMESPACE, "",
     0},
};

static void start_request(enum act act, const char *name_space, const char *class_name,
                          const char *id, MI_Operation *operation)
{
    MI_Instance *instance = act < ENUMERATE ? key(class_name, id) : NULL;
    MI_Uint32 flags = act == SHALLOW ? MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW
                      : act == BASE  ? MI_OPERATIONFLAGS_POLYMORPHISM_DEEP_BASE_PROPS_ONLY
                                     : 0;

    switch (act) {
    case GET:
        MI_Session_GetInstance(&session, 0, NULL, name_space, instance, NULL, operation);
        break;
    case CREATE:
        MI_Session_CreateInstance(&session, 0, NULL, name_space, instance, NULL, operation);
        break;
    case MODIFY:
        MI_Session_ModifyInstance(&session, 0, NULL, name_space, instance, NULL, operation);
        break;
    case DELETE:
        MI_Session_DeleteInstance(&session, 0, NULL, name_space, instance, NULL, operation);
        break;
    default:
        MI_Session_EnumerateInstances(&session, flags, NULL, name_space, class_name, act == KEYS,
                                      NULL, operation);
        break;
    }
    if (instance != NULL) {
        MI_Instance_Delete(instance);
    }
}

/* What a provider's thread has is released a moment after its last answer was read. */
static bool no_session_left(void)
{
    for (int i = 0; i < 30000 && session_in_use() > 0; i++) {
        nap(1);
    }
    return session_in_use() == 0;
}

START_TEST(test_request)
{
    MI_Operation operation = MI_OPERATION_NULL;

    ck_assert(start_host());
    start_request(requests[_i].act, requests[_i].name_space, requests[_i].class_name,
                  requests[_i].id, &operation);
    MI_Result result = drain(&operation, ids, sizeof(ids));
    ck_assert_msg(result == requests[_i].result, "%s: %d", requests[_i].title, (int)result);
    ck_assert_str_eq(ids, requests[_i].ids);
    ck_assert_uint_eq(miguard_host_provider_calls(host), requests[_i].calls);
    ck_assert_int_eq(MI_Session_Close(&session, NULL, NULL), MI_RESULT_OK);
    stop_host();
    ck_assert(no_operation_left());
    ck_assert(no_session_left());
    ck_assert_uint_eq(context_in_use(), 0);
}
END_TEST

/* ---- what results contain ---------------------------------------------------------------- */

static bool seen_set, seen_keys_only;

static void record_enumerate(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only)
{
    MI_Boolean there = MI_FALSE;
    seen_set = set != NULL &&
               MI_PropertySet_ContainsElement(set, "count", &there) == MI_RESULT_OK && there;
    seen_keys_only = keys_only == MI_TRUE;
    post_widget(context, &widget_decl, "w", 7);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static const struct {
    enum act act;
    const char *class_name;
    const char *id; /* of the instance that is looked at */
    MI_Uint32 count, weight;
    bool set, keys_only;
} projections[] = {
    {ENUMERATE, "T_Widget", "g1", 1, 10, false, false},
    {BASE, "T_Widget", "g1", 1, 999999, true, false},
    {BASE, "T_Base", "g1", 999999, 999999, false, false},
    {KEYS, "T_Widget", "g1", 999999, 999999, false, true},
    {KEYS, "T_Widget", "w", 999999, 999999, false, true},
};

START_TEST(test_projection)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Operation operation;
    MI_Result result;
    MI_Value value;
    bool found = false;

    ck_assert(start_host());
    hooks.enumerate = record_enumerate;
    start_request(projections[_i].act, SPACE, projections[_i].class_name, NULL, &operation);
    while (more) {
        const MI_Char *name_space = NULL;
        ck_assert_int_eq(
            MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL),
            MI_RESULT_OK);
        if (instance == NULL) {
            continue;
        }
        ck_assert_int_eq(MI_Instance_GetNameSpace(instance, &name_space), MI_RESULT_OK);
        ck_assert_str_eq(name_space, SPACE);
        MI_Instance_GetElement(instance, "Id", &value, NULL, NULL, NULL);
        if (strcmp(value.string, projections[_i].id) == 0) {
            found = true;
            ck_assert_uint_eq(number(instance, "Count"), projections[_i].count);
            ck_assert_uint_eq(number(instance, "Weight"), projections[_i].weight);
        }
    }
    ck_assert(found);
    ck_assert_int_eq(seen_set, projections[_i].set);
    ck_assert_int_eq(seen_keys_only, projections[_i].keys_only);
    MI_Operation_Close(&operation);
    stop_host();
}
END_TEST

static const MI_ClassDecl *seen_decl;
static MI_Uint32 seen_count;
static bool seen_in_set, seen_id_in_set;

static void record_create(MI_Context *context, const struct widget *widget)
{
    seen_decl = widget->instance.classDecl;
    seen_count = widget->Count.exists ? widget->Count.value : 999999;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void record_modify(MI_Context *context, const struct widget *widget,
                          const MI_PropertySet *set)
{
    MI_Boolean there = MI_FALSE;
    MI_Uint32 count = 0;
    seen_decl = widget->instance.classDecl;
    seen_in_set = set != NULL && MI_PropertySet_GetElementCount(set, &count) == MI_RESULT_OK &&
                  count == 1 && MI_PropertySet_ContainsElement(set, "Id", &there) == MI_RESULT_OK;
    seen_id_in_set = there == MI_TRUE;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

START_TEST(test_conversion)
{
    MI_Operation operation;
    MI_Value value;

    ck_assert(start_host());
    hooks.create = record_create;
    hooks.modify = record_modify;
    MI_Instance *instance = key("T_Widget", "x");
    value.string = (MI_Char *)(uintptr_t) "42";
    MI_Instance_AddElement(instance, "Count", &value, MI_STRING, 0);
    MI_Session_CreateInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_ptr_eq(seen_decl, &widget_decl);
    ck_assert_uint_eq(seen_count, 42);

    MI_Instance_AddElement(instance, "Nonsense", &value, MI_STRING, 0);
    MI_Session_CreateInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_NO_SUCH_PROPERTY);
    MI_Session_GetInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_OK);
    MI_Instance_Delete(instance);

    instance = key("T_Widget", "x");
    MI_Session_ModifyInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert(seen_in_set && seen_id_in_set);
    MI_Instance_Delete(instance);
    stop_host();
}
END_TEST

/* ---- methods ----------------------------------------------------------------------------- */

static const struct {
    const char *class_name;
    const char *method_name;
    const char *instance_class; /* NULL: no instance */
    bool parameters;
    MI_Result result;
    MI_Uint32 value;
    unsigned calls;
} methods[] = {
    {"T_Widget", "Add", NULL, true, MI_RESULT_OK, 5, 1},
    {"T_Widget", "ADD", NULL, true, MI_RESULT_OK, 5, 1},
    {"T_Widget", "Add", NULL, false, MI_RESULT_OK, 0, 1},
    {"T_Widget", "Add", "T_Widget", true, MI_RESULT_OK, 5, 1},
    {"T_Widget", "Touch", NULL, false, MI_RESULT_INVALID_PARAMETER, 999999, 0},
    {"T_Widget", "Touch", "T_Widget", false, MI_RESULT_OK, 1, 1},
    {NULL, "Touch", "T_Widget", false, MI_RESULT_OK, 1, 1},
    {"T_Base", "Touch", "T_Widget", false, MI_RESULT_OK, 1, 1},
    {"T_Widget", "Absent", NULL, false, MI_RESULT_METHOD_NOT_AVAILABLE, 999999, 0},
    {"T_Widget", "Watch", NULL, false, MI_RESULT_OK, 0, 1},
    {"T_Widget", "Watch", NULL, true, MI_RESULT_NO_SUCH_PROPERTY, 999999, 0},
    {"T_Widget", "Unknown", NULL, false, MI_RESULT_METHOD_NOT_FOUND, 999999, 0},
    {"T_Hollow", "Add", NULL, false, MI_RESULT_INVALID_CLASS, 999999, 0},
    {"T_Widget", NULL, NULL, false, MI_RESULT_INVALID_PARAMETER, 999999, 0},
    {NULL, "Add", NULL, false, MI_RESULT_INVALID_PARAMETER, 999999, 0},
    {"D_Any", "Anything", NULL, true, MI_RESULT_OK, 77, 1},
    {"D_Any", "Anything", "D_Any", false, MI_RESULT_OK, 77, 1},
};

START_TEST(test_method)
{
    const MI_Instance *out = NULL;
    MI_Instance *in = NULL;
    MI_Operation operation;
    MI_Boolean more;
    MI_Result result;
    MI_Value value;

    ck_assert(start_host());
    const char *class_name = methods[_i].instance_class;
    MI_Instance *instance = class_name == NULL ? NULL : key(class_name, "x");
    ck_assert_int_eq(MI_Application_NewInstance(&application, "Parameters", NULL, &in),
                     MI_RESULT_OK);
    value.uint32 = 2;
    MI_Instance_AddElement(in, "a", &value, MI_UINT32, 0);
    value.uint32 = 3;
    MI_Instance_AddElement(in, "b", &value, MI_UINT32, 0);
    MI_Session_Invoke(&session, 0, NULL, SPACE, methods[_i].class_name, methods[_i].method_name,
                      instance, methods[_i].parameters ? in : NULL, NULL, &operation);
    MI_Instance_Delete(in);
    if (instance != NULL) {
        MI_Instance_Delete(instance);
    }
    ck_assert_int_eq(MI_Operation_GetInstance(&operation, &out, &more, &result, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_int_eq(result, methods[_i].result);
    ck_assert_uint_eq(number(out, "ReturnValue"), methods[_i].value);
    /* What went in only does not come out. */
    ck_assert_uint_eq(number(out, "A"), 999999);
    ck_assert_uint_eq(number(out, "MIReturn"), 999999);
    MI_Operation_Close(&operation);
    ck_assert_uint_eq(miguard_host_provider_calls(host), methods[_i].calls);
    stop_host();
}
END_TEST

/* ---- classes, unserved requests ---------------------------------------------------------- */

START_TEST(test_get_class)
{
    const MI_Class *class_item = NULL;
    const MI_Char *name = NULL;
    MI_Operation operation;
    MI_Boolean more;
    MI_Result result;

    ck_assert(start_host());
    MI_Session_GetClass(&session, 0, NULL, SPACE, "t_gadget", NULL, &operation);
    ck_assert_int_eq(MI_Operation_GetClass(&operation, &class_item, &more, &result, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_int_eq(result, MI_RESULT_OK);
    ck_assert_int_eq(more, MI_FALSE);
    ck_assert_int_eq(MI_Class_GetClassName(class_item, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "T_Gadget");
    /* The other kinds of Get do not fit. */
    const MI_Instance *instance = NULL;
    ck_assert_int_eq(MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(result, MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);

    MI_Session_GetClass(&session, 0, NULL, SPACE, "D_Any", NULL, &operation);
    MI_Operation_GetClass(&operation, &class_item, &more, &result, NULL, NULL);
    ck_assert_int_eq(result, MI_RESULT_NOT_SUPPORTED);
    MI_Operation_Close(&operation);
    MI_Session_TestConnection(&session, 0, NULL, &operation);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_uint_eq(miguard_host_provider_calls(host), 0);
    stop_host();
}
END_TEST

/* ---- loading and unloading --------------------------------------------------------------- */

static MI_Module *second_main(MI_Server *server)
{
    static MI_Module second;
    (void)server;
    second = (MI_Module){.version = MI_VERSION,
                         .charSize = sizeof(MI_Char),
                         .Load = test_module_load,
                         .Unload = test_module_unload};
    return &second;
}

START_TEST(test_order)
{
    ck_assert(start_host());
    ck_assert_int_eq(miguard_host_add(host, second_main, SPACE, NULL), MIGUARD_OK);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_int_eq(get(&session, "T_Gadget", "g1", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    stop_host();
    ck_assert_str_eq(trace, "module-load module-load widget-load gadget-load "
                            "gadget-unload widget-unload module-unload module-unload ");
}
END_TEST

static int loads;

static void load_second_time(void **self, MI_Context *context)
{
    (void)self;
    MI_Context_PostResult(context, ++loads == 1 ? MI_RESULT_FAILED : MI_RESULT_OK);
}

START_TEST(test_load_again)
{
    loads = 0;
    ck_assert(start_host());
    hooks.load = load_second_time;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_FAILED);
    ck_assert_uint_eq(miguard_host_provider_calls(host), 0);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_int_eq(loads, 2);
    stop_host();
    ck_assert_str_eq(trace, "module-load widget-load widget-load widget-unload module-unload ");
}
END_TEST

static MI_Context *late_context;

static void load_late(void **self, MI_Context *context)
{
    (void)self;
    late_context = context;
}

START_TEST(test_load_late)
{
    ck_assert(start_host_with(50));
    hooks.load = load_late;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_FAILED);
    ck_assert_int_eq(MI_Context_PostResult(late_context, MI_RESULT_OK),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_FAILED);
    stop_host();
    /* Its provider may be at work still: it is left alone for good. */
    ck_assert_str_eq(trace, "module-load widget-load ");
}
END_TEST

static void *post_ok(void *context)
{
    nap(30);
    MI_Context_PostResult(context, MI_RESULT_OK);
    return NULL;
}

static pthread_t helper;

static void load_on_thread(void **self, MI_Context *context)
{
    *self = &loads;
    pthread_create(&helper, NULL, post_ok, context);
}

START_TEST(test_load_from_thread)
{
    ck_assert(start_host());
    hooks.load = load_on_thread;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    pthread_join(helper, NULL);
    stop_host();
}
END_TEST

static MI_Result nested_result;

static void load_uses_itself(void **self, MI_Context *context)
{
    MI_Session local;
    char nested[64];
    (void)self;
    MI_Context_GetLocalSession(context, &local);
    nested_result = get(&local, "T_Widget", "a", nested, sizeof(nested));
    MI_Context_PostResult(context, MI_RESULT_OK);
}

START_TEST(test_load_recursion)
{
    ck_assert(start_host());
    hooks.load = load_uses_itself;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_int_eq(nested_result, MI_RESULT_FAILED);
    stop_host();
}
END_TEST

static void unload_uses_gadget(MI_Context *context)
{
    MI_Session local;
    char nested[64];
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &local), MI_RESULT_OK);
    nested_result = get(&local, "D_Any", "a", nested, sizeof(nested));
    MI_Context_PostResult(context, MI_RESULT_OK);
}

START_TEST(test_unload_uses_session)
{
    ck_assert(start_host());
    hooks.unload = unload_uses_gadget;
    ck_assert_int_eq(get(&session, "D_Any", "a", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    stop_host();
    ck_assert_int_eq(nested_result, MI_RESULT_OK);
}
END_TEST

static void unload_silent(MI_Context *context)
{
    (void)context;
}

START_TEST(test_unload_silent)
{
    ck_assert(start_host_with(50));
    if (_i == 0) {
        hooks.unload = unload_silent;
    } else {
        hooks.module_unload = unload_silent;
    }
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    stop_host();
    /* A provider that did not finish keeps its module. */
    ck_assert_str_eq(trace, _i == 0 ? "module-load widget-load widget-unload "
                                    : "module-load widget-load widget-unload module-unload ");
}
END_TEST

/* The same classes from two modules: the first serves, and nothing comes twice. */
START_TEST(test_same_classes)
{
    MI_Operation operation;
    MI_Session second;

    ck_assert(start_host());
    ck_assert_int_eq(miguard_host_add(host, test_main, "*", NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_session(host, &second, NULL), MIGUARD_OK);
    MI_Session_EnumerateInstances(&second, 0, NULL, SPACE, "T_Base", MI_FALSE, NULL, &operation);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_str_eq(ids, "w1 w2 g1 g2 ");
    ck_assert_int_eq(get(&session, "T_Gadget", "g1", ids, sizeof(ids)), MI_RESULT_OK);
    MI_Session_EnumerateInstances(&second, 0, NULL, "any/where", "T_Gadget", MI_FALSE, NULL,
                                  &operation);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_str_eq(ids, "g1 g2 ");
    /* The one that was made first goes first. */
    ck_assert_int_eq(MI_Session_Close(&session, NULL, NULL), MI_RESULT_OK);
    stop_host();
    ck_assert(no_session_left());
}
END_TEST

static void *many_gets(void *argument)
{
    char own[64];
    for (int i = 0; i < 50; i++) {
        if (get(&session, i % 2 == 0 ? "T_Widget" : "T_Gadget", "g1", own, sizeof(own)) !=
            MI_RESULT_OK) {
            *(bool *)argument = false;
        }
    }
    return NULL;
}

START_TEST(test_threads)
{
    pthread_t threads[8];
    bool good[8];

    ck_assert(start_host());
    for (size_t i = 0; i < COUNT(threads); i++) {
        good[i] = true;
        pthread_create(&threads[i], NULL, many_gets, &good[i]);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
        ck_assert(good[i]);
    }
    ck_assert_uint_eq(miguard_host_provider_calls(host), 8 * 50);
    stop_host();
    ck_assert_str_eq(strstr(trace, "widget-unload") == NULL ? "" : "loaded once", "loaded once");
    ck_assert(no_operation_left());
}
END_TEST

/* ---- the application --------------------------------------------------------------------- */

START_TEST(test_application)
{
    MI_Instance *instance = NULL, *error = NULL;
    MI_Class *class_item = NULL;
    MI_HostedProvider provider;
    MI_OperationOptions operation_options;
    MI_DestinationOptions destination_options;
    MI_SubscriptionDeliveryOptions delivery_options;
    MI_Serializer serializer;
    MI_Session other;
    MI_Value value;
    MI_Uint32 flags;

    ck_assert(start_host());
    memset(&other, 0xFF, sizeof(other));
    ck_assert_int_eq(
        MI_Application_NewSession(&application, NULL, NULL, NULL, NULL, &error, &other),
        MI_RESULT_NOT_SUPPORTED);
    ck_assert_uint_eq(other.reserved1, 0);
    ck_assert_ptr_null(other.ft);
    ck_assert_int_eq(
        MI_Application_NewHostedProvider(&application, SPACE, "x", test_main, &error, &provider),
        MI_RESULT_NOT_SUPPORTED);
    ck_assert_ptr_null(provider.ft);
    ck_assert_int_eq(MI_Application_NewInstance(&application, NULL, NULL, &instance),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Application_NewInstance(&application, "no good", NULL, &instance),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Application_NewInstance(&application, NULL, &widget_decl, &instance),
                     MI_RESULT_OK);
    ck_assert_ptr_eq(instance->classDecl, &widget_decl);
    MI_Instance_Delete(instance);

    ck_assert_int_eq(application.ft->NewClass(&application, &gadget_decl, SPACE, NULL, &class_item),
                     MI_RESULT_OK);
    ck_assert_int_eq(
        MI_Application_NewInstanceFromClass(&application, "T_Gadget", class_item, &instance),
        MI_RESULT_OK);
    MI_Class_Delete(class_item);
    ck_assert_int_eq(MI_Instance_GetElement(instance, "Id", &value, NULL, &flags, NULL),
                     MI_RESULT_OK);
    ck_assert_uint_ne(flags & MI_FLAG_KEY, 0);
    ck_assert_uint_ne(flags & MI_FLAG_NULL, 0);
    MI_Instance_Delete(instance);

    ck_assert_int_eq(MI_Application_NewOperationOptions(&application, MI_FALSE, &operation_options),
                     MI_RESULT_OK);
    MI_OperationOptions_Delete(&operation_options);
    ck_assert_int_eq(MI_Application_NewDestinationOptions(&application, &destination_options),
                     MI_RESULT_OK);
    MI_DestinationOptions_Delete(&destination_options);
    ck_assert_int_eq(MI_Application_NewSubscriptionDeliveryOptions(
                         &application, MI_SubscriptionDeliveryType_Pull, &delivery_options),
                     MI_RESULT_OK);
    MI_SubscriptionDeliveryOptions_Delete(&delivery_options);
    MI_Char format[] = "MI_NOTHING";
    ck_assert_int_eq(MI_Application_NewSerializer(&application, 0, format, &serializer),
                     MI_RESULT_NOT_SUPPORTED);
    ck_assert_int_eq(MI_Application_NewSerializer(&application, 1, format, &serializer),
                     MI_RESULT_INVALID_PARAMETER);
    MI_Deserializer deserializer;
    ck_assert_int_eq(application.ft->NewDeserializer(&application, 0, format, &deserializer),
                     MI_RESULT_NOT_SUPPORTED);
    /* Closing it ends the caller's handle and takes nothing away. */
    ck_assert_int_eq(MI_Application_Close(&application), MI_RESULT_OK);
    ck_assert_ptr_null(application.ft);
    ck_assert_int_eq(MI_Application_Close(&application), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Session_GetApplication(&session, &application), MI_RESULT_OK);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    stop_host();
}
END_TEST

START_TEST(test_client_table)
{
    MI_Application own;
    MI_Instance *error = NULL;

    ck_assert_int_eq(MI_Application_Initialize(1, NULL, &error, &own), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(own.ft);
    ck_assert_int_eq(MI_Application_Initialize(0, NULL, &error, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Application_Initialize(0, NULL, &error, &own), MI_RESULT_OK);
    const void *const *tables = (const void *const *)(const void *)mi_clientFT;
    for (size_t i = 0; i < 10; i++) {
        ck_assert_ptr_nonnull(tables[i]);
    }
    ck_assert_int_eq(mi_clientFT->utilitiesFT->CimErrorFromErrorCode(2, "ERRNO", "gone", &error),
                     MI_RESULT_OK);
    MI_Instance_Delete(error);
    mi_clientFT->utilitiesFT->MapErrorToMiErrorCategory("MI", MI_RESULT_ACCESS_DENIED);
    ck_assert_int_eq(MI_Application_Close(&own), MI_RESULT_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host server");
    TCase *tests = tcase_create("server");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_bad_modules, 0, COUNT(bad_modules));
    tcase_add_loop_test(tests, test_good_versions, 0, COUNT(good_versions));
    tcase_add_test(tests, test_load_arguments);
    tcase_add_test(tests, test_wrap);
    tcase_add_test(tests, test_server_table);
    tcase_add_loop_test(tests, test_request, 0, COUNT(requests));
    tcase_add_loop_test(tests, test_projection, 0, COUNT(projections));
    tcase_add_test(tests, test_conversion);
    tcase_add_loop_test(tests, test_method, 0, COUNT(methods));
    tcase_add_test(tests, test_get_class);
    tcase_add_test(tests, test_order);
    tcase_add_test(tests, test_load_again);
    tcase_add_test(tests, test_load_late);
    tcase_add_test(tests, test_load_from_thread);
    tcase_add_test(tests, test_load_recursion);
    tcase_add_test(tests, test_unload_uses_session);
    tcase_add_loop_test(tests, test_unload_silent, 0, 2);
    tcase_add_test(tests, test_same_classes);
    tcase_add_test(tests, test_threads);
    tcase_add_test(tests, test_application);
    tcase_add_test(tests, test_client_table);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
