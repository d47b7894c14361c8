/* SPDX-License-Identifier: MIT */
/*
 * Switching without being root of the machine: in user namespaces with and without maps, and with
 * single capabilities. What each call of the API needs is the table at the end.
 */
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "miguard/switch.h"
#include "support/elsewhere.h"
#include "support/raw.h"
#include "support/userns.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define CAP(NAME)     ((uint64_t)1 << CAP_##NAME)

static const struct miguard_groups clear = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
static const struct miguard_groups keep = {MIGUARD_GROUPS_KEEP, NULL, 0, NULL};

static uid_t euid_now(void)
{
    uid_t uid[3] = {(uid_t)-1, (uid_t)-1, (uid_t)-1};
    syscall(SYS_getresuid, &uid[0], &uid[1], &uid[2]);
    return uid[1];
}

/* Kept until the child that runs the test is gone. */
static struct miguard_target *made[64];
static int made_count;

static struct miguard_target *target_of(uid_t uid, const struct miguard_groups *groups)
{
    struct miguard_target **target = &made[made_count++];
    return miguard_target_ids(uid, uid, groups, target, NULL) == MIGUARD_OK ? *target : NULL;
}

/* ---- user namespaces --------------------------------------------------------------------- */

/* 0 to 999 are mapped, and 2000 alone. */
#define MAP "0 100000 1000\n2000 102000 1\n"
static const struct userns mapped = {MAP, MAP, false};

static bool be_root_inside(void)
{
    return raw_setresgid(0, 0, 0) && raw_setresuid(0, 0, 0) && raw_setgroups(0, NULL);
}

static int switch_to_mapped(void *unused)
{
    struct miguard_target *target = target_of(2000, &clear);
    (void)unused;

    EXPECT(be_root_inside() && target != NULL);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK && euid_now() == 2000);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK && euid_now() == 0);
    EXPECT(miguard_drop(target, NULL) == MIGUARD_OK && euid_now() == 2000);
    EXPECT(!raw_setresuid(0, 0, 0));
    return 0;
}

static int fail_for_unmapped(void *unused)
{
    const gid_t unmapped[] = {5, 1500};
    const struct miguard_groups list = {MIGUARD_GROUPS_LIST, unmapped, 2, NULL};
    struct miguard_target *user = target_of(1500, &clear), *group = target_of(5, &list);
    struct miguard_error error;
    gid_t groups[8];
    (void)unused;

    EXPECT(be_root_inside() && user != NULL && group != NULL);
    EXPECT(miguard_switch_to(user, &error) == MIGUARD_SYSTEM && error.system_errno == EINVAL);
    EXPECT(strstr(error.detail, "map") != NULL && strstr(error.step, "setres") != NULL);
    EXPECT(euid_now() == 0);
    EXPECT(miguard_switch_to(group, &error) == MIGUARD_SYSTEM && error.system_errno == EINVAL);
    EXPECT(strcmp(error.step, "setgroups") == 0 && euid_now() == 0);
    EXPECT(miguard_drop(user, &error) == MIGUARD_SYSTEM && euid_now() == 0);
    EXPECT(syscall(SYS_getgroups, 8, groups) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
    return 0;
}

/* Nothing is mapped: the thread is shown as the overflow ids, and could not come back to them. */
static int fail_without_map(void *unused)
{
    struct miguard_target *target = target_of(65534, &keep);
    struct miguard_error error;
    (void)unused;

    EXPECT(target != NULL && miguard_switch_to(target, &error) == MIGUARD_UNPROVABLE);
    EXPECT(miguard_drop(target, &error) == MIGUARD_UNPROVABLE);
    return 0;
}

/* setgroups(2) is denied for good: keeping the groups is all that can be asked. */
static int switch_with_setgroups_denied(void *unused)
{
    struct miguard_error error;
    const gid_t other[] = {5};
    const struct miguard_groups list = {MIGUARD_GROUPS_LIST, other, 1, NULL};
    struct miguard_target *keeps = target_of(7, &keep), *lists = target_of(7, &list);
    (void)unused;

    EXPECT(raw_setresgid(0, 0, 0) && raw_setresuid(0, 0, 0) && keeps != NULL && lists != NULL);
    EXPECT(miguard_switch_to(lists, &error) == MIGUARD_NOT_PERMITTED && euid_now() == 0);
    EXPECT(strcmp(error.step, "setgroups") == 0);
    EXPECT(miguard_switch_to(keeps, NULL) == MIGUARD_OK && euid_now() == 7);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK && euid_now() == 0);
    return 0;
}

