/* SPDX-License-Identifier: MIT */
/* Reads the lines of `miguard run --shell` (shell_edit.c). */
#ifndef TOOLS_CLI_SHELL_EDIT_H
#define TOOLS_CLI_SHELL_EDIT_H

#include <stdbool.h>
#include <stddef.h>

/* What the word before the cursor may become. */
struct shell_choices {
    char **list; /* on the heap, each too; letters, digits, _ / - and = at the end only */
    size_t count;
    size_t typed; /* bytes of the word that is there */
};

/* Asked for completion: what stands before the cursor, length bytes. Zero choices: nothing. */
typedef void shell_complete(void *context, const char *line, size_t length,
                            struct shell_choices *ret_choices);

struct shell_edit;

enum shell_read {
    SHELL_READ_LINE,
    SHELL_READ_DROPPED, /* by ^C: nothing was read */
    SHELL_READ_END,
    SHELL_READ_BAD,    /* after a message: too long, or with a NUL; the next one can be read */
    SHELL_READ_FAILED, /* after a message */
};

/*
 * Lines from standard input: with libedit where it is a terminal, and plain otherwise or when that
 * library is not there. interrupt is a descriptor that SIGINT makes readable; the signal is
 * blocked. NULL after a message.
 */
struct shell_edit *shell_edit_new(shell_complete *complete, void *context, int interrupt);

/* Whether a person types the lines. */
bool shell_edit_is_terminal(const struct shell_edit *edit);

/* The next line, without its end, on the heap; prompt is for a terminal. */
enum shell_read shell_edit_line(struct shell_edit *edit, const char *prompt, char **ret_line);

/* NULL is allowed. */
void shell_edit_free(struct shell_edit *edit);

#endif
