/* SPDX-License-Identifier: MIT */
/*
 * miguard audit suggest: rules for what was refused.
 *
 * The rules are made by audit/suggest from the refusals that review_walk() hands over, and are
 * printed only when all records were read. They are a proposal for a person, and no command applies
 * them.
 */
#include "tools/cli/audit_review.h"
#include "tools/cli/commands.h"
#include "tools/review/suggest.h"

struct request {
    struct review review;
};

static const struct option_row options[] = {REVIEW_WHOLE(struct request)};

/* Only out of memory ends the walk. */
static int add(void *context, const struct record *record, const struct read_place *place)
{
    (void)place;
    return suggest_add(context, record) ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* Nothing is printed after an interruption: rules for a part of the log could look like all that is
 * needed. */
static int write_rules(struct suggest *suggest, struct review *review)
{
    struct text text = TEXT_EMPTY;

    int status = review_walk(review, add, suggest);
    if (status != CLI_YES) {
        return status;
    }
    size_t rules = audit_interrupted() ? 0 : suggest_write(suggest, &text);
    audit_hide_progress(&review->walk);
    if (rules == SIZE_MAX) {
        status = complain(CLI_UNABLE, "out of memory");
    } else if (!audit_interrupted()) {
        status = review_print(text.data, text.length);
    }
    text_release(&text);
    if (status == CLI_YES && rules == 0) {
        status = CLI_NO;
    }
    return audit_finish(&review->walk, status);
}

/* CLI_NO when nothing was refused, or no rule can allow it. */
static int suggest_rules(struct review *review)
{
    struct suggest *suggest = suggest_new();

    if (suggest == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = write_rules(suggest, review);
    suggest_free(suggest);
    return status;
}

static int run_suggest(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (!conditions_begin(&request.review.conditions)) {
        return CLI_UNABLE;
    }
    if (command_parse(line, &request, &status)) {
        status = suggest_rules(&request.review);
    }
    review_release(&request.review);
    return status;
}

COMMAND(audit, suggest) = {
    .about = "Writes policy rules, as YAML, that would allow the calls that were refused (or would "
             "have been, with mode: permissive) among the records that match QUERY. A rule allows "
             "what was seen and nothing else; ids and file names are exact. What no rule can mend "
             "is listed as a comment.\n"
             "\n"
             "Most refusals are bugs of the provider, and a rule may legitimise one: read each "
             "rule, and see `miguard audit explain ID` first. `miguard audit suggest | miguard "
             "policy check -` checks them.",
    .exits = "Exit status: 0 there are rules, 1 there are none, 2 wrong usage, 3 something could "
             "not be read.",
    REVIEWS(struct request),
    OPTIONS(options),
    .run = run_suggest,
};
