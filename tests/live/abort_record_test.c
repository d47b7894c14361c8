/* SPDX-License-Identifier: MIT */
/* Where the library aborts the process since a thread cannot be restored (invariant 5), the log has
 * a record of it by then, which says why. */
#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard.h"
#include "support/log.h"

enum { SOMEBODY = 12345 };

/* ---- a call that is denied when one of its arguments is this --------------------------------- */

struct denied {
    unsigned call, argument, value;
    unsigned option; /* of prctl(2), its first argument; else 0 */
};

#define LOAD(at)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(at))
#define UNLESS(k, by) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (by))
#define ARGUMENT(n)   (offsetof(struct seccomp_data, args) + 8 * (n))

static bool deny(const struct denied *denied)
{
    struct sock_filter code[] = {
        LOAD(offsetof(struct seccomp_data, nr)),
        UNLESS(denied->call, 5),
        LOAD(ARGUMENT(0)),
        UNLESS(denied->option, 3),
        LOAD(ARGUMENT(denied->argument)),
        UNLESS(denied->value, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* ---- three ends ------------------------------------------------------------------------------ */

static struct miguard_target *target;

/* The real uid of root cannot be set again. */
static void cannot_come_back(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        miguard_switch_to(target, NULL) == MIGUARD_OK &&
        deny(&(struct denied){SYS_setresuid, 0, 0, 0})) {
        (void)!miguard_switch_back(NULL);
    }
}

/* The rehearsal keeps 0 as the saved uid, and so may be made. By the time the drop fails it has
 * emptied the bounding set. */
static void cannot_drop(void)
{
    if (deny(&(struct denied){SYS_setresuid, 2, SOMEBODY, SOMEBODY})) {
        (void)!miguard_drop(target, NULL);
    }
}

/* The flag can be set and not taken back. */
static void cannot_turn_back(void)
{
    if (deny(&(struct denied){SYS_prctl, 1, 0, PR_SET_KEEPCAPS})) {
        (void)!miguard_switch_to(target, NULL);
    }
}

static const struct {
    const char *what;
    void (*body)(void);
    const char *action, *why;
} rows[] = {
    {"way back", cannot_come_back, "identity-restore",
     "no call that is still permitted restores this thread"},
    {"drop", cannot_drop, "drop", "no call that is still permitted restores this thread"},
    {"witness", cannot_turn_back, "identity-restore", "PR_SET_KEEPCAPS: the flag was toggled"},
};

static int end_of(void (*body)(void))
{
    const struct rlimit no_core = {0, 0};
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
    int status = 0;

    (void)log_path(); /* that of this process, for both */
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        log_start();
        if (miguard_target_ids(SOMEBODY, SOMEBODY, &none, &target, NULL) == MIGUARD_OK) {
            body();
        }
        _exit(1);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

START_TEST(each_abort_has_its_record)
{
    if (geteuid() != 0) {
        printf("skip: abort of a %s: needs root\n", rows[_i].what);
        return;
    }
    int status = end_of(rows[_i].body);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s: status %#x",
                  rows[_i].what, status);
    ck_assert_int_eq(log_mentions("switch-failed"), 1);
    ck_assert_int_eq(log_count(NULL, "switch-failed"), 1);
    ck_assert_msg(log_mentions(rows[_i].why) == 1, "%s: \"%s\"", rows[_i].what,
                  log_last("miguard.attempt"));
    ck_assert_int_eq(log_mentions("the process is aborted"), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("abort record");
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, each_abort_has_its_record, 0, sizeof(rows) / sizeof(rows[0]));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
