/* SPDX-License-Identifier: MIT */
/*
 * What one call needs to write a record, kept for reuse: in the steady state nothing is allocated.
 *
 * Records that are made under the lock of the log are put aside here for the other sinks, which
 * get them when the lock is given back. The file makes some itself (rotation, seals) and tells of
 * them through a callback that does not say for whom: that is scratch_at_work().
 */
#ifndef AUDIT_SCRATCH_H
#define AUDIT_SCRATCH_H

#include <pthread.h>

#include "audit/chain.h"
#include "audit/sink/sink_ops.h"
#include "base/text.h"
#include "model/event.h"

/* Copied whole, since what a record of the file points to does not outlive the lock. */
struct outgoing {
    struct audit_event event;
    struct audit_lost lost;
    struct audit_rotated rotated;
    struct audit_space space;
    char previous_file[256];
    char id[AUDIT_ID_SIZE];
    char hash[CHAIN_HEX_SIZE];
    size_t at, length; /* of the line, in lines */
    uint64_t sequence, repeats;
};

struct scratch {
    struct text body, line; /* of the record that is being made */
    struct text lines;      /* of all that go out, each with its NUL */
    struct outgoing *out;
    size_t out_count, out_capacity;
    uint64_t dropped;             /* could not be put aside for want of memory */
    bool last_dropped;            /* the last of all was such a one */
    uint64_t sync_through;        /* the last record that has to be on the disk; 0: none */
    bool behind[SINK_KIND_COUNT]; /* the sink has to be told of losses first */
    struct scratch *next_free, *next;
};

struct scratch_pool {
    pthread_mutex_t lock;
    struct scratch *free, *all;
};

void scratch_pool_init(struct scratch_pool *pool);
void scratch_pool_destroy(struct scratch_pool *pool);

/* Empty, and at work for the calling thread until it is given back. NULL without memory. */
struct scratch *scratch_take(struct scratch_pool *pool);
void scratch_give(struct scratch_pool *pool, struct scratch *scratch);

/* The calling thread's; NULL when it has none. */
struct scratch *scratch_at_work(void);

/* Puts a record aside. Its event's lost, rotated and space are copied; what else the event points
 * to must live until the scratch is given back. */
void scratch_post(struct scratch *scratch, const struct sink_record *record);

/* The record that was put aside, as sinks want it. */
struct sink_record scratch_record(struct scratch *scratch, size_t index);

#endif
