/* SPDX-License-Identifier: MIT */
/*
 * Targets that take more than ids, blocks that run as somebody else, and what is told about
 * switches. What a thread is, is read by raw system calls.
 */
#include "support/elsewhere.h"
#include "switch/switch.h"

#include <MI.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "miguard.h"
#include "support/lacks.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define CAP(NAME)     ((uint64_t)1 << CAP_##NAME)

enum { SOMEBODY = 12345, OTHER = 23456 };

static const struct miguard_groups clear = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
static const struct miguard_groups keep = {MIGUARD_GROUPS_KEEP, NULL, 0, NULL};

static uid_t euid_now(void)
{
    uid_t uid[3] = {(uid_t)-1, (uid_t)-1, (uid_t)-1};
    syscall(SYS_getresuid, &uid[0], &uid[1], &uid[2]);
    return uid[1];
}

static struct __user_cap_data_struct caps_now[2];

static void read_caps_now(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    syscall(SYS_capget, &header, caps_now);
}

static uint64_t effective_now(void)
{
    read_caps_now();
    return (uint64_t)caps_now[1].effective << 32 | caps_now[0].effective;
}

static struct miguard_target *somebody(uid_t uid)
{
    struct miguard_target *target = NULL;
    return miguard_target_ids(uid, uid, &clear, &target, NULL) == MIGUARD_OK ? target : NULL;
}

/* ---- groups that are kept ---------------------------------------------------------------- */

