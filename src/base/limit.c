/* SPDX-License-Identifier: MIT */
/* Checks RLIMIT_FSIZE before the audit code makes a file longer. */
#include "base/limit.h"

#include <errno.h>
#include <sys/resource.h>

bool limit_allows_file(uint64_t size)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        size > limit.rlim_cur) {
        errno = EFBIG;
        return false;
    }
    return true;
}
