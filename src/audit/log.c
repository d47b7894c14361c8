/* SPDX-License-Identifier: MIT */
/*
 * Opens and closes a log and writes each record; called by the guard. A refusal that is being
 * counted is only counted. Any other record is encoded without a lock, gets its place in the file
 * under the lock of all writers, then goes to the other sinks, each under its own lock, and where
 * it must be durable its caller waits until it is.
 *
 * audit_write_id() -> write_event() -> count_only(), or write_whole(): audit_encode_body(), place()
 * with place_locked() under the lock of the log, hand_out() to sinks and disk.
 *
 * settle() does what is due before a record: the report of what the file lacks, and the counts of
 * windows that have ended. The background thread does the same without a record (write_due()).
 */
#include <string.h>

#include "audit/core.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/process.h"
#include "base/write.h"
#include "identity/read.h"

/* In nanoseconds. */
enum { SECOND = 1000000000 };

/* One call of audit_write_id(). */
struct writing {
    struct audit *audit;
    struct batch *batch;
    const struct audit_event *event;
    const struct digest *key;    /* NULL: not to be grouped */
    const struct digest *source; /* whose it is; NULL as key */
    bool closing;
    char id[AUDIT_ID_SIZE];
};

/* What became of a record in the store: lost, in, or one more of a window. */
enum outcome { NOT_PLACED, PLACED, COUNTED };

/* A forked child writes to the same log under a name of its own. Losses, threads and counts of the
 * parent are forgotten with it. Looked at with each call, at the cost of one comparison. */
static void note_process(struct audit *audit)
{
    if (stamp_is_current(&audit->process)) {
        return;
    }
    pthread_mutex_lock(&audit->process_lock);
    if (!stamp_is_current(&audit->process)) {
        atomic_store(&audit->pool.written, 0);
        losses_forget(&audit->losses, log_store_state(&audit->store));
        background_forget(&audit->background);
        stamp_renew(&audit->process);
    }
    pthread_mutex_unlock(&audit->process_lock);
}

/* ---- under the lock -------------------------------------------------------------------------- */

/* What was lost away from the lock is counted in the state. */
static void fold(struct audit *audit)
{
    loss_fold(&audit->losses, log_store_state(&audit->store));
}

/* After a loss, the first record written again is records-lost; file_append() clears what is
 * pending in the same step. */
static bool write_gap(struct audit *audit, struct batch *batch, enum audit_loss *ret_loss)
{
    struct text body = TEXT_EMPTY;
    struct audit_lost lost;
    char id[AUDIT_ID_SIZE];

    if (!loss_pending(log_store_state(&audit->store), SINK_FILE, &lost)) {
        return true;
    }
    const struct audit_event gap = {.action = AUDIT_ACTION_RECORDS_LOST, .lost = &lost};
    stamp_encode(&audit->process, &gap, &body, id);
    const struct file_record record = {
        .event = &gap, .body = body.data, .body_length = body.length, .id = id, .repeats = 1};
    *ret_loss = AUDIT_LOSS_NO_MEMORY;
    bool written = !body.failed && log_store_append(&audit->store, batch, &record, ret_loss);
    text_release(&body);
    return written;
}

/* The count of each window that has ended becomes a record like any other. A failure is not counted
 * as a loss, since the slot keeps the count and is tried again. */
static void write_repeats(struct writing *writing, struct log_state *state)
{
    struct audit *audit = writing->audit;
    uint64_t mine = writing->closing ? atomic_load(&audit->process.entity) : 0;
    struct repeat_round round;
    enum audit_loss unused;

    repeat_round_begin(state, &round);
    while (repeat_round_next(&audit->repeats, state, writing->batch->now, mine, &round)) {
        bool written = log_store_append(&audit->store, writing->batch, &round.record, &unused);
        repeat_round_done(state, &round, writing->batch->now, written);
    }
}

/* All that comes before the next record. */
static bool settle(struct writing *writing, enum audit_loss *ret_loss)
{
    struct audit *audit = writing->audit;
    struct log_state *state = log_store_state(&audit->store);

    fold(audit);
    bool settled = write_gap(audit, writing->batch, ret_loss);
    if (settled && (writing->closing || repeat_due(&audit->repeats, state, writing->batch->now))) {
        write_repeats(writing, state);
    }
    for (enum sink_kind kind = 0; audit->pool.has_sinks && kind < SINK_KIND_COUNT; kind++) {
        writing->batch->behind[kind] = loss_waits(state, kind);
    }
    return settled;
}

/* The id of the record that will report the count is drawn with the first refusal that is counted:
 * a kill after it then writes the record under the same id. */
