/* SPDX-License-Identifier: MIT */
/*
 * A signal handler that comes in at any system call of the library: of a check, a capture, a
 * switch, the way back, a drop and the closing of a gate. Each signal that can have a handler, 32
 * and 33 included, is sent at the entry and at the exit of each call, by a tracer that stops the
 * thread there. The handler does what a stray call in a program does: it asks for a change with the
 * registers that it inherited, and with the cookie.
 *
 * FULL=1 sends each signal alone at each place, too (make check-signals; minutes); else all of them
 * together at each place and each alone at some. QUICK=1 sends all together at every fifth place
 * and each alone at every hundredth. EMULATED=1 leaves out more places: each of two million stops
 * takes hundreds of times as long there, and what is asked is whether that kernel is as this one.
 *
 * What must hold behind the gate: no such change passes, none goes unnoticed, nothing aborts, and
 * the operation ends as it would have. Without a gate a change passes, and the next check must say
 * so.
 */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/signals.h"
#include "gate/gate.h"
#include "gateway/gateway.h"
#include "identity/change.h"
#include "identity/kernel.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { TARGET = 12345, STRAY = 54321, SIGNALS = 64, ALL_SIGNALS = 0 };

/* ---- between the tracer and the traced ------------------------------------------------------ */

/* The traced thread counts nothing itself: its calls are seen from outside. */
static struct shared {
    volatile bool active;       /* an operation is under way: its stops count */
    volatile int signal;        /* which to send; ALL_SIGNALS */
    volatile unsigned position; /* at which stop */
    volatile unsigned stops;
    volatile bool sent;
    volatile unsigned long sendings, handled, passed, in_register, unnoticed, wrong, aborted;
    volatile unsigned longest; /* stops of one run */
} * shared;

/* A drop needs one signal for itself, which it finds without a handler. */
enum { OF_THE_DROP = SIGNALS };

static bool can_be_handled(int signal)
{
    return signal != SIGKILL && signal != SIGSTOP && signal != OF_THE_DROP;
}

static void send(pid_t child)
{
    shared->sent = true;
    for (int signal = 1; signal <= SIGNALS; signal++) {
        /* SIGCONT and the signals that stop a process discard each other while they are pending. */
        bool wanted =
            shared->signal == signal || (shared->signal == ALL_SIGNALS && signal != SIGCONT);
        if (wanted && can_be_handled(signal) && syscall(SYS_tgkill, child, child, signal) == 0) {
            shared->sendings++;
        }
    }
}

/* A stop at a system call has this bit; any other is the delivery of a signal. */
enum { AT_SYSTEM_CALL = SIGTRAP | 0x80 };

/* Lets the child run to its end: its wait status. */
static int trace(pid_t child)
{
    int status = 0, deliver = 0;

    while (waitpid(child, &status, __WALL) == child && WIFSTOPPED(status)) {
        deliver = WSTOPSIG(status) == AT_SYSTEM_CALL ? 0 : WSTOPSIG(status);
        if (deliver == 0 && shared->active && shared->stops++ == shared->position) {
            send(child);
        }
        if (ptrace(PTRACE_SYSCALL, child, NULL, (long)deliver) != 0) {
            break;
        }
    }
    return status;
}

/* Runs body in a child that is traced. */
static int traced(void (*body)(void))
{
    pid_t child = fork();

    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(3);
        }
        (void)raise(SIGSTOP);
        body();
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0 ||
        ptrace(PTRACE_SYSCALL, child, NULL, NULL) != 0) {
        return -1;
    }
    return trace(child);
}

/* ---- the handler ---------------------------------------------------------------------------- */

static gid_t fsgid_now(void)
{
    return (gid_t)syscall(SYS_setfsgid, (long)UINT32_MAX);
}

static volatile bool may_pass; /* there is no gate */
static volatile int
    handlers; /* under way: one that interrupts another finds this file's registers */

