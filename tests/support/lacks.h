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

/* RLIMIT_AS is accepted and then not there. Leaves no limit. */
bool lacks_address_limit(void);

/* SO_PEERGROUPS: the groups of a socket's peer. */
bool lacks_peer_groups(void);

#endif
