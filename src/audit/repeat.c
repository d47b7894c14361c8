/* SPDX-License-Identifier: MIT */
/* Counts identical refusals within a window and writes one record for them; called by log.c under
 * the lock of the log. */
#include "audit/repeat.h"

#include <string.h>

#include "base/text.h"
#include "identity/cut.h"
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
struct digest repeat_key(const struct digest_key *secret, const struct audit_event *event,
                         const struct repeat_who *who)
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
        who->bound,
        who->current,
    };
    struct digest key = digest_bytes(secret, parts, sizeof(parts));
    key.word[0] += key.word[0] == 0; /* 0 is a free slot */
    return key;
}

/* Not the place in the code, the thread or the ids: all of these a caller can vary without end. */
struct digest repeat_source_key(const struct digest_key *secret, const struct audit_event *event,
                                const struct repeat_who *who)
{
    const uint64_t numbers[] = {event->action,     event->reason,   event->denied,
                                event->would_deny, event->mismatch, event->unreadable};
    const struct digest parts[] = {
        digest_bytes(secret, numbers, sizeof(numbers)),
        digest_text(secret, event->provider),
        digest_text(secret, event->rule),
        digest_text(secret, event->rule_source),
        digest_text(secret, event->rule_reason),
        who->bound,
        who->current,
    };
    struct digest key = digest_bytes(secret, parts, sizeof(parts));
    key.word[0] += key.word[0] == 0;
    return key;
}

/* ---- sources that vary ------------------------------------------------------------------------
 */

static bool is_over(const struct repeat_source *source)
{
    return atomic_load(&source->distinct) >= REPEAT_VARIED ||
           atomic_load(&source->bytes) >= REPEAT_BYTES;
}

static struct repeat_source *find_source(struct repeats *repeats, const struct digest *key)
{
    for (int i = 0; i < REPEAT_SOURCES; i++) {
        if (atomic_load(&repeats->sources[i].key) == key->word[0]) {
            return &repeats->sources[i];
        }
    }
    return NULL;
}

/* A new window. One that went over in the window before, and has not been quiet for as long as one,
 * is counted from now on. */
static void renew_source(const struct repeats *repeats, struct repeat_source *source, int64_t now)
{
    int64_t until = atomic_load(&source->until);

    if (until > now && until - now <= repeats->window) {
        return;
    }
    bool goes_on = is_over(source) && until <= now && now - until < repeats->window;
    atomic_store(&source->distinct, goes_on ? REPEAT_VARIED : 0);
    atomic_store(&source->bytes, 0);
    atomic_store(&source->until, now + repeats->window);
}

bool repeat_source_varied(struct repeats *repeats, const struct digest *source, int64_t now)
{
    struct repeat_source *known = find_source(repeats, source);

    if (known == NULL) {
        return false;
    }
    renew_source(repeats, known, now);
    return is_over(known);
}

/* A place that is free, or whose window and the one behind it have ended. */
static struct repeat_source *take_source(struct repeats *repeats, const struct digest *key,
                                         int64_t now)
{
    for (int i = 0; i < REPEAT_SOURCES; i++) {
        struct repeat_source *source = &repeats->sources[i];
        uint64_t old = atomic_load(&source->key);
        if ((old == 0 || now - atomic_load(&source->until) > repeats->window) &&
            atomic_compare_exchange_strong(&source->key, &old, key->word[0])) {
            atomic_store(&source->distinct, 0);
            atomic_store(&source->bytes, 0);
            atomic_store(&source->until, now + repeats->window);
            return source;
        }
    }
    return NULL;
}

void repeat_source_note(struct repeats *repeats, const struct digest *source, int64_t now,
                        size_t bytes)
{
    struct repeat_source *known = find_source(repeats, source);

    known = known != NULL ? known : take_source(repeats, source, now);
    if (known == NULL) {
        return;
    }
    renew_source(repeats, known, now);
    atomic_fetch_add(&known->distinct, 1);
    atomic_fetch_add(&known->bytes, bytes < REPEAT_BYTES ? (uint32_t)bytes : REPEAT_BYTES);
}

/* "GetInstance root/cimv2:CIM_Process", with what the event has. */
static void describe(struct text *text, const struct audit_event *event)
{
    const char *const parts[][2] = {
        {"", event->action_name != NULL ? event->action_name : operation_name(event->operation)},
        {" ", event->name_space},
        {event->name_space != NULL ? ":" : " ", event->class_name},
        {".", event->method},
        {" ", event->resource},
        {" ", event->object}};
    char cut[CUT_SIZE(REPEAT_SAMPLE_SIZE)];

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i][1] != NULL) {
            text_append(text, parts[i][0]);
            text_append(text, parts[i][1]);
        }
    }
    if (!text->failed && text->data != NULL) {
        (void)cut_text(text->data, REPEAT_SAMPLE_SIZE / 4, cut);
        text_release(text);
        text_json_string(text, NULL, cut);
    }
}

