/* SPDX-License-Identifier: MIT */
/*
 * Writes identities into records; called by encode.c.
 *
 * Two full identities of root, each with five lists of 41 names, were two thirds of a record. The
 * masks hold the same in the spelling of /proc/PID/status, so that both can be compared by eye.
 */
#include "audit/record_identity.h"

#include <string.h>

#include "base/hex.h"

#define BIT(component) MIGUARD_COMPONENT_##component

/* The components of the user ids, and those of the group ids; each is four bits in the order of the
 * array. */
enum { UIDS = BIT(RUID) | BIT(EUID) | BIT(SUID) | BIT(FSUID) };
enum { GIDS = BIT(RGID) | BIT(EGID) | BIT(SGID) | BIT(FSGID) };

static const struct {
    miguard_components component;
    int set;
} cap_sets[] = {
    {BIT(CAP_EFFECTIVE), IDENTITY_CAP_EFFECTIVE},     {BIT(CAP_PERMITTED), IDENTITY_CAP_PERMITTED},
    {BIT(CAP_INHERITABLE), IDENTITY_CAP_INHERITABLE}, {BIT(CAP_AMBIENT), IDENTITY_CAP_AMBIENT},
    {BIT(CAP_BOUNDING), IDENTITY_CAP_BOUNDING},
};

/* Real, effective, saved and that for the file system: one number when all are the same, else four,
 * null for one that is not known. */
static void write_ids(struct text *text, const char *name, const uint32_t id[IDENTITY_FS + 1],
                      unsigned known)
{
    if (known == 0xF && id[0] == id[1] && id[0] == id[2] && id[0] == id[3]) {
        text_json_unsigned(text, name, id[0]);
        return;
    }
    text_json_open(text, name, '[');
    for (int i = 0; i <= IDENTITY_FS; i++) {
        if ((known >> i & 1) != 0) {
            text_json_unsigned(text, NULL, id[i]);
        } else {
            text_json_raw(text, NULL, "null");
        }
    }
    text_json_close(text, ']');
}

static void write_groups(struct text *text, const struct miguard_identity *identity)
{
    text_json_open(text, miguard_component_name(BIT(GROUPS)), '[');
    for (uint32_t i = 0; i < identity->group_count; i++) {
        text_json_unsigned(text, NULL, identity->groups[i]);
    }
    text_json_close(text, ']');
}

/* 16 digits, as proc_pid_status(5) has them. */
static void write_caps(struct text *text, miguard_components component, uint64_t set)
{
    char quoted[HEX_NUMBER + 3] = "\"";

    hex_put_number(quoted + 1, set, HEX_NUMBER)[0] = '"';
    text_json_raw(text, miguard_component_name(component), quoted);
}

/* What has no name of its own above. */
static void write_rest(struct text *text, const struct miguard_identity *identity,
                       miguard_components which)
{
    if ((which & BIT(SECUREBITS)) != 0) {
        text_json_unsigned(text, miguard_component_name(BIT(SECUREBITS)), identity->securebits);
    }
    if ((which & BIT(NO_NEW_PRIVS)) != 0) {
        text_json_boolean(text, miguard_component_name(BIT(NO_NEW_PRIVS)),
                          identity->no_new_privs != 0);
    }
    if ((which & BIT(USER_NAMESPACE)) != 0) {
        text_json_unsigned(text, miguard_component_name(BIT(USER_NAMESPACE)),
                           identity->user_namespace);
    }
    if ((which & BIT(LSM_LABEL)) != 0) {
        text_json_string(text, miguard_component_name(BIT(LSM_LABEL)), identity->lsm_label);
    }
}

static void write_unknown(struct text *text, miguard_components unknown)
{
    text_json_open(text, "unknown", '[');
    for (uint32_t bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        if ((unknown >> bit & 1) != 0) {
            text_json_string(text, NULL, miguard_component_name((miguard_components)1 << bit));
        }
    }
    text_json_close(text, ']');
}

