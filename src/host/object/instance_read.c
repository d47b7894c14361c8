/* SPDX-License-Identifier: MIT */
/*
 * Reading any instance whatever its origin: made by this host, built by hand without a table, or
 * foreign; and what needs such reading: copies, keys, projections.
 *
 * "Direct" instances are read through their declaration, all others through their own table, of
 * which each slot may be missing and each answer wrong. Copies choose their form in
 * keeps_declaration(): the same layout where the declaration outlives the copy, else a dynamic
 * instance with the same elements.
 */
#include "host/object/object.h"

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* A foreign table may lack the slot or fail; then there is no name. */
const char *instance_class_name(const MI_Instance *instance)
{
    const MI_Char *name = NULL;

    if (instance == NULL) {
        return NULL;
    }
    if (instance_is_direct(instance)) {
        return instance->classDecl == NULL ? NULL : instance->classDecl->name;
    }
    if (instance->ft->GetClassName == NULL ||
        instance->ft->GetClassName(instance, &name) != MI_RESULT_OK) {
        return NULL;
    }
    return name;
}

/* A foreign count beyond DECL_MAX_ELEMENTS is not believed. */
MI_Uint32 instance_element_count(const MI_Instance *instance)
{
    MI_Uint32 count = 0;

    if (instance == NULL) {
        return 0;
    }
    if (instance_is_direct(instance)) {
        return instance_field_count(instance);
    }
    if (instance->ft->GetElementCount == NULL ||
        instance->ft->GetElementCount(instance, &count) != MI_RESULT_OK ||
        count > DECL_MAX_ELEMENTS) {
        return 0;
    }
    return count;
}

/* Checks what a foreign table reports against this host's own rules: a name, a known type, and a
 * flag for NULL that agrees with the value. Only value_size() bytes of the value are used. */
