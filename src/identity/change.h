/* SPDX-License-Identifier: MIT */
/*
 * How the library changes credentials so that the kernel and the guard recognise its own changes.
 *
 * One instruction: every change is made by the one system call instruction of identity_carry(). The
 * filter of the gate (gate_filter.c) compares seccomp_data.instruction_pointer with the address
 * after it. No other code passes, whatever its registers hold: neither a signal handler that
 * interrupted the library and inherits its registers, nor a function on a stack that the library
 * used.
 *
 * The cookie: a random word in the sixth argument register of each such call. None of the calls has
 * six arguments (prctl(2), keyctl(2) and clone(2) have five, the others fewer), so the kernel
 * ignores the register; a filter sees it (seccomp_data.args). It distinguishes this program from
 * one that was executed under the filter and happens to have a system call at the same address. It
 * protects against mistakes only: code in this process could read it. It is never written to a log
 * and is copied from its place in memory only into that register, which is cleared after the call:
 * no vector register, no stack and no table of libseccomp holds it. Calls that only read do not
 * carry it.
 *
 * The count: this thread's changes, incremented before and after each call. So an odd count means a
 * change under way, and two equal even counts with only reads in between prove that the library
 * changed nothing meanwhile. It is kept where the calls are made, so that no way of changing
 * credentials can miss it.
 */
#ifndef IDENTITY_CHANGE_H
#define IDENTITY_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "miguard/status.h"

/* Whether this architecture has the one instruction, and so can have a gate. */
#if (defined(__x86_64__) && defined(__LP64__)) || (defined(__aarch64__) && defined(__LP64__))
#define IDENTITY_ONE_INSTRUCTION 1
#else
#define IDENTITY_ONE_INSTRUCTION 0
#endif

/* 0 until it is drawn, then constant for the life of the process and its forked children, which
 * inherit the filter with it. As wide as a register. Read it by the functions below: a copy in a
 * variable would stay on a stack. */
extern union identity_cookie {
    unsigned long word;
    uint32_t half[sizeof(unsigned long) / sizeof(uint32_t)];
} identity_cookie __attribute__((visibility("hidden")));

/* Thread safe. */
bool identity_has_cookie(void);

/* Draws the cookie unless it exists. False when the kernel gives no random bytes. The caller holds
 * the gate's lock. */
MIGUARD_CHECKED bool identity_cookie_draw(void);

/* Writes its halves into the filter's operands, the lower half first. */
void identity_cookie_write(volatile uint32_t *ret_low, volatile uint32_t *ret_high);

/* A system call by the one instruction, with the cookie. The result follows the kernel's
 * convention: a negative errno on failure. Afterwards no register and no stack holds any part of
 * the cookie. */
long identity_carry(long number, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                    unsigned long e) __attribute__((visibility("hidden")));

/* The instruction pointer that seccomp(2) shows for such a call. */
uint64_t identity_carry_address(void);

/* The same call by another instruction, with the cookie xor `wrong`. The gate must refuse it, also
 * when wrong is 0. For the gate's own test of its filter. */
long identity_carry_elsewhere(long number, unsigned long a, unsigned long b, unsigned long c,
                              unsigned long wrong) __attribute__((visibility("hidden")));

/* volatile: a signal handler of the same thread may change it between two instructions. The
 * initial-exec model needs no call to find it; it takes 8 bytes of the static TLS reserve. */
extern __thread volatile uint64_t identity_change_count
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* How often this thread has removed a capability from its bounding set, which nothing else changes
 * (capabilities(7)). Incremented before the call, whatever its result. */
extern __thread volatile uint64_t identity_bounding_count
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

#endif
