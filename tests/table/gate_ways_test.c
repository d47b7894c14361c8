/* SPDX-License-Identifier: MIT */
/*
 * Every way to change credentials, by a real call: without the gate it works (so a dead row is
 * noticed), under the gate it is refused or kills, and changes nothing; and where the library has
 * a way of its own, that works under the gate.
 *
 * Each trial runs in a child process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity/change.h"
#include "identity/kernel.h"
#include "miguard.h"
#include "support/raw.h"

enum { SOMEBODY = 12345, SOMEGROUP = 23456 };

#define HIGH_BITS 0xABCD000000000000UL

static long raw(long result)
{
    return result == -1 ? -errno : result;
}

/* ---- the ways ---------------------------------------------------------------------------- */

#define WAY(name, call)                                                                            \
    static long name(void)                                                                         \
    {                                                                                              \
        return raw(call);                                                                          \
    }

static const gid_t some_groups[] = {SOMEGROUP};

WAY(way_setuid, syscall(SYS_setuid, SOMEBODY))
WAY(way_setgid, syscall(SYS_setgid, SOMEGROUP))
WAY(way_setreuid, syscall(SYS_setreuid, SOMEBODY, -1))
WAY(way_setregid, syscall(SYS_setregid, SOMEGROUP, -1))
WAY(way_setresuid, syscall(SYS_setresuid, -1, SOMEBODY, -1))
WAY(way_setresgid, syscall(SYS_setresgid, -1, SOMEGROUP, -1))
WAY(way_setresuid_to_same, syscall(SYS_setresuid, -1, -1, -1))
WAY(way_setgroups, syscall(SYS_setgroups, 1, some_groups))
WAY(way_keepcaps, syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0))
WAY(way_keepcaps_high, syscall(SYS_prctl, HIGH_BITS | PR_SET_KEEPCAPS, 1, 0, 0, 0))
WAY(way_securebits, syscall(SYS_prctl, PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0))
WAY(way_bounding, syscall(SYS_prctl, PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0))
WAY(way_ambient_raise, syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0))
WAY(way_ambient_lower, syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0))
WAY(way_ambient_clear, syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
WAY(way_no_new_privs, syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
WAY(way_unshare, syscall(SYS_unshare, CLONE_NEWUSER))
WAY(way_unshare_with, syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWUTS))
WAY(way_glibc_unshare, unshare(CLONE_NEWUSER))
WAY(way_glibc_setuid, setuid(SOMEBODY))
WAY(way_glibc_seteuid, seteuid(SOMEBODY))
WAY(way_glibc_setreuid, setreuid(SOMEBODY, SOMEBODY))
WAY(way_glibc_setresuid, setresuid(SOMEBODY, SOMEBODY, 0))
WAY(way_glibc_setgid, setgid(SOMEGROUP))
WAY(way_glibc_setegid, setegid(SOMEGROUP))
WAY(way_glibc_setregid, setregid(SOMEGROUP, SOMEGROUP))
WAY(way_glibc_setresgid, setresgid(SOMEGROUP, SOMEGROUP, 0))
WAY(way_glibc_setgroups, setgroups(1, some_groups))
WAY(way_glibc_initgroups, initgroups("nobody", SOMEGROUP))

/* These answer the id of before; a refusal shows as the errno. */
static long way_setfsuid(void)
{
    errno = 0;
    return syscall(SYS_setfsuid, SOMEBODY) == -1 ? -errno : 0;
}

static long way_setfsgid(void)
{
    errno = 0;
    return syscall(SYS_setfsgid, SOMEGROUP) == -1 ? -errno : 0;
}

static long way_setfsuid_high(void)
{
    errno = 0;
    return syscall(SYS_setfsuid, HIGH_BITS | SOMEBODY) == -1 ? -errno : 0;
}

static long way_glibc_setfsuid(void)
{
    errno = 0;
    return setfsuid(SOMEBODY) == -1 ? -errno : 0;
}

static long way_capset(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data) != 0) {
        return -ENOTRECOVERABLE;
    }
    data[0].effective &= ~(1U << CAP_CHOWN);
    return raw(syscall(SYS_capset, &header, data));
}

/* A process in a user namespace of its own, for setns(2) to go to. */
static pid_t other_namespace = -1;

