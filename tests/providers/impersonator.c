/* SPDX-License-Identifier: MIT */
/*
 * Example provider: one that changes its identity, rightly and in every wrong way.
 *
 *     class MG_Impersonator {
 *         [Key] string Name; string Description; boolean MustBeRefused; string RefusedBy;
 *         [Static] uint32 Act([In] string Name, [In] string User,
 *             [Out] string Before, After, Call, [Out] uint32 Result, [Out] string ResultName,
 *             Message, [Out] boolean MustBeRefused, Refused, StillWorks,
 *             [Out] uint32 ServedAsUid, Reached);
 *         [Static] uint32 Stash();
 *     };
 *
 * The instances are the acts; Act performs one. An act takes the local session of its request under
 * one identity, changes the identity of its thread and uses the session to read a real file through
 * MG_File. The documentation of MI_Context_GetLocalSession says that this answers ACCESS_DENIED.
 *
 * Before and After are the identity of the thread when the session was taken and when it was used;
 * Refused says whether the call that is wrong was refused by whom it has to be (RefusedBy: the
 * guard of the session, the kernel, or MI.h itself, since a zeroed handle goes nowhere; empty if
 * nobody may); StillWorks is false when something that had to go on working, such as a right use of
 * the same session afterwards, did not; Reached counts the requests that a provider answered;
 * ServedAsUid is NULL when no file was read.
 *
 * The right acts become the user by the library's switch; the wrong ones do it by hand, as
 * providers did, with raw system calls only: glibc's setuid(2) family changes all threads of the
 * process, nptl(7), and this provider is a guest. What cannot be undone happens on a thread made
 * for it that ends with the act; what can be undone is, and is read back, before anything is
 * posted.
 */
#include <MI.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <miguard.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A name's code: first letter << 16 | last letter << 8 | length, letters in lower case (MI.h 4). */
#define LOWER(c) ((MI_Uint32)((c) >= 'A' && (c) <= 'Z' ? (c) - 'A' + 'a' : (c)))
#define CODE(name)                                                                                 \
    (LOWER((name)[0]) << 16 | LOWER((name)[sizeof(name) - 2]) << 8 | (MI_Uint32)(sizeof(name) - 1))
#define COUNT(array) ((MI_Uint32)(sizeof(array) / sizeof((array)[0])))

#define MAX_GROUPS 256
#define TEXT_SIZE  2560
#define KEEP_ID    ((uid_t)-1)
#define WAIT_MS    10000

/* ---- what this thread is ---------------------------------------------------------------- */

struct self {
    uid_t uid[4]; /* real, effective, saved, filesystem */
    gid_t gid[4];
    gid_t groups[MAX_GROUPS];
    int group_count, securebits;
    MI_Uint64 no_new_privs, effective, permitted, inheritable, ambient, bounding;
};

/* No padding, so that two of them can be compared as bytes. */
_Static_assert(sizeof(struct self) == (8 + MAX_GROUPS + 2) * 4 + 6 * 8, "struct self has padding");

/* The kernel looks at all five arguments of prctl(2), as unsigned long, also at unused ones. */
static int control(int option, unsigned long second, unsigned long third)
{
    return prctl(option, second, third, 0UL, 0UL);
}

static bool read_capabilities(struct self *self)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};

    if (syscall(SYS_capget, &header, data) < 0) {
        return false;
    }
    self->effective = data[0].effective | (MI_Uint64)data[1].effective << 32;
    self->permitted = data[0].permitted | (MI_Uint64)data[1].permitted << 32;
    self->inheritable = data[0].inheritable | (MI_Uint64)data[1].inheritable << 32;
    self->ambient = self->bounding = 0;
    for (unsigned cap = 0; cap < 64 && control(PR_CAPBSET_READ, cap, 0) >= 0; cap++) {
        self->bounding |= (MI_Uint64)(control(PR_CAPBSET_READ, cap, 0) == 1) << cap;
        self->ambient |= (MI_Uint64)(control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap) == 1)
                         << cap;
    }
    return true;
}

/* These readers concern the calling thread only, also in glibc's wrappers. */
static bool read_self(struct self *self)
{
    memset(self, 0, sizeof(*self));
    self->group_count = getgroups(MAX_GROUPS, self->groups);
    self->uid[3] = (uid_t)setfsuid(KEEP_ID);
    self->gid[3] = (gid_t)setfsgid(KEEP_ID);
    self->securebits = control(PR_GET_SECUREBITS, 0, 0);
    self->no_new_privs = control(PR_GET_NO_NEW_PRIVS, 0, 0) == 1;
    return self->group_count >= 0 && getresuid(&self->uid[0], &self->uid[1], &self->uid[2]) == 0 &&
           getresgid(&self->gid[0], &self->gid[1], &self->gid[2]) == 0 && read_capabilities(self);
}

static void describe(const struct self *self, char text[TEXT_SIZE])
{
    int length = snprintf(text, TEXT_SIZE, "uid %u/%u/%u/%u gid %u/%u/%u/%u groups ", self->uid[0],
                          self->uid[1], self->uid[2], self->uid[3], self->gid[0], self->gid[1],
                          self->gid[2], self->gid[3]);

    for (int i = 0; i < self->group_count && length < TEXT_SIZE - 160; i++) {
        length += snprintf(text + length, (size_t)(TEXT_SIZE - length), "%s%u", i > 0 ? "," : "",
                           self->groups[i]);
    }
    snprintf(text + length, (size_t)(TEXT_SIZE - length),
             "%s eff %llx prm %llx inh %llx amb %llx bnd %llx securebits %x nnp %llu",
             self->group_count == 0 ? "-" : "", self->effective, self->permitted, self->inheritable,
             self->ambient, self->bounding, (unsigned)self->securebits, self->no_new_privs);
}

/* ---- changing it, with raw system calls ------------------------------------------------- */

static bool set_uids(uid_t real, uid_t effective, uid_t saved)
{
    return syscall(SYS_setresuid, real, effective, saved) == 0;
}

static bool set_gids(gid_t real, gid_t effective, gid_t saved)
{
    return syscall(SYS_setresgid, real, effective, saved) == 0;
}

static bool set_groups(int count, const gid_t *groups)
{
    return syscall(SYS_setgroups, count, groups) == 0;
}

/* setfsuid(2) never fails: whether it did something is seen by asking again. */
static bool set_fsuid(uid_t uid)
{
    syscall(SYS_setfsuid, uid);
    errno = EPERM;
    return (uid_t)setfsuid(KEEP_ID) == uid;
}

static bool set_fsgid(gid_t gid)
{
    syscall(SYS_setfsgid, gid);
    errno = EPERM;
    return (gid_t)setfsgid(KEEP_ID) == gid;
}

static bool set_capabilities(MI_Uint64 effective, MI_Uint64 permitted, MI_Uint64 inheritable)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(__u32)effective, (__u32)permitted, (__u32)inheritable},
        {(__u32)(effective >> 32), (__u32)(permitted >> 32), (__u32)(inheritable >> 32)},
    };

    return syscall(SYS_capset, &header, data) == 0;
}

static bool set_ambient(MI_Uint64 ambient)
{
    bool done = control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0) == 0;

    for (unsigned cap = 0; cap < 64 && done; cap++) {
        done = (ambient >> cap & 1) == 0 || control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap) == 0;
    }
    return done;
}

/*
 * Makes the thread what it was. The uids come first: with them the capabilities return that the
 * rest needs, capabilities(7). A thread that cannot be restored must not go on as somebody else in
 * the host's name, so the process ends.
 */
