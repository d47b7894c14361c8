/* SPDX-License-Identifier: MIT */
/*
 * A command is data: its row in commands.h, and its options in one table. From these come parsing,
 * --help, "did you mean" and shell completion, so that each option is written down once.
 *
 *     struct search {
 *         struct word_list files;
 *         bool count;
 *     };
 *     static const struct option_row options[] = {
 *         FLAG("--count", struct search, count, "print only how many there are"),
 *     };
 *     static int run_search(const struct command_line *line)
 *     {
 *         struct search search = {0};
 *         int status = CLI_YES;
 *
 *         if (command_parse(line, &search, &status)) {
 *             ...
 *         }
 *         word_list_release(&search.files);
 *         return status;
 *     }
 *     COMMAND(audit, search) = {
 *         .about = "Prints ...",
 *         .operand = OPERANDS("[FILE]...", struct search, files),
 *         OPTIONS(options),
 *         .run = run_search,
 *     };
 *
 * --option VALUE and --option=VALUE are the same. Options may stand behind operands; `--` ends
 * them.
 */
#ifndef TOOLS_CLI_OPTIONS_H
#define TOOLS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words in the order in which they were given. */
struct word_list {
    const char **items; /* on the heap; the words are the command line's */
    size_t count;
};

/* Frees the list, not the words; {0} is allowed. */
void word_list_release(struct word_list *list);

/* How the value of an option is read, and of which type its member in the request is. */
enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char *; the last one counts */
    OPTION_LIST,   /* struct word_list: each one counts */
    OPTION_NUMBER, /* uint64_t from least to most */
    OPTION_WORD,   /* an enum: the index of the word in words */
};

/* One option, or the operands. Rows are static; zero members mean "not so". */
struct option_row {
    const char *name;  /* "--count"; NULL: the operands */
    const char *brief; /* "-n", or NULL */
    const char *value; /* what stands for the value in --help; NULL: a flag, or the words */
    const char *help;
    /* Also says of which type the member is. */
    enum option_kind kind;
    size_t at;                /* of the member in the request */
    const char *const *words; /* ended with NULL; of a kind but WORD only for completion */
    const char *noun;         /* of a number, in messages; NULL: "number" */
    uint64_t least, most, preset;
    /* Must be given, unless the option named in `unless` is. */
    bool required;
    const char *unless;   /* then it is not required */
    const char *excludes; /* names, with blanks between them: not both */
    const char *needs;    /* the name of another option */
};

/* Where the member is. A member of another type than the kind's does not compile. */
#define OPTION_AT(T, member, good) (offsetof(T, member) + 0 * sizeof(char[(good) ? 1 : -1]))
#define OPTION_OF(T, member, type)                                                                 \
    OPTION_AT(T, member, __builtin_types_compatible_p(__typeof__(((T *)0)->member), type))

/* What may follow: .brief, .words, .noun, .least, .most, .preset, .required, .excludes, .needs */
#define FLAG(NAME, T, member, HELP, ...)                                                           \
    {                                                                                              \
        .kind = OPTION_FLAG, .name = NAME, .at = OPTION_OF(T, member, bool), .help = HELP,         \
        ##__VA_ARGS__                                                                              \
    }
#define TEXT(NAME, VALUE, T, member, HELP, ...)                                                    \
    {                                                                                              \
        .kind = OPTION_TEXT, .name = NAME, .value = VALUE,                                         \
        .at = OPTION_OF(T, member, const char *), .help = HELP, ##__VA_ARGS__                      \
    }
#define LIST(NAME, VALUE, T, member, HELP, ...)                                                    \
    {                                                                                              \
        .kind = OPTION_LIST, .name = NAME, .value = VALUE,                                         \
        .at = OPTION_OF(T, member, struct word_list), .help = HELP, ##__VA_ARGS__                  \
    }
#define NUMBER(NAME, VALUE, T, member, LEAST, MOST, HELP, ...)                                     \
    {                                                                                              \
        .kind = OPTION_NUMBER, .name = NAME, .value = VALUE, .at = OPTION_OF(T, member, uint64_t), \
        .least = LEAST, .most = MOST, .help = HELP, ##__VA_ARGS__                                  \
    }
