/* SPDX-License-Identifier: MIT */
/*
 * What all writers of one log share: the file NAME.state beside the log NAME, mode 0600, mapped by
 * each writing process. It holds the head of the chain, the key of the next record, what was lost
 * and the refusals that are being counted, behind a robust mutex: when a writer is killed while it
 * holds it, the next one learns of it (EOWNERDEAD) and repairs what was left.
 *
 * A log without a file has the same in private memory, so that there is one way to count.
 */
#ifndef AUDIT_FILE_LOG_STATE_H
#define AUDIT_FILE_LOG_STATE_H

#include <pthread.h>

#include "audit/chain.h"
#include "audit/encode.h"
#include "base/error.h"
#include "model/event.h"
#include "model/sink_settings.h"

/* The part that changes with each record. There are two copies and an index that is set last, so
 * that a writer who is killed in the middle leaves the older one whole. */
struct state_head {
    uint64_t chain_id;
    uint64_t sequence;                   /* of the last record */
    unsigned char hash[CHAIN_HASH_SIZE]; /* of the last record; zero before the first */
    struct chain_key key;                /* of the next record */
    uint64_t epoch;                      /* 0: a chain without a key */
    uint64_t epoch_records;              /* since the epoch began */
    int64_t epoch_start;                 /* nanoseconds since 1970; 0: no record in it yet */
    uint64_t synced;          /* up to here records were known to be on the disk (sync.c) */
    uint64_t generation;      /* the suffix that the current file gets when it is rotated */
    uint64_t oldest;          /* rotated files below this generation were removed */
    uint64_t inode;           /* of the current file; 0: none was ever made */
    uint64_t file_after;      /* the records of the current file come after this number */
    uint64_t size;            /* of the current file, after the last record */
    int64_t file_start;       /* when it was begun */
    uint64_t removed_through; /* see struct audit_rotated */
    uint64_t reserved;        /* up to this offset blocks are allocated */
    uint32_t space_step;      /* see space.c */
    uint32_t rotate_asked;    /* the current file holds what is not the log's: rotate it */
    uint64_t check;           /* over all above, for a page that a power cut tore */
};

/* What one sink is lacking at present, and the totals. */
struct state_loss {
    uint64_t by_cause[AUDIT_LOSS_COUNT];
    int64_t first, last;
    uint64_t first_sequence, last_sequence;
};

/* A run of identical refusals (repeat.c). */
/* The body of a record with two identities of root, each with every capability, fits. */
enum { STATE_REPEATS = 32, STATE_BODY = 12000 };

/*
 * How far the records of the current file are out of the order of their times, up to the one whose
 * hash begins with `record`: see order.c. Two of them lie in the last bytes of the last slot below,
 * where they change neither size nor layout of a state: one that was made before there were any, or
 * that a program of before uses at the same time, is as good. So a body is kept up to STATE_KEPT
 * bytes only; it may have been longer.
 */
struct state_order {
    uint64_t record;
    uint64_t since;   /* the number of the first record that is counted in */
    uint64_t late;    /* so many microseconds, at the most, is one older than one before it */
    char highest[32]; /* of their times, as it stands in the record; AUDIT_TIME_LENGTH */
    uint64_t check;   /* over all above, for what others wrote there */
};
enum { STATE_ORDERS = 2, STATE_KEPT = STATE_BODY - STATE_ORDERS * (int)sizeof(struct state_order) };

/* A run has all that its record needs, so that another process can write it. */
struct state_repeat {
    uint64_t key[2];     /* of what is identical; 0: the slot is free */
    uint64_t entity;     /* of the process that counts */
    uint64_t count;      /* since the first, which has a record of its own */
    int64_t first, last; /* of those counted */
    int64_t until;       /* end of the window */
    uint32_t body_length;
    uint32_t action, reason; /* the rest of what audit_encode_tail() needs */
    char id[AUDIT_ID_SIZE];  /* event.id for the record that will report the count */
    char body[STATE_BODY];
};

struct state_shared; /* the mapped file; state.c */

/* What a descriptor refers to. Its number may belong to a file or a client of the host by now: code
 * that closes what it does not know, as daemons do when they start, is common. */
struct file_mark {
    dev_t device;
    ino_t inode;
    mode_t type;
    uid_t owner; /* when it was opened */
};

/*
 * Of how many kinds of sinks the file holds the losses. It is part of the format: with another
 * number the state of each log that exists would be refused. The losses of a kind beyond it (a sink
 * that is added) are counted in the process that had them. It reports them as well, unless it is
 * killed before.
 */
enum {
    STATE_SINKS = 4,
    STATE_OWN_SINKS = (int)SINK_KIND_COUNT > 4 ? (int)SINK_KIND_COUNT - 4 : 1, /* not empty */
};

/* A sink, a cause of loss or a slot more must not make a program refuse the states that exist. */
_Static_assert(STATE_SINKS == 4 && AUDIT_LOSS_COUNT == 13 && STATE_REPEATS == 32 &&
                   STATE_BODY == 12000,
               "these are the format of STATE_VERSION 2");

struct log_state {
    struct state_shared *shared; /* where it is mapped stays the same while the log is open */
    bool mapped;                 /* false: private memory */
    bool gone;                   /* what is mapped is not a state any more; open it again */
    int fd; /* of what is mapped: it proves before each use that the file was not cut */
    struct file_mark mark; /* of fd, which is not closed when it is the host's by now */
    /* Under the lock, what is needed to end in order when the file is cut just then: */
    unsigned char held[sizeof(pthread_mutex_t)]; /* the lock, as it is then; a copy is not a lock */
    struct state_head last;
    /* under the lock: */
    struct state_loss *pending; /* of the first STATE_SINKS of enum sink_kind */
    uint64_t *lost_total; /* one for each enum audit_loss: all sinks, since the log was made */
    struct state_repeat *repeats;
    int64_t *repeats_until;                 /* the nearest end of a window; 0: no window is open */
    struct state_loss own[STATE_OWN_SINKS]; /* of the others, in this process */
};

/* A state in private memory, for a log without a file. */
MIGUARD_CHECKED enum miguard_status state_open_private(struct log_state *ret_state);

/* Releases memory and descriptor; what is in the file stays. */
void state_close(struct log_state *state);

/* How long a call of the program waits for other writers at most. Then its record counts as lost
 * (BUSY). */
enum { STATE_LOCK_SECONDS = 2 };

/* The lock alone, for a log without a file; a log file has file_lock(). False: it was not released
 * within STATE_LOCK_SECONDS. *ret_waited: whether another writer held it first. */
MIGUARD_CHECKED bool state_lock(struct log_state *state, bool *ret_waited);
/* Only after a state_lock() that was true, by the same thread: the mutex is robust, and knows its
 * owner. */
void state_unlock(struct log_state *state);

/* Under the lock: the head that holds. The pointer is good until the next state_commit(). */
const struct state_head *state_head(const struct log_state *state);

#endif
