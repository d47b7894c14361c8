/* SPDX-License-Identifier: MIT */
/*
 * Checks a declaration before it is used.
 *
 * Pointers cannot be checked, only what they point to. A module that passes this check cannot make
 * the host read or write outside an instance, free a field twice or loop forever.
 *
 * decl_fault() and decl_method_fault() run once when a module is loaded or a class is made.
 * decl_layout_fault() is the part that runs whenever an instance is made; it is linear as long as a
 * generator has laid the fields out in order.
 *
 * The text of a fault is static and goes into the error of miguard_host_load(): it says what is
 * wrong, not where, since a generator makes the same mistake everywhere.
 */
#include "host/object/object.h"

#include "host/object/instance_internal.h"

/* The alignment that the compiler gave the field in a generated struct. A datetime consists of
 * 32-bit members, so its size is not its alignment. */
static size_t field_alignment(MI_Type type)
{
    if (type_is_array(type)) {
        return _Alignof(MI_Array);
    }
    return type == MI_DATETIME ? _Alignof(MI_Datetime) : value_element_size(type);
}

/* One property or parameter by itself: it must have a name and a known type, and lie between the
 * header and the end of the instance, aligned, with room for `exists` and `flags` behind its
 * value. decl_element_at() finds no streamed parameter without a place. */
static const char *element_fault(const MI_ClassDecl *decl, const MI_PropertyDecl *property)
{
    if (property == NULL) {
        return "element is NULL";
    }
    if (property->name == NULL) {
        return "element without a name";
    }
    size_t size = value_size((MI_Type)property->type);
    if (size == 0) {
        return "element of an unknown type";
    }
    if (decl_has_no_place(decl, property)) {
        return NULL;
    }
    if (property->offset < sizeof(MI_Instance)) {
        return "element inside the instance header";
    }
    if (property->offset > decl->size || decl->size - property->offset < size + 2) {
        return "element beyond the end of the instance";
    }
    if (property->offset % field_alignment((MI_Type)property->type) != 0) {
        return "element not aligned";
    }
    return NULL;
}

/* Two fields that share a byte: releasing one would free what the other points to. */
static bool overlaps(const MI_PropertyDecl *a, const MI_PropertyDecl *b)
{
    size_t a_end = a->offset + value_size((MI_Type)a->type) + 2;
    size_t b_end = b->offset + value_size((MI_Type)b->type) + 2;
    return a->offset < b_end && b->offset < a_end;
}

/* Sizes and offsets: what must be true before memory is allocated and fields are written. Overlaps
 * are looked for only where the fields are not in order, which generators never do, so this is
 * linear in practice. */
const char *decl_layout_fault(const MI_ClassDecl *decl)
{
    size_t end = sizeof(MI_Instance);

    if (decl == NULL) {
        return "no declaration";
    }
    if (decl->name == NULL) {
        return "no name";
    }
    if (decl->size < sizeof(MI_Instance) || decl->size > DECL_MAX_SIZE) {
        return "absurd size";
    }
    if (decl->numProperties > DECL_MAX_ELEMENTS) {
        return "too many elements";
    }
    if (decl->numProperties > 0 && decl->properties == NULL) {
        return "elements missing";
    }
    for (MI_Uint32 i = 0; i < decl->numProperties; i++) {
        const MI_PropertyDecl *property = decl->properties[i];
        const char *fault = element_fault(decl, property);
        if (fault != NULL) {
            return fault;
        }
        if (decl_has_no_place(decl, property)) {
            continue;
        }
        /* Generators lay fields out in order; only where they do not, all pairs are compared. */
        if (property->offset >= end) {
            end = property->offset + value_size((MI_Type)property->type) + 2;
            continue;
        }
        for (MI_Uint32 k = 0; k < i; k++) {
            if (overlaps(decl->properties[k], property)) {
                return "elements overlap";
            }
        }
    }
    return NULL;
}

