/* SPDX-License-Identifier: MIT */
#include "tools/cli/audit_checkpoint.h"
#include "tools/cli/audit_query.h"
#include "tools/cli/audit_text.h"
#include "tools/cli/cmd_audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: miguard audit search [OPTION]... [QUERY]... [FILE]...\n"
    "\n"
    "Prints the records that QUERY asks for, in the order of time. FILE may be packed (.gz) or -\n"
    "for standard input; without one it is the log of the policy in force with its rotated files.\n"
    "\n"
    "  --format text|json|csv      for people (the default), as it stands in the log, or for\n"
    "                              spreadsheets\n"
    "  --count                     only how many there are\n"
    "  --first N, --last N         not more than N of them\n"
    "  --checkpoint FILE           go on behind what the last search with this FILE has read, and\n"
    "                              remember there how far this one came\n"
    "  --color auto|always|never   auto: only on a terminal\n"
    "  --help                      this text\n"
    "\n";

static const char help_end[] =
    "\n"
    "Exit status: 0 found, 1 nothing found, 2 wrong usage, 3 something could not be read.\n";

static const char *const own_options[] = {"--format", "--count",      "--first", "--last",
                                          "--color",  "--checkpoint", "--help",  NULL};

struct search {
    struct query *query;
    const char **known, **files;
    size_t file_count;
    const char *format, *colour, *checkpoint, *first_text, *last_text;
    uint64_t first, last; /* 0: all */
    bool count, help;
    struct audit_output output;
    struct audit_last tail;
    struct checkpoint place;
};

/* ---- arguments --------------------------------------------------------------------------------
 */

static int read_number(const char *option, const char *text, uint64_t *ret_number)
{
    enum { MOST = 1000000 };
    char *end = NULL;

    if (text == NULL) {
        return CLI_YES;
    }
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number == 0 ||
        number > MOST) {
        return complain(CLI_USAGE, "miguard audit search: %s '%s' is no number from 1 to 1000000",
                        option, text);
    }
    *ret_number = number;
    return CLI_YES;
}

static int check(struct search *search)
{
    int status = read_number("--first", search->first_text, &search->first);

    if (status == CLI_YES) {
        status = read_number("--last", search->last_text, &search->last);
    }
    if (status == CLI_YES && search->first > 0 && search->last > 0) {
        return complain(CLI_USAGE, "miguard audit search: --first or --last, not both");
    }
    if (status == CLI_YES && search->count && (search->first > 0 || search->last > 0)) {
        return complain(CLI_USAGE, "miguard audit search: --count counts all; leave out --first "
                                   "and --last");
    }
    for (size_t i = 0; status == CLI_YES && search->checkpoint != NULL && i < search->file_count;
         i++) {
        if (strcmp(search->files[i], "-") == 0) {
            return complain(CLI_USAGE, "miguard audit search: --checkpoint needs files; standard "
                                       "input cannot be found again");
        }
    }
    return status == CLI_YES ? audit_output_begin("miguard audit search", search->format,
                                                  search->colour, &search->output)
                             : status;
}

static bool own_option(struct arguments *arguments, struct search *search)
{
    if (arguments_is(arguments, "--help") || arguments_is(arguments, "-h")) {
        return search->help = true;
    }
    if (arguments_is(arguments, "--count")) {
        return search->count = true;
    }
    return arguments_value(arguments, "--format", &search->format) ||
           arguments_value(arguments, "--color", &search->colour) ||
           arguments_value(arguments, "--first", &search->first_text) ||
           arguments_value(arguments, "--last", &search->last_text) ||
           arguments_value(arguments, "--checkpoint", &search->checkpoint);
}

