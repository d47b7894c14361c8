/* SPDX-License-Identifier: MIT */
/*
 * Closing the gate: what is asked and what is in force, how it is loaded with and without
 * privilege, whom a refusal is told to, and a policy that wants one. Each in a child process, since
 * no gate can be opened again. What it refuses is in tests/table/gate_ways_test.c.
 */
#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate.h"
#include "gateway/gateway.h"
#include "identity/change.h"
#include "identity/kernel.h"
#include "miguard.h"
#include "support/elsewhere.h"
#include "support/entry_points.h"
#include "support/log.h"
#include "support/raw.h"

enum { SOMEBODY = 12345 };

static struct miguard_error error;

static enum miguard_status close_gate(enum miguard_gate_scope scope,
                                      enum miguard_gate_action action, int report)
{
    const struct miguard_gate_options options = {sizeof(options), scope, action, report, 0};
    memset(&error, 0, sizeof(error));
    return miguard_gate_close(&options, &error);
}

static enum miguard_status close_process(void)
{
    return close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 0);
}

/* A change that changes nothing, without the cookie: 0 or the errno. */
static int stray(void)
{
    return syscall(SYS_setresuid, -1, -1, -1) == 0 ? 0 : errno;
}

static void on_thread(void *data)
{
    *(int *)data = stray();
}

static int stray_on_thread(void)
{
    int result = -1;
    raw_on_thread(on_thread, &result);
    return result;
}

#define IN_CHILD(body) ck_assert_int_eq(in_child(body, NULL), 0)

/* ---- asking ---------------------------------------------------------------------------------- */

static int bad_arguments(const void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    (void)unused;

    EXPECT(miguard_gate_close(NULL, NULL) == MIGUARD_INVALID_ARGUMENT);
    options.size--;
    EXPECT(miguard_gate_close(&options, &error) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(close_gate(MIGUARD_GATE_OFF, MIGUARD_GATE_ERRNO, 0) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(close_gate(4, MIGUARD_GATE_ERRNO, 0) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, 2, 0) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_OFF);
    EXPECT(!identity_has_cookie() && stray() == 0 && !gate_on_thread());
    return 0;
}

START_TEST(wrong_arguments)
{
    IN_CHILD(bad_arguments);
}
END_TEST

static int closed_is_closed(const void *unused)
{
    struct miguard_gate_options state;
    (void)unused;

    EXPECT(close_process() == MIGUARD_OK);
    state = miguard_gate_state();
    EXPECT(state.size == sizeof(state) && state.scope == MIGUARD_GATE_PROCESS);
    EXPECT(state.action == MIGUARD_GATE_ERRNO && state.report == 0);
    EXPECT(stray() == EPERM && stray_on_thread() == EPERM);
    EXPECT(close_process() == MIGUARD_OK); /* nothing changes */
    EXPECT(close_gate(MIGUARD_GATE_THREAD, MIGUARD_GATE_ERRNO, 0) == MIGUARD_OK);
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_PROCESS);
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_KILL, 0) == MIGUARD_BAD_STATE);
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 1) == MIGUARD_BAD_STATE);
    EXPECT(strstr(error.detail, "cannot be changed") != NULL);
    EXPECT(identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) == 0);
    return 0;
}

START_TEST(closing_twice)
{
    IN_CHILD(closed_is_closed);
}
END_TEST

static atomic_int beside_result = -1;
static int beside_wake[2];

static void *beside(void *unused)
{
    char byte;
    (void)!read(beside_wake[0], &byte, 1);
    atomic_store(&beside_result, stray());
    return unused;
}

static int widened(const void *unused)
{
    pthread_t thread;
    (void)unused;

    EXPECT(pipe(beside_wake) == 0 && pthread_create(&thread, NULL, beside, NULL) == 0);
    EXPECT(close_gate(MIGUARD_GATE_THREAD, MIGUARD_GATE_ERRNO, 0) == MIGUARD_OK);
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_THREAD);
    EXPECT(write(beside_wake[1], "x", 1) == 1 && pthread_join(thread, NULL) == 0);
    EXPECT(atomic_load(&beside_result) == 0); /* it was there before, and is not gated */
    EXPECT(stray() == EPERM && stray_on_thread() == EPERM);
    EXPECT(pthread_create(&thread, NULL, beside, NULL) == 0); /* this one inherits */
    EXPECT(close_process() == MIGUARD_OK);
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_PROCESS);
    EXPECT(write(beside_wake[1], "x", 1) == 1 && pthread_join(thread, NULL) == 0);
    EXPECT(atomic_load(&beside_result) == EPERM);
    return 0;
}

