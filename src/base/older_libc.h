/* SPDX-License-Identifier: MIT */
/*
 * Functions that glibc before 2.32 and musl lack. The Makefile compiles each file of src/probes and
 * includes this header before every source where one of them does not compile: the library checks
 * for the function and not for a version. Each replacement has its own name behind a macro, so that
 * a test can use them all where the C library has the originals, too
 * (tests/live/older_libc_test.sh).
 */
#ifndef BASE_OLDER_LIBC_H
#define BASE_OLDER_LIBC_H

#ifdef LACKS_STRERRORDESC

#include <string.h>

/* The text of a known error is a constant in both libraries; musl has one for an unknown one, too.
 * Unlike the original it is in the language of the process. */
#define strerrordesc_np older_strerrordesc

static inline const char *older_strerrordesc(int error)
{
#ifdef __GLIBC__
    static __thread char unknown[48];
    return strerror_r(error, unknown, sizeof(unknown));
#else
    return strerror(error);
#endif
}

#endif

#ifdef LACKS_CLOCKLOCK

#include <pthread.h>
#include <time.h>

/* By the clock of the day: one that is set meanwhile makes this one wait shorter or longer. */
#define pthread_mutex_clocklock older_clocklock

static inline int older_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until)
{
    struct timespec now, day;

    (void)clock_gettime(clock, &now);
    (void)clock_gettime(CLOCK_REALTIME, &day);
    day.tv_sec += until->tv_sec - now.tv_sec;
    day.tv_nsec += until->tv_nsec - now.tv_nsec;
    if (day.tv_nsec < 0) {
        day.tv_sec--;
        day.tv_nsec += 1000000000;
    } else if (day.tv_nsec >= 1000000000) {
        day.tv_sec++;
        day.tv_nsec -= 1000000000;
    }
    return pthread_mutex_timedlock(mutex, &day);
}

#endif

#ifdef LACKS_GETDENTS64

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef getdents64 /* musl's name for its getdents(), of another type */
#define getdents64 older_getdents64

static inline ssize_t older_getdents64(int fd, void *buffer, size_t size)
{
    return syscall(SYS_getdents64, fd, buffer, size);
}

#endif

#endif
