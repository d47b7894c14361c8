/* SPDX-License-Identifier: MIT */
/*
 * Stops all other threads of the process, and lets each do a piece of work.
 *
 * Capabilities, securebits and no_new_privs belong to a thread, and only the thread itself can
 * change them; glibc's broadcast covers the ids and groups only. So each thread is sent a signal,
 * in whose handler it first waits until all have arrived.
 */
#ifndef SWITCH_WORLD_H
#define SWITCH_WORLD_H

#include <sys/types.h>

#include "miguard/status.h"

/* Both run in a signal handler and return 0 for success, else a number of the caller's. look runs
 * on all threads at the same time and must change nothing; act on one after the other. */
struct world_work {
    int (*look)(void *context);
    int (*act)(void *context);
    void *context;
};

/*
 * Stops every other thread. On success all of them wait in a handler, look returned 0 on each, and
 * no new thread can be created: world_act() or world_release() must follow. On failure all run
 * again as before, and *ret_answer is the answer of a thread that refused, or 0.
 *
 * Errors: BAD_STATE (a thread does not answer within two seconds, or refused), NOT_SUPPORTED (all
 * realtime signals are in use), LIMIT (more than MIGUARD_DROP_THREADS), UNREADABLE (no /proc),
 * SYSTEM. One caller at a time. Allocates nothing.
 */
MIGUARD_CHECKED enum miguard_status world_stop(const struct world_work *work, int *ret_answer,
                                               struct miguard_error *reterr);

/* Lets each stopped thread act, one after the other. 0, or the first other answer. */
MIGUARD_CHECKED int world_act(void);

/* Lets them run again; returns when the last has left the handler. */
void world_release(void);

#endif
