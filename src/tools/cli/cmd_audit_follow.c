/* SPDX-License-Identifier: MIT */
/*
 * miguard audit follow: prints records as they are written. Reads by itself and not with a
 * log_reader: that ends where a file ends, and this begins there.
 *
 * loop() alternates between reading what is there (drain(), show_lines(), show_line()) and waiting
 * (wait_for_more()). When look_again() sees that the path leads to another file, the log was
 * rotated, and take_next() finds the file that goes on behind the last record, by the numbers in
 * the chain and not by names: names move while one looks.
 *
 * Of a large file only its end is read: begin_near_end() finds where the last N that match begin,
 * and begin_behind() where the checkpoint stands.
 */
#include "tools/cli/audit_open.h"
#include "tools/cli/audit_query.h"
#include "tools/cli/audit_text.h"
#include "tools/cli/commands.h"

#include "tools/cli/audit_checkpoint.h"
#include "tools/review/files.h"
#include "tools/review/narrow.h"
#include "tools/review/scan.h"
#include "tools/review/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file is looked at again after this long, should inotify(7) not report: a network file system
 * does not. */
enum { BLOCK = 64 * 1024, WAIT_MS = 1000, BLIND_WAIT_MS = 200, MOST = 100000, TRIES = 20 };

/* The state of one run. `last` is what decides: the place in the chain behind which everything else
 * is new. */
struct follow {
    struct conditions conditions;
    struct audit_look look;
    /* As on the command line; NULL without. */
    const char *given, *checkpoint;
    char *path; /* on the heap */
    struct audit_output output;
    struct audit_last tail; /* until the end of the first file */
    uint64_t tail_size;
    /* live: records are shown as they are read. missing: it was reported that the file is not
     * there. */
    bool live, missing;

    int fd, watch; /* -1: none */
    bool packed;   /* and fd is read by unpack */
    struct unpack_file unpack;
    /* The file that is open, by which a rotation is seen: names move, inodes do not. */
    dev_t device;
    ino_t inode;
    struct family_place last; /* the last record that was read; number 0: none was */
    uint64_t saved;           /* its number in the checkpoint */
    uint64_t skip;            /* up to here a file repeats what was shown */
    bool unproved;            /* held no record when it was chosen: it may be of another log */
    /* The bytes of this file up to where it has been read, its lines, where the line at hand
     * begins, and where reading began: lines are only known when that is 0. */
    uint64_t taken, line, at, begun;
    char *pending; /* a line without its end, room for RECORD_MAX_LINE + BLOCK */
    size_t length;
    bool too_long; /* the line is passed over until its end */
};

static volatile sig_atomic_t stopped;

/* SIGINT and SIGTERM end the loop after the current step, so that the checkpoint is saved. */
static void on_stop(int number)
{
    (void)number;
    stopped = 1;
}

/* ---- arguments --------------------------------------------------------------------------------
 */

static const struct option_row options[] = {
    NUMBER("--lines", "N", struct follow, tail_size, 0, MOST, "first the last N that are there",
           .brief = "-n", .preset = 10),
    AUDIT_LOOK_OPTIONS(struct follow, look),
    TEXT("--checkpoint", "FILE", struct follow, checkpoint,
         "go on behind the last record of the run before with this FILE, and note there how far "
         "this one came"),
};

/* ---- lines ------------------------------------------------------------------------------------
 */

/* stdout first, so that the message stands where the line would have been. */
static void broken_line(const struct follow *follow, const char *what)
{
    fflush(stdout);
    if (follow->begun > 0) {
        complain(CLI_NO, "%s: byte %llu: %s", follow->path, (unsigned long long)follow->at + 1,
                 what);
    } else {
        complain(CLI_NO, "%s:%llu: %s", follow->path, (unsigned long long)follow->line, what);
    }
}

/* The numbers begin anew: it is not the log that was followed. */
static void report_other(const struct follow *follow)
{
    fflush(stdout);
    complain(CLI_NO, "%s: a new file, and the one before it is gone", follow->path);
}

/* Notes the place of a line, and says whether it was shown before: a file that is read from its
 * start repeats what the one before it ended with. */
