/* SPDX-License-Identifier: MIT */
/*
 * Runs a group of rows in a process of its own, and clears up behind it however it ends: a group
 * that aborts, or a signal that ends the bench, leaves neither a folder (a log of a GB) nor a
 * program that it has started.
 */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/report.h"

enum { MOST_FOLDERS = 4, FOLDER_SIZE = 64, SIGNALS = 3 };

/* Of the group that runs, in memory that it shares with this process. */
static struct folders {
    size_t count;
    char paths[MOST_FOLDERS][FOLDER_SIZE];
} * folders;

/* The number is counted before the folder is made: from its first moment on it is removed. */
const char *bench_folder(const char *below)
{
    if (folders->count == MOST_FOLDERS) {
        abort();
    }
    char *path = folders->paths[folders->count++];
    snprintf(path, FOLDER_SIZE, "%s/miguard-bench-XXXXXX", below);
    if (mkdtemp(path) == NULL) {
        path[0] = '\0';
        return NULL;
    }
    return path;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static void remove_folders(void)
{
    for (size_t i = 0; i < folders->count && i < MOST_FOLDERS; i++) {
        const char *path = folders->paths[i];
        if (path[0] != '\0' && nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 &&
            errno != ENOENT) {
            fprintf(stderr, "bench: %s is left over\n", path);
        }
    }
}

/* ---- signals -----------------------------------------------------------------------------------
 */

static const int signals[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t running, ended_by; /* a process group, and a signal */

static void end_running(int number)
{
    ended_by = number;
    if (running > 0) {
        kill(-running, SIGKILL);
    }
}

static void set_handlers(void (*handler)(int), struct sigaction before[SIGNALS])
{
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], &(struct sigaction){.sa_handler = handler}, &before[i]);
    }
}

static void restore_handlers(const struct sigaction before[SIGNALS])
{
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], &before[i], NULL);
    }
}

static void block_signals(sigset_t *ret_before)
{
    sigset_t set;

    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; i++) {
        sigaddset(&set, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &set, ret_before);
}

/* ---- the process ------------------------------------------------------------------------------
 */

/* A process group of its own, so that what it has started ends with it. */
static void run_in_child(const struct bench_group *group, const sigset_t *mask)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    group->run();
    fflush(NULL);
    _exit(0);
}

/* The number of the process group is its own until it is waited for, so the others are ended
 * before. */
static bool wait_for_group(pid_t child)
{
    siginfo_t info;
    int status = 0;

    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
    kill(-child, SIGKILL);
    return waitpid(child, &status, 0) == child && status == 0;
}

bool group_run(const struct bench_group *group)
{
    struct sigaction before[SIGNALS];
    sigset_t mask;

    folders =
        mmap(NULL, sizeof(*folders), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (folders == MAP_FAILED) {
        return false;
    }
    fflush(NULL);
    block_signals(&mask); /* until it is known whom they end */
    pid_t child = fork();
    if (child == 0) {
        run_in_child(group, &mask);
    }
    set_handlers(end_running, before);
    if (child > 0) {
        setpgid(child, child);
        running = child;
    }
    sigprocmask(SIG_SETMASK, &mask, NULL);
    const bool ended = child > 0 && wait_for_group(child);
    running = 0;
    remove_folders();
    munmap(folders, sizeof(*folders));
    restore_handlers(before);
    if (ended_by != 0) {
        raise(ended_by);
    }
    return ended;
}