START_TEST(a_thread_s_gate_is_widened)
{
    IN_CHILD(widened);
}
END_TEST

static void *filtered(void *unused)
{
    struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog program = {1, allow};
    char byte;

    prctl(PR_SET_NAME, "own-filter", 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    (void)!write(beside_wake[1], "r", 1);
    for (;;) {
        (void)!read(-1, &byte, 1);
        pause();
    }
    return unused;
}

static int thread_with_a_filter(const void *unused)
{
    pthread_t thread;
    char byte;
    (void)unused;

    EXPECT(pipe(beside_wake) == 0 && pthread_create(&thread, NULL, filtered, NULL) == 0);
    EXPECT(read(beside_wake[0], &byte, 1) == 1);
    EXPECT(close_process() == MIGUARD_BAD_STATE);
    EXPECT(strstr(error.detail, "own-filter") != NULL && error.system_errno == ESRCH);
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_OFF && stray() == 0);
    EXPECT(!gate_on_thread());
    EXPECT(close_gate(MIGUARD_GATE_THREAD, MIGUARD_GATE_ERRNO, 0) == MIGUARD_OK);
    EXPECT(stray() == EPERM);
    return 0;
}

START_TEST(the_thread_in_the_way_is_named)
{
    IN_CHILD(thread_with_a_filter);
}
END_TEST

static int while_switched(const void *unused)
{
    struct miguard_target *target = NULL;
    (void)unused;

    EXPECT(miguard_target_ids(SOMEBODY, SOMEBODY,
                              &(struct miguard_groups){MIGUARD_GROUPS_CLEAR, NULL, 0, NULL},
                              &target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(close_process() == MIGUARD_BAD_STATE);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    EXPECT(close_process() == MIGUARD_OK);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK && geteuid() == SOMEBODY);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK && geteuid() == 0);
    miguard_target_free(target);
    return 0;
}

START_TEST(not_while_switched)
{
    if (is_root("closing while switched")) {
        IN_CHILD(while_switched);
    }
}
END_TEST

/* ---- loading --------------------------------------------------------------------------------- */

static int no_new_privs(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static int with_privilege(const void *unused)
{
    (void)unused;
    EXPECT(close_process() == MIGUARD_OK && no_new_privs() == 0);
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 && errno == EPERM);
    return 0;
}

static int without_privilege(const void *unused)
{
    (void)unused;
    EXPECT(geteuid() != 0 || raw_become(SOMEBODY, SOMEBODY));
    EXPECT(close_process() == MIGUARD_OK && no_new_privs() == 1);
    EXPECT(stray() == EPERM && stray_on_thread() == EPERM);
    /* it cannot change any more, and who sandboxes himself may say it again */
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(identity_kernel.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
    EXPECT(prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == -1 && errno == EPERM);
    return 0;
}

static int under_no_new_privs(const void *unused)
{
    (void)unused;
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(close_process() == MIGUARD_OK && stray() == EPERM);
    return 0;
}

static int in_a_user_namespace(const void *unused)
{
    (void)unused;
    if (geteuid() == 0) {
        EXPECT(raw_become(SOMEBODY, SOMEBODY));
    }
    EXPECT(unshare(CLONE_NEWUSER) == 0);
    EXPECT(close_process() == MIGUARD_OK && no_new_privs() == 0); /* CAP_SYS_ADMIN in there */
    EXPECT(stray() == EPERM);
    return 0;
}

static int can_unshare(const void *unused)
{
    (void)unused;
    return (geteuid() == 0 && !raw_become(SOMEBODY, SOMEBODY)) || unshare(CLONE_NEWUSER) != 0;
}

START_TEST(loading)
{
    if (is_root("loading with CAP_SYS_ADMIN")) {
        IN_CHILD(with_privilege);
    }
    IN_CHILD(without_privilege);
    IN_CHILD(under_no_new_privs);
    if (in_child(can_unshare, NULL) != 0) {
        printf("skip: loading in a user namespace: none can be had here\n");
        return;
    }
    IN_CHILD(in_a_user_namespace);
}
END_TEST

/* A program that is started under a gate draws a cookie of its own, which that does not know. */
static int below_a_gate(const void *unused)
{
    char *const arguments[] = {"gate_test", "--close", NULL};
    pid_t child;
    int status = -1;
    (void)unused;

    EXPECT(close_process() == MIGUARD_OK);
    EXPECT(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) == 0);
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status));
    EXPECT(WEXITSTATUS(status) == MIGUARD_BAD_STATE);
    return 0;
}