static bool was_shown(struct follow *follow, const char *line, size_t length)
{
    struct family_place place;

    if (!family_line(line, length, &place)) {
        return false;
    }
    if (place.chain == follow->last.chain && place.sequence <= follow->skip) {
        return true;
    }
    if (follow->unproved && place.chain == follow->last.chain &&
        place.sequence <= follow->last.sequence) {
        report_other(follow);
    }
    follow->unproved = false;
    follow->last = place;
    return false;
}

/* A line before the end of the first file is only kept for the last N. */
static void show_line(struct follow *follow, const char *line, size_t length)
{
    struct record record;
    size_t at = 0;

    follow->line++;
    const char *fault = length > RECORD_MAX_LINE ? "a line longer than 1 MiB"
                                                 : record_parse(line, length, &record, &at);
    if (fault != NULL) {
        broken_line(follow, fault);
    } else if (was_shown(follow, line, length)) {
        return;
    } else if (!query_matches(follow->conditions.query, &record)) {
        return;
    } else if (follow->live) {
        audit_output_record(&follow->output, &record);
    } else if (follow->tail_size > 0 && !audit_last_add(&follow->tail, &record)) {
        complain(CLI_UNABLE, "out of memory: a record is not shown");
    }
}

/* Shows the whole lines of what is pending and keeps the rest. A line beyond the limit is reported
 * once and passed over until its end: memory must not grow with what a writer sends. */
static void show_lines(struct follow *follow)
{
    char *start = follow->pending, *end = follow->pending + follow->length, *newline;

    while ((newline = memchr(start, '\n', (size_t)(end - start))) != NULL) {
        follow->at = follow->taken - (uint64_t)(end - start);
        if (follow->too_long) {
            follow->too_long = false;
        } else {
            show_line(follow, start, (size_t)(newline - start));
        }
        start = newline + 1;
    }
    follow->length = (size_t)(end - start);
    follow->at = follow->taken - follow->length;
    if (follow->length > RECORD_MAX_LINE || follow->too_long) {
        if (!follow->too_long) {
            show_line(follow, start, follow->length);
        }
        follow->too_long = true;
        follow->length = 0;
    }
    memmove(follow->pending, start, follow->length);
}

/* As read(2). Damage in a packed file is reported, and is its end. */
static ssize_t read_some(struct follow *follow, char *buffer)
{
    if (!follow->packed) {
        return read(follow->fd, buffer, BLOCK);
    }
    bool before = follow->unpack.end == UNPACK_DAMAGED;
    ssize_t count = unpack_file_read(&follow->unpack, buffer, BLOCK);
    if (count == 0 && follow->unpack.end == UNPACK_DAMAGED && !before) {
        broken_line(follow, "a packed file is damaged here");
    }
    return count;
}

/* All that is there now. False when it cannot be read. */
static bool drain(struct follow *follow)
{
    for (;;) {
        ssize_t count = read_some(follow, follow->pending + follow->length);
        if (count < 0 && errno == EINTR && !stopped) {
            continue;
        }
        if (count < 0 && errno != EINTR) {
            complain(CLI_UNABLE, "%s: it cannot be read further: %s", follow->path,
                     strerror(errno));
            return false;
        }
        if (count <= 0) {
            return true;
        }
        follow->taken += (uint64_t)count;
        follow->length += (size_t)count;
        show_lines(follow);
    }
}

/* ---- files ------------------------------------------------------------------------------------
 */

static void close_file(struct follow *follow)
{
    unpack_file_close(&follow->unpack);
    if (follow->fd >= 0) {
        close(follow->fd);
    }
    follow->packed = false;
    follow->fd = -1;
}

/* A rotated file may have been packed before it was read. Takes fd in any case. */
static bool begin_file(struct follow *follow, int fd, const struct stat *status)
{
    char magic[UNPACK_MAGIC];
    ssize_t got = pread(fd, magic, sizeof(magic), 0);
    enum unpack_kind kind = got > 0 ? unpack_kind(magic, (size_t)got) : UNPACK_PLAIN;

    follow->packed = kind != UNPACK_PLAIN;
    if (follow->packed && !unpack_file_open(&follow->unpack, fd, kind)) {
        follow->packed = false;
        close(fd);
        errno = ENOMEM;
        return false;
    }
    follow->fd = fd;
    follow->device = status->st_dev;
    follow->inode = status->st_ino;
    follow->missing = false;
    return true;
}