static void restore(const struct self *to)
{
    struct self now;

    set_uids(to->uid[0], to->uid[1], to->uid[2]);
    set_capabilities(to->effective, to->permitted, to->inheritable);
    set_gids(to->gid[0], to->gid[1], to->gid[2]);
    if (read_self(&now) &&
        (now.group_count != to->group_count ||
         memcmp(now.groups, to->groups, sizeof(to->groups[0]) * (size_t)to->group_count) != 0)) {
        set_groups(to->group_count, to->groups);
    }
    set_fsgid(to->gid[3]);
    set_fsuid(to->uid[3]);
    if (now.securebits != to->securebits) {
        /* The first needs no privilege and may be all that is needed. */
        control(PR_SET_KEEPCAPS, (to->securebits & SECBIT_KEEP_CAPS) != 0, 0);
        control(PR_SET_SECUREBITS, (unsigned long)to->securebits, 0);
    }
    set_capabilities(to->effective, to->permitted, to->inheritable);
    if (now.ambient != to->ambient) {
        set_ambient(to->ambient);
    }
    if (!read_self(&now) || memcmp(&now, to, sizeof(now)) != 0) {
        abort();
    }
}

/* ---- a scene: what an act works with ---------------------------------------------------- */

struct act;

struct scene {
    MI_Context *context;
    const MI_Char *name_space;
    const struct act *act;
    uid_t uid; /* the other identity */
    gid_t gid;
    MI_Instance *file;        /* what is asked for: a file that only root may read, if we can */
    MI_Instance *public_file; /* one that everybody may read */
    const char *path;
    /* the outcome */
    struct self before_self;
    char before[TEXT_SIZE], after[TEXT_SIZE], call[128], message[256];
    MI_Result result;
    bool refused, still_works, skipped;
    bool lent;   /* a callback that never came may still use it: not to be freed */
    bool served; /* then served_as is whom the file was read as */
    MI_Uint32 served_as, reached;
};

/* Who has to refuse an act. */
#define GUARD  "guard"
#define KERNEL "kernel"
#define HEADER "MI.h"
#define NOBODY ""

/*
 * One act. `change` and `prepare` are for the ones that differ only in what they change between
 * taking and using the session. `final` means it cannot be undone: it is done on a thread of its
 * own.
 */
struct act {
    const char *name;
    const char *description;
    const char *refused_by;
    void (*play)(struct scene *scene);
    bool (*change)(const struct scene *scene);
    bool (*prepare)(const struct scene *scene);
    bool final;
};

static void skip(struct scene *scene, const char *why)
{
    scene->skipped = true;
    snprintf(scene->message, sizeof(scene->message), "skip: %s", why);
}

static void skip_errno(struct scene *scene, const char *step)
{
    char why[160], reason[100];
    const char *text = errno == EALREADY ? "the thread is that already"
                       : errno == EINVAL ? "this user namespace has no such id"
                                         : strerror_r(errno, reason, sizeof(reason));

    snprintf(why, sizeof(why), "%s: %s", step, text);
    skip(scene, why);
}

static void note_before(struct scene *scene)
{
    if (!read_self(&scene->before_self)) {
        abort(); /* without it the way back is not known */
    }
    describe(&scene->before_self, scene->before);
    memcpy(scene->after, scene->before, sizeof(scene->after));
}

static void note_after(struct scene *scene)
{
    struct self now;

    if (read_self(&now)) {
        describe(&now, scene->after);
    }
}

/* ---- asking ----------------------------------------------------------------------------- */

struct answer {
    MI_Result result;
    char message[200];
    bool data; /* an instance came */
    MI_Uint32 served_as;
};

static void take_instance(struct answer *answer, const MI_Instance *instance)
{
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = MI_FLAG_NULL;

    answer->data = true;
    if (MI_Instance_GetElement(instance, "ServedAsUid", &value, &type, &flags, NULL) ==
            MI_RESULT_OK &&
        type == MI_UINT32 && (flags & MI_FLAG_NULL) == 0) {
        answer->served_as = value.uint32;
    }
}

/* One fetch; false when there is no more to come. */
static bool fetch(MI_Operation *operation, struct answer *answer)
{
    const MI_Instance *instance = NULL;
    const MI_Char *message = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;
    MI_Result returned =
        MI_Operation_GetInstance(operation, &instance, &more, &result, &message, NULL);

    answer->result = returned != MI_RESULT_OK ? returned : result;
    if (returned != MI_RESULT_OK) {
        return false;
    }
    if (message != NULL) {
        snprintf(answer->message, sizeof(answer->message), "%s", message);
    }
    if (instance != NULL) {
        take_instance(answer, instance);
    }
    return more;
}

/* Asks for a file from beginning to end. */
static struct answer ask(struct scene *scene, MI_Session *session, const MI_Instance *file)
{
    struct answer answer = {.result = MI_RESULT_FAILED};
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_GetInstance(session, 0, NULL, scene->name_space, file, NULL, &operation);
    while (fetch(&operation, &answer)) {
        continue;
    }
    MI_Operation_Close(&operation);
    scene->reached += answer.data;
    return answer;
}

/*
 * The answer to the call that the act is about. A refusal counts if it comes from whom it must: a
 * request that reached MG_File and failed there was not stopped by the guard.
 */
static void conclude(struct scene *scene, const char *call, const struct answer *answer)
{
    bool by_kernel = strncmp(answer->message, "open ", strlen("open ")) == 0;
    bool kernels_turn = strcmp(scene->act->refused_by, KERNEL) == 0;

    snprintf(scene->call, sizeof(scene->call), "%s", call);
    snprintf(scene->message, sizeof(scene->message), "%s", answer->message);
    scene->result = answer->result;
    scene->refused = !answer->data && by_kernel == kernels_turn &&
                     (answer->result == MI_RESULT_ACCESS_DENIED ||
                      answer->result == MI_RESULT_INVALID_PARAMETER);
    scene->served = answer->data;
    scene->served_as = answer->served_as;
    scene->reached += by_kernel;
}

static void conclude_result(struct scene *scene, const char *call, MI_Result result)
{
    struct answer answer = {.result = result};

    conclude(scene, call, &answer);
}

static void conclude_get(struct scene *scene, const struct answer *answer)
{
    char call[100];

    snprintf(call, sizeof(call), "GetInstance %s", scene->path);
    conclude(scene, call, answer);
}

/* Something that had to be served besides, to the thread as it was when the session was taken. */
static void expect_served(struct scene *scene, const struct answer *answer)
{
    if (answer->result != MI_RESULT_OK || !answer->data ||
        answer->served_as != scene->before_self.uid[3]) {
        scene->still_works = false;
    }
}

static bool take_session(struct scene *scene, MI_Session *session)
{
    memset(session, 0, sizeof(*session));
    MI_Result result = MI_Context_GetLocalSession(scene->context, session);
    if (result == MI_RESULT_OK) {
        return true;
    }
    conclude_result(scene, "GetLocalSession", result);
    scene->still_works = false; /* every act has a right to the session itself */
    return false;
}

/* ---- becoming somebody else ------------------------------------------------------------- */

/* The K table of OMI's behaviour, and one id at a time. */
static bool change_all_uids(const struct scene *scene)
{
    return set_uids(scene->uid, scene->uid, scene->uid);
}

static bool change_all_ids(const struct scene *scene)
{
    return set_gids(scene->gid, scene->gid, scene->gid) && change_all_uids(scene);
}

static bool change_everything(const struct scene *scene)
{
    return set_groups(1, &scene->gid) && change_all_ids(scene);
}

static bool change_real_uid(const struct scene *scene)
{
    return set_uids(scene->uid, KEEP_ID, KEEP_ID);
}

static bool change_effective_uid(const struct scene *scene)
{
    return set_uids(KEEP_ID, scene->uid, KEEP_ID);
}

static bool change_saved_uid(const struct scene *scene)
{
    return set_uids(KEEP_ID, KEEP_ID, scene->uid);
}

