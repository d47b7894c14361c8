/* SPDX-License-Identifier: MIT */
/*
 * miguard policy show: the policy in force, as a policy.
 *
 * The policy is read with the trust that the library asks for and printed from the draft, so that
 * places (file and line) are still known. print_shown() makes the text safe for a terminal.
 */
#include "tools/cli/commands.h"
#include "tools/cli/policy_open.h"
#include "tools/policy/show.h"

struct request {
    const char *policy;
    bool json;
};

static const struct option_row options[] = {
    TEXT("--policy", "FILE|DIR", struct request, policy, "in place of the policy in force"),
    FLAG("--json", struct request, json, "print one JSON object, users and groups also as ids"),
};

/* show_json() escapes what could steer a terminal but the bidirectional controls: print_json()
 * does those. */
static int print_shown(const struct policy_draft *draft, bool json)
{
    struct text text = TEXT_EMPTY;
    bool printed = false;

    (json ? show_json : show_yaml)(draft, &text);
    if (!text.failed && json) {
        json_t *value = json_loads(text.data, JSON_DECODE_ANY, NULL);
        printed = value != NULL && print_json(stdout, value);
        json_decref(value);
    } else if (!text.failed) {
        print_lines(stdout, text.data);
        printed = true;
    }
    text_release(&text);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* A policy with errors is not printed: only its findings. */
static int run_show(const struct command_line *line)
{
    struct request request = {0};
    struct policy_set set;
    int status = CLI_YES;

    if (!command_parse(line, &request, &status)) {
        return status;
    }
    status = policy_set_load(policy_path(request.policy), &set);
    print_findings(stderr, &set.findings);
    if (status == CLI_YES) {
        status = print_shown(set.draft, request.json);
    }
    policy_set_release(&set);
    return status;
}

COMMAND(policy, show) = {
    .about = "Prints what is in force, over all files, and the place that says so. The default is "
             "$MIGUARD_POLICY, else " POLICY_FILE " and " POLICY_FOLDER "/*.yaml.",
    .exits = "Exit status: 0 printed, 1 the policy has errors, 2 wrong usage, 3 it cannot be read.",
    OPTIONS(options),
    .run = run_show,
};
