/* SPDX-License-Identifier: MIT */
/*
 * How fast a log is verified with its key, against b2sum(1), which reads the same file and hashes
 * it with the same function and does nothing else.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "tools/review/verify.h"

void bench_verify(void (*tell)(const char *name, double value, const char *unit, double goal));

enum { ROUNDS = 9, RECORDS = 30000 };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double verify_once(const struct chain_log *log)
{
    const char *logs[] = {log->path};
    struct verify_request request = {
        .logs = logs, .log_count = 1, .key = &log->first, .state = &log->head};
    struct verify_report report;
    double start = seconds();

    if (verify_log(&request, &report, NULL) != MIGUARD_OK || report.verdict != VERIFY_INTACT ||
        report.records != log->head.sequence) {
        abort();
    }
    double time = seconds() - start;
    verify_release(&report);
    return time;
}

/* Negative when there is no b2sum. */
static double b2sum_once(const char *path)
{
    char *const arguments[] = {(char *)"b2sum", (char *)"-l", (char *)"256", (char *)path, NULL};
    posix_spawn_file_actions_t quiet;
    pid_t child;
    int status;

    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", 1, 0);
    double start = seconds();
    int error = posix_spawnp(&child, "b2sum", &quiet, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (error != 0 || waitpid(child, &status, 0) != child || status != 0) {
        return -1;
    }
    return seconds() - start;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct chain_log *log,
                    void (*tell)(const char *name, double value, const char *unit, double goal))
{
    double own[ROUNDS], other[ROUNDS], ratio[ROUNDS];
    struct stat status;

    if (stat(log->path, &status) != 0) {
        abort();
    }
    verify_once(log); /* warms up */
    for (int i = 0; i < ROUNDS; i++) {
        own[i] = verify_once(log);
        other[i] = b2sum_once(log->path);
        ratio[i] = own[i] / other[i];
    }
    qsort(own, ROUNDS, sizeof(*own), by_value);
    qsort(other, ROUNDS, sizeof(*other), by_value);
    qsort(ratio, ROUNDS, sizeof(*ratio), by_value);
    double megabytes = (double)status.st_size / 1e6;
    tell("audit verify with the key", megabytes / own[ROUNDS / 2], "MB/s", -1);
    if (other[0] < 0) {
        printf("skip: verify against b2sum: there is no b2sum\n");
        return;
    }
    tell("b2sum on the same file", megabytes / other[ROUNDS / 2], "MB/s", -1);
    tell("audit verify / b2sum, time", ratio[ROUNDS / 2], "x", -1);
}

void bench_verify(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    char folder[] = "/tmp/miguard-bench-XXXXXX", path[64];
    struct chain_log log;

    if (mkdtemp(folder) == NULL) {
        abort();
    }
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    chain_log_begin(&log, path, true);
    log.epoch_size = CHAIN_EPOCH_RECORDS;
    chain_log_fill(&log, RECORDS);
    measure(&log, tell);
    unlink(path);
    rmdir(folder);
}
