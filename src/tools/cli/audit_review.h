/* SPDX-License-Identifier: MIT */
/* What report, suggest and export have in common: their operands, and the walk over records. */
#ifndef TOOLS_CLI_AUDIT_REVIEW_H
#define TOOLS_CLI_AUDIT_REVIEW_H

#include "tools/cli/audit_open.h"
#include "tools/cli/audit_query.h"

/* The common part of a request: which records, of which files, and the walk over them. */
struct review {
    struct conditions conditions;
    /* The operands; without any it is the log of the policy in force. */
    struct word_list files;
    struct audit_walk walk;
    bool whole;   /* nothing is left out */
    int64_t from; /* nanoseconds since 1970: earlier records may be left out; 0: none */
};

/* For the table of a command whose request has a struct review as its member review. */
#define REVIEWS(T) .operand = OPERANDS("[FILE]...", T, review.files), QUERY(T, review.conditions)

/* To be among its options. */
#define REVIEW_WHOLE(T) AUDIT_WHOLE(T, review.whole)

/* Frees conditions and operands, whether they were read or not. */
void review_release(struct review *review);

/* Gives CLI_YES to go on, or the exit status after a message. */
typedef int (*review_record)(void *context, const struct record *record,
                             const struct read_place *place);

/* Hands each record that the query matches to function, in the order of time. CLI_YES, or the
 * status of opening or of function. The caller ends the walk with audit_finish(&review->walk). */
int review_walk(struct review *review, review_record function, void *context);

/* Appends what the record becomes. Called by several threads at once. */
typedef void (*review_write)(const void *context, struct record_expander *expander,
                             const struct record *record, struct text *text);
/* As review_record, with what review_write made. Of the record only the line is there. */
typedef int (*review_text)(void *context, const struct record *line, const struct read_place *place,
                           struct slice made);

/* How a record becomes text, and what is done with the text. */
struct review_way {
    review_write write;
    const void *context;                       /* of write() */
    const struct record_fields_wanted *fields; /* that write() asks for; NULL: all */
    review_text function;
    void *to; /* its context */
};

/* As review_walk(), for a command that turns each record into text. */
int review_texts(struct review *review, const struct review_way *way);

/* Writes to stdout; CLI_YES, or CLI_UNABLE after a message when it cannot be written. */
int review_print(const char *bytes, size_t length);

#endif
