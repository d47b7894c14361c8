/* SPDX-License-Identifier: MIT */
/*
 * Files in a host's folder (place.h): each change is one rename(2), link(2) or unlink(2), and the
 * folder is synced behind it. A new file is whole and synced before it gets its name.
 *
 * The folder is one that only root or the caller can write: `miguard wrap` proved that before, so
 * that no name is followed that another user could have placed.
 */
#include "tools/module/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/write.h"

static bool place_failed(char problem[PLACE_PROBLEM], const char *step)
{
    snprintf(problem, PLACE_PROBLEM, "%s: %s", step, strerrordesc_np(errno));
    return false;
}

/* Makes what was done to names in the folder of path last. */
static bool sync_folder(const char *path, char problem[PLACE_PROBLEM])
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);

    if (length >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return place_failed(problem, "open folder");
    }
    memcpy(folder, length > 0 ? path : ".", length > 0 ? length : 1);
    folder[length > 0 ? length : 1] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return place_failed(problem, "open folder");
    }
    bool good = fsync(fd) == 0 || place_failed(problem, "sync folder");
    close(fd);
    return good;
}

/* A name beside path that is not in use by another process of this command. */
static bool name_beside(const char *path, char name[PATH_MAX], char problem[PLACE_PROBLEM])
{
    int length = snprintf(name, PATH_MAX, "%s.new-%d", path, (int)getpid());

    if (length < 0 || length >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return place_failed(problem, "name");
    }
    return true;
}

static bool write_whole(int fd, const unsigned char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = write_quietly(fd, bytes + done, size - done);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return true;
}

/* Owner before mode: chown(2) clears bits of it. */
static bool fill_file(int fd, const void *bytes, size_t size, const struct stat *like,
                      char problem[PLACE_PROBLEM])
{
    if (!write_whole(fd, bytes, size)) {
        return place_failed(problem, "write");
    }
    if (fchown(fd, like->st_uid, like->st_gid) != 0) {
        return place_failed(problem, "chown");
    }
    if (fchmod(fd, like->st_mode & 0755) != 0) {
        return place_failed(problem, "chmod");
    }
    return fsync(fd) == 0 || place_failed(problem, "sync");
}

/* The raw call: musl has no wrapper. */
static bool rename_new(const char *from, const char *to, bool replace)
{
    return replace ? rename(from, to) == 0
                   : syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1 /* NOREPLACE */) == 0;
}

bool place_file(const char *path, const void *bytes, size_t size, const struct stat *like,
                bool replace, char problem[PLACE_PROBLEM])
{
    char name[PATH_MAX];

    if (!name_beside(path, name, problem)) {
        return false;
    }
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return place_failed(problem, "create");
    }
    bool good = fill_file(fd, bytes, size, like, problem);
    close(fd);
    if (good && !rename_new(name, path, replace)) {
        good = place_failed(problem, "rename");
    }
    if (!good) {
        (void)unlink(name);
        return false;
    }
    return sync_folder(path, problem);
}

static bool is_file(const char *path, const struct stat *expected)
{
    struct stat status;

    return lstat(path, &status) == 0 && status.st_dev == expected->st_dev &&
           status.st_ino == expected->st_ino;
}

/* By a name that does not exist yet and a rename, so that the name never leads nowhere. */
static bool link_over(const char *path, const char *name, bool replace, char problem[PLACE_PROBLEM])
{
    char fresh[PATH_MAX];

    if (!name_beside(name, fresh, problem)) {
        return false;
    }
    if (link(path, fresh) != 0) {
        return place_failed(problem, "link");
    }
    if (!rename_new(fresh, name, replace)) {
        (void)place_failed(problem, "rename");
        (void)unlink(fresh);
        return false;
    }
    return true;
}

bool place_second_name(const char *path, const char *name, const struct stat *expected,
                       bool replace, char problem[PLACE_PROBLEM])
{
    if (is_file(name, expected)) {
        return true; /* of a run that was interrupted */
    }
    if (!link_over(path, name, replace, problem)) {
        return false;
    }
    if (!is_file(name, expected)) {
        (void)unlink(name);
        snprintf(problem, PLACE_PROBLEM, "it was replaced meanwhile");
        return false;
    }
    return sync_folder(name, problem);
}

bool place_back(const char *from, const char *path, char problem[PLACE_PROBLEM])
{
    return rename(from, path) == 0 ? sync_folder(path, problem) : place_failed(problem, "rename");
}

bool place_removed(const char *path, char problem[PLACE_PROBLEM])
{
    return unlink(path) == 0 ? sync_folder(path, problem) : place_failed(problem, "remove");
}
