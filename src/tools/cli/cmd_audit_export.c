/* SPDX-License-Identifier: MIT */
/*
 * miguard audit export: matching records in a format of other systems.
 *
 * export_records() walks over the records, translate() makes one line of each in the threads that
 * read, and add() writes it at once: a log of any size needs little memory.
 */
#include <string.h>
#include <unistd.h>

#include "model/sink_settings.h"
#include "tools/cli/audit_review.h"
#include "tools/cli/commands.h"
#include "tools/review/export.h"

/* The review, and what the format needs. */
struct request {
    struct review review;
    /* terminal: stdout is one. */
    bool mapping, terminal;
    enum export_format format;
    uint64_t enterprise;
    /* Records written, for the exit status. */
    uint64_t records;
};

static const struct option_row options[] = {
    REVIEW_WHOLE(struct request),
    WORD("--format", export_formats, struct request, format,
         "Elastic Common Schema 9: the record as the log has it, and related.*; Open Cybersecurity "
         "Schema "
         "Framework 1.8: API Activity (6003), and Process Activity (1007) for a change of "
         "identity; Common Event Format, version 0; or lines of syslog, as the syslog sink writes "
         "them",
         .required = true, .unless = "--mapping"),
    NUMBER(
        "--enterprise", "N", struct request, enterprise, 1, UINT32_MAX,
        "the private enterprise number in the structured data of rfc5424, as the syslog sink has "
        "it from the policy; 32473, the number for documentation, when it is not given",
        .preset = ENTERPRISE_EXAMPLE),
    FLAG("--mapping", struct request, mapping,
         "print where each attribute of OCSF comes from, and no record"),
};

/* One record, as one line. */
static void translate(const void *context, struct record_expander *expander,
                      const struct record *record, struct text *text)
{
    const struct request *request = context;
    const struct export_form form = {request->format, (uint32_t)request->enterprise};

    export_record(text, &form, expander, record);
}

/* A program gets the bytes; a terminal must not be moved by them. A failed write ends the walk with
 * review_print()'s message. */
static int add(void *context, const struct record *line, const struct read_place *place,
               struct slice made)
{
    struct request *request = context;

    (void)line;
    (void)place;
    request->records++;
    if (request->terminal) {
        /* CEF and the parameters of RFC 5424 are escaped already; what is left is JSON. */
        bool printed = print_json_text(stdout, made.at, made.length);
        return printed ? CLI_YES : complain(CLI_UNABLE, "standard output cannot be written");
    }
    return fwrite(made.at, 1, made.length, stdout) == made.length ? CLI_YES : review_print("", 1);
}

/* For people who check the mapping: the table that the export itself uses. */
static int print_mapping(void)
{
    for (const struct export_mapping *row = export_ocsf_mapping; row->attribute != NULL; row++) {
        printf("%-26s %s\n", row->attribute, row->from);
    }
    return CLI_YES;
}

/* The exit status is 1 when no record matched, as with search. */
static int export_records(struct request *request)
{
    const struct review_way way = {
        .write = translate, .context = request, .function = add, .to = request};

    request->terminal = isatty(STDOUT_FILENO) != 0;
    if (!request->terminal) { /* a record has nearly the size that stdio writes at once */
        (void)setvbuf(stdout, NULL, _IOFBF, 64 * 1024);
    }
    int status = review_texts(&request->review, &way);
    if (status != CLI_YES) {
        return status;
    }
    status = review_print("", 0);
    if (status == CLI_YES && request->records == 0) {
        status = CLI_NO;
    }
    return audit_finish(&request->review.walk, status);
}

/* --mapping reads no log, so it needs no file. */
static int run_export(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (!conditions_begin(&request.review.conditions)) {
        return CLI_UNABLE;
    }
    if (command_parse(line, &request, &status)) {
        status = request.mapping ? print_mapping() : export_records(&request);
    }
    review_release(&request.review);
    return status;
}

COMMAND(audit, export) = {
    .about = "Writes the records that match QUERY in a format of other systems, one line each, in "
             "the order of time.",
    .exits = "Exit status: 0 there were records, 1 there were none, 2 wrong usage, 3 something "
             "could not be read or written.",
    REVIEWS(struct request),
    OPTIONS(options),
    .run = run_export,
};
