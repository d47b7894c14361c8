/* SPDX-License-Identifier: MIT */
/*
 * miguard policy check, and miguard policy test: each file by itself, and the worst answer.
 *
 * Both commands go through for_each(), which parses, and answer_files(), which calls check_one() or
 * test_one() for each file and keeps the worst exit status.
 *
 * The exit statuses are ordered by how bad they are, so the worst of several files is the highest
 * number. A finding is printed with its file and line; JSON has one object for each file, and the
 * same findings.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/commands.h"
#include "tools/cli/policy_open.h"
#include "tools/policy/lint.h"

/* The options of both commands. */
struct request {
    /* Each is a policy by itself; a folder is one. */
    struct word_list files;
    uint64_t least; /* percent */
    bool strict, json, coverage;
};

static const struct option_row check_options[] = {
    FLAG("--strict", struct request, strict, "warnings count as errors"),
    FLAG("--json", struct request, json, "print one JSON object for each FILE"),
};

static const struct option_row test_options[] = {
    FLAG("--coverage", struct request, coverage, "name the rules that no test reaches"),
    NUMBER("--threshold", "PERCENT", struct request, least, 0, 100,
           "fail when fewer of the rules are reached", .noun = "percentage", .preset = 100,
           .needs = "--coverage"),
    FLAG("--json", struct request, json, "print one JSON object for each FILE, with its coverage"),
};

/* ---- check ---------------------------------------------------------------------------------- */

