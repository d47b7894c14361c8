/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out at each allocation in turn: the right status comes out, outputs stay untouched,
 * nothing leaks, and the same call succeeds when there is memory again. A lost audit record is
 * counted like any other.
 */
#include "support/failing_alloc.h"

#include <check.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/loss.h"
#include "base/slots.h"
#include "support/fake_file.h"
#include "support/fake_sinks.h"
#include "support/lacks.h"
#include "support/raw.h"
#include "support/record.h"
#include "switch/switch.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* ---- what is tried ------------------------------------------------------------------- */

static struct miguard_identity *bound;
static struct miguard_target *target;
static struct audit *audit;
static char folder[64], path[128];

static enum miguard_status try_capture(struct miguard_error *error)
{
    struct miguard_identity *identity = (void *)&bound;
    enum miguard_status status = miguard_identity_capture(&identity, error);
    if (status == MIGUARD_OK) {
        miguard_identity_free(identity);
    } else {
        ck_assert_ptr_eq(identity, (void *)&bound);
    }
    return status;
}

static enum miguard_status try_read(struct miguard_error *error)
{
    struct miguard_identity *identity = (void *)&bound;
    enum miguard_status status = miguard_identity_read(getpid(), &identity, error);
    if (status == MIGUARD_OK) {
        miguard_identity_free(identity);
    } else {
        ck_assert_ptr_eq(identity, (void *)&bound);
    }
    return status;
}

static enum miguard_status try_copy(struct miguard_error *error)
{
    struct miguard_identity copy;
    enum miguard_status status = identity_copy(bound, &copy);
    if (status == MIGUARD_OK) {
        ck_assert_uint_eq(miguard_identity_compare(&copy, bound), 0);
    } else {
        ck_assert(!identity_valid(&copy));
        error->status = status;
    }
    identity_release(&copy);
    return status;
}

static enum miguard_status text_by(enum miguard_status (*function)(const struct miguard_identity *,
                                                                   char *, size_t, size_t *),
                                   struct miguard_error *error)
{
    static char buffer[65536];
    size_t length = 4711;

    memset(buffer, '#', 4);
    enum miguard_status status = function(bound, buffer, sizeof(buffer), &length);
    if (status != MIGUARD_OK) {
        ck_assert_uint_eq(length, 4711);
        ck_assert_int_eq(buffer[0], '#');
        error->status = status;
    } else {
        ck_assert_uint_eq(length, strlen(buffer));
    }
    return status;
}

static enum miguard_status try_describe(struct miguard_error *error)
{
    return text_by(miguard_identity_describe, error);
}

static enum miguard_status try_json(struct miguard_error *error)
{
    return text_by(miguard_identity_to_json, error);
}

static enum miguard_status keep(enum miguard_status status, struct miguard_target *made)
{
    if (status == MIGUARD_OK) {
        miguard_target_free(made);
    } else {
        ck_assert_ptr_eq(made, (void *)&target);
    }
    return status;
}

static enum miguard_status try_target_ids(struct miguard_error *error)
{
    const gid_t groups[] = {3, 1, 2};
    struct miguard_target *made = (void *)&target;
    enum miguard_status status = miguard_target_ids(
        1, 1, &(struct miguard_groups){MIGUARD_GROUPS_LIST, groups, 3, NULL}, &made, error);
    return keep(status, made);
}

static enum miguard_status try_target_user(struct miguard_error *error)
{
    struct miguard_target *made = (void *)&target;
    enum miguard_status status = miguard_target_user("nobody", &made, error);
    return keep(status, made);
}

static enum miguard_status try_target_identity(struct miguard_error *error)
{
    struct miguard_target *made = (void *)&target;
    enum miguard_status status = miguard_target_identity(bound, &made, error);
    return keep(status, made);
}

static enum miguard_status open_log(bool syslog, bool denies, uint32_t repeat_seconds,
                                    struct audit **ret_audit, struct miguard_error *error)
{
    struct sink_settings sinks[] = {SINK_FILE_DEFAULT(NULL),
                                    {.kind = SINK_SYSLOG, .failure_denies = denies}};
    const struct audit_settings settings = {sinks, syslog ? 2 : 1, repeat_seconds, NULL};
    sinks[0].path = path;
    return audit_open(&settings, ret_audit, error);
}

