/* SPDX-License-Identifier: MIT */
/* The options of a bench program, and its results as a table and as JSON. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/baseline.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/statistics.h"

enum { BENCH_MAX_ONLY = 32 };

struct bench_options {
    bool quick, verbose, update;
    bool json;             /* on standard output, in place of the table */
    const char *json_path; /* or into this file, beside it */
    const char *baseline;
    const char *only[BENCH_MAX_ONLY];
    size_t only_count;
};

struct bench_result {
    const struct bench_row *row;
    struct bench_figure figure;
    const char *skipped; /* why, or NULL */
    double baseline;     /* negative: the baseline has no such row */
    bool worse;          /* than it, by more than the noise */
    bool crashed;        /* the process of its group did not come to its end */
};

struct bench_run {
    const struct bench_options *options;
    struct machine machine;
    const char *other_processor; /* the baseline's; NULL: it is of this one */
    struct machine_load start, end;
    struct bench_result *results;
    size_t count;
};

/* False when there is nothing to run: with the exit status. */
bool options_read(int argc, char **argv, const struct bench_group *const groups[], size_t count,
                  struct bench_options *ret_options, int *ret_status);

void report_begin(const struct bench_run *run);
void report_row(const struct bench_run *run, const struct bench_result *result);

/* Prints what is to be said of all rows. Gives the exit status. */
int report_end(const struct bench_run *run);

/* Puts the ratios that were measured into it. */
void report_into_baseline(const struct bench_run *run, json_t *baseline);

/* Where the options ask for it. False after a message. */
bool report_json(const struct bench_run *run);

/* Runs the rows of a group in a child process. False when that did not come to its end. */
bool group_run(const struct bench_group *group);

#endif
