/* SPDX-License-Identifier: MIT */
/*
 * The decision: identity, then policy, then record. A call proceeds only through a `return true` of
 * this file; everything that is not proved ends in a refusal.
 *
 * A use: guard_use() -> not_revoked(), which also asks a newer policy (still_allowed), -> check()
 * -> decide_match() or decide_mismatch() -> conclude(), which records and fills in the refusal ->
 * is_still(), where a record took time.
 */
#include <string.h>

#include "gate/gate.h"
#include "guard/guard.h"
#include "guard/trace.h"
#include "switch/peer.h"
#include "switch/switch.h"

/* The facts of a call for its record. Everything is borrowed from the call; the outcome is filled
 * in later. */
static struct audit_event event_of(const struct guard_call *call, enum audit_action action)
{
    const struct binding *binding = call->binding;
    const struct cim_names *names = call->names;
    const struct audit_keys *keys = call->keys;

    return (struct audit_event){
        .action = action,
        .operation = call->operation,
        .kept = true,
        .action_name = call->action,
        .resource = call->resource,
        .object = call->object,
        .provider = binding->provider,
        .name_space = names != NULL ? names->name_space : NULL,
        .class_name = names != NULL ? names->classes[0] : NULL,
        .method = names != NULL ? names->method : NULL,
        .keys = keys != NULL && (keys->length > 0 || keys->omitted > 0) ? keys : NULL,
        .context_id = binding->context_id,
        .session_id = binding->session_id,
        .operation_id = call->operation_id,
        .bound = &binding->identity,
        .call_site = call->call_site,
    };
}

/* Why no identity could be bound. A status that no case names is an identity that could not be
 * read. */
static enum audit_reason reason_of(enum miguard_status status)
{
    switch (status) {
    case MIGUARD_TORN:
        return AUDIT_REASON_IDENTITY_TORN;
    case MIGUARD_UNPROVABLE:
        return AUDIT_REASON_IDENTITY_UNPROVABLE;
    case MIGUARD_BAD_STATE: /* from guard_close_thread() only */
        return AUDIT_REASON_GATE_FAILED;
    case MIGUARD_NOT_SUPPORTED:
        return AUDIT_REASON_ANOTHER_COPY;
    default:
        return AUDIT_REASON_IDENTITY_UNREADABLE;
    }
}

/* Writes the record, with the thread's current identity when the event has none. False when no
 * record was written. A failed capture does not prevent the record: it then has no current
 * identity. */
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

/* Turns a verdict into an answer. event has the facts but not yet the outcome. True only for an
 * allowed call whose record, if one is wanted, was written or may be missing
 * (audit_failure_denies). */
static bool conclude(struct guard *guard, const struct policy_verdict *verdict,
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
    if (verdict->recorded && !record(guard->audit, event, decision_id) &&
        verdict->audit_failure_denies && allowed) {
        event->reason = AUDIT_REASON_AUDIT_FAILED;
        allowed = false;
    }
    if (allowed) {
        return true;
    }
    *ret_refusal = refusal_new(GUARD_DENIED, event->reason, event->mismatch);
    refusal_set_rule(ret_refusal, verdict->rule, verdict->source, verdict->reason);
    memcpy(ret_refusal->decision_id, decision_id, sizeof(decision_id));
    return false;
}

/* Refusals that no rule can change. The answer does not depend on whether it is recorded. The rule
 * "built-in" stands for every such refusal in the log. */
static void refuse(struct guard *guard, struct audit_event *event, enum guard_answer answer,
                   struct refusal *ret_refusal)
{
    event->denied = true;
    event->rule = "built-in";
    event->rule_source = "built-in";
    *ret_refusal = refusal_new(answer, event->reason, 0);
    (void)record(guard->audit, event, ret_refusal->decision_id);
}

/* The set-up failed. The caller gets to know at which step: without it the log has to say why, and
 * it is the log that may be missing. */
static void refuse_without_policy(struct guard *guard, struct audit_event *event,
                                  struct refusal *ret_refusal)
{
    char why[REFUSAL_REASON];

    event->reason = guard_why_not(why);
    refuse(guard, event, GUARD_DENIED, ret_refusal);
    refusal_set_rule(ret_refusal, NULL, NULL, why);
}

/* The same for a call on a binding. */
static void refuse_call(const struct guard_call *call, enum audit_action action,
                        enum audit_reason reason, enum guard_answer answer,
                        struct refusal *ret_refusal)
{
    struct audit_event event = event_of(call, action);

    event.reason = reason;
    refuse(call->binding->guard, &event, answer, ret_refusal);
}