static enum miguard_status try_audit_open(struct miguard_error *error)
{
    struct audit *opened = (void *)&audit;
    enum miguard_status status = open_log(true, true, 10, &opened, error);
    if (status == MIGUARD_OK) {
        audit_close(opened);
    } else {
        ck_assert_ptr_eq(opened, (void *)&audit);
    }
    return status;
}

static enum miguard_status try_audit_write(struct miguard_error *error)
{
    const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                      .reason = AUDIT_REASON_IDENTITY_MISMATCH,
                                      .denied = true,
                                      .operation = OPERATION_INVOKE,
                                      .name_space = "root/cimv2",
                                      .bound = bound,
                                      .current = bound,
                                      .mismatch = MIGUARD_COMPONENT_EUID};
    enum miguard_status status = audit_write(audit, &event);
    error->status = status;
    return status;
}

static const struct attempt {
    const char *what;
    enum miguard_status (*function)(struct miguard_error *error);
    enum miguard_status without_memory;
    int least; /* allocations that there must be, so that the table cannot run empty */
} attempts[] = {
    {"capture", try_capture, MIGUARD_NO_MEMORY, 2},
    {"read", try_read, MIGUARD_NO_MEMORY, 3},
    {"copy", try_copy, MIGUARD_NO_MEMORY, 1},
    {"describe", try_describe, MIGUARD_NO_MEMORY, 1},
    {"to_json", try_json, MIGUARD_NO_MEMORY, 2},
    {"target of ids", try_target_ids, MIGUARD_NO_MEMORY, 2},
    {"target of a user", try_target_user, MIGUARD_NO_MEMORY, 4},
    {"target of an identity", try_target_identity, MIGUARD_NO_MEMORY, 2},
    {"audit_open", try_audit_open, MIGUARD_NO_MEMORY, 2},
    {"audit_write", try_audit_write, MIGUARD_AUDIT_FAILED, 0},
};

