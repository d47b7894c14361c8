/* SPDX-License-Identifier: MIT */
/* What report, suggest and export have in common: their arguments, and the walk over records. */
#ifndef TOOLS_CLI_AUDIT_REVIEW_H
#define TOOLS_CLI_AUDIT_REVIEW_H

#include "base/text.h"
#include "tools/cli/audit_query.h"
#include "tools/cli/cmd_audit.h"

struct review {
    const char *command; /* "miguard audit report" */
    struct query *query;
    const char **known, **files;
    size_t file_count;
    bool help;
    struct text asked; /* the conditions as they were given */
    struct audit_walk walk;
};

/* True when the option at hand is the command's own. */
typedef bool (*review_option)(struct arguments *arguments, void *context);

/* own: the command's options, ended with NULL. CLI_YES, or the exit status after a message. */
int review_parse(struct review *review, int count, char **list, const char *const *own,
                 review_option option, void *context);
void review_release(struct review *review);

/* Gives CLI_YES to go on, or the exit status after a message. */
typedef int (*review_record)(void *context, const struct record *record,
                             const struct read_place *place);

/* Hands each record that the query matches to function, in the order of time. */
int review_walk(struct review *review, review_record function, void *context);

/* Writes to stdout; CLI_YES, or CLI_UNABLE after a message when it cannot be written. */
int review_print(const char *bytes, size_t length);

/* "N" from 1 to most. CLI_YES, or CLI_USAGE after a message. NULL leaves *ret_number alone. */
int review_number(const char *command, const char *option, const char *text, unsigned most,
                  unsigned *ret_number);

#endif
