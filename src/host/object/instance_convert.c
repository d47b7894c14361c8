/* SPDX-License-Identifier: MIT */
/*
 * The same content under another module's declaration.
 *
 * A generated provider casts the instances it gets to its own struct. So each instance handed to
 * it, nested ones included, must be laid out by a declaration of its own module wherever that has
 * one.
 *
 * convert() makes the new instance and calls convert_element() for each element of the old one;
 * convert_value() chooses between a copy, a conversion from text, and, for nested instances,
 * convert() again. One struct nest limits the whole walk.
 */
#include "host/object/object.h"

#include "base/alloc.h"
#include "host/object/instance_internal.h"

static MI_Result convert(const MI_Instance *from, const MI_ClassDecl *decl,
                         const struct instance_convert *how, struct nest *nest,
                         MI_Instance **ret_instance);

/*
 * The declaration for a nested instance: its own class if the module knows it, else the class that
 * the element is declared with, so that a cast to that class's struct stays inside the memory.
 * NULL with OK when the module knows neither and can cast to neither.
 */
static MI_Result embedded_decl(const struct decl_element *element, const MI_Instance *embedded,
                               const MI_SchemaDecl *schema, const MI_ClassDecl **ret_decl)
{
    const MI_ClassDecl *declared = decl_class_find(schema, element->class_name);
    const MI_ClassDecl *own = decl_class_find(schema, instance_class_name(embedded));

    if (own != NULL && declared != NULL && !decl_derives_from(own, declared->name)) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    *ret_decl = own != NULL ? own : declared;
    return MI_RESULT_OK;
}

/* One nested instance, under the declaration that embedded_decl() chose, or copied as it is where
 * the module can cast it to nothing. `how` applies to it too, so that an unknown property is
 * refused at any depth; only the demand for keys ends at an embedded instance. */
static MI_Result convert_embedded(const struct decl_element *element, const MI_Instance *embedded,
                                  const struct instance_convert *how, struct nest *nest,
                                  MI_Instance **ret_instance)
{
    struct instance_convert nested = *how;
    const MI_ClassDecl *decl = NULL;

    /* A reference consists of its keys; an embedded instance need not have any. */
    if (type_scalar(element->type) == MI_INSTANCE) {
        nested.keys_required = false;
    }
    MI_Result result = embedded_decl(element, embedded, how->schema, &decl);
    if (result != MI_RESULT_OK) {
        return result;
    }
    return decl == NULL ? instance_copy_nested(embedded, ret_instance, nest)
                        : convert(embedded, decl, &nested, nest, ret_instance);
}

/* An array of references or embedded instances. NULL elements stay NULL. size grows with the
 * elements, so that a failure releases what was made and no more. */
static MI_Result convert_embedded_array(const struct decl_element *element, const MI_Value *from,
                                        const struct instance_convert *how, struct nest *nest,
                                        MI_Value *ret_value)
{
    MI_ReferenceA copy = {0};

    MI_Result result = value_array_limits(element->type, &from->array);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (from->array.size > 0) {
        copy.data = base_alloc(from->array.size, sizeof(MI_Instance *));
        if (copy.data == NULL) {
            return MI_RESULT_SERVER_LIMITS_EXCEEDED;
        }
    }
    for (; copy.size < from->array.size && result == MI_RESULT_OK; copy.size++) {
        const MI_Instance *embedded = from->referencea.data[copy.size];
        if (embedded != NULL) {
            result = convert_embedded(element, embedded, how, nest, &copy.data[copy.size]);
        }
    }
    if (result != MI_RESULT_OK) {
        value_release(element->type, &copy);
        return result;
    }
    ret_value->referencea = copy;
    return MI_RESULT_OK;
}

/* An array of strings to an array of the declared type. One element that is not such a value, or is
 * NULL, refuses the whole: an array with a gap would be another value. */
static MI_Result array_from_texts(MI_Type type, const MI_StringA *texts, MI_Value *ret_value)
{
    MI_Type scalar = type_scalar(type);
    size_t size = value_element_size(type);
    MI_Array copy = {0};

    MI_Result result = value_array_limits(MI_STRINGA, (const MI_Array *)(const void *)texts);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (texts->size > 0) {
        copy.data = base_alloc(texts->size, size);
        if (copy.data == NULL) {
            return MI_RESULT_SERVER_LIMITS_EXCEEDED;
        }
    }
    while (copy.size < texts->size) {
        unsigned char *place = copy.data;
        const char *text = texts->data[copy.size];
        result = text == NULL ? MI_RESULT_TYPE_MISMATCH
                              : value_from_text(scalar, text, place + copy.size * size);
        if (result != MI_RESULT_OK) {
            value_release(type, &copy);
            return result;
        }
        copy.size++;
    }
    ret_value->array = copy;
    return MI_RESULT_OK;
}

