/* SPDX-License-Identifier: MIT */
/*
 * Filters (seccomp(2)) that take from a thread any subset of the calls that a switch, a way back
 * and a drop make: refused with EPERM or ENOSYS, or answered with 0 and not done; from the start,
 * from between the switch and the way back, from before the gate, or from the nth call of the
 * library on; put on by the thread itself under no_new_privs, or without that by another thread
 * for all of them (TSYNC). That other thread has to drop, too.
 *
 * The answer must be OK, or an error with the thread unchanged: the file of the kernel
 * (/proc/thread-self/status) and the securebits are the same before and after. An abort is right
 * only where nothing else was left, which support/way_back.h proves for the state that the thread
 * was in by then; and the observer, which writes the record, must have been called before.
 *
 * FULL=1 covers all subsets, without running apart what cannot differ: the calls of the library
 * that a filter can affect are noted, and subsets that deny the same of them are one run. Some of
 * those are run nevertheless, and must end alike. Only of the filters that another thread puts on
 * in the midst of it not all are tried, but each call alone, all but one, and one subset in 16.
 * Without FULL one subset in some is run, with QUICK=1 fewer, with EMULATED=1 (each of their
 * children takes a second there) fewer still. ROW="..." as printed for a row runs that one alone,
 * and JOBS="20 39" those identities, modes and namespaces (job_is).
 */
#include "identity/kernel.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "identity/identity.h"
#include "miguard.h"
#include "miguard/gate.h"
#include "support/always_interrupted.h"
#include "support/real_kernel.h"
#include "support/userns.h"
#include "support/way_back.h"
#include "switch/switch.h"

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))
#define CAP(NAME)     ((uint64_t)1 << CAP_##NAME)

enum { SOMEBODY = 12345, SERVICE = 1000 };

/* ---- what is denied ------------------------------------------------------------------------ */

/* Subsets are below these; VISIBLE marks a call that sees that there is a filter at all. */
enum { SWITCH_SETS = BOUNDING, DROP_SETS = 2 * NO_NEW_PRIVS, VISIBLE = 1 << 14 };

static const struct {
    const char *name;
    unsigned number;
    int option; /* of prctl(2), else 0 */
} calls[] = {
    {"setgroups", SYS_setgroups, 0},
    {"setresgid", SYS_setresgid, 0},
    {"setresuid", SYS_setresuid, 0},
    {"setfsuid", SYS_setfsuid, 0},
    {"setfsgid", SYS_setfsgid, 0},
    {"capset", SYS_capset, 0},
    {"keepcaps", SYS_prctl, PR_SET_KEEPCAPS},
    {"securebits", SYS_prctl, PR_SET_SECUREBITS},
    {"ambient", SYS_prctl, PR_CAP_AMBIENT},
    {"bounding", SYS_prctl, PR_CAPBSET_DROP},
    {"no_new_privs", SYS_prctl, PR_SET_NO_NEW_PRIVS},
};

#define LOAD(field)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(k, by)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (by))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))

/* Of PR_CAP_AMBIENT only what changes is denied. */
static bool put_filter_on(unsigned subset, int answer, unsigned flags)
{
    struct sock_filter code[128];
    unsigned short length = 0;
    const unsigned result = SECCOMP_RET_ERRNO | (unsigned)answer;

    for (unsigned i = 0; i < LENGTH(calls); i++) {
        if ((subset >> i & 1) == 0) {
            continue;
        }
        bool plain = calls[i].option == 0, ambient = calls[i].option == PR_CAP_AMBIENT;
        code[length++] = (struct sock_filter)LOAD(nr);
        code[length++] = (struct sock_filter)UNLESS(calls[i].number, (plain ? 1 : ambient ? 5 : 3));
        if (!plain) {
            code[length++] = (struct sock_filter)LOAD(args[0]);
            code[length++] = (struct sock_filter)UNLESS((unsigned)calls[i].option, ambient ? 3 : 1);
        }
        if (ambient) {
            code[length++] = (struct sock_filter)LOAD(args[1]);
            code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                          PR_CAP_AMBIENT_IS_SET, 1, 0);
        }
        code[length++] = (struct sock_filter)RETURN(result);
    }
    code[length++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0;
}

static void print_subset(unsigned subset)
{
    for (unsigned i = 0; i < LENGTH(calls); i++) {
        if ((subset >> i & 1) != 0) {
            printf(" %s", calls[i].name);
        }
    }
}

/* ---- one row ------------------------------------------------------------------------------- */

enum operation { SWITCH, SCOPE, HOME, THROUGH, ROOT, ADOPT, ADOPT_ROOT, ADOPT_FS, DROP };
static const char *const operation_names[] = {
    "switch",        "scope",        "home", "home over another", "switch to root", "adopt",
    "adopt as root", "adopt fs ids", "drop"};

enum mode { BY_ITSELF, BY_ANOTHER };
static const char *const mode_names[] = {"", ", filter by another thread"};

enum { FROM_START = -1, BETWEEN = -2, BEFORE_GATE = -3 }; /* or the number of a call */

