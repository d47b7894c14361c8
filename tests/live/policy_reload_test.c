/* SPDX-License-Identifier: MIT */
/*
 * Sixteen threads decide while the policy is replaced ten thousand times. Each policy has a number,
 * and its decision, rule, source and reason all follow from it, so that an answer that is put
 * together from two policies shows. How long a reader was held up is measured and told.
 *
 * This file defines the seam of base/alloc.h, to see that nothing is allocated or freed, and so no
 * load can be under way, while the store's lock is held.
 */
#include "base/alloc.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/policy.h"

enum { THREADS = 16, RULES = 24, FIRST_SPOT = 2, SECOND_SPOT = 20 };

/* The goal is no pause above this. */
static const uint64_t pause_limit = 1000000; /* ns */

static struct policy_store store;

/* ---- the seam ---------------------------------------------------------------------------- */

static bool watching; /* only while this thread is the only one */
static unsigned blocks_seen, blocks_under_lock;

static void look_at_lock(void)
{
    if (!watching) {
        return;
    }
    blocks_seen++;
    if (pthread_mutex_trylock(&store.lock) != 0) {
        blocks_under_lock++;
        return;
    }
    pthread_mutex_unlock(&store.lock);
}

void *base_alloc(size_t count, size_t size)
{
    look_at_lock();
    return calloc(count, size);
}

void *base_resize(void *block, size_t count, size_t size)
{
    look_at_lock();
    return reallocarray(block, count, size);
}

void base_free(void *block)
{
    look_at_lock();
    free(block);
}

/* ---- policies that can be told apart ------------------------------------------------------- */

static const struct miguard_identity who = {
    .tag = IDENTITY_TAG, .known = MIGUARD_COMPONENTS_ALL, .uid = {1000, 1000, 1000, 1000}};

static const struct draft_range users[] = {{1000, 1000, "1000"}};
static const struct draft_range others[] = {{1, 999, "1-999"}};
static const struct draft_glob classes[] = {{"CIM_*"}};

/* Odd ones deny by their third rule, even ones allow by their twenty-first. */
static const struct policy *make_policy(uint64_t number)
{
    struct draft_rule rules[RULES];
    char names[RULES][48], file[48], reason[48];
    bool odd = number % 2 != 0;
    uint32_t spot = odd ? FIRST_SPOT : SECOND_SPOT;
    struct policy_draft draft = {.rules = rules, .rule_count = RULES};
    const struct policy *policy = NULL;

    snprintf(file, sizeof(file), "%llu", (unsigned long long)number);
    snprintf(reason, sizeof(reason), "%llu", (unsigned long long)number);
    for (uint32_t i = 0; i < RULES; i++) {
        snprintf(names[i], sizeof(names[i]), i == spot ? "%llu" : "no-%llu-%u",
                 (unsigned long long)number, i);
        rules[i] = (struct draft_rule){
            .place = {file, i + 1, 5},
            .name = names[i],
            .reason = reason,
            .match = {.users = {i == spot ? users : others, 1}, .classes = {classes, 1}},
            .decision = odd ? DRAFT_DENY : DRAFT_ALLOW,
        };
    }
    draft.settings = (struct draft_settings){.decision = odd ? DRAFT_ALLOW : DRAFT_DENY,
                                             .audit_failure_denies = odd,
                                             .compared = MIGUARD_COMPONENTS_ALL};
    if (policy_compile(&draft, &policy) != MIGUARD_OK) {
        abort();
    }
    return policy;
}

/* The number of the policy that gave this verdict; 0 when not all of it comes from one. */
static uint64_t number_of(const struct policy_verdict *verdict)
{
    char source[64];
    uint64_t number = strtoull(verdict->rule, NULL, 10);
    bool odd = number % 2 != 0;
    uint32_t spot = odd ? FIRST_SPOT : SECOND_SPOT;

    snprintf(source, sizeof(source), "%llu:%u:5", (unsigned long long)number, spot + 1);
    bool whole = verdict->decision == (odd ? POLICY_DENY : POLICY_ALLOW) &&
                 verdict->audit_failure_denies == odd && verdict->rule_index == spot &&
                 strcmp(verdict->source, source) == 0 &&
                 strcmp(verdict->reason, verdict->rule) == 0;
    return whole ? number : 0;
}

/* ---- readers ------------------------------------------------------------------------------- */

static const struct policy_call call = {
    .operation = OPERATION_GET_INSTANCE, .opened_as = &who, .class_name = "CIM_Process"};

static atomic_bool done;

struct reader {
    pthread_t thread;
    uint64_t decisions, mixed, stale;
    uint64_t longest_processor, longest_wall; /* ns */
    uint64_t over_processor, over_wall;       /* how many were over the limit */
};

static uint64_t now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void note(uint64_t took, uint64_t *longest, uint64_t *over)
{
    *longest = took > *longest ? took : *longest;
    *over += took > pause_limit;
}

/* at_least: what the store's generation was before the policy was fetched. Generation n is policy
 * n: both start at 1. */
static void check(struct reader *reader, const struct policy_verdict *verdict, uint64_t at_least)
{
    uint64_t number = number_of(verdict);

    reader->decisions++;
    reader->mixed += number == 0;
    reader->stale += number != 0 && number < at_least;
}

