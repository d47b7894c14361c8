/* SPDX-License-Identifier: MIT */
/*
 * Finds what a policy allows and probably does not mean to, for `miguard policy check`.
 *
 * lint_draft() looks at the settings, at each rule by itself and against those before it, and at
 * what the tests reached. It warns and refuses nothing: each finding may be meant. A missing
 * warning is better than a wrong one, so lint_covers() and its like say no where they are not sure.
 */
#include "tools/policy/lint.h"

#include <string.h>
#include <strings.h>

/* Who differs in one of these may do other things than the one who took the session. */
#define DANGEROUS ((miguard_components)COMPONENTS_OF_POWER)

/* What the kernel looks at when access is decided: credentials(7), capabilities(7). */
#define DECISIVE ((miguard_components)COMPONENTS_OF_ACCESS)

#define OPERATION_BIT(NAME) (UINT32_C(1) << OPERATION_##NAME)

/* In these nothing can differ (operation_opens()). */
#define OPENINGS (OPERATION_BIT(GET_LOCAL_SESSION) | OPERATION_BIT(BIND))

/* ---- does one rule match all that another does? --------------------------------------------- */

/*
 * A rule that is covered by an earlier one is never reached. The proof goes key by key: each
 * alternative of the later rule must fall within the earlier rule's key. Where that cannot be shown
 * simply, the answer is no.
 */

/* The first range that holds the id, NULL without one. */
static const struct draft_range *range_of(const struct draft_ranges *ranges, uint32_t id)
{
    for (uint32_t i = 0; i < ranges->count; i++) {
        if (ranges->items[i].first <= id && id <= ranges->items[i].last) {
            return &ranges->items[i];
        }
    }
    return NULL;
}

/* Whether the ranges together hold every id of wanted. Steps from the end of one range to the next,
 * so a large range costs no more than a small one. 64 bits, since the last id plus one must not
 * wrap. */
static bool range_covered(const struct draft_ranges *ranges, const struct draft_range *wanted)
{
    uint64_t id = wanted->first;

    while (id <= wanted->last) {
        const struct draft_range *range = range_of(ranges, (uint32_t)id);
        if (range == NULL) {
            return false;
        }
        id = (uint64_t)range->last + 1;
    }
    return true;
}

/* What the functions of all shapes are given besides the two keys. */
struct cover {
    enum match_kind kind;
    miguard_components compared;
};

/* An absent key covers everything and is covered by an absent key only. */
static bool covers_ranges(const struct draft_ranges *earlier, const struct draft_ranges *later,
                          struct cover cover)
{
    bool covered = earlier->count == 0 || later->count > 0;
    (void)cover;

    for (uint32_t i = 0; covered && earlier->count > 0 && i < later->count; i++) {
        covered = range_covered(earlier, &later->items[i]);
    }
    return covered;
}

/* Who has all that the later rule asks for has what the earlier one does: for each of these the
 * later one names a part. */
static bool covers_members(const struct draft_ranges *earlier, const struct draft_ranges *later,
                           struct cover cover)
{
    bool covered = true;
    (void)cover;

    for (uint32_t i = 0; covered && i < earlier->count; i++) {
        const struct draft_range *asked = &earlier->items[i];
        covered = false;
        for (uint32_t k = 0; !covered && k < later->count; k++) {
            covered = asked->first <= later->items[k].first && later->items[k].last <= asked->last;
        }
    }
    return covered;
}

/* A pattern without "?" and "\" also covers a pattern that it matches as a text: its own letters
 * can only have met letters, and what the other's wildcards stand for falls to its "*". Both
 * conditions err to no: then no warning is given. */
static bool glob_covers(const char *earlier, const char *later, bool ignore_case)
{
    if (strcmp(earlier, "*") == 0 ||
        (ignore_case ? strcasecmp(earlier, later) : strcmp(earlier, later)) == 0) {
        return true;
    }
    /* A text without wildcards is covered when the pattern matches it. */
    bool literal = strpbrk(later, "*?\\") == NULL;
    bool simple = strpbrk(earlier, "?\\") == NULL && strchr(later, '\\') == NULL;
    return (literal || simple) && draft_glob_matches(earlier, later, ignore_case);
}

/* Each pattern of later by one of earlier. Several of earlier together may cover more, which is not
 * looked for. */
