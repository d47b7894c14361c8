/* SPDX-License-Identifier: MIT */
/*
 * Parsing a line by comparing it with one that was parsed before. A log has few kinds of records:
 * of two lines of one kind most bytes are the same, and what differs are values. The result is
 * that of record_parse(), or that the line is of no kind that is known.
 *
 * Why it is the same: the parser's state depends on the bytes before, less the contents of values.
 * Where both lines have the same bytes the states stay the same; where they differ inside of a
 * value, the value of the new line is scanned as record_parse() would, and behind it the states are
 * the same again. A difference anywhere else is left to record_parse().
 *
 * Most lines are as long as one before and have their values in the same places. Of those that were
 * seen to differ, each byte is known to be any of the plain ones, or a digit: such a line is
 * compared without looking for the places.
 */
#ifndef TOOLS_REVIEW_RECORD_LIKE_H
#define TOOLS_REVIEW_RECORD_LIKE_H

#include <endian.h>
#include <string.h>

#include "tools/review/record.h"

/* RECORD_LEAVES: a record of two identities of root has some 120 values. RECORD_KINDS: lines that
 * are remembered; with their values some 7 MiB for each thread, unless they are unusually long.
 * RECORD_KIND_LINE: a longer line is not. */
enum { RECORD_LEAVES = 512, RECORD_KINDS = 1024, RECORD_KIND_LINE = 32 * 1024 };

/* A value: a string, a number, a word, or a whole array; from its first byte to behind its last. */
struct record_leaf {
    uint32_t start, end;
    uint32_t depth; /* of open brackets around it */
};

/* Those of a line, in their order. */
struct record_leaves {
    const char *line;
    size_t count;
    bool too_many;
    struct record_leaf list[RECORD_LEAVES];
};

/* The fields that a caller asks for, when it does not need all. */
struct record_fields_wanted {
    uint8_t list[RECORD_FIELD_COUNT];
    size_t count;
    bool line; /* and all of its bytes */
};

/* Lines that were met, for one thread. NULL as a pointer is allowed where it says so. */
struct record_kinds;

/* NULL out of memory. */
struct record_kinds *record_kinds_new(void);
/* NULL is allowed. */
void record_kinds_free(struct record_kinds *kinds);

/* What they took so far: how often a line was walked along with one that was learnt, how often what
 * may stand in one was listed, and how many are remembered now. */
struct record_kinds_work {
    uint64_t walks, listed;
    size_t remembered;
};
struct record_kinds_work record_kinds_work(const struct record_kinds *kinds);

/* Whether the line is like one that was met. It is a record then, and record_like_fields() gives
 * its fields. False says nothing about the line. */
bool record_like(struct record_kinds *kinds, const char *line, size_t length);
/*
 * The same of the line that begins at text, which needs no newline to be looked for: a guess from
 * what it looks like is tried. True: the line has its values where one before had them, ends with a
 * newline that stands within so many bytes, and *ret_length is its length. No newline stands in it,
 * since none stands in a line that is learnt (the callers' lines end at the first one), and none
 * may come into its place. False says nothing.
 */
bool record_like_next(struct record_kinds *kinds, const char *text, size_t most,
                      size_t *ret_length);
/* After one of them that was true: all fields, or those that are wanted. Others stay as they
 * are in *ret_record. */
void record_like_all(const struct record_kinds *kinds, struct record *ret_record);
/* All fields that stand in the line: as record_parse_bare(). */
void record_like_bare(const struct record_kinds *kinds, struct record *ret_record);
void record_like_some(const struct record_kinds *kinds, const struct record_fields_wanted *wanted,
                      struct record *ret_record);

/*
 * An answer that follows from some fields alone need not be found for every line. watch says which
 * fields, before the first line. record_like_answer(), after a record_like() that was true, says
 * where the answer is kept that holds for all lines with the same bytes in these fields, 0 at
 * first. NULL: it is not known whether they are the same.
 */
void record_kinds_watch(struct record_kinds *kinds, const struct record_fields_wanted *watch);
uint8_t *record_like_answer(struct record_kinds *kinds);

/* As record_parse(), and remembers the line for record_like(). NULL for kinds: only parses. */
const char *record_parse_new(struct record_kinds *kinds, const char *line, size_t length,
                             struct record *ret_record, size_t *ret_offset);

/* The same for any line: by comparing it where it is like one that was met. */
const char *record_parse_like(struct record_kinds *kinds, const char *line, size_t length,
                              struct record *ret_record, size_t *ret_offset);

/* As record_parse_new() and record_parse_bare(). */
const char *record_parse_new_bare(struct record_kinds *kinds, const char *line, size_t length,
                                  struct record *ret_record, size_t *ret_offset);

/* ---- record.c ------------------------------------------------------------------------------- */

/* False for a line that is no record, or has too many values. */
bool record_parse_leaves(const char *line, size_t length, struct record *ret_record,
                         struct record_leaves *ret_leaves);
/* Scans one value with so many brackets open around it. Behind it, or NULL when there is no value.
 */
const char *record_scan_leaf(const char *at, const char *end, unsigned depth);
/* The field is no object. */
bool record_is_leaf(enum record_field field);

/* Behind the printable ASCII that stands for itself, eight bytes at a time. In `special` the high
 * bit of a byte is set for a quote, a backslash, a control character and what is not ASCII; a carry
 * may set it wrongly, but only above one that is right. */
static inline const char *record_skip_plain(const char *at, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    while (end - at >= 8) {
        uint64_t word;
        /* Not by a pointer of that type: at need not be aligned for it. */
        memcpy(&word, at, sizeof(word));
        word = le64toh(word);
        uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
        uint64_t special = (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                            ((word - ones * 0x20) & ~word) | word) &
                           ones << 7;
        if (special != 0) {
            return at + (__builtin_ctzll(special) >> 3);
        }
        at += 8;
    }
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20 && *at < 0x7F) {
        at++;
    }
    return at;
}

#endif
