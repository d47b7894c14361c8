/* SPDX-License-Identifier: MIT */
/*
 * Restores a thread by a search over the calls that still work (restore.h). Called by the switch
 * and the drop when the usual steps fail.
 *
 * One round of try_to_restore(): read_now() reads the thread, find_move() searches the model for a
 * shortest way to the goal, make_call() makes its first call, and read_now() compares the thread
 * with what the model expected. The rounds end at the goal, without a way, or after STEPS.
 */
#include "switch/restore.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>

#include "identity/kernel.h"
#include "identity/proc_status.h"
#include "identity/read.h"
#include "switch/alive.h"
#include "switch/apply.h"
#include "switch/state.h"

/* ---- the model: capabilities(7), credentials(7), and the kernel's security/commoncap.c ------ */

typedef struct restore_state state_t;

#define CAP(NAME) ((uint64_t)1 << CAP_##NAME)

/* The capabilities that follow the file system uid (capabilities(7)). */
#define FS_CAPS                                                                                    \
    (CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(DAC_READ_SEARCH) | CAP(FOWNER) | CAP(FSETID) |           \
     CAP(LINUX_IMMUTABLE) | CAP(MAC_OVERRIDE) | CAP(MKNOD))

/* setresuid(2) with its effect on the capabilities. */
static bool set_uids(state_t *state, uid_t real, uid_t effective, uid_t saved)
{
    const state_t old = *state;

    if ((old.effective & CAP(SETUID)) == 0 &&
        !switch_has_ids(old.uid, (const uid_t[]){real, effective, saved})) {
        return false;
    }
    state->uid[IDENTITY_R] = real;
    state->uid[IDENTITY_E] = state->uid[IDENTITY_FS] = effective;
    state->uid[IDENTITY_S] = saved;
    if ((old.securebits & SECBIT_NO_SETUID_FIXUP) != 0) {
        return true;
    }
    if (switch_any_root(old.uid) && !switch_any_root(state->uid)) {
        if ((old.securebits & SECBIT_KEEP_CAPS) == 0) {
            state->permitted = state->effective = 0;
        }
        state->ambient = 0;
    }
    state->effective = switch_effective_after(old.uid[IDENTITY_E], effective, old.securebits,
                                              state->effective, state->permitted);
    return true;
}

/* setfsuid(2) with its effect on the capabilities for files. */
static bool set_fsuid(state_t *state, uid_t uid)
{
    const uid_t old = state->uid[IDENTITY_FS];

    if ((state->effective & CAP(SETUID)) == 0 && uid != old && !switch_has_id(state->uid, uid)) {
        return false;
    }
    state->uid[IDENTITY_FS] = uid;
    if ((state->securebits & SECBIT_NO_SETUID_FIXUP) != 0) {
        return true;
    }
    if (old == 0 && uid != 0) {
        state->effective &= ~FS_CAPS;
    } else if (old != 0 && uid == 0) {
        state->effective |= state->permitted & FS_CAPS;
    }
    return true;
}

/* Never reduces the permitted set: that could not be undone. */
static bool set_caps(state_t *state, uint64_t effective, uint64_t inheritable)
{
    bool privileged = (state->effective & CAP(SETPCAP)) != 0;

    if ((effective & ~state->permitted) != 0 ||
        (!privileged && (inheritable & ~(state->inheritable | state->permitted)) != 0)) {
        return false;
    }
    state->effective = effective;
    state->inheritable = inheritable;
    state->ambient &= state->permitted & inheritable;
    return true;
}

/* Locked bits and the locks themselves cannot change. */
static bool set_bits(state_t *state, uint32_t bits)
{
    const uint32_t locks = state->securebits & (uint32_t)SECURE_ALL_LOCKS;

    if ((state->effective & CAP(SETPCAP)) == 0 || ((state->securebits ^ bits) & locks >> 1) != 0 ||
        (locks & ~bits) != 0) {
        return false;
    }
    state->securebits = bits;
    return true;
}

