/* SPDX-License-Identifier: MIT */
/* Decides one call by the compiled policy: the first rule that matches, or the default. The
 * guard calls it through narrow.c at each use; `policy explain` and the tests of a policy call
 * it directly. */
#include "policy/compiled.h"

/* Rules are in the order of the files, so the first bit is the first rule that matches. */
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

/* An opening is recorded where openings or all uses are asked for. A refusal has its own condition,
 * whatever it refuses. */
static bool asks_for_record(unsigned audit, enum operation operation, bool refused)
{
    unsigned when =
        operation_opens(operation) ? POLICY_AUDIT_OPEN | POLICY_AUDIT_USE : POLICY_AUDIT_USE;
    return (audit & (refused ? POLICY_AUDIT_DENY : when)) != 0;
}

/* In permissive mode a refusal is let pass with would_deny, and recorded as a refusal. A session is
 * never revoked for what was let pass. Inlined, and nothing takes the address of what it returns:
 * so the verdict is written once, where the caller wants it. */
static inline __attribute__((always_inline)) struct policy_verdict
conclude(const struct policy *policy, enum operation operation, miguard_components mismatch,
         uint32_t rule, bool permissive, const char *class_name)
{
    const struct outcome *outcome = rule != POLICY_NO_RULE ? &policy->rules[rule].outcome
                                    : mismatch != 0        ? &policy->differs
                                                           : &policy->same;
    bool refused = outcome->decision != POLICY_ALLOW;
    /* Permissive alone turns a refusal into a call that is let pass. */
    bool denied = refused && !outcome->permissive && !permissive;

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
        .class_name = class_name,
    };
}

struct policy_verdict policy_conclude(const struct policy *policy, enum operation operation,
                                      miguard_components mismatch, uint32_t rule, bool permissive)
{
    return conclude(policy, operation, mismatch, rule, permissive, NULL);
}

/* The stricter of two outcomes that are both possible; the first of equals. Denied before let pass,
 * let pass before allowed; of two that are alike in that, the one that is recorded. */
static struct policy_verdict stricter(const struct policy_verdict *one,
                                      const struct policy_verdict *other)
{
    int refusal = (other->decision == POLICY_DENY) - (one->decision == POLICY_DENY);
    int warning = other->would_deny - one->would_deny;
    int record = other->recorded - one->recorded;

    return refusal > 0 || (refusal == 0 && (warning > 0 || (warning == 0 && record > 0))) ? *other
                                                                                          : *one;
}

static struct policy_verdict conclude_for(const struct policy *policy,
                                          const struct question *question, uint32_t rule)
{
    return conclude(policy, question->operation, question->mismatch, rule, question->permissive,
                    question->class_name);
}

/* before: the verdict that was possible so far, NULL when nothing was in doubt. */
static struct policy_verdict conclude_also(const struct policy *policy,
                                           const struct question *question, uint32_t rule,
                                           const struct policy_verdict *before)
{
    struct policy_verdict verdict = conclude_for(policy, question, rule);

    if (before != NULL) {
        verdict = stricter(before, &verdict);
        verdict.name_invalid = true;
    }
    return verdict;
}

/* A rule in doubt may apply or not: its verdict is taken along, and the search goes on to the first
 * rule that is certain. The strictest of all stands. */
struct policy_verdict policy_decide_among(const struct policy *policy,
                                          const struct question *question,
                                          const struct rule_set *candidates,
                                          policy_observer observer, void *context)
{
    struct policy_verdict possible;
    bool in_doubt = false;
    uint32_t i = rule_set_next(candidates, 0);

    for (; i != POLICY_NO_RULE; i = rule_set_next(candidates, i + 1)) {
        const struct rule *rule = &policy->rules[i];
        const char *why_not = policy_rule_why_not(rule, question);
        const char *doubt =
            why_not == NULL && question->unreadable != 0 ? policy_rule_doubt(rule, question) : NULL;
        if (observer != NULL) {
            observer(context, i, rule->outcome.name, rule->outcome.source,
                     doubt != NULL ? doubt : why_not);
        }
        if (doubt != NULL) {
            possible = conclude_also(policy, question, i, in_doubt ? &possible : NULL);
            in_doubt = true;
        } else if (why_not == NULL) {
            break;
        }
    }
    return in_doubt ? conclude_also(policy, question, i, &possible)
                    : conclude_for(policy, question, i);
}

