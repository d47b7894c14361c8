/* SPDX-License-Identifier: MIT */
/*
 * Reads the files of a log as one stream of records in the order of time, for everything but
 * verify.
 *
 * read_next() asks earliest() for the source whose line comes first. next_head() reads one line of
 * each source ahead, by read_line() and parse_line(), so memory is one buffer a file. A packed
 * file goes through unpack() instead of read(2). After read_only() a plain file is looked through
 * in pieces by several threads (scan.h), and next_wanted() puts their results in order. Marks are
 * for `miguard audit follow`: resume() finds the line at which a run before stopped.
 */
#include "tools/review/read.h"
#include "base/alloc.h"
#include "tools/review/files.h"
#include "tools/review/record_expand.h"
#include "tools/review/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A block is what is read at once; the buffer holds more only for a line that is longer. PIECE: of
 * a file, for a thread, which may have AHEAD of them waiting. PASSES: lines that are passed before
 * the caller is asked again. WORTH_THREADS: less is read sooner than threads are started. */
enum {
    BLOCK = 128 * 1024,
    MAX_FAULT = 512,
    PIECE = 128 * 1024,
    AHEAD = 4,
    PASSES = 1024,
    WORTH_THREADS = 4 * PIECE,
};

/* What the line that was read ahead is. One line of each source is held, which is what a merge by
 * time needs. */
enum head {
    HEAD_NONE, /* nothing read yet, or what was read has been given out */
    HEAD_RECORD,
    HEAD_BROKEN,
    HEAD_FAILED,
    HEAD_END,
};

/* One file. Its buffer is taken with the first read and given back at its end, so that a merge over
 * many files holds few buffers of files that are done. */
struct source {
    char *name;
    int fd; /* -1 when it is done */
    /* Standard input is not closed: this reader did not open it. */
    bool standard;
    /* With inode: the same file under two names, as rotation shows it for a moment. */
    dev_t device;
    ino_t inode;
    bool regular;
    uint64_t size;        /* bytes on the disk */
    size_t given;         /* its place among the files that were given */
    struct log_ends ends; /* where the reader asked for them; else, and of an empty file, 0 */

    /* It may still hold lines when this is set; the end of the source is HEAD_END. */
    bool text_end; /* nothing more comes into the buffer */
    bool packed;
    struct unpack unpack; /* when packed */

    char *buffer;
    size_t capacity, start, end; /* the bytes from start to end are still to be given out */
    size_t searched;             /* up to here there is no newline */
    uint64_t offset;             /* of the byte at start, in the unpacked file */
    /* Given out so far, also broken and too long ones: places count from 1. */
    uint64_t lines;

    /* After read_only(), of a plain file: the pieces from the one at hand on. */
    bool pieces_asked, in_pieces;
    struct scan_piece *piece, *last_piece;
    size_t piece_count, item;
    uint64_t next_from;
    /* After read_narrow(): */
    bool looked;
    struct narrow_marks marks;
    bool left_out;     /* nothing is read */
    uint64_t from, to; /* what is read; to 0: up to the end */

    enum head head;
    struct read_place place;
    struct record record;
    struct slice text; /* what the filter's write() made of it */
    int64_t time;      /* of the head, or what stands before it without one */
    /* What the merge goes by: time; after read_only() the highest so far, which gives the same
     * order, see earliest(). */
    int64_t key;
    char fault[MAX_FAULT];

    bool finished;         /* the line of the head has its newline */
    bool begun, marked;    /* mark.first is known; all of mark is */
    struct read_mark mark; /* of the line that was given out last */
};

/* The sources lie behind it in one block. */
struct log_reader {
    enum read_order order;
    bool chained; /* the files are one chain, in its order: nothing is merged */
    size_t count;
    /* Bytes on the disk, as read_progress() gives them. total is not known once a pipe is among the
     * sources. */
    uint64_t done, total;
    bool total_known, keeps_marks;
    struct record_kinds *kinds;       /* NULL: every line is parsed by itself */
    struct record_expander *expander; /* of filter.write */
    /* After read_only(): */
    bool filtered;
    struct scan_filter filter;
    struct scan *scan;
    unsigned threads, asked; /* that work, and that read_only() was given */
    size_t pieces;           /* of all sources */
    struct narrow_sampler *sampler;
    uint64_t grain;    /* of read_narrow() */
    uint64_t records;  /* that were read */
    struct slice text; /* of the record that was given out last */
    struct text texts; /* what it points into for a line that was not in a piece */
    struct source sources[];
};

/* ---- opening ----------------------------------------------------------------------------------
 */

/*
 * All files are opened before the first is read, and known by device and inode, so that a rotation
 * in between neither loses a file nor reads one twice.
 */

/* The name stays: places that were given out point to it. May be called twice. */
static void close_source(struct source *source)
{
    unpack_close(&source->unpack);
    base_free(source->buffer);
    source->packed = false;
    source->buffer = NULL;
    if (source->fd >= 0 && !source->standard) {
        close(source->fd);
    }
    source->fd = -1;
}

/* O_NOCTTY, since a terminal as a log must not become the controlling one. On failure the caller
 * closes what was opened. */
static enum miguard_status open_source(struct source *source, const char *name,
                                       struct miguard_error *reterr)
{
    struct stat status;

