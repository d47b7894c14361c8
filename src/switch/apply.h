/* SPDX-License-Identifier: MIT */
#ifndef SWITCH_APPLY_H
#define SWITCH_APPLY_H

#include "identity/identity.h"

/* Towards another identity the order is groups, gids, uids; on the way back the reverse. */
enum switch_order { SWITCH_THERE, SWITCH_BACK };

/* capset(2); returns the kernel's result. Async-signal safe. */
long switch_set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable);

/* Whether the real, effective or saved uid is 0. A thread that leaves that altogether loses
 * capabilities (capabilities(7), "Effect of user ID changes on capabilities"). */
bool switch_any_root(const uid_t uid[IDENTITY_IDS]);

/* Whether the real, effective or saved id is this one; whether each of the wanted three is one of
 * them. The kernel then allows to set them without CAP_SETUID or CAP_SETGID (setresuid(2)). A gid_t
 * is the same type here. */
bool switch_has_id(const uid_t have[IDENTITY_IDS], uid_t id);
bool switch_has_ids(const uid_t have[IDENTITY_IDS], const uid_t wanted[IDENTITY_FS]);

/* The effective set after a change of the effective uid: the kernel clears it when that leaves 0,
 * and makes it the permitted one when it becomes 0 (capabilities(7), "Effect of user ID changes on
 * capabilities"; cap_emulate_setxuid() of security/commoncap.c). */
uint64_t switch_effective_after(uid_t from_euid, uid_t to_euid, uint32_t securebits,
                                uint64_t effective, uint64_t permitted);

/*
 * Changes the calling thread from `from` to `to` by raw system calls, as far as a thread can
 * change: ids, groups, the effective, inheritable and ambient capabilities and securebits. changes
 * are the components that still differ; the others are not set, since setting even the same value
 * may need a privilege that the thread lacks. The permitted set is kept throughout. The groups of
 * `from` are not read.
 *
 * After a failure the thread may have any state in between: the caller must restore it. Nothing is
 * verified here, so an outdated `from` causes a failure at worst. Errors: NOT_PERMITTED, NO_MEMORY,
 * SYSTEM, UNREADABLE, NOT_VERIFIED. Allocates nothing.
 */
MIGUARD_CHECKED enum miguard_status
switch_apply(const struct miguard_identity *from, const struct miguard_identity *to,
             miguard_components changes, enum switch_order order, struct miguard_error *reterr);

#endif
