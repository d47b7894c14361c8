/* SPDX-License-Identifier: MIT */
/* Decisions as tables: the built-in policy, and hand-made rules. */
#include "policy/policy.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define SAME  0
#define EUID  MIGUARD_COMPONENT_EUID
#define FSUID MIGUARD_COMPONENT_FSUID
#define NNP   MIGUARD_COMPONENT_NO_NEW_PRIVS
#define ALL   MIGUARD_COMPONENTS_ALL

#define ONLY(NAME) (1u << OPERATION_##NAME)

/* ---- the built-in default ------------------------------------------------------------ */

/* "-" stands for false, so that a row can be read at a glance. */
enum { NO, YES };

static const struct {
    enum operation operation;
    miguard_components mismatch;
    enum policy_decision decision;
    int recorded;
} builtin_rows[] = {
    {OPERATION_GET_LOCAL_SESSION, SAME, POLICY_ALLOW, YES},
    {OPERATION_GET_INSTANCE, SAME, POLICY_ALLOW, NO},
    {OPERATION_SESSION_CLOSE, SAME, POLICY_ALLOW, NO},
    {OPERATION_CALLBACK, SAME, POLICY_ALLOW, NO},
    {OPERATION_GET_LOCAL_SESSION, EUID, POLICY_DENY, YES},
    {OPERATION_GET_INSTANCE, EUID, POLICY_DENY, YES},
    {OPERATION_GET_INSTANCE, NNP, POLICY_DENY, YES},
    {OPERATION_GET_INSTANCE, ALL, POLICY_DENY, YES},
    {OPERATION_OPERATION_CLOSE, FSUID, POLICY_DENY, YES},
    {OPERATION_CALLBACK, FSUID, POLICY_DENY, YES},
};

START_TEST(builtin)
{
    const struct policy_call call = {.operation = builtin_rows[_i].operation,
                                     .mismatch = builtin_rows[_i].mismatch};
    struct policy_verdict verdict = policy_decide(&policy_builtin, &call);

    ck_assert_int_eq(verdict.decision, builtin_rows[_i].decision);
    ck_assert_int_eq(verdict.recorded, builtin_rows[_i].recorded);
    ck_assert(!verdict.would_deny);
    ck_assert(verdict.audit_failure_denies);
    ck_assert_str_eq(verdict.rule, "default");
    ck_assert_str_eq(verdict.source, "built-in");
    ck_assert_ptr_nonnull(verdict.reason);
}
END_TEST

START_TEST(builtin_compares_everything_on_every_operation)
{
    ck_assert_uint_eq(policy_builtin.compared, MIGUARD_COMPONENTS_ALL);
    for (unsigned operation = 0; operation < OPERATION_COUNT; operation++) {
        for (unsigned bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
            const struct policy_call call = {.operation = (enum operation)operation,
                                             .mismatch = (miguard_components)1 << bit};
            struct policy_verdict verdict = policy_decide(&policy_builtin, &call);
            ck_assert_int_eq(verdict.decision, POLICY_DENY);
            ck_assert(verdict.recorded);
        }
    }
}
END_TEST

/* A verdict that nobody filled in refuses. */
START_TEST(zeroed_verdict_refuses)
{
    static const struct policy_verdict zeroed;
    ck_assert_int_eq(zeroed.decision, POLICY_DENY);
}
END_TEST

/* ---- rules --------------------------------------------------------------------------- */

