/* SPDX-License-Identifier: MIT */
/* What lint says of a policy: a row is a policy and the words of its one warning, or none. */
#include "tools/policy/lint.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define RULES "version: 1\nrules:\n"

/* Two rules: the first with match A and decision A, the second with B. */
#define PAIR(a, b)                                                                                 \
    RULES "  - {name: one, match: {" a "}, decision: deny}\n"                                      \
          "  - {name: two, match: {" b "}, decision: allow}\n"
#define ONE(match, decision) RULES "  - {name: one, match: {" match "}, decision: " decision "}\n"

#define SHADOWED "rule 'two' is never reached: 'one' (test:3) comes first"

static const struct {
    const char *what, *policy, *warning; /* NULL: nothing is said */
} rows[] = {
    /* shadowing: each attribute by itself, then together */
    {"the same", PAIR("user: root", "user: root"), SHADOWED},
    {"no match at all",
     RULES "  - {name: one, decision: deny}\n"
           "  - {name: two, match: {user: root}, decision: deny}\n",
     SHADOWED},
    {"decides otherwise", PAIR("user: root", "user: root"), "and decides otherwise"},
    {"another user", PAIR("user: root", "user: daemon"), NULL},
    {"the narrower first", PAIR("user: root", "class: A, user: root"), SHADOWED},
    {"the wider second", PAIR("class: A, user: root", "user: root"), NULL},
    {"a range around a user", PAIR("user: 0-99", "user: root"), SHADOWED},
    {"ranges that meet", PAIR("user: [0-9, 10-20]", "user: 5-15"), SHADOWED},
    {"ranges with a gap", PAIR("user: [0-9, 11-20]", "user: 5-15"), NULL},
    {"a range that is cut", PAIR("user: 0-9", "user: 5-15"), NULL},
    {"the last id", PAIR("user: 5-4294967294", "user: 4294967290-4294967294"), SHADOWED},
    {"one of several users", PAIR("user: [root, daemon]", "user: daemon"), SHADOWED},
    {"more users", PAIR("user: daemon", "user: [root, daemon]"), NULL},
    {"any user after one", PAIR("user: root", "class: A"), NULL},
    {"a group and a user", PAIR("group: root", "user: root"), NULL},
    {"the same group", PAIR("group: 0-5", "group: root"), SHADOWED},
    {"fewer of all groups", PAIR("all-groups: [1, 2]", "all-groups: [2, 3, 1]"), SHADOWED},
    {"more of all groups", PAIR("all-groups: [1, 2, 3]", "all-groups: [1, 2]"), NULL},
    {"all groups by range", PAIR("all-groups: [0-5]", "all-groups: [9, 3]"), SHADOWED},
    {"all groups and one", PAIR("all-groups: [1]", "group: 1"), NULL},
    {"as-all-groups without mismatch", ONE("as-all-groups: root", "deny"),
     "as- keys and no mismatch"},
    {"a capability of two", PAIR("capability: [CAP_CHOWN, CAP_KILL]", "capability: CAP_KILL"),
     SHADOWED},
    {"two capabilities of one", PAIR("capability: CAP_KILL", "capability: [CAP_CHOWN, CAP_KILL]"),
     NULL},
    {"star", PAIR("class: \"*\"", "class: A"), SHADOWED},
    {"star and nothing said", PAIR("class: \"*\"", "user: root"), SHADOWED},
    {"a pattern and its word", PAIR("class: \"Web_*\"", "class: Web_Page"), SHADOWED},
    {"a pattern and another word", PAIR("class: \"Web_*\"", "class: CIM_Page"), NULL},
    {"a pattern in a pattern", PAIR("class: \"Web_*\"", "class: \"Web_P*e\""), SHADOWED},
    {"a pattern around a pattern", PAIR("class: \"Web_P*\"", "class: \"Web_*\""), NULL},
    {"a letter is no star", PAIR("class: \"Web_?\"", "class: \"Web_*\""), NULL},
    {"quoted, not sure", PAIR("provider: \"W\\\\*\"", "provider: \"W*\""), NULL},
    {"a class in another case", PAIR("class: web_page", "class: Web_Page"), SHADOWED},
    {"a method in another case", PAIR("method: stop", "method: Stop"), SHADOWED},
    {"one method and all", PAIR("method: Stop", "class: A"), NULL},
    {"all and one method", PAIR("class: A", "class: A, method: Stop"), SHADOWED},
    {"a method of none", ONE("method: Stop, operation: [GetInstance, Subscribe]", "deny"),
     "no call of its operations has a method"},
    {"a method of one", ONE("method: Stop, operation: [GetInstance, Invoke]", "deny"),
     "never matches GetInstance, which it lists: a call of it has no method"},
    {"a method of a use", ONE("method: Stop, operation: OperationGetInstance", "deny"), NULL},
    {"a namespace in another case", PAIR("namespace: \"ROOT/*\"", "namespace: root/x"), SHADOWED},
    {"a provider in another case", PAIR("provider: LIBX.so", "provider: libx.so"), NULL},
    {"an operation of two", PAIR("operation: [Invoke, GetClass]", "operation: Invoke"), SHADOWED},
    {"another operation", PAIR("operation: Invoke", "operation: GetClass"), NULL},
    {"any operation after one", PAIR("operation: Invoke", "user: root"), NULL},
    {"with and without mismatch", PAIR("user: root", "user: root, mismatch: securebits"), NULL},
    {"mismatch in a larger one",
     PAIR("mismatch: [euid, securebits]", "user: root, mismatch: securebits"), SHADOWED},
    {"mismatch in a smaller one",
     PAIR("mismatch: securebits", "user: root, mismatch: [securebits, lsm-label]"), NULL},

    /* names of accounts */
    {"a name in a pattern", PAIR("user-name: \"svc-*\"", "user-name: svc-web"), SHADOWED},
    {"a name in another case", PAIR("user-name: SVC", "user-name: svc"), NULL},
    {"any name, and none", PAIR("group-name: \"?*\"", "user: root"), NULL},
    {"any name alone", ONE("user-name: \"*\"", "deny"), "leave the key out"},
    {"any group alone", ONE("group-name: [ops, \"*\"]", "deny"), "\"*\" under group-name"},

    /* rules that no call reaches */
    {"open and mismatch", ONE("operation: GetLocalSession, mismatch: securebits", "deny"),
     "nothing can differ in GetLocalSession"},
    {"open among others", ONE("operation: [GetLocalSession, Invoke], mismatch: securebits", "deny"),
     NULL},
    {"as-user without mismatch", ONE("as-user: root", "deny"), "as- keys and no mismatch"},
    {"as-group without mismatch", ONE("as-group: root", "deny"), "as- keys and no mismatch"},
    {"as-capability without mismatch", ONE("as-capability: CAP_KILL", "deny"),
     "as- keys and no mismatch"},
    {"as-user with mismatch", ONE("as-user: root, mismatch: securebits", "deny"), NULL},
    {"mismatch that is not compared",
     "version: 1\ncompare: [euid, fsuid, egid, fsgid, groups, cap-effective]\nrules:\n"
     "  - {name: one, match: {mismatch: securebits}, decision: deny}\n",
     "never reached: its mismatch has only what compare leaves out: securebits"},
    {"mismatch that is partly compared",
     "version: 1\ncompare: [euid, fsuid, egid, fsgid, groups, cap-effective]\nrules:\n"
     "  - {name: one, match: {mismatch: [euid, securebits]}, decision: deny}\n",
     "what compare leaves out and no call can show: securebits"},

    /* actions and resources */
    {"an action of two", PAIR("action: [upload, stat]", "action: upload"), SHADOWED},
    {"an action in a pattern", PAIR("action: \"admin.*\"", "action: admin.x"), SHADOWED},
    {"an action in another case", PAIR("action: UPLOAD", "action: upload"), NULL},
    {"a resource in a pattern", PAIR("resource: \"/srv/*\"", "resource: /srv/a"), SHADOWED},
    {"a resource in another case", PAIR("resource: \"/SRV/*\"", "resource: /srv/a"), NULL},
    {"one resource and all", PAIR("resource: /srv", "action: upload"), NULL},
    {"open by its action, and mismatch", ONE("action: Bind, mismatch: securebits", "deny"),
     "nothing can differ in GetLocalSession and Bind"},
    {"both openings and mismatch",
     ONE("operation: [Bind, GetLocalSession], mismatch: securebits", "deny"),
     "nothing can differ in GetLocalSession and Bind"},
    {"an action and mismatch", ONE("action: \"B*\", mismatch: securebits", "deny"), NULL},
    {"an action of none", ONE("operation: [GetInstance, GetClass], action: upload", "deny"),
     "none of its operations is one of its actions"},
    {"an action of one", ONE("operation: [GetInstance, GetClass], action: \"Get*\"", "deny"), NULL},
    {"a resource of MI", ONE("operation: GetInstance, resource: /srv", "deny"),
     "no call of its operations has a resource"},
    {"a resource of an action of MI",
     ONE("action: [GetInstance, GetClass], resource: /srv", "deny"),
     "no call of its operations has a resource"},
    {"a resource of an opening, and of MI",
     ONE("operation: [GetInstance, Bind], resource: /srv", "deny"),
     "never matches GetInstance, which it lists: a call of it has no resource"},
    {"a resource of an opening", ONE("operation: Bind, resource: /srv", "deny"), NULL},
    {"a namespace of the session, too",
     ONE("operation: [GetLocalSession, GetInstance], namespace: root", "deny"),
     "never matches GetLocalSession, which it lists: a call of it has no namespace"},
    {"a class of a group", ONE("operation: read, class: A", "deny"), NULL},
    {"a namespace of every group that has one",
     ONE("operation: [read, write, invoke, subscribe, take-in], namespace: root", "deny"), NULL},
    {"a namespace of a group without", ONE("operation: [session, read], namespace: root", "deny"),
     "never matches GetLocalSession"},
    {"a method of a group", ONE("operation: invoke, method: Stop", "deny"), NULL},
    {"a method of a group without", ONE("operation: [write, invoke], method: Stop", "deny"),
     "never matches ModifyInstance"},
    {"any resource of MI", ONE("operation: GetInstance, resource: \"*\"", "deny"), NULL},
    {"a resource of a pattern", ONE("action: \"Get*\", resource: /srv", "deny"), NULL},
    {"a resource of any", ONE("resource: /srv", "deny"), NULL},
    {"a class of an own action", ONE("action: upload, class: A", "deny"),
     "no call of its operations has a class"},
    {"a namespace of Bind", ONE("operation: Bind, namespace: root", "deny"),
     "no call of its operations has a namespace"},
    {"any class of an own action", ONE("action: upload, class: \"*\"", "deny"), NULL},
    {"a class of both", ONE("action: [upload, GetClass], class: A", "deny"), NULL},
    {"a method of an own action", ONE("action: upload, method: Stop", "deny"),
     "no call of its operations has a method"},
    {"an operation in another case", ONE("action: getinstance", "deny"),
     "its action 'getinstance' is not the operation GetInstance"},
    {"an own action of nearly that name", ONE("action: subscribe2", "deny"), NULL},

    /* sinks */
    {"no sink that denies", "version: 1\naudit: {sinks: [{journald: {}}, {syslog: {}}]}\n",
     "no sink has on-failure: deny"},
    {"a sink that denies",
     "version: 1\naudit: {sinks: [{journald: {on-failure: deny}}, {syslog: {}}]}\n", NULL},
    {"no sink that denies, and none is asked for",
     "version: 1\ndefaults: {decision: deny, on-audit-failure: allow}\n"
     "audit: {sinks: [{journald: {}}]}\n",
     NULL},

    /* rules that allow too much */
    {"any euid for everybody", ONE("mismatch: euid", "allow"),
     "another identity to use the session, for every user and provider; add user or provider, or "
     "take away: euid"},
    {"capabilities for everybody", ONE("mismatch: cap-effective", "allow"), "cap-effective"},
    {"provider star is everybody", ONE("provider: \"*\", mismatch: euid", "allow"), "every user"},
    {"any euid for a user", ONE("user: root, mismatch: euid", "allow"), NULL},
    {"any euid for a provider", ONE("provider: libx.so, mismatch: euid", "allow"), NULL},
    {"any euid is refused", ONE("mismatch: euid", "deny"), NULL},
    {"what only takes away", ONE("mismatch: no-new-privs", "allow"), NULL},
    {"all that is compared",
     "version: 1\ncompare: [euid, fsuid, egid, fsgid, groups, cap-effective]\nrules:\n"
     "  - {name: one, match: {user: root, mismatch: [euid, fsuid, egid, fsgid, groups, "
     "cap-effective]}, decision: allow}\n",
     "allows whatever differs"},

    /* settings */
    {"allow without a record", "version: 1\ndefaults: {on-audit-failure: allow}\n",
     "defaults allow, and on-audit-failure: allow"},
    {"deny without a record", "version: 1\ndefaults: {decision: deny, on-audit-failure: allow}\n",
     NULL},
    {"fsuid is not compared", "version: 1\ncompare: [euid, egid, fsgid, groups, cap-effective]\n",
     "compare leaves out what the kernel decides by: fsuid"},
    {"the built-in", "version: 1\n", NULL},

/* a default of deny, step by step */
#define DENY_BUT(operations)                                                                       \
    "version: 1\ndefaults: {decision: deny}\nrules:\n  - {name: one, match: "                      \
    "{operation: " operations "}, decision: allow}\n"
    {"all that reading needs", DENY_BUT("[session, read]"), NULL},
    {"all by name",
     DENY_BUT("[GetLocalSession, GetInstance, OperationGetInstance, OperationClose]"), NULL},
    {"no session", DENY_BUT("read"), "none allows to have a session"},
    {"nothing is closed", DENY_BUT("[GetLocalSession, Invoke, OperationGetInstance]"),
     "none allows to close what was started"},
    {"nothing is taken in", DENY_BUT("[GetLocalSession, Invoke, OperationClose]"),
     "none allows to take in a result"},
    {"results of a callback", DENY_BUT("[GetLocalSession, Invoke, Callback, OperationClose]"),
     NULL},
    {"nothing is started", DENY_BUT("[GetLocalSession, SessionClose]"), NULL},
    {"own actions only",
     "version: 1\ndefaults: {decision: deny}\nrules:\n  - {name: one, match: {action: up*}, "
     "decision: allow}\n",
     NULL},

    /* tests */
    {"a test of a session that opens as another",
     "version: 1\ntests:\n  - {name: t, given: {opened-as: {user: root}, used-as: {user: daemon}, "
     "operation: GetLocalSession}, expect: {decision: deny}}\n",
     "test 't': nothing can differ in GetLocalSession"},
    {"a test of a daemon that binds as another",
     "version: 1\ntests:\n  - {name: t, given: {opened-as: {user: root}, used-as: {user: daemon}, "
     "operation: Bind}, expect: {decision: deny}}\n",
     "test 't': nothing can differ in Bind"},
    {"clients: one entry after another",
     "version: 1\nclients: [{provider: a.so, may: identify}, {provider: b.so, may: nothing}]\n",
     NULL},
    {"clients: an entry for all that allows less comes last",
     "version: 1\nclients: [{provider: a.so, may: impersonate}, {provider: \"*\", may: "
     "identify}]\n",
     NULL},
    {"clients: behind an entry for all",
     "version: 1\nclients: [{provider: \"*\", may: nothing}, {provider: a.so, may: identify}]\n",
     "clients: the entry for 'a.so' is never reached"},
    {"clients: each provider of a list is named before",
     "version: 1\nclients: [{provider: [a.so, \"b*\"], may: nothing}, {provider: [bc.so, a.so], "
     "may: identify}]\n",
     "clients: the entry for 'bc.so' is never reached"},
    {"clients: one of a list is not",
     "version: 1\nclients: [{provider: [a.so, \"b*\"], may: nothing}, {provider: [bc.so, c.so], "
     "may: identify}]\n",
     NULL},
    {"clients: all may impersonate", "version: 1\nclients: [{provider: \"*\", may: impersonate}]\n",
     "every provider may impersonate the client"},
    {"an own action in another case that has a test",
     ONE("action: subscribe", "deny") "tests:\n  - {name: t, given: {opened-as: {user: root}, "
                                      "action: subscribe}, expect: {decision: deny}}\n",
     NULL},
};

