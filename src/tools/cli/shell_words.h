/* SPDX-License-Identifier: MIT */
/* The words of one line of `miguard run --shell` (shell_words.c). */
#ifndef TOOLS_CLI_SHELL_WORDS_H
#define TOOLS_CLI_SHELL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* {0} is a line without words. */
struct shell_words {
    char **list; /* on the heap, ended with NULL; the words are in text */
    char *text;
    size_t count;
    bool open;      /* nothing stands behind the last word */
    bool last_bare; /* the last word is written without quotes and backslashes */
};

enum shell_split {
    SHELL_SPLIT_GOOD,
    SHELL_SPLIT_QUOTE,     /* a quotation has no end */
    SHELL_SPLIT_BACKSLASH, /* there is nothing behind a backslash */
    SHELL_SPLIT_MEMORY,
};

/*
 * Splits length bytes of line at blanks. '...' is taken as it stands, in "..." a backslash stands
 * before " and \, elsewhere before any character; a word that begins with # and all behind it is a
 * comment. *ret_place is where in line a quotation without an end begins; words so far are there
 * even then. Released with shell_words_release() in any case.
 */
enum shell_split shell_words_split(const char *line, size_t length, struct shell_words *ret_words,
                                   size_t *ret_place);

/* Zeroes it; zero is allowed. */
void shell_words_release(struct shell_words *words);

#endif