START_TEST(a_program_below_a_gate)
{
    IN_CHILD(below_a_gate);
}
END_TEST

static int cookie_in_child(const void *cookie)
{
    EXPECT(identity_cookie.word == *(const unsigned long *)cookie);
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_PROCESS && stray() == EPERM);
    EXPECT(identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) == 0);
    return 0;
}

static int forked_child(const void *unused)
{
    (void)unused;
    EXPECT(close_process() == MIGUARD_OK);
    unsigned long cookie = identity_cookie.word;
    pid_t child = fork();
    if (child == 0) {
        _exit(cookie_in_child(&cookie) == 0 ? 0 : 1);
    }
    int status = -1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    return 0;
}

START_TEST(a_forked_child_inherits)
{
    IN_CHILD(forked_child);
}
END_TEST

/* What lies below the stack of the caller is where the next call's arguments may come from. */
__attribute__((noinline, no_sanitize("address", "thread"))) static bool cookie_is_left(void)
{
    const volatile unsigned long *stack = __builtin_frame_address(0);
    const unsigned long cookie = identity_cookie.word;

    for (size_t i = 16; i < 12 * 1024 / sizeof(cookie); i++) {
        if (stack[-(ptrdiff_t)i] == cookie) {
            return true;
        }
    }
    return false;
}

static int cookie_left(const void *unused)
{
    (void)unused;
    EXPECT(close_process() == MIGUARD_OK);
    EXPECT(!cookie_is_left());
    EXPECT(identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) == 0);
    EXPECT(!cookie_is_left());
    return 0;
}

START_TEST(no_cookie_is_left_on_the_stack)
{
    IN_CHILD(cookie_left);
}
END_TEST

#if defined(__x86_64__) || defined(__aarch64__)
/* All of them, as they are. */
static inline __attribute__((always_inline)) void read_vectors(unsigned long *vectors)
{
#if defined(__x86_64__)
    __asm__ volatile("movdqa %%xmm0, 0(%0)\n\tmovdqa %%xmm1, 16(%0)\n\tmovdqa %%xmm2, 32(%0)\n\t"
                     "movdqa %%xmm3, 48(%0)\n\tmovdqa %%xmm4, 64(%0)\n\tmovdqa %%xmm5, 80(%0)\n\t"
                     "movdqa %%xmm6, 96(%0)\n\tmovdqa %%xmm7, 112(%0)\n\tmovdqa %%xmm8, 128(%0)\n\t"
                     "movdqa %%xmm9, 144(%0)\n\tmovdqa %%xmm10, 160(%0)\n\t"
                     "movdqa %%xmm11, 176(%0)\n\tmovdqa %%xmm12, 192(%0)\n\t"
                     "movdqa %%xmm13, 208(%0)\n\tmovdqa %%xmm14, 224(%0)\n\tmovdqa %%xmm15, 240(%0)"
                     :
                     : "r"(vectors)
                     : "memory");
#else
    __asm__ volatile("stp q0, q1, [%0, 0]\n\tstp q2, q3, [%0, 32]\n\t"
                     "stp q4, q5, [%0, 64]\n\tstp q6, q7, [%0, 96]\n\t"
                     "stp q8, q9, [%0, 128]\n\tstp q10, q11, [%0, 160]\n\t"
                     "stp q12, q13, [%0, 192]\n\tstp q14, q15, [%0, 224]\n\t"
                     "stp q16, q17, [%0, 256]\n\tstp q18, q19, [%0, 288]\n\t"
                     "stp q20, q21, [%0, 320]\n\tstp q22, q23, [%0, 352]\n\t"
                     "stp q24, q25, [%0, 384]\n\tstp q26, q27, [%0, 416]\n\t"
                     "stp q28, q29, [%0, 448]\n\tstp q30, q31, [%0, 480]"
                     :
                     : "r"(vectors)
                     : "memory");
#endif
}

