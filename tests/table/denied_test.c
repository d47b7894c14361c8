/* SPDX-License-Identifier: MIT */
/*
 * Filters (seccomp(2)) that take from a thread any subset of the calls that a switch, a way back
 * and a drop make: refused with EPERM or ENOSYS, or answered with 0 and not done; from the start,
 * from between the switch and the way back, or from the nth call of the library on.
 *
 * The answer must be OK, or an error with the thread unchanged: the file of the kernel
 * (/proc/PID/task/TID/status) and the securebits are the same before and after. An abort is right
 * only where nothing else was left. That is proved in the handler of SIGABRT, on the thread as it
 * is then and under its filter: what only one call can change differs and that call is denied, or a
 * search by real calls in forked children, which knows nothing of the library, finds no way. And
 * the observer, which writes the record, must have been told before.
 *
 * FULL=1 tries all subsets; else one in some, and what is listed by name below.
 */
#include "identity/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
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
#include "support/real_kernel.h"
#include "support/userns.h"
#include "switch/switch.h"

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))
#define CAP(NAME)     ((uint64_t)1 << CAP_##NAME)

enum { SOMEBODY = 12345, SERVICE = 1000 };

/* ---- what is denied ------------------------------------------------------------------------ */

enum denied {
    SETGROUPS = 1,
    SETRESGID = 2,
    SETRESUID = 4,
    SETFSUID = 8,
    SETFSGID = 16,
    CAPSET = 32,
    KEEPCAPS = 64,
    SECUREBITS = 128,
    AMBIENT = 256,
    BOUNDING = 512,
    NO_NEW_PRIVS = 1024,
    SWITCH_SETS = 512,
    DROP_SETS = 2048,
};

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
static bool deny(unsigned subset, int answer)
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
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
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

enum operation { SWITCH, SCOPE, HOME, ROOT, ADOPT, ADOPT_ROOT, DROP };
static const char *const operation_names[] = {"switch", "scope",         "home", "switch to root",
                                              "adopt",  "adopt as root", "drop"};

enum { FROM_START = -1, BETWEEN = -2, BEFORE_GATE = -3 }; /* or the number of a call */

enum outcome { OK = 10, REFUSED, ABORTED, FAILED, NO_SETUP, UNTOLD, WRONG_ABORT, UNPROVED };
static const char *const outcome_names[] = {
    "OK",
    "refused",
    "aborted rightly",
    "not as asked, or changed",
    "not prepared",
    "aborted untold",
    "aborted though there was a way",
    "aborted, and the search was too long",
};

static struct row {
    enum operation operation;
    int stage;
    unsigned subset;
    int answer;
} row;

enum { TEXT = 1024, VISITED = 1 << 15, MEMO = 1 << 14 };

/* Shared with the children. */
static struct shared {
    int calls;
    bool told, found, full;
    time_t deadline;
    unsigned visited_count;
    uint64_t visited[VISITED];
    struct {
        uint64_t key;
        enum outcome outcome;
    } memo[MEMO];
} * shared;

static bool counting;

static void count_call(void)
{
    if (counting && shared->calls++ == row.stage) {
        counting = false;
        if (!deny(row.subset, row.answer)) {
            _exit(NO_SETUP);
        }
    }
}

/* The library's table of calls, with a count. */
#define CALL(name, parameters, ...)                                                                \
    static long call_##name parameters                                                             \
    {                                                                                              \
        count_call();                                                                              \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }
typedef struct __user_cap_header_struct cap_header;
typedef struct __user_cap_data_struct cap_data;
CALL(setresuid, (uid_t a, uid_t b, uid_t c), a, b, c)
CALL(setresgid, (gid_t a, gid_t b, gid_t c), a, b, c)
CALL(setgroups, (size_t size, const gid_t *list), size, list)
CALL(setfsuid, (uid_t id), id)
CALL(setfsgid, (gid_t id), id)
CALL(capset, (cap_header * header, const cap_data *data), header, data)
CALL(prctl, (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d),
     option, a, b, c, d)
#define PASS(type, name, parameters, ...)                                                          \
    static type pass_##name parameters                                                             \
    {                                                                                              \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }
