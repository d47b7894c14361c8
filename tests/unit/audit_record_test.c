/* SPDX-License-Identifier: MIT */
/* One line as a record: what is refused and where, what is found, and the same as jansson finds. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/audit_generate.h"
#include "tools/review/record.h"

#include "../fuzz/record_fuzz.c"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* ---- what is refused --------------------------------------------------------------------------
 */

static const struct {
    const char *line, *fault; /* NULL: it is a record */
    size_t offset;
} lines[] = {
    {"{}", NULL, 0},
    {" \t\r\n{ } \r", NULL, 0},
    {"{\"a\":[[],{},1,-0,0.5,1e9,1E-9,1.5e+3,true,false,null,\"\"]}", NULL, 0},
    {"{\"a\":123456789012345678901234567890}", NULL, 0},
    {"{\"\":1,\"\":2}", NULL, 0}, /* not known */
    {"{\"a\":\"\x7F\"}", NULL, 0},
    {"{\"a\":\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", NULL, 0},
    {"{\"a\":\"\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xF0\x90\x80\x80 "
     "\xF4\x8F\xBF\xBF\"}",
     NULL, 0},
    {"{\"process\":1,\"user\":[],\"event\":\"x\",\"miguard\":null}", NULL, 0},
    {"", "an empty line", 0},
    {"  ", "an empty line", 2},
    {"[]", "no JSON object", 0},
    {"x", "no JSON object", 0},
    {"{", "the record is cut off", 1},
    {"{\"a\"", "here should be a colon", 4},
    {"{\"a\":", "the record is cut off", 5},
    {"{\"a\":1", "the record is cut off", 6},
    {"{\"a\":1,", "the record is cut off", 7},
    {"{\"a\":1,}", "here should be the name of a member", 7},
    {"{,}", "here should be the name of a member", 1},
    {"{a:1}", "here should be the name of a member", 1},
    {"{\"a\" 1}", "here should be a colon", 5},
    {"{\"a\":1 2}", "here should be , or }", 7},
    {"{\"a\":[1 2]}", "here should be , or ]", 8},
    {"{\"a\":[1,]}", "here should be a value", 8},
    {"{\"a\":[1}", "here should be , or ]", 7},
    {"{}{}", "there is more after the record", 2},
    {"{} x", "there is more after the record", 3},
    {"{\"a\":tru}", "here should be a value", 5},
    {"{\"a\":True}", "here should be a value", 5},
    {"{\"a\":truer}", "here should be , or }", 9},
    {"{\"a\":01}", "a number that begins with 0", 6},
    {"{\"a\":-}", "a malformed number", 6},
    {"{\"a\":+1}", "here should be a value", 5},
    {"{\"a\":.5}", "here should be a value", 5},
    {"{\"a\":1.}", "a malformed number", 7},
    {"{\"a\":1e}", "a malformed number", 7},
    {"{\"a\":1e+}", "a malformed number", 8},
    {"{\"a\":\"", "a string is not closed", 6},
    {"{\"a\":\"1234567890", "a string is not closed", 16},
    {"{\"a\":\"\\", "an escape that JSON does not know", 6},
    {"{\"a\":\"\\x41\"}", "an escape that JSON does not know", 6},
    {"{\"a\":\"\\u12g4\"}", "a \\u escape that names no character", 6},
    {"{\"a\":\"\\u12", "a \\u escape that names no character", 6},
    {"{\"a\":\"\\ud83d\"}", "a \\u escape that names no character", 6},
    {"{\"a\":\"\\ud83dxxxxxx\"}", "a \\u escape that names no character", 6},
    {"{\"a\":\"\\ud83d\\u0041\"}", "a \\u escape that names no character", 6},
    {"{\"a\":\"\\ude00\"}", "a \\u escape that names no character", 6},
    {"{\"a\":\"\\u0000\"}", "a string holds NUL", 6},
    {"{\"a\":\"\t\"}", "a control character in a string", 6},
    {"{\"a\":\"1234567\x1F\"}", "a control character in a string", 13},
    {"{\"a\":\"\x80\"}", "bytes that are not UTF-8", 6},
    {"{\"a\":\"\xC1\xBF\"}", "bytes that are not UTF-8", 6},
    {"{\"a\":\"\xE0\x9F\xBF\"}", "bytes that are not UTF-8", 6},
    {"{\"a\":\"\xED\xA0\x80\"}", "bytes that are not UTF-8", 6},
    {"{\"a\":\"\xF0\x8F\xBF\xBF\"}", "bytes that are not UTF-8", 6},
    {"{\"a\":\"\xF4\x90\x80\x80\"}", "bytes that are not UTF-8", 6},
    {"{\"a\":\"\xF8\x88\x80\x80\x80\"}", "bytes that are not UTF-8", 6},
    {"{\"a\":\"\xE2\x82\"}", "bytes that are not UTF-8", 6},
    {"{\"a\":\"\xE2\x82", "bytes that are not UTF-8", 6},
    {"{\"rule\":1,\"rule\":2}", "a member stands there twice", 10},
    {"{\"rule\":1,\"\\u0072ule\":2}", "a member stands there twice", 10},
    {"{\"user\":{\"id\":\"1\",\"id\":\"2\"}}", "a member stands there twice", 18},
    {"{\"ecs\":1,\"ecs\":2}", "a member stands there twice", 9},
    {"{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}", NULL, 0},
    {"{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", "nested deeper than 16", 20},
    {"{\"a\":[[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]]}", "nested deeper than 16", 20},
    {"{\"a\":[[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1]]}", NULL, 0},
    {"{\"a\":[[[[[[[[[[[[[[[],[]]]]]]]]]]]]]]]}", NULL, 0},
};

