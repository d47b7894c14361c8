/* SPDX-License-Identifier: MIT */
/*
 * What running processes have in force, beside what the disk has by now: for `miguard policy
 * status` and a line of `miguard doctor`.
 */
#ifndef TOOLS_CLI_POLICY_IN_FORCE_H
#define TOOLS_CLI_POLICY_IN_FORCE_H

#include "policy/draft.h"
#include "tools/cli/audit_open.h"
#include "tools/review/in_force.h"

/* What a reload would find where the process looks for its policy. X(NAME, "word", "in words") */
#define ON_DISK_MAP(X)                                                                             \
    X(SAME, "same", "the same")                                                                    \
    X(OTHER, "other", "another set: the process has not loaded it")                                \
    X(INVALID, "invalid", "a set with errors, which would be refused")                             \
    X(UNREADABLE, "unreadable", "it cannot be read from here")                                     \
    X(UNKNOWN, "unknown", "it is not known whether that is the same")

/* The order of the map. All but SAME mean that the process is behind, or may be. */
enum on_disk {
#define ON_DISK_ENUM(NAME, word, text) ON_DISK_##NAME,
    ON_DISK_MAP(ON_DISK_ENUM)
#undef ON_DISK_ENUM
};

/* One running process. Its record data are borrowed from the struct in_force. */
struct policy_process {
    /* Borrowed from the in_force of the status. */
    struct in_force_process *process;
    enum on_disk on_disk;
    char disk_hash[DRAFT_HASH_SIZE]; /* "" of the built-in policy, or not known */
};

/* Its set is not what a reload would give, or it refused a newer one. Also when that is not known:
 * the answer "up to date" must be proved. */
bool policy_process_is_behind(const struct policy_process *entry);

/* What the logs and the disk say of all running processes. Released with
 * policy_status_release(). */
struct policy_status {
    struct in_force *in_force;
    /* Of the log, for lines that could not be read. */
    struct audit_walk walk;
    struct policy_process *list;
    size_t count;
    size_t behind; /* of them */
};

/* Reads the logs given (none: that of the policy in force) and compares each running process with
 * the disk. CLI_YES, or the exit status after a message. Release in every case. */
int policy_status_read(const struct word_list *logs, struct policy_status *ret_status);

/* The same of one log with its rotated files. */
int policy_status_read_log(const char *log, struct policy_status *ret_status);

/* CLI_YES: there are processes, and all have what a reload would give. CLI_NO: one has not, or
 * no process is there. CLI_UNABLE: it looks so, but a line of the log could not be read and may say
 * otherwise. */
int policy_status_answer(const struct policy_status *status);

/* Frees everything; also after a failed read. */
void policy_status_release(struct policy_status *status);

#endif