static bool change_effective_ids(const struct scene *scene)
{
    return set_gids(KEEP_ID, scene->gid, KEEP_ID) && change_effective_uid(scene);
}

static bool change_fsuid(const struct scene *scene)
{
    return set_fsuid(scene->uid);
}

static bool change_fsgid(const struct scene *scene)
{
    return set_fsgid(scene->gid);
}

static bool change_gids(const struct scene *scene)
{
    return set_gids(scene->gid, scene->gid, scene->gid);
}

static bool change_real_gid(const struct scene *scene)
{
    return set_gids(scene->gid, KEEP_ID, KEEP_ID);
}

static bool change_effective_gid(const struct scene *scene)
{
    return set_gids(KEEP_ID, scene->gid, KEEP_ID);
}

static bool change_saved_gid(const struct scene *scene)
{
    return set_gids(KEEP_ID, KEEP_ID, scene->gid);
}

static bool change_groups(const struct scene *scene)
{
    return set_groups(1, &scene->gid);
}

/* A capability that this thread has and that no step here needs; -1 when there is none. */
static int spare_capability(const struct self *self)
{
    static const int candidates[] = {CAP_NET_RAW,     CAP_WAKE_ALARM, CAP_SYS_TIME, CAP_SYS_CHROOT,
                                     CAP_AUDIT_WRITE, CAP_MKNOD,      CAP_KILL};

    for (size_t i = 0; i < COUNT(candidates); i++) {
        if ((self->effective & self->permitted & self->bounding) >> candidates[i] & 1) {
            return candidates[i];
        }
    }
    return -1;
}

static MI_Uint64 spare_bit(const struct self *self)
{
    int cap = spare_capability(self);

    errno = EPERM; /* for the skip line when there is none */
    return cap < 0 ? 0 : (MI_Uint64)1 << cap;
}

static bool change_effective_cap(const struct scene *scene)
{
    struct self now;
    MI_Uint64 bit = read_self(&now) ? spare_bit(&now) : 0;

    (void)scene;
    return bit != 0 && set_capabilities(now.effective & ~bit, now.permitted, now.inheritable);
}

/* With the bit gone from the effective set beforehand, only the permitted set changes. */
static bool change_permitted_cap(const struct scene *scene)
{
    struct self now;
    MI_Uint64 bit = read_self(&now) ? now.permitted & ~now.effective : 0;

    (void)scene;
    errno = EPERM;
    return bit != 0 && set_capabilities(now.effective, now.permitted & ~bit, now.inheritable);
}

static bool change_inheritable_cap(const struct scene *scene)
{
    struct self now;
    MI_Uint64 bit = read_self(&now) ? spare_bit(&now) & ~now.inheritable : 0;

    (void)scene;
    return bit != 0 && set_capabilities(now.effective, now.permitted, now.inheritable | bit);
}

static bool prepare_ambient(const struct scene *scene)
{
    struct self now;

    (void)scene;
    return read_self(&now) &&
           set_capabilities(now.effective, now.permitted, now.inheritable | spare_bit(&now));
}

/* The inheritable bit is there beforehand, so only the ambient set changes. */
static bool change_ambient_cap(const struct scene *scene)
{
    struct self now;
    MI_Uint64 bit = read_self(&now) ? spare_bit(&now) & ~now.ambient : 0;

    (void)scene;
    return bit != 0 && set_ambient(now.ambient | bit);
}

static bool change_bounding_cap(const struct scene *scene)
{
    struct self now;
    int cap = read_self(&now) ? spare_capability(&now) : -1;

    (void)scene;
    errno = EPERM;
    return cap >= 0 && control(PR_CAPBSET_DROP, (unsigned long)cap, 0) == 0;
}

static bool change_securebits(const struct scene *scene)
{
    int bits = control(PR_GET_SECUREBITS, 0, 0);

    (void)scene;
    return bits >= 0 &&
           control(PR_SET_SECUREBITS, (unsigned long)bits ^ SECBIT_NO_CAP_AMBIENT_RAISE, 0) == 0;
}

static bool change_keep_caps(const struct scene *scene)
{
    (void)scene;
    return control(PR_SET_KEEPCAPS, 1, 0) == 0;
}

static bool change_no_new_privs(const struct scene *scene)
{
    (void)scene;
    errno = EALREADY;
    return control(PR_GET_NO_NEW_PRIVS, 0, 0) == 0 && control(PR_SET_NO_NEW_PRIVS, 1, 0) == 0;
}

/* Makes a change and looks whether it was one: a user may be who the thread is already. */
static bool really_change(const struct scene *scene, bool (*change)(const struct scene *))
{
    struct self before, after;

    if (!read_self(&before) || !change(scene) || !read_self(&after)) {
        return false;
    }
    errno = EALREADY;
    return memcmp(&before, &after, sizeof(before)) != 0;
}

/* Somebody else in a way that can be undone; a user namespace may have no other user, then at least
 * a capability differs. When neither can be had the thread is as it was. */
static bool differ(const struct scene *scene)
{
    struct self original;

    if (!read_self(&original)) {
        return false;
    }
    if (really_change(scene, change_effective_ids)) {
        return true;
    }
    restore(&original); /* the gid may have changed and the uid not */
    return really_change(scene, change_effective_cap);
}

/* ---- acts: right use -------------------------------------------------------------------- */

static void play_right(struct scene *scene)
{
    MI_Session session;

    note_before(scene);
    if (!take_session(scene, &session)) {
        return;
    }
    struct answer answer = ask(scene, &session, scene->file);
    conclude_get(scene, &answer);
}

/* The host has the library; without it this provider can be loaded all the same. */
#pragma weak miguard_context_client
#pragma weak miguard_target_ids
#pragma weak miguard_target_free
#pragma weak miguard_scope_enter
#pragma weak miguard_scope_leave

static void read_as_user(struct scene *scene, bool may_read)
{
    MI_Session session;

    note_before(scene);
    if (!take_session(scene, &session)) {
        return;
    }
    struct answer answer = ask(scene, &session, may_read ? scene->public_file : scene->file);
    scene->path = may_read ? "/etc/passwd" : scene->path;
    conclude_get(scene, &answer);
}

/* Frees the target. */
static void read_switched(struct scene *scene, struct miguard_target *target, bool may_read)
{
    struct miguard_error error = {.status = MIGUARD_OK};
    enum miguard_status status = MIGUARD_SYSTEM;

    MIGUARD_SWITCHED(target, &status, &error)
    {
        read_as_user(scene, may_read);
    }
    miguard_target_free(target);
    if (status != MIGUARD_OK) {
        errno = error.system_errno;
        skip_errno(scene, error.step);
    }
}

/*
 * Becomes the user first and takes the session afterwards: what a provider should do, and how. The
 * target is resolved beforehand; the block runs as the user or not at all, and however it is left
 * the thread comes back, verified.
 */
static void play_right_as_user(struct scene *scene, bool may_read)
{
    const struct miguard_groups groups = {MIGUARD_GROUPS_LIST, &scene->gid, 1, NULL};
    struct miguard_target *target = NULL;
    struct miguard_error error = {.status = MIGUARD_OK};

    note_before(scene);
    if (miguard_scope_enter == NULL) {
        skip(scene, "libmiguard is not in this process");
    } else if (miguard_target_ids(scene->uid, scene->gid, &groups, &target, &error) != MIGUARD_OK) {
        skip(scene, error.detail);
    } else {
        read_switched(scene, target, may_read);
    }
}

/* The same with the user from where a real provider should take it: who the host says that the
 * client is. User of Act is a parameter, which any client may fill in; it is there to be somebody
 * else in the wrong acts. */
