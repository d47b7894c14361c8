/* SPDX-License-Identifier: MIT */
/*
 * Identical refusals: the first has a record of its own at once; those that follow it within the
 * window are only counted, and become one further record that says how many they were and when.
 *
 * The count is in the state of the log, so that it outlives the process: the next process with the
 * lock after the end of the window writes the record. A kill between that record and the end of its
 * slot makes it be written again, under the same event.id.
 *
 * Refusals that vary: a caller that tries 8,000 classes would fill the log with as many records,
 * and retention would remove all that came before. So when one source has had REPEAT_VARIED
 * distinct refusals, or REPEAT_BYTES of them, within a window, its further ones are counted
 * together: the first in a record that is marked as varied, the others in one more for each window,
 * with samples of what they asked for. A source that went on is counted from the beginning of its
 * next window. A source is who, by which provider, in which components and by which rule and
 * reason: a refusal that differs in one of these is of another source and has its own record.
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

/* REPEAT_SOURCES: of that many at a time the refusals are counted; of others each has a record.
 * REPEAT_SAMPLES: of as many varied ones a record says what they asked for. */
enum {
    REPEAT_VARIED = 16,
    REPEAT_BYTES = 65536,
    REPEAT_SOURCES = 64,
    REPEAT_SAMPLES = 8,
    REPEAT_SAMPLE_SIZE = 160,
};

/* What this process knows about the slots it took. The state has the truth. */
struct repeats {
    /* From the policy; constant. */
    int64_t window; /* nanoseconds; 0: nothing is grouped */
    struct repeat_hint {
        _Atomic uint64_t key; /* first word; 0: none */
        char first_id[AUDIT_ID_SIZE];
        /* Of varied ones, each a JSON string; under the lock of the log. */
        bool varied;
        uint32_t sample_count;
        char samples[REPEAT_SAMPLES][REPEAT_SAMPLE_SIZE];
    } hints[STATE_REPEATS];
    /* Without a lock: two threads at once may let one record more through. */
    struct repeat_source {
        _Atomic uint64_t key; /* first word of repeat_source_key(); 0: free */
        _Atomic int64_t until;
        _Atomic uint32_t distinct, bytes;
    } sources[REPEAT_SOURCES];
};

/* Without a lock: false when this refusal is certainly not being counted. */
bool repeat_likely(const struct repeats *repeats, const struct digest *key);

/* The digests of the two identities of a refusal, which both keys have. */
struct repeat_who {
    struct digest bound, current;
};

/* What is identical in refusals that are counted together. secret is the process's: no other
 * process can compute it. */
struct digest repeat_key(const struct digest_key *secret, const struct audit_event *event,
                         const struct repeat_who *who);

/* What is the same in refusals of one source. */
struct digest repeat_source_key(const struct digest_key *secret, const struct audit_event *event,
                                const struct repeat_who *who);

/* Are further refusals of the source to be counted together? */
bool repeat_source_varied(struct repeats *repeats, const struct digest *source, int64_t now);

/* One more refusal of the source got a record of its own, of so many bytes. */
void repeat_source_note(struct repeats *repeats, const struct digest *source, int64_t now,
                        size_t bytes);

/* The rest under the lock of the log. */

/* What one of the varied refusals asked for, for the record that will count them. */
void repeat_sample(struct repeats *repeats, const struct log_state *state,
                   const struct state_repeat *slot, const struct audit_event *event);

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
