/* SPDX-License-Identifier: MIT */
/*
 * Which log is meant, opening it with its rotated files, and walking through its records with
 * progress and Ctrl-C. Every `miguard audit` command that reads a log calls it.
 *
 * The way through: audit_open_logs() opens the files that are named or finds the log of the policy
 * (default_log()); audit_next() gives one record after the other; audit_finish() turns what went
 * wrong on the way into the exit status.
 */
#include "tools/cli/audit_open.h"
#include "base/clock.h"
#include "tools/cli/log_place.h"
#include "tools/cli/policy_open.h"
#include "tools/review/files.h"

#include "base/alloc.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the files --------------------------------------------------------------------------------
 */

/* The log of a policy, on the heap; NULL after a message that asks for a FILE. A policy without a
 * file sink has no log to read. A user's own log is made room for only where something will be
 * written. */
static char *place_of(const struct policy_set *set, bool reads)
{
    const struct sink_settings *sink = log_sink(&set->draft->settings);
    bool own = false;

    if (sink == NULL) {
        complain(CLI_UNABLE, "which log is meant? %s has no file sink; name a FILE", set->label);
        return NULL;
    }
    char *path = log_place(sink->path, reads, &own);
    if (path == NULL || (own && !reads && !log_place_make(path))) {
        complain(CLI_UNABLE, "which log is meant? %s: %s; name a FILE",
                 path != NULL ? path : "no place of this user's own", strerror(errno));
        free(path);
        return NULL;
    }
    return path;
}

/* With the trust that the library asks for: a policy that it would refuse does not say where its
 * log is. */
static char *default_log(bool reads)
{
    struct policy_set set;
    char *path = NULL;

    if (policy_set_load(policy_path(NULL), &set) == CLI_YES) {
        path = place_of(&set, reads);
    } else {
        print_findings(stderr, &set.findings);
        complain(CLI_UNABLE, "which log is meant? %s has errors; name a FILE", set.label);
    }
    policy_set_release(&set);
    return path;
}

/* For reading: a log that exists is preferred to one that would be made. */
char *audit_default_log(void)
{
    return default_log(true);
}

/* For `audit init`: the log that programs will write, with the folders above it. */
char *audit_log_to_begin(void)
{
    return default_log(false);
}

/* The exit status of a failed opening, after a message. */
static int open_failed(enum miguard_status status, const struct miguard_error *error)
{
    return status == MIGUARD_NO_MEMORY
               ? complain(CLI_UNABLE, "out of memory")
               : complain(CLI_UNABLE, "%s",
                          error->detail[0] != '\0' ? error->detail : miguard_status_text(status));
}

/* A file that lies there and does not belong to the log is left out, and reported: a reader who
 * thinks that it was searched would be wrong. */
static void report_strays(const struct log_parts *parts)
{
    for (size_t i = parts->count; i < parts->count + parts->strays; i++) {
        complain(CLI_NO, "%s: left out: %s", parts->list[i].name, parts->list[i].stray);
    }
}

/* Names and inodes: a name alone may have passed to another file. */
static bool same_parts(const struct log_parts *a, const struct log_parts *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; i < a->count && same; i++) {
        same =
            a->list[i].inode == b->list[i].inode && strcmp(a->list[i].name, b->list[i].name) == 0;
    }
    return same;
}

/* Opens the files of a log together. Files that are copies of others are left out: each record is
 * read once. MIGUARD_NOT_FOUND when one of them has gone meanwhile, on which open_settled() lists
 * them again. */
static enum miguard_status open_parts(const struct log_parts *parts, enum read_order order,
                                      struct log_reader **ret_reader, struct miguard_error *reterr)
{
    const char **names = calloc(parts->count + 1, sizeof(*names));
    size_t count = 0;

    if (names == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "files", NULL);
    }
    for (size_t i = 0; i < parts->count; i++) {
        if (!parts->list[i].copy) {
            names[count++] = parts->list[i].name;
        }
    }
    enum miguard_status status = read_open(names, count, order, ret_reader, reterr);
    free(names);
    return status;
}

/* Between the listing and the opening a writer may rotate: then the oldest file is gone, or the one
 * that was the current one is not in the list. So it is listed again, until nothing moved. */
static enum miguard_status open_settled(const char *log, enum read_order order,
                                        struct log_reader **ret_reader,
                                        struct miguard_error *reterr)
{
    enum { TRIES = 50 };
    struct log_parts parts = {0}, after = {0};
    enum miguard_status status = log_parts_find(log, 0, &parts, reterr);

    for (int i = 0; i < TRIES && status == MIGUARD_OK; i++) {
        enum miguard_status opened = open_parts(&parts, order, ret_reader, reterr);
        status = log_parts_find(log, 0, &after, reterr);
        bool settled = status == MIGUARD_OK && same_parts(&parts, &after);
        log_parts_release(&parts);
        parts = after;
        after = (struct log_parts){0};
        if (settled || (i + 1 == TRIES && opened == MIGUARD_OK)) {
            status = opened;
            break;
        }
        if (opened == MIGUARD_OK) {
            read_close(*ret_reader);
        } else if (opened != MIGUARD_NOT_FOUND) {
            status = opened;
        }
    }
    if (status == MIGUARD_OK) {
        report_strays(&parts);
    }
    log_parts_release(&parts);
    return status;
}

/* After open_settled() has made sure that the list of files and the files themselves belong
 * together. */
