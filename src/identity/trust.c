/* SPDX-License-Identifier: MIT */
/*
 * Opens files and folders that only a trusted user can have placed (trust.h). Called by the policy
 * loader, the log and the command.
 *
 * trust_open() walks from "/" one step at a time: take_step() names it, walk_step() opens it
 * without following links, judge() examines the descriptor. A link's target is put before the
 * remaining steps (follow_link). open_last() opens the end for reading and judges it again.
 * trust_make_folder() walks to the parent the same way.
 */
#include "identity/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "identity/directory.h"
#include "identity/identity.h"

/* Milliseconds to wait for an owner's name for a message. */
enum { OWNER_WAIT = 100 };

/* One path on its way from the root: the current folder and the steps that are left. */
struct walk {
    const char *path; /* as requested */
    char *problem;    /* TRUST_PROBLEM bytes: what is wrong */
    enum trust_rule rule;
    int folder;          /* O_PATH, so that no read permission is needed on the way */
    char at[PATH_MAX];   /* the name of folder, without links; "" is "/" */
    char todo[PATH_MAX]; /* the steps that are left */
    unsigned links;
    uid_t root_owner; /* of "/" */
    bool making;      /* the last step is the folder in which another will be made */
};

/* ---- messages -------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static enum trust_result
refuse(const struct walk *walk, const char *name, const char *format, ...)
{
    char what[512];
    va_list arguments;
    const char *slash = walk->at[0] == '\0' || name[0] != '\0' ? "/" : "";

    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    snprintf(walk->problem, TRUST_PROBLEM, "%s%s%s: %s", walk->at, slash, name, what);
    return TRUST_REFUSED;
}

/* Of a failed system call, by errno. step names the call. */
static enum trust_result refuse_system(const struct walk *walk, const char *name, const char *step)
{
    int error = errno;

    if (error == EACCES) {
        return refuse(walk, name, "%s: permission denied for uid %u; run as root or grant it", step,
                      geteuid());
    }
    return refuse(walk, name, "%s: %s", step, strerrordesc_np(error));
}

/* For messages. Only the types that open(2) with O_NOFOLLOW and O_PATH can give. */
static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "folder";
    case S_IFIFO:
        return "FIFO";
    case S_IFSOCK:
        return "socket";
    case S_IFCHR:
    case S_IFBLK:
        return "device";
    default:
        return "symbolic link";
    }
}

/* ---- judging one descriptor ------------------------------------------------------------------ */

/* The owner's name helps a person to find who made the file; the refusal stands without it. */
static enum trust_result refuse_owner(const struct walk *walk, const char *name,
                                      const struct stat *status)
{
    struct directory_entry owner = {0};
    enum directory_result asked =
        directory_by_id(DIRECTORY_USER, status->st_uid, OWNER_WAIT, &owner);
    const char *known = asked == DIRECTORY_FOUND  ? owner.name
                        : asked == DIRECTORY_NONE ? "no such user"
                                                  : "its name is not available";

    enum trust_result result =
        refuse(walk, name, "the %s belongs to uid %u (%.64s), mode %04o; it must belong to root%s",
               kind_of(status->st_mode), status->st_uid, known, status->st_mode & 07777,
               geteuid() == 0 ? "" : " or to the user who runs this");
    directory_release(&owner);
    return result;
}

/*
 * The owner of "/" can replace anything that this process runs and reads, so distrusting that user
 * for "/" and "/etc" would protect nothing. It matters in a user namespace that does not map root:
 * there both show the overflow id, and without this rule not even a missing policy could be
 * detected. Everything below /etc must belong to a user whom the namespace maps. On the way to a
 * log the same holds for each folder in "/".
 */
static bool is_of_the_system(const struct walk *walk, const char *name, const struct stat *status)
{
    return walk->at[0] == '\0' &&
           (name[0] == '\0' || strcmp(name, "etc") == 0 ||
            (walk->rule == TRUST_STICKY_ABOVE && walk->todo[0] != '\0')) &&
           S_ISDIR(status->st_mode) && status->st_uid == walk->root_owner;
}

/* What else would be right: where a distribution has a folder that a group can write (/var/log of
 * root:syslog, mode 0775), its mode cannot always be changed. In a sticky folder no folder is made:
 * other users could have made it first. */
