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

/* ---- modules ------------------------------------------------------------------------------ */

/* wrapped_places.c: the library of this module is about to be unmapped, by what loaded it. Its
 * wrapping is not given out again, even if another module comes to lie at its address. One that a
 * host has not unloaded stays. */
void wrapped_module_forget(const MI_Module *original);

/* ---- the files of this folder ------------------------------------------------------------ */

/* guarded_context.c: the guard of this host context, with one pin for the caller; NULL at a limit
 * or without memory. A guard that the host context already has is reused, unless it belongs to
 * another provider: then it is guarded in turn. *ret_pub is what the provider gets, valid after the
 * pin is released, too. A failure is recorded where no further context can ever be guarded. */
struct guarded_context *guarded_context_new(MI_Context *host, const char *provider,
                                            MI_Context **ret_pub);
/* The same for a call of the host to a wrapped module, load: to a Load or Unload. The context of
 * those may have ended without a post: then its guard ends when the address comes again. */
struct guarded_context *guarded_context_relay(MI_Context *host, const char *provider, bool load,
                                              MI_Context **ret_pub);
/* One more pin. */
void guarded_context_keep(struct guarded_context *context);
/* Ends other, whose pin is taken over, with the final post on context. NULL and context itself are
 * allowed. */
void guarded_context_end_with(struct guarded_context *context, struct guarded_context *other);
/* Ends the guard without a post, since the host has ended its context, and releases a pin. */
void guarded_context_abandon(struct guarded_context *context);
/* guarded_context.c: the session of the calling thread's identity; made, and recorded, when the
 * context has none. *ret_session is zeroed on failure. The results are those of refused_result()
 * and of the host. */
MI_Result guarded_context_get_local_session(const MI_Context *context, MI_Session *ret_session,
                                            const void *call_site);

/* guarded_context.c: pins the context that a provider's pointer stands for, without reading there.
 * Only SLOTS_OK sets *ret_context. */
enum slots_verdict guarded_context_acquire(const MI_Context *context,
                                           struct guarded_context **ret_context);
/* objects.c: keeps the sentence of a refusal for the client of the request: most providers pass the
 * result on by MI_Context_PostResult(), which has no place for a text. The latest counts. */
void guarded_context_note_refusal(struct guarded_context *context, const struct refusal *refusal);
/* Whether a final result was posted. A pin keeps the guard alive, not the request. */
bool guarded_context_has_ended(struct guarded_context *context);
/* Whether the pointer is of the form of a guarded context, be it one or a copy. Reads there. */
bool guarded_context_form(const MI_Context *context);

/* context_index.c: publishes fresh, which is pinned, or finds the guard to use instead. Returns the
 * one to use; a guard other than fresh gets one more pin. */
struct guarded_context *context_index_enter(struct guarded_context *fresh);
/* Removes a guard that was entered, once. From then on its host context may get another guard. */
void context_index_leave(struct guarded_context *context);

/* session_index.c, under the context's lock: the session of this identity, or NULL. */
struct guarded_session *session_index_find(struct session_index *index,
                                           const struct miguard_identity *identity);
/* The latest session of these user and group ids, or NULL. */
struct guarded_session *session_index_find_ids(struct session_index *index,
                                               const uid_t uid[IDENTITY_FS],
                                               const gid_t gid[IDENTITY_FS]);
/* Adds a session, which has no twin. all: those that are in the index, linked by next, the latest
 * first. Cannot fail. */
void session_index_add(struct session_index *index, struct guarded_session *session,
                       struct guarded_session *all);
void session_index_release(struct session_index *index);

/* keys.c: the keys of an instance, which may be NULL. Runs the instance's own function table. Not
 * between the guard's check and the host's call: the table may be the provider's own code
 * (keys.c). */
void call_keys_read(struct audit_keys *keys, const MI_Instance *instance,
                    enum audit_keys_mode mode);
/* Copies the used part only. *to may be uninitialised. */
void call_keys_copy(struct audit_keys *to, const struct audit_keys *from);

/* The host's starter has returned: an end that was claimed meanwhile is carried out now. */
void guarded_operation_started(struct guarded_operation *operation);
/* The operation's context has ended: nothing more is delivered, and the host's operation is ended
 * now or by the last call under way (left_open.c). Runs the host's code under the session's
 * identity. */
void guarded_operation_abandon(struct guarded_operation *operation);
/* What a provider gets with a result, in place of the host's function: forwards once, under the
 * guard. A second call and one of a stale handle are refused. */
MI_Result MI_CALL guarded_operation_acknowledge(MI_Operation *operation);
/* The same for the answers to a prompt and to an error. */
MI_Result MI_CALL guarded_operation_answer_prompt(MI_Operation *operation,
                                                  MI_OperationCallback_ResponseType response);
MI_Result MI_CALL guarded_operation_answer_error(MI_Operation *operation,
                                                 MI_OperationCallback_ResponseType response);

/* final_post.c: a call of the host's context. False: its final post was made, or waits for calls
 * under way, and the host must not be called. Otherwise the end must follow. */
bool final_post_begin_call(struct guarded_context *context);
void final_post_end_call(struct guarded_context *context);
/* For ON_LEAVING: the end, unless NULL. */
void final_post_leave_call(struct guarded_context *const *context);
/* In place of a post, of a context that ends without one. The final post of `holds`, which may be
 * NULL and is yet to come, waits for the calls of this one. */
void final_post_none(struct guarded_context *context, struct guarded_context *holds);
/* Posts, now or with the last call that ends; once, of a context that has ended. OK, or what the
 * host answers. */
MI_Result final_post(struct guarded_context *context, const struct final_post *final);

/* host_refusal.c: whether the host gave this session to other ids before; remembers it. */
bool host_session_of_another(const MI_Session *session, const struct miguard_identity *identity);
/* A denial by the host's own check gets a sentence that says so, and a record. answer is what the
 * host's Get* returned; OK for a callback. */
void host_refusal_in_result(struct guarded_operation *operation, const struct guard_call *call,
                            MI_Result answer, struct guarded_result *result);
/* The same for what the host's Close or Cancel returned. */
void host_refusal_of_call(struct guarded_operation *operation, const struct guard_call *call,
                          MI_Result answer);

/* left_open.c: ends an operation that is claimed and abandoned, without waiting for the host. No
 * call that Close must not overtake is under way. */
void left_open_end(struct guarded_operation *operation);
/* A result callback, counted in delivering, or a Get*, counted in getting, is over. */
void left_open_delivered(struct guarded_operation *operation);
void left_open_fetched(struct guarded_operation *operation);
/* Cancels what waits too long. Costs a load when nothing waits. Called as a request begins. */
void left_open_check(void);

/* Nothing waits, and no thread runs. For tests. */
bool left_open_idle(void);

/* guarded_context.c: how many contexts were guarded on this thread. */
uint64_t guarded_context_count(void);

/* callback.c: the callbacks to hand to the host for operation, whose context is its handle name.
 * The operation must stay pinned until its final callback when it is asynchronous. */
MI_OperationCallbacks callback_table(const struct guarded_operation *operation, uint64_t name,
                                     enum result_kind kind);

#endif
