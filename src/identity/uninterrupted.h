/* SPDX-License-Identifier: MIT */
/*
 * Whether a signal was delivered to this thread while it read its credentials, without a system
 * call.
 *
 * Only a thread itself changes its credentials (credentials(7)), and reads change nothing. So what
 * is read in several calls can be torn only by a signal handler of this thread, and glibc's
 * broadcast of setuid(2) and its like is one (nptl(7)). The kernel says whether it delivered a
 * signal: the C library registers an area for each thread in which rseq_cs may point to the
 * description of a sequence of instructions, and the kernel sets it to NULL when it delivers a
 * signal or preempts the thread outside that sequence (linux/rseq.h). The sequence here is empty,
 * so the thread is always outside it.
 *
 * A child that shares its parent's memory, of vfork(2), has its parent's area, which the kernel
 * does not write for it. What its own handlers do is not seen (miguard-provider(7), WHAT THE GUARD
 * CANNOT SEE).
 */
#ifndef IDENTITY_UNINTERRUPTED_H
#define IDENTITY_UNINTERRUPTED_H

#include <stdbool.h>

/* From here on. Not nested, and no use of restartable sequences in between. Async-signal safe. */
void uninterrupted_begin(void);

/* Whether certainly no signal was delivered since uninterrupted_begin(). False also when it cannot
 * be known: the thread was preempted, or the C library or the kernel lacks rseq(2). */
bool uninterrupted_end(void);

#endif
