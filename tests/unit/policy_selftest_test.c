/* SPDX-License-Identifier: MIT */
/* The tests within a policy: what they are asked, and what is told when one fails. */
#include "tools/policy/selftest.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY                                                                                     \
    "version: 1\n"                                                                                 \
    "rules:\n"                                                                                     \
    "  - {name: late, match: {mismatch: no-new-privs}, decision: allow}\n"                         \
    "  - {name: trial, match: {class: Trial}, decision: deny, mode: permissive}\n"                 \
    "  - {name: as-daemon, match: {user: root, as-user: daemon, mismatch: [ruid, euid, suid, "     \
    "fsuid, rgid, egid, sgid, fsgid, groups, cap-effective, cap-permitted]}, decision: allow}\n"   \
    "  - {name: no-methods, match: {operation: Invoke}, decision: deny}\n"                         \
    "  - {name: shared, match: {action: [upload, 'admin.*'], resource: '/srv/*'}, decision: "      \
    "deny}\n"

#define ROOT   "opened-as: {user: root, groups: []}"
#define IDS    "ruid, euid, suid, fsuid, rgid, egid, sgid, fsgid"
#define DAEMON "used-as: {user: 1, group: 1, groups: []}"

static const struct {
    const char *given, *expect, *complaint; /* NULL: it passes */
} rows[] = {
    {ROOT ", operation: GetInstance, class: Any", "decision: allow", NULL},
    {ROOT ", operation: GetInstance, class: Any", "decision: allow, mismatch: [], rule: default",
     NULL},
    {ROOT ", operation: GetInstance, class: Any", "decision: deny",
     "expected decision deny, got allow"},
    {ROOT ", operation: Invoke", "decision: deny, rule: no-methods", NULL},
    {ROOT ", operation: Invoke", "decision: deny, rule: default",
     "expected rule 'default', got 'no-methods'"},
    {ROOT ", operation: Invoke", "decision: allow, rule: late",
     "expected decision allow, got deny; expected rule 'late', got 'no-methods'"},
    {ROOT ", operation: Invoke", "decision: allow", "decided by 'no-methods' (test:6:"},

    /* who differs in what */
    {ROOT ", used-as: {user: root, groups: []}, operation: GetInstance, class: Any",
     "decision: allow, mismatch: []", NULL},
    {ROOT ", " DAEMON ", operation: GetInstance, class: Any",
     "decision: allow, mismatch: [" IDS ", cap-effective, cap-permitted], rule: as-daemon", NULL},
    {"opened-as: {user: root, groups: [7]}, " DAEMON ", operation: GetInstance, class: Any",
     "decision: allow, mismatch: [" IDS ", groups, cap-effective, cap-permitted]", NULL},
    {"opened-as: {user: root, groups: [7, 3]}, used-as: {user: root, groups: [3, 7, 3]}, "
     "operation: GetInstance, class: Any",
     "decision: allow, mismatch: []", NULL},
    {"opened-as: {user: root, groups: [7]}, used-as: {user: root, groups: [3]}, "
     "operation: GetInstance, class: Any",
     "decision: deny, mismatch: groups", NULL},
    {ROOT ", used-as: {user: root, groups: [], group: 5}, operation: GetInstance, class: Any",
     "decision: deny, mismatch: [rgid, egid, sgid, fsgid]", NULL},
    {ROOT ", used-as: {user: root, groups: [], drop-capabilities: CAP_KILL}, operation: "
          "GetInstance, class: Any",
     "decision: deny, mismatch: [cap-effective, cap-permitted]", NULL},
    {ROOT ", " DAEMON ", operation: GetInstance, class: Any", "decision: allow, mismatch: [euid]",
     "expected mismatch [euid], got [" IDS ", cap-effective, cap-permitted]"},
    {ROOT ", operation: GetInstance, class: Any", "decision: allow, mismatch: [euid]",
     "expected mismatch [euid], got []"},

    /* what is said to differ */
    {ROOT ", mismatch: no-new-privs, operation: GetInstance, class: Any",
     "decision: allow, mismatch: no-new-privs, rule: late", NULL},
    {ROOT ", mismatch: [no-new-privs, securebits], operation: GetInstance, class: Any",
     "decision: deny, mismatch: [securebits, no-new-privs], rule: default", NULL},

    /* a name that is missing, or that a host could take for another, is each that a rule asks for
     */
    {ROOT ", operation: GetInstance", "decision: deny, rule: trial", NULL},
    {ROOT ", operation: GetInstance, class: \"Any \"", "decision: allow",
     "decided by 'trial' (test:4:6), since a name of the call is missing or cannot be read with "
     "certainty"},
    {ROOT ", operation: EnumerateClasses", "decision: allow, rule: default", NULL},
    {ROOT ", operation: Subscribe, class: [Any, TRIAL]", "decision: deny, rule: trial", NULL},

    /* own actions, and those of MI by their names */
    {ROOT ", action: upload, resource: /srv/a", "decision: deny, rule: shared", NULL},
    {ROOT ", action: admin.delete, resource: /srv/a/b", "decision: deny, rule: shared", NULL},
    {ROOT ", action: upload, resource: /SRV/a", "decision: allow, rule: default", NULL},
    {ROOT ", action: Upload, resource: /srv/a", "decision: allow, rule: default", NULL},
    {ROOT ", action: upload", "decision: allow, rule: default", NULL},
    {ROOT ", operation: Action, action: stat, resource: /srv/a", "decision: allow", NULL},
    {ROOT ", action: Invoke, class: A, method: B", "decision: deny, rule: no-methods", NULL},
    {ROOT ", operation: Bind", "decision: allow, rule: default", NULL},
    {ROOT ", action: upload, resource: /srv/a", "decision: allow",
     "expected decision allow, got deny; decided by 'shared'"},

    /* what the rules say, whatever mode lets pass */
    {ROOT ", operation: GetInstance, class: Trial", "decision: deny, rule: trial", NULL},
    {ROOT ", operation: GetInstance, class: Trial", "decision: allow",
     "expected decision allow, got deny"},
};

