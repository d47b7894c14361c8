/* SPDX-License-Identifier: MIT */
/*
 * A writer is killed with SIGKILL at each system call it makes, before and after: from the opening
 * of the log over appends, syncs and rotations to its closing; alone, and beside seven others. What
 * it was told to be written is there exactly once, the chain is whole, and nothing is missing that
 * is not told.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/log_file.h"

enum { RECORDS = 12, TRIES = 10, WRITERS = 8, PER_WRITER = 1000, MAX_STOPS = 4000 };

static char folder[LOG_FILE_FOLDER], path[128];
static struct log_check check;
static volatile unsigned char *acknowledged; /* shared with the writers, by record number */
static unsigned passed, failed;

static void verdict(bool good, const char *what, long stop, const char *why)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("%s, killed at stop %ld: %s\n", what, stop, why);
    }
}

static bool clean(void)
{
    memset((void *)(uintptr_t)acknowledged, 0, LOG_FILE_IDS);
    return log_file_empty(folder);
}

/* ---- the writer ------------------------------------------------------------------------------ */

static int write_records(unsigned base)
{
    struct sink_settings settings = log_file_settings(path);
    enum audit_loss loss = 0;
    uint64_t sequence = 0;

    settings.rotate_bytes = 4096;
    settings.keep = 0;
    settings.sync = AUDIT_SYNC_ALL;
    struct log_file *file = NULL;
    for (int i = 0; file == NULL && i < TRIES; i++) { /* eight that rotate and sync may be slow */
        file = log_file_open(&settings, i + 1 == TRIES);
    }
    if (file == NULL) {
        return 1;
    }
    for (unsigned i = 0; i < RECORDS; i++) {
        while (!log_file_append(file, base + i, 0, &loss, &sequence)) {
            if (loss != AUDIT_LOSS_BUSY) { /* the same */
                return 10 + (int)loss;
            }
        }
        acknowledged[base + i] = 1;
        if (i % 4 == 3 && !file_sync(file, sequence, &loss)) {
            return 3;
        }
    }
    file_close(file);
    return 0;
}

static pid_t start(unsigned base, bool traced)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(77);
        }
        if (traced) {
            raise(SIGSTOP);
        }
        int status = write_records(base);
        fflush(stdout);
        _exit(status);
    }
    return child;
}

/* Lets the writer run to its nth stop at a system call and kills it there. False: it ended before.
 * Each call stops it twice: before and after. */
static bool kill_at(pid_t child, long nth, int *ret_status)
{
    int status = 0;

    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
        *ret_status = status;
        return false;
    }
    for (long i = 0; i < nth; i++) {
        ptrace(PTRACE_SYSCALL, child, NULL, NULL);
        if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
            *ret_status = status;
            return false;
        }
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return true;
}

/* ---- what must hold -------------------------------------------------------------------------- */

static void check_all(const char *what, long stop)
{
    char why[400];

    log_file_check(path, &(struct chain_key){.present = false}, &check);
    if (check.breaks > 0) {
        snprintf(why, sizeof(why), "the chain is broken: %s", check.problem);
        verdict(false, what, stop, why);
        return;
    }
    for (unsigned i = 0; i < LOG_FILE_IDS; i++) {
        if (check.seen[i] > 1 || (acknowledged[i] && check.seen[i] != 1)) {
            snprintf(why, sizeof(why), "record %u is there %u times", i, check.seen[i]);
            verdict(false, what, stop, why);
            return;
        }
    }
    bool cut = check.lost[AUDIT_LOSS_CUT] > 0 || check.lost[AUDIT_LOSS_CRASH] > 0;
    bool torn = check.broken_lines > check.lost[AUDIT_LOSS_KILLED];
    snprintf(why, sizeof(why), "missing %llu, cut %d, torn %d", (unsigned long long)check.missing,
             cut, torn);
    verdict(check.missing == 0 && !cut && !torn, what, stop, why);
}

static bool write_after(void)
{
    int status = 0;
    pid_t after = start(60000, false);
    return waitpid(after, &status, 0) == after && status == 0;
}

/* ---- alone and beside others ----------------------------------------------------------------- */

static long each_stop(const char *what, unsigned others, long step)
{
    long stop = 1;

    for (bool killed = true; killed && stop < MAX_STOPS; stop += step) {
        int status = 0;
        pid_t children[WRITERS];
        char why[64];

        if (!clean()) {
            verdict(false, what, stop, "the folder cannot be cleaned");
            return stop;
        }
        pid_t child = start(0, true);
        for (unsigned i = 0; i < others; i++) {
            children[i] = start((i + 1) * PER_WRITER, false);
        }
        killed = kill_at(child, stop, &status);
        for (unsigned i = 0; i < others; i++) {
            int other = 0;
            waitpid(children[i], &other, 0);
            if (other != 0) {
                snprintf(why, sizeof(why), "another writer failed: %d", WEXITSTATUS(other));
                verdict(false, what, stop, why);
            }
        }
        if (!killed && status != 0) {
            verdict(false, what, stop, "the writer failed by itself");
        }
        if (!write_after()) {
            verdict(false, what, stop, "nobody can write afterwards");
        }
        check_all(what, stop);
    }
    return stop;
}

static bool may_trace(void)
{
    int status = 0;
    pid_t child = start(0, true);

    waitpid(child, &status, 0);
    bool stopped = WIFSTOPPED(status);
    if (stopped) {
        stopped = ptrace(PTRACE_SYSCALL, child, NULL, NULL) == 0;
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    return stopped;
}

int main(void)
{
    const long step = getenv("FULL") != NULL ? 1 : getenv("QUICK") != NULL ? 11 : 5;

    acknowledged =
        mmap(NULL, LOG_FILE_IDS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!log_file_folder(folder) || acknowledged == MAP_FAILED) {
        return 3;
    }
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    if (may_trace()) {
        long stops = each_stop("one writer", 0, step);
        verdict(stops > 100 / step, "one writer", stops, "too few system calls were seen");
        each_stop("eight writers", WRITERS - 1, 3 * step);
        printf("%u passed, %u failed\n", passed, failed);
    } else {
        printf("skip: killing at each system call: ptrace is not permitted\n");
        printf("0 passed, 0 failed, 1 skipped\n");
    }
    bool removed = clean() && rmdir(folder) == 0;
    return failed == 0 && removed ? 0 : 1;
}
