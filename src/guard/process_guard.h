/* SPDX-License-Identifier: MIT */
/* The state of the one guard of the process, which guard.c holds and setup.c changes. */
#ifndef GUARD_PROCESS_GUARD_H
#define GUARD_PROCESS_GUARD_H

#include <pthread.h>
#include <time.h>

#include "base/text.h"
#include "guard/guard.h"
#include "policy/draft.h"

struct policy_watch;

/* Bindings count as its users; what it is can be replaced only while it has none, its policy at any
 * time. */
struct process_guard {
    pthread_mutex_t lock;
    bool configured;
    unsigned users;
    time_t tried;      /* when the default was last tried to be set up */
    char *policy_path; /* NULL: the standard places */
    struct policy_watch *watch;
    bool watch_wanted; /* by the policy in force */
    bool paused;       /* a drop is under way: no thread is to be started */
    /* Reloads read without the lock, for as long as the directory takes: nobody who forks waits for
     * that. The later one must not be overtaken by what an earlier one read, so each has a number,
     * and none takes over from a higher one. */
    uint64_t read_last, read_in_force;
    struct in_force {
        struct text files; /* their names */
        char hash[DRAFT_HASH_SIZE];
        uint64_t recorded_in; /* the process (process_epoch()) that has a record of it */
    } in_force;
    struct guard guard;
};

extern struct process_guard process_guard;

/* Whether this thread has the lock for a drop of its own. Should that end in an abort, the record
 * of it is written from within. */
extern __thread bool guard_is_dropping __attribute__((tls_model("initial-exec")));

#endif
