/* SPDX-License-Identifier: MIT */
/* What this process takes of memory and mappings, as the kernel counts it. */
#ifndef SUPPORT_MEMORY_H
#define SUPPORT_MEMORY_H

#include <stdbool.h>

struct memory {
    long resident;    /* bytes, from /proc/self/statm */
    long page_tables; /* bytes, from /proc/self/status */
    long mappings;    /* lines of /proc/self/maps */
};

struct memory memory_now(void);

/* The larger of each. */
struct memory memory_most(struct memory a, struct memory b);

/* Under valgrind, which the runner is told in RUNNER. */
bool memory_under_valgrind(void);

/* There, and under sanitizers, which have memory of their own. */
bool memory_is_not_ours(void);

#endif
