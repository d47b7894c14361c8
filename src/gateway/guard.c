/* SPDX-License-Identifier: MIT */
/*
 * The decision: identity, then policy, then record. A call goes on only through a `return true` of
 * this file; whatever is not proved ends in a refusal.
 */
#include <string.h>

#include "gate/gate.h"
#include "gateway/gateway.h"
#include "switch/switch.h"

static const struct audit_keys *keys_of(const struct guard_call *call)
{
    const struct audit_keys *keys = call->on != NULL ? &call->on->keys : call->keys;

    return keys != NULL && (keys->length > 0 || keys->omitted > 0) ? keys : NULL;
}

static struct audit_event event_of(const struct guard_call *call, enum audit_action action)
{
    const struct guarded_session *session = call->session;
    const struct cim_names *names = call->names;

    return (struct audit_event){
        .action = action,
        .operation = call->operation,
        .kept = true,
        .provider = session->context->provider,
        .name_space = names != NULL ? names->name_space : NULL,
        .class_name = names != NULL ? names->classes[0] : NULL,
        .method = names != NULL ? names->method : NULL,
        .keys = keys_of(call),
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
    case MIGUARD_BAD_STATE: /* of gateway_close_thread() alone */
        return AUDIT_REASON_GATE_FAILED;
    case MIGUARD_NOT_SUPPORTED:
        return AUDIT_REASON_ANOTHER_COPY;
    default:
        return AUDIT_REASON_IDENTITY_UNREADABLE;
    }
}

/* Writes the record; the thread's present identity goes in when it is not there yet. False when
 * there is no record. */
static bool record(struct audit *audit, struct audit_event *event, char ret_id[AUDIT_ID_SIZE])
{
    struct miguard_identity current;
    bool captured = false;

    ret_id[0] = '\0';
    if (audit == NULL) {
        return false;
    }
    if (event->current == NULL) {
        captured = identity_capture_to_record(&current) == MIGUARD_OK;
        event->current = captured ? &current : NULL;
    }
    bool written = audit_write_id(audit, event, ret_id) == MIGUARD_OK;
    if (captured) {
        event->current = NULL;
        identity_release(&current);
    }
    return written;
}

/* Turns a verdict into an answer. event says what happened but not yet how it ended. */
static bool conclude(struct gateway *gateway, const struct policy_verdict *verdict,
                     struct audit_event *event, struct refusal *ret_refusal)
{
    char decision_id[AUDIT_ID_SIZE] = "";
    bool allowed = verdict->decision == POLICY_ALLOW;

    event->denied = !allowed;
    event->would_deny = verdict->would_deny;
    event->rule = verdict->rule;
    event->rule_source = verdict->source;
    event->rule_reason = verdict->reason;
    if (verdict->class_name != NULL) {
        event->class_name = verdict->class_name;
    }
    if (verdict->recorded && !record(gateway->audit, event, decision_id) &&
        verdict->audit_failure_denies && allowed) {
        event->reason = AUDIT_REASON_AUDIT_FAILED;
        allowed = false;
    }
    if (allowed) {
        return true;
    }
    *ret_refusal = (struct refusal){
        .result = MI_RESULT_ACCESS_DENIED, .reason = event->reason, .mismatch = event->mismatch};
    refusal_explain(ret_refusal, verdict->rule, verdict->source, verdict->reason, decision_id);
    return false;
}

/* Refusals that no rule can change. The answer is the same with or without a record. */
static void refuse(struct gateway *gateway, struct audit_event *event, MI_Result result,
                   struct refusal *ret_refusal)
{
    char decision_id[AUDIT_ID_SIZE];

    event->denied = true;
    event->rule = "built-in";
    event->rule_source = "built-in";
    (void)record(gateway->audit, event, decision_id);
    *ret_refusal = (struct refusal){.result = result, .reason = event->reason};
    refusal_explain(ret_refusal, NULL, NULL, NULL, decision_id);
}

/* ---- use ----------------------------------------------------------------------------------- */

static struct policy_call question_of(const struct guard_call *call, miguard_components mismatch)
{
    struct policy_call question = {
        .operation = call->operation,
        .opened_as = &call->session->identity,
        .mismatch = mismatch,
        .provider = call->session->context->provider,
    };
    if (call->names != NULL) {
        policy_call_name(&question, call->names);
    }
    return question;
}

