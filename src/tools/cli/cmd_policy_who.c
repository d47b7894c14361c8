/* SPDX-License-Identifier: MIT */
/*
 * miguard policy who: all that a user may do, and by which rules.
 *
 * For each operation the rules are asked in their order by policy_rule_chance(), the matching of
 * the guard with everything but the user and the operation left open, up to the first that always
 * applies, or the default (decide_operation()). Operations with the same rules become one entry
 * (add_own()). Rules with `mismatch` are asked twice: for the user's sessions that another identity
 * uses, and for those of others that the user uses (find_shared()).
 *
 * The user is read as one of a test, so that a name, an id and a group mean the same here. The
 * answer is made as JSON; the text is printed from that.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/commands.h"
#include "tools/cli/policy_open.h"

struct request {
    const char *user, *policy;
    struct word_list groups, drop, add;
    bool json;
};

static const struct option_row options[] = {
    TEXT("--policy", "FILE|DIR", struct request, policy, "in place of the policy in force"),
    LIST("--group", "GROUP", struct request, groups,
         "the groups of the user, in place of those that the system knows; the first is the "
         "primary one"),
    LIST("--drop-cap", "CAP", struct request, drop, "take this capability away from the user"),
    LIST("--add-cap", "CAP", struct request, add, "give this capability to the user"),
    FLAG("--json", struct request, json, "print one JSON object"),
};

/* What is known, as bits of enum match_phase. */
enum {
    KNOWN_OWN = 1 << MATCH_IDENTITY | 1 << MATCH_CALL | 1 << MATCH_OPENED | 1 << MATCH_USED,
    KNOWN_LENT = 1 << MATCH_OPENED,
    KNOWN_BORROWED = 1 << MATCH_USED,
};

/* The keys of match, and when they are known. */
static const struct {
    const char *key;
    enum match_phase phase;
    enum match_kind kind;
} keys[] = {
#define KEY_ROW(member, key, shape, KIND, PHASE, ...) {key, MATCH_##PHASE, MATCH_##KIND},
    MATCH_KEY_MAP(KEY_ROW)
#undef KEY_ROW
};

/* What the answer is made of. */
struct inquiry {
    const struct policy_set *set;
    const json_t *rules; /* of policy_json() */
    json_t *permissive;  /* providers in mode permissive, or NULL */
    const struct miguard_identity *user;
    json_t *own, *refused, *lent, *borrowed;
    bool anything; /* is allowed */
};

/* ---- one rule ------------------------------------------------------------------------------- */

/* The keys of the rule that are not known, with their values. */
static json_t *conditions_of(const json_t *rule, unsigned phases, bool own_action)
{
    const json_t *match = json_object_get(rule, "match");
    json_t *conditions = json_object();

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_t *value = json_object_get(match, keys[i].key);
        bool known = (phases >> keys[i].phase & 1) != 0 && keys[i].kind != MATCH_FILE_NAME &&
                     !(keys[i].kind == MATCH_ACTION && own_action);
        if (value != NULL && !known) {
            json_object_set(conditions, keys[i].key, value);
        }
    }
    json_t *except = json_object_get(match, "not");
    if (except != NULL) {
        json_object_set(conditions, "not", except);
    }
    return conditions;
}

/* "allow", "deny", or "would-deny" where mode lets it pass. */
static const char *decision_of(const struct policy_draft *draft, uint32_t index)
{
    bool is_rule = index != POLICY_NO_RULE;
    enum draft_mode mode =
        is_rule && draft->rules[index].has_mode ? draft->rules[index].mode : draft->settings.mode;
    enum draft_decision decision =
        is_rule ? draft->rules[index].decision : draft->settings.decision;

    return decision == DRAFT_ALLOW ? "allow" : mode == DRAFT_PERMISSIVE ? "would-deny" : "deny";
}

static json_t *entry_of(const struct inquiry *inquiry, uint32_t index, unsigned phases,
                        bool own_action)
{
    const char *decision = decision_of(inquiry->set->draft, index);

    if (index == POLICY_NO_RULE) {
        return json_pack("{s:s, s:s, s:{}}", "decision", decision, "rule", "default", "conditions");
    }
    const json_t *rule = json_array_get(inquiry->rules, index);
    return json_pack("{s:s, s:O, s:O, s:o}", "decision", decision, "rule",
                     json_object_get(rule, "name"), "source", json_object_get(rule, "source"),
                     "conditions", conditions_of(rule, phases, own_action));
}

