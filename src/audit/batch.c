/* SPDX-License-Identifier: MIT */
/* The pool of batches, and what a batch holds: filled by log.c and the log file, emptied by
 * sinks.c. */
#include "audit/batch.h"

#include <string.h>

#include "audit/encode.h"
#include "base/alloc.h"

/* One huge record must not keep its memory for ever: a text larger than KEEP_CAPACITY bytes is
 * released with its batch. OUT_FIRST: room at first for so many records of one call. */
enum { KEEP_CAPACITY = 256 * 1024, OUT_FIRST = 4 };

/* Batches are made when they are first taken. */
void batch_pool_init(struct batch_pool *pool)
{
    memset(pool, 0, sizeof(*pool));
    pthread_mutex_init(&pool->lock, NULL);
}

void batch_pool_destroy(struct batch_pool *pool)
{
    for (struct batch *batch = pool->all; batch != NULL;) {
        struct batch *next = batch->next;
        text_release(&batch->body);
        text_release(&batch->line);
        text_release(&batch->lines);
        base_free(batch->out);
        base_free(batch);
        batch = next;
    }
    pthread_mutex_destroy(&pool->lock);
}

/* The list of free ones is only a stack. A new batch is in `all` from the beginning, and stays
 * there. */
struct batch *batch_take(struct batch_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct batch *batch = pool->free;
    if (batch != NULL) {
        pool->free = batch->next_free;
    }
    pthread_mutex_unlock(&pool->lock);
    if (batch == NULL) {
        batch = base_alloc(1, sizeof(*batch));
        if (batch == NULL) {
            return NULL;
        }
        batch->pool = pool;
        pthread_mutex_lock(&pool->lock);
        batch->next = pool->all;
        pool->all = batch;
        pthread_mutex_unlock(&pool->lock);
    }
    text_clear(&batch->body);
    text_clear(&batch->line);
    text_clear(&batch->lines);
    batch->now = audit_now();
    batch->out_count = 0;
    batch->dropped = batch->sync_through = 0;
    batch->last_dropped = false;
    memset(batch->behind, 0, sizeof(batch->behind));
    return batch;
}

/* Before a batch goes back: texts keep their memory for the next call, within limits. */
static void shrink(struct text *text)
{
    if (text->capacity > KEEP_CAPACITY) {
        text_release(text);
    }
}

/* The last one given is the next one taken: its memory is still in the cache. */
void batch_give(struct batch *batch)
{
    struct batch_pool *pool = batch->pool;

    shrink(&batch->body);
    shrink(&batch->line);
    shrink(&batch->lines);
    pthread_mutex_lock(&pool->lock);
    batch->next_free = pool->free;
    pool->free = batch;
    pthread_mutex_unlock(&pool->lock);
}

/* Doubled, so that many records in one call stay cheap. The array moves: batch_record() makes
 * pointers into it only when it is complete. */
static bool has_room(struct batch *batch)
{
    if (batch->out_count < batch->out_capacity) {
        return true;
    }
    size_t capacity = batch->out_capacity == 0 ? OUT_FIRST : 2 * batch->out_capacity;
    struct outgoing *larger = base_resize(batch->out, capacity, sizeof(*larger));
    if (larger == NULL) {
        return false;
    }
    batch->out = larger;
    batch->out_capacity = capacity;
    return true;
}

/* Pointers into the copy itself are set in batch_record(): the array may still move. */
static void copy_event(struct outgoing *out, const struct audit_event *event)
{
    out->event = *event;
    if (event->lost != NULL) {
        out->lost = *event->lost;
    }
    if (event->space != NULL) {
        out->space = *event->space;
    }
    out->event.set_aside = NULL; /* the line has it */
    if (event->rotated != NULL) {
        const char *name = event->rotated->previous != NULL ? event->rotated->previous : "";
        size_t length = strnlen(name, sizeof(out->previous_file) - 1);
        out->rotated = *event->rotated;
        out->rotated.stray = NULL; /* the line has it */
        out->rotated.stray_files = 0;
        memcpy(out->previous_file, name, length);
        out->previous_file[length] = '\0';
    }
}

/* The line with a NUL, so that a sink may use it as a string. All or nothing: on a failure the
 * texts are as before and the record is counted as dropped. */
void batch_add(struct batch *batch, const struct sink_record *record)
{
    size_t at = batch->lines.length;

    text_append_bytes(&batch->lines, record->line, record->length);
    text_append_bytes(&batch->lines, "", 1);
    if (batch->lines.failed || !has_room(batch)) {
        /* What was added before stays. */
        batch->lines.failed = false;
        batch->lines.length = at;
        batch->dropped++;
        batch->last_dropped = true;
        return;
    }
    struct outgoing *out = &batch->out[batch->out_count++];
    batch->last_dropped = false;
    copy_event(out, record->event);
    memcpy(out->id, record->id, strnlen(record->id, AUDIT_ID_SIZE - 1) + 1);
    memcpy(out->hash, record->hash, strnlen(record->hash, CHAIN_HEX_SIZE - 1) + 1);
    out->at = at;
    out->length = record->length;
    out->sequence = record->sequence;
    out->repeats = record->repeats;
}

/* sync: deny covers records of the log about itself as well: a loss that is reported and then lost
 * would not be reported again. */
bool batch_wants_sync(const struct batch_pool *pool, const struct audit_event *event)
{
    if (!pool->has_file || pool->sync == AUDIT_SYNC_NONE) {
        return false;
    }
    return pool->sync == AUDIT_SYNC_ALL || event->denied ||
           event->action <= AUDIT_ACTION_AUDIT_SPACE || /* the log about itself */
           event->action == AUDIT_ACTION_STATE_SET_ASIDE;
}

/* Numbers only rise, so the last record that must be synced covers all before it. */
void batch_add_placed(struct batch *batch, const struct sink_record *record)
{
    struct batch_pool *pool = batch->pool;

    atomic_fetch_add_explicit(&pool->written, 1, memory_order_relaxed);
    if (pool->has_sinks) {
        batch_add(batch, record);
    }
    if (batch_wants_sync(pool, record->event)) {
        batch->sync_through = record->sequence;
    }
}

/* Valid until the next record is added. Pointers to the caller's facts are replaced by those to the
 * copies, since the caller's were on a stack. */
struct sink_record batch_record(struct batch *batch, size_t index)
{
    struct outgoing *out = &batch->out[index];

    out->event.lost = out->event.lost != NULL ? &out->lost : NULL;
    out->event.space = out->event.space != NULL ? &out->space : NULL;
    if (out->event.rotated != NULL) {
        out->rotated.previous = out->previous_file;
        out->event.rotated = &out->rotated;
    }
    return (struct sink_record){
        .line = batch->lines.data + out->at,
        .length = out->length,
        .event = &out->event,
        .id = out->id,
        .sequence = out->sequence,
        .hash = out->hash,
        .repeats = out->repeats,
    };
}
