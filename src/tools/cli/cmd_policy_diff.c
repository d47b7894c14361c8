/* SPDX-License-Identifier: MIT */
/*
 * miguard policy diff: in what two policies differ, over their settings and rules, and over the
 * calls of a log.
 *
 * Both are read and turned into the JSON of `policy show` (show_json()), which has what they mean
 * over all their files. diff_settings() and diff_rules() compare that: rules by their names, and
 * their order, since the first that matches decides. Where something stands, and by which name an
 * id is written, is no difference.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/commands.h"
#include "tools/cli/policy_changes.h"

struct request {
    struct word_list words; /* old, new, then logs */
    struct review review;   /* its files are a part of words */
    bool json;
};

static const struct option_row options[] = {
    FLAG("--json", struct request, json, "print one JSON object"),
    REVIEW_WHOLE(struct request),
};

/* What was found; all lists are arrays of JSON. */
struct difference {
    json_t *settings, *removed, *added, *changed, *moved;
};

/* ---- values --------------------------------------------------------------------------------- */

/* A member that says where the value stands, or how an id was written. */
static bool is_aside(const json_t *object, const char *key)
{
    return strcmp(key, "source") == 0 ||
           (strcmp(key, "text") == 0 && json_object_get(object, "first") != NULL);
}

static bool same(const json_t *a, const json_t *b);

static bool has_all(const json_t *of, const json_t *in)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)of, key, value)
    {
        if (!is_aside(of, key) && !same(value, json_object_get(in, key))) {
            return false;
        }
    }
    return true;
}

static bool same(const json_t *a, const json_t *b)
{
    if (a == NULL || b == NULL || json_typeof(a) != json_typeof(b)) {
        return a == b;
    }
    if (json_is_object(a)) {
        return has_all(a, b) && has_all(b, a);
    }
    if (!json_is_array(a)) {
        return json_equal(a, b);
    }
    bool equal = json_array_size(a) == json_array_size(b);
    for (size_t i = 0; equal && i < json_array_size(a); i++) {
        equal = same(json_array_get(a, i), json_array_get(b, i));
    }
    return equal;
}

/* Adds {key, old, new} for each leaf in which the two differ. Either may be NULL. */
static void add_leaves(json_t *list, const char *path, json_t *old, json_t *new)
{
    json_t *objects[] = {old, new}, *value;
    const char *key;

    if (json_object_get(old, "value") != NULL || json_object_get(new, "value") != NULL) {
        old = json_object_get(old, "value");
        new = json_object_get(new, "value");
    } else if (json_is_object(old) || json_is_object(new)) {
        for (int i = 0; i < 2; i++) {
            json_object_foreach(objects[i], key, value)
            {
                char below[256];
                snprintf(below, sizeof(below), "%s%s%s", path, path[0] != '\0' ? "." : "", key);
                if (!is_aside(objects[i], key) && (i == 0 || json_object_get(old, key) == NULL)) {
                    add_leaves(list, below, json_object_get(old, key), json_object_get(new, key));
                }
            }
        }
        return;
    }
    if (!same(old, new)) {
        json_array_append_new(list,
                              json_pack("{s:s, s:O?, s:O?}", "key", path, "old", old, "new", new));
    }
}

/* ---- rules ---------------------------------------------------------------------------------- */

static json_t *rule_of_name(const json_t *rules, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < json_array_size(rules); i++) {
        json_t *rule = json_array_get(rules, i);
        if (strcmp(json_string_value(json_object_get(rule, "name")), name) == 0) {
            *ret_index = i;
            return rule;
        }
    }
    return NULL;
}

/* Of the rules that both have, those that are not in the longest sequence that kept its order: the
 * fewest that could have been moved. places[i]: the place in the old policy of the i-th common rule
 * of the new one. */
static void mark_moved(const size_t *places, size_t count, bool *moved)
{
    size_t *length = calloc(count + 1, sizeof(*length)), best = 0;

    for (size_t i = 0; length != NULL && i < count; i++) {
        length[i] = 1;
        for (size_t j = 0; j < i; j++) {
            if (places[j] < places[i] && length[j] + 1 > length[i]) {
                length[i] = length[j] + 1;
            }
        }
        best = length[i] > best ? length[i] : best;
    }
    size_t above = SIZE_MAX;
    for (size_t i = count; length != NULL && i-- > 0;) {
        moved[i] = length[i] != best || best == 0 || places[i] > above;
        if (!moved[i]) {
            best--;
            above = places[i];
        }
    }
    free(length);
}

