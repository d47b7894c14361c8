/* SPDX-License-Identifier: MIT */
/*
 * Uses of bindings by 16 threads, half of them behind a gate, that switch among 50
 * identities: right and wrong ones mixed, stale and forged numbers, bindings that are released or
 * revoked under a running use, forked children. Nothing wrong may be served, nothing right refused,
 * and the sanitizers must have nothing to say. tests/live/lifetime_test.c is the same through MI,
 * tests/live/switch_storm_test.c without a guard.
 *
 * STORM is the number of uses: 200,000 if unset, 10,000 with QUICK, 1,000,000 for
 * `make check-storm`.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "miguard/gate.h"
#include "miguard/guard.h"
#include "miguard/switch.h"
#include "support/log.h"
#include "support/raw.h"

enum { THREADS = 16, IDENTITIES = 50, FIRST_UID = 40000, OWN_ROUNDS = 40 };
enum { READ, WRITE };

static const char *const actions[] = {"read", "write"};
static struct miguard_front_end *front_end;
static struct miguard_target *targets[IDENTITIES];
static struct miguard_binding *shared[IDENTITIES]; /* bound to the targets, without switching */
static uint64_t shared_numbers[IDENTITIES];

static long uses_wanted = 200000;
static atomic_long uses, wrongly_served, wrongly_refused;

static void expect(bool served, bool should_be)
{
    atomic_fetch_add(&uses, 1);
    if (served && !should_be) {
        atomic_fetch_add(&wrongly_served, 1);
    } else if (!served && should_be) {
        atomic_fetch_add(&wrongly_refused, 1);
    }
}

static bool make_targets(void)
{
    for (unsigned n = 0; n < IDENTITIES; n++) {
        const gid_t list[2] = {FIRST_UID + 2000 + n, FIRST_UID + 3000 + n};
        const struct miguard_groups groups = {MIGUARD_GROUPS_LIST, list, n % 3, NULL};
        if (miguard_target_ids(FIRST_UID + n, FIRST_UID + 1000 + n, &groups, &targets[n], NULL) !=
                MIGUARD_OK ||
            miguard_bind_target(front_end, targets[n], NULL, "shared", &shared[n], NULL) !=
                MIGUARD_OK) {
            return false;
        }
        shared_numbers[n] = miguard_binding_number(shared[n]);
    }
    return true;
}

/* ---- the uses of one thread -------------------------------------------------------------------
 */

static bool may_use(struct miguard_binding *binding, uint32_t action)
{
    const struct miguard_use use = MIGUARD_USE(action, "/srv/data");
    return miguard_verify(binding, &use, NULL) == MIGUARD_OK &&
           miguard_verify_again(binding, &use, NULL) == MIGUARD_OK;
}

static bool may_find(uint64_t number)
{
    struct miguard_binding *binding = NULL;
    bool found = miguard_binding_find(number, &binding, NULL) == MIGUARD_OK;
    bool used = found && may_use(binding, READ);
    miguard_release(binding);
    return used;
}

/* As one identity: its own binding is served, by pointer and by number; another's is not. */
static void use_as(unsigned n, unsigned *seed)
{
    enum miguard_status status = MIGUARD_SYSTEM;
    unsigned other = (n + 1 + (unsigned)rand_r(seed) % (IDENTITIES - 1)) % IDENTITIES;

    MIGUARD_SWITCHED(targets[n], &status, NULL)
    {
        expect(may_use(shared[n], WRITE), true);
        expect(may_find(shared_numbers[n]), true);
        if (rand_r(seed) % 16 == 0) {
            expect(may_use(shared[other], READ), false);
            expect(may_find(shared_numbers[other]), false);
        }
    }
    expect(status == MIGUARD_OK, true);
    if (rand_r(seed) % 16 == 0) {
        expect(may_use(shared[n], READ), false); /* back as the process */
    }
}

/* A binding of the thread's own: served, then revoked or released, and its number forged. */
static void own_binding(unsigned *seed)
{
    struct miguard_binding *binding = NULL;

    if (miguard_bind(front_end, "/srv/own", NULL, &binding, NULL) != MIGUARD_OK) {
        expect(false, true);
        return;
    }
    uint64_t number = miguard_binding_number(binding);
    for (int i = 0; i < OWN_ROUNDS; i++) {
        expect(may_use(binding, READ), true);
        expect(may_find(number), true);
    }
    expect(may_find(number ^ (uint64_t)1 << (rand_r(seed) % 64)), false);
    if (rand_r(seed) % 2 == 0) {
        miguard_revoke(binding);
        expect(may_use(binding, READ), false);
        expect(may_find(number), false);
    }
    miguard_release(binding);
    expect(may_find(number), false);
}

