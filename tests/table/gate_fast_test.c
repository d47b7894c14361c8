/* SPDX-License-Identifier: MIT */
/*
 * The validity of the guard's fast path: thread x inherited filter x fork x new thread x switch x
 * nested switch x failed switch, every sequence of them up to four, or five with FULL. After each
 * step the fast answer must be one that a fresh check gives as well, for every binding; and it must
 * be given at all where it can be.
 *
 * This file defines the table of kernel calls in place of src/identity/kernel.c, to let a switch
 * fail half-way and to come in at the middle of a check.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate.h"
#include "identity/change.h"
#include "identity/identity.h"
#include "miguard.h"
#include "support/always_interrupted.h"
#include "support/raw.h"
#include "support/real_kernel.h"

enum { SOMEBODY = 12345, OTHER = 23456 };

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(RAW_HAS_HIDDEN_THREAD)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* ---- the calls ------------------------------------------------------------------------------ */

static bool fail_setresuid; /* the next one */
static bool fake_setresuid; /* the next one answers 0 and does nothing, and fs ids are shown as 0 */
static gid_t false_rgid;    /* once, in the next read after a change of the gids */
static bool say_no_new_privs;
static void (*in_the_middle)(void);
static unsigned long calls; /* of any kind */

#define FORWARD(name, parameters, ...)                                                             \
    static long call_##name parameters                                                             \
    {                                                                                              \
        calls++;                                                                                   \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }

typedef struct __user_cap_header_struct cap_header;
typedef struct __user_cap_data_struct cap_data;

FORWARD(getresuid, (uid_t * a, uid_t *b, uid_t *c), a, b, c)
FORWARD(getgroups, (int size, gid_t *list), size, list)
FORWARD(open, (const char *path, int flags), path, flags)
FORWARD(read, (int fd, void *buffer, size_t size), fd, buffer, size)
FORWARD(close, (int fd), fd)
FORWARD(readlink, (const char *path, char *buffer, size_t size), path, buffer, size)
FORWARD(gettid, (void))
FORWARD(getpid, (void))
FORWARD(session_keyring, (void))
FORWARD(setfsgid, (gid_t id), id)
FORWARD(setgroups, (size_t size, const gid_t *list), size, list)
FORWARD(capset, (cap_header * header, const cap_data *data), header, data)
FORWARD(seccomp, (unsigned operation, unsigned flags, void *arguments), operation, flags, arguments)
FORWARD(stray, (unsigned long bits), bits)
FORWARD(stray_drop, (unsigned long bits), bits)

static bool gids_changed, fakes_fs_ids, fake_setfsuid;

static long call_setresgid(gid_t a, gid_t b, gid_t c)
{
    calls++;
    gids_changed = b != (gid_t)-1;
    return real_kernel.setresgid(a, b, c);
}

static long call_getresgid(gid_t *a, gid_t *b, gid_t *c)
{
    calls++;
    long result = real_kernel.getresgid(a, b, c);
    if (false_rgid != 0 && gids_changed) {
        *a = false_rgid;
        false_rgid = 0;
    }
    return result;
}

static long call_setfsuid(uid_t id)
{
    calls++;
    if (fake_setfsuid && id != (uid_t)-1) {
        fake_setfsuid = false;
        return 0;
    }
    return fakes_fs_ids && id == (uid_t)-1 ? 0 : real_kernel.setfsuid(id);
}

static long call_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
                       unsigned long d)
{
    calls++;
    if (option == PR_GET_SECCOMP && fakes_fs_ids) {
        return 2; /* it is a filter's doing */
    }
    return option == PR_GET_NO_NEW_PRIVS && say_no_new_privs
               ? 1
               : real_kernel.prctl(option, a, b, c, d);
}

static long call_setresuid(uid_t a, uid_t b, uid_t c)
{
    calls++;
    if (fake_setresuid && b != (uid_t)-1) {
        fake_setresuid = false;
        fakes_fs_ids = true;
        return 0;
    }
    if (fail_setresuid && b != (uid_t)-1) {
        fail_setresuid = false;
        return -EAGAIN;
    }
    return real_kernel.setresuid(a, b, c);
}

