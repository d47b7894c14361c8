/* SPDX-License-Identifier: MIT */
/*
 * A provider that leaves an operation open when its request ends, in every way and under both
 * hosts. The request is answered; the host neither dies nor waits for itself; and the operation is
 * closed in the end, so that nothing grows.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/hosts.h"
#include "support/log.h"

enum { WAIT_MS = 4000 };

/* ---- two modules ----------------------------------------------------------------------------- */

/* L_Front is under test; L_Twin is served by the same thread of the foreign host, L_Back by
 * another. */
struct thing {
    MI_Instance instance;
    MI_ConstStringField Id;
};

static const MI_PropertyDecl id_decl = {.flags = MI_FLAG_PROPERTY | MI_FLAG_KEY,
                                        .code = 'i' << 16 | 'd' << 8 | 2,
                                        .name = "Id",
                                        .type = MI_STRING,
                                        .offset = offsetof(struct thing, Id)};
static const MI_PropertyDecl *const properties[] = {&id_decl};

static MI_SchemaDecl front_schema, back_schema;
static MI_ProviderFT front_ft, nested_ft;

#define CLASS(class_name, ft, its_schema)                                                          \
    {                                                                                              \
        .flags = MI_FLAG_CLASS, .name = (class_name), .properties = properties,                    \
        .numProperties = 1, .size = sizeof(struct thing), .schema = &(its_schema),                 \
        .providerFT = &(ft),                                                                       \
    }
static const MI_ClassDecl front_decl = CLASS("L_Front", front_ft, front_schema);
static const MI_ClassDecl twin_decl = CLASS("L_Twin", nested_ft, front_schema);
static const MI_ClassDecl back_decl = CLASS("L_Back", nested_ft, back_schema);
static const MI_ClassDecl *const front_classes[] = {&front_decl, &twin_decl};
static const MI_ClassDecl *const back_classes[] = {&back_decl};
static MI_SchemaDecl front_schema = {.classDecls = front_classes, .numClassDecls = 2};
static MI_SchemaDecl back_schema = {.classDecls = back_classes, .numClassDecls = 1};

static void MI_CALL front_get(void *self, MI_Context *context, const MI_Char *space,
                              const MI_Char *class_name, const MI_Instance *name,
                              const MI_PropertySet *set);

static void post(MI_Context *context, const MI_Char *class_name, const char *id)
{
    struct thing thing;
    MI_Value value;

    value.string = (MI_Char *)(uintptr_t)id;
    const MI_ClassDecl *decl = strcmp(class_name, "L_Twin") == 0 ? &twin_decl : &back_decl;
    if (MI_Context_ConstructInstance(context, decl, &thing.instance) != MI_RESULT_OK) {
        return;
    }
    MI_Instance_SetElementAt(&thing.instance, 0, &value, MI_STRING, 0);
    MI_Context_PostInstance(context, &thing.instance);
    MI_Instance_Destruct(&thing.instance);
}

static void MI_CALL nested_get(void *self, MI_Context *context, const MI_Char *space,
                               const MI_Char *class_name, const MI_Instance *name,
                               const MI_PropertySet *set)
{
    (void)self, (void)space, (void)name, (void)set;
    post(context, class_name, "one");
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void MI_CALL nested_enumerate(void *self, MI_Context *context, const MI_Char *space,
                                     const MI_Char *class_name, const MI_PropertySet *set,
                                     MI_Boolean keys_only, const MI_Filter *filter)
{
    (void)self, (void)space, (void)set, (void)keys_only, (void)filter;
    post(context, class_name, "one");
    post(context, class_name, "two");
    post(context, class_name, "three");
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_ProviderFT front_ft = {.GetInstance = front_get};
static MI_ProviderFT nested_ft = {.GetInstance = nested_get,
                                  .EnumerateInstances = nested_enumerate};

static MI_Module *MI_CALL front_main(MI_Server *server)
{
    static MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &front_schema};
    (void)server;
    return &module;
}

static MI_Module *MI_CALL back_main(MI_Server *server)
{
    static MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &back_schema};
    (void)server;
    return &module;
}

static const struct hosted_module modules[] = {{.main_function = front_main, .agent = 0},
                                               {.main_function = back_main, .agent = 1}};

/* ---- the rows -------------------------------------------------------------------------------- */

enum where { ON_THE_HOSTS_THREAD, ON_ITS_OWN_THREAD };
enum way { SYNC, ASYNC, ASYNC_MANUAL };
enum how_far { UNREAD, ONE_READ, ALL_READ };

static const struct row {
    enum where where;
    const char *class_name;
    bool enumerate;
    enum way way;
    enum how_far how_far;
} rows[] = {
#define ALL_WAYS(where, class_name, enumerate)                                                     \
    {where, class_name, enumerate, SYNC, UNREAD}, {where, class_name, enumerate, ASYNC, UNREAD},   \
    {                                                                                              \
        where, class_name, enumerate, ASYNC_MANUAL, UNREAD                                         \
    }
    ALL_WAYS(ON_THE_HOSTS_THREAD, "L_Back", false),
    ALL_WAYS(ON_THE_HOSTS_THREAD, "L_Back", true),
    ALL_WAYS(ON_THE_HOSTS_THREAD, "L_Twin", false),
    ALL_WAYS(ON_THE_HOSTS_THREAD, "L_Twin", true),
    ALL_WAYS(ON_ITS_OWN_THREAD, "L_Back", false),
    ALL_WAYS(ON_ITS_OWN_THREAD, "L_Back", true),
    ALL_WAYS(ON_ITS_OWN_THREAD, "L_Twin", false),
    ALL_WAYS(ON_ITS_OWN_THREAD, "L_Twin", true),
    /* What is read waits for the other thread; on the same one the provider would wait for itself,
     * guard or not. */
    {ON_THE_HOSTS_THREAD, "L_Back", true, SYNC, ONE_READ},
    {ON_THE_HOSTS_THREAD, "L_Back", true, SYNC, ALL_READ},
    {ON_THE_HOSTS_THREAD, "L_Back", false, SYNC, ALL_READ},
    {ON_ITS_OWN_THREAD, "L_Back", true, SYNC, ONE_READ},
    {ON_ITS_OWN_THREAD, "L_Back", true, SYNC, ALL_READ},
    {ON_ITS_OWN_THREAD, "L_Twin", true, SYNC, ONE_READ},
    {ON_ITS_OWN_THREAD, "L_Twin", true, SYNC, ALL_READ},
    {ON_ITS_OWN_THREAD, "L_Twin", false, SYNC, ALL_READ},
};

