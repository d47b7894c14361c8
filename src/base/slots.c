/* SPDX-License-Identifier: MIT */
/* The handle table under the guarded objects and the host's objects: look-up, pinning, reuse
 * (slots.h). */
#include "base/slots.h"

#include <string.h>

#include "base/alloc.h"
#include "base/process.h"

/*
 * The state word: generation in the high half, LIVE, then the number of pins. Everything that a
 * look-up needs is in one word, so that finding and pinning are one atomic step.
 */
#define STATE_PINS       0x7FFFFFFFu
#define STATE_LIVE       0x80000000u
#define STATE_GENERATION 0xFFFFFFFF00000000u

/* One object and its state. The object follows at once, so that its address leads back to the
 * slot. */
struct slot {
    _Atomic uint64_t state;
    _Atomic uint64_t epoch; /* process_epoch() at publication */
    uint32_t index;
    uint32_t next_free;
    max_align_t object[];
};

static size_t slot_size(const struct slots *table)
{
    size_t align = _Alignof(max_align_t);
    return sizeof(struct slot) + (table->object_size + align - 1) / align * align;
}

static struct slot *slot_of(const void *object)
{
    const char *start = object;
    return (struct slot *)(uintptr_t)(start - offsetof(struct slot, object));
}

/* The slot of that index, or NULL where its chunk was never allocated. The acquire pairs with the
 * release in grow(): a reader that sees the chunk sees its slots initialised. */
static struct slot *slot_at(struct slots *table, uint32_t index)
{
    unsigned char *chunk =
        atomic_load_explicit(&table->chunks[index / SLOTS_PER_CHUNK], memory_order_acquire);
    if (chunk == NULL) {
        return NULL;
    }
    return (struct slot *)(void *)(chunk + index % SLOTS_PER_CHUNK * slot_size(table));
}

/* A slot that was never used before. The caller holds the lock. */
static struct slot *grow(struct slots *table)
{
    uint32_t index = table->used_slots;
    if (index >= table->most_slots) {
        return NULL;
    }
    if (index % SLOTS_PER_CHUNK == 0) {
        unsigned char *chunk = base_alloc(SLOTS_PER_CHUNK, slot_size(table));
        if (chunk == NULL) {
            return NULL;
        }
        atomic_store_explicit(&table->chunks[index / SLOTS_PER_CHUNK], chunk, memory_order_release);
    }
    struct slot *slot = slot_at(table, index);
    slot->index = index;
    atomic_store_explicit(&slot->state, (uint64_t)1 << 32, memory_order_relaxed);
    table->used_slots++;
    return slot;
}

/* A slot for a new object, or NULL. The caller holds the lock. */
static struct slot *take_free(struct slots *table)
{
    /* Quarantine: a chunk's worth of slots is free before the first is reused. */
    if (table->free_count < SLOTS_PER_CHUNK &&
        table->used_slots - table->left_count < table->limit) {
        struct slot *fresh = grow(table);
        if (fresh != NULL) {
            return fresh;
        }
    }
    if (table->free_first == UINT32_MAX) {
        return NULL;
    }
    struct slot *slot = slot_at(table, table->free_first);
    table->free_first = slot->next_free;
    if (table->free_first == UINT32_MAX) {
        table->free_last = UINT32_MAX;
    }
    table->free_count--;
    return slot;
}

/* An exhausted slot is not in use and does not count against the limit: otherwise a table would
 * refuse everything at the end of a long life. The caller holds the lock. */
static uint32_t in_use(const struct slots *table)
{
    return table->used_slots - table->free_count - table->left_count;
}

void *slots_new(struct slots *table, bool *ret_limit)
{
    pthread_mutex_lock(&table->lock);
    bool limit = in_use(table) >= table->limit;
    struct slot *slot = limit ? NULL : take_free(table);
    pthread_mutex_unlock(&table->lock);
    if (ret_limit != NULL) {
        *ret_limit = limit;
    }
    if (slot == NULL) {
        return NULL;
    }
    memset(slot->object, 0, table->object_size);
    atomic_fetch_add_explicit(&slot->state, 1, memory_order_relaxed);
    return slot->object;
}

struct slots_handle slots_handle_named(struct slots *table, uint64_t name)
{
    return (struct slots_handle){name, process_check_word(name ^ (uint64_t)(uintptr_t)table)};
}

/* The name has index + 1, so that no handle has the name 0. */
static struct slots_handle handle_of(struct slots *table, const struct slot *slot, uint64_t state)
{
    return slots_handle_named(table, (state & STATE_GENERATION) | (slot->index + 1));
}

struct slots_handle slots_handle_of(struct slots *table, const void *object)
{
    struct slot *slot = slot_of(object);
    return handle_of(table, slot, atomic_load_explicit(&slot->state, memory_order_relaxed));
}

struct slots_handle slots_publish(struct slots *table, void *object)
{
    struct slot *slot = slot_of(object);
    atomic_store_explicit(&slot->epoch, process_epoch(), memory_order_relaxed);
    uint64_t state =
        atomic_fetch_or_explicit(&slot->state, STATE_LIVE, memory_order_release) | STATE_LIVE;
    return handle_of(table, slot, state);
}

/* check is NULL where the caller has other proof that the name was handed out. */
static bool is_ours(const struct slots *table, uint64_t name, const uint64_t *check)
{
    return check == NULL || *check == process_check_word(name ^ (uint64_t)(uintptr_t)table);
}

/* One look-up: the verdicts are checked in the order of enum slots_verdict, and the
 * compare-and-swap succeeds only while generation and LIVE are as they were checked. So a pin is
 * never taken on an object that was retired meanwhile. */
