/* SPDX-License-Identifier: MIT */
/*
 * Texts from outside, of any length, in a record of bounded size.
 *
 * A text of more than `limit` bytes keeps its beginning, up to a whole character, and gets a mark
 * that tells how long it was and a hash of all of it:
 *
 *     CIM_Processsssss...[1048576 bytes #00112233445566778899aabbccddeeff]
 *
 * So two texts that differ only behind the cut stay apart, and whoever has the whole text can say
 * whether it was this one: cutting it again gives the same. The hash is BLAKE2b of 128 bits without
 * a key: nobody can make two texts that look alike, and a reader needs no secret. What was cut is
 * longer than limit with its mark, and nothing else is, so no text can pass for one that was cut.
 *
 * Counted, hashed and kept is the text as records have it: what is no UTF-8 counts as U+FFFD, byte
 * for byte (text.h). Needs libsodium, and so is in libmiguard alone.
 */
#ifndef IDENTITY_CUT_H
#define IDENTITY_CUT_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CUT_HASH = 16, /* bytes */
    CUT_MARK = 68, /* "...[", 20 digits, " bytes #", 32 digits, "]", with room */
    CUT_MARK_MIN = 4 + 1 + 8 + 2 * CUT_HASH + 1,
};

/* The memory that a text of this limit needs, with its NUL. */
#define CUT_SIZE(limit) ((limit) + CUT_MARK + 1)

/* A text that comes in pieces. Allocates nothing. */
struct cut {
    char *buffer;
    size_t limit, kept;
    uint64_t length;               /* of the whole */
    crypto_generichash_state hash; /* of the whole, once it is longer than limit */
};

/* buffer: CUT_SIZE(limit) bytes. */
void cut_begin(struct cut *cut, char *buffer, size_t limit);
/* length ends at a whole character, or at the NUL of text. */
void cut_add(struct cut *cut, const char *text, size_t length);
/* Terminates the buffer; the length of what is in it. */
size_t cut_end(struct cut *cut);

/* All of it at once. */
size_t cut_text(const char *text, size_t limit, char *buffer);

/* As much of the first `limit` bytes of text as is whole characters. */
size_t cut_whole(const char *text, size_t limit);

/* Whether a text may be written as it is. */
bool cut_fits(const char *text, size_t limit);

/* The length of the mark that text, of that length, ends with; 0 when it ends with none. */
size_t cut_mark_length(const char *text, size_t length);

#endif