static miguard_components compared(const struct guard_call *call)
{
    return policy_compared(policy_view_policy(call->session->view));
}

/* The way off the fast path: somebody is refused, or the policy wants a record. */
static bool settle(const struct guard_call *call, const struct policy_verdict *verdict,
                   struct audit_event *event, struct refusal *ret_refusal)
{
    if (verdict->revoke && verdict->decision == POLICY_DENY) {
        atomic_store(&call->session->revoked, true);
    }
    return conclude(call->session->context->gateway, verdict, event, ret_refusal);
}

/*
 * Writing a record takes its time: it may wait for the log, for the disk and a moment for a name,
 * and another thread's setuid(3) changes this one meanwhile. Whoever was allowed must still be who
 * the thread is. Not asked where nothing was recorded. The comparison is with whom the decision was
 * about, so it is of all components for one who was let pass by a rule, and of those that the
 * policy compares for the session's own.
 */
static bool is_still(const struct guard_call *call, const struct miguard_identity *decided_on,
                     struct refusal *ret_refusal)
{
    const miguard_components asked =
        decided_on == &call->session->identity ? compared(call) : MIGUARD_COMPONENTS_ALL;

    if (identity_check(decided_on, asked, NULL) == 0) {
        return true;
    }
    guard_refuse(call, AUDIT_ACTION_SESSION_USE, AUDIT_REASON_IDENTITY_TORN,
                 MI_RESULT_ACCESS_DENIED, ret_refusal);
    return false;
}

/* Where the thread last switched on purpose: a mismatch is often a switch that was not undone, or
 * the lack of one. */
static bool read_last_switch(struct audit_last_switch *ret_last)
{
    const struct switch_last last = switch_last();

    ret_last->site = last.site;
    ret_last->time = (int64_t)last.time.tv_sec * 1000000000 + last.time.tv_nsec;
    return last.kind != 0;
}

/* A rule may ask who the thread is now, so that is read in full before the policy is asked. */
static bool decide_mismatch(const struct guard_call *call, miguard_components mismatch,
                            miguard_components unreadable, struct refusal *ret_refusal)
{
    struct policy_call question = question_of(call, mismatch);
    struct audit_event event = event_of(call, AUDIT_ACTION_SESSION_USE);
    struct miguard_identity current;
    struct audit_last_switch last;

    bool captured = identity_capture(&current, NULL) == MIGUARD_OK;
    event.last_switch = read_last_switch(&last) ? &last : NULL;
    question.used_as = captured ? &current : NULL;
    event.current = question.used_as;
    event.mismatch = mismatch;
    event.unreadable = unreadable;
    event.reason =
        unreadable != 0 ? AUDIT_REASON_IDENTITY_UNREADABLE : AUDIT_REASON_IDENTITY_MISMATCH;
    struct policy_verdict verdict = policy_view_decide(call->session->view, &question);
    if (unreadable != 0 || !captured) {
        /* Invariant 4 is above any rule: nobody can have meant to allow what nobody could see. */
        verdict.decision = POLICY_DENY;
        verdict.would_deny = false;
        verdict.recorded = true;
    }
    bool allowed = settle(call, &verdict, &event, ret_refusal) &&
                   is_still(call, question.used_as, ret_refusal);
    if (captured) {
        identity_release(&current);
    }
    return allowed;
}

static bool decide_match(const struct guard_call *call, struct refusal *ret_refusal)
{
    const struct policy_call question = question_of(call, 0);
    struct policy_verdict verdict = policy_view_decide(call->session->view, &question);

    if (verdict.decision == POLICY_ALLOW && !verdict.recorded) {
        return true;
    }
    struct audit_event event = event_of(call, AUDIT_ACTION_SESSION_USE);
    event.reason = verdict.decision == POLICY_ALLOW && !verdict.would_deny
                       ? AUDIT_REASON_IDENTITY_MATCH
                   : verdict.name_invalid ? AUDIT_REASON_NAME_INVALID
                                          : AUDIT_REASON_POLICY;
    return settle(call, &verdict, &event, ret_refusal) &&
           is_still(call, &call->session->identity, ret_refusal);
}

