/* SPDX-License-Identifier: MIT */
/* Opens the sinks beside the file and delivers each batch of records to them; called by log.c. A
 * sink that fails does not hold up the others. */
#include <string.h>

#include "audit/core.h"
#include "base/alloc.h"
#include "base/fork.h"

/* A sink that cannot be opened is tried once a second, not with each record of a flood. */
enum { REOPEN_NANOSECONDS = 1000000000 };

/* NULL for the file, which is not a sink of this kind. */
static const struct sink_ops *const ops_of[SINK_KIND_COUNT] = {
#define OPS_OF(NAME, name, ops, ...) [SINK_##NAME] = &sink_##ops,
    SINK_BESIDE_FILE_MAP(OPS_OF)
#undef OPS_OF
};

/* A sink that may not fail must open at once. Any other is tried again with later records, unless
 * its settings can never be right. */
static enum miguard_status open_slot(struct sink_slot *slot, const struct sink_settings *settings,
                                     struct miguard_error *reterr)
{
    pthread_mutex_init(&slot->lock, NULL);
    slot->ops = ops_of[settings->kind];
    slot->settings = *settings;
    slot->path = base_copy_text(settings->path);
    slot->settings.path = slot->path;
    if (settings->path != NULL && slot->path == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    enum miguard_status status = slot->ops->open(&slot->settings, &slot->sink, reterr);
    if (status != MIGUARD_OK) {
        slot->sink = NULL;
    }
    return status == MIGUARD_SYSTEM && !settings->failure_denies ? MIGUARD_OK : status;
}

enum miguard_status sinks_open(struct audit *audit, const struct audit_settings *settings,
                               struct miguard_error *reterr)
{
    enum miguard_status status = MIGUARD_OK;

