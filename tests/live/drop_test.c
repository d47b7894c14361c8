/* SPDX-License-Identifier: MIT */
/*
 * A whole process gives up what it is, with threads of every kind in it. Afterwards each thread
 * looks at itself by raw system calls, and tries to become what it was.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support/elsewhere.h"
#include "support/raw.h"
#include "switch/switch.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define CAP(NAME)     ((uint64_t)1 << CAP_##NAME)

enum { SOMEBODY = 12345, OTHER = 23456, THREADS = 24 };

static const gid_t its_groups[] = {70001, 70002};
static const struct miguard_groups list = {MIGUARD_GROUPS_LIST, its_groups, 2, NULL};
static const struct miguard_groups clear = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};

/* Kept until the child that runs the test is gone; several threads may make one. */
static struct miguard_target *made[64];
static atomic_int made_count;

static struct miguard_target *make_target(const char *caps)
{
    struct miguard_target **target = &made[atomic_fetch_add(&made_count, 1)];
    if (miguard_target_ids(SOMEBODY, SOMEBODY + 1, &list, target, NULL) != MIGUARD_OK ||
        (caps != NULL && miguard_target_keep_caps(*target, caps, NULL) != MIGUARD_OK)) {
        abort();
    }
    return *target;
}

/* ---- what a thread is, by raw calls ------------------------------------------------------ */

struct raw {
    uid_t uid[4];
    gid_t gid[4];
    gid_t groups[64];
    long group_count;
    uint64_t effective, permitted, inheritable, ambient, bounding;
    int securebits, no_new_privs;
};

static struct raw raw_now(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    struct raw raw;

    memset(&raw, 0, sizeof(raw));
    memset(data, 0, sizeof(data));
    syscall(SYS_getresuid, &raw.uid[0], &raw.uid[1], &raw.uid[2]);
    syscall(SYS_getresgid, &raw.gid[0], &raw.gid[1], &raw.gid[2]);
    raw.uid[3] = (uid_t)syscall(SYS_setfsuid, -1);
    raw.gid[3] = (gid_t)syscall(SYS_setfsgid, -1);
    raw.group_count = syscall(SYS_getgroups, LENGTH(raw.groups), raw.groups);
    syscall(SYS_capget, &header, data);
    raw.effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    raw.permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    raw.inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
    for (int i = 0; i < 64; i++) {
        raw.ambient |= (uint64_t)(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1) << i;
        raw.bounding |= (uint64_t)(prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1) << i;
    }
    raw.securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    raw.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    return raw;
}

static bool same_raw(const struct raw *a, const struct raw *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static int is_dropped(uint64_t kept)
{
    const struct raw now = raw_now();

    for (int i = 0; i < 4; i++) {
        EXPECT(now.uid[i] == SOMEBODY && now.gid[i] == SOMEBODY + 1);
    }
    EXPECT(now.group_count == 2 && now.groups[0] == 70001 && now.groups[1] == 70002);
    EXPECT(now.effective == kept && now.permitted == kept);
    EXPECT(now.inheritable == 0 && now.ambient == 0 && now.bounding == 0);
    EXPECT((now.securebits & SECURE_ALL_LOCKS) == SECURE_ALL_LOCKS);
    EXPECT((now.securebits & SECBIT_NOROOT) != 0 && (now.securebits & SECBIT_KEEP_CAPS) == 0);
    EXPECT((now.securebits & SECBIT_NO_SETUID_FIXUP) != 0);
    EXPECT((now.securebits & SECBIT_NO_CAP_AMBIENT_RAISE) != 0);
    EXPECT(now.no_new_privs == 1);
    return 0;
}

/* Each attempt is one that worked before. */
static int cannot_regain(void)
{
    const gid_t none[] = {0};
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct all[2] = {{~0u, ~0u, 0}, {0x1FF, 0x1FF, 0}};

    EXPECT(!raw_setresuid(0, 0, 0) && !raw_setresuid((uid_t)-1, 0, (uid_t)-1));
    EXPECT(!raw_setresuid((uid_t)-1, OTHER, (uid_t)-1) && !raw_setresgid(0, 0, 0));
    EXPECT(!raw_setresgid((gid_t)-1, OTHER, (gid_t)-1) && !raw_setgroups(1, none));
    EXPECT(!raw_setgroups(0, NULL) && !raw_setfsuid(0));
    EXPECT(syscall(SYS_capset, &header, all) != 0);
    EXPECT(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0);
    EXPECT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) != 0);
    return 0;
}

