/* SPDX-License-Identifier: MIT */
#include "switch/target.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

static enum miguard_status no_memory(struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_NO_MEMORY, 0, "target", NULL);
}

void miguard_target_free(struct miguard_target *target)
{
    if (target != NULL) {
        identity_release(&target->identity);
        base_free(target);
    }
}

enum miguard_status miguard_target_ids(uid_t uid, gid_t gid, const gid_t *groups,
                                       size_t group_count, struct miguard_target **ret_target,
                                       struct miguard_error *reterr)
{
    if (ret_target == NULL || (groups == NULL && group_count > 0)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target",
                         "ret_target or groups is NULL");
    }
    if (group_count > IDENTITY_MAX_GROUPS) {
        return error_set(reterr, MIGUARD_LIMIT, 0, "target", "%zu groups; %d are the most",
                         group_count, IDENTITY_MAX_GROUPS);
    }
    bool nobody = uid == (uid_t)-1 || gid == (gid_t)-1;
    for (size_t i = 0; i < group_count && !nobody; i++) {
        nobody = groups[i] == (gid_t)-1;
    }
    if (nobody) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target",
                         "an id of -1 means \"no change\" to the kernel and is nobody's");
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

/* The groups of user with its primary group, in a buffer that is the caller's. */
static enum miguard_status user_groups(const char *user, gid_t gid, gid_t **ret_groups,
                                       int *ret_count, struct miguard_error *reterr)
{
    int count = 64;
    gid_t *groups = NULL;

    for (;;) {
        gid_t *larger = base_resize(groups, (size_t)count, sizeof(gid_t));
        if (larger == NULL) {
            base_free(groups);
            return no_memory(reterr);
        }
        groups = larger;
        int asked = count;
        if (getgrouplist(user, gid, groups, &count) >= 0) {
            break;
        }
        count = count > asked ? count : asked * 2;
        if (count > IDENTITY_MAX_GROUPS) {
            base_free(groups);
            return error_set(reterr, MIGUARD_LIMIT, 0, "target", "%s is in more than %d groups",
                             user, IDENTITY_MAX_GROUPS);
        }
    }
    *ret_groups = groups;
    *ret_count = count;
    return MIGUARD_OK;
}

/* The passwd entry by name, else by decimal id. *buffer holds its strings and is the caller's. */
static enum miguard_status find_user(const char *user, struct passwd *entry, char **buffer,
                                     struct miguard_error *reterr)
{
    char *end = NULL;
    errno = 0;
    unsigned long long id = strtoull(user, &end, 10);
    bool numeric = user[0] >= '0' && user[0] <= '9' && *end == '\0' && errno == 0 && id < (uid_t)-1;

    for (size_t size = 1024; size <= (size_t)1024 * 1024; size *= 4) {
        struct passwd *found = NULL;
        char *larger = base_resize(*buffer, size, 1);
        if (larger == NULL) {
            return no_memory(reterr);
        }
        *buffer = larger;
        int error = getpwnam_r(user, entry, *buffer, size, &found);
        if (found == NULL && error != ERANGE && numeric) {
            error = getpwuid_r((uid_t)id, entry, *buffer, size, &found);
        }
        if (found != NULL) {
            return MIGUARD_OK;
        }
        if (error != ERANGE) {
            break;
        }
    }
    return error_set(reterr, MIGUARD_NOT_FOUND, 0, "target", "there is no user \"%.64s\"", user);
}

enum miguard_status miguard_target_user(const char *user, struct miguard_target **ret_target,
                                        struct miguard_error *reterr)
{
    struct passwd entry;
    char *buffer = NULL;
    gid_t *groups = NULL;
    int count = 0;

    if (user == NULL || *user == '\0' || ret_target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target", "user is empty");
    }
    enum miguard_status status = find_user(user, &entry, &buffer, reterr);
    if (status == MIGUARD_OK) {
        status = user_groups(entry.pw_name, entry.pw_gid, &groups, &count, reterr);
    }
    if (status == MIGUARD_OK) {
        status = miguard_target_ids(entry.pw_uid, entry.pw_gid, groups, (size_t)count, ret_target,
                                    reterr);
    }
    base_free(groups);
    base_free(buffer);
    return status;
}

enum miguard_status miguard_target_identity(const struct miguard_identity *identity,
                                            struct miguard_target **ret_target,
                                            struct miguard_error *reterr)
{
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
    expected.groups = target->identity.groups;
    expected.group_count = target->identity.group_count;
    if (uid == 0) {
        expected.cap[IDENTITY_CAP_EFFECTIVE] = original->cap[IDENTITY_CAP_PERMITTED];
    } else {
        expected.cap[IDENTITY_CAP_EFFECTIVE] = 0;
        expected.cap[IDENTITY_CAP_INHERITABLE] = 0;
        expected.cap[IDENTITY_CAP_AMBIENT] = 0;
    }
    return expected;
}
