/* SPDX-License-Identifier: MIT */
/* The log from inside: what log.c and sinks.c share. */
#ifndef AUDIT_CORE_H
#define AUDIT_CORE_H

#include "audit/audit.h"
#include "audit/background.h"
#include "audit/batch.h"
#include "audit/log_store.h"
#include "audit/loss.h"
#include "audit/repeat.h"
#include "audit/sink/sink_ops.h"
#include "audit/stamp.h"

/* The place of a sink beside the file. */
struct sink_slot {
    const struct sink_ops *ops;    /* NULL: the log has no sink of this kind */
    pthread_mutex_t lock;          /* taken before the lock of the log, never under it */
    struct sink *sink;             /* NULL: it could not be opened yet */
    struct sink_settings settings; /* to open it again */
    char *path;
    int64_t tried;    /* when it was last opened, or tried to be */
    struct text line; /* of a record for this sink alone */
};

/* One open log. Each part has its own lock; audit_lock() has the order in which they are taken. */
struct audit {
    struct log_store store;
    bool file_denies; /* a record that the file does not take denies the call */
    struct sink_slot sinks[SINK_KIND_COUNT];
    /* Lost records that the state does not have yet (loss.h). */
    struct losses losses;
    struct repeats repeats;
    struct background background;
    /* Memory for calls that write, and which sinks and sync the log has. */
    struct batch_pool pool;
    pthread_mutex_t process_lock; /* for a forked child that names itself */
    struct log_process process;
};

/* Opens every sink of the settings but the file. An error leaves those that are open for
 * sinks_close(). Errors: INVALID_ARGUMENT, NO_MEMORY, NOT_SUPPORTED, and SYSTEM only from a sink
 * with failure_denies. */
MIGUARD_CHECKED enum miguard_status sinks_open(struct audit *audit,
                                               const struct audit_settings *settings,
                                               struct miguard_error *reterr);
/* Closes all sinks and releases their slots. No other thread may use the log. */
void sinks_close(struct audit *audit);
/* All locks of sinks, in the order of the kinds; for fork(2). */
void sinks_lock(struct audit *audit);
void sinks_unlock(struct audit *audit);
/* Between the two no sink has a thread, and a record for a sink that would need one waits. */
void sinks_pause(struct audit *audit);
void sinks_resume(struct audit *audit);

/* What became of the last record of a batch in the sinks beside the file. */
struct delivery {
    bool required; /* every sink that must have the record has it */
    bool any;      /* some sink has it */
};

/* Gives each sink the records of the batch; the answer is about the last of them. */
struct delivery sinks_deliver(struct audit *audit, struct batch *batch);

/* No sink gets the record. */
void sinks_lose(struct audit *audit, enum audit_loss cause, int64_t now);

#endif
