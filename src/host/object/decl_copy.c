/* SPDX-License-Identifier: MIT */
/*
 * Copies of class declarations whose owner may disappear: a dynamic instance, another host's class
 * object, or a module, which may be unmapped.
 *
 * A copy has one class (decl_copy_new()) or all classes of a schema (decl_copy_schema()). It is one
 * list of blocks, so that it is freed as a whole and a failure half-way needs no bookkeeping.
 * Classes and instances that use one of its declarations are counted; all of them count for the
 * whole copy.
 *
 * A declaration is walked once with the take_...() functions, each of which takes memory of a block
 * and copies what it is named after. They do not return errors: the first failure sets `failed`,
 * every later take() returns NULL, and the maker checks once at the end and frees the list.
 */
#include "host/object/object.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* Of one block, unless what it is for is larger: the first of a copy, and the others. */
enum { FIRST_BLOCK = 1024, NEXT_BLOCK = 16384 };

/* One allocation, in the list of those that make up the copy. */
struct block {
    struct block *next;
    size_t used, size; /* bytes of data */
    /* Aligned for any of the structs that are copied into it. */
    max_align_t data[];
};

struct copied_class {
    MI_ClassDecl decl;
    MI_Class owner;             /* decl.owningClass: the way back from the declaration to here */
    const MI_ClassDecl *origin; /* what it is a copy of; may dangle, and is not read here */
};

/* The list of the original's properties, by which a declaration is found again: a wrapped module
 * has class declarations of its own, with the lists of the provider. Only compared. */
struct origin {
    const MI_PropertyDecl *const *properties;
    const MI_ClassDecl *copied;
};

/* The whole copy. Its address is in reserved[0] of each owner. */
struct decl_copy {
    atomic_uint references;
    MI_SchemaDecl schema;   /* the copied classes, in the order of the original */
    struct origin *origins; /* sorted; those of superclasses, too; NULL for a single class */
    MI_Uint32 origin_count;
    struct block *blocks;
    bool failed; /* memory ran out: sticky, checked once at the end */
};

static bool add_block(struct decl_copy *copy, size_t least)
{
    size_t usual = copy->blocks == NULL ? FIRST_BLOCK : NEXT_BLOCK;
    size_t size = least > usual ? least : usual;
    struct block *block = base_alloc(1, sizeof(*block) + size);

    if (block != NULL) {
        block->size = size;
        block->next = copy->blocks;
        copy->blocks = block;
    }
    return block != NULL;
}

/* Zeroed memory for count elements of size bytes, owned by the copy; NULL after a failure. The
 * counts are bounded by decl_fault(), so the product does not overflow. */
