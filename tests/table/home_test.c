/* SPDX-License-Identifier: MIT */
/*
 * A thread is given back as who it was: each component changed past the library, each number of
 * switches left, behind a gate and without one, as root, as a service with a few capabilities and
 * in a user namespace. What the thread is comes from /proc, so that the library's word is not taken
 * for it.
 *
 * This file defines the table of kernel calls in place of src/identity/kernel.c, to count what a
 * check reads and to let a way back fail.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate.h"
#include "miguard/gate.h"
#include "miguard/home.h"
#include "miguard/switch.h"
#include "support/always_interrupted.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/real_kernel.h"
#include "support/thread_view.h"
#include "support/userns.h"
#include "switch/switch.h"

enum { SERVICE = 1234, OTHER = 2345, THIRD = 3456 };

static const char *doing = "";
static unsigned passed, failed, skipped;

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("%s: line %d: %s\n", doing, __LINE__, #condition);                              \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

/* ---- the calls ------------------------------------------------------------------------------ */

static unsigned reads;       /* of the ids: two in each full check */
static bool no_setfsuid;     /* it answers as if done */
static bool no_setgroups;    /* the same */
static int groups_left = -1; /* reads of them until they cannot be read */
static bool no_groups;       /* they cannot be read */
static bool no_new_privs_denied;
static unsigned denied; /* of these calls */
static void (*once_groups_set)(void);

#define FORWARD(name, parameters, ...)                                                             \
    static long call_##name parameters                                                             \
    {                                                                                              \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }

typedef struct __user_cap_header_struct cap_header;
typedef struct __user_cap_data_struct cap_data;

FORWARD(getresgid, (gid_t * a, gid_t *b, gid_t *c), a, b, c)
FORWARD(capget, (cap_header * header, cap_data *data), header, data)
FORWARD(open, (const char *path, int flags), path, flags)
FORWARD(read, (int fd, void *buffer, size_t size), fd, buffer, size)
FORWARD(close, (int fd), fd)
FORWARD(readlink, (const char *path, char *buffer, size_t size), path, buffer, size)
FORWARD(gettid, (void))
FORWARD(getpid, (void))
FORWARD(session_keyring, (void))
FORWARD(setfsgid, (gid_t id), id)
FORWARD(setresuid, (uid_t a, uid_t b, uid_t c), a, b, c)
FORWARD(setresgid, (gid_t a, gid_t b, gid_t c), a, b, c)
FORWARD(capset, (cap_header * header, const cap_data *data), header, data)
FORWARD(seccomp, (unsigned operation, unsigned flags, void *arguments), operation, flags, arguments)
FORWARD(stray, (unsigned long bits), bits)
FORWARD(stray_drop, (unsigned long bits), bits)

/* Refused as by a filter, and as syscall(2) says it, by which some machines ask. */
static long call_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
                       unsigned long d)
{
    if (no_new_privs_denied && option == PR_GET_NO_NEW_PRIVS) {
        denied++;
        errno = EPERM;
        return -EPERM;
    }
    return real_kernel.prctl(option, a, b, c, d);
}

static long call_getresuid(uid_t *a, uid_t *b, uid_t *c)
{
    reads++;
    return real_kernel.getresuid(a, b, c);
}

static long call_getgroups(int size, gid_t *list)
{
    return no_groups || groups_left-- == 0 ? -EPERM : real_kernel.getgroups(size, list);
}

static long call_setfsuid(uid_t id)
{
    return no_setfsuid && id != (uid_t)-1 ? 0 : real_kernel.setfsuid(id);
}

static long call_setgroups(size_t size, const gid_t *list)
{
    void (*then)(void) = once_groups_set;
    long result = no_setgroups ? 0 : real_kernel.setgroups(size, list);

    once_groups_set = NULL;
    if (then != NULL) {
        then();
    }
    return result;
}

const struct identity_kernel identity_kernel = {KERNEL_MAP(KERNEL_CALL)};

/* ---- what is recorded ------------------------------------------------------------------------ */

static struct {
    unsigned count;
    enum switch_kind kind;
    enum miguard_status status;
    miguard_components found;
    unsigned left;
    bool request, has_site;
} noted;

static void on_switch(const struct switch_note *note)
{
    if (note->kind != SWITCH_KIND_UNDONE && note->status == MIGUARD_OK) {
        return;
    }
    noted.count++;
    noted.kind = note->kind;
    noted.status = note->status;
    noted.found = note->found;
    noted.left = note->left;
    noted.request = note->request;
    noted.has_site = note->site != NULL;
}

static const struct switch_hooks hooks = {.switched = on_switch};

/* ---- who the thread is ----------------------------------------------------------------------- */

static bool set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    cap_header header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const cap_data data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
    return syscall(SYS_capset, &header, data) == 0;
}

static bool raise_ambient(int capability)
{
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0;
}

#define CAP(NAME) ((uint64_t)1 << CAP_##NAME)

static bool become_root(void)
{
    static const gid_t groups[] = {7, 8};
    return raw_setgroups(2, groups);
}