START_TEST(line_row)
{
    struct record record;
    size_t offset = 0, length = strlen(lines[_i].line);
    char *exact = malloc(length + (length == 0)); /* so that a sanitizer sees a read too far */

    ck_assert_ptr_nonnull(exact);
    memcpy(exact, lines[_i].line, length);
    const char *fault = record_parse(exact, length, &record, &offset);
    if (lines[_i].fault == NULL) {
        ck_assert_msg(fault == NULL, "%s: %s at %zu", lines[_i].line, fault, offset);
    } else {
        ck_assert_msg(fault != NULL && strcmp(fault, lines[_i].fault) == 0, "%s: %s",
                      lines[_i].line, fault);
        ck_assert_msg(offset == lines[_i].offset, "%s: at %zu", lines[_i].line, offset);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)exact, length);
    free(exact);
}
END_TEST

START_TEST(nul_byte_is_no_end)
{
    struct record record;
    size_t offset = 0;

    ck_assert_ptr_nonnull(record_parse("{}\0", 3, &record, &offset));
    ck_assert_ptr_nonnull(record_parse("{\"a\":\0}", 7, &record, &offset));
    ck_assert_ptr_nonnull(record_parse("{\"a\":\"\0\"}", 9, &record, &offset));
    ck_assert_ptr_nonnull(record_parse("{\"a\":\"\\\0\"}", 10, &record, &offset));
}
END_TEST

/* ---- what is found ----------------------------------------------------------------------------
 */

/* Every path, by itself in a line of its own. */
START_TEST(each_path)
{
    const char *path = record_fields[_i].path;
    char line[256] = "{", close[16] = "}";
    struct record record;
    size_t offset = 0;

    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        sprintf(line + strlen(line), "\"%.*s\":{", (int)(dot - path), path);
        strcat(close, "}");
    }
    sprintf(line + strlen(line), "\"%s\":\"val\\u0075e\"%s", path, close);
    ck_assert_ptr_null(record_parse(line, strlen(line), &record, &offset));
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        ck_assert_msg(record_is(&record, (enum record_field)i, "value") == (i == _i), "%s: %s",
                      line, record_fields[i].path);
    }
}
END_TEST

static struct record parse(const char *line)
{
    struct record record;
    size_t offset = 0;
    const char *fault = record_parse(line, strlen(line), &record, &offset);

    ck_assert_msg(fault == NULL, "%s: %s", line, fault);
    return record;
}

