/* SPDX-License-Identifier: MIT */
/*
 * Who a target is, as text, JSON and ids; what the peer of a socket adds: its process, label and
 * pidfd; and miguard_call_as(). This file defines getsockopt(2) in place of the C library's, for
 * kernels and LSMs that this machine does not have.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/elsewhere.h"
#include "support/log.h"
#include "support/raw.h"
#include "switch/switch.h"
#include "switch/target.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

enum { USER = 12345, OTHER = 23456 };

/* ---- what the kernel says of a socket ---------------------------------------------------------
 */

static const char *label; /* NULL: as it is here */
static size_t label_size;
static int no_pidfd; /* the errno that comes in its place; 0: as it is here */

int getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
    if (level == SOL_SOCKET && option == SO_PEERSEC && label != NULL) {
        if (*size < label_size) {
            *size = (socklen_t)label_size;
            errno = ERANGE;
            return -1;
        }
        memcpy(value, label, label_size);
        *size = (socklen_t)label_size;
        return 0;
    }
    if (level == SOL_SOCKET && option == SO_PEERPIDFD && no_pidfd != 0) {
        errno = no_pidfd;
        return -1;
    }
    return (int)syscall(SYS_getsockopt, fd, level, option, value, size);
}

static void say_label(const char *text, size_t size)
{
    label = text;
    label_size = size;
}

/* ---- describing -------------------------------------------------------------------------------
 */

static struct miguard_target *ids(uid_t uid, gid_t gid, struct miguard_groups groups)
{
    struct miguard_target *target = NULL;
    ck_assert_int_eq(miguard_target_ids(uid, gid, &groups, &target, NULL), MIGUARD_OK);
    return target;
}

static const gid_t list[] = {OTHER, USER, OTHER};

