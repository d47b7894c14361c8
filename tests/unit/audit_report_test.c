/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/review_line.h"
#include "tools/review/report.h"

static const struct read_place place = {"a.jsonl", 1, 0};

static void add(struct report *report, const struct review_line *facts)
{
    struct record record = review_record(facts);
    ck_assert(report_add(report, &record, &place));
}

static json_t *as_json(const struct report *report, uint32_t top)
{
    struct text text = TEXT_EMPTY;
    json_error_t error;

    report_write_json(&text, report, top);
    ck_assert(!text.failed);
    json_t *json = json_loads(text.data, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(json != NULL, "%s", error.text);
    text_release(&text);
    return json;
}

static json_int_t get(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    ck_assert_msg(json_is_integer(value), "%s", name);
    return json_integer_value(value);
}

/* The entry of a list whose key is that, or NULL. */
static const json_t *entry(const json_t *json, const char *list, const char *key)
{
    const json_t *top = json_object_get(json_object_get(json, list), "top"), *value;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)top, i, value)
    {
        if (strcmp(json_string_value(json_object_get(value, "key")), key) == 0) {
            return value;
        }
    }
    return NULL;
}

static void check_entry(const json_t *json, const char *list, const char *key, json_int_t refused,
                        json_int_t would, json_int_t allowed)
{
    const json_t *found = entry(json, list, key);

    ck_assert_msg(found != NULL, "%s lacks %s", list, key);
    ck_assert_int_eq(get(found, "refused"), refused);
    ck_assert_int_eq(get(found, "would_be_refused"), would);
    ck_assert_int_eq(get(found, "allowed"), allowed);
}

START_TEST(test_counts)
{
    struct report *report = report_new();

    add(report,
        &(struct review_line){.as_user = 65534,
                              .repeats = 100,
                              .mismatch = "[\"euid\",\"groups\"]",
                              .in_miguard = ",\"call_site\":{\"module\":\"m.so\",\"offset\":"
                                            "\"00000000000001ff\",\"symbol\":\"f\"}"});
    add(report, &(struct review_line){.as_user = 65534, .would_deny = true, .repeats = 3});
    add(report,
        &(struct review_line){.allowed = true,
                              .reason = "identity-match",
                              .mismatch = "",
                              .class_name = "B",
                              .method = "Stop",
                              .time = "2026-03-01T14:00:00.000000Z",
                              .on_top = ",\"rule\":{\"name\":\"r\",\"reference\":\"f:1:2\"}"});
    add(report, &(struct review_line){.action = "policy-load", .allowed = true, .operation = ""});
    report->broken = 5;
    json_t *json = as_json(report, 10);
    ck_assert_int_eq(get(json, "records"), 4);
    ck_assert_int_eq(get(json, "broken_lines"), 5);
    ck_assert_int_eq(get(json, "refusal_records"), 2);
    const json_t *events = json_object_get(json, "events");
    ck_assert_int_eq(get(events, "refused"), 100);
    ck_assert_int_eq(get(events, "would_be_refused"), 3);
    ck_assert_int_eq(get(events, "allowed"), 1);
    ck_assert_int_eq(get(events, "log_and_policy"), 1);
    check_entry(json, "bound_users", "uid 0", 100, 3, 1);
    check_entry(json, "current_users", "uid 65534", 100, 3, 0);
    check_entry(json, "current_users", "uid 0", 0, 0, 1);
    check_entry(json, "pairs", "uid 0 -> uid 65534", 100, 3, 0);
    check_entry(json, "providers", "libweb.so", 100, 3, 1);
    check_entry(json, "components", "euid", 100, 3, 0);
    check_entry(json, "components", "groups", 100, 0, 0);
    check_entry(json, "reasons", "identity-mismatch", 100, 3, 0);
    check_entry(json, "operations", "GetInstance", 100, 3, 1);
    check_entry(json, "classes", "MG_File", 100, 3, 0);
    check_entry(json, "methods", "B.Stop", 0, 0, 1);
    check_entry(json, "namespaces", "root/cimv2", 100, 3, 1);
    check_entry(json, "call_sites", "m.so+0x00000000000001ff f", 100, 0, 0);
    check_entry(json, "rules", "r at f:1:2", 0, 0, 1);
    check_entry(json, "hosts", "h", 100, 3, 1);
    check_entry(json, "processes", "x pid 77 entity 00000000000000aa", 100, 3, 1);
    check_entry(json, "files", "a.jsonl", 100, 3, 1);
    ck_assert_str_eq(json_string_value(json_object_get(json, "first")),
                     "2026-03-01T12:00:00.000000Z");
    ck_assert_str_eq(json_string_value(json_object_get(json, "last")),
                     "2026-03-01T14:00:00.000000Z");
    json_decref(json);
    report_free(report);
}
END_TEST

