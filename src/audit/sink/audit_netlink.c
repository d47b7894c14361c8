/* SPDX-License-Identifier: MIT */
/* Sends one message to the kernel's audit system and reads the acknowledgement; called by
 * kernel_audit.c. */
#include "audit/sink/audit_netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "base/descriptor.h"

/* One message and, in the same memory, its answer: header and payload as netlink(7) has them, with
 * room for the longest text and its NUL. */
struct request {
    struct nlmsghdr header;
    char payload[AUDIT_NETLINK_TEXT + 1];
};

/* The low numbers are taken meanwhile, so that the socket is never standard output of the program
 * (base/descriptor.h). */
int audit_netlink_open(struct sink_socket *sock)
{
    sink_socket_drop(sock);
    struct descriptor_low low;

    descriptor_take_low(&low);
    int fd =
        descriptor_away(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT));
    descriptor_give_low(&low);
    if (fd < 0) {
        return errno;
    }
    return sink_socket_hold(sock, fd) ? 0 : EBADF;
}

/* Identifies an answer: one that came too late must not pass for the next one's. One count for all
 * sockets of the process; it may wrap. */
static uint32_t next_number(void)
{
    static _Atomic uint32_t last;

    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/* With an address the kernel asks for the capability of the sender only, without one for that of
 * the thread that made the socket, too (netlink_capable() in net/netlink/af_netlink.c). */
static int ask(const struct sink_socket *sock, struct request *request, int64_t deadline)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    while (sendto(sock->fd, request, request->header.nlmsg_len, MSG_NOSIGNAL | MSG_DONTWAIT,
                  (const struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
        if (errno == EAGAIN && !sink_socket_wait(sock->fd, POLLOUT, deadline)) {
            return ETIMEDOUT;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/* True when the message that was received, of this length, answers the request. */
static bool is_answer(const struct request *answer, ssize_t length, const struct sockaddr_nl *from,
                      uint32_t number)
{
    return length >= (ssize_t)sizeof(answer->header) && from->nl_pid == 0 &&
           answer->header.nlmsg_len <= (size_t)length && answer->header.nlmsg_seq == number;
}

/* Receives until the answer with this number comes; anything else is dropped. The buffer is cleared
 * first: a short answer leaves no bytes of the request in it. */
static int hear(const struct sink_socket *sock, uint32_t number, int64_t deadline,
                struct request *answer)
{
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t size = sizeof(from);

        memset(answer, 0, sizeof(*answer));
        ssize_t length = recvfrom(sock->fd, answer, sizeof(*answer), MSG_DONTWAIT,
                                  (struct sockaddr *)&from, &size);
        if (is_answer(answer, length, &from, number)) {
            return 0;
        }
        if (length < 0 && errno == EAGAIN && !sink_socket_wait(sock->fd, POLLIN, deadline)) {
            return ETIMEDOUT;
        }
        if (length < 0 && errno != EAGAIN && errno != EINTR) {
            return errno;
        }
    }
}

/* NLMSG_ERROR with 0 in it is the receipt. The kernel's error numbers are negative (netlink(7)). An
 * answer too short for one is a protocol error. */
static int error_in(const struct request *answer)
{
    struct nlmsgerr error = {.error = -EPROTO};

    if (answer->header.nlmsg_len >= NLMSG_LENGTH(sizeof(error.error))) {
        memcpy(&error.error, answer->payload, sizeof(error.error));
    }
    return -error.error;
}

/* The request is overwritten by its answer, so the number is kept apart. */
int audit_netlink_status(const struct sink_socket *sock, int64_t deadline,
                         struct audit_status *ret_status)
{
    struct request request = {
        .header = {NLMSG_LENGTH(0), AUDIT_GET, NLM_F_REQUEST, next_number(), 0}};
    uint32_t number = request.header.nlmsg_seq;

    int error = ask(sock, &request, deadline);
    if (error == 0) {
        error = hear(sock, number, deadline, &request);
    }
    if (error != 0) {
        return error;
    }
    if (request.header.nlmsg_type == NLMSG_ERROR) {
        error = error_in(&request);
        return error != 0 ? error : EPROTO;
    }
    /* An older kernel reports less, and the rest is 0. */
    memcpy(ret_status, request.payload, sizeof(*ret_status));
    return request.header.nlmsg_type == AUDIT_GET ? 0 : EPROTO;
}

/* NLM_F_ACK: without it a refusal by the kernel would arrive as nothing at all. */
int audit_netlink_send(const struct sink_socket *sock, int64_t deadline, uint16_t type,
                       const char *message, size_t length)
{
    struct request request = {.header = {(uint32_t)NLMSG_LENGTH(length), type,
                                         NLM_F_REQUEST | NLM_F_ACK, next_number(), 0}};
    uint32_t number = request.header.nlmsg_seq;

    if (length > sizeof(request.payload)) {
        return EMSGSIZE;
    }
    memcpy(request.payload, message, length);
    int error = ask(sock, &request, deadline);
    if (error == 0) {
        error = hear(sock, number, deadline, &request);
    }
    if (error != 0) {
        return error;
    }
    return request.header.nlmsg_type == NLMSG_ERROR ? error_in(&request) : EPROTO;
}
