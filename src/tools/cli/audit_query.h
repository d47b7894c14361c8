/* SPDX-License-Identifier: MIT */
/* The conditions on records that search, report, follow, suggest and export have in common. */
#ifndef TOOLS_CLI_AUDIT_QUERY_H
#define TOOLS_CLI_AUDIT_QUERY_H

#include "tools/cli/cli.h"
#include "tools/review/query.h"

/* What QUERY means, for --help. */
extern const char query_help[];

/*
 * True when the option at hand is a condition (or its value is missing); it is then in query.
 * *ret_status is CLI_YES, or the exit status after a message:
 *
 *     } else if (query_argument(&arguments, query, &status)) {
 *         if (status != CLI_YES) return status;
 *     }
 */
bool query_argument(struct arguments *arguments, struct query *query, int *ret_status);

/* A command's own options (ended with NULL) and those of the query, for arguments.known. The list
 * is on the heap; NULL out of memory. */
const char **query_known(const char *const *own);

#endif
