/* SPDX-License-Identifier: MIT */
/*
 * Taking the session that the thread has, in a context that serves 100 or 20,000 identities,
 * against one that serves this identity alone.
 */
#include <stdlib.h>
#include <unistd.h>

#include "bench/measure.h"
#include "gateway/gateway.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { ROUNDS = 41, CALLS = 100 };
enum { HUNDRED, MOST };

static const struct bench_row identities_rows[] = {
    [HUNDRED] = {.name = "identities.100",
                 .goal = 1.1,
                 .first = "taking a session again in a context with 100 identities",
                 .second = "the same with one identity",
                 .unit = "ns",
                 .leaves_out = "making the sessions; the one that is taken is the oldest"},
    [MOST] = {.name = "identities.20000",
              .goal = 1.1,
              .first = "taking a session again in a context with 20,000 identities",
              .second = "the same with one identity",
              .unit = "ns",
              .leaves_out = "making the sessions; the one that is taken is the oldest"},
};

struct contexts {
    MI_Context *many, *one;
};

static void take(MI_Context *context, int calls)
{
    MI_Session session = MI_SESSION_NULL;

    for (int i = 0; i < calls; i++) {
        if (MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK) {
            abort();
        }
    }
}

static void take_from_many(void *data, int calls)
{
    take(((struct contexts *)data)->many, calls);
}

static void take_from_one(void *data, int calls)
{
    take(((struct contexts *)data)->one, calls);
}

/* Each with a group of its own; the thread's own identity comes first. */
static MI_Context *serve(int identities)
{
    MI_Context *context = NULL;

    if (miguard_guard_context(&stub_host_new()->context, &context) != MI_RESULT_OK) {
        abort();
    }
    take(context, 1);
    for (int i = 1; i < identities; i++) {
        if (!raw_setresgid((gid_t)-1, (gid_t)(5000 + i), (gid_t)-1)) {
            abort();
        }
        take(context, 1);
    }
    if (!raw_setresgid((gid_t)-1, 0, (gid_t)-1)) {
        abort();
    }
    return context;
}

static void measure_row(const struct bench_row *row, int identities)
{
    if (bench_wants(row)) {
        struct contexts contexts = {serve(identities), serve(1)};
        bench_compare(row, take_from_many, take_from_one, &contexts, CALLS, bench_rounds(ROUNDS));
        MI_Context_PostResult(contexts.many, MI_RESULT_OK);
        MI_Context_PostResult(contexts.one, MI_RESULT_OK);
    }
}

static void on_thread(void *unused)
{
    (void)unused;
    measure_row(&identities_rows[HUNDRED], 100);
    measure_row(&identities_rows[MOST], 20000);
}

BENCH_GROUP_DECLARE(identities);

static void run_identities(void)
{
    if (geteuid() != 0) {
        bench_skip_all(&bench_group_identities, "needs root");
        return;
    }
    log_start();
    raw_on_thread(on_thread, NULL);
    log_remove();
}

BENCH_GROUP(identities, identities_rows, run_identities);