static bool covers_globs(const struct draft_globs *earlier, const struct draft_globs *later,
                         struct cover cover)
{
    /* An absent key also matches a call that has no such name, and of patterns only "*" does. */
    static const struct draft_glob anything = {"*"};
    struct draft_globs wanted = later->count == 0 ? (struct draft_globs){&anything, 1} : *later;

    for (uint32_t i = 0; earlier->count > 0 && i < wanted.count; i++) {
        bool covered = false;
        for (uint32_t k = 0; !covered && k < earlier->count; k++) {
            covered = glob_covers(earlier->items[k].text, wanted.items[i].text,
                                  match_ignores_case(cover.kind));
        }
        if (!covered) {
            return false;
        }
    }
    return true;
}

/* "*" does not cover the absent key, which holds without a name. */
static bool covers_names(const struct draft_globs *earlier, const struct draft_globs *later,
                         struct cover cover)
{
    return earlier->count == 0 || (later->count > 0 && covers_globs(earlier, later, cover));
}

/* Sets of alternatives: 0 is the absent key. */
static bool set_covers(uint64_t earlier, uint64_t later)
{
    return earlier == 0 || (later != 0 && (later & ~earlier) == 0);
}

static bool covers_capabilities(const uint64_t *earlier, const uint64_t *later, struct cover cover)
{
    (void)cover;
    return set_covers(*earlier, *later);
}

static bool covers_operations(const uint32_t *earlier, const uint32_t *later, struct cover cover)
{
    (void)cover;
    return set_covers(*earlier, *later);
}

static bool given_times(const struct draft_times *times)
{
    return times->days != 0 || times->has_hours || times->from != 0 || times->until != 0;
}

/* The same windows only; which of two is larger is not looked for. */
static bool covers_times(const struct draft_times *earlier, const struct draft_times *later,
                         struct cover cover)
{
    (void)cover;
    return !given_times(earlier) ||
           (earlier->days == later->days && earlier->has_hours == later->has_hours &&
            earlier->first == later->first && earlier->last == later->last &&
            earlier->zone == later->zone && earlier->from == later->from &&
            earlier->until == later->until);
}

/* mismatch is not an alternative but a bound: a rule covers what differs in fewer components. Rules
 * with and without it match different calls. */
static bool covers_components(const miguard_components *earlier, const miguard_components *later,
                              struct cover cover)
{
    return (*earlier == 0) == (*later == 0) && (*later & cover.compared & ~*earlier) == 0;
}

/* One function for each shape of model/match_keys.h. */
bool lint_covers(const struct draft_match *earlier, const struct draft_match *later,
                 miguard_components compared)
{
#define COVERS(member, key, shape, KIND, ...)                                                      \
    covers_##shape(&earlier->member, &later->member, (struct cover){MATCH_##KIND, compared}) &&
    return MATCH_KEY_MAP(COVERS) earlier->except == NULL;
#undef COVERS
}

/* ---- warnings about one rule ---------------------------------------------------------------- */

/*
 * Each names the rule and says what would be right.
 */

/* A warning at a place, without its line: the draft does not keep the text of files. */
#define WARN(findings, place, ...)                                                                 \
    diagnostic_add(findings, DIAGNOSTIC_WARNING, place, NULL, 0, __VA_ARGS__)

/* The sentence and the names of the components. */
static void warn_components(struct diagnostics *findings, const struct draft_rule *rule,
                            miguard_components components, const char *what)
{
    struct text names = TEXT_EMPTY;

    identity_components_text(&names, components);
    if (names.failed) {
        findings->failed = true;
    } else {
        WARN(findings, &rule->place, "rule '%s': %s: %s", rule->name, what, names.data);
    }
    text_release(&names);
}

/* Whether the key is there; the same for each shape below. */
static bool given_ranges(const struct draft_ranges *ranges)
{
    return ranges->count > 0;
}

static bool given_names(const struct draft_globs *globs)
{
    return globs->count > 0;
}

static bool given_members(const struct draft_ranges *members)
{
    return members->count > 0;
}

static bool given_globs(const struct draft_globs *globs)
{
    return globs->count > 0;
}

static bool given_capabilities(const uint64_t *capabilities)
{
    return *capabilities != 0;
}

static bool given_operations(const uint32_t *operations)
{
    return *operations != 0;
}

static bool given_components(const miguard_components *components)
{
    return *components != 0;
}

