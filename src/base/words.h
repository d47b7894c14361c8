/* SPDX-License-Identifier: MIT */
/* "Did you mean ...?" */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The candidate nearest to word, or NULL: at most `limit` letters inserted, left out, replaced or
 * swapped with their neighbour, and fewer than the word has. The first of equals wins. fold: case,
 * and "_" for "-", cost nothing. candidates ends with NULL.
 */
const char *words_nearest(const char *word, const char *const *candidates, unsigned limit,
                          bool fold);

#endif
