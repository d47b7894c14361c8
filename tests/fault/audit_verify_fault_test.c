/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out at each allocation of verify_log() in turn, once and for good: NO_MEMORY comes
 * out, never an answer about half a log, nothing leaks, and the next try says what the first would
 * have said.
 */
#include "support/failing_alloc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "tools/review/verify.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

static char folder[64], path[128];
static struct chain_log log_made;

static void make_folder(void)
{
    strcpy(folder, "/tmp/miguard-verify-fault-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    countdown = -1;
}

static void shell(const char *command)
{
    char line[512];

    snprintf(line, sizeof(line), "cd '%s' && { %s\n}", folder, command);
    ck_assert_int_eq(system(line), 0);
}

static void remove_folder(void)
{
    shell("rm -rf \"$PWD\"");
}

/* ---- what is verified ----------------------------------------------------------------------- */

static const struct {
    const char *change; /* for sh(1), in the folder of the log */
    bool keyed, state;
    enum verify_verdict verdict;
} logs[] = {
    {":", true, true, VERIFY_INTACT},
    {":", false, true, VERIFY_INTACT},
    {"gzip audit.jsonl.1", true, true, VERIFY_INTACT},
    {"sed -i 's/Web_Server/Web_server/' audit.jsonl", true, true, VERIFY_TAMPERED},
    {"sed -i '3,5d;9d' audit.jsonl.2; sed -i '$d' audit.jsonl", true, true, VERIFY_TAMPERED},
    {"cp audit.jsonl.1 audit.jsonl.9; rm audit.jsonl.2", true, false, VERIFY_TAMPERED},
    {"for i in $(seq 300); do echo; echo nothing; done >> audit.jsonl", true, false,
     VERIFY_TAMPERED},
    {"for i in $(seq 9000); do printf 'long, '; done >> audit.jsonl; echo >> audit.jsonl", false,
     true, VERIFY_TAMPERED},
};

static void make_log(int which)
{
    chain_log_begin(&log_made, path, logs[which].keyed);
    log_made.rotate_every = 30;
    chain_log_fill(&log_made, 100);
    shell(logs[which].change);
}

static enum miguard_status verify(int which, struct verify_report *ret_report,
                                  struct miguard_error *reterr)
{
    const char *names[] = {path};
    const struct verify_head head = {.sequence = 1000};
    const struct verify_request request = {.logs = names,
                                           .log_count = 1,
                                           .key = logs[which].keyed ? &log_made.first : NULL,
                                           .state = logs[which].state ? &log_made.head : NULL,
                                           .heads = &head,
                                           .head_count = logs[which].verdict == VERIFY_TAMPERED,
                                           .look_ahead = 100,
                                           .steps = 10000};

    return verify_log(&request, ret_report, reterr);
}

static bool same(const struct verify_report *a, const struct verify_report *b)
{
    bool good = a->verdict == b->verdict && a->records == b->records && a->files == b->files &&
                a->finding_count == b->finding_count && a->name_count == b->name_count &&
                memcmp(a->count, b->count, sizeof(a->count)) == 0;

    for (size_t i = 0; good && i < a->finding_count; i++) {
        const char *x = a->findings[i].file, *y = b->findings[i].file;
        good = a->findings[i].line == b->findings[i].line &&
               (x == NULL ? y == NULL : y != NULL && strcmp(x, y) == 0);
    }
    return good;
}

static void fail_each(int which, const struct verify_report *whole)
{
    long before = outstanding;

    for (long i = 0;; i++) {
        struct verify_report report = {.records = 77};
        struct miguard_error error = {0};
        failed = false;
        countdown = i;
        enum miguard_status status = verify(which, &report, &error);
        countdown = -1;
        if (!failed) {
            ck_assert_int_gt(i, 5);
            ck_assert_int_eq(status, MIGUARD_OK);
            ck_assert(same(&report, whole));
            verify_release(&report);
            ck_assert_int_eq(outstanding, before);
            return;
        }
        ck_assert_msg(status == MIGUARD_NO_MEMORY, "allocation %ld: status %d, verdict %d", i,
                      (int)status, (int)report.verdict);
        ck_assert_int_eq(error.status, MIGUARD_NO_MEMORY);
        ck_assert_msg(report.records == 77 && report.names == NULL && report.findings == NULL,
                      "allocation %ld: the report was touched", i);
        ck_assert_msg(outstanding == before, "allocation %ld: %ld blocks are out", i,
                      outstanding - before);
    }
}

START_TEST(test_memory_runs_out)
{
    struct verify_report whole;
    struct miguard_error error = {0};

    make_log(_i);
    ck_assert_int_eq(verify(_i, &whole, &error), MIGUARD_OK);
    ck_assert_int_eq(whole.verdict, logs[_i].verdict);
    keeps_failing = false;
    fail_each(_i, &whole);
    keeps_failing = true;
    fail_each(_i, &whole);
    verify_release(&whole);
}
END_TEST

/* A finding that cannot be put into words is not told by half. */
START_TEST(test_describing)
{
    const struct verify_finding finding = {
        .kind = VERIFY_LOST, .first = 3, .last = 9, .count = 5, .detail = "no-space"};
    long before = outstanding;

    for (long i = 0; i < 100; i++) {
        struct text text = TEXT_EMPTY;
        failed = false;
        keeps_failing = false;
        countdown = i;
        verify_describe(&finding, &text);
        countdown = -1;
        ck_assert_int_eq(text.failed, failed);
        text_release(&text);
        ck_assert_int_eq(outstanding, before);
        if (!failed) {
            ck_assert_int_gt(i, 0);
            return;
        }
    }
    ck_abort_msg("it always fails");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit verify without memory");
    TCase *tests = tcase_create("all");

    if (!chain_init()) {
        return 1;
    }
    tcase_set_timeout(tests, 600);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_loop_test(tests, test_memory_runs_out, 0, LENGTH(logs));
    tcase_add_test(tests, test_describing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures > 0;
}
