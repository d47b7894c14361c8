/* SPDX-License-Identifier: MIT */
/*
 * What records take of a disk: one refusal, and a storm of refusals that vary. Bytes are counted,
 * and the second side is what was set as the most.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/measure.h"
#include "bench/refusal.h"
#include "miguard.h"

enum { RECORDS = 100, ROOT_BYTES = 2000, USER_BYTES = 1200 };
enum { STORM = 1000000, STORM_BYTES = 1000000, WINDOW = 10 };
enum { ROOT, USER, MIXED, VARIED };

static const struct bench_row record_rows[] = {
    [ROOT] = {.name = "record.root",
              .goal = 1,
              .first = "a refusal of a session of this process (root's, where it is root)",
              .second = "the most that was set for one of root's",
              .unit = "B",
              .leaves_out = "what readers and exporters add again: names of capabilities, what a "
                            "record has in common with the first of its process; long names",
              .exact = true},
    [USER] = {.name = "record.user",
              .goal = 1,
              .first = "a refusal of a session of a user without capabilities and groups",
              .second = "the most that was set for one",
              .unit = "B",
              .leaves_out = "what record.root leaves out; groups, of which each takes its number; "
                            "who made the call, where that is another (record.mixed)",
              .exact = true},
    /* No goal: what differs between two users and where the last switch was made is what a reviewer
     * needs, and takes 60 bytes more than the most that was set. */
    [MIXED] = {.name = "record.mixed",
               .goal = BENCH_NO_GOAL,
               .first = "a refusal of a user's session to another user, with the last switch",
               .second = "the most that was set for a user's without these",
               .unit = "B",
               .leaves_out = "what record.user leaves out",
               .exact = true},
    [VARIED] = {.name = "record.storm",
                .goal = 1,
                .first = "the log of 1,000,000 refusals of as many classes",
                .second = "the most that was set for it",
                .unit = "B",
                .leaves_out = "that all are counted and an odd one among them has its own record "
                              "(audit_repeat_test); what they would take one by one: 1 GB",
                .exact = true,
                .full = true},
};

static char path[96];

/* Bytes of one record, in a log that is open anyway. */
static double record_bytes(struct audit_event event)
{
    struct audit *audit = refusal_log_open(path, AUDIT_SYNC_NONE, 0);
    const off_t before = refusal_log_size(path);

    for (unsigned i = 0; i < RECORDS; i++) {
        event.session_id = event.operation_id = i + 1;
        if (audit_write(audit, &event) != MIGUARD_OK) {
            abort();
        }
    }
    const off_t after = refusal_log_size(path);
    audit_close(audit);
    return (double)(after - before) / RECORDS;
}

static void measure_users(void)
{
    struct miguard_identity *user = refusal_identity_of_user(1000);
    struct miguard_identity *other = refusal_identity_of_user(1001);

    if (user != NULL && other != NULL) {
        struct audit_event event = refusal_event(user, other);
        bench_pair(&record_rows[MIXED], record_bytes(event), USER_BYTES);
        event = refusal_event(user, user);
        event.reason = AUDIT_REASON_POLICY;
        event.mismatch = 0;
        event.last_switch = NULL;
        bench_pair(&record_rows[USER], record_bytes(event), USER_BYTES);
    } else {
        bench_skip(&record_rows[USER], "run it as root");
        bench_skip(&record_rows[MIXED], "run it as root");
    }
    miguard_identity_free(user);
    miguard_identity_free(other);
}

/* Bytes of the log with its first and last record, which counts what was still grouped. */
static double storm_bytes(const struct miguard_identity *bound,
                          const struct miguard_identity *current)
{
    const off_t before = refusal_log_size(path);
    struct audit *audit = refusal_log_open(path, AUDIT_SYNC_NONE, WINDOW);
    struct audit_event event = refusal_event(bound, current);
    char class_name[32];

    event.class_name = class_name;
    for (unsigned i = 0; i < STORM; i++) {
        snprintf(class_name, sizeof(class_name), "Class_%u", i);
        event.session_id = event.operation_id = i + 1;
        if (audit_write(audit, &event) != MIGUARD_OK) {
            abort();
        }
    }
    audit_close(audit);
    return (double)(refusal_log_size(path) - before);
}

static void run_record(void)
{
    const char *folder = bench_folder("/tmp");

    if (folder == NULL) {
        abort();
    }
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    refusal_log_make(path);
    struct miguard_identity *bound = refusal_identity(0), *current = refusal_identity(65534);

    bench_pair(&record_rows[ROOT], record_bytes(refusal_event(bound, current)), ROOT_BYTES);
    measure_users();
    if (bench_wants(&record_rows[VARIED])) {
        bench_pair(&record_rows[VARIED], storm_bytes(bound, current), STORM_BYTES);
    }
    miguard_identity_free(bound);
    miguard_identity_free(current);
}

BENCH_GROUP(record, record_rows, run_record);
