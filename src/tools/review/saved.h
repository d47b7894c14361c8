/* SPDX-License-Identifier: MIT */
/*
 * Queries that have a name, for --saved and `miguard audit alert`: files NAME.query, one option of
 * a query a line, and those that are built in.
 */
#ifndef TOOLS_REVIEW_SAVED_H
#define TOOLS_REVIEW_SAVED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { SAVED_NAME = 64, SAVED_FOLDERS = 3 };

/* Called for each line with its option and value (NULL: the option stands alone), and at the end
 * with NULL for both. Not MIGUARD_OK ends the reading. */
typedef enum miguard_status (*saved_line)(void *context, const char *option, const char *value,
                                          struct miguard_error *reterr);

/* Reads the query with this name. INVALID_ARGUMENT: no query has it, it is not a name, or line()
 * says that one is wrong (reterr says which, with file and number); NO_MEMORY; SYSTEM: it cannot be
 * read. */
MIGUARD_CHECKED enum miguard_status saved_read(const char *name, saved_line line, void *context,
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
