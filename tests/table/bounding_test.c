/* SPDX-License-Identifier: MIT */
/*
 * The bounding set that a check remembers, against the one that the kernel has: every sequence of
 * up to two, with FULL=1 three, of the things that a thread, its process and its children can do to
 * credentials, on the leader of a thread group, on another thread, and on a thread whose leader has
 * ended. After each step the check is asked in several ways and must agree with all of
 * PR_CAPBSET_READ, in what is equal and in what is not. Also a signal handler at every instruction
 * of a check; and that what cannot have changed is not asked for.
 *
 * QUICK=1 leaves out the third kind of thread and most places of the handler.
 *
 * This file defines the table of kernel calls in place of src/identity/kernel.c, to count the reads
 * of the set.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate.h"
#include "identity/bounding.h"
#include "identity/identity.h"
#include "miguard/gate.h"
#include "support/always_interrupted.h"
#include "support/raw.h"
#include "support/real_kernel.h"

/* No sanitizer takes two tasks in one memory, and ThreadSanitizer no threads after a fork. */
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

#define BIT(NAME) ((miguard_components)MIGUARD_COMPONENT_##NAME)
#define ALL       ((miguard_components)MIGUARD_COMPONENTS_ALL)

/* ---- the calls ------------------------------------------------------------------------------ */

static __thread unsigned asked; /* capabilities of the set, by the library */

#define FORWARD(name, parameters, ...)                                                             \
    static long call_##name parameters                                                             \
    {                                                                                              \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }

typedef struct __user_cap_header_struct cap_header;
typedef struct __user_cap_data_struct cap_data;

FORWARD(getresuid, (uid_t * a, uid_t *b, uid_t *c), a, b, c)
FORWARD(getresgid, (gid_t * a, gid_t *b, gid_t *c), a, b, c)
FORWARD(getgroups, (int size, gid_t *list), size, list)
FORWARD(open, (const char *path, int flags), path, flags)
FORWARD(read, (int fd, void *buffer, size_t size), fd, buffer, size)
FORWARD(close, (int fd), fd)
FORWARD(readlink, (const char *path, char *buffer, size_t size), path, buffer, size)
FORWARD(getpid, (void))
FORWARD(session_keyring, (void))
FORWARD(setfsuid, (uid_t id), id)
FORWARD(setfsgid, (gid_t id), id)
FORWARD(setresuid, (uid_t a, uid_t b, uid_t c), a, b, c)
FORWARD(setresgid, (gid_t a, gid_t b, gid_t c), a, b, c)
FORWARD(setgroups, (size_t size, const gid_t *list), size, list)
FORWARD(capget, (cap_header * header, cap_data *data), header, data)
FORWARD(capset, (cap_header * header, const cap_data *data), header, data)
FORWARD(seccomp, (unsigned operation, unsigned flags, void *arguments), operation, flags, arguments)
FORWARD(stray, (unsigned long bits), bits)
FORWARD(stray_drop, (unsigned long bits), bits)

static bool same_number; /* all threads have it, as if each were the first of a pid namespace */

static long call_gettid(void)
{
    return same_number ? 1 : real_kernel.gettid();
}

static long call_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
                       unsigned long d)
{
    asked += option == PR_CAPBSET_READ;
    return real_kernel.prctl(option, a, b, c, d);
}

const struct identity_kernel identity_kernel = {KERNEL_MAP(KERNEL_CALL)};

/* ---- the truth --------------------------------------------------------------------------------
 */

static uint32_t cap_count;

static uint64_t true_set(void)
{
    uint64_t set = 0;

    for (uint32_t i = 0; i < cap_count; i++) {
        set |= (uint64_t)(syscall(SYS_prctl, PR_CAPBSET_READ, i, 0, 0, 0) == 1) << i;
    }
    return set;
}

static void find_cap_count(void)
{
    while (syscall(SYS_prctl, PR_CAPBSET_READ, cap_count, 0, 0, 0) >= 0) {
        cap_count++;
    }
}

static uint64_t namespace_now(void)
{
    char link[64] = "";
    unsigned long long inode = 0;

    (void)!readlink("/proc/thread-self/ns/user", link, sizeof(link) - 1);
    return sscanf(link, "user:[%llu]", &inode) == 1 ? inode : 0;
}

