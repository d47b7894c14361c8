/* SPDX-License-Identifier: MIT */
/*
 * `miguard doctor`: whether records arrive where the policy sends them.
 *
 * Sockets are only connected to, and the kernel's audit system is asked with messages that leave no
 * record. The log's folder is tried with a file or folder of its own name, which is removed again:
 * nothing is written into the log itself.
 */
#include "tools/cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit/file/file.h"
#include "identity/trust.h"

/* FIRST_RECORD: bytes that a first record takes at most, with room. TRUSTED_APP: the audit message
 * type of the library's records (AUDIT_TRUSTED_APP in linux/audit.h). NO_SUCH_TYPE: one that the
 * kernel does not have. */
enum { FIRST_RECORD = 8192, PROBE_NAME = 64, TRUSTED_APP = 1121, NO_SUCH_TYPE = 999 };

/* An attempt with an error; EIO where the library gives no number. */
__attribute__((format(printf, 2, 3))) static struct attempt failed(int error, const char *format,
                                                                   ...)
{
    struct attempt found = {.error = error != 0 ? error : EIO};
    va_list list;

    va_start(list, format);
    vsnprintf(found.detail, sizeof(found.detail), format, list);
    va_end(list);
    return found;
}

/* ---- sockets --------------------------------------------------------------------------------- */

/* Sends a message that leaves no record: of a type that does not exist, or of the type that the
 * library sends but without a text. The kernel checks the sender's permission before it looks at
 * either, and answers EINVAL to a sender that has it. 0 or an errno. */
static int ask_audit(int fd, uint16_t type)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr answer;
        char more[256];
    } message = {.header = {.nlmsg_len = NLMSG_LENGTH(0),
                            .nlmsg_type = type,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    const struct timeval patience = {.tv_sec = 2};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (sendto(fd, &message, NLMSG_LENGTH(0), MSG_NOSIGNAL, (const struct sockaddr *)&kernel,
               sizeof(kernel)) < 0) {
        return errno;
    }
    ssize_t length = recv(fd, &message, sizeof(message), 0);
    if (length < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
        return length < 0 ? errno : EBADMSG;
    }
    return message.answer.error == -EINVAL ? 0 : -message.answer.error;
}

/* The socket is there in every kernel with CONFIG_AUDIT; whether it answers depends on the
 * namespaces. */
struct attempt try_audit_netlink(bool records)
{
    struct attempt found = {0};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);

    if (fd < 0) {
        found.error = errno;
        return found;
    }
    found.error = ask_audit(fd, NO_SUCH_TYPE);
    if (found.error == 0 && records) {
        found.error = ask_audit(fd, TRUSTED_APP);
        snprintf(found.detail, sizeof(found.detail), "%s", found.error != 0 ? "a record" : "");
    }
    close(fd);
    return found;
}

/* Without blocking: a stream socket with a full queue would wait (connect(2)). */
static int connect_to(const struct sockaddr_un *address, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return errno;
    }
    int error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    close(fd);
    return error;
}

/* A datagram socket first. EPROTOTYPE is the kernel's answer for a socket of the other type
 * (connect(2)), and only then, with streams, a stream is tried. ECONNREFUSED means that the path is
 * there and has no reader. */
struct attempt try_socket(const char *path, bool streams)
{
    struct attempt found = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        found.error = ENAMETOOLONG;
        return found;
    }
    strcpy(address.sun_path, path);
    found.error = connect_to(&address, SOCK_DGRAM);
    if (found.error == EPROTOTYPE && streams) {
        found.error = connect_to(&address, SOCK_STREAM);
    }
    return found;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* A name that no log has, different for each process. */
static const char *probe_name(char name[PROBE_NAME])
{
    snprintf(name, PROBE_NAME, ".miguard-doctor-%d", getpid());
    return name;
}

/* Makes a file as large as a first record where the log is, with its group, and takes it away
 * again. posix_fallocate(3) reserves the blocks, so a full disk or quota shows. */
