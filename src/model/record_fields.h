/* SPDX-License-Identifier: MIT */
/*
 * Every member of an audit record, once, in the order in which it is written. From this list come
 * the names that the encoder writes (audit/encode.c), the reader (tools/review/record.c), the
 * fields that sinks with fields of their own select (audit/sink/sink_fields.h), and the checks of
 * the tests.
 *
 * FIELD(NAME, "path", "last part of the path", TYPE)
 * OBJECT(NAME, "path", "last part"): what follows up to its CLOSE(NAME) are its members.
 *
 * In the library a field is RECORD_NAME and an object RECORD_NAME_OBJECT. To add one: a row here,
 * a line in encode.c, a row in tests/support/record.c, and its description in
 * tests/data/audit-record.schema.json and miguard-audit-record(5). The tests report what is
 * missing.
 */
#ifndef MODEL_RECORD_FIELDS_H
#define MODEL_RECORD_FIELDS_H

#include <stdint.h>

/*
 * The format that the encoder writes, in miguard.format; records of format 1 have no such member.
 * Since 2 ecs.version and event.kind, which are always the same, are left out, identities are in
 * the form of audit/record_identity.h, miguard.cred.differs stands for miguard.cred.current where
 * there is a bound identity, and real and saved ids stand in process where they differ from the
 * effective ones. Since 3 what follows from other members of the record is left out as well: see
 * model/record_derived.h for what follows from action, outcome and reason, and record_complete() of
 * the readers for the rest. record_expand() makes the form of 1 from both.
 */
enum { RECORD_FORMAT_SHORT = 2, RECORD_FORMAT_WRITTEN = 3 };
#define RECORD_ECS  "{\"version\":\"9.0.0\"}"
#define RECORD_KIND "\"event\""

/* The number of a record that says miguard.order is a multiple of it: a reader meets one near the
 * end of each file. In each record it would be long for what few are asked for. */
enum { RECORD_ORDER_EVERY = 8 };

/* How the value stands in the JSON, for readers and for the schema of the tests. */
enum record_type {
    RECORD_TYPE_TEXT,    /* a string */
    RECORD_TYPE_TIME,    /* "2026-01-02T03:04:05.678901Z" */
    RECORD_TYPE_ID,      /* a string of 16 hex digits: a JSON number would lose bits beyond 2^53 */
    RECORD_TYPE_DECIMAL, /* a number in quotes, as ECS has user and group ids */
    RECORD_TYPE_NUMBER,
    RECORD_TYPE_TRUE, /* true, or the member is absent */
    RECORD_TYPE_LIST, /* of strings */
    RECORD_TYPE_OPEN, /* an object whose members are not in this list */
    RECORD_TYPE_OBJECT,
};

