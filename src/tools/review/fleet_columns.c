/* SPDX-License-Identifier: MIT */
/* Makes schemas for databases and rows for PostgreSQL from the table in fleet_columns.h. */
#include "tools/review/fleet_columns.h"
#include "audit/chain.h"
#include "tools/review/export_text.h"
#include "tools/review/fleet_sql.h"

#include <string.h>

const char *const fleet_engines[] = {"postgresql", "clickhouse", "opensearch", "duckdb", NULL};

/* REQUIRED: how many of the first columns are never null. */
enum { REQUIRED = 4 };

static const struct {
    const char *name;
    enum record_field field;
} columns[] = {
#define COLUMN_ROW(name, FIELD) {name, RECORD_##FIELD},
    FLEET_COLUMN_MAP(COLUMN_ROW)
#undef COLUMN_ROW
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

/* ---- types ---------------------------------------------------------------------------------- */

/* By enum fleet_engine. */
static const char *type_name(enum record_type type, enum fleet_engine engine)
{
    static const struct {
        const char *text, *time, *number, *truth, *list;
    } types[] = {
        {"text", "timestamptz", "bigint", "boolean", "text[]"},
        {"String", "DateTime64(6, 'UTC')", "Int64", "Bool", "Array(String)"},
        {"keyword", "date_nanos", "long", "boolean", "keyword"},
        {"VARCHAR", "TIMESTAMP", "BIGINT", "BOOLEAN", "VARCHAR[]"},
    };

    switch (type) {
    case RECORD_TYPE_TIME:
        return types[engine].time;
    case RECORD_TYPE_DECIMAL:
    case RECORD_TYPE_NUMBER:
        return types[engine].number;
    case RECORD_TYPE_TRUE:
        return types[engine].truth;
    case RECORD_TYPE_LIST:
        return types[engine].list;
    default:
        return types[engine].text;
    }
}

static enum record_type type_of(size_t column)
{
    return record_fields[columns[column].field].type;
}

/* ---- PostgreSQL ----------------------------------------------------------------------------- */

/* Partitions are made for the days of records. What says to be of a day before this program was
 * written, or of the day after tomorrow, is kept apart: a clock that runs wild must not make a
 * thousand tables. A record's bytes lie beside the columns, not between them: a question that reads
 * the columns of many records reads a third of what it would (PostgreSQL, "TOAST"). */
#define BESIDE "WITH (toast_tuple_target = 512)"
static const char postgresql_end[] =
    "    digest uuid NOT NULL,\n"
    "    line text NOT NULL,\n"
    "    record jsonb,\n"
    "    received timestamptz NOT NULL DEFAULT now(),\n"
    "    PRIMARY KEY (time, host, chain, sequence, digest)\n"
    ") PARTITION BY RANGE (time);\n"
    "COMMENT ON COLUMN miguard.records.line IS 'the bytes of the record, which its hash covers';\n"
    "COMMENT ON COLUMN miguard.records.record IS 'the same for questions; null: not possible';\n"
    "CREATE TABLE miguard.records_other PARTITION OF miguard.records DEFAULT " BESIDE ";\n"
    "\n"
    "CREATE INDEX ON miguard.records (host, chain, sequence);\n"
    "CREATE INDEX ON miguard.records (host, time);\n"
    "CREATE INDEX ON miguard.records (user_name, time);\n"
    "CREATE INDEX ON miguard.records (reason, time) WHERE decision = 'deny';\n"
    "CREATE INDEX ON miguard.records (provider, rule, time) WHERE decision = 'deny';\n"
    "CREATE INDEX ON miguard.records (action, time)\n"
    "    WHERE action NOT IN ('session-open', 'session-use');\n"
    "\n"
    "CREATE FUNCTION miguard.add_day(day date) RETURNS void LANGUAGE plpgsql AS $$\n"
    "DECLARE\n"
    "    name text := 'records_' || to_char(day, 'YYYYMMDD');\n"
    "    first timestamptz := day::timestamp AT TIME ZONE 'UTC';\n"
    "    last timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';\n"
    "BEGIN\n"
    "    IF to_regclass('miguard.' || name) IS NOT NULL OR day < date '2020-01-01'\n"
    "        OR day > (now() AT TIME ZONE 'UTC')::date + 1 THEN\n"
    "        RETURN;\n"
    "    END IF;\n"
    "    PERFORM pg_advisory_xact_lock(hashtext('miguard.add_day'));\n"
    "    IF to_regclass('miguard.' || name) IS NULL AND NOT EXISTS (SELECT FROM\n"
    "        miguard.records_other WHERE time >= first AND time < last) THEN\n"
    "        EXECUTE format('CREATE TABLE miguard.%I PARTITION OF miguard.records '\n"
    "            'FOR VALUES FROM (%L) TO (%L) " BESIDE "', name, first, last);\n"
    "    END IF;\n"
    "END $$;\n"
    "\n"
    "CREATE FUNCTION miguard.as_jsonb(line text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$\n"
    "BEGIN\n"
    "    RETURN line::jsonb;\n"
    "EXCEPTION WHEN data_exception OR program_limit_exceeded THEN\n"
    "    RETURN NULL;\n"
    "END $$;\n"
    "\n"
    "CREATE TABLE miguard.loaded (\n"
    "    first_line text PRIMARY KEY,\n"
    "    last_line text NOT NULL,\n"
    "    position bigint NOT NULL,\n"
    "    length bigint NOT NULL,\n"
    "    line bigint NOT NULL,\n"
    "    name text NOT NULL,\n"
    "    updated timestamptz NOT NULL DEFAULT now()\n"
    ");\n"
    "COMMENT ON TABLE miguard.loaded IS 'how far each file was loaded, by hashes of its lines';\n";

static void postgresql(struct text *text)
{
    text_append(text, "CREATE SCHEMA miguard;\n\nCREATE TABLE miguard.records (\n");
    for (size_t i = 0; i < COLUMNS; i++) {
        text_format(text, "    %s %s%s,\n", columns[i].name,
                    type_name(type_of(i), FLEET_POSTGRESQL), i < REQUIRED ? " NOT NULL" : "");
    }
    text_append(text, postgresql_end);
    text_format(text,
                "\nCREATE TABLE miguard.schema (version integer NOT NULL);\n"
                "INSERT INTO miguard.schema VALUES (%d);\n",
                FLEET_SCHEMA_VERSION);
}

/* ---- ClickHouse, OpenSearch ----------------------------------------------------------------- */

/* ReplacingMergeTree drops what came twice when it merges; a question that must not see it before
 * asks with FINAL. */
static void clickhouse(struct text *text)
{
    text_append(text, "CREATE DATABASE IF NOT EXISTS miguard;\n\n"
                      "CREATE TABLE miguard.records\n(\n");
    for (size_t i = 0; i < COLUMNS; i++) {
        const char *type = type_name(type_of(i), FLEET_CLICKHOUSE);
        bool plain = i < REQUIRED || type_of(i) == RECORD_TYPE_LIST;
        text_format(text, plain ? "    `%s` %s,\n" : "    `%s` Nullable(%s),\n", columns[i].name,
                    type);
    }
    text_append(text, "    `digest` UUID,\n"
                      "    `line` String CODEC(ZSTD(3)),\n"
                      "    `received` DateTime DEFAULT now()\n"
                      ")\nENGINE = ReplacingMergeTree\nPARTITION BY toYYYYMMDD(time)\n"
                      "ORDER BY (host, chain, sequence, digest);\n");
}

/* Records go there as they are, so that fields have the names of the record. What is not listed is
 * kept and not indexed: a forged record must not add fields. */
static void opensearch(struct text *text)
{
    text_append(text, "{\n  \"index_patterns\": [\"miguard-*\"],\n  \"template\": {\n"
                      "    \"settings\": {\"index\": {\"number_of_shards\": 1, "
                      "\"sort.field\": \"@timestamp\", \"sort.order\": \"desc\"}},\n"
                      "    \"mappings\": {\n      \"dynamic\": false,\n      \"properties\": {\n"
                      "        \"message\": {\"type\": \"text\"}");
    for (size_t i = 0; i < COLUMNS; i++) {
        const char *type = type_name(type_of(i), FLEET_OPENSEARCH);
        text_format(text, ",\n        \"%s\": {\"type\": \"%s\"%s}",
                    record_fields[columns[i].field].path, type,
                    strcmp(type, "keyword") == 0 ? ", \"ignore_above\": 8191" : "");
    }
    text_append(text, "\n      }\n    }\n  }\n}\n");
}

void fleet_duckdb_columns(struct text *text)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        text_format(text, "\"%s\" %s, ", columns[i].name, type_name(type_of(i), FLEET_DUCKDB));
    }
    text_append(text, "\"line\" VARCHAR");
}