/* Ends with this file. A line without its end is reported: a writer that was killed leaves one, and
 * the next file does not go on with it. Counters begin anew. */
static void forget_file(struct follow *follow)
{
    if (follow->length > 0) {
        follow->line++;
        broken_line(follow, "the file ends in a line that is not finished");
    }
    close_file(follow);
    follow->length = 0;
    follow->too_long = false;
    follow->taken = follow->line = follow->begun = 0;
}

/* ---- where to begin ---------------------------------------------------------------------------
 */

/* A smaller file is read as a whole; PIECE and AHEAD: what the threads have to do at once. */
enum { LARGE = 4 * NARROW_GRAIN, PIECE = 256 * 1024, AHEAD = 32 };

/* The line that offset is in is passed over, unless it begins there. A file that cannot be moved in
 * is read from its beginning. */
static void begin_at(struct follow *follow, uint64_t offset)
{
    if (offset > 0 && lseek(follow->fd, (off_t)offset - 1, SEEK_SET) >= 0) {
        follow->begun = follow->taken = offset - 1;
        follow->too_long = true;
    }
}

/* What begins in a few pieces from offset on. False out of memory. */
static bool count_some(struct follow *follow, struct scan *scan, uint64_t *offset, uint64_t size,
                       uint64_t *records, uint64_t *found)
{
    struct scan_piece *pieces[AHEAD];
    size_t count = 0;
    bool good = true;

    for (; good && count < AHEAD && *offset < size; *offset += PIECE) {
        uint64_t to = *offset + PIECE < size ? *offset + PIECE : size;
        pieces[count] = scan_begin(scan, follow->fd, *offset, to);
        good = pieces[count] != NULL;
        count += good;
    }
    for (size_t i = 0; i < count; i++) {
        scan_wait(scan, pieces[i]);
        good = good && pieces[i]->failed == NULL;
        *records += pieces[i]->records;
        for (size_t item = 0; item < pieces[i]->count; item++) {
            *found += pieces[i]->items[item].fault == NULL;
        }
        scan_give_back(scan, pieces[i]);
    }
    return good;
}

/* Whether the last N that match, and a record by which the next file is known, stand between offset
 * and size. */
static bool holds_last(struct follow *follow, struct scan *scan, uint64_t offset, uint64_t size)
{
    uint64_t records = 0, found = 0;

    while (offset < size && !stopped) {
        if (!count_some(follow, scan, &offset, size, &records, &found)) {
            return false;
        }
    }
    return records > 0 && found >= follow->tail_size;
}

/* In one file what comes last stands last, so that no order is relied on. What is rare is looked
 * for in a quarter of the file, and then all of it is read. */
static void begin_near_end(struct follow *follow, uint64_t size)
{
    enum { FIRST = 64 * 1024, STEP = 8, WORTH = 4 };
    const struct scan_filter filter = conditions_filter(&follow->conditions);
    struct scan *scan =
        size < LARGE || follow->packed ? NULL : scan_new(&filter, scan_processors(), false);

    for (uint64_t window = FIRST; scan != NULL && window < size / WORTH; window *= STEP) {
        if (holds_last(follow, scan, size - window, size)) {
            begin_at(follow, size - window);
            break;
        }
    }
    scan_free(scan);
}

/* Behind the records that were shown in a run before, where the order of the file says where that
 * is; some that were shown may be read again, and was_shown() knows them. */
