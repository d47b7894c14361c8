/* SPDX-License-Identifier: MIT */
/*
 * Many requests, by a provider that keeps each 1,000th context and uses it later: from another
 * request, and all of them again at the end. None of these uses may reach a host, each must be
 * recorded, every other request must be served as if nothing had happened,
 * and memory and mappings must be what they were. Some contexts live throughout, as those of
 * indications do, and hold back nothing.
 *
 * CONTEXTS is the number of requests: 10,000,000 in `make check-contexts`.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/memory.h"
#include "support/stub_host.h"

enum { THREADS = 4, KEPT_EVERY = 1000, LONG_LIVED = 300, MEASURED_EVERY = 50000 };

static const long MOST_MORE_RESIDENT = 12L
                                       << 20; /* bytes; the pointers that are kept are counted */
static const long MOST_MORE_MAPPINGS = 40;    /* and one for each 2 million requests */

/* One thread's requests: its own host, so that what reaches it is known to the unit. */
struct requests {
    long count, kept_count;
    struct stub_host *host;
    MI_Context **kept;
    long refused, served;      /* uses of kept contexts */
    long disturbed, not_fresh; /* other requests that were */
    struct memory first, most;
};

/* Six uses, as a mistaken provider might make them. */
static void use_in_vain(struct requests *requests, MI_Context *old)
{
    MI_Session session;
    MI_Instance *instance = NULL;
    MI_Boolean cancelled = MI_FALSE;

    memset(&session, 0xAA, sizeof(session));
    const MI_Result results[] = {
        MI_Context_GetLocalSession(old, &session),
        MI_Context_PostInstance(old, NULL),
        MI_Context_NewDynamicInstance(old, "Test", 0, &instance),
        MI_Context_Canceled(old, &cancelled),
        MI_Context_PostResult(old, MI_RESULT_OK),
        MI_Context_PostError(old, MI_RESULT_FAILED, "MI", "late"),
    };
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        requests->refused += results[i] == MI_RESULT_INVALID_PARAMETER;
        requests->served += results[i] != MI_RESULT_INVALID_PARAMETER;
    }
    requests->served += session.ft != NULL;
}

/* One request as it should be; within it, now and then, a use of an old one's context. */
static void serve(struct requests *requests, long number)
{
    MI_Context *context = NULL;

    if (miguard_guard_context(&requests->host->context, &context) != MI_RESULT_OK) {
        requests->disturbed++;
        return;
    }
    if (number % KEPT_EVERY == 0) {
        long age = requests->kept_count;
        if (age > 0) {
            MI_Context *old = requests->kept[number / KEPT_EVERY * 7919 % age];
            requests->not_fresh += old == context;
            use_in_vain(requests, old);
        }
        requests->kept[requests->kept_count++] = context;
    }
    requests->disturbed += MI_Context_PostInstance(context, NULL) != MI_RESULT_OK;
    requests->disturbed += MI_Context_PostResult(context, MI_RESULT_OK) != MI_RESULT_OK;
}

static void *serve_all(void *argument)
{
    struct requests *requests = argument;

    for (long i = 0; i < requests->count; i++) {
        serve(requests, i);
        if (i % MEASURED_EVERY == MEASURED_EVERY - 1) {
            struct memory now = memory_now();
            if (requests->first.resident == 0) {
                requests->first = now;
            }
            requests->most = memory_most(requests->most, now);
        }
    }
    for (long i = 0; i < requests->kept_count; i++) {
        use_in_vain(requests, requests->kept[i]);
    }
    requests->most = memory_most(requests->most, memory_now());
    return NULL;
}

/* ---- contexts that live throughout ----------------------------------------------------------- */

static struct stub_host *long_lived_hosts[LONG_LIVED];
static MI_Context *long_lived[LONG_LIVED];

static bool begin_long_lived(void)
{
    for (int i = 0; i < LONG_LIVED; i++) {
        long_lived_hosts[i] = stub_host_new();
        if (miguard_guard_context(&long_lived_hosts[i]->context, &long_lived[i]) != MI_RESULT_OK) {
            return false;
        }
    }
    return true;
}