/* "s" or nothing. */
static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* draft is NULL when the file could not even be parsed. */
static int print_check_json(const struct policy_set *set, bool good)
{
    const struct policy_draft *draft = set->draft;
    char *label = valid_utf8(set->label);
    json_t *json = json_pack(
        "{s:s?, s:b, s:I, s:I, s:I, s:{s:I, s:I}, s:o}", "policy", label, "ok", good, "errors",
        (json_int_t)set->findings.errors, "warnings", (json_int_t)set->findings.warnings, "rules",
        (json_int_t)(draft == NULL ? 0 : draft->rule_count), "tests", "passed",
        (json_int_t)set->tested.passed, "failed", (json_int_t)set->tested.failed, "findings",
        findings_json(&set->findings));
    bool printed = json != NULL && print_json(stdout, json);

    json_decref(json);
    free(label);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* Findings go to stderr, the verdict to stdout. */
static void print_check_text(const struct policy_set *set, bool good)
{
    const struct diagnostics *findings = &set->findings;

    print_findings(stderr, findings);
    print_safe(stdout, set->label, false);
    if (set->draft == NULL) {
        printf(": %zu error%s\n", findings->errors, plural(findings->errors));
        return;
    }
    printf(": %s: %u rule%s, %u test%s passed", good ? "ok" : "not ok", set->draft->rule_count,
           plural(set->draft->rule_count), set->tested.passed, plural(set->tested.passed));
    if (set->tested.failed > 0) {
        printf(", %u failed", set->tested.failed);
    }
    if (findings->warnings > 0) {
        printf(", %zu warning%s", findings->warnings, plural(findings->warnings));
    }
    putchar('\n');
}

/* The verdict of one file, as text or as one line of JSON. In order means: no error, with --strict
 * also no warning. Out of memory while findings were made (failed) is not "in order", since one may
 * be missing. */
static int print_check(const struct request *request, const struct policy_set *set)
{
    bool good = set->findings.errors == 0 && !set->findings.failed &&
                (!request->strict || set->findings.warnings == 0);

    if (!request->json) {
        print_check_text(set, good);
    } else if (print_check_json(set, good) != CLI_YES) {
        return CLI_UNABLE;
    }
    return good ? CLI_YES : CLI_NO;
}

/* Everything that is known of the file. CLI_NO: it has errors, and set is as far as it could be
 * read. CLI_UNABLE after a message. */
static int load_and_lint(const char *path, struct policy_set *set)
{
    int status = policy_set_load(path, set);

    if (status != CLI_YES) {
        return status;
    }
    status = policy_set_test(set);
    if (status == CLI_YES) {
        lint_draft(set->draft, &set->tested, &set->findings);
    }
    return status;
}

/* A file with errors is printed as well. */
static int check_one(const struct request *request, const char *path)
{
    struct policy_set set;
    int status = load_and_lint(path, &set);

    if (status != CLI_UNABLE) {
        status = print_check(request, &set);
    }
    policy_set_release(&set);
    return status;
}

/* ---- test ----------------------------------------------------------------------------------- */

/* Rules that no test reaches, with their places, and the default if it is among them. */
static void print_unreached(const struct policy_set *set)
{
    for (uint32_t i = 0; i < set->tested.rule_count; i++) {
        const struct draft_rule *rule = &set->draft->rules[i];
        if (!set->tested.rules_reached[i]) {
            fputs("  not reached: ", stdout);
            print_safe(stdout, rule->name, false);
            fputs(" (", stdout);
            print_safe(stdout, rule->place.file, false);
            printf(":%u)\n", rule->place.line);
        }
    }
    if (!set->tested.default_reached) {
        puts("  not reached: the default");
    }
}

/* Names of the rules that no test reaches; "default" is no rule's name. NULL out of memory. */
static json_t *unreached_json(const struct policy_set *set)
{
    json_t *names = json_array();
    bool good = names != NULL;

    for (uint32_t i = 0; good && i < set->tested.rule_count; i++) {
        good = set->tested.rules_reached[i] ||
               json_array_append_new(names, json_string(set->draft->rules[i].name)) == 0;
    }
    if (good && !set->tested.default_reached) {
        good = json_array_append_new(names, json_string("default")) == 0;
    }
    if (!good) {
        json_decref(names);
    }
    return good ? names : NULL;
}

/* A policy with errors was not tested: draft is NULL, or nothing passed or failed. */
static int print_tested_json(const struct policy_set *set, bool good)
{
    char *label = valid_utf8(set->label);
    json_t *json =
        json_pack("{s:s?, s:b, s:I, s:I, s:I, s:o, s:o}", "policy", label, "ok", good, "passed",
                  (json_int_t)set->tested.passed, "failed", (json_int_t)set->tested.failed,
                  "coverage", (json_int_t)selftest_coverage(&set->tested), "not_reached",
                  unreached_json(set), "findings", findings_json(&set->findings));
    bool printed = json != NULL && print_json(stdout, json);

    json_decref(json);
    free(label);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

static void print_tested_text(const struct request *request, const struct policy_set *set,
                              unsigned percent)
{
    print_safe(stdout, set->label, false);
    printf(": %u passed, %u failed", set->tested.passed, set->tested.failed);
    if (request->coverage) {
        printf("; %u%% of %u rule%s and the default reached", percent, set->tested.rule_count,
               plural(set->tested.rule_count));
    }
    putchar('\n');
    if (request->coverage) {
        print_unreached(set);
    }
}

/* Counts, coverage and the rules that were not reached. --threshold counts with --coverage only,
 * which the table demands. CLI_NO for a failed test or too little coverage. */
static int print_tested(const struct request *request, const struct policy_set *set)
{
    unsigned percent = selftest_coverage(&set->tested);
    bool good = set->findings.errors == 0 && set->tested.failed == 0 &&
                (!request->coverage || percent >= request->least);

    if (!request->json) {
        print_tested_text(request, set, percent);
    } else if (print_tested_json(set, good) != CLI_YES) {
        return CLI_UNABLE;
    }
    return good ? CLI_YES : CLI_NO;
}

/* A policy with errors is not tested. */
static int test_one(const struct request *request, const char *path)
{
    struct policy_set set;
    int status = policy_set_load(path, &set);

    if (status == CLI_YES) {
        status = policy_set_test(&set);
    }
    if (status != CLI_UNABLE && !request->json) {
        print_findings(stderr, &set.findings);
    }
    if (status == CLI_YES || (status == CLI_NO && request->json)) {
        status = print_tested(request, &set);
    }
    policy_set_release(&set);
    return status;
}

/* ---- both ----------------------------------------------------------------------------------- */

/* Calls one() for each file, or for the policy in force. One file that cannot be read does not hide
 * what is wrong with the others: the worst status counts. */
static int answer_files(const struct request *request,
                        int (*one)(const struct request *request, const char *path))
{
    int worst = CLI_YES;

    if (request->files.count == 0) {
        return one(request, policy_path(NULL));
    }
    for (size_t i = 0; i < request->files.count; i++) {
        int status = one(request, request->files.items[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}

/* The common body of both commands. */
static int for_each(const struct command_line *line,
                    int (*one)(const struct request *request, const char *path))
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = answer_files(&request, one);
    }
    word_list_release(&request.files);
    return status;
}

/* For each file its own line of JSON or text. */
static int run_check(const struct command_line *line)
{
    return for_each(line, check_one);
}

/* For each file its own line. */
static int run_test(const struct command_line *line)
{
    return for_each(line, test_one);
}

COMMAND(policy, check) = {
    .about = "Reads each FILE by itself: syntax, types, users, who may write it, its tests, and "
             "what is probably not meant. FILE may be a folder, whose *.yaml are then one policy, "
             "or - for standard input. Without FILE "
             "it is $MIGUARD_POLICY, else " POLICY_FILE " and " POLICY_FOLDER "/*.yaml.",
    .exits = "Exit status: 0 in order; 1 errors, or with --strict warnings; 2 wrong usage; 3 a "
             "file cannot be read.",
    .operand = OPERANDS("[FILE]...", struct request, files),
    OPTIONS(check_options),
    .run = run_check,
};

COMMAND(policy, test) = {
    .about = "Runs the tests in each FILE. FILE may be a folder, whose *.yaml are then one policy, "
             "or - for standard input. Without FILE "
             "it is $MIGUARD_POLICY, else " POLICY_FILE " and " POLICY_FOLDER "/*.yaml.",
    .exits = "Exit status: 0 all passed; 1 one failed, or too few rules are reached; 2 wrong "
             "usage; 3 a file cannot be read.",
    .operand = OPERANDS("[FILE]...", struct request, files),
    OPTIONS(test_options),
    .run = run_test,
};
