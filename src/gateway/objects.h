/* SPDX-License-Identifier: MIT */
/*
 * The objects of the gateway: guarded contexts, sessions and operations, each in a table of handles
 * (base/slots.h), so that a stale, forged or inherited handle is detected. A pinned object lives; a
 * retired one is no longer found by any handle.
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

/* What a provider posts to end a request. The first part is borrowed; in a copy it is its own. */
enum final_kind { FINAL_NONE, FINAL_RESULT, FINAL_ERROR, FINAL_CIM_ERROR };

struct final_post {
    enum final_kind kind;
    MI_Uint32 code;
    const MI_Char *type, *message;
    const MI_Instance *error;
    char *own_type, *own_message;
    MI_Instance *own_error;
};

/* Calls of the host's context under way, and whether its final post was made or is due with the
 * last of them (final_post.c). */
enum { CONTEXT_POSTED = 0x80000000U };

/* The sessions of a context by identity (session_index.c); zeroed: none. */
enum { SESSION_INDEX_FEW = 8 };

struct session_index {
    uint32_t count;                /* sessions */
    uint32_t more_count;           /* lists of one kind in more */
    struct guarded_session **more; /* in place of few; or NULL */
    struct guarded_session *few[2 * SESSION_INDEX_FEW];
};

/* A guarded context. The provider holds an address that stands for this one only, forever
 * (context_space.h). Lives until its final post and until the last call in it has returned. It
 * holds a pin of the guard of the process; each session holds a pin of it. Its lock is never held
 * while code of the host or of the provider runs. */
struct guarded_context {
    MI_Context *host;             /* the host's own, or a guard around that */
    MI_Context *pub;              /* what the provider holds */
    struct guarded_context *next; /* in context_index.c */
    struct guard *guard;
    uint64_t id;
    char provider[PROVIDER_KEPT]; /* as in records: a long name is cut */
    pthread_mutex_t lock;         /* the list and ended; held for a few instructions only */
    bool ended;
    bool is_load;       /* of a Load or Unload */
    bool has_lifecycle; /* the host's table has the slot of version 1.1 (wrapped modules) */
    struct guarded_context *ends_with; /* another one that ends with this, pinned; or NULL */
    struct guarded_session *sessions;
    struct session_index index; /* of these; not used any more once ended */
    atomic_uint host_calls;     /* see CONTEXT_POSTED */
    struct final_post final;    /* the copy of one that is due */
    /* Its final post waits for the calls of this one, too; or NULL. With a pin. */
    struct guarded_context *holds;
    /* The latest refusal, for the client (guarded_context_note_refusal()); NULL: none. */
    char *refused;
    MI_Result refused_as;
};

/* A session: a binding (guard/guard.h) and the host's own session behind it. Made by
 * GetLocalSession, ended with its context. The list of the context holds a pin of it, and so does
 * each operation and each call in progress. */
struct guarded_session {
    struct guarded_session *next;                           /* of its context */
    struct guarded_session *next_by_identity, *next_by_ids; /* of one list of its index */
    uint64_t identity_hash, ids_hash;
    struct guarded_context *context;
    struct binding binding;
    MI_Session inner;
    bool of_another; /* the host gave the same session to another identity before */
    struct guarded_operation *operations; /* under the context's lock */
};

/*
 * Who may call the host about an operation, and who ends it, in one word.
 *
 * The count is of host calls under way that Close must not overtake: the starter, and Cancel.
 * OPERATION_CLAIMED: it is being ended, and no such call begins any more. The claimer ends it at
 * once when no call is under way; otherwise the last call to return does. So Close is called once
 * and never waits: a Cancel may be running the callback that closes.
 *
 *   open --Close-----------------> claimed --the host says yes--> closed
 *                                  claimed --the host says no---> open
 *   open --the context ends------> claimed and abandoned: ended by left_open.c
 *   claimed --the context ends---> abandoned, too: if the host says no, then by left_open.c
 */
enum { OPERATION_CALLS = 0xFFFF, OPERATION_CLAIMED = 0x10000, OPERATION_ABANDONED = 0x20000 };

/* What an operation delivers: which Get* and which result callback belong to it. */
enum result_kind { RESULT_INSTANCE, RESULT_INDICATION, RESULT_CLASS };

