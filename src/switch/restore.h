/* SPDX-License-Identifier: MIT */
/*
 * The way back where it is not plain: a filter (seccomp(2)) may have taken some of the calls that a
 * switch used, and several sequences of the others can lead to the same place. setresuid(0, 0, 0),
 * for one, raises the effective capabilities as capset(2) does.
 *
 * The search is over a model of the kernel's rules. A sequence that the model finds is carried out
 * call by call, and after each the thread is read: a call that did not do what the model says is
 * not used again, and the search begins anew at what was read. So an error in the model costs a
 * way, never an identity, and a call that answers 0 and does nothing is found at once.
 */
#ifndef SWITCH_RESTORE_H
#define SWITCH_RESTORE_H

#include "identity/identity.h"

/* What the model knows of a thread; of its groups only whether they are the wanted ones. */
struct restore_state {
    uid_t uid[IDENTITY_IDS];
    gid_t gid[IDENTITY_IDS];
    uint64_t effective, permitted, inheritable, ambient;
    uint32_t securebits, right_groups;
};

enum { RESTORE_NODES = 8192, RESTORE_TABLE = 4 * RESTORE_NODES };

/* Room for one search; about 1 MB, of which only what is used takes memory. */
struct restore_room {
    struct restore_node {
        struct restore_state state;
        uint16_t parent, move;
    } nodes[RESTORE_NODES];
    uint16_t table[RESTORE_TABLE]; /* number of a node, from 1 */
};

/*
 * Makes the calling thread, whatever it is now, original again in all that a switch can change, and
 * verifies that. False when no sequence of the calls that still work leads there. groups is room
 * for IDENTITY_MAX_GROUPS. Allocates nothing; async-signal safe; signals should be blocked.
 */
MIGUARD_CHECKED bool restore_thread(const struct miguard_identity *original, gid_t *groups,
                                    struct restore_room *room);

#endif
