/* SPDX-License-Identifier: MIT */
/*
 * Operations that are left open while their provider does not answer at all. The requests that left
 * them are answered at once, and so are the next; few threads wait for the host. After 5 seconds
 * the next requests cancel what waits, which no host takes for a Cancel right after a start. What
 * the provider answers in the end is read and closed, and nothing is left.
 */
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/nested.h"

enum { LEFT = 24, MOST_THREADS = 8, LATE_MS = 5200, WAIT_MS = 5000 };

static unsigned passed, failed;

static void check(bool good, const struct running_host *host, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s host: %s\n", host->kind->name, what);
    }
}

/* ---- the providers --------------------------------------------------------------------------- */

static atomic_int started, silent;
static MI_Context *_Atomic unanswered[LEFT];

static void say_nothing(MI_Context *context)
{
    atomic_store(&unanswered[atomic_fetch_add(&silent, 1)], context);
}

static void MI_CALL on_result(MI_Operation *operation, void *context, const MI_Instance *instance,
                              MI_Boolean more, MI_Result result, const MI_Char *message,
                              const MI_Instance *details,
                              MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)context, (void)instance, (void)more, (void)result, (void)message;
    (void)details, (void)acknowledge;
}

/* Two of three are synchronous. */
static void leave_open(MI_Context *context)
{
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session session = MI_SESSION_NULL;

    callbacks.instanceResult = on_result;
    if (MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK) {
        nested_start(context, &session, "L_Back", false, 0,
                     atomic_fetch_add(&started, 1) % 3 == 2 ? &callbacks : NULL, &operation);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void only_answer(MI_Context *context)
{
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* ---- what must hold -------------------------------------------------------------------------- */

static long threads(void)
{
    long count = 0;
    DIR *folder = opendir("/proc/self/task");

    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

static bool is_nothing_left(const struct running_host *host)
{
    return slots_in_use(&guarded_operations) == 0 && left_open_idle() &&
           (host->foreign == NULL || foreign_host_counts(host->foreign)->open_operations == 0);
}

static void ask_some(struct running_host *host, int count, const char *what)
{
    bool answered = true;

    for (int i = 0; i < count; i++) {
        answered = hosts_ask(host, &nested_ask, NULL, 0) == MI_RESULT_OK && answered;
    }
    check(answered, host, what);
}

/* Some were cancelled, and a host may have ended them with that; posts on those are refused. */
static void answer_all(void)
{
    for (int i = 0; i < LEFT; i++) {
        (void)MI_Context_PostResult(atomic_load(&unanswered[i]), MI_RESULT_OK);
    }
}

static void check_foreign(const struct running_host *host)
{
    const struct foreign_counts *counts = foreign_host_counts(host->foreign);

    check(foreign_host_died(host->foreign) == NULL, host, "the host died");
    check(counts->early_cancels == LEFT, host, "what waits is not cancelled once each");
    check(counts->deadlocks == 0 && counts->stuck_closes == 0, host, "a thread waits for itself");
}

static void run(struct running_host *host)
{
    /* The embedded server ends an asynchronous one with its context, perhaps before it began. */
    int least = host->foreign != NULL ? LEFT : LEFT * 2 / 3;
    long before = threads();

    atomic_store(&started, 0);
    atomic_store(&silent, 0);
    nested_front = leave_open;
    nested_back = say_nothing;
    ask_some(host, LEFT, "who leaves one open is not answered");
    for (int ms = 0; ms < WAIT_MS && atomic_load(&silent) < least; ms++) {
        usleep(1000);
    }
    check(atomic_load(&silent) >= least, host, "not all came to the provider");
    long more = threads() - before;
    check(more <= MOST_THREADS + LEFT / 3, host, "too many threads wait");
    nested_front = only_answer;
    ask_some(host, 3, "others are not served meanwhile");
    if (host->foreign != NULL) {
        check(foreign_host_counts(host->foreign)->early_cancels == 0, host, "cancelled too early");
        usleep(LATE_MS * 1000);
    }
    ask_some(host, LEFT, "others are not served afterwards");
    answer_all();
    for (int ms = 0; ms < WAIT_MS && !is_nothing_left(host); ms++) {
        usleep(1000);
    }
    check(is_nothing_left(host), host, "an operation is left");
    if (host->foreign != NULL) {
        check_foreign(host);
    }
    printf("%s host: %ld threads more while %d wait\n", host->kind->name, more, LEFT);
}

int main(void)
{
    struct running_host host;

    log_start();
    for (int kind = 0; kind < HOSTS; kind++) {
        nested_front = only_answer;
        if (!host_kinds[kind].start(&host, nested_modules, NESTED_MODULES, miguard_wrap_module)) {
            printf("0 passed, 1 failed\n");
            return 1;
        }
        ask_some(&host, 1, "it does not start");
        run(&host);
        host_kinds[kind].stop(&host);
    }
    log_remove();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
