/* SPDX-License-Identifier: MIT */
#include "support/fronts.h"

#include <stdio.h>
#include <string.h>

#include "miguard/guard.h"

/* ---- MI -------------------------------------------------------------------------------------- */

static bool is_named(unsigned row, const char *name)
{
    return strcmp(entry_points[row].name, name) == 0;
}

static MI_Result call_mi(struct scene *scene, unsigned row, int *ret_final_callbacks)
{
    return entry_points[row].call(scene, ret_final_callbacks);
}

static MI_Result served_by_mi(unsigned row)
{
    return is_named(row, "Session_Close") ? MI_RESULT_INVALID_PARAMETER : MI_RESULT_OK;
}

static bool reaches_host(unsigned row)
{
    return !is_named(row, "Session_Close") && !is_named(row, "Operation_GetSession") &&
           !is_named(row, "Session_GetApplication");
}

static bool completes_mi(unsigned row)
{
    bool starter =
        entry_points[row].way == ENTRY_ASYNC && strncmp(entry_points[row].name, "Session_", 8) == 0;
    return starter || is_named(row, "Session_Close");
}

/* ---- a front end of a daemon's own --------------------------------------------------------------
 */

enum { MOST_ROWS = 64 };

/* The names of the rows, as actions may be called. */
static struct miguard_front_end *register_rows(void)
{
    static char names[MOST_ROWS][64];
    const char *actions[MOST_ROWS];
    struct miguard_front_end *front_end = NULL;

    for (unsigned row = 0; row < entry_point_count; row++) {
        snprintf(names[row], sizeof(names[row]), "%s.%u", entry_points[row].name, row);
        for (char *blank = names[row]; (blank = strchr(blank, ' ')) != NULL;) {
            *blank = '-';
        }
        actions[row] = names[row];
    }
    return miguard_front_end_register("rows", actions, entry_point_count, &front_end, NULL) ==
                   MIGUARD_OK
               ? front_end
               : NULL;
}

static bool make_binding(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    scene->host = stub_host_new();
    struct miguard_front_end *front_end = register_rows();
    if (front_end == NULL ||
        miguard_bind(front_end, "/srv/data", "scene", &scene->binding, NULL) != MIGUARD_OK) {
        stub_host_free(scene->host);
        scene->host = NULL;
        return false;
    }
    scene->number = miguard_binding_number(scene->binding);
    return true;
}

static void end_binding(struct scene *scene)
{
    miguard_release(scene->binding);
    stub_host_free(scene->host);
}

/* Four ways to verify, one after the other; the resource is reached only by OK. */
static enum miguard_status verify_row(struct scene *scene, unsigned row)
{
    struct miguard_binding *binding = scene->binding;
    const struct miguard_use use = MIGUARD_USE(row, "/srv/data/item");
    struct miguard_refusal refusal;
    bool by_number = row % 4 >= 2;

    if (by_number && miguard_binding_find(scene->number, &binding, &refusal) != MIGUARD_OK) {
        return refusal.status;
    }
    enum miguard_status status = row % 2 == 0 ? miguard_verify(binding, &use, &refusal)
                                              : miguard_verify_again(binding, &use, &refusal);
    if (status != MIGUARD_OK && status != refusal.status) {
        status = MIGUARD_SYSTEM; /* the refusal as data says something else */
    }
    if (by_number) {
        miguard_release(binding);
    }
    return status;
}

static MI_Result call_binding(struct scene *scene, unsigned row, int *ret_final_callbacks)
{
    enum miguard_status status = verify_row(scene, row);

    *ret_final_callbacks = 0;
    if (status == MIGUARD_OK) {
        atomic_fetch_add(&scene->host->reached, 1);
    }
    return status == MIGUARD_OK           ? MI_RESULT_OK
           : status == MIGUARD_DENIED     ? MI_RESULT_ACCESS_DENIED
           : status == MIGUARD_BAD_HANDLE ? MI_RESULT_INVALID_PARAMETER
                                          : MI_RESULT_FAILED;
}

static MI_Result served_by_binding(unsigned row)
{
    (void)row;
    return MI_RESULT_OK;
}

static bool reaches_resource(unsigned row)
{
    (void)row;
    return true;
}

static bool completes_binding(unsigned row)
{
    (void)row;
    return false;
}

const struct front fronts[FRONTS] = {
    [FRONT_MI] = {"MI", scene_make, scene_end, call_mi, served_by_mi, reaches_host, completes_mi},
    [FRONT_BINDING] = {"guard.h", make_binding, end_binding, call_binding, served_by_binding,
                       reaches_resource, completes_binding},
};
