/* SPDX-License-Identifier: MIT */
/*
 * Runs the groups of a bench program, each in a child process (group.c), and collects the pairs of
 * their rows in memory that all of them share. A group cannot leave a gate, a policy or a full heap
 * to the next, and one that crashes takes only its own rows with it.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/report.h"

enum { FEWEST_ROUNDS = 7, QUICK_PART = 2, TURNS = 15 };

/* Of this program. The pairs are shared with the children. */
static const struct bench_group *const *bench_groups;
static size_t group_count;
static const struct bench_options *bench_options;
static struct samples {
    struct row_samples {
        size_t pairs;
        double first[BENCH_MAX_PAIRS], second[BENCH_MAX_PAIRS];
        char skipped[128];
    } rows[BENCH_MAX_ROWS];
} * samples;

/* ---- for the groups ----------------------------------------------------------------------------
 */

/* Aborts for a row that is of no group: its figures would be lost. */
static struct row_samples *samples_of(const struct bench_row *row)
{
    size_t before = 0;

    for (size_t i = 0; i < group_count; i++) {
        const struct bench_group *group = bench_groups[i];
        if (row >= group->rows && row < group->rows + group->count) {
            return &samples->rows[before + (size_t)(row - group->rows)];
        }
        before += group->count;
    }
    abort();
}

void bench_pair(const struct bench_row *row, double first, double second)
{
    struct row_samples *of = samples_of(row);

    if (of->pairs == BENCH_MAX_PAIRS) {
        abort();
    }
    of->first[of->pairs] = first;
    of->second[of->pairs] = second;
    of->pairs++;
}

void bench_skip(const struct bench_row *row, const char *why)
{
    struct row_samples *of = samples_of(row);

    if (of->skipped[0] == '\0') {
        snprintf(of->skipped, sizeof(of->skipped), "%s", why);
    }
}

void bench_skip_all(const struct bench_group *group, const char *why)
{
    for (size_t i = 0; i < group->count; i++) {
        bench_skip(&group->rows[i], why);
    }
}

bool bench_quick(void)
{
    return bench_options->quick;
}

bool bench_wants(const struct bench_row *row)
{
    if (row->full && bench_quick()) {
        return false;
    }
    for (size_t i = 0; i < bench_options->only_count; i++) {
        if (fnmatch(bench_options->only[i], row->name, 0) == 0) {
            return true;
        }
    }
    return bench_options->only_count == 0;
}

int bench_rounds(int count)
{
    const int few = count / QUICK_PART;

    return !bench_quick() ? count : few > FEWEST_ROUNDS ? few : FEWEST_ROUNDS;
}

double bench_time(bench_side side, void *data, int calls)
{
    double start = nanoseconds();
    side(data, calls);
    return (nanoseconds() - start) / calls;
}

void bench_compare(const struct bench_row *row, bench_side first, bench_side second, void *data,
                   int calls, int rounds)
{
    if (!bench_wants(row)) {
        return;
    }
    first(data, calls);
    second(data, calls);
    for (int i = 0; i < rounds; i++) {
        double early = bench_time(i % 2 == 0 ? first : second, data, calls);
        double late = bench_time(i % 2 == 0 ? second : first, data, calls);
        bench_pair(row, i % 2 == 0 ? early : late, i % 2 == 0 ? late : early);
    }
}

static double shorter(double a, double b)
{
    return a < b ? a : b;
}

void bench_compare_shortest(const struct bench_row *row, bench_side first, bench_side second,
                            void *data, int calls, int rounds)
{
    if (!bench_wants(row)) {
        return;
    }
    first(data, calls);
    second(data, calls);
    for (int i = 0; i < rounds; i++) {
        double shortest = bench_time(first, data, calls);
        double other = bench_time(second, data, calls);
        for (int turn = 1; turn < TURNS; turn++) {
            shortest = shorter(shortest, bench_time(first, data, calls));
            other = shorter(other, bench_time(second, data, calls));
        }
        bench_pair(row, shortest, other);
    }
}

void bench_system_calls(void *data, int calls)
{
    (void)data;
    for (int i = 0; i < calls; i++) {
        syscall(SYS_getppid);
    }
}

/* ---- running -----------------------------------------------------------------------------------
 */

static bool wants_group(const struct bench_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (bench_wants(&group->rows[i])) {
            return true;
        }
    }
    return false;
}