static const struct {
    uid_t uid;
    struct miguard_groups groups;
    const char *caps; /* NULL: not chosen */
    const char *text, *json;
} rows[] = {
    {USER,
     {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL},
     NULL,
     "uid              12345\n"
     "gid              12345\n"
     "groups           none\n"
     "capabilities     none\n",
     "{\"uid\":{\"id\":12345},\"gid\":{\"id\":12345},\"groups\":[],\"capabilities\":[]}"},
    {USER,
     {MIGUARD_GROUPS_KEEP, NULL, 0, NULL},
     "chown,CAP_KILL",
     "uid              12345\n"
     "gid              12345\n"
     "groups           keep\n"
     "capabilities     CAP_CHOWN CAP_KILL\n",
     "{\"uid\":{\"id\":12345},\"gid\":{\"id\":12345},\"groups\":\"keep\","
     "\"capabilities\":[\"CAP_CHOWN\",\"CAP_KILL\"]}"},
    {USER,
     {MIGUARD_GROUPS_LIST, list, 3, NULL},
     NULL,
     "uid              12345\n"
     "gid              12345\n"
     "groups           12345 23456\n"
     "capabilities     none\n",
     "{\"uid\":{\"id\":12345},\"gid\":{\"id\":12345},\"groups\":[{\"id\":12345},{\"id\":23456}],"
     "\"capabilities\":[]}"},
    {0,
     {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL},
     NULL,
     "uid              0(root)\n"
     "gid              12345\n"
     "groups           none\n"
     "capabilities     permitted\n",
     "{\"uid\":{\"id\":0,\"name\":\"root\"},\"gid\":{\"id\":12345},\"groups\":[],"
     "\"capabilities\":\"permitted\"}"},
    {0,
     {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL},
     "",
     "uid              0(root)\n"
     "gid              12345\n"
     "groups           none\n"
     "capabilities     none\n",
     "{\"uid\":{\"id\":0,\"name\":\"root\"},\"gid\":{\"id\":12345},\"groups\":[],"
     "\"capabilities\":[]}"},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

START_TEST(a_target_says_who_it_is)
{
    char text[512], json[512], cut[8];
    size_t length = 0;
    struct miguard_target *target = ids(rows[_i].uid, USER, rows[_i].groups);

    ck_assert(rows[_i].caps == NULL ||
              miguard_target_keep_caps(target, rows[_i].caps, NULL) == MIGUARD_OK);
    ck_assert_int_eq(miguard_target_describe(target, text, sizeof(text), &length), MIGUARD_OK);
    ck_assert_str_eq(text, rows[_i].text);
    ck_assert_uint_eq(length, strlen(text));
    ck_assert_int_eq(miguard_target_to_json(target, json, sizeof(json), &length), MIGUARD_OK);
    ck_assert_str_eq(json, rows[_i].json);
    ck_assert_int_eq(miguard_target_to_json(target, cut, sizeof(cut), &length), MIGUARD_OK);
    ck_assert(strlen(cut) == 7 && length == strlen(json));
    ck_assert_int_eq(miguard_target_describe(target, NULL, 0, &length), MIGUARD_OK);
    ck_assert_uint_eq(length, strlen(text));
    miguard_target_free(target);
}
END_TEST

START_TEST(a_target_has_its_ids)
{
    struct miguard_groups groups, again;
    uid_t uid = 1;
    gid_t gid = 1;
    struct miguard_target *target = ids(rows[_i].uid, OTHER, rows[_i].groups), *same = NULL;

    ck_assert(miguard_target_uid(target, &uid) == MIGUARD_OK && uid == rows[_i].uid);
    ck_assert(miguard_target_gid(target, &gid) == MIGUARD_OK && gid == OTHER);
    ck_assert_int_eq(miguard_target_groups(target, &groups), MIGUARD_OK);
    ck_assert_int_eq(groups.choice, rows[_i].groups.choice);
    ck_assert(groups.user == NULL && (groups.count > 0) == (groups.list != NULL));
    ck_assert(groups.count == (groups.choice == MIGUARD_GROUPS_LIST ? 2 : 0));
    ck_assert_int_eq(miguard_target_ids(uid, gid, &groups, &same, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_groups(same, &again), MIGUARD_OK);
    ck_assert(again.choice == groups.choice && again.count == groups.count);
    miguard_target_free(same);
    miguard_target_free(target);
}
END_TEST

START_TEST(a_target_of_an_identity_is_that_identity)
{
    struct miguard_identity *own = NULL;
    struct miguard_target *target = NULL;
    struct miguard_groups groups;
    char text[4096], of_identity[4096], json[8192], member[8300];
    size_t length = 0, plain = 0;
    uid_t uid = 1;
    gid_t gid = 1;

    ck_assert_int_eq(miguard_identity_capture(&own, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_identity(own, &target, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_describe(target, text, sizeof(text), &length), MIGUARD_OK);
    ck_assert_int_eq(miguard_identity_describe(own, of_identity, sizeof(of_identity), &plain),
                     MIGUARD_OK);
    ck_assert_str_eq(text, of_identity);
    ck_assert_int_eq(miguard_identity_to_json(own, json, sizeof(json), &plain), MIGUARD_OK);
    snprintf(member, sizeof(member), "{\"identity\":%s}", json);
    ck_assert_int_eq(miguard_target_to_json(target, json, sizeof(json), &length), MIGUARD_OK);
    ck_assert_str_eq(json, member);
    ck_assert(miguard_target_uid(target, &uid) == MIGUARD_OK && uid == geteuid());
    ck_assert(miguard_target_gid(target, &gid) == MIGUARD_OK && gid == getegid());
    ck_assert(miguard_target_groups(target, &groups) == MIGUARD_OK &&
              groups.choice != MIGUARD_GROUPS_KEEP);
    ck_assert_int_eq(miguard_target_peer_pidfd(target, &(int){0}, NULL), MIGUARD_INVALID_ARGUMENT);
    miguard_target_free(target);
    miguard_identity_free(own);
}
END_TEST

START_TEST(wrong_arguments)
{
    struct miguard_target *target =
        ids(1, 1, (struct miguard_groups){MIGUARD_GROUPS_CLEAR, NULL, 0, NULL});
    char text[8];
    size_t length = 0;

    ck_assert_int_eq(miguard_target_describe(NULL, text, 8, &length), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_describe(target, NULL, 8, &length), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_describe(target, text, 8, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_to_json(NULL, text, 8, &length), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_to_json(target, NULL, 8, &length), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_uid(NULL, &(uid_t){0}), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_uid(target, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_gid(NULL, &(gid_t){0}), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_gid(target, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_groups(NULL, &(struct miguard_groups){0}),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_groups(target, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_peer_pidfd(NULL, &(int){0}, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_peer_pidfd(target, &(int){0}, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_call_as(target, NULL, NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    miguard_target_free(target);
}
END_TEST

/* ---- the peer ---------------------------------------------------------------------------------
 */

/* A socket whose peer is a child, which waits for its end. */
static pid_t connect_child(int *ret_socket)
{
    int sockets[2], made[2];
    char byte;

    /* The pair is the child's: it made it. */
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, made), 0);
    pid_t child = fork();
    if (child == 0) {
        struct msghdr message = {0};
        char control[CMSG_SPACE(sizeof(int))] = {0};
        struct iovec data = {"x", 1};
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) {
            _exit(1);
        }
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(part), &sockets[0], sizeof(int));
        (void)!sendmsg(made[1], &message, 0);
        for (;;) {
            pause();
        }
    }
    struct iovec data = {&byte, 1};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ck_assert_int_eq(recvmsg(made[0], &message, MSG_CMSG_CLOEXEC), 1);
    memcpy(ret_socket, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    close(made[0]);
    close(made[1]);
    return child;
}

static void end_child(pid_t child)
{
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

static struct miguard_target *peer_of(int socket)
{
    struct miguard_target *target = NULL;
    ck_assert_int_eq(miguard_target_peer(socket, &target, NULL), MIGUARD_OK);
    return target;
}

static int count_open(void)
{
    int count = 0;
    for (int fd = 0; fd < 2048; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static bool has_ended(int pidfd)
{
    struct pollfd ask = {pidfd, POLLIN, 0};
    return poll(&ask, 1, 0) == 1;
}

START_TEST(a_peer_has_a_process)
{
    char text[512], json[512], expected[64];
    size_t length = 0;
    int socket = -1, fd = -1, before = 0;
    struct miguard_error error = {0};

    pid_t child = connect_child(&socket);
    before = count_open();
    struct miguard_target *target = peer_of(socket);
    ck_assert_int_eq(miguard_target_describe(target, text, sizeof(text), &length), MIGUARD_OK);
    snprintf(expected, sizeof(expected), "peer-pid         %d\n", child);
    ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
    ck_assert_int_eq(miguard_target_to_json(target, json, sizeof(json), &length), MIGUARD_OK);
    snprintf(expected, sizeof(expected), "\"peer\":{\"pid\":%d", child);
    ck_assert_msg(strstr(json, expected) != NULL, "%s", json);
    enum miguard_status status = miguard_target_peer_pidfd(target, &fd, &error);
    if (status == MIGUARD_NOT_SUPPORTED) {
        printf("skip: a pidfd of the peer: the kernel has none\n");
    } else {
        ck_assert_msg(status == MIGUARD_OK, "%s: %s", error.step, error.detail);
        ck_assert(fd >= 3 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        ck_assert(target->peer->pidfd >= 512 &&
                  (fcntl(target->peer->pidfd, F_GETFD) & FD_CLOEXEC) != 0);
        ck_assert(!has_ended(fd));
        end_child(child);
        ck_assert(has_ended(fd));
        close(fd);
    }
    miguard_target_free(target);
    ck_assert_int_eq(count_open(), before);
    close(socket);
}
END_TEST

/* The descriptor is the parent's as well as the child's: each closes its own. */
START_TEST(a_forked_child_has_its_own)
{
    int socket = -1, fd = -1, status = 0;
    pid_t peer = connect_child(&socket);
    struct miguard_target *target = peer_of(socket);
    const int pidfd = target->peer->pidfd;

    pid_t child = fork();
    if (child == 0) {
        bool given = miguard_target_peer_pidfd(target, &fd, NULL) == MIGUARD_OK || pidfd < 0;
        miguard_target_free(target);
        _exit(given && (pidfd < 0 || fcntl(pidfd, F_GETFD) < 0) ? 0 : 1);
    }
    ck_assert(waitpid(child, &status, 0) == child && status == 0);
    ck_assert(pidfd < 0 || fcntl(pidfd, F_GETFD) >= 0);
    miguard_target_free(target);
    ck_assert(pidfd < 0 || fcntl(pidfd, F_GETFD) < 0);
    end_child(peer);
    close(socket);
}
END_TEST

/* As a daemon that closes all descriptors and opens its own. */
START_TEST(a_number_that_names_another_by_now)
{
    int socket = -1, fd = -1;
    pid_t peer = connect_child(&socket);
    struct miguard_target *target = peer_of(socket);
    const int pidfd = target->peer->pidfd;

    if (pidfd >= 0) {
        close(pidfd);
        ck_assert_int_eq(miguard_target_peer_pidfd(target, &fd, NULL), MIGUARD_BAD_STATE);
        ck_assert_int_eq(dup2(socket, pidfd), pidfd);
        ck_assert_int_eq(miguard_target_peer_pidfd(target, &fd, NULL), MIGUARD_BAD_STATE);
        ck_assert_int_eq(fd, -1);
    }
    miguard_target_free(target);
    ck_assert(pidfd < 0 || fcntl(pidfd, F_GETFD) >= 0);
    end_child(peer);
    close(socket);
}
END_TEST

static const struct {
    int error;
    enum miguard_status status;
} pidfd_rows[] = {
    {ENOPROTOOPT, MIGUARD_NOT_SUPPORTED}, {ESRCH, MIGUARD_NOT_FOUND}, {ENODATA, MIGUARD_NOT_FOUND},
    {EINVAL, MIGUARD_NOT_FOUND},          {EMFILE, MIGUARD_SYSTEM},
};

START_TEST(without_a_pidfd)
{
    int sockets[2], fd = -1;
    struct miguard_error error = {0};

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    no_pidfd = pidfd_rows[_i].error;
    struct miguard_target *target = peer_of(sockets[0]);
    ck_assert_int_eq(miguard_target_peer_pidfd(target, &fd, &error), pidfd_rows[_i].status);
    ck_assert(error.system_errno == no_pidfd && error.detail[0] != '\0' && fd == -1);
    miguard_target_free(target);
    no_pidfd = 0;
    close(sockets[0]);
    close(sockets[1]);
}
END_TEST

/* A host that runs without 0 to 2, and one without room. */
START_TEST(descriptors_are_scarce)
{
    int sockets[2], fd = -1;
    struct rlimit none;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &none), 0);
    none.rlim_cur = 0; /* valgrind keeps it itself, and lets nobody change the other */
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    pid_t child = fork();
    if (child == 0) {
        struct miguard_target *target = NULL;
        close(0);
        close(1);
        close(2);
        bool good = miguard_target_peer(sockets[0], &target, NULL) == MIGUARD_OK &&
                    (target->peer->pidfd < 0 || target->peer->pidfd >= 3);
        enum miguard_status status =
            good ? miguard_target_peer_pidfd(target, &fd, NULL) : MIGUARD_SYSTEM;
        good = good && ((status == MIGUARD_OK && fd >= 3) || status == MIGUARD_NOT_SUPPORTED);
        good = good && setrlimit(RLIMIT_NOFILE, &none) == 0;
        good = good && (status != MIGUARD_OK ||
                        miguard_target_peer_pidfd(target, &fd, NULL) == MIGUARD_SYSTEM);
        good = good && miguard_target_peer(sockets[1], &target, NULL) == MIGUARD_OK &&
               target->peer->pidfd == -1;
        raw_end_child(good);
    }
    ck_assert(raw_child_passed(child));
    close(sockets[0]);
    close(sockets[1]);
}
END_TEST

static const struct {
    const char *given;
    size_t size;
    const char *seen; /* NULL: none */
} label_rows[] = {
    {"system_u:system_r:ftpd_t:s0", 28, "system_u:system_r:ftpd_t:s0"}, /* with its NUL */
    {"unconfined", 10, "unconfined"},
    {"profile (enforce)\n", 18, "profile (enforce)"},
    {"", 1, NULL},
    {"", 0, NULL},
};

START_TEST(a_peer_has_a_label)
{
    char text[512], json[512], expected[128];
    size_t length = 0;
    int sockets[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    say_label(label_rows[_i].given, label_rows[_i].size);
    struct miguard_target *target = peer_of(sockets[0]);
    ck_assert_int_eq(miguard_target_describe(target, text, sizeof(text), &length), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_to_json(target, json, sizeof(json), &length), MIGUARD_OK);
    if (label_rows[_i].seen == NULL) {
        ck_assert(strstr(text, "label") == NULL && strstr(json, "label") == NULL);
    } else {
        snprintf(expected, sizeof(expected), "peer-label       %s\n", label_rows[_i].seen);
        ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
        snprintf(expected, sizeof(expected), "\"label\":\"%s\"}", label_rows[_i].seen);
        ck_assert_msg(strstr(json, expected) != NULL, "%s", json);
    }
    say_label(NULL, 0);
    miguard_target_free(target);
    close(sockets[0]);
    close(sockets[1]);
}
END_TEST

static bool switch_to_peer(void *unused)
{
    int sockets[2];
    char expected[128];
    (void)unused;

    log_start();
    say_label("who_t", 6);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) {
        return false;
    }
    struct miguard_target *target = peer_of(sockets[0]);
    /* What fails is recorded by default. */
    bool good = true;
    for (int i = 0; i < MIGUARD_SWITCH_DEPTH; i++) {
        good = good && miguard_switch_to(target, NULL) == MIGUARD_OK;
    }
    good = good && miguard_switch_to(target, NULL) == MIGUARD_TOO_DEEP;
    snprintf(expected, sizeof(expected), "\"peer\":{\"pid\":%d,\"label\":\"who_t\"}", getpid());
    return good && log_count("switch", "switch-failed") == 1 && log_mentions(expected) == 1;
}

START_TEST(a_switch_to_a_peer_is_recorded)
{
    ck_assert(raw_in_child(switch_to_peer, NULL));
}
END_TEST

/* ---- calling as another ------------------------------------------------------------------------
 */

static struct miguard_target *user, *other;

struct seen {
    uid_t uid;
    int cancel_state;
    bool called;
};

static uid_t uid_now(void)
{
    return (uid_t)syscall(SYS_geteuid);
}

static void look(void *argument)
{
    struct seen *seen = argument;

    seen->called = true;
    seen->uid = uid_now();
    (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &seen->cancel_state);
    errno = ENOTTY;
}

static void leave_switched(void *argument)
{
    look(argument);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(miguard_switch_to(other, NULL), MIGUARD_OK);
    }
    ck_assert(raw_setfsuid(OTHER));
}

static void exit_thread(void *argument)
{
    look(argument);
    pthread_exit(NULL);
}

static void wait_always(void *argument)
{
    look(argument);
    for (;;) {
        pause();
    }
}

static jmp_buf landing;

static void jump(void *argument)
{
    look(argument);
    longjmp(landing, 1);
}

static bool make_targets(void)
{
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};

    user = ids(USER, USER, none);
    other = ids(OTHER, OTHER, none);
    return is_root("calling as another");
}

static void free_targets(void)
{
    miguard_target_free(user);
    miguard_target_free(other);
    user = other = NULL;
}

static bool at_home(void)
{
    return uid_now() == 0 && (uid_t)syscall(SYS_setfsuid, -1) == 0 && miguard_switch_depth() == 0;
}

START_TEST(a_function_runs_as_the_target)
{
    static void (*const functions[])(void *) = {look, leave_switched};
    struct seen seen = {0};

    if (make_targets()) {
        ck_assert_int_eq(miguard_call_as(user, functions[_i], &seen, NULL), MIGUARD_OK);
        ck_assert(seen.called && seen.uid == USER && at_home());
        ck_assert_int_eq(seen.cancel_state, PTHREAD_CANCEL_ENABLE);
        ck_assert(_i != 0 || errno == ENOTTY); /* its own */
    }
}
END_TEST

/* Never when the switch failed. */
START_TEST(a_function_does_not_run)
{
    struct miguard_error error = {0};
    struct seen seen = {0};

    if (!make_targets()) {
        return;
    }
    ck_assert_int_eq(miguard_call_as(NULL, look, &seen, &error), MIGUARD_INVALID_ARGUMENT);
    for (int i = 0; i < MIGUARD_SWITCH_DEPTH; i++) {
        ck_assert_int_eq(miguard_switch_to(user, NULL), MIGUARD_OK);
    }
    ck_assert_int_eq(miguard_call_as(other, look, &seen, &error), MIGUARD_TOO_DEEP);
    ck_assert(!seen.called && error.detail[0] != '\0');
    ck_assert_uint_eq(miguard_switch_home(0), MIGUARD_SWITCH_DEPTH);
}
END_TEST

static bool way_home_worked;
static __thread bool leaving;

static void look_at_end(void *unused)
{
    (void)unused;
    way_home_worked = leaving && at_home();
}

static void *call_on_thread(void *function)
{
    static struct seen seen;
    void (*body)(void *);

    memcpy(&body, function, sizeof(body));
    leaving = true;
    pthread_cleanup_push(look_at_end, NULL);
    (void)!miguard_call_as(user, body, &seen, NULL);
    pthread_cleanup_pop(0);
    return &seen; /* not reached */
}

/* By pthread_exit(3), and cancelled while it waits. */
START_TEST(a_function_never_returns)
{
    void (*const functions[])(void *) = {exit_thread, wait_always};
    pthread_t thread;
    void *result = NULL;

    if (!make_targets()) {
        return;
    }
    way_home_worked = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, call_on_thread, (void *)&functions[_i]), 0);
    if (_i == 1) {
        usleep(50000);
        ck_assert_int_eq(pthread_cancel(thread), 0);
    }
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert(way_home_worked && result == (_i == 1 ? PTHREAD_CANCELED : NULL));
}
END_TEST

START_TEST(a_function_jumps_out)
{
    struct seen seen = {0};

    if (!make_targets()) {
        return;
    }
    if (setjmp(landing) == 0) {
        (void)!miguard_call_as(user, jump, &seen, NULL);
    }
    ck_assert(uid_now() == USER && miguard_switch_depth() == 1);
    ck_assert_int_eq(miguard_switch_back(NULL), MIGUARD_BAD_STATE);
    ck_assert(miguard_switch_home(0) == 1 && at_home());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("target");
    TCase *describing = tcase_create("describing"), *peers = tcase_create("peers"),
          *calling = tcase_create("calling");

    tcase_add_loop_test(describing, a_target_says_who_it_is, 0, ROWS);
    tcase_add_loop_test(describing, a_target_has_its_ids, 0, ROWS);
    tcase_add_test(describing, a_target_of_an_identity_is_that_identity);
    tcase_add_test(describing, wrong_arguments);
    tcase_add_test(peers, a_peer_has_a_process);
    tcase_add_test(peers, a_forked_child_has_its_own);
    tcase_add_test(peers, a_number_that_names_another_by_now);
    tcase_add_loop_test(peers, without_a_pidfd, 0, sizeof(pidfd_rows) / sizeof(pidfd_rows[0]));
    tcase_add_test(peers, descriptors_are_scarce);
    tcase_add_loop_test(peers, a_peer_has_a_label, 0, sizeof(label_rows) / sizeof(label_rows[0]));
    tcase_add_test(peers, a_switch_to_a_peer_is_recorded);
    tcase_add_checked_fixture(calling, NULL, free_targets);
    tcase_add_loop_test(calling, a_function_runs_as_the_target, 0, 2);
    tcase_add_test(calling, a_function_does_not_run);
    tcase_add_loop_test(calling, a_function_never_returns, 0, 2);
    tcase_add_test(calling, a_function_jumps_out);
    suite_add_tcase(suite, describing);
    suite_add_tcase(suite, peers);
    suite_add_tcase(suite, calling);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