static bool allows(const json_t *entry)
{
    return strcmp(json_string_value(json_object_get(entry, "decision")), "deny") != 0;
}

/* ---- own sessions --------------------------------------------------------------------------- */

/* Refused to everybody, whatever the policy says (miguard-policy(5), OPERATIONS), or a name for
 * records alone. */
static bool is_never_asked(enum operation operation)
{
    return operation == OPERATION_APPLICATION_CLOSE ||
           operation == OPERATION_APPLICATION_NEW_SESSION ||
           operation == OPERATION_APPLICATION_NEW_PROVIDER || operation == OPERATION_CONTEXT_CALL;
}

/* The rules that may decide the operation, and the default where no rule always does. What is
 * behind the last that allows is of no interest: it refuses, as the end does. */
static json_t *decide_operation(const struct inquiry *inquiry, enum operation operation)
{
    const struct policy_call call = {.operation = operation, .opened_as = inquiry->user};
    bool own_action = operation == OPERATION_ACTION;
    json_t *entries = json_array();
    enum policy_chance chance = POLICY_NEVER;

    for (uint32_t i = 0; i < inquiry->set->draft->rule_count && chance != POLICY_ALWAYS; i++) {
        chance = policy_rule_chance(inquiry->set->policy, i, &call, KNOWN_OWN);
        if (chance != POLICY_NEVER) {
            json_array_append_new(entries, entry_of(inquiry, i, KNOWN_OWN, own_action));
        }
    }
    if (chance != POLICY_ALWAYS) {
        json_array_append_new(entries, entry_of(inquiry, POLICY_NO_RULE, KNOWN_OWN, own_action));
    }
    size_t count = json_array_size(entries);
    bool ends_refused = !allows(json_array_get(entries, count - 1));
    while (ends_refused && count > 1 && !allows(json_array_get(entries, count - 2))) {
        json_array_remove(entries, --count - 1);
    }
    return entries;
}

/* To the entry with the same rules, or a new one. entries is taken. */
static void add_own(struct inquiry *inquiry, enum operation operation, json_t *entries)
{
    json_t *name =
        json_string(operation == OPERATION_ACTION ? "own actions" : operation_name(operation));

    if (json_array_size(entries) == 1 && !allows(json_array_get(entries, 0))) {
        json_array_append_new(inquiry->refused, name);
        json_decref(entries);
        return;
    }
    inquiry->anything = true;
    for (size_t i = 0; i < json_array_size(inquiry->own); i++) {
        json_t *group = json_array_get(inquiry->own, i);
        if (json_equal(json_object_get(group, "rules"), entries)) {
            json_array_append_new(json_object_get(group, "operations"), name);
            json_decref(entries);
            return;
        }
    }
    json_array_append_new(inquiry->own,
                          json_pack("{s:[o], s:o}", "operations", name, "rules", entries));
}

static void find_own(struct inquiry *inquiry)
{
    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        if (!is_never_asked((enum operation)i)) {
            add_own(inquiry, (enum operation)i, decide_operation(inquiry, (enum operation)i));
        }
    }
}

/* ---- sessions of one that another uses ------------------------------------------------------- */

/* Up to the last that allows: behind it all is refused by default. */
static void find_shared(struct inquiry *inquiry, unsigned phases, json_t *list)
{
    const struct policy_draft *draft = inquiry->set->draft;
    const struct policy_call call = {
        .operation = OPERATION_GET_INSTANCE, .opened_as = inquiry->user, .used_as = inquiry->user};

    for (uint32_t i = 0; i < draft->rule_count; i++) {
        if (draft->rules[i].match.mismatch != 0 &&
            policy_rule_chance(inquiry->set->policy, i, &call, phases) != POLICY_NEVER) {
            json_array_append_new(list, entry_of(inquiry, i, phases, true));
        }
    }
    size_t count = json_array_size(list);
    while (count > 0 && !allows(json_array_get(list, count - 1))) {
        json_array_remove(list, --count);
    }
    inquiry->anything = inquiry->anything || count > 0;
}