static int cookie_in_vectors(const void *unused)
{
    enum { WORDS = 64 }; /* 32 registers of 16 bytes, of which x86-64 has the first half */
    static unsigned long vectors[WORDS] __attribute__((aligned(16)));
    (void)unused;

    enum miguard_status status = close_process();
    read_vectors(vectors);
    EXPECT(status == MIGUARD_OK);
    for (int i = 0; i < WORDS; i++) {
        EXPECT(vectors[i] != identity_cookie.word);
    }
    return 0;
}

START_TEST(no_cookie_is_left_in_vector_registers)
{
    IN_CHILD(cookie_in_vectors);
}
END_TEST
#endif

/* ---- glibc's setgid(3), which every thread makes from a handler ---------------------------------
 */

static atomic_bool stop_working;

static void *check_and_switch(void *target)
{
    while (!atomic_load(&stop_working)) {
        struct miguard_identity *identity = NULL;
        if (miguard_identity_capture(&identity, NULL) == MIGUARD_OK) {
            miguard_identity_free(identity);
        }
        if (miguard_switch_to(target, NULL) != MIGUARD_OK ||
            miguard_switch_back(NULL) != MIGUARD_OK) {
            abort();
        }
    }
    return NULL;
}

static int setgid_of_others(const void *unused)
{
    static const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
    struct miguard_target *target = NULL;
    pthread_t thread;
    (void)unused;

    EXPECT(miguard_target_ids(SOMEBODY, SOMEBODY, &none, &target, NULL) == MIGUARD_OK);
    EXPECT(close_process() == MIGUARD_OK);
    EXPECT(pthread_create(&thread, NULL, check_and_switch, target) == 0);
    for (int i = 0; i < 2000; i++) { /* glibc aborts when one thread may and another may not */
        EXPECT(setgid(SOMEBODY) == -1 && errno == EPERM);
    }
    atomic_store(&stop_working, true);
    EXPECT(pthread_join(thread, NULL) == 0 && getgid() != SOMEBODY);
    miguard_target_free(target);
    return 0;
}

START_TEST(setgid_is_refused_in_every_thread)
{
    if (geteuid() == 0) {
        IN_CHILD(setgid_of_others);
    }
}
END_TEST

/* ---- report ---------------------------------------------------------------------------------- */

static struct gate_stray told;
static atomic_uint told_count;
static atomic_ulong told_lost;

static void observe(const struct gate_stray *stray_call)
{
    void *memory = malloc(64); /* an observer may allocate */
    told = *stray_call;
    free(memory);
    atomic_fetch_add(&told_lost, stray_call->lost);
    atomic_fetch_add(&told_count, 1);
}

static const struct switch_hooks hooks = {.stray = observe};

static bool told_within(unsigned count, int milliseconds)
{
    for (int i = 0; i < milliseconds && atomic_load(&told_count) + atomic_load(&told_lost) < count;
         i++) {
        usleep(1000);
    }
    return atomic_load(&told_count) + atomic_load(&told_lost) >= count;
}

static bool wait_until_told(unsigned count)
{
    return told_within(count, 5000);
}

static __attribute__((noinline)) long third_party(void)
{
    long result = syscall(SYS_setgid, 4711);
    __asm__ volatile("" : "+r"(result)); /* no tail call */
    return result;
}

static int reported(const void *unused)
{
    (void)unused;
    switch_set_hooks(&hooks);
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 1) == MIGUARD_OK);
    EXPECT(miguard_gate_state().report == 1);
    EXPECT(third_party() == -1 && errno == EPERM);
    EXPECT(wait_until_told(1));
    EXPECT(told.number == SYS_setgid && told.arguments[0] == 4711 && told.tid == gettid());
    const char *site = told.call_site, *function = (const char *)(uintptr_t)&third_party;
    EXPECT(site > function && site < function + 200);
    EXPECT(told.frame_count >= 2 && told.lost == 0);
    /* the library's own calls are nobody's stray ones */
    EXPECT(identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) == 0);