/* As systemd starts a service with AmbientCapabilities=. */
static bool become_service(void)
{
    static const gid_t groups[] = {SERVICE + 1, SERVICE + 2};
    const uint64_t caps = CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP) | CAP(CHOWN);

    return raw_setgroups(2, groups) && raw_setresgid(SERVICE, SERVICE, SERVICE) &&
           prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && raw_setresuid(SERVICE, SERVICE, SERVICE) &&
           set_caps(caps, caps, caps) && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0 &&
           raise_ambient(CAP_SETUID) && raise_ambient(CAP_SETGID) && raise_ambient(CAP_SETPCAP) &&
           raise_ambient(CAP_CHOWN);
}

/* Root of a namespace, unprivileged outside. */
static bool become_mapped_root(void)
{
    static const gid_t groups[] = {7, 8};
    return raw_setgroups(2, groups) && raw_setresgid(0, 0, 0) && raw_setresuid(0, 0, 0);
}

/* The permitted set decides what can be restored; the effective one is the one that changes. */
static bool change_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct thread_view now;

    return thread_view_read(&now) &&
           set_caps(now.effective & ~effective, now.permitted & ~permitted,
                    now.inheritable ^ inheritable);
}

/* ---- what a request does past the library ------------------------------------------------------
 */

#define DO(name, ...)                                                                              \
    static bool name(void)                                                                         \
    {                                                                                              \
        return __VA_ARGS__;                                                                        \
    }

#define SAME ((uid_t)-1)

static const gid_t others[] = {THIRD, 7, 9};

DO(ruid, raw_setresuid(OTHER, SAME, SAME))
DO(euid, raw_setresuid(SAME, OTHER, SAME))
DO(suid, raw_setresuid(SAME, SAME, OTHER))
DO(all_uids, raw_setresuid(OTHER, OTHER, OTHER))
DO(fsuid, raw_setfsuid(OTHER))
DO(rgid, raw_setresgid(OTHER, SAME, SAME))
DO(egid, raw_setresgid(SAME, OTHER, SAME))
DO(sgid, raw_setresgid(SAME, SAME, OTHER))
DO(all_gids, raw_setresgid(OTHER, OTHER, OTHER))
DO(fsgid, syscall(SYS_setfsgid, OTHER) >= 0 && syscall(SYS_setfsgid, SAME) == OTHER)
DO(groups, raw_setgroups(3, others))
DO(no_groups_left, raw_setgroups(0, NULL))
DO(effective, change_caps(CAP(SETGID), 0, 0))
DO(effective_all, change_caps(UINT64_MAX, 0, 0))
DO(permitted, change_caps(CAP(CHOWN), CAP(CHOWN), 0))
DO(inheritable, change_caps(0, 0, CAP(CHOWN)))
DO(ambient,
   change_caps(0, 0, CAP(CHOWN)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0)
DO(bounding, prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0) == 0)
DO(securebits, prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0)
DO(keep_caps, prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0)
DO(locked, prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0) == 0)
DO(no_new_privs, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
DO(as_sshd,
   raw_setgroups(3, others) && raw_setresgid(SAME, OTHER, SAME) && raw_setresuid(SAME, OTHER, SAME))
DO(hard_coded_root, raw_setgroups(0, NULL) && raw_setresuid(0, 0, 0) && raw_setresgid(0, 0, 0))

static bool user_namespace(void)
{
    return unshare(CLONE_NEWUSER) == 0;
}

/* component: one that must be named. */
static const struct row {
    const char *what;
    bool (*change)(void);
    miguard_components component;
} rows[] = {
    {"real uid", ruid, MIGUARD_COMPONENT_RUID},
    {"effective uid", euid, MIGUARD_COMPONENT_EUID},
    {"saved uid", suid, MIGUARD_COMPONENT_SUID},
    {"all uids", all_uids, MIGUARD_COMPONENT_SUID},
    {"fs uid", fsuid, MIGUARD_COMPONENT_FSUID},
    {"real gid", rgid, MIGUARD_COMPONENT_RGID},
    {"effective gid", egid, MIGUARD_COMPONENT_EGID},
    {"saved gid", sgid, MIGUARD_COMPONENT_SGID},
    {"all gids", all_gids, MIGUARD_COMPONENT_SGID},
    {"fs gid", fsgid, MIGUARD_COMPONENT_FSGID},
    {"other groups", groups, MIGUARD_COMPONENT_GROUPS},
    {"no groups", no_groups_left, MIGUARD_COMPONENT_GROUPS},
    {"one effective capability", effective, MIGUARD_COMPONENT_CAP_EFFECTIVE},
    {"no effective capability", effective_all, MIGUARD_COMPONENT_CAP_EFFECTIVE},
    {"one permitted capability", permitted, MIGUARD_COMPONENT_CAP_PERMITTED},
    {"an inheritable capability", inheritable, MIGUARD_COMPONENT_CAP_INHERITABLE},
    {"no ambient capability", ambient, MIGUARD_COMPONENT_CAP_INHERITABLE},
    {"the bounding set", bounding, MIGUARD_COMPONENT_CAP_BOUNDING},
    {"securebits", securebits, MIGUARD_COMPONENT_SECUREBITS},
    {"keep-caps", keep_caps, MIGUARD_COMPONENT_SECUREBITS},
    {"a locked securebit", locked, MIGUARD_COMPONENT_SECUREBITS},
    {"no_new_privs", no_new_privs, MIGUARD_COMPONENT_NO_NEW_PRIVS},
    {"user namespace", user_namespace, MIGUARD_COMPONENT_USER_NAMESPACE},
    {"as sshd does it", as_sshd, MIGUARD_COMPONENT_EUID},
    {"restored to a hard-coded 0", hard_coded_root, MIGUARD_COMPONENT_GROUPS},
};

/* ---- one row in one situation ------------------------------------------------------------------
 */

static const struct situation {
    const char *what;
    bool (*become)(void);
    bool in_namespace;
} situations[] = {
    {"root", become_root, false},
    {"a service", become_service, false},
    {"in a namespace", become_mapped_root, true},
};

enum { PLAIN, GATED, WAYS };

struct trial {
    const struct situation *situation;
    const struct row *row;
    unsigned depth; /* of switches that are left */
    bool gated;
};

static bool close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    options.report = 0;
    return miguard_gate_close(&options, NULL) == MIGUARD_OK;
}

