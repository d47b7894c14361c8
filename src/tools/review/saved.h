/* SPDX-License-Identifier: MIT */
/*
 * Queries that have a name, for --saved and `miguard audit alert`: files NAME.query, one option of
 * a query a line, and those that are built in.
 */
#ifndef TOOLS_REVIEW_SAVED_H
#define TOOLS_REVIEW_SAVED_H

#include "tools/review/query.h"

enum { SAVED_NAME = 64, SAVED_FOLDERS = 3 };

/* Adds the lines of the query with this name. INVALID_ARGUMENT: no query has it, it is not a name,
 * or a line is wrong (reterr says which, with file and number); NO_MEMORY; SYSTEM: it cannot be
 * read. query is then to be given up. */
MIGUARD_CHECKED enum miguard_status saved_read(const char *name, struct query *query,
                                               struct miguard_error *reterr);

/* One that there is. */
struct saved_query {
    char name[SAVED_NAME];
    char *place; /* path, or "built in" */
    char *text;  /* its lines; the first, behind "# ", says what it is for */
};
/* In the order of names; of one name the one that saved_read() takes. On the heap; false: out of
 * memory. What cannot be read is left out. */
bool saved_list(struct saved_query **ret_list, size_t *ret_count);
void saved_release(struct saved_query *list, size_t count);

#endif
