/* SPDX-License-Identifier: MIT */
/*
 * The elements of an instance: fields, and the slots of the function table that work on them.
 *
 * Static and dynamic instances differ only in the place of their fields: both are laid out by their
 * declaration.
 *
 * Reading goes through instance_field_at(), which turns an index into pointers to value, `exists`
 * and `flags`. Writing goes through field_set(), which copies first and releases the old value
 * after, so that a failure changes nothing and a value may be a part of the one that it replaces.
 */
#include "host/object/object.h"

#include "host/object/instance_internal.h"

/* The order matters: an own or missing table first, then the declaration. */
bool instance_is_direct(const MI_Instance *self)
{
    const MI_ClassDecl *decl = self->classDecl;

    if (instance_is_ours(self)) {
        return true;
    }
    if (self->ft == NULL || self->ft == &instance_ft) {
        return true;
    }
    /* A foreign table is the better source where a declaration does not show whether it belongs to
     * a dynamic instance: a method's declaration has no owningClass (MI_MethodDecl). */
    return decl != NULL && !decl_is_method(decl) && !decl_is_dynamic(decl);
}

/* For readers of any direct instance, with a table or without. */
MI_Uint32 instance_field_count(const MI_Instance *self)
{
    /* A dynamic declaration without a dynamic instance cannot be followed. */
    if (self->classDecl == NULL ||
        (decl_is_dynamic(self->classDecl) && !instance_is_dynamic(self))) {
        return 0;
    }
    return decl_element_count(self->classDecl);
}

/* `exists` and `flags` follow the value without padding, as in the field structs of MI.h. */
bool instance_field_at(const MI_Instance *self, MI_Uint32 index, struct field *ret_field)
{
    if (index >= instance_field_count(self) ||
        !decl_element_at(self->classDecl, index, &ret_field->element)) {
        return false;
    }
    unsigned char *start = instance_is_dynamic(self) ? instance_dynamic_fields(self)
                                                     : (unsigned char *)(uintptr_t)self;
    ret_field->value = start + ret_field->element.offset;
    ret_field->exists = ret_field->value + value_size(ret_field->element.type);
    ret_field->flags = ret_field->exists + 1;
    return true;
}

/* Names are compared by decl_element_find(). */
bool instance_field_find(const MI_Instance *self, const char *name, struct field *ret_field,
                         MI_Uint32 *ret_index)
{
    MI_Uint32 index = 0;

    if (instance_field_count(self) == 0 || !decl_element_find(self->classDecl, name, &index) ||
        !instance_field_at(self, index, ret_field)) {
        return false;
    }
    *ret_index = index;
    return true;
}

/* Generated code sets a string by pointer only and may leave `exists` true with NULL. */
bool field_is_null(const struct field *field)
{
    return *field->exists == MI_FALSE || value_is_null(field->element.type, field->value);
}

/* "Not modified" is what ModifyInstance uses to leave a property alone. */
MI_Uint32 field_flags_out(const struct field *field)
{
    MI_Uint32 flags = field->element.flags & ~(MI_FLAG_NULL | MI_FLAG_NOT_MODIFIED);

    if (field_is_null(field)) {
        flags |= MI_FLAG_NULL;
    }
    if ((*field->flags & FIELD_MODIFIED) == 0) {
        flags |= MI_FLAG_NOT_MODIFIED;
    }
    return flags;
}

/* Generated code clears scalars by zeroing the whole field, `modified` included; so does this. */
void field_clear(struct field *field)
{
    MI_Type type = field->element.type;

    if (*field->exists != MI_FALSE && (*field->flags & FIELD_BORROWED) == 0) {
        value_release(type, field->value);
    }
    memset(field->value, 0, value_size(type));
    *field->exists = MI_FALSE;
    *field->flags = 0;
}

/* The old value is released first; *value must not be a part of it. The field is then as SetElement
 * leaves it: existing, modified and not borrowed. */
void field_put_owned(struct field *field, const void *value)
{
    field_clear(field);
    memcpy(field->value, value, value_size(field->element.type));
    *field->exists = MI_TRUE;
    *field->flags = FIELD_MODIFIED;
}

/* Keeps the caller's pointer. A scalar has no pointer: it is copied. */
static MI_Result field_borrow(struct field *field, const MI_Value *value)
{
    MI_Type type = field->element.type;
    MI_Value kept;

    if (type_is_array(type)) {
        MI_Array array;
        memcpy(&array, value, sizeof(array));
        MI_Result result = value_array_limits(type, &array);
        if (result != MI_RESULT_OK) {
            return result;
        }
    }
    memcpy(&kept, value, value_size(type)); /* value may lie in the field that is cleared next */
    field_clear(field);
    memcpy(field->value, &kept, value_size(type));
    *field->exists = MI_TRUE;
    *field->flags = FIELD_MODIFIED | FIELD_BORROWED;
    return MI_RESULT_OK;
}

/* Everything that can fail comes before the field is changed. A NULL value counts as modified:
 * ModifyInstance must be able to set a property to NULL. */
