/* SPDX-License-Identifier: MIT */
/* The nearest word of a list, for the errors of policy files and of the command. */
#include "base/words.h"

#include <string.h>

enum { WORD_LIMIT = 40 }; /* every key, name and option of the project is shorter */

/* Only ASCII is folded: the result must not depend on the locale. */
static char folded(char byte, bool fold)
{
    if (fold && byte >= 'A' && byte <= 'Z') {
        return (char)(byte - 'A' + 'a');
    }
    return fold && byte == '_' ? '-' : byte;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

struct word {
    const char *text;
    size_t length;
};

/* The edit distance of F. J. Damerau (1964). */
static unsigned distance(struct word a, struct word b, bool fold)
{
    unsigned rows[3][WORD_LIMIT + 1];

    for (size_t j = 0; j <= b.length; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a.length; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        char letter = folded(a.text[i - 1], fold);
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.length; j++) {
            unsigned change = letter == folded(b.text[j - 1], fold) ? 0 : 1;
            row[j] = least(above[j - 1] + change, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && letter == folded(b.text[j - 2], fold) &&
                folded(a.text[i - 2], fold) == folded(b.text[j - 1], fold)) {
                row[j] = least(row[j], two_above[j - 2] + 1);
            }
        }
    }
    return rows[a.length % 3][b.length];
}

const char *words_nearest(const char *word, const char *const *candidates, unsigned limit,
                          bool fold)
{
    struct word wanted = {word, strlen(word)};
    const char *nearest = NULL;

    if (wanted.length == 0 || wanted.length > WORD_LIMIT) {
        return NULL;
    }
    for (; *candidates != NULL; candidates++) {
        struct word candidate = {*candidates, strlen(*candidates)};
        if (candidate.length > WORD_LIMIT) {
            continue;
        }
        unsigned away = distance(wanted, candidate, fold);
        if (away <= limit && away < wanted.length) {
            nearest = *candidates;
            if (away == 0) {
                break;
            }
            limit = away - 1; /* only a nearer one replaces it: the first of equals wins */
        }
    }
    return nearest;
}
