/* SPDX-License-Identifier: MIT */
/*
 * The frame of the benchmarks: what it makes of samples whose verdict is known, and the exit status
 * and the words of a bench program with planted rows, files and arguments.
 */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/statistics.h"

/* ---- the statistics ----------------------------------------------------------------------------
 */

enum { MOST = 8 };

/* Timed or counted, and the second side of all pairs. */
#define TIMED   false, 1
#define COUNTED true, 1

static const struct {
    const char *what;
    double goal;
    size_t pairs;
    double first[MOST];
    enum bench_verdict verdict;
    bool exact;
    double second;
} samples[] = {
    {"all at the goal", 1, 7, {1, 1, 1, 1, 1, 1, 1}, BENCH_MET, TIMED},
    {"around the goal", 1, 7, {0.9, 1.1, 0.95, 1.05, 1, 0.99, 1.01}, BENCH_MET, TIMED},
    {"a little above it",
     1,
     7,
     {0.99, 1.1, 1.01, 1.05, 1.02, 1.03, 1.04},
     BENCH_WITHIN_NOISE,
     TIMED},
    {"all above it", 1, 7, {1.2, 1.3, 1.25, 1.21, 1.22, 1.23, 1.24}, BENCH_MISSED, TIMED},
    {"all above it, by little",
     1,
     7,
     {1.02, 1.01, 1.01, 1.01, 1.01, 1.01, 1.01},
     BENCH_MISSED,
     TIMED},
    {"one disturbed pair", 1, 7, {1, 1, 1, 1, 1, 1, 1000}, BENCH_MET, TIMED},
    {"one lucky pair hides nothing of 8",
     1,
     8,
     {2, 2, 2, 2, 2, 2, 2, 0.9},
     BENCH_WITHIN_NOISE,
     TIMED},
    {"a huge spread", 1, 7, {0.001, 1000, 2, 3, 0.1, 50, 7}, BENCH_WITHIN_NOISE, TIMED},
    {"a huge spread above it", 1, 7, {2, 1000, 2, 3, 4, 50, 7}, BENCH_MISSED, TIMED},
    {"no goal", BENCH_NO_GOAL, 7, {9, 9, 9, 9, 9, 9, 9}, BENCH_SHOWN, TIMED},
    {"six pairs are enough", 1, 6, {1, 1, 1, 1, 1, 1}, BENCH_MET, TIMED},
    {"five are not", 1, 5, {1, 1, 1, 1, 1}, BENCH_UNMEASURED, TIMED},
    {"one is not", 1, 1, {0.5}, BENCH_UNMEASURED, TIMED},
    {"one without a goal is not", BENCH_NO_GOAL, 1, {0.5}, BENCH_UNMEASURED, TIMED},
    {"no pairs", 1, 0, {0}, BENCH_UNMEASURED, TIMED},
    {"no pairs, counted", 1, 0, {0}, BENCH_UNMEASURED, COUNTED},
    {"a time of zero", 1, 6, {1, 1, 0, 1, 1, 1}, BENCH_UNMEASURED, TIMED},
    {"a negative time", 1, 6, {1, 1, -1, 1, 1, 1}, BENCH_UNMEASURED, TIMED},
    {"not a number", 1, 6, {1, 1, 1, NAN, 1, 1}, BENCH_UNMEASURED, TIMED},
    {"infinite", 1, 6, {1, 1, 1, INFINITY, 1, 1}, BENCH_UNMEASURED, TIMED},
    {"divided by nearly nothing", 1, 6, {1, 1, 1, 1, 1, 1}, BENCH_UNMEASURED, false, 1e-310},
    {"divided by less than nothing", 1, 6, {1, 1, 1, 1, 1, 1}, BENCH_UNMEASURED, false, -1},
    {"divided by infinity", 1, 6, {1, 1, 1, 1, 1, 1}, BENCH_UNMEASURED, false, INFINITY},
    {"divided by no number", 1, 6, {1, 1, 1, 1, 1, 1}, BENCH_UNMEASURED, false, NAN},
    {"a count", 1, 1, {1}, BENCH_MET, COUNTED},
    {"a count that is too high", 1, 1, {1.001}, BENCH_MISSED, COUNTED},
    {"a count of zero, of zero", 0, 1, {0}, BENCH_MET, COUNTED},
    {"one more than zero", 0, 1, {1}, BENCH_MISSED, true, 1000},
    {"a negative count", 0, 1, {-1}, BENCH_UNMEASURED, COUNTED},
};

