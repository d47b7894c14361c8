/* SPDX-License-Identifier: MIT */
/*
 * Reads `tests:` into a draft: the call that each gives, and what it expects.
 * tools/policy/selftest.c runs them.
 *
 * read_test() reads given and expect. Subjects are resolved while reading: users and groups by the
 * directory, the rest from the entry (complete_subject). Rules that a test names may stand in a
 * later file, so they are checked at the end (schema_finish()).
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "identity/identity.h"
#include "policy/schema.h"

/* ---- a subject ------------------------------------------------------------------------------- */

/*
 * A test must give the same answer on every host, or fail to load: what depends on the directory
 * can be written out (group, groups).
 */

/* What was written of one subject; the rest is completed from the user's entry. */
struct subject {
    struct draft_subject *draft;
    struct directory_entry user;
    bool has_user, has_group, has_groups;
    uint64_t dropped, added;
};

/* By name or id. */
static void read_subject_user(const struct reader *reader, const struct node *node, void *target)
{
    struct subject *subject = target;

    subject->has_user = schema_read_user(reader, node, &subject->user);
    if (subject->has_user) {
        subject->draft->text = schema_keep_text(reader, node, "user");
    }
}

static void read_subject_group(const struct reader *reader, const struct node *node, void *target)
{
    struct subject *subject = target;

    subject->has_group = true; /* also when it is wrong: then nothing else is reported */
    (void)schema_read_group(reader, node, &subject->draft->gid);
}

/* An empty list means no groups, which differs from an absent key. */
static void read_subject_groups(const struct reader *reader, const struct node *node, void *target)
{
    struct subject *subject = target;
    const struct node *value;
    uint32_t count = schema_read_values(reader, node, true, &value);
    uint32_t *groups = schema_take(reader, count, sizeof(*groups));

    if (groups == NULL) {
        return;
    }
    for (uint32_t i = 0; i < count; i++, value = value->next) {
        (void)schema_read_group(reader, value, &groups[i]);
    }
    subject->draft->groups = groups;
    subject->draft->group_count = identity_sort_groups(groups, count);
    subject->has_groups = true;
}

/* Taken from what the user would have. */
static void read_dropped(const struct reader *reader, const struct node *node, void *target)
{
    struct subject *subject = target;
    subject->dropped = schema_read_capabilities(reader, node);
}

/* To what the user would have, as a file or a service manager gives them (capabilities(7)). */
static void read_added(const struct reader *reader, const struct node *node, void *target)
{
    struct subject *subject = target;
    subject->added = schema_read_capabilities(reader, node);
}

/* The groups that a login of that user has, as initgroups(3) gives them. */
static void look_up_groups(const struct reader *reader, const struct node *node,
                           struct subject *subject)
{
    uint32_t *groups = NULL;
    int error = ERANGE;

    switch (
        schema_user_groups(reader, &subject->user, &groups, &subject->draft->group_count, &error)) {
    case DIRECTORY_FOUND:
        subject->draft->groups = groups;
        break;
    case DIRECTORY_NO_MEMORY:
        reader->load->failed = true;
        break;
    default:
        schema_value_error(reader, node,
                           "the groups of user \"%s\" cannot be looked up: %s; give them",
                           subject->user.name, strerrordesc_np(error));
    }
}

/* What was not written follows from the user's entry. Root has every capability that the headers
 * know, as after a login; any other user has none. */
static void complete_subject(const struct reader *reader, const struct node *node,
                             struct subject *subject)
{
    struct draft_subject *draft = subject->draft;
    bool has_entry = subject->user.name != NULL;

    draft->uid = subject->user.id;
    draft->capabilities = draft->uid != 0 ? 0 : ((UINT64_C(1) << (CAP_LAST_CAP + 1)) - 1);
    draft->capabilities = (draft->capabilities | subject->added) & ~subject->dropped;
    if (!has_entry && !subject->has_group) {
        schema_value_error(reader, node,
                           "uid %u has no entry that says its group; give the group as well",
                           draft->uid);
        return;
    }
    if (!subject->has_group) {
        draft->gid = subject->user.gid;
    }
    if (subject->has_groups || !has_entry) {
        return;
    }
    look_up_groups(reader, node, subject);
}

/* where is the name of the key, for messages. */
static void read_subject(const struct reader *reader, const struct node *node, const char *where,
                         struct draft_subject *draft)
{
    static const struct schema_key keys[] = {
        {"user", true, read_subject_user},       {"group", false, read_subject_group},
        {"groups", false, read_subject_groups},  {"drop-capabilities", false, read_dropped},
        {"add-capabilities", false, read_added}, {NULL, false, NULL},
    };
    struct subject subject = {.draft = draft};

    schema_read_place(reader, node->kind == NODE_MAP && node->first != NULL ? node->first : node,
                      &draft->place);
    schema_read_map(reader, node, where, keys, &subject);
    if (subject.has_user) {
        complete_subject(reader, node, &subject);
    }
}

