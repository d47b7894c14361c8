/* SPDX-License-Identifier: MIT */
/*
 * Gives up privileges permanently, in every thread.
 *
 * The bounding set, locked securebits and no_new_privs cannot be restored, so half a drop cannot be
 * undone. Therefore everything that can be checked is checked first: the ids and groups are
 * rehearsed on the calling thread, which returns; all other threads are stopped and queried. A
 * failure after that ends the process.
 *
 * act() runs in a signal handler, in a thread that may hold any lock: it makes system calls and
 * comparisons, nothing else.
 *
 * miguard_drop() -> drop_alone() -> prepare_drop(), the rehearsal -> drop_without_ours(), which
 * ends the library's own threads -> drop_all(): world_stop() with look_at_thread() on each thread,
 * then act() on each, the caller last.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/signals.h"
#include "identity/kernel.h"
#include "identity/read.h"
#include "switch/alive.h"
#include "switch/apply.h"
#include "switch/restore.h"
#include "switch/state.h"
#include "switch/switch.h"
#include "switch/target.h"
#include "switch/world.h"

#define CAP(NAME) ((uint64_t)1 << CAP_##NAME)

/* A thread that keeps one of these can regain everything. */
#define WAYS_BACK (CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP))

#define WANTED_BITS (SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_CAP_AMBIENT_RAISE)

/* Why a thread cannot drop. */
enum objection {
    NO_OBJECTION,
    IS_SWITCHED,
    CANNOT_READ,
    LACKS_SETPCAP,
    LACKS_IDS,
    LACKS_CAPS,
    BIT_LOCKED,
    IS_FILTERED,
    IS_UNDONE, /* it failed half way and was undone */
};

/* One drop. All threads use these buffers in turn. */
struct drop {
    struct miguard_identity wanted;   /* ids, groups and capabilities of every thread afterwards */
    struct miguard_identity original; /* of the calling thread */
    uint32_t cap_count;
    gid_t wanted_groups[IDENTITY_MAX_GROUPS];
    gid_t read_groups[IDENTITY_MAX_GROUPS];
    gid_t before_groups[IDENTITY_MAX_GROUPS]; /* of the thread that is dropping */
    struct restore_room search;
    bool begun; /* some thread has dropped, or can no longer be restored */
};

/* The securebits after the drop: the wanted ones set, keep-caps cleared, and all of them locked, so
 * that they stay. */
static uint32_t final_securebits(uint32_t before)
{
    return (before & ~(uint32_t)SECBIT_KEEP_CAPS) | WANTED_BITS | (uint32_t)SECURE_ALL_LOCKS;
}

/* A lock keeps a bit as it is. */
static bool bits_can_be_set(uint32_t before)
{
    uint32_t changing = (before ^ final_securebits(before)) & (uint32_t)SECURE_ALL_BITS;
    return (changing & (before & (uint32_t)SECURE_ALL_LOCKS) >> 1) == 0;
}

/* ---- before anything changes ------------------------------------------------------------- */

/* Whether setting them is no change, and so needs no capability. */
static bool has_all_ids(const uid_t have[IDENTITY_IDS - 1], uid_t wanted)
{
    return have[IDENTITY_R] == wanted && have[IDENTITY_E] == wanted && have[IDENTITY_S] == wanted;
}

/* The first reason why this thread could not drop, as enum objection. Changes nothing. */
static int object(const struct drop *drop, uint64_t permitted, uint32_t securebits,
                  uint64_t bounding)
{
    uid_t uid[IDENTITY_IDS - 1];
    gid_t gid[IDENTITY_IDS - 1];

    if (!read_uids(uid) || !read_gids(gid)) {
        return CANNOT_READ;
    }
    if ((permitted & CAP(SETPCAP)) == 0 &&
        (bounding != 0 || securebits != final_securebits(securebits))) {
        return LACKS_SETPCAP;
    }
    if (((permitted & CAP(SETUID)) == 0 && !has_all_ids(uid, drop->wanted.uid[0])) ||
        ((permitted & CAP(SETGID)) == 0 && !has_all_ids(gid, drop->wanted.gid[0]))) {
        return LACKS_IDS;
    }
    if ((drop->wanted.cap[IDENTITY_CAP_PERMITTED] & ~permitted) != 0) {
        return LACKS_CAPS;
    }
    return bits_can_be_set(securebits) ? NO_OBJECTION : BIT_LOCKED;
}