START_TEST(test_samples)
{
    const struct bench_row row = {.goal = samples[_i].goal, .exact = samples[_i].exact};
    double second[MOST];

    for (int i = 0; i < MOST; i++) {
        second[i] = samples[_i].second;
    }
    struct bench_figure figure = bench_judge(&row, samples[_i].first, second, samples[_i].pairs);
    ck_assert_msg(figure.verdict == samples[_i].verdict, "%s: %d", samples[_i].what,
                  figure.verdict);
    ck_assert_int_eq(figure.why != NULL, figure.verdict == BENCH_UNMEASURED);
}
END_TEST

/* By the binomial distribution; those of 41 are in measure.h. */
static const struct {
    size_t pairs;
    double low, high; /* counted from 1 */
} intervals[] = {{6, 1, 6},    {8, 1, 8},     {9, 2, 8},
                 {10, 2, 9},   {20, 6, 15},   {41, 14, 28},
                 {61, 23, 39}, {100, 40, 61}, {BENCH_MAX_PAIRS, 112, 145}};

START_TEST(test_interval)
{
    static double first[BENCH_MAX_PAIRS], second[BENCH_MAX_PAIRS];
    const size_t pairs = intervals[_i].pairs;
    const struct bench_row row = {.goal = BENCH_NO_GOAL};

    for (size_t i = 0; i < pairs; i++) { /* in no order: 7 and these counts have no common factor */
        const size_t step = pairs % 7 == 0 ? 11 : 7;
        first[i] = (double)(i * step % pairs + 1);
        second[i] = 1;
    }
    struct bench_figure figure = bench_judge(&row, first, second, pairs);
    ck_assert_double_eq(figure.ratio, (double)(pairs + 1) / 2);
    ck_assert_double_eq(figure.low, intervals[_i].low);
    ck_assert_double_eq(figure.high, intervals[_i].high);
    ck_assert_double_eq(bench_noise(&figure), (figure.high - figure.low) / 2);
}
END_TEST

START_TEST(test_too_many_pairs)
{
    static double ones[BENCH_MAX_PAIRS + 1];
    const struct bench_row row = {.goal = 1};

    ck_assert_int_eq(bench_judge(&row, ones, ones, BENCH_MAX_PAIRS + 1).verdict, BENCH_UNMEASURED);
}
END_TEST

START_TEST(test_worse_than_the_baseline)
{
    struct bench_figure figure = {.verdict = BENCH_MET, .ratio = 1.2, .low = 1.12, .high = 1.3};

    ck_assert(bench_is_worse(&figure, 1.0));
    ck_assert(!bench_is_worse(&figure, 1.1));
    ck_assert(!bench_is_worse(&figure, 1.2));
    figure.low = 1.0; /* its noise reaches the baseline */
    ck_assert(!bench_is_worse(&figure, 1.0));
    figure = (struct bench_figure){.verdict = BENCH_UNMEASURED, .low = 9};
    ck_assert(!bench_is_worse(&figure, 1.0));
    figure = (struct bench_figure){.verdict = BENCH_MISSED, .low = 1}; /* the first allocation */
    ck_assert(bench_is_worse(&figure, 0));
}
END_TEST

START_TEST(test_doubt)
{
    const struct machine machine = {.processors = 2, .usable = 2};
    const struct machine_load quiet = {.load = 0.1, .busy = 100, .own = 10, .time = 1000};
    struct machine_load end = {.load = 1, .busy = 110, .own = 20, .time = 1010};

    ck_assert_ptr_null(machine_doubt(&machine, &quiet, &end));
    end.busy = 115;
    ck_assert_double_eq(machine_share_of_others(&machine, &quiet, &end), 0.25);
    ck_assert_ptr_nonnull(machine_doubt(&machine, &quiet, &end));
    end.busy = 110;
    end.stolen = 1;
    ck_assert_ptr_nonnull(machine_doubt(&machine, &quiet, &end));
    end.stolen = 0;
    const struct machine_load busy = {.load = 1.5, .busy = 100, .own = 10, .time = 1000};
    ck_assert_ptr_nonnull(machine_doubt(&machine, &busy, &end));
    const struct machine_load unknown = {.load = -1, .busy = -1, .stolen = -1, .time = 1000};
    ck_assert_ptr_null(machine_doubt(&machine, &unknown, &end));
}
END_TEST