    source->standard = strcmp(name, "-") == 0;
    source->fd = -1;
    source->name = base_copy_text(source->standard ? "<stdin>" : name);
    if (source->name == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "reader", NULL);
    }
    source->place.file = source->name; /* for what is reported before the first line */
    source->fd = source->standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (source->fd < 0) {
        return error_set(reterr, errno == ENOENT ? MIGUARD_NOT_FOUND : MIGUARD_SYSTEM, errno,
                         "open", "%s: %s", name, strerrordesc_np(errno));
    }
    if (fstat(source->fd, &status) < 0) {
        return error_set(reterr, MIGUARD_SYSTEM, errno, "fstat", "%s: %s", name,
                         strerrordesc_np(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        return error_set(reterr, MIGUARD_SYSTEM, EISDIR, "open", "%s is a folder, not a log", name);
    }
    source->device = status.st_dev;
    source->inode = status.st_ino;
    source->regular = S_ISREG(status.st_mode);
    source->size = source->regular ? (uint64_t)status.st_size : 0;
    return MIGUARD_OK;
}

/* Only device and inode name a file: two paths, or a link, may lead to one. */
static bool same_file(const struct source *a, const struct source *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* Opens the file and leaves it out again when it is one of those before. Two open descriptors exist
 * for a moment; only the inode of an open file is sure to stay. */
static enum miguard_status add_source(struct log_reader *reader, const char *name,
                                      struct miguard_error *reterr)
{
    struct source *source = &reader->sources[reader->count];
    enum miguard_status status = open_source(source, name, reterr);

    if (status != MIGUARD_OK) {
        close_source(source);
        base_free(source->name);
        return status;
    }
    for (size_t i = 0; i < reader->count; i++) {
        if (same_file(&reader->sources[i], source)) {
            close_source(source);
            base_free(source->name);
            memset(source, 0, sizeof(*source));
            return MIGUARD_OK;
        }
    }
    reader->count++;
    reader->total += source->size;
    reader->total_known = reader->total_known && source->regular;
    return MIGUARD_OK;
}

/* ---- one chain ----
 */

/*
 * What rotation made of one log is read one file behind the other, as it was written, which is the
 * order of the records in one file, too. So nothing hangs on the times of files that are not
 * needed. Only files whose numbers join are taken for one chain; others are merged.
 */

/* An empty one is new. */
static int by_number(const void *a, const void *b)
{
    const struct source *x = a, *y = b;

    if ((x->size == 0) != (y->size == 0)) {
        return x->size == 0 ? 1 : -1;
    }
    if (x->ends.first.sequence != y->ends.first.sequence) {
        return x->ends.first.sequence < y->ends.first.sequence ? -1 : 1;
    }
    return x->given < y->given ? -1 : 1;
}

static int as_given(const void *a, const void *b)
{
    const struct source *x = a, *y = b;

    return x->given < y->given ? -1 : 1;
}

/* NOT_FOUND: one has no place in a chain. */
static enum miguard_status read_ends(struct log_reader *reader)
{
    enum miguard_status status = MIGUARD_OK;

    for (size_t i = 0; i < reader->count && status == MIGUARD_OK; i++) {
        struct source *source = &reader->sources[i];
        source->given = i;
        if (!source->regular || source->standard) {
            return MIGUARD_NOT_FOUND;
        }
        if (source->size > 0) {
            status = log_ends_read(source->fd, source->size, &source->ends);
        }
    }
    return status;
}

/* Empty files stand behind all others, or are passed over. */
static bool all_follow(const struct log_reader *reader)
{
    const struct source *before = NULL;

    for (size_t i = 0; i < reader->count; i++) {
        const struct source *source = &reader->sources[i];
        if (source->size == 0) {
            continue;
        }
        if (before != NULL && !log_ends_follow(&before->ends, &source->ends)) {
            return false;
        }
        before = source;
    }
    return true;
}

/* A reader by file keeps the order in which they were given. */
static enum miguard_status find_chain(struct log_reader *reader, struct miguard_error *reterr)
{
    const size_t count = reader->count > 1 ? reader->count : 0;
    enum miguard_status status = count > 0 ? read_ends(reader) : MIGUARD_NOT_FOUND;

    if (status == MIGUARD_NO_MEMORY) {
        return error_set(reterr, status, 0, "reader", NULL);
    }
    if (status != MIGUARD_OK) {
        reader->order = reader->order == READ_ANY ? READ_BY_FILE : reader->order;
        return MIGUARD_OK;
    }
    if (reader->order != READ_BY_FILE) {
        qsort(reader->sources, count, sizeof(*reader->sources), by_number);
    }
    reader->chained = all_follow(reader);
    if (!reader->chained) {
        qsort(reader->sources, count, sizeof(*reader->sources), as_given);
    }
    if (reader->chained || reader->order == READ_ANY) {
        reader->order = READ_BY_FILE;
    }
    return MIGUARD_OK;
}

/* Opens all before it reads any: see read.h. The files keep their order, which decides between
 * records of the same time, unless they are one chain. */
enum miguard_status read_open(const char *const *files, size_t count, enum read_order order,
                              struct log_reader **ret_reader, struct miguard_error *reterr)
{
    struct log_reader *reader = NULL;

    if (files == NULL || count == 0 || ret_reader == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "files", "there is no file to read");
    }
    if (count < SIZE_MAX / 2 / sizeof(struct source)) {
        reader = base_alloc(1, sizeof(*reader) + count * sizeof(struct source));
    }
    if (reader == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "reader", NULL);
    }
    reader->order = order;
    reader->total_known = true;
    reader->kinds = record_kinds_new();
    for (size_t i = 0; i < count; i++) {
        enum miguard_status status = add_source(reader, files[i], reterr);
        if (status != MIGUARD_OK) {
            read_close(reader);
            return status;
        }
    }
    enum miguard_status status = find_chain(reader, reterr);
    if (status != MIGUARD_OK) {
        read_close(reader);
        return status;
    }
    *ret_reader = reader;
    return MIGUARD_OK;
}

/* When no thread works on them any more. */
static void free_pieces(struct source *source)
{
    while (source->piece != NULL) {
        struct scan_piece *behind = source->piece->behind;
        scan_free_piece(source->piece);
        source->piece = behind;
    }
}

/* Safe for a reader that was opened in part. */
void read_close(struct log_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    scan_free(reader->scan);
    for (size_t i = 0; i < reader->count; i++) {
        close_source(&reader->sources[i]);
        free_pieces(&reader->sources[i]);
        narrow_release(&reader->sources[i].marks);
        base_free(reader->sources[i].name);
    }
    narrow_sampler_free(reader->sampler);
    record_kinds_free(reader->kinds);
    record_expander_free(reader->expander);
    text_release(&reader->texts);
    base_free(reader);
}

/* Bytes read from the descriptors; both grow while a log is being written. */
void read_progress(const struct log_reader *reader, uint64_t *ret_done, uint64_t *ret_total)
{
    *ret_done = reader->done;
    *ret_total = reader->total_known ? reader->total : 0;
}

