/* SPDX-License-Identifier: MIT */
/*
 * miguard: the sessions of MI_Context_GetLocalSession(), usable only under the identity under which
 * they were taken.
 *
 * One line in a provider's MI_Main() is enough:
 *
 *     return miguard_wrap_module(server, &my_module);
 *
 * From then on every context the provider is given is guarded: the session it hands out captures
 * the credentials of the calling thread, and each later call on that session or its operations
 * compares them with those of the thread that makes the call. A difference is answered with
 * MI_RESULT_ACCESS_DENIED, does not reach the provider behind the session, and is recorded.
 *
 * Source of the rule: the documentation of MI_Context_GetLocalSession().
 */
#ifndef MIGUARD_H
#define MIGUARD_H

#include <MI.h>
#include <stddef.h>

#include "miguard/gate.h"
#include "miguard/guard.h"
#include "miguard/home.h"
#include "miguard/identity.h"
#include "miguard/status.h"
#include "miguard/switch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits of one process at one time: contexts that can be guarded, sessions and operations that can
 * be open. Beyond a limit the answer is MI_RESULT_SERVER_LIMITS_EXCEEDED. */
#define MIGUARD_MAX_CONTEXTS   65536
#define MIGUARD_MAX_SESSIONS   65536
#define MIGUARD_MAX_OPERATIONS 65536

/*
 * Wraps a provider module: MI_Main() must return the result in place of module. module and its
 * declarations are read, never written, and must live as long as static storage does.
 *
 * server is what MI_Main() was given. It may be NULL, as registration tools give it to read the
 * declarations: the result then describes the module, and guards it where it is loaded.
 *
 * The version of the result is that of the host where it is older than module's, and 1.0.0 where
 * the host is not known, so that every host of version 1 loads it (miguard-provider(7), VERSIONS).
 *
 * NULL when module is NULL, of another major version or size of MI_Char, lacks a declaration that
 * it counts, or memory ran out; a host treats a NULL module as a failed load, so a module that
 * cannot be guarded is not served at all. There is no limit of modules and classes; beyond 64
 * modules, or 512 classes of one, NULL also where the file of the library cannot be mapped again,
 * which is written to standard error. A module that is wrapped already is returned unchanged.
 * Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED MI_Module *miguard_wrap_module(MI_Server *server, MI_Module *module);

/*
 * Guards one context by hand, for code that cannot wrap its module. Every later use, the final
 * post included, must go through *ret_context: its end is what ends the sessions taken from it.
 *
 * A host context has one guard until a final result was posted through it: guarding it again gives
 * the same one. *ret_context is an address that no later context gets.
 *
 * Returns OK, INVALID_PARAMETER (NULL, or a guarded context that has ended),
 * SERVER_LIMITS_EXCEEDED; *ret_context is NULL on failure. A context that is guarded already is
 * returned unchanged. Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED MI_Result miguard_guard_context(MI_Context *host_context,
                                                            MI_Context **ret_context);

/*
 * MI_Context_GetLocalSession() on a guarded context, under a name that cannot be mistaken for the
 * unguarded one: on a context that is not guarded it returns INVALID_PARAMETER, since the end of
 * such a context could not be observed.
 *
 * Returns OK; INVALID_PARAMETER for NULL, an ended or an unguarded context; ACCESS_DENIED by policy
 * or when the identity cannot be read; SERVER_LIMITS_EXCEEDED; FAILED otherwise. *ret_session is
 * zeroed on every failure. Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED MI_Result miguard_get_local_session(const MI_Context *context,
                                                                MI_Session *ret_session);

/*
 * The identity that a session was opened under, as a target of miguard_switch_to(): for a provider
 * that uses a session on another thread. The target may outlive the session.
 *
 * Errors: INVALID_ARGUMENT, NOT_FOUND (no open session of a guarded context), BAD_STATE (a later
 * policy revoked it), NO_MEMORY. Needs no privilege; the switch does. Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_target_session(const MI_Session *session, struct miguard_target **ret_target,
                       struct miguard_error *reterr);

/* ---- who asked -------------------------------------------------------------------------------
 */

/*
 * Says who the client of a request is, for miguard_context_client(). host_context is the host's own
 * context and alive; the function may be called on any thread, by several at a time, and holds no
 * lock of the library. *ret_target is new, and then the caller's.
 *
 * It answers from what the host has proved (the peer of its socket, PAM, Kerberos), never from the
 * request: custom options, parameters and instances are what the client wrote. Where it does not
 * know, and for a context that is not its own, it returns NOT_SUPPORTED, and never the identity of
 * the host.
 */
typedef enum miguard_status (*miguard_client_source)(void *data, const MI_Context *host_context,
                                                     struct miguard_target **ret_target,
                                                     struct miguard_error *reterr);

/*
 * Registers the one source of the process, in place of an earlier one; NULL: no source. Called by
 * the host, or by the program that embeds it, before the first request. miguard/host.h has one for
 * the embedded server, miguard_host_context_client(). function and data must stay valid: a call may
 * be under way when another source takes its place. Thread safe.
 */
MIGUARD_API void miguard_set_client_source(miguard_client_source function, void *data);

/*
 * The client of the request that context serves, as a target of miguard_switch_to(): who asked, as
 * the host says it. MI has no function for that, and a parameter of the request is only a claim.
 * context is a guarded one, or the host's own.
 *
 * The policy says for each provider whether it may impersonate (every use of the target), only
 * identify (the target can be compared and bound, a switch to it is DENIED), or nothing; see
 * clients in miguard-policy(5). Refusals are recorded, and what is given out as the policy says.
 *
 * The target may outlive the context. The client of a request that a provider makes through its
 * session is that session's identity.
 *
 * Errors: INVALID_ARGUMENT; BAD_HANDLE (a guarded context that has ended, a copy, one from before a
 * fork; recorded); DENIED (by policy, without a policy, or where that cannot be recorded);
 * NOT_SUPPORTED (the host does not say); NO_MEMORY, and those of the source. *ret_target is NULL on
 * failure. Needs no privilege. Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_context_client(const MI_Context *context, struct miguard_target **ret_target,
                       struct miguard_error *reterr);

#ifdef __cplusplus
}
#endif

#endif
