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
    NEST_MAX_DEPTH = 32,         /* instances within instances */
    NEST_MAX_INSTANCES = 100000, /* instances that one copy, comparison or conversion may visit */
    ARRAY_MAX_INSTANCES = 10000, /* elements of an array of references or embedded instances */
    ARRAY_MAX_BYTES = 268435456, /* bytes of any one array */
    DECL_MAX_ELEMENTS = 4096,    /* properties, parameters, methods or qualifiers of one object */
    DECL_MAX_SIZE = 16777216,    /* bytes of one instance struct */
    DECL_MAX_DEPTH = 64,         /* classes in a superclass chain */
    OPTIONS_MAX_ELEMENTS = 1024  /* options, or credentials, of one options object */
};

/* The state of one walk through nested instances. */
struct nest {
    unsigned depth;
    unsigned instances;
};

/* False at the limit; else nest_leave() must follow. */
static inline bool nest_enter(struct nest *nest)
{
    if (nest->depth >= NEST_MAX_DEPTH || nest->instances >= NEST_MAX_INSTANCES) {
        return false;
    }
    nest->depth++;
    nest->instances++;
    return true;
}

static inline void nest_leave(struct nest *nest)
{
    nest->depth--;
}

/* value.c */
static inline bool type_is_array(MI_Type type)
{
    return ((unsigned)type & MI_ARRAY) != 0;
}

static inline MI_Type type_scalar(MI_Type type)
{
    return (MI_Type)((unsigned)type & ~(unsigned)MI_ARRAY);
}

static inline bool type_is_instance(MI_Type scalar)
{
    return scalar == MI_REFERENCE || scalar == MI_INSTANCE;
}

bool value_owns_memory(MI_Type type);                /* a value of it may hold heap memory */
bool value_is_null(MI_Type type, const void *value); /* a NULL string or instance pointer */
MI_Result value_array_limits(MI_Type type, const MI_Array *array);
MI_Result value_copy_nested(MI_Type type, const void *from, void *to, struct nest *nest);
bool value_equal_nested(MI_Type type, const void *a, const void *b, struct nest *nest);

/* decl.c: the owningClass of a declaration that belongs to one dynamic instance (reference F.3). */
#define DECL_DYNAMIC_OWNER ((MI_Class *)(intptr_t)-1)

static inline bool decl_is_method(const MI_ClassDecl *decl)
{
    return (decl->flags & MI_FLAG_METHOD) != 0;
}

/* A declaration that belongs to a dynamic instance. A method's has no owner member (F.4). */
static inline bool decl_is_dynamic(const MI_ClassDecl *decl)
{
    return !decl_is_method(decl) && decl->owningClass == DECL_DYNAMIC_OWNER;
}

/* The part of decl_fault() that makes reading and writing instances safe; linear, so that it can
 * run each time an instance is made. */
const char *decl_layout_fault(const MI_ClassDecl *decl);

/* class.c */
extern const MI_ClassFT class_ft;

/* class_sets.c: handles that point into a declaration, valid as long as it is. */
void qualifier_set_fill(MI_QualifierSet *set, const MI_Qualifier *const *qualifiers,
                        MI_Uint32 count);
void parameter_set_fill(MI_ParameterSet *set, const MI_MethodDecl *method);

/* decl_copy.c: a counted copy that is independent of the original. The copy's owningClass leads
 * back to it. */
MI_Result decl_copy_new(const MI_ClassDecl *decl, const MI_ClassDecl **ret_copy);
bool decl_is_copy(const MI_ClassDecl *decl);      /* made by decl_copy_new() */
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

/* Flags of a field in an instance struct (reference F.3). */
enum { FIELD_BORROWED = 0x01, FIELD_MODIFIED = 0x02 };

/* One element of an instance that is read through its declaration. */
struct field {
    struct decl_element element;
    unsigned char *value;
    MI_Boolean *exists; /* directly after the value */
    MI_Uint8 *flags;
};

static inline bool instance_has_mark(const MI_Instance *self)
{
    return (self->reserved[0] & INSTANCE_MARK_MASK) == INSTANCE_MARK;
}

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

/* Elements of a direct instance. */
MI_Uint32 instance_field_count(const MI_Instance *self);
bool instance_field_at(const MI_Instance *self, MI_Uint32 index, struct field *ret_field);
bool instance_field_find(const MI_Instance *self, const char *name, struct field *ret_field,
                         MI_Uint32 *ret_index);
bool field_is_null(const struct field *field);
MI_Uint32 field_flags_out(const struct field *field);

/* The checks and effects of SetElement on a field of an instance that this host made. */
MI_Result field_set(struct field *field, const MI_Value *value, MI_Type type, MI_Uint32 flags);

/* Takes over *value, which value_copy() made; exists is set. */
void field_put_owned(struct field *field, const void *value);
void field_clear(struct field *field);

MI_Result instance_copy_nested(const MI_Instance *from, MI_Instance **ret_instance,
                               struct nest *nest);
bool instance_keys_equal_nested(const MI_Instance *a, const MI_Instance *b, struct nest *nest);
bool instance_content_equal_nested(const MI_Instance *a, const MI_Instance *b, struct nest *nest);
MI_Result instance_copy_names(const MI_Instance *from, MI_Instance *to);

/* The slots of instance_ft, by file. */
/* instance_element.c */
MI_Result instance_get_element_count(const MI_Instance *self, MI_Uint32 *count);
MI_Result instance_set_element(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                               MI_Type type, MI_Uint32 flags);
MI_Result instance_set_element_at(MI_Instance *self, MI_Uint32 index, const MI_Value *value,
                                  MI_Type type, MI_Uint32 flags);
MI_Result instance_get_element(const MI_Instance *self, const MI_Char *name, MI_Value *value,
                               MI_Type *type, MI_Uint32 *flags, MI_Uint32 *index);
MI_Result instance_get_element_at(const MI_Instance *self, MI_Uint32 index, const MI_Char **name,
                                  MI_Value *value, MI_Type *type, MI_Uint32 *flags);
MI_Result instance_clear_element(MI_Instance *self, const MI_Char *name);
MI_Result instance_clear_element_at(MI_Instance *self, MI_Uint32 index);

/* instance_dynamic.c */
MI_Result instance_add_element(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                               MI_Type type, MI_Uint32 flags);
unsigned char *instance_dynamic_fields(const MI_Instance *self);
void instance_dynamic_free(MI_Instance *self);

#endif