#define RECORD_FIELD_MAP(FIELD, OBJECT, CLOSE)                                                     \
    FIELD(TIMESTAMP, "@timestamp", "@timestamp", TIME)                                             \
    FIELD(MESSAGE, "message", "message", TEXT)                                                     \
    OBJECT(ECS, "ecs", "ecs")                                                                      \
    FIELD(ECS_VERSION, "ecs.version", "version", TEXT)                                             \
    CLOSE(ECS)                                                                                     \
    OBJECT(HOST, "host", "host")                                                                   \
    FIELD(HOST, "host.name", "name", TEXT)                                                         \
    OBJECT(BOOT, "host.boot", "boot")                                                              \
    FIELD(BOOT, "host.boot.id", "id", TEXT)                                                        \
    CLOSE(BOOT)                                                                                    \
    CLOSE(HOST)                                                                                    \
    OBJECT(OBSERVER, "observer", "observer")                                                       \
    FIELD(OBSERVER_PRODUCT, "observer.product", "product", TEXT)                                   \
    FIELD(OBSERVER_VERSION, "observer.version", "version", TEXT)                                   \
    CLOSE(OBSERVER)                                                                                \
    OBJECT(PROCESS, "process", "process")                                                          \
    FIELD(PID, "process.pid", "pid", NUMBER)                                                       \
    FIELD(ENTITY, "process.entity_id", "entity_id", ID)                                            \
    FIELD(EXECUTABLE, "process.executable", "executable", TEXT)                                    \
    FIELD(PROCESS_NAME, "process.name", "name", TEXT)                                              \
    FIELD(PROCESS_START, "process.start", "start", TIME)                                           \
    OBJECT(THREAD, "process.thread", "thread")                                                     \
    FIELD(TID, "process.thread.id", "id", NUMBER)                                                  \
    FIELD(THREAD_NAME, "process.thread.name", "name", TEXT)                                        \
    CLOSE(THREAD)                                                                                  \
    OBJECT(CURRENT_REAL_USER, "process.real_user", "real_user")                                    \
    FIELD(CURRENT_REAL_USER_ID, "process.real_user.id", "id", DECIMAL)                             \
    FIELD(CURRENT_REAL_USER_NAME, "process.real_user.name", "name", TEXT)                          \
    CLOSE(CURRENT_REAL_USER)                                                                       \
    OBJECT(CURRENT_REAL_GROUP, "process.real_group", "real_group")                                 \
    FIELD(CURRENT_REAL_GROUP_ID, "process.real_group.id", "id", DECIMAL)                           \
    FIELD(CURRENT_REAL_GROUP_NAME, "process.real_group.name", "name", TEXT)                        \
    CLOSE(CURRENT_REAL_GROUP)                                                                      \
    OBJECT(CURRENT_USER, "process.user", "user")                                                   \
    FIELD(CURRENT_USER_ID, "process.user.id", "id", DECIMAL)                                       \
    FIELD(CURRENT_USER_NAME, "process.user.name", "name", TEXT)                                    \
    CLOSE(CURRENT_USER)                                                                            \
    OBJECT(CURRENT_GROUP, "process.group", "group")                                                \
    FIELD(CURRENT_GROUP_ID, "process.group.id", "id", DECIMAL)                                     \
    FIELD(CURRENT_GROUP_NAME, "process.group.name", "name", TEXT)                                  \
    CLOSE(CURRENT_GROUP)                                                                           \
    OBJECT(CURRENT_SAVED_USER, "process.saved_user", "saved_user")                                 \
    FIELD(CURRENT_SAVED_USER_ID, "process.saved_user.id", "id", DECIMAL)                           \
    FIELD(CURRENT_SAVED_USER_NAME, "process.saved_user.name", "name", TEXT)                        \
    CLOSE(CURRENT_SAVED_USER)                                                                      \
    OBJECT(CURRENT_SAVED_GROUP, "process.saved_group", "saved_group")                              \
    FIELD(CURRENT_SAVED_GROUP_ID, "process.saved_group.id", "id", DECIMAL)                         \
    FIELD(CURRENT_SAVED_GROUP_NAME, "process.saved_group.name", "name", TEXT)                      \
    CLOSE(CURRENT_SAVED_GROUP)                                                                     \
    CLOSE(PROCESS)                                                                                 \
    OBJECT(BOUND_USER, "user", "user")                                                             \
    FIELD(BOUND_USER_ID, "user.id", "id", DECIMAL)                                                 \
    FIELD(BOUND_USER_NAME, "user.name", "name", TEXT)                                              \
    OBJECT(BOUND_GROUP, "user.group", "group")                                                     \
    FIELD(BOUND_GROUP_ID, "user.group.id", "id", DECIMAL)                                          \
    FIELD(BOUND_GROUP_NAME, "user.group.name", "name", TEXT)                                       \
    CLOSE(BOUND_GROUP)                                                                             \
    CLOSE(BOUND_USER)                                                                              \
    OBJECT(RULE, "rule", "rule")                                                                   \
    FIELD(RULE, "rule.name", "name", TEXT)                                                         \
    FIELD(RULE_SOURCE, "rule.reference", "reference", TEXT)                                        \
    FIELD(RULE_REASON, "rule.description", "description", TEXT)                                    \
    CLOSE(RULE)                                                                                    \
    OBJECT(MIGUARD, "miguard", "miguard")                                                          \
    FIELD(FORMAT, "miguard.format", "format", NUMBER)                                              \
    FIELD(OPERATION, "miguard.operation", "operation", TEXT)                                       \
    FIELD(PROVIDER, "miguard.provider", "provider", TEXT)                                          \
    FIELD(NAMESPACE, "miguard.namespace", "namespace", TEXT)                                       \
    FIELD(CLASS, "miguard.class", "class", TEXT)                                                   \
    FIELD(METHOD, "miguard.method", "method", TEXT)                                                \
    FIELD(KEYS, "miguard.keys", "keys", LIST)                                                      \
    FIELD(KEYS_OMITTED, "miguard.keys_omitted", "keys_omitted", NUMBER)                            \
    FIELD(RESOURCE, "miguard.resource", "resource", TEXT)                                          \
    FIELD(OBJECT_NAME, "miguard.object", "object", TEXT)                                           \
    FIELD(DECISION, "miguard.decision", "decision", TEXT)                                          \
    FIELD(WOULD_DENY, "miguard.would_deny", "would_deny", TRUE)                                    \
    FIELD(CONTEXT, "miguard.context_id", "context_id", ID)                                         \
    FIELD(SESSION, "miguard.session_id", "session_id", ID)                                         \
    FIELD(OPERATION_ID, "miguard.operation_id", "operation_id", ID)                                \
    FIELD(MISMATCH, "miguard.mismatch", "mismatch", LIST)                                          \
    FIELD(UNREADABLE, "miguard.unreadable", "unreadable", LIST)                                    \
    OBJECT(CRED, "miguard.cred", "cred")                                                           \
    FIELD(CRED_BOUND, "miguard.cred.bound", "bound", OPEN)                                         \
    FIELD(CRED_CURRENT, "miguard.cred.current", "current", OPEN)                                   \
    FIELD(CRED_DIFFERS, "miguard.cred.differs", "differs", OPEN)                                   \
    CLOSE(CRED)                                                                                    \
    FIELD(LOGINUID, "miguard.loginuid", "loginuid", NUMBER)                                        \
    FIELD(SESSION_KEYRING, "miguard.session_keyring", "session_keyring", NUMBER)                   \
    OBJECT(SITE, "miguard.call_site", "call_site")                                                 \
    FIELD(SITE_MODULE, "miguard.call_site.module", "module", TEXT)                                 \
    FIELD(SITE_OFFSET, "miguard.call_site.offset", "offset", ID)                                   \
    FIELD(SITE_SYMBOL, "miguard.call_site.symbol", "symbol", TEXT)                                 \
    FIELD(SITE_BUILD, "miguard.call_site.build_id", "build_id", ID)                                \
    CLOSE(SITE)                                                                                    \
    OBJECT(LAST_SWITCH, "miguard.last_switch", "last_switch")                                      \
    FIELD(LAST_SWITCH_MODULE, "miguard.last_switch.module", "module", TEXT)                        \
    FIELD(LAST_SWITCH_OFFSET, "miguard.last_switch.offset", "offset", ID)                          \
    FIELD(LAST_SWITCH_SYMBOL, "miguard.last_switch.symbol", "symbol", TEXT)                        \
    FIELD(LAST_SWITCH_TIME, "miguard.last_switch.time", "time", TIME)                              \
    CLOSE(LAST_SWITCH)                                                                             \
    FIELD(ATTEMPT, "miguard.attempt", "attempt", TEXT)                                             \
    OBJECT(PEER, "miguard.peer", "peer")                                                           \
    FIELD(PEER_PID, "miguard.peer.pid", "pid", NUMBER)                                             \
    FIELD(PEER_LABEL, "miguard.peer.label", "label", TEXT)                                         \
    CLOSE(PEER)                                                                                    \
    OBJECT(POLICY, "miguard.policy", "policy")                                                     \
    FIELD(POLICY_DETAIL, "miguard.policy.detail", "detail", TEXT)                                  \
    FIELD(POLICY_HASH, "miguard.policy.hash", "hash", TEXT)                                        \
    FIELD(POLICY_PATH, "miguard.policy.path", "path", TEXT)                                        \
    CLOSE(POLICY)                                                                                  \
    OBJECT(LOST, "miguard.lost", "lost")                                                           \
    FIELD(LOST_SINK, "miguard.lost.sink", "sink", TEXT)                                            \
    FIELD(LOST_COUNT, "miguard.lost.count", "count", NUMBER)                                       \
    FIELD(LOST_CAUSE, "miguard.lost.cause", "cause", TEXT)                                         \
    FIELD(LOST_CAUSES, "miguard.lost.causes", "causes", OPEN)                                      \
    FIELD(LOST_FIRST, "miguard.lost.first", "first", TIME)                                         \
    FIELD(LOST_LAST, "miguard.lost.last", "last", TIME)                                            \
    FIELD(LOST_FIRST_SEQUENCE, "miguard.lost.first_sequence", "first_sequence", NUMBER)            \
    FIELD(LOST_LAST_SEQUENCE, "miguard.lost.last_sequence", "last_sequence", NUMBER)               \
    FIELD(LOST_TOTAL, "miguard.lost.total", "total", NUMBER)                                       \
    CLOSE(LOST)                                                                                    \
    OBJECT(ROTATED, "miguard.rotated", "rotated")                                                  \
    FIELD(PREVIOUS_FILE, "miguard.rotated.previous", "previous", TEXT)                             \
    FIELD(REMOVED_FILES, "miguard.rotated.removed_files", "removed_files", NUMBER)                 \
    FIELD(REMOVED_THROUGH, "miguard.rotated.removed_through", "removed_through", NUMBER)           \
    FIELD(ROTATED_BEYOND, "miguard.rotated.beyond", "beyond", NUMBER)                              \
    FIELD(STRAY_FILES, "miguard.rotated.stray_files", "stray_files", NUMBER)                       \
    FIELD(STRAY, "miguard.rotated.stray", "stray", TEXT)                                           \
    CLOSE(ROTATED)                                                                                 \
    OBJECT(SPACE, "miguard.space", "space")                                                        \
    FIELD(SPACE_STEP, "miguard.space.step", "step", TEXT)                                          \
    FIELD(SPACE_AVAILABLE, "miguard.space.available", "available", NUMBER)                         \
    FIELD(SPACE_USED, "miguard.space.used_percent", "used_percent", NUMBER)                        \
    CLOSE(SPACE)                                                                                   \
    OBJECT(TALLY, "miguard.tally", "tally")                                                        \
    FIELD(TALLY_WRITTEN, "miguard.tally.written", "written", NUMBER)                               \
    FIELD(TALLY_LOST, "miguard.tally.lost", "lost", NUMBER)                                        \
    CLOSE(TALLY)                                                                                   \
    OBJECT(STATE, "miguard.state", "state")                                                        \
    FIELD(STATE_FOUND, "miguard.state.found", "found", TEXT)                                       \
    FIELD(STATE_KEY, "miguard.state.key", "key", TEXT)                                             \
    FIELD(STATE_FILE, "miguard.state.file", "file", TEXT)                                          \
    CLOSE(STATE)                                                                                   \
    FIELD(VARIED, "miguard.varied", "varied", TRUE)                                                \
    FIELD(SAMPLES, "miguard.samples", "samples", LIST)                                             \
    OBJECT(REPEAT, "miguard.repeat", "repeat")                                                     \
    FIELD(REPEATS, "miguard.repeat.count", "count", NUMBER)                                        \
    CLOSE(REPEAT)                                                                                  \
    OBJECT(ORDER, "miguard.order", "order")                                                        \
    FIELD(ORDER_SINCE, "miguard.order.since", "since", NUMBER)                                     \
    FIELD(ORDER_LATE, "miguard.order.late_ms", "late_ms", NUMBER)                                  \
    CLOSE(ORDER)                                                                                   \
    OBJECT(CHAIN, "miguard.chain", "chain")                                                        \
    FIELD(CHAIN, "miguard.chain.id", "id", ID)                                                     \
    FIELD(CHAIN_EPOCH, "miguard.chain.epoch", "epoch", NUMBER)                                     \
    FIELD(CHAIN_PREVIOUS, "miguard.chain.prev", "prev", TEXT)                                      \
    CLOSE(CHAIN)                                                                                   \
    CLOSE(MIGUARD)                                                                                 \
    OBJECT(EVENT, "event", "event")                                                                \
    FIELD(EVENT_KIND, "event.kind", "kind", TEXT)                                                  \
    FIELD(EVENT_CATEGORY, "event.category", "category", LIST)                                      \
    FIELD(EVENT_TYPE, "event.type", "type", LIST)                                                  \
    FIELD(EVENT_ID, "event.id", "id", TEXT)                                                        \
    FIELD(SEQUENCE, "event.sequence", "sequence", NUMBER)                                          \
    FIELD(CODE, "event.code", "code", TEXT)                                                        \
    FIELD(ACTION, "event.action", "action", TEXT)                                                  \
    FIELD(OUTCOME, "event.outcome", "outcome", TEXT)                                               \
    FIELD(REASON, "event.reason", "reason", TEXT)                                                  \
    FIELD(START, "event.start", "start", TIME)                                                     \
    FIELD(END, "event.end", "end", TIME)                                                           \
    FIELD(HASH, "event.hash", "hash", TEXT)                                                        \
    CLOSE(EVENT)

/* The numbers have the order of the rows. encode.c relies on it: the first members of an object
 * have the numbers right behind the object's. */
enum record_field {
#define RECORD_FIELD_ENUM(NAME, path, name, TYPE) RECORD_##NAME,
#define RECORD_OBJECT_ENUM(NAME, path, name)      RECORD_##NAME##_OBJECT,
#define RECORD_CLOSE_ENUM(NAME)
    RECORD_FIELD_MAP(RECORD_FIELD_ENUM, RECORD_OBJECT_ENUM, RECORD_CLOSE_ENUM)
#undef RECORD_FIELD_ENUM
#undef RECORD_OBJECT_ENUM
#undef RECORD_CLOSE_ENUM
        RECORD_FIELD_COUNT
};

/* A row as data: path is the whole name, by which readers find a value; name is its last part,
 * which stands in the JSON. */
struct record_field_words {
    const char *path, *name; /* "host.boot.id" and "id" */
    const char *key;         /* "\"id\":", as the encoder writes it */
    uint8_t key_length;
    enum record_type type;
};
extern const struct record_field_words record_fields[RECORD_FIELD_COUNT];

#endif