/* Whether a check against this set, of so many capabilities, says that the thread's is equal. */
static bool says_equal_of(uint32_t count, uint64_t set, uint64_t user_namespace,
                          miguard_components compared)
{
    struct miguard_identity bound = {
        .tag = IDENTITY_TAG, .known = ALL, .cap_count = count, .user_namespace = user_namespace};

    bound.cap[IDENTITY_CAP_BOUNDING] = set;
    return (gate_check(gate_new_binding(), &bound, compared, NULL) & BIT(CAP_BOUNDING)) == 0;
}

static bool says_equal(uint64_t set, uint64_t user_namespace, miguard_components compared)
{
    return says_equal_of(cap_count, set, user_namespace, compared);
}

/* Every way of asking; which was the latest matters for the next. */
static bool agrees(void)
{
    const miguard_components ways[] = {ALL, ALL & ~BIT(USER_NAMESPACE), BIT(CAP_BOUNDING),
                                       BIT(CAP_BOUNDING) | BIT(CAP_PERMITTED), ALL};
    enum { FEW = 5 };
    const uint64_t set = true_set(), user_namespace = namespace_now();
    bool good = says_equal(set, user_namespace, ALL) &&
                says_equal_of(FEW, set & ((1U << FEW) - 1), user_namespace, ALL);

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        good = good && says_equal(set, user_namespace, ways[i]);
        for (uint32_t cap = 0; cap < cap_count; cap += 13) {
            good = good && !says_equal(set ^ (uint64_t)1 << cap, user_namespace, ways[i]);
        }
    }
    return good;
}

/* ---- what can be done to credentials ----------------------------------------------------------
 */

static bool set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    cap_header header = {_LINUX_CAPABILITY_VERSION_3, 0};
    cap_data data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
    return syscall(SYS_capset, &header, data) == 0;
}

static void get_caps(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable)
{
    cap_header header = {_LINUX_CAPABILITY_VERSION_3, 0};
    cap_data data[2];

    syscall(SYS_capget, &header, data);
    *effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    *permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    *inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
}

#define SETPCAP ((uint64_t)1 << CAP_SETPCAP)

static void do_nothing(void)
{
}

/* The highest capability that is left, so that SETPCAP is among the last. */
static int next_to_drop(void)
{
    const uint64_t set = true_set();
    return set == 0 ? 0 : 63 - __builtin_clzll(set);
}

static void drop_one(void)
{
    (void)syscall(SYS_prctl, PR_CAPBSET_DROP, next_to_drop(), 0, 0, 0);
}

static void drop_by_library(void)
{
    (void)identity_kernel.prctl(PR_CAPBSET_DROP, (unsigned long)next_to_drop(), 0, 0, 0);
}

enum { LEFT = 3 }; /* capabilities */

static void drop_most(void)
{
    for (uint32_t i = LEFT; i < cap_count; i++) {
        (void)syscall(SYS_prctl, PR_CAPBSET_DROP, i, 0, 0, 0);
    }
}

static void give_up_setpcap(void)
{
    uint64_t e, p, i;
    get_caps(&e, &p, &i);
    (void)set_caps(e & ~SETPCAP, p & ~SETPCAP, i);
}

static void lower_setpcap(void)
{
    uint64_t e, p, i;
    get_caps(&e, &p, &i);
    (void)set_caps(e & ~SETPCAP, p, i);
}

static void raise_all(void)
{
    uint64_t e, p, i;
    get_caps(&e, &p, &i);
    (void)set_caps(p, p, i);
}

/* What the kernel must refuse, as the shortcut rests on it. */
static void ask_for_more(void)
{
    uint64_t e, p, i;
    get_caps(&e, &p, &i);
    (void)set_caps(e | SETPCAP, p | SETPCAP, i);
    (void)set_caps(e | SETPCAP, p, i);
}

static void inherit_and_ambient(void)
{
    uint64_t e, p, i;
    get_caps(&e, &p, &i);
    (void)set_caps(e, p, p);
    (void)syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETPCAP, 0, 0);
}

static void leave_root_for_a_while(void)
{
    (void)raw_setresuid((uid_t)-1, 12345, (uid_t)-1);
}

static void come_back_to_root(void)
{
    (void)raw_setresuid((uid_t)-1, 0, (uid_t)-1);
}

