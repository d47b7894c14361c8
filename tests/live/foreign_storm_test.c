/* SPDX-License-Identifier: MIT */
/*
 * Many requests to a wrapped provider under the foreign host, one in ten of which leaves its nested
 * operation open, in six ways in turn. Each is answered, the host lives, and descriptors, threads
 * and memory are flat.
 *
 * REQUESTS is their number: 100,000 in `make check-foreign`.
 */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/memory.h"
#include "support/nested.h"

enum { LEFT_EVERY = 10, SAMPLES = 20, WAYS = 6, SETTLE_MS = 5000 };

static const long MOST_MORE_RESIDENT = 6L << 20; /* bytes; the log's buffers are counted */
/* At a moment: what waits for its thread, and those threads. */
static const long MOST_MORE_ENTRIES = 100;

static unsigned passed, failed;

static void expect(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAILED: %s\n", what);
    }
}

/* ---- the provider ---------------------------------------------------------------------------- */

static void MI_CALL ignore(MI_Operation *operation, void *context, const MI_Instance *instance,
                           MI_Boolean more, MI_Result result, const MI_Char *message,
                           const MI_Instance *details,
                           MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)context, (void)instance, (void)more, (void)result, (void)message;
    (void)details, (void)acknowledge;
}

static void leave_open(MI_Context *context, MI_Session *session, unsigned way)
{
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;
    bool asynchronous = way == 4 || way == 5;
    MI_Uint32 flags = way == 5 ? MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS : 0;

    callbacks.instanceResult = ignore;
    nested_start(context, session, way == 1 ? "L_Twin" : "L_Back", way != 0, flags,
                 asynchronous ? &callbacks : NULL, &operation);
    if (way == 3) { /* one is read */
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    }
}

/* On the I/O thread of its agent, which the nested request of another agent does not need. */
static void front(MI_Context *context)
{
    static unsigned count; /* of that one thread */
    MI_Session session = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Result result = MI_Context_GetLocalSession(context, &session);

    if (result == MI_RESULT_OK && ++count % LEFT_EVERY == 0) {
        leave_open(context, &session, count / LEFT_EVERY % WAYS);
    } else if (result == MI_RESULT_OK) {
        nested_start(context, &session, "L_Back", false, 0, NULL, &operation);
        result = nested_finish(&operation, NULL, NULL);
    }
    MI_Context_PostResult(context, result);
}

/* ---- what is measured ------------------------------------------------------------------------ */

static long entries(const char *path)
{
    long count = 0;
    DIR *folder = opendir(path);

    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

struct sample {
    long resident, descriptors, threads;
};

static struct sample sample_now(void)
{
    return (struct sample){memory_now().resident, entries("/proc/self/fd"),
                           entries("/proc/self/task")};
}

static long larger(long a, long b)
{
    return a > b ? a : b;
}

static void run(struct running_host *host, long count)
{
    struct sample first = {0}, most = {0};
    long answered = 0;

    for (long i = 0; i < count; i++) {
        answered += hosts_ask(host, &nested_ask, NULL, 0) == MI_RESULT_OK;
        if ((i + 1) % (count / SAMPLES) == 0) {
            struct sample now = sample_now();
            first = first.resident == 0 ? now : first;
            most = (struct sample){larger(most.resident, now.resident),
                                   larger(most.descriptors, now.descriptors),
                                   larger(most.threads, now.threads)};
        }
    }
    printf("%ld requests, %ld answered; resident %ld KiB, at most %ld more; %ld descriptors, at "
           "most %ld more; %ld threads, at most %ld more\n",
           count, answered, first.resident / 1024, (most.resident - first.resident) / 1024,
           first.descriptors, most.descriptors - first.descriptors, first.threads,
           most.threads - first.threads);
    expect(answered == count, "each request is answered");
    expect(most.descriptors - first.descriptors < MOST_MORE_ENTRIES, "descriptors are flat");
    expect(most.threads - first.threads < MOST_MORE_ENTRIES, "threads are flat");
    if (memory_is_not_ours()) {
        printf("skip: flat memory: a sanitizer or valgrind has memory of its own\n");
    } else {
        expect(most.resident - first.resident < MOST_MORE_RESIDENT, "memory is flat");
    }
}

static void expect_host(const struct running_host *host, struct sample before)
{
    const struct foreign_counts *counts = foreign_host_counts(host->foreign);

    for (int ms = 0; ms < SETTLE_MS && (slots_in_use(&guarded_operations) > 0 ||
                                        counts->open_operations > 0 || !left_open_idle());
         ms++) {
        usleep(1000);
    }
    struct sample after = sample_now();
    expect(slots_in_use(&guarded_operations) == 0, "no operation is left in the guard");
    expect(counts->open_operations == 0, "no operation is left in the host");
    expect(after.descriptors <= before.descriptors + 4, "no descriptor is left");
    expect(after.threads <= before.threads + 4, "no thread is left");
    expect(foreign_host_died(host->foreign) == NULL, "the host lives");
    expect(counts->deadlocks == 0 && counts->stuck_closes == 0, "no thread waits for itself");
    expect(counts->early_cancels == 0, "nothing is cancelled before its first result");
}

int main(void)
{
    const char *wanted = getenv("REQUESTS");
    long count = wanted != NULL ? atol(wanted) : getenv("QUICK") != NULL ? 3000 : 10000;
    struct running_host host;

    log_start();
    nested_front = front;
    if (!host_kinds[HOST_FOREIGN].start(&host, nested_modules, NESTED_MODULES,
                                        miguard_wrap_module)) {
        printf("0 passed, 1 failed\n");
        return 1;
    }
    struct sample before = sample_now();
    run(&host, count);
    expect_host(&host, before);
    host_kinds[HOST_FOREIGN].stop(&host);
    log_remove();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
