/* SPDX-License-Identifier: MIT */
/*
 * What becoming another user and coming back costs, both verified: against the bare system calls
 * that it must make, and against what OpenSSH's temporarily_use_uid() and restore_uid() do, which
 * verify nothing; and what a filter of system calls adds, under which /proc is read, too.
 */
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/measure.h"
#include "miguard/switch.h"
#include "support/log.h"

enum { ROUNDS = 61, CALLS = 200, OTHER_ID = 54321 };
enum { BARE, OPENSSH_RAW, OPENSSH_GLIBC, FILTERED };

static const struct bench_row switch_rows[] = {
    [BARE] = {.name = "switch.bare",
              .goal = 1.5,
              .first = "a switch and the way back, both verified",
              .second = "its system calls, bare: read, change, read back",
              .unit = "ns",
              .leaves_out = "finding the user and the groups; records of switches; the bare side "
                            "compares nothing"},
    [OPENSSH_RAW] = {.name = "switch.openssh-raw",
                     .goal = BENCH_NO_GOAL,
                     .first = "a switch and the way back, both verified",
                     .second = "OpenSSH's sequence by raw calls, unverified",
                     .unit = "ns",
                     .leaves_out = "that OpenSSH's sequence reads nothing back and keeps root's "
                                   "capabilities permitted"},
    [OPENSSH_GLIBC] = {.name = "switch.openssh-glibc",
                       .goal = BENCH_NO_GOAL,
                       .first = "a switch and the way back, both verified",
                       .second = "OpenSSH's sequence by glibc, which reaches both threads",
                       .unit = "ns",
                       .leaves_out = "more threads, which make only the second side dearer"},
    [FILTERED] = {.name = "switch.filter",
                  .goal = BENCH_NO_GOAL,
                  .first = "a switch and the way back under a filter of system calls",
                  .second = "the same without one",
                  .unit = "ns",
                  .leaves_out =
                      "what a real filter costs at each call: this one allows all at once"},
};

static const gid_t its_groups[] = {54321, 54322, 54323};
static struct miguard_target *target;

