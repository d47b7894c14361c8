/* SPDX-License-Identifier: MIT */
/*
 * Every system call of a switch and of a drop fails in turn, or says "done" and does nothing. Each
 * case runs in a child: a switch that fails must leave the thread as it was, one that succeeds must
 * have made it what was asked, and where neither can be had the child must abort (invariant 5).
 * There is no other end, and whether it is so is read by raw system calls, not through the library.
 * Meanwhile an allocation is an abort, too: a switch needs none.
 *
 * This file defines the table of kernel calls in place of src/identity/kernel.c, and the functions
 * of src/base/alloc.c.
 */
#include "identity/kernel.h"

#include <check.h>
#include <errno.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/always_interrupted.h"
#include "support/real_kernel.h"
#include "switch/switch.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { SOMEBODY = 12345, OTHER = 23456 };

/* ---- the faults ---------------------------------------------------------------------- */

/* A call that changes credentials is `changes`; the others only read. */
struct site {
    const char *call;
    bool changes;
    int option;
    unsigned long argument;
};

enum { MAX_CALLS = 4096 };

/* In memory that parent and child share, so that the parent can name the call. */
struct run {
    int calls, total; /* total: of the trial itself */
    struct site trace[MAX_CALLS];
};
static struct run *run;

enum reach {
    ONCE,         /* this call only */
    FROM_NOW_ON,  /* this call and all later ones of its kind */
    EVERY_CHANGE, /* from this call on no change is made any more */
    BLIND,        /* nor can anything be read, while changes say that they are done */
};

static struct {
    int at; /* number of the call, or -1 */
    enum reach reach;
    long answer; /* a negative errno, or 0: "done" with nothing done */
} fault = {-1, ONCE, 0};

static bool same_site(const struct site *a, const struct site *b)
{
    return strcmp(a->call, b->call) == 0 && a->option == b->option && a->argument == b->argument;
}

static bool intercept(struct site site)
{
    int number = run->calls++;

    if (number >= MAX_CALLS) {
        _exit(3);
    }
    run->trace[number] = site;
    if (fault.at < 0 || number < fault.at) {
        return false;
    }
    if (fault.reach == BLIND) {
        fault.answer = site.changes ? 0 : -EPERM;
        return true;
    }
    return number == fault.at || (fault.reach == EVERY_CHANGE && site.changes) ||
           (fault.reach == FROM_NOW_ON && same_site(&site, &run->trace[fault.at]));
}

/* ---- memory -------------------------------------------------------------------------- */

static bool no_memory_now; /* an allocation is a mistake, and ends as nothing else here does */

void *base_alloc(size_t count, size_t size)
{
    if (no_memory_now) {
        _exit(4);
    }
    return calloc(count, size);
}

void *base_resize(void *block, size_t count, size_t size)
{
    if (no_memory_now) {
        _exit(4);
    }
    return reallocarray(block, count, size);
}

void base_free(void *block)
{
    free(block);
}

/* ---- the calls ----------------------------------------------------------------------- */

