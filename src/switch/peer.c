/* SPDX-License-Identifier: MIT */
/*
 * Reads the peer of a socket: ids, groups, process and label (peer.h). Called by target.c.
 *
 * peer_read(): SO_PEERCRED has the ids and the process, SO_PEERGROUPS the groups; prove() refuses
 * ids that stand for others here. SO_PEERSEC and SO_PEERPIDFD are facts for records and for the
 * program; a kernel without them leaves them out.
 */
#include "switch/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "identity/id_map.h"
#include "identity/identity.h"
#include "identity/read.h"

/* Linux 6.5; older headers lack it. The number is that of asm-generic, which both supported
 * architectures have. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static enum miguard_status no_memory(struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_NO_MEMORY, 0, "peer", NULL);
}

/* Whatever the cause, the caller gave a socket without an identity behind it. */
static enum miguard_status no_peer(struct miguard_error *reterr, int error)
{
    return error_set(reterr, MIGUARD_INVALID_ARGUMENT, error, "peer",
                     "not a connected unix socket");
}

/* ---- ids and groups -------------------------------------------------------------------------- */

static enum miguard_status read_ids(int socket, struct switch_peer *peer,
                                    struct miguard_error *reterr)
{
    struct ucred ids = {0, (uid_t)-1, (gid_t)-1};
    int domain = 0;
    socklen_t size = sizeof(domain);

    if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) {
        return no_peer(reterr, errno);
    }
    size = sizeof(ids);
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &ids, &size) != 0 || size != sizeof(ids)) {
        return no_peer(reterr, errno);
    }
    /* A socket without a peer has the ids -1, which are not valid. */
    if (ids.uid == (uid_t)-1 || ids.gid == (gid_t)-1) {
        return no_peer(reterr, ENOTCONN);
    }
    peer->uid = ids.uid;
    peer->gid = ids.gid;
    peer->pid = ids.pid;
    return MIGUARD_OK;
}

/* size + 1: calloc(3) may return NULL for 0 bytes. */
static enum miguard_status read_peer_groups(int socket, struct switch_peer *peer,
                                            struct miguard_error *reterr)
{
    socklen_t size = 64 * sizeof(gid_t);

    /* The groups were fixed when the peer connected, so the size in the first answer is the one
     * that the second call needs. */
    for (int try = 0; try < 2; try++) {
        gid_t *groups = base_alloc(size + 1, 1);
        if (groups == NULL) {
            return no_memory(reterr);
        }
        if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
            peer->groups = groups;
            peer->group_count = (uint32_t)(size / sizeof(gid_t));
            return MIGUARD_OK;
        }
        int error = errno;
        base_free(groups);
        if (error != ERANGE || size > IDENTITY_MAX_GROUPS * sizeof(gid_t)) {
            return error_set(reterr, MIGUARD_SYSTEM, error, "SO_PEERGROUPS", "%s",
                             strerrordesc_np(error));
        }
    }
    return error_set(reterr, MIGUARD_SYSTEM, ERANGE, "SO_PEERGROUPS", NULL);
}

/* The kernel translates a peer's ids into this user namespace. Where it maps all ids, as the first
 * namespace does, 65534 is that very user; elsewhere it may be any unmapped one. The identity is
 * only a form for id_map_prove(): the peer's one uid and gid in every place. */
static enum miguard_status prove(const struct switch_peer *peer, struct miguard_error *reterr)
{
    struct miguard_identity identity = {.groups = peer->groups, .group_count = peer->group_count};

    for (int i = 0; i < IDENTITY_IDS; i++) {
        identity.uid[i] = peer->uid;
        identity.gid[i] = peer->gid;
    }
    if (!read_user_namespace(&identity.user_namespace)) {
        return error_set(reterr, MIGUARD_UNREADABLE, 0, "peer", "user-namespace cannot be read");
    }
    return id_map_prove(&identity, reterr);
}

/* ---- label and process ----------------------------------------------------------------------- */

/* ENOPROTOOPT is the answer without an LSM that labels sockets. Some LSMs count the NUL at the end,
 * some add a newline. */
static enum miguard_status read_label(int socket, struct switch_peer *peer,
                                      struct miguard_error *reterr)
{
    char label[IDENTITY_MAX_LABEL];
    socklen_t size = sizeof(label) - 1;

    if (getsockopt(socket, SOL_SOCKET, SO_PEERSEC, label, &size) != 0 || size >= sizeof(label)) {
        return MIGUARD_OK;
    }
    while (size > 0 && (label[size - 1] == '\0' || label[size - 1] == '\n')) {
        size--;
    }
    label[size] = '\0';
    if (label[0] == '\0') {
        return MIGUARD_OK;
    }
    peer->label = base_copy_text(label);
    return peer->label != NULL ? MIGUARD_OK : no_memory(reterr);
}

