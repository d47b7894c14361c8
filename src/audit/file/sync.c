/* SPDX-License-Identifier: MIT */
/*
 * Durability by group commit: one of the threads that wait leads and syncs for all that is written
 * by then; the others wait for the result.
 *
 * fdatasync(2) reports a failed write-back once, marks the pages clean all the same, and succeeds
 * the next time. So what a failed call was to make durable is never said to be durable later.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "audit/file/file_internal.h"
#include "base/clock.h"
#include "base/futex.h"

/* Only rises, without the lock of the log: several processes sync at the same time. */
void file_note_synced(struct state_shared *shared, uint64_t through)
{
    uint64_t known = atomic_load(&shared->synced);

    while (known < through && !atomic_compare_exchange_weak(&shared->synced, &known, through)) {
    }
}

/* Records from behind the last synced one to this are never again said to be durable. There is one
 * range: a second failure makes it longer, which may include records that were synced; that is the
 * safe side. */
void file_note_unsynced(struct state_shared *shared, uint64_t through)
{
    uint64_t none = 0;

    atomic_compare_exchange_strong(&shared->unsynced_first, &none,
                                   atomic_load(&shared->synced) + 1);
    uint64_t last = atomic_load(&shared->unsynced_last);
    while (last < through &&
           !atomic_compare_exchange_weak(&shared->unsynced_last, &last, through)) {
    }
}

/* Did a failed call have to make this record durable? */
static bool is_unsynced(const struct state_shared *shared, uint64_t sequence)
{
    uint64_t first = atomic_load(&shared->unsynced_first);

    return first != 0 && sequence >= first && sequence <= atomic_load(&shared->unsynced_last);
}

/* Not under the lock, and so not state_prove(): what is shared may be looked at. A state that was
 * cut must not be read: it would raise SIGBUS. */
static bool is_there(const struct log_file *file)
{
    struct stat status;

    /* A second time, so that an fstat(2) that failed just then is not reported as a failed sync. */
    return state_look(&file->state, &status) == STATE_THERE ||
           state_look(&file->state, &status) == STATE_THERE;
}

/* The descriptor, when it is the log's: a sync of the host's file proves nothing. Else -1. A
 * rotation on another thread replaces descriptor and mark under the same lock (file_take()). */
static int own_descriptor(struct log_file *file)
{
    pthread_mutex_lock(&file->sync_lock);
    int fd = file_mark_holds(file->fd, &file->fd_mark) ? file->fd : -1;
    pthread_mutex_unlock(&file->sync_lock);
    return fd;
}

/* Where a rotation did not sync the file before this one, this one's sync says nothing about it,
 * and all of the file system has to be synced (which also reports errors since Linux 5.8). 0, or -1
 * as the calls have it. */
static int sync_all_before(struct log_file *file)
{
    int result = -1, fd = own_descriptor(file);

    if (fd < 0 || !is_there(file)) {
        return result;
    }
    bool earlier = atomic_load(&file->state.shared->synced) >= atomic_load(&file->after);
    do {
        result = earlier ? file_calls.fdatasync(fd) : file_calls.syncfs(fd);
    } while (result != 0 && errno == EINTR);
    return result;
}

/*
 * The threads that the last sync served wake up one after the other, and the first of them would
 * lead the next sync for itself alone. So it gives the others a moment to write what they have, and
 * none when it was alone. Who comes too late waits for a whole sync more: so the moment is half of
 * what the last one took, which is also what PostgreSQL advises for its commit_delay.
 */
static void gather(const struct log_file *file)
{
    uint64_t enough = atomic_load(&file->state.shared->synced) + file->crowd;
    int64_t end = clock_now_ns() + file->moment; /* the time of day may be set back */

    while (file->crowd > 1 && atomic_load(&file->written) < enough && clock_now_ns() < end) {
        sched_yield();
    }
}

/* By any thread of any process. Under the lock of them all, since a record is in the file before
 * the head says so; when that lock is not free in time, its holder may have written one. */