/* ---- threads of every kind --------------------------------------------------------------- */

static atomic_bool stop, dropped;
static atomic_int bad_line, ready, checked;
static int silent_pipe[2];
static uint64_t kept_caps;

static void check_here(void)
{
    int line = is_dropped(kept_caps);
    if (line == 0) {
        line = cannot_regain();
    }
    if (line == 0) {
        line = is_dropped(kept_caps);
    }
    if (line != 0) {
        atomic_store(&bad_line, line);
    }
    atomic_fetch_add(&checked, 1);
}

static void wait_for_the_drop(void)
{
    while (!atomic_load(&dropped) && !atomic_load(&stop)) {
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
}

static void spin(void)
{
    while (!atomic_load(&dropped) && !atomic_load(&stop)) {
        __asm__ volatile("" ::: "memory");
    }
}

/* The signal must not end the wait for good: SA_RESTART. */
static void read_from_a_pipe(void)
{
    char byte;
    if (read(silent_pipe[0], &byte, 1) < 0) {
        atomic_store(&bad_line, __LINE__);
    }
}

static void be_another_user(void)
{
    if (!raw_setgroups(0, NULL) || !raw_setresgid(OTHER, 0, 0) || !raw_setresuid(OTHER, 0, OTHER)) {
        abort();
    }
    wait_for_the_drop();
}

static void be_another_user_with_capabilities(void)
{
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || !raw_setresuid(OTHER, OTHER, OTHER)) {
        abort();
    }
    wait_for_the_drop();
}

static void *short_life(void *unused)
{
    return unused;
}

static void make_threads(void)
{
    while (!atomic_load(&dropped) && !atomic_load(&stop)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, short_life, NULL) == 0) {
            pthread_join(thread, NULL);
        }
    }
}

static void hold_the_allocator(void)
{
    while (!atomic_load(&dropped) && !atomic_load(&stop)) {
        free(malloc(100000 + (size_t)rand() % 100000));
    }
}

static void (*const lives[])(void) = {
    wait_for_the_drop,
    spin,
    read_from_a_pipe,
    be_another_user,
    be_another_user_with_capabilities,
    make_threads,
    hold_the_allocator,
};

static void *live(void *context)
{
    int kind = (int)(intptr_t)context;
    atomic_fetch_add(&ready, 1);
    lives[kind % LENGTH(lives)]();
    if (!atomic_load(&stop)) {
        check_here();
    }
    return NULL;
}

static pthread_t threads[THREADS];

static int start_threads(void)
{
    EXPECT(pipe(silent_pipe) == 0);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, live, (void *)(intptr_t)i) == 0);
    }
    while (atomic_load(&ready) < THREADS) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    nanosleep(&(struct timespec){0, 20000000}, NULL); /* until each leads its life */
    return 0;
}

static int end_threads(bool after_drop)
{
    atomic_store(after_drop ? &dropped : &stop, true);
    EXPECT(write(silent_pipe[1], "0123456789", 10) == 10);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    EXPECT(atomic_load(&bad_line) == 0);
    EXPECT(!after_drop || atomic_load(&checked) == THREADS);
    return 0;
}

static struct miguard_error error;

/* Refused with this status, and this thread is what it was. */
static int refused(struct miguard_target *target, enum miguard_status expected)
{
    const struct raw before = raw_now();

    error.status = MIGUARD_OK;
    enum miguard_status status = miguard_drop(target, &error);
    if (status != expected) {
        fprintf(stderr, "%s: %s: %s\n", miguard_status_name(status), error.step, error.detail);
    }
    EXPECT(status == expected && error.status == expected && error.step[0] != '\0');
    const struct raw after = raw_now();
    EXPECT(same_raw(&before, &after));
    return 0;
}

/* ---- a slow look ------------------------------------------------------------------------- */

