/* SPDX-License-Identifier: MIT */
#include "audit/scratch.h"

#include <string.h>

#include "base/alloc.h"

/* One huge record must not keep its memory for ever. */
enum { KEEP_CAPACITY = 256 * 1024, OUT_FIRST = 4 };

static _Thread_local struct scratch *at_work;

struct scratch *scratch_at_work(void)
{
    return at_work;
}

void scratch_pool_init(struct scratch_pool *pool)
{
    memset(pool, 0, sizeof(*pool));
    pthread_mutex_init(&pool->lock, NULL);
}

void scratch_pool_destroy(struct scratch_pool *pool)
{
    for (struct scratch *scratch = pool->all; scratch != NULL;) {
        struct scratch *next = scratch->next;
        text_release(&scratch->body);
        text_release(&scratch->line);
        text_release(&scratch->lines);
        base_free(scratch->out);
        base_free(scratch);
        scratch = next;
    }
    pthread_mutex_destroy(&pool->lock);
}

struct scratch *scratch_take(struct scratch_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct scratch *scratch = pool->free;
    if (scratch != NULL) {
        pool->free = scratch->next_free;
    }
    pthread_mutex_unlock(&pool->lock);
    if (scratch == NULL) {
        scratch = base_alloc(1, sizeof(*scratch));
        if (scratch == NULL) {
            return NULL;
        }
        pthread_mutex_lock(&pool->lock);
        scratch->next = pool->all;
        pool->all = scratch;
        pthread_mutex_unlock(&pool->lock);
    }
    text_clear(&scratch->body);
    text_clear(&scratch->line);
    text_clear(&scratch->lines);
    scratch->out_count = 0;
    scratch->dropped = scratch->sync_through = 0;
    scratch->last_dropped = false;
    memset(scratch->behind, 0, sizeof(scratch->behind));
    at_work = scratch;
    return scratch;
}

static void shrink(struct text *text)
{
    if (text->capacity > KEEP_CAPACITY) {
        text_release(text);
    }
}

void scratch_give(struct scratch_pool *pool, struct scratch *scratch)
{
    at_work = NULL;
    shrink(&scratch->body);
    shrink(&scratch->line);
    shrink(&scratch->lines);
    pthread_mutex_lock(&pool->lock);
    scratch->next_free = pool->free;
    pool->free = scratch;
    pthread_mutex_unlock(&pool->lock);
}

static bool has_room(struct scratch *scratch)
{
    if (scratch->out_count < scratch->out_capacity) {
        return true;
    }
    size_t capacity = scratch->out_capacity == 0 ? OUT_FIRST : 2 * scratch->out_capacity;
    struct outgoing *larger = base_resize(scratch->out, capacity, sizeof(*larger));
    if (larger == NULL) {
        return false;
    }
    scratch->out = larger;
    scratch->out_capacity = capacity;
    return true;
}

/* Pointers into the copy itself are set in scratch_record(): the array may still move. */
static void copy_event(struct outgoing *out, const struct audit_event *event)
{
    out->event = *event;
    if (event->lost != NULL) {
        out->lost = *event->lost;
    }
    if (event->space != NULL) {
        out->space = *event->space;
    }
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

void scratch_post(struct scratch *scratch, const struct sink_record *record)
{
    size_t at = scratch->lines.length;

    text_append_bytes(&scratch->lines, record->line, record->length);
    text_append_bytes(&scratch->lines, "", 1);
    if (scratch->lines.failed || !has_room(scratch)) {
        /* What was put aside before is still good. */
        scratch->lines.failed = false;
        scratch->lines.length = at;
        scratch->dropped++;
        scratch->last_dropped = true;
        return;
    }
    struct outgoing *out = &scratch->out[scratch->out_count++];
    scratch->last_dropped = false;
    copy_event(out, record->event);
    memcpy(out->id, record->id, strnlen(record->id, AUDIT_ID_SIZE - 1) + 1);
    memcpy(out->hash, record->hash, strnlen(record->hash, CHAIN_HEX_SIZE - 1) + 1);
    out->at = at;
    out->length = record->length;
    out->sequence = record->sequence;
    out->repeats = record->repeats;
}

struct sink_record scratch_record(struct scratch *scratch, size_t index)
{
    struct outgoing *out = &scratch->out[index];

    out->event.lost = out->event.lost != NULL ? &out->lost : NULL;
    out->event.space = out->event.space != NULL ? &out->space : NULL;
    if (out->event.rotated != NULL) {
        out->rotated.previous = out->previous_file;
        out->event.rotated = &out->rotated;
    }
    return (struct sink_record){
        .line = scratch->lines.data + out->at,
        .length = out->length,
        .event = &out->event,
        .id = out->id,
        .sequence = out->sequence,
        .hash = out->hash,
        .repeats = out->repeats,
    };
}