/* A wrapper that makes the real call unless the fault says otherwise. */
#define CALL(name, changes, parameters, ...)                                                       \
    static long call_##name parameters                                                             \
    {                                                                                              \
        if (intercept((struct site){#name, changes, 0, 0})) {                                      \
            return fault.answer;                                                                   \
        }                                                                                          \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }

typedef struct __user_cap_header_struct cap_header;
typedef struct __user_cap_data_struct cap_data;

CALL(getresuid, false, (uid_t * a, uid_t *b, uid_t *c), a, b, c)
CALL(getresgid, false, (gid_t * a, gid_t *b, gid_t *c), a, b, c)
CALL(getgroups, false, (int size, gid_t *list), size, list)
CALL(capget, false, (cap_header * header, cap_data *data), header, data)
CALL(open, false, (const char *path, int flags), path, flags)
CALL(read, false, (int fd, void *buffer, size_t size), fd, buffer, size)
CALL(close, false, (int fd), fd)
CALL(readlink, false, (const char *path, char *buffer, size_t size), path, buffer, size)
CALL(gettid, false, (void))
CALL(getpid, false, (void))
CALL(session_keyring, false, (void))
CALL(setresuid, true, (uid_t a, uid_t b, uid_t c), a, b, c)
CALL(setresgid, true, (gid_t a, gid_t b, gid_t c), a, b, c)
CALL(setgroups, true, (size_t size, const gid_t *list), size, list)
CALL(capset, true, (cap_header * header, const cap_data *data), header, data)

static long call_setfsuid(uid_t fsuid)
{
    bool reads = fsuid == (uid_t)-1;
    if (intercept((struct site){reads ? "setfsuid (read)" : "setfsuid", !reads, 0, 0})) {
        return fault.answer;
    }
    return real_kernel.setfsuid(fsuid);
}

static long call_setfsgid(gid_t fsgid)
{
    bool reads = fsgid == (gid_t)-1;
    if (intercept((struct site){reads ? "setfsgid (read)" : "setfsgid", !reads, 0, 0})) {
        return fault.answer;
    }
    return real_kernel.setfsgid(fsgid);
}

static long call_prctl(int option, unsigned long a2, unsigned long a3, unsigned long a4,
                       unsigned long a5)
{
    bool changes = option == PR_SET_KEEPCAPS || option == PR_SET_SECUREBITS ||
                   option == PR_CAPBSET_DROP || option == PR_SET_NO_NEW_PRIVS ||
                   (option == PR_CAP_AMBIENT && a2 != PR_CAP_AMBIENT_IS_SET);
    unsigned long argument = option == PR_CAP_AMBIENT ? a3 : a2;
    if (intercept((struct site){"prctl", changes, option, argument})) {
        return fault.answer;
    }
    return real_kernel.prctl(option, a2, a3, a4, a5);
}

const struct identity_kernel identity_kernel = {
    .getresuid = call_getresuid,
    .getresgid = call_getresgid,
    .getgroups = call_getgroups,
    .capget = call_capget,
    .open = call_open,
    .read = call_read,
    .close = call_close,
    .readlink = call_readlink,
    .gettid = call_gettid,
    .getpid = call_getpid,
    .session_keyring = call_session_keyring,
    .setfsuid = call_setfsuid,
    .setfsgid = call_setfsgid,
    .prctl = call_prctl,
    .setresuid = call_setresuid,
    .setresgid = call_setresgid,
    .setgroups = call_setgroups,
    .capset = call_capset,
};

/* ---- what the thread is, by raw calls ------------------------------------------------ */

struct state {
    uid_t uid[4];
    gid_t gid[4];
    uint64_t effective, permitted, inheritable, ambient, bounding;
    int securebits, no_new_privs;
    int group_count;
    gid_t groups[512];
};

static struct state state_now(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    struct state state;

    memset(&state, 0, sizeof(state));
    memset(data, 0, sizeof(data));
    syscall(SYS_getresuid, &state.uid[0], &state.uid[1], &state.uid[2]);
    syscall(SYS_getresgid, &state.gid[0], &state.gid[1], &state.gid[2]);
    state.uid[3] = (uid_t)syscall(SYS_setfsuid, -1);
    state.gid[3] = (gid_t)syscall(SYS_setfsgid, -1);
    syscall(SYS_capget, &header, data);
    state.effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    state.permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    state.inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
    for (int i = 0; i <= CAP_LAST_CAP; i++) {
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1) {
            state.ambient |= (uint64_t)1 << i;
        }
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1) {
            state.bounding |= (uint64_t)1 << i;
        }
    }
    state.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    state.securebits = prctl(PR_GET_SECUREBITS);
    state.group_count = (int)syscall(SYS_getgroups, LENGTH(state.groups), state.groups);
    return state;
}

static bool same_state(const struct state *a, const struct state *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- where a switch starts, and where it goes ---------------------------------------- */

static bool set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
    return syscall(SYS_capset, &header, data) == 0;
}

/* Root, with something of everything that a switch must put back. */
static bool start_as_root(void)
{
    const gid_t groups[] = {7, 3, 5};
    struct state now = state_now();
    const uint64_t some = (uint64_t)1 << CAP_KILL;

    return set_caps(now.effective, now.permitted, some) &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0 &&
           syscall(SYS_setgroups, 3, groups) == 0 && syscall(SYS_setresgid, 21, 22, 23) == 0 &&
           syscall(SYS_setresuid, 11, 0, 13) == 0 && syscall(SYS_setfsgid, 24) >= 0 &&
           syscall(SYS_setfsuid, 14) >= 0;
}