static atomic_int slow_look_ms; /* how long the next one takes */

/* In place of the C library's, for this whole program: each look at the threads ends in it. */
int fstat(int fd, struct stat *status)
{
    int delay = atomic_exchange(&slow_look_ms, 0);

    if (delay > 0) {
        nanosleep(&(struct timespec){delay / 1000, delay % 1000 * 1000000L}, NULL);
    }
    return (int)syscall(SYS_newfstatat, fd, "", status, AT_EMPTY_PATH);
}

/* ---- dropping ---------------------------------------------------------------------------- */

static int drop_alone(const void *unused)
{
    struct miguard_target *target = make_target(NULL);
    (void)unused;

    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK);
    EXPECT(is_dropped(0) == 0 && cannot_regain() == 0 && is_dropped(0) == 0);
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK); /* it is that already */
    EXPECT(is_dropped(0) == 0);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK); /* nowhere */
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    return 0;
}

enum { SIGNALS = 65 };

static void (**handlers_now(void))(int)
{
    static void (*handlers[SIGNALS])(int);
    for (int signal = 1; signal < SIGNALS; signal++) {
        struct sigaction action = {.sa_handler = SIG_ERR};
        sigaction(signal, NULL, &action);
        handlers[signal] = action.sa_handler;
    }
    return handlers;
}

static int drop_with_threads(const void *context)
{
    const char *caps = context;
    void (*handlers[SIGNALS])(int);
    struct miguard_target *target = make_target(caps);
    memcpy(handlers, handlers_now(), sizeof(handlers));
    kept_caps = caps != NULL ? CAP(NET_BIND_SERVICE) | CAP(KILL) : 0;

    EXPECT(start_threads() == 0);
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK);
    EXPECT(is_dropped(kept_caps) == 0 && cannot_regain() == 0);
    EXPECT(end_threads(true) == 0);
    pthread_t late;
    EXPECT(pthread_create(&late, NULL, live, NULL) == 0 && pthread_join(late, NULL) == 0);
    EXPECT(atomic_load(&bad_line) == 0 && atomic_load(&checked) == THREADS + 1);
    EXPECT(memcmp(handlers, handlers_now(), sizeof(handlers)) == 0);
    return 0;
}

static int drop_threads_plain(const void *unused)
{
    (void)unused;
    return drop_with_threads(NULL);
}

/* As on a busy or emulated machine: to look at all threads takes longer than one of them may take
 * to answer. */
static int drop_threads_slowly(const void *unused)
{
    (void)unused;
    atomic_store(&slow_look_ms, 2500);
    return drop_with_threads(NULL);
}

static int drop_threads_keeping(const void *unused)
{
    (void)unused;
    return drop_with_threads("cap_net_bind_service,cap_kill");
}

/* The first thread has ended, and stays in the list of threads as long as others live. Killed means
 * passed, see raw_in_child(). */
static void *drop_and_end(void *unused)
{
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    if (miguard_drop(make_target(NULL), NULL) == MIGUARD_OK && is_dropped(0) == 0) {
        raise(SIGKILL);
    }
    _exit(1);
    return unused;
}

static bool drop_without_leader(void *unused)
{
    pthread_t thread;
    (void)unused;

    if (pthread_create(&thread, NULL, drop_and_end, NULL) == 0) {
        pthread_exit(NULL);
    }
    return false;
}