/* A permanent change must not begin where the rest would fail. Without CAP_SETPCAP in effect the
 * calls cannot be tested. */
static bool is_filtered(uint64_t effective, uint32_t securebits)
{
    struct signals signals;

    (void)signals_block(&signals); /* the calls carry the cookie, as changes do */
    bool filtered = !alive_capset() || !alive_no_new_privs() ||
                    ((effective & CAP(SETPCAP)) != 0 &&
                     (!alive_bounding_drop() || !alive_securebits(securebits)));
    signals_restore(&signals);
    return filtered;
}

/* The question to each thread before anything changes; runs in the signal handler (world.h). */
static int look_at_thread(void *context)
{
    const struct drop *drop = context;
    uint64_t cap[IDENTITY_CAP_SETS], bounding = 0;
    uint32_t securebits = 0, count = 0;

    if (switch_is_busy()) {
        return IS_SWITCHED;
    }
    if (!read_caps(cap) || !read_securebits(&securebits) ||
        !read_bounding(drop->cap_count, &bounding, &count)) {
        return CANNOT_READ;
    }
    int objection = object(drop, cap[IDENTITY_CAP_PERMITTED], securebits, bounding);
    return objection == NO_OBJECTION && is_filtered(cap[IDENTITY_CAP_EFFECTIVE], securebits)
               ? IS_FILTERED
               : objection;
}

/* The status and message of an objection. The messages say "some thread": which one is not
 * known. */
static enum miguard_status objection_error(int objection, struct miguard_error *reterr)
{
    switch (objection) {
    case NO_OBJECTION:
        return MIGUARD_OK;
    case IS_SWITCHED:
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "drop",
                         "a switch of some thread is not undone or under way");
    case CANNOT_READ:
        return error_set(reterr, MIGUARD_UNREADABLE, 0, "drop",
                         "what some thread is cannot be read");
    case LACKS_SETPCAP:
        return error_set(reterr, MIGUARD_NOT_PERMITTED, EPERM, "drop",
                         "the bounding set and securebits need CAP_SETPCAP in every thread");
    case LACKS_IDS:
        return error_set(reterr, MIGUARD_NOT_PERMITTED, EPERM, "drop",
                         "some thread has other ids and no CAP_SETUID or CAP_SETGID");
    case IS_FILTERED:
        return error_set(reterr, MIGUARD_NOT_PERMITTED, EPERM, "drop",
                         "a filter of system calls denies some thread what a drop needs: capset, "
                         "PR_CAPBSET_DROP, PR_SET_SECUREBITS and PR_SET_NO_NEW_PRIVS");
    case IS_UNDONE:
        return error_set(reterr, MIGUARD_NOT_PERMITTED, 0, "drop",
                         "a system call failed; what was done until then is undone");
    case LACKS_CAPS:
        return error_set(reterr, MIGUARD_NOT_PERMITTED, EPERM, "drop",
                         "some thread lacks a capability to keep");
    default:
        return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "drop",
                         "a locked securebit of some thread prevents it");
    }
}

/* ---- the steps of one thread ------------------------------------------------------------- */

/* Effective as given, and no inheritable capability, which a program that is executed could use. */
static bool capset_all(uint64_t caps, uint64_t permitted)
{
    return switch_set_caps(caps, permitted, 0) == 0;
}

/* The dropping call itself shows where the capabilities end: a wrong answer of the reading call
 * would be wrong again when the set is read back. */
static bool empty_bounding(const struct drop *drop, uint64_t permitted)
{
    uint64_t bounding = 0;
    uint32_t count = 0;

    if (!read_bounding(drop->cap_count, &bounding, &count)) {
        return false;
    }
    if (bounding == 0 && (permitted & CAP(SETPCAP)) == 0) {
        return true;
    }
    for (uint32_t i = 0; i < 64; i++) {
        long result = identity_kernel.prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
        if (result == -EINVAL && i >= drop->cap_count) {
            return true;
        }
        if (result != 0) {
            return false;
        }
    }
    return true;
}

/* Both lists are sorted and without duplicates. */
static bool same_groups(const struct drop *drop, const struct miguard_identity *state)
{
    return state->group_count == drop->wanted.group_count &&
           memcmp(state->groups, drop->wanted_groups, state->group_count * sizeof(gid_t)) == 0;
}

