/* SPDX-License-Identifier: MIT */
/*
 * Runs the tests of a policy, for `miguard policy check`, `test` and `explain`.
 *
 * selftest_run() makes a call of each test (selftest_ask), has it decided by policy_decide(), the
 * function that the guard uses, and compares (compare_verdict). Identities are made from the
 * numbers in the draft: no test changes the credentials of the process.
 */
#include "tools/policy/selftest.h"

#include <linux/capability.h>
#include <string.h>

#include "base/alloc.h"

/* As many as the headers know that this was built with; see struct draft_subject. */
#define ALL_CAPABILITIES ((UINT64_C(1) << (CAP_LAST_CAP + 1)) - 1)

/* ---- one question --------------------------------------------------------------------------- */

/*
 * Built from numbers alone. Names go through cim_names_read(), as the guard's do, so that a test
 * sees the same normal form and the same unreadable names.
 */

/* As after a login: all four ids alike, groups sorted as the kernel's are. False out of memory. */
static bool make_identity(const struct draft_subject *subject, struct miguard_identity *identity)
{
    memset(identity, 0, sizeof(*identity));
    if (subject->group_count > 0) {
        identity->groups = base_alloc(subject->group_count, sizeof(gid_t));
        if (identity->groups == NULL) {
            return false;
        }
        memcpy(identity->groups, subject->groups, subject->group_count * sizeof(gid_t));
    }
    identity->group_count = identity_sort_groups(identity->groups, subject->group_count);
    /* A zeroed identity differs from everything (invariant 1); this one must be valid. */
    identity->tag = IDENTITY_TAG;
    identity->known = MIGUARD_COMPONENTS_ALL;
    for (int i = 0; i < IDENTITY_IDS; i++) {
        identity->uid[i] = subject->uid;
        identity->gid[i] = subject->gid;
    }
    identity->cap[IDENTITY_CAP_EFFECTIVE] = subject->capabilities;
    identity->cap[IDENTITY_CAP_PERMITTED] = subject->capabilities;
    identity->cap[IDENTITY_CAP_BOUNDING] = ALL_CAPABILITIES;
    identity->cap_count = CAP_LAST_CAP + 1;
    identity->user_namespace = 1; /* any number: both have the same */
    return true;
}

/* On failure the question is released and zeroed. */
enum miguard_status selftest_ask(const struct draft_test *test, const struct policy *policy,
                                 struct selftest_question *ret_question)
{
    struct selftest_question *question = ret_question;
    const struct draft_subject *user = test->has_used_as ? &test->used_as : &test->opened_as;

    memset(question, 0, sizeof(*question));
    if (!make_identity(&test->opened_as, &question->opened_as) ||
        !make_identity(user, &question->used_as)) {
        selftest_question_release(question);
        return MIGUARD_NO_MEMORY;
    }
    policy_ask_names(policy, &question->opened_as);
    /* What follows from the two identities, and what the test declares beside it. */
    miguard_components differing =
        miguard_identity_compare(&question->opened_as, &question->used_as) | test->differing;
    question->call =
        (struct policy_call){.operation = test->operation,
                             .opened_as = &question->opened_as,
                             .used_as = &question->used_as,
                             .moment = test->moment != 0 ? test->moment : POLICY_NO_MOMENT,
                             .mismatch = differing & policy_compared(policy),
#define GIVE_FACT(member, key) .member = test->member,
                             MATCH_FACT_MAP(GIVE_FACT)
#undef GIVE_FACT
        };
    struct cim_written written = {
        .operation = test->operation, .name_space = test->name_space, .method = test->method};
    memcpy(written.classes, test->class_names, sizeof(written.classes));
    cim_names_read(&question->names, &written);
    policy_call_name(&question->call, &question->names);
    return MIGUARD_OK;
}

void selftest_question_release(struct selftest_question *question)
{
    identity_release(&question->opened_as);
    identity_release(&question->used_as);
    memset(question, 0, sizeof(*question));
}

/* Permissive mode lets pass what the rules deny; a test asks about the rules. */
enum policy_decision selftest_judgement(const struct policy_verdict *verdict)
{
    return verdict->would_deny ? POLICY_DENY : verdict->decision;
}

/* ---- expected and found --------------------------------------------------------------------- */

/*
 * Every difference of a test is named in one message: a first one alone would be mended and the
 * next one found in another run.
 */

/* As a policy file writes it. */
static const char *decision_word(bool allowed)
{
    return allowed ? "allow" : "deny";
}