#ifndef RAW_HAS_HIDDEN_THREAD /* that thread blocks SIGSYS, and so it kills */
    EXPECT(setuid(getuid()) == -1 && errno == EPERM); /* by all threads, that of the report too */
    EXPECT(wait_until_told(3));
#endif
    return 0;
}

START_TEST(who_tried_is_told)
{
    IN_CHILD(reported);
}
END_TEST

static int counted(const void *unused)
{
    enum { MANY = 20000 };
    (void)unused;
    switch_set_hooks(&hooks);
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 1) == MIGUARD_OK);
    for (int i = 0; i < MANY; i++) {
        EXPECT(stray() == EPERM);
    }
    /* One that finds room brings the count of what was lost before it. On a busy machine the thread
     * that reports may be late, and that one is lost, too. */
    unsigned long made = MANY, seen = 0;
    do {
        usleep(10000);
        EXPECT(stray() == EPERM);
        made++;
        usleep(10000);
        seen = atomic_load(&told_count) + atomic_load(&told_lost);
    } while (seen != made && made < MANY + 500);
    EXPECT(seen == made);
    return 0;
}

START_TEST(none_is_lost_without_being_counted)
{
    IN_CHILD(counted);
}
END_TEST

static volatile sig_atomic_t foreign;

static void on_foreign(int number)
{
    foreign = number;
}

static int other_handler(const void *unused)
{
    (void)unused;
    signal(SIGSYS, on_foreign);
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 1) == MIGUARD_OK);
    EXPECT(stray() == EPERM && foreign == 0);
    raise(SIGSYS); /* not ours */
    EXPECT(foreign == SIGSYS);
    return 0;
}

START_TEST(the_handler_before_keeps_its_signals)
{
    IN_CHILD(other_handler);
}
END_TEST

/* ---- the disposition before ---------------------------------------------------------------- */

static volatile sig_atomic_t deep, deepest, usr1_within, on_alternate;

static void on_usr1(int number)
{
    (void)number;
    usr1_within += deep > 0;
}

static void on_earlier(int number, siginfo_t *info, void *context)
{
    stack_t stack;

    (void)info, (void)context;
    foreign = foreign + 1;
    deep = deep + 1;
    deepest = deep > deepest ? deep : deepest;
    raise(SIGUSR1);
    if (foreign == 1) {
        raise(number); /* comes in here with SA_NODEFER, and else afterwards */
    }
    on_alternate = sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_ONSTACK) != 0;
    deep = deep - 1;
}

struct before {
    const char *name;
    enum { HANDLED, IGNORED, DEFAULT } kind;
    int flags;
    bool masks;
    bool trap; /* by a filter of somebody else, in place of raise(3) */
    bool dies;
    int gets; /* how many signals the handler gets */
};

static const struct before befores[] = {
    {"plain", HANDLED, 0, false, false, false, 2},
    {"with a mask", HANDLED, 0, true, false, false, 2},
    {"SA_NODEFER", HANDLED, SA_NODEFER, false, false, false, 2},
    {"SA_ONSTACK", HANDLED, SA_ONSTACK, false, false, false, 2},
    {"SA_RESETHAND", HANDLED, (int)SA_RESETHAND, false, false, true, 0},
    {"a trap", HANDLED, 0, true, true, false, 2},
    {"ignored", IGNORED, 0, false, false, false, 0},
    {"ignored, a trap", IGNORED, 0, false, true, true, 0},
    {"default", DEFAULT, 0, false, false, true, 0},
    {"default, a trap", DEFAULT, 0, false, true, true, 0},
};

static void install_before(const struct before *before)
{
    struct sigaction action = {.sa_flags = before->flags | SA_SIGINFO, .sa_sigaction = on_earlier};

    if (before->kind != HANDLED) {
        action.sa_handler = before->kind == IGNORED ? SIG_IGN : SIG_DFL;
        action.sa_flags = 0;
    }
    if (before->masks) {
        sigaddset(&action.sa_mask, SIGUSR1);
    }
    sigaction(SIGSYS, &action, NULL);
    signal(SIGUSR1, on_usr1);
}

