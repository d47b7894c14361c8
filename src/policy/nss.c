/* SPDX-License-Identifier: MIT */
#include "policy/nss.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "identity/identity.h"

/* An entry of a group with very many members is long; beyond this something is wrong. */
enum { FIRST_BUFFER = 4096, LARGEST_BUFFER = 4 * 1024 * 1024, FIRST_GROUPS = 64 };

/* getpwnam(3): the errors that some modules give for "no such entry". */
static int plain_error(int error, const void *found)
{
    if (error == 0) {
        return found == NULL ? ENOENT : 0;
    }
    return error == ESRCH || error == EBADF || error == EPERM ? ENOENT : error;
}

/* A buffer that grows until the answer fits. look_up answers as getpwnam_r(3). */
struct query {
    const char *name;
    uint32_t id;
    struct passwd user;
    struct group group;
};

static int ask_user(struct query *query, char *buffer, size_t size)
{
    struct passwd *found = NULL;
    int error = query->name != NULL ? getpwnam_r(query->name, &query->user, buffer, size, &found)
                                    : getpwuid_r(query->id, &query->user, buffer, size, &found);
    return plain_error(error, found);
}

static int ask_group(struct query *query, char *buffer, size_t size)
{
    struct group *found = NULL;
    int error = getgrnam_r(query->name, &query->group, buffer, size, &found);
    return plain_error(error, found);
}

/* On success *ret_buffer holds what the entry points to, and is to be freed. */
static int ask(struct query *query, int (*look_up)(struct query *, char *, size_t),
               char **ret_buffer)
{
    char *buffer = NULL;
    size_t size = FIRST_BUFFER;
    int error;

    do {
        char *larger = base_resize(buffer, size, 1);
        if (larger == NULL) {
            base_free(buffer);
            return ENOMEM;
        }
        buffer = larger;
        do {
            error = look_up(query, buffer, size);
        } while (error == EINTR);
        size *= 2;
    } while (error == ERANGE && size <= LARGEST_BUFFER);

    if (error != 0) {
        base_free(buffer);
        return error;
    }
    *ret_buffer = buffer;
    return 0;
}

int nss_user(const char *name, uint32_t uid, struct arena *arena, struct nss_user *ret_user)
{
    struct query query = {.name = name, .id = uid};
    char *buffer;
    int error = ask(&query, ask_user, &buffer);

    if (error != 0) {
        return error;
    }
    const char *copy = arena_copy(arena, query.user.pw_name, strlen(query.user.pw_name));
    base_free(buffer);
    if (copy == NULL) {
        return ENOMEM;
    }
    *ret_user = (struct nss_user){.name = copy, .uid = query.user.pw_uid, .gid = query.user.pw_gid};
    return 0;
}

int nss_group(const char *name, uint32_t *ret_gid)
{
    struct query query = {.name = name};
    char *buffer;
    int error = ask(&query, ask_group, &buffer);

    if (error != 0) {
        return error;
    }
    *ret_gid = query.group.gr_gid;
    base_free(buffer);
    return 0;
}

int nss_groups(const struct nss_user *user, struct arena *arena, const uint32_t **ret_groups,
               uint32_t *ret_count)
{
    for (int room = FIRST_GROUPS; room <= IDENTITY_MAX_GROUPS; room *= 4) {
        uint32_t *groups = arena_take(arena, (size_t)room, sizeof(*groups));
        int count = room;
        if (groups == NULL) {
            return ENOMEM;
        }
        if (getgrouplist(user->name, user->gid, groups, &count) >= 0) {
            *ret_count = identity_sort_groups(groups, (uint32_t)count);
            *ret_groups = groups;
            return 0;
        }
    }
    return ERANGE;
}
