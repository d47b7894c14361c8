/* SPDX-License-Identifier: MIT */
/* Moves a descriptor to a high number. Called for each descriptor that the library keeps open. */
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
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
    int error = errno;
    (void)close(fd);
    errno = error;
    return away;
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
        int fd = open("/", O_PATH | O_CLOEXEC);
        if (fd >= LOWEST) {
            (void)close(fd);
        }
        if (fd < 0 || fd >= LOWEST) {
            return;
        }
        ret_low->taken[ret_low->count++] = fd;
    }
}

void descriptor_give_low(struct descriptor_low *low)
{
    int error = errno;

    while (low->count > 0) {
        (void)close(low->taken[--low->count]);
    }
    errno = error;
}
