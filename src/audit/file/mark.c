/* SPDX-License-Identifier: MIT */
/* Descriptors that stay what they were opened as: out of the host's way when they are opened, and
 * proved by what fstat(2) says before each use. Used by all of the log file. */
#include <errno.h>

#include "audit/file/file_internal.h"
#include "base/descriptor.h"

/* While 0, 1 or 2 is free, open(2) would take it, and what the program prints would go into the
 * log. */
int file_open_away(int folder, const char *name, int flags, mode_t mode)
{
    struct descriptor_low low;

    descriptor_take_low(&low);
    int fd = descriptor_away(file_calls.openat(folder, name, flags, mode));
    descriptor_give_low(&low);
    return fd;
}

static bool look_at(int fd, struct stat *ret_status)
{
    int result;

    do {
        result = file_calls.look(fd, ret_status);
    } while (result != 0 && errno == EINTR); /* some file systems of users */
    return result == 0;
}

/* The owner is kept too: file_lock.c compares it with who owns the file later. */
bool file_mark_set(int fd, struct file_mark *ret_mark)
{
    struct stat status;

    if (!look_at(fd, &status)) {
        return false;
    }
    *ret_mark =
        (struct file_mark){status.st_dev, status.st_ino, status.st_mode & S_IFMT, status.st_uid};
    return true;
}

/* Device and inode prove the file; the type guards against an inode number that was freed and given
 * to something of another kind. */
bool file_mark_looks(int fd, const struct file_mark *mark, struct stat *ret_status)
{
    if (fd < 0 || !look_at(fd, ret_status)) {
        return false;
    }
    errno = EBADF;
    return ret_status->st_dev == mark->device && ret_status->st_ino == mark->inode &&
           (ret_status->st_mode & S_IFMT) == mark->type;
}

bool file_mark_holds(int fd, const struct file_mark *mark)
{
    struct stat status;

    return file_mark_looks(fd, mark, &status);
}
