/* SPDX-License-Identifier: MIT */
/*
 * From the text of a query to its tree, by recursive descent: one function for each level of the
 * grammar in query.h. Each returns false for a text that is no query.
 *
 * Conditions lie in one array inside the query, so that a query is one block with its texts beside
 * it. AND and OR have any number of conditions below them: a long chain of them has no depth.
 */
#include "host/query/tree.h"

#include <string.h>

#include "base/alloc.h"
#include "host/object/object.h"

struct parser {
    struct wql *query;
    struct lexer lexer;
    unsigned depth;
};

static bool parse_or(struct parser *parser, struct condition **ret_condition);

/* Goes on if the current token is this one. */
static bool accept(struct parser *parser, enum token token)
{
    if (parser->lexer.token != token) {
        return false;
    }
    wql_lexer_next(&parser->lexer);
    return true;
}

/* The name lies in the query's words. */
static bool parse_name(struct parser *parser, const char **ret_name)
{
    *ret_name = parser->lexer.text;
    return accept(parser, TOKEN_NAME);
}

/* NULL at the limit. */
static struct condition *new_condition(struct parser *parser, enum condition_kind kind)
{
    struct wql *query = parser->query;

    if (query->condition_count == WQL_MAX_CONDITIONS) {
        return NULL;
    }
    struct condition *condition = &query->conditions[query->condition_count++];
    *condition = (struct condition){.kind = kind};
    return condition;
}

/* property, property.inner or property.Class::inner */
static bool parse_property(struct parser *parser, struct operand *operand)
{
    *operand = (struct operand){.kind = OPERAND_PROPERTY};
    if (!parse_name(parser, &operand->text)) {
        return false;
    }
    if (!accept(parser, TOKEN_DOT)) {
        return true;
    }
    if (!parse_name(parser, &operand->inner)) {
        return false;
    }
    if (!accept(parser, TOKEN_SCOPE)) {
        return true;
    }
    operand->class_name = operand->inner;
    return parse_name(parser, &operand->inner);
}

static bool parse_operand(struct parser *parser, struct operand *operand)
{
    const struct lexer *lexer = &parser->lexer;

    *operand = (struct operand){.text = lexer->text};
    switch (lexer->token) {
    case TOKEN_TRUE:
    case TOKEN_FALSE:
        operand->kind = OPERAND_BOOLEAN;
        operand->boolean = lexer->token == TOKEN_TRUE;
        break;
    case TOKEN_INTEGER:
        operand->kind = OPERAND_INTEGER;
        operand->integer = lexer->integer;
        break;
    case TOKEN_REAL:
        operand->kind = OPERAND_REAL;
        operand->real = lexer->real;
        break;
    case TOKEN_TEXT:
        operand->kind = OPERAND_TEXT;
        break;
    case TOKEN_NULL:
        operand->kind = OPERAND_NULL;
        break;
    default:
        return parse_property(parser, operand);
    }
    wql_lexer_next(&parser->lexer);
    return true;
}

/* The class is a name, or a string as some clients write it. */
static bool parse_isa(struct parser *parser, struct condition *condition)
{
    enum token token = parser->lexer.token;

    condition->kind = CONDITION_ISA;
    condition->right = (struct operand){.kind = OPERAND_TEXT, .text = parser->lexer.text};
    if (condition->left.kind != OPERAND_PROPERTY || condition->left.inner != NULL ||
        (token == TOKEN_TEXT && !decl_name_legal(condition->right.text))) {
        return false;
    }
    return accept(parser, TOKEN_NAME) || accept(parser, TOKEN_TEXT);
}

static bool parse_comparison(struct parser *parser, struct condition **ret_condition)
{
    struct condition *condition = new_condition(parser, CONDITION_COMPARE);

    if (condition == NULL || !parse_operand(parser, &condition->left)) {
        return false;
    }
    *ret_condition = condition;
    enum token token = parser->lexer.token;
    if (accept(parser, TOKEN_ISA)) {
        return parse_isa(parser, condition);
    }
    if (token == TOKEN_LIKE && parser->query->like_allowed) {
        condition->comparison = COMPARE_LIKE;
    } else if (token >= TOKEN_EQ && token <= TOKEN_GE) {
        condition->comparison = (enum comparison)(COMPARE_EQ + (int)(token - TOKEN_EQ));
    } else {
        return false;
    }
    wql_lexer_next(&parser->lexer);
    return parse_operand(parser, &condition->right);
}

/* The one place where depth grows. */
static bool parse_not(struct parser *parser, struct condition **ret_condition)
{
    bool good = false;

    if (parser->depth == WQL_MAX_DEPTH) {
        return false;
    }
    parser->depth++;
    if (accept(parser, TOKEN_NOT)) {
        struct condition *condition = new_condition(parser, CONDITION_NOT);
        good = condition != NULL && parse_not(parser, &condition->below);
        *ret_condition = condition;
    } else if (accept(parser, TOKEN_OPEN)) {
        good = parse_or(parser, ret_condition) && accept(parser, TOKEN_CLOSE);
    } else {
        good = parse_comparison(parser, ret_condition);
    }
    parser->depth--;
    return good;
}

