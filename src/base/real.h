/* SPDX-License-Identifier: MIT */
/* A double as text, without the C library's formatting: that depends on the program's locale, and
 * may take memory. */
#ifndef BASE_REAL_H
#define BASE_REAL_H

#include <stddef.h>

enum { REAL_TEXT_SIZE = 32 };

/* As printf(3) writes it with "%.17g" in the C locale: enough digits that the same double is read
 * back. Returns the length. Async-signal safe. */
size_t real_text(double value, char ret_text[REAL_TEXT_SIZE]);

#endif
