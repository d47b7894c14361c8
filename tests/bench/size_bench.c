/* SPDX-License-Identifier: MIT */
/*
 * What a daemon pays before its first request: the size of each library on disk, how many others it
 * brings, and how much longer a program takes to start with it. A start is that of true(1) with the
 * library preloaded.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"

enum { STARTS = 101 };
enum { SIZE, LIBRARIES, START };

static const struct bench_row size_rows[] = {
    [SIZE] = {.name = "size.core",
              .goal = 0.75,
              .first = "libmiguard-core.so, stripped",
              .second = "libmiguard.so, stripped",
              .unit = "KiB",
              .leaves_out = "the libraries that each brings (size.libraries)",
              .exact = true},
    [LIBRARIES] = {.name = "size.libraries",
                   .goal = BENCH_NO_GOAL,
                   .first = "libraries that the core brings",
                   .second = "those that the whole brings",
                   .unit = "",
                   .leaves_out = "how large they are, and which of them a program has anyway",
                   .exact = true},
    [START] = {.name = "size.start",
               .goal = 1,
               .first = "starting true(1) with the core preloaded",
               .second = "the same with the whole library",
               .unit = "ns",
               .leaves_out =
                   "the first binding: reading a policy and opening a log, which the core "
                   "does not; that any program's own start is in both sides"},
};

static double start_ns(char *preload)
{
    char *const arguments[] = {(char *)"true", NULL};
    char *const environment[] = {preload, NULL};
    pid_t pid = -1;
    int status = -1;

    double begin = nanoseconds();
    if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environment) != 0 ||
        waitpid(pid, &status, 0) != pid || status != 0) {
        abort();
    }
    return nanoseconds() - begin;
}

/* The number of libraries that are loaded with it, itself left out. */
static double needed(const char *library)
{
    char command[256], line[32] = "";

    snprintf(command, sizeof(command), "ldd %s | grep -c '=> /'", library);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL || fgets(line, sizeof(line), pipe) == NULL) {
        abort();
    }
    pclose(pipe);
    return atof(line);
}

/* Without its debugging information, as it is installed by a distribution. */
static double stripped_kib(const char *library)
{
    char command[256];
    struct stat status;

    snprintf(command, sizeof(command), "strip -o build/bench.stripped %s", library);
    if (system(command) != 0 || stat("build/bench.stripped", &status) != 0) {
        abort();
    }
    unlink("build/bench.stripped");
    return (double)status.st_size / 1024;
}

BENCH_GROUP_DECLARE(size);

static void measure_starts(void)
{
    char preload_core[] = "LD_PRELOAD=build/libmiguard-core.so";
    char preload_whole[] = "LD_PRELOAD=build/libmiguard.so";

    for (int i = -1; i < bench_rounds(STARTS); i++) { /* -1 warms up */
        const double core = start_ns(preload_core), whole = start_ns(preload_whole);
        if (i >= 0) {
            bench_pair(&size_rows[START], core, whole);
        }
    }
}

static void run_size(void)
{
    static const char core[] = "build/libmiguard-core.so", whole[] = "build/libmiguard.so";

    if (access(core, R_OK) != 0 || access(whole, R_OK) != 0) {
        bench_skip_all(&bench_group_size, "run it where build/libmiguard.so is");
        return;
    }
    bench_pair(&size_rows[SIZE], stripped_kib(core), stripped_kib(whole));
    bench_pair(&size_rows[LIBRARIES], needed(core), needed(whole));
    measure_starts();
}

BENCH_GROUP(size, size_rows, run_size);