/* One level: conditions with this word between them, each read by `closer`. */
static bool parse_chain(struct parser *parser, enum token word, enum condition_kind kind,
                        bool (*closer)(struct parser *, struct condition **),
                        struct condition **ret_condition)
{
    if (!closer(parser, ret_condition)) {
        return false;
    }
    if (parser->lexer.token != word) {
        return true;
    }
    struct condition *chain = new_condition(parser, kind);
    if (chain == NULL) {
        return false;
    }
    chain->below = *ret_condition;
    struct condition **end = &chain->below->next;
    *ret_condition = chain;
    while (accept(parser, word)) {
        if (!closer(parser, end)) {
            return false;
        }
        end = &(*end)->next;
    }
    return true;
}

static bool parse_and(struct parser *parser, struct condition **ret_condition)
{
    return parse_chain(parser, TOKEN_AND, CONDITION_AND, parse_not, ret_condition);
}

static bool parse_or(struct parser *parser, struct condition **ret_condition)
{
    return parse_chain(parser, TOKEN_OR, CONDITION_OR, parse_and, ret_condition);
}

/* "*", which leaves the list empty, or names. */
static bool parse_selection(struct parser *parser)
{
    struct wql *query = parser->query;

    if (accept(parser, TOKEN_STAR)) {
        return true;
    }
    do {
        if (query->property_count == WQL_MAX_PROPERTIES ||
            !parse_name(parser, &query->properties[query->property_count])) {
            return false;
        }
        query->property_count++;
    } while (accept(parser, TOKEN_COMMA));
    return true;
}

static bool parse_query(struct wql *query)
{
    struct parser parser = {.query = query};

    wql_lexer_begin(&parser.lexer, query->words);
    if (!accept(&parser, TOKEN_SELECT) || !parse_selection(&parser) ||
        !accept(&parser, TOKEN_FROM) || !parse_name(&parser, &query->class_name)) {
        return false;
    }
    if (accept(&parser, TOKEN_WHERE) && !parse_or(&parser, &query->where)) {
        return false;
    }
    return parser.lexer.token == TOKEN_END;
}

void wql_free(struct wql *query)
{
    if (query == NULL) {
        return;
    }
    base_free(query->language);
    base_free(query->text);
    base_free(query->words);
    base_free(query);
}

static MI_Result read_query(struct wql *query, const char *language, const char *text)
{
    query->language = base_copy_text(language);
    query->text = base_copy_text(text);
    query->words = base_copy_text(text);
    if (query->language == NULL || query->text == NULL || query->words == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    query->like_allowed = decl_name_equal(language, MI_QUERY_DIALECT_WQL);
    return parse_query(query) ? MI_RESULT_OK : MI_RESULT_INVALID_QUERY;
}

MI_Result wql_new(const char *language, const char *text, struct wql **ret_query)
{
    if (language == NULL || text == NULL || ret_query == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (!decl_name_equal(language, MI_QUERY_DIALECT_WQL) &&
        !decl_name_equal(language, MI_QUERY_DIALECT_CQL) &&
        !decl_name_equal(language, "DMTF:CQL")) {
        return MI_RESULT_QUERY_LANGUAGE_NOT_SUPPORTED;
    }
    if (strnlen(text, WQL_MAX_LENGTH + 1) > WQL_MAX_LENGTH) {
        return MI_RESULT_INVALID_QUERY;
    }
    struct wql *query = base_alloc(1, sizeof(*query));
    if (query == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Result result = read_query(query, language, text);
    if (result != MI_RESULT_OK) {
        wql_free(query);
        return result;
    }
    *ret_query = query;
    return MI_RESULT_OK;
}

const char *wql_class(const struct wql *query)
{
    return query->class_name;
}

const char *wql_language(const struct wql *query)
{
    return query->language;
}

const char *wql_text(const struct wql *query)
{
    return query->text;
}

/* A property that is named twice is in the set once. */
MI_Result wql_selection(const struct wql *query, MI_PropertySet **ret_set)
{
    MI_PropertySet *set = NULL;

    *ret_set = NULL;
    if (query->property_count == 0) {
        return MI_RESULT_OK;
    }
    MI_Result result = property_set_new(&set);
    for (unsigned i = 0; result == MI_RESULT_OK && i < query->property_count; i++) {
        result = set->ft->AddElement(set, query->properties[i]);
        if (result == MI_RESULT_ALREADY_EXISTS) {
            result = MI_RESULT_OK;
        }
    }
    if (result != MI_RESULT_OK && set != NULL) {
        set->ft->Delete(set);
        set = NULL;
    }
    *ret_set = set;
    return result;
}
