/* SPDX-License-Identifier: MIT */
/*
 * The tests that stand beside the rules, asked of the compiled policy by the code that decides in
 * earnest. Linked into the command and the tests only, never into the library.
 */
#ifndef TOOLS_POLICY_SELFTEST_H
#define TOOLS_POLICY_SELFTEST_H

#include "policy/diagnostic.h"
#include "policy/draft.h"
#include "policy/policy.h"

/* What a run found; rules_reached is on the heap. */
struct selftest_result {
    uint32_t passed, failed;
    uint32_t rule_count;
    bool *rules_reached; /* one for each rule: some test was decided by it */
    bool default_reached;
};

/*
 * Runs every test of draft against policy, which was compiled from it. Each failing one becomes an
 * error in *findings, at the place of the test: what was expected, what came, and from where.
 *
 * expect.decision speaks of what the rules say, so that a test holds both before and after a policy
 * leaves mode: permissive.
 *
 * Errors: NO_MEMORY. Release with selftest_release().
 */
MIGUARD_CHECKED enum miguard_status selftest_run(const struct policy_draft *draft,
                                                 const struct policy *policy,
                                                 struct selftest_result *ret_result,
                                                 struct diagnostics *findings);
/* Leaves it zeroed. */
void selftest_release(struct selftest_result *result);

/* How many of the rules and the default were reached, in percent, rounded down. */
unsigned selftest_coverage(const struct selftest_result *result);

/* ---- one question, as tests and `policy explain` ask it ---------------------------------- */

/* The two identities of a test and the call that is made of them. call points into this struct. */
struct selftest_question {
    struct miguard_identity opened_as, used_as;
    struct cim_names names;
    struct policy_call call;
};

/*
 * An identity is what a login as the subject would give: real, effective, saved and file system ids
 * alike, its capabilities both effective and permitted, all of them in the bounding set, nothing
 * else set. Components that the policy does not compare never differ, as the guard does not look.
 * Names are read as the guard reads them. Errors: NO_MEMORY.
 */
MIGUARD_CHECKED enum miguard_status selftest_ask(const struct draft_test *test,
                                                 const struct policy *policy,
                                                 struct selftest_question *ret_question);
/* Frees the groups of both identities, and leaves it zeroed. */
void selftest_question_release(struct selftest_question *question);

/* What the rules say, whatever mode lets pass. */
enum policy_decision selftest_judgement(const struct policy_verdict *verdict);

#endif
