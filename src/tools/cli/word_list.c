/* SPDX-License-Identifier: MIT */
/*
 * Lists of words: of a command line, in "did you mean", and in a sentence.
 *
 * The lists end with NULL, but for struct word_list, which counts. Suggestions come from
 * words_nearest() and are only made for what looks like a typing error.
 */
#include "base/words.h"
#include "tools/cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Leaves an empty list. */
void word_list_release(struct word_list *list)
{
    free(list->items);
    *list = (struct word_list){0};
}

/* One third of the letters may differ, and one more. */
const char *nearest_word(const char *word, const char *const *list)
{
    /* Further away it is a guess, not a typing error. */
    return words_nearest(word, list, (unsigned)(strlen(word) / 3 + 1), false);
}

/* For lists that are not in one array: the guesses are compared one by one. */
const char *nearer_word(const char *word, const char *best, const char *other)
{
    const char *const list[] = {best != NULL ? best : other, other, NULL};

    return nearest_word(word, list);
}

/* The last two have "or" between them. */
void join_words(const char *const *list, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; list[i] != NULL && length < size; i++) {
        const char *between = i == 0 ? "" : list[i + 1] == NULL ? " or " : ", ";
        length += (size_t)snprintf(text + length, size - length, "%s%s", between, list[i]);
    }
}
