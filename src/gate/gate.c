/* SPDX-License-Identifier: MIT */
/*
 * Closes the gate, and answers from it whether a thread can have changed (gate.h). Called by
 * programs, the policy's set-up and the guard.
 *
 * Closing: gate_close() -> close_gate() compares what is closed already -> close_new() checks this
 * thread and the rings, draws the cookie, starts reporting -> load_and_verify(): load() builds and
 * loads the filter, verify() tests it. A filter that fails its test stays loaded, but proves
 * nothing (broken).
 */
#include "gate/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/process.h"
#include "base/signals.h"
#include "gate/gate_filter.h"
#include "identity/change.h"
#include "identity/kernel.h"
#include "identity/read.h"
#include "switch/copy.h"
#include "switch/switch.h"
#include "switch/uring.h"

/* ---- cached knowledge of a thread ------------------------------------------------------------ */

/* The entries of a thread: of the last binding that was checked, and of its home. */
enum { ENTRY_BINDING, ENTRY_HOME, ENTRIES };

/* The top bit of a number distinguishes the two. */
#define HOME_BIT ((uint64_t)1 << 63)

/*
 * volatile, because a signal handler of the thread may run between any two instructions. An entry
 * counts only while known_at is the count of changes plus 1. Its initial value 0, which is written
 * first and replaced last, never matches.
 */
static __thread struct {
    volatile uint64_t epoch;
    struct known_entry {
        volatile uint64_t binding;
        volatile uint64_t known_at; /* the count of changes plus 1 */
        volatile bool can_be_given; /* no_new_privs was not set, and another thread can set it */
    } entry[ENTRIES];
    volatile bool writing;
    int answer;        /* from the kernel, see ask_kernel() */
    unsigned asked_at; /* closed_gates when the kernel was last asked */
    pid_t tid;
} known __attribute__((tls_model("initial-exec")));

static atomic_uint closed_gates; /* a forked child inherits the number */
static atomic_bool broken;       /* a filter failed its test: it proves nothing */

