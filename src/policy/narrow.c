/* SPDX-License-Identifier: MIT */
/*
 * What is fixed for the life of a session is asked once: whether a rule's user, group, capability
 * and provider hold, and, for a use under the same identity, its as- keys, too. Where the first
 * rule left for an operation asks for no namespace, class, method or resource, and for an own
 * action not for its name, the answer is known at open.
 */
#include "base/alloc.h"
#include "policy/compiled.h"

/* No rule has this number: there are fewer (DRAFT_MAX_RULES). */
enum { VARIES = POLICY_NO_RULE - 1 };

/* policy_narrow() is given who opened the session and the provider, and knows what is called from
 * the operation (ask_operation()): a key that is asked of more has another phase. */
#define IS_VALUE(value, member)                                                                    \
    (offsetof(struct question, value) == offsetof(struct question, member))
#define FIXED_KEY(member, key, shape, KIND, PHASE, value, ...)                                     \
    _Static_assert((MATCH_##PHASE != MATCH_OPENED || IS_VALUE(value, opened) ||                    \
                    IS_VALUE(value, provider) || IS_VALUE(value, host) ||                          \
                    IS_VALUE(value, user_names) || IS_VALUE(value, group_names)) &&                \
                       (MATCH_##PHASE != MATCH_CALL || IS_VALUE(value, operation) ||               \
                        IS_VALUE(value, action)) &&                                                \
                       (MATCH_##PHASE != MATCH_USED || IS_VALUE(value, used)),                     \
                   key " is not known when a session is opened");
MATCH_KEY_MAP(FIXED_KEY)
#undef FIXED_KEY

/* Made at open, and read by every use of the session without a lock. */
struct policy_view {
    const struct policy *policy;
    struct rule_set opened;    /* rules that hold for who opened the session, by which provider */
    struct rule_set unchanged; /* of those, the ones for a use under the same identity */
    uint32_t first[OPERATION_COUNT]; /* the rule that decides such a use, or VARIES */
    bool permissive;                 /* of the provider */
    uint32_t allowed;                /* 1 << operation: allowed by that rule, and not recorded */
};

/* The rule that decides an operation under the same identity, as far as it is certain. A rule
 * without a target holds for every call of the operation; the one that is first then decides all of
 * them. The index may have left rules for another action among the candidates. */
static uint32_t first_rule(const struct policy_view *view, const struct question *session,
                           const struct rule_set *candidates)
{
    uint32_t first = rule_set_next(candidates, 0);

    for (; first != POLICY_NO_RULE; first = rule_set_next(candidates, first + 1)) {
        const struct rule *rule = &view->policy->rules[first];
        if (policy_call_why_not(rule, session) == NULL) {
            bool varies = policy_rule_has_target(rule) || policy_rule_doubt(rule, session) != NULL;
            return varies ? VARIES : first;
        }
    }
    return POLICY_NO_RULE;
}

/* What is called, as far as the operation says it: the name of an own action comes with the call.
 */
static void ask_operation(struct question *session, enum operation operation)
{
    bool own = operation == OPERATION_ACTION;

    session->operation = operation;
    session->action = own ? "" : operation_name(operation);
    session->unreadable &= CALL_UNREADABLE_USER_NAME | CALL_UNREADABLE_GROUP_NAME;
    session->unreadable |= own ? CALL_UNREADABLE_ACTION : 0;
}

/* session.used is who opened it, as for a use under the same identity. Asked with the same
 * functions as a call, so a view cannot decide otherwise. */
static void narrow_rules(struct policy_view *view, const struct question *session)
{
    const struct policy *policy = view->policy;

    for (uint32_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (policy_opened_why_not(rule, session) != NULL) {
            continue;
        }
        rule_set_add(&view->opened, i);
        if (rule->mismatch == 0 && policy_used_why_not(rule, session) == NULL) {
            rule_set_add(&view->unchanged, i);
        }
    }
}

/* By the same functions as a call's verdict. */
static bool is_allowed(const struct policy_view *view, enum operation operation)
{
    if (view->first[operation] == VARIES) {
        return false;
    }
    const struct policy_verdict verdict =
        policy_conclude(view->policy, operation, 0, view->first[operation], view->permissive);
    return verdict.decision == POLICY_ALLOW && !verdict.recorded;
}

/* On an error nothing is kept. */
enum miguard_status policy_narrow(const struct policy *policy,
                                  const struct miguard_identity *opened_as, const char *provider,
                                  struct policy_view **ret_view)
{
    const struct policy_call call = {.opened_as = opened_as, .provider = provider};
    struct question session;
    struct policy_view *view = base_alloc(1, sizeof(*view));

    if (view == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    policy_question_of(policy, &call, &session);
    view->policy = policy_keep(policy);
    view->permissive = session.permissive;
    narrow_rules(view, &session);
    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        struct rule_set candidates = view->unchanged;
        ask_operation(&session, (enum operation)i);
        if (policy->rule_count != 0) {
            policy_index_by_call(policy->index, &session, &candidates);
        }
        view->first[i] = first_rule(view, &session, &candidates);
        if (is_allowed(view, (enum operation)i)) {
            view->allowed |= UINT32_C(1) << i;
        }
    }
    *ret_view = view;
    return MIGUARD_OK;
}

/* Gives its reference to the policy back. */
void policy_view_free(struct policy_view *view)
{
    if (view != NULL) {
        policy_release(view->policy);
        base_free(view);
    }
}

bool policy_view_allows(const struct policy_view *view, enum operation operation)
{
    return (unsigned)operation < OPERATION_COUNT && (view->allowed >> operation & 1) != 0;
}

const struct policy *policy_view_policy(const struct policy_view *view)
{
    return view->policy;
}

/* Kept out of line: its sets would cost the quick way a large frame. Where what is fixed does not
 * decide: the identity differs, or a rule asks for names. */
__attribute__((noinline)) static struct policy_verdict decide_rest(const struct policy_view *view,
                                                                   const struct policy_call *call)
{
    const struct policy *policy = view->policy;
    struct question question;

    policy_question_of(policy, call, &question);
    bool unchanged = question.mismatch == 0 && question.used == question.opened;
    if (policy->rule_count == 0) {
        return policy_conclude(policy, question.operation, question.mismatch, POLICY_NO_RULE,
                               question.permissive);
    }
    struct rule_set candidates = unchanged ? view->unchanged : view->opened;
    policy_index_by_call(policy->index, &question, &candidates);
    if (!unchanged) {
        policy_index_by_identity(policy->index, &question, &candidates);
        policy_index_by_used(policy->index, &question, &candidates);
    }
    return policy_decide_classes(policy, call, &question, &candidates, true);
}

/* The quick way: no rule is asked, only a table. A used_as that is another struct takes the long
 * way, even with the same values; so does an operation that is given another name, or of which
 * nothing can be read. */
struct policy_verdict policy_view_decide(const struct policy_view *view,
                                         const struct policy_call *call)
{
    bool unchanged = call->mismatch == 0 && identity_valid(call->opened_as) &&
                     (call->used_as == NULL || call->used_as == call->opened_as);
    bool renamed = (call->action != NULL && call->operation != OPERATION_ACTION) ||
                   (call->unreadable & CALL_UNREADABLE_ACTION) != 0;

    if (!unchanged || renamed || (unsigned)call->operation >= OPERATION_COUNT ||
        view->first[call->operation] == VARIES) {
        return decide_rest(view, call);
    }
    return policy_conclude(view->policy, call->operation, 0, view->first[call->operation],
                           view->permissive);
}
