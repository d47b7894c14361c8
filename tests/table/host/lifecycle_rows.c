/* SPDX-License-Identifier: MIT */
/*
 * The lifecycle context, which a provider gets in its Load (reference E, the last slot).
 */
#include "../../unit/host_module.h"

#include "rows.h"

static MI_LifecycleIndicationContext *lifecycle;

static void on_types(MI_Uint32 types, void *data)
{
    (void)types;
    (void)data;
}

/* The functions that make instances, as those of any context. */
static void making_rows(void)
{
    struct widget widget;
    struct add add;
    MI_Instance *instance = NULL;

#define MAKING(NAME, WHAT, ...)                                                                    \
    NO_HANDLE(MI_LifecycleIndicationContext, MI_LifecycleIndicationContext_##NAME, WHAT,           \
              __VA_ARGS__);                                                                        \
    ROW(INVALID_PARAMETER, MI_LifecycleIndicationContext_##NAME, "of nothing", lifecycle, NULL,    \
        __VA_ARGS__);                                                                              \
    ROW(OK, MI_LifecycleIndicationContext_##NAME, "declared", lifecycle, WHAT, __VA_ARGS__)
    MAKING(ConstructInstance, &widget_decl, &widget.instance);
    MI_Instance_Destruct(&widget.instance);
    MAKING(ConstructParameters, &add_decl, &add.instance);
    MI_Instance_Destruct(&add.instance);
    MAKING(NewInstance, &widget_decl, &instance);
    MI_Instance_Delete(instance);
    MAKING(NewDynamicInstance, "Any_Name", 0, &instance);
    MI_Instance_Delete(instance);
    MAKING(NewParameters, &add_decl, &instance);
    MI_Instance_Delete(instance);
}

static void type_rows(void)
{
    MI_Uint32 types = 99;

    NO_HANDLE(MI_LifecycleIndicationContext, MI_LifecycleIndicationContext_SetSupportedTypes,
              MI_LIFECYCLE_INDICATION_ALL);
    ROW(OK, MI_LifecycleIndicationContext_SetSupportedTypes, "all", lifecycle,
        MI_LIFECYCLE_INDICATION_ALL);
    ROW(INVALID_PARAMETER, MI_LifecycleIndicationContext_SetSupportedTypes, "no such type",
        lifecycle, 32);
    NO_HANDLE(MI_LifecycleIndicationContext, MI_LifecycleIndicationContext_GetTypes, &types);
    ROW(OK, MI_LifecycleIndicationContext_GetTypes, "nobody wants any", lifecycle, &types);
    EFFECT(types == MI_LIFECYCLE_INDICATION_NONE);
    ROW(INVALID_PARAMETER, MI_LifecycleIndicationContext_GetTypes, "nowhere to answer", lifecycle,
        NULL);
    NO_HANDLE(MI_LifecycleIndicationContext, MI_LifecycleIndicationContext_RegisterCallback,
              on_types, NULL);
    ROW(OK, MI_LifecycleIndicationContext_RegisterCallback, "one", lifecycle, on_types, NULL);
    ROW(INVALID_PARAMETER, MI_LifecycleIndicationContext_RegisterCallback, "none", lifecycle, NULL,
        NULL);
}

static void posting_rows(void)
{
    MI_Instance *one = NULL;
    MI_Value id = {.string = (MI_Char *)(uintptr_t) "a"};

    MI_Application_NewInstance(&application, NULL, &widget_decl, &one);
    MI_Instance_SetElement(one, "Id", &id, MI_STRING, 0);
#define POSTED(NAME, ...)                                                                          \
    NO_HANDLE(MI_LifecycleIndicationContext, MI_LifecycleIndicationContext_##NAME, one,            \
              ##__VA_ARGS__);                                                                      \
    ROW(OK, MI_LifecycleIndicationContext_##NAME, "an instance", lifecycle, one, ##__VA_ARGS__)
#define NO_INSTANCE(NAME, ...)                                                                     \
    ROW(INVALID_PARAMETER, MI_LifecycleIndicationContext_##NAME, "no instance", lifecycle, NULL,   \
        ##__VA_ARGS__)
    POSTED(PostCreate);
    NO_INSTANCE(PostCreate);
    POSTED(PostDelete);
    NO_INSTANCE(PostDelete);
    POSTED(PostRead);
    NO_INSTANCE(PostRead);
    POSTED(PostModify, one);
    NO_INSTANCE(PostModify, one);
    ROW(INVALID_PARAMETER, MI_LifecycleIndicationContext_PostModify, "no new instance", lifecycle,
        one, NULL);
    POSTED(PostMethodCall_Before, "Touch", NULL);
    POSTED(PostMethodCall_After, "Touch", NULL, "0");
    ROW(OK, MI_LifecycleIndicationContext_PostMethodCall_Before, "a static method", lifecycle, NULL,
        "Add", NULL);
    ROW(INVALID_PARAMETER, MI_LifecycleIndicationContext_PostMethodCall_Before, "no method",
        lifecycle, one, NULL, NULL);
    ROW(INVALID_PARAMETER, MI_LifecycleIndicationContext_PostMethodCall_After, "no method",
        lifecycle, one, NULL, NULL, "0");
    MI_Instance_Delete(one);
}

static void rows_in_load(void **self, MI_Context *context)
{
    (void)self;
    ROW(OK, MI_Context_GetLifecycleIndicationContext, "in the Load of a provider", context,
        &lifecycle);
    if (lifecycle != NULL) {
        making_rows();
        type_rows();
        posting_rows();
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

void lifecycle_rows(void)
{
    MI_Uint32 types = 99;
    char ids[64];
    bool ready = start_host();

    hooks.load = rows_in_load;
    get(&session, "T_Widget", "a", ids, sizeof(ids));
    EFFECT(ready && lifecycle != NULL);
    NO_HANDLE(MI_LifecycleIndicationContext, MI_LifecycleIndicationContext_PostResult,
              MI_RESULT_OK);
    ROW(OK, MI_LifecycleIndicationContext_PostResult, "it ends", lifecycle, MI_RESULT_OK);
    ROW(INVALID_PARAMETER, MI_LifecycleIndicationContext_PostResult, "it has ended", lifecycle,
        MI_RESULT_OK);
    ROW(INVALID_PARAMETER, MI_LifecycleIndicationContext_GetTypes, "it has ended", lifecycle,
        &types);
    stop_host();
}