/* ---- use ----------------------------------------------------------------------------------- */

/* What the policy is asked: the names are set only where the call has some, so a rule about names
 * does not match the others. */
static struct policy_call question_of(const struct guard_call *call, miguard_components mismatch)
{
    struct policy_call question = {
        .operation = call->operation,
        .action = call->action,
        .resource = call->resource,
        .opened_as = &call->binding->identity,
        .mismatch = mismatch,
        .provider = call->binding->provider,
    };
    if (call->names != NULL) {
        policy_call_name(&question, call->names);
    }
    return question;
}

/* The components that the policy of the session compares; it does not change while the session
 * lives. */
static miguard_components compared(const struct guard_call *call)
{
    return policy_compared(policy_view_policy(call->binding->view));
}

/* The slow path: a refusal, or a decision that the policy wants recorded. */
static bool conclude_use(const struct guard_call *call, const struct policy_verdict *verdict,
                         struct audit_event *event, struct refusal *ret_refusal)
{
    if (verdict->revoke && verdict->decision == POLICY_DENY) {
        atomic_store(&call->binding->revoked, true);
    }
    return conclude(call->binding->guard, verdict, event, ret_refusal);
}

/*
 * Writing a record takes time: it may wait for the log, for the disk and for a name, and another
 * thread's setuid(3) may change this one meanwhile. After an allowed decision the thread must still
 * have the identity that it was about. Not checked where nothing was recorded. All components are
 * compared for an identity that a rule allowed, and the policy's components for the session's own.
 *
 * A change found here is refused as torn: the decision was about an identity that the thread has no
 * longer.
 */
static bool is_still(const struct guard_call *call, const struct miguard_identity *decided_on,
                     struct refusal *ret_refusal)
{
    const miguard_components asked =
        decided_on == &call->binding->identity ? compared(call) : MIGUARD_COMPONENTS_ALL;

    if (identity_check(decided_on, asked, NULL) == 0) {
        return true;
    }
    refuse_call(call, AUDIT_ACTION_SESSION_USE, AUDIT_REASON_IDENTITY_TORN, GUARD_DENIED,
                ret_refusal);
    return false;
}

/* The place of the thread's last switch: a mismatch is often a switch that was not undone, or a
 * missing one. */
static bool read_last_switch(struct audit_last_switch *ret_last)
{
    const struct switch_last last = switch_last();

    ret_last->site = last.site;
    ret_last->time = (int64_t)last.time.tv_sec * 1000000000 + last.time.tv_nsec;
    return last.kind != 0;
}

/* A rule may depend on the thread's current identity, so it is captured before the policy is asked.
 * The record has both identities, which of their components differ, and the last switch. */
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
    struct policy_verdict verdict = policy_view_decide(call->binding->view, &question);
    if (unreadable != 0 || !captured) {
        /* Invariant 4 is above any rule: no rule can allow an identity that could not be read. */
        verdict.decision = POLICY_DENY;
        verdict.would_deny = false;
        verdict.recorded = true;
    }
    bool allowed = conclude_use(call, &verdict, &event, ret_refusal) &&
                   is_still(call, question.used_as, ret_refusal);
    if (captured) {
        identity_release(&current);
    }
    return allowed;
}

/* The fast path: a match that the policy allows and does not want recorded costs no event. A match
 * can still be denied, by a rule about the operation or its names. */
static bool decide_match(const struct guard_call *call, struct refusal *ret_refusal)
{
    if (policy_view_allows(call->binding->view, call->operation)) {
        return true;
    }
    const struct policy_call question = question_of(call, 0);
    struct policy_verdict verdict = policy_view_decide(call->binding->view, &question);

    if (verdict.decision == POLICY_ALLOW && !verdict.recorded) {
        return true;
    }
    struct audit_event event = event_of(call, AUDIT_ACTION_SESSION_USE);
    event.reason = verdict.decision == POLICY_ALLOW && !verdict.would_deny
                       ? AUDIT_REASON_IDENTITY_MATCH
                   : verdict.name_invalid ? AUDIT_REASON_NAME_INVALID
                                          : AUDIT_REASON_POLICY;
    return conclude_use(call, &verdict, &event, ret_refusal) &&
           is_still(call, &call->binding->identity, ret_refusal);
}

/*
 * A session keeps the policy that it was opened under, unless a newer one would not have opened it:
 * then it is revoked. Evaluated once for each new policy.
 *
 * The decision is that of opening the session, without the names of this use. Two threads may
 * evaluate the same policy at once; both get the same answer.
 */
