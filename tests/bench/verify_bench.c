/* SPDX-License-Identifier: MIT */
/*
 * How fast a log is verified with its key: against b2sum(1), which reads the same file and hashes
 * it with the same function and does nothing else; and by a thread for each processor against one.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "support/chain_log.h"
#include "tools/review/scan.h"
#include "tools/review/verify.h"

enum { ROUNDS = 15, RECORDS = 30000 };
enum { B2SUM, VERIFY_THREADS };

static const struct bench_row verify_rows[] = {
    [B2SUM] = {.name = "verify.b2sum",
               .goal = BENCH_NO_GOAL,
               .first = "verifying 30,000 records with the key",
               .second = "b2sum(1) of the same file",
               .unit = "ns",
               .leaves_out =
                   "reading from a disk: the file is in the page cache; rotated files; b2sum's "
                   "side has a process to start"},
    [VERIFY_THREADS] = {.name = "verify.threads",
                        .goal = 1 / 1.8,
                        .first = "verifying 30,000 records with the key, all processors",
                        .second = "the same, one processor",
                        .unit = "ns",
                        .leaves_out = "reading from a disk; packed files, which one thread reads"},
};

static double verify_once(const struct chain_log *log, unsigned threads)
{
    const char *logs[] = {log->path};
    struct verify_request request = {
        .logs = logs, .log_count = 1, .key = &log->first, .state = &log->head, .threads = threads};
    struct verify_report report;
    double start = nanoseconds();

    if (verify_log(&request, &report, NULL) != MIGUARD_OK || report.verdict != VERIFY_INTACT ||
        report.records != log->head.sequence) {
        abort();
    }
    double time = nanoseconds() - start;
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
    double start = nanoseconds();
    int error = posix_spawnp(&child, "b2sum", &quiet, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (error != 0 || waitpid(child, &status, 0) != child || status != 0) {
        return -1;
    }
    return nanoseconds() - start;
}

static void measure_b2sum(const struct chain_log *log)
{
    verify_once(log, 1); /* warms up */
    for (int i = 0; i < bench_rounds(ROUNDS); i++) {
        const double own = verify_once(log, 1), other = b2sum_once(log->path);
        if (other < 0) {
            bench_skip(&verify_rows[B2SUM], "b2sum is not installed");
            return;
        }
        bench_pair(&verify_rows[B2SUM], own, other);
    }
}

static void measure_threads(const struct chain_log *log)
{
    const unsigned processors = scan_processors();

    if (processors < 2) {
        bench_skip(&verify_rows[VERIFY_THREADS], "there is one processor");
        return;
    }
    verify_once(log, processors); /* warms up */
    for (int i = 0; i < bench_rounds(ROUNDS); i++) {
        bench_pair(&verify_rows[VERIFY_THREADS], verify_once(log, processors), verify_once(log, 1));
    }
}

static void run_verify(void)
{
    const char *folder = bench_folder("/tmp");
    char path[96];
    struct chain_log log;

    if (folder == NULL) {
        abort();
    }
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    chain_log_begin(&log, path, true);
    log.epoch_size = CHAIN_EPOCH_RECORDS;
    chain_log_fill(&log, RECORDS);
    measure_b2sum(&log);
    measure_threads(&log);
}

BENCH_GROUP(verify, verify_rows, run_verify);
