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
#include <unistd.h>

#include "audit/audit.h"
#include "base/slots.h"
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
    enum miguard_status status = miguard_target_ids(1, 1, groups, 3, &made, error);
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

static enum miguard_status try_audit_open(struct miguard_error *error)
{
    struct audit *opened = (void *)&audit;
    enum miguard_status status = audit_open(path, &opened, error);
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
    {"audit_write", try_audit_write, MIGUARD_AUDIT_FAILED, 2},
};

static void set_up(void)
{
    countdown = -1;
    keeps_failing = false;
    ck_assert_int_eq(miguard_identity_capture(&bound, NULL), MIGUARD_OK);
    strcpy(folder, "/tmp/miguard-fault-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    ck_assert_int_eq(audit_open(path, &audit, NULL), MIGUARD_OK);
}

static void tear_down(void)
{
    char command[128];
    audit_close(audit);
    miguard_identity_free(bound);
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
        /* audit_open() has two reasons: its own memory and its first record's. */
        bool right = status == attempt->without_memory ||
                     (attempt->function == try_audit_open && status == MIGUARD_AUDIT_FAILED);
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

/* All that a switch needs it has before the first change: without memory nothing happens. */
static int switches_without_memory(void)
{
    gid_t groups[300];
    uid_t uid[3];
    struct miguard_error error;

    for (int i = 0; i < LENGTH(groups); i++) {
        groups[i] = (gid_t)(60000 + i);
    }
    if (miguard_target_ids(12345, 12345, groups, LENGTH(groups), &target, NULL) != MIGUARD_OK) {
        return 1;
    }
    countdown = 0; /* the thread's stack of switches, which stays once it is there */
    if (miguard_switch_to(target, NULL) != MIGUARD_NO_MEMORY) {
        return 4;
    }
    struct miguard_target *small = NULL;
    if (miguard_target_ids(1, 1, NULL, 0, &small, NULL) != MIGUARD_OK ||
        miguard_switch_to(small, NULL) != MIGUARD_OK || miguard_switch_back(NULL) != MIGUARD_OK) {
        return 5;
    }
    miguard_target_free(small);
    int tried = 0;
    for (int nth = 0;; nth++) {
        failed = false;
        countdown = nth;
        enum miguard_status status = miguard_switch_to(target, &error);
        countdown = -1;
        if (!failed) {
            break;
        }
        syscall(SYS_getresuid, &uid[0], &uid[1], &uid[2]);
        if (status != MIGUARD_NO_MEMORY || uid[1] != 0 || miguard_switch_depth() != 0 ||
            identity_check(bound, MIGUARD_COMPONENTS_ALL, NULL) != 0) {
            return 2;
        }
        tried++;
    }
    countdown = 0; /* and the way back needs none */
    enum miguard_status status = miguard_switch_back(NULL);
    countdown = -1;
    miguard_target_free(target);
    return tried >= 2 && status == MIGUARD_OK &&
                   identity_check(bound, MIGUARD_COMPONENTS_ALL, NULL) == 0
               ? 0
               : 3;
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

/* ---- what was lost for want of memory is told ---------------------------------------- */

START_TEST(lost_for_want_of_memory_is_counted)
{
    struct miguard_error error;
    char line[65536], why[256] = "";
    json_int_t lost = 0, sequence = 0;
    unsigned expected = 0, records = 0;

    for (int nth = 0;; nth++) {
        failed = false;
        countdown = nth;
        enum miguard_status status = try_audit_write(&error);
        countdown = -1;
        if (!failed) {
            break;
        }
        ck_assert_int_eq(status, MIGUARD_AUDIT_FAILED);
        expected++;
    }
    ck_assert_int_eq(try_audit_write(&error), MIGUARD_OK);

    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        json_t *record = json_loads(line, 0, NULL);
        ck_assert_msg(record_check(record, why, sizeof(why)), "%s", why);
        const json_t *miguard = json_object_get(record, "miguard");
        lost += json_integer_value(json_object_get(json_object_get(miguard, "lost"), "count"));
        sequence++;
        ck_assert_int_eq(
            json_integer_value(json_object_get(json_object_get(record, "event"), "sequence")),
            sequence);
        json_decref(record);
        records++;
    }
    fclose(file);
    ck_assert_uint_gt(expected, 1);
    ck_assert_int_eq(lost, expected);
    ck_assert_uint_ge(records, 4); /* start, gap, and the two that were written */
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
    tcase_add_test(faults, lost_for_want_of_memory_is_counted);
    tcase_add_test(faults, no_memory_for_a_slot_is_no_limit);
    suite_add_tcase(suite, faults);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? 0 : 1;
}