/* ---- a bench program with planted rows ---------------------------------------------------------
 */

#define ROW(row, what)                                                                             \
    {                                                                                              \
        .name = row, .goal = what, .first = "one", .second = "other", .unit = "ns",                \
        .leaves_out = "all of " row                                                                \
    }

static const struct bench_row good_rows[] = {ROW("good.met", 1), ROW("good.shown", BENCH_NO_GOAL),
                                             ROW("good.noise", 1)};
static const struct bench_row bad_rows[] = {ROW("bad.missed", 1), ROW("bad.met", 1)};
static const struct bench_row lazy_rows[] = {ROW("lazy.forgotten", 1), ROW("lazy.skipped", 1)};
static const struct bench_row crash_rows[] = {ROW("crash.done", 1), ROW("crash.undone", 1)};
static const struct bench_row full_rows[] = {ROW("full.short", 1),
                                             {.name = "full.long",
                                              .goal = 1,
                                              .first = "",
                                              .second = "",
                                              .unit = "",
                                              .leaves_out = "",
                                              .full = true}};

static const struct bench_row folder_rows[] = {ROW("folder.abort", 1), ROW("folder.wait", 1)};

static void give(const struct bench_row *row, double ratio, double step)
{
    for (int i = 0; i < 7; i++) {
        bench_pair(row, 100 * (ratio + step * i), 100);
    }
}

static void run_good(void)
{
    give(&good_rows[0], 0.5, 0.001);
    give(&good_rows[1], 5, 0.001);
    give(&good_rows[2], 0.95, 0.05);
}

static void run_bad(void)
{
    give(&bad_rows[0], 1.2, 0.01);
    give(&bad_rows[1], 1, 0);
}

static void run_lazy(void)
{
    bench_skip(&lazy_rows[1], "it needs a blue moon");
    bench_skip(&lazy_rows[1], "the second reason");
}

static void run_crash(void)
{
    give(&crash_rows[0], 0.5, 0);
    _exit(9);
}

static int busy_turns[2];

static void first_side(void *data, int calls)
{
    (void)data;
    busy_turns[0] += calls;
    bench_system_calls(NULL, calls);
}

static void second_side(void *data, int calls)
{
    (void)data;
    busy_turns[1] += calls;
    bench_system_calls(NULL, 100 * calls);
}

static void run_full(void)
{
    bench_compare(&full_rows[0], first_side, second_side, NULL, 50, bench_rounds(41));
    bench_compare(&full_rows[1], first_side, second_side, NULL, 50, bench_rounds(41));
    if (busy_turns[0] != busy_turns[1]) {
        abort();
    }
}

/* Leaves a folder that is not empty, and a process. */
static void run_folder(void)
{
    char path[128];
    const char *made = bench_folder("/tmp");

    snprintf(path, sizeof(path), "%s/below", made);
    if (made == NULL || mkdir(path, 0700) != 0) {
        abort();
    }
    snprintf(path, sizeof(path), "%s/below/file", made);
    fclose(fopen(path, "we"));
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    printf("folder %s process %d\n", made, (int)child);
    fflush(stdout);
    if (bench_wants(&folder_rows[1])) {
        pause();
    }
    abort();
}

BENCH_GROUP(folder, folder_rows, run_folder);
BENCH_GROUP(good, good_rows, run_good);
BENCH_GROUP(bad, bad_rows, run_bad);
BENCH_GROUP(lazy, lazy_rows, run_lazy);
BENCH_GROUP(crash, crash_rows, run_crash);
BENCH_GROUP(full, full_rows, run_full);

static const struct bench_group *const planted[] = {
    &bench_group_good, &bench_group_bad, &bench_group_lazy, &bench_group_crash, &bench_group_full};
