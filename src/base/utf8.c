/* SPDX-License-Identifier: MIT */
/* The decoder of UTF-8 for JSON, policy files, records, recorded names and the terminal. */
#include "base/utf8.h"

size_t utf8_next(const char *bytes, size_t left, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* below: an overlong form */
    const unsigned char *at = (const unsigned char *)bytes;

    if (left == 0) {
        return 0;
    }
    if (at[0] < 0x80) {
        *ret_code = at[0];
        return 1;
    }
    size_t length = (at[0] & 0xE0) == 0xC0   ? 2
                    : (at[0] & 0xF0) == 0xE0 ? 3
                    : (at[0] & 0xF8) == 0xF0 ? 4
                                             : 0;
    if (length == 0 || left < length) {
        return 0;
    }
    uint32_t code = at[0] & (0x7FU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3FU);
    }
    if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
        return 0;
    }
    *ret_code = code;
    return length;
}

size_t utf8_count(const char *bytes, size_t length)
{
    size_t count = 0;

    for (size_t at = 0; at < length; count++) {
        uint32_t code;
        size_t step = utf8_next(bytes + at, length - at, &code);
        at += step == 0 ? 1 : step;
    }
    return count;
}
