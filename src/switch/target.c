/* SPDX-License-Identifier: MIT */
/*
 * Makes targets of a switch or drop: from a user, ids, a socket's peer or an identity. Called by
 * programs and the gateway.
 *
 * Each constructor ends in make_target(), which checks and copies the ids, or copies a whole
 * identity. target_expected() is asked later, by the switch and the rehearsal: what a target means
 * depends on the thread.
 */
#include "switch/target.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/error.h"
#include "identity/directory.h"
#include "identity/identity.h"
#include "switch/peer.h"

static enum miguard_status no_memory(struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_NO_MEMORY, 0, "target", NULL);
}

void miguard_target_free(struct miguard_target *target)
{
    ENTRY_UNCANCELLED;
    if (target == NULL) {
        return;
    }
    if (target->peer != NULL) {
        peer_release(target->peer);
        base_free(target->peer);
    }
    identity_release(&target->identity);
    base_free(target);
}

static enum miguard_status copy_peer(const struct switch_peer *peer, struct switch_peer **ret_copy)
{
    struct switch_peer *copy = base_alloc(1, sizeof(*copy));

    if (copy == NULL || peer_copy(peer, copy) != MIGUARD_OK) {
        base_free(copy);
        return MIGUARD_NO_MEMORY;
    }
    *ret_copy = copy;
    return MIGUARD_OK;
}

enum miguard_status miguard_target_copy(const struct miguard_target *target,
                                        struct miguard_target **ret_copy,
                                        struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (target == NULL || ret_copy == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target",
                         "target or ret_copy is NULL");
    }
    struct miguard_target *copy = base_alloc(1, sizeof(*copy));
    if (copy == NULL) {
        return no_memory(reterr);
    }
    *copy = *target; /* what it may not be used for goes with it */
    copy->peer = NULL;
    if (identity_copy(&target->identity, &copy->identity) != MIGUARD_OK) {
        base_free(copy);
        return no_memory(reterr);
    }
    if (target->peer != NULL && copy_peer(target->peer, &copy->peer) != MIGUARD_OK) {
        miguard_target_free(copy);
        return no_memory(reterr);
    }
    *ret_copy = copy;
    return MIGUARD_OK;
}

/* A copy of groups as a target of plain ids. *ret_target is set only with OK. Errors: LIMIT,
 * INVALID_ARGUMENT, NO_MEMORY. */
static enum miguard_status make_target(uid_t uid, gid_t gid, const gid_t *groups,
                                       size_t group_count, struct miguard_target **ret_target,
                                       struct miguard_error *reterr)
{
    if (group_count > IDENTITY_MAX_GROUPS) {
        return error_set(reterr, MIGUARD_LIMIT, 0, "target", "%zu groups; %d are the most",
                         group_count, IDENTITY_MAX_GROUPS);
    }
    bool invalid = uid == (uid_t)-1 || gid == (gid_t)-1;
    for (size_t i = 0; i < group_count && !invalid; i++) {
        invalid = groups[i] == (gid_t)-1;
    }
    if (invalid) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target",
                         "an id of -1 means \"no change\" to the kernel and is not a valid id");
    }
    struct miguard_target *target = base_alloc(1, sizeof(*target));
    if (target == NULL) {
        return no_memory(reterr);
    }
    target->identity.uid[0] = uid;
    target->identity.gid[0] = gid;
    target->identity.groups = base_alloc(group_count == 0 ? 1 : group_count, sizeof(gid_t));
    if (target->identity.groups == NULL) {
        base_free(target);
        return no_memory(reterr);
    }
    if (group_count > 0) {
        memcpy(target->identity.groups, groups, group_count * sizeof(gid_t));
    }
    target->identity.group_count =
        identity_sort_groups(target->identity.groups, (uint32_t)group_count);
    *ret_target = target;
    return MIGUARD_OK;
}

/* "Could not be asked" is SYSTEM and never NOT_FOUND: a caller must not take an unreachable
 * directory for a user who does not exist. */
static enum miguard_status not_asked(const char *what, const char *user, int error,
                                     struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_SYSTEM, error, "directory",
                     "%s \"%.64s\" cannot be looked up: %s", what, user, strerrordesc_np(error));
}

/* The status and message of each answer; MIGUARD_OK for FOUND. */
static enum miguard_status lookup_error(enum directory_result result, const char *user,
                                        const struct directory_entry *entry,
                                        struct miguard_error *reterr)
{
    switch (result) {
    case DIRECTORY_FOUND:
        return MIGUARD_OK;
    case DIRECTORY_NONE:
        return error_set(reterr, MIGUARD_NOT_FOUND, 0, "target", "there is no user \"%.64s\"",
                         user);
    case DIRECTORY_AMBIGUOUS:
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target",
                         "\"%.64s\" is an id, and the name of the user with id %u; \"+%.64s\" or "
                         "\"+%u\" says which",
                         user, entry->id, user, entry->id);
    case DIRECTORY_TOO_LARGE:
        return error_set(reterr, MIGUARD_LIMIT, ERANGE, "directory",
                         "an entry before user \"%.64s\" is longer than %d bytes", user,
                         DIRECTORY_LARGEST);
    case DIRECTORY_NO_MEMORY:
        return no_memory(reterr);
    case DIRECTORY_FAILED:
        break;
    }
    return not_asked("user", user, entry->error, reterr);
}

