/* SPDX-License-Identifier: MIT */
/* A log file without the rest of the log: records with a number, and a check of all that is there.
 */
#ifndef SUPPORT_LOG_FILE_H
#define SUPPORT_LOG_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/file/file.h"

enum { LOG_FILE_IDS = 65536 };

enum { LOG_FILE_FOLDER = 64 };

/* Makes an empty folder, below /dev/shm where that can be had, since a log that is synced thousands
 * of times would only wait for the disk: what a test kills is a process and not the machine. */
bool log_file_folder(char ret_folder[LOG_FILE_FOLDER]);

/* Removes what is in it. */
bool log_file_empty(const char *folder);

struct sink_settings log_file_settings(const char *path);

/* As file_open(); the error is printed with report. */
struct log_file *log_file_open(const struct sink_settings *settings, bool report);

/* What log.c does with a record: the gap record first, then the record, and the account of what did
 * not get in. The record has the number id, below LOG_FILE_IDS. */
bool log_file_append(struct log_file *file, unsigned id, size_t padding, enum audit_loss *ret_loss,
                     uint64_t *ret_sequence);

/* The time of the records that follow, nanoseconds since 1970; 0: now. */
extern int64_t log_file_time;

/* The record that a process begins with. */
void log_file_begin(struct log_file *file);

/* One round of file_maintain(). */
void log_file_round(struct log_file *file);

/* The background thread: a start routine of pthread_create(3) with the file as its argument. Ends
 * when there must be none. */
void *log_file_maintain(void *file);

/* How many records were refused and counted under the lock: the rest, whose file_lock() failed, is
 * log.c's to keep. */
extern unsigned log_file_refused;

/* How many records of its own the file has written. */
extern unsigned log_file_own_records;

struct log_check {
    unsigned files, records, broken_lines;
    unsigned breaks;      /* wrong hash, prev, chain id, epoch, or a number that does not go up */
    uint64_t missing;     /* numbers that are not there */
    uint64_t unexplained; /* of these, those that no gap record names */
    uint64_t lost[AUDIT_LOSS_COUNT], lost_all;
    uint64_t last_sequence, removed_through;
    unsigned seals, rotations, gaps, spaces;
    unsigned orders;      /* how often what records say of their order (audit/file/order.c) began */
    unsigned short_files; /* too short to hold one that says it */
    unsigned unordered;   /* records that should say it and do not; a false one is a break */
    char steps[256];      /* of audit-space, each with a blank behind it */
    unsigned char seen[LOG_FILE_IDS];
    char problem[256]; /* the first */
};

/* Goes through NAME.1, ..., NAME with the first key (or none). */
void log_file_check(const char *path, const struct chain_key *first, struct log_check *ret_check);

#endif
