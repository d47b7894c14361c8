/* SPDX-License-Identifier: MIT */
/*
 * The conditions of a query as options of a command. Every command with [QUERY]... names
 * query_group in its table.
 *
 * The options are not listed here: query_row() makes them from the query's own table, so a
 * condition that is added there is an option of every command, with --help and completion.
 */
#include "tools/cli/audit_query.h"
#include "tools/cli/cli.h"

/* The text stays empty until an option is given: a report without conditions has no head line for
 * them. */
bool conditions_begin(struct conditions *conditions)
{
    *conditions = (struct conditions){.query = query_new(), .given = TEXT_EMPTY};
    if (conditions->query == NULL) {
        complain(CLI_UNABLE, "out of memory");
    }
    return conditions->query != NULL;
}

/* query_free() takes NULL. */
void conditions_release(struct conditions *conditions)
{
    query_free(conditions->query);
    text_release(&conditions->given);
}

/* Copies the row of the query's own table, so that the two cannot differ. The row after the last
 * has no name. */
static bool query_row(size_t index, struct option_row *ret_row)
{
    const struct query_option *option = &query_options[index];

    *ret_row = (struct option_row){.name = option->name,
                                   .value = option->value,
                                   .help = option->help,
                                   .kind = option->value == NULL ? OPTION_FLAG : OPTION_TEXT,
                                   .words = option->words};
    return option->name != NULL;
}

/* The message of a value that the query refuses, with a suggestion, or the list of words where it
 * has one. */
static int refuse_value(const struct command_line *line, const struct option_row *row,
                        const char *value, const struct miguard_error *error)
{
    const char *nearest =
        row->words == NULL || value == NULL ? NULL : nearest_word(value, row->words);
    char allowed[768];

    if (error->status == MIGUARD_NO_MEMORY) {
        return complain(CLI_UNABLE, "out of memory");
    }
    if (nearest != NULL) {
        return wrong_usage(line, "%s '%s' is unknown; did you mean %s?", row->name, value, nearest);
    }
    if (row->words != NULL) {
        join_words(row->words, allowed, sizeof(allowed));
        return wrong_usage(line, "%s %s: %s", row->name, error->detail, allowed);
    }
    /* A message that names an option has its own beginning. */
    bool whole = error->detail[0] == '-';
    return wrong_usage(line, "%s%s%s", whole ? "" : row->name, whole ? "" : " ", error->detail);
}

/* A file that cannot be read is no wrong usage. */
static int refuse(const struct command_line *line, const struct option_row *row, const char *value,
                  const struct miguard_error *error)
{
    return error->status == MIGUARD_SYSTEM ? complain(CLI_UNABLE, "%s", error->detail)
                                           : refuse_value(line, row, value, error);
}

/* A daemon may have an action of nearly the name of an operation, but mostly it is a slip. */
static void note_slip(const struct option_row *row, const char *value)
{
    const char *nearest = NULL;

    for (size_t i = 0; query_options[i].name != NULL; i++) {
        if (query_options[i].others && value != NULL &&
            strcmp(query_options[i].name, row->name) == 0 && strpbrk(value, "*?") == NULL) {
            nearest = nearest_word(value, row->words);
        }
    }
    if (nearest != NULL && strcasecmp(nearest, value) != 0) {
        (void)complain(CLI_YES, "%s '%s' is taken for an own action of a daemon; did you mean %s?",
                       row->name, value, nearest);
    }
}

/* Adds one condition, and its text to the head of a report. */
static int query_condition(void *target, const struct command_line *line,
                           const struct option_row *row, const char *value)
{
    struct conditions *conditions = target;
    struct miguard_error error = {0};

    if (query_add(conditions->query, row->name, value, &error) != MIGUARD_OK) {
        return refuse(line, row, value, &error);
    }
    note_slip(row, value);
    text_append(&conditions->given, conditions->given.length == 0 ? "" : " ");
    text_append(&conditions->given, row->name);
    if (value != NULL) {
        text_append(&conditions->given, " ");
        text_append(&conditions->given, value);
    }
    return CLI_YES;
}

static int query_done(void *target, const struct command_line *line)
{
    const struct conditions *conditions = target;
    struct miguard_error error = {0};

    return query_end(conditions->query, &error) == MIGUARD_OK
               ? CLI_YES
               : wrong_usage(line, "%s", error.detail);
}

const struct option_group query_group = {
    .usage = "[QUERY]...",
    .about = "QUERY is any of these. All must match; an option that is given more than once "
             "matches when one of its values does. --not before an option turns it round, and --or "
             "begins another QUERY, as -not and -o of find. In a GLOB * stands for any text and ? "
             "for one character.",
    .row = query_row,
    .add = query_condition,
    .end = query_done,
};

/* For the threads that read. */
static bool filter_matches(const void *context, const struct record *record)
{
    return query_matches(context, record);
}

struct scan_filter conditions_filter(const struct conditions *conditions)
{
    struct scan_filter filter = {.matches = filter_matches, .context = conditions->query};

    query_fields(conditions->query, &filter.wanted);
    return filter;
}