/* The class of the call after this one, or NULL. */
static const char *next_class(const struct policy_call *call, unsigned *index)
{
    const char *name = *index < CIM_CLASSES - 1 ? call->further_classes[*index] : NULL;

    (*index)++;
    return name != NULL && name[0] != '\0' ? name : NULL;
}

/* Of the class that the question has. */
static struct policy_verdict decide_class(const struct policy *policy,
                                          const struct question *question,
                                          const struct rule_set *candidates, bool indexed)
{
    struct rule_set left = *candidates;

    if (indexed) {
        policy_index_by_target(policy->index, question, &left);
    }
    return policy_decide_among(policy, question, &left, NULL, NULL);
}

/* One decision for each class. */
static struct policy_verdict decide_further(const struct policy *policy,
                                            const struct policy_call *call,
                                            struct question *question,
                                            const struct rule_set *candidates, bool indexed)
{
    struct policy_verdict strictest = decide_class(policy, question, candidates, indexed);
    unsigned index = 0;

    for (const char *name; (name = next_class(call, &index)) != NULL;) {
        question->class_name = name;
        struct policy_verdict verdict = decide_class(policy, question, candidates, indexed);
        strictest = stricter(&strictest, &verdict);
    }
    question->class_name = strictest.class_name;
    return strictest;
}

/* A call without a class is decided once, with "". Nearly all have one class at most, whose verdict
 * is the answer as it is. */
struct policy_verdict policy_decide_classes(const struct policy *policy,
                                            const struct policy_call *call,
                                            struct question *question,
                                            const struct rule_set *candidates, bool indexed)
{
    unsigned index = 0;

    if (next_class(call, &index) == NULL) {
        return decide_class(policy, question, candidates, indexed);
    }
    return decide_further(policy, call, question, candidates, indexed);
}

/* The first class is the one that the call is about; the others come from associations and
 * queries. */
void policy_call_name(struct policy_call *call, const struct cim_names *names)
{
    call->name_space = names->name_space;
    call->class_name = names->classes[0];
    call->method = names->method;
    call->unreadable = names->unreadable;
    for (int i = 1; i < CIM_CLASSES; i++) {
        call->further_classes[i - 1] = names->classes[i];
    }
}

/* The index only thins out; the rules that are left are asked one by one. */
struct policy_verdict policy_decide(const struct policy *policy, const struct policy_call *call)
{
    struct question question;

    policy_question_of(policy, call, &question);
    if (policy->rule_count == 0) {
        return policy_conclude(policy, question.operation, question.mismatch, POLICY_NO_RULE,
                               question.permissive);
    }
    struct rule_set candidates = policy->index->all;
    policy_index_by_call(policy->index, &question, &candidates);
    policy_index_by_identity(policy->index, &question, &candidates);
    policy_index_by_opened(policy->index, &question, &candidates);
    policy_index_by_used(policy->index, &question, &candidates);
    return policy_decide_classes(policy, call, &question, &candidates, true);
}

/* Decides for all classes first, to know which one decides, then once more with the observer,
 * without the index: a fault of the index would show as a difference to policy_decide(). */
struct policy_verdict policy_explain(const struct policy *policy, const struct policy_call *call,
                                     policy_observer observer, void *context)
{
    struct question question;

    policy_question_of(policy, call, &question);
    if (policy->rule_count == 0) {
        return policy_conclude(policy, question.operation, question.mismatch, POLICY_NO_RULE,
                               question.permissive);
    }
    (void)policy_decide_classes(policy, call, &question, &policy->index->all, false);
    return policy_decide_among(policy, &question, &policy->index->all, observer, context);
}
