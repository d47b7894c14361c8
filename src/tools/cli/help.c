/* SPDX-License-Identifier: MIT */
/*
 * --help, from the tables.
 *
 * command_help() prints usage, description, commands or options, and the exit statuses, all from
 * the tables. Lines are broken at WIDTH; a text of the tables has "\n" only between paragraphs.
 *
 * The texts are written once, in the table of each command: what --help shows, what completion
 * offers and what parsing accepts cannot differ. Widths are counted in bytes, since the texts are
 * ASCII.
 */
#include "tools/cli/cli.h"
#include "tools/cli/options.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Columns: of a line, of a name beside its text, and before a name. */
enum { WIDTH = 80, WIDEST_NAME = 26, MARGIN = 2 };

/* ---- text in lines -------------------------------------------------------------------------- */

/* Words of one line of text, in lines that begin at indent. column: where the first one goes on. */
static void print_line(const char *text, size_t length, size_t indent, size_t column)
{
    bool first = true;

    for (size_t at = 0; at < length;) {
        size_t word = strcspn(text + at, " \n");
        if (!first && column + 1 + word > WIDTH) {
            printf("\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        column += (size_t)printf("%s%.*s", first ? "" : " ", (int)word, text + at);
        first = false;
        at += word + strspn(text + at + word, " ");
    }
    putchar('\n');
}

/* What begins with a blank is an example and stays as it is. */
static void print_text(const char *text)
{
    for (size_t length = 0; *text != '\0'; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        if (text[0] == ' ') {
            printf("%.*s\n", (int)length, text);
        } else {
            print_line(text, length, 0, 0);
        }
    }
}

/* With an empty line before it; NULL prints nothing. */
static void print_paragraph(const char *text)
{
    if (text != NULL) {
        putchar('\n');
        print_text(text);
    }
}

/* ---- options -------------------------------------------------------------------------------- */

enum { VALUE_SIZE = 128 };

/* What stands for the value: its name, or the words with | between them. */
static void value_text(const struct option_row *row, char text[VALUE_SIZE])
{
    size_t length = 0;

    snprintf(text, VALUE_SIZE, "%s", row->value != NULL ? row->value : "");
    if (row->kind != OPTION_WORD) {
        return;
    }
    for (size_t i = 0; row->words[i] != NULL && length < VALUE_SIZE; i++) {
        length += (size_t)snprintf(text + length, VALUE_SIZE - length, "%s%s", i > 0 ? "|" : "",
                                   row->words[i]);
    }
}

/* "-n, --lines N"; the length that it needs. */
static int name_text(const struct option_row *row, char *text, size_t size)
{
    char value[VALUE_SIZE];

    value_text(row, value);
    return snprintf(text, size, "%s%s%s%s%s", row->brief != NULL ? row->brief : "",
                    row->brief != NULL ? ", " : "", row->name, value[0] != '\0' ? " " : "", value);
}

/* The names in one column, the text in the next, continued below itself. A name that is too long
 * for its column gets a line of its own. A preset is added to the text. */
static void print_option(const struct option_row *row, size_t indent)
{
    char name[VALUE_SIZE + 32], help[512], preset[48] = "";
    int length = name_text(row, name, sizeof(name));

    printf("%*s%s", MARGIN, "", name);
    if ((size_t)length + MARGIN + 2 > indent) {
        printf("\n%*s", (int)indent, "");
    } else {
        printf("%*s", (int)indent - MARGIN - length, "");
    }
    if (row->preset != 0) {
        snprintf(preset, sizeof(preset), " (default %llu)", (unsigned long long)row->preset);
    }
    snprintf(help, sizeof(help), "%s%s", row->help, preset);
    print_line(help, strlen(help), indent, indent);
}

/* How wide the names are, but for a few long ones, which get a line of their own. */
static size_t help_indent(const struct command *command)
{
    char name[VALUE_SIZE + 32];
    struct option_row row;
    int widest = 0;

    for (size_t i = 0; command_option(command, i, &row); i++) {
        int length = name_text(&row, name, sizeof(name));
        widest = length > widest && length <= WIDEST_NAME ? length : widest;
    }
    return (size_t)widest + MARGIN + 2;
}

/* The command's own, then those of its group with their description, then --help. */
static void print_options(const struct command *command)
{
    size_t indent = help_indent(command), group = 0;
    struct option_row row;

    putchar('\n');
    for (size_t i = 0; i < command->option_count; i++) {
        print_option(&command->options[i], indent);
    }
    if (command->group != NULL) {
        print_paragraph(command->group->about);
        putchar('\n');
        for (group = 0; command->group->row(group, &row); group++) {
            print_option(&row, indent);
        }
    }
    (void)command_option(command, command->option_count + group, &row);
    print_option(&row, indent);
}

/* ---- the usage line ------------------------------------------------------------------------- */

/* How far the usage line is, and where its continuation lines begin. */
struct usage {
    /* Columns from 0. */
    size_t indent, column;
};

/* One part with a blank before it, on a new line where it does not fit. */
__attribute__((format(printf, 2, 3))) static void add_usage(struct usage *usage, const char *format,
                                                            ...)
{
    char text[VALUE_SIZE + 32];
    va_list list;

    va_start(list, format);
    size_t length = (size_t)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (usage->column + 1 + length > WIDTH) {
        printf("\n%*s", (int)usage->indent, "");
        usage->column = usage->indent;
    }
    usage->column += (size_t)printf(" %s", text);
}

/* In brackets unless it is required in any case. */
static void add_usage_option(struct usage *usage, const struct option_row *row)
{
    char value[VALUE_SIZE];

    value_text(row, value);
    bool open = !row->required || row->unless != NULL;
    add_usage(usage, "%s%s%s%s%s%s", open ? "[" : "", row->name, value[0] != '\0' ? " " : "", value,
              open ? "]" : "", row->kind == OPTION_LIST ? "..." : "");
}

/* The first line: the name of the command, its options, the usage of its group, its operands. A
 * command that has commands below it takes one of them and has no options to show. Broken at WIDTH,
 * with continuation lines below the first option. */
static void print_usage(const struct command_line *line)
{
    const struct command *command = line->command;
    size_t column = (size_t)printf("usage: %s", line->name);
    struct usage usage = {.indent = column, .column = column};

    if (command->commands != NULL) {
        add_usage(&usage, "COMMAND [ARGUMENT]...");
    } else {
        for (size_t i = 0; i < command->option_count; i++) {
            add_usage_option(&usage, &command->options[i]);
        }
    }
    if (command->group != NULL) {
        add_usage(&usage, "%s", command->group->usage);
    }
    if (command->operand.value != NULL) {
        add_usage(&usage, "%s", command->operand.value);
    }
    putchar('\n');
}

/* ---- commands ------------------------------------------------------------------------------- */

/* With all that are below: who reads this looks for the name of a command. */
static void print_commands(const struct command *command, const char *before)
{
    enum { INDENT = 24 };
    char name[64];

    for (size_t i = 0; i < command->command_count; i++) {
        const struct command_row *row = &command->commands[i];
        snprintf(name, sizeof(name), "%s%s", before, row->name);
        if (row->command->commands != NULL) {
            size_t length = strlen(name);
            snprintf(name + length, sizeof(name) - length, " ");
            print_commands(row->command, name);
            continue;
        }
        printf("%*s%-*s", MARGIN, "", INDENT - MARGIN, name);
        print_line(row->summary, strlen(row->summary), INDENT, INDENT);
    }
}

/* Printing cannot fail here: main() checks stdout at the end. */
int command_help(const struct command_line *line)
{
    const struct command *command = line->command;

    print_usage(line);
    print_paragraph(command->about);
    if (command->commands != NULL) {
        putchar('\n');
        print_commands(command, "");
    }
    print_options(command);
    print_paragraph(command->notes);
    print_paragraph(command->exits);
    return CLI_YES;
}
