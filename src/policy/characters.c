/* SPDX-License-Identifier: MIT */
#include "policy/characters.h"

#include <stdbool.h>

size_t character_next(const char *bytes, size_t left, uint32_t *ret_code)
{
    static const struct {
        unsigned char first, last; /* range of the lead byte */
        unsigned char low, high;   /* range of the second byte: no overlong form, no surrogate */
        unsigned char length, bits;
    } forms[] = {
        {0xC2, 0xDF, 0x80, 0xBF, 2, 0x1F}, {0xE0, 0xE0, 0xA0, 0xBF, 3, 0x0F},
        {0xE1, 0xEC, 0x80, 0xBF, 3, 0x0F}, {0xED, 0xED, 0x80, 0x9F, 3, 0x0F},
        {0xEE, 0xEF, 0x80, 0xBF, 3, 0x0F}, {0xF0, 0xF0, 0x90, 0xBF, 4, 0x07},
        {0xF1, 0xF3, 0x80, 0xBF, 4, 0x07}, {0xF4, 0xF4, 0x80, 0x8F, 4, 0x07},
    };
    const unsigned char *at = (const unsigned char *)bytes;

    if (left == 0) {
        return 0;
    }
    if (at[0] < 0x80) {
        *ret_code = at[0];
        return 1;
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last) {
            continue;
        }
        if (left < forms[i].length || at[1] < forms[i].low || at[1] > forms[i].high) {
            return 0;
        }
        uint32_t code = at[0] & forms[i].bits;
        for (size_t k = 1; k < forms[i].length; k++) {
            if ((at[k] & 0xC0) != 0x80) {
                return 0;
            }
            code = code << 6 | (at[k] & 0x3Fu);
        }
        *ret_code = code;
        return forms[i].length;
    }
    return 0;
}

size_t characters_count(const char *bytes, size_t length)
{
    size_t count = 0;

    for (size_t at = 0; at < length; count++) {
        uint32_t code;
        size_t step = character_next(bytes + at, length - at, &code);
        at += step == 0 ? 1 : step;
    }
    return count;
}

static bool is_invisible(uint32_t code)
{
    return code == 0xAD || code == 0x61C || code == 0x180E || (code >= 0x200B && code <= 0x200F) ||
           (code >= 0x202A && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) ||
           code == 0xFEFF || (code >= 0xFFF9 && code <= 0xFFFB) ||
           (code >= 0xE0000 && code <= 0xE0FFF);
}

const char *character_fault(uint32_t code)
{
    if (code == '\n' || (code >= 0x20 && code < 0x7F)) {
        return NULL;
    }
    if (code == '\t') {
        return "a tab; use spaces";
    }
    if (code == '\r') {
        return "a carriage return; end lines with a line feed alone";
    }
    if (code < 0x20 || code == 0x7F || (code > 0x7F && code < 0xA0 && code != 0x85)) {
        return "a control character; remove it";
    }
    if (code == 0x85 || code == 0x2028 || code == 0x2029) {
        return "a line end that most editors do not show; use a line feed";
    }
    if (is_invisible(code)) {
        return "an invisible character; remove it";
    }
    return (code & 0xFFFE) == 0xFFFE ? "no character at all; remove it" : NULL;
}