static void diff_order(const json_t *old, const json_t *new, struct difference *difference)
{
    size_t places[DRAFT_MAX_RULES], count = 0;
    const char *names[DRAFT_MAX_RULES];
    bool moved[DRAFT_MAX_RULES] = {false};

    for (size_t i = 0; i < json_array_size(new) && count < DRAFT_MAX_RULES; i++) {
        names[count] = json_string_value(json_object_get(json_array_get(new, i), "name"));
        count += rule_of_name(old, names[count], &places[count]) != NULL;
    }
    mark_moved(places, count, moved);
    for (size_t i = 0; i < count; i++) {
        if (moved[i]) {
            json_array_append_new(
                difference->moved,
                json_pack("{s:s, s:s?}", "rule", names[i], "behind", i > 0 ? names[i - 1] : NULL));
        }
    }
}

static void diff_rules(const json_t *old, const json_t *new, struct difference *difference)
{
    size_t place;

    for (size_t i = 0; i < json_array_size(old); i++) {
        json_t *rule = json_array_get(old, i);
        const char *name = json_string_value(json_object_get(rule, "name"));
        json_t *other = rule_of_name(new, name, &place);
        if (other == NULL) {
            json_array_append(difference->removed, rule);
        } else if (!same(rule, other)) {
            json_t *keys = json_array();
            add_leaves(keys, "", rule, other);
            json_array_append_new(difference->changed,
                                  json_pack("{s:s, s:O, s:o}", "rule", name, "source",
                                            json_object_get(other, "source"), "keys", keys));
        }
    }
    for (size_t i = 0; i < json_array_size(new); i++) {
        json_t *rule = json_array_get(new, i);
        if (rule_of_name(old, json_string_value(json_object_get(rule, "name")), &place) == NULL) {
            json_array_append(difference->added, rule);
        }
    }
    diff_order(old, new, difference);
}

/* Everything beside the rules; clients are a list that counts as a whole, as their order does. */
static void diff_settings(json_t *old, json_t *new, struct difference *difference)
{
    static const char *const others[] = {"rules", "files", "version"};

    json_t *one = json_copy(old), *other = json_copy(new);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        json_object_del(one, others[i]);
        json_object_del(other, others[i]);
    }
    add_leaves(difference->settings, "", one, other);
    json_decref(one);
    json_decref(other);
}

static void release(struct difference *difference)
{
    json_decref(difference->settings);
    json_decref(difference->removed);
    json_decref(difference->added);
    json_decref(difference->changed);
    json_decref(difference->moved);
}

/* False: out of memory. Released by the caller in either case. */
static bool find(const struct policy_set sets[2], struct difference *ret_difference)
{
    json_t *old = policy_json(sets[0].draft), *new = policy_json(sets[1].draft);

    *ret_difference =
        (struct difference){json_array(), json_array(), json_array(), json_array(), json_array()};
    if (old != NULL && new != NULL) {
        diff_settings(old, new, ret_difference);
        diff_rules(json_object_get(old, "rules"), json_object_get(new, "rules"), ret_difference);
    }
    bool good = old != NULL && new != NULL;
    json_decref(old);
    json_decref(new);
    return good;
}

static bool is_same(const struct difference *difference)
{
    return json_array_size(difference->settings) + json_array_size(difference->removed) +
               json_array_size(difference->added) + json_array_size(difference->changed) +
               json_array_size(difference->moved) ==
           0;
}

/* ---- printing ------------------------------------------------------------------------------- */

static void print_leaves(const json_t *leaves, const char *indent)
{
    for (size_t i = 0; i < json_array_size(leaves); i++) {
        const json_t *leaf = json_array_get(leaves, i);
        const json_t *old = json_object_get(leaf, "old"), *new = json_object_get(leaf, "new");
        printf("%s%s: ", indent, json_string_value(json_object_get(leaf, "key")));
        print_policy_value(json_is_null(old) ? NULL : old);
        fputs(" -> ", stdout);
        print_policy_value(json_is_null(new) ? NULL : new);
        putchar('\n');
    }
}

static void print_rule(const char *mark, const json_t *rule, const char *name_key)
{
    printf("%s rule ", mark);
    print_safe(stdout, json_string_value(json_object_get(rule, name_key)), false);
    fputs(" (", stdout);
    print_safe(stdout, json_string_value(json_object_get(rule, "source")), false);
    fputs(")\n", stdout);
}