static void set_up(void)
{
    countdown = -1;
    keeps_failing = false;
    ck_assert_int_eq(miguard_identity_capture(&bound, NULL), MIGUARD_OK);
    strcpy(folder, "/tmp/miguard-fault-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    fake_reset();
    ck_assert_int_eq(open_log(true, false, 0, &audit, NULL), MIGUARD_OK);
}

static void tear_down(void)
{
    char command[128];
    audit_close(audit);
    miguard_identity_free(bound);
    fake_reset();
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* _i: attempt, and whether memory comes back after the first failure. */
START_TEST(each_allocation_fails)
{
    const struct attempt *attempt = &attempts[_i / 2];
    struct miguard_error error;
    int tried = 0;

    ck_assert_int_eq(attempt->function(&error), MIGUARD_OK);
    long before = outstanding;
    keeps_failing = _i % 2 == 1;
    for (int nth = 0;; nth++) {
        memset(&error, 0, sizeof(error));
        failed = false;
        countdown = nth;
        enum miguard_status status = attempt->function(&error);
        countdown = -1;
        ck_assert_msg(outstanding == before, "%s, allocation %d: %ld blocks leaked", attempt->what,
                      nth, outstanding - before);
        if (!failed) {
            ck_assert_int_eq(status, MIGUARD_OK);
            break;
        }
        /* audit_open() has two reasons, its own memory and its first record's; and the log does
         * without what it only wanted to remember. */
        bool right = status == attempt->without_memory ||
                     (attempt->function == try_audit_open &&
                      (status == MIGUARD_AUDIT_FAILED || status == MIGUARD_OK)) ||
                     (attempt->function == try_audit_write && status == MIGUARD_OK);
        ck_assert_msg(right, "%s, allocation %d: %s", attempt->what, nth,
                      miguard_status_name(status));
        ck_assert_int_eq(error.status, status);
        tried++;
    }
    ck_assert_int_ge(tried, attempt->least);
    ck_assert_int_eq(attempt->function(&error), MIGUARD_OK);
    ck_assert_int_eq(outstanding, before);
}
END_TEST

/* ---- many groups: the buffer that a thread gets once --------------------------------- */

static bool become_a_member_of_300_groups(void)
{
    gid_t groups[300];
    for (int i = 0; i < LENGTH(groups); i++) {
        groups[i] = (gid_t)(50000 + i);
    }
    return syscall(SYS_setgroups, LENGTH(groups), groups) == 0;
}

static int checks_without_memory(void)
{
    miguard_components unread = 0;
    const miguard_components groups = MIGUARD_COMPONENT_GROUPS;

    if (!become_a_member_of_300_groups()) {
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        failed = false;
        countdown = 0;
        miguard_components differing = identity_check(bound, MIGUARD_COMPONENTS_ALL, &unread);
        countdown = -1;
        if (!failed || differing != groups || unread != groups) {
            return 2;
        }
    }
    struct miguard_identity *seen = NULL;
    for (int nth = 0; nth < 3; nth++) {
        countdown = nth;
        enum miguard_status status = miguard_identity_capture(&seen, NULL);
        countdown = -1;
        if (status == MIGUARD_OK || seen != NULL) {
            return 3;
        }
    }
    return miguard_identity_capture(&seen, NULL) == MIGUARD_OK &&
                   identity_check(seen, MIGUARD_COMPONENTS_ALL, NULL) == 0
               ? (miguard_identity_free(seen), 0)
               : 4;
}

/* A switch takes nothing from the allocator, also with more groups than a capture keeps at hand. */
static int switches_without_memory(void)
{
    gid_t groups[300];

    for (int i = 0; i < LENGTH(groups); i++) {
        groups[i] = (gid_t)(60000 + i);
    }
    const struct miguard_groups list = {MIGUARD_GROUPS_LIST, groups, LENGTH(groups), NULL};
    if (miguard_target_ids(12345, 12345, &list, &target, NULL) != MIGUARD_OK) {
        return 1;
    }
    const long tried = allocations_tried;
    countdown = 0;
    keeps_failing = true;
    bool there = miguard_switch_to(target, NULL) == MIGUARD_OK;
    bool deeper = miguard_switch_to(target, NULL) == MIGUARD_OK;
    bool back = miguard_switch_back(NULL) == MIGUARD_OK && miguard_switch_back(NULL) == MIGUARD_OK;
    countdown = -1;
    keeps_failing = false;
    miguard_target_free(target);
    if (!there || !deeper || !back || allocations_tried != tried) {
        return 2;
    }
    return identity_check(bound, MIGUARD_COMPONENTS_ALL, NULL) == 0 ? 0 : 3;
}

static int (*const in_threads[])(void) = {checks_without_memory, switches_without_memory};

static void *run_in_thread(void *context)
{
    int (*const *body)(void) = context;
    return (void *)(intptr_t)(*body)();
}

START_TEST(thread_with_many_groups)
{
    int (*body)(void) = in_threads[_i];
    void *line = NULL;
    pthread_t thread;

    if (geteuid() != 0) {
        printf("skip: more groups than fit the stack: needs root\n");
        return;
    }
    long before = outstanding;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_in_thread, &body), 0);
    ck_assert_int_eq(pthread_join(thread, &line), 0);
    ck_assert_int_eq((intptr_t)line, 0);
    ck_assert_int_eq(outstanding, before); /* the thread's buffers go with it */
}
END_TEST

/* ---- losses ---------------------------------------------------------------------------- */

/* What the file has, and what syslog has. */
enum { MOST_LINES = 64 };

struct lines {
    json_t *records[MOST_LINES];
    unsigned count;
};

static json_t *parse(const char *line)
{
    char why[256] = "";
    json_t *record = record_json(line, strlen(line));
    ck_assert_msg(record != NULL && record_check(record, why, sizeof(why)), "%s", why);
    return record;
}

static struct lines in_file(void)
{
    struct lines lines = {.count = 0};
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");

    ck_assert_ptr_nonnull(file);
    while (lines.count < MOST_LINES && getline(&line, &size, file) > 0) {
        lines.records[lines.count++] = parse(line);
    }
    free(line);
    fclose(file);
    return lines;
}

static struct lines in_syslog(void)
{
    struct lines lines = {.count = 0};
    for (unsigned i = 0; i < fake_sinks[SINK_SYSLOG].count && i < FAKE_LINES; i++) {
        lines.records[lines.count++] = parse(fake_sinks[SINK_SYSLOG].lines[i]);
    }
    return lines;
}