struct run {
    struct policy_draft *draft;
    const struct policy *policy;
    struct selftest_result result;
    struct diagnostics findings;
};

static void start(struct run *run, const char *policy)
{
    struct text text = TEXT_EMPTY;

    memset(run, 0, sizeof(*run));
    if (draft_load_text("test", policy, strlen(policy), &run->draft, &run->findings) !=
        MIGUARD_OK) {
        diagnostics_write(&run->findings, &text);
        ck_abort_msg("%s\n%s", policy, text.data);
    }
    ck_assert_int_eq(policy_compile(run->draft, &run->policy), MIGUARD_OK);
    ck_assert_int_eq(selftest_run(run->draft, run->policy, &run->result, &run->findings),
                     MIGUARD_OK);
}

static void stop(struct run *run)
{
    selftest_release(&run->result);
    policy_release(run->policy);
    draft_free(run->draft);
    diagnostics_release(&run->findings);
}

START_TEST(selftest_row)
{
    char policy[4096];
    struct run run;

    snprintf(policy, sizeof(policy), "%stests:\n  - {name: t, given: {%s}, expect: {%s}}\n", POLICY,
             rows[_i].given, rows[_i].expect);
    start(&run, policy);
    bool passes = rows[_i].complaint == NULL;
    const char *said = run.findings.count == 0 ? "" : run.findings.items[0].message;
    ck_assert_msg(run.result.passed == passes && run.result.failed == !passes &&
                      run.findings.count == !passes &&
                      (passes || strstr(said, rows[_i].complaint) != NULL),
                  "given {%s} expect {%s}\n  expected '%s', got '%s'", rows[_i].given,
                  rows[_i].expect, passes ? "" : rows[_i].complaint, said);
    if (!passes) {
        ck_assert_str_eq(run.findings.items[0].file, "test");
        ck_assert_uint_eq(run.findings.items[0].line, 9);
        ck_assert_int_eq(run.findings.items[0].severity, DIAGNOSTIC_ERROR);
    }
    stop(&run);
}
END_TEST

/* What compare leaves out does not differ: the guard does not look at it. */
START_TEST(only_what_is_compared)
{
    struct run run;

    start(&run, "version: 1\ncompare: [euid]\ntests:\n"
                "  - {name: t, given: {" ROOT ", " DAEMON ", mismatch: securebits, operation: "
                "GetInstance}, expect: {decision: deny, mismatch: [euid]}}\n");
    ck_assert_uint_eq(run.result.passed, 1);
    stop(&run);
}
END_TEST

START_TEST(coverage)
{
    struct run run;

    start(&run, POLICY);
    ck_assert_uint_eq(selftest_coverage(&run.result), 0);
    stop(&run);
    start(&run,
          POLICY "tests:\n  - {name: t, given: {" ROOT ", operation: Invoke}, expect: "
                 "{decision: deny}}\n  - {name: u, given: {" ROOT ", operation: GetClass, class: "
                 "Any}, "
                 "expect: {decision: allow}}\n");
    ck_assert_uint_eq(run.result.rule_count, 5);
    ck_assert(run.result.rules_reached[3] && !run.result.rules_reached[0]);
    ck_assert(run.result.default_reached);
    ck_assert_uint_eq(selftest_coverage(&run.result), 33);
    stop(&run);
    start(&run, "version: 1\ntests:\n  - {name: t, given: {" ROOT ", operation: Invoke}, expect: "
                "{decision: allow}}\n");
    ck_assert_uint_eq(selftest_coverage(&run.result), 100);
    stop(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy selftest");
    TCase *cases = tcase_create("selftest");

    tcase_add_loop_test(cases, selftest_row, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(cases, only_what_is_compared);
    tcase_add_test(cases, coverage);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
