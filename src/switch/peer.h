/* SPDX-License-Identifier: MIT */
/*
 * The peer of a connected unix socket, as the kernel kept it when it connected, listened or made
 * the pair (unix(7)): what the peer cannot forge. It may have changed or ended since.
 */
#ifndef SWITCH_PEER_H
#define SWITCH_PEER_H

#include <stdint.h>
#include <sys/types.h>

#include "miguard/status.h"

struct switch_peer {
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    uint32_t group_count;
    pid_t pid;    /* 0: not visible from this process's pid namespace */
    char *label;  /* NULL: no LSM has given one */
    int pidfd;    /* owned; or -1 */
    int no_pidfd; /* the errno that came in its place */
    dev_t device; /* of the pidfd: to recognise it */
    ino_t inode;
};

/* Reads it into *ret_peer, released with peer_release(); untouched on failure. The errors are those
 * of miguard_target_peer(); a missing label or pidfd is not an
 * error. */
MIGUARD_CHECKED enum miguard_status peer_read(int socket, struct switch_peer *ret_peer,
                                              struct miguard_error *reterr);

/* An independent copy into *ret_copy, released with peer_release(). The pidfd is a further
 * descriptor of the process; where that cannot be made the copy has -1 and the reason. Error:
 * NO_MEMORY, with *ret_copy untouched. */
MIGUARD_CHECKED enum miguard_status peer_copy(const struct switch_peer *peer,
                                              struct switch_peer *ret_copy);

/* Frees what peer points to and closes the pidfd, unless other code has closed it already: a
 * program may close all descriptors, and the number is another file's then. */
void peer_release(struct switch_peer *peer);

/* A new descriptor of the peer's process, close-on-exec and at or above 3. The errors are those of
 * miguard_target_peer_pidfd(). */
MIGUARD_CHECKED enum miguard_status peer_pidfd(const struct switch_peer *peer, int *ret_fd,
                                               struct miguard_error *reterr);

#endif
