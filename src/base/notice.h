/* SPDX-License-Identifier: MIT */
/* What an administrator must see although no record of it can be written. */
#ifndef BASE_NOTICE_H
#define BASE_NOTICE_H

/* One line on standard error (stderr_line.h) and one in the system's log: facility authpriv,
 * severity err, by a datagram to /dev/log (RFC 3164), not by syslog(3), whose connection is the
 * host's. Waits for nothing, leaves errno, allocates nothing. A place that takes no line is left
 * out. */
void notice(const char *text);

#endif
