/* SPDX-License-Identifier: MIT */
/*
 * What is allowed in a policy and yet probably not meant. Linked into the command and the tests
 * only, never into the library.
 */
#ifndef TOOLS_POLICY_LINT_H
#define TOOLS_POLICY_LINT_H

#include "policy/diagnostic.h"
#include "policy/draft.h"
#include "tools/policy/selftest.h"

/*
 * Adds a warning, with its place, for each of:
 *   - a rule that an earlier one shadows: it matches everything that this one does;
 *   - a rule that no call can reach, whatever stands before it;
 *   - a rule that lets too different an identity use a session;
 *   - `compare` without a component that decides about access;
 *   - defaults that allow, also when the record of it cannot be written;
 *   - a test of something that cannot happen;
 *   - a rule, or the default, that no test reaches.
 * tested is what selftest_run() found; NULL leaves out the last.
 */
void lint_draft(const struct policy_draft *draft, const struct selftest_result *tested,
                struct diagnostics *findings);

/* Whether every call that later matches is matched by earlier too. May say false when it is so.
 * compared: components that the policy does not compare never differ, so they are left out. */
bool lint_covers(const struct draft_match *earlier, const struct draft_match *later,
                 miguard_components compared);

#endif
