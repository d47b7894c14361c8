/* SPDX-License-Identifier: MIT */
/*
 * Whether an instance fulfils a condition.
 *
 * A condition is true, false, or cannot be decided. All conditions of an AND or OR are looked at,
 * so that the answer does not depend on their order. The recursion is as deep as the query, which
 * its parser has limited.
 */
#include "host/query/tree.h"

#include <string.h>
#include <strings.h>

#include "host/object/object.h"

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_ERROR };

/* ---- comparison ------------------------------------------------------------------------ */

/* A text becomes the kind of the other side; false when it is no such value. */
static bool convert_text(struct operand *operand, enum operand_kind kind)
{
    MI_Boolean boolean = MI_FALSE;
    bool negative = operand->text[0] == '-';
    bool good = false;

    switch (kind) {
    case OPERAND_BOOLEAN:
        good = value_from_text(MI_BOOLEAN, operand->text, &boolean) == MI_RESULT_OK;
        operand->boolean = boolean != MI_FALSE;
        break;
    case OPERAND_INTEGER: {
        MI_Sint64 below = 0;
        MI_Uint64 value = 0;
        good = value_from_text(negative ? MI_SINT64 : MI_UINT64, operand->text,
                               negative ? (void *)&below : (void *)&value) == MI_RESULT_OK;
        operand->integer = negative ? (struct integer){below < 0, 0 - (uint64_t)below}
                                    : (struct integer){false, value};
        break;
    }
    case OPERAND_REAL:
        good = value_from_text(MI_REAL64, operand->text, &operand->real) == MI_RESULT_OK;
        break;
    default:
        break;
    }
    operand->kind = kind;
    return good;
}

/* Less than 0, 0, or greater. */
static int order_integers(struct integer left, struct integer right)
{
    int order = (left.magnitude > right.magnitude) - (left.magnitude < right.magnitude);

    if (left.negative != right.negative) {
        return left.negative ? -1 : 1;
    }
    return left.negative ? -order : order;
}

/* NaN is in no order with anything: then *ret_order is not 0 and every "less" and "greater" must be
 * false, which the caller ensures. */
static int order_reals(double left, double right)
{
    return (left > right) - (left < right);
}

/* What the comparison says about an order. */
static bool fits(enum comparison comparison, int order)
{
    switch (comparison) {
    case COMPARE_EQ:
        return order == 0;
    case COMPARE_NE:
        return order != 0;
    case COMPARE_LT:
        return order < 0;
    case COMPARE_LE:
        return order <= 0;
    case COMPARE_GT:
        return order > 0;
    case COMPARE_GE:
        return order >= 0;
    default:
        return false;
    }
}

/* = and LIKE are true when both are NULL, <> when one is; an order with NULL is an error. */
static bool compare_null(enum comparison comparison, bool both, bool *ret_true)
{
    *ret_true = comparison == COMPARE_NE ? !both : both;
    return comparison == COMPARE_EQ || comparison == COMPARE_NE || comparison == COMPARE_LIKE;
}

/* Two values of one kind. */
static bool compare_equal_kinds(enum comparison comparison, const struct operand *left,
                                const struct operand *right, bool *ret_true)
{
    int order = 0;

    switch (left->kind) {
    case OPERAND_BOOLEAN:
        order = (int)left->boolean - (int)right->boolean;
        break;
    case OPERAND_INTEGER:
        order = order_integers(left->integer, right->integer);
        break;
    case OPERAND_REAL:
        if (left->real != left->real || right->real != right->real) { /* NaN equals nothing */
            *ret_true = comparison == COMPARE_NE;
            return true;
        }
        order = order_reals(left->real, right->real);
        break;
    case OPERAND_TEXT:
        order = strcasecmp(left->text, right->text);
        break;
    default:
        return false;
    }
    *ret_true = fits(comparison, order);
    return true;
}

