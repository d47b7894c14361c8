/* SPDX-License-Identifier: MIT */
/* This process, as all of its records name it: the log and the log file stamp their records
 * here. */
#ifndef AUDIT_STAMP_H
#define AUDIT_STAMP_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/utsname.h>

#include "audit/encode.h"
#include "audit/memory.h"
#include "audit/record_names.h"
#include "identity/read.h"

/* Shared by all threads that write. entity changes last when a child names itself, so that a thread
 * that sees the new one sees the rest, too. */
struct log_process {
    _Atomic uint64_t entity; /* process_epoch() */
    /* Of users and groups (record_names.h), and encoded pieces (memory.h). Both have locks of their
     * own. */
    struct audit_names names;
    struct audit_memory memory;
    /* Read without a lock, as is host. */
    struct identity_process process; /* changes in a forked child only */
    struct utsname host;
    /* As /proc/sys/kernel/random/boot_id has it, without newline: 36 characters, or "" when it
     * could not be read. */
    char boot_id[64];
};

/* Reads process, host and boot once: records must not wait for the system for what stays the same.
 * The names must be initialized before. Cannot fail: what cannot be read stays empty and is left
 * out of records. */
void stamp_init(struct log_process *process);
/* Releases the kept pieces, not the names. */
void stamp_destroy(struct log_process *process);

/* False: a forked child has not named itself yet. */
bool stamp_is_current(const struct log_process *process);

/* In a forked child: it writes under a name of its own. No other thread uses the log. */
void stamp_renew(struct log_process *process);

/* The stamp of the next record. */
struct audit_stamp stamp_next(struct log_process *process);

/* The same for a record that gets its id later. */
struct audit_stamp stamp_without_number(struct log_process *process);

/* The id of the next record. */
void stamp_id(struct log_process *process, char ret_id[AUDIT_ID_SIZE]);

/* A record of the log about itself: body and id. Sticky failure in ret_body. */
void stamp_encode(struct log_process *process, const struct audit_event *event,
                  struct text *ret_body, char ret_id[AUDIT_ID_SIZE]);

#endif
