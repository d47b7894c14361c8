/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says of the calling thread, by its file and not by the calls that a filter
 * (seccomp(2)) can falsify. Only for tests, whose threads have few groups.
 */
#ifndef SUPPORT_THREAD_VIEW_H
#define SUPPORT_THREAD_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VIEW_GROUPS = 32 };

/* Two of them are compared as memory: there is no padding, and what is not used is 0. */
struct thread_view {
    uint64_t effective, permitted, inheritable, ambient, bounding;
    uint32_t uid[4], gid[4]; /* real, effective, saved, file system */
    uint32_t no_new_privs, securebits;
    uint32_t group_count, groups[VIEW_GROUPS];
    uint32_t unused;
};

/* False when it cannot be read or has more groups. */
bool thread_view_read(struct thread_view *ret_view);

/* The same of another thread of the process, whose securebits only itself can ask for. */
bool thread_view_read_of(long tid, uint32_t securebits, struct thread_view *ret_view);

bool thread_view_same(const struct thread_view *a, const struct thread_view *b);

uint64_t support_hash(const void *memory, size_t size, uint64_t seed);

#endif
