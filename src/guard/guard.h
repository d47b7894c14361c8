/* SPDX-License-Identifier: MIT */
/*
 * The guard: an object is bound to the identity that made it, every later use is verified, a
 * refusal is data, and what the policy wants recorded is recorded. It knows no MI: a front end
 * (src/gateway is the one for MI) keeps its objects, asks here, and answers in its own words.
 *
 *   setup.c      which policy and which log this process has; enters the guard
 *   decision.c   verifies a use: identity, then policy, then record
 *   refusal.c    a refusal in a sentence (refusal.h)
 *   observe.c    records of switches, drops and the gate
 *   guard.c      the one guard of the process
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "audit/audit.h"
#include "base/slots.h"
#include "guard/refusal.h"
#include "identity/identity.h"
#include "model/record_limits.h"
#include "policy/policy.h"

/* ---- the guard of this process (setup.c, guard.c) ------------------------------------------ */

struct guard {
    struct policy_store store; /* holds NULL while no valid policy was read: nothing is given out */
    struct audit *audit;       /* NULL while the log cannot be opened: nothing is given out */
    atomic_uint thread_gate;   /* which gate each thread that asks for a binding is to have:
                                  0: none, else 1, and 2 to kill, 4 to report, 8 without io_uring */
};

/* Pins the guard for a binding or a record, setting it up from the standard places where that was
 * not done yet; never NULL. */
struct guard *guard_enter(void);
void guard_leave(struct guard *guard);

/* The same for what is only recorded: sets nothing up; NULL when there is no log. */
struct guard *guard_enter_if_open(void);

/* Closes the gate for the calling thread where the policy wants one for each thread. Errors:
 * NO_MEMORY, BAD_STATE (cannot be closed, recorded), NOT_SUPPORTED (another copy of the library).
 */
MIGUARD_CHECKED enum miguard_status guard_close_thread(struct guard *guard);

/* ---- a binding (decision.c) ----------------------------------------------------------------- */

/* An object's identity, written once, and the policy that it was bound under. The owner of the
 * object fills in the first part and calls guard_bind(). */
struct binding {
    struct guard *guard;
    const char *provider; /* as records have it: cut where it is long */
    uint64_t context_id, session_id;
    struct miguard_identity identity;

    uint64_t number;             /* of this identity under this view: what a gated thread knows */
    struct policy_view *view;    /* of the policy that it was bound under */
    _Atomic uint64_t generation; /* of the latest policy that was asked whether it denies it */
    atomic_bool revoked;         /* over for good, though its object lives */
};

/* Zeroed is released already. */
void binding_release(struct binding *binding);

/* What a record of a call on it says of the keys of an instance. */
enum audit_keys_mode binding_keys_mode(const struct binding *binding);

/* One use of it. */
struct guard_call {
    enum operation operation;
    struct binding *binding;
    uint64_t operation_id;         /* of the operation that is used, or 0 */
    const struct cim_names *names; /* NULL: the call has none */
    const struct audit_keys *keys; /* NULL: none */
    const void *call_site;
};

/* True when the calling thread may go on. Everything else fills *ret_refusal; the record is
 * written by then. */
MIGUARD_CHECKED bool guard_use(const struct guard_call *call, struct refusal *ret_refusal);

/* The second look, at all of it, before something is given out: while a host was asked, anything
 * may have run, on this thread too. */
MIGUARD_CHECKED bool guard_use_again(const struct guard_call *call, struct refusal *ret_refusal);

/* Whether the binding of a callback is not over: revoked, or denied by a newer policy. Who the
 * thread is does not count, since it takes on the bound identity. */
MIGUARD_CHECKED bool guard_may_deliver(const struct guard_call *call, struct refusal *ret_refusal);

/* May this identity have this object? Sets the second part of *binding. */
MIGUARD_CHECKED bool guard_bind(struct binding *binding, const void *call_site,
                                struct refusal *ret_refusal);

/* Records that nothing could be bound because the identity could not be had. binding has the
 * guard, the provider and the context. */
void guard_bind_failed(const struct binding *binding, enum miguard_status why,
                       const void *call_site, struct refusal *ret_refusal);

/* Records a refusal that needs no comparison: a close, a callback, a limit. */
void guard_refuse(const struct guard_call *call, enum audit_action action, enum audit_reason reason,
                  enum guard_answer answer, struct refusal *ret_refusal);

/* The same for a handle that stands for nothing. */
void guard_refuse_handle(enum operation operation, enum slots_verdict verdict, uint64_t handle_name,
                         const void *call_site, struct refusal *ret_refusal);

/* Records that contexts cannot be guarded any more. */
void guard_no_context(const char *provider);

/* Records what was found still open when its context ended. */
void guard_note_reaped(const struct guard_call *call);

/* ---- records of switches, drops and the gate (observe.c) ------------------------------------ */

/* Has them recorded from now on. */
void observe_all(void);

struct gate_note;
void observe_gate_closed(struct guard *guard, const struct gate_note *note);

#endif
