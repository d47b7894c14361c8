/* SPDX-License-Identifier: MIT */
/*
 * The client of a request, for providers: miguard_context_client().
 *
 * MI has no function for it, and the custom options of a request are what its client wrote: they
 * prove nothing. So a host, or the program that embeds one, registers the function that knows
 * (miguard_set_client_source()). Without it nothing is known, and the host's own identity, under
 * which a provider runs, is never given in its place.
 *
 * The order: the context must be alive, the policy is asked, then the host, and then the policy
 * again for the record of what is given out.
 */
#include <string.h>

#include "base/error.h"
#include "base/fork.h"
#include "gateway/context_space.h"
#include "gateway/gateway.h"
#include "switch/target.h"

/* Who knows. Read under the lock, called without it. */
static struct client_source {
    miguard_client_source function; /* NULL: nothing is known */
    void *data;
} source;

static pthread_mutex_t source_lock = PTHREAD_MUTEX_INITIALIZER;

FORK_OWNER(source_owner, .rank = FORK_CLIENT_SOURCE, .lock = &source_lock);

void miguard_set_client_source(miguard_client_source function, void *data)
{
    ENTRY_UNCANCELLED;

    pthread_mutex_lock(&source_lock);
    source = (struct client_source){function, data};
    pthread_mutex_unlock(&source_lock);
}

/* ---- the host's answer ------------------------------------------------------------------------
 */

/* An answer of the host's code, which may have written no error, or a target without an OK. */
static enum miguard_status ask_source(const MI_Context *host, struct miguard_target **ret_target,
                                      struct miguard_error *reterr)
{
    struct miguard_error error = {.status = MIGUARD_OK};

    pthread_mutex_lock(&source_lock);
    const struct client_source asked = source;
    pthread_mutex_unlock(&source_lock);
    if (asked.function == NULL) {
        return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "client",
                         "this host does not say who its clients are; what a request says of "
                         "itself proves nothing");
    }
    enum miguard_status status = asked.function(asked.data, host, ret_target, &error);
    if (status == MIGUARD_OK && *ret_target != NULL) {
        return MIGUARD_OK;
    }
    *ret_target = NULL;
    if (status == MIGUARD_OK || error.status != status) {
        return error_set(reterr, status == MIGUARD_OK ? MIGUARD_NOT_SUPPORTED : status, 0, "client",
                         "the host does not say who the client of this request is");
    }
    if (reterr != NULL) {
        *reterr = error;
    }
    return status;
}

/* For ON_LEAVING: releases the pin, if there was one. */
static void unpin_context(struct guarded_context *const *context)
{
    if (*context != NULL) {
        guarded_context_release(*context);
    }
}

/* For ON_LEAVING: frees a target that is not given out. */
static void drop_target(struct miguard_target *const *target)
{
    miguard_target_free(*target);
}

/* A context that has ended, or never was one; recorded as for sessions. */
static enum miguard_status refuse_context(const MI_Context *context, enum slots_verdict verdict,
                                          const void *call_site, struct miguard_error *reterr)
{
    struct refusal refusal;

    guard_refuse_handle(OPERATION_CONTEXT_CALL, verdict, space_name(context), call_site, &refusal);
    return error_set(reterr, MIGUARD_BAD_HANDLE, 0, "client", "%s",
                     audit_reasons[refusal.reason].text);
}

/*
 * Asks about the host's own context behind the guard, or behind several (context_index.c). While
 * the host answers, another thread may post the final result, which then waits for the answer
 * (final_post.c); but that is not given any more.
 */
static enum miguard_status ask_behind(const MI_Context *context, const void *call_site,
                                      struct miguard_target **ret_target,
                                      struct miguard_error *reterr)
{
    struct guarded_context *guarded ON_LEAVING(unpin_context) = NULL;
    struct guarded_context *called ON_LEAVING(final_post_leave_call) = NULL;
    struct miguard_target *target ON_LEAVING(drop_target) = NULL;