static const struct row *row;
static MI_Context *kept;

static void MI_CALL on_result(MI_Operation *operation, void *context, const MI_Instance *instance,
                              MI_Boolean more, MI_Result result, const MI_Char *message,
                              const MI_Instance *details,
                              MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)context, (void)instance, (void)more, (void)result, (void)message;
    (void)details, (void)acknowledge; /* not even that */
}

static void read_some(MI_Operation *operation)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    while (more) {
        MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL);
        if (row->how_far == ONE_READ) {
            break;
        }
    }
}

/* Starts it, does not close it, and ends the request. */
static void leave_open(MI_Context *context)
{
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    MI_OperationCallbacks *given = row->way == SYNC ? NULL : &callbacks;
    MI_Uint32 flags = row->way == ASYNC_MANUAL ? MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS : 0;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session session = MI_SESSION_NULL;
    MI_Instance *name = NULL;

    callbacks.instanceResult = on_result;
    if (MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK) {
        MI_Context_PostResult(context, MI_RESULT_FAILED);
        return;
    }
    if (row->enumerate) {
        MI_Session_EnumerateInstances(&session, flags, NULL, HOSTS_SPACE, row->class_name, MI_FALSE,
                                      given, &operation);
    } else {
        MI_Context_NewDynamicInstance(context, row->class_name, 0, &name);
        MI_Value value;
        value.string = (MI_Char *)(uintptr_t) "one";
        MI_Instance_AddElement(name, "Id", &value, MI_STRING, MI_FLAG_KEY);
        MI_Session_GetInstance(&session, flags, NULL, HOSTS_SPACE, name, given, &operation);
        MI_Instance_Delete(name);
    }
    if (row->how_far != UNREAD) {
        read_some(&operation);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void *leave_open_later(void *data)
{
    (void)data;
    leave_open(kept);
    return NULL;
}

static void MI_CALL front_get(void *self, MI_Context *context, const MI_Char *space,
                              const MI_Char *class_name, const MI_Instance *name,
                              const MI_PropertySet *set)
{
    pthread_t thread;

    (void)self, (void)space, (void)class_name, (void)name, (void)set;
    if (row->where == ON_THE_HOSTS_THREAD) {
        leave_open(context);
        return;
    }
    kept = context;
    if (pthread_create(&thread, NULL, leave_open_later, NULL) == 0) {
        pthread_detach(thread);
    }
}

/* ---- what must hold -------------------------------------------------------------------------- */

static unsigned passed, failed;

static void check(bool good, const struct running_host *host, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s host, %s, %s %s, %s, %s: %s\n", host->kind->name,
               row->where == ON_THE_HOSTS_THREAD ? "its thread" : "own thread",
               row->enumerate ? "enumerate" : "get", row->class_name,
               row->way == SYNC    ? "sync"
               : row->way == ASYNC ? "async"
                                   : "manual",
               row->how_far == UNREAD     ? "unread"
               : row->how_far == ONE_READ ? "one read"
                                          : "all read",
               what);
    }
}

/* Open for the guard, and for the foreign host. */
static long left(const struct running_host *host)
{
    return (long)slots_in_use(&guarded_operations) +
           (host->foreign != NULL ? foreign_host_counts(host->foreign)->open_operations : 0);
}

static void check_row(struct running_host *host)
{
    static const struct ask ask = {
        .verb = ASK_GET, .class_name = "L_Front", .names = {"Id"}, .values = {"x"}};

    check(hosts_ask(host, &ask, NULL, 0) == MI_RESULT_OK, host, "the request is not answered");
    for (int waited = 0; waited < WAIT_MS && left(host) > 0; waited++) {
        usleep(1000);
    }
    check(left(host) == 0, host, "it is never closed");
    if (host->foreign != NULL) {
        const struct foreign_counts *counts = foreign_host_counts(host->foreign);
        check(foreign_host_died(host->foreign) == NULL, host, "the host died");
        check(counts->deadlocks == 0, host, "a thread waits for itself");
        check(counts->stuck_closes == 0, host, "Close does not return");
        check(counts->early_cancels == 0, host, "cancelled before its first result");
    }
}

int main(void)
{
    struct running_host host;

    log_start();
    for (int kind = 0; kind < HOSTS; kind++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            row = &rows[i];
            if (!host_kinds[kind].start(&host, modules, 2, miguard_wrap_module)) {
                printf("0 passed, 1 failed\n");
                return 1;
            }
            check_row(&host);
            host_kinds[kind].stop(&host);
        }
    }
    log_remove();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