/* A stray call by the registers as they are. */
static void stray_as_inherited(void)
{
#if defined(__x86_64__)
    long result = SYS_setfsgid;
    __asm__ volatile("syscall" : "+a"(result) : "D"((long)STRAY) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long number __asm__("x8") = SYS_setfsgid;
    register long argument __asm__("x0") = STRAY;
    __asm__ volatile("svc #0" : "+r"(argument) : "r"(number) : "memory");
#else
    (void)syscall(SYS_setfsgid, STRAY);
#endif
}

/* Half of it is what a getrandom(2) of its drawing was just given. */
static bool is_drawn(void)
{
    return identity_cookie.half[0] != 0 && identity_cookie.half[1] != 0;
}

static bool holds_cookie(const ucontext_t *context)
{
#if defined(__x86_64__)
    return is_drawn() && (unsigned long)context->uc_mcontext.gregs[REG_R9] == identity_cookie.word;
#elif defined(__aarch64__)
    return is_drawn() && context->uc_mcontext.regs[5] == identity_cookie.word;
#else
    (void)context;
    return false;
#endif
}

static void on_any(int signal, siginfo_t *info, void *context)
{
    int error = errno;

    stray_as_inherited(); /* first: what follows overwrites registers */
    (void)info;
    handlers++;
    if (!may_pass) {
        (void)identity_carry_elsewhere(SYS_setfsgid, STRAY, 0, 0, 0);
        shared->passed += fsgid_now() == STRAY;
    }
    shared->in_register += signal != SIGSYS && handlers == 1 && holds_cookie(context);
    shared->handled++;
    handlers--;
    errno = error;
}

#if defined(__x86_64__)
/* What a handler returns to; glibc gives its own only to handlers that it installs. */
__asm__(".text\nrestorer:\n\tmovq $15, %rax\n\tsyscall\n");
extern void restorer(void);
#endif

/* glibc's sigaction(2) refuses 32 and 33. */
static void handle(int signal)
{
    struct {
        void (*handler)(int, siginfo_t *, void *);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } action = {.handler = on_any, .flags = SA_SIGINFO | SA_RESTART};

#if defined(__x86_64__)
    action.flags |= 0x04000000; /* SA_RESTORER */
    action.restorer = restorer;
#endif
    (void)syscall(SYS_rt_sigaction, signal, &action, NULL, sizeof(action.mask));
}

static void handle_all(void)
{
    for (int signal = 1; signal <= SIGNALS; signal++) {
        if (can_be_handled(signal)) {
            handle(signal);
        }
    }
}

/* ---- what is interrupted ----------------------------------------------------------------------
 */

static struct stub_host *host;
static MI_Session session;
static struct miguard_target *target;

static bool close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    return miguard_gate_close(&options, NULL) == MIGUARD_OK;
}

static bool use(void)
{
    MI_Operation operation = MI_OPERATION_NULL;
    unsigned long before = atomic_load(&host->reached);

    MI_Session_GetInstance(&session, 0, NULL, "root/test", NULL, NULL, &operation);
    bool allowed = atomic_load(&host->reached) != before;
    MI_Operation_Close(&operation);
    return allowed;
}

static void set_up(void)
{
    MI_Context *context = NULL;
    static const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};

    log_start();
    host = stub_host_new();
    if (miguard_guard_context(&host->context, &context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK ||
        miguard_target_ids(TARGET, TARGET, &none, &target, NULL) != MIGUARD_OK) {
        abort();
    }
    handle_all();
}

/* A switched thread keeps its saved uid for the way back. */
static bool is(uid_t uid, uid_t saved, gid_t gid)
{
    uid_t u[3] = {0};
    gid_t g[3] = {0};

    return syscall(SYS_getresuid, &u[0], &u[1], &u[2]) == 0 &&
           syscall(SYS_getresgid, &g[0], &g[1], &g[2]) == 0 && u[0] == uid && u[1] == uid &&
           u[2] == saved && g[0] == gid && g[1] == gid && g[2] == gid && fsgid_now() == gid &&
           (uid_t)syscall(SYS_setfsuid, (long)UINT32_MAX) == uid;
}

/* One run of an operation with a signal at one place. False: it has no such place. */
static bool interrupted(unsigned position, int signal, void (*operation)(void))
{
    shared->position = position;
    shared->signal = signal;
    shared->stops = 0;
    shared->sent = false;
    shared->active = true;
    operation();
    shared->active = false;
    if (shared->stops > shared->longest) {
        shared->longest = shared->stops;
    }
    return shared->sent;
}

static void do_check(void)
{
    identity_change_count += 2; /* so that the check is a fresh one */
    shared->wrong += !use();
}

static void do_ungated_check(void)
{
    (void)use(); /* what comes in behind its last reading it cannot know */
}

static void do_capture(void)
{
    struct miguard_identity identity;

    if (identity_capture(&identity, NULL) == MIGUARD_OK) {
        shared->wrong += identity.uid[IDENTITY_FS] != 0 || identity.gid[IDENTITY_FS] != 0;
        identity_release(&identity);
    }
}

static void do_switch(void)
{
    shared->wrong += miguard_switch_to(target, NULL) != MIGUARD_OK;
}

static void do_back(void)
{
    shared->wrong += miguard_switch_back(NULL) != MIGUARD_OK;
}

/* A record is written of this, and so everything read that a record holds. */
static void do_record(void)
{
    uint64_t count = identity_change_count;

    shared->wrong += miguard_switch_back(NULL) != MIGUARD_NOT_SWITCHED;
    shared->wrong += identity_change_count != count;
}

static void undo_switch(void)
{
    shared->wrong += !is(TARGET, 0, TARGET);
    (void)!miguard_switch_back(NULL);
}

static void prepare_back(void)
{
    (void)!miguard_switch_to(target, NULL);
}

/* What a change that came in leaves behind: the next check must find it. */
static void look_behind(void)
{
    bool changed = fsgid_now() != 0;

    shared->unnoticed += changed && use();
    shared->wrong += !changed && !use();
    (void)syscall(SYS_setfsgid, 0L);
}

