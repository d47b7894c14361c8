/* SPDX-License-Identifier: MIT */
/*
 * miguard policy explain: one call, decided aloud.
 *
 * The call is written as the one test of a policy of its own and read by the reader of tests, so
 * that a user, an operation and a capability mean here exactly what they mean there.
 *
 * answer() reads the question (write_question(), read_question()) and the policy, and explain()
 * asks it through selftest_ask(), as the tests of a policy are asked.
 *
 * The exit status is about the call, not the judgement: what a permissive policy lets through is 0,
 * and the text says that it would be refused otherwise.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/commands.h"
#include "tools/cli/policy_open.h"
#include "tools/policy/show.h"

static const char *const operation_words[] = {
#define OPERATION_WORD(NAME, name, ...) name,
    OPERATION_MAP(OPERATION_WORD)
#undef OPERATION_WORD
        NULL};

/* The call, as it was given. */
struct request {
    /* used_as NULL: the same user as opened_as. */
    const char *policy, *opened_as, *used_as, *operation, *name_space, *provider, *method;
    const char *action, *resource; /* of an own action */
    /* Capabilities that the user of the session lacks; up to three classes, as a call has them. */
    struct word_list drop, classes;
    bool client; /* what --provider may do with its client, in place of a call */
    bool json;
};

static const struct option_row options[] = {
    TEXT("--policy", "FILE|DIR", struct request, policy, "in place of the policy in force"),
    TEXT("--opened-as", "USER", struct request, opened_as,
         "the user who opens the session: a name or a uid", .required = true, .unless = "--client"),
    TEXT("--used-as", "USER", struct request, used_as, "the user who uses it (default: the same)"),
    LIST("--drop-cap", "CAP", struct request, drop,
         "take this capability away from the user of the session"),
    TEXT("--operation", "NAME", struct request, operation, "GetInstance, Invoke, SessionClose ...",
         .words = operation_words, .required = true, .unless = "--action --client"),
    TEXT("--action", "NAME", struct request, action, "the name of an own action of a daemon"),
    TEXT("--resource", "NAME", struct request, resource,
         "what the own action is asked for, such as a path"),
    TEXT("--namespace", "NAME", struct request, name_space, "the namespace of the call"),
    LIST("--class", "NAME", struct request, classes, "its class, or up to three"),
    TEXT("--method", "NAME", struct request, method, "its method"),
    TEXT("--provider", "NAME", struct request, provider,
         "the file name of the provider module, or the component of a daemon"),
    FLAG("--client", struct request, client,
         "in place of a call: what the provider may do with the client of its request",
         .needs = "--provider",
         .excludes = "--opened-as --used-as --drop-cap --operation --action --resource --namespace "
                     "--class --method"),
    FLAG("--json", struct request, json, "print one JSON object"),
};

/* ---- the question --------------------------------------------------------------------------- */

/* A key with a string, which is written as JSON: JSON's strings are also YAML's (YAML 1.2, 1.3), so
 * no value can become another key. NULL leaves it out. */
static void append_value(struct text *text, const char *key, const char *value)
{
    if (value != NULL) {
        text_format(text, "      %s: ", key);
        text->comma = false;
        text_json_string(text, NULL, value);
        text_append(text, "\n");
    }
}

/* The same with a list; an empty one is left out. */
static void append_list(struct text *text, const char *key, const struct word_list *values)
{
    if (values->count == 0) {
        return;
    }
    text_format(text, "      %s: ", key);
    text->comma = false;
    text_json_open(text, NULL, '[');
    for (size_t i = 0; i < values->count; i++) {
        text_json_string(text, NULL, values->items[i]);
    }
    text_json_close(text, ']');
    text_append(text, "\n");
}

/* As the one test of a policy. The verdict that the test expects does not matter: it is not
 * compared. Without --used-as the session is used by the user who opened it. */
static void write_question(const struct request *request, struct text *text)
{
    const char *user = request->used_as != NULL ? request->used_as : request->opened_as;

    text_append(text, "version: 1\ntests:\n  - name: question\n    given:\n      opened-as:\n  ");
    append_value(text, "user", request->opened_as);
    text_append(text, "      used-as:\n  ");
    append_value(text, "user", user);
    append_list(text, "  drop-capabilities", &request->drop);
    append_value(text, "operation", request->operation);
    append_value(text, "action", request->action);
    append_value(text, "provider", request->provider);
    append_value(text, "resource", request->resource);
    append_value(text, "namespace", request->name_space);
    append_list(text, "class", &request->classes);
    append_value(text, "method", request->method);
    text_append(text, "    expect: {decision: allow}\n");
}

