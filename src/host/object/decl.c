/* SPDX-License-Identifier: MIT */
/*
 * Reading declarations: names, flattened elements, look-ups.
 *
 * A declaration comes from a module, so each reader checks what it uses: decl_fault() runs when a
 * module is loaded, but instances also arrive with declarations that were never checked.
 *
 * Lengths are limited to DECL_MAX_ELEMENTS and chains to DECL_MAX_DEPTH, and look-ups compare names
 * without regard to case and without the `code` of a declaration. Nothing here allocates or locks:
 * any thread may read a declaration at any time, since modules do not change theirs.
 */
#include "host/object/object.h"

#include <string.h>

#include "base/utf8.h"
#include "host/object/instance_internal.h"

/* Not tolower(3): that depends on the locale, where a Turkish "I" would change what a name
 * equals. */
static unsigned char lower(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte - 'A' + 'a') : byte;
}

MI_Uint32 decl_name_code(const char *name)
{
    size_t length = name == NULL ? 0 : strlen(name);

    if (length == 0) {
        return 0;
    }
    return (MI_Uint32)lower(name[0]) << 16 | (MI_Uint32)lower(name[length - 1]) << 8 |
           (MI_Uint32)(length & 0xFF);
}

/* ASCII folding only: CIM names are compared without regard to any locale. */
bool decl_name_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return false;
    }
    while (lower(*a) == lower(*b)) {
        if (*a == '\0') {
            return true;
        }
        a++;
        b++;
    }
    return false;
}

/* DSP0004, annex F: a letter, an underscore or a character beyond ASCII, then also digits. Text in
 * this host is UTF-8, so bytes that are not are no character. */
bool decl_name_legal(const char *name)
{
    const size_t length = name == NULL ? 0 : strlen(name);
    uint32_t code = 0;

    for (size_t at = 0, step; at < length; at += step) {
        step = utf8_next(name + at, length - at, &code);
        const bool letter = (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');
        const bool digit = code >= '0' && code <= '9';
        if (step == 0 || !(letter || code == '_' || code >= 0x80 || (digit && at > 0))) {
            return false;
        }
    }
    return length > 0;
}

/* Also for a method's declaration: its parameters stand where a class has its properties. */
MI_Uint32 decl_element_count(const MI_ClassDecl *decl)
{
    if (decl == NULL || decl->properties == NULL || decl->numProperties > DECL_MAX_ELEMENTS) {
        return 0;
    }
    return decl->numProperties;
}

/* The check is the same as in decl_fault(), since an instance may come with a declaration that was
 * never loaded through a module. It makes sure that value, `exists` and `flags` lie inside the
 * instance, so that no reader needs to. */
bool decl_element_at(const MI_ClassDecl *decl, MI_Uint32 index, struct decl_element *ret_element)
{
    if (index >= decl_element_count(decl)) {
        return false;
    }
    const MI_PropertyDecl *property = decl->properties[index];
    if (property == NULL || property->name == NULL) {
        return false;
    }
    size_t size = value_size((MI_Type)property->type);
    /* The value is followed by the two bytes `exists` and `flags`. */
    if (size == 0 || property->offset < sizeof(MI_Instance) || property->offset > decl->size ||
        decl->size - property->offset < size + 2) {
        return false;
    }
    *ret_element = (struct decl_element){
        .name = property->name,
        .flags = property->flags,
        .type = (MI_Type)property->type,
        .offset = property->offset,
        .class_name = property->className,
        /* A parameter's declaration ends at 48 bytes, before `value` (MI_ParameterDecl). */
        .default_value = decl_is_method(decl) ? NULL : property->value,
    };
    return true;
}

/*
 * `code` is meant to speed this up. It is not used: a code that a generator got wrong would hide
 * the element, and comparing two names usually ends at the first character anyway.
 */
bool decl_element_find(const MI_ClassDecl *decl, const char *name, MI_Uint32 *ret_index)
{
    struct decl_element element;
    MI_Uint32 count = decl_element_count(decl);

    if (name == NULL) {
        return false;
    }
    for (MI_Uint32 i = 0; i < count; i++) {
        if (decl_element_at(decl, i, &element) && decl_name_equal(element.name, name)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* Linear: a schema has tens of classes, and a request looks for one or two. The first of two
 * classes with one name is found. */
const MI_ClassDecl *decl_class_find(const MI_SchemaDecl *schema, const char *name)
{
    if (schema == NULL || schema->classDecls == NULL || name == NULL) {
        return NULL;
    }
    for (MI_Uint32 i = 0; i < schema->numClassDecls; i++) {
        const MI_ClassDecl *decl = schema->classDecls[i];
        if (decl != NULL && decl_name_equal(decl->name, name)) {
            return decl;
        }
    }
    return NULL;
}

/* A method's declaration has no member `methods`. */
const MI_MethodDecl *decl_method_find(const MI_ClassDecl *decl, const char *name)
{
    if (decl == NULL || name == NULL || decl_is_method(decl) || decl->methods == NULL ||
        decl->numMethods > DECL_MAX_ELEMENTS) {
        return NULL;
    }
    for (MI_Uint32 i = 0; i < decl->numMethods; i++) {
        const MI_MethodDecl *method = decl->methods[i];
        if (method != NULL && decl_name_equal(method->name, name)) {
            return method;
        }
    }
    return NULL;
}

const MI_ParameterDecl *decl_stream_find(const MI_MethodDecl *method, const char *name)
{
    for (MI_Uint32 i = 0; i < method->numParameters; i++) {
        const MI_ParameterDecl *parameter = method->parameters[i];
        if (parameter != NULL && (parameter->flags & MI_FLAG_STREAM) != 0 &&
            decl_name_equal(parameter->name, name)) {
            return parameter;
        }
    }
    return NULL;
}

/* The depth ends a chain that leads back to itself. */
bool decl_derives_from(const MI_ClassDecl *decl, const char *name)
{
    for (unsigned depth = 0; decl != NULL && depth < DECL_MAX_DEPTH; depth++) {
        if (decl_is_method(decl)) {
            return false;
        }
        if (decl_name_equal(decl->name, name)) {
            return true;
        }
        /* A superclass that the module names without declaring it counts, too. */
        if (decl->superClassDecl == NULL) {
            return decl_name_equal(decl->superClass, name);
        }
        decl = decl->superClassDecl;
    }
    return false;
}
