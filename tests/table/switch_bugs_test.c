/* SPDX-License-Identifier: MIT */
/*
 * Mistakes that programs which switch identity have made, each with what would have caught it: a
 * row is a kind of mistake, where it was made, and the check that fails if it is made here.
 *
 * This file defines the table of kernel calls in place of src/identity/kernel.c, for the kernel's
 * answers that cannot be had at will. What a thread is, is read by raw system calls.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support/elsewhere.h"
#include "support/raw.h"
#include "support/real_kernel.h"
#include "support/userns.h"
#include "switch/switch.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define CAP(NAME)     ((uint64_t)1 << CAP_##NAME)

enum { SOMEBODY = 12345, OTHER = 23456 };

/* ---- what the kernel is made to answer --------------------------------------------------- */

static long setresuid_answer = 1, setgroups_answer = 1, capset_answer = 1; /* 1: its own */

static long call_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    return setresuid_answer != 1 ? setresuid_answer : real_kernel.setresuid(real, effective, saved);
}

static long call_setgroups(size_t size, const gid_t *list)
{
    return setgroups_answer != 1 ? setgroups_answer : real_kernel.setgroups(size, list);
}

static long call_capset(struct __user_cap_header_struct *header,
                        const struct __user_cap_data_struct *data)
{
    return capset_answer != 1 ? capset_answer : real_kernel.capset(header, data);
}

#define FORWARD(name, parameters, ...)                                                             \
    static long call_##name parameters                                                             \
    {                                                                                              \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }

FORWARD(getresuid, (uid_t * a, uid_t *b, uid_t *c), a, b, c)
FORWARD(getresgid, (gid_t * a, gid_t *b, gid_t *c), a, b, c)
FORWARD(getgroups, (int size, gid_t *list), size, list)
FORWARD(capget, (struct __user_cap_header_struct * h, struct __user_cap_data_struct *d), h, d)
FORWARD(open, (const char *path, int flags), path, flags)
FORWARD(read, (int fd, void *buffer, size_t size), fd, buffer, size)
FORWARD(close, (int fd), fd)
FORWARD(readlink, (const char *path, char *buffer, size_t size), path, buffer, size)
FORWARD(gettid, (void))
FORWARD(getpid, (void))
FORWARD(session_keyring, (void))
FORWARD(setfsuid, (uid_t uid), uid)
FORWARD(setfsgid, (gid_t gid), gid)
FORWARD(prctl, (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d),
        option, a, b, c, d)
FORWARD(setresgid, (gid_t a, gid_t b, gid_t c), a, b, c)

const struct identity_kernel identity_kernel = {
    .getresuid = call_getresuid,
    .getresgid = call_getresgid,
    .getgroups = call_getgroups,
    .capget = call_capget,
    .open = call_open,
    .read = call_read,
    .close = call_close,
    .readlink = call_readlink,
    .gettid = call_gettid,
    .getpid = call_getpid,
    .session_keyring = call_session_keyring,
    .setfsuid = call_setfsuid,
    .setfsgid = call_setfsgid,
    .prctl = call_prctl,
    .setresuid = call_setresuid,
    .setresgid = call_setresgid,
    .setgroups = call_setgroups,
    .capset = call_capset,
};

/* ---- what a thread is -------------------------------------------------------------------- */

struct seen {
    uid_t uid[4];
    gid_t gid[4], groups[32];
    long group_count;
    struct __user_cap_data_struct cap[2];
    int securebits;
};

static struct seen look(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct seen seen;

    memset(&seen, 0, sizeof(seen));
    syscall(SYS_getresuid, &seen.uid[0], &seen.uid[1], &seen.uid[2]);
    syscall(SYS_getresgid, &seen.gid[0], &seen.gid[1], &seen.gid[2]);
    seen.uid[3] = (uid_t)syscall(SYS_setfsuid, -1);
    seen.gid[3] = (gid_t)syscall(SYS_setfsgid, -1);
    seen.group_count = syscall(SYS_getgroups, 32, seen.groups);
    syscall(SYS_capget, &header, seen.cap);
    seen.securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    return seen;
}

static bool same(const struct seen *a, const struct seen *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static const struct miguard_groups clear = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};

/* Kept until the child that runs the row is gone. */
static struct miguard_target *made[64];
static int made_count;

static struct miguard_target *somebody(uid_t uid)
{
    struct miguard_target **target = &made[made_count++];
    return miguard_target_ids(uid, uid, &clear, target, NULL) == MIGUARD_OK ? *target : NULL;
}

/* ---- the rows ---------------------------------------------------------------------------- */

