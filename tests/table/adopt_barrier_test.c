/* SPDX-License-Identifier: MIT */
/*
 * An adopted identity is a barrier: what a callback does to its thread x who the host's thread is
 * x whose session it is. After the callback the thread is what it was in every component, its own
 * switches are there and can be undone, a surplus way back found nothing, and what the library had
 * to undo is in the log, once. What cannot be undone ends the process (invariant 5).
 *
 * Then the ways past the frame of the library: longjmp(3), siglongjmp(3) from a handler and
 * pthread_exit(3); and the way home after a jump out of a block.
 *
 * Each trial runs in a child process of its own.
 */
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"
#include "switch/switch.h"

enum { SOMEBODY = 12345, OTHER = 23456 };

static unsigned passed, failed, skipped;
static struct stub_host *host;
static MI_Context *context;
static MI_Session session; /* the callback's */
static struct miguard_target *somebody, *other;

/* Reached only by a child that is wrong. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            wrong = true;                                                                          \
        }                                                                                          \
    } while (0)

static bool wrong;

static struct miguard_target *target_of(uid_t uid)
{
    const struct miguard_groups clear = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
    struct miguard_target *target = NULL;

    MUST(miguard_target_ids(uid, uid, &clear, &target, NULL) == MIGUARD_OK);
    return target;
}

static uid_t euid_now(void)
{
    uid_t uid[3] = {(uid_t)-1, (uid_t)-1, (uid_t)-1};
    syscall(SYS_getresuid, &uid[0], &uid[1], &uid[2]);
    return uid[1];
}

static bool set_caps(uint64_t effective, uint64_t permitted)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const struct __user_cap_data_struct data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, 0},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), 0}};
    return syscall(SYS_capset, &header, data) == 0;
}

static uint64_t permitted_now(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    syscall(SYS_capget, &header, data);
    return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

/* ---- what a callback does ------------------------------------------------------------------ */

static void nothing(void)
{
}

static void forget(unsigned switches)
{
    for (unsigned i = 0; i < switches; i++) {
        MUST(miguard_switch_to(i % 2 == 0 ? other : somebody, NULL) == MIGUARD_OK);
    }
    MUST(miguard_switch_depth() == switches);
}

static void forget_one(void)
{
    forget(1);
}

static void forget_two(void)
{
    forget(2);
}

static void forget_three(void)
{
    forget(3);
}

static void surplus_back(void)
{
    MUST(miguard_switch_back(NULL) == MIGUARD_NOT_SWITCHED);
    MUST(miguard_switch_home(0) == 0);
}

static void back_twice(void)
{
    MUST(miguard_switch_to(other, NULL) == MIGUARD_OK);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK);
    MUST(miguard_switch_back(NULL) == MIGUARD_NOT_SWITCHED);
}

static jmp_buf landing;

static void jump_out_of_block(void)
{
    enum miguard_status status = MIGUARD_OK;

    if (setjmp(landing) == 0) {
        MIGUARD_SWITCHED(other, &status, NULL)
        {
            longjmp(landing, 1);
        }
    }
    MUST(miguard_switch_depth() == 1);
}

static void jump_and_go_home(void)
{
    jump_out_of_block();
    MUST(miguard_switch_home(0) == 1 && miguard_switch_depth() == 0);
}

static void goto_out_of_block(void)
{
    enum miguard_status status = MIGUARD_OK;

    MIGUARD_SWITCHED(other, &status, NULL)
    {
        MUST(euid_now() == OTHER);
        goto out;
    }
out:
    MUST(miguard_switch_depth() == 0);
}

/* The scope of the host's block: its number is right, but it is not the callback's to end. */
static struct miguard_scope *block_of_host;

static void leave_block_of_host(void)
{
    if (block_of_host != NULL) {
        miguard_scope_leave(block_of_host);
        MUST(block_of_host->inside);
    }
}

static void raise_all(void)
{
    MUST(set_caps(permitted_now(), permitted_now()));
}

static void change_fsuid(void)
{
    raise_all();
    MUST(raw_setfsuid(4711));
}