/* As has_all_ids(), with the file system id. */
static bool all_are(const uid_t id[IDENTITY_IDS], uid_t wanted)
{
    return has_all_ids(id, wanted) && id[IDENTITY_FS] == wanted;
}

/* Groups first, then gids, then uids: the order in which the privileges are still there. Ids that
 * are right already are not set, since that may need a capability. */
static bool set_all_ids(const struct drop *drop, const struct miguard_identity *before)
{
    uid_t uid = drop->wanted.uid[0];
    gid_t gid = drop->wanted.gid[0];

    if (!same_groups(drop, before) &&
        identity_kernel.setgroups(drop->wanted.group_count, drop->wanted_groups) != 0) {
        return false;
    }
    /* The fs ids follow the effective ones. */
    return (all_are(before->gid, gid) || identity_kernel.setresgid(gid, gid, gid) == 0) &&
           (all_are(before->uid, uid) || identity_kernel.setresuid(uid, uid, uid) == 0);
}

/*
 * The bounding set and securebits need CAP_SETPCAP and so precede the ids and the capabilities. The
 * securebits switch off the setuid fix-up, so a change of the uids does not change the
 * capabilities; the last step sets them.
 */
static bool drop_privileges(const struct drop *drop, const struct miguard_identity *before)
{
    uint64_t permitted = before->cap[IDENTITY_CAP_PERMITTED];
    uint64_t kept = drop->wanted.cap[IDENTITY_CAP_PERMITTED];
    uint32_t bits = final_securebits(before->securebits);

    return capset_all(permitted, permitted) && empty_bounding(drop, permitted) &&
           (before->securebits == bits ||
            identity_kernel.prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) == 0) &&
           set_all_ids(drop, before) && capset_all(kept, kept) &&
           identity_kernel.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* Each of these must be refused. An id that the thread has kept is no gain. */
static bool regains_ids(const struct drop *drop, const struct miguard_identity *before)
{
    const uid_t keep = (uid_t)-1;
    uid_t uid[] = {0, before->uid[0], before->uid[1], before->uid[2], drop->original.uid[1]};
    gid_t gid[] = {0, before->gid[0], before->gid[1], before->gid[2], drop->original.gid[1]};

    for (size_t i = 0; i < sizeof(uid) / sizeof(uid[0]); i++) {
        if ((uid[i] != drop->wanted.uid[0] && identity_kernel.setresuid(keep, uid[i], keep) >= 0) ||
            (gid[i] != drop->wanted.gid[0] && identity_kernel.setresgid(keep, gid[i], keep) >= 0)) {
            return true;
        }
    }
    return identity_kernel.setgroups(0, NULL) >= 0;
}

/* With all bits locked, another value is refused even with CAP_SETPCAP. */
static bool regains_caps(const struct drop *drop)
{
    uint64_t kept = drop->wanted.cap[IDENTITY_CAP_PERMITTED];
    uint64_t all = drop->cap_count < 64 ? ((uint64_t)1 << drop->cap_count) - 1 : UINT64_MAX;

    return switch_set_caps(kept, all, 0) >= 0 || switch_set_caps(all, all, 0) >= 0 ||
           switch_set_caps(kept, kept, all) >= 0 ||
           identity_kernel.prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) >= 0 ||
           identity_kernel.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) >= 0;
}

/* The last check, after the attempts: whatever they did, this is the thread's final state. */
static bool is_dropped(struct drop *drop, uint32_t securebits)
{
    struct miguard_identity expected = drop->wanted, now;
    uint64_t bounding = 1;
    uint32_t count = 0;

    expected.known = STATE_COMPONENTS;
    expected.tag = IDENTITY_TAG;
    expected.securebits = final_securebits(securebits);
    expected.no_new_privs = 1;
    return state_read(&now, drop->read_groups) == 0 &&
           (miguard_identity_compare(&expected, &now) & STATE_COMPONENTS) == 0 &&
           read_bounding(drop->cap_count, &bounding, &count) && bounding == 0;
}

/* A failure before a permanent change can be undone, as long as no other thread has dropped. */
static bool undo_thread(struct drop *drop, const struct miguard_identity *before, uint64_t bounding)
{
    uint64_t now = 0;
    uint32_t count = 0;

    return !drop->begun && read_bounding(drop->cap_count, &now, &count) && now == bounding &&
           restore_thread(before, drop->read_groups, &drop->search);
}

