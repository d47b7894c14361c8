/* SPDX-License-Identifier: MIT */
/*
 * miguard completion: a script for a shell, from the tables of all commands. A new command or
 * option is completed without a line here.
 *
 * Each script knows commands by their path, " audit search": the words of the command line that
 * name a command below the one before.
 *
 * each_command() walks over the tree of commands and calls one printing function for each gap of a
 * script. The shells differ in how a word is quoted, in how a description stands beside it, and in
 * what they do with --option=VALUE; each has its own four or five functions for that. The texts
 * come from the tables of this program only, so they need the quoting of the shell but no other
 * care.
 */
#include "tools/cli/cli.h"
#include "tools/cli/commands.h"

#include <string.h>

/* Bytes of a path of commands, all of which are short words of commands.h. */
enum { PATH_SIZE = 64 };

/* One command in the tree, with its path. */
struct node {
    char path[PATH_SIZE]; /* "", " audit", " audit search" */
    const char *summary;
    /* Static, like all commands. */
    const struct command *command;
};

/* Calls print for this command and for all below it, parents first. */
static void each_command(const struct node *node, void (*print)(const struct node *node))
{
    print(node);
    for (size_t i = 0; i < node->command->command_count; i++) {
        const struct command_row *row = &node->command->commands[i];
        struct node below = {.summary = row->summary, .command = row->command};
        snprintf(below.path, sizeof(below.path), "%.40s %.20s", node->path, row->name);
        each_command(&below, print);
    }
}

/* What can be completed behind an option, or as an operand: nothing, one of its words, a file, or
 * something that only the user knows. */
enum values { VALUES_NONE, VALUES_WORDS, VALUES_FILES, VALUES_FREE };

/* By the kind of the row: a flag has no value, a row with words has those. Otherwise the usage
 * decides: FILE and LOG name files, and everything else (numbers, users, globs) only the user
 * knows. */
static enum values values_of(const struct option_row *row)
{
    if (row->kind == OPTION_FLAG || (row->name == NULL && row->value == NULL)) {
        return VALUES_NONE;
    }
    if (row->words != NULL) {
        return VALUES_WORDS;
    }
    return strstr(row->value, "FILE") != NULL || strstr(row->value, "FOLDER") != NULL ||
                   strstr(row->value, "LOG") != NULL
               ? VALUES_FILES
               : VALUES_FREE;
}

/* With blanks between them; the words of the tables need no quoting. */
static void print_words(const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        printf("%s%s", i > 0 ? " " : "", words[i]);
    }
}

/* ---- bash ----------------------------------------------------------------------------------- */

/* One line of the loop that finds the command: the words so far, and the next one. */
static void bash_path(const struct node *node)
{
    if (node->path[0] != '\0') {
        printf("        \"%s\") path+=\" ${COMP_WORDS[i]}\" ;;\n", node->path);
    }
}

/* One case for each option that takes a value. */
static void bash_values(const struct node *node)
{
    struct option_row row;

    for (size_t i = 0; command_option(node->command, i, &row); i++) {
        if (values_of(&row) == VALUES_NONE) {
            continue;
        }
        printf("    \"%s %s\"", node->path, row.name);
        if (row.brief != NULL) {
            printf(" | \"%s %s\"", node->path, row.brief);
        }
        printf(") ");
        if (values_of(&row) == VALUES_WORDS) {
            printf("words=\"");
            print_words(row.words);
            printf("\" ;;\n");
        } else {
            puts(values_of(&row) == VALUES_FILES ? "files=yes ;;" : "return ;;");
        }
    }
}

/* What may stand where a word begins: commands, words of the operand, options. */
static void bash_words(const struct node *node)
{
    const struct command *command = node->command;
    struct option_row row;

    printf("    \"%s\") words=\"", node->path);
    for (size_t i = 0; i < command->command_count; i++) {
        printf("%s ", command->commands[i].name);
    }
    if (command->commands != NULL) {
        printf("help ");
    }
    if (values_of(&command->operand) == VALUES_WORDS) {
        print_words(command->operand.words);
        putchar(' ');
    }
    for (size_t i = 0; command_option(command, i, &row); i++) {
        printf("%s%s", i > 0 ? " " : "", row.name);
    }
    printf("\"%s ;;\n", values_of(&command->operand) == VALUES_FILES ? " files=yes" : "");
}

