/* SPDX-License-Identifier: MIT */
/*
 * The front ends that a daemon registers, and what is wrong with one that it cannot. Called once
 * for each front end, at the start of a program; bound_object.c reads the result.
 */
#include "guard/front_end.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/process.h"
#include "base/utf8.h"
#include "model/operation.h"
#include "model/record_limits.h"

/* With the NUL. A longer component would be cut in records, where a search must find it. */
enum { COMPONENT_SIZE = AUDIT_MAX_NAME };

static pthread_mutex_t front_ends_lock = PTHREAD_MUTEX_INITIALIZER;
static struct miguard_front_end *front_ends[MIGUARD_MAX_FRONT_ENDS]; /* the first NULL ends them */

FORK_OWNER(front_ends_owner, .rank = FORK_FRONT_ENDS, .lock = &front_ends_lock);

/* What is wrong with the name of an action, or NULL. */
static const char *why_no_action(const char *name)
{
    enum operation taken;

    if (name == NULL || name[0] == '\0') {
        return "the name is missing";
    }
    if (operation_from_name(name, &taken)) {
        return "the name is taken: policies and records use it for an operation of the library";
    }
    return action_name_valid(name)
               ? NULL
               : "a name has 1 to 128 letters, digits, \".\", \"-\", \"_\", \":\" and \"/\"";
}

/* Whether one before it has the same name. */
static bool is_repeated(const char *const *actions, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(actions[i], actions[index]) == 0) {
            return true;
        }
    }
    return false;
}

/* Errors: INVALID_ARGUMENT, LIMIT. */
static enum miguard_status check_actions(const char *const *actions, size_t count,
                                         struct miguard_error *reterr)
{
    if (count > MIGUARD_MAX_ACTIONS) {
        return error_set(reterr, MIGUARD_LIMIT, 0, "front end", "%zu actions; %d are the most",
                         count, MIGUARD_MAX_ACTIONS);
    }
    for (size_t i = 0; i < count; i++) {
        const char *why = why_no_action(actions[i]);
        if (why == NULL && is_repeated(actions, i)) {
            why = "the name is there twice";
        }
        if (why != NULL) {
            return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "front end",
                             "action %zu (\"%.40s\"): %s", i, actions[i] != NULL ? actions[i] : "",
                             why);
        }
    }
    return MIGUARD_OK;
}

static bool is_utf8(const char *text, size_t length)
{
    uint32_t code = 0;
    size_t used = 1;

    for (; length > 0 && used > 0; text += used, length -= used) {
        used = utf8_next(text, length, &code);
    }
    return used > 0;
}

static enum miguard_status check_front_end(const char *component, const char *const *actions,
                                           size_t count, struct miguard_error *reterr)
{
    if (component == NULL || component[0] == '\0' || (actions == NULL && count > 0)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "front end",
                         "component, actions or ret_front_end is missing");
    }
    size_t length = strnlen(component, COMPONENT_SIZE);
    if (length >= COMPONENT_SIZE || !is_utf8(component, length)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "front end",
                         "a component is a name of 1 to %d bytes of UTF-8", COMPONENT_SIZE - 1);
    }
    return check_actions(actions, count, reterr);
}

static bool same_actions(const struct miguard_front_end *front_end, const char *const *actions,
                         size_t count)
{
    if (front_end->action_count != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(front_end->actions[i], actions[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* For one that was made in part, too. */
static void free_front_end(struct miguard_front_end *front_end)
{
    const char **names = (const char **)(uintptr_t)front_end->actions;

    for (size_t i = 0; names != NULL && i < front_end->action_count; i++) {
        base_free((char *)(uintptr_t)names[i]);
    }
    base_free(names);
    base_free((char *)(uintptr_t)front_end->component);
    base_free(front_end);
}

/* NULL: out of memory. */
static struct miguard_front_end *copy_front_end(const char *component, const char *const *actions,
                                                size_t count)
{
    struct miguard_front_end *front_end = base_alloc(1, sizeof(*front_end));
    if (front_end == NULL) {
        return NULL;
    }
    const char **names = base_alloc(count == 0 ? 1 : count, sizeof(*names));
    front_end->component = base_copy_text(component);
    front_end->actions = names;
    front_end->action_count = count;
    bool whole = front_end->component != NULL && names != NULL;
    for (size_t i = 0; i < count && whole; i++) {
        names[i] = base_copy_text(actions[i]);
        whole = names[i] != NULL;
    }
    if (!whole) {
        free_front_end(front_end);
        return NULL;
    }
    return front_end;
}

/* The place of the front end of that name, or the first free one; the limit when neither is there.
 * The caller holds the lock. */
static size_t place_of(const char *component)
{
    size_t i = 0;

    while (i < MIGUARD_MAX_FRONT_ENDS && front_ends[i] != NULL &&
           strcmp(front_ends[i]->component, component) != 0) {
        i++;
    }
    return i;
}

/* Lists *fresh, which is NULL afterwards, or finds the one that is listed. */
static enum miguard_status list_front_end(struct miguard_front_end **fresh,
                                          struct miguard_front_end **ret_front_end,
                                          struct miguard_error *reterr)
{
    enum miguard_status status = MIGUARD_OK;

    pthread_mutex_lock(&front_ends_lock);
    size_t place = place_of((*fresh)->component);
    if (place == MIGUARD_MAX_FRONT_ENDS) {
        status = error_set(reterr, MIGUARD_LIMIT, 0, "front end", "%d front ends are the most",
                           MIGUARD_MAX_FRONT_ENDS);
    } else if (front_ends[place] == NULL) {
        front_ends[place] = *fresh;
        *fresh = NULL;
    } else if (!same_actions(front_ends[place], (*fresh)->actions, (*fresh)->action_count)) {
        status = error_set(reterr, MIGUARD_BAD_STATE, 0, "front end",
                           "this component is registered with other actions");
    }
    if (status == MIGUARD_OK) {
        *ret_front_end = front_ends[place];
    }
    pthread_mutex_unlock(&front_ends_lock);
    return status;
}

enum miguard_status miguard_front_end_register(const char *component, const char *const *actions,
                                               size_t action_count,
                                               struct miguard_front_end **ret_front_end,
                                               struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;

    if (ret_front_end == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "front end",
                         "component, actions or ret_front_end is missing");
    }
    if (process_is_stuck()) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "front end", PROCESS_STUCK);
    }
    enum miguard_status status = check_front_end(component, actions, action_count, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    struct miguard_front_end *fresh = copy_front_end(component, actions, action_count);
    if (fresh == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "front end", NULL);
    }
    status = list_front_end(&fresh, ret_front_end, reterr);
    if (fresh != NULL) {
        free_front_end(fresh);
    }
    return status;
}