/* A program of its own, since its groups do not come to their end. */
static const struct bench_group *const leaving[] = {&bench_group_folder};

static char folder[64];
static char said[65536]; /* standard output and standard error */

static const char *in_folder(const char *name)
{
    static char path[2][96];
    static int turn;

    turn ^= 1;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(in_folder(name), "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(content, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void read_file(const char *name)
{
    FILE *file = fopen(in_folder(name), "re");

    ck_assert_ptr_nonnull(file);
    said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
    fclose(file);
}

static void begin_folder(void)
{
    strcpy(folder, "/tmp/miguard-bench-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file("baseline", "{}");
    unsetenv("QUICK");
}

static void end_folder(void)
{
    char command[96];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* The exit status of the program with these arguments, and in said what it printed; "--baseline" is
 * added. NULL ends them. */
#define RUN(...) run_bench((char *[]){(char *)"bench", __VA_ARGS__, NULL})

static pid_t start_bench(char **arguments, const struct bench_group *const groups[], size_t length)
{
    char *all[16];
    int count = 0;

    for (; arguments[count] != NULL; count++) {
        all[count] = arguments[count];
    }
    all[count++] = (char *)"--baseline";
    all[count++] = (char *)in_folder("baseline");
    all[count] = NULL;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int out = open(in_folder("said"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        signal(SIGINT, SIG_DFL); /* Check's would end its own processes */
        signal(SIGTERM, SIG_DFL);
        signal(SIGHUP, SIG_DFL); /* ignored below nohup(1) */
        const int status = bench_main(count, all, groups, length);
        fflush(NULL);
        _exit(status);
    }
    return child;
}

static int run_bench(char **arguments)
{
    const pid_t child = start_bench(arguments, planted, sizeof(planted) / sizeof(planted[0]));
    int status = 0;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    read_file("said");
    return WEXITSTATUS(status);
}

#define SAID(text)     ck_assert_msg(strstr(said, text) != NULL, "%s is not in: %s", text, said)
#define SAID_NOT(text) ck_assert_msg(strstr(said, text) == NULL, "%s is in: %s", text, said)

START_TEST(test_met)
{
    ck_assert_int_eq(RUN("--only", "good.*"), 0);
    SAID("good.met");
    SAID("good.noise");
    SAID("goals: 1 met, 1 within the noise, 0 missed; rows: 1 without a goal, 0 not measured");
    SAID("load average at the start");
    SAID("load average at the end");
    SAID("compiler ");
    SAID("-O");
    SAID_NOT("bad.");
    SAID_NOT("leaves out");
}
END_TEST

START_TEST(test_missed)
{
    ck_assert_int_eq(RUN("--only", "bad.*", "--verbose"), 1);
    SAID("missed: bad.missed: 1.23 (1.2 to 1.26), goal 1");
    SAID("leaves out: all of bad.met");
    ck_assert_int_eq(RUN("--only", "bad.met"), 0);
    SAID_NOT("bad.missed");
    ck_assert_int_eq(RUN("--only", "bad.met", "--only", "good.*", "--only", "bad.miss*"), 1);
}
END_TEST

START_TEST(test_unmeasured)
{
    ck_assert_int_eq(RUN("--only", "lazy.skipped"), 0);
    SAID("skip: lazy.skipped: it needs a blue moon");
    ck_assert_int_eq(RUN("--only", "lazy.*"), 1);
    SAID("not measured: lazy.forgotten: no figures");
    SAID("1 not measured, 1 skipped");
    ck_assert_int_eq(RUN("--only", "crash.*"), 1);
    SAID("not measured: crash.undone: its process did not come to its end");
    ck_assert_int_eq(RUN("--only", "crash.done"), 1);
    SAID("not measured: crash.done: its process did not come to its end");
}
END_TEST

/* The folder, and the process beside it, of run_folder(); false while they are not known. */
static bool read_left_over(char path[64], int *ret_process)
{
    read_file("said");
    const char *at = strstr(said, "folder /tmp/");
    return at != NULL && sscanf(at, "folder %63s process %d", path, ret_process) == 2;
}

/* A process that has ended may wait for init(1) to take note of it. */
static void check_nothing_is_left(const char *path, int process)
{
    char name[64], state = 'R';

    ck_assert_int_ne(access(path, F_OK), 0);
    snprintf(name, sizeof(name), "/proc/%d/stat", process);
    for (int i = 0; i < 3000 && access(name, F_OK) == 0 && state != 'Z'; i++) {
        FILE *file = fopen(name, "re");
        if (file != NULL && fscanf(file, "%*d %*s %c", &state) != 1) {
            state = 'Z';
        }
        if (file != NULL) {
            fclose(file);
        }
        usleep(10000);
    }
    ck_assert(access(name, F_OK) != 0 || state == 'Z');
}

START_TEST(test_a_group_that_aborts_leaves_nothing)
{
    char path[64];
    int process = 0, status = 0;

    pid_t child = start_bench(
        (char *[]){(char *)"bench", (char *)"--only", (char *)"folder.abort", NULL}, leaving, 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    ck_assert(read_left_over(path, &process));
    SAID("not measured: folder.abort: its process did not come to its end");
    check_nothing_is_left(path, process);
}
END_TEST

START_TEST(test_a_signal_leaves_nothing)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    char path[64];
    int process = 0, status = 0;
    bool known = false;

    pid_t child = start_bench(
        (char *[]){(char *)"bench", (char *)"--only", (char *)"folder.wait", NULL}, leaving, 1);
    for (int i = 0; i < 6000 && !known; i++) {
        usleep(10000);
        known = access(in_folder("said"), F_OK) == 0 && read_left_over(path, &process);
    }
    ck_assert(known);
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert_int_eq(kill(child, signals[_i]), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == signals[_i]);
    check_nothing_is_left(path, process);
}
END_TEST

START_TEST(test_quick)
{
    ck_assert_int_eq(RUN("--only", "full.*"), 0);
    SAID("full.long");
    ck_assert_int_eq(RUN("--only", "full.*", "--quick", "--json"), 0);
    SAID_NOT("full.long");
    SAID("\"pairs\": 20");
    setenv("QUICK", "1", 1);
    ck_assert_int_eq(RUN("--only", "full.*"), 0);
    SAID_NOT("full.long");
}
END_TEST

static const struct {
    char *const arguments[4];
    int status;
    const char *text;
} invocations[] = {
    {{"--help"}, 0, "--update-baseline"},
    {{"--list"}, 0, "crash.undone"},
    {{"--list", "--verbose"}, 0, "leaves out: all of lazy.skipped"},
    {{"--only", "nothing*"}, 2, "no row has such a name"},
    {{"--only", "full.long", "--quick"}, 2, "no row has such a name"},
    {{"--only"}, 2, ""}, /* takes --baseline for the glob */
    {{"--unheard-of"}, 2, "unheard-of"},
    {{"surplus"}, 2, "surplus: not an option"},
    {{"--quick", "--update-baseline"}, 2, "not with --quick"},
    {{"--only", "bad.met", "--json=/nowhere/at/all"}, 3, "/nowhere/at/all"},
};

START_TEST(test_invocations)
{
    char *arguments[8] = {(char *)"bench"};

    for (int i = 0; i < 4; i++) {
        arguments[i + 1] = invocations[_i].arguments[i];
    }
    int status = run_bench(arguments);
    ck_assert_msg(status == invocations[_i].status, "%d: %d", _i, status);
    SAID(invocations[_i].text);
}
END_TEST

/* ---- the baseline ------------------------------------------------------------------------------
 */

static const struct {
    const char *content;
    int status;
    const char *text;
} baselines[] = {
    {"{}", 0, "not in the baseline: good.met"},
    {"{\"good.met\": 0.5, \"good.noise\": 1.1}", 0, "goals: 1 met"},
    {"{\"good.met\": 0.4}", 0, "worse than the baseline: good.met: 0.503"},
    {"{\"good.met\": 0}", 0, "worse than the baseline: good.met: 0.503"},
    {"{\"processor\": \"An abacus\", \"good.met\": 0.4}", 0, "another processor (An abacus)"},
    {"{\"processor\": \"An abacus\", \"good.met\": 0.4}", 0, "worse than the baseline: good.met"},
    {"{\"processor\": 1}", 2, "processor: not the name of a processor"},
    {"", 2, "baseline:1"},
    {"{\"good.met\": 0.5", 2, "baseline:1"},
    {"{\"good.met\": }", 2, "baseline:1"},
    {"{\"good.met\": 0.5} more", 2, "baseline:1"},
    {"[]", 2, "not an object"},
    {"{\"good.met\": \"0.5\"}", 2, "good.met: not a ratio"},
    {"{\"good.met\": true}", 2, "good.met: not a ratio"},
    {"{\"good.met\": null}", 2, "good.met: not a ratio"},
    {"{\"good.met\": {}}", 2, "good.met: not a ratio"},
    {"{\"good.met\": -0.5}", 2, "good.met: not a ratio"},
    {"{\"good.met\": 1e999}", 2, "baseline:1"},
    {"{\"good.met\": NaN}", 2, "baseline:1"},
    {"{\"good.met\": 1, \"good.met\": 2}", 2, "duplicate"},
    {"{\"good.met\": 1, \"good.gone\": 2}", 2, "good.gone: there is no such row"},
    {"{\"good.m\xff\": 1}", 2, "baseline:1"},
    {"{\"good.met\": \"\xc3\x28\"}", 2, "baseline:1"},
};

START_TEST(test_baselines)
{
    write_file("baseline", baselines[_i].content);
    int status = RUN("--only", "good.*");
    ck_assert_msg(status == baselines[_i].status, "%s: %d", baselines[_i].content, status);
    SAID(baselines[_i].text);
    if (status != 0) {
        SAID_NOT("ratio  "); /* nothing was measured */
    }
}
END_TEST

START_TEST(test_no_baseline)
{
    unlink(in_folder("baseline"));
    ck_assert_int_eq(RUN("--only", "good.*"), 3);
    SAID("baseline: No such file");
    ck_assert_int_eq(mkdir(in_folder("baseline"), 0700), 0);
    ck_assert_int_eq(RUN("--only", "good.*"), 3);
    ck_assert_int_eq(RUN("--only", "good.*", "--update-baseline"), 3);
}
END_TEST

START_TEST(test_update)
{
    unlink(in_folder("baseline"));
    ck_assert_int_eq(RUN("--update-baseline"), 1); /* the status is that of the rows */
    SAID_NOT("not in the baseline");
    read_file("baseline");
    SAID("\"good.met\": 0.503");
    SAID("\"bad.missed\": 1.23");
    SAID_NOT("lazy");
    SAID_NOT("crash"); /* nothing of a process that did not come to its end */
    ck_assert_int_eq(RUN("--only", "good.*"), 0);
    SAID_NOT("worse");
    SAID_NOT("not in the baseline");
}
END_TEST

/* All of it may be replaced, a part may not. */
START_TEST(test_update_of_another_processor)
{
    static const char content[] = "{\"processor\": \"An abacus\", \"bad.met\": 7}";

    write_file("baseline", content);
    ck_assert_int_eq(RUN("--only", "good.*", "--update-baseline"), 2);
    SAID("of another processor (An abacus): update all of it");
    SAID_NOT("ratio  "); /* nothing was measured */
    read_file("baseline");
    SAID(content);
    ck_assert_int_eq(RUN("--update-baseline"), 1);
    SAID_NOT("another processor");
    read_file("baseline");
    SAID("\"processor\": ");
    SAID_NOT("abacus");
    ck_assert_int_eq(RUN("--only", "good.*"), 0);
    SAID_NOT("another processor");
}
END_TEST

START_TEST(test_update_of_a_part)
{
    write_file("baseline", "{\"bad.met\": 7, \"good.met\": 7, \"good.gone\": 1}");
    ck_assert_int_eq(RUN("--only", "good.*", "--update-baseline"), 0);
    read_file("baseline");
    SAID("\"good.met\": 0.503");
    SAID("\"bad.met\": 7");
    SAID_NOT("good.gone");
    write_file("baseline", "{\"bad.met\": 7,");
    ck_assert_int_eq(RUN("--only", "good.*", "--update-baseline"), 2);
    read_file("baseline");
    SAID("{\"bad.met\": 7,"); /* left as it was */
}
END_TEST

/* ---- JSON --------------------------------------------------------------------------------------
 */

static const json_t *row_of(const json_t *all, const char *name)
{
    size_t index;
    json_t *row;

    json_array_foreach(json_object_get(all, "rows"), index, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0) {
            return row;
        }
    }
    ck_abort_msg("%s is not there", name);
}

#define IS(row, member, text)                                                                      \
    ck_assert_str_eq(json_string_value(json_object_get(row_of(all, row), member)), text)

START_TEST(test_json_file)
{
    char option[128];

    snprintf(option, sizeof(option), "--json=%s", in_folder("json"));
    write_file("baseline", "{\"good.met\": 0.25}");
    ck_assert_int_eq(RUN(option), 1);
    SAID("missed: bad.missed"); /* the table, too */
    json_t *all = json_load_file(in_folder("json"), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(all);
    IS("good.met", "verdict", "met");
    IS("good.noise", "verdict", "noise");
    IS("good.shown", "verdict", "no goal");
    IS("bad.missed", "verdict", "missed");
    IS("lazy.forgotten", "verdict", "not measured");
    IS("lazy.skipped", "verdict", "skipped");
    IS("lazy.skipped", "why", "it needs a blue moon");
    IS("bad.met", "leaves_out", "all of bad.met");
    ck_assert(json_is_true(json_object_get(row_of(all, "good.met"), "worse")));
    ck_assert_double_eq(json_number_value(json_object_get(row_of(all, "good.met"), "ratio")),
                        0.503);
    const json_t *machine = json_object_get(all, "machine");
    ck_assert(json_is_string(json_object_get(machine, "cpu")));
    ck_assert(json_is_string(json_object_get(machine, "flags")));
    ck_assert(json_object_get(machine, "load_at_end") != NULL);
    json_decref(all);
}
END_TEST

/* Standard output has nothing but the JSON; the table goes to standard error. */
START_TEST(test_json_alone)
{
    char *arguments[] = {(char *)"bench",
                         (char *)"--only",
                         (char *)"good.*",
                         (char *)"--json",
                         (char *)"--baseline",
                         (char *)in_folder("baseline"),
                         NULL};
    int ends[2], status;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(STDERR_FILENO);
        _exit(bench_main(6, arguments, planted, sizeof(planted) / sizeof(planted[0])));
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    json_t *all = json_loadf(out, 0, NULL);
    ck_assert_ptr_nonnull(all);
    IS("good.met", "verdict", "met");
    json_decref(all);
    fclose(out);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- all ----------------------------------------------------------------------------------------
 */

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

int main(void)
{
    Suite *suite = suite_create("bench_frame");
    TCase *statistics = tcase_create("statistics"), *program = tcase_create("program");

    tcase_add_loop_test(statistics, test_samples, 0, COUNT(samples));
    tcase_add_loop_test(statistics, test_interval, 0, COUNT(intervals));
    tcase_add_test(statistics, test_too_many_pairs);
    tcase_add_test(statistics, test_worse_than_the_baseline);
    tcase_add_test(statistics, test_doubt);
    suite_add_tcase(suite, statistics);
    tcase_set_timeout(program, 120);
    tcase_add_checked_fixture(program, begin_folder, end_folder);
    tcase_add_test(program, test_met);
    tcase_add_test(program, test_missed);
    tcase_add_test(program, test_unmeasured);
    tcase_add_test(program, test_quick);
    tcase_add_test(program, test_a_group_that_aborts_leaves_nothing);
    tcase_add_loop_test(program, test_a_signal_leaves_nothing, 0, 3);
    tcase_add_loop_test(program, test_invocations, 0, COUNT(invocations));
    tcase_add_loop_test(program, test_baselines, 0, COUNT(baselines));
    tcase_add_test(program, test_no_baseline);
    tcase_add_test(program, test_update);
    tcase_add_test(program, test_update_of_another_processor);
    tcase_add_test(program, test_update_of_a_part);
    tcase_add_test(program, test_json_file);
    tcase_add_test(program, test_json_alone);
    suite_add_tcase(suite, program);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