static void decide_whole(struct reader *reader)
{
    uint64_t wall = now(CLOCK_MONOTONIC);
    uint64_t processor = now(CLOCK_THREAD_CPUTIME_ID);
    uint64_t generation = store_generation(&store);
    const struct policy *policy = store_get(&store);
    struct policy_verdict verdict = policy_decide(policy, &call);
    check(reader, &verdict, generation); /* its texts are the policy's */
    policy_release(policy);
    note(now(CLOCK_THREAD_CPUTIME_ID) - processor, &reader->longest_processor,
         &reader->over_processor);
    note(now(CLOCK_MONOTONIC) - wall, &reader->longest_wall, &reader->over_wall);
}

static struct policy_view *fresh_view(uint64_t *ret_generation)
{
    struct policy_view *view = NULL;

    *ret_generation = store_generation(&store);
    const struct policy *policy = store_get(&store);
    if (policy_narrow(policy, &who, NULL, &view) != MIGUARD_OK) {
        abort();
    }
    policy_release(policy);
    return view;
}

static void *read_on(void *data)
{
    struct reader *reader = data;
    uint64_t generation;
    struct policy_view *view = fresh_view(&generation);

    while (!atomic_load_explicit(&done, memory_order_relaxed)) {
        decide_whole(reader);
        if (store_generation(&store) != generation) {
            policy_view_free(view);
            view = fresh_view(&generation);
        }
        struct policy_verdict verdict = policy_view_decide(view, &call);
        check(reader, &verdict, generation);
    }
    policy_view_free(view);
    return NULL;
}

/* ---- the two halves -------------------------------------------------------------------------- */

static unsigned passed, failed;

static void expect(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("failed: %s\n", what);
    }
}

/* What a reader could wait for is the lock; whoever holds it neither loads nor frees. */
static void lock_is_free_during_loads(void)
{
    watching = true;
    store_init(&store, policy_builtin);
    for (uint64_t i = 1; i <= 50; i++) {
        const struct policy *policy = make_policy(i);
        store_set(&store, policy);
        policy_release(policy);
    }
    watching = false;
    expect(blocks_seen > 50, "policies were allocated and freed");
    expect(blocks_under_lock == 0, "nothing is allocated or freed under the store's lock");
    store_release(&store);
}

static void replace(uint64_t times)
{
    for (uint64_t i = 2; i <= times + 1; i++) {
        const struct policy *policy = make_policy(i);
        store_set(&store, policy);
        policy_release(policy);
    }
}

static struct reader sum_up(const struct reader *readers)
{
    struct reader sum = {.decisions = 0};
    for (int i = 0; i < THREADS; i++) {
        const struct reader *one = &readers[i];
        sum.decisions += one->decisions;
        sum.mixed += one->mixed;
        sum.stale += one->stale;
        sum.over_processor += one->over_processor;
        sum.over_wall += one->over_wall;
        if (one->longest_processor > sum.longest_processor) {
            sum.longest_processor = one->longest_processor;
        }
        if (one->longest_wall > sum.longest_wall) {
            sum.longest_wall = one->longest_wall;
        }
    }
    return sum;
}

/* check-valgrind runs the tests through RUNNER. */
static bool instrumented(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
    return __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||
           getenv("RUNNER") != NULL;
#else
    return getenv("RUNNER") != NULL;
#endif
}

static void replace_under_readers(uint64_t times)
{
    static struct reader readers[THREADS];
    const struct policy *first = make_policy(1);

    store_init(&store, first);
    policy_release(first);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&readers[i].thread, NULL, read_on, &readers[i]) != 0) {
            abort();
        }
    }
    replace(times);
    atomic_store(&done, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(readers[i].thread, NULL);
    }
    struct reader sum = sum_up(readers);
    printf("%llu decisions in %d threads, %llu policies\n"
           "longest store_get + decide + release: %.1f us of processor time (%llu over 1 ms), "
           "%.1f us by the clock on the wall (%llu over 1 ms)\n",
           (unsigned long long)sum.decisions, THREADS, (unsigned long long)store_generation(&store),
           (double)sum.longest_processor / 1000, (unsigned long long)sum.over_processor,
           (double)sum.longest_wall / 1000, (unsigned long long)sum.over_wall);
    expect(store_generation(&store) == times + 1, "each replacement is counted");
    expect(sum.decisions > 0, "readers decided");
    expect(sum.mixed == 0, "no decision comes from two policies");
    expect(sum.stale == 0, "no decision is older than the generation that was seen before it");
    if (instrumented()) {
        printf("skip: the 1 ms: a sanitizer or valgrind has its own pauses\n");
    } else {
        /* By processor time: that sixteen threads share few processors is not the store's doing.
         * One in 100,000 is forgiven: a virtual processor that is taken away counts on. */
        expect(sum.over_processor <= 1 + sum.decisions / 100000, "no reader takes more than 1 ms");
    }
    store_release(&store);
}

int main(void)
{
    lock_is_free_during_loads();
    replace_under_readers(getenv("QUICK") != NULL ? 300 : 10000);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
