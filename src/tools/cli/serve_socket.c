/* SPDX-License-Identifier: MIT */
/*
 * Making and removing the socket of `miguard serve`.
 *
 * All happens in one folder, by its descriptor, which trust_open() has looked at: another user who
 * could put entries there could put a socket of their own in this one's place. Servers that start
 * or end in it wait for each other (flock(2) on the folder), so that a socket which refuses a
 * connection is that of a server which has ended, and not of one that does not listen yet. A socket
 * is bound with mode 0600 and gets its mode before it listens: no client connects to it in between.
 */
#include "tools/cli/serve_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "identity/trust.h"
#include "tools/cli/cli.h"

enum { BACKLOG = 64, PASSED_FD = 3 };

/* ---- of systemd -------------------------------------------------------------------------------
 */

bool serve_socket_is_passed(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

    return pid != NULL && count != NULL && strtol(pid, NULL, 10) == (long)getpid();
}

static bool is_listening_stream(int fd)
{
    int domain = 0, type = 0, listening = 0;
    socklen_t size = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

int serve_socket_take(struct serve_socket *ret_socket)
{
    const char *count = getenv("LISTEN_FDS");

    if (count == NULL || strcmp(count, "1") != 0 || !is_listening_stream(PASSED_FD)) {
        return complain(CLI_UNABLE, "LISTEN_FDS: one listening unix stream socket is needed");
    }
    (void)fcntl(PASSED_FD, F_SETFD, FD_CLOEXEC);
    *ret_socket = (struct serve_socket){.fd = PASSED_FD, .folder = -1};
    return CLI_YES;
}

/* ---- the folder -------------------------------------------------------------------------------
 */

/* The path of name in the folder, which fits an address however long that of the folder is. */
static bool address_in(int folder, const char *name, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(ret_address->sun_path, sizeof(ret_address->sun_path),
                          "/proc/self/fd/%d/%s", folder, name);
    return length > 0 && (size_t)length < sizeof(ret_address->sun_path);
}

/* The descriptor of the folder of path, locked, and the name in it. */
static int open_folder(const char *path, struct serve_socket *socket)
{
    const char *slash = strrchr(path, '/');
    char problem[TRUST_PROBLEM], *folder = slash == path   ? strdup("/")
                                           : slash != NULL ? strndup(path, (size_t)(slash - path))
                                                           : strdup(".");
    struct stat facts;

    socket->name = slash != NULL ? slash + 1 : path;
    if (folder == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    enum trust_result result = trust_open(folder, TRUST_STRICT, problem, &socket->folder, &facts);
    free(folder);
    if (result != TRUST_OPENED) {
        return complain(CLI_UNABLE, "the folder of the socket: %s",
                        result == TRUST_ABSENT ? "No such file or directory" : problem);
    }
    if (!S_ISDIR(facts.st_mode) || socket->name[0] == '\0') {
        return complain(CLI_UNABLE, "%s: the path of a socket in a folder is needed", path);
    }
    return flock(socket->folder, LOCK_EX) == 0
               ? CLI_YES
               : complain(CLI_UNABLE, "the folder of the socket: %s", strerror(errno));
}

/* ---- making -----------------------------------------------------------------------------------
 */

/* Whether a server listens behind the socket: an answer of any kind but a refusal is one. */
static bool is_served(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return true; /* not known: the socket stays */
    }
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    return !refused;
}

/* Removes what a server that has ended left. */
static int remove_stale(const char *path, const struct serve_socket *own,
                        const struct sockaddr_un *address)
{
    struct stat facts;

    if (fstatat(own->folder, own->name, &facts, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? CLI_YES : complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    }
    if (!S_ISSOCK(facts.st_mode)) {
        return complain(CLI_UNABLE, "%s: it is there, and is no socket", path);
    }
    if (is_served(address)) {
        return complain(CLI_UNABLE, "%s: another server listens there", path);
    }
    return unlinkat(own->folder, own->name, 0) == 0
               ? CLI_YES
               : complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
}

/* With a mode that only this user may connect by, whatever the umask was; no other thread runs
 * yet. */
static int bind_own(const char *path, struct serve_socket *own, const struct sockaddr_un *address)
{
    struct stat facts;

    own->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (own->fd < 0) {
        return complain(CLI_UNABLE, "socket: %s", strerror(errno));
    }
    mode_t before = umask(0177);
    int bound = bind(own->fd, (const struct sockaddr *)address, sizeof(*address));
    int error = errno;
    umask(before);
    if (bound != 0) {
        return complain(CLI_UNABLE, "%s: %s", path, strerror(error));
    }
    if (fstatat(own->folder, own->name, &facts, AT_SYMLINK_NOFOLLOW) != 0) {
        return complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    }
    own->device = facts.st_dev;
    own->inode = facts.st_ino;
    return CLI_YES;
}

int serve_socket_make(const char *path, struct serve_socket *ret_socket)
{
    struct serve_socket own = {.fd = -1, .folder = -1};
    struct sockaddr_un address;
    int status = open_folder(path, &own);

    if (status == CLI_YES && !address_in(own.folder, own.name, &address)) {
        status = complain(CLI_UNABLE, "%s: the name of the socket is too long", path);
    }
    if (status == CLI_YES) {
        status = remove_stale(path, &own, &address);
    }
    if (status == CLI_YES) {
        status = bind_own(path, &own, &address);
    }
    if (status != CLI_YES) {
        serve_socket_close(&own);
        return status;
    }
    *ret_socket = own;
    return CLI_YES;
}

int serve_socket_listen(struct serve_socket *socket, mode_t mode)
{
    if (socket->folder < 0) {
        return CLI_YES; /* systemd's listens, with the mode of its unit */
    }
    if (fchmodat(socket->folder, socket->name, mode, 0) != 0 || listen(socket->fd, BACKLOG) != 0) {
        return complain(CLI_UNABLE, "the socket cannot be listened on: %s", strerror(errno));
    }
    (void)flock(socket->folder, LOCK_UN);
    return CLI_YES;
}

/* ---- removing ---------------------------------------------------------------------------------
 */

/* The lock keeps a server that starts from finding it refused and taking its place in between. */
static void remove_own(const struct serve_socket *own)
{
    struct stat facts;

    if (own->inode != 0 && flock(own->folder, LOCK_EX) == 0 &&
        fstatat(own->folder, own->name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
        facts.st_dev == own->device && facts.st_ino == own->inode) {
        (void)unlinkat(own->folder, own->name, 0);
    }
}

void serve_socket_close(struct serve_socket *socket)
{
    if (socket->fd >= 0) {
        close(socket->fd);
    }
    if (socket->folder >= 0) {
        remove_own(socket);
        close(socket->folder);
    }
    *socket = (struct serve_socket){.fd = -1, .folder = -1};
}
