/* SPDX-License-Identifier: MIT */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "model/event.h"
#include "model/sink_settings.h"

/*
 * A log: one or more sinks that records go to (sink_settings.h). Thread safe, and good across
 * fork(2): a child writes to the same log under a name of its own.
 *
 * The first record of a process is audit-start, the last, by audit_close(), audit-stop. A record
 * that a sink did not take is counted, and the next that the sink takes is preceded by one that
 * says how many are missing and why. Identical refusals within settings->repeat_seconds become two
 * records, the first at once and one for all that followed it (repeat.h).
 *
 * Once a process has a second thread, the log has one of its own (background.h) from the next
 * record on, until audit_close().
 */
struct audit;

/*
 * Opens all sinks and writes audit-start. At most one sink of each kind. A sink that cannot be
 * opened is an error, unless it is one that may fail (failure_denies is false) and does so for a
 * reason that can pass (SYSTEM): then each record counts as lost there until it can be. Errors:
 * INVALID_ARGUMENT, SYSTEM (reterr names the call and errno), NO_MEMORY, BAD_STATE (the state of
 * the file is damaged), AUDIT_FAILED (audit-start could not be written where it has to be).
 */
MIGUARD_CHECKED enum miguard_status audit_open(const struct audit_settings *settings,
                                               struct audit **ret_audit,
                                               struct miguard_error *reterr);

/* The thread that asks for names is started if it can be: for a thread that still has the identity
 * that opened the log, before it changes it. Cheap when there is nothing to do. */
void audit_offer(struct audit *audit);

/* Reports all refusals that this process still counts, and writes audit-stop. No other thread may
 * use the log. NULL: does nothing. */
void audit_close(struct audit *audit);

/* AUDIT_FAILED when a sink with failure_denies has not taken the record, or when it must be on the
 * disk before this returns (sync) and is not known to be. */
MIGUARD_CHECKED enum miguard_status audit_write(struct audit *audit,
                                                const struct audit_event *event);

/* The same, and the id of the record, or for a refusal that is only counted of the first of its
 * kind; "" when no sink has it. */
MIGUARD_CHECKED enum miguard_status
audit_write_id(struct audit *audit, const struct audit_event *event, char ret_id[AUDIT_ID_SIZE]);

/*
 * Between the two the log has no thread of its own and starts none, so that a caller can reach all
 * threads of the process by a signal (miguard_drop). Records can be written meanwhile; one for the
 * kernel's audit system waits. Afterwards threads come back with the records that need them, the
 * background thread only while the process still has the identity that opened the log. One caller
 * at a time, who writes no record in between.
 */
void audit_pause(struct audit *audit);
void audit_resume(struct audit *audit);

/* For fork(2): held across it so that the child does not inherit a lock that no thread releases.
 * child: given back in there, where no thread is left that waited for anything. */
void audit_lock(struct audit *audit);
void audit_unlock(struct audit *audit, bool child);

#endif
