/* SPDX-License-Identifier: MIT */
/*
 * The options of a command as one list: what parsing, --help, suggestions and completion walk.
 *
 * A group makes its rows on demand and says how many there are by refusing an index, so the list is
 * walked from the start. Commands have a few dozen options at most.
 */
#include "tools/cli/options.h"

#include <string.h>

/* --help is the last one of every command. */
bool command_option(const struct command *command, size_t index, struct option_row *ret_row)
{
    static const struct option_row help_row = {
        .name = OPTION_HELP_NAME, .brief = "-h", .kind = OPTION_FLAG, .help = "print this text"};
    size_t group_count = 0;

    if (index < command->option_count) {
        *ret_row = command->options[index];
        return true;
    }
    index -= command->option_count;
    if (command->group != NULL) {
        while (command->group->row(group_count, ret_row)) {
            if (group_count++ == index) {
                return true;
            }
        }
    }
    *ret_row = help_row;
    return index == group_count;
}

/* Whole names only: an abbreviation could become ambiguous with a later version. */
bool command_find_option(const struct command *command, const char *name, size_t length,
                         struct option_row *ret_row, size_t *ret_index)
{
    for (size_t i = 0; command_option(command, i, ret_row); i++) {
        const char *names[] = {ret_row->name, ret_row->brief};
        for (size_t j = 0; j < 2; j++) {
            if (names[j] != NULL && strlen(names[j]) == length &&
                strncmp(names[j], name, length) == 0) {
                *ret_index = i;
                return true;
            }
        }
    }
    return false;
}
