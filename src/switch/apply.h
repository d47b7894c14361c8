/* SPDX-License-Identifier: MIT */
#ifndef SWITCH_APPLY_H
#define SWITCH_APPLY_H

#include "identity/identity.h"

/* Towards somebody else the order is groups, gids, uids; on the way back the reverse. */
enum switch_order { SWITCH_THERE, SWITCH_BACK };

/*
 * Makes the calling thread `to` by raw system calls, as far as a thread can change: ids, groups,
 * the effective, inheritable and ambient capabilities and securebits. changes are the components
 * in which it is not `to` yet; the others are left alone, since setting even the same value may
 * need a privilege that the thread lacks. The permitted set is kept throughout.
 *
 * On failure the thread may stand anywhere in between: the caller must bring it back. Nothing is
 * verified here. Errors: NOT_PERMITTED, SYSTEM, UNREADABLE. Allocates nothing.
 */
MIGUARD_CHECKED enum miguard_status switch_apply(const struct miguard_identity *to,
                                                 miguard_components changes,
                                                 enum switch_order order,
                                                 struct miguard_error *reterr);

#endif
