/* SPDX-License-Identifier: MIT */
/*
 * Classes at run time. Every answer comes from the declaration, which decl_fault() has checked
 * before a class of it is made.
 *
 * The table's slots look at class_is_ours() first, then answer from the declaration: strings,
 * qualifier sets and parameter sets are borrowed from it and valid as long as the class. A class
 * that class_new() made is a heap object with copies of its names; several may share one
 * declaration, which share_declaration() counts where it is a copy.
 */
#include "host/object/object.h"

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* Every slot begins with this: a class of another host has a declaration that was never checked
 * here. */
static bool class_is_ours(const MI_Class *self)
{
    return self != NULL && self->ft == &class_ft && self->classDecl != NULL;
}

const MI_ClassDecl *class_declaration(const MI_Class *self)
{
    return class_is_ours(self) ? self->classDecl : NULL;
}

/* The common end of the three name slots. A NULL name is a legal answer for namespace and
 * server. */
static MI_Result class_give_name(const MI_Class *self, const MI_Char *name,
                                 const MI_Char **ret_name)
{
    if (!class_is_ours(self) || ret_name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_name = name;
    return MI_RESULT_OK;
}

/* GetClassName: as the declaration spells it. */
static MI_Result class_get_name(const MI_Class *self, const MI_Char **ret_name)
{
    return class_is_ours(self) ? class_give_name(self, self->classDecl->name, ret_name)
                               : MI_RESULT_INVALID_PARAMETER;
}

/* GetNameSpace: NULL when the class was made without one. */
static MI_Result class_get_name_space(const MI_Class *self, const MI_Char **ret_name)
{
    return class_is_ours(self) ? class_give_name(self, self->namespaceName, ret_name)
                               : MI_RESULT_INVALID_PARAMETER;
}

/* GetServerName: NULL when the class was made without one. */
static MI_Result class_get_server_name(const MI_Class *self, const MI_Char **ret_name)
{
    return class_is_ours(self) ? class_give_name(self, self->serverName, ret_name)
                               : MI_RESULT_INVALID_PARAMETER;
}

/* GetElementCount: with inherited properties, since the list of a declaration is flattened. */
static MI_Result class_get_element_count(const MI_Class *self, MI_Uint32 *count)
{
    if (!class_is_ours(self) || count == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *count = self->classDecl->numProperties;
    return MI_RESULT_OK;
}

/* GetElementAt: each output is optional. The default value is borrowed from the declaration, and
 * only as many bytes are written as its type has; without a default they are zeroed and
 * *value_exists is false. INVALID_PARAMETER beyond the end. */
static MI_Result class_get_element_at(const MI_Class *self, MI_Uint32 index, const MI_Char **name,
                                      MI_Value *value, MI_Boolean *value_exists, MI_Type *type,
                                      MI_Char **reference_class, MI_QualifierSet *qualifiers,
                                      MI_Uint32 *flags)
{
    if (!class_is_ours(self) || index >= self->classDecl->numProperties) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const MI_PropertyDecl *property = self->classDecl->properties[index];
    MI_Type of = (MI_Type)property->type;
    bool exists = property->value != NULL && !value_is_null(of, property->value);
    if (name != NULL) {
        *name = property->name;
    }
    if (value != NULL && exists) {
        memcpy(value, property->value, value_size(of));
    } else if (value != NULL) {
        memset(value, 0, value_size(of));
    }
    if (value_exists != NULL) {
        *value_exists = exists ? MI_TRUE : MI_FALSE;
    }
    if (type != NULL) {
        *type = of;
    }
    if (reference_class != NULL) {
        *reference_class = (MI_Char *)(uintptr_t)property->className;
    }
    qualifier_set_fill(qualifiers, property->qualifiers, property->numQualifiers);
    if (flags != NULL) {
        *flags = property->flags;
    }
    return MI_RESULT_OK;
}

/* GetElement: by name, without regard to case, with the position as a further output.
 * NO_SUCH_PROPERTY when the class does not have it, inherited properties included. */
static MI_Result class_get_element(const MI_Class *self, const MI_Char *name, MI_Value *value,
                                   MI_Boolean *value_exists, MI_Type *type,
                                   MI_Char **reference_class, MI_QualifierSet *qualifiers,
                                   MI_Uint32 *flags, MI_Uint32 *index)
{
    MI_Uint32 found = 0;

    if (!class_is_ours(self) || name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (!decl_element_find(self->classDecl, name, &found)) {
        return MI_RESULT_NO_SUCH_PROPERTY;
    }
    if (index != NULL) {
        *index = found;
    }
    return class_get_element_at(self, found, NULL, value, value_exists, type, reference_class,
                                qualifiers, flags);
}

/* GetClassQualifierSet: a window on the declaration. */
static MI_Result class_get_qualifier_set(const MI_Class *self, MI_QualifierSet *qualifiers)
{
    if (!class_is_ours(self) || qualifiers == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    qualifier_set_fill(qualifiers, self->classDecl->qualifiers, self->classDecl->numQualifiers);
    return MI_RESULT_OK;
}

/* GetMethodCount: inherited methods count if the declaration lists them. */
static MI_Result class_get_method_count(const MI_Class *self, MI_Uint32 *count)
{
    if (!class_is_ours(self) || count == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *count = self->classDecl->numMethods;
    return MI_RESULT_OK;
}

/* GetMethodAt: the two sets are windows on the declaration, valid as long as the class. */
static MI_Result class_get_method_at(const MI_Class *self, MI_Uint32 index, const MI_Char **name,
                                     MI_QualifierSet *qualifiers, MI_ParameterSet *parameters)
{
    if (!class_is_ours(self) || index >= self->classDecl->numMethods) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const MI_MethodDecl *method = self->classDecl->methods[index];
    if (name != NULL) {
        *name = method->name;
    }
    qualifier_set_fill(qualifiers, method->qualifiers, method->numQualifiers);
    parameter_set_fill(parameters, method);
    return MI_RESULT_OK;
}

/* GetMethod: METHOD_NOT_FOUND rather than NOT_FOUND, which is about instances. */
static MI_Result class_get_method(const MI_Class *self, const MI_Char *name,
                                  MI_QualifierSet *qualifiers, MI_ParameterSet *parameters,
                                  MI_Uint32 *index)
{
    if (!class_is_ours(self) || name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    for (MI_Uint32 i = 0; i < self->classDecl->numMethods; i++) {
        if (!decl_name_equal(self->classDecl->methods[i]->name, name)) {
            continue;
        }
        if (index != NULL) {
            *index = i;
        }
        return class_get_method_at(self, i, NULL, qualifiers, parameters);
    }
    return MI_RESULT_METHOD_NOT_FOUND;
}

/* GetParentClassName: a generated declaration may have the name, the declaration, or both.
 * INVALID_SUPERCLASS for a root class. */
static MI_Result class_get_parent_name(const MI_Class *self, const MI_Char **ret_name)
{
    if (!class_is_ours(self) || ret_name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const MI_ClassDecl *decl = self->classDecl;
    *ret_name = decl->superClass;
    if (decl->superClass == NULL && decl->superClassDecl != NULL) {
        *ret_name = decl->superClassDecl->name;
    }
    return *ret_name == NULL ? MI_RESULT_INVALID_SUPERCLASS : MI_RESULT_OK;
}

/* GetParentClass: a new class, which the caller deletes, with the names of this one. A copied
 * declaration has kept the name of its superclass only, and then, as for a root class, this is
 * INVALID_SUPERCLASS. */
static MI_Result class_get_parent(const MI_Class *self, MI_Class **ret_parent)
{
    if (!class_is_ours(self) || ret_parent == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_parent = NULL;
    if (self->classDecl->superClassDecl == NULL) {
        return MI_RESULT_INVALID_SUPERCLASS;
    }
    return class_new(self->classDecl->superClassDecl, self->namespaceName, self->serverName,
                     ret_parent);
}

/* Frees the struct and its texts, not the declaration, which may be shared. */
static void class_free(MI_Class *self)
{
    base_free((void *)(uintptr_t)self->namespaceName);
    base_free((void *)(uintptr_t)self->serverName);
    base_free(self);
}

/* reserved[0] distinguishes a class that class_new() made from the one inside a copied declaration,
 * which no caller may delete. */
static MI_Result class_delete(MI_Class *self)
{
    if (!class_is_ours(self) || self->reserved[0] != INSTANCE_MARK) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const MI_ClassDecl *decl = self->classDecl;
    self->ft = NULL;
    class_free(self);
    decl_copy_release(decl);
    return MI_RESULT_OK;
}

/* The copy shares the declaration: a static one outlives both, a copied one is counted. */
static MI_Result class_clone(const MI_Class *self, MI_Class **ret_class)
{
    if (!class_is_ours(self) || ret_class == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_class = NULL;
    return class_new(self->classDecl, self->namespaceName, self->serverName, ret_class);
}

const MI_ClassFT class_ft = {
    .GetClassName = class_get_name,
    .GetNameSpace = class_get_name_space,
    .GetServerName = class_get_server_name,
    .GetElementCount = class_get_element_count,
    .GetElement = class_get_element,
    .GetElementAt = class_get_element_at,
    .GetClassQualifierSet = class_get_qualifier_set,
    .GetMethodCount = class_get_method_count,
    .GetMethodAt = class_get_method_at,
    .GetMethod = class_get_method,
    .GetParentClassName = class_get_parent_name,
    .GetParentClass = class_get_parent,
    .Delete = class_delete,
    .Clone = class_clone,
};

/* A declaration that the new class shares: the same one when it is static or already counted, else
 * a copy. */
static MI_Result share_declaration(const MI_ClassDecl *decl, const MI_ClassDecl **ret_decl)
{
    if (decl->owningClass == NULL || decl_is_copy(decl)) {
        decl_copy_hold(decl);
        *ret_decl = decl;
        return MI_RESULT_OK;
    }
    return decl_copy_new(decl, ret_decl);
}

/* decl_fault() runs here once, so that no slot needs to check the declaration again. Everything
 * that can fail comes before *ret_class is set; what was allocated until then is freed. The names
 * are copied, since those of an instance end with it. */
MI_Result class_new(const MI_ClassDecl *decl, const char *name_space, const char *server,
                    MI_Class **ret_class)
{
    if (decl == NULL || ret_class == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (decl_is_method(decl)) {
        return MI_RESULT_NOT_SUPPORTED; /* parameters have a declaration, but no class */
    }
    if (decl_fault(decl) != NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Class *self = base_alloc(1, sizeof(*self));
    if (self == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    self->ft = &class_ft;
    self->reserved[0] = INSTANCE_MARK;
    self->namespaceName = base_copy_text(name_space);
    self->serverName = base_copy_text(server);
    if ((self->namespaceName == NULL && name_space != NULL) ||
        (self->serverName == NULL && server != NULL)) {
        class_free(self);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Result result = share_declaration(decl, &self->classDecl);
    if (result != MI_RESULT_OK) {
        class_free(self);
        return result;
    }
    *ret_class = self;
    return MI_RESULT_OK;
}

/* The owner makes class_new() copy the declaration, which is gone after this call. */
MI_Result class_new_name(const MI_ClassDecl *decl, const char *name_space, MI_Class **ret_class)
{
    const MI_ClassDecl name_only = {
        .flags = decl->flags,
        .code = decl->code,
        .name = decl->name,
        .size = sizeof(MI_Instance),
        .superClass = decl->superClass,
        .owningClass = DECL_DYNAMIC_OWNER,
    };
    return class_new(&name_only, name_space, NULL, ret_class);
}
