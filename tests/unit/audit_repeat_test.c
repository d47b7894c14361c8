/* SPDX-License-Identifier: MIT */
/* Identical refusals are counted, exactly, whoever writes the count in the end; and a flood of them
 * hides nothing else. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/repeat.h"
#include "support/audit_log.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

static unsigned rounds(unsigned full)
{
    return getenv("QUICK") != NULL ? full / 100 : full;
}

static struct audit_event refusal(const char *class_name)
{
    return (struct audit_event){.action = AUDIT_ACTION_SESSION_USE,
                                .reason = AUDIT_REASON_IDENTITY_MISMATCH,
                                .denied = true,
                                .operation = OPERATION_INVOKE,
                                .class_name = class_name,
                                .mismatch = MIGUARD_COMPONENT_EUID};
}

static void write_times(struct audit *audit, const char *class_name, unsigned count)
{
    struct audit_event event = refusal(class_name);
    char first[AUDIT_ID_SIZE] = "", id[AUDIT_ID_SIZE];

    for (unsigned i = 0; i < count; i++) {
        event.session_id = i + 1; /* a new session for each try is still one run */
        event.operation_id = i;
        ck_assert_int_eq(audit_write_id(audit, &event, i == 0 ? first : id), MIGUARD_OK);
        if (i > 0) {
            ck_assert_str_eq(id, first);
        }
    }
}

static bool is_class(const json_t *record, const char *class_name)
{
    return strcmp(audit_log_string(record, "miguard.class"), class_name) == 0;
}

/* How many refusals of the class the records stand for, and how many records there are. */
static json_int_t sum_of(const struct audit_log *log, const char *class_name, unsigned *ret_records)
{
    json_int_t sum = 0;
    unsigned records = 0;
    const json_t *record;

    for (unsigned i = 0; (record = audit_log_nth(log, "session-use", i)) != NULL; i++) {
        if (is_class(record, class_name)) {
            sum += audit_log_number(record, "miguard.repeat.count");
            records++;
        }
    }
    *ret_records = records;
    return sum;
}

static void expect(const char *class_name, json_int_t sum, unsigned least, unsigned most)
{
    struct audit_log log = audit_log_read();
    unsigned records = 0;
    json_int_t found = sum_of(&log, class_name, &records);

    ck_assert_msg(found == sum, "%s: %lld instead of %lld", class_name, (long long)found,
                  (long long)sum);
    ck_assert_msg(records >= least && records <= most, "%s: %u records", class_name, records);
    ck_assert_uint_eq(log.broken, 0);
    (void)audit_log_check_order(&log);
    audit_log_release(&log);
}

/* ---- floods --------------------------------------------------------------------------- */

START_TEST(flood_hides_nothing)
{
    unsigned half = rounds(50000);
    struct audit *audit = audit_log_open(300);

    write_times(audit, "Flood", half);
    expect("Flood", 1, 1, 1);
    write_times(audit, "Other", 1);
    expect("Other", 1, 1, 1); /* at once */
    write_times(audit, "Flood", 0);
    struct audit_event event = refusal("Flood");
    for (unsigned i = 0; i < half; i++) {
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    }
    audit_close(audit);
    expect("Flood", 2 * half, 2, 2);
    expect("Other", 1, 1, 1);

    struct audit_log log = audit_log_read();
    const json_t *first = audit_log_nth(&log, "session-use", 0);
    const json_t *rest = audit_log_nth(&log, "session-use", 2);
    ck_assert_int_eq(audit_log_number(rest, "miguard.repeat.count"), 2 * half - 1);
    ck_assert_str_ne(audit_log_string(first, "event.id"), audit_log_string(rest, "event.id"));
    ck_assert_str_eq(audit_log_string(rest, "@timestamp"), audit_log_string(rest, "event.end"));
    ck_assert_int_le(
        strcmp(audit_log_string(first, "@timestamp"), audit_log_string(rest, "event.start")), 0);
    ck_assert(json_equal(audit_log_member(first, "process"), audit_log_member(rest, "process")));
    ck_assert_str_eq(audit_log_string(rest, "miguard.session_id"), "0000000000000001");
    audit_log_release(&log);
}
END_TEST

