/* SPDX-License-Identifier: MIT */
/*
 * A line on standard error, without a stream: a stream has a lock and a buffer, which are the
 * host's.
 *
 * A daemon that closed descriptor 2 may have a connection or a file of its own there by now, and a
 * line of ours would be read as an answer, or be written into its data. A socket is standard error
 * only where the journal is at its other end (systemd.exec(5), StandardError=journal); a file only
 * where it is open for writing alone, as a shell or a service manager opens it.
 */
#include "base/stderr_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "base/utf8.h"
#include "base/write.h"

enum { LINE_SIZE = 4096 };

/* A socket that is connected shows the name at which its peer was listening (unix(7)). */
static bool is_of_the_journal(void)
{
    static const char journal[] = "/run/systemd/journal/stdout";
    struct sockaddr_un peer = {0};
    socklen_t length = sizeof(peer);

    return getpeername(STDERR_FILENO, (struct sockaddr *)&peer, &length) == 0 &&
           peer.sun_family == AF_UNIX && strncmp(peer.sun_path, journal, sizeof(journal)) == 0;
}

/* A file that is also open for reading is data. */
static bool is_standard_error(void)
{
    struct stat status;
    int flags = fcntl(STDERR_FILENO, F_GETFL);

    if (flags < 0 || fstat(STDERR_FILENO, &status) != 0) {
        return false;
    }
    switch (status.st_mode & S_IFMT) {
    case S_IFSOCK:
        return is_of_the_journal();
    case S_IFREG:
    case S_IFIFO:
        return (flags & O_ACCMODE) == O_WRONLY;
    case S_IFCHR:
        return isatty(STDERR_FILENO) != 0;
    default:
        return false;
    }
}

/* A terminal that was stopped, or a full pipe: a guarded call must not wait. */
static bool takes_a_line(void)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
}

/* What a terminal would act on, or a reader would not see. Returns the new length. */
static size_t blank_hidden(char *text, size_t length)
{
    size_t kept = 0, step;

    for (size_t at = 0; at < length; at += step) {
        uint32_t code = 0;
        step = utf8_next(text + at, length - at, &code);
        if (step == 0 || text_is_hidden(code)) {
            step = step == 0 ? 1 : step;
            text[kept++] = ' ';
            continue;
        }
        memmove(text + kept, text + at, step);
        kept += step;
    }
    return kept;
}

void stderr_line(const char *format, ...)
{
    static const char name[] = "miguard: ";
    char line[LINE_SIZE];
    va_list arguments;

    int kept = errno;

    if (!is_standard_error() || !takes_a_line()) {
        errno = kept;
        return;
    }
    memcpy(line, name, sizeof(name));
    va_start(arguments, format);
    int wanted = vsnprintf(line + sizeof(name) - 1, sizeof(line) - sizeof(name), format, arguments);
    va_end(arguments);
    if (wanted < 0) {
        line[sizeof(name) - 1] = '\0';
    }
    size_t length = blank_hidden(line, strlen(line));
    line[length++] = '\n';
    (void)!write_quietly(STDERR_FILENO, line, length);
    errno = kept;
}
