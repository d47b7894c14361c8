/* SPDX-License-Identifier: MIT */
#include "policy/policy.h"

const struct policy policy_builtin = {
    .source = "built-in",
    .compared = MIGUARD_COMPONENTS_ALL,
    .decision = POLICY_ALLOW,
    .permissive = false,
    .audit_failure_denies = true,
    .audit = POLICY_AUDIT_DENY | POLICY_AUDIT_OPEN,
    .rules = NULL,
    .rule_count = 0,
};

const char *operation_name(enum operation operation)
{
    static const char *const names[OPERATION_COUNT] = {
#define OPERATION_NAME(NAME, name) [OPERATION_##NAME] = name,
        OPERATION_MAP(OPERATION_NAME)
#undef OPERATION_NAME
    };
    return (unsigned)operation < OPERATION_COUNT ? names[operation] : "unknown";
}

/* Why rule does not apply to call, or NULL when it does. */
static const char *rule_mismatch(const struct policy_rule *rule, const struct policy_call *call)
{
    if (rule->operations != 0 && (rule->operations >> call->operation & 1) == 0) {
        return "it is for other operations";
    }
    if (call->mismatch == 0 && rule->mismatch != 0) {
        return "it is for calls whose identity differs";
    }
    if (call->mismatch != 0 && rule->mismatch == 0) {
        return "it is for calls whose identity is the same";
    }
    if ((call->mismatch & ~rule->mismatch) != 0) {
        return "its mismatch set does not cover every differing component";
    }
    return NULL;
}

static bool asks_for_record(unsigned audit, const struct policy_call *call, bool refused)
{
    unsigned when = call->operation == OPERATION_GET_LOCAL_SESSION
                        ? POLICY_AUDIT_OPEN | POLICY_AUDIT_USE
                        : POLICY_AUDIT_USE;
    return (audit & (refused ? POLICY_AUDIT_DENY : when)) != 0;
}

static struct policy_verdict conclude(const struct policy *policy, const struct policy_call *call,
                                      enum policy_decision decision, bool permissive,
                                      unsigned audit)
{
    bool refused = decision == POLICY_DENY;
    return (struct policy_verdict){
        .decision = refused && permissive ? POLICY_ALLOW : decision,
        .would_deny = refused && permissive,
        .recorded = asks_for_record(audit, call, refused),
        .audit_failure_denies = policy->audit_failure_denies,
    };
}

struct policy_verdict policy_explain(const struct policy *policy, const struct policy_call *call,
                                     policy_observer observer, void *context)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        const char *why_not = rule_mismatch(rule, call);
        if (observer != NULL) {
            observer(context, rule, why_not);
        }
        if (why_not != NULL) {
            continue;
        }
        struct policy_verdict verdict = conclude(
            policy, call, rule->decision, rule->permissive || policy->permissive, rule->audit);
        verdict.rule = rule->name;
        verdict.source = rule->source;
        verdict.reason = rule->reason;
        return verdict;
    }
    bool differs = call->mismatch != 0;
    struct policy_verdict verdict = conclude(policy, call, differs ? POLICY_DENY : policy->decision,
                                             policy->permissive, policy->audit);
    verdict.rule = "default";
    verdict.source = policy->source;
    verdict.reason =
        differs ? "the session was taken under another identity" : "no rule says otherwise";
    return verdict;
}

struct policy_verdict policy_decide(const struct policy *policy, const struct policy_call *call)
{
    return policy_explain(policy, call, NULL, NULL);
}
