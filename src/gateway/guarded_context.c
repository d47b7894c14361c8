/* SPDX-License-Identifier: MIT */
/*
 * MI_Context, guarded: its beginning and end, and MI_Context_GetLocalSession(), which binds a
 * session to the identity of the calling thread.
 *
 * The beginning: guarded_context_new() makes a context with its address (make_context) and enters
 * it into the index. A session: session_for_thread() closes the thread's gate and finds its
 * session by a check, or captures its identity and finds that identity's session or opens one
 * (open_session). The end: a final post ->
 * end_context() retires the context and ends its sessions and their operations, and only then
 * reaches the host. Every other slot is forwarded.
 */
#include <string.h>

#include "gate/gate.h"
#include "gateway/context_space.h"
#include "gateway/gateway.h"
#include "identity/read.h"
#include "switch/switch.h"

/* One use of an old address weighs as much as this many new contexts (space_touched()). */
enum { WEIGHT_OF_STALE = 64 };

/* The slots of MI.h, and room for those of a later minor version (wrapped_module.c). */
enum { LATER_SLOTS = 32 };
static const struct context_table {
    MI_ContextFT known;
    MI_Result(MI_CALL *later[LATER_SLOTS])(const MI_Context *);
} guarded_context_table;
#define guarded_context_ft guarded_context_table.known

/* Whether a host calls providers within a starter is seen by it (guarded_session.c). */
static _Thread_local uint64_t guarded_here;

uint64_t guarded_context_count(void)
{
    return guarded_here;
}

/* Pins the context that a provider's pointer stands for. Only the address is used; the memory is
 * not read. Only SLOTS_OK sets a pin, which unpin_context() releases. */
enum slots_verdict guarded_context_acquire(const MI_Context *context,
                                           struct guarded_context **ret_context)
{
    uint64_t name = space_name(context);
    void *object = NULL;

    if (name == 0) {
        return SLOTS_FORGED;
    }
    enum slots_verdict verdict = slots_acquire_named(&guarded_contexts, name, &object);
    space_touched(context, verdict != SLOTS_OK ? WEIGHT_OF_STALE : 0);
    *ret_context = object;
    return verdict;
}

bool guarded_context_form(const MI_Context *context)
{
    return space_name(context) != 0 || context->ft == &guarded_context_ft;
}

bool guarded_context_has_ended(struct guarded_context *context)
{
    pthread_mutex_lock(&context->lock);
    bool ended = context->ended;
    pthread_mutex_unlock(&context->lock);
    return ended;
}

/* For ON_LEAVING: releases the pin of guarded_context_acquire(), if there was one. */
static void unpin_context(struct guarded_context *const *context)
{
    if (*context != NULL) {
        guarded_context_release(*context);
    }
}

/* ---- the beginning ------------------------------------------------------------------------ */

/* Every request is refused from now on, and the host sees only a reached limit. Recorded once,
 * since a later record would say nothing new. */
static void record_addresses_spent(const char *provider)
{
    static atomic_bool recorded;

    if (!atomic_exchange(&recorded, true)) {
        guard_no_context(provider);
    }
}

/* Pinned, but no look-up finds it yet. NULL at a limit, without memory or without an address. Its
 * number is the name of its handle, which the address also stands for. */
static struct guarded_context *make_context(MI_Context *host, const char *provider)
{
    if (!space_open(&guarded_context_ft, &guarded_contexts)) {
        record_addresses_spent(provider);
        return NULL;
    }
    struct guarded_context *context = slots_new(&guarded_contexts, NULL);
    if (context == NULL) {
        if (slots_spent(&guarded_contexts)) {
            record_addresses_spent(provider);
        }
        return NULL;
    }
    context->host = host;
    context->guard = guard_enter();
    pthread_mutex_init(&context->lock, NULL);
    memcpy(context->provider, provider, strnlen(provider, sizeof(context->provider) - 1));
    context->id = slots_handle_of(&guarded_contexts, context).name;
    context->pub = space_address(context->id);
    if (context->pub == NULL) {
        guarded_context_release(context);
        record_addresses_spent(provider);
        return NULL;
    }
    return context;
}

