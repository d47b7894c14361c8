/* SPDX-License-Identifier: MIT */
/*
 * What a large module costs that is wrapped: 300 classes and 1,000 methods in the embedded server,
 * beside the same module unwrapped.
 *
 * The module is linked in: mapping a file costs the same on both sides, and would only make the
 * ratio of a load smaller. A call is an Invoke of each method in turn, of which the provider does
 * nothing but answer.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "miguard.h"
#include "miguard/host.h"
#include "support/log.h"
#include "support/stub_host.h"

enum { CLASSES = 300, METHODS = 1000, ROUNDS = 31 };
enum { LOAD, LOAD_CALLS, FIRST_CALL, MEMORY, MEMORY_DECLARED, CALL, GROWTH };

static const struct bench_row module_rows[] = {
    [LOAD] = {.name = "module.load",
              .goal = BENCH_NO_GOAL,
              .first = "loading 300 classes and 1,000 methods, wrapped",
              .second = "the same, unwrapped",
              .unit = "ns",
              .leaves_out = "mapping the module's file, which costs both sides the same; Load of "
                            "the classes (module.first-call)"},
    [LOAD_CALLS] = {.name = "module.load-calls",
                    .goal = 7,
                    .first = "a class's or method's part of a load, wrapped",
                    .second = "a system call that does nothing",
                    .unit = "ns",
                    .leaves_out = "as module.load"},
    [FIRST_CALL] = {.name = "module.first-call",
                    .goal = BENCH_NO_GOAL,
                    .first = "the first call of a class, with its Load, wrapped",
                    .second = "the same, unwrapped",
                    .unit = "ns",
                    .leaves_out = "what a provider does in Load and in the call: nothing here"},
    [MEMORY] = {.name = "module.memory",
                .goal = BENCH_NO_GOAL,
                .first = "memory with the module loaded, wrapped",
                .second = "the same, unwrapped",
                .unit = "KiB",
                .leaves_out = "what malloc(3) keeps free, and the log's buffers, which are there "
                              "before"},
    [MEMORY_DECLARED] = {.name = "module.memory-declared",
                         .goal = 3,
                         .first = "memory that the wrapping takes",
                         .second = "the module's own declarations",
                         .unit = "KiB",
                         .leaves_out = "as module.memory; names, which the wrapping shares"},
    [CALL] = {.name = "module.call",
              .goal = BENCH_NO_GOAL,
              .first = "a call of each method, wrapped",
              .second = "the same, unwrapped",
              .unit = "ns",
              .leaves_out = "what the method does: nothing here, so that the ratio is at its "
                            "highest"},
    [GROWTH] = {.name = "module.growth",
                .goal = 1.5,
                .first = "load and unload of a class of 8,000",
                .second = "the same of 800",
                .unit = "ns",
                .leaves_out = "methods: these classes have none; the module's own Load"},
};

/* ---- the module ---------------------------------------------------------------------------------
 */

static unsigned long answered;

