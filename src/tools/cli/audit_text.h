/* SPDX-License-Identifier: MIT */
/* A record as a person, a spreadsheet or a program reads it. */
#ifndef TOOLS_CLI_AUDIT_TEXT_H
#define TOOLS_CLI_AUDIT_TEXT_H

#include <stdio.h>

#include "tools/cli/options.h"
#include "tools/review/record.h"

enum audit_format { AUDIT_TEXT, AUDIT_JSON, AUDIT_CSV };
enum audit_colour { AUDIT_COLOUR_AUTO, AUDIT_COLOUR_ALWAYS, AUDIT_COLOUR_NEVER };

/* How records are to look, and the options that say so. */
struct audit_look {
    enum audit_format format;
    enum audit_colour colour;
};
extern const char *const audit_formats[], *const audit_colours[];
#define AUDIT_LOOK_OPTIONS(T, member)                                                              \
    WORD("--format", audit_formats, T, member.format,                                              \
         "for people (the default), as the log has them, or for spreadsheets"),                    \
        WORD("--color", audit_colours, T, member.colour, "auto (the default): only on a terminal")

/* Set up by audit_output_begin(). */
struct audit_output {
    FILE *stream;
    enum audit_format format;
    bool colour, terminal;
};

void audit_output_begin(const struct audit_look *look, struct audit_output *ret_output);

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
