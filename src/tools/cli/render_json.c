/* SPDX-License-Identifier: MIT */
/*
 * Instances as JSON for `miguard run --json`.
 *
 * render_json() makes an object of all elements, json_scalar() and render_array() their values. A
 * part that is NULL, for want of memory, makes the whole NULL, so that no half of an instance is
 * printed. Names and texts are made UTF-8 first.
 */
#include "tools/cli/cli.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define EXACT_LIMIT (1LL << 53) /* beyond it a double skips integers */

/* A string with what is not UTF-8 replaced. NULL for NULL or out of memory; jansson then makes the
 * whole NULL. */
static json_t *json_text(const char *text)
{
    char *valid = text == NULL ? NULL : valid_utf8(text);
    json_t *json = valid == NULL ? NULL : json_string(valid);

    free(valid);
    return json;
}

/* As text beyond the numbers that a double holds exactly. */
static json_t *json_unsigned(MI_Uint64 value)
{
    char digits[24];

    if (value <= (MI_Uint64)EXACT_LIMIT) {
        return json_integer((json_int_t)value);
    }
    snprintf(digits, sizeof(digits), "%llu", value);
    return json_string(digits);
}

/* Likewise. */
static json_t *json_signed(MI_Sint64 value)
{
    char digits[24];

    if (value >= -EXACT_LIMIT && value <= EXACT_LIMIT) {
        return json_integer(value);
    }
    snprintf(digits, sizeof(digits), "%lld", value);
    return json_string(digits);
}

/* JSON has no infinities and no NaN; as text they are at least not lost. */
static json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value)
           : isnan(value)  ? json_string("NaN")
           : value > 0     ? json_string("Infinity")
                           : json_string("-Infinity");
}

/* The text of DSP0004. */
static json_t *json_datetime(const MI_Datetime *datetime)
{
    char text[26];

    datetime_text(datetime, text);
    return json_string(text);
}

/* The object path as text. */
static json_t *json_reference(const MI_Instance *reference)
{
    char *text = reference_text(reference);
    json_t *json = json_text(text);

    free(text);
    return json;
}

/* An embedded instance also says its class, which nothing around it does. */
static json_t *json_embedded(const MI_Instance *instance)
{
    const MI_Char *name = NULL;
    json_t *members = render_json(instance), *json = json_object();

    MI_Instance_GetClassName(instance, &name);
    if (members == NULL || json_object_set_new(json, "__CLASS", json_text(name)) < 0 ||
        json_object_update_missing(json, members) < 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(members);
    return json;
}

/* A new reference; NULL out of memory. Small integers are numbers, large ones text (render_json()
 * in cli.h says why), a char16 is its code, a datetime and a reference are the texts of DSP0004,
 * and an embedded instance is an object with its class as __CLASS. */
static json_t *json_scalar(MI_Type type, const MI_Value *value)
{
    switch (type) {
    case MI_BOOLEAN:
        return json_boolean(value->boolean);
    case MI_UINT8:
        return json_unsigned(value->uint8);
    case MI_SINT8:
        return json_signed(value->sint8);
    case MI_UINT16:
        return json_unsigned(value->uint16);
    case MI_SINT16:
        return json_signed(value->sint16);
    case MI_UINT32:
        return json_unsigned(value->uint32);
    case MI_SINT32:
        return json_signed(value->sint32);
    case MI_UINT64:
        return json_unsigned(value->uint64);
    case MI_SINT64:
        return json_signed(value->sint64);
    case MI_REAL32:
        return json_number((double)value->real32);
    case MI_REAL64:
        return json_number(value->real64);
    case MI_CHAR16:
        return json_unsigned(value->char16);
    case MI_DATETIME:
        return json_datetime(&value->datetime);
    case MI_STRING:
        return json_text(value->string);
    case MI_REFERENCE:
        return json_reference(value->reference);
    default:
        return json_embedded(value->instance);
    }
}

/* Elements that are NULL become null. */
static json_t *render_array(MI_Type type, const MI_Array *array)
{
    json_t *json = json_array();
    MI_Value value;

    for (MI_Uint32 i = 0; i < array->size && json != NULL; i++) {
        json_t *element = array_element(type, array, i, &value)
                              ? json_scalar(scalar_type(type), &value)
                              : json_null();
        if (json_array_append_new(json, element) < 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

/* Elements that cannot be read are left out, as in MOF. */
json_t *render_json(const MI_Instance *instance)
{
    json_t *json = json_object();
    const MI_Char *name;
    MI_Uint32 count = 0, flags;
    MI_Value value;
    MI_Type type;

    MI_Instance_GetElementCount(instance, &count);
    for (MI_Uint32 i = 0; i < count && json != NULL; i++) {
        if (MI_Instance_GetElementAt(instance, i, &name, &value, &type, &flags) != MI_RESULT_OK) {
            continue;
        }
        json_t *element = (flags & MI_FLAG_NULL) != 0 ? json_null()
                          : (type & MI_ARRAY) != 0    ? render_array(type, &value.array)
                                                      : json_scalar(type, &value);
        if (json_object_set_new(json, name, element) < 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}
