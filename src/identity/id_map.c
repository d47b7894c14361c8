/* SPDX-License-Identifier: MIT */
/* Refuses ids that a user namespace does not map (id_map.h). Called by each capture. */
#include "identity/id_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "identity/read.h"

enum {
    MAP_SIZE = 16384, /* 340 lines of 33 characters are the most that the kernel allows */
};

/* All ids but -1. */
#define EVERY_ID 4294967295u

/* Adds up the third column. True when the map covers all ids. */
static bool map_is_complete(const char *map)
{
    uint64_t covered = 0;

    for (const char *line = map; *line != '\0';) {
        char *end = NULL;
        (void)strtoull(line, &end, 10);
        (void)strtoull(end, &end, 10);
        covered += strtoull(end, &end, 10);
        const char *newline = strchr(end, '\n');
        if (newline == NULL) {
            break;
        }
        line = newline + 1;
    }
    return covered >= EVERY_ID;
}

/* A number of /proc/sys: the overflow ids are the same for the whole system (proc(5)). */
static bool read_number(const char *path, uint32_t *ret_number)
{
    char text[32];
    if (read_proc_file(path, text, sizeof(text)) <= 0) {
        return false;
    }
    *ret_number = (uint32_t)strtoul(text, NULL, 10);
    return true;
}

/* Denied is permanent for a namespace and its descendants (user_namespaces(7)). */
static bool setgroups_denied(void)
{
    char text[16];
    return read_proc_file("/proc/thread-self/setgroups", text, sizeof(text)) > 0 &&
           strncmp(text, "deny", 4) == 0;
}

static enum miguard_status not_readable(struct miguard_error *reterr, const char *path)
{
    return error_set(reterr, MIGUARD_UNREADABLE, 0, "capture", "%s cannot be read", path);
}

/* The message has the id and the way out: the administrator must map it. */
static enum miguard_status unprovable(struct miguard_error *reterr, miguard_components component,
                                      uint32_t id)
{
    return error_set(reterr, MIGUARD_UNPROVABLE, 0, "capture",
                     "%s is %u, which this user namespace shows for every unmapped id; map the id",
                     miguard_component_name(component), id);
}

/* A complete map shows each id as itself, so the overflow id is then a real one. */
static enum miguard_status prove_uids(const struct miguard_identity *identity,
                                      struct miguard_error *reterr)
{
    char map[MAP_SIZE];
    uint32_t overflow = 0;

    if (read_proc_file("/proc/thread-self/uid_map", map, sizeof(map)) < 0) {
        return not_readable(reterr, "uid_map");
    }
    if (map_is_complete(map)) {
        return MIGUARD_OK;
    }
    if (!read_number("/proc/sys/kernel/overflowuid", &overflow)) {
        return not_readable(reterr, "overflowuid");
    }
    for (uint32_t i = 0; i < IDENTITY_IDS; i++) {
        if (identity->uid[i] == overflow) {
            return unprovable(reterr, (miguard_components)MIGUARD_COMPONENT_RUID << i, overflow);
        }
    }
    return MIGUARD_OK;
}

/* As prove_uids(), and for the supplementary groups besides. */
static enum miguard_status prove_gids(const struct miguard_identity *identity,
                                      struct miguard_error *reterr)
{
    char map[MAP_SIZE];
    uint32_t overflow = 0;

    if (read_proc_file("/proc/thread-self/gid_map", map, sizeof(map)) < 0) {
        return not_readable(reterr, "gid_map");
    }
    if (map_is_complete(map)) {
        return MIGUARD_OK;
    }
    if (!read_number("/proc/sys/kernel/overflowgid", &overflow)) {
        return not_readable(reterr, "overflowgid");
    }
    for (uint32_t i = 0; i < IDENTITY_IDS; i++) {
        if (identity->gid[i] == overflow) {
            return unprovable(reterr, (miguard_components)MIGUARD_COMPONENT_RGID << i, overflow);
        }
    }
    bool listed = false;
    for (uint32_t i = 0; i < identity->group_count && !listed; i++) {
        listed = identity->groups[i] == overflow;
    }
    if (listed && !setgroups_denied()) {
        return unprovable(reterr, MIGUARD_COMPONENT_GROUPS, overflow);
    }
    return MIGUARD_OK;
}

enum miguard_status id_map_prove(const struct miguard_identity *identity,
                                 struct miguard_error *reterr)
{
    if (identity->user_namespace == ID_MAP_INITIAL_NAMESPACE) {
        return MIGUARD_OK;
    }
    enum miguard_status status = prove_uids(identity, reterr);
    return status == MIGUARD_OK ? prove_gids(identity, reterr) : status;
}
