/* SPDX-License-Identifier: MIT */
/* The allocation seam of both libraries (alloc.h): every other file allocates and frees here. */
#include "base/alloc.h"

#include <errno.h>
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
    int error = errno;

    free(block); /* keeps errno only since glibc 2.33 */
    errno = error;
}