static uint64_t namespace_now(void)
{
    struct stat status;
    return stat("/proc/thread-self/ns/user", &status) == 0 ? status.st_ino : 0;
}

static bool start(const struct trial *trial, struct miguard_home **ret_home)
{
    switch_set_hooks(&hooks);
    MUST(trial->situation->become());
    MUST(!trial->gated || close_gate());
    MUST(miguard_home_capture(ret_home, NULL) == MIGUARD_OK);
    MUST(miguard_home_check(*ret_home, NULL) == MIGUARD_OK);
    return true;
}

/* No call can restore these. */
static bool is_lasting(const struct thread_view *before, const struct thread_view *after,
                       bool other_namespace)
{
    return other_namespace || before->permitted != after->permitted ||
           before->bounding != after->bounding || before->no_new_privs != after->no_new_privs ||
           ((before->securebits ^ after->securebits) & SECURE_ALL_LOCKS) != 0;
}

static bool nothing_found(const struct miguard_home *home)
{
    miguard_components found = 1;
    unsigned switches = 1;

    MUST(miguard_home_return(home, &found, &switches, NULL) == MIGUARD_OK);
    MUST(found == 0 && switches == 0 && miguard_home_check(home, NULL) == MIGUARD_OK);
    return true;
}

static bool try_row(void *data)
{
    const struct trial *trial = data;
    const struct row *row = trial->row;
    const char *name = miguard_component_name(row->component);
    struct miguard_home *home = NULL;
    struct thread_view before, after, now;
    struct miguard_error error = {0};
    miguard_components found = 0;
    unsigned switches = 1;

    MUST(start(trial, &home) && nothing_found(home) && noted.count == 0);
    MUST(thread_view_read(&before));
    const uint64_t first = namespace_now();
    bool made = row->change(); /* behind the gate no_new_privs may be set already */
    bool other = namespace_now() != first;
    MUST(thread_view_read(&after));
    bool changed = other || !thread_view_same(&before, &after);
    MUST(changed != trial->gated && (made || !changed));
    if (!changed) {
        return nothing_found(home) && noted.count == 0;
    }
    MUST(miguard_home_check(home, &error) == MIGUARD_NOT_VERIFIED);
    MUST(strstr(error.detail, name) != NULL && noted.count == 0);
    memset(&error, 0, sizeof(error));
    enum miguard_status status = miguard_home_return(home, &found, &switches, &error);
    MUST((found & row->component) != 0 && switches == 0);
    MUST(noted.count == 1 && noted.kind == SWITCH_KIND_UNDONE && noted.request);
    MUST(noted.status == status && noted.found == found && noted.left == 0 && !noted.has_site);
    MUST(thread_view_read(&now));
    if (is_lasting(&before, &after, other)) {
        MUST(status == MIGUARD_NOT_VERIFIED && error.detail[0] != '\0');
        MUST(miguard_home_check(home, NULL) == MIGUARD_NOT_VERIFIED);
        return true;
    }
    MUST(status == MIGUARD_OK && thread_view_same(&before, &now));
    miguard_home_free(home);
    return true;
}

enum { COMPONENTS = 18 };
_Static_assert(MIGUARD_COMPONENTS_ALL == (1U << COMPONENTS) - 1, "each bit has a home below");

/* Homes that leave out one component, and homes that have only one. */
static struct miguard_home *without[COMPONENTS], *alone[COMPONENTS];

static bool capture_parts(void)
{
    for (unsigned i = 0; i < COMPONENTS; i++) {
        gate_set_home_components(MIGUARD_COMPONENTS_ALL & ~(1U << i));
        MUST(miguard_home_capture(&without[i], NULL) == MIGUARD_OK);
        gate_set_home_components(1U << i);
        MUST(miguard_home_capture(&alone[i], NULL) == MIGUARD_OK);
    }
    gate_set_home_components(0); /* those above keep theirs */
    return true;
}

