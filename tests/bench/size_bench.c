/* SPDX-License-Identifier: MIT */
/*
 * What a daemon pays before its first request: the size of each library on disk, how many others it
 * brings, and how much longer a program takes to start with it. A start is that of true(1) with the
 * library preloaded, less one without; the two sides alternate. Leaves out what the first binding
 * does: reading a policy and opening a log, which the core does not.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"

void bench_size(void (*tell)(const char *name, double value, const char *unit, double goal));

enum { STARTS = 101 };

static double start_ns(char *preload)
{
    char *const arguments[] = {(char *)"true", NULL};
    char *const with[] = {preload, NULL};
    char *const without[] = {NULL};
    pid_t pid = -1;
    int status = -1;

    double begin = nanoseconds();
    if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, preload != NULL ? with : without) !=
            0 ||
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

void bench_size(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    static const char core[] = "build/libmiguard-core.so", whole[] = "build/libmiguard.so";
    char preload_core[] = "LD_PRELOAD=build/libmiguard-core.so";
    char preload_whole[] = "LD_PRELOAD=build/libmiguard.so";
    double with_core[STARTS], with_whole[STARTS], plain[STARTS];

    if (access(core, R_OK) != 0 || access(whole, R_OK) != 0) {
        printf("skip: sizes: run it where build/libmiguard.so is\n");
        return;
    }
    for (int i = 0; i < STARTS; i++) {
        plain[i] = start_ns(NULL);
        with_core[i] = start_ns(preload_core) - plain[i];
        with_whole[i] = start_ns(preload_whole) - plain[i];
    }
    qsort(with_core, STARTS, sizeof(double), by_value);
    qsort(with_whole, STARTS, sizeof(double), by_value);
    tell("libmiguard-core.so, stripped", stripped_kib(core), "KiB", -1);
    tell("libmiguard.so, stripped", stripped_kib(whole), "KiB", -1);
    tell("size of the core / of the whole", stripped_kib(core) / stripped_kib(whole), "ratio",
         0.75);
    tell("libraries that the core brings", needed(core), "", -1);
    tell("libraries that the whole brings", needed(whole), "", -1);
    tell("start with the core", with_core[STARTS / 2] / 1e6, "ms", -1);
    tell("start with the core / with the whole", with_core[STARTS / 2] / with_whole[STARTS / 2],
         "ratio", 1);
}
