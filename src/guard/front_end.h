/* SPDX-License-Identifier: MIT */
/* A registered front end: the name of a part of a daemon and its actions. */
#ifndef GUARD_FRONT_END_H
#define GUARD_FRONT_END_H

#include <stddef.h>
#include <stdint.h>

#include "miguard/guard.h"

/* Written once, before it is listed; never changed and never freed. */
struct miguard_front_end {
    const char *component;
    size_t action_count;
    const char *const *actions;
};

/* The name of the action of that number; NULL: the front end has no such action. */
static inline const char *front_end_action(const struct miguard_front_end *front_end,
                                           uint32_t action)
{
    return action < front_end->action_count ? front_end->actions[action] : NULL;
}

#endif
