/* SPDX-License-Identifier: MIT */
/*
 * Whether a call reaches the kernel, found out without changing anything: it is made with an
 * argument that the kernel refuses with an error that only the kernel gives. A filter (seccomp(2))
 * that denies the call, or answers 0 in its place, gives a different answer. Async-signal safe.
 */
#ifndef SWITCH_ALIVE_H
#define SWITCH_ALIVE_H

#include <stdbool.h>
#include <stdint.h>

/* Each is named after its call and returns true only for the kernel's own answer. */
bool alive_capset(void);
bool alive_keepcaps(void);
bool alive_ambient(void); /* PR_CAP_AMBIENT_RAISE */
bool alive_no_new_privs(void);

/* These two work only for a thread with CAP_SETPCAP in effect; securebits are its own. */
bool alive_bounding_drop(void);
bool alive_securebits(uint32_t securebits);

#endif