static void leave_root(void)
{
    (void)raw_setresuid(12345, 12345, 12345);
}

static void leave_root_with_caps(void)
{
    (void)syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
    (void)raw_setresuid(12345, 12345, 12345);
}

static void no_fixup(void)
{
    (void)syscall(SYS_prctl, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
}

static void new_namespace(void)
{
    for (int i = 0; i < 50 && syscall(SYS_unshare, CLONE_NEWUSER) != 0 && errno == EINVAL; i++) {
        usleep(100); /* a thread that was joined is counted for a moment (support/userns.h) */
    }
}

/* A child makes the namespace, this thread enters it. */
static void enter_namespace(void)
{
    int ready[2], wait[2];
    char byte = 0, path[64];

    if (pipe(ready) != 0 || pipe(wait) != 0) {
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        byte = syscall(SYS_unshare, CLONE_NEWUSER) == 0 ? 'y' : 'n';
        (void)!write(ready[1], &byte, 1);
        close(wait[1]);
        (void)!read(wait[0], &byte, 1);
        _exit(0);
    }
    if (child > 0 && read(ready[0], &byte, 1) == 1 && byte == 'y') {
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        for (int i = 0; i < 50 && syscall(SYS_setns, fd, 0) != 0 && errno == EINVAL; i++) {
            usleep(100);
        }
        close(fd);
    }
    close(ready[0]);
    close(ready[1]);
    close(wait[0]);
    close(wait[1]);
    (void)waitpid(child, NULL, 0);
}

/* Upwards: must be refused, too. */
static int first_namespace = -1;

static void go_up(void)
{
    (void)syscall(SYS_setns, first_namespace, 0);
}

static bool worked; /* by a thread or child of a step */

static void drop_and_check(void *unused)
{
    (void)unused;
    bool good = agrees();
    drop_one();
    worked = good && agrees();
}

static void another_thread(void)
{
    worked = false;
    raw_on_thread(drop_and_check, NULL);
    if (!worked) {
        fprintf(stderr, "another thread is wrong about itself\n");
        abort();
    }
}

static bool in_forked_child(void *unused)
{
    (void)unused;
    bool good = agrees();
    drop_one();
    good = good && agrees();
    new_namespace();
    good = good && agrees();
    drop_most();
    return good && agrees();
}

static void forked_child(void)
{
    if (!raw_in_child(in_forked_child, NULL)) {
        fprintf(stderr, "a child is wrong about itself\n");
        abort();
    }
}

/* On the memory and the thread area of this thread, and checks there: what it remembers must not
 * be this thread's. */
static int on_shared_memory(void *unused)
{
    (void)unused;
    worked = agrees();
    drop_one();
    worked = worked && agrees();
    give_up_setpcap();
    worked = worked && agrees();
    return 0;
}

static void child_on_shared_memory(void)
{
    enum { STACK = 256 * 1024 };
    char *stack = SANITIZED || getenv("RUNNER") != NULL ? NULL : malloc(STACK);

    worked = false;
    pid_t child = stack == NULL ? -1
                                : clone(on_shared_memory, stack + STACK,
                                        CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    if (child > 0) {
        (void)waitpid(child, NULL, 0);
        if (!worked) {
            fprintf(stderr, "a child on shared memory is wrong about itself\n");
            abort();
        }
    }
    free(stack);
}

static void load_from_there(void *unused)
{
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, allow};
    (void)unused;
    (void)syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
}

static void filter_from_another_thread(void)
{
    raw_on_thread(load_from_there, NULL);
}

/* Replaces this process's credentials by a copy with another keyring. */
static void keyring_from_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
        (void)syscall(SYS_keyctl, KEYCTL_SESSION_TO_PARENT, 0, 0, 0, 0);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
}

static void gate_of(enum miguard_gate_scope scope)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    options.scope = scope;
    (void)!miguard_gate_close(&options, NULL);
}

static void gate_of_thread(void)
{
    gate_of(MIGUARD_GATE_THREAD);
}

static void gate_of_process(void)
{
    gate_of(MIGUARD_GATE_PROCESS);
}

static void gate_of_bounding(void)
{
    gate_of(MIGUARD_GATE_BOUNDING);
}

