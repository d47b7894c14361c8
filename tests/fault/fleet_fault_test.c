/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out at each allocation of fleet_verify() and fleet_ask() in turn: NO_MEMORY comes
 * out, never an answer about half a store, nothing leaks, and the next try says what the first
 * would have said.
 */
#include "support/failing_alloc.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "tools/review/fleet.h"
#include "tools/review/fleet_ask.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

static char folder[64], store[128], heads[128];
static struct fleet_key keys[2];

static void shell(const char *command)
{
    char line[512];

    snprintf(line, sizeof(line), "cd '%s' && { %s\n}", folder, command);
    ck_assert_int_eq(system(line), 0);
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/miguard-fleet-fault-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(store, sizeof(store), "%s/store", folder);
    snprintf(heads, sizeof(heads), "%s/heads", folder);
    shell("mkdir store store/a store/b");
    countdown = -1;
}

static void remove_folder(void)
{
    shell("rm -rf \"$PWD\"");
}

/* Changes for sh(1) in the folder, and how many entries are held in memory. */
static const struct {
    const char *change;
    size_t run;
} stores[] = {
    {":", 0},
    {":", 5},
    {"gzip store/a/log; cat store/b/log >>store/b/again", 3},
    {"sed -i '3,5d;s/Web_Server/Web_server/' store/a/log; echo garbage >>store/b/log", 4},
};

static void make_store(int which)
{
    static const char *const names[] = {"a", "b"};
    struct chain_log log;
    char path[256];

    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s/log", store, names[i]);
        chain_log_begin(&log, path, true);
        log.stamp.host_name = names[i];
        chain_log_fill(&log, 15);
        keys[i] = (struct fleet_key){log.first, names[i]};
    }
    shell("cp store/a/log heads");
    shell(stores[which].change);
}

static enum miguard_status verify(int which, struct fleet_report *ret_report,
                                  struct miguard_error *reterr)
{
    const char *places[] = {store}, *other[] = {heads};
    const struct fleet_request request = {.places = places,
                                          .place_count = 1,
                                          .heads = other,
                                          .head_count = 1,
                                          .keys = keys,
                                          .key_count = 2,
                                          .by_folder = true,
                                          .now = INT64_C(4000000000000000000),
                                          .slack = INT64_C(300000000000),
                                          .look_ahead = 100,
                                          .steps = 10000,
                                          .run = stores[which].run};

    return fleet_verify(&request, ret_report, reterr);
}

static bool same(const struct fleet_report *a, const struct fleet_report *b)
{
    bool good = a->row_count == b->row_count && a->lines == b->lines && a->broken == b->broken;

    for (size_t i = 0; good && i < a->row_count; i++) {
        good = strcmp(a->rows[i].host, b->rows[i].host) == 0 &&
               a->rows[i].facts == b->rows[i].facts &&
               a->rows[i].report.records == b->rows[i].report.records &&
               a->rows[i].report.finding_count == b->rows[i].report.finding_count;
    }
    return good;
}

START_TEST(test_memory_runs_out)
{
    struct fleet_report whole, report;
    struct miguard_error error = {0};

    make_store(_i);
    ck_assert_int_eq(verify(_i, &whole, &error), MIGUARD_OK);
    ck_assert_uint_eq(whole.row_count, 2);
    long before = outstanding;
    for (long i = 0;; i++) {
        report = (struct fleet_report){.lines = 77};
        failed = false;
        countdown = i;
        enum miguard_status status = verify(_i, &report, &error);
        countdown = -1;
        if (!failed) {
            ck_assert_int_gt(i, 20);
            ck_assert_int_eq(status, MIGUARD_OK);
            break;
        }
        /* Findings are kept in less memory where there is some, and in what they have otherwise. */
        if (status == MIGUARD_OK) {
            ck_assert(same(&report, &whole));
            fleet_release(&report);
        } else {
            ck_assert_int_eq(error.status, status);
            ck_assert_msg(report.lines == 77, "allocation %ld: the report was touched", i);
        }
        ck_assert_msg(outstanding == before, "allocation %ld: %ld blocks are out", i,
                      outstanding - before);
    }
    ck_assert(same(&report, &whole));
    fleet_release(&report);
    ck_assert_int_eq(outstanding, before);
    fleet_release(&whole);
    ck_assert_int_eq(outstanding, 0);
}
END_TEST

/* All questions, and the answers in all forms, one behind the other. */
static enum miguard_status ask(struct text *ret_text, struct miguard_error *reterr)
{
    const char *places[] = {store};
    struct fleet_answers answers = {.now = INT64_C(4000000000000000),
                                    .days = 1,
                                    .bucket = 1800,
                                    .user = "root",
                                    .source = "store"};

    memset(answers.wanted, true, sizeof(answers.wanted));
    enum miguard_status status = fleet_ask(places, 1, &answers, reterr);
    if (status == MIGUARD_OK) {
        fleet_write_text(ret_text, &answers, 5);
        fleet_write_json(ret_text, &answers, 100);
        fleet_write_page(ret_text, &answers, 5, 0);
    }
    fleet_answers_release(&answers);
    return status;
}

START_TEST(test_memory_runs_out_asking)
{
    struct text whole = TEXT_EMPTY, text = TEXT_EMPTY;
    struct miguard_error error = {0};

    make_store(_i);
    ck_assert_int_eq(ask(&whole, &error), MIGUARD_OK);
    ck_assert(!whole.failed && strstr(whole.data, "web") != NULL);
    long before = outstanding;
    for (long i = 0;; i++) {
        failed = false;
        countdown = i;
        enum miguard_status status = ask(&text, &error);
        countdown = -1;
        bool done = !failed;
        if (done) {
            ck_assert_int_gt(i, 100);
            ck_assert_int_eq(status, MIGUARD_OK);
        }
        ck_assert(status == MIGUARD_OK || error.status == status);
        ck_assert_msg(
            status != MIGUARD_OK || text.failed ||
                (text.length == whole.length && memcmp(text.data, whole.data, text.length) == 0),
            "allocation %ld: another answer", i);
        text_release(&text);
        ck_assert_msg(outstanding == before, "allocation %ld: %ld blocks are out", i,
                      outstanding - before);
        if (done) {
            break;
        }
    }
    text_release(&whole);
    ck_assert_int_eq(outstanding, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory in fleet verify");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 600);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_loop_test(tests, test_memory_runs_out, 0, LENGTH(stores));
    tcase_add_loop_test(tests, test_memory_runs_out_asking, 0, LENGTH(stores));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int bad = srunner_ntests_failed(runner);
    srunner_free(runner);
    return bad > 0;
}
