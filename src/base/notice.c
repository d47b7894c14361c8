/* SPDX-License-Identifier: MIT */
/*
 * A line where an administrator looks: standard error, and the system's log. For the case that the
 * audit log itself cannot be written; everything else is a record.
 */
#include "base/notice.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/stderr_line.h"

enum { AUTHPRIV_ERR = 10 << 3 | 3, MESSAGE_SIZE = 1024 }; /* RFC 3164, 4.1 */

/* The daemon adds time and host. */
static void send_to_log(const char *text)
{
    const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    char message[MESSAGE_SIZE];
    struct descriptor_low low;

    int length = snprintf(message, sizeof(message), "<%d>miguard[%d]: %s", AUTHPRIV_ERR,
                          (int)getpid(), text);
    descriptor_take_low(&low);
    int fd = descriptor_away(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    descriptor_give_low(&low);
    if (fd < 0) {
        return;
    }
    size_t size = length < 0                         ? 0
                  : (size_t)length < sizeof(message) ? (size_t)length
                                                     : sizeof(message) - 1;
    (void)sendto(fd, message, size, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&log,
                 sizeof(log));
    (void)close(fd);
}

void notice(const char *text)
{
    int kept = errno;

    stderr_line("%s", text);
    send_to_log(text);
    errno = kept;
}
