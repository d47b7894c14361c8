/* SPDX-License-Identifier: MIT */
/* Connects and sends to the datagram socket of a daemon, without waiting long; called by all
 * sinks beside the file. */
#include "audit/sink/sink_socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/sink/sink_ops.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/process.h"

/* sun_path has 108 bytes (unix(7)); a longer path can never be connected to and is an error of the
 * policy. */
enum miguard_status sink_socket_init(struct sink_socket *sock, const struct sink_settings *settings,
                                     struct miguard_error *reterr)
{
    const char *path = settings->path != NULL ? settings->path : sink_kinds[settings->kind].socket;
    size_t length = strlen(path);

    memset(sock, 0, sizeof(*sock));
    sock->fd = -1;
    sock->type = SOCK_DGRAM;
    sock->address.sun_family = AF_UNIX;
    if (length == 0 || length >= sizeof(sock->address.sun_path)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "path of a socket",
                         "%.64s: a socket's path has 1 to %zu bytes", path,
                         sizeof(sock->address.sun_path) - 1);
    }
    memcpy(sock->address.sun_path, path, length + 1);
    return MIGUARD_OK;
}

/* Device and inode of a socket name it as those of a file do: no other open socket has them. */
bool sink_socket_hold(struct sink_socket *sock, int fd)
{
    struct stat status;
    int away = descriptor_away(fd);

    if (away < 0) {
        return false;
    }
    if (fstat(away, &status) != 0) {
        close(away);
        return false;
    }
    sock->fd = away;
    sock->epoch = process_epoch();
    sock->device = status.st_dev;
    sock->inode = status.st_ino;
    return true;
}

/* Is the descriptor still what was put there? */
static bool same_file(const struct sink_socket *sock)
{
    struct stat status;

    return sock->fd >= 0 && fstat(sock->fd, &status) == 0 && status.st_dev == sock->device &&
           status.st_ino == sock->inode && S_ISSOCK(status.st_mode);
}

/* A child makes its own: two processes would mix their messages in one stream. */
bool sink_socket_ours(const struct sink_socket *sock)
{
    return same_file(sock) && sock->epoch == process_epoch();
}

/* In a forked child the copy is closed as well; the parent's stays open. */
void sink_socket_drop(struct sink_socket *sock)
{
    if (same_file(sock)) {
        close(sock->fd);
    }
    sock->fd = -1;
}

/* A deadline that has passed still allows one try: what the socket takes at once is sent. */
int64_t sink_deadline(bool impatient)
{
    return clock_now_ms() + (impatient ? 0 : SINK_TIMEOUT_MS);
}

/* A signal handler of the program may end poll(2) early: it goes on with what is left. */
bool sink_socket_wait(int fd, short events, int64_t deadline)
{
    struct pollfd wanted = {fd, events, 0};

    for (;;) {
        int64_t left = deadline - clock_now_ms();
        if (left <= 0) {
            return false;
        }
        if (poll(&wanted, 1, (int)left) > 0) {
            return true; /* or an error, which the next call reports */
        }
    }
}

/* Never waits: a listener whose queue is full gives EAGAIN. */
static int connect_as(struct sink_socket *sock, int type)
{
    struct descriptor_low low;

    descriptor_take_low(&low);
    int fd = descriptor_away(socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    descriptor_give_low(&low);
    if (fd < 0) {
        return errno;
    }
    if (connect(fd, (const struct sockaddr *)&sock->address, sizeof(sock->address)) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    sock->type = type;
    return sink_socket_hold(sock, fd) ? 0 : EBADF;
}

/* EPROTOTYPE: the path's socket is of the other type (connect(2)). syslog-ng's unix-stream()
 * listens so. */
static int reconnect(struct sink_socket *sock)
{
    sink_socket_drop(sock);
    int error = connect_as(sock, SOCK_DGRAM);
    return error == EPROTOTYPE && sock->lines ? connect_as(sock, SOCK_STREAM) : error;
}

/* MSG_NOSIGNAL: a daemon that went away must not raise SIGPIPE in the program. The union aligns the
 * control message as cmsg(3) asks for. */
static ssize_t send_some(const struct sink_socket *sock, const char *bytes, size_t length,
                         int passed)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {(void *)(uintptr_t)bytes, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (passed >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &passed, sizeof(passed));
    }
    return sendmsg(sock->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A datagram goes as a whole or not at all. A stream may take a part, and gets the line feed that
 * ends the message. */
static int send_all(const struct sink_socket *sock, const char *bytes, size_t length, int passed,
                    int64_t deadline)
{
    length += sock->type == SOCK_STREAM;
    for (size_t sent = 0;;) {
        ssize_t now_sent = send_some(sock, bytes + sent, length - sent, passed);
        if (now_sent >= 0) {
            sent += (size_t)now_sent;
            if (sock->type == SOCK_DGRAM || sent == length) {
                return 0;
            }
        } else if (errno == EAGAIN) {
            if (!sink_socket_wait(sock->fd, POLLOUT, deadline)) {
                return ETIMEDOUT;
            }
        } else if (errno != EINTR) {
            return errno;
        }
    }
}

/* What a daemon that went away, or came back behind our back, makes of a connected socket. */
static bool is_gone(int error)
{
    return error == ECONNREFUSED || error == ECONNRESET || error == ENOTCONN || error == EPIPE;
}

/* Connected anew at most once: a daemon that has just gone for the second time is not back in a
 * moment. A fresh connection that fails is not tried again. */
int sink_socket_send(struct sink_socket *sock, const char *bytes, size_t length, int passed,
                     int64_t deadline)
{
    bool fresh = !sink_socket_ours(sock);
    int error = fresh ? reconnect(sock) : 0;

    if (error == 0) {
        error = send_all(sock, bytes, length, passed, deadline);
    }
    if (is_gone(error) && !fresh) {
        error = reconnect(sock);
        if (error == 0) {
            error = send_all(sock, bytes, length, passed, deadline);
        }
    }
    /* The rest of a message that was cut in a stream must not stand before the next one. */
    if (error != 0 && sock->type == SOCK_STREAM) {
        sink_socket_drop(sock);
    }
    sock->impatient = error == ETIMEDOUT;
    return error;
}