static void begin_behind(struct follow *follow, uint64_t size)
{
    struct narrow_marks marks = {0};
    struct narrow_bounds bounds = narrow_all;
    uint64_t from = 0, to;

    bounds.first = follow->skip;
    if (size < LARGE || follow->packed || follow->skip == 0) {
        return;
    }
    struct narrow_sampler *sampler = narrow_sampler_new();
    if (sampler != NULL &&
        narrow_look(sampler, follow->fd, size, size, NARROW_GRAIN, true, &marks)) {
        narrow_refine(sampler, &marks, &bounds, false);
        narrow_range(&marks, &bounds, false, &from, &to);
        begin_at(follow, from);
    }
    narrow_sampler_free(sampler);
    narrow_release(&marks);
}

/* Opens the file without waiting: a FIFO under this name would block until a writer comes (open(2),
 * O_NONBLOCK). *ret_status is of the file that was opened. -1 and errno, EINVAL for something else
 * than a file. */
static int open_regular(const char *path, struct stat *ret_status)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0 && fstat(fd, ret_status) == 0 && !S_ISREG(ret_status->st_mode)) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

/* Begins with the file at path. False and errno. */
static bool take_file(struct follow *follow, const char *path)
{
    struct stat status;
    int fd = open_regular(path, &status);

    if (fd < 0 || !begin_file(follow, fd, &status)) {
        return false;
    }
    if (!follow->live) {
        begin_near_end(follow, (uint64_t)status.st_size);
    }
    return true;
}

/* A packed file shows where it begins only. It is read again when the next file does not follow. */
static bool end_unknown(const struct log_part *part)
{
    return part->packed && part->last.sequence == part->first.sequence;
}

/* What the records up to the last one are followed by: the first file that begins behind it, or the
 * one that it is in (for a start at a checkpoint), else a current file that holds nothing yet.
 * NULL: there is no such file. */
static const struct log_part *choose_next(const struct follow *follow,
                                          const struct log_parts *parts)
{
    const struct log_part *inside = NULL;

    for (size_t i = 0; i < parts->count; i++) {
        const struct log_part *part = &parts->list[i];
        bool old =
            part->device == (uint64_t)follow->device && part->inode == (uint64_t)follow->inode;
        if (old || part->copy) {
            continue;
        }
        if (part->known && part->first.sequence <= follow->last.sequence) {
            inside = part->last.sequence > follow->last.sequence || end_unknown(part) ? part
                     : inside != NULL && end_unknown(inside)                          ? NULL
                                                                                      : inside;
            continue;
        }
        bool follows = part->known && part->first.sequence == follow->last.sequence + 1;
        return inside != NULL && !(follows && end_unknown(inside)) ? inside : part;
    }
    return inside;
}

/* Records between the last one and the first of this file are in no file any more. */
static void report_gap(const struct follow *follow, const struct log_part *part)
{
    uint64_t first = follow->last.sequence + 1;

    if (follow->last.sequence > 0 && part->known && part->first.sequence > first) {
        fflush(stdout);
        complain(CLI_NO, "%s: records %llu to %llu were removed before they could be shown",
                 follow->path, (unsigned long long)first,
                 (unsigned long long)part->first.sequence - 1);
    }
}

/* Opens a file that choose_next() chose and reports what is missing before it. False when its name
 * has passed to another one meanwhile: then the names are looked at again. */
static bool take_part(struct follow *follow, const struct log_part *part)
{
    struct stat status;
    int fd = open_regular(part->name, &status);

    if (fd >= 0 &&
        ((uint64_t)status.st_ino != part->inode || (uint64_t)status.st_dev != part->device)) {
        close(fd); /* the name moved on */
        return false;
    }
    if (fd < 0 || !begin_file(follow, fd, &status)) {
        return false;
    }
    report_gap(follow, part);
    /* A file that held nothing repeats nothing: records with lower numbers that come into it are
     * of another file under the same name, and are shown. */
    follow->skip = part->known ? follow->last.sequence : 0;
    follow->unproved = !part->known;
    if (part->known && part->first.sequence <= follow->skip) {
        begin_behind(follow, (uint64_t)status.st_size);
    }
    return true;
}

/* No file of the log goes on: another one has its name. */
static bool take_other(struct follow *follow)
{
    struct stat status;

    if (stat(follow->path, &status) < 0 ||
        (status.st_dev == follow->device && status.st_ino == follow->inode)) {
        return false;
    }
    report_other(follow);
    follow->skip = 0;
    follow->unproved = false;
    return take_file(follow, follow->path);
}

