/* SPDX-License-Identifier: MIT */
/*
 * Second sources for what a capture read.
 *
 * A sandbox can answer a system call with a number of its choice (SECCOMP_RET_ERRNO, where 0 means
 * "done"). An answer through memory reveals that by what stays in the buffer (read.c). A number
 * does not: "0 groups", "no securebits" and "not set" look like true answers. So each such read
 * must prove that it is evaluated, or agree with another source, before a capture is trusted.
 */
#ifndef IDENTITY_WITNESS_H
#define IDENTITY_WITNESS_H

#include "identity/identity.h"

/*
 * By calls alone: getgroups(2), PR_GET_NO_NEW_PRIVS and PR_CAP_AMBIENT must refuse arguments that
 * the kernel refuses, and PR_GET_KEEPCAPS must agree with the securebits. Where a seccomp filter
 * may be active, the flag behind those two is toggled for a moment, with signals blocked, and the
 * reads must show it. Returns 0, or the component whose read cannot be trusted. Allocates nothing;
 * async-signal safe.
 */
MIGUARD_CHECKED miguard_components witness_calls(const struct miguard_identity *identity,
                                                 bool filtered);

/* Sets a function to call before the process is aborted, where that flag cannot be restored. It
 * need not return. NULL: no function. Thread safe. */
void witness_before_abort(void (*function)(void));

/* Whether PR_GET_SECCOMP reports a filter, or fails. */
bool witness_sees_filter(void);

/* The same; also, where /proc/thread-self/status can be read, it must agree on ids, groups,
 * capabilities and no_new_privs. It is read for each thread until it shows no filter, and from then
 * on when there is one. The groups of identity are sorted, without duplicates. only_look: nothing
 * is toggled. */
MIGUARD_CHECKED miguard_components witness_all(const struct miguard_identity *identity,
                                               bool only_look);

#endif
