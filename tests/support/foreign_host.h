/* SPDX-License-Identifier: MIT */
/*
 * A host for tests that is not ours: it does what the open peer does (OMI, as measured), so that
 * what is wrapped is tested on both. It shares no code with src/host.
 *
 * What it does, and a guard has to live with:
 * - Threads: each agent is one I/O thread, which calls the providers of its modules. One more
 *   thread, the selector, delivers all results of asynchronous operations. Both have the identity
 *   of who made the host. A wait on one of them for a result that it would have to bring is a
 *   deadlock: it is counted, and the wait answers FAILED.
 * - One local session for the whole process, owned by the real uid and gid of the thread that asked
 *   first. Each use of it by another gets ACCESS_DENIED of the host itself; the owner can close
 *   it, and GetLocalSession then goes on giving the dead handle.
 * - Contexts are the head of a larger object, which is found by a cast. They end inside the final
 *   post, are overwritten with 0xFF and freed. Those of Load and Unload lie on the stack.
 * - A synchronous operation must be read to its end before Close, which otherwise does not return:
 *   counted after FOREIGN_STUCK_MS, when it answers FAILED. Each operation holds a descriptor until
 *   its Close.
 * - A Cancel, or a Close that cancels, before the first result of an operation kills the agent, if
 *   the start is less than cancel_race_ms ago. So does a descriptor beyond those of select(2). A
 *   dead host answers FAILED to everything.
 * - Many slots are NULL: property sets and filters of MI_Server, most of the application and of the
 *   options. What the peer does not support answers NOT_SUPPORTED and leaves the outputs unset.
 * - A module is registered by MI_Main(NULL), to read its declarations, and must not be newer than
 *   the host. Load is called with the first request. Idle providers and modules are unloaded by
 *   foreign_host_idle().
 *
 * Clients are sessions as of foreign_host_session(), used by the functions of MI.h.
 */
#ifndef SUPPORT_FOREIGN_HOST_H
#define SUPPORT_FOREIGN_HOST_H

#include <MI.h>
#include <stdatomic.h>
#include <stdbool.h>

struct foreign_host;

enum {
    FOREIGN_AGENTS = 3,
    FOREIGN_MODULES = 16,
    FOREIGN_STUCK_MS = 1000,
    FOREIGN_SESSION_SLOTS = 15,
    FOREIGN_OPERATION_SLOTS = 6
};

struct foreign_options_of_host {
    MI_Uint32 version;       /* newer modules are refused; 0: MI_VERSION */
    bool no_registration;    /* MI_Main(NULL) is not called */
    unsigned cancel_race_ms; /* 0: 2000 */
    /* As miguard_wrap_module(): put in place of what MI_Main() returns; or NULL. */
    MI_Module *(*wrap)(MI_Server *server, MI_Module *module);
};

/* What has come to the host so far. Read it at any time. */
struct foreign_counts {
    /* Calls of each slot of the local session and of its operations, in the order of the tables,
     * before the host's own check; and its refusals. Those of clients do not count. */
    atomic_ulong session[FOREIGN_SESSION_SLOTS], operation[FOREIGN_OPERATION_SLOTS];
    atomic_ulong answered; /* acknowledgements */
    atomic_ulong refused;  /* by the check of the real uid and gid */
    atomic_ulong local_sessions;
    atomic_ulong provider_calls; /* without Load and Unload */
    atomic_long open_operations; /* not yet closed, or not yet answered */
    atomic_ulong posts, final_posts, indications;
    atomic_ulong early_cancels; /* before the first result, be it deadly or not */
    atomic_ulong deadlocks, stuck_closes;
    atomic_ulong loads, unloads; /* of modules and of class providers, that succeeded */
};

/* options may be NULL. Aborts when threads cannot be had. One host at a time. */
struct foreign_host *foreign_host_new(const struct foreign_options_of_host *options);

/* Waits for its threads; a provider that has not answered is left as it is. */
void foreign_host_free(struct foreign_host *host);

/* Registers a module, by its MI_Main or by its file, for an agent below FOREIGN_AGENTS. False:
 * ret_why, of 256 bytes, says why; it may be NULL. */
bool foreign_host_add(struct foreign_host *host, MI_MainFunction main_function, unsigned agent,
                      char *ret_why);
bool foreign_host_open(struct foreign_host *host, const char *path, unsigned agent, char *ret_why);

/* A session of a client outside of all agents, with the same check. */
void foreign_host_session(struct foreign_host *host, MI_Session *ret_session);

/* Unloads every class provider and module that is idle and was not refused, as the peer does after
 * 90 seconds. */
void foreign_host_idle(struct foreign_host *host);

/* Subscribes to a class: EnableIndications with the first subscription, Subscribe; and the reverse.
 * Each waits until the provider has answered, or 2 seconds. The number names the subscription. */
MI_Result foreign_host_subscribe(struct foreign_host *host, const MI_Char *class_name,
                                 unsigned *ret_number);
MI_Result foreign_host_unsubscribe(struct foreign_host *host, unsigned number);

/* All uses of the local session and its operations: what a refused call must not add to. */
unsigned long foreign_host_reached(const struct foreign_host *host);

const struct foreign_counts *foreign_host_counts(const struct foreign_host *host);

/* Why the host died; NULL while it lives. */
const char *foreign_host_died(const struct foreign_host *host);

#endif
