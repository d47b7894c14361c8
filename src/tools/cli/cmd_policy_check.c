/* SPDX-License-Identifier: MIT */
/* miguard policy check, and miguard policy test: each file by itself, and the worst answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cmd_policy.h"
#include "tools/policy/lint.h"

struct request {
    const char **files;
    int file_count;
    const char *threshold;
    unsigned least; /* percent */
    bool strict, json, coverage, help;
};

static const char *const check_options[] = {"--strict", "--json", "--help", NULL};
static const char *const test_options[] = {"--coverage", "--threshold", "--help", NULL};

/* ---- arguments ------------------------------------------------------------------------------ */

static bool flag(struct arguments *arguments, const char *option, bool *ret_flag)
{
    if (!arguments_is(arguments, option)) {
        return false;
    }
    *ret_flag = true;
    return true;
}

static int set_threshold(struct request *request)
{
    char *end = NULL;

    request->least = 100;
    if (request->threshold == NULL) {
        return CLI_YES;
    }
    errno = 0;
    unsigned long percent = strtoul(request->threshold, &end, 10);
    if (errno != 0 || end == request->threshold || *end != '\0' || percent > 100) {
        return complain(CLI_USAGE, "'%s' is no percentage from 0 to 100", request->threshold);
    }
    if (!request->coverage) {
        return complain(CLI_USAGE, "miguard policy test: --threshold needs --coverage");
    }
    request->least = (unsigned)percent;
    return CLI_YES;
}

static int parse(int count, char **list, bool tests, struct request *request)
{
    struct arguments arguments = {.count = count,
                                  .list = list,
                                  .command = tests ? "miguard policy test" : "miguard policy check",
                                  .known = tests ? test_options : check_options};

    request->files = calloc((size_t)count + 1, sizeof(*request->files));
    if (request->files == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    while (arguments_next(&arguments)) {
        if (arguments.operand != NULL) {
            request->files[request->file_count++] = arguments.operand;
        } else if (flag(&arguments, "--help", &request->help) ||
                   flag(&arguments, "-h", &request->help)) {
            continue;
        } else if (tests ? !flag(&arguments, "--coverage", &request->coverage) &&
                               !arguments_value(&arguments, "--threshold", &request->threshold)
                         : !flag(&arguments, "--strict", &request->strict) &&
                               !flag(&arguments, "--json", &request->json)) {
            return arguments_unknown(&arguments);
        }
    }
    return arguments.failed ? CLI_USAGE : set_threshold(request);
}

/* ---- check ---------------------------------------------------------------------------------- */

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

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

static int check_one(const struct request *request, const char *path)
{
    struct policy_set set;
    int status = policy_set_load(path, &set);

    if (status == CLI_YES) {
        status = policy_set_test(&set);
    }
    if (status == CLI_YES) {
        lint_draft(set.draft, &set.tested, &set.findings);
    }
    if (status != CLI_UNABLE) {
        bool good = set.findings.errors == 0 && !set.findings.failed &&
                    (!request->strict || set.findings.warnings == 0);
        int printed = CLI_YES;
        if (request->json) {
            printed = print_check_json(&set, good);
        } else {
            print_check_text(&set, good);
        }
        status = printed != CLI_YES ? printed : good ? CLI_YES : CLI_NO;
    }
    policy_set_release(&set);
    return status;
}

/* ---- test ----------------------------------------------------------------------------------- */

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

static int test_one(const struct request *request, const char *path)
{
    struct policy_set set;
    int status = policy_set_load(path, &set);

    if (status == CLI_YES) {
        status = policy_set_test(&set);
    }
    if (status != CLI_UNABLE) {
        print_findings(stderr, &set.findings);
    }
    if (status == CLI_YES) {
        unsigned percent = selftest_coverage(&set.tested);
        print_safe(stdout, set.label, false);
        printf(": %u passed, %u failed", set.tested.passed, set.tested.failed);
        if (request->coverage) {
            printf("; %u%% of %u rule%s and the default reached", percent, set.tested.rule_count,
                   plural(set.tested.rule_count));
        }
        putchar('\n');
        if (request->coverage) {
            print_unreached(&set);
        }
        if (set.tested.failed > 0 || (request->coverage && percent < request->least)) {
            status = CLI_NO;
        }
    }
    policy_set_release(&set);
    return status;
}

/* ---- both ----------------------------------------------------------------------------------- */

static int for_each(int count, char **arguments, bool tests,
                    int (*one)(const struct request *request, const char *path))
{
    struct request request = {0};
    int worst = parse(count, arguments, tests, &request);

    if (worst == CLI_YES && request.help) {
        fputs(policy_help, stdout);
    } else if (worst == CLI_YES && request.file_count == 0) {
        worst = one(&request, policy_path(NULL));
    } else if (worst == CLI_YES) {
        for (int i = 0; i < request.file_count; i++) {
            int status = one(&request, request.files[i]);
            worst = status > worst ? status : worst;
        }
    }
    free(request.files);
    return worst;
}

int policy_check(int count, char **arguments)
{
    return for_each(count, arguments, false, check_one);
}

int policy_test(int count, char **arguments)
{
    return for_each(count, arguments, true, test_one);
}
