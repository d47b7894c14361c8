/* SPDX-License-Identifier: MIT */
/*
 * What the gate saves: the guard's check and a local GetInstance on gated threads against ungated
 * ones. The gated part runs in a child process, since no gate can be opened again; the two sides of
 * a ratio alternate round by round, between processes, too.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"
#include "gate/gate.h"
#include "gateway/gateway.h"
#include "identity/change.h"
#include "miguard/host.h"
#include "support/stub_host.h"

void bench_gate(void (*tell)(const char *name, double value, const char *unit, double goal));

enum { ROUNDS = 41, CHECKS = 2000, LOCAL_CALLS = 60 };

static double median(double *values)
{
    return median_of(values, ROUNDS);
}

static void close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_error error = {0};

    if (miguard_gate_close(&options, &error) != MIGUARD_OK) {
        fprintf(stderr, "bench: %s: %s\n", error.step, error.detail);
        _exit(3);
    }
}

/* ---- the check ------------------------------------------------------------------------------- */

/* In memory that parent and child share. */
static struct shared {
    double gated, fresh, gated_guard, fresh_guard, ratio;
    double gated_binding, fresh_binding_ratio; /* of <miguard/guard.h> */
} * shared;

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
        if (identity_check(&session->binding.identity, MIGUARD_COMPONENTS_ALL, NULL) != 0) {
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

static void measure_check(void)
{
    double gated[ROUNDS], fresh[ROUNDS], gated_guard[ROUNDS], fresh_guard[ROUNDS], ratios[ROUNDS];
    double gated_binding[ROUNDS], binding_ratios[ROUNDS];

    close_gate();
    struct guarded_session *session = session_of(stub_host_new());
    struct miguard_binding *binding = binding_of_thread();
    for (int i = 0; i < ROUNDS; i++) {
        double fresh_binding = verify_ns(binding, true);
        fresh_guard[i] = guard_ns(session, true);
        gated_guard[i] = guard_ns(session, false);
        gated[i] = known_ns(session);
        fresh[i] = check_ns(session);
        gated_binding[i] = verify_ns(binding, false);
        ratios[i] = gated[i] / fresh[i];
        binding_ratios[i] = fresh_binding / fresh[i];
    }
    *shared = (struct shared){median(gated),         median(fresh),  median(gated_guard),
                              median(fresh_guard),   median(ratios), median(gated_binding),
                              median(binding_ratios)};
    miguard_release(binding);
}

/* ---- a local GetInstance -----------------------------------------------------------------------
 */

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

/* One side: a round for each byte that comes in, its figure goes out. */
struct side {
    pid_t child;
    int ask[2], answer[2];
};

static void serve(const struct side *side, bool gated)
{
    struct miguard_host_options options = {.wrap = miguard_wrap_module};
    struct miguard_host *host = NULL;
    MI_Session session;
    char byte;

    if (gated) {
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
}

static void start_side(struct side *side, bool gated)
{
    if (pipe(side->ask) != 0 || pipe(side->answer) != 0) {
        abort();
    }
    fflush(NULL);
    side->child = fork();
    if (side->child == 0) {
        close(side->ask[1]);
        serve(side, gated);
        _exit(0);
    }
    close(side->ask[0]);
}

static double run_side(const struct side *side)
{
    double figure = 0;
    if (write(side->ask[1], "x", 1) != 1 ||
        read(side->answer[0], &figure, sizeof(figure)) != sizeof(figure)) {
        abort();
    }
    return figure;
}

static void end_side(const struct side *side)
{
    close(side->ask[1]);
    close(side->answer[0]);
    waitpid(side->child, NULL, 0);
}

static void bench_local(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    struct side ungated, gated;
    double with[ROUNDS], without[ROUNDS], ratios[ROUNDS];

    start_side(&ungated, false);
    start_side(&gated, true);
    for (int i = 0; i < ROUNDS; i++) {
        without[i] = run_side(&ungated);
        with[i] = run_side(&gated);
        ratios[i] = with[i] / without[i];
    }
    end_side(&gated);
    end_side(&ungated);
    tell("local GetInstance, gated / ungated", median(ratios), "ratio", -1);
    tell("local GetInstance, guarded and gated", median(with) / 1000, "us", -1);
}

void bench_gate(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    int status = 0;

    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        abort();
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        measure_check();
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0) {
        printf("skip: the gate: cannot be closed here\n");
        return;
    }
    tell("gated check", shared->gated, "ns", 10);
    tell("gated check / fresh check", shared->ratio * 1000, "1/1000", 10);
    tell("gated guard, with its policy decision", shared->gated_guard, "ns", -1);
    tell("gated guard / fresh guard", shared->gated_guard / shared->fresh_guard * 1000, "1/1000",
         -1);
    tell("gated miguard_verify()", shared->gated_binding, "ns", 20);
    tell("fresh miguard_verify() / fresh check", shared->fresh_binding_ratio, "ratio", 1.05);
    bench_local(tell);
    munmap(shared, 4096);
}