static void MI_CALL answer_method(void *self, MI_Context *context, const MI_Char *space,
                                  const MI_Char *name, const MI_Char *method,
                                  const MI_Instance *instance, const MI_Instance *parameters)
{
    (void)self, (void)space, (void)name, (void)method, (void)instance, (void)parameters;
    answered++;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void MI_CALL load_nothing(void **self, MI_Module_Self *module, MI_Context *context)
{
    (void)self, (void)module;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void MI_CALL unload_nothing(void *self, MI_Context *context)
{
    (void)self;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* The same table for all classes: Load is called for each. */
static const MI_ProviderFT provider = {.Load = load_nothing, .Unload = unload_nothing};

static char class_names[CLASSES][24], method_names[METHODS][24];
static MI_MethodDecl methods[METHODS];
static const MI_MethodDecl *method_list[METHODS];
static MI_ClassDecl classes[CLASSES];
static const MI_ClassDecl *class_list[CLASSES];
static MI_SchemaDecl schema = {.classDecls = class_list, .numClassDecls = CLASSES};
static MI_Module module = {
    .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &schema};

/* As a generator makes it (MI.h): by the first and the last character, in lower case, and length.
 */
static MI_Uint32 code_of(const char *name)
{
    size_t length = strlen(name);
    return ((MI_Uint32)(name[0] | 0x20) << 16) | ((MI_Uint32)(name[length - 1] | 0x20) << 8) |
           (MI_Uint32)length;
}

/* The first method of a class; 3 or 4 each. */
static unsigned first_method(unsigned class)
{
    return class * METHODS / CLASSES;
}

static void make_method(unsigned i)
{
    snprintf(method_names[i], sizeof(method_names[i]), "Method%u", i);
    methods[i] = (MI_MethodDecl){.flags = MI_FLAG_METHOD | MI_FLAG_STATIC,
                                 .code = code_of(method_names[i]),
                                 .name = method_names[i],
                                 .size = sizeof(MI_Instance),
                                 .returnType = MI_UINT32,
                                 .schema = &schema,
                                 .function = answer_method};
    method_list[i] = &methods[i];
}

static void make_module(void)
{
    for (unsigned i = 0; i < METHODS; i++) {
        make_method(i);
    }
    for (unsigned i = 0; i < CLASSES; i++) {
        snprintf(class_names[i], sizeof(class_names[i]), "BN_Class%u", i);
        classes[i] = (MI_ClassDecl){.flags = MI_FLAG_CLASS,
                                    .code = code_of(class_names[i]),
                                    .name = class_names[i],
                                    .size = sizeof(MI_Instance),
                                    .methods = &method_list[first_method(i)],
                                    .numMethods = first_method(i + 1) - first_method(i),
                                    .schema = &schema,
                                    .providerFT = &provider};
        class_list[i] = &classes[i];
    }
}

static MI_Module *MI_CALL module_main(MI_Server *server)
{
    (void)server;
    return &module;
}

static MI_Module *MI_CALL empty_main(MI_Server *server)
{
    static MI_Module empty = {.version = MI_VERSION, .charSize = sizeof(MI_Char)};
    (void)server;
    return &empty;
}

/* ---- a server with it ---------------------------------------------------------------------------
 */

struct served {
    struct miguard_host *host;
    MI_Session session;
};

static void begin_host(struct served *served, bool wrapped)
{
    const struct miguard_host_options options = {.wrap = wrapped ? miguard_wrap_module : NULL};

    if (miguard_host_new(&options, &served->host, NULL) != MIGUARD_OK ||
        miguard_host_session(served->host, &served->session, NULL) != MIGUARD_OK) {
        abort();
    }
}

static void add_module(const struct served *served, MI_MainFunction main_function)
{
    if (miguard_host_add(served->host, main_function, "*", NULL) != MIGUARD_OK) {
        abort();
    }
}

static void end_host(struct served *served)
{
    MI_Session_Close(&served->session, NULL, NULL);
    miguard_host_free(served->host);
}

static void call_method(struct served *served, const MI_ClassDecl *class,
                        const MI_MethodDecl *method)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;

    MI_Session_Invoke(&served->session, 0, NULL, "root/bench", class->name, method->name, NULL,
                      NULL, NULL, &operation);
    do {
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    } while (more);
    MI_Operation_Close(&operation);
    if (result != MI_RESULT_OK) {
        abort();
    }
}

/* The first call of a class is also its Load. */
static double call_first_methods(struct served *served)
{
    double start = nanoseconds();
    for (unsigned i = 0; i < CLASSES; i++) {
        call_method(served, &classes[i], classes[i].methods[0]);
    }
    return nanoseconds() - start;
}

static double call_all_methods(struct served *served)
{
    double start = nanoseconds();
    for (unsigned i = 0; i < CLASSES; i++) {
        for (unsigned k = 0; k < classes[i].numMethods; k++) {
            call_method(served, &classes[i], classes[i].methods[k]);
        }
    }
    return nanoseconds() - start;
}

/* The wrapping of a module that was unloaded lives until another one takes its place: an empty one
 * does, so that each round starts with as much memory. */
static void forget_module(void)
{
    struct served served;

    begin_host(&served, true);
    add_module(&served, empty_main);
    end_host(&served);
}

static double bytes_in_use(void)
{
    struct mallinfo2 now = mallinfo2();
    return (double)now.uordblks + (double)now.hblkhd;
}

/* ---- the figures -------------------------------------------------------------------------------
 */

struct side {
    double load, first, memory, call;
};

static struct side measure_side(bool wrapped)
{
    struct served served;
    struct side side;

    forget_module();
    begin_host(&served, wrapped);
    double before = bytes_in_use(), start = nanoseconds();
    add_module(&served, module_main);
    side.load = nanoseconds() - start;
    side.first = call_first_methods(&served) / CLASSES;
    side.memory = (bytes_in_use() - before) / 1024;
    side.call = call_all_methods(&served) / METHODS;
    end_host(&served);
    return side;
}

static void measure_round(void)
{
    const double declared =
        (double)(sizeof(classes) + sizeof(methods) + sizeof(class_list) + sizeof(method_list)) /
        1024;
    const struct side plain = measure_side(false), wrapped = measure_side(true);
    const double call = bench_time(bench_system_calls, NULL, METHODS);

    bench_pair(&module_rows[LOAD], wrapped.load, plain.load);
    bench_pair(&module_rows[LOAD_CALLS], wrapped.load / (CLASSES + METHODS), call);
    bench_pair(&module_rows[FIRST_CALL], wrapped.first, plain.first);
    bench_pair(&module_rows[MEMORY], wrapped.memory, plain.memory);
    bench_pair(&module_rows[MEMORY_DECLARED], wrapped.memory - plain.memory, declared);
    bench_pair(&module_rows[CALL], wrapped.call, plain.call);
}

/* ---- as the number of classes grows ------------------------------------------------------------
 */

enum { FEW = 800, MANY = 8000, GROWTH_ROUNDS = 11 };

/* Nanoseconds a class; the host unloads them in the order of their loads. */
static double load_and_unload(MI_Module *big, struct stub_host *host)
{
    static void *selves[MANY];
    MI_Module_Self *self = NULL;
    double start = nanoseconds();
    MI_Module *wrapped = miguard_wrap_module(NULL, big);

    if (wrapped == NULL) {
        abort();
    }
    const MI_SchemaDecl *made = wrapped->schemaDecl;
    wrapped->Load(&self, &host->context);
    for (MI_Uint32 i = 0; i < made->numClassDecls; i++) {
        made->classDecls[i]->providerFT->Load(&selves[i], self, &host->context);
    }
    for (MI_Uint32 i = 0; i < made->numClassDecls; i++) {
        made->classDecls[i]->providerFT->Unload(selves[i], &host->context);
    }
    double taken = (nanoseconds() - start) / made->numClassDecls;
    wrapped->Unload(self, &host->context);
    return taken;
}

/* What a class costs more in a module of many: nothing is to be searched among all of them. */
static void measure_growth(void)
{
    static const MI_ProviderFT empty_provider;
    static MI_ClassDecl decls[MANY];
    static const MI_ClassDecl *list[MANY];
    static MI_SchemaDecl of[2] = {{.classDecls = list, .numClassDecls = FEW},
                                  {.classDecls = list, .numClassDecls = MANY}};
    static MI_Module big[2];
    struct stub_host *host = stub_host_new();

    for (unsigned i = 0; i < MANY; i++) {
        decls[i] = (MI_ClassDecl){.name = "BN_Many", .providerFT = &empty_provider};
        list[i] = &decls[i];
    }
    for (int i = 0; i < 2; i++) {
        big[i] = module;
        big[i].schemaDecl = &of[i];
        (void)load_and_unload(&big[i], host);
    }
    for (int i = 0; i < bench_rounds(GROWTH_ROUNDS); i++) {
        const double few = load_and_unload(&big[0], host);
        bench_pair(&module_rows[GROWTH], load_and_unload(&big[1], host), few);
    }
    stub_host_free(host);
}

static void run_module(void)
{
    log_start();
    make_module();
    (void)measure_side(false); /* what is made once for the process */
    (void)measure_side(true);
    for (int round = 0; round < bench_rounds(ROUNDS); round++) {
        measure_round();
    }
    if (bench_wants(&module_rows[GROWTH])) {
        measure_growth();
    }
    log_remove();
}

BENCH_GROUP(module, module_rows, run_module);