static bool count_one(const struct writing *writing, char ret_id[AUDIT_ID_SIZE])
{
    struct audit *audit = writing->audit;
    struct log_state *state = log_store_state(&audit->store);
    struct state_repeat *slot =
        repeat_find(&audit->repeats, state, writing->key, atomic_load(&audit->process.entity),
                    writing->batch->now);
    if (slot == NULL) {
        return false;
    }
    if (slot->count == 0) {
        stamp_id(&audit->process, slot->id);
    }
    repeat_count(&audit->repeats, state, slot, writing->batch->now, ret_id);
    repeat_sample(&audit->repeats, state, slot, writing->event);
    return true;
}

/* Everything that needs the lock, in the order of the file: losses and ended windows, then the
 * record. It begins a window only when it is in, so that nothing is counted behind a record that is
 * missing. */
static enum outcome place_locked(struct writing *writing, enum audit_loss *ret_loss)
{
    struct audit *audit = writing->audit;
    const struct text *body = &writing->batch->body;

    bool settled = settle(writing, ret_loss);
    /* Another thread may have begun the window while this one was encoding. */
    if (writing->key != NULL && count_one(writing, writing->id)) {
        return COUNTED;
    }
    stamp_id(&audit->process, writing->id); /* a record that is lost had one, too */
    const struct file_record record = {.event = writing->event,
                                       .body = body->data,
                                       .body_length = body->length,
                                       .id = writing->id,
                                       .repeats = 1};
    if (!settled || !log_store_append(&audit->store, writing->batch, &record, ret_loss)) {
        return NOT_PLACED;
    }
    if (writing->key != NULL) {
        if (!writing->event->varied) {
            repeat_source_note(&audit->repeats, writing->source, writing->batch->now, body->length);
        }
        repeat_begin(&audit->repeats, log_store_state(&audit->store), writing->key,
                     atomic_load(&audit->process.entity), writing->batch->now, &record);
    }
    return PLACED;
}

/* Gives the record its place, or counts it as lost to the file. Losses are folded twice: those
 * noted meanwhile must not wait for the next record. */
static enum outcome place(struct writing *writing)
{
    struct audit *audit = writing->audit;
    enum audit_loss loss = AUDIT_LOSS_BUSY;
    enum outcome outcome = NOT_PLACED;

    bool locked = log_store_lock(&audit->store, &loss);
    if (locked) {
        outcome = place_locked(writing, &loss);
    } else {
        stamp_id(&audit->process, writing->id);
    }
    if (outcome == NOT_PLACED && audit->pool.has_file) {
        loss_note(&audit->losses, SINK_FILE, loss, writing->batch->now);
    }
    if (locked) {
        fold(audit);
        log_store_unlock(&audit->store);
    }
    return outcome;
}

/* ---- after it -------------------------------------------------------------------------------- */

/* The other sinks get the record all the same. */
static void post_without_place(struct writing *writing)
{
    struct batch *batch = writing->batch;
    struct sink_record record;
    const struct file_record draft = {.event = writing->event,
                                      .body = batch->body.data,
                                      .body_length = batch->body.length,
                                      .id = writing->id,
                                      .repeats = 1};

    if (log_store_line(&draft, 0, &batch->line, &record)) {
        batch_add(batch, &record);
    } else {
        batch->dropped++;
        batch->last_dropped = true;
    }
}

/* Without the lock, so that others write while the disk works. A record that is not known to be
 * durable counts as lost, though it may be there. */
static bool sync_all(struct audit *audit, struct batch *batch)
{
    enum audit_loss loss;

    if (batch->sync_through == 0 || log_store_sync(&audit->store, batch->sync_through, &loss)) {
        return true;
    }
    loss_note(&audit->losses, SINK_FILE, loss, audit_now());
    return false;
}

/* Losses of the sinks were noted after the lock was released. They go to the state now, where a
 * kill of this process does not take them away. */
static void fold_rest(struct audit *audit)
{
    enum audit_loss unused;

    if (atomic_load(&audit->losses.waiting) && log_store_lock(&audit->store, &unused)) {
        fold(audit);
        log_store_unlock(&audit->store);
    }
}

/* What the caller of audit_write() must know of a record that has its place. */
struct result {
    bool synced;
    struct delivery delivery;
};

/* The sinks first: they work while other threads add to the file what one fdatasync(2) then
 * serves. */
static struct result hand_out(struct audit *audit, struct batch *batch)
{
    struct result result = {.delivery = {.required = true}};

