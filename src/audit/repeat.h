/* SPDX-License-Identifier: MIT */
/*
 * Identical refusals: the first has a record of its own at once; those that follow it within the
 * window are only counted, and become one further record that says how many they were and when.
 *
 * The count is in the state of the log, so that it outlives the process: the next process with the
 * lock after the end of the window writes the record. A kill between that record and the end of its
 * slot makes it be written again, under the same event.id.
 *
 * Identical means: what was refused to whom, and why, by which process and from which place in its
 * code. The ids of context, session, operation and thread are no part of it: a caller that
 * takes a new session for each try still makes one run.
 */
#ifndef AUDIT_REPEAT_H
#define AUDIT_REPEAT_H

#include <stdatomic.h>

#include "audit/digest.h"
#include "audit/file/log_state.h"
#include "audit/record.h"
#include "model/event.h"

/* What this process knows about the slots it took. The state has the truth. */
struct repeats {
    /* From the policy; constant. */
    int64_t window; /* nanoseconds; 0: nothing is grouped */
    struct repeat_hint {
        _Atomic uint64_t key; /* first word; 0: none */
        char first_id[AUDIT_ID_SIZE];
    } hints[STATE_REPEATS];
};

/* Without a lock: false when this refusal is certainly not being counted. */
bool repeat_likely(const struct repeats *repeats, const struct digest *key);

/* What is identical in refusals that are counted together. secret is the process's: no other
 * process can compute it. */
struct digest repeat_key(const struct digest_key *secret, const struct audit_event *event);

/* The rest under the lock of the log. */

/* The slot of an open window of this process; NULL: not found. */
struct state_repeat *repeat_find(const struct repeats *repeats, struct log_state *state,
                                 const struct digest *key, uint64_t entity, int64_t now);

/* Counts one more and gives the id of the first. slot->id must be there. */
void repeat_count(const struct repeats *repeats, const struct log_state *state,
                  struct state_repeat *slot, int64_t now, char ret_id[AUDIT_ID_SIZE]);

/* A record that is in begins a window, when a slot is free and the body fits. */
void repeat_begin(struct repeats *repeats, struct log_state *state, const struct digest *key,
                  uint64_t entity, int64_t now, const struct file_record *record);

/* Some sink that must have it did not take the record that began the window. */
void repeat_cancel(struct log_state *state, const struct digest *key, uint64_t entity);

/* Has a window ended, of whichever process? One comparison, so that it can be asked for each
 * record. */
bool repeat_due(const struct repeats *repeats, const struct log_state *state, int64_t now);

/* The records of windows that have ended, one after the other. */
struct repeat_round {
    int next;                  /* the next slot to look at */
    struct state_repeat *slot; /* whose record is due */
    struct audit_event event;
    struct file_record record;
};

void repeat_round_begin(struct log_state *state, struct repeat_round *ret_round);

/* False: no further record is due. Otherwise round->record is; the caller writes it and then calls
 * repeat_round_done(). With close_entity the windows of that process end, too. */
MIGUARD_CHECKED bool repeat_round_next(const struct repeats *repeats, struct log_state *state,
                                       int64_t now, uint64_t close_entity,
                                       struct repeat_round *round);

/* A slot whose record could not be written is kept and tried again after a second. */
void repeat_round_done(struct log_state *state, const struct repeat_round *round, int64_t now,
                       bool written);

#endif