static bool make_namespace(void)
{
    int ready[2];
    char byte;

    if (pipe(ready) != 0) {
        return false;
    }
    other_namespace = fork();
    if (other_namespace == 0) {
        if (unshare(CLONE_NEWUSER) == 0) {
            (void)!write(ready[1], "y", 1);
        }
        close(ready[0]);
        close(ready[1]);
        for (;;) {
            pause();
        }
    }
    close(ready[1]);
    (void)!read(ready[0], &byte, 1);
    close(ready[0]);
    return other_namespace > 0;
}

static void end_namespace(void)
{
    if (other_namespace > 0) {
        kill(other_namespace, SIGKILL);
        waitpid(other_namespace, NULL, 0);
    }
}

static long enter_namespace(unsigned long type)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)other_namespace);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -ENOTRECOVERABLE : raw(syscall(SYS_setns, fd, type));
}

static long way_setns(void)
{
    return enter_namespace(CLONE_NEWUSER);
}

static long way_setns_any(void)
{
    return enter_namespace(0);
}

static long way_setns_high(void)
{
    return enter_namespace(HIGH_BITS | CLONE_NEWUSER);
}

static long way_setns_any_high(void)
{
    return enter_namespace(HIGH_BITS);
}

static long way_setns_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, other_namespace, 0);
    return fd < 0 ? -errno : raw(syscall(SYS_setns, fd, CLONE_NEWUSER));
}

static long wait_for(long child)
{
    if (child == 0) {
        _exit(0);
    }
    return child < 0 ? child : (waitpid((pid_t)child, NULL, 0), 0);
}

#if defined(__s390__)
#define RAW_CLONE(flags) syscall(SYS_clone, NULL, flags, NULL, NULL, 0)
#else
#define RAW_CLONE(flags) syscall(SYS_clone, flags, NULL, NULL, NULL, 0)
#endif

static long way_clone(void)
{
    return wait_for(raw(RAW_CLONE(CLONE_NEWUSER | SIGCHLD)));
}

static long way_clone3(void)
{
    struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    return wait_for(raw(syscall(SYS_clone3, &arguments, sizeof(arguments))));
}

static long way_join_keyring(void)
{
    long result = raw(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0));
    return result > 0 ? 0 : result;
}

static long way_join_keyring_high(void)
{
    long result = raw(syscall(SYS_keyctl, HIGH_BITS | KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0));
    return result > 0 ? 0 : result;
}

static long *shared; /* a word that a child of the trial can answer in */

static long way_keyring_to_parent(void)
{
    pid_t child = fork();
    if (child == 0) {
        *shared = raw(syscall(SYS_keyctl, KEYCTL_SESSION_TO_PARENT, 0, 0, 0, 0));
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
        raise(WTERMSIG(status));
    }
    return *shared;
}

/* Entries with other call numbers. */
static long way_i386(void)
{
#if defined(__x86_64__)
    long result = 213; /* setuid32 */
    __asm__ volatile("int $0x80"
                     : "+a"(result)
                     : "b"((long)SOMEBODY)
                     : "memory", "cc", "r8", "r9", "r10", "r11");
    return (int)result;
#else
    return -ENOSYS;
#endif
}

static long way_x32(void)
{
#if defined(__x86_64__)
    return raw(syscall(0x40000000 | SYS_setuid, SOMEBODY));
#else
    return -ENOSYS;
#endif
}

/* The same from elsewhere. */
static void answer_elsewhere(void *result)
{
    *(long *)result = way_setresuid();
}

static long way_from_new_thread(void)
{
    long result = -ENOTRECOVERABLE;
    raw_on_thread(answer_elsewhere, &result);
    return result;
}

static long handled;

static void on_signal(int number)
{
    (void)number;
    handled = way_setresuid();
}

static long way_from_handler(void)
{
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    return handled;
}

static long way_after_fork(void)
{
    pid_t child = fork();
    if (child == 0) {
        *shared = way_setresuid();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
        raise(WTERMSIG(status));
    }
    return *shared;
}

static long way_after_vfork(void)
{
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); /* libc is told of none */
    if (child == 0) {
        *shared = raw(syscall(SYS_setgroups, 0, NULL));
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
        raise(WTERMSIG(status));
    }
    return *shared;
}

