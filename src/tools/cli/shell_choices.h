/* SPDX-License-Identifier: MIT */
/* What can be completed in a line of `miguard run --shell` (shell_choices.c). */
#ifndef TOOLS_CLI_SHELL_CHOICES_H
#define TOOLS_CLI_SHELL_CHOICES_H

#include "tools/cli/shell_edit.h"

/* The words of a line that are not requests, ended with NULL. */
extern const char *const shell_own_words[];

/* Where the names come from. */
struct shell_source {
    void *context;
    /* Makes the request of these words without a message. Its output on the heap, or NULL. */
    char *(*ask)(void *context, const char *const *words, int count);
    /* Namespaces that are known, ended with NULL. */
    const char *const *name_spaces;
};

/* As a shell_complete, for this source. */
void shell_choices(const struct shell_source *source, const char *line, size_t length,
                   struct shell_choices *ret_choices);

#endif