/* Whether it has a key that asks who uses the session. */
static bool asks_for_user_of_session(const struct draft_match *match)
{
    bool asks = false;

#define ASKS(member, key, shape, KIND, PHASE, ...)                                                 \
    asks = asks || (MATCH_##PHASE == MATCH_USED && given_##shape(&match->member));
    MATCH_KEY_MAP(ASKS)
#undef ASKS
    return asks;
}

/* Whether the key asks for a name that is there: no pattern of it matches a call without one. */
static bool needs_name(const struct draft_globs *globs)
{
    for (uint32_t i = 0; i < globs->count; i++) {
        if (draft_glob_matches(globs->items[i].text, "", false)) {
            return false;
        }
    }
    return globs->count > 0;
}

/* An own action has not the name of an operation, and may have any other that the pattern fits. */
static bool action_may_be(const struct draft_globs *globs, enum operation operation)
{
    enum operation named;

    for (uint32_t i = 0; i < globs->count; i++) {
        const char *glob = globs->items[i].text;
        if (operation == OPERATION_ACTION
                ? !operation_from_name(glob, &named)
                : draft_glob_matches(glob, operation_name(operation), false)) {
            return true;
        }
    }
    return globs->count == 0;
}

/* The operations that operation: and action: of the rule let through together. */
static uint32_t operations_of(const struct draft_match *match)
{
    uint32_t left = match->operations != 0 ? match->operations : UINT32_MAX;

    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        if (!action_may_be(&match->actions, (enum operation)i)) {
            left &= ~(UINT32_C(1) << i);
        }
    }
    return left;
}

/* The first of the operations whose calls do not name what is carried; OPERATION_COUNT: all do. */
static enum operation first_without(uint32_t operations, unsigned carried)
{
    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        if ((operations >> i & 1) != 0 && (operation_carries((enum operation)i) & carried) == 0) {
            return (enum operation)i;
        }
    }
    return OPERATION_COUNT;
}

static bool any_carries(uint32_t operations, unsigned carried)
{
    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        if ((operations >> i & 1) != 0 && (operation_carries((enum operation)i) & carried) != 0) {
            return true;
        }
    }
    return false;
}

/* A key that asks for a name: the rule is for calls that have one. An operation that is listed and
 * never has one is a mistake, and most often GetLocalSession, without which the rest is of no use.
 * What action: lets through need not have it: a pattern fits more than was meant. */
static void lint_name_key(const struct draft_rule *rule, const char *key, unsigned carried,
                          struct diagnostics *findings)
{
    uint32_t operations = operations_of(&rule->match);
    enum operation without = first_without(rule->match.operations, carried);

    if (!any_carries(operations, carried)) {
        WARN(findings, &rule->place,
             "rule '%s' is never reached: no call of its operations has a %s; leave out %s",
             rule->name, key, key);
    } else if (without != OPERATION_COUNT) {
        WARN(findings, &rule->place,
             "rule '%s' never matches %s, which it lists: a call of it has no %s; put it into a "
             "rule "
             "of its own without %s",
             rule->name, operation_name(without), key, key);
    }
}

/* Names that the rule's operations do not have. */
static void lint_names(const struct draft_rule *rule, struct diagnostics *findings)
{
    const struct draft_match *match = &rule->match;

    if (operations_of(match) == 0) {
        WARN(findings, &rule->place,
             "rule '%s' is never reached: none of its operations is one of its actions; leave out "
             "one of the two keys",
             rule->name);
        return;
    }
    if (needs_name(&match->namespaces)) {
        lint_name_key(rule, "namespace", CARRIES_NAMESPACE, findings);
    }
    if (needs_name(&match->classes)) {
        lint_name_key(rule, "class", CARRIES_CLASS, findings);
    }
    if (needs_name(&match->methods)) {
        lint_name_key(rule, "method", CARRIES_METHOD, findings);
    }
    if (needs_name(&match->resources)) {
        lint_name_key(rule, "resource", CARRIES_RESOURCE, findings);
    }
}

/* Whether a test gives an own action of this name: then the name is meant as it is. */
static bool action_is_tested(const struct policy_draft *draft, const char *action)
{
    for (uint32_t i = 0; i < draft->test_count; i++) {
        if (strcmp(draft->tests[i].action, action) == 0) {
            return true;
        }
    }
    return false;
}

/* The names of operations are written as they are; an own action may have such a name in another
 * case, but mostly it is a slip. */
