/* SPDX-License-Identifier: MIT */
/*
 * Instances: life, names and class; the function table.
 *
 * Static instances are structs that generated code also writes to directly, so every fact about a
 * field is in the field itself. What belongs to the instance as a whole is in reserved[].
 *
 * Two places can hold an instance: the caller's memory (Construct, Destruct) and the heap (New,
 * Delete). INSTANCE_HEAP in the mark distinguishes them, and each end refuses the other's
 * instances. Neither is released twice: the mark is cleared first.
 */
#include "host/object/object.h"

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* Makes the struct an instance of this host. bits are INSTANCE_HEAP and INSTANCE_DYNAMIC. */
static void instance_mark(MI_Instance *self, const MI_ClassDecl *decl, int bits)
{
    self->ft = &instance_ft;
    self->classDecl = decl;
    self->reserved[0] = INSTANCE_MARK | bits;
}

/* A default is borrowed from the declaration, which outlives the instance. The field is marked
 * accordingly: neither owned nor modified. */
void instance_apply_defaults(MI_Instance *self)
{
    struct field field;
    MI_Uint32 count = instance_field_count(self);

    for (MI_Uint32 i = 0; i < count; i++) {
        if (!instance_field_at(self, i, &field) || field.element.default_value == NULL) {
            continue;
        }
        MI_Type type = field.element.type;
        if (value_is_null(type, field.element.default_value)) {
            continue;
        }
        memcpy(field.value, field.element.default_value, value_size(type));
        *field.exists = MI_TRUE;
        *field.flags = value_owns_memory(type) ? FIELD_BORROWED : 0;
    }
}

/* The layout must have been checked. All bytes are zeroed, since the memory of a caller may hold
 * anything. No default is filled in: what a provider leaves out is not known, and a default would
 * state it (DSP0004: a default is for the one who creates an instance). */
static void construct(const MI_ClassDecl *decl, MI_Instance *storage, int bits)
{
    memset(storage, 0, decl->size);
    instance_mark(storage, decl, bits);
    decl_copy_hold(decl);
}

