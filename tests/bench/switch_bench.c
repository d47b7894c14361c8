/* SPDX-License-Identifier: MIT */
/*
 * What becoming somebody and coming back costs, both verified: against the bare system calls that
 * it must make, and against what OpenSSH's temporarily_use_uid() and restore_uid() do, which verify
 * nothing; and what a filter of system calls adds, under which /proc is read, too.
 *
 * Part of the bench program; alone: -DALONE.
 */
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"
#include "miguard/switch.h"

void bench_switch(void (*tell)(const char *name, double value, const char *unit, double goal));

enum { ROUNDS = 61, CALLS = 200, SOMEBODY = 54321 };

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
    need(syscall(SYS_setresgid, SOMEBODY, SOMEBODY, SOMEBODY) == 0);
    need(syscall(SYS_setresuid, SOMEBODY, SOMEBODY, 0) == 0);
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
    need(syscall(SYS_setresgid, -1, SOMEBODY, -1) == 0);
    need(syscall(SYS_setresuid, -1, SOMEBODY, -1) == 0);

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
    need(setegid(SOMEBODY) == 0 && seteuid(SOMEBODY) == 0);

    need(seteuid(0) == 0 && setegid(0) == 0);
    need(setgroups((size_t)count, saved) == 0);
}

/* ---- measuring --------------------------------------------------------------------------- */

static double median(double *values)
{
    return median_of(values, ROUNDS);
}

static double one(void (*work)(void))
{
    double start = nanoseconds();
    for (int i = 0; i < CALLS; i++) {
        work();
    }
    return (nanoseconds() - start) / CALLS;
}

enum { WORKS = 4 };

static void *measure_all(void *context)
{
    static void (*const works[WORKS])(void) = {ours, bare_calls, openssh_raw, openssh_glibc};
    static double times[WORKS][ROUNDS], ratios[WORKS][ROUNDS];
    void (*tell)(const char *, double, const char *, double) =
        *(void (**)(const char *, double, const char *, double))context;

    for (int round = -1; round < ROUNDS; round++) { /* -1 warms up */
        int at = round < 0 ? 0 : round;
        for (int i = 0; i < WORKS; i++) {
            times[i][at] = one(works[i]);
            ratios[i][at] = times[0][at] / times[i][at];
        }
    }
    tell("switch and back / the bare calls: read, change, read back", median(ratios[1]), "ratio",
         1.5);
    tell("switch and back / OpenSSH's sequence, raw, unverified", median(ratios[2]), "ratio", -1);
    tell("switch and back / OpenSSH's sequence by glibc, 2 threads", median(ratios[3]), "ratio",
         -1);
    tell("switch and back, each verified", median(times[0]) / 1000, "us", -1);
    tell("the bare calls", median(times[1]) / 1000, "us", -1);
    tell("OpenSSH's sequence, raw", median(times[2]) / 1000, "us", -1);
    return NULL;
}

/* Of this thread alone. It allows everything. */
static void put_filter_on(void)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, code};

    need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

static void *measure_ours(void *context)
{
    double times[ROUNDS];

    for (int round = -1; round < ROUNDS; round++) { /* -1 warms up */
        times[round < 0 ? 0 : round] = one(ours);
    }
    *(double *)context = median(times);
    return NULL;
}

static void *measure_filtered(void *context)
{
    put_filter_on();
    return measure_ours(context);
}

static double on_a_thread(void *(*measure)(void *))
{
    pthread_t thread;
    double result = 0;

    need(pthread_create(&thread, NULL, measure, &result) == 0);
    need(pthread_join(thread, NULL) == 0);
    return result;
}

static void tell_filtered(void (*tell)(const char *, double, const char *, double))
{
    const double filtered = on_a_thread(measure_filtered), plain = on_a_thread(measure_ours);

    tell("switch and back under a filter / without one", filtered / plain, "ratio", -1);
    tell("switch and back, each verified, under a filter", filtered / 1000, "us", -1);
}

void bench_switch(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    pthread_t thread;
    const struct miguard_groups groups = {MIGUARD_GROUPS_LIST, its_groups, 3, NULL};

    if (geteuid() != 0) {
        printf("skip: switching identity needs root\n");
        return;
    }
    need(miguard_target_ids(SOMEBODY, SOMEBODY, &groups, &target, NULL) == MIGUARD_OK);
    /* Providers switch on the threads of a pool, not on the first one. */
    need(pthread_create(&thread, NULL, measure_all, &tell) == 0);
    need(pthread_join(thread, NULL) == 0);
    tell_filtered(tell);
    miguard_target_free(target);
}

#ifdef ALONE
static void print(const char *name, double value, const char *unit, double goal)
{
    printf("%-60s %10.2f %-5s %s\n", name, value, unit,
           goal < 0        ? ""
           : value <= goal ? "met"
                           : "NOT MET");
}

int main(void)
{
    bench_switch(print);
    return 0;
}
#endif
