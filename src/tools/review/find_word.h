/* SPDX-License-Identifier: MIT */
/* Looks for a word in a text without regard to case, as --text does. */
#ifndef TOOLS_REVIEW_FIND_WORD_H
#define TOOLS_REVIEW_FIND_WORD_H

#include <stdbool.h>
#include <stddef.h>

/* The case of ASCII letters makes no difference. word_length is not 0. */
bool find_word(const char *text, size_t length, const char *word, size_t word_length);

#endif
