/* SPDX-License-Identifier: MIT */
/* Compiles where the C library has pthread_mutex_clocklock(3): glibc since 2.30. */
#include <pthread.h>
#include <time.h>

int probe(pthread_mutex_t *mutex, const struct timespec *until);

int probe(pthread_mutex_t *mutex, const struct timespec *until)
{
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, until);
}