    if (batch->out_count > 0 || batch->dropped > 0) {
        result.delivery = sinks_deliver(audit, batch);
    }
    result.synced = sync_all(audit, batch);
    return result;
}

/* The call fails and so the refusal was not recorded: identical ones must not be counted behind
 * it. */
static void cancel_window(struct writing *writing)
{
    struct audit *audit = writing->audit;
    enum audit_loss unused;

    if (writing->key != NULL && log_store_lock(&audit->store, &unused)) {
        repeat_cancel(log_store_state(&audit->store), writing->key,
                      atomic_load(&audit->process.entity));
        log_store_unlock(&audit->store);
    }
}

/* The record could not even be encoded: no sink has it, and each counts it. */
static void lose_everywhere(struct audit *audit, enum audit_loss cause)
{
    int64_t now = audit_now();

    if (audit->pool.has_file) {
        loss_note(&audit->losses, SINK_FILE, cause, now);
    }
    sinks_lose(audit, cause, now);
    fold_rest(audit);
}

/* One record from encoding to the answer. AUDIT_FAILED follows from the sinks that must have it
 * alone; the id is given when any sink has it, so that a reader can find it. */
static enum miguard_status write_whole(struct writing *writing, char ret_id[AUDIT_ID_SIZE])
{
    struct audit *audit = writing->audit;
    struct batch *batch = writing->batch;
    struct audit_stamp stamp = stamp_without_number(&audit->process);

    stamp.now = writing->batch->now;
    audit_encode_body(&batch->body, writing->event, &stamp);
    if (batch->body.failed) {
        lose_everywhere(audit, AUDIT_LOSS_NO_MEMORY);
        return MIGUARD_AUDIT_FAILED;
    }
    enum outcome outcome = place(writing);
    if (outcome == NOT_PLACED && audit->pool.has_sinks) {
        post_without_place(writing);
    }
    struct result result = hand_out(audit, batch);
    fold_rest(audit);
    if (outcome == COUNTED) {
        memcpy(ret_id, writing->id, AUDIT_ID_SIZE);
        return MIGUARD_OK;
    }
    bool in_file =
        outcome == PLACED && (result.synced || !batch_wants_sync(&audit->pool, writing->event));
    if (outcome == PLACED || result.delivery.any) {
        memcpy(ret_id, writing->id, AUDIT_ID_SIZE);
    }
    if ((audit->file_denies && !in_file) || !result.delivery.required) {
        cancel_window(writing);
        return MIGUARD_AUDIT_FAILED;
    }
    return MIGUARD_OK;
}

/* The short way of a flood: no encoding, and nothing written. */
static bool count_only(struct writing *writing, char ret_id[AUDIT_ID_SIZE])
{
    struct audit *audit = writing->audit;
    enum audit_loss unused;

    if (!repeat_likely(&audit->repeats, writing->key) || !log_store_lock(&audit->store, &unused)) {
        return false;
    }
    bool counted = count_one(writing, ret_id);
    log_store_unlock(&audit->store);
    if (counted) {
        (void)hand_out(audit, writing->batch);
    }
    return counted;
}

/* From here on the refusal is one of those that vary: its run is that of its source. */
static void take_as_varied(struct writing *writing, struct audit_event *varied)
{
    *varied = *writing->event;
    varied->varied = true;
    writing->event = varied;
    writing->key = writing->source;
}

/* True: it is counted, and nothing is to be written. */
static bool group(struct writing *writing, struct audit_event *varied, char ret_id[AUDIT_ID_SIZE])
{
    struct repeats *repeats = &writing->audit->repeats;

    if (count_only(writing, ret_id)) {
        return true;
    }
    if (!repeat_source_varied(repeats, writing->source, writing->batch->now)) {
        return false;
    }
    take_as_varied(writing, varied);
    return count_only(writing, ret_id);
}

/* Only refusals are grouped: an allowed call is recorded because a policy wants each of them.
 * closing writes the counts of this process that are still open. */
static enum miguard_status write_event(struct audit *audit, const struct audit_event *event,
                                       bool closing, char ret_id[AUDIT_ID_SIZE])
{
    struct digest key, source;
    struct audit_event varied;
    struct writing writing = {.audit = audit, .event = event, .closing = closing};
    enum miguard_status status = MIGUARD_OK;

    writing.batch = batch_take(&audit->pool);
    if (writing.batch == NULL) {
        lose_everywhere(audit, AUDIT_LOSS_NO_MEMORY);
        return MIGUARD_AUDIT_FAILED;
    }
    if (audit->repeats.window > 0 && event->denied) {
        struct audit_memory *memory = &audit->process.memory;
        const struct repeat_who who = {memory_digest(memory, event->bound),
                                       memory_digest(memory, event->current)};
        key = repeat_key(&memory->key, event, &who);
        source = repeat_source_key(&memory->key, event, &who);
        writing.key = &key;
        writing.source = &source;
    }
    if (writing.key == NULL || !group(&writing, &varied, ret_id)) {
        status = write_whole(&writing, ret_id);
        atomic_store_explicit(&audit->background.last_written, writing.batch->now,
                              memory_order_relaxed);
    }
    batch_give(writing.batch);
    return status;
}

