/* SPDX-License-Identifier: MIT */
#include "audit/ledger.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

enum miguard_status ledger_open(struct ledger *ledger, const struct sink_settings *settings,
                                const struct file_owner *owner, struct miguard_error *reterr)
{
    memset(ledger, 0, sizeof(*ledger));
    if (settings != NULL) {
        return file_open(settings, owner, &ledger->file, reterr);
    }
    if (state_open_private(&ledger->state) != MIGUARD_OK) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    pthread_mutex_init(&ledger->lock, NULL);
    pthread_mutex_init(&ledger->keeper_lock, NULL);
    clock_cond_init(&ledger->keeper_call);
    return MIGUARD_OK;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger->file != NULL) {
        file_close(ledger->file);
        return;
    }
    state_close(&ledger->state);
    pthread_mutex_destroy(&ledger->lock);
    pthread_mutex_destroy(&ledger->keeper_lock);
    pthread_cond_destroy(&ledger->keeper_call);
}

bool ledger_lock(struct ledger *ledger, enum audit_loss *ret_loss)
{
    if (ledger->file != NULL) {
        return file_lock(ledger->file, ret_loss);
    }
    pthread_mutex_lock(&ledger->lock);
    return true;
}

void ledger_unlock(struct ledger *ledger)
{
    if (ledger->file != NULL) {
        file_unlock(ledger->file);
    } else {
        pthread_mutex_unlock(&ledger->lock);
    }
}

struct log_state *ledger_state(struct ledger *ledger)
{
    return ledger->file != NULL ? file_state(ledger->file) : &ledger->state;
}

bool ledger_line(const struct file_record *record, uint64_t sequence, struct text *ret_line,
                 struct sink_record *ret_record)
{
    const struct audit_place place = {.sequence = sequence,
                                      .repeats = record->repeats,
                                      .first = record->first,
                                      .last = record->last};

    text_clear(ret_line);
    text_append_bytes(ret_line, record->body, record->body_length);
    audit_encode_tail(ret_line, record->event, record->id, &place);
    text_append(ret_line, &AUDIT_LINE_END[1]); /* no hash, and so no quote */
    if (ret_line->failed) {
        return false;
    }
    *ret_record = (struct sink_record){.line = ret_line->data,
                                       .length = ret_line->length,
                                       .event = record->event,
                                       .id = record->id,
                                       .sequence = sequence,
                                       .hash = "",
                                       .repeats = record->repeats};
    return true;
}

bool ledger_append(struct ledger *ledger, const struct file_record *record, struct text *ret_line,
                   struct sink_record *ret_record, enum audit_loss *ret_loss)
{
    if (ledger->file != NULL) {
        return file_append(ledger->file, record, ret_line, ret_record, ret_loss);
    }
    if (!ledger_line(record, ledger->sequence + 1, ret_line, ret_record)) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    ledger->sequence++;
    return true;
}

bool ledger_sync(struct ledger *ledger, uint64_t sequence, enum audit_loss *ret_loss)
{
    return ledger->file == NULL || file_sync(ledger->file, sequence, ret_loss);
}

void ledger_maintain(struct ledger *ledger)
{
    if (ledger->file != NULL) {
        file_maintain(ledger->file);
    }
}

void ledger_set_keeper(struct ledger *ledger, bool present)
{
    if (ledger->file != NULL) {
        file_set_keeper(ledger->file, present);
        return;
    }
    pthread_mutex_lock(&ledger->keeper_lock);
    ledger->keeper = present;
    pthread_cond_broadcast(&ledger->keeper_call);
    pthread_mutex_unlock(&ledger->keeper_lock);
}

bool ledger_keeper_wait(struct ledger *ledger, unsigned milliseconds)
{
    if (ledger->file != NULL) {
        return file_keeper_wait(ledger->file, milliseconds);
    }
    struct timespec until = clock_after_ms(milliseconds);
    pthread_mutex_lock(&ledger->keeper_lock);
    int error = 0;
    while (ledger->keeper && error == 0) {
        error = pthread_cond_timedwait(&ledger->keeper_call, &ledger->keeper_lock, &until);
    }
    bool goes_on = ledger->keeper;
    pthread_mutex_unlock(&ledger->keeper_lock);
    return goes_on;
}

void ledger_fork_lock(struct ledger *ledger)
{
    if (ledger->file != NULL) {
        file_fork_lock(ledger->file);
        return;
    }
    pthread_mutex_lock(&ledger->keeper_lock);
    pthread_mutex_lock(&ledger->lock);
}

/* What a log without a file has counted so far is its parent's to tell; and the parent's keeper,
 * which waits at the condition, is not in the child. */
void ledger_fork_unlock(struct ledger *ledger, bool child)
{
    if (ledger->file != NULL) {
        file_fork_unlock(ledger->file, child);
        return;
    }
    if (child) {
        memset(ledger->state.pending, 0, STATE_SINKS * sizeof(struct state_loss));
        memset(ledger->state.lost_total, 0, AUDIT_LOSS_COUNT * sizeof(uint64_t));
        memset(ledger->state.repeats, 0, STATE_REPEATS * sizeof(struct state_repeat));
        *ledger->state.repeats_until = 0;
        ledger->sequence = 0;
        ledger->keeper = false;
        clock_cond_init(&ledger->keeper_call);
    }
    pthread_mutex_unlock(&ledger->lock);
    pthread_mutex_unlock(&ledger->keeper_lock);
}
