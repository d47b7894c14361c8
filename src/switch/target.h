/* SPDX-License-Identifier: MIT */
#ifndef SWITCH_TARGET_H
#define SWITCH_TARGET_H

#include "identity/identity.h"
#include "miguard/switch.h"
#include "switch/peer.h"

/* Either ids and groups, for which the rest is derived from the thread, or a whole identity. */
struct miguard_target {
    bool exact;
    bool keep_groups;   /* the thread's own; then identity has none */
    bool identify_only; /* may be described, compared and bound, but not switched to */
    bool has_caps;      /* caps was chosen */
    uint64_t caps;
    struct miguard_identity identity; /* valid when exact; else only uid[0], gid[0] and groups */
    struct switch_peer *peer;         /* of a target of a peer, else NULL */
};

/*
 * The identity that the thread, now `original`, must have as target. Borrows the groups of both.
 * Real, effective and fs ids are the target's; the saved uid stays the effective uid of the
 * original, so that the thread can switch back; users other than root get no effective capability
 * but the chosen ones, and no inheritable one.
 */
struct miguard_identity target_expected(const struct miguard_target *target,
                                        const struct miguard_identity *original);

#endif
