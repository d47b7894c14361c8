/* SPDX-License-Identifier: MIT */
#include "tools/cli/audit_review.h"
#include "tools/review/suggest.h"

static const char help[] =
    "usage: miguard audit suggest [QUERY]... [FILE]...\n"
    "\n"
    "Writes policy rules, as YAML, that would allow the calls that were refused (or would have "
    "been,\n"
    "with mode: permissive) among the records that QUERY asks for. A rule allows what was seen "
    "and\n"
    "nothing else; ids and file names are exact. What no rule can mend is listed as a comment.\n"
    "\n"
    "Most refusals are bugs of the provider, and a rule may legitimise one: read each rule, and "
    "see\n"
    "`miguard audit explain ID` first. `miguard audit suggest | miguard policy check -` checks "
    "them.\n"
    "\n"
    "  --help               this text\n"
    "\n";

static const char help_end[] =
    "\n"
    "Exit status: 0 there are rules, 1 there are none, 2 wrong usage, 3 something could not be "
    "read.\n";

static const char *const own[] = {"--help", NULL};

static bool option(struct arguments *arguments, void *context)
{
    (void)arguments;
    (void)context;
    return false;
}

static int add(void *context, const struct record *record, const struct read_place *place)
{
    (void)place;
    return suggest_add(context, record) ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

static int run(struct suggest *suggest, struct review *review)
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
    return audit_finish(&review->walk, status != CLI_YES ? status : rules > 0 ? CLI_YES : CLI_NO);
}

int audit_suggest(int count, char **arguments)
{
    struct review review = {.command = "miguard audit suggest"};
    struct suggest *suggest = NULL;

    int status = review_parse(&review, count, arguments, own, option, NULL);
    if (status == CLI_YES && review.help) {
        printf("%s%s%s", help, query_help, help_end);
    } else if (status == CLI_YES) {
        suggest = suggest_new();
        status = suggest != NULL ? run(suggest, &review) : complain(CLI_UNABLE, "out of memory");
    }
    suggest_free(suggest);
    review_release(&review);
    return status;
}
