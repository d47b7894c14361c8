/* SPDX-License-Identifier: MIT */
/* The handle table under the guarded objects and the host's objects: look-up, pinning, reuse
 * (slots.h). */
#include "base/slots.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fork.h"
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
    uint32_t shard; /* that it returns to */
    max_align_t object[];
};

/*
 * The locks of all tables: one for each shard, which protects that shard of every table, and one
 * for the growth of every table, which is taken after a shard's. A thread takes those of its own
 * shard for a few instructions, for one table at a time. So it is the same whether tables share
 * them; and there are few to be taken around a fork.
 */
static struct slots_lock {
    _Alignas(CACHE_LINE) pthread_mutex_t lock;
} shard_locks[THREAD_SHARDS] = {[0 ... THREAD_SHARDS - 1] = {PTHREAD_MUTEX_INITIALIZER}};
static pthread_mutex_t growth_lock = PTHREAD_MUTEX_INITIALIZER;

/* In this order. */
static void lock_all(void)
{
    for (unsigned i = 0; i < THREAD_SHARDS; i++) {
        fork_take(&shard_locks[i].lock);
    }
    fork_take(&growth_lock);
}

static void unlock_all(void)
{
    pthread_mutex_unlock(&growth_lock);
    for (unsigned i = 0; i < THREAD_SHARDS; i++) {
        pthread_mutex_unlock(&shard_locks[i].lock);
    }
}

FORK_OWNER(slots_owner, .rank = FORK_SLOTS, .before = lock_all, .after = unlock_all);

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
 * release in give_fresh(): a reader that sees the chunk sees its slots initialised. */
static struct slot *slot_at(struct slots *table, uint32_t index)
{
    unsigned char *chunk =
        atomic_load_explicit(&table->chunks[index / SLOTS_PER_CHUNK], memory_order_acquire);
    if (chunk == NULL) {
        return NULL;
    }
    return (struct slot *)(void *)(chunk + index % SLOTS_PER_CHUNK * slot_size(table));
}

/* ---- the slots of a shard ---------------------------------------------------------------------
 */

/* Slots that a shard is given at one time: few enough that those of idle shards do not count, and
 * enough that growth is rare. */
enum { SLOTS_BATCH = 32 };

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* How many slots the table may grow by, within one chunk. An exhausted slot does not count against
 * the limit: otherwise a table would refuse everything at the end of a long life. The caller holds
 * the lock of growth. */
static uint32_t room(const struct slots *table)
{
    uint32_t usable = table->used_slots - table->left_count;

    if (usable >= table->limit || table->used_slots >= table->most_slots) {
        return 0;
    }
    return least(least(table->limit - usable, table->most_slots - table->used_slots),
                 SLOTS_PER_CHUNK - table->used_slots % SLOTS_PER_CHUNK);
}

/* Gives the shard slots that were never used; false without any. The caller holds both locks. */
static bool give_fresh(struct slots *table, struct slots_shard *shard)
{
    uint32_t first = table->used_slots, count = least(room(table), SLOTS_BATCH);

    if (count > 0 && first % SLOTS_PER_CHUNK == 0) {
        unsigned char *chunk = base_alloc(SLOTS_PER_CHUNK, slot_size(table));
        if (chunk == NULL) {
            return false;
        }
        atomic_store_explicit(&table->chunks[first / SLOTS_PER_CHUNK], chunk, memory_order_release);
    }
    table->used_slots += count;
    shard->fresh = first;
    shard->fresh_end = first + count;
    return count > 0;
}

/* The caller holds the shard's lock. NULL when it has none. Until here the slot had no generation,
 * under which no name was handed out. */
static struct slot *take_fresh(struct slots *table, struct slots_shard *shard)
{
    if (shard->fresh == shard->fresh_end) {
        return NULL;
    }
    struct slot *slot = slot_at(table, shard->fresh);
    slot->index = shard->fresh++;
    atomic_store_explicit(&slot->state, (uint64_t)1 << 32, memory_order_relaxed);
    return slot;
}

/* The one that was free longest, or NULL. The caller holds the shard's lock. */
static struct slot *take_free(struct slots *table, struct slots_shard *shard)
{
    if (shard->free_first == UINT32_MAX) {
        return NULL;
    }
    struct slot *slot = slot_at(table, shard->free_first);
    shard->free_first = slot->next_free;
    if (shard->free_first == UINT32_MAX) {
        shard->free_last = UINT32_MAX;
    }
    shard->free_count--;
    return slot;
}

/* Quarantine: a chunk's worth of slots is free before the first is reused. */
static bool keeps_quarantine(const struct slots_shard *shard)
{
    return shard->free_count < SLOTS_PER_CHUNK;
}

/* A slot of the shard, or NULL: it has none to give, and another one may. */
static struct slot *take_own(struct slots *table, unsigned index)
{
    struct slots_shard *shard = &table->shards[index];

