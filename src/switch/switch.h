/* SPDX-License-Identifier: MIT */
/* Inside the library: adopting a kept identity on a thread that serves it, and coming back. */
#ifndef SWITCH_SWITCH_H
#define SWITCH_SWITCH_H

#include "identity/identity.h"
#include "miguard/switch.h"

/* Room for one way back. Zeroed means: nothing to undo. */
struct switch_frame {
    struct miguard_identity original;
};

/*
 * Makes the calling thread exactly *identity, remembering in *frame what it was. Does nothing when
 * the thread has that identity already. Errors as miguard_switch_to(), and NOT_SUPPORTED when the
 * thread could not come back from there; the thread is then unchanged.
 */
MIGUARD_CHECKED enum miguard_status switch_adopt(const struct miguard_identity *identity,
                                                 struct switch_frame *frame,
                                                 struct miguard_error *reterr);

/* Undoes switch_adopt(), verified; aborts the process when that fails (invariant 5). */
void switch_restore(struct switch_frame *frame);

#endif