/* PR_SET_KEEPCAPS: any thread may, unless the bit is locked. */
static bool set_keep(state_t *state, bool keep)
{
    if ((state->securebits & SECBIT_KEEP_CAPS_LOCKED) != 0) {
        return false;
    }
    state->securebits =
        (state->securebits & ~(uint32_t)SECBIT_KEEP_CAPS) | (keep ? (uint32_t)SECBIT_KEEP_CAPS : 0);
    return true;
}

/* ---- the moves ------------------------------------------------------------------------------
 *
 * Each applies one call to *state, and returns whether the kernel allows it. A move that cannot
 * help is not allowed either, which keeps the search small.
 */

/* Only then does the kernel clear the permitted set, and only then does keep-caps help. */
static bool leaves_root(const state_t *state, const state_t *goal)
{
    return switch_any_root(state->uid) && !switch_any_root(goal->uid);
}

/* After this, a change of the uids does not change the capabilities. It comes first, since it risks
 * nothing: a bit that cannot be set is noticed before anything is given up. */
static bool no_fixup(state_t *state, const state_t *goal)
{
    return memcmp(state->uid, goal->uid, sizeof(state->uid)) != 0 &&
           set_bits(state, state->securebits | SECBIT_NO_SETUID_FIXUP);
}

/* The same bit by PR_SET_SECUREBITS, for where a filter denies PR_SET_KEEPCAPS. */
static bool bits_keep(state_t *state, const state_t *goal)
{
    return leaves_root(state, goal) && set_bits(state, state->securebits | SECBIT_KEEP_CAPS);
}

/* The same bit by PR_SET_KEEPCAPS, which needs no capability. */
static bool keep(state_t *state, const state_t *goal)
{
    return leaves_root(state, goal) && set_keep(state, true);
}

/* Later moves may need any capability that the thread still has. */
static bool raise_caps(state_t *state, const state_t *goal)
{
    (void)goal;
    return set_caps(state, state->permitted, state->inheritable);
}

/* setfsuid(2) may still have to follow: this sets the fs id to the effective one. */
static bool goal_uids(state_t *state, const state_t *goal)
{
    return set_uids(state, goal->uid[IDENTITY_R], goal->uid[IDENTITY_E], goal->uid[IDENTITY_S]);
}

/* A thread with any uid of 0 can make all its permitted capabilities effective in this way. */
static bool effective_root(state_t *state, const state_t *goal)
{
    (void)goal;
    return set_uids(state, state->uid[IDENTITY_R], 0, state->uid[IDENTITY_S]);
}

/* Empties the effective set; coming back to uid 0 fills it. */
static bool effective_other(state_t *state, const state_t *goal)
{
    const uid_t *uid = state->uid;
    uid_t other = uid[IDENTITY_R] != 0 ? uid[IDENTITY_R] : uid[IDENTITY_S];

    (void)goal;
    return uid[IDENTITY_E] == 0 &&
           set_uids(state, uid[IDENTITY_R], other != 0 ? other : 1, uid[IDENTITY_S]);
}

/* setresgid(2) has no effect on capabilities. */
static bool goal_gids(state_t *state, const state_t *goal)
{
    const gid_t *gid = goal->gid;

    if ((state->effective & CAP(SETGID)) == 0 && !switch_has_ids(state->gid, gid)) {
        return false;
    }
    memcpy(state->gid, gid, sizeof(state->gid));
    state->gid[IDENTITY_FS] = gid[IDENTITY_E];
    return true;
}

/* Without CAP_SETGID the kernel allows only an id that the thread has (setfsgid(2)). Gids have no
 * effect on capabilities. */
static bool goal_fsgid(state_t *state, const state_t *goal)
{
    const gid_t gid = goal->gid[IDENTITY_FS];

    if ((state->effective & CAP(SETGID)) == 0 && !switch_has_id(state->gid, gid)) {
        return false;
    }
    state->gid[IDENTITY_FS] = gid;
    return true;
}

/* The model knows of the groups only whether they are right (restore.h). */
static bool goal_groups(state_t *state, const state_t *goal)
{
    (void)goal;
    state->right_groups = true;
    return (state->effective & CAP(SETGID)) != 0;
}