static bool trap_getppid(void)
{
    struct sock_filter trap[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, trap};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* The same with the gate and without: what comes out must not differ. */
static int be_signalled(const struct before *before, bool gated)
{
    static unsigned char alternate[65536];
    const stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};

    install_before(before);
    EXPECT(sigaltstack(&stack, NULL) == 0);
    EXPECT(!gated || close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 1) == MIGUARD_OK);
    EXPECT(!gated || (stray() == EPERM && foreign == 0));
    EXPECT(!before->trap || trap_getppid());
    if (before->trap) {
        (void)syscall(SYS_getppid);
    } else {
        raise(SIGSYS);
    }
    EXPECT(foreign == before->gets && usr1_within == (before->masks ? 0 : before->gets));
    EXPECT(before->gets == 0 || deepest == ((before->flags & SA_NODEFER) != 0 ? 2 : 1));
    EXPECT(on_alternate == ((before->flags & SA_ONSTACK) != 0));
    return 0;
}

/* In a PID namespace of its own, whose first process a signal that is sent does not kill. */
START_TEST(a_trap_kills_the_first_process_too)
{
    int status = -1;

    if (geteuid() != 0) {
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        pid_t first = unshare(CLONE_NEWPID) == 0 ? fork() : -1;
        if (first == 0) {
            _exit(be_signalled(&befores[9], true));
        }
        _exit(waitpid(first, &status, 0) == first && WIFSIGNALED(status) &&
                      WTERMSIG(status) == SIGSYS
                  ? 0
                  : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* Does the row raise a signal that comes in while a handler runs? */
static bool interrupts(const struct before *before)
{
    return before->gets > 0 && !before->masks;
}

START_TEST(the_disposition_before_keeps_its_meaning)
{
    const struct before *before = &befores[_i / 2];
    int status = -1;

#if defined(__SANITIZE_THREAD__)
    if (interrupts(before)) {
        printf("skip: %s: ThreadSanitizer runs no handler within another, gate or not\n",
               before->name);
        return;
    }
#else
    (void)interrupts;
#endif
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        _exit(be_signalled(before, _i % 2 != 0));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    ck_assert_msg(before->dies ? died : status == 0, "%s, %s: %x", before->name,
                  _i % 2 != 0 ? "gate" : "no gate", (unsigned)status);
}
END_TEST

/* ---- on an alternate signal stack --------------------------------------------------------- */

enum { BELOW = 1 << 16, CANARY = 0xA5 };

static unsigned char *stack_memory; /* canaries, and the alternate stack above them */

static bool set_stack(size_t size)
{
    stack_t stack = {.ss_sp = stack_memory + BELOW, .ss_size = size};

    memset(stack_memory, CANARY, BELOW + size);
    return sigaltstack(&stack, NULL) == 0;
}

/* How many bytes below the stack were written. */
static unsigned overrun(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < BELOW; i++) {
        count += stack_memory[i] != CANARY;
    }
    return count;
}

/* From the smallest that the kernel takes to where the walk has room. */
static int small_stacks(const void *unused)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    size_t least = getauxval(AT_MINSIGSTKSZ);
    unsigned count = 0, walked = 0;

    (void)unused;
#if defined(__aarch64__)
    least = 5120; /* AT_MINSIGSTKSZ has room for vector registers, which no system call keeps */
#else
    least = least < 2048 ? 2048 : least; /* MINSIGSTKSZ of the kernel's own headers */
#endif
    stack_memory = malloc(BELOW + least + 20480);
    switch_set_hooks(&hooks);
    EXPECT(stack_memory != NULL);
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 1) == MIGUARD_OK);
    for (size_t size = least; size < least + 16384; size += 40) {
        EXPECT(set_stack(size));
        long result = third_party();
        EXPECT(result == -1 && errno == EPERM && overrun() == 0);
        /* One that is lost comes never, and is counted with the next that is not. */
        bool may_be_lost = size < least + 2048;
        EXPECT(told_within(++count, may_be_lost ? 20 : 5000) || may_be_lost);
        walked += told.frame_count > 1;
    }
    EXPECT(sigaltstack(&none, NULL) == 0);
    EXPECT(stray() == EPERM); /* brings the count of what was not told */
    EXPECT(wait_until_told(++count));
    EXPECT(walked > 100 && atomic_load(&told_lost) > 0 && atomic_load(&told_lost) < 50);
    free(stack_memory);
    return 0;
}

