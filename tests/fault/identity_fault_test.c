/* SPDX-License-Identifier: MIT */
/*
 * Every system call of a capture and of a check fails in turn, lies, or sees the identity change
 * under it. What must come out: a refusal, or the truth; never a part of the one and a part of the
 * other (invariants 1 and 4).
 *
 * This file defines the table of kernel calls in place of src/identity/kernel.c. The calls are the
 * real ones, except where `world` says otherwise, so that label, groups, capabilities and
 * namespace can be had on any machine and without root.
 */
#include "identity/kernel.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity/identity.h"
#include "identity/read.h"
#include "identity/witness.h"
#include "support/always_interrupted.h"
#include "support/real_kernel.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define BIT(NAME)     ((miguard_components)MIGUARD_COMPONENT_##NAME)
#define ALL           ((miguard_components)MIGUARD_COMPONENTS_ALL)

/* ---- the world that the calls show --------------------------------------------------- */

struct file {
    const char *path, *content;
};

enum { FILES = 8, MANY = 300 };

static struct {
    bool shown; /* false: the real thing */
    uid_t uid[IDENTITY_IDS];
    gid_t gid[IDENTITY_IDS];
    gid_t groups[MANY];
    int group_count;
    uint64_t effective, permitted, inheritable, ambient;
    const char *namespace;
    bool status; /* /proc/thread-self/status shows all this; else there is no such file */
    struct file files[FILES];
} world;

/* What a change from outside leaves behind: it strikes before call number `at`. */
static struct {
    int at;
    bool every_call; /* and again before each later one */
    void (*strike)(void);
} change;

/* ---- the faults ---------------------------------------------------------------------- */

struct site {
    const char *call, *path; /* path of open, read, close and readlink */
    int option;              /* of prctl */
    unsigned long argument;  /* of prctl, and the size for getgroups */
};

enum { MAX_CALLS = 1024 };

static struct site trace[MAX_CALLS];
static int calls;
static struct {
    int at;      /* number of the call, or -1 */
    bool sticky; /* all later calls of that site, too */
    bool wide;   /* and whatever their arguments are, also before it: as a sandbox does */
    long answer;
} fault;

static bool same_site(const struct site *a, const struct site *b)
{
    return strcmp(a->call, b->call) == 0 && a->option == b->option && a->argument == b->argument &&
           (a->path == b->path ||
            (a->path != NULL && b->path != NULL && !strcmp(a->path, b->path)));
}

static bool same_call(const struct site *a, const struct site *b)
{
    return strcmp(a->call, b->call) == 0 && a->option == b->option;
}

static struct site sandboxed; /* the call that a wide fault is for */

static bool intercept(struct site site, long *answer)
{
    int number = calls++;

    ck_assert_int_lt(number, MAX_CALLS);
    trace[number] = site;
    if (change.strike != NULL &&
        (number == change.at || (change.every_call && number > change.at))) {
        change.strike();
    }
    if (fault.wide && same_call(&site, &sandboxed)) {
        *answer = fault.answer;
        return true;
    }
    if (fault.at < 0 || number < fault.at ||
        (number > fault.at && !(fault.sticky && same_site(&site, &trace[fault.at])))) {
        return false;
    }
    *answer = fault.answer;
    return true;
}

static void start(int at, bool sticky, long answer)
{
    calls = 0;
    fault.at = at;
    fault.sticky = sticky;
    fault.answer = answer;
}

static void stop(void)
{
    fault.at = -1;
    fault.wide = false;
    change.strike = NULL;
}

/* ---- the calls ----------------------------------------------------------------------- */

static long call_getresuid(uid_t *ruid, uid_t *euid, uid_t *suid)
{
    long answer = 0;
    if (intercept((struct site){.call = "getresuid"}, &answer)) {
        return answer;
    }
    if (!world.shown) {
        return real_kernel.getresuid(ruid, euid, suid);
    }
    *ruid = world.uid[IDENTITY_R];
    *euid = world.uid[IDENTITY_E];
    *suid = world.uid[IDENTITY_S];
    return 0;
}

static long call_getresgid(gid_t *rgid, gid_t *egid, gid_t *sgid)
{
    long answer = 0;
    if (intercept((struct site){.call = "getresgid"}, &answer)) {
        return answer;
    }
    if (!world.shown) {
        return real_kernel.getresgid(rgid, egid, sgid);
    }
    *rgid = world.gid[IDENTITY_R];
    *egid = world.gid[IDENTITY_E];
    *sgid = world.gid[IDENTITY_S];
    return 0;
}

static long call_getgroups(int size, gid_t *list)
{
    long answer = 0;
    const struct site site = {.call = "getgroups", .argument = (unsigned long)size};
    if (intercept(site, &answer)) {
        return answer;
    }
    if (!world.shown) {
        return real_kernel.getgroups(size, list);
    }
    if (size < world.group_count) {
        return -EINVAL;
    }
    memcpy(list, world.groups, (size_t)world.group_count * sizeof(gid_t));
    return world.group_count;
}

static long call_capget(struct __user_cap_header_struct *header,
                        struct __user_cap_data_struct *data)
{
    long answer = 0;
    if (intercept((struct site){.call = "capget"}, &answer)) {
        return answer;
    }
    if (!world.shown) {
        return real_kernel.capget(header, data);
    }
    for (int i = 0; i < 2; i++) {
        data[i].effective = (uint32_t)(world.effective >> (32 * i));
        data[i].permitted = (uint32_t)(world.permitted >> (32 * i));
        data[i].inheritable = (uint32_t)(world.inheritable >> (32 * i));
    }
    return 0;
}

static const char *open_path, *open_content;

static const struct file *shown_file(const char *path)
{
    for (int i = 0; world.shown && i < FILES && world.files[i].path != NULL; i++) {
        if (strcmp(world.files[i].path, path) == 0) {
            return &world.files[i];
        }
    }
    return NULL;
}

#define STATUS_FILE "/proc/thread-self/status"