/* A user with capabilities: uid 0 is not what carries the switch. */
static bool start_as_user(void)
{
    struct state now = state_now();

    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_setresuid, OTHER, OTHER, OTHER) == 0 &&
           prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0 &&
           set_caps((uint64_t)1 << CAP_SETUID, now.permitted, 0);
}

static bool start_with_many_groups(void)
{
    gid_t groups[300];
    for (int i = 0; i < LENGTH(groups); i++) {
        groups[i] = (gid_t)(40000 - i);
    }
    return syscall(SYS_setgroups, LENGTH(groups), groups) == 0;
}

static const struct scene {
    const char *what;
    bool (*start)(void);
} scenes[] = {
    {"root with a mixed identity", start_as_root},
    {"a user with capabilities", start_as_user},
    {"root with 300 groups", start_with_many_groups},
};

/* What is put to the test; prepare comes before the faults. */
enum trial { SWITCH_TO, SWITCH_BACK_AGAIN, ADOPT, RESTORE, DROP };

static const char *const trial_names[] = {"switch_to", "switch_back", "adopt", "restore", "drop"};

static struct miguard_target *target;
static struct miguard_identity wanted; /* the same as target, as an identity to adopt */
static struct switch_frame frame;

static bool make_target(void)
{
    const gid_t groups[] = {101, 100};
    return miguard_target_ids(SOMEBODY, SOMEBODY,
                              &(struct miguard_groups){MIGUARD_GROUPS_LIST, groups, 2, NULL},
                              &target, NULL) == MIGUARD_OK &&
           miguard_switch_to(target, NULL) == MIGUARD_OK &&
           identity_capture(&wanted, NULL) == MIGUARD_OK && miguard_switch_back(NULL) == MIGUARD_OK;
}

static enum miguard_status go(enum trial trial)
{
    return trial == SWITCH_TO || trial == SWITCH_BACK_AGAIN ? miguard_switch_to(target, NULL)
                                                            : switch_adopt(&wanted, &frame, NULL);
}

static enum miguard_status come_back(enum trial trial)
{
    if (trial == SWITCH_TO || trial == SWITCH_BACK_AGAIN) {
        return miguard_switch_back(NULL);
    }
    switch_restore(&frame);
    return MIGUARD_OK;
}

static void without_fault(void)
{
    fault.at = -1;
}

static void with_fault(int at, enum reach reach, long answer)
{
    run->calls = 0;
    fault.at = at;
    fault.reach = reach;
    fault.answer = answer;
}

enum { AS_BEFORE = 0, AS_ASKED = 10, WRONG = 20, NOT_SET_UP = 21 };

/* The exit status says what the thread was in the end; an abort is a signal. */
static int try_with_fault(const struct scene *scene, enum trial trial, int at, enum reach reach,
                          long answer)
{
    const struct rlimit no_core = {0, 0};
    bool comes_back = trial == SWITCH_BACK_AGAIN || trial == RESTORE;

    setrlimit(RLIMIT_CORE, &no_core);
    without_fault();
    if (!scene->start() || !make_target()) {
        return NOT_SET_UP;
    }
    const struct state before = state_now();
    if (go(trial) != MIGUARD_OK) {
        return NOT_SET_UP;
    }
    const struct state there = state_now();
    if (!comes_back && come_back(trial) != MIGUARD_OK) {
        return NOT_SET_UP;
    }
    if (same_state(&before, &there)) {
        return NOT_SET_UP;
    }

    with_fault(at, reach, answer);
    no_memory_now = trial == SWITCH_TO || trial == SWITCH_BACK_AGAIN;
    enum miguard_status status = comes_back ? come_back(trial) : go(trial);
    no_memory_now = false;
    run->total = run->calls;
    without_fault();
    const struct state after = state_now();
    if (comes_back || status != MIGUARD_OK) {
        bool depth = trial != SWITCH_TO || miguard_switch_depth() == 0;
        return same_state(&after, &before) && depth ? AS_BEFORE : WRONG;
    }
    if (!same_state(&after, &there) || come_back(trial) != MIGUARD_OK) {
        return WRONG;
    }
    const struct state back = state_now();
    return same_state(&back, &before) ? AS_ASKED : WRONG;
}