static struct attempt try_room(int folder, const char *path, const struct sink_settings *settings)
{
    struct attempt good = {0};
    char name[PROBE_NAME];
    int fd =
        openat(folder, probe_name(name), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0) {
        return failed(errno, "a file in the folder of %.100s", path);
    }
    int grouped = settings->has_gid && fchown(fd, (uid_t)-1, (gid_t)settings->gid) != 0 ? errno : 0;
    int room = posix_fallocate(fd, 0, FIRST_RECORD);
    unlinkat(folder, name, 0);
    close(fd);
    if (grouped != 0) {
        return failed(grouped, "a file of group %u", settings->gid);
    }
    return room != 0 ? failed(room, "the first record in %.100s", path) : good;
}

/* The folders that `miguard run` makes are this user's own: what counts is what is above them. A
 * folder is made in the lowest one that exists, checked as the library does, and removed. */
static struct attempt try_own_folder(const char *path, const struct sink_settings *settings)
{
    char above[PATH_MAX], probe[PATH_MAX + PROBE_NAME], name[PROBE_NAME];
    static char problem[TRUST_PROBLEM];
    struct stat status;
    int fd = -1;

    snprintf(above, sizeof(above), "%s", path);
    char *parent = dirname(above);
    while (stat(parent, &status) != 0 && errno == ENOENT && strcmp(parent, "/") != 0) {
        parent = dirname(parent);
    }
    snprintf(probe, sizeof(probe), "%s/%s", parent, probe_name(name));
    if (mkdir(probe, 0700) != 0) {
        return failed(errno, "a folder in %.100s", parent);
    }
    enum trust_result result = trust_open(probe, TRUST_STICKY_ABOVE, problem, &fd, &status);
    struct attempt found =
        result == TRUST_OPENED ? try_room(fd, path, settings) : failed(EPERM, "%.250s", problem);
    if (fd >= 0) {
        close(fd);
    }
    rmdir(probe);
    return found;
}

/* Makes the log's folder as the library makes it, under another name, and removes it. */
static struct attempt try_new_folder(const char *path, const struct sink_settings *settings)
{
    char above[PATH_MAX], parent[PATH_MAX], probe[PATH_MAX + PROBE_NAME], name[PROBE_NAME];
    static char problem[TRUST_PROBLEM];
    struct stat status;
    int fd = -1;

    snprintf(above, sizeof(above), "%s", path);
    snprintf(parent, sizeof(parent), "%s", dirname(dirname(above)));
    snprintf(probe, sizeof(probe), "%s/%s", parent, probe_name(name));
    enum trust_result result = trust_make_folder(
        probe, 0750, settings->has_gid ? settings->gid : getegid(), problem, &fd, &status);
    if (result == TRUST_ABSENT) {
        return failed(ENOENT, "%.100s, in which its folder would be made", parent);
    }
    if (result == TRUST_REFUSED) {
        return failed(EPERM, "%.250s", problem);
    }
    struct attempt found = try_room(fd, path, settings);
    close(fd);
    rmdir(probe);
    return found;
}

/* Also false when it cannot be known; then the library's own check says why. */
static bool folder_is_missing(const char *path)
{
    char folder[PATH_MAX];
    struct stat status;

    snprintf(folder, sizeof(folder), "%s", path);
    return lstat(dirname(folder), &status) != 0 && errno == ENOENT;
}

/* A log whose folder exists is checked by the library itself (file_try()). */
struct attempt try_log(const struct sink_settings *settings, bool own)
{
    struct miguard_error error = {0};
    int folder = -1;

    if (folder_is_missing(settings->path)) {
        return own ? try_own_folder(settings->path, settings)
                   : try_new_folder(settings->path, settings);
    }
    if (file_try(settings, &folder, &error) != MIGUARD_OK) {
        return failed(error.system_errno, "%s", error.detail);
    }
    struct attempt found = try_room(folder, settings->path, settings);
    close(folder);
    return found;
}
