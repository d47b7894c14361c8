/* SPDX-License-Identifier: MIT */
/*
 * The part of an identity that a switch's system calls can change, and that it therefore reads
 * before, sets, reads back and restores.
 *
 * setgroups, setres[ug]id, setfs[ug]id, capset, PR_SET_KEEPCAPS, PR_SET_SECUREBITS and
 * PR_CAP_AMBIENT are all the calls it makes. None of them can change the bounding set, the user
 * namespace or the LSM label, so reading those back would prove nothing about a switch; the 41
 * reads of the bounding set would make it four times as slow. no_new_privs is not changed either,
 * but costs one read, and setting it meanwhile would prevent others from switching back.
 */
#ifndef SWITCH_STATE_H
#define SWITCH_STATE_H

#include "identity/identity.h"

#define STATE_COMPONENTS ((miguard_components)COMPONENTS_OF_STATE)

/*
 * Reads that part of the calling thread into *ret_state, with the groups in the given buffer of
 * IDENTITY_MAX_GROUPS. 0, or the component that cannot be read, or that a filter of system calls
 * falsifies (the fs ids: a filter may answer 0 instead). Allocates nothing; async-signal safe.
 */
MIGUARD_CHECKED miguard_components state_read(struct miguard_identity *ret_state, gid_t *groups);

/*
 * The same, and proved to be a state to which a thread can be restored: read twice with the same
 * answer, without an id of -1 or one that the user namespace does not map. second is a buffer like
 * groups, for the second read. *ret_filtered: a filter of system calls was seen; it is set on
 * success. Errors: UNREADABLE, TORN, UNPROVABLE.
 */
MIGUARD_CHECKED enum miguard_status state_capture(struct miguard_identity *ret_state, gid_t *groups,
                                                  gid_t *second, bool *ret_filtered,
                                                  struct miguard_error *reterr);

/*
 * state_capture() of a thread that was read as state before and may be so still: one reading that
 * is equal. *ret_same is false where it is not, and then nothing else was done: state_capture() has
 * to read it. state keeps its groups. Errors, with *ret_same set: UNREADABLE, UNPROVABLE.
 */
MIGUARD_CHECKED enum miguard_status state_capture_again(struct miguard_identity *state,
                                                        gid_t *second, bool *ret_same,
                                                        bool *ret_filtered,
                                                        struct miguard_error *reterr);

/*
 * The components in which the calling thread differs from expected, or 0; an unreadable component
 * counts as different. from is what the thread was before the steps of a switch, with signals
 * blocked since, or NULL: not known. *ret_now is what was read, with groups in the given buffer of
 * IDENTITY_MAX_GROUPS.
 */
MIGUARD_CHECKED miguard_components state_check(const struct miguard_identity *from,
                                               const struct miguard_identity *expected,
                                               struct miguard_identity *ret_now, gid_t *groups);

/* Whether the thread has the effective ids of the identity, which is enough for `from`. */
bool state_has_effective_ids(const struct miguard_identity *identity);

#endif
