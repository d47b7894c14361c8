/* SPDX-License-Identifier: MIT */
/*
 * One record as it is read back: a line is checked to be one whole JSON object (RFC 8259, UTF-8, no
 * duplicate member of those below, no deeper than 16) in one pass, and the members that readers ask
 * for are found without copying. Members that are not known are checked and passed over.
 */
#ifndef TOOLS_REVIEW_RECORD_H
#define TOOLS_REVIEW_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORD_MAX_LINE = 1024 * 1024 };

/* X(NAME, "path") */
#define RECORD_FIELD_MAP(X)                                                                        \
    X(TIMESTAMP, "@timestamp")                                                                     \
    X(MESSAGE, "message")                                                                          \
    X(HOST, "host.name")                                                                           \
    X(BOOT, "host.boot.id")                                                                        \
    X(PID, "process.pid")                                                                          \
    X(ENTITY, "process.entity_id")                                                                 \
    X(EXECUTABLE, "process.executable")                                                            \
    X(PROCESS_NAME, "process.name")                                                                \
    X(PROCESS_START, "process.start")                                                              \
    X(TID, "process.thread.id")                                                                    \
    X(THREAD_NAME, "process.thread.name")                                                          \
    X(CURRENT_USER_ID, "process.user.id")                                                          \
    X(CURRENT_USER_NAME, "process.user.name")                                                      \
    X(CURRENT_REAL_USER_ID, "process.real_user.id")                                                \
    X(CURRENT_REAL_USER_NAME, "process.real_user.name")                                            \
    X(CURRENT_SAVED_USER_ID, "process.saved_user.id")                                              \
    X(CURRENT_SAVED_USER_NAME, "process.saved_user.name")                                          \
    X(CURRENT_GROUP_ID, "process.group.id")                                                        \
    X(CURRENT_GROUP_NAME, "process.group.name")                                                    \
    X(CURRENT_REAL_GROUP_ID, "process.real_group.id")                                              \
    X(CURRENT_SAVED_GROUP_ID, "process.saved_group.id")                                            \
    X(BOUND_USER_ID, "user.id")                                                                    \
    X(BOUND_USER_NAME, "user.name")                                                                \
    X(BOUND_GROUP_ID, "user.group.id")                                                             \
    X(BOUND_GROUP_NAME, "user.group.name")                                                         \
    X(RULE, "rule.name")                                                                           \
    X(RULE_SOURCE, "rule.reference")                                                               \
    X(RULE_REASON, "rule.description")                                                             \
    X(OPERATION, "miguard.operation")                                                              \
    X(PROVIDER, "miguard.provider")                                                                \
    X(NAMESPACE, "miguard.namespace")                                                              \
    X(CLASS, "miguard.class")                                                                      \
    X(METHOD, "miguard.method")                                                                    \
    X(KEYS, "miguard.keys")                                                                        \
    X(KEYS_OMITTED, "miguard.keys_omitted")                                                        \
    X(DECISION, "miguard.decision")                                                                \
    X(WOULD_DENY, "miguard.would_deny")                                                            \
    X(CONTEXT, "miguard.context_id")                                                               \
    X(SESSION, "miguard.session_id")                                                               \
    X(OPERATION_ID, "miguard.operation_id")                                                        \
    X(MISMATCH, "miguard.mismatch")                                                                \
    X(UNREADABLE, "miguard.unreadable")                                                            \
    X(CRED_BOUND, "miguard.cred.bound")                                                            \
    X(CRED_CURRENT, "miguard.cred.current")                                                        \
    X(LOGINUID, "miguard.loginuid")                                                                \
    X(SITE_MODULE, "miguard.call_site.module")                                                     \
    X(SITE_OFFSET, "miguard.call_site.offset")                                                     \
    X(SITE_SYMBOL, "miguard.call_site.symbol")                                                     \
    X(LAST_SWITCH_MODULE, "miguard.last_switch.module")                                            \
    X(LAST_SWITCH_OFFSET, "miguard.last_switch.offset")                                            \
    X(LAST_SWITCH_SYMBOL, "miguard.last_switch.symbol")                                            \
    X(LAST_SWITCH_TIME, "miguard.last_switch.time")                                                \
    X(ATTEMPT, "miguard.attempt")                                                                  \
    X(REPEATS, "miguard.repeat.count")                                                             \
    X(POLICY_DETAIL, "miguard.policy.detail")                                                      \
    X(POLICY_HASH, "miguard.policy.hash")                                                          \
    X(POLICY_PATH, "miguard.policy.path")                                                          \
    X(LOST_COUNT, "miguard.lost.count")                                                            \
    X(LOST_SINK, "miguard.lost.sink")                                                              \
    X(LOST_CAUSE, "miguard.lost.cause")                                                            \
    X(LOST_FIRST, "miguard.lost.first")                                                            \
    X(LOST_LAST, "miguard.lost.last")                                                              \
    X(LOST_FIRST_SEQUENCE, "miguard.lost.first_sequence")                                          \
    X(LOST_LAST_SEQUENCE, "miguard.lost.last_sequence")                                            \
    X(LOST_TOTAL, "miguard.lost.total")                                                            \
    X(PREVIOUS_FILE, "miguard.rotated.previous")                                                   \
    X(REMOVED_FILES, "miguard.rotated.removed_files")                                              \
    X(REMOVED_THROUGH, "miguard.rotated.removed_through")                                          \
    X(SPACE_STEP, "miguard.space.step")                                                            \
    X(SPACE_AVAILABLE, "miguard.space.available")                                                  \
    X(SPACE_USED, "miguard.space.used_percent")                                                    \
    X(CHAIN, "miguard.chain.id")                                                                   \
    X(CHAIN_EPOCH, "miguard.chain.epoch")                                                          \
    X(CHAIN_PREVIOUS, "miguard.chain.prev")                                                        \
    X(EVENT_ID, "event.id")                                                                        \
    X(SEQUENCE, "event.sequence")                                                                  \
    X(CODE, "event.code")                                                                          \
    X(ACTION, "event.action")                                                                      \
    X(OUTCOME, "event.outcome")                                                                    \
    X(REASON, "event.reason")                                                                      \
    X(START, "event.start")                                                                        \
    X(END, "event.end")                                                                            \
    X(HASH, "event.hash")