/* A fresh context that is not needed is destroyed again: making it first keeps the index locked for
 * a few instructions only. */
static struct guarded_context *enter_context(MI_Context *host, const char *provider, bool load,
                                             bool *ret_fresh, MI_Context **ret_pub)
{
    struct guarded_context *fresh = make_context(host, provider);

    if (fresh == NULL) {
        return NULL;
    }
    fresh->is_load = load;
    struct guarded_context *context = context_index_enter(fresh);
    *ret_fresh = context == fresh;
    if (context != fresh) {
        guarded_context_release(fresh);
    }
    *ret_pub = context->pub;
    return context;
}

struct guarded_context *guarded_context_new(MI_Context *host, const char *provider,
                                            MI_Context **ret_pub)
{
    bool fresh;

    guarded_here++;
    left_open_check();
    return enter_context(host, provider, false, &fresh, ret_pub);
}

/* A context that has ended, or never was one. */
static MI_Result refuse_context(const MI_Context *context, enum slots_verdict verdict,
                                const void *call_site)
{
    struct refusal refusal;

    guard_refuse_handle(OPERATION_CONTEXT_CALL, verdict, space_name(context), call_site, &refusal);
    return refused_result(&refusal);
}

/* For code that guards by hand. A context that is guarded already is returned as it is. The pin is
 * released at once: a published context lives without one until its final post (base/slots.h). */
