/* SPDX-License-Identifier: MIT */
/*
 * Second sources for what a capture read.
 *
 * A sandbox can answer a system call with a number of its choice (SECCOMP_RET_ERRNO, of which 0 is
 * "done"). An answer that comes through memory shows that by what it leaves behind (read.c). A
 * number does not: "0 groups", "no securebits", "not set" look like the truth. So before a capture
 * is believed each such read must have shown that it is alive, or agree with another source.
 */
#ifndef IDENTITY_WITNESS_H
#define IDENTITY_WITNESS_H

#include "identity/identity.h"

/*
 * By calls alone: getgroups(2), PR_GET_NO_NEW_PRIVS and PR_CAP_AMBIENT must refuse arguments that
 * the kernel refuses, and PR_GET_KEEPCAPS must agree with the securebits. Where a seccomp filter
 * may be at work the flag behind the two is turned over for a moment, with signals blocked, and
 * must be seen to turn. 0, or the component whose read is not to be believed.
 * Allocates nothing; async-signal safe.
 */
MIGUARD_CHECKED miguard_components witness_calls(const struct miguard_identity *identity,
                                                 bool filtered);

/* What is called where that flag cannot be turned back, before the process is aborted. It need not
 * come back. NULL: nothing. */
void witness_before_abort(void (*function)(void));

/* Whether PR_GET_SECCOMP speaks of a filter, or says nothing. */
bool witness_sees_filter(void);

/* The same, and /proc/thread-self/status must say the same of ids, groups, capabilities and
 * no_new_privs, where it can be read: for each thread until it was found without a filter, and from
 * then on when there is one. The groups of identity are sorted, without duplicates.
 * only_look: nothing is turned over. */
MIGUARD_CHECKED miguard_components witness_all(const struct miguard_identity *identity,
                                               bool only_look);

#endif
