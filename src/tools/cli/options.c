/* SPDX-License-Identifier: MIT */
/*
 * Parsing a command line by the table of its command. Every cmd_*.c with options calls it.
 *
 * command_parse() sets the presets, reads word by word (read_word()), and checks at the end what
 * belongs together (check_row()). Values are stored through the offset of the member in the
 * request; the macros of options.h have made sure that its type is right.
 *
 * Messages name the option as it was given and suggest the nearest word for a typing error; a wrong
 * command line ends with CLI_USAGE before anything was read or changed. Values are not copied: they
 * point into the words of main().
 */
#include "tools/cli/options.h"
#include "tools/cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* How many options a message lists at most (audit search has 40), and the bytes of that list. */
enum { MAX_LISTED = 64, LIST_SIZE = 896 };

/* One command line on its way into a request. */
struct parsing {
    const struct command_line *line;
    /* The start of the request, to which the offsets of the rows are added. */
    char *request;
    int next; /* the word to be read next */
    bool operands_only, helped;
    uint64_t seen; /* which of the command's own options were given */
};

/* ---- messages ------------------------------------------------------------------------------- */

/* The name of the command without "miguard", which complain() prints. */
int wrong_usage(const struct command_line *line, const char *format, ...)
{
    char text[1024];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    const char *name = strchr(line->name, ' ');
    return complain(CLI_USAGE, "%s%s%s", name != NULL ? name + 1 : "", name != NULL ? ": " : "",
                    text);
}

/* Suggests the nearest name, of whatever length the value behind = is, or lists all options. */
static int unknown_option(const struct command_line *line, const char *word)
{
    const char *names[MAX_LISTED + 1] = {NULL}, *nearest = NULL;
    struct option_row row;
    char name[33], allowed[LIST_SIZE];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    for (size_t i = 0; command_option(line->command, i, &row); i++) {
        nearest = nearer_word(name, nearest, row.name);
        if (i < MAX_LISTED) {
            names[i] = row.name;
        }
    }
    if (nearest != NULL) {
        return wrong_usage(line, "unknown option %s; did you mean %s?", name, nearest);
    }
    join_words(names, allowed, sizeof(allowed));
    return wrong_usage(line, "unknown option %s; use %s; see %s --help", name, allowed, line->name);
}

/* What may stand behind an option: its words, or what --help has for its value. */
static const char *value_allowed(const struct option_row *row, char allowed[LIST_SIZE])
{
    if (row->words == NULL || (row->value != NULL && row->kind != OPTION_WORD)) {
        return row->value;
    }
    join_words(row->words, allowed, LIST_SIZE);
    return allowed;
}

/* CLI_USAGE after a message with what is allowed. name is that which was given. */
static int missing_value(const struct command_line *line, const struct option_row *row,
                         const char *name)
{
    char allowed[LIST_SIZE];

    return wrong_usage(line, "%s needs a value: %s", name, value_allowed(row, allowed));
}

/* The same for an option that must be given. */
static int missing_option(const struct command_line *line, const struct option_row *row)
{
    char allowed[LIST_SIZE];

    return wrong_usage(line, "%s is required: %s; see %s --help", row->name,
                       value_allowed(row, allowed), line->name);
}

/* Suggests the nearest word, or lists all that are allowed. CLI_USAGE after the message. */
static int unknown_value(const struct command_line *line, const char *name, const char *value,
                         const char *const *words)
{
    const char *nearest = nearest_word(value, words);
    char allowed[LIST_SIZE];

    if (nearest != NULL) {
        return wrong_usage(line, "%s '%s' is unknown; did you mean %s?", name, value, nearest);
    }
    join_words(words, allowed, sizeof(allowed));
    return wrong_usage(line, "%s '%s' is unknown; use %s", name, value, allowed);
}

/* ---- one value ------------------------------------------------------------------------------ */

/* strtoull(3) also takes blanks and signs, and "-1" as a large number; only digits are allowed
 * here. */