/* ASKS: aborted, and whether rightly is still to be proved. */
enum outcome {
    OK = 10,
    REFUSED,
    ABORTED,
    NOT_PUT_ON,
    FAILED,
    NO_SETUP,
    UNTOLD,
    WRONG_ABORT,
    UNPROVED,
    ASKS
};
enum { OUTCOMES = ASKS - OK };
static const char *const outcome_names[] = {
    "OK",
    "refused",
    "aborted with nothing left",
    "not filtered: so far in a drop the thread can put no filter on",
    "not as asked, or changed",
    "not prepared",
    "aborted untold",
    "aborted though there was a way",
    "aborted, and no proof",
};

static struct row {
    unsigned world, who, mode, operation;
    int stage;
    unsigned subset;
    int answer;
} row;

static bool is_good(enum outcome outcome)
{
    return outcome == OK || outcome == REFUSED || outcome == ABORTED || outcome == NOT_PUT_ON;
}

/* Two threads, of which one had no way back: that is what an abort says. */
struct question {
    struct thread_view now[2], before[2];
    uint64_t key;
    unsigned denied, rows;
    struct row first;
};

enum { QUESTIONS = 1 << 14, MAX_CALLS = 2048 };

/* Between a worker and its children. */
static struct shared {
    int calls, noted; /* of the library that a filter can affect */
    uint16_t kind_at[MAX_CALLS];
    unsigned made; /* kinds of calls since the filter is on */
    bool told, full;
    struct question asked; /* by the last abort */
    unsigned question_count;
    struct question questions[QUESTIONS];
} * shared;

/* Among all processes. */
static struct totals {
    _Atomic unsigned next_job, runs, shown, outcomes[OUTCOMES], states, calls, proofs;
    _Atomic unsigned refused_anyway, rows_of_refused, differing;
} * totals;

/* ---- the thread that puts the filter on, or only stands by ----------------------------------- */

static struct {
    pthread_t thread;
    long tid;
    _Atomic int command; /* a futex */
    bool done;
    struct thread_view before, view;
    uint32_t securebits; /* as it read them last */
} other;

enum { WAIT, PUT_ON, VIEW, READY };