static bool still_allowed(const struct guard_call *call, struct refusal *ret_refusal)
{
    struct binding *binding = call->binding;
    struct policy_store *store = &binding->guard->store;
    uint64_t generation = store_generation(store);

    if (atomic_load_explicit(&binding->generation, memory_order_relaxed) == generation) {
        return true;
    }
    const struct policy *policy = store_get(store);
    if (policy == NULL) { /* impossible: a policy in force is only ever replaced */
        refuse_call(call, AUDIT_ACTION_SESSION_USE, AUDIT_REASON_NO_POLICY, GUARD_DENIED,
                    ret_refusal);
        return false;
    }
    struct guard_call open = *call;
    open.operation = binding->opening;
    open.names = NULL;
    open.action = NULL;
    open.resource = binding->resource;
    const struct policy_call question = question_of(&open, 0);
    struct policy_verdict verdict = policy_decide(policy, &question);
    bool allowed = verdict.decision == POLICY_ALLOW;
    if (allowed) {
        atomic_store_explicit(&binding->generation, generation, memory_order_relaxed);
    } else {
        struct audit_event event = event_of(call, AUDIT_ACTION_SESSION_USE);
        event.reason = verdict.name_invalid ? AUDIT_REASON_NAME_INVALID : AUDIT_REASON_POLICY;
        atomic_store(&binding->revoked, true);
        (void)conclude(binding->guard, &verdict, &event, ret_refusal);
    }
    policy_release(policy);
    return allowed;
}

/* The first question of each use. A revoked session stays revoked: its refusal does not ask the
 * policy again. */
static bool not_revoked(const struct guard_call *call, struct refusal *ret_refusal)
{
    if (!atomic_load_explicit(&call->binding->revoked, memory_order_relaxed)) {
        return still_allowed(call, ret_refusal);
    }
    refuse_call(call, AUDIT_ACTION_SESSION_USE, AUDIT_REASON_SESSION_REVOKED, GUARD_DENIED,
                ret_refusal);
    return false;
}

/* Returns the components in which the calling thread differs. A gated thread may answer "the same"
 * from its cache; a difference is never cached. */
static miguard_components check(const struct guard_call *call, miguard_components *ret_unreadable)
{
    const struct binding *binding = call->binding;

    return gate_check(binding->number, &binding->identity, compared(call), ret_unreadable);
}

/* Each condition is one of guard_use(), asked in the same order; what is not known at once is left
 * to guard_use(). */
bool guard_use_is_known(const struct binding *binding, enum operation operation)
{
    return atomic_load_explicit(&trace_tracer, memory_order_relaxed) == NULL &&
           !atomic_load_explicit(&binding->revoked, memory_order_relaxed) &&
           atomic_load_explicit(&binding->generation, memory_order_relaxed) ==
               store_generation(&binding->guard->store) &&
           gate_known_same(binding->number) && policy_view_allows(binding->view, operation);
}

/* In this order: a thread that jumped out of a callback is restored, the session must be valid, and
 * only then is the thread compared. */
static bool use(const struct guard_call *call, struct refusal *ret_refusal)
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

bool guard_use(const struct guard_call *call, struct refusal *ret_refusal)
{
    const struct trace trace = trace_begin();
    bool allowed = use(call, ret_refusal);

    if (trace.tracer != NULL) {
        trace_use(&trace, call, false, allowed, ret_refusal);
    }
    return allowed;
}

/* As guard_use(), without the policy decision of a match, which was made then. */
static bool use_again(const struct guard_call *call, struct refusal *ret_refusal)
{
    miguard_components unreadable = 0;

    if (!not_revoked(call, ret_refusal)) {
        return false;
    }
    miguard_components mismatch = check(call, &unreadable);
    return mismatch == 0 || decide_mismatch(call, mismatch, unreadable, ret_refusal);
}

bool guard_use_again(const struct guard_call *call, struct refusal *ret_refusal)
{
    const struct trace trace = trace_begin();
    bool allowed = use_again(call, ret_refusal);

    if (trace.tracer != NULL) {
        trace_use(&trace, call, true, allowed, ret_refusal);
    }
    return allowed;
}

/* The host chooses the thread of a callback, so there is no identity to compare yet. */
bool guard_may_deliver(const struct guard_call *call, struct refusal *ret_refusal)
{
    const struct trace trace = trace_begin();
    bool allowed = not_revoked(call, ret_refusal);

    if (trace.tracer != NULL) {
        trace_use(&trace, call, true, allowed, ret_refusal);
    }
    return allowed;
}

/* ---- binding --------------------------------------------------------------------------------- */

