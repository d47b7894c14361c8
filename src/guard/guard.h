/* SPDX-License-Identifier: MIT */
/*
 * The guard: an object is bound to the identity that made it, every later use is verified, a
 * refusal is data, and what the policy wants recorded is recorded. It knows no MI: a front end
 * (src/gateway is the one for MI) keeps its objects, asks here, and answers in its own terms.
 *
 *   setup.c      the policy and the log of this process; guard_enter()
 *   decision.c   verifies a use: identity, then policy, then record
 *   front_end.c, bound_object.c   <miguard/guard.h>: any daemon's own front end, on top of these
 *   refusal.c    a refusal as a sentence (refusal.h)
 *   observe.c    records of switches, drops, the gate and providers of shims
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
    struct policy_store store; /* NULL until a valid policy was read: nothing is handed out */
    struct audit *audit;       /* NULL while the log cannot be opened: nothing is handed out */
    atomic_uint thread_gate;   /* the gate for each thread that asks for a binding: 0: no gate,
                                  else 1, plus 2 to kill, 4 to report, 8 without io_uring */
};

/* Pins the guard for a binding or a record. Sets it up from the standard places first where that
 * was not done yet; never NULL. */
struct guard *guard_enter(void);
/* Releases the pin of guard_enter() or guard_enter_if_open(). The owner of a binding keeps its pin
 * as long as the binding lives. */
void guard_leave(struct guard *guard);

/* The same for records only: sets nothing up; NULL without a log. */
struct guard *guard_enter_if_open(void);

/* Why nothing can be bound while no policy is in force: the reason, and in a sentence what went
 * wrong ("": not known). */
enum audit_reason guard_why_not(char ret_text[REFUSAL_REASON]);

/* Closes the gate for the calling thread where the policy wants one for each thread. Errors:
 * NO_MEMORY, BAD_STATE (the gate cannot be closed; recorded), NOT_SUPPORTED (another copy of the
 * library). */
MIGUARD_CHECKED enum miguard_status guard_close_thread(struct guard *guard);

/* ---- a binding (decision.c) ----------------------------------------------------------------- */

/* An object's identity, written once, and the policy that it was bound under. The owner of the
 * object fills in the first part and calls guard_bind(). */
struct binding {
    struct guard *guard;
    const char *provider;   /* as in records: a long name is cut */
    enum operation opening; /* what it was asked for with: GetLocalSession, or Bind */
    const char *resource;   /* of an opening that names one; or NULL */
    const char *object;     /* the same, for records */
    uint64_t context_id, session_id;
    struct miguard_identity identity;

    uint64_t number; /* identifies this identity under this view for a gated thread's cache */
    struct policy_view *view;    /* of the policy that it was bound under */
    _Atomic uint64_t generation; /* of the latest policy that was checked for denying it */
    atomic_bool revoked;         /* permanently, though its object lives */
};

/* A zeroed binding may be released. Releases the identity and the view; the guard's pin stays with
 * the owner. */
void binding_release(struct binding *binding);

/* What the record of a call says about the keys of an instance. */
enum audit_keys_mode binding_keys_mode(const struct binding *binding);

/* One use of a binding. The owner of the binding fills it in for each call and keeps all of it
 * valid until the guard has answered. */
struct guard_call {
    enum operation operation;
    struct binding *binding;
    const char *action, *resource, *object; /* of OPERATION_ACTION; else NULL */
    uint64_t operation_id;                  /* of the operation that is used, or 0 */
    const struct cim_names *names;          /* NULL: the call has no names */
    const struct audit_keys *keys;          /* NULL: no keys */
    const void *call_site;
};

/* True when the calling thread may proceed. Otherwise fills *ret_refusal; the record is already
 * written. Thread safe; the calling thread is the one that is compared. May wait for the log. */
MIGUARD_CHECKED bool guard_use(const struct guard_call *call, struct refusal *ret_refusal);

/* Whether guard_use() would allow this use without comparing, asking a rule or recording: nothing
 * that may wait, nothing that is a cancellation point. The caller has called switch_settle(). */
MIGUARD_CHECKED bool guard_use_is_known(const struct binding *binding, enum operation operation);

/* The second check, in full, before anything is handed out: while the host worked, any code may
 * have run, on this thread too. */
MIGUARD_CHECKED bool guard_use_again(const struct guard_call *call, struct refusal *ret_refusal);

/* Whether the binding of a callback is still valid: neither revoked nor denied by a newer policy.
 * The thread's identity does not matter, since it adopts the bound one. */
MIGUARD_CHECKED bool guard_may_deliver(const struct guard_call *call, struct refusal *ret_refusal);

/* Whether this identity may have this object. Sets the second part of *binding. */
MIGUARD_CHECKED bool guard_bind(struct binding *binding, const void *call_site,
                                struct refusal *ret_refusal);

/* For a tracer: the binding, which this identity has already, was given out once more. */
void guard_given_again(const struct binding *binding);

/* Records that nothing could be bound because the identity could not be read. binding has the
 * guard, the provider and the context. Always refuses: fills *ret_refusal. */
void guard_bind_failed(const struct binding *binding, enum miguard_status why,
                       const void *call_site, struct refusal *ret_refusal);

/* Records a refusal that needs no comparison: a close, a callback, a limit. */
void guard_refuse(const struct guard_call *call, enum audit_action action, enum audit_reason reason,
                  enum guard_answer answer, struct refusal *ret_refusal);

/* The same for an invalid handle. */
void guard_refuse_handle(enum operation operation, enum slots_verdict verdict, uint64_t handle_name,
                         const void *call_site, struct refusal *ret_refusal);

/* Records that no further context can be guarded. provider as in records. */
void guard_no_context(const char *provider);

struct switch_peer;

/* One question of a provider for the client of its request. */
struct guard_client {
    struct guard *guard;
    const char *provider; /* as in records */
    uint64_t context_id;  /* 0: of a context without a guard */
    bool given;           /* it is about to be given out; else only the policy is asked */
    const struct miguard_identity *client; /* for the record; NULL: not known */
    const struct switch_peer *peer;        /* the same, of a client that is a socket's peer */
    const void *call_site;
};

/*
 * What the policy in force lets the provider do with the client; asked anew each time, so that a
 * reload counts from the next call on. True with *ret_may IDENTIFY or IMPERSONATE. A refusal is
 * recorded, and what is given out where the policy wants that (audit: open or switch).
 */
MIGUARD_CHECKED bool guard_client(const struct guard_client *asked, enum draft_may *ret_may,
                                  struct refusal *ret_refusal);

/* Records an operation that was still open when its context ended. */
void guard_note_reaped(const struct guard_call *call);

/* Records that a shim loaded a provider, where the policy audits "open", or refused it (deny).
 * what: the file, and the reason of a refusal. */
void guard_note_module(struct guard *guard, const char *provider, bool refused, const char *what);

/* ---- records of switches, drops and the gate (observe.c) ------------------------------------ */

/* Installs the hooks: these events are recorded from now on. */
void observe_all(void);

struct gate_note;
/* Records a gate that was closed or could not be closed, where the policy in force wants that. The
 * caller has the guard pinned or holds its lock. */
void observe_gate_closed(struct guard *guard, const struct gate_note *note);

#endif