/* A peer from outside whose uid or group is not mapped here is shown as 65534. */
static int refuse_peer(void *socket)
{
    struct miguard_target *target = (void *)&target;
    struct miguard_error error;

    EXPECT(be_root_inside());
    EXPECT(miguard_target_peer(*(int *)socket, &target, &error) == MIGUARD_UNPROVABLE);
    EXPECT(error.status == MIGUARD_UNPROVABLE && target == (void *)&target);
    return 0;
}

static int accept_peer(void *socket)
{
    static struct miguard_target *target;

    EXPECT(be_root_inside());
    EXPECT(miguard_target_peer(*(int *)socket, &target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK && euid_now() == 2000);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    return 0;
}

/* Makes a pair of sockets as a user of the outer namespace. */
struct peer {
    uid_t uid;
    gid_t gid;
    gid_t group;
};

static int pair_as(const struct peer *peer)
{
    int sockets[2] = {-1, -1};

    if (!raw_setgroups(1, &peer->group) || !raw_setresgid((gid_t)-1, peer->gid, (gid_t)-1) ||
        !raw_setresuid((uid_t)-1, peer->uid, (uid_t)-1) ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0 ||
        !raw_setresuid((uid_t)-1, 0, (uid_t)-1) || !raw_setresgid((gid_t)-1, 0, (gid_t)-1) ||
        !raw_setgroups(0, NULL)) {
        abort();
    }
    return sockets[0];
}

static const struct {
    const char *what;
    struct userns userns;
    int (*body)(void *);
    struct peer peer; /* uid 0: none */
} namespace_rows[] = {
    {"mapped ids", {MAP, MAP, false}, switch_to_mapped, {0, 0, 0}},
    {"unmapped ids", {MAP, MAP, false}, fail_for_unmapped, {0, 0, 0}},
    {"no map", {"", "", false}, fail_without_map, {0, 0, 0}},
    {"setgroups denied",
     {"0 0 1000\n", "0 0 1000\n", true},
     switch_with_setgroups_denied,
     {0, 0, 0}},
    {"a peer with mapped ids", {MAP, MAP, false}, accept_peer, {102000, 102000, 100003}},
    {"a peer with an unmapped uid", {MAP, MAP, false}, refuse_peer, {5000, 102000, 100003}},
    {"a peer with an unmapped gid", {MAP, MAP, false}, refuse_peer, {102000, 5000, 100003}},
    {"a peer with an unmapped group", {MAP, MAP, false}, refuse_peer, {102000, 102000, 5000}},
};

static int run_in_namespace(const void *context)
{
    int row = *(const int *)context, socket = -1;

    if (namespace_rows[row].peer.uid != 0) {
        socket = pair_as(&namespace_rows[row].peer);
    }
    return userns_run(&namespace_rows[row].userns, namespace_rows[row].body, &socket) ==
                   USERNS_PASSED
               ? 0
               : 1;
}

static int do_nothing(void *unused)
{
    (void)unused;
    return 0;
}

static bool can_have_namespaces(const char *what)
{
    if (RAW_HIDDEN_THREAD) {
        printf("skip: %s: a process with several threads gets no user namespace\n", what);
        return false;
    }
    if (userns_run(&mapped, do_nothing, NULL) == USERNS_PASSED) {
        return true;
    }
    printf("skip: %s: user namespaces are not to be had here\n", what);
    return false;
}

START_TEST(in_a_namespace)
{
    const char *what = namespace_rows[_i].what;
    if (is_root(what) && can_have_namespaces(what)) {
        int status = in_child(run_in_namespace, &_i);
        ck_assert_msg(status == 0, "%s: status %#x", what, status);
    }
}
END_TEST

/* What anybody may do: a namespace with oneself as root in it, and nobody else. */
static int switch_as_own_root(void *unused)
{
    struct miguard_target *self = target_of(0, &keep), *other = target_of(1, &keep);
    struct miguard_error error;
    (void)unused;

    EXPECT(euid_now() == 0 && self != NULL && other != NULL);
    EXPECT(miguard_switch_to(self, NULL) == MIGUARD_OK && miguard_switch_back(NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(other, &error) == MIGUARD_SYSTEM && error.system_errno == EINVAL);
    EXPECT(euid_now() == 0 && miguard_switch_depth() == 0);
    return 0;
}

START_TEST(as_anybody_in_a_namespace)
{
    char uids[32], gids[32];

    if (RAW_HIDDEN_THREAD) {
        printf("skip: a namespace of one's own: several threads\n");
        return;
    }
    snprintf(uids, sizeof(uids), "0 %u 1\n", geteuid());
    snprintf(gids, sizeof(gids), "0 %u 1\n", getegid());
    const struct userns own = {uids, gids, true};

    int result = userns_run(&own, switch_as_own_root, NULL);
    if (result == USERNS_CANNOT) {
        printf("skip: a namespace of one's own: not to be had here\n");
        return;
    }
    ck_assert_int_eq(result, USERNS_PASSED);
}
END_TEST

/* ---- what each call needs ---------------------------------------------------------------- */

enum { SOMEBODY = 12345, OTHER = 23456 };

static enum miguard_status switch_uid(void)
{
    static struct miguard_target *target;
    return miguard_target_ids(OTHER, SOMEBODY, &keep, &target, NULL) == MIGUARD_OK
               ? miguard_switch_to(target, NULL)
               : MIGUARD_SYSTEM;
}

static enum miguard_status switch_gid(void)
{
    static struct miguard_target *target;
    return miguard_target_ids(SOMEBODY, OTHER, &keep, &target, NULL) == MIGUARD_OK
               ? miguard_switch_to(target, NULL)
               : MIGUARD_SYSTEM;
}

static enum miguard_status switch_groups(void)
{
    const gid_t other[] = {OTHER};
    const struct miguard_groups list = {MIGUARD_GROUPS_LIST, other, 1, NULL};
    static struct miguard_target *target;
    return miguard_target_ids(SOMEBODY, SOMEBODY, &list, &target, NULL) == MIGUARD_OK
               ? miguard_switch_to(target, NULL)
               : MIGUARD_SYSTEM;
}

static enum miguard_status switch_all(void)
{
    struct miguard_target *target = target_of(OTHER, &clear);
    enum miguard_status status = MIGUARD_SYSTEM, inside = MIGUARD_SYSTEM;
    MIGUARD_SWITCHED(target, &status, NULL)
    {
        inside = MIGUARD_OK;
    }
    return status != MIGUARD_OK ? status : inside;
}

static enum miguard_status switch_to_self(void)
{
    struct miguard_target *target = target_of(SOMEBODY, &keep);
    return target != NULL ? miguard_switch_to(target, NULL) : MIGUARD_SYSTEM;
}

static enum miguard_status switch_keeping_kill(void)
{
    struct miguard_target *target = target_of(SOMEBODY, &keep);
    return miguard_target_keep_caps(target, "kill", NULL) == MIGUARD_OK
               ? miguard_switch_to(target, NULL)
               : MIGUARD_SYSTEM;
}

static enum miguard_status drop_to_self(void)
{
    struct miguard_target *target = target_of(SOMEBODY, &keep);
    return miguard_drop(target, NULL);
}

static enum miguard_status drop_to_other(void)
{
    struct miguard_target *target = target_of(OTHER, &clear);
    return miguard_drop(target, NULL);
}

static enum miguard_status make_targets(void)
{
    static struct miguard_target *targets[4];
    static struct miguard_identity *own;
    int sockets[2];

    return miguard_target_user("root", &targets[0], NULL) == MIGUARD_OK &&
                   miguard_target_ids(0, 0, &clear, &targets[1], NULL) == MIGUARD_OK &&
                   miguard_target_keep_caps(targets[1], "sys_admin", NULL) == MIGUARD_OK &&
                   socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0 &&
                   miguard_target_peer(sockets[0], &targets[2], NULL) == MIGUARD_OK &&
                   miguard_identity_capture(&own, NULL) == MIGUARD_OK &&
                   miguard_target_identity(own, &targets[3], NULL) == MIGUARD_OK
               ? MIGUARD_OK
               : MIGUARD_SYSTEM;
}

/* As SOMEBODY with its group and no other, and with exactly these capabilities permitted. */
static const struct {
    const char *what;
    enum miguard_status (*call)(void);
    uint64_t needed;
} needs[] = {
    {"making targets", make_targets, 0},
    {"a switch to oneself", switch_to_self, 0},
    {"a switch of the uid", switch_uid, CAP(SETUID)},
    {"a switch of the gid", switch_gid, CAP(SETGID)},
    {"a switch of the groups", switch_groups, CAP(SETGID)},
    {"a switch of uid and gid, in a block", switch_all, CAP(SETUID) | CAP(SETGID)},
    {"a switch that keeps a capability", switch_keeping_kill, CAP(KILL)},
    {"a drop to oneself", drop_to_self, CAP(SETPCAP)},
    {"a drop to another", drop_to_other, CAP(SETPCAP) | CAP(SETUID) | CAP(SETGID)},
};

static bool become_somebody_with(uint64_t caps)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, (uint32_t)caps, 0},
                                             {0, (uint32_t)(caps >> 32), 0}};

    return raw_setgroups(0, NULL) && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
           raw_setresgid(SOMEBODY, SOMEBODY, SOMEBODY) &&
           raw_setresuid(SOMEBODY, SOMEBODY, SOMEBODY) && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0 &&
           syscall(SYS_capset, &header, data) == 0;
}

