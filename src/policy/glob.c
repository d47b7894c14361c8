/* SPDX-License-Identifier: MIT */
/* Compares a text with a pattern of * and ?, for match.c, index.c and the lint of the command. */
#include <string.h>

#include "base/utf8.h"
#include "policy/draft.h"

/* ASCII only: what is a letter elsewhere depends on a locale, and a decision must not. */
static uint32_t fold(uint32_t code, bool ignore_case)
{
    return ignore_case && code >= 'A' && code <= 'Z' ? code - 'A' + 'a' : code;
}

/* One character, or one byte where the text is not UTF-8 (a file name may be anything); 0 at the
 * end. */
static uint32_t next(const char *text, size_t left, size_t *ret_length)
{
    uint32_t code = 0;

    *ret_length = utf8_next(text, left, &code);
    if (*ret_length == 0 && left > 0) {
        *ret_length = 1;
        /* Apart from every character, so that an invalid byte equals only itself. */
        return 0x80000000u | (unsigned char)*text;
    }
    return code;
}

/*
 * One position to go back to is enough: when a later "*" has been reached, what an earlier one took
 * need not change. So the time is at most glob length x value length, whatever the pattern.
 */
bool draft_glob_matches(const char *glob, const char *value, bool ignore_case)
{
    size_t glob_length = strlen(glob), value_length = strlen(value);
    size_t at = 0, in = 0, star = SIZE_MAX, taken = 0;

    while (in < value_length) {
        size_t step, width;
        uint32_t wanted = next(glob + at, glob_length - at, &step);
        uint32_t found = next(value + in, value_length - in, &width);

        /* The star takes nothing at first; it takes one character more with each return to it. */
        if (wanted == '*') {
            star = at + 1;
            taken = in;
            at = star;
            continue;
        }
        bool any = wanted == '?';
        size_t quote = wanted == '\\' ? 1 : 0;
        if (quote != 0) {
            wanted = next(glob + at + 1, glob_length - at - 1, &step);
        }
        if (step != 0 && (any || fold(wanted, ignore_case) == fold(found, ignore_case))) {
            at += quote + step;
            in += width;
            continue;
        }
        if (star == SIZE_MAX) {
            return false;
        }
        /* Back to the last star, which takes one more. */
        next(value + taken, value_length - taken, &width);
        taken += width;
        in = taken;
        at = star;
    }
    while (glob[at] == '*') {
        at++;
    }
    return at == glob_length;
}