START_TEST(text_is_cut_as_by_snprintf)
{
    struct record record = parse("{\"rule\":{\"name\":\"a\\u00e9\\\"z\",\"reference\":17}}");
    char text[8] = "xxxxxxx";

    ck_assert_uint_eq(record_text(&record, RECORD_RULE, text, sizeof(text)), 5);
    ck_assert_str_eq(text, "a\xC3\xA9\"z");
    ck_assert_uint_eq(record_text(&record, RECORD_RULE, text, 5), 5);
    ck_assert_str_eq(text, "a\xC3\xA9\"");
    ck_assert_uint_eq(record_text(&record, RECORD_RULE, text, 1), 5);
    ck_assert_str_eq(text, "");
    text[0] = 'x';
    ck_assert_uint_eq(record_text(&record, RECORD_RULE, text, 0), 5);
    ck_assert_int_eq(text[0], 'x');
    ck_assert_uint_eq(record_text(&record, RECORD_RULE_SOURCE, text, sizeof(text)), 2);
    ck_assert_str_eq(text, "17");
    ck_assert_uint_eq(record_text(&record, RECORD_HOST, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "");
    ck_assert(!record_is(&record, RECORD_HOST, ""));
}
END_TEST

static const struct {
    const char *value;
    bool good;
    uint64_t number;
} numbers[] = {
    {"0", true, 0},
    {"17", true, 17},
    {"\"17\"", true, 17},
    {"18446744073709551615", true, UINT64_MAX},
    {"18446744073709551616", false, 0},
    {"99999999999999999999", false, 0},
    {"-1", false, 0},
    {"1.0", false, 0},
    {"1e3", false, 0},
    {"\"\"", false, 0},
    {"\"1x\"", false, 0},
    {"\"\\u0031\"", false, 0},
    {"null", false, 0},
    {"[1]", false, 0},
};

START_TEST(number_row)
{
    char line[128];
    uint64_t number = 4711;

    snprintf(line, sizeof(line), "{\"process\":{\"pid\":%s}}", numbers[_i].value);
    struct record record = parse(line);
    ck_assert(record_number(&record, RECORD_PID, &number) == numbers[_i].good);
    ck_assert_uint_eq(number, numbers[_i].good ? numbers[_i].number : 4711);
    ck_assert(!record_number(&record, RECORD_TID, &number));
}
END_TEST

#define SECOND INT64_C(1000000000)

static const struct {
    const char *text;
    bool good;
    int64_t time;
} times[] = {
    {"1970-01-01T00:00:00Z", true, 0},
    {"2026-03-01T00:00:00.000000Z", true, GENERATE_START},
    {"2026-03-01T00:00:00.5Z", true, GENERATE_START + SECOND / 2},
    {"2026-03-01T00:00:00.123456789999Z", true, GENERATE_START + 123456789},
    {"2026-03-01T01:00:00+01:00", true, GENERATE_START},
    {"2026-02-28T23:30:00-00:30", true, GENERATE_START},
    {"2024-02-29T00:00:00Z", true, 1709164800 * SECOND},
    {"2000-02-29T23:59:59Z", true, 951868799 * SECOND},
    {"2016-12-31T23:59:60Z", true, 1483228800 * SECOND},
    {"2261-12-31T23:59:59.999999999Z", true, 9214646399 * SECOND + 999999999},
    {"2025-02-29T00:00:00Z", false, 0},
    {"2100-02-29T00:00:00Z", false, 0},
    {"2262-01-01T00:00:00Z", false, 0},
    {"1969-12-31T23:59:59Z", false, 0},
    {"2026-13-01T00:00:00Z", false, 0},
    {"2026-00-01T00:00:00Z", false, 0},
    {"2026-03-00T00:00:00Z", false, 0},
    {"2026-04-31T00:00:00Z", false, 0},
    {"2026-03-01T24:00:00Z", false, 0},
    {"2026-03-01T00:60:00Z", false, 0},
    {"2026-03-01T00:00:61Z", false, 0},
    {"2026-03-01T00:00:00", false, 0},
    {"2026-03-01T00:00:00.Z", false, 0},
    {"2026-03-01T00:00:00Zx", false, 0},
    {"2026-03-01T00:00:00+0100", false, 0},
    {"2026-03-01T00:00:00+24:00", false, 0},
    {"2026-03-01", false, 0},
    {"26-03-01T00:00:00Z", false, 0},
    {"", false, 0},
};

START_TEST(time_row)
{
    char line[128];
    int64_t time = 4711;

    snprintf(line, sizeof(line), "{\"@timestamp\":\"%s\"}", times[_i].text);
    struct record record = parse(line);
    ck_assert_msg(record_time(&record, RECORD_TIMESTAMP, &time) == times[_i].good, "%s", line);
    ck_assert_int_eq(time, times[_i].good ? times[_i].time : 4711);
    ck_assert(!record_time(&record, RECORD_START, &time));
}
END_TEST

/* Every day that there is, against the C library. */
START_TEST(each_day)
{
    char text[64];
    int64_t found = 0;

    for (int64_t day = 0; day < 106650; day++) {
        time_t seconds = day * 86400;
        struct tm utc;
        gmtime_r(&seconds, &utc);
        size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
        ck_assert_msg(record_parse_time(text, length, &found) && found == seconds * SECOND, "%s",
                      text);
    }
}
END_TEST

START_TEST(items)
{
    struct record record =
        parse("{\"miguard\":{\"mismatch\":[ \"a]\" , \"b\\\",\",\"\"],\"unreadable\":[],"
              "\"provider\":\"[1]\"}}");
    static const char *const expected[] = {"a]", "b\",", ""};
    struct slice item;
    size_t at = 0;

    for (int i = 0; i < LENGTH(expected); i++) {
        ck_assert(record_item(&record, RECORD_MISMATCH, &at, &item));
        ck_assert(slice_is(&item, expected[i]));
    }
    ck_assert(!record_item(&record, RECORD_MISMATCH, &at, &item));
    ck_assert(!record_item(&record, RECORD_MISMATCH, &at, &item));
    at = 0;
    ck_assert(!record_item(&record, RECORD_UNREADABLE, &at, &item));
    ck_assert(!record_item(&record, RECORD_PROVIDER, &at, &item));
    ck_assert(!record_item(&record, RECORD_RULE, &at, &item));
}
END_TEST

/* ---- against jansson --------------------------------------------------------------------------
 */

static char seed[65536];

static size_t read_seed(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "tests/data/record-seeds/%s", name);
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s", path);
    size_t length = fread(seed, 1, sizeof(seed), file);
    fclose(file);
    return length;
}