/* 1: the call fails, is not looked at, and the program goes on as root. */
static int unchecked_setuid(void)
{
    struct miguard_target *target = somebody(SOMEBODY);
    struct miguard_error error;
    enum miguard_status status = MIGUARD_OK;
    bool ran = false;

    const struct seen before = look();
    setresuid_answer = -EAGAIN;
    EXPECT(miguard_switch_to(target, &error) == MIGUARD_NOT_PERMITTED);
    EXPECT(error.system_errno == EAGAIN && strcmp(error.step, "setresuid") == 0);
    EXPECT(strstr(error.detail, "RLIMIT_NPROC") != NULL);
    MIGUARD_SWITCHED(target, &status, NULL)
    {
        ran = true;
    }
    EXPECT(!ran && status == MIGUARD_NOT_PERMITTED);
    EXPECT(miguard_drop(target, &error) == MIGUARD_NOT_PERMITTED);
    setresuid_answer = 0; /* "done" */
    EXPECT(miguard_switch_to(target, &error) == MIGUARD_NOT_VERIFIED);
    setresuid_answer = 1;
    const struct seen after = look();
    EXPECT(same(&before, &after) && miguard_switch_depth() == 0);

    /* And where the limit is real the outcome is one of two, and known. */
    EXPECT(setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0}) == 0);
    status = miguard_switch_to(target, NULL);
    const struct seen there = look();
    EXPECT((status == MIGUARD_OK) == (there.uid[1] == SOMEBODY));
    return 0;
}