static void release(struct lines *lines)
{
    for (unsigned i = 0; i < lines->count; i++) {
        json_decref(lines->records[i]);
    }
}

static const json_t *member(const json_t *record, const char *outer, const char *inner)
{
    return json_object_get(json_object_get(record, outer), inner);
}

static const char *action_of(const struct lines *lines, unsigned i)
{
    const char *action =
        i < lines->count ? json_string_value(member(lines->records[i], "event", "action")) : NULL;
    return action != NULL ? action : "(none)";
}

static void expect_actions(struct lines lines, const char *const *actions, unsigned count)
{
    ck_assert_uint_eq(lines.count, count);
    for (unsigned i = 0; i < count; i++) {
        ck_assert_str_eq(action_of(&lines, i), actions[i]);
    }
    release(&lines);
}

#define EXPECT(lines, ...)                                                                         \
    expect_actions(lines, (const char *const[]){__VA_ARGS__},                                      \
                   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* All that records-lost tells, and its last total. */
static json_int_t lost_in(struct lines lines, const char *cause, json_int_t *ret_total)
{
    json_int_t sum = 0;
    for (unsigned i = 0; i < lines.count; i++) {
        const json_t *lost = member(lines.records[i], "miguard", "lost");
        if (lost == NULL) {
            continue;
        }
        const json_t *causes = json_object_get(lost, "causes");
        sum += json_integer_value(json_object_get(causes, cause));
        ck_assert_str_le(json_string_value(json_object_get(lost, "first")),
                         json_string_value(json_object_get(lost, "last")));
        *ret_total = json_integer_value(json_object_get(lost, "total"));
    }
    release(&lines);
    return sum;
}

static const struct audit_event use = {.action = AUDIT_ACTION_SESSION_USE,
                                       .reason = AUDIT_REASON_IDENTITY_MATCH,
                                       .operation = OPERATION_INVOKE};
static const struct audit_event refusal = {.action = AUDIT_ACTION_SESSION_USE,
                                           .reason = AUDIT_REASON_IDENTITY_MISMATCH,
                                           .denied = true,
                                           .operation = OPERATION_INVOKE};

/* _i: the cause, at the lock and at the append. Three are lost, the gap comes first, then what
 * follows; syslog has them all, the three without a place in the file. */
START_TEST(each_cause_is_told)
{
    enum audit_loss cause = (enum audit_loss)(_i / 2);
    char id[AUDIT_ID_SIZE];
    json_int_t total = 0;

    *(_i % 2 == 0 ? &fake_lock : &fake_append) = (int)cause;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(audit_write_id(audit, &use, id), MIGUARD_AUDIT_FAILED);
        ck_assert_str_ne(id, ""); /* syslog has it under this id */
    }
    fake_lock = fake_append = FAKE_WORKS;
    ck_assert_int_eq(audit_write_id(audit, &use, id), MIGUARD_OK);
    ck_assert_int_eq(audit_write_id(audit, &use, id), MIGUARD_OK);
    EXPECT(in_file(), "audit-start", "records-lost", "session-use", "session-use");
    ck_assert_int_eq(lost_in(in_file(), audit_losses[cause].name, &total), 3);
    ck_assert_int_eq(total, 3);
    EXPECT(in_syslog(), "audit-start", "session-use", "session-use", "session-use", "records-lost",
           "session-use", "session-use");
    ck_assert_uint_eq(fake_sinks[SINK_SYSLOG].sequences[1], 0);
    ck_assert_uint_eq(fake_sinks[SINK_SYSLOG].sequences[4], 2);
}
END_TEST

/* The gap record fits, the one behind it does not: nothing is told twice. */
START_TEST(loss_right_behind_a_gap)
{
    json_int_t total = 0;

    fake_append = AUDIT_LOSS_IO_ERROR;
    ck_assert_int_eq(audit_write(audit, &use), MIGUARD_AUDIT_FAILED);
    fake_append = FAKE_WORKS;
    fake_appends_left = 1;
    fake_append_after = AUDIT_LOSS_IO_ERROR;
    ck_assert_int_eq(audit_write(audit, &use), MIGUARD_AUDIT_FAILED);
    fake_append_after = FAKE_WORKS;
    ck_assert_int_eq(audit_write(audit, &use), MIGUARD_OK);
    EXPECT(in_file(), "audit-start", "records-lost", "records-lost", "session-use");
    ck_assert_int_eq(lost_in(in_file(), "io-error", &total), 2);
    ck_assert_int_eq(total, 2);
}
END_TEST

