/* SPDX-License-Identifier: MIT */
/*
 * Values: their size, copying, releasing and comparing.
 *
 * Values are moved with memcpy(3) throughout: what a provider passes may be shorter than an
 * MI_Value and need not be aligned like one.
 *
 * A deep copy follows pointers that came from a provider: strings, arrays and instances. Their
 * sizes are checked by value_array_limits(), and the depth of instances by struct nest
 * (instance_internal.h).
 */
#include "host/object/object.h"

#include <string.h>

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* An MI_Type beyond the last array type is unknown; the table covers every scalar. */
size_t value_element_size(MI_Type type)
{
    static const unsigned char sizes[] = {
        [MI_BOOLEAN] = sizeof(MI_Boolean),      [MI_UINT8] = sizeof(MI_Uint8),
        [MI_SINT8] = sizeof(MI_Sint8),          [MI_UINT16] = sizeof(MI_Uint16),
        [MI_SINT16] = sizeof(MI_Sint16),        [MI_UINT32] = sizeof(MI_Uint32),
        [MI_SINT32] = sizeof(MI_Sint32),        [MI_UINT64] = sizeof(MI_Uint64),
        [MI_SINT64] = sizeof(MI_Sint64),        [MI_REAL32] = sizeof(MI_Real32),
        [MI_REAL64] = sizeof(MI_Real64),        [MI_CHAR16] = sizeof(MI_Char16),
        [MI_DATETIME] = sizeof(MI_Datetime),    [MI_STRING] = sizeof(MI_Char *),
        [MI_REFERENCE] = sizeof(MI_Instance *), [MI_INSTANCE] = sizeof(MI_Instance *),
    };

    if ((unsigned)type > MI_INSTANCEA) {
        return 0;
    }
    return sizes[type_scalar(type)];
}

/* Every array has one size, whatever its elements. */
size_t value_size(MI_Type type)
{
    if ((unsigned)type > MI_INSTANCEA) {
        return 0;
    }
    return type_is_array(type) ? sizeof(MI_Array) : value_element_size(type);
}

/* Also true for an array of numbers: its elements are on the heap. */
bool value_owns_memory(MI_Type type)
{
    return type_is_array(type) || type == MI_STRING || type_is_instance(type);
}

/* Arrays have no NULL: one without data is empty. */
bool value_is_null(MI_Type type, const void *value)
{
    const void *pointer = NULL;

    if (type != MI_STRING && !type_is_instance(type)) {
        return false;
    }
    memcpy(&pointer, value, sizeof(pointer));
    return pointer == NULL;
}

