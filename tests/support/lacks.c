/* SPDX-License-Identifier: MIT */
#include "support/lacks.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

bool lacks_robust_mutexes(void)
{
    struct robust_list_head *head = NULL;
    size_t size = 0;

    return syscall(SYS_get_robust_list, 0, &head, &size) != 0 && errno == ENOSYS;
}

bool lacks_second_mappings(void)
{
    enum { SIZE = 4096 };
    void *first = mmap(NULL, SIZE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void *second = mremap(first, 0, SIZE, MREMAP_MAYMOVE);

    munmap(first, SIZE);
    if (second != MAP_FAILED) {
        munmap(second, SIZE);
    }
    return second == MAP_FAILED;
}

bool lacks_address_limit(void)
{
    const struct rlimit wanted = {.rlim_cur = (rlim_t)1 << 40, .rlim_max = RLIM_INFINITY};
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit got = {0};

    bool kept = setrlimit(RLIMIT_AS, &wanted) != 0 ||
                (getrlimit(RLIMIT_AS, &got) == 0 && got.rlim_cur == wanted.rlim_cur);
    (void)setrlimit(RLIMIT_AS, &none);
    return !kept;
}

bool lacks_peer_groups(void)
{
    int pair[2];
    gid_t groups[1];
    socklen_t size = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        return false;
    }
    bool lacks = getsockopt(pair[0], SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0 &&
                 (errno == ENOPROTOOPT || errno == EOPNOTSUPP);
    close(pair[0]);
    close(pair[1]);
    return lacks;
}