/* 64 bits do not wrap around in the life of a process. */
uint64_t gate_new_binding(void)
{
    static _Atomic uint64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

uint64_t gate_new_home(void)
{
    return gate_new_binding() | HOME_BIT;
}

static struct known_entry *entry_of(uint64_t binding)
{
    return &known.entry[(binding & HOME_BIT) != 0 ? ENTRY_HOME : ENTRY_BINDING];
}

/* Does not change errno: it may be asked before the line that keeps it (base/entry.h), and some
 * machines ask by syscall(2). Apart from its caller, whose usual way then needs no stack frame. */
static __attribute__((noinline)) bool is_without_no_new_privs(void)
{
    const int error = errno;
    uint32_t no_new_privs = 0;
    const bool is_without = read_no_new_privs(&no_new_privs) && no_new_privs == 0;

    errno = error;
    return is_without;
}

bool gate_known_same(uint64_t binding)
{
    const struct known_entry *entry = entry_of(binding);

    return entry->known_at == identity_change_count + 1 && entry->binding == binding &&
           process_has_epoch(known.epoch) && binding != 0 &&
           (!entry->can_be_given || is_without_no_new_privs());
}

/* The bits of the answer, or -1: this thread has no filter of this process's gates. */
static int ask_kernel(void)
{
    struct signals signals;

    if (!identity_has_cookie()) {
        return -1;
    }
    (void)signals_block(&signals); /* the call carries the cookie, as a change does */
    long answer = -identity_kernel.prctl(KERNEL_GATE_PROBE, 0, 0, 0, 0) - GATE_ANSWER;
    signals_restore(&signals);
    return answer >= 0 && answer <= GATE_ANSWER_BITS ? (int)answer : -1;
}

/* The same for a caller that draws conclusions: only for a gate that passed its test, and for the
 * thread that owns `known`. Asked again after another gate was closed. Of two gates the kernel
 * gives the answer of the later one (seccomp(2)), which is the wider (close_gate()). */
static int any_gate_of_thread(void)
{
    unsigned closed = atomic_load_explicit(&closed_gates, memory_order_acquire);
    uint64_t epoch = process_epoch();

    if (closed == 0 || epoch == 0 || atomic_load_explicit(&broken, memory_order_relaxed)) {
        return -1;
    }
    pid_t tid = (pid_t)identity_kernel.gettid();
    if (known.epoch != epoch) {
        known.entry[ENTRY_BINDING].known_at = 0;
        known.entry[ENTRY_HOME].known_at = 0;
        known.asked_at = 0;
        known.tid = tid;
        known.epoch = epoch;
    }
    if (known.tid != tid) { /* a child that shares this memory with the thread */
        return -1;
    }
    if (known.asked_at != closed) {
        known.answer = ask_kernel();
        known.asked_at = closed;
    }
    return known.answer;
}

static bool is_of_bounding(int gate)
{
    return gate >= 0 && (gate & GATE_OF_BOUNDING) != 0;
}

/* The same of a gate that refuses all changes. */
static int gate_of_thread(void)
{
    int gate = any_gate_of_thread();
    return is_of_bounding(gate) ? -1 : gate;
}

bool gate_on_thread(void)
{
    return gate_of_thread() >= 0;
}

enum identity_gate gate_kind(void)
{
    int gate = any_gate_of_thread();

    return gate < 0               ? IDENTITY_UNGATED
           : is_of_bounding(gate) ? IDENTITY_BOUNDING_KEPT
                                  : IDENTITY_GATED;
}

bool gate_excludes_uring(void)
{
    const int whole = GATE_IS_PROCESS | GATE_DENIES_URING, gate = gate_of_thread();

    return gate >= 0 && (gate & whole) == whole;
}

/* Beside a gate of one thread another thread can bring no_new_privs to it. */
static bool is_sealed(void)
{
    const int gate = gate_of_thread();

    return gate >= 0 && (gate & GATE_IS_PROCESS) != 0;
}

/* An odd count means that a change is under way: a handler of SIGSYS interrupted it. A different
 * count means that a handler ran during the check. */
static void note_same(uint64_t count, uint64_t binding, bool can_be_given)
{
    struct known_entry *entry = entry_of(binding);

    if (count % 2 != 0 || count != identity_change_count || known.writing) {
        return;
    }
    known.writing = true;
    entry->known_at = 0;
    entry->binding = binding;
    entry->can_be_given = can_be_given;
    entry->known_at = count + 1;
    known.writing = false;
}

/* Where the bound identity has no label there is no LSM with labels, and nothing to compare. */
static bool compares_label(const struct miguard_identity *bound, miguard_components compared)
{
    return (compared & MIGUARD_COMPONENT_LSM_LABEL) != 0 && bound->lsm_label != NULL;
}

/*
 * After a switch its read-back has just asked the kernel for all that a switch can change, and
 * nothing has changed since (switch_verified()). So a match is found by comparing with that, and
 * only the rest is asked for. A difference is found out afresh, as it is going to be recorded.
 */
static bool matches_read_back(const struct miguard_identity *bound, miguard_components compared)
{
    const miguard_components state = COMPONENTS_OF_STATE;
    const struct miguard_identity *now = switch_verified();

    return now != NULL && (miguard_identity_compare(bound, now) & compared & state) == 0 &&
           identity_check_gated(bound, compared & ~state, IDENTITY_GATED, NULL) == 0;
}

/* A check whose result is noted when the thread is the same and nothing interfered. */
static miguard_components check_and_note(uint64_t binding, const struct miguard_identity *bound,
                                         miguard_components compared, bool alone,
                                         miguard_components *ret_unreadable)
{
    struct signals signals;
    bool quiet = signals_block(&signals);
    uint64_t count = identity_change_count;

    miguard_components differing =
        identity_check_gated(bound, compared, IDENTITY_GATED, ret_unreadable);
    if (differing == 0 && quiet) {
        note_same(count, binding, alone && bound->no_new_privs == 0);
    }
    signals_restore(&signals);
    return differing;
}

/* Nothing differs. */
static miguard_components no_difference(miguard_components *ret_unreadable)
{
    if (ret_unreadable != NULL) {
        *ret_unreadable = 0;
    }
    return 0;
}

miguard_components gate_check(uint64_t binding, const struct miguard_identity *bound,
                              miguard_components compared, miguard_components *ret_unreadable)
{
    if (gate_known_same(binding)) {
        return 0;
    }
    const enum identity_gate kind = gate_kind();
    if (kind != IDENTITY_GATED || compares_label(bound, compared)) {
        return identity_check_gated(bound, compared, kind, ret_unreadable);
    }
    const uint64_t count = identity_change_count;
    if (matches_read_back(bound, compared)) {
        note_same(count, binding, false);
        return no_difference(ret_unreadable);
    }
    return check_and_note(binding, bound, compared, !is_sealed(), ret_unreadable);
}

/* ---- closing ------------------------------------------------------------------------------ */

static pthread_mutex_t close_lock = PTHREAD_MUTEX_INITIALIZER;

FORK_OWNER(close_owner, .rank = FORK_GATE, .lock = &close_lock);

/* The answer of the filter as public options; a negative one is no gate. */
static struct miguard_gate_options options_of(int bits)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    options.scope = bits < 0                        ? MIGUARD_GATE_OFF
                    : is_of_bounding(bits)          ? MIGUARD_GATE_BOUNDING
                    : (bits & GATE_IS_PROCESS) != 0 ? MIGUARD_GATE_PROCESS
                                                    : MIGUARD_GATE_THREAD;
    options.action = bits >= 0 && (bits & GATE_KILLS) != 0 ? MIGUARD_GATE_KILL : MIGUARD_GATE_ERRNO;
    options.report = bits >= 0 && (bits & GATE_REPORTS) != 0;
    options.deny_io_uring = bits >= 0 && (bits & GATE_DENIES_URING) != 0;
    return options;
}