/* ---- printing ------------------------------------------------------------------------------- */

static void print_entry(const json_t *entry, bool last)
{
    json_t *conditions = json_object_get(entry, "conditions"), *value;
    const json_t *source = json_object_get(entry, "source");
    const char *decision = json_string_value(json_object_get(entry, "decision")), *key;
    const char *between = " if ";

    printf("    %s", strcmp(decision, "would-deny") == 0 ? "let pass (permissive)" : decision);
    json_object_foreach(conditions, key, value)
    {
        printf("%s%s: ", between, key);
        print_policy_value(value);
        between = "; ";
    }
    fputs(last && json_object_size(conditions) == 0 ? ", by " : "\n        by ", stdout);
    print_safe(stdout, json_string_value(json_object_get(entry, "rule")), false);
    if (source != NULL) {
        fputs(" (", stdout);
        print_safe(stdout, json_string_value(source), false);
        fputs(")", stdout);
    }
    putchar('\n');
}

static void print_entries(const json_t *entries)
{
    for (size_t i = 0; i < json_array_size(entries); i++) {
        print_entry(json_array_get(entries, i), i + 1 == json_array_size(entries));
    }
}

/* In lines of 78 columns. */
static void print_operations(const json_t *operations)
{
    size_t column = 0;

    for (size_t i = 0; i < json_array_size(operations); i++) {
        const char *name = json_string_value(json_array_get(operations, i));
        bool fits = i > 0 && column + strlen(name) + 3 <= 78;
        fputs(i == 0 ? "  " : fits ? ", " : ",\n  ", stdout);
        fputs(name, stdout);
        column = (fits ? column : 0) + 2 + strlen(name);
    }
    putchar('\n');
}

static void print_inquiry(const struct inquiry *inquiry)
{
    if (inquiry->permissive != NULL) {
        fputs("what is denied to these providers is let pass (permissive): ", stdout);
        print_policy_value(inquiry->permissive);
        puts("\n");
    }
    for (size_t i = 0; i < json_array_size(inquiry->own); i++) {
        const json_t *group = json_array_get(inquiry->own, i);
        puts(i == 0 ? "in sessions of its own:" : "");
        print_operations(json_object_get(group, "operations"));
        print_entries(json_object_get(group, "rules"));
    }
    if (json_array_size(inquiry->refused) > 0) {
        puts(json_array_size(inquiry->own) > 0 ? "\nrefused:" : "refused:");
        print_operations(inquiry->refused);
    }
    if (json_array_size(inquiry->lent) > 0) {
        puts("\n"
             "in sessions of its own that another identity uses:");
        print_entries(inquiry->lent);
    }
    if (json_array_size(inquiry->borrowed) > 0) {
        puts("\n"
             "in sessions that another identity opened:");
        print_entries(inquiry->borrowed);
    }
}

static int print_answer(const struct request *request, const struct inquiry *inquiry)
{
    int status = inquiry->anything ? CLI_YES : CLI_NO;

    if (!request->json) {
        print_inquiry(inquiry);
        return status;
    }
    json_t *json =
        json_pack("{s:b, s:O?, s:O, s:O, s:O, s:O}", "anything", inquiry->anything, "permissive",
                  inquiry->permissive, "own", inquiry->own, "refused", inquiry->refused, "lent",
                  inquiry->lent, "borrowed", inquiry->borrowed);
    bool printed = json != NULL && print_json(stdout, json);
    json_decref(json);
    return printed ? status : complain(CLI_UNABLE, "out of memory");
}

/* ---- the question --------------------------------------------------------------------------- */

static void append_list(struct text *text, const char *key, const struct word_list *values)
{
    if (values->count == 0) {
        return;
    }
    text_format(text, "        %s: ", key);
    text->comma = false;
    text_json_open(text, NULL, '[');
    for (size_t i = 0; i < values->count; i++) {
        text_json_string(text, NULL, values->items[i]);
    }
    text_json_close(text, ']');
    text_append(text, "\n");
}