MI_Result miguard_guard_context(MI_Context *host_context, MI_Context **ret_context)
{
    ENTRY_UNCANCELLED;
    struct guarded_context *context = NULL;

    if (ret_context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_context = NULL;
    if (host_context == NULL || host_context->ft == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (host_context->ft != &guarded_context_ft) {
        context = guarded_context_new(host_context, "", ret_context);
    } else {
        enum slots_verdict verdict = guarded_context_acquire(host_context, &context);
        if (verdict != SLOTS_OK) { /* ended, or a copy */
            return refuse_context(host_context, verdict, __builtin_return_address(0));
        }
        *ret_context = host_context;
    }
    if (context == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    guarded_context_release(context);
    return MI_RESULT_OK;
}

/* ---- the end ------------------------------------------------------------------------------ */

/* The first operation that is still listed, with one more pin; or NULL. */
static struct guarded_operation *pin_first_operation(struct guarded_session *session)
{
    pthread_mutex_lock(&session->context->lock);
    struct guarded_operation *operation = session->operations;
    if (operation != NULL) {
        slots_pin(&guarded_operations, operation);
    }
    pthread_mutex_unlock(&session->context->lock);
    return operation;
}

/* A list's pin is released with its entry. For ON_LEAVING; in reap_operation() twice, for two
 * pins. */
static void unpin_operation(struct guarded_operation *const *operation)
{
    slots_release(&guarded_operations, *operation);
}

/* Ends one operation that the provider left open, and records it. The one whose retirement succeeds
 * owns the handle's pin; an operation that was closed meanwhile is not reaped. */
static void reap_operation(struct guarded_operation *operation)
{
    struct guarded_operation *pinned ON_LEAVING(unpin_operation) = operation;

    guarded_operation_unlist(pinned);
    if (slots_retire(&guarded_operations, pinned)) {
        struct guarded_operation *handle ON_LEAVING(unpin_operation) = pinned;
        const struct guard_call call = guarded_operation_call(handle, handle->started_by, NULL);
        guard_note_reaped(&call);
        guarded_operation_abandon(handle);
    }
}

/* For ON_LEAVING: releases a pin that is always there. */
static void unpin_session(struct guarded_session *const *session)
{
    slots_release(&guarded_sessions, *session);
}

/* Retired first, so that no new operation can be started; the list then only gets shorter. */
static void end_session(struct guarded_session *session)
{
    struct guarded_session *listed ON_LEAVING(unpin_session) = session; /* the pin of the list */
    struct guarded_operation *operation = NULL;

    slots_retire(&guarded_sessions, listed);
    while ((operation = pin_first_operation(listed)) != NULL) {
        reap_operation(operation);
    }
}

/* A callback of the provider may unwind this: then it is called again for the others. */
static void end_sessions(struct guarded_session **sessions)
{
    while (*sessions != NULL) {
        struct guarded_session *first = *sessions;
        *sessions = first->next;
        end_session(first);
    }
}

/* True for exactly one caller: the one whose final post counts. After this no call enters the
 * context any more; calls that are in it already keep it alive until they return. */
static bool end_context(struct guarded_context *context)
{
    if (!slots_retire(&guarded_contexts, context)) {
        return false;
    }
    context_index_leave(context); /* from here on the host may reuse its memory */
    pthread_mutex_lock(&context->lock);
    context->ended = true;
    struct guarded_session *sessions ON_LEAVING(end_sessions) = context->sessions;
    context->sessions = NULL;
    pthread_mutex_unlock(&context->lock);
    end_sessions(&sessions);
    struct guarded_context *other = context->ends_with;
    context->ends_with = NULL;
    if (other != NULL) {
        if (end_context(other)) {
            final_post_none(other, context);
        }
        guarded_context_release(other);
    }
    return true;
}

/* Of a host's Load and Unload the contexts may lie on its stack, and end there without a post: the
 * next context at that address is another one. */
struct guarded_context *guarded_context_relay(MI_Context *host, const char *provider, bool load,
                                              MI_Context **ret_pub)
{
    bool fresh = false;

    guarded_here++;
    left_open_check();
    struct guarded_context *context = enter_context(host, provider, load, &fresh, ret_pub);
    if (context == NULL || fresh || !context->is_load) {
        return context;
    }
    guarded_context_abandon(context);
    return enter_context(host, provider, load, &fresh, ret_pub);
}

void guarded_context_keep(struct guarded_context *context)
{
    slots_pin(&guarded_contexts, context);
}

void guarded_context_end_with(struct guarded_context *context, struct guarded_context *other)
{
    if (other == context) {
        guarded_context_release(other);
    } else {
        context->ends_with = other;
    }
}

void guarded_context_abandon(struct guarded_context *context)
{
    if (end_context(context)) {
        final_post_none(context, NULL);
    }
    guarded_context_release(context);
}

/* ---- sessions ------------------------------------------------------------------------------ */

/* A context has one session for each identity: the same thread gets the same session again. The
 * session of this identity, pinned, or NULL. */
static struct guarded_session *lookup_session(struct guarded_context *context,
                                              const struct miguard_identity *identity)
{
    pthread_mutex_lock(&context->lock);
    struct guarded_session *session =
        context->ended ? NULL : session_index_find(&context->index, identity);
    if (session != NULL) {
        slots_pin(&guarded_sessions, session);
    }
    pthread_mutex_unlock(&context->lock);
    return session;
}

/* The latest session of these user and group ids, pinned, or NULL. */
static struct guarded_session *lookup_ids(struct guarded_context *context,
                                          const uid_t uid[IDENTITY_FS],
                                          const gid_t gid[IDENTITY_FS])
{
    pthread_mutex_lock(&context->lock);
    struct guarded_session *session =
        context->ended ? NULL : session_index_find_ids(&context->index, uid, gid);
    if (session != NULL) {
        slots_pin(&guarded_sessions, session);
    }
    pthread_mutex_unlock(&context->lock);
    return session;
}

/*
 * The thread's session, pinned, where one of its ids exists and is its in every component; or NULL:
 * not known yet. Taking a session that exists needs no more proof than its use, which is checked in
 * the same way; a capture would read everything twice, and ask witnesses.
 */
static struct guarded_session *session_by_check(struct guarded_context *context)
{
    uid_t uid[IDENTITY_FS];
    gid_t gid[IDENTITY_FS];

    struct guarded_session *session =
        read_uids(uid) && read_gids(gid) ? lookup_ids(context, uid, gid) : NULL;
    if (session != NULL && identity_check_gated(&session->binding.identity, MIGUARD_COMPONENTS_ALL,
                                                gate_kind(), NULL) != 0) {
        slots_release(&guarded_sessions, session);
        return NULL;
    }
    return session;
}

/* Adds the session to its context; false when that has ended. If another thread of the same
 * identity was faster, *session becomes that thread's. */
static bool enlist(struct guarded_context *context, struct guarded_session **session)
{
    struct guarded_session *extra = NULL;

    pthread_mutex_lock(&context->lock);
    bool ended = context->ended;
    struct guarded_session *twin =
        ended ? NULL : session_index_find(&context->index, &(*session)->binding.identity);
    if (twin != NULL) {
        slots_pin(&guarded_sessions, twin);
        extra = *session;
        *session = twin;
    } else if (!ended) {
        slots_publish(&guarded_sessions, *session);
        slots_pin(&guarded_sessions,
                  *session); /* for the caller; the first pin now belongs to the list */
        session_index_add(&context->index, *session, context->sessions);
        (*session)->next = context->sessions;
        context->sessions = *session;
    }
    pthread_mutex_unlock(&context->lock);
    if (extra != NULL) {
        slots_release(&guarded_sessions, extra);
    }
    return !ended;
}

/* The first part of a binding, without the identity. What it points to lives as long as the
 * context, which the session pins. */
static struct binding binding_of(struct guarded_context *context, uint64_t session_id)
{
    return (struct binding){.guard = context->guard,
                            .provider = context->provider,
                            .context_id = context->id,
                            .session_id = session_id};
}

static MI_Result refuse_session(struct guarded_context *context, const struct refusal *refusal)
{
    guarded_context_note_refusal(context, refusal);
    return refused_result(refusal);
}

/* A session that could not be opened has no number: 0 in the record. */
static MI_Result open_failed(struct guarded_context *context, enum miguard_status why,
                             const void *call_site)
{
    const struct binding none = binding_of(context, 0);
    struct refusal refusal;

    guard_bind_failed(&none, why, call_site, &refusal);
    return refuse_session(context, &refusal);
}

/* The host's own session; what the host itself refuses is said and recorded to be its refusal. */
static MI_Result ask_host(struct guarded_context *context, struct guarded_session *session,
                          const void *call_site)
{
    const struct guard_call call = {.operation = OPERATION_GET_LOCAL_SESSION,
                                    .binding = &session->binding,
                                    .call_site = call_site};
    struct refusal refusal;

    if (!final_post_begin_call(context)) {
        guard_refuse_handle(OPERATION_GET_LOCAL_SESSION, SLOTS_STALE, context->id, call_site,
                            &refusal);
        return refused_result(&refusal);
    }
    MI_Result result = MI_Context_GetLocalSession(context->host, &session->inner);
    final_post_end_call(context);
    if (result == MI_RESULT_OK) {
        session->of_another = host_session_of_another(&session->inner, &session->binding.identity);
    } else if (result == MI_RESULT_ACCESS_DENIED) {
        guard_refuse(&call, AUDIT_ACTION_SESSION_OPEN, AUDIT_REASON_HOST_REFUSED, GUARD_DENIED,
                     &refusal);
        guarded_context_note_refusal(context, &refusal);
    }
    return result;
}

/* Takes over the identity. Order: the guard decides first, the host is asked for its session
 * second, and the session is listed last; a failure at any step leaves nothing behind. */
static MI_Result open_session(struct guarded_context *context, struct miguard_identity *identity,
                              const void *call_site, struct guarded_session **ret_session)
{
    struct refusal refusal;
    struct guarded_session *session = slots_new(&guarded_sessions, NULL);

    if (session == NULL) {
        return open_failed(context, MIGUARD_NO_MEMORY, call_site);
    }
    slots_pin(&guarded_contexts, context);
    session->context = context;
    session->binding = binding_of(context, slots_handle_of(&guarded_sessions, session).name);
    session->binding.identity = *identity;
    memset(identity, 0, sizeof(*identity));

    MI_Result result = MI_RESULT_OK;
    if (guard_bind(&session->binding, call_site, &refusal)) {
        result = ask_host(context, session, call_site);
        if (result == MI_RESULT_OK && !enlist(context, &session)) {
            guard_refuse_handle(OPERATION_GET_LOCAL_SESSION, SLOTS_STALE, context->id, call_site,
                                &refusal);
            result = refused_result(&refusal);
        }
    } else {
        result = refuse_session(context, &refusal);
    }
    if (result != MI_RESULT_OK) {
        slots_release(&guarded_sessions, session);
        return result;
    }
    *ret_session = session;
    return MI_RESULT_OK;
}

/* The session, pinned, in *ret_session; it is set only with OK. */
static MI_Result session_for_thread(struct guarded_context *context, const void *call_site,
                                    struct guarded_session **ret_session)
{
    struct miguard_identity identity;

    /* The gate first, which may set no_new_privs; then the identity. */
    enum miguard_status status = guard_close_thread(context->guard);
    if (status == MIGUARD_OK) {
        *ret_session = session_by_check(context);
        if (*ret_session != NULL) {
            guard_given_again(&(*ret_session)->binding);
            return MI_RESULT_OK;
        }
        status = identity_capture(&identity, NULL);
    }
    if (status != MIGUARD_OK) {
        return open_failed(context, status, call_site);
    }
    MI_Result result = MI_RESULT_OK;
    *ret_session = lookup_session(context, &identity);
    if (*ret_session == NULL) {
        result = open_session(context, &identity, call_site, ret_session);
    } else {
        guard_given_again(&(*ret_session)->binding);
    }
    identity_release(&identity);
    return result;
}

MI_Result guarded_context_get_local_session(const MI_Context *pub, MI_Session *ret_session,
                                            const void *call_site)
{
    struct guarded_context *context ON_LEAVING(unpin_context) = NULL;
    struct guarded_session *session = NULL;
    struct refusal refusal;

    switch_settle(); /* else the session would be bound to an identity that a callback left */
    if (ret_session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(ret_session, 0, sizeof(*ret_session));
    enum slots_verdict verdict = guarded_context_acquire(pub, &context);
    if (verdict != SLOTS_OK) {
        guard_refuse_handle(OPERATION_GET_LOCAL_SESSION, verdict, space_name(pub), call_site,
                            &refusal);
        return refused_result(&refusal);
    }
    MI_Result result = session_for_thread(context, call_site, &session);
    if (result == MI_RESULT_OK) {
        *ret_session = guarded_session_public(session);
        slots_release(&guarded_sessions, session);
    }
    return result;
}

MI_Result miguard_get_local_session(const MI_Context *context, MI_Session *ret_session)
{
    ENTRY_UNCANCELLED;
    return guarded_context_get_local_session(context, ret_session, __builtin_return_address(0));
}

/* ---- MI_ContextFT --------------------------------------------------------------------------- */

/* Answered by the guard, as is guarded_get_lifecycle(); all other slots reach the host. */
static MI_Result MI_CALL guarded_get_local_session(const MI_Context *context, MI_Session *session)
{
    ENTRY_UNCANCELLED;
    return guarded_context_get_local_session(context, session, __builtin_return_address(0));
}

/* A callback of the provider unwound the end of a context: the host still gets its final result.
 * NULL: nothing is owed, or the post was made. */
static void post_failure(struct guarded_context *const *context)
{
    const struct final_post failure = {.kind = FINAL_RESULT, .code = MI_RESULT_FAILED};

    if (*context != NULL) {
        (void)final_post(*context, &failure);
    }
}

/* The guarded context ends first, so that no part of it outlives the host's context. The host's
 * post comes last and only from the one call that ended the context; a second final post is refused
 * as stale. */
static MI_Result end_with(struct guarded_context *guarded, const struct final_post *final,
                          const MI_Context *context, const void *call_site)
{
    struct guarded_context *owed ON_LEAVING(post_failure) = guarded;

    bool ended = end_context(guarded);
    owed = NULL;
    return ended ? final_post(guarded, final) : refuse_context(context, SLOTS_STALE, call_site);
}

/* A final post: what it says. */
#define FINAL(Slot, PARAMETERS, ...)                                                               \
    static MI_Result MI_CALL guarded_##Slot PARAMETERS                                             \
    {                                                                                              \
        ENTRY_UNCANCELLED;                                                                         \
        struct guarded_context *guarded ON_LEAVING(unpin_context) = NULL;                          \
        enum slots_verdict verdict = guarded_context_acquire(context, &guarded);                   \
        const struct final_post final = {__VA_ARGS__};                                             \
        return verdict == SLOTS_OK                                                                 \
                   ? end_with(guarded, &final, context, __builtin_return_address(0))               \
                   : refuse_context(context, verdict, __builtin_return_address(0));                \
    }

/* Every other slot is answered by the host on its own context; NOT_SUPPORTED where the host has no
 * such slot. For a context that has ended, `end` clears the outputs: a caller that does not check
 * the result must not use what was there before. `before` comes ahead of the host's function. */
#define FORWARD_AFTER(before, Slot, PARAMETERS, ARGUMENTS, end)                                    \
    static MI_Result MI_CALL guarded_##Slot PARAMETERS                                             \
    {                                                                                              \
        ENTRY_UNCANCELLED;                                                                         \
        struct guarded_context *guarded ON_LEAVING(unpin_context) = NULL;                          \
        struct guarded_context *called ON_LEAVING(final_post_leave_call) = NULL;                   \
        enum slots_verdict verdict = guarded_context_acquire(context, &guarded);                   \
        if (verdict != SLOTS_OK || !final_post_begin_call(guarded)) {                              \
            end;                                                                                   \
            return refuse_context(context, verdict != SLOTS_OK ? verdict : SLOTS_STALE,            \
                                  __builtin_return_address(0));                                    \
        }                                                                                          \
        called = guarded;                                                                          \
        MI_Context *host = guarded->host;                                                          \
        __auto_type function = host->ft->Slot;                                                     \
        if (function == NULL) {                                                                    \
            end;                                                                                   \
            return MI_RESULT_NOT_SUPPORTED;                                                        \
        }                                                                                          \
        before;                                                                                    \
        return function ARGUMENTS;                                                                 \
    }
#define FORWARD(Slot, PARAMETERS, ARGUMENTS, end)                                                  \
    FORWARD_AFTER((void)0, Slot, PARAMETERS, ARGUMENTS, end)

/* A question waits for the client, who may wait for the end of the request: the final post does not
 * wait for its answer. */
#define FORWARD_QUESTION(Slot, PARAMETERS, ARGUMENTS, end)                                         \
    FORWARD_AFTER((final_post_leave_call(&called), called = NULL), Slot, PARAMETERS, ARGUMENTS, end)

/* What FORWARD does with the outputs of a call on a context that has ended. */
#define NO_OUTPUT          (void)0
#define OUTPUT(out, value) ((out) != NULL ? (void)(*(out) = (value)) : (void)0)

/* The three posts that end a request. */
FINAL(PostResult, (MI_Context * context, MI_Result code), .kind = FINAL_RESULT,
      .code = (MI_Uint32)code)
FINAL(PostError,
      (MI_Context * context, MI_Uint32 code, const MI_Char *type, const MI_Char *message),
      .kind = FINAL_ERROR, .code = code, .type = type, .message = message)
FINAL(PostCimError, (MI_Context * context, const MI_Instance *error), .kind = FINAL_CIM_ERROR,
      .error = error)

/* In the order of the table in MI.h. Canceled answers true for a context that has ended, so that a
 * loop of the provider stops. */
FORWARD(PostInstance, (MI_Context * context, const MI_Instance *instance), (host, instance),
        NO_OUTPUT)
FORWARD(PostIndication,
        (MI_Context * context, const MI_Instance *indication, MI_Uint32 count,
         const MI_Char *bookmark),
        (host, indication, count, bookmark), NO_OUTPUT)
FORWARD(ConstructInstance, (MI_Context * context, const MI_ClassDecl *decl, MI_Instance *instance),
        (host, decl, instance), NO_OUTPUT)
FORWARD(ConstructParameters,
        (MI_Context * context, const MI_MethodDecl *decl, MI_Instance *instance),
        (host, decl, instance), NO_OUTPUT)
FORWARD(NewInstance, (MI_Context * context, const MI_ClassDecl *decl, MI_Instance **instance),
        (host, decl, instance), OUTPUT(instance, NULL))
FORWARD(NewDynamicInstance,
        (MI_Context * context, const MI_Char *class_name, MI_Uint32 flags, MI_Instance **instance),
        (host, class_name, flags, instance), OUTPUT(instance, NULL))
FORWARD(NewParameters, (MI_Context * context, const MI_MethodDecl *decl, MI_Instance **instance),
        (host, decl, instance), OUTPUT(instance, NULL))
FORWARD(Canceled, (const MI_Context *context, MI_Boolean *flag), (host, flag),
        OUTPUT(flag, MI_TRUE))
FORWARD(GetLocale, (const MI_Context *context, MI_LocaleType type, MI_Char *locale),
        (host, type, locale), OUTPUT(locale, '\0'))
FORWARD(RegisterCancel, (MI_Context * context, MI_CancelCallback callback, void *data),
        (host, callback, data), NO_OUTPUT)
FORWARD(RequestUnload, (MI_Context * context), (host), NO_OUTPUT)
FORWARD(RefuseUnload, (MI_Context * context), (host), NO_OUTPUT)
FORWARD(SetStringOption, (MI_Context * context, const MI_Char *name, const MI_Char *value),
        (host, name, value), NO_OUTPUT)
FORWARD(GetStringOption, (MI_Context * context, const MI_Char *name, const MI_Char **value),
        (host, name, value), OUTPUT(value, NULL))
FORWARD(GetNumberOption, (MI_Context * context, const MI_Char *name, MI_Uint32 *value),
        (host, name, value), OUTPUT(value, 0))
FORWARD(GetCustomOption,
        (MI_Context * context, const MI_Char *name, MI_Type *type, MI_Value *value),
        (host, name, type, value), NO_OUTPUT)
FORWARD(GetCustomOptionCount, (MI_Context * context, MI_Uint32 *count), (host, count),
        OUTPUT(count, 0))
FORWARD(GetCustomOptionAt,
        (MI_Context * context, MI_Uint32 index, const MI_Char **name, MI_Type *type,
         MI_Value *value),
        (host, index, name, type, value), OUTPUT(name, NULL))
FORWARD(WriteMessage, (MI_Context * context, MI_Uint32 channel, const MI_Char *message),
        (host, channel, message), NO_OUTPUT)
FORWARD(WriteProgress,
        (MI_Context * context, const MI_Char *activity, const MI_Char *current,
         const MI_Char *status, MI_Uint32 percent, MI_Uint32 seconds),
        (host, activity, current, status, percent, seconds), NO_OUTPUT)
FORWARD(WriteStreamParameter,
        (MI_Context * context, const MI_Char *name, const MI_Value *value, MI_Type type,
         MI_Uint32 flags),
        (host, name, value, type, flags), NO_OUTPUT)
FORWARD_QUESTION(WriteCimError, (MI_Context * context, const MI_Instance *error, MI_Boolean *flag),
                 (host, error, flag), OUTPUT(flag, MI_FALSE))
FORWARD_QUESTION(PromptUser,
                 (MI_Context * context, const MI_Char *message, MI_PromptType type,
                  MI_Boolean *flag),
                 (host, message, type, flag), OUTPUT(flag, MI_FALSE))
FORWARD_QUESTION(ShouldProcess,
                 (MI_Context * context, const MI_Char *target, const MI_Char *action,
                  MI_Boolean *flag),
                 (host, target, action, flag), OUTPUT(flag, MI_FALSE))
FORWARD_QUESTION(ShouldContinue, (MI_Context * context, const MI_Char *message, MI_Boolean *flag),
                 (host, message, flag), OUTPUT(flag, MI_FALSE))
FORWARD_QUESTION(WriteError,
                 (MI_Context * context, MI_Uint32 code, const MI_Char *type, const MI_Char *message,
                  MI_Boolean *flag),
                 (host, code, type, message, flag), OUTPUT(flag, MI_FALSE))

/* A host of version 1.0 has no such slot, and the length of its table is unknown: the host of a
 * wrapped module says its version, and others are taken for the older one. The object that a host
 * gives has no session, and is the provider's from then on. */
static MI_Result MI_CALL guarded_get_lifecycle(const MI_Context *context,
                                               MI_LifecycleIndicationContext **lifecycle)
{
    ENTRY_UNCANCELLED;
    struct guarded_context *guarded ON_LEAVING(unpin_context) = NULL;
    struct guarded_context *called ON_LEAVING(final_post_leave_call) = NULL;

    OUTPUT(lifecycle, NULL);
    if (lifecycle == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    enum slots_verdict verdict = guarded_context_acquire(context, &guarded);
    if (verdict != SLOTS_OK || !final_post_begin_call(guarded)) {
        return refuse_context(context, verdict != SLOTS_OK ? verdict : SLOTS_STALE,
                              __builtin_return_address(0));
    }
    called = guarded;
    if (!guarded->has_lifecycle || guarded->host->ft->GetLifecycleIndicationContext == NULL) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    return guarded->host->ft->GetLifecycleIndicationContext(guarded->host, lifecycle);
}

/* What a module of a later minor version may find behind the last slot that is known here. */
static MI_Result MI_CALL guarded_later_slot(const MI_Context *context)
{
    (void)context;
    return MI_RESULT_NOT_SUPPORTED;
}

/* Every slot is set. This table's address is what all addresses of contexts hold
 * (context_space.h). */
#define LATER_2 guarded_later_slot, guarded_later_slot
#define LATER_8 LATER_2, LATER_2, LATER_2, LATER_2
static const struct context_table guarded_context_table = {
    .known =
        {
            .PostResult = guarded_PostResult,
            .PostInstance = guarded_PostInstance,
            .PostIndication = guarded_PostIndication,
            .ConstructInstance = guarded_ConstructInstance,
            .ConstructParameters = guarded_ConstructParameters,
            .NewInstance = guarded_NewInstance,
            .NewDynamicInstance = guarded_NewDynamicInstance,
            .NewParameters = guarded_NewParameters,
            .Canceled = guarded_Canceled,
            .GetLocale = guarded_GetLocale,
            .RegisterCancel = guarded_RegisterCancel,
            .RequestUnload = guarded_RequestUnload,
            .RefuseUnload = guarded_RefuseUnload,
            .GetLocalSession = guarded_get_local_session,
            .SetStringOption = guarded_SetStringOption,
            .GetStringOption = guarded_GetStringOption,
            .GetNumberOption = guarded_GetNumberOption,
            .GetCustomOption = guarded_GetCustomOption,
            .GetCustomOptionCount = guarded_GetCustomOptionCount,
            .GetCustomOptionAt = guarded_GetCustomOptionAt,
            .WriteMessage = guarded_WriteMessage,
            .WriteProgress = guarded_WriteProgress,
            .WriteStreamParameter = guarded_WriteStreamParameter,
            .WriteCimError = guarded_WriteCimError,
            .PromptUser = guarded_PromptUser,
            .ShouldProcess = guarded_ShouldProcess,
            .ShouldContinue = guarded_ShouldContinue,
            .PostError = guarded_PostError,
            .PostCimError = guarded_PostCimError,
            .WriteError = guarded_WriteError,
            .GetLifecycleIndicationContext = guarded_get_lifecycle,
        },
    .later = {LATER_8, LATER_8, LATER_8, LATER_8}};
