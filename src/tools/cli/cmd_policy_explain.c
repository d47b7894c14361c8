/* SPDX-License-Identifier: MIT */
/*
 * miguard policy explain: one call, decided aloud.
 *
 * The call is written as the one test of a policy of its own and read by the reader of tests, so
 * that a user, an operation and a capability mean here exactly what they mean there.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cmd_policy.h"

struct request {
    const char *policy, *opened_as, *used_as, *operation, *name_space, *provider, *method;
    const char **drop, **classes;
    size_t drop_count, class_count;
    bool json, help;
};

static const char *const known[] = {"--policy",    "--opened-as", "--used-as",  "--operation",
                                    "--namespace", "--class",     "--provider", "--drop-cap",
                                    "--method",    "--json",      "--help",     NULL};

/* ---- arguments ------------------------------------------------------------------------------ */

static int parse_option(struct arguments *arguments, struct request *request)
{
    const char *capability = NULL, *class_name = NULL;

    if (arguments_is(arguments, "--json")) {
        request->json = true;
    } else if (arguments_is(arguments, "--help") || arguments_is(arguments, "-h")) {
        request->help = true;
    } else if (arguments_value(arguments, "--drop-cap", &capability)) {
        request->drop[request->drop_count++] = capability;
    } else if (arguments_value(arguments, "--class", &class_name)) {
        request->classes[request->class_count++] = class_name;
    } else if (!arguments_value(arguments, "--policy", &request->policy) &&
               !arguments_value(arguments, "--opened-as", &request->opened_as) &&
               !arguments_value(arguments, "--used-as", &request->used_as) &&
               !arguments_value(arguments, "--operation", &request->operation) &&
               !arguments_value(arguments, "--namespace", &request->name_space) &&
               !arguments_value(arguments, "--method", &request->method) &&
               !arguments_value(arguments, "--provider", &request->provider)) {
        return arguments_unknown(arguments);
    }
    return arguments->failed ? CLI_USAGE : CLI_YES;
}

static int parse(int count, char **list, struct request *request)
{
    struct arguments arguments = {
        .count = count, .list = list, .command = "miguard policy explain", .known = known};
    int status = CLI_YES;

    request->drop = calloc((size_t)count + 1, sizeof(*request->drop));
    request->classes = calloc((size_t)count + 1, sizeof(*request->classes));
    if (request->drop == NULL || request->classes == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    while (status == CLI_YES && arguments_next(&arguments)) {
        status =
            arguments.operand != NULL
                ? complain(CLI_USAGE, "miguard policy explain: '%s' is too much", arguments.operand)
                : parse_option(&arguments, request);
    }
    if (status != CLI_YES || request->help) {
        return status;
    }
    if (request->opened_as == NULL || request->operation == NULL) {
        return complain(CLI_USAGE, "miguard policy explain: %s is missing",
                        request->opened_as == NULL ? "--opened-as" : "--operation");
    }
    return CLI_YES;
}

/* ---- the question --------------------------------------------------------------------------- */

/* JSON's strings are also YAML's. */
static void append_value(struct text *text, const char *key, const char *value)
{
    if (value != NULL) {
        text_format(text, "      %s: ", key);
        text->comma = false;
        text_json_string(text, NULL, value);
        text_append(text, "\n");
    }
}

static void append_list(struct text *text, const char *key, const char *const *values, size_t count)
{
    if (count == 0) {
        return;
    }
    text_format(text, "      %s: ", key);
    text->comma = false;
    text_json_open(text, NULL, '[');
    for (size_t i = 0; i < count; i++) {
        text_json_string(text, NULL, values[i]);
    }
    text_json_close(text, ']');
    text_append(text, "\n");
}

static void write_question(const struct request *request, struct text *text)
{
    const char *user = request->used_as != NULL ? request->used_as : request->opened_as;

    text_append(text, "version: 1\ntests:\n  - name: question\n    given:\n      opened-as:\n  ");
    append_value(text, "user", request->opened_as);
    text_append(text, "      used-as:\n  ");
    append_value(text, "user", user);
    append_list(text, "  drop-capabilities", request->drop, request->drop_count);
    append_value(text, "operation", request->operation);
    append_value(text, "provider", request->provider);
    append_value(text, "namespace", request->name_space);
    append_list(text, "class", request->classes, request->class_count);
    append_value(text, "method", request->method);
    text_append(text, "    expect: {decision: allow}\n");
}

/* The draft with the one test. What is wrong with it is wrong with the command line. */
static int read_question(const struct request *request, struct policy_draft **ret_draft)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct text text = TEXT_EMPTY;
    int status = CLI_YES;

    write_question(request, &text);
    if (text.failed ||
        draft_load_text("question", text.data, text.length, ret_draft, &errors) != MIGUARD_OK) {
        status = CLI_USAGE;
        for (size_t i = 0; i < errors.count; i++) {
            complain(CLI_USAGE, "miguard policy explain: %s", errors.items[i].message);
        }
        if (errors.count == 0) {
            status = complain(CLI_UNABLE, "out of memory");
        }
    }
    text_release(&text);
    diagnostics_release(&errors);
    return status;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void print_tried(void *context, uint32_t rule_index, const char *name, const char *source,
                        const char *why_not)
{
    (void)context;
    (void)rule_index;
    fputs(why_not == NULL ? "* " : "- ", stdout);
    print_safe(stdout, name, false);
    fputs(" (", stdout);
    print_safe(stdout, source, false);
    fputs("): ", stdout);
    print_safe(stdout, why_not == NULL ? "it applies" : why_not, false);
    putchar('\n');
}

static void note_tried(void *context, uint32_t rule_index, const char *name, const char *source,
                       const char *why_not)
{
    json_t *list = context;

    (void)rule_index;
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s?}", "rule", name, "source", source, "why-not", why_not));
}