/* What the kernel would show of the world, under a filter: so all witnesses are called. */
static const struct file *write_status(void)
{
    static char text[16384];
    static const struct file file = {STATUS_FILE, text};
    const struct identity_kernel *real = &real_kernel;
    uint64_t bounding = 0;
    size_t length = 0;

    for (unsigned long i = 0; real->prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        bounding |= (uint64_t)real->prctl(PR_CAPBSET_READ, i, 0, 0, 0) << i;
    }
    length += (size_t)snprintf(text, sizeof(text),
                               "Name:\ta Uid: 7\nUid:\t%u\t%u\t%u\t%u\n"
                               "Gid:\t%u\t%u\t%u\t%u\nFDSize:\t64\nGroups:\t",
                               world.uid[0], world.uid[1], world.uid[2], world.uid[3], world.gid[0],
                               world.gid[1], world.gid[2], world.gid[3]);
    for (int i = 0; i < world.group_count; i++) { /* the last one twice */
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%u ", world.groups[i]);
    }
    snprintf(text + length, sizeof(text) - length,
             "%u \nCapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\n"
             "CapAmb:\t%016llx\nNoNewPrivs:\t%ld\nSeccomp:\t2\nCpus_allowed:\tff\n",
             world.groups[world.group_count - 1], (unsigned long long)world.inheritable,
             (unsigned long long)world.permitted, (unsigned long long)world.effective,
             (unsigned long long)bounding, (unsigned long long)world.ambient,
             real->prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    return &file;
}

static long call_open(const char *path, int flags)
{
    long answer = 0;
    if (intercept((struct site){.call = "open", .path = path}, &answer)) {
        return answer;
    }
    const struct file *file = shown_file(path);
    if (world.shown && world.status && strcmp(path, STATUS_FILE) == 0) {
        file = write_status();
    }
    open_path = path;
    open_content = file != NULL ? file->content : NULL;
    if (world.shown && file == NULL && strcmp(path, STATUS_FILE) == 0) {
        return -ENOENT;
    }
    return real_kernel.open(file != NULL ? "/dev/null" : path, flags);
}

static long call_read(int fd, void *buffer, size_t size)
{
    long answer = 0;
    if (intercept((struct site){.call = "read", .path = open_path}, &answer)) {
        return answer;
    }
    if (open_content == NULL) {
        return real_kernel.read(fd, buffer, size);
    }
    size_t length = strlen(open_content) < size ? strlen(open_content) : size;
    memcpy(buffer, open_content, length);
    open_content += length;
    return (long)length;
}

static long call_close(int fd)
{
    long answer = 0;
    real_kernel.close(fd); /* also when it says that it failed: Linux closes anyway */
    return intercept((struct site){.call = "close", .path = open_path}, &answer) ? answer : 0;
}

static long call_readlink(const char *path, char *buffer, size_t size)
{
    long answer = 0;
    if (intercept((struct site){.call = "readlink", .path = path}, &answer)) {
        return answer;
    }
    if (!world.shown || world.namespace == NULL || strstr(path, "/ns/user") == NULL) {
        return real_kernel.readlink(path, buffer, size);
    }
    memcpy(buffer, world.namespace, strlen(world.namespace));
    return (long)strlen(world.namespace);
}

static long call_gettid(void)
{
    long answer = 0;
    return intercept((struct site){.call = "gettid"}, &answer) ? answer : real_kernel.gettid();
}

static long call_getpid(void)
{
    long answer = 0;
    return intercept((struct site){.call = "getpid"}, &answer) ? answer : real_kernel.getpid();
}

static long call_session_keyring(void)
{
    return -ENOSYS;
}

static long call_setfsuid(uid_t fsuid)
{
    long answer = 0;
    if (intercept((struct site){.call = "setfsuid"}, &answer)) {
        return answer;
    }
    return world.shown ? (long)world.uid[IDENTITY_FS] : real_kernel.setfsuid(fsuid);
}

static long call_setfsgid(gid_t fsgid)
{
    long answer = 0;
    if (intercept((struct site){.call = "setfsgid"}, &answer)) {
        return answer;
    }
    return world.shown ? (long)world.gid[IDENTITY_FS] : real_kernel.setfsgid(fsgid);
}

static long call_prctl(int option, unsigned long a2, unsigned long a3, unsigned long a4,
                       unsigned long a5)
{
    long answer = 0;
    unsigned long argument = option == PR_CAP_AMBIENT ? a3 : a2;
    const struct site site = {.call = "prctl", .option = option, .argument = argument};
    if (intercept(site, &answer)) {
        return answer;
    }
    if (world.shown && option == PR_CAP_AMBIENT && a2 == PR_CAP_AMBIENT_IS_SET) {
        return a3 > 40 ? -EINVAL : (long)(world.ambient >> a3 & 1);
    }
    return real_kernel.prctl(option, a2, a3, a4, a5);
}

/* A look changes nothing: any of these is a mistake. */
static long call_setres(uid_t a, uid_t b, uid_t c)
{
    abort();
    return (long)(a + b + c);
}

static long call_setgroups(size_t size, const gid_t *list)
{
    abort();
    return (long)size + (list != NULL);
}

static long call_capset(struct __user_cap_header_struct *header,
                        const struct __user_cap_data_struct *data)
{
    abort();
    return header != NULL && data != NULL;
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
    .setresuid = call_setres,
    .setresgid = call_setres,
    .setgroups = call_setgroups,
    .capset = call_capset,
};

/* ---- scenes -------------------------------------------------------------------------- */

#define LABEL_FILE "/proc/thread-self/attr/current"
#define UID_MAP    "/proc/thread-self/uid_map"
#define GID_MAP    "/proc/thread-self/gid_map"

static void show(int groups, const char *namespace)
{
    memset(&world, 0, sizeof(world));
    world.shown = true;
    for (unsigned i = 0; i < IDENTITY_IDS; i++) {
        world.uid[i] = 1000 + i;
        world.gid[i] = 2000 + i;
    }
    world.group_count = groups;
    for (int i = 0; i < groups; i++) {
        world.groups[i] = (gid_t)(3000 + groups - i);
    }
    world.effective = 0x80;
    world.permitted = 0xC0;
    world.inheritable = 0x140;
    world.ambient = 0x100;
    world.namespace = namespace;
    world.status = true;
    world.files[0] = (struct file){LABEL_FILE, "unconfined_u:unconfined_r:provider_t:s0\n"};
}

static void scene_real(void)
{
    memset(&world, 0, sizeof(world));
}

static void scene_few_groups(void)
{
    show(3, "user:[4026531837]");
}

static void scene_many_groups(void)
{
    show(MANY, "user:[4026531837]");
}

static void scene_partial_map(void)
{
    show(3, "user:[4026532999]");
    world.files[1] = (struct file){UID_MAP, "      1000     100000         10\n"};
    world.files[2] = (struct file){GID_MAP, "      2000     100000       9000\n"};
}

static void scene_denied_groups(void)
{
    show(3, "user:[4026532999]");
    world.groups[0] = 65534;
    world.files[1] = (struct file){UID_MAP, "      1000     100000         10\n"};
    world.files[2] = (struct file){GID_MAP, "      2000     100000         10\n"};
    world.files[3] = (struct file){"/proc/thread-self/setgroups", "deny\n"};
}

static void scene_no_status(void)
{
    show(3, "user:[4026531837]");
    world.status = false;
}

static const struct {
    const char *what;
    void (*set)(void);
} scenes[] = {
    {"the real identity", scene_real},
    {"label, ambient set, three groups", scene_few_groups},
    {"300 groups", scene_many_groups},
    {"a namespace with a partial map", scene_partial_map},
    {"a namespace where groups are denied", scene_denied_groups},
    {"no status to be read", scene_no_status},
};

/* Any thread that ever was makes glibc say "not single-threaded" for good. */
static void *no_work(void *unused)
{
    return unused;
}

static void have_had_a_thread(void)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, no_work, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* The calls of a run in which none failed. */
static struct site sound[MAX_CALLS];
static int sound_calls;

/* What is shown, with all calls working. */
static struct miguard_identity *truth(void)
{
    struct miguard_identity *identity = NULL;
    struct miguard_error error;
    ck_assert_int_eq(miguard_identity_capture(&identity, NULL), MIGUARD_OK);
    miguard_identity_free(identity); /* from here on the thread knows whether it leads */
    start(-1, false, 0);
    ck_assert_msg(miguard_identity_capture(&identity, &error) == MIGUARD_OK, "%s", error.detail);
    memcpy(sound, trace, sizeof(sound));
    sound_calls = calls;
    return identity;
}

static const int errnos[] = {EPERM, EINVAL, EFAULT, ENOSYS, EACCES, ENOENT};

static const char *name_of(const struct site *site)
{
    static char text[256];
    snprintf(text, sizeof(text), "%s %s %d/%lu", site->call, site->path != NULL ? site->path : "",
             site->option, site->argument);
    return text;
}

static bool is(const struct site *site, const char *call, const char *path)
{
    return strcmp(site->call, call) == 0 &&
           (path == NULL || (site->path != NULL && strcmp(site->path, path) == 0));
}

/* One site asks for each capability: the first, one between and the last stand for all. */
static bool stands_for_others(const struct site *site)
{
    return (site->option != PR_CAPBSET_READ && site->option != PR_CAP_AMBIENT) ||
           site->argument == 0 || site->argument == CAP_KILL || site->argument >= CAP_LAST_CAP - 1;
}

static int errno_count(void)
{
    return getenv("QUICK") != NULL ? 2 : LENGTH(errnos);
}

/* Failures that leave nothing unread: the answer is had in another way, or is not needed. `before`
 * is the call before, or NULL. */
static bool is_harmless(const struct site *site, const struct site *before, int error)
{
    if (is(site, "close", NULL)) {
        return true; /* nothing was to be read */
    }
    if (is(site, "gettid", NULL) || is(site, "getpid", NULL)) {
        return true; /* taken for the leader, who reads more */
    }
    if (is(site, "getgroups", NULL)) { /* asked again with more room, once; or to be refused */
        return error == EINVAL && (site->argument == (unsigned long)-1 || before == NULL ||
                                   !is(before, "getgroups", NULL));
    }
    if (is(site, "open", STATUS_FILE) || is(site, "read", STATUS_FILE)) {
        return true; /* one witness less */
    }
    if (site->option == PR_SET_KEEPCAPS && site->argument == 0) {
        return true; /* what was turned is turned back at the second try */
    }
    if (site->option == PR_GET_SECCOMP) {
        return true; /* taken for a filter */
    }
    if ((site->option == PR_GET_NO_NEW_PRIVS && site->argument == 1) ||
        (site->option == PR_CAP_AMBIENT && site->argument == 64)) {
        return error == EINVAL; /* is to be refused */
    }
    return site->option == PR_CAPBSET_READ && site->argument > CAP_LAST_CAP && error == EINVAL;
}

/* By these the kernel says that no LSM keeps a label. Nobody can tell them from the truth; what
 * a capture takes for no label is no label. */
/* A witness that failed once is called again with the whole capture. */
static bool is_witness(const struct site *site, const struct site *before)
{
    return (is(site, "getgroups", NULL) && site->argument == (unsigned long)-1) ||
           (site->option == PR_GET_NO_NEW_PRIVS && site->argument == 1) ||
           (site->option == PR_CAP_AMBIENT && site->argument == 64) ||
           site->option == PR_GET_KEEPCAPS || site->option == PR_SET_KEEPCAPS ||
           (site->option == PR_GET_SECUREBITS && before->option == PR_SET_KEEPCAPS);
}

/* Would leave the thread changed, for which the process ends: a test of its own. */
static bool ends_process(const struct site *site)
{
    return site->option == PR_SET_KEEPCAPS && site->argument == 0;
}

static bool says_no_label(const struct site *site, int error)
{
    return (is(site, "read", LABEL_FILE) && error == EINVAL) ||
           (is(site, "open", LABEL_FILE) && error == ENOENT);
}

/* What is unread when a call fails. */
static const struct {
    const char *call;
    int option;
    miguard_components components;
} reads[] = {
    {"getresuid", 0, BIT(RUID) | BIT(EUID) | BIT(SUID)},
    {"getresgid", 0, BIT(RGID) | BIT(EGID) | BIT(SGID)},
    {"setfsuid", 0, BIT(FSUID)},
    {"setfsgid", 0, BIT(FSGID)},
    {"getgroups", 0, BIT(GROUPS)},
    {"capget", 0,
     BIT(CAP_EFFECTIVE) | BIT(CAP_PERMITTED) | BIT(CAP_INHERITABLE) | BIT(CAP_AMBIENT)},
    {"prctl", PR_CAP_AMBIENT, BIT(CAP_AMBIENT)},
    {"prctl", PR_CAPBSET_READ, BIT(CAP_BOUNDING)},
    {"prctl", PR_GET_SECUREBITS, BIT(SECUREBITS)},
    {"prctl", PR_GET_NO_NEW_PRIVS, BIT(NO_NEW_PRIVS)},
    {"prctl", PR_GET_KEEPCAPS, BIT(SECUREBITS)},
    {"readlink", 0, BIT(USER_NAMESPACE)},
    {"open", 0, BIT(LSM_LABEL)},
    {"read", 0, BIT(LSM_LABEL)},
};

static miguard_components read_by(const struct site *site)
{
    for (int i = 0; i < LENGTH(reads); i++) {
        if (strcmp(reads[i].call, site->call) == 0 && reads[i].option == site->option) {
            return reads[i].components;
        }
    }
    return 0;
}

/* ---- capture ------------------------------------------------------------------------- */

static void capture_with_fault(const struct miguard_identity *right, int at, bool sticky, int error)
{
    struct miguard_identity *seen = NULL;
    struct miguard_error told = {.status = MIGUARD_OK};
    const struct site site = sound[at];
    bool harmless = is_harmless(&site, at > 0 ? &sound[at - 1] : NULL, error) ||
                    (!sticky && at > 0 && is_witness(&site, &sound[at - 1]));

    start(at, sticky, -error);
    enum miguard_status status = miguard_identity_capture(&seen, &told);
    stop();
    if (status != MIGUARD_OK) {
        ck_assert_msg(status == MIGUARD_UNREADABLE || status == MIGUARD_TORN ||
                          status == MIGUARD_UNPROVABLE,
                      "%s", miguard_status_name(status));
        ck_assert_int_eq(told.status, status);
        ck_assert_ptr_null(seen);
        return;
    }
    miguard_components differing = miguard_identity_compare(right, seen);
    uint32_t last_cap = right->cap_count - 1;
    miguard_identity_free(seen);
    if (says_no_label(&site, error)) {
        ck_assert_uint_eq(differing & ~BIT(LSM_LABEL), 0);
        return;
    }
    /* A kernel that knows one capability fewer says just this. */
    if (sticky && site.option == PR_CAPBSET_READ && site.argument == last_cap && error == EINVAL) {
        return;
    }
    ck_assert_msg(harmless && differing == 0, "call %d, %s: %s, and the capture was OK (%#x)", at,
                  name_of(&site), strerrorname_np(error), differing);
}

START_TEST(capture_refuses_what_it_cannot_read)
{
    scenes[_i].set();
    for (int threads = 0; threads < 2; threads++) {
        struct miguard_identity *right = truth();
        ck_assert_int_gt(sound_calls, 50);
        for (int at = 0; at < sound_calls; at++) {
            for (int i = 0; i < errno_count() && stands_for_others(&sound[at]); i++) {
                capture_with_fault(right, at, false, errnos[i]);
                if (!ends_process(&sound[at])) {
                    capture_with_fault(right, at, true, errnos[i]);
                }
            }
        }
        miguard_identity_free(right);
        have_had_a_thread();
    }
}
END_TEST

/* Calls that give their answer through memory: "done" without anything done shows at once. */
static const struct {
    const char *call, *path;
} liars[] = {
    {"getresuid", NULL},  {"getresgid", NULL}, {"capget", NULL},  {"readlink", NULL},
    {"read", LABEL_FILE}, {"read", UID_MAP},   {"read", GID_MAP},
};

static bool answers_in_memory(const struct site *site)
{
    for (int i = 0; i < LENGTH(liars); i++) {
        if (is(site, liars[i].call, liars[i].path)) {
            return true;
        }
    }
    return false;
}

/* "Done" without anything done, as SECCOMP_RET_ERRNO with 0 answers, and other numbers that look
 * like the truth. What comes of it is the truth or a refusal. */
static const long lies[] = {0, 1, 3, 64, 1000, -EINVAL};

static void check_lie(const struct miguard_identity *right, const char *who)
{
    struct miguard_identity *seen = NULL;
    struct miguard_error told = {0};

    enum miguard_status status = miguard_identity_capture(&seen, &told);
    long lie = fault.answer;
    stop();
    if (status == MIGUARD_OK) {
        miguard_components differing = miguard_identity_compare(right, seen);
        ck_assert_msg(differing == 0, "%s answered %ld and was believed: %#x", who, lie, differing);
    } else {
        ck_assert_ptr_null(seen);
    }
    miguard_identity_free(seen);
}

/* By these the kernel tells of a file or a map, and by no others: not what is asked here. */
static bool is_told_otherwise(const struct site *site, long lie)
{
    return is(site, "open", NULL) || is(site, "close", NULL) || is(site, "gettid", NULL) ||
           is(site, "getpid", NULL) || (lie > 0 && is(site, "read", NULL)) ||
           (lie < 0 && says_no_label(site, (int)-lie)) || ends_process(site);
}

/* Nothing else tells of the fs ids. */
static bool only_status_knows(const struct site *site)
{
    return !world.status && strncmp(site->call, "setfs", 5) == 0;
}

START_TEST(capture_is_not_taken_in_by_false_answers)
{
    scenes[_i].set();
    unsigned tried = 0;
    struct miguard_identity *right = truth();
    for (int at = 0; at < sound_calls; at++) {
        for (int k = 0; k < 2 * LENGTH(lies) && stands_for_others(&sound[at]); k++) {
            if (!is_told_otherwise(&sound[at], lies[k / 2])) {
                start(at, k % 2 == 1, lies[k / 2]);
                check_lie(right, name_of(&sound[at]));
                tried++;
            }
        }
    }
    miguard_identity_free(right);
    ck_assert_uint_ge(tried, 100);
}
END_TEST

/* A sandbox answers every such call alike, whatever it asks, and may hide /proc as well. */
START_TEST(capture_is_not_taken_in_by_a_sandbox)
{
    scenes[_i].set();
    unsigned tried = 0;
    struct miguard_identity *right = truth();
    for (int at = 0; at < sound_calls; at++) {
        for (int k = 0; k < LENGTH(lies); k++) {
            if (is_told_otherwise(&sound[at], lies[k]) || is(&sound[at], "read", NULL) ||
                only_status_knows(&sound[at])) {
                continue;
            }
            start(-1, false, lies[k]);
            sandboxed = sound[at];
            fault.wide = true;
            check_lie(right, name_of(&sound[at]));
            tried++;
        }
    }
    miguard_identity_free(right);
    ck_assert_uint_ge(tried, 100);
}
END_TEST

/* Each thing that status shows, wrong by a little. */
static void spoil(struct miguard_identity *identity, unsigned component)
{
    if (component < IDENTITY_IDS) {
        identity->uid[component]++;
    } else if (component < 2 * IDENTITY_IDS) {
        identity->gid[component - IDENTITY_IDS]++;
    } else if (1u << component == BIT(GROUPS)) {
        identity->groups[identity->group_count - 1]++;
    } else if (1u << component == BIT(NO_NEW_PRIVS)) {
        identity->no_new_privs ^= 1;
    } else {
        identity->cap[component - 9] ^= 1 << 5; /* in the order of enum identity_cap */
    }
}

START_TEST(status_tells_each_component)
{
    scene_few_groups();
    struct miguard_identity *right = truth();
    ck_assert_uint_eq(witness_all(right, false), 0);
    for (unsigned i = 0; i < MIGUARD_COMPONENT_COUNT; i++) {
        struct miguard_identity wrong;
        if ((1u << i & (BIT(SECUREBITS) | BIT(USER_NAMESPACE) | BIT(LSM_LABEL))) != 0) {
            continue; /* not shown there */
        }
        ck_assert_int_eq(identity_copy(right, &wrong), MIGUARD_OK);
        spoil(&wrong, i);
        ck_assert_uint_eq(witness_all(&wrong, false), 1u << i);
        identity_release(&wrong);
    }
    struct miguard_identity fewer = *right;
    fewer.group_count--;
    ck_assert_uint_eq(witness_all(&fewer, false), BIT(GROUPS));
    miguard_identity_free(right);
}
END_TEST

/* Also where nobody thinks of a filter. */
START_TEST(keep_caps_must_agree)
{
    struct miguard_identity *seen = NULL;
    struct miguard_error told = {0};

    scene_real();
    miguard_identity_free(truth());
    sandboxed = (struct site){.call = "prctl", .option = PR_GET_KEEPCAPS};
    start(-1, false, 1);
    fault.wide = true;
    ck_assert_int_eq(miguard_identity_capture(&seen, &told), MIGUARD_UNREADABLE);
    stop();
    ck_assert_str_eq(told.detail, "securebits cannot be read");
}
END_TEST

/* For a record nothing is changed, not even for a moment. */
START_TEST(a_look_for_a_record_turns_nothing)
{
    struct miguard_identity seen;

    scenes[_i].set();
    miguard_identity_free(truth());
    start(-1, false, 0);
    ck_assert_int_eq(identity_capture_to_record(&seen), MIGUARD_OK);
    identity_release(&seen);
    ck_assert_int_gt(calls, 50);
    for (int at = 0; at < calls; at++) {
        ck_assert_int_ne(trace[at].option, PR_SET_KEEPCAPS);
    }
}
END_TEST

START_TEST(what_cannot_be_turned_back_ends_the_process)
{
    scene_few_groups();
    struct miguard_identity *right = truth();
    for (int at = 0; at < sound_calls; at++) {
        if (ends_process(&sound[at])) {
            struct miguard_identity *seen = NULL;
            start(at, true, -EPERM);
            (void)!miguard_identity_capture(&seen, NULL);
        }
    }
    miguard_identity_free(right);
}
END_TEST

/* A thread that status showed without a filter is not asked for it again, but for a filter. */
START_TEST(status_is_read_once_where_there_is_no_filter)
{
    int found = 0;

    scene_real();
    if (real_kernel.prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0) {
        return; /* this test runs in a sandbox of its own */
    }
    start(-1, false, 0);
    struct miguard_identity *right = NULL;
    ck_assert_int_eq(miguard_identity_capture(&right, NULL), MIGUARD_OK);
    for (int at = 0; at < calls; at++) {
        found += is(&trace[at], "open", STATUS_FILE);
    }
    ck_assert_int_eq(found, 1);
    miguard_identity_free(right);
    miguard_identity_free(truth());
    for (int at = 0; at < sound_calls; at++) {
        ck_assert(!is(&sound[at], "open", STATUS_FILE));
        if (sound[at].option == PR_GET_SECCOMP) {
            start(at, false, 2);
        }
    }
    ck_assert_int_eq(miguard_identity_capture(&right, NULL), MIGUARD_OK);
    found = 0;
    for (int at = 0; at < calls; at++) {
        found += is(&trace[at], "open", STATUS_FILE);
    }
    stop();
    ck_assert_int_eq(found, 1);
    miguard_identity_free(right);
}
END_TEST

/* What a reader finds where nothing was written is no id and no capability set. */
START_TEST(empty_answers_leave_nothing_behind)
{
    uint32_t ids[IDENTITY_IDS - 1] = {0, 0, 0};
    uint64_t caps[IDENTITY_CAP_SETS] = {0};

    scene_few_groups();
    start(0, false, 0);
    ck_assert(read_uids(ids));
    ck_assert(ids[0] == UINT32_MAX && ids[1] == UINT32_MAX && ids[2] == UINT32_MAX);
    memset(ids, 0, sizeof(ids));
    start(0, false, 0);
    ck_assert(read_gids(ids));
    ck_assert(ids[0] == UINT32_MAX && ids[1] == UINT32_MAX && ids[2] == UINT32_MAX);
    start(0, false, 0);
    ck_assert(!read_caps(caps));
    stop();
}
END_TEST

/* Each failed read is told by its component, not as a consequence further on. */
START_TEST(capture_names_what_it_cannot_read)
{
    scene_few_groups();
    struct miguard_identity *right = truth(), *seen = NULL;
    for (int at = 0; at < sound_calls; at++) {
        miguard_components components = read_by(&sound[at]);
        struct miguard_error told;
        struct text expected = TEXT_EMPTY;
        if (components == 0 || is_harmless(&sound[at], NULL, EPERM) ||
            (at > 0 && is_witness(&sound[at], &sound[at - 1]))) {
            continue;
        }
        start(at, false, -EPERM);
        ck_assert_int_eq(miguard_identity_capture(&seen, &told), MIGUARD_UNREADABLE);
        stop();
        text_format(&expected, "%s cannot be read",
                    miguard_component_name(components & (~components + 1)));
        ck_assert_msg(strcmp(told.detail, expected.data) == 0, "call %d, %s: %s", at,
                      name_of(&sound[at]), told.detail);
        text_release(&expected);
    }
    miguard_identity_free(right);
}
END_TEST

/* An errno of setfsuid(2) that looks like an id: the calls' results are what kernel.c makes of
 * EACCES, EINVAL and the like from a sandbox. /proc/thread-self/status tells them apart. */
START_TEST(errno_is_no_fs_id)
{
    static const int disguised[] = {EACCES, EINVAL, ENOMEM, EFAULT, 4095};

    scene_real();
    struct miguard_identity *right = truth(), *seen = NULL;
    for (int at = 0; at < sound_calls; at++) {
        if (!is(&sound[at], "setfsuid", NULL) && !is(&sound[at], "setfsgid", NULL)) {
            continue;
        }
        for (int i = 0; i < LENGTH(disguised); i++) {
            start(at, true, (long)(uid_t)-disguised[i]);
            ck_assert_int_ne(miguard_identity_capture(&seen, NULL), MIGUARD_OK);
            stop();
        }
    }
    miguard_identity_free(right);
}
END_TEST

/* Where a nobody's id stands in what the kernel reports. */
static void show_minus_one(int place)
{
    if (place < IDENTITY_IDS) {
        world.uid[place] = (uid_t)-1;
    } else if (place < 2 * IDENTITY_IDS) {
        world.gid[place - IDENTITY_IDS] = (gid_t)-1;
    } else {
        world.groups[1] = (gid_t)-1;
    }
}

START_TEST(capture_refuses_minus_one)
{
    struct miguard_identity *seen = NULL;

    scene_few_groups();
    struct miguard_identity *bound = truth();
    show_minus_one(_i);
    ck_assert_int_eq(miguard_identity_capture(&seen, NULL), MIGUARD_UNREADABLE);
    ck_assert_ptr_null(seen);
    ck_assert_uint_eq(identity_check(bound, ALL, NULL), (miguard_components)1 << _i);
    miguard_identity_free(bound);
}
END_TEST

/* The overflow id proves nothing where not every id is mapped, wherever it stands. */
static void show_overflow_id(int place)
{
    if (place < IDENTITY_IDS) {
        world.uid[place] = 65534;
    } else if (place < 2 * IDENTITY_IDS) {
        world.gid[place - IDENTITY_IDS] = 65534;
    } else {
        world.groups[1] = 65534;
    }
}

START_TEST(capture_refuses_the_overflow_id)
{
    struct miguard_identity *seen = NULL;
    struct miguard_error told;
    const char *name = miguard_component_name((miguard_components)1 << _i);

    scene_partial_map();
    show_overflow_id(_i);
    ck_assert_int_eq(miguard_identity_capture(&seen, &told), MIGUARD_UNPROVABLE);
    ck_assert_ptr_null(seen);
    ck_assert_int_eq(strncmp(told.detail, name, strlen(name)), 0);

    /* Where every id is mapped it is an id like any other. */
    scene_few_groups();
    show_overflow_id(_i);
    miguard_identity_free(truth());
    world.namespace = "user:[4026532999]";
    world.files[1] = (struct file){UID_MAP, "         0          0 4294967295\n"};
    world.files[2] = (struct file){GID_MAP, "         0          0 1000\n"
                                            "      1000       1000 4294966295\n"};
    miguard_identity_free(truth());
}
END_TEST

/* ---- check --------------------------------------------------------------------------- */

static void check_with_fault(const struct miguard_identity *bound, int at, int error)
{
    miguard_components unread = 0;
    const struct site site = trace[at], before = trace[at > 0 ? at - 1 : 0];
    bool harmless = is_harmless(&site, at > 0 ? &before : NULL, error);

    start(at, false, -error);
    miguard_components differing = identity_check(bound, ALL, &unread);
    stop();
    if (harmless) {
        ck_assert_uint_eq(differing, 0);
        ck_assert_uint_eq(unread, 0);
    } else if (says_no_label(&site, error)) {
        ck_assert_uint_eq(differing, BIT(LSM_LABEL));
    } else {
        ck_assert_msg(differing == read_by(&site) && unread == differing && differing != 0,
                      "call %d, %s: %s: differing %#x, unread %#x", at, name_of(&site),
                      strerrorname_np(error), differing, unread);
    }
}

START_TEST(check_refuses_what_it_cannot_read)
{
    if (_i == 0) {
        return; /* what reads the real label depends on the machine; the other scenes have one */
    }
    scenes[_i].set();
    for (int threads = 0; threads < 2; threads++) {
        struct miguard_identity *bound = truth();
        start(-1, false, 0);
        ck_assert_uint_eq(identity_check(bound, ALL, NULL), 0);
        int total = calls;
        ck_assert_int_gt(total, 50);
        for (int at = 0; at < total; at++) {
            for (int i = 0; i < errno_count(); i++) {
                start(-1, false, 0);
                ck_assert_uint_eq(identity_check(bound, ALL, NULL), 0);
                if (stands_for_others(&trace[at])) {
                    check_with_fault(bound, at, errnos[i]);
                }
            }
        }
        miguard_identity_free(bound);
        have_had_a_thread();
    }
}
END_TEST

/* Only one component is compared: its own reads still count, and only they are made. */
START_TEST(check_of_one_component_refuses_too)
{
    const miguard_components one = (miguard_components)1 << _i;

    scene_few_groups();
    struct miguard_identity *bound = truth();
    start(-1, false, 0);
    ck_assert_uint_eq(identity_check(bound, one, NULL), 0);
    int total = calls;
    ck_assert_int_gt(total, 0);
    for (int at = 0; at < total; at++) {
        miguard_components unread = 0;
        const struct site site = trace[at];
        if (is_harmless(&site, NULL, EPERM)) {
            continue;
        }
        ck_assert_msg((read_by(&site) & (one | BIT(CAP_AMBIENT))) != 0, "%s", name_of(&site));
        start(at, false, -EPERM);
        ck_assert_uint_eq(identity_check(bound, one, &unread), one);
        ck_assert_uint_eq(unread, one);
        start(-1, false, 0);
        ck_assert_uint_eq(identity_check(bound, one, NULL), 0);
    }
    stop();
    miguard_identity_free(bound);
}
END_TEST

START_TEST(check_is_not_taken_in_by_empty_answers)
{
    if (_i == 1) {
        have_had_a_thread();
    }
    scene_few_groups();
    struct miguard_identity *bound = truth();
    start(-1, false, 0);
    ck_assert_uint_eq(identity_check(bound, ALL, NULL), 0);
    int total = calls;
    for (int at = 0; at < total; at++) {
        const struct site site = trace[at];
        /* The end of a file is read as 0, and rightly so behind its content. */
        bool at_end = at > 0 && is(&site, "read", NULL) && is(&trace[at - 1], "read", NULL);
        if (answers_in_memory(&site) && !at_end) {
            start(at, false, 0);
            ck_assert_msg(identity_check(bound, ALL, NULL) != 0, "%s", name_of(&site));
        }
        start(-1, false, 0);
        ck_assert_uint_eq(identity_check(bound, ALL, NULL), 0);
    }
    stop();
    miguard_identity_free(bound);
}
END_TEST

/* ---- tears --------------------------------------------------------------------------- */

/* What glibc's setxid broadcast does to this thread. */
static void become_other(void)
{
    for (unsigned i = 0; i < IDENTITY_IDS; i++) {
        world.uid[i] = 5000 + i;
        world.gid[i] = 6000 + i;
    }
    world.groups[0] = 7000;
    world.effective = 0;
}

static void become_always_another(void)
{
    world.uid[IDENTITY_E]++;
}

static void become_another_group(void)
{
    world.groups[2]++;
}

/* Whenever the change comes, what is captured is one identity or the other. */
START_TEST(capture_is_one_identity_or_the_other)
{
    if (_i == 1) {
        have_had_a_thread();
    }
    scene_few_groups();
    struct miguard_identity *before = truth();
    int total = calls;
    become_other();
    struct miguard_identity *after = truth();
    unsigned old = 0, new = 0;

    ck_assert_uint_eq(miguard_identity_compare(before, after),
                      0x1FF | BIT(CAP_EFFECTIVE)); /* all ids and groups */
    for (int at = 0; at < total; at++) {
        struct miguard_identity *seen = NULL;
        scene_few_groups();
        start(-1, false, 0);
        change.at = at;
        change.every_call = false;
        change.strike = become_other;
        enum miguard_status status = miguard_identity_capture(&seen, NULL);
        stop();
        ck_assert_int_eq(status, MIGUARD_OK); /* there is a second try */
        bool is_old = miguard_identity_compare(before, seen) == 0;
        bool is_new = miguard_identity_compare(after, seen) == 0;
        ck_assert_msg(is_old || is_new, "torn by a change before call %d, %s", at,
                      name_of(&trace[at]));
        old += is_old;
        new += is_new;
        miguard_identity_free(seen);
    }
    ck_assert_uint_gt(new, (unsigned)total / 2);
    ck_assert_uint_lt(old, (unsigned)total / 2);
    miguard_identity_free(before);
    miguard_identity_free(after);
}
END_TEST

START_TEST(capture_gives_up_on_what_never_rests)
{
    static void (*const strikes[])(void) = {become_always_another, become_another_group};
    struct miguard_identity *seen = NULL;
    struct miguard_error error;

    scene_few_groups();
    start(-1, false, 0);
    change.at = 0;
    change.every_call = true;
    change.strike = strikes[_i];
    ck_assert_int_eq(miguard_identity_capture(&seen, &error), MIGUARD_TORN);
    ck_assert_int_eq(error.status, MIGUARD_TORN);
    ck_assert_ptr_null(seen);
    stop();
}
END_TEST

/* A match is told only when the change came after the last look at ids and groups. With one thread
 * that is a signal handler's. */
static void become_another_user(void)
{
    world.uid[IDENTITY_E] = world.uid[IDENTITY_FS] = 5001;
}

static void become_a_member_of_another_group(void)
{
    world.gid[IDENTITY_E] = world.gid[IDENTITY_FS] = 6001;
}

static const struct {
    void (*strike)(void);
    const char *last_look;
} strikes_while_looking[] = {
    {become_other, "getresuid"},
    {become_another_user, "getresuid"},
    {become_a_member_of_another_group, "getresgid"},
    {become_another_group, "getgroups"},
};

START_TEST(check_sees_a_change_while_it_looks)
{
    if (_i % 2 == 1) {
        have_had_a_thread();
    }
    scene_few_groups();
    struct miguard_identity *bound = truth();
    start(-1, false, 0);
    ck_assert_uint_eq(identity_check(bound, ALL, NULL), 0);
    int total = calls, last = total;
    do {
        last--;
    } while (!is(&trace[last], strikes_while_looking[_i / 2].last_look, NULL));
    ck_assert_int_gt(last, total / 2);
    for (int at = 0; at <= last; at++) {
        scene_few_groups();
        start(-1, false, 0);
        change.at = at;
        change.every_call = false;
        change.strike = strikes_while_looking[_i / 2].strike;
        ck_assert_msg(identity_check(bound, ALL, NULL) != 0, "a change before call %d, %s", at,
                      name_of(&trace[at]));
        stop();
    }
    miguard_identity_free(bound);
}
END_TEST

/* ---- who leads ----------------------------------------------------------------------- */

/* Only the leader can change its namespace, so only it looks; who does not know looks, too. */
static void *namespace_seen_by_worker(void *bound)
{
    return (void *)(uintptr_t)identity_check(bound, BIT(USER_NAMESPACE), NULL);
}

START_TEST(who_does_not_know_looks_at_the_namespace)
{
    scene_few_groups();
    struct miguard_identity *bound = truth();
    void *seen = NULL;
    pthread_t thread;

    world.namespace = "user:[4026532777]";
    ck_assert_uint_eq(identity_check(bound, BIT(USER_NAMESPACE), NULL), BIT(USER_NAMESPACE));
    for (int call = 0; call < 3; call++) { /* none, gettid, getpid fails in a fresh thread */
        start(call - 1, false, -EPERM);
        ck_assert_int_eq(pthread_create(&thread, NULL, namespace_seen_by_worker, bound), 0);
        ck_assert_int_eq(pthread_join(thread, &seen), 0);
        ck_assert_uint_eq((uintptr_t)seen, call == 0 ? 0 : BIT(USER_NAMESPACE));
        stop();
    }
    miguard_identity_free(bound);
}
END_TEST

/* A worker's forked child leads, though the worker knew of itself that it does not. The answer
 * comes through a pipe: valgrind has words of its own about the exit of such a child. */
static void *namespace_seen_by_a_workers_child(void *bound)
{
    miguard_components seen = 0;
    int pipes[2];

    if (identity_check(bound, BIT(USER_NAMESPACE), NULL) != 0 || pipe(pipes) != 0) {
        return NULL;
    }
    pid_t child = fork();
    if (child == 0) {
        seen = identity_check(bound, BIT(USER_NAMESPACE), NULL);
        (void)!write(pipes[1], &seen, sizeof(seen));
        _exit(0);
    }
    close(pipes[1]);
    (void)!read(pipes[0], &seen, sizeof(seen));
    close(pipes[0]);
    waitpid(child, NULL, 0);
    return (void *)(uintptr_t)seen;
}

START_TEST(forked_child_of_a_worker_leads)
{
    scene_few_groups();
    struct miguard_identity *bound = truth();
    void *seen = NULL;
    pthread_t thread;

    world.namespace = "user:[4026532777]";
    start(-1, false, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, namespace_seen_by_a_workers_child, bound), 0);
    ck_assert_int_eq(pthread_join(thread, &seen), 0);
    ck_assert_uint_eq((uintptr_t)seen, BIT(USER_NAMESPACE));
    miguard_identity_free(bound);
}
END_TEST

