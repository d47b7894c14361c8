/* SPDX-License-Identifier: MIT */
/*
 * Numbers of descriptors that the library keeps. It is a guest: the low ones are the host's, who
 * may run without 0 to 2, print to 1 and 2 all the same, and count on the lowest free number.
 */
#ifndef BASE_DESCRIPTOR_H
#define BASE_DESCRIPTOR_H

/* Moves fd, which is the caller's own, to a number from 512 or the middle of RLIMIT_NOFILE on, or
 * where that is full to any above 2. The new number, close-on-exec; or -1 and errno, and fd is
 * closed. */
int descriptor_away(int fd);

/* Where the host runs without 0 to 2, a new descriptor is one of them until it is moved, and what
 * another thread prints then goes into it. Between these two it is not: the free ones are taken by
 * descriptors that nothing can be written to nor read from. */
struct descriptor_low {
    int taken[3];
    int count;
};
void descriptor_take_low(struct descriptor_low *ret_low);
/* Keeps errno. */
void descriptor_give_low(struct descriptor_low *low);

#endif
