/* SPDX-License-Identifier: MIT */
/*
 * Requests from inside a provider to another one in the embedded host: GetInstance, enumeration and
 * query of instances with 20 properties, and a method; unguarded, guarded, and guarded and gated.
 * Each side is a process of its own (sides.h). As root with all capabilities.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/allocations.h"
#include "bench/measure.h"
#include "bench/sides.h"
#include "miguard.h"
#include "miguard/gate.h"
#include "miguard/host.h"
#include "support/log.h"

enum { ROUNDS = 41, CALLS = 40, INSTANCES = 1000, PROPERTIES = 20, MATCHING = INSTANCES / 10 };

/* What a round gives: nanoseconds, of get and invoke for a request, of the others for an instance
 * that the provider posts. */
enum figure { GET, ENUMERATE, QUERY, INVOKE, CLONE, ALLOCATIONS, FIGURES };

#define WORK_IS_LEFT_OUT "the provider's work: it posts what it has"
#define ROW(key, most, a, b)                                                                       \
    {                                                                                              \
        .name = "host." key, .goal = (most), .first = (a), .second = (b), .unit = "ns",            \
        .leaves_out = WORK_IS_LEFT_OUT                                                             \
    }
#define INSTANCE "an instance of 20 properties, "

enum row {
    R_GET,
    R_ENUMERATE,
    R_QUERY,
    R_INVOKE,
    R_ALLOCATIONS,
    R_ENUMERATE_GUARDED,
    R_QUERY_GUARDED,
    R_INVOKE_GUARDED,
    R_GET_GATED,
    R_ENUMERATE_GATED,
    R_QUERY_GATED,
    R_INVOKE_GATED,
};

static const struct bench_row host_rows[] = {
    [R_GET] =
        ROW("get", BENCH_NO_GOAL, "GetInstance, unguarded", "a system call that does nothing"),
    [R_ENUMERATE] = ROW("enumerate", BENCH_NO_GOAL, INSTANCE "enumerated, unguarded",
                        "MI_Instance_Clone and Delete of it"),
    [R_QUERY] = ROW("query", 1.0, INSTANCE "that a query looks at, one of ten matches",
                    INSTANCE "enumerated"),
    [R_INVOKE] = ROW("invoke", BENCH_NO_GOAL, "Invoke with one parameter", "GetInstance"),
    [R_ALLOCATIONS] = {.name = "host.allocations",
                       .goal = 2,
                       .first = "allocations for " INSTANCE "enumerated",
                       .second = "of MI_Instance_Clone of it",
                       .unit = "",
                       .leaves_out = "those of the C library"},
    [R_ENUMERATE_GUARDED] = ROW("enumerate-guarded", BENCH_NO_GOAL, INSTANCE "enumerated, guarded",
                                "the same, unguarded"),
    [R_QUERY_GUARDED] = ROW("query-guarded", BENCH_NO_GOAL,
                            INSTANCE "that a query looks at, guarded", "the same, unguarded"),
    [R_INVOKE_GUARDED] =
        ROW("invoke-guarded", BENCH_NO_GOAL, "Invoke, guarded", "the same, unguarded"),
    [R_GET_GATED] =
        ROW("get-gated", BENCH_NO_GOAL, "GetInstance, guarded and gated", "the same, unguarded"),
    [R_ENUMERATE_GATED] = ROW("enumerate-gated", 1.2, INSTANCE "enumerated, guarded and gated",
                              "the same, unguarded"),
    [R_QUERY_GATED] = ROW("query-gated", 1.2, INSTANCE "that a query looks at, guarded and gated",
                          "the same, unguarded"),
    [R_INVOKE_GATED] =
        ROW("invoke-gated", BENCH_NO_GOAL, "Invoke, guarded and gated", "the same, unguarded"),
};

/* ---- the class ------------------------------------------------------------------------------ */

struct thing {
    MI_Instance instance;
    MI_ConstUint32Field numbers[PROPERTIES / 2]; /* the first is the key */
    MI_ConstStringField texts[PROPERTIES / 2];
};

struct work {
    MI_Instance instance;
    MI_ConstUint32Field MIReturn;
    MI_ConstUint32Field Amount;
};

static char names[PROPERTIES][16]; /* room for any int, as -Wformat-truncation asks */
static MI_PropertyDecl properties[PROPERTIES];
static const MI_PropertyDecl *property_list[PROPERTIES];
static MI_SchemaDecl schema;
static struct thing things[INSTANCES];