static int drop_to_identity(const void *unused)
{
    static struct miguard_identity *identity;
    static struct miguard_target *target, *mixed;
    (void)unused;

    EXPECT(raw_setgroups(2, its_groups) && raw_setresuid(SOMEBODY, 0, 0));
    EXPECT(miguard_identity_capture(&identity, NULL) == MIGUARD_OK);
    EXPECT(miguard_target_identity(identity, &mixed, NULL) == MIGUARD_OK);
    EXPECT(miguard_drop(mixed, NULL) == MIGUARD_INVALID_ARGUMENT); /* saved uid 0 */
    miguard_target_free(mixed);
    identity->cap[IDENTITY_CAP_EFFECTIVE] = identity->cap[IDENTITY_CAP_PERMITTED] = 0;
    EXPECT(miguard_target_identity(identity, &mixed, NULL) == MIGUARD_OK);
    EXPECT(refused(mixed, MIGUARD_INVALID_ARGUMENT) == 0); /* also without capabilities */
    miguard_identity_free(identity);

    /* As the thread is, but with the ids of somebody. */
    EXPECT(miguard_identity_capture(&identity, NULL) == MIGUARD_OK);
    for (int i = 0; i < IDENTITY_IDS; i++) {
        identity->uid[i] = SOMEBODY;
        identity->gid[i] = SOMEBODY + 1;
    }
    EXPECT(miguard_target_identity(identity, &target, NULL) == MIGUARD_OK);
    EXPECT(refused(target, MIGUARD_INVALID_ARGUMENT) == 0); /* CAP_SETUID is in it */
    miguard_target_free(target);
    identity->cap[IDENTITY_CAP_EFFECTIVE] = identity->cap[IDENTITY_CAP_PERMITTED] = CAP(KILL);
    EXPECT(miguard_target_identity(identity, &target, NULL) == MIGUARD_OK);
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK);
    EXPECT(is_dropped(CAP(KILL)) == 0 && cannot_regain() == 0);
    miguard_target_free(mixed);
    miguard_identity_free(identity);
    return 0;
}

static int drop_keeping_groups(const void *unused)
{
    const struct miguard_groups keep = {MIGUARD_GROUPS_KEEP, NULL, 0, NULL};
    static struct miguard_target *target;
    (void)unused;

    EXPECT(raw_setgroups(2, its_groups));
    EXPECT(miguard_target_ids(SOMEBODY, SOMEBODY + 1, &keep, &target, NULL) == MIGUARD_OK);
    EXPECT(start_threads() == 0); /* some of them have none */
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK);
    EXPECT(is_dropped(0) == 0);
    return end_threads(true);
}

/* Exactly the three capabilities, as somebody who is not root. */
static int drop_with_single_capabilities(const void *unused)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const uint32_t few = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_SETPCAP;
    struct __user_cap_data_struct data[2] = {{few, few, 0}, {0, 0, 0}};
    struct miguard_target *target = make_target(NULL);
    (void)unused;

    EXPECT(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && raw_setresuid(OTHER, OTHER, OTHER));
    EXPECT(syscall(SYS_capset, &header, data) == 0);
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK);
    EXPECT(is_dropped(0) == 0 && cannot_regain() == 0);
    return 0;
}

/* ---- refused, and nothing changed anywhere ----------------------------------------------- */

static int refuse_ways_back(const void *unused)
{
    static const char *const caps[] = {"setuid", "setgid", "setpcap", "kill,setuid"};
    (void)unused;

    for (int i = 0; i < LENGTH(caps); i++) {
        struct miguard_target *target = make_target(caps[i]);
        EXPECT(refused(target, MIGUARD_INVALID_ARGUMENT) == 0);
    }
    return refused(NULL, MIGUARD_INVALID_ARGUMENT);
}

static bool lose(uint32_t capability)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    data[0].permitted &= ~(1u << capability);
    data[0].effective &= ~(1u << capability);
    return syscall(SYS_capset, &header, data) == 0;
}

static int refuse_without_capability(const void *context)
{
    struct miguard_target *target = make_target("kill");
    EXPECT(lose(*(const uint32_t *)context));
    return refused(target, MIGUARD_NOT_PERMITTED);
}

static int refuse_without_setpcap(const void *unused)
{
    (void)unused;
    return refuse_without_capability(&(uint32_t){CAP_SETPCAP});
}

static int refuse_without_setuid(const void *unused)
{
    (void)unused;
    return refuse_without_capability(&(uint32_t){CAP_SETUID});
}

static int refuse_without_setgid(const void *unused)
{
    (void)unused;
    return refuse_without_capability(&(uint32_t){CAP_SETGID});
}

static int refuse_without_kept(const void *unused)
{
    (void)unused;
    return refuse_without_capability(&(uint32_t){CAP_KILL});
}

static int refuse_locked_bit(const void *unused)
{
    (void)unused;
    EXPECT(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT_LOCKED, 0, 0, 0) == 0);
    return refused(make_target(NULL), MIGUARD_NOT_SUPPORTED);
}

