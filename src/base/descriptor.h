/* SPDX-License-Identifier: MIT */
/*
 * Numbers for descriptors that the library keeps. The low numbers belong to the host process, which
 * may run without 0 to 2, print to 1 and 2 all the same, and rely on getting the lowest free
 * number.
 */
#ifndef BASE_DESCRIPTOR_H
#define BASE_DESCRIPTOR_H

/* Moves fd, which the caller owns, to a number at or above 512 or half of RLIMIT_NOFILE, whichever
 * is lower; where that range is full, to any number above 2. Returns the new number, close-on-exec;
 * or -1 with errno, and fd is closed. */
int descriptor_away(int fd);

/* Where the host runs without 0 to 2, a new descriptor has one of these numbers until it is moved,
 * and output of another thread would go into it. Between these two calls it does not: descriptors
 * that can be neither written nor read take the free numbers. */
struct descriptor_low {
    int taken[3];
    int count;
};
void descriptor_take_low(struct descriptor_low *ret_low);
/* Keeps errno. */
void descriptor_give_low(struct descriptor_low *low);

#endif