/* A drop is whole: ids, groups, every set of capabilities, the locks, no_new_privs. */
static bool is_dropped(const struct state *state)
{
    for (int i = 0; i < 4; i++) {
        if (state->uid[i] != SOMEBODY || state->gid[i] != SOMEBODY) {
            return false;
        }
    }
    const uint64_t kept = (uint64_t)1 << CAP_KILL;
    return state->group_count == 2 && state->groups[0] == 100 && state->groups[1] == 101 &&
           state->effective == kept && state->permitted == kept && state->inheritable == 0 &&
           state->ambient == 0 && state->bounding == 0 && state->no_new_privs == 1 &&
           (state->securebits & SECURE_ALL_LOCKS) == SECURE_ALL_LOCKS &&
           (state->securebits & SECURE_ALL_BITS) ==
               (SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_CAP_AMBIENT_RAISE);
}

static int drop_with_fault(const struct scene *scene, int at, enum reach reach, long answer)
{
    const struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    without_fault();
    if (!scene->start() || !make_target() ||
        miguard_target_keep_caps(target, "kill", NULL) != MIGUARD_OK) {
        return NOT_SET_UP;
    }
    const struct state before = state_now();
    with_fault(at, reach, answer);
    enum miguard_status status = miguard_drop(target, NULL);
    run->total = run->calls;
    without_fault();
    const struct state after = state_now();
    if (status != MIGUARD_OK) {
        return same_state(&after, &before) ? AS_BEFORE : WRONG;
    }
    return is_dropped(&after) ? AS_ASKED : WRONG;
}

/* ---- every case in a child ----------------------------------------------------------- */

struct outcomes {
    unsigned before, asked, aborted;
};

static int in_child(const struct scene *scene, enum trial trial, int at, enum reach reach,
                    long answer)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        _exit(trial == DROP ? drop_with_fault(scene, at, reach, answer)
                            : try_with_fault(scene, trial, at, reach, answer));
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static const char *name_of(const struct site *site)
{
    static char text[64];
    snprintf(text, sizeof(text), site->option != 0 ? "%s %d/%lu" : "%s", site->call, site->option,
             site->argument);
    return text;
}

/* The bounding set is read by 41 equal calls: the first, one between and the last stand for all. */
static bool stands_for_others(const struct site *site)
{
    if (site->option != PR_CAPBSET_READ && site->option != PR_CAPBSET_DROP &&
        site->option != PR_CAP_AMBIENT) {
        return true;
    }
    return (site->changes && site->option != PR_CAPBSET_DROP) || site->argument == 0 ||
           site->argument == CAP_KILL || site->argument >= CAP_LAST_CAP;
}

static const long answers[] = {-EPERM, -EAGAIN, -EINVAL, -ENOMEM, 0};

static const char *answer_name(long answer)
{
    return answer == 0 ? "0 and nothing done" : strerrorname_np((int)-answer);
}

/* One row of the table of outcomes; only wrong ones are printed. */
static bool judge(int status, struct outcomes *outcomes)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
        outcomes->aborted++;
        return true;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == AS_BEFORE) {
        outcomes->before++;
        return true;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == AS_ASKED) {
        outcomes->asked++;
        return true;
    }
    return false;
}

/* With QUICK=1 a change is denied, or said to be done, and few of the readings are tried. Under an
 * emulator, where a child takes a second, two of three of these. */
static bool is_left_out(const struct site *site, int at, int answer)
{
    if (getenv("QUICK") == NULL) {
        return false;
    }
    if (!site->changes) {
        return (at + answer) % 31 != 0;
    }
    return answer % 4 != 0 || (getenv("EMULATED") != NULL && (at + answer / 4) % 3 == 0);
}

static void every_call_in_turn(const struct scene *scene, enum trial trial, enum reach reach,
                               struct outcomes *outcomes)
{
    static struct site sites[MAX_CALLS];
    unsigned wrong = 0;

