/* SPDX-License-Identifier: MIT */
/* Comparing two identities, and the names of components. Called by programs, the switch and the
 * command. */
#include <string.h>

#include "identity/identity.h"

/* Two identities without a label are equal; one with and one without are not. */
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

/* Of the shapes of component.h. */
#define SAME_VALUE(a, b, member)  ((a)->member == (b)->member)
#define SAME_user                 SAME_VALUE
#define SAME_group                SAME_VALUE
#define SAME_groups(a, b, member) same_groups(a, b)
#define SAME_caps                 SAME_VALUE
#define SAME_securebits           SAME_VALUE
#define SAME_flag                 SAME_VALUE
#define SAME_number               SAME_VALUE
#define SAME_label(a, b, member)  same_label((a)->member, (b)->member)

/* The initialiser makes everything differ that one of the two does not know: unknown is never equal
 * (invariant 1). */
miguard_components miguard_identity_compare(const struct miguard_identity *a,
                                            const struct miguard_identity *b)
{
    if (!identity_valid(a) || !identity_valid(b)) {
        return MIGUARD_COMPONENTS_ALL;
    }
    miguard_components differing = MIGUARD_COMPONENTS_ALL & ~(a->known & b->known);
#define COMPARE(NAME, shape, member, ...)                                                          \
    differing |= SAME_##shape(a, b, member) ? 0 : (miguard_components)MIGUARD_COMPONENT_##NAME;
    COMPONENT_MAP(COMPARE)
#undef COMPARE
    return differing;
}

miguard_components miguard_identity_known(const struct miguard_identity *identity)
{
    return identity_valid(identity) ? identity->known : 0;
}

/* For exactly one bit; NULL for a set of several, for 0 and for a bit that no component has. */
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
