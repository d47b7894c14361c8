/* SPDX-License-Identifier: MIT */
/*
 * The objects of the gateway: guarded contexts, sessions and operations, each in a table of handles
 * (base/slots.h), so that a stale, forged or inherited handle is known as such. What is pinned
 * lives; what is retired is found by no handle any more.
 */
#ifndef GATEWAY_OBJECTS_H
#define GATEWAY_OBJECTS_H

#include <MI.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/slots.h"
#include "guard/guard.h"

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
    struct guard *guard;
    uint64_t id;
    char provider[PROVIDER_KEPT]; /* as records have it: cut where it is long */
    pthread_mutex_t lock;         /* the list and ended; held for a few instructions only */
    bool ended;
    struct guarded_session *sessions;
};

/* A session: a binding (guard/guard.h) and the host's own session behind it. */
struct guarded_session {
    struct guarded_session *next; /* of its context */
    struct guarded_context *context;
    struct binding binding;
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

/* A handle carries its table of functions. */
extern const MI_SessionFT guarded_session_ft;
extern const MI_OperationFT guarded_operation_ft;
extern const MI_ApplicationFT guarded_application_ft;

void guarded_context_release(struct guarded_context *context);

MI_Session guarded_session_public(const struct guarded_session *session);

MI_Operation guarded_operation_public(const struct guarded_operation *operation);
void guarded_operation_unlist(struct guarded_operation *operation);

/* One use of an operation, for the guard. */
struct guard_call guarded_operation_call(const struct guarded_operation *operation,
                                         enum operation used, const void *call_site);

#endif