/* What makes another refusal of it, one thing at a time; and what does not. */
START_TEST(what_is_identical)
{
    struct miguard_identity *bound = NULL, *other = NULL;
    gid_t groups[2] = {1, 2};
    ck_assert_int_eq(miguard_identity_capture(&bound, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_identity_capture(&other, NULL), MIGUARD_OK);
    other->cap[IDENTITY_CAP_BOUNDING] ^= 1;
    struct miguard_identity grouped = *bound, regrouped = *bound, labelled = *bound;
    grouped.groups = groups;
    grouped.group_count = 1;
    regrouped.groups = groups;
    regrouped.group_count = 2;
    labelled.lsm_label = (char *)(uintptr_t) "label";

    struct audit_event events[32];
    unsigned count = 0;
    for (unsigned i = 0; i < 32; i++) {
        events[i] = refusal("Same");
        events[i].bound = events[i].current = bound;
        events[i].rule = events[i].rule_source = "rule";
    }
    events[++count].action = AUDIT_ACTION_SESSION_OPEN;
    events[++count].reason = AUDIT_REASON_POLICY;
    events[++count].would_deny = true;
    events[++count].operation = OPERATION_GET_CLASS;
    events[++count].provider = "libweb.so";
    events[++count].name_space = "root";
    events[++count].name_space = "";
    events[++count].class_name = "Sam";
    events[++count].class_name = NULL;
    events[++count].action_name = "upload";
    events[++count].resource = "/srv/a";
    events[++count].object = "/srv/a";
    events[++count].peer_label = "ftpd_t";
    events[++count].rule = "a";
    events[++count].rule_source = "a";
    events[++count].rule_reason = "a";
    events[++count].bound = other;
    events[++count].bound = NULL;
    events[++count].bound = &grouped;
    events[++count].bound = &regrouped;
    events[++count].bound = &labelled;
    events[++count].current = other;
    events[++count].mismatch = MIGUARD_COMPONENT_RUID;
    events[++count].unreadable = MIGUARD_COMPONENT_RUID;
    events[++count].call_site = (const void *)(uintptr_t)write_times;
    count++;

    struct audit *audit = audit_log_open(300);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < count; i++) {
            events[i].context_id = round + 1;
            ck_assert_int_eq(audit_write(audit, &events[i]), MIGUARD_OK);
        }
    }
    struct audit_log log = audit_log_read();
    ck_assert_uint_eq(json_array_size(log.records), 1 + count);
    audit_log_release(&log);
    audit_close(audit);
    log = audit_log_read();
    ck_assert_uint_eq(json_array_size(log.records), 1 + 2 * count + 1);
    audit_log_release(&log);
    miguard_identity_free(bound);
    miguard_identity_free(other);
}
END_TEST

START_TEST(only_refusals_and_only_when_asked)
{
    struct audit_event allowed = refusal("Allowed");
    allowed.denied = false;
    struct audit *audit = audit_log_open(300);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(audit_write(audit, &allowed), MIGUARD_OK);
    }
    audit_close(audit);
    expect("Allowed", 5, 5, 5);
    struct audit_event event = refusal("Each");
    audit = audit_log_open(0);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    }
    audit_close(audit);
    expect("Each", 5, 5, 5);
}
END_TEST

/* More runs than there are slots for them: the rest have a record each, and none is lost. */
START_TEST(slots_full)
{
    enum { SLOTS = STATE_REPEATS - 4, RUNS = SLOTS + 5 };
    char provider[16];
    struct audit *audit = audit_log_open(300);
    struct audit_event event = refusal("C");

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < RUNS; i++) {
            snprintf(provider, sizeof(provider), "p%d", i);
            event.provider = provider;
            ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
        }
    }
    audit_close(audit);
    expect("C", 3 * RUNS, 2 * SLOTS + 3 * (RUNS - SLOTS), 2 * SLOTS + 3 * (RUNS - SLOTS));
}
END_TEST

/* ---- refusals that vary ----------------------------------------------------------------- */

/* Of refusals: how many records, what they stand for, and how many say that they vary. */
struct found {
    unsigned records, varied, with_samples;
    json_int_t refusals;
    size_t bytes;
};

