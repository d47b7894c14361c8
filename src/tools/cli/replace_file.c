/* SPDX-License-Identifier: MIT */
/*
 * Puts a text into a file, whole or not at all. Commands that write reports and metrics call it.
 */
#include "tools/cli/replace_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli/cli.h"

/* The message of a file that cannot be written; strerrordesc_np(3) does not depend on the
 * locale. */
static int failed(const char *path, const char *what)
{
    return complain(CLI_UNABLE, "%s: cannot be %s: %s", path, what, strerrordesc_np(errno));
}

/* write(2) may write less than it was given, and may be interrupted. */
static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            errno = written == 0 ? ENOSPC : errno;
            return false;
        }
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

/* Beside the file and then in its place: who reads it sees the old page or the new one, and a full
 * disk destroys none. mkstemp() makes it readable by its owner alone, until what it is to be is
 * known to be right. */
int replace_file(const char *path, const struct text *page, unsigned mode)
{
    struct stat found;
    char *name = NULL;

    if (lstat(path, &found) == 0 && !S_ISREG(found.st_mode)) {
        return complain(CLI_UNABLE, "%s: not a regular file; use - for standard output", path);
    }
    if (asprintf(&name, "%s.XXXXXX", path) < 0) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = CLI_YES, fd = mkstemp(name);
    if (fd < 0) {
        status = failed(path, "written");
        free(name);
        return status;
    }
    bool written =
        write_all(fd, page->data, page->length) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    written = close(fd) == 0 && written;
    if (!written || rename(name, path) != 0) {
        status = failed(path, written ? "replaced" : "written");
        (void)unlink(name);
    }
    free(name);
    return status;
}
