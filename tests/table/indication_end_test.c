/* SPDX-License-Identifier: MIT */
/*
 * A provider whose thread goes on posting indications while they are disabled, under the foreign
 * host, which frees the context of EnableIndications when DisableIndications is answered. No post
 * comes to a context that is gone, and each subscription begins and ends.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/nested.h"

/* ---- the provider ---------------------------------------------------------------------------- */

struct alert {
    MI_Instance instance;
};

static MI_SchemaDecl schema;
static MI_ProviderFT provider;
static const MI_ClassDecl alert_decl = {.flags = MI_FLAG_CLASS | MI_FLAG_INDICATION,
                                        .code = 'l' << 16 | 't' << 8 | 7,
                                        .name = "L_Alert",
                                        .size = sizeof(struct alert),
                                        .schema = &schema,
                                        .providerFT = &provider};
static const MI_ClassDecl *const classes[] = {&alert_decl};
static MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = 1};

static pthread_t poster;
static atomic_bool over;
static atomic_ulong posted, refused;

static void *post_until_over(void *data)
{
    MI_Context *context = data;

    while (!atomic_load(&over)) {
        struct alert alert = {{.classDecl = &alert_decl}};
        MI_Result result = MI_Context_PostIndication(context, &alert.instance, 0, NULL);
        atomic_fetch_add(&posted, result == MI_RESULT_OK);
        if (result != MI_RESULT_OK) {
            atomic_fetch_add(&refused, 1);
            break;
        }
    }
    return NULL;
}

static void MI_CALL enable(void *self, MI_Context *context, const MI_Char *space,
                           const MI_Char *class_name)
{
    (void)self, (void)space, (void)class_name;
    atomic_store(&over, false);
    if (pthread_create(&poster, NULL, post_until_over, context) != 0) {
        abort();
    }
}

static void MI_CALL disable(void *self, MI_Context *context, const MI_Char *space,
                            const MI_Char *class_name)
{
    (void)self, (void)space, (void)class_name;
    MI_Context_PostResult(context, MI_RESULT_OK); /* its thread still runs: the mistake */
}

static void MI_CALL subscribe(void *self, MI_Context *context, const MI_Char *space,
                              const MI_Char *class_name, const MI_Filter *filter,
                              const MI_Char *bookmark, MI_Uint64 id, void **subscription)
{
    (void)self, (void)space, (void)class_name, (void)filter, (void)bookmark, (void)id;
    (void)subscription;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void MI_CALL unsubscribe(void *self, MI_Context *context, const MI_Char *space,
                                const MI_Char *class_name, MI_Uint64 id, void *subscription)
{
    (void)self, (void)space, (void)class_name, (void)id, (void)subscription;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_ProviderFT provider = {.EnableIndications = enable,
                                 .DisableIndications = disable,
                                 .Subscribe = subscribe,
                                 .Unsubscribe = unsubscribe};

static MI_Module *MI_CALL module_main(MI_Server *server)
{
    static MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &schema};
    (void)server;
    return &module;
}

/* ---- what must hold -------------------------------------------------------------------------- */

static unsigned passed, failed;

static void check(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s\n", what);
    }
}

int main(void)
{
    const struct hosted_module module = {.main_function = module_main};
    unsigned rounds = getenv("QUICK") != NULL ? 100 : 500, well = 0;
    struct running_host host;

    log_start();
    if (!host_kinds[HOST_FOREIGN].start(&host, &module, 1, miguard_wrap_module)) {
        printf("0 passed, 1 failed\n");
        return 1;
    }
    for (unsigned i = 0; i < rounds; i++) {
        unsigned number = 0;
        unsigned long before = atomic_load(&posted);
        bool begun = foreign_host_subscribe(host.foreign, "L_Alert", &number) == MI_RESULT_OK;
        for (int spin = 0; spin < 100000 && atomic_load(&posted) == before; spin++) {
            sched_yield();
        }
        well += begun && foreign_host_unsubscribe(host.foreign, number) == MI_RESULT_OK;
        pthread_join(poster, NULL); /* a refused post ends it */
    }
    atomic_store(&over, true);
    check(well == rounds, "a subscription does not begin or end");
    check(atomic_load(&refused) == rounds, "a post is served after the end");
    check(foreign_host_counts(host.foreign)->indications == atomic_load(&posted),
          "not each post that is accepted came to the host");
    check(atomic_load(&posted) >= rounds, "too few indications");
    for (int ms = 0; ms < 2000 && slots_in_use(&guarded_contexts) > 0; ms++) {
        usleep(1000);
    }
    check(slots_in_use(&guarded_contexts) == 0, "a context is left");
    host_kinds[HOST_FOREIGN].stop(&host);
    log_remove();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
