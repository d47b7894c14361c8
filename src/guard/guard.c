/* SPDX-License-Identifier: MIT */
/* The one guard of the process: its state, its locks and its users. setup.c changes it. */
#include <string.h>

#include "base/fork.h"
#include "base/process.h"
#include "guard/process_guard.h"

struct process_guard process_guard = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .guard = {.store = {.lock = PTHREAD_MUTEX_INITIALIZER}},
};

FORK_OWNER(guard_owner, .rank = FORK_GUARD, .lock = &process_guard.lock);
FORK_OWNER(store_owner, .rank = FORK_STORE, .lock = &process_guard.guard.store.lock);

/* Runs after the guard's lock was taken, which protects the pointer to the log. The log has its own
 * lock, which audit_lock() takes. */
static void lock_log(void)
{
    if (process_guard.guard.audit != NULL) {
        audit_lock(process_guard.guard.audit);
    }
}

/* In the parent: the log continues as before. */
static void unlock_log(void)
{
    if (process_guard.guard.audit != NULL) {
        audit_unlock(process_guard.guard.audit, false);
    }
}

/* In the child, where no thread is left that waited for the log. */
static void unlock_log_in_child(void)
{
    if (process_guard.guard.audit != NULL) {
        audit_unlock(process_guard.guard.audit, true);
    }
}

FORK_OWNER(audit_owner, .rank = FORK_AUDIT, .before = lock_log, .after = unlock_log,
           .in_child = unlock_log_in_child);

/* Set only by before_drop() and after_drop() of setup.c. */
__thread bool guard_is_dropping;

/* A thread that drops has the lock already: it is not recursive. */
static void lock(void)
{
    if (!guard_is_dropping) {
        pthread_mutex_lock(&process_guard.lock);
    }
}

static void unlock(void)
{
    if (!guard_is_dropping) {
        pthread_mutex_unlock(&process_guard.lock);
    }
}

/* ---- users ------------------------------------------------------------------------------------
 */

/*
 * Without the lock: a user counts itself first and then looks whether the guard is open; who wants
 * to replace the guard shuts it first and then counts. All of these are sequentially consistent, so
 * at least one of the two sees the other. A user that finds it shut takes itself away again and
 * waits for the lock; it was counted at most too often, never too rarely.
 */
static void count_user(unsigned change)
{
    atomic_fetch_add(&process_guard.users[shard_of_thread()].count, change);
}

/* A forked child has another epoch: it takes the lock once, and records what is in force. */
bool guard_enter_open(void)
{
    uint64_t epoch = process_epoch();

    count_user(1);
    if (epoch != 0 && atomic_load(&process_guard.open_in) == epoch) {
        return true;
    }
    count_user(-1U);
    return false;
}

void guard_add_user(void)
{
    count_user(1);
}

void guard_open(void)
{
    atomic_store(&process_guard.open_in, process_epoch());
}

void guard_shut(void)
{
    atomic_store(&process_guard.open_in, 0);
}

/* While it is shut, the sum of the shards cannot be too low: users that are counted in one shard
 * were there before, and leave only once. */
bool guard_has_users(void)
{
    unsigned users = 0;

    for (unsigned i = 0; i < THREAD_SHARDS; i++) {
        users += atomic_load(&process_guard.users[i].count);
    }
    return users != 0;
}

/* The pointer to the log is read as a user, or under the lock: while the guard has users it is not
 * replaced. */
struct guard *guard_enter_if_open(void)
{
    if (guard_enter_open()) {
        if (process_guard.guard.audit != NULL) {
            return &process_guard.guard;
        }
        count_user(-1U);
    }
    lock();
    bool open = process_guard.guard.audit != NULL;
    if (open) {
        guard_add_user();
    }
    unlock();
    return open ? &process_guard.guard : NULL;
}

void guard_leave(struct guard *guard)
{
    (void)guard;
    count_user(-1U);
}

enum audit_reason guard_why_not(char ret_text[REFUSAL_REASON])
{
    pthread_mutex_lock(&process_guard.lock);
    enum audit_reason reason =
        process_guard.why_not[0] != '\0' ? process_guard.why_not_reason : AUDIT_REASON_NO_POLICY;
    memcpy(ret_text, process_guard.why_not, REFUSAL_REASON);
    pthread_mutex_unlock(&process_guard.lock);
    return reason;
}