static void change_groups(void)
{
    const gid_t groups[] = {77, 78};
    raise_all();
    MUST(raw_setgroups(2, groups));
}

static void change_euid(void)
{
    raise_all();
    MUST(raw_setresuid((uid_t)-1, 4711, (uid_t)-1));
}

static void change_gids(void)
{
    raise_all();
    MUST(raw_setresgid(4711, 4712, 4713));
}

static void change_effective(void)
{
    MUST(set_caps((uint64_t)1 << CAP_KILL, permitted_now()));
}

static void change_keep_caps(void)
{
    MUST(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
}

static void switch_and_change(void)
{
    forget(2);
    change_groups();
}

static void lose_bounding(void)
{
    raise_all();
    (void)prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0);
}

static void lose_bounding_only(void)
{
    MUST(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0) == 0);
}

static void set_no_new_privs(void)
{
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

static void lose_permitted(void)
{
    MUST(set_caps(0, 0));
}

/* ---- callbacks in callbacks ------------------------------------------------------------------ */

static void nested(void);
static void switch_and_nest(void);

/* What a row can expect in the log, by what it does. */
static const struct act {
    const char *what;
    void (*act)(void);
    int records;
    bool aborts;
    bool only_root; /* needs what only a session of root has in force */
} acts[] = {
    {"nothing", nothing, 0, false, false},
    {"one switch forgotten", forget_one, 1, false, false},
    {"two switches forgotten", forget_two, 1, false, false},
    {"three switches forgotten", forget_three, 1, false, false},
    {"a surplus way back", surplus_back, 0, false, false},
    {"there and back twice", back_twice, 0, false, false},
    {"longjmp out of a block", jump_out_of_block, 1, false, false},
    {"longjmp out of a block, and home", jump_and_go_home, 0, false, false},
    {"goto out of a block", goto_out_of_block, 0, false, false},
    {"ends the host's block", leave_block_of_host, 0, false, false},
    {"raw fsuid", change_fsuid, 1, false, false},
    {"raw groups", change_groups, 1, false, false},
    {"raw euid", change_euid, 1, false, false},
    {"raw gids", change_gids, 1, false, false},
    {"raw capset", change_effective, 1, false, false},
    {"raw keep-caps", change_keep_caps, 1, false, false},
    {"two switches forgotten and raw groups", switch_and_change, 1, false, false},
    {"a synchronous call with a callback", nested, 1, false, false},
    {"switched, a synchronous call with a callback", switch_and_nest, 2, false, false},
    {"bounding set", lose_bounding, 0, true, false},
    {"bounding set alone", lose_bounding_only, 0, true, true},
    {"no_new_privs", set_no_new_privs, 0, true, false},
    {"permitted set", lose_permitted, 0, true, false},
};

/* ---- the host ------------------------------------------------------------------------------- */

static struct {
    void (*act)(void);
    uid_t owner;
    int calls;
} inner, outer;

static void MI_CALL on_inner(MI_Operation *operation, void *unused, const MI_Instance *instance,
                             MI_Boolean more, MI_Result result, const MI_Char *message,
                             const MI_Instance *details,
                             MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)unused, (void)instance, (void)more, (void)result, (void)message;
    (void)details, (void)acknowledge;
    inner.calls++;
    MUST(euid_now() == inner.owner && miguard_switch_depth() == 0);
    inner.act();
}

static void MI_CALL on_outer(MI_Operation *operation, void *unused, const MI_Instance *instance,
                             MI_Boolean more, MI_Result result, const MI_Char *message,
                             const MI_Instance *details,
                             MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)unused, (void)more, (void)message;
    (void)details, (void)acknowledge;
    if (instance == NULL) { /* the end: refused */
        MUST(result == MI_RESULT_ACCESS_DENIED);
        return;
    }
    outer.calls++;
    MUST(euid_now() == outer.owner && miguard_switch_depth() == 0);
    outer.act();
}

static void fire(void *stub)
{
    host->before_result = NULL;
    stub_fire(stub, true, false);
}

/* Asks with the session of `as`; while the host has the call it runs another callback on the same
 * thread, which forgets a switch. */
