/* SPDX-License-Identifier: MIT */
/*
 * The background thread of a log: it does what is due when no record comes, and opens files for
 * threads that serve others under an identity that may not.
 *
 * The thread that asks for names (record_names.h) is started here, too, under the same conditions.
 */
#ifndef AUDIT_BACKGROUND_H
#define AUDIT_BACKGROUND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "audit/log_store.h"
#include "audit/record_names.h"

struct audit;

/* The identity that opened the log: only with it the thread may work. */
struct background_identity {
    /* False: it could not be read. It is then like no other, and no thread is started. */
    bool known;
    uid_t fsuid;
    gid_t fsgid;
    uint64_t effective;
};

struct background {
    void (*due)(struct audit *audit); /* writes what is due without a record */
    struct audit *audit;
    /* Borrowed from the log, which outlives the thread. */
    struct log_store *store;
    struct audit_names *names;
    _Atomic int64_t last_written; /* when; set by log.c */
    pthread_mutex_t lock;
    pthread_t thread;
    atomic_bool running; /* there is a thread to be joined */
    atomic_bool ended;   /* it ended by itself */
    bool paused;         /* under the lock: no thread may be started */
    /* When a start was last tried, by clock_tick_ms(); 0: not yet. */
    _Atomic int64_t tried;
    struct background_identity identity;
};

/* Remembers the identity of the calling thread as the one that opens the log. due gets audit on the
 * background thread; store and names must outlive it. */
void background_init(struct background *background, struct log_store *store,
                     struct audit_names *names, void (*due)(struct audit *audit),
                     struct audit *audit);
void background_destroy(struct background *background);

/* Starts the thread when it can be: the process has another thread, the identity is the one that
 * opened the log, and it is not paused. Tried at most once a second; cheap when there is nothing to
 * do. */
void background_offer(struct background *background);

/* The same for the thread that asks for names; for names_init(). */
void background_offer_names(void *background);

/* There is only one thread, and it has the identity that the directory must be asked with. For
 * names_init(). */
bool background_is_alone(const void *background);

/* Ends the thread and waits for it. After a stop the next record may start it again, after a pause
 * no thread is started until resume. */
void background_stop(struct background *background);
void background_pause(struct background *background);
void background_resume(struct background *background);

/* In a forked child, which has no background thread. */
void background_forget(struct background *background);

#endif
