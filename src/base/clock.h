/* SPDX-License-Identifier: MIT */
/* CLOCK_MONOTONIC for waits and measurements: setting the time of day does not move it. And the
 * time of day. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* The time since an arbitrary start, in milliseconds and nanoseconds. Neither fails. */
int64_t clock_now_ms(void);
int64_t clock_now_ns(void);

/* The same as of the last tick of the kernel, which is some milliseconds ago: without a read of the
 * processor's counter. For limits of seconds. */
int64_t clock_tick_ms(void);

/* CLOCK_REALTIME in seconds since 1970; 0 when it cannot be read. A machine without a clock of its
 * own begins in 1970, or where its firmware was made: before CLOCK_EARLIEST, 2024-01-01, nothing is
 * the time. */
#define CLOCK_EARLIEST INT64_C(1704067200)
int64_t clock_wall(void);

/* A deadline from now, for a condition of clock_cond_init() or pthread_mutex_clocklock(3). */
struct timespec clock_after_ms(uint64_t milliseconds);

/* A condition whose waits end by this clock. */
void clock_cond_init(pthread_cond_t *condition);

#endif
