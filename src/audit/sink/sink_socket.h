/* SPDX-License-Identifier: MIT */
/*
 * A socket in a process that is not ours: its code may close descriptors it does not know (a
 * daemon that starts), fork, and change its identity at any time.
 */
#ifndef AUDIT_SINK_SINK_SOCKET_H
#define AUDIT_SINK_SINK_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "miguard/status.h"
#include "model/sink_settings.h"

struct sink_socket {
    int fd;         /* -1: none */
    uint64_t epoch; /* process_epoch() of the process that made it */
    dev_t device;   /* what fd is: its number may since belong to something else */
    ino_t inode;
    bool impatient; /* the last message was not taken in time: do not wait for the next one */
    /* Where the daemon listens; fixed when the sink is opened. */
    struct sockaddr_un address;
    bool lines; /* where a SOCK_STREAM listens, messages end in a line feed; else it is refused */
    int type;   /* SOCK_DGRAM, or with lines SOCK_STREAM */
};

/* Nothing is connected yet. INVALID_ARGUMENT when the path does not fit an address. */
MIGUARD_CHECKED enum miguard_status sink_socket_init(struct sink_socket *socket,
                                                     const struct sink_settings *settings,
                                                     struct miguard_error *reterr);

/* Keeps fd, which is closed when that fails. */
MIGUARD_CHECKED bool sink_socket_hold(struct sink_socket *socket, int fd);

/* One fstat(2): a message must not go to a socket that the host opened under the number. */
MIGUARD_CHECKED bool sink_socket_ours(const struct sink_socket *socket);

/* Closes it unless the number is the host's by now. */
void sink_socket_drop(struct sink_socket *socket);

/* SINK_TIMEOUT_MS from now, or now when the last message was not taken in time: a daemon that hangs
 * costs one wait and not one a record. In milliseconds of CLOCK_MONOTONIC. */
int64_t sink_deadline(bool impatient);

/* False when the deadline came first. */
MIGUARD_CHECKED bool sink_socket_wait(int fd, short events, int64_t deadline);

/*
 * Sends one message, with the descriptor `passed` unless it is -1, and connects first where that is
 * needed; once more when the daemon has gone. With lines, bytes[length] must be a line feed. 0 when
 * the receiver's socket has taken it, else an errno: ETIMEDOUT when it did not until the deadline.
 */
MIGUARD_CHECKED int sink_socket_send(struct sink_socket *socket, const char *bytes, size_t length,
                                     int passed, int64_t deadline);

#endif
