/* SPDX-License-Identifier: MIT */
/*
 * An allocator that fails when a test says so, in place of src/base/alloc.c: to be included by one
 * file of a fault test, which is linked before the library. It counts the blocks that are out, so
 * that a leak shows. A reserve (src/base/reserve.h) is one block here, since no test needs to see
 * each of its pieces fail; tests/table/little_memory_test.c has those.
 */
#ifndef SUPPORT_FAILING_ALLOC_H
#define SUPPORT_FAILING_ALLOC_H

#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/reserve.h"

static long countdown = -1;      /* allocations that still succeed; -1: all do */
static bool keeps_failing;       /* all behind the one that fails fail, too */
static bool failed;              /* one has failed */
static long allocations_tried;   /* allocations that were asked for */
static _Atomic long outstanding; /* blocks that are not given back, by any thread */

static bool allocation_fails(void)
{
    allocations_tried++;
    if (countdown < 0) {
        return false;
    }
    if (countdown > 0) {
        countdown--;
        return false;
    }
    failed = true;
    countdown = keeps_failing ? 0 : -1;
    return true;
}

void *base_alloc(size_t count, size_t size)
{
    void *block = allocation_fails() ? NULL : calloc(count, size);
    outstanding += block != NULL;
    return block;
}

void *base_resize(void *block, size_t count, size_t size)
{
    void *resized = allocation_fails() ? NULL : reallocarray(block, count, size);
    outstanding += resized != NULL && block == NULL;
    return resized;
}

void base_free(void *block)
{
    outstanding -= block != NULL;
    free(block);
}

bool reserve_take(struct reserve *ret)
{
    void *block = base_alloc(1, 1);

    if (block != NULL) {
        ret->kept = block;
    }
    return block != NULL;
}

void reserve_end(struct reserve *reserve)
{
    base_free(reserve->kept);
}

#endif
