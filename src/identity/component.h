/* SPDX-License-Identifier: MIT */
/*
 * The facts of each component of an identity, one row each; its bit and name are in
 * miguard/identity.h. From the rows the compiler makes comparing, describing, digests, the sets
 * below, and the reading of one-word components: so a missing component does not compile.
 *
 * X(NAME, shape, member, WAY, SHOWN, WEIGHT, ADVICE)
 *
 *   shape   what it is; the macros and functions of a shape have its name at their end (compare.c,
 *           describe.c, audit/digest.c). A flag or securebits is one word, read by
 *           bool read_MEMBER(uint32_t *) of read.c. The other shapes are read by hand in capture.c,
 *           check.c, inspect.c and switch/state.c, which count their rows
 *   member  where it is in struct miguard_identity
 *   WAY     how a switch treats it
 *   SHOWN   where proc(5) shows it for another thread
 *   WEIGHT  what a difference in it can be used for (lint)
 *   ADVICE  which advice fits when it differs (review/explain_advice.c)
 */
#ifndef IDENTITY_COMPONENT_H
#define IDENTITY_COMPONENT_H

#include "miguard/identity.h"

#define COMPONENT_MAP(X)                                                                           \
    X(RUID, user, uid[IDENTITY_R], SWITCHED, STATUS, POWER, USERS)                                 \
    X(EUID, user, uid[IDENTITY_E], SWITCHED, STATUS, ACCESS, USERS)                                \
    X(SUID, user, uid[IDENTITY_S], SWITCHED, STATUS, POWER, USERS)                                 \
    X(FSUID, user, uid[IDENTITY_FS], SWITCHED, STATUS, ACCESS, FS_IDS)                             \
    X(RGID, group, gid[IDENTITY_R], SWITCHED, STATUS, POWER, GROUPS)                               \
    X(EGID, group, gid[IDENTITY_E], SWITCHED, STATUS, ACCESS, GROUPS)                              \
    X(SGID, group, gid[IDENTITY_S], SWITCHED, STATUS, POWER, GROUPS)                               \
    X(FSGID, group, gid[IDENTITY_FS], SWITCHED, STATUS, ACCESS, FS_IDS)                            \
    X(GROUPS, groups, groups, SWITCHED, STATUS, ACCESS, GROUPS)                                    \
    X(CAP_EFFECTIVE, caps, cap[IDENTITY_CAP_EFFECTIVE], SWITCHED, STATUS, ACCESS, CAPABILITIES)    \
    X(CAP_PERMITTED, caps, cap[IDENTITY_CAP_PERMITTED], LASTING, STATUS, POWER, CAPABILITIES)      \
    X(CAP_INHERITABLE, caps, cap[IDENTITY_CAP_INHERITABLE], SWITCHED, STATUS, LITTLE,              \
      CAPABILITIES)                                                                                \
    X(CAP_AMBIENT, caps, cap[IDENTITY_CAP_AMBIENT], SWITCHED, STATUS, LITTLE, CAPABILITIES)        \
    X(CAP_BOUNDING, caps, cap[IDENTITY_CAP_BOUNDING], UNREAD, STATUS, LITTLE, CAPABILITIES)        \
    X(SECUREBITS, securebits, securebits, SWITCHED, HIDDEN, LITTLE, PROCESS)                       \
    X(NO_NEW_PRIVS, flag, no_new_privs, LASTING, STATUS, LITTLE, PROCESS)                          \
    X(USER_NAMESPACE, number, user_namespace, UNREAD, LINK, POWER, NAMESPACE)                      \
    X(LSM_LABEL, label, lsm_label, UNREAD, LINK, LITTLE, LABEL)

/* The type behind a component. The names are in lower case, because macros paste them onto the
 * names of functions, such as append_user() of describe.c. */
enum component_shape {
    COMPONENT_user,
    COMPONENT_group,
    COMPONENT_groups, /* the supplementary groups */
    COMPONENT_caps,
    COMPONENT_securebits,
    COMPONENT_flag,
    COMPONENT_number,
    COMPONENT_label,
};

/* How a switch treats a component; COMPONENTS_OF_STATE and COMPONENTS_THAT_STAY below follow from
 * it. */
enum component_way {
    COMPONENT_SWITCHED, /* changed and restored */
    COMPONENT_LASTING,  /* no call of the thread can change and restore it */
    COMPONENT_UNREAD,   /* the same, and not read by a switch (switch/state.h) */
};

/* Where a tool that reads another thread finds the component; a HIDDEN one stays unknown there. */
enum component_shown {
    COMPONENT_STATUS, /* /proc/TID/status */
    COMPONENT_LINK,   /* a file of its own */
    COMPONENT_HIDDEN,
};

/* How much a difference counts in a review of a policy. No guard decides by it. */
enum component_weight {
    COMPONENT_ACCESS, /* the kernel decides by it: credentials(7), capabilities(7) */
    COMPONENT_POWER,  /* a difference may allow other things */
    COMPONENT_LITTLE,
};

