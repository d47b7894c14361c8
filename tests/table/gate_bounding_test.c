/* SPDX-License-Identifier: MIT */
/*
 * The gate of the bounding set: what it refuses, to whom, and that it refuses nothing else. Each
 * row runs in a child process, since no gate is opened again.
 *
 * The call that is refused names a capability that no kernel has, or one that is then looked for in
 * the set, so that a call that gets through is seen.
 */
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gate/gate.h"
#include "identity/kernel.h"
#include "miguard.h"
#include "support/elsewhere.h"
#include "support/log.h"
#include "support/raw.h"

enum { VICTIM = CAP_AUDIT_READ, OTHER = 23456 };

static struct miguard_error error;

static enum miguard_status close_gate(enum miguard_gate_scope scope,
                                      enum miguard_gate_action action, int report)
{
    const struct miguard_gate_options options = {sizeof(options), scope, action, report, 0};
    memset(&error, 0, sizeof(error));
    return miguard_gate_close(&options, &error);
}

static bool close_bounding(void)
{
    return close_gate(MIGUARD_GATE_BOUNDING, MIGUARD_GATE_ERRNO, 0) == MIGUARD_OK;
}

/* ---- a stray drop ---------------------------------------------------------------------------- */

static bool has_victim(void)
{
    return syscall(SYS_prctl, PR_CAPBSET_READ, VICTIM, 0, 0, 0) == 1;
}

/* 0 or the errno. */
static int drop(void)
{
    return syscall(SYS_prctl, PR_CAPBSET_DROP, VICTIM, 0, 0, 0) == 0 ? 0 : errno;
}

/* The kernel takes the option as an int. */
static int drop_with_upper_half(void)
{
    return syscall(SYS_prctl, 0x100000000 | PR_CAPBSET_DROP, VICTIM, 0, 0, 0) == 0 ? 0 : errno;
}

static int drop_by_libc(void)
{
    return prctl(PR_CAPBSET_DROP, VICTIM) == 0 ? 0 : errno;
}

/* By the numbers of other architectures; ENOSYS where this kernel takes none of these. */
static int drop_by_i386(void)
{
#if defined(__x86_64__)
    long result = 172; /* prctl */
    __asm__ volatile("int $0x80"
                     : "+a"(result)
                     : "b"((long)PR_CAPBSET_DROP), "c"((long)VICTIM), "d"(0L), "S"(0L), "D"(0L)
                     : "memory", "cc", "r8", "r9", "r10", "r11");
    return (int)-result;
#else
    return ENOSYS;
#endif
}

static int drop_by_x32(void)
{
#if defined(__x86_64__)
    return syscall(0x40000000 | SYS_prctl, PR_CAPBSET_DROP, VICTIM, 0, 0, 0) == 0 ? 0 : errno;
#else
    return ENOSYS;
#endif
}

static const struct way {
    const char *name;
    int (*drop)(void);
    bool may_lack;
} ways[] = {
    {"the raw call", drop, false},
    {"the raw call, the upper half set", drop_with_upper_half, false},
    {"prctl(3)", drop_by_libc, false},
    {"i386 entry", drop_by_i386, true},
    {"x32 entry", drop_by_x32, true},
};

/* Each way gets through without the gate, or is lacking in this kernel, and is refused with it. */
static bool way_opens(void *way)
{
    int result = ((const struct way *)way)->drop();
    return result == 0 && !has_victim();
}

static int each_way(const void *unused)
{
    bool opens[sizeof(ways) / sizeof(ways[0])];
    (void)unused;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        opens[i] = raw_in_child(way_opens, (void *)(uintptr_t)&ways[i]);
        EXPECT(opens[i] || ways[i].may_lack);
    }
    EXPECT(close_bounding());
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        int result = ways[i].drop();
        EXPECT(result == EPERM || (!opens[i] && result == ENOSYS));
        EXPECT(has_victim());
    }
    return 0;
}

/* ---- who is behind it ------------------------------------------------------------------------ */

static atomic_int begun, closed, done;
static int there;

static void *beside(void *unused)
{
    atomic_store(&begun, 1);
    while (atomic_load(&closed) == 0) {
        sched_yield();
    }
    there = drop();
    return unused;
}

static bool refused_in_child(void *unused)
{
    (void)unused;
    return drop() == EPERM && has_victim() && miguard_gate_state().scope == MIGUARD_GATE_BOUNDING;
}