enum record_field {
#define RECORD_FIELD_ENUM(NAME, path) RECORD_##NAME,
    RECORD_FIELD_MAP(RECORD_FIELD_ENUM)
#undef RECORD_FIELD_ENUM
        RECORD_FIELD_COUNT
};

/* The bytes of a JSON value as they stand in the line, with the quotes of a string; at is NULL when
 * the member is absent. */
struct slice {
    const char *at;
    size_t length;
};

struct record {
    const char *line; /* without its newline; not terminated */
    size_t length;
    struct slice field[RECORD_FIELD_COUNT];
};

/* NULL, or what is wrong ("a string is not closed") and at which byte (0 is the first); then
 * *ret_record is not to be used. */
const char *record_parse(const char *line, size_t length, struct record *ret_record,
                         size_t *ret_offset);

const char *record_path(enum record_field field);

/* The field as text: strings without quotes and escapes, else as it stands. As snprintf gives the
 * whole length and always terminates; 0 and "" when the field is absent. */
size_t record_text(const struct record *record, enum record_field field, char *buffer, size_t size);

/* Compares the field as record_text() gives it with text, without copying. */
bool record_is(const struct record *record, enum record_field field, const char *text);

/* A number that is an integer and fits; false otherwise. Accepts one in quotes as well. */
bool record_number(const struct record *record, enum record_field field, uint64_t *ret_number);

/* @timestamp (or START, END, PROCESS_START, LOST_FIRST, LOST_LAST) in nanoseconds since 1970. */
bool record_time(const struct record *record, enum record_field field, int64_t *ret_time);

/* Steps through an array of strings such as MISMATCH: *at is 0 at first. False at its end. The item
 * has its quotes, as every slice; slice_text() and slice_is() are without. */
bool record_item(const struct record *record, enum record_field field, size_t *at,
                 struct slice *ret_item);

/* record_text() and record_is() of a value that was come by otherwise, such as an item. */
size_t slice_text(const struct slice *slice, char *buffer, size_t size);
bool slice_is(const struct slice *slice, const char *text);

/* "2026-03-01T12:00:00.5Z" or with an offset "+01:00" (RFC 3339), from 1970 to 2261. */
bool record_parse_time(const char *text, size_t length, int64_t *ret_time);

#endif
