/* SPDX-License-Identifier: MIT */
/*
 * The frame of the benchmarks: how a row is declared, how its figures come in, and what is made of
 * them.
 *
 * A row is a ratio of two sides that ran in turn in one run: the machine may be slow, shared or
 * noisy, but both sides had it alike. No goal is an absolute time. Each turn gives a pair of
 * figures; the row's ratio is the median of the ratios of the pairs.
 *
 * The noise of a row is the 95 % interval of that median by the order of the pairs (the sign test):
 * with 41 pairs from the 14th to the 28th of the sorted ratios. Nothing is assumed about how the
 * ratios are distributed, and a single disturbed pair changes nothing. A goal is missed when all of
 * the interval is above it: by more than the noise. With less than six pairs there is no such
 * interval, and a timed row counts as not measured.
 *
 * Two runs of one program differ by more than the pairs of one run do: its code, stacks and heap
 * lie elsewhere. So a row is named as worse than its baseline when all of its interval is above
 * BASELINE_ROOM times the baseline.
 *
 * To add a row: add it to the table of its group and give it its pairs in the group's function. To
 * add a group: a file with a table and a function, and its name in bench.c.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_NO_GOAL (-1.0)
#define BASELINE_ROOM 1.1

/* Two sides, and what is expected of them. A row with no goal written in its table has 0. */
struct bench_row {
    const char *name;   /* GROUP.WHAT; of the table, the globs and the baseline */
    double goal;        /* the ratio is at most this, or BENCH_NO_GOAL */
    const char *first;  /* what is measured */
    const char *second; /* and what it is divided by */
    const char *unit;   /* of both: "ns" is printed as us, ms or s where that is shorter */
    const char
        *leaves_out; /* what a user pays and this row does not show; what it does not prove */
    bool exact;      /* counted, not timed: it has no noise, and one pair will do */
    bool full;       /* only at full length: --quick leaves it out */
};

struct bench_group {
    const char *name;
    const struct bench_row *rows;
    size_t count;
    void (*run)(void); /* in a child process of its own */
};

/* Defines the group of that name; BENCH_GROUP_DECLARE before its first use. */
#define BENCH_GROUP_DECLARE(group) extern const struct bench_group bench_group_##group
#define BENCH_GROUP(group, table, function)                                                        \
    BENCH_GROUP_DECLARE(group);                                                                    \
    const struct bench_group bench_group_##group = {                                               \
        #group,                                                                                    \
        table,                                                                                     \
        sizeof(table) / sizeof((table)[0]),                                                        \
        function,                                                                                  \
    }

enum { BENCH_MAX_PAIRS = 256, BENCH_MAX_ROWS = 256 };

/* ---- in a group's function: also in the processes that it forks, and on all its threads --------
 */

/* One pair, each side for one call. Thread safe only when one thread at a time gives those of a
 * row. Pairs beyond BENCH_MAX_PAIRS abort. */
void bench_pair(const struct bench_row *row, double first, double second);

/* Why a row is not measured here (no jq, not root). The first reason stays. */
void bench_skip(const struct bench_row *row, const char *why);
void bench_skip_all(const struct bench_group *group, const char *why);

/* Whether the row is asked for. What it alone needs can be left out when not. */
bool bench_wants(const struct bench_row *row);

/* --quick: less of everything, in under a minute. */
bool bench_quick(void);

/* A new folder below this one, for files of the group. It is removed with all that is in it when
 * the group's process has ended, however it ended; so are programs that are still running. NULL
 * when it cannot be made. At most four of a group. */
const char *bench_folder(const char *below);

/* How many pairs to measure: count, or with --quick half of it, at least 7. */
int bench_rounds(int count);

/* Runs both sides, warm, in turn, rounds times; which is first changes with each round. A side
 * makes so many calls, and the pair is nanoseconds for one call. Does nothing when the row is not
 * asked for. */
typedef void (*bench_side)(void *data, int calls);
void bench_compare(const struct bench_row *row, bench_side first, bench_side second, void *data,
                   int calls, int rounds);

/* The same, where a pair is the shortest of several short turns of each side: other programs can
 * only make a turn longer, and a side that uses much of the cache by more. For sides that never
 * wait. */
void bench_compare_shortest(const struct bench_row *row, bench_side first, bench_side second,
                            void *data, int calls, int rounds);

/* A system call that does nothing, getppid(2): what a time is divided by that has no other side. Of
 * type bench_side. */
void bench_system_calls(void *data, int calls);

/* Nanoseconds for one of these calls of a side. */
double bench_time(bench_side side, void *data, int calls);

static inline double nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double median_of(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

/* ---- the program -------------------------------------------------------------------------------
 */

/*
 * Runs the groups as the arguments say (--help) and prints their table. Exit status: 0 every goal
 * is met, or missed by no more than the noise; 1 a goal is missed, or a row was neither measured
 * nor skipped; 2 the arguments or the baseline are invalid; 3 a file cannot be read or written.
 */
int bench_main(int argc, char **argv, const struct bench_group *const groups[], size_t count);

#endif
