/* SPDX-License-Identifier: MIT */
/*
 * Reports attempts: a refused call under a gate with report raises SIGSYS (SECCOMP_RET_TRAP) on the
 * thread that made it. The handler notes the place, returns EPERM in place of the call, and wakes a
 * background thread of the library that calls the hook.
 *
 * Why not user notification (SECCOMP_RET_USER_NOTIF), where a supervisor answers: it took 4.7 us
 * per refusal against 0.9 us, and 1.9 us with the walk up the stack (a bare EPERM: 0.1 us); it
 * shows the instruction alone and not the caller of libc; children would wait for this process; and
 * under glibc's setuid(3), where every thread makes the call, the supervisor would wait for itself.
 * miguard-gate(7), "Why a policy does not report by default", has what was tried against that.
 *
 * The handler may interrupt any code, since glibc's setuid(3) makes other threads do the call from
 * within a signal handler: it neither locks nor allocates. The background thread resolves the
 * addresses to modules and names.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <seccomp.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "base/entry.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/process.h"
#include "gate/gate.h"
#include "gate/gate_filter.h"
#include "identity/kernel.h"
#include "switch/switch.h"

#if defined(__x86_64__)
#define CAN_REPORT              1
#define REPEAT_CALL(context)    ((context)->uc_mcontext.gregs[REG_RIP] -= 2)
#define SET_RESULT(context, to) ((context)->uc_mcontext.gregs[REG_RAX] = (greg_t)(to))
#define REGISTER_ARGUMENT(context, i)                                                              \
    ((context)->uc_mcontext.gregs[(i) == 0 ? REG_RDI : (i) == 1 ? REG_RSI : REG_RDX])
#elif defined(__aarch64__)
#define CAN_REPORT                    1
#define REPEAT_CALL(context)          ((context)->uc_mcontext.pc -= 4)
#define SET_RESULT(context, to)       ((context)->uc_mcontext.regs[0] = (unsigned long long)(to))
#define REGISTER_ARGUMENT(context, i) ((context)->uc_mcontext.regs[i])
#else
#define CAN_REPORT                    0
#define REPEAT_CALL(context)          ((void)(context))
#define SET_RESULT(context, to)       ((void)(context), (void)(to))
#define REGISTER_ARGUMENT(context, i) ((void)(context), (i))
#endif

/* SYS_SECCOMP, which glibc names only since 2.39. */
enum { CODE_SECCOMP = 1 };

/* ---- refusals on their way to the background thread ------------------------------------------ */

/* How many refusals may wait for the background thread; more are counted as lost. A bound, because
 * the handler cannot allocate. */
enum { NOTES = 64 };

/* A note goes round: a handler takes a free one and writes it, the background thread reports it and
 * frees it. */
enum note_state { NOTE_FREE, NOTE_BEING_WRITTEN, NOTE_WRITTEN };

/* One refusal. state is the lock: only the one that moved it to BEING_WRITTEN writes the rest. */
struct note {
    atomic_int state;
    struct gate_stray stray;
};

static struct note notes[NOTES];
static _Atomic uint64_t lost;
static sem_t written;
static struct sigaction earlier;  /* the handler that was installed before ours */
static atomic_bool earlier_spent; /* it was for one signal (SA_RESETHAND), which it has received */

/* ---- the handler --------------------------------------------------------------------------- */

struct walk {
    struct gate_stray *stray;
    const void *from; /* the place of the call: frames below it are the handler's */
    bool reached;
};

