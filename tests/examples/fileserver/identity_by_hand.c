/* SPDX-License-Identifier: MIT */
/*
 * The identities of the file server without the library: raw system calls, each looked at, the
 * result read back, and the way back, too. It is here to compare with, in lines and in speed.
 *
 * What it does not have: the bounding set, no_new_privs, the user namespace and the label in its
 * comparison; a policy; records; a gate; the reading of what a filter of system calls falsifies.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "identity.h"

enum { MANY_GROUPS = 65536 }; /* NGROUPS_MAX of Linux */

/* Real, effective, saved and file system ids. */
struct credentials {
    uid_t uid[4];
    gid_t gid[4];
    gid_t *groups; /* sorted, as the kernel keeps them */
    int group_count;
    struct __user_cap_data_struct cap[2];
    int securebits;
};

struct peer {
    struct credentials credentials;
};

/* Who every thread of the pool is at its start. */
static struct credentials own;

static bool failed(const char *step, char *why)
{
    snprintf(why, IDENTITY_WHY, "%s: %s", step, strerror(errno));
    return false;
}

static bool different(const char *what, char *why)
{
    snprintf(why, IDENTITY_WHY, "the thread's %s are not as asked for", what);
    return false;
}

static long get_caps(struct __user_cap_data_struct cap[2])
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    return syscall(SYS_capget, &header, cap);
}

static long set_caps(const struct __user_cap_data_struct cap[2])
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    return syscall(SYS_capset, &header, cap);
}

/* The calling thread's own; the file system ids are what a change to -1 answers. */
static bool read_ids(struct credentials *now, char *why)
{
    if (syscall(SYS_getresuid, &now->uid[0], &now->uid[1], &now->uid[2]) != 0 ||
        syscall(SYS_getresgid, &now->gid[0], &now->gid[1], &now->gid[2]) != 0) {
        return failed("getresuid", why);
    }
    now->uid[3] = (uid_t)syscall(SYS_setfsuid, -1);
    now->gid[3] = (gid_t)syscall(SYS_setfsgid, -1);
    now->securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    if (now->securebits < 0) {
        return failed("PR_GET_SECUREBITS", why);
    }
    return get_caps(now->cap) == 0 || failed("capget", why);
}

/* Compares the calling thread with what it should be. */
static bool is(const struct credentials *wanted, char *why)
{
    static _Thread_local gid_t groups[MANY_GROUPS];
    struct credentials now;

    if (!read_ids(&now, why)) {
        return false;
    }
    if (memcmp(now.uid, wanted->uid, sizeof(now.uid)) != 0) {
        return different("uids", why);
    }
    if (memcmp(now.gid, wanted->gid, sizeof(now.gid)) != 0) {
        return different("gids", why);
    }
    if (memcmp(now.cap, wanted->cap, sizeof(now.cap)) != 0 ||
        now.securebits != wanted->securebits) {
        return different("capabilities", why);
    }
    long count = syscall(SYS_getgroups, MANY_GROUPS, groups);
    if (count < 0) {
        return failed("getgroups", why);
    }
    if (count != wanted->group_count ||
        (count > 0 && memcmp(groups, wanted->groups, (size_t)count * sizeof(gid_t)) != 0)) {
        return different("groups", why);
    }
    return true;
}

/* Back to who the thread was, whatever it is now. The capabilities come first: they are what allows
 * the rest. Where the effective uid is not 0, only those of the permitted set can be raised. */
static bool go_back(char *why)
{
    struct __user_cap_data_struct cap[2];

    if (get_caps(cap) != 0) {
        return failed("capget", why);
    }
    for (int i = 0; i < 2; i++) {
        cap[i].effective = cap[i].permitted;
    }
    if (set_caps(cap) != 0) {
        return failed("capset", why);
    }
    if (syscall(SYS_setgroups, own.group_count, own.groups) != 0) {
        return failed("setgroups", why);
    }
    if (syscall(SYS_setresgid, own.gid[0], own.gid[1], own.gid[2]) != 0) {
        return failed("setresgid", why);
    }
    if (syscall(SYS_setresuid, own.uid[0], own.uid[1], own.uid[2]) != 0) {
        return failed("setresuid", why);
    }
    if (set_caps(own.cap) != 0) {
        return failed("capset", why);
    }
    return is(&own, why);
}

