/* SPDX-License-Identifier: MIT */
/*
 * What records say of how far their file is out of the order of its times: by the times that were
 * written, and never less than that, whoever writes in between, whatever is lost, and when a writer
 * is killed at any place. log_file_check() compares it with all records of a file as well.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "support/log_file.h"
#include "tools/review/record.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { EVERY = RECORD_ORDER_EVERY, ORDERS = STATE_BODY - STATE_KEPT };

static const int64_t start = INT64_C(1772368496000000000), ms = 1000000, second = 1000 * ms;

static char folder[64], path[128];
static const struct chain_key no_key;
static struct log_check check;

static void set_up(void)
{
    strcpy(folder, "/tmp/miguard-order-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct log_file *open_log(uint64_t rotate)
{
    struct sink_settings settings = log_file_settings(path);
    settings.sync = AUDIT_SYNC_NONE;
    settings.rotate_bytes = rotate;
    struct log_file *file = log_file_open(&settings, true);
    ck_assert_ptr_nonnull(file);
    return file;
}

static bool try_append(struct log_file *file, int64_t time, size_t padding)
{
    enum audit_loss loss = 0;
    uint64_t sequence;

    log_file_time = time;
    bool done = log_file_append(file, 1, padding, &loss, &sequence);
    log_file_time = 0;
    return done;
}

static void append(struct log_file *file, int64_t time)
{
    ck_assert(try_append(file, time, 0));
}

/* Up to the next record that says it, all of the same time. */
static void append_until(struct log_file *file, int64_t time)
{
    do {
        append(file, time);
    } while (state_head(&file->state)->sequence % EVERY != 0);
}

struct said {
    uint64_t sequence, since, late_ms; /* since 0: nothing is said */
};

static struct said said_in(const char *line, size_t length)
{
    struct said said = {0};
    struct record record;
    size_t fault;

    ck_assert_ptr_null(record_parse(line, length, &record, &fault));
    ck_assert(record_number(&record, RECORD_SEQUENCE, &said.sequence));
    if (record_number(&record, RECORD_ORDER_SINCE, &said.since)) {
        ck_assert(record_number(&record, RECORD_ORDER_LATE, &said.late_ms));
    }
    return said;
}

/* By the last record of a file that must say it. */
static struct said last_of(const char *name)
{
    struct said said = {0};
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    FILE *file = fopen(name, "re");

    ck_assert_ptr_nonnull(file);
    while ((length = getline(&line, &size, file)) > 0) {
        if (length > 1 && line[length - 2] == '}') {
            struct said one = said_in(line, (size_t)length - 1);
            said = one.sequence % EVERY == 0 ? one : said;
        }
    }
    free(line);
    fclose(file);
    return said;
}

static void expect_last(uint64_t since, uint64_t late_ms)
{
    struct said said = last_of(path);

    ck_assert_msg(said.since == since && said.late_ms == late_ms,
                  "%llu says since %llu late %llu, not since %llu late %llu",
                  (unsigned long long)said.sequence, (unsigned long long)said.since,
                  (unsigned long long)said.late_ms, (unsigned long long)since,
                  (unsigned long long)late_ms);
}

static void end_log(struct log_file *file)
{
    file_close(file);
    log_file_check(path, &no_key, &check);
    ck_assert_msg(check.breaks == 0, "%s", check.problem);
}

/* The bytes in which the state has it. */
static unsigned char *orders_of(struct log_file *file)
{
    return (unsigned char *)file->state.shared->repeats[STATE_REPEATS - 1].body + STATE_KEPT;
}

/* ---- by the times ---------------------------------------------------------------------------- */

/* Each row is a file of its own: times of its records, behind the beginning, in milliseconds but
 * for the last digits, which are microseconds. */
static const struct {
    int64_t us[EVERY];
    uint64_t late_ms;
} rows[] = {
    {{0, 1, 2, 3, 4, 5, 6, 7}, 0},
    {{0, 0, 0, 0, 0, 0, 0, 0}, 0},
    {{0, 5, 4, 6, 7, 8, 9, 10}, 1}, /* rounded up */
    {{0, 1000, 0, 1, 2, 3, 4, 5}, 1},
    {{0, 1001, 0, 1, 2, 3, 4, 5}, 2},
    {{7000, 6000, 5000, 4000, 3000, 2000, 1000, 0}, 7}, /* against the highest, not the last */
    {{0, 1, 2, 3, 4, 5, 9000, 0}, 9},                   /* the record that says it */
    {{0, 90000, 0, 100000, 99000, 100001, 100002, 100003}, 90}, /* the largest one */
    {{0, INT64_C(7200000000), 0, 1, 2, 3, 4, 5}, 7200000},      /* set back by two hours */
    {{0, INT64_C(-86400000000), 1, 2, 3, 4, 5, 6}, 86400000},
};