/* By the rule of directory.h. FOUND leaves a name in *ret_entry that the caller releases. */
static enum miguard_status find_user(const char *user, struct directory_entry *ret_entry,
                                     struct miguard_error *reterr)
{
    struct directory_entry named = {0};
    enum directory_result result = DIRECTORY_NONE;
    uint32_t uid = 0;

    switch (directory_read_text(user, &uid)) {
    case DIRECTORY_TEXT_NAME:
        result = directory_by_name(DIRECTORY_USER, user, DIRECTORY_FOREVER, ret_entry);
        return lookup_error(result, user, ret_entry, reterr);
    case DIRECTORY_TEXT_ID:
        break;
    case DIRECTORY_TEXT_DIGITS:
        result = directory_check_digits(DIRECTORY_USER, uid, DIRECTORY_FOREVER, &named);
        directory_release(&named);
        if (result != DIRECTORY_FOUND && result != DIRECTORY_NONE) {
            return lookup_error(result, user, &named, reterr);
        }
        break;
    default:
        return error_set(reterr, MIGUARD_NOT_FOUND, 0, "target",
                         "\"%.64s\" is not an id: ids are decimal, without leading zeros, and at "
                         "most %u",
                         user, UINT32_MAX - 1);
    }
    result = directory_by_id(DIRECTORY_USER, uid, DIRECTORY_FOREVER, ret_entry);
    return lookup_error(result, user, ret_entry, reterr);
}

/* All groups or an error: a target with some of a user's groups would be another identity. */
static enum miguard_status user_groups(const struct directory_entry *user, gid_t **ret_groups,
                                       uint32_t *ret_count, struct miguard_error *reterr)
{
    int error = 0;

    switch (directory_groups(user, DIRECTORY_FOREVER, ret_groups, ret_count, &error)) {
    case DIRECTORY_FOUND:
        return MIGUARD_OK;
    case DIRECTORY_FAILED:
        return not_asked("the groups of user", user->name, error, reterr);
    case DIRECTORY_TOO_LARGE:
        return error_set(reterr, MIGUARD_LIMIT, 0, "target", "%s is in more than %d groups",
                         user->name, IDENTITY_MAX_GROUPS);
    default:
        return no_memory(reterr);
    }
}

/* A target with the groups of user, and with its ids unless others are given. */
static enum miguard_status make_user_target(const char *user, const uid_t *uid, const gid_t *gid,
                                            struct miguard_target **ret_target,
                                            struct miguard_error *reterr)
{
    struct directory_entry entry = {0};
    gid_t *groups = NULL;
    uint32_t count = 0;

    enum miguard_status status = find_user(user, &entry, reterr);
    if (status == MIGUARD_OK) {
        status = user_groups(&entry, &groups, &count, reterr);
    }
    if (status == MIGUARD_OK) {
        status = make_target(uid != NULL ? *uid : entry.id, gid != NULL ? *gid : entry.gid, groups,
                             count, ret_target, reterr);
    }
    base_free(groups);
    directory_release(&entry);
    return status;
}

enum miguard_status miguard_target_user(const char *user, struct miguard_target **ret_target,
                                        struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (user == NULL || *user == '\0' || ret_target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target", "user is empty");
    }
    return make_user_target(user, NULL, NULL, ret_target, reterr);
}

/* Whether exactly the members that the choice needs are set. A list beside a choice that ignores it
 * is a mistake of the caller and is refused. */
static bool sound_groups(const struct miguard_groups *groups)
{
    bool list = groups->list != NULL || groups->count > 0, user = groups->user != NULL;

    switch (groups->choice) {
    case MIGUARD_GROUPS_KEEP:
    case MIGUARD_GROUPS_CLEAR:
        return !list && !user;
    case MIGUARD_GROUPS_LIST:
        return !user && (groups->list != NULL || groups->count == 0);
    case MIGUARD_GROUPS_OF_USER:
        return !list && user && *groups->user != '\0';
    }
    return false;
}

enum miguard_status miguard_target_ids(uid_t uid, gid_t gid, const struct miguard_groups *groups,
                                       struct miguard_target **ret_target,
                                       struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (ret_target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target", "ret_target is NULL");
    }
    if (groups == NULL || !sound_groups(groups)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target",
                         "choose the groups: keep, clear, a list, or those of a user");
    }
    if (groups->choice == MIGUARD_GROUPS_OF_USER) {
        return make_user_target(groups->user, &uid, &gid, ret_target, reterr);
    }
    struct miguard_target *target = NULL;
    enum miguard_status status =
        make_target(uid, gid, groups->list, groups->count, &target, reterr);
    if (status == MIGUARD_OK) {
        target->keep_groups = groups->choice == MIGUARD_GROUPS_KEEP;
        *ret_target = target;
    }
    return status;
}

