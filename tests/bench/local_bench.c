/* SPDX-License-Identifier: MIT */
/*
 * A local GetInstance through the embedded host: unguarded, guarded, guarded without CAP_SETPCAP or
 * behind the gate of the bounding set, and guarded and gated; and the same through a host that is
 * not ours and works as the open peer does (support/foreign_host.h). Each side is a process of its
 * own, since no gate can be opened again and a permitted set does not grow; they are asked in turn,
 * round by round.
 */
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/sides.h"
#include "miguard.h"
#include "miguard/gate.h"
#include "miguard/host.h"
#include "support/log.h"
#include "support/nested.h"

enum { ROUNDS = 41, LOCAL_CALLS = 60 };
enum { GUARDED, NO_SETPCAP, BOUNDING, GATED, FOREIGN, FOREIGN_GUARDED };

static const struct bench_row local_rows[] = {
    [GUARDED] = {.name = "local.guarded",
                 .goal = BENCH_NO_GOAL,
                 .first = "a local GetInstance, guarded",
                 .second = "the same, unguarded",
                 .unit = "ns",
                 .leaves_out = "the provider's work: it answers with what it was given. As root "
                               "with all capabilities, which is the dearest for the guard"},
    [NO_SETPCAP] = {.name = "local.no-setpcap",
                    .goal = 0.4,
                    .first = "a local GetInstance, guarded, without CAP_SETPCAP",
                    .second = "the same with it",
                    .unit = "ns",
                    .leaves_out = "hosts that need CAP_SETPCAP: they pay the second side"},
    [BOUNDING] = {.name = "local.bounding",
                  .goal = 0.4,
                  .first = "a local GetInstance, guarded, behind the gate of the bounding set",
                  .second = "the same without a gate",
                  .unit = "ns",
                  .leaves_out = "what the filter costs the host's own prctl(2)"},
    [GATED] = {.name = "local.gated",
               .goal = BENCH_NO_GOAL,
               .first = "a local GetInstance, guarded and gated",
               .second = "the same, guarded, not gated",
               .unit = "ns",
               .leaves_out = "a change of identity between two calls, after which the check is "
                             "fresh once"},
    [FOREIGN] = {.name = "local.foreign",
                 .goal = 1,
                 .first = "a local GetInstance in the embedded host, guarded and gated",
                 .second = "the same in a host like the open peer, unguarded",
                 .unit = "ns",
                 .leaves_out = "a host without a gate, whose calls cost what local.guarded says; "
                               "that the other host is a test's: it has the peer's threads and "
                               "acknowledgements, not its sockets and serialization, which cost "
                               "more"},
    [FOREIGN_GUARDED] = {.name = "local.foreign-guarded",
                         .goal = BENCH_NO_GOAL,
                         .first = "a local GetInstance in a host like the open peer, guarded",
                         .second = "the same, unguarded",
                         .unit = "ns",
                         .leaves_out = "the provider's work; sockets and serialization, as above"},
};

/* ---- a provider that calls another through its local session --------------------------------- */

static MI_Instance *back_name;
static double local_ns;

static MI_Result get(MI_Session *session, const MI_Instance *name)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_GetInstance(session, 0, NULL, "root/bench", name, NULL, &operation);
    do {
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    } while (more);
    MI_Operation_Close(&operation);
    return result;
}

static void MI_CALL get_instance(void *self, MI_Context *context, const MI_Char *name_space,
                                 const MI_Char *class_name, const MI_Instance *name,
                                 const MI_PropertySet *set)
{
    MI_Session session = MI_SESSION_NULL;
    (void)self;
    (void)name_space;
    (void)set;

    if (strcmp(class_name, "Front") == 0 &&
        MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK) {
        double start = nanoseconds();
        for (int i = 0; i < LOCAL_CALLS; i++) {
            if (get(&session, back_name) != MI_RESULT_OK) {
                abort();
            }
        }
        local_ns = (nanoseconds() - start) / LOCAL_CALLS;
    }
    MI_Context_PostInstance(context, name);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_ProviderFT provider = {.GetInstance = get_instance};
static MI_Module module = {
    .version = MI_VERSION, .charSize = sizeof(MI_Char), .dynamicProviderFT = &provider};

static MI_Module *MI_CALL module_main(MI_Server *server)
{
    (void)server;
    return &module;
}

static MI_Instance *named(MI_Session *session, const char *class_name)
{
    MI_Application application;
    MI_Instance *instance = NULL;
    MI_Value value = {.uint32 = 1};

    if (MI_Session_GetApplication(session, &application) != MI_RESULT_OK ||
        MI_Application_NewInstance(&application, class_name, NULL, &instance) != MI_RESULT_OK ||
        MI_Instance_AddElement(instance, "Id", &value, MI_UINT32, MI_FLAG_KEY) != MI_RESULT_OK) {
        abort();
    }
    return instance;
}

/* ---- the sides ------------------------------------------------------------------------------- */

enum side_kind {
    SIDE_UNGUARDED,
    SIDE_GUARDED,
    SIDE_NO_SETPCAP,
    SIDE_BOUNDING,
    SIDE_GATED,
    SIDE_NESTED, /* guarded and gated, with the provider of the next two */
    SIDE_FOREIGN,
    SIDE_FOREIGN_GUARDED,
    SIDES
};

/* Taking a capability out of the bounding set needs CAP_SETPCAP: without it the set is not read
 * again (identity/bounding.c). Others than root never have it. Threads of the host inherit this. */
static void give_up_setpcap(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2];

    if (syscall(SYS_capget, &header, caps) != 0) {
        abort();
    }
    caps[0].effective &= ~CAP_TO_MASK(CAP_SETPCAP);
    caps[0].permitted &= ~CAP_TO_MASK(CAP_SETPCAP);
    if (syscall(SYS_capset, &header, caps) != 0) {
        abort();
    }
}