/* A check has compared the ids by now. */
static long call_capget(cap_header *header, cap_data *data)
{
    void (*visit)(void) = in_the_middle;
    calls++;
    in_the_middle = NULL;
    if (visit != NULL) {
        visit();
    }
    return real_kernel.capget(header, data);
}

const struct identity_kernel identity_kernel = {KERNEL_MAP(KERNEL_CALL)};

/* ---- bindings -------------------------------------------------------------------------------- */

/* Whom there is to be the same as: what the program began as, and two that it can become. */
enum { BINDINGS = 3 };
static struct {
    uint64_t binding;
    struct miguard_identity identity;
    struct miguard_target *target;
} bindings[BINDINGS];

static bool make_bindings(void)
{
    static const uid_t ids[] = {0, SOMEBODY, OTHER};

    for (int i = 0; i < BINDINGS; i++) {
        if (miguard_target_ids(ids[i], ids[i],
                               &(struct miguard_groups){MIGUARD_GROUPS_CLEAR, NULL, 0, NULL},
                               &bindings[i].target, NULL) != MIGUARD_OK ||
            (i > 0 && miguard_switch_to(bindings[i].target, NULL) != MIGUARD_OK) ||
            identity_capture(&bindings[i].identity, NULL) != MIGUARD_OK ||
            (i > 0 && miguard_switch_back(NULL) != MIGUARD_OK)) {
            return false;
        }
        bindings[i].binding = gate_new_binding();
    }
    return true;
}

static bool fresh_same(int i)
{
    return identity_check(&bindings[i].identity, MIGUARD_COMPONENTS_ALL, NULL) == 0;
}

/* As the guard does it; answers what the guard would. */
static bool guarded_same(int i)
{
    miguard_components unread = 0;
    return gate_check(bindings[i].binding, &bindings[i].identity, MIGUARD_COMPONENTS_ALL,
                      &unread) == 0;
}

/* ---- steps ------------------------------------------------------------------------------------
 */

enum step { CHECK_FIRST, CHECK_SECOND, SWITCH, SWITCH_OTHER, BACK, FAIL, FORK, THREAD, STEPS };

static const char *const step_names[] = {"check", "check-as", "switch", "nested",
                                         "back",  "fail",     "fork",   "thread"};

static bool is_gated_here; /* what the thread under test should find out */
static unsigned long passed, failed, fast;

/* The invariant: what is known is so. And nothing is known where there is no gate. */
static bool known_is_true(void)
{
    for (int i = 0; i < BINDINGS; i++) {
        bool known = gate_known_same(bindings[i].binding);
        fast += known;
        if (known && (!is_gated_here || !fresh_same(i))) {
            return false;
        }
    }
    return !gate_known_same(0) && !gate_known_same(UINT64_MAX);
}

static bool nothing_is_known(void)
{
    for (int i = 0; i < BINDINGS; i++) {
        if (gate_known_same(bindings[i].binding)) {
            return false;
        }
    }
    return true;
}

/* Elsewhere nothing may be known before a check of its own, and the check comes to the truth. */
static bool elsewhere(void *unused)
{
    (void)unused;
    if (!nothing_is_known() || gate_on_thread() != is_gated_here || !nothing_is_known()) {
        return false;
    }
    for (int i = 0; i < BINDINGS; i++) {
        bool same = fresh_same(i);
        if (guarded_same(i) != same ||
            gate_known_same(bindings[i].binding) != (same && is_gated_here)) {
            return false;
        }
    }
    return known_is_true();
}

static void elsewhere_on_thread(void *answer)
{
    *(bool *)answer = elsewhere(NULL);
}