/* The drop of the calling thread: steps, attempts to regain, last check. `begun` is set as soon as
 * it cannot be taken back. drop_thread() of different threads never overlap (world_act()), so they
 * share the buffers. */
static int drop_thread(struct drop *drop)
{
    struct miguard_identity before;
    uint64_t bounding = 0;
    uint32_t count = 0;

    if (state_read(&before, drop->before_groups) != 0 ||
        !read_bounding(drop->cap_count, &bounding, &count)) {
        return drop->begun ? CANNOT_READ : IS_UNDONE; /* nothing is done yet */
    }
    bool dropped = drop_privileges(drop, &before) && !regains_ids(drop, &before) &&
                   !regains_caps(drop) && is_dropped(drop, before.securebits);
    if (!dropped && undo_thread(drop, &before, bounding)) {
        return IS_UNDONE;
    }
    drop->begun = true;
    return dropped ? 0 : CANNOT_READ;
}

/* 0; IS_UNDONE; or another objection, after which nothing can be undone. So it also proceeds where
 * signals cannot be blocked. */
static int act(void *context)
{
    struct signals signals;

    (void)signals_block(&signals);
    int objection = drop_thread(context);
    signals_restore(&signals);
    return objection;
}

/* ---- the whole process ------------------------------------------------------------------- */

/* Whether real, effective, saved and file system id are one id. */
static bool all_same(const uid_t id[IDENTITY_IDS])
{
    for (int i = 1; i < IDENTITY_IDS; i++) {
        if (id[i] != id[0]) {
            return false;
        }
    }
    return true;
}

/* What a drop refuses by the target alone. The capabilities to keep must not be a way back. */
static enum miguard_status check_target(const struct miguard_target *target,
                                        struct miguard_error *reterr)
{
    if (target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "drop", "target is NULL");
    }
    if (target->exact && (!all_same(target->identity.uid) || !all_same(target->identity.gid))) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "drop",
                         "the identity has more than one uid or gid: the others are a way back");
    }
    uint64_t kept = target->exact ? target->identity.cap[IDENTITY_CAP_PERMITTED] : target->caps;
    if ((kept & WAYS_BACK) != 0) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "drop",
                         "keeping CAP_SETUID, CAP_SETGID or CAP_SETPCAP would allow everything to "
                         "be regained");
    }
    return MIGUARD_OK;
}

/* Sets up what is common to all threads, and rehearses the ids and groups on this one. */
static enum miguard_status prepare_drop(const struct miguard_target *target, struct drop *drop,
                                        struct miguard_error *reterr)
{
    /* An identity, too, is reached by its ids, groups and permitted set. */
    struct miguard_target plain = *target;
    plain.exact = false;
    plain.has_caps = true;
    plain.caps = target->exact ? target->identity.cap[IDENTITY_CAP_PERMITTED] : target->caps;

    enum miguard_status status =
        switch_rehearse(&plain, &drop->original, drop->wanted_groups, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    uint64_t bounding = 0;
    if (!read_bounding(0, &bounding, &drop->cap_count)) {
        return error_set(reterr, MIGUARD_UNREADABLE, 0, "drop", "cap-bounding cannot be read");
    }
    struct miguard_identity *wanted = &drop->wanted;
    for (int i = 0; i < IDENTITY_IDS; i++) {
        wanted->uid[i] = target->identity.uid[0];
        wanted->gid[i] = target->identity.gid[0];
    }
    wanted->group_count = drop->original.group_count; /* MIGUARD_GROUPS_KEEP: they are in place */
    if (!target->keep_groups) {
        wanted->group_count = target->identity.group_count;
        memcpy(drop->wanted_groups, target->identity.groups, wanted->group_count * sizeof(gid_t));
    }
    wanted->groups = drop->wanted_groups;
    wanted->cap[IDENTITY_CAP_PERMITTED] = wanted->cap[IDENTITY_CAP_EFFECTIVE] = plain.caps;
    return objection_error(look_at_thread(drop), reterr);
}

/* Set by the gate and the guard when they start threads; NULL: nothing to end. */
static const struct drop_pause *_Atomic pauses[DROP_PAUSER_COUNT];

void drop_set_pause(enum drop_pauser who, const struct drop_pause *pause)
{
    atomic_store(&pauses[who], pause);
}

/* Stops the others, lets each drop, and then drops itself. An objection other than IS_UNDONE means
 * that some thread is half dropped: the process ends (invariant 5). */
static enum miguard_status drop_all(struct drop *drop, struct miguard_error *reterr)
{
    const struct world_work work = {look_at_thread, act, drop};
    int objection = NO_OBJECTION;