/* ---- bytes ------------------------------------------------------------------------------------
 */

/*
 * A buffer holds at least one line. Packed files are unpacked into it; everything above sees the
 * same bytes either way.
 */

/* The reason goes into source->fault, which read_next() gives out. Always false. */
static bool failed(struct source *source, const char *what, const char *why)
{
    snprintf(source->fault, sizeof(source->fault), "%s: %s", what, why);
    return false;
}

/* The source ends here, and the others go on: see read_next(). */
static bool no_memory(struct source *source)
{
    return failed(source, "it cannot be read further", "out of memory");
}

/* From the file itself; *ret_count is 0 at its end. False sets the fault of the source. EINTR is
 * retried. */
static bool read_bytes(struct log_reader *reader, struct source *source, void *buffer, size_t size,
                       size_t *ret_count)
{
    ssize_t count;

    do {
        count = read(source->fd, buffer, size);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return failed(source, "it cannot be read further", strerrordesc_np(errno));
    }
    reader->done += (uint64_t)count;
    *ret_count = (size_t)count;
    return true;
}

/* A broken line of a plain file may begin as a packed one does. So only a file's very first bytes
 * are asked. The bytes that are in the buffer already become what is unpacked first. */
static bool begin(struct source *source)
{
    enum unpack_kind kind =
        source->offset > 0 ? UNPACK_PLAIN : unpack_kind(source->buffer, source->end);

    if (kind == UNPACK_PLAIN) {
        return true;
    }
    if (!unpack_open(&source->unpack, kind, source->buffer, source->end, BLOCK)) {
        return no_memory(source);
    }
    source->end = 0;
    source->packed = true;
    source->text_end = false; /* of what is unpacked nothing is known yet */
    return true;
}

/* The first bytes, enough to know what the file is; a pipe may give them one by one. */
static bool fill_first(struct log_reader *reader, struct source *source)
{
    source->buffer = base_alloc(1, BLOCK);
    if (source->buffer == NULL) {
        return no_memory(source);
    }
    source->capacity = BLOCK;
    while (source->end < UNPACK_MAGIC && !source->text_end) {
        size_t count = 0;
        if (!read_bytes(reader, source, source->buffer + source->end, BLOCK - source->end,
                        &count)) {
            return false;
        }
        source->end += count;
        source->text_end = count == 0;
    }
    return begin(source);
}

/* One step; nothing may come of it yet. At the end of the packed data unpack_feed() answers
 * UNPACK_END, which needs no step: text_end is set with it. */
static bool unpack(struct log_reader *reader, struct source *source)
{
    struct unpack *packed = &source->unpack;
    enum unpack_result result = UNPACK_MORE;
    const char *fault = NULL;
    size_t count = 0;

    if (unpack_is_empty(packed)) {
        if (!read_bytes(reader, source, packed->input, BLOCK, &count)) {
            return false;
        }
        source->text_end = count == 0;
        result = unpack_feed(packed, count, &fault);
    }
    if (result == UNPACK_MORE) {
        result = unpack_step(packed, source->buffer + source->end, source->capacity - source->end,
                             &count, &fault);
        source->end += count;
    }
    return result == UNPACK_NO_MEMORY ? no_memory(source)
           : result == UNPACK_DAMAGED ? failed(source, "it is damaged", fault)
                                      : true;
}

/* Room for more behind source->end: by moving what is left to the front, else by growing. */
static bool make_room(struct source *source)
{
    if (source->start > 0) {
        memmove(source->buffer, source->buffer + source->start, source->end - source->start);
        source->end -= source->start;
        source->searched -= source->start;
        source->start = 0;
    }
    if (source->end < source->capacity) {
        return true;
    }
    char *larger = base_resize(source->buffer, 2, source->capacity);
    if (larger == NULL) {
        return no_memory(source);
    }
    source->buffer = larger;
    source->capacity *= 2;
    return true;
}

/* Reads more behind source->end; nothing may come of it, and text_end says that nothing more
 * will. */
static bool fill(struct log_reader *reader, struct source *source)
{
    size_t count = 0;

    if (!make_room(source)) {
        return false;
    }
    if (source->packed) {
        return unpack(reader, source);
    }
    if (!read_bytes(reader, source, source->buffer + source->end, source->capacity - source->end,
                    &count)) {
        return false;
    }
    source->end += count;
    source->text_end = count == 0;
    return true;
}

/* ---- lines ------------------------------------------------------------------------------------
 */

/* Drops bytes from the front of the buffer. The offset counts them in the unpacked file. */
static void take(struct source *source, size_t length)
{
    source->start += length;
    source->offset += length;
    source->searched = source->start;
}

/* The end of the line at source->start, NULL when it is not in the buffer. The bytes that were
 * searched without success are not searched again when more has come. */
static char *line_end(struct source *source)
{
    char *newline = memchr(source->buffer + source->searched, '\n', source->end - source->searched);

    source->searched = newline != NULL ? (size_t)(newline - source->buffer) : source->end;
    return newline;
}

/* Reported in its place among the records. Always true: the source goes on with the next line. */
static bool broken(struct source *source, const char *what)
{
    source->head = HEAD_BROKEN;
    snprintf(source->fault, sizeof(source->fault), "%s", what);
    return true;
}

/* Without keeping it: who writes a line of a gigabyte must not make the reader hold it. The record
 * is empty then, as there is no line to show. */
static bool pass_long_line(struct log_reader *reader, struct source *source)
{
    char *newline = NULL;

    source->record = (struct record){0};
    while ((newline = line_end(source)) == NULL) {
        take(source, source->end - source->start);
        if (source->text_end) {
            return broken(source, "a line longer than 1 MiB");
        }
        if (!fill(reader, source)) {
            return false;
        }
    }
    take(source, (size_t)(newline + 1 - (source->buffer + source->start)));
    return broken(source, "a line longer than 1 MiB");
}

/* at: from 0. */
static bool malformed(struct source *source, const char *fault, size_t at, bool finished)
{
    source->head = HEAD_BROKEN;
    snprintf(source->fault, sizeof(source->fault), "%s, at byte %zu%s", fault, at + 1,
             finished ? "" : "; the line is not finished");
    return true;
}

