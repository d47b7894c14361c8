/* SPDX-License-Identifier: MIT */
/*
 * What the `miguard policy` commands share: which policy is meant, reading it, printing what is
 * wrong with it. They work on policies as the library does, by its own code; the command links that
 * part of it (see the Makefile).
 */
#ifndef TOOLS_CLI_POLICY_OPEN_H
#define TOOLS_CLI_POLICY_OPEN_H

#include "policy/draft.h"
#include "policy/policy.h"
#include "tools/cli/cli.h"
#include "tools/policy/selftest.h"

/* A file, a folder or what is in force, as it was read. */
struct policy_set {
    const char *label; /* for a person */
    struct policy_draft *draft;
    /* The compiled draft; NULL while there are errors. */
    const struct policy *policy;
    /* Filled by policy_set_test(). */
    struct selftest_result tested;
    struct diagnostics findings;
};

/* The value of --policy, else of the environment (not in a set-id program, secure_getenv(3)), else
 * NULL: the standard places. An empty value counts as missing. Borrowed. */
const char *policy_path(const char *given);

/*
 * Reads and compiles. path: a file, a folder, "-" for standard input, or NULL for the standard
 * places. Who owns and who may write a file is an error in the standard places and a warning for
 * what was named: that is work in progress, not yet in force.
 *
 * CLI_YES; CLI_NO: there are errors in set->findings; CLI_UNABLE after a message. Release in every
 * case.
 */
int policy_set_load(const char *path, struct policy_set *ret_set);

/* Runs the tests of the set; each that fails is an error in its findings. Does not return CLI_NO
 * for that: the caller reads set->tested. CLI_YES or CLI_UNABLE. */
int policy_set_test(struct policy_set *set);

/* Frees what was loaded; allowed after a failed load. */
void policy_set_release(struct policy_set *set);

/* All findings, one a line, file:line first, safe for a terminal. */
void print_findings(FILE *stream, const struct diagnostics *findings);

/* A text of several lines, safe for a terminal. */
void print_lines(FILE *stream, const char *text);

/* {"severity", "file", "line", "column", "message"} for each, as an array that the caller owns;
 * NULL out of memory. */
json_t *findings_json(const struct diagnostics *findings);

/* What `policy show --json` prints, as a value: a new reference, or NULL out of memory. */
json_t *policy_json(const struct policy_draft *draft);

/* One of its values as a policy writes it, on stdout; NULL is "(absent)". */
void print_policy_value(const json_t *value);

/* Standard input or a file, whole; NULL after a message. More than a policy may have is cut one
 * byte behind the limit, for the reader to complain. */
char *read_policy_source(const char *path, size_t *ret_length);

#endif