    pthread_mutex_lock(&shard_locks[index].lock);
    struct slot *slot = keeps_quarantine(shard) ? NULL : take_free(table, shard);
    if (slot == NULL && shard->fresh == shard->fresh_end) {
        pthread_mutex_lock(&growth_lock);
        (void)give_fresh(table, shard);
        pthread_mutex_unlock(&growth_lock);
    }
    if (slot == NULL) {
        slot = take_fresh(table, shard);
    }
    pthread_mutex_unlock(&shard_locks[index].lock);
    return slot;
}

/* ---- the slots of all shards ------------------------------------------------------------------
 */

/* Slots that an object may get. The caller holds all locks. */
static uint32_t unused(const struct slots *table)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < THREAD_SHARDS; i++) {
        const struct slots_shard *shard = &table->shards[i];
        count += shard->free_count + (shard->fresh_end - shard->fresh);
    }
    return count;
}

/* The caller holds all locks. */
static uint32_t in_use(const struct slots *table)
{
    return table->used_slots - table->left_count - unused(table);
}

/* The shard with the most free slots. The caller holds all locks. */
static struct slots_shard *fullest(struct slots *table)
{
    struct slots_shard *most = &table->shards[0];

    for (unsigned i = 1; i < THREAD_SHARDS; i++) {
        most = table->shards[i].free_count > most->free_count ? &table->shards[i] : most;
    }
    return most;
}

/* The caller holds all locks. */
static struct slot *take_any_fresh(struct slots *table)
{
    struct slot *slot = NULL;

    for (unsigned i = 0; i < THREAD_SHARDS && slot == NULL; i++) {
        slot = take_fresh(table, &table->shards[i]);
    }
    return slot;
}

/* The table cannot grow: any slot of any shard, and at last one from its quarantine. With every
 * lock held, no slot is on its way from one shard to another, so the limit is that of one
 * moment. */
static struct slot *take_any(struct slots *table, bool *ret_limit)
{
    lock_all();
    *ret_limit = in_use(table) >= table->limit;
    struct slots_shard *most = fullest(table);
    struct slot *slot = keeps_quarantine(most) ? take_any_fresh(table) : NULL;
    if (slot == NULL) {
        slot = take_free(table, most);
    }
    if (slot == NULL) {
        slot = take_any_fresh(table);
    }
    unlock_all();
    return slot;
}

/* ---- objects ----------------------------------------------------------------------------------
 */

void *slots_new(struct slots *table, bool *ret_limit)
{
    const unsigned shard = shard_of_thread();
    const bool stuck = process_is_stuck();
    bool limit = false;

    struct slot *slot = stuck ? NULL : take_own(table, shard);
    if (slot == NULL && !stuck) {
        slot = take_any(table, &limit);
    }
    if (ret_limit != NULL) {
        *ret_limit = limit;
    }
    if (slot == NULL) {
        return NULL;
    }
    slot->shard = shard;
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
 * the shard's lock. */
static void append_free(struct slots *table, struct slots_shard *shard, struct slot *slot)
{
    slot->next_free = UINT32_MAX;
    if (shard->free_last == UINT32_MAX) {
        shard->free_first = slot->index;
    } else {
        slot_at(table, shard->free_last)->next_free = slot->index;
    }
    shard->free_last = slot->index;
    shard->free_count++;
}

/* A generation that wrapped around would make a very old handle look live. So a slot without
 * another generation keeps its last one, under which no handle finds it. */
static void put_free(struct slots *table, struct slot *slot)
{
    uint64_t generation = atomic_load_explicit(&slot->state, memory_order_relaxed) >> 32;
    pthread_mutex_t *lock = &shard_locks[slot->shard].lock;

    pthread_mutex_lock(lock);
    if (generation >= table->generations) {
        pthread_mutex_lock(&growth_lock);
        table->left_count++;
        pthread_mutex_unlock(&growth_lock);
    } else {
        atomic_store_explicit(&slot->state, (generation + 1) << 32, memory_order_release);
        append_free(table, &table->shards[slot->shard], slot);
    }
    pthread_mutex_unlock(lock);
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
    lock_all();
    uint32_t count = in_use(table);
    unlock_all();
    return count;
}

void slots_set_bounds(struct slots *table, uint32_t most_slots, uint32_t generations)
{
    lock_all();
    table->most_slots = least(table->most_slots, most_slots);
    table->generations = least(table->generations, generations);
    unlock_all();
}

bool slots_spent(struct slots *table)
{
    lock_all();
    bool spent = table->used_slots >= table->most_slots && unused(table) == 0;
    unlock_all();
    return spent;
}

void slots_release_all(struct slots *table)
{
    for (size_t i = 0; i < SLOTS_MAX_CHUNKS; i++) {
        base_free(atomic_exchange(&table->chunks[i], NULL));
    }
    table->used_slots = 0;
    table->left_count = 0;
    for (unsigned i = 0; i < THREAD_SHARDS; i++) {
        struct slots_shard *shard = &table->shards[i];
        shard->fresh = shard->fresh_end = 0;
        shard->free_first = shard->free_last = UINT32_MAX;
        shard->free_count = 0;
    }
}