static const struct row {
    const char *name;
    void (*before)(void), (*operation)(void), (*after)(void);
    bool gated;
} rows[] = {
    {"check", NULL, do_check, NULL, true},
    {"capture", NULL, do_capture, NULL, true},
    {"switch", NULL, do_switch, undo_switch, true},
    {"back", prepare_back, do_back, NULL, true},
    {"record", NULL, do_record, NULL, true},
    {"check without a gate", NULL, do_ungated_check, look_behind, false},
};

static const struct row *row;

/* How far apart the places are that are tried. */
struct steps {
    unsigned together, alone;
    unsigned once; /* of what can be done once in a process: a child for each place */
};

static struct steps steps(void)
{
    static const struct steps each = {1, 1, 1}, usual = {1, 9, 3}, quick = {5, 100, 10},
                              emulated = {20, 300, 60};

    return getenv("FULL") != NULL       ? each
           : getenv("EMULATED") != NULL ? emulated
           : getenv("QUICK") != NULL    ? quick
                                        : usual;
}

/* Where a signal is first sent alone. Each operation has more places, so each signal is sent. */
static unsigned first_place(int signal)
{
    return (unsigned)signal % (steps().alone < 20 ? steps().alone : 20);
}

static bool run_at(unsigned position, int signal)
{
    if (row->before != NULL) {
        row->before();
    }
    bool there = interrupted(position, signal, row->operation);
    if (row->after != NULL) {
        row->after();
    }
    shared->wrong += !is(0, 0, 0);
    return there;
}

/* All signals together; then each signal alone. */
static void run_row(void)
{
    if (row->gated && !close_gate()) {
        _exit(3);
    }
    set_up();
    may_pass = !row->gated;
    for (unsigned position = 0; run_at(position, ALL_SIGNALS); position += steps().together) {
    }
    for (int signal = 1; row->gated && signal <= SIGNALS; signal++) {
        for (unsigned position = first_place(signal);
             can_be_handled(signal) && run_at(position, signal); position += steps().alone) {
        }
    }
}

/* ---- what can be done once in a process -------------------------------------------------------
 */

static unsigned once_position;

static void do_drop(void)
{
    struct miguard_error error = {0};
    shared->wrong += miguard_drop(target, &error) != MIGUARD_OK;
}

static void drop_once(void)
{
    if (!close_gate()) {
        _exit(3);
    }
    set_up();
    (void)interrupted(once_position, ALL_SIGNALS, do_drop);
    shared->wrong += !is(TARGET, TARGET, TARGET) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

static void do_gate(void)
{
    shared->wrong += !close_gate();
}

/* A handler that comes in before the filter is there changes what it may; afterwards nothing. */
static void gate_once(void)
{
    set_up();
    may_pass = true;
    (void)interrupted(once_position, ALL_SIGNALS, do_gate);
    may_pass = false;
    struct signals signals;
    (void)signals_block(&signals); /* as the library does it round a change */
    (void)identity_kernel.setfsgid(0);
    signals_restore(&signals);
    shared->sendings++;
    (void)raise(SIGUSR1);
    shared->wrong += !is(0, 0, 0) || !use();
}

/* ---- the table --------------------------------------------------------------------------------
 */

static unsigned failed, passed_rows;

static void judge(const char *name, int status)
{
    shared->aborted += status != 0;
    bool good = status == 0 && shared->passed == 0 && shared->unnoticed == 0 &&
                shared->wrong == 0 && shared->in_register == 0 && shared->handled > 0 &&
                shared->handled == shared->sendings;
    printf("%s%-22s %4u stops %8lu signals %8lu handled: %lu stray changes passed, %lu unnoticed, "
           "%lu wrong ends, %lu with the cookie in a register, %lu aborts\n",
           good ? "" : "FAIL: ", name, shared->longest, shared->sendings, shared->handled,
           shared->passed, shared->unnoticed, shared->wrong, shared->in_register, shared->aborted);
    failed += !good;
    passed_rows += good;
}

static void run_once(const char *name, void (*body)(void))
{
    int status = 0;
    bool more = true;

    memset((void *)shared, 0, sizeof(*shared));
    for (once_position = 0; more && status == 0; once_position += steps().once) {
        status = traced(body);
        more = shared->sent;
    }
    judge(name, status);
}

static void nothing(void)
{
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || geteuid() != 0 || RAW_HIDDEN_THREAD || getenv("RUNNER") != NULL ||
        traced(nothing) != 0 || !IDENTITY_ONE_INSTRUCTION) {
        printf(
            "skip: signals in the library: needs root, ptrace(2), and no thread of a sanitizer\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset((void *)shared, 0, sizeof(*shared));
        row = &rows[i];
        judge(row->name, traced(run_row));
    }
    run_once("drop", drop_once);
    run_once("gate", gate_once);
    printf("%u passed, %u failed\n", passed_rows, failed);
    return failed == 0 ? 0 : 1;
}