/* The threads that read look up report_fields alone: nothing that a report shows needs another. */
START_TEST(test_fields_are_enough)
{
    static const struct review_line lines[] = {
        {.as_user = 65534,
         .repeats = 7,
         .method = "Stop",
         .mismatch = "[\"euid\",\"groups\"]",
         .on_top = ",\"rule\":{\"name\":\"r\",\"reference\":\"f:1:2\"}",
         .in_miguard = ",\"call_site\":{\"module\":\"m.so\",\"offset\":\"00000000000001ff\","
                       "\"symbol\":\"f\"},\"resource\":\"/srv\",\"object\":\"i\""},
        {.as_user = 33, .would_deny = true},
        {.allowed = true, .time = "2026-03-01T14:00:00.000000Z"},
        {.action = "policy-load", .allowed = true, .operation = ""},
        {.action = "from-a-later-version", .operation = "upload", .class_name = ""},
        {.action = "records-lost",
         .allowed = true,
         .in_miguard = ",\"lost\":{\"sink\":\"file\",\"count\":3,\"cause\":\"busy\"}"},
    };
    struct report *all = report_new(), *some = report_new();
    struct text facts = TEXT_EMPTY, text[2] = {TEXT_EMPTY, TEXT_EMPTY};

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct record record = review_record(&lines[i]);
        struct record line = {.line = record.line, .length = record.length}, few = line;
        for (size_t j = 0; j < report_fields.count; j++) {
            few.field[report_fields.list[j]] = record.field[report_fields.list[j]];
        }
        ck_assert(report_add(all, &record, &place));
        text_clear(&facts);
        report_facts(&few, &facts);
        ck_assert(report_add_facts(some, &line, (struct slice){facts.data, facts.length}, &place));
    }
    report_write_json(&text[0], all, 100);
    report_write_json(&text[1], some, 100);
    ck_assert_str_eq(text[0].data, text[1].data);
    ck_assert_ptr_nonnull(strstr(text[0].data, "m.so+0x00000000000001ff f"));
    text_release(&text[0]);
    text_release(&text[1]);
    text_release(&facts);
    report_free(all);
    report_free(some);
}
END_TEST

/* An own action counts under its name, beside the operations of MI. */
START_TEST(test_own_actions)
{
    struct report *report = report_new();
    const struct review_line own = {.operation = "upload",
                                    .class_name = "",
                                    .name_space = "",
                                    .provider = "fileserver",
                                    .repeats = 5,
                                    .in_miguard = ",\"resource\":\"/srv/a\",\"object\":\"i\""};

    add(report, &own);
    add(report, &(struct review_line){0});
    json_t *json = as_json(report, 10);
    check_entry(json, "operations", "upload", 5, 0, 0);
    check_entry(json, "operations", "GetInstance", 1, 0, 0);
    check_entry(json, "resources", "/srv/a", 5, 0, 0);
    check_entry(json, "providers", "fileserver", 5, 0, 0);
    ck_assert_ptr_null(entry(json, "classes", ""));
    json_decref(json);
    report_free(report);
}
END_TEST

START_TEST(test_losses)
{
    struct report *report = report_new();

    add(report,
        &(struct review_line){
            .action = "records-lost",
            .allowed = true,
            .in_miguard = ",\"lost\":{\"sink\":\"file\",\"count\":12,\"cause\":\"no-space\","
                          "\"causes\":{\"no-space\":9,\"io-error\":3},"
                          "\"first\":\"2026-03-01T11:00:00.000000Z\","
                          "\"last\":\"2026-03-01T11:30:00.000000Z\",\"total\":12}"});
    add(report, &(struct review_line){.action = "records-lost",
                                      .allowed = true,
                                      .in_miguard = ",\"lost\":{\"sink\":\"file\",\"count\":5,"
                                                    "\"cause\":\"no-space\"}"});
    add(report, &(struct review_line){.action = "records-lost",
                                      .allowed = true,
                                      .in_miguard = ",\"lost\":{\"sink\":\"syslog\",\"count\":2}"});
    json_t *json = as_json(report, 10);
    ck_assert_int_eq(get(json, "lost"), 19);
    const json_t *losses = json_object_get(json, "losses");
    ck_assert_uint_eq(json_array_size(losses), 3);
    ck_assert_int_eq(get(json_array_get(losses, 0), "count"), 14);
    ck_assert_int_eq(get(json_array_get(losses, 1), "count"), 3);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(losses, 1), "cause")),
                     "io-error");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(losses, 2), "cause")),
                     "not reported");
    json_decref(json);
    report_free(report);
}
END_TEST