/* Leaving 0 or coming to it changes the effective capabilities for files, too. */
static bool goal_fsuid(state_t *state, const state_t *goal)
{
    return set_fsuid(state, goal->uid[IDENTITY_FS]);
}

/* Raises the effective capabilities for files where capset(2) is denied. */
static bool root_fsuid(state_t *state, const state_t *goal)
{
    return (FS_CAPS & (goal->effective ^ state->effective)) != 0 && set_fsuid(state, 0);
}

/* Clears them in the same way. Any id but 0 would do; one that the thread has needs no
 * capability. */
static bool other_fsuid(state_t *state, const state_t *goal)
{
    const uid_t *uid = state->uid;
    uid_t other = uid[IDENTITY_R] != 0 ? uid[IDENTITY_R] : uid[IDENTITY_S];

    return (FS_CAPS & (goal->effective ^ state->effective)) != 0 && uid[IDENTITY_FS] == 0 &&
           set_fsuid(state, other != 0 ? other : 1);
}

/* Also clears the bits that earlier moves of this search set. */
static bool goal_bits(state_t *state, const state_t *goal)
{
    return set_bits(state, goal->securebits);
}

/* Needs no capability, where the other bits need CAP_SETPCAP; a filter may allow it and deny them.
 */
static bool goal_keep(state_t *state, const state_t *goal)
{
    return set_keep(state, (goal->securebits & SECBIT_KEEP_CAPS) != 0);
}

/* One call for the effective and the inheritable set. The permitted set stays as it is. */
static bool goal_caps(state_t *state, const state_t *goal)
{
    return set_caps(state, goal->effective, goal->inheritable);
}

/* Only the inheritable set, while the effective one is still needed. */
static bool goal_inheritable(state_t *state, const state_t *goal)
{
    return set_caps(state, state->permitted, goal->inheritable);
}

/* A capability can be ambient only while it is permitted and inheritable (capabilities(7)). */
static bool raise_ambient(state_t *state, const state_t *goal)
{
    if ((state->securebits & SECBIT_NO_CAP_AMBIENT_RAISE) != 0 ||
        (goal->ambient & ~(state->permitted & state->inheritable)) != 0) {
        return false;
    }
    state->ambient |= goal->ambient;
    return true;
}

/* Lowering is always allowed. */
static bool lower_ambient(state_t *state, const state_t *goal)
{
    state->ambient &= goal->ambient;
    return true;
}

/* The system call behind a move; several moves share one. */
enum call { UIDS, GIDS, GROUPS, FSUID, FSGID, CAPS, BITS, KEEP, RAISE, LOWER };

/* The order matters only among ways of equal length: the harmless moves come first. */
static const struct move {
    bool (*model)(state_t *state, const state_t *goal);
    enum call call;
} moves[] = {
    {no_fixup, BITS},        {bits_keep, BITS},        {keep, KEEP},
    {raise_caps, CAPS},      {goal_uids, UIDS},        {effective_root, UIDS},
    {effective_other, UIDS}, {goal_gids, GIDS},        {goal_groups, GROUPS},
    {goal_fsgid, FSGID},     {goal_fsuid, FSUID},      {root_fsuid, FSUID},
    {other_fsuid, FSUID},    {goal_inheritable, CAPS}, {goal_caps, CAPS},
    {goal_bits, BITS},       {goal_keep, KEEP},        {raise_ambient, RAISE},
    {lower_ambient, LOWER},
};

/* STEPS: calls of one attempt. A bound for the case that the model is wrong again and again. */
enum { MOVES = sizeof(moves) / sizeof(moves[0]), STEPS = 4 * MOVES };

/* ---- a call and its result ------------------------------------------------------------------- */

/* One call for each capability; only those that differ (apply.c, set_ambient()). */
static void move_ambient(uint64_t from, uint64_t to)
{
    for (unsigned i = 0; i < 64; i++) {
        if (((from ^ to) >> i & 1) != 0) {
            (void)identity_kernel.prctl(
                PR_CAP_AMBIENT, (to >> i & 1) != 0 ? PR_CAP_AMBIENT_RAISE : PR_CAP_AMBIENT_LOWER, i,
                0, 0);
        }
    }
}