/* The script, with the cases of all commands in its gaps. */
static void print_bash(const struct node *root)
{
    puts("# Completion of miguard, made by `miguard completion bash`.\n"
         "_miguard()\n"
         "{\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    local path= words= files= i\n"
         "\n"
         "    COMPREPLY=()\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        case \"$path ${COMP_WORDS[i]}\" in");
    each_command(root, bash_path);
    puts("        esac\n"
         "    done\n"
         "    # --option=value is three words here.\n"
         "    if [[ $word == = ]]; then\n"
         "        word=\n"
         "    elif [[ $before == = ]]; then\n"
         "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
         "    fi\n"
         "    case \"$path $before\" in");
    each_command(root, bash_values);
    puts("    *) case \"$path\" in");
    each_command(root, bash_words);
    puts("    esac ;;\n"
         "    esac\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
         "    if [[ -n $files && $word != -* ]]; then\n"
         "        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$word\")\n"
         "        compopt -o filenames 2>/dev/null\n"
         "    fi\n"
         "}\n"
         "complete -F _miguard miguard");
}

/* ---- zsh ------------------------------------------------------------------------------------ */

/* Between single quotes, where a colon ends the name that _describe takes. */
static void print_quoted(const char *text)
{
    for (; *text != '\0'; text++) {
        fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, stdout);
    }
}

/* As bash_path(), in the syntax of zsh. */
static void zsh_path(const struct node *node)
{
    if (node->path[0] != '\0') {
        printf("        (\"%s\") at+=\" ${words[i]}\" ;;\n", node->path);
    }
}

/* As bash_values(); words are completed by _describe, files by _files. */
static void zsh_values(const struct node *node)
{
    struct option_row row;

    for (size_t i = 0; command_option(node->command, i, &row); i++) {
        if (values_of(&row) == VALUES_NONE) {
            continue;
        }
        printf("    (\"%s %s\"", node->path, row.name);
        if (row.brief != NULL) {
            printf("|\"%s %s\"", node->path, row.brief);
        }
        printf(") ");
        if (values_of(&row) == VALUES_WORDS) {
            printf("list=(");
            print_words(row.words);
            printf("); _describe value list; return ;;\n");
        } else {
            puts(values_of(&row) == VALUES_FILES ? "_files; return ;;" : "return ;;");
        }
    }
}

/* One entry of a list for _describe: 'name:text'. */
static void zsh_item(const char *name, const char *text)
{
    printf(" '%s:", name);
    print_quoted(text);
    putchar('\'');
}

/* As bash_words(), with the texts of --help beside the words. */
static void zsh_words(const struct node *node)
{
    const struct command *command = node->command;
    struct option_row row;

    printf("    (\"%s\") list=(", node->path);
    for (size_t i = 0; i < command->command_count; i++) {
        zsh_item(command->commands[i].name, command->commands[i].summary);
    }
    if (command->commands != NULL) {
        zsh_item("help", "describe a command");
    }
    if (values_of(&command->operand) == VALUES_WORDS) {
        putchar(' ');
        print_words(command->operand.words);
    }
    for (size_t i = 0; command_option(command, i, &row); i++) {
        zsh_item(row.name, row.help);
    }
    puts(values_of(&command->operand) == VALUES_FILES ? " ); files=yes ;;" : " ) ;;");
}

/* The script works both when it is loaded from $fpath and when it is sourced. */
static void print_zsh(const struct node *root)
{
    puts("#compdef miguard\n"
         "# Completion of miguard, made by `miguard completion zsh`.\n"
         "_miguard()\n"
         "{\n"
         "    local word=${words[CURRENT]} before=${words[CURRENT-1]} at= files= i\n"
         "    local -a list\n"
         "\n"
         "    for ((i = 2; i < CURRENT; i++)); do\n"
         "        case \"$at ${words[i]}\" in");
    each_command(root, zsh_path);
    puts("        esac\n"
         "    done\n"
         "    if [[ $word == --*=* ]]; then\n"
         "        before=${word%%=*}\n"
         "        compset -P '*='\n"
         "    fi\n"
         "    case \"$at $before\" in");
    each_command(root, zsh_values);
    puts("    esac\n"
         "    case \"$at\" in");
    each_command(root, zsh_words);
    puts("    esac\n"
         "    _describe argument list\n"
         "    if [[ -n $files ]]; then _files; fi\n"
         "}\n"
         "# Loaded from $fpath, this file is the first call of the function itself.\n"
         "if [[ $funcstack[1] == _miguard ]]; then\n"
         "    _miguard\n"
         "else\n"
         "    compdef _miguard miguard\n"
         "fi");
}

/* ---- fish ----------------------------------------------------------------------------------- */

/* One word of the list by which the script finds the command. */
static void fish_path(const struct node *node)
{
    if (node->path[0] != '\0') {
        printf(" '%s'", node->path);
    }
}

