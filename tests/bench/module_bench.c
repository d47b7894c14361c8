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
#include "support/stub_host.h"

void bench_module(void (*tell)(const char *name, double value, const char *unit, double goal));

enum { CLASSES = 300, METHODS = 1000, ROUNDS = 31 };

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

/* Each for the unwrapped one, the wrapped one, and as ratio and difference of the pairs. */
struct sides {
    double of[2][ROUNDS], ratios[ROUNDS], differences[ROUNDS];
};

static struct {
    struct sides load, first, memory, call;
} figures;

static void note_pair(struct sides *sides, int round)
{
    sides->ratios[round] = sides->of[1][round] / sides->of[0][round];
    sides->differences[round] = sides->of[1][round] - sides->of[0][round];
}

static void measure_side(int side, int round)
{
    struct served served;

    forget_module();
    begin_host(&served, side == 1);
    double before = bytes_in_use(), start = nanoseconds();
    add_module(&served, module_main);
    figures.load.of[side][round] = nanoseconds() - start;
    figures.first.of[side][round] = call_first_methods(&served) / CLASSES;
    figures.memory.of[side][round] = bytes_in_use() - before;
    figures.call.of[side][round] = call_all_methods(&served) / METHODS;
    end_host(&served);
}

static void measure_round(int round)
{
    for (int side = 0; side < 2; side++) {
        measure_side(side, round);
    }
    note_pair(&figures.load, round);
    note_pair(&figures.first, round);
    note_pair(&figures.memory, round);
    note_pair(&figures.call, round);
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
static double growth(void)
{
    static const MI_ProviderFT empty_provider;
    static MI_ClassDecl decls[MANY];
    static const MI_ClassDecl *list[MANY];
    static MI_SchemaDecl of[2] = {{.classDecls = list, .numClassDecls = FEW},
                                  {.classDecls = list, .numClassDecls = MANY}};
    static MI_Module big[2];
    struct stub_host *host = stub_host_new();
    double ratios[GROWTH_ROUNDS];

    for (unsigned i = 0; i < MANY; i++) {
        decls[i] = (MI_ClassDecl){.name = "BN_Many", .providerFT = &empty_provider};
        list[i] = &decls[i];
    }
    for (int i = 0; i < 2; i++) {
        big[i] = module;
        big[i].schemaDecl = &of[i];
        (void)load_and_unload(&big[i], host);
    }
    for (int i = 0; i < GROWTH_ROUNDS; i++) {
        double few = load_and_unload(&big[0], host);
        ratios[i] = load_and_unload(&big[1], host) / few;
    }
    stub_host_free(host);
    return median_of(ratios, GROWTH_ROUNDS);
}

void bench_module(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    make_module();
    measure_round(0); /* what is made once for the process */
    for (int round = 0; round < ROUNDS; round++) {
        measure_round(round);
    }
    tell("loading 300 classes, 1,000 methods: wrapped / not",
         median_of(figures.load.ratios, ROUNDS), "ratio", -1);
    tell("the same, wrapped", median_of(figures.load.of[1], ROUNDS) / 1000, "us", 1000);
    tell("first call of each class, with its Load: wrapped / not",
         median_of(figures.first.ratios, ROUNDS), "ratio", -1);
    tell("memory with it loaded: wrapped / not", median_of(figures.memory.ratios, ROUNDS), "ratio",
         -1);
    tell("the same, wrapped", median_of(figures.memory.of[1], ROUNDS) / 1024, "KiB", 1024);
    tell("memory of a wrapping / the module's own declarations",
         median_of(figures.memory.differences, ROUNDS) /
             (double)(sizeof(classes) + sizeof(methods) + sizeof(class_list) + sizeof(method_list)),
         "ratio", 3);
    tell("a call of each of its methods: wrapped / not", median_of(figures.call.ratios, ROUNDS),
         "ratio", -1);
    tell("the same, wrapped less not", median_of(figures.call.differences, ROUNDS), "ns", -1);
    tell("a class's load and unload: one of 8,000 / of 800", growth(), "ratio", 1.5);
}
