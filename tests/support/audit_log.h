/* SPDX-License-Identifier: MIT */
/* A log of a test's own in a fresh folder, and what is in it. For tests with Check. */
#ifndef SUPPORT_AUDIT_LOG_H
#define SUPPORT_AUDIT_LOG_H

#include <jansson.h>
#include <stdbool.h>

#include "audit/audit.h"

/* Set by audit_log_make(), a fixture; audit_log_remove() is the one for afterwards. */
extern char audit_log_folder[64], audit_log_path[128];
void audit_log_make(void);
void audit_log_remove(void);

/* A log with one file: not synced, never rotated. */
struct audit *audit_log_open(uint32_t repeat_seconds);

struct audit_log {
    char *text;
    json_t *records; /* the lines that are records, all of them sound */
    unsigned broken; /* those that are not JSON */
};

struct audit_log audit_log_read(void);
void audit_log_release(struct audit_log *log);

/* The member at a path as "event.id"; NULL when there is none. */
const json_t *audit_log_member(const json_t *value, const char *dotted);
const char *audit_log_string(const json_t *record, const char *dotted); /* "(none)" */
json_int_t audit_log_number(const json_t *record, const char *dotted);

const json_t *audit_log_at(const struct audit_log *log, size_t index);

/* The nth record with this event.action, from 0; NULL when there are not so many. */
const json_t *audit_log_nth(const struct audit_log *log, const char *action, unsigned nth);
unsigned audit_log_count(const struct audit_log *log, const char *action);

/* The sequence is 1, 2, 3 ... in the order of the file and no event.id stands there twice. Gives
 * the number of processes. */
unsigned audit_log_check_order(const struct audit_log *log);

#endif