static void print_difference(const struct difference *difference)
{
    print_leaves(difference->settings, "~ ");
    for (size_t i = 0; i < json_array_size(difference->removed); i++) {
        print_rule("-", json_array_get(difference->removed, i), "name");
    }
    for (size_t i = 0; i < json_array_size(difference->added); i++) {
        print_rule("+", json_array_get(difference->added, i), "name");
    }
    for (size_t i = 0; i < json_array_size(difference->changed); i++) {
        const json_t *rule = json_array_get(difference->changed, i);
        print_rule("~", rule, "rule");
        print_leaves(json_object_get(rule, "keys"), "    ");
    }
    for (size_t i = 0; i < json_array_size(difference->moved); i++) {
        const json_t *rule = json_array_get(difference->moved, i);
        const char *behind = json_string_value(json_object_get(rule, "behind"));
        fputs("^ rule ", stdout);
        print_safe(stdout, json_string_value(json_object_get(rule, "rule")), false);
        fputs(behind != NULL ? " stands behind " : " stands first", stdout);
        print_safe(stdout, behind != NULL ? behind : "", false);
        putchar('\n');
    }
}

static int print_both(const struct request *request, const struct difference *difference,
                      const struct replay *replay)
{
    if (!request->json) {
        print_difference(difference);
        if (replay != NULL) {
            policy_changes_text(replay);
        }
        return CLI_YES;
    }
    json_t *json =
        json_pack("{s:b, s:O, s:O, s:O, s:O, s:O, s:o?}", "same", is_same(difference), "settings",
                  difference->settings, "removed", difference->removed, "added", difference->added,
                  "changed", difference->changed, "moved", difference->moved, "log",
                  replay != NULL ? policy_changes_json(replay) : NULL);
    bool printed = json != NULL && print_json(stdout, json);
    json_decref(json);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* Without a LOG the rules alone are compared: reading the log in force may take minutes. */
static int diff_sets(struct request *request, const struct policy_set sets[2])
{
    struct difference difference;
    struct replay replay = {.before = sets[0].policy, .after = sets[1].policy};
    bool with_log = request->review.files.count > 0;
    int status = find(sets, &difference) ? CLI_YES : complain(CLI_UNABLE, "out of memory");

    if (status == CLI_YES && with_log) {
        status = policy_changes_walk(&request->review, &replay);
    }
    if (status == CLI_YES) {
        status = print_both(request, &difference, with_log ? &replay : NULL);
        if (status == CLI_YES && (!is_same(&difference) || replay.changed > 0)) {
            status = CLI_NO;
        }
        status = with_log ? audit_finish(&request->review.walk, status) : status;
    }
    replay_release(&replay);
    release(&difference);
    return status;
}

static int diff(struct request *request)
{
    struct policy_set sets[2];
    int status = policy_changes_load(request->words.items[0], &sets[0]);
    int other = policy_changes_load(request->words.items[1], &sets[1]);

    request->review.files.items = request->words.items + 2;
    request->review.files.count = request->words.count - 2;
    if (status == CLI_YES && other == CLI_YES) {
        status = diff_sets(request, sets);
    } else {
        status = CLI_UNABLE;
    }
    policy_set_release(&sets[0]);
    policy_set_release(&sets[1]);
    return status;
}

static int run_diff(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (!conditions_begin(&request.review.conditions)) {
        return CLI_UNABLE;
    }
    if (command_parse(line, &request, &status)) {
        status = request.words.count < 2
                     ? wrong_usage(line, "two policies are needed, each a file or a folder")
                     : diff(&request);
    }
    conditions_release(&request.review.conditions);
    word_list_release(&request.words);
    return status;
}

COMMAND(policy, diff) = {
    .about = "Prints in what the policy NEW differs from OLD, each a file or a folder: settings, "
             "rules that are gone (-), new (+) or other (~), and rules that moved (^), since the "
             "first that matches decides.\n"
             "\n"
             "With LOG it also has both decide the recorded calls that match QUERY, and prints "
             "which decisions differ.",
    .exits = "Exit status: 0 the same, 1 different, 2 wrong usage, 3 something could not be read.",
    .operand = OPERANDS("OLD NEW [LOG]...", struct request, words),
    QUERY(struct request, review.conditions),
    OPTIONS(options),
    .run = run_diff,
};