static void play_client_reads(struct scene *scene)
{
    struct miguard_target *client = NULL;
    struct miguard_error error = {.status = MIGUARD_OK};

    note_before(scene);
    if (miguard_context_client == NULL) {
        skip(scene, "libmiguard is not in this process");
    } else if (miguard_context_client(scene->context, &client, &error) != MIGUARD_OK) {
        skip(scene, error.detail);
    } else {
        read_switched(scene, client, true);
    }
}

static void play_user_reads(struct scene *scene)
{
    play_right_as_user(scene, true);
}

static void play_user_is_refused(struct scene *scene)
{
    if (strcmp(scene->path, "/etc/shadow") != 0) {
        skip(scene, "this process may not read /etc/shadow itself");
        return;
    }
    play_right_as_user(scene, false);
}

static void play_come_back(struct scene *scene)
{
    MI_Session session;

    note_before(scene);
    if (!take_session(scene, &session)) {
        return;
    }
    if (!differ(scene)) {
        skip_errno(scene, "becoming another user");
        return;
    }
    restore(&scene->before_self);
    note_after(scene);
    struct answer answer = ask(scene, &session, scene->file);
    conclude_get(scene, &answer);
}

static void play_two_sessions(struct scene *scene)
{
    MI_Session own, other;

    note_before(scene);
    if (!take_session(scene, &own)) {
        return;
    }
    if (!differ(scene)) {
        skip_errno(scene, "becoming another user");
        return;
    }
    note_after(scene);
    bool taken = take_session(scene, &other);
    struct answer as_other = {.result = MI_RESULT_FAILED};
    if (taken) {
        as_other = ask(scene, &other, scene->public_file);
    }
    restore(&scene->before_self);
    if (!taken) {
        return;
    }
    struct answer as_own = ask(scene, &own, scene->file);
    expect_served(scene, &as_own);
    scene->path = "/etc/passwd";
    conclude_get(scene, &as_other);
}

/* ---- acts: another identity ------------------------------------------------------------- */

/* Takes, changes, uses. Afterwards, if the change can be undone, the session must work again. */
static void play_change(struct scene *scene)
{
    const struct act *act = scene->act;
    struct self original;
    MI_Session session;

    if (!read_self(&original)) {
        abort();
    }
    bool prepared = act->prepare == NULL || act->prepare(scene);
    int error = errno;
    note_before(scene);
    bool taken = prepared && take_session(scene, &session);
    bool changed = taken && really_change(scene, act->change);
    if (changed) {
        note_after(scene);
        struct answer answer = ask(scene, &session, scene->file);
        conclude_get(scene, &answer);
    } else if (!prepared || taken) {
        errno = prepared ? errno : error;
        skip_errno(scene, "the change");
    }
    if (act->final) {
        return; /* the thread ends with the act */
    }
    restore(&scene->before_self);
    if (changed) {
        struct answer again = ask(scene, &session, scene->file);
        expect_served(scene, &again);
    }
    restore(&original);
}

/* The other way round: a session of somebody else, used as oneself. */
static void play_foreign_session(struct scene *scene)
{
    MI_Session session;
    struct self original;

    note_before(scene);
    original = scene->before_self;
    if (!differ(scene)) {
        skip_errno(scene, "becoming another user");
        return;
    }
    note_before(scene);
    bool taken = take_session(scene, &session);
    restore(&original);
    if (!taken) {
        return;
    }
    note_after(scene);
    struct answer answer = ask(scene, &session, scene->file);
    conclude_get(scene, &answer);
}

struct guest {
    struct scene *scene;
    MI_Session session;
};

static void *play_on_other_thread(void *argument)
{
    struct guest *guest = argument;

    /* A new thread begins with its creator's credentials, clone(2). It ends as somebody else. */
    if (!really_change(guest->scene, change_everything) && !differ(guest->scene)) {
        skip_errno(guest->scene, "becoming another user");
        return NULL;
    }
    note_after(guest->scene);
    struct answer answer = ask(guest->scene, &guest->session, guest->scene->file);
    conclude_get(guest->scene, &answer);
    return NULL;
}

static void play_other_thread(struct scene *scene)
{
    struct guest guest = {.scene = scene};
    pthread_t thread;

    note_before(scene);
    if (!take_session(scene, &guest.session)) {
        return;
    }
    errno = pthread_create(&thread, NULL, play_on_other_thread, &guest);
    if (errno != 0) {
        skip_errno(scene, "pthread_create");
        return;
    }
    pthread_join(thread, NULL);
}

/* ---- acts: in the middle of an operation ------------------------------------------------ */

/*
 * Starts an operation rightly, makes one call on it as somebody else, and finishes it rightly: the
 * refused call must have consumed nothing.
 */
static void play_mid_operation(struct scene *scene, const char *call,
                               struct answer (*wrong)(MI_Session *, MI_Operation *))
{
    MI_Session session;
    MI_Operation operation = MI_OPERATION_NULL;
    struct answer answer = {.result = MI_RESULT_FAILED};

    note_before(scene);
    if (!take_session(scene, &session)) {
        return;
    }
    MI_Session_GetInstance(&session, 0, NULL, scene->name_space, scene->file, NULL, &operation);
    bool changed = differ(scene);
    if (changed) {
        note_after(scene);
        struct answer wrongly = wrong(&session, &operation);
        conclude(scene, call, &wrongly);
        restore(&scene->before_self);
    } else {
        skip_errno(scene, "becoming another user");
    }
    while (fetch(&operation, &answer)) {
        continue;
    }
    scene->reached += answer.data;
    expect_served(scene, &answer);
    if (MI_Operation_Close(&operation) != MI_RESULT_OK) {
        scene->still_works = false;
    }
}

static struct answer wrong_get(MI_Session *session, MI_Operation *operation)
{
    struct answer answer = {.result = MI_RESULT_FAILED};

    (void)session;
    fetch(operation, &answer);
    return answer;
}

static struct answer wrong_cancel(MI_Session *session, MI_Operation *operation)
{
    (void)session;
    return (struct answer){.result = MI_Operation_Cancel(operation, MI_REASON_NONE)};
}

static struct answer wrong_close(MI_Session *session, MI_Operation *operation)
{
    (void)session;
    return (struct answer){.result = MI_Operation_Close(operation)};
}

static struct answer wrong_get_session(MI_Session *session, MI_Operation *operation)
{
    MI_Session copy = MI_SESSION_NULL;

    (void)session;
    return (struct answer){.result = MI_Operation_GetSession(operation, &copy)};
}

static struct answer wrong_get_application(MI_Session *session, MI_Operation *operation)
{
    MI_Application application = MI_APPLICATION_NULL;

    (void)operation;
    return (struct answer){.result = MI_Session_GetApplication(session, &application)};
}

static void play_get(struct scene *scene)
{
    play_mid_operation(scene, "Operation_GetInstance", wrong_get);
}

static void play_cancel(struct scene *scene)
{
    play_mid_operation(scene, "Operation_Cancel", wrong_cancel);
}

static void play_close(struct scene *scene)
{
    play_mid_operation(scene, "Operation_Close", wrong_close);
}

static void play_get_session(struct scene *scene)
{
    play_mid_operation(scene, "Operation_GetSession", wrong_get_session);
}

static void play_get_application(struct scene *scene)
{
    play_mid_operation(scene, "Session_GetApplication", wrong_get_application);
}

/* ---- acts: in a callback ---------------------------------------------------------------- */

enum deed { DEED_NONE, DEED_CLOSE, DEED_START, DEED_ACKNOWLEDGE };

/* Lives on the heap: if the final callback never comes, nobody may take it away. */
struct listener {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct scene *scene;
    MI_Session session;
    enum deed deed;
    bool misused, finished;
    MI_Result closed;
    struct answer wrong, answer;
};

