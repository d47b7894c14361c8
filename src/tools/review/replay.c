/* SPDX-License-Identifier: MIT */
/*
 * Decides recorded calls again and collects those whose decision changes (replay.h).
 *
 * replay_add() makes the call of a record (record_call.c), has it decided by policy_decide(), the
 * function of the guard, and puts it into the group of those that change in the same way by the
 * same rules.
 */
#include "tools/review/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tools/review/export_text.h"

/* What decided, and how. */
struct decided {
    enum call_end end;
    const char *rule, *source, *reason;
    bool unsure; /* the policy asks for names of users or groups, which a record does not have */
};

static struct decided decide_client(const struct record_call *call, const struct policy *policy)
{
    const struct policy_client client = policy_client(policy, call->provider);

    return (struct decided){client.may != DRAFT_MAY_NOTHING ? CALL_ALLOWED : CALL_REFUSED,
                            client.rule, client.source, client.reason, false};
}

static struct decided decide(struct record_call *call, const struct policy *policy)
{
    if (call->client) {
        return decide_client(call, policy);
    }
    record_call_prepare(call, policy);
    const struct policy_verdict verdict = policy_decide(policy, &call->call);
    return (struct decided){record_call_end_of(&verdict), verdict.rule, verdict.source,
                            verdict.reason, verdict.name_invalid && policy_asks_names(policy)};
}

static bool same_group(const struct replay_group *group, const struct decided *before,
                       const struct decided *after)
{
    return group->before == before->end && group->after == after->end &&
           strcmp(group->rule, after->rule) == 0 && strcmp(group->before_rule, before->rule) == 0;
}

/* NULL: out of memory. */
static struct replay_group *new_group(struct replay *replay, const struct decided *before,
                                      const struct decided *after)
{
    if (replay->count == replay->capacity) {
        size_t capacity = replay->capacity == 0 ? 32 : replay->capacity * 2;
        struct replay_group *groups = base_resize(replay->groups, capacity, sizeof(*groups));
        if (groups == NULL) {
            return NULL;
        }
        replay->groups = groups;
        replay->capacity = capacity;
    }
    struct replay_group *group = &replay->groups[replay->count];
    *group = (struct replay_group){.before = before->end,
                                   .after = after->end,
                                   .before_rule = base_copy_text(before->rule),
                                   .rule = after->rule,
                                   .source = after->source,
                                   .reason = after->reason};
    replay->count += group->before_rule != NULL;
    return group->before_rule != NULL ? group : NULL;
}

static bool add_change(struct replay *replay, const struct record *record,
                       const struct decided *before, const struct decided *after)
{
    uint64_t calls = export_repeats(record);
    struct replay_group *group = NULL;

    for (size_t i = 0; i < replay->count && group == NULL; i++) {
        group = same_group(&replay->groups[i], before, after) ? &replay->groups[i] : NULL;
    }
    if (group == NULL) {
        group = new_group(replay, before, after);
    }
    if (group == NULL) {
        return false;
    }
    if (group->records++ == 0) {
        (void)record_text(record, RECORD_EVENT_ID, group->example, sizeof(group->example));
    }
    group->calls += calls;
    replay->changed += calls;
    replay->refused += after->end == CALL_REFUSED && before->end != CALL_REFUSED ? calls : 0;
    return true;
}

/* A call that another rule decides in the same way is no change of what happens. */
static bool compare_ends(struct replay *replay, const struct record *record,
                         struct record_call *call)
{
    char rule[1024];
    struct decided before = {call->end, rule, "", "", false};

    (void)record_text(record, RECORD_RULE, rule, sizeof(rule));
    if (replay->before != NULL) {
        before = decide(call, replay->before);
    }
    const struct decided after = decide(call, replay->after);
    if (before.unsure || after.unsure) {
        replay->unknown++;
        return true;
    }
    replay->records++;
    replay->calls += export_repeats(record);
    replay->one_of_classes += call->one_of_classes ? export_repeats(record) : 0;
    return before.end == after.end || add_change(replay, record, &before, &after);
}

bool replay_add(struct replay *replay, const struct record *record)
{
    struct record_call *call = base_alloc(1, sizeof(*call)); /* too large for a stack */
    bool good = call != NULL;

    switch (good ? record_call_read(record, call) : CALL_NO_MEMORY) {
    case CALL_READ:
        good = compare_ends(replay, record, call);
        break;
    case CALL_NOT_ASKED:
        replay->not_asked++;
        break;
    case CALL_VARIED:
        replay->varied++;
        break;
    case CALL_UNKNOWN:
        replay->unknown++;
        break;
    case CALL_NO_MEMORY:
        good = false;
        break;
    }
    if (call != NULL) {
        record_call_release(call);
    }
    base_free(call);
    return good;
}

static bool is_new_refusal(const struct replay_group *group)
{
    return group->after == CALL_REFUSED;
}

static int compare_groups(const void *a, const void *b)
{
    const struct replay_group *one = a, *other = b;

    if (is_new_refusal(one) != is_new_refusal(other)) {
        return is_new_refusal(one) ? -1 : 1;
    }
    return one->calls != other->calls ? (one->calls > other->calls ? -1 : 1)
                                      : strcmp(one->rule, other->rule);
}

void replay_sort(struct replay *replay)
{
    if (replay->count > 1) {
        qsort(replay->groups, replay->count, sizeof(*replay->groups), compare_groups);
    }
}

void replay_release(struct replay *replay)
{
    for (size_t i = 0; i < replay->count; i++) {
        base_free(replay->groups[i].before_rule);
    }
    base_free(replay->groups);
    memset(replay, 0, sizeof(*replay));
}