/* A home finds what it compares and nothing else, and leaves alone what it does not find. */
static bool try_parts(void *data)
{
    const struct trial *trial = data;
    struct miguard_identity own;
    struct miguard_home *home = NULL;
    struct thread_view there, now;

    MUST(start(trial, &home) && identity_capture(&own, NULL) == MIGUARD_OK && capture_parts());
    (void)trial->row->change();
    const miguard_components found = identity_check(&own, MIGUARD_COMPONENTS_ALL, NULL);
    MUST((found & trial->row->component) != 0 && thread_view_read(&there));
    for (unsigned i = 0; i < COMPONENTS; i++) {
        const miguard_components bit = 1U << i;
        MUST((miguard_home_check(without[i], NULL) == MIGUARD_OK) == ((found & ~bit) == 0));
        MUST((miguard_home_check(alone[i], NULL) == MIGUARD_OK) == ((found & bit) == 0));
        if ((found & bit) == 0) {
            MUST(nothing_found(alone[i]));
        }
    }
    MUST(noted.count == 0 && thread_view_read(&now) && thread_view_same(&there, &now));
    return true;
}

static struct miguard_target *target_of(uid_t id)
{
    struct miguard_target *target = NULL;
    const struct miguard_groups list = {MIGUARD_GROUPS_LIST, others, 2, NULL};

    return miguard_target_ids(id, id, &list, &target, NULL) == MIGUARD_OK ? target : NULL;
}

/* Switches left, and below or above them a change past the library. */
static bool try_depth(void *data)
{
    const struct trial *trial = data;
    struct miguard_home *home = NULL;
    struct thread_view before, now;
    struct miguard_error error = {0};
    miguard_components found = 0;
    unsigned switches = 0;
    struct miguard_target *targets[] = {target_of(OTHER), target_of(THIRD)};

    MUST(start(trial, &home) && targets[0] != NULL && targets[1] != NULL);
    MUST(thread_view_read(&before));
    for (unsigned i = 0; i < trial->depth; i++) {
        MUST(miguard_switch_to(targets[i % 2], NULL) == MIGUARD_OK);
    }
    if (trial->row != NULL) {
        (void)!trial->row->change(); /* the new thread may not be allowed to */
    }
    MUST(miguard_home_check(home, &error) == MIGUARD_NOT_VERIFIED);
    MUST(strstr(error.detail, "fsuid") != NULL && noted.count == 0);
    MUST(miguard_home_return(home, &found, &switches, NULL) == MIGUARD_OK);
    MUST((found & MIGUARD_COMPONENT_EUID) != 0 && switches == trial->depth);
    MUST(noted.count == 1 && noted.status == MIGUARD_OK && noted.request && noted.has_site);
    MUST(noted.left == trial->depth && noted.found == found);
    MUST(thread_view_read(&now) && thread_view_same(&before, &now));
    MUST(miguard_switch_depth() == 0 && !switch_is_busy());
    MUST(miguard_switch_back(NULL) == MIGUARD_NOT_SWITCHED);
    noted.count = 0;
    MUST(nothing_found(home) && noted.count == 0);
    MUST(miguard_switch_to(targets[0], NULL) == MIGUARD_OK);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK && nothing_found(home));
    return true;
}

/* ---- what is no request's end ------------------------------------------------------------------
 */

/* Root, without a gate unless it says so. */
static const struct trial as_root = {.situation = &situations[0]};
static const struct trial as_gated_root = {.situation = &situations[0], .gated = true};

/* The code of a block that has not ended would continue as another. */
static bool in_a_block(void *unused)
{
    struct miguard_home *home = NULL;
    enum miguard_status status = MIGUARD_SYSTEM;
    struct thread_view there, now;
    unsigned switches = 0;
    (void)unused;

    MUST(start(&as_root, &home));
    MIGUARD_SWITCHED(target_of(OTHER), &status, NULL)
    {
        MUST(miguard_switch_to(target_of(THIRD), NULL) == MIGUARD_OK && thread_view_read(&there));
        MUST(miguard_home_return(home, NULL, &switches, NULL) == MIGUARD_BAD_STATE);
        MUST(thread_view_read(&now) && thread_view_same(&there, &now));
        MUST(miguard_switch_depth() == 2 && noted.count == 1 && noted.kind == SWITCH_KIND_BACK);
        MUST(noted.status == MIGUARD_BAD_STATE && noted.has_site);
    }
    MUST(status == MIGUARD_OK && nothing_found(home));
    return true;
}

static bool in_a_callback(void *unused)
{
    struct miguard_home *home = NULL;
    struct miguard_identity own;
    struct switch_frame frame = {0, 0};
    (void)unused;

    MUST(start(&as_root, &home) && identity_capture(&own, NULL) == MIGUARD_OK);
    MUST(switch_adopt(&own, &frame, NULL) == MIGUARD_OK);
    MUST(miguard_home_check(home, NULL) == MIGUARD_BAD_STATE);
    MUST(miguard_home_return(home, NULL, NULL, NULL) == MIGUARD_BAD_STATE);
    struct miguard_home *other = NULL;
    MUST(miguard_home_capture(&other, NULL) == MIGUARD_BAD_STATE && other == NULL);
    switch_restore(&frame);
    MUST(nothing_found(home));
    return true;
}

static jmp_buf landing;