enum miguard_status audit_write_id(struct audit *audit, const struct audit_event *event,
                                   char ret_id[AUDIT_ID_SIZE])
{
    sigset_t before;

    ret_id[0] = '\0';
    if (process_is_stuck()) {
        return MIGUARD_AUDIT_FAILED;
    }
    note_process(audit);
    /* A handler of the program that came in between could end in siglongjmp(3), and leave the log
     * locked. Not what glibc needs for setuid(3): that waits for this thread. */
    bool muted = process_mute(&before);
    write_signals_muted(muted ? &before : NULL);
    enum miguard_status status = write_event(audit, event, false, ret_id);
    write_signals_muted(NULL);
    if (muted) {
        process_unmute(&before);
    }
    background_offer(&audit->background);
    return status;
}

/* For callers that give no decision id to their own. */
enum miguard_status audit_write(struct audit *audit, const struct audit_event *event)
{
    char id[AUDIT_ID_SIZE];
    return audit_write_id(audit, event, id);
}

/* For the background thread: ended windows, losses that wait to be reported, the file. It runs with
 * the identity that opened the log, and so may open files. */
static void write_due(struct audit *audit)
{
    struct batch *batch = batch_take(&audit->pool);
    struct writing writing = {.audit = audit, .batch = batch};
    enum audit_loss unused;

    if (batch == NULL) {
        return;
    }
    log_store_maintain(&audit->store, batch);
    if (log_store_lock(&audit->store, &unused)) {
        (void)!settle(&writing, &unused);
        log_store_unlock(&audit->store);
    }
    (void)hand_out(audit, batch);
    fold_rest(audit);
    batch_give(batch);
}

/* ---- opening and closing --------------------------------------------------------------------- */

/* The policy's reader has checked the same; a caller in C may not have. */
static enum miguard_status check_settings(const struct audit_settings *settings,
                                          struct miguard_error *reterr)
{
    bool seen[SINK_KIND_COUNT] = {false};

    if (settings == NULL || settings->sink_count == 0 || settings->sinks == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "open", "the log has no sink");
    }
    for (size_t i = 0; i < settings->sink_count; i++) {
        const struct sink_settings *sink = &settings->sinks[i];
        if ((unsigned)sink->kind >= SINK_KIND_COUNT) {
            return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "open", "invalid sink %d",
                             (int)sink->kind);
        }
        if (seen[sink->kind]) {
            return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "open",
                             "two sinks are a %s: what each lost could not be counted apart",
                             sink_kinds[sink->kind].name);
        }
        seen[sink->kind] = true;
        if (sink->kind == SINK_FILE && (sink->path == NULL || *sink->path == '\0')) {
            return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "open",
                             "the audit file has no name");
        }
    }
    return MIGUARD_OK;
}

/* All parts without any sink. NULL: out of memory, and nothing is left. */
static struct audit *make_audit(const struct audit_settings *settings)
{
    struct audit *audit = base_alloc(1, sizeof(*audit));

    if (audit == NULL || !names_init(&audit->process.names, background_offer_names,
                                     background_is_alone, &audit->background)) {
        base_free(audit);
        return NULL;
    }
    pthread_mutex_init(&audit->process_lock, NULL);
    losses_init(&audit->losses);
    background_init(&audit->background, &audit->store, &audit->process.names, write_due, audit);
    batch_pool_init(&audit->pool);
    audit->repeats.window = (int64_t)settings->repeat_seconds * SECOND;
    stamp_init(&audit->process);
    return audit;
}

/* Everything but the store, which audit_open() may not have opened. */
static void release_audit(struct audit *audit)
{
    sinks_close(audit);
    stamp_destroy(&audit->process);
    names_destroy(&audit->process.names);
    batch_pool_destroy(&audit->pool);
    background_destroy(&audit->background);
    losses_destroy(&audit->losses);
    pthread_mutex_destroy(&audit->process_lock);
    base_free(audit);
}