/*
 * A session keeps the policy that it was opened under, unless a newer one would not have opened it:
 * then it is over. Asked once for each new policy.
 */
static bool still_allowed(const struct guard_call *call, struct refusal *ret_refusal)
{
    struct guarded_session *session = call->session;
    struct policy_store *store = &session->context->gateway->store;
    uint64_t generation = store_generation(store);

    if (atomic_load_explicit(&session->generation, memory_order_relaxed) == generation) {
        return true;
    }
    const struct policy *policy = store_get(store);
    if (policy == NULL) { /* cannot be: what was once in force is only ever replaced */
        guard_refuse(call, AUDIT_ACTION_SESSION_USE, AUDIT_REASON_NO_POLICY,
                     MI_RESULT_ACCESS_DENIED, ret_refusal);
        return false;
    }
    struct guard_call open = *call;
    open.operation = OPERATION_GET_LOCAL_SESSION;
    open.names = NULL;
    const struct policy_call question = question_of(&open, 0);
    struct policy_verdict verdict = policy_decide(policy, &question);
    bool allowed = verdict.decision == POLICY_ALLOW;
    if (allowed) {
        atomic_store_explicit(&session->generation, generation, memory_order_relaxed);
    } else {
        struct audit_event event = event_of(call, AUDIT_ACTION_SESSION_USE);
        event.reason = AUDIT_REASON_POLICY;
        atomic_store(&session->revoked, true);
        (void)conclude(session->context->gateway, &verdict, &event, ret_refusal);
    }
    policy_release(policy);
    return allowed;
}

static bool not_revoked(const struct guard_call *call, struct refusal *ret_refusal)
{
    if (!atomic_load_explicit(&call->session->revoked, memory_order_relaxed)) {
        return still_allowed(call, ret_refusal);
    }
    guard_refuse(call, AUDIT_ACTION_SESSION_USE, AUDIT_REASON_SESSION_REVOKED,
                 MI_RESULT_ACCESS_DENIED, ret_refusal);
    return false;
}

/* In what the calling thread differs. That it is the same a gated thread may know already; that it
 * differs is always found out anew. */
static miguard_components check(const struct guard_call *call, miguard_components *ret_unreadable)
{
    const struct guarded_session *session = call->session;

    return gate_check(session->binding, &session->identity, compared(call), ret_unreadable);
}

bool guard_use(const struct guard_call *call, struct refusal *ret_refusal)
{
    miguard_components unreadable = 0;

    switch_settle();
    if (!not_revoked(call, ret_refusal)) {
        return false;
    }
    miguard_components mismatch = check(call, &unreadable);
    return mismatch == 0 ? decide_match(call, ret_refusal)
                         : decide_mismatch(call, mismatch, unreadable, ret_refusal);
}

/* As the first time, but for the policy of a match, which was asked then. */
bool guard_use_again(const struct guard_call *call, struct refusal *ret_refusal)
{
    miguard_components unreadable = 0;

    if (!not_revoked(call, ret_refusal)) {
        return false;
    }
    miguard_components mismatch = check(call, &unreadable);
    return mismatch == 0 || decide_mismatch(call, mismatch, unreadable, ret_refusal);
}

bool guard_may_deliver(const struct guard_call *call, struct refusal *ret_refusal)
{
    return not_revoked(call, ret_refusal);
}

/* ---- opening --------------------------------------------------------------------------------- */

static struct audit_event open_event(const struct guarded_context *context, uint64_t session_id,
                                     const void *call_site)
{
    return (struct audit_event){
        .action = AUDIT_ACTION_SESSION_OPEN,
        .operation = OPERATION_GET_LOCAL_SESSION,
        .kept = true,
        .provider = context->provider,
        .context_id = context->id,
        .session_id = session_id,
        .call_site = call_site,
    };
}

/* The view of the policy in force; NULL with *ret_status NO_MEMORY or BAD_POLICY. */
static struct policy_view *current_view(struct guarded_session *session,
                                        enum miguard_status *ret_status)
{
    struct policy_store *store = &session->context->gateway->store;
    struct policy_view *view = NULL;