static void ask_and_be_called(MI_Session *as)
{
    MI_OperationCallbacks callbacks = {.instanceResult = on_inner};
    MI_Operation asynchronous = MI_OPERATION_NULL, asked = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;

    inner.act = forget_two;
    inner.owner = euid_now();
    MI_Session_EnumerateInstances(as, 0, NULL, "root/test", "Inner", MI_FALSE, &callbacks,
                                  &asynchronous);
    host->before_result_data = stub_latest(host);
    MI_Session_EnumerateInstances(as, 0, NULL, "root/test", "Asked", MI_FALSE, NULL, &asked);
    host->before_result = fire;
    MUST(MI_Operation_GetInstance(&asked, &instance, &more, &result, NULL, NULL) == MI_RESULT_OK);
    MUST(inner.calls == 1 && instance != NULL && result == MI_RESULT_OK);
    MUST(euid_now() == inner.owner);
}

static void nested(void)
{
    ask_and_be_called(&session);
    MUST(miguard_switch_depth() == 0);
}

static void switch_and_nest(void)
{
    MI_Session as = MI_SESSION_NULL;

    forget(1);
    MUST(MI_Context_GetLocalSession(context, &as) == MI_RESULT_OK);
    ask_and_be_called(&as);
    MUST(miguard_switch_depth() == 1);
}

/* ---- who the host's thread is -------------------------------------------------------------- */

static void plain(void)
{
}

static void switched(void)
{
    MUST(miguard_switch_to(somebody, NULL) == MIGUARD_OK);
}

static void switched_twice(void)
{
    switched();
    MUST(miguard_switch_to(other, NULL) == MIGUARD_OK);
}

static void other_euid(void)
{
    MUST(raw_setresuid((uid_t)-1, OTHER, (uid_t)-1));
}

static void mixed(void)
{
    const gid_t groups[] = {5, 6, 7};
    MUST(raw_setgroups(3, groups) && raw_setresgid(1, 2, 3) && raw_setfsuid(9) &&
         prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0);
}

static void in_block(void)
{
    static struct miguard_scope scope;
    enum miguard_status status = MIGUARD_OK;

    scope = miguard_scope_enter(other, &status, NULL);
    MUST(status == MIGUARD_OK);
    block_of_host = &scope;
}

static const struct thread_state {
    const char *what;
    void (*become)(void);
    unsigned depth;
} states[] = {
    {"root", plain, 0},
    {"switched", switched, 1},
    {"switched twice", switched_twice, 2},
    {"other euid", other_euid, 0},
    {"mixed ids", mixed, 0},
    {"in a block", in_block, 1},
};

static const uid_t owners[] = {0, SOMEBODY};

/* ---- one trial ------------------------------------------------------------------------------ */

struct trial {
    const struct act *act;
    const struct thread_state *state;
    uid_t owner;
};

static struct stub_operation *start_as(uid_t owner)
{
    MI_OperationCallbacks callbacks = {.instanceResult = on_outer};
    MI_Operation operation = MI_OPERATION_NULL;

    log_start();
    host = stub_host_new();
    host->items = 3;
    somebody = target_of(SOMEBODY);
    other = target_of(OTHER);
    outer.owner = owner;
    outer.act = nothing;
    MUST(miguard_guard_context(&host->context, &context) == MI_RESULT_OK);
    MUST(owner == 0 || miguard_switch_to(somebody, NULL) == MIGUARD_OK);
    MUST(MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK);
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "Outer", MI_FALSE, &callbacks,
                                  &operation);
    MUST(owner == 0 || miguard_switch_back(NULL) == MIGUARD_OK);
    return stub_latest(host);
}

/* The thread's own switches are there, and lead back to what it began as. */
static void undo_own(const struct thread_state *state, const struct miguard_identity *first)
{
    if (block_of_host != NULL) {
        miguard_scope_leave(block_of_host);
    } else {
        for (unsigned i = 0; i < state->depth; i++) {
            MUST(miguard_switch_back(NULL) == MIGUARD_OK);
        }
    }
    MUST(miguard_switch_back(NULL) == MIGUARD_NOT_SWITCHED && miguard_switch_depth() == 0);
    MUST(state->depth == 0 || identity_check(first, MIGUARD_COMPONENTS_ALL, NULL) == 0);
}