PASS(long, getresuid, (uid_t * a, uid_t *b, uid_t *c), a, b, c)
PASS(long, getresgid, (gid_t * a, gid_t *b, gid_t *c), a, b, c)
PASS(long, getgroups, (int size, gid_t *list), size, list)
PASS(long, capget, (cap_header * header, cap_data *data), header, data)
PASS(long, open, (const char *path, int flags), path, flags)
PASS(long, read, (int fd, void *buffer, size_t size), fd, buffer, size)
PASS(long, close, (int fd), fd)
PASS(long, readlink, (const char *path, char *buffer, size_t size), path, buffer, size)
PASS(long, gettid, (void))
PASS(long, getpid, (void))
PASS(long, session_keyring, (void))
PASS(long, seccomp, (unsigned operation, unsigned flags, void *arguments), operation, flags,
     arguments)
PASS(long, stray, (unsigned long wrong_bits), wrong_bits)

const struct identity_kernel identity_kernel = {
    .getresuid = pass_getresuid,
    .getresgid = pass_getresgid,
    .getgroups = pass_getgroups,
    .capget = pass_capget,
    .open = pass_open,
    .read = pass_read,
    .close = pass_close,
    .readlink = pass_readlink,
    .gettid = pass_gettid,
    .getpid = pass_getpid,
    .session_keyring = pass_session_keyring,
    .setfsuid = call_setfsuid,
    .setfsgid = call_setfsgid,
    .prctl = call_prctl,
    .setresuid = call_setresuid,
    .setresgid = call_setresgid,
    .setgroups = call_setgroups,
    .capset = call_capset,
    .seccomp = pass_seccomp,
    .stray = pass_stray,
};

/* ---- what the kernel says of the thread ---------------------------------------------------- */

struct view {
    unsigned uid[4], gid[4];
    unsigned long long inheritable, permitted, effective, bounding, ambient;
    int no_new_privs, securebits;
    char groups[512];
};

static bool line_of(const char *status, const char *name, const char *format, void *value)
{
    const char *line = strstr(status, name);
    return line != NULL && sscanf(line + strlen(name), format, value) == 1;
}

static bool ids_of(const char *status, const char *name, unsigned id[4])
{
    const char *line = strstr(status, name);
    return line != NULL &&
           sscanf(line + strlen(name), "%u %u %u %u", &id[0], &id[1], &id[2], &id[3]) == 4;
}

static struct view view_now(void)
{
    char path[64], status[4096];
    struct view view;

    memset(&view, 0, sizeof(view));
    snprintf(path, sizeof(path), "/proc/self/task/%ld/status", syscall(SYS_gettid));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
    close(fd);
    if (length <= 0) {
        _exit(NO_SETUP);
    }
    status[length] = '\0';
    if (!ids_of(status, "\nUid:", view.uid) || !ids_of(status, "\nGid:", view.gid) ||
        !line_of(status, "\nCapInh:", "%llx", &view.inheritable) ||
        !line_of(status, "\nCapPrm:", "%llx", &view.permitted) ||
        !line_of(status, "\nCapEff:", "%llx", &view.effective) ||
        !line_of(status, "\nCapBnd:", "%llx", &view.bounding) ||
        !line_of(status, "\nCapAmb:", "%llx", &view.ambient) ||
        !line_of(status, "\nNoNewPrivs:", "%d", &view.no_new_privs)) {
        _exit(NO_SETUP);
    }
    (void)line_of(status, "\nGroups:\t", "%511[^\n]", view.groups);
    view.securebits = prctl(PR_GET_SECUREBITS);
    return view;
}

