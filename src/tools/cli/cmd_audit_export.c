/* SPDX-License-Identifier: MIT */
/*
 * miguard audit export: matching records in a format of other systems.
 *
 * export_records() walks over the records, translate() makes one line of each in the threads that
 * read, and add() writes it at once: a log of any size needs little memory. A Parquet file is not
 * made of lines: its rows go to DuckDB (duckdb.h).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/sink_settings.h"
#include "tools/cli/audit_review.h"
#include "tools/cli/commands.h"
#include "tools/cli/duckdb.h"
#include "tools/review/export.h"

/* The formats of lines, then the one of columns. */
enum { EXPORT_PARQUET = EXPORT_FORMATS };
static const char *const formats[] = {
#define FORMAT_NAME(NAME, name) name,
    EXPORT_FORMAT_MAP(FORMAT_NAME)
#undef FORMAT_NAME
        "parquet",
    NULL};

/* The review, and what the format needs. */
struct request {
    struct review review;
    /* terminal: stdout is one. */
    bool mapping, terminal;
    enum export_format format;
    uint64_t enterprise;
    const char *output, *duckdb; /* of Parquet */
    struct parquet *parquet;
    /* Records written, for the exit status. */
    uint64_t records;
};

static const struct option_row options[] = {
    REVIEW_WHOLE(struct request),
    WORD("--format", formats, struct request, format,
         "Elastic Common Schema 9: the record as the log has it, and related.*; Open Cybersecurity "
         "Schema "
         "Framework 1.8: API Activity (6003), and Process Activity (1007) for a change of "
         "identity; Common Event Format, version 0; lines of syslog, as the syslog sink writes "
         "them; or a Parquet file with a column for each field that `miguard fleet schema` has",
         .required = true, .unless = "--mapping"),
    NUMBER(
        "--enterprise", "N", struct request, enterprise, 1, UINT32_MAX,
        "the private enterprise number in the structured data of rfc5424, as the syslog sink has "
        "it from the policy; 32473, the number for documentation, when it is not given",
        .preset = ENTERPRISE_EXAMPLE),
    TEXT("--output", "FILE", struct request, output,
         "the Parquet file; it is replaced at once, and readable by its owner alone"),
    TEXT("--duckdb", "LIBRARY", struct request, duckdb,
         "the path of libduckdb.so, version 1, which writes Parquet; without this the environment "
         "variable MIGUARD_DUCKDB"),
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

/* ---- Parquet --------------------------------------------------------------------------------- */

static void pack(const void *context, struct record_expander *expander, const struct record *record,
                 struct text *text)
{
    (void)context;
    (void)expander;
    fleet_pack_row(text, record);
}

static int add_row(void *context, const struct record *line, const struct read_place *place,
                   struct slice made)
{
    struct request *request = context;

    (void)line;
    (void)place;
    request->records++;
    return parquet_add(request->parquet, made);
}

/* Nothing is put into place when a file could not be read, or the walk was interrupted: who finds
 * the file takes it for whole. */
static int export_columns(struct request *request)
{
    const struct review_way way = {.write = pack, .function = add_row, .to = request};

    request->parquet = parquet_open(request->duckdb, request->output);
    if (request->parquet == NULL) {
        return CLI_UNABLE;
    }
    int status = audit_finish(&request->review.walk, review_texts(&request->review, &way));
    if (status == CLI_YES && !audit_interrupted()) {
        status = parquet_finish(request->parquet);
    }
    return status == CLI_YES && request->records == 0 ? CLI_NO : status;
}

static int check_columns(const struct command_line *line, struct request *request)
{
    if (request->duckdb == NULL) {
        request->duckdb = getenv("MIGUARD_DUCKDB");
    }
    if (request->output == NULL || request->output[0] == '\0') {
        return wrong_usage(line, "--format parquet needs --output FILE");
    }
    if (request->duckdb == NULL || request->duckdb[0] == '\0') {
        return wrong_usage(line, "--format parquet needs --duckdb LIBRARY, the path of "
                                 "libduckdb.so");
    }
    return export_columns(request);
}

/* ---- all ------------------------------------------------------------------------------------- */

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
        status = request.mapping                              ? print_mapping()
                 : (unsigned)request.format == EXPORT_PARQUET ? check_columns(line, &request)
                 : request.output != NULL || request.duckdb != NULL
                     ? wrong_usage(line, "--output and --duckdb are for --format parquet")
                     : export_records(&request);
    }
    parquet_close(request.parquet);
    review_release(&request.review);
    return status;
}

COMMAND(audit, export) = {
    .about = "Writes the records that match QUERY in a format of other systems, one line each, in "
             "the order of time, or as columns in a Parquet file.",
    .exits = "Exit status: 0 there were records, 1 there were none, 2 wrong usage, 3 something "
             "could not be read or written.",
    REVIEWS(struct request),
    OPTIONS(options),
    .run = run_export,
};
