/* SPDX-License-Identifier: MIT */
/*
 * Which host contexts have a guard, so that none has two: each of two would end only its own
 * sessions, and each would let a final result through to the host's one context.
 *
 * A guard is found by the address of the host's context from the moment it is handed out until it
 * ends. A host reuses the address for another request, so the guard is removed before the host gets
 * the final result.
 *
 * A host context that reaches two wrapped modules has a guard for each, since a policy
 * distinguishes providers: the second module's guard wraps the first one's. An end through the
 * outer one ends both; after an end through the inner one it refuses the outer one's calls.
 */
#include <string.h>

#include "base/fork.h"
#include "gateway/gateway.h"

/* Locks, and lists under each of them. Their product is the number of values that list_of() can
 * give. */
enum { SHARDS = 16, HEADS = 256 };

/* Each list is short and locked for a few instructions; there are many, so that threads rarely
 * wait. A look-up pins under the lock, so a guard that is found cannot be destroyed before it is
 * used. */
static struct shard {
    pthread_mutex_t lock;
    struct guarded_context *heads[HEADS];
} shards[SHARDS] = {[0 ... SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

/* Around a fork: all of them in order, as one lock of this rank (base/fork.h). */
static void lock_shards(void)
{
    for (int i = 0; i < SHARDS; i++) {
        fork_take(&shards[i].lock);
    }
}

static void unlock_shards(void)
{
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_unlock(&shards[i].lock);
    }
}

FORK_OWNER(index_owner, .rank = FORK_CONTEXT_INDEX, .before = lock_shards, .after = unlock_shards);

/* The list that a host context belongs to, and the shard whose lock protects it. */
static struct guarded_context **list_of(const MI_Context *host, struct shard **ret_shard)
{
    /* Contexts are far apart and aligned: the multiplication mixes all bits into the top ones. */
    uint64_t hash = (uint64_t)(uintptr_t)host * 0x9E3779B97F4A7C15u >> 52;

    *ret_shard = &shards[hash / HEADS];
    return &(*ret_shard)->heads[hash % HEADS];
}

/* Pinned, or NULL. A guard that was inherited through a fork, or is just ending, does not count. */
static struct guarded_context *find_live(struct guarded_context *first, const MI_Context *host)
{
    for (; first != NULL; first = first->next) {
        void *object = NULL;
        if (first->host == host &&
            slots_acquire_named(&guarded_contexts, first->id, &object) == SLOTS_OK) {
            return object;
        }
    }
    return NULL;
}

/* Code that guards by hand names no provider, and uses the guard that exists. Otherwise the name
 * must be the same: a policy may treat two providers differently. */
static bool serves(const struct guarded_context *found, const struct guarded_context *fresh)
{
    return fresh->provider[0] == '\0' || strcmp(found->provider, fresh->provider) == 0;
}

/* Each round wraps one guard more: a guard of another provider becomes the host context of the
 * fresh one. It ends at the first host context without a guard, or with a guard that serves. */
struct guarded_context *context_index_enter(struct guarded_context *fresh)
{
    for (;;) {
        struct shard *shard = NULL;
        struct guarded_context **list = list_of(fresh->host, &shard);

        pthread_mutex_lock(&shard->lock);
        struct guarded_context *found = find_live(*list, fresh->host);
        if (found == NULL) {
            fresh->next = *list;
            *list = fresh;
            slots_publish(&guarded_contexts, fresh);
        }
        pthread_mutex_unlock(&shard->lock);
        if (found == NULL) {
            return fresh;
        }
        if (serves(found, fresh)) {
            return found;
        }
        fresh->host = found->pub;
        guarded_context_release(found);
    }
}

/* The context is in its list: entered once, left once, by the one caller that ended it. */
void context_index_leave(struct guarded_context *context)
{
    struct shard *shard = NULL;
    struct guarded_context **link = list_of(context->host, &shard);

    pthread_mutex_lock(&shard->lock);
    while (*link != context) {
        link = &(*link)->next;
    }
    *link = context->next;
    pthread_mutex_unlock(&shard->lock);
}
