/* SPDX-License-Identifier: MIT */
#include "tools/cli/cmd_policy.h"
#include "tools/policy/show.h"

struct request {
    const char *policy;
    bool json, help;
};

static const char *const known[] = {"--policy", "--json", "--help", NULL};

static int parse(int count, char **list, struct request *request)
{
    struct arguments arguments = {
        .count = count, .list = list, .command = "miguard policy show", .known = known};

    while (arguments_next(&arguments)) {
        if (arguments.operand != NULL) {
            return complain(CLI_USAGE, "miguard policy show: '%s' is too much; say --policy %s",
                            arguments.operand, arguments.operand);
        }
        if (arguments_is(&arguments, "--json")) {
            request->json = true;
        } else if (arguments_is(&arguments, "--help") || arguments_is(&arguments, "-h")) {
            request->help = true;
        } else if (!arguments_value(&arguments, "--policy", &request->policy)) {
            return arguments_unknown(&arguments);
        }
    }
    return arguments.failed ? CLI_USAGE : CLI_YES;
}

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

int policy_show(int count, char **arguments)
{
    struct request request = {0};
    struct policy_set set;
    int status = parse(count, arguments, &request);

    if (status != CLI_YES) {
        return status;
    }
    if (request.help) {
        fputs(policy_help, stdout);
        return CLI_YES;
    }
    status = policy_set_load(policy_path(request.policy), &set);
    print_findings(stderr, &set.findings);
    if (status == CLI_YES) {
        status = print_shown(set.draft, request.json);
    }
    policy_set_release(&set);
    return status;
}