/* Ignores the call's result: the thread is read afterwards. */
static void make_call(enum call call, const state_t *from, const state_t *to,
                      const struct miguard_identity *original)
{
    switch (call) {
    case UIDS:
        (void)identity_kernel.setresuid(to->uid[IDENTITY_R], to->uid[IDENTITY_E],
                                        to->uid[IDENTITY_S]);
        return;
    case GIDS:
        (void)identity_kernel.setresgid(to->gid[IDENTITY_R], to->gid[IDENTITY_E],
                                        to->gid[IDENTITY_S]);
        return;
    case GROUPS:
        (void)identity_kernel.setgroups(original->group_count, original->groups);
        return;
    case FSUID:
        (void)identity_kernel.setfsuid(to->uid[IDENTITY_FS]);
        return;
    case FSGID:
        (void)identity_kernel.setfsgid(to->gid[IDENTITY_FS]);
        return;
    case CAPS:
        (void)switch_set_caps(to->effective, to->permitted, to->inheritable);
        return;
    case BITS:
        (void)identity_kernel.prctl(PR_SET_SECUREBITS, to->securebits, 0, 0, 0);
        return;
    case KEEP:
        (void)identity_kernel.prctl(PR_SET_KEEPCAPS, (to->securebits & SECBIT_KEEP_CAPS) != 0, 0, 0,
                                    0);
        return;
    case RAISE:
    case LOWER:
        move_ambient(from->ambient, to->ambient);
    }
}

/* The part of an identity that the model knows. */
static state_t state_of(const struct miguard_identity *identity, bool right_groups)
{
    state_t state;

    memset(&state, 0, sizeof(state)); /* states are compared as memory */
    memcpy(state.uid, identity->uid, sizeof(state.uid));
    memcpy(state.gid, identity->gid, sizeof(state.gid));
    state.effective = identity->cap[IDENTITY_CAP_EFFECTIVE];
    state.permitted = identity->cap[IDENTITY_CAP_PERMITTED];
    state.inheritable = identity->cap[IDENTITY_CAP_INHERITABLE];
    state.ambient = identity->cap[IDENTITY_CAP_AMBIENT];
    state.securebits = identity->securebits;
    state.right_groups = right_groups;
    return state;
}

/* From the kernel's file where it can be read: a filter that denies setfsuid(2) or prctl(2) also
 * denies or falsifies the reads that use them. */
static bool read_thread(struct miguard_identity *ret_now, gid_t *groups)
{
    struct status_view view;

    if (!status_view_read(&view)) {
        return state_read(ret_now, groups) == 0;
    }
    memset(ret_now, 0, sizeof(*ret_now));
    memcpy(ret_now->uid, view.uid, sizeof(view.uid));
    memcpy(ret_now->gid, view.gid, sizeof(view.gid));
    memcpy(ret_now->cap, view.cap, sizeof(view.cap));
    ret_now->no_new_privs = view.no_new_privs;
    ret_now->groups = groups;
    if (!read_groups_into(groups, &ret_now->group_count) ||
        !read_securebits(&ret_now->securebits)) {
        return false;
    }
    ret_now->group_count = identity_sort_groups(groups, ret_now->group_count);
    return true;
}

/* Both lists are sorted and without duplicates. */
static bool same_groups(const struct miguard_identity *a, const struct miguard_identity *b)
{
    return a->group_count == b->group_count &&
           (a->group_count == 0 ||
            memcmp(a->groups, b->groups, a->group_count * sizeof(gid_t)) == 0);
}

/* What no call can restore must be unchanged. */
static bool read_now(state_t *ret_state, const struct miguard_identity *original, gid_t *groups)
{
    struct miguard_identity now;

    if (!read_thread(&now, groups)) {
        return false;
    }
    *ret_state = state_of(&now, same_groups(original, &now));
    return now.no_new_privs == original->no_new_privs;
}