static void command_is(int value)
{
    atomic_store(&other.command, value);
    syscall(SYS_futex, &other.command, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static int wait_while(int value)
{
    while (atomic_load(&other.command) == value) {
        syscall(SYS_futex, &other.command, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    }
    return atomic_load(&other.command);
}

static void *stand_by(void *context)
{
    other.tid = syscall(SYS_gettid);
    for (;;) {
        int command = wait_while(READY);
        other.done = command == PUT_ON
                         ? put_filter_on(row.subset, row.answer, SECCOMP_FILTER_FLAG_TSYNC)
                         : thread_view_read(&other.view);
        command_is(READY);
    }
    return context;
}

/* With signals of its own blocked or not, as the caller is. */
static bool let_other(int command)
{
    command_is(command);
    (void)wait_while(command);
    return other.done;
}

static bool start_other(void)
{
    command_is(VIEW);
    if (pthread_create(&other.thread, NULL, stand_by, NULL) != 0) {
        return false;
    }
    (void)wait_while(VIEW);
    other.before = other.view;
    other.securebits = other.view.securebits;
    return other.done;
}

/* In the midst of a drop the other thread stands still. */
static bool deny(void)
{
    shared->made = 0;
    if (row.mode == BY_ITSELF) {
        return put_filter_on(row.subset, row.answer, 0);
    }
    return row.operation == DROP && row.stage >= 0
               ? put_filter_on(row.subset, row.answer, SECCOMP_FILTER_FLAG_TSYNC)
               : let_other(PUT_ON);
}

/* ---- the library's table of calls, with a note of each --------------------------------------- */

static bool counting, noting;

static void note_call(unsigned kind)
{
    shared->made |= kind;
    if (noting && shared->calls < MAX_CALLS) {
        shared->kind_at[shared->calls] = (uint16_t)kind;
    }
    if (counting && shared->calls++ == row.stage) {
        counting = false;
        if (!deny()) {
            _exit(row.mode == BY_ANOTHER && row.operation == DROP ? NOT_PUT_ON : NO_SETUP);
        }
        shared->made |= kind;
    }
}

static unsigned kind_of_prctl(int option, unsigned long argument)
{
    switch (option) {
    case PR_SET_KEEPCAPS:
        return KEEPCAPS;
    case PR_SET_SECUREBITS:
        return SECUREBITS;
    case PR_CAP_AMBIENT:
        return argument == PR_CAP_AMBIENT_IS_SET ? 0 : AMBIENT;
    case PR_CAPBSET_DROP:
        return BOUNDING;
    case PR_SET_NO_NEW_PRIVS:
        return NO_NEW_PRIVS;
    case PR_GET_SECCOMP:
        return VISIBLE;
    default:
        return 0;
    }
}

#define CALL(kind, type, name, parameters, ...)                                                    \
    static type call_##name parameters                                                             \
    {                                                                                              \
        if ((kind) != 0) {                                                                         \
            note_call(kind);                                                                       \
        }                                                                                          \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }
typedef struct __user_cap_header_struct cap_header;
typedef struct __user_cap_data_struct cap_data;
CALL(SETRESUID, long, setresuid, (uid_t a, uid_t b, uid_t c), a, b, c)
CALL(SETRESGID, long, setresgid, (gid_t a, gid_t b, gid_t c), a, b, c)
CALL(SETGROUPS, long, setgroups, (size_t size, const gid_t *list), size, list)
CALL(SETFSUID, long, setfsuid, (uid_t id), id)
CALL(SETFSGID, long, setfsgid, (gid_t id), id)
CALL(CAPSET, long, capset, (cap_header * header, const cap_data *data), header, data)
CALL(0, long, getresuid, (uid_t * a, uid_t *b, uid_t *c), a, b, c)
CALL(0, long, getresgid, (gid_t * a, gid_t *b, gid_t *c), a, b, c)
CALL(0, long, getgroups, (int size, gid_t *list), size, list)
CALL(0, long, capget, (cap_header * header, cap_data *data), header, data)
CALL(VISIBLE, long, open, (const char *path, int flags), path, flags)
CALL(0, long, read, (int fd, void *buffer, size_t size), fd, buffer, size)
CALL(0, long, close, (int fd), fd)
CALL(0, long, readlink, (const char *path, char *buffer, size_t size), path, buffer, size)
CALL(0, long, gettid, (void))
CALL(0, long, getpid, (void))
CALL(0, long, session_keyring, (void))
CALL(VISIBLE, long, seccomp, (unsigned operation, unsigned flags, void *arguments), operation,
     flags, arguments)
CALL(0, long, stray, (unsigned long wrong_bits), wrong_bits)
CALL(0, long, stray_drop, (unsigned long wrong_bits), wrong_bits)

static long call_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
                       unsigned long d)
{
    unsigned kind = kind_of_prctl(option, a);

    if (kind != 0) {
        note_call(kind);
    }
    long result = real_kernel.prctl(option, a, b, c, d);
    if (option == PR_GET_SECUREBITS && syscall(SYS_gettid) == other.tid) {
        other.securebits = (uint32_t)result;
    }
    return result;
}

const struct identity_kernel identity_kernel = {KERNEL_MAP(KERNEL_CALL)};

/* ---- the abort ------------------------------------------------------------------------------- */

static struct thread_view before, goal; /* the goal of the way back that is under way */

static struct thread_view view_now(void)
{
    struct thread_view view;

    if (!thread_view_read(&view)) {
        _exit(NO_SETUP);
    }
    return view;
}

static void on_abort(int signal)
{
    struct question *asked = &shared->asked;

    (void)signal;
    counting = false;
    memset(asked, 0, sizeof(*asked));
    asked->now[0] = view_now();
    asked->before[0] = goal;
    asked->denied = row.subset;
    if (row.mode == BY_ANOTHER) {
        asked->before[1] = other.before;
        if (!thread_view_read_of(other.tid, other.securebits, &asked->now[1])) {
            _exit(NO_SETUP);
        }
    }
    _exit((int)(shared->told ? ASKS : UNTOLD));
}

static void observe(const struct switch_note *note)
{
    shared->told = shared->told || note->status != MIGUARD_OK;
}

static const struct switch_hooks hooks = {.switched = observe};

/* ---- who the thread is --------------------------------------------------------------------- */

static bool caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    cap_header header = {_LINUX_CAPABILITY_VERSION_3, 0};
    cap_data data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
    return syscall(SYS_capset, &header, data) == 0;
}

static bool as_root(void)
{
    return true;
}

static bool with_ambient(void)
{
    const struct thread_view now = view_now();

    return caps(now.effective, now.permitted, CAP(KILL)) &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0;
}

static bool as_mixed(void)
{
    const gid_t groups[] = {3, 5, 7};

    return with_ambient() && syscall(SYS_setgroups, 3, groups) == 0 &&
           syscall(SYS_setresgid, 21, 22, 23) == 0 && syscall(SYS_setresuid, 11, 0, 13) == 0 &&
           syscall(SYS_setfsgid, 24) >= 0 && syscall(SYS_setfsuid, 14) >= 0;
}

static bool as_fsuid(void)
{
    return syscall(SYS_setfsuid, 9) >= 0;
}

static bool as_partly_effective(void)
{
    return syscall(SYS_setresuid, 0, 0, 13) == 0 &&
           caps(CAP(SETUID) | CAP(SETGID), view_now().permitted, 0);
}

static bool as_partly_effective_root(void)
{
    return caps(CAP(SETUID) | CAP(SETGID), view_now().permitted, 0);
}

static bool as_user(uint64_t permitted, uint64_t effective, uint64_t ambient)
{
    const gid_t groups[] = {SERVICE, 2000};

    if (syscall(SYS_setgroups, 2, groups) != 0 ||
        syscall(SYS_setresgid, SERVICE, SERVICE, SERVICE) != 0 ||
        prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_setresuid, SERVICE, SERVICE, SERVICE) != 0 ||
        prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0 || !caps(effective, permitted, ambient)) {
        return false;
    }
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        if ((ambient >> i & 1) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) != 0) {
            return false;
        }
    }
    return true;
}