static void lint_action_case(const struct policy_draft *draft, const struct draft_rule *rule,
                             struct diagnostics *findings)
{
    const struct draft_globs *actions = &rule->match.actions;

    for (uint32_t i = 0; i < actions->count; i++) {
        const char *action = actions->items[i].text;
        for (unsigned k = 0; k < OPERATION_ACTION; k++) {
            const char *name = operation_name((enum operation)k);
            if (strcasecmp(action, name) == 0 && strcmp(action, name) != 0 &&
                !action_is_tested(draft, action)) {
                WARN(findings, &rule->place,
                     "rule '%s': its action '%s' is not the operation %s, as capitals and small "
                     "letters differ; write %s, or add a test if it is an own action of a daemon",
                     rule->name, action, name, name);
            }
        }
    }
}

/* "*" holds for each user with a name, and fails with the directory: rarely what is meant. */
static void lint_any_name(const struct draft_rule *rule, const struct draft_globs *names,
                          const char *key, struct diagnostics *findings)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].text, "*") == 0) {
            WARN(findings, &rule->place,
                 "rule '%s': \"*\" under %s holds for all that have a name; leave the key out",
                 rule->name, key);
        }
    }
}

/* What keeps every call away from a rule, whatever the others say. */
static void lint_reachable(const struct policy_draft *draft, const struct draft_rule *rule,
                           struct diagnostics *findings)
{
    const struct draft_match *match = &rule->match;
    miguard_components compared = draft->settings.compared;
    miguard_components ignored = match->mismatch & ~compared;

    if (match->mismatch == 0 && asks_for_user_of_session(match)) {
        WARN(findings, &rule->place,
             "rule '%s' has as- keys and no mismatch: who uses the session is then who opened it; "
             "add mismatch, or say user, group or capability",
             rule->name);
    }
    if (match->mismatch != 0 && operations_of(match) != 0 &&
        (operations_of(match) & ~OPENINGS) == 0) {
        WARN(findings, &rule->place,
             "rule '%s' is never reached: nothing can differ in GetLocalSession and Bind, which "
             "open the session; leave out mismatch, or name operations that use it",
             rule->name);
    }
    lint_names(rule, findings);
    lint_any_name(rule, &match->user_names, "user-name", findings);
    lint_any_name(rule, &match->group_names, "group-name", findings);
    if (match->mismatch != 0 && (match->mismatch & compared) == 0) {
        warn_components(findings, rule, ignored,
                        "it is never reached: its mismatch has only what compare leaves out");
    } else if (ignored != 0 && match->mismatch != MIGUARD_COMPONENTS_ALL) {
        warn_components(findings, rule, ignored,
                        "its mismatch has what compare leaves out and no call can show");
    }
}

/* The rule names users or providers. "*" names every provider, and so none. */
static bool restricted(const struct draft_match *match)
{
    bool any_provider = match->providers.count == 0;

    for (uint32_t i = 0; i < match->providers.count; i++) {
        any_provider = any_provider || strcmp(match->providers.items[i].text, "*") == 0;
    }
    return !any_provider || match->users.count > 0 || match->as_users.count > 0;
}

/* Only rules that allow a mismatch. All components at once is the worst; then those that give
 * power. */
static void lint_breadth(const struct policy_draft *draft, const struct draft_rule *rule,
                         struct diagnostics *findings)
{
    miguard_components compared = draft->settings.compared;
    miguard_components let = rule->match.mismatch & compared;

    if (rule->decision != DRAFT_ALLOW || let == 0) {
        return;
    }
    if (let == compared) {
        WARN(findings, &rule->place,
             "rule '%s' allows whatever differs, so that any identity may use the session; name "
             "the components that may differ",
             rule->name);
    } else if ((let & DANGEROUS) != 0 && !restricted(&rule->match)) {
        warn_components(findings, rule, let & DANGEROUS,
                        "it allows another identity to use the session, for every user and "
                        "provider; add user or provider, or take away");
    }
}

/* The first earlier rule that covers it is named. Its decision is compared, because a shadowed deny
 * is a hole. */
static void lint_shadowed(const struct policy_draft *draft, uint32_t index,
                          struct diagnostics *findings)
{
    const struct draft_rule *rule = &draft->rules[index];