static bool same(const struct view *a, const struct view *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- whether there was a way --------------------------------------------------------------- */

static struct view before;
static gid_t before_groups[64];
static int before_group_count;

static uint64_t hash(const void *memory, size_t size, uint64_t seed)
{
    const unsigned char *bytes = memory;
    uint64_t value = seed ^ 14695981039346656037U;
    for (size_t i = 0; i < size; i++) {
        value = (value ^ bytes[i]) * 1099511628211U;
    }
    return value == 0 ? 1 : value;
}

/* Without capset(2) the effective set is only emptied, filled, or changed in what follows the file
 * system uid. */
static bool effective_lost(const struct view *now, unsigned subset)
{
    const uint64_t fs = CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(DAC_READ_SEARCH) | CAP(FOWNER) |
                        CAP(FSETID) | CAP(LINUX_IMMUTABLE) | CAP(MAC_OVERRIDE) | CAP(MKNOD);
    const uint64_t wanted = before.effective & ~fs, all = now->permitted & ~fs;

    if (wanted == 0 || wanted == all) {
        return false;
    }
    /* It must last as it is. Passing uid 0 empties or fills it unless SECBIT_NO_SETUID_FIXUP can be
     * set first. */
    bool fixup = (now->securebits & SECBIT_NO_SETUID_FIXUP) == 0 &&
                 ((now->effective & CAP(SETPCAP)) == 0 || (subset & SECUREBITS) != 0);
    bool gid_is_gone = before.gid[0] != now->gid[0] && before.gid[0] != now->gid[1] &&
                       before.gid[0] != now->gid[2] && (now->effective & CAP(SETGID)) == 0;
    return wanted != (now->effective & ~fs) || gid_is_gone ||
           (fixup && (now->uid[1] == 0) != (before.uid[1] == 0));
}

/* To leave uid 0 altogether empties the ambient set; the permitted one, too, unless the bit is set
 * that keeps it; and the effective one when the effective uid leaves 0. */
static bool root_holds(const struct view *now, unsigned subset)
{
    const bool root = now->uid[0] == 0 || now->uid[1] == 0 || now->uid[2] == 0,
               wanted = before.uid[0] == 0 || before.uid[1] == 0 || before.uid[2] == 0,
               bits = (subset & SECUREBITS) != 0 || (now->permitted & CAP(SETPCAP)) == 0;

    return root && !wanted && bits && (now->securebits & SECBIT_NO_SETUID_FIXUP) == 0 &&
           (((subset & KEEPCAPS) != 0 && (now->securebits & SECBIT_KEEP_CAPS) == 0) ||
            ((subset & AMBIENT) != 0 && before.ambient != 0) ||
            ((subset & CAPSET) != 0 && now->uid[1] == 0 &&
             (before.effective & (CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP) | CAP(KILL))) != 0));
}

/* What only denied calls can change differs, or what no call at all brings back. */
static bool plainly_lost(const struct view *now, unsigned subset)
{
    const size_t three = 3 * sizeof(unsigned);
    bool no_groups = (subset & SETGROUPS) != 0, no_gids = (subset & SETRESGID) != 0,
         no_uids = (subset & SETRESUID) != 0;

    return (no_groups && strcmp(now->groups, before.groups) != 0) ||
           (no_gids && memcmp(now->gid, before.gid, three) != 0) ||
           (no_uids && memcmp(now->uid, before.uid, three) != 0) ||
           (no_gids && (subset & SETFSGID) != 0 && now->gid[3] != before.gid[3]) ||
           (no_uids && (subset & SETFSUID) != 0 && now->uid[3] != before.uid[3]) ||
           ((subset & SETFSUID) != 0 && now->uid[3] != before.uid[3] &&
            before.uid[3] != before.uid[1]) ||
           ((subset & SETFSGID) != 0 && now->gid[3] != before.gid[3] &&
            before.gid[3] != before.gid[1]) ||
           ((subset & CAPSET) != 0 && now->inheritable != before.inheritable) ||
           ((subset & AMBIENT) != 0 && (before.ambient & ~now->ambient) != 0) ||
           ((subset & CAPSET) != 0 && effective_lost(now, subset)) || root_holds(now, subset) ||
           (before.permitted & ~now->permitted) != 0 || (before.bounding & ~now->bounding) != 0 ||
           now->no_new_privs != before.no_new_privs ||
           (now->securebits & ~before.securebits & SECURE_ALL_LOCKS) != 0;
}

static void raw_capset(uint64_t effective, uint64_t inheritable)
{
    struct view now = view_now();
    cap_header header = {_LINUX_CAPABILITY_VERSION_3, 0};
    cap_data data[2] = {{(uint32_t)effective, (uint32_t)now.permitted, (uint32_t)inheritable},
                        {(uint32_t)(effective >> 32), (uint32_t)(now.permitted >> 32),
                         (uint32_t)(inheritable >> 32)}};
    (void)syscall(SYS_capset, &header, data);
}