/* The file that was begun after the one that has just been read to its end: when a log is rotated
 * quickly, that need not be the current one. Names move while one looks. A file that does not
 * follow at once on the last record is believed when it is chosen a second time: what lies between
 * was there before it, and would have been chosen by then. */
static bool take_next(struct follow *follow)
{
    uint64_t before = 0;
    bool found = true;

    for (int i = 0; i < TRIES && found; i++) {
        struct log_parts parts = {0};
        if (log_parts_find(follow->path, 0, &parts, NULL) != MIGUARD_OK) {
            return false;
        }
        const struct log_part *part = choose_next(follow, &parts);
        /* A file that begins directly behind the last record is right at once; another one only
         * when a second look finds the same. */
        bool sure = part != NULL && ((part->known && follow->last.sequence > 0 &&
                                      part->first.sequence <= follow->last.sequence + 1) ||
                                     part->inode == before);
        found = part != NULL || i == 0;
        before = part != NULL ? part->inode : 0;
        bool taken = sure && take_part(follow, part);
        log_parts_release(&parts);
        if (taken) {
            return true;
        }
    }
    return !found && take_other(follow);
}

/* The first file to be read: the current one, or where the checkpoint says. */
static bool take_first(struct follow *follow)
{
    return follow->last.sequence > 0 ? take_next(follow) : take_file(follow, follow->path);
}

/* Once, until the file is there. */
static void report_missing(struct follow *follow)
{
    if (!follow->missing) {
        complain(CLI_NO, "%s: %s; waiting for it", follow->path, strerror(errno));
        follow->missing = true;
    }
}

/* Whether the path still leads to this file, and whether the file became shorter. True when there
 * may be more to read at once. */
static bool look_again(struct follow *follow)
{
    struct stat status;

    if (stat(follow->path, &status) < 0) {
        return false; /* between two steps of a rotation */
    }
    if (status.st_dev != follow->device || status.st_ino != follow->inode) {
        /* What was written between the last read and the rename. */
        if (drain(follow)) {
            forget_file(follow);
            return take_next(follow);
        }
        forget_file(follow);
        return false;
    }
    if (!follow->packed && (uint64_t)status.st_size < follow->taken) {
        fflush(stdout);
        complain(CLI_NO, "%s: the file was cut; reading it from its beginning", follow->path);
        follow->length = 0;
        follow->too_long = false;
        follow->taken = follow->line = follow->begun = 0;
        return lseek(follow->fd, 0, SEEK_SET) == 0;
    }
    return false;
}

/* ---- waiting ----------------------------------------------------------------------------------
 */

/* The folder, not the file: only there is it seen that a new file takes its name (inotify(7)). -1:
 * not available, and the file is looked at more often. */
static int watch_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char *folder = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));

    if (watch >= 0 &&
        (folder == NULL || inotify_add_watch(watch, folder, IN_MODIFY | IN_CREATE | IN_MOVE) < 0)) {
        close(watch);
        watch = -1;
    }
    free(folder);
    return watch;
}

/* Until something happens in the folder, a second passes, or a signal comes. The events only wake;
 * what they say is not used. */
static void wait_for_more(const struct follow *follow)
{
    char events[4096];
    struct pollfd ready = {.fd = follow->watch, .events = POLLIN};

    if (poll(&ready, 1, follow->watch >= 0 ? WAIT_MS : BLIND_WAIT_MS) > 0) {
        while (read(follow->watch, events, sizeof(events)) > 0) {
        }
    }
}

/* From now on records are shown as they come; the last N of the first file come first. */
static void go_live(struct follow *follow)
{
    if (!follow->live) {
        follow->live = true;
        audit_output_header(&follow->output);
        audit_last_write(&follow->tail, &follow->output);
        audit_last_release(&follow->tail);
    }
}

/* Flushes, then saves the checkpoint. What was shown counts as shown only when it has left this
 * process. */
