/* SPDX-License-Identifier: MIT */
/*
 * User and group names for records. A record waits for no directory: its ids are written at once,
 * and a name beside them when it is known. A thread of its own asks; a record waits for it a
 * moment, which is enough where the directory is a file, and after a moment in vain no record waits
 * for a while.
 *
 * A name that was asked for longer than NAMES_SECONDS ago is not written: the id may be another's
 * by now, and a reader can look a missing name up but not doubt one that is there.
 *
 * The thread may be in a module of NSS that never comes back. So it is not joined, what it uses is
 * released by its last user, and it holds no lock while it asks.
 */
#ifndef AUDIT_RECORD_NAMES_H
#define AUDIT_RECORD_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "identity/directory.h"

enum {
    NAMES_SLOTS = 64,
    NAMES_SECONDS = 10, /* how old the answer may be that a record gets */
    NAMES_MOMENT = 2,   /* milliseconds that a record waits for a name, all of its names together */
    NAMES_DISTRUST = 10, /* seconds without a moment after one in vain */
};

struct names_store;

/* Whether a thread that ends at once may ask, for want of one that stays. Called with the lock of
 * the names held: it must not call back here. */
typedef bool (*names_alone)(const void *context);

/* Starts the thread that asks, where it may be started (names_start()). Called without a lock of
 * the names, for a name that has to be asked for while there is no thread. */
typedef void (*names_offer)(void *context);

/* A handle; the store behind it may outlive it while its thread is in a module of NSS. */
struct audit_names {
    struct names_store *store;
    names_offer offer;
    names_alone alone;
    void *context;
};

/* False when memory is out. context is handed to offer and alone and must outlive the names. */
bool names_init(struct audit_names *names, names_offer offer, names_alone alone, void *context);
/* Ends the thread as names_stop() does. What a thread that does not end still uses is released by
 * it. */
void names_destroy(struct audit_names *names);

/* Starts the thread that asks. The caller knows that a thread may be started and has the identity
 * that the directory must be asked with. */
void names_start(struct audit_names *names);

/* Without the lock: the answer may be old by a moment. */
bool names_running(const struct audit_names *names);

/* Ends the thread; waits for it a tenth of a second. */
void names_stop(struct audit_names *names);

/* In a forked child, which has no such thread. */
void names_forget(struct audit_names *names);

/* Around fork(2). */
void names_lock(struct audit_names *names);
void names_unlock(struct audit_names *names);

/* False when the id has no name, or its name is not known now. names NULL: asked at once, however
 * long it takes. */
bool names_find(struct audit_names *names, enum directory_kind kind, uint32_t id,
                char name[DIRECTORY_NAME]);

#endif
