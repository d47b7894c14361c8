/* SPDX-License-Identifier: MIT */
/* The state of the one guard of the process, which guard.c holds and setup.c changes. */
#ifndef GUARD_PROCESS_GUARD_H
#define GUARD_PROCESS_GUARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/shard.h"
#include "base/text.h"
#include "guard/guard.h"
#include "policy/draft.h"

struct policy_watch;

/* Users that threads of one shard have added, less those that they have taken away. Only the sum of
 * all shards is a number of users, modulo 2^32: a user may leave on another thread. */
struct guard_users {
    _Alignas(CACHE_LINE) atomic_uint count;
};

/* Bindings count as users. The guard can be replaced only without users, its policy at any time.
 * The lock protects every member but users and open_in; of guard it protects the changes, and the
 * pointer to the log where the reader has no pin. */
struct process_guard {
    pthread_mutex_t lock;
    bool configured;
    /* The process (process_epoch()) whose users enter without the lock, as everything is set up in
     * it; 0: all take the lock. */
    _Atomic uint64_t open_in;
    struct guard_users users[THREAD_SHARDS];
    time_t tried;                 /* when the default set-up was last tried */
    char why_not[REFUSAL_REASON]; /* why that failed; "": it did not */
    enum audit_reason why_not_reason;
    uint64_t why_not_shown_in; /* the process (process_epoch()) that has shown it */
    char *policy_path;         /* NULL: the standard places */
    struct policy_watch *watch;
    bool watch_wanted; /* by the policy in force */
    bool paused;       /* a drop is under way: no thread may be started */
    /* A reload reads without the lock, because a directory may take long and a fork would wait for
     * the lock. An older read must not replace a newer one: each read has a number, and replaces
     * only a lower one. */
    uint64_t read_last, read_in_force;
    /* What the log says about the policy in force. */
    struct in_force {
        struct text files; /* their names */
        char hash[DRAFT_HASH_SIZE];
        uint64_t recorded_in; /* the process (process_epoch()) that has a record of it */
    } in_force;
    struct guard guard;
};

extern struct process_guard process_guard;

/* Adds a user where that needs no lock; false: take it, and add one then. */
bool guard_enter_open(void);
/* The caller holds the lock. */
void guard_add_user(void);
/* From here on guard_enter_open() does so, until guard_shut(). The caller holds the lock. */
void guard_open(void);
void guard_shut(void);
/* Whether there is a user. The caller holds the lock and has called guard_shut(). */
bool guard_has_users(void);

/* Whether this thread holds the lock for its own drop. If the drop ends in an abort, the record of
 * that is written under the lock. */
extern __thread bool guard_is_dropping __attribute__((tls_model("initial-exec")));

#endif
