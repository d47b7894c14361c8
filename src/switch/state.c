/* SPDX-License-Identifier: MIT */
/* Reads, proves and compares the part of an identity that a switch changes (state.h). */
#include "switch/state.h"

#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/process.h"
#include "identity/id_map.h"
#include "identity/proc_status.h"
#include "identity/read.h"
#include "identity/witness.h"

/* The number of capabilities is a fact of the running kernel: determined once. */
static uint32_t capability_count(void)
{
    static _Atomic uint32_t known;
    uint64_t bounding = 0;

    uint32_t count = atomic_load_explicit(&known, memory_order_relaxed);
    if (count == 0 && read_bounding(0, &bounding, &count)) {
        atomic_store_explicit(&known, count, memory_order_relaxed);
    }
    return count;
}

/* Reads each component by its call: the order and the answers are those of capture.c, but nothing
 * is allocated, and only what a switch can change is read. 0, or the first that failed. */
static miguard_components read_by_calls(struct miguard_identity *ret_state, gid_t *groups)
{
    struct miguard_identity *state = ret_state;

    memset(state, 0, sizeof(*state));
    state->groups = groups;
    if (!read_uids(state->uid)) {
        return MIGUARD_COMPONENT_RUID;
    }
    if (!read_fsuid(&state->uid[IDENTITY_FS])) {
        return MIGUARD_COMPONENT_FSUID;
    }
    if (!read_gids(state->gid)) {
        return MIGUARD_COMPONENT_RGID;
    }
    if (!read_fsgid(&state->gid[IDENTITY_FS])) {
        return MIGUARD_COMPONENT_FSGID;
    }
    if (!read_groups_into(groups, &state->group_count)) {
        return MIGUARD_COMPONENT_GROUPS;
    }
    state->group_count = identity_sort_groups(groups, state->group_count);
    if (!read_caps(state->cap)) {
        return MIGUARD_COMPONENT_CAP_EFFECTIVE;
    }
    if (state->cap[IDENTITY_CAP_INHERITABLE] != 0) {
        state->cap_count = capability_count();
    }
    if ((state->cap[IDENTITY_CAP_INHERITABLE] != 0 && state->cap_count == 0) ||
        !read_ambient(state->cap[IDENTITY_CAP_INHERITABLE], state->cap_count,
                      &state->cap[IDENTITY_CAP_AMBIENT])) {
        return MIGUARD_COMPONENT_CAP_AMBIENT;
    }
#define READ_STATE_WORD(NAME, shape, member, WAY, ...)                                             \
    COMPONENT_IF_WORD_##shape(                                                                     \
        if (COMPONENT_##WAY != COMPONENT_UNREAD && !read_##member(&state->member)) {               \
            return MIGUARD_COMPONENT_##NAME;                                                       \
        })
    COMPONENT_MAP(READ_STATE_WORD)
#undef READ_STATE_WORD
    state->known = STATE_COMPONENTS;
    state->tag = IDENTITY_TAG;
    return 0;
}

/* The answer 0 of setfsuid(2) is the one that a filter can also give. */
static bool has_root_fs_id(const struct miguard_identity *state)
{
    return state->uid[IDENTITY_FS] == 0 || state->gid[IDENTITY_FS] == 0;
}

/* No argument of setfsuid(2) and setfsgid(2) makes the kernel refuse. So the call cannot
 * distinguish root's id from a filter that answers 0; /proc can, where it is mounted. */
static miguard_components fs_ids_witnessed(const struct miguard_identity *state)
{
    struct status_view view;

    if (!has_root_fs_id(state) || !status_view_read(&view)) {
        return 0;
    }
    if (view.uid[IDENTITY_FS] != state->uid[IDENTITY_FS]) {
        return MIGUARD_COMPONENT_FSUID;
    }
    return view.gid[IDENTITY_FS] != state->gid[IDENTITY_FS] ? MIGUARD_COMPONENT_FSGID : 0;
}

/* The file is asked only where a filter exists and could have falsified the answer. */
miguard_components state_read(struct miguard_identity *ret_state, gid_t *groups)
{
    miguard_components unread = read_by_calls(ret_state, groups);

    return unread == 0 && has_root_fs_id(ret_state) && witness_sees_filter()
               ? fs_ids_witnessed(ret_state)
               : unread;
}

/*
 * Whether the kernel itself made the fs id of `to`: setting another effective id sets the fs id,
 * too (credentials(7)), and the steps then set no other (apply.c). That the effective id has
 * changed is read through memory, where a filter cannot answer.
 */
static bool fs_id_follows(const uid_t from[IDENTITY_IDS], const uid_t to[IDENTITY_IDS])
{
    return from[IDENTITY_E] != to[IDENTITY_E] && to[IDENTITY_FS] == to[IDENTITY_E];
}