#define WORD(NAME, WORDS, T, member, HELP, ...)                                                    \
    {                                                                                              \
        .kind = OPTION_WORD, .name = NAME, .words = WORDS,                                         \
        .at = OPTION_AT(T, member, sizeof(((T *)0)->member) == sizeof(unsigned)), .help = HELP,    \
        ##__VA_ARGS__                                                                              \
    }

/* USAGE as in the first line of --help: "[FILE]..." */
#define OPERAND(USAGE, T, member)  TEXT(NULL, USAGE, T, member, NULL)
#define OPERANDS(USAGE, T, member) LIST(NULL, USAGE, T, member, NULL)

struct command_line;

/* Options that several commands share and another module reads: the conditions of a query. */
struct option_group {
    const char *usage, *about;                             /* "[QUERY]...", and what that is */
    bool (*row)(size_t index, struct option_row *ret_row); /* false: there is no such row */
    /* CLI_YES, or the exit status after a message. value is NULL for a flag. */
    int (*add)(void *target, const struct command_line *line, const struct option_row *row,
               const char *value);
    int (*end)(void *target, const struct command_line *line); /* all was added; NULL: no check */
};

/* One command: either it runs (run), or it has commands below it (commands). */
struct command {
    const char *about, *notes, *exits; /* paragraphs of --help: first, behind the options, last */
    const struct option_row *options;
    size_t option_count;
    struct option_row operand; /* value NULL: the command takes none */
    const struct option_group *group;
    size_t group_at; /* of its target in the request */
    int (*run)(const struct command_line *line);
    const struct command_row *commands; /* or these, one of which is named by the first word */
    size_t command_count;
};
/* Which were given is kept in 64 bits. */
#define OPTIONS(table)                                                                             \
    .options = (table),                                                                            \
    .option_count = sizeof(table) / sizeof((table)[0]) +                                           \
                    0 * sizeof(char[sizeof(table) / sizeof((table)[0]) <= 64 ? 1 : -1])
#define COMMANDS(table) .commands = (table), .command_count = sizeof(table) / sizeof((table)[0])

/* One line of commands.h, as a table. */
struct command_row {
    /* The word of the command, and one line about it. */
    const char *name, *summary;
    const struct command *command;
};

/* What is left of the command line at one command. */
struct command_line {
    const char *name; /* "miguard audit search" */
    const struct command *command, *root;
    int count; /* what follows the name */
    char **list;
};

/*
 * Reads the options and operands into request, which holds zero or defaults; presets are set first.
 * False: *ret_status is the exit status, since --help was printed, or a message. What a word_list
 * holds is released by the caller in either case.
 */
bool command_parse(const struct command_line *line, void *request, int *ret_status);

#define OPTION_HELP_NAME "--help"

/* The options of a command (option_table.c) by index: its own, those of its group, --help. False:
 * there are no more. *ret_row is a copy, since a group makes its rows on demand. */
bool command_option(const struct command *command, size_t index, struct option_row *ret_row);

/* The option by its name or short name, of length bytes. Only the command's own have an index below
 * option_count. False: not found, and *ret_row is undefined. */
bool command_find_option(const struct command *command, const char *name, size_t length,
                         struct option_row *ret_row, size_t *ret_index);

/* "audit search: ..." on stderr; gives CLI_USAGE. */
int wrong_usage(const struct command_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* text as a number of this row: decimal digits only, from least to most. name is that of the
 * message. CLI_YES, or CLI_USAGE after a message. */
int option_number(const struct command_line *line, const struct option_row *row, const char *name,
                  const char *text, uint64_t *ret_number);

/* Runs the command, or the one of its commands that the first word names (dispatch.c). Gives the
 * exit status. */
int command_run(const struct command_line *line);

/* Prints --help to stdout (help.c); CLI_YES. */
int command_help(const struct command_line *line);

/* ---- words (word_list.c) ------------------------------------------------------------------ */

/* The word of list (ended with NULL) that word was probably meant to be, or NULL when no word is
 * near enough. Borrowed from list. */
const char *nearest_word(const char *word, const char *const *list);

/* The better of the two guesses at word; best may be NULL. */
const char *nearer_word(const char *word, const char *best, const char *other);

/* "a, b or c", for messages; what does not fit into size bytes is left out. */
void join_words(const char *const *list, char *text, size_t size);

#endif
