/* SPDX-License-Identifier: MIT */
/* The socket that `miguard serve` listens on (serve_socket.c). */
#ifndef TOOLS_CLI_SERVE_SOCKET_H
#define TOOLS_CLI_SERVE_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

struct serve_socket {
    int fd;
    /* Of one that this process has made; folder is -1 for one of systemd's. */
    int folder;
    const char *name; /* within the folder; borrowed from the path */
    dev_t device;
    ino_t inode;
};

/* Whether systemd has passed a socket: LISTEN_FDS of sd_listen_fds(3), for this process. */
bool serve_socket_is_passed(void);

/* Takes that socket. CLI_YES, or the exit status after a message. */
int serve_socket_take(struct serve_socket *ret_socket);

/*
 * Makes the socket of path, which must not be there, or be the socket of a server that has ended.
 * Only root and this user may be able to change the folders above it. Clients cannot connect before
 * serve_socket_listen(). CLI_YES, or the exit status after a message.
 */
int serve_socket_make(const char *path, struct serve_socket *ret_socket);

/* Lets clients connect that mode (of chmod(2)) allows to. */
int serve_socket_listen(struct serve_socket *socket, mode_t mode);

/* Closes the socket, and removes it if it is still this process's. */
void serve_socket_close(struct serve_socket *socket);

#endif