MI_Result field_set(struct field *field, const MI_Value *value, MI_Type type, MI_Uint32 flags)
{
    MI_Value copy;

    if (type != field->element.type) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    if ((flags & MI_FLAG_BORROW) != 0 && (flags & MI_FLAG_ADOPT) != 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (value == NULL || (flags & MI_FLAG_NULL) != 0 || value_is_null(type, value)) {
        field_clear(field);
        *field->flags = FIELD_MODIFIED;
        return MI_RESULT_OK;
    }
    if ((flags & MI_FLAG_BORROW) != 0 && value_owns_memory(type)) {
        return field_borrow(field, value);
    }
    /* ADOPT copies, too: how adopted memory must be freed is not defined by MI.h. The copy
     * is made before the old value is released, because it may be part of that. */
    MI_Result result = value_copy(type, value, &copy);
    if (result != MI_RESULT_OK) {
        return result;
    }
    field_put_owned(field, &copy);
    return MI_RESULT_OK;
}

/* GetElementCount: 0 for an instance whose fields cannot be reached. */
MI_Result instance_get_element_count(const MI_Instance *self, MI_Uint32 *count)
{
    if (self == NULL || count == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *count = instance_field_count(self);
    return MI_RESULT_OK;
}

/* INVALID_PARAMETER for an instance that cannot be written to, else NO_SUCH_PROPERTY. */
static MI_Result find_for_writing(MI_Instance *self, const MI_Char *name, struct field *ret_field)
{
    MI_Uint32 index = 0;

    if (self == NULL || name == NULL || !instance_is_ours(self)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return instance_field_find(self, name, ret_field, &index) ? MI_RESULT_OK
                                                              : MI_RESULT_NO_SUCH_PROPERTY;
}

/* The same by position: FAILED beyond the end (MI_Instance_SetElementAt). */
static MI_Result at_for_writing(MI_Instance *self, MI_Uint32 index, struct field *ret_field)
{
    if (self == NULL || !instance_is_ours(self)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return instance_field_at(self, index, ret_field) ? MI_RESULT_OK : MI_RESULT_FAILED;
}

/* Only what a caller gives is looked at: fields that generated code wrote itself are delivered as
 * they are. */
bool element_value_possible(const MI_Value *value, MI_Type type, MI_Uint32 flags)
{
    MI_DatetimeA array;
    MI_Datetime one;

    if (value == NULL || (flags & MI_FLAG_NULL) != 0) {
        return true;
    }
    if (type == MI_DATETIME) {
        memcpy(&one, value, sizeof(one));
        return value_datetime_possible(&one);
    }
    if (type != MI_DATETIMEA) {
        return true;
    }
    memcpy(&array, value, sizeof(array));
    bool readable =
        value_array_limits(type, (const MI_Array *)(const void *)&array) == MI_RESULT_OK;
    for (MI_Uint32 i = 0; readable && i < array.size; i++) {
        if (!value_datetime_possible(&array.data[i])) {
            return false;
        }
    }
    return true;
}

/* The common end of the two slots that set. */
static MI_Result set_checked(struct field *field, const MI_Value *value, MI_Type type,
                             MI_Uint32 flags)
{
    return type != field->element.type || element_value_possible(value, type, flags)
               ? field_set(field, value, type, flags)
               : MI_RESULT_INVALID_PARAMETER;
}

/* SetElement, SetElementAt, ClearElement and ClearElementAt: find the field, then change it. */
MI_Result instance_set_element(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                               MI_Type type, MI_Uint32 flags)
{
    struct field field;
    MI_Result result = find_for_writing(self, name, &field);

    return result == MI_RESULT_OK ? set_checked(&field, value, type, flags) : result;
}

/* By position, as generated code sets strings and arrays. */
MI_Result instance_set_element_at(MI_Instance *self, MI_Uint32 index, const MI_Value *value,
                                  MI_Type type, MI_Uint32 flags)
{
    struct field field;
    MI_Result result = at_for_writing(self, index, &field);

    return result == MI_RESULT_OK ? set_checked(&field, value, type, flags) : result;
}

/* The element becomes NULL and counts as not modified. */
MI_Result instance_clear_element(MI_Instance *self, const MI_Char *name)
{
    struct field field;
    MI_Result result = find_for_writing(self, name, &field);

    if (result == MI_RESULT_OK) {
        field_clear(&field);
    }
    return result;
}

/* Likewise by position. */
MI_Result instance_clear_element_at(MI_Instance *self, MI_Uint32 index)
{
    struct field field;
    MI_Result result = at_for_writing(self, index, &field);

    if (result == MI_RESULT_OK) {
        field_clear(&field);
    }
    return result;
}

/* Writes no more of *value than the type has: the caller's memory may end there. */
static void give_field(const struct field *field, MI_Value *value, MI_Type *type, MI_Uint32 *flags)
{
    size_t size = value_size(field->element.type);

    if (value != NULL && field_is_null(field)) {
        memset(value, 0, size);
    } else if (value != NULL) {
        memcpy(value, field->value, size);
    }
    if (type != NULL) {
        *type = field->element.type;
    }
    if (flags != NULL) {
        *flags = field_flags_out(field);
    }
}

/* GetElement: the value is borrowed until the element is set or the instance ends. */
MI_Result instance_get_element(const MI_Instance *self, const MI_Char *name, MI_Value *value,
                               MI_Type *type, MI_Uint32 *flags, MI_Uint32 *index)
{
    struct field field;
    MI_Uint32 found = 0;

    if (self == NULL || name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (!instance_field_find(self, name, &field, &found)) {
        return MI_RESULT_NO_SUCH_PROPERTY;
    }
    give_field(&field, value, type, flags);
    if (index != NULL) {
        *index = found;
    }
    return MI_RESULT_OK;
}

/* GetElementAt: INVALID_PARAMETER beyond the end. */
MI_Result instance_get_element_at(const MI_Instance *self, MI_Uint32 index, const MI_Char **name,
                                  MI_Value *value, MI_Type *type, MI_Uint32 *flags)
{
    struct field field;

    if (self == NULL || !instance_field_at(self, index, &field)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (name != NULL) {
        *name = field.element.name;
    }
    give_field(&field, value, type, flags);
    return MI_RESULT_OK;
}