static void *take(struct decl_copy *copy, size_t count, size_t size)
{
    const size_t unit = _Alignof(max_align_t);
    size_t bytes = count * size;
    size_t start = copy->blocks == NULL ? 0 : copy->blocks->used;

    start = size == 1 ? start : (start + unit - 1) / unit * unit;
    if (copy->blocks == NULL || start > copy->blocks->size || bytes > copy->blocks->size - start) {
        if (copy->failed || !add_block(copy, bytes)) {
            copy->failed = true;
            return NULL;
        }
        start = 0;
    }
    copy->blocks->used = start + bytes;
    return (unsigned char *)copy->blocks->data + start;
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

/* The members of a class but for superClassDecl. Without its tables of functions, as above. */
static void fill_class(struct decl_copy *copy, const MI_ClassDecl *decl, struct copied_class *to)
{
    const char *super = decl->superClass;

    if (super == NULL && decl->superClassDecl != NULL) {
        super = decl->superClassDecl->name;
    }
    to->decl = (MI_ClassDecl){
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
        .owningClass = &to->owner,
    };
    to->owner.ft = &class_ft;
    to->owner.classDecl = &to->decl;
    to->owner.reserved[0] = (ptrdiff_t)copy;
    to->origin = decl;
}

/* One reference is the caller's. NULL without memory. */
static struct decl_copy *copy_begin(void)
{
    struct decl_copy *copy = base_alloc(1, sizeof(*copy));

    if (copy != NULL) {
        atomic_init(&copy->references, 1);
    }
    return copy;
}

/* The superclass is kept by name only: the lifetime of its declaration is not known. */
MI_Result decl_copy_new(const MI_ClassDecl *decl, const MI_ClassDecl **ret_copy)
{
    if (decl_fault(decl) != NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct decl_copy *copy = copy_begin();
    struct copied_class *class = copy == NULL ? NULL : take(copy, 1, sizeof(*class));
    if (class != NULL) {
        fill_class(copy, decl, class);
    }
    if (copy == NULL || copy->failed) {
        decl_copy_drop(copy);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    *ret_copy = &class->decl;
    return MI_RESULT_OK;
}

/* ---- a schema ------------------------------------------------------------------------------ */

/* The classes to copy: those of the schema, and the superclasses that it does not list. */
struct originals {
    const MI_ClassDecl **list;
    size_t count, room;
};

static MI_Uint32 find_original(const struct originals *originals, const MI_ClassDecl *decl)
{
    MI_Uint32 i = 0;

    while (i < originals->count && originals->list[i] != decl) {
        i++;
    }
    return i;
}

/* False without memory. */
static bool add_original(struct originals *originals, const MI_ClassDecl *decl)
{
    if (originals->count == originals->room) {
        size_t room = originals->room == 0 ? 64 : originals->room * 2;
        const MI_ClassDecl **grown = base_resize(originals->list, room, sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        originals->list = grown;
        originals->room = room;
    }
    originals->list[originals->count++] = decl;
    return true;
}

/* The list grows while it is walked: a superclass may have one that is not listed, too. Each class
 * is in it once, but for one that the schema itself lists twice. */
static bool list_originals(const MI_SchemaDecl *schema, struct originals *originals)
{
    bool listed = true;

    for (MI_Uint32 i = 0; schema != NULL && i < schema->numClassDecls && listed; i++) {
        listed = add_original(originals, schema->classDecls[i]);
    }
    for (size_t i = 0; i < originals->count && listed; i++) {
        const MI_ClassDecl *super = originals->list[i]->superClassDecl;
        if (super != NULL && find_original(originals, super) == originals->count) {
            listed = add_original(originals, super);
        }
    }
    return listed;
}

static int compare_origins(const void *a, const void *b)
{
    uintptr_t first = (uintptr_t)((const struct origin *)a)->properties;
    uintptr_t second = (uintptr_t)((const struct origin *)b)->properties;
    return first < second ? -1 : first > second;
}

static void fill_schema(struct decl_copy *copy, const struct originals *originals, MI_Uint32 listed)
{
    size_t count = originals->count;
    struct copied_class *classes = take(copy, count, sizeof(*classes));
    const MI_ClassDecl **list = take(copy, count, sizeof(const MI_ClassDecl *));
    struct origin *origins = take(copy, count, sizeof(*origins));

    if (copy->failed) {
        return;
    }
    for (size_t i = 0; i < count && !copy->failed; i++) {
        const MI_ClassDecl *from = originals->list[i];
        fill_class(copy, from, &classes[i]);
        if (from->superClassDecl != NULL) {
            MI_Uint32 super = find_original(originals, from->superClassDecl);
            classes[i].decl.superClassDecl = &classes[super].decl;
        }
        list[i] = &classes[i].decl;
        origins[i] = (struct origin){from->properties, &classes[i].decl};
    }
    qsort(origins, count, sizeof(*origins), compare_origins);
    copy->schema = (MI_SchemaDecl){.classDecls = list, .numClassDecls = listed};
    copy->origins = origins;
    copy->origin_count = (MI_Uint32)count;
}

MI_Result decl_copy_schema(const MI_SchemaDecl *schema, struct decl_copy **ret_copy)
{
    struct originals originals = {0};
    struct decl_copy *copy = copy_begin();

    bool listed = copy != NULL && list_originals(schema, &originals);
    if (listed && originals.count > 0) {
        fill_schema(copy, &originals, schema->numClassDecls);
    }
    base_free(originals.list);
    if (!listed || copy->failed) {
        decl_copy_drop(copy);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    *ret_copy = copy;
    return MI_RESULT_OK;
}

const MI_SchemaDecl *decl_copy_classes(const struct decl_copy *copy)
{
    return &copy->schema;
}

/* Several classes may share a list, as those without properties do. */
const MI_ClassDecl *decl_copy_find(const struct decl_copy *copy, const MI_ClassDecl *decl)
{
    MI_Uint32 low = 0, high = copy->origin_count;

    while (low < high) {
        MI_Uint32 middle = low + (high - low) / 2;
        if ((uintptr_t)copy->origins[middle].properties < (uintptr_t)decl->properties) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < copy->origin_count && copy->origins[low].properties == decl->properties; low++) {
        const MI_ClassDecl *copied = copy->origins[low].copied;
        if (copied->size == decl->size && copied->numProperties == decl->numProperties &&
            copied->flags == decl->flags && decl_name_equal(copied->name, decl->name)) {
            return copied;
        }
    }
    return NULL;
}

/* ---- counting ------------------------------------------------------------------------------ */

/* By the two pointers that only fill_class() sets so. A method has no owner member to look at. */
bool decl_is_copy(const MI_ClassDecl *decl)
{
    return !decl_is_method(decl) && decl->owningClass != NULL &&
           decl->owningClass != DECL_DYNAMIC_OWNER && decl->owningClass->ft == &class_ft &&
           decl->owningClass->classDecl == decl;
}

const MI_ClassDecl *decl_copy_origin(const MI_ClassDecl *decl)
{
    return ((const struct copied_class *)(const void *)decl)->origin;
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
void decl_copy_drop(struct decl_copy *copy)
{
    if (copy != NULL &&
        atomic_fetch_sub_explicit(&copy->references, 1, memory_order_acq_rel) == 1) {
        copy_free(copy);
    }
}

void decl_copy_release(const MI_ClassDecl *decl)
{
    if (decl_is_copy(decl)) {
        decl_copy_drop((struct decl_copy *)decl->owningClass->reserved[0]);
    }
}