static int keep_groups(const void *unused)
{
    const gid_t own[] = {7, 5};
    gid_t now[8];
    struct miguard_target *target = NULL;
    (void)unused;

    EXPECT(raw_setgroups(2, own));
    EXPECT(miguard_target_ids(SOMEBODY, OTHER, &keep, &target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(syscall(SYS_getgroups, 8, now) == 2 && now[0] + now[1] == 12);
    EXPECT(euid_now() == SOMEBODY);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    EXPECT(syscall(SYS_getgroups, 8, now) == 2 && now[0] + now[1] == 12);
    miguard_target_free(target);
    return 0;
}

/* ---- capabilities that are kept ---------------------------------------------------------- */

static const struct {
    const char *names;
    enum miguard_status status;
    uint64_t caps;
} cap_rows[] = {
    {"", MIGUARD_OK, 0},
    {"cap_net_bind_service", MIGUARD_OK, CAP(NET_BIND_SERVICE)},
    {"net_bind_service", MIGUARD_OK, CAP(NET_BIND_SERVICE)},
    {"CAP_NET_BIND_SERVICE", MIGUARD_OK, CAP(NET_BIND_SERVICE)},
    {"Cap_Chown,kill", MIGUARD_OK, CAP(CHOWN) | CAP(KILL)},
    {"cap_kill,cap_kill", MIGUARD_OK, CAP(KILL)},
    {"cap_net_bind_service,cap_dac_read_search", MIGUARD_OK,
     CAP(NET_BIND_SERVICE) | CAP(DAC_READ_SEARCH)},
    {"cap_bpf", MIGUARD_OK, CAP(BPF)},
    {"cap_", MIGUARD_NOT_FOUND, 0},
    {"cap_cap_kill", MIGUARD_NOT_FOUND, 0},
    {"cap_everything", MIGUARD_NOT_FOUND, 0},
    {"all", MIGUARD_NOT_FOUND, 0},
    {"5", MIGUARD_NOT_FOUND, 0},
    {",", MIGUARD_NOT_FOUND, 0},
    {"cap_kill,", MIGUARD_NOT_FOUND, 0},
    {",cap_kill", MIGUARD_NOT_FOUND, 0},
    {"cap_kill,,cap_chown", MIGUARD_NOT_FOUND, 0},
    {"cap_kill cap_chown", MIGUARD_NOT_FOUND, 0},
    {" cap_kill", MIGUARD_NOT_FOUND, 0},
    {"cap_kill\xff", MIGUARD_NOT_FOUND, 0},
    {"cap_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     MIGUARD_NOT_FOUND, 0},
    {NULL, MIGUARD_INVALID_ARGUMENT, 0},
};

static int switch_with_caps(const void *context)
{
    int row = *(const int *)context;
    struct miguard_target *target = somebody(SOMEBODY);
    struct miguard_error error = {.status = MIGUARD_OK};

    EXPECT(target != NULL);
    const uint64_t before = effective_now();
    EXPECT(miguard_target_keep_caps(target, cap_rows[row].names, &error) == cap_rows[row].status);
    EXPECT(error.status == cap_rows[row].status);
    if (geteuid() == 0 && (cap_rows[row].caps & ~before) == 0) {
        EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
        /* What could not be said is not in force. */
        EXPECT(euid_now() == SOMEBODY && effective_now() == cap_rows[row].caps);
        EXPECT(caps_now[0].inheritable == 0 && caps_now[1].inheritable == 0);
        EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
        EXPECT(effective_now() == before);
    }
    miguard_target_free(target);
    return 0;
}

START_TEST(capabilities_to_keep)
{
    int status = in_child(switch_with_caps, &_i);
    ck_assert_msg(status == 0, "\"%s\": status %#x",
                  cap_rows[_i].names == NULL ? "NULL" : cap_rows[_i].names, status);
}
END_TEST

/* The kept capability does what it is for, and only that. */
static int read_as_somebody(const void *unused)
{
    struct miguard_target *target = somebody(SOMEBODY);
    char path[] = "/tmp/miguard-scope-XXXXXX";
    (void)unused;

    int fd = mkstemp(path); /* 0600 */
    EXPECT(fd >= 0 && close(fd) == 0 && target != NULL);
    EXPECT(miguard_target_keep_caps(target, "cap_dac_read_search", NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    int reads = open(path, O_RDONLY), writes = open(path, O_WRONLY);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    EXPECT(unlink(path) == 0);
    EXPECT(reads >= 0 && writes < 0);
    /* And root that keeps none has none. */
    struct miguard_target *root = somebody(0);
    EXPECT(root != NULL && miguard_target_keep_caps(root, "", NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(root, NULL) == MIGUARD_OK);
    EXPECT(euid_now() == 0 && effective_now() == 0);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    close(reads);
    miguard_target_free(target);
    miguard_target_free(root);
    return 0;
}

static int lacks_the_cap(const void *unused)
{
    struct miguard_target *target = somebody(SOMEBODY);
    struct miguard_error error;
    (void)unused;

    EXPECT(target != NULL);
    EXPECT(miguard_target_keep_caps(target, "kill,sys_time", NULL) == MIGUARD_OK);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    read_caps_now();
    caps_now[0].permitted = caps_now[0].effective &= ~(1u << CAP_KILL);
    EXPECT(syscall(SYS_capset, &header, caps_now) == 0);
    EXPECT(miguard_switch_to(target, &error) == MIGUARD_NOT_PERMITTED);
    EXPECT(strstr(error.detail, "cap_kill") != NULL && error.system_errno == EPERM);
    EXPECT(euid_now() == 0 && miguard_switch_depth() == 0);
    miguard_target_free(target);
    return 0;
}

START_TEST(capabilities_of_no_target)
{
    struct miguard_identity *own = NULL;
    struct miguard_target *target = NULL;

    ck_assert_int_eq(miguard_target_keep_caps(NULL, "", NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_identity_capture(&own, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_identity(own, &target, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_keep_caps(target, "", NULL), MIGUARD_INVALID_ARGUMENT);
    miguard_target_free(target);
    miguard_identity_free(own);
}
END_TEST

/* ---- the peer of a socket ---------------------------------------------------------------- */

static int make_pair_as(uid_t uid, const gid_t *groups, size_t count, int sockets[2])
{
    gid_t own[64];
    int own_count = (int)syscall(SYS_getgroups, 64, own);

    EXPECT(own_count >= 0 && raw_setgroups(count, groups));
    EXPECT(raw_setresgid((gid_t)-1, uid + 1, (gid_t)-1) &&
           raw_setresuid((uid_t)-1, uid, (uid_t)-1));
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    EXPECT(raw_setresuid((uid_t)-1, 0, (uid_t)-1) && raw_setresgid((gid_t)-1, 0, (gid_t)-1));
    EXPECT(raw_setgroups((size_t)own_count, own));
    return 0;
}

/* The second has more than one call asks for. */
static const int peer_group_counts[] = {3, 200, 0};

static int become_peer(const void *context)
{
    const int count = *(const int *)context;
    gid_t groups[256], now[256];
    int sockets[2];
    struct miguard_target *target = NULL;
    uid_t uid[3];
    gid_t gid[3];

    for (int i = 0; i < count; i++) {
        groups[i] = (gid_t)(70000 + i);
    }
    EXPECT(make_pair_as(SOMEBODY, groups, (size_t)count, sockets) == 0);
    EXPECT(miguard_target_peer(sockets[0], &target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    syscall(SYS_getresuid, &uid[0], &uid[1], &uid[2]);
    syscall(SYS_getresgid, &gid[0], &gid[1], &gid[2]);
    EXPECT(uid[0] == SOMEBODY && uid[1] == SOMEBODY && gid[0] == SOMEBODY + 1 &&
           gid[1] == SOMEBODY + 1);
    EXPECT(syscall(SYS_getgroups, 256, now) == count);
    EXPECT(memcmp(groups, now, (size_t)count * sizeof(gid_t)) == 0);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    miguard_target_free(target);
    return 0;
}

START_TEST(peer_is_become)
{
    if (lacks_peer_groups()) {
        printf("skip: becoming a peer: nobody tells its groups here (SO_PEERGROUPS)\n");
    } else if (is_root("becoming a peer")) {
        ck_assert_int_eq(in_child(become_peer, &peer_group_counts[_i]), 0);
    }
}
END_TEST

START_TEST(no_peer)
{
    struct miguard_target *target = (void *)&target;
    struct miguard_error error;
    int pipes[2], sockets[2];

    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    const int descriptors[] = {-1, pipes[0], socket(AF_INET, SOCK_STREAM, 0),
                               socket(AF_UNIX, SOCK_STREAM, 0)};
    for (int i = 0; i < LENGTH(descriptors); i++) {
        error.status = MIGUARD_OK;
        ck_assert_msg(miguard_target_peer(descriptors[i], &target, &error) ==
                          MIGUARD_INVALID_ARGUMENT,
                      "descriptor %d", i);
        ck_assert_int_eq(error.status, MIGUARD_INVALID_ARGUMENT);
        ck_assert_ptr_eq(target, (void *)&target);
    }
    ck_assert_int_eq(miguard_target_peer(sockets[0], NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    /* One's own process is a peer like any other, also without privilege. */
    ck_assert_int_eq(miguard_target_peer(sockets[0], &target, NULL), MIGUARD_OK);
    miguard_target_free(target);
    close(pipes[0]);
    close(pipes[1]);
    close(sockets[0]);
    close(sockets[1]);
    close(descriptors[2]);
    close(descriptors[3]);
}
END_TEST

/* ---- the identity of a session ----------------------------------------------------------- */

static int become_session(const void *unused)
{
    struct miguard_target *user = somebody(SOMEBODY), *target = NULL;
    struct stub_host *host = stub_host_new();
    MI_Context *context = NULL;
    MI_Session session = MI_SESSION_NULL;
    const MI_Session null = MI_SESSION_NULL;
    (void)unused;

    log_start();
    EXPECT(user != NULL);
    EXPECT(miguard_guard_context(&host->context, &context) == MI_RESULT_OK);
    EXPECT(miguard_switch_to(user, NULL) == MIGUARD_OK);
    EXPECT(MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);

    EXPECT(miguard_target_session(NULL, &target, NULL) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(miguard_target_session(&session, NULL, NULL) == MIGUARD_INVALID_ARGUMENT);
    EXPECT(miguard_target_session(&null, &target, NULL) == MIGUARD_NOT_FOUND);
    MI_Session forged = session;
    forged.reserved2++;
    EXPECT(miguard_target_session(&forged, &target, NULL) == MIGUARD_NOT_FOUND);
    EXPECT(target == NULL);
    EXPECT(miguard_target_session(&session, &target, NULL) == MIGUARD_OK);
    EXPECT(euid_now() == 0 && miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(euid_now() == SOMEBODY);
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session_TestConnection(&session, 0, NULL, &operation);
    EXPECT(atomic_load(&host->reached) == 1); /* and may use it */
    EXPECT(MI_Operation_Close(&operation) == MI_RESULT_OK);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK && euid_now() == 0);

    MI_Context_PostResult(context, MI_RESULT_OK);
    struct miguard_target *late = NULL;
    EXPECT(miguard_target_session(&session, &late, NULL) == MIGUARD_NOT_FOUND);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK); /* the target outlives the session */
    EXPECT(euid_now() == SOMEBODY && miguard_switch_back(NULL) == MIGUARD_OK);
    miguard_target_free(target);
    miguard_target_free(user);
    stub_host_free(host);
    log_remove();
    return 0;
}

/* ---- blocks ------------------------------------------------------------------------------ */

static int leave_by_return(const struct miguard_target *target)
{
    enum miguard_status status = MIGUARD_SYSTEM;
    MIGUARD_SWITCHED(target, &status, NULL)
    {
        return (int)euid_now();
    }
    return -1;
}

static int leave_in_every_way(const void *unused)
{
    struct miguard_target *target = somebody(SOMEBODY);
    enum miguard_status status = MIGUARD_SYSTEM;
    int ran = 0;
    (void)unused;

    EXPECT(target != NULL);
    MIGUARD_SWITCHED(target, &status, NULL)
    {
        EXPECT(status == MIGUARD_OK && euid_now() == SOMEBODY && miguard_switch_depth() == 1);
        ran++;
    }
    EXPECT(ran == 1 && euid_now() == 0 && miguard_switch_depth() == 0);
    EXPECT(leave_by_return(target) == SOMEBODY && euid_now() == 0);
    MIGUARD_SWITCHED(target, &status, NULL)
    {
        ran++;
        break;
    }
    EXPECT(ran == 2 && euid_now() == 0);
    for (int i = 0; i < 3; i++) {
        MIGUARD_SWITCHED(target, &status, NULL)
        {
            ran++;
            continue; /* of the block */
        }
        EXPECT(euid_now() == 0);
    }
    EXPECT(ran == 5);
    MIGUARD_SWITCHED(target, &status, NULL)
    {
        goto out;
    }
    ran = -1;
out:
    EXPECT(ran == 5 && euid_now() == 0 && miguard_switch_depth() == 0);
    miguard_target_free(target);
    return 0;
}

static int nest_and_forget(const void *unused)
{
    struct miguard_target *target = somebody(SOMEBODY), *other = somebody(OTHER);
    enum miguard_status status, inner;
    struct miguard_error error;
    (void)unused;

    EXPECT(target != NULL && other != NULL);
    EXPECT(miguard_switch_to(other, NULL) == MIGUARD_OK);
    MIGUARD_SWITCHED(target, &status, NULL)
    {
        /* The block's own switch is not for miguard_switch_back() to undo. */
        EXPECT(miguard_switch_back(&error) == MIGUARD_BAD_STATE);
        EXPECT(euid_now() == SOMEBODY && strstr(error.detail, "MIGUARD_SWITCHED") != NULL);
        MIGUARD_SWITCHED(other, &inner, NULL)
        {
            EXPECT(euid_now() == OTHER && miguard_switch_depth() == 3);
        }
        EXPECT(euid_now() == SOMEBODY);
        /* Forgotten twice. */
        EXPECT(miguard_switch_to(other, NULL) == MIGUARD_OK);
        EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
        EXPECT(miguard_switch_depth() == 4);
    }
    EXPECT(miguard_switch_depth() == 1 && euid_now() == OTHER);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK && euid_now() == 0);
    miguard_target_free(target);
    miguard_target_free(other);
    return 0;
}

/* Runs as root and as anybody: the body of a block whose switch failed does not run. */
static int fail_to_enter(const void *unused)
{
    enum miguard_status status = MIGUARD_OK;
    struct miguard_error error = {.status = MIGUARD_OK};
    struct miguard_target *target = somebody(SOMEBODY);
    bool ran = false;
    (void)unused;

    EXPECT(target != NULL);
    MIGUARD_SWITCHED(NULL, &status, &error)
    {
        ran = true;
    }
    EXPECT(!ran && status == MIGUARD_INVALID_ARGUMENT && error.status == status);
    error.status = MIGUARD_OK;
    MIGUARD_SWITCHED(target, NULL, &error)
    {
        ran = true;
    }
    EXPECT(!ran && error.status == MIGUARD_INVALID_ARGUMENT);
    if (geteuid() == 0) {
        EXPECT(raw_become(OTHER, OTHER));
    }
    const uid_t before = euid_now();
    MIGUARD_SWITCHED(target, &status, &error)
    {
        ran = true;
    }
    EXPECT(!ran && status == MIGUARD_NOT_PERMITTED && euid_now() == before);
    EXPECT(miguard_switch_depth() == 0);
    miguard_target_free(target);
    return 0;
}

/* A scope that is not this thread's latest undoes nothing that is not its own. */
static int leave_what_was_not_entered(const void *unused)
{
    struct miguard_target *target = somebody(SOMEBODY);
    enum miguard_status status = MIGUARD_SYSTEM;
    struct miguard_scope garbage, copy;
    (void)unused;

    memset(&garbage, 0xA5, sizeof(garbage));
    miguard_scope_leave(NULL);
    miguard_scope_leave(&garbage);
    EXPECT(target != NULL && miguard_switch_to(target, NULL) == MIGUARD_OK);
    garbage.level = 1;
    miguard_scope_leave(&garbage);
    garbage.serial = 0; /* that of a switch without a block */
    miguard_scope_leave(&garbage);
    EXPECT(miguard_switch_depth() == 1 && euid_now() == SOMEBODY);
    struct miguard_scope scope = miguard_scope_enter(target, &status, NULL);
    EXPECT(status == MIGUARD_OK && miguard_switch_depth() == 2);
    copy = scope;
    miguard_scope_leave(&scope);
    miguard_scope_leave(&scope);
    miguard_scope_leave(&copy);
    EXPECT(miguard_switch_depth() == 1);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK && euid_now() == 0);
    miguard_target_free(target);
    return 0;
}

/* ---- who is told ------------------------------------------------------------------------- */

static struct {
    int calls;
    enum switch_kind kind;
    enum miguard_status status;
    const void *site;
    uid_t from, to, during;
    bool error;
} told;

static void observe(const struct switch_note *note)
{
    told.calls++;
    told.kind = note->kind;
    told.status = note->status;
    told.site = note->site;
    told.from = note->from != NULL ? note->from->uid[IDENTITY_E] : (uid_t)-1;
    told.to = note->to != NULL ? note->to->uid[IDENTITY_E] : (uid_t)-1;
    told.during = euid_now();
    told.error = note->error != NULL && note->error->status == note->status;
}

static const struct switch_hooks hooks = {.switched = observe};

static bool is_near(const void *site)
{
    const uintptr_t here = (uintptr_t)&euid_now, there = (uintptr_t)site;
    return there > here - 65536 && there < here + 65536;
}

static int be_observed(const void *unused)
{
    struct miguard_target *target = somebody(SOMEBODY);
    struct switch_last last = switch_last();
    struct timespec before;
    (void)unused;

    EXPECT(target != NULL && last.count == 0 && last.site == NULL && last.kind == 0);
    clock_gettime(CLOCK_REALTIME, &before);
    switch_set_hooks(&hooks);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(told.calls == 1 && told.kind == SWITCH_KIND_TO && told.status == MIGUARD_OK);
    EXPECT(told.from == 0 && told.to == SOMEBODY && told.during == SOMEBODY && !told.error);
    last = switch_last();
    EXPECT(last.count == 1 && last.kind == SWITCH_KIND_TO && last.site == told.site);
    EXPECT(is_near(last.site) && last.time.tv_sec >= before.tv_sec);
    const void *first_site = last.site;

    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    EXPECT(told.calls == 2 && told.kind == SWITCH_KIND_BACK && told.during == 0);
    EXPECT(told.from == SOMEBODY && told.to == 0);
    last = switch_last();
    EXPECT(last.count == 2 && last.site != first_site && is_near(last.site));

    EXPECT(miguard_switch_back(NULL) == MIGUARD_NOT_SWITCHED);
    EXPECT(told.calls == 3 && told.status == MIGUARD_NOT_SWITCHED && told.error);
    EXPECT(switch_last().count == 2); /* what failed is no switch */
    EXPECT(raw_become(OTHER, OTHER));
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_NOT_PERMITTED);
    EXPECT(told.calls == 4 && told.error && told.from == OTHER && told.to == SOMEBODY &&
           told.during == OTHER);
    switch_set_hooks(NULL);
    EXPECT(miguard_switch_to(NULL, NULL) == MIGUARD_INVALID_ARGUMENT && told.calls == 4);
    miguard_target_free(target);
    return 0;
}

static void *last_of_this_thread(void *result)
{
    *(struct switch_last *)result = switch_last();
    return NULL;
}

static int last_is_a_threads_own(const void *unused)
{
    struct miguard_target *target = somebody(SOMEBODY);
    struct switch_last other = {.count = 7};
    pthread_t thread;
    (void)unused;

    EXPECT(target != NULL && miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    EXPECT(pthread_create(&thread, NULL, last_of_this_thread, &other) == 0);
    EXPECT(pthread_join(thread, NULL) == 0 && other.count == 0);
    EXPECT(switch_last().count == 2);
    miguard_target_free(target);
    return 0;
}

/* ---- all of them ------------------------------------------------------------------------- */

static const struct {
    const char *what;
    int (*body)(const void *);
    bool needs_root;
} bodies[] = {
    {"groups that are kept", keep_groups, true},
    {"a kept capability at work", read_as_somebody, true},
    {"a capability that is not there to be kept", lacks_the_cap, true},
    {"the identity of a session", become_session, true},
    {"every way out of a block", leave_in_every_way, true},
    {"nested blocks and forgotten switches", nest_and_forget, true},
    {"a block that is not entered", fail_to_enter, false},
    {"scopes that are none", leave_what_was_not_entered, true},
    {"the observer", be_observed, true},
    {"the last switch of each thread", last_is_a_threads_own, true},
};

START_TEST(each_body)
{
    if (!bodies[_i].needs_root || is_root(bodies[_i].what)) {
        int status = in_child(bodies[_i].body, NULL);
        ck_assert_msg(status == 0, "%s: status %#x", bodies[_i].what, status);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("switch scopes");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, capabilities_to_keep, 0, LENGTH(cap_rows));
    tcase_add_test(all, capabilities_of_no_target);
    tcase_add_loop_test(all, peer_is_become, 0, LENGTH(peer_group_counts));
    tcase_add_test(all, no_peer);
    tcase_add_loop_test(all, each_body, 0, LENGTH(bodies));
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