/* A record that contradicts itself: the causes are no more than the count. */
START_TEST(test_losses_that_contradict)
{
    struct report *report = report_new();

    add(report, &(struct review_line){
                    .action = "records-lost",
                    .allowed = true,
                    .in_miguard = ",\"lost\":{\"sink\":\"file\",\"count\":2,\"cause\":\"busy\","
                                  "\"causes\":{\"busy\":9,\"cut\":9},"
                                  "\"first\":\"2026-03-01T11:00:00.000000Z\"}"});
    ck_assert_uint_eq(report->lost, 2);
    ck_assert_uint_eq(report->losses[0].count, 2);
    ck_assert_uint_eq(report->loss_count < 2 ? 0 : report->losses[1].count, 0);
    report_free(report);
}
END_TEST

/* More sinks than there is room for: the sum stays. */
START_TEST(test_many_losses)
{
    struct report *report = report_new();
    char lost[128];

    for (int i = 0; i < 3 * REPORT_LOSSES; i++) {
        snprintf(lost, sizeof(lost), ",\"lost\":{\"sink\":\"s%d\",\"count\":2,\"cause\":\"busy\"}",
                 i);
        add(report,
            &(struct review_line){.action = "records-lost", .allowed = true, .in_miguard = lost});
    }
    uint64_t sum = 0;
    for (uint32_t i = 0; i < report->loss_count; i++) {
        sum += report->losses[i].count;
    }
    ck_assert_uint_eq(report->loss_count, REPORT_LOSSES);
    ck_assert_uint_eq(sum, 6 * REPORT_LOSSES);
    ck_assert_uint_eq(report->lost, sum);
    report_free(report);
}
END_TEST

static uint64_t sum_of(const struct report_keys *keys)
{
    uint64_t sum = report_sum(&keys->others);

    for (uint32_t i = 0; i < keys->count; i++) {
        sum += report_sum(&keys->keys[i].count);
    }
    return sum;
}

/* A flood of invented names neither takes more memory nor hides the name that matters, and the sum
 * stays exact. */
START_TEST(test_more_keys_than_room)
{
    struct report *report = report_new();
    char name[64];
    uint64_t events = 0;

    for (int i = 0; i < 3 * REPORT_KEYS; i++) {
        snprintf(name, sizeof(name), "Class_%d", i);
        add(report, &(struct review_line){.class_name = name});
        events++;
        if (i % 100 == 0) {
            add(report, &(struct review_line){.class_name = "Heavy", .repeats = 10});
            events += 10;
        }
    }
    struct report_keys *keys = &report->lists[REPORT_CLASS];
    static uint32_t order[REPORT_KEYS];
    ck_assert_uint_eq(keys->count, REPORT_KEYS);
    ck_assert_uint_eq(sum_of(keys), events);
    ck_assert_uint_eq(report_order(keys, order), REPORT_KEYS);
    ck_assert_str_eq(keys->keys[order[0]].text, "Heavy");
    ck_assert_uint_eq(keys->keys[order[0]].count.refused, 10 * ((3 * REPORT_KEYS + 99) / 100));
    ck_assert_uint_eq(report_sum(&keys->keys[order[0]].before), 0);
    struct text text = TEXT_EMPTY;
    report_write_text(&text, report, 3);
    ck_assert_ptr_nonnull(strstr(text.data, "others: "));
    ck_assert_ptr_nonnull(strstr(text.data, "* at least"));
    text_release(&text);
    report_free(report);
}
END_TEST

/* A key that comes late but often displaces those that came once. */
START_TEST(test_late_key_is_found)
{
    struct report *report = report_new();
    char name[64];

    for (int i = 0; i < REPORT_KEYS; i++) {
        snprintf(name, sizeof(name), "Class_%d", i);
        add(report, &(struct review_line){.class_name = name});
    }
    add(report, &(struct review_line){.class_name = "Late", .repeats = 1000});
    json_t *json = as_json(report, 1);
    check_entry(json, "classes", "Late", 1000, 0, 0);
    ck_assert(json_is_true(json_object_get(entry(json, "classes", "Late"), "at_least")));
    ck_assert_uint_eq(sum_of(&report->lists[REPORT_CLASS]), REPORT_KEYS + 1000);
    json_decref(json);
    report_free(report);
}
END_TEST