#define IDS (CAP(SETUID) | CAP(SETGID))

static bool as_service(void)
{
    return as_user(IDS | CAP(KILL), IDS | CAP(KILL), IDS | CAP(KILL));
}

static bool as_service_with_setpcap(void)
{
    return as_user(IDS | CAP(SETPCAP), IDS | CAP(SETPCAP), IDS);
}

static bool as_quiet_service(void)
{
    return as_user(IDS | CAP(SETPCAP), CAP(SETUID), 0);
}

static bool as_setuid_only(void)
{
    return as_user(CAP(SETUID), CAP(SETUID), 0);
}

static bool as_setgid_only(void)
{
    return as_user(CAP(SETGID), CAP(SETGID), 0);
}

static bool as_setpcap_only(void)
{
    return as_user(CAP(SETPCAP), CAP(SETPCAP), 0);
}

struct who {
    const char *name;
    bool (*become)(void);
};

static const struct who everybody[] = {
    {"root", as_root},
    {"root, mixed, ambient", as_mixed},
    {"root with a fsuid", as_fsuid},
    {"root, partly effective", as_partly_effective},
    {"service with ambient", as_service},
    {"service with ambient and setpcap", as_service_with_setpcap},
    {"service, partly effective", as_quiet_service},
    {"setuid alone", as_setuid_only},
    {"setgid alone", as_setgid_only},
    {"setpcap alone", as_setpcap_only},
};

/* Those that need one id only. */
static const struct who roots[] = {
    {"root", as_root},
    {"root, partly effective", as_partly_effective_root},
    {"root with ambient", with_ambient},
};

static const struct world {
    const char *name;
    struct userns userns; /* without maps: the namespace of the test */
    const struct who *who;
    unsigned who_count;
} worlds[] = {
    {"", {"", "", false}, everybody, LENGTH(everybody)},
    {", in a user namespace", {"0 0 65536", "0 0 65536", false}, everybody, LENGTH(everybody)},
    {", in a user namespace of one id", {"0 0 1", "0 0 1", true}, roots, LENGTH(roots)},
};

static const struct who *who_of(const struct row *of)
{
    return &worlds[of->world].who[of->who];
}

static bool has_one_id(void)
{
    return worlds[row.world].who == roots;
}

/* ---- what it does -------------------------------------------------------------------------- */

static struct miguard_target *target, *on_the_way;
static struct miguard_identity adopted;
static struct thread_view expected; /* ids, and all sets but permitted and bounding */

/* A single capability switches what it can, and where there is one id only the capabilities are
 * switched. */
static bool make_plain_target(uid_t uid, gid_t gid, bool keeps_groups)
{
    const gid_t groups[] = {100, 101};
    const struct miguard_groups choice = {keeps_groups ? MIGUARD_GROUPS_KEEP : MIGUARD_GROUPS_LIST,
                                          keeps_groups ? NULL : groups, keeps_groups ? 0 : 2, NULL};
    const bool only_kill = has_one_id() && row.operation != ROOT && row.operation != DROP;

    expected = before;
    for (int i = 0; i < IDENTITY_IDS; i++) {
        expected.uid[i] = i == IDENTITY_S ? before.uid[IDENTITY_E] : uid;
        expected.gid[i] = gid;
    }
    if (uid == 0 && !only_kill) {
        expected.effective = before.permitted;
    } else {
        expected.effective = only_kill ? CAP(KILL) : 0;
        expected.inheritable = expected.ambient = 0;
    }
    return miguard_target_ids(uid, gid, &choice, &target, NULL) == MIGUARD_OK &&
           (!only_kill || miguard_target_keep_caps(target, "kill", NULL) == MIGUARD_OK);
}

/* Other effective capabilities alone: capset(2) makes them, and can be denied by the way back. */
static bool make_target_on_the_way(void)
{
    const struct miguard_groups keep = {MIGUARD_GROUPS_KEEP, NULL, 0, NULL};

    return miguard_target_ids(before.uid[IDENTITY_E], before.gid[IDENTITY_E], &keep, &on_the_way,
                              NULL) == MIGUARD_OK &&
           miguard_target_keep_caps(on_the_way, "kill", NULL) == MIGUARD_OK;
}

static bool make_identity(uid_t uid, gid_t gid)
{
    if (identity_capture(&adopted, NULL) != MIGUARD_OK) {
        return false;
    }
    for (int i = row.operation == ADOPT_FS ? IDENTITY_FS : 0; i < IDENTITY_IDS; i++) {
        adopted.uid[i] = uid;
        adopted.gid[i] = gid;
    }
    if (has_one_id() && row.operation == ADOPT) {
        adopted.cap[IDENTITY_CAP_EFFECTIVE] = CAP(KILL);
    }
    expected = before;
    memcpy(expected.uid, adopted.uid, sizeof(expected.uid));
    memcpy(expected.gid, adopted.gid, sizeof(expected.gid));
    expected.effective = adopted.cap[IDENTITY_CAP_EFFECTIVE];
    return true;
}

