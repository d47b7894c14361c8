/* SPDX-License-Identifier: MIT */
/*
 * The table of a context: making instances, asking about the request, and all 31 slots.
 *
 * Each slot is entered by provider code, on any thread and perhaps after the end of the request: it
 * begins by pinning the context. ENTRY_UNCANCELLED keeps pthread_cancel(3) from ending the thread
 * while it holds a lock or a pin.
 */
#include "host/server/host.h"

#include <string.h>

#include "host/object/object.h"

/* Not shared with providers in a header: MI.h has the only user, MI_Context_SetFilterOption(). */
#define FILTER_BY_PROVIDER "__FilterByProvider"

/* Whether the context is live. It may end before the caller goes on: the objects made here belong
 * to the provider and do not depend on the request. */
static bool is_alive(const MI_Context *address)
{
    struct context *context = context_pin(address);
    if (context == NULL) {
        return false;
    }
    context_unpin(context);
    return true;
}

/* A method declaration is used as a class declaration: they agree in the members that instances
 * use. */
static const MI_ClassDecl *as_class(const MI_MethodDecl *decl)
{
    return (const MI_ClassDecl *)(const void *)decl;
}

/* ConstructInstance: in the provider's own memory, which generated code takes from its stack. */
static MI_Result construct_instance(MI_Context *context, const MI_ClassDecl *decl,
                                    MI_Instance *instance)
{
    ENTRY_UNCANCELLED;
    if (decl == NULL || instance == NULL || !is_alive(context)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return instance_construct(decl, instance);
}

/* ConstructParameters: a NULL declaration stays NULL through the cast and is refused. */
static MI_Result construct_parameters(MI_Context *context, const MI_MethodDecl *decl,
                                      MI_Instance *instance)
{
    ENTRY_UNCANCELLED;
    return construct_instance(context, as_class(decl), instance);
}

/* NewInstance: on the heap, the provider's to delete. It does not end with the context. */
static MI_Result new_instance(MI_Context *context, const MI_ClassDecl *decl,
                              MI_Instance **ret_instance)
{
    ENTRY_UNCANCELLED;
    if (ret_instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_instance = NULL;
    if (decl == NULL || !is_alive(context)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return instance_new(decl, ret_instance);
}

/* NewParameters: as NewInstance, by a method's declaration. */
static MI_Result new_parameters(MI_Context *context, const MI_MethodDecl *decl,
                                MI_Instance **ret_instance)
{
    ENTRY_UNCANCELLED;
    return new_instance(context, as_class(decl), ret_instance);
}

/* NewDynamicInstance: flags choose the kind (MI.h, MI_FLAG_CLASS and others). */
static MI_Result new_dynamic_instance(MI_Context *context, const MI_Char *name, MI_Uint32 flags,
                                      MI_Instance **ret_instance)
{
    ENTRY_UNCANCELLED;
    if (ret_instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_instance = NULL;
    if (name == NULL || !decl_name_legal(name) || !is_alive(context)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return instance_new_dynamic(name, flags, ret_instance);
}

/* Canceled: true also for a context that has ended, with INVALID_PARAMETER. */
static MI_Result canceled(const MI_Context *address, MI_Boolean *flag)
{
    ENTRY_UNCANCELLED;
    if (flag == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    /* A loop that checks only the flag must end with the context. */
    *flag = MI_TRUE;
    struct context *context = context_pin(address);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *flag = MI_FALSE;
    struct operation *operation = context->operation;
    if (operation != NULL) {
        pthread_mutex_lock(&operation->lock);
        *flag = operation->cancelled ? MI_TRUE : MI_FALSE;
        pthread_mutex_unlock(&operation->lock);
    }
    context_unpin(context);
    return MI_RESULT_OK;
}

/* RequestUnload and RefuseUnload are about a class provider: INVALID_PARAMETER on a module's
 * context, and in Unload itself. */
static MI_Result set_unload(MI_Context *address, bool refuse)
{
    MI_Result result = MI_RESULT_INVALID_PARAMETER;
    struct context *context = context_pin(address);

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (context->provider != NULL && context->kind != CONTEXT_PROVIDER_UNLOAD) {
        atomic_store(&context->provider->refuse_unload, refuse);
        result = MI_RESULT_OK;
    }
    context_unpin(context);
    return result;
}

/* RequestUnload: takes RefuseUnload back. */
static MI_Result request_unload(MI_Context *context)
{
    ENTRY_UNCANCELLED;
    return set_unload(context, false);
}

/* RefuseUnload: concerns idle unloading only, and never the end of the host. */
static MI_Result refuse_unload(MI_Context *context)
{
    ENTRY_UNCANCELLED;
    return set_unload(context, true);
}

/* ---- options ----------------------------------------------------------------------------- */

/* SetStringOption: the only option that MI.h defines for providers is accepted. */
static MI_Result set_string_option(MI_Context *context, const MI_Char *name, const MI_Char *value)
{
    ENTRY_UNCANCELLED;
    if (name == NULL || value == NULL || !is_alive(context)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    /* The provider reports that it has filtered by itself. Nothing here depends on that. */
    bool known = strcmp(name, FILTER_BY_PROVIDER) == 0 &&
                 (strcmp(value, "TRUE") == 0 || strcmp(value, "FALSE") == 0);
    return known ? MI_RESULT_OK : MI_RESULT_NOT_SUPPORTED;
}

/* The custom option called name. Values belong to the operation, which the context keeps until the
 * final result. NO_SUCH_PROPERTY when it is not set, INVALID_PARAMETER in a Load or Unload, which
 * has no options. */
static MI_Result find_option(const MI_Context *address, const MI_Char *name, MI_Type *ret_type,
                             MI_Value *ret_value)
{
    const char *at = NULL;
    struct context *context = name == NULL ? NULL : context_pin(address);

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result =
        context->operation == NULL ? MI_RESULT_INVALID_PARAMETER : MI_RESULT_NO_SUCH_PROPERTY;
    for (MI_Uint32 i = 0; result == MI_RESULT_NO_SUCH_PROPERTY &&
                          operation_custom_option(context->operation, i, &at, ret_type, ret_value);
         i++) {
        if (decl_name_equal(at, name)) {
            result = MI_RESULT_OK;
        }
    }
    context_unpin(context);
    return result;
}

/* GetStringOption: an option of another type counts as missing. The string is borrowed until the
 * final result. */
static MI_Result get_string_option(MI_Context *context, const MI_Char *name, const MI_Char **value)
{
    ENTRY_UNCANCELLED;
    MI_Value found;
    MI_Type type = MI_BOOLEAN;

    if (value == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *value = NULL;
    MI_Result result = find_option(context, name, &type, &found);
    if (result == MI_RESULT_OK && type != MI_STRING) {
        result = MI_RESULT_NO_SUCH_PROPERTY;
    }
    if (result == MI_RESULT_OK) {
        *value = found.string;
    }
    return result;
}

/* GetNumberOption: likewise; *value is 0 on failure. */
static MI_Result get_number_option(MI_Context *context, const MI_Char *name, MI_Uint32 *value)
{
    ENTRY_UNCANCELLED;
    MI_Value found;
    MI_Type type = MI_BOOLEAN;

    if (value == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *value = 0;
    MI_Result result = find_option(context, name, &type, &found);
    if (result == MI_RESULT_OK && type != MI_UINT32) {
        result = MI_RESULT_NO_SUCH_PROPERTY;
    }
    if (result == MI_RESULT_OK) {
        *value = found.uint32;
    }
    return result;
}

/* GetCustomOption: of any type. The outputs are set on success only. */
static MI_Result get_custom_option(MI_Context *context, const MI_Char *name, MI_Type *type,
                                   MI_Value *value)
{
    ENTRY_UNCANCELLED;
    MI_Value found;
    MI_Type found_type = MI_BOOLEAN;

    if (type == NULL || value == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = find_option(context, name, &found_type, &found);
    if (result == MI_RESULT_OK) {
        *type = found_type;
        *value = found;
    }
    return result;
}

/* GetCustomOptionCount: of the options meant for providers, without those of the MI itself. */
static MI_Result get_custom_option_count(MI_Context *address, MI_Uint32 *count)
{
    ENTRY_UNCANCELLED;
    if (count == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *count = 0;
    struct context *context = context_pin(address);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = MI_RESULT_INVALID_PARAMETER;
    if (context->operation != NULL) {
        while (operation_custom_option(context->operation, *count, NULL, NULL, NULL)) {
            (*count)++;
        }
        result = MI_RESULT_OK;
    }
    context_unpin(context);
    return result;
}

/* GetCustomOptionAt: NO_SUCH_PROPERTY beyond the end. */
static MI_Result get_custom_option_at(MI_Context *address, MI_Uint32 index, const MI_Char **name,
                                      MI_Type *type, MI_Value *value)
{
    ENTRY_UNCANCELLED;
    MI_Result result = MI_RESULT_INVALID_PARAMETER;

    if (name == NULL || type == NULL || value == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *name = NULL;
    struct context *context = context_pin(address);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (context->operation != NULL) {
        bool found = operation_custom_option(context->operation, index, name, type, value);
        result = found ? MI_RESULT_OK : MI_RESULT_NO_SUCH_PROPERTY;
    }
    context_unpin(context);
    return result;
}

/* GetLocale: NOT_SUPPORTED with an empty string when the client set no locale. */
static MI_Result get_locale(const MI_Context *address, MI_LocaleType type, MI_Char *locale)
{
    ENTRY_UNCANCELLED;
    bool found = false;

    if (locale == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    locale[0] = '\0';
    struct context *context = context_pin(address);
    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (context->operation != NULL) {
        found = operation_locale(context->operation, type, locale);
    }
    context_unpin(context);
    return found ? MI_RESULT_OK : MI_RESULT_NOT_SUPPORTED;
}

/* ---- slots without a service -------------------------------------------------------------- */

/* What a module of a later minor version may find behind the last slot that is known here. */
static MI_Result later_slot(const MI_Context *context)
{
    ENTRY_UNCANCELLED;
    return is_alive(context) ? MI_RESULT_NOT_SUPPORTED : MI_RESULT_INVALID_PARAMETER;
}

#define LATER_2 later_slot, later_slot
#define LATER_8 LATER_2, LATER_2, LATER_2, LATER_2

const struct context_table context_ft = {.known =
                                             {
                                                 .PostResult = context_post_result,
                                                 .PostInstance = context_post_instance,
                                                 .PostIndication = indication_post,
                                                 .ConstructInstance = construct_instance,
                                                 .ConstructParameters = construct_parameters,
                                                 .NewInstance = new_instance,
                                                 .NewDynamicInstance = new_dynamic_instance,
                                                 .NewParameters = new_parameters,
                                                 .Canceled = canceled,
                                                 .GetLocale = get_locale,
                                                 .RegisterCancel = context_register_cancel,
                                                 .RequestUnload = request_unload,
                                                 .RefuseUnload = refuse_unload,
                                                 .GetLocalSession = context_get_local_session,
                                                 .SetStringOption = set_string_option,
                                                 .GetStringOption = get_string_option,
                                                 .GetNumberOption = get_number_option,
                                                 .GetCustomOption = get_custom_option,
                                                 .GetCustomOptionCount = get_custom_option_count,
                                                 .GetCustomOptionAt = get_custom_option_at,
                                                 .WriteMessage = context_write_message,
                                                 .WriteProgress = context_write_progress,
                                                 .WriteStreamParameter = stream_write,
                                                 .WriteCimError = context_write_cim_error,
                                                 .PromptUser = context_prompt_user,
                                                 .ShouldProcess = context_should_process,
                                                 .ShouldContinue = context_should_continue,
                                                 .PostError = context_post_error,
                                                 .PostCimError = context_post_cim_error,
                                                 .WriteError = context_write_error,
                                                 .GetLifecycleIndicationContext = lifecycle_get,
                                             },
                                         .later = {LATER_8, LATER_8, LATER_8, LATER_8}};