static void raw_ambient(bool raise)
{
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        if ((before.ambient >> i & 1) == (raise ? 1U : 0U)) {
            (void)prctl(PR_CAP_AMBIENT, raise ? PR_CAP_AMBIENT_RAISE : PR_CAP_AMBIENT_LOWER, i, 0,
                        0);
        }
    }
}

/* Real, effective and saved: left, as before, 0 or another. */
static unsigned uid_choice(const unsigned wanted, unsigned choice)
{
    const unsigned ids[] = {UINT32_MAX, wanted, 0, 77};
    return ids[choice];
}

enum { UID_MOVES = 64, BRUTE_MOVES = UID_MOVES + 16 };

static void brute_move(unsigned move)
{
    const struct view now = view_now();

    if (move < UID_MOVES) {
        if ((move & 3) == 3 || (move >> 4 & 3) == 3) {
            return; /* another one is tried as the effective uid */
        }
        (void)syscall(SYS_setresuid, uid_choice(before.uid[0], move & 3),
                      uid_choice(before.uid[1], move >> 2 & 3),
                      uid_choice(before.uid[2], move >> 4 & 3));
        return;
    }
    const unsigned bits = (unsigned)now.securebits;
    switch (move - UID_MOVES) {
    case 0:
        (void)syscall(SYS_setresgid, before.gid[0], before.gid[1], before.gid[2]);
        return;
    case 1:
        (void)syscall(SYS_setgroups, before_group_count, before_groups);
        return;
    case 2:
        (void)syscall(SYS_setfsgid, before.gid[3]);
        return;
    case 3:
        (void)syscall(SYS_setfsuid, before.uid[3]);
        return;
    case 4:
        (void)syscall(SYS_setfsuid, 0);
        return;
    case 5:
        raw_capset(now.permitted, now.inheritable);
        return;
    case 6:
        raw_capset(now.permitted, before.inheritable);
        return;
    case 7:
        raw_capset(before.effective, before.inheritable);
        return;
    case 8:
    case 9:
        (void)prctl(PR_SET_KEEPCAPS, move & 1, 0, 0, 0);
        return;
    case 10:
        (void)prctl(PR_SET_SECUREBITS, before.securebits, 0, 0, 0);
        return;
    case 11:
        (void)prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
        return;
    case 12:
        (void)prctl(PR_SET_SECUREBITS, bits | SECBIT_KEEP_CAPS, 0, 0, 0);
        return;
    case 13:
    case 14:
        raw_ambient(move % 2 == 1);
        return;
    default:
        (void)syscall(SYS_setfsuid, 77);
    }
}

/* True when it is new. */
static bool visit(const struct view *now)
{
    uint64_t key = hash(now, sizeof(*now), 0);
    for (unsigned at = key % VISITED;; at = (at + 1) % VISITED) {
        if (shared->visited[at] == key) {
            return false;
        }
        if (shared->visited[at] == 0) {
            shared->full = ++shared->visited_count > 400 || time(NULL) > shared->deadline;
            shared->visited[at] = key;
            return !shared->full;
        }
    }
}

/* Each call is made in a child that goes on from there. */
static void explore(void)
{
    const struct view now = view_now();

    if (same(&now, &before)) {
        shared->found = true;
    }
    if (shared->found || plainly_lost(&now, row.subset) || !visit(&now)) {
        return;
    }
    for (unsigned move = 0; move < BRUTE_MOVES && !shared->found && !shared->full; move++) {
        long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (child == 0) {
            brute_move(move);
            explore();
            _exit(0);
        }
        (void)waitpid((pid_t)child, NULL, 0);
    }
}

static enum outcome search(const struct view *now)
{
    uint64_t key = hash(now, sizeof(*now), hash(&before, sizeof(before), row.subset));
    unsigned at = key % MEMO;

    while (shared->memo[at].key != 0 && shared->memo[at].key != key) {
        at = (at + 1) % MEMO;
    }
    if (shared->memo[at].key == 0) {
        memset(shared->visited, 0, sizeof(shared->visited));
        shared->visited_count = 0;
        shared->deadline = time(NULL) + 5;
        shared->found = shared->full = false;
        explore();
        shared->memo[at].outcome = shared->found ? WRONG_ABORT : shared->full ? UNPROVED : ABORTED;
        shared->memo[at].key = key;
    }
    return shared->memo[at].outcome;
}