/* finished: the line has its newline. A last line without one may be in the middle of being
 * written; it is parsed all the same, and its fault says so. A record without a time keeps that of
 * the line before, so that the merge does not move it. */
static bool parse_line(struct log_reader *reader, struct source *source, size_t length,
                       bool finished)
{
    size_t at = 0;
    const char *line = source->buffer + source->start;
    const char *fault = record_parse_like(reader->kinds, line, length, &source->record, &at);

    take(source, length + finished);
    source->finished = finished;
    if (fault == NULL) {
        source->head = HEAD_RECORD;
        record_time(&source->record, RECORD_TIMESTAMP, &source->time);
        return true;
    }
    source->record = (struct record){.line = line, .length = length};
    return malformed(source, fault, at, finished);
}

/* One line becomes the head. False when the source cannot be read further. */
static bool read_line(struct log_reader *reader, struct source *source)
{
    char *newline = NULL;

    if (source->buffer == NULL && !fill_first(reader, source)) {
        return false;
    }
    source->place = (struct read_place){source->name, source->lines + 1, source->offset};
    while ((newline = line_end(source)) == NULL && !source->text_end) {
        if (source->end - source->start > RECORD_MAX_LINE) {
            source->lines++;
            return pass_long_line(reader, source);
        }
        if (!fill(reader, source)) {
            return false;
        }
    }
    size_t length =
        (newline != NULL ? (size_t)(newline - source->buffer) : source->end) - source->start;
    if (newline == NULL && length == 0) {
        source->head = HEAD_END;
        return true;
    }
    source->lines++;
    return length > RECORD_MAX_LINE ? pass_long_line(reader, source)
                                    : parse_line(reader, source, length, newline != NULL);
}

/* ---- pieces -----------------------------------------------------------------------------------
 */

/*
 * After read_only() a plain file is looked through by scan.c. Its pieces are begun in their order,
 * some ahead, and their lines become heads in that order.
 */

/* Standard input may stand anywhere in its file, and is read from there. */
static bool reads_in_pieces(struct source *source)
{
    char magic[UNPACK_MAGIC];

    if (!source->pieces_asked) {
        source->pieces_asked = true;
        ssize_t got =
            source->regular && !source->standard ? pread(source->fd, magic, sizeof(magic), 0) : -1;
        source->in_pieces = got >= 0 && unpack_kind(magic, (size_t)got) == UNPACK_PLAIN;
    }
    return source->in_pieces;
}

/* False: out of memory. */
static bool begin_piece(struct log_reader *reader, struct source *source)
{
    uint64_t to = source->next_from + PIECE;

    to = source->to != 0 && source->to < to ? source->to : to;
    struct scan_piece *piece = scan_begin(reader->scan, source->fd, source->next_from, to);
    if (piece == NULL) {
        return no_memory(source);
    }
    source->next_from = to;
    if (source->piece == NULL) {
        source->piece = piece;
    } else {
        source->last_piece->behind = piece;
    }
    source->last_piece = piece;
    source->piece_count++;
    reader->pieces++;
    return true;
}

/* No line that is asked for begins there. */
static bool is_behind(const struct source *source)
{
    return source->to != 0 && source->next_from >= source->to;
}

/* One is needed; more are begun ahead where the file is known to have them, so many that no thread
 * waits for work while another is in the middle of its own. Of many files each holds one, and one
 * of them at a time more. */
static bool begin_pieces(struct log_reader *reader, struct source *source)
{
    const size_t ahead = AHEAD * (size_t)reader->threads;

    if (source->piece == NULL && !begin_piece(reader, source)) {
        return false;
    }
    while (reader->threads > 1 && source->lines > 0 && source->piece_count <= ahead &&
           reader->pieces < reader->count + 2 * ahead && source->next_from < source->size &&
           !is_behind(source)) {
        if (!begin_piece(reader, source)) {
            return false;
        }
    }
    return true;
}

/* Its lines were given out. */
static void end_piece(struct log_reader *reader, struct source *source)
{
    struct scan_piece *piece = source->piece;

    source->lines += piece->lines;
    source->key = piece->time > source->key ? piece->time : source->key;
    reader->records += piece->records;
    reader->done += piece->end;
    source->piece = piece->behind;
    source->piece_count--;
    source->item = 0;
    reader->pieces--;
    scan_give_back(reader->scan, piece);
}

/* A record that is wanted is parsed here again, unless write() has made of it what is needed. */
static bool take_item(struct log_reader *reader, struct source *source)
{
    const struct scan_piece *piece = source->piece;
    const struct scan_item *item = &piece->items[source->item++];
    const char *line = piece->buffer + item->at;
    size_t at = 0;

    source->place =
        (struct read_place){source->name, source->lines + item->line, piece->start + item->at};
    source->key = item->time > source->key ? item->time : source->key;
    source->finished = item->finished;
    source->record = (struct record){.line = item->too_long ? NULL : line, .length = item->length};
    if (item->too_long) {
        return broken(source, item->fault);
    }
    if (item->fault != NULL) {
        return malformed(source, item->fault, item->fault_at, item->finished);
    }
    source->head = HEAD_RECORD;
    if (reader->filter.write != NULL) {
        source->text = (struct slice){piece->texts.data + item->text, item->text_length};
    } else {
        (void)record_parse_like(reader->kinds, line, item->length, &source->record, &at);
    }
    return true;
}

/* The next line that is given out, or none when the piece has no more. False as read_line(). */
static bool next_wanted(struct log_reader *reader, struct source *source)
{
    if (source->piece == NULL && is_behind(source)) {
        source->head = HEAD_END;
        return true;
    }
    if (!begin_pieces(reader, source)) {
        return false;
    }
    struct scan_piece *piece = source->piece;
    scan_wait(reader->scan, piece);
    if (source->item < piece->count) {
        return take_item(reader, source);
    }
    if (piece->failed != NULL) {
        return failed(source, "it cannot be read further", piece->failed);
    }
    bool at_end = piece->at_end;
    end_piece(reader, source);
    source->head = at_end ? HEAD_END : HEAD_NONE;
    return true;
}