/* The division keeps the product of size and count from overflowing. */
MI_Result value_array_limits(MI_Type type, const MI_Array *array)
{
    if (array->size > 0 && array->data == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (type_is_instance(type_scalar(type)) && array->size > ARRAY_MAX_INSTANCES) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    if (array->size > ARRAY_MAX_BYTES / value_element_size(type)) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    return MI_RESULT_OK;
}

/* One value that is not an array; also one element of an array. A string is duplicated, an instance
 * copied as a part of the walk, everything else copied by its bytes. NULL strings and instances
 * stay NULL. *to is written on success only. */
static MI_Result copy_scalar(MI_Type type, const void *from, void *to, struct nest *nest)
{
    if (type == MI_STRING) {
        const char *text = NULL;
        memcpy(&text, from, sizeof(text));
        char *copy = base_copy_text(text);
        if (copy == NULL && text != NULL) {
            return MI_RESULT_SERVER_LIMITS_EXCEEDED;
        }
        memcpy(to, &copy, sizeof(copy));
        return MI_RESULT_OK;
    }
    if (type_is_instance(type)) {
        const MI_Instance *instance = NULL;
        MI_Instance *copy = NULL;
        memcpy(&instance, from, sizeof(instance));
        if (instance != NULL) {
            MI_Result result = instance_copy_nested(instance, &copy, nest);
            if (result != MI_RESULT_OK) {
                return result;
            }
        }
        memcpy(to, &copy, sizeof(copy));
        return MI_RESULT_OK;
    }
    memcpy(to, from, value_element_size(type));
    return MI_RESULT_OK;
}

/* Flat where the elements own nothing, else element by element. The count of the copy is that of
 * the elements made so far, so that value_release() fits at any moment. An empty array has no
 * memory. */
static MI_Result copy_array(MI_Type type, const void *from, void *to, struct nest *nest)
{
    MI_Type scalar = type_scalar(type);
    size_t size = value_element_size(type);
    MI_Array source;
    MI_Array copy = {0};
    MI_Result result;

    memcpy(&source, from, sizeof(source));
    result = value_array_limits(type, &source);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (source.size > 0) {
        copy.data = base_alloc(source.size, size);
        if (copy.data == NULL) {
            return MI_RESULT_SERVER_LIMITS_EXCEEDED;
        }
    }
    if (!value_owns_memory(scalar)) {
        if (source.size > 0) {
            memcpy(copy.data, source.data, source.size * size);
            copy.size = source.size;
        }
        memcpy(to, &copy, sizeof(copy));
        return MI_RESULT_OK;
    }
    /* size grows with the elements, so that a failure releases what was made and no more. */
    while (copy.size < source.size) {
        const unsigned char *element = source.data;
        unsigned char *place = copy.data;
        result = copy_scalar(scalar, element + copy.size * size, place + copy.size * size, nest);
        if (result != MI_RESULT_OK) {
            value_release(type, &copy);
            return result;
        }
        copy.size++;
    }
    memcpy(to, &copy, sizeof(copy));
    return MI_RESULT_OK;
}

/* A scalar or an array; the type was not known to be valid before. */
MI_Result value_copy_nested(MI_Type type, const void *from, void *to, struct nest *nest)
{
    if (value_size(type) == 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return type_is_array(type) ? copy_array(type, from, to, nest)
                               : copy_scalar(type, from, to, nest);
}

/* One walk by itself. */
MI_Result value_copy(MI_Type type, const void *from, void *to)
{
    struct nest nest = {0};

    if (from == NULL || to == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return value_copy_nested(type, from, to, &nest);
}

MI_Result value_take(MI_Type type, const void *from, const struct decl_copy *copies, void *to)
{
    struct nest nest = {.independent = true, .copies = copies};

    if (from == NULL || to == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return value_copy_nested(type, from, to, &nest);
}

/* For strings and instances only: other scalars own nothing. NULL is allowed in both. */
static void release_scalar(MI_Type type, const void *value)
{
    void *pointer = NULL;

    memcpy(&pointer, value, sizeof(pointer));
    if (type == MI_STRING) {
        base_free(pointer);
    } else {
        instance_delete(pointer);
    }
}

/* The elements of an array first, then the array. */
void value_release(MI_Type type, void *value)
{
    if (value == NULL || value_size(type) == 0) {
        return;
    }
    if (type_is_array(type)) {
        MI_Array array;
        memcpy(&array, value, sizeof(array));
        MI_Type scalar = type_scalar(type);
        if (value_owns_memory(scalar)) {
            for (MI_Uint32 i = 0; i < array.size; i++) {
                const unsigned char *element = array.data;
                release_scalar(scalar, element + i * value_element_size(type));
            }
        }
        base_free(array.data);
    } else if (value_owns_memory(type)) {
        release_scalar(type, value);
    }
    memset(value, 0, value_size(type));
}

/* Equal when they have the same members; two timestamps that name one moment in different zones
 * differ, as their texts do. Only the bytes with a meaning are compared. */
static bool equal_datetimes(const void *a, const void *b)
{
    MI_Datetime left;
    MI_Datetime right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    if ((left.isTimestamp != 0) != (right.isTimestamp != 0)) {
        return false;
    }
    /* An interval ends in padding with undefined content. */
    size_t meaning =
        left.isTimestamp != 0 ? sizeof(MI_Timestamp) : offsetof(MI_Interval, __padding1);
    return memcmp(&left.u, &right.u, meaning) == 0;
}

/* Case-sensitively, as key values are compared; NULL equals NULL only. */
static bool equal_strings(const void *a, const void *b)
{
    const char *left = NULL;
    const char *right = NULL;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    if (left == NULL || right == NULL) {
        return left == right;
    }
    return strcmp(left, right) == 0;
}

/* A reference is the object it names, so its keys decide; an embedded instance is a value, so its
 * content does. */
static bool equal_instances(MI_Type type, const void *a, const void *b, struct nest *nest)
{
    const MI_Instance *left = NULL;
    const MI_Instance *right = NULL;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    if (left == NULL || right == NULL) {
        return left == right;
    }
    return type == MI_REFERENCE ? instance_keys_equal_nested(left, right, nest)
                                : instance_content_equal_nested(left, right, nest);
}

/* Reals are compared as numbers: 0.0 equals -0.0, and NaN equals nothing, not even itself. */
static bool equal_reals(MI_Type type, const void *a, const void *b)
{
    MI_Value left = {0};
    MI_Value right = {0};

    memcpy(&left, a, value_element_size(type));
    memcpy(&right, b, value_element_size(type));
    if (type == MI_REAL32) {
        return left.real32 >= right.real32 && left.real32 <= right.real32;
    }
    return left.real64 >= right.real64 && left.real64 <= right.real64;
}

/* Booleans by truth, since any byte but 0 is true; integers by their bytes. */
static bool equal_scalars(MI_Type type, const void *a, const void *b, struct nest *nest)
{
    switch (type) {
    case MI_BOOLEAN:
        return (*(const MI_Boolean *)a != MI_FALSE) == (*(const MI_Boolean *)b != MI_FALSE);
    case MI_REAL32:
    case MI_REAL64:
        return equal_reals(type, a, b);
    case MI_DATETIME:
        return equal_datetimes(a, b);
    case MI_STRING:
        return equal_strings(a, b);
    case MI_REFERENCE:
    case MI_INSTANCE:
        return equal_instances(type, a, b, nest);
    default:
        return memcmp(a, b, value_element_size(type)) == 0;
    }
}

/* The limits of both arrays are checked: the pointers may come from a provider. */
bool value_equal_nested(MI_Type type, const void *a, const void *b, struct nest *nest)
{
    if (value_size(type) == 0) {
        return false;
    }
    if (!type_is_array(type)) {
        return equal_scalars(type, a, b, nest);
    }
    MI_Array left;
    MI_Array right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    if (left.size != right.size || value_array_limits(type, &left) != MI_RESULT_OK ||
        value_array_limits(type, &right) != MI_RESULT_OK) {
        return false;
    }
    size_t size = value_element_size(type);
    for (MI_Uint32 i = 0; i < left.size; i++) {
        const unsigned char *from_left = left.data;
        const unsigned char *from_right = right.data;
        if (!equal_scalars(type_scalar(type), from_left + i * size, from_right + i * size, nest)) {
            return false;
        }
    }
    return true;
}

/* One walk by itself. */
bool value_equal(MI_Type type, const void *a, const void *b)
{
    struct nest nest = {0};

    if (a == NULL || b == NULL) {
        return false;
    }
    return value_equal_nested(type, a, b, &nest);
}
