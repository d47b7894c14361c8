/* SPDX-License-Identifier: MIT */
/*
 * Opening a policy file that only a trusted user can have written.
 *
 * What is judged is always the opened descriptor, folder by folder from the root: a check of a path
 * name says nothing about what an open of that name gives a moment later.
 */
#ifndef POLICY_TRUST_H
#define POLICY_TRUST_H

#include <sys/stat.h>

#include "policy/diagnostic.h"
#include "policy/draft.h"

enum { TRUST_MAX_LINKS = 8 };

enum trust_result {
    TRUST_OPENED,
    TRUST_ABSENT,  /* the last step or a folder on the way does not exist; nothing was told */
    TRUST_REFUSED, /* *errors says why */
};

/*
 * Opens a regular file or a folder for reading, its type in *ret_stat. With DRAFT_TRUST_ALL each
 * folder from "/" on, each symbolic link and the object itself must belong to root or the calling
 * euid and must not be writable by group or others; a sticky folder such as /tmp is writable by
 * others all the same. Anything else than a file or folder is refused without being opened.
 * A symbolic link that leads nowhere is refused, not absent.
 */
MIGUARD_CHECKED enum trust_result trust_open(const char *path, enum draft_trust trust,
                                             struct diagnostics *errors, int *ret_fd,
                                             struct stat *ret_stat);

#endif