static struct found all_refusals(void)
{
    struct audit_log log = audit_log_read();
    struct found found = {0};
    const json_t *record;

    for (unsigned i = 0; (record = audit_log_nth(&log, "session-use", i)) != NULL; i++) {
        char *text = json_dumps(record, JSON_COMPACT);
        found.records++;
        found.refusals += audit_log_number(record, "miguard.repeat.count");
        found.varied += audit_log_member(record, "miguard.varied") != NULL;
        found.with_samples += json_array_size(audit_log_member(record, "miguard.samples")) > 0;
        found.bytes += strlen(text);
        free(text);
    }
    ck_assert_uint_eq(log.broken, 0);
    audit_log_release(&log);
    return found;
}

/* A million refusals of as many classes, and one among them that is odd in _i: all are counted in
 * little room, and the odd one has its own record. */
START_TEST(a_storm_of_variation)
{
    unsigned count = rounds(1000000);
    struct miguard_identity *other = NULL;
    struct audit_event event = refusal(NULL), odd = refusal("Odd");
    char class_name[32];

    ck_assert_int_eq(miguard_identity_capture(&other, NULL), MIGUARD_OK);
    other->uid[IDENTITY_E] = 4242;
    odd.mismatch = _i == 0 ? MIGUARD_COMPONENT_FSUID : odd.mismatch;
    odd.rule = odd.rule_source = _i == 1 ? "another" : NULL;
    odd.bound = _i == 2 ? other : NULL;
    odd.provider = _i == 3 ? "libother.so" : NULL;
    struct audit *audit = audit_log_open(10);
    for (unsigned i = 0; i < count; i++) {
        snprintf(class_name, sizeof(class_name), "Class_%u", i);
        event.class_name = class_name;
        event.operation = (enum operation)(i % OPERATION_BIND);
        event.session_id = i + 1;
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
        if (i == count / 2) {
            ck_assert_int_eq(audit_write(audit, &odd), MIGUARD_OK);
            expect("Odd", 1, 1, 1); /* at once */
        }
    }
    audit_close(audit);
    struct found found = all_refusals();
    ck_assert_int_eq(found.refusals, count + 1);
    ck_assert_uint_gt(found.varied, 1);
    ck_assert_uint_gt(found.with_samples, 0);
    ck_assert_uint_le(found.bytes, 1000000);
    ck_assert_msg(count > 10000 || found.records == REPEAT_VARIED + 2 + 1, "%u records",
                  found.records);
    expect("Odd", 1, 1, 1);
    miguard_identity_free(other);
}
END_TEST

/* Runs that fill the slots do not keep a storm from being counted. */
START_TEST(a_storm_behind_full_slots)
{
    struct audit *audit = audit_log_open(300);
    struct audit_event event = refusal("Run");
    char text[32];

    for (int i = 0; i < 2 * STATE_REPEATS; i++) {
        snprintf(text, sizeof(text), "p%d", i % STATE_REPEATS);
        event.provider = text;
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    }
    unsigned before = all_refusals().records;
    event = refusal(text);
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "Class_%d", i);
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    }
    ck_assert_uint_eq(all_refusals().records, before + REPEAT_VARIED + 1);
    audit_close(audit);
    ck_assert_int_eq(all_refusals().refusals, 2 * STATE_REPEATS + 500);
}
END_TEST

/* Long names fill the budget of bytes before that of records. */
START_TEST(the_budget_of_bytes)
{
    struct audit *audit = audit_log_open(300);
    struct audit_event event = refusal(NULL);
    char text[5000];

    for (int i = 0; i < 100; i++) {
        memset(text, 'r', sizeof(text));
        snprintf(text + 4980, sizeof(text) - 4980, "%d", i);
        event.attempt = event.policy_detail = event.policy_path = text;
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    }
    audit_close(audit);
    struct found found = all_refusals();
    ck_assert_int_eq(found.refusals, 100);
    ck_assert_uint_lt(found.records, REPEAT_VARIED);
    ck_assert_uint_gt(found.varied, 1);
}
END_TEST