static uint64_t written_until_now(struct log_file *file)
{
    struct log_state *state = &file->state;
    uint64_t sequence = atomic_load(&file->written);
    bool waited, local = state_wait_for(&file->local) == 0;

    bool locked = local && is_there(file) && state_is_one(state) && state_lock(state, &waited);
    if (locked ? state_prove(state) : is_there(file)) {
        sequence = state_head(state)->sequence + !locked;
    }
    if (locked) {
        state_unlock(state);
    }
    if (local) {
        pthread_mutex_unlock(&file->local);
    }
    return sequence;
}

/* When the descriptor came to mean another file meanwhile, it is not known which one was synced. So
 * it is done again for the one that the descriptor means now. */
static void lead(struct log_file *file)
{
    struct state_shared *shared = file->state.shared;
    uint64_t target, turn;

    do {
        turn = atomic_load(&file->turn);
        target = atomic_load(&file->written);
        if (sync_all_before(file) != 0) {
            target = written_until_now(file);
            if (is_there(file)) {
                file_note_unsynced(shared, target);
            }
            return;
        }
    } while (turn != atomic_load(&file->turn));
    if (is_there(file)) {
        file_note_synced(shared, target);
    }
}

/* ---- waiting ------------------------------------------------------------------------------------
 */

/* Bit of file->round; a whole round adds twice as much. */
enum { LED = 1 };

enum outcome { NOT_YET, DURABLE, NOT_DURABLE };

/*
 * NOT_DURABLE also when it is not in this file (written fell below it, or the state is gone). No
 * lock is held, so the order matters: what a sync failed to make durable is noted before a later
 * one can begin, and who reads that the later one succeeded then reads that note, too.
 */
static enum outcome look(const struct log_file *file, uint64_t sequence)
{
    const struct state_shared *shared = file->state.shared;

    if (!is_there(file)) {
        return NOT_DURABLE;
    }
    bool written = atomic_load(&file->written) >= sequence;
    bool synced = atomic_load(&shared->synced) >= sequence;
    if (is_unsynced(shared, sequence)) {
        return NOT_DURABLE;
    }
    return synced ? DURABLE : written ? NOT_YET : NOT_DURABLE;
}

static void lead_round(struct log_file *file, uint32_t led)
{
    enum { LONGEST = 100 * 1000 }; /* nanoseconds: the processor is not free meanwhile */

    if (is_there(file)) {
        gather(file);
        int64_t start = clock_now_ns();
        lead(file);
        int64_t half = (clock_now_ns() - start) / 2;
        file->moment = half < LONGEST ? half : LONGEST;
    }
    file->crowd = atomic_load(&file->waiting);
    atomic_store(&file->round, led + LED);
    futex_wake(&file->round, INT_MAX); /* also when none sleeps: it is nothing against a sync */
}

/* The round is read before the record is looked at: when that is served in between, the round is
 * another one, and futex(2) returns at once. It may return for no reason, too. Who is still not
 * served then leads the next round, or waits for it. */
static enum outcome wait_for(struct log_file *file, uint64_t sequence)
{
    enum outcome outcome;

    for (;;) {
        uint32_t round = atomic_load(&file->round);
        outcome = look(file, sequence);
        if (outcome != NOT_YET) {
            return outcome;
        }
        if ((round & LED) != 0) {
            futex_wait(&file->round, round, NULL);
        } else if (atomic_compare_exchange_strong(&file->round, &round, round + LED)) {
            lead_round(file, round + LED);
        }
    }
}

bool file_sync(struct log_file *file, uint64_t sequence, enum audit_loss *ret_loss)
{
    if (file->settings.sync == AUDIT_SYNC_NONE) {
        return true;
    }
    atomic_fetch_add(&file->waiting, 1);
    enum outcome outcome = wait_for(file, sequence);
    atomic_fetch_sub(&file->waiting, 1);
    if (outcome != DURABLE) {
        *ret_loss = AUDIT_LOSS_NOT_SYNCED;
    }
    return outcome == DURABLE;
}