/* "; " goes between the complaints of one test. */
static void begin(struct text *said)
{
    text_append(said, said->length == 0 ? "" : "; ");
}

/* In brackets, as a policy file writes them. */
static void say_components(struct text *said, miguard_components components)
{
    text_append(said, "[");
    identity_components_text(said, components);
    text_append(said, "]");
}

/* Nothing is appended when all that the test expects came true. */
static void compare_verdict(const struct draft_test *test, const struct policy_call *call,
                            const struct policy_verdict *verdict, struct text *said)
{
    bool allowed = selftest_judgement(verdict) == POLICY_ALLOW;

    if (allowed != (test->expect_decision == DRAFT_ALLOW)) {
        begin(said);
        text_format(said, "expected decision %s, got %s",
                    decision_word(test->expect_decision == DRAFT_ALLOW), decision_word(allowed));
    }
    if (test->has_expect_mismatch && test->expect_mismatch != call->mismatch) {
        begin(said);
        text_append(said, "expected mismatch ");
        say_components(said, test->expect_mismatch);
        text_append(said, ", got ");
        say_components(said, call->mismatch);
    }
    if (test->expect_rule != NULL && strcmp(test->expect_rule, verdict->rule) != 0) {
        begin(said);
        text_format(said, "expected rule '%s', got '%s'", test->expect_rule, verdict->rule);
    }
}

/* For the coverage: a rule counts when it decided, not when it was looked at. */
static void note_reached(struct selftest_result *result, const struct policy_verdict *verdict)
{
    if (verdict->rule_index == POLICY_NO_RULE) {
        result->default_reached = true;
    } else if (verdict->rule_index < result->rule_count) {
        result->rules_reached[verdict->rule_index] = true;
    }
}

/* A failing test is an error in *findings and no failure of the run. */
static enum miguard_status run_test(const struct draft_test *test, const struct policy *policy,
                                    struct selftest_result *result, struct diagnostics *findings)
{
    struct selftest_question question;
    struct text said = TEXT_EMPTY;
    enum miguard_status status = selftest_ask(test, policy, &question);

    if (status != MIGUARD_OK) {
        return status;
    }
    struct policy_verdict verdict = policy_decide(policy, &question.call);
    note_reached(result, &verdict);
    compare_verdict(test, &question.call, &verdict, &said);
    if (said.failed) {
        status = MIGUARD_NO_MEMORY;
    } else if (said.length == 0) {
        result->passed++;
    } else {
        result->failed++;
        diagnostic_add(findings, DIAGNOSTIC_ERROR, &test->place, NULL, 0,
                       "test '%s': %s; decided by '%s' (%s)%s", test->name, said.data, verdict.rule,
                       verdict.source,
                       verdict.name_invalid
                           ? ", since a name of the call is missing or cannot be read with "
                             "certainty"
                           : "");
    }
    text_release(&said);
    selftest_question_release(&question);
    return status;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/*
 * A failing test is a finding; only memory ends the run. What the tests reached is counted on the
 * way, for lint.c and for the coverage that the command prints.
 */

/* Stops only when memory is out. */
enum miguard_status selftest_run(const struct policy_draft *draft, const struct policy *policy,
                                 struct selftest_result *ret_result, struct diagnostics *findings)
{
    struct selftest_result result = {.rule_count = draft->rule_count};
    enum miguard_status status = MIGUARD_OK;

    /* One more than there are, so that no policy is too small to allocate for. */
    result.rules_reached = base_alloc((size_t)draft->rule_count + 1, sizeof(bool));
    if (result.rules_reached == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    for (uint32_t i = 0; i < draft->test_count && status == MIGUARD_OK; i++) {
        status = run_test(&draft->tests[i], policy, &result, findings);
    }
    if (status != MIGUARD_OK) {
        selftest_release(&result);
        return status;
    }
    *ret_result = result;
    return MIGUARD_OK;
}

void selftest_release(struct selftest_result *result)
{
    base_free(result->rules_reached);
    memset(result, 0, sizeof(*result));
}

/* The default counts as one more rule. */
unsigned selftest_coverage(const struct selftest_result *result)
{
    uint64_t reached = result->default_reached ? 1 : 0;

    for (uint32_t i = 0; i < result->rule_count; i++) {
        reached += result->rules_reached[i] ? 1 : 0;
    }
    return (unsigned)(reached * 100 / ((uint64_t)result->rule_count + 1));
}
