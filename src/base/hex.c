/* SPDX-License-Identifier: MIT */
/* Hexadecimal for hashes, ids and escapes. Not for keys: its time depends on the digits. */
#include "base/hex.h"

#include <endian.h>
#include <string.h>

/* A byte for each digit: first as 16 bits, then with its halves in the two bytes of these. 10 to 15
 * get the distance from behind '9' to 'a'. */
enum { EIGHT = 8, LITTLE = __BYTE_ORDER == __LITTLE_ENDIAN };
typedef uint8_t eight_bytes __attribute__((vector_size(EIGHT)));
typedef uint16_t eight_pairs __attribute__((vector_size(2 * EIGHT)));
typedef int8_t sixteen_digits __attribute__((vector_size(2 * EIGHT)));

static void put_eight(char *at, const void *bytes)
{
    eight_bytes byte;

    memcpy(&byte, bytes, sizeof(byte));
    const eight_pairs pair = __builtin_convertvector(byte, eight_pairs);
    const eight_pairs halves = LITTLE ? pair >> 4 | pair << 8 : pair << 4 | pair;
    sixteen_digits digit = (sixteen_digits)(halves & 0x0F0F);
    digit += '0' + ((digit > 9) & ('a' - '9' - 1));
    memcpy(at, &digit, sizeof(digit));
}

/* Each record has 128 digits of two hashes, and those of ids: one at a time they would cost as much
 * as a system call. */
char *hex_put_bytes(char *at, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;

    for (; count >= EIGHT; count -= EIGHT) {
        put_eight(at, byte);
        byte += EIGHT;
        at += 2 * EIGHT;
    }
    for (; count > 0; count--) {
        at = hex_put_number(at, *byte++, 2);
    }
    return at;
}

char *hex_put_number(char *at, uint64_t value, unsigned digits)
{
    const uint64_t first_high = htobe64(value);
    char all[HEX_NUMBER];

    put_eight(all, &first_high);
    if (digits == HEX_NUMBER) {
        memcpy(at, all, HEX_NUMBER);
    } else {
        memcpy(at, all + HEX_NUMBER - digits, digits);
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

/* False when one of the sixteen characters is no digit, or not in lower case. */
static bool take_eight(const char *text, unsigned char *ret_bytes)
{
    sixteen_digits digit;
    uint64_t wrong[2];

    memcpy(&digit, text, sizeof(digit));
    const sixteen_digits number = (digit >= '0') & (digit <= '9');
    const sixteen_digits letter = (digit >= 'a') & (digit <= 'f');
    const sixteen_digits neither = ~(number | letter);
    memcpy(wrong, &neither, sizeof(wrong));

    const eight_pairs value = (eight_pairs)((digit & 0x0F) + (letter & 9));
    const eight_pairs pair = LITTLE ? value << 4 | value >> 8 : value >> 4 | value;
    const eight_bytes byte = __builtin_convertvector(pair & 0xFF, eight_bytes);
    memcpy(ret_bytes, &byte, sizeof(byte));
    return (wrong[0] | wrong[1]) == 0;
}

static bool take_one(const char *text, unsigned char *ret_byte)
{
    int high = hex_digit(text[0]), low = hex_digit(text[1]);

    if (high < 0 || low < 0 || (text[0] >= 'A' && text[0] <= 'F') ||
        (text[1] >= 'A' && text[1] <= 'F')) {
        return false;
    }
    *ret_byte = (unsigned char)(high << 4 | low);
    return true;
}

bool hex_take_bytes(const char *text, size_t length, void *ret_bytes, size_t count)
{
    unsigned char *byte = ret_bytes;
    bool good = length >= 2 * count;

    for (; good && count >= EIGHT; count -= EIGHT) {
        good = take_eight(text, byte);
        byte += EIGHT;
        text += 2 * EIGHT;
    }
    for (; good && count > 0; count--) {
        good = take_one(text, byte++);
        text += 2;
    }
    return good;
}