static void need(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* ---- ours -------------------------------------------------------------------------------- */

static void ours(void)
{
    need(miguard_switch_to(target, NULL) == MIGUARD_OK);
    need(miguard_switch_back(NULL) == MIGUARD_OK);
}

/* ---- the bare calls ---------------------------------------------------------------------- */

/* What tells who a thread is, as far as a switch can change it. */
struct bare {
    uid_t uid[4];
    gid_t gid[4];
    gid_t groups[256];
    long group_count;
    struct __user_cap_data_struct cap[2];
    long securebits, no_new_privs;
};

static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

static void read_bare(struct bare *bare)
{
    need(syscall(SYS_getresuid, &bare->uid[0], &bare->uid[1], &bare->uid[2]) == 0);
    bare->uid[3] = (uid_t)syscall(SYS_setfsuid, -1);
    need(syscall(SYS_getresgid, &bare->gid[0], &bare->gid[1], &bare->gid[2]) == 0);
    bare->gid[3] = (gid_t)syscall(SYS_setfsgid, -1);
    bare->group_count = syscall(SYS_getgroups, 256, bare->groups);
    need(syscall(SYS_capget, &header, bare->cap) == 0);
    bare->securebits = syscall(SYS_prctl, PR_GET_SECUREBITS, 0, 0, 0, 0);
    bare->no_new_privs = syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

/* Twice before, since what is read wrongly or torn would be restored wrongly; the changes; the
 * read-back; and the same in the other direction, where the capabilities have to be raised first.
 */
static void bare_calls(void)
{
    struct bare before, again, there, back;

    read_bare(&before);
    read_bare(&again);
    need(syscall(SYS_setgroups, 3, its_groups) == 0);
    need(syscall(SYS_setresgid, OTHER_ID, OTHER_ID, OTHER_ID) == 0);
    need(syscall(SYS_setresuid, OTHER_ID, OTHER_ID, 0) == 0);
    struct __user_cap_data_struct none[2] = {{0, before.cap[0].permitted, 0},
                                             {0, before.cap[1].permitted, 0}};
    need(syscall(SYS_capset, &header, none) == 0);
    read_bare(&there);

    need(syscall(SYS_capset, &header, before.cap) == 0);
    need(syscall(SYS_setresuid, before.uid[0], before.uid[1], before.uid[2]) == 0);
    need(syscall(SYS_setresgid, before.gid[0], before.gid[1], before.gid[2]) == 0);
    need(syscall(SYS_setgroups, before.group_count, before.groups) == 0);
    need(syscall(SYS_capset, &header, before.cap) == 0);
    read_bare(&back);
}

/* ---- OpenSSH's sequence ------------------------------------------------------------------ */

static void openssh_raw(void)
{
    gid_t saved[256];

    long count = syscall(SYS_getgroups, 256, saved);
    need(count >= 0 && syscall(SYS_setgroups, 3, its_groups) == 0);
    need(syscall(SYS_setresgid, -1, OTHER_ID, -1) == 0);
    need(syscall(SYS_setresuid, -1, OTHER_ID, -1) == 0);

    need(syscall(SYS_setresuid, -1, 0, -1) == 0);
    need(syscall(SYS_setresgid, -1, 0, -1) == 0);
    need(syscall(SYS_setgroups, count, saved) == 0);
}

/* By glibc, as OpenSSH does it: each of them reaches all threads of the process. */
static void openssh_glibc(void)
{
    gid_t saved[256];

    int count = getgroups(256, saved);
    need(count >= 0 && setgroups(3, its_groups) == 0);
    need(setegid(OTHER_ID) == 0 && seteuid(OTHER_ID) == 0);

    need(seteuid(0) == 0 && setegid(0) == 0);
    need(setgroups((size_t)count, saved) == 0);
}

/* ---- measuring --------------------------------------------------------------------------- */

static double one(void (*work)(void))
{
    double start = nanoseconds();
    for (int i = 0; i < CALLS; i++) {
        work();
    }
    return (nanoseconds() - start) / CALLS;
}

static void *measure_sequences(void *unused)
{
    static void (*const others[])(void) = {
        [BARE] = bare_calls, [OPENSSH_RAW] = openssh_raw, [OPENSSH_GLIBC] = openssh_glibc};
    enum { OTHERS = sizeof(others) / sizeof(others[0]) };
    (void)unused;

    for (int round = -1; round < bench_rounds(ROUNDS); round++) { /* -1 warms up */
        const double own = one(ours);
        for (int i = 0; i < OTHERS; i++) {
            const double other = one(others[i]);
            if (round >= 0) {
                bench_pair(&switch_rows[i], own, other);
            }
        }
    }
    return NULL;
}

/* Of this thread alone. It allows everything. */
static void put_filter_on(void)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, code};

    need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

static void *measure_ours(void *ret_time)
{
    (void)one(ours);
    *(double *)ret_time = one(ours);
    return NULL;
}

static void *measure_filtered(void *ret_time)
{
    put_filter_on();
    return measure_ours(ret_time);
}

static double on_a_thread(void *(*measure)(void *))
{
    pthread_t thread;
    double result = 0;

    need(pthread_create(&thread, NULL, measure, &result) == 0);
    need(pthread_join(thread, NULL) == 0);
    return result;
}

BENCH_GROUP_DECLARE(switch);

static void run_switch(void)
{
    const struct miguard_groups groups = {MIGUARD_GROUPS_LIST, its_groups, 3, NULL};

    if (geteuid() != 0) {
        bench_skip_all(&bench_group_switch, "switching identity needs root");
        return;
    }
    log_start();
    need(miguard_target_ids(OTHER_ID, OTHER_ID, &groups, &target, NULL) == MIGUARD_OK);
    /* Providers switch on the threads of a pool, not on the first one. */
    (void)on_a_thread(measure_sequences);
    for (int round = 0; round < bench_rounds(ROUNDS); round++) {
        const double filtered = on_a_thread(measure_filtered);
        bench_pair(&switch_rows[FILTERED], filtered, on_a_thread(measure_ours));
    }
    miguard_target_free(target);
    log_remove();
}

BENCH_GROUP(switch, switch_rows, run_switch);