/* On the host's thread: become somebody else, do the deed, and be oneself again. */
static void misuse(struct listener *listener, MI_Operation *operation,
                   MI_Result (*acknowledge)(MI_Operation *))
{
    struct scene *scene = listener->scene;
    struct self here;

    if (!read_self(&here) || !differ(scene)) {
        skip_errno(scene, "becoming another user");
        return;
    }
    note_after(scene);
    switch (listener->deed) {
    case DEED_CLOSE:
        listener->wrong.result = MI_Operation_Close(operation);
        break;
    case DEED_ACKNOWLEDGE:
        listener->wrong.result = acknowledge == NULL ? MI_RESULT_FAILED : acknowledge(operation);
        break;
    default:
        listener->wrong = ask(scene, &listener->session, scene->file);
        break;
    }
    restore(&here);
}

static void on_result(MI_Operation *operation, void *argument, const MI_Instance *instance,
                      MI_Boolean more, MI_Result result, const MI_Char *error,
                      const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    struct listener *listener = argument;

    (void)details;
    if (instance != NULL) {
        take_instance(&listener->answer, instance);
    }
    if (!listener->misused && listener->deed != DEED_NONE) {
        listener->misused = true;
        misuse(listener, operation, acknowledge);
    }
    if (acknowledge != NULL) {
        MI_Result acknowledged = acknowledge(operation);
        listener->scene->still_works &= acknowledged == MI_RESULT_OK;
    }
    if (more) {
        return;
    }
    listener->answer.result = result;
    snprintf(listener->answer.message, sizeof(listener->answer.message), "%s",
             error == NULL ? "" : error);
    listener->closed = MI_Operation_Close(operation);
    pthread_mutex_lock(&listener->mutex);
    listener->finished = true;
    pthread_cond_signal(&listener->changed);
    pthread_mutex_unlock(&listener->mutex);
}

static bool wait_for_end(struct listener *listener)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    pthread_mutex_lock(&listener->mutex);
    while (!listener->finished && error == 0) {
        error = pthread_cond_timedwait(&listener->changed, &listener->mutex, &until);
    }
    bool finished = listener->finished;
    pthread_mutex_unlock(&listener->mutex);
    return finished;
}

static void play_callback(struct scene *scene, enum deed deed, const char *call)
{
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    struct listener *listener = calloc(1, sizeof(*listener));

    note_before(scene);
    if (listener == NULL || !take_session(scene, &listener->session)) {
        free(listener);
        return;
    }
    pthread_mutex_init(&listener->mutex, NULL);
    pthread_cond_init(&listener->changed, NULL);
    listener->scene = scene;
    listener->deed = deed;
    callbacks.callbackContext = listener;
    callbacks.instanceResult = on_result;
    MI_Session_GetInstance(&listener->session,
                           deed == DEED_ACKNOWLEDGE ? MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS : 0,
                           NULL, scene->name_space, scene->file, &callbacks, &operation);
    if (!wait_for_end(listener)) {
        scene->lent = true;
        conclude_result(scene, "the final callback never came", MI_RESULT_FAILED);
        scene->still_works = false;
        return;
    }
    scene->reached += listener->answer.data;
    expect_served(scene, &listener->answer);
    scene->still_works &= listener->closed == MI_RESULT_OK;
    if (deed == DEED_NONE) {
        conclude(scene, call, &listener->answer);
    } else if (!scene->skipped) {
        conclude(scene, call, &listener->wrong);
    }
    pthread_cond_destroy(&listener->changed);
    pthread_mutex_destroy(&listener->mutex);
    free(listener);
}

static void play_callback_right(struct scene *scene)
{
    play_callback(scene, DEED_NONE, "GetInstance, in a callback");
}

static void play_callback_close(struct scene *scene)
{
    play_callback(scene, DEED_CLOSE, "Operation_Close in a callback");
}

static void play_callback_start(struct scene *scene)
{
    play_callback(scene, DEED_START, "GetInstance from a callback");
}

static void play_callback_acknowledge(struct scene *scene)
{
    play_callback(scene, DEED_ACKNOWLEDGE, "resultAcknowledgement");
}

/* ---- acts: handles that are not what they were ------------------------------------------ */

/* Where Stash leaves the session of its own request, which ends with it. */
static pthread_mutex_t stash_mutex = PTHREAD_MUTEX_INITIALIZER;
static MI_Session stash;

static void play_stale(struct scene *scene)
{
    MI_Session session, stale;
    MI_Operation operation = MI_OPERATION_NULL;
    struct answer answer = {.result = MI_RESULT_FAILED};

    note_before(scene);
    if (!take_session(scene, &session)) {
        return;
    }
    pthread_mutex_lock(&stash_mutex);
    MI_Session_Invoke(&session, 0, NULL, scene->name_space, "MG_Impersonator", "Stash", NULL, NULL,
                      NULL, &operation);
    while (fetch(&operation, &answer)) {
        continue;
    }
    MI_Operation_Close(&operation);
    stale = stash;
    pthread_mutex_unlock(&stash_mutex);
    if (answer.result != MI_RESULT_OK) {
        skip(scene, "Stash, which has to leave a session behind, was not served");
        return;
    }
    scene->reached++;
    answer = ask(scene, &stale, scene->file);
    conclude_get(scene, &answer);
}

static void stash_session(void *self, MI_Context *context, const MI_Char *name_space,
                          const MI_Char *class_name, const MI_Char *method_name,
                          const MI_Instance *instance, const MI_Instance *parameters);

static void on_closed(void *argument)
{
    __atomic_add_fetch((int *)argument, 1, __ATOMIC_SEQ_CST);
}

/* MI: a local session must not be closed. Others of the same request still need it. */
static void play_close_session(struct scene *scene)
{
    static const struct timespec pause = {0, 20000000};
    MI_Session session;
    int *calls = calloc(1, sizeof(*calls)); /* left behind if the callback comes too late */

    note_before(scene);
    if (calls == NULL || !take_session(scene, &session)) {
        free(calls);
        return;
    }
    conclude_result(scene, "Session_Close", MI_Session_Close(&session, calls, on_closed));
    for (int i = 0; i < 100 && __atomic_load_n(calls, __ATOMIC_SEQ_CST) == 0; i++) {
        nanosleep(&pause, NULL);
    }
    struct answer answer = ask(scene, &session, scene->file);
    expect_served(scene, &answer);
    if (__atomic_load_n(calls, __ATOMIC_SEQ_CST) != 1) {
        scene->still_works = false; /* the completion callback comes exactly once */
        return;
    }
    free(calls);
}

static void play_application(struct scene *scene, bool close)
{
    MI_Session session, made = MI_SESSION_NULL;
    MI_Application application = MI_APPLICATION_NULL;

    note_before(scene);
    if (!take_session(scene, &session)) {
        return;
    }
    if (MI_Session_GetApplication(&session, &application) != MI_RESULT_OK) {
        scene->still_works = false;
    }
    MI_Result result =
        close ? MI_Application_Close(&application)
              : MI_Application_NewSession(&application, NULL, NULL, NULL, NULL, NULL, &made);
    conclude_result(scene, close ? "Application_Close" : "Application_NewSession", result);
    /* Whatever it is called, no session and nothing closed is a refusal. */
    scene->refused = result != MI_RESULT_OK;
    struct answer answer = ask(scene, &session, scene->file);
    expect_served(scene, &answer);
}

static void play_application_close(struct scene *scene)
{
    play_application(scene, true);
}

static void play_application_session(struct scene *scene)
{
    play_application(scene, false);
}

/* Every bit of one word of the handle, one at a time; the first that is served stands for all. */
static void play_forged(struct scene *scene, bool second_word)
{
    MI_Session session;

    note_before(scene);
    if (!take_session(scene, &session)) {
        return;
    }
    for (int bit = 0; bit < 64; bit++) {
        MI_Session forged = session;
        if (second_word) {
            forged.reserved2 ^= (ptrdiff_t)((MI_Uint64)1 << bit);
        } else {
            forged.reserved1 ^= (MI_Uint64)1 << bit;
        }
        struct answer answer = ask(scene, &forged, scene->file);
        conclude_get(scene, &answer);
        if (!scene->refused) {
            return;
        }
    }
    struct answer answer = ask(scene, &session, scene->file);
    expect_served(scene, &answer);
}

