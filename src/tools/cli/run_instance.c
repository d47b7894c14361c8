/* SPDX-License-Identifier: MIT */
/*
 * Makes the instance of a request from KEY=VALUE and --input, and its options.
 *
 * The elements are strings, or arrays of strings: the host converts them to what the class declares
 * (instance_convert_to()), and refuses a text that is not such a value. The command itself knows no
 * class.
 */
#include "tools/cli/run_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Names of CIM are the same whatever their case (DSP0004, 5.2). */
static bool same_key(const struct run_pair *a, const struct run_pair *b)
{
    return a->key_length == b->key_length && strncasecmp(a->text, b->text, a->key_length) == 0;
}

/* Then the pair has become a part of an earlier element. */
static bool seen_before(const struct run_pairs *pairs, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (same_key(&pairs->list[i], &pairs->list[index])) {
            return true;
        }
    }
    return false;
}

/* Adds one element from all pairs with the key of the one at first. AddElement copies, so the texts
 * are borrowed from the command line. */
static MI_Result add_element(MI_Instance *instance, const struct run_pairs *pairs, size_t first)
{
    const struct run_pair *pair = &pairs->list[first];
    MI_Value value = {0};
    MI_Type type = MI_STRING;
    MI_Result result = MI_RESULT_SERVER_LIMITS_EXCEEDED;
    char *name = strndup(pair->text, pair->key_length);
    MI_Char **texts = calloc(pairs->count, sizeof(*texts));

    if (name == NULL || texts == NULL) {
        goto out;
    }
    MI_Uint32 count = 0;
    for (size_t i = first; i < pairs->count; i++) {
        if (same_key(pair, &pairs->list[i])) {
            texts[count++] = (MI_Char *)pairs->list[i].value;
        }
    }
    if (count > 1 || pair->array) {
        type = MI_STRINGA;
        value.stringa.data = texts;
        value.stringa.size = count;
    } else {
        value.string = texts[0];
    }
    result = MI_Instance_AddElement(instance, name, &value, type, 0);
out:
    free(texts);
    free(name);
    return result;
}

/* Through the session's application, as any client makes one. */
int run_instance_new(const struct run_shape *shape, const struct run_pairs *pairs,
                     const struct run_input *input, MI_Instance **ret_instance)
{
    const char *class_name = shape->method != NULL ? "Parameters" : shape->class_name;
    MI_Application application = MI_APPLICATION_NULL;
    MI_Instance *instance = NULL;
    int status = CLI_YES;

    MI_Result result = MI_Session_GetApplication(shape->session, &application);
    if (result == MI_RESULT_OK) {
        result = MI_Application_NewInstance(&application, class_name, NULL, &instance);
    }
    if (result == MI_RESULT_OK && input != NULL) {
        status = run_input_add(&application, shape, input, instance);
    }
    for (size_t i = 0; i < pairs->count && result == MI_RESULT_OK && status == CLI_YES; i++) {
        if (!seen_before(pairs, i)) {
            result = add_element(instance, pairs, i);
        }
    }
    if (result != MI_RESULT_OK) {
        status = complain(CLI_NO, "%s (%d): these keys and values make no instance",
                          result_name(result), (int)result);
    }
    if (status != CLI_YES) {
        if (instance != NULL) {
            MI_Instance_Delete(instance);
        }
        return status;
    }
    *ret_instance = instance;
    return CLI_YES;
}

/* The options of the request, if there are any; *ret_options is then deleted by the caller. */
MI_Result run_options_new(MI_Session *session, const struct run_request *request,
                          MI_OperationOptions *ret_options)
{
    MI_Application application = MI_APPLICATION_NULL;
    const MI_Interval timeout = {.days = (MI_Uint32)(request->timeout / 86400),
                                 .hours = (MI_Uint32)(request->timeout / 3600 % 24),
                                 .minutes = (MI_Uint32)(request->timeout / 60 % 60),
                                 .seconds = (MI_Uint32)(request->timeout % 60)};

    /* The time of a subscription is that of the command: it ends it, and that is no error. */
    const bool timed = request->timeout != 0 && request->verb != RUN_SUBSCRIBE;

    if (!timed && request->custom.count == 0) {
        return MI_RESULT_OK;
    }
    MI_Result result = MI_Session_GetApplication(session, &application);
    if (result == MI_RESULT_OK) {
        result = MI_Application_NewOperationOptions(&application, MI_FALSE, ret_options);
    }
    if (result == MI_RESULT_OK && timed) {
        result = MI_OperationOptions_SetTimeout(ret_options, &timeout);
    }
    for (size_t i = 0; i < request->custom.count && result == MI_RESULT_OK; i++) {
        const struct run_pair *pair = &request->custom.list[i];
        char *name = strndup(pair->text, pair->key_length);
        MI_Value value = {.string = (MI_Char *)(uintptr_t)pair->value};
        result = name == NULL ? MI_RESULT_SERVER_LIMITS_EXCEEDED
                              : MI_OperationOptions_SetCustomOption(ret_options, name, MI_STRING,
                                                                    &value, MI_FALSE);
        free(name);
    }
    return result;
}