static void jump_out(const struct miguard_target *target)
{
    enum miguard_status status;

    MIGUARD_SWITCHED(target, &status, NULL)
    {
        longjmp(landing, 1);
    }
}

static bool after_a_jump(void *unused)
{
    struct miguard_home *home = NULL;
    (void)unused;

    MUST(start(&as_root, &home));
    if (setjmp(landing) == 0) {
        jump_out(target_of(OTHER));
    }
    MUST(miguard_home_return(home, NULL, NULL, NULL) == MIGUARD_BAD_STATE);
    MUST(miguard_switch_home(0) == 1 && nothing_found(home));
    return true;
}

/* A switch to what the thread is already changes nothing, and is left all the same. Asked twice:
 * the second time a gated thread is known to be the same. */
static bool left_to_itself(void *gated)
{
    struct miguard_home *home = NULL;
    struct miguard_identity *own = NULL;
    struct miguard_target *itself = NULL;
    struct miguard_error error = {0};
    miguard_components found = 1;
    unsigned switches = 0;

    MUST(start(gated == NULL ? &as_root : &as_gated_root, &home));
    MUST(miguard_identity_capture(&own, NULL) == MIGUARD_OK);
    MUST(miguard_target_identity(own, &itself, NULL) == MIGUARD_OK);
    MUST(miguard_switch_to(itself, NULL) == MIGUARD_OK);
    struct miguard_home *other = NULL;
    MUST(miguard_home_capture(&other, NULL) == MIGUARD_BAD_STATE && other == NULL);
    MUST(miguard_home_check(home, NULL) == MIGUARD_BAD_STATE);
    MUST(miguard_home_check(home, &error) == MIGUARD_BAD_STATE);
    MUST(strstr(error.detail, "1 switches") != NULL);
    MUST(miguard_home_return(home, &found, &switches, NULL) == MIGUARD_OK);
    MUST(found == 0 && switches == 1 && noted.count == 1 && noted.left == 1);
    MUST(nothing_found(home));
    return true;
}

/* ---- failures ----------------------------------------------------------------------------------
 */

/* A call answers as if done: it is believed only when the thread reads so, and another one is found
 * where there is one. */
static bool way_back_fails(void *unused)
{
    struct miguard_home *home = NULL;
    struct miguard_error error = {0};
    (void)unused;

    MUST(start(&as_root, &home) && raw_setfsuid(OTHER));
    no_setfsuid = true;
    MUST(miguard_home_return(home, NULL, NULL, &error) == MIGUARD_OK); /* by setresuid(2) */
    MUST(nothing_found(home) && raw_setgroups(3, others));
    no_setgroups = true;
    MUST(miguard_home_return(home, NULL, NULL, &error) == MIGUARD_NOT_VERIFIED);
    MUST(strstr(error.detail, "groups cannot be changed back by any call") != NULL);
    MUST(miguard_home_check(home, NULL) == MIGUARD_NOT_VERIFIED);
    no_setgroups = false;
    MUST(miguard_home_return(home, NULL, NULL, NULL) == MIGUARD_OK);
    return nothing_found(home);
}

/* no_new_privs as a filter of another thread brings it, while the thread is changed back. */
static void get_no_new_privs(void)
{
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void drop_from_bounding(void)
{
    (void)prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0);
}

static bool changes_in_between(void *unused)
{
    static void (*const meanwhile[])(void) = {get_no_new_privs, drop_from_bounding};
    struct miguard_home *home = NULL;
    struct miguard_error error = {0};
    unsigned switches = 0;
    const bool bounds = unused != NULL;

    MUST(start(&as_root, &home) && miguard_switch_to(target_of(OTHER), NULL) == MIGUARD_OK);
    once_groups_set = meanwhile[bounds];
    MUST(miguard_home_return(home, NULL, &switches, &error) == MIGUARD_NOT_VERIFIED);
    MUST(strstr(error.detail, bounds ? "cap-bounding changed in between" : "no") != NULL);
    MUST(switches == 1 && noted.count == 1 && noted.status == MIGUARD_NOT_VERIFIED);
    MUST(miguard_switch_depth() == 1); /* it is not undone */
    return true;
}

/* Nothing is known of a thread that cannot be read, and so nothing is tried. */
static bool cannot_be_read(void *unused)
{
    struct miguard_home *home = NULL;
    struct miguard_error error = {0};
    struct thread_view there, now;
    miguard_components found = 0;
    (void)unused;

    MUST(start(&as_root, &home) && raw_setfsuid(OTHER) && thread_view_read(&there));
    no_groups = true;
    MUST(miguard_home_check(home, &error) == MIGUARD_NOT_VERIFIED);
    MUST(miguard_home_return(home, &found, NULL, &error) == MIGUARD_UNREADABLE);
    MUST(strstr(error.detail, "groups cannot be read") != NULL);
    MUST((found & MIGUARD_COMPONENT_GROUPS) != 0 && noted.count == 1);
    MUST(thread_view_read(&now) && thread_view_same(&there, &now));
    no_groups = false;
    groups_left = 3; /* the three checks can, the way back cannot */
    MUST(miguard_home_return(home, &found, NULL, &error) == MIGUARD_UNREADABLE);
    MUST((found & MIGUARD_COMPONENT_FSUID) != 0 && (found & MIGUARD_COMPONENT_GROUPS) == 0 &&
         strstr(error.detail, "groups cannot be read") != NULL);
    groups_left = -1;
    MUST(miguard_home_return(home, NULL, NULL, NULL) == MIGUARD_OK);
    no_groups = true;
    MUST(miguard_home_check(home, NULL) == MIGUARD_UNREADABLE);
    return true;
}