static bool try(void *data)
{
    const struct trial *trial = data;
    struct miguard_identity first, before, after;
    struct stub_operation *stub = start_as(trial->owner);

    MUST(identity_capture(&first, NULL) == MIGUARD_OK);
    trial->state->become();
    MUST(identity_capture(&before, NULL) == MIGUARD_OK);
    outer.act = trial->act->act;
    stub_fire(stub, true, false);
    MUST(identity_capture(&after, NULL) == MIGUARD_OK);
    MUST(outer.calls == 1);
    MUST(miguard_identity_compare(&before, &after) == 0);
    MUST(miguard_switch_depth() == trial->state->depth);
    outer.act = nothing; /* once more, from where the first has left it */
    stub_fire(stub, true, false);
    MUST(outer.calls == 2 && identity_check(&before, MIGUARD_COMPONENTS_ALL, NULL) == 0);
    undo_own(trial->state, &first);
    MUST(!switch_is_busy());
    MUST(raw_setresuid((uid_t)-1, 0, (uid_t)-1)); /* the log is root's to read */
    MUST(log_count("restore", "left-switched") == trial->act->records);
    return !wrong;
}

/* In a child that may abort. */
static int in_child(bool (*body)(void *), void *data)
{
    const struct rlimit no_core = {0, 0};
    int status = 0;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        raw_end_child(body(data));
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return -1;
    }
    return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

static void tell(bool good, const char *first, const char *second, uid_t owner)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAILED: %s; the host's thread: %s; session of %u\n", first, second, owner);
    }
}

static void try_all(void)
{
    for (size_t a = 0; a < sizeof(acts) / sizeof(acts[0]); a++) {
        for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
            for (size_t o = 0; o < sizeof(owners) / sizeof(owners[0]); o++) {
                struct trial trial = {&acts[a], &states[s], owners[o]};
                if (acts[a].only_root && owners[o] != 0) {
                    continue;
                }
                tell(in_child(try, &trial) == (acts[a].aborts ? SIGABRT : SIGKILL), acts[a].what,
                     states[s].what, owners[o]);
            }
        }
    }
}

/* ---- past the library's frame --------------------------------------------------------------- */

/* With it local variables do not lie on the stack of calls, and an adoption that was jumped over
 * is not known by its address. */
void *__asan_get_current_fake_stack(void) __attribute__((weak));

static bool stack_is_fake(void)
{
    return __asan_get_current_fake_stack != NULL && __asan_get_current_fake_stack() != NULL;
}

static sigjmp_buf far_landing;

static void jump_to_host(void)
{
    siglongjmp(far_landing, 1);
}

static void switch_and_jump_to_host(void)
{
    forget(2);
    siglongjmp(far_landing, 1);
}

static void on_signal(int number)
{
    (void)number;
    siglongjmp(far_landing, 1);
}

static void be_interrupted(void)
{
    (void)signal(SIGUSR1, on_signal);
    forget(1);
    (void)raise(SIGUSR1);
}

static void nest_and_jump(void)
{
    MI_OperationCallbacks callbacks = {.instanceResult = on_inner};
    MI_Operation asynchronous = MI_OPERATION_NULL;

    inner.act = jump_to_host;
    inner.owner = euid_now();
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "Inner", MI_FALSE, &callbacks,
                                  &asynchronous);
    stub_fire(stub_latest(host), true, false);
}

/* Where the thread next enters the library. */
static void enter_by_callback(struct stub_operation *stub)
{
    outer.act = nothing;
    stub_fire(stub, true, false);
    MUST(outer.calls == 2);
}

static void enter_by_session(struct stub_operation *stub)
{
    MI_Session again = MI_SESSION_NULL;
    (void)stub;
    MUST(MI_Context_GetLocalSession(context, &again) == MI_RESULT_OK);
}

