/* SPDX-License-Identifier: MIT */
/*
 * Qualifier sets and parameter sets: windows on a declaration.
 *
 * Their structs are in the caller's memory and have no function that ends them, so they own
 * nothing: reserved1 points to what they show, reserved2 is its count.
 *
 * The declaration was checked by decl_fault() when its class was made, so lists, names and types
 * need no check here. A set that outlives its class reads freed memory, as MI.h warns of for all
 * borrowed values.
 */
#include "host/object/object.h"

#include "host/object/instance_internal.h"

/* NULL beyond the end. The list was checked by decl_fault() when its class was made. */
static const MI_Qualifier *qualifier_at(const MI_QualifierSet *self, MI_Uint32 index)
{
    const MI_Qualifier *const *list = (const MI_Qualifier *const *)(uintptr_t)self->reserved1;

    return index < (MI_Uint32)self->reserved2 ? list[index] : NULL;
}

/* GetQualifierCount. */
static MI_Result qualifier_count(const MI_QualifierSet *self, MI_Uint32 *count)
{
    if (self == NULL || count == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *count = (MI_Uint32)self->reserved2;
    return MI_RESULT_OK;
}

/* The outputs of both getters, each optional. A qualifier without a value is reported as NULL. */
static void give_qualifier(const MI_Qualifier *qualifier, MI_Type *type, MI_Uint32 *flags,
                           MI_Value *value)
{
    MI_Type of = (MI_Type)qualifier->type;

    if (type != NULL) {
        *type = of;
    }
    if (flags != NULL) {
        *flags = qualifier->flavor | (qualifier->value == NULL ? MI_FLAG_NULL : 0);
    }
    if (value != NULL && qualifier->value == NULL) {
        memset(value, 0, value_size(of));
    } else if (value != NULL) {
        memcpy(value, qualifier->value, value_size(of));
    }
}

/* GetQualifierAt: INVALID_PARAMETER beyond the end. */
static MI_Result get_qualifier_at(const MI_QualifierSet *self, MI_Uint32 index,
                                  const MI_Char **name, MI_Type *type, MI_Uint32 *flags,
                                  MI_Value *value)
{
    const MI_Qualifier *qualifier = self == NULL ? NULL : qualifier_at(self, index);

    if (qualifier == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (name != NULL) {
        *name = qualifier->name;
    }
    give_qualifier(qualifier, type, flags, value);
    return MI_RESULT_OK;
}

/* GetQualifier: by name; NOT_FOUND when the declaration does not have it. */
static MI_Result get_qualifier(const MI_QualifierSet *self, const MI_Char *name, MI_Type *type,
                               MI_Uint32 *flags, MI_Value *value, MI_Uint32 *index)
{
    if (self == NULL || name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    for (MI_Uint32 i = 0; i < (MI_Uint32)self->reserved2; i++) {
        const MI_Qualifier *qualifier = qualifier_at(self, i);
        if (!decl_name_equal(qualifier->name, name)) {
            continue;
        }
        give_qualifier(qualifier, type, flags, value);
        if (index != NULL) {
            *index = i;
        }
        return MI_RESULT_OK;
    }
    return MI_RESULT_NOT_FOUND;
}

static const MI_QualifierSetFT qualifier_set_ft = {
    .GetQualifierCount = qualifier_count,
    .GetQualifierAt = get_qualifier_at,
    .GetQualifier = get_qualifier,
};

/* Without a list the count is 0, whatever the caller says. */
void qualifier_set_fill(MI_QualifierSet *set, const MI_Qualifier *const *qualifiers,
                        MI_Uint32 count)
{
    if (set != NULL) {
        *set = (MI_QualifierSet){
            .reserved1 = (MI_Uint64)(uintptr_t)qualifiers,
            .reserved2 = qualifiers == NULL ? 0 : (ptrdiff_t)count,
            .ft = &qualifier_set_ft,
        };
    }
}

/* The declaration that the handle names. */
static const MI_MethodDecl *method_of(const MI_ParameterSet *self)
{
    return (const MI_MethodDecl *)(uintptr_t)self->reserved1;
}

/* Generated declarations list the return value as a parameter of this name. GetMethodReturnType
 * reports it; it is not a parameter of the CIM method. */
static bool is_return_value(const MI_ParameterDecl *parameter)
{
    return decl_name_equal(parameter->name, "MIReturn");
}

/* GetMethodReturnType: the qualifiers of the return value are those of the parameter that stands
 * for it. */
static MI_Result get_return_type(const MI_ParameterSet *self, MI_Type *type,
                                 MI_QualifierSet *qualifiers)
{
    if (self == NULL || type == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const MI_MethodDecl *method = method_of(self);
    *type = (MI_Type)method->returnType;
    qualifier_set_fill(qualifiers, NULL, 0);
    for (MI_Uint32 i = 0; i < method->numParameters; i++) {
        if (is_return_value(method->parameters[i])) {
            qualifier_set_fill(qualifiers, method->parameters[i]->qualifiers,
                               method->parameters[i]->numQualifiers);
        }
    }
    return MI_RESULT_OK;
}

/* The index-th parameter, or the one called name when that is not NULL. *index becomes its position
 * without the return value, or the number of all parameters when it is not found, which
 * parameter_count() uses. */
static const MI_ParameterDecl *find_parameter(const MI_MethodDecl *method, const char *name,
                                              MI_Uint32 *index)
{
    MI_Uint32 count = 0;

    for (MI_Uint32 i = 0; i < method->numParameters; i++) {
        const MI_ParameterDecl *parameter = method->parameters[i];
        if (is_return_value(parameter)) {
            continue;
        }
        if (name == NULL ? count == *index : decl_name_equal(parameter->name, name)) {
            *index = count;
            return parameter;
        }
        count++;
    }
    *index = count;
    return NULL;
}

/* GetParameterCount: without the return value, so that positions agree with those of the CIM
 * method. */
static MI_Result parameter_count(const MI_ParameterSet *self, MI_Uint32 *count)
{
    MI_Uint32 parameters = UINT32_MAX; /* beyond the last: the search counts them all */

    if (self == NULL || count == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    (void)find_parameter(method_of(self), NULL, &parameters);
    *count = parameters;
    return MI_RESULT_OK;
}

/* The common outputs of both getters, each optional. */
static void give_parameter(const MI_ParameterDecl *parameter, MI_Type *type,
                           MI_Char **reference_class, MI_QualifierSet *qualifiers)
{
    if (type != NULL) {
        *type = (MI_Type)parameter->type;
    }
    if (reference_class != NULL) {
        *reference_class = (MI_Char *)(uintptr_t)parameter->className;
    }
    qualifier_set_fill(qualifiers, parameter->qualifiers, parameter->numQualifiers);
}

/* GetParameterAt: INVALID_PARAMETER beyond the end; the position does not count the return
 * value. */
static MI_Result get_parameter_at(const MI_ParameterSet *self, MI_Uint32 index,
                                  const MI_Char **name, MI_Type *type, MI_Char **reference_class,
                                  MI_QualifierSet *qualifiers)
{
    const MI_ParameterDecl *parameter =
        self == NULL ? NULL : find_parameter(method_of(self), NULL, &index);

    if (parameter == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (name != NULL) {
        *name = parameter->name;
    }
    give_parameter(parameter, type, reference_class, qualifiers);
    return MI_RESULT_OK;
}

/* GetParameter: by name; NO_SUCH_PROPERTY when it is not found or is the return value. */
static MI_Result get_parameter(const MI_ParameterSet *self, const MI_Char *name, MI_Type *type,
                               MI_Char **reference_class, MI_QualifierSet *qualifiers,
                               MI_Uint32 *index)
{
    MI_Uint32 found = 0;

    if (self == NULL || name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const MI_ParameterDecl *parameter = find_parameter(method_of(self), name, &found);
    if (parameter == NULL) {
        return MI_RESULT_NO_SUCH_PROPERTY;
    }
    give_parameter(parameter, type, reference_class, qualifiers);
    if (index != NULL) {
        *index = found;
    }
    return MI_RESULT_OK;
}

static const MI_ParameterSetFT parameter_set_ft = {
    .GetMethodReturnType = get_return_type,
    .GetParameterCount = parameter_count,
    .GetParameterAt = get_parameter_at,
    .GetParameter = get_parameter,
};

/* method must outlive the set. */
void parameter_set_fill(MI_ParameterSet *set, const MI_MethodDecl *method)
{
    if (set != NULL) {
        *set = (MI_ParameterSet){
            .reserved1 = (MI_Uint64)(uintptr_t)method,
            .reserved2 = 0,
            .ft = &parameter_set_ft,
        };
    }
}
