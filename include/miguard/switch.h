/* SPDX-License-Identifier: MIT */
/*
 * How a thread changes its identity for a while and changes back, and how a process gives up its
 * privileges permanently.
 *
 * A switch changes the calling thread only: the raw system calls are used, never glibc's wrappers,
 * which change every thread of the process (nptl(7)). Order: groups, gids, uids, capabilities; then
 * everything is read back and compared with the request.
 *
 * The new identity is resolved beforehand, into a target: that may look names up and allocate. The
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

/* The identity to switch to. Immutable once it is used; any number of threads may use it at
 * a time. */
struct miguard_target;

/*
 * A user by name or id; the user's groups are resolved here, through NSS, on the calling thread and
 * for as long as that takes. Digits are an id, and refused where they are the name of a user with
 * another id; "+1000" is an id whatever names exist (miguard-policy(5), "NAMES AND IDS"). The
 * switched thread gets the user's uid and gid as real, effective and filesystem ids; a user other
 * than root gets no effective, inheritable or ambient capability, unless miguard_target_keep_caps()
 * adds some.
 *
 * The saved uid stays the former effective uid and the permitted capabilities stay, since they are
 * the way back. So other code on that thread could switch back as well: a switch is for a provider
 * that is trusted, not a prison; that is miguard_drop().
 *
 * Errors: INVALID_ARGUMENT (also for digits that may be either), NOT_FOUND (no such user), SYSTEM
 * (the directory could not be asked; the errno has the reason), LIMIT (more than 65,536 groups, or
 * an entry of more than 32 MiB), NO_MEMORY. Needs no privilege. Thread safe; not async-signal safe,
 * like all functions that make a target.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_user(const char *user, struct miguard_target **ret_target,
                    struct miguard_error *reterr);

/* The supplementary groups after the switch. There is no default: zero is refused, since a caller
 * that does not think of the groups keeps those of root. */
enum miguard_groups_choice {
    MIGUARD_GROUPS_KEEP = 1, /* those that the thread has when it switches */
    MIGUARD_GROUPS_CLEAR,    /* no groups */
    MIGUARD_GROUPS_LIST,     /* list and count; an empty list is MIGUARD_GROUPS_CLEAR */
    MIGUARD_GROUPS_OF_USER   /* those of user, a name or id as above, looked up at once */
};

/* Members that the choice does not need must be NULL and 0. */
struct miguard_groups {
    enum miguard_groups_choice choice;
    const gid_t *list;
    size_t count;
    const char *user;
};

/*
 * Explicit ids, and the groups that were chosen.
 * Errors: INVALID_ARGUMENT (an id of -1, no choice of groups, or one that does not fit its
 * members), NOT_FOUND (groups of an unknown user), LIMIT, NO_MEMORY. Needs no privilege.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_ids(uid_t uid, gid_t gid, const struct miguard_groups *groups,
                   struct miguard_target **ret_target, struct miguard_error *reterr);

/*
 * The peer of a connected unix socket: its effective uid and gid and its groups, as they were when
 * it connected, listened or made the pair (unix(7), SO_PEERCRED, SO_PEERGROUPS). The target also
 * knows its process id and, where an LSM labels sockets, its label (SO_PEERSEC): both are shown and
 * recorded, and no decision is based on them.
 *
 * Where the kernel gives one (Linux 6.5), the target owns a close-on-exec descriptor of the peer's
 * process until it is released; its number is high, and a target without one is a target, too.
 *
 * A peer whose ids this user namespace does not map is shown under the overflow id, which may be
 * any user: UNPROVABLE. Errors: INVALID_ARGUMENT (not a connected unix socket), UNPROVABLE,
 * UNREADABLE, SYSTEM, LIMIT, NO_MEMORY. Needs no privilege.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_peer(int socket, struct miguard_target **ret_target, struct miguard_error *reterr);

/*
 * An identity captured earlier: ids, groups, capabilities and securebits as they were. Components
 * that only shrink (permitted and bounding set, no_new_privs), the user namespace and the LSM label
 * must already agree. miguard.h has the same for the identity of a session:
 * miguard_target_session(). Errors: INVALID_ARGUMENT, NO_MEMORY. Needs no privilege.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_identity(const struct miguard_identity *identity, struct miguard_target **ret_target,
                        struct miguard_error *reterr);

/*
 * The effective capabilities under a target of a user, ids or a peer, by the names of libcap-ng,
 * with or without "cap_", such as "cap_net_bind_service,cap_dac_read_search"; "" means no
 * capability, also for root. Call it before the target is used.
 *
 * A switch makes them effective; the permitted set does not change, as the way back. A drop keeps
 * them, and nothing else, permitted and effective. In both cases the inheritable and ambient sets
 * are emptied: a program that execve(2) starts gets none of them.
 *
 * Errors: INVALID_ARGUMENT (NULL, or the target is an identity, which has its capabilities),
 * NOT_FOUND (no such capability). The target is untouched on failure. Needs no privilege; the
 * switch then needs each of them in its permitted set.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_keep_caps(struct miguard_target *target, const char *names,
                         struct miguard_error *reterr);

/*
 * A new descriptor of the peer's process (pidfd_open(2)), close-on-exec, at or above 3 and the
 * caller's to close: to ask later whether that very process still runs (poll(2)), or to send it a
 * signal. The process id alone may be another process's by then.
 *
 * Errors: INVALID_ARGUMENT (not a target of a peer), NOT_SUPPORTED (a kernel before 6.5), NOT_FOUND
 * (the process had ended before the target was made, or is not visible here), BAD_STATE (other code
 * has closed the target's descriptor), SYSTEM (such as EMFILE). Needs no privilege. Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_peer_pidfd(const struct miguard_target *target, int *ret_fd,
                          struct miguard_error *reterr);

/*
 * What the calling thread is now, in every component; as miguard_target_identity() of its identity.
 * Errors: UNREADABLE, TORN, UNPROVABLE, INVALID_ARGUMENT, NO_MEMORY. Needs no privilege.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_thread(struct miguard_target **ret_target, struct miguard_error *reterr);

/* An independent copy, with what the target may not be used for. Errors: INVALID_ARGUMENT,
 * NO_MEMORY. */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_copy(const struct miguard_target *target, struct miguard_target **ret_copy,
                    struct miguard_error *reterr);