static MI_ParameterDecl return_decl = {.flags = MI_FLAG_PARAMETER | MI_FLAG_OUT,
                                       .name = "MIReturn",
                                       .type = MI_UINT32,
                                       .offset = offsetof(struct work, MIReturn)};
static MI_ParameterDecl amount_decl = {.flags = MI_FLAG_PARAMETER | MI_FLAG_IN,
                                       .name = "Amount",
                                       .type = MI_UINT32,
                                       .offset = offsetof(struct work, Amount)};
static const MI_ParameterDecl *const work_parameters[] = {&return_decl, &amount_decl};
static void do_work(void *self, MI_Context *context, const MI_Char *space,
                    const MI_Char *class_name, const MI_Char *method, const MI_Instance *instance,
                    const MI_Instance *parameters);
static MI_MethodDecl work_decl = {.flags = MI_FLAG_METHOD | MI_FLAG_STATIC,
                                  .name = "Work",
                                  .parameters = work_parameters,
                                  .numParameters = 2,
                                  .size = sizeof(struct work),
                                  .returnType = MI_UINT32,
                                  .origin = "H_Thing",
                                  .propagator = "H_Thing",
                                  .schema = &schema,
                                  .function = do_work};
static const MI_MethodDecl *const methods[] = {&work_decl};

static MI_ProviderFT thing_provider, front_provider;
static MI_ClassDecl thing_decl = {.flags = MI_FLAG_CLASS,
                                  .name = "H_Thing",
                                  .properties = property_list,
                                  .numProperties = PROPERTIES,
                                  .size = sizeof(struct thing),
                                  .methods = methods,
                                  .numMethods = 1,
                                  .schema = &schema,
                                  .providerFT = &thing_provider};
static MI_ClassDecl front_decl = {.flags = MI_FLAG_CLASS,
                                  .name = "H_Front",
                                  .properties = property_list,
                                  .numProperties = PROPERTIES,
                                  .size = sizeof(struct thing),
                                  .schema = &schema,
                                  .providerFT = &front_provider};
static const MI_ClassDecl *const classes[] = {&thing_decl, &front_decl};
static MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = 2};
static MI_Module module = {
    .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &schema};

static void declare(void)
{
    for (int i = 0; i < PROPERTIES; i++) {
        const bool number = i < PROPERTIES / 2;
        snprintf(names[i], sizeof(names[i]), "%c%d", number ? 'N' : 'T', i);
        properties[i] = (MI_PropertyDecl){
            .flags = MI_FLAG_PROPERTY | (i == 0 ? MI_FLAG_KEY : 0),
            .name = names[i],
            .type = number ? MI_UINT32 : MI_STRING,
            .offset = (MI_Uint32)(number ? offsetof(struct thing, numbers[0]) +
                                               (size_t)i * sizeof(MI_ConstUint32Field)
                                         : offsetof(struct thing, texts[0]) +
                                               (size_t)(i - PROPERTIES / 2) *
                                                   sizeof(MI_ConstStringField)),
            .origin = "H_Thing",
            .propagator = "H_Thing"};
        property_list[i] = &properties[i];
    }
}

/* As a provider fills its instances: the fields are written by the code itself. */
static void fill(struct thing *thing, const MI_ClassDecl *decl, MI_Uint32 number)
{
    memset(thing, 0, sizeof(*thing));
    thing->instance.classDecl = decl;
    for (int i = 0; i < PROPERTIES / 2; i++) {
        const MI_Uint32Field field = {i == 0 ? number : number % 10, MI_TRUE, 0};
        const MI_StringField text = {(MI_Char *)(uintptr_t) "a text of some length", MI_TRUE, 0};
        memcpy((void *)&thing->numbers[i], &field, sizeof(field));
        memcpy((void *)&thing->texts[i], &text, sizeof(text));
    }
}

/* ---- the provider that is asked ------------------------------------------------------------- */

