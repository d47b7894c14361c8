/* SPDX-License-Identifier: MIT */
/*
 * A local GetInstance through the embedded host: unguarded, guarded, guarded without CAP_SETPCAP,
 * and guarded and gated. Each side is a process of its own, since no gate can be opened again and a
 * permitted set does not grow; they are asked in turn, round by round.
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
#include "miguard.h"
#include "miguard/gate.h"
#include "miguard/host.h"
#include "support/log.h"

enum { ROUNDS = 41, LOCAL_CALLS = 60 };
enum { GUARDED, NO_SETPCAP, GATED };

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
    [GATED] = {.name = "local.gated",
               .goal = BENCH_NO_GOAL,
               .first = "a local GetInstance, guarded and gated",
               .second = "the same, guarded, not gated",
               .unit = "ns",
               .leaves_out = "a change of identity between two calls, after which the check is "
                             "fresh once"},
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

enum side_kind { SIDE_UNGUARDED, SIDE_GUARDED, SIDE_NO_SETPCAP, SIDE_GATED, SIDES };

/* A round for each byte that comes in; its figure goes out. */
struct side {
    enum side_kind kind;
    pid_t child;
    int ask[2], answer[2];
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

static void close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    if (miguard_gate_close(&options, NULL) != MIGUARD_OK) {
        abort();
    }
}

/* On a thread other than the first, as the threads of a host's pool are. */
static void *serve(void *data)
{
    const struct side *side = data;
    struct miguard_host_options options = {
        .wrap = side->kind == SIDE_UNGUARDED ? NULL : miguard_wrap_module};
    struct miguard_host *host = NULL;
    MI_Session session;
    char byte;

    if (side->kind == SIDE_NO_SETPCAP) {
        give_up_setpcap();
    } else if (side->kind == SIDE_GATED) {
        close_gate();
    }
    if (miguard_host_new(&options, &host, NULL) != MIGUARD_OK ||
        miguard_host_add(host, module_main, "*", NULL) != MIGUARD_OK ||
        miguard_host_session(host, &session, NULL) != MIGUARD_OK) {
        abort();
    }
    MI_Instance *front = named(&session, "Front");
    back_name = named(&session, "Back");
    while (read(side->ask[0], &byte, 1) == 1) {
        (void)get(&session, front);
        if (write(side->answer[1], &local_ns, sizeof(local_ns)) != sizeof(local_ns)) {
            break;
        }
    }
    return NULL;
}

/* The ends of the other sides are closed in the child, so that each sees the end of its own. */
static void start_side(struct side sides[], int number)
{
    struct side *side = &sides[number];
    pthread_t thread;

    side->kind = (enum side_kind)number;
    if (pipe(side->ask) != 0 || pipe(side->answer) != 0) {
        abort();
    }
    fflush(NULL);
    side->child = fork();
    if (side->child == 0) {
        for (int i = 0; i <= number; i++) {
            close(sides[i].ask[1]);
            close(sides[i].answer[0]);
        }
        if (pthread_create(&thread, NULL, serve, side) != 0) {
            abort();
        }
        pthread_join(thread, NULL);
        _exit(0);
    }
    close(side->ask[0]);
    close(side->answer[1]);
}

static double ask_side(const struct side *side)
{
    double figure = 0;
    if (write(side->ask[1], "x", 1) != 1 ||
        read(side->answer[0], &figure, sizeof(figure)) != sizeof(figure)) {
        return -1; /* such a side could not be made here */
    }
    return figure;
}

static void end_sides(const struct side sides[])
{
    for (int i = 0; i < SIDES; i++) {
        close(sides[i].ask[1]);
        close(sides[i].answer[0]);
        waitpid(sides[i].child, NULL, 0);
    }
}

static void run_local(void)
{
    static struct side sides[SIDES];
    double figures[SIDES];

    log_start();
    for (int i = 0; i < SIDES; i++) {
        start_side(sides, i);
    }
    for (int round = -1; round < bench_rounds(ROUNDS); round++) { /* -1 warms up */
        for (int i = 0; i < SIDES; i++) {
            const int number = (i + round + SIDES) % SIDES; /* none is always the first */
            figures[number] = ask_side(&sides[number]);
        }
        if (round >= 0) {
            bench_pair(&local_rows[GUARDED], figures[SIDE_GUARDED], figures[SIDE_UNGUARDED]);
            bench_pair(&local_rows[NO_SETPCAP], figures[SIDE_NO_SETPCAP], figures[SIDE_GUARDED]);
            bench_pair(&local_rows[GATED], figures[SIDE_GATED], figures[SIDE_GUARDED]);
        }
    }
    end_sides(sides);
    log_remove();
}

BENCH_GROUP(local, local_rows, run_local);
