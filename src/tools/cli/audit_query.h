/* SPDX-License-Identifier: MIT */
/* The conditions on records that search, report, follow, suggest and export have in common. */
#ifndef TOOLS_CLI_AUDIT_QUERY_H
#define TOOLS_CLI_AUDIT_QUERY_H

#include "base/text.h"
#include "tools/cli/options.h"
#include "tools/review/query.h"

struct conditions {
    struct query *query;
    struct text given; /* the options as they were given, for the head of a report */
};

/* False after a message: out of memory. */
bool conditions_begin(struct conditions *conditions);
void conditions_release(struct conditions *conditions);

/* For the table of a command; its target is a struct conditions. */
extern const struct option_group query_group;
#define QUERY(T, member) .group = &query_group, .group_at = OPTION_OF(T, member, struct conditions)

#endif
