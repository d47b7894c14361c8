/* SPDX-License-Identifier: MIT */
/* rotate: holds for each file, whoever writes it and however short a writer lives. */
#include <check.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/file_internal.h"
#include "support/log_file.h"

enum { LIMIT = 64 * 1024, PADDING = 5000 };

static char folder[64], path[128];
static struct chain_key key;
static struct log_check check;

static void set_up(void)
{
    strcpy(folder, "/tmp/miguard-rotate-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    memset(&key, 0, sizeof(key));
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct log_file *open_log(void)
{
    struct sink_settings settings = log_file_settings(path);

    settings.sync = AUDIT_SYNC_NONE;
    settings.rotate_bytes = LIMIT;
    settings.keep = 0;
    struct log_file *file = log_file_open(&settings, true);
    ck_assert_ptr_nonnull(file);
    return file;
}

/* The longest file; *ret_count of all. */
static off_t longest(size_t *ret_count)
{
    char pattern[160];
    struct stat status;
    off_t most = 0;
    glob_t found;

    snprintf(pattern, sizeof(pattern), "%s.[0-9]*", path);
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        ck_assert_int_eq(stat(found.gl_pathv[i], &status), 0);
        most = status.st_size > most ? status.st_size : most;
    }
    *ret_count = found.gl_pathc;
    globfree(&found);
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_size > most ? status.st_size : most;
}

static void within_limit(size_t files)
{
    size_t count = 0;
    off_t most = longest(&count);

    ck_assert_msg(most <= LIMIT, "a file has %lld bytes", (long long)most);
    ck_assert_uint_ge(count, files);
    log_file_check(path, &key, &check);
    ck_assert_msg(check.breaks == 0, "%s", check.problem);
    ck_assert_uint_eq(check.missing, 0);
}

static void append(struct log_file *file, unsigned id, size_t padding)
{
    enum audit_loss loss = 0;
    uint64_t sequence;

    ck_assert_msg(log_file_append(file, id, padding, &loss, &sequence), "%s",
                  audit_loss_name(loss));
}

static void wait_for(pid_t child)
{
    int status = 0;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* _i: without a key, with one, whose seals count, too. */
START_TEST(many_short_processes)
{
    enum { AT_ONCE = 4, ROUNDS = 60 };
    pid_t children[AT_ONCE];

    if (_i == 1) {
        ck_assert(chain_init());
        chain_key_new(&key);
        ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < AT_ONCE; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                struct log_file *file = open_log();
                for (unsigned j = 0; j < 5; j++) {
                    append(file, round * 20 + i * 5 + j, (round * 977 + j * 613) % PADDING);
                }
                file_close(file);
                _exit(0);
            }
        }
        for (unsigned i = 0; i < AT_ONCE; i++) {
            wait_for(children[i]);
        }
    }
    within_limit(20);
    ck_assert_uint_ge(check.records, ROUNDS * 20);
}
END_TEST

/* A seal that is due just where the file is full goes to the next one. */
START_TEST(a_seal_counts)
{
    ck_assert(chain_init());
    chain_key_new(&key);
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    struct log_file *file = open_log();
    struct state_head *head;

    for (unsigned i = 0; i < 400; i++) {
        enum audit_loss loss;
        append(file, i, 300 + i % 7);
        ck_assert(file_lock(file, &loss));
        head = state_begin(&file->state);
        head->epoch_start = 1; /* a seal is due */
        state_commit(&file->state);
        file_unlock(file);
    }
    file_close(file);
    within_limit(5);
    ck_assert_uint_ge(check.seals, 300);
}
END_TEST

/* ---- other identities ------------------------------------------------------------------------ */

static bool become(uid_t uid)
{
    return syscall(SYS_setresuid, -1, uid, -1) == 0;
}

static void *write_as_nobody(void *context)
{
    enum audit_loss loss = 0;
    uint64_t sequence;

    if (!become(65534)) {
        return "setresuid";
    }
    for (unsigned i = 0; i < 200; i++) {
        if (!log_file_append(context, i, PADDING, &loss, &sequence)) {
            return (void *)(uintptr_t)audit_loss_name(loss);
        }
    }
    return NULL;
}

START_TEST(a_thread_that_may_not_rotate_waits_for_the_keeper)
{
    pthread_t keeper, writer;
    void *failed = NULL;

    if (geteuid() != 0) {
        printf("skip: a thread of another identity: needs root\n");
        return;
    }
    struct log_file *file = open_log();
    file_set_keeper(file, true);
    pthread_create(&keeper, NULL, log_file_keep, file);
    pthread_create(&writer, NULL, write_as_nobody, file);
    pthread_join(writer, &failed);
    file_set_keeper(file, false);
    pthread_join(keeper, NULL);
    file_close(file);
    ck_assert_msg(failed == NULL, "%s", (const char *)failed);
    within_limit(15);
    ck_assert_uint_eq(check.seen[199], 1);
}
END_TEST

/* Without a keeper there is nobody to do it: nothing is lost, and the first record of a thread that
 * may rotates. */
START_TEST(an_identity_that_is_back_rotates_at_once)
{
    size_t count = 0;
    glob_t found;
    char pattern[160];

    if (geteuid() != 0) {
        printf("skip: a thread of another identity: needs root\n");
        return;
    }
    struct log_file *file = open_log();
    append(file, 1, PADDING);
    ck_assert(become(65534));
    for (unsigned i = 2; i < 20; i++) {
        append(file, i, PADDING);
    }
    snprintf(pattern, sizeof(pattern), "%s.[0-9]*", path);
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), GLOB_NOMATCH);
    ck_assert(become(0));
    append(file, 20, PADDING);
    file_close(file);
    (void)longest(&count);
    ck_assert_uint_eq(count, 1);
    log_file_check(path, &key, &check);
    ck_assert_uint_eq(check.breaks + check.missing, 0);
}
END_TEST

/* A process begins with its own identity: what it will write with another has room then. */
START_TEST(a_process_that_begins_makes_room)
{
    if (geteuid() != 0) {
        printf("skip: a thread of another identity: needs root\n");
        return;
    }
    for (unsigned i = 0; i < 60; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct log_file *file = open_log();
            log_file_begin(file);
            bool became = become(65534);
            for (unsigned j = 0; j < 5; j++) {
                append(file, i * 5 + j, 2000);
            }
            file_close(file);
            _exit(became ? 0 : 1);
        }
        wait_for(child);
    }
    within_limit(8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rotation by size");
    TCase *cases = tcase_create("rotate");

    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, many_short_processes, 0, 2);
    tcase_add_test(cases, a_seal_counts);
    tcase_add_test(cases, a_thread_that_may_not_rotate_waits_for_the_keeper);
    tcase_add_test(cases, an_identity_that_is_back_rotates_at_once);
    tcase_add_test(cases, a_process_that_begins_makes_room);
    suite_add_tcase(suite, cases);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? 0 : 1;
}