START_TEST(body_too_large_for_a_slot)
{
    struct miguard_identity real, bound;
    struct audit_event event = refusal("Large");

    ck_assert_int_eq(identity_capture(&real, NULL), MIGUARD_OK);
    bound = real;
    bound.group_count = STATE_BODY / 2; /* names are cut, but who it was is told in full */
    bound.groups = calloc(bound.group_count, sizeof(gid_t));
    ck_assert_ptr_nonnull(bound.groups);
    for (uint32_t i = 0; i < bound.group_count; i++) {
        bound.groups[i] = i;
    }
    event.bound = &bound;
    struct audit *audit = audit_log_open(300);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    }
    audit_close(audit);
    free(bound.groups);
    identity_release(&real);
    expect("Large", 3, 3, 3);
}
END_TEST

/* ---- the end of the window -------------------------------------------------------------- */

/* _i: whether another refusal, or the same, comes after it. */
START_TEST(window_ends)
{
    struct audit *audit = audit_log_open(1);
    write_times(audit, "Run", 4);
    expect("Run", 1, 1, 1);
    usleep(1100 * 1000);
    write_times(audit, _i == 0 ? "Other" : "Run", 1);
    expect("Run", 4 + _i, 2 + (unsigned)_i, 2 + (unsigned)_i);
    struct audit_log log = audit_log_read();
    ck_assert_int_eq(audit_log_number(audit_log_at(&log, 2), "miguard.repeat.count"), 3);
    audit_log_release(&log);
    audit_close(audit);
    expect("Run", 4 + _i, 2 + (unsigned)_i, 2 + (unsigned)_i);
}
END_TEST

static void *until_unlocked(void *context)
{
    pthread_mutex_lock(context);
    pthread_mutex_unlock(context);
    return NULL;
}

/* Nobody writes any more, and yet it is told. */
START_TEST(background_thread_writes_what_is_due)
{
    struct audit *audit = audit_log_open(1);
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    pthread_mutex_lock(&lock);
    ck_assert_int_eq(pthread_create(&thread, NULL, until_unlocked, &lock), 0);
    write_times(audit, "Run", 4);
    bool told = false;
    for (int i = 0; i < 200 && !told; i++) {
        unsigned records = 0;
        usleep(50 * 1000);
        struct audit_log log = audit_log_read();
        told = sum_of(&log, "Run", &records) == 4;
        audit_log_release(&log);
    }
    ck_assert(told);
    pthread_mutex_unlock(&lock);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    audit_close(audit);
    expect("Run", 4, 2, 2);
}
END_TEST

/* ---- processes --------------------------------------------------------------------------- */

static void in_child(struct audit *audit, const char *class_name, unsigned count, bool killed)
{
    audit_lock(audit);
    pid_t child = fork();
    audit_unlock(audit, child == 0);
    if (child == 0) {
        write_times(audit, class_name, count);
        if (killed) {
            kill(getpid(), SIGKILL);
        }
        audit_close(audit);
        _exit(0);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(killed ? WIFSIGNALED(status) : status == 0);
}

START_TEST(parent_and_child_count_apart)
{
    struct audit *audit = audit_log_open(300);
    write_times(audit, "Run", 10);
    in_child(audit, "Run", 7, false);
    expect("Run", 1 + 7, 3, 3); /* the child told its own and left its parent's alone */
    struct audit_event event = refusal("Run");
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    }
    audit_close(audit);
    expect("Run", 22, 4, 4);
}
END_TEST

/* _i: 0 the parent's next record tells it, 1 whoever opens the log next. */
START_TEST(killed_process_is_told_by_the_next)
{
    struct audit *audit = audit_log_open(1);
    in_child(audit, "Run", 100, true);
    expect("Run", 1, 1, 1);
    if (_i == 1) {
        audit_close(audit);
    }
    usleep(1100 * 1000);
    if (_i == 1) {
        audit = audit_log_open(1);
    } else {
        write_times(audit, "Other", 1);
    }
    expect("Run", 100, 2, 2);
    audit_close(audit);
    expect("Run", 100, 2, 2);
}
END_TEST

/* ---- threads ----------------------------------------------------------------------------- */

enum { THREADS = 16 };
static unsigned each;

static void *flood(void *context)
{
    struct audit_event event = refusal("Run");
    struct audit_event other = refusal("Sometimes");
    for (unsigned i = 0; i < each; i++) {
        if (audit_write(context, i % 10 == 9 ? &other : &event) != MIGUARD_OK) {
            return "audit_write failed";
        }
    }
    return NULL;
}

