/* SPDX-License-Identifier: MIT */
/*
 * From the words of a command line to the command that they name. main() calls it.
 *
 * command_run() takes one word after the other: a command with run() gets the rest, a command with
 * others below it looks the word up. `help` in front of words is --help behind them.
 */
#include "tools/cli/cli.h"
#include "tools/cli/options.h"

#include <string.h>

/* Bytes of the name of a command with those above it; commands of one level in a message. */
enum { NAME_SIZE = 64, MAX_COMMANDS = 32, LIST_SIZE = 256 };

/* Before a command is known, --help is not an option yet but a word. */
static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* The names of the commands below this one, ended with NULL. */
static void command_names(const struct command *command, const char *ret_names[MAX_COMMANDS + 1])
{
    size_t count = command->command_count < MAX_COMMANDS ? command->command_count : MAX_COMMANDS;

    for (size_t i = 0; i < count; i++) {
        ret_names[i] = command->commands[i].name;
    }
    ret_names[count] = NULL;
}

/* CLI_USAGE after a message that lists the commands. */
static int missing_command(const struct command_line *line)
{
    const char *names[MAX_COMMANDS + 1];
    char allowed[LIST_SIZE];

    command_names(line->command, names);
    join_words(names, allowed, sizeof(allowed));
    return wrong_usage(line, "missing command; use %s; see %s --help", allowed, line->name);
}

/* Suggests a command, or an option that was given in its place, when one is near enough; else lists
 * the commands. CLI_USAGE. */
static int unknown_command(const struct command_line *line, const char *word)
{
    const struct command *command = line->command;
    const char *names[MAX_COMMANDS + 1], *nearest = NULL;
    struct option_row row;
    char allowed[LIST_SIZE];

    command_names(command, names);
    nearest = nearest_word(word, names);
    for (size_t i = 0; command_option(command, i, &row); i++) {
        nearest = nearer_word(word, nearest, row.name);
    }
    if (nearest != NULL) {
        return wrong_usage(line, "unknown command '%s'; did you mean %s?", word, nearest);
    }
    join_words(names, allowed, sizeof(allowed));
    return wrong_usage(line, "unknown command '%s'; use %s; see %s --help", word, allowed,
                       line->name);
}

/* The command that the first word names, with the words behind it. name is the memory of its name.
 * CLI_YES, or CLI_USAGE after a message. */
static int find_command(const struct command_line *line, char name[NAME_SIZE],
                        struct command_line *ret_found)
{
    const struct command *command = line->command;

    for (size_t i = 0; i < command->command_count; i++) {
        if (strcmp(command->commands[i].name, line->list[0]) == 0) {
            snprintf(name, NAME_SIZE, "%s %s", line->name, line->list[0]);
            *ret_found = (struct command_line){.name = name,
                                               .command = command->commands[i].command,
                                               .root = line->root,
                                               .count = line->count - 1,
                                               .list = line->list + 1};
            return CLI_YES;
        }
    }
    return unknown_command(line, line->list[0]);
}

/* `help audit search` is `audit search --help`. */
static int describe_command(const struct command_line *line)
{
    struct command_line found;
    char name[NAME_SIZE];

    if (line->count == 0 || is_help(line->list[0])) {
        return command_help(line);
    }
    if (line->command->commands == NULL) {
        return wrong_usage(line, "unexpected argument '%s'", line->list[0]);
    }
    int status = find_command(line, name, &found);
    return status == CLI_YES ? describe_command(&found) : status;
}

/* Recursive: each level takes one word. */
int command_run(const struct command_line *line)
{
    struct command_line found = *line;
    char name[NAME_SIZE];

    if (line->command->run != NULL) {
        return line->command->run(line);
    }
    if (line->count == 0) {
        return missing_command(line);
    }
    if (is_help(line->list[0])) {
        return command_help(line);
    }
    if (strcmp(line->list[0], "help") == 0) {
        found.count--;
        found.list++;
        return describe_command(&found);
    }
    int status = find_command(line, name, &found);
    return status == CLI_YES ? command_run(&found) : status;
}
