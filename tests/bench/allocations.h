/* SPDX-License-Identifier: MIT */
/* The allocations of the library, counted (base/alloc.h). Not thread safe. */
#ifndef BENCH_ALLOCATIONS_H
#define BENCH_ALLOCATIONS_H

extern long allocations;

#endif
