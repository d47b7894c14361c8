/* SPDX-License-Identifier: MIT */
/*
 * Records that a sink did not take.
 *
 * They are counted in the state of the log (log_state.h), which outlives the process. What is lost
 * without the state or away from its lock is pending in the process, and added to the state by the
 * next thread with the lock. What is pending in the state is reported by a record "records-lost",
 * the first that the sink gets afterwards, and cleared only when that record is written. A kill
 * between the two makes it be reported again: two such records with the same total report the same
 * loss, since the total never falls.
 */
#ifndef AUDIT_LOSS_H
#define AUDIT_LOSS_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit/file/log_state.h"

/* What this process lost and the state does not have yet. waiting says without the lock whether
 * there is anything. */
struct losses {
    pthread_mutex_t lock;
    atomic_bool waiting;
    /* By sink; under the lock. */
    struct state_loss kinds[SINK_KIND_COUNT];
    _Atomic uint64_t noted; /* by this process, since it began */
};

void losses_init(struct losses *losses);
/* What was not folded by then is in no report. */
void losses_destroy(struct losses *losses);

/* In a forked child: what is pending is its parent's. */
void losses_forget(struct losses *losses, struct log_state *state);

/* One record that the sink of the kind did not take. Without the lock of the log, from any thread.
 * Cannot fail: a loss that is not counted would be a hole that no reader sees. */
void loss_note(struct losses *losses, enum sink_kind kind, enum audit_loss cause, int64_t now);

/* The rest under the lock of the log. Adds what is pending here to the state. */
void loss_fold(struct losses *losses, struct log_state *state);

/* Must the sink get a record about its losses before its next one? */
bool loss_waits(struct log_state *state, enum sink_kind kind);

/* What must be reported about a sink. False: nothing. */
bool loss_pending(struct log_state *state, enum sink_kind kind, struct audit_lost *ret_lost);

/* The record about it is in; what was lost meanwhile stays. */
void loss_reported(struct log_state *state, enum sink_kind kind, const struct audit_lost *lost);

#endif