int option_number(const struct command_line *line, const struct option_row *row, const char *name,
                  const char *text, uint64_t *ret_number)
{
    char *end = NULL;

    errno = 0;
    unsigned long long number = strtoull(text, &end, 10); /* which takes blanks and signs, too */
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < row->least ||
        number > row->most) {
        return wrong_usage(line, "%s '%s' is not a %s from %llu to %llu", name, text,
                           row->noun != NULL ? row->noun : "number", (unsigned long long)row->least,
                           (unsigned long long)row->most);
    }
    *ret_number = number;
    return CLI_YES;
}

/* The position of the word; the enum has the same size as unsigned, as the macro WORD checks. */
static int store_word(const struct command_line *line, const struct option_row *row,
                      const char *name, const char *value, char *target)
{
    for (unsigned i = 0; row->words[i] != NULL; i++) {
        if (strcmp(row->words[i], value) == 0) {
            memcpy(target, &i, sizeof(i)); /* an enum, whose type is not known here */
            return CLI_YES;
        }
    }
    return unknown_value(line, name, value, row->words);
}

/* There are no more words in a list than on the command line: it is allocated once. */
static int store_in_list(const struct command_line *line, const char *value, struct word_list *list)
{
    if (list->items == NULL) {
        list->items = calloc((size_t)line->count, sizeof(*list->items));
    }
    if (list->items == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    list->items[list->count++] = value;
    return CLI_YES;
}

/* Stores a value in the member of the request, by the kind of the row. name is that of messages,
 * "-n" or "--lines" as it was given; value is NULL for a flag only. CLI_YES, or the exit status
 * after a message. */
static int store(const struct parsing *parsing, const struct option_row *row, const char *name,
                 const char *value)
{
    char *target = parsing->request + row->at;

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)target = true;
        return CLI_YES;
    case OPTION_TEXT:
        *(const char **)target = value;
        return CLI_YES;
    case OPTION_LIST:
        return store_in_list(parsing->line, value, (struct word_list *)target);
    case OPTION_NUMBER:
        return option_number(parsing->line, row, name, value, (uint64_t *)target);
    case OPTION_WORD:
        return store_word(parsing->line, row, name, value, target);
    }
    return CLI_UNABLE;
}

/* ---- one word of the command line ----------------------------------------------------------- */

/* The value behind = or in the next word; NULL where it is missing. A value may begin with -. */
static const char *take_value(struct parsing *parsing, const char *word, size_t name_length)
{
    if (word[name_length] == '=') {
        return word + name_length + 1;
    }
    return parsing->next < parsing->line->count ? parsing->line->list[parsing->next++] : NULL;
}

/* An option of the command itself. */
static int read_value(struct parsing *parsing, const struct option_row *row, const char *word,
                      size_t name_length)
{
    char name[33];

    snprintf(name, sizeof(name), "%.*s", (int)name_length, word);
    if (row->kind == OPTION_FLAG) {
        return word[name_length] == '=' ? wrong_usage(parsing->line, "%s takes no value", name)
                                        : store(parsing, row, name, NULL);
    }
    const char *value = take_value(parsing, word, name_length);
    return value != NULL ? store(parsing, row, name, value)
                         : missing_value(parsing->line, row, name);
}

/* An option of the group, which the group stores itself. */
static int read_group_option(struct parsing *parsing, const struct option_row *row,
                             const char *word, size_t name_length)
{
    const struct command *command = parsing->line->command;
    bool flag = row->kind == OPTION_FLAG;

    if (flag && word[name_length] == '=') {
        return wrong_usage(parsing->line, "%s takes no value", row->name);
    }
    const char *value = flag ? NULL : take_value(parsing, word, name_length);
    return flag || value != NULL ? command->group->add(parsing->request + command->group_at,
                                                       parsing->line, row, value)
                                 : missing_value(parsing->line, row, row->name);
}

/* The row is found by the name before the =. --help ends the reading, and the exit status is that
 * of the printing. Options of the command are noted as seen, for check_row(); those of a group go
 * to the group. */