/* Files are merged by time; else one is read behind the other, and no order hangs on what is left
 * out of them. */
static bool is_merged(const struct log_reader *reader)
{
    return reader->order == READ_BY_TIME && reader->count > 1;
}

/* Without memory for the threads' results there is nothing to go on with. */
bool read_only(struct log_reader *reader, const struct scan_filter *filter, unsigned threads)
{
    reader->filtered = true;
    reader->filter = *filter;
    reader->asked = reader->total >= WORTH_THREADS ? threads : 1;
    reader->threads = reader->asked;
    reader->scan = scan_new(filter, reader->threads, is_merged(reader));
    reader->expander = filter->write != NULL ? record_expander_new() : NULL;
    return reader->scan != NULL;
}

/* ---- parts ------------------------------------------------------------------------------------
 */

/*
 * Samples of a file are taken once, when they are needed first. Which part of it they leave follows
 * from the bounds, so that read_again() can ask for another. In a chain the numbers of the first
 * records say of packed files whether they are needed.
 */

/* False: out of memory. */
static bool has_sampler(struct log_reader *reader)
{
    if (reader->sampler == NULL) {
        reader->sampler = narrow_sampler_new();
    }
    return reader->sampler != NULL;
}

/* In a chain the last records are those of its last file. False: out of memory. */
static bool look(struct log_reader *reader, struct source *source)
{
    const struct source *behind = source + 1, *end = reader->sources + reader->count;
    const bool closely = !reader->chained || behind == end || behind->size == 0;

    if (!source->looked && reads_in_pieces(source)) {
        source->looked = has_sampler(reader) &&
                         narrow_look(reader->sampler, source->fd, source->size, reader->total,
                                     reader->grain, closely, &source->marks);
        return source->looked;
    }
    return true;
}

/* The bounds of one file: a place is in one of them. */
static struct narrow_bounds bounds_of(const struct log_reader *reader, const struct source *source,
                                      const struct narrow_bounds *bounds)
{
    struct narrow_bounds own = *bounds;

    own.from = (size_t)(source - reader->sources) == bounds->file ? bounds->from : 0;
    return own;
}

static bool asks_for_all(const struct narrow_bounds *bounds)
{
    return bounds->first == 0 && bounds->last == UINT64_MAX && bounds->start == INT64_MIN &&
           bounds->end == INT64_MAX && bounds->entity == 0 && bounds->from == 0 &&
           bounds->to == UINT64_MAX;
}

/* By its place among the files. */
static bool is_cut_off(const struct log_reader *reader, const struct source *source,
                       const struct narrow_bounds *bounds)
{
    const size_t at = (size_t)(source - reader->sources);

    return at < bounds->file || at > bounds->last_file;
}

/* By its place in the chain the file has no record that is asked for: all of its numbers lie below
 * the first one of the file behind it. Samples are asked, too, where there are some. */
static bool lies_outside(const struct log_reader *reader, const struct source *source,
                         const struct narrow_bounds *bounds)
{
    const struct source *behind = source + 1, *end = reader->sources + reader->count;

    if (!reader->chained || source->size == 0 ||
        !(source->ends.packed || (source->looked && source->marks.ordered))) {
        return false;
    }
    return source->ends.first.sequence > bounds->last ||
           (behind < end && behind->size > 0 && behind->ends.first.sequence <= bounds->first);
}

/* The part of one file. False: out of memory. */
static bool set_part(struct log_reader *reader, struct source *source,
                     const struct narrow_bounds *bounds)
{
    const struct narrow_bounds own = bounds_of(reader, source, bounds);
    uint64_t to = UINT64_MAX;
    bool good = true;

    source->from = source->to = source->next_from = 0;
    source->left_out = is_cut_off(reader, source, bounds);
    if (source->left_out || asks_for_all(&own)) {
        return true;
    }
    good = look(reader, source);
    source->left_out = good && lies_outside(reader, source, &own);
    if (good && source->looked && !source->left_out) {
        good = has_sampler(reader);
        if (good) {
            narrow_refine(reader->sampler, &source->marks, &own, is_merged(reader));
        }
        narrow_range(&source->marks, &own, is_merged(reader), &source->from, &to);
        source->left_out = to == 0;
        source->to = to == UINT64_MAX ? 0 : to;
        source->next_from = source->from;
    }
    return good;
}

/* Files of a chain: a process has a lower number in one, and a higher one in the other; SIZE_MAX:
 * not known. */
struct between {
    size_t low, high;
};

/* What the samples of all files show. False: out of memory. */
static bool show_process(struct log_reader *reader, const struct narrow_bounds *bounds,
                         struct between *ret_between)
{
    *ret_between = (struct between){SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < reader->count; i++) {
        const struct narrow_marks *marks = &reader->sources[i].marks;
        if (!look(reader, &reader->sources[i])) {
            return false;
        }
        for (size_t j = 0; j < marks->count; j++) {
            const bool own = marks->list[j].entity == bounds->entity;
            if (own && marks->list[j].number <= bounds->number) {
                ret_between->low = i;
            } else if (own && ret_between->high == SIZE_MAX) {
                ret_between->high = i;
            }
        }
    }
    return true;
}

/* Of the files between, by halves: a process that writes all the time has a record near the
 * beginning of each, and among many processes it shows in few samples. Where it has none there,
 * nothing more is known. */
static void halve(struct log_reader *reader, const struct narrow_bounds *bounds,
                  struct between *between)
{
    size_t low = between->low != SIZE_MAX ? between->low : 0;
    size_t high = between->high != SIZE_MAX ? between->high : reader->count - 1;
    struct narrow_mark mark;

    while (low + 1 < high) {
        const size_t middle = low + (high - low) / 2;
        const struct source *source = &reader->sources[middle];
        if (!source->looked || !narrow_first(reader->sampler, source->fd, bounds->entity, &mark)) {
            return;
        }
        if (mark.number > bounds->number) {
            high = between->high = middle;
        } else if (mark.number + bounds->numbers < bounds->number) {
            low = between->low = middle;
        } else { /* the numbers of a process may be that far out of order */
            *between = (struct between){middle - 1, middle + 1};
            return;
        }
    }
}