START_TEST(threads_count_exactly)
{
    pthread_t threads[THREADS];
    struct audit *audit = audit_log_open(300);

    each = rounds(20000) / 10 * 10;
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, flood, audit), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *why = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &why), 0);
        ck_assert_ptr_null(why);
    }
    audit_close(audit);
    expect("Run", THREADS * (json_int_t)each * 9 / 10, 2, 2);
    expect("Sometimes", THREADS * (json_int_t)each / 10, 2, 2);
}
END_TEST

/* ---- the slots themselves ---------------------------------------------------------------- */

/* Each record that is due is written, or is not. Gives how many refusals they are, or how many
 * records could not be written. */
static uint64_t flush(const struct repeats *repeats, struct log_state *state, int64_t now,
                      uint64_t entity, bool written)
{
    struct repeat_round round;
    uint64_t count = 0;

    repeat_round_begin(state, &round);
    while (repeat_round_next(repeats, state, now, entity, &round)) {
        count += written ? round.record.repeats : 1;
        repeat_round_done(state, &round, now, written);
    }
    return count;
}

/* A slot whose record cannot be written is kept; a clock that was set back ends a window. */
START_TEST(slots_survive_what_goes_wrong)
{
    static struct state_repeat slots[STATE_REPEATS];
    const int64_t now = (int64_t)1700000000 * 1000000000, hour = (int64_t)3600 * 1000000000;
    int64_t until = 0;
    char id[AUDIT_ID_SIZE] = "";
    struct log_state state = {.repeats = slots, .repeats_until = &until};
    struct repeats repeats = {.window = 1000000000};
    const struct digest key = {{3, 4}}, near = {{3, 5}};
    const struct audit_event event = refusal("Run");
    const struct file_record record = {
        .event = &event, .body = "{}", .body_length = 2, .id = "first", .repeats = 1};

    memset(slots, 0, sizeof(slots));
    ck_assert(!repeat_likely(&repeats, &key));
    ck_assert(!repeat_due(&repeats, &state, now));
    repeat_begin(&repeats, &state, &key, 9, now, &record);
    ck_assert(repeat_likely(&repeats, &key));
    ck_assert_ptr_null(repeat_find(&repeats, &state, &near, 9, now));
    ck_assert_ptr_null(repeat_find(&repeats, &state, &key, 8, now)); /* another process */
    ck_assert_ptr_null(repeat_find(&repeats, &state, &key, 9, now + 1000000000));
    struct state_repeat *slot = repeat_find(&repeats, &state, &key, 9, now + 5);
    ck_assert_ptr_nonnull(slot);
    repeat_count(&repeats, &state, slot, now + 5, id);
    repeat_count(&repeats, &state, slot, now + 7, id);
    ck_assert_str_eq(id, "first");
    ck_assert_int_eq(slot->first, now + 5);
    ck_assert_int_eq(slot->last, now + 7);

    ck_assert_uint_eq(flush(&repeats, &state, now + 10, 0, false), 0); /* not yet */
    ck_assert(repeat_due(&repeats, &state, now - 2 * hour));
    ck_assert_ptr_null(repeat_find(&repeats, &state, &key, 9, now - 2 * hour));
    ck_assert(repeat_due(&repeats, &state, now + 1000000000));
    ck_assert_uint_eq(flush(&repeats, &state, now + 1000000000, 0, false), 1);
    ck_assert_uint_eq(slot->count, 2);
    ck_assert(!repeat_due(&repeats, &state, now + 1000000001)); /* not with each record */
    ck_assert_uint_eq(flush(&repeats, &state, now + 3000000000, 0, true), 2);
    ck_assert_uint_eq(slot->key[0], 0);
    ck_assert(!repeat_due(&repeats, &state, now + 9 * hour));

    /* One that only the closing process ends, and one that is cancelled. */
    repeat_begin(&repeats, &state, &key, 9, now, &record);
    repeat_count(&repeats, &state, slot, now, id);
    ck_assert_uint_eq(flush(&repeats, &state, now, 8, true), 0);
    ck_assert_uint_eq(flush(&repeats, &state, now, 9, true), 1);
    repeat_begin(&repeats, &state, &key, 9, now, &record);
    repeat_cancel(&state, &key, 9);
    ck_assert_ptr_null(repeat_find(&repeats, &state, &key, 9, now));
    repeat_begin(&repeats, &state, &key, 9, now, &record);
    repeat_count(&repeats, &state, slot, now + 1, id);
    repeat_cancel(&state, &key, 9);
    ck_assert_ptr_null(repeat_find(&repeats, &state, &key, 9, now + 1));
    ck_assert_uint_eq(flush(&repeats, &state, now + 2, 0, true), 1);
}
END_TEST

