/* SPDX-License-Identifier: MIT */
/*
 * Records for other systems, one line each: ECS (the record and related.*), OCSF 1.8, CEF, RFC
 * 5424.
 */
#ifndef TOOLS_REVIEW_EXPORT_H
#define TOOLS_REVIEW_EXPORT_H

#include "tools/review/export_text.h"

/* X(NAME, "name") */
#define EXPORT_FORMAT_MAP(X)                                                                       \
    X(ECS, "ecs")                                                                                  \
    X(OCSF, "ocsf")                                                                                \
    X(CEF, "cef")                                                                                  \
    X(RFC5424, "rfc5424")

/* In the order of EXPORT_FORMAT_MAP. */
enum export_format {
#define EXPORT_FORMAT_ENUM(NAME, name) EXPORT_##NAME##_FORMAT,
    EXPORT_FORMAT_MAP(EXPORT_FORMAT_ENUM)
#undef EXPORT_FORMAT_ENUM
        EXPORT_FORMATS
};

/* The names, ended with NULL. */
extern const char *const export_formats[];

struct record_expander;

/* What is asked for. */
struct export_form {
    enum export_format format;
    uint32_t enterprise; /* of RFC 5424's structured data: ENTERPRISE_EXAMPLE, or one's own */
};

/* Appends the record and a newline. Never fails for a record that record_parse() accepted: what a
 * format needs and the record lacks has a stand-in. expander is the thread's, or NULL
 * (record_expand.h). Out of memory: text->failed. */
void export_record(struct text *text, const struct export_form *form,
                   struct record_expander *expander, const struct record *record);

/* 2 critical, 3 error, 4 warning, 5 notice, 6 informational, as syslog(3) and the syslog sink. By
 * the action first, then by the decision. */
unsigned export_severity(const struct record *record);

/*
 * OCSF 1.8, frozen: X("attribute", "what it holds", FIELD that it comes from as it is, or COUNT).
 * Classes: API Activity (6003), activity 1 to 4 for an operation of MI that creates, reads, updates
 * or deletes, and 99 for every other; switch, restore and drop are Process Activity (1007),
 * activity 5 (Set User ID), gate is 1007, activity 99. Whatever of a record has no attribute is
 * below unmapped, in ECS names, as it stands; of 1007 also what api
 * and resources are made of, which that class does not have.
 */
#define EXPORT_OCSF_MAP(X)                                                                         \
    X("category_uid", "6, or 1 for Process Activity", FIELD_COUNT)                                 \
    X("class_uid", "6003, or 1007", FIELD_COUNT)                                                   \
    X("activity_id", "1 create, 2 read, 3 update, 4 delete, or 99; 5, or 99", FIELD_COUNT)         \
    X("activity_name", "the name of 1 to 5, or event.action", FIELD_COUNT)                         \
    X("type_uid", "class_uid * 100 + activity_id", FIELD_COUNT)                                    \
    X("severity_id", "1 allowed, 2 would be refused, 3 refused, 4 forged or lost", FIELD_COUNT)    \
    X("time", "@timestamp in milliseconds", FIELD_COUNT)                                           \
    X("start_time", "event.start in milliseconds", FIELD_COUNT)                                    \
    X("end_time", "event.end in milliseconds", FIELD_COUNT)                                        \
    X("count", "miguard.repeat.count", FIELD_COUNT)                                                \
    X("message", "message", MESSAGE)                                                               \
    X("status_id", "1 allowed, 2 refused", FIELD_COUNT)                                            \
    X("status_code", "event.reason", REASON)                                                       \
    X("status_detail", "the reason in a sentence", FIELD_COUNT)                                    \
    X("action_id", "1 allowed, 2 refused, 3 would be refused", FIELD_COUNT)                        \
    X("disposition_id", "1 allowed, 2 refused, 17 would be refused", FIELD_COUNT)                  \
    X("metadata.uid", "event.id", EVENT_ID)                                                        \
    X("metadata.sequence", "event.sequence", SEQUENCE)                                             \
    X("metadata.event_code", "event.code", CODE)                                                   \
    X("metadata.correlation_uid", "miguard.session_id", SESSION)                                   \
    X("actor.user.uid", "user.id", BOUND_USER_ID)                                                  \
    X("actor.user.name", "user.name", BOUND_USER_NAME)                                             \
    X("actor.session.uid", "miguard.session_id", SESSION)                                          \
    X("actor.process.pid", "process.pid", PID)                                                     \
    X("actor.process.uid", "process.entity_id", ENTITY)                                            \
    X("actor.process.name", "process.name", PROCESS_NAME)                                          \
    X("actor.process.file.path", "process.executable", EXECUTABLE)                                 \
    X("actor.process.ptid", "process.thread.id", TID)                                              \
    X("actor.process.user.uid", "process.user.id", CURRENT_USER_ID)                                \
    X("actor.process.user.name", "process.user.name", CURRENT_USER_NAME)                           \
    X("actor.process.euid", "process.user.id", FIELD_COUNT)                                        \
    X("actor.process.egid", "process.group.id", FIELD_COUNT)                                       \
    X("actor.process.auid", "miguard.loginuid", LOGINUID)                                          \
    X("process", "the same, in Process Activity", FIELD_COUNT)                                     \
    X("api.operation", "in 6003: miguard.operation, or event.action", FIELD_COUNT)                 \
    X("api.service.name", "in 6003: miguard.provider, or miguard", FIELD_COUNT)                    \
    X("resources[].name", "in 6003: miguard.class, or miguard.resource", FIELD_COUNT)              \
    X("resources[].uid", "miguard.object", FIELD_COUNT)                                            \
    X("resources[].namespace", "miguard.namespace", FIELD_COUNT)                                   \
    X("policy.name", "rule.name", RULE)                                                            \
    X("policy.uid", "rule.reference", RULE_SOURCE)                                                 \
    X("policy.desc", "rule.description", RULE_REASON)                                              \
    X("src_endpoint.hostname", "host.name (this host makes the call)", HOST)                       \
    X("device.hostname", "host.name", HOST)

