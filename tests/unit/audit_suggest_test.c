/* SPDX-License-Identifier: MIT */
/*
 * The rules are loaded, compiled and asked by the policy itself: for every call of a small world,
 * allowed if and only if it was seen.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "support/review_line.h"
#include "tools/review/suggest.h"

static void add(struct suggest *suggest, const struct review_line *facts)
{
    struct record record = review_record(facts);
    ck_assert(suggest_add(suggest, &record));
}

/* Appends a default that denies what is the same, so that only the rules allow. */
static const struct policy *load(const struct text *text)
{
    struct policy_draft *draft = NULL;
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct text whole = TEXT_EMPTY, told = TEXT_EMPTY;
    const struct policy *policy = NULL;

    text_append_bytes(&whole, text->data, text->length);
    text_append(&whole, "defaults: {decision: deny}\n");
    enum miguard_status status =
        draft_load_text("suggested", whole.data, whole.length, &draft, &errors);
    diagnostics_write(&errors, &told);
    ck_assert_msg(status == MIGUARD_OK, "%s", told.data != NULL ? told.data : "");
    ck_assert_int_eq(policy_compile(draft, &policy), MIGUARD_OK);
    draft_free(draft);
    diagnostics_release(&errors);
    text_release(&whole);
    text_release(&told);
    return policy;
}

/* ---- never broader than what was seen --------------------------------------------------------*/

enum { USERS = 3, NAMES = 2, SETS = 4, OPERATIONS = 4 };

static const uint32_t users[USERS] = {0, 33, 65534};
static const char *const providers[NAMES] = {"liba.so", "lib*.so"};
static const char *const spaces[NAMES] = {"root/a", "root/b"};
static const char *const classes[NAMES] = {"A", "B"};
static const enum operation operations[OPERATIONS] = {OPERATION_GET_INSTANCE, OPERATION_INVOKE,
                                                      OPERATION_INVOKE, OPERATION_DELETE_INSTANCE};
static const char *const methods[OPERATIONS] = {"", "Start", "Stop", ""};
static const struct {
    const char *json;
    miguard_components components;
} sets[SETS] = {
    {"", 0},
    {"[\"euid\"]", MIGUARD_COMPONENT_EUID},
    {"[\"euid\",\"fsuid\"]", MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_FSUID},
    {"[\"euid\",\"cap-effective\"]", MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_CAP_EFFECTIVE},
};

struct point {
    unsigned user, as_user, provider, space, class, operation, set;
};

enum { POINTS = USERS * USERS * NAMES * NAMES * NAMES * OPERATIONS * SETS };

static struct point point_of(unsigned i)
{
    struct point point;

    point.user = i % USERS, i /= USERS;
    point.as_user = i % USERS, i /= USERS;
    point.provider = i % NAMES, i /= NAMES;
    point.space = i % NAMES, i /= NAMES;
    point.class = i % NAMES, i /= NAMES;
    point.operation = i % OPERATIONS, i /= OPERATIONS;
    point.set = i % SETS;
    if (point.set == 0) { /* the same identity */
        point.as_user = point.user;
    }
    return point;
}

static unsigned index_of(const struct point *p)
{
    return p->user +
           USERS *
               (p->as_user +
                USERS * (p->provider +
                         NAMES * (p->space + NAMES * (p->class + NAMES * (p->operation +
                                                                          OPERATIONS * p->set)))));
}

static struct miguard_identity identity_of(uint32_t uid)
{
    return (struct miguard_identity){.tag = IDENTITY_TAG,
                                     .known = MIGUARD_COMPONENTS_ALL,
                                     .uid = {uid, uid, uid, uid},
                                     .gid = {0, 0, 0, 0}};
}

static bool allowed(const struct policy *policy, const struct point *point)
{
    struct miguard_identity opened = identity_of(users[point->user]);
    struct miguard_identity used = identity_of(users[point->as_user]);
    struct policy_call call = {.operation = operations[point->operation],
                               .opened_as = &opened,
                               .used_as = &used,
                               .mismatch = sets[point->set].components,
                               .provider = providers[point->provider],
                               .name_space = spaces[point->space],
                               .class_name = classes[point->class],
                               .method = methods[point->operation]};

    return policy_decide(policy, &call).decision == POLICY_ALLOW;
}