/* Over files in the folder at hand. By names, so that files of versions with fewer columns are read
 * together with others. */
static void duckdb(struct text *text)
{
    text_append(text, "CREATE SCHEMA IF NOT EXISTS miguard;\n\n"
                      "CREATE OR REPLACE VIEW miguard.records AS\nSELECT\n");
    for (size_t i = 0; i < COLUMNS; i++) {
        text_format(text, "    \"%s\"::%s AS \"%s\",\n", columns[i].name,
                    type_name(type_of(i), FLEET_DUCKDB), columns[i].name);
    }
    text_append(text, "    \"line\"\nFROM read_parquet('*.parquet', union_by_name = true);\n");
    fleet_sql_duckdb(text);
}

void fleet_schema(struct text *text, enum fleet_engine engine)
{
    static void (*const makers[])(struct text *) = {postgresql, clickhouse, opensearch, duckdb};

    makers[engine](text);
}

/* ---- rows ----------------------------------------------------------------------------------- */

void fleet_column_names(struct text *text)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        text_append(text, columns[i].name);
        text_append(text, ", ");
    }
    text_append(text, "digest, line");
}

/* PostgreSQL has no NUL in text; the JSON of a record can name one. */
static void add_character(struct text *text, char character)
{
    switch (character) {
    case '\0':
        text_append(text, "\xEF\xBF\xBD");
        break;
    case '\\':
        text_append(text, "\\\\");
        break;
    case '\t':
        text_append(text, "\\t");
        break;
    case '\n':
        text_append(text, "\\n");
        break;
    case '\r':
        text_append(text, "\\r");
        break;
    default:
        text_append_bytes(text, &character, 1);
    }
}