/* Names that could not be addressed from CIM, or not without ambiguity. */
static const char *names_fault(const MI_ClassDecl *decl)
{
    if (!decl_name_legal(decl->name)) {
        return "name is not a CIM identifier";
    }
    for (MI_Uint32 i = 0; i < decl->numProperties; i++) {
        if (!decl_name_legal(decl->properties[i]->name)) {
            return "element name is not a CIM identifier";
        }
        for (MI_Uint32 k = 0; k < i; k++) {
            if (decl_name_equal(decl->properties[i]->name, decl->properties[k]->name)) {
                return "two elements of one name";
            }
        }
    }
    return NULL;
}

/* Qualifier values are trusted to be as large as their type says; a pointer cannot be checked for
 * that. */
static const char *qualifiers_fault(const MI_Qualifier *const *qualifiers, MI_Uint32 count)
{
    if (count > DECL_MAX_ELEMENTS) {
        return "too many qualifiers";
    }
    if (count > 0 && qualifiers == NULL) {
        return "qualifiers missing";
    }
    for (MI_Uint32 i = 0; i < count; i++) {
        if (qualifiers[i] == NULL || qualifiers[i]->name == NULL) {
            return "qualifier without a name";
        }
        if (value_size((MI_Type)qualifiers[i]->type) == 0) {
            return "qualifier of an unknown type";
        }
    }
    return NULL;
}

/* The common head of class and method declarations: layout, names, qualifiers. */
static const char *object_fault(const MI_ClassDecl *decl)
{
    const char *fault = decl_layout_fault(decl);
    if (fault == NULL) {
        fault = names_fault(decl);
    }
    if (fault == NULL) {
        fault = qualifiers_fault(decl->qualifiers, decl->numQualifiers);
    }
    for (MI_Uint32 i = 0; fault == NULL && i < decl->numProperties; i++) {
        fault =
            qualifiers_fault(decl->properties[i]->qualifiers, decl->properties[i]->numQualifiers);
    }
    return fault;
}

/* Parameters are checked like properties; their declarations agree in the members that are read. */
const char *decl_method_fault(const MI_MethodDecl *method)
{
    if (method == NULL) {
        return "no declaration";
    }
    if ((method->flags & MI_FLAG_METHOD) == 0) {
        return "method without the method flag";
    }
    /* The two declarations agree up to `size`, and object_fault() reads no further. */
    return object_fault((const MI_ClassDecl *)(const void *)method);
}

/* The chain must end: a cycle would make every walk along it endless. */
static const char *superclass_fault(const MI_ClassDecl *decl)
{
    unsigned depth = 0;

    for (const MI_ClassDecl *at = decl->superClassDecl; at != NULL; at = at->superClassDecl) {
        if (++depth >= DECL_MAX_DEPTH) {
            return "superclasses without end";
        }
        if (decl_is_method(at)) {
            return "superclass is a method";
        }
        if (at->name == NULL) {
            return "superclass without a name";
        }
    }
    return NULL;
}

/* Each method as decl_method_fault() sees it. */
static const char *methods_fault(const MI_ClassDecl *decl)
{
    if (decl->numMethods > DECL_MAX_ELEMENTS) {
        return "too many methods";
    }
    if (decl->numMethods > 0 && decl->methods == NULL) {
        return "methods missing";
    }
    for (MI_Uint32 i = 0; i < decl->numMethods; i++) {
        const char *fault = decl_method_fault(decl->methods[i]);
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

/* Layout first: the later checks read names and lists that it has found to be there. */
const char *decl_fault(const MI_ClassDecl *decl)
{
    if (decl == NULL) {
        return "no declaration";
    }
    if (decl_is_method(decl)) {
        return "class with the method flag";
    }
    const char *fault = object_fault(decl);
    if (fault == NULL) {
        fault = superclass_fault(decl);
    }
    if (fault == NULL) {
        fault = methods_fault(decl);
    }
    return fault;
}
