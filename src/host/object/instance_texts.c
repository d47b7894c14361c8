/* SPDX-License-Identifier: MIT */
/*
 * Instances without types, for clients that ask for strings alone. Such an instance can be given
 * back to the server: conversion to a declared class reads the strings (instance_convert.c).
 *
 * texts() makes the new instance and calls add_element() for each element of the old one;
 * text_of_scalar() chooses between a text, a copy and, for nested instances, texts() again. One
 * struct walk limits the whole.
 */
#include "host/object/object.h"

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* A text takes much more memory than a number: 16 MiB of uint8 would become 600. */
enum { MAX_TEXTS = 1 << 20 };

struct walk {
    struct nest nest;
    MI_Uint32 texts; /* that were made */
};

static MI_Result texts(const MI_Instance *from, struct walk *walk, MI_Instance **ret_instance);

/* One scalar, or one element of an array; type is that of the scalar. A NULL string or instance
 * stays one. */
static MI_Result text_of_scalar(MI_Type type, const void *from, struct walk *walk, void *to)
{
    char text[VALUE_NUMBER_SIZE];
    MI_Instance *instance = NULL;
    const char *copy = text;

    if (value_is_null(type, from)) {
        memset(to, 0, value_size(type));
        return MI_RESULT_OK;
    }
    if (type_is_instance(type)) {
        memcpy(&instance, from, sizeof(instance));
        return texts(instance, walk, (MI_Instance **)to);
    }
    if (type == MI_STRING) {
        return value_copy_nested(type, from, to, &walk->nest);
    }
    if (++walk->texts > MAX_TEXTS) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    return value_to_text(type, from, text) ? value_copy(MI_STRING, &copy, to)
                                           : MI_RESULT_NOT_SUPPORTED;
}

/* The array grows with its elements, so that a failure releases what was made and no more. */
static MI_Result text_of_array(MI_Type type, const MI_Array *from, struct walk *walk,
                               MI_Type ret_type, MI_Array *to)
{
    MI_Type scalar = type_scalar(type);
    size_t size = value_element_size(scalar);
    MI_Result result = value_array_limits(type, from);

    *to = (MI_Array){0};
    if (result != MI_RESULT_OK || from->size == 0) {
        return result;
    }
    void **places = base_alloc(from->size, sizeof(*places));
    if (places == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    to->data = places;
    while (to->size < from->size && result == MI_RESULT_OK) {
        const unsigned char *element = (const unsigned char *)from->data + to->size * size;
        result = text_of_scalar(scalar, element, walk, &places[to->size]);
        to->size += result == MI_RESULT_OK;
    }
    if (result != MI_RESULT_OK) {
        value_release(ret_type, to);
    }
    return result;
}

/* A string, an array of them, or what holds instances. */
static MI_Type type_of_texts(MI_Type type)
{
    MI_Type scalar = type_is_instance(type_scalar(type)) ? type_scalar(type) : MI_STRING;

    return (MI_Type)((unsigned)scalar | ((unsigned)type & MI_ARRAY));
}

static MI_Result add_element(const MI_Instance *from, MI_Uint32 index, struct walk *walk,
                             MI_Instance *to)
{
    const MI_Uint32 state = MI_FLAG_NULL | MI_FLAG_NOT_MODIFIED | MI_FLAG_BORROW | MI_FLAG_ADOPT;
    const char *name = NULL;
    MI_Value value = {0}, made = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;

    MI_Result result = instance_element_at(from, index, &name, &value, &type, &flags);
    MI_Type made_type = type_of_texts(type);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if ((flags & MI_FLAG_NULL) != 0) {
        return instance_append_element(to, name, NULL, made_type, (flags & ~state) | MI_FLAG_NULL);
    }
    result = type_is_array(type) ? text_of_array(type, &value.array, walk, made_type, &made.array)
                                 : text_of_scalar(type, &value, walk, &made);
    if (result == MI_RESULT_OK) {
        result = instance_append_element(to, name, &made, made_type, flags & ~state);
        value_release(made_type, &made);
    }
    return result;
}

/* The kind that instance_new_dynamic() takes. */
static MI_Uint32 kind_of(const MI_ClassDecl *decl)
{
    static const MI_Uint32 kinds[] = {MI_FLAG_METHOD, MI_FLAG_ASSOCIATION, MI_FLAG_INDICATION};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if ((decl->flags & kinds[i]) != 0) {
            return kinds[i];
        }
    }
    return MI_FLAG_CLASS;
}

static MI_Result texts(const MI_Instance *from, struct walk *walk, MI_Instance **ret_instance)
{
    MI_Instance *to = NULL;
    MI_Uint32 count = instance_element_count(from);

    if (!nest_enter(&walk->nest)) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Result result =
        instance_new_dynamic(instance_class_name(from), kind_of(from->classDecl), &to);
    for (MI_Uint32 i = 0; i < count && result == MI_RESULT_OK; i++) {
        result = add_element(from, i, walk, to);
    }
    nest_leave(&walk->nest);
    if (result == MI_RESULT_OK) {
        result = instance_copy_names(from, to);
    }
    if (result != MI_RESULT_OK) {
        instance_delete(to);
        return result;
    }
    *ret_instance = to;
    return MI_RESULT_OK;
}

MI_Result instance_texts(const MI_Instance *from, MI_Instance **ret_instance)
{
    struct walk walk = {0};

    if (from == NULL || from->classDecl == NULL || ret_instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return texts(from, &walk, ret_instance);
}