/* Which text of advice fits a component that differs. */
enum component_advice {
    ADVICE_USERS,
    ADVICE_FS_IDS,
    ADVICE_GROUPS,
    ADVICE_CAPABILITIES,
    ADVICE_PROCESS,
    ADVICE_NAMESPACE,
    ADVICE_LABEL,
    ADVICE_COUNT
};

/* Sets of components. */
enum {
#define COMPONENT_BIT(condition, NAME) | ((condition) ? MIGUARD_COMPONENT_##NAME : 0)
#define COMPONENT_ROW(NAME, ...)       COMPONENT_BIT(1, NAME)
#define COMPONENT_STATE(NAME, shape, member, WAY, ...)                                             \
    COMPONENT_BIT(COMPONENT_##WAY != COMPONENT_UNREAD, NAME)
#define COMPONENT_STAYS(NAME, shape, member, WAY, ...)                                             \
    COMPONENT_BIT(COMPONENT_##WAY != COMPONENT_SWITCHED, NAME)
#define COMPONENT_SEEN(NAME, shape, member, WAY, SHOWN, ...)                                       \
    COMPONENT_BIT(COMPONENT_##SHOWN == COMPONENT_STATUS, NAME)
#define COMPONENT_DECIDES(NAME, shape, member, WAY, SHOWN, WEIGHT, ...)                            \
    COMPONENT_BIT(COMPONENT_##WEIGHT == COMPONENT_ACCESS, NAME)
#define COMPONENT_WEIGHS(NAME, shape, member, WAY, SHOWN, WEIGHT, ...)                             \
    COMPONENT_BIT(COMPONENT_##WEIGHT != COMPONENT_LITTLE, NAME)
#define COMPONENT_OF_USER(NAME, shape, ...) COMPONENT_BIT(COMPONENT_##shape == COMPONENT_user, NAME)
#define COMPONENT_OF_GROUP(NAME, shape, ...)                                                       \
    COMPONENT_BIT(COMPONENT_##shape == COMPONENT_group || COMPONENT_##shape == COMPONENT_groups,   \
                  NAME)
    COMPONENTS_IN_TABLE = 0 COMPONENT_MAP(COMPONENT_ROW),
    COMPONENTS_OF_STATE = 0 COMPONENT_MAP(COMPONENT_STATE),     /* read by a switch */
    COMPONENTS_THAT_STAY = 0 COMPONENT_MAP(COMPONENT_STAYS),    /* cannot be restored */
    COMPONENTS_IN_STATUS = 0 COMPONENT_MAP(COMPONENT_SEEN),     /* of /proc/TID/status */
    COMPONENTS_OF_ACCESS = 0 COMPONENT_MAP(COMPONENT_DECIDES),  /* the kernel decides by them */
    COMPONENTS_OF_POWER = 0 COMPONENT_MAP(COMPONENT_WEIGHS),    /* those, and what leads to them */
    COMPONENTS_OF_USERS = 0 COMPONENT_MAP(COMPONENT_OF_USER),   /* user ids */
    COMPONENTS_OF_GROUPS = 0 COMPONENT_MAP(COMPONENT_OF_GROUP), /* group ids, and the list */
#undef COMPONENT_ROW
#undef COMPONENT_STATE
#undef COMPONENT_STAYS
#undef COMPONENT_SEEN
#undef COMPONENT_DECIDES
#undef COMPONENT_WEIGHS
#undef COMPONENT_OF_USER
#undef COMPONENT_OF_GROUP
};

_Static_assert((int)COMPONENTS_IN_TABLE == (int)MIGUARD_COMPONENTS_ALL, "a row for each component");

/* Code for the components of one word only. */
#define COMPONENT_IF_WORD_user(...)
#define COMPONENT_IF_WORD_group(...)
#define COMPONENT_IF_WORD_groups(...)
#define COMPONENT_IF_WORD_caps(...)
#define COMPONENT_IF_WORD_securebits(...) __VA_ARGS__
#define COMPONENT_IF_WORD_flag(...)       __VA_ARGS__
#define COMPONENT_IF_WORD_number(...)
#define COMPONENT_IF_WORD_label(...)

/* Components read by hand: a new row of such a shape needs code in the places named above. */
enum {
#define COMPONENT_BY_HAND(NAME, shape, ...)                                                        \
    +(COMPONENT_##shape != COMPONENT_securebits && COMPONENT_##shape != COMPONENT_flag)
#define COMPONENT_SHOWN_WORD(NAME, shape, member, WAY, SHOWN, ...)                                 \
    COMPONENT_IF_WORD_##shape(+(COMPONENT_##SHOWN == COMPONENT_STATUS))
    COMPONENTS_READ_BY_HAND = 0 COMPONENT_MAP(COMPONENT_BY_HAND),
    COMPONENTS_SHOWN_AS_WORD = 0 COMPONENT_MAP(COMPONENT_SHOWN_WORD),
#undef COMPONENT_BY_HAND
#undef COMPONENT_SHOWN_WORD
};

#endif