static int parse(int count, char **list, struct search *search)
{
    int status = CLI_YES;

    search->query = query_new();
    search->known = query_known(own_options);
    search->files = calloc((size_t)count + 1, sizeof(*search->files));
    if (search->query == NULL || search->known == NULL || search->files == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    struct arguments arguments = {
        .count = count, .list = list, .command = "miguard audit search", .known = search->known};
    while (arguments_next(&arguments)) {
        if (arguments.operand != NULL) {
            search->files[search->file_count++] = arguments.operand;
        } else if (own_option(&arguments, search)) {
            continue;
        } else if (!query_argument(&arguments, search->query, &status)) {
            return arguments_unknown(&arguments);
        } else if (status != CLI_YES) {
            return status;
        }
    }
    return arguments.failed ? CLI_USAGE : search->help ? CLI_YES : check(search);
}

/* ---- searching --------------------------------------------------------------------------------
 */

/* False: enough, or *ret_status. */
static bool found_one(struct search *search, const struct record *record, uint64_t found,
                      int *ret_status)
{
    if (search->count) {
        return true;
    }
    if (search->last > 0) {
        if (!audit_last_add(&search->tail, record)) {
            *ret_status = complain(CLI_UNABLE, "out of memory");
        }
        return *ret_status == CLI_YES;
    }
    if (found == 1) {
        audit_output_header(&search->output);
    }
    audit_output_record(&search->output, record);
    return found != search->first && !ferror(stdout);
}

static int walk(struct search *search, struct log_reader *reader)
{
    struct audit_walk walk = {0};
    struct record record;
    struct read_place place;
    uint64_t found = 0;
    int status = CLI_YES;

    while (audit_next(reader, &walk, &record, &place)) {
        if (search->checkpoint != NULL) {
            checkpoint_note(&search->place, &record);
        }
        if (query_may_match(search->query, record.line, record.length) &&
            query_matches(search->query, &record)) {
            audit_hide_progress(&walk);
            if (!found_one(search, &record, ++found, &status)) {
                break;
            }
        }
    }
    if (status != CLI_YES) {
        return status;
    }
    if (search->count) {
        printf("%llu\n", (unsigned long long)found);
    } else if (search->last > 0 && found > 0) {
        audit_output_header(&search->output);
        audit_last_write(&search->tail, &search->output);
    }
    return audit_finish(&walk, found > 0 ? CLI_YES : CLI_NO);
}

/* Records that came after the last search and went before this one are in no file any more; what
 * is found looks complete without this line. */
static void tell_gaps(const struct search *search)
{
    struct checkpoint_gap gap;

    for (size_t i = 0; checkpoint_gap(&search->place, i, &gap); i++) {
        unsigned long long first = gap.first, last = gap.last, count = last - first + 1;
        if (search->format != NULL && strcmp(search->format, "json") == 0 && !search->count) {
            printf("{\"miguard\":{\"checkpoint\":{\"chain\":\"%016llx\",\"missing\":%llu,"
                   "\"first\":%llu,\"last\":%llu,\"cause\":\"%s\"}}}\n",
                   (unsigned long long)gap.chain, count, first, last,
                   gap.retention ? "retention" : "unknown");
        }
        complain(CLI_NO, "since the checkpoint %llu record%s (%llu to %llu) came and %s gone: %s",
                 count, count == 1 ? "" : "s", first, last, count == 1 ? "is" : "are",
                 gap.retention ? "removed by retention (keep:)"
                               : "the log does not say why; miguard audit verify tells more");
    }
}

/* What was read counts as reported only when it has left this process. */
static int search_all(struct search *search, struct log_reader *reader)
{
    int status = search->checkpoint == NULL
                     ? CLI_YES
                     : checkpoint_load(search->checkpoint, reader, &search->place);

    if (status != CLI_YES) {
        return status;
    }
    status = walk(search, reader);
    tell_gaps(search);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return complain(CLI_UNABLE, "the output cannot be written: %s", strerror(errno));
    }
    if (search->checkpoint != NULL &&
        checkpoint_save(search->checkpoint, reader, &search->place) != CLI_YES) {
        return CLI_UNABLE;
    }
    return status;
}

static int run(struct search *search)
{
    struct log_reader *reader = NULL;

    if (search->last > 0 && !audit_last_begin(&search->tail, (size_t)search->last)) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = audit_open_logs(search->files, search->file_count, READ_BY_TIME, &reader);
    if (status == CLI_YES) {
        status = search_all(search, reader);
    }
    read_close(reader);
    audit_last_release(&search->tail);
    return status;
}

int audit_search(int count, char **arguments)
{
    struct search search = {0};
    int status = parse(count, arguments, &search);

    if (status == CLI_YES && search.help) {
        fputs(help, stdout);
        fputs(query_help, stdout);
        fputs(help_end, stdout);
    } else if (status == CLI_YES) {
        status = run(&search);
    }
    query_free(search.query);
    free(search.known);
    free(search.files);
    return status;
}
