/* SPDX-License-Identifier: MIT */
/*
 * Reads `rules:` into a draft. The keys of `match:` are the rows of model/match_keys.h.
 *
 * schema_read_rules() reads each rule into the load's array. The readers for the keys of match are
 * made from model/match_keys.h: one function for each shape, which are read_ranges(),
 * read_members(), read_globs(), read_times(), read_capabilities(), read_operations() and
 * read_components(). Names and patterns are checked here, so that a rule that can never match is an
 * error and not a silent hole.
 */
#include <string.h>

#include "base/alloc.h"
#include "policy/policy.h"
#include "policy/schema.h"

_Static_assert((int)MATCH_KEY_COUNT < (int)SCHEMA_MAX_KEYS, "schema_read_map() takes no more");

/* ---- match ----------------------------------------------------------------------------------- */

/*
 * Every key takes one value or a list of alternatives. A pattern that no call can match is refused:
 * the author meant something else.
 */

/* Alternatives that are wrong leave a zeroed range behind: the draft is thrown away. */
static void read_ranges(const struct reader *reader, const struct node *node, const char *key,
                        enum match_kind kind, struct draft_ranges *ret_ranges)
{
    const struct node *value;
    uint32_t count = schema_read_values(reader, node, false, &value);
    struct draft_range *ranges = schema_take(reader, count, sizeof(*ranges));
    (void)key;

    if (ranges == NULL) {
        return;
    }
    for (uint32_t i = 0; i < count; i++, value = value->next) {
        (void)schema_read_range(reader, value, kind == MATCH_GROUP, &ranges[i]);
    }
    *ret_ranges = (struct draft_ranges){ranges, count};
}

/* Read alike, and all of them must hold. */
static void read_members(const struct reader *reader, const struct node *node, const char *key,
                         enum match_kind kind, struct draft_ranges *ret_members)
{
    read_ranges(reader, node, key, kind, ret_members);
}

/* An odd number of backslashes at the end. */
static bool ends_in_quote(const char *glob)
{
    size_t quotes = 0, length = strlen(glob);

    while (quotes < length && glob[length - 1 - quotes] == '\\') {
        quotes++;
    }
    return quotes % 2 == 1;
}

/* A provider's file name and a resource may hold anything else. */
static void check_any_text(const struct reader *reader, const struct node *value, const char *glob)
{
    if (ends_in_quote(glob)) {
        schema_value_error(reader, value,
                           "the pattern ends in \"\\\", which quotes nothing; write \"\\\\\" for a "
                           "backslash");
    }
}

/* A call's namespace is compared in its normal form: a pattern in another form would match none. */
static void check_namespace(const struct reader *reader, const struct node *value, const char *glob)
{
    char meant[CIM_SPACE_SIZE];

    if (cim_space_pattern_good(glob, meant, sizeof(meant))) {
        return;
    }
    if (meant[0] != '\0') {
        schema_value_error(reader, value, "a namespace is written as \"%s\"", meant);
    } else {
        schema_value_error(reader, value,
                           "no namespace can match this; names in it are of letters of ASCII, "
                           "digits, \"_\", \"-\" and an inner \".\", with \"/\" between them");
    }
}

/* Classes and methods: a wildcard may stand for anything, other characters must be a name's. */
static void check_cim_name(const struct reader *reader, const struct node *value, const char *key,
                           const char *glob)
{
    if (!cim_class_pattern_good(glob)) {
        schema_value_error(reader, value,
                           "no %s can match this; its name is of letters of ASCII, digits and "
                           "\"_\", and does not begin with a digit",
                           key);
    }
}

/* A "\\" quotes what need not be quoted, since no name has a character that must be. */
static bool action_pattern_good(const char *glob)
{
    size_t least = 0; /* bytes of a name that it matches */

    for (; *glob != '\0'; glob++) {
        if (*glob == '*') {
            continue;
        }
        bool any = *glob == '?';
        if (*glob == '\\') {
            glob++;
        }
        if (!any && !action_name_byte(*glob)) {
            return false;
        }
        least++;
    }
    return least <= ACTION_NAME_MAX;
}

#define ANY_OWN_ACTION                                                                             \
    "\"Action\" stands for every own action of a daemon; use `action:` with their names"

/* The names that operations have and that action_name_valid() lets pass for own actions. */
static void check_action(const struct reader *reader, const struct node *value, const char *glob)
{
    if (strcmp(glob, operation_name(OPERATION_ACTION)) == 0) {
        schema_value_error(reader, value, ANY_OWN_ACTION);
    } else if (!action_pattern_good(glob)) {
        schema_value_error(reader, value,
                           "no action can match this; its name is of %d letters of ASCII, digits, "
                           "\"_\", \"-\", \".\", \":\" and \"/\" at most",
                           ACTION_NAME_MAX);
    }
}