struct miguard_gate_options miguard_gate_state(void)
{
    ENTRY_UNCANCELLED;
    return options_of(ask_kernel());
}

/* The inverse. A gate that kills cannot report: no handler runs after SECCOMP_RET_KILL_PROCESS. */
static unsigned bits_of(const struct miguard_gate_options *options)
{
    return (options->scope == MIGUARD_GATE_PROCESS ? GATE_IS_PROCESS : 0U) |
           (options->scope == MIGUARD_GATE_BOUNDING ? GATE_OF_BOUNDING : 0U) |
           (options->action == MIGUARD_GATE_KILL ? GATE_KILLS : 0U) |
           (options->report != 0 && options->action != MIGUARD_GATE_KILL ? GATE_REPORTS : 0U) |
           (options->deny_io_uring != 0 ? GATE_DENIES_URING : 0U);
}

/* The size distinguishes options of another version of the library from these. */
static enum miguard_status check_options(const struct miguard_gate_options *options,
                                         struct miguard_error *reterr)
{
    if (options == NULL || options->size != sizeof(*options)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "gate",
                         "start from MIGUARD_GATE_OPTIONS_INIT");
    }
    if (options->scope != MIGUARD_GATE_THREAD && options->scope != MIGUARD_GATE_PROCESS &&
        options->scope != MIGUARD_GATE_BOUNDING) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "gate",
                         "the scope is not thread, process or bounding");
    }
    if (options->scope == MIGUARD_GATE_BOUNDING && options->deny_io_uring != 0) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "gate",
                         "the gate of the bounding set refuses nothing else, no io_uring either");
    }
    if (options->action != MIGUARD_GATE_ERRNO && options->action != MIGUARD_GATE_KILL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "gate",
                         "the action is neither errno nor kill");
    }
    return MIGUARD_OK;
}

/* The library must be able to change anything at all. An id of -1 changes nothing, so only a filter
 * can refuse this call: that of a gate in the program that started this one. */
static enum miguard_status check_own_calls(struct miguard_error *reterr)
{
    long result = identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1);
    if (result != 0) {
        return error_set(reterr, MIGUARD_BAD_STATE, (int)-result, "setresuid",
                         "another filter refuses it already; was this program started by one with "
                         "a gate?");
    }
    return MIGUARD_OK;
}

