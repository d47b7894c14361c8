/* SPDX-License-Identifier: MIT */
/*
 * A provider that leaves an operation open when its request ends, in every way and under both
 * hosts. The request is answered; the host neither dies nor waits for itself; and the operation is
 * closed in the end, so that nothing grows.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/nested.h"

enum { WAIT_MS = 4000 };

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

    callbacks.instanceResult = on_result;
    if (MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK) {
        MI_Context_PostResult(context, MI_RESULT_FAILED);
        return;
    }
    nested_start(context, &session, row->class_name, row->enumerate, flags, given, &operation);
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

static void front(MI_Context *context)
{
    pthread_t thread;

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
    check(hosts_ask(host, &nested_ask, NULL, 0) == MI_RESULT_OK, host,
          "the request is not answered");
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
    nested_front = front;
    for (int kind = 0; kind < HOSTS; kind++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            row = &rows[i];
            if (!host_kinds[kind].start(&host, nested_modules, NESTED_MODULES,
                                        miguard_wrap_module)) {
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
