/* SPDX-License-Identifier: MIT */
/*
 * Who a client of `miguard serve` is: what the kernel says of its socket, and nothing that it
 * sends.
 *
 * Ids and groups are those of SO_PEERCRED and SO_PEERGROUPS. They say nothing of capabilities, and
 * a thread that becomes root would have all that the server has: a root in a container may have
 * few. So those of a peer with uid 0 are read from its process, and it gets no others. The process
 * is named by a descriptor (SO_PEERPIDFD, Linux 6.5) that shows that it still ran afterwards: its
 * number alone may be another process's by then. Without one such a peer is refused.
 */
#include "tools/cli/serve_client.h"

#include <cap-ng.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "miguard/switch.h"

/* The effective capabilities of a process. */
static bool read_capabilities(const char *path, uint64_t *ret_set)
{
    char line[256];
    bool found = false;
    FILE *file = fopen(path, "re");

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "CapEff:", strlen("CapEff:")) == 0) {
            *ret_set = strtoull(line + strlen("CapEff:"), NULL, 16);
            found = true;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* Whether the process of the descriptor has not ended (pidfd_open(2): it is readable then). */
static bool still_runs(int pidfd)
{
    struct pollfd event = {.fd = pidfd, .events = POLLIN};

    return poll(&event, 1, 0) == 0;
}

/* Those of the peer's process that this one has, too: no client gains any here. */
static bool peer_capabilities(int fd, const struct miguard_target *target, uint64_t *ret_set)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    struct miguard_error error;
    uint64_t own = 0, theirs = 0;
    char path[48];
    int pidfd = -1;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0 ||
        miguard_target_peer_pidfd(target, &pidfd, &error) != MIGUARD_OK) {
        return false;
    }
    snprintf(path, sizeof(path), "/proc/%d/status", (int)peer.pid);
    bool known = read_capabilities(path, &theirs) && still_runs(pidfd) &&
                 read_capabilities("/proc/thread-self/status", &own);
    close(pidfd);
    *ret_set = own & theirs;
    return known;
}

/* By names, as miguard_target_keep_caps() takes them. */
static int keep_only(struct miguard_target *target, uint64_t set)
{
    struct text names = TEXT_EMPTY;
    struct miguard_error error;

    text_append(&names, "");
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        const char *name = (set >> i & 1) != 0 ? capng_capability_to_name(i) : NULL;
        if (name != NULL) {
            text_append(&names, names.length > 0 ? "," : "");
            text_append(&names, name);
        }
    }
    int status = names.failed ? complain(CLI_UNABLE, "out of memory")
                 : miguard_target_keep_caps(target, names.data, &error) == MIGUARD_OK
                     ? CLI_YES
                     : complain_error(CLI_UNABLE, "your capabilities", &error);
    text_release(&names);
    return status;
}

int serve_peer(int fd, struct miguard_target **ret_target)
{
    struct miguard_target *target = NULL;
    struct miguard_error error;
    uint64_t set = 0;
    uid_t uid = 0;
    int status = CLI_YES;

    if (miguard_target_peer(fd, &target, &error) != MIGUARD_OK ||
        miguard_target_uid(target, &uid) != MIGUARD_OK) {
        miguard_target_free(target);
        return complain_error(CLI_UNABLE, "your identity is not known", &error);
    }
    if (uid == 0) {
        status = peer_capabilities(fd, target, &set)
                     ? keep_only(target, set)
                     : complain(CLI_UNABLE, "your identity is not known: the capabilities of a "
                                            "process with uid 0 cannot be read");
    }
    if (status != CLI_YES) {
        miguard_target_free(target);
        return status;
    }
    *ret_target = target;
    return CLI_YES;
}