/* 2: ids are changed and the groups of root stay. */
static int forgotten_groups(void)
{
    const gid_t of_root[] = {1, 2, 3, 27};
    const struct miguard_groups no_choice = {.choice = (enum miguard_groups_choice)0};
    static struct miguard_target *target;

    EXPECT(raw_setgroups(4, of_root));
    EXPECT(miguard_target_ids(SOMEBODY, SOMEBODY, NULL, &target, NULL) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(miguard_target_ids(SOMEBODY, SOMEBODY, &no_choice, &target, NULL) ==
           MIGUARD_INVALID_ARGUMENT);
    EXPECT(miguard_target_user("nobody", &target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    struct seen seen = look();
    for (long i = 0; i < seen.group_count; i++) {
        EXPECT(seen.groups[i] > 27);
    }
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    seen = look();
    EXPECT(seen.group_count == 4);
    setgroups_answer = 0; /* "done": the ids alone would look right */
    EXPECT(miguard_switch_to(somebody(SOMEBODY), NULL) == MIGUARD_NOT_VERIFIED);
    seen = look();
    EXPECT(seen.uid[1] == 0 && seen.group_count == 4);
    setgroups_answer = 1;
    EXPECT(miguard_switch_to(somebody(SOMEBODY), NULL) == MIGUARD_OK);
    seen = look();
    EXPECT(seen.group_count == 0);
    return 0;
}

/* 3: an id of -1 means "as it is", and so root. */
static int minus_one(void)
{
    static const char *const users[] = {"-1", "4294967295", "18446744073709551615", "-1 "};
    const gid_t list[] = {5, (gid_t)-1};
    const struct miguard_groups groups = {MIGUARD_GROUPS_LIST, list, 2, NULL};
    struct miguard_target *target = NULL;

    for (int i = 0; i < LENGTH(users); i++) {
        EXPECT(miguard_target_user(users[i], &target, NULL) == MIGUARD_NOT_FOUND);
    }
    EXPECT(miguard_target_ids((uid_t)-1, 5, &clear, &target, NULL) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(miguard_target_ids(5, (gid_t)-1, &clear, &target, NULL) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(miguard_target_ids(5, 5, &groups, &target, NULL) == MIGUARD_INVALID_ARGUMENT);
    /* A socket without a peer has that id. */
    EXPECT(miguard_target_peer(socket(AF_UNIX, SOCK_STREAM, 0), &target, NULL) ==
           MIGUARD_INVALID_ARGUMENT);
    EXPECT(target == NULL && look().uid[1] == 0);
    return 0;
}

/* 4: what was never filled in is zero, and zero is root. */
static int zero_is_root(void)
{
    struct miguard_identity zero;
    struct miguard_target *target = NULL;
    struct switch_frame frame;
    struct miguard_scope scope = {0, 0, false};

    memset(&zero, 0, sizeof(zero));
    struct miguard_target *user = somebody(SOMEBODY);
    EXPECT(miguard_switch_to(user, NULL) == MIGUARD_OK);
    EXPECT(miguard_target_identity(&zero, &target, NULL) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(switch_adopt(&zero, &frame, NULL) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(miguard_switch_to(NULL, NULL) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(miguard_target_user("", &target, NULL) == MIGUARD_INVALID_ARGUMENT);
    switch_restore(&frame);
    miguard_scope_leave(&scope);
    EXPECT(target == NULL && look().uid[1] == SOMEBODY);
    return 0;
}

/* 5: one thread switches, and all do. */
static atomic_bool over;
static atomic_int wrong;

static void *watch_oneself(void *unused)
{
    const struct seen before = look();
    (void)unused;
    while (!atomic_load(&over)) {
        const struct seen now = look();
        if (!same(&before, &now)) {
            atomic_store(&wrong, __LINE__);
        }
    }
    return NULL;
}

static int wrappers_change_all(void)
{
    pthread_t watcher;
    struct miguard_target *target = somebody(SOMEBODY);

    EXPECT(pthread_create(&watcher, NULL, watch_oneself, NULL) == 0);
    for (int i = 0; i < 500; i++) {
        EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
        EXPECT(look().uid[1] == SOMEBODY);
        EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    }
    atomic_store(&over, true);
    EXPECT(pthread_join(watcher, NULL) == 0 && atomic_load(&wrong) == 0);
    return 0;
}

/* 6: the way back leads to 0 and not to who one was; its effective capabilities are gone. */
static int back_to_zero(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct miguard_target *root = somebody(0), *other = somebody(OTHER);
    struct seen before = look();

    EXPECT(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && raw_setresgid(7, 8, 9) &&
           raw_setresuid(1001, 1002, 1003) && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0);
    before.cap[0].effective = (uint32_t)(CAP(SETUID) | CAP(KILL));
    before.cap[1].effective = 0;
    EXPECT(syscall(SYS_capset, &header, before.cap) == 0);
    before = look();
    EXPECT(before.uid[1] == 1002 && before.cap[0].effective == (CAP(SETUID) | CAP(KILL)));
    EXPECT(miguard_switch_to(root, NULL) == MIGUARD_OK && look().uid[1] == 0);
    EXPECT(miguard_switch_to(other, NULL) == MIGUARD_OK && look().uid[1] == OTHER);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK && look().uid[1] == 0);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    const struct seen after = look();
    EXPECT(same(&before, &after));
    return 0;
}

/* 7: a thread of a pool keeps the last user's identity; one made before the drop stays root. */
static atomic_int job, line_of_worker;

static void a_job_that_forgets(struct miguard_target *target)
{
    enum miguard_status status;
    MIGUARD_SWITCHED(target, &status, NULL)
    {
        if (miguard_switch_to(target, NULL) != MIGUARD_OK) {
            atomic_store(&line_of_worker, __LINE__);
        }
        return; /* with one switch that nobody undid */
    }
}

static void *worker(void *target)
{
    const struct seen before = look();
    for (int i = 0; i < 50; i++) {
        a_job_that_forgets(target);
        const struct seen after = look();
        if (!same(&before, &after)) {
            atomic_store(&line_of_worker, __LINE__);
        }
    }
    atomic_store(&job, 1);
    while (atomic_load(&job) == 1) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    if (look().uid[0] != SOMEBODY || raw_setresuid(0, 0, 0)) {
        atomic_store(&line_of_worker, __LINE__);
    }
    return NULL;
}

static int pool_threads(void)
{
    struct miguard_target *target = somebody(SOMEBODY);
    pthread_t thread;

    EXPECT(pthread_create(&thread, NULL, worker, target) == 0);
    while (atomic_load(&job) == 0) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
#ifndef RAW_HAS_HIDDEN_THREAD
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK);
    atomic_store(&job, 2);
    EXPECT(pthread_join(thread, NULL) == 0 && atomic_load(&line_of_worker) == 0);
#else
    EXPECT(atomic_load(&line_of_worker) == 0);
#endif
    return 0;
}

/* 8: after a failure keep-caps is left on; securebits are overwritten and not added to. */
static int keepcaps_left_on(void)
{
    struct miguard_target *target = somebody(OTHER);

    /* With a saved uid that is not 0, only keep-caps carries the capabilities over. */
    EXPECT(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0) == 0);
    EXPECT(raw_setresuid(0, SOMEBODY, 0));
    const struct seen before = look();
    EXPECT((before.securebits & SECBIT_KEEP_CAPS) == 0);
    setresuid_answer = -EPERM;
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_NOT_PERMITTED);
    struct seen after = look();
    EXPECT(same(&before, &after));
    setresuid_answer = 1;
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(look().securebits == SECBIT_NOROOT && look().cap[0].permitted != 0);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    after = look();
    EXPECT(same(&before, &after));
#ifndef RAW_HAS_HIDDEN_THREAD
    EXPECT(raw_setresuid(0, 0, 0));
    const int bits = look().securebits;
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK);
    EXPECT((look().securebits & bits) == bits && (look().securebits & SECBIT_KEEP_CAPS) == 0);
#endif
    return 0;
}

/* 9: broadcasts that time out while threads come and go, and hang after fork. */
static void *nothing(void *unused)
{
    return unused;
}

static void *churn(void *unused)
{
    (void)unused;
    while (!atomic_load(&over)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL) == 0) {
            pthread_join(thread, NULL);
        }
    }
    return NULL;
}

static int switch_in_child_of_threads(const void *target)
{
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK && look().uid[1] == SOMEBODY);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK && look().uid[1] == 0);
#ifndef RAW_HAS_HIDDEN_THREAD
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK && look().uid[0] == SOMEBODY);
#endif
    return 0;
}