static void on_abort(int signal)
{
    (void)signal;
    counting = false;
    const struct view now = view_now();
    enum outcome outcome = plainly_lost(&now, row.subset) ? ABORTED : search(&now);
    if (outcome != ABORTED && getenv("VERBOSE") != NULL) {
        printf("%s: uid %u/%u/%u/%u eff %llx prm %llx inh %llx amb %llx bits %x, groups %s\n",
               outcome_names[outcome - OK], now.uid[0], now.uid[1], now.uid[2], now.uid[3],
               now.effective, now.permitted, now.inheritable, now.ambient, (unsigned)now.securebits,
               now.groups);
        fflush(stdout);
    }
    _exit((int)(outcome == ABORTED && !shared->told ? UNTOLD : outcome));
}

static void observe(const struct switch_note *note)
{
    shared->told = shared->told || note->status != MIGUARD_OK;
}

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

static bool as_mixed(void)
{
    const gid_t groups[] = {3, 5, 7};
    const struct view now = view_now();

    return caps(now.effective, now.permitted, CAP(KILL)) &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0 &&
           syscall(SYS_setgroups, 3, groups) == 0 && syscall(SYS_setresgid, 21, 22, 23) == 0 &&
           syscall(SYS_setresuid, 11, 0, 13) == 0 && syscall(SYS_setfsgid, 24) >= 0 &&
           syscall(SYS_setfsuid, 14) >= 0;
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

static const struct who {
    const char *name;
    bool (*become)(void);
} everybody[] = {
    {"root", as_root},
    {"root, mixed, ambient", as_mixed},
    {"root with a fsuid", as_fsuid},
    {"root, partly effective", as_partly_effective},
    {"service with ambient", as_service},
    {"service with ambient and setpcap", as_service_with_setpcap},
    {"service, partly effective", as_quiet_service},
    {"setuid alone", as_setuid_only},
    {"setgid alone", as_setgid_only},
};

/* ---- what it does -------------------------------------------------------------------------- */

static struct miguard_target *target;
static struct miguard_identity adopted;
static bool gids_only, uids_only;

/* A single capability switches what it can. */
static bool make_target(void)
{
    const gid_t groups[] = {100, 101};
    uid_t uid = row.operation == ROOT || row.operation == ADOPT_ROOT ? 0
                : gids_only                                          ? SERVICE
                                                                     : SOMEBODY;
    gid_t gid = uids_only ? SERVICE : SOMEBODY;
    const struct miguard_groups choice = {uids_only ? MIGUARD_GROUPS_KEEP : MIGUARD_GROUPS_LIST,
                                          uids_only ? NULL : groups, uids_only ? 0 : 2, NULL};

    if (miguard_target_ids(uid, gid, &choice, &target, NULL) != MIGUARD_OK ||
        identity_capture(&adopted, NULL) != MIGUARD_OK) {
        return false;
    }
    for (int i = 0; i < IDENTITY_IDS; i++) {
        adopted.uid[i] = uid;
        adopted.gid[i] = gid;
    }
    return true;
}

static void between(void)
{
    if (row.stage == BETWEEN && !deny(row.subset, row.answer)) {
        _exit(NO_SETUP);
    }
}

static bool is_there(void)
{
    const struct view now = view_now();
    return now.uid[1] == adopted.uid[1] && now.uid[3] == adopted.uid[1] &&
           now.gid[1] == adopted.gid[1] && now.gid[3] == adopted.gid[1];
}

static enum miguard_status in_scope(void)
{
    enum miguard_status status = MIGUARD_OK;
    struct miguard_scope scope = miguard_scope_enter(target, &status, NULL);
    if (status == MIGUARD_OK) {
        between();
        status = is_there() ? MIGUARD_OK : MIGUARD_TORN;
    }
    miguard_scope_leave(&scope);
    return status;
}

static enum miguard_status there_and_back(void)
{
    struct switch_frame frame;
    bool adopts = row.operation == ADOPT || row.operation == ADOPT_ROOT;
    enum miguard_status status =
        adopts ? switch_adopt(&adopted, &frame, NULL) : miguard_switch_to(target, NULL);

    if (status != MIGUARD_OK) {
        return status;
    }
    if (!is_there()) {
        return MIGUARD_TORN;
    }
    if (row.operation == HOME) {
        (void)!miguard_switch_to(target, NULL);
    }
    between();
    if (adopts) {
        switch_restore(&frame);
        return MIGUARD_OK;
    }
    if (row.operation == HOME) {
        (void)miguard_switch_home(0);
        return MIGUARD_OK;
    }
    return miguard_switch_back(NULL);
}

static bool is_dropped(void)
{
    const struct view now = view_now();
    for (int i = 0; i < 4; i++) {
        if (now.uid[i] != adopted.uid[0] || now.gid[i] != adopted.gid[0]) {
            return false;
        }
    }
    return now.permitted == 0 && now.effective == 0 && now.inheritable == 0 && now.ambient == 0 &&
           now.bounding == 0 && now.no_new_privs == 1 &&
           (now.securebits & SECURE_ALL_LOCKS) == SECURE_ALL_LOCKS;
}

static enum miguard_status operate(void)
{
    return row.operation == DROP    ? miguard_drop(target, NULL)
           : row.operation == SCOPE ? in_scope()
                                    : there_and_back();
}

static bool prepare(const struct who *who)
{
    const struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    gids_only = who->become == as_setgid_only;
    uids_only = who->become == as_setuid_only;
    switch_observe(observe);
    signal(SIGABRT, on_abort);
    /* Without CAP_SYS_ADMIN, which a switched thread does not have, a filter needs it. */
    if (!who->become() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !make_target()) {
        return false;
    }
    before_group_count = (int)syscall(SYS_getgroups, LENGTH(before_groups), before_groups);
    before = view_now();
    return true;
}

static bool close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    options.scope = MIGUARD_GATE_THREAD;
    (void)!miguard_gate_close(&options, NULL); /* which may be refused */
    return true;
}

