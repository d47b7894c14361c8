/* SPDX-License-Identifier: MIT */
/*
 * Records that a sink did not take.
 *
 * They are counted in the state of the log (state.h), which outlives the process. What is lost
 * where the state cannot be had, or away from its lock, waits in the process and is put there as
 * soon as somebody has the lock. What waits in the state is told by a record "records-lost", the
 * first that the sink gets afterwards, and is taken off only when that record is in. Who is killed
 * between the two leaves it to be told again: two such records with the same total tell of the same
 * loss, since the total never falls.
 */
#ifndef AUDIT_LOSS_H
#define AUDIT_LOSS_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit/file/log_state.h"

struct losses {
    pthread_mutex_t lock;
    atomic_bool waiting;
    struct state_loss kinds[SINK_KIND_COUNT];
    _Atomic uint64_t noted; /* by this process, since it began */
};

void losses_init(struct losses *losses);
void losses_destroy(struct losses *losses);

/* In a forked child: what waits is its parent's. */
void losses_forget(struct losses *losses, struct log_state *state);

/* Without the lock of the log. Cannot fail. */
void loss_note(struct losses *losses, enum sink_kind kind, enum audit_loss cause, int64_t now);

/* The rest under the lock of the log. */
void loss_fold(struct losses *losses, struct log_state *state);

bool loss_waits(struct log_state *state, enum sink_kind kind);

/* What is to be told about a sink. False when nothing is. */
bool loss_pending(struct log_state *state, enum sink_kind kind, struct audit_lost *ret_lost);

/* The record about it is in; what was lost meanwhile stays. */
void loss_reported(struct log_state *state, enum sink_kind kind, const struct audit_lost *lost);

#endif
