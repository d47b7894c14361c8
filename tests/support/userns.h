/* SPDX-License-Identifier: MIT */
/* Running a piece of a test in a user namespace of its own. */
#ifndef SUPPORT_USERNS_H
#define SUPPORT_USERNS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The maps are as in user_namespaces(7), "" for none. */
struct userns {
    const char *uid_map, *gid_map;
    bool deny_setgroups;
};

/* Into a new one. A thread that was joined is counted until the kernel has taken it away, a moment
 * later, and until then the answer is EINVAL (unshare(2)). */
static inline bool userns_enter(void)
{
    for (int i = 0; i < 1000; i++) {
        if (unshare(CLONE_NEWUSER) == 0) {
            return true;
        }
        if (errno != EINVAL) {
            return false;
        }
        usleep(1000);
    }
    return false;
}

enum { USERNS_PASSED = 0, USERNS_CANNOT = 77 };

static inline bool userns_write(pid_t pid, const char *file, const char *text)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    if (*text == '\0') {
        return true;
    }
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        close(fd);
    }
    return written;
}

/* The child waits in its namespace until this process, outside, has written the maps. The result
 * is the exit status of body's child: 0 when body answered 0, USERNS_CANNOT when the kernel or its
 * settings allow no such namespace. */
static inline int userns_run(const struct userns *userns, int (*body)(void *), void *context)
{
    int there[2], mapped[2], status = -1;
    char byte = 0;

    fflush(NULL);
    if (pipe(there) != 0 || pipe(mapped) != 0) {
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        if (!userns_enter() || write(there[1], "x", 1) != 1 || read(mapped[0], &byte, 1) != 1 ||
            byte != 'y') {
            _exit(USERNS_CANNOT);
        }
        _exit(body(context) == 0 ? USERNS_PASSED : 1);
    }
    close(there[1]);
    close(mapped[0]);
    bool done = child > 0 && read(there[0], &byte, 1) == 1 &&
                (!userns->deny_setgroups || userns_write(child, "setgroups", "deny")) &&
                userns_write(child, "uid_map", userns->uid_map) &&
                userns_write(child, "gid_map", userns->gid_map);
    (void)!write(mapped[1], done ? "y" : "n", 1);
    close(there[0]);
    close(mapped[1]);
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

#endif
