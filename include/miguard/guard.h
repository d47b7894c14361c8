/* SPDX-License-Identifier: MIT */
/*
 * The guard of a process: its policy, its log, and objects that are bound to an identity. Nothing
 * here knows MI; <miguard.h> is the front end for MI providers, over exactly this.
 *
 * A daemon that acts as its clients registers a front end, binds each object (a connection, an open
 * file, a request) to the identity that may use it, and has every later use verified:
 *
 *     miguard_front_end_register("fileserver", actions, 3, &front_end, &error);
 *     ...
 *     miguard_bind_target(front_end, peer, NULL, "connection 7", &binding, &refusal);
 *     ...
 *     struct miguard_use use = MIGUARD_USE(ACTION_READ, "/srv/data/report");
 *     if (miguard_verify(binding, &use, &refusal) != MIGUARD_OK) {
 *         ... refusal.sentence says why, and the log has the record ...
 *     }
 *
 * miguard-guard(3) explains the functions, miguard-daemon(7) builds a guarded daemon.
 */
#ifndef MIGUARD_GUARD_H
#define MIGUARD_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "identity.h"
#include "status.h"

#define MIGUARD_VERSION "0.1.0"

/* Where the audit log goes by default. */
#define MIGUARD_AUDIT_FILE "/var/log/miguard/audit.jsonl"

