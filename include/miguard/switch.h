/* SPDX-License-Identifier: MIT */
/*
 * How a thread changes: become somebody for a while, and come back; and how a process gives up what
 * it is for good.
 *
 * A switch changes the calling thread only: the raw system calls are used, never glibc's wrappers,
 * which change every thread of the process (nptl(7)). Order: groups, gids, uids, capabilities; then
 * everything is read back and compared with what was asked.
 *
 * Whom to become is resolved beforehand, into a target: that may look names up and allocate. The
 * switch does neither.
 */
#ifndef MIGUARD_SWITCH_H
#define MIGUARD_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "identity.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How deeply switches may be nested on one thread. */
#define MIGUARD_SWITCH_DEPTH 16

/* How many threads a process may have when it is dropped. */
#define MIGUARD_DROP_THREADS 4096

/* ---- targets ----------------------------------------------------------------------------- */

/* Whom to become. Immutable once it is used; any number of threads may use it at one time. */
struct miguard_target;

/*
 * A user by name or id; the user's groups are resolved here, through NSS, on the calling thread and
 * for as long as that takes. Digits are an id, and refused where they are the name of a user with
 * another id; "+1000" is an id whatever is called so (miguard-policy(5), "NAMES AND IDS"). The
 * switched thread gets the user's uid and gid as real, effective and filesystem ids; a user other
 * than root gets no effective, inheritable or ambient capability, unless miguard_target_keep_caps()
 * says otherwise.
 *
 * The saved uid stays the effective uid of before and the permitted capabilities stay, since they
 * are the way back. So other code on that thread could come back as well: a switch is for a
 * provider that means well, not a prison; that is miguard_drop().
 *
 * Errors: INVALID_ARGUMENT (also for digits that may be either), NOT_FOUND (there is no such user),
 * SYSTEM (nobody could be asked; the errno says why), LIMIT (more than 65,536 groups, or an entry
 * of more than 32 MiB), NO_MEMORY. Needs no privilege. Thread safe; not async-signal safe, as all
 * functions that make a target.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_user(const char *user, struct miguard_target **ret_target,
                    struct miguard_error *reterr);

/* What becomes of the supplementary groups. There is no default: zero is refused, since whoever
 * does not think of the groups keeps those of root. */
enum miguard_groups_choice {
    MIGUARD_GROUPS_KEEP = 1, /* those that the thread has when it switches */
    MIGUARD_GROUPS_CLEAR,    /* none */
    MIGUARD_GROUPS_LIST,     /* list and count; a list of none is MIGUARD_GROUPS_CLEAR */
    MIGUARD_GROUPS_OF_USER   /* those of user, a name or id as above, looked up at once */
};

/* What the choice does not need must be NULL and 0. */
struct miguard_groups {
    enum miguard_groups_choice choice;
    const gid_t *list;
    size_t count;
    const char *user;
};

/*
 * Explicit ids, and the groups that were chosen.
 * Errors: INVALID_ARGUMENT (an id of -1, no choice of groups, or one that does not fit its
 * members), NOT_FOUND (groups of a user whom there is not), LIMIT, NO_MEMORY. Needs no privilege.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_ids(uid_t uid, gid_t gid, const struct miguard_groups *groups,
                   struct miguard_target **ret_target, struct miguard_error *reterr);

/*
 * The peer of a connected unix socket: its effective uid and gid and its groups, as they were when
 * it connected, listened or made the pair (unix(7), SO_PEERCRED, SO_PEERGROUPS).
 *
 * A peer whose ids this user namespace does not map is shown under the overflow id, which may be
 * anybody: UNPROVABLE. Errors: INVALID_ARGUMENT (no connected unix socket), UNPROVABLE, UNREADABLE,
 * SYSTEM, LIMIT, NO_MEMORY. Needs no privilege.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_peer(int socket, struct miguard_target **ret_target, struct miguard_error *reterr);

/*
 * An identity captured earlier: ids, groups, capabilities and securebits as they were. What only
 * shrinks (permitted and bounding set, no_new_privs), the user namespace and the LSM label must
 * already agree. miguard.h has the same for the identity of a session: miguard_target_session().
 * Errors: INVALID_ARGUMENT, NO_MEMORY. Needs no privilege.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_identity(const struct miguard_identity *identity, struct miguard_target **ret_target,
                        struct miguard_error *reterr);

/*
 * The capabilities that shall be in force under a target of a user, ids or a peer, by the names of
 * libcap-ng, with "cap_" or without, such as "cap_net_bind_service,cap_dac_read_search"; "" means
 * none, also for root. To be called before the target is used.
 *
 * A switch makes them effective; the permitted set stays what it is, as the way back. A drop leaves
 * them, and nothing else, permitted and effective. In both cases the inheritable and ambient sets
 * are emptied: what execve(2) starts gets none of them.
 *
 * Errors: INVALID_ARGUMENT (NULL, or the target is an identity, which has its capabilities),
 * NOT_FOUND (no such capability). The target is untouched on failure. Needs no privilege; the
 * switch then needs each of them in its permitted set.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_keep_caps(struct miguard_target *target, const char *names,
                         struct miguard_error *reterr);

/* Releases a target. NULL is allowed. A switch does not keep its target. */
MIGUARD_API void miguard_target_free(struct miguard_target *target);