/* Whether the number is still that of the descriptor. Before Linux 6.9 all pidfds, and other files
 * without a name, have one inode. */
static bool still_ours(const struct switch_peer *peer)
{
    struct stat status;

    return peer->pidfd >= 0 && fstat(peer->pidfd, &status) == 0 && status.st_dev == peer->device &&
           status.st_ino == peer->inode;
}

/* Only the kernel can give it: the pid of SO_PEERCRED may be another process's by now. The kernel
 * sets close-on-exec. */
static void open_pidfd(int socket, struct switch_peer *peer)
{
    struct descriptor_low low;
    struct stat status;
    int fd = -1;
    socklen_t size = sizeof(fd);

    descriptor_take_low(&low);
    peer->pidfd = -1;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0 && fd >= 0) {
        peer->pidfd = descriptor_away(fd);
    }
    peer->no_pidfd = errno;
    descriptor_give_low(&low);
    if (peer->pidfd >= 0 && fstat(peer->pidfd, &status) == 0) {
        peer->device = status.st_dev;
        peer->inode = status.st_ino;
    }
}

/* ---- for target.c ---------------------------------------------------------------------------- */

enum miguard_status peer_read(int socket, struct switch_peer *ret_peer,
                              struct miguard_error *reterr)
{
    struct switch_peer peer = {.pidfd = -1};

    enum miguard_status status = read_ids(socket, &peer, reterr);
    if (status == MIGUARD_OK) {
        status = read_peer_groups(socket, &peer, reterr);
    }
    if (status == MIGUARD_OK) {
        status = prove(&peer, reterr);
    }
    if (status == MIGUARD_OK) {
        status = read_label(socket, &peer, reterr);
    }
    if (status != MIGUARD_OK) {
        peer_release(&peer);
        return status;
    }
    open_pidfd(socket, &peer);
    *ret_peer = peer;
    return MIGUARD_OK;
}

enum miguard_status peer_copy(const struct switch_peer *peer, struct switch_peer *ret_copy)
{
    struct switch_peer copy = *peer;

    copy.pidfd = -1;
    copy.groups = NULL;
    copy.label = base_copy_text(peer->label);
    if (peer->groups != NULL) {
        copy.groups = base_alloc(peer->group_count == 0 ? 1 : peer->group_count, sizeof(gid_t));
    }
    if ((peer->label != NULL && copy.label == NULL) ||
        (peer->groups != NULL && copy.groups == NULL)) {
        peer_release(&copy);
        return MIGUARD_NO_MEMORY;
    }
    if (copy.groups != NULL && peer->group_count > 0) {
        memcpy(copy.groups, peer->groups, peer->group_count * sizeof(gid_t));
    }
    if (peer->pidfd >= 0) {
        copy.pidfd = still_ours(peer) ? fcntl(peer->pidfd, F_DUPFD_CLOEXEC, 3) : -1;
        copy.no_pidfd = copy.pidfd >= 0 ? 0 : still_ours(peer) ? errno : EBADF;
    }
    *ret_copy = copy;
    return MIGUARD_OK;
}

void peer_release(struct switch_peer *peer)
{
    base_free(peer->groups);
    base_free(peer->label);
    if (still_ours(peer)) {
        (void)close(peer->pidfd);
    }
    *peer = (struct switch_peer){.pidfd = -1};
}

/* A kernel without the option, a process that was gone, and no room for descriptors are three
 * things: only the first stays so. */
static enum miguard_status no_pidfd(int error, struct miguard_error *reterr)
{
    return error == ENOPROTOOPT ? error_set(reterr, MIGUARD_NOT_SUPPORTED, error, "SO_PEERPIDFD",
                                            "the kernel has it from Linux 6.5 on")
           : error == ESRCH || error == ENODATA || error == EINVAL
               ? error_set(reterr, MIGUARD_NOT_FOUND, error, "SO_PEERPIDFD",
                           "the peer's process had ended, or is not visible here")
               : error_set(reterr, MIGUARD_SYSTEM, error, "SO_PEERPIDFD", "%s",
                           strerrordesc_np(error));
}

enum miguard_status peer_pidfd(const struct switch_peer *peer, int *ret_fd,
                               struct miguard_error *reterr)
{
    if (peer->pidfd < 0) {
        return no_pidfd(peer->no_pidfd, reterr);
    }
    if (!still_ours(peer)) {
        return error_set(reterr, MIGUARD_BAD_STATE, EBADF, "pidfd",
                         "other code has closed the target's descriptor");
    }
    int fd = fcntl(peer->pidfd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return error_set(reterr, MIGUARD_SYSTEM, errno, "pidfd", "%s", strerrordesc_np(errno));
    }
    *ret_fd = fd;
    return MIGUARD_OK;
}
