/* SPDX-License-Identifier: MIT */
/* The baseline: a JSON object of the ratio of each row, as one run had them, and of the processor
 * that this was on. */
#ifndef BENCH_BASELINE_H
#define BENCH_BASELINE_H

#include <jansson.h>

#include "bench/measure.h"

/*
 * Reads and checks all of it. NULL after a message on standard error, with the exit status that it
 * means: 3 when the file cannot be read; 2 when it is not UTF-8 JSON, names a row twice, or has a
 * ratio or a processor that is none. A row that no group has is an error, too (status 2), unless
 * unknown_is_dropped. The caller releases it with json_decref().
 */
json_t *baseline_read(const char *path, const struct bench_group *const groups[], size_t count,
                      bool unknown_is_dropped, int *ret_status);

/* The row's ratio; negative when the baseline has none. */
double baseline_ratio(const json_t *baseline, const char *row);

/* The baseline's processor, when it is another one than this; NULL: the same, or not known. The
 * baseline has it. */
const char *baseline_other_processor(const json_t *baseline, const char *processor);

void baseline_set_processor(json_t *baseline, const char *processor);

/* A row a line, in the order of their names. False after a message on standard error. */
bool baseline_write(const char *path, const json_t *baseline);

#endif