/* ---- this thread, for a while ------------------------------------------------------------- */

/*
 * Makes the calling thread the target, verified by reading back every component that was asked for.
 * On failure the thread is what it was before, also verified; when that cannot be had, the process
 * is aborted, since going on under an unknown identity is the one thing that must not happen.
 *
 * Needs, in the permitted set: CAP_SETUID for a uid that is none of the thread's real, effective
 * and saved ones, CAP_SETGID for such a gid and for other groups, CAP_SETPCAP for an identity with
 * other securebits, and what miguard_target_keep_caps() names. A thread that is the target already
 * needs nothing. Without the privilege to come back it does not go: that is refused as well.
 *
 * Errors: INVALID_ARGUMENT, UNREADABLE, TORN, UNPROVABLE, TOO_DEEP, NOT_SUPPORTED (there would be
 * no way back), NOT_PERMITTED (EPERM, or EAGAIN at RLIMIT_NPROC), SYSTEM (such as EINVAL: the user
 * namespace does not map an id), NO_MEMORY (the kernel's, or for the first switch of a thread no
 * room for its way back), NOT_VERIFIED. reterr names the step and its errno.
 *
 * Thread safe: only the calling thread changes. Not async-signal safe. Takes nothing from the
 * allocator and looks nothing up; the first switch of a thread maps memory before it changes
 * anything. Its record, where the policy asks for one, is written when it is over, and may do both.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_switch_to(const struct miguard_target *target, struct miguard_error *reterr);

/*
 * Undoes the latest miguard_switch_to() of this thread: the ids, groups, capabilities, securebits
 * and no_new_privs of then are restored and verified, whatever they are now. When they cannot be
 * had the process is aborted. What a switch can neither change nor restore is not looked at: the
 * bounding set, the user namespace, the LSM label; the guard of a session does look.
 *
 * Needs what the switch left in the permitted set and the saved uid. Errors: NOT_SWITCHED;
 * BAD_STATE (the latest switch is that of a MIGUARD_SWITCHED block, which ends it). Thread safe,
 * not async-signal safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_switch_back(struct miguard_error *reterr);

/* How many switches of this thread are not undone; in a callback those that the callback made: the
 * switches of the thread that it runs on are not its own to undo. */
MIGUARD_API unsigned miguard_switch_depth(void);

/*
 * Undoes the latest switches of this thread, those of blocks among them, until
 * miguard_switch_depth() is depth, and answers how many that were. It is the way home after
 * longjmp(3) or siglongjmp(3) out of a block, whose end never came:
 *
 *     const unsigned depth = miguard_switch_depth();
 *     if (setjmp(there) != 0) {
 *         miguard_switch_home(depth);
 *     }
 *
 * To be called where the jump lands, outside of the blocks that are undone: one that still runs
 * would run on as somebody else. An adoption that was jumped over, see libmiguard(3), is undone as
 * well. Aborts the process when an identity cannot be restored. Thread safe, not async-signal safe:
 * not in the handler, but where siglongjmp(3) lands.
 */
MIGUARD_API unsigned miguard_switch_home(unsigned depth);