static void add_point(struct suggest *suggest, const struct point *point)
{
    struct review_line facts = {.user = users[point->user],
                                .as_user = users[point->as_user],
                                .provider = providers[point->provider],
                                .name_space = spaces[point->space],
                                .class_name = classes[point->class],
                                .operation = operation_name(operations[point->operation]),
                                .method = methods[point->operation],
                                .mismatch = sets[point->set].json,
                                .reason = point->set == 0 ? "policy" : "identity-mismatch"};

    facts.would_deny = point->user == 1;
    add(suggest, &facts);
}

/* A rule covers calls that differ in fewer components, and no other that was not seen. */
static bool seen_or_less(const bool *seen, struct point point)
{
    miguard_components wanted = sets[point.set].components;

    if (wanted == 0) {
        return seen[index_of(&point)];
    }
    for (point.set = 1; point.set < SETS; point.set++) {
        if ((wanted & ~sets[point.set].components) == 0 && seen[index_of(&point)]) {
            return true;
        }
    }
    return false;
}

START_TEST(test_exactly_what_was_seen)
{
    static bool seen[POINTS];
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;
    unsigned seed = (unsigned)_i * 7919 + 1, share = 2 + (unsigned)_i % 9;

    memset(seen, 0, sizeof(seen));
    for (unsigned i = 0; i < POINTS; i++) {
        seed = seed * 1103515245 + 12345;
        struct point point = point_of(i);
        if ((seed >> 16) % share == 0 && !seen[index_of(&point)]) {
            seen[index_of(&point)] = true;
            add_point(suggest, &point);
        }
    }
    size_t rules = suggest_write(suggest, &text);
    ck_assert(rules > 0 && rules != SIZE_MAX);
    bool whole = strstr(text.data, "holds no more rules") == NULL;
    const struct policy *policy = load(&text);
    ck_assert_uint_eq(policy_rule_count(policy), rules);
    for (unsigned i = 0; i < POINTS; i++) {
        struct point point = point_of(i);
        bool right = seen_or_less(seen, point);
        if (whole) {
            ck_assert_msg(allowed(policy, &point) == right, "call %u", i);
        } else {
            ck_assert_msg(!allowed(policy, &point) || right, "call %u", i);
        }
    }
    policy_release(policy);
    text_release(&text);
    suggest_free(suggest);
}
END_TEST

/* Everything of a product becomes one rule, but for calls with a method and calls without one,
 * which no list of methods can say together. */
