/* SPDX-License-Identifier: MIT */
/*
 * The table "WHAT GOES WRONG BY HAND" of miguard-daemon(7): for each row a daemon as it is often
 * written, run on real threads and seen to be wrong, and the same with the library, seen to be
 * right. What is wrong is what the kernel shows of a thread, or the owner of a file.
 *
 * A row of the page is a row here, in that order; live/daemon_man_test.sh compares the two.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "miguard/home.h"
#include "miguard/switch.h"
#include "support/elsewhere.h"
#include "support/raw.h"
#include "support/thread_view.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { SERVICE = 1001, ALICE = 40001, BOB = 40002, SECRET_GROUP = 6 };

static const struct miguard_groups no_groups = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};

/* Kept until the child that runs the row is gone. */
static struct miguard_target *target_of(uid_t uid)
{
    static struct miguard_target *made[16];
    static int count;
    struct miguard_target **target = &made[count++];

    return miguard_target_ids(uid, uid, &no_groups, target, NULL) == MIGUARD_OK ? *target : NULL;
}

static struct thread_view look(void)
{
    struct thread_view view;

    if (!thread_view_read(&view)) {
        abort();
    }
    return view;
}

/* ---- files say whom a request was served as ---------------------------------------------------
 */

static char folder[] = "/tmp/miguard-naive.XXXXXX";

static void make_folder(void)
{
    if (mkdtemp(folder) == NULL || chmod(folder, 0777) != 0) {
        abort();
    }
}

static void remove_folder(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    (void)!system(command);
}

/* Serves one request: writes a file. Its owner is who did it. */
static void serve(const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) {
        close(file);
    }
}

static uid_t owner(const char *name)
{
    char path[64];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return stat(path, &status) == 0 ? status.st_uid : (uid_t)-1;
}

/* ---- the way back is 0 --------------------------------------------------------------------------
 */

/* A daemon under an account of its own, with the capabilities to switch. */
static bool become_service(void)
{
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && raw_setgroups(0, NULL) &&
           raw_setresgid(SERVICE, SERVICE, SERVICE) && raw_setresuid(SERVICE, SERVICE, SERVICE) &&
           prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0;
}

static bool raise_permitted(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    data[0].effective = data[0].permitted;
    data[1].effective = data[1].permitted;
    return syscall(SYS_capset, &header, data) == 0;
}

static int naive_back_to_zero(void)
{
    EXPECT(become_service() && raise_permitted());
    EXPECT(raw_setresuid((uid_t)-1, ALICE, (uid_t)-1));
    serve("alice");
    EXPECT(raw_setresuid((uid_t)-1, 0, (uid_t)-1)); /* "back to root" */
    EXPECT(look().uid[1] == 0);                     /* which it never was */
    serve("next");
    EXPECT(owner("alice") == ALICE && owner("next") == 0);
    return 0;
}

static int guarded_back_to_zero(void)
{
    EXPECT(become_service() && raise_permitted());
    const struct thread_view before = look();
    EXPECT(miguard_switch_to(target_of(ALICE), NULL) == MIGUARD_OK);
    serve("alice");
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    const struct thread_view after = look();
    EXPECT(thread_view_same(&before, &after) && after.uid[1] == SERVICE);
    serve("next");
    EXPECT(owner("alice") == ALICE && owner("next") == SERVICE);
    return 0;
}

/* ---- the groups stay those of the daemon --------------------------------------------------------
 */

static bool make_secret(char path[64])
{
    snprintf(path, 64, "%s/secret", folder);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool made = file >= 0 && fchown(file, 0, SECRET_GROUP) == 0 && fchmod(file, 0640) == 0;

    close(file);
    return made;
}

static int naive_groups(void)
{
    const gid_t of_daemon[] = {SECRET_GROUP};
    char path[64];

    EXPECT(make_secret(path) && raw_setgroups(1, of_daemon));
    EXPECT(raw_setresgid(ALICE, ALICE, ALICE) && raw_setresuid(ALICE, ALICE, ALICE));
    EXPECT(look().uid[1] == ALICE && look().group_count == 1);
    EXPECT(open(path, O_RDONLY | O_CLOEXEC) >= 0); /* as alice, by a group that alice has not */
    return 0;
}