static void enter_by_use(struct stub_operation *stub)
{
    MI_Operation operation = MI_OPERATION_NULL;
    (void)stub;
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "Use", MI_FALSE, NULL,
                                  &operation);
}

static void enter_by_home(struct stub_operation *stub)
{
    (void)stub;
    MUST(miguard_switch_home(1) == 0);
}

static void enter_by_switch(struct stub_operation *stub)
{
    (void)stub;
    MUST(miguard_switch_to(other, NULL) == MIGUARD_OK);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK);
}

static void (*const entries[])(struct stub_operation *) = {
    enter_by_callback, enter_by_session, enter_by_use, enter_by_home, enter_by_switch};

static void (*const jumps[])(void) = {jump_to_host, switch_and_jump_to_host, be_interrupted,
                                      nest_and_jump};

/* Deeper than the jump came from, and over what was there. */
static __attribute__((noinline)) void enter_deep(void (*entry)(struct stub_operation *),
                                                 struct stub_operation *stub)
{
    volatile char below[65536];
    memset((char *)below, 0xA5, sizeof(below));
    entry(stub);
    below[0] = below[1];
}

struct jump {
    void (*jump)(void);
    void (*entry)(struct stub_operation *);
    bool deep;
    uid_t owner;
};

static bool jump_over(void *data)
{
    const struct jump *jump = data;
    struct stub_operation *stub = start_as(jump->owner);
    struct miguard_identity before;

    switched();
    MUST(identity_capture(&before, NULL) == MIGUARD_OK);
    outer.act = jump->jump;
    if (sigsetjmp(far_landing, 1) == 0) {
        stub_fire(stub, true, false);
        MUST(false);
    }
    if (jump->deep) {
        enter_deep(jump->entry, stub);
    } else {
        jump->entry(stub);
    }
    MUST(identity_check(&before, MIGUARD_COMPONENTS_ALL, NULL) == 0);
    MUST(miguard_switch_depth() == 1);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK && euid_now() == 0 && !switch_is_busy());
    MUST(log_count("restore", "left-switched") == 1 && log_mentions("left by longjmp") == 1);
    return !wrong;
}

static void try_jumps(void)
{
    if (stack_is_fake()) {
        printf("skip: longjmp over the library: the stack of calls is AddressSanitizer's\n");
        skipped++;
        return;
    }
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        for (size_t e = 0; e < sizeof(entries) / sizeof(entries[0]); e++) {
            for (int deep = 0; deep < 2; deep++) {
                for (size_t o = 0; o < sizeof(owners) / sizeof(owners[0]); o++) {
                    char what[64];
                    struct jump jump = {jumps[i], entries[e], deep != 0, owners[o]};
                    snprintf(what, sizeof(what), "jump %zu, entry %zu, deep %d", i, e, deep);
                    tell(in_child(jump_over, &jump) == SIGKILL, what, "switched", owners[o]);
                }
            }
        }
    }
}

static void exit_thread(void)
{
    forget(1);
    pthread_exit(NULL);
}

static void *fire_on_thread(void *stub)
{
    stub_fire(stub, true, false);
    return NULL;
}

/* The identity goes with the thread; the others are what they were. */
static bool end_the_thread(void *unused)
{
    struct stub_operation *stub = start_as(SOMEBODY);
    pthread_t thread;
    (void)unused;

    outer.act = exit_thread;
    MUST(pthread_create(&thread, NULL, fire_on_thread, stub) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    MUST(outer.calls == 1 && euid_now() == 0 && !switch_is_busy());
    return !wrong;
}

/* As many as there is room for, each calling the next; one more is refused, and gets no data. */
static unsigned nesting;
static struct stub_operation *the_stub;

static void nest_again(void)
{
    if (++nesting < 200 && outer.calls == (int)nesting) {
        stub_fire(the_stub, true, false);
    }
}

static bool nest_deeply(void *unused)
{
    struct stub_operation *stub = start_as(0);
    struct miguard_identity before;
    (void)unused;

    switched();
    MUST(identity_capture(&before, NULL) == MIGUARD_OK);
    the_stub = stub;
    outer.act = nest_again;
    stub_fire(stub, true, false);
    MUST(nesting >= 64 && nesting < 200);
    MUST(identity_check(&before, MIGUARD_COMPONENTS_ALL, NULL) == 0);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK && miguard_switch_depth() == 0);
    MUST(log_count("session-callback", "cannot-adopt") == 1);
    return !wrong;
}

