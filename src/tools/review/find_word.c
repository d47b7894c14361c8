/* SPDX-License-Identifier: MIT */
/* Called by query.c for each line. */
#include "tools/review/find_word.h"

#include <stdint.h>
#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Sixteen bytes, which a compiler keeps in one register where the machine has such. */
typedef unsigned char sixteen __attribute__((vector_size(16)));

/* 0x20 for a letter: a byte with that bit set is the small letter when it is either one. */
static unsigned char case_bit(char letter)
{
    const char small = lower(letter);

    return small >= 'a' && small <= 'z' ? 0x20 : 0;
}

/* Which of the sixteen bytes at `at` are this one, without case. */
static sixteen same_letters(const char *at, char letter)
{
    sixteen now;

    memcpy(&now, at, sizeof(now));
    return (sixteen)((now | case_bit(letter)) == (unsigned char)lower(letter));
}

static bool all_zero(sixteen which)
{
    uint64_t half[2];

    memcpy(half, &which, sizeof(half));
    return (half[0] | half[1]) == 0;
}

/* strncasecmp(3) would follow the locale of who reads. */
static bool is_word(const char *text, const char *word, size_t length)
{
    size_t same = 0;

    while (same < length && lower(text[same]) == lower(word[same])) {
        same++;
    }
    return same == length;
}

/* Whether the word begins at one of so many places. */
static bool begins_within(const char *text, size_t places, const char *word, size_t word_length)
{
    for (size_t i = 0; i < places; i++) {
        if (is_word(text + i, word, word_length)) {
            return true;
        }
    }
    return false;
}

/* Of sixteen places at once it is seen whether the first and the last letter fit one
 * of them. */
bool find_word(const char *text, size_t length, const char *word, size_t word_length)
{
    enum { AT_ONCE = sizeof(sixteen) };
    const size_t last = word_length - 1;
    const size_t places = length < word_length ? 0 : length - last;
    size_t at = 0;

    for (; at + AT_ONCE <= places; at += AT_ONCE) {
        const sixteen both =
            same_letters(text + at, word[0]) & same_letters(text + at + last, word[last]);
        if (!all_zero(both) && begins_within(text + at, AT_ONCE, word, word_length)) {
            return true;
        }
    }
    return begins_within(text + at, places - at, word, word_length);
}
