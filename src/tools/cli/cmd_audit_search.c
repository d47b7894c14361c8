/* SPDX-License-Identifier: MIT */
/*
 * miguard audit search: prints matching records, and goes on where the last search stopped.
 *
 * search_logs() opens, search_all() wraps the walk in loading and saving the checkpoint, walk()
 * reads. Which records match is decided in the threads of the reader, unless every record is needed
 * for a checkpoint; read_little() leaves out what cannot match.
 *
 * A checkpoint says how far every file was read. It is saved only after the output has left this
 * process, so a search that failed repeats records rather than leaving some out. Records that
 * retention removed between two searches are reported as a gap.
 */
#include "tools/cli/audit_checkpoint.h"
#include "tools/cli/audit_open.h"
#include "tools/cli/audit_query.h"
#include "tools/cli/audit_sort.h"
#include "tools/cli/audit_text.h"
#include "tools/cli/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The request and the state of one run. */
struct search {
    struct conditions conditions;
    struct word_list files;
    struct audit_look look;
    /* The file, or NULL. */
    const char *checkpoint, *by;
    uint64_t first, last; /* 0: all */
    bool count, whole;
    struct audit_output output;
    struct audit_last tail;
    struct audit_sort sort; /* filled only with --sort */
    /* Filled only with --checkpoint. */
    struct checkpoint place;
};

/* ---- arguments --------------------------------------------------------------------------------
 */

/* A limit of --first and --last: the last ones are kept in memory. */
enum { MOST_RECORDS = 1000000 };

static const struct option_row options[] = {
    AUDIT_LOOK_OPTIONS(struct search, look),
    FLAG("--count", struct search, count, "print only how many there are"),
    NUMBER("--first", "N", struct search, first, 1, MOST_RECORDS, "at most the first N of them",
           .excludes = "--last --count"),
    NUMBER("--last", "N", struct search, last, 1, MOST_RECORDS, "at most the last N of them",
           .excludes = "--count"),
    TEXT("--sort", "[-]FIELD", struct search, by,
         "in the order of this field, - descending; --first and --last are then of that order",
         .excludes = "--count"),
    AUDIT_WHOLE(struct search, whole),
    TEXT("--checkpoint", "FILE", struct search, checkpoint,
         "go on behind what the last search with this FILE has read, and note there how far this "
         "one came"),
};

/* What the table of options cannot say. */
static int check_search(const struct command_line *line, const struct search *search)
{
    for (size_t i = 0; search->checkpoint != NULL && i < search->files.count; i++) {
        if (strcmp(search->files.items[i], "-") == 0) {
            return wrong_usage(line, "--checkpoint needs files; standard input cannot be found "
                                     "again");
        }
    }
    return CLI_YES;
}

/* ---- searching --------------------------------------------------------------------------------
 */

/* Counts, keeps or prints one record. False: enough, or *ret_status is not CLI_YES. */
static bool found_one(struct search *search, const struct record *record, uint64_t found,
                      int *ret_status)
{
    if (search->count) {
        return true;
    }
    if (search->by != NULL) {
        *ret_status = audit_sort_add(&search->sort, record);
        return *ret_status == CLI_YES;
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

/* After all were found. */
static void write_sorted(struct search *search)
{
    struct audit_sort *sort = &search->sort;
    size_t from = 0, to = 0, offset = 0;
    struct record record;

    audit_sort_end(sort);
    to = search->first > 0 && search->first < sort->count ? (size_t)search->first : sort->count;
    from = search->last > 0 && search->last < sort->count ? sort->count - (size_t)search->last : 0;
    if (sort->count > 0) {
        audit_output_header(&search->output);
    }
    for (size_t i = from; i < to; i++) {
        if (record_parse(sort->items[i].line, sort->items[i].length, &record, &offset) == NULL) {
            audit_output_record(&search->output, &record);
        }
    }
}

/* The count, as a number or as JSON. */
static void write_count(const struct search *search, uint64_t found)
{
    const char *format = search->output.format == AUDIT_JSON ? "{\"count\":%llu}\n" : "%llu\n";

    printf(format, (unsigned long long)found);
}

/* Every record is noted for the checkpoint, whether it matches or not. The count and the last N are
 * printed at the end, the others as they are found. The exit status is that of audit_finish(), or
 * of a failure on the way. */
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
        if (search->checkpoint == NULL || query_matches(search->conditions.query, &record)) {
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
        write_count(search, found);
    } else if (search->by != NULL) {
        write_sorted(search);
    } else if (search->last > 0 && found > 0) {
        audit_output_header(&search->output);
        audit_last_write(&search->tail, &search->output);
    }
    return audit_finish(&walk, found > 0 ? CLI_YES : CLI_NO);
}

/* Records that came after the last search and went before this one are in no file any more; what
 * is found looks complete without this line. */
static void report_gaps(const struct search *search)
{
    struct checkpoint_gap gap;

    for (size_t i = 0; checkpoint_gap(&search->place, i, &gap); i++) {
        unsigned long long first = gap.first, last = gap.last, count = last - first + 1;
        if (search->output.format == AUDIT_JSON && !search->count) {
            printf("{\"miguard\":{\"checkpoint\":{\"chain\":\"%016llx\",\"missing\":%llu,"
                   "\"first\":%llu,\"last\":%llu,\"cause\":\"%s\"}}}\n",
                   (unsigned long long)gap.chain, count, first, last,
                   gap.retention ? "retention" : "unknown");
        }
        complain(CLI_NO, "since the checkpoint %llu record%s (%llu to %llu) came and %s gone: %s",
                 count, count == 1 ? "" : "s", first, last, count == 1 ? "is" : "are",
                 gap.retention ? "removed by retention (keep:)"
                               : "the log does not say why; see miguard audit verify");
    }
}

/* What was read counts as reported only when it has left this process: the checkpoint is saved
 * last, and not at all after a failed write. */
static int search_all(struct search *search, struct log_reader *reader)
{
    if (search->checkpoint != NULL &&
        checkpoint_load(search->checkpoint, reader, &search->place) != CLI_YES) {
        return CLI_UNABLE;
    }
    int status = walk(search, reader);
    report_gaps(search);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return complain(CLI_UNABLE, "the output cannot be written: %s", strerror(errno));
    }
    if (search->checkpoint != NULL &&
        checkpoint_save(search->checkpoint, reader, &search->place) != CLI_YES) {
        return CLI_UNABLE;
    }
    return status;
}