/* The record of an attempt to get a session. It has no bound identity unless the caller adds it. */
static struct audit_event open_event(const struct binding *binding, const void *call_site)
{
    return (struct audit_event){
        .action = AUDIT_ACTION_SESSION_OPEN,
        .operation = binding->opening,
        .resource = binding->resource,
        .object = binding->object,
        .kept = true,
        .provider = binding->provider,
        .context_id = binding->context_id,
        .session_id = binding->session_id,
        .call_site = call_site,
    };
}

/* The view of the policy in force; NULL with *ret_status NO_MEMORY or BAD_POLICY. The view is the
 * policy narrowed to this identity and provider; it keeps its policy alive. */
static struct policy_view *current_view(struct binding *binding, enum miguard_status *ret_status)
{
    struct policy_store *store = &binding->guard->store;
    struct policy_view *view = NULL;

    /* Read before the policy, so that a change in between is noticed at the first use. */
    atomic_store(&binding->generation, store_generation(store));
    const struct policy *policy = store_get(store);
    *ret_status = MIGUARD_BAD_POLICY;
    if (policy != NULL) {
        policy_ask_names(policy, &binding->identity);
        *ret_status = policy_narrow(policy, &binding->identity, binding->provider, &view);
    }
    policy_release(policy);
    return *ret_status == MIGUARD_OK ? view : NULL;
}

/* The binding gets its number and view before the decision, so a refused binding is released like
 * any other. No policy is a refusal: nothing is handed out without one. */
static bool bind(struct binding *binding, const void *call_site, struct refusal *ret_refusal)
{
    struct audit_event event = open_event(binding, call_site);
    enum miguard_status status = MIGUARD_OK;

    event.bound = &binding->identity;
    binding->number = gate_new_binding();
    binding->view = current_view(binding, &status);
    if (status == MIGUARD_NO_MEMORY) {
        event.reason = AUDIT_REASON_LIMIT_REACHED;
        refuse(binding->guard, &event, GUARD_LIMIT, ret_refusal);
        return false;
    }
    if (status != MIGUARD_OK) {
        refuse_without_policy(binding->guard, &event, ret_refusal);
        return false;
    }
    const struct policy_call question = {
        .operation = binding->opening,
        .resource = binding->resource,
        .opened_as = &binding->identity,
        .provider = binding->provider,
    };
    struct policy_verdict verdict = policy_view_decide(binding->view, &question);
    event.reason = verdict.decision == POLICY_ALLOW && !verdict.would_deny
                       ? AUDIT_REASON_IDENTITY_MATCH
                   : verdict.name_invalid ? AUDIT_REASON_NAME_INVALID
                                          : AUDIT_REASON_POLICY;
    return conclude(binding->guard, &verdict, &event, ret_refusal);
}

bool guard_bind(struct binding *binding, const void *call_site, struct refusal *ret_refusal)
{
    const struct trace trace = trace_begin();
    bool allowed = bind(binding, call_site, ret_refusal);

    if (trace.tracer != NULL) {
        trace_bind(&trace, binding, allowed, ret_refusal);
    }
    return allowed;
}

void guard_given_again(const struct binding *binding)
{
    const struct trace trace = trace_begin();

    if (trace.tracer != NULL) {
        trace_bind(&trace, binding, true, NULL);
    }
}

/* A lack of memory is a limit and not a denial: another attempt may succeed. */
void guard_bind_failed(const struct binding *binding, enum miguard_status why,
                       const void *call_site, struct refusal *ret_refusal)
{
    const struct trace trace = trace_begin();
    struct audit_event event = open_event(binding, call_site);
    bool no_memory = why == MIGUARD_NO_MEMORY;

    event.session_id = 0;
    event.reason = no_memory ? AUDIT_REASON_LIMIT_REACHED : reason_of(why);
    event.unreadable = no_memory ? 0 : MIGUARD_COMPONENTS_ALL;
    refuse(binding->guard, &event,
           no_memory                      ? GUARD_LIMIT
           : why == MIGUARD_NOT_SUPPORTED ? GUARD_FAILED
                                          : GUARD_DENIED,
           ret_refusal);
    if (trace.tracer != NULL) {
        trace_bind(&trace, binding, false, ret_refusal);
    }
}

void binding_release(struct binding *binding)
{
    identity_release(&binding->identity);
    policy_view_free(binding->view);
    binding->view = NULL;
}

enum audit_keys_mode binding_keys_mode(const struct binding *binding)
{
    return policy_keys(policy_view_policy(binding->view));
}

/* ---- the client of a request ------------------------------------------------------------------
 */