/* The layout is checked each time, as the declaration comes with the call. */
MI_Result instance_construct(const MI_ClassDecl *decl, MI_Instance *storage)
{
    if (storage == NULL || decl_layout_fault(decl) != NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    construct(decl, storage, 0);
    return MI_RESULT_OK;
}

/* base_alloc() zeroes too; construct() does not rely on it. */
MI_Result instance_new(const MI_ClassDecl *decl, MI_Instance **ret_instance)
{
    if (ret_instance == NULL || decl_layout_fault(decl) != NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Instance *self = base_alloc(1, decl->size);
    if (self == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    construct(decl, self, INSTANCE_HEAP);
    *ret_instance = self;
    return MI_RESULT_OK;
}

/* reserved[2] and reserved[3] hold the copies that nameSpace and serverName point to. So a literal
 * that a provider writes to these public members is never freed. */
enum name_slot { NAME_SPACE = 2, SERVER_NAME = 3 };

/* Takes over copy, which may be NULL, and frees the name before it. */
static void store_name(MI_Instance *self, enum name_slot slot, char *copy)
{
    const MI_Char **name = slot == NAME_SPACE ? &self->nameSpace : &self->serverName;

    base_free((void *)self->reserved[slot]);
    self->reserved[slot] = (ptrdiff_t)copy;
    *name = copy;
}

/* Everything that the instance owns, but not the instance: values and the two names. Fields that
 * are borrowed are left alone, and so are names that a provider wrote into the public members. */
static void release_content(MI_Instance *self)
{
    struct field field;
    MI_Uint32 count = instance_field_count(self);

    for (MI_Uint32 i = 0; i < count; i++) {
        if (instance_field_at(self, i, &field)) {
            field_clear(&field);
        }
    }
    store_name(self, NAME_SPACE, NULL);
    store_name(self, SERVER_NAME, NULL);
}

/* Leaves ft NULL, so that the wrappers answer INVALID_PARAMETER to any later use. */
static MI_Result instance_destruct(MI_Instance *self)
{
    if (self == NULL || !instance_is_ours(self)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    /* A heap instance needs Delete: destructed, it could never be freed. */
    if ((self->reserved[0] & INSTANCE_HEAP) != 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const MI_ClassDecl *decl = self->classDecl;
    release_content(self);
    memset(self, 0, sizeof(*self));
    decl_copy_release(decl);
    return MI_RESULT_OK;
}

/* Delete: for heap instances only. The header is zeroed before the free, so that a use after it
 * fails early where the allocator leaves the memory. */
static MI_Result instance_delete_slot(MI_Instance *self)
{
    if (self == NULL || !instance_is_ours(self) || (self->reserved[0] & INSTANCE_HEAP) == 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const MI_ClassDecl *decl = self->classDecl;
    release_content(self);
    if (instance_is_dynamic(self)) {
        instance_dynamic_free(self);
        return MI_RESULT_OK;
    }
    memset(self, 0, sizeof(*self));
    base_free(self);
    decl_copy_release(decl);
    return MI_RESULT_OK;
}

/* For the host's own code, which has nothing to do with an error of Delete. */
void instance_delete(MI_Instance *instance)
{
    (void)instance_delete_slot(instance);
}

/* Clone: always on the heap, also for an instance in the caller's memory. */
static MI_Result instance_clone(const MI_Instance *self, MI_Instance **ret_instance)
{
    if (ret_instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_instance = NULL;
    return instance_copy(self, ret_instance);
}

/* Whether the two have a value in the same place under the same name. */
static bool same_element(const MI_ClassDecl *a, const MI_ClassDecl *b, MI_Uint32 index)
{
    struct decl_element first, second;

    return decl_element_at(a, index, &first) && decl_element_at(b, index, &second) &&
           first.type == second.type && first.offset == second.offset &&
           decl_name_equal(first.name, second.name);
}

/* Whether decl can be what `copied` is a copy of: the same class with the same layout, so that who
 * casts the instance after IsA() reads what is there. The original may be unmapped, so addresses
 * say nothing. */
static bool is_copy_of(const MI_ClassDecl *copied, const MI_ClassDecl *decl)
{
    MI_Uint32 count = decl_element_count(copied);
    MI_Uint32 i = 0;

    if (!decl_is_copy(copied) || decl_is_method(decl) || copied->size != decl->size ||
        count != decl_element_count(decl) || !decl_name_equal(copied->name, decl->name)) {
        return false;
    }
    while (i < count && same_element(copied, decl, i)) {
        i++;
    }
    return i == count;
}

/* By pointer along superClassDecl (MI_Instance_IsA), or a copy of that declaration. A method's
 * declaration has no such member, but another pointer in its place. */
static MI_Result instance_is_a(const MI_Instance *self, const MI_ClassDecl *decl,
                               MI_Boolean *ret_flag)
{
    if (ret_flag == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_flag = MI_FALSE;
    if (self == NULL || decl == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const MI_ClassDecl *at = self->classDecl;
    for (unsigned depth = 0; at != NULL && depth < DECL_MAX_DEPTH; depth++) {
        if (at == decl || is_copy_of(at, decl)) {
            *ret_flag = MI_TRUE;
            break;
        }
        at = decl_is_method(at) ? NULL : at->superClassDecl;
    }
    return MI_RESULT_OK;
}

/* GetClassName: the name is borrowed from the declaration. */
static MI_Result instance_get_class_name(const MI_Instance *self, const MI_Char **ret_name)
{
    if (ret_name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_name = instance_class_name(self);
    return *ret_name == NULL ? MI_RESULT_INVALID_PARAMETER : MI_RESULT_OK;
}

/* SetNameSpace and SetServerName: value NULL removes the name. SERVER_LIMITS_EXCEEDED keeps the old
 * one. */
static MI_Result set_name(MI_Instance *self, enum name_slot slot, const MI_Char *value)
{
    if (self == NULL || !instance_is_ours(self)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    char *copy = base_copy_text(value);
    if (copy == NULL && value != NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    store_name(self, slot, copy);
    return MI_RESULT_OK;
}

/* GetNameSpace and GetServerName: a name that is not set is NULL with OK. */
static MI_Result get_name(const MI_Char *name, const MI_Char **ret_name)
{
    if (ret_name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_name = name;
    return MI_RESULT_OK;
}

/* The name is copied; NULL removes it. */
static MI_Result instance_set_name_space(MI_Instance *self, const MI_Char *name)
{
    return set_name(self, NAME_SPACE, name);
}

/* Borrowed; for an instance built by hand it is what the provider wrote there. */
static MI_Result instance_get_name_space(const MI_Instance *self, const MI_Char **ret_name)
{
    return self == NULL ? MI_RESULT_INVALID_PARAMETER : get_name(self->nameSpace, ret_name);
}

/* Likewise for the name of the server, which this host never sets by itself. */
static MI_Result instance_set_server_name(MI_Instance *self, const MI_Char *name)
{
    return set_name(self, SERVER_NAME, name);
}

/* Likewise. */
static MI_Result instance_get_server_name(const MI_Instance *self, const MI_Char **ret_name)
{
    return self == NULL ? MI_RESULT_INVALID_PARAMETER : get_name(self->serverName, ret_name);
}

/* A failure leaves the names that were copied; the caller then deletes the whole. */
MI_Result instance_copy_names(const MI_Instance *from, MI_Instance *to)
{
    MI_Result result = set_name(to, NAME_SPACE, from->nameSpace);
    if (result != MI_RESULT_OK) {
        return result;
    }
    return set_name(to, SERVER_NAME, from->serverName);
}

/* GetClass: a new class, which the caller deletes. For a dynamic instance it has a copy of the
 * declaration, since that ends with the instance. NOT_SUPPORTED for parameters, which have no
 * class. */
static MI_Result instance_get_class(const MI_Instance *self, MI_Class **ret_class)
{
    if (ret_class == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_class = NULL;
    if (self == NULL || self->classDecl == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return class_new(self->classDecl, self->nameSpace, self->serverName, ret_class);
}

const MI_InstanceFT instance_ft = {
    .Clone = instance_clone,
    .Destruct = instance_destruct,
    .Delete = instance_delete_slot,
    .IsA = instance_is_a,
    .GetClassName = instance_get_class_name,
    .SetNameSpace = instance_set_name_space,
    .GetNameSpace = instance_get_name_space,
    .GetElementCount = instance_get_element_count,
    .AddElement = instance_add_element,
    .SetElement = instance_set_element,
    .SetElementAt = instance_set_element_at,
    .GetElement = instance_get_element,
    .GetElementAt = instance_get_element_at,
    .ClearElement = instance_clear_element,
    .ClearElementAt = instance_clear_element_at,
    .GetServerName = instance_get_server_name,
    .SetServerName = instance_set_server_name,
    .GetClass = instance_get_class,
};
