/* SPDX-License-Identifier: MIT */
/* An allocator that counts, in place of the library's. */
#include "bench/allocations.h"

#include <stdlib.h>

#include "base/alloc.h"

__thread long allocations;
bool allocations_shared;
_Atomic long allocations_of_all;

static void count_one(void)
{
    allocations++;
    if (allocations_shared) {
        allocations_of_all++;
    }
}

void *base_alloc(size_t count, size_t size)
{
    count_one();
    return calloc(count, size);
}

void *base_resize(void *block, size_t count, size_t size)
{
    count_one();
    return reallocarray(block, count, size);
}

void base_free(void *block)
{
    free(block);
}
