/* SPDX-License-Identifier: MIT */
/*
 * MI as a provider sees it, through the guard.
 *
 * The way of one call: a slot in session.c or operation.c finds the object by its handle (or
 * refuses: refusal.c), asks guard.c whether this thread may use it, and forwards to the host's own
 * session. Contexts come from context.c, which is entered through the wrapped module (module.c) or
 * miguard_guard_context(). What comes back through callbacks passes callback.c.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <MI.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "audit/audit.h"
#include "base/entry.h"
#include "base/slots.h"
#include "identity/identity.h"
#include "miguard.h"
#include "model/record_limits.h"
#include "policy/policy.h"
#include "switch/switch.h"

/* ---- the gateway of this process (gateway.c) -------------------------------------------- */

struct gateway {
    struct policy_store store; /* holds NULL while no valid policy was read: nothing is given out */
    struct audit *audit;       /* NULL while the log cannot be opened: nothing is given out */
    atomic_uint thread_gate;   /* which gate each thread that asks for a session is to have:
                                  0: none, else 1, and 2 to kill, 4 to report */
};

/* Pins the gateway for a context or a record without one, setting up the default if nobody did;
 * never NULL. */
struct gateway *gateway_enter(void);
void gateway_leave(struct gateway *gateway);

/* The same for what is only recorded: sets nothing up; NULL when there is no log. */
struct gateway *gateway_enter_if_open(void);

/* observe.c: has switches, the drop and the gate recorded from now on. */
void observe_all(void);

struct gate_note;
void observe_gate_closed(struct gateway *gateway, const struct gate_note *note);

/* Closes the gate for the calling thread where the policy wants one for each thread. */
MIGUARD_CHECKED enum miguard_status gateway_close_thread(struct gateway *gateway);

/* ---- objects ---------------------------------------------------------------------------- */

enum { PROVIDER_KEPT = CUT_SIZE(AUDIT_MAX_NAME) };
_Static_assert((int)CIM_SPACE_SIZE == AUDIT_MAX_NAME && (int)CIM_CLASS_SIZE == AUDIT_MAX_CIM &&
                   (int)CIM_METHOD_SIZE == AUDIT_MAX_CIM,
               "names are kept as records have them");

/* A guarded context. The provider holds an address that stands for it and for no other, ever
 * (context_space.h). */
struct guarded_context {
    MI_Context *host;             /* the host's own, or a guard round that */
    MI_Context *pub;              /* what the provider holds */
    struct guarded_context *next; /* in context_index.c */
    struct gateway *gateway;
    uint64_t id;
    char provider[PROVIDER_KEPT]; /* as records have it: cut where it is long */
    pthread_mutex_t lock;         /* the list and ended; held for a few instructions only */
    bool ended;
    struct guarded_session *sessions;
};

/* A session: an identity, written once, and the host's own session behind it. */
struct guarded_session {
    struct guarded_session *next; /* of its context */
    struct guarded_context *context;
    uint64_t id;
    struct miguard_identity identity;
    uint64_t binding;            /* of this identity under this view: what a gated thread knows */
    struct policy_view *view;    /* of the policy that it was opened under */
    _Atomic uint64_t generation; /* of the latest policy that was asked whether it denies it */
    atomic_bool revoked;         /* over for good, though its context lives */
    MI_Session inner;
    struct guarded_operation *operations; /* under the context's lock */
};

/*
 * Who may call the host about an operation, and who ends it: one word.
 *
 * Counted are the calls of the host under way that its Close must not overtake: the starter, and
 * Cancel. OPERATION_CLAIMED: it is being ended, and no such call begins any more. Who claimed it
 * ends it at once when none is under way; else the last one that returns does. So a Close comes
 * once and never waits: a Cancel may be running the callback that closes.
 *
 *   open --Close-----------------> claimed --the host says yes--> closed
 *                                  claimed --the host says no---> open
 *   open --the context ends------> claimed and abandoned: cancelled, drained and closed
 *   claimed --the context ends---> abandoned, too: if the host says no, then cancelled, drained ...
 */
