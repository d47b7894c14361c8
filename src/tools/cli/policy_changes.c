/* SPDX-License-Identifier: MIT */
/*
 * Walks over a log for `miguard policy replay` and `diff`, and prints which decisions change.
 *
 * policy_changes_walk() hands each record to replay_add(); policy_changes_text() and
 * policy_changes_json() print the groups, and what was left out: an answer that passes over records
 * must say over how many.
 */
#include "tools/cli/policy_changes.h"

#include <stdlib.h>

int policy_changes_load(const char *path, struct policy_set *ret_set)
{
    int status = policy_set_load(path, ret_set);

    if (status == CLI_NO) {
        print_findings(stderr, &ret_set->findings);
        return complain(CLI_UNABLE, "%s has errors: nothing can be said", ret_set->label);
    }
    return status;
}

/* Only out of memory ends the walk. */
static int add(void *context, const struct record *record, const struct read_place *place)
{
    (void)place;
    return replay_add(context, record) ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* A part of the log must not look like the whole, so nothing is printed after an interruption. */
int policy_changes_walk(struct review *review, struct replay *replay)
{
    int status = review_walk(review, add, replay);

    audit_hide_progress(&review->walk);
    if (status == CLI_YES && audit_interrupted()) {
        return audit_finish(&review->walk, CLI_UNABLE);
    }
    replay_sort(replay);
    return status;
}

/* ---- text ----------------------------------------------------------------------------------- */

static const char *const end_words[CALL_ENDS] = {
    [CALL_REFUSED] = "refused",
    [CALL_LET_PASS] = "let pass (permissive)",
    [CALL_ALLOWED] = "allowed",
};

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_group(const struct replay_group *group)
{
    printf("%10llu call%s  %s -> %s, by ", (unsigned long long)group->calls,
           group->calls == 1 ? " " : "s", end_words[group->before], end_words[group->after]);
    print_safe(stdout, group->rule, false);
    fputs(" (", stdout);
    print_safe(stdout, group->source, false);
    fputs(")", stdout);
    if (group->reason != NULL && group->reason[0] != '\0') {
        fputs(": ", stdout);
        print_safe(stdout, group->reason, false);
    }
    fputs("\n                  before by ", stdout);
    print_safe(stdout, group->before_rule[0] != '\0' ? group->before_rule : "?", false);
    fputs("; one of them: ", stdout);
    print_safe(stdout, group->example, false);
    putchar('\n');
}

/* What the numbers above do not cover. */
static void print_left_out(const struct replay *replay)
{
    if (replay->one_of_classes > 0) {
        printf("%llu call%s may have named further classes, which records do not have: decided by "
               "the one that is there\n",
               (unsigned long long)replay->one_of_classes, plural(replay->one_of_classes));
    }
    if (replay->varied > 0) {
        printf("left out: %llu record%s of refusals that were counted together\n",
               (unsigned long long)replay->varied, plural(replay->varied));
    }
    if (replay->unknown > 0) {
        printf("left out: %llu record%s that do%s not have all that a rule may ask\n",
               (unsigned long long)replay->unknown, plural(replay->unknown),
               replay->unknown == 1 ? "es" : "");
    }
}

void policy_changes_text(const struct replay *replay)
{
    for (size_t i = 0; i < replay->count; i++) {
        print_group(&replay->groups[i]);
    }
    printf("%llu of %llu recorded calls change%s, %llu of them to a refusal\n",
           (unsigned long long)replay->changed, (unsigned long long)replay->calls,
           replay->changed == 1 ? "s" : "", (unsigned long long)replay->refused);
    print_left_out(replay);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *group_json(const struct replay_group *group)
{
    static const char *const words[CALL_ENDS] = {
        [CALL_REFUSED] = "deny", [CALL_LET_PASS] = "would-deny", [CALL_ALLOWED] = "allow"};
    char *before = valid_utf8(group->before_rule), *example = valid_utf8(group->example);
    json_t *json = json_pack("{s:I, s:I, s:s, s:s, s:s?, s:s, s:s, s:s?, s:s?}", "calls",
                             (json_int_t)group->calls, "records", (json_int_t)group->records,
                             "before", words[group->before], "after", words[group->after],
                             "before-rule", before, "rule", group->rule, "source", group->source,
                             "reason", group->reason, "example", example);
    free(before);
    free(example);
    return json;
}

json_t *policy_changes_json(const struct replay *replay)
{
    json_t *groups = json_array();

    for (size_t i = 0; i < replay->count; i++) {
        json_array_append_new(groups, group_json(&replay->groups[i]));
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:I, s:{s:I, s:I, s:I}}", "records",
                     (json_int_t)replay->records, "calls", (json_int_t)replay->calls, "changed",
                     (json_int_t)replay->changed, "refused", (json_int_t)replay->refused, "changes",
                     groups, "one-of-classes", (json_int_t)replay->one_of_classes, "left-out",
                     "not-asked", (json_int_t)replay->not_asked, "varied",
                     (json_int_t)replay->varied, "unknown", (json_int_t)replay->unknown);
}
