/* SPDX-License-Identifier: MIT */
/* Counts identical refusals within a window and writes one record for them; called by log.c under
 * the lock of the log. */
#include "audit/repeat.h"

#include <string.h>

#include "model/record_limits.h"

enum { SECOND = 1000000000 };

/* Longer than any window: what lies further ahead is left from before the clock was set back. */
static const int64_t longest = (int64_t)3600 * SECOND;

/* Of the items as they are kept; 0 without keys. */
static struct digest digest_keys(const struct digest_key *secret, const struct audit_keys *keys)
{
    return keys == NULL ? (struct digest){{0, 0}} : digest_bytes(secret, keys->items, keys->length);
}

/* A keyed digest of digests: no text can pass over its end into the next. */
struct digest repeat_key(const struct digest_key *secret, const struct audit_event *event)
{
    const uint64_t numbers[] = {
        event->action,
        event->reason,
        event->denied,
        event->would_deny,
        event->operation,
        event->mismatch,
        event->unreadable,
        (uint64_t)(uintptr_t)event->call_site,
        (uint64_t)event->tid,
        (uint64_t)(uintptr_t)(event->last_switch != NULL ? event->last_switch->site : NULL)};
    const struct digest parts[] = {
        digest_bytes(secret, numbers, sizeof(numbers)),
        digest_text(secret, event->provider),
        digest_text(secret, event->name_space),
        digest_text(secret, event->class_name),
        digest_text(secret, event->method),
        digest_keys(secret, event->keys),
        digest_text(secret, event->action_name),
        digest_text(secret, event->resource),
        digest_text(secret, event->object),
        digest_text(secret, event->rule),
        digest_text(secret, event->rule_source),
        digest_text(secret, event->rule_reason),
        digest_text(secret, event->policy_detail),
        digest_text(secret, event->policy_hash),
        digest_text(secret, event->policy_path),
        digest_text(secret, event->attempt),
        digest_text(secret, event->peer_label), /* each connection may have another pid */
        digest_identity(secret, event->bound),
        digest_identity(secret, event->current),
    };
    struct digest key = digest_bytes(secret, parts, sizeof(parts));
    key.word[0] += key.word[0] == 0; /* 0 is a free slot */
    return key;
}

/* By one word of the key and without a lock. A wrong hit costs a look at the slot, where the whole
 * key is compared. */
static int hint_of(const struct repeats *repeats, const struct digest *key)
{
    for (int i = 0; i < STATE_REPEATS; i++) {
        if (atomic_load_explicit(&repeats->hints[i].key, memory_order_relaxed) == key->word[0]) {
            return i;
        }
    }
    return -1;
}

/* A hint that is set a moment later costs an encoding: the slot is asked for again under the
 * lock. */
bool repeat_likely(const struct repeats *repeats, const struct digest *key)
{
    return hint_of(repeats, key) >= 0;
}

/* The entity is part of it: another process may have taken the slot since. */
static bool is_slot(const struct state_repeat *slot, const struct digest *key, uint64_t entity)
{
    return slot->key[0] == key->word[0] && slot->key[1] == key->word[1] && slot->entity == entity;
}

/* An end further ahead than any window is from a clock that was set back, and has ended, too: else
 * the count would wait for hours. */
static bool has_ended(const struct repeats *repeats, int64_t until, int64_t now)
{
    int64_t most = repeats->window > longest ? repeats->window : longest;
    return until <= now || until - now > most;
}

/* The hint is only where to look; key, process and window in the state decide. */
struct state_repeat *repeat_find(const struct repeats *repeats, struct log_state *state,
                                 const struct digest *key, uint64_t entity, int64_t now)
{
    int i = hint_of(repeats, key);
    if (i < 0 || !is_slot(&state->repeats[i], key, entity) ||
        has_ended(repeats, state->repeats[i].until, now)) {
        return NULL;
    }
    return &state->repeats[i];
}

/* The caller gets the id of the first refusal: the record that an administrator can find now. */
void repeat_count(const struct repeats *repeats, const struct log_state *state,
                  struct state_repeat *slot, int64_t now, char ret_id[AUDIT_ID_SIZE])
{
    if (slot->count == 0) {
        slot->first = now;
    }
    slot->last = now;
    /* Last of all, so that the next process finds the slot of a killed one whole. */
    __atomic_store_n(&slot->count, slot->count + 1, __ATOMIC_RELEASE);
    memcpy(ret_id, repeats->hints[slot - state->repeats].first_id, AUDIT_ID_SIZE);
}

