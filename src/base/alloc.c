/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <stdlib.h>

void *base_alloc(size_t count, size_t size)
{
    return calloc(count, size);
}

void *base_resize(void *block, size_t count, size_t size)
{
    return reallocarray(block, count, size);
}

void base_free(void *block)
{
    free(block);
}