static void append_string(struct text *text, const char *key, const char *value)
{
    text_format(text, "        %s: ", key);
    text->comma = false;
    text_json_string(text, NULL, value);
    text_append(text, "\n");
}

/* As the subject of the one test of a policy, as `policy explain` does. */
static int read_user(const struct command_line *line, const struct request *request,
                     struct policy_draft **ret_draft)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct text text = TEXT_EMPTY;
    int status = CLI_YES;

    text_append(&text, "version: 1\ntests:\n  - name: question\n    given:\n      opened-as:\n");
    append_string(&text, "user", request->user);
    if (request->groups.count > 0) {
        append_string(&text, "group", request->groups.items[0]);
        append_list(&text, "groups", &request->groups);
    }
    append_list(&text, "drop-capabilities", &request->drop);
    append_list(&text, "add-capabilities", &request->add);
    text_append(&text, "      operation: GetLocalSession\n    expect: {decision: allow}\n");
    if (text.failed ||
        draft_load_text("question", text.data, text.length, ret_draft, &errors) != MIGUARD_OK) {
        status = CLI_USAGE;
        for (size_t i = 0; i < errors.count; i++) {
            wrong_usage(line, "%s", errors.items[i].message);
        }
        status = errors.count == 0 ? complain(CLI_UNABLE, "out of memory") : status;
    }
    text_release(&text);
    diagnostics_release(&errors);
    return status;
}

static int inquire(const struct request *request, const struct policy_set *set,
                   const struct draft_test *test)
{
    struct selftest_question question;
    json_t *policy = policy_json(set->draft);
    int status = CLI_YES;

    if (policy == NULL || selftest_ask(test, set->policy, &question) != MIGUARD_OK) {
        json_decref(policy);
        return complain(CLI_UNABLE, "out of memory");
    }
    struct inquiry inquiry = {
        .set = set,
        .rules = json_object_get(policy, "rules"),
        .permissive = json_object_get(
            json_object_get(json_object_get(policy, "defaults"), "permissive"), "value"),
        .user = &question.opened_as,
        .own = json_array(),
        .refused = json_array(),
        .lent = json_array(),
        .borrowed = json_array()};
    find_own(&inquiry);
    find_shared(&inquiry, KNOWN_LENT, inquiry.lent);
    find_shared(&inquiry, KNOWN_BORROWED, inquiry.borrowed);
    status = print_answer(request, &inquiry);
    json_decref(inquiry.own);
    json_decref(inquiry.refused);
    json_decref(inquiry.lent);
    json_decref(inquiry.borrowed);
    json_decref(policy);
    selftest_question_release(&question);
    return status;
}

static int answer(const struct command_line *line, const struct request *request)
{
    struct policy_draft *draft = NULL;
    struct policy_set set = {0};
    int status = read_user(line, request, &draft);

    if (status != CLI_YES) {
        return status;
    }
    status = policy_set_load(policy_path(request->policy), &set);
    print_findings(stderr, &set.findings);
    if (status == CLI_NO) {
        status = complain(CLI_UNABLE, "%s has errors: nothing can be said", set.label);
    }
    if (status == CLI_YES) {
        status = inquire(request, &set, &draft->tests[0]);
    }
    policy_set_release(&set);
    draft_free(draft);
    return status;
}

static int run_who(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = request.user == NULL ? wrong_usage(line, "which user? Give a name or a uid")
                                      : answer(line, &request);
    }
    word_list_release(&request.groups);
    word_list_release(&request.drop);
    word_list_release(&request.add);
    return status;
}

COMMAND(policy, who) = {
    .about = "Prints all that USER (a name or uid) may do, and by which rules: for each operation "
             "the rules that may decide it, in their order, with what else they ask, up to one "
             "that always applies. The user has the groups that the system knows, and all "
             "capabilities as root, else none.",
    .exits = "Exit status: 0 something is allowed, 1 nothing is, 2 wrong usage, 3 the policy has "
             "errors or cannot be read.",
    .operand = OPERAND("USER", struct request, user),
    OPTIONS(options),
    .run = run_who,
};
