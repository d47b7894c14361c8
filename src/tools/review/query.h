/* SPDX-License-Identifier: MIT */
/*
 * Which records are asked for. A query is a set of conditions that must all hold; several values of
 * one condition are alternatives.
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

/* option is one of query_options ("--user"), value what was given with it. INVALID_ARGUMENT:
 * reterr's detail says what would be right. Several values of one option are alternatives.
 * NO_MEMORY leaves the query as it was. */
MIGUARD_CHECKED enum miguard_status query_add(struct query *query, const char *option,
                                              const char *value, struct miguard_error *reterr);

/* What there is to ask for; the last one has no name. */
struct query_option {
    const char *name, *value, *help; /* "--user", "GLOB", a sentence for --help */
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
