/* SPDX-License-Identifier: MIT */
/*
 * How a thread changes: become somebody for a while, and come back.
 *
 * Only the calling thread changes: the raw system calls are used, never glibc's wrappers, which
 * change every thread of the process (nptl(7)). Order: groups, gids, uids, capabilities; then
 * everything is read back and compared with what was asked.
 */
#ifndef MIGUARD_SWITCH_H
#define MIGUARD_SWITCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "identity.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How deeply switches may be nested on one thread. */
#define MIGUARD_SWITCH_DEPTH 16

/* Whom to become. Made by one of the functions below, which may look names up and allocate;
 * miguard_switch_to() itself does neither. */
struct miguard_target;

/*
 * A user by name, or by a decimal id when no user has that name; the user's groups are resolved
 * here, through NSS. The switched thread gets the user's uid and gid as real, effective and
 * filesystem ids; a user other than root gets no effective, inheritable or ambient capability.
 *
 * The saved uid stays the effective uid of before and the permitted capabilities stay, since they
 * are the way back. So other code on that thread could come back as well: a switch is for a
 * provider that means well, not a prison. execve(2) gives both up.
 *
 * Errors: INVALID_ARGUMENT, NOT_FOUND, LIMIT (more than 65,536 groups), NO_MEMORY.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_user(const char *user, struct miguard_target **ret_target,
                    struct miguard_error *reterr);

/*
 * Explicit ids. groups may be NULL only when group_count is 0, which means no supplementary group.
 * Errors: INVALID_ARGUMENT (an id of -1, NULL groups), LIMIT, NO_MEMORY.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_ids(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count,
                   struct miguard_target **ret_target, struct miguard_error *reterr);

/*
 * An identity captured earlier: ids, groups, capabilities and securebits as they were. What only
 * shrinks (bounding set, no_new_privs) and the user namespace must already agree.
 * Errors: INVALID_ARGUMENT, NO_MEMORY.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_identity(const struct miguard_identity *identity, struct miguard_target **ret_target,
                        struct miguard_error *reterr);

/* Releases a target. NULL is allowed. A switch does not keep its target. */
MIGUARD_API void miguard_target_free(struct miguard_target *target);

/*
 * Makes the calling thread the target, verified by reading everything back. On failure the thread
 * is what it was before, also verified; when that cannot be had, the process is aborted, since
 * going on under an unknown identity is the one thing that must not happen.
 *
 * Needs CAP_SETUID and CAP_SETGID for another user. Errors: INVALID_ARGUMENT, UNREADABLE, TORN,
 * UNPROVABLE, TOO_DEEP, NOT_SUPPORTED (there would be no way back), NOT_PERMITTED (EPERM, or EAGAIN
 * at RLIMIT_NPROC), SYSTEM, NOT_VERIFIED, NO_MEMORY (only when the thread has more groups than fit
 * its frame, before anything changed). reterr names the step and its errno.
 *
 * Thread safe: only the calling thread changes. Not async-signal safe. No allocation and no name
 * look-up happens between the first and the last system call.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_switch_to(const struct miguard_target *target, struct miguard_error *reterr);

/*
 * Undoes the latest miguard_switch_to() of this thread: what was captured then is restored and
 * verified. When it cannot be restored the process is aborted.
 * Errors: NOT_SWITCHED.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_switch_back(struct miguard_error *reterr);

/* How many switches of this thread are not undone. */
MIGUARD_API unsigned miguard_switch_depth(void);

#ifdef __cplusplus
}
#endif

#endif