/* One row of the table that `miguard audit export --mapping` prints. */
struct export_mapping {
    const char *attribute, *from;
    enum record_field field; /* RECORD_FIELD_COUNT: not as it is */
};
extern const struct export_mapping export_ocsf_mapping[]; /* ended with NULL */

/* The attributes of RFC 5424's structured data, as the syslog sink names them. */
#define EXPORT_SYSLOG_MAP(X)                                                                       \
    X(CODE, "code")                                                                                \
    X(EVENT_ID, "id")                                                                              \
    X(SEQUENCE, "seq")                                                                             \
    X(HASH, "hash")                                                                                \
    X(CHAIN, "chain")                                                                              \
    X(ACTION, "action")                                                                            \
    X(DECISION, "decision")                                                                        \
    X(WOULD_DENY, "would-deny")                                                                    \
    X(REASON, "reason")                                                                            \
    X(MISMATCH, "mismatch")                                                                        \
    X(UNREADABLE, "unreadable")                                                                    \
    X(OPERATION, "operation")                                                                      \
    X(CONTEXT, "context")                                                                          \
    X(SESSION, "session")                                                                          \
    X(REPEATS, "repeats")                                                                          \
    X(LOST_COUNT, "lost")                                                                          \
    X(LOST_CAUSE, "lost-cause")                                                                    \
    X(LOST_SINK, "lost-sink")                                                                      \
    X(TID, "thread")                                                                               \
    X(BOUND_USER_ID, "user-id")                                                                    \
    X(CURRENT_USER_ID, "current-user-id")                                                          \
    X(BOUND_USER_NAME, "user")                                                                     \
    X(CURRENT_USER_NAME, "current-user")                                                           \
    X(PROVIDER, "provider")                                                                        \
    X(NAMESPACE, "namespace")                                                                      \
    X(CLASS, "class")                                                                              \
    X(METHOD, "method")                                                                            \
    X(KEYS, "keys")                                                                                \
    X(RESOURCE, "resource")                                                                        \
    X(OBJECT_NAME, "object")                                                                       \
    X(RULE, "rule")                                                                                \
    X(RULE_SOURCE, "rule-source")                                                                  \
    X(EXECUTABLE, "exe")

/* The keys of CEF's extension. A label stands beside each field that CEF has no name for. */
#define EXPORT_CEF_MAP(X)                                                                          \
    X(EVENT_ID, "externalId", NULL)                                                                \
    X(HOST, "dvchost", NULL)                                                                       \
    X(ACTION, "cat", NULL)                                                                         \
    X(OUTCOME, "outcome", NULL)                                                                    \
    X(REASON, "reason", NULL)                                                                      \
    X(MESSAGE, "msg", NULL)                                                                        \
    X(REPEATS, "cnt", NULL)                                                                        \
    X(PID, "dvcpid", NULL)                                                                         \
    X(EXECUTABLE, "sproc", NULL)                                                                   \
    X(BOUND_USER_ID, "suid", NULL)                                                                 \
    X(BOUND_USER_NAME, "suser", NULL)                                                              \
    X(CURRENT_USER_ID, "duid", NULL)                                                               \
    X(CURRENT_USER_NAME, "duser", NULL)                                                            \
    X(PROVIDER, "deviceProcessName", NULL)                                                         \
    X(OPERATION, "flexString1", "operation")                                                       \
    X(METHOD, "flexString2", "method")                                                             \
    X(KEYS, "miguardKeys", NULL)                                                                   \
    X(RESOURCE, "miguardResource", NULL)                                                           \
    X(OBJECT_NAME, "miguardObject", NULL)                                                          \
    X(RULE, "cs1", "rule")                                                                         \
    X(RULE_SOURCE, "cs2", "ruleSource")                                                            \
    X(CLASS, "cs3", "class")                                                                       \
    X(NAMESPACE, "cs4", "namespace")                                                               \
    X(SESSION, "cs5", "session")                                                                   \
    X(MISMATCH, "cs6", "mismatch")                                                                 \
    X(SEQUENCE, "cn1", "sequence")                                                                 \
    X(LOST_COUNT, "cn2", "lost")                                                                   \
    X(TID, "cn3", "thread")

#endif