static int run_row(const struct who *who)
{
    if (!prepare(who)) {
        return NO_SETUP;
    }
    if ((row.stage == FROM_START || row.stage == BEFORE_GATE) && !deny(row.subset, row.answer)) {
        return NO_SETUP;
    }
    if (row.stage == BEFORE_GATE) {
        (void)close_gate();
        before = view_now();
    }
    counting = row.stage >= 0;
    enum miguard_status status = operate();
    counting = false;
    const struct view after = view_now();
    if (row.operation == DROP && status == MIGUARD_OK) {
        return is_dropped() ? OK : FAILED;
    }
    if (!same(&before, &after)) {
        return FAILED;
    }
    return status == MIGUARD_OK ? OK : REFUSED;
}

/* ---- all rows ------------------------------------------------------------------------------ */

static unsigned rows, outcomes[16], shown;
static const int answers[] = {EPERM, ENOSYS, 0};

static enum outcome in_child(const struct who *who)
{
    int status = 0;

    shared->calls = 0;
    shared->told = false;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        _exit(run_row(who));
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) < OK || WEXITSTATUS(status) > UNPROVED) {
        return FAILED;
    }
    return (enum outcome)WEXITSTATUS(status);
}

static bool is_good(enum outcome outcome)
{
    return outcome == OK || outcome == REFUSED || outcome == ABORTED;
}

static void try_row(const struct who *who, const char *where)
{
    enum outcome outcome = in_child(who);

    rows++;
    outcomes[outcome]++;
    if (!is_good(outcome) && shown++ < 40) {
        printf("%s%s, %s, stage %d, errno %d, without", who->name, where,
               operation_names[row.operation], row.stage, row.answer);
        print_subset(row.subset);
        printf(": %s\n", outcome_names[outcome - OK]);
    }
}

static bool full;

/* One in some; which ones differs from row to row. */
static bool is_chosen(unsigned subset, unsigned salt, unsigned one_in)
{
    return full || ((unsigned)__builtin_popcount(subset) == 1 && salt % 16 == 0) ||
           hash(&subset, sizeof(subset), salt) % one_in == 0;
}