/* One frame of the walk up the stack, from the handler outwards; ends when the record is full. */
static _Unwind_Reason_Code on_frame(struct _Unwind_Context *frame, void *argument)
{
    struct walk *walk = argument;
    const void *address = (const void *)_Unwind_GetIP(frame);

    walk->reached = walk->reached || address == walk->from;
    if (walk->reached) {
        walk->stray->frames[walk->stray->frame_count++] = address;
    }
    return walk->stray->frame_count < GATE_FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

/*
 * An alternate signal stack (sigaltstack(2)) may have hardly more room than the kernel's own frame
 * takes, and the memory below it belongs to other code. Measured on x86-64 with GCC: the walk takes
 * less than 2 KiB, a note without it less than 300 bytes; at least twice that is required. On
 * aarch64 the walk keeps twice as many registers, and 4 KiB was not enough.
 */
#if defined(__aarch64__)
enum { ROOM_FOR_WALK = 10240, ROOM_FOR_NOTE = 1024 };
#else
enum { ROOM_FOR_WALK = 4096, ROOM_FOR_NOTE = 1024 };
#endif

/* The free space of the alternate stack in use; SIZE_MAX without an alternate stack. */
static inline size_t room_left(const ucontext_t *context)
{
    uintptr_t low = (uintptr_t)context->uc_stack.ss_sp;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    return here - low < context->uc_stack.ss_size ? here - low : SIZE_MAX;
}

/* Fills the note from the trapped call. Without room for the walk only the place of the call is
 * known. */
static void write_note(struct note *note, const siginfo_t *info, const ucontext_t *context)
{
    struct gate_stray *stray = &note->stray;
    struct walk walk = {stray, info->si_call_addr, false};

    memset(stray, 0, sizeof(*stray));
    stray->tid = (pid_t)identity_kernel.gettid();
    stray->number = info->si_syscall;
    stray->architecture = info->si_arch;
    for (int i = 0; i < 3; i++) {
        stray->arguments[i] = (uint64_t)REGISTER_ARGUMENT(context, i);
    }
    if (room_left(context) >= ROOM_FOR_WALK) {
        (void)_Unwind_Backtrace(on_frame, &walk);
    }
    if (stray->frame_count == 0) {
        stray->frames[stray->frame_count++] = info->si_call_addr;
    }
    stray->lost = atomic_exchange(&lost, 0);
}

/* Not inlined: the caller may be called with a stack that has no room for this frame. */
static __attribute__((noinline)) void note_stray(const siginfo_t *info, const ucontext_t *context)
{
    ENTRY_UNCANCELLED;
    int saved_errno = errno;
    for (int i = 0; i < NOTES; i++) {
        int free_state = NOTE_FREE;
        if (atomic_compare_exchange_strong(&notes[i].state, &free_state, NOTE_BEING_WRITTEN)) {
            write_note(&notes[i], info, context);
            atomic_store(&notes[i].state, NOTE_WRITTEN);
            (void)sem_post(&written);
            errno = saved_errno;
            return;
        }
    }
    atomic_fetch_add(&lost, 1);
}

/*
 * Takes the default action at the place where the signal arrived. A trapped call is repeated and
 * traps again: that also kills the first process of a PID namespace, which a signal that is only
 * sent does not.
 */
static void die_of_it(const siginfo_t *info, ucontext_t *context)
{
    if (info->si_code == CODE_SECCOMP) {
        (void)signal(SIGSYS, SIG_DFL);
        REPEAT_CALL(context);
        return;
    }
    if (identity_kernel.getpid() == 1) { /* a sent signal does not kill it (kill(2)) */
        return;
    }
    (void)signal(SIGSYS, SIG_DFL);
    (void)raise(SIGSYS);
    (void)sigdelset(&context->uc_sigmask, SIGSYS);
}

/*
 * Another filter may trap, too, and a signal may be sent: both get the treatment that they would
 * have had without this handler. A signal that the kernel forces, and a trap is one, is not ignored
 * but kills (seccomp(2)). The earlier handler runs with this handler's mask and other flags.
 */
static __attribute__((noinline)) void pass_on(int number, siginfo_t *info, ucontext_t *context)
{
    const bool forced = info->si_code > 0;
    int saved_errno = errno;

    if (earlier.sa_handler == SIG_DFL || (earlier.sa_handler == SIG_IGN && forced)) {
        die_of_it(info, context);
    } else if (earlier.sa_handler == SIG_IGN) {
        return;
    } else if ((earlier.sa_flags & (int)SA_RESETHAND) != 0 &&
               atomic_exchange(&earlier_spent, true)) {
        die_of_it(info, context);
    } else if ((earlier.sa_flags & SA_SIGINFO) != 0) {
        earlier.sa_sigaction(number, info, context);
    } else {
        earlier.sa_handler(number);
    }
    errno = saved_errno;
}

/* Small, and calls nothing before it knows that the stack has room. */
static __attribute__((no_sanitize("address", "thread", "undefined"))) void
on_sigsys(int number, siginfo_t *info, void *argument)
{
    ucontext_t *context = argument;

    if (info->si_code != CODE_SECCOMP || info->si_errno != GATE_TRAP_MARK) {
        pass_on(number, info, context);
        return;
    }
    if (room_left(context) >= ROOM_FOR_NOTE) {
        note_stray(info, context);
    } else {
        atomic_fetch_add(&lost, 1);
    }
    SET_RESULT(context, -EPERM);
}

/* ---- the background thread ------------------------------------------------------------------- */

/* The load address of the object that has this code, or NULL. */
static const void *module_of(const void *address)
{
    Dl_info info;
    return dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

/* libc makes the calls; the useful place is the caller of libc. */
static const void *call_site_of(const struct gate_stray *stray)
{
    const void *libc = module_of((const void *)(uintptr_t)&getpid);

    for (unsigned i = 0; i < stray->frame_count; i++) {
        if (module_of(stray->frames[i]) != libc) {
            return stray->frames[i];
        }
    }
    return stray->frames[0];
}

/* How many of the first three arguments are ids or options, and not addresses. */
static int argument_count(const char *name)
{
    static const struct {
        const char *name;
        int count;
    } rows[] = {
        {"setuid", 1},    {"setgid", 1},    {"setfsuid", 1}, {"setfsgid", 1},
        {"setreuid", 2},  {"setregid", 2},  {"prctl", 2},    {"setresuid", 3},
        {"setresgid", 3}, {"setgroups", 1}, {"unshare", 1},  {"keyctl", 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].count;
        }
    }
    return 0;
}

void gate_stray_text(const struct gate_stray *stray, char *text, size_t size)
{
    const int a = (int)stray->arguments[0], b = (int)stray->arguments[1];
    char *name = seccomp_syscall_resolve_num_arch(stray->architecture, (int)stray->number);
    int count = name != NULL ? argument_count(name) : 0;

    if (name == NULL) {
        snprintf(text, size, "system call %ld of architecture 0x%x", stray->number,
                 stray->architecture);
    } else if (count == 0) {
        snprintf(text, size, "%s()", name);
    } else if (count == 1) {
        snprintf(text, size, "%s(%d)", name, a);
    } else if (count == 2) {
        snprintf(text, size, "%s(%d, %d)", name, a, b);
    } else {
        snprintf(text, size, "%s(%d, %d, %d)", name, a, b, (int)stray->arguments[2]);
    }
    free(name); /* allocated by libseccomp */
}

/* Reports what is written and frees its notes. Also runs when nothing is, after a wake-up for
 * another reason. */
static void report_all(void)
{
    for (int i = 0; i < NOTES; i++) {
        void (*function)(const struct gate_stray *) = switch_hooks()->stray;
        if (atomic_load(&notes[i].state) != NOTE_WRITTEN) {
            continue;
        }
        notes[i].stray.call_site = call_site_of(&notes[i].stray);
        if (function != NULL) {
            function(&notes[i].stray);
        }
        atomic_store(&notes[i].state, NOTE_FREE);
    }
}

static struct {
    pthread_mutex_t lock;
    uint64_t started; /* the epoch of the process that started reporting, or 0 */
    bool running;     /* that process has its thread */
    bool paused;
    atomic_bool stop;
    pthread_t thread;
} reporter = {.lock = PTHREAD_MUTEX_INITIALIZER};

FORK_OWNER(reporter_owner, .rank = FORK_GATE_REPORT, .lock = &reporter.lock);

/* Signals are blocked by start_thread(). Ends after a last report when stop is set. */
static void *report_loop(void *unused)
{
    ENTRY_UNCANCELLED;
    while (!atomic_load(&reporter.stop)) {
        while (sem_wait(&written) != 0) {
        }
        report_all();
    }
    return unused;
}

/* The caller holds the lock. */
static int start_thread(void)
{
    sigset_t before;

    if (!process_mute(&before)) {
        return EAGAIN;
    }
    atomic_store(&reporter.stop, false);
    int error = pthread_create(&reporter.thread, NULL, report_loop, NULL);
    process_unmute(&before);
    reporter.running = error == 0;
    return error;
}

/* At the first call of a function the dynamic linker and the unwinder use much stack and do work
 * that a handler must not do: it is done here, beforehand. */
static void rehearse(void)
{
    static struct note nothing;
    const siginfo_t info = {.si_signo = 0};
    const ucontext_t context = {.uc_flags = 0};

    write_note(&nothing, &info, &context);
    atomic_fetch_add(&lost, nothing.stray.lost);
    (void)sem_post(&written);
}

/* Takes over mask and flags of an earlier handler, which gets its signals from ours; so its stack
 * is its own choice. Without an earlier handler the alternate stack is used (threads of Go need
 * it). */
static struct sigaction ours_after(const struct sigaction *before)
{
    struct sigaction action = {.sa_sigaction = on_sigsys,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) {
        action.sa_mask = before->sa_mask;
        action.sa_flags = SA_SIGINFO | (before->sa_flags & (SA_ONSTACK | SA_NODEFER | SA_RESTART));
    }
    return action;
}

/* A handler that another thread installs between the look and the installation is returned by the
 * latter; ours is then installed again, with that handler's mask and flags. */
static bool install_handler(void)
{
    static bool installed;
    struct sigaction replaced;

    if (installed) {
        return true;
    }
    if (sigaction(SIGSYS, NULL, &earlier) != 0) {
        return false;
    }
    struct sigaction action = ours_after(&earlier);
    if (sigaction(SIGSYS, &action, &replaced) != 0) {
        return false;
    }
    if (replaced.sa_sigaction != earlier.sa_sigaction) {
        earlier = replaced;
        action = ours_after(&earlier);
        (void)sigaction(SIGSYS, &action, NULL);
    }
    installed = true;
    return true;
}

/* The caller holds the lock. Notes that a forked child inherited are its parent's to report. */
static enum miguard_status start_reporting(struct miguard_error *reterr)
{
    if (reporter.started != 0 && reporter.started == process_epoch()) {
        return MIGUARD_OK;
    }
    enum miguard_status status =
        gate_check_unswitched(reterr); /* the new thread would inherit this one's identity */
    if (status != MIGUARD_OK) {
        return status;
    }
    for (int i = 0; i < NOTES; i++) {
        atomic_store(&notes[i].state, NOTE_FREE);
    }
    if (sem_init(&written, 0, 0) != 0) {
        return error_set(reterr, MIGUARD_SYSTEM, errno, "sem_init", NULL);
    }
    rehearse();
    reporter.running = false;
    int error = reporter.paused ? 0 : start_thread();
    if (error != 0) {
        return error_set(reterr, error == EAGAIN ? MIGUARD_NO_MEMORY : MIGUARD_SYSTEM, error,
                         "pthread_create", NULL);
    }
    if (!install_handler()) {
        return error_set(reterr, MIGUARD_SYSTEM, errno, "sigaction", NULL);
    }
    reporter.started = process_epoch();
    return MIGUARD_OK;
}

enum miguard_status gate_report_start(struct miguard_error *reterr)
{
    if (!CAN_REPORT) {
        return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "gate report",
                         "not on this architecture");
    }
    pthread_mutex_lock(&reporter.lock);
    enum miguard_status status = start_reporting(reterr);
    pthread_mutex_unlock(&reporter.lock);
    return status;
}

