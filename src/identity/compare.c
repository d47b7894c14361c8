/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "identity/identity.h"

static bool same_label(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return strcmp(a, b) == 0;
}

static bool same_groups(const struct miguard_identity *a, const struct miguard_identity *b)
{
    return a->group_count == b->group_count &&
           (a->group_count == 0 ||
            memcmp(a->groups, b->groups, a->group_count * sizeof(gid_t)) == 0);
}

miguard_components miguard_identity_compare(const struct miguard_identity *a,
                                            const struct miguard_identity *b)
{
    if (!identity_valid(a) || !identity_valid(b)) {
        return MIGUARD_COMPONENTS_ALL;
    }
    miguard_components differing = MIGUARD_COMPONENTS_ALL & ~(a->known & b->known);
    for (uint32_t i = 0; i < IDENTITY_IDS; i++) {
        if (a->uid[i] != b->uid[i]) {
            differing |= (miguard_components)MIGUARD_COMPONENT_RUID << i;
        }
        if (a->gid[i] != b->gid[i]) {
            differing |= (miguard_components)MIGUARD_COMPONENT_RGID << i;
        }
    }
    for (uint32_t i = 0; i < IDENTITY_CAP_SETS; i++) {
        if (a->cap[i] != b->cap[i]) {
            differing |= (miguard_components)MIGUARD_COMPONENT_CAP_EFFECTIVE << i;
        }
    }
    differing |= same_groups(a, b) ? 0 : (miguard_components)MIGUARD_COMPONENT_GROUPS;
    differing |=
        a->securebits == b->securebits ? 0 : (miguard_components)MIGUARD_COMPONENT_SECUREBITS;
    differing |=
        a->no_new_privs == b->no_new_privs ? 0 : (miguard_components)MIGUARD_COMPONENT_NO_NEW_PRIVS;
    differing |= a->user_namespace == b->user_namespace
                     ? 0
                     : (miguard_components)MIGUARD_COMPONENT_USER_NAMESPACE;
    differing |= same_label(a->lsm_label, b->lsm_label)
                     ? 0
                     : (miguard_components)MIGUARD_COMPONENT_LSM_LABEL;
    return differing;
}

miguard_components miguard_identity_known(const struct miguard_identity *identity)
{
    return identity_valid(identity) ? identity->known : 0;
}

const char *miguard_component_name(miguard_components component)
{
    switch (component) {
#define COMPONENT_NAME(bit, NAME, name)                                                            \
    case MIGUARD_COMPONENT_##NAME:                                                                 \
        return name;
        MIGUARD_COMPONENT_MAP(COMPONENT_NAME)
#undef COMPONENT_NAME
    default:
        return NULL;
    }
}

miguard_components miguard_component_from_name(const char *name)
{
    for (uint32_t bit = 0; name != NULL && bit < MIGUARD_COMPONENT_COUNT; bit++) {
        if (strcmp(miguard_component_name((miguard_components)1 << bit), name) == 0) {
            return (miguard_components)1 << bit;
        }
    }
    return 0;
}
