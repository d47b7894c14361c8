/* SPDX-License-Identifier: MIT */
/*
 * The two front ends of the guard as one table, so that a table test runs through both: MI, with
 * the rows of support/entry_points.h, and <miguard/guard.h>, where each of these rows is an action
 * of its own. So both have as many rows, and a test that counts must count the same.
 */
#ifndef SUPPORT_FRONTS_H
#define SUPPORT_FRONTS_H

#include "support/entry_points.h"

struct front {
    const char *name;
    /* As scene_make() and scene_end(). */
    bool (*make)(struct scene *scene);
    void (*end)(struct scene *scene);
    /* Makes the call of a row, below entry_point_count. ACCESS_DENIED: the guard refused it. */
    MI_Result (*call)(struct scene *scene, unsigned row, int *ret_final_callbacks);
    /* Of a row that is allowed: its answer, and whether it reaches the host, or the resource. */
    MI_Result (*served)(unsigned row);
    bool (*reaches)(unsigned row);
    /* Whether a refusal of the row calls back once. */
    bool (*completes)(unsigned row);
};

enum { FRONT_MI, FRONT_BINDING, FRONTS };
extern const struct front fronts[FRONTS];

#endif