/* Releases a target and its descriptor. NULL is allowed. A switch does not keep its target. */
MIGUARD_API void miguard_target_free(struct miguard_target *target);

/*
 * Who a target is, as text (one "name: value" per line) or as one JSON object: uid, gid, groups or
 * "keep", the capabilities that miguard_target_keep_caps() chose, or "permitted" for a root without
 * a choice, and pid and label of a peer. Only what the target says: the rest depends on the thread
 * that switches. A target of an identity is shown as that identity; its JSON has it as "identity".
 *
 * buffer, size, *ret_length, errors and thread safety are those of miguard_identity_describe().
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_describe(const struct miguard_target *target, char *buffer, size_t size,
                        size_t *ret_length);
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_to_json(const struct miguard_target *target, char *buffer, size_t size,
                       size_t *ret_length);

/*
 * The ids of a target; of an identity the effective ones. *ret_groups is what miguard_target_ids()
 * would be given: KEEP, which has no list, CLEAR, or LIST, whose list is borrowed from the target.
 * Errors: INVALID_ARGUMENT (a pointer is NULL). Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_uid(const struct miguard_target *target, uid_t *ret_uid);
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_gid(const struct miguard_target *target, gid_t *ret_gid);
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_groups(const struct miguard_target *target, struct miguard_groups *ret_groups);

/* ---- this thread, for a while ------------------------------------------------------------- */

/*
 * Changes the calling thread to the target, verified by reading back every requested component. On
 * failure the thread has its former identity, also verified; when that is impossible, the process
 * is aborted, since continuing under an unknown identity is the one thing that must not happen.
 *
 * Needs, in the permitted set: CAP_SETUID for a uid other than the thread's real, effective and
 * saved ones, CAP_SETGID for such a gid and for other groups, CAP_SETPCAP for an identity with
 * other securebits, and the capabilities of miguard_target_keep_caps(). A thread that equals the
 * target needs nothing. A switch without the privilege to switch back is refused as well.
 *
 * Errors: INVALID_ARGUMENT, DENIED (a client that the policy lets a provider only identify, see
 * miguard_context_client()), UNREADABLE, TORN, UNPROVABLE, TOO_DEEP, NOT_SUPPORTED (it could not be
 * undone), NOT_PERMITTED (EPERM, or EAGAIN at RLIMIT_NPROC), SYSTEM (such as EINVAL: the user
 * namespace does not map an id), NO_MEMORY (the kernel's, or for the first switch of a thread no
 * memory for its way back), NOT_VERIFIED. reterr names the step and its errno.
 *
 * Thread safe: only the calling thread changes. Not async-signal safe. Does not use the allocator
 * and looks nothing up; the first switch of a thread maps memory before it changes anything. Its
 * record, where the policy wants one, is written after the switch, and may do both.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_switch_to(const struct miguard_target *target, struct miguard_error *reterr);

/*
 * Undoes the latest miguard_switch_to() of this thread: the former ids, groups, capabilities,
 * securebits and no_new_privs are restored and verified, whatever they are now. When that is
 * impossible the process is aborted. Components that a switch can neither change nor restore are
 * not checked: the bounding set, the user namespace, the LSM label; the guard of a session checks
 * them.
 *
 * Needs what the switch left in the permitted set and the saved uid. Errors: NOT_SWITCHED;
 * BAD_STATE (the latest switch is that of a MIGUARD_SWITCHED block, which ends it). Thread safe,
 * not async-signal safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_switch_back(struct miguard_error *reterr);

/* The number of switches of this thread that are not undone; in a callback those that the callback
 * made: it must not undo the switches of the thread on which it runs. */
MIGUARD_API unsigned miguard_switch_depth(void);

