/* SPDX-License-Identifier: MIT */
/* What is made of the pairs of a row (measure.h). */
#ifndef BENCH_STATISTICS_H
#define BENCH_STATISTICS_H

#include "bench/measure.h"

enum bench_verdict {
    BENCH_UNMEASURED = 0, /* no pairs, too few, or a side that is no time: why says which */
    BENCH_MET,
    BENCH_WITHIN_NOISE, /* above the goal, by no more than the noise */
    BENCH_MISSED,
    BENCH_SHOWN, /* the row has no goal */
};

struct bench_figure {
    enum bench_verdict verdict;
    double first, second;    /* the medians of the sides */
    double ratio, low, high; /* the median of the ratios and the ends of its interval */
    size_t pairs;
    const char *why; /* of BENCH_UNMEASURED, otherwise NULL */
};

/* The pairs are first[i] and second[i]. No more than BENCH_MAX_PAIRS. */
struct bench_figure bench_judge(const struct bench_row *row, const double *first,
                                const double *second, size_t pairs);

/* Half the width of the interval. */
double bench_noise(const struct bench_figure *figure);

/* Whether it is worse than the baseline by more than the noise of both runs. */
bool bench_is_worse(const struct bench_figure *figure, double baseline);

#endif
