/* SPDX-License-Identifier: MIT */
/*
 * The fresh check: what a guarded call does when nothing proves that the identity is unchanged.
 *
 * Each value is compared at once and then dropped. A difference is final, even if it is torn:
 * refusing is always safe. A match could be torn by glibc's setxid broadcast from another thread,
 * or by a signal handler of this thread that calls the same functions. Both are delivered signals
 * and change ids and groups, so these are read again at the end unless certainly no signal was
 * delivered (uninterrupted.h). A change after the last read remains possible; no check can exclude
 * it (miguard-provider(7), "What the guard cannot see").
 */
#include <linux/capability.h>
#include <string.h>

#include "base/process.h"
#include "identity/bounding.h"
#include "identity/change.h"
#include "identity/identity.h"
#include "identity/kernel.h"
#include "identity/read.h"
#include "identity/uninterrupted.h"

_Static_assert(COMPONENTS_READ_BY_HAND == 16, "capture and check read 8 ids, the groups, 5 sets of "
                                              "capabilities, the namespace and the label");

/* One check on its way: what must match, what of it does not, and what could not be read. unread is
 * always a part of differing. */
struct check {
    const struct miguard_identity *bound;
    miguard_components compared;
    miguard_components differing;
    miguard_components unread;
    struct bounding_facts facts;
};

/* A component that is not compared is not read either: a policy that leaves groups out pays nothing
 * for them. */
static bool wants(const struct check *check, miguard_components components)
{
    return (check->compared & components) != 0;
}

/* A component differs unless it was read and is equal. A component that is not compared is dropped
 * here. */
static void compare(struct check *check, miguard_components component, bool equal)
{
    if (!equal) {
        check->differing |= component & check->compared;
    }
}

/* Fail closed: what the kernel did not answer counts as different. */
static void not_read(struct check *check, miguard_components components)
{
    check->differing |= components & check->compared;
    check->unread |= components & check->compared;
}

#define ID_BITS(first) ((miguard_components)(first)*7) /* real, effective, saved: three bits */

/* One call reads all three, so it is made when any of them is compared. */
static void check_uids(struct check *check)
{
    uid_t ids[IDENTITY_IDS - 1];
    if (!wants(check, ID_BITS(MIGUARD_COMPONENT_RUID))) {
        return;
    }
    if (!read_uids(ids)) {
        not_read(check, ID_BITS(MIGUARD_COMPONENT_RUID));
        return;
    }
    const uid_t *bound = check->bound->uid;
    compare(check, MIGUARD_COMPONENT_RUID, ids[IDENTITY_R] == bound[IDENTITY_R]);
    compare(check, MIGUARD_COMPONENT_EUID, ids[IDENTITY_E] == bound[IDENTITY_E]);
    compare(check, MIGUARD_COMPONENT_SUID, ids[IDENTITY_S] == bound[IDENTITY_S]);
}

static void check_gids(struct check *check)
{
    gid_t ids[IDENTITY_IDS - 1];
    if (!wants(check, ID_BITS(MIGUARD_COMPONENT_RGID))) {
        return;
    }
    if (!read_gids(ids)) {
        not_read(check, ID_BITS(MIGUARD_COMPONENT_RGID));
        return;
    }
    const gid_t *bound = check->bound->gid;
    compare(check, MIGUARD_COMPONENT_RGID, ids[IDENTITY_R] == bound[IDENTITY_R]);
    compare(check, MIGUARD_COMPONENT_EGID, ids[IDENTITY_E] == bound[IDENTITY_E]);
    compare(check, MIGUARD_COMPONENT_SGID, ids[IDENTITY_S] == bound[IDENTITY_S]);
}

/* The initial 0 is never trusted: not_read() marks the component before it is compared, and a mark
 * is never taken back. */
static void check_fs_ids(struct check *check)
{
    uid_t fsuid = 0;
    gid_t fsgid = 0;

    if (wants(check, MIGUARD_COMPONENT_FSUID)) {
        if (!read_fsuid(&fsuid)) {
            not_read(check, MIGUARD_COMPONENT_FSUID);
        }
        compare(check, MIGUARD_COMPONENT_FSUID, fsuid == check->bound->uid[IDENTITY_FS]);
    }
    if (wants(check, MIGUARD_COMPONENT_FSGID)) {
        if (!read_fsgid(&fsgid)) {
            not_read(check, MIGUARD_COMPONENT_FSGID);
        }
        compare(check, MIGUARD_COMPONENT_FSGID, fsgid == check->bound->gid[IDENTITY_FS]);
    }
}