/* Of a chain, the files in which the number of a process should stand: from the last one that shows
 * a lower number of it to the first that shows a higher one. Without such a one, the next file on
 * that side: a process shows in most files that it has written to. False: out of memory. */
static bool find_process(struct log_reader *reader, struct narrow_bounds *bounds)
{
    struct between between;

    if (bounds->entity == 0) {
        return true;
    }
    if (!show_process(reader, bounds, &between) || !has_sampler(reader)) {
        return false;
    }
    halve(reader, bounds, &between);
    if (between.low != SIZE_MAX || between.high != SIZE_MAX) {
        bounds->file = between.low != SIZE_MAX ? between.low : between.high - (between.high > 0);
        bounds->last_file = between.high != SIZE_MAX ? between.high : between.low + 1;
    }
    return true;
}

/* A file may have been renamed since; where it is the same one, what was seen in it stays true of
 * all that stood there. */
void read_share_marks(struct log_reader *reader, struct log_reader *before)
{
    for (size_t i = 0; i < reader->count; i++) {
        struct source *source = &reader->sources[i];
        for (size_t j = 0; j < before->count && !source->looked; j++) {
            struct source *other = &before->sources[j];
            if (other->looked && same_file(source, other) && reads_in_pieces(source) &&
                source->size >= other->size) {
                source->marks = other->marks;
                source->marks.fd = source->fd;
                source->looked = true;
                other->marks = (struct narrow_marks){0};
                other->looked = false;
            }
        }
    }
}

/* Little of the log may be left: less than half of the grain is not worth threads, since most of
 * its lines are new to each of them. */
static void set_threads(struct log_reader *reader)
{
    uint64_t all = 0;

    for (size_t i = 0; i < reader->count; i++) {
        const struct source *source = &reader->sources[i];
        const uint64_t end =
            source->to > 0 && source->to < source->size ? source->to : source->size;
        all += source->left_out || end < source->from ? 0 : end - source->from;
    }
    reader->threads = all >= reader->grain / 2 ? reader->asked : 1;
    scan_set_threads(reader->scan, reader->threads);
}

bool read_narrow(struct log_reader *reader, const struct narrow_bounds *bounds, uint64_t grain,
                 bool *ret_narrowed)
{
    struct narrow_bounds own = *bounds;

    reader->grain = grain;
    *ret_narrowed = false;
    if (reader->total >= 4 * grain && reader->chained && !find_process(reader, &own)) {
        return false;
    }
    for (size_t i = 0; i < reader->count && reader->total >= 4 * grain; i++) {
        struct source *source = &reader->sources[i];
        if (!set_part(reader, source, &own)) {
            return false;
        }
        *ret_narrowed |= source->from > 0 || source->to > 0 || source->left_out;
    }
    if (reader->total >= 4 * grain) {
        scan_set_times(reader->scan, bounds->start, bounds->end);
    }
    if (*ret_narrowed) {
        set_threads(reader);
    }
    return true;
}

/* Samples in their order: it is known where the file ends. */
static bool is_ordered(struct log_reader *reader, struct source *source)
{
    return look(reader, source) && source->looked && source->marks.ordered;
}

/* The sample that comes so many from the end of a chain, or of one file. False: it has not so many,
 * or a file behind it has no order. */
static bool cut_by_place(struct log_reader *reader, size_t marks, struct narrow_bounds *bounds)
{
    for (size_t i = reader->count; i-- > 0;) {
        struct source *source = &reader->sources[i];
        if (!is_ordered(reader, source)) {
            return false;
        }
        if (marks <= source->marks.count) {
            bounds->file = i;
            bounds->from = source->marks.list[source->marks.count - marks].offset;
            return true;
        }
        marks -= source->marks.count;
    }
    return false;
}

/* The time of the sample that comes so many from the end, of all files together; INT64_MIN: there
 * are not so many, or a file has no order. */
static int64_t time_of_mark(struct log_reader *reader, size_t marks)
{
    size_t *left = base_alloc(reader->count, sizeof(*left));
    int64_t time = left == NULL ? INT64_MIN : INT64_MAX;

    for (size_t i = 0; i < reader->count && time != INT64_MIN; i++) {
        time = is_ordered(reader, &reader->sources[i]) ? time : INT64_MIN;
        left[i] = reader->sources[i].marks.count;
    }
    while (marks-- > 0 && time != INT64_MIN) {
        size_t latest = SIZE_MAX;
        time = INT64_MIN;
        for (size_t i = 0; i < reader->count; i++) {
            const struct narrow_mark *list = reader->sources[i].marks.list;
            if (left[i] > 0 && list[left[i] - 1].time > time) {
                time = list[left[i] - 1].time;
                latest = i;
            }
        }
        if (latest != SIZE_MAX) {
            left[latest]--;
        }
    }
    base_free(left);
    return time;
}

/* What would be read with these bounds, of files whose samples are known. */
static uint64_t part_size(const struct log_reader *reader, const struct narrow_bounds *bounds)
{
    uint64_t all = 0, from, to;

    for (size_t i = 0; i < reader->count; i++) {
        const struct source *source = &reader->sources[i];
        const struct narrow_bounds own = bounds_of(reader, source, bounds);
        if (!is_cut_off(reader, source, bounds) && !lies_outside(reader, source, &own)) {
            narrow_range(&source->marks, &own, is_merged(reader), &from, &to);
            all += (to < source->size ? to : source->size) - from;
        }
    }
    return all;
}

/* In a chain what comes last stands last. Of other files the time decides, and by the guarantee of
 * narrow.h all that is left out is older than bounds->start. */
bool read_cut(struct log_reader *reader, size_t marks, struct narrow_bounds *bounds)
{
    enum { WORTH = 4 };

    if (reader->total < 4 * reader->grain) {
        return false;
    }
    if (reader->count == 1 || reader->chained) {
        return cut_by_place(reader, marks, bounds) &&
               part_size(reader, bounds) <= reader->total / WORTH;
    }
    int64_t time = time_of_mark(reader, marks);
    bounds->start = time > bounds->start ? time : bounds->start;
    return time != INT64_MIN && part_size(reader, bounds) <= reader->total / WORTH;
}