/* A thread that runs already, a new one, a child, and a program that a child runs. */
static int everybody(const void *unused)
{
    pthread_t thread;
    (void)unused;

    EXPECT(pthread_create(&thread, NULL, beside, NULL) == 0);
    while (atomic_load(&begun) == 0) {
        sched_yield();
    }
    EXPECT(close_bounding());
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_BOUNDING);
    atomic_store(&closed, 1);
    EXPECT(pthread_join(thread, NULL) == 0 && there == EPERM);
    there = 0;
    EXPECT(pthread_create(&thread, NULL, beside, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0 && there == EPERM);
    EXPECT(raw_in_child(refused_in_child, NULL));
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "gate_bounding_test", "drop", (char *)NULL);
        _exit(99);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status));
    EXPECT(WEXITSTATUS(status) == EPERM);
    return 0;
}

/* A call that no gate is about, by the numbers of other architectures. */
static long pid_by_i386(void)
{
#if defined(__x86_64__)
    long result = 20; /* getpid */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "cc", "r8", "r9", "r10", "r11");
    return (int)result;
#else
    return -ENOSYS;
#endif
}

static long pid_by_x32(void)
{
#if defined(__x86_64__)
    return syscall(0x40000000 | SYS_getpid);
#else
    return -1;
#endif
}

/* ---- what it leaves alone -------------------------------------------------------------------- */

static bool makes_a_namespace(void *unused)
{
    (void)unused;
    return syscall(SYS_unshare, CLONE_NEWUSER) == 0 && has_victim();
}

/* The library drops and is counted; a full gate refuses all of the others. */
static int nothing_else(const void *unused)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2];
    const gid_t group = OTHER;
    (void)unused;

    const long i386 = pid_by_i386(), x32 = pid_by_x32();
    EXPECT(close_bounding() && !gate_on_thread());
    EXPECT(pid_by_i386() == i386 && pid_by_x32() == x32);
    EXPECT(raw_in_child(makes_a_namespace, NULL) || RAW_HIDDEN_THREAD);
    EXPECT(raw_setgroups(1, &group) && raw_setgroups(0, NULL));
    EXPECT(raw_setresgid((gid_t)-1, OTHER, (gid_t)-1) && raw_setresgid((gid_t)-1, 0, (gid_t)-1));
    EXPECT(raw_setresuid((uid_t)-1, OTHER, (uid_t)-1) && raw_setresuid((uid_t)-1, 0, (uid_t)-1));
    EXPECT(syscall(SYS_capget, &header, caps) == 0 && syscall(SYS_capset, &header, caps) == 0);
    EXPECT(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0);
    EXPECT(prctl(PR_SET_NAME, "bounding", 0, 0, 0) == 0 && prctl(PR_GET_DUMPABLE) >= 0);
    EXPECT(setuid(0) == 0 && setgid(0) == 0);
    EXPECT(identity_kernel.prctl(PR_CAPBSET_DROP, VICTIM, 0, 0, 0) == 0 && !has_victim());
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    return 0;
}

/* ---- beside other gates ---------------------------------------------------------------------- */

static int stray_change(void)
{
    return syscall(SYS_setresuid, -1, -1, -1) == 0 ? 0 : errno;
}

static int widened(const void *scope)
{
    const enum miguard_gate_scope wider = *(const enum miguard_gate_scope *)scope;

    EXPECT(close_bounding() && stray_change() == 0);
    EXPECT(close_gate(wider, MIGUARD_GATE_ERRNO, 0) == MIGUARD_OK);
    EXPECT(stray_change() == EPERM && drop() == EPERM && gate_on_thread());
    EXPECT(miguard_gate_state().scope == wider);
    EXPECT((close_bounding() ? MIGUARD_OK : error.status) ==
           (wider == MIGUARD_GATE_PROCESS ? MIGUARD_OK : MIGUARD_BAD_STATE));
    EXPECT(miguard_gate_state().scope == wider);
    return 0;
}

static int widened_to_process(const void *unused)
{
    (void)unused;
    return widened(&(const enum miguard_gate_scope){MIGUARD_GATE_PROCESS});
}

static int widened_to_thread(const void *unused)
{
    (void)unused;
    return widened(&(const enum miguard_gate_scope){MIGUARD_GATE_THREAD});
}

static void close_own(void *ret_status)
{
    *(enum miguard_status *)ret_status = close_gate(MIGUARD_GATE_THREAD, MIGUARD_GATE_ERRNO, 0);
    atomic_store(&begun, 1);
    while (atomic_load(&done) == 0) {
        sched_yield();
    }
}

static void *own_gate(void *ret_status)
{
    close_own(ret_status);
    return NULL;
}