static struct bench_result result_of(const struct bench_row *row, const json_t *baseline)
{
    const struct row_samples *of = samples_of(row);
    struct bench_result result = {.row = row,
                                  .figure = bench_judge(row, of->first, of->second, of->pairs),
                                  .baseline = baseline_ratio(baseline, row->name)};

    result.skipped = of->pairs == 0 && of->skipped[0] != '\0' ? of->skipped : NULL;
    result.worse = result.baseline >= 0 && bench_is_worse(&result.figure, result.baseline);
    return result;
}

static void run_all(struct bench_run *run, const json_t *baseline)
{
    for (size_t i = 0; i < group_count; i++) {
        const struct bench_group *group = bench_groups[i];
        if (!wants_group(group)) {
            continue;
        }
        const bool ended = group_run(group);
        for (size_t k = 0; k < group->count; k++) {
            if (bench_wants(&group->rows[k])) {
                struct bench_result *result = &run->results[run->count++];
                *result = result_of(&group->rows[k], baseline);
                result->crashed = !ended;
                report_row(run, result);
            }
        }
    }
}

/* ---- the program -------------------------------------------------------------------------------
 */

/* Of the tables themselves. A mistake here is one of the program: false after a message. */
static bool check_tables(void)
{
    size_t rows = 0;

    for (size_t i = 0; i < group_count; i++) {
        const size_t length = strlen(bench_groups[i]->name);
        for (size_t k = 0; k < bench_groups[i]->count; k++) {
            const struct bench_row *row = &bench_groups[i]->rows[k];
            if (row->name == NULL || strncmp(row->name, bench_groups[i]->name, length) != 0 ||
                row->name[length] != '.' || row->first == NULL || row->second == NULL ||
                row->unit == NULL || row->leaves_out == NULL) {
                fprintf(stderr, "bench: row %zu of %s is not whole\n", k, bench_groups[i]->name);
                return false;
            }
        }
        rows += bench_groups[i]->count;
    }
    return rows <= BENCH_MAX_ROWS;
}

static bool any_wanted(void)
{
    for (size_t i = 0; i < group_count; i++) {
        if (wants_group(bench_groups[i])) {
            return true;
        }
    }
    fprintf(stderr, "bench: no row has such a name; --list prints them\n");
    return false;
}

/* The old baseline; NULL with *ret_status set when it is needed and unsound. */
static json_t *read_baseline(const struct bench_options *options, int *ret_status)
{
    if (options->update && access(options->baseline, F_OK) != 0) {
        return json_object();
    }
    return baseline_read(options->baseline, bench_groups, group_count, options->update, ret_status);
}

/* One baseline is of one processor: another's ratios are not put beside these. */
static bool may_update(const struct bench_options *options, const struct bench_run *run)
{
    if (!options->update || options->only_count == 0 || run->other_processor == NULL) {
        return true;
    }
    fprintf(stderr, "bench: %s is of another processor (%s): update all of it, without --only\n",
            options->baseline, run->other_processor);
    return false;
}

static int measure_all(const struct bench_options *options, json_t *baseline)
{
    static struct bench_result results[BENCH_MAX_ROWS];
    struct bench_run run = {.options = options, .results = results};

    machine_read(&run.machine);
    run.other_processor = baseline_other_processor(baseline, run.machine.cpu);
    if (!may_update(options, &run)) {
        return 2;
    }
    machine_load_read(&run.start);
    report_begin(&run);
    run_all(&run, baseline);
    machine_load_read(&run.end);
    int status = report_end(&run);
    if (options->update) {
        report_into_baseline(&run, baseline);
        if (options->only_count == 0) { /* a part says nothing about the others */
            baseline_set_processor(baseline, run.machine.cpu);
        }
        if (!baseline_write(options->baseline, baseline)) {
            status = 3;
        }
    }
    return report_json(&run) ? status : 3;
}

int bench_main(int argc, char **argv, const struct bench_group *const groups[], size_t count)
{
    struct bench_options options;
    int status = 0;

    bench_groups = groups;
    group_count = count;
    bench_options = &options;
    if (!check_tables()) {
        return 2;
    }
    if (!options_read(argc, argv, groups, count, &options, &status)) {
        return status;
    }
    if (!any_wanted()) {
        return 2;
    }
    json_t *baseline = read_baseline(&options, &status);
    if (baseline == NULL) {
        return status;
    }
    samples =
        mmap(NULL, sizeof(*samples), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (samples == MAP_FAILED) {
        perror("bench");
        return 3;
    }
    status = measure_all(&options, baseline);
    munmap(samples, sizeof(*samples));
    json_decref(baseline);
    return status;
}
