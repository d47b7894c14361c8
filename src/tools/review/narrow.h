/* SPDX-License-Identifier: MIT */
/*
 * Which part of a log can hold the records that are asked for by number or by time, so that a
 * reader need not read the rest.
 *
 * What it relies on, per file: records are written under the log's lock, so numbers ascend; and no
 * record is older by more than the file's slack than one before it. How much that is, the end of
 * the file says (miguard.order; audit/file/order.c), where it speaks of the first record as well;
 * the few behind the one that says it are looked at. In other files, as those of programs that kept
 * no order, it is taken to be NARROW_SLACK seconds, which is a guess.
 *
 * Both are looked at in a sample every NARROW_GRAIN bytes (in a large log NARROW_MOST of them at
 * the most) and in the last record, and where one does not hold the file is read as a whole: in a
 * file that was put together or edited, or where a sample has no record. Between two samples a
 * disorder is not seen where it was edited into a file, or where the slack is a guess and the clock
 * was set back by more. Such a file can be read with --whole. That the numbers of a process ascend
 * is not relied on: what is not found by them is looked for everywhere.
 *
 * Records that come into a file while it is read may be left out: it is as if it had been read a
 * moment before.
 */
#ifndef TOOLS_REVIEW_NARROW_H
#define TOOLS_REVIEW_NARROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NARROW_GRAIN = 4 * 1024 * 1024,
    NARROW_FINE = 16,   /* a boundary that is asked for is looked for to this part of the grain */
    NARROW_MOST = 1024, /* samples of a log; in a larger one they lie further apart */
    NARROW_SLACK = 3600,
    /* How far a process's records are out of the order of their numbers: mostly, and hardly ever
     * further. */
    NARROW_NEAR = 16,
    NARROW_NUMBERS = 512,
};

/* What is asked for. Everything: narrow_all. */
struct narrow_bounds {
    uint64_t first, last;    /* numbers of the log */
    int64_t start, end;      /* nanoseconds since 1970 */
    uint64_t entity, number; /* of event.id; entity 0: not asked for */
    uint64_t numbers;        /* so far before and behind it, NARROW_NEAR or NARROW_NUMBERS */
    uint64_t from, to;       /* bytes of a file; from is of the file `file` alone */
    size_t file, last_file;  /* the files before and behind them are left out (read.c) */
};
extern const struct narrow_bounds narrow_all;

/* A record, and where its line begins. */
struct narrow_mark {
    uint64_t offset, sequence, entity, number, chain;
    int64_t time;
};

/* Samples of a file, in their order. ordered: what is relied on holds for all of them. */
struct narrow_marks {
    struct narrow_mark *list;
    size_t count, room;
    bool ordered;
    int64_t slack; /* nanoseconds */
    int fd;
    uint64_t size, fine;
};

/* What looking at files needs, one after the other. NULL: out of memory. */
struct narrow_sampler *narrow_sampler_new(void);
/* NULL is allowed. */
void narrow_sampler_free(struct narrow_sampler *look);

/* Looks at a plain file, which stays open. grain: between two samples, more in a large log, which
 * has so many bytes in all its files. closely: the last records may be asked for, and samples stand
 * closer there. False out of memory. */
bool narrow_look(struct narrow_sampler *look, int fd, uint64_t size, uint64_t all, uint64_t grain,
                 bool closely, struct narrow_marks *ret_marks);
/* More samples where the range of these bounds begins and ends, before narrow_range(). */
void narrow_refine(struct narrow_sampler *look, struct narrow_marks *marks,
                   const struct narrow_bounds *bounds, bool merged);
/* The first record of a process in the beginning of a plain file. False: none stands there. */
bool narrow_first(struct narrow_sampler *look, int fd, uint64_t entity,
                  struct narrow_mark *ret_mark);
/* A zeroed one is allowed. */
void narrow_release(struct narrow_marks *marks);

/* The bytes of the file in which lines that are asked for can begin; *ret_to is UINT64_MAX for its
 * end, 0 for none. A record of the process may stand elsewhere.
 * merged: other files are read with it, so that what is left out must not have changed the order
 * (read.c, earliest()). */
void narrow_range(const struct narrow_marks *marks, const struct narrow_bounds *bounds, bool merged,
                  uint64_t *ret_from, uint64_t *ret_to);

#endif
