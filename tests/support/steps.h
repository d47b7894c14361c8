/* SPDX-License-Identifier: MIT */
/* Tests of the command that are a table: a command for sh(1), its exit status and what it prints.
 */
#ifndef SUPPORT_STEPS_H
#define SUPPORT_STEPS_H

#include <stdbool.h>

struct step {
    const char *what, *command;
    int status;
    const char *out, *err; /* a part; NULL: anything; "": nothing */
};

extern unsigned steps_passed, steps_failed;

/* Ends the test: it cannot be run. */
void steps_need(bool good, const char *what);

/* In the present folder, where the files out and err are left. before: for sh(1), what each command
 * needs; it ends with a semicolon, or is "". A step that fails is printed. */
void steps_run(const char *before, const struct step *step);

#endif
