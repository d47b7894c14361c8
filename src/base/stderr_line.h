/* SPDX-License-Identifier: MIT */
/*
 * One line on the standard error of the host: for what an administrator must see where the log may
 * not be open, and a host gives no other way.
 */
#ifndef BASE_STDERR_LINE_H
#define BASE_STDERR_LINE_H

/*
 * Writes "miguard: ..." and a line end with one write(2), which mixes with no other line. Hidden
 * characters (base/text.h) become blanks, and a text of more than 4,000 bytes is cut. Nothing is
 * written where descriptor 2 is not standard error (closed, a socket that is not the journal's, a
 * file that is also read), or where the write would wait. Raises no signal, leaves errno, takes no
 * lock and allocates nothing.
 */
void stderr_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
