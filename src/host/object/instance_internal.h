/* SPDX-License-Identifier: MIT */
/*
 * What the files of src/host/ that make objects share; for these files only.
 */
#ifndef HOST_OBJECT_INSTANCE_INTERNAL_H
#define HOST_OBJECT_INSTANCE_INTERNAL_H

#include <stdint.h>
#include <string.h>

#include "host/object/object.h"

/*
 * Limits. An embedded instance is a pointer of unknown origin, so it may lead back to itself: depth
 * ends a chain, and the total ends a small graph that unfolds into a huge tree.
 */
enum {
    NEST_MAX_DEPTH = 32,         /* instances within instances; MIGUARD_HOST_MAX_DEPTH */
    NEST_MAX_INSTANCES = 100000, /* instances that one copy, comparison or conversion may visit */
    ARRAY_MAX_INSTANCES = 10000, /* elements of an array of references or embedded instances */
    ARRAY_MAX_BYTES = 268435456, /* bytes of any one array */
    DECL_MAX_ELEMENTS = 4096,    /* properties, parameters, methods or qualifiers of one object */
    DECL_MAX_SIZE = 16777216,    /* bytes of one instance struct */
    DECL_MAX_DEPTH = 64,         /* classes in a superclass chain */
    OPTIONS_MAX_ELEMENTS = 1024  /* options, or credentials, of one options object */
};

/* The state of one walk through nested instances. A walk begins with {0}, but for the last two
 * members, and passes the struct on to each nested call, so that all its levels share the limits
 * above. */
struct nest {
    /* Levels entered and not left. */
    unsigned depth;
    /* Instances visited since the walk began. */
    unsigned instances;
    /* A copy must not need a module: its declarations are those of copies, or its own. */
    bool independent;
    const struct decl_copy *copies; /* that is looked in; NULL: none */
};

/* Goes one level deeper. False at the limit, and then nothing was entered; else nest_leave() must
 * follow. The total is never given back: it bounds the work of the whole walk. */
static inline bool nest_enter(struct nest *nest)
{
    if (nest->depth >= NEST_MAX_DEPTH || nest->instances >= NEST_MAX_INSTANCES) {
        return false;
    }
    nest->depth++;
    nest->instances++;
    return true;
}

/* Goes back up one level. */
static inline void nest_leave(struct nest *nest)
{
    nest->depth--;
}

/* (value.c) Whether type is an array: the scalar type with MI_ARRAY, bit 4, set (MI.h). */
static inline bool type_is_array(MI_Type type)
{
    return ((unsigned)type & MI_ARRAY) != 0;
}

/* The type of an element; a scalar type is its own. */
static inline MI_Type type_scalar(MI_Type type)
{
    return (MI_Type)((unsigned)type & ~(unsigned)MI_ARRAY);
}

/* Whether a value of this scalar type is a pointer to an instance. */
static inline bool type_is_instance(MI_Type scalar)
{
    return scalar == MI_REFERENCE || scalar == MI_INSTANCE;
}

bool value_owns_memory(MI_Type type);                /* a value of it may hold heap memory */
bool value_is_null(MI_Type type, const void *value); /* a NULL string or instance pointer */

/* Whether an array of unknown origin may be read: INVALID_PARAMETER with a count but no data,
 * SERVER_LIMITS_EXCEEDED beyond ARRAY_MAX_INSTANCES or ARRAY_MAX_BYTES. An empty array is OK with
 * any pointer. */
MI_Result value_array_limits(MI_Type type, const MI_Array *array);

/* value_copy() as a part of a larger walk. SERVER_LIMITS_EXCEEDED also at the limits of nest. */
MI_Result value_copy_nested(MI_Type type, const void *from, void *to, struct nest *nest);

/* value_equal() as a part of a larger walk. At the limits of nest the values count as different: an
 * equality that was not established must not select an instance. */
bool value_equal_nested(MI_Type type, const void *a, const void *b, struct nest *nest);

/* (decl.c) The owningClass of a declaration that belongs to one dynamic instance (MI_ClassDecl). */
#define DECL_DYNAMIC_OWNER ((MI_Class *)(intptr_t)-1)

/* Whether this "class" is the head of an MI_MethodDecl. The two structs agree up to `size` only;
 * every use of a later member must come after this check. */
static inline bool decl_is_method(const MI_ClassDecl *decl)
{
    return (decl->flags & MI_FLAG_METHOD) != 0;
}