enum { OPERATION_CALLS = 0xFFFF, OPERATION_CLAIMED = 0x10000, OPERATION_ABANDONED = 0x20000 };

enum result_kind { RESULT_INSTANCE, RESULT_INDICATION, RESULT_CLASS };

/* One answer of an operation, as Get* gives it or a result callback brings it. */
struct guarded_result {
    const MI_Instance *instance;
    const MI_Class *class_object;
    const MI_Char *bookmark, *machine_id;
    MI_Boolean more;
    MI_Result result;
    const MI_Char *message;
    const MI_Instance *details;
};

typedef MI_Result(MI_CALL *host_acknowledge)(MI_Operation *);
typedef MI_Result(MI_CALL *host_answer)(MI_Operation *, MI_OperationCallback_ResponseType);

struct guarded_operation {
    struct guarded_operation *next, **link; /* of its session; link is NULL when in no list */
    struct guarded_session *session;
    uint64_t id;
    enum operation started_by;
    struct cim_names names; /* whole: the rules are asked about them at each use */
    struct audit_keys keys; /* for the record of each use */
    MI_Operation inner;
    atomic_uint host_calls;          /* see OPERATION_CALLS */
    MI_OperationCallbacks callbacks; /* the provider's */
    bool asynchronous;
    bool withheld_valid;            /* a result that arrived for the wrong identity waits here */
    struct guarded_result withheld; /* under the context's lock, as withheld_valid */
    atomic_bool mute;               /* no further data reaches the provider, only the end */
    bool final_delivered;
    atomic_bool final_came;           /* the host's, which may come once */
    atomic_bool final_unacknowledged; /* the pin until the final waits for its acknowledgement */
    /* The host's, each taken by the first answer and given back when the host does not take it. */
    _Atomic(host_acknowledge) inner_acknowledge;
    _Atomic(host_answer) inner_prompt, inner_error;
};

extern struct slots guarded_contexts, guarded_sessions, guarded_operations;

/* ---- the guard (guard.c): the only place where a use is allowed or refused -------------- */

struct guard_call {
    enum operation operation;
    struct guarded_session *session;
    const struct guarded_operation *on; /* the operation that is used, or NULL */
    const struct cim_names *names;      /* NULL: the call has none */
    const struct audit_keys *keys;      /* NULL: none, or those of on */
    const void *call_site;
};

/* Why a call was refused, as far as its caller may know: no bound values. */
struct refusal {
    MI_Result result;
    enum audit_reason reason;
    miguard_components mismatch;
    uint64_t ticket; /* of the sentence made for it; 0: it is made when it is asked for */
};

/* True when the calling thread may go on. Everything else fills *ret_refusal; the record is
 * written by then. */
MIGUARD_CHECKED bool guard_use(const struct guard_call *call, struct refusal *ret_refusal);

/* The second look, at all of it, before something is given out: while the host was asked, anything
 * may have run, on this thread too. */
MIGUARD_CHECKED bool guard_use_again(const struct guard_call *call, struct refusal *ret_refusal);

/* Whether the session of a callback is not over: revoked, or denied by a newer policy. Who the
 * thread is does not count, since it takes on the session's identity. */
MIGUARD_CHECKED bool guard_may_deliver(const struct guard_call *call, struct refusal *ret_refusal);

/* May this identity have this session, which is filled in but for its view? Sets that. */
MIGUARD_CHECKED bool guard_open(struct guarded_session *session, const void *call_site,
                                struct refusal *ret_refusal);

/* Records that no session could be opened because the identity could not be had. */
void guard_open_failed(struct guarded_context *context, enum miguard_status why,
                       const void *call_site, struct refusal *ret_refusal);

/* Records a refusal that needs no comparison: a handle that is none, a close, a callback. */
void guard_refuse(const struct guard_call *call, enum audit_action action, enum audit_reason reason,
                  MI_Result result, struct refusal *ret_refusal);