static int save(struct follow *follow)
{
    if (fflush(stdout) != 0) {
        return complain(CLI_UNABLE, "the output cannot be written: %s", strerror(errno));
    }
    if (follow->checkpoint == NULL || follow->last.sequence == follow->saved) {
        return CLI_YES;
    }
    follow->saved = follow->last.sequence;
    return checkpoint_save_place(follow->checkpoint, &follow->last);
}

/* Reads, shows, saves and waits, until a signal. A log that is not there yet is waited for; one
 * that cannot be read is CLI_UNABLE. Each turn ends with the checkpoint, so that a kill loses at
 * most one turn. */
static int loop(struct follow *follow)
{
    while (!stopped) {
        if (follow->fd < 0 && !take_first(follow)) {
            if (follow->last.sequence > 0 && access(follow->path, R_OK) == 0) {
                wait_for_more(follow); /* its names are moving */
                continue;
            }
            if (errno != ENOENT) {
                return complain(CLI_UNABLE, "%s: %s", follow->path,
                                errno == EINVAL ? "it is not a regular file" : strerror(errno));
            }
            report_missing(follow);
            go_live(follow);
        } else if (!drain(follow)) {
            return CLI_UNABLE;
        } else {
            go_live(follow);
            if (look_again(follow)) {
                continue;
            }
        }
        if (save(follow) != CLI_YES) {
            return CLI_UNABLE;
        }
        if (!stopped) {
            wait_for_more(follow);
        }
    }
    return CLI_YES;
}

/* A checkpoint says where to begin, and then the last N are not shown: they were shown before. */
static int follow_log(const struct command_line *line, struct follow *follow)
{
    struct sigaction action = {.sa_handler = on_stop};

    if (audit_output_begin(line, &follow->look, &follow->output) != CLI_YES) {
        return CLI_USAGE;
    }
    follow->path = follow->given != NULL ? strdup(follow->given) : audit_default_log();
    if (follow->path == NULL) {
        return CLI_UNABLE;
    }
    follow->pending = malloc(RECORD_MAX_LINE + 1 + BLOCK);
    if (follow->pending == NULL ||
        (follow->tail_size > 0 && !audit_last_begin(&follow->tail, (size_t)follow->tail_size))) {
        return complain(CLI_UNABLE, "out of memory");
    }
    if (follow->checkpoint != NULL) {
        if (checkpoint_load_place(follow->checkpoint, &follow->last) != CLI_YES) {
            return CLI_UNABLE;
        }
        follow->saved = follow->last.sequence;
        follow->live = follow->last.sequence > 0;
    }
    if (follow->live) {
        audit_output_header(&follow->output);
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    follow->watch = watch_folder(follow->path);
    int status = loop(follow);
    return status == CLI_YES ? save(follow) : status;
}

/* Every part may be missing: it is called on every way out. */
static void release_follow(struct follow *follow)
{
    close_file(follow);
    if (follow->watch >= 0) {
        close(follow->watch);
    }
    audit_last_release(&follow->tail);
    free(follow->pending);
    free(follow->path);
    conditions_release(&follow->conditions);
}

/* Standard input has no name that could be followed over a rotation. */
static int run_follow(const struct command_line *line)
{
    struct follow follow = {.fd = -1, .watch = -1};
    int status = CLI_YES;

    if (!conditions_begin(&follow.conditions)) {
        return CLI_UNABLE;
    }
    if (command_parse(line, &follow, &status)) {
        status = follow.given != NULL && strcmp(follow.given, "-") == 0
                     ? wrong_usage(line, "standard input cannot be followed; miguard audit search "
                                         "reads it")
                     : follow_log(line, &follow);
    }
    release_follow(&follow);
    return status;
}

COMMAND(audit, follow) = {
    .about = "Prints records as they are written, and goes on with the new file when the log is "
             "rotated. Without FILE it is the log of the policy in force. Ends with Ctrl-C.",
    .exits = "Exit status: 0 ended by Ctrl-C, 2 wrong usage, 3 it cannot be read.",
    .operand = OPERAND("[FILE]", struct follow, given),
    OPTIONS(options),
    QUERY(struct follow, conditions),
    .run = run_follow,
};
