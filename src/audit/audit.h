/* SPDX-License-Identifier: MIT */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "audit/event.h"

/* A log that records go to. Thread safe; one record is one write(2) to a file opened O_APPEND, so
 * several processes may share the file. */
struct audit;

/*
 * Opens, or creates with mode 0640, the file at path and writes the start record. A path that is a
 * symbolic link or no regular file is refused. Errors: INVALID_ARGUMENT, SYSTEM (reterr names the
 * call and errno), NO_MEMORY, AUDIT_FAILED (the start record could not be written).
 */
MIGUARD_CHECKED enum miguard_status audit_open(const char *path, struct audit **ret_audit,
                                               struct miguard_error *reterr);

void audit_close(struct audit *audit);

/* AUDIT_FAILED when the record is not in the log; the loss is counted, and the next record that
 * can be written is preceded by one that says how many are missing. */
MIGUARD_CHECKED enum miguard_status audit_write(struct audit *audit,
                                                const struct audit_event *event);

/* The same, and the id of the record; "" when there is none. */
MIGUARD_CHECKED enum miguard_status
audit_write_id(struct audit *audit, const struct audit_event *event, char ret_id[AUDIT_ID_SIZE]);

/* For fork(2): held across it so that the child does not inherit a lock that nobody releases. */
void audit_lock(struct audit *audit);
void audit_unlock(struct audit *audit);

#endif