/* The messages, one a line. */
static char *lint(const char *policy, bool tested, size_t *ret_count)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY, findings = DIAGNOSTICS_EMPTY;
    struct selftest_result result = {0};
    struct policy_draft *draft = NULL;
    const struct policy *compiled = NULL;
    struct text text = TEXT_EMPTY;

    if (draft_load_text("test", policy, strlen(policy), &draft, &errors) != MIGUARD_OK) {
        diagnostics_write(&errors, &text);
        ck_abort_msg("%s\n%s", policy, text.data);
    }
    ck_assert_int_eq(policy_compile(draft, &compiled), MIGUARD_OK);
    ck_assert_int_eq(selftest_run(draft, compiled, &result, &errors), MIGUARD_OK);
    lint_draft(draft, tested ? &result : NULL, &findings);
    ck_assert_uint_eq(findings.errors, 0);
    for (size_t i = 0; i < findings.count; i++) {
        text_format(&text, "%s\n", findings.items[i].message);
    }
    *ret_count = findings.count;
    text_append(&text, "");
    selftest_release(&result);
    policy_release(compiled);
    draft_free(draft);
    diagnostics_release(&errors);
    diagnostics_release(&findings);
    return text.data;
}

START_TEST(lint_row)
{
    size_t count = 0;
    char *said = lint(rows[_i].policy, false, &count);

    ck_assert_msg(rows[_i].warning == NULL ? count == 0
                                           : count == 1 && strstr(said, rows[_i].warning) != NULL,
                  "%s: expected '%s', got:\n%s", rows[_i].what,
                  rows[_i].warning == NULL ? "" : rows[_i].warning, said);
    free(said);
}
END_TEST