/* ---- given ----------------------------------------------------------------------------------- */

/* Who took the session. */
static void read_opened_as(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_test *test = target;
    read_subject(reader, node, "opened-as", &test->opened_as);
}

/* Absent: the same as opened-as. */
static void read_used_as(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_test *test = target;
    test->has_used_as = true;
    read_subject(reader, node, "used-as", &test->used_as);
}

/* Components that the two subjects cannot express, such as a namespace. */
static void read_differing(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_test *test = target;
    test->differing = schema_read_components(reader, node, false);
}

/* The call. */
static void read_test_operation(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_test *test = target;
    test->has_operation = schema_read_operation(reader, node, &test->operation);
}

/* *ret_text stays "" after an error. */
static void read_string(const struct reader *reader, const struct node *node, const char *what,
                        const char **ret_text)
{
    const char *text = schema_keep_text(reader, node, what);

    if (text != NULL) {
        *ret_text = text;
    }
}

#define READ_FACT(member, key)                                                                     \
    static void read_test_##member(const struct reader *reader, const struct node *node,           \
                                   void *target)                                                   \
    {                                                                                              \
        struct draft_test *test = target;                                                          \
        read_string(reader, node, key, &test->member);                                             \
    }
MATCH_FACT_MAP(READ_FACT)
#undef READ_FACT

/* As a caller would write it: it is normalised when the test runs. */
static void read_test_namespace(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_test *test = target;
    read_string(reader, node, "namespace", &test->name_space);
}

/* One class, or as many as an association names. */
static void read_test_class(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_test *test = target;
    const struct node *value;
    uint32_t count = schema_read_values(reader, node, false, &value);

    if (count > CIM_CLASSES) {
        schema_value_error(reader, node, "a call names %d classes at most", CIM_CLASSES);
        return;
    }
    for (uint32_t i = 0; i < count; i++, value = value->next) {
        read_string(reader, value, "class", &test->class_names[i]);
    }
}

/* For Invoke. */
static void read_test_method(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_test *test = target;
    read_string(reader, node, "method", &test->method);
}

/* Whether the key is written, right or wrong. */
static bool is_written(const struct node *map, const char *key)
{
    for (const struct node *entry = map->first; entry != NULL; entry = entry->next) {
        if (strcmp(entry->key, key) == 0) {
            return true;
        }
    }
    return false;
}

/* One of the two must be there, and an own action is known by its name alone. */
static void check_written(const struct reader *reader, const struct node *given,
                          const struct draft_test *test)
{
    if (is_written(given, "action")) {
        return;
    }
    if (!is_written(given, "operation")) {
        schema_key_error(reader, given->first, "given lacks the key \"operation\" or \"action\"");
    } else if (test->operation == OPERATION_ACTION) {
        schema_key_error(reader, given->first,
                         "given lacks the key \"action\": the operation Action has no other name");
    }
}

/* The operation follows from the action: that of MI, or Bind, of this name, and else an own action.
 * Written beside each other they must say the same. */
static void complete_operation(const struct reader *reader, const struct node *given,
                               struct draft_test *test)
{
    enum operation named = OPERATION_ACTION;

    if (test->action[0] == '\0') {
        return;
    }
    if (!operation_from_name(test->action, &named) && !action_name_valid(test->action)) {
        schema_key_error(
            reader, given->first,
            "no action has the name \"%s\"; it is of %d letters of ASCII, digits, \"_\", "
            "\"-\", \".\", \":\" and \"/\" at most",
            test->action, ACTION_NAME_MAX);
    } else if (named == OPERATION_ACTION && strcmp(test->action, "Action") == 0) {
        schema_key_error(reader, given->first,
                         "\"Action\" stands for every own action of a daemon; give its name");
    } else if (test->has_operation && test->operation != named) {
        schema_key_error(reader, given->first, "the action \"%s\" is of the operation %s, not %s",
                         test->action, operation_name(named), operation_name(test->operation));
    }
    test->operation = named;
}

/* What a call of the operation cannot have: a test with it would be about a call that never comes,
 * and its answer would be taken for that of the calls that do. */
static void check_carried(const struct reader *reader, const struct node *given,
                          const struct draft_test *test)
{
    static const struct {
        const char *key;
        unsigned carried;
    } rows[] = {
        {"namespace", CARRIES_NAMESPACE},
        {"class", CARRIES_CLASS},
        {"method", CARRIES_METHOD},
        {"resource", CARRIES_RESOURCE},
    };
    unsigned carries = operation_carries(test->operation);
    char names[64] = "";

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((carries & rows[i].carried) != 0) {
            size_t length = strlen(names);
            snprintf(names + length, sizeof(names) - length, "%s%s", length == 0 ? "" : ", ",
                     rows[i].key);
        }
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((carries & rows[i].carried) == 0 && is_written(given, rows[i].key)) {
            schema_key_error(reader, given->first,
                             "a call of %s has no %s: it names %s; leave out %s",
                             operation_name(test->operation), rows[i].key,
                             names[0] != '\0' ? names : "nothing", rows[i].key);
        }
    }
}