static bool take_step(enum step step)
{
    bool good = true;

    switch (step) {
    case CHECK_FIRST:
    case CHECK_SECOND: {
        int i = step == CHECK_FIRST ? 0 : 1;
        bool same = fresh_same(i);
        good = guarded_same(i) == same &&
               gate_known_same(bindings[i].binding) == (same && is_gated_here);
        break;
    }
    case SWITCH:
    case SWITCH_OTHER:
        (void)!miguard_switch_to(bindings[step == SWITCH ? 1 : 2].target, NULL);
        break;
    case BACK:
        (void)!miguard_switch_back(NULL);
        break;
    case FAIL:
        fail_setresuid = true;
        (void)!miguard_switch_to(bindings[2].target, NULL);
        fail_setresuid = false;
        break;
    case FORK:
        good = raw_in_child(elsewhere, NULL);
        break;
    case THREAD:
        raw_on_thread(elsewhere_on_thread, &good);
        break;
    case STEPS:
        break;
    }
    return good && known_is_true();
}

static void run_sequence(const char *where, unsigned sequence, int length)
{
    bool good = true;
    unsigned rest = sequence;

    for (int i = 0; i < length && good; i++, rest /= STEPS) {
        good = take_step(rest % STEPS);
    }
    while (miguard_switch_depth() > 0) {
        (void)!miguard_switch_back(NULL);
        good = good && known_is_true();
    }
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s:", where);
        for (int i = 0; i < length; i++, sequence /= STEPS) {
            printf(" %s", step_names[sequence % STEPS]);
        }
        printf("\n");
    }
}

/* A fork takes a thousand times as long as a switch: the long sequences are without. */
static bool is_slow(unsigned sequence, int length)
{
    unsigned slow = 0;
    for (int i = 0; i < length; i++, sequence /= STEPS) {
        slow += sequence % STEPS >= FORK;
    }
    return slow > (length <= 2 ? 2 : getenv("FULL") != NULL && length <= 4 ? 1 : 0);
}

static void run_all_sequences(void *where)
{
    int longest = getenv("FULL") != NULL ? 5 : getenv("EMULATED") != NULL ? 3 : 4;
    unsigned count = 1;

    for (int length = 1; length <= longest; length++) {
        count *= STEPS;
        for (unsigned sequence = 0; sequence < count; sequence++) {
            if (!is_slow(sequence, length)) {
                run_sequence(where, sequence, length);
            }
        }
    }
}

/* ---- single situations --------------------------------------------------------------------------
 */

static void switch_there(void)
{
    (void)!miguard_switch_to(bindings[1].target, NULL);
}

static void switch_there_and_back(void)
{
    switch_there();
    (void)!miguard_switch_back(NULL);
}

/* By the library, which counts it. After a switch alone its read-back would answer a check. */
static void change_nothing(void)
{
    (void)identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1);
}

static void check_it_all(void)
{
    (void)guarded_same(0);
    (void)guarded_same(1);
}

static void switch_and_check(void)
{
    switch_there();
    check_it_all();
}

/* What is compared before the middle of a check and not once more at its end, and takes no
 * capability along. */
static void change_fsgid(void)
{
    (void)identity_kernel.setfsgid(SOMEBODY);
}

/* In a handler that came in at the middle of a change nothing can be concluded from a check. */
static void in_a_change(void)
{
    switch_there_and_back(); /* so that nothing is known */
    identity_change_count++;
    bool good = guarded_same(0) && !gate_known_same(bindings[0].binding);
    identity_change_count++;
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: noted in the middle of a change\n");
    }
}

/* What a signal handler may do in the middle of a check. */
static void interrupted(const char *name, void (*handler)(void))
{
    check_it_all();
    switch_there_and_back();
    change_nothing(); /* so that the next check is a full one */
    in_the_middle = handler;
    (void)guarded_same(0);
    bool good = known_is_true();
    (void)identity_kernel.setfsgid(getegid());
    while (miguard_switch_depth() > 0) {
        (void)!miguard_switch_back(NULL);
        good = good && known_is_true();
    }
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: interrupted: %s\n", name);
    }
}

/* A child of vfork shares the memory of its parent, and with it what the thread knows. */
static int shares_memory(void *unused)
{
    (void)unused;
    switch_and_check();
    return 0;
}