static const char *other_way(const struct walk *walk, mode_t mode)
{
    if (walk->rule != TRUST_STICKY_ABOVE || !S_ISDIR(mode) ||
        (walk->todo[0] == '\0' && !walk->making)) {
        return "";
    }
    return (mode & S_ISVTX) != 0 ? ", or make the log's folder yourself"
                                 : ", or chmod +t and make the log's folder yourself";
}

/* Whether the rule allows this step, by the stat of an open descriptor. TRUST_OPENED means "go
 * on". */
static enum trust_result judge(const struct walk *walk, const char *name, const struct stat *status)
{
    mode_t extra = status->st_mode & (S_IWGRP | S_IWOTH);

    if (walk->rule == TRUST_ANYBODY) {
        return TRUST_OPENED;
    }
    if (status->st_uid != 0 && status->st_uid != geteuid() &&
        !is_of_the_system(walk, name, status)) {
        return refuse_owner(walk, name, status);
    }
    /* The mode of a link means nothing; its folder decides who may replace it. */
    if (extra == 0 || S_ISLNK(status->st_mode)) {
        return TRUST_OPENED;
    }
    /* In a sticky folder only the owner can rename or remove an entry (unlink(2)); entries of root
     * or of this user are therefore safe, and each step's owner is checked. */
    if (walk->rule == TRUST_STICKY_ABOVE && walk->todo[0] != '\0' && S_ISDIR(status->st_mode) &&
        (status->st_mode & S_ISVTX) != 0) {
        return TRUST_OPENED;
    }
    return refuse(walk, name,
                  "the %s is writable by %s (uid %u, mode %04o)%s; right would be mode %04o%s",
                  kind_of(status->st_mode),
                  extra == S_IWGRP   ? "its group"
                  : extra == S_IWOTH ? "everybody"
                                     : "its group and everybody",
                  status->st_uid, status->st_mode & 07777,
                  (status->st_mode & S_ISVTX) != 0 ? ", where sticky is not enough" : "",
                  status->st_mode & 07777 & ~(unsigned)(S_IWGRP | S_IWOTH | S_ISVTX),
                  other_way(walk, status->st_mode));
}

/* ---- walking --------------------------------------------------------------------------------- */

/* Puts text before what is left to walk. */
static bool prepend(struct walk *walk, const char *text)
{
    char joined[PATH_MAX];
    int length = snprintf(joined, sizeof(joined), "%s/%s", text, walk->todo);

    if (length < 0 || (size_t)length >= sizeof(joined)) {
        return false;
    }
    memcpy(walk->todo, joined, (size_t)length + 1);
    return true;
}

/* The walk owns one descriptor at a time: that of its current folder. */
static void move_to(struct walk *walk, int folder)
{
    if (walk->folder >= 0) {
        close(walk->folder);
    }
    walk->folder = folder;
}

/* Starts again at "/", also for an absolute link. Its owner is noted for is_of_the_system(). */
static enum trust_result walk_from_root(struct walk *walk)
{
    struct stat status;
    int folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    walk->at[0] = '\0';
    move_to(walk, folder);
    if (folder < 0 || fstat(folder, &status) != 0) {
        return refuse_system(walk, "", "open");
    }
    walk->root_owner = status.st_uid;
    return judge(walk, "", &status);
}

/* Removes the next step from todo; "" at the end. */
static void take_step(struct walk *walk, char name[NAME_MAX + 2])
{
    size_t skip = strspn(walk->todo, "/");
    size_t length = strcspn(walk->todo + skip, "/");
    size_t kept = length <= NAME_MAX ? length : NAME_MAX + 1; /* open() will report ENAMETOOLONG */
    size_t behind = skip + length;

    memcpy(name, walk->todo + skip, kept);
    name[kept] = '\0';
    behind += strspn(walk->todo + behind, "/");
    memmove(walk->todo, walk->todo + behind, strlen(walk->todo + behind) + 1);
}

