/* SPDX-License-Identifier: MIT */
/*
 * Holds the policy in force of a process: guarded calls take it, a reload puts another in its
 * place.
 *
 * The lock is held for a few instructions only. A policy lives by its references, so a call that
 * began under the old one ends under it.
 */
#include "policy/policy.h"

/* Without a policy only refusals are recorded. A bit that is not set in a store that nothing was
 * put into stands for that, too. */
static void put(struct policy_store *store, const struct policy *policy)
{
    unsigned audited = policy != NULL ? policy_audited(policy) : POLICY_AUDIT_DENY;

    store->policy = policy;
    atomic_store_explicit(&store->audited, audited ^ POLICY_AUDIT_DENY, memory_order_release);
}

/* The mutex is of the default kind: attributes NULL cannot fail with glibc. */
void store_init(struct policy_store *store, const struct policy *policy)
{
    (void)pthread_mutex_init(&store->lock, NULL);
    put(store, policy_keep(policy));
    atomic_init(&store->generation, 1);
}

/* Readers that took a reference keep it. */
void store_release(struct policy_store *store)
{
    policy_release(store->policy);
    put(store, NULL);
    (void)pthread_mutex_destroy(&store->lock);
}

/* The caller releases it. Never blocks longer than the few instructions of store_set(). */
const struct policy *store_get(struct policy_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    const struct policy *policy = policy_keep(store->policy);
    (void)pthread_mutex_unlock(&store->lock);
    return policy;
}

/* A policy that is in use lives until its last reader lets go of it. */
void store_set(struct policy_store *store, const struct policy *policy)
{
    const struct policy *next = policy_keep(policy);

    (void)pthread_mutex_lock(&store->lock);
    const struct policy *previous = store->policy;
    put(store, next);
    /* Behind the exchange: who sees the new number finds the new policy. */
    atomic_fetch_add_explicit(&store->generation, 1, memory_order_release);
    (void)pthread_mutex_unlock(&store->lock);
    policy_release(previous);
}

unsigned store_audited(const struct policy_store *store)
{
    return atomic_load_explicit(&store->audited, memory_order_acquire) ^ POLICY_AUDIT_DENY;
}

/* Without a lock: a guard asks this at every call. */
uint64_t store_generation(const struct policy_store *store)
{
    return atomic_load_explicit(&store->generation, memory_order_acquire);
}
