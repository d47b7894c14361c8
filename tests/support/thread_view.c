/* SPDX-License-Identifier: MIT */
#include "support/thread_view.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *value_of(const char *status, const char *name)
{
    const char *line = strstr(status, name);
    return line == NULL ? NULL : line + strlen(name);
}

static bool read_ids(const char *status, const char *name, uint32_t id[4])
{
    const char *at = value_of(status, name);
    char *end = NULL;

    for (int i = 0; at != NULL && i < 4; i++, at = end) {
        id[i] = (uint32_t)strtoul(at, &end, 10);
        if (end == at) {
            return false;
        }
    }
    return at != NULL;
}

static bool read_set(const char *status, const char *name, uint64_t *ret_set)
{
    const char *at = value_of(status, name);

    *ret_set = at == NULL ? 0 : strtoull(at, NULL, 16);
    return at != NULL;
}

static bool read_groups(const char *status, struct thread_view *view)
{
    const char *at = value_of(status, "\nGroups:");

    while (at != NULL) {
        char *end = NULL;
        at += strspn(at, " \t");
        if (*at == '\n') {
            return true;
        }
        unsigned long group = strtoul(at, &end, 10);
        if (end == at || view->group_count == VIEW_GROUPS) {
            return false;
        }
        view->groups[view->group_count++] = (uint32_t)group;
        at = end;
    }
    return false;
}

static bool read_view(const char *path, struct thread_view *ret_view)
{
    char status[4096];
    uint64_t no_new_privs = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);

    memset(ret_view, 0, sizeof(*ret_view));
    close(fd);
    if (length <= 0) {
        return false;
    }
    status[length] = '\0';
    if (!read_ids(status, "\nUid:", ret_view->uid) || !read_ids(status, "\nGid:", ret_view->gid) ||
        !read_groups(status, ret_view) || !read_set(status, "\nCapInh:", &ret_view->inheritable) ||
        !read_set(status, "\nCapPrm:", &ret_view->permitted) ||
        !read_set(status, "\nCapEff:", &ret_view->effective) ||
        !read_set(status, "\nCapBnd:", &ret_view->bounding) ||
        !read_set(status, "\nCapAmb:", &ret_view->ambient) ||
        !read_set(status, "\nNoNewPrivs:", &no_new_privs)) {
        return false;
    }
    ret_view->no_new_privs = (uint32_t)no_new_privs;
    return true;
}

bool thread_view_read(struct thread_view *ret_view)
{
    bool done = read_view("/proc/thread-self/status", ret_view);

    ret_view->securebits = (uint32_t)prctl(PR_GET_SECUREBITS);
    return done;
}

bool thread_view_read_of(long tid, uint32_t securebits, struct thread_view *ret_view)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%ld/status", tid);
    bool done = read_view(path, ret_view);
    ret_view->securebits = securebits;
    return done;
}

bool thread_view_same(const struct thread_view *a, const struct thread_view *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

uint64_t support_hash(const void *memory, size_t size, uint64_t seed)
{
    const unsigned char *bytes = memory;
    uint64_t value = seed ^ 14695981039346656037U;

    for (size_t i = 0; i < size; i++) {
        value = (value ^ bytes[i]) * 1099511628211U;
    }
    return value == 0 ? 1 : value;
}
