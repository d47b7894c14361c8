/* SPDX-License-Identifier: MIT */
/*
 * Keeps the program's signal handlers from running while the library changes a thread, or reads it
 * for an answer that is trusted later.
 *
 * All signals are blocked, also 32 and 33, which glibc reserves for pthread_cancel(3) and setuid(3)
 * and removes from each mask that passes through pthread_sigmask(3); hence the raw system call.
 * SIGSYS alone stays open: a sandbox may trap a call of the library (SECCOMP_RET_TRAP), and the
 * kernel ends the process when the signal that it forces is blocked (seccomp(2)). A handler of
 * SIGSYS can therefore still run; what it changes is refused by the gate or counted
 * (identity/change.h).
 *
 * Blocking costs two system calls, so it covers whole operations and not each call.
 */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

struct signals {
    uint64_t before; /* the thread's mask, as the kernel keeps it */
    bool blocked;
};

/* Blocks them on this thread. False with errno when the kernel refuses; *ret_signals may be passed
 * to signals_restore() in either case. Async-signal safe. */
bool signals_block(struct signals *ret_signals);

/* Restores the mask that signals_block() found, once. Async-signal safe, keeps errno. */
void signals_restore(struct signals *signals);

#endif
