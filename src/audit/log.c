/* SPDX-License-Identifier: MIT */
/*
 * One record's way: a refusal that is being counted is counted and that is all. Any other is
 * encoded without a lock, gets its place in the file under the lock of all writers, then goes to
 * the other sinks, each under its own lock, and is waited for on the disk where it has to be.
 */
#include <string.h>

#include "audit/core.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "identity/read.h"

enum { SECOND = 1000000000 };

/* One call of audit_write_id(). */
struct writing {
    struct audit *audit;
    struct scratch *scratch;
    const struct audit_event *event;
    const struct digest *key; /* NULL: not to be grouped */
    int64_t now;
    bool closing;
    char id[AUDIT_ID_SIZE];
};

enum outcome { NOT_PLACED, PLACED, COUNTED };

/* ---- who writes ----------------------------------------------------------------------------- */

struct audit_stamp log_stamp(struct audit *audit)
{
    return (struct audit_stamp){
        .entity = atomic_load_explicit(&audit->entity, memory_order_relaxed),
        .number = process_next_number(),
        .names = &audit->names,
        .process = &audit->process,
        .host_name = audit->host.nodename,
        .boot_id = audit->boot_id,
        .memory = &audit->memory,
    };
}

static void new_id(struct audit *audit, char ret_id[AUDIT_ID_SIZE])
{
    const struct audit_stamp stamp = log_stamp(audit);
    audit_id(&stamp, ret_id);
}

static void read_boot_id(char boot_id[64])
{
    if (read_proc_file("/proc/sys/kernel/random/boot_id", boot_id, 64) < 0) {
        boot_id[0] = '\0';
    }
    boot_id[strcspn(boot_id, "\n")] = '\0';
}

static void read_process(struct audit *audit, uint64_t entity)
{
    struct text *origin = &audit->memory.origin;
    struct audit_stamp stamp = {
        .entity = entity,
        .process = &audit->process,
        .host_name = audit->host.nodename,
        .boot_id = audit->boot_id,
    };

    identity_read_process(&audit->process);
    text_clear(origin);
    audit_encode_origin(origin, &stamp);
    if (origin->failed) {
        text_release(origin); /* then it is made with each record */
    }
    atomic_store(&audit->entity, entity);
}

/* A forked child writes to the same log under a name of its own. */
static void note_process(struct audit *audit)
{
    uint64_t entity = process_epoch();

    if (atomic_load_explicit(&audit->entity, memory_order_acquire) == entity) {
        return;
    }
    pthread_mutex_lock(&audit->process_lock);
    if (atomic_load(&audit->entity) != entity) {
        atomic_store(&audit->written, 0);
        losses_forget(&audit->losses, ledger_state(&audit->ledger));
        keeper_forget(audit);
        names_forget(&audit->names);
        read_process(audit, entity);
    }
    pthread_mutex_unlock(&audit->process_lock);
}

/* ---- under the lock -------------------------------------------------------------------------- */

void log_fold(struct audit *audit)
{
    loss_fold(&audit->losses, ledger_state(&audit->ledger));
}

static bool wants_sync(const struct audit *audit, const struct audit_event *event)
{
    if (!audit->has_file || audit->sync == AUDIT_SYNC_NONE) {
        return false;
    }
    return audit->sync == AUDIT_SYNC_ALL || event->denied ||
           event->action <= AUDIT_ACTION_AUDIT_SPACE || /* the log about itself */
           event->action == AUDIT_ACTION_STATE_SET_ASIDE;
}

static void note_placed(struct audit *audit, struct scratch *scratch,
                        const struct sink_record *record)
{
    atomic_fetch_add_explicit(&audit->written, 1, memory_order_relaxed);
    if (audit->has_outlets) {
        scratch_post(scratch, record);
    }
    if (wants_sync(audit, record->event)) {
        scratch->sync_through = record->sequence;
    }
}

void log_encode(void *context, const struct audit_event *event, struct text *ret_body,
                char ret_id[AUDIT_ID_SIZE])
{
    const struct audit_stamp stamp = log_stamp(context);
    audit_encode_body(ret_body, event, &stamp);
    audit_id(&stamp, ret_id);
}

