/* SPDX-License-Identifier: MIT */
/*
 * Opens a file or folder that only a trusted user can have placed: policies, folders of logs.
 *
 * The check always examines the opened descriptor, folder by folder from the root: a check of a
 * path name says nothing about what an open of that name returns a moment later.
 */
#ifndef IDENTITY_TRUST_H
#define IDENTITY_TRUST_H

#include <limits.h>
#include <sys/stat.h>

#include "miguard/status.h"

/* The links on one way: a loop ends there. TRUST_PROBLEM: bytes of a message, which has a path and
 * a reason. */
enum { TRUST_MAX_LINKS = 8, TRUST_PROBLEM = PATH_MAX + 1024 };

/* Who may have placed the object and what is on the way to it. */
enum trust_rule {
    TRUST_STRICT,       /* a policy: a sticky folder is one that others can write */
    TRUST_STICKY_ABOVE, /* a log: above its own folder a sticky one is allowed */
    TRUST_ANYBODY,
};

enum trust_result {
    TRUST_OPENED,
    TRUST_ABSENT,  /* the last step or a folder before it does not exist; problem is untouched */
    TRUST_REFUSED, /* problem has the place and the reason */
};

/*
 * Opens a regular file or a folder for reading, its type in *ret_stat. With TRUST_STRICT each
 * folder from "/" on, each symbolic link and the object itself must belong to root or the calling
 * euid and must not be writable by group or others; a sticky folder such as /tmp counts as writable
 * by others. Anything but a file or folder is refused without being opened. A symbolic link to
 * nothing is refused, not absent.
 */
MIGUARD_CHECKED enum trust_result trust_open(const char *path, enum trust_rule rule,
                                             char problem[TRUST_PROBLEM], int *ret_fd,
                                             struct stat *ret_stat);

/*
 * Makes the last folder of path and opens it as TRUST_STICKY_ABOVE does, with this mode, the owner
 * of this process and the group gid, whatever the umask is. Other users must not be able to create
 * entries in the parent folder, not even in a sticky one, and the path must not contain a symbolic
 * link: a folder that root makes must not end up where another user redirected it. ABSENT: the
 * parent does not exist either. A folder that another process makes meanwhile is checked as
 * trust_open() does.
 */
MIGUARD_CHECKED enum trust_result trust_make_folder(const char *path, mode_t mode, gid_t gid,
                                                    char problem[TRUST_PROBLEM], int *ret_fd,
                                                    struct stat *ret_stat);

#endif
