/* SPDX-License-Identifier: MIT */
/* Whether the ids of an identity name one owner each in this user namespace. */
#ifndef IDENTITY_ID_MAP_H
#define IDENTITY_ID_MAP_H

#include "identity/identity.h"

/* The inode number of the initial user namespace is a constant of the kernel (proc_ns.h). */
#define ID_MAP_INITIAL_NAMESPACE 0xEFFFFFFDu

/*
 * UNPROVABLE when an id of identity is the overflow id in a user namespace that does not map all
 * ids: the kernel shows that number for each unmapped id, so two different owners would look the
 * same (user_namespaces(7)). Supplementary groups are exempt where setgroups(2) is denied
 * permanently: there they cannot differ between the threads of a process. UNREADABLE when the maps
 * cannot be read.
 */
MIGUARD_CHECKED enum miguard_status id_map_prove(const struct miguard_identity *identity,
                                                 struct miguard_error *reterr);

#endif