static const struct step {
    const char *name;
    void (*take)(void);
    bool slow; /* left out of the longest sequences, but for their end */
} steps[] = {
    {"nothing", do_nothing, false},
    {"a capability dropped", drop_one, false},
    {"one dropped by the library", drop_by_library, false},
    {"most dropped", drop_most, false},
    {"CAP_SETPCAP given up", give_up_setpcap, false},
    {"CAP_SETPCAP lowered", lower_setpcap, false},
    {"all permitted raised", raise_all, false},
    {"more than permitted asked for", ask_for_more, false},
    {"inheritable and ambient", inherit_and_ambient, false},
    {"the effective uid away from root", leave_root_for_a_while, false},
    {"the effective uid back", come_back_to_root, false},
    {"all uids away from root", leave_root, false},
    {"the same with keep-caps", leave_root_with_caps, false},
    {"no-setuid-fixup", no_fixup, false},
    {"a user namespace of its own", new_namespace, false},
    {"a child's user namespace entered", enter_namespace, true},
    {"the first user namespace entered again", go_up, false},
    {"another thread drops", another_thread, true},
    {"a forked child drops", forked_child, true},
    {"a child on shared memory drops", child_on_shared_memory, true},
    {"a filter from another thread", filter_from_another_thread, true},
    {"a keyring from a child", keyring_from_child, true},
    {"a gate of the thread", gate_of_thread, true},
    {"a gate of the process", gate_of_process, true},
    {"a gate of the bounding set", gate_of_bounding, true},
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]), LONGEST = 3 };

/* ---- sequences --------------------------------------------------------------------------------
 */

enum { LEADER, OTHER_THREAD, LEADERLESS, KINDS };
static const char *const kinds[KINDS] = {"the leader", "another thread", "a thread without leader"};

static unsigned long passed, failed;
static int sequence[LONGEST], length;

/* What the shortcut rests on: within a namespace the set only shrinks. */
static bool only_shrinks(uint64_t *before, uint64_t *namespace_before)
{
    const uint64_t set = true_set(), user_namespace = namespace_now();
    bool good = user_namespace != *namespace_before || (set & ~*before) == 0;

    *before = set;
    *namespace_before = user_namespace;
    return good;
}

static void run_sequence(void *ret_good)
{
    uint64_t set = true_set(), user_namespace = namespace_now();
    bool good = agrees();

    for (int i = 0; i < length && good; i++) {
        steps[sequence[i]].take();
        good = agrees() && only_shrinks(&set, &user_namespace);
    }
    *(bool *)ret_good = good;
}

static void *run_leaderless(void *leader)
{
    bool good = false;

    pthread_join(*(pthread_t *)leader, NULL);
    run_sequence(&good);
    raw_end_child(good);
}

static bool run_kind(int kind)
{
    static pthread_t leader;
    pthread_t thread;
    bool good = false;

    if (kind == LEADER) {
        run_sequence(&good);
    } else if (kind == OTHER_THREAD) {
        raw_on_thread(run_sequence, &good);
    } else {
        leader = pthread_self();
        if (pthread_create(&thread, NULL, run_leaderless, &leader) == 0) {
            pthread_exit(NULL);
        }
    }
    return good;
}

static void try_sequence(int kind)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        raw_end_child(run_kind(kind));
    }
    bool good = child > 0 && raw_child_passed(child);
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s:", kinds[kind]);
        for (int i = 0; i < length; i++) {
            printf("%s %s", i > 0 ? "," : "", steps[sequence[i]].name);
        }
        printf("\n");
    }
}

/* Each step of the process's costs a process or more: the longest sequences have one at most. */
static unsigned slow_steps(void)
{
    unsigned slow = 0;
    for (int i = 0; i < length; i++) {
        slow += steps[sequence[i]].slow;
    }
    return slow;
}

static void try_sequences(int longest, int some_kinds)
{
    for (length = 1; length <= longest; length++) {
        unsigned number = 1;
        for (int i = 0; i < length; i++) {
            number *= STEPS;
        }
        for (unsigned which = 0; which < number; which++) {
            for (unsigned i = 0, rest = which; i < (unsigned)length; i++, rest /= STEPS) {
                sequence[i] = (int)(rest % STEPS);
            }
            for (int kind = 0; kind < some_kinds && (length < LONGEST || slow_steps() < 2);
                 kind++) {
                try_sequence(kind);
            }
        }
    }
}

