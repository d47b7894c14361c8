/* SPDX-License-Identifier: MIT */
/* Runs the steps of a test of the command. */
#include "support/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "support/output_fits.h"

enum { OUTPUT = 65536 };

unsigned steps_passed, steps_failed;
static char out[OUTPUT], err[OUTPUT];

void steps_need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "cannot go on: %s\n", what);
        exit(3);
    }
}

static void read_text(const char *name, char text[OUTPUT])
{
    FILE *file = fopen(name, "re");

    steps_need(file != NULL, name);
    text[fread(text, 1, OUTPUT - 1, file)] = '\0';
    fclose(file);
}

void steps_run(const char *before, const struct step *step)
{
    char line[8192];
    int length =
        snprintf(line, sizeof(line), "%s { %s\n} > out 2> err < /dev/null", before, step->command);

    steps_need(length >= 0 && (size_t)length < sizeof(line), step->command);
    int status = system(line);
    read_text("out", out);
    read_text("err", err);
    status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (status == step->status && output_fits(out, step->out) && output_fits(err, step->err)) {
        steps_passed++;
        return;
    }
    steps_failed++;
    printf("FAIL: %s: %s\n  exit %d, expected %d\n  stdout:\n%.2500s\n  stderr:\n%.1500s\n",
           step->what, step->command, status, step->status, out, err);
}
