/* SPDX-License-Identifier: MIT */
/*
 * An instance from JSON, as `miguard run --json` writes one.
 *
 * run_json_add() goes through the members of one object. An object in it is an embedded instance or
 * a reference, whose class __CLASS names. Numbers and truth values go to the host as their texts,
 * like the VALUE of KEY=VALUE: an integer is written in full and a real number with the digits that
 * give it back.
 */
#include "tools/cli/run_input.h"

#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

/* ---- members ----------------------------------------------------------------------------------
 */

/* The walk through one object. */
struct walk {
    MI_Application *application;
    unsigned levels;
};

static int add_members(struct walk *walk, json_t *object, MI_Instance *instance);

static int out_of_memory(void)
{
    return complain(CLI_UNABLE, "out of memory");
}

static int refused(const char *name, MI_Result result)
{
    return complain(CLI_USAGE, "%s: %s (%d)", name, result_name(result), (int)result);
}

/* On the heap; NULL out of memory. 17 digits give the same double back. */
static char *scalar_text(const json_t *json)
{
    char *text = NULL;
    int length = 0;

    if (json_is_string(json)) {
        return strdup(json_string_value(json));
    }
    if (json_is_boolean(json)) {
        return strdup(json_is_true(json) ? "true" : "false");
    }
    if (json_is_integer(json)) {
        length = asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
    } else {
        length = asprintf(&text, "%.17g", json_real_value(json));
    }
    return length < 0 ? NULL : text;
}

static bool is_scalar(const json_t *json)
{
    return json_is_string(json) || json_is_boolean(json) || json_is_number(json);
}

static int add_scalar(const char *name, const json_t *json, MI_Instance *instance)
{
    MI_Value value = {.string = scalar_text(json)};

    if (value.string == NULL) {
        return out_of_memory();
    }
    MI_Result result = MI_Instance_AddElement(instance, name, &value, MI_STRING, 0);
    free(value.string);
    return result == MI_RESULT_OK ? CLI_YES : refused(name, result);
}

/* An object by itself or in an array. *ret_instance is deleted by the caller. */
static int make_object(struct walk *walk, const char *name, json_t *json,
                       MI_Instance **ret_instance)
{
    const char *class_name = json_string_value(json_object_get(json, RUN_INPUT_CLASS));

    if (class_name == NULL) {
        return complain(CLI_USAGE, "%s: an object needs its class as \"%s\": \"NAME\"", name,
                        RUN_INPUT_CLASS);
    }
    if (walk->levels == RUN_INPUT_LEVELS) {
        return complain(CLI_USAGE, "%s: objects are nested more than %d deep", name,
                        RUN_INPUT_LEVELS);
    }
    MI_Result result =
        MI_Application_NewInstance(walk->application, class_name, NULL, ret_instance);
    if (result != MI_RESULT_OK) {
        return refused(name, result);
    }
    walk->levels++;
    int status = add_members(walk, json, *ret_instance);
    walk->levels--;
    return status;
}

static int add_object(struct walk *walk, const char *name, json_t *json, MI_Instance *instance)
{
    MI_Value value = {.instance = NULL};

    int status = make_object(walk, name, json, &value.instance);
    if (status == CLI_YES) {
        MI_Result result = MI_Instance_AddElement(instance, name, &value, MI_INSTANCE, 0);
        status = result == MI_RESULT_OK ? CLI_YES : refused(name, result);
    }
    if (value.instance != NULL) {
        MI_Instance_Delete(value.instance);
    }
    return status;
}

/* An array has texts or instances, by its first element. */
static int fill_array(struct walk *walk, const char *name, json_t *json, MI_Array *array,
                      bool objects)
{
    MI_StringA *texts = (MI_StringA *)(void *)array;
    MI_InstanceA *instances = (MI_InstanceA *)(void *)array;
    int status = CLI_YES;

    for (; array->size < json_array_size(json) && status == CLI_YES; array->size++) {
        json_t *element = json_array_get(json, array->size);
        if (objects ? !json_is_object(element) : !is_scalar(element)) {
            return complain(CLI_USAGE, "%s[%u]: not %s like the first element", name, array->size,
                            objects ? "an object" : "a text, number or truth value");
        }
        if (objects) {
            status = make_object(walk, name, element, &instances->data[array->size]);
        } else {
            texts->data[array->size] = scalar_text(element);
            status = texts->data[array->size] == NULL ? out_of_memory() : CLI_YES;
        }
    }
    return status;
}

static void release_array(MI_Array *array, size_t room, bool objects)
{
    void **items = array->data;

    for (size_t i = 0; i < room && items[i] != NULL; i++) {
        if (objects) {
            MI_Instance_Delete(items[i]);
        } else {
            free(items[i]);
        }
    }
    free(items);
}

static int add_array(struct walk *walk, const char *name, json_t *json, MI_Instance *instance)
{
    const size_t room = json_array_size(json);
    bool objects = room > 0 && json_is_object(json_array_get(json, 0));
    MI_Value value = {.array = {.data = calloc(room + 1, sizeof(void *)), .size = 0}};

    if (value.array.data == NULL) {
        return out_of_memory();
    }
    int status = fill_array(walk, name, json, &value.array, objects);
    if (status == CLI_YES) {
        MI_Result result =
            MI_Instance_AddElement(instance, name, &value, objects ? MI_INSTANCEA : MI_STRINGA, 0);
        status = result == MI_RESULT_OK ? CLI_YES : refused(name, result);
    }
    release_array(&value.array, room, objects);
    return status;
}

static int add_member(struct walk *walk, const char *name, json_t *json, MI_Instance *instance)
{
    if (json_is_null(json)) {
        MI_Result result = MI_Instance_AddElement(instance, name, NULL, MI_STRING, MI_FLAG_NULL);
        return result == MI_RESULT_OK ? CLI_YES : refused(name, result);
    }
    return json_is_object(json)  ? add_object(walk, name, json, instance)
           : json_is_array(json) ? add_array(walk, name, json, instance)
                                 : add_scalar(name, json, instance);
}

static int add_members(struct walk *walk, json_t *object, MI_Instance *instance)
{
    const char *name;
    json_t *value;
    int status = CLI_YES;

    json_object_foreach(object, name, value)
    {
        if (strcmp(name, RUN_INPUT_CLASS) != 0 && status == CLI_YES) {
            status = add_member(walk, name, value, instance);
        }
    }
    return status;
}

int run_json_add(MI_Application *application, json_t *object, MI_Instance *instance)
{
    struct walk walk = {application, 0};

    return add_members(&walk, object, instance);
}
