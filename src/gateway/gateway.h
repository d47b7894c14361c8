/* SPDX-License-Identifier: MIT */
/*
 * MI as a provider sees it, through the guard: what the files of this folder share.
 *
 * The way of one call: a slot in guarded_session.c or guarded_operation.c finds the object by its
 * handle (objects.h; or refuses: refused.h), asks the guard (guard/guard.h) whether this thread may
 * use it, and forwards to the host's own session. Contexts come from guarded_context.c, which is
 * entered through the wrapped module (wrapped_module.c) or miguard_guard_context(). Callbacks of
 * the host pass through callback.c.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/entry.h"
#include "gateway/objects.h"
#include "gateway/refused.h"
#include "guard/guard.h"
#include "miguard.h"
#include "switch/switch.h"

/* ---- entry points of a provider ----------------------------------------------------------- */

/* The first line of each slot that takes a handle: disables cancellation, and first restores a
 * thread that jumped out of a callback (switch.h). The shallower the calling frame, the less a jump
 * can hide, so the slot does this and not the guard. */
#define ENTER_SLOT                                                                                 \
    ENTRY_UNCANCELLED;                                                                             \
    switch_settle()

/* ---- the files of this folder ------------------------------------------------------------ */

/* guarded_context.c: the guard of this host context, with one pin for the caller; NULL at a limit
 * or without memory. A guard that the host context already has is reused, unless it belongs to
 * another provider: then it is guarded in turn. */
struct guarded_context *guarded_context_new(MI_Context *host, const char *provider,
                                            MI_Context **ret_pub);
MI_Result guarded_context_get_local_session(const MI_Context *context, MI_Session *ret_session,
                                            const void *call_site);

/* context_index.c: publishes fresh, which is pinned, or finds the guard to use instead. Returns the
 * one to use; a guard other than fresh gets one more pin. */
struct guarded_context *context_index_enter(struct guarded_context *fresh);
void context_index_leave(struct guarded_context *context);

/* keys.c: the keys of an instance, which may be NULL. Runs the instance's own function table. */
void call_keys_read(struct audit_keys *keys, const MI_Instance *instance,
                    enum audit_keys_mode mode);
void call_keys_copy(struct audit_keys *to, const struct audit_keys *from);

/* guarded_operation.c */
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
