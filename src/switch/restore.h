/* SPDX-License-Identifier: MIT */
/*
 * The way back where the usual steps fail: a filter (seccomp(2)) may deny some of the calls that a
 * switch used, and several sequences of the others can lead to the same state. setresuid(0, 0, 0),
 * for example, raises the effective capabilities as capset(2) does.
 *
 * The search uses a model of the kernel's rules. A sequence that the model finds is executed call
 * by call, and the thread is read after each: a call that did not do what the model says is not
 * used again, and the search restarts from the state that was read. So an error in the model costs
 * a way, never an identity, and a call that answers 0 without effect is detected at once.
 */
#ifndef SWITCH_RESTORE_H
#define SWITCH_RESTORE_H

#include "identity/identity.h"

/* The model's view of a thread; of its groups only whether they are the wanted ones. */
struct restore_state {
    uid_t uid[IDENTITY_IDS];
    gid_t gid[IDENTITY_IDS];
    uint64_t effective, permitted, inheritable, ambient;
    uint32_t securebits, right_groups;
};

/* States that a search may visit, and places of the hash table: four times as many, so that it
 * stays sparse. */
enum { RESTORE_NODES = 8192, RESTORE_TABLE = 4 * RESTORE_NODES };

/* Memory for one search; about 1 MB, of which only the used pages take memory. */
struct restore_room {
    struct restore_node {
        struct restore_state state;
        uint16_t parent, move;
    } nodes[RESTORE_NODES];
    uint16_t table[RESTORE_TABLE]; /* number of a node, from 1 */
};

/*
 * Restores the calling thread, whatever its state, to original in everything that a switch can
 * change, and verifies that. False when no sequence of the calls that still work leads there.
 * groups has room for IDENTITY_MAX_GROUPS. Allocates nothing; async-signal safe; signals should be
 * blocked.
 */
MIGUARD_CHECKED bool restore_thread(const struct miguard_identity *original, gid_t *groups,
                                    struct restore_room *room);

#endif
