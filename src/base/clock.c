/* SPDX-License-Identifier: MIT */
/* Reads CLOCK_MONOTONIC and its coarse form, which cannot fail (clock_gettime(2)). Called for each
 * timeout and each measurement. */
#include "base/clock.h"

enum { MS = 1000000, SECOND = 1000 * MS }; /* in nanoseconds */

static struct timespec monotonic(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now;
}

int64_t clock_now_ms(void)
{
    return clock_now_ns() / MS;
}

int64_t clock_now_ns(void)
{
    struct timespec now = monotonic();

    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

int64_t clock_tick_ms(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / MS;
}

int64_t clock_wall(void)
{
    struct timespec now = {0, 0};

    return clock_gettime(CLOCK_REALTIME, &now) == 0 ? (int64_t)now.tv_sec : 0;
}

struct timespec clock_after_ms(uint64_t milliseconds)
{
    struct timespec until = monotonic();

    until.tv_sec += (time_t)(milliseconds / 1000);
    until.tv_nsec += (long)(milliseconds % 1000) * MS;
    if (until.tv_nsec >= SECOND) {
        until.tv_nsec -= SECOND;
        until.tv_sec++;
    }
    return until;
}

void clock_cond_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    /* On Linux neither allocates nor fails for these arguments. */
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}