/*
 * Undoes the latest switches of this thread, those of blocks among them, until
 * miguard_switch_depth() is depth, and returns their number. Use it after longjmp(3) or
 * siglongjmp(3) out of a block, whose end was never reached:
 *
 *     const unsigned depth = miguard_switch_depth();
 *     if (setjmp(there) != 0) {
 *         miguard_switch_home(depth);
 *     }
 *
 * Call it where the jump lands, outside of the blocks that are undone: a block that still runs
 * would continue under another identity. An adoption that was jumped over, see libmiguard(3), is
 * undone as well. Aborts the process when an identity cannot be restored. Thread safe, not
 * async-signal safe: call it not in the handler, but where siglongjmp(3) lands.
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
 * However the block is left (its end, break, continue, return, goto), the thread switches back
 * first, also from switches that the block did not undo. break and continue apply to the block
 * itself, not to a loop around it. longjmp(3) out of the block is not detected: then the thread
 * stays switched until miguard_switch_home(). Jumping into the block does not switch, and its end
 * then undoes nothing. ret_status must not be NULL; it is written before the block, OK or an error
 * of miguard_switch_to(). In C++ it does not compile: use miguard::switched of
 * <miguard/switch.hpp>, which an exception leaves as well.
 */
struct miguard_scope {
    uint64_t serial; /* of the switch; 0: no switch */
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
/* A separate name for each block, so that nested ones do not shadow each other. */
#define MIGUARD_SCOPE_(number)      MIGUARD_SCOPE_NAME_(number)
#define MIGUARD_SCOPE_NAME_(number) miguard_scope_##number
#elif defined(__cplusplus)
#define MIGUARD_SWITCHED(...)                                                                      \
    static_assert(false, "in C++ use miguard::switched of <miguard/switch.hpp>");                  \
    if (false)
#endif

/* Used by MIGUARD_SWITCHED and switch.hpp: not to be called directly. */
MIGUARD_API MIGUARD_CHECKED struct miguard_scope
miguard_scope_enter(const struct miguard_target *target, enum miguard_status *ret_status,
                    struct miguard_error *reterr);
MIGUARD_API void miguard_scope_leave(struct miguard_scope *scope);

/*
 * Runs function(argument) as the target, and never when the switch failed: for languages that have
 * neither the block nor the object. The thread switches back whatever function does: also from
 * switches that it left, and when it is left by a C++ exception, pthread_exit(3) or cancellation,
 * to which it is open as the caller is. longjmp(3) out of it is as out of a block:
 * miguard_switch_home(). Returns the status of the switch; what function has to say it leaves in
 * argument.
 *
 * Errors: those of miguard_switch_to(); INVALID_ARGUMENT also when function is NULL. Aborts the
 * process as miguard_switch_back() does. Thread safe, not async-signal safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_call_as(const struct miguard_target *target,
                                                                void (*function)(void *argument),
                                                                void *argument,
                                                                struct miguard_error *reterr);

/* ---- the whole process, permanently ------------------------------------------------------- */

/*
 * Makes every thread of the process the target, irreversibly:
 *   - real, effective, saved and filesystem ids and the groups are the target's
 * (MIGUARD_GROUPS_KEEP means those of the calling thread);
 *   - permitted and effective capabilities are those of miguard_target_keep_caps(), or none; for an
 *     identity its permitted set; inheritable, ambient and bounding set are empty;
 *   - securebits: no root, no setuid fix-up, no ambient raise, keep-caps off, all of them locked,
 *     beside what was set; no_new_privs is set.
 * Each thread reads all of that back, and tries to regain its uids, gids, groups, capabilities and
 * securebits, which must fail.
 *
 * The library's own threads are ended first, and restarted with the remaining privileges. Each
 * other thread is reached by a realtime signal that is not in use. First all are stopped and
 * queried whether they can drop; only when all have answered within two seconds is anything
 * changed, and the change was rehearsed on the calling thread. So an error means that nothing has
 * changed. If a thread fails after that, the process is aborted. System calls of other threads may
 * return EINTR, as for any handled signal (signal(7)).
 *
 * Sessions that were taken before are refused afterwards: they belong to another identity.
 *
 * Needs CAP_SETPCAP in every thread (unless bounding set and securebits are already so), and
 * CAP_SETUID and CAP_SETGID as miguard_switch_to().
 *
 * Errors: INVALID_ARGUMENT (also: the kept capabilities could regain the rest: CAP_SETUID,
 * CAP_SETGID, CAP_SETPCAP; or an identity whose uids or gids are not all the same), BAD_STATE (a
 * switch of a thread is not undone or under way, another drop is under way, or a thread does not
 * answer, since it blocks the signal), NOT_PERMITTED, NOT_SUPPORTED (a locked securebit, no free
 * signal), LIMIT (more than MIGUARD_DROP_THREADS threads), UNREADABLE (no /proc), and those of
 * miguard_switch_to(). Thread safe, not async-signal safe; do not call it while another thread
 * forks.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_drop(const struct miguard_target *target,
                                                             struct miguard_error *reterr);

#ifdef __cplusplus
}
#endif

#endif