/* A thread that was there before the gate was closed, beside which glibc broadcasts. */
static int wake_early[2] = {-1, -1};
static long early_answer;
static pthread_t early_thread;

static void *wait_early(void *unused)
{
    char byte;
    (void)!read(wake_early[0], &byte, 1);
    early_answer = way_setresuid();
    return unused;
}

static void prepare_early_thread(void)
{
    if (pipe(wake_early) != 0 || pthread_create(&early_thread, NULL, wait_early, NULL) != 0) {
        abort();
    }
}

static long way_from_earlier_thread(void)
{
    (void)!write(wake_early[1], "x", 1);
    pthread_join(early_thread, NULL);
    return early_answer;
}

static void prepare_inheritable(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data) != 0) {
        abort();
    }
    data[0].inheritable |= 1U << CAP_CHOWN;
    if (syscall(SYS_capset, &header, data) != 0) {
        abort();
    }
}

static void prepare_ambient(void)
{
    prepare_inheritable();
    if (way_ambient_raise() != 0) {
        abort();
    }
}

/* A thread that has no_new_privs puts a filter on all threads, and them under no_new_privs. */
static int wake_spreader[2] = {-1, -1};

static void *spread(void *unused)
{
    struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog program = {1, allow};
    char byte;

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)!write(wake_early[1], "r", 1);
    (void)!read(wake_spreader[0], &byte, 1);
    early_answer =
        raw(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program));
    return unused;
}

static void prepare_spreader(void)
{
    char byte;
    if (pipe(wake_early) != 0 || pipe(wake_spreader) != 0 ||
        pthread_create(&early_thread, NULL, spread, NULL) != 0) {
        abort();
    }
    (void)!read(wake_early[0], &byte, 1);
}

static long way_spread_no_new_privs(void)
{
    (void)!write(wake_spreader[1], "x", 1);
    pthread_join(early_thread, NULL);
    return early_answer;
}

/* ---- the library's ways -------------------------------------------------------------------- */

static long api_switch(void)
{
    struct miguard_target *target = NULL;
    struct miguard_error error = {0};

    if (miguard_target_ids(SOMEBODY, SOMEGROUP,
                           &(struct miguard_groups){MIGUARD_GROUPS_LIST, some_groups, 1, NULL},
                           &target, &error) != MIGUARD_OK ||
        miguard_switch_to(target, &error) != MIGUARD_OK) {
        return -error.system_errno - 10000;
    }
    bool there = geteuid() == SOMEBODY && getegid() == SOMEGROUP;
    miguard_target_free(target);
    return there && miguard_switch_back(&error) == MIGUARD_OK && geteuid() == 0 ? 0 : -20000;
}

#define LIBRARY(name, call)                                                                        \
    static long name(void)                                                                         \
    {                                                                                              \
        return (call);                                                                             \
    }

LIBRARY(api_setfsuid,
        (identity_kernel.setfsuid(SOMEBODY), setfsuid((uid_t)-1) == SOMEBODY ? 0 : -1))
LIBRARY(api_setfsgid,
        (identity_kernel.setfsgid(SOMEGROUP), setfsgid((gid_t)-1) == SOMEGROUP ? 0 : -1))
LIBRARY(api_keepcaps, identity_kernel.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
LIBRARY(api_securebits, identity_kernel.prctl(PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0))
LIBRARY(api_bounding, identity_kernel.prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0))
LIBRARY(api_raise, identity_kernel.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0))
LIBRARY(api_lower, identity_kernel.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0))
LIBRARY(api_clear, identity_kernel.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
LIBRARY(api_no_new_privs, identity_kernel.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))

/* ---- the table ------------------------------------------------------------------------------ */

#define C(name) MIGUARD_COMPONENT_##name
#define UIDS    (C(RUID) | C(EUID) | C(SUID) | C(FSUID))
#define CAPS    (C(CAP_EFFECTIVE) | C(CAP_PERMITTED))

enum need { ANYONE, ROOT, MAY_LACK = 2, ALONE = 4, NOT_KILLED = 8 };