static void close_gate(enum miguard_gate_scope scope)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    options.scope = scope;
    if (miguard_gate_close(&options, NULL) != MIGUARD_OK) {
        abort();
    }
}

static void answer_rounds(const struct side *side, void (*round)(void *), void *data)
{
    while (side_next(side)) {
        round(data);
        if (!side_answer(side, &local_ns, 1)) {
            break;
        }
    }
}

/* The front provider of support/nested.h: local requests to a provider of another agent. */
static void ask_back(MI_Context *context)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Result result = MI_Context_GetLocalSession(context, &session);
    double start = nanoseconds();

    for (int i = 0; i < LOCAL_CALLS && result == MI_RESULT_OK; i++) {
        MI_Operation operation = MI_OPERATION_NULL;
        nested_start(context, &session, "L_Back", false, 0, NULL, &operation);
        result = nested_finish(&operation, NULL, NULL);
    }
    local_ns = result == MI_RESULT_OK ? (nanoseconds() - start) / LOCAL_CALLS : -1;
    MI_Context_PostResult(context, result);
}

static void ask_front(void *host)
{
    if (hosts_ask(host, &nested_ask, NULL, 0) != MI_RESULT_OK) {
        local_ns = -1;
    }
}

static void serve_nested(const struct side *side)
{
    const struct host_kind *kind =
        &host_kinds[side->kind == SIDE_NESTED ? HOST_EMBEDDED : HOST_FOREIGN];
    struct running_host host;

    nested_front = ask_back;
    if (side->kind == SIDE_NESTED) {
        close_gate(MIGUARD_GATE_PROCESS);
    }
    if (!kind->start(&host, nested_modules, NESTED_MODULES,
                     side->kind == SIDE_FOREIGN ? NULL : miguard_wrap_module)) {
        abort();
    }
    answer_rounds(side, ask_front, &host);
    kind->stop(&host);
}

struct asked {
    MI_Session session;
    MI_Instance *front;
};

static void ask_own_front(void *data)
{
    struct asked *asked = data;
    (void)get(&asked->session, asked->front);
}

static void *serve(void *data)
{
    const struct side *side = data;
    struct miguard_host_options options = {
        .wrap = side->kind == SIDE_UNGUARDED ? NULL : miguard_wrap_module};
    struct miguard_host *host = NULL;
    struct asked asked;

    if (side->kind >= SIDE_NESTED) {
        serve_nested(side);
        return NULL;
    }
    if (side->kind == SIDE_NO_SETPCAP) {
        give_up_setpcap();
    } else if (side->kind == SIDE_GATED || side->kind == SIDE_BOUNDING) {
        close_gate(side->kind == SIDE_GATED ? MIGUARD_GATE_PROCESS : MIGUARD_GATE_BOUNDING);
    }
    if (miguard_host_new(&options, &host, NULL) != MIGUARD_OK ||
        miguard_host_add(host, module_main, "*", NULL) != MIGUARD_OK ||
        miguard_host_session(host, &asked.session, NULL) != MIGUARD_OK) {
        abort();
    }
    asked.front = named(&asked.session, "Front");
    back_name = named(&asked.session, "Back");
    answer_rounds(side, ask_own_front, &asked);
    return NULL;
}

static void run_local(void)
{
    static struct side sides[SIDES];
    double figures[SIDES];

    log_start();
    for (int i = 0; i < SIDES; i++) {
        side_start(sides, i, serve);
    }
    for (int round = -1; round < bench_rounds(ROUNDS); round++) { /* -1 warms up */
        for (int i = 0; i < SIDES; i++) {
            const int number = (i + round + SIDES) % SIDES; /* none is always the first */
            side_ask(&sides[number], &figures[number], 1);
        }
        if (round >= 0) {
            bench_pair(&local_rows[GUARDED], figures[SIDE_GUARDED], figures[SIDE_UNGUARDED]);
            bench_pair(&local_rows[NO_SETPCAP], figures[SIDE_NO_SETPCAP], figures[SIDE_GUARDED]);
            bench_pair(&local_rows[BOUNDING], figures[SIDE_BOUNDING], figures[SIDE_GUARDED]);
            bench_pair(&local_rows[GATED], figures[SIDE_GATED], figures[SIDE_GUARDED]);
            bench_pair(&local_rows[FOREIGN], figures[SIDE_NESTED], figures[SIDE_FOREIGN]);
            bench_pair(&local_rows[FOREIGN_GUARDED], figures[SIDE_FOREIGN_GUARDED],
                       figures[SIDE_FOREIGN]);
        }
    }
    sides_end(sides, SIDES);
    log_remove();
}

BENCH_GROUP(local, local_rows, run_local);