/* One answer of an operation, as returned by Get* or delivered by a result callback. The members of
 * other kinds stay NULL. All pointers belong to the host's operation, which keeps them until the
 * next result or its end. */
struct guarded_result {
    const MI_Instance *instance;
    const MI_Class *class_object;
    const MI_Char *bookmark, *machine_id;
    MI_Boolean more;
    MI_Result result;
    const MI_Char *message;
    const MI_Instance *details;
};

/* The functions with which a host is answered. */
typedef MI_Result(MI_CALL *host_acknowledge)(MI_Operation *);
typedef MI_Result(MI_CALL *host_answer)(MI_Operation *, MI_OperationCallback_ResponseType);

/* What left_open.c has of an operation that was open when its context ended. */
struct left_open {
    struct guarded_operation *next, **link; /* of those that wait for a result; link: or NULL */
    struct guarded_operation *queue_next;   /* of those that wait for a thread */
    int64_t since_ms;                       /* CLOCK_MONOTONIC */
    unsigned tries;                         /* of threads that could not end it */
    bool late;                              /* has waited too long, and is cancelled */
    atomic_bool open, cancelled, closed, handed_over;
};

/* An operation: the host's own and what is known about its start. It holds a pin of its session.
 * Its own pins: one of the handle, one of each call in progress, and one until the final
 * callback. */
struct guarded_operation {
    struct guarded_operation *next, **link; /* of its session; link is NULL when in no list */
    struct guarded_session *session;
    uint64_t id;
    enum operation started_by;
    struct cim_names names; /* whole: the rules use them at each use */
    struct audit_keys keys; /* for the record of each use */
    MI_Operation inner;
    atomic_uint host_calls;          /* see OPERATION_CALLS */
    MI_OperationCallbacks callbacks; /* the provider's */
    bool asynchronous;
    bool withheld_valid;            /* a result that arrived for the wrong identity waits here */
    struct guarded_result withheld; /* under the context's lock, as withheld_valid */
    atomic_bool mute;               /* no further data is delivered to the provider, only the end */
    /* For left_open.c. begun: the host is past the start, and may be asked to cancel. within: it
     * called the provider before its starter returned, so that no other thread brings the rest. */
    atomic_bool begun, within;
    atomic_bool all_read;  /* of a synchronous one: its last result was fetched */
    atomic_int getting;    /* calls of the host's Get* under way */
    atomic_int delivering; /* result callbacks under way */
    struct left_open left;
    atomic_bool host_refused; /* recorded */
    bool final_delivered;
    atomic_bool final_came; /* the host's final result, which may come once */
    atomic_bool
        final_unacknowledged; /* the pin of the final result waits for the acknowledgement */
    /* The host's functions, each taken by the first answer and put back when the host
     * refuses it. */
    _Atomic(host_acknowledge) inner_acknowledge;
    _Atomic(host_answer) inner_prompt, inner_error;
};

/* The tables. Each has a limit of the public header; beyond it a call is refused. */
extern struct slots guarded_contexts, guarded_sessions, guarded_operations;

/* A handle carries its table of functions. */
extern const MI_SessionFT guarded_session_ft;
extern const MI_OperationFT guarded_operation_ft;
extern const MI_ApplicationFT guarded_application_ft;

/* Releases a pin; the last one of an ended context destroys it. */
void guarded_context_release(struct guarded_context *context);

/* The handle for the provider: name, check word and table. It is the same each time. */
MI_Session guarded_session_public(const struct guarded_session *session);

MI_Operation guarded_operation_public(const struct guarded_operation *operation);
/* Removes the operation from its session's list, at most once; takes the context's lock. */
void guarded_operation_unlist(struct guarded_operation *operation);

/* Which Get* the operation has. */
enum result_kind guarded_operation_kind(const struct guarded_operation *operation);
/* The host's Get* of this kind. May block until a result is there. */
MI_Result guarded_operation_ask(struct guarded_operation *operation, enum result_kind kind,
                                struct guarded_result *result);

/* One use of an operation, for the guard: with the names and keys of the call that started it.
 * Borrows them; valid while the operation is pinned. */
struct guard_call guarded_operation_call(const struct guarded_operation *operation,
                                         enum operation used, const void *call_site);

#endif