/* The last bytes of the last slot are file/order.c's. */
START_TEST(a_body_ends_before_what_is_kept_behind_it)
{
    enum { MOST = 20 + REPEAT_SAMPLES * (REPEAT_SAMPLE_SIZE + 1) };
    static const struct {
        size_t length;
        bool counted, samples;
    } bodies[] = {{STATE_BODY, false, false},
                  {STATE_KEPT + 1, false, false},
                  {STATE_KEPT, true, false},
                  {STATE_BODY - MOST, true, false},
                  {STATE_KEPT - MOST, true, true}};
    static struct state_repeat slots[STATE_REPEATS];
    static char body[STATE_BODY];
    const int64_t now = (int64_t)1700000000 * 1000000000;
    int64_t until = 0;
    char id[AUDIT_ID_SIZE] = "";
    struct log_state state = {.repeats = slots, .repeats_until = &until};
    struct repeats repeats = {.window = 1000000000};
    const struct digest key = {{3, 4}};
    struct audit_event event = refusal("Run");
    const struct file_record record = {
        .event = &event, .body = body, .body_length = bodies[_i].length, .id = id, .repeats = 1};
    struct state_repeat *slot = &slots[STATE_REPEATS - 1];
    struct repeat_round round;

    event.varied = true;
    memset(slots, 0, sizeof(slots));
    memset(body, 'x', sizeof(body));
    memset(slot->body, 'o', STATE_BODY);
    repeat_begin(&repeats, &state, &key, 9, now, &record);
    ck_assert_int_eq(slot->key[0] != 0, bodies[_i].counted);
    if (bodies[_i].counted) {
        repeat_count(&repeats, &state, slot, now, id);
        repeat_sample(&repeats, &state, slot, &event);
        repeat_round_begin(&state, &round);
        ck_assert(repeat_round_next(&repeats, &state, now, 9, &round));
        ck_assert_int_eq(round.record.body_length > bodies[_i].length, bodies[_i].samples);
        ck_assert_uint_le(round.record.body_length, STATE_KEPT);
    }
    for (int i = STATE_KEPT; i < STATE_BODY; i++) {
        ck_assert_int_eq(slot->body[i], 'o');
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit repeats");
    TCase *repeats = tcase_create("repeats");
    tcase_set_timeout(repeats, 240);
    tcase_add_checked_fixture(repeats, audit_log_make, audit_log_remove);
    tcase_add_test(repeats, flood_hides_nothing);
    tcase_add_test(repeats, what_is_identical);
    tcase_add_test(repeats, only_refusals_and_only_when_asked);
    tcase_add_test(repeats, slots_full);
    tcase_add_loop_test(repeats, a_storm_of_variation, 0, 4);
    tcase_add_test(repeats, a_storm_behind_full_slots);
    tcase_add_test(repeats, the_budget_of_bytes);
    tcase_add_test(repeats, body_too_large_for_a_slot);
    tcase_add_loop_test(repeats, a_body_ends_before_what_is_kept_behind_it, 0, 5);
    tcase_add_loop_test(repeats, window_ends, 0, 2);
    tcase_add_test(repeats, background_thread_writes_what_is_due);
    tcase_add_test(repeats, parent_and_child_count_apart);
    tcase_add_loop_test(repeats, killed_process_is_told_by_the_next, 0, 2);
    tcase_add_test(repeats, threads_count_exactly);
    tcase_add_test(repeats, slots_survive_what_goes_wrong);
    suite_add_tcase(suite, repeats);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
