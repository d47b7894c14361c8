/* SPDX-License-Identifier: MIT */
/* Hexadecimal for hashes, ids and escapes. Not for keys: its time depends on the digits. */
#include "base/hex.h"

#include <endian.h>
#include <string.h>

/* The eight digits of 32 bits, the first one in the highest byte: the halves of each part are
 * spread until each byte has four bits. Then 10 to 15 get the distance from behind '9' to 'a'. */
static uint64_t eight_digits(uint32_t value)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t spread = value;

    spread = (spread << 16 | spread) & UINT64_C(0x0000FFFF0000FFFF);
    spread = (spread << 8 | spread) & UINT64_C(0x00FF00FF00FF00FF);
    spread = (spread << 4 | spread) & ones * 0x0F;
    return spread + ones * '0' + ((spread + ones * 6) >> 4 & ones) * ('a' - '9' - 1);
}

static void put_eight(char *at, uint32_t value)
{
    const uint64_t digits = htobe64(eight_digits(value));

    memcpy(at, &digits, sizeof(digits));
}

/* Each record has 128 digits of two hashes, and those of ids: one at a time they would cost as much
 * as a system call. */
char *hex_put_bytes(char *at, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;
    uint32_t four;

    for (; count >= sizeof(four); count -= sizeof(four)) {
        memcpy(&four, byte, sizeof(four));
        put_eight(at, be32toh(four));
        byte += sizeof(four);
        at += 2 * sizeof(four);
    }
    for (; count > 0; count--) {
        at = hex_put_number(at, *byte++, 2);
    }
    return at;
}

char *hex_put_number(char *at, uint64_t value, unsigned digits)
{
    char all[HEX_NUMBER];

    put_eight(all, (uint32_t)(value >> 32));
    put_eight(all + 8, (uint32_t)value);
    memcpy(at, all + HEX_NUMBER - digits, digits);
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