/* Appends name to the path of the current folder, or removes the last name for "..". */
static bool step_name(struct walk *walk, const char *name)
{
    size_t length = strlen(walk->at), more = strlen(name);

    if (strcmp(name, "..") == 0) {
        char *slash = strrchr(walk->at, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
        return true;
    }
    if (length + 1 + more >= sizeof(walk->at)) {
        return false;
    }
    walk->at[length] = '/';
    memcpy(walk->at + length + 1, name, more + 1);
    return true;
}

/* Puts the target before the remaining steps; its steps are judged as all others. The descriptor is
 * the link itself (O_PATH), so what is read is what was judged. */
static enum trust_result follow_link(struct walk *walk, int link, const char *name)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(link, "", target, sizeof(target));

    if (length < 0) {
        return refuse_system(walk, name, "readlink");
    }
    if (++walk->links > TRUST_MAX_LINKS) {
        return refuse(walk, name, "more than %d symbolic links on the way; name the file itself",
                      TRUST_MAX_LINKS);
    }
    if ((size_t)length >= sizeof(target)) {
        return refuse(walk, name, "the link's target is too long");
    }
    target[length] = '\0';
    if (!prepend(walk, target)) {
        return refuse(walk, name, "the path is too long");
    }
    return target[0] == '/' ? walk_from_root(walk) : TRUST_OPENED;
}

/* Opens the last step for reading. The caller examined it through an O_PATH descriptor, so that no
 * FIFO or device is opened; the check of this second descriptor is the one that counts. */
static enum trust_result open_last(struct walk *walk, const char *name, int *ret_fd,
                                   struct stat *ret_stat)
{
    int fd = descriptor_open(walk->folder, name,
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);

    if (fd < 0) {
        return refuse_system(walk, name, "open");
    }
    enum trust_result result =
        fstat(fd, ret_stat) != 0 ? refuse_system(walk, name, "fstat") : judge(walk, name, ret_stat);
    if (result == TRUST_OPENED && !S_ISREG(ret_stat->st_mode) && !S_ISDIR(ret_stat->st_mode)) {
        result =
            refuse(walk, name, "it was replaced by a %s meanwhile", kind_of(ret_stat->st_mode));
    }
    if (result != TRUST_OPENED) {
        close(fd);
        return result;
    }
    *ret_fd = fd;
    return TRUST_OPENED;
}

/* One step further. *ret_fd is set at the last one. */
static enum trust_result walk_step(struct walk *walk, const char *name, int *ret_fd,
                                   struct stat *ret_stat)
{
    struct stat status;
    bool last = walk->todo[0] == '\0';
    int step = openat(walk->folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (step < 0) {
        if (errno == ENOENT && walk->links == 0) {
            return TRUST_ABSENT;
        }
        return refuse_system(walk, name, walk->links > 0 ? "a symbolic link leads here" : "open");
    }
    enum trust_result result =
        fstat(step, &status) != 0 ? refuse_system(walk, name, "fstat") : judge(walk, name, &status);
    if (result != TRUST_OPENED) {
        close(step);
        return result;
    }
    if (S_ISLNK(status.st_mode)) {
        result = follow_link(walk, step, name);
        close(step);
        return result;
    }
    if (S_ISDIR(status.st_mode) && !last) {
        move_to(walk, step);
        return step_name(walk, name) ? TRUST_OPENED : refuse(walk, name, "the path is too long");
    }
    close(step);
    if (!last) {
        return refuse(walk, name, "a %s stands where a folder must be", kind_of(status.st_mode));
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        return refuse(walk, name, "a %s; it must be a regular file, or a folder of files",
                      kind_of(status.st_mode));
    }
    return open_last(walk, name, ret_fd, ret_stat);
}

/* A relative path begins at the working directory; the folders above that are checked as well. */
static enum trust_result walk_begin(struct walk *walk)
{
    char folder[PATH_MAX];
    enum trust_result result = walk_from_root(walk);

    if (result != TRUST_OPENED) {
        return result;
    }
    if (strlen(walk->path) >= sizeof(walk->todo)) {
        return refuse(walk, "", "the path is too long");
    }
    memcpy(walk->todo, walk->path, strlen(walk->path) + 1);
    if (walk->path[0] == '/') {
        return TRUST_OPENED;
    }
    if (getcwd(folder, sizeof(folder)) == NULL) {
        return refuse_system(walk, "", "getcwd");
    }
    return prepend(walk, folder) ? TRUST_OPENED : refuse(walk, "", "the path is too long");
}

/* The loop of all steps. The current folder is closed on every way out. */
static enum trust_result walk_to_end(struct walk *walk, int *ret_fd, struct stat *ret_stat)
{
    char name[NAME_MAX + 2];
    int fd = -1;
    enum trust_result result = walk_begin(walk);

