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

struct audit {
    struct log_store store;
    bool file_denies; /* a record that the file does not take denies the call */
    struct sink_slot sinks[SINK_KIND_COUNT];
    struct losses losses;
    struct repeats repeats;
    struct background background;
    struct batch_pool pool;
    pthread_mutex_t process_lock; /* for a forked child that names itself */
    struct log_process process;
};

MIGUARD_CHECKED enum miguard_status sinks_open(struct audit *audit,
                                               const struct audit_settings *settings,
                                               struct miguard_error *reterr);
void sinks_close(struct audit *audit);
void sinks_lock(struct audit *audit);
void sinks_unlock(struct audit *audit);
void sinks_pause(struct audit *audit);
void sinks_resume(struct audit *audit);

struct delivery {
    bool required; /* every sink that must have the record has it */
    bool any;      /* some sink has it */
};

/* Gives each sink the records of the batch; the answer is about the last of them. */
struct delivery sinks_deliver(struct audit *audit, struct batch *batch);

/* No sink gets the record. */
void sinks_lose(struct audit *audit, enum audit_loss cause, int64_t now);

#endif
