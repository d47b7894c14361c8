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

#include "tools/cli/audit_review.h"
#include "tools/cli/commands.h"
#include "tools/cli/policy_open.h"
#include "tools/policy/show.h"
#include "tools/review/record_call.h"

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
    const char *at, *host;         /* NULL: now, and this machine */
    /* Capabilities that the user of the session lacks, or has beside; up to three classes, as a
     * call has them. */
    struct word_list drop, add, classes;
    struct word_list groups, used_groups; /* in place of those of the user's entry */
    struct word_list mismatch;            /* differs beside what follows from the two */
    const char *record;                   /* in place of all these: the call of this record */
    struct review review;                 /* where it is */
    bool client; /* what --provider may do with its client, in place of a call */
    bool json;
};

static const char *const component_words[] = {
#define COMPONENT_WORD(bit, NAME, name) name,
    MIGUARD_COMPONENT_MAP(COMPONENT_WORD)
#undef COMPONENT_WORD
        NULL};

/* What describes a call, beside --provider. */
#define CALL_OPTIONS                                                                               \
    "--opened-as --used-as --group --used-group --drop-cap --add-cap --mismatch --operation "      \
    "--action --resource --namespace --class --method --at --host"

static const struct option_row options[] = {
    TEXT("--policy", "FILE|DIR", struct request, policy, "in place of the policy in force"),
    TEXT("--opened-as", "USER", struct request, opened_as,
         "the user who opens the session: a name or a uid", .required = true,
         .unless = "--client --record"),
    TEXT("--used-as", "USER", struct request, used_as, "the user who uses it (default: the same)"),
    LIST("--group", "GROUP", struct request, groups,
         "the groups of that user, in place of those that the system knows; the first is the "
         "primary one"),
    LIST("--used-group", "GROUP", struct request, used_groups, "the same of --used-as",
         .needs = "--used-as"),
    LIST("--drop-cap", "CAP", struct request, drop,
         "take this capability away from the user of the session"),
    LIST("--add-cap", "CAP", struct request, add,
         "give this capability to the user of the session"),
    LIST("--mismatch", "COMPONENT", struct request, mismatch,
         "differs beside what follows from the two: euid, groups, lsm-label ...",
         .words = component_words),
    TEXT("--operation", "NAME", struct request, operation, "GetInstance, Invoke, SessionClose ...",
         .words = operation_words, .required = true, .unless = "--action --client --record"),
    TEXT("--action", "NAME", struct request, action, "the name of an own action of a daemon"),
    TEXT("--resource", "NAME", struct request, resource,
         "what the own action is asked for, such as a path"),
    TEXT("--namespace", "NAME", struct request, name_space, "the namespace of the call"),
    LIST("--class", "NAME", struct request, classes, "its class, or up to three"),
    TEXT("--method", "NAME", struct request, method, "its method"),
    TEXT("--provider", "NAME", struct request, provider,
         "the file name of the provider module, or the component of a daemon"),
    TEXT("--at", "TIME", struct request, at, "when, as 2026-03-01T12:00:00Z (default: now)"),
    TEXT("--host", "NAME", struct request, host, "the machine (default: this one)"),
    FLAG("--client", struct request, client,
         "in place of a call: what the provider may do with the client of its request",
         .needs = "--provider", .excludes = CALL_OPTIONS " --record"),
    TEXT("--record", "ID", struct request, record,
         "in place of a call: that of this record, by its id, or by #N its number in the log, "
         "which is that of the policy in force or LOG",
         .excludes = CALL_OPTIONS " --provider"),
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

/* The primary one, and the supplementary ones, among which that is as well, as after a login. */
static void append_groups(struct text *text, const struct word_list *groups)
{
    if (groups->count > 0) {
        text_append(text, "  ");
        append_value(text, "group", groups->items[0]);
        append_list(text, "  groups", groups);
    }
}

/* As the one test of a policy. The verdict that the test expects does not matter: it is not
 * compared. Without --used-as the session is used by the user who opened it. */
static void write_question(const struct request *request, struct text *text)
{
    const char *user = request->used_as != NULL ? request->used_as : request->opened_as;

    text_append(text, "version: 1\ntests:\n  - name: question\n    given:\n      opened-as:\n  ");
    append_value(text, "user", request->opened_as);
    append_groups(text, &request->groups);
    text_append(text, "      used-as:\n  ");
    append_value(text, "user", user);
    append_groups(text, request->used_as != NULL ? &request->used_groups : &request->groups);
    append_list(text, "  drop-capabilities", &request->drop);
    append_list(text, "  add-capabilities", &request->add);
    append_list(text, "mismatch", &request->mismatch);
    append_value(text, "operation", request->operation);
    append_value(text, "action", request->action);
    append_value(text, "provider", request->provider);
    append_value(text, "resource", request->resource);
    append_value(text, "namespace", request->name_space);
    append_list(text, "class", &request->classes);
    append_value(text, "at", request->at);
    append_value(text, "host", request->host);
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
    if (request->at == NULL) {
        question.call.moment = 0; /* now */
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

/* ---- a recorded call ------------------------------------------------------------------------- */

/* What was recorded, for a reader who compares. */
static void print_recorded(const struct record *record, const struct record_call *call)
{
    static const char *const ends[CALL_ENDS] = {"refused", "let pass by mode: permissive",
                                                "allowed"};
    char rule[1024];

    (void)record_text(record, RECORD_RULE, rule, sizeof(rule));
    printf("recorded: %s", ends[call->end]);
    if (rule[0] != '\0') {
        fputs(", by ", stdout);
        print_safe(stdout, rule, false);
    }
    putchar('\n');
}

static int client_of_record(const struct request *request, const struct policy *policy,
                            const struct record_call *call)
{
    const struct policy_client client = policy_client(policy, call->provider);

    if (!request->json) {
        client_text(&client);
    } else if (!client_json(&client)) {
        return complain(CLI_UNABLE, "out of memory");
    }
    return client.may != DRAFT_MAY_NOTHING ? CLI_YES : CLI_NO;
}

static int explain_call(const struct request *request, const struct policy *policy,
                        const struct record *record, struct record_call *call)
{
    switch (record_call_read(record, call)) {
    case CALL_READ:
        break;
    case CALL_NOT_ASKED:
        return complain(CLI_UNABLE,
                        "%s: no rule is asked about such an event; see miguard audit "
                        "explain",
                        request->record);
    case CALL_VARIED:
        return complain(CLI_UNABLE, "%s: the record stands for several calls that differ",
                        request->record);
    case CALL_UNKNOWN:
        return complain(CLI_UNABLE, "%s: the record does not have all that a rule may ask",
                        request->record);
    case CALL_NO_MEMORY:
        return complain(CLI_UNABLE, "out of memory");
    }
    if (!request->json) {
        print_recorded(record, call);
        if (call->one_of_classes) {
            puts("the call may have named further classes, which the record does not have");
        }
    }
    if (call->client) {
        return client_of_record(request, policy, call);
    }
    record_call_prepare(call, policy);
    return (request->json ? explain_json : explain_text)(policy, &call->call);
}

/* What the walk hands over: a copy of the line, and how many different ones there are. */
struct sought {
    struct text line;
    size_t count;
};

static int keep_record(void *context, const struct record *record, const struct read_place *place)
{
    struct sought *sought = context;
    (void)place;

    if (sought->count == 0 || sought->line.length != record->length ||
        memcmp(sought->line.data, record->line, record->length) != 0) {
        sought->count++;
        sought->line.length = 0;
        text_append_bytes(&sought->line, record->line, record->length);
    }
    return sought->line.failed ? complain(CLI_UNABLE, "out of memory") : CLI_YES;
}

/* The one record of that id. */
static int find_record(const struct command_line *line, struct request *request,
                       struct sought *sought)
{
    struct miguard_error error = {0};
    bool number = request->record[0] == '#';

    if (!conditions_begin(&request->review.conditions)) {
        return CLI_UNABLE;
    }
    if (query_add(request->review.conditions.query, number ? "--sequence" : "--id",
                  request->record + number, &error) != MIGUARD_OK) {
        return error.status == MIGUARD_NO_MEMORY ? complain(CLI_UNABLE, "out of memory")
                                                 : wrong_usage(line, "--record %s", error.detail);
    }
    int status = review_walk(&request->review, keep_record, sought);
    audit_hide_progress(&request->review.walk);
    status = audit_finish(&request->review.walk, status);
    if (status == CLI_YES && sought->count != 1) {
        status = complain(CLI_UNABLE, "%s: %s", request->record,
                          sought->count == 0 ? "no such record in these files"
                                             : "more than one record; give the id");
    }
    return status;
}

static int answer_record(const struct command_line *line, struct request *request)
{
    struct sought sought = {0};
    struct policy_set set = {0};
    struct record record;
    size_t fault;
    int status = find_record(line, request, &sought);

    if (status == CLI_YES) {
        status = policy_set_load(policy_path(request->policy), &set);
        print_findings(stderr, &set.findings);
        status = status == CLI_NO
                     ? complain(CLI_UNABLE, "%s has errors: nothing can be said", set.label)
                     : status;
    }
    if (status == CLI_YES &&
        record_parse(sought.line.data, sought.line.length, &record, &fault) == NULL) {
        struct record_call *call = malloc(sizeof(*call)); /* too large for a stack */
        status = call != NULL ? explain_call(request, set.policy, &record, call)
                              : complain(CLI_UNABLE, "out of memory");
        if (call != NULL) {
            record_call_release(call);
        }
        free(call);
    }
    policy_set_release(&set);
    text_release(&sought.line);
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

static int answer_any(const struct command_line *line, struct request *request)
{
    if (request->record != NULL) {
        return answer_record(line, request);
    }
    if (request->review.files.count > 0) {
        return wrong_usage(line, "LOG needs --record");
    }
    return request->client ? answer_client(request) : answer(line, request);
}

/* --opened-as and --operation, --client, or --record, are required by the table. */
static int run_explain(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = answer_any(line, &request);
    }
    word_list_release(&request.drop);
    word_list_release(&request.add);
    word_list_release(&request.classes);
    word_list_release(&request.groups);
    word_list_release(&request.used_groups);
    word_list_release(&request.mismatch);
    review_release(&request.review);
    return status;
}

COMMAND(policy, explain) = {
    .about = "Decides one call: which rules were tried, why they apply or not, and the verdict. "
             "With --record: that of a record. With --client: what a provider may do with the "
             "client of its request.",
    .exits = "Exit status: 0 allowed, 1 denied, 2 wrong usage, 3 the policy has errors, or it or "
             "the record cannot be read.",
    .operand = OPERANDS("[LOG]...", struct request, review.files),
    OPTIONS(options),
    .run = run_explain,
};
