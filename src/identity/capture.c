/* SPDX-License-Identifier: MIT */
/*
 * Captures the credentials of the calling thread: every component is read, then confirmed by a
 * second look. Called by the guard for each session, by the switch, and by programs.
 *
 * A capture is up to IDENTITY_TRIES attempts of: capture_once() reads every component,
 * id_map_prove() refuses ids that two owners could share, witness_all() asks second sources, and
 * identity_check() reads all again. Only an attempt that all four accept is handed out; anything
 * else is UNREADABLE, UNPROVABLE or TORN.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/error.h"
#include "identity/id_map.h"
#include "identity/identity.h"
#include "identity/read.h"
#include "identity/witness.h"

/* component is one bit: it names what the kernel did not answer. */
static enum miguard_status unreadable(struct miguard_error *reterr, miguard_components component)
{
    return error_set(reterr, MIGUARD_UNREADABLE, 0, "capture", "%s cannot be read",
                     miguard_component_name(component));
}

/* An id of -1 means "no change" to the set*id calls and is not an identity to a guard (invariant
 * 1). */
static bool has_no_id(const struct miguard_identity *identity)
{
    for (size_t i = 0; i < IDENTITY_IDS; i++) {
        if (identity->uid[i] == (uid_t)-1 || identity->gid[i] == (gid_t)-1) {
            return true;
        }
    }
    return identity->group_count > 0 && identity->groups[identity->group_count - 1] == (gid_t)-1;
}

/* The list is kept sorted and without duplicates, so that comparing two is one memcmp(3). At least
 * one element is allocated: NULL would look like a list that was never read. */
static enum miguard_status capture_groups(struct miguard_identity *identity,
                                          struct miguard_error *reterr)
{
    gid_t small[READ_SMALL_GROUPS];
    uint32_t count = 0;
    gid_t *groups = read_groups(small, &count);

    if (groups == NULL) {
        return unreadable(reterr, MIGUARD_COMPONENT_GROUPS);
    }
    count = identity_sort_groups(groups, count);
    identity->groups = base_alloc(count == 0 ? 1 : count, sizeof(gid_t));
    if (identity->groups == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "capture", "no memory for %u groups", count);
    }
    memcpy(identity->groups, groups, count * sizeof(gid_t));
    identity->group_count = count;
    return MIGUARD_OK;
}

/* The components that a thread can change at any time; identity_check() reads them, too. */
static enum miguard_status capture_fast(struct miguard_identity *identity,
                                        struct miguard_error *reterr)
{
    if (!read_uids(identity->uid)) {
        return unreadable(reterr, MIGUARD_COMPONENT_RUID);
    }
    if (!read_fsuid(&identity->uid[IDENTITY_FS])) {
        return unreadable(reterr, MIGUARD_COMPONENT_FSUID);
    }
    if (!read_gids(identity->gid)) {
        return unreadable(reterr, MIGUARD_COMPONENT_RGID);
    }
    if (!read_fsgid(&identity->gid[IDENTITY_FS])) {
        return unreadable(reterr, MIGUARD_COMPONENT_FSGID);
    }
    enum miguard_status status = capture_groups(identity, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    if (!read_caps(identity->cap)) {
        return unreadable(reterr, MIGUARD_COMPONENT_CAP_EFFECTIVE);
    }
#define CAPTURE_WORD(NAME, shape, member, ...)                                                     \
    COMPONENT_IF_WORD_##shape(if (!read_##member(&identity->member)) {                             \
        return unreadable(reterr, MIGUARD_COMPONENT_##NAME);                                       \
    })
    COMPONENT_MAP(CAPTURE_WORD)
#undef CAPTURE_WORD
    return MIGUARD_OK;
}

/* Where no active LSM has labels, lsm_label stays NULL, and the component still counts as known. */
static enum miguard_status capture_label(struct miguard_identity *identity,
                                         struct miguard_error *reterr)
{
    char label[IDENTITY_MAX_LABEL];
    long length = read_lsm_label(label, sizeof(label));
    if (length < 0) {
        return unreadable(reterr, MIGUARD_COMPONENT_LSM_LABEL);
    }
    if (length == 0) {
        return MIGUARD_OK;
    }
    identity->lsm_label = base_copy_text(label);
    if (identity->lsm_label == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "capture", "no memory for the LSM label");
    }
    return MIGUARD_OK;
}

