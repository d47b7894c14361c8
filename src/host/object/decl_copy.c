/* SPDX-License-Identifier: MIT */
/*
 * Copies of class declarations whose owner may disappear: a dynamic instance, or another host's
 * class object.
 *
 * A copy is one list of blocks, so that it is freed as a whole and a failure half-way needs no
 * bookkeeping. Classes and instances that use the copy are counted.
 *
 * decl_copy_new() walks the declaration once with the take_...() functions, each of which allocates
 * a block and copies what it is named after. They do not return errors: the first failure sets
 * `failed`, every later take() returns NULL, and decl_copy_new() checks once at the end and frees
 * the list.
 */
#include "host/object/object.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* One allocation, in the list of those that make up the copy. */
struct block {
    struct block *next;
    /* Aligned for any of the structs that are copied into it. */
    max_align_t data[];
};

/* The whole copy. Its address is in owner.reserved[0]. */
struct decl_copy {
    MI_ClassDecl decl;
    MI_Class owner; /* decl.owningClass: the way back from the declaration to here */
    atomic_uint references;
    struct block *blocks;
    bool failed; /* memory ran out: sticky, checked once at the end */
};

/* Zeroed memory for count elements of size bytes, owned by the copy; NULL after a failure. The
 * counts are bounded by decl_fault(), so the product does not overflow. */
static void *take(struct decl_copy *copy, size_t count, size_t size)
{
    struct block *block = copy->failed ? NULL : base_alloc(1, sizeof(*block) + count * size);

    if (block == NULL) {
        copy->failed = true;
        return NULL;
    }
    block->next = copy->blocks;
    copy->blocks = block;
    return block->data;
}

/* A copy of text; NULL stays NULL. */
static const char *take_text(struct decl_copy *copy, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    char *to = take(copy, size, 1);
    if (to != NULL) {
        memcpy(to, text, size);
    }
    return to;
}

/* Replaces each borrowed text in an array that was copied flat. */
static void copy_texts(struct decl_copy *copy, const char **texts, MI_Uint32 count)
{
    for (MI_Uint32 i = 0; i < count; i++) {
        texts[i] = take_text(copy, texts[i]);
    }
}

/* Values of qualifiers and defaults. CIM allows no instances here; one is left out. */
static const void *take_value(struct decl_copy *copy, MI_Type type, const void *value)
{
    MI_Type scalar = type_scalar(type);
    size_t size = value_element_size(type);

    if (value == NULL || type_is_instance(scalar)) {
        return NULL;
    }
    if (!type_is_array(type)) {
        void *to = take(copy, 1, size);
        if (to == NULL) {
            return NULL;
        }
        memcpy(to, value, size);
        if (scalar == MI_STRING) {
            copy_texts(copy, to, 1);
        }
        return to;
    }
    MI_Array *array = take(copy, 1, sizeof(*array));
    if (array == NULL) {
        return NULL;
    }
    memcpy(array, value, sizeof(*array));
    if (array->size == 0 || value_array_limits(type, array) != MI_RESULT_OK) {
        *array = (MI_Array){0};
        return array;
    }
    void *elements = take(copy, array->size, size);
    if (elements == NULL) {
        return NULL;
    }
    memcpy(elements, array->data, array->size * size);
    array->data = elements;
    if (scalar == MI_STRING) {
        copy_texts(copy, elements, array->size);
    }
    return array;
}

/* The list of pointers and the structs they point to are two blocks. NULL without qualifiers, and
 * after a failure, which decl_copy_new() sees in `failed`. */
static const MI_Qualifier *const *take_qualifiers(struct decl_copy *copy,
                                                  const MI_Qualifier *const *from, MI_Uint32 count)
{
    const MI_Qualifier **list = count == 0 ? NULL : take(copy, count, sizeof(*list));
    MI_Qualifier *to = list == NULL ? NULL : take(copy, count, sizeof(*to));

    for (MI_Uint32 i = 0; to != NULL && i < count; i++) {
        to[i] = *from[i];
        to[i].name = take_text(copy, from[i]->name);
        to[i].value = take_value(copy, (MI_Type)from[i]->type, from[i]->value);
        list[i] = &to[i];
    }
    return list;
}

/* All texts and qualifiers are copied, and the default values too: instances of the copied class
 * borrow them. Offsets stay, so an instance has the same layout under both. */
static const MI_PropertyDecl *const *take_properties(struct decl_copy *copy,
                                                     const MI_ClassDecl *decl)
{
    MI_Uint32 count = decl->numProperties;
    const MI_PropertyDecl **list = count == 0 ? NULL : take(copy, count, sizeof(*list));
    MI_PropertyDecl *to = list == NULL ? NULL : take(copy, count, sizeof(*to));

    for (MI_Uint32 i = 0; to != NULL && i < count; i++) {
        const MI_PropertyDecl *from = decl->properties[i];
        to[i] = *from;
        to[i].name = take_text(copy, from->name);
        to[i].qualifiers = take_qualifiers(copy, from->qualifiers, from->numQualifiers);
        to[i].className = take_text(copy, from->className);
        to[i].origin = take_text(copy, from->origin);
        to[i].propagator = take_text(copy, from->propagator);
        to[i].value = take_value(copy, (MI_Type)from->type, from->value);
        list[i] = &to[i];
    }
    return list;
}