static int guarded_groups(void)
{
    const gid_t of_daemon[] = {SECRET_GROUP};
    const struct miguard_groups forgotten = {.choice = (enum miguard_groups_choice)0};
    struct miguard_target *target = NULL;
    char path[64];

    EXPECT(make_secret(path) && raw_setgroups(1, of_daemon));
    EXPECT(miguard_target_ids(ALICE, ALICE, &forgotten, &target, NULL) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(miguard_switch_to(target_of(ALICE), NULL) == MIGUARD_OK);
    EXPECT(look().group_count == 0);
    EXPECT(open(path, O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
    return 0;
}

/* ---- a thread goes back to the pool as the last user ------------------------------------------
 */

/* A pool of one thread; its jobs come one after another. */
static int on_pool(void *(*thread_of_pool)(void *))
{
    pthread_t thread;
    void *line = NULL;

    EXPECT(pthread_create(&thread, NULL, thread_of_pool, NULL) == 0);
    EXPECT(pthread_join(thread, &line) == 0);
    return (int)(intptr_t)line;
}

/* The way back is behind the return of an error. */
static void naive_job(uid_t uid, const char *name, bool fails)
{
    (void)raw_setresuid((uid_t)-1, uid, (uid_t)-1);
    serve(name);
    if (fails) {
        return;
    }
    (void)raw_setresuid((uid_t)-1, 0, (uid_t)-1);
}

static void *naive_pool(void *unused)
{
    (void)unused;
    naive_job(ALICE, "alice", true);
    naive_job(BOB, "bob", false);
    return NULL;
}

static int naive_handed_back(void)
{
    EXPECT(on_pool(naive_pool) == 0);
    EXPECT(owner("alice") == ALICE && owner("bob") == ALICE); /* bob's request, as alice */
    return 0;
}

static void guarded_job(uid_t uid, const char *name, bool fails)
{
    enum miguard_status status;

    MIGUARD_SWITCHED(target_of(uid), &status, NULL)
    {
        serve(name);
        if (fails) {
            return;
        }
    }
}

static int guarded_jobs(void)
{
    struct miguard_home *home = NULL;
    miguard_components found = 0;

    EXPECT(miguard_home_capture(&home, NULL) == MIGUARD_OK);
    guarded_job(ALICE, "alice", true);
    EXPECT(miguard_home_return(home, &found, NULL, NULL) == MIGUARD_OK && found == 0);
    naive_job(ALICE, "raw", true); /* of a plug-in, past the library */
    EXPECT(miguard_home_return(home, &found, NULL, NULL) == MIGUARD_OK && found != 0);
    guarded_job(BOB, "bob", false);
    miguard_home_free(home);
    return 0;
}

static void *guarded_pool(void *unused)
{
    (void)unused;
    return (void *)(intptr_t)guarded_jobs();
}

static int guarded_handed_back(void)
{
    EXPECT(on_pool(guarded_pool) == 0);
    EXPECT(owner("alice") == ALICE && owner("bob") == BOB);
    return 0;
}

/* ---- other threads stay root after a drop -------------------------------------------------------
 */

enum { OTHERS = 3 };

static atomic_int ready, dropped, still_root;

/* As a thread of a runtime, made before the drop. Afterwards it tries to be root. */
static void *another_thread(void *unused)
{
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&dropped) == 0) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    if (look().uid[1] == 0 || raw_setresuid(0, 0, 0)) {
        atomic_fetch_add(&still_root, 1);
    }
    return unused;
}

static bool start_others(pthread_t threads[OTHERS])
{
    for (int i = 0; i < OTHERS; i++) {
        if (pthread_create(&threads[i], NULL, another_thread, NULL) != 0) {
            return false;
        }
    }
    while (atomic_load(&ready) < OTHERS) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return true;
}

static int end_others(pthread_t threads[OTHERS])
{
    atomic_store(&dropped, 1);
    for (int i = 0; i < OTHERS; i++) {
        pthread_join(threads[i], NULL);
    }
    return atomic_load(&still_root);
}

static int naive_drop(void)
{
    pthread_t threads[OTHERS];

    EXPECT(start_others(threads));
    EXPECT(raw_become(ALICE, ALICE)); /* what a runtime calls that bypasses glibc */
    EXPECT(look().uid[1] == ALICE);
    EXPECT(end_others(threads) == OTHERS);
    return 0;
}

static int guarded_drop(void)
{
#ifndef RAW_HAS_HIDDEN_THREAD
    pthread_t threads[OTHERS];

    EXPECT(start_others(threads));
    EXPECT(miguard_drop(target_of(ALICE), NULL) == MIGUARD_OK);
    EXPECT(look().uid[1] == ALICE);
    EXPECT(end_others(threads) == 0);
#endif
    return 0;
}

/* ---- one thread switches, and all do ------------------------------------------------------------
 */

static atomic_int turn;

/* Serves bob's next request as root would, while another thread is alice. */
static void *beside(void *unused)
{
    while (atomic_load(&turn) == 0) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    serve("beside");
    atomic_store(&turn, 2);
    return unused;
}

static void let_the_other_serve(pthread_t thread)
{
    atomic_store(&turn, 1);
    while (atomic_load(&turn) != 2) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    pthread_join(thread, NULL);
}

static int naive_wrappers(void)
{
    pthread_t thread;

    EXPECT(pthread_create(&thread, NULL, beside, NULL) == 0);
    EXPECT(seteuid(ALICE) == 0);
    let_the_other_serve(thread);
    EXPECT(seteuid(0) == 0);
    EXPECT(owner("beside") == ALICE);
    return 0;
}

static int guarded_wrappers(void)
{
    enum miguard_status status;
    pthread_t thread;

    EXPECT(pthread_create(&thread, NULL, beside, NULL) == 0);
    MIGUARD_SWITCHED(target_of(ALICE), &status, NULL)
    {
        let_the_other_serve(thread);
    }
    EXPECT(status == MIGUARD_OK && owner("beside") == 0);
    return 0;
}

/* ---- the switch fails, and the request is served all the same -----------------------------------
 */

static int naive_unchecked(void)
{
    EXPECT(raw_become(SERVICE, SERVICE)); /* without the capability */
    (void)raw_setresuid((uid_t)-1, ALICE, (uid_t)-1);
    serve("alice");
    EXPECT(owner("alice") == SERVICE);
    return 0;
}

static int guarded_unchecked(void)
{
    enum miguard_status status;

    EXPECT(raw_become(SERVICE, SERVICE));
    MIGUARD_SWITCHED(target_of(ALICE), &status, NULL)
    {
        serve("alice");
    }
    EXPECT(status == MIGUARD_NOT_PERMITTED && owner("alice") == (uid_t)-1);
    return 0;
}

/* ---- the table ----------------------------------------------------------------------------------
 */

static const struct {
    const char *what; /* as in the page */
    int (*naive)(void), (*guarded)(void);
} rows[] = {
    {"The way back is 0", naive_back_to_zero, guarded_back_to_zero},
    {"Groups are forgotten", naive_groups, guarded_groups},
    {"A thread goes back to the pool as the last user", naive_handed_back, guarded_handed_back},
    {"Other threads stay root after a drop", naive_drop, guarded_drop},
    {"One thread switches, and all do", naive_wrappers, guarded_wrappers},
    {"The switch fails, and the request is served", naive_unchecked, guarded_unchecked},
};

static int run_naive(const void *row)
{
    return rows[*(const int *)row].naive();
}

static int run_guarded(const void *row)
{
    return rows[*(const int *)row].guarded();
}

START_TEST(by_hand_it_is_wrong)
{
    if (is_root(rows[_i].what)) {
        ck_assert_msg(in_child(run_naive, &_i) == 0, "%s: not wrong", rows[_i].what);
    }
}
END_TEST

START_TEST(with_the_library_it_is_right)
{
    if (is_root(rows[_i].what)) {
        ck_assert_msg(in_child(run_guarded, &_i) == 0, "%s", rows[_i].what);
    }
}
END_TEST

int main(int count, char **arguments)
{
    Suite *suite = suite_create("naive daemons");
    TCase *all = tcase_create("all");

    if (count > 1 && strcmp(arguments[1], "--rows") == 0) {
        for (int i = 0; i < LENGTH(rows); i++) {
            puts(rows[i].what);
        }
        return 0;
    }
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, make_folder, remove_folder);
    tcase_add_loop_test(all, by_hand_it_is_wrong, 0, LENGTH(rows));
    tcase_add_loop_test(all, with_the_library_it_is_right, 0, LENGTH(rows));
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