/* One that may fail: nothing is refused, it is told what it lacks, and the file does not care. */
START_TEST(sink_that_fails)
{
    json_int_t total = 0;

    fake_sinks[SINK_SYSLOG].write_fails = AUDIT_LOSS_UNREACHABLE;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(audit_write(audit, &use), MIGUARD_OK);
    }
    fake_sinks[SINK_SYSLOG].write_fails = FAKE_WORKS;
    ck_assert_int_eq(audit_write(audit, &use), MIGUARD_OK);
    EXPECT(in_file(), "audit-start", "session-use", "session-use", "session-use", "session-use",
           "session-use");
    EXPECT(in_syslog(), "audit-start", "records-lost", "session-use");
    ck_assert_int_eq(lost_in(in_syslog(), "unreachable", &total), 4);
    ck_assert_uint_eq(fake_sinks[SINK_SYSLOG].sequences[1], 0);
    ck_assert_uint_eq(fake_sinks[SINK_SYSLOG].sequences[2], 6);
    fake_sinks[SINK_SYSLOG].write_fails = AUDIT_LOSS_TOO_LARGE;
    ck_assert_int_eq(audit_write(audit, &use), MIGUARD_OK);
    fake_sinks[SINK_SYSLOG].write_fails = FAKE_WORKS;
    ck_assert_int_eq(audit_write(audit, &use), MIGUARD_OK);
    ck_assert_int_eq(lost_in(in_syslog(), "too-large", &total), 1);
    ck_assert_int_eq(total, 5);
}
END_TEST

/* One that must not: without it there is no log, and no record. */
START_TEST(sink_that_denies)
{
    struct audit *opened = NULL;
    struct miguard_error error;

    fake_sinks[SINK_SYSLOG].open_fails = MIGUARD_SYSTEM;
    ck_assert_int_eq(open_log(true, true, 0, &opened, &error), MIGUARD_SYSTEM);
    fake_sinks[SINK_SYSLOG].open_fails = MIGUARD_OK;
    fake_sinks[SINK_SYSLOG].write_fails = AUDIT_LOSS_UNREACHABLE;
    ck_assert_int_eq(open_log(true, true, 0, &opened, &error), MIGUARD_AUDIT_FAILED);
    ck_assert_ptr_null(opened);
    fake_sinks[SINK_SYSLOG].write_fails = FAKE_WORKS;
    ck_assert_int_eq(open_log(true, true, 10, &opened, &error), MIGUARD_OK);
    ck_assert_int_eq(audit_write(opened, &use), MIGUARD_OK);
    fake_sinks[SINK_SYSLOG].write_fails = AUDIT_LOSS_UNREACHABLE;
    ck_assert_int_eq(audit_write(opened, &use), MIGUARD_AUDIT_FAILED);
    /* What was refused to be a record is none that others are counted with. */
    ck_assert_int_eq(audit_write(opened, &refusal), MIGUARD_AUDIT_FAILED);
    ck_assert_int_eq(audit_write(opened, &refusal), MIGUARD_AUDIT_FAILED);
    audit_close(opened);
}
END_TEST

START_TEST(sink_that_comes_later)
{
    struct audit *opened = NULL;
    json_int_t total = 0;

    fake_sinks[SINK_SYSLOG].open_fails = MIGUARD_NO_MEMORY;
    ck_assert_int_eq(open_log(true, false, 0, &opened, NULL), MIGUARD_NO_MEMORY);
    fake_sinks[SINK_SYSLOG].open_fails = MIGUARD_SYSTEM;
    ck_assert_int_eq(open_log(true, false, 0, &opened, NULL), MIGUARD_OK);
    fake_sinks[SINK_SYSLOG].open_fails = MIGUARD_OK;
    unsigned before = fake_sinks[SINK_SYSLOG].count;
    ck_assert_int_eq(audit_write(opened, &use), MIGUARD_OK); /* not tried again yet */
    ck_assert_uint_eq(fake_sinks[SINK_SYSLOG].count, before);
    usleep(1100 * 1000);
    ck_assert_int_eq(audit_write(opened, &use), MIGUARD_OK);
    ck_assert_uint_eq(fake_sinks[SINK_SYSLOG].count, before + 2);
    ck_assert_int_eq(lost_in(in_syslog(), "unreachable", &total), 2);
    audit_close(opened);
}
END_TEST

