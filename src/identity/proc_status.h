/* SPDX-License-Identifier: MIT */
#ifndef IDENTITY_PROC_STATUS_H
#define IDENTITY_PROC_STATUS_H

#include "identity/identity.h"

/*
 * What /proc/thread-self/status says about the calling thread: its ids, capability sets and
 * no_new_privs. A filter of system calls cannot falsify it, so it is the source that remains where
 * one denies the calls that read. False unless every line was found. Allocates nothing;
 * async-signal safe.
 */
struct status_view {
    uid_t uid[IDENTITY_IDS];
    gid_t gid[IDENTITY_IDS];
    uint64_t cap[IDENTITY_CAP_SETS];
    uint32_t no_new_privs;
};
MIGUARD_CHECKED bool status_view_read(struct status_view *ret_view);

#endif
