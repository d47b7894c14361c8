/* SPDX-License-Identifier: MIT */
#include "support/lacks.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

bool lacks_wiping(void)
{
    enum { SIZE = 4096 };
    void *shared = mmap(NULL, SIZE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool lies = madvise(shared, SIZE, MADV_WIPEONFORK) == 0; /* private memory only (madvise(2)) */

    munmap(shared, SIZE);
    return lies;
}

bool lacks_plain_threads(void)
{
    const char *runner = getenv("RUNNER");
    return runner != NULL && strstr(runner, "qemu-") != NULL;
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

static void ask_for_groups(void)
{
    const gid_t given[] = {1, 2};
    gid_t told[2] = {0};
    socklen_t size = sizeof(told);
    int pair[2];

    _exit(syscall(SYS_setgroups, 2, given) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
          (getsockopt(pair[0], SOL_SOCKET, SO_PEERGROUPS, told, &size) != 0 ||
           size != sizeof(told) || told[1] != given[1]));
}

bool lacks_peer_groups(void)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        ask_for_groups();
    }
    return waitpid(child, &status, 0) == child && status != 0;
}
