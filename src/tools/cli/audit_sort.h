/* SPDX-License-Identifier: MIT */
/* Records in the order of one of their fields, for `miguard audit search --sort`. */
#ifndef TOOLS_CLI_AUDIT_SORT_H
#define TOOLS_CLI_AUDIT_SORT_H

#include "tools/cli/options.h"
#include "tools/review/record.h"

/* All records that match have to be known before the first can be printed: no more than this is
 * kept of them, so that a query that was forgotten cannot take the memory of the host. */
enum { AUDIT_SORT_BYTES = 256 * 1024 * 1024 };

struct audit_sort {
    enum record_field field;
    bool descending;
    size_t bytes, count, room;
    struct audit_sorted {
        char *line; /* with the key behind it */
        size_t length, place;
        const char *key; /* NULL: the record has no such field */
        double number;
        bool is_number;
    } * items;
};

/* by: the name of a field, - before it for descending, as --sort of ps(1). CLI_YES or CLI_USAGE
 * after a message. */
int audit_sort_begin(const struct command_line *line, const char *by, struct audit_sort *ret_sort);
/* Keeps a copy. CLI_YES, or CLI_UNABLE after a message. */
int audit_sort_add(struct audit_sort *sort, const struct record *record);
/* Puts them in order; equal ones stay in the order of the log, and those without the field come
 * last either way. */
void audit_sort_end(struct audit_sort *sort);
/* {0} is allowed. */
void audit_sort_release(struct audit_sort *sort);

#endif