static const struct policy_rule rules[] = {
    {"no-delete", "a.yaml:1:1", "nobody deletes", 0, ONLY(DELETE_INSTANCE) | ONLY(CREATE_INSTANCE),
     POLICY_DENY, false, POLICY_AUDIT_DENY},
    {"delete-anyway", "a.yaml:2:1", "never reached for a delete", 0, ONLY(DELETE_INSTANCE),
     POLICY_ALLOW, false, POLICY_AUDIT_USE},
    {"watched", "a.yaml:3:1", "recorded", 0, ONLY(INVOKE), POLICY_ALLOW, false, POLICY_AUDIT_USE},
    {"silent-deny", "a.yaml:4:1", "not recorded", 0, ONLY(QUERY_INSTANCES), POLICY_DENY, false, 0},
    {"dry-run", "a.yaml:5:1", "would be denied", 0, ONLY(SUBSCRIBE), POLICY_DENY, true,
     POLICY_AUDIT_DENY},
    {"opened", "a.yaml:6:1", "opening", 0, ONLY(GET_LOCAL_SESSION), POLICY_ALLOW, false,
     POLICY_AUDIT_OPEN},
    {"late-no-new-privs", "a.yaml:7:1", "tolerated", NNP, 0, POLICY_ALLOW, false, 0},
    {"fs-for-reads", "a.yaml:8:1", "reads only", FSUID | NNP, ONLY(GET_INSTANCE), POLICY_ALLOW,
     false, POLICY_AUDIT_USE},
    {"euid-dry-run", "a.yaml:9:1", "would be denied", EUID, ONLY(GET_CLASS), POLICY_DENY, true,
     POLICY_AUDIT_DENY},
    {"default-deny", "a.yaml:10:1", "the rest of reads", 0, ONLY(GET_CLASS), POLICY_DENY, false,
     POLICY_AUDIT_DENY},
};

enum { DEFAULT = sizeof(rules) / sizeof(rules[0]) };

static const struct policy policy = {
    .source = "a.yaml",
    .compared = MIGUARD_COMPONENTS_ALL,
    .decision = POLICY_ALLOW,
    .audit = POLICY_AUDIT_DENY,
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
};

static const struct {
    enum operation operation;
    miguard_components mismatch;
    int rule; /* the row of `rules` that decides, or DEFAULT */
    enum policy_decision decision;
    int would_deny, recorded;
} rows[] = {
    /* the identity is the same */
    {OPERATION_CREATE_INSTANCE, SAME, 0, POLICY_DENY, NO, YES},
    {OPERATION_DELETE_INSTANCE, SAME, 0, POLICY_DENY, NO, YES}, /* first match wins */
    {OPERATION_INVOKE, SAME, 2, POLICY_ALLOW, NO, YES},
    {OPERATION_QUERY_INSTANCES, SAME, 3, POLICY_DENY, NO, NO},
    {OPERATION_SUBSCRIBE, SAME, 4, POLICY_ALLOW, YES, YES},
    {OPERATION_GET_LOCAL_SESSION, SAME, 5, POLICY_ALLOW, NO, YES},
    {OPERATION_GET_CLASS, SAME, 9, POLICY_DENY, NO, YES},
    {OPERATION_GET_INSTANCE, SAME, DEFAULT, POLICY_ALLOW, NO, NO},
    {OPERATION_CALLBACK, SAME, DEFAULT, POLICY_ALLOW, NO, NO},
    /* the identity differs: only a rule that covers all of it counts */
    {OPERATION_GET_INSTANCE, NNP, 6, POLICY_ALLOW, NO, NO},
    {OPERATION_DELETE_INSTANCE, NNP, 6, POLICY_ALLOW, NO, NO},
    {OPERATION_GET_INSTANCE, FSUID, 7, POLICY_ALLOW, NO, YES},
    {OPERATION_GET_INSTANCE, FSUID | NNP, 7, POLICY_ALLOW, NO, YES},
    {OPERATION_GET_INSTANCE, FSUID | EUID, DEFAULT, POLICY_DENY, NO, YES},
    {OPERATION_GET_INSTANCE, NNP | EUID, DEFAULT, POLICY_DENY, NO, YES},
    {OPERATION_INVOKE, FSUID, DEFAULT, POLICY_DENY, NO, YES},
    {OPERATION_INVOKE, EUID, DEFAULT, POLICY_DENY, NO, YES},
    {OPERATION_GET_CLASS, EUID, 8, POLICY_ALLOW, YES, YES},
    {OPERATION_GET_CLASS, EUID | FSUID, DEFAULT, POLICY_DENY, NO, YES},
    {OPERATION_GET_LOCAL_SESSION, EUID, DEFAULT, POLICY_DENY, NO, YES},
    {OPERATION_GET_INSTANCE, ALL, DEFAULT, POLICY_DENY, NO, YES},
};