/* ---- the peer of a socket ---------------------------------------------------------------- */

enum miguard_status miguard_target_peer(int socket, struct miguard_target **ret_target,
                                        struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    struct miguard_target *target = NULL;

    if (ret_target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "peer", "ret_target is NULL");
    }
    struct switch_peer *peer = base_alloc(1, sizeof(*peer));
    if (peer == NULL) {
        return no_memory(reterr);
    }
    enum miguard_status status = peer_read(socket, peer, reterr);
    if (status != MIGUARD_OK) {
        base_free(peer);
        return status;
    }
    status = make_target(peer->uid, peer->gid, peer->groups, peer->group_count, &target, reterr);
    if (status != MIGUARD_OK) {
        peer_release(peer);
        base_free(peer);
        return status;
    }
    target->peer = peer;
    *ret_target = target;
    return MIGUARD_OK;
}

enum miguard_status miguard_target_peer_pidfd(const struct miguard_target *target, int *ret_fd,
                                              struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;

    if (target == NULL || target->peer == NULL || ret_fd == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "pidfd",
                         "a target of a peer is needed");
    }
    return peer_pidfd(target->peer, ret_fd, reterr);
}

/* ---- capabilities ------------------------------------------------------------------------ */

/* With or without "CAP_", in either case, as people write them. */
static bool capability_named(const char *name, size_t length, int *ret_capability)
{
    char text[64];

    if (length > 4 && strncasecmp(name, "cap_", 4) == 0) {
        name += 4;
        length -= 4;
    }
    if (length == 0 || length >= sizeof(text)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        text[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    }
    text[length] = '\0';
    int capability = capng_name_to_capability(text);
    *ret_capability = capability;
    return capability >= 0 && capability < 64;
}

enum miguard_status miguard_target_keep_caps(struct miguard_target *target, const char *names,
                                             struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    uint64_t caps = 0;

    if (target == NULL || names == NULL || target->exact) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "capabilities",
                         "a target of a user, ids or a peer, and names are needed");
    }
    for (const char *at = names; *at != '\0';) {
        size_t length = strcspn(at, ",");
        int capability = -1;
        if (!capability_named(at, length, &capability)) {
            return error_set(reterr, MIGUARD_NOT_FOUND, 0, "capabilities",
                             "there is no capability \"%.*s\"; names are as in capabilities(7), "
                             "with commas between them",
                             (int)(length < 40 ? length : 40), at);
        }
        caps |= (uint64_t)1 << capability;
        at += length;
        if (*at == ',' && *++at == '\0') {
            return error_set(reterr, MIGUARD_NOT_FOUND, 0, "capabilities",
                             "a name is missing after the last comma");
        }
    }
    target->has_caps = true;
    target->caps = caps;
    return MIGUARD_OK;
}

/* ---- an identity ------------------------------------------------------------------------- */

enum miguard_status miguard_target_identity(const struct miguard_identity *identity,
                                            struct miguard_target **ret_target,
                                            struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (ret_target == NULL || !identity_valid(identity) ||
        identity->known != MIGUARD_COMPONENTS_ALL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target",
                         "a captured identity is needed, with every component known");
    }
    struct miguard_target *target = base_alloc(1, sizeof(*target));
    if (target == NULL || identity_copy(identity, &target->identity) != MIGUARD_OK) {
        base_free(target);
        return no_memory(reterr);
    }
    target->exact = true;
    *ret_target = target;
    return MIGUARD_OK;
}

/* Capabilities: root gets all permitted ones as effective unless some were chosen; others get the
 * chosen ones and nothing that execve(2) could pass on. */
struct miguard_identity target_expected(const struct miguard_target *target,
                                        const struct miguard_identity *original)
{
    if (target->exact) {
        return target->identity;
    }
    struct miguard_identity expected = *original;
    uid_t uid = target->identity.uid[0];
    for (int i = 0; i < IDENTITY_IDS; i++) {
        expected.uid[i] = uid;
        expected.gid[i] = target->identity.gid[0];
    }
    expected.uid[IDENTITY_S] = original->uid[IDENTITY_E];
    if (!target->keep_groups) {
        expected.groups = target->identity.groups;
        expected.group_count = target->identity.group_count;
    }
    if (uid == 0 && !target->has_caps) {
        expected.cap[IDENTITY_CAP_EFFECTIVE] = original->cap[IDENTITY_CAP_PERMITTED];
        return expected;
    }
    expected.cap[IDENTITY_CAP_EFFECTIVE] = target->caps;
    expected.cap[IDENTITY_CAP_INHERITABLE] = 0;
    expected.cap[IDENTITY_CAP_AMBIENT] = 0;
    return expected;
}