static void get_thing(void *self, MI_Context *context, const MI_Char *space,
                      const MI_Char *class_name, const MI_Instance *key, const MI_PropertySet *set)
{
    (void)self, (void)space, (void)class_name, (void)key, (void)set;
    MI_Context_PostInstance(context, &things[0].instance);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void enumerate_things(void *self, MI_Context *context, const MI_Char *space,
                             const MI_Char *class_name, const MI_PropertySet *set,
                             MI_Boolean keys_only, const MI_Filter *filter)
{
    (void)self, (void)space, (void)class_name, (void)set, (void)keys_only, (void)filter;
    for (int i = 0; i < INSTANCES; i++) {
        MI_Context_PostInstance(context, &things[i].instance);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void do_work(void *self, MI_Context *context, const MI_Char *space,
                    const MI_Char *class_name, const MI_Char *method, const MI_Instance *instance,
                    const MI_Instance *parameters)
{
    struct work work;

    (void)self, (void)space, (void)class_name, (void)method, (void)instance, (void)parameters;
    if (MI_Context_ConstructParameters(context, &work_decl, &work.instance) != MI_RESULT_OK) {
        abort();
    }
    const MI_Uint32Field field = {1, MI_TRUE, 0};
    memcpy((void *)&work.MIReturn, &field, sizeof(field));
    MI_Context_PostInstance(context, &work.instance);
    MI_Instance_Destruct(&work.instance);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_ProviderFT thing_provider = {.GetInstance = get_thing,
                                       .EnumerateInstances = enumerate_things};

/* ---- the provider that asks ----------------------------------------------------------------- */

static double figures[FIGURES];
static MI_Instance *key;

/* Reads all results of an operation; the number of instances. */
static int finish(MI_Operation *operation)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;
    int count = 0;

    do {
        if (MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL) !=
                MI_RESULT_OK ||
            result != MI_RESULT_OK) {
            abort();
        }
        count += instance != NULL;
    } while (more);
    MI_Operation_Close(operation);
    return count;
}

static void expect(int found, int expected)
{
    if (found != expected) {
        abort();
    }
}

static void ask_get(MI_Session *session)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session_GetInstance(session, 0, NULL, "root/bench", key, NULL, &operation);
    expect(finish(&operation), 1);
}

static void ask_invoke(MI_Session *session)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session_Invoke(session, 0, NULL, "root/bench", "H_Thing", "Work", NULL, NULL, NULL,
                      &operation);
    expect(finish(&operation), 1);
}

static void ask_enumerate(MI_Session *session)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session_EnumerateInstances(session, 0, NULL, "root/bench", "H_Thing", MI_FALSE, NULL,
                                  &operation);
    expect(finish(&operation), INSTANCES);
}

static void ask_query(MI_Session *session)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session_QueryInstances(session, 0, NULL, "root/bench", "WQL",
                              "SELECT * FROM H_Thing WHERE N1 = 3 AND T10 LIKE 'a text%'", NULL,
                              &operation);
    expect(finish(&operation), MATCHING);
}

static void clone_one(void)
{
    MI_Instance *clone = NULL;
    if (MI_Instance_Clone(key, &clone) != MI_RESULT_OK) {
        abort();
    }
    MI_Instance_Delete(clone);
}

static double timed(void (*ask)(MI_Session *), MI_Session *session, int calls, int each)
{
    const double start = nanoseconds();

    for (int i = 0; i < calls; i++) {
        ask(session);
    }
    return (nanoseconds() - start) / calls / each;
}

static void get_front(void *self, MI_Context *context, const MI_Char *space,
                      const MI_Char *class_name, const MI_Instance *name, const MI_PropertySet *set)
{
    MI_Session session = MI_SESSION_NULL;

    (void)self, (void)space, (void)class_name, (void)set;
    if (MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK) {
        abort();
    }
    figures[GET] = timed(ask_get, &session, CALLS, 1);
    figures[INVOKE] = timed(ask_invoke, &session, CALLS, 1);
    const long before = allocations_of_all;
    figures[ENUMERATE] = timed(ask_enumerate, &session, 2, INSTANCES);
    figures[ALLOCATIONS] = (double)(allocations_of_all - before) / (2 * INSTANCES);
    figures[QUERY] = timed(ask_query, &session, 2, INSTANCES);
    MI_Context_PostInstance(context, name);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_ProviderFT front_provider = {.GetInstance = get_front};

/* ---- the sides ------------------------------------------------------------------------------ */

enum { SIDE_UNGUARDED, SIDE_GUARDED, SIDE_GATED, SIDES };

static MI_Module *MI_CALL module_main(MI_Server *server)
{
    (void)server;
    return &module;
}

static MI_Instance *new_key(MI_Session *session, const MI_ClassDecl *decl)
{
    MI_Application application;
    MI_Instance *instance = NULL;
    struct thing filled;

    fill(&filled, decl, 0);
    if (MI_Session_GetApplication(session, &application) != MI_RESULT_OK ||
        MI_Application_NewInstance(&application, decl->name, decl, &instance) != MI_RESULT_OK) {
        abort();
    }
    for (MI_Uint32 i = 0; i < PROPERTIES; i++) {
        MI_Value value = {.uint32 = 0};
        if (i >= PROPERTIES / 2) {
            value.string = (MI_Char *)(uintptr_t) "a text of some length";
        }
        if (MI_Instance_SetElementAt(instance, i, &value, (MI_Type)properties[i].type, 0) !=
            MI_RESULT_OK) {
            abort();
        }
    }
    return instance;
}

static void ask_front(MI_Session *session, const MI_Instance *front)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session_GetInstance(session, 0, NULL, "root/bench", front, NULL, &operation);
    expect(finish(&operation), 1);
    const double start = nanoseconds();
    for (int i = 0; i < INSTANCES; i++) {
        clone_one();
    }
    figures[CLONE] = (nanoseconds() - start) / INSTANCES;
}

