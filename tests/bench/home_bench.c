/* SPDX-License-Identifier: MIT */
/*
 * What it costs to ask whether a thread is at home: behind the gate, where it is known without a
 * system call, and without one, against the bare check of an identity. In a child, since no gate
 * can be opened again; the two sides of the ratio alternate round by round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"
#include "identity/identity.h"
#include "miguard/gate.h"
#include "miguard/home.h"

void bench_home(void (*tell)(const char *name, double value, const char *unit, double goal));

enum { ROUNDS = 41, CHECKS = 2000, FRESH = 200 };

static double median(double *values)
{
    return median_of(values, ROUNDS);
}

/* In memory that parent and child share. */
static struct figures {
    double gated_check, gated_return, fresh_check, ratio;
} * figures;

static double check_ns(const struct miguard_home *home, int count)
{
    double start = nanoseconds();
    for (int i = 0; i < count; i++) {
        if (miguard_home_check(home, NULL) != MIGUARD_OK) {
            abort();
        }
    }
    return (nanoseconds() - start) / count;
}

static double return_ns(const struct miguard_home *home)
{
    double start = nanoseconds();
    for (int i = 0; i < CHECKS; i++) {
        if (miguard_home_return(home, NULL, NULL, NULL) != MIGUARD_OK) {
            abort();
        }
    }
    return (nanoseconds() - start) / CHECKS;
}

static double bare_ns(const struct miguard_identity *own)
{
    double start = nanoseconds();
    for (int i = 0; i < FRESH; i++) {
        if (identity_check(own, MIGUARD_COMPONENTS_ALL, NULL) != 0) {
            abort();
        }
    }
    return (nanoseconds() - start) / FRESH;
}

static void measure(void)
{
    double checks[ROUNDS], returns[ROUNDS], fresh[ROUNDS], ratios[ROUNDS];
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_identity own;
    struct miguard_home *home = NULL;

    if (identity_capture(&own, NULL) != MIGUARD_OK ||
        miguard_home_capture(&home, NULL) != MIGUARD_OK) {
        abort();
    }
    for (int i = -1; i < ROUNDS; i++) { /* -1 warms up */
        int at = i < 0 ? 0 : i;
        fresh[at] = check_ns(home, FRESH);
        ratios[at] = fresh[at] / bare_ns(&own);
    }
    if (miguard_gate_close(&options, NULL) != MIGUARD_OK) {
        _exit(3);
    }
    for (int i = -1; i < ROUNDS; i++) {
        int at = i < 0 ? 0 : i;
        checks[at] = check_ns(home, CHECKS);
        returns[at] = return_ns(home);
    }
    *figures = (struct figures){median(checks), median(returns), median(fresh), median(ratios)};
}

void bench_home(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    int status = 0;

    figures = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (figures == MAP_FAILED) {
        abort();
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        measure();
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0) {
        printf("skip: homes: no gate can be closed here\n");
        return;
    }
    tell("home check, gated", figures->gated_check, "ns", 20);
    tell("home return, gated, nothing left", figures->gated_return, "ns", -1);
    tell("home check, not gated / the bare check", figures->ratio, "ratio", 1.05);
    tell("home check, not gated", figures->fresh_check / 1000, "us", -1);
    munmap(figures, 4096);
}