static bool adopts(void)
{
    return row.operation == ADOPT || row.operation == ADOPT_ROOT || row.operation == ADOPT_FS;
}

static bool make_target(void)
{
    const bool gids_only = who_of(&row)->become == as_setgid_only,
               uids_only = who_of(&row)->become == as_setuid_only, root = has_one_id();
    uid_t uid = row.operation == ROOT || row.operation == ADOPT_ROOT || root ? 0
                : gids_only                                                  ? SERVICE
                                                                             : SOMEBODY;
    gid_t gid = root ? 0 : uids_only ? SERVICE : SOMEBODY;

    if (row.operation == THROUGH && !make_target_on_the_way()) {
        return false;
    }
    return adopts() ? make_identity(uid, gid) : make_plain_target(uid, gid, uids_only || root);
}

static void between(void)
{
    if (row.stage == BETWEEN && !deny()) {
        _exit(NO_SETUP);
    }
}

/* A switch that says OK and is not there ends the row. */
static void must_be_there(void)
{
    const struct thread_view now = view_now();

    if (memcmp(now.uid, expected.uid, sizeof(now.uid)) != 0 ||
        memcmp(now.gid, expected.gid, sizeof(now.gid)) != 0 ||
        now.effective != expected.effective || now.inheritable != expected.inheritable ||
        now.ambient != expected.ambient) {
        _exit(FAILED);
    }
}

static enum miguard_status in_scope(void)
{
    enum miguard_status status = MIGUARD_OK;
    struct miguard_scope scope = miguard_scope_enter(target, &status, NULL);
    if (status == MIGUARD_OK) {
        must_be_there();
        between();
    }
    miguard_scope_leave(&scope);
    return status;
}

/* The second switch alone can fail, and then the first is undone. */
static enum miguard_status go_through(void)
{
    enum miguard_status status = miguard_switch_to(on_the_way, NULL);

    if (status != MIGUARD_OK) {
        return status;
    }
    goal = view_now();
    expected.uid[IDENTITY_S] = goal.uid[IDENTITY_E];
    status = miguard_switch_to(target, NULL);
    goal = before;
    if (status != MIGUARD_OK) {
        (void)miguard_switch_home(0);
    }
    return status;
}

static enum miguard_status there_and_back(void)
{
    struct switch_frame frame;
    enum miguard_status status = row.operation == THROUGH ? go_through()
                                 : adopts()               ? switch_adopt(&adopted, &frame, NULL)
                                                          : miguard_switch_to(target, NULL);

    if (status != MIGUARD_OK) {
        return status;
    }
    must_be_there();
    if (row.operation == HOME) {
        goal = view_now();
        (void)!miguard_switch_to(target, NULL);
        goal = before;
    }
    between();
    if (adopts()) {
        switch_restore(&frame);
        return MIGUARD_OK;
    }
    if (row.operation == HOME || row.operation == THROUGH) {
        (void)miguard_switch_home(0);
        return MIGUARD_OK;
    }
    return miguard_switch_back(NULL);
}

static bool is_dropped(const struct thread_view *now)
{
    for (int i = 0; i < 4; i++) {
        if (now->uid[i] != expected.uid[0] || now->gid[i] != expected.gid[0]) {
            return false;
        }
    }
    return now->permitted == 0 && now->effective == 0 && now->inheritable == 0 &&
           now->ambient == 0 && now->bounding == 0 && now->no_new_privs == 1 &&
           (now->securebits & SECURE_ALL_LOCKS) == SECURE_ALL_LOCKS;
}

static enum miguard_status operate(void)
{
    return row.operation == DROP    ? miguard_drop(target, NULL)
           : row.operation == SCOPE ? in_scope()
                                    : there_and_back();
}

/* Without CAP_SYS_ADMIN, which a switched thread does not have, a filter needs no_new_privs. */
static bool become_who(void)
{
    if (row.mode == BY_ANOTHER) {
        return start_other() && who_of(&row)->become();
    }
    return who_of(&row)->become() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static void close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    options.scope = MIGUARD_GATE_THREAD;
    (void)!miguard_gate_close(&options, NULL); /* which may be refused */
    if (row.mode == BY_ANOTHER) {
        (void)let_other(VIEW);
        other.before = other.view;
    }
}

static enum outcome judge(enum miguard_status status)
{
    const struct thread_view after = view_now();
    const bool two = row.mode == BY_ANOTHER;

    if (two && !let_other(VIEW)) {
        return NO_SETUP;
    }
    if (row.operation == DROP && status == MIGUARD_OK) {
        return is_dropped(&after) && (!two || is_dropped(&other.view)) ? OK : FAILED;
    }
    if (!thread_view_same(&before, &after) ||
        (two && !thread_view_same(&other.before, &other.view))) {
        return FAILED;
    }
    return status == MIGUARD_OK ? OK : REFUSED;
}