/* The file wrote one by itself, in some call of ours. */
static void log_written(void *context, const struct sink_record *record)
{
    struct scratch *scratch = scratch_at_work();
    if (scratch != NULL) {
        note_placed(context, scratch, record);
    }
}

static bool append(struct audit *audit, struct scratch *scratch, const struct file_record *record,
                   enum audit_loss *ret_loss)
{
    struct sink_record placed;

    if (!ledger_append(&audit->ledger, record, &scratch->line, &placed, ret_loss)) {
        return false;
    }
    note_placed(audit, scratch, &placed);
    return true;
}

/* What the file lacks is told by the first record that it takes again; file_append() takes it off
 * what is pending. */
static bool write_gap(struct audit *audit, struct scratch *scratch, enum audit_loss *ret_loss)
{
    struct text body = TEXT_EMPTY;
    struct audit_lost lost;
    char id[AUDIT_ID_SIZE];

    if (!loss_tell(ledger_state(&audit->ledger), SINK_FILE, &lost)) {
        return true;
    }
    const struct audit_event gap = {.action = AUDIT_ACTION_RECORDS_LOST, .lost = &lost};
    log_encode(audit, &gap, &body, id);
    const struct file_record record = {
        .event = &gap, .body = body.data, .body_length = body.length, .id = id, .repeats = 1};
    *ret_loss = AUDIT_LOSS_NO_MEMORY;
    bool written = !body.failed && append(audit, scratch, &record, ret_loss);
    text_release(&body);
    return written;
}

static bool write_repeats(void *context, const struct file_record *record)
{
    struct writing *writing = context;
    enum audit_loss unused;
    return append(writing->audit, writing->scratch, record, &unused);
}

/* All that comes before the next record. */
static bool settle(struct writing *writing, enum audit_loss *ret_loss)
{
    struct audit *audit = writing->audit;
    struct log_state *state = ledger_state(&audit->ledger);

    log_fold(audit);
    bool settled = write_gap(audit, writing->scratch, ret_loss);
    if (settled && (writing->closing || repeat_due(&audit->repeats, state, writing->now))) {
        uint64_t mine = writing->closing ? atomic_load(&audit->entity) : 0;
        repeat_flush(&audit->repeats, state, writing->now, mine, write_repeats, writing);
    }
    for (enum sink_kind kind = 0; audit->has_outlets && kind < SINK_KIND_COUNT; kind++) {
        writing->scratch->behind[kind] = loss_waits(state, kind);
    }
    return settled;
}

static bool count_one(const struct writing *writing, char ret_id[AUDIT_ID_SIZE])
{
    struct audit *audit = writing->audit;
    struct log_state *state = ledger_state(&audit->ledger);
    struct state_repeat *slot = repeat_find(&audit->repeats, state, writing->key,
                                            atomic_load(&audit->entity), writing->now);
    if (slot == NULL) {
        return false;
    }
    if (slot->count == 0) {
        new_id(audit, slot->id);
    }
    repeat_count(&audit->repeats, state, slot, writing->now, ret_id);
    return true;
}

static enum outcome place_locked(struct writing *writing, enum audit_loss *ret_loss)
{
    struct audit *audit = writing->audit;
    const struct text *body = &writing->scratch->body;

    bool settled = settle(writing, ret_loss);
    /* Another thread may have begun the window while this one was encoding. */
    if (writing->key != NULL && count_one(writing, writing->id)) {
        return COUNTED;
    }
    new_id(audit, writing->id); /* a record that is lost had one, too */
    const struct file_record record = {.event = writing->event,
                                       .body = body->data,
                                       .body_length = body->length,
                                       .id = writing->id,
                                       .repeats = 1};
    if (!settled || !append(audit, writing->scratch, &record, ret_loss)) {
        return NOT_PLACED;
    }
    if (writing->key != NULL) {
        repeat_begin(&audit->repeats, ledger_state(&audit->ledger), writing->key,
                     atomic_load(&audit->entity), writing->now, &record);
    }
    return PLACED;
}