/* States are zeroed before they are filled in, so that padding compares equal. */
static bool same(const state_t *a, const state_t *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- the search: breadth first, so the way found is a shortest one ------------------- */

/* The place in the table that has this state or is free for it (FNV-1a, with linear probing). A
 * free one exists: the table is four times as large as the number of nodes. */
static uint16_t *place_of(struct restore_room *room, const state_t *state)
{
    const unsigned char *bytes = (const unsigned char *)state;
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < sizeof(*state); i++) {
        hash = (hash ^ bytes[i]) * 16777619U;
    }
    for (hash %= RESTORE_TABLE;
         room->table[hash] != 0 && !same(&room->nodes[room->table[hash] - 1].state, state);) {
        hash = (hash + 1) % RESTORE_TABLE;
    }
    return &room->table[hash];
}

/* Adds the state unless it is known or the memory is used up. */
static void add_node(struct restore_room *room, unsigned *count, const state_t *state,
                     unsigned parent, unsigned move)
{
    uint16_t *place = place_of(room, state);

    if (*place != 0 || *count == RESTORE_NODES) {
        return;
    }
    room->nodes[*count] = (struct restore_node){*state, (uint16_t)parent, (uint16_t)move};
    *place = (uint16_t)++ * count;
}

/* The first move of the way to node. */
static unsigned first_move(const struct restore_room *room, unsigned node)
{
    while (room->nodes[node].parent != 0) {
        node = room->nodes[node].parent;
    }
    return room->nodes[node].move;
}

/* The first move of a shortest way from now to goal; MOVES without one. usable has a bit for each
 * move. */
static unsigned find_move(const state_t *now, const state_t *goal, uint32_t usable,
                          struct restore_room *room)
{
    unsigned count = 0;

    memset(room->table, 0, sizeof(room->table));
    add_node(room, &count, now, 0, MOVES);
    for (unsigned node = 0; node < count; node++) {
        if (same(&room->nodes[node].state, goal)) {
            return first_move(room, node);
        }
        for (unsigned move = 0; move < MOVES; move++) {
            state_t next = room->nodes[node].state;
            if ((usable >> move & 1) != 0 && moves[move].model(&next, goal) &&
                next.permitted == now->permitted) {
                add_node(room, &count, &next, node, move);
            }
        }
    }
    return MOVES;
}

/* Tests calls that can be tested without effect first: later might be too late. */
static uint32_t usable_moves(void)
{
    const bool caps = alive_capset(), keeping = alive_keepcaps(), ambient = alive_ambient();
    uint32_t usable = 0;

    for (unsigned i = 0; i < MOVES; i++) {
        const enum call call = moves[i].call;
        bool dead =
            (call == CAPS && !caps) || (call == KEEP && !keeping) || (call == RAISE && !ambient);
        usable |= dead ? 0 : (uint32_t)1 << i;
    }
    return usable;
}

/* One attempt with all calls that seem alive. False when the thread cannot be read or no way is
 * left. */
static bool try_to_restore(const struct miguard_identity *original, gid_t *groups,
                           struct restore_room *room)
{
    const state_t goal = state_of(original, true);
    uint32_t usable = usable_moves();
    state_t now;

    if (!read_now(&now, original, groups)) {
        return false;
    }
    for (int step = 0; step < STEPS && !same(&now, &goal); step++) {
        unsigned move = find_move(&now, &goal, usable, room);
        if (move == MOVES) {
            return false;
        }
        state_t expected = now;
        (void)moves[move].model(&expected, &goal);
        make_call(moves[move].call, &now, &expected, original);
        if (!read_now(&now, original, groups)) {
            return false;
        }
        usable &= same(&now, &expected) ? UINT32_MAX : ~((uint32_t)1 << move);
    }
    return same(&now, &goal);
}

/* A call that failed once is tried a second time. */
bool restore_thread(const struct miguard_identity *original, gid_t *groups,
                    struct restore_room *room)
{
    return try_to_restore(original, groups, room) || try_to_restore(original, groups, room);
}