    for (uint32_t i = 0; i < index; i++) {
        const struct draft_rule *earlier = &draft->rules[i];
        if (!lint_covers(&earlier->match, &rule->match, draft->settings.compared)) {
            continue;
        }
        WARN(findings, &rule->place,
             "rule '%s' is never reached: '%s' (%s:%u) comes first and matches everything that it "
             "does%s",
             rule->name, earlier->name, earlier->place.file, earlier->place.line,
             earlier->decision == rule->decision ? "" : ", and decides otherwise");
        return;
    }
}

/* ---- warnings about the whole --------------------------------------------------------------- */

/*
 * Defaults that let through what no rule speaks of weigh more than any rule.
 */

/* on-audit-failure: deny acts only through a sink whose failure counts as one. */
static void lint_sinks(const struct draft_settings *settings, struct diagnostics *findings)
{
    for (uint32_t i = 0; i < settings->sink_count; i++) {
        if (settings->sinks[i].settings.failure_denies) {
            return;
        }
    }
    if (settings->audit_failure_denies) {
        WARN(findings, &settings->sinks_place,
             "no sink has on-failure: deny, so on-audit-failure: deny never acts: calls go on when "
             "no record of them is written");
    }
}

/* Whether an entry before this one fits every provider that this one does. */
static bool client_shadowed(const struct draft_settings *settings, uint32_t index)
{
    static const struct cover cover = {MATCH_FILE_NAME, 0};

    for (uint32_t i = 0; i < index; i++) {
        if (covers_globs(&settings->clients[i].providers, &settings->clients[index].providers,
                         cover)) {
            return true;
        }
    }
    return false;
}

/* Whether the entry is for every provider. */
static bool client_is_all(const struct draft_client *client)
{
    static const struct draft_glob anything = {"*"};
    static const struct draft_globs all = {&anything, 1};

    return covers_globs(&client->providers, &all, (struct cover){MATCH_FILE_NAME, 0});
}

static void lint_clients(const struct draft_settings *settings, struct diagnostics *findings)
{
    for (uint32_t i = 0; i < settings->client_count; i++) {
        const struct draft_client *client = &settings->clients[i];
        const char *first = client->providers.items[0].text;
        if (client_shadowed(settings, i)) {
            WARN(findings, &client->place,
                 "clients: the entry for '%s' is never reached: an earlier one fits each of its "
                 "providers; put it before that one",
                 first);
        } else if (client->may == DRAFT_MAY_IMPERSONATE && client_is_all(client)) {
            WARN(findings, &client->place,
                 "clients: every provider may impersonate the client, those that are installed "
                 "later, too; name the providers");
        }
    }
}

/* Each of these opens the guard as a whole. */
static void lint_settings(const struct policy_draft *draft, struct diagnostics *findings)
{
    const struct draft_settings *settings = &draft->settings;
    miguard_components missing = DECISIVE & ~settings->compared;

    if (settings->decision == DRAFT_ALLOW && !settings->audit_failure_denies) {
        WARN(findings, &settings->audit_failure_place,
             "defaults allow, and on-audit-failure: allow also without a record: who fills the "
             "disk acts unseen; say deny for one of the two");
    }
    lint_sinks(settings, findings);
    lint_clients(settings, findings);
    if (missing != 0) {
        struct text names = TEXT_EMPTY;
        identity_components_text(&names, missing);
        WARN(findings, &settings->compared_place,
             "compare leaves out what the kernel decides by: %s; a session can then be used "
             "under another identity",
             names.failed ? "?" : names.data);
        text_release(&names);
    }
}

/* The operations that some rule allows where the identity is the same. */
static uint32_t allowed_operations(const struct policy_draft *draft)
{
    uint32_t allowed = 0;

    for (uint32_t i = 0; i < draft->rule_count; i++) {
        const struct draft_rule *rule = &draft->rules[i];
        if (rule->decision == DRAFT_ALLOW && rule->match.mismatch == 0) {
            allowed |= operations_of(&rule->match);
        }
    }
    return allowed;
}

/* Under a default of deny each step has to be allowed: to have a session, to start, to take in and
 * to close. A start that cannot be read is allowed in vain, and one that cannot be closed leaks. */