static MI_Result foreign_element_at(const MI_Instance *instance, MI_Uint32 index,
                                    const char **ret_name, MI_Value *ret_value, MI_Type *ret_type,
                                    MI_Uint32 *ret_flags)
{
    const MI_Char *name = NULL;
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;

    if (instance->ft->GetElementAt == NULL || index >= instance_element_count(instance)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = instance->ft->GetElementAt(instance, index, &name, &value, &type, &flags);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (name == NULL || value_size(type) == 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (value_is_null(type, &value)) {
        flags |= MI_FLAG_NULL;
    }
    if ((flags & MI_FLAG_NULL) != 0) {
        memset(&value, 0, sizeof(value));
    }
    *ret_name = name;
    memcpy(ret_value, &value, value_size(type));
    *ret_type = type;
    *ret_flags = flags;
    return MI_RESULT_OK;
}

/* The outputs are set on success only, together. */
MI_Result instance_element_at(const MI_Instance *instance, MI_Uint32 index, const char **ret_name,
                              MI_Value *ret_value, MI_Type *ret_type, MI_Uint32 *ret_flags)
{
    const char *name = NULL;
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;

    if (instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = instance_is_direct(instance)
                           ? instance_get_element_at(instance, index, &name, &value, &type, &flags)
                           : foreign_element_at(instance, index, &name, &value, &type, &flags);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (ret_name != NULL) {
        *ret_name = name;
    }
    if (ret_value != NULL) {
        *ret_value = value;
    }
    if (ret_type != NULL) {
        *ret_type = type;
    }
    if (ret_flags != NULL) {
        *ret_flags = flags;
    }
    return MI_RESULT_OK;
}

/* Linear, through the reading that works for every instance. */
MI_Result instance_element_find(const MI_Instance *instance, const char *name, MI_Value *ret_value,
                                MI_Type *ret_type, MI_Uint32 *ret_flags)
{
    const char *found = NULL;
    MI_Uint32 count = instance_element_count(instance);

    if (instance == NULL || name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    for (MI_Uint32 i = 0; i < count; i++) {
        if (instance_element_at(instance, i, &found, NULL, NULL, NULL) == MI_RESULT_OK &&
            decl_name_equal(found, name)) {
            return instance_element_at(instance, i, NULL, ret_value, ret_type, ret_flags);
        }
    }
    return MI_RESULT_NO_SUCH_PROPERTY;
}

/* One field of the same declaration, with its state: a property that was not modified stays so. The
 * copy owns its value, also where the original borrows it. */
static MI_Result copy_field(const struct field *from, struct field *to, struct nest *nest)
{
    MI_Value copy;
    MI_Type type = from->element.type;

    if (field_is_null(from)) {
        field_clear(to); /* a default that the original does not have any more */
        *to->flags = *from->flags & FIELD_MODIFIED;
        return MI_RESULT_OK;
    }
    MI_Result result = value_copy_nested(type, from->value, &copy, nest);
    if (result != MI_RESULT_OK) {
        return result;
    }
    field_put_owned(to, &copy);
    *to->flags = *from->flags & FIELD_MODIFIED;
    return MI_RESULT_OK;
}

/* A copy with a declaration of the same layout, field by field. Fields that cannot be read stay as
 * construction left them. The result of a failure is deleted here, with what was copied. */
static MI_Result copy_static(const MI_Instance *from, const MI_ClassDecl *decl,
                             MI_Instance **ret_instance, struct nest *nest)
{
    MI_Instance *copy = NULL;
    struct field source;
    struct field target;

    MI_Result result = instance_new(decl, &copy);
    if (result != MI_RESULT_OK) {
        return result;
    }
    MI_Uint32 count = instance_field_count(from);
    for (MI_Uint32 i = 0; i < count && result == MI_RESULT_OK; i++) {
        if (instance_field_at(from, i, &source) && instance_field_at(copy, i, &target)) {
            result = copy_field(&source, &target, nest);
        }
    }
    if (result != MI_RESULT_OK) {
        instance_delete(copy);
        return result;
    }
    *ret_instance = copy;
    return MI_RESULT_OK;
}

/* The flag for instance_new_dynamic() that gives the copy the kind of its original. */
static MI_Uint32 dynamic_kind(const MI_Instance *from)
{
    static const MI_Uint32 kinds[] = {MI_FLAG_METHOD, MI_FLAG_ASSOCIATION, MI_FLAG_INDICATION};

    for (size_t i = 0; from->classDecl != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if ((from->classDecl->flags & kinds[i]) != 0) {
            return kinds[i];
        }
    }
    return MI_FLAG_CLASS;
}

/* Added as NULL and filled afterwards, so that the walk through nested instances has one count for
 * the whole copy instead of one for each element. */
static MI_Result copy_element(const MI_Instance *from, MI_Uint32 index, MI_Instance *to,
                              struct nest *nest)
{
    const char *name = NULL;
    MI_Value value = {0};
    MI_Value copy = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;
    struct field field;

    MI_Result result = instance_element_at(from, index, &name, &value, &type, &flags);
    if (result != MI_RESULT_OK) {
        return result;
    }
    MI_Uint32 declared = flags & ~(MI_FLAG_BORROW | MI_FLAG_ADOPT | MI_FLAG_NOT_MODIFIED);
    result = instance_add_element(to, name, NULL, type, declared);
    if (result != MI_RESULT_OK) {
        return result;
    }
    (void)instance_field_at(to, instance_field_count(to) - 1, &field);
    if ((flags & MI_FLAG_NULL) == 0) {
        result = value_copy_nested(type, &value, &copy, nest);
        if (result != MI_RESULT_OK) {
            return result;
        }
        field_put_owned(&field, &copy);
    }
    *field.flags = (flags & MI_FLAG_NOT_MODIFIED) != 0 ? 0 : FIELD_MODIFIED;
    return MI_RESULT_OK;
}

/* A copy with a declaration of its own, element by element, from any instance. Names, types, flags
 * and order stay, so that it reads the same. */
static MI_Result copy_dynamic(const MI_Instance *from, MI_Instance **ret_instance,
                              struct nest *nest)
{
    MI_Instance *copy = NULL;
    MI_Uint32 count = instance_element_count(from);

    MI_Result result = instance_new_dynamic(instance_class_name(from), dynamic_kind(from), &copy);
    for (MI_Uint32 i = 0; i < count && result == MI_RESULT_OK; i++) {
        result = copy_element(from, i, copy, nest);
    }
    if (result != MI_RESULT_OK) {
        instance_delete(copy);
        return result;
    }
    *ret_instance = copy;
    return MI_RESULT_OK;
}

/* The declaration of a copy that is not to need a module. */
static const MI_ClassDecl *independent_declaration(const MI_ClassDecl *decl,
                                                   const struct nest *nest)
{
    if (decl_is_method(decl)) {
        return NULL;
    }
    if (decl_is_copy(decl)) {
        return decl;
    }
    return nest->copies == NULL ? NULL : decl_copy_find(nest->copies, decl);
}

/* A copy may keep the declaration only if that outlives it: static ones do where no module is
 * involved, and those of decl_copy.c are counted. Another host's counted declaration cannot be
 * held. NULL: the copy needs one of its own. */
static const MI_ClassDecl *kept_declaration(const MI_Instance *from, const struct nest *nest)
{
    const MI_ClassDecl *decl = from->classDecl;

    if (!instance_is_direct(from) || instance_is_dynamic(from)) {
        return NULL;
    }
    if (nest->independent) {
        return independent_declaration(decl, nest);
    }
    return decl_is_method(decl) || decl->owningClass == NULL || decl_is_copy(decl) ? decl : NULL;
}

/* The names are copied outside the nesting, since they lead nowhere. */
MI_Result instance_copy_nested(const MI_Instance *from, MI_Instance **ret_instance,
                               struct nest *nest)
{
    MI_Instance *copy = NULL;

    if (instance_is_direct(from) && from->classDecl == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (!nest_enter(nest)) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    const MI_ClassDecl *decl = kept_declaration(from, nest);
    MI_Result result =
        decl != NULL ? copy_static(from, decl, &copy, nest) : copy_dynamic(from, &copy, nest);
    nest_leave(nest);
    if (result != MI_RESULT_OK) {
        return result;
    }
    result = instance_copy_names(from, copy);
    if (result != MI_RESULT_OK) {
        instance_delete(copy);
        return result;
    }
    *ret_instance = copy;
    return MI_RESULT_OK;
}

/* One walk by itself: each copy has its own limits. */
MI_Result instance_copy(const MI_Instance *from, MI_Instance **ret_instance)
{
    struct nest nest = {0};

    if (from == NULL || ret_instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return instance_copy_nested(from, ret_instance, &nest);
}

MI_Result instance_take(const MI_Instance *from, const struct decl_copy *copies,
                        MI_Instance **ret_instance)
{
    struct nest nest = {.independent = true, .copies = copies};

    if (from == NULL || ret_instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return instance_copy_nested(from, ret_instance, &nest);
}

/* Whether b has an element equal to this one of a. */
static bool element_equal(const MI_Instance *b, const char *name, MI_Type type,
                          const MI_Value *value, MI_Uint32 flags, struct nest *nest)
{
    MI_Value other = {0};
    MI_Type other_type = MI_BOOLEAN;
    MI_Uint32 other_flags = 0;

    if (instance_element_find(b, name, &other, &other_type, &other_flags) != MI_RESULT_OK ||
        other_type != type || ((flags ^ other_flags) & MI_FLAG_NULL) != 0) {
        return false;
    }
    return (flags & MI_FLAG_NULL) != 0 || value_equal_nested(type, value, &other, nest);
}

/* A key that cannot be read does not count, so that the two numbers differ and the keys are not
 * equal. */
static MI_Uint32 count_keys(const MI_Instance *instance)
{
    MI_Uint32 keys = 0;
    MI_Uint32 flags = 0;
    MI_Uint32 count = instance_element_count(instance);

    for (MI_Uint32 i = 0; i < count; i++) {
        if (instance_element_at(instance, i, NULL, NULL, NULL, &flags) == MI_RESULT_OK &&
            (flags & MI_FLAG_KEY) != 0) {
            keys++;
        }
    }
    return keys;
}

/* A key without a value. */
static bool is_null_key(MI_Uint32 flags)
{
    return (flags & MI_FLAG_KEY) != 0 && (flags & MI_FLAG_NULL) != 0;
}

/* A key without a value identifies nothing and so equals nothing. */
static bool keys_equal(const MI_Instance *a, const MI_Instance *b, struct nest *nest)
{
    const char *name = NULL;
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;
    MI_Uint32 keys = count_keys(a);

    if (keys == 0 || keys != count_keys(b)) {
        return false;
    }
    MI_Uint32 count = instance_element_count(a);
    for (MI_Uint32 i = 0; i < count; i++) {
        MI_Uint32 other = 0;
        if (instance_element_at(a, i, &name, &value, &type, &flags) != MI_RESULT_OK) {
            return false;
        }
        if ((flags & MI_FLAG_KEY) == 0) {
            continue;
        }
        if (is_null_key(flags) ||
            instance_element_find(b, name, NULL, NULL, &other) != MI_RESULT_OK ||
            (other & MI_FLAG_KEY) == 0 || !element_equal(b, name, type, &value, flags, nest)) {
            return false;
        }
    }
    return true;
}

/* Every element, in any order, and the same class. An element that cannot be read equals
 * nothing. */
static bool content_equal(const MI_Instance *a, const MI_Instance *b, struct nest *nest)
{
    const char *name = NULL;
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;
    MI_Uint32 count = instance_element_count(a);

    if (count != instance_element_count(b) ||
        !decl_name_equal(instance_class_name(a), instance_class_name(b))) {
        return false;
    }
    for (MI_Uint32 i = 0; i < count; i++) {
        if (instance_element_at(a, i, &name, &value, &type, &flags) != MI_RESULT_OK ||
            !element_equal(b, name, type, &value, flags, nest)) {
            return false;
        }
    }
    return true;
}

/* A reference within keys leads here again, one level deeper. */
bool instance_keys_equal_nested(const MI_Instance *a, const MI_Instance *b, struct nest *nest)
{
    if (!nest_enter(nest)) {
        return false;
    }
    bool equal = keys_equal(a, b, nest);
    nest_leave(nest);
    return equal;
}

/* The nesting is counted here, since content_equal() calls itself through the values. */
bool instance_content_equal_nested(const MI_Instance *a, const MI_Instance *b, struct nest *nest)
{
    if (!nest_enter(nest)) {
        return false;
    }
    bool equal = content_equal(a, b, nest);
    nest_leave(nest);
    return equal;
}

/* NULL equals nothing, not even NULL: it names no object. */
bool instance_keys_equal(const MI_Instance *a, const MI_Instance *b)
{
    struct nest nest = {0};

    return a != NULL && b != NULL && instance_keys_equal_nested(a, b, &nest);
}

/* An element that cannot be read could be a key, so it counts as a missing one. */
bool instance_keys_complete(const MI_Instance *instance)
{
    MI_Uint32 flags = 0;
    MI_Uint32 count = instance_element_count(instance);

    for (MI_Uint32 i = 0; i < count; i++) {
        if (instance_element_at(instance, i, NULL, NULL, NULL, &flags) != MI_RESULT_OK ||
            is_null_key(flags)) {
            return false;
        }
    }
    return instance != NULL;
}

/* A set that cannot be read keeps nothing: it can only ask for less, never for more. */
static bool set_contains(const MI_PropertySet *set, const char *name)
{
    MI_Boolean contains = MI_FALSE;

    return MI_PropertySet_ContainsElement(set, name, &contains) == MI_RESULT_OK &&
           contains != MI_FALSE;
}

/* Keys stay when keep_keys is set: without them the client could not name the object. */
MI_Result instance_project(MI_Instance *instance, const MI_PropertySet *set, bool keep_keys)
{
    struct field field;

    if (instance == NULL || !instance_is_ours(instance)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (set == NULL) {
        return MI_RESULT_OK;
    }
    MI_Uint32 count = instance_field_count(instance);
    for (MI_Uint32 i = 0; i < count; i++) {
        if (!instance_field_at(instance, i, &field) || set_contains(set, field.element.name) ||
            (keep_keys && (field.element.flags & MI_FLAG_KEY) != 0)) {
            continue;
        }
        field_clear(&field);
    }
    return MI_RESULT_OK;
}