/* A name of a machine as uname(2) gives it; a wildcard stands for anything. */
static void check_host(const struct reader *reader, const struct node *value, const char *glob)
{
    if (glob[strspn(glob, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*?")] !=
        '\0') {
        schema_value_error(
            reader, value,
            "no host can match this; its name is of letters of ASCII, digits, \"-\", "
            "\".\" and \"_\"");
    }
}

/* Names of a domain may have blanks and "\\". */
static void check_account(const struct reader *reader, const struct node *value, const char *key,
                          const char *glob)
{
    check_any_text(reader, value, glob);
    if (strchr(glob, ':') != NULL) {
        schema_value_error(reader, value, "no %s can match this; names have no \":\" (passwd(5))",
                           key);
    }
}

/* By what the pattern is compared with. */
static void check_glob(const struct reader *reader, const struct node *value, const char *key,
                       enum match_kind kind, const char *glob)
{
    if (kind == MATCH_FILE_NAME || kind == MATCH_RESOURCE) {
        check_any_text(reader, value, glob);
    } else if (kind == MATCH_ACCOUNT) {
        check_account(reader, value, key, glob);
    } else if (kind == MATCH_HOST) {
        check_host(reader, value, glob);
    } else if (kind == MATCH_ACTION) {
        check_action(reader, value, glob);
    } else if (kind == MATCH_NAMESPACE) {
        check_namespace(reader, value, glob);
    } else { /* the strictest */
        check_cim_name(reader, value, key, glob);
    }
}

/* All alternatives are kept and checked, so that each error is reported. */
static void read_globs(const struct reader *reader, const struct node *node, const char *key,
                       enum match_kind kind, struct draft_globs *ret_globs)
{
    const struct node *value;
    uint32_t count = schema_read_values(reader, node, false, &value);
    struct draft_glob *globs = schema_take(reader, count, sizeof(*globs));

    if (globs == NULL) {
        return;
    }
    for (uint32_t i = 0; i < count; i++, value = value->next) {
        globs[i].text = schema_keep_text(reader, value, "pattern");
        if (globs[i].text != NULL) {
            check_glob(reader, value, key, kind, globs[i].text);
        }
    }
    *ret_globs = (struct draft_globs){globs, count};
}

/* Read alike; "*" asks for a name. */
static void read_names(const struct reader *reader, const struct node *node, const char *key,
                       enum match_kind kind, struct draft_globs *ret_names)
{
    read_globs(reader, node, key, kind, ret_names);
}

/* Shared with tests (names.c). */
static void read_capabilities(const struct reader *reader, const struct node *node, const char *key,
                              enum match_kind kind, uint64_t *ret_capabilities)
{
    (void)key, (void)kind;
    *ret_capabilities = schema_read_capabilities(reader, node);
}

/* One bit for each. */
static void read_operations(const struct reader *reader, const struct node *node, const char *key,
                            enum match_kind kind, uint32_t *ret_operations)
{
    const struct node *value;
    uint32_t operations;
    (void)key, (void)kind;

    for (uint32_t left = schema_read_values(reader, node, false, &value); left > 0;
         left--, value = value->next) {
        if (!schema_read_operations(reader, value, &operations)) {
            continue;
        }
        if ((operations & UINT32_C(1) << OPERATION_ACTION) != 0) {
            schema_value_error(reader, value, ANY_OWN_ACTION);
        }
        *ret_operations |= operations;
    }
}

/* An empty list is an error: absent means the same identity, and an empty list would look like
 * "nothing". */
static void read_components(const struct reader *reader, const struct node *node, const char *key,
                            enum match_kind kind, miguard_components *ret_components)
{
    (void)key, (void)kind;
    *ret_components = schema_read_components(reader, node, false);
}

/* Read by schema_times.c. */
static void read_times(const struct reader *reader, const struct node *node, const char *key,
                       enum match_kind kind, struct draft_times *ret_times)
{
    (void)key, (void)kind;
    schema_read_times(reader, node, ret_times);
}

/* As the key provider: of match reads it. */
struct draft_globs schema_read_providers(const struct reader *reader, const struct node *node)
{
    struct draft_globs providers = {NULL, 0};

    read_globs(reader, node, "provider", MATCH_FILE_NAME, &providers);
    return providers;
}

#define READ_KEY(member, key, shape, KIND, ...)                                                    \
    static void read_match_##member(const struct reader *reader, const struct node *node,          \
                                    void *target)                                                  \
    {                                                                                              \
        struct draft_match *match = target;                                                        \
        read_##shape(reader, node, key, MATCH_##KIND, &match->member);                             \
    }
MATCH_KEY_MAP(READ_KEY)
#undef READ_KEY

/* ---- a rule ---------------------------------------------------------------------------------- */

/* Unique over all files, since records, tests and messages name a rule by it. */
static void read_name(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_rule *rule = target;
    struct load *load = reader->load;

    rule->name = schema_keep_text(reader, node, "name");
    if (rule->name == NULL) {
        return;
    }
    if (strcmp(rule->name, "default") == 0) {
        schema_value_error(reader, node,
                           "\"default\" names the default decision; choose another name");
    }
    uint32_t hash = schema_hash(rule->name);
    for (uint32_t i = 0; i < load->rule_count; i++) {
        const struct draft_rule *other = &load->rules[i];
        if (load->rule_hashes[i] == hash && other->name != NULL &&
            strcmp(other->name, rule->name) == 0) {
            schema_value_error(reader, node,
                               "duplicate rule name \"%s\"; it is that of the rule at %s:%u",
                               rule->name, other->place.file, other->place.line);
            return;
        }
    }
}

/* All but mismatch: what differs in nothing, and what differs in something, are not each other's
 * exceptions. An own `not` would be a riddle. "*" would except everything. */
static void read_not(const struct reader *reader, const struct node *node, void *target)
{
    struct schema_key keys[SCHEMA_MAX_KEYS] = {{NULL, false, NULL}};
    size_t count = 0;
    struct draft_match *match = target, *except = schema_take(reader, 1, sizeof(*except));

    if (except == NULL) {
        return;
    }
#define NOT_KEY(member, key, shape, KIND, PHASE, ...)                                              \
    if (MATCH_##PHASE != MATCH_IDENTITY) {                                                         \
        keys[count++] = (struct schema_key){key, false, read_match_##member};                      \
    }
    MATCH_KEY_MAP(NOT_KEY)
#undef NOT_KEY
    schema_read_map(reader, node, "not", keys, except);
    match->except = except;
    for (const struct node *entry = node->first; entry != NULL; entry = entry->next) {
        for (const struct node *value = entry->kind == NODE_LIST ? entry->first : entry;
             value != NULL; value = entry->kind == NODE_LIST ? value->next : NULL) {
            if (value->kind == NODE_SCALAR && strcmp(value->text, "*") == 0) {
                schema_value_error(reader, value,
                                   "\"*\" in not: excepts everything; the rule would never apply");
            }
        }
    }
}

/* An empty map is an error (schema_read_map()); a rule without match applies to every call without
 * a mismatch. */
static void read_match(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
#define SCHEMA_KEY(member, key, ...) {key, false, read_match_##member},
        MATCH_KEY_MAP(SCHEMA_KEY)
#undef SCHEMA_KEY
            {"not", false, read_not},
        {NULL, false, NULL},
    };
    struct draft_rule *rule = target;

    schema_read_map(reader, node, "match", keys, &rule->match);
    rule->has_match = true;
}

/* Needed: a rule without one would have to be guessed. */
static void read_rule_decision(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_rule *rule = target;
    unsigned decision;

    if (schema_read_word(reader, node, "decision", schema_decisions, &decision)) {
        rule->decision = decision;
    }
}

/* A rule can be permissive by itself, to be tried out. */
static void read_rule_mode(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_rule *rule = target;
    unsigned mode;

    if (schema_read_word(reader, node, "mode", schema_modes, &mode)) {
        rule->mode = mode;
        rule->has_mode = true;
    }
}

/* One word, or a list of conditions. */
static void read_rule_audit(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word single[] = {
        {"never", 0},
        {"deny", POLICY_AUDIT_DENY},
        {"always", POLICY_AUDIT_DENY | POLICY_AUDIT_OPEN | POLICY_AUDIT_USE},
        {"open", POLICY_AUDIT_OPEN},
        {"use", POLICY_AUDIT_USE},
        {NULL, 0}};
    struct draft_rule *rule = target;

    rule->has_audit = true;
    if (node->kind == NODE_LIST) {
        rule->audit = schema_read_word_set(reader, node, "value of audit", schema_audits);
    } else {
        (void)schema_read_word(reader, node, "value of audit", single, &rule->audit);
    }
}

/* For the record, and for the person who was refused. */
static void read_reason(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_rule *rule = target;
    const char *reason = schema_keep_text(reader, node, "reason");

    if (reason != NULL) {
        rule->reason = reason;
    }
}

/* ---- all rules ------------------------------------------------------------------------------- */

/* Doubles both arrays; a rule without a name has hash 0 and is never found. */
static void append_rule(const struct reader *reader, const struct draft_rule *rule)
{
    struct load *load = reader->load;

    if (load->rule_count == load->rule_capacity) {
        uint32_t capacity = load->rule_capacity == 0 ? 64 : load->rule_capacity * 2;
        struct draft_rule *rules = base_resize(load->rules, capacity, sizeof(*rules));
        if (rules == NULL) {
            load->failed = true;
            return;
        }
        load->rules = rules;
        uint32_t *hashes = base_resize(load->rule_hashes, capacity, sizeof(*hashes));
        if (hashes == NULL) {
            load->failed = true;
            return;
        }
        load->rule_hashes = hashes;
        load->rule_capacity = capacity;
    }
    load->rules[load->rule_count] = *rule;
    load->rule_hashes[load->rule_count] = rule->name == NULL ? 0 : schema_hash(rule->name);
    load->rule_count++;
}

/* The place of a rule is that of its first key. Rules beyond the limit are reported once, and
 * references to rules are not checked then. */
static void read_rule(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"name", true, read_name},
        {"match", false, read_match},
        {"decision", true, read_rule_decision},
        {"mode", false, read_rule_mode},
        {"audit", false, read_rule_audit},
        {"reason", false, read_reason},
        {NULL, false, NULL},
    };
    struct draft_rule rule = {.reason = ""};
    struct load *load = reader->load;
    (void)target;

    /* The index has a bit for each rule and no more. */
    if (load->rule_count == DRAFT_MAX_RULES) {
        if (!load->rules_full) {
            schema_value_error(reader, node, "more than %d rules; put alternatives into one rule",
                               DRAFT_MAX_RULES);
        }
        load->rules_full = load->incomplete = true;
        return;
    }
    schema_read_place(reader, node->kind == NODE_MAP && node->first != NULL ? node->first : node,
                      &rule.place);
    schema_read_map(reader, node, "a rule", keys, &rule);
    load->incomplete = load->incomplete || rule.name == NULL;
    append_rule(reader, &rule);
}