/* A loss that is told by two at once is taken off once. */
START_TEST(told_twice_is_taken_off_once)
{
    struct state_loss pending[SINK_KIND_COUNT] = {0};
    uint64_t total[AUDIT_LOSS_COUNT] = {0};
    struct log_state state = {.pending = pending, .lost_total = total};
    struct audit_lost first, second;
    struct losses losses;

    losses_init(&losses);
    loss_note(&losses, SINK_SYSLOG, AUDIT_LOSS_BUSY, 100);
    loss_note(&losses, SINK_SYSLOG, AUDIT_LOSS_BUSY, 50);
    loss_fold(&losses, &state);
    loss_fold(&losses, &state);
    ck_assert(loss_pending(&state, SINK_SYSLOG, &first));
    ck_assert(!loss_pending(&state, SINK_FILE, &second));
    ck_assert_uint_eq(first.count, 2);
    ck_assert_int_eq(first.first, 50);
    ck_assert_int_eq(first.last, 100);
    loss_note(&losses, SINK_SYSLOG, AUDIT_LOSS_IO_ERROR, 200);
    loss_fold(&losses, &state);
    loss_reported(&state, SINK_SYSLOG, &first);
    loss_reported(&state, SINK_SYSLOG, &first); /* another process told the same */
    ck_assert(loss_pending(&state, SINK_SYSLOG, &second));
    ck_assert_uint_eq(second.count, 1);
    ck_assert_uint_eq(second.by_cause[AUDIT_LOSS_IO_ERROR], 1);
    ck_assert_uint_eq(second.total, 3);
    loss_reported(&state, SINK_SYSLOG, &second);
    ck_assert(!loss_pending(&state, SINK_SYSLOG, &second));
    losses_destroy(&losses);
}
END_TEST

/* ---- on the disk --------------------------------------------------------------------------- */

/* _i: the setting. Which records are waited for, and what it means when they are not there. */
START_TEST(sync_as_told)
{
    static const bool waits_for_use[] = {false, false, true},
                      waits_for_refusal[] = {false, true, true};
    struct sink_settings file = SINK_FILE_DEFAULT(NULL);
    const struct audit_settings settings = {&file, 1, 0, NULL};
    struct audit *opened = NULL;
    json_int_t total = 0;

    file.path = path;
    file.sync = (enum audit_sync)_i;
    fake_syncs = 0;
    ck_assert_int_eq(audit_open(&settings, &opened, NULL), MIGUARD_OK);
    ck_assert_uint_eq(fake_syncs, _i == AUDIT_SYNC_NONE ? 0 : 1); /* the log about itself */
    fake_syncs = 0;
    ck_assert_int_eq(audit_write(opened, &use), MIGUARD_OK);
    ck_assert_uint_eq(fake_syncs, waits_for_use[_i]);
    fake_syncs = 0;
    ck_assert_int_eq(audit_write(opened, &refusal), MIGUARD_OK);
    ck_assert_uint_eq(fake_syncs, waits_for_refusal[_i]);
    fake_sync = AUDIT_LOSS_NOT_SYNCED;
    ck_assert_int_eq(audit_write(opened, &refusal),
                     waits_for_refusal[_i] ? MIGUARD_AUDIT_FAILED : MIGUARD_OK);
    fake_sync = FAKE_WORKS;
    ck_assert_int_eq(audit_write(opened, &use), MIGUARD_OK);
    audit_close(opened);
    ck_assert_int_eq(lost_in(in_file(), "not-synced", &total), waits_for_refusal[_i]);
}
END_TEST

/* ---- without a file -------------------------------------------------------------------------- */

