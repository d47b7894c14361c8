/* SPDX-License-Identifier: MIT */
/*
 * What every change of credentials that the library makes carries, and what it leaves behind.
 *
 * The cookie: a random word in the sixth argument register of each call that changes credentials.
 * None of those calls has six arguments (prctl(2), keyctl(2) and clone(2) have five, the others
 * fewer), so the kernel never looks at the register; a seccomp filter sees it (seccomp_data.args).
 * The filter of the gate refuses the call without it (switch/gate_filter.c). It is a secret only
 * from mistakes: code in this process could read it. It is never written to a log, and it must not
 * be left behind in the register or on the stack: setgid(3) leaves the sixth register as it finds
 * it, syscall(2) fills it from the stack, and what they find there is what ran before them.
 *
 * The count: of this thread's changes, twice for each call: before it and after it. So an odd count
 * is a change that is under way, and two equal even counts with nothing but reading in between
 * prove that the library changed nothing meanwhile. It is kept where the calls are made, so that no
 * way of changing credentials can forget it.
 */
#ifndef IDENTITY_CHANGE_H
#define IDENTITY_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "miguard/status.h"

/* 0 until it is drawn, then the same for the life of the process and its forked children, which
 * inherit the filter with it. As wide as a register. Thread safe. */
unsigned long identity_cookie(void);

/* A system call that carries the cookie, in the kernel's own convention: a negative errno. Nothing
 * of the cookie is left in a register or on the stack behind it. */
long identity_carry(long number, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                    unsigned long e);

/* Draws the cookie unless there is one. False when the kernel gives no random bytes. Thread safe.
 */
MIGUARD_CHECKED bool identity_cookie_draw(void);

/* volatile: a signal handler of the same thread may change it between two instructions. The
 * initial-exec model needs no call to find it; it takes 8 bytes of the static TLS reserve. */
extern __thread volatile uint64_t identity_change_count
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

#endif
