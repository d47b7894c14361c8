/* SPDX-License-Identifier: MIT */
/*
 * The tables of the gateway's objects: how each is destroyed, its public handle, and what is asked
 * of the host's own.
 *
 * Each destroy function runs when the last pin of a retired object is released, on the thread that
 * releases it, and without the table's lock.
 */
#include "gateway/objects.h"

#include "base/alloc.h"
#include "gateway/context_space.h"
#include "gateway/gateway.h"
#include "miguard.h"

/* A context holds the guard of the process as long as it lives. */
static void destroy_context(void *object)
{
    struct guarded_context *context = object;

    pthread_mutex_destroy(&context->lock);
    base_free(context->refused);
    session_index_release(&context->index);
    if (context->ends_with != NULL) {
        guarded_context_release(context->ends_with);
    }
    guard_leave(context->guard);
}

/* The host's local session is not closed: it ends with the host's context
 * (MI_Context_GetLocalSession). */
static void destroy_session(void *object)
{
    struct guarded_session *session = object;

    binding_release(&session->binding);
    guarded_context_release(session->context);
}

/* The host's operation has been closed by then, or left to the host (left_open.c). */
static void destroy_operation(void *object)
{
    struct guarded_operation *operation = object;

    slots_release(&guarded_sessions, operation->session);
}

/* Contexts are bounded by their addresses, the others by a number at one time. */
struct slots guarded_contexts = SLOTS_INIT_BOUNDED(sizeof(struct guarded_context), destroy_context,
                                                   MIGUARD_MAX_CONTEXTS, SPACE_GENERATIONS);
struct slots guarded_sessions =
    SLOTS_INIT(sizeof(struct guarded_session), destroy_session, MIGUARD_MAX_SESSIONS);
struct slots guarded_operations =
    SLOTS_INIT(sizeof(struct guarded_operation), destroy_operation, MIGUARD_MAX_OPERATIONS);

void guarded_context_release(struct guarded_context *context)
{
    slots_release(&guarded_contexts, context);
}

/* Without memory the client gets the result alone. */
void guarded_context_note_refusal(struct guarded_context *context, const struct refusal *refusal)
{
    char sentence[REFUSAL_SENTENCE];

    refusal_sentence(refusal, sentence, sizeof(sentence));
    char *kept = base_copy_text(sentence);
    pthread_mutex_lock(&context->lock);
    if (!context->ended) { /* else its final post may be reading */
        char *before = context->refused;
        context->refused = kept;
        context->refused_as = refused_result(refusal);
        kept = before;
    }
    pthread_mutex_unlock(&context->lock);
    base_free(kept);
}

MI_Session guarded_session_public(const struct guarded_session *session)
{
    struct slots_handle handle = slots_handle_named(&guarded_sessions, session->binding.session_id);
    return (MI_Session){handle.name, (ptrdiff_t)handle.check, &guarded_session_ft};
}

MI_Operation guarded_operation_public(const struct guarded_operation *operation)
{
    struct slots_handle handle = slots_handle_named(&guarded_operations, operation->id);
    return (MI_Operation){handle.name, (ptrdiff_t)handle.check, &guarded_operation_ft};
}

/* Which Get* belongs to an operation, by the call that started it. */
enum result_kind guarded_operation_kind(const struct guarded_operation *operation)
{
    switch (operation->started_by) {
    case OPERATION_SUBSCRIBE:
        return RESULT_INDICATION;
    case OPERATION_GET_CLASS:
    case OPERATION_ENUMERATE_CLASSES:
        return RESULT_CLASS;
    default:
        return RESULT_INSTANCE;
    }
}

MI_Result guarded_operation_ask(struct guarded_operation *operation, enum result_kind kind,
                                struct guarded_result *result)
{
    MI_Operation *inner = &operation->inner;
    switch (kind) {
    case RESULT_INSTANCE:
        return MI_Operation_GetInstance(inner, &result->instance, &result->more, &result->result,
                                        &result->message, &result->details);
    case RESULT_INDICATION:
        return MI_Operation_GetIndication(inner, &result->instance, &result->bookmark,
                                          &result->machine_id, &result->more, &result->result,
                                          &result->message, &result->details);
    case RESULT_CLASS:
        return MI_Operation_GetClass(inner, &result->class_object, &result->more, &result->result,
                                     &result->message, &result->details);
    }
    return MI_RESULT_INVALID_PARAMETER;
}

void guarded_operation_unlist(struct guarded_operation *operation)
{
    pthread_mutex_t *lock = &operation->session->context->lock;

    pthread_mutex_lock(lock);
    if (operation->link != NULL) {
        *operation->link = operation->next;
        if (operation->next != NULL) {
            operation->next->link = operation->link;
        }
        operation->link = NULL;
    }
    pthread_mutex_unlock(lock);
}

struct guard_call guarded_operation_call(const struct guarded_operation *operation,
                                         enum operation used, const void *call_site)
{
    return (struct guard_call){.operation = used,
                               .binding = &operation->session->binding,
                               .operation_id = operation->id,
                               .names = &operation->names,
                               .keys = &operation->keys,
                               .call_site = call_site};
}