/* A thread that stays changed does not regain more than it has. */
static bool nothing_is_tried(void *unused)
{
    struct miguard_home *home = NULL;
    struct thread_view there, now;
    (void)unused;

    MUST(start(&as_root, &home) && miguard_switch_to(target_of(OTHER), NULL) == MIGUARD_OK);
    MUST(no_new_privs() && thread_view_read(&there));
    MUST(miguard_home_return(home, NULL, NULL, NULL) == MIGUARD_NOT_VERIFIED);
    MUST(thread_view_read(&now) && thread_view_same(&there, &now));
    return true;
}

/* The place of a level is used again below an adoption, where its groups would lie in those of the
 * next level: what the last way back left there must not be taken for its own. */
static bool levels_below_an_adoption(void *gated)
{
    struct miguard_home *home = NULL;
    struct miguard_identity own;
    struct miguard_target *same = NULL;
    struct switch_frame frame = {0, 0};

    MUST(start(gated == NULL ? &as_root : &as_gated_root, &home));
    MUST(identity_capture(&own, NULL) == MIGUARD_OK);
    MUST(miguard_target_identity(&own, &same, NULL) == MIGUARD_OK);
    MUST(miguard_switch_to(same, NULL) == MIGUARD_OK &&
         miguard_switch_to(same, NULL) == MIGUARD_OK);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK && miguard_switch_back(NULL) == MIGUARD_OK);
    MUST(switch_adopt(&own, &frame, NULL) == MIGUARD_OK);
    MUST(miguard_switch_to(target_of(OTHER), NULL) == MIGUARD_OK);
    MUST(miguard_switch_to(same, NULL) == MIGUARD_OK);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK && miguard_switch_back(NULL) == MIGUARD_OK);
    MUST(identity_check(&own, MIGUARD_COMPONENTS_ALL, NULL) == 0);
    switch_restore(&frame);
    return nothing_found(home);
}

/* The second reading of a state may be the one that the last way back was verified by. It is made
 * in full again where the thread has changed, and where this reading is wrong. */
static bool read_again_after_a_change(void *unused)
{
    struct miguard_home *home = NULL;
    (void)unused;

    MUST(start(&as_root, &home));
    struct miguard_target *target = target_of(OTHER);
    for (unsigned i = 0; i < 3; i++) {
        reads = 0;
        MUST(miguard_switch_to(target, NULL) == MIGUARD_OK);
        MUST(reads == (i == 0 ? 3 : 2)); /* the last of them is the read-back */
        MUST(miguard_switch_back(NULL) == MIGUARD_OK);
    }
    MUST(syscall(SYS_setgroups, 1, &(gid_t){THIRD}) == 0);
    reads = 0;
    MUST(miguard_switch_to(target, NULL) == MIGUARD_OK && reads == 4);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK);
    gid_t group = 0;
    MUST(syscall(SYS_getgroups, 1, &group) == 1 && group == THIRD);
    return true;
}

/* A drop leaves the home of before, also for the thread that a gate knows. */
static bool after_a_drop(void *unused)
{
    struct miguard_home *home = NULL, *fresh = NULL;
    struct miguard_error error = {0};

    MUST(start(unused == NULL ? &as_root : &as_gated_root, &home) && nothing_found(home));
    MUST(miguard_drop(target_of(OTHER), NULL) == MIGUARD_OK);
    MUST(miguard_home_check(home, &error) == MIGUARD_NOT_VERIFIED);
    MUST(miguard_home_return(home, NULL, NULL, NULL) == MIGUARD_NOT_VERIFIED);
    MUST(miguard_home_capture(&fresh, NULL) == MIGUARD_OK && nothing_found(fresh));
    return true;
}

static bool wrong_arguments(void *unused)
{
    struct miguard_error error = {0};
    (void)unused;

    MUST(miguard_home_capture(NULL, &error) == MIGUARD_INVALID_ARGUMENT && error.detail[0] != '\0');
    MUST(miguard_home_check(NULL, NULL) == MIGUARD_INVALID_ARGUMENT);
    MUST(miguard_home_return(NULL, NULL, NULL, NULL) == MIGUARD_INVALID_ARGUMENT);
    miguard_home_free(NULL);
    return true;
}

static struct miguard_home *of_all; /* the home that other threads use, too */
static bool others_good;

static void lost_thread(void *unused)
{
    (void)unused;
    others_good = miguard_switch_to(target_of(OTHER), NULL) == MIGUARD_OK && no_new_privs() &&
                  miguard_home_return(of_all, NULL, NULL, NULL) == MIGUARD_NOT_VERIFIED;
}

