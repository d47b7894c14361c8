/* SPDX-License-Identifier: MIT */
/*
 * Numbers for descriptors that the library opens. The low numbers belong to the host process, which
 * may run without 0 to 2, print to 1 and 2 and read from 0 all the same, and rely on getting the
 * lowest free number.
 */
#ifndef BASE_DESCRIPTOR_H
#define BASE_DESCRIPTOR_H

#include <sys/types.h>

/* Moves fd, which the caller owns, to a number at or above 512 or half of RLIMIT_NOFILE, whichever
 * is lower; where that range is full, to any number above 2. Returns the new number, close-on-exec;
 * or -1 with errno, and fd is closed. */
int descriptor_away(int fd);

/* openat(2) for what is used and closed again at once, too: never 0, 1 or 2. What another thread
 * reads from 0 meanwhile would be missing here, and the policy or the identity would be read from
 * its middle. -1 with errno. Async-signal safe, and no cancellation point. */
int descriptor_open(int folder, const char *path, int flags, mode_t mode);

/* Where the host runs without 0 to 2, a new descriptor has one of these numbers until it is moved,
 * and output of another thread would go into it. Between these two calls it does not: descriptors
 * that can be neither written nor read take the free numbers. */
struct descriptor_low {
    int taken[3];
    int count;
};
void descriptor_take_low(struct descriptor_low *ret_low);
/* Keeps errno. Two threads that do this at once may each leave the other a low number for a moment;
 * it is moved, and what has it is read-only then, unless it was just made. */
void descriptor_give_low(struct descriptor_low *low);

#endif
