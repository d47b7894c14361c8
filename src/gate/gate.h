/* SPDX-License-Identifier: MIT */
/*
 * Inside the library: what the guard may conclude from the gate.
 *
 * On a gated thread only the library changes credentials, and it counts its changes
 * (identity/change.h). So once a full check of this thread against a binding found a match, it
 * stays a match until that count changes; comparing the count takes no system call.
 *
 * A check whose result will be cached runs with signals blocked (base/signals.h) and is cached only
 * when the count after its last read equals the count before its first. So no code of the program
 * ran on the thread in between but a handler of SIGSYS, which can change the thread only through
 * the library, which counts.
 *
 * Behind the gate of the bounding set nothing is cached here: a check is a fresh one that need not
 * read that set again (identity/bounding.c).
 *
 * A switch behind the gate of the process counts as a reading, too: it has read back all that it
 * could change (switch_verified()).
 *
 * Whether a thread is gated is never assumed but asked from the kernel, once for each thread: the
 * filter answers a call that is invalid without it (KERNEL_GATE_PROBE), and only to the library. So
 * a thread that inherited the filter, a new one and a forked child's each ask for themselves, and a
 * thread without the filter cannot count itself as gated.
 *
 * What the count does not cover, and why that is right:
 * - a fork: the child has another epoch (base/process.h), so its parent's cache is void there;
 * - a child of vfork(2) or clone(CLONE_VM) that shares the thread's memory: it can neither change
 *   without being counted nor write the cache, since it has another thread id;
 * - thread exit and reuse of thread ids: the cache is in the thread's own memory, which starts
 *   zeroed;
 * - a signal handler that switches, or checks, during a check: the count has changed, or the cache
 *   is being written and is not touched;
 * - another thread: only ptrace(2) and the filters that spread no_new_privs change a thread's
 *   credentials from outside. Under a gate of the whole process no thread can load such a filter
 *   (gate_filter.c). Beside a gate of one thread other threads can; there no_new_privs, while it is
 *   not set, is read on each check: one system call;
 * - a security label, which a write to /proc changes: a check that compared one is never cached.
 */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "identity/identity.h"
#include "miguard/gate.h"

/* A number for a binding, never 0 and never used twice. Thread safe. */
uint64_t gate_new_binding(void);

/* The same for the home of a pool's threads (miguard/home.h). A thread caches what it knows of its
 * home beside what it knows of a binding: the two alternate in each request, and one entry for both
 * would always hold the other. */
uint64_t gate_new_home(void);

/* What homes that are captured from now on compare: the components of the policy in force. All of
 * them until this is called. Thread safe. */
void gate_set_home_components(miguard_components compared);

/* True when the last full check of this thread matched binding and nothing can have changed since.
 * No lock, no cancellation point, and no system call but the one described above. */
bool gate_known_same(uint64_t binding);

/* Whether the calling thread is behind a gate of this library that refuses all changes. */
bool gate_on_thread(void);

/* What a check of the calling thread may rely on, for identity_check_gated(). */
enum identity_gate gate_kind(void);

/* Whether no thread of an io_uring can exist: the gate of the whole process denies io_uring, and it
 * was not closed while there was one (gate_close()). False where that is not known. */
bool gate_excludes_uring(void);

/*
 * identity_check(), skipped when this thread is known to match binding; a match is cached. binding
 * belongs to bound and compared permanently. Async-signal safe where identity_check() is.
 */
MIGUARD_CHECKED miguard_components gate_check(uint64_t binding,
                                              const struct miguard_identity *bound,
                                              miguard_components compared,
                                              miguard_components *ret_unreadable);

/* ---- closing it ----------------------------------------------------------------------------- */

/* miguard_gate_close() without the hook. *ret_new is set when there was no such gate before. */
MIGUARD_CHECKED enum miguard_status gate_close(const struct miguard_gate_options *options,
                                               bool *ret_new, struct miguard_error *reterr);

/* BAD_STATE when the calling thread is switched or has adopted an identity. */
MIGUARD_CHECKED enum miguard_status gate_check_unswitched(struct miguard_error *reterr);

struct gate_note {
    enum miguard_status status;
    const struct miguard_error *error;          /* NULL on success */
    const struct miguard_gate_options *options; /* NULL when they were invalid */
    const void *site;                           /* the caller; NULL: the policy */
};

/* ---- attempts (gate_report.c) ------------------------------------------------------------- */

enum { GATE_FRAMES = 8 };

struct gate_stray {
    pid_t tid;
    long number;           /* of the system call */
    uint32_t architecture; /* AUDIT_ARCH_*: differs from this program's for a foreign entry */
    uint64_t arguments[3];
    const void *call_site;           /* in the caller of libc; NULL: not known */
    const void *frames[GATE_FRAMES]; /* the calls that led there, the innermost first */
    unsigned frame_count;
    uint64_t lost; /* refusals dropped before this one, since too many came at once */
};

/* The attempted call, as "setresuid(0, 0, -1)"; cut to fit. */
void gate_stray_text(const struct gate_stray *stray, char *text, size_t size);

/* Installs the handler of SIGSYS and starts the thread that calls the hook (switch_hooks, stray);
 * does nothing when that was done. Errors: SYSTEM, NO_MEMORY. */
MIGUARD_CHECKED enum miguard_status gate_report_start(struct miguard_error *reterr);

/* Waits until what was refused up to here is recorded, for two seconds at most: before a module is
 * unloaded, whose addresses then have no name any more, and before the process ends. */
void gate_report_flush(void);

#endif