static const struct way {
    const char *name;
    long (*way)(void);
    int need;                 /* MAY_LACK: not every kernel has it; ALONE: only without threads;
                                 NOT_KILLED: refused by errno whatever the action */
    miguard_components shows; /* one of these changes when it works; 0: nothing that is compared */
    long (*api)(void);
    void (*prepare)(void);
    long refusal; /* 0: -EPERM */
} ways[] = {
    {"setuid", way_setuid, ROOT, UIDS, api_switch, NULL, 0},
    {"setgid", way_setgid, ROOT, C(EGID), api_switch, NULL, 0},
    {"setreuid", way_setreuid, ROOT, C(RUID), api_switch, NULL, 0},
    {"setregid", way_setregid, ROOT, C(RGID), api_switch, NULL, 0},
    {"setresuid", way_setresuid, ROOT, C(EUID), api_switch, NULL, 0},
    {"setresgid", way_setresgid, ROOT, C(EGID), api_switch, NULL, 0},
    {"setresuid, no change", way_setresuid_to_same, ANYONE, 0, NULL, NULL, 0},
    {"setfsuid", way_setfsuid, ROOT, C(FSUID), api_setfsuid, NULL, 0},
    {"setfsgid", way_setfsgid, ROOT, C(FSGID), api_setfsgid, NULL, 0},
    {"setfsuid, upper bits set", way_setfsuid_high, ROOT, C(FSUID), NULL, NULL, 0},
    {"setgroups", way_setgroups, ROOT, C(GROUPS), api_switch, NULL, 0},
    {"capset", way_capset, ROOT, C(CAP_EFFECTIVE), api_switch, NULL, 0},
    {"PR_SET_KEEPCAPS", way_keepcaps, ANYONE, C(SECUREBITS), api_keepcaps, NULL, 0},
    {"PR_SET_KEEPCAPS, upper bits set", way_keepcaps_high, ANYONE, C(SECUREBITS), NULL, NULL, 0},
    {"PR_SET_SECUREBITS", way_securebits, ROOT, C(SECUREBITS), api_securebits, NULL, 0},
    {"PR_CAPBSET_DROP", way_bounding, ROOT, C(CAP_BOUNDING), api_bounding, NULL, 0},
    {"PR_CAP_AMBIENT_RAISE", way_ambient_raise, ROOT, C(CAP_AMBIENT), api_raise,
     prepare_inheritable, 0},
    {"PR_CAP_AMBIENT_LOWER", way_ambient_lower, ROOT, C(CAP_AMBIENT), api_lower, prepare_ambient,
     0},
    {"PR_CAP_AMBIENT_CLEAR_ALL", way_ambient_clear, ROOT, C(CAP_AMBIENT), api_clear,
     prepare_ambient, 0},
    {"PR_SET_NO_NEW_PRIVS", way_no_new_privs, ROOT, C(NO_NEW_PRIVS), api_no_new_privs, NULL, 0},
    {"unshare", way_unshare, MAY_LACK | ALONE, C(USER_NAMESPACE), NULL, NULL, 0},
    {"unshare with more", way_unshare_with, MAY_LACK | ALONE, C(USER_NAMESPACE), NULL, NULL, 0},
    {"unshare(2) of glibc", way_glibc_unshare, MAY_LACK | ALONE, C(USER_NAMESPACE), NULL, NULL, 0},
    {"setns", way_setns, ROOT | MAY_LACK | ALONE, C(USER_NAMESPACE), NULL, NULL, 0},
    {"setns, upper bits set", way_setns_high, ROOT | MAY_LACK | ALONE, C(USER_NAMESPACE), NULL,
     NULL, 0},
    {"setns of any kind", way_setns_any, ROOT | MAY_LACK | ALONE, C(USER_NAMESPACE), NULL, NULL, 0},
    {"setns of any kind, upper bits set", way_setns_any_high, ROOT | MAY_LACK | ALONE,
     C(USER_NAMESPACE), NULL, NULL, 0},
    {"setns of a pidfd", way_setns_pidfd, ROOT | MAY_LACK | ALONE, C(USER_NAMESPACE), NULL, NULL,
     0},
    {"clone", way_clone, MAY_LACK, 0, NULL, NULL, 0},
    {"clone3", way_clone3, MAY_LACK | NOT_KILLED, 0, NULL, NULL, -ENOSYS},
    {"KEYCTL_JOIN_SESSION_KEYRING", way_join_keyring, MAY_LACK, 0, NULL, NULL, 0},
    {"KEYCTL_JOIN_SESSION_KEYRING, upper bits set", way_join_keyring_high, MAY_LACK, 0, NULL, NULL,
     0},
    {"KEYCTL_SESSION_TO_PARENT", way_keyring_to_parent, ROOT | MAY_LACK | ALONE, 0, NULL, NULL, 0},
    {"setuid(3)", way_glibc_setuid, ROOT, UIDS, api_switch, NULL, 0},
    {"seteuid(3)", way_glibc_seteuid, ROOT, C(EUID), api_switch, NULL, 0},
    {"setreuid(3)", way_glibc_setreuid, ROOT, UIDS, api_switch, NULL, 0},
    {"setresuid(3)", way_glibc_setresuid, ROOT, UIDS, api_switch, NULL, 0},
    {"setgid(3)", way_glibc_setgid, ROOT, C(EGID), api_switch, NULL, 0},
    {"setegid(3)", way_glibc_setegid, ROOT, C(EGID), api_switch, NULL, 0},
    {"setregid(3)", way_glibc_setregid, ROOT, C(EGID), api_switch, NULL, 0},
    {"setresgid(3)", way_glibc_setresgid, ROOT, C(EGID), api_switch, NULL, 0},
    {"setgroups(3)", way_glibc_setgroups, ROOT, C(GROUPS), api_switch, NULL, 0},
    {"initgroups(3)", way_glibc_initgroups, ROOT, C(GROUPS), api_switch, NULL, 0},
    {"setfsuid(3)", way_glibc_setfsuid, ROOT, C(FSUID), api_setfsuid, NULL, 0},
    {"setuid(3) beside another thread", way_glibc_setuid, ROOT, UIDS, api_switch,
     prepare_early_thread, 0},
    {"setgroups(3) beside another thread", way_glibc_setgroups, ROOT, C(GROUPS), api_switch,
     prepare_early_thread, 0},
    {"from a new thread", way_from_new_thread, ROOT, 0, NULL, NULL, 0},
    {"from a thread that was there before", way_from_earlier_thread, ROOT, 0, NULL,
     prepare_early_thread, 0},
    {"from a signal handler", way_from_handler, ROOT, C(EUID), api_switch, NULL, 0},
    {"after fork", way_after_fork, ROOT, 0, NULL, NULL, 0},
    {"after a raw fork", way_after_vfork, ROOT | MAY_LACK, 0, NULL, NULL, 0},
    {"a filter that spreads no_new_privs", way_spread_no_new_privs, ROOT | NOT_KILLED,
     C(NO_NEW_PRIVS), NULL, prepare_spreader, 0},
    {"i386 entry", way_i386, ROOT | MAY_LACK, UIDS, NULL, NULL, 0},
    {"x32 entry", way_x32, ROOT | MAY_LACK, UIDS, NULL, NULL, 0},
};