struct worker {
    unsigned seed;
    bool gated;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    options.scope = MIGUARD_GATE_THREAD;
    if (worker->gated) {
        expect(miguard_gate_close(&options, NULL) == MIGUARD_OK, true);
    }
    while (atomic_load(&uses) < uses_wanted) {
        own_binding(&worker->seed);
        for (int i = 0; i < OWN_ROUNDS; i++) {
            use_as((unsigned)rand_r(&worker->seed) % IDENTITIES, &worker->seed);
        }
    }
    return NULL;
}

/* ---- an end under a running use ---------------------------------------------------------------
 */

struct race {
    uint64_t number;
    atomic_bool ended;
};

/* Each use by number is served wholly or refused wholly, and never after the end. */
static void *find_until_end(void *argument)
{
    struct race *race = argument;

    for (int i = 0; i < 300; i++) {
        bool ended_before = atomic_load(&race->ended);
        bool served = may_find(race->number);
        atomic_fetch_add(&uses, 1);
        if (served && ended_before) {
            atomic_fetch_add(&wrongly_served, 1);
        }
    }
    return NULL;
}

static void race_with_the_end(bool revoke)
{
    struct miguard_binding *binding = NULL;
    struct race race = {0};
    pthread_t threads[4];

    if (miguard_bind(front_end, NULL, NULL, &binding, NULL) != MIGUARD_OK) {
        expect(false, true);
        return;
    }
    race.number = miguard_binding_number(binding);
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, find_until_end, &race);
    }
    usleep(200);
    if (revoke) {
        miguard_revoke(binding);
    } else {
        miguard_release(binding); /* a thread that has found it keeps it until it is done */
        while (miguard_binding_find(race.number, &binding, NULL) == MIGUARD_OK) {
            miguard_release(binding);
        }
        binding = NULL;
    }
    atomic_store(&race.ended, true);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    miguard_release(binding);
}

/* Forked while the other threads are at work: the child has what they held, and gets nothing. */
static bool child_gets_nothing(void *data)
{
    (void)data;
    for (unsigned n = 0; n < IDENTITIES; n++) {
        if (may_use(shared[n], READ) || may_find(shared_numbers[n])) {
            return false;
        }
    }
    return true;
}

int main(void)
{
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    unsigned forks = 0, leaky_forks = 0;
    int failed = 0;

    if (geteuid() != 0) {
        printf("skip: a storm of bindings switches to other users and needs root\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    const char *storm = getenv("STORM");
    if (storm != NULL) {
        uses_wanted = strtol(storm, NULL, 10);
    } else if (getenv("QUICK") != NULL) {
        uses_wanted /= 20;
    }
    log_start_with(-1); /* a record for each refusal would be gigabytes */
    if (miguard_front_end_register("storm", actions, 2, &front_end, NULL) != MIGUARD_OK ||
        !make_targets()) {
        return 1;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){i * 2654435761u + 1, i % 2 == 1};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    for (int i = 0; i < 20; i++) {
        race_with_the_end(i % 2 == 0);
        forks++;
        leaky_forks += !raw_in_child(child_gets_nothing, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (unsigned n = 0; n < IDENTITIES; n++) {
        miguard_release(shared[n]);
        expect(may_find(shared_numbers[n]), false);
        miguard_target_free(targets[n]);
    }
    failed += atomic_load(&wrongly_served) != 0;
    failed += atomic_load(&wrongly_refused) != 0;
    failed += leaky_forks != 0;
    failed += log_mentions("\"handle-stale\"") < 1;
    failed += log_mentions("\"handle-forged\"") < 1;
    failed += log_mentions("\"handle-inherited\"") < 1;
    failed += log_mentions("\"identity-mismatch\"") < 1;
    failed += log_mentions("\"session-revoked\"") < 1;
    printf("%ld uses by %d threads as %d identities, %u forks: %ld wrongly served, %ld wrongly "
           "refused\n",
           atomic_load(&uses), THREADS, IDENTITIES, forks, atomic_load(&wrongly_served),
           atomic_load(&wrongly_refused));
    log_remove();
    printf("%d passed, %d failed\n", 8 - failed, failed);
    return failed == 0 ? 0 : 1;
}