int main(void)
{
    fault.at = -1;
    Suite *suite = suite_create("identity faults");
    TCase *capture = tcase_create("capture");
    tcase_set_timeout(capture, 120);
    tcase_add_loop_test(capture, capture_refuses_what_it_cannot_read, 0, LENGTH(scenes));
    /* The last scene has no status: there a lie about one argument alone is not found out. */
    tcase_add_loop_test(capture, capture_is_not_taken_in_by_false_answers, 1, LENGTH(scenes) - 1);
    tcase_add_loop_test(capture, capture_is_not_taken_in_by_a_sandbox, 1, LENGTH(scenes));
    tcase_add_test(capture, status_tells_each_component);
    tcase_add_test(capture, keep_caps_must_agree);
    tcase_add_loop_test(capture, a_look_for_a_record_turns_nothing, 0, LENGTH(scenes));
    tcase_add_test_raise_signal(capture, what_cannot_be_turned_back_ends_the_process, SIGABRT);
    tcase_add_test(capture, status_is_read_once_where_there_is_no_filter);
    tcase_add_test(capture, empty_answers_leave_nothing_behind);
    tcase_add_test(capture, capture_names_what_it_cannot_read);
    tcase_add_test(capture, errno_is_no_fs_id);
    tcase_add_loop_test(capture, capture_refuses_the_overflow_id, 0, 2 * IDENTITY_IDS + 1);
    tcase_add_loop_test(capture, capture_refuses_minus_one, 0, 2 * IDENTITY_IDS + 1);
    suite_add_tcase(suite, capture);
    TCase *check = tcase_create("check");
    tcase_set_timeout(check, 120);
    tcase_add_loop_test(check, check_refuses_what_it_cannot_read, 0, LENGTH(scenes));
    tcase_add_loop_test(check, check_of_one_component_refuses_too, 0, MIGUARD_COMPONENT_COUNT);
    tcase_add_loop_test(check, check_is_not_taken_in_by_empty_answers, 0, 2);
    tcase_add_test(check, who_does_not_know_looks_at_the_namespace);
    tcase_add_test(check, forked_child_of_a_worker_leads);
    suite_add_tcase(suite, check);
    TCase *tears = tcase_create("tears");
    tcase_add_loop_test(tears, capture_is_one_identity_or_the_other, 0, 2);
    tcase_add_loop_test(tears, capture_gives_up_on_what_never_rests, 0, 2);
    tcase_add_loop_test(tears, check_sees_a_change_while_it_looks, 0,
                        2 * LENGTH(strikes_while_looking));
    suite_add_tcase(suite, tears);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
