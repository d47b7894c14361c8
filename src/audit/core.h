/* SPDX-License-Identifier: MIT */
/* The log from inside: what log.c, outlet.c and keeper.c share. */
#ifndef AUDIT_CORE_H
#define AUDIT_CORE_H

#include <sys/utsname.h>

#include "audit/audit.h"
#include "audit/encode.h"
#include "audit/ledger.h"
#include "audit/loss.h"
#include "audit/memory.h"
#include "audit/record_names.h"
#include "audit/repeat.h"
#include "audit/scratch.h"

/* A sink beside the file. */
struct outlet {
    const struct sink_ops *ops;    /* NULL: there is none of this kind */
    pthread_mutex_t lock;          /* taken before the lock of the log, never under it */
    struct sink *sink;             /* NULL: it could not be opened yet */
    struct sink_settings settings; /* to open it again */
    char *path;
    int64_t tried;    /* when it was last to be opened */
    struct text line; /* of a record for this sink alone */
};

/* Who may be the keeper: whoever is what opened the log. */
struct keeper_identity {
    bool known;
    uid_t fsuid;
    gid_t fsgid;
    uint64_t effective;
};

struct keeper {
    pthread_mutex_t lock;
    pthread_t thread;
    atomic_bool running; /* there is a thread to be joined */
    atomic_bool ended;   /* it ended by itself */
    bool paused;         /* under the lock: none is to be started */
    _Atomic int64_t tried;
    struct keeper_identity identity;
};

struct audit {
    struct ledger ledger;
    bool has_file, file_denies;
    enum audit_sync sync;
    bool has_outlets;
    struct outlet outlets[SINK_KIND_COUNT];
    struct losses losses;
    struct repeats repeats;
    struct keeper keeper;
    struct scratch_pool pool;
    struct audit_names names;
    struct audit_memory memory;
    _Atomic uint64_t written;     /* records of this process */
    _Atomic int64_t last_written; /* when */
    pthread_mutex_t process_lock; /* for the rest, which changes in a forked child only */
    _Atomic uint64_t entity;      /* process_epoch() */
    struct identity_process process;
    struct utsname host;
    char boot_id[64];
};

/* ---- log.c */

/* The stamp of the next record. */
struct audit_stamp log_stamp(struct audit *audit);

/* A record of the log about itself: body and id. Sticky failure in ret_body. */
void log_encode(void *audit, const struct audit_event *event, struct text *ret_body,
                char ret_id[AUDIT_ID_SIZE]);

/* Under the lock: what was lost away from it is counted in the state. */
void log_fold(struct audit *audit);

/* Writes what is due without a record: ended windows, what waits to be told. */
void log_tick(struct audit *audit);

/* ---- outlet.c */

MIGUARD_CHECKED enum miguard_status outlets_open(struct audit *audit,
                                                 const struct audit_settings *settings,
                                                 struct miguard_error *reterr);
void outlets_close(struct audit *audit);
void outlets_lock(struct audit *audit);
void outlets_unlock(struct audit *audit);
void outlets_pause(struct audit *audit);
void outlets_resume(struct audit *audit);

struct delivery {
    bool required; /* every sink that must have the record has it */
    bool any;      /* some sink has it */
};

/* Gives each sink what was put aside; the answer is about the last of them. */
struct delivery outlets_deliver(struct audit *audit, struct scratch *scratch);

/* No sink gets the record. */
void outlets_lose(struct audit *audit, enum audit_loss cause, int64_t now);

/* ---- keeper.c */

void keeper_init(struct keeper *keeper);
void keeper_destroy(struct keeper *keeper);

/* Starts the keeper when it can be; cheap when there is nothing to do. */
void keeper_offer(struct audit *audit);

/* Starts the thread that asks for names, alike. */
void keeper_offer_names(struct audit *audit);

/* There is but one thread, and it has the identity that the directory is to be asked with. */
bool keeper_is_alone(const void *audit);
void keeper_stop(struct audit *audit);
void keeper_pause(struct audit *audit);
void keeper_resume(struct audit *audit);

/* In a forked child, which has no keeper. */
void keeper_forget(struct audit *audit);

#endif