/* A parameter's declaration is shorter than a property's; only its own members are read. */
static const MI_ParameterDecl *const *take_parameters(struct decl_copy *copy,
                                                      const MI_MethodDecl *method)
{
    MI_Uint32 count = method->numParameters;
    const MI_ParameterDecl **list = count == 0 ? NULL : take(copy, count, sizeof(*list));
    MI_ParameterDecl *to = list == NULL ? NULL : take(copy, count, sizeof(*to));

    for (MI_Uint32 i = 0; to != NULL && i < count; i++) {
        const MI_ParameterDecl *from = method->parameters[i];
        to[i] = *from;
        to[i].name = take_text(copy, from->name);
        to[i].qualifiers = take_qualifiers(copy, from->qualifiers, from->numQualifiers);
        to[i].className = take_text(copy, from->className);
        list[i] = &to[i];
    }
    return list;
}

/* Without `function`: the holder of a copied declaration must not be able to call into a module. */
static const MI_MethodDecl *const *take_methods(struct decl_copy *copy, const MI_ClassDecl *decl)
{
    MI_Uint32 count = decl->numMethods;
    const MI_MethodDecl **list = count == 0 ? NULL : take(copy, count, sizeof(*list));
    MI_MethodDecl *to = list == NULL ? NULL : take(copy, count, sizeof(*to));

    for (MI_Uint32 i = 0; to != NULL && i < count; i++) {
        const MI_MethodDecl *from = decl->methods[i];
        to[i] = *from;
        to[i].name = take_text(copy, from->name);
        to[i].qualifiers = take_qualifiers(copy, from->qualifiers, from->numQualifiers);
        to[i].parameters = take_parameters(copy, from);
        to[i].origin = take_text(copy, from->origin);
        to[i].propagator = take_text(copy, from->propagator);
        to[i].schema = NULL;
        to[i].function = NULL;
        list[i] = &to[i];
    }
    return list;
}

/* All blocks at once; nothing in them needs a release of its own. */
static void copy_free(struct decl_copy *copy)
{
    while (copy->blocks != NULL) {
        struct block *block = copy->blocks;
        copy->blocks = block->next;
        base_free(block);
    }
    base_free(copy);
}

/* The superclass is kept by name only: the lifetime of its declaration is not known. */
MI_Result decl_copy_new(const MI_ClassDecl *decl, const MI_ClassDecl **ret_copy)
{
    if (decl_fault(decl) != NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct decl_copy *copy = base_alloc(1, sizeof(*copy));
    if (copy == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    const char *super = decl->superClass;
    if (super == NULL && decl->superClassDecl != NULL) {
        super = decl->superClassDecl->name;
    }
    copy->decl = (MI_ClassDecl){
        .flags = decl->flags,
        .code = decl->code,
        .name = take_text(copy, decl->name),
        .qualifiers = take_qualifiers(copy, decl->qualifiers, decl->numQualifiers),
        .numQualifiers = decl->numQualifiers,
        .properties = take_properties(copy, decl),
        .numProperties = decl->numProperties,
        .size = decl->size,
        .superClass = take_text(copy, super),
        .methods = take_methods(copy, decl),
        .numMethods = decl->numMethods,
        .owningClass = &copy->owner,
    };
    copy->owner.ft = &class_ft;
    copy->owner.classDecl = &copy->decl;
    copy->owner.reserved[0] = (ptrdiff_t)copy;
    atomic_init(&copy->references, 1);
    if (copy->failed) {
        copy_free(copy);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    *ret_copy = &copy->decl;
    return MI_RESULT_OK;
}

/* By the two pointers that only decl_copy_new() sets so. A method has no owner member to look
 * at. */
bool decl_is_copy(const MI_ClassDecl *decl)
{
    return !decl_is_method(decl) && decl->owningClass != NULL &&
           decl->owningClass != DECL_DYNAMIC_OWNER && decl->owningClass->ft == &class_ft &&
           decl->owningClass->classDecl == decl;
}

/* Relaxed order is enough: the caller has a reference already, so the count is not 0. */
void decl_copy_hold(const MI_ClassDecl *decl)
{
    if (decl_is_copy(decl)) {
        struct decl_copy *copy = (struct decl_copy *)decl->owningClass->reserved[0];
        atomic_fetch_add_explicit(&copy->references, 1, memory_order_relaxed);
    }
}

/* The last user frees it. The release order makes all reads of the declaration by other threads
 * happen before the free. */
void decl_copy_release(const MI_ClassDecl *decl)
{
    if (!decl_is_copy(decl)) {
        return;
    }
    struct decl_copy *copy = (struct decl_copy *)decl->owningClass->reserved[0];
    if (atomic_fetch_sub_explicit(&copy->references, 1, memory_order_acq_rel) == 1) {
        copy_free(copy);
    }
}
