/* SPDX-License-Identifier: MIT */
/*
 * What the gate saves: the guard's check, its decision, and miguard_verify() on a gated thread,
 * where an unchanged identity is known without a system call, against the same with a fresh check.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/measure.h"
#include "gate/gate.h"
#include "gateway/gateway.h"
#include "identity/change.h"
#include "support/log.h"
#include "support/stub_host.h"

enum { ROUNDS = 41, CHECKS = 2000 };
enum { CHECK, CHECK_CALL, GUARD, VERIFY, VERIFY_FRESH };

static const struct bench_row gate_rows[] = {
    [CHECK] = {.name = "gate.check",
               .goal = 0.01,
               .first = "a check behind the gate",
               .second = "a fresh check behind it",
               .unit = "ns",
               .leaves_out = "the decision and the call; what closing the gate costs once"},
    [CHECK_CALL] = {.name = "gate.check-call",
                    .goal = 0.1,
                    .first = "a check behind the gate",
                    .second = "a system call that does nothing",
                    .unit = "ns",
                    .leaves_out = "as gate.check; the filter makes each system call dearer, this "
                                  "second side, too"},
    [GUARD] = {.name = "gate.guard",
               .goal = BENCH_NO_GOAL,
               .first = "the guard with its decision, behind the gate",
               .second = "the same, fresh",
               .unit = "ns",
               .leaves_out = "policies with rules (policy.*); records"},
    [VERIFY] = {.name = "gate.verify-call",
                .goal = 0.2,
                .first = "miguard_verify() behind the gate",
                .second = "a system call that does nothing",
                .unit = "ns",
                .leaves_out = "policies with rules; the filter makes the second side dearer"},
    [VERIFY_FRESH] =
        {.name = "gate.verify-fresh",
         .goal = 1.25,
         .first = "miguard_verify() after a switch, fresh",
         .second = "a fresh check behind the gate",
         .unit = "ns",
         .leaves_out = "policies with rules; the switch itself. Beside the check the signals are "
                       "blocked, so that none comes between it and the note of its result"},
};

BENCH_GROUP_DECLARE(gate);

static void close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_error error = {0};

    if (miguard_gate_close(&options, &error) != MIGUARD_OK) {
        bench_skip_all(&bench_group_gate,
                       error.detail[0] != '\0' ? error.detail : "no gate can be closed");
        _exit(0);
    }
}

/* ---- the checks ------------------------------------------------------------------------------ */

static struct guarded_session *session_of(struct stub_host *host)
{
    MI_Context *context = NULL;
    MI_Session session = MI_SESSION_NULL;
    void *object = NULL;

    if (miguard_guard_context(&host->context, &context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK ||
        slots_acquire(&guarded_sessions,
                      (struct slots_handle){session.reserved1, (uint64_t)session.reserved2},
                      &object) != SLOTS_OK) {
        abort();
    }
    return object;
}

static double guard_ns(struct guarded_session *session, bool fresh)
{
    const struct guard_call call = {.operation = OPERATION_GET_INSTANCE,
                                    .binding = &session->binding};
    struct refusal refusal;

    if (!guard_use(&call, &refusal)) { /* what the thread knew was about another binding */
        abort();
    }
    double start = nanoseconds();
    for (int i = 0; i < CHECKS; i++) {
        identity_change_count += fresh ? 2 : 0; /* as if there had been a switch */
        if (!guard_use(&call, &refusal)) {
            abort();
        }
    }
    return (nanoseconds() - start) / CHECKS;
}

static double known_ns(const struct guarded_session *session)
{
    double start = nanoseconds();
    for (int i = 0; i < CHECKS; i++) {
        if (!gate_known_same(session->binding.number)) {
            abort();
        }
    }
    return (nanoseconds() - start) / CHECKS;
}

static double check_ns(const struct guarded_session *session)
{
    double start = nanoseconds();
    for (int i = 0; i < CHECKS; i++) {
        if (identity_check_gated(&session->binding.identity, MIGUARD_COMPONENTS_ALL, IDENTITY_GATED,
                                 NULL) != 0) {
            abort();
        }
    }
    return (nanoseconds() - start) / CHECKS;
}

static struct miguard_binding *binding_of_thread(void)
{
    static const char *const actions[] = {"read"};
    struct miguard_front_end *front_end = NULL;
    struct miguard_binding *binding = NULL;

    if (miguard_front_end_register("bench", actions, 1, &front_end, NULL) != MIGUARD_OK ||
        miguard_bind(front_end, "/srv/data", NULL, &binding, NULL) != MIGUARD_OK) {
        abort();
    }
    return binding;
}

static double verify_ns(struct miguard_binding *binding, bool fresh)
{
    const struct miguard_use use = MIGUARD_USE(0, "/srv/data/report");

    if (miguard_verify(binding, &use, NULL) != MIGUARD_OK) {
        abort();
    }
    double start = nanoseconds();
    for (int i = 0; i < CHECKS; i++) {
        identity_change_count += fresh ? 2 : 0; /* as if there had been a switch */
        if (miguard_verify(binding, &use, NULL) != MIGUARD_OK) {
            abort();
        }
    }
    return (nanoseconds() - start) / CHECKS;
}

static void run_gate(void)
{
    log_start();
    close_gate();
    struct guarded_session *session = session_of(stub_host_new());
    struct miguard_binding *binding = binding_of_thread();

    for (int i = -1; i < bench_rounds(ROUNDS); i++) { /* -1 warms up */
        const double fresh_binding = verify_ns(binding, true), fresh = check_ns(session);
        const double gated_binding = verify_ns(binding, false);
        const double fresh_guard = guard_ns(session, true), gated_guard = guard_ns(session, false);
        const double gated = known_ns(session); /* the thread knows the binding that was last */
        const double call = bench_time(bench_system_calls, NULL, CHECKS);
        if (i >= 0) {
            bench_pair(&gate_rows[CHECK], gated, fresh);
            bench_pair(&gate_rows[CHECK_CALL], gated, call);
            bench_pair(&gate_rows[GUARD], gated_guard, fresh_guard);
            bench_pair(&gate_rows[VERIFY], gated_binding, call);
            bench_pair(&gate_rows[VERIFY_FRESH], fresh_binding, fresh);
        }
    }
    miguard_release(binding);
    log_remove();
}

BENCH_GROUP(gate, gate_rows, run_gate);
