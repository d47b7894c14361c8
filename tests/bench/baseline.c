/* SPDX-License-Identifier: MIT */
/* Reads and writes tests/bench/baseline.json. */
#include "bench/baseline.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_declared(const struct bench_group *const groups[], size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < groups[i]->count; k++) {
            if (strcmp(groups[i]->rows[k].name, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* 0 is a ratio: of allocations. */
static bool is_ratio(const json_t *value)
{
    return json_is_number(value) && isfinite(json_number_value(value)) &&
           json_number_value(value) >= 0;
}

/* The member that is not a row: the processor that the ratios are of. */
static const char processor_member[] = "processor";

/* False after a message. */
static bool check_processor(const char *path, const json_t *value)
{
    if (!json_is_string(value)) {
        fprintf(stderr, "bench: %s: %s: not the name of a processor\n", path, processor_member);
        return false;
    }
    return true;
}

static bool check_rows(const char *path, json_t *baseline, const struct bench_group *const groups[],
                       size_t count, bool unknown_is_dropped)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(baseline, next, name, value)
    {
        if (strcmp(name, processor_member) == 0) {
            if (!check_processor(path, value)) {
                return false;
            }
            continue;
        }
        if (!is_ratio(value)) {
            fprintf(stderr, "bench: %s: %s: not a ratio\n", path, name);
            return false;
        }
        if (!is_declared(groups, count, name) && !unknown_is_dropped) {
            fprintf(stderr, "bench: %s: %s: there is no such row; --update-baseline drops it\n",
                    path, name);
            return false;
        }
        if (!is_declared(groups, count, name)) {
            json_object_del(baseline, name);
        }
    }
    return true;
}

json_t *baseline_read(const char *path, const struct bench_group *const groups[], size_t count,
                      bool unknown_is_dropped, int *ret_status)
{
    json_error_t error;
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
        *ret_status = 3;
        return NULL;
    }
    json_t *baseline = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    const bool unread = ferror(file) != 0;
    fclose(file);
    if (baseline == NULL) {
        fprintf(stderr, "bench: %s:%d:%d: %s\n", path, error.line, error.column, error.text);
        *ret_status = unread ? 3 : 2;
        return NULL;
    }
    if (!json_is_object(baseline)) {
        fprintf(stderr, "bench: %s: not an object of rows and ratios\n", path);
    } else if (check_rows(path, baseline, groups, count, unknown_is_dropped)) {
        return baseline;
    }
    json_decref(baseline);
    *ret_status = 2;
    return NULL;
}

double baseline_ratio(const json_t *baseline, const char *row)
{
    const json_t *value = json_object_get(baseline, row);

    return value == NULL ? -1 : json_number_value(value);
}

const char *baseline_other_processor(const json_t *baseline, const char *processor)
{
    const char *of = json_string_value(json_object_get(baseline, processor_member));

    return of == NULL || strcmp(of, processor) == 0 ? NULL : of;
}

void baseline_set_processor(json_t *baseline, const char *processor)
{
    json_object_set_new(baseline, processor_member, json_string(processor));
}

/* Whole or not at all: what was there is replaced when all is written. */
bool baseline_write(const char *path, const json_t *baseline)
{
    char beside[4096];

    snprintf(beside, sizeof(beside), "%s.new", path);
    if (json_dump_file(baseline, beside,
                       JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(3)) != 0 ||
        rename(beside, path) != 0) {
        fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
        unlink(beside);
        return false;
    }
    return true;
}