    for (size_t i = 0; i < settings->sink_count && status == MIGUARD_OK; i++) {
        const struct sink_settings *sink = &settings->sinks[i];
        if (sink->kind != SINK_FILE) {
            audit->pool.has_sinks = true;
            status = open_slot(&audit->sinks[sink->kind], sink, reterr);
        }
    }
    return status;
}

/* A slot without ops was never opened, and has no lock to be destroyed. */
void sinks_close(struct audit *audit)
{
    for (int kind = 0; kind < SINK_KIND_COUNT; kind++) {
        struct sink_slot *slot = &audit->sinks[kind];
        if (slot->ops == NULL) {
            continue;
        }
        if (slot->sink != NULL) {
            slot->ops->close(slot->sink);
        }
        base_free(slot->path);
        text_release(&slot->line);
        pthread_mutex_destroy(&slot->lock);
    }
}

/* In the order of the kinds, as sinks_pause() takes those that it holds. */
void sinks_lock(struct audit *audit)
{
    for (int kind = 0; kind < SINK_KIND_COUNT; kind++) {
        if (audit->sinks[kind].ops != NULL) {
            fork_take(&audit->sinks[kind].lock);
        }
    }
}

void sinks_unlock(struct audit *audit)
{
    for (int kind = SINK_KIND_COUNT - 1; kind >= 0; kind--) {
        if (audit->sinks[kind].ops != NULL) {
            pthread_mutex_unlock(&audit->sinks[kind].lock);
        }
    }
}

/* A paused sink stays locked: a caller with a record for it waits, and starts no thread. */
void sinks_pause(struct audit *audit)
{
    for (int kind = 0; kind < SINK_KIND_COUNT; kind++) {
        struct sink_slot *slot = &audit->sinks[kind];
        if (slot->ops == NULL || slot->ops->pause == NULL) {
            continue;
        }
        pthread_mutex_lock(&slot->lock);
        if (slot->sink != NULL) {
            slot->ops->pause(slot->sink);
        }
    }
}

void sinks_resume(struct audit *audit)
{
    for (int kind = SINK_KIND_COUNT - 1; kind >= 0; kind--) {
        if (audit->sinks[kind].ops != NULL && audit->sinks[kind].ops->pause != NULL) {
            pthread_mutex_unlock(&audit->sinks[kind].lock);
        }
    }
}

/* The file counts its own losses (log.c). */
void sinks_lose(struct audit *audit, enum audit_loss cause, int64_t now)
{
    for (enum sink_kind kind = 0; kind < SINK_KIND_COUNT; kind++) {
        if (audit->sinks[kind].ops != NULL) {
            loss_note(&audit->losses, kind, cause, now);
        }
    }
}

/* ---- one sink; under its lock ------------------------------------------------------------- */

/* A clock that was set back must not stop the tries: then it is tried at once. */
static bool is_open(struct sink_slot *slot)
{
    int64_t now = audit_now();

    if (slot->sink == NULL && (now < slot->tried || now - slot->tried > REOPEN_NANOSECONDS)) {
        slot->tried = now;
        if (slot->ops->open(&slot->settings, &slot->sink, NULL) != MIGUARD_OK) {
            slot->sink = NULL;
        }
    }
    return slot->sink != NULL;
}

/* One record to one sink, opened first where that is due. */
static bool put(struct sink_slot *slot, const struct sink_record *record, enum audit_loss *ret_loss)
{
    if (!is_open(slot)) {
        *ret_loss = AUDIT_LOSS_UNREACHABLE;
        return false;
    }
    return slot->ops->write(slot->sink, record, ret_loss);
}

/* With the lock of the log for a moment, under the sink's: the order that core.h gives. */
static bool pending_losses(struct audit *audit, enum sink_kind kind, struct audit_lost *ret_lost)
{
    enum audit_loss unused;

    if (!log_store_lock(&audit->store, &unused)) {
        return false;
    }
    loss_fold(&audit->losses, log_store_state(&audit->store));
    bool some = loss_pending(log_store_state(&audit->store), kind, ret_lost);
    log_store_unlock(&audit->store);
    return some;
}

/* Without the lock it stays pending and is reported once more, which its total shows. */
static void note_reported(struct audit *audit, enum sink_kind kind, const struct audit_lost *lost)
{
    enum audit_loss unused;

    if (log_store_lock(&audit->store, &unused)) {
        loss_reported(log_store_state(&audit->store), kind, lost);
        log_store_unlock(&audit->store);
    }
}

/* Writes the record about what is missing, before the next that arrives. It is in no other sink,
 * and so has no place in the file. True when nothing is left to report, or the losses cannot be
 * read: a record that arrives before the report of a loss is better than one more lost record. */
static bool report_losses(struct audit *audit, enum sink_kind kind, enum audit_loss *ret_loss)
{
    struct sink_slot *slot = &audit->sinks[kind];
    struct text body = TEXT_EMPTY;
    struct audit_lost lost;
    struct sink_record record;
    char id[AUDIT_ID_SIZE];

    if (!pending_losses(audit, kind, &lost)) {
        return true;
    }
    const struct audit_event gap = {.action = AUDIT_ACTION_RECORDS_LOST, .lost = &lost};
    stamp_encode(&audit->process, &gap, &body, id);
    const struct file_record draft = {
        .event = &gap, .body = body.data, .body_length = body.length, .id = id, .repeats = 1};
    *ret_loss = AUDIT_LOSS_NO_MEMORY;
    bool reported = !body.failed && log_store_line(&draft, 0, &slot->line, &record) &&
                    put(slot, &record, ret_loss);
    text_release(&body);
    if (reported) {
        note_reported(audit, kind, &lost);
    }
    return reported;
}

/* True when the last of them arrived. behind: a record about losses must go first; it is so again
 * after each loss, so that a sink never gets a record after a gap that it was not given notice
 * of. */
static bool deliver_to(struct audit *audit, enum sink_kind kind, struct batch *batch)
{
    struct sink_slot *slot = &audit->sinks[kind];
    bool behind = batch->behind[kind], arrived = false;
    enum audit_loss loss = AUDIT_LOSS_UNREACHABLE;

    pthread_mutex_lock(&slot->lock);
    for (size_t i = 0; i < batch->out_count; i++) {
        const struct sink_record record = batch_record(batch, i);
        arrived = (!behind || report_losses(audit, kind, &loss)) && put(slot, &record, &loss);
        behind = !arrived;
        if (!arrived) {
            loss_note(&audit->losses, kind, loss, audit_now());
        }
    }
    pthread_mutex_unlock(&slot->lock);
    return arrived;
}

/* Records that the batch had no memory for are lost to every sink but the file. */
static void count_dropped(struct audit *audit, uint64_t dropped)
{
    for (uint64_t i = 0; i < dropped; i++) {
        sinks_lose(audit, AUDIT_LOSS_NO_MEMORY, audit_now());
    }
}

/* One sink after the other, each with its own deadline: a daemon that hangs costs its own wait
 * only. The batch is empty afterwards and may be filled again. */
struct delivery sinks_deliver(struct audit *audit, struct batch *batch)
{
    struct delivery delivery = {.required = true};

    count_dropped(audit, batch->dropped);
    for (enum sink_kind kind = 0; kind < SINK_KIND_COUNT; kind++) {
        if (audit->sinks[kind].ops == NULL) {
            continue;
        }
        bool arrived = deliver_to(audit, kind, batch) && !batch->last_dropped;
        delivery.any = delivery.any || arrived;
        if (!arrived && audit->sinks[kind].settings.failure_denies) {
            delivery.required = false;
        }
    }
    batch->out_count = 0;
    batch->dropped = 0;
    text_clear(&batch->lines);
    return delivery;
}
