/* SPDX-License-Identifier: MIT */
/* Bytes and numbers in lower-case hexadecimal. Nothing here appends a NUL. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEX_NUMBER = 16 }; /* digits of 64 bits */

/* Each returns the position after its digits: two per byte, or the lowest `digits` of a number,
 * with leading zeros. The caller provides the room. */
char *hex_put_bytes(char *at, const void *bytes, size_t count);
char *hex_put_number(char *at, uint64_t value, unsigned digits);

/* Reads 2 * count digits at text, of which `length` characters are available. False when one is
 * missing or is not a lower-case digit; ret_bytes is undefined then. */
bool hex_take_bytes(const char *text, size_t length, void *ret_bytes, size_t count);

/* The value of a digit of either case, or -1. */
int hex_digit(char c);

#endif
