/* SPDX-License-Identifier: MIT */
/*
 * Whether a query fits a class, before any provider is asked: a client learns of its mistake by an
 * error, and not by an empty answer.
 */
#include "host/query/tree.h"

#include <string.h>

#include "host/object/object.h"

/* The declaration of a property of the class. */
static bool find_property(const MI_ClassDecl *decl, const char *name,
                          struct decl_element *ret_element)
{
    MI_Uint32 index = 0;

    return decl_element_find(decl, name, &index) && decl_element_at(decl, index, ret_element);
}

/* The kind of what a property of this type holds; false for one that no condition may use. */
static bool kind_of_type(MI_Type type, enum operand_kind *ret_kind)
{
    switch (type) {
    case MI_BOOLEAN:
        *ret_kind = OPERAND_BOOLEAN;
        return true;
    case MI_UINT8:
    case MI_SINT8:
    case MI_UINT16:
    case MI_SINT16:
    case MI_UINT32:
    case MI_SINT32:
    case MI_UINT64:
    case MI_SINT64:
    case MI_CHAR16:
        *ret_kind = OPERAND_INTEGER;
        return true;
    case MI_REAL32:
    case MI_REAL64:
        *ret_kind = OPERAND_REAL;
        return true;
    case MI_STRING:
    case MI_DATETIME:
        *ret_kind = OPERAND_TEXT;
        return true;
    default:
        return false; /* an array, a reference, an embedded instance as a whole */
    }
}

/* What is inside of an embedded instance is known with the instance only. */
static bool kind_of(const MI_ClassDecl *decl, const struct operand *operand,
                    enum operand_kind *ret_kind)
{
    struct decl_element element;

    *ret_kind = operand->kind;
    if (operand->kind != OPERAND_PROPERTY) {
        return true;
    }
    if (!find_property(decl, operand->text, &element)) {
        return false;
    }
    if (operand->inner != NULL) {
        *ret_kind = OPERAND_ANY;
        return element.type == MI_INSTANCE;
    }
    return kind_of_type(element.type, ret_kind);
}

/* Whether a text of the query can be read as a value of the kind. */
static bool converts(const struct operand *text, enum operand_kind kind)
{
    const struct operand other = {.kind = kind};
    bool ignored = false;

    return text->kind == OPERAND_TEXT && wql_compare(COMPARE_EQ, text, &other, &ignored);
}

static bool check_comparison(const MI_ClassDecl *decl, const struct condition *condition)
{
    enum operand_kind left = OPERAND_NULL, right = OPERAND_NULL;

    if (!kind_of(decl, &condition->left, &left) || !kind_of(decl, &condition->right, &right)) {
        return false;
    }
    bool ordered = condition->comparison != COMPARE_EQ && condition->comparison != COMPARE_NE &&
                   condition->comparison != COMPARE_LIKE;
    if (left == OPERAND_NULL || right == OPERAND_NULL) {
        return !ordered;
    }
    if (left == OPERAND_ANY || right == OPERAND_ANY || left == right ||
        condition->comparison == COMPARE_LIKE) {
        return true;
    }
    return converts(&condition->left, right) || converts(&condition->right, left);
}

/* Only an embedded instance has a class of its own. */
static bool check_isa(const MI_ClassDecl *decl, const struct condition *condition)
{
    struct decl_element element;

    return find_property(decl, condition->left.text, &element) && element.type == MI_INSTANCE;
}

/* The conditions lie in one array, so no walk through the tree is needed. */
MI_Result wql_check(const struct wql *query, const MI_ClassDecl *decl)
{
    struct decl_element element;
    bool good = true;

    for (unsigned i = 0; good && i < query->property_count; i++) {
        good = find_property(decl, query->properties[i], &element);
    }
    for (unsigned i = 0; good && i < query->condition_count; i++) {
        const struct condition *condition = &query->conditions[i];
        good = condition->kind == CONDITION_COMPARE ? check_comparison(decl, condition)
               : condition->kind == CONDITION_ISA   ? check_isa(decl, condition)
                                                    : true;
    }
    return good ? MI_RESULT_OK : MI_RESULT_INVALID_QUERY;
}
