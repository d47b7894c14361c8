/* SPDX-License-Identifier: MIT */
/*
 * Inside the library: what the guard may conclude from the gate.
 *
 * On a gated thread only the library changes credentials, and it counts its changes
 * (identity/change.h). So once a full check of this thread against a binding found them the same,
 * they stay the same as long as that count does; to ask that takes no system call.
 *
 * A check whose result is to be noted runs with signals blocked (base/signals.h) and is noted only
 * when the count after its last reading is the one before its first. So nothing of the program ran
 * on the thread in between but a handler of SIGSYS, and that can change the thread only through the
 * library, which counts.
 *
 * That a thread is gated is never assumed but asked from the kernel, once for each thread: the
 * filter answers a call that means nothing without it (KERNEL_GATE_PROBE) and only to the library.
 * So a thread that inherited the filter, a new one and a forked child's each find out for
 * themselves, and a thread that was left out cannot take itself for gated.
 *
 * What stays out of the count, and why that is right:
 * - a fork: the child's epoch is another (base/process.h), so what its parent knew is void there;
 * - a child of vfork(2) or clone(CLONE_VM) that shares the thread's memory: it can neither change
 *   without being counted nor write what is known, since its thread id is another;
 * - thread exit and re-use of thread ids: what is known lies in the thread's own memory, which
 *   begins zeroed;
 * - a signal handler that switches, or checks, in the middle of a check: the count has moved, or
 *   the note is being written and is left alone;
 * - another thread: nothing changes a thread's credentials from outside but ptrace(2) and the
 *   filters that spread no_new_privs. Under a gate of the whole process no thread can load such a
 *   filter (gate_filter.c). A gate of one thread has others beside it that can; there no_new_privs,
 *   while it is not set, is read on each check: one system call;
 * - a security label, which a write to /proc changes: a check that compared one is never noted.
 */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "identity/identity.h"
#include "miguard/gate.h"

/* A number for what a thread can be the same as, never 0 and never given twice. Thread safe. */
uint64_t gate_new_binding(void);

/* True when the last full check of this thread found it the same as binding and nothing can have
 * changed since. No lock, and no system call but the one named above. */
bool gate_known_same(uint64_t binding);

/* Whether the calling thread is behind a gate of this library. */
bool gate_on_thread(void);

/*
 * identity_check(), which it asks unless this thread is known to be the same as binding; a match is
 * then known. binding belongs to bound and compared for ever. Async-signal safe where
 * identity_check() is.
 */
MIGUARD_CHECKED miguard_components gate_check(uint64_t binding,
                                              const struct miguard_identity *bound,
                                              miguard_components compared,
                                              miguard_components *ret_unreadable);

/* ---- closing it ----------------------------------------------------------------------------- */

/* miguard_gate_close(), which tells nobody. *ret_new is set when there was no such gate before. */
MIGUARD_CHECKED enum miguard_status gate_close(const struct miguard_gate_options *options,
                                               bool *ret_new, struct miguard_error *reterr);

/* BAD_STATE when the calling thread is switched or has adopted an identity. */
MIGUARD_CHECKED enum miguard_status gate_check_home(struct miguard_error *reterr);

struct gate_note {
    enum miguard_status status;
    const struct miguard_error *error;          /* NULL on success */
    const struct miguard_gate_options *options; /* NULL when they were not right */
    const void *site;                           /* who asked for it; NULL: the policy */
};

/* ---- who tried (gate_report.c) ------------------------------------------------------------ */

enum { GATE_FRAMES = 8 };

struct gate_stray {
    pid_t tid;
    long number;           /* of the system call */
    uint32_t architecture; /* AUDIT_ARCH_*: another than this program's for a foreign entry */
    uint64_t arguments[3];
    const void *call_site;           /* in whoever called libc; NULL: not known */
    const void *frames[GATE_FRAMES]; /* the calls that led there, the innermost first */
    unsigned frame_count;
    uint64_t lost; /* refusals that were not told before this one, since too many came at once */
};

/* What was tried, as "setresuid(0, 0, -1)"; cut to fit. */
void gate_stray_text(const struct gate_stray *stray, char *text, size_t size);

/* Takes SIGSYS and starts the thread that calls the hook (switch_hooks, stray); nothing happens
 * when it is there. Errors: SYSTEM, NO_MEMORY. */
MIGUARD_CHECKED enum miguard_status gate_report_start(struct miguard_error *reterr);

#endif
