/* SPDX-License-Identifier: MIT */
/* The one guard of the process: its state, its locks and its users. setup.c changes it. */
#include <string.h>

#include "base/fork.h"
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

/* The pointer to the log is read under the lock; while the guard has users it is not replaced. */
struct guard *guard_enter_if_open(void)
{
    lock();
    bool open = process_guard.guard.audit != NULL;
    process_guard.users += open ? 1 : 0;
    unlock();
    return open ? &process_guard.guard : NULL;
}

void guard_leave(struct guard *guard)
{
    (void)guard;
    lock();
    process_guard.users--;
    unlock();
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
