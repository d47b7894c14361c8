/* SPDX-License-Identifier: MIT */
/* Runs the miguard command, and measures its time and memory. */
#ifndef BENCH_COMMAND_H
#define BENCH_COMMAND_H

#include <stdbool.h>

struct command_outcome {
    int status;  /* of the exit; -1: ended by a signal or not started */
    double time; /* nanoseconds */
    double cpu;  /* of all its threads, nanoseconds: hardly longer where others take turns */
    long peak;   /* KiB resident at most; 0: cannot be known here */
};

/* words[0] is a path or a program of PATH. Its standard output goes to the file at out, which is
 * made anew; NULL drops it. */
struct command_outcome command_run(char *const words[], const char *out);

/* The same until the program has written so many lines; then SIGINT ends it. */
struct command_outcome command_run_until(char *const words[], long lines);

/* The path of the command that was built: $OUT/miguard. In a static buffer. */
char *command_miguard(void);

#endif
