/* SPDX-License-Identifier: MIT */
/*
 * One question and its answer over the kernel audit system's netlink socket.
 *
 * libaudit's functions cannot serve: they answer success when the kernel refused a thread that is
 * not root (EPERM) and when nothing listens (ECONNREFUSED).
 */
#ifndef AUDIT_SINK_AUDIT_NETLINK_H
#define AUDIT_SINK_AUDIT_NETLINK_H

#include <linux/audit.h>
#include <stdbool.h>

#include "audit/sink/sink_socket.h"

/* AUDIT_MESSAGE_TEXT_MAX of the kernel: what it takes of a message from a program. */
enum { AUDIT_NETLINK_TEXT = 8560 };

/* Closes the one before, if there is one. 0, or errno. */
MIGUARD_CHECKED int audit_netlink_open(struct sink_socket *socket);

/* Whether auditing is on, and who its daemon is. Needs CAP_AUDIT_CONTROL. 0, or errno. */
MIGUARD_CHECKED int audit_netlink_status(const struct sink_socket *socket, int64_t deadline,
                                         struct audit_status *ret_status);

/* Sends a message of this type and waits until the kernel has taken it. Of a text the length has
 * its NUL in it: the kernel puts one over the last byte. 0, or errno. */
MIGUARD_CHECKED int audit_netlink_send(const struct sink_socket *socket, int64_t deadline,
                                       uint16_t type, const char *message, size_t length);

#endif
