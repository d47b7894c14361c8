/* SPDX-License-Identifier: MIT */
/*
 * Logs for tests of readers and verifiers: valid in every way, made without the file sink, and
 * small enough to be looked at. Also the hand of an attacker, who has what a real one would have: a
 * copy of the struct with the key in use.
 */
#ifndef SUPPORT_CHAIN_LOG_H
#define SUPPORT_CHAIN_LOG_H

#include "audit/chain.h"
#include "audit/encode.h"
#include "audit/file/log_state.h"
#include "base/text.h"
#include "model/event.h"

struct chain_log {
    char path[128];
    struct chain_key first; /* key 1, kept elsewhere */
    struct state_head head; /* what the state file would say, with the key in use */
    uint64_t epoch_size;    /* records, with the seal; 0: no seals */
    uint64_t rotate_every;  /* records in a file; 0: never */
    uint64_t keep;          /* rotated files; 0: all */
    bool mixed;             /* records of the formats 1, 2 and 3, in turn */
    uint64_t in_file;
    uint64_t file_last[64]; /* by generation */
    uint64_t oldest;        /* generation that is still there */
    int64_t clock_shift;    /* seconds */
    char boot[40];
    struct audit_stamp stamp;
    struct identity_process process;
};

/* Begins a log at path. Aborts when that fails, as all below. */
void chain_log_begin(struct chain_log *log, const char *path, bool keyed);

/* One more record, with the seal and the rotation that are due before it. */
void chain_log_write(struct chain_log *log, const struct audit_event *event);

/* Records as they come: sessions opened, used and refused. */
void chain_log_fill(struct chain_log *log, uint64_t count);

/* The line that would come next, with its newline; log moves on but nothing is written. */
void chain_log_line(struct chain_log *log, const struct audit_event *event, struct text *ret_line);

void chain_log_append(const char *path, const char *bytes, size_t length);

/* A records-lost of the file; first and last are 0 when no number is known. */
void chain_log_lose(struct chain_log *log, enum audit_loss cause, uint64_t count, uint64_t first,
                    uint64_t last);
struct audit_event chain_log_loss(struct audit_lost *lost, enum audit_loss cause, uint64_t count,
                                  uint64_t first, uint64_t last);

void chain_log_rotate(struct chain_log *log);

/* The writer is another process from now on, or the system was started anew. */
void chain_log_other_process(struct chain_log *log);
void chain_log_reboot(struct chain_log *log);

/* A record that is like any other, of kind number n. */
struct audit_event chain_log_event(uint64_t n);

#endif