/* ---- trials --------------------------------------------------------------------------------- */

enum trial { UNGATED, REFUSED, KILLED, REPORTED, LIBRARY, TRIALS };

static const char *const trial_names[] = {"without", "errno", "kill", "report", "library"};

struct outcome {
    bool made; /* the trial came to its call */
    long result;
    bool changed;
    miguard_components differing;
    int signal;
};

static struct outcome *outcome; /* in memory that the child shares */

static bool close_gate(enum trial trial)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_error error = {0};

    options.action = trial == KILLED ? MIGUARD_GATE_KILL : MIGUARD_GATE_ERRNO;
    options.report = trial == REPORTED;
    if (trial != UNGATED && miguard_gate_close(&options, &error) != MIGUARD_OK) {
        printf("not closed: %s: %s: %s\n", miguard_status_name(error.status), error.step,
               error.detail);
        return false;
    }
    return true;
}

static void run_trial(const struct way *way, enum trial trial)
{
    struct miguard_identity *before = NULL, *after = NULL;

    if (way->prepare != NULL) {
        way->prepare();
    }
    if (!close_gate(trial) || miguard_identity_capture(&before, NULL) != MIGUARD_OK) {
        return;
    }
    /* What a call of the library leaves in registers and on the stack must be no key. */
    if (trial != UNGATED) {
        (void)identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1);
    }
    outcome->made = true;
    outcome->result = trial == LIBRARY ? way->api() : way->way();
    if (miguard_identity_capture(&after, NULL) == MIGUARD_OK) {
        outcome->differing = miguard_identity_compare(before, after);
    } else {
        outcome->differing = MIGUARD_COMPONENTS_ALL; /* a new namespace maps nothing */
    }
}

