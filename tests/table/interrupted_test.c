/* SPDX-License-Identifier: MIT */
/*
 * A check that a signal comes into: before each of its system calls, in each way a signal can be
 * delivered, and at random instructions. The signals are real, and so are the changes that their
 * handlers make.
 *
 * This file defines the table of kernel calls in place of src/identity/kernel.c, to come in before
 * a call.
 */
#include <pthread.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "identity/identity.h"
#include "identity/uninterrupted.h"
#include "support/raw.h"
#include "support/real_kernel.h"

enum { OTHER = 2345, TRIES = 100 };

static unsigned passed, failed, skipped;

static void note(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s\n", what);
    }
}

/* ---- the calls ------------------------------------------------------------------------------ */

static unsigned calls, of_uids;
static unsigned at; /* comes in before the call of this number, counted from 1; 0: never */
static void (*come_in)(void);

static void before_call(void)
{
    if (++calls == at) {
        raw_in_handler(come_in);
    }
}

#define FORWARD(name, parameters, ...)                                                             \
    static long call_##name parameters                                                             \
    {                                                                                              \
        before_call();                                                                             \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }

FORWARD(getresgid, (gid_t * a, gid_t *b, gid_t *c), a, b, c)
FORWARD(getgroups, (int size, gid_t *list), size, list)
FORWARD(capget, (kernel_cap_header * header, kernel_cap_data *data), header, data)
FORWARD(open, (const char *path, int flags), path, flags)
FORWARD(read, (int fd, void *buffer, size_t size), fd, buffer, size)
FORWARD(close, (int fd), fd)
FORWARD(readlink, (const char *path, char *buffer, size_t size), path, buffer, size)
FORWARD(gettid, (void), )
FORWARD(getpid, (void), )
FORWARD(session_keyring, (void), )
FORWARD(setfsuid, (uid_t uid), uid)
FORWARD(setfsgid, (gid_t gid), gid)
FORWARD(prctl, (int o, unsigned long a, unsigned long b, unsigned long c, unsigned long d), o, a, b,
        c, d)
FORWARD(setresuid, (uid_t a, uid_t b, uid_t c), a, b, c)
FORWARD(setresgid, (gid_t a, gid_t b, gid_t c), a, b, c)
FORWARD(setgroups, (size_t size, const gid_t *list), size, list)
FORWARD(capset, (kernel_cap_header * header, const kernel_cap_data *data), header, data)
FORWARD(seccomp, (unsigned int a, unsigned int b, void *c), a, b, c)
FORWARD(stray, (unsigned long wrong_bits), wrong_bits)
FORWARD(stray_drop, (unsigned long wrong_bits), wrong_bits)

static long call_getresuid(uid_t *a, uid_t *b, uid_t *c)
{
    of_uids++;
    before_call();
    return real_kernel.getresuid(a, b, c);
}

const struct identity_kernel identity_kernel = {KERNEL_MAP(KERNEL_CALL)};

/* ---- what the module knows --------------------------------------------------------------------
 */

/* A thread may be preempted in one try, and not in a hundred. */
static bool is_known(void (*between)(void))
{
    bool known = false;

    for (int i = 0; i < TRIES && !known; i++) {
        uninterrupted_begin();
        if (between != NULL) {
            between();
        }
        known = uninterrupted_end();
    }
    return known;
}

static void do_nothing(void)
{
}

static void have_a_signal(void)
{
    raw_in_handler(do_nothing);
}

static void look_in_a_handler(void)
{
    if (!is_known(NULL)) {
        abort();
    }
}

static void have_a_look_in_a_handler(void)
{
    raw_in_handler(look_in_a_handler);
}

static sigjmp_buf out;

static void leave(void)
{
    siglongjmp(out, 1);
}

static void leave_a_look_in_a_handler(void)
{
    if (sigsetjmp(out, 1) == 0) {
        uninterrupted_begin();
        raw_in_handler(leave);
    }
}

static void have_a_left_look_in_a_handler(void)
{
    raw_in_handler(leave_a_look_in_a_handler);
}

static void call_the_kernel(void)
{
    (void)syscall(SYS_getppid);
}

static _Atomic int broadcasts;

static void *broadcast(void *unused)
{
    broadcasts = setuid(getuid()) == 0 ? 1 : -1;
    return unused;
}

/* The C library sends this thread a signal of its own, and waits for its handler (nptl(7)). */
static void have_a_broadcast(void)
{
    pthread_t thread;

    broadcasts = 0;
    if (pthread_create(&thread, NULL, broadcast, NULL) != 0) {
        abort();
    }
    while (broadcasts == 0) {
    }
    if (broadcasts < 0 || pthread_join(thread, NULL) != 0) {
        abort();
    }
}

static const struct {
    const char *what;
    void (*between)(void);
    bool known;
} between_rows[] = {
    {"nothing", NULL, true},
    {"a system call", call_the_kernel, true},
    {"a signal", have_a_signal, false},
    {"a handler that looks itself", have_a_look_in_a_handler, false},
    {"a handler whose look is left by siglongjmp(3)", have_a_left_look_in_a_handler, false},
    {"a broadcast of the C library", have_a_broadcast, false},
};

static bool rows_hold(void *unused)
{
    bool good = true;

    (void)unused;
    for (unsigned i = 0; i < sizeof(between_rows) / sizeof(between_rows[0]); i++) {
        if (is_known(between_rows[i].between) != between_rows[i].known) {
            printf("FAIL: after %s\n", between_rows[i].what);
            good = false;
        }
    }
    return good;
}

