/* SPDX-License-Identifier: MIT */
/*
 * Finds io_uring threads of the process (uring.h). Called by the gate, the drop and the records of
 * switches.
 *
 * The list of threads is read by getdents64(2) and each thread's stat by read(2): nothing is
 * allocated, since threads that hold the allocator's lock may be stopped.
 */
#include "switch/uring.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptor.h"

#define IO_WORKER 0x10UL /* PF_IO_WORKER of the kernel's <linux/sched.h> */

/* The name may contain parentheses, so it ends at the last one. Six fields precede the flags. False
 * for a thread of the program, and where the file is not as proc_pid_stat(5) says. */
static bool parse_stat(char *stat, char ret_name[URING_NAME_SIZE])
{
    char *begin = strchr(stat, '('), *end = strrchr(stat, ')');
    unsigned long flags = 0;

    if (begin == NULL || end == NULL ||
        sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) != 1) {
        return false;
    }
    snprintf(ret_name, URING_NAME_SIZE, "%.*s", (int)(end - begin - 1), begin + 1);
    return (flags & IO_WORKER) != 0;
}

/* False for a thread that has ended meanwhile: its file is gone. */
bool uring_is_thread(pid_t tid, char ret_name[URING_NAME_SIZE])
{
    char path[64], stat[512];

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    int fd = descriptor_open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    ssize_t length = read(fd, stat, sizeof(stat) - 1);
    close(fd);
    stat[length > 0 ? length : 0] = '\0';
    return parse_stat(stat, ret_name);
}

/* A new thread sets its name when it begins to run; until then it has its creator's. A worker is
 * recognised by its name, which no other io_uring thread has. */
static bool polls(pid_t tid, _Atomic pid_t harmless[URING_HARMLESS])
{
    char name[URING_NAME_SIZE];
    _Atomic pid_t *known = harmless == NULL ? NULL : &harmless[tid % URING_HARMLESS];

    if (known != NULL && atomic_load_explicit(known, memory_order_relaxed) == tid) {
        return false;
    }
    bool found = uring_is_thread(tid, name) && strncmp(name, "iou-wrk-", 8) != 0;
    if (known != NULL && !found) {
        atomic_store_explicit(known, tid, memory_order_relaxed);
    }
    return found;
}

/* 0 also where /proc cannot be read: a poller is then not detected. */
pid_t uring_find_poller(_Atomic pid_t harmless[URING_HARMLESS])
{
    _Alignas(struct dirent64) char buffer[4096];
    pid_t found = 0;
    long length = 0;
    int folder =
        descriptor_open(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    while (folder >= 0 && found == 0 &&
           (length = syscall(SYS_getdents64, folder, buffer, sizeof(buffer))) > 0) {
        for (long at = 0; at < length && found == 0;) {
            const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
            pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
            at += entry->d_reclen;
            found = entry->d_name[0] != '.' && polls(tid, harmless) ? tid : 0;
        }
    }
    if (folder >= 0) {
        close(folder);
    }
    return found;
}