static int read_option(struct parsing *parsing, const char *word)
{
    const struct command *command = parsing->line->command;
    size_t index = 0, length = strcspn(word, "=");
    struct option_row row;

    if (!command_find_option(command, word, length, &row, &index)) {
        return unknown_option(parsing->line, word);
    }
    if (strcmp(row.name, OPTION_HELP_NAME) == 0) {
        parsing->helped = true;
        return command_help(parsing->line);
    }
    if (index >= command->option_count) {
        return read_group_option(parsing, &row, word, length);
    }
    parsing->seen |= UINT64_C(1) << index;
    return read_value(parsing, &row, word, length);
}

/* A single operand is taken once; "-" is an operand. */
static int read_operand(struct parsing *parsing, const char *word)
{
    const struct option_row *operand = &parsing->line->command->operand;
    const char **single = (const char **)(void *)(parsing->request + operand->at);

    if (operand->value == NULL || (operand->kind == OPTION_TEXT && *single != NULL)) {
        return wrong_usage(parsing->line, "unexpected argument '%s'; see %s --help", word,
                           parsing->line->name);
    }
    return store(parsing, operand, NULL, word);
}

/* `--` makes everything behind it an operand. */
static int read_word(struct parsing *parsing)
{
    const char *word = parsing->line->list[parsing->next++];

    if (parsing->operands_only || word[0] != '-' || word[1] == '\0') {
        return read_operand(parsing, word);
    }
    if (strcmp(word, "--") == 0) {
        parsing->operands_only = true;
        return CLI_YES;
    }
    return read_option(parsing, word);
}

/* ---- what belongs together ------------------------------------------------------------------ */

/* The first option that was given of these names, which have blanks between them; NULL when not one
 * of them was. Options of a group are not known here. */
static const char *first_given(const struct parsing *parsing, const char *names)
{
    const struct command *command = parsing->line->command;
    struct option_row row;
    size_t index = 0, length = 0;

    for (; names != NULL && *names != '\0'; names += length + strspn(names + length, " ")) {
        length = strcspn(names, " ");
        if (command_find_option(command, names, length, &row, &index) &&
            index < command->option_count && (parsing->seen >> index & 1) != 0) {
            return row.name;
        }
    }
    return NULL;
}

/* What one row demands, after all words were read: a required option must have been given, unless
 * the option in `unless` was; and of one that was given, that the options it excludes were not, and
 * the one it needs was. */
static int check_row(const struct parsing *parsing, size_t index)
{
    const struct option_row *row = &parsing->line->command->options[index];

    if ((parsing->seen >> index & 1) == 0) {
        return row->required && first_given(parsing, row->unless) == NULL
                   ? missing_option(parsing->line, row)
                   : CLI_YES;
    }
    const char *other = first_given(parsing, row->excludes);
    if (other != NULL) {
        return wrong_usage(parsing->line, "%s or %s, not both", row->name, other);
    }
    if (row->needs != NULL && first_given(parsing, row->needs) == NULL) {
        return wrong_usage(parsing->line, "%s needs %s", row->name, row->needs);
    }
    return CLI_YES;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Before the words are read, so that a given value replaces the preset. 0 is not a preset. */
static void set_presets(const struct command *command, char *request)
{
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option_row *row = &command->options[i];
        if (row->kind == OPTION_NUMBER && row->preset != 0) {
            *(uint64_t *)(void *)(request + row->at) = row->preset;
        }
    }
}

/* What belongs together is checked only when every word could be read, and not after --help. */
bool command_parse(const struct command_line *line, void *request, int *ret_status)
{
    struct parsing parsing = {.line = line, .request = request};

    *ret_status = CLI_YES;
    set_presets(line->command, request);
    while (*ret_status == CLI_YES && !parsing.helped && parsing.next < line->count) {
        *ret_status = read_word(&parsing);
    }
    for (size_t i = 0; *ret_status == CLI_YES && !parsing.helped && i < line->command->option_count;
         i++) {
        *ret_status = check_row(&parsing, i);
    }
    const struct option_group *group = line->command->group;
    if (*ret_status == CLI_YES && !parsing.helped && group != NULL && group->end != NULL) {
        *ret_status = group->end((char *)request + line->command->group_at, line);
    }
    return *ret_status == CLI_YES && !parsing.helped;
}
