/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a policy, said so that it can be mended: where, what, and what would be right.
 * All findings are collected; none stops the search for more.
 */
#ifndef POLICY_DIAGNOSTIC_H
#define POLICY_DIAGNOSTIC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* A place in a file. line 0: the file as a whole. Lines and columns count from 1, columns in
 * characters, as libyaml counts. */
struct policy_place {
    const char *file; /* owned by the draft that it came from, or static */
    unsigned line, column;
};

/* An error refuses the set; a warning is shown and changes nothing. */
enum diagnostic_severity { DIAGNOSTIC_ERROR, DIAGNOSTIC_WARNING };

/* One finding. Owned by its list. */
struct diagnostic {
    enum diagnostic_severity severity;
    char *file; /* owned */
    unsigned line, column;
    char *message;     /* owned: "what is wrong; what would be right" */
    char *source_line; /* owned; the part of the line round the column, control characters
                          escaped, without a newline; NULL: no line to show */
    unsigned caret;    /* how many columns of source_line stand before the place */
};

/* In the order of finding; sorted by file and place when written. At most DIAGNOSTIC_LIMIT are
 * kept; how many more there were is reported at the end. */
enum { DIAGNOSTIC_LIMIT = 200 };

/* All findings of one load; DIAGNOSTICS_EMPTY at first. For one thread. */
struct diagnostics {
    struct diagnostic *items;
    size_t count, capacity;
    size_t errors, warnings; /* also those beyond the limit */
    bool failed;             /* memory ran out: counts as an error */
};

#define DIAGNOSTICS_EMPTY                                                                          \
    {                                                                                              \
        0                                                                                          \
    }

/* source_line may be NULL; it need not be NUL-terminated: source_length bytes are copied. Never
 * fails for the caller: out of memory sets failed, which counts as an error. */
void diagnostic_add(struct diagnostics *list, enum diagnostic_severity severity,
                    const struct policy_place *place, const char *source_line, size_t source_length,
                    const char *format, ...) __attribute__((format(printf, 6, 7)));

/* "FILE:LINE:COL: error: MESSAGE", the source line and a caret under it, for each. Control
 * characters of the source are shown escaped. */
void diagnostics_write(const struct diagnostics *list, struct text *text);

/* The list is empty then and can be used again. */
void diagnostics_release(struct diagnostics *list);

/* The candidate nearest to word when it is near enough to be a slip of the finger (one or two
 * edits), else NULL. candidates ends with NULL. */
const char *diagnostic_nearest(const char *word, const char *const *candidates);

#endif
