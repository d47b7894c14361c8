/* SPDX-License-Identifier: MIT */
/*
 * The gate: once it is closed, the kernel lets a thread, or all threads of the process, change
 * credentials only through this library (seccomp(2)). Every other attempt, be it setuid(3) in a
 * third party's code, a raw system call or a user namespace, gets EPERM or is killed, and the
 * thread keeps its identity. miguard-gate(7) lists what is refused and what no gate can see.
 *
 * A gate cannot be opened again, and forked children and programs run by execve(2) inherit it: such
 * a program cannot change its credentials at all. That is why no gate is closed by default.
 */
#ifndef MIGUARD_GATE_H
#define MIGUARD_GATE_H

#include <stddef.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum miguard_gate_scope {
    MIGUARD_GATE_OFF = 0,
    MIGUARD_GATE_THREAD = 1,  /* the calling thread and the threads that it will create */
    MIGUARD_GATE_PROCESS = 2, /* all threads; recommended */
    /* All threads, and only prctl(PR_CAPBSET_DROP) is refused: for a host that runs as root and
     * changes its credentials itself, or runs programs that do. The guard then reads the bounding
     * set once and not at each check. */
    MIGUARD_GATE_BOUNDING = 3,
};

enum miguard_gate_action {
    MIGUARD_GATE_ERRNO = 0, /* the call fails with EPERM */
    MIGUARD_GATE_KILL = 1,  /* the process is killed by SIGSYS */
};

/* Start from MIGUARD_GATE_OPTIONS_INIT and change what is wanted. */
struct miguard_gate_options {
    size_t size; /* sizeof(struct miguard_gate_options) of the caller's header */
    enum miguard_gate_scope scope;
    enum miguard_gate_action action;
    int report; /* not 0: refusals are recorded with their call site. With the action kill nothing
                   can be recorded any more, and the value counts as 0. */
    int deny_io_uring; /* not 0: io_uring_setup(2), io_uring_enter(2) and io_uring_register(2) fail
                          with EPERM, whatever the action: a ring serves requests under credentials
                          that it keeps */
};

#define MIGUARD_GATE_OPTIONS_INIT                                                                  \
    {                                                                                              \
        sizeof(struct miguard_gate_options), MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 0, 0        \
    }

/*
 * Closes the gate. With CAP_SYS_ADMIN in the thread's user namespace nothing else changes; without
 * it the kernel demands no_new_privs (prctl(2)), which is then set permanently and is a compared
 * component: sessions taken before differ from then on. Close the gate early, before any session
 * and before other threads begin to switch.
 *
 * Thread scope beside ungated threads: glibc's setuid(3) and its siblings change all threads and
 * abort the process when one thread refuses and another does not (nptl(7)). The process scope does
 * not have that trap: all refuse.
 *
 * A request for a gate that is already closed returns OK and changes nothing; a thread's gate can
 * be widened to the process, and that of the bounding set to either. deny_io_uring has no meaning
 * with the scope of the bounding set, and is invalid there.
 *
 * Errors: INVALID_ARGUMENT; BAD_STATE (a gate with another action, report or io_uring is closed;
 * this thread has a gate of its own and that of the bounding set is asked for;
 * this thread is switched; with deny_io_uring, a thread of an io_uring serves requests already;
 * another thread has a filter that this one does not have: reterr names it; a filter of other code
 * refuses the library's own calls); NOT_SUPPORTED (no seccomp filters in this kernel);
 * NOT_PERMITTED; NO_MEMORY; SYSTEM; UNREADABLE (no_new_privs); NOT_VERIFIED (the filter was loaded
 * and failed its test; the guard goes on checking every call). After an error no_new_privs may be
 * set.
 *
 * Thread safe. Not async-signal safe. It allocates, and needs 130 KB at a time that malloc(3) can
 * give: libseccomp, which makes the filter, does not survive less. Switching through the gate does
 * not allocate.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_gate_close(const struct miguard_gate_options *options, struct miguard_error *reterr);

/* The gate of the calling thread, as reported by the kernel: scope is MIGUARD_GATE_OFF without a
 * gate. A thread that inherited the filter of the thread that created it, or of the process that
 * forked it, is gated. Thread safe, async-signal safe. */
MIGUARD_API struct miguard_gate_options miguard_gate_state(void);

#ifdef __cplusplus
}
#endif

#endif
