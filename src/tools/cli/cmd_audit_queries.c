/* SPDX-License-Identifier: MIT */
/*
 * miguard audit queries: the saved queries that --saved and `miguard audit alert` can name.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"
#include "tools/cli/commands.h"
#include "tools/review/saved.h"

struct request {
    bool json;
};

static const struct option_row options[] = {
    FLAG("--json", struct request, json, "print them as one JSON array, with their lines"),
};

/* What stands behind "# " in the first line; "" when that is no comment. */
static void about(const struct saved_query *query, char *text, size_t size)
{
    const char *line = query->text[0] == '#' ? query->text + 1 : "";

    line += strspn(line, "# \t");
    snprintf(text, size, "%.*s", (int)strcspn(line, "\r\n"), line);
}

/* Names and paths come from folders of others: they are printed so that they cannot act. */
static int print_list(const struct saved_query *list, size_t count)
{
    char text[160];

    for (size_t i = 0; i < count; i++) {
        about(&list[i], text, sizeof(text));
        printf("%-16s ", list[i].name);
        print_safe(stdout, text, false);
        printf(" [");
        print_safe(stdout, list[i].place, false);
        puts("]");
    }
    return CLI_YES;
}

static int print_list_json(const struct saved_query *list, size_t count)
{
    json_t *all = json_array();
    char text[160];

    for (size_t i = 0; i < count; i++) {
        about(&list[i], text, sizeof(text));
        char *shown = valid_utf8(text), *place = valid_utf8(list[i].place);
        char *lines = valid_utf8(list[i].text);
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s}", "name", list[i].name, "about",
                                             shown, "place", place, "text", lines));
        free(shown);
        free(place);
        free(lines);
    }
    bool printed = json_array_size(all) == count && print_json(stdout, all);
    json_decref(all);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

static int run_queries(const struct command_line *line)
{
    struct request request = {0};
    struct saved_query *list = NULL;
    size_t count = 0;
    int status = CLI_YES;

    if (!command_parse(line, &request, &status)) {
        return status;
    }
    if (!saved_list(&list, &count)) {
        return complain(CLI_UNABLE, "out of memory");
    }
    status = request.json ? print_list_json(list, count) : print_list(list, count);
    saved_release(list, count);
    return status;
}

COMMAND(audit, queries) = {
    .about = "Lists the saved queries, for --saved of the other commands. One is a file NAME.query "
             "with an option of a query in each line, without quotes; # begins a comment, and the "
             "first line says what the query is for. It lies in ~/.config/miguard/queries or in "
             "/etc/miguard/queries, or where $MIGUARD_QUERIES says; some are built in.",
    .exits = "Exit status: 0 done, 2 wrong usage, 3 it could not be done.",
    OPTIONS(options),
    .run = run_queries,
};
