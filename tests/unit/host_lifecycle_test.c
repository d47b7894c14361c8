/* SPDX-License-Identifier: MIT */
/*
 * Lifecycle indications of the embedded server (reference E, the last slot): who gets a lifecycle
 * context, every slot of its table, which client gets which change, and what the provider learns of
 * its clients.
 */
#include "host_module.h"

#include <check.h>

#include "host/server/host.h"

/* ---- the provider ---------------------------------------------------------------------------- */

struct thing {
    MI_Instance instance;
    MI_ConstUint32Field Level;
};

static MI_PropertyDecl level_decl = {.flags = MI_FLAG_PROPERTY | MI_FLAG_KEY,
                                     .code = 'l' << 16 | 'l' << 8 | 5,
                                     .name = "Level",
                                     .type = MI_UINT32,
                                     .offset = offsetof(struct thing, Level),
                                     .origin = "T_Thing",
                                     .propagator = "T_Thing"};
static const MI_PropertyDecl *const thing_properties[] = {&level_decl};
static MI_SchemaDecl thing_schema;
static MI_ClassDecl thing_decl, quiet_decl, mute_decl;
static const MI_ClassDecl *const thing_classes[] = {&thing_decl, &quiet_decl, &mute_decl};

static MI_LifecycleIndicationContext *of_thing;
static _Atomic(MI_LifecycleIndicationContext *) of_quiet;
static MI_Result load_answer, second_get, wrong_kind;
static MI_Uint32 supported;
static atomic_uint reports, last_types, inside;

static void on_types(MI_Uint32 types, void *data)
{
    ck_assert_uint_eq(atomic_fetch_add(&inside, 1), 0);
    ck_assert_ptr_eq(data, &thing_decl);
    atomic_store(&last_types, types);
    atomic_fetch_add(&reports, 1);
    atomic_fetch_sub(&inside, 1);
}

static void thing_load(void **self, MI_Module_Self *module, MI_Context *context)
{
    MI_LifecycleIndicationContext *again = NULL;
    (void)self, (void)module;

    note("load");
    ck_assert_int_eq(MI_Context_GetLifecycleIndicationContext(context, &of_thing), MI_RESULT_OK);
    second_get = MI_Context_GetLifecycleIndicationContext(context, &again);
    ck_assert_ptr_eq(again, of_thing);
    /* A context that is none of these. */
    wrong_kind = of_thing->ft->SetSupportedTypes(&((struct context *)(void *)context)->lifecycle,
                                                 MI_LIFECYCLE_INDICATION_NONE);
    MI_LifecycleIndicationContext_SetSupportedTypes(of_thing, supported);
    MI_LifecycleIndicationContext_RegisterCallback(of_thing, on_types, &thing_decl);
    MI_Context_PostResult(context, load_answer);
}