static void add_escaped(struct text *text, const char *bytes, size_t length)
{
    size_t plain = 0;

    for (size_t i = 0; i < length; i++) {
        if (memchr("\0\\\t\n\r", bytes[i], 5) == NULL) {
            continue;
        }
        text_append_bytes(text, bytes + plain, i - plain);
        add_character(text, bytes[i]);
        plain = i + 1;
    }
    text_append_bytes(text, bytes + plain, length - plain);
}

static void add_null(struct text *text)
{
    text_append(text, "\\N");
}

/* {"a","b"}: within the quotes of an array a quote and a backslash get a backslash, and that is
 * escaped for COPY like any other. */
static void add_list(struct text *text, const struct record *record, enum record_field field)
{
    struct slice item;
    size_t at = 0;
    const char *comma = "";

    text_append(text, "{");
    while (record_item(record, field, &at, &item)) {
        struct text value = TEXT_EMPTY;
        export_slice(&value, EXPORT_PLAIN, &item);
        text_append(text, comma);
        text_append(text, "\"");
        for (size_t i = 0; i < value.length; i++) {
            if (value.data[i] == '"' || value.data[i] == '\\') {
                text_append(text, "\\\\");
            }
            add_escaped(text, &value.data[i], 1);
        }
        text_append(text, "\"");
        comma = ",";
        text->failed |= value.failed;
        text_release(&value);
    }
    text_append(text, "}");
}

static void add_text(struct text *text, const struct record *record, enum record_field field)
{
    struct text value = TEXT_EMPTY;

    export_field(&value, EXPORT_PLAIN, record, field);
    if (value.length > 0) {
        add_escaped(text, value.data, value.length);
    }
    text->failed |= value.failed;
    text_release(&value);
}

static void add_number(struct text *text, const struct record *record, size_t column)
{
    uint64_t number;

    if (record_number(record, columns[column].field, &number) && number <= INT64_MAX) {
        text_append_unsigned(text, number);
    } else if (column < REQUIRED) {
        text_append(text, "0");
    } else {
        add_null(text);
    }
}

/* A record without a time is of 1970. */
static void add_time(struct text *text, const struct record *record, enum record_field field)
{
    int64_t time = 0;

    record_time(record, field, &time);
    export_utc(text, time);
}

static void add_value(struct text *text, const struct record *record, size_t column)
{
    enum record_field field = columns[column].field;
    enum record_type type = type_of(column);

    if (record->field[field].at == NULL && column >= REQUIRED) {
        add_null(text);
    } else if (type == RECORD_TYPE_TIME) {
        add_time(text, record, field);
    } else if (type == RECORD_TYPE_NUMBER || type == RECORD_TYPE_DECIMAL) {
        add_number(text, record, column);
    } else if (type == RECORD_TYPE_TRUE) {
        text_append(text, record_is(record, field, "true") ? "t" : "f");
    } else if (type == RECORD_TYPE_LIST) {
        add_list(text, record, field);
    } else {
        add_text(text, record, field);
    }
}