/* Whether a parameter is one that generators give no place in the instance: it is streamed, so that
 * it is posted by itself. */
static inline bool decl_has_no_place(const MI_ClassDecl *decl, const MI_PropertyDecl *parameter)
{
    return decl_is_method(decl) && (parameter->flags & MI_FLAG_STREAM) != 0 &&
           parameter->offset == UINT32_MAX;
}

/* A declaration that belongs to a dynamic instance. A method's has no owner member
 * (MI_MethodDecl). */
static inline bool decl_is_dynamic(const MI_ClassDecl *decl)
{
    return !decl_is_method(decl) && decl->owningClass == DECL_DYNAMIC_OWNER;
}

/* The part of decl_fault() that makes reading and writing instances safe; linear, so that it can
 * run each time an instance is made. */
const char *decl_layout_fault(const MI_ClassDecl *decl);

/* class.c */
extern const MI_ClassFT class_ft;

/* (class_sets.c) Fills a handle that points into a declaration and is valid as long as that. A NULL
 * set is ignored, since it is an optional output of the callers. A NULL list makes an empty set. */
void qualifier_set_fill(MI_QualifierSet *set, const MI_Qualifier *const *qualifiers,
                        MI_Uint32 count);

/* Likewise for the parameters of a method, without its return value. */
void parameter_set_fill(MI_ParameterSet *set, const MI_MethodDecl *method);

/* (decl_copy.c) A counted copy that is independent of the original; its owningClass leads back to
 * it. One reference is the caller's. INVALID_PARAMETER for a declaration with a fault,
 * SERVER_LIMITS_EXCEEDED without memory. */
MI_Result decl_copy_new(const MI_ClassDecl *decl, const MI_ClassDecl **ret_copy);
bool decl_is_copy(const MI_ClassDecl *decl);      /* made there or by decl_copy_schema() */
void decl_copy_hold(const MI_ClassDecl *decl);    /* does nothing for other declarations */
void decl_copy_release(const MI_ClassDecl *decl); /* likewise */

/*
 * instance.c
 *
 * reserved[0] of an instance that this host made holds the mark and these bits. A struct that was
 * built by hand has no mark even with this host's table in ft; it is read but never written or
 * released. reserved[1] is the struct dynamic_instance of a dynamic one, reserved[2] and [3] the
 * copies of the namespace and server names.
 */
#define INSTANCE_MARK      ((ptrdiff_t)0x6D69676900000000)
#define INSTANCE_MARK_MASK (~(ptrdiff_t)0xFFFFFFFF)
enum {
    INSTANCE_HEAP = 0x1,
    INSTANCE_DYNAMIC = 0x2,
};

/* Bits of the `flags` byte of a field (MI_Uint32Field and the like in MI.h). */
enum { FIELD_BORROWED = 0x01, FIELD_MODIFIED = 0x02 };

/* One element of an instance that is read through its declaration: pointers into the instance,
 * valid until it is released or, for a dynamic one, until the next element is added. */
struct field {
    /* What the declaration says of it, copied out. */
    struct decl_element element;
    /* value_size(element.type) bytes; aligned, but read by memcpy(3). */
    unsigned char *value;
    MI_Boolean *exists; /* directly after the value */
    MI_Uint8 *flags;
};

/* Written by this host. It protects against mistakes, not against an enemy: a provider in the same
 * process can write anything. */
static inline bool instance_has_mark(const MI_Instance *self)
{
    return (self->reserved[0] & INSTANCE_MARK_MASK) == INSTANCE_MARK;
}

/* Made by this host and not released: may be written and released. */
static inline bool instance_is_ours(const MI_Instance *self)
{
    return self->ft == &instance_ft && instance_has_mark(self);
}

/* Also when a caller cleared ft: the fields are still in place. */
static inline bool instance_is_dynamic(const MI_Instance *self)
{
    return (self->ft == &instance_ft || self->ft == NULL) && instance_has_mark(self) &&
           (self->reserved[0] & INSTANCE_DYNAMIC) != 0;
}

/* False when only the instance's own foreign table can read its content. */
bool instance_is_direct(const MI_Instance *self);

/* The number of elements of a direct instance; 0 when its fields cannot be reached. */
MI_Uint32 instance_field_count(const MI_Instance *self);