/* ---- what is not asked for --------------------------------------------------------------------
 */

/* The reads of a second check. */
static unsigned reads_again(miguard_components compared)
{
    const uint64_t set = true_set(), user_namespace = namespace_now();

    (void)says_equal(set, user_namespace, compared);
    asked = 0;
    (void)says_equal(set, user_namespace, compared);
    return asked;
}

static bool final_without_setpcap(void *leads)
{
    give_up_setpcap();
    /* A leader may be elsewhere, where the namespace is not compared. */
    return reads_again(ALL) == 0 &&
           reads_again(ALL & ~BIT(USER_NAMESPACE)) == (*(bool *)leads ? cap_count : 0);
}

static bool only_what_is_left(void *unused)
{
    (void)unused;
    drop_most();
    return reads_again(ALL) == LEFT;
}

static bool all_of_root(void *unused)
{
    (void)unused;
    return reads_again(ALL) == (unsigned)__builtin_popcountll(true_set());
}

static bool final_behind_gate(void *unused)
{
    (void)unused;
    gate_of_process();
    bool good = reads_again(ALL) == 0 && reads_again(ALL & ~BIT(USER_NAMESPACE)) == 0;
    drop_by_library();
    asked = 0;
    return good && agrees() && asked > 0 && reads_again(ALL) == 0;
}

/* There a leader may still enter another namespace. */
static bool final_behind_bounding_gate(void *leads)
{
    gate_of_bounding();
    bool good = reads_again(ALL) == 0 &&
                reads_again(ALL & ~BIT(USER_NAMESPACE)) == (*(bool *)leads ? cap_count : 0);
    drop_one(); /* in vain */
    good = good && reads_again(ALL) == 0 && agrees();
    drop_by_library();
    asked = 0;
    return good && agrees() && asked > 0 && reads_again(ALL) == 0;
}

struct economy {
    const char *name;
    bool (*holds)(void *leads);
    bool leads, good;
};

static void on_this_thread(void *economy)
{
    struct economy *one = economy;
    one->good = one->holds(&one->leads);
}

static bool holds_there(void *economy)
{
    struct economy *one = economy;
    raw_on_thread(on_this_thread, one);
    return one->good;
}

static bool holds_here(void *economy)
{
    on_this_thread(economy);
    return ((struct economy *)economy)->good;
}

static void count_reads(void)
{
    struct economy economies[] = {
        {"nothing without CAP_SETPCAP", final_without_setpcap, false, false},
        {"what is left of the set", only_what_is_left, false, false},
        {"the whole set of root", all_of_root, false, false},
        {"nothing behind a gate", final_behind_gate, false, false},
        {"nothing behind a gate of the set", final_behind_bounding_gate, false, false},
    };

    for (size_t i = 0; i < 2 * sizeof(economies) / sizeof(economies[0]); i++) {
        struct economy *one = &economies[i / 2];
        one->leads = i % 2 == 0;
        if ((one->holds == final_behind_gate || one->holds == final_behind_bounding_gate) &&
            prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
            printf("skip: %s: no seccomp here\n", one->name);
            continue;
        }
        bool good = raw_in_child(one->leads ? holds_here : holds_there, one);
        passed += good;
        failed += !good;
        if (!good) {
            printf("FAIL: read again of %s: %s\n", kinds[!one->leads], one->name);
        }
    }
}

/* ---- a child with the same thread id -----------------------------------------------------------
 */

/* In a pid namespace of its own a child may have its parent's number. Its set is full: it is in a
 * user namespace of its own, too. */
static void child_of_the_same_number(void *ret_good)
{
    give_up_setpcap();
    drop_most();
    same_number = true;
    bool good = agrees();
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);
    if (child == 0) {
        raw_end_child(agrees());
    }
    *(bool *)ret_good = good && child > 0 && raw_child_passed(child);
}

static bool on_a_thread(void *unused)
{
    bool good = false;
    (void)unused;
    raw_on_thread(child_of_the_same_number, &good);
    return good;
}

