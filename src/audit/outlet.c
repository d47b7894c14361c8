/* SPDX-License-Identifier: MIT */
/* The sinks beside the file. One that fails holds none of the others back. */
#include <string.h>

#include "audit/core.h"
#include "base/alloc.h"

enum { REOPEN_NANOSECONDS = 1000000000 };

static const struct sink_ops *const ops_of[SINK_KIND_COUNT] = {
#define OPS_OF(NAME, name, ops, ...) [SINK_##NAME] = &sink_##ops,
    SINK_BESIDE_FILE_MAP(OPS_OF)
#undef OPS_OF
};

/* Whoever may not fail is there from the start; any other is tried again with later records, unless
 * it was asked for in a way that can never be right. */
static enum miguard_status open_outlet(struct outlet *outlet, const struct sink_settings *settings,
                                       struct miguard_error *reterr)
{
    pthread_mutex_init(&outlet->lock, NULL);
    outlet->ops = ops_of[settings->kind];
    outlet->settings = *settings;
    outlet->path = base_copy_text(settings->path);
    outlet->settings.path = outlet->path;
    if (settings->path != NULL && outlet->path == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    enum miguard_status status = outlet->ops->open(&outlet->settings, &outlet->sink, reterr);
    if (status != MIGUARD_OK) {
        outlet->sink = NULL;
    }
    return status == MIGUARD_SYSTEM && !settings->failure_denies ? MIGUARD_OK : status;
}

enum miguard_status outlets_open(struct audit *audit, const struct audit_settings *settings,
                                 struct miguard_error *reterr)
{
    enum miguard_status status = MIGUARD_OK;