/*
 * From a value of type to one of the element's type, which the caller then owns. Equal types are
 * copied, nested instances are laid out anew, and texts become the declared type and instances
 * references, since a client may not know it. Everything else is TYPE_MISMATCH: a number of another
 * width could lose its value silently.
 */
static MI_Result convert_value(const struct decl_element *element, MI_Type type,
                               const MI_Value *from, const struct instance_convert *how,
                               struct nest *nest, MI_Value *ret_value)
{
    if (type_is_array(type) == type_is_array(element->type) &&
        type_is_instance(type_scalar(type)) && type_is_instance(type_scalar(element->type)) &&
        (type == element->type || type_scalar(type) == MI_INSTANCE)) {
        return type_is_array(type)
                   ? convert_embedded_array(element, from, how, nest, ret_value)
                   : convert_embedded(element, from->instance, how, nest, &ret_value->instance);
    }
    if (type == element->type) {
        return value_copy_nested(type, from, ret_value, nest);
    }
    if (type == MI_STRING && !type_is_array(element->type)) {
        return value_from_text(element->type, from->string, ret_value);
    }
    if (type == MI_STRINGA && type_is_array(element->type)) {
        return array_from_texts(element->type, &from->stringa, ret_value);
    }
    return MI_RESULT_TYPE_MISMATCH;
}

/* Converts the element of from at index into the field of to with that name. The state "modified"
 * is kept, since ModifyInstance leaves unmodified properties alone. An element that to does not
 * have is dropped or refused, as `how` says. */
static MI_Result convert_element(const MI_Instance *from, MI_Uint32 index, MI_Instance *to,
                                 const struct instance_convert *how, struct nest *nest)
{
    const char *name = NULL;
    MI_Value value = {0};
    MI_Value converted = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;
    MI_Uint32 found = 0;
    struct field field;

    MI_Result result = instance_element_at(from, index, &name, &value, &type, &flags);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (!instance_field_find(to, name, &field, &found)) {
        return how->reject_unknown ? MI_RESULT_NO_SUCH_PROPERTY : MI_RESULT_OK;
    }
    if ((flags & MI_FLAG_NULL) != 0) {
        /* NULL that was set replaces a default; NULL that was never set, or in a key, does not. */
        if ((flags & MI_FLAG_NOT_MODIFIED) == 0 && (field.element.flags & MI_FLAG_KEY) == 0) {
            field_clear(&field);
            *field.flags = FIELD_MODIFIED;
        }
        return MI_RESULT_OK;
    }
    result = convert_value(&field.element, type, &value, how, nest, &converted);
    if (result != MI_RESULT_OK) {
        return result;
    }
    field_put_owned(&field, &converted);
    if ((flags & MI_FLAG_NOT_MODIFIED) != 0) {
        *field.flags = 0;
    }
    return MI_RESULT_OK;
}

/* As instance_convert_to(), with the walk's limits. The keys are checked at the end, when defaults
 * have been applied. */
static MI_Result convert(const MI_Instance *from, const MI_ClassDecl *decl,
                         const struct instance_convert *how, struct nest *nest,
                         MI_Instance **ret_instance)
{
    MI_Instance *to = NULL;

    if (!nest_enter(nest)) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Result result = instance_new(decl, &to);
    if (result == MI_RESULT_OK) {
        instance_apply_defaults(to);
    }
    MI_Uint32 count = instance_element_count(from);
    for (MI_Uint32 i = 0; i < count && result == MI_RESULT_OK; i++) {
        result = convert_element(from, i, to, how, nest);
    }
    nest_leave(nest);
    if (result == MI_RESULT_OK) {
        result = instance_copy_names(from, to);
    }
    if (result == MI_RESULT_OK && how->keys_required && !instance_keys_complete(to)) {
        result = MI_RESULT_NO_SUCH_PROPERTY;
    }
    if (result != MI_RESULT_OK) {
        instance_delete(to);
        return result;
    }
    *ret_instance = to;
    return MI_RESULT_OK;
}

/* The declaration is checked by instance_new(). */
MI_Result instance_convert_to(const MI_Instance *from, const MI_ClassDecl *decl,
                              const struct instance_convert *how, MI_Instance **ret_instance)
{
    const struct instance_convert plain = {0};
    struct nest nest = {.independent = true}; /* of the module that the instance is from */

    if (from == NULL || ret_instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return convert(from, decl, how == NULL ? &plain : how, &nest, ret_instance);
}