/* A thread of an unknown identity must not go on. */
static void go_back_or_abort(void)
{
    char why[IDENTITY_WHY];

    if (!go_back(why)) {
        fprintf(stderr, "fileserver: no way back: %s\n", why);
        abort();
    }
}

static bool become(const struct credentials *peer, char *why)
{
    if (syscall(SYS_setgroups, peer->group_count, peer->groups) != 0) {
        return failed("setgroups", why);
    }
    if (syscall(SYS_setresgid, peer->gid[0], peer->gid[1], peer->gid[2]) != 0) {
        go_back_or_abort();
        return failed("setresgid", why);
    }
    if (syscall(SYS_setresuid, peer->uid[0], peer->uid[1], peer->uid[2]) != 0) {
        go_back_or_abort();
        return failed("setresuid", why);
    }
    if (set_caps(peer->cap) != 0) {
        go_back_or_abort();
        return failed("capset", why);
    }
    if (!is(peer, why)) {
        go_back_or_abort();
        return false;
    }
    return true;
}

bool identity_start(const struct identity_options *options, char *why)
{
    if (options->policy != NULL || options->audit != NULL || options->gate) {
        snprintf(why, IDENTITY_WHY, "no policy, no log and no gate by hand");
        return false;
    }
    own.groups = calloc(MANY_GROUPS, sizeof(gid_t));
    if (own.groups == NULL) {
        return failed("calloc", why);
    }
    own.group_count = (int)syscall(SYS_getgroups, MANY_GROUPS, own.groups);
    return own.group_count < 0 ? failed("getgroups", why) : read_ids(&own, why);
}

static int by_number(const void *a, const void *b)
{
    gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;
    return (x > y) - (x < y);
}

/* The list is asked for with its size, which the first answer names. */
static bool peer_groups(int socket, struct credentials *peer, char *why)
{
    socklen_t size = 0;

    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) != 0 && errno != ERANGE) {
        return failed("SO_PEERGROUPS", why);
    }
    peer->groups = calloc(1, size + sizeof(gid_t));
    if (peer->groups == NULL) {
        return failed("calloc", why);
    }
    if (size > 0 && getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &size) != 0) {
        return failed("SO_PEERGROUPS", why);
    }
    peer->group_count = (int)(size / sizeof(gid_t));
    qsort(peer->groups, (size_t)peer->group_count, sizeof(gid_t), by_number);
    return true;
}

struct peer *identity_bind(int socket, const char *name, char *why)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    struct ucred ucred;
    socklen_t size = sizeof(ucred);

    (void)name;
    if (peer == NULL) {
        failed("calloc", why);
        return NULL;
    }
    struct credentials *to = &peer->credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &ucred, &size) != 0 || ucred.uid == (uid_t)-1 ||
        ucred.gid == (gid_t)-1) {
        failed("SO_PEERCRED", why);
        identity_release(peer);
        return NULL;
    }
    if (!peer_groups(socket, to, why)) {
        identity_release(peer);
        return NULL;
    }
    for (int i = 0; i < 4; i++) {
        to->uid[i] = i == 2 ? own.uid[1] : ucred.uid; /* the saved id is the way back */
        to->gid[i] = ucred.gid;
    }
    for (int i = 0; i < 2; i++) { /* root has its capabilities, others have no effective ones */
        to->cap[i].permitted = own.cap[i].permitted;
        to->cap[i].effective = ucred.uid == 0 ? own.cap[i].permitted : 0;
    }
    to->securebits = own.securebits;
    return peer;
}

void identity_release(struct peer *peer)
{
    if (peer != NULL) {
        free(peer->credentials.groups);
        free(peer);
    }
}

bool identity_serve(struct peer *peer, void (*serve)(void *), void *argument, char *why)
{
    if (!become(&peer->credentials, why)) {
        return false;
    }
    serve(argument);
    go_back_or_abort();
    return true;
}

bool identity_may(struct peer *peer, enum identity_action action, const char *path, char *why)
{
    (void)action;
    (void)path;
    return is(&peer->credentials, why);
}

bool identity_home(char *why)
{
    char found[IDENTITY_WHY];

    return is(&own, found) || go_back(why);
}
