/* SPDX-License-Identifier: MIT */
/* Blocks all signals of a thread. Used by the switch, the drop, the gate and its check. */
#include "base/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel accepts only a mask of its own size: one bit for each of its 64 signals. */
_Static_assert(_NSIG - 1 == 64, "the kernel's mask is 64 bits here");

static bool set_mask(const uint64_t *mask, uint64_t *ret_before)
{
    return syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, ret_before, sizeof(*mask)) == 0;
}

bool signals_block(struct signals *ret_signals)
{
    const uint64_t all_but_sigsys = ~((uint64_t)1 << (SIGSYS - 1));

    ret_signals->blocked = set_mask(&all_but_sigsys, &ret_signals->before);
    return ret_signals->blocked;
}

void signals_restore(struct signals *signals)
{
    int error = errno;

    if (signals->blocked) {
        signals->blocked = false;
        (void)set_mask(&signals->before, NULL);
    }
    errno = error;
}