    if (!guarded_context_form(context)) {
        return ask_source(context, ret_target, reterr);
    }
    enum slots_verdict verdict = guarded_context_acquire(context, &guarded);
    if (verdict != SLOTS_OK || !final_post_begin_call(guarded)) {
        return refuse_context(context, verdict != SLOTS_OK ? verdict : SLOTS_STALE, call_site,
                              reterr);
    }
    called = guarded;
    enum miguard_status status = ask_behind(guarded->host, call_site, &target, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    if (guarded_context_has_ended(guarded)) {
        return refuse_context(context, SLOTS_STALE, call_site, reterr);
    }
    *ret_target = target;
    target = NULL;
    return MIGUARD_OK;
}

/* ---- the policy's -----------------------------------------------------------------------------
 */

static enum miguard_status refuse_by_policy(const struct refusal *refusal,
                                            struct miguard_error *reterr)
{
    const char *id = refusal->decision_id;

    return error_set(reterr, MIGUARD_DENIED, 0, "client", "%s (%s, %.48s)%s%s",
                     audit_reasons[refusal->reason].text, refusal->rule, refusal->source,
                     id[0] != '\0' ? "; record " : "", id);
}

/* Asks the policy about a target that is about to be given out, and marks what it may be used for.
 * The record has the client as this thread would be it. */
static enum miguard_status release_to(const struct guard_client *asked,
                                      struct miguard_target *target, struct miguard_error *reterr)
{
    struct guard_client given = *asked;
    struct miguard_identity thread, client;
    enum draft_may may;
    struct refusal refusal;

    given.given = true;
    given.peer = target->peer;
    bool captured = identity_capture_to_record(&thread) == MIGUARD_OK;
    if (captured) {
        client = target_expected(target, &thread);
        given.client = &client;
    }
    bool allowed = guard_client(&given, &may, &refusal);
    if (captured) {
        identity_release(&thread);
    }
    if (!allowed) {
        return refuse_by_policy(&refusal, reterr);
    }
    target->identify_only = target->identify_only || may != DRAFT_MAY_IMPERSONATE;
    return MIGUARD_OK;
}

/* A provider that may do nothing with its client never has the host asked. */
static enum miguard_status client_of(const MI_Context *context, const struct guard_client *asked,
                                     struct miguard_target **ret_target,
                                     struct miguard_error *reterr)
{
    struct miguard_target *target ON_LEAVING(drop_target) = NULL;
    enum draft_may may;
    struct refusal refusal;

    if (!guard_client(asked, &may, &refusal)) {
        return refuse_by_policy(&refusal, reterr);
    }
    enum miguard_status status = ask_behind(context, asked->call_site, &target, reterr);
    if (status == MIGUARD_OK) {
        status = release_to(asked, target, reterr);
    }
    if (status == MIGUARD_OK) {
        *ret_target = target;
        target = NULL;
    }
    return status;
}

/* ---- the function -----------------------------------------------------------------------------
 */

/* For ON_LEAVING. */
static void leave_guard(struct guard *const *guard)
{
    guard_leave(*guard);
}

/* The host's own context: which provider asks is not known, and the policy is asked about a
 * provider without a name. */
static enum miguard_status client_unguarded(const MI_Context *context, const void *call_site,
                                            struct miguard_target **ret_target,
                                            struct miguard_error *reterr)
{
    struct guard *guard ON_LEAVING(leave_guard) = guard_enter();
    const struct guard_client asked = {.guard = guard, .provider = "", .call_site = call_site};

    return client_of(context, &asked, ret_target, reterr);
}

enum miguard_status miguard_context_client(const MI_Context *context,
                                           struct miguard_target **ret_target,
                                           struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    struct guarded_context *guarded ON_LEAVING(unpin_context) = NULL;
    const void *call_site = __builtin_return_address(0);

    switch_settle();
    if (ret_target != NULL) {
        *ret_target = NULL;
    }
    if (context == NULL || ret_target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "client",
                         "context or ret_target is NULL");
    }
    if (!guarded_context_form(context)) {
        return client_unguarded(context, call_site, ret_target, reterr);
    }
    enum slots_verdict verdict = guarded_context_acquire(context, &guarded);
    if (verdict != SLOTS_OK) {
        return refuse_context(context, verdict, call_site, reterr);
    }
    const struct guard_client asked = {.guard = guarded->guard,
                                       .provider = guarded->provider,
                                       .context_id = guarded->id,
                                       .call_site = call_site};
    return client_of(context, &asked, ret_target, reterr);
}
