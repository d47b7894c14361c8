/* SPDX-License-Identifier: MIT */
/*
 * Which records are asked for. A query is a set of conditions that must all hold; several values of
 * one condition are alternatives.
 */
#ifndef TOOLS_REVIEW_QUERY_H
#define TOOLS_REVIEW_QUERY_H

#include "base/error.h"
#include "tools/review/record.h"

/* Owns copies of all values; for one thread, since matching may fill a cache of names (later.h). */
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

/* Quick: may say yes to a line that query_matches() refuses, never no to one that it accepts. */
bool query_may_match(const struct query *query, const char *line, size_t length);
/* Whether every condition holds for the record. */
bool query_matches(const struct query *query, const struct record *record);

#endif