/* The condition: the command line is at this command. */
static void fish_begin(const struct node *node)
{
    printf("complete -c miguard -n '__miguard_at \"%s\"'", node->path);
}

/* The description, in single quotes, where fish escapes with a backslash. */
static void fish_end(const char *text)
{
    printf(" -d '");
    for (; *text != '\0'; text++) {
        printf(*text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    puts("'");
}

/* One option: long and short name, and what its value is. */
static void fish_option(const struct node *node, const struct option_row *row)
{
    static const char *const takes[] = {[VALUES_NONE] = "",
                                        [VALUES_WORDS] = " -x -a '",
                                        [VALUES_FILES] = " -r -F",
                                        [VALUES_FREE] = " -x"};

    fish_begin(node);
    printf(" -l %s", row->name + strlen("--"));
    if (row->brief != NULL) {
        printf(" -s %s", row->brief + strlen("-"));
    }
    fputs(takes[values_of(row)], stdout);
    if (values_of(row) == VALUES_WORDS) {
        print_words(row->words);
        putchar('\'');
    }
    fish_end(row->help);
}

/* One line each, since fish takes the description with the word. */
static void fish_words(const struct node *node)
{
    const struct command *command = node->command;
    struct option_row row;

    for (size_t i = 0; i < command->command_count; i++) {
        fish_begin(node);
        printf(" -a %s", command->commands[i].name);
        fish_end(command->commands[i].summary);
    }
    if (command->commands != NULL) {
        fish_begin(node);
        printf(" -a help");
        fish_end("describe a command");
    }
    if (values_of(&command->operand) == VALUES_WORDS) {
        fish_begin(node);
        printf(" -a '");
        print_words(command->operand.words);
        puts("'");
    } else if (values_of(&command->operand) == VALUES_FILES) {
        fish_begin(node);
        puts(" -F");
    }
    for (size_t i = 0; command_option(command, i, &row); i++) {
        fish_option(node, &row);
    }
}

/* The script has one function, which finds the command that the command line is at, and then a line
 * for each word and option, with the condition that it is there. Files are off by default (-f) and
 * switched on where an option or operand takes one. */
static void print_fish(const struct node *root)
{
    puts("# Completion of miguard, made by `miguard completion fish`.\n"
         "function __miguard_at\n"
         "    set -l at \"\"\n"
         "    set -l words (commandline -opc)\n"
         "    for word in $words[2..-1]");
    printf("        if contains -- \"$at $word\"");
    each_command(root, fish_path);
    puts("\n"
         "            set at \"$at $word\"\n"
         "        end\n"
         "    end\n"
         "    test \"$at\" = \"$argv[1]\"\n"
         "end\n"
         "complete -c miguard -f");
    each_command(root, fish_words);
}

/* ---- the command ---------------------------------------------------------------------------- */

static const char *const shells[] = {"bash", "zsh", "fish", NULL};
static void (*const printers[])(const struct node *root) = {print_bash, print_zsh, print_fish};
_Static_assert(sizeof(printers) / sizeof(printers[0]) + 1 == sizeof(shells) / sizeof(shells[0]),
               "one for each shell");

/* The operand. */
struct request {
    const char *shell;
};

/* An unknown or missing shell is wrong usage, with the names of the known ones. */
static int run_completion(const struct command_line *line)
{
    const struct node root = {.command = line->root};
    struct request request = {0};
    char allowed[64];
    int status = CLI_YES;

    if (!command_parse(line, &request, &status)) {
        return status;
    }
    for (size_t i = 0; request.shell != NULL && shells[i] != NULL; i++) {
        if (strcmp(request.shell, shells[i]) == 0) {
            printers[i](&root);
            return CLI_YES;
        }
    }
    join_words(shells, allowed, sizeof(allowed));
    return wrong_usage(line, "which shell? Use %s", allowed);
}

COMMAND(miguard, completion) = {
    .about = "Prints a script that completes commands, options and their values on TAB:\n"
             "\n"
             "    miguard completion bash > /etc/bash_completion.d/miguard\n"
             "    miguard completion zsh  > /usr/local/share/zsh/site-functions/_miguard\n"
             "    miguard completion fish > /etc/fish/completions/miguard.fish",
    .exits = "Exit status: 0 printed, 2 wrong usage.",
    .operand = {.kind = OPTION_TEXT,
                .value = "bash|zsh|fish",
                .at = OPTION_OF(struct request, shell, const char *),
                .words = shells},
    .run = run_completion,
};