/* The host's switch is out of the callback's sight, but the gate must not be closed with somebody
 * else's privileges. */
static void close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    options.scope = MIGUARD_GATE_THREAD;
    MUST(miguard_gate_close(&options, NULL) == MIGUARD_BAD_STATE);
    MUST(miguard_gate_state().scope == MIGUARD_GATE_OFF);
}

static bool close_gate_over_a_switch(void *unused)
{
    struct stub_operation *stub = start_as(0);
    (void)unused;

    switched();
    outer.act = close_gate;
    stub_fire(stub, true, false);
    MUST(outer.calls == 1 && miguard_switch_back(NULL) == MIGUARD_OK);
    return !wrong;
}

/* A frame that was taken for one that was jumped over, and then comes back after all, as a
 * coroutine could: who the thread should be is not known any more. */
static bool restore_out_of_order(void *unused)
{
    struct miguard_identity identity;
    struct switch_frame first, second;
    (void)unused;

    MUST(identity_capture(&identity, NULL) == MIGUARD_OK);
    MUST(switch_adopt(&identity, &first, NULL) == MIGUARD_OK);
    MUST(switch_adopt(&identity, &second, NULL) == MIGUARD_OK);
    switch_restore(&first);
    switch_restore(&first); /* once is enough */
    MUST(!switch_is_busy());
    if (!wrong) {
        switch_restore(&second);
    }
    return false;
}

/* ---- the way home --------------------------------------------------------------------------- */

static bool go_home(void *unused)
{
    enum miguard_status status = MIGUARD_OK;
    struct miguard_error error;
    (void)unused;

    somebody = target_of(SOMEBODY);
    other = target_of(OTHER);
    (void)signal(SIGUSR1, on_signal);
    MUST(miguard_switch_home(0) == 0);
    MIGUARD_SWITCHED(somebody, &status, NULL)
    {
        const unsigned depth = miguard_switch_depth();
        if (sigsetjmp(far_landing, 1) == 0) {
            MUST(miguard_switch_to(other, NULL) == MIGUARD_OK);
            MIGUARD_SWITCHED(somebody, &status, NULL)
            {
                MUST(miguard_switch_to(other, NULL) == MIGUARD_OK);
                (void)raise(SIGUSR1);
            }
        }
        MUST(euid_now() == OTHER && miguard_switch_depth() == 4);
        MUST(miguard_switch_home(depth) == 3 && euid_now() == SOMEBODY);
        MUST(miguard_switch_home(depth) == 0 && miguard_switch_home(77) == 0);
        MUST(miguard_switch_depth() == 1);
    }
    MUST(euid_now() == 0 && miguard_switch_depth() == 0);
    if (setjmp(landing) == 0) {
        MIGUARD_SWITCHED(somebody, &status, NULL)
        {
            longjmp(landing, 1);
        }
    }
    MUST(miguard_switch_back(&error) == MIGUARD_BAD_STATE && euid_now() == SOMEBODY);
    MUST(strstr(error.detail, "miguard_switch_home") != NULL);
    MUST(miguard_switch_home(0) == 1 && euid_now() == 0 && !switch_is_busy());
    return !wrong;
}

static void check(const char *what, bool (*body)(void *))
{
    tell(in_child(body, NULL) == SIGKILL, what, "-", 0);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (geteuid() != 0) {
        printf("skip: adopting identities: needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    try_all();
    try_jumps();
    check("pthread_exit in a callback", end_the_thread);
    check("callbacks in callbacks", nest_deeply);
    check("the gate is not closed over a switch", close_gate_over_a_switch);
    check("the way home", go_home);
    tell(in_child(restore_out_of_order, NULL) == SIGABRT, "restored out of order", "-", 0);
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
