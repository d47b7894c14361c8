/* SPDX-License-Identifier: MIT */
/*
 * Where records get their place: the log file (file.h), or for a log without one the same in the
 * memory of this process, where they get a number and nothing more.
 */
#ifndef AUDIT_LEDGER_H
#define AUDIT_LEDGER_H

#include <pthread.h>

#include "audit/file/file.h"

struct ledger {
    struct log_file *file; /* NULL: in memory, by what follows */
    struct log_state state;
    pthread_mutex_t lock; /* not the state's: a forked child could not unlock that one */
    uint64_t sequence;
    pthread_mutex_t keeper_lock;
    pthread_cond_t keeper_call;
    bool keeper;
};

/* settings: NULL for a log without a file. Errors as file_open(). */
MIGUARD_CHECKED enum miguard_status ledger_open(struct ledger *ledger,
                                                const struct sink_settings *settings,
                                                const struct file_owner *owner,
                                                struct miguard_error *reterr);
void ledger_close(struct ledger *ledger);

MIGUARD_CHECKED bool ledger_lock(struct ledger *ledger, enum audit_loss *ret_loss);
void ledger_unlock(struct ledger *ledger);

/* This and the next under the lock. */
struct log_state *ledger_state(struct ledger *ledger);

/* As file_append(). */
MIGUARD_CHECKED bool ledger_append(struct ledger *ledger, const struct file_record *record,
                                   struct text *ret_line, struct sink_record *ret_record,
                                   enum audit_loss *ret_loss);

/* Makes a line for a record that has no place: the file did not take it, or it concerns one sink
 * only. False when memory ran out. */
bool ledger_line(const struct file_record *record, uint64_t sequence, struct text *ret_line,
                 struct sink_record *ret_record);

MIGUARD_CHECKED bool ledger_sync(struct ledger *ledger, uint64_t sequence,
                                 enum audit_loss *ret_loss);
void ledger_maintain(struct ledger *ledger);

/* As file_set_keeper() and file_keeper_wait(). */
void ledger_set_keeper(struct ledger *ledger, bool present);
bool ledger_keeper_wait(struct ledger *ledger, unsigned milliseconds);

/* Across fork(2), by a thread that does not hold the lock. */
void ledger_fork_lock(struct ledger *ledger);
void ledger_fork_unlock(struct ledger *ledger, bool child);

#endif