/* True when each of them still is what it was, and ends once. */
static bool end_long_lived(void)
{
    bool well = true;

    for (int i = 0; i < LONG_LIVED; i++) {
        MI_Session session = MI_SESSION_NULL;
        well = well && MI_Context_PostInstance(long_lived[i], NULL) == MI_RESULT_OK &&
               (i != 0 || MI_Context_GetLocalSession(long_lived[i], &session) == MI_RESULT_OK) &&
               MI_Context_PostResult(long_lived[i], MI_RESULT_OK) == MI_RESULT_OK &&
               long_lived_hosts[i]->posts == 1 && long_lived_hosts[i]->final_posts == 1;
        stub_host_free(long_lived_hosts[i]);
    }
    return well;
}

/* ---- all together ---------------------------------------------------------------------------- */

static int failed, passed;

static void expect(bool held, const char *what)
{
    if (!held) {
        printf("FAILED: %s\n", what);
    }
    *(held ? &passed : &failed) += 1;
}

static void expect_flat(const struct memory *first, const struct memory *most, long count)
{
    long resident = most->resident - first->resident, mappings = most->mappings - first->mappings;

    printf("resident %ld KiB, at most %ld more; page tables %ld KiB, at most %ld more; "
           "%ld mappings, at most %ld more\n",
           first->resident / 1024, resident / 1024, first->page_tables / 1024,
           (most->page_tables - first->page_tables) / 1024, first->mappings, mappings);
    if (memory_is_not_ours()) {
        printf("skip: flat memory: a sanitizer or valgrind has memory of its own\n");
        return;
    }
    expect(resident < MOST_MORE_RESIDENT, "memory is flat");
    expect(mappings < MOST_MORE_MAPPINGS + count / 2000000, "the number of mappings is flat");
}

static void expect_all(struct requests all[THREADS])
{
    struct memory first = all[0].first, most = {0};
    long refused = 0, count = 0;

    for (int i = 0; i < THREADS; i++) {
        struct requests *one = &all[i];
        most = memory_most(most, one->most);
        refused += one->refused;
        count += one->count;
        expect(one->served == 0, "no use of an old context is served");
        expect(one->refused == 6 * (2 * one->kept_count - 1), "each is refused as it should be");
        expect(one->disturbed == 0 && one->not_fresh == 0, "no other request is disturbed");
        expect((long)one->host->posts == one->count && (long)one->host->final_posts == one->count &&
                   one->host->local_sessions == 0 && one->host->reached == 0,
               "the host has seen what was meant for it and nothing else");
    }
    printf("%ld uses of old contexts were refused\n", refused);
    expect(log_mentions("\"handle-stale\"") == refused, "each is recorded");
    expect_flat(&first, &most, count);
}

int main(void)
{
    const char *wanted = getenv("CONTEXTS");
    long count = wanted != NULL ? atol(wanted) : getenv("QUICK") != NULL ? 400000 : 1600000;
    struct requests all[THREADS] = {0};
    pthread_t threads[THREADS];

    log_start();
    expect(begin_long_lived(), "contexts for life");
    for (int i = 0; i < THREADS; i++) {
        all[i].count = count / THREADS;
        all[i].host = stub_host_new();
        all[i].kept = calloc((size_t)(all[i].count / KEPT_EVERY + 1), sizeof(MI_Context *));
        if (all[i].kept == NULL || pthread_create(&threads[i], NULL, serve_all, &all[i]) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%ld requests by %d threads\n", count, THREADS);
    expect_all(all);
    expect(end_long_lived(), "contexts that lived throughout are what they were");
    expect(slots_in_use(&guarded_contexts) == 0, "no context is left");
    for (int i = 0; i < THREADS; i++) {
        stub_host_free(all[i].host);
        free(all[i].kept);
    }
    log_remove();
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