#ifdef __cplusplus
extern "C" {
#endif

/* Start from MIGUARD_CONFIG_INIT and change what is wanted. */
struct miguard_config {
    size_t size;            /* sizeof(struct miguard_config) of the caller's header */
    const char *audit_file; /* path of the log file, in place of the policy's; NULL: the policy's,
                               or MIGUARD_AUDIT_FILE where it names no file */
    const char *policy;     /* a policy file, or a folder of them; NULL means the standard places:
                               /etc/miguard/miguard.yaml and /etc/miguard/policy.d */
    int repeat_window; /* seconds in which identical refusals become one record, in place of the
                          policy's; 0: one record each; -1: the policy's */
};

#define MIGUARD_CONFIG_INIT                                                                        \
    {                                                                                              \
        sizeof(struct miguard_config), NULL, NULL, -1                                              \
    }

/*
 * Sets up the guard of this process. Optional: without it the first binding does so, from
 * the policy in the standard places. Without a policy there, the built-in default compares every
 * component, denies a mismatch, allows the rest and records in MIGUARD_AUDIT_FILE. While the policy
 * is broken or the log cannot be written, sessions are refused (fail closed).
 *
 * May be called again while nothing is bound: no binding and no guarded context is alive.
 * Errors: INVALID_ARGUMENT (also a window below -1 or over 3600), NO_MEMORY, BAD_STATE (something
 * is bound), BAD_POLICY (reterr holds the first error and the number of errors), SYSTEM
 * (the audit file cannot be opened; reterr has the reason). On failure the earlier set-up stays.
 * Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_configure(const struct miguard_config *config, struct miguard_error *reterr);

/*
 * Reads the policy again from the same place. A set with errors changes nothing: the old one stays
 * in force and a record has the errors. Open sessions keep the policy that they were opened under,
 * unless the new one denies them. The log does not move. No signal and no thread is involved; with
 * `watch: true` in the policy the library calls this by itself. Errors: BAD_POLICY, NO_MEMORY,
 * BAD_STATE (nothing is set up yet). Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_reload(struct miguard_error *reterr);

/* ---- a front end ------------------------------------------------------------------------------
 */

/* A part of a daemon that binds objects, and the actions that it knows. Lives as long as the
 * process. */
struct miguard_front_end;

/* Limits of one process: front ends, and the actions of each. */
#define MIGUARD_MAX_FRONT_ENDS 64
#define MIGUARD_MAX_ACTIONS    1024

/*
 * Registers a front end.
 *
 * component is its name in policies (`provider:`) and records (miguard.provider): 1 to 255 bytes of
 * UTF-8. actions are the names of what is done to bound objects, in policies `action:`, in records
 * miguard.operation: 1 to 128 letters, digits, ".", "-", "_", ":" and "/", each name once. The
 * place in the list is the number of the action in struct miguard_use. The names of the MI
 * operations, "Bind" (which stands for the binding itself) and "Action" are taken. All texts are
 * copied.
 *
 * Registering the same front end again, with the same actions, gives the same one.
 *
 * Errors: INVALID_ARGUMENT (reterr names the action and what is wrong with it), BAD_STATE (the
 * component is registered with other actions), LIMIT, NO_MEMORY. Thread safe, not async-signal
 * safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_front_end_register(const char *component, const char *const *actions, size_t action_count,
                           struct miguard_front_end **ret_front_end, struct miguard_error *reterr);

/* ---- a use, and its refusal -------------------------------------------------------------------
 */

/* What is done, and to what. Start from MIGUARD_USE() or MIGUARD_USE_INIT. */
struct miguard_use {
    size_t size;          /* sizeof(struct miguard_use) of the caller's header */
    uint32_t action;      /* its number in the list of the front end */
    const char *resource; /* what a policy's `resource:` is compared with, such as a path; NULL:
                             that of the binding */
    const char *object;   /* for the record only, such as a request number; NULL: that of the
                             binding */
};

#define MIGUARD_USE_INIT                                                                           \
    {                                                                                              \
        sizeof(struct miguard_use), 0, NULL, NULL                                                  \
    }
#define MIGUARD_USE(action, resource)                                                              \
    {                                                                                              \
        sizeof(struct miguard_use), (action), (resource), NULL                                     \
    }

/* Why something was refused, as far as a caller may know: no value of the bound identity is in it.
 * A caller passes one, or NULL. It is written only on failure; sentence always says why. */
struct miguard_refusal {
    enum miguard_status status;    /* as returned */
    const char *reason;            /* "identity-mismatch": event.reason of the record; static */
    miguard_components difference; /* what differs between the bound and the current identity */
    char rule[104];                /* the rule that decided; "": none did */
    char source[164];              /* its file and line */
    char decision_id[48];          /* event.id of the record; "": not recorded */
    char sentence[960];            /* all of it, for a person */
};

/* ---- bindings -----------------------------------------------------------------------------------
 */

/* An object's identity and the policy that it was bound under. */
struct miguard_binding;

/* How many bindings may live at one time. */
#define MIGUARD_MAX_BINDINGS 1000000

/*
 * Binds an object to the identity of the calling thread, every component of it, under the policy in
 * force. The policy is asked for the action "Bind", with the resource.
 *
 * resource and object are the defaults of each use; both may be NULL, and both are copied. The
 * caller owns one reference, which miguard_release() gives up. The binding belongs to this process:
 * in a forked child it is refused.
 *
 * Closes the gate for the calling thread where the policy wants one for each thread that binds.
 *
 * Errors, each with a refusal: INVALID_ARGUMENT (nothing is recorded), DENIED (by policy, or since
 * the identity cannot be read: invariant 4 of SECURITY.md), LIMIT, NO_MEMORY, NOT_SUPPORTED
 * (another copy of the library is in use). *ret_binding is NULL on failure. Thread safe, not
 * async-signal safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_bind(const struct miguard_front_end *front_end, const char *resource, const char *object,
             struct miguard_binding **ret_binding, struct miguard_refusal *ret_refusal);

struct miguard_target;

/*
 * The same for the identity that the calling thread would have after miguard_switch_to(target), and
 * without switching: for a thread that accepts a connection and hands it to others. The threads
 * that use the binding must be as the calling one was before they switch. Needs no privilege.
 * Errors as miguard_bind().
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_bind_target(const struct miguard_front_end *front_end, const struct miguard_target *target,
                    const char *resource, const char *object, struct miguard_binding **ret_binding,
                    struct miguard_refusal *ret_refusal);

/*
 * Whether the calling thread may make this use of the binding: its identity is compared with the
 * bound one, then the policy is asked, then what it wants recorded is recorded. Only OK allows the
 * use; on everything else nothing may be done.
 *
 * The answer is about this moment. A caller that waits in between, for a lock, for a plug-in, for
 * I/O, asks miguard_verify_again() before the result is given out.
 *
 * Errors, each with a refusal: DENIED, BAD_HANDLE (inherited through a fork), INVALID_ARGUMENT
 * (NULL, no such action, a use of another size). Thread safe, not async-signal safe. Where the
 * calling thread is behind a gate and nothing has changed since the last check it makes no system
 * call; it never allocates where the use is allowed and not recorded.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_verify(struct miguard_binding *binding,
                                                               const struct miguard_use *use,
                                                               struct miguard_refusal *ret_refusal);

/* The same use, after the calling thread has waited or has run code of others: the identity is
 * compared anew, and a binding that was revoked meanwhile, or that a newer policy denies, is
 * refused. The rules about the use itself are not asked again. Errors as miguard_verify(). */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_verify_again(struct miguard_binding *binding, const struct miguard_use *use,
                     struct miguard_refusal *ret_refusal);

/* Every later verification of the binding is refused, permanently. A use that was verified before
 * goes on until it asks miguard_verify_again(). NULL is allowed. Thread safe, async-signal safe. */
MIGUARD_API void miguard_revoke(struct miguard_binding *binding);

/* One more reference to a binding that the caller has a reference to. Returns binding, which may be
 * NULL. Thread safe. */
MIGUARD_API struct miguard_binding *miguard_keep(struct miguard_binding *binding);
/* Gives up a reference; with the last one the binding is gone, and its number is stale. NULL is
 * allowed. Thread safe, not async-signal safe. */
MIGUARD_API void miguard_release(struct miguard_binding *binding);

/*
 * The binding as a number that can be passed through foreign code (epoll_data, the file handle of
 * FUSE, a scripting language), and found again. Never 0. It is no secret and needs to be none: a
 * number that names another binding is compared with that binding's identity.
 */
MIGUARD_API uint64_t miguard_binding_number(const struct miguard_binding *binding);

/*
 * The binding of that number, with a reference for the caller. Errors, each with a refusal and a
 * record: BAD_HANDLE (stale: released; forged: no such number was given out; inherited through a
 * fork: refusal.reason says which), INVALID_ARGUMENT (ret_binding is NULL). *ret_binding is NULL on
 * failure. Thread safe; lock-free where it is found.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_binding_find(uint64_t number, struct miguard_binding **ret_binding,
                     struct miguard_refusal *ret_refusal);

/* The bound identity, valid as long as the caller's reference. */
MIGUARD_API const struct miguard_identity *
miguard_binding_identity(const struct miguard_binding *binding);

/* The bound identity as a target of miguard_switch_to(). The target may outlive the binding.
 * Errors: INVALID_ARGUMENT, BAD_STATE (the binding was revoked), BAD_HANDLE (inherited through a
 * fork), NO_MEMORY. Needs no privilege; the switch does. Thread safe. */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_binding(const struct miguard_binding *binding, struct miguard_target **ret_target,
                       struct miguard_error *reterr);

/* ---- watching each call -------------------------------------------------------------------------
 */

/* One call that crossed the guard, as a tracer is shown it. All pointers are valid until the
 * function returns; a text that the call does not have is NULL. */
struct miguard_traced_call {
    size_t size;      /* sizeof(struct miguard_traced_call) of the library */
    const char *call; /* the operation, as in records, or the name of a front end's action */
    const char *provider, *name_space, *class_name, *method;
    const char *resource, *object;
    uint64_t context, session, operation; /* as in records; 0: none */
    int allowed;                          /* 0: refused; *refusal says why */
    int again;                            /* the second check, before a result is given out */
    const struct miguard_identity *bound; /* NULL: as for an invalid handle */
    const struct miguard_refusal *refusal;
    int64_t nanoseconds; /* that the guard took for its answer */
};

/* What watches calls. The function runs on the thread that made the call, after the decision and
 * its record and before the call goes on. It cannot change the answer. It must not make a call that
 * crosses the guard, and must not leave by a jump. */
struct miguard_tracer {
    void (*crossed)(void *data, const struct miguard_traced_call *call);
    void *data;
};

/*
 * Has the tracer shown every call of this process that crosses the guard, allowed or refused,
 * recorded or not; NULL: none any more. For a person at work (`miguard run --trace`): it is no
 * audit, since nothing waits for it and nothing is refused without it. *tracer must stay valid as
 * long as the process lives, since a call on another thread may be about to use it. Thread safe,
 * async-signal safe.
 */
MIGUARD_API void miguard_set_tracer(const struct miguard_tracer *tracer);

/* The version of the library that is running, as MIGUARD_VERSION. */
MIGUARD_API const char *miguard_version(void);

#ifdef __cplusplus
}
#endif

#endif
