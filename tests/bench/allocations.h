/* SPDX-License-Identifier: MIT */
/* The allocations of the library, counted (base/alloc.h). */
#ifndef BENCH_ALLOCATIONS_H
#define BENCH_ALLOCATIONS_H

#include <stdbool.h>

/* Of this thread. */
extern __thread long allocations;

/* Of all threads, while they are asked for: a counter that threads share would make them wait for
 * each other. */
extern bool allocations_shared;
extern _Atomic long allocations_of_all;

#endif
