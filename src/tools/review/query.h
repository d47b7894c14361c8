/* SPDX-License-Identifier: MIT */
/*
 * Which records are asked for. A query is a set of conditions that must all hold; several values of
 * one condition are alternatives. --not negates the condition behind it, and --or begins another
 * set: a record matches when one of the sets holds. It is the language of find(1), which has "and"
 * before "or" and needs no quoting. A saved query (saved.h) is one condition, as if in brackets.
 */
#ifndef TOOLS_REVIEW_QUERY_H
#define TOOLS_REVIEW_QUERY_H

#include "base/error.h"
#include "tools/review/narrow.h"
#include "tools/review/record_like.h"

/* Owns copies of all values. Adding is for one thread; matching for any number at once. */
struct query;

/* NULL out of memory. Matches every record until a condition is added. */
struct query *query_new(void);
/* NULL is allowed. */
void query_free(struct query *query);

/* option is one of query_options ("--user"), value what was given with it; NULL for an option
 * without one. INVALID_ARGUMENT: reterr's detail says what would be right. Several values of one
 * option are alternatives, and each negated one must not hold. NO_MEMORY leaves the query as it
 * was. */
MIGUARD_CHECKED enum miguard_status query_add(struct query *query, const char *option,
                                              const char *value, struct miguard_error *reterr);

/* When all was added: INVALID_ARGUMENT when --not or --or is the last, or --or the first. */
MIGUARD_CHECKED enum miguard_status query_end(const struct query *query,
                                              struct miguard_error *reterr);

/* What there is to ask for; the last one has no name. */
struct query_option {
    const char *name, *value, *help; /* "--user", "GLOB" or NULL, a sentence for --help */
    const char *const *words;        /* a list, ended with NULL; NULL: any value */
    bool others;                     /* the list is not closed: there are other values */
};
extern const struct query_option query_options[];

/* The words that an option takes, ended with NULL, when it has a list of them; else NULL. */
const char *const *query_words(const char *option);

/* Whether every condition holds for the record. */
bool query_matches(const struct query *query, const struct record *record);
/* The fields that query_matches() looks at; for --text it looks at the line. */
void query_fields(const struct query *query, struct record_fields_wanted *ret_wanted);

/* Numbers and times outside of which no record matches. */
void query_bounds(const struct query *query, struct narrow_bounds *ret_bounds);

#endif