START_TEST(log_without_a_file)
{
    const struct sink_settings syslog = {.kind = SINK_SYSLOG, .failure_denies = true};
    const struct audit_settings settings = {&syslog, 1, 300, NULL};
    struct audit *opened = NULL;
    json_int_t total = 0;

    unsigned before = fake_sinks[SINK_SYSLOG].count;
    ck_assert_int_eq(audit_open(&settings, &opened, NULL), MIGUARD_OK);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(audit_write(opened, &refusal), MIGUARD_OK);
    }
    fake_sinks[SINK_SYSLOG].write_fails = AUDIT_LOSS_UNREACHABLE;
    ck_assert_int_eq(audit_write(opened, &use), MIGUARD_AUDIT_FAILED);
    fake_sinks[SINK_SYSLOG].write_fails = FAKE_WORKS;
    ck_assert_int_eq(audit_write(opened, &use), MIGUARD_OK);
    audit_lock(opened);
    pid_t child = fork();
    audit_unlock(opened, child == 0);
    if (child == 0) { /* counts nothing of its parent's */
        unsigned inherited = fake_sinks[SINK_SYSLOG].count;
        bool well = audit_write(opened, &use) == MIGUARD_OK;
        audit_close(opened);
        well = well && fake_sinks[SINK_SYSLOG].count == inherited + 2 &&
               fake_sinks[SINK_SYSLOG].sequences[inherited] == 1;
        fflush(NULL);
        _exit(well ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    audit_close(opened);
    struct lines lines = in_syslog();
    static const char *const actions[] = {"audit-start", "session-use", "records-lost",
                                          "session-use", "session-use", "audit-stop"};
    ck_assert_uint_eq(lines.count, before + 6);
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_str_eq(action_of(&lines, before + i), actions[i]);
    }
    const json_t *repeat = member(lines.records[before + 4], "miguard", "repeat");
    ck_assert_int_eq(json_integer_value(json_object_get(repeat, "count")), 3);
    ck_assert_ptr_null(member(lines.records[before + 1], "miguard", "chain"));
    release(&lines);
    ck_assert_int_eq(lost_in(in_syslog(), "unreachable", &total), 1);
}
END_TEST

/* ---- what was lost for want of memory is told ---------------------------------------- */

START_TEST(lost_for_want_of_memory_is_counted)
{
    struct miguard_error error;
    json_int_t total = 0;
    unsigned expected = 0;
    static char name[3000];

    /* Each is larger than all before, so that memory is needed. */
    for (int nth = 0; nth < 20; nth++) {
        struct audit_event event = use;
        memset(name, 'x', sizeof(name) - 1);
        event.name_space = event.class_name = event.provider = event.rule = event.rule_source =
            name;
        event.policy_detail = event.rule_reason = name;
        struct audit *opened = NULL;
        ck_assert_int_eq(open_log(false, false, 0, &opened, &error), MIGUARD_OK);
        countdown = nth;
        failed = false;
        expected += audit_write(opened, &event) != MIGUARD_OK;
        countdown = -1;
        ck_assert_int_eq(audit_write(opened, &event), MIGUARD_OK);
        audit_close(opened);
        if (!failed) {
            break;
        }
    }
    ck_assert_uint_gt(expected, 1);
    ck_assert_int_eq(lost_in(in_file(), "no-memory", &total), expected);
    ck_assert_int_eq(total, expected);
}
END_TEST

/* What could not be put aside for syslog is told there: with what arrived it is all there was. */
START_TEST(no_memory_for_the_other_sinks)
{
    static char name[60000];
    json_int_t total = 0;
    struct audit_event event = use;
    unsigned arrived = 0;

    memset(name, 'x', sizeof(name) - 1);
    event.class_name = event.attempt = name; /* more than the first memory of a text */
    for (int nth = 0; nth < 8; nth++) {
        countdown = nth;
        (void)!audit_write(audit, &event);
        countdown = -1;
    }
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    struct lines file = in_file(), syslog = in_syslog();
    for (unsigned i = 0; i < syslog.count; i++) {
        arrived += strcmp(action_of(&syslog, i), "session-use") == 0;
    }
    /* Gap records of the file that syslog did not get count as well. */
    unsigned gaps = 0;
    for (unsigned i = 0; i < file.count; i++) {
        gaps += strcmp(action_of(&file, i), "records-lost") == 0;
    }
    json_int_t lost = 0;
    for (unsigned i = 0; i < syslog.count; i++) {
        const json_t *told = member(syslog.records[i], "miguard", "lost");
        bool own =
            told != NULL && strcmp(json_string_value(json_object_get(told, "sink")), "syslog") == 0;
        lost += own ? json_integer_value(json_object_get(told, "count")) : 0;
        gaps -= told != NULL && !own;
    }
    ck_assert_int_gt(lost, 0);
    ck_assert_int_eq((json_int_t)arrived + lost, 9 + (json_int_t)gaps);
    release(&file);
    release(&syslog);
    (void)lost_in(in_syslog(), "no-memory", &total);
    ck_assert_int_ge(total, lost);
}
END_TEST