static int refuse_while_switched(const void *unused)
{
    struct miguard_target *target = make_target(NULL);
    (void)unused;

    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(refused(target, MIGUARD_BAD_STATE) == 0);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK && is_dropped(0) == 0);
    return 0;
}

/* One thread in the process is not like the others; it reports what it is in the end. */
struct odd_one {
    int (*become)(void);
    atomic_bool is_there;
    struct raw before, after;
    int line;
};

static void *be_odd(void *context)
{
    struct odd_one *odd = context;
    odd->line = odd->become();
    odd->before = raw_now();
    atomic_store(&odd->is_there, true);
    wait_for_the_drop();
    odd->after = raw_now();
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_UNBLOCK, &all, NULL); /* what waited for it must not end the process */
    nanosleep(&(struct timespec){0, 1000000}, NULL);
    return NULL;
}

static int switched_thread(void)
{
    return miguard_switch_to(make_target(NULL), NULL) == MIGUARD_OK ? 0 : __LINE__;
}

static int deaf_thread(void)
{
    sigset_t all;
    sigfillset(&all);
    return pthread_sigmask(SIG_BLOCK, &all, NULL) == 0 ? 0 : __LINE__;
}

static int powerless_thread(void)
{
    return raw_become(OTHER, OTHER) ? 0 : __LINE__;
}

/* It has the rest, and other ids. */
static int thread_without_setuid(void)
{
    return raw_setresuid(OTHER, 0, 0) && lose(CAP_SETUID) ? 0 : __LINE__;
}

static int thread_without_setgid(void)
{
    return raw_setresgid(OTHER, 0, 0) && lose(CAP_SETGID) ? 0 : __LINE__;
}

static int locked_thread(void)
{
    return prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP_LOCKED, 0, 0, 0) == 0 ? 0 : __LINE__;
}

static const struct {
    const char *what;
    int (*become)(void);
    enum miguard_status status;
} odd_rows[] = {
    {"a switched thread", switched_thread, MIGUARD_BAD_STATE},
    {"a thread that blocks all signals", deaf_thread, MIGUARD_BAD_STATE},
    {"a thread without capabilities", powerless_thread, MIGUARD_NOT_PERMITTED},
    {"a thread without CAP_SETUID", thread_without_setuid, MIGUARD_NOT_PERMITTED},
    {"a thread without CAP_SETGID", thread_without_setgid, MIGUARD_NOT_PERMITTED},
    {"a thread with a locked securebit", locked_thread, MIGUARD_NOT_SUPPORTED},
};

static int refuse_for_one_thread(const void *context)
{
    int row = *(const int *)context;
    struct odd_one odd = {.become = odd_rows[row].become};
    pthread_t thread;

    EXPECT(start_threads() == 0);
    EXPECT(pthread_create(&thread, NULL, be_odd, &odd) == 0);
    while (!atomic_load(&odd.is_there)) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    EXPECT(odd.line == 0);
    EXPECT(refused(make_target(NULL), odd_rows[row].status) == 0);
    EXPECT(end_threads(false) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(same_raw(&odd.before, &odd.after));
    EXPECT(miguard_drop(make_target(NULL), &error) == MIGUARD_OK); /* without it, it works */
    return is_dropped(0);
}

static void handle(int signal)
{
    (void)signal;
}

static int refuse_without_signal(const void *unused)
{
    (void)unused;
    for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++) {
        sigaction(signal, &(struct sigaction){.sa_handler = handle}, NULL);
    }
    return refused(make_target(NULL), MIGUARD_NOT_SUPPORTED);
}

/* Of two at one time, one may be turned away; in the end all is dropped. */
static void *drop_too(void *result)
{
    *(enum miguard_status *)result = miguard_drop(make_target(NULL), NULL);
    return NULL;
}