START_TEST(by_the_times)
{
    struct log_file *file = open_log(0);

    for (int i = 0; i < EVERY; i++) {
        append(file, start + rows[_i].us[i] * 1000);
    }
    expect_last(1, rows[_i].late_ms);
    append_until(file, start + 365 * 86400 * second); /* it does not get less */
    expect_last(1, rows[_i].late_ms);
    end_log(file);
    ck_assert_uint_eq(check.unordered, 0);
}
END_TEST

/* A new file begins anew, and says nothing of the one before. */
START_TEST(each_file_for_itself)
{
    struct log_file *file = open_log(20000);
    uint64_t first = 0;

    append(file, start + 3600 * second);
    while (access(path, F_OK) == 0 && first == 0) {
        append(file, start);
        first = state_head(&file->state)->file_after;
    }
    append_until(file, start + second);
    append_until(file, start + 2 * second); /* one more that says it, in the new file for sure */
    struct said said = last_of(path);
    ck_assert_uint_eq(said.since, first + 1);
    /* The record that begins the file has the time of now. */
    ck_assert_uint_gt(said.late_ms, 0);
    char name[160];
    snprintf(name, sizeof(name), "%s.1", path);
    said = last_of(name);
    ck_assert_uint_eq(said.since, 1);
    ck_assert_uint_eq(said.late_ms, 3600000);
    end_log(file);
    ck_assert_uint_eq(check.orders, check.files);
}
END_TEST

/* ---- others ---------------------------------------------------------------------------------- */

/* A program that keeps no order writes one or many records: all that is said later begins behind
 * them. */
START_TEST(a_program_without_order)
{
    unsigned char before[ORDERS];
    struct log_file *file = open_log(0);

    append_until(file, start);
    memcpy(before, orders_of(file), ORDERS);
    append(file, start + 7200 * second);
    for (int i = 0; i < _i; i++) {
        append(file, start);
    }
    memcpy(orders_of(file), before, ORDERS);
    uint64_t last = state_head(&file->state)->sequence;
    append_until(file, start + second);
    expect_last(last + 1, 0);
    end_log(file);
}
END_TEST

/* The bytes are a body's to it: no record is damaged by what is kept there, and nothing is said
 * that was read from a body. */
START_TEST(a_longer_body_of_such_a_program)
{
    struct log_file *file = open_log(0);
    struct state_repeat *slot = &file->state.shared->repeats[STATE_REPEATS - 1];

    append_until(file, start);
    slot->key[0] = 1;
    slot->until = INT64_MAX;
    slot->body_length = STATE_BODY;
    memset(slot->body, 'x', STATE_BODY);
    append(file, start + 10 * second);
    append_until(file, start);
    for (int i = 0; i < STATE_BODY; i++) {
        ck_assert_int_eq(slot->body[i], 'x');
    }
    expect_last(2 * EVERY, 0);
    slot->key[0] = 0;
    append_until(file, start + second);
    expect_last(2 * EVERY + 1, 0);
    end_log(file);
}
END_TEST

/* Any bit of what the state has may be another's: then it begins anew. */
START_TEST(damage_is_not_believed)
{
    struct log_file *file = open_log(0);
    unsigned char before[ORDERS];

    append_until(file, start);
    memcpy(before, orders_of(file), ORDERS);
    for (int i = 0; i < ORDERS * 8; i++) {
        struct state_head *head = state_begin(&file->state);
        struct state_order good, order;
        memcpy(orders_of(file), before, ORDERS);
        good = file_order_next(&file->state, head, "", 0);
        ck_assert_uint_eq(good.since, 0);
        static const char line[] = "{\"@timestamp\":\"2026-03-01T12:34:56.000000Z\",\"x\":1}";
        good = file_order_next(&file->state, head, line, sizeof(line) - 1);
        ck_assert_uint_eq(good.since, 1);
        orders_of(file)[i / 8] ^= (unsigned char)(1 << i % 8);
        order = file_order_next(&file->state, head, line, sizeof(line) - 1);
        ck_assert(order.since == EVERY + 1 ||
                  (order.since == 1 && order.late == good.late &&
                   memcmp(order.highest, good.highest, AUDIT_TIME_LENGTH) == 0));
    }
    end_log(file);
}
END_TEST

/* ---- kills ----------------------------------------------------------------------------------- */

static struct state_shared saved;

static void save_heads(struct log_file *file)
{
    memcpy(&saved, file->state.shared, offsetof(struct state_shared, redo));
}

/* As a writer who was killed behind its write, and before the head said so, leaves it. */
static void go_back(struct log_file *file)
{
    struct state_shared *shared = file->state.shared;

    memcpy(shared->head, saved.head, sizeof(saved.head));
    atomic_store(&shared->current, atomic_load(&saved.current));
    atomic_store(&shared->dirty, STATE_KILLED);
}

