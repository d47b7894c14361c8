/* SPDX-License-Identifier: MIT */
/* The conditions on records that search, report, follow, suggest and export have in common. */
#ifndef TOOLS_CLI_AUDIT_QUERY_H
#define TOOLS_CLI_AUDIT_QUERY_H

#include "base/text.h"
#include "tools/cli/options.h"
#include "tools/review/query.h"
#include "tools/review/scan.h"

/* One query, with the text of the options that it was made from. */
struct conditions {
    /* Owned; NULL only after a failed conditions_begin(). */
    struct query *query;
    struct text given; /* the options as they were given, for the head of a report */
};

/* An empty query, which every record matches. False after a message: out of memory; releasing is
 * allowed all the same. */
bool conditions_begin(struct conditions *conditions);

/* Frees what conditions_begin() and the options made; {0} is allowed. */
void conditions_release(struct conditions *conditions);

/* The records that the query matches; valid as long as the conditions. */
struct scan_filter conditions_filter(const struct conditions *conditions);

/* For the table of a command; its target is a struct conditions. */
extern const struct option_group query_group;
/* In a command's row: the options are read into this member of the request T. */
#define QUERY(T, member) .group = &query_group, .group_at = OPTION_OF(T, member, struct conditions)

#endif