static enum outcome place(struct writing *writing)
{
    struct audit *audit = writing->audit;
    enum audit_loss loss = AUDIT_LOSS_BUSY;
    enum outcome outcome = NOT_PLACED;

    bool locked = ledger_lock(&audit->ledger, &loss);
    if (locked) {
        outcome = place_locked(writing, &loss);
    } else {
        new_id(audit, writing->id);
    }
    if (outcome == NOT_PLACED && audit->has_file) {
        loss_note(&audit->losses, SINK_FILE, loss, writing->now);
    }
    if (locked) {
        log_fold(audit);
        ledger_unlock(&audit->ledger);
    }
    return outcome;
}

/* ---- after it -------------------------------------------------------------------------------- */

/* The other sinks get the record all the same. */
static void post_without_place(struct writing *writing)
{
    struct scratch *scratch = writing->scratch;
    struct sink_record record;
    const struct file_record draft = {.event = writing->event,
                                      .body = scratch->body.data,
                                      .body_length = scratch->body.length,
                                      .id = writing->id,
                                      .repeats = 1};

    if (ledger_line(&draft, 0, &scratch->line, &record)) {
        scratch_post(scratch, &record);
    } else {
        scratch->dropped++;
        scratch->last_dropped = true;
    }
}

static bool sync_all(struct audit *audit, struct scratch *scratch)
{
    enum audit_loss loss;

    if (scratch->sync_through == 0 || ledger_sync(&audit->ledger, scratch->sync_through, &loss)) {
        return true;
    }
    loss_note(&audit->losses, SINK_FILE, loss, audit_now());
    return false;
}

static void fold_rest(struct audit *audit)
{
    enum audit_loss unused;

    if (atomic_load(&audit->losses.waiting) && ledger_lock(&audit->ledger, &unused)) {
        log_fold(audit);
        ledger_unlock(&audit->ledger);
    }
}

struct result {
    bool synced;
    struct delivery delivery;
};

static struct result hand_out(struct audit *audit, struct scratch *scratch)
{
    struct result result = {.delivery = {.required = true}};

    if (scratch->out_count > 0 || scratch->dropped > 0) {
        result.delivery = outlets_deliver(audit, scratch);
    }
    result.synced = sync_all(audit, scratch);
    return result;
}

static void cancel_window(struct writing *writing)
{
    struct audit *audit = writing->audit;
    enum audit_loss unused;

    if (writing->key != NULL && ledger_lock(&audit->ledger, &unused)) {
        repeat_cancel(ledger_state(&audit->ledger), writing->key, atomic_load(&audit->entity));
        ledger_unlock(&audit->ledger);
    }
}

static void lose_everywhere(struct audit *audit, enum audit_loss cause)
{
    int64_t now = audit_now();

    if (audit->has_file) {
        loss_note(&audit->losses, SINK_FILE, cause, now);
    }
    outlets_lose(audit, cause, now);
    fold_rest(audit);
}

static enum miguard_status write_whole(struct writing *writing, char ret_id[AUDIT_ID_SIZE])
{
    struct audit *audit = writing->audit;
    struct scratch *scratch = writing->scratch;
    struct audit_stamp stamp = {.names = &audit->names,
                                .entity = atomic_load(&audit->entity),
                                .process = &audit->process,
                                .host_name = audit->host.nodename,
                                .boot_id = audit->boot_id,
                                .memory = &audit->memory};

    audit_encode_body(&scratch->body, writing->event, &stamp);
    if (scratch->body.failed) {
        lose_everywhere(audit, AUDIT_LOSS_NO_MEMORY);
        return MIGUARD_AUDIT_FAILED;
    }
    enum outcome outcome = place(writing);
    if (outcome == NOT_PLACED && audit->has_outlets) {
        post_without_place(writing);
    }
    struct result result = hand_out(audit, scratch);
    fold_rest(audit);
    if (outcome == COUNTED) {
        memcpy(ret_id, writing->id, AUDIT_ID_SIZE);
        return MIGUARD_OK;
    }
    bool in_file = outcome == PLACED && (result.synced || !wants_sync(audit, writing->event));
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

