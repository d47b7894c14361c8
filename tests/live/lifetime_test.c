/* SPDX-License-Identifier: MIT */
/*
 * A million guarded calls by 16 threads, right and wrong ones mixed: stale copies, double closes,
 * forged handles, closes of the local session while others use it, contexts that end under a
 * running call, forked children. Nothing wrong may be served, nothing right refused, and the
 * sanitizers must have nothing to say. Without FULL it is a fifth of them.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { THREADS = 16, ROUNDS_PER_CONTEXT = 500 };

static long calls_wanted = 1000000;
static atomic_long guarded_calls, wrongly_served, wrongly_refused;

/* All threads use one context and one session of it as well as contexts of their own. */
static struct stub_host *shared_host;
static MI_Context *shared_context;
static MI_Session shared_session;

static void expect(bool served, bool should_be)
{
    atomic_fetch_add(&guarded_calls, 1);
    if (served && !should_be) {
        atomic_fetch_add(&wrongly_served, 1);
    } else if (!served && should_be) {
        atomic_fetch_add(&wrongly_refused, 1);
    }
}

static bool starts(MI_Session *session, MI_Operation *operation)
{
    MI_Result result = MI_RESULT_OK;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;

    MI_Session_EnumerateInstances(session, 0, NULL, "root/test", "Test", MI_FALSE, NULL, operation);
    MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL);
    return result == MI_RESULT_OK && instance != NULL;
}

/* One use as it should be, and what must not work any more behind it. Four guarded calls and the
 * refused ones. */
static void use(MI_Session *session, unsigned *seed)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session forged = *session;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;
    const MI_Instance *instance = NULL;

    expect(starts(session, &operation), true);
    atomic_fetch_add(&guarded_calls, 1);
    MI_Operation copy = operation;
    expect(MI_Operation_Close(&operation) == MI_RESULT_OK, true);
    expect(MI_Operation_Close(&copy) == MI_RESULT_OK, false);
    MI_Operation_GetInstance(&copy, &instance, &more, &result, NULL, NULL);
    expect(result == MI_RESULT_OK, false);
    switch (rand_r(seed) % 16) {
    case 0:
        expect(MI_Session_Close(session, NULL, NULL) == MI_RESULT_OK, false);
        break;
    case 1:
        forged.reserved2 ^= (ptrdiff_t)1 << (rand_r(seed) % 63);
        expect(starts(&forged, &operation), false);
        break;
    case 2:
        forged.reserved1 ^= (MI_Uint64)1 << (rand_r(seed) % 63);
        expect(starts(&forged, &operation), false);
        break;
    default:
        break;
    }
}

static void own_context(unsigned *seed)
{
    struct stub_host *host = stub_host_new();
    MI_Context *context = NULL;
    MI_Session session, stale;
    MI_Operation operation = MI_OPERATION_NULL, left_open = MI_OPERATION_NULL;

    if (miguard_guard_context(&host->context, &context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK) {
        expect(false, true);
        stub_host_free(host);
        return;
    }
    for (int i = 0; i < ROUNDS_PER_CONTEXT / 100; i++) {
        use(&session, seed);
        use(&shared_session, seed);
    }
    expect(starts(&session, &left_open), true);
    stale = session;
    MI_Context_PostResult(context, MI_RESULT_OK);
    expect(starts(&stale, &operation), false);
    expect(MI_Operation_Close(&left_open) == MI_RESULT_OK, false);
    expect(MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK, false);
    stub_host_free(host);
}

static void *work(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;

    while (atomic_load(&guarded_calls) < calls_wanted) {
        own_context(&seed);
    }
    return NULL;
}

/* A context that another thread ends while this one uses it: each call is served wholly or refused
 * wholly. */
struct race {
    MI_Context *context;
    MI_Session session;
    atomic_bool ended;
};

static void *use_until_end(void *argument)
{
    struct race *race = argument;
    for (int i = 0; i < 200; i++) {
        MI_Operation operation = MI_OPERATION_NULL;
        bool ended_before = atomic_load(&race->ended);
        bool served = starts(&race->session, &operation);
        atomic_fetch_add(&guarded_calls, 2);
        if (served && ended_before) {
            atomic_fetch_add(&wrongly_served, 1);
        }
        MI_Operation_Close(&operation);
    }
    return NULL;
}

static void race_with_the_end(void)
{
    struct stub_host *host = stub_host_new();
    struct race race = {0};
    pthread_t threads[4];

    if (miguard_guard_context(&host->context, &race.context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(race.context, &race.session) != MI_RESULT_OK) {
        expect(false, true);
        stub_host_free(host);
        return;
    }
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, use_until_end, &race);
    }
    usleep(200);
    MI_Context_PostResult(race.context, MI_RESULT_OK);
    atomic_store(&race.ended, true);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    stub_host_free(host);
}

/* Forked while the other threads are at work: the child has what they held, and must get nothing.
 */
static bool child_gets_nothing(void *data)
{
    MI_Operation operation = MI_OPERATION_NULL;
    (void)data;
    return !starts(&shared_session, &operation) &&
           MI_Context_PostResult(shared_context, MI_RESULT_OK) != MI_RESULT_OK;
}

int main(void)
{
    pthread_t threads[THREADS];
    unsigned forks = 0, leaky_forks = 0;
    int failed = 0;

    if (getenv("FULL") == NULL) {
        calls_wanted /= getenv("QUICK") != NULL ? 20 : 5;
    }
    log_start_with(-1); /* a record for each refusal would be gigabytes */
    shared_host = stub_host_new();
    if (miguard_guard_context(&shared_host->context, &shared_context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(shared_context, &shared_session) != MI_RESULT_OK) {
        return 1;
    }
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    }
    for (int i = 0; i < 20; i++) {
        race_with_the_end();
        forks++;
        leaky_forks += !raw_in_child(child_gets_nothing, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    MI_Context_PostResult(shared_context, MI_RESULT_OK);
    stub_host_free(shared_host);

    failed += atomic_load(&wrongly_served) != 0;
    failed += atomic_load(&wrongly_refused) != 0;
    failed += leaky_forks != 0;
    failed += slots_in_use(&guarded_operations) != 0;
    failed += slots_in_use(&guarded_sessions) != 0;
    failed += slots_in_use(&guarded_contexts) != 0;
    failed += log_mentions("\"handle-stale\"") < 1;
    failed += log_mentions("\"local-session-close\"") < 1;
    failed += log_mentions("\"handle-forged\"") < 1;
    failed += log_mentions("\"handle-inherited\"") < 1;
    printf("%ld guarded calls by %d threads, %u forks: %ld wrongly served, %ld wrongly refused\n",
           atomic_load(&guarded_calls), THREADS, forks, atomic_load(&wrongly_served),
           atomic_load(&wrongly_refused));
    log_remove();
    printf("%d passed, %d failed\n", 10 - failed, failed);
    return failed == 0 ? 0 : 1;
}