    /* Read before the policy is: a change in between is then noticed at the first use. */
    atomic_store(&session->generation, store_generation(store));
    const struct policy *policy = store_get(store);
    *ret_status = policy == NULL ? MIGUARD_BAD_POLICY
                                 : policy_narrow(policy, &session->identity,
                                                 session->context->provider, &view);
    policy_release(policy);
    return *ret_status == MIGUARD_OK ? view : NULL;
}

bool guard_open(struct guarded_session *session, const void *call_site, struct refusal *ret_refusal)
{
    struct guarded_context *context = session->context;
    struct audit_event event = open_event(context, session->id, call_site);
    enum miguard_status status = MIGUARD_OK;

    event.bound = &session->identity;
    session->binding = gate_new_binding();
    session->view = current_view(session, &status);
    if (status == MIGUARD_NO_MEMORY) {
        event.reason = AUDIT_REASON_LIMIT_REACHED;
        refuse(context->gateway, &event, MI_RESULT_SERVER_LIMITS_EXCEEDED, ret_refusal);
        return false;
    }
    if (status != MIGUARD_OK) {
        event.reason = AUDIT_REASON_NO_POLICY;
        refuse(context->gateway, &event, MI_RESULT_ACCESS_DENIED, ret_refusal);
        return false;
    }
    const struct policy_call question = {
        .operation = OPERATION_GET_LOCAL_SESSION,
        .opened_as = &session->identity,
        .provider = context->provider,
    };
    struct policy_verdict verdict = policy_view_decide(session->view, &question);
    event.reason = verdict.decision == POLICY_DENY || verdict.would_deny
                       ? AUDIT_REASON_POLICY
                       : AUDIT_REASON_IDENTITY_MATCH;
    return conclude(context->gateway, &verdict, &event, ret_refusal);
}

void guard_open_failed(struct guarded_context *context, enum miguard_status why,
                       const void *call_site, struct refusal *ret_refusal)
{
    struct audit_event event = open_event(context, 0, call_site);
    bool no_memory = why == MIGUARD_NO_MEMORY;

    event.reason = no_memory ? AUDIT_REASON_LIMIT_REACHED : reason_of(why);
    event.unreadable = no_memory ? 0 : MIGUARD_COMPONENTS_ALL;
    refuse(context->gateway, &event,
           no_memory                      ? MI_RESULT_SERVER_LIMITS_EXCEEDED
           : why == MIGUARD_NOT_SUPPORTED ? MI_RESULT_FAILED
                                          : MI_RESULT_ACCESS_DENIED,
           ret_refusal);
}

/* ---- what needs no comparison ------------------------------------------------------------ */

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
        .context_id = operation == OPERATION_CONTEXT_CALL ? handle_name : 0,
        .session_id = operation == OPERATION_CONTEXT_CALL ? 0 : handle_name,
        .call_site = call_site,
    };
    struct gateway *gateway = gateway_enter();
    refuse(gateway, &event, MI_RESULT_INVALID_PARAMETER, ret_refusal);
    gateway_leave(gateway);
}

void guard_no_context(const char *provider)
{
    struct audit_event event = {
        .action = AUDIT_ACTION_SESSION_OPEN,
        .reason = AUDIT_REASON_CONTEXTS_SPENT,
        .kept = true,
        .operation = OPERATION_GET_LOCAL_SESSION,
        .provider = provider,
    };
    struct refusal refusal;
    struct gateway *gateway = gateway_enter();
    refuse(gateway, &event, MI_RESULT_SERVER_LIMITS_EXCEEDED, &refusal);
    gateway_leave(gateway);
}

void guard_note_reaped(const struct guarded_operation *operation)
{
    const struct guard_call call = {.operation = operation->started_by,
                                    .session = operation->session,
                                    .on = operation,
                                    .names = &operation->names};
    struct audit_event event = event_of(&call, AUDIT_ACTION_REAP);
    char decision_id[AUDIT_ID_SIZE];
    event.reason = AUDIT_REASON_LEFT_OPEN;
    (void)record(operation->session->context->gateway->audit, &event, decision_id);
}