void guard_refuse_handle(enum operation operation, enum slots_verdict verdict, uint64_t handle_name,
                         const void *call_site, struct refusal *ret_refusal);

/* Records that contexts cannot be guarded any more. */
void guard_no_context(const char *provider);

/* Records what was found still open when a context ended. */
void guard_note_reaped(const struct guarded_operation *operation);

/* ---- refusals (refusal.c) ---------------------------------------------------------------- */

/* Makes the sentence for the caller: what differs, which rule decided, why, and the id under which
 * the decision is in the log; no value of the bound identity. Any text may be NULL or "". */
void refusal_explain(struct refusal *refusal, const char *rule, const char *source,
                     const char *rule_reason, const char *decision_id);

/* The next ticket. Nobody but a test that wants the last one sets it. */
extern _Atomic uint64_t refusal_next_ticket;

/* The sentence, in memory that is never freed and overwritten only many refusals later. */
const char *refusal_message(const struct refusal *refusal);

/* Delivers a refused start as reference B.5 says: a real error operation in *operation (when not
 * NULL) and the matching result callback once, now, in this thread. session is the handle that
 * Operation_GetSession() gives back. */
void refusal_deliver(const struct refusal *refusal, const MI_Session *session,
                     enum result_kind kind, const MI_OperationCallbacks *callbacks,
                     MI_Operation *operation);

/* ---- where a provider enters ------------------------------------------------------------- */

/* The first line of each slot that takes a handle: not cancelled inside, and first of all a thread
 * that jumped out of a callback is brought home (switch.h). The shallower the frame that asks, the
 * less a jump can hide, so the slot asks and not the guard. */
#define ENTER_SLOT                                                                                 \
    ENTRY_UNCANCELLED;                                                                             \
    switch_settle()

/* ---- the rest ---------------------------------------------------------------------------- */

extern const MI_SessionFT guarded_session_ft;
extern const MI_OperationFT guarded_operation_ft;
extern const MI_ApplicationFT guarded_application_ft;

/* context.c: the guard of this host context, with one pin for the caller, or NULL when a limit or
 * memory is out. One that the host context has already serves again, unless it is another
 * provider's: then it is guarded in turn. */
struct guarded_context *guarded_context_new(MI_Context *host, const char *provider,
                                            MI_Context **ret_pub);
void guarded_context_release(struct guarded_context *context);
MI_Result guarded_context_get_local_session(const MI_Context *context, MI_Session *ret_session,
                                            const void *call_site);

/* context_index.c: publishes fresh, which is pinned, or finds the guard that serves in its place.
 * Returned is the one of the two that is to be used; another one than fresh has a pin more. */
struct guarded_context *context_index_enter(struct guarded_context *fresh);
void context_index_leave(struct guarded_context *context);

/* session.c */
MI_Session guarded_session_public(const struct guarded_session *session);

/* keys.c: the keys of an instance, which may be NULL. Runs the instance's own function table. */
void call_keys_read(struct audit_keys *keys, const MI_Instance *instance,
                    enum audit_keys_mode mode);
void call_keys_copy(struct audit_keys *to, const struct audit_keys *from);

/* operation.c */
MI_Operation guarded_operation_public(const struct guarded_operation *operation);
void guarded_operation_unlist(struct guarded_operation *operation);
void guarded_operation_started(struct guarded_operation *operation);
void guarded_operation_abandon(struct guarded_operation *operation);
MI_Result MI_CALL guarded_operation_acknowledge(MI_Operation *operation);
MI_Result MI_CALL guarded_operation_answer_prompt(MI_Operation *operation,
                                                  MI_OperationCallback_ResponseType response);
MI_Result MI_CALL guarded_operation_answer_error(MI_Operation *operation,
                                                 MI_OperationCallback_ResponseType response);

/* callback.c: the callbacks to hand to the host for operation, whose context is its handle name. */
MI_OperationCallbacks callback_table(const struct guarded_operation *operation, uint64_t name,
                                     enum result_kind kind);

#endif
