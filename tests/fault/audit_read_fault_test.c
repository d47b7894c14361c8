/* SPDX-License-Identifier: MIT */
/* Readers and queries, each allocation failing in turn: told, nothing leaked, nothing lost from a
 * file that can be read. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/audit_generate.h"
#include "support/failing_alloc.h"
#include "tools/review/query.h"
#include "tools/review/read.h"

enum { RECORDS = 300 };

static char folder[64], plain[96], packed[96], long_file[96];

static void make_files(void)
{
    const struct generate generate = {.seed = 3, .count = RECORDS};
    char command[512];

    strcpy(folder, "/tmp/miguard-read-fault-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(plain, sizeof(plain), "%s/log", folder);
    snprintf(packed, sizeof(packed), "%s/log.1.gz", folder);
    snprintf(long_file, sizeof(long_file), "%s/long", folder);
    ck_assert(audit_generate(plain, &generate));
    snprintf(command, sizeof(command),
             "gzip -c %s > %s && { printf '{\"x\":\"'; head -c 900000 /dev/zero | tr '\\0' x; "
             "echo '\"}'; } > %s",
             plain, packed, long_file);
    ck_assert_int_eq(system(command), 0);
}

static void remove_files(void)
{
    unlink(plain);
    unlink(packed);
    unlink(long_file);
    rmdir(folder);
}

/* All, without a look at them. */
static bool any_record(const void *context, const struct record *record)
{
    (void)context;
    (void)record;
    return true;
}

static const char made[] = "made of it";

static void write_made(const void *context, struct record_expander *expander,
                       const struct record *record, struct text *text)
{
    (void)context;
    (void)expander;
    (void)record;
    text_append(text, made);
}

/* How many records came; a file that failed is counted in *ret_failures. only: by read_only(). */
static int read_all(const char *const *files, size_t count, bool only, int *ret_failures)
{
    const struct scan_filter filter = {.matches = any_record, .write = write_made};
    struct log_reader *reader = NULL;
    struct miguard_error error = {0};
    struct record record;
    struct read_place place;
    const char *what = NULL;
    int records = 0;

    *ret_failures = 0;
    if (read_open(files, count, READ_BY_TIME, &reader, &error) != MIGUARD_OK) {
        ck_assert_int_eq(error.status, MIGUARD_NO_MEMORY);
        ck_assert_ptr_null(reader);
        return -1;
    }
    if (only && !read_only(reader, &filter, 1)) {
        read_close(reader);
        return -1;
    }
    for (;;) {
        switch (read_next(reader, &record, &place, &what)) {
        case READ_RECORD:
            records++; /* none without what was made of it */
            ck_assert(!only || (read_text(reader).length == strlen(made) &&
                                memcmp(read_text(reader).at, made, strlen(made)) == 0));
            break;
        case READ_BROKEN:
            ck_abort_msg("%s", what);
            break;
        case READ_FAILED:
            ck_assert_ptr_nonnull(strstr(what, "out of memory"));
            ++*ret_failures;
            break;
        case READ_PASSED:
            break;
        case READ_END:
            read_close(reader);
            return records;
        }
    }
}

START_TEST(reading)
{
    int failures = 0, rounds = 0;

    make_files();
    const char *files[] = {packed, plain, long_file};
    do {
        countdown = rounds++;
        failed = false;
        int records = read_all(files, 3, _i == 1, &failures);
        ck_assert_int_eq(outstanding, 0);
        /* Without memory to remember lines it only takes longer. */
        ck_assert_msg(!failed || records == -1 || failures == 1 || records == 2 * RECORDS + 1,
                      "allocation %d", rounds - 1);
        ck_assert_msg(failed || (records == 2 * RECORDS + 1 && failures == 0), "%d", records);
        ck_assert_msg(records == -1 || failures > 0 || records >= 2 * RECORDS, "%d", records);
    } while (failed);
    ck_assert_int_gt(rounds, 12);
    countdown = -1;
    remove_files();
}
END_TEST

/* Two files of one chain, one of them packed. */
START_TEST(chain)
{
    char first[160], second[160], command[1024];
    int failures = 0, rounds = 0;

    make_files();
    snprintf(first, sizeof(first), "%s/first", folder);
    snprintf(second, sizeof(second), "%s/second", folder);
    snprintf(command, sizeof(command), "head -n 2 '%s' | gzip > '%s'; tail -n +3 '%s' > '%s'",
             plain, first, plain, second);
    ck_assert_int_eq(system(command), 0);
    const char *files[] = {second, first};
    do {
        countdown = rounds++;
        failed = false;
        int records = read_all(files, 2, _i == 1, &failures);
        ck_assert_int_eq(outstanding, 0);
        ck_assert_msg(records == -1 || failures > 0 || records == RECORDS, "%d records", records);
        ck_assert(failed || (records == RECORDS && failures == 0));
    } while (failed);
    ck_assert_int_gt(rounds, 12);
    countdown = -1;
    unlink(first);
    unlink(second);
    remove_files();
}
END_TEST

START_TEST(listing)
{
    int rounds = 0;

    make_files();
    do {
        char **files = NULL;
        size_t count = 0;
        countdown = rounds++;
        failed = false;
        enum miguard_status status = read_family(plain, &files, &count, NULL);
        ck_assert_int_eq(status, failed ? MIGUARD_NO_MEMORY : MIGUARD_OK);
        /* the packed one begins as the other does */
        ck_assert(failed ? files == NULL : count == 1);
        base_free(files);
        ck_assert_int_eq(outstanding, 0);
    } while (failed);
    ck_assert_int_ge(rounds, 4);
    countdown = -1;
    remove_files();
}
END_TEST

/* A background thread asks the directory. In a process with more threads, as an emulator has them,
 * nothing waits for its end: it may be the last to let go of the question. */
static void wait_for_the_directory(void)
{
    for (int i = 0; i < 500 && outstanding != 0; i++) {
        usleep(10000);
    }
}

START_TEST(asking)
{
    static const char *const conditions[][2] = {
        {"--user", "root"}, {"--text", "x"}, {"--start", "today"},    {"--pid", "1"},
        {"--or", NULL},     {"--not", NULL}, {"--saved", "refusals"}, {"--saved", "mine"}};
    const int count = sizeof(conditions) / sizeof(conditions[0]);
    char queries[] = "/tmp/miguard-read-fault-XXXXXX", path[64];
    int rounds = 0;

    ck_assert_ptr_nonnull(mkdtemp(queries));
    snprintf(path, sizeof(path), "%s/mine.query", queries);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs("--provider x\n--or\n--user root\n", file);
    fclose(file);
    setenv("MIGUARD_QUERIES", queries, 1);

    do {
        countdown = rounds++;
        failed = false;
        struct query *query = query_new();
        for (int i = 0; query != NULL && i < count; i++) {
            bool before = failed;
            enum miguard_status status = query_add(query, conditions[i][0], conditions[i][1], NULL);
            ck_assert_int_eq(status, failed && !before ? MIGUARD_NO_MEMORY : MIGUARD_OK);
        }
        query_free(query);
        wait_for_the_directory();
        ck_assert_int_eq(outstanding, 0);
    } while (failed);
    ck_assert_int_ge(rounds, 8);
    countdown = -1;
    unlink(path);
    rmdir(queries);
}
END_TEST

static Suite *suite(void)
{
    Suite *whole = suite_create("audit_read_fault");
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, reading, 0, 2);
    tcase_add_loop_test(all, chain, 0, 2);
    tcase_add_test(all, listing);
    tcase_add_test(all, asking);
    suite_add_tcase(whole, all);
    return whole;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return count == 0 ? 0 : 1;
}
