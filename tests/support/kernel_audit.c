/* SPDX-License-Identifier: MIT */
/* Takes turns at the kernel's audit system; called by tests that start an auditd. */
#include "support/kernel_audit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "audit/sink/audit_netlink.h"
#include "audit/sink/sink_ops.h"

static struct audit_status before;
static bool taken;

int kernel_audit_ask(struct audit_status *ret_status)
{
    struct sink_socket sock = {.fd = -1};
    int error = audit_netlink_open(&sock);

    if (error == 0) {
        error = audit_netlink_status(&sock, sink_deadline(false), ret_status);
        sink_socket_drop(&sock);
    }
    return error;
}

void kernel_audit_enable(uint32_t enabled)
{
    struct sink_socket sock = {.fd = -1};
    struct audit_status wanted = {.mask = AUDIT_STATUS_ENABLED, .enabled = enabled};

    if (audit_netlink_open(&sock) == 0) {
        int error = audit_netlink_send(&sock, sink_deadline(false), AUDIT_SET,
                                       (const char *)&wanted, sizeof(wanted));
        if (error != 0) {
            printf("auditctl -e %u: %s\n", enabled, strerror(error));
        }
        sink_socket_drop(&sock);
    }
}

/* The lock is on the program itself, so that no file is left; the kernel gives it back at the end
 * of the process. A child of one that has it, has it, too. */
const char *kernel_audit_taken(void)
{
    static char why[128];
    static int lock = -1;

    if (lock < 0) {
        lock = open("/usr/sbin/auditd", O_RDONLY | O_CLOEXEC);
        if (lock < 0) {
            return "auditd is not installed";
        }
        (void)flock(lock, LOCK_EX);
    }
    int error = kernel_audit_ask(&before);
    if (error != 0) {
        snprintf(why, sizeof(why), "the kernel answers AUDIT_GET with: %s", strerror(error));
        return why;
    }
    if (before.pid != 0 || before.enabled > 1) {
        snprintf(why, sizeof(why), "another auditd runs here (process %u), or auditing is locked",
                 before.pid);
        return why;
    }
    taken = true;
    return NULL;
}

void kernel_audit_restore(void)
{
    struct audit_status now = {0};

    if (!taken) {
        return;
    }
    for (int i = 0; i < 100 && kernel_audit_ask(&now) == 0 && now.pid != 0; i++) {
        usleep(20000);
    }
    if (now.pid == 0 && now.enabled != before.enabled) {
        kernel_audit_enable(before.enabled);
    }
}
