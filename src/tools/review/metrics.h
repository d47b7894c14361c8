/* SPDX-License-Identifier: MIT */
/*
 * Counts for a monitoring system, in Prometheus' text format. Memory is bounded: of more
 * combinations than METRICS_CALLS the calls are counted under the provider "other", so that the
 * sums hold and a flood of names cannot flood the monitoring.
 */
#ifndef TOOLS_REVIEW_METRICS_H
#define TOOLS_REVIEW_METRICS_H

#include "base/text.h"
#include "tools/review/record.h"

enum { METRICS_CALLS = 512, METRICS_LOSSES = 64, METRICS_TEXT = 256, METRICS_WORD = 48 };

/* Calls of one kind: decision is "deny", "would-deny" or "allow". */
struct metrics_calls {
    char decision[METRICS_WORD], reason[METRICS_WORD], provider[METRICS_TEXT];
    uint64_t count;
};

struct metrics_loss {
    char sink[METRICS_WORD], cause[METRICS_WORD];
    uint64_t count;
};

/* What the last verification found. answer "": there was none. */
struct metrics_verify {
    char answer[METRICS_WORD]; /* intact, intact-so-far, tampered, unproven */
    bool keyed;
    uint64_t alarms, losses;
    int64_t time; /* nanoseconds since 1970 */
};

/* Starts from {0}; holds no memory of its own. */
struct metrics {
    uint64_t records, broken;
    struct metrics_calls calls[METRICS_CALLS];
    size_t call_count;
    struct metrics_loss losses[METRICS_LOSSES];
    size_t loss_count;
    /* The last record in the order of time. */
    char chain[METRICS_WORD], hash[2 * METRICS_WORD];
    uint64_t sequence;
    int64_t time;
    struct metrics_verify verify;
};

/* The answers, ended with NULL. */
extern const char *const metrics_answers[];

void metrics_add(struct metrics *metrics, const struct record *record);
/* Adds to the calls, or losses, that are there; for counts that were kept. */
void metrics_add_calls(struct metrics *metrics, const struct metrics_calls *calls);
void metrics_add_loss(struct metrics *metrics, const struct metrics_loss *loss);

/* https://prometheus.io/docs/instrumenting/exposition_formats/. head: with the hash of the last
 * record, which is a new series each time. */
void metrics_write(struct text *text, const struct metrics *metrics, bool head);

#endif
