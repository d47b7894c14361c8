/* SPDX-License-Identifier: MIT */
/*
 * Which process this is, found out without a system call.
 *
 * Everything handed out before a fork must be worthless in the child (design: a fork invalidates
 * every session). The epoch lives in a page that the kernel zeroes in a child (madvise(2),
 * MADV_WIPEONFORK, Linux 4.14), also after a raw clone(2), which pthread_atfork(3) misses.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* A random number, not 0, that is the same for the whole life of this process and differs in every
 * forked child. 0 when it is unavailable; then nothing may be handed out. Thread safe. */
uint64_t process_epoch(void);

/* Whether that is the epoch of this process, as an earlier call gave it to this thread. Draws none,
 * and so takes no lock, is no cancellation point, and keeps errno. False for 0. Thread safe. */
bool process_has_epoch(uint64_t epoch);

/* Whether this process was made by clone(2) or _Fork(3) while another thread held a lock of the
 * library; also in a child of fork(3) until the library's handler has run. What that lock protects
 * may be half changed, so there is no epoch, nothing is handed out and nothing recorded. Thread
 * safe. */
bool process_is_stuck(void);

#define PROCESS_STUCK                                                                              \
    "this process was made by clone(2) while another thread held a lock of the library, which "    \
    "refuses everything here; make it by fork(3), or call exec(3) in it"

/* 1, 2, 3 ... in this process, and again from 1 in a forked child; always 0 without an epoch.
 * Thread safe. */
uint64_t process_next_number(void);

/* 64 bits that cannot be guessed without reading this process's memory: a check word for value. */
uint64_t process_check_word(uint64_t value);

/*
 * Used around pthread_create(3) for a thread of the library's own: signals belong to the threads of
 * the host program. SIGSYS alone stays open: glibc's setuid(3) makes every thread do the call, and
 * a filter's refusal of it (the gate with a report) kills the process where SIGSYS is blocked.
 */
bool process_mute(sigset_t *ret_before);
void process_unmute(const sigset_t *before);

#endif
