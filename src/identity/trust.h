/* SPDX-License-Identifier: MIT */
/*
 * Opening a file or folder that only a trusted user can have put there: policies, folders of logs.
 *
 * What is judged is always the opened descriptor, folder by folder from the root: a check of a path
 * name says nothing about what an open of that name gives a moment later.
 */
#ifndef IDENTITY_TRUST_H
#define IDENTITY_TRUST_H

#include <limits.h>
#include <sys/stat.h>

#include "miguard/status.h"

enum { TRUST_MAX_LINKS = 8, TRUST_PROBLEM = PATH_MAX + 1024 };

enum trust_rule {
    TRUST_STRICT,       /* a policy: a sticky folder is one that others can write */
    TRUST_STICKY_ABOVE, /* a log: above its own folder a sticky one will do */
    TRUST_ANYBODY,
};

enum trust_result {
    TRUST_OPENED,
    TRUST_ABSENT,  /* the last step or a folder on the way does not exist; nothing was told */
    TRUST_REFUSED, /* problem says why, with the place */
};

/*
 * Opens a regular file or a folder for reading, its type in *ret_stat. With TRUST_STRICT each
 * folder from "/" on, each symbolic link and the object itself must belong to root or the calling
 * euid and must not be writable by group or others; a sticky folder such as /tmp is writable by
 * others all the same. Anything else than a file or folder is refused without being opened.
 * A symbolic link that leads nowhere is refused, not absent.
 */
MIGUARD_CHECKED enum trust_result trust_open(const char *path, enum trust_rule rule,
                                             char problem[TRUST_PROBLEM], int *ret_fd,
                                             struct stat *ret_stat);

/*
 * Makes the last folder of path and opens it as TRUST_STICKY_ABOVE does, with this mode, the owner
 * of this process and the group gid, whatever the umask is. The folder above must be one in which
 * nobody else can put anything, a sticky one will not do, and no symbolic link may stand on the
 * way: what is made for root must not lie where somebody else has led it. ABSENT: the folder above
 * does not exist either. One that another process makes meanwhile is judged as trust_open() would.
 */
MIGUARD_CHECKED enum trust_result trust_make_folder(const char *path, mode_t mode, gid_t gid,
                                                    char problem[TRUST_PROBLEM], int *ret_fd,
                                                    struct stat *ret_stat);

#endif
