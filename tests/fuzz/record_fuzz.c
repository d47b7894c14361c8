/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a record, against jansson: both accept or both refuse, and what is found is the
 * same. What may differ: we refuse a member that stands there twice, nesting beyond 16, what is no
 * object and every NUL byte (jansson 2.14 lets one pass behind `null`); and we pass over a number
 * that is too large for jansson.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tools/review/query.h"
#include "tools/review/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

/* The value at a path such as "process.thread.id", NULL when there is none. */
static const json_t *find(const json_t *json, const char *path)
{
    char name[64];

    while (json != NULL) {
        size_t length = strcspn(path, ".");
        memcpy(name, path, length);
        name[length] = '\0';
        json = json_object_get(json, name);
        if (path[length] == '\0') {
            return json;
        }
        path += length + 1;
    }
    return NULL;
}

static void check_string(const struct record *record, enum record_field field, const json_t *json)
{
    size_t length = json_string_length(json);
    char *text = malloc(length + 2);

    must(text != NULL);
    text[length + 1] = 'x';
    must(record_text(record, field, NULL, 0) == length);
    must(record_text(record, field, text, length + 1) == length);
    must(memcmp(text, json_string_value(json), length + 1) == 0 && text[length + 1] == 'x');
    must(record_is(record, field, json_string_value(json)));
    text[length] = 'x';
    text[length + 1] = '\0';
    must(!record_is(record, field, text));
    if (length > 0) {
        must(record_text(record, field, text, length) == length && text[length - 1] == '\0');
        must(!record_is(record, field, text));
    }
    free(text);
}

static void check_array(const struct record *record, enum record_field field, const json_t *json)
{
    size_t at = 0, count = 0;
    struct slice item;

    while (record_item(record, field, &at, &item)) {
        json_t *value = json_loadb(item.at, item.length, JSON_DECODE_ANY, NULL);
        must(value != NULL && json_equal(value, json_array_get(json, count)));
        json_decref(value);
        count++;
    }
    must(count == json_array_size(json));
}

static void check_field(const struct record *record, enum record_field field, const json_t *json)
{
    const struct slice *slice = &record->field[field];
    uint64_t number = 0;
    int64_t time = 0;

    must((slice->at != NULL) == (json != NULL));
    if (json == NULL) {
        must(record_text(record, field, NULL, 0) == 0 && !record_is(record, field, ""));
        return;
    }
    must(slice->at >= record->line && slice->at + slice->length <= record->line + record->length);
    json_t *value = json_loadb(slice->at, slice->length, JSON_DECODE_ANY, NULL);
    must(value != NULL && json_equal(value, json));
    json_decref(value);
    if (json_is_string(json)) {
        check_string(record, field, json);
    } else if (json_is_array(json)) {
        check_array(record, field, json);
    } else if (json_is_integer(json)) {
        bool positive = slice->at[0] != '-';
        must(record_number(record, field, &number) == positive);
        must(!positive || (json_int_t)number == json_integer_value(json));
    }
    (void)record_time(record, field, &time);
}

/* The fields that a query asks for are all that it needs. */
static void check_queries(const struct record *record)
{
    static const char *const conditions[][2] = {
        {"--user", "root"},        {"--provider", "file.so"}, {"--text", "x"},
        {"--class", "mg_*"},       {"--rule", "a"},           {"--component", "euid"},
        {"--start", "2026-03-01"}, {"--host", "?*"}};

    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        struct query *query = query_new();
        must(query != NULL &&
             query_add(query, conditions[i][0], conditions[i][1], NULL) == MIGUARD_OK);
        struct record few = {.line = record->line, .length = record->length};
        struct record_fields_wanted wanted;
        query_fields(query, &wanted);
        for (size_t k = 0; k < wanted.count; k++) {
            few.field[wanted.list[k]] = record->field[wanted.list[k]];
        }
        must(query_matches(query, record) == query_matches(query, &few));
        query_free(query);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record record;
    json_error_t error = {0};
    size_t offset = SIZE_MAX;
    const char *fault = record_parse((const char *)data, size, &record, &offset);
    json_t *json = json_loadb((const char *)data, size, 0, &error);

    must(fault == NULL || offset <= size);
    if (fault != NULL) {
        must(json == NULL || strcmp(fault, "a member stands there twice") == 0 ||
             strcmp(fault, "nested deeper than 16") == 0 || memchr(data, 0, size) != NULL ||
             (strcmp(fault, "no JSON object") == 0 && json_is_array(json)));
    } else if (json == NULL) {
        must(json_error_code(&error) == json_error_numeric_overflow);
    } else {
        for (enum record_field i = 0; i < RECORD_FIELD_COUNT; i++) {
            check_field(&record, i, find(json, record_fields[i].path));
        }
        check_queries(&record);
    }
    json_decref(json);
    return 0;
}