START_TEST(untested_rules)
{
    size_t count = 0;
    char *said = lint(PAIR("user: root", "user: daemon"), true, &count);

    ck_assert_uint_eq(count, 1);
    ck_assert_msg(strstr(said, "there are rules and no tests") != NULL, "%s", said);
    free(said);
    said =
        lint(PAIR("user: root", "user: daemon") "tests:\n  - {name: t, given: {opened-as: {user: "
                                                "root}, operation: Invoke}, expect: {decision: "
                                                "deny}}\n",
             true, &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_msg(strstr(said, "no test reaches rule 'two'") != NULL, "%s", said);
    ck_assert_msg(strstr(said, "no test reaches the default") != NULL, "%s", said);
    free(said);
}
END_TEST

/* mismatch: all of what is compared also covers rules for a part of it, under compare: all too. */
START_TEST(everything_may_differ)
{
    size_t count = 0;
    struct text policy = TEXT_EMPTY;

    text_append(&policy, RULES "  - {name: one, decision: allow, match: {user: root, mismatch: [");
    identity_components_text(&policy, MIGUARD_COMPONENTS_ALL);
    text_append(&policy, "]}}\n");
    char *said = lint(policy.data, false, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_msg(strstr(said, "allows whatever differs") != NULL, "%s", said);
    free(said);
    text_release(&policy);
}
END_TEST

/* A hundred patterns may begin with a wildcard, of any key and in any rules. */
START_TEST(many_leading_stars)
{
    size_t count = 0;
    struct text policy = TEXT_EMPTY;

    text_append(&policy, RULES);
    for (int i = 0; i < 50; i++) {
        text_format(&policy,
                    "  - {name: r%d, decision: deny, match: {class: [\"*_%d\", \"*\", A%d], "
                    "provider: \"?x%d*\"}}\n",
                    i, i, i, i);
    }
    char *said = lint(policy.data, false, &count);
    ck_assert_msg(count == 0, "%s", said);
    free(said);
    text_append(&policy, "  - {name: one-more, decision: deny, match: {action: \"*.y\"}}\n");
    said = lint(policy.data, false, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_msg(strstr(said, "101 patterns begin with a wildcard") != NULL, "%s", said);
    free(said);
    text_release(&policy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy lint");
    TCase *cases = tcase_create("lint");

    tcase_add_loop_test(cases, lint_row, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(cases, untested_rules);
    tcase_add_test(cases, everything_may_differ);
    tcase_add_test(cases, many_leading_stars);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
