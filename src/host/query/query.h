/* SPDX-License-Identifier: MIT */
/*
 * Queries: WQL, and the part of CQL that has the same form.
 *
 *     SELECT * | property {, property}  FROM Class  [WHERE condition]
 *
 *     condition   NOT binds closest, then AND, then OR; parentheses
 *     comparison  = <> != < <= > >=, LIKE (WQL only), property ISA Class
 *     operand     TRUE, FALSE, an integer, a real, 'text' or "text" with escapes by a backslash,
 *                 NULL, property, property.inner, property.Class::inner
 *
 * Words are compared without regard to case, and so are texts. = and <> with NULL say whether both
 * sides are NULL. A text is converted when the other side is a number or a boolean. Every other
 * comparison of two kinds, an order with NULL, and a condition on an array or a reference are
 * errors: wql_check() finds them by the class, and an instance with which one occurs all the same
 * does not match.
 *
 * A query is built once and only read afterwards, by any thread. Its size, the number of its
 * conditions and their depth are limited, so that a hostile text costs no more than its length.
 */
#ifndef HOST_QUERY_QUERY_H
#define HOST_QUERY_QUERY_H

#include <MI.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    WQL_MAX_LENGTH = 65536,   /* bytes of the text */
    WQL_MAX_PROPERTIES = 128, /* between SELECT and FROM */
    WQL_MAX_CONDITIONS = 256, /* comparisons, ANDs, ORs and NOTs */
    WQL_MAX_DEPTH = 64        /* parentheses and NOTs within each other */
};

struct wql;

/* Reads a query. language is "WQL", "CQL" or "DMTF:CQL", in any case; else
 * QUERY_LANGUAGE_NOT_SUPPORTED. INVALID_QUERY for a text that is no query or exceeds a limit,
 * INVALID_PARAMETER for NULL, SERVER_LIMITS_EXCEEDED without memory. Freed by wql_free(). */
MI_Result wql_new(const char *language, const char *text, struct wql **ret_query);

/* NULL is ignored. */
void wql_free(struct wql *query);

/* The class behind FROM, and the texts that the query was made of. Valid as long as the query. */
const char *wql_class(const struct wql *query);
const char *wql_language(const struct wql *query);
const char *wql_text(const struct wql *query);

/* The properties behind SELECT; none for "*", which is all. The caller owns *ret_set, which is NULL
 * for all. SERVER_LIMITS_EXCEEDED without memory. */
MI_Result wql_selection(const struct wql *query, MI_PropertySet **ret_set);

/* Whether the query fits the class: INVALID_QUERY for a property that it does not have, one that no
 * condition may use, and a comparison that would be an error for every instance. */
MI_Result wql_check(const struct wql *query, const MI_ClassDecl *decl);

/* Whether the condition is true for the instance, in *ret_match. INVALID_QUERY when it cannot be
 * decided; *ret_match is false then. The class behind FROM is not compared. */
MI_Result wql_match(const struct wql *query, const MI_Instance *instance, bool *ret_match);

/* (match.c) The class that every match holds in this property, by ISA alone or as one part of an
 * AND; NULL when the query does not say one. Valid as long as the query. */
const char *wql_isa(const struct wql *query, const char *property);

/* (like.c) Whether text is like pattern, without regard to case of ASCII letters: % stands for any
 * characters, _ for one, [a-c] for one of a set, [^a-c] for one that is not in it. A set without an
 * end matches nothing. */
bool wql_like(const char *text, const char *pattern);

/* ---- filters (filter.c) ---------------------------------------------------------------- */

extern const MI_FilterFT filter_ft;

/* A filter in the caller's memory, as providers get it. It borrows everything and needs no end.
 * query NULL: the language has no evaluator, and Evaluate answers INVALID_PARAMETER. */
void filter_init(MI_Filter *filter, const char *language, const char *expression,
                 const struct wql *query);

#endif