    if (!repeat_likely(&audit->repeats, writing->key) || !ledger_lock(&audit->ledger, &unused)) {
        return false;
    }
    bool counted = count_one(writing, ret_id);
    ledger_unlock(&audit->ledger);
    if (counted) {
        (void)hand_out(audit, writing->scratch);
    }
    return counted;
}

static enum miguard_status write_event(struct audit *audit, const struct audit_event *event,
                                       bool closing, char ret_id[AUDIT_ID_SIZE])
{
    struct digest key;
    struct writing writing = {
        .audit = audit, .event = event, .now = audit_now(), .closing = closing};
    enum miguard_status status = MIGUARD_OK;

    writing.scratch = scratch_take(&audit->pool);
    if (writing.scratch == NULL) {
        lose_everywhere(audit, AUDIT_LOSS_NO_MEMORY);
        return MIGUARD_AUDIT_FAILED;
    }
    if (audit->repeats.window > 0 && event->denied) {
        key = repeat_key(&audit->memory.key, event);
        writing.key = &key;
    }
    if (writing.key == NULL || !count_only(&writing, ret_id)) {
        status = write_whole(&writing, ret_id);
        atomic_store_explicit(&audit->last_written, writing.now, memory_order_relaxed);
    }
    scratch_give(&audit->pool, writing.scratch);
    return status;
}

enum miguard_status audit_write_id(struct audit *audit, const struct audit_event *event,
                                   char ret_id[AUDIT_ID_SIZE])
{
    sigset_t before;

    ret_id[0] = '\0';
    note_process(audit);
    keeper_offer_names(audit);
    /* A handler of the program that came in between could end in siglongjmp(3), and leave the log
     * locked for good. Not what glibc needs for setuid(3): that waits for this thread. */
    bool muted = process_mute(&before);
    enum miguard_status status = write_event(audit, event, false, ret_id);
    if (muted) {
        process_unmute(&before);
    }
    keeper_offer(audit);
    return status;
}

enum miguard_status audit_write(struct audit *audit, const struct audit_event *event)
{
    char id[AUDIT_ID_SIZE];
    return audit_write_id(audit, event, id);
}

void log_tick(struct audit *audit)
{
    struct scratch *scratch = scratch_take(&audit->pool);
    struct writing writing = {.audit = audit, .scratch = scratch, .now = audit_now()};
    enum audit_loss unused;

    if (scratch == NULL) {
        return;
    }
    ledger_maintain(&audit->ledger);
    if (ledger_lock(&audit->ledger, &unused)) {
        (void)!settle(&writing, &unused);
        ledger_unlock(&audit->ledger);
    }
    (void)hand_out(audit, scratch);
    fold_rest(audit);
    scratch_give(&audit->pool, scratch);
}

