/* SPDX-License-Identifier: MIT */
/* Where a text may be cut, and whether one was (cut.h). Apart from cut.c, since it needs no hash:
 * for refusals, searches and libmiguard-core. */
#include <string.h>

#include "identity/cut.h"

/* Goes back over continuation bytes to the first byte of the last character, which says how long
 * that must be. Relies on valid UTF-8, which cut_add() ensures. */
size_t cut_whole(const char *text, size_t length)
{
    size_t start = length;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) {
        start--;
    }
    if (start == 0) {
        return length;
    }
    unsigned char lead = (unsigned char)text[start - 1];
    size_t wanted = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return start - 1 + wanted <= length ? length : start - 1;
}

/* strchr(3) finds the NUL of its own string, so a NUL in text is excluded first. */
static bool all_of(const char *text, size_t length, const char *set)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\0' || strchr(set, text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Read from the end: "]", the hash, the word, the digits, "...[". */
size_t cut_mark_length(const char *text, size_t length)
{
    const size_t end = sizeof(CUT_BYTES_WORD) - 1 + 2 * CUT_HASH + 1;
    size_t digits = 0;

    if (length < CUT_MARK_MIN || text[length - 1] != ']' ||
        !all_of(text + length - 1 - 2 * CUT_HASH, 2 * CUT_HASH, "0123456789abcdef") ||
        memcmp(text + length - end, CUT_BYTES_WORD, sizeof(CUT_BYTES_WORD) - 1) != 0) {
        return 0;
    }
    while (digits < 20 && end + digits < length && text[length - end - digits - 1] >= '0' &&
           text[length - end - digits - 1] <= '9') {
        digits++;
    }
    size_t mark = end + digits + 4;
    return digits > 0 && mark <= length && memcmp(text + length - mark, "...[", 4) == 0 ? mark : 0;
}
