/* SPDX-License-Identifier: MIT */
/*
 * Reading logs: several files (plain, .gz or .zst, or - for standard input) as one stream of
 * records in the order of time, with memory that does not grow with the size of the files. A
 * malformed line is reported with its place and counted.
 */
#ifndef TOOLS_REVIEW_READ_H
#define TOOLS_REVIEW_READ_H

#include "base/error.h"
#include "tools/review/narrow.h"
#include "tools/review/record.h"
#include "tools/review/scan.h"

/* Owns its files, buffers and names; for one thread at a time. */
struct log_reader;

enum read_order {
    /* Merged; within a file, records stay as they stand. Files of one chain are read one behind the
     * other, in the order of their numbers, as one that was not rotated. */
    READ_BY_TIME,
    READ_BY_FILE, /* one file after the other, as given */
    READ_ANY,     /* the same, but files of one chain in the order of their numbers */
};

/* Where a line stands. file is the name that was given to read_open(), "<stdin>" for "-", and lives
 * as long as the reader. */
struct read_place {
    const char *file;
    uint64_t line;   /* counted from 1; 0: not known, after read_narrow() */
    uint64_t offset; /* of the line's first byte, uncompressed */
};

/* What read_next() found. READ_END, READ_FAILED and READ_PASSED give no line. */
enum read_result {
    READ_RECORD,
    READ_BROKEN, /* *ret_fault says what is wrong with the line */
    READ_END,
    READ_FAILED, /* *ret_fault: a file could not be read further, or memory ran out */
    READ_PASSED, /* after read_only(): records that are not wanted were passed; call again */
};

/* Errors: INVALID_ARGUMENT, NO_MEMORY, SYSTEM and NOT_FOUND (reterr names the file). The same inode
 * twice, which rotation may show for a moment, is read once. The names are copied. Every file is
 * opened at once, so rotation during the reading loses nothing. On an error nothing is left
 * open. */
MIGUARD_CHECKED enum miguard_status read_open(const char *const *files, size_t count,
                                              enum read_order order, struct log_reader **ret_reader,
                                              struct miguard_error *reterr);
/* NULL is allowed. Places and records that were given out end with it. */
void read_close(struct log_reader *reader);

/* The record and the place are valid until the next call. A broken line comes where it stands, and
 * *ret_record has only its line (NULL for one longer than RECORD_MAX_LINE). After READ_FAILED the
 * next call goes on with the other files. READ_END comes again with every further call. */
MIGUARD_CHECKED enum read_result read_next(struct log_reader *reader, struct record *ret_record,
                                           struct read_place *ret_place, const char **ret_fault);

/*
 * Before the first read_next(): from now on only records that the filter wants are given out, and
 * broken lines as before, in the same order. Plain files are read by so many threads. Not together
 * with read_keep_marks(). filter is copied, its context must live as long as the reader. False: out
 * of memory.
 */
MIGUARD_CHECKED bool read_only(struct log_reader *reader, const struct scan_filter *filter,
                               unsigned threads);
/*
 * After read_only(), before the first read_next(): of plain files only the parts are read that can
 * hold what is asked for (narrow.h). Small logs, packed files and pipes are read as a whole.
 * grain: NARROW_GRAIN. *ret_narrowed: something is left out. False: out of memory. Broken lines of
 * the parts that are left out, and of times that are, are not reported.
 */
MIGUARD_CHECKED bool read_narrow(struct log_reader *reader, const struct narrow_bounds *bounds,
                                 uint64_t grain, bool *ret_narrowed);
/* Before read_narrow(): what another reader has seen of the same files is taken over and not looked
 * for again; that reader is only closed after it. */
void read_share_marks(struct log_reader *reader, struct log_reader *before);
/*
 * After read_narrow(): bounds that leave the end of the log, so many samples long, for a reader
 * that looks for the last records. Those that it finds with a time not before bounds->start are the
 * last ones of the log. False: that is too much of the log to be worth it, or not possible.
 */
bool read_cut(struct log_reader *reader, size_t marks, struct narrow_bounds *bounds);
/* Only after a read_cut() that was true: reading begins anew, with other bounds. */
MIGUARD_CHECKED bool read_again(struct log_reader *reader, const struct narrow_bounds *bounds);

/* What the filter's write() made of the record that was given out last; the record then has only
 * its line. Valid as long as the record. */
struct slice read_text(const struct log_reader *reader);
/* Records that were read so far, wanted or not. */
uint64_t read_count(const struct log_reader *reader);

/*
 * To go on later behind the last line that was given out, whatever the file is called then and
 * whether it is packed: a file is known by its first line, which no other has (it names the time,
 * the number and what was before), and the place in it by the line that stands there.
 */
enum { READ_HASH = 16 };
/* May be kept in a file between two runs: it holds no pointer. What is returned is the line that
 * read_next() gave out last of this file. */
struct read_mark {
    unsigned char first[READ_HASH], last[READ_HASH]; /* BLAKE2b of the lines */
    uint64_t offset, length, line;                   /* of the last */
};

/* What read_resume() did with a file. */
enum read_resumed {
    READ_FRESH,   /* none of the marks is of this file */
    READ_RESUMED, /* it goes on behind the mark */
    READ_CHANGED, /* another line stands at the mark: the file is read from its beginning */
};

/* The files of the reader are numbered from 0, those of a chain in its order; NULL behind the
 * last. */
const char *read_name(const struct log_reader *reader, size_t file);

/* Both before the first read_next(): from now on places are remembered; and a file goes on at its
 * mark. read_next() reports what goes wrong. */
void read_keep_marks(struct log_reader *reader);
/* count may be 0. Only regular files can go on: a pipe is read from where it stands. */
enum read_resumed read_resume(struct log_reader *reader, size_t file, const struct read_mark *marks,
                              size_t count);

/* False when no whole line of the file was given out yet. */
bool read_mark(const struct log_reader *reader, size_t file, struct read_mark *ret_mark);

/* How far it is, for a progress line: bytes read of bytes in all (of the files as they lie on the
 * disk); total is 0 when it is not known. For a packed file both are of the packed bytes. */
void read_progress(const struct log_reader *reader, uint64_t *ret_done, uint64_t *ret_total);

/* The files of a log in the order of their records (tools/review/files.h), without strays and
 * copies. The list and its texts are one block, for base_free(). NOT_FOUND without one. */
MIGUARD_CHECKED enum miguard_status read_family(const char *log, char ***ret_files,
                                                size_t *ret_count, struct miguard_error *reterr);

#endif
