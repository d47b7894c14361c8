/* SPDX-License-Identifier: MIT */
/* Reading UTF-8 (RFC 3629): the one decoder of the project. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_MAX = 4 }; /* bytes of one character */

/*
 * The length in bytes of the character at bytes, of which `left` are readable. 0 when it is not
 * valid (overlong form, surrogate, code point above U+10FFFF, truncated) or left is 0; *ret_code is
 * untouched then. A NUL is a character of one byte.
 *
 * In a text that ends with NUL, left may be UTF8_MAX: a NUL does not continue a character, so
 * nothing beyond it is read.
 */
size_t utf8_next(const char *bytes, size_t left, uint32_t *ret_code);

/* The number of characters; a byte that is not valid UTF-8 counts as one. */
size_t utf8_count(const char *bytes, size_t length);

#endif
