/* SPDX-License-Identifier: MIT */
/*
 * What it costs to ask whether a thread is at home: behind the gate, where it is known without a
 * system call, and without one, against the bare check of an identity. The gate is closed
 * for the second half.
 */
#include <stdlib.h>
#include <unistd.h>

#include "bench/measure.h"
#include "identity/identity.h"
#include "miguard/gate.h"
#include "miguard/home.h"
#include "support/log.h"

enum { ROUNDS = 41, CHECKS = 2000, FRESH = 200 };
enum { CHECK, RETURN, FRESH_CHECK };

static const struct bench_row home_rows[] = {
    [CHECK] = {.name = "home.check-call",
               .goal = 0.2,
               .first = "a home check behind the gate",
               .second = "a system call that does nothing",
               .unit = "ns",
               .leaves_out = "the job between two checks; the filter makes the second side dearer"},
    [RETURN] = {.name = "home.return-call",
                .goal = BENCH_NO_GOAL,
                .first = "a return behind the gate with nothing left over",
                .second = "a system call that does nothing",
                .unit = "ns",
                .leaves_out = "what a job left behind: then credentials are changed and verified"},
    [FRESH_CHECK] = {.name = "home.fresh",
                     .goal = 1.05,
                     .first = "a home check without a gate",
                     .second = "the bare check of an identity",
                     .unit = "ns",
                     .leaves_out = "the job between two checks; the log"},
};

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

static void measure_gated(const struct miguard_home *home)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    if (miguard_gate_close(&options, NULL) != MIGUARD_OK) {
        bench_skip(&home_rows[CHECK], "no gate can be closed");
        bench_skip(&home_rows[RETURN], "no gate can be closed");
        return;
    }
    for (int i = -1; i < bench_rounds(ROUNDS); i++) { /* -1 warms up */
        const double check = check_ns(home, CHECKS), returned = return_ns(home);
        const double call = bench_time(bench_system_calls, NULL, CHECKS);
        if (i >= 0) {
            bench_pair(&home_rows[CHECK], check, call);
            bench_pair(&home_rows[RETURN], returned, call);
        }
    }
}

static void run_home(void)
{
    struct miguard_identity own;
    struct miguard_home *home = NULL;

    log_start();
    if (identity_capture(&own, NULL) != MIGUARD_OK ||
        miguard_home_capture(&home, NULL) != MIGUARD_OK) {
        abort();
    }
    for (int i = -1; i < bench_rounds(ROUNDS); i++) {
        const double fresh = check_ns(home, FRESH), bare = bare_ns(&own);
        if (i >= 0) {
            bench_pair(&home_rows[FRESH_CHECK], fresh, bare);
        }
    }
    measure_gated(home);
    log_remove();
}

BENCH_GROUP(home, home_rows, run_home);