/* What is common to all rows of one operation is done by then, but by another thread. */
static enum outcome run_row(void)
{
    if (row.mode == BY_ANOTHER && !become_who()) {
        return NO_SETUP;
    }
    before = view_now();
    if (!make_target()) {
        return NO_SETUP;
    }
    if ((row.stage == FROM_START || row.stage == BEFORE_GATE) && !deny()) {
        return NO_SETUP;
    }
    if (row.stage == BEFORE_GATE) {
        close_gate();
        before = view_now();
    }
    goal = before;
    counting = row.stage >= 0;
    enum miguard_status status = operate();
    counting = noting = false;
    return judge(status);
}

/* ---- the rows of one operation --------------------------------------------------------------- */

static const int answers[] = {EPERM, ENOSYS, 0};

static enum outcome in_child(void)
{
    int status = 0;

    shared->calls = 0;
    shared->told = false;
    totals->runs++;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(20);
        _exit((int)run_row());
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) < OK || WEXITSTATUS(status) > ASKS) {
        return FAILED;
    }
    return (enum outcome)WEXITSTATUS(status);
}

static void print_row(const struct row *of, const char *what)
{
    if (totals->shown++ >= 40) {
        return;
    }
    printf("%s%s%s, %s, stage %d, errno %d, without", who_of(of)->name, worlds[of->world].name,
           mode_names[of->mode], operation_names[of->operation], of->stage, of->answer);
    print_subset(of->subset);
    printf(": %s; ROW=\"%u %u %u %u %d %u %d\"\n", what, of->world, of->who, of->mode,
           of->operation, of->stage, of->subset, of->answer);
    fflush(stdout);
}

/* The number of the question that the last abort asked; the same is asked once. */
static unsigned ask(void)
{
    struct question *asked = &shared->asked;
    unsigned at = 0;

    asked->key = support_hash(asked, offsetof(struct question, key), asked->denied);
    for (at = asked->key % QUESTIONS; shared->questions[at].key != 0; at = (at + 1) % QUESTIONS) {
        if (shared->questions[at].key == asked->key) {
            return at;
        }
    }
    if (++shared->question_count > QUESTIONS / 2) {
        shared->full = true;
    }
    asked->first = row;
    shared->questions[at] = *asked;
    return at;
}

/* How a row ended: an outcome, or ASKS and the number of the question. */
typedef unsigned row_end;

static row_end run_for_end(void)
{
    enum outcome outcome = in_child();

    if (outcome == ASKS) {
        return (unsigned)ASKS + ask();
    }
    return outcome;
}

static void count_row(row_end end, bool refused_anyway)
{
    if (refused_anyway) {
        totals->rows_of_refused++;
    }
    if (end >= ASKS) {
        shared->questions[end - ASKS].rows++;
        return;
    }
    totals->outcomes[end - OK]++;
    if (!is_good((enum outcome)end)) {
        print_row(&row, outcome_names[end - OK]);
    }
}

/* A run, and which of the calls that were made it denied. */
struct leaf {
    unsigned made, denied;
    row_end end;
};

static bool full, emulated;
static unsigned quick = 1; /* how many times fewer are run */

static bool all_subsets(void)
{
    return full && (row.mode == BY_ITSELF || row.stage < 0);
}

/* One in some; which ones differs from row to row. */
static bool is_chosen(unsigned sets, unsigned one_in)
{
    const unsigned count = (unsigned)__builtin_popcount(row.subset),
                   most = (unsigned)__builtin_popcount(sets - 1);
    const uint64_t hash = support_hash(&row, sizeof(row), 1);

    /* What has been wrong. */
    if ((!emulated || hash % 4 == 0) && row.answer == 0 && row.mode == BY_ITSELF && row.who < 2 &&
        row.world == 0 &&
        ((row.subset | SETFSGID) == ((sets - 1) & ~(unsigned)SETFSUID) || row.subset == CAPSET ||
         (row.operation == ADOPT_FS && (row.subset & ~(unsigned)(SETFSUID | SETFSGID)) == 0))) {
        return true;
    }
    if (all_subsets() || (full && (count == 1 || count == most - 1))) {
        return true;
    }
    return hash % (full ? 16 : quick * one_in) == 0;
}

/* Two of a kind are run nevertheless, now and then. */
static void check_alike(row_end like)
{
    if (support_hash(&row, sizeof(row), 2) % 199 != 0) {
        return;
    }
    row_end end = run_for_end();
    if (end != like && (end < ASKS || like < ASKS)) { /* each subset asks its own question */
        totals->differing++;
        print_row(&row, "not as its like");
    }
}

static row_end end_of(struct leaf *leaves, unsigned *count)
{
    for (unsigned i = 0; i < *count; i++) {
        if ((row.subset & leaves[i].made) == leaves[i].denied) {
            check_alike(leaves[i].end);
            return leaves[i].end;
        }
    }
    row_end end = run_for_end();
    leaves[(*count)++] = (struct leaf){shared->made, row.subset & shared->made, end};
    return end;
}

