/* SPDX-License-Identifier: MIT */
/*
 * The decision: identity, then policy, then record. A call goes on only through the one `return
 * true` of conclude(); whatever is not proved ends in a refusal.
 */
#include <string.h>
#include <sys/single_threaded.h>

#include "gateway/gateway.h"

static struct audit_event event_of(const struct guard_call *call, enum audit_action action)
{
    const struct guarded_session *session = call->session;
    return (struct audit_event){
        .action = action,
        .operation = call->operation,
        .provider = session->context->provider,
        .name_space = call->name_space,
        .class_name = call->class_name,
        .context_id = session->context->id,
        .session_id = session->id,
        .operation_id = call->on != NULL ? call->on->id : 0,
        .bound = &session->identity,
        .call_site = call->call_site,
    };
}

static enum audit_reason reason_of(enum miguard_status status)
{
    switch (status) {
    case MIGUARD_TORN:
        return AUDIT_REASON_IDENTITY_TORN;
    case MIGUARD_UNPROVABLE:
        return AUDIT_REASON_IDENTITY_UNPROVABLE;
    default:
        return AUDIT_REASON_IDENTITY_UNREADABLE;
    }
}

/* Writes the record with the thread's present identity in it. False when there is no record. */
static bool record(struct audit *audit, struct audit_event *event)
{
    struct miguard_identity current;

    if (audit == NULL) {
        return false;
    }
    bool captured = identity_capture(&current, NULL) == MIGUARD_OK;
    event->current = captured ? &current : NULL;
    bool written = audit_write(audit, event) == MIGUARD_OK;
    event->current = NULL;
    if (captured) {
        identity_release(&current);
    }
    return written;
}

/* Turns a verdict into an answer. event says what happened but not yet how it ended. */
static bool conclude(struct gateway *gateway, const struct policy_verdict *verdict,
                     struct audit_event *event, struct refusal *ret_refusal)
{
    bool allowed = verdict->decision == POLICY_ALLOW;

    event->denied = !allowed;
    event->would_deny = verdict->would_deny;
    event->rule = verdict->rule;
    event->rule_source = verdict->source;
    if (verdict->recorded && !record(gateway->audit, event) && verdict->audit_failure_denies &&
        allowed) {
        event->reason = AUDIT_REASON_AUDIT_FAILED;
        allowed = false;
    }
    if (allowed) {
        return true;
    }
    *ret_refusal = (struct refusal){MI_RESULT_ACCESS_DENIED, event->reason, event->mismatch};
    return false;
}

static bool decide(const struct guard_call *call, miguard_components mismatch,
                   miguard_components unreadable, struct refusal *ret_refusal)
{
    struct gateway *gateway = call->session->context->gateway;
    const struct policy_call question = {
        .operation = call->operation,
        .opened_as = &call->session->identity,
        .mismatch = mismatch,
        .provider = call->session->context->provider,
        .name_space = call->name_space,
        .class_name = call->class_name,
    };
    struct policy_verdict verdict = policy_decide(gateway->policy, &question);

    if (unreadable != 0) {
        /* Invariant 4 is above any rule: nobody can have meant to allow what nobody could see. */
        verdict.decision = POLICY_DENY;
        verdict.would_deny = false;
        verdict.recorded = true;
    }
    if (verdict.decision == POLICY_ALLOW && !verdict.recorded) {
        return true;
    }
    struct audit_event event = event_of(call, AUDIT_ACTION_SESSION_USE);
    event.mismatch = mismatch;
    event.unreadable = unreadable;
    event.reason = unreadable != 0 ? AUDIT_REASON_IDENTITY_UNREADABLE
                   : mismatch != 0 ? AUDIT_REASON_IDENTITY_MISMATCH
                                   : AUDIT_REASON_POLICY;
    return conclude(gateway, &verdict, &event, ret_refusal);
}

bool guard_use(const struct guard_call *call, struct refusal *ret_refusal)
{
    miguard_components unreadable = 0;
    miguard_components mismatch = identity_check(
        &call->session->identity, call->session->context->gateway->policy->compared, &unreadable);
    return decide(call, mismatch, unreadable, ret_refusal);
}