static void try(const struct way *way, enum trial trial)
{
    int status = 0;

    memset(outcome, 0, sizeof(*outcome));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        run_trial(way, trial);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    outcome->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static unsigned passed, failed, skipped;

static void judge(const struct way *way, enum trial trial, bool good)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s: %s: made %d result %ld differing %#x signal %d\n", way->name,
               trial_names[trial], outcome->made, outcome->result, outcome->differing,
               outcome->signal);
    }
}

static bool worked(const struct way *way)
{
    return outcome->made && outcome->result == 0 && outcome->signal == 0 &&
           (way->shows == 0 || (outcome->differing & way->shows) != 0);
}

static bool was_refused(const struct way *way)
{
    return outcome->made && outcome->result == (way->refusal != 0 ? way->refusal : -EPERM) &&
           outcome->differing == 0 && outcome->signal == 0;
}

/* True when the way is open without the gate; one that this machine does not have is skipped. */
static bool is_open(const struct way *way)
{
#ifdef RAW_HAS_HIDDEN_THREAD
    if ((way->need & ALONE) != 0) {
        printf("skip: %s: the sanitizer's own thread is in the way\n", way->name);
        skipped++;
        return false;
    }
#endif
    if ((way->need & ROOT) != 0 && geteuid() != 0) {
        printf("skip: %s: needs root\n", way->name);
        skipped++;
        return false;
    }
    try(way, UNGATED);
    if ((way->need & MAY_LACK) != 0 && !worked(way)) {
        printf("skip: %s: does not work here without the gate either: %s\n", way->name,
               outcome->signal != 0 ? strsignal(outcome->signal) : strerror((int)-outcome->result));
        skipped++;
        return false;
    }
    judge(way, UNGATED, worked(way));
    return true;
}

static void try_way(const struct way *way)
{
    if (!is_open(way)) {
        return;
    }
    try(way, REFUSED);
    judge(way, REFUSED, was_refused(way));
#ifndef RAW_HAS_HIDDEN_THREAD /* that thread blocks SIGSYS, and so it kills */
    try(way, REPORTED);
    judge(way, REPORTED, was_refused(way));
#endif
    try(way, KILLED);
    judge(way, KILLED,
          (way->need & NOT_KILLED) != 0 ? was_refused(way)
                                        : outcome->made && outcome->signal == SIGSYS);
    if (way->api != NULL) {
        try(way, LIBRARY);
        judge(way, LIBRARY, outcome->made && outcome->result == 0 && outcome->signal == 0);
    }
}

/* ---- what else must hold ------------------------------------------------------------------- */

/* Each bit of the cookie counts, on each kind of rule; and with all of them right, the call is
 * still not the library's own instruction. */
static bool every_bit_counts(void *unused)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    (void)unused;
    if (!close_gate(REFUSED)) {
        return false;
    }
    for (unsigned bit = 0; bit <= sizeof(long) * 8; bit++) {
        unsigned long wrong = bit < sizeof(long) * 8 ? 1UL << bit : 0;
        if (identity_kernel.stray(wrong) != -EPERM ||
            identity_carry_elsewhere(SYS_setfsuid, 0, 0, 0, wrong) != -EPERM ||
            identity_carry_elsewhere(SYS_prctl, PR_SET_KEEPCAPS, 0, 0, wrong) != -EPERM ||
            identity_carry_elsewhere(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0,
                                     wrong) != -EPERM ||
            identity_carry_elsewhere(SYS_capset, (unsigned long)&header, 0, 0, wrong) != -EPERM ||
            identity_carry_elsewhere(SYS_setns, ~0UL, 0, 0, wrong) != -EPERM ||
            identity_carry_elsewhere(SYS_prctl, KERNEL_GATE_PROBE, 0, 0, wrong) != -EINVAL) {
            printf("bit %u\n", bit);
            return false;
        }
    }
    return true;
}

/* Without the cookie the library's own instruction does not pass either: a program that is run
 * under the filter may have a system call at the same address. */