    int status = in_child(scene, trial, MAX_CALLS, ONCE, 0);
    ck_assert_msg(WIFEXITED(status), "without a fault: %#x", status);
    ck_assert_int_eq(WEXITSTATUS(status),
                     trial == SWITCH_BACK_AGAIN || trial == RESTORE ? AS_BEFORE : AS_ASKED);
    int total = run->total;
    memcpy(sites, run->trace, sizeof(sites));
    ck_assert_int_ge(total, 12);
    for (int at = 0; at < total; at++) {
        if (!stands_for_others(&sites[at]) || (reach >= EVERY_CHANGE && !sites[at].changes)) {
            continue;
        }
        for (int i = 0; i < LENGTH(answers); i++) {
            /* A read whose answer is a number and that always says 0 is the truth to everybody. */
            if (reach == FROM_NOW_ON && answers[i] == 0 && !sites[at].changes) {
                continue;
            }
            if (is_left_out(&sites[at], at, i)) {
                continue;
            }
            status = in_child(scene, trial, at, reach, answers[i]);
            if (!judge(status, outcomes)) {
                fprintf(stderr, "%s, %s, call %d of %d, %s, answers %s: status %#x\n", scene->what,
                        trial_names[trial], at, total, name_of(&sites[at]), answer_name(answers[i]),
                        status);
                wrong++;
            }
        }
    }
    ck_assert_uint_eq(wrong, 0);
}

static bool is_root(const char *what)
{
    if (geteuid() != 0) {
        printf("skip: %s: needs root\n", what);
        return false;
    }
    return true;
}

enum { CASES = LENGTH(scenes) * LENGTH(trial_names) };

static void share_run(void)
{
    run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(run, MAP_FAILED);
}

static void unshare_run(void)
{
    munmap(run, sizeof(*run));
}

START_TEST(one_failing_call)
{
    const struct scene *scene = &scenes[_i / LENGTH(trial_names)];
    enum trial trial = (enum trial)(_i % LENGTH(trial_names));
    struct outcomes outcomes = {0, 0, 0};

    if (!is_root(scene->what)) {
        return;
    }
    every_call_in_turn(scene, trial, ONCE, &outcomes);
    ck_assert_uint_gt(outcomes.before, 0);
    if (trial == SWITCH_TO || trial == ADOPT) {
        /* A single failure on the way there never costs the process. */
        ck_assert_uint_eq(outcomes.aborted, 0);
    }
}
END_TEST

/* The kind of call that fails once fails again when the library wants to undo. */
START_TEST(one_failing_kind_of_call)
{
    const struct scene *scene = &scenes[_i / LENGTH(trial_names)];
    struct outcomes outcomes = {0, 0, 0};

    if (is_root(scene->what)) {
        every_call_in_turn(scene, (enum trial)(_i % LENGTH(trial_names)), FROM_NOW_ON, &outcomes);
        ck_assert_uint_gt(outcomes.before + outcomes.aborted, 5);
    }
}
END_TEST

/* From some point on nothing can be changed any more: half a switch must end in an abort, and so
 * must every half way back. */
START_TEST(no_change_from_here_on)
{
    const struct scene *scene = &scenes[_i / LENGTH(trial_names)];
    enum trial trial = (enum trial)(_i % LENGTH(trial_names));
    struct outcomes outcomes = {0, 0, 0};

    if (is_root(scene->what)) {
        every_call_in_turn(scene, trial, EVERY_CHANGE, &outcomes);
        ck_assert_uint_gt(outcomes.aborted, 0);
    }
}
END_TEST

/* What cannot be read back is not taken for done. */
START_TEST(blind_from_here_on)
{
    const struct scene *scene = &scenes[_i / LENGTH(trial_names)];
    struct outcomes outcomes = {0, 0, 0};

    if (is_root(scene->what)) {
        every_call_in_turn(scene, (enum trial)(_i % LENGTH(trial_names)), BLIND, &outcomes);
        ck_assert_uint_gt(outcomes.aborted, 0);
        ck_assert_uint_eq(outcomes.asked, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("switch faults");
    TCase *faults = tcase_create("faults");
    tcase_set_timeout(faults, 300);
    tcase_add_checked_fixture(faults, share_run, unshare_run);
    tcase_add_loop_test(faults, one_failing_call, 0, CASES);
    tcase_add_loop_test(faults, one_failing_kind_of_call, 0, CASES);
    tcase_add_loop_test(faults, no_change_from_here_on, 0, CASES);
    tcase_add_loop_test(faults, blind_from_here_on, 0, CASES);
    suite_add_tcase(suite, faults);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