/* Each seed: whole, cut at each byte, and with each byte replaced by what means something. */
START_TEST(damaged_seeds)
{
    static const char *const names[] = {"policy", "needle", "allowed", "lost", "escapes"};
    static const char bytes[] = "\"\\{}[],:0-e \x01\x80\xE2u";
    size_t length = read_seed(names[_i]);
    size_t step = getenv("QUICK") != NULL ? 37 : 1;

    for (size_t i = 0; i <= length; i += step) {
        LLVMFuzzerTestOneInput((const uint8_t *)seed, i);
    }
    for (size_t i = 0; i < length; i += step) {
        char kept = seed[i];
        for (size_t k = 0; k < sizeof(bytes); k++) {
            seed[i] = bytes[k];
            LLVMFuzzerTestOneInput((const uint8_t *)seed, length);
        }
        seed[i] = kept;
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *whole = suite_create("audit_record");
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, 300);
    tcase_add_loop_test(all, line_row, 0, LENGTH(lines));
    tcase_add_test(all, nul_byte_is_no_end);
    tcase_add_loop_test(all, each_path, 0, RECORD_FIELD_COUNT);
    tcase_add_test(all, text_is_cut_as_by_snprintf);
    tcase_add_loop_test(all, number_row, 0, LENGTH(numbers));
    tcase_add_loop_test(all, time_row, 0, LENGTH(times));
    tcase_add_test(all, each_day);
    tcase_add_test(all, items);
    tcase_add_loop_test(all, damaged_seeds, 0, 5);
    suite_add_tcase(whole, all);
    return whole;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
