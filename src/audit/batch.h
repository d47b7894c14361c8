/* SPDX-License-Identifier: MIT */
/*
 * What one call needs to write records, kept for reuse: in the steady state nothing is allocated.
 *
 * One call may write several records under the lock of the log: its own, and those of the log about
 * itself that are due before it (rotation, seals, losses). Each is added here when it has its place
 * in the log. When the lock is released, the batch goes to the other sinks.
 */
#ifndef AUDIT_BATCH_H
#define AUDIT_BATCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit/chain.h"
#include "audit/record.h"
#include "base/text.h"
#include "model/event.h"
#include "model/sink_settings.h"

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

struct batch_pool;

struct batch {
    struct batch_pool *pool;
    int64_t now; /* when it was taken: one time for all that the call does */
    /* The memory of these stays with the batch, so that the next call needs none. */
    struct text body, line; /* of the record that is being made */
    struct text lines;      /* of all that go out, each with its NUL */
    struct outgoing *out;
    size_t out_count, out_capacity;
    uint64_t dropped;             /* could not be added for want of memory */
    bool last_dropped;            /* the last record was one of these */
    uint64_t sync_through;        /* the last record that must be on the disk; 0: no record */
    bool behind[SINK_KIND_COUNT]; /* the sink must get a record about its losses first */
    struct batch *next_free, *next;
};

/* All batches of a log. They stay until it is closed: as many as threads ever wrote at once. */
struct batch_pool {
    pthread_mutex_t lock;
    struct batch *free, *all;
    /* constant once the log is open: */
    bool has_sinks, has_file;
    enum audit_sync sync;
    _Atomic uint64_t written; /* records of this process that have a place */
};

void batch_pool_init(struct batch_pool *pool);
/* All of them, also one that was not given back. */
void batch_pool_destroy(struct batch_pool *pool);

/* Empty, and the caller's until it is given back. NULL without memory. Thread safe. */
struct batch *batch_take(struct batch_pool *pool);
void batch_give(struct batch *batch);

/* Must a record about the event be on the disk before its call returns? By the policy's sync; never
 * without a file. */
bool batch_wants_sync(const struct batch_pool *pool, const struct audit_event *event);

/* The record has its place in the log: it is counted, and kept for the other sinks and for
 * file_sync(), where there are such. */
void batch_add_placed(struct batch *batch, const struct sink_record *record);

/* Keeps a record for the other sinks. Its event's lost, rotated and space are copied; what else the
 * event points to must live until the batch is given back. */
void batch_add(struct batch *batch, const struct sink_record *record);

/* The record that was kept, as sinks want it. */
struct sink_record batch_record(struct batch *batch, size_t index);

#endif