/* How many records of the end are those that --last asks for, up to as many. Broken lines are not
 * reported: this is a trial. */
static uint64_t count_last(const struct search *search, struct log_reader *reader, int64_t start)
{
    struct record record;
    struct read_place place;
    const char *what;
    uint64_t count = 0;
    enum read_result result = READ_PASSED;

    while (count < search->last && result != READ_END && result != READ_FAILED) {
        int64_t time = 0;
        result = read_next(reader, &record, &place, &what);
        count += result == READ_RECORD &&
                 (start == INT64_MIN ||
                  (record_time(&record, RECORD_TIMESTAMP, &time) && time >= start));
    }
    return count;
}

/* The last records are looked for at the end, in more and more of it. */
static int narrow_last(const struct search *search, struct log_reader *reader,
                       const struct narrow_bounds *bounds)
{
    struct narrow_bounds end = *bounds;
    bool good = true, found = false;

    for (size_t marks = 2; good && !found && read_cut(reader, marks, &end); marks *= 4) {
        good = read_again(reader, &end);
        found = good && count_last(search, reader, end.start) == search->last;
        good = good && read_again(reader, found ? &end : bounds);
        end = found ? end : *bounds;
    }
    return good ? CLI_YES : complain(CLI_UNABLE, "the log cannot be read");
}

/* What a record becomes that is only counted. */
static void write_nothing(const void *context, struct record_expander *expander,
                          const struct record *record, struct text *text)
{
    (void)context, (void)expander, (void)record, (void)text;
}

/* Only what matches is read, where the order of the log says where that is. */
static int read_little(struct search *search, struct log_reader *reader)
{
    static const struct record_fields_wanted no_fields = {.count = 0};
    struct scan_filter filter = conditions_filter(&search->conditions);
    struct narrow_bounds bounds;
    bool narrowed;

    if (search->count) {
        filter.write = write_nothing;
        filter.written = &no_fields;
    }
    int status = audit_read_only(reader, &filter);

    if (status != CLI_YES || search->whole) {
        return status;
    }
    query_bounds(search->conditions.query, &bounds);
    status = audit_narrow(reader, &bounds, &narrowed);
    return status == CLI_YES && search->last > 0 && search->by == NULL
               ? narrow_last(search, reader, &bounds)
               : status;
}

/* The memory for --last is allocated before any file is opened. */
static int search_logs(const struct command_line *line, struct search *search)
{
    struct log_reader *reader = NULL;

    if (audit_output_begin(line, &search->look, &search->output) != CLI_YES ||
        (search->by != NULL && audit_sort_begin(line, search->by, &search->sort) != CLI_YES)) {
        return CLI_USAGE;
    }
    if (search->last > 0 && !audit_last_begin(&search->tail, (size_t)search->last)) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = audit_open_logs(&search->files, READ_BY_TIME, &reader);
    if (status == CLI_YES && search->checkpoint == NULL) {
        status = read_little(search, reader);
    }
    if (status == CLI_YES) {
        status = search_all(search, reader);
    }
    read_close(reader);
    audit_last_release(&search->tail);
    audit_sort_release(&search->sort);
    return status;
}

/* The order of release does not matter: nothing refers to the other. */
static int run_search(const struct command_line *line)
{
    struct search search = {0};
    int status = CLI_YES;

    if (!conditions_begin(&search.conditions)) {
        return CLI_UNABLE;
    }
    if (command_parse(line, &search, &status)) {
        status = check_search(line, &search);
        if (status == CLI_YES) {
            status = search_logs(line, &search);
        }
    }
    conditions_release(&search.conditions);
    word_list_release(&search.files);
    return status;
}

COMMAND(audit, search) = {
    .about = "Prints the records that match QUERY, in the order of time. FILE may be compressed "
             "(.gz, .zst) or - for standard input; without one it is the log of the "
             "policy in force with its rotated files.",
    .exits = "Exit status: 0 found, 1 nothing found, 2 wrong usage, 3 something could not be read.",
    .operand = OPERANDS("[FILE]...", struct search, files),
    OPTIONS(options),
    QUERY(struct search, conditions),
    .run = run_search,
};