/* It says nothing of types: then it supports none. */
static void quiet_load(void **self, MI_Module_Self *module, MI_Context *context)
{
    MI_LifecycleIndicationContext *lifecycle = NULL;
    (void)self, (void)module;

    MI_Context_GetLifecycleIndicationContext(context, &lifecycle);
    atomic_store(&of_quiet, lifecycle);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void mute_load(void **self, MI_Module_Self *module, MI_Context *context)
{
    (void)self, (void)module;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_Result unload_post;

static MI_Result post_created(MI_Uint32 level)
{
    struct thing thing;

    memset(&thing, 0, sizeof(thing));
    thing.instance.classDecl = &thing_decl; /* without a table, as generated code may leave it */
    thing.Level.value = level;
    thing.Level.exists = MI_TRUE;
    return MI_LifecycleIndicationContext_PostCreate(of_thing, &thing.instance);
}

static void thing_unload(void *self, MI_Context *context)
{
    (void)self;
    unload_post = post_created(1);
    note("unload");
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static const MI_ProviderFT thing_ft = {.Load = thing_load, .Unload = thing_unload};
static const MI_ProviderFT quiet_ft = {.Load = quiet_load};
static const MI_ProviderFT mute_ft = {.Load = mute_load};

static MI_Module *thing_main(MI_Server *server)
{
    static MI_Module module;
    (void)server;

    declare(&thing_decl, "T_Thing", 0, NULL, thing_properties, 1, sizeof(struct thing), &thing_ft);
    declare(&quiet_decl, "T_Quiet", 0, NULL, thing_properties, 1, sizeof(struct thing), &quiet_ft);
    declare(&mute_decl, "T_Mute", 0, NULL, thing_properties, 1, sizeof(struct thing), &mute_ft);
    thing_schema =
        (MI_SchemaDecl){.classDecls = thing_classes, .numClassDecls = COUNT(thing_classes)};
    module = (MI_Module){
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &thing_schema};
    return &module;
}

static void set_up_with(MI_Uint32 types, unsigned idle_ms)
{
    supported = types;
    load_answer = MI_RESULT_OK;
    of_thing = NULL;
    atomic_store(&of_quiet, NULL);
    ck_assert(start_host_idle(2000, idle_ms));
    ck_assert_int_eq(miguard_host_add(host, thing_main, SPACE, NULL), MIGUARD_OK);
    trace[0] = '\0';
}

static void set_up(void)
{
    set_up_with(MI_LIFECYCLE_INDICATION_ALL, 0);
}

/* ---- the client ------------------------------------------------------------------------------ */

static MI_Operation subscribe(const char *query)
{
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_Subscribe(&session, 0, NULL, SPACE, "WQL", query, NULL, NULL, &operation);
    return operation;
}

/* The next indication, or NULL at the end. */
static const MI_Instance *fetch(MI_Operation *operation, MI_Result *result)
{
    const MI_Instance *instance = NULL;
    const MI_Char *bookmark = "";
    MI_Boolean more = MI_FALSE;

    ck_assert_int_eq(MI_Operation_GetIndication(operation, &instance, &bookmark, NULL, &more,
                                                result, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_ptr_null(bookmark);
    return instance;
}

/* Both answers: an earlier report may have been the same while a client came. */
static bool types_are(MI_Uint32 types)
{
    MI_Uint32 now = 99;

    return atomic_load(&last_types) == types &&
           MI_LifecycleIndicationContext_GetTypes(of_thing, &now) == MI_RESULT_OK && now == types;
}

static void await_types(MI_Uint32 types)
{
    for (int i = 0; i < 60000 && !types_are(types); i++) {
        nap(1);
    }
    ck_assert(types_are(types));
}

static MI_Uint32 level_of(const MI_Instance *indication, const char *property)
{
    MI_Uint32 flags = 0;
    MI_Value value;
    MI_Type type;

    ck_assert_int_eq(MI_Instance_GetElement(indication, property, &value, &type, &flags, NULL),
                     MI_RESULT_OK);
    ck_assert_int_eq(type, MI_INSTANCE);
    return (flags & MI_FLAG_NULL) != 0 ? 0 : number(value.instance, "Level");
}

static void expect_class(const MI_Instance *indication, const char *name)
{
    const MI_Char *class_name = NULL;

    ck_assert_ptr_nonnull(indication);
    MI_Instance_GetClassName(indication, &class_name);
    ck_assert_str_eq(class_name, name);
}

static void expect_text(const MI_Instance *indication, const char *property, const char *expected)
{
    MI_Uint32 flags = 0;
    MI_Value value;

    ck_assert_int_eq(MI_Instance_GetElement(indication, property, &value, NULL, &flags, NULL),
                     MI_RESULT_OK);
    if (expected == NULL) {
        ck_assert_uint_ne(flags & MI_FLAG_NULL, 0);
    } else {
        ck_assert_str_eq(value.string, expected);
    }
}

/* ---- every kind of change -------------------------------------------------------------------- */

/* The five classes, each with all that was posted. */
START_TEST(test_all_types)
{
    MI_Result result = MI_RESULT_OK;
    MI_Instance *one = NULL, *two = NULL;
    MI_Value value;
    MI_Uint32 flags = 0;

    set_up();
    MI_Operation operation = subscribe("SELECT * FROM CIM_InstIndication");
    await_types(MI_LIFECYCLE_INDICATION_ALL);
    ck_assert_int_eq(second_get, MI_RESULT_OK);
    ck_assert_int_eq(wrong_kind, MI_RESULT_INVALID_PARAMETER);
    MI_LifecycleIndicationContext *context = of_thing;
    ck_assert_int_eq(MI_LifecycleIndicationContext_NewInstance(context, &thing_decl, &one),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_LifecycleIndicationContext_NewDynamicInstance(context, "T_Thing", 0, &two),
                     MI_RESULT_OK);
    value.uint32 = 1;
    MI_Instance_SetElement(one, "Level", &value, MI_UINT32, 0);
    value.uint32 = 2;
    MI_Instance_AddElement(two, "Level", &value, MI_UINT32, MI_FLAG_KEY);

    ck_assert_int_eq(MI_LifecycleIndicationContext_PostCreate(context, one), MI_RESULT_OK);
    ck_assert_int_eq(MI_LifecycleIndicationContext_PostModify(context, one, two), MI_RESULT_OK);
    ck_assert_int_eq(MI_LifecycleIndicationContext_PostDelete(context, two), MI_RESULT_OK);
    ck_assert_int_eq(MI_LifecycleIndicationContext_PostRead(context, one), MI_RESULT_OK);
    ck_assert_int_eq(
        MI_LifecycleIndicationContext_PostMethodCall_Before(context, one, "Touch", two),
        MI_RESULT_OK);
    ck_assert_int_eq(
        MI_LifecycleIndicationContext_PostMethodCall_After(context, NULL, "Add", NULL, "7"),
        MI_RESULT_OK);
    MI_Instance_Delete(one);
    MI_Instance_Delete(two);

    const MI_Instance *got = fetch(&operation, &result);
    expect_class(got, "CIM_InstCreation");
    ck_assert_uint_eq(level_of(got, "SourceInstance"), 1);
    MI_Instance_GetElement(got, "IndicationTime", &value, NULL, &flags, NULL);
    ck_assert_uint_eq(flags & MI_FLAG_NULL, 0);
    ck_assert_uint_ge(value.datetime.u.timestamp.year, 2020);
    got = fetch(&operation, &result);
    expect_class(got, "CIM_InstModification");
    ck_assert_uint_eq(level_of(got, "PreviousInstance"), 1);
    ck_assert_uint_eq(level_of(got, "SourceInstance"), 2);
    got = fetch(&operation, &result);
    expect_class(got, "CIM_InstDeletion");
    ck_assert_uint_eq(level_of(got, "SourceInstance"), 2);
    expect_class(fetch(&operation, &result), "CIM_InstRead");
    for (int after = 0; after < 2; after++) {
        got = fetch(&operation, &result);
        expect_class(got, "CIM_InstMethodCall");
        expect_text(got, "MethodName", after ? "Add" : "Touch");
        expect_text(got, "ReturnValue", after ? "7" : NULL);
        ck_assert_uint_eq(level_of(got, "SourceInstance"), after ? 0 : 1);
        ck_assert_uint_eq(level_of(got, "MethodParameters"), after ? 0 : 2);
        MI_Instance_GetElement(got, "PreCall", &value, NULL, NULL, NULL);
        ck_assert_int_eq(value.boolean, after ? MI_FALSE : MI_TRUE);
    }
    MI_Operation_Close(&operation);
    await_types(MI_LIFECYCLE_INDICATION_NONE);
    ck_assert(no_operation_left());
    stop_host();
}
END_TEST

/* One client sees only its class, and what its condition says. */
START_TEST(test_filters)
{
    MI_Result result = MI_RESULT_OK;
    struct thing thing;

    set_up();
    MI_Operation created = subscribe("SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA "
                                     "T_Thing AND SourceInstance.Level > 5");
    await_types(MI_LIFECYCLE_INDICATION_CREATE);
    ck_assert_ptr_null(atomic_load(&of_quiet)); /* ISA: no other class is loaded */
    MI_Operation deleted = subscribe("SELECT * FROM CIM_InstDeletion");
    await_types(MI_LIFECYCLE_INDICATION_CREATE | MI_LIFECYCLE_INDICATION_DELETE);
    for (int i = 0; i < 60000 && atomic_load(&of_quiet) == NULL; i++) {
        nap(1); /* its step is after that of T_Thing */
    }
    ck_assert_ptr_nonnull(atomic_load(&of_quiet));
    memset(&thing, 0, sizeof(thing));
    thing.instance.classDecl = &thing_decl;
    thing.Level.exists = MI_TRUE;
    for (MI_Uint32 level = 4; level < 7; level++) {
        thing.Level.value = level;
        ck_assert_int_eq(post_created(level), MI_RESULT_OK);
        ck_assert_int_eq(MI_LifecycleIndicationContext_PostRead(of_thing, &thing.instance),
                         MI_RESULT_OK);
    }
    ck_assert_int_eq(MI_LifecycleIndicationContext_PostDelete(of_thing, &thing.instance),
                     MI_RESULT_OK);
    ck_assert_uint_eq(level_of(fetch(&created, &result), "SourceInstance"), 6);
    const MI_Instance *got = fetch(&deleted, &result);
    expect_class(got, "CIM_InstDeletion");
    ck_assert_int_eq(MI_Operation_Close(&created), MI_RESULT_OK);
    await_types(MI_LIFECYCLE_INDICATION_DELETE);
    ck_assert_int_eq(MI_LifecycleIndicationContext_PostResult(of_thing, MI_RESULT_NOT_FOUND),
                     MI_RESULT_OK);
    ck_assert_int_eq(post_created(9), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(fetch(&deleted, &result));
    ck_assert_int_eq(result, MI_RESULT_NOT_FOUND);
    MI_Operation_Close(&deleted);
    stop_host();
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------- */

static const struct {
    const char *query, *bookmark;
    MI_Uint32 types; /* that the provider supports */
    MI_Result load, result;
} refusals[] = {
    {"SELECT * FROM CIM_InstRead", NULL, MI_LIFECYCLE_INDICATION_CREATE, MI_RESULT_OK,
     MI_RESULT_NOT_SUPPORTED},
    {"SELECT * FROM CIM_InstIndication", NULL, 0, MI_RESULT_OK, MI_RESULT_NOT_SUPPORTED},
    {"SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA T_Mute", NULL, 31, MI_RESULT_OK,
     MI_RESULT_NOT_SUPPORTED},
    {"SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA T_Unheard", NULL, 31, MI_RESULT_OK,
     MI_RESULT_NOT_SUPPORTED},
    {"SELECT * FROM CIM_InstCreation WHERE PreviousInstance ISA T_Thing", NULL, 31, MI_RESULT_OK,
     MI_RESULT_INVALID_QUERY},
    {"SELECT * FROM CIM_InstCreation", "somewhere", 31, MI_RESULT_OK, MI_RESULT_NOT_SUPPORTED},
    {"SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA T_Thing", NULL, 31,
     MI_RESULT_ACCESS_DENIED, MI_RESULT_ACCESS_DENIED},
};

START_TEST(test_refused)
{
    MI_SubscriptionDeliveryOptions options = MI_SUBSCRIPTIONDELIVERYOPTIONS_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Result result = MI_RESULT_OK;

    set_up_with(refusals[_i].types, 0);
    load_answer = refusals[_i].load;
    MI_Application_NewSubscriptionDeliveryOptions(&application, MI_SubscriptionDeliveryType_Pull,
                                                  &options);
    if (refusals[_i].bookmark != NULL) {
        MI_SubscriptionDeliveryOptions_SetBookmark(&options, refusals[_i].bookmark);
    }
    MI_Session_Subscribe(&session, 0, NULL, SPACE, "WQL", refusals[_i].query, &options, NULL,
                         &operation);
    ck_assert_ptr_null(fetch(&operation, &result));
    ck_assert_int_eq(result, refusals[_i].result);
    MI_Operation_Close(&operation);
    MI_SubscriptionDeliveryOptions_Delete(&options);
    ck_assert(no_operation_left());
    if (of_thing != NULL && load_answer != MI_RESULT_OK) {
        ck_assert_int_eq(post_created(1), MI_RESULT_INVALID_PARAMETER); /* ended with its Load */
    }
    stop_host();
}
END_TEST

static MI_Result call_slot(MI_LifecycleIndicationContext *context, int slot)
{
    const MI_LifecycleIndicationContextFT *ft = of_thing->ft;
    struct thing thing, made;
    MI_Instance *instance = NULL;
    MI_Uint32 types = 0;

    memset(&thing, 0, sizeof(thing));
    thing.instance.classDecl = &thing_decl;
    switch (slot) {
    case 0:
        return ft->PostCreate(context, &thing.instance);
    case 1:
        return ft->PostModify(context, &thing.instance, &thing.instance);
    case 2:
        return ft->PostDelete(context, &thing.instance);
    case 3:
        return ft->PostRead(context, &thing.instance);
    case 4:
        return ft->PostMethodCall(context, NULL, "M", MI_TRUE, NULL, NULL);
    case 5:
        return ft->ConstructInstance(context, &thing_decl, &made.instance);
    case 6:
        return ft->ConstructParameters(context, (MI_MethodDecl *)(void *)&thing_decl,
                                       &made.instance);
    case 7:
        return ft->SetSupportedTypes(context, 1);
    case 8:
        return ft->GetTypes(context, &types);
    case 9:
        return ft->RegisterCallback(context, on_types, &thing_decl);
    case 10:
        types = (MI_Uint32)ft->NewInstance(context, &thing_decl, &instance);
        break;
    case 11:
        types = (MI_Uint32)ft->NewDynamicInstance(context, "T", 0, &instance);
        break;
    case 12:
        types =
            (MI_Uint32)ft->NewParameters(context, (MI_MethodDecl *)(void *)&thing_decl, &instance);
        break;
    default:
        return ft->PostResult(context, MI_RESULT_OK);
    }
    ck_assert((instance != NULL) == (types == MI_RESULT_OK));
    if (instance != NULL) {
        MI_Instance_Delete(instance);
    }
    return (MI_Result)types;
}

/* Each of the 14 slots: with the context, with none, with an address that is none, after its end.
 * PostResult, which ends it, comes last. */
START_TEST(test_slots)
{
    enum { SLOTS = 14 };
    char text[32];
    struct thing thing;

    set_up();
    MI_Operation operation = subscribe("SELECT * FROM CIM_InstCreation");
    await_types(MI_LIFECYCLE_INDICATION_CREATE);
    MI_LifecycleIndicationContext elsewhere = *of_thing;
    for (int slot = 0; slot < SLOTS; slot++) {
        ck_assert_msg(call_slot(NULL, slot) == MI_RESULT_INVALID_PARAMETER, "slot %d", slot);
        ck_assert_msg(call_slot(&elsewhere, slot) == MI_RESULT_INVALID_PARAMETER, "slot %d", slot);
    }
    const MI_LifecycleIndicationContextFT *ft = of_thing->ft;
    memset(&thing, 0, sizeof(thing));
    ck_assert_int_eq(ft->PostCreate(of_thing, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->PostCreate(of_thing, &thing.instance), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->PostDelete(of_thing, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->PostRead(of_thing, NULL), MI_RESULT_INVALID_PARAMETER);
    thing.instance.classDecl = &thing_decl;
    ck_assert_int_eq(ft->PostModify(of_thing, NULL, &thing.instance), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->PostModify(of_thing, &thing.instance, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->PostMethodCall(of_thing, NULL, NULL, MI_TRUE, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->SetSupportedTypes(of_thing, 32), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->GetTypes(of_thing, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->RegisterCallback(of_thing, NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->NewInstance(of_thing, &thing_decl, NULL), MI_RESULT_INVALID_PARAMETER);
    for (int slot = 0; slot < SLOTS; slot++) {
        ck_assert_msg(call_slot(of_thing, slot) == MI_RESULT_OK, "slot %d", slot);
    }
    for (int slot = 0; slot < SLOTS; slot++) {
        ck_assert_msg(call_slot(of_thing, slot) == MI_RESULT_INVALID_PARAMETER, "slot %d", slot);
    }
    MI_Operation_Close(&operation);
    ck_assert(no_operation_left());
    /* Not in a request. */
    ck_assert_int_eq(get(&session, "T_Widget", "a", text, sizeof(text)), MI_RESULT_OK);
    stop_host();
}
END_TEST

/* ---- loading and unloading ------------------------------------------------------------------- */

static bool trace_is(const char *expected)
{
    pthread_mutex_lock(&trace_lock);
    bool same = strcmp(trace, expected) == 0;
    pthread_mutex_unlock(&trace_lock);
    return same;
}

/* A provider with a subscription is not unloaded; in Unload it may still post, and not after. */
START_TEST(test_unload)
{
    set_up_with(MI_LIFECYCLE_INDICATION_ALL, 30);
    for (int round = 0; round < 2; round++) {
        MI_Operation operation =
            subscribe("SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA T_Thing");
        await_types(MI_LIFECYCLE_INDICATION_CREATE);
        nap(200);
        ck_assert(trace_is(round == 0 ? "load " : "load unload load "));
        ck_assert_int_eq(post_created(1), MI_RESULT_OK);
        unload_post = MI_RESULT_FAILED;
        MI_Operation_Close(&operation);
        const char *after = round == 0 ? "load unload " : "load unload load unload ";
        for (int i = 0; i < 60000 && !trace_is(after); i++) {
            nap(1);
        }
        ck_assert(trace_is(after));
        ck_assert_int_eq(unload_post, MI_RESULT_OK);
        for (int i = 0; i < 60000 && post_created(1) == MI_RESULT_OK; i++) {
            nap(1);
        }
        ck_assert_int_eq(post_created(1), MI_RESULT_INVALID_PARAMETER);
        atomic_store(&last_types, 77);
    }
    stop_host();
}
END_TEST

static atomic_bool over;

static void *post_always(void *unused)
{
    (void)unused;
    while (!atomic_load(&over)) {
        if (post_created(3) != MI_RESULT_OK) {
            nap(1);
        }
    }
    return NULL;
}

static void *come_and_go(void *unused)
{
    MI_Result result = MI_RESULT_OK;
    (void)unused;

    for (int i = 0; i < (getenv("QUICK") != NULL ? 10 : 100); i++) {
        MI_Operation operation = subscribe(i % 2 ? "SELECT * FROM CIM_InstCreation"
                                                 : "SELECT * FROM CIM_InstIndication");
        ck_assert_uint_eq(level_of(fetch(&operation, &result), "SourceInstance"), 3);
        MI_Operation_Close(&operation);
    }
    return NULL;
}

/* Clients come and go while changes are posted; posts go on until the host has ended. */
START_TEST(test_storm)
{
    pthread_t clients[4], posters[2];

    set_up();
    MI_Operation operation = subscribe("SELECT * FROM CIM_InstDeletion");
    await_types(MI_LIFECYCLE_INDICATION_DELETE);
    for (int i = 0; i < 2; i++) {
        pthread_create(&posters[i], NULL, post_always, NULL);
    }
    for (int i = 0; i < 4; i++) {
        pthread_create(&clients[i], NULL, come_and_go, NULL);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(clients[i], NULL);
    }
    await_types(MI_LIFECYCLE_INDICATION_DELETE);
    MI_Operation_Close(&operation);
    await_types(MI_LIFECYCLE_INDICATION_NONE);
    stop_host();
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(posters[i], NULL);
    }
    ck_assert_uint_eq(operation_in_use(), 0);
    ck_assert_uint_eq(context_in_use(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host lifecycle");
    TCase *tests = tcase_create("lifecycle");

    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_all_types);
    tcase_add_test(tests, test_filters);
    tcase_add_loop_test(tests, test_refused, 0, COUNT(refusals));
    tcase_add_test(tests, test_slots);
    tcase_add_test(tests, test_unload);
    tcase_add_test(tests, test_storm);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