static void after_vfork(void)
{
    static char stack[256 * 1024] __attribute__((aligned(16)));

    (void)guarded_same(0);
    pid_t child =
        clone(shares_memory, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    bool good = child > 0 && waitpid(child, NULL, 0) == child;
    /* The child's switch stands on the stack of switches, which is shared as well. */
    good = good && known_is_true() && !gate_known_same(bindings[1].binding);
    good = good && guarded_same(0) && gate_known_same(bindings[0].binding);
    while (miguard_switch_depth() > 0) {
        (void)!miguard_switch_back(NULL);
    }
    good = good && known_is_true();
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: a child that shares the memory\n");
    }
}

/* A new thread may get the id, the stack and the thread-local memory of one that has ended. */
static void in_old_memory(void *answer)
{
    bool good = elsewhere(NULL);
    switch_there(); /* and ends so */
    check_it_all();
    *(bool *)answer = good && known_is_true();
}

static void thread_after_thread(void)
{
    bool good = true;
    for (int i = 0; i < 50 && good; i++) {
        raw_on_thread(in_old_memory, &good);
    }
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: thread after thread\n");
    }
}

static void count_system_calls(unsigned long expected)
{
    (void)guarded_same(0);
    unsigned long before = calls;
    bool good = guarded_same(0) && calls == before + expected;
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: the fast answer took %lu calls\n", calls - before);
    }
}

/* A filter of an ungated thread that is put on all threads brings no_new_privs along, uncounted. */
static void no_new_privs_from_outside(void)
{
    bool good = guarded_same(0) && gate_known_same(bindings[0].binding);

    say_no_new_privs = true;
    good = good && !gate_known_same(bindings[0].binding) && !guarded_same(0);
    say_no_new_privs = false;
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: no_new_privs set from outside is not noticed\n");
    }
}

static uint64_t mask_in_the_middle;

static void look_at_mask(void)
{
    (void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask_in_the_middle, sizeof(uint64_t));
}

/* A check that is noted runs without handlers of the program or of glibc, but for SIGSYS. */
static void no_handler_in_a_check(void)
{
    uint64_t before = 0, after = 0;

    (void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &before, sizeof(before));
    switch_there_and_back();
    change_nothing();
    in_the_middle = look_at_mask;
    bool good = guarded_same(0) && gate_known_same(bindings[0].binding);
    (void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &after, sizeof(after));
    uint64_t expected = ~((uint64_t)1 << (SIGSYS - 1) | (uint64_t)1 << (SIGKILL - 1) |
                          (uint64_t)1 << (SIGSTOP - 1));
    good = good && mask_in_the_middle == expected && before == after;
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: signals in a check that is noted: mask %llx\n",
               (unsigned long long)mask_in_the_middle);
    }
}

/* What a thread's bounding set is, is read once, and again after the library took from it: also in
 * a forked child, and in a thread that inherits the smaller set. */
static bool bounding_differs(void *unused)
{
    (void)unused;
    return gate_check(bindings[0].binding, &bindings[0].identity, MIGUARD_COMPONENTS_ALL, NULL) ==
           MIGUARD_COMPONENT_CAP_BOUNDING;
}

static void bounding_differs_there(void *answer)
{
    *(bool *)answer = bounding_differs(NULL);
}

static void lose_from_bounding(void *answer)
{
    enum { FEW = 30 }; /* fewer calls than there are capabilities */
    bool *good = answer, inherited = false;

    *good = guarded_same(0);
    switch_there_and_back();
    const unsigned long before = calls;
    *good = *good && guarded_same(0) && calls - before < FEW;
    struct miguard_identity smaller = bindings[0].identity;
    smaller.cap[IDENTITY_CAP_BOUNDING] &= ~((uint64_t)1 << CAP_AUDIT_READ);
    *good = *good && gate_check(gate_new_binding(), &smaller, MIGUARD_COMPONENTS_ALL, NULL) ==
                         MIGUARD_COMPONENT_CAP_BOUNDING;
    *good = *good && identity_kernel.prctl(PR_CAPBSET_DROP, CAP_AUDIT_READ, 0, 0, 0) == 0 &&
            !gate_known_same(bindings[0].binding) && bounding_differs(NULL);
    switch_there_and_back();
    raw_on_thread(bounding_differs_there, &inherited);
    *good = *good && bounding_differs(NULL) && inherited && raw_in_child(bounding_differs, NULL);
}