START_TEST(first_match_wins)
{
    const struct policy_call call = {.operation = rows[_i].operation,
                                     .mismatch = rows[_i].mismatch};
    struct policy_verdict verdict = policy_decide(&policy, &call);

    ck_assert_str_eq(verdict.rule,
                     rows[_i].rule == DEFAULT ? "default" : rules[rows[_i].rule].name);
    ck_assert_str_eq(verdict.source,
                     rows[_i].rule == DEFAULT ? "a.yaml" : rules[rows[_i].rule].source);
    if (rows[_i].rule != DEFAULT) {
        ck_assert_str_eq(verdict.reason, rules[rows[_i].rule].reason);
    }
    ck_assert_int_eq(verdict.decision, rows[_i].decision);
    ck_assert_int_eq(verdict.would_deny, rows[_i].would_deny);
    ck_assert_int_eq(verdict.recorded, rows[_i].recorded);
    ck_assert(!verdict.audit_failure_denies);
}
END_TEST

/* ---- modes and records --------------------------------------------------------------- */

static const struct {
    const char *what;
    enum policy_decision wanted;
    bool permissive;
    unsigned audit;
    enum operation operation;
    enum policy_decision decision;
    int would_deny, recorded;
} modes[] = {
    {"enforced", POLICY_DENY, false, POLICY_AUDIT_DENY, OPERATION_INVOKE, POLICY_DENY, NO, YES},
    {"permissive", POLICY_DENY, true, POLICY_AUDIT_DENY, OPERATION_INVOKE, POLICY_ALLOW, YES, YES},
    {"permissive, nothing to permit", POLICY_ALLOW, true, POLICY_AUDIT_DENY, OPERATION_INVOKE,
     POLICY_ALLOW, NO, NO},
    {"refusal unrecorded", POLICY_DENY, false, POLICY_AUDIT_OPEN | POLICY_AUDIT_USE,
     OPERATION_INVOKE, POLICY_DENY, NO, NO},
    {"use recorded", POLICY_ALLOW, false, POLICY_AUDIT_USE, OPERATION_INVOKE, POLICY_ALLOW, NO,
     YES},
    {"open is no use", POLICY_ALLOW, false, POLICY_AUDIT_OPEN, OPERATION_INVOKE, POLICY_ALLOW, NO,
     NO},
    {"opening recorded", POLICY_ALLOW, false, POLICY_AUDIT_OPEN, OPERATION_GET_LOCAL_SESSION,
     POLICY_ALLOW, NO, YES},
    {"use includes opening", POLICY_ALLOW, false, POLICY_AUDIT_USE, OPERATION_GET_LOCAL_SESSION,
     POLICY_ALLOW, NO, YES},
    {"refused opening is a refusal", POLICY_DENY, false, POLICY_AUDIT_OPEN,
     OPERATION_GET_LOCAL_SESSION, POLICY_DENY, NO, NO},
    {"nothing recorded", POLICY_ALLOW, false, 0, OPERATION_GET_LOCAL_SESSION, POLICY_ALLOW, NO, NO},
};

/* The same row once as the policy's default and once as a rule; and a mismatch without any rule,
 * for which the default decision does not count. */
