/* SPDX-License-Identifier: MIT */
/*
 * Looks through pieces of plain files, several at once: finds the lines that begin in a piece, and
 * of these the records that a filter wants and the lines that are no records. read.c gives the
 * pieces and puts the results in order.
 */
#ifndef TOOLS_REVIEW_SCAN_H
#define TOOLS_REVIEW_SCAN_H

#include <sys/types.h>

#include "base/text.h"
#include "tools/review/record_like.h"

struct record_expander;

/* Which records are wanted. Both functions are called by several threads at once. */
struct scan_filter {
    /* Asked with the fields of `wanted` alone; record->line is set as well. */
    bool (*matches)(const void *context, const struct record *record);
    /* NULL: nothing is written. Else appends what the record becomes; with the
     * fields of `written`. expander is the thread's (record_expand.h). */
    void (*write)(const void *context, struct record_expander *expander,
                  const struct record *record, struct text *text);
    const void *context;
    struct record_fields_wanted wanted;
    const struct record_fields_wanted *written; /* what write() is called with; NULL: all */
    /* Not NULL: every line is an item, and this function makes its entry, of so many bytes, in
     * place of the two above. The entry may point into the line. */
    void (*line)(const void *context, struct record_kinds *kinds, const char *line, size_t length,
                 void *ret_entry);
    size_t entry_size;
    /* Not NULL: each record that is wanted has a value in which this text stands, and nothing else
     * is asked for: lines that cannot have it are passed. They are not counted, in places neither,
     * and a broken one is not reported. Letters, digits, - and _; with any other byte in it all
     * lines are looked at, and where files are merged. */
    const char *literal;
};

/* A line that is given out. Places count from the beginning of the piece's bytes. */
struct scan_item {
    size_t at, length;
    uint64_t line;     /* lines of the piece up to this one, which counts */
    int64_t time;      /* the highest time of a record of the piece so far; INT64_MIN: none */
    const char *fault; /* NULL: a record that is wanted */
    size_t fault_at;   /* at which byte of the line */
    bool too_long, finished;
    size_t text, text_length; /* in texts: what write() made */
};

/* One piece of a file: what is asked for, and what was found. */
struct scan_piece {
    struct scan_piece *next;   /* of those that wait, or of those that are unused */
    struct scan_piece *behind; /* the caller's: the next piece of the file */
    int fd;
    uint64_t from, to; /* lines that begin from here to before there */
    enum { SCAN_FREE, SCAN_WAITING, SCAN_BUSY, SCAN_DONE } state;

    char *buffer; /* the bytes from offset `start` of the file */
    size_t capacity, end;
    uint64_t start;
    struct scan_item *items;
    size_t count, room;
    struct text texts;
    char *entries; /* of the items */
    uint64_t lines, records;
    int64_t time; /* as of an item, behind all lines */
    /* Of the lines that were passed by their time, that with the highest; INT64_MIN: none. */
    int64_t passed_time;
    size_t passed_at, passed_length, first_line;
    bool at_end;        /* the file ended here */
    const char *failed; /* it could not be read, or memory ran out: a constant */
};

/* The threads and what waits for them. Everything is called by one thread. */
struct scan;

/* threads: 1 works in the caller alone. times: they are needed for a merge. NULL: out of memory. */
struct scan *scan_new(const struct scan_filter *filter, unsigned threads, bool times);
/* Waits for the threads, which leave what they have not begun. Pieces that were not given back are
 * to be freed then. NULL is allowed. */
void scan_free(struct scan *scan);
void scan_free_piece(struct scan_piece *piece);

/* Before the first piece: records of other times are not wanted, and their lines need not be looked
 * at further. Lines of such a time that are no records are not found then. */
void scan_set_times(struct scan *scan, int64_t start, int64_t end);

/* How many threads there may be from now on, the caller's among them; those that were started stay.
 * They are started with the next piece. */
void scan_set_threads(struct scan *scan, unsigned threads);

/* A piece that is to be looked through; NULL: out of memory. fd is read with pread(2). */
struct scan_piece *scan_begin(struct scan *scan, int fd, uint64_t from, uint64_t to);
/* Until it is done; the caller's thread works meanwhile. */
void scan_wait(struct scan *scan, struct scan_piece *piece);
/* It must be done; its memory is used again. */
void scan_give_back(struct scan *scan, struct scan_piece *piece);

/* How many processors this process may use, 16 at the most. */
unsigned scan_processors(void);

#endif
