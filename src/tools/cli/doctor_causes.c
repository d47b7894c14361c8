/* SPDX-License-Identifier: MIT */
/*
 * What stands behind a failure of `miguard doctor`'s tries, so that its advice names that.
 *
 * Each same_...() function makes one of the calls of a switch with the values that are in force
 * already, so that the kernel has no reason to refuse; an error then comes from a filter around
 * this process. They run in children, as a filter may also kill.
 */
#include "tools/cli/doctor.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By the system call itself: /proc may not be mounted where this runs. */
bool has_capability(unsigned number)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};

    return syscall(SYS_capget, &header, data) == 0 &&
           (data[number / 32].effective >> (number % 32) & 1) != 0;
}

/* ---- calls that change nothing --------------------------------------------------------------- */

/* Also the only one that needs a capability (setgroups(2)). */
static int same_groups(void *unused, struct attempt *found)
{
    static gid_t groups[65536];
    int count = getgroups(65536, groups);

    (void)unused;
    (void)found;
    if (!has_capability(CAP_SETGID)) {
        return 0; /* without it the kernel refuses */
    }
    return count >= 0 && syscall(SYS_setgroups, (size_t)count, groups) == 0 ? 0 : errno;
}

/* -1 leaves an id as it is (setresgid(2)). */
static int same_gids(void *unused, struct attempt *found)
{
    (void)unused;
    (void)found;
    return syscall(SYS_setresgid, -1, -1, -1) == 0 ? 0 : errno;
}

/* Likewise (setresuid(2)). */
static int same_uids(void *unused, struct attempt *found)
{
    (void)unused;
    (void)found;
    return syscall(SYS_setresuid, -1, -1, -1) == 0 ? 0 : errno;
}

/* setfsgid(2) and setfsuid(2) return the previous id, never an error, and -1 is not an id; so -1 is
 * a filter's answer. */
static int same_fsgid(void *unused, struct attempt *found)
{
    (void)unused;
    (void)found;
    return syscall(SYS_setfsgid, -1) != -1 ? 0 : errno;
}

/* As same_fsgid(). */
static int same_fsuid(void *unused, struct attempt *found)
{
    (void)unused;
    (void)found;
    return syscall(SYS_setfsuid, -1) != -1 ? 0 : errno;
}

/* Sets what capget(2) has just returned. */
static int same_capabilities(void *unused, struct attempt *found)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    (void)unused;
    (void)found;
    return syscall(SYS_capget, &header, data) == 0 && syscall(SYS_capset, &header, data) == 0
               ? 0
               : errno;
}

/* Setting them needs CAP_SETPCAP (capabilities(7)), even to the same value. */
static int same_securebits(void *unused, struct attempt *found)
{
    int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);

    (void)unused;
    (void)found;
    if (bits < 0) {
        return errno;
    }
    return !has_capability(CAP_SETPCAP) || prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) == 0 ? 0 : errno;
}

/* A question only, of the prctl(2) operation that a switch uses. */
static int ask_ambient(void *unused, struct attempt *found)
{
    (void)unused;
    (void)found;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SETUID, 0, 0) >= 0 ? 0 : errno;
}

/* The list is cut where the buffer ends. */
void find_denied_calls(char *buffer, size_t size)
{
    static const struct {
        const char *name;
        int (*call)(void *, struct attempt *);
    } calls[] = {
        {"setgroups(2)", same_groups},
        {"setresgid(2)", same_gids},
        {"setresuid(2)", same_uids},
        {"setfsgid(2)", same_fsgid},
        {"setfsuid(2)", same_fsuid},
        {"capset(2)", same_capabilities},
        {"prctl(2) with PR_SET_SECUREBITS", same_securebits},
        {"prctl(2) with PR_CAP_AMBIENT", ask_ambient},
    };
    size_t length = 0;

    buffer[0] = '\0';
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (in_child(calls[i].call, NULL).error != 0 && length < size) {
            length += (size_t)snprintf(buffer + length, size - length, "%s%s",
                                       length > 0 ? ", " : "", calls[i].name);
        }
    }
}