/* All subsets from row.stage on. next: how they ended from the next call on, for those that do not
 * deny this one; replaced. NULL where there is none. */
static void try_subsets(row_end next[LENGTH(answers)][DROP_SETS], bool refused_anyway,
                        unsigned one_in)
{
    static struct leaf leaves[DROP_SETS];
    const unsigned sets = row.operation == DROP ? DROP_SETS : SWITCH_SETS;
    const unsigned kind = next != NULL ? shared->kind_at[row.stage] : 0;

    for (unsigned i = 0; i < LENGTH(answers); i++) {
        unsigned count = 0;
        row.answer = answers[i];
        for (row.subset = 1; row.subset < sets; row.subset++) {
            bool as_next = next != NULL && (kind & (row.subset | VISIBLE)) == 0;
            if (!is_chosen(sets, one_in) || (as_next && !all_subsets())) {
                continue;
            }
            row_end end = as_next ? next[i][row.subset] : end_of(leaves, &count);
            if (next != NULL) {
                next[i][row.subset] = end;
            }
            count_row(end, refused_anyway);
        }
    }
}

/* From each call on; the last first. */
static void try_each_call(bool refused_anyway, row_end nothing_denied, unsigned one_in)
{
    static row_end next[LENGTH(answers)][DROP_SETS];

    for (unsigned i = 0; i < LENGTH(answers); i++) {
        for (unsigned subset = 0; subset < DROP_SETS; subset++) {
            next[i][subset] = nothing_denied;
        }
    }
    for (row.stage = shared->noted - 1; row.stage >= 0; row.stage--) {
        try_subsets(next, refused_anyway, one_in);
    }
}

static void try_operation(void)
{
    row.stage = MAX_CALLS;
    row.subset = 0;
    noting = true;
    const enum outcome outcome = in_child();
    noting = false;
    shared->noted = shared->calls;
    if (outcome != OK && outcome != REFUSED) {
        totals->outcomes[outcome == NO_SETUP ? NO_SETUP - OK : FAILED - OK]++;
        print_row(&row, "with nothing denied");
        return;
    }
    const bool refused = outcome == REFUSED, drop = row.operation == DROP;
    totals->refused_anyway += refused;
    row.stage = FROM_START;
    try_subsets(NULL, refused, drop ? 2048 : 512);
    if (!drop && !refused) {
        row.stage = BETWEEN;
        try_subsets(NULL, false, 512);
    }
    if (!drop) {
        row.stage = BEFORE_GATE;
        try_subsets(NULL, refused, 2048);
    }
    try_each_call(refused, outcome, drop ? 1 << 17 : 1 << 14);
}

/* In a child of the worker: what all rows have in common is done once. */
static int operation_in_child(void)
{
    const struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    switch_set_hooks(&hooks);
    signal(SIGABRT, on_abort);
    if (row.mode == BY_ITSELF && !become_who()) {
        print_row(&row, "not prepared");
        return 1;
    }
    try_operation();
    fflush(stdout);
    return shared->full ? 1 : 0;
}

/* ---- the proofs ------------------------------------------------------------------------------ */

static enum outcome prove(const struct question *question)
{
    const unsigned threads = question->first.mode == BY_ANOTHER ? 2 : 1;
    enum outcome outcome = WRONG_ABORT;

    for (unsigned i = 0; i < threads; i++) {
        enum way way = way_back_search(&question->now[i], &question->before[i], question->denied);
        if (way == WAY_NONE) {
            return ABORTED;
        }
        outcome = way == WAY_UNKNOWN ? UNPROVED : outcome;
    }
    return outcome;
}

static void print_view(const struct thread_view *view)
{
    printf("  uid %u/%u/%u/%u gid %u/%u/%u/%u eff %llx prm %llx inh %llx amb %llx bits %x, %u "
           "groups, nnp %u\n",
           view->uid[0], view->uid[1], view->uid[2], view->uid[3], view->gid[0], view->gid[1],
           view->gid[2], view->gid[3], (unsigned long long)view->effective,
           (unsigned long long)view->permitted, (unsigned long long)view->inheritable,
           (unsigned long long)view->ambient, view->securebits, view->group_count,
           view->no_new_privs);
}

