/* SPDX-License-Identifier: MIT */
/*
 * The columns that a store of records in a database has, from the record's field table: a column is
 * a field, and its type follows from the field's. From this list come the tables and templates for
 * each engine and the rows that `miguard audit load` writes, so that a field is added in one line.
 */
#ifndef TOOLS_REVIEW_FLEET_COLUMNS_H
#define TOOLS_REVIEW_FLEET_COLUMNS_H

#include "base/text.h"
#include "tools/review/record.h"

/* X(column, FIELD): what questions are asked by. The rest of a record is in its line. The first
 * four are never null: time, host, chain and sequence say which record it is, together with the
 * digest of its bytes. Without that an edited copy of a record would pass for the same. */
#define FLEET_COLUMN_MAP(X)                                                                        \
    X("time", TIMESTAMP)                                                                           \
    X("host", HOST)                                                                                \
    X("chain", CHAIN)                                                                              \
    X("sequence", SEQUENCE)                                                                        \
    X("epoch", CHAIN_EPOCH)                                                                        \
    X("hash", HASH)                                                                                \
    X("boot", BOOT)                                                                                \
    X("event_id", EVENT_ID)                                                                        \
    X("code", CODE)                                                                                \
    X("action", ACTION)                                                                            \
    X("outcome", OUTCOME)                                                                          \
    X("reason", REASON)                                                                            \
    X("decision", DECISION)                                                                        \
    X("would_deny", WOULD_DENY)                                                                    \
    X("user_id", BOUND_USER_ID)                                                                    \
    X("user_name", BOUND_USER_NAME)                                                                \
    X("current_user_id", CURRENT_USER_ID)                                                          \
    X("current_user_name", CURRENT_USER_NAME)                                                      \
    X("pid", PID)                                                                                  \
    X("executable", EXECUTABLE)                                                                    \
    X("provider", PROVIDER)                                                                        \
    X("operation", OPERATION)                                                                      \
    X("namespace", NAMESPACE)                                                                      \
    X("class", CLASS)                                                                              \
    X("method", METHOD)                                                                            \
    X("keys", KEYS)                                                                                \
    X("resource", RESOURCE)                                                                        \
    X("object", OBJECT_NAME)                                                                       \
    X("rule", RULE)                                                                                \
    X("rule_source", RULE_SOURCE)                                                                  \
    X("mismatch", MISMATCH)                                                                        \
    X("context", CONTEXT)                                                                          \
    X("session", SESSION)                                                                          \
    X("repeats", REPEATS)                                                                          \
    X("lost_count", LOST_COUNT)                                                                    \
    X("lost_cause", LOST_CAUSE)                                                                    \
    X("lost_sink", LOST_SINK)                                                                      \
    X("policy_hash", POLICY_HASH)

enum { FLEET_SCHEMA_VERSION = 1 };

/* Engines that a schema is made for. */
enum fleet_engine { FLEET_POSTGRESQL, FLEET_CLICKHOUSE, FLEET_OPENSEARCH, FLEET_DUCKDB };
extern const char *const fleet_engines[]; /* "postgresql", ...; ended with NULL */

/* The whole schema as text: SQL, or the JSON of an index template. Out of memory: text->failed. */
void fleet_schema(struct text *text, enum fleet_engine engine);

/* "time, host, ..., digest, line": of a row in PostgreSQL. */
void fleet_column_names(struct text *text);
/* One line for COPY in its text form (PostgreSQL, "COPY"), with its newline. What a column cannot
 * hold, such as a number beyond 2^63, is null there, and in the line all the same. */
void fleet_copy_row(struct text *text, const struct record *record);

/* ---- rows for a columnar file ---------------------------------------------------------------- */

/* A value of a row; what does not fit its column is null, as above. */
enum fleet_value_kind {
    FLEET_VALUE_NULL,
    FLEET_VALUE_TEXT,
    FLEET_VALUE_NUMBER,
    FLEET_VALUE_TRUTH,
    FLEET_VALUE_TIME, /* number is microseconds since 1970 */
    FLEET_VALUE_LIST, /* number is how many texts follow as values of their own */
};
struct fleet_value {
    enum fleet_value_kind kind;
    int64_t number;
    struct slice text; /* plain bytes */
};

/* Appends a row as bytes that fleet_next_value() takes apart, so that rows can be made in one
 * thread and used in another: the columns in their order, then the line. */
void fleet_pack_row(struct text *text, const struct record *record);
/* Steps through the bytes of one row; *at is 0 at first. False at its end. */
bool fleet_next_value(struct slice row, size_t *at, struct fleet_value *ret_value);
/* "time" TIMESTAMP, ..., line VARCHAR: of a table in DuckDB. */
void fleet_duckdb_columns(struct text *text);

#endif
