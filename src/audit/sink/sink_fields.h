/* SPDX-License-Identifier: MIT */
/*
 * What a sink with fields of its own gets from a record. It is read from the finished line and not
 * from the event: the names of users are only in the line, and the event of a repeated refusal
 * knows no more than its action and reason. What the line leaves out because other members of it
 * say it (format 3) is a field all the same.
 */
#ifndef AUDIT_SINK_SINK_FIELDS_H
#define AUDIT_SINK_SINK_FIELDS_H

#include "audit/sink/sink_ops.h"
#include "base/text.h"
#include "model/record_fields.h"
#include "model/record_limits.h"

/* X(FIELD of the record, "name in syslog and kernel audit", "name in the journal", what the
 * record keeps of it, or 0 where that is not bounded by cutting); without names it only serves the
 * sink itself. What has a closed set of values stands first. */
#define SINK_FIELD_MAP(X)                                                                          \
    X(TIMESTAMP, NULL, NULL, 0)                                                                    \
    X(MESSAGE, NULL, NULL, 0)                                                                      \
    X(FORMAT, NULL, NULL, 0)                                                                       \
    X(OUTCOME, NULL, NULL, 0)                                                                      \
    X(CRED_CURRENT, NULL, NULL, 0)                                                                 \
    X(HOST, NULL, NULL, AUDIT_MAX_NAME)                                                            \
    X(PID, NULL, "PID", 0)                                                                         \
    X(CODE, "code", "CODE", 0)                                                                     \
    X(EVENT_ID, "id", "EVENT_ID", 0)                                                               \
    X(SEQUENCE, "seq", "SEQUENCE", 0)                                                              \
    X(HASH, "hash", "HASH", 0)                                                                     \
    X(CHAIN, "chain", "CHAIN", 0)                                                                  \
    X(ACTION, "action", "ACTION", 0)                                                               \
    X(DECISION, "decision", "DECISION", 0)                                                         \
    X(WOULD_DENY, "would-deny", "WOULD_DENY", 0)                                                   \
    X(REASON, "reason", "REASON", 0)                                                               \
    X(MISMATCH, "mismatch", "MISMATCH", 0)                                                         \
    X(UNREADABLE, "unreadable", "UNREADABLE", 0)                                                   \
    X(OPERATION, "operation", "OPERATION", AUDIT_MAX_NAME)                                         \
    X(CONTEXT, "context", "CONTEXT", 0)                                                            \
    X(SESSION, "session", "SESSION", 0)                                                            \
    X(REPEATS, "repeats", "REPEATS", 0)                                                            \
    X(LOST_COUNT, "lost", "LOST", 0)                                                               \
    X(LOST_CAUSE, "lost-cause", "LOST_CAUSE", 0)                                                   \
    X(LOST_SINK, "lost-sink", "LOST_SINK", 0)                                                      \
    X(TID, "thread", "THREAD", 0)                                                                  \
    X(BOUND_USER_ID, "user-id", "USER_ID", 0)                                                      \
    X(CURRENT_USER_ID, "current-user-id", "CURRENT_USER_ID", 0)                                    \
    X(BOUND_USER_NAME, "user", "USER", AUDIT_MAX_NAME)                                             \
    X(CURRENT_USER_NAME, "current-user", "CURRENT_USER", AUDIT_MAX_NAME)                           \
    X(PROVIDER, "provider", "PROVIDER", AUDIT_MAX_NAME)                                            \
    X(NAMESPACE, "namespace", "NAMESPACE", AUDIT_MAX_NAME)                                         \
    X(CLASS, "class", "CLASS", AUDIT_MAX_CIM)                                                      \
    X(METHOD, "method", "METHOD", AUDIT_MAX_CIM)                                                   \
    X(KEYS, "keys", "KEYS", 0)                                                                     \
    X(RESOURCE, "resource", "RESOURCE", AUDIT_MAX_TEXT)                                            \
    X(OBJECT_NAME, "object", "OBJECT", AUDIT_MAX_NAME)                                             \
    X(RULE, "rule", "RULE", AUDIT_MAX_TEXT)                                                        \
    X(RULE_SOURCE, "rule-source", "RULE_SOURCE", AUDIT_MAX_TEXT)                                   \
    X(EXECUTABLE, "exe", "EXE", AUDIT_MAX_TEXT)

/* Index of the rows above. */
enum sink_field_name {
#define SINK_FIELD_ENUM(FIELD, name, journal, bound) SINK_FIELD_##FIELD,
    SINK_FIELD_MAP(SINK_FIELD_ENUM)
#undef SINK_FIELD_ENUM
        SINK_FIELD_COUNT
};

/* The value as it stands in the line; at is NULL when the record has none. */
struct sink_field {
    const char *at;
    size_t length;
    size_t bound; /* what is longer was cut when the record was made; 0: nothing was */
};

/* The values of one record. It points into the line or to constants, and lives no longer than the
 * line. */
struct sink_fields {
    struct sink_field field[SINK_FIELD_COUNT];
};

/* No limit of a sink is larger. */
enum { SINK_TEXT_LIMIT = 4096 };

/* Never fails: what is not found stays empty, and the line goes out whole in any case. The fields
 * point into the line, or to constants. */
void sink_fields_read(const char *line, size_t length, struct sink_fields *ret_fields);

/* Empties a text that is used again and again; its memory stays, a failure is forgotten. */
void sink_text_reset(struct text *text);

/* The names of a row; NULL: no sink of that kind has it as a field of its own. */
const char *sink_field_name(enum sink_field_name field);
const char *sink_field_journal_name(enum sink_field_name field);

/*
 * Replaces *text by the value: a string without its quotes, a list with commas. Control characters
 * stay the \u escapes that they are in the line, so that no value makes a line or an escape for a
 * terminal. A value longer than limit bytes is cut (identity/cut.h), and one that the record had
 * cut keeps the mark that it has there. When memory runs out, failed stays set until
 * sink_text_reset().
 */
void sink_field_text(const struct sink_field *field, size_t limit, struct text *text);

/* As in syslog(3): 2 (critical) for lost records and no space, 3 for a policy with errors, 4 for a
 * refusal, 5 for what an administrator did or would be refused, 6 for the rest. */
unsigned sink_severity(const struct audit_event *event);

#endif