START_TEST(modes_and_records)
{
    const struct policy_rule rule = {.name = "the-rule",
                                     .source = "b.yaml:1:1",
                                     .reason = "so",
                                     .decision = modes[_i].wanted,
                                     .permissive = modes[_i].permissive,
                                     .audit = modes[_i].audit};
    const struct policy by_default = {.source = "b.yaml",
                                      .decision = modes[_i].wanted,
                                      .permissive = modes[_i].permissive,
                                      .audit = modes[_i].audit};
    const struct policy by_rule = {.source = "b.yaml",
                                   .decision = modes[_i].wanted == POLICY_ALLOW ? POLICY_DENY
                                                                                : POLICY_ALLOW,
                                   .rules = &rule,
                                   .rule_count = 1};
    const struct policy_call call = {.operation = modes[_i].operation};
    const struct policy *both[] = {&by_default, &by_rule};

    for (int i = 0; i < 2; i++) {
        struct policy_verdict verdict = policy_decide(both[i], &call);
        ck_assert_str_eq(verdict.rule, i == 0 ? "default" : "the-rule");
        ck_assert_msg(verdict.decision == modes[_i].decision, "%s", modes[_i].what);
        ck_assert_msg(verdict.would_deny == (modes[_i].would_deny == YES), "%s", modes[_i].what);
        ck_assert_msg(verdict.recorded == (modes[_i].recorded == YES), "%s", modes[_i].what);
    }
    const struct policy_call differing = {.operation = modes[_i].operation, .mismatch = EUID};
    struct policy_verdict verdict = policy_decide(&by_default, &differing);
    ck_assert_int_eq(verdict.decision, modes[_i].permissive ? POLICY_ALLOW : POLICY_DENY);
    ck_assert_int_eq(verdict.would_deny, modes[_i].permissive);
    ck_assert_int_eq(verdict.recorded, (modes[_i].audit & POLICY_AUDIT_DENY) != 0);
}
END_TEST

/* The mode of the whole policy holds for its enforcing rules, too. */
START_TEST(global_permissive_reaches_rules)
{
    struct policy permissive = policy;
    const struct policy_call call = {.operation = OPERATION_DELETE_INSTANCE};

    permissive.permissive = true;
    struct policy_verdict verdict = policy_decide(&permissive, &call);
    ck_assert_int_eq(verdict.decision, POLICY_ALLOW);
    ck_assert(verdict.would_deny);
    ck_assert(verdict.recorded);
    ck_assert_str_eq(verdict.rule, "no-delete");
}
END_TEST

/* Every pair of one-component sets and their unions: a rule counts exactly when it covers. */
START_TEST(a_rule_must_cover_every_differing_component)
{
    for (unsigned a = 0; a < MIGUARD_COMPONENT_COUNT; a++) {
        for (unsigned b = 0; b < MIGUARD_COMPONENT_COUNT; b++) {
            const struct policy_rule rule = {.name = "r",
                                             .source = "c",
                                             .reason = "",
                                             .mismatch = (miguard_components)1 << a,
                                             .decision = POLICY_ALLOW};
            const struct policy one = {
                .source = "c", .decision = POLICY_ALLOW, .rules = &rule, .rule_count = 1};
            const struct policy_call call = {.operation = OPERATION_INVOKE,
                                             .mismatch = (miguard_components)1 << a |
                                                         (miguard_components)1 << b};
            ck_assert_int_eq(policy_decide(&one, &call).decision,
                             a == b ? POLICY_ALLOW : POLICY_DENY);
        }
    }
}
END_TEST

/* ---- explain ------------------------------------------------------------------------- */

struct watch {
    unsigned seen, applied;
    const struct policy_rule *last;
};

static void watch_rule(void *context, const struct policy_rule *rule, const char *why_not)
{
    struct watch *watch = context;
    ck_assert_ptr_eq(rule, &rules[watch->seen]); /* in order, none left out */
    ck_assert_uint_eq(watch->applied, 0);        /* nothing is looked at behind a match */
    watch->seen++;
    watch->last = rule;
    if (why_not == NULL) {
        watch->applied++;
    } else {
        ck_assert_uint_gt(strlen(why_not), 0);
    }
}