    while (result == TRUST_OPENED && fd < 0) {
        take_step(walk, name);
        if (strcmp(name, ".") == 0 && walk->todo[0] != '\0') {
            continue;
        }
        /* After the last step, the current folder itself is opened. */
        result = walk_step(walk, name[0] == '\0' ? "." : name, &fd, ret_stat);
    }
    if (walk->folder >= 0) {
        close(walk->folder);
        walk->folder = -1;
    }
    if (result == TRUST_OPENED) {
        *ret_fd = fd;
    }
    return result;
}

/* The descriptor of the current folder starts as -1; walk_to_end() closes the last one. */
enum trust_result trust_open(const char *path, enum trust_rule rule, char problem[TRUST_PROBLEM],
                             int *ret_fd, struct stat *ret_stat)
{
    struct walk walk = {.path = path, .problem = problem, .rule = rule, .folder = -1};

    return walk_to_end(&walk, ret_fd, ret_stat);
}

/* ---- making a folder ------------------------------------------------------------------------- */

/* Splits "/a/b/" into "/a" and "b", "b" into "." and "b". False: no such last step. */
static bool split_last(const char *path, char parent[PATH_MAX], char name[NAME_MAX + 1])
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    size_t start = length;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    if (start == length || length - start > NAME_MAX || start >= PATH_MAX) {
        return false;
    }
    memcpy(name, path + start, length - start);
    name[length - start] = '\0';
    memcpy(parent, path, start);
    memcpy(parent + start, start == 0 ? "." : "", start == 0 ? 2 : 1);
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Makes the folder for its owner only, and opens it to others when it is complete: neither the
 * umask nor a parent that passes on its group takes effect. False and errno: the folder does not
 * exist. */
static bool make_whole(int parent, const char *name, mode_t mode, gid_t gid)
{
    struct stat status;

    if (mkdirat(parent, name, 0700) != 0) {
        return errno == EEXIST; /* made by another process meanwhile; checked like any other */
    }
    int fd = descriptor_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    bool made = fd >= 0 && fstat(fd, &status) == 0 && fchown(fd, (uid_t)-1, gid) == 0 &&
                fchmod(fd, mode) == 0;
    int error = errno;
    if (made && status.st_uid != geteuid()) { /* the filesystem uid differs */
        made = false;
        error = EPERM;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (made && fsync(parent) != 0 && errno != EINVAL) { /* some file systems do not support it */
        made = false;
        error = errno;
    }
    if (!made) {
        unlinkat(parent, name, AT_REMOVEDIR);
    }
    errno = error;
    return made;
}

/* Opens the parent folder under the rules for the last step. */
static enum trust_result open_parent(struct walk *walk, const char *path, int *ret_fd,
                                     struct stat *status)
{
    enum trust_result result = walk_to_end(walk, ret_fd, status);

    if (result != TRUST_OPENED) {
        return result;
    }
    if (S_ISDIR(status->st_mode) && walk->links == 0) {
        return TRUST_OPENED;
    }
    close(*ret_fd);
    *ret_fd = -1;
    snprintf(walk->problem, TRUST_PROBLEM, "%s: does not exist, and %s", path,
             walk->links > 0 ? "is not made through a symbolic link; make it yourself"
                             : "its parent is not a folder");
    return TRUST_REFUSED;
}

/* The new folder is opened by its path and judged like any other: what counts is what is there
 * afterwards, not what was made. */
enum trust_result trust_make_folder(const char *path, mode_t mode, gid_t gid,
                                    char problem[TRUST_PROBLEM], int *ret_fd, struct stat *ret_stat)
{
    char parent[PATH_MAX], name[NAME_MAX + 1];
    struct walk walk = {.path = parent,
                        .problem = problem,
                        .rule = TRUST_STICKY_ABOVE,
                        .folder = -1,
                        .making = true};
    int above = -1;

    if (!split_last(path, parent, name)) {
        return TRUST_ABSENT;
    }
    enum trust_result result = open_parent(&walk, path, &above, ret_stat);
    if (result != TRUST_OPENED) {
        return result;
    }
    bool made = make_whole(above, name, mode, gid);
    int error = errno;
    close(above);
    if (!made) {
        snprintf(problem, TRUST_PROBLEM, "%s: does not exist, and uid %u cannot make it: %s", path,
                 geteuid(), strerrordesc_np(error));
        return TRUST_REFUSED;
    }
    return trust_open(path, TRUST_STICKY_ABOVE, problem, ret_fd, ret_stat);
}
