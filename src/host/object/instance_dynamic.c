/* SPDX-License-Identifier: MIT */
/*
 * Dynamic instances: the declaration grows with the elements.
 *
 * The MI_Instance that callers hold never moves. Declaration and fields are separate; the fields
 * are one block that is laid out by the declaration's offsets, exactly as in a static instance, so
 * that the declaration can also be used to make one (MI_Application_NewInstanceFromClass).
 *
 * An element never moves within the declaration, so an index stays valid. The block of fields may
 * move when it grows; pointers from instance_field_at() end there, and values that were borrowed
 * from it do too, unless they are strings, arrays or instances, which are on the heap by
 * themselves.
 */
#include "host/object/object.h"

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* base is what callers hold. */
struct dynamic_instance {
    /* What callers hold; it stays in place, so that pointers to it are valid until Delete. */
    MI_Instance base;
    /* Its own declaration, which grows; `properties` below is the list it points to. */
    MI_ClassDecl decl;
    MI_PropertyDecl **properties;
    /* In elements. */
    MI_Uint32 property_capacity;
    unsigned char *fields; /* NULL until there is an element */
    /* In bytes, counted like the declaration's size: with the header, which this block leaves
     * unused. */
    MI_Uint32 field_capacity;
};

/* reserved[1] instead of the address: a struct copy of an instance must not be read beyond
 * its end. */
static struct dynamic_instance *dynamic_of(const MI_Instance *self)
{
    return (struct dynamic_instance *)self->reserved[1];
}

/* NULL as long as the instance has no element. */
unsigned char *instance_dynamic_fields(const MI_Instance *self)
{
    return dynamic_of(self)->fields;
}

/* All fields are cleared before. */
void instance_dynamic_free(MI_Instance *self)
{
    struct dynamic_instance *dynamic = dynamic_of(self);

    for (MI_Uint32 i = 0; i < dynamic->decl.numProperties; i++) {
        base_free(dynamic->properties[i]);
    }
    base_free(dynamic->properties);
    base_free(dynamic->fields);
    base_free((void *)(uintptr_t)dynamic->decl.name);
    base_free(dynamic);
}

/* The flags of the declaration for the flags of NewDynamicInstance. 0 is a class (MI.h). */
static bool meta_flags(MI_Uint32 flags, MI_Uint32 *ret_flags)
{
    switch (flags) {
    case 0:
    case MI_FLAG_CLASS:
        *ret_flags = MI_FLAG_CLASS;
        return true;
    case MI_FLAG_ASSOCIATION:
    case MI_FLAG_INDICATION:
        *ret_flags = MI_FLAG_CLASS | flags;
        return true;
    case MI_FLAG_METHOD:
        *ret_flags = MI_FLAG_METHOD;
        return true;
    default:
        return false;
    }
}

