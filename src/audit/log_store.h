/* SPDX-License-Identifier: MIT */
/*
 * Where records get their place: the log file (file.h), or for a log without one the same in the
 * memory of this process, where they get a number and nothing more.
 */
#ifndef AUDIT_LOG_STORE_H
#define AUDIT_LOG_STORE_H

#include <pthread.h>

#include "audit/batch.h"
#include "audit/file/file.h"
#include "audit/stamp.h"

/* For a log with a file only file is set. Otherwise the state is private memory, and the background
 * thread waits at background_call. */
struct log_store {
    struct log_file *file; /* NULL: in memory, by what follows */
    struct log_state state;
    pthread_mutex_t lock; /* not the state's: a forked child could not unlock that one */
    uint64_t sequence;
    /* What the background thread waits at in a log without a file. */
    pthread_mutex_t background_lock;
    pthread_cond_t background_call;
    bool background;
};

/* settings: NULL for a log without a file. Errors as file_open(). */
MIGUARD_CHECKED enum miguard_status log_store_open(struct log_store *store,
                                                   const struct sink_settings *settings,
                                                   struct log_process *process,
                                                   struct miguard_error *reterr);
/* The background thread must have ended. */
void log_store_close(struct log_store *store);

/* As file_lock(). In memory it cannot fail, and *ret_loss is untouched. */
MIGUARD_CHECKED bool log_store_lock(struct log_store *store, enum audit_loss *ret_loss);
/* Only after a log_store_lock() that was true. */
void log_store_unlock(struct log_store *store);

/* This and the next under the lock. The losses and counts of the log, wherever it keeps them. */
struct log_state *log_store_state(struct log_store *store);

/* As file_append(). */
MIGUARD_CHECKED bool log_store_append(struct log_store *store, struct batch *batch,
                                      const struct file_record *record, enum audit_loss *ret_loss);

/* Makes a line for a record that has no place: the file did not take it, or it concerns one sink
 * only. False when memory ran out. */
bool log_store_line(const struct file_record *record, uint64_t sequence, struct text *ret_line,
                    struct sink_record *ret_record);

/* As file_sync(); without a file nothing can be durable, and the answer is true. */
MIGUARD_CHECKED bool log_store_sync(struct log_store *store, uint64_t sequence,
                                    enum audit_loss *ret_loss);
/* As file_maintain(); nothing without a file. */
void log_store_maintain(struct log_store *store, struct batch *batch);

/* As file_set_background() and file_background_wait(). */
void log_store_set_background(struct log_store *store, bool present);
bool log_store_background_wait(struct log_store *store, unsigned milliseconds);

/* Across fork(2), by a thread that does not hold the lock. */
void log_store_fork_lock(struct log_store *store);
void log_store_fork_unlock(struct log_store *store, bool child);

#endif
