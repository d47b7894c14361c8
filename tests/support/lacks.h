/* SPDX-License-Identifier: MIT */
/*
 * What emulators of a kernel (qemu-user among them) do not have though the call says that it was
 * done or is unknown. Each is tried, so that a real kernel is never taken for one.
 */
#ifndef TESTS_SUPPORT_LACKS_H
#define TESTS_SUPPORT_LACKS_H

#include <stdbool.h>

/* set_robust_list(2): nobody hears that the owner of a mutex was killed. */
bool lacks_robust_mutexes(void);

/* mremap(2) of size 0: a second mapping of the same memory. */
bool lacks_second_mappings(void);

/* madvise(2) takes MADV_WIPEONFORK for anything and does nothing. A child of a raw clone(2) is then
 * given nothing at all. */
bool lacks_wiping(void);

/* The emulator does not survive fork(2) in a program with threads (an assertion of its own fails),
 * or has a thread of its own, which /proc counts. */
bool lacks_plain_threads(void);

/* RLIMIT_AS is accepted and then not there. Leaves no limit. */
bool lacks_address_limit(void);

/* SO_PEERGROUPS: the groups of a socket's peer. */
bool lacks_peer_groups(void);

#endif
