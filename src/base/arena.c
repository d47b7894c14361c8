/* SPDX-License-Identifier: MIT */
/* Memory that is taken piece by piece and released as a whole. policy/load.c has one for the time
 * of a load and one that lives as long as its draft, host/mof one for each document. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

/* One block is enough for most policies. */
enum { BLOCK_SIZE = 32 * 1024 };

/* Blocks are a list, the newest first; only that one has room that is used. */
struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char bytes[];
};

/* Zeroed by base_alloc(), which arena_take() passes on. */
static bool add_block(struct arena *arena, size_t need)
{
    size_t size = need > BLOCK_SIZE ? need : BLOCK_SIZE;
    struct arena_block *block = base_alloc(1, sizeof(*block) + size);

    if (block == NULL) {
        return false;
    }
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    return true;
}

/* What is left of the block before is lost: pieces are small against a block. */
void *arena_take(struct arena *arena, size_t count, size_t size)
{
    size_t need;

    /* The sum of two pieces and a header must not overflow either. */
    if (__builtin_mul_overflow(count, size, &need) || need > SIZE_MAX / 4) {
        arena->failed = true;
        return NULL;
    }
    need = (need + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    if ((arena->blocks == NULL || arena->blocks->size - arena->blocks->used < need) &&
        !add_block(arena, need)) {
        arena->failed = true;
        return NULL;
    }
    void *piece = arena->blocks->bytes + arena->blocks->used;
    arena->blocks->used += need;
    return piece;
}

/* The NUL is there because memory of an arena is zeroed. */
char *arena_copy(struct arena *arena, const char *bytes, size_t length)
{
    char *copy = arena_take(arena, length + 1, 1);

    if (copy != NULL && length > 0) {
        memcpy(copy, bytes, length);
    }
    return copy;
}

/* The arena can be used again: blocks is NULL then. failed stays. */
void arena_release(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;
        base_free(arena->blocks);
        arena->blocks = next;
    }
}