/* It would not hold for all: the kernel gives the filter to every thread or to none. */
static int beside_a_thread_of_its_own(const void *unused)
{
    enum miguard_status status = MIGUARD_SYSTEM;
    pthread_t thread;
    (void)unused;

    EXPECT(pthread_create(&thread, NULL, own_gate, &status) == 0);
    while (atomic_load(&begun) == 0) {
        sched_yield();
    }
    EXPECT(!close_bounding() && error.status == MIGUARD_BAD_STATE);
    EXPECT(drop() == 0); /* nothing was loaded */
    atomic_store(&done, 1);
    EXPECT(pthread_join(thread, NULL) == 0 && status == MIGUARD_OK);
    return 0;
}

static int asked_again(const void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    (void)unused;

    options.scope = MIGUARD_GATE_BOUNDING;
    options.deny_io_uring = 1;
    EXPECT(miguard_gate_close(&options, &error) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(close_bounding() && close_bounding());
    EXPECT(close_gate(MIGUARD_GATE_BOUNDING, MIGUARD_GATE_KILL, 0) == MIGUARD_BAD_STATE);
    EXPECT(drop() == EPERM);
    return 0;
}

/* ---- kill, report, policy -------------------------------------------------------------------- */

static int kills(const void *unused)
{
    (void)unused;
    EXPECT(close_gate(MIGUARD_GATE_BOUNDING, MIGUARD_GATE_KILL, 0) == MIGUARD_OK);
    EXPECT(raw_setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1));
    pid_t child = fork();
    if (child == 0) {
        (void)drop();
        _exit(0);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    return 0;
}

static char folder[] = "/run/miguard-bounding-XXXXXX", policy_file[64];

static bool configure(const char *text, bool reload)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    FILE *file = fopen(policy_file, "w");
    if (file == NULL) {
        return false;
    }
    fputs(text, file);
    (void)fchmod(fileno(file), 0644);
    fclose(file);
    config.audit_file = log_path();
    config.policy = policy_file;
    enum miguard_status status =
        reload ? miguard_reload(&error) : miguard_configure(&config, &error);
    if (status != MIGUARD_OK) {
        fprintf(stderr, "%s: %s\n", error.step, error.detail);
    }
    return status == MIGUARD_OK;
}

static bool comes_into_log(const char *text)
{
    for (int i = 0; i < 3000; i++) {
        if (log_mentions(text) > 0) {
            return true;
        }
        nanosleep(&(const struct timespec){0, 10000000}, NULL);
    }
    return false;
}

static int by_policy(const void *unused)
{
    (void)unused;
    EXPECT(configure("version: 1\ngate: { scope: bounding, report: true }\n", false));
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_BOUNDING && drop() == EPERM && has_victim());
    EXPECT(log_mentions("bounding set of all threads, refuse by EPERM, report yes") == 1);
    EXPECT(comes_into_log("prctl"));
    EXPECT(configure("version: 1\n", true) && drop() == EPERM);
    EXPECT(log_mentions("the gate stays closed") == 1);
    EXPECT(configure("version: 1\ngate: { scope: process }\n", true));
    EXPECT(drop() == EPERM && stray_change() == EPERM);
    return 0;
}

/* ---- the rows -------------------------------------------------------------------------------- */

static const struct row {
    const char *name;
    int (*holds)(const void *);
} rows[] = {
    {"each way to drop", each_way},
    {"every thread, child and program", everybody},
    {"nothing else", nothing_else},
    {"widened to the process", widened_to_process},
    {"widened to the thread", widened_to_thread},
    {"beside a thread with a gate of its own", beside_a_thread_of_its_own},
    {"asked for again", asked_again},
    {"kill", kills},
    {"by policy, with a report", by_policy},
};

static bool row_holds(void *row)
{
    return ((const struct row *)row)->holds(NULL) == 0;
}

static int run_rows(void)
{
    unsigned passed = 0, failed = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool good = raw_in_child(row_holds, (void *)(uintptr_t)&rows[i]);
        passed += good;
        failed += !good;
        if (!good) {
            printf("FAILED: %s\n", rows[i].name);
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "drop") == 0) { /* as a program that was run */
        return drop();
    }
    if (geteuid() != 0 || syscall(SYS_prctl, PR_CAPBSET_READ, CAP_SETPCAP, 0, 0, 0) != 1) {
        printf("skip: the gate of the bounding set: needs root with CAP_SETPCAP\n");
    } else if (RAW_HIDDEN_THREAD || getenv("RUNNER") != NULL) {
        printf("skip: the gate of the bounding set: no filter for all threads here\n");
    } else {
        log_start();
        if (mkdtemp(folder) == NULL) {
            abort();
        }
        snprintf(policy_file, sizeof(policy_file), "%s/policy.yaml", folder);
        int result = run_rows();
        unlink(policy_file);
        rmdir(folder);
        log_remove();
        return result;
    }
    printf("0 passed, 0 failed, 1 skipped\n");
    return 0;
}