static bool the_cookie_counts(void *unused)
{
    (void)unused;
    if (!close_gate(REFUSED)) {
        return false;
    }
    for (unsigned bit = 0; bit < sizeof(long) * 8; bit++) {
        identity_cookie.word ^= 1UL << bit;
        bool refused = identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) == -EPERM &&
                       identity_kernel.prctl(KERNEL_GATE_PROBE, 0, 0, 0, 0) == -EINVAL;
        identity_cookie.word ^= 1UL << bit;
        if (!refused || identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) != 0) {
            printf("bit %u\n", bit);
            return false;
        }
    }
    return true;
}

/* Reading, threads, processes and namespaces of other kinds are nobody's change of credentials. */
static bool the_rest_works(void *unused)
{
    long result = 0;
    (void)unused;
    if (!close_gate(REFUSED)) {
        return false;
    }
    raw_on_thread(answer_elsewhere, &result); /* needs clone */
    return result == -EPERM && setfsuid((uid_t)-1) == (int)geteuid() &&
           setfsgid((gid_t)-1) == (int)getegid() &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) == 0 &&
           prctl(PR_SET_NAME, "gated", 0, 0, 0) == 0 && prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) >= 0 &&
           (geteuid() != 0 || unshare(CLONE_NEWUTS) == 0) && system("exit 0") == 0;
}

/* A program that was started under the gate cannot change at all, with or without this library. */
static bool after_exec(void *self)
{
    pid_t child = 0;
    int status = -1;
    char *const arguments[] = {self, "--attempt", NULL};

    return close_gate(REFUSED) && posix_spawn(&child, self, NULL, NULL, arguments, environ) == 0 &&
           waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == EPERM;
}

/* execve(2) of a set-user-ID program changes who the process is: the program that the gate was
 * closed in is gone by then. Documented in miguard-gate(7). */
static bool set_user_id_exec(void *self)
{
    char path[] = "/tmp/miguard-gate-XXXXXX";
    char *const arguments[] = {path, "--euid", NULL};
    pid_t child = 0;
    int status = -1;

    int fd = mkstemp(path);
    FILE *from = fopen(self, "r"), *to = fd < 0 ? NULL : fdopen(fd, "w");
    if (from == NULL || to == NULL) {
        return false;
    }
    char buffer[65536];
    size_t length;
    while ((length = fread(buffer, 1, sizeof(buffer), from)) > 0) {
        (void)fwrite(buffer, 1, length, to);
    }
    (void)fchmod(fd, 04755);
    fclose(from);
    fclose(to);
    bool good = close_gate(REFUSED) &&
                identity_kernel.setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == 0 &&
                posix_spawn(&child, path, NULL, NULL, arguments, environ) == 0 &&
                waitpid(child, &status, 0) == child && WIFEXITED(status);
    unlink(path);
    /* 0, or SOMEBODY where /tmp is mounted nosuid. */
    return good && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 1);
}

static void check(const char *name, bool (*function)(void *), void *data)
{
    bool good = raw_in_child(function, data);
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s\n", name);
    }
}

static bool can_close(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    (void)unused;
    enum miguard_status status = miguard_gate_close(&options, NULL);
    return status != MIGUARD_NOT_SUPPORTED && status != MIGUARD_NOT_PERMITTED;
}

/* A second program image: what the exec rows start. */
static int attempt(const char *what)
{
    if (strcmp(what, "--euid") == 0) {
        return geteuid() == 0 ? 0 : 1;
    }
    return (int)-way_setresuid_to_same();
}

int main(int count, char **arguments)
{
    char self[4096];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count > 1) {
        return attempt(arguments[1]);
    }
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[length > 0 ? length : 0] = '\0';
    outcome = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED || shared == MAP_FAILED || length <= 0) {
        return 1;
    }
    if (!raw_in_child(can_close, NULL)) {
        printf("skip: gate: no seccomp filter can be had here\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    (void)make_namespace();
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        try_way(&ways[i]);
    }
    end_namespace();
    check("every bit of the cookie counts", every_bit_counts, NULL);
    check("the cookie counts", the_cookie_counts, NULL);
    check("what is no change works", the_rest_works, NULL);
    check("after exec", after_exec, self);
    if (geteuid() == 0) {
        check("set-user-ID exec", set_user_id_exec, self);
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
