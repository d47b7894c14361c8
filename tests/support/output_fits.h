/* SPDX-License-Identifier: MIT */
/* What rows of tests say of the output of a command. */
#ifndef SUPPORT_OUTPUT_FITS_H
#define SUPPORT_OUTPUT_FITS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* expected: a part; NULL: anything; "": nothing. */
static inline bool output_fits(const char *text, const char *expected)
{
    return expected == NULL ||
           (expected[0] == '\0' ? text[0] == '\0' : strstr(text, expected) != NULL);
}

#endif
