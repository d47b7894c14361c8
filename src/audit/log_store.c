/* SPDX-License-Identifier: MIT */
/* Gives records their place, for log.c and sinks.c: in the log file, or in memory without one. */
#include "audit/log_store.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fork.h"

/* Without a file the only thing that can fail is memory. */
enum miguard_status log_store_open(struct log_store *store, const struct sink_settings *settings,
                                   struct log_process *process, struct miguard_error *reterr)
{
    memset(store, 0, sizeof(*store));
    if (settings != NULL) {
        return file_open(settings, process, &store->file, reterr);
    }
    if (state_open_private(&store->state) != MIGUARD_OK) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->background_lock, NULL);
    clock_cond_init(&store->background_call);
    return MIGUARD_OK;
}

void log_store_close(struct log_store *store)
{
    if (store->file != NULL) {
        file_close(store->file);
        return;
    }
    state_close(&store->state);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->background_lock);
    pthread_cond_destroy(&store->background_call);
}

bool log_store_lock(struct log_store *store, enum audit_loss *ret_loss)
{
    if (store->file != NULL) {
        return file_lock(store->file, ret_loss);
    }
    pthread_mutex_lock(&store->lock);
    return true;
}

void log_store_unlock(struct log_store *store)
{
    if (store->file != NULL) {
        file_unlock(store->file);
    } else {
        pthread_mutex_unlock(&store->lock);
    }
}

/* The counting of losses and repeats is the same for both kinds. */
struct log_state *log_store_state(struct log_store *store)
{
    return store->file != NULL ? file_state(store->file) : &store->state;
}

/* Without a chain id in the place the tail has neither chain nor hash: the line ends as
 * AUDIT_LINE_END does without its first character. */
bool log_store_line(const struct file_record *record, uint64_t sequence, struct text *ret_line,
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

/* The number goes up only when the record exists: as in a file, each number has its record. */
static bool append_in_memory(struct log_store *store, struct batch *batch,
                             const struct file_record *record, enum audit_loss *ret_loss)
{
    struct sink_record placed;

    if (!log_store_line(record, store->sequence + 1, &batch->line, &placed)) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    store->sequence++;
    batch_add_placed(batch, &placed);
    return true;
}

bool log_store_append(struct log_store *store, struct batch *batch,
                      const struct file_record *record, enum audit_loss *ret_loss)
{
    return store->file != NULL ? file_append(store->file, batch, record, ret_loss)
                               : append_in_memory(store, batch, record, ret_loss);
}

/* Called without the lock of the log. */
bool log_store_sync(struct log_store *store, uint64_t sequence, enum audit_loss *ret_loss)
{
    return store->file == NULL || file_sync(store->file, sequence, ret_loss);
}

void log_store_maintain(struct log_store *store, struct batch *batch)
{
    if (store->file != NULL) {
        file_maintain(store->file, batch);
    }
}

/* The broadcast ends a wait at once when the thread is to end. */
void log_store_set_background(struct log_store *store, bool present)
{
    if (store->file != NULL) {
        file_set_background(store->file, present);
        return;
    }
    pthread_mutex_lock(&store->background_lock);
    store->background = present;
    pthread_cond_broadcast(&store->background_call);
    pthread_mutex_unlock(&store->background_lock);
}

/* A loop, since a condition may wake without a call (pthread_cond_wait(3)). A timeout ends it as
 * well: then it is time for a round. */
bool log_store_background_wait(struct log_store *store, unsigned milliseconds)
{
    if (store->file != NULL) {
        return file_background_wait(store->file, milliseconds);
    }
    struct timespec until = clock_after_ms(milliseconds);
    pthread_mutex_lock(&store->background_lock);
    int error = 0;
    while (store->background && error == 0) {
        error = pthread_cond_timedwait(&store->background_call, &store->background_lock, &until);
    }
    bool goes_on = store->background;
    pthread_mutex_unlock(&store->background_lock);
    return goes_on;
}

/* Both: neither may be held by a thread that is not in the child. */
void log_store_fork_lock(struct log_store *store)
{
    if (store->file != NULL) {
        file_fork_lock(store->file);
        return;
    }
    fork_take(&store->background_lock);
    fork_take(&store->lock);
}

/* What a log without a file has counted so far is its parent's to report; and the parent's
 * background thread, which waits at the condition, is not in the child. */
void log_store_fork_unlock(struct log_store *store, bool child)
{
    if (store->file != NULL) {
        file_fork_unlock(store->file, child);
        return;
    }
    if (child) {
        memset(store->state.pending, 0, STATE_SINKS * sizeof(struct state_loss));
        memset(store->state.lost_total, 0, AUDIT_LOSS_COUNT * sizeof(uint64_t));
        memset(store->state.repeats, 0, STATE_REPEATS * sizeof(struct state_repeat));
        *store->state.repeats_until = 0;
        store->sequence = 0;
        store->background = false;
        clock_cond_init(&store->background_call);
    }
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_unlock(&store->background_lock);
}