/* _i: nothing of the order was kept yet; all of it; the record is torn; several records. */
START_TEST(killed)
{
    unsigned char before[ORDERS];
    struct log_file *file = open_log(0);
    struct stat status;

    append_until(file, start);
    save_heads(file);
    memcpy(before, orders_of(file), ORDERS);
    ck_assert_int_eq(stat(path, &status), 0);
    append(file, start - 5 * second);
    if (_i == 0) {
        memcpy(orders_of(file), before, ORDERS);
    } else if (_i == 2) {
        ck_assert_int_eq(truncate(path, status.st_size + 100), 0);
    } else if (_i == 3) {
        append(file, start + 5 * second);
        append(file, start);
        memcpy(orders_of(file), before, ORDERS);
    }
    go_back(file);
    append_until(file, start + 9 * second);
    /* The record about the torn one has the time of now, and the others behind it are late. */
    if (_i == 2) {
        ck_assert_uint_eq(last_of(path).since, 1);
    } else {
        expect_last(1, 5000);
    }
    end_log(file);
    ck_assert_uint_eq(check.orders, 1);
    ck_assert_uint_eq(check.lost_all, _i == 2);
}
END_TEST

/* The disk has an older page of it than of the heads, or a newer one. */
START_TEST(pages_of_two_times)
{
    unsigned char before[ORDERS];
    struct log_file *file = open_log(0);

    append_until(file, start);
    memcpy(before, orders_of(file), ORDERS);
    save_heads(file);
    append(file, start + 60 * second);
    append(file, start);
    append(file, start);
    if (_i == 0) {
        memcpy(orders_of(file), before, ORDERS);
        append_until(file, start);
        expect_last(EVERY + 4, 0);
    } else { /* the records are taken over, and are in what is said */
        go_back(file);
        append_until(file, start);
        struct said said = last_of(path);
        ck_assert(said.since > EVERY || said.late_ms == 60000);
    }
    end_log(file);
}
END_TEST

/* What was not written is not counted in, and what was stays. */
START_TEST(a_record_that_is_lost)
{
    struct rlimit old, small;
    struct log_file *file = open_log(0);
    struct stat status;

    append_until(file, start);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = (rlim_t)status.st_size + 10;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    file->limit_locks = FILE_LIMIT_EVERY - 1; /* it is read with the next lock */
    ck_assert(!try_append(file, start + 100 * second, 0));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    memset(file->state.pending, 0, sizeof(struct state_loss) * STATE_SINKS);
    file_read_limit(file);
    append_until(file, start + second);
    expect_last(1, 0);
    end_log(file);
    ck_assert_uint_eq(check.orders, 1);
}
END_TEST

/* The records of the old chain are in no order that is known. */
START_TEST(the_state_is_gone)
{
    char name[160];
    struct log_file *file = open_log(0);

    append_until(file, start + 7200 * second);
    file_close(file);
    snprintf(name, sizeof(name), "%s.state", path);
    ck_assert_int_eq(unlink(name), 0);
    file = open_log(0);
    append_until(file, start);
    append_until(file, start);
    ck_assert_uint_gt(last_of(path).since, EVERY);
    file_close(file);
}
END_TEST

/* A body without a time, or with one that is none where it has to be one, says nothing, and nothing
 * counts over it. */
START_TEST(no_time)
{
    static const char *const lines[] = {
        "{\"message\":\"2026-03-01T12:34:56.000000Z\",\"x\":\"and more\"}",
        "{\"@timestamp\":\"2026-01-01T12:34:5x.000000Z\",\"x\":\"and more\"}",
    };
    struct log_file *file = open_log(0);
    unsigned char before[ORDERS], hash[CHAIN_HASH_SIZE] = {1};

    append_until(file, start);
    const struct state_order order =
        file_order_next(&file->state, state_head(&file->state), lines[_i], strlen(lines[_i]));
    ck_assert_uint_eq(order.since, 0);
    memcpy(before, orders_of(file), ORDERS);
    file_order_keep(&file->state, state_head(&file->state), &order, hash);
    ck_assert_mem_eq(before, orders_of(file), ORDERS);
    end_log(file);
}
END_TEST

/* It has no room of its own: a state is as long as it always was, and what it has stands where it
 * stood. */
START_TEST(the_state_stays_as_it_is)
{
    ck_assert_uint_eq(STATE_BODY, 12000);
    ck_assert_uint_eq(sizeof(struct state_repeat), 12120);
    ck_assert_uint_eq(STATE_ORDERS * sizeof(struct state_order), ORDERS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("the order of a file");
    TCase *cases = tcase_create("order");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, by_the_times, 0, LENGTH(rows));
    tcase_add_test(cases, each_file_for_itself);
    tcase_add_loop_test(cases, a_program_without_order, 0, 4);
    tcase_add_test(cases, a_longer_body_of_such_a_program);
    tcase_add_test(cases, damage_is_not_believed);
    tcase_add_loop_test(cases, killed, 0, 4);
    tcase_add_loop_test(cases, pages_of_two_times, 0, 2);
    tcase_add_test(cases, a_record_that_is_lost);
    tcase_add_test(cases, the_state_is_gone);
    tcase_add_loop_test(cases, no_time, 0, 2);
    tcase_add_test(cases, the_state_stays_as_it_is);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