START_TEST(explain_agrees_with_decide)
{
    for (unsigned operation = 0; operation < OPERATION_COUNT; operation++) {
        for (unsigned set = 0; set < 16; set++) {
            const struct policy_call call = {
                .operation = (enum operation)operation,
                .mismatch = (set & 1 ? (unsigned)EUID : 0) | (set & 2 ? (unsigned)FSUID : 0) |
                            (set & 4 ? (unsigned)NNP : 0) |
                            (set & 8 ? (unsigned)MIGUARD_COMPONENT_LSM_LABEL : 0)};
            struct watch watch = {0, 0, NULL};
            struct policy_verdict decided = policy_decide(&policy, &call);
            struct policy_verdict told = policy_explain(&policy, &call, watch_rule, &watch);
            ck_assert_int_eq(decided.decision, told.decision);
            ck_assert_int_eq(decided.would_deny, told.would_deny);
            ck_assert_int_eq(decided.recorded, told.recorded);
            ck_assert_int_eq(decided.audit_failure_denies, told.audit_failure_denies);
            ck_assert_str_eq(decided.rule, told.rule);
            ck_assert_str_eq(decided.source, told.source);
            ck_assert_str_eq(decided.reason, told.reason);
            if (watch.applied == 0) {
                ck_assert_uint_eq(watch.seen, policy.rule_count);
                ck_assert_str_eq(told.rule, "default");
            } else {
                ck_assert_str_eq(told.rule, watch.last->name);
            }
        }
    }
}
END_TEST

static const struct {
    struct policy_rule rule;
    struct policy_call call;
    const char *why; /* part of it; NULL: applies */
} reasons[] = {
    {{.operations = ONLY(INVOKE)}, {.operation = OPERATION_GET_CLASS}, "other operations"},
    {{.operations = ONLY(INVOKE)}, {.operation = OPERATION_INVOKE}, NULL},
    {{.operations = 0}, {.operation = OPERATION_GET_CLASS}, NULL},
    {{.mismatch = EUID}, {.operation = OPERATION_INVOKE}, "identity differs"},
    {{.mismatch = 0}, {.mismatch = EUID}, "identity is the same"},
    {{.mismatch = EUID}, {.mismatch = EUID | FSUID}, "cover every differing"},
    {{.mismatch = EUID}, {.mismatch = FSUID}, "cover every differing"},
    {{.mismatch = EUID | FSUID}, {.mismatch = FSUID}, NULL},
    {{.mismatch = ALL}, {.mismatch = ALL}, NULL},
};

static void keep_reason(void *context, const struct policy_rule *rule, const char *why_not)
{
    (void)rule;
    *(const char **)context = why_not;
}

START_TEST(explain_says_why_not)
{
    const struct policy one = {.source = "d", .rules = &reasons[_i].rule, .rule_count = 1};
    const char *why = "never told";

    (void)policy_explain(&one, &reasons[_i].call, keep_reason, &why);
    if (reasons[_i].why == NULL) {
        ck_assert_ptr_null(why);
    } else {
        ck_assert_ptr_nonnull(why);
        ck_assert_msg(strstr(why, reasons[_i].why) != NULL, "%s", why);
    }
}
END_TEST

START_TEST(operations_have_names)
{
    for (unsigned a = 0; a < OPERATION_COUNT; a++) {
        for (unsigned b = 0; b < a; b++) {
            ck_assert_str_ne(operation_name((enum operation)a), operation_name((enum operation)b));
        }
    }
    ck_assert_str_eq(operation_name(OPERATION_GET_LOCAL_SESSION), "GetLocalSession");
    ck_assert_str_eq(operation_name(OPERATION_CALLBACK), "Callback");
    ck_assert_str_eq(operation_name(OPERATION_COUNT), "unknown");
}
END_TEST

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *decisions = tcase_create("decide");
    tcase_add_loop_test(decisions, builtin, 0, LENGTH(builtin_rows));
    tcase_add_test(decisions, builtin_compares_everything_on_every_operation);
    tcase_add_test(decisions, zeroed_verdict_refuses);
    tcase_add_loop_test(decisions, first_match_wins, 0, LENGTH(rows));
    tcase_add_loop_test(decisions, modes_and_records, 0, LENGTH(modes));
    tcase_add_test(decisions, global_permissive_reaches_rules);
    tcase_add_test(decisions, a_rule_must_cover_every_differing_component);
    suite_add_tcase(suite, decisions);
    TCase *explain = tcase_create("explain");
    tcase_add_test(explain, explain_agrees_with_decide);
    tcase_add_loop_test(explain, explain_says_why_not, 0, LENGTH(reasons));
    tcase_add_test(explain, operations_have_names);
    suite_add_tcase(suite, explain);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