    enum miguard_status status = world_stop(&work, &objection, reterr);
    if (objection != NO_OBJECTION) {
        return objection_error(objection, reterr);
    }
    if (status != MIGUARD_OK) {
        return status;
    }
    objection = world_act();
    objection = objection == NO_OBJECTION ? act(drop) : objection;
    if (objection != NO_OBJECTION && objection != IS_UNDONE) {
        switch_abort(SWITCH_KIND_DROP, NULL);
    }
    world_release();
    return objection_error(objection, reterr);
}

/* The library's own threads block every signal. They are ended, so that none keeps what the others
 * give up, and restarted with the remaining privileges. */
static enum miguard_status drop_without_ours(struct drop *drop, struct miguard_error *reterr)
{
    const struct drop_pause *paused[DROP_PAUSER_COUNT];

    for (int i = 0; i < DROP_PAUSER_COUNT; i++) {
        paused[i] = atomic_load(&pauses[i]);
        if (paused[i] != NULL) {
            paused[i]->before();
        }
    }
    enum miguard_status status = drop_all(drop, reterr);
    for (int i = DROP_PAUSER_COUNT - 1; i >= 0; i--) {
        if (paused[i] != NULL) {
            paused[i]->after();
        }
    }
    return status;
}

/* Held for a whole drop, so that a fork waits for its end: the forking thread is stopped meanwhile
 * and drops, as all do. The flag, not the lock, shows whether another thread drops, since a fork
 * also holds the lock and is waited for. */
static pthread_mutex_t drop_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool dropping;

/* In a child: the thread that dropped does not exist there. */
static void clear_dropping(void)
{
    atomic_store(&dropping, false);
}

FORK_OWNER(drop_owner, .rank = FORK_DROP, .lock = &drop_lock, .in_child = clear_dropping);

/* One drop at a time in a process; a second one is refused at once instead of waiting. */
static enum miguard_status drop_alone(const struct miguard_target *target, struct drop *drop,
                                      struct miguard_error *reterr)
{
    if (atomic_exchange(&dropping, true)) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "drop", "another thread drops already");
    }
    pthread_mutex_lock(&drop_lock);
    enum miguard_status status = prepare_drop(target, drop, reterr);
    if (status == MIGUARD_OK) {
        status = drop_without_ours(drop, reterr);
    }
    pthread_mutex_unlock(&drop_lock);
    atomic_store(&dropping, false);
    return status;
}

/* The buffers are allocated here, before anything is stopped: a stopped thread may hold the
 * allocator's lock. */
enum miguard_status miguard_drop(const struct miguard_target *target, struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    struct miguard_error error = {.status = MIGUARD_OK};
    const void *site = __builtin_return_address(0);
    struct drop *drop = base_alloc(1, sizeof(*drop));

    enum miguard_status status = drop == NULL
                                     ? error_set(&error, MIGUARD_NO_MEMORY, 0, "drop", NULL)
                                     : check_target(target, &error);
    if (status == MIGUARD_OK && switch_is_busy()) {
        status = objection_error(IS_SWITCHED, &error);
    }
    if (status == MIGUARD_OK) {
        status = drop_alone(target, drop, &error);
    }
    if (status != MIGUARD_OK && reterr != NULL) {
        *reterr = error;
    }
    bool known = drop != NULL && identity_valid(&drop->original);
    if (known) {
        drop->original.group_count = 0; /* their buffer now holds the target's groups */
        drop->original.known &= ~(miguard_components)MIGUARD_COMPONENT_GROUPS;
        drop->wanted.tag = IDENTITY_TAG;
        drop->wanted.known = STATE_COMPONENTS & ~(miguard_components)MIGUARD_COMPONENT_SECUREBITS;
        drop->wanted.no_new_privs = 1;
    }
    switch_note(&(struct switch_note){.kind = SWITCH_KIND_DROP,
                                      .status = status,
                                      .error = status == MIGUARD_OK ? NULL : &error,
                                      .from = known ? &drop->original : NULL,
                                      .to = known ? &drop->wanted : NULL,
                                      .site = site});
    base_free(drop);
    return status;
}