static int drop_twice_at_once(const void *unused)
{
    enum miguard_status results[4];
    pthread_t droppers[4];
    int succeeded = 0;
    (void)unused;

    for (int i = 0; i < 4; i++) {
        EXPECT(pthread_create(&droppers[i], NULL, drop_too, &results[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        EXPECT(pthread_join(droppers[i], NULL) == 0);
        EXPECT(results[i] == MIGUARD_OK || results[i] == MIGUARD_BAD_STATE);
        succeeded += results[i] == MIGUARD_OK;
    }
    EXPECT(succeeded >= 1);
    return is_dropped(0);
}

static struct switch_note told;

static void observe(const struct switch_note *note)
{
    told = *note;
}

static const struct switch_hooks hooks = {.switched = observe};

static int observe_the_drop(const void *unused)
{
    struct miguard_target *target = make_target("setuid");
    (void)unused;

    switch_set_hooks(&hooks);
    EXPECT(refused(target, MIGUARD_INVALID_ARGUMENT) == 0);
    EXPECT(told.kind == SWITCH_KIND_DROP && told.status == MIGUARD_INVALID_ARGUMENT);
    EXPECT(told.error != NULL && switch_last().count == 0);
    EXPECT(miguard_drop(make_target(NULL), NULL) == MIGUARD_OK);
    EXPECT(told.status == MIGUARD_OK && told.from != NULL && told.to != NULL);
    EXPECT(told.site != NULL && switch_last().kind == SWITCH_KIND_DROP);
    return 0;
}

static const struct {
    const char *what;
    int (*body)(const void *);
} bodies[] = {
    {"one thread", drop_alone},
    {"many threads", drop_threads_plain},
    {"many threads, looked at slowly", drop_threads_slowly},
    {"many threads that keep capabilities", drop_threads_keeping},
    {"an identity", drop_to_identity},
    {"groups that are kept", drop_keeping_groups},
    {"a user with three capabilities", drop_with_single_capabilities},
    {"capabilities that are a way back", refuse_ways_back},
    {"no CAP_SETPCAP", refuse_without_setpcap},
    {"no CAP_SETUID", refuse_without_setuid},
    {"no CAP_SETGID", refuse_without_setgid},
    {"no capability that is kept", refuse_without_kept},
    {"a locked securebit", refuse_locked_bit},
    {"a switch that is not undone", refuse_while_switched},
    {"no free signal", refuse_without_signal},
    {"several drops at one time", drop_twice_at_once},
    {"the observer", observe_the_drop},
};

/* Sanitizers with a thread of their own: it blocks every signal, so that nothing can be dropped. */
static bool can_drop(const char *what)
{
#ifdef RAW_HAS_HIDDEN_THREAD
    printf("skip: %s: the sanitizer's thread blocks all signals\n", what);
    return false;
#else
    return is_root(what);
#endif
}

START_TEST(each_body)
{
    if (can_drop(bodies[_i].what)) {
        int status = in_child(bodies[_i].body, NULL);
        ck_assert_msg(status == 0, "%s: status %#x", bodies[_i].what, status);
    }
}
END_TEST

START_TEST(no_leader)
{
    if (can_drop("a process whose first thread has ended")) {
        ck_assert(raw_in_child(drop_without_leader, NULL));
    }
}
END_TEST

START_TEST(each_odd_one)
{
    if (can_drop(odd_rows[_i].what)) {
        int status = in_child(refuse_for_one_thread, &_i);
        ck_assert_msg(status == 0, "%s: status %#x", odd_rows[_i].what, status);
    }
}
END_TEST

/* As anybody: nobody's to give. */
static int refuse_unprivileged(const void *unused)
{
    static struct miguard_target *target;
    (void)unused;

    if (geteuid() == 0) {
        EXPECT(raw_become(OTHER, OTHER));
    }
    EXPECT(miguard_target_ids(SOMEBODY, SOMEBODY, &clear, &target, NULL) == MIGUARD_OK);
    EXPECT(refused(target, MIGUARD_NOT_PERMITTED) == 0);
    return 0;
}

START_TEST(unprivileged)
{
    ck_assert_int_eq(in_child(refuse_unprivileged, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("drop");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, each_body, 0, LENGTH(bodies));
    tcase_add_loop_test(all, each_odd_one, 0, LENGTH(odd_rows));
    tcase_add_test(all, no_leader);
    tcase_add_test(all, unprivileged);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