static void play_forged_first(struct scene *scene)
{
    play_forged(scene, false);
}

static void play_forged_second(struct scene *scene)
{
    play_forged(scene, true);
}

static void play_zeroed(struct scene *scene)
{
    MI_Session session = MI_SESSION_NULL;

    note_before(scene);
    struct answer answer = ask(scene, &session, scene->file);
    conclude_get(scene, &answer);
}

/* In the child: the same credentials and the same memory, but another process. */
static void answer_from_child(struct scene *scene, MI_Session *session, int fd)
{
    struct answer answer = ask(scene, session, scene->file);
    ssize_t done = write(fd, &answer, sizeof(answer));

    _exit(done == (ssize_t)sizeof(answer) ? 0 : 1);
}

static void play_forked(struct scene *scene)
{
    MI_Session session;
    struct answer answer = {.result = MI_RESULT_FAILED};
    int ends[2];

    note_before(scene);
    if (!take_session(scene, &session)) {
        return;
    }
    if (pipe(ends) < 0) {
        skip_errno(scene, "pipe");
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        answer_from_child(scene, &session, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        skip_errno(scene, "fork");
        return;
    }
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    if (poll(&wait, 1, WAIT_MS) != 1 ||
        read(ends[0], &answer, sizeof(answer)) != (ssize_t)sizeof(answer)) {
        snprintf(answer.message, sizeof(answer.message), "no answer from the child");
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ends[0]);
    conclude_get(scene, &answer);
    answer = ask(scene, &session, scene->file);
    expect_served(scene, &answer);
}

/* ---- the table of acts ------------------------------------------------------------------ */

#define FINAL true
#define CHANGE(name, text, change, prepare, final)                                                 \
    {                                                                                              \
        name, text, GUARD, play_change, change, prepare, final                                     \
    }

static const struct act acts[] = {
    {"right-use", "a session is taken and used", NOBODY, play_right, NULL, NULL, false},
    {"right-use-as-user", "become the user, take a session, use it", NOBODY, play_user_reads, NULL,
     NULL, false},
    {"right-use-as-client", "become the client, as the host says it", NOBODY, play_client_reads,
     NULL, NULL, false},
    {"right-use-kernel", "as the user, a file that only root may read", KERNEL,
     play_user_is_refused, NULL, NULL, false},
    {"right-come-back", "take, switch, come back, use", NOBODY, play_come_back, NULL, NULL, false},
    {"right-two-sessions", "two identities, each with its own session", NOBODY, play_two_sessions,
     NULL, NULL, false},
    {"right-callback", "results in a callback, closed in it", NOBODY, play_callback_right, NULL,
     NULL, false},

    CHANGE("setresuid", "setresuid(u,u,u)", change_all_uids, NULL, FINAL),
    CHANGE("setresuid-setresgid", "setresgid(g,g,g), setresuid(u,u,u)", change_all_ids, NULL,
           FINAL),
    CHANGE("all-ids", "groups, gids and uids", change_everything, NULL, FINAL),
    CHANGE("real-uid", "the real uid only", change_real_uid, NULL, false),
    CHANGE("effective-uid", "the effective uid only", change_effective_uid, NULL, false),
    CHANGE("effective-gid-uid", "the effective gid and uid", change_effective_ids, NULL, false),
    CHANGE("saved-uid", "the saved uid only", change_saved_uid, NULL, false),
    CHANGE("setfsuid", "the filesystem uid only", change_fsuid, NULL, false),
    CHANGE("gids", "real, effective and saved gid", change_gids, NULL, false),
    CHANGE("real-gid", "the real gid only", change_real_gid, NULL, false),
    CHANGE("effective-gid", "the effective gid only", change_effective_gid, NULL, false),
    CHANGE("saved-gid", "the saved gid only", change_saved_gid, NULL, false),
    CHANGE("setfsgid", "the filesystem gid only", change_fsgid, NULL, false),
    CHANGE("groups", "the supplementary groups only", change_groups, NULL, false),
    CHANGE("cap-effective", "one capability less in effect", change_effective_cap, NULL, false),
    CHANGE("cap-permitted", "one capability less permitted", change_permitted_cap,
           change_effective_cap, FINAL),
    CHANGE("cap-inheritable", "one capability more inheritable", change_inheritable_cap, NULL,
           false),
    CHANGE("cap-ambient", "one capability more ambient", change_ambient_cap, prepare_ambient,
           false),
    CHANGE("cap-bounding", "one capability less in the bounding set", change_bounding_cap, NULL,
           FINAL),
    CHANGE("securebits", "a securebit", change_securebits, NULL, false),
    CHANGE("keep-caps", "the keep-caps bit, which needs no privilege", change_keep_caps, NULL,
           false),
    CHANGE("no-new-privs", "no_new_privs", change_no_new_privs, NULL, FINAL),

    {"foreign-session", "taken as another user, used as oneself", GUARD, play_foreign_session, NULL,
     NULL, false},
    {"other-thread", "given to a thread with another identity", GUARD, play_other_thread, NULL,
     NULL, false},
    {"get-after-switch", "the result is fetched as another user", GUARD, play_get, NULL, NULL,
     false},
    {"cancel-after-switch", "the operation is cancelled as another user", GUARD, play_cancel, NULL,
     NULL, false},
    {"close-after-switch", "the operation is closed as another user", GUARD, play_close, NULL, NULL,
     false},
    {"session-of-operation", "the operation is asked for its session", GUARD, play_get_session,
     NULL, NULL, false},
    {"application-of-session", "the session is asked for its application", GUARD,
     play_get_application, NULL, NULL, false},
    {"callback-close", "the callback closes as another user", GUARD, play_callback_close, NULL,
     NULL, false},
    {"callback-start", "the callback asks as another user", GUARD, play_callback_start, NULL, NULL,
     false},
    {"callback-acknowledge", "the callback acknowledges as another user", GUARD,
     play_callback_acknowledge, NULL, NULL, false},

    {"stale", "kept after its request has ended", GUARD, play_stale, NULL, NULL, false},
    {"closed", "closed, though others need it", GUARD, play_close_session, NULL, NULL, false},
    {"application-close", "its application is closed", GUARD, play_application_close, NULL, NULL,
     false},
    {"application-session", "its application makes a session", GUARD, play_application_session,
     NULL, NULL, false},
    {"forked", "used in a forked child", GUARD, play_forked, NULL, NULL, false},
    {"forged-1", "any bit of the first word flipped", GUARD, play_forged_first, NULL, NULL, false},
    {"forged-2", "any bit of the second word flipped", GUARD, play_forged_second, NULL, NULL,
     false},
    {"zeroed", "never taken at all", HEADER, play_zeroed, NULL, NULL, false},
};

/* ---- declarations ----------------------------------------------------------------------- */

struct impersonator {
    MI_Instance __instance;
    MI_ConstStringField Name;
    MI_ConstStringField Description;
    MI_ConstBooleanField MustBeRefused;
    MI_ConstStringField RefusedBy;
};

struct act_parameters {
    MI_Instance __instance;
    MI_ConstUint32Field MIReturn;
    MI_ConstStringField Name;
    MI_ConstStringField User;
    MI_ConstStringField Before;
    MI_ConstStringField After;
    MI_ConstStringField Call;
    MI_ConstUint32Field Result;
    MI_ConstStringField ResultName;
    MI_ConstStringField Message;
    MI_ConstBooleanField MustBeRefused;
    MI_ConstBooleanField Refused;
    MI_ConstBooleanField StillWorks;
    MI_ConstUint32Field ServedAsUid;
    MI_ConstUint32Field Reached;
};

struct stash_parameters {
    MI_Instance __instance;
    MI_ConstUint32Field MIReturn;
};

#define PROPERTY(member, type, more_flags)                                                         \
    {                                                                                              \
        MI_FLAG_PROPERTY | MI_FLAG_READONLY | (more_flags), CODE(#member), #member, NULL, 0, type, \
            NULL, 0, (MI_Uint32)offsetof(struct impersonator, member), "MG_Impersonator",          \
            "MG_Impersonator", NULL                                                                \
    }
static const MI_PropertyDecl property_name = PROPERTY(Name, MI_STRING, MI_FLAG_KEY);
static const MI_PropertyDecl property_description = PROPERTY(Description, MI_STRING, 0);
static const MI_PropertyDecl property_must = PROPERTY(MustBeRefused, MI_BOOLEAN, 0);
static const MI_PropertyDecl property_by = PROPERTY(RefusedBy, MI_STRING, 0);
static const MI_PropertyDecl *const properties[] = {&property_name, &property_description,
                                                    &property_must, &property_by};

#define PARAMETER(structure, member, type, direction)                                              \
    {                                                                                              \
        MI_FLAG_PARAMETER | (direction), CODE(#member), #member, NULL, 0, type, NULL, 0,           \
            (MI_Uint32)offsetof(struct structure, member)                                          \
    }
#define ACT_IN(member, type)  PARAMETER(act_parameters, member, type, MI_FLAG_IN)
#define ACT_OUT(member, type) PARAMETER(act_parameters, member, type, MI_FLAG_OUT)

static const MI_ParameterDecl act_return = ACT_OUT(MIReturn, MI_UINT32);
static const MI_ParameterDecl act_name = ACT_IN(Name, MI_STRING);
static const MI_ParameterDecl act_user = ACT_IN(User, MI_STRING);
static const MI_ParameterDecl act_before = ACT_OUT(Before, MI_STRING);
static const MI_ParameterDecl act_after = ACT_OUT(After, MI_STRING);
static const MI_ParameterDecl act_call = ACT_OUT(Call, MI_STRING);
static const MI_ParameterDecl act_result = ACT_OUT(Result, MI_UINT32);
static const MI_ParameterDecl act_result_name = ACT_OUT(ResultName, MI_STRING);
static const MI_ParameterDecl act_message = ACT_OUT(Message, MI_STRING);
static const MI_ParameterDecl act_must = ACT_OUT(MustBeRefused, MI_BOOLEAN);
static const MI_ParameterDecl act_refused = ACT_OUT(Refused, MI_BOOLEAN);
static const MI_ParameterDecl act_works = ACT_OUT(StillWorks, MI_BOOLEAN);
static const MI_ParameterDecl act_served = ACT_OUT(ServedAsUid, MI_UINT32);
static const MI_ParameterDecl act_reached = ACT_OUT(Reached, MI_UINT32);
static const MI_ParameterDecl *const act_parameter_decls[] = {
    &act_return,      &act_name,    &act_user, &act_before,  &act_after, &act_call,   &act_result,
    &act_result_name, &act_message, &act_must, &act_refused, &act_works, &act_served, &act_reached,
};

static const MI_ParameterDecl stash_return =
    PARAMETER(stash_parameters, MIReturn, MI_UINT32, MI_FLAG_OUT);
static const MI_ParameterDecl *const stash_parameter_decls[] = {&stash_return};

static const MI_SchemaDecl schema;
static const MI_ProviderFT provider;
static void invoke_act(void *self, MI_Context *context, const MI_Char *name_space,
                       const MI_Char *class_name, const MI_Char *method_name,
                       const MI_Instance *instance, const MI_Instance *parameters);

static const MI_MethodDecl act_method = {
    .flags = MI_FLAG_METHOD | MI_FLAG_STATIC,
    .code = CODE("Act"),
    .name = "Act",
    .parameters = act_parameter_decls,
    .numParameters = COUNT(act_parameter_decls),
    .size = sizeof(struct act_parameters),
    .returnType = MI_UINT32,
    .origin = "MG_Impersonator",
    .propagator = "MG_Impersonator",
    .schema = &schema,
    .function = invoke_act,
};

static const MI_MethodDecl stash_method = {
    .flags = MI_FLAG_METHOD | MI_FLAG_STATIC,
    .code = CODE("Stash"),
    .name = "Stash",
    .parameters = stash_parameter_decls,
    .numParameters = COUNT(stash_parameter_decls),
    .size = sizeof(struct stash_parameters),
    .returnType = MI_UINT32,
    .origin = "MG_Impersonator",
    .propagator = "MG_Impersonator",
    .schema = &schema,
    .function = stash_session,
};

static const MI_MethodDecl *const methods[] = {&act_method, &stash_method};

static const MI_ClassDecl impersonator_class = {
    .flags = MI_FLAG_CLASS,
    .code = CODE("MG_Impersonator"),
    .name = "MG_Impersonator",
    .properties = properties,
    .numProperties = COUNT(properties),
    .size = sizeof(struct impersonator),
    .methods = methods,
    .numMethods = COUNT(methods),
    .schema = &schema,
    .providerFT = &provider,
};

static const MI_ClassDecl *const classes[] = {&impersonator_class};
static const MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = COUNT(classes)};

/* ---- setting elements ------------------------------------------------------------------- */

/* The first failure of several sets is kept. */
static void set_string(MI_Instance *instance, const MI_Char *name, const char *text,
                       MI_Result *result)
{
    MI_Value value;

    value.string = (MI_Char *)text;
    if (*result == MI_RESULT_OK) {
        *result = MI_Instance_SetElement(instance, name, &value, MI_STRING, 0);
    }
}

static void set_uint32(MI_ConstUint32Field *field, MI_Uint32 value)
{
    field->value = value;
    field->exists = MI_TRUE;
}

static void set_boolean(MI_ConstBooleanField *field, bool value)
{
    field->value = value ? MI_TRUE : MI_FALSE;
    field->exists = MI_TRUE;
}

static const char *result_name(MI_Result result)
{
    switch (result) {
    case MI_RESULT_OK:
        return "OK";
    case MI_RESULT_FAILED:
        return "FAILED";
    case MI_RESULT_ACCESS_DENIED:
        return "ACCESS_DENIED";
    case MI_RESULT_INVALID_PARAMETER:
        return "INVALID_PARAMETER";
    case MI_RESULT_INVALID_CLASS:
        return "INVALID_CLASS";
    case MI_RESULT_NOT_FOUND:
        return "NOT_FOUND";
    case MI_RESULT_NOT_SUPPORTED:
        return "NOT_SUPPORTED";
    case MI_RESULT_SERVER_LIMITS_EXCEEDED:
        return "SERVER_LIMITS_EXCEEDED";
    default:
        return "other";
    }
}

/* ---- performing an act ------------------------------------------------------------------ */

static const struct act *find_act(const MI_ConstStringField *name)
{
    for (size_t i = 0; name->exists && i < COUNT(acts); i++) {
        if (strcmp(acts[i].name, name->value) == 0) {
            return &acts[i];
        }
    }
    return NULL;
}

static bool find_user(struct scene *scene, const char *name)
{
    char buffer[4096];
    struct passwd storage, *user = NULL;

    if (getpwnam_r(name, &storage, buffer, sizeof(buffer), &user) != 0 || user == NULL) {
        return false;
    }
    scene->uid = user->pw_uid;
    scene->gid = user->pw_gid;
    return true;
}

static MI_Result new_file_key(MI_Context *context, const char *path, MI_Instance **ret_key)
{
    MI_Value value;

    value.string = (MI_Char *)path;
    MI_Result result = MI_Context_NewDynamicInstance(context, "MG_File", 0, ret_key);
    if (result == MI_RESULT_OK) {
        result = MI_Instance_AddElement(*ret_key, "Path", &value, MI_STRING, MI_FLAG_KEY);
    }
    return result;
}

static MI_Result scene_begin(struct scene *scene, const struct act_parameters *in)
{
    if (!find_user(scene, in->User.exists ? in->User.value : "nobody")) {
        return MI_RESULT_NOT_FOUND;
    }
    scene->still_works = true;
    /* AT_EACCESS: as the effective identity, which is what opens files. */
    scene->path =
        faccessat(AT_FDCWD, "/etc/shadow", R_OK, AT_EACCESS) == 0 ? "/etc/shadow" : "/etc/passwd";
    MI_Result result = new_file_key(scene->context, scene->path, &scene->file);
    if (result == MI_RESULT_OK) {
        result = new_file_key(scene->context, "/etc/passwd", &scene->public_file);
    }
    return result;
}

static void scene_end(struct scene *scene)
{
    if (scene == NULL || scene->lent) {
        return;
    }
    if (scene->file != NULL) {
        MI_Instance_Delete(scene->file);
    }
    if (scene->public_file != NULL) {
        MI_Instance_Delete(scene->public_file);
    }
    free(scene);
}

static void *play(void *argument)
{
    struct scene *scene = argument;

    scene->act->play(scene);
    return NULL;
}

/* Performs the act; whatever it did, the thread of the request is afterwards what it was. */
static void perform(struct scene *scene)
{
    struct self before, after;
    pthread_t thread;

    if (!read_self(&before)) {
        skip(scene, "the identity of the request's thread cannot be read");
        return;
    }
    if (!scene->act->final) {
        play(scene);
    } else if ((errno = pthread_create(&thread, NULL, play, scene)) != 0) {
        skip_errno(scene, "pthread_create");
    } else {
        pthread_join(thread, NULL);
    }
    if (!read_self(&after) || memcmp(&before, &after, sizeof(before)) != 0) {
        abort();
    }
}

static MI_Result post_outcome(MI_Context *context, const struct scene *scene)
{
    struct act_parameters out;
    MI_Instance *instance = &out.__instance;
    MI_Result result = MI_Context_ConstructParameters(context, &act_method, instance);

    if (result != MI_RESULT_OK) {
        return result;
    }
    set_uint32(&out.MIReturn, 0);
    set_string(instance, "Before", scene->before, &result);
    set_string(instance, "After", scene->after, &result);
    set_string(instance, "Call", scene->call, &result);
    set_string(instance, "ResultName", result_name(scene->result), &result);
    set_string(instance, "Message", scene->message, &result);
    set_uint32(&out.Result, scene->result);
    set_boolean(&out.MustBeRefused, scene->act->refused_by[0] != '\0');
    set_boolean(&out.Refused, scene->refused);
    set_boolean(&out.StillWorks, scene->still_works);
    if (scene->served) {
        set_uint32(&out.ServedAsUid, scene->served_as);
    }
    set_uint32(&out.Reached, scene->reached);
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, instance);
    }
    MI_Instance_Destruct(instance);
    return result;
}

