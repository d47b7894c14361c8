/* SPDX-License-Identifier: MIT */
/*
 * Whether a line has its values in the same places as one that was learnt: for each byte it is
 * known whether it is always the same one, or which others may stand there. This is where a search
 * spends its time, so it is built twice: with what every processor has, and with AVX2.
 */
#ifndef TOOLS_REVIEW_RECORD_LAYOUT_H
#define TOOLS_REVIEW_RECORD_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which bytes may stand at a place. PLAIN: in a string; neither a quote nor a backslash. */
enum record_may { RECORD_MAY_SAME, RECORD_MAY_PLAIN, RECORD_MAY_DIGIT, RECORD_MAY_FIRST_DIGIT };

/* RECORD_BLOCK: bytes that are compared at once; of fixed blocks, a group of four. */
enum { RECORD_BLOCK = 32, RECORD_FIXED_GROUP = 4 };

/* How many blocks are listed for a line of this length, at the most. */
static inline size_t record_layout_blocks(size_t length)
{
    return length / RECORD_BLOCK + 1 + RECORD_FIXED_GROUP;
}

struct record_layout {
    uint32_t length;
    /* Where blocks begin: first those of which all bytes are as in the line, then the others.
     * block_count 0: the line is too short, or no layout was made yet. */
    uint16_t fixed_count, block_count;
    uint16_t *blocks; /* the owner's; record_layout_blocks() of them */
    /* What may stand in the blocks: of the fixed ones their bytes; of the others the lowest ones,
     * and how many may follow on them. */
    unsigned char *image;
    uint8_t next_first; /* of the first group, what the next to come forward replaces */
    void *memory;       /* of image */
};

/* Makes it from the line and the enum record_may of each of its bytes. Without memory it is left
 * with block_count 0. */
void record_layout_make(struct record_layout *layout, const char *line, const uint8_t *may);
void record_layout_release(struct record_layout *layout);

/* line is as long as the layout's, which has blocks. True: each byte is one that may stand in its
 * place. A fixed block in which the line differs may be moved forward, to be compared first. */
bool record_layout_fits(struct record_layout *layout, const char *line);

/* The two forms of it, for a test: they answer the same. wide is NULL where the processor has none.
 */
typedef bool record_layout_form(const struct record_layout *layout, const char *line);
record_layout_form *record_layout_plain(void);
record_layout_form *record_layout_wide(void);

#endif
