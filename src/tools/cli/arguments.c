/* SPDX-License-Identifier: MIT */
#include "tools/cli/cli.h"

#include <string.h>

bool arguments_next(struct arguments *arguments)
{
    arguments->option = arguments->operand = NULL;
    if (arguments->failed || arguments->at >= arguments->count) {
        return false;
    }
    const char *word = arguments->list[arguments->at++];
    if (!arguments->operands_only && strcmp(word, "--") == 0) {
        arguments->operands_only = true;
        return arguments_next(arguments);
    }
    if (!arguments->operands_only && word[0] == '-' && word[1] != '\0') {
        arguments->option = word;
    } else {
        arguments->operand = word;
    }
    return true;
}

bool arguments_is(struct arguments *arguments, const char *option)
{
    return strcmp(arguments->option, option) == 0;
}

bool arguments_value(struct arguments *arguments, const char *option, const char **ret_value)
{
    size_t length = strlen(option);

    if (strncmp(arguments->option, option, length) != 0) {
        return false;
    }
    if (arguments->option[length] == '=') {
        *ret_value = arguments->option + length + 1;
        return true;
    }
    if (arguments->option[length] != '\0') {
        return false;
    }
    *ret_value = NULL;
    if (arguments->at < arguments->count) {
        *ret_value = arguments->list[arguments->at++];
        return true;
    }
    complain(CLI_USAGE, "%s: %s needs a value", arguments->command, option);
    arguments->failed = true;
    return true;
}

/*
 * How many letters must be put in, left out, replaced or swapped with their neighbour to make one
 * word of the other, cut off at the size of the table (F. J. Damerau, 1964).
 */
static size_t distance(const char *a, const char *b)
{
    enum { LIMIT = 32 };
    size_t table[LIMIT + 1][LIMIT + 1];
    size_t length_a = strlen(a), length_b = strlen(b);

    if (length_a > LIMIT || length_b > LIMIT) {
        return LIMIT;
    }
    for (size_t i = 0; i <= length_a; i++) {
        for (size_t j = 0; j <= length_b; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = i + j;
                continue;
            }
            size_t best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = table[i - 1][j] + 1 < best ? table[i - 1][j] + 1 : best;
            best = table[i][j - 1] + 1 < best ? table[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                table[i - 2][j - 2] + 1 < best) {
                best = table[i - 2][j - 2] + 1;
            }
            table[i][j] = best;
        }
    }
    return table[length_a][length_b];
}

const char *nearest_word(const char *word, const char *const *list)
{
    const char *nearest = NULL;
    size_t least = strlen(word) / 3 + 1; /* further away it is a guess, not a typing error */

    for (; *list != NULL; list++) {
        size_t away = distance(word, *list);
        if (away <= least && (nearest == NULL || away < least)) {
            nearest = *list;
            least = away;
        }
    }
    return nearest;
}

int arguments_unknown(const struct arguments *arguments)
{
    char name[33];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(arguments->option, "="), arguments->option);
    const char *nearest = nearest_word(name, arguments->known);
    if (nearest != NULL) {
        return complain(CLI_USAGE, "%s: unknown option %s; did you mean %s?", arguments->command,
                        name, nearest);
    }
    return complain(CLI_USAGE, "%s: unknown option %s; see %s --help", arguments->command, name,
                    arguments->command);
}