/* The name of one of this process's threads, "" when it cannot be read. */
static void name_of_thread(long tid, char *name, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", tid);
    name[0] = '\0';
    long fd = identity_kernel.open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    long length = identity_kernel.read((int)fd, name, size - 1);
    (void)identity_kernel.close((int)fd);
    name[length > 0 ? length : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
}

/* Turns the result of seccomp(2) into a status. load() handles EACCES, a missing CAP_SYS_ADMIN. */
static enum miguard_status load_result(long result, struct miguard_error *reterr)
{
    char name[32];

    if (result == 0) {
        return MIGUARD_OK;
    }
    if (result > 0) { /* a thread to which TSYNC could not apply the filter */
        name_of_thread(result, name, sizeof(name));
        return error_set(reterr, MIGUARD_BAD_STATE, ESRCH, "seccomp (TSYNC)",
                         "thread %ld (%s) has a filter of its own; close the gate before it gets "
                         "one",
                         result, name);
    }
    int error = (int)-result;
    enum miguard_status status = error == ENOSYS || error == EINVAL  ? MIGUARD_NOT_SUPPORTED
                                 : error == EPERM || error == EACCES ? MIGUARD_NOT_PERMITTED
                                 : error == ENOMEM                   ? MIGUARD_NO_MEMORY
                                                                     : MIGUARD_SYSTEM;
    return error_set(reterr, status, error, "seccomp", "%s", strerrordesc_np(error));
}

/* One attempt to load a program. */
struct loading {
    struct sock_fprog program;
    bool process;
    struct signals *signals; /* of the calling thread, blocked */
    bool sets_privs;         /* no_new_privs must be set first */
    bool strands;            /* a thread is switched: nothing was done */
    long privs_result;       /* of no_new_privs */
    long result;             /* of seccomp(2) */
};

/* Sets no_new_privs where needed and loads the filter, on the calling thread; the results are left
 * in *loading. */
static void load_program(struct loading *loading)
{
    unsigned flags = loading->process ? SECCOMP_FILTER_FLAG_TSYNC : 0;

    loading->privs_result =
        loading->sets_privs ? identity_kernel.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) : 0;
    if (loading->privs_result >= 0) {
        loading->result =
            identity_kernel.seccomp(SECCOMP_SET_MODE_FILTER, flags, &loading->program);
    }
}

/* With the process scope the filter brings no_new_privs to every thread as soon as the loading
 * thread has it. A switched thread could then not return to its identity. */
static void *load_elsewhere(void *argument)
{
    struct loading *loading = argument;

    loading->strands = loading->process && !switch_hold();
    if (!loading->strands) {
        load_program(loading);
    }
    if (loading->process && !loading->strands) {
        switch_let_go();
    }
    return NULL;
}

/* Blocks the program's signals for the new thread: other threads may wait for them. The library's
 * own blocking is lifted for that time, since the thread would inherit it: with signal 33 blocked
 * glibc's setuid(3) would wait for the thread forever. Returns 0, or an errno when no thread could
 * be started. */
static int load_on_a_thread(struct loading *loading)
{
    pthread_t thread;
    sigset_t before;

    signals_restore(loading->signals);
    int error = process_mute(&before) ? 0 : EAGAIN;
    if (error == 0) {
        error = pthread_create(&thread, NULL, load_elsewhere, loading);
        process_unmute(&before);
    }
    if (error == 0) {
        (void)pthread_join(thread, NULL);
    }
    (void)signals_block(loading->signals);
    return error;
}

/*
 * The step that cannot be undone comes last. A separate thread sets no_new_privs first and takes it
 * along when the filter cannot be loaded. With the process scope the kernel applies both to all
 * other threads or to none; with the thread scope that was the rehearsal, and the caller follows.
 */
static enum miguard_status load_without_privilege(struct loading *loading,
                                                  struct miguard_error *reterr)
{
    int error = load_on_a_thread(loading);

    if (error != 0) {
        return error_set(reterr, error == EAGAIN ? MIGUARD_NO_MEMORY : MIGUARD_SYSTEM, error,
                         "pthread_create", NULL);
    }
    if (loading->strands) {
        return error_set(
            reterr, MIGUARD_BAD_STATE, 0, "gate",
            "another thread is switched, and no_new_privs, which comes with this gate, "
            "would prevent its return; try again after it has switched back");
    }
    if (!loading->process && loading->privs_result >= 0 && loading->result == 0) {
        load_program(loading);
    }
    return loading->privs_result < 0
               ? error_set(reterr, MIGUARD_NOT_PERMITTED, (int)-loading->privs_result,
                           "PR_SET_NO_NEW_PRIVS", NULL)
               : load_result(loading->result, reterr);
}

/* *ret_lacking: CAP_SYS_ADMIN is missing, and nothing was done. */
static enum miguard_status load_filter(const struct gate_filter *filter, bool has_no_new_privs,
                                       struct signals *signals, bool *ret_lacking,
                                       struct miguard_error *reterr)
{
    struct loading loading = {.process = (filter->bits & (GATE_IS_PROCESS | GATE_OF_BOUNDING)) != 0,
                              .signals = signals,
                              .sets_privs = filter->no_new_privs && !has_no_new_privs};
    struct sock_filter *program = NULL;