    for (size_t i = 0; i < settings->sink_count && status == MIGUARD_OK; i++) {
        const struct sink_settings *sink = &settings->sinks[i];
        if (sink->kind != SINK_FILE) {
            audit->has_outlets = true;
            status = open_outlet(&audit->outlets[sink->kind], sink, reterr);
        }
    }
    return status;
}

void outlets_close(struct audit *audit)
{
    for (int kind = 0; kind < SINK_KIND_COUNT; kind++) {
        struct outlet *outlet = &audit->outlets[kind];
        if (outlet->ops == NULL) {
            continue;
        }
        if (outlet->sink != NULL) {
            outlet->ops->close(outlet->sink);
        }
        base_free(outlet->path);
        text_release(&outlet->line);
        pthread_mutex_destroy(&outlet->lock);
    }
}

void outlets_lock(struct audit *audit)
{
    for (int kind = 0; kind < SINK_KIND_COUNT; kind++) {
        if (audit->outlets[kind].ops != NULL) {
            pthread_mutex_lock(&audit->outlets[kind].lock);
        }
    }
}

void outlets_unlock(struct audit *audit)
{
    for (int kind = SINK_KIND_COUNT - 1; kind >= 0; kind--) {
        if (audit->outlets[kind].ops != NULL) {
            pthread_mutex_unlock(&audit->outlets[kind].lock);
        }
    }
}

/* A sink that is paused stays locked: who has a record for it waits, and starts no thread. */
void outlets_pause(struct audit *audit)
{
    for (int kind = 0; kind < SINK_KIND_COUNT; kind++) {
        struct outlet *outlet = &audit->outlets[kind];
        if (outlet->ops == NULL || outlet->ops->pause == NULL) {
            continue;
        }
        pthread_mutex_lock(&outlet->lock);
        if (outlet->sink != NULL) {
            outlet->ops->pause(outlet->sink);
        }
    }
}

void outlets_resume(struct audit *audit)
{
    for (int kind = SINK_KIND_COUNT - 1; kind >= 0; kind--) {
        if (audit->outlets[kind].ops != NULL && audit->outlets[kind].ops->pause != NULL) {
            pthread_mutex_unlock(&audit->outlets[kind].lock);
        }
    }
}

void outlets_lose(struct audit *audit, enum audit_loss cause, int64_t now)
{
    for (enum sink_kind kind = 0; kind < SINK_KIND_COUNT; kind++) {
        if (audit->outlets[kind].ops != NULL) {
            loss_note(&audit->losses, kind, cause, now);
        }
    }
}

/* ---- one sink; under its lock ------------------------------------------------------------- */

static bool is_open(struct outlet *outlet)
{
    int64_t now = audit_now();

    if (outlet->sink == NULL && (now < outlet->tried || now - outlet->tried > REOPEN_NANOSECONDS)) {
        outlet->tried = now;
        if (outlet->ops->open(&outlet->settings, &outlet->sink, NULL) != MIGUARD_OK) {
            outlet->sink = NULL;
        }
    }
    return outlet->sink != NULL;
}

static bool put(struct outlet *outlet, const struct sink_record *record, enum audit_loss *ret_loss)
{
    if (!is_open(outlet)) {
        *ret_loss = AUDIT_LOSS_UNREACHABLE;
        return false;
    }
    return outlet->ops->write(outlet->sink, record, ret_loss);
}

static bool what_is_lost(struct audit *audit, enum sink_kind kind, struct audit_lost *ret_lost)
{
    enum audit_loss unused;

    if (!ledger_lock(&audit->ledger, &unused)) {
        return false;
    }
    log_fold(audit);
    bool some = loss_tell(ledger_state(&audit->ledger), kind, ret_lost);
    ledger_unlock(&audit->ledger);
    return some;
}

static void note_told(struct audit *audit, enum sink_kind kind, const struct audit_lost *lost)
{
    enum audit_loss unused;

    if (ledger_lock(&audit->ledger, &unused)) {
        loss_told(ledger_state(&audit->ledger), kind, lost);
        ledger_unlock(&audit->ledger);
    }
}

/* The record about what is missing, before the next that arrives. It is in no other sink, and so
 * has no place in the file. True when nothing is left to be told, or nobody can know: a record that
 * arrives before its gap is better than one more that is lost. */
static bool tell_losses(struct audit *audit, enum sink_kind kind, enum audit_loss *ret_loss)
{
    struct outlet *outlet = &audit->outlets[kind];
    struct text body = TEXT_EMPTY;
    struct audit_lost lost;
    struct sink_record record;
    char id[AUDIT_ID_SIZE];

    if (!what_is_lost(audit, kind, &lost)) {
        return true;
    }
    const struct audit_event gap = {.action = AUDIT_ACTION_RECORDS_LOST, .lost = &lost};
    log_encode(audit, &gap, &body, id);
    const struct file_record draft = {
        .event = &gap, .body = body.data, .body_length = body.length, .id = id, .repeats = 1};
    *ret_loss = AUDIT_LOSS_NO_MEMORY;
    bool told = !body.failed && ledger_line(&draft, 0, &outlet->line, &record) &&
                put(outlet, &record, ret_loss);
    text_release(&body);
    if (told) {
        note_told(audit, kind, &lost);
    }
    return told;
}

/* True when the last of them arrived. */
static bool deliver_to(struct audit *audit, enum sink_kind kind, struct scratch *scratch)
{
    struct outlet *outlet = &audit->outlets[kind];
    bool behind = scratch->behind[kind], arrived = false;
    enum audit_loss loss = AUDIT_LOSS_UNREACHABLE;

    pthread_mutex_lock(&outlet->lock);
    for (size_t i = 0; i < scratch->out_count; i++) {
        const struct sink_record record = scratch_record(scratch, i);
        arrived = (!behind || tell_losses(audit, kind, &loss)) && put(outlet, &record, &loss);
        behind = !arrived;
        if (!arrived) {
            loss_note(&audit->losses, kind, loss, audit_now());
        }
    }
    pthread_mutex_unlock(&outlet->lock);
    return arrived;
}

static void count_dropped(struct audit *audit, uint64_t dropped)
{
    for (uint64_t i = 0; i < dropped; i++) {
        outlets_lose(audit, AUDIT_LOSS_NO_MEMORY, audit_now());
    }
}

struct delivery outlets_deliver(struct audit *audit, struct scratch *scratch)
{
    struct delivery delivery = {.required = true};

    count_dropped(audit, scratch->dropped);
    for (enum sink_kind kind = 0; kind < SINK_KIND_COUNT; kind++) {
        if (audit->outlets[kind].ops == NULL) {
            continue;
        }
        bool arrived = deliver_to(audit, kind, scratch) && !scratch->last_dropped;
        delivery.any = delivery.any || arrived;
        if (!arrived && audit->outlets[kind].settings.failure_denies) {
            delivery.required = false;
        }
    }
    scratch->out_count = 0;
    scratch->dropped = 0;
    text_clear(&scratch->lines);
    return delivery;
}
