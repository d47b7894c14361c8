/* SPDX-License-Identifier: MIT */
/*
 * What a pidfd of the own thread would save a fresh check: one PIDFD_GET_INFO (Linux 6.13) gives
 * the eight ids that take four calls. The library does not use it: the figure is the reason why.
 *
 * A thread would hold a descriptor for as long as it lives, which its program can close or put
 * another file in the place of (closefrom(3), dup2(2)); a child of vfork(2) shares the thread's
 * memory but not what the descriptor stands for, so gettid(2) is needed beside it to know whose ids
 * these are; and groups, capabilities and securebits still take a call each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/measure.h"

enum { ROUNDS = 41, CALLS = 2000, WITH_CREDENTIALS = 2 };

/* struct pidfd_info of <linux/pidfd.h> in its first version, which older headers lack. */
struct info {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid;
    uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};

#define GET_INFO    _IOWR(0xFF, 11, struct info)
#define OF_A_THREAD O_EXCL /* PIDFD_THREAD */

static const struct bench_row pidfd_rows[] = {
    {.name = "pidfd.ids",
     .goal = BENCH_NO_GOAL,
     .first = "PIDFD_GET_INFO and gettid",
     .second = "getresuid, getresgid, setfsuid and setfsgid",
     .unit = "ns",
     .leaves_out = "opening the descriptor, once for each thread; the other calls of a check, "
                   "which stay"},
};

static void by_descriptor(void *data, int calls)
{
    for (int i = 0; i < calls; i++) {
        struct info info = {.mask = WITH_CREDENTIALS};
        if (ioctl(*(int *)data, GET_INFO, &info) != 0 ||
            info.pid != (uint32_t)syscall(SYS_gettid)) {
            abort();
        }
    }
}

static void by_calls(void *data, int calls)
{
    uid_t ids[6];
    (void)data;

    for (int i = 0; i < calls; i++) {
        if (syscall(SYS_getresuid, &ids[0], &ids[1], &ids[2]) != 0 ||
            syscall(SYS_getresgid, &ids[3], &ids[4], &ids[5]) != 0) {
            abort();
        }
        (void)syscall(SYS_setfsuid, -1);
        (void)syscall(SYS_setfsgid, -1);
    }
}

BENCH_GROUP_DECLARE(pidfd);

static void run_pidfd(void)
{
    struct info info = {.mask = WITH_CREDENTIALS};
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)syscall(SYS_gettid), OF_A_THREAD);

    if (fd < 0 || ioctl(fd, GET_INFO, &info) != 0) {
        bench_skip_all(&bench_group_pidfd, "this kernel has no PIDFD_GET_INFO of a thread");
    } else {
        bench_compare(&pidfd_rows[0], by_descriptor, by_calls, &fd, CALLS, ROUNDS);
    }
    if (fd >= 0) {
        close(fd);
    }
}

BENCH_GROUP(pidfd, pidfd_rows, run_pidfd);
