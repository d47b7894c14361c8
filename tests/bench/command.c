/* SPDX-License-Identifier: MIT */
/*
 * Runs a program and looks at its peak memory while it is stopped in its exit (ptrace(2)): what
 * wait4(2) gives as ru_maxrss counts what this program had when it forked, too (getrusage(2) is of
 * the process, and exec leaves it the same one).
 */
#include "bench/command.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"

char *command_miguard(void)
{
    static char program[512];
    const char *out = getenv("OUT");

    snprintf(program, sizeof(program), "%s/miguard", out != NULL ? out : "build");
    return program;
}

static long read_peak(pid_t process)
{
    char path[64], line[256];
    long kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)process);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        sscanf(line, "VmHWM: %ld", &kib);
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

static double processor_time(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e9 +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1e3;
}

/* Goes on past each stop. At the stop in the exit the peak is read. */
static void wait_for_end(pid_t child, struct command_outcome *ret_outcome)
{
    struct rusage usage = {0};
    int status = 0;

    while (wait4(child, &status, 0, &usage) == child && WIFSTOPPED(status)) {
        int signal = WSTOPSIG(status);
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
            ret_outcome->peak = read_peak(child);
        }
        if (signal == SIGTRAP) { /* the exec and the exit */
            ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
            signal = 0;
        }
        ptrace(PTRACE_CONT, child, NULL, signal);
    }
    ret_outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ret_outcome->cpu = processor_time(&usage);
}

struct command_outcome command_run(char *const words[], const char *out)
{
    struct command_outcome outcome = {.status = -1};
    const double start = nanoseconds();

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int fd =
            open(out != NULL ? out : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (dup2(fd, STDOUT_FILENO) >= 0) {
            (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL); /* refused: then there is no peak */
            execvp(words[0], words);
        }
        _exit(127);
    }
    if (child > 0) {
        wait_for_end(child, &outcome);
    }
    outcome.time = nanoseconds() - start;
    return outcome;
}

struct command_outcome command_run_until(char *const words[], long lines)
{
    struct command_outcome outcome = {.status = -1};
    const double start = nanoseconds();
    struct rusage usage = {0};
    int ends[2], status = 0;

    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return outcome;
    }
    pid_t child = fork();
    if (child == 0) {
        if (dup2(ends[1], STDOUT_FILENO) >= 0) {
            execvp(words[0], words);
        }
        _exit(127);
    }
    close(ends[1]);
    for (char byte; lines > 0 && read(ends[0], &byte, 1) == 1;) {
        lines -= byte == '\n';
    }
    outcome.time = nanoseconds() - start;
    if (child > 0) {
        outcome.peak = read_peak(child);
        kill(child, SIGINT);
        wait4(child, &status, 0, &usage);
        outcome.cpu = processor_time(&usage);
        outcome.status = lines > 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    }
    close(ends[0]);
    return outcome;
}
