/* SPDX-License-Identifier: MIT */
/* The folder of a log that is missing: made where nobody else has a say, or refused. */
#include <cap-ng.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "identity/trust.h"
#include "support/log_file.h"

enum { OTHER = 54321 };

static char root[64];

static void set_up(void)
{
    strcpy(root, "/tmp/miguard-folder-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(chmod(root, 0755), 0);
}

static void run(const char *format)
{
    char command[512];

    snprintf(command, sizeof(command), format, root);
    ck_assert_int_eq(system(command), 0);
}

static void tear_down(void)
{
    run("rm -rf '%s'");
}

static const struct row {
    const char *what, *before, *log;
    mode_t umask;
    bool has_gid, for_root;
    const char *problem; /* NULL: it is made */
    int error;
} rows[] = {
    {"missing", "true", "%s/log/a.jsonl", 022, false, false, NULL, 0},
    {"umask 0", "true", "%s/log/a.jsonl", 0, false, false, NULL, 0},
    {"umask 0777", "true", "%s/log/a.jsonl", 0777, false, false, NULL, 0},
    {"two slashes", "true", "%s/log//a.jsonl", 022, false, false, NULL, 0},
    {"for a group", "true", "%s/log/a.jsonl", 022, true, true, NULL, 0},
    {"a parent that hands its group on", "chgrp 12345 %1$s; chmod 2755 %1$s", "%s/log/a.jsonl", 022,
     false, true, NULL, 0},
    {"nothing above either", "true", "%s/none/log/a.jsonl", 022, false, false, "No such file",
     ENOENT},
    {"above for all", "chmod 777 %s", "%s/log/a.jsonl", 022, false, false,
     "the folder is writable by its group and everybody", EPERM},
    {"above for its group", "chmod 775 %s", "%s/log/a.jsonl", 022, false, false,
     "mode 0755, or chmod +t and make the log's folder yourself", EPERM},
    {"above sticky", "chmod 1777 %s", "%s/log/a.jsonl", 022, false, false,
     "sticky is not enough; right would be mode 0755, or make the log", EPERM},
    {"above for its group, made by hand", "chmod 775 %1$s; mkdir -m 750 %1$s/log", "%s/log/a.jsonl",
     022, false, false, "mode 0755, or chmod +t and make the log's folder yourself", EPERM},
    {"above sticky for its group, made by hand", "chmod 1775 %1$s; mkdir -m 750 %1$s/log",
     "%s/log/a.jsonl", 022, false, false, NULL, 0},
    {"itself for its group", "mkdir -m 1770 %1$s/log", "%s/log/a.jsonl", 022, false, false,
     "sticky is not enough; right would be mode 0750", EPERM},
    {"above somebody's", "chown 12345 %s", "%s/log/a.jsonl", 022, false, true,
     "the folder belongs to uid 12345", EPERM},
    {"a link above", "mkdir %1$s/real; ln -s real %1$s/link", "%s/link/log/a.jsonl", 022, false,
     false, "a symbolic link leads here", EPERM},
    {"a link to nowhere", "ln -s nowhere %1$s/log", "%s/log/a.jsonl", 022, false, false,
     "a symbolic link leads here", EPERM},
    {"a file above", "touch %1$s/file", "%s/file/log/a.jsonl", 022, false, false,
     "a file stands where a folder must be", EPERM},
};

static bool exists(const char *format)
{
    char name[160];
    struct stat status;

    snprintf(name, sizeof(name), format, root);
    return lstat(name, &status) == 0;
}

static void check_made(const struct row *row)
{
    char name[160];
    struct stat status;

    snprintf(name, sizeof(name), "%s/log", root);
    ck_assert_int_eq(stat(name, &status), 0);
    ck_assert_msg((status.st_mode & 07777) == 0750, "%s: %o", row->what, status.st_mode);
    ck_assert_uint_eq(status.st_uid, geteuid());
    ck_assert_uint_eq(status.st_gid, row->has_gid ? 12345 : getegid());
    ck_assert(exists("%s/log/a.jsonl.state"));
}

static enum miguard_status open_log(const char *format, const struct row *row,
                                    struct miguard_error *error)
{
    char name[160];
    struct log_process process = {0};
    struct log_file *file = NULL;

    snprintf(name, sizeof(name), format, root);
    struct sink_settings settings = log_file_settings(name);
    settings.has_gid = row != NULL && row->has_gid;
    settings.gid = 12345;
    enum miguard_status status = file_open(&settings, &process, &file, error);
    file_close(file);
    return status;
}

START_TEST(a_missing_folder)
{
    const struct row *row = &rows[_i];
    struct miguard_error error = {0};

    if (row->for_root && geteuid() != 0) {
        return; /* chown(2) is for root */
    }
    run(row->before);
    mode_t old = umask(row->umask);
    enum miguard_status status = open_log(row->log, row, &error);
    ck_assert_uint_eq(umask(old), row->umask);
    if (row->problem == NULL) {
        ck_assert_msg(status == MIGUARD_OK, "%s: %s", row->what, error.detail);
        check_made(row);
        return;
    }
    ck_assert_msg(status == MIGUARD_SYSTEM && error.system_errno == row->error, "%s: %d %s",
                  row->what, status, error.detail);
    ck_assert_msg(strstr(error.detail, row->problem) != NULL, "%s: %s", row->what, error.detail);
    ck_assert_msg((strstr(row->before, "%1$s/log") != NULL || !exists("%s/log/")) &&
                      !exists("%s/real/log") && !exists("%s/none") && !exists("%s/nowhere"),
                  "%s: something was made", row->what);
}
END_TEST

/* `miguard audit init` begins a log by the same rules. */
START_TEST(init_makes_it_too)
{
    char name[160];
    struct chain_key key = {.present = false};
    struct miguard_error error = {0};

    snprintf(name, sizeof(name), "%s/log/a.jsonl", root);
    ck_assert(chain_init());
    ck_assert_msg(file_init(name, &key, FILE_EARLIER_REFUSE, NULL, &error) == MIGUARD_OK, "%s",
                  error.detail);
    check_made(&rows[0]);
}
END_TEST

/* A folder that is lost later is not made again behind the back of who removed it. */
START_TEST(a_folder_is_made_once)
{
    char name[160];
    enum audit_loss loss = 0;
    uint64_t sequence;

    snprintf(name, sizeof(name), "%s/log/a.jsonl", root);
    struct sink_settings settings = log_file_settings(name);
    struct log_file *file = log_file_open(&settings, true);
    ck_assert_ptr_nonnull(file);
    ck_assert(log_file_append(file, 1, 0, &loss, &sequence));
    run("mv %1$s/log %1$s/away");
    (void)log_file_append(file, 2, 0, &loss, &sequence);
    ck_assert(!exists("%s/log"));
    file_close(file);
}
END_TEST

static int in_child(int (*function)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        _exit(function());
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int as_somebody_else(void)
{
    struct miguard_error error = {0};
    char wanted[32];

    if (setresgid(OTHER, OTHER, OTHER) != 0 || setresuid(OTHER, OTHER, OTHER) != 0) {
        return 2;
    }
    snprintf(wanted, sizeof(wanted), "uid %d cannot make it", OTHER);
    bool refused = open_log("%s/log/a.jsonl", NULL, &error) == MIGUARD_SYSTEM &&
                   strstr(error.detail, wanted) != NULL &&
                   strstr(error.detail, "Permission denied") != NULL;
    fprintf(stderr, "%s", refused ? "" : error.detail);
    return refused && !exists("%s/log") ? 0 : 1;
}

static enum trust_result make(const char *format, char problem[TRUST_PROBLEM])
{
    char name[160];
    struct stat status;
    int fd = -1;

    snprintf(name, sizeof(name), format, root);
    enum trust_result result = trust_make_folder(name, 0750, getegid(), problem, &fd, &status);
    if (result == TRUST_OPENED) {
        close(fd);
    }
    return result;
}

/* The folder would belong to the filesystem uid: then it is taken away again. */
static int as_another_fsuid(void)
{
    static char problem[TRUST_PROBLEM];

    setfsuid(OTHER);
    if (capng_get_caps_process() != 0 ||
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_DAC_OVERRIDE) != 0 ||
        capng_apply(CAPNG_SELECT_CAPS) != 0) {
        return 2;
    }
    bool refused = make("%s/log", problem) == TRUST_REFUSED;
    return refused && strstr(problem, "cannot make it") != NULL && !exists("%s/log") ? 0 : 1;
}

START_TEST(who_may_not_make_it_is_told)
{
    if (geteuid() != 0) {
        return;
    }
    ck_assert_int_eq(in_child(as_somebody_else), 0);
    ck_assert_int_eq(in_child(as_another_fsuid), 0);
}
END_TEST

/* Opening refuses these before; another process may put them there in between. */
START_TEST(what_is_not_made_by_itself)
{
    static char problem[TRUST_PROBLEM];

    run("mkdir %1$s/real; ln -s real %1$s/link; touch %1$s/file");
    ck_assert_int_eq(make("%s/link/log", problem), TRUST_REFUSED);
    ck_assert_msg(strstr(problem, "is not made through a symbolic link") != NULL, "%s", problem);
    ck_assert_int_eq(make("%s/file/log", problem), TRUST_REFUSED);
    ck_assert_msg(strstr(problem, "is not a folder") != NULL, "%s", problem);
    ck_assert(!exists("%s/real/log"));
    ck_assert_int_eq(make("%s/link", problem),
                     TRUST_OPENED); /* there meanwhile: judged, not made */
    ck_assert_int_eq(make("%s/file", problem), TRUST_OPENED);
    ck_assert_int_eq(make("%s/none/log", problem), TRUST_ABSENT);
    ck_assert_int_eq(make("%s/..", problem), TRUST_ABSENT);
    ck_assert_int_eq(make("%s/.", problem), TRUST_ABSENT);
    ck_assert_int_eq(make("/", problem), TRUST_ABSENT);
    ck_assert_int_eq(make("", problem), TRUST_ABSENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log folder");
    TCase *cases = tcase_create("folder");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, a_missing_folder, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(cases, init_makes_it_too);
    tcase_add_test(cases, a_folder_is_made_once);
    tcase_add_test(cases, what_is_not_made_by_itself);
    tcase_add_test(cases, who_may_not_make_it_is_told);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