static const char *decision_word(const struct policy_verdict *verdict)
{
    return selftest_judgement(verdict) == POLICY_ALLOW ? "allow" : "deny";
}

static int explain_text(const struct policy *policy, const struct policy_call *call)
{
    struct text differing = TEXT_EMPTY;

    identity_components_text(&differing, call->mismatch);
    if (differing.failed) {
        return complain(CLI_UNABLE, "out of memory");
    }
    printf("%s%s\n", call->mismatch == 0 ? "the identity is the same" : "differs in: ",
           call->mismatch == 0 ? "" : differing.data);
    text_release(&differing);
    struct policy_verdict verdict = policy_explain(policy, call, print_tried, NULL);
    printf("%s, by %s", decision_word(&verdict),
           verdict.rule_index == POLICY_NO_RULE ? "" : "rule ");
    print_safe(stdout, verdict.rule, false);
    fputs(" (", stdout);
    print_safe(stdout, verdict.source, false);
    fputs(")", stdout);
    if (verdict.reason != NULL && verdict.reason[0] != '\0') {
        fputs(": ", stdout);
        print_safe(stdout, verdict.reason, false);
    }
    putchar('\n');
    if (verdict.name_invalid) {
        puts("the namespace, class or method is missing or cannot be read with certainty: the "
             "strictest of "
             "the rules that may apply decides");
    } else if (call->further_classes[0] != NULL && call->further_classes[0][0] != '\0' &&
               verdict.class_name != NULL) {
        fputs("it is decided for each class; this is for ", stdout);
        print_safe(stdout, verdict.class_name, false);
        putchar('\n');
    }
    if (verdict.would_deny) {
        puts("it is let through all the same: mode is permissive");
    }
    if (verdict.revoke) {
        puts("the session is over: on-mismatch is revoke");
    }
    printf("%s\n", verdict.recorded ? "it is recorded" : "it is not recorded");
    return verdict.decision == POLICY_ALLOW ? CLI_YES : CLI_NO;
}

static json_t *components_json(miguard_components components)
{
    json_t *list = json_array();

    for (unsigned bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        if ((components >> bit & 1) != 0) {
            json_array_append_new(
                list, json_string(miguard_component_name((miguard_components)1 << bit)));
        }
    }
    return list;
}

static int explain_json(const struct policy *policy, const struct policy_call *call)
{
    json_t *tried = json_array();
    struct policy_verdict verdict = policy_explain(policy, call, note_tried, tried);
    json_t *json = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:o, s:s, s:s, s:s?, s:o}", "decision",
                             decision_word(&verdict), "allowed", verdict.decision == POLICY_ALLOW,
                             "would-deny", verdict.would_deny, "revoke", verdict.revoke, "recorded",
                             verdict.recorded, "name-invalid", verdict.name_invalid, "mismatch",
                             components_json(call->mismatch), "rule", verdict.rule, "source",
                             verdict.source, "reason", verdict.reason, "tried", tried);
    bool printed = json != NULL && print_json(stdout, json);

    json_decref(json);
    if (!printed) {
        return complain(CLI_UNABLE, "out of memory");
    }
    return verdict.decision == POLICY_ALLOW ? CLI_YES : CLI_NO;
}

static int explain(const struct request *request, const struct policy *policy,
                   const struct draft_test *test)
{
    struct selftest_question question;

    if (selftest_ask(test, policy, &question) != MIGUARD_OK) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = (request->json ? explain_json : explain_text)(policy, &question.call);
    selftest_question_release(&question);
    return status;
}

static int answer(const struct request *request)
{
    struct policy_draft *draft = NULL;
    struct policy_set set;
    int status = read_question(request, &draft);

    if (status != CLI_YES) {
        return status;
    }
    status = policy_set_load(policy_path(request->policy), &set);
    print_findings(stderr, &set.findings);
    if (status == CLI_NO) {
        status = complain(CLI_UNABLE, "%s has errors: nothing can be said", set.label);
    }
    if (status == CLI_YES) {
        status = explain(request, set.policy, &draft->tests[0]);
    }
    policy_set_release(&set);
    draft_free(draft);
    return status;
}

int policy_explain_call(int count, char **arguments)
{
    struct request request = {0};
    int status = parse(count, arguments, &request);

    if (status == CLI_YES && request.help) {
        fputs(policy_help, stdout);
    } else if (status == CLI_YES) {
        status = answer(&request);
    }
    free(request.drop);
    free(request.classes);
    return status;
}
