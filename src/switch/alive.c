/* SPDX-License-Identifier: MIT */
/* Finds out whether a filter denies a call, before the switch or the drop relies on
 * it (alive.h). */
#include "switch/alive.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "identity/kernel.h"

/* Arguments that no kernel accepts: capabilities end at 63, and capset(2) has no version 1. */
enum { NO_CAPABILITY = 64, NO_VERSION = 1 };

/* capset(2): EINVAL for an unknown version. */
bool alive_capset(void)
{
    struct __user_cap_header_struct header = {NO_VERSION, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    return identity_kernel.capset(&header, data) == -EINVAL;
}

/* Neither 0 nor 1. A locked bit gives EPERM for every argument, and then the call is of no use. */
bool alive_keepcaps(void)
{
    return identity_kernel.prctl(PR_SET_KEEPCAPS, 2, 0, 0, 0) == -EINVAL;
}

/* A capability beyond the last one: EINVAL (PR_CAP_AMBIENT of prctl(2)). */
bool alive_ambient(void)
{
    return identity_kernel.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, NO_CAPABILITY, 0, 0) ==
           -EINVAL;
}

/* Only 1 is accepted; the flag itself must not be set for a test, since it is permanent. */
bool alive_no_new_privs(void)
{
    return identity_kernel.prctl(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0) == -EINVAL;
}

/* The kernel checks CAP_SETPCAP first, and then the number: EINVAL. */
bool alive_bounding_drop(void)
{
    return identity_kernel.prctl(PR_CAPBSET_DROP, NO_CAPABILITY, 0, 0, 0) == -EINVAL;
}

/* Every invalid argument gives EPERM here, so the call must also succeed where nothing changes. */
bool alive_securebits(uint32_t securebits)
{
    return identity_kernel.prctl(PR_SET_SECUREBITS, UINT32_MAX, 0, 0, 0) == -EPERM &&
           identity_kernel.prctl(PR_SET_SECUREBITS, securebits, 0, 0, 0) == 0;
}
