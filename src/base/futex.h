/* SPDX-License-Identifier: MIT */
/*
 * futex(2) within one process. It is a system call alone: async-signal safe, and nothing of it is
 * left in the child of a fork. A condition variable counts those who wait, and a child may begin
 * with threads of its parent counted.
 */
#ifndef BASE_FUTEX_H
#define BASE_FUTEX_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Returns when the word is not value (any more), after the time (NULL: none), or for no reason:
 * each caller looks again. */
static inline void futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *time)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, time, NULL, 0);
}

/* Behind the change of the word: a thread about to wait with the old value then does not sleep. */
static inline void futex_wake(_Atomic uint32_t *word, int threads)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
}

#endif