/* The draft with the one test. What is wrong with it is wrong with the command line. */
static int read_question(const struct command_line *line, const struct request *request,
                         struct policy_draft **ret_draft)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct text text = TEXT_EMPTY;
    int status = CLI_YES;

    write_question(request, &text);
    if (text.failed ||
        draft_load_text("question", text.data, text.length, ret_draft, &errors) != MIGUARD_OK) {
        status = CLI_USAGE;
        for (size_t i = 0; i < errors.count; i++) {
            wrong_usage(line, "%s", errors.items[i].message);
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

/* One rule that was tried: * for the one that applies, - for the others. */
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

/* The same for JSON; context is the list. */
static void note_tried(void *context, uint32_t rule_index, const char *name, const char *source,
                       const char *why_not)
{
    json_t *list = context;

    (void)rule_index;
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s?}", "rule", name, "source", source, "why-not", why_not));
}

/* The judgement, without the mode: a permissive policy lets the call through and still judges
 * it. */
static const char *decision_word(const struct policy_verdict *verdict)
{
    return selftest_judgement(verdict) == POLICY_ALLOW ? "allow" : "deny";
}

/*
 * Prints as it goes: what differs, the rules that are tried, the verdict with its rule and place,
 * and then what the verdict alone does not show: names that cannot be read with certainty, a mode
 * that lets the call through all the same, the end of the session, and whether it is recorded.
 * CLI_YES when the call is let through.
 */
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
        puts("a name of the call is missing or cannot be read with certainty: the strictest of the "
             "rules that may apply decides");
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

/* The names of the components that differ; a new reference. */
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

/* One object: the decision as the rules have it, whether the call is let through, and all rules
 * that were tried with the reason why each does not apply. CLI_YES when the call is let through. */
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

/* The user names are looked up by selftest_ask(), as in a test. */
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

/* ---- the client of a request ---------------------------------------------------------------- */

static const char *client_sentence(enum draft_may may)
{
    switch (may) {
    case DRAFT_MAY_IMPERSONATE:
        return "the provider may learn who its client is, and become it";
    case DRAFT_MAY_IDENTIFY:
        return "the provider may learn who its client is, and not become it";
    case DRAFT_MAY_NOTHING:
        break;
    }
    return "the provider does not learn who its client is";
}

static void client_text(const struct policy_client *client)
{
    printf("%s: %s, by %s (", show_may(client->may), client_sentence(client->may), client->rule);
    print_safe(stdout, client->source, false);
    printf(")%s%s\n", client->reason[0] != '\0' ? ": " : "", client->reason);
}

/* False when memory is out. */
static bool client_json(const struct policy_client *client)
{
    json_t *json = json_pack("{s:s, s:b, s:s, s:s, s:s}", "may", show_may(client->may), "allowed",
                             client->may != DRAFT_MAY_NOTHING, "rule", client->rule, "source",
                             client->source, "reason", client->reason);
    bool printed = json != NULL && print_json(stdout, json);

    json_decref(json);
    return printed;
}

/* No user is asked about: the entries of clients are about providers alone. */
static int answer_client(const struct request *request)
{
    struct policy_set set;
    int status = policy_set_load(policy_path(request->policy), &set);

    print_findings(stderr, &set.findings);
    if (status == CLI_NO) {
        status = complain(CLI_UNABLE, "%s has errors: nothing can be said", set.label);
    }
    if (status == CLI_YES) {
        const struct policy_client client = policy_client(set.policy, request->provider);
        status = client.may != DRAFT_MAY_NOTHING ? CLI_YES : CLI_NO;
        if (!request->json) {
            client_text(&client);
        } else if (!client_json(&client)) {
            status = complain(CLI_UNABLE, "out of memory");
        }
    }
    policy_set_release(&set);
    return status;
}

/* The question is read first: wrong usage does not depend on the policy. */
static int answer(const struct command_line *line, const struct request *request)
{
    struct policy_draft *draft = NULL;
    struct policy_set set;
    int status = read_question(line, request, &draft);

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

/* --opened-as and --operation, or --client, are required by the table. */
static int run_explain(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = request.client ? answer_client(&request) : answer(line, &request);
    }
    word_list_release(&request.drop);
    word_list_release(&request.classes);
    return status;
}

COMMAND(policy, explain) = {
    .about = "Decides one call: which rules were tried, why they apply or not, and the verdict. "
             "With --client: what a provider may do with the client of its request.",
    .exits = "Exit status: 0 allowed, 1 denied, 2 wrong usage, 3 the policy has errors or cannot "
             "be read.",
    OPTIONS(options),
    .run = run_explain,
};