static void prove_all(void)
{
    for (unsigned i = 0; i < QUESTIONS && shared->question_count > 0; i++) {
        const struct question *question = &shared->questions[i];
        if (question->key == 0) {
            continue;
        }
        enum outcome outcome = prove(question);
        totals->proofs++;
        totals->outcomes[outcome - OK] += question->rows;
        if (outcome != ABORTED) {
            print_row(&question->first, outcome_names[outcome - OK]);
            for (unsigned j = 0; j < (question->first.mode == BY_ANOTHER ? 2U : 1U); j++) {
                print_view(&question->now[j]);
                print_view(&question->before[j]);
            }
        }
    }
    if (shared->question_count > 0) {
        memset(shared->questions, 0, sizeof(shared->questions));
        shared->question_count = 0;
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void work_operation(void)
{
    int status = 0;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        _exit(operation_in_child());
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        totals->outcomes[FAILED - OK]++;
        print_row(&row, "the rows of this operation came to no end");
    }
    prove_all();
}

static int work(void *context)
{
    unsigned states = 0, made = 0;

    (void)context;
    if (row.world != 0) {
        (void)syscall(SYS_setresgid, 0, 0, 0);
        (void)syscall(SYS_setresuid, 0, 0, 0);
    }
    if (!way_back_begin()) {
        return 1;
    }
    for (row.operation = 0; row.operation < LENGTH(operation_names); row.operation++) {
        /* Of one id there is no other to adopt. */
        if (!has_one_id() || row.operation != ADOPT_FS) {
            work_operation();
        }
    }
    way_back_count(&states, &made);
    totals->states += states;
    totals->calls += made;
    return 0;
}

static int work_in_world(int (*body)(void *))
{
    const struct userns *userns = &worlds[row.world].userns;

    return row.world == 0 ? body(NULL) : userns_run(userns, body, NULL);
}

/* A job is one who of one world in one mode. False when there are no more. */
static bool job_is(unsigned job)
{
    for (row.world = 0; row.world < LENGTH(worlds); row.world++) {
        if (job < 2 * worlds[row.world].who_count) {
            row.who = job / 2;
            row.mode = job % 2;
            return true;
        }
        job -= 2 * worlds[row.world].who_count;
    }
    return false;
}

static unsigned last_job = UINT32_MAX;

static void take_jobs(void)
{
    for (;;) {
        unsigned job = totals->next_job++;
        if (job > last_job || !job_is(job)) {
            return;
        }
        int status = work_in_world(work);
        if (status == USERNS_CANNOT) {
            printf("skip: %s%s: none can be had here\n", who_of(&row)->name,
                   worlds[row.world].name);
        } else if (status != 0) {
            totals->outcomes[FAILED - OK]++;
        }
        if (full) {
            printf("done: %u %s%s%s; %u runs\n", job, who_of(&row)->name, worlds[row.world].name,
                   mode_names[row.mode], totals->runs);
        }
        fflush(stdout);
    }
}

static int one_row(void *context)
{
    (void)context;
    if (row.world != 0) {
        (void)syscall(SYS_setresgid, 0, 0, 0);
        (void)syscall(SYS_setresuid, 0, 0, 0);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        switch_set_hooks(&hooks);
        signal(SIGABRT, on_abort);
        if (row.mode == BY_ITSELF && !become_who()) {
            _exit(1);
        }
        count_row(run_for_end(), false);
        fflush(stdout);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
    if (way_back_begin()) {
        prove_all();
    }
    return 0;
}

static void *share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

static void work_with_two(void)
{
    pid_t second = fork();

    if (second == 0) {
        shared = share(sizeof(*shared)); /* its own */
        take_jobs();
        _exit(0);
    }
    take_jobs();
    if (second < 0 || waitpid(second, NULL, 0) != second) {
        totals->outcomes[FAILED - OK]++;
    }
}

static int report(void)
{
    unsigned rows = 0, good = 0;

    for (unsigned i = 0; i < OUTCOMES; i++) {
        rows += totals->outcomes[i];
        good += is_good((enum outcome)(i + OK)) ? totals->outcomes[i] : 0;
    }
    printf("%u rows in %u runs:\n", rows, totals->runs);
    for (unsigned i = 0; i < OUTCOMES; i++) {
        printf("%10u %s\n", totals->outcomes[i], outcome_names[i]);
    }
    printf("%u operations are refused with nothing denied; of them are %u of the rows\n",
           totals->refused_anyway, totals->rows_of_refused);
    printf("%u aborts that differ, proved by %u calls in %u states\n", totals->proofs,
           totals->calls, totals->states);
    unsigned failed = rows - good + totals->differing;
    printf("%u passed, %u failed\n", good, failed);
    return failed == 0 ? 0 : 1;
}

int main(void)
{
    const char *one = getenv("ROW"), *jobs = getenv("JOBS");
    unsigned first_job = 0;

    full = getenv("FULL") != NULL;
    emulated = getenv("EMULATED") != NULL;
    quick = emulated ? 32 : getenv("QUICK") != NULL ? 8 : 1;
    if (geteuid() != 0) {
        printf("skip: denied calls: needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    totals = share(sizeof(*totals));
    shared = share(sizeof(*shared));
    if (jobs != NULL && sscanf(jobs, "%u %u", &first_job, &last_job) == 2) {
        totals->next_job = first_job;
    }
    if (one != NULL && sscanf(one, "%u %u %u %u %d %u %d", &row.world, &row.who, &row.mode,
                              &row.operation, &row.stage, &row.subset, &row.answer) == 7) {
        (void)work_in_world(one_row);
    } else {
        work_with_two();
    }
    return report();
}