/* ---- opening and closing --------------------------------------------------------------------- */

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
            return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "open", "there is no sink %d",
                             (int)sink->kind);
        }
        if (seen[sink->kind]) {
            return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "open",
                             "two sinks are a %s: what each of them lost could not be told apart",
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

static struct audit *make_audit(const struct audit_settings *settings)
{
    struct audit *audit = base_alloc(1, sizeof(*audit));

    if (audit == NULL || !names_init(&audit->names, keeper_is_alone, audit)) {
        base_free(audit);
        return NULL;
    }
    pthread_mutex_init(&audit->process_lock, NULL);
    losses_init(&audit->losses);
    keeper_init(&audit->keeper);
    scratch_pool_init(&audit->pool);
    memory_init(&audit->memory);
    audit->repeats.window = (int64_t)settings->repeat_seconds * SECOND;
    uname(&audit->host);
    read_boot_id(audit->boot_id);
    read_process(audit, process_epoch());
    return audit;
}

static void release_audit(struct audit *audit)
{
    outlets_close(audit);
    memory_destroy(&audit->memory);
    names_destroy(&audit->names);
    scratch_pool_destroy(&audit->pool);
    keeper_destroy(&audit->keeper);
    losses_destroy(&audit->losses);
    pthread_mutex_destroy(&audit->process_lock);
    base_free(audit);
}

static const struct sink_settings *file_of(const struct audit_settings *settings)
{
    for (size_t i = 0; i < settings->sink_count; i++) {
        if (settings->sinks[i].kind == SINK_FILE) {
            return &settings->sinks[i];
        }
    }
    return NULL;
}

/* What the file writes while it is opened (what an earlier writer left) goes to all sinks. */
static enum miguard_status open_ledger(struct audit *audit, const struct sink_settings *file,
                                       struct miguard_error *reterr)
{
    const struct file_owner owner = {audit, log_encode, log_written};
    struct scratch *scratch = scratch_take(&audit->pool);

    if (scratch == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    if (file != NULL) {
        audit->has_file = true;
        audit->file_denies = file->failure_denies;
        audit->sync = file->sync;
    }
    enum miguard_status status = ledger_open(&audit->ledger, file, &owner, reterr);
    if (status == MIGUARD_OK) {
        (void)hand_out(audit, scratch);
    }
    scratch_give(&audit->pool, scratch);
    return status;
}

enum miguard_status audit_open(const struct audit_settings *settings, struct audit **ret_audit,
                               struct miguard_error *reterr)
{
    const struct audit_event start = {.action = AUDIT_ACTION_AUDIT_START};
    char id[AUDIT_ID_SIZE];

    enum miguard_status status = check_settings(settings, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    if (!chain_init()) {
        return error_set(reterr, MIGUARD_SYSTEM, 0, "open", "libsodium cannot start");
    }
    struct audit *audit = make_audit(settings);
    if (audit == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    status = outlets_open(audit, settings, reterr);
    if (status == MIGUARD_OK) {
        status = open_ledger(audit, file_of(settings), reterr);
    }
    if (status != MIGUARD_OK) {
        release_audit(audit);
        return status;
    }
    if (write_event(audit, &start, false, id) != MIGUARD_OK) {
        ledger_close(&audit->ledger);
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
    const struct audit_tally tally = {.written = atomic_load(&audit->written),
                                      .lost = atomic_load(&audit->losses.noted)};
    const struct audit_event stop = {.action = AUDIT_ACTION_AUDIT_STOP, .tally = &tally};
    char id[AUDIT_ID_SIZE];

    if (tally.written > 0 || tally.lost > 0) {
        (void)!write_event(audit, &stop, true, id);
    }
}

void audit_close(struct audit *audit)
{
    if (audit == NULL) {
        return;
    }
    note_process(audit);
    keeper_stop(audit);
    write_stop(audit);
    names_stop(&audit->names);
    ledger_close(&audit->ledger);
    release_audit(audit);
}

void audit_offer(struct audit *audit)
{
    note_process(audit);
    keeper_offer_names(audit);
}

/* ---- without threads ---------------------------------------------------------------------------
 */

/* The keeper first: it may be about to hand a record to a sink. */
void audit_pause(struct audit *audit)
{
    note_process(audit);
    keeper_pause(audit);
    names_stop(&audit->names);
    outlets_pause(audit);
}

void audit_resume(struct audit *audit)
{
    outlets_resume(audit);
    keeper_resume(audit);
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* In the order in which they are taken elsewhere. */
void audit_lock(struct audit *audit)
{
    pthread_mutex_lock(&audit->process_lock);
    pthread_mutex_lock(&audit->keeper.lock);
    outlets_lock(audit);
    ledger_fork_lock(&audit->ledger);
    pthread_mutex_lock(&audit->losses.lock);
    pthread_mutex_lock(&audit->pool.lock);
    names_lock(&audit->names);
    memory_lock(&audit->memory);
}

void audit_unlock(struct audit *audit, bool child)
{
    memory_unlock(&audit->memory);
    names_unlock(&audit->names);
    pthread_mutex_unlock(&audit->pool.lock);
    pthread_mutex_unlock(&audit->losses.lock);
    ledger_fork_unlock(&audit->ledger, child);
    outlets_unlock(audit);
    pthread_mutex_unlock(&audit->keeper.lock);
    pthread_mutex_unlock(&audit->process_lock);
}