static void lint_steps(const struct policy_draft *draft, struct diagnostics *findings)
{
    static const struct {
        uint32_t needed;
        const char *what;
    } steps[] = {
        {OPERATION_BIT(GET_LOCAL_SESSION), "to have a session (GetLocalSession, or the group "
                                           "session)"},
        {OPERATION_BIT(OPERATION_GET_INSTANCE) | OPERATION_BIT(OPERATION_GET_INDICATION) |
             OPERATION_BIT(OPERATION_GET_CLASS) | OPERATION_BIT(CALLBACK),
         "to take in a result (OperationGetInstance, or the group take-in)"},
        {OPERATION_BIT(OPERATION_CLOSE), "to close what was started (OperationClose, or the group "
                                         "take-in)"},
    };
    uint32_t allowed = allowed_operations(draft), starts = 0;

    for (unsigned i = OPERATION_GET_INSTANCE; i <= OPERATION_TEST_CONNECTION; i++) {
        starts |= UINT32_C(1) << i;
    }
    if (draft->settings.decision != DRAFT_DENY || (allowed & starts) == 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if ((allowed & steps[i].needed) == 0) {
            WARN(findings, &draft->rules[0].place,
                 "the default denies, rules allow to start operations, and none allows %s",
                 steps[i].what);
        }
    }
}

/* Tests of calls that cannot come: what they prove is not true of any call. */
static void lint_tests(const struct policy_draft *draft, struct diagnostics *findings)
{
    for (uint32_t i = 0; i < draft->test_count; i++) {
        const struct draft_test *test = &draft->tests[i];
        if (operation_opens(test->operation) && (test->has_used_as || test->differing != 0)) {
            WARN(findings, &test->place,
                 "test '%s': nothing can differ in %s, which opens the session; leave out used-as "
                 "and mismatch",
                 test->name, operation_name(test->operation));
        }
    }
}

/* Without tests one warning stands for all of the rules. */
static void lint_coverage(const struct policy_draft *draft, const struct selftest_result *tested,
                          struct diagnostics *findings)
{
    if (draft->rule_count == 0) {
        return;
    }
    if (draft->test_count == 0) {
        WARN(findings, &draft->rules[0].place,
             "there are rules and no tests; write under tests: what each rule is for");
        return;
    }
    for (uint32_t i = 0; i < draft->rule_count; i++) {
        if (!tested->rules_reached[i]) {
            WARN(findings, &draft->rules[i].place, "no test reaches rule '%s'",
                 draft->rules[i].name);
        }
    }
    if (!tested->default_reached) {
        WARN(findings, &draft->tests[0].place, "no test reaches the default");
    }
}

/* No index of names can rule such a pattern out (policy/index.c), so each is compared for each
 * call. Measured in make bench, stars.*. */
enum { MANY_STARS = 100 };

/* A pattern of stars alone matches every name and is not compared. */
static bool begins_with_star(const char *glob)
{
    return (glob[0] == '*' || glob[0] == '?') && glob[strspn(glob, "*")] != '\0';
}

static uint32_t count_stars(const struct draft_globs *globs)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < globs->count; i++) {
        count += begins_with_star(globs->items[i].text);
    }
    return count;
}

/* One warning for all, at the first. */
static void lint_stars(const struct policy_draft *draft, struct diagnostics *findings)
{
    const struct draft_rule *first = NULL;
    uint32_t count = 0;

    for (uint32_t i = 0; i < draft->rule_count; i++) {
        const struct draft_match *match = &draft->rules[i].match;
        const uint32_t stars = count_stars(&match->providers) + count_stars(&match->namespaces) +
                               count_stars(&match->classes) + count_stars(&match->methods) +
                               count_stars(&match->actions) + count_stars(&match->resources);
        first = first == NULL && stars > 0 ? &draft->rules[i] : first;
        count += stars;
    }
    if (count > MANY_STARS) {
        WARN(findings, &first->place,
             "%u patterns begin with a wildcard; each of them is tried for every call, so begin "
             "them with what their names have in common",
             count);
    }
}

/* Findings come in the order of the checks; they are sorted when written. */
void lint_draft(const struct policy_draft *draft, const struct selftest_result *tested,
                struct diagnostics *findings)
{
    lint_settings(draft, findings);
    for (uint32_t i = 0; i < draft->rule_count; i++) {
        lint_reachable(draft, &draft->rules[i], findings);
        lint_action_case(draft, &draft->rules[i], findings);
        lint_breadth(draft, &draft->rules[i], findings);
        lint_shadowed(draft, i, findings);
    }
    lint_stars(draft, findings);
    lint_steps(draft, findings);
    lint_tests(draft, findings);
    if (tested != NULL) {
        lint_coverage(draft, tested, findings);
    }
}