/* All ids of a kind, when one of them is to be written. */
static void write_members(struct text *text, const struct miguard_identity *identity,
                          miguard_components which)
{
    if ((which & UIDS) != 0) {
        write_ids(text, "uid", identity->uid, identity->known & UIDS);
    }
    if ((which & GIDS) != 0) {
        write_ids(text, "gid", identity->gid, (identity->known & GIDS) >> 4);
    }
    if ((which & BIT(GROUPS)) != 0) {
        write_groups(text, identity);
    }
    for (size_t i = 0; i < sizeof(cap_sets) / sizeof(cap_sets[0]); i++) {
        if ((which & cap_sets[i].component) != 0) {
            write_caps(text, cap_sets[i].component, identity->cap[cap_sets[i].set]);
        }
    }
    write_rest(text, identity, which);
}

/* What a reader takes a component for that is left out. */
static const struct miguard_identity nothing = {.known = MIGUARD_COMPONENTS_ALL,
                                                .cap = {[IDENTITY_CAP_BOUNDING] = RECORD_ALL_CAPS},
                                                .user_namespace = RECORD_FIRST_NAMESPACE};

static bool same_label(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_groups(const struct miguard_identity *a, const struct miguard_identity *b)
{
    return a->group_count == b->group_count &&
           (a->group_count == 0 ||
            memcmp(a->groups, b->groups, a->group_count * sizeof(*a->groups)) == 0);
}

/* Byte for byte and not as the guard compares: what is written must give back what there was. */
static miguard_components different(const struct miguard_identity *a,
                                    const struct miguard_identity *b)
{
    miguard_components result = a->known ^ b->known;

    for (uint32_t i = 0; i <= IDENTITY_FS; i++) {
        result |= (miguard_components)(a->uid[i] != b->uid[i] ? BIT(RUID) << i : 0);
        result |= (miguard_components)(a->gid[i] != b->gid[i] ? BIT(RGID) << i : 0);
    }
    for (size_t i = 0; i < sizeof(cap_sets) / sizeof(cap_sets[0]); i++) {
        int set = cap_sets[i].set;
        result |= a->cap[set] != b->cap[set] ? cap_sets[i].component : 0;
    }
    result |= same_groups(a, b) ? 0 : BIT(GROUPS);
    result |= a->securebits != b->securebits ? BIT(SECUREBITS) : 0;
    result |= a->no_new_privs != b->no_new_privs ? BIT(NO_NEW_PRIVS) : 0;
    result |= a->user_namespace != b->user_namespace ? BIT(USER_NAMESPACE) : 0;
    result |= same_label(a->lsm_label, b->lsm_label) ? 0 : BIT(LSM_LABEL);
    return result;
}

/* The kinds of ids of which all four are known and the same. */
static miguard_components alike(const struct miguard_identity *identity)
{
    const uint32_t *uid = identity->uid, *gid = identity->gid;
    bool users = (identity->known & UIDS) == UIDS && uid[0] == uid[1] && uid[0] == uid[2] &&
                 uid[0] == uid[3];
    bool groups = (identity->known & GIDS) == GIDS && gid[0] == gid[1] && gid[0] == gid[2] &&
                  gid[0] == gid[3];

    return (users ? UIDS : 0) | (groups ? GIDS : 0);
}

/* Ids are written also when they are 0: that is root, and no reader should have to know it. */
void record_identity_write(struct text *text, const struct miguard_identity *identity, bool is_user)
{
    miguard_components unknown = MIGUARD_COMPONENTS_ALL & ~identity->known;
    miguard_components elsewhere = is_user ? alike(identity) : 0;

    write_members(text, identity,
                  (different(identity, &nothing) | UIDS | GIDS) & identity->known & ~elsewhere);
    if (unknown != 0) {
        write_unknown(text, unknown);
    }
}

bool record_identity_is_other(const struct miguard_identity *bound,
                              const struct miguard_identity *current)
{
    return different(current, bound) != 0;
}

void record_identity_differs(struct text *text, const struct miguard_identity *bound,
                             const struct miguard_identity *current)
{
    miguard_components unknown = MIGUARD_COMPONENTS_ALL & ~current->known;

    write_members(text, current, different(current, bound) & current->known);
    if (bound->known != current->known) {
        write_unknown(text, unknown);
    }
}