/* Only root's id needs a second source (has_root_fs_id()). */
static bool fs_ids_proved(const struct miguard_identity *from, const struct miguard_identity *to)
{
    return (to->uid[IDENTITY_FS] != 0 || fs_id_follows(from->uid, to->uid)) &&
           (to->gid[IDENTITY_FS] != 0 || fs_id_follows(from->gid, to->gid));
}

/* A state that cannot be read differs in everything: it must not pass as verified. */
miguard_components state_check(const struct miguard_identity *from,
                               const struct miguard_identity *expected,
                               struct miguard_identity *ret_now, gid_t *groups)
{
    const bool proved = from != NULL && fs_ids_proved(from, expected);

    if ((proved ? read_by_calls : state_read)(ret_now, groups) != 0) {
        return STATE_COMPONENTS;
    }
    return miguard_identity_compare(expected, ret_now) & STATE_COMPONENTS;
}

bool state_has_effective_ids(const struct miguard_identity *identity)
{
    uid_t uid[IDENTITY_IDS - 1];
    gid_t gid[IDENTITY_IDS - 1];

    return read_uids(uid) && uid[IDENTITY_E] == identity->uid[IDENTITY_E] && read_gids(gid) &&
           gid[IDENTITY_E] == identity->gid[IDENTITY_E];
}

/* A component that a filter of system calls may have falsified, or 0. */
static miguard_components ask_witnesses(const struct miguard_identity *state, bool filtered)
{
    miguard_components unread = witness_calls(state, filtered);

    return unread == 0 && filtered ? fs_ids_witnessed(state) : unread;
}

/*
 * An id of -1 means "no change" to the set*id calls. An id that is shown for every unmapped id
 * could not be set again, or would be another than before. A thread that leads its group may have
 * entered another user namespace since the last check; any other thread cannot (check.c), nor can
 * its process leave the first one while that thread lives.
 */
static enum miguard_status prove(struct miguard_identity *state, struct miguard_error *reterr)
{
    static __thread uint64_t initial_in_epoch __attribute__((tls_model("initial-exec")));

    for (size_t i = 0; i < IDENTITY_IDS; i++) {
        if (state->uid[i] == (uid_t)-1 || state->gid[i] == (gid_t)-1) {
            return error_set(reterr, MIGUARD_UNREADABLE, 0, "capture",
                             "the kernel reports the id -1, which is not a valid id");
        }
    }
    uint64_t epoch = process_epoch();
    bool leader = identity_thread_is_leader();
    if (!leader && epoch != 0 && initial_in_epoch == epoch) {
        return MIGUARD_OK;
    }
    if (!read_user_namespace(&state->user_namespace)) {
        return error_set(reterr, MIGUARD_UNREADABLE, 0, "capture", "%s cannot be read",
                         miguard_component_name(MIGUARD_COMPONENT_USER_NAMESPACE));
    }
    if (!leader && state->user_namespace == ID_MAP_INITIAL_NAMESPACE) {
        initial_in_epoch = epoch;
    }
    return id_map_prove(state, reterr);
}

/* What is read twice with the same answer is still only what the calls say. */
static enum miguard_status confirm(struct miguard_identity *state, bool *ret_filtered,
                                   struct miguard_error *reterr)
{
    *ret_filtered = witness_sees_filter();
    miguard_components unread = ask_witnesses(state, *ret_filtered);

    return unread == 0 ? prove(state, reterr)
                       : error_set(reterr, MIGUARD_UNREADABLE, 0, "capture", "%s cannot be read",
                                   miguard_component_name(unread));
}

static bool reads_as(const struct miguard_identity *state, gid_t *groups)
{
    struct miguard_identity now;

    return read_by_calls(&now, groups) == 0 &&
           (miguard_identity_compare(state, &now) & STATE_COMPONENTS) == 0;
}

enum miguard_status state_capture(struct miguard_identity *ret_state, gid_t *groups, gid_t *second,
                                  bool *ret_filtered, struct miguard_error *reterr)
{
    for (int try = 0; try < IDENTITY_TRIES; try++) {
        miguard_components unread = read_by_calls(ret_state, groups);
        if (unread != 0) {
            return error_set(reterr, MIGUARD_UNREADABLE, 0, "capture", "%s cannot be read",
                             miguard_component_name(unread));
        }
        /* A wrong value here would later be restored and then verified as right. So everything is
         * read twice: a false answer, or a setxid call of another thread through glibc in between,
         * shows as a difference. */
        if (reads_as(ret_state, second)) {
            return confirm(ret_state, ret_filtered, reterr);
        }
    }
    return error_set(reterr, MIGUARD_TORN, 0, "capture",
                     "this thread's identity kept changing while it was read, %d times in a row",
                     IDENTITY_TRIES);
}

/* The reading that the way back was verified by is the first of the two; this is the second. */
enum miguard_status state_capture_again(struct miguard_identity *state, gid_t *second,
                                        bool *ret_same, bool *ret_filtered,
                                        struct miguard_error *reterr)
{
    *ret_same = reads_as(state, second);
    return *ret_same ? confirm(state, ret_filtered, reterr) : MIGUARD_OK;
}
