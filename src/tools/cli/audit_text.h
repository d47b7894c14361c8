/* SPDX-License-Identifier: MIT */
/* A record as a person, a spreadsheet or a program reads it. */
#ifndef TOOLS_CLI_AUDIT_TEXT_H
#define TOOLS_CLI_AUDIT_TEXT_H

#include <stdio.h>

#include "tools/cli/audit_fields.h"
#include "tools/cli/options.h"
#include "tools/review/record.h"

/* The indices are those of audit_formats, as for colours below: the option is stored as the
 * position of its word. */
enum audit_format { AUDIT_TEXT, AUDIT_JSON, AUDIT_CSV };
enum audit_colour { AUDIT_COLOUR_AUTO, AUDIT_COLOUR_ALWAYS, AUDIT_COLOUR_NEVER };

/* How records are to look, and the options that say so. */
struct audit_look {
    enum audit_format format;
    enum audit_colour colour;
    bool json;          /* the short form of --format json */
    const char *fields; /* names with commas between them, or NULL */
};
extern const char *const audit_formats[], *const audit_colours[];
#define AUDIT_LOOK_OPTIONS(T, member)                                                              \
    WORD("--format", audit_formats, T, member.format,                                              \
         "for people (the default), as the log has them, or for spreadsheets"),                    \
        FLAG("--json", T, member.json, "the same as --format json", .excludes = "--format"),       \
        TEXT("--fields", "NAME,...", T, member.fields,                                             \
             "print only these fields, by their names in the JSON (user.name; provider for "       \
             "miguard.provider): in text with a tab between them, in json one flat object"),       \
        WORD("--color", audit_colours, T, member.colour, "auto (the default): only on a terminal")

/* Set up by audit_output_begin(). */
struct audit_output {
    FILE *stream;
    enum audit_format format;
    /* terminal: stdout is one, so JSON needs escapes. Colour may be asked for without. */
    bool colour, terminal;
    struct audit_fields fields;
};

/* Decides once where records go (stdout) and whether they are coloured: only on a terminal, unless
 * the option says so, and not with NO_COLOR set (no-color.org). CLI_YES, or CLI_USAGE after a
 * message: --fields names an unknown field. */
int audit_output_begin(const struct command_line *line, const struct audit_look *look,
                       struct audit_output *ret_output);

/* The first line of csv; nothing in the other formats. For text and json each record stands for
 * itself. */
void audit_output_header(const struct audit_output *output);

/*
 * Writes one record in the format that the output has.
 *
 * text: a line with the time, the verdict and the call, and for a refusal lines below that say who,
 * as whom, why and by which rule. json: the line as it stands in the log; on a terminal, what could
 * move its cursor is escaped. csv: RFC 4180, with an apostrophe before what a spreadsheet would
 * take for a formula.
 */
void audit_output_record(const struct audit_output *output, const struct record *record);

/* The last records of many: size of them at the most, each a copy. */
struct audit_last {
    /* Of lines: the most, those that are kept, and the place of the next one, which is the oldest
     * when all are in use. */
    size_t size, count, next;
    struct audit_line {
        char *text;
        /* Bytes of the line, and of the memory, which is kept for the next line in this place. */
        size_t length, capacity;
    } * lines;
};

/* Room for size lines, which must not be 0. False: out of memory. Released with
 * audit_last_release() in either case. */
bool audit_last_begin(struct audit_last *last, size_t size); /* false: out of memory */

/* Keeps a copy of the record's line, in place of the oldest when there are size of them. Memory is
 * reused, so that a long search does not allocate for each record. False: out of memory. */
bool audit_last_add(struct audit_last *last, const struct record *record);

/* Writes them, oldest first. */
void audit_last_write(const struct audit_last *last, const struct audit_output *output);

/* Frees the lines; {0} and a second call are allowed. */
void audit_last_release(struct audit_last *last);

#endif