static void bounding_set(void)
{
    bool good = false;

    raw_on_thread(lose_from_bounding, &good);
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: the bounding set: read too often, or a loss is not noticed\n");
    }
}

/* ---- what a switch begins from -----------------------------------------------------------------
 */

static void note(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s\n", what);
    }
}

static gid_t fsgid_now(void)
{
    return (gid_t)syscall(SYS_setfsgid, -1);
}

/* Behind a gate of the process the second switch reads nothing before it changes; and what the
 * library changed in between is what it goes back to. */
static void original_is_known(bool process)
{
    unsigned long first = calls;
    switch_there_and_back();
    change_nothing();
    first = calls;
    switch_there_and_back();
    first = calls - first;
    unsigned long second = calls;
    switch_there_and_back();
    second = calls - second;
    note(process ? second + 20 < first : second == first, "the original of a switch is read again");
    change_fsgid();
    switch_there_and_back();
    note(fsgid_now() == SOMEBODY, "a switch goes back behind a change by the library");
    (void)identity_kernel.setfsgid(0);
}

/* Without a gate the count says nothing. */
static void original_is_read(void)
{
    switch_there_and_back();
    (void)syscall(SYS_setfsgid, SOMEBODY);
    switch_there_and_back();
    note(fsgid_now() == SOMEBODY, "a switch goes back behind a change by the program");
    (void)syscall(SYS_setfsgid, 0);
}

/* A read-back that was not as expected is not what the thread is. */
static void false_read_back(void)
{
    struct miguard_identity false_one = bindings[0].identity;

    false_one.gid[IDENTITY_R] = OTHER;
    switch_there();
    gids_changed = false;
    false_rgid = OTHER;
    (void)!miguard_switch_back(NULL);
    note(false_rgid == 0 && gate_check(gate_new_binding(), &false_one, MIGUARD_COMPONENTS_ALL,
                                       NULL) == MIGUARD_COMPONENT_RGID,
         "a false read-back answers a check");
}

/* The program left the switched thread with another fs id, and a filter says 0 to what restores and
 * reads it. The effective id is right already, so that it shows nothing. */
static void fs_id_by_nobody(void)
{
    switch_there();
    (void)syscall(SYS_setresuid, -1, 0, -1);
    (void)syscall(SYS_setresuid, 0, 0, 0);
    (void)syscall(SYS_setfsuid, SOMEBODY);
    fake_setresuid = true;
    (void)!miguard_switch_back(NULL);
    fakes_fs_ids = false;
    note(!fake_setresuid && syscall(SYS_setfsuid, -1) == 0, "an fs id that no call has restored");
}

/* The same where the fs id is not the effective one, so that a call of its own restores it. */
static void fs_id_apart(void)
{
    (void)syscall(SYS_setresuid, 0, OTHER, 0);
    (void)syscall(SYS_setfsuid, 0);
    switch_there();
    bool good = miguard_switch_depth() == 1;
    fake_setfsuid = fakes_fs_ids = true;
    (void)!miguard_switch_back(NULL);
    fakes_fs_ids = false;
    note(good && !fake_setfsuid && syscall(SYS_setfsuid, -1) == 0, "an fs id of its own");
    (void)syscall(SYS_setresuid, 0, 0, 0);
}

static void change_rgid(void)
{
    (void)identity_kernel.setresgid(SOMEBODY, (gid_t)-1, (gid_t)-1);
}

/* Behind the gate ids are read once: unless the library itself came in between. */
static void changed_in_a_check(void)
{
    change_nothing();
    in_the_middle = change_rgid;
    note(!guarded_same(0), "a change in the middle of a check");
    (void)identity_kernel.setresgid(0, (gid_t)-1, (gid_t)-1);
}

static void begin_from(bool process)
{
    changed_in_a_check();
    original_is_known(process);
    false_read_back();
}

