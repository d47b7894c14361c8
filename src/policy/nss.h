/* SPDX-License-Identifier: MIT */
/*
 * Users and groups by name, through NSS. Each answers 0, ENOENT when there is no such name, or
 * another errno; outputs are untouched then.
 */
#ifndef POLICY_NSS_H
#define POLICY_NSS_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/arena.h"

struct nss_user {
    const char *name; /* the arena's */
    uint32_t uid, gid;
};

/* name NULL: by uid. */
int nss_user(const char *name, uint32_t uid, struct arena *arena, struct nss_user *ret_user);

int nss_group(const char *name, uint32_t *ret_gid);

/* The groups that a login of this user has, gid among them, ascending. */
int nss_groups(const struct nss_user *user, struct arena *arena, const uint32_t **ret_groups,
               uint32_t *ret_count);

#endif