/* What is cut off tells keys apart as well. */
START_TEST(test_long_keys)
{
    struct report *report = report_new();
    char name[2048];

    memset(name, 'x', sizeof(name));
    for (int i = 0; i < 3; i++) {
        snprintf(name + 2000, 16, "%d", i);
        add(report, &(struct review_line){.class_name = name});
    }
    ck_assert_uint_eq(report->lists[REPORT_CLASS].count, 3);
    ck_assert_uint_le(strlen(report->lists[REPORT_CLASS].keys[0].text), REPORT_KEY_LENGTH);
    report_free(report);
}
END_TEST

START_TEST(test_latest_stay)
{
    struct report *report = report_new();

    for (uint64_t i = 1; i <= 3 * REPORT_REFUSALS; i++) {
        add(report, &(struct review_line){.sequence = i});
    }
    ck_assert_uint_eq(report->refusals.seen, 3 * REPORT_REFUSALS);
    struct text *newest =
        &report->refusals.lines[(report->refusals.next + REPORT_REFUSALS - 1) % REPORT_REFUSALS];
    ck_assert_ptr_nonnull(strstr(newest->data, "\"sequence\":600"));
    ck_assert_ptr_nonnull(
        strstr(report->refusals.lines[report->refusals.next].data, "\"sequence\":401"));
    report_free(report);
}
END_TEST

/* Of a record with 10,000 groups the list keeps all but the credentials. */
START_TEST(test_long_lines_are_shortened)
{
    struct report *report = report_new();
    static char groups[100000];
    size_t length = (size_t)snprintf(groups, sizeof(groups), "\"groups\":[{\"id\":1}");

    while (length < 80000) {
        length +=
            (size_t)snprintf(groups + length, sizeof(groups) - length, ",{\"id\":%zu}", length);
    }
    snprintf(groups + length, sizeof(groups) - length, "]");
    add(report, &(struct review_line){.bound = groups});
    const struct text *line = &report->refusals.lines[0];
    ck_assert_uint_lt(line->length, 2000);
    struct record record;
    size_t offset;
    ck_assert_ptr_null(record_parse(line->data, line->length, &record, &offset));
    ck_assert(record_is(&record, RECORD_PID, "77"));
    ck_assert(record_is(&record, RECORD_EVENT_ID, "00000000000000aa-1"));
    report_free(report);
}
END_TEST

/* ---- the timeline ----------------------------------------------------------------------------*/

static void use_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static const struct {
    const char *zone;
    enum report_unit unit;
    int64_t at, start, next;
} floors[] = {
    /* 2026-03-29: summer time begins in Berlin at 01:00 UTC; 2026-10-25: it ends at 01:00 UTC */
    {"UTC", REPORT_HOUR, 1772366400 + 125, 1772366400, 1772366400 + 3600},
    {"UTC", REPORT_DAY, 1772366400, 1772323200, 1772409600},
    {"UTC", REPORT_MONTH, 1772366400, 1772323200, 1775001600},
    {"UTC", REPORT_YEAR, 1772366400, 1767225600, 1798761600},
    {"Europe/Berlin", REPORT_DAY, 1774785600, 1774738800, 1774821600},       /* 23 hours */
    {"Europe/Berlin", REPORT_DAY, 1792929600, 1792879200, 1792969200},       /* 25 hours */
    {"Europe/Berlin", REPORT_HOUR, 1792886400 + 60, 1792886400, 1792890000}, /* 02:00 the first */
    {"Europe/Berlin", REPORT_HOUR, 1792890000 + 60, 1792890000, 1792893600}, /* and the second */
    {"Asia/Kolkata", REPORT_HOUR, 1772366400, 1772364600, 1772368200},       /* half past, in UTC */
    {"Asia/Kolkata", REPORT_SIX_HOURS, 1772366400, 1772346600, 1772368200},
};

START_TEST(test_floors)
{
    use_zone(floors[_i].zone);
    ck_assert_int_eq(report_floor(floors[_i].unit, floors[_i].at), floors[_i].start);
    ck_assert_int_eq(report_next(floors[_i].unit, floors[_i].start), floors[_i].next);
    ck_assert_int_eq(report_floor(floors[_i].unit, floors[_i].start), floors[_i].start);
}
END_TEST