/* ---- all rules --------------------------------------------------------------------------------
 */

/* Whether the values of this key of match are users or groups. */
static bool names_ids(const char *key, bool *ret_group)
{
#define NAMES_IDS(member, name, shape, KIND, ...)                                                  \
    if ((MATCH_##KIND == MATCH_USER || MATCH_##KIND == MATCH_GROUP) && strcmp(key, name) == 0) {   \
        *ret_group = MATCH_##KIND == MATCH_GROUP;                                                  \
        return true;                                                                               \
    }
    MATCH_KEY_MAP(NAMES_IDS)
#undef NAMES_IDS
    return false;
}

/* One value, or a list of alternatives. Errors are for those who read it. */
static void ask_values(struct load *load, struct asked_ahead *ahead, const struct node *node,
                       bool group)
{
    const struct node *value = node->kind == NODE_LIST ? node->first : node;

    for (; value != NULL; value = value == node ? NULL : value->next) {
        if (value->kind == NODE_SCALAR) {
            schema_ask_later(load, ahead, value->text, group);
        }
    }
}

/* Of `match:` and of the `not:` in there. */
static void ask_match(struct load *load, struct asked_ahead *ahead, const struct node *match,
                      bool within)
{
    const struct node *entry = match->kind == NODE_MAP ? match->first : NULL;
    bool group;

    for (; entry != NULL; entry = entry->next) {
        if (names_ids(entry->key, &group)) {
            ask_values(load, ahead, entry, group);
        } else if (!within && strcmp(entry->key, "not") == 0) {
            ask_match(load, ahead, entry, true);
        }
    }
}

/* What the rules will ask the directory, before they are read: in one list. */
static void ask_for_rules(struct load *load, const struct node *rules)
{
    struct asked_ahead ahead = {.count = 0};

    for (const struct node *rule = rules->first; rule != NULL; rule = rule->next) {
        const struct node *entry = rule->kind == NODE_MAP ? rule->first : NULL;
        for (; entry != NULL; entry = entry->next) {
            if (strcmp(entry->key, "match") == 0) {
                ask_match(load, &ahead, entry, false);
            }
        }
    }
    schema_ask_ahead(load, &ahead);
}

/* In the order of the file: the first one that matches decides. */
void schema_read_rules(const struct reader *reader, const struct node *node, void *target)
{
    if (node->kind == NODE_LIST) {
        ask_for_rules(reader->load, node);
    }
    schema_read_items(reader, node, "rules", read_rule, target);
}
