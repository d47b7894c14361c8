/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "tools/cli/audit_review.h"
#include "tools/review/export.h"

static const char help[] =
    "usage: miguard audit export --format ecs|ocsf|cef|rfc5424 [QUERY]... [FILE]...\n"
    "\n"
    "Writes the records that QUERY asks for as other systems take them, one line each, in the "
    "order\n"
    "of time.\n"
    "\n"
    "  --format ecs         Elastic Common Schema 9: the record as it stands in the log\n"
    "  --format ocsf        Open Cybersecurity Schema Framework 1.8: API Activity (6003), and\n"
    "                       Process Activity (1007) for a change of identity\n"
    "  --format cef         Common Event Format, version 0\n"
    "  --format rfc5424     lines of syslog, as the syslog sink writes them\n"
    "  --mapping            prints where each attribute of OCSF comes from, and no record\n"
    "  --help               this text\n"
    "\n";

static const char help_end[] = "\n"
                               "Exit status: 0 there were records, 1 there were none, 2 wrong "
                               "usage, 3 something could not be\n"
                               "read or written.\n";

static const char *const own[] = {"--format", "--mapping", "--help", NULL};

struct request {
    const char *name;
    bool mapping, terminal;
    enum export_format format;
    uint64_t records;
    struct text line; /* kept: a record allocates nothing */
};

static bool option(struct arguments *arguments, void *context)
{
    struct request *request = context;

    if (arguments_is(arguments, "--mapping")) {
        return request->mapping = true;
    }
    return arguments_value(arguments, "--format", &request->name);
}

static int check(struct request *request)
{
    if (request->name == NULL) {
        return complain(CLI_USAGE, "miguard audit export: --format is needed: ecs, ocsf, cef or "
                                   "rfc5424");
    }
    for (request->format = 0; request->format < EXPORT_FORMATS; request->format++) {
        if (strcmp(request->name, export_formats[request->format]) == 0) {
            request->terminal = isatty(STDOUT_FILENO) != 0;
            return CLI_YES;
        }
    }
    const char *nearest = nearest_word(request->name, export_formats);
    return complain(CLI_USAGE, "miguard audit export: --format '%s' is unknown; %s%s%s",
                    request->name, nearest != NULL ? "did you mean " : "use ecs, ocsf, cef or ",
                    nearest != NULL ? nearest : "rfc5424", nearest != NULL ? "?" : "");
}

/* A program gets the bytes; a terminal must not be moved by them. */
static int add(void *context, const struct record *record, const struct read_place *place)
{
    struct request *request = context;

    (void)place;
    request->line.length = 0;
    export_record(&request->line, request->format, record);
    if (request->line.failed) {
        return complain(CLI_UNABLE, "out of memory");
    }
    request->records++;
    if (request->terminal) {
        /* CEF and the parameters of RFC 5424 are escaped already; what is left is JSON. */
        bool printed = print_json_text(stdout, request->line.data, request->line.length);
        return printed ? CLI_YES : complain(CLI_UNABLE, "standard output cannot be written");
    }
    return fwrite(request->line.data, 1, request->line.length, stdout) == request->line.length
               ? CLI_YES
               : review_print("", 1);
}

static int print_mapping(void)
{
    for (const struct export_mapping *row = export_ocsf_mapping; row->attribute != NULL; row++) {
        printf("%-26s %s\n", row->attribute, row->from);
    }
    return CLI_YES;
}

static int run(struct request *request, struct review *review)
{
    int status = check(request);

    if (status == CLI_YES) {
        status = review_walk(review, add, request);
    }
    if (status == CLI_YES) {
        status = review_print("", 0);
        status = status != CLI_YES ? status : request->records > 0 ? CLI_YES : CLI_NO;
        return audit_finish(&review->walk, status);
    }
    return status;
}

int audit_export(int count, char **arguments)
{
    struct review review = {.command = "miguard audit export"};
    struct request request = {0};

    int status = review_parse(&review, count, arguments, own, option, &request);
    if (status == CLI_YES && review.help) {
        printf("%s%s%s", help, query_help, help_end);
    } else if (status == CLI_YES && request.mapping) {
        status = print_mapping();
    } else if (status == CLI_YES) {
        status = run(&request, &review);
    }
    text_release(&request.line);
    review_release(&review);
    return status;
}