/* Nothing gets lost when buckets are merged, in whichever order the records come. */
START_TEST(test_timeline_is_bounded)
{
    struct report_timeline timeline = {0};
    struct report_count one = {.refused = 1};
    uint64_t steps_sum = 0, seed = 7, all = 20000;

    use_zone("Europe/Berlin");
    for (uint64_t i = 0; i < all; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        ck_assert(
            report_time_add(&timeline, (int64_t)(seed >> 33) % 300000000 + 1700000000, &one, 1));
    }
    ck_assert_uint_le(timeline.count, REPORT_BUCKETS);
    for (uint32_t i = 1; i < timeline.count; i++) {
        ck_assert(timeline.buckets[i - 1].start < timeline.buckets[i].start);
    }
    for (enum report_unit unit = timeline.unit; unit <= REPORT_YEAR; unit++) {
        struct report_steps steps = {.unit = unit};
        for (steps_sum = 0; report_step(&timeline, &steps);) {
            steps_sum += steps.bucket.count.refused;
            ck_assert_uint_eq(steps.bucket.count.refused, steps.bucket.lost);
        }
        ck_assert_uint_eq(steps_sum, all);
    }
    free(timeline.buckets);
}
END_TEST

static const struct {
    int64_t range;
    enum report_unit unit;
} fits[] = {
    {0, REPORT_MINUTE},          {7000, REPORT_MINUTE}, {7300, REPORT_TEN_MINUTES},
    {71000, REPORT_TEN_MINUTES}, {73000, REPORT_HOUR},  {430000, REPORT_HOUR},
    {440000, REPORT_SIX_HOURS},  {2600000, REPORT_DAY}, {11000000, REPORT_MONTH},
    {400000000, REPORT_YEAR},
};

START_TEST(test_unit_fits_the_range)
{
    struct report_timeline timeline = {0};
    struct report_count one = {.allowed = 1};

    use_zone("UTC");
    ck_assert(report_time_add(&timeline, 1772323200, &one, 0));
    ck_assert(report_time_add(&timeline, 1772323200 + fits[_i].range, &one, 0));
    ck_assert_int_eq(report_fitting(&timeline, 120), fits[_i].unit);
    free(timeline.buckets);
}
END_TEST

/* ---- text ------------------------------------------------------------------------------------*/

START_TEST(test_text_is_safe)
{
    struct report *report = report_new();
    struct text text = TEXT_EMPTY;

    use_zone("UTC");
    add(report, &(struct review_line){.class_name = "a\\u001b[2Jb\\nforged line",
                                      .provider = "\xE2\x80\xAEos.x"});
    report_write_text(&text, report, 10);
    ck_assert_ptr_nonnull(strstr(text.data, "a\\x001B[2Jb\\x000Aforged line\n"));
    ck_assert_ptr_nonnull(strstr(text.data, " \\x202Eos.x\n"));
    ck_assert_ptr_null(strchr(text.data, 0x1B));
    ck_assert_ptr_nonnull(strstr(text.data, "local time UTC (UTC+00:00)"));
    text_release(&text);
    report_free(report);
}
END_TEST

START_TEST(test_empty)
{
    struct report *report = report_new();
    struct text text = TEXT_EMPTY;

    report_write_text(&text, report, 10);
    ck_assert_ptr_nonnull(strstr(text.data, "no record with a time\n0 records from 0 files"));
    text_release(&text);
    json_t *json = as_json(report, 10);
    ck_assert_ptr_null(json_object_get(json, "first"));
    json_decref(json);
    add(report, &(struct review_line){.time = "yesterday"});
    ck_assert_uint_eq(report->untimed, 1);
    report_free(report);
    report_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit report");
    TCase *tests = tcase_create("report");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_counts);
    tcase_add_test(tests, test_fields_are_enough);
    tcase_add_test(tests, test_own_actions);
    tcase_add_test(tests, test_losses);
    tcase_add_test(tests, test_losses_that_contradict);
    tcase_add_test(tests, test_many_losses);
    tcase_add_test(tests, test_more_keys_than_room);
    tcase_add_test(tests, test_late_key_is_found);
    tcase_add_test(tests, test_long_keys);
    tcase_add_test(tests, test_latest_stay);
    tcase_add_test(tests, test_long_lines_are_shortened);
    tcase_add_loop_test(tests, test_floors, 0, sizeof(floors) / sizeof(floors[0]));
    tcase_add_test(tests, test_timeline_is_bounded);
    tcase_add_loop_test(tests, test_unit_fits_the_range, 0, sizeof(fits) / sizeof(fits[0]));
    tcase_add_test(tests, test_text_is_safe);
    tcase_add_test(tests, test_empty);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