static void rows_hold_on_thread(void *ret_good)
{
    *(bool *)ret_good = rows_hold(NULL);
}

/* ---- at any instruction -------------------------------------------------------------------------
 */

static volatile sig_atomic_t handled;

static void count(int signal)
{
    (void)signal;
    handled++;
}

/* Never is a time without a signal claimed in which one was handled. */
static bool at_any_instruction(void)
{
    const struct sigaction counts = {.sa_handler = count};
    const struct itimerval soon = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    const int signals = getenv("QUICK") != NULL ? 300 : 3000;
    unsigned wrong = 0, known = 0, looks = 0;

    if (sigaction(SIGALRM, &counts, NULL) != 0 || setitimer(ITIMER_REAL, &soon, NULL) != 0) {
        return false;
    }
    for (; handled < signals; looks++) {
        uninterrupted_begin();
        int before = handled;
        for (volatile unsigned spin = 0; spin < looks % 64; spin++) {
        }
        int after = handled;
        bool none = uninterrupted_end();
        known += none;
        wrong += none && before != after;
    }
    (void)setitimer(ITIMER_REAL, &never, NULL);
    printf("%d signals in %u looks, of which %u saw none\n", (int)handled, looks, known);
    return wrong == 0 && known > looks / 2;
}

/* ---- a check ----------------------------------------------------------------------------------
 */

static void become_other(void)
{
    (void)raw_setresuid((uid_t)-1, OTHER, (uid_t)-1);
}

static void become_other_group(void)
{
    (void)raw_setresgid((gid_t)-1, OTHER, (gid_t)-1);
}

static void join_group(void)
{
    (void)raw_setgroups(1, (const gid_t[]){OTHER});
}

static void restore(void)
{
    (void)raw_setresuid((uid_t)-1, 0, (uid_t)-1);
    (void)raw_setresgid((gid_t)-1, 0, (gid_t)-1);
    (void)raw_setgroups(0, NULL);
}

static miguard_components check(const struct miguard_identity *bound, unsigned number,
                                void (*function)(void))
{
    calls = of_uids = 0;
    come_in = function;
    at = number;
    miguard_components differing = identity_check(bound, MIGUARD_COMPONENTS_ALL, NULL);
    at = 0;
    return differing;
}

/* Reads the ids once when nothing comes in, and otherwise twice. */
static bool reads_again(const struct miguard_identity *bound)
{
    unsigned once = 2;

    for (int i = 0; i < TRIES && once == 2; i++) {
        if (check(bound, 0, NULL) != 0) {
            return false;
        }
        once = of_uids;
    }
    return once == 1 && check(bound, 3, do_nothing) == 0 && of_uids == 2;
}

static bool sees(const struct miguard_identity *bound, void (*function)(void))
{
    if (check(bound, 0, NULL) != 0) {
        return false;
    }
    for (unsigned number = 1, total = calls; number <= total; number++) {
        miguard_components differing = check(bound, number, function);
        bool was_called = calls >= number;
        restore();
        if (was_called && differing == 0) {
            printf("FAIL: a change before call %u of %u\n", number, total);
            return false;
        }
    }
    return true;
}

static bool check_is_whole(void *unused)
{
    static void (*const changes[])(void) = {become_other, become_other_group, join_group};
    struct miguard_identity *bound = NULL;
    bool good = raw_setgroups(0, NULL) && miguard_identity_capture(&bound, NULL) == MIGUARD_OK &&
                reads_again(bound);

    (void)unused;
    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        good = good && sees(bound, changes[i]);
    }
    miguard_identity_free(bound);
    return good;
}

/* ---- where it cannot be known -------------------------------------------------------------------
 */

static void tell_the_c_library(void)
{
    setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
}

/* The C library takes the area for registered, and the kernel does not know of it. */
static void pretend_to_register(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (filter == NULL || seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(rseq), 0) != 0 ||
        seccomp_load(filter) != 0) {
        _exit(97);
    }
}

static bool not_known_after(const char *program, void (*prepare)(void))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        prepare();
        execl(program, program, "unregistered", NULL);
        _exit(98);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    bool on_thread = false;

    if (argc == 2 && strcmp(argv[1], "unregistered") == 0) {
        return is_known(NULL) ? 1 : 0;
    }
    if (!is_known(NULL)) {
        printf("skip: interrupted: no rseq(2), so it is never known whether a signal came\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    note(rows_hold(NULL), "on the first thread");
    raw_on_thread(rows_hold_on_thread, &on_thread);
    note(on_thread, "on another thread");
    note(raw_in_child(rows_hold, NULL), "in a forked child");
    note(not_known_after(argv[0], tell_the_c_library), "without registration");
    note(not_known_after(argv[0], pretend_to_register), "a filter that answers for the kernel");
    if (RAW_HIDDEN_THREAD) { /* ThreadSanitizer calls a handler some time after its signal */
        skipped++;
        printf("skip: interrupted: at any instruction: ThreadSanitizer delays handlers\n");
    } else {
        note(at_any_instruction(), "at any instruction");
    }
    if (geteuid() == 0) {
        note(raw_in_child(check_is_whole, NULL), "a check");
    } else {
        skipped++;
        printf("skip: interrupted: checks: not root\n");
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
