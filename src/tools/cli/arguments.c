/* SPDX-License-Identifier: MIT */
#include "base/words.h"
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

const char *nearest_word(const char *word, const char *const *list)
{
    /* Further away it is a guess, not a typing error. */
    return words_nearest(word, list, (unsigned)(strlen(word) / 3 + 1), false);
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