static void another_process_of_the_same_number(void)
{
    if (getenv("RUNNER") != NULL && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
        printf("skip: a child with its parent's thread id: the emulator makes no such child\n");
        return;
    }
    bool good = raw_in_child(on_a_thread, NULL);
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: a child with its parent's thread id\n");
    }
}

/* ---- a handler at every instruction -----------------------------------------------------------
 */

/* One read as a check makes it, of a leader. The number stands for a user namespace. Of few
 * capabilities, to have few instructions. */
static bool read_in(uint64_t user_namespace, bool lacks_setpcap, uint64_t *ret_set)
{
    const struct bounding_facts facts = {
        .leads = true, .user_namespace = user_namespace, .lacks_setpcap = lacks_setpcap};
    return bounding_read(LEFT, &facts, ret_set);
}

enum { FORMER = 1, PRESENT = 2 };

static struct {
    bool formerly_final; /* of the entry that is there before */
    bool final;          /* of the handler's read */
    bool wrong;
} interruption;

/* Also the handler's own answer must be right: it may find an entry that is half written. */
static void handler(int signal)
{
    uint64_t set = 0;

    (void)signal;
    (void)syscall(SYS_prctl, PR_CAPBSET_DROP, 1, 0, 0, 0);
    bool good = read_in(PRESENT, interruption.final, &set) && set == true_set();
    interruption.wrong = interruption.wrong || !good;
}

/* What is stepped through is the read alone. */
static int traced(void)
{
    uint64_t set = 0;

    signal(SIGUSR1, handler);
    drop_most();
    bool good = read_in(FORMER, interruption.formerly_final, &set);
    raise(SIGSTOP);
    good = good && read_in(PRESENT, false, &set);
    raise(SIGSTOP);
    return good && read_in(PRESENT, false, &set) && set == true_set() && !interruption.wrong ? 0
                                                                                             : 1;
}

static bool stop_of(pid_t child, int *status, int signal)
{
    return waitpid(child, status, 0) == child && WIFSTOPPED(*status) && WSTOPSIG(*status) == signal;
}

/* Sends the signal after `at` instructions of the read. *ret_end: it was over before. */
static bool interrupted_at(unsigned at, bool *ret_end)
{
    int status = 0;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        _exit(traced());
    }
    *ret_end = true;
    if (!stop_of(child, &status, SIGSTOP)) {
        return false;
    }
    bool stepping = true;
    for (unsigned i = 0; i < at && stepping; i++) {
        stepping =
            ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0 && stop_of(child, &status, SIGTRAP);
    }
    *ret_end = !stepping;
    (void)ptrace(PTRACE_CONT, child, NULL, stepping ? SIGUSR1 : 0);
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        (void)ptrace(PTRACE_CONT, child, NULL, NULL);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* No read has as many instructions. */
enum { FAR = 100000 };

static void interrupt_everywhere(bool formerly_final, bool final, unsigned apart)
{
    bool end = false;
    unsigned at = 0;

    interruption.formerly_final = formerly_final;
    interruption.final = final;
    for (; !end && at < FAR; at += apart) {
        bool good = interrupted_at(at, &end);
        passed += good;
        failed += !good;
        if (!good) {
            printf("FAIL: a handler after %u instructions of a read\n", at);
        }
    }
    printf("a handler within %u instructions\n", at);
}

int main(void)
{
    const bool quick = getenv("QUICK") != NULL;

    find_cap_count();
    if (RAW_HIDDEN_THREAD) {
        printf("skip: the bounding set: ThreadSanitizer starts no thread after a fork\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    if (geteuid() != 0 || syscall(SYS_prctl, PR_CAPBSET_READ, CAP_SETPCAP, 0, 0, 0) != 1) {
        printf("skip: the bounding set: needs root with CAP_SETPCAP\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    first_namespace = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    count_reads();
    try_sequences(getenv("FULL") != NULL ? LONGEST : LONGEST - 1, quick ? LEADERLESS : KINDS);
    if (!SANITIZED && getenv("RUNNER") == NULL && getenv("EMULATED") == NULL) {
        interrupt_everywhere(true, false, quick ? 3 : 1);
        interrupt_everywhere(false, true, quick ? 3 : 1);
    } else {
        printf("skip: a handler at each instruction: they are not this program's alone\n");
    }
    another_process_of_the_same_number();
    printf("%lu passed, %lu failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
