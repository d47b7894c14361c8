/* SPDX-License-Identifier: MIT */
#include "policy/compiled.h"

uint32_t rule_set_next(const struct rule_set *set, uint32_t from)
{
    uint32_t word = from / 64;

    if (word >= RULE_WORDS) {
        return POLICY_NO_RULE;
    }
    uint64_t bits = set->word[word] & UINT64_MAX << from % 64;
    while (bits == 0) {
        if (++word == RULE_WORDS) {
            return POLICY_NO_RULE;
        }
        bits = set->word[word];
    }
    return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

static bool asks_for_record(unsigned audit, enum operation operation, bool refused)
{
    unsigned when = operation == OPERATION_GET_LOCAL_SESSION ? POLICY_AUDIT_OPEN | POLICY_AUDIT_USE
                                                             : POLICY_AUDIT_USE;
    return (audit & (refused ? POLICY_AUDIT_DENY : when)) != 0;
}

struct policy_verdict policy_conclude(const struct policy *policy, enum operation operation,
                                      miguard_components mismatch, uint32_t rule)
{
    const struct outcome *outcome = rule != POLICY_NO_RULE ? &policy->rules[rule].outcome
                                    : mismatch != 0        ? &policy->differs
                                                           : &policy->same;
    bool refused = outcome->decision != POLICY_ALLOW;
    bool denied = refused && !outcome->permissive;

    return (struct policy_verdict){
        .decision = denied ? POLICY_DENY : POLICY_ALLOW,
        .would_deny = refused && !denied,
        .recorded = asks_for_record(outcome->audit, operation, refused),
        .audit_failure_denies = policy->audit_failure_denies,
        .revoke = denied && mismatch != 0 && policy->revokes,
        .rule_index = rule,
        .rule = outcome->name,
        .source = outcome->source,
        .reason = outcome->reason,
    };
}

struct policy_verdict policy_decide_among(const struct policy *policy,
                                          const struct question *question,
                                          const struct rule_set *candidates,
                                          policy_observer observer, void *context)
{
    uint32_t i = rule_set_next(candidates, 0);

    for (; i != POLICY_NO_RULE; i = rule_set_next(candidates, i + 1)) {
        const struct rule *rule = &policy->rules[i];
        const char *why_not = policy_rule_why_not(rule, question);
        if (observer != NULL) {
            observer(context, i, rule->outcome.name, rule->outcome.source, why_not);
        }
        if (why_not == NULL) {
            break;
        }
    }
    return policy_conclude(policy, question->operation, question->mismatch, i);
}

struct policy_verdict policy_decide(const struct policy *policy, const struct policy_call *call)
{
    struct question question = policy_question_of(call);

    if (policy->rule_count == 0) {
        return policy_conclude(policy, question.operation, question.mismatch, POLICY_NO_RULE);
    }
    struct rule_set candidates = policy->index->all;
    policy_index_by_operation(policy->index, &question, &candidates);
    policy_index_by_mismatch(policy->index, &question, &candidates);
    policy_index_by_opened(policy->index, &question, &candidates);
    policy_index_by_used(policy->index, &question, &candidates);
    policy_index_by_target(policy->index, &question, &candidates);
    return policy_decide_among(policy, &question, &candidates, NULL, NULL);
}

struct policy_verdict policy_explain(const struct policy *policy, const struct policy_call *call,
                                     policy_observer observer, void *context)
{
    struct question question = policy_question_of(call);

    if (policy->rule_count == 0) {
        return policy_conclude(policy, question.operation, question.mismatch, POLICY_NO_RULE);
    }
    return policy_decide_among(policy, &question, &policy->index->all, observer, context);
}
