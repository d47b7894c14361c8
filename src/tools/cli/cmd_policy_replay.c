/* SPDX-License-Identifier: MIT */
/*
 * miguard policy replay: what a new policy would have decided about the recorded calls.
 *
 * The calls come from the log (review_walk()), the decisions from the code of the guard
 * (review/replay.c). Only what is recorded can be decided again: the records of a policy whose
 * audit: has no `use` are refusals and openings.
 */
#include <stdlib.h>

#include "tools/cli/commands.h"
#include "tools/cli/policy_changes.h"

struct request {
    struct word_list words; /* the new policy, then logs */
    struct review review;   /* its files are a part of words */
    bool strict, json;
};

static const struct option_row options[] = {
    FLAG("--strict", struct request, strict,
         "fail when a call would be refused that was not, or when that cannot be said"),
    FLAG("--json", struct request, json, "print one JSON object"),
    REVIEW_WHOLE(struct request),
};

/* With --strict a record that could not be read, or decided, may hide a new refusal. */
static int answer(const struct request *request, const struct replay *replay)
{
    if (!request->strict || replay->refused > 0) {
        return request->strict ? CLI_NO : CLI_YES;
    }
    return replay->unknown > 0 || request->review.walk.broken > 0 ? CLI_UNABLE : CLI_YES;
}

static int print(const struct request *request, const struct replay *replay)
{
    if (!request->json) {
        policy_changes_text(replay);
        return CLI_YES;
    }
    json_t *json = policy_changes_json(replay);
    bool printed = json != NULL && print_json(stdout, json);
    json_decref(json);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

static int replay_log(struct request *request)
{
    struct policy_set set;
    struct replay replay = {0};
    int status = policy_changes_load(request->words.items[0], &set);

    if (status == CLI_YES) {
        replay.after = set.policy;
        status = policy_changes_walk(&request->review, &replay);
    }
    if (status == CLI_YES) {
        status = print(request, &replay);
        status = status == CLI_YES ? answer(request, &replay) : status;
        /* A new refusal is a new refusal, whatever else could not be read. */
        int end = audit_finish(&request->review.walk, CLI_YES);
        status = status == CLI_YES ? end : status;
    }
    replay_release(&replay);
    policy_set_release(&set);
    return status;
}

static int run_replay(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (!conditions_begin(&request.review.conditions)) {
        return CLI_UNABLE;
    }
    if (command_parse(line, &request, &status)) {
        if (request.words.count == 0) {
            status = wrong_usage(line, "which policy? Give the new one, a file or a folder");
        } else {
            request.review.files.items = request.words.items + 1;
            request.review.files.count = request.words.count - 1;
            status = replay_log(&request);
        }
    }
    conditions_release(&request.review.conditions);
    word_list_release(&request.words);
    return status;
}

COMMAND(policy, replay) = {
    .about = "Has the policy NEW decide the recorded calls that match QUERY, and prints which "
             "decisions change, by which rule, and how often. The log is that of the policy in "
             "force, or each LOG.\n"
             "\n"
             "Only what is recorded can be decided again: with audit: [deny, open] these are the "
             "refusals and the sessions that were given out.",
    .exits = "Exit status: 0 done, 1 with --strict: a call would be refused that was not, 2 wrong "
             "usage, 3 something could not be read.",
    .operand = OPERANDS("NEW [LOG]...", struct request, words),
    QUERY(struct request, review.conditions),
    OPTIONS(options),
    .run = run_replay,
};