static int with_exactly(const void *context)
{
    int row = *(const int *)context;
    EXPECT(become_somebody_with(needs[row].needed));
    EXPECT(needs[row].call() == MIGUARD_OK);
    if (miguard_switch_depth() == 1) {
        EXPECT(miguard_switch_back(NULL) == MIGUARD_OK && euid_now() == SOMEBODY);
    }
    return 0;
}

struct lacking {
    int row;
    uint64_t capability;
};

static int with_all_but_one(const void *context)
{
    const struct lacking *lacking = context;
    const uint64_t all = CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP) | CAP(KILL);

    EXPECT(become_somebody_with(all & ~lacking->capability));
    EXPECT(needs[lacking->row].call() == MIGUARD_NOT_PERMITTED);
    EXPECT(euid_now() == SOMEBODY && miguard_switch_depth() == 0);
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
    return 0;
}

static bool is_a_drop(int row)
{
    return needs[row].call == drop_to_self || needs[row].call == drop_to_other;
}

START_TEST(needs_exactly)
{
    const char *what = needs[_i].what;
    if (!is_root(what)) {
        return;
    }
    if (RAW_HIDDEN_THREAD && is_a_drop(_i)) {
        printf("skip: %s: the sanitizer's thread blocks all signals\n", what);
        return;
    }
    ck_assert_msg(!is_a_drop(_i) || needs[_i].needed != 0, "%s", what);
    int status = in_child(with_exactly, &_i);
    ck_assert_msg(status == 0, "%s: status %#x", what, status);
    for (uint32_t capability = 0; capability < 64; capability++) {
        const struct lacking lacking = {_i, (uint64_t)1 << capability};
        if ((needs[_i].needed & lacking.capability) != 0) {
            status = in_child(with_all_but_one, &lacking);
            ck_assert_msg(status == 0, "%s without capability %u: status %#x", what, capability,
                          status);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("switch without root");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, in_a_namespace, 0, LENGTH(namespace_rows));
    tcase_add_test(all, as_anybody_in_a_namespace);
    tcase_add_loop_test(all, needs_exactly, 0, LENGTH(needs));
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