/* The components that take many calls or a file. The ambient set comes after capture_fast() and the
 * bounding set: it needs the inheritable set and the number of capabilities. */
static enum miguard_status capture_slow(struct miguard_identity *identity,
                                        struct miguard_error *reterr)
{
    if (!read_bounding(0, &identity->cap[IDENTITY_CAP_BOUNDING], &identity->cap_count)) {
        return unreadable(reterr, MIGUARD_COMPONENT_CAP_BOUNDING);
    }
    if (!read_ambient(identity->cap[IDENTITY_CAP_INHERITABLE], identity->cap_count,
                      &identity->cap[IDENTITY_CAP_AMBIENT])) {
        return unreadable(reterr, MIGUARD_COMPONENT_CAP_AMBIENT);
    }
    if (!read_user_namespace(&identity->user_namespace)) {
        return unreadable(reterr, MIGUARD_COMPONENT_USER_NAMESPACE);
    }
    return capture_label(identity, reterr);
}

/* One attempt. Only its end sets the tag, so that a capture that fails halfway is never valid. The
 * caller releases it in either case. */
static enum miguard_status capture_once(struct miguard_identity *identity,
                                        struct miguard_error *reterr)
{
    enum miguard_status status = capture_fast(identity, reterr);
    if (status == MIGUARD_OK) {
        status = capture_slow(identity, reterr);
    }
    if (status != MIGUARD_OK) {
        return status;
    }
    if (has_no_id(identity)) {
        return error_set(reterr, MIGUARD_UNREADABLE, 0, "capture",
                         "the kernel reports the id -1, which is not a valid id");
    }
    identity->known = MIGUARD_COMPONENTS_ALL;
    identity->tag = IDENTITY_TAG;
    return id_map_prove(identity, reterr);
}

/* The attempts. A wrong answer that repeats is UNREADABLE, a change that repeats is TORN: the cause
 * of the first is a sandbox, of the second another thread. */
static enum miguard_status capture(struct miguard_identity *ret_identity, bool only_look,
                                   struct miguard_error *reterr)
{
    miguard_components lied = 0;

    for (int try = 0; try < IDENTITY_TRIES; try++) {
        memset(ret_identity, 0, sizeof(*ret_identity));
        enum miguard_status status = capture_once(ret_identity, reterr);
        if (status != MIGUARD_OK) {
            identity_release(ret_identity);
            return status;
        }
        /* Each read is consistent in itself. Together they are consistent only if a second look
         * finds no change: another thread's setxid call through glibc may have come in between. */
        miguard_components unread = 0;
        lied = witness_all(ret_identity, only_look);
        miguard_components torn = identity_check(ret_identity, MIGUARD_COMPONENTS_ALL, &unread);
        if (torn == 0 && lied == 0) {
            return MIGUARD_OK;
        }
        lied = torn == 0 ? lied : 0; /* a change under way disagrees with every witness */
        identity_release(ret_identity);
        if (unread != 0) {
            return unreadable(reterr, unread & (~unread + 1));
        }
    }
    if (lied != 0) {
        return unreadable(reterr, lied);
    }
    return error_set(reterr, MIGUARD_TORN, 0, "capture",
                     "another thread kept changing this thread's identity, %d times in a row",
                     IDENTITY_TRIES);
}

enum miguard_status identity_capture(struct miguard_identity *ret_identity,
                                     struct miguard_error *reterr)
{
    return capture(ret_identity, false, reterr);
}

enum miguard_status identity_capture_to_record(struct miguard_identity *ret_identity)
{
    return capture(ret_identity, true, NULL);
}

enum miguard_status miguard_identity_capture(struct miguard_identity **ret_identity,
                                             struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (ret_identity == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "capture", "ret_identity is NULL");
    }
    struct miguard_identity *identity = base_alloc(1, sizeof(*identity));
    if (identity == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "capture", NULL);
    }
    enum miguard_status status = identity_capture(identity, reterr);
    if (status != MIGUARD_OK) {
        base_free(identity);
        return status;
    }
    *ret_identity = identity;
    return MIGUARD_OK;
}