static void invoke_act(void *self, MI_Context *context, const MI_Char *name_space,
                       const MI_Char *class_name, const MI_Char *method_name,
                       const MI_Instance *instance, const MI_Instance *parameters)
{
    const struct act_parameters *in = (const struct act_parameters *)parameters;
    struct scene *scene = NULL;
    MI_Result result = MI_RESULT_INVALID_PARAMETER;

    (void)self, (void)class_name, (void)method_name, (void)instance;
    if (in == NULL || find_act(&in->Name) == NULL) {
        goto out;
    }
    result = MI_RESULT_SERVER_LIMITS_EXCEEDED;
    scene = calloc(1, sizeof(*scene));
    if (scene == NULL) {
        goto out;
    }
    scene->context = context;
    scene->name_space = name_space;
    scene->act = find_act(&in->Name);
    result = scene_begin(scene, in);
    if (result == MI_RESULT_OK) {
        perform(scene);
        result = post_outcome(context, scene);
    }
out:
    scene_end(scene);
    MI_Context_PostResult(context, result);
}

/* The wrong that play_stale() needs: it keeps the session of a request that ends here. */
static void stash_session(void *self, MI_Context *context, const MI_Char *name_space,
                          const MI_Char *class_name, const MI_Char *method_name,
                          const MI_Instance *instance, const MI_Instance *parameters)
{
    struct stash_parameters out;
    MI_Result result = MI_Context_GetLocalSession(context, &stash);

    (void)self, (void)name_space, (void)class_name, (void)method_name, (void)instance;
    (void)parameters;
    if (result == MI_RESULT_OK) {
        result = MI_Context_ConstructParameters(context, &stash_method, &out.__instance);
    }
    if (result == MI_RESULT_OK) {
        set_uint32(&out.MIReturn, 0);
        result = MI_Context_PostInstance(context, &out.__instance);
        MI_Instance_Destruct(&out.__instance);
    }
    MI_Context_PostResult(context, result);
}

