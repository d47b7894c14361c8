/* SPDX-License-Identifier: MIT */
/*
 * A table of objects that are named by handle, never by address.
 *
 * A handle is {index, generation} in 64 bits and a check word. A slot's memory is never freed while
 * the table lives, so looking up a stale, copied or forged handle reads valid memory only and
 * fails. Look-up is lock-free: one load to find the slot, one compare-and-swap to pin it.
 *
 * Life of a slot: free -> slots_new() -> reserved -> slots_publish() -> live -> slots_retire() ->
 * retired, still pinned by each thread in a call -> last slots_release() -> the table's destroy
 * function runs -> free, generation + 1. Free slots are reused first in, first out, and only when
 * 256 are free (SLOTS_PER_CHUNK), unless the table has no other.
 *
 * Threads that make objects at the same time share nothing: each takes slots from one of
 * THREAD_SHARDS shards, and a slot returns there, so that its memory stays with the core that used
 * it last. An empty shard looks at all others before it reports the limit, which is
 * exact.
 *
 * A name is handed out once. A slot that has used all its generations is not used again; another
 * takes its place, so that no generation ever wraps around. A table without another slot is spent
 * and hands out nothing more. With 32-bit generations that happens after 2^52 objects.
 */
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/shard.h"

enum { SLOTS_PER_CHUNK = 256, SLOTS_MAX_CHUNKS = 4096 };

/* The slots that its threads take next: first those that were never used, then the free ones. */
struct slots_shard {
    _Alignas(CACHE_LINE) uint32_t fresh, fresh_end; /* indices that were never used */
    uint32_t free_first, free_last;
    uint32_t free_count;
};

/* The locks are those of all tables (slots.c). A look-up takes no lock. */
struct slots {
    size_t object_size;
    void (*destroy)(void *object); /* runs when a retired slot loses its last pin; may be NULL */
    uint32_t limit;                /* objects at one time */
    uint32_t generations;          /* objects that one slot serves in its life */
    uint32_t most_slots;           /* slots in the table's whole life; at most 2^20 */
    uint32_t used_slots;           /* slots that the shards were ever given */
    uint32_t left_count;           /* of these, the ones that have used all their generations */
    struct slots_shard shards[THREAD_SHARDS];
    _Atomic(unsigned char *) chunks[SLOTS_MAX_CHUNKS];
};

/* A table with that many slots in its life, which serve that many objects each. */
#define SLOTS_INIT_WITHIN(size, destroy_function, object_limit, generation_limit, slot_limit)      \
    {                                                                                              \
        .object_size = (size), .destroy = (destroy_function), .limit = (object_limit),             \
        .generations = (generation_limit), .most_slots = (slot_limit),                             \
        .shards = {                                                                                \
            [0 ... THREAD_SHARDS - 1] = {.free_first = UINT32_MAX, .free_last = UINT32_MAX}},      \
    }

#define SLOTS_INIT_BOUNDED(size, destroy_function, object_limit, generation_limit)                 \
    SLOTS_INIT_WITHIN(size, destroy_function, object_limit, generation_limit,                      \
                      SLOTS_PER_CHUNK *SLOTS_MAX_CHUNKS)

#define SLOTS_INIT(size, destroy_function, object_limit)                                           \
    SLOTS_INIT_BOUNDED(size, destroy_function, object_limit, UINT32_MAX)

/* What is wrong with a handle, in the order in which it is checked. */
enum slots_verdict {
    SLOTS_OK,
    SLOTS_FORGED,    /* this process never handed out such a handle */
    SLOTS_STALE,     /* it was handed out, and its object is gone */
    SLOTS_INHERITED, /* it was handed out by the process that this one was forked from */
};

struct slots_handle {
    uint64_t name;  /* generation << 32 | index + 1; 0 is not a handle */
    uint64_t check; /* ties name to this process and table */
};

/* A zeroed object, pinned once, not yet found by look-up. NULL when out of memory, when the table
 * is spent, or at the limit (*ret_limit says whether it is the limit, and may be NULL). */
void *slots_new(struct slots *table, bool *ret_limit);

/* Lowers the bounds on a table's life, for slots that need a scarce outside resource. */
void slots_set_bounds(struct slots *table, uint32_t most_slots, uint32_t generations);

/* Whether every slot that the table may have is in use or exhausted. */
bool slots_spent(struct slots *table);

/* Makes the object findable. The creator keeps its pin and must release it. */
struct slots_handle slots_publish(struct slots *table, void *object);

/* Finds and pins. *ret_object is set only with SLOTS_OK. */
enum slots_verdict slots_acquire(struct slots *table, struct slots_handle handle,
                                 void **ret_object);

/* The same by the name alone: for code that has it from memory that no provider writes. */
enum slots_verdict slots_acquire_named(struct slots *table, uint64_t name, void **ret_object);

/* Finds and pins an object that is live, or retired and not yet destroyed, by the name alone: for
 * code that was given the name when the object was made and may come back after it was retired. */
enum slots_verdict slots_acquire_retired(struct slots *table, uint64_t name, void **ret_object);

/* One more pin for a caller that already holds one. */
void slots_pin(struct slots *table, void *object);

/* Releases a pin. */
void slots_release(struct slots *table, void *object);

/* Look-up no longer finds the object. True for exactly one caller. The caller keeps its pin. */
bool slots_retire(struct slots *table, void *object);

/* The handle with this name; its check word follows from it. */
struct slots_handle slots_handle_named(struct slots *table, uint64_t name);

/* The handle that slots_publish() returned. */
struct slots_handle slots_handle_of(struct slots *table, const void *object);

/* The number of objects. For tests and statistics. */
uint32_t slots_in_use(struct slots *table);

/* Frees the chunks; only when no object is in use and no look-up can follow. */
void slots_release_all(struct slots *table);

#endif
