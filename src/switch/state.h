/* SPDX-License-Identifier: MIT */
/*
 * What a switch looks at: the part of an identity that its system calls can change, and that it
 * therefore reads before, sets, reads back and restores.
 *
 * setgroups, setres[ug]id, setfs[ug]id, capset, PR_SET_KEEPCAPS, PR_SET_SECUREBITS and
 * PR_CAP_AMBIENT are all the calls it makes. None of them can touch the bounding set, the user
 * namespace or the LSM label, so reading those back could not tell anything about a switch; the 41
 * reads of the bounding set would only make it four times as slow. no_new_privs is not changed
 * either, but costs one read, and setting it meanwhile takes away the way back of others.
 */
#ifndef SWITCH_STATE_H
#define SWITCH_STATE_H

#include "identity/identity.h"

#define STATE_COMPONENTS ((miguard_components)COMPONENTS_OF_STATE)

/*
 * Reads that part of the calling thread into *ret_state, whose groups will be the buffer of
 * IDENTITY_MAX_GROUPS that is given. 0, or the component that cannot be read, or that a filter of
 * system calls falsifies (the fs ids: a filter may answer 0 in place of them).
 * Allocates nothing; async-signal safe.
 */
MIGUARD_CHECKED miguard_components state_read(struct miguard_identity *ret_state, gid_t *groups);

/*
 * The same, and proved to be what a thread can be brought back to: read twice with the same answer,
 * with no id of -1 and none that the user namespace does not map. second is a buffer like groups,
 * for the second time. Errors: UNREADABLE, TORN, UNPROVABLE.
 */
MIGUARD_CHECKED enum miguard_status state_capture(struct miguard_identity *ret_state, gid_t *groups,
                                                  gid_t *second, struct miguard_error *reterr);

/* The components in which the calling thread differs from expected, 0 for none; what cannot be read
 * differs. groups is room for IDENTITY_MAX_GROUPS. */
MIGUARD_CHECKED miguard_components state_check(const struct miguard_identity *expected,
                                               gid_t *groups);

#endif