/* NULL: the log has no file. check_settings() has made sure that there is one at most. */
static const struct sink_settings *file_of(const struct audit_settings *settings)
{
    for (size_t i = 0; i < settings->sink_count; i++) {
        if (settings->sinks[i].kind == SINK_FILE) {
            return &settings->sinks[i];
        }
    }
    return NULL;
}

/* The pool learns from the settings of the file which records must be synced. */
static enum miguard_status open_store(struct audit *audit, const struct sink_settings *file,
                                      struct miguard_error *reterr)
{
    struct batch *first = batch_take(&audit->pool);

    if (first == NULL) { /* found here, and not by the first record */
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    batch_give(first);
    if (file != NULL) {
        audit->pool.has_file = true;
        audit->pool.sync = file->sync;
        audit->file_denies = file->failure_denies;
    }
    return log_store_open(&audit->store, file, &audit->process, reterr);
}

/* *ret_audit is set when audit-start is where it must be, and not before: no call is allowed on the
 * strength of a log that takes no records. */
enum miguard_status audit_open(const struct audit_settings *settings, struct audit **ret_audit,
                               struct miguard_error *reterr)
{
    struct audit_event start = {.action = AUDIT_ACTION_AUDIT_START};
    char id[AUDIT_ID_SIZE];

    enum miguard_status status = check_settings(settings, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    if (!chain_init()) {
        return error_set(reterr, MIGUARD_SYSTEM, 0, "open", "libsodium cannot start");
    }
    start.policy_hash = settings->policy_hash;
    struct audit *audit = make_audit(settings);
    if (audit == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    status = sinks_open(audit, settings, reterr);
    if (status == MIGUARD_OK) {
        status = open_store(audit, file_of(settings), reterr);
    }
    if (status != MIGUARD_OK) {
        release_audit(audit);
        return status;
    }
    if (write_event(audit, &start, false, id) != MIGUARD_OK) {
        log_store_close(&audit->store);
        release_audit(audit);
        return error_set(reterr, MIGUARD_AUDIT_FAILED, 0, "write",
                         "the first record cannot be written");
    }
    *ret_audit = audit;
    return MIGUARD_OK;
}

/* A forked child that wrote nothing has nothing to say. */
static void write_stop(struct audit *audit)
{
    const struct audit_tally tally = {.written = atomic_load(&audit->pool.written),
                                      .lost = atomic_load(&audit->losses.noted)};
    const struct audit_event stop = {.action = AUDIT_ACTION_AUDIT_STOP, .tally = &tally};
    char id[AUDIT_ID_SIZE];

    if (tally.written > 0 || tally.lost > 0) {
        (void)!write_event(audit, &stop, true, id);
    }
}

/* The background thread ends first, the last record needs the store, and names may still be asked
 * for it. */
void audit_close(struct audit *audit)
{
    if (audit == NULL) {
        return;
    }
    note_process(audit);
    background_stop(&audit->background);
    write_stop(audit);
    names_stop(&audit->process.names);
    log_store_close(&audit->store);
    release_audit(audit);
}

/* Not the background thread: that one starts after the next record. */
void audit_offer(struct audit *audit)
{
    note_process(audit);
    background_offer_names(&audit->background);
}

/* ---- without threads ---------------------------------------------------------------------------
 */

/* The background thread first: it may be about to hand a record to a sink. */
void audit_pause(struct audit *audit)
{
    note_process(audit);
    background_pause(&audit->background);
    names_stop(&audit->process.names);
    sinks_pause(audit);
}

/* The sinks first: the background thread may have records for them at once. */
void audit_resume(struct audit *audit)
{
    sinks_resume(audit);
    background_resume(&audit->background);
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* In the order in which they are taken elsewhere. */
void audit_lock(struct audit *audit)
{
    fork_take(&audit->process_lock);
    fork_take(&audit->background.lock);
    sinks_lock(audit);
    log_store_fork_lock(&audit->store);
    fork_take(&audit->losses.lock);
    fork_take(&audit->pool.lock);
    names_lock(&audit->process.names);
    memory_lock(&audit->process.memory);
}

/* In the opposite order. What a child must forget is forgotten with its first record
 * (note_process()), but for what the store's own locks guard. */
void audit_unlock(struct audit *audit, bool child)
{
    memory_unlock(&audit->process.memory);
    names_unlock(&audit->process.names);
    pthread_mutex_unlock(&audit->pool.lock);
    pthread_mutex_unlock(&audit->losses.lock);
    log_store_fork_unlock(&audit->store, child);
    sinks_unlock(audit);
    pthread_mutex_unlock(&audit->background.lock);
    pthread_mutex_unlock(&audit->process_lock);
}
