/* SPDX-License-Identifier: MIT */
/* Cuts long texts for records and marks the cut (cut.h). Called by the audit code, and by searches
 * for a long value. */
#include "identity/cut.h"

#include <string.h>

#include "base/hex.h"
#include "base/text.h"

/* Written by cut_end() and expected by cut_mark_length(): one constant, so that both agree. */
static const char bytes_word[] = " bytes #";

void cut_begin(struct cut *cut, char *buffer, size_t limit)
{
    cut->buffer = buffer;
    cut->limit = limit;
    cut->kept = 0;
    cut->length = 0;
}

/* Keeps what fits, and hashes from the piece on that passes the limit: what was kept until then is
 * the whole text so far. */
static void add_bytes(struct cut *cut, const char *bytes, size_t length)
{
    size_t room = cut->limit - cut->kept, taken = length < room ? length : room;

    memcpy(cut->buffer + cut->kept, bytes, taken);
    cut->kept += taken;
    if (cut->length <= cut->limit && cut->length + length > cut->limit) {
        crypto_generichash_init(&cut->hash, NULL, 0, CUT_HASH);
        crypto_generichash_update(&cut->hash, (const unsigned char *)cut->buffer, cut->kept);
        crypto_generichash_update(&cut->hash, (const unsigned char *)bytes + taken, length - taken);
    } else if (cut->length > cut->limit) {
        crypto_generichash_update(&cut->hash, (const unsigned char *)bytes, length);
    }
    cut->length += length;
}

/* Whole stretches of valid text are added at once; only a byte that is not UTF-8 ends one. */
void cut_add(struct cut *cut, const char *text, size_t length)
{
    const char *start = text, *end = text + length;

    while (text < end) {
        size_t step = text_character(text);
        if (step > 0) {
            text += step;
            continue;
        }
        add_bytes(cut, start, (size_t)(text - start));
        add_bytes(cut, "\xEF\xBF\xBD", 3);
        start = ++text;
    }
    add_bytes(cut, start, (size_t)(text - start));
}

/* Decimal digits without a NUL; returns the position after them. */
static char *put_number(char *at, uint64_t number)
{
    char digits[20];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

static char *put_word(char *at, const char *word)
{
    size_t length = strlen(word);

    memcpy(at, word, length);
    return at + length;
}

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

size_t cut_end(struct cut *cut)
{
    unsigned char hash[CUT_HASH];
    char *at = cut->buffer + cut->kept;

    if (cut->length > cut->limit) {
        crypto_generichash_final(&cut->hash, hash, sizeof(hash));
        at = cut->buffer + cut_whole(cut->buffer, cut->kept);
        at = put_word(at, "...[");
        at = put_number(at, cut->length);
        at = put_word(at, bytes_word);
        at = hex_put_bytes(at, hash, sizeof(hash));
        *at++ = ']';
    }
    *at = '\0';
    return (size_t)(at - cut->buffer);
}

size_t cut_text(const char *text, size_t limit, char *buffer)
{
    struct cut cut;

    cut_begin(&cut, buffer, limit);
    cut_add(&cut, text, strlen(text));
    return cut_end(&cut);
}

/* Each byte that is not UTF-8 becomes three. Reads no further than needed. */
bool cut_fits(const char *text, size_t limit)
{
    size_t length = 0;

    if (strnlen(text, limit / 3 + 1) <= limit / 3) {
        return true;
    }
    while (*text != '\0' && length <= limit) {
        size_t step = text_character(text);
        length += step > 0 ? step : 3;
        text += step > 0 ? step : 1;
    }
    return length <= limit;
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
    const size_t end = sizeof(bytes_word) - 1 + 2 * CUT_HASH + 1;
    size_t digits = 0;

    if (length < CUT_MARK_MIN || text[length - 1] != ']' ||
        !all_of(text + length - 1 - 2 * CUT_HASH, 2 * CUT_HASH, "0123456789abcdef") ||
        memcmp(text + length - end, bytes_word, sizeof(bytes_word) - 1) != 0) {
        return 0;
    }
    while (digits < 20 && end + digits < length && text[length - end - digits - 1] >= '0' &&
           text[length - end - digits - 1] <= '9') {
        digits++;
    }
    size_t mark = end + digits + 4;
    return digits > 0 && mark <= length && memcmp(text + length - mark, "...[", 4) == 0 ? mark : 0;
}
