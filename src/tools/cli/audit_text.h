/* SPDX-License-Identifier: MIT */
/* A record as a person, a spreadsheet or a program reads it. */
#ifndef TOOLS_CLI_AUDIT_TEXT_H
#define TOOLS_CLI_AUDIT_TEXT_H

#include <stdio.h>

#include "tools/review/record.h"

enum audit_format { AUDIT_TEXT, AUDIT_JSON, AUDIT_CSV };

/* How and where to: set up by audit_output_begin(). */
struct audit_output {
    FILE *stream;
    enum audit_format format;
    bool colour, terminal;
};

/* format: "text", "json", "csv" or NULL; colour: "auto", "always", "never" or NULL. CLI_YES, or
 * CLI_USAGE after a message. */
int audit_output_begin(const char *command, const char *format, const char *colour,
                       struct audit_output *ret_output);

/*
 * text: a line with the time, the verdict and the call, and for a refusal lines below that say who,
 * as whom, why and by which rule. json: the line as it stands in the log; on a terminal, what could
 * move its cursor is escaped. csv: RFC 4180, with an apostrophe before what a spreadsheet would
 * take for a formula.
 */
void audit_output_header(const struct audit_output *output);
void audit_output_record(const struct audit_output *output, const struct record *record);

/* The last records of many: size of them at the most, each a copy. */
struct audit_last {
    size_t size, count, next;
    struct audit_line {
        char *text;
        size_t length, capacity;
    } * lines;
};
bool audit_last_begin(struct audit_last *last, size_t size); /* false: out of memory */
bool audit_last_add(struct audit_last *last, const struct record *record);
void audit_last_write(const struct audit_last *last, const struct audit_output *output);
void audit_last_release(struct audit_last *last);

#endif