/* When it is made; without it that is not known. */
static void read_test_moment(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_test *test = target;
    (void)schema_read_moment(reader, node, &test->moment);
}

/* The call that is made up. */
static void read_given(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"opened-as", true, read_opened_as},
        {"used-as", false, read_used_as},
        {"mismatch", false, read_differing},
        {"operation", false, read_test_operation},
#define GIVEN_FACT(member, key) {key, false, read_test_##member},
        MATCH_FACT_MAP(GIVEN_FACT)
#undef GIVEN_FACT
            {"at", false, read_test_moment},
        {"namespace", false, read_test_namespace},
        {"class", false, read_test_class},
        {"method", false, read_test_method},
        {NULL, false, NULL},
    };
    schema_read_map(reader, node, "given", keys, target);
    if (node->kind == NODE_MAP && node->count > 0) {
        check_written(reader, node, target);
        complete_operation(reader, node, target);
        if (((struct draft_test *)target)->has_operation ||
            ((struct draft_test *)target)->action[0] != '\0') {
            check_carried(reader, node, target);
        }
    }
}

/* ---- expect ---------------------------------------------------------------------------------- */

/* What the rules must say, whatever mode is. */
static void read_expected_decision(const struct reader *reader, const struct node *node,
                                   void *target)
{
    struct draft_test *test = target;
    unsigned decision;

    if (schema_read_word(reader, node, "decision", schema_decisions, &decision)) {
        test->expect_decision = decision;
    }
}

/* Empty is meant here: the two are expected to be the same. */
static void read_expected_mismatch(const struct reader *reader, const struct node *node,
                                   void *target)
{
    struct draft_test *test = target;

    test->has_expect_mismatch = true;
    test->expect_mismatch = schema_read_components(reader, node, true);
}

/* "default" is the default. */
static void read_expected_rule(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_test *test = target;
    struct load *load = reader->load;
    const char *name = schema_keep_text(reader, node, "rule name");

    if (name == NULL) {
        return;
    }
    test->expect_rule = name;
    struct rule_reference *reference = arena_take(&load->temporary, 1, sizeof(*reference));
    if (reference == NULL) {
        load->failed = true;
        return;
    }
    *reference =
        (struct rule_reference){.next = load->references, .source = reader->source, .node = node};
    load->references = reference;
}

/* Only the decision is needed. */
static void read_expect(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"decision", true, read_expected_decision},
        {"mismatch", false, read_expected_mismatch},
        {"rule", false, read_expected_rule},
        {NULL, false, NULL},
    };
    schema_read_map(reader, node, "expect", keys, target);
}

/* ---- all tests ------------------------------------------------------------------------------- */

/* Need not be unique; the place distinguishes tests. */
static void read_test_name(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_test *test = target;
    test->name = schema_keep_text(reader, node, "name");
}

/* Doubles the array. */
static void append_test(struct load *load, const struct draft_test *test)
{
    if (load->test_count == load->test_capacity) {
        uint32_t capacity = load->test_capacity == 0 ? 64 : load->test_capacity * 2;
        struct draft_test *tests = base_resize(load->tests, capacity, sizeof(*tests));
        if (tests == NULL) {
            load->failed = true;
            return;
        }
        load->tests = tests;
        load->test_capacity = capacity;
    }
    load->tests[load->test_count++] = *test;
}

/* Tests beyond the limit are reported once. */
static void read_test(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"name", true, read_test_name},
        {"given", true, read_given},
        {"expect", true, read_expect},
        {NULL, false, NULL},
    };
    struct draft_test test = {
#define NO_FACT(member, key) .member = "",
        MATCH_FACT_MAP(NO_FACT)
#undef NO_FACT
            .name_space = "",
        .class_names = {"", "", ""}, .method = ""};
    struct load *load = reader->load;
    (void)target;

    if (load->test_count == DRAFT_MAX_TESTS) {
        if (!load->tests_full) {
            schema_value_error(reader, node, "more than %d tests", DRAFT_MAX_TESTS);
        }
        load->tests_full = true;
        return;
    }
    schema_read_place(reader, node->kind == NODE_MAP && node->first != NULL ? node->first : node,
                      &test.place);
    schema_read_map(reader, node, "a test", keys, &test);
    append_test(load, &test);
}

/* Tests of all files are run together: rules of one file may be tested in another. */
void schema_read_tests(const struct reader *reader, const struct node *node, void *target)
{
    schema_read_items(reader, node, "tests", read_test, target);
}