bool guard_use_again(const struct guard_call *call, struct refusal *ret_refusal)
{
    miguard_components unreadable = 0;

    /* Only another thread can have changed this one while it waited. */
    if (__libc_single_threaded) {
        return true;
    }
    miguard_components mismatch = identity_recheck(
        &call->session->identity, call->session->context->gateway->policy->compared, &unreadable);
    return mismatch == 0 || decide(call, mismatch, unreadable, ret_refusal);
}

static struct audit_event open_event(const struct guarded_context *context, uint64_t session_id,
                                     const void *call_site)
{
    return (struct audit_event){
        .action = AUDIT_ACTION_SESSION_OPEN,
        .operation = OPERATION_GET_LOCAL_SESSION,
        .provider = context->provider,
        .context_id = context->id,
        .session_id = session_id,
        .call_site = call_site,
    };
}

bool guard_open(struct guarded_context *context, uint64_t session_id,
                const struct miguard_identity *identity, const void *call_site,
                struct refusal *ret_refusal)
{
    struct gateway *gateway = context->gateway;
    const struct policy_call question = {
        .operation = OPERATION_GET_LOCAL_SESSION,
        .opened_as = identity,
        .provider = context->provider,
    };
    struct policy_verdict verdict = policy_decide(gateway->policy, &question);
    struct audit_event event = open_event(context, session_id, call_site);
    event.bound = identity;
    event.reason =
        verdict.decision == POLICY_DENY ? AUDIT_REASON_POLICY : AUDIT_REASON_IDENTITY_MATCH;
    return conclude(gateway, &verdict, &event, ret_refusal);
}

/* Refusals that no rule can change. The answer is the same with or without a record. */
static void refuse(struct gateway *gateway, struct audit_event *event, MI_Result result,
                   struct refusal *ret_refusal)
{
    event->denied = true;
    event->rule = "built-in";
    event->rule_source = "built-in";
    (void)record(gateway->audit, event);
    *ret_refusal = (struct refusal){result, event->reason, 0};
}

void guard_open_failed(struct guarded_context *context, enum miguard_status why,
                       const void *call_site, struct refusal *ret_refusal)
{
    struct audit_event event = open_event(context, 0, call_site);
    event.reason = reason_of(why);
    event.unreadable = MIGUARD_COMPONENTS_ALL;
    refuse(context->gateway, &event, MI_RESULT_ACCESS_DENIED, ret_refusal);
}

void guard_refuse(const struct guard_call *call, enum audit_action action, enum audit_reason reason,
                  MI_Result result, struct refusal *ret_refusal)
{
    struct audit_event event = event_of(call, action);
    event.reason = reason;
    refuse(call->session->context->gateway, &event, result, ret_refusal);
}

void guard_refuse_handle(enum operation operation, enum slots_verdict verdict, uint64_t handle_name,
                         const void *call_site, struct refusal *ret_refusal)
{
    struct audit_event event = {
        .action = operation == OPERATION_GET_LOCAL_SESSION ? AUDIT_ACTION_SESSION_OPEN
                                                           : AUDIT_ACTION_SESSION_USE,
        .reason = verdict == SLOTS_STALE       ? AUDIT_REASON_HANDLE_STALE
                  : verdict == SLOTS_INHERITED ? AUDIT_REASON_HANDLE_INHERITED
                                               : AUDIT_REASON_HANDLE_FORGED,
        .operation = operation,
        .session_id = handle_name,
        .call_site = call_site,
    };
    struct gateway *gateway = gateway_enter();
    refuse(gateway, &event, MI_RESULT_INVALID_PARAMETER, ret_refusal);
    gateway_leave(gateway);
}

void guard_note_reaped(const struct guarded_operation *operation)
{
    const struct guard_call call = {.operation = operation->started_by,
                                    .session = operation->session,
                                    .on = operation,
                                    .name_space = operation->name_space,
                                    .class_name = operation->class_name};
    struct audit_event event = event_of(&call, AUDIT_ACTION_REAP);
    event.reason = AUDIT_REASON_LEFT_OPEN;
    (void)record(operation->session->context->gateway->audit, &event);
}