/* The verdict of the entry. A mode of permissive does not soften it: who is not to become a client
 * is not let become it to try a policy out. */
static struct policy_verdict client_verdict(const struct policy *policy,
                                            const struct policy_client *entry, bool given)
{
    unsigned audited = policy_audited(policy);
    bool allowed = entry->may != DRAFT_MAY_NOTHING;
    unsigned when = allowed ? POLICY_AUDIT_OPEN | POLICY_AUDIT_SWITCH : POLICY_AUDIT_DENY;

    return (struct policy_verdict){
        .decision = allowed ? POLICY_ALLOW : POLICY_DENY,
        .recorded = (audited & when) != 0 && (given || !allowed),
        .audit_failure_denies = policy_failure_denies(policy),
        .rule_index = POLICY_NO_RULE,
        .rule = entry->rule,
        .source = entry->source,
        .reason = entry->reason,
    };
}

bool guard_client(const struct guard_client *asked, enum draft_may *ret_may,
                  struct refusal *ret_refusal)
{
    const struct policy *policy = store_get(&asked->guard->store);
    struct audit_event event = {
        .action = AUDIT_ACTION_SESSION_OPEN,
        .operation = OPERATION_CONTEXT_CALL,
        .kept = true,
        .provider = asked->provider,
        .context_id = asked->context_id,
        .bound = asked->client,
        .peer_pid = asked->peer != NULL ? asked->peer->pid : 0,
        .peer_label = asked->peer != NULL ? asked->peer->label : NULL,
        .call_site = asked->call_site,
    };
    *ret_may = DRAFT_MAY_NOTHING;
    if (policy == NULL) {
        refuse_without_policy(asked->guard, &event, ret_refusal);
        return false;
    }
    const struct policy_client entry = policy_client(policy, asked->provider);
    const struct policy_verdict verdict = client_verdict(policy, &entry, asked->given);
    event.reason =
        verdict.decision == POLICY_ALLOW ? AUDIT_REASON_CLIENT_GIVEN : AUDIT_REASON_CLIENT_DENIED;
    bool allowed = conclude(asked->guard, &verdict, &event, ret_refusal);
    if (allowed) {
        *ret_may = entry.may;
    }
    policy_release(policy);
    return allowed;
}

/* ---- refusals and records without a comparison ----------------------------------------------- */

void guard_refuse(const struct guard_call *call, enum audit_action action, enum audit_reason reason,
                  enum guard_answer answer, struct refusal *ret_refusal)
{
    const struct trace trace = trace_begin();

    refuse_call(call, action, reason, answer, ret_refusal);
    if (trace.tracer != NULL) {
        trace_use(&trace, call, false, false, ret_refusal);
    }
}

/* An invalid handle names no binding, so the guard is entered for the record alone, and the name is
 * recorded as it was given. */
void guard_refuse_handle(enum operation operation, enum slots_verdict verdict, uint64_t handle_name,
                         const void *call_site, struct refusal *ret_refusal)
{
    struct audit_event event = {
        .action = operation_opens(operation) ? AUDIT_ACTION_SESSION_OPEN : AUDIT_ACTION_SESSION_USE,
        .reason = verdict == SLOTS_STALE       ? AUDIT_REASON_HANDLE_STALE
                  : verdict == SLOTS_INHERITED ? AUDIT_REASON_HANDLE_INHERITED
                                               : AUDIT_REASON_HANDLE_FORGED,
        .operation = operation,
        .context_id = operation == OPERATION_CONTEXT_CALL ? handle_name : 0,
        .session_id = operation == OPERATION_CONTEXT_CALL ? 0 : handle_name,
        .call_site = call_site,
    };
    const struct trace trace = trace_begin();
    struct guard *guard = guard_enter();
    refuse(guard, &event, GUARD_INVALID, ret_refusal);
    guard_leave(guard);
    if (trace.tracer != NULL) {
        trace_handle(&trace, operation, handle_name, ret_refusal);
    }
}

/* The refusal itself is not needed: the host is answered without a text. */
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
    struct guard *guard = guard_enter();
    refuse(guard, &event, GUARD_LIMIT, &refusal);
    guard_leave(guard);
}

/* Not a refusal: the operation is ended in any case. */
void guard_note_reaped(const struct guard_call *call)
{
    struct audit_event event = event_of(call, AUDIT_ACTION_REAP);
    char decision_id[AUDIT_ID_SIZE];

    event.reason = AUDIT_REASON_LEFT_OPEN;
    (void)record(call->binding->guard->audit, &event, decision_id);
}