/* repeats_until is the nearest end, 0 when no window is open. */
static void note_end(struct log_state *state, int64_t until)
{
    if (*state->repeats_until == 0 || until < *state->repeats_until) {
        *state->repeats_until = until;
    }
}

/* One for a key: an older one may point to a slot that another process has now. */
static void set_hint(struct repeats *repeats, int slot, const struct digest *key, const char *id)
{
    int old = hint_of(repeats, key);
    if (old >= 0) {
        atomic_store_explicit(&repeats->hints[old].key, 0, memory_order_relaxed);
    }
    size_t length = strnlen(id, AUDIT_ID_SIZE - 1);
    memcpy(repeats->hints[slot].first_id, id, length);
    repeats->hints[slot].first_id[length] = '\0';
    atomic_store_explicit(&repeats->hints[slot].key, key->word[0], memory_order_relaxed);
}

void repeat_begin(struct repeats *repeats, struct log_state *state, const struct digest *key,
                  uint64_t entity, int64_t now, const struct file_record *record)
{
    int i = 0;
    while (i < STATE_REPEATS && state->repeats[i].key[0] != 0) {
        i++;
    }
    if (i == STATE_REPEATS || record->body_length > STATE_BODY) {
        return;
    }
    struct state_repeat *slot = &state->repeats[i];
    slot->entity = entity;
    slot->count = 0;
    slot->first = slot->last = now;
    slot->until = now + repeats->window;
    slot->body_length = (uint32_t)record->body_length;
    slot->action = record->event->action;
    slot->reason = record->event->reason;
    slot->id[0] = '\0';
    memcpy(slot->body, record->body, record->body_length);
    slot->key[1] = key->word[1];
    __atomic_store_n(&slot->key[0], key->word[0], __ATOMIC_RELEASE);
    note_end(state, slot->until);
    set_hint(repeats, i, key, record->id);
}

/* The key first: a slot without one is free, whatever else is in it after a kill. */
static void release(struct state_repeat *slot)
{
    __atomic_store_n(&slot->key[0], 0, __ATOMIC_RELEASE);
    slot->count = 0;
}

/* The refusal was not recorded where it must be: the next one must try again, and not be counted.
 * What was counted meanwhile is written with the next record. */
void repeat_cancel(struct log_state *state, const struct digest *key, uint64_t entity)
{
    for (int i = 0; i < STATE_REPEATS; i++) {
        struct state_repeat *slot = &state->repeats[i];
        if (is_slot(slot, key, entity) && slot->count == 0) {
            release(slot);
        } else if (is_slot(slot, key, entity)) {
            slot->until = slot->last;
            note_end(state, slot->until);
        }
    }
}

bool repeat_due(const struct repeats *repeats, const struct log_state *state, int64_t now)
{
    return *state->repeats_until != 0 && has_ended(repeats, *state->repeats_until, now);
}

/* The kept body gets the time of the last refusal, so that the record is not dated before those
 * that stand above it. */
static void fill_record(struct repeat_round *round)
{
    struct state_repeat *slot = round->slot;

    audit_set_time(slot->body, slot->body_length, slot->last);
    round->event = (struct audit_event){.action = (enum audit_action)slot->action,
                                        .reason = (enum audit_reason)slot->reason,
                                        .denied = true};
    round->record = (struct file_record){.event = &round->event,
                                         .body = slot->body,
                                         .body_length = slot->body_length,
                                         .id = slot->id,
                                         .repeats = slot->count,
                                         .first = slot->first,
                                         .last = slot->last};
}

/* The nearest end of a window is found anew in each round. */
void repeat_round_begin(struct log_state *state, struct repeat_round *ret_round)
{
    ret_round->next = 0;
    *state->repeats_until = 0;
}

/* Goes through all slots, also those of other processes: one that was killed writes no more. */
bool repeat_round_next(const struct repeats *repeats, struct log_state *state, int64_t now,
                       uint64_t close_entity, struct repeat_round *round)
{
    while (round->next < STATE_REPEATS) {
        struct state_repeat *slot = &state->repeats[round->next++];
        bool closing = close_entity != 0 && slot->entity == close_entity;
        if (slot->key[0] == 0) {
            continue;
        }
        if (!closing && !has_ended(repeats, slot->until, now)) {
            note_end(state, slot->until);
        } else if (slot->count == 0) {
            release(slot);
        } else {
            round->slot = slot;
            fill_record(round);
            return true;
        }
    }
    return false;
}

void repeat_round_done(struct log_state *state, const struct repeat_round *round, int64_t now,
                       bool written)
{
    if (written) {
        release(round->slot);
    } else {
        round->slot->until = now; /* counts no more */
        note_end(state, now + SECOND);
    }
}