START_TEST(a_report_stays_on_its_stack)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)small_stacks;
    printf("skip: a report on a small stack: a sanitizer makes each frame larger\n");
#else
    IN_CHILD(small_stacks);
#endif
}
END_TEST

#ifdef RAW_HAS_HIDDEN_THREAD
static const bool starts_threads_after_fork = false;
#else
static const bool starts_threads_after_fork = true;
#endif

static int told_in_child(const void *unused)
{
    (void)unused;
    switch_set_hooks(&hooks);
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 1) == MIGUARD_OK);
    pid_t child = fork();
    if (child == 0) {
        bool good = stray() == EPERM; /* refused, and told nobody */
        good = good && close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 1) == MIGUARD_OK;
        good = good && stray() == EPERM && wait_until_told(1) && told.tid == getpid();
        _exit(good ? 0 : 1);
    }
    int status = -1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    return 0;
}

START_TEST(a_forked_child_tells_when_it_asks_again)
{
    if (!starts_threads_after_fork) {
        printf("skip: a report from a forked child: the sanitizer allows it no thread\n");
        return;
    }
    IN_CHILD(told_in_child);
}
END_TEST

/* ---- by policy --------------------------------------------------------------------------------
 */

static char folder[64], policy_file[128];

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
    memset(&error, 0, sizeof(error));
    return (reload ? miguard_reload(&error) : miguard_configure(&config, &error)) == MIGUARD_OK;
}

static int process_by_policy(const void *unused)
{
    (void)unused;
    EXPECT(configure("version: 1\ngate: { scope: process }\n", false));
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_PROCESS && stray() == EPERM);
    EXPECT(configure("version: 1\n", true));
    EXPECT(stray() == EPERM && log_mentions("the gate stays closed") == 1);
    EXPECT(!configure("version: 1\ngate: { scope: process, action: kill }\n", true));
    EXPECT(error.status == MIGUARD_BAD_STATE && log_mentions("the gate cannot be closed") == 1);
    EXPECT(configure("version: 1\ngate: { scope: thread }\n", true));
    return 0;
}

static int closed_by_reload(const void *unused)
{
    (void)unused;
    EXPECT(configure("version: 1\n", false) && stray() == 0);
    EXPECT(configure("version: 1\ngate: { scope: process }\n", true) && stray() == EPERM);
    return 0;
}

static void take_session(void *data)
{
    struct scene scene;
    bool *good = data;
    *good = stray() == 0 && scene_make(&scene) && stray() == EPERM &&
            miguard_gate_state().scope == MIGUARD_GATE_THREAD;
    scene_end(&scene);
}

static int thread_by_policy(const void *unused)
{
    bool good[2] = {false, false};
    (void)unused;
    EXPECT(configure("version: 1\ngate: { scope: thread }\n", false) && stray() == 0);
    raw_on_thread(take_session, &good[0]);
    raw_on_thread(take_session, &good[1]);
    EXPECT(good[0] && good[1] && stray() == 0); /* this one asked for no session */
    return 0;
}

static int no_gate_no_session(const void *unused)
{
    struct scene scene;
    pthread_t thread;
    char byte;
    (void)unused;

    EXPECT(pipe(beside_wake) == 0 && pthread_create(&thread, NULL, filtered, NULL) == 0);
    EXPECT(read(beside_wake[0], &byte, 1) == 1);
    EXPECT(!configure("version: 1\ngate: { scope: process }\n", false));
    EXPECT(error.status == MIGUARD_BAD_STATE);
    EXPECT(configure("version: 1\ngate: { scope: thread, action: kill }\n", false));
    EXPECT(close_gate(MIGUARD_GATE_THREAD, MIGUARD_GATE_ERRNO, 0) == MIGUARD_OK);
    EXPECT(scene_make(&scene)); /* a gated thread has its gate */
    scene_end(&scene);
    return 0;
}