bool wql_compare(enum comparison comparison, const struct operand *left,
                 const struct operand *right, bool *ret_true)
{
    struct operand one = *left, other = *right;

    *ret_true = false;
    if (one.kind == OPERAND_NULL || other.kind == OPERAND_NULL) {
        return compare_null(comparison, one.kind == other.kind, ret_true);
    }
    if (comparison == COMPARE_LIKE) {
        *ret_true = one.kind == OPERAND_TEXT && other.kind == OPERAND_TEXT &&
                    wql_like(one.text, other.text);
        return true;
    }
    if (one.kind != other.kind && one.kind == OPERAND_TEXT && !convert_text(&one, other.kind)) {
        return false;
    }
    if (one.kind != other.kind && other.kind == OPERAND_TEXT && !convert_text(&other, one.kind)) {
        return false;
    }
    return one.kind == other.kind && compare_equal_kinds(comparison, &one, &other, ret_true);
}

/* ---- properties ------------------------------------------------------------------------ */

/* A datetime as its text needs room, which lasts as long as the comparison. */
struct room {
    char text[26];
};

static struct integer signed_integer(int64_t value)
{
    return (struct integer){value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value};
}

/* The integers of all widths; false for another type. */
static bool integer_operand(MI_Type type, const MI_Value *value, struct integer *ret_integer)
{
    switch (type) {
    case MI_UINT8:
        *ret_integer = (struct integer){false, value->uint8};
        return true;
    case MI_SINT8:
        *ret_integer = signed_integer(value->sint8);
        return true;
    case MI_UINT16:
    case MI_CHAR16:
        *ret_integer = (struct integer){false, value->uint16};
        return true;
    case MI_SINT16:
        *ret_integer = signed_integer(value->sint16);
        return true;
    case MI_UINT32:
        *ret_integer = (struct integer){false, value->uint32};
        return true;
    case MI_SINT32:
        *ret_integer = signed_integer(value->sint32);
        return true;
    case MI_UINT64:
        *ret_integer = (struct integer){false, value->uint64};
        return true;
    case MI_SINT64:
        *ret_integer = signed_integer(value->sint64);
        return true;
    default:
        return false;
    }
}

/* Arrays, references and embedded instances have no value to compare. */
static bool value_operand(MI_Type type, const MI_Value *value, struct room *room,
                          struct operand *operand)
{
    *operand = (struct operand){.kind = OPERAND_INTEGER};
    if (integer_operand(type, value, &operand->integer)) {
        return true;
    }
    switch (type) {
    case MI_BOOLEAN:
        operand->kind = OPERAND_BOOLEAN;
        operand->boolean = value->boolean != MI_FALSE;
        return true;
    case MI_REAL32:
        operand->kind = OPERAND_REAL;
        operand->real = (double)value->real32;
        return true;
    case MI_REAL64:
        operand->kind = OPERAND_REAL;
        operand->real = value->real64;
        return true;
    case MI_STRING:
        operand->kind = OPERAND_TEXT;
        operand->text = value->string;
        return value->string != NULL;
    case MI_DATETIME:
        operand->kind = OPERAND_TEXT;
        operand->text = room->text;
        return value_datetime_text(&value->datetime, room->text);
    default:
        return false;
    }
}

/* The embedded instance in a property, of this class if one is given; NULL when it is not there. */
static const MI_Instance *embedded(const MI_Instance *instance, const struct operand *property)
{
    MI_Uint32 flags = 0;
    MI_Value value;
    MI_Type type;

    if (instance_element_find(instance, property->text, &value, &type, &flags) != MI_RESULT_OK ||
        type != MI_INSTANCE || (flags & MI_FLAG_NULL) != 0 || value.instance == NULL) {
        return NULL;
    }
    bool wanted = property->class_name == NULL ||
                  decl_derives_from(value.instance->classDecl, property->class_name);
    return wanted ? value.instance : NULL;
}

/* Replaces a property by its value; everything else is one already. */
static bool resolve(const MI_Instance *instance, const struct operand *operand, struct room *room,
                    struct operand *ret_value)
{
    const char *name = operand->text;
    MI_Uint32 flags = 0;
    MI_Value value;
    MI_Type type;