/* Sorts the list that was read in place; the bound list is sorted already. */
static bool same_groups(const struct miguard_identity *bound, gid_t *groups, uint32_t count)
{
    count = identity_sort_groups(groups, count);
    return count == bound->group_count &&
           (count == 0 || memcmp(groups, bound->groups, count * sizeof(gid_t)) == 0);
}

static void check_groups(struct check *check)
{
    gid_t small[READ_SMALL_GROUPS];
    uint32_t count = 0;

    if (!wants(check, MIGUARD_COMPONENT_GROUPS)) {
        return;
    }
    gid_t *groups = read_groups(small, &count);
    if (groups == NULL) {
        not_read(check, MIGUARD_COMPONENT_GROUPS);
        return;
    }
    compare(check, MIGUARD_COMPONENT_GROUPS, same_groups(check->bound, groups, count));
}

/* The ambient set needs the inheritable one, so capget(2) is asked for it, too. */
static void check_caps(struct check *check)
{
    const miguard_components from_capget = MIGUARD_COMPONENT_CAP_EFFECTIVE |
                                           MIGUARD_COMPONENT_CAP_PERMITTED |
                                           MIGUARD_COMPONENT_CAP_INHERITABLE;
    const uint64_t *bound = check->bound->cap;
    uint64_t cap[IDENTITY_CAP_SETS] = {0};

    if (wants(check, from_capget | MIGUARD_COMPONENT_CAP_AMBIENT)) {
        if (!read_caps(cap)) {
            not_read(check, from_capget | MIGUARD_COMPONENT_CAP_AMBIENT);
            return;
        }
        check->facts.lacks_setpcap = (cap[IDENTITY_CAP_PERMITTED] >> CAP_SETPCAP & 1) == 0;
        compare(check, MIGUARD_COMPONENT_CAP_EFFECTIVE,
                cap[IDENTITY_CAP_EFFECTIVE] == bound[IDENTITY_CAP_EFFECTIVE]);
        compare(check, MIGUARD_COMPONENT_CAP_PERMITTED,
                cap[IDENTITY_CAP_PERMITTED] == bound[IDENTITY_CAP_PERMITTED]);
        compare(check, MIGUARD_COMPONENT_CAP_INHERITABLE,
                cap[IDENTITY_CAP_INHERITABLE] == bound[IDENTITY_CAP_INHERITABLE]);
    }
    if (wants(check, MIGUARD_COMPONENT_CAP_AMBIENT)) {
        if (!read_ambient(cap[IDENTITY_CAP_INHERITABLE], check->bound->cap_count,
                          &cap[IDENTITY_CAP_AMBIENT])) {
            not_read(check, MIGUARD_COMPONENT_CAP_AMBIENT);
        }
        compare(check, MIGUARD_COMPONENT_CAP_AMBIENT,
                cap[IDENTITY_CAP_AMBIENT] == bound[IDENTITY_CAP_AMBIENT]);
    }
}

/* The number of capabilities is that of the capture: a kernel does not get more while it runs. 0 is
 * an identity that was not captured here. It comes after what it may depend on (bounding.h). */
static void check_bounding(struct check *check)
{
    const uint32_t count = check->bound->cap_count;
    uint64_t set = 0;

    if (!wants(check, MIGUARD_COMPONENT_CAP_BOUNDING)) {
        return;
    }
    check->facts.leads = identity_thread_is_leader();
    if (count == 0 || !bounding_read(count, &check->facts, &set)) {
        not_read(check, MIGUARD_COMPONENT_CAP_BOUNDING);
        return;
    }
    compare(check, MIGUARD_COMPONENT_CAP_BOUNDING, set == check->bound->cap[IDENTITY_CAP_BOUNDING]);
}

/* The components of one word, by the rows of component.h; as check_fs_ids() for a word that cannot
 * be read. */
static void check_words(struct check *check)
{
    uint32_t value = 0;

#define CHECK_WORD(NAME, shape, member, ...)                                                       \
    COMPONENT_IF_WORD_##shape(if (wants(check, MIGUARD_COMPONENT_##NAME)) {                        \
        if (!read_##member(&value)) {                                                              \
            not_read(check, MIGUARD_COMPONENT_##NAME);                                             \
        }                                                                                          \
        compare(check, MIGUARD_COMPONENT_##NAME, value == check->bound->member);                   \
    })
    COMPONENT_MAP(CHECK_WORD)
#undef CHECK_WORD
}