    enum miguard_status status = gate_filter_build(filter, &program, &loading.program.len, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    loading.program.filter = program;
    if (loading.sets_privs || (filter->no_new_privs && loading.process)) {
        status = load_without_privilege(&loading, reterr);
    } else {
        load_program(&loading);
        *ret_lacking = loading.result == -EACCES && !filter->no_new_privs;
        status = *ret_lacking ? MIGUARD_OK : load_result(loading.result, reterr);
    }
    gate_filter_free(program, loading.program.len);
    return status;
}

/* Loads it as is; where the privilege is missing, once more under no_new_privs. */
static enum miguard_status load(unsigned bits, struct signals *signals,
                                struct miguard_error *reterr)
{
    struct gate_filter filter = {.bits = bits};
    uint32_t no_new_privs = 0;
    bool lacking = false;

    if (!read_no_new_privs(&no_new_privs)) {
        return error_set(reterr, MIGUARD_UNREADABLE, 0, "PR_GET_NO_NEW_PRIVS", NULL);
    }
    filter.no_new_privs = no_new_privs != 0;
    enum miguard_status status =
        load_filter(&filter, filter.no_new_privs, signals, &lacking, reterr);
    if (lacking) {
        filter.no_new_privs = true;
        status = load_filter(&filter, false, signals, &lacking, reterr);
    }
    return status;
}

/* A call from elsewhere must be refused, with the cookie and with either half of it wrong. Not
 * tested where that would kill or be reported. */
static bool strays_are_refused(unsigned bits)
{
    const unsigned long high = ~0UL - ~0UL / 2; /* the topmost bit */
    long (*const stray)(unsigned long) =
        (bits & GATE_OF_BOUNDING) != 0 ? identity_kernel.stray_drop : identity_kernel.stray;

    return (bits & (GATE_KILLS | GATE_REPORTS)) != 0 ||
           (stray(0) == -EPERM && stray(1) == -EPERM && stray(high) == -EPERM);
}

/* The loaded filter must know its own bits, let the library pass, refuse a stray, and have come
 * before any poller. Otherwise the gate is closed but no guard relies on it. */
static enum miguard_status verify(unsigned bits, struct miguard_error *reterr)
{
    const char *wrong = NULL;

    if (ask_kernel() != (int)bits) {
        wrong = "the filter does not answer";
    } else if (identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) != 0) {
        wrong = "the filter refuses the library";
    } else if (!strays_are_refused(bits)) {
        wrong = "the filter lets a stray call pass";
    } else if ((bits & GATE_DENIES_URING) != 0 && uring_find_poller(NULL) != 0) {
        wrong = "an io_uring thread, which no filter stops, was made meanwhile";
    }
    if (wrong == NULL) {
        return MIGUARD_OK;
    }
    atomic_store(&broken, true);
    return error_set(reterr, MIGUARD_NOT_VERIFIED, 0, "gate", "%s; do not rely on the gate here",
                     wrong);
}

/* Signals are blocked, as for each change. */
static enum miguard_status load_and_verify(unsigned bits, struct miguard_error *reterr)
{
    struct signals signals;

    if (!signals_block(&signals)) {
        return error_set(reterr, MIGUARD_SYSTEM, errno, "rt_sigprocmask", NULL);
    }
    enum miguard_status status = check_own_calls(reterr);
    if (status == MIGUARD_OK) {
        status = load(bits, &signals, reterr);
    }
    if (status == MIGUARD_OK) {
        status = verify(bits, reterr);
        switch_set_seal(is_sealed);
        atomic_fetch_add_explicit(&closed_gates, 1, memory_order_release);
    }
    signals_restore(&signals);
    return status;
}

/* A filter does not stop a thread that makes no system calls. */
static enum miguard_status check_pollers(unsigned bits, struct miguard_error *reterr)
{
    pid_t poller = (bits & GATE_DENIES_URING) != 0 ? uring_find_poller(NULL) : 0;

    return poller == 0 ? MIGUARD_OK
                       : error_set(reterr, MIGUARD_BAD_STATE, 0, "gate",
                                   "thread %d serves requests of an io_uring with the credentials "
                                   "of who made it, and no filter stops that; close the ring first",
                                   poller);
}

