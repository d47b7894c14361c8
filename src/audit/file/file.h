/* SPDX-License-Identifier: MIT */
/*
 * The log file: a chain of lines that several processes append to.
 *
 * In use: file_lock(), file_append() any number of times, file_unlock(), then file_sync() where the
 * record has to be durable.
 */
#ifndef AUDIT_FILE_FILE_H
#define AUDIT_FILE_FILE_H

#include "audit/batch.h"
#include "audit/file/log_state.h"
#include "audit/record.h"
#include "audit/stamp.h"

#include <limits.h>
#include <pthread.h>

struct log_file;

/*
 * Opens or makes the log and its state. A symbolic link, what is not a regular file, a folder
 * that others than its owner and root can write, and a state that does not belong to the log are
 * refused. What an earlier writer left unfinished is repaired and recorded. Errors:
 * INVALID_ARGUMENT, SYSTEM, NO_MEMORY, BAD_STATE (the state file is damaged; reterr says what to
 * do), AUDIT_FAILED (no space for a first record). process must outlive the file: it stamps the
 * records that the file writes of its own (rotation, seals, space).
 */
MIGUARD_CHECKED enum miguard_status file_open(const struct sink_settings *settings,
                                              struct log_process *process,
                                              struct log_file **ret_file,
                                              struct miguard_error *reterr);
/* Releases memory, mapping and descriptors; NULL: does nothing. The log itself stays as it is. No
 * other thread may use it. */
void file_close(struct log_file *file);

/* The lock of all writers in all processes, waited for at most 2 seconds. On success the file is
 * open, the current one, and whole. False: *ret_loss says why. */
MIGUARD_CHECKED bool file_lock(struct log_file *file, enum audit_loss *ret_loss);
/* Only after a file_lock() that was true, by the same thread. */
void file_unlock(struct log_file *file);

/* The state, for losses and counts of repeats. Under the lock; what it points to may be replaced by
 * the next file_lock(). */
struct log_state *file_state(struct log_file *file);

/* Under the lock: appends one record, after the records of the file's own that are due before it.
 * Each is added to the batch. False: nothing of the record is in the file, and *ret_loss says why.
 * Records about losses come from the caller (log.c) through this same function; one about the file
 * (lost->sink "file") reports all of pending[SINK_FILE], which is cleared in the same step, so that
 * a kill in between reports it neither twice nor never. */
MIGUARD_CHECKED bool file_append(struct log_file *file, struct batch *batch,
                                 const struct file_record *record, enum audit_loss *ret_loss);

/* Not under the lock: returns when record number sequence is on the disk; one fdatasync(2) serves
 * all threads that wait (group commit). */
MIGUARD_CHECKED bool file_sync(struct log_file *file, uint64_t sequence, enum audit_loss *ret_loss);

/* From a thread that has the identity that opened the log: opens the file that another process
 * rotated to, rotates and seals by time. */
void file_maintain(struct log_file *file, struct batch *batch);

/*
 * A thread that serves others does so with an identity that may not open files. Where a background
 * thread is registered, a thread of the kind `file_lock()` has to open a file for waits up to 2
 * seconds for it; without one its record is lost (REMOVED). The background thread loops over
 * file_background_wait(), which returns when it is asked for, after milliseconds, or when it was
 * deregistered (false), and file_maintain(). A forked child has no background thread until it
 * registers one.
 */
void file_set_background(struct log_file *file, bool present);
bool file_background_wait(struct log_file *file, unsigned milliseconds);

/* Around fork(2), by the thread that forks and holds no file_lock(): before, and after it in the
 * parent and in the child. The child goes on with the same file. */
void file_fork_lock(struct log_file *file);
void file_fork_unlock(struct log_file *file, bool child);

/* ---- without writing ------------------------------------------------------------------------- */

/* What to do with files of an earlier log that lie there. */
enum file_earlier {
    FILE_EARLIER_REFUSE,
    FILE_EARLIER_CONTINUE, /* rotated ones stay, a current one gets the next number; not a state */
    FILE_EARLIER_ASIDE,    /* all of them move into a folder of their own */
};

/* What `miguard audit init` was asked to do. */
struct file_beginning {
    /* Of the log; its folder is made when it is missing. */
    const char *path;
    const struct chain_key *key; /* key 1, or none, when !key->present */
    enum file_earlier earlier;
    int (*give)(void *context); /* hands the key over: 0 or an error number; NULL: not needed */
    void *context;
};

/*
 * `miguard audit init`: makes the state of a log that does not exist yet. The key is given when all
 * is on the disk, and the log begins when it was taken. With OK the state is on the disk; with
 * anything else no program takes what lies there for a state, also after a kill, and what was moved
 * is back in its place where possible. ret_aside gets the folder of FILE_EARLIER_ASIDE (""
 * when nothing is in it), else it may be NULL. BAD_STATE when there is a log or a state already.
 */
MIGUARD_CHECKED enum miguard_status file_begin(const struct file_beginning *beginning,
                                               char ret_aside[PATH_MAX],
                                               struct miguard_error *reterr);

/* The same with a key that needs no handing over. */
MIGUARD_CHECKED enum miguard_status file_init(const char *path, const struct chain_key *key,
                                              enum file_earlier earlier, char ret_aside[PATH_MAX],
                                              struct miguard_error *reterr);

/* What file_open() would meet, as far as that can be seen without making or changing anything. With
 * OK *ret_folder is the folder of the log, for the caller to close; SYSTEM with ENOENT: it is
 * missing. Otherwise errors as file_open(). */
MIGUARD_CHECKED enum miguard_status file_try(const struct sink_settings *settings, int *ret_folder,
                                             struct miguard_error *reterr);

/* The head of the log at path as its state has it, without the key. NOT_FOUND without a state;
 * SYSTEM, also when it may not be read; BAD_STATE when it is damaged. */
MIGUARD_CHECKED enum miguard_status file_read_head(const char *path, struct state_head *ret_head,
                                                   struct miguard_error *reterr);

#endif
