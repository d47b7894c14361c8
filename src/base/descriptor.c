/* SPDX-License-Identifier: MIT */
/* Numbers of descriptors above those of the host. Called for each descriptor that the library opens
 * in the host's table, and keeps or closes at once. */
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's table of a process grows to the highest number: a higher floor would cost memory. */
enum { AWAY = 512, LOWEST = 3 };

/* The lowest number that descriptor_away() aims at, under the limit that holds now. */
static int floor_of(void)
{
    struct rlimit limit = {0, 0};

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 2 >= AWAY) {
        return AWAY;
    }
    return limit.rlim_cur / 2 > LOWEST ? (int)(limit.rlim_cur / 2) : LOWEST;
}

/* The raw calls: open(2) and close(2) of the C library are cancellation points. */
static int open_raw(int folder, const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

static void close_raw(int fd)
{
    int error = errno;
    (void)syscall(SYS_close, fd);
    errno = error;
}

int descriptor_away(int fd)
{
    int floor = floor_of();

    if (fd < 0 || fd >= floor) {
        return fd;
    }
    int away = fcntl(fd, F_DUPFD_CLOEXEC, floor);
    if (away < 0 && fd >= LOWEST) {
        return fd; /* the limit is reached, or lower by now */
    }
    if (away < 0) {
        away = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST);
    }
    close_raw(fd);
    return away;
}

int descriptor_open(int folder, const char *path, int flags, mode_t mode)
{
    struct descriptor_low low;

    descriptor_take_low(&low);
    int fd = open_raw(folder, path, flags, mode);
    descriptor_give_low(&low);
    if (fd < 0 || fd >= LOWEST) {
        return fd;
    }
    int above = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST); /* another thread gave its number back */
    close_raw(fd);
    return above;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

void descriptor_take_low(struct descriptor_low *ret_low)
{
    ret_low->count = 0;
    if (is_open(0) && is_open(1) && is_open(2)) {
        return;
    }
    while (ret_low->count < LOWEST) {
        int fd = open_raw(AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0);
        if (fd >= LOWEST) {
            close_raw(fd);
        }
        if (fd < 0 || fd >= LOWEST) {
            return;
        }
        ret_low->taken[ret_low->count++] = fd;
    }
}

void descriptor_give_low(struct descriptor_low *low)
{
    while (low->count > 0) {
        close_raw(low->taken[--low->count]);
    }
}
