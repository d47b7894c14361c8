/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out at each allocation of policy_compile() and policy_narrow() in turn: NO_MEMORY
 * comes out, the output stays untouched, nothing leaks, and the next try succeeds. Deciding and
 * replacing a policy allocate nothing, so they cannot fail.
 */
#include "support/failing_alloc.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

#define ALL MIGUARD_COMPONENTS_ALL

/* ---- a policy in which every part of the index is needed -------------------------------- */

static const struct draft_range ranges[] = {{10, 19, "10-19"}, {0, 0, "root"}};
static const struct draft_glob globs[] = {{"Web_*"}, {"*_Log"}, {"CIM_Process"}};

static const struct draft_rule rules[] = {
    {.place = {"a.yaml", 1, 5},
     .name = "opened",
     .reason = "why",
     .match =
         {.users = {ranges, 2}, .groups = {ranges, 1}, .capabilities = 1, .providers = {globs, 3}},
     .decision = DRAFT_DENY},
    {.place = {"a.yaml", 2, 5},
     .name = "used",
     .reason = "",
     .match = {.as_users = {ranges, 2},
               .as_groups = {ranges, 2},
               .as_capabilities = 1,
               .mismatch = MIGUARD_COMPONENT_EUID},
     .decision = DRAFT_ALLOW},
    {.place = {"a.yaml", 3, 5},
     .name = "target",
     .reason = "",
     .match = {.namespaces = {globs, 3}, .classes = {globs, 3}},
     .decision = DRAFT_DENY},
};

static const struct policy_draft draft = {
    .settings = {.decision = DRAFT_ALLOW, .compared = ALL}, .rules = rules, .rule_count = 3};

static const struct miguard_identity root = {.tag = IDENTITY_TAG, .known = ALL};

static const struct policy_call denied = {.operation = OPERATION_GET_INSTANCE,
                                          .opened_as = &root,
                                          .provider = "x",
                                          .name_space = "cim_process",
                                          .class_name = "web_site"};

/* ---- what is tried ---------------------------------------------------------------------- */

static const struct policy *policy; /* for try_narrow */

static enum miguard_status try_compile(void)
{
    const struct policy *compiled = policy_builtin;
    enum miguard_status status = policy_compile(&draft, &compiled);

    if (status != MIGUARD_OK) {
        ck_assert_ptr_eq(compiled, policy_builtin);
        return status;
    }
    ck_assert_uint_eq(policy_decide(compiled, &denied).rule_index, 2);
    policy_release(compiled);
    return status;
}

static enum miguard_status try_narrow(void)
{
    struct policy_view *view = (void *)&policy;
    enum miguard_status status = policy_narrow(policy, &root, "x", &view);

    if (status != MIGUARD_OK) {
        ck_assert_ptr_eq(view, (void *)&policy);
        return status;
    }
    ck_assert_uint_eq(policy_view_decide(view, &denied).rule_index, 2);
    policy_view_free(view);
    return status;
}

static const struct {
    enum miguard_status (*function)(void);
    long at_least; /* allocations, so that a row cannot become empty unseen */
} tries[] = {{try_compile, 3 + 4 * 2 + 3 * 2}, {try_narrow, 1}};

START_TEST(memory_runs_out)
{
    countdown = -1;
    ck_assert_int_eq(policy_compile(&draft, &policy), MIGUARD_OK);
    long before = outstanding;
    allocations_tried = 0;
    ck_assert_int_eq(tries[_i].function(), MIGUARD_OK);
    long sites = allocations_tried;
    ck_assert_int_ge(sites, tries[_i].at_least);
    for (int forever = 0; forever <= 1; forever++) {
        keeps_failing = forever == 1;
        for (long site = 0; site < sites; site++) {
            countdown = site;
            ck_assert_int_eq(tries[_i].function(), MIGUARD_NO_MEMORY);
            countdown = -1;
            ck_assert_int_eq(outstanding, before);
            ck_assert_int_eq(tries[_i].function(), MIGUARD_OK);
            ck_assert_int_eq(outstanding, before);
        }
    }
    policy_release(policy);
    ck_assert_int_eq(outstanding, 0);
}
END_TEST

START_TEST(deciding_and_replacing_need_no_memory)
{
    struct policy_view *view = NULL;
    struct policy_store store;

    countdown = -1;
    ck_assert_int_eq(policy_compile(&draft, &policy), MIGUARD_OK);
    ck_assert_int_eq(policy_narrow(policy, &root, "x", &view), MIGUARD_OK);
    long before = allocations_tried;
    keeps_failing = true;
    countdown = 0;
    ck_assert_uint_eq(policy_decide(policy, &denied).rule_index, 2);
    ck_assert_uint_eq(policy_explain(policy, &denied, NULL, NULL).rule_index, 2);
    ck_assert_uint_eq(policy_view_decide(view, &denied).rule_index, 2);
    store_init(&store, policy_builtin);
    store_set(&store, policy);
    policy_release(store_get(&store));
    store_release(&store);
    ck_assert_int_eq(allocations_tried, before);
    policy_view_free(view);
    policy_release(policy);
    ck_assert_int_eq(outstanding, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy without memory");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, memory_runs_out, 0, (int)(sizeof(tries) / sizeof(tries[0])));
    tcase_add_test(all, deciding_and_replacing_need_no_memory);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? 0 : 1;
}
