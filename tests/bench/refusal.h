/* SPDX-License-Identifier: MIT */
/*
 * A real refusal, as the guard gives it to the audit log, and a chained log to write it to: for
 * benchmarks of what records cost. What cannot be done aborts.
 */
#ifndef BENCH_REFUSAL_H
#define BENCH_REFUSAL_H

#include <stdint.h>
#include <sys/types.h>

#include "audit/audit.h"

/* A log with a key of its own. */
void refusal_log_make(const char *path);
/* Equal refusals within so many seconds are grouped; 0: each is written. */
struct audit *refusal_log_open(const char *path, enum audit_sync sync, uint32_t repeat_seconds);
/* In bytes; 0 when there is none. */
off_t refusal_log_size(const char *path);

/* This process's identity, and of a thread that acts for another user: fsuid is that user's. 0: as
 * it is. To be freed with miguard_identity_free(). */
struct miguard_identity *refusal_identity(uid_t acting_for);
/* The identity of a thread that has become the user wholly, with no groups; NULL when this process
 * may not. */
struct miguard_identity *refusal_identity_of_user(uid_t user);

/* The session is bound's, the caller is current. Both must stay. */
struct audit_event refusal_event(const struct miguard_identity *bound,
                                 const struct miguard_identity *current);

#endif