/* The pieces that were begun ahead are waited for. */
static void drop_pieces(struct log_reader *reader, struct source *source)
{
    while (source->piece != NULL) {
        struct scan_piece *piece = source->piece;
        scan_wait(reader->scan, piece);
        source->piece = piece->behind;
        reader->pieces--;
        scan_give_back(reader->scan, piece);
    }
    source->piece_count = source->item = 0;
}

bool read_again(struct log_reader *reader, const struct narrow_bounds *bounds)
{
    bool good = true;

    for (size_t i = 0; i < reader->count; i++) {
        struct source *source = &reader->sources[i];
        drop_pieces(reader, source);
        good = good && source->fd >= 0;
        source->head = HEAD_NONE;
        source->lines = 0;
        source->key = source->time = 0;
        good = set_part(reader, source, bounds) && good;
    }
    reader->records = reader->done = 0;
    set_threads(reader);
    return good;
}

uint64_t read_count(const struct log_reader *reader)
{
    return reader->records;
}

struct slice read_text(const struct log_reader *reader)
{
    return reader->text;
}

/* ---- records ----------------------------------------------------------------------------------
 */

/*
 * The merge looks at one line of each file and takes the earliest. Within a file nothing is moved:
 * records of several threads may be a little out of order, and a log shows them as they were
 * written.
 */

/* Whether the head is given out. What write() makes of it lies in source->text. */
static bool is_wanted(const struct log_reader *reader, const struct source *source)
{
    return source->head != HEAD_RECORD ||
           reader->filter.matches(reader->filter.context, &source->record);
}

/* Line by line, for what cannot be read in pieces: pipes and packed files. False as read_line(). */
static bool pass_lines(struct log_reader *reader, struct source *source)
{
    for (int i = 0; i < PASSES; i++) {
        if (!read_line(reader, source)) {
            return false;
        }
        reader->records += source->head == HEAD_RECORD;
        source->key = source->time > source->key ? source->time : source->key;
        if (is_wanted(reader, source)) {
            return true;
        }
        source->head = HEAD_NONE;
    }
    return true;
}

/* The end and a failure are kept, so that a source is not read again after either. */
static void next_head(struct log_reader *reader, struct source *source)
{
    bool good = true;

    if (source->head != HEAD_NONE) {
        return;
    }
    if (source->fd < 0 || source->left_out) {
        source->head = HEAD_END;
    } else if (!reader->filtered) {
        good = read_line(reader, source);
        source->key = source->time;
    } else {
        good = reads_in_pieces(source) ? next_wanted(reader, source) : pass_lines(reader, source);
    }
    if (!good) {
        source->head = HEAD_FAILED;
    }
    /* One that is read in pieces, or not yet, has no buffer, and may be read again. */
    if (source->head == HEAD_FAILED ||
        (source->head == HEAD_END && !source->in_pieces && !source->left_out)) {
        close_source(source);
    }
}

/*
 * What cannot be read is reported first. Of the same time, the file that was given first.
 *
 * After read_only() not every line becomes a head, and the highest time so far stands for that of
 * the line. The order is the same: a record that is older than one before it in its file comes
 * directly behind that one, since no other file's head was older when that one was taken.
 *
 * *ret_passed: a source has passed lines only, so it is not known which is the earliest.
 */
static struct source *earliest(struct log_reader *reader, bool *ret_passed)
{
    struct source *chosen = NULL;

    for (size_t i = 0; i < reader->count; i++) {
        struct source *source = &reader->sources[i];
        next_head(reader, source);
        if (source->head == HEAD_END) {
            continue;
        }
        if (source->head == HEAD_NONE) {
            *ret_passed = true;
            return NULL;
        }
        if (source->head == HEAD_FAILED || reader->order == READ_BY_FILE) {
            return source;
        }
        if (chosen == NULL || source->key < chosen->key) {
            chosen = source;
        }
    }
    return chosen;
}

/* ---- marks ------------------------------------------------------------------------------------
 */

/*
 * A rotation renames and packs files between two runs of `miguard audit follow`. A file is known by
 * the hash of its first line, the place in it by the hash of the last line that was given out. An
 * edited log shows as READ_CHANGED.
 */

/* BLAKE2b without a key: it distinguishes lines, and proves nothing. Whether a log is whole is a
 * question for verify.c. */
static void hash_line(const struct record *record, unsigned char hash[READ_HASH])
{
    crypto_generichash(hash, READ_HASH, (const unsigned char *)record->line, record->length, NULL,
                       0);
}

/* A line that is not finished and no record is to be read again when it is. One that is too long
 * is passed over, and reported again. */
static void set_mark(struct source *source, enum head head)
{
    if (source->record.line == NULL || (head == HEAD_BROKEN && !source->finished)) {
        return;
    }
    hash_line(&source->record, source->mark.last);
    source->mark.offset = source->place.offset;
    source->mark.length = source->record.length;
    source->mark.line = source->place.line;
    if (source->place.offset == 0) {
        memcpy(source->mark.first, source->mark.last, READ_HASH);
        source->begun = true;
    }
    source->marked = source->begun;
}

/* Reads on from this offset of the file on the disk, with everything else as after opening. A
 * caller that does not start at 0 sets offset and lines itself. */
static bool restart(struct source *source, off_t offset)
{
    if (lseek(source->fd, offset, SEEK_SET) < 0) {
        return failed(source, "it cannot be read further", strerrordesc_np(errno));
    }
    unpack_close(&source->unpack);
    base_free(source->buffer);
    source->buffer = NULL;
    source->packed = source->text_end = false;
    source->start = source->end = source->searched = 0;
    source->lines = 0;
    source->offset = 0;
    source->head = HEAD_NONE;
    return true;
}

/* The line at the mark becomes the head, when there is one. */
static bool read_marked(struct log_reader *reader, struct source *source,
                        const struct read_mark *mark)
{
    if (!source->packed) {
        if (!restart(source, (off_t)mark->offset)) {
            return false;
        }
        source->offset = mark->offset;
        source->lines = mark->line - 1;
    }
    while (source->offset < mark->offset && source->head != HEAD_END) {
        if (!read_line(reader, source)) {
            return false;
        }
    }
    return source->head == HEAD_END || read_line(reader, source);
}

