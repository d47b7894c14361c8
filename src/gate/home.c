/* SPDX-License-Identifier: MIT */
/*
 * The home of a pool's threads: capture, check, return (miguard/home.h). Called by programs.
 *
 * Who is right is asked from the gate (gate_check()), which answers a thread that has not changed
 * without a system call. What a request left is undone by the switch (switch_go_home()), which owns
 * the levels of a thread and the ways back.
 */
#include "miguard/home.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/error.h"
#include "gate/gate.h"
#include "switch/copy.h"
#include "switch/switch.h"

struct miguard_home {
    uint64_t number; /* for the cache of each thread */
    miguard_components compared;
    struct miguard_identity identity;
};

/* A home keeps what was in force at its capture, as a binding does: a cached match is one of the
 * components that are compared now. */
static _Atomic miguard_components compared_at_capture = MIGUARD_COMPONENTS_ALL;

void gate_set_home_components(miguard_components compared)
{
    atomic_store_explicit(&compared_at_capture, compared, memory_order_relaxed);
}

static enum miguard_status no_home(struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "home", "home is NULL");
}

enum miguard_status miguard_home_capture(struct miguard_home **ret_home,
                                         struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;

    if (ret_home == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "home", "ret_home is NULL");
    }
    switch_settle();
    enum miguard_status status = copy_claim(reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    if (switch_is_busy()) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "home",
                         "this thread is switched, or serves a callback: it is not at home");
    }
    struct miguard_home *home = base_alloc(1, sizeof(*home));
    if (home == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "home", NULL);
    }
    status = identity_capture(&home->identity, reterr);
    if (status != MIGUARD_OK) {
        base_free(home);
        return status;
    }
    home->number = gate_new_home();
    home->compared = atomic_load_explicit(&compared_at_capture, memory_order_relaxed);
    *ret_home = home;
    return MIGUARD_OK;
}

/* An unreadable component counts as different: UNREADABLE says why only where all of them are. */
static enum miguard_status not_at_home(miguard_components differing, miguard_components unreadable,
                                       struct miguard_error *reterr)
{
    char names[IDENTITY_NAMES_SIZE];

    identity_components_names(differing, names);
    return differing == unreadable
               ? error_set(reterr, MIGUARD_UNREADABLE, 0, "home", "%s cannot be read", names)
               : error_set(reterr, MIGUARD_NOT_VERIFIED, 0, "home", "%s differ from home", names);
}

/* Asked before ENTRY_UNCANCELLED, which takes more time than the answer. It looks and keeps errno:
 * a thread that is cancelled in here leaves nothing behind. */
static bool is_known_home(const struct miguard_home *home)
{
    return home != NULL && gate_known_same(home->number) && !switch_is_busy();
}

enum miguard_status miguard_home_check(const struct miguard_home *home,
                                       struct miguard_error *reterr)
{
    if (is_known_home(home)) {
        return MIGUARD_OK;
    }
    ENTRY_UNCANCELLED;
    miguard_components unreadable = 0;

    if (home == NULL) {
        return no_home(reterr);
    }
    miguard_components differing =
        gate_check(home->number, &home->identity, home->compared, &unreadable);
    if (differing != 0) {
        return not_at_home(differing, unreadable, reterr);
    }
    return switch_is_busy()
               ? error_set(reterr, MIGUARD_BAD_STATE, 0, "home",
                           "it is the same, but %u switches are not undone%s", switch_count(),
                           switch_count() == 0 ? ", and a callback runs" : "")
               : MIGUARD_OK;
}

/* An adoption that longjmp(3) jumped over counts as busy until switch_settle(). */
static bool is_home(const struct miguard_home *home)
{
    return !switch_is_busy() &&
           gate_check(home->number, &home->identity, home->compared, NULL) == 0;
}

static void give_left(const struct switch_leftover *left, miguard_components *ret_found,
                      unsigned *ret_switches)
{
    if (ret_found != NULL) {
        *ret_found = left->found;
    }
    if (ret_switches != NULL) {
        *ret_switches = left->switches;
    }
}

enum miguard_status miguard_home_return(const struct miguard_home *home,
                                        miguard_components *ret_found, unsigned *ret_switches,
                                        struct miguard_error *reterr)
{
    struct switch_leftover left = {0, 0};

    if (is_known_home(home)) {
        give_left(&left, ret_found, ret_switches);
        return MIGUARD_OK;
    }
    ENTRY_UNCANCELLED;
    enum miguard_status status = MIGUARD_OK;

    if (home == NULL) {
        return no_home(reterr);
    }
    if (!is_home(home)) {
        switch_settle();
        if (!is_home(home)) {
            status = switch_go_home(&(struct switch_home){&home->identity, home->compared},
                                    __builtin_return_address(0), &left, reterr);
        }
    }
    give_left(&left, ret_found, ret_switches);
    return status;
}

void miguard_home_free(struct miguard_home *home)
{
    ENTRY_UNCANCELLED;

    if (home != NULL) {
        identity_release(&home->identity);
        base_free(home);
    }
}