/*
 * Whether this thread leads its thread group; a thread whose ids cannot be read counts as the
 * leader. The answer can change only by fork, and the epoch distinguishes a forked child.
 */
bool identity_thread_is_leader(void)
{
    static __thread struct {
        uint64_t epoch;
        bool leader;
    } known;

    uint64_t epoch = process_epoch();
    if (epoch == 0 || known.epoch != epoch) {
        long tid = identity_kernel.gettid(), pid = identity_kernel.getpid();
        known.leader = tid < 0 || pid < 0 || tid == pid;
        known.epoch = epoch;
    }
    return known.leader;
}

/*
 * unshare(2) and setns(2) change the user namespace only when the thread group has no other member,
 * and the leader stays a member, even after its exit, as long as any other lives. So no other
 * thread can have changed it, and all threads share one. __libc_single_threaded does not answer
 * this: it stays false after a second thread, even when that thread is gone.
 */
static void check_user_namespace(struct check *check)
{
    if (!wants(check, MIGUARD_COMPONENT_USER_NAMESPACE) || !identity_thread_is_leader()) {
        return;
    }
    if (!read_user_namespace(&check->facts.user_namespace)) {
        not_read(check, MIGUARD_COMPONENT_USER_NAMESPACE);
        return;
    }
    compare(check, MIGUARD_COMPONENT_USER_NAMESPACE,
            check->facts.user_namespace == check->bound->user_namespace);
}

/* The set of active LSMs is fixed at boot: where a capture found no label there is never one. */
static void check_label(struct check *check)
{
    char label[IDENTITY_MAX_LABEL];

    if (!wants(check, MIGUARD_COMPONENT_LSM_LABEL) || check->bound->lsm_label == NULL) {
        return;
    }
    if (read_lsm_label(label, sizeof(label)) < 0) {
        not_read(check, MIGUARD_COMPONENT_LSM_LABEL);
        return;
    }
    compare(check, MIGUARD_COMPONENT_LSM_LABEL, strcmp(label, check->bound->lsm_label) == 0);
}

/* The one way out, so that *ret_unreadable is set whatever the result is. */
static miguard_components finish(const struct check *check, miguard_components *ret_unreadable)
{
    if (ret_unreadable != NULL) {
        *ret_unreadable = check->unread;
    }
    return check->differing;
}

/* Whether nothing can have torn what was read since the library's count of changes was this: behind
 * the gate neither a signal handler nor glibc's broadcast changes the thread past the library. */
static bool is_whole(enum identity_gate gate, uint64_t count)
{
    return gate == IDENTITY_GATED && count == identity_change_count;
}

/* The cheap and likely differences come first only for speed: all are read, so that a refusal names
 * all of them. */
miguard_components identity_check_gated(const struct miguard_identity *bound,
                                        miguard_components compared, enum identity_gate gate,
                                        miguard_components *ret_unreadable)
{
    struct check check = {
        .bound = bound, .compared = compared & MIGUARD_COMPONENTS_ALL, .facts = {.gate = gate}};

    const uint64_t count = identity_change_count;

    if (!identity_valid(bound)) {
        check.differing = MIGUARD_COMPONENTS_ALL;
        return finish(&check, ret_unreadable);
    }
    check.differing = check.compared & ~bound->known;
    uninterrupted_begin();
    check_uids(&check);
    check_gids(&check);
    check_fs_ids(&check);
    check_groups(&check);
    check_caps(&check);
    check_words(&check);
    check_user_namespace(&check);
    check_bounding(&check);
    check_label(&check);
    const bool uninterrupted = uninterrupted_end();
    if (check.differing == 0 && !uninterrupted && !is_whole(gate, count)) {
        check_uids(&check);
        check_gids(&check);
        check_groups(&check);
    }
    return finish(&check, ret_unreadable);
}

miguard_components identity_check(const struct miguard_identity *bound, miguard_components compared,
                                  miguard_components *ret_unreadable)
{
    return identity_check_gated(bound, compared, IDENTITY_UNGATED, ret_unreadable);
}