/* By the log, as an administrator finds it. */
static bool is_recorded(void *unused)
{
    struct miguard_home *home = NULL;
    (void)unused;

    log_start();
    MUST(miguard_home_capture(&home, NULL) == MIGUARD_OK && nothing_found(home));
    MUST(miguard_switch_to(target_of(OTHER), NULL) == MIGUARD_OK);
    MUST(miguard_home_return(home, NULL, NULL, NULL) == MIGUARD_OK && nothing_found(home));
    MUST(log_count("restore", "left-switched") == 1 && log_count("restore", NULL) == 1);
    MUST(log_mentions("request over: 1 switches left behind") == 1);
    of_all = home;
    raw_on_thread(lost_thread, NULL);
    MUST(others_good && log_count("restore", "not-restored") == 1 &&
         log_count("restore", NULL) == 2);
    MUST(log_mentions("request over: 1 switches left behind: home: no-new-privs cannot be changed "
                      "back") == 1);
    return true;
}

/* ---- what is known without a system call
 * --------------------------------------------------------- */

/* Of full checks since the last question. */
static unsigned checks(void)
{
    unsigned count = reads;
    reads = 0;
    return count;
}

/* A label is read each time (gate/gate.h): then nothing is known without a read. */
static bool has_label(void)
{
    struct miguard_identity own;

    bool label = identity_capture(&own, NULL) == MIGUARD_OK && own.lsm_label != NULL;
    identity_release(&own);
    return label;
}

static bool child_checks(const struct miguard_home *home)
{
    (void)checks();
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK && checks() > 0);
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK && checks() == 0);
    return nothing_found(home);
}

/* With the handlers of fork(3) and without them. */
static bool in_children(const struct miguard_home *home)
{
    for (int by_clone = 0; by_clone < 2; by_clone++) {
        fflush(stdout);
        pid_t child =
            by_clone ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) : fork();
        if (child == 0) {
            raw_end_child(child_checks(home));
        }
        MUST(raw_child_passed(child));
    }
    return true;
}

static bool known_behind_the_gate(void *unused)
{
    struct miguard_home *home = NULL;
    struct miguard_identity own;
    (void)unused;

    if (has_label()) {
        return true;
    }
    MUST(start(&as_gated_root, &home) && identity_capture(&own, NULL) == MIGUARD_OK);
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK); /* the capture toggles keep-caps */
    (void)checks();
    MUST(nothing_found(home) && checks() == 0);
    const uint64_t binding = gate_new_binding(); /* a session of the request, in turn with it */
    for (int i = 0; i < 3; i++) {
        MUST(gate_check(binding, &own, MIGUARD_COMPONENTS_ALL, NULL) == 0);
        MUST((checks() == 0) == (i > 0));
        MUST(nothing_found(home) && checks() == 0);
    }
    struct miguard_home *second = NULL; /* another home is not known by the first */
    MUST(miguard_home_capture(&second, NULL) == MIGUARD_OK);
    (void)checks();
    MUST(miguard_home_check(second, NULL) == MIGUARD_OK && checks() > 0);
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK && checks() > 0);
    MUST(miguard_switch_to(target_of(OTHER), NULL) == MIGUARD_OK);
    MUST(miguard_home_check(home, NULL) == MIGUARD_NOT_VERIFIED);
    MUST(miguard_switch_back(NULL) == MIGUARD_OK);
    (void)checks();
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK && checks() == 0);   /* the read-back is it */
    MUST(identity_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) == 0); /* a change, counted */
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK && checks() > 0);
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK && checks() == 0);
    return in_children(home);
}

/* Behind the gate of one thread a known home is still asked for no_new_privs. Where that is refused
 * it is not known any more, and errno stays. */
static bool denied_behind_the_gate(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_home *home = NULL;
    miguard_components found = 0;
    (void)unused;

    if (has_label()) {
        return true;
    }
    options.scope = MIGUARD_GATE_THREAD;
    MUST(start(&as_root, &home) && miguard_gate_close(&options, NULL) == MIGUARD_OK);
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK);
    (void)checks();
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK && checks() == 0);
    no_new_privs_denied = true;
    errno = 0;
    MUST(miguard_home_check(home, NULL) == MIGUARD_UNREADABLE);
    MUST(errno == 0 && denied > 0 && checks() > 0);
    MUST(miguard_home_return(home, &found, NULL, NULL) == MIGUARD_UNREADABLE && errno == 0);
    MUST((found & MIGUARD_COMPONENT_NO_NEW_PRIVS) != 0);
    no_new_privs_denied = false;
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK);
    return true;
}

static bool read_without_a_gate(void *unused)
{
    struct miguard_home *home = NULL;
    (void)unused;

    MUST(start(&as_root, &home));
    (void)checks();
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK && checks() > 0);
    MUST(miguard_home_check(home, NULL) == MIGUARD_OK && checks() > 0);
    return true;
}

/* A home of one thread serves the others; what one does is not known of another. */
static void other_thread(void *unused)
{
    (void)unused;
    (void)checks();
    others_good = miguard_home_check(of_all, NULL) == MIGUARD_OK && checks() > 0 &&
                  miguard_switch_to(target_of(OTHER), NULL) == MIGUARD_OK;
    others_good = others_good && miguard_home_check(of_all, NULL) == MIGUARD_NOT_VERIFIED &&
                  miguard_home_return(of_all, NULL, NULL, NULL) == MIGUARD_OK &&
                  miguard_home_check(of_all, NULL) == MIGUARD_OK;
}