/*
 * A block that runs as the target, and only as the target:
 *
 *     enum miguard_status status;
 *     MIGUARD_SWITCHED (target, &status, &error) {
 *         ... runs only when the switch succeeded ...
 *     }
 *
 * However the block is left (its end, break, continue, return, goto), the thread comes back first,
 * also from switches that the block forgot to undo. break and continue mean the block itself, not a
 * loop around it. longjmp(3) out of the block is not seen: then the thread stays switched until
 * miguard_switch_home(). Jumping into the block does not switch, and its end then undoes nothing.
 * ret_status must not be NULL; it is written before the block, OK or an error of
 * miguard_switch_to(). In C++ use <miguard/switch.hpp>.
 */
struct miguard_scope {
    uint64_t serial; /* of the switch; 0: none */
    unsigned level;
    bool inside;
};

#if defined(__GNUC__) && !defined(__cplusplus)
#define MIGUARD_SWITCHED(target, ret_status, reterr)                                               \
    MIGUARD_SWITCHED_(MIGUARD_SCOPE_(__COUNTER__), target, ret_status, reterr)
#define MIGUARD_SWITCHED_(scope, target, ret_status, reterr)                                       \
    MIGUARD_SWITCHED_AS_(scope, target, ret_status, reterr)
#define MIGUARD_SWITCHED_AS_(scope, target, ret_status, reterr)                                    \
    for (struct miguard_scope scope __attribute__((cleanup(miguard_scope_leave))) =                \
             miguard_scope_enter((target), (ret_status), (reterr));                                \
         scope.inside; scope.inside = false)
/* A name of its own for each block, so that one in another shadows nothing. */
#define MIGUARD_SCOPE_(number)      MIGUARD_SCOPE_NAME_(number)
#define MIGUARD_SCOPE_NAME_(number) miguard_scope_##number
#endif

/* What MIGUARD_SWITCHED and switch.hpp are made of: not to be called by hand. */
MIGUARD_API MIGUARD_CHECKED struct miguard_scope
miguard_scope_enter(const struct miguard_target *target, enum miguard_status *ret_status,
                    struct miguard_error *reterr);
MIGUARD_API void miguard_scope_leave(struct miguard_scope *scope);

/* ---- the whole process, for good ----------------------------------------------------------- */

/*
 * Makes every thread of the process the target, with no way back:
 *   - real, effective, saved and filesystem ids and the groups are the target's
 * (MIGUARD_GROUPS_KEEP means those of the calling thread);
 *   - permitted and effective capabilities are those of miguard_target_keep_caps(), or none; for an
 *     identity its permitted set; inheritable, ambient and bounding set are empty;
 *   - securebits: no root, no setuid fix-up, no ambient raise, keep-caps off, all of them locked,
 *     beside what was set; no_new_privs is set.
 * Each thread reads all of that back, and tries to regain its uids, gids, groups, capabilities and
 * securebits, which must fail.
 *
 * The library's own threads are ended first, and begin anew under what is left. Each other thread
 * is reached by a realtime signal that nobody uses. First all are stopped and
 * asked whether they can drop; only when all answered within two seconds is anything changed, and
 * the change was rehearsed on the calling thread. So an error means that nothing has changed. If
 * after that one thread fails, the process is aborted. System calls of other threads may return
 * EINTR, as for any handled signal (signal(7)).
 *
 * Sessions that were taken before are refused afterwards: they belong to another identity.
 *
 * Needs CAP_SETPCAP in every thread (unless bounding set and securebits are so already), and
 * CAP_SETUID and CAP_SETGID as miguard_switch_to().
 *
 * Errors: INVALID_ARGUMENT (also: the kept capabilities would be a way back: CAP_SETUID,
 * CAP_SETGID, CAP_SETPCAP; or an identity whose uids or gids are not all the same), BAD_STATE (a
 * switch of a thread is not undone or under way, another drop is, or a thread does not answer,
 * since it blocks the signal), NOT_PERMITTED, NOT_SUPPORTED (a locked securebit, no free signal),
 * LIMIT (more than MIGUARD_DROP_THREADS threads), UNREADABLE (no /proc), and those of
 * miguard_switch_to(). Thread safe, not async-signal safe; do not call it while another thread
 * forks.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_drop(const struct miguard_target *target,
                                                             struct miguard_error *reterr);

#ifdef __cplusplus
}
#endif

#endif