/* A first gate, or one of the process over that of a thread: both filters then apply, and the
 * kernel takes the strictest answer (seccomp(2)). */
static enum miguard_status close_new(unsigned bits, struct miguard_error *reterr)
{
    if (!IDENTITY_ONE_INSTRUCTION) {
        return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "gate", "not on this architecture");
    }
    enum miguard_status status = gate_check_unswitched(reterr);
    if (status == MIGUARD_OK) {
        status = check_pollers(bits, reterr);
    }
    if (status == MIGUARD_OK && !identity_cookie_draw()) {
        status = error_set(reterr, MIGUARD_SYSTEM, errno, "getrandom", NULL);
    }
    if (status == MIGUARD_OK && (bits & GATE_REPORTS) != 0) {
        status = gate_report_start(reterr);
    }
    if (status == MIGUARD_OK) {
        status = load_and_verify(bits, reterr);
    }
    return status;
}

/*
 * One of the two is of the bounding set. A wider gate is loaded over that: both filters then apply,
 * whatever their actions. Under a gate of the process there is nothing to do. A thread with a gate
 * of its own would bring that to all other threads (SECCOMP_FILTER_FLAG_TSYNC).
 */
static enum miguard_status close_beside_bounding(unsigned present, unsigned bits,
                                                 struct miguard_error *reterr)
{
    if ((present & GATE_OF_BOUNDING) != 0) {
        return close_new(bits, reterr);
    }
    return (present & GATE_IS_PROCESS) != 0
               ? MIGUARD_OK
               : error_set(reterr, MIGUARD_BAD_STATE, 0, "gate",
                           "this thread has a gate of its own; close that of the bounding set "
                           "before any thread gets one");
}

/* The caller holds the lock. */
static enum miguard_status close_gate(unsigned bits, struct miguard_error *reterr)
{
    int present = ask_kernel();

    if (atomic_load(&broken)) {
        return error_set(reterr, MIGUARD_NOT_VERIFIED, 0, "gate",
                         "an earlier gate was loaded and failed its test");
    }
    if (present < 0) {
        return close_new(bits, reterr);
    }
    if (is_of_bounding(present) != ((bits & GATE_OF_BOUNDING) != 0)) {
        return close_beside_bounding((unsigned)present, bits, reterr);
    }
    if (((unsigned)present & ~(unsigned)GATE_IS_PROCESS) != (bits & ~(unsigned)GATE_IS_PROCESS)) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "gate",
                         "it is closed already, with another action, report or io_uring, and "
                         "cannot be changed");
    }
    if (((unsigned)present & GATE_IS_PROCESS) < (bits & GATE_IS_PROCESS)) {
        return close_new(bits, reterr);
    }
    return (bits & GATE_REPORTS) != 0 ? gate_report_start(reterr) : MIGUARD_OK;
}

/* ret_new follows from the count of gates, which only load_and_verify() raises. */
enum miguard_status gate_close(const struct miguard_gate_options *options, bool *ret_new,
                               struct miguard_error *reterr)
{
    enum miguard_status status = check_options(options, reterr);

    if (status == MIGUARD_OK) {
        status = copy_claim(reterr);
    }
    if (status != MIGUARD_OK) {
        return status;
    }
    pthread_mutex_lock(&close_lock);
    unsigned before = atomic_load(&closed_gates);
    status = close_gate(bits_of(options), reterr);
    *ret_new = status == MIGUARD_OK && atomic_load(&closed_gates) != before;
    pthread_mutex_unlock(&close_lock);
    return status;
}

enum miguard_status miguard_gate_close(const struct miguard_gate_options *options,
                                       struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    const struct switch_hooks *hooks = switch_hooks();
    struct miguard_error error = {.status = MIGUARD_OK};
    bool closed = false;

    enum miguard_status status = gate_close(options, &closed, &error);
    if (status != MIGUARD_OK && reterr != NULL) {
        *reterr = error;
    }
    if (hooks->gate_closed != NULL && (closed || status != MIGUARD_OK)) {
        hooks->gate_closed(&(struct gate_note){
            .status = status,
            .error = status == MIGUARD_OK ? NULL : &error,
            .options = options != NULL && options->size == sizeof(*options) ? options : NULL,
            .site = __builtin_return_address(0)});
    }
    return status;
}
