/* SPDX-License-Identifier: MIT */
/*
 * The bounding set of the calling thread, read only as far as it can have changed.
 *
 * The kernel has no call that gives the whole set: it takes one prctl(2) for each capability, 41 of
 * the some 50 calls of a check. Most of them ask what cannot have changed since this thread's last
 * check. What is kept from one check to the next, and why that is right, is in bounding.c.
 */
#ifndef IDENTITY_BOUNDING_H
#define IDENTITY_BOUNDING_H

#include <stdbool.h>
#include <stdint.h>

#include "identity/identity.h"

/* What the same check has read and asked before. */
struct bounding_facts {
    bool leads;              /* its thread group */
    uint64_t user_namespace; /* 0: not read */
    bool lacks_setpcap;      /* CAP_SETPCAP is not permitted; false: not known */
    enum identity_gate gate;
};

/* The set into *ret_set; count is the number of capabilities that the kernel has. False when the
 * kernel gave no answer. Async-signal safe. */
MIGUARD_CHECKED bool bounding_read(uint32_t count, const struct bounding_facts *facts,
                                   uint64_t *ret_set);

#endif