    if (operand->kind != OPERAND_PROPERTY) {
        *ret_value = *operand;
        return true;
    }
    if (operand->inner != NULL) {
        instance = embedded(instance, operand);
        name = operand->inner;
    }
    if (instance == NULL ||
        instance_element_find(instance, name, &value, &type, &flags) != MI_RESULT_OK) {
        return false;
    }
    if ((flags & MI_FLAG_NULL) != 0) {
        *ret_value = (struct operand){.kind = OPERAND_NULL};
        return true;
    }
    return value_operand(type, &value, room, ret_value);
}

/* ---- conditions ------------------------------------------------------------------------ */

static enum answer match_comparison(const struct condition *condition, const MI_Instance *instance)
{
    struct operand left, right;
    struct room left_room, right_room;
    bool is_true = false;

    if (!resolve(instance, &condition->left, &left_room, &left) ||
        !resolve(instance, &condition->right, &right_room, &right) ||
        !wql_compare(condition->comparison, &left, &right, &is_true)) {
        return ANSWER_ERROR;
    }
    return is_true ? ANSWER_YES : ANSWER_NO;
}

/* Whether what is embedded is of the class or derives from it. */
static enum answer match_isa(const struct condition *condition, const MI_Instance *instance)
{
    const MI_Instance *inner = embedded(instance, &condition->left);

    if (inner == NULL) {
        return ANSWER_ERROR;
    }
    return decl_derives_from(inner->classDecl, condition->right.text) ? ANSWER_YES : ANSWER_NO;
}

static enum answer match(const struct condition *condition, const MI_Instance *instance);

/* AND and OR: `ends` is the answer that decides. */
static enum answer match_chain(const struct condition *chain, enum answer ends,
                               const MI_Instance *instance)
{
    bool decided = false;

    for (const struct condition *below = chain->below; below != NULL; below = below->next) {
        enum answer answer = match(below, instance);
        if (answer == ANSWER_ERROR) {
            return ANSWER_ERROR;
        }
        decided |= answer == ends;
    }
    if (decided) {
        return ends;
    }
    return ends == ANSWER_YES ? ANSWER_NO : ANSWER_YES;
}

static enum answer match(const struct condition *condition, const MI_Instance *instance)
{
    enum answer answer = ANSWER_ERROR;

    switch (condition->kind) {
    case CONDITION_AND:
        return match_chain(condition, ANSWER_NO, instance);
    case CONDITION_OR:
        return match_chain(condition, ANSWER_YES, instance);
    case CONDITION_NOT:
        answer = match(condition->below, instance);
        return answer == ANSWER_ERROR ? ANSWER_ERROR
               : answer == ANSWER_YES ? ANSWER_NO
                                      : ANSWER_YES;
    case CONDITION_COMPARE:
        return match_comparison(condition, instance);
    case CONDITION_ISA:
        return match_isa(condition, instance);
    }
    return ANSWER_ERROR;
}

MI_Result wql_match(const struct wql *query, const MI_Instance *instance, bool *ret_match)
{
    enum answer answer = query->where == NULL ? ANSWER_YES : match(query->where, instance);

    *ret_match = answer == ANSWER_YES;
    return answer == ANSWER_ERROR ? MI_RESULT_INVALID_QUERY : MI_RESULT_OK;
}

static const char *isa_class(const struct condition *condition, const char *property)
{
    bool is_isa = condition->kind == CONDITION_ISA;

    return is_isa && decl_name_equal(condition->left.text, property) ? condition->right.text : NULL;
}

const char *wql_isa(const struct wql *query, const char *property)
{
    const struct condition *where = query->where;
    const char *name = where == NULL ? NULL : isa_class(where, property);
    bool is_and = where != NULL && where->kind == CONDITION_AND;

    for (const struct condition *at = is_and ? where->below : NULL; at != NULL && name == NULL;
         at = at->next) {
        name = isa_class(at, property);
    }
    return name;
}