/* ---- the acts as instances -------------------------------------------------------------- */

static MI_Result post_act(MI_Context *context, const struct act *act, MI_Boolean keys_only)
{
    struct impersonator out;
    MI_Instance *instance = &out.__instance;
    MI_Result result = MI_Context_ConstructInstance(context, &impersonator_class, instance);

    if (result != MI_RESULT_OK) {
        return result;
    }
    set_string(instance, "Name", act->name, &result);
    if (!keys_only) {
        set_string(instance, "Description", act->description, &result);
        set_boolean(&out.MustBeRefused, act->refused_by[0] != '\0');
        set_string(instance, "RefusedBy", act->refused_by, &result);
    }
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, instance);
    }
    MI_Instance_Destruct(instance);
    return result;
}

static void get_instance(void *self, MI_Context *context, const MI_Char *name_space,
                         const MI_Char *class_name, const MI_Instance *name,
                         const MI_PropertySet *set)
{
    const struct impersonator *key = (const struct impersonator *)name;
    const struct act *act = key == NULL ? NULL : find_act(&key->Name);

    (void)self, (void)name_space, (void)class_name, (void)set;
    MI_Context_PostResult(context,
                          act == NULL ? MI_RESULT_NOT_FOUND : post_act(context, act, MI_FALSE));
}

static void enumerate_instances(void *self, MI_Context *context, const MI_Char *name_space,
                                const MI_Char *class_name, const MI_PropertySet *set,
                                MI_Boolean keys_only, const MI_Filter *filter)
{
    MI_Result result = MI_RESULT_OK;

    (void)self, (void)name_space, (void)class_name, (void)set, (void)filter;
    for (size_t i = 0; i < COUNT(acts) && result == MI_RESULT_OK; i++) {
        result = post_act(context, &acts[i], keys_only);
    }
    MI_Context_PostResult(context, result);
}

/* ---- the module ------------------------------------------------------------------------- */

static const MI_ProviderFT provider = {
    .GetInstance = get_instance,
    .EnumerateInstances = enumerate_instances,
};

static void load(MI_Module_Self **self, MI_Context *context)
{
    *self = NULL; /* nothing to remember between requests */
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void unload(MI_Module_Self *self, MI_Context *context)
{
    (void)self;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

MI_EXPORT MI_Module *MI_MAIN_CALL MI_Main(MI_Server *server)
{
    /* The API has schemaDecl without const, but nobody writes through it. */
    static MI_Module module = {
        .version = MI_VERSION,
        .charSize = sizeof(MI_Char),
        .schemaDecl = (MI_SchemaDecl *)&schema,
        .Load = load,
        .Unload = unload,
    };

    (void)server;
    return &module;
}