/* For the drop: between the two there is no such thread. Attempts refused in between are reported
 * after resume. The hook may close a gate, and so take the lock: it is not held while this waits.
 */
static void pause_reporting(void)
{
    pthread_mutex_lock(&reporter.lock);
    reporter.paused = true;
    bool running = reporter.running && reporter.started == process_epoch();
    reporter.running = false;
    pthread_mutex_unlock(&reporter.lock);
    if (running) {
        atomic_store(&reporter.stop, true);
        (void)sem_post(&written);
        (void)pthread_join(reporter.thread, NULL);
    }
}

/* Where no thread can be created, calls are still refused, but not reported. */
static void resume_reporting(void)
{
    pthread_mutex_lock(&reporter.lock);
    reporter.paused = false;
    if (reporter.started != 0 && reporter.started == process_epoch() && !reporter.running) {
        (void)start_thread();
        (void)sem_post(&written); /* for what came in between */
    }
    pthread_mutex_unlock(&reporter.lock);
}

/* A note that is free was reported, or there was none. */
static bool all_are_reported(void)
{
    for (int i = 0; i < NOTES; i++) {
        if (atomic_load(&notes[i].state) != NOTE_FREE) {
            return false;
        }
    }
    return true;
}

/* Not on the background thread, which would wait for itself. */
static bool is_reported_elsewhere(void)
{
    pthread_mutex_lock(&reporter.lock);
    bool elsewhere = reporter.running && reporter.started == process_epoch() &&
                     pthread_equal(reporter.thread, pthread_self()) == 0;
    pthread_mutex_unlock(&reporter.lock);
    return elsewhere;
}

void gate_report_flush(void)
{
    const struct timespec moment = {0, 1000000};

    if (!is_reported_elsewhere()) {
        return;
    }
    for (int waited = 0; waited < 2000 && !all_are_reported(); waited++) {
        (void)nanosleep(&moment, NULL);
    }
}

/* exit(3) runs this while the background thread still runs. */
__attribute__((destructor)) static void flush_at_exit(void)
{
    ENTRY_UNCANCELLED;
    gate_report_flush();
}

/* Runs before any thread can drop, whether or not a gate is ever closed: a gate that is closed
 * while another thread begins a drop does not start the thread then. */
__attribute__((constructor)) static void register_pause(void)
{
    static const struct drop_pause pause = {pause_reporting, resume_reporting};
    drop_set_pause(DROP_PAUSER_GATE, &pause);
}