START_TEST(a_policy_wants_a_gate)
{
    if (!is_root("a gate by policy")) {
        return;
    }
    snprintf(folder, sizeof(folder), "/run/miguard-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chmod(folder, 0755), 0);
    snprintf(policy_file, sizeof(policy_file), "%s/miguard.yaml", folder);
    int results[4];
    results[0] = in_child(process_by_policy, NULL);
    results[1] = in_child(closed_by_reload, NULL);
    results[2] = in_child(thread_by_policy, NULL);
    results[3] = in_child(no_gate_no_session, NULL);
    unlink(policy_file);
    rmdir(folder);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(results[i], 0);
    }
}
END_TEST

/* ---- sessions ----------------------------------------------------------------------------------
 */

static MI_Result use(struct scene *scene)
{
    MI_Application application;
    return MI_Session_GetApplication(&scene->session, &application);
}

/* A gated thread that changed through the library is refused, and let through when it is back. */
static int guarded_use(const void *unused)
{
    struct miguard_target *target = NULL;
    struct scene scene;
    (void)unused;

    log_start();
    EXPECT(miguard_target_ids(SOMEBODY, SOMEBODY,
                              &(struct miguard_groups){MIGUARD_GROUPS_CLEAR, NULL, 0, NULL},
                              &target, NULL) == MIGUARD_OK);
    EXPECT(close_process() == MIGUARD_OK && scene_make(&scene));
    for (int i = 0; i < 3; i++) {
        EXPECT(use(&scene) == MI_RESULT_OK && use(&scene) == MI_RESULT_OK);
        EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
        EXPECT(use(&scene) == MI_RESULT_ACCESS_DENIED);
        EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    }
    EXPECT(setuid(SOMEBODY) == -1 && use(&scene) == MI_RESULT_OK);
    EXPECT(log_count("session-use", "identity-mismatch") == 3);
    scene_end(&scene);
    miguard_target_free(target);
    log_remove();
    return 0;
}

START_TEST(a_session_behind_the_gate)
{
    if (is_root("a session behind the gate")) {
        IN_CHILD(guarded_use);
    }
}
END_TEST

static bool can_close(void *unused)
{
    (void)unused;
    enum miguard_status status = close_process();
    return status != MIGUARD_NOT_SUPPORTED && status != MIGUARD_NOT_PERMITTED;
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "--close") == 0) {
        return (int)close_process();
    }
    if (!raw_in_child(can_close, NULL)) {
        printf("skip: gate: no seccomp filter can be had here\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    Suite *suite = suite_create("gate");
    TCase *tests = tcase_create("gate");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, wrong_arguments);
    tcase_add_test(tests, closing_twice);
    tcase_add_test(tests, a_thread_s_gate_is_widened);
    tcase_add_test(tests, the_thread_in_the_way_is_named);
    tcase_add_test(tests, not_while_switched);
    tcase_add_test(tests, loading);
    tcase_add_test(tests, a_program_below_a_gate);
    tcase_add_test(tests, a_forked_child_inherits);
    tcase_add_test(tests, no_cookie_is_left_on_the_stack);
#if defined(__x86_64__) || defined(__aarch64__)
    tcase_add_test(tests, no_cookie_is_left_in_vector_registers);
#endif
    tcase_add_test(tests, setgid_is_refused_in_every_thread);
    tcase_add_test(tests, who_tried_is_told);
    tcase_add_test(tests, none_is_lost_without_being_counted);
    tcase_add_test(tests, a_report_stays_on_its_stack);
    tcase_add_test(tests, a_trap_kills_the_first_process_too);
    tcase_add_loop_test(tests, the_disposition_before_keeps_its_meaning, 0,
                        2 * sizeof(befores) / sizeof(befores[0]));
    tcase_add_test(tests, the_handler_before_keeps_its_signals);
    tcase_add_test(tests, a_forked_child_tells_when_it_asks_again);
    tcase_add_test(tests, a_policy_wants_a_gate);
    tcase_add_test(tests, a_session_behind_the_gate);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
