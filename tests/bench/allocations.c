/* SPDX-License-Identifier: MIT */
/* An allocator that counts, in place of the library's. */
#include "bench/allocations.h"

#include <stdlib.h>

#include "base/alloc.h"

_Atomic long allocations;

void *base_alloc(size_t count, size_t size)
{
    allocations++;
    return calloc(count, size);
}

void *base_resize(void *block, size_t count, size_t size)
{
    allocations++;
    return reallocarray(block, count, size);
}

void base_free(void *block)
{
    free(block);
}
