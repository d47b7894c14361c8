/* SPDX-License-Identifier: MIT */
/* Cuts long texts for records and marks the cut (cut.h). Called by the audit code, and by searches
 * for a long value. */
#include "identity/cut.h"

#include <string.h>

#include "base/hex.h"
#include "base/text.h"

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

size_t cut_end(struct cut *cut)
{
    unsigned char hash[CUT_HASH];
    char *at = cut->buffer + cut->kept;

    if (cut->length > cut->limit) {
        crypto_generichash_final(&cut->hash, hash, sizeof(hash));
        at = cut->buffer + cut_whole(cut->buffer, cut->kept);
        at = put_word(at, "...[");
        at = put_number(at, cut->length);
        at = put_word(at, CUT_BYTES_WORD);
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

/* Reads no further than needed. */
bool cut_fits(const char *text, size_t limit)
{
    size_t length = 0;

    if (cut_is_short(text, limit, &length)) {
        return true;
    }
    length = 0;
    while (*text != '\0' && length <= limit) {
        size_t step = text_character(text);
        length += step > 0 ? step : 3;
        text += step > 0 ? step : 1;
    }
    return length <= limit;
}
