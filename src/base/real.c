/* SPDX-License-Identifier: MIT */
/*
 * A double as text (real.h). The double is an integer times a power of two; as an integer in base
 * 10^9 over a power of ten it is exact, and is then rounded once, to 17 digits.
 *
 * real_text() -> expand() makes all digits, round_digits() keeps 17 of them, and write_fixed() or
 * write_scientific() puts the point.
 */
#include "base/real.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    DIGITS = 17, /* kept */
    BIG_BASE = 1000000000,
    BIG_DIGITS = 9,     /* of a word */
    BIG_WORDS = 90,     /* 2^53 times 5^1074 has 768 digits */
    FIVES = 1220703125, /* 5^13, the largest power of five in 32 bits */
    FIVES_POWER = 13,
    TWOS_POWER = 29,
    MANTISSA_BITS = 52,
    EXPONENT_MASK = 0x7FF,
    EXPONENT_BIAS = 1075, /* with the mantissa as an integer */
};

/* Base 10^9, the lowest word first. */
struct big {
    uint32_t words[BIG_WORDS];
    unsigned count;
};

static void multiply(struct big *big, uint32_t factor)
{
    uint64_t carry = 0;

    for (unsigned i = 0; i < big->count; i++) {
        carry += (uint64_t)big->words[i] * factor;
        big->words[i] = (uint32_t)(carry % BIG_BASE);
        carry /= BIG_BASE;
    }
    while (carry != 0) {
        big->words[big->count++] = (uint32_t)(carry % BIG_BASE);
        carry /= BIG_BASE;
    }
}

static void multiply_by_power(struct big *big, uint32_t base, uint32_t large, unsigned large_power,
                              unsigned power)
{
    for (; power >= large_power; power -= large_power) {
        multiply(big, large);
    }
    for (; power > 0; power--) {
        multiply(big, base);
    }
}

/* The digits of mantissa times 2^exponent, without leading zeros, and how many of them stand behind
 * the point. */
struct digits {
    char text[BIG_WORDS * BIG_DIGITS];
    int count, behind;
};

static void expand(uint64_t mantissa, int exponent, struct digits *ret_digits)
{
    struct big big = {.words = {(uint32_t)(mantissa % BIG_BASE), (uint32_t)(mantissa / BIG_BASE)},
                      .count = 2};
    int count = 0;

    if (exponent >= 0) {
        multiply_by_power(&big, 2, (uint32_t)1 << TWOS_POWER, TWOS_POWER, (unsigned)exponent);
    } else { /* 2^-n is 5^n over 10^n */
        multiply_by_power(&big, 5, FIVES, FIVES_POWER, (unsigned)-exponent);
    }
    for (unsigned i = big.count; i-- > 0;) {
        uint32_t word = big.words[i];
        for (uint32_t unit = BIG_BASE / 10; unit > 0; unit /= 10) {
            const char digit = (char)('0' + word / unit % 10);
            if (count > 0 || digit != '0') {
                ret_digits->text[count++] = digit;
            }
        }
    }
    ret_digits->count = count;
    ret_digits->behind = exponent < 0 ? -exponent : 0;
}

/* To the nearest, and of two equally near to the even one (IEEE 754). A carry out of the first
 * digit leaves a one and zeros, with one place more. */
static void round_digits(struct digits *digits)
{
    if (digits->count <= DIGITS) {
        return;
    }
    const char *rest = digits->text + DIGITS;
    const int left = digits->count - DIGITS;
    bool more = false;

    for (int i = 1; i < left; i++) {
        more = more || rest[i] != '0';
    }
    bool up =
        rest[0] > '5' || (rest[0] == '5' && (more || (digits->text[DIGITS - 1] - '0') % 2 != 0));
    digits->behind -= left;
    digits->count = DIGITS;
    for (int i = DIGITS - 1; up && i >= 0; i--) {
        up = digits->text[i] == '9';
        digits->text[i] = up ? '0' : (char)(digits->text[i] + 1);
    }
    if (up) {
        digits->text[0] = '1';
        digits->behind--;
    }
}

static char *write_exponent(char *at, int exponent)
{
    const unsigned size = (unsigned)(exponent < 0 ? -exponent : exponent);

    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    if (size >= 100) {
        *at++ = (char)('0' + size / 100);
    }
    *at++ = (char)('0' + size / 10 % 10);
    *at++ = (char)('0' + size % 10);
    return at;
}

static char *write_scientific(char *at, const char *digits, int count, int exponent)
{
    *at++ = digits[0];
    if (count > 1) {
        *at++ = '.';
        memcpy(at, digits + 1, (size_t)count - 1);
        at += count - 1;
    }
    return write_exponent(at, exponent);
}

/* exponent: of the first digit; between -4 and DIGITS - 1. */
static char *write_fixed(char *at, const char *digits, int count, int exponent)
{
    if (exponent < 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = exponent + 1; i < 0; i++) {
            *at++ = '0';
        }
    }
    for (int i = 0; i < count || i <= exponent; i++) {
        *at++ = i < count ? digits[i] : '0';
        if (i == exponent && i + 1 < count) {
            *at++ = '.';
        }
    }
    return at;
}

static char *write_digits(char *at, struct digits *digits)
{
    round_digits(digits);
    const int exponent = digits->count - 1 - digits->behind;
    int count = digits->count;

    while (count > 1 && digits->text[count - 1] == '0') {
        count--;
    }
    return exponent < -4 || exponent >= DIGITS ? write_scientific(at, digits->text, count, exponent)
                                               : write_fixed(at, digits->text, count, exponent);
}

size_t real_text(double value, char ret_text[REAL_TEXT_SIZE])
{
    char *at = ret_text;
    uint64_t bits = 0;

    _Static_assert(sizeof(bits) == sizeof(value), "a double has 64 bits");
    memcpy(&bits, &value, sizeof(bits));
    const unsigned power = (unsigned)(bits >> MANTISSA_BITS) & EXPONENT_MASK;
    const uint64_t fraction = bits & (((uint64_t)1 << MANTISSA_BITS) - 1);

    if (bits >> 63 != 0) {
        *at++ = '-';
    }
    if (power == EXPONENT_MASK) {
        memcpy(at, fraction != 0 ? "nan" : "inf", 3);
        at += 3;
    } else if (power == 0 && fraction == 0) {
        *at++ = '0';
    } else {
        struct digits digits;
        const uint64_t whole = power != 0 ? (uint64_t)1 << MANTISSA_BITS : 0;
        expand(fraction | whole, (int)(power != 0 ? power : 1) - EXPONENT_BIAS, &digits);
        at = write_digits(at, &digits);
    }
    *at = '\0';
    return (size_t)(at - ret_text);
}
