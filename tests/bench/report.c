/* SPDX-License-Identifier: MIT */
/* The results of a bench program as a table and as JSON. */
#include "bench/report.h"

#include <stdio.h>
#include <string.h>

static const char *const verdicts[] = {
    [BENCH_UNMEASURED] = "NOT MEASURED", [BENCH_MET] = "met", [BENCH_WITHIN_NOISE] = "noise",
    [BENCH_MISSED] = "MISSED",           [BENCH_SHOWN] = "-",
};

/* More noise than this part of the ratio shows little. */
static const double NOISY = 0.2;

/* With --json standard output is for the JSON alone. */
static FILE *text_of(const struct bench_run *run)
{
    return run->options->json ? stderr : stdout;
}

static void print_load(FILE *out, const char *when, const struct machine_load *load)
{
    if (load->load < 0) {
        fprintf(out, "load average at the %s: unknown\n", when);
    } else {
        fprintf(out, "load average at the %s: %.2f\n", when, load->load);
    }
}

void report_begin(const struct bench_run *run)
{
    const struct machine *machine = &run->machine;
    FILE *out = text_of(run);

    fprintf(out, "%s, %d processors", machine->cpu, machine->processors);
    if (machine->usable < machine->processors) {
        fprintf(out, " (%d usable)", machine->usable);
    }
    fprintf(out, ", governor %s\n%s, %s\ncompiler %s: %s\n", machine->governor, machine->kernel,
            machine->libc, machine->compiler, machine->flags);
    print_load(out, "start", &run->start);
    fprintf(out, "\n%-24s %9s %8s %9s %-12s %s\n", "row", "ratio", "noise", "goal", "", "sides");
}

/* A time in the unit in which it is short; anything else as it is. */
static void print_value(FILE *out, double value, const char *unit)
{
    static const struct {
        double size;
        const char *unit;
    } scales[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};

    for (size_t i = 0; strcmp(unit, "ns") == 0 && i < sizeof(scales) / sizeof(scales[0]); i++) {
        if (value >= scales[i].size) {
            fprintf(out, "%.3g %s ", value / scales[i].size, scales[i].unit);
            return;
        }
    }
    fprintf(out, value >= 1000 ? "%.0f " : "%.3g ", value);
    fprintf(out, unit[0] == '\0' ? "" : "%s ", unit);
}

static const char *why_unmeasured(const struct bench_result *result)
{
    return result->crashed ? "its process did not come to its end" : result->figure.why;
}

void report_row(const struct bench_run *run, const struct bench_result *result)
{
    const struct bench_figure *figure = &result->figure;
    FILE *out = text_of(run);
    char goal[32] = "-";

    if (result->row->goal >= 0) {
        snprintf(goal, sizeof(goal), "<= %.3g", result->row->goal);
    }
    if (result->skipped != NULL) {
        fprintf(out, "skip: %s: %s\n", result->row->name, result->skipped);
    } else if (figure->verdict == BENCH_UNMEASURED) {
        fprintf(out, "%-24s %9s %8s %9s %s: %s\n", result->row->name, "", "", goal,
                verdicts[figure->verdict], why_unmeasured(result));
    } else {
        fprintf(out, "%-24s %9.3g %8.2g %9s %-12s ", result->row->name, figure->ratio,
                bench_noise(figure), goal, verdicts[figure->verdict]);
        print_value(out, figure->first, result->row->unit);
        fprintf(out, "%s / ", result->row->first);
        print_value(out, figure->second, result->row->unit);
        fprintf(out, "%s\n", result->row->second);
    }
    if (run->options->verbose) {
        fprintf(out, "    leaves out: %s\n", result->row->leaves_out);
    }
    fflush(out);
}

/* ---- what is to be said of all --------------------------------------------------------------- */

static bool is_failure(const struct bench_result *result)
{
    return result->crashed || result->figure.verdict == BENCH_MISSED ||
           (result->skipped == NULL && result->figure.verdict == BENCH_UNMEASURED);
}

static void print_failure(FILE *out, const struct bench_result *result)
{
    const struct bench_figure *figure = &result->figure;

    if (figure->verdict == BENCH_UNMEASURED || result->crashed) {
        fprintf(out, "not measured: %s: %s\n", result->row->name, why_unmeasured(result));
    } else {
        fprintf(out, "missed: %s: %.3g (%.3g to %.3g), goal %.3g\n", result->row->name,
                figure->ratio, figure->low, figure->high, result->row->goal);
    }
}

static void print_baseline(FILE *out, const struct bench_result *result)
{
    if (result->worse) {
        fprintf(out, "worse than the baseline: %s: %.3g (%.3g to %.3g), baseline %.3g\n",
                result->row->name, result->figure.ratio, result->figure.low, result->figure.high,
                result->baseline);
    } else if (result->baseline < 0 && result->figure.verdict != BENCH_UNMEASURED) {
        fprintf(out, "not in the baseline: %s\n", result->row->name);
    }
}