/* Each counts the same; the samples say what to look for. One that is too long is left out. */
void repeat_sample(struct repeats *repeats, const struct log_state *state,
                   const struct state_repeat *slot, const struct audit_event *event)
{
    struct repeat_hint *hint = &repeats->hints[slot - state->repeats];
    struct text text = TEXT_EMPTY;

    if (!hint->varied || hint->sample_count == REPEAT_SAMPLES) {
        return;
    }
    describe(&text, event);
    if (!text.failed && text.length < REPEAT_SAMPLE_SIZE) {
        memcpy(hint->samples[hint->sample_count], text.data, text.length + 1);
        hint->sample_count++;
    }
    text_release(&text);
}

/* Behind the body, whose length stays what it is: a kill leaves a whole record without samples. The
 * room is there, or they are left out. */
static size_t append_samples(const struct repeat_hint *hint, struct state_repeat *slot)
{
    static const char before[] = ",\"samples\":[";
    const size_t most = sizeof(before) + REPEAT_SAMPLES * (REPEAT_SAMPLE_SIZE + 1);
    char *at = slot->body + slot->body_length;

    if (slot->body_length + most > STATE_KEPT) {
        return 0;
    }
    at = stpcpy(at, before);
    for (uint32_t i = 0; i < hint->sample_count; i++) {
        *at = ',';
        at = stpcpy(at + (i > 0), hint->samples[i]);
    }
    *at++ = ']';
    return (size_t)(at - (slot->body + slot->body_length));
}

/* ---- runs ------------------------------------------------------------------------------------ */

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
static void set_hint(struct repeats *repeats, int slot, const struct digest *key, const char *id,
                     bool varied)
{
    int old = hint_of(repeats, key);
    if (old >= 0) {
        atomic_store_explicit(&repeats->hints[old].key, 0, memory_order_relaxed);
    }
    size_t length = strnlen(id, AUDIT_ID_SIZE - 1);
    memcpy(repeats->hints[slot].first_id, id, length);
    repeats->hints[slot].first_id[length] = '\0';
    repeats->hints[slot].varied = varied;
    repeats->hints[slot].sample_count = 0;
    atomic_store_explicit(&repeats->hints[slot].key, key->word[0], memory_order_relaxed);
}

/* The last slots are for varied ones: runs that fill the others must not keep a flood from being
 * counted. A varied one may also end a run that has counted nothing. STATE_REPEATS: no place. */
static int free_slot(const struct log_state *state, bool varied)
{
    enum { KEPT = 4 };
    int most = varied ? STATE_REPEATS : STATE_REPEATS - KEPT;

    for (int i = 0; i < most; i++) {
        int at = varied ? STATE_REPEATS - 1 - i : i;
        if (state->repeats[at].key[0] == 0) {
            return at;
        }
    }
    for (int i = 0; varied && i < STATE_REPEATS - KEPT; i++) {
        if (state->repeats[i].count == 0) {
            return i;
        }
    }
    return STATE_REPEATS;
}

void repeat_begin(struct repeats *repeats, struct log_state *state, const struct digest *key,
                  uint64_t entity, int64_t now, const struct file_record *record)
{
    int i = free_slot(state, record->event->varied);
    if (i == STATE_REPEATS || record->body_length > STATE_KEPT) {
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
    set_hint(repeats, i, key, record->id, record->event->varied);
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
static void fill_record(const struct repeats *repeats, const struct log_state *state,
                        struct repeat_round *round)
{
    struct state_repeat *slot = round->slot;
    const struct repeat_hint *hint = &repeats->hints[slot - state->repeats];
    /* The hint is of another run when another process has the slot. */
    bool samples =
        hint->varied && hint->sample_count > 0 && atomic_load(&hint->key) == slot->key[0];

    audit_set_time(slot->body, slot->body_length, slot->last);
    round->event = (struct audit_event){.action = (enum audit_action)slot->action,
                                        .reason = (enum audit_reason)slot->reason,
                                        .denied = true};
    round->record = (struct file_record){.event = &round->event,
                                         .body = slot->body,
                                         .body_length = slot->body_length +
                                                        (samples ? append_samples(hint, slot) : 0),
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
            fill_record(repeats, state, round);
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
