/* SPDX-License-Identifier: MIT */
/*
 * LIKE. A mismatch goes back to the last % only, and lets it stand for one character more: an
 * earlier % need not be tried again, since a later one can stand for whatever it could. So the work
 * is at most the product of both lengths, without recursion or memory.
 */
#include <string.h>

#include "base/utf8.h"
#include "host/query/query.h"

/* One character; a byte that is not valid UTF-8 counts as one. Letters of ASCII in lower case. */
static const char *next_character(const char *text, uint32_t *ret_code)
{
    size_t length = utf8_next(text, UTF8_MAX, ret_code);

    if (length == 0) {
        *ret_code = 0x110000 + (unsigned char)*text;
        length = 1;
    }
    if (*ret_code >= 'A' && *ret_code <= 'Z') {
        *ret_code += 'a' - 'A';
    }
    return text + length;
}

/* Whether the character is in the set that begins behind "["; *ret_end is behind its "]", or NULL
 * without one. */
static bool in_set(const char *set, uint32_t character, const char **ret_end)
{
    bool negated = *set == '^', found = false;
    uint32_t code = 0, last = 0;

    set += negated;
    while (*set != '\0' && *set != ']') {
        bool range = *set == '-' && last != 0 && set[1] != '\0' && set[1] != ']';
        set = next_character(set + range, &code);
        found |= range ? character >= last && character <= code : character == code;
        last = code;
    }
    *ret_end = *set == ']' ? set + 1 : NULL;
    return found != negated;
}

/* Whether the next part of the pattern fits one character; *ret_end is behind that part. */
static bool fits_one(const char *pattern, uint32_t character, const char **ret_end)
{
    uint32_t wanted = 0;

    if (*pattern == '[') {
        bool found = in_set(pattern + 1, character, ret_end);
        return *ret_end != NULL && found;
    }
    *ret_end = next_character(pattern, &wanted);
    return wanted == '_' || (wanted != 0 && wanted == character);
}

bool wql_like(const char *text, const char *pattern)
{
    const char *retry_pattern = NULL, *retry_text = NULL;
    const char *end = NULL;
    uint32_t character = 0;

    while (*text != '\0') {
        if (*pattern == '%') {
            retry_pattern = ++pattern;
            retry_text = text;
            continue;
        }
        const char *behind = next_character(text, &character);
        if (*pattern != '\0' && fits_one(pattern, character, &end)) {
            pattern = end;
            text = behind;
        } else if (retry_pattern != NULL) {
            pattern = retry_pattern;
            text = retry_text = next_character(retry_text, &character);
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "%")] == '\0';
}