static void print_notes(const struct bench_run *run, FILE *out)
{
    if (run->other_processor != NULL && !run->options->update) {
        fprintf(
            out,
            "the baseline is of another processor (%s): a ratio of unlike work, such as a check "
            "and a system call, differs for that alone\n",
            run->other_processor);
    }
    for (size_t i = 0; i < run->count; i++) {
        const struct bench_result *result = &run->results[i];
        const struct bench_figure *figure = &result->figure;

        if (is_failure(result)) {
            print_failure(out, result);
        }
        if (!run->options->update) {
            print_baseline(out, result);
        }
        if (result->row->goal > 0 && figure->verdict != BENCH_UNMEASURED &&
            bench_noise(figure) > NOISY * figure->ratio) {
            fprintf(out, "noisy: %s: %.3g to %.3g, goal %.3g\n", result->row->name, figure->low,
                    figure->high, result->row->goal);
        }
    }
}

static size_t count_verdict(const struct bench_run *run, enum bench_verdict verdict)
{
    size_t count = 0;

    for (size_t i = 0; i < run->count; i++) {
        count += run->results[i].figure.verdict == verdict && run->results[i].skipped == NULL;
    }
    return count;
}

static size_t count_skipped(const struct bench_run *run)
{
    size_t count = 0;

    for (size_t i = 0; i < run->count; i++) {
        count += run->results[i].skipped != NULL;
    }
    return count;
}

int report_end(const struct bench_run *run)
{
    const char *doubt = machine_doubt(&run->machine, &run->start, &run->end);
    FILE *out = text_of(run);
    int status = 0;

    fprintf(out, "\n");
    print_notes(run, out);
    fprintf(out,
            "goals: %zu met, %zu within the noise, %zu missed; rows: %zu without a goal, %zu not "
            "measured, %zu skipped\n",
            count_verdict(run, BENCH_MET), count_verdict(run, BENCH_WITHIN_NOISE),
            count_verdict(run, BENCH_MISSED), count_verdict(run, BENCH_SHOWN),
            count_verdict(run, BENCH_UNMEASURED), count_skipped(run));
    print_load(out, "end", &run->end);
    fprintf(out, "%.0f s, in which other programs took %.0f %% of the processors\n",
            run->end.time - run->start.time,
            100 * machine_share_of_others(&run->machine, &run->start, &run->end));
    if (doubt != NULL) {
        fprintf(out, "warning: the figures are doubtful: %s\n", doubt);
    }
    fflush(out);
    for (size_t i = 0; i < run->count; i++) {
        status = is_failure(&run->results[i]) ? 1 : status;
    }
    return status;
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

void report_into_baseline(const struct bench_run *run, json_t *baseline)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct bench_result *result = &run->results[i];
        if (result->figure.verdict != BENCH_UNMEASURED && !result->crashed) {
            json_object_set_new(baseline, result->row->name, json_real(result->figure.ratio));
        }
    }
}

static json_t *number_or_null(double value)
{
    return value < 0 ? json_null() : json_real(value);
}

static json_t *json_of(const struct bench_result *result)
{
    const struct bench_row *row = result->row;
    const struct bench_figure *figure = &result->figure;
    json_t *object = json_pack(
        "{s:s, s:o, s:s, s:i, s:{s:s, s:f, s:s}, s:{s:s, s:f, s:s}, s:s, s:o, s:b, s:s?}", "name",
        row->name, "goal", number_or_null(row->goal), "verdict",
        result->skipped != NULL               ? "skipped"
        : figure->verdict == BENCH_MISSED     ? "missed"
        : figure->verdict == BENCH_SHOWN      ? "no goal"
        : figure->verdict == BENCH_UNMEASURED ? "not measured"
                                              : verdicts[figure->verdict],
        "pairs", (int)figure->pairs, "first", "what", row->first, "value", figure->first, "unit",
        row->unit, "second", "what", row->second, "value", figure->second, "unit", row->unit,
        "leaves_out", row->leaves_out, "baseline", number_or_null(result->baseline), "worse",
        result->worse, "why", result->skipped != NULL ? result->skipped : why_unmeasured(result));

    if (figure->verdict != BENCH_UNMEASURED) {
        json_object_set_new(object, "ratio", json_real(figure->ratio));
        json_object_set_new(object, "low", json_real(figure->low));
        json_object_set_new(object, "high", json_real(figure->high));
    }
    return object;
}

static json_t *json_of_machine(const struct bench_run *run)
{
    const struct machine *machine = &run->machine;

    return json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:f, s:s?}", "cpu",
                     machine->cpu, "processors", machine->processors, "usable", machine->usable,
                     "kernel", machine->kernel, "libc", machine->libc, "compiler",
                     machine->compiler, "flags", machine->flags, "governor", machine->governor,
                     "load_at_start", number_or_null(run->start.load), "load_at_end",
                     number_or_null(run->end.load), "share_of_others",
                     machine_share_of_others(machine, &run->start, &run->end), "doubt",
                     machine_doubt(machine, &run->start, &run->end));
}

bool report_json(const struct bench_run *run)
{
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(6);
    const char *path = run->options->json_path;
    json_t *rows = json_array();

    if (!run->options->json && path == NULL) {
        json_decref(rows);
        return true;
    }
    for (size_t i = 0; i < run->count; i++) {
        json_array_append_new(rows, json_of(&run->results[i]));
    }
    json_t *all = json_pack("{s:o, s:b, s:o}", "machine", json_of_machine(run), "quick",
                            run->options->quick, "rows", rows);
    const int error = path != NULL ? json_dump_file(all, path, flags)
                                   : json_dumpf(all, stdout, flags) + fflush(stdout);
    json_decref(all);
    if (error != 0) {
        fprintf(stderr, "bench: %s: cannot be written\n", path != NULL ? path : "standard output");
    }
    return error == 0;
}