static int thread_churn_and_fork(void)
{
    struct miguard_target *target = somebody(SOMEBODY);
    pthread_t churners[3];

    for (int i = 0; i < LENGTH(churners); i++) {
        EXPECT(pthread_create(&churners[i], NULL, churn, NULL) == 0);
    }
    for (int i = 0; i < 20; i++) {
        EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
        EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
        EXPECT(in_child(switch_in_child_of_threads, target) == 0);
    }
#ifndef RAW_HAS_HIDDEN_THREAD
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK && look().uid[0] == SOMEBODY);
#endif
    atomic_store(&over, true);
    for (int i = 0; i < LENGTH(churners); i++) {
        EXPECT(pthread_join(churners[i], NULL) == 0);
    }
    return 0;
}

/* 10: in a user namespace an unmapped id is shown as nobody's, and taken for nobody. */
static int refuse_to_be_nobody(void *socket)
{
    struct miguard_target *target = NULL;
    struct miguard_identity *own = NULL;

    EXPECT(miguard_target_peer(*(int *)socket, &target, NULL) == MIGUARD_UNPROVABLE);
    EXPECT(miguard_identity_capture(&own, NULL) == MIGUARD_UNPROVABLE);
    EXPECT(target == NULL && miguard_switch_to(somebody(0), NULL) == MIGUARD_UNPROVABLE);
    return 0;
}

static int overflow_ids(void)
{
    const struct userns elsewhere = {"0 100000 1000\n", "0 100000 1000\n", false};
    int sockets[2];

    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0); /* as root: not mapped there */
    if (RAW_HIDDEN_THREAD) {
        printf("skip: a user namespace: not for a process with several threads\n");
        return 0;
    }
    int result = userns_run(&elsewhere, refuse_to_be_nobody, &sockets[0]);
    if (result == USERNS_CANNOT) {
        printf("skip: a user namespace: not to be had here\n");
        return 0;
    }
    EXPECT(result == USERNS_PASSED);
    return 0;
}

/* 11: a library between the test and the kernel says that it worked: so what counts is what the
 * kernel then refuses. */
static int only_the_kernel_counts(void)
{
    char path[] = "/tmp/miguard-bugs-XXXXXX";
    struct miguard_target *target = somebody(SOMEBODY);

    int fd = mkstemp(path); /* 0600, root's */
    EXPECT(fd >= 0 && close(fd) == 0);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    int before = open(path, O_RDONLY), error = errno;
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    int after = open(path, O_RDONLY);
    EXPECT(unlink(path) == 0);
    EXPECT(before < 0 && error == EACCES && after >= 0);
    capset_answer = 0; /* ids alone would pass for a switch; a capability would still open it */
    EXPECT(raw_setresuid(SOMEBODY, 0, 0));
    EXPECT(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_NOT_VERIFIED);
    EXPECT(look().uid[1] == 0);
    return 0;
}

static const struct {
    int number;
    const char *elsewhere;
    int (*check)(void);
} rows[] = {
    {1, "setuid at RLIMIT_NPROC fails unchecked; the program goes on as root", unchecked_setuid},
    {2, "uid and gid are dropped, the supplementary groups of root stay", forgotten_groups},
    {3, "user -1 means no change, and runs as root", minus_one},
    {4, "a zeroed request or identity is served as uid 0", zero_is_root},
    {5, "glibc's setuid on one thread changes all threads", wrappers_change_all},
    {6, "the way back is hard-coded to 0 and loses capabilities", back_to_zero},
    {7, "threads of a pool keep the last user, or stay root after a drop", pool_threads},
    {8, "keep-caps stays on after an error; securebits are overwritten", keepcaps_left_on},
    {9, "the broadcast hangs under thread churn and after fork", thread_churn_and_fork},
    {10, "an unmapped id is taken for nobody", overflow_ids},
    {11, "a test under fakeroot passes, the kernel was never asked", only_the_kernel_counts},
};

static int run_row(const void *row)
{
    return rows[*(const int *)row].check();
}

START_TEST(each_row)
{
    if (is_root(rows[_i].elsewhere)) {
        int status = in_child(run_row, &_i);
        ck_assert_msg(status == 0, "%d (%s): status %#x", rows[_i].number, rows[_i].elsewhere,
                      status);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bugs of switching");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, each_row, 0, LENGTH(rows));
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