void fleet_copy_row(struct text *text, const struct record *record)
{
    static const struct chain_key none = {0};
    unsigned char digest[CHAIN_HASH_SIZE];
    char hex[CHAIN_HEX_SIZE];

    for (size_t i = 0; i < COLUMNS; i++) {
        add_value(text, record, i);
        text_append(text, "\t");
    }
    chain_hash(&none, record->line, record->length, digest);
    chain_hex(digest, hex);
    text_append_bytes(text, hex, 32);
    text_append(text, "\t");
    add_escaped(text, record->line, record->length);
    text_append(text, "\n");
}

/* ---- rows as values -------------------------------------------------------------------------- */

/* kind, number, and for a text its bytes, of which number is the length. */
static void pack(struct text *text, enum fleet_value_kind kind, int64_t number, const char *bytes)
{
    char byte = (char)kind;

    text_append_bytes(text, &byte, 1);
    text_append_bytes(text, (const char *)&number, sizeof(number));
    if (kind == FLEET_VALUE_TEXT) {
        text_append_bytes(text, bytes, (size_t)number);
    }
}

static void pack_text(struct text *text, const struct text *value)
{
    text->failed |= value->failed;
    pack(text, FLEET_VALUE_TEXT, value->failed ? 0 : (int64_t)value->length,
         value->data != NULL ? value->data : "");
}

static void pack_list(struct text *text, const struct record *record, enum record_field field)
{
    struct text value = TEXT_EMPTY;
    struct slice item;
    size_t at = 0;
    int64_t count = 0;

    while (record_item(record, field, &at, &item)) {
        count++;
    }
    pack(text, FLEET_VALUE_LIST, count, NULL);
    for (at = 0; record_item(record, field, &at, &item);) {
        text_clear(&value);
        export_slice(&value, EXPORT_PLAIN, &item);
        pack_text(text, &value);
    }
    text_release(&value);
}

static void pack_number(struct text *text, const struct record *record, size_t column)
{
    uint64_t number;

    if (record_number(record, columns[column].field, &number) && number <= INT64_MAX) {
        pack(text, FLEET_VALUE_NUMBER, (int64_t)number, NULL);
    } else {
        pack(text, column < REQUIRED ? FLEET_VALUE_NUMBER : FLEET_VALUE_NULL, 0, NULL);
    }
}

static void pack_value(struct text *text, const struct record *record, size_t column)
{
    enum record_field field = columns[column].field;
    enum record_type type = type_of(column);
    struct text value = TEXT_EMPTY;
    int64_t time = 0;

    if (record->field[field].at == NULL && column >= REQUIRED) {
        pack(text, FLEET_VALUE_NULL, 0, NULL);
    } else if (type == RECORD_TYPE_TIME) {
        record_time(record, field, &time);
        pack(text, FLEET_VALUE_TIME, time / 1000, NULL);
    } else if (type == RECORD_TYPE_NUMBER || type == RECORD_TYPE_DECIMAL) {
        pack_number(text, record, column);
    } else if (type == RECORD_TYPE_TRUE) {
        pack(text, FLEET_VALUE_TRUTH, record_is(record, field, "true"), NULL);
    } else if (type == RECORD_TYPE_LIST) {
        pack_list(text, record, field);
    } else {
        export_field(&value, EXPORT_PLAIN, record, field);
        pack_text(text, &value);
    }
    text_release(&value);
}

void fleet_pack_row(struct text *text, const struct record *record)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        pack_value(text, record, i);
    }
    pack(text, FLEET_VALUE_TEXT, (int64_t)record->length, record->line);
}

bool fleet_next_value(struct slice row, size_t *at, struct fleet_value *ret_value)
{
    *ret_value = (struct fleet_value){0};
    if (*at >= row.length) {
        return false;
    }
    ret_value->kind = (enum fleet_value_kind)row.at[*at];
    memcpy(&ret_value->number, row.at + *at + 1, sizeof(ret_value->number));
    *at += 1 + sizeof(ret_value->number);
    if (ret_value->kind == FLEET_VALUE_TEXT) {
        ret_value->text = (struct slice){row.at + *at, (size_t)ret_value->number};
        *at += ret_value->text.length;
    }
    return true;
}