/* ---- the background thread ----------------------------------------------------------------------
 */

static bool waits_for(const bool *flag, bool value)
{
    for (int i = 0; i < 500 && __atomic_load_n(flag, __ATOMIC_RELAXED) != value; i++) {
        usleep(10000);
    }
    return __atomic_load_n(flag, __ATOMIC_RELAXED) == value;
}

/* A background thread is offered once a second, and leaves where it would be the second thread. */
static void *write_until_maintained(void *context)
{
    for (int i = 0; i < 500 && __atomic_load_n(&fake_maintained, __ATOMIC_RELAXED) == 0; i++) {
        (void)!audit_write(context, &use);
        usleep(10000);
    }
    return NULL;
}

START_TEST(background_maintains)
{
    pthread_t thread;

    __atomic_store_n(&fake_maintained, 0, __ATOMIC_RELAXED);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_until_maintained, audit), 0);
    ck_assert(waits_for(&fake_background, true));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_gt(__atomic_load_n(&fake_maintained, __ATOMIC_RELAXED), 0);
    if (!RAW_HIDDEN_THREAD && !lacks_plain_threads()) { /* else it is never the second one */
        ck_assert(waits_for(&fake_background, false));
    }
}
END_TEST

/* ---- slots --------------------------------------------------------------------------- */

START_TEST(no_memory_for_a_slot_is_no_limit)
{
    static struct slots table = SLOTS_INIT(64, NULL, 1000);
    static void *objects[SLOTS_PER_CHUNK];
    bool limit = true;
    long before = outstanding;

    countdown = 0;
    ck_assert_ptr_null(slots_new(&table, &limit));
    ck_assert(!limit);
    countdown = -1;
    for (int i = 0; i < SLOTS_PER_CHUNK; i++) {
        objects[i] = slots_new(&table, &limit);
        ck_assert_ptr_nonnull(objects[i]);
    }
    countdown = 0; /* the next would take another chunk */
    ck_assert_ptr_null(slots_new(&table, &limit));
    ck_assert(!limit);
    slots_release(&table, objects[9]);
    countdown = 0; /* a free one needs none, quarantine or not */
    objects[9] = slots_new(&table, &limit);
    countdown = -1;
    ck_assert_ptr_nonnull(objects[9]);
    for (int i = 0; i < SLOTS_PER_CHUNK; i++) {
        slots_release(&table, objects[i]);
    }
    slots_release_all(&table);
    ck_assert_int_eq(outstanding, before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory faults");
    TCase *faults = tcase_create("allocations");
    tcase_set_timeout(faults, 120);
    tcase_add_checked_fixture(faults, set_up, tear_down);
    tcase_add_loop_test(faults, each_allocation_fails, 0, 2 * LENGTH(attempts));
    tcase_add_loop_test(faults, thread_with_many_groups, 0, LENGTH(in_threads));
    tcase_add_loop_test(faults, each_cause_is_told, 0, 2 * AUDIT_LOSS_COUNT);
    tcase_add_test(faults, loss_right_behind_a_gap);
    tcase_add_test(faults, sink_that_fails);
    tcase_add_test(faults, sink_that_denies);
    tcase_add_test(faults, sink_that_comes_later);
    tcase_add_test(faults, told_twice_is_taken_off_once);
    tcase_add_loop_test(faults, sync_as_told, 0, 3);
    tcase_add_test(faults, log_without_a_file);
    tcase_add_test(faults, lost_for_want_of_memory_is_counted);
    tcase_add_test(faults, no_memory_for_the_other_sinks);
    tcase_add_test(faults, background_maintains);
    tcase_add_test(faults, no_memory_for_a_slot_is_no_limit);
    suite_add_tcase(suite, faults);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? 0 : 1;
}
