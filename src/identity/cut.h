/* SPDX-License-Identifier: MIT */
/*
 * Texts from outside, of any length, in a record of bounded size.
 *
 * A text of more than `limit` bytes keeps its beginning, up to a whole character, and gets a mark
 * with its full length and a hash of all of it:
 *
 *     CIM_Processsssss...[1048576 bytes #00112233445566778899aabbccddeeff]
 *
 * So two texts that differ only after the cut remain different, and a reader who has the whole text
 * can check whether it was this one: cutting it again gives the same result. The hash is BLAKE2b of
 * 128 bits without a key: two texts with the same result cannot be made, and a reader needs no
 * secret. A cut text is longer than limit because of its mark, and no other text is, so no text can
 * pass as a cut one.
 *
 * The text is counted, hashed and kept as records have it: each byte that is not UTF-8 becomes
 * U+FFFD (text.h). cut.c needs libsodium, and so is in libmiguard alone; cut_mark.c does not.
 */
#ifndef IDENTITY_CUT_H
#define IDENTITY_CUT_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    CUT_HASH = 16, /* bytes */
    CUT_MARK = 68, /* "...[", 20 digits, " bytes #", 32 digits, "]", with room */
    CUT_MARK_MIN = 4 + 1 + 8 + 2 * CUT_HASH + 1,
};

/* Written by cut_end() and expected by cut_mark_length(). */
#define CUT_BYTES_WORD " bytes #"

/* The memory that a text of this limit needs, with its NUL. */
#define CUT_SIZE(limit) ((limit) + CUT_MARK + 1)

/* A text that comes in pieces. Allocates nothing. hash is not initialised before the text exceeds
 * limit: a short text costs no hashing. */
struct cut {
    char *buffer;
    size_t limit, kept;
    uint64_t length;               /* of the whole text */
    crypto_generichash_state hash; /* of the whole text, once it is longer than limit */
};

/* buffer: CUT_SIZE(limit) bytes. */
void cut_begin(struct cut *cut, char *buffer, size_t limit);
/* length ends at a whole character, or at the NUL of text. */
void cut_add(struct cut *cut, const char *text, size_t length);
/* Terminates the buffer and returns the length of its content. */
size_t cut_end(struct cut *cut);

/* Cuts a whole text in one call. buffer: CUT_SIZE(limit) bytes. Returns the length of its
 * content. */
size_t cut_text(const char *text, size_t limit, char *buffer);

/* The length of the whole characters in the first `limit` bytes of text. */
size_t cut_whole(const char *text, size_t limit);

/* Whether a text is so short that it fits whatever is in it: a byte that is not UTF-8 becomes
 * three. Then *ret_length is its length. */
static inline bool cut_is_short(const char *text, size_t limit, size_t *ret_length)
{
    *ret_length = strnlen(text, limit / 3 + 1);
    return *ret_length <= limit / 3;
}

/* Whether a text may be written uncut, without hashing or copying it. Counts as cut_add() does. */
bool cut_fits(const char *text, size_t limit);

/* The length of the mark at the end of text, which has that length; 0 when it has no mark. */
size_t cut_mark_length(const char *text, size_t length);

#endif