/* Offset, length and hash: a file that was cut and written again has another line there. */
static bool stands_at(const struct source *source, const struct read_mark *mark)
{
    unsigned char hash[READ_HASH];

    if (source->head == HEAD_END || source->record.line == NULL ||
        source->place.offset != mark->offset || source->record.length != mark->length) {
        return false;
    }
    hash_line(&source->record, hash);
    return memcmp(hash, mark->last, READ_HASH) == 0;
}

/* The mark whose file begins with the line at hand. A packed copy begins with the same line as the
 * plain file, so it is found under any name. */
static const struct read_mark *find_mark(const struct source *source, const struct read_mark *marks,
                                         size_t count)
{
    unsigned char hash[READ_HASH];

    hash_line(&source->record, hash);
    for (size_t i = 0; i < count; i++) {
        if (memcmp(marks[i].first, hash, READ_HASH) == 0) {
            return &marks[i];
        }
    }
    return NULL;
}

/* False when the file cannot be read. */
static bool resume(struct log_reader *reader, struct source *source, const struct read_mark *marks,
                   size_t count, enum read_resumed *ret_resumed)
{
    if (!read_line(reader, source)) {
        return false;
    }
    const struct read_mark *mark = source->head == HEAD_END || source->record.line == NULL
                                       ? NULL
                                       : find_mark(source, marks, count);
    if (mark != NULL && mark->offset > 0 && !read_marked(reader, source, mark)) {
        return false;
    }
    if (mark != NULL && stands_at(source, mark)) {
        source->mark = *mark;
        source->begun = source->marked = true;
        source->head = HEAD_NONE;
        *ret_resumed = READ_RESUMED;
        return true;
    }
    *ret_resumed = mark != NULL ? READ_CHANGED : READ_FRESH;
    return restart(source, 0);
}

/* A failure is kept as the head: read_next() reports it in its turn. */
enum read_resumed read_resume(struct log_reader *reader, size_t file, const struct read_mark *marks,
                              size_t count)
{
    struct source *source = &reader->sources[file];
    enum read_resumed resumed = READ_FRESH;

    if (source->regular && !resume(reader, source, marks, count, &resumed)) {
        source->head = HEAD_FAILED;
        close_source(source);
    }
    return resumed;
}

/* Hashing every line costs time, so only `miguard audit follow` asks for it. */
void read_keep_marks(struct log_reader *reader)
{
    reader->keeps_marks = true;
}

/* In the order given, without files that were left out as the same inode. */
const char *read_name(const struct log_reader *reader, size_t file)
{
    return file < reader->count ? reader->sources[file].name : NULL;
}

bool read_mark(const struct log_reader *reader, size_t file, struct read_mark *ret_mark)
{
    if (!reader->sources[file].marked) {
        return false;
    }
    *ret_mark = reader->sources[file].mark;
    return true;
}

/* ---- the next record --------------------------------------------------------------------------
 */

/* What a piece has already, or is made now. */
static enum read_result give_text(struct log_reader *reader, struct source *source,
                                  const char **ret_fault)
{
    if (source->in_pieces) {
        reader->text = source->text;
        return READ_RECORD;
    }
    text_clear(&reader->texts);
    reader->filter.write(reader->filter.context, reader->expander, &source->record, &reader->texts);
    if (reader->texts.failed) {
        no_memory(source);
        *ret_fault = source->fault;
        return READ_FAILED;
    }
    reader->text = (struct slice){reader->texts.data, reader->texts.length};
    return READ_RECORD;
}

/* The head is given out and cleared; the next call reads the source's next line. A pointer into the
 * buffer stays valid until then. */
enum read_result read_next(struct log_reader *reader, struct record *ret_record,
                           struct read_place *ret_place, const char **ret_fault)
{
    bool passed = false;
    struct source *source = earliest(reader, &passed);

    if (source == NULL) {
        return passed ? READ_PASSED : READ_END;
    }
    enum head head = source->head;
    source->head = HEAD_NONE;
    *ret_place = source->place;
    if (head == HEAD_FAILED) {
        *ret_fault = source->fault;
        return READ_FAILED;
    }
    if (reader->keeps_marks) {
        set_mark(source, head);
    }
    *ret_record = source->record;
    if (head == HEAD_BROKEN) {
        *ret_fault = source->fault;
        return READ_BROKEN;
    }
    reader->records += !reader->filtered;
    return !reader->filtered || reader->filter.write == NULL ? READ_RECORD
                                                             : give_text(reader, source, ret_fault);
}

/* ---- the files of a log -----------------------------------------------------------------------
 */

/* One block: the array, and the texts behind it. It has room for the names of copies as well, which
 * are left out. */
static char **names_of(const struct log_parts *parts, size_t *ret_count)
{
    size_t bytes = 0, count = 0;

    for (size_t i = 0; i < parts->count; i++) {
        bytes += sizeof(char *) + strlen(parts->list[i].name) + 1;
    }
    char **list = base_alloc(1, bytes + 1);
    char *text = list == NULL ? NULL : (char *)(list + parts->count);
    for (size_t i = 0; i < parts->count && list != NULL; i++) {
        if (!parts->list[i].copy) {
            list[count++] = text;
            text = stpcpy(text, parts->list[i].name) + 1;
        }
    }
    *ret_count = count;
    return list;
}

/* By log_parts_find(); copies of a file are left out, or each record would be counted twice. */
enum miguard_status read_family(const char *log, char ***ret_files, size_t *ret_count,
                                struct miguard_error *reterr)
{
    struct log_parts parts = {0};
    enum miguard_status status = log_parts_find(log, 0, &parts, reterr);

    if (status != MIGUARD_OK) {
        return status;
    }
    char **list = names_of(&parts, ret_count);
    log_parts_release(&parts);
    if (list == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "files", NULL);
    }
    if (*ret_count == 0) {
        base_free(list);
        return error_set(reterr, MIGUARD_NOT_FOUND, ENOENT, "open", "%s: there is no such log",
                         log);
    }
    *ret_files = list;
    return MIGUARD_OK;
}