static bool on_other_threads(void *unused)
{
    (void)unused;
    MUST(start(&as_gated_root, &of_all));
    raw_on_thread(other_thread, NULL);
    MUST(others_good && nothing_found(of_all));
    return true;
}

/* ---- all of it
 * ----------------------------------------------------------------------------------- */

struct child {
    bool (*body)(void *data);
    void *data;
};

static int in_namespace(void *data)
{
    const struct child *child = data;
    return child->body(child->data) ? 0 : 1;
}

static bool run(const struct trial *trial, bool (*body)(void *data), void *data)
{
    static const struct userns mapped = {"0 100000 65536\n", "0 100000 65536\n", false};
    struct child child = {body, data};

    return trial->situation->in_namespace ? userns_run(&mapped, in_namespace, &child) == 0
                                          : raw_in_child(body, data);
}

static void check(bool good, const char *what, const char *more)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s %s\n", what, more);
    }
}

static void try_situation(const struct situation *situation, bool gated)
{
    char what[128];
    const bool thorough = getenv("QUICK") == NULL;
    struct trial trial = {.situation = situation, .gated = gated};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(what, sizeof(what), "%s, %s: %s", situation->what, gated ? "gated" : "not gated",
                 rows[i].what);
        doing = what;
        trial.row = &rows[i];
        check(run(&trial, try_row, &trial), what, "");
        if (!gated) {
            check(run(&trial, try_parts, &trial), what, "(a part is compared)");
        }
    }
    for (unsigned depth = 1; depth <= MIGUARD_SWITCH_DEPTH; depth += thorough ? 1 : 5) {
        static const size_t above[] = {4, 10}; /* the fs uid and the groups */
        for (size_t i = 0; i <= sizeof(above) / sizeof(above[0]); i++) {
            trial.depth = depth;
            trial.row = i == 0 ? NULL : &rows[above[i - 1]];
            snprintf(what, sizeof(what), "%s, %s: %u switches and %s", situation->what,
                     gated ? "gated" : "not gated", depth, i == 0 ? "nothing" : trial.row->what);
            doing = what;
            check(run(&trial, try_depth, &trial), what, "");
        }
    }
}

static bool can_close(void *unused)
{
    (void)unused;
    return close_gate();
}

static int do_nothing(void *unused)
{
    (void)unused;
    return 0;
}

static void try_situations(bool gates, bool namespaces)
{
    for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
        for (int way = PLAIN; way < WAYS; way++) {
            if ((way == GATED && !gates) || (situations[i].in_namespace && !namespaces)) {
                printf("skip: %s: no %s is available\n", situations[i].what,
                       way == GATED && !gates ? "gate" : "user namespace");
                skipped++;
                continue;
            }
            try_situation(&situations[i], way == GATED);
        }
    }
}

int main(void)
{
    static const struct userns mapped = {"0 100000 65536\n", "0 100000 65536\n", false};
    static const struct {
        const char *what;
        bool (*body)(void *data);
        void *data;
        bool needs_gate;
    } singles[] = {
        {"in a block", in_a_block, NULL, false},
        {"in a callback", in_a_callback, NULL, false},
        {"after a jump out of a block", after_a_jump, NULL, false},
        {"a switch to itself", left_to_itself, NULL, false},
        {"a switch to itself, gated", left_to_itself, (void *)&situations, true},
        {"a way back that does nothing", way_back_fails, NULL, false},
        {"no_new_privs in between", changes_in_between, NULL, false},
        {"the bounding set in between", changes_in_between, (void *)&situations, false},
        {"a thread that cannot be read", cannot_be_read, NULL, false},
        {"nothing is tried in vain", nothing_is_tried, NULL, false},
        {"levels below an adoption", levels_below_an_adoption, NULL, false},
        {"levels below an adoption, gated", levels_below_an_adoption, (void *)&situations, true},
        {"read again after a change", read_again_after_a_change, NULL, false},
        {"records", is_recorded, NULL, false},
        {"after a drop", after_a_drop, NULL, false},
        {"after a drop behind the gate", after_a_drop, (void *)&situations, true},
        {"wrong arguments", wrong_arguments, NULL, false},
        {"read without a gate", read_without_a_gate, NULL, false},
        {"known behind the gate", known_behind_the_gate, NULL, true},
        {"denied behind the gate", denied_behind_the_gate, NULL, true},
        {"on other threads", on_other_threads, NULL, true},
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (geteuid() != 0) {
        printf("skip: homes: changing credentials needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    const bool gates = raw_in_child(can_close, NULL);
    const bool namespaces =
        !RAW_HIDDEN_THREAD && userns_run(&mapped, do_nothing, NULL) == USERNS_PASSED;
    for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
        doing = singles[i].what;
        if (singles[i].needs_gate && !gates) {
            printf("skip: %s: no gate is available\n", doing);
            skipped++;
            continue;
        }
        check(raw_in_child(singles[i].body, singles[i].data), doing, "");
    }
    try_situations(gates, namespaces);
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
