/* SPDX-License-Identifier: MIT */
/* Counts the records that a sink did not take, and says what must be reported about them. Called by
 * log.c and sinks.c. */
#include "audit/loss.h"

#include <string.h>

void losses_init(struct losses *losses)
{
    memset(losses, 0, sizeof(*losses));
    pthread_mutex_init(&losses->lock, NULL);
}

void losses_destroy(struct losses *losses)
{
    pthread_mutex_destroy(&losses->lock);
}

/* A loss would be counted twice if both processes reported it. */
void losses_forget(struct losses *losses, struct log_state *state)
{
    memset(state->own, 0, sizeof(state->own));
    pthread_mutex_lock(&losses->lock);
    memset(losses->kinds, 0, sizeof(losses->kinds));
    atomic_store(&losses->waiting, false);
    atomic_store(&losses->noted, 0);
    pthread_mutex_unlock(&losses->lock);
}

/* The time from the first to the last loss. first 0 means that nothing is lost. */
static void widen(struct state_loss *loss, int64_t first, int64_t last)
{
    loss->first = loss->first == 0 || first < loss->first ? first : loss->first;
    loss->last = last > loss->last ? last : loss->last;
}

/* No allocation and no system call that can fail: it is called when everything else has failed. */
void loss_note(struct losses *losses, enum sink_kind kind, enum audit_loss cause, int64_t now)
{
    pthread_mutex_lock(&losses->lock);
    losses->kinds[kind].by_cause[cause]++;
    widen(&losses->kinds[kind], now, now);
    atomic_store(&losses->waiting, true);
    atomic_fetch_add(&losses->noted, 1);
    pthread_mutex_unlock(&losses->lock);
}

/* In the state, or in this process where the file has no place for the kind. */
static struct state_loss *pending_of(struct log_state *state, enum sink_kind kind)
{
    return (int)kind < (int)STATE_SINKS ? &state->pending[kind]
                                        : &state->own[(int)kind - (int)STATE_SINKS];
}

/* The totals grow with what is pending and never fall: by them a reader sees two reports of one
 * loss. */
static void add(struct state_loss *into, const struct state_loss *from, uint64_t *lost_total)
{
    if (from->first == 0) {
        return;
    }
    for (int cause = 0; cause < AUDIT_LOSS_COUNT; cause++) {
        into->by_cause[cause] += from->by_cause[cause];
        lost_total[cause] += from->by_cause[cause];
    }
    widen(into, from->first, from->last);
}

void loss_fold(struct losses *losses, struct log_state *state)
{
    /* A state that is gone keeps nothing. */
    if (state->gone || !atomic_load_explicit(&losses->waiting, memory_order_acquire)) {
        return;
    }
    pthread_mutex_lock(&losses->lock);
    for (enum sink_kind kind = 0; kind < SINK_KIND_COUNT; kind++) {
        add(pending_of(state, kind), &losses->kinds[kind], state->lost_total);
    }
    memset(losses->kinds, 0, sizeof(losses->kinds));
    atomic_store(&losses->waiting, false);
    pthread_mutex_unlock(&losses->lock);
}

/* A count for each cause, added up. 64 bits do not overflow in the life of a host. */
static uint64_t sum(const uint64_t by_cause[AUDIT_LOSS_COUNT])
{
    uint64_t all = 0;
    for (int cause = 0; cause < AUDIT_LOSS_COUNT; cause++) {
        all += by_cause[cause];
    }
    return all;
}

bool loss_waits(struct log_state *state, enum sink_kind kind)
{
    return sum(pending_of(state, kind)->by_cause) > 0;
}

/* A copy: the state may change before the record about it is written. */
bool loss_pending(struct log_state *state, enum sink_kind kind, struct audit_lost *ret_lost)
{
    const struct state_loss *pending = pending_of(state, kind);

    if (!loss_waits(state, kind)) {
        return false;
    }
    *ret_lost = (struct audit_lost){
        .sink = sink_kinds[kind].name,
        .count = sum(pending->by_cause),
        .first = pending->first,
        .last = pending->last,
        .first_sequence = pending->first_sequence,
        .last_sequence = pending->last_sequence,
        .total = sum(state->lost_total),
    };
    memcpy(ret_lost->by_cause, pending->by_cause, sizeof(ret_lost->by_cause));
    return true;
}

/* Subtracts and does not clear, since more may have been lost while the sink got the record. The
 * rest begins after the last that was reported. */
void loss_reported(struct log_state *state, enum sink_kind kind, const struct audit_lost *lost)
{
    struct state_loss *pending = pending_of(state, kind);

    if (pending->first != lost->first) {
        return; /* another process reported it meanwhile; what is here now was lost after that */
    }
    for (int cause = 0; cause < AUDIT_LOSS_COUNT; cause++) {
        pending->by_cause[cause] -= lost->by_cause[cause];
    }
    pending->first_sequence = pending->last_sequence = 0;
    pending->first = lost->last + 1;
    if (!loss_waits(state, kind)) {
        memset(pending, 0, sizeof(*pending));
    }
}