static void run_single_situations(void)
{
    bounding_set();
    no_handler_in_a_check();
    in_a_change();
    interrupted("fsgid", change_fsgid);
    interrupted("switch", switch_there);
    interrupted("switch and back", switch_there_and_back);
    interrupted("check", check_it_all);
    interrupted("switch and check", switch_and_check);
    thread_after_thread();
    /* No sanitizer, and no valgrind, takes two tasks in one memory. */
    if (!SANITIZED && getenv("RUNNER") == NULL) {
        after_vfork();
    }
}

/* ---- threads, gated and not --------------------------------------------------------------------
 */

static bool close_gate(enum miguard_gate_scope scope)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    options.scope = scope;
    return miguard_gate_close(&options, NULL) == MIGUARD_OK;
}

static void ungated_beside(void *unused)
{
    (void)unused;
    is_gated_here = false;
    run_all_sequences((void *)"ungated beside a gated thread");
}

static void gated_thread(void *unused)
{
    (void)unused;
    is_gated_here = close_gate(MIGUARD_GATE_THREAD);
    failed += !is_gated_here;
    run_all_sequences((void *)"gated thread");
    count_system_calls(1); /* another thread could set no_new_privs here */
    no_new_privs_from_outside();
    run_single_situations();
    begin_from(false);
    raw_on_thread(run_all_sequences, (void *)"inherited from a gated thread");
}

/* Answers by its counts, since it is a child that ran the tests. */
static unsigned long *counts;

static bool tell(void)
{
    counts[0] += passed;
    counts[1] += failed;
    counts[2] += fast;
    return failed == 0;
}

static bool thread_scope(void *unused)
{
    (void)unused;
    run_all_sequences((void *)"no gate");
    original_is_read();
    fs_id_by_nobody();
    fs_id_apart();
    raw_on_thread(gated_thread, NULL);
    raw_on_thread(ungated_beside, NULL);
    ungated_beside(NULL);
    return tell();
}

static bool process_scope(void *unused)
{
    (void)unused;
    is_gated_here = true;
    if (!close_gate(MIGUARD_GATE_PROCESS)) {
        return false;
    }
    run_all_sequences((void *)"process");
    count_system_calls(0);
    run_single_situations();
    begin_from(true);
    raw_on_thread(run_all_sequences, (void *)"new thread of a gated process");
    return tell();
}

static bool forked(void *unused)
{
    is_gated_here = true;
    return close_gate(MIGUARD_GATE_PROCESS) && guarded_same(0) &&
           raw_in_child(process_scope, unused);
}

static bool can_close(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    (void)unused;
    enum miguard_status status = miguard_gate_close(&options, NULL);
    return status != MIGUARD_NOT_SUPPORTED && status != MIGUARD_NOT_PERMITTED;
}

static bool lsm_keeps_labels(void)
{
    char label[8];
    int fd = open("/proc/thread-self/attr/current", O_RDONLY | O_CLOEXEC);
    bool readable = fd >= 0 && read(fd, label, sizeof(label)) > 0;

    if (fd >= 0) {
        close(fd);
    }
    return readable;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (geteuid() != 0 || counts == MAP_FAILED || !raw_in_child(can_close, NULL)) {
        printf("skip: the fast path: needs root and seccomp filters\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    if (lsm_keeps_labels()) { /* a label changes past the gate, so each check reads it */
        printf("skip: the fast path: there is none beside the labels of a security module\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    if (!make_bindings()) {
        printf("FAIL: no bindings\n");
        return 1;
    }
    bool good = raw_in_child(thread_scope, NULL);
    good = raw_in_child(process_scope, NULL) && good;
    good = raw_in_child(forked, NULL) && good;
    bool used = counts[2] > 0; /* a fast path that is never taken would be right, too */
    printf("%lu fast answers\n%lu passed, %lu failed\n", counts[2], counts[0], counts[1] + !good);
    for (int i = 0; i < BINDINGS; i++) {
        identity_release(&bindings[i].identity);
        miguard_target_free(bindings[i].target);
    }
    return good && used && counts[1] == 0 ? 0 : 1;
}