static void try_subsets(const struct who *who, const char *where, unsigned salt, unsigned one_in)
{
    unsigned sets = row.operation == DROP ? DROP_SETS : SWITCH_SETS;

    for (unsigned i = 0; i < LENGTH(answers); i++) {
        for (row.subset = 1; row.subset < sets; row.subset++) {
            if (is_chosen(row.subset, salt + i, one_in)) {
                row.answer = answers[i];
                try_row(who, where);
            }
        }
    }
}

/* From the nth call on. Only few subsets: each call alone, and all but one. */
static void try_each_call(const struct who *who, const char *where, unsigned salt)
{
    unsigned all = (row.operation == DROP ? DROP_SETS : SWITCH_SETS) - 1;

    row.stage = 1 << 20;
    row.subset = 0;
    if (!is_good(in_child(who))) {
        return;
    }
    const int total = shared->calls;
    for (row.stage = 0; row.stage < total; row.stage++) {
        for (unsigned bit = 1; bit < all; bit <<= 1) {
            for (unsigned i = 0; i < 2 * LENGTH(answers); i++) {
                row.subset = i % 2 == 0 ? bit : all & ~bit;
                row.answer = answers[i / 2];
                unsigned where_now = bit * 64 + i + (unsigned)row.stage * 8192;
                if (full || hash(&where_now, sizeof(where_now), salt) % 4096 == 0) {
                    try_row(who, where);
                }
            }
        }
    }
}

static void try_everybody(const char *where)
{
    for (unsigned i = 0; i < LENGTH(everybody); i++) {
        for (unsigned operation = 0; operation < LENGTH(operation_names); operation++) {
            unsigned salt = i * 64 + operation;
            row.operation = (enum operation)operation;
            row.stage = FROM_START;
            row.subset = 0;
            enum outcome outcome = in_child(&everybody[i]);
            if (outcome != OK && outcome != REFUSED) {
                printf("%s%s, %s, nothing denied: %s\n", everybody[i].name, where,
                       operation_names[operation], outcome_names[outcome - OK]);
                outcomes[FAILED]++;
            }
            if (outcome != OK) {
                continue; /* this one may not do that anyway */
            }
            try_subsets(&everybody[i], where, salt, operation == DROP ? 1024 : 256);
            if (operation != DROP) {
                row.stage = BETWEEN;
                try_subsets(&everybody[i], where, salt + 1, 256);
                row.stage = BEFORE_GATE;
                try_subsets(&everybody[i], where, salt + 2, 512);
            }
            if (operation != SCOPE) {
                try_each_call(&everybody[i], where, salt);
            }
        }
    }
}

static int in_namespace(void *context)
{
    (void)context;
    (void)syscall(SYS_setresgid, 0, 0, 0);
    (void)syscall(SYS_setresuid, 0, 0, 0);
    rows = 0;
    memset(outcomes, 0, sizeof(outcomes));
    try_everybody(", in a user namespace");
    unsigned bad = rows - outcomes[OK] - outcomes[REFUSED] - outcomes[ABORTED] + outcomes[FAILED];
    printf("in a user namespace: %u rows: %u OK, %u refused, %u aborted with nothing left\n", rows,
           outcomes[OK], outcomes[REFUSED], outcomes[ABORTED]);
    fflush(stdout);
    return bad == 0 ? 0 : 1;
}

int main(void)
{
    const struct userns all_ids = {"0 0 65536", "0 0 65536", false};

    full = getenv("FULL") != NULL;
    if (geteuid() != 0) {
        printf("skip: denied calls: needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return 1;
    }
    try_everybody("");
    printf("%u rows: %u OK, %u refused, %u aborted with nothing left\n", rows, outcomes[OK],
           outcomes[REFUSED], outcomes[ABORTED]);
    int inside = userns_run(&all_ids, in_namespace, NULL);
    if (inside == USERNS_CANNOT) {
        printf("skip: user namespace: none can be had here\n");
    }
    unsigned good = outcomes[OK] + outcomes[REFUSED] + outcomes[ABORTED];
    unsigned failed = rows - good + (inside != 0 && inside != USERNS_CANNOT);
    printf("%u passed, %u failed\n", good, failed);
    return failed == 0 ? 0 : 1;
}
