/* SPDX-License-Identifier: MIT */
/*
 * Whether some sequence of system calls brings a thread from one state to another, when some of
 * them are denied. It knows nothing of the library, and nothing of the kernel's rules beyond which
 * call can change what: a child is made that state, makes each call in a child of its own, and
 * what came of it is read. A denied call changes nothing, so what a call does is the same under
 * every filter: each is made once, and the search for another set of denied calls finds it known.
 *
 * The calling process has every capability that the threads in question have, and no filter.
 */
#ifndef SUPPORT_WAY_BACK_H
#define SUPPORT_WAY_BACK_H

#include <stdbool.h>

#include "support/thread_view.h"

/* The calls, as bits of a set. */
enum denied {
    SETGROUPS = 1,
    SETRESGID = 2,
    SETRESUID = 4,
    SETFSUID = 8,
    SETFSGID = 16,
    CAPSET = 32,
    KEEPCAPS = 64,
    SECUREBITS = 128,
    AMBIENT = 256,
    BOUNDING = 512,
    NO_NEW_PRIVS = 1024,
};

enum way { WAY_NONE, WAY_FOUND, WAY_UNKNOWN };

/* Forgets all that is known; false when there is no memory. Before the first question, and in each
 * user namespace, whose rules may differ. */
bool way_back_begin(void);

/* WAY_UNKNOWN when a state cannot be made, or the search grows too large. */
enum way way_back_search(const struct thread_view *now, const struct thread_view *goal,
                         unsigned denied);

/* How many states and calls were tried for real. */
void way_back_count(unsigned *ret_states, unsigned *ret_calls);

#endif