static void *serve(void *data)
{
    const struct side *side = data;
    struct miguard_host_options options = {
        .wrap = side->kind == SIDE_UNGUARDED ? NULL : miguard_wrap_module};
    struct miguard_gate_options gate = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_host *host = NULL;
    MI_Session session;

    declare();
    allocations_shared = true;
    for (MI_Uint32 i = 0; i < INSTANCES; i++) {
        fill(&things[i], &thing_decl, i);
    }
    gate.scope = MIGUARD_GATE_PROCESS;
    if ((side->kind == SIDE_GATED && miguard_gate_close(&gate, NULL) != MIGUARD_OK) ||
        miguard_host_new(&options, &host, NULL) != MIGUARD_OK ||
        miguard_host_add(host, module_main, "*", NULL) != MIGUARD_OK ||
        miguard_host_session(host, &session, NULL) != MIGUARD_OK) {
        abort();
    }
    MI_Instance *front = new_key(&session, &front_decl);
    key = new_key(&session, &thing_decl);
    while (side_next(side)) {
        ask_front(&session, front);
        if (!side_answer(side, figures, FIGURES)) {
            break;
        }
    }
    return NULL;
}

static void give_pairs(double of[SIDES][FIGURES], double system_call)
{
    const double *plain = of[SIDE_UNGUARDED], *guarded = of[SIDE_GUARDED], *gated = of[SIDE_GATED];

    bench_pair(&host_rows[R_GET], plain[GET], system_call);
    bench_pair(&host_rows[R_ENUMERATE], plain[ENUMERATE], plain[CLONE]);
    bench_pair(&host_rows[R_QUERY], plain[QUERY], plain[ENUMERATE]);
    bench_pair(&host_rows[R_INVOKE], plain[INVOKE], plain[GET]);
    bench_pair(&host_rows[R_ALLOCATIONS], plain[ALLOCATIONS], 1 + PROPERTIES / 2);
    bench_pair(&host_rows[R_ENUMERATE_GUARDED], guarded[ENUMERATE], plain[ENUMERATE]);
    bench_pair(&host_rows[R_QUERY_GUARDED], guarded[QUERY], plain[QUERY]);
    bench_pair(&host_rows[R_INVOKE_GUARDED], guarded[INVOKE], plain[INVOKE]);
    bench_pair(&host_rows[R_GET_GATED], gated[GET], plain[GET]);
    bench_pair(&host_rows[R_ENUMERATE_GATED], gated[ENUMERATE], plain[ENUMERATE]);
    bench_pair(&host_rows[R_QUERY_GATED], gated[QUERY], plain[QUERY]);
    bench_pair(&host_rows[R_INVOKE_GATED], gated[INVOKE], plain[INVOKE]);
}

static void run_host(void)
{
    static struct side sides[SIDES];
    double of[SIDES][FIGURES];

    log_start();
    for (int i = 0; i < SIDES; i++) {
        side_start(sides, i, serve);
    }
    for (int round = -1; round < bench_rounds(ROUNDS); round++) { /* -1 warms up */
        for (int i = 0; i < SIDES; i++) {
            const int number = (i + round + SIDES) % SIDES; /* none is always the first */
            side_ask(&sides[number], of[number], FIGURES);
        }
        if (round >= 0) {
            give_pairs(of, bench_time(bench_system_calls, NULL, 1000));
        }
    }
    sides_end(sides, SIDES);
    log_remove();
}

BENCH_GROUP(host, host_rows, run_host);
