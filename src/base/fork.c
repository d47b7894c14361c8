/* SPDX-License-Identifier: MIT */
/* The registry of locks, and the handlers that take them around fork(2) (fork.h). Owners call it
 * through FORK_OWNER before main(). */
#include "base/fork.h"

#include "base/entry.h"

/* Changes only before main() or within dlopen(3), which runs one constructor at a time. */
static struct fork_owner *owners;
static bool watched;

/* The state of the forking thread, which holds the locks in between and must not be cancelled
 * there. */
static struct entry_state fork_entry;
static atomic_bool under_way;
static _Atomic pthread_t forking; /* the same in the child */

/* Of a child that catches up. */
static bool catches_up, found_held;

/* In such a child no thread releases a lock that is held. It is made anew, so that no call can wait
 * for it for ever. */
void fork_take(pthread_mutex_t *lock)
{
    if (!catches_up) {
        pthread_mutex_lock(lock);
    } else if (pthread_mutex_trylock(lock) != 0) {
        found_held = true;
        pthread_mutex_init(lock, NULL);
        pthread_mutex_lock(lock);
    }
}

/* The handler before a fork. An owner with more than one lock takes them in its before(). */
static void lock_all(void)
{
    struct entry_state entry = entry_enter();

    for (struct fork_owner *owner = owners; owner != NULL; owner = owner->next) {
        if (owner->before != NULL) {
            owner->before();
        }
        if (owner->lock != NULL) {
            fork_take(owner->lock);
        }
    }
    fork_entry = entry;
    atomic_store(&forking, pthread_self());
    atomic_store(&under_way, true);
}

/* Releases in the reverse order. Recursive, but the list is short: one entry for each rank, and
 * some tables. */
static void unlock_from(struct fork_owner *owner, bool child)
{
    if (owner == NULL) {
        return;
    }
    unlock_from(owner->next, child);
    void (*after)(void) = child && owner->in_child != NULL ? owner->in_child : owner->after;
    if (owner->lock != NULL) {
        pthread_mutex_unlock(owner->lock);
    }
    if (after != NULL) {
        after();
    }
}

static void unlock_all(bool child)
{
    struct entry_state entry = fork_entry;

    atomic_store(&under_way, false); /* the owners' handlers ask for the epoch */
    unlock_from(owners, child);
    entry_leave(&entry);
}

static void in_parent(void)
{
    unlock_all(false);
}

static void in_child(void)
{
    unlock_all(true);
}

bool fork_is_under_way(void)
{
    return atomic_load(&under_way) && pthread_equal(atomic_load(&forking), pthread_self());
}

/* With a lock that was held, what it protects is not touched by in_child(), either. */
bool fork_catch_up(void)
{
    found_held = false;
    catches_up = true;
    lock_all();
    catches_up = false;
    unlock_all(!found_held);
    return !found_held;
}

void fork_register(struct fork_owner *owner)
{
    struct fork_owner **link = &owners;

    if (owners == NULL) {
        watched = pthread_atfork(lock_all, in_parent, in_child) == 0;
    }
    while (*link != NULL && (*link)->rank <= owner->rank) {
        link = &(*link)->next;
    }
    owner->next = *link;
    *link = owner;
}

bool fork_is_watched(void)
{
    return watched;
}

void fork_do_first(struct fork_once *once, void (*function)(void))
{
    pthread_mutex_lock(&once->lock);
    if (!atomic_load(&once->done)) {
        function();
        atomic_store_explicit(&once->done, true, memory_order_release);
    }
    pthread_mutex_unlock(&once->lock);
}
