/* SPDX-License-Identifier: MIT */
/*
 * Property sets: names without regard to case, in the order in which they were added.
 *
 * A set is used by one thread at a time. The list is searched from the start: sets have as many
 * names as a class has properties, a few dozen.
 *
 * The host makes sets for providers: the properties that a client asked for, or those that an
 * instance to be modified has. NULL in place of a set means all properties, and an empty set none
 * (MI_PropertySet).
 */
#include "host/object/object.h"

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* base is what callers hold. */
struct property_set {
    MI_PropertySet base;
    /* Owned, each by itself; NULL when empty. */
    char **names;
    MI_Uint32 count;
    /* Of names, in elements. */
    MI_Uint32 capacity;
};

/* reserved[0] rather than the address, so that a struct copy of the handle works too. */
static struct property_set *set_of(const MI_PropertySet *self)
{
    if (self == NULL || self->ft != &property_set_ft) {
        return NULL;
    }
    return (struct property_set *)self->reserved[0];
}

/* GetElementCount. */
static MI_Result set_get_count(const MI_PropertySet *self, MI_Uint32 *count)
{
    const struct property_set *set = set_of(self);

    if (set == NULL || count == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *count = set->count;
    return MI_RESULT_OK;
}

/* ContainsElement: the output is false on every failure. */
static MI_Result set_contains(const MI_PropertySet *self, const MI_Char *name,
                              MI_Boolean *ret_contains)
{
    const struct property_set *set = set_of(self);

    if (ret_contains == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_contains = MI_FALSE;
    if (set == NULL || name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    for (MI_Uint32 i = 0; i < set->count; i++) {
        if (decl_name_equal(set->names[i], name)) {
            *ret_contains = MI_TRUE;
        }
    }
    return MI_RESULT_OK;
}

/* Room for one more name, up to DECL_MAX_ELEMENTS: no class has more properties. */
static MI_Result reserve(struct property_set *set)
{
    if (set->count < set->capacity) {
        return MI_RESULT_OK;
    }
    if (set->capacity >= DECL_MAX_ELEMENTS) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Uint32 capacity = set->capacity == 0 ? 16 : set->capacity * 2;
    char **names = base_resize(set->names, capacity, sizeof(*names));
    if (names == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    set->names = names;
    set->capacity = capacity;
    return MI_RESULT_OK;
}

/* AddElement: ALREADY_EXISTS for a name that is in the set in any case of its letters. The order of
 * adding is kept, for GetElementAt. */
static MI_Result set_add(MI_PropertySet *self, const MI_Char *name)
{
    struct property_set *set = set_of(self);
    MI_Boolean contains = MI_FALSE;

    if (set == NULL || name == NULL || *name == '\0') {
        return MI_RESULT_INVALID_PARAMETER;
    }
    (void)set_contains(self, name, &contains);
    if (contains != MI_FALSE) {
        return MI_RESULT_ALREADY_EXISTS;
    }
    MI_Result result = reserve(set);
    if (result != MI_RESULT_OK) {
        return result;
    }
    char *copy = base_copy_text(name);
    if (copy == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    set->names[set->count] = copy;
    set->count++;
    return MI_RESULT_OK;
}

/* GetElementAt: the name is borrowed until Clear or Delete. */
static MI_Result set_get_at(const MI_PropertySet *self, MI_Uint32 index, const MI_Char **ret_name)
{
    const struct property_set *set = set_of(self);

    if (set == NULL || ret_name == NULL || index >= set->count) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_name = set->names[index];
    return MI_RESULT_OK;
}

/* Clear: an empty set, which differs from a missing one: it selects no property. */
static MI_Result set_clear(MI_PropertySet *self)
{
    struct property_set *set = set_of(self);

    if (set == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    for (MI_Uint32 i = 0; i < set->count; i++) {
        base_free(set->names[i]);
    }
    base_free(set->names);
    set->names = NULL;
    set->count = 0;
    set->capacity = 0;
    return MI_RESULT_OK;
}

/* Every set here is on the heap and needs its Delete, so Destruct must keep that possible.
 */
static MI_Result set_destruct(MI_PropertySet *self)
{
    return set_clear(self);
}

/* Delete: ft is cleared first, so that a second call through the wrapper is INVALID_PARAMETER where
 * the memory was not reused. */
static MI_Result set_delete(MI_PropertySet *self)
{
    struct property_set *set = set_of(self);

    if (set == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    (void)set_clear(self);
    set->base.ft = NULL;
    base_free(set);
    return MI_RESULT_OK;
}

/* Clone: a set of its own on the heap, with the same order; all or nothing. *ret_set is NULL on
 * failure. */
static MI_Result set_clone(const MI_PropertySet *self, MI_PropertySet **ret_set)
{
    const struct property_set *set = set_of(self);
    MI_PropertySet *copy = NULL;

    if (ret_set == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_set = NULL;
    if (set == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = property_set_new(&copy);
    for (MI_Uint32 i = 0; i < set->count && result == MI_RESULT_OK; i++) {
        result = set_add(copy, set->names[i]);
    }
    if (result != MI_RESULT_OK) {
        (void)set_delete(copy);
        return result;
    }
    *ret_set = copy;
    return MI_RESULT_OK;
}

const MI_PropertySetFT property_set_ft = {
    .GetElementCount = set_get_count,
    .ContainsElement = set_contains,
    .AddElement = set_add,
    .GetElementAt = set_get_at,
    .Clear = set_clear,
    .Destruct = set_destruct,
    .Delete = set_delete,
    .Clone = set_clone,
};

/* base_alloc() zeroes: an empty set. */
MI_Result property_set_new(MI_PropertySet **ret_set)
{
    if (ret_set == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct property_set *set = base_alloc(1, sizeof(*set));
    if (set == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    set->base.ft = &property_set_ft;
    set->base.reserved[0] = (ptrdiff_t)set;
    *ret_set = &set->base;
    return MI_RESULT_OK;
}