/* The field at this position. False out of range, or when the declaration of the element is
 * invalid. */
bool instance_field_at(const MI_Instance *self, MI_Uint32 index, struct field *ret_field);

/* The field called name and its position. False when it is not found; the outputs are then
 * undefined. */
bool instance_field_find(const MI_Instance *self, const char *name, struct field *ret_field,
                         MI_Uint32 *ret_index);

/* No value: `exists` is false, or a string or instance pointer is NULL, as generated code may leave
 * it. */
bool field_is_null(const struct field *field);

/* The flags as GetElement reports them: the declared ones, with MI_FLAG_NULL and
 * MI_FLAG_NOT_MODIFIED according to the field's state and not to the declaration. */
MI_Uint32 field_flags_out(const struct field *field);

/* The checks and effects of MI_Instance_SetElement on a field of an instance that this host made.
 * value NULL, MI_FLAG_NULL or a NULL pointer set NULL. TYPE_MISMATCH, INVALID_PARAMETER (BORROW
 * with ADOPT, invalid array) or SERVER_LIMITS_EXCEEDED leave the field as it was. */
MI_Result field_set(struct field *field, const MI_Value *value, MI_Type type, MI_Uint32 flags);

/* Takes over *value, which value_copy() made; exists is set. */
void field_put_owned(struct field *field, const void *value);

/* Back to NULL and not modified; an owned value is released, a borrowed one left alone. */
void field_clear(struct field *field);

/* instance_copy() as a part of a larger walk. from must not be NULL. */
MI_Result instance_copy_nested(const MI_Instance *from, MI_Instance **ret_instance,
                               struct nest *nest);

/* instance_keys_equal() as a part of a larger walk; false at the limits of nest. */
bool instance_keys_equal_nested(const MI_Instance *a, const MI_Instance *b, struct nest *nest);

/* Equality of embedded instances: class name, number of elements, and every element. */
bool instance_content_equal_nested(const MI_Instance *a, const MI_Instance *b, struct nest *nest);

/* Copies namespace and server name, which are not elements. to must be an instance that this host
 * made. */
MI_Result instance_copy_names(const MI_Instance *from, MI_Instance *to);

/* The slots of instance_ft, by file. */

/* (instance_element.c) These slots have the semantics of the calls of that name in MI.h. self may
 * be any direct instance for reading, and must be one that this host made for writing. */
MI_Result instance_get_element_count(const MI_Instance *self, MI_Uint32 *count);

/* value NULL sets NULL. Only the bytes of *value that type needs are read. */
MI_Result instance_set_element(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                               MI_Type type, MI_Uint32 flags);

/* By position; FAILED beyond the end, unlike reading. */
MI_Result instance_set_element_at(MI_Instance *self, MI_Uint32 index, const MI_Value *value,
                                  MI_Type type, MI_Uint32 flags);

/* Each output may be NULL. The value is borrowed. */
MI_Result instance_get_element(const MI_Instance *self, const MI_Char *name, MI_Value *value,
                               MI_Type *type, MI_Uint32 *flags, MI_Uint32 *index);

/* By position; INVALID_PARAMETER beyond the end. */
MI_Result instance_get_element_at(const MI_Instance *self, MI_Uint32 index, const MI_Char **name,
                                  MI_Value *value, MI_Type *type, MI_Uint32 *flags);

/* NO_SUCH_PROPERTY for an unknown name. */
MI_Result instance_clear_element(MI_Instance *self, const MI_Char *name);

/* FAILED beyond the end. */
MI_Result instance_clear_element_at(MI_Instance *self, MI_Uint32 index);

/* Whether a value that a caller sets can be written: false for an impossible datetime, alone or in
 * an array. Values of other types and NULL are possible. */
bool element_value_possible(const MI_Value *value, MI_Type type, MI_Uint32 flags);

/* (instance_dynamic.c) AddElement: FAILED on a static instance, ALREADY_EXISTS for a second element
 * of one name, INVALID_PARAMETER for an illegal name or an unknown type. */
MI_Result instance_add_element(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                               MI_Type type, MI_Uint32 flags);

/* The block of fields, addressed by the offsets of the declaration. It moves when an element is
 * added. */
unsigned char *instance_dynamic_fields(const MI_Instance *self);

/* Frees the instance itself; the fields must have been cleared before. */
void instance_dynamic_free(MI_Instance *self);

#endif
