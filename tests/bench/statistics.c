/* SPDX-License-Identifier: MIT */
/* The median of the ratios of a row's pairs, its interval, and the verdict on its goal. */
#include "bench/statistics.h"

#include <math.h>
#include <string.h>

enum { FEWEST_PAIRS = 6 }; /* of which the outermost are a 95 % interval: 2 / 2^6 is 3 % */

/*
 * How many of the sorted values lie outside the interval at each end: the most for which the median
 * of the distribution is beyond that end with 2.5 % at the most. A value lies below the median with
 * one half, so this counts the tosses of a coin.
 */
static size_t count_outside(size_t pairs)
{
    double probability = exp2(-(double)pairs), below = probability; /* none lies below */
    size_t outside = 0;

    while (outside < pairs / 2) {
        probability *= (double)(pairs - outside) / (double)(outside + 1);
        if (below + probability > 0.025) {
            break;
        }
        below += probability;
        outside++;
    }
    return outside;
}

/* The mean of the two in the middle where there are two: neither side is favoured. */
static double sort_to_median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* A count may be 0, as of allocations; a time is more. */
static bool is_sound(const struct bench_row *row, double first, double second)
{
    return isfinite(second) && second > 0 && (row->exact ? first >= 0 : first > 0) &&
           isfinite(first / second);
}

static const char *why_unmeasured(const struct bench_row *row, const double *first,
                                  const double *second, size_t pairs)
{
    if (pairs == 0) {
        return "no figures";
    }
    if (pairs > BENCH_MAX_PAIRS) {
        return "too many pairs";
    }
    for (size_t i = 0; i < pairs; i++) {
        if (!is_sound(row, first[i], second[i])) {
            return "a side is zero, negative or not a number";
        }
    }
    if (!row->exact && pairs < FEWEST_PAIRS) {
        return "too few pairs to know the noise";
    }
    return NULL;
}

static enum bench_verdict judge_goal(const struct bench_figure *figure, double goal)
{
    if (goal < 0) {
        return BENCH_SHOWN;
    }
    if (figure->ratio <= goal) {
        return BENCH_MET;
    }
    return figure->low <= goal ? BENCH_WITHIN_NOISE : BENCH_MISSED;
}

struct bench_figure bench_judge(const struct bench_row *row, const double *first,
                                const double *second, size_t pairs)
{
    struct bench_figure figure = {.pairs = pairs, .why = why_unmeasured(row, first, second, pairs)};
    double sorted[BENCH_MAX_PAIRS];

    if (figure.why != NULL) {
        return figure;
    }
    memcpy(sorted, first, pairs * sizeof(*sorted));
    figure.first = sort_to_median(sorted, pairs);
    memcpy(sorted, second, pairs * sizeof(*sorted));
    figure.second = sort_to_median(sorted, pairs);
    for (size_t i = 0; i < pairs; i++) {
        sorted[i] = first[i] / second[i];
    }
    figure.ratio = sort_to_median(sorted, pairs);
    const size_t outside = row->exact ? 0 : count_outside(pairs);
    figure.low = row->exact ? figure.ratio : sorted[outside];
    figure.high = row->exact ? figure.ratio : sorted[pairs - 1 - outside];
    figure.verdict = judge_goal(&figure, row->goal);
    return figure;
}

double bench_noise(const struct bench_figure *figure)
{
    return (figure->high - figure->low) / 2;
}

bool bench_is_worse(const struct bench_figure *figure, double baseline)
{
    return figure->verdict != BENCH_UNMEASURED && figure->low > baseline * BASELINE_ROOM;
}
