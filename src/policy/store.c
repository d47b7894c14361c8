/* SPDX-License-Identifier: MIT */
/* Holds the policy in force of a process: guarded calls take it, a reload puts another in its
 * place. */
#include "policy/policy.h"

void store_init(struct policy_store *store, const struct policy *policy)
{
    (void)pthread_mutex_init(&store->lock, NULL);
    store->policy = policy_keep(policy);
    atomic_init(&store->generation, 1);
}

void store_release(struct policy_store *store)
{
    policy_release(store->policy);
    store->policy = NULL;
    (void)pthread_mutex_destroy(&store->lock);
}

const struct policy *store_get(struct policy_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    const struct policy *policy = policy_keep(store->policy);
    (void)pthread_mutex_unlock(&store->lock);
    return policy;
}

void store_set(struct policy_store *store, const struct policy *policy)
{
    const struct policy *next = policy_keep(policy);

    (void)pthread_mutex_lock(&store->lock);
    const struct policy *previous = store->policy;
    store->policy = next;
    /* Behind the exchange: who sees the new number finds the new policy. */
    atomic_fetch_add_explicit(&store->generation, 1, memory_order_release);
    (void)pthread_mutex_unlock(&store->lock);
    policy_release(previous);
}

uint64_t store_generation(const struct policy_store *store)
{
    return atomic_load_explicit(&store->generation, memory_order_acquire);
}