/* The size begins with the header, so that offsets count as in a static instance. */
MI_Result instance_new_dynamic(const char *class_name, MI_Uint32 flags, MI_Instance **ret_instance)
{
    MI_Uint32 meta = 0;

    if (ret_instance == NULL || !decl_name_legal(class_name) || !meta_flags(flags, &meta)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct dynamic_instance *dynamic = base_alloc(1, sizeof(*dynamic));
    char *name = base_copy_text(class_name);
    if (dynamic == NULL || name == NULL) {
        base_free(dynamic);
        base_free(name);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    dynamic->decl = (MI_ClassDecl){
        .flags = meta,
        .code = decl_name_code(name),
        .name = name,
        .size = sizeof(MI_Instance),
        .owningClass = DECL_DYNAMIC_OWNER,
    };
    dynamic->base.ft = &instance_ft;
    dynamic->base.classDecl = &dynamic->decl;
    dynamic->base.reserved[0] = INSTANCE_MARK | INSTANCE_HEAP | INSTANCE_DYNAMIC;
    dynamic->base.reserved[1] = (ptrdiff_t)dynamic;
    *ret_instance = &dynamic->base;
    return MI_RESULT_OK;
}

/* Room for one more declaration. The array moves, the declarations in it do not. */
static MI_Result reserve_properties(struct dynamic_instance *dynamic)
{
    MI_Uint32 capacity = dynamic->property_capacity;

    if (dynamic->decl.numProperties < capacity) {
        return MI_RESULT_OK;
    }
    if (capacity >= DECL_MAX_ELEMENTS) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    capacity = capacity == 0 ? 16 : capacity * 2;
    MI_PropertyDecl **properties =
        base_resize(dynamic->properties, capacity, sizeof(MI_PropertyDecl *));
    if (properties == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    dynamic->properties = properties;
    dynamic->property_capacity = capacity;
    dynamic->decl.properties = (const MI_PropertyDecl *const *)properties;
    return MI_RESULT_OK;
}

/* Makes room for fields up to byte `size`, as the declaration counts. At most 4,096 elements of
 * less than 64 bytes: the sum cannot overflow. */
static MI_Result reserve_fields(struct dynamic_instance *dynamic, MI_Uint32 size)
{
    MI_Uint32 capacity = dynamic->field_capacity == 0 ? 512 : dynamic->field_capacity;

    if (size <= dynamic->field_capacity) {
        return MI_RESULT_OK;
    }
    while (capacity < size) {
        capacity *= 2;
    }
    unsigned char *fields = base_resize(dynamic->fields, capacity, 1);
    if (fields == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    memset(fields + dynamic->field_capacity, 0, capacity - dynamic->field_capacity);
    dynamic->fields = fields;
    dynamic->field_capacity = capacity;
    return MI_RESULT_OK;
}

/* One block for declaration and name. */
static MI_PropertyDecl *property_new(const char *name, MI_Type type, MI_Uint32 flags,
                                     MI_Uint32 offset)
{
    size_t name_size = strlen(name) + 1;
    MI_PropertyDecl *property = base_alloc(1, sizeof(*property) + name_size);

    if (property == NULL) {
        return NULL;
    }
    char *name_copy = (char *)(property + 1);
    memcpy(name_copy, name, name_size);
    property->flags = flags;
    property->code = decl_name_code(name);
    property->name = name_copy;
    property->type = (MI_Uint32)type;
    property->offset = offset;
    return property;
}

/* Everything that MI_Instance_AddElement refuses before it changes anything: INVALID_PARAMETER for
 * an instance of another host, an illegal name, an unknown type or BORROW with ADOPT; FAILED for a
 * static instance, whose layout cannot grow; ALREADY_EXISTS. */
static MI_Result check_new_element(const MI_Instance *self, const MI_Char *name, MI_Type type,
                                   MI_Uint32 flags)
{
    MI_Uint32 index = 0;

    if (self == NULL || !instance_is_ours(self)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (!instance_is_dynamic(self)) {
        return MI_RESULT_FAILED;
    }
    if (!decl_name_legal(name) || value_size(type) == 0 ||
        ((flags & MI_FLAG_BORROW) != 0 && (flags & MI_FLAG_ADOPT) != 0)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (decl_element_find(self->classDecl, name, &index)) {
        return MI_RESULT_ALREADY_EXISTS;
    }
    return MI_RESULT_OK;
}

/* Makes room for one more element and declares it; its field is NULL. */
static MI_Result extend(struct dynamic_instance *dynamic, const MI_Char *name, MI_Type type,
                        MI_Uint32 flags)
{
    MI_ClassDecl *decl = &dynamic->decl;
    MI_Uint32 old_size = decl->size; /* a multiple of 8, the strictest alignment of a field */
    MI_Uint32 new_size = (old_size + (MI_Uint32)value_size(type) + 2 + 7) & ~(MI_Uint32)7;
    MI_Uint32 kind = decl_is_method(decl) ? MI_FLAG_PARAMETER : MI_FLAG_PROPERTY;
    MI_Result result = reserve_properties(dynamic);

    if (result == MI_RESULT_OK) {
        result = reserve_fields(dynamic, new_size);
    }
    if (result != MI_RESULT_OK) {
        return result;
    }
    MI_PropertyDecl *property = property_new(name, type, flags | kind, old_size);
    if (property == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    dynamic->properties[decl->numProperties] = property;
    decl->numProperties++;
    decl->size = new_size;
    return MI_RESULT_OK;
}

/* The value is taken first, into a field apart: it may be the instance itself, which must not have
 * the new element yet. So a failure of either leaves no element. */
MI_Result instance_append_element(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                                  MI_Type type, MI_Uint32 flags)
{
    const MI_Uint32 for_this_call =
        MI_FLAG_NULL | MI_FLAG_NOT_MODIFIED | MI_FLAG_BORROW | MI_FLAG_ADOPT;
    MI_Value taken;
    unsigned char exists = MI_FALSE, bits = 0;
    struct field apart = {
        .element.type = type, .value = (unsigned char *)&taken, .exists = &exists, .flags = &bits};
    struct field field;

    MI_Result result = check_new_element(self, name, type, flags);
    if (result == MI_RESULT_OK) {
        result = field_set(&apart, value, type, flags);
    }
    if (result != MI_RESULT_OK) {
        return result;
    }
    struct dynamic_instance *dynamic = dynamic_of(self);
    result = extend(dynamic, name, type, flags & ~for_this_call);
    if (result != MI_RESULT_OK) {
        field_clear(&apart);
        return result;
    }
    (void)instance_field_at(self, dynamic->decl.numProperties - 1, &field);
    memcpy(field.value, &taken, value_size(type));
    *field.exists = exists;
    *field.flags = bits;
    return MI_RESULT_OK;
}

/* AddElement: what a caller gives must be a value that can be written. */
MI_Result instance_add_element(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                               MI_Type type, MI_Uint32 flags)
{
    return element_value_possible(value, type, flags)
               ? instance_append_element(self, name, value, type, flags)
               : MI_RESULT_INVALID_PARAMETER;
}
