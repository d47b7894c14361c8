/* SPDX-License-Identifier: MIT */
/* Hexadecimal for hashes, ids and escapes. Not for keys: its time depends on the digits. */
#include "base/hex.h"

static const char digits_of[] = "0123456789abcdef";

char *hex_put_bytes(char *at, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < count; i++) {
        *at++ = digits_of[byte[i] >> 4];
        *at++ = digits_of[byte[i] & 15];
    }
    return at;
}

char *hex_put_number(char *at, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        at[i - 1] = digits_of[value & 15];
        value >>= 4;
    }
    return at + digits;
}

int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_take_bytes(const char *text, size_t length, void *ret_bytes, size_t count)
{
    unsigned char *byte = ret_bytes;

    if (length < 2 * count) {
        return false;
    }
    for (size_t i = 0; i < 2 * count; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0 || (text[i] >= 'A' && text[i] <= 'F')) {
            return false;
        }
        byte[i / 2] = (unsigned char)(i % 2 == 0 ? digit << 4 : byte[i / 2] | digit);
    }
    return true;
}