static enum slots_verdict find_live(struct slots *table, uint64_t name, const uint64_t *check,
                                    void **ret_object)
{
    uint32_t index = (uint32_t)name - 1;
    uint64_t generation = name & STATE_GENERATION;

    if (index >= (uint32_t)SLOTS_PER_CHUNK * SLOTS_MAX_CHUNKS) {
        return SLOTS_FORGED;
    }
    struct slot *slot = slot_at(table, index);
    if (slot == NULL) {
        return SLOTS_FORGED;
    }
    uint64_t epoch = process_epoch();
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
    do {
        if ((state & STATE_GENERATION) < generation) {
            return SLOTS_FORGED;
        }
        if ((state & STATE_GENERATION) != generation || (state & STATE_LIVE) == 0) {
            return is_ours(table, name, check) ? SLOTS_STALE : SLOTS_FORGED;
        }
        /* A live slot of this generation: its epoch was written before it was published. */
        if (epoch == 0 || atomic_load_explicit(&slot->epoch, memory_order_relaxed) != epoch) {
            return SLOTS_INHERITED;
        }
        if (!is_ours(table, name, check)) {
            return SLOTS_FORGED;
        }
    } while (!atomic_compare_exchange_weak_explicit(&slot->state, &state, state + 1,
                                                    memory_order_acquire, memory_order_acquire));
    *ret_object = slot->object;
    return SLOTS_OK;
}

enum slots_verdict slots_acquire(struct slots *table, struct slots_handle handle, void **ret_object)
{
    return find_live(table, handle.name, &handle.check, ret_object);
}

enum slots_verdict slots_acquire_named(struct slots *table, uint64_t name, void **ret_object)
{
    return find_live(table, name, NULL, ret_object);
}

enum slots_verdict slots_acquire_retired(struct slots *table, uint64_t name, void **ret_object)
{
    uint32_t index = (uint32_t)name - 1;

    struct slot *slot =
        index < (uint32_t)SLOTS_PER_CHUNK * SLOTS_MAX_CHUNKS ? slot_at(table, index) : NULL;
    if (slot == NULL) {
        return SLOTS_FORGED;
    }
    uint64_t epoch = process_epoch();
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
    do {
        if ((state & STATE_GENERATION) != (name & STATE_GENERATION) ||
            (state & (STATE_LIVE | STATE_PINS)) == 0) {
            return SLOTS_STALE;
        }
        if (epoch == 0 || atomic_load_explicit(&slot->epoch, memory_order_relaxed) != epoch) {
            return SLOTS_INHERITED;
        }
    } while (!atomic_compare_exchange_weak_explicit(&slot->state, &state, state + 1,
                                                    memory_order_acquire, memory_order_acquire));
    *ret_object = slot->object;
    return SLOTS_OK;
}

void slots_pin(struct slots *table, void *object)
{
    (void)table;
    atomic_fetch_add_explicit(&slot_of(object)->state, 1, memory_order_relaxed);
}

bool slots_retire(struct slots *table, void *object)
{
    (void)table;
    uint64_t before = atomic_fetch_and_explicit(&slot_of(object)->state, ~(uint64_t)STATE_LIVE,
                                                memory_order_acq_rel);
    return (before & STATE_LIVE) != 0;
}

/* At the end of the list, so that the slot that was free longest is reused first. The caller holds
 * the lock. */
static void append_free(struct slots *table, struct slot *slot)
{
    slot->next_free = UINT32_MAX;
    if (table->free_last == UINT32_MAX) {
        table->free_first = slot->index;
    } else {
        slot_at(table, table->free_last)->next_free = slot->index;
    }
    table->free_last = slot->index;
    table->free_count++;
}

/* A generation that wrapped around would make a very old handle look live. So a slot without
 * another generation keeps its last one, under which no handle finds it. */
static void put_free(struct slots *table, struct slot *slot)
{
    uint64_t generation = atomic_load_explicit(&slot->state, memory_order_relaxed) >> 32;

    pthread_mutex_lock(&table->lock);
    if (generation >= table->generations) {
        table->left_count++;
    } else {
        atomic_store_explicit(&slot->state, (generation + 1) << 32, memory_order_release);
        append_free(table, slot);
    }
    pthread_mutex_unlock(&table->lock);
}

void slots_release(struct slots *table, void *object)
{
    struct slot *slot = slot_of(object);
    uint64_t before = atomic_fetch_sub_explicit(&slot->state, 1, memory_order_acq_rel);
    if ((before & STATE_PINS) != 1 || (before & STATE_LIVE) != 0) {
        return;
    }
    if (table->destroy != NULL) {
        table->destroy(object);
    }
    put_free(table, slot);
}

uint32_t slots_in_use(struct slots *table)
{
    pthread_mutex_lock(&table->lock);
    uint32_t count = in_use(table);
    pthread_mutex_unlock(&table->lock);
    return count;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void slots_set_bounds(struct slots *table, uint32_t most_slots, uint32_t generations)
{
    pthread_mutex_lock(&table->lock);
    table->most_slots = least(table->most_slots, most_slots);
    table->generations = least(table->generations, generations);
    pthread_mutex_unlock(&table->lock);
}

bool slots_spent(struct slots *table)
{
    pthread_mutex_lock(&table->lock);
    bool spent = table->used_slots >= table->most_slots && table->free_count == 0;
    pthread_mutex_unlock(&table->lock);
    return spent;
}

void slots_release_all(struct slots *table)
{
    for (size_t i = 0; i < SLOTS_MAX_CHUNKS; i++) {
        base_free(atomic_exchange(&table->chunks[i], NULL));
    }
    table->used_slots = 0;
    table->left_count = 0;
    table->free_count = 0;
    table->free_first = UINT32_MAX;
    table->free_last = UINT32_MAX;
}