int audit_open_log(const char *log, enum read_order order, struct log_reader **ret_reader)
{
    struct miguard_error error = {0};
    enum miguard_status status = open_settled(log, order, ret_reader, &error);

    return status == MIGUARD_OK ? CLI_YES : open_failed(status, &error);
}

/* Without operands. */
static int open_default(enum read_order order, struct log_reader **ret_reader)
{
    char *log = audit_default_log();
    int status = log == NULL ? CLI_UNABLE : audit_open_log(log, order, ret_reader);

    free(log);
    return status;
}

/* Named files are read as they are: their rotated files are not looked for. */
int audit_open_logs(const struct word_list *files, enum read_order order,
                    struct log_reader **ret_reader)
{
    struct miguard_error error = {0};

    if (files->count == 0) {
        return open_default(order, ret_reader);
    }
    enum miguard_status status = read_open(files->items, files->count, order, ret_reader, &error);
    return status == MIGUARD_OK ? CLI_YES : open_failed(status, &error);
}

/* ---- walking through records ------------------------------------------------------------------
 */

#define SECOND INT64_C(1000000000)

static volatile sig_atomic_t interrupted;

/* The next one kills, for a user who does not want to wait. */
static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* A flag that only the handler sets; sig_atomic_t, since the handler may come at any
 * instruction. */
bool audit_interrupted(void)
{
    return interrupted != 0;
}

/* SA_RESETHAND: the second SIGINT has its default effect. */
static void begin(struct audit_walk *walk)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    walk->terminal = isatty(STDERR_FILENO) != 0;
    walk->started = clock_now_ns();
}

/* Also before every message, so that it does not stand behind the line. */
void audit_hide_progress(struct audit_walk *walk)
{
    if (walk->shown > walk->started) {
        fputs("\r\033[K", stderr);
        walk->shown = walk->started;
    }
}

/* Not in the first second, and at most five times a second: a short search prints nothing, and a
 * long one is not slowed by its terminal. The percentage is of bytes, since the number of records
 * is not known. */
static void show_progress(const struct log_reader *reader, struct audit_walk *walk)
{
    const double mebibyte = 1024.0 * 1024.0;
    uint64_t done = 0, total = 0;
    int64_t now = clock_now_ns();

    if (!walk->terminal || now - walk->started < SECOND || now - walk->shown < SECOND / 5) {
        return;
    }
    read_progress(reader, &done, &total);
    fprintf(stderr, "\r\033[K%llu records, %.0f MiB", (unsigned long long)read_count(reader),
            (double)done / mebibyte);
    if (total > 0) {
        fprintf(stderr, " of %.0f (%.0f %%)", (double)total / mebibyte,
                100.0 * (double)done / (double)total);
    }
    walk->shown = now;
}

/* A file that is not a log would fill the screen: the rest is only counted. */
static void complain_line(struct audit_walk *walk, const struct read_place *place, const char *what)
{
    enum { MOST = 100 };

    audit_hide_progress(walk);
    if (++walk->broken <= MOST && place->line == 0) {
        complain(CLI_UNABLE, "%s: byte %llu: %s", place->file,
                 (unsigned long long)place->offset + 1, what);
    } else if (walk->broken <= MOST) {
        complain(CLI_UNABLE, "%s:%llu: %s", place->file, (unsigned long long)place->line, what);
    }
    if (walk->broken == MOST) {
        complain(CLI_UNABLE, "further malformed lines are counted but not shown");
    }
}

/* The records that the filter wants, by as many threads as there are processors. */
int audit_read_only(struct log_reader *reader, const struct scan_filter *filter)
{
    return read_only(reader, filter, scan_processors()) ? CLI_YES
                                                        : complain(CLI_UNABLE, "out of memory");
}

int audit_narrow(struct log_reader *reader, const struct narrow_bounds *bounds, bool *ret_narrowed)
{
    return read_narrow(reader, bounds, NARROW_GRAIN, ret_narrowed)
               ? CLI_YES
               : complain(CLI_UNABLE, "out of memory");
}

/* The clock is read once in LINES records: reading a record takes less time than that. */
bool audit_next(struct log_reader *reader, struct audit_walk *walk, struct record *ret_record,
                struct read_place *ret_place)
{
    enum { LINES = 256 };
    const char *what = NULL;

    if (walk->started == 0) {
        begin(walk);
    }
    while (!audit_interrupted()) {
        switch (read_next(reader, ret_record, ret_place, &what)) {
        case READ_RECORD:
            if (++walk->records % LINES == 0) {
                show_progress(reader, walk);
            }
            return true;
        case READ_BROKEN:
            complain_line(walk, ret_place, what);
            break;
        case READ_PASSED:
            show_progress(reader, walk);
            break;
        case READ_FAILED:
            audit_hide_progress(walk);
            walk->failed = true;
            complain(CLI_UNABLE, "%s: %s", ret_place->file, what);
            break;
        case READ_END:
            return false;
        }
    }
    return false;
}

/* The order matters: an interrupted walk is not known to be complete, whatever was found. */
int audit_finish(struct audit_walk *walk, int status)
{
    audit_hide_progress(walk);
    if (walk->broken > 0) {
        complain(CLI_UNABLE, "%llu line%s no record%s", (unsigned long long)walk->broken,
                 walk->broken == 1 ? " is" : "s are", walk->broken == 1 ? "" : "s");
    }
    if (audit_interrupted()) {
        return complain(CLI_UNABLE, "interrupted: there may be more");
    }
    return walk->failed || (walk->broken > 0 && status == CLI_NO) ? CLI_UNABLE : status;
}
