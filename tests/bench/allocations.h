/* SPDX-License-Identifier: MIT */
/* The allocations of the library, counted (base/alloc.h). */
#ifndef BENCH_ALLOCATIONS_H
#define BENCH_ALLOCATIONS_H

extern _Atomic long allocations;

#endif
