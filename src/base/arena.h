/* SPDX-License-Identifier: MIT */
/*
 * Memory that is taken piece by piece and given back at once.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

/* Zeroed: empty. For one thread. */
struct arena {
    struct arena_block *blocks;
    bool failed; /* memory ran out at least once */
};

/* Zeroed memory for count objects of size bytes, fit for any type; NULL when memory is out. A count
 * of 0 gives memory too. Never freed by itself. */
__attribute__((warn_unused_result)) void *arena_take(struct arena *arena, size_t count,
                                                     size_t size);

/* A copy of length bytes with a NUL behind them. */
__attribute__((warn_unused_result)) char *arena_copy(struct arena *arena, const char *bytes,
                                                     size_t length);

/* Frees every piece at once; there is no way to free one. */
void arena_release(struct arena *arena);

#endif
