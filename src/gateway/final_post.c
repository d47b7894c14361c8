/* SPDX-License-Identifier: MIT */
/*
 * The final post of a context, and the calls that it must not overtake.
 *
 * A host may destroy its context within the final post (OMI overwrites it there), while another
 * thread of the provider still posts an instance. That is the provider's mistake, but the guard
 * would be what reads the freed memory. So calls of the host's context are counted, and the final
 * post is made by the last one of them to return, if any is under way; none begins after it. The
 * thread that posts never waits: a call may be held up until that thread has gone on.
 *
 * The context of EnableIndications ends with the final post of another one, which waits for its
 * calls likewise.
 *
 * What a late final post says is copied. Without memory for that it says FAILED.
 */
#include <string.h>

#include "base/alloc.h"
#include "gateway/gateway.h"

bool final_post_begin_call(struct guarded_context *context)
{
    unsigned before = atomic_load(&context->host_calls);

    do {
        if ((before & CONTEXT_POSTED) != 0) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&context->host_calls, &before, before + 1));
    return true;
}

/* A result that passes a refusal on goes with its sentence, which names what differs, the rule and
 * the record, and no value of the bound identity. The context has ended: its refusal stays. */
static MI_Result post_result(const struct guarded_context *guarded, MI_Context *host,
                             MI_Result code)
{
    if (guarded->refused != NULL && guarded->refused_as == code && host->ft->PostError != NULL) {
        return host->ft->PostError(host, (MI_Uint32)code, MI_RESULT_TYPE_MI, guarded->refused);
    }
    return host->ft->PostResult(host, code);
}

/* The host's context may be gone when this returns. A host without the slot gets a result. */
static MI_Result post(const struct guarded_context *context, const struct final_post *final)
{
    MI_Context *host = context->host;

    if (final->kind == FINAL_ERROR && host->ft->PostError != NULL) {
        return host->ft->PostError(host, final->code, final->type, final->message);
    }
    if (final->kind == FINAL_CIM_ERROR && host->ft->PostCimError != NULL) {
        return host->ft->PostCimError(host, final->error);
    }
    return post_result(context, host,
                       final->kind == FINAL_RESULT ? (MI_Result) final->code : MI_RESULT_FAILED);
}

/* ---- a copy for later ------------------------------------------------------------------------ */

static void release_copy(const struct final_post *copy)
{
    base_free(copy->own_type);
    base_free(copy->own_message);
    if (copy->own_error != NULL) {
        (void)MI_Instance_Delete(copy->own_error);
    }
}

static bool copy_text(char **ret_copy, const char *text)
{
    *ret_copy = text != NULL ? base_copy_text(text) : NULL;
    return text == NULL || *ret_copy != NULL;
}

static struct final_post copy_of(const struct final_post *final)
{
    struct final_post copy = {.kind = final->kind, .code = final->code};
    bool whole = copy_text(&copy.own_type, final->type);

    whole = copy_text(&copy.own_message, final->message) && whole;
    if (final->error != NULL) {
        whole = MI_Instance_Clone(final->error, &copy.own_error) == MI_RESULT_OK && whole;
    }
    if (!whole) {
        release_copy(&copy);
        return (struct final_post){.kind = FINAL_RESULT, .code = MI_RESULT_FAILED};
    }
    copy.type = copy.own_type;
    copy.message = copy.own_message;
    copy.error = copy.own_error;
    return copy;
}

/* The one that waited for this one need not any more. */
static void release_held(struct guarded_context *context)
{
    struct guarded_context *held = context->holds;

    if (held != NULL) {
        final_post_end_call(held);
        guarded_context_release(held);
    }
}

static MI_Result post_kept(struct guarded_context *context)
{
    const struct final_post kept = context->final;

    MI_Result answer = post(context, &kept);
    release_copy(&kept);
    return answer;
}

void final_post_end_call(struct guarded_context *context)
{
    unsigned before = atomic_fetch_sub(&context->host_calls, 1);

    if (before != (CONTEXT_POSTED | 1U)) {
        return;
    }
    if (context->final.kind == FINAL_NONE) {
        release_held(context);
    } else {
        (void)post_kept(context);
    }
}

void final_post_leave_call(struct guarded_context *const *context)
{
    if (*context != NULL) {
        final_post_end_call(*context);
    }
}

void final_post_none(struct guarded_context *context, struct guarded_context *holds)
{
    if (holds != NULL && final_post_begin_call(holds)) {
        slots_pin(&guarded_contexts, holds);
        context->holds = holds;
    }
    if (atomic_fetch_or(&context->host_calls, CONTEXT_POSTED) == 0) {
        release_held(context);
    }
}

MI_Result final_post(struct guarded_context *context, const struct final_post *final)
{
    unsigned none = 0;

    if (atomic_compare_exchange_strong(&context->host_calls, &none, CONTEXT_POSTED)) {
        return post(context, final);
    }
    context->final = copy_of(final);
    unsigned before = atomic_fetch_or(&context->host_calls, CONTEXT_POSTED);
    return before == 0 ? post_kept(context) : MI_RESULT_OK;
}