START_TEST(test_products_merge)
{
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;

    for (unsigned i = 0; i < POINTS; i++) {
        struct point point = point_of(i);
        if (point.set == 2 && point.user == 0 && point.as_user != 0) {
            add_point(suggest, &point);
        }
    }
    ck_assert_uint_eq(suggest_write(suggest, &text), 2);
    ck_assert_ptr_nonnull(
        strstr(text.data, "      method: [\"Start\", \"Stop\"]\n      operation: [Invoke]\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "      user: [0]\n      as-user: [33, 65534]\n"
                                            "      provider: [\"liba.so\", \"lib\\\\*.so\"]\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "      mismatch: [euid, fsuid]\n"));
    policy_release(load(&text));
    text_release(&text);
    suggest_free(suggest);
}
END_TEST

/* ---- what gets no rule -----------------------------------------------------------------------*/

static const struct {
    const char *reason;
    bool rule;
    const char *comment;
} reasons[] = {
#define REASON_ROW(NAME, name, text)                                                               \
    {name,                                                                                         \
     AUDIT_REASON_##NAME == AUDIT_REASON_IDENTITY_MISMATCH ||                                      \
         AUDIT_REASON_##NAME == AUDIT_REASON_POLICY,                                               \
     text},
    AUDIT_REASON_MAP(REASON_ROW)
#undef REASON_ROW
};

START_TEST(test_reasons)
{
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;

    add(suggest, &(struct review_line){.reason = reasons[_i].reason, .as_user = 5, .repeats = 3});
    ck_assert_uint_eq(suggest_write(suggest, &text), reasons[_i].rule ? 1 : 0);
    ck_assert_ptr_nonnull(strstr(text.data, "# WARNING: most refusals are bugs of the provider."));
    if (!reasons[_i].rule) {
        ck_assert_ptr_nonnull(strstr(text.data, "# 3 refused calls without a rule: "));
        ck_assert_ptr_nonnull(strstr(text.data, reasons[_i].comment));
    }
    policy_release(load(&text));
    text_release(&text);
    suggest_free(suggest);
}
END_TEST

static const struct {
    struct review_line facts;
    size_t rules;
    const char *comment; /* or a part of the rule */
} rows[] = {
    {{.allowed = true}, 0, NULL},
    {{.action = "policy-refused", .reason = "policy"}, 0, NULL},
    {{.class_name = ""}, 0, "lacks a user, provider, namespace, class, method or resource"},
    {{.provider = ""}, 0, "lacks a user, provider, namespace, class, method or resource"},
    {{.operation = "Invoke"}, 0, "lacks a user, provider, namespace, class, method or resource"},
    {{.operation = "Invoke", .method = "Stop"},
     1,
     "class: [\"MG_File\"]\n      method: [\"Stop\"]\n      operation: [Invoke]\n"},
    {{.operation = "OperationGetInstance", .method = "Stop"}, 1, "      method: [\"Stop\"]\n"},
    {{.operation = "Invoke", .method = "St op"}, 0, "characters that no policy may hold"},
    {{.operation = "Unheard"}, 0, "lacks a user"},
    {{.mismatch = "[\"euid\",\"unheard\"]"}, 0, "lacks a user"},
    {{.mismatch = ""}, 0, "lacks a user"},
    {{.user = UINT32_MAX}, 0, "lacks a user"},
    {{.class_name = "a\\u0001b"}, 0, "characters that no policy may hold"},
    {{.class_name = "a\xE2\x80\xAE"}, 0, "characters that no policy may hold"},
    {{.class_name = "a\\nb"}, 0, "characters that no policy may hold"},
    {{.in_miguard = ",\"unreadable\":[\"groups\"]"}, 0, "without a rule"},
    {{.operation = "TestConnection", .class_name = "", .name_space = ""},
     1,
     "operation: [TestConnection]"},
    {{.operation = "QueryInstances", .class_name = ""},
     0,
     "lacks a user"}, /* not read: any class */
    {{.operation = "EnumerateClasses", .class_name = ""}, 0, "lacks a user"},
    {{.reason = "name-invalid", .class_name = "A"}, 0, "cannot be read with certainty"},
    {{.name_space = "root//cimv2"}, 0, "characters that no policy may hold"},
    {{.operation = "GetLocalSession",
      .class_name = "",
      .name_space = "",
      .mismatch = "",
      .reason = "policy",
      .action = "session-open"},
     1,
     "user: [0]\n      provider: [\"libweb.so\"]\n      operation: [GetLocalSession]\n"},
    {{.class_name = "quo\\\"te\\\\[x]: #{y}"}, 0, "characters that no policy may hold"},
#define OWN(name, extra)                                                                           \
    {                                                                                              \
        .operation = name, .class_name = "", .name_space = "", .mismatch = "", .reason = "policy", \
        .provider = "fileserver", .in_miguard = extra                                              \
    }
    {OWN("upload", ",\"resource\":\"/srv/*a\",\"object\":\"inode 17\""), 1,
     "user: [0]\n      provider: [\"fileserver\"]\n      resource: [\"/srv/\\\\*a\"]\n"
     "      action: [\"upload\"]\n"},
    {OWN("upload", ""), 1, "allows any.\n  - name: suggested-1\n"},
    {OWN("Bind", ",\"resource\":\"/srv\""), 1, "resource: [\"/srv\"]\n      operation: [Bind]\n"},
    {OWN("upload", ",\"resource\":\"/srv/\\ufffd\""), 0, "characters that no policy may hold"},
    {OWN("up load", ",\"resource\":\"/srv\""), 0, "lacks a user"},
    {OWN("Action", ",\"resource\":\"/srv\""), 0, "lacks a user"},
    {OWN("Action", ""), 0, "lacks a user"},
    {{.operation = "Action"}, 0, "lacks a user"},
    {{.operation = "Unheard", .in_miguard = ",\"resource\":\"/srv\""}, 0, "lacks a user"},
    {OWN("GetApplication", ",\"resource\":\"/srv\""), 0, "lacks a user"},
    {OWN("Bind", ""), 1, "provider: [\"fileserver\"]\n      operation: [Bind]\n"},
    {{.mismatch = "[\"egid\"]"}, 1, "group: [0]\n      as-user: [0]\n      as-group: [100]"},
};

START_TEST(test_rows)
{
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;

    add(suggest, &rows[_i].facts);
    ck_assert_uint_eq(suggest_write(suggest, &text), rows[_i].rules);
    if (rows[_i].comment != NULL) {
        ck_assert_msg(strstr(text.data, rows[_i].comment) != NULL, "%s", text.data);
    } else {
        ck_assert_ptr_null(strstr(text.data, "without a rule"));
    }
    policy_release(load(&text));
    text_release(&text);
    suggest_free(suggest);
}
END_TEST

/* Resources come together, actions too, and what was not seen together is no rule. */
START_TEST(test_own_actions_merge)
{
    enum { ACTIONS = 4, RESOURCES = 5 };
    static const char *const names[ACTIONS] = {"upload", "stat", "admin.delete", "Upload"};
    static const char *const resources[RESOURCES] = {"/srv/a", "/srv/b", "/srv/A", "/srv/c", NULL};
    static const bool seen[ACTIONS][RESOURCES] = {{true, true, true}, {true, true}, {true}, {true}};
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;
    char extra[64];

    for (int i = 0; i < ACTIONS * RESOURCES; i++) {
        if (seen[i / RESOURCES][i % RESOURCES]) {
            snprintf(extra, sizeof(extra), ",\"resource\":\"%s\"", resources[i % RESOURCES]);
            add(suggest, &(struct review_line)OWN(names[i / RESOURCES], extra));
        }
    }
    add(suggest, &(struct review_line)OWN("Bind", ""));
    ck_assert_uint_eq(suggest_write(suggest, &text), 4);
    ck_assert_ptr_nonnull(strstr(text.data, "      resource: [\"/srv/b\"]\n"
                                            "      action: [\"upload\", \"stat\"]\n"));
    const struct policy *policy = load(&text);
    struct miguard_identity root = identity_of(0);
    for (int i = 0; i < ACTIONS * RESOURCES; i++) {
        const struct policy_call call = {.operation = OPERATION_ACTION,
                                         .opened_as = &root,
                                         .provider = "fileserver",
                                         .action = names[i / RESOURCES],
                                         .resource = resources[i % RESOURCES]};
        ck_assert_msg((policy_decide(policy, &call).decision == POLICY_ALLOW) ==
                          seen[i / RESOURCES][i % RESOURCES],
                      "%s %s", call.action, call.resource);
    }
    policy_release(policy);
    text_release(&text);
    suggest_free(suggest);
}
END_TEST

/* An action that some record has a resource for, also one of an allowed use, gets no rule without
 * one; that of another daemon does. */
START_TEST(test_own_action_without_resource)
{
    static const char *const names[] = {"upload", "Bind"};
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;
    struct review_line with = OWN(names[_i], ",\"resource\":\"/srv/a\"");
    struct review_line without = OWN(names[_i], ""), other = OWN(names[_i], "");

    with.allowed = true;
    other.provider = "another";
    add(suggest, &without);
    add(suggest, &other);
    add(suggest, &with);
    ck_assert_uint_eq(suggest_write(suggest, &text), 1);
    ck_assert_ptr_nonnull(strstr(text.data, "provider: [\"another\"]"));
    ck_assert_ptr_nonnull(strstr(text.data, "# 1 refused call without a rule: the record lacks"));
    policy_release(load(&text));
    text_release(&text);
    suggest_free(suggest);
}
END_TEST

/* More names than are remembered: then no rule is without a resource. */
START_TEST(test_flood_of_resources)
{
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;
    char name[32];

    add(suggest, &(struct review_line)OWN("upload", ""));
    for (int i = 0; i < SUGGEST_CALLS; i++) {
        snprintf(name, sizeof(name), "daemon%d", i);
        struct review_line line = OWN("upload", ",\"resource\":\"/srv\"");
        line.provider = name;
        line.allowed = true;
        add(suggest, &line);
    }
    ck_assert_uint_eq(suggest_write(suggest, &text), 0);
    policy_release(load(&text));
    text_release(&text);
    suggest_free(suggest);
}
END_TEST

/* More calls than are remembered, more rules than a file holds: told, and still a policy. */
START_TEST(test_flood)
{
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;
    char class[32], space[32];

    for (int i = 0; i < 2 * SUGGEST_CALLS; i++) {
        snprintf(class, sizeof(class), "C%d", i);
        snprintf(space, sizeof(space), "root/n%d", i % 1999);
        add(suggest, &(struct review_line){.class_name = class, .name_space = space});
    }
    size_t rules = suggest_write(suggest, &text);
    ck_assert(rules > 10 && rules <= SUGGEST_RULES);
    ck_assert_uint_lt(text.length, DRAFT_MAX_FILE);
    ck_assert_ptr_nonnull(strstr(text.data, "there are too many kinds of calls"));
    ck_assert_ptr_nonnull(strstr(text.data, "holds no more rules than these"));
    policy_release(load(&text));
    text_release(&text);
    suggest_free(suggest);
}
END_TEST

/* The same by users: few names, many calls. */
START_TEST(test_flood_of_users)
{
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;

    for (uint32_t i = 0; i < SUGGEST_CALLS + 100; i++) {
        add(suggest, &(struct review_line){.user = i, .as_user = i});
    }
    ck_assert_uint_gt(suggest_write(suggest, &text), 10);
    ck_assert_ptr_nonnull(
        strstr(text.data, "# 100 refused calls without a rule: there are too many"));
    policy_release(load(&text));
    text_release(&text);
    suggest_free(suggest);
}
END_TEST

/* One key absent and another time there: no list says both. */
START_TEST(test_absent_stays_apart)
{
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;

    add(suggest, &(struct review_line){.operation = "TestConnection", .class_name = ""});
    add(suggest, &(struct review_line){.operation = "TestConnection", .class_name = "A"});
    ck_assert_uint_eq(suggest_write(suggest, &text), 2);
    ck_assert_ptr_nonnull(strstr(text.data, "class: [\"A\"]\n"));
    policy_release(load(&text));
    text_release(&text);
    suggest_free(suggest);
}
END_TEST

START_TEST(test_same_in_any_case)
{
    struct suggest *suggest = suggest_new();
    struct text text = TEXT_EMPTY;

    add(suggest, &(struct review_line){.class_name = "CIM_A", .name_space = "ROOT"});
    add(suggest, &(struct review_line){.class_name = "cim_a", .name_space = "root", .repeats = 4});
    ck_assert_uint_eq(suggest_write(suggest, &text), 1);
    ck_assert_ptr_nonnull(strstr(text.data, "Seen 5 times"));
    ck_assert_ptr_nonnull(strstr(text.data, "in 1 kind of call"));
    ck_assert_ptr_nonnull(strstr(text.data, "class: [\"CIM_A\"]"));
    text_release(&text);
    suggest_free(suggest);
    suggest_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit suggest");
    TCase *tests = tcase_create("suggest");
    bool quick = getenv("QUICK") != NULL;

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_exactly_what_was_seen, 0, quick ? 6 : 40);
    tcase_add_test(tests, test_products_merge);
    tcase_add_loop_test(tests, test_reasons, 0, AUDIT_REASON_COUNT);
    tcase_add_loop_test(tests, test_rows, 0, sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(tests, test_own_actions_merge);
    tcase_add_loop_test(tests, test_own_action_without_resource, 0, 2);
    tcase_add_test(tests, test_flood_of_resources);
    tcase_add_test(tests, test_flood);
    tcase_add_test(tests, test_flood_of_users);
    tcase_add_test(tests, test_absent_stays_apart);
    tcase_add_test(tests, test_same_in_any_case);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
