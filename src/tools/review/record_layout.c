/* SPDX-License-Identifier: MIT */
/*
 * Compares lines with the layout of one that was learnt, for record_like.c. The comparing itself is
 * in record_layout_fits.h, once for both forms of it.
 */
#include "tools/review/record_layout.h"

#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/alloc.h"

/* The lowest byte, and how many may follow on it. */
static const struct {
    unsigned char low, span;
} may_bounds[] = {
    [RECORD_MAY_PLAIN] = {' ', 0x7F - ' '},
    [RECORD_MAY_DIGIT] = {'0', '9' - '0'},
    [RECORD_MAY_FIRST_DIGIT] = {'1', '9' - '1'},
};

/* ---- making ----------------------------------------------------------------------------------
 */

/* Eight bytes at a time: this is asked of each block of a line whenever one of its values differs.
 */
static bool is_fixed_block(const uint8_t *may)
{
    uint64_t words[RECORD_BLOCK / sizeof(uint64_t)], all = 0;

    _Static_assert(RECORD_MAY_SAME == 0, "a byte that is not 0 is not fixed");
    memcpy(words, may, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        all |= words[i];
    }
    return all == 0;
}

/* Where the block of this number begins. The last one may have some bytes of that before. */
static uint16_t block_at(const struct record_layout *layout, size_t i)
{
    const size_t last = layout->length - RECORD_BLOCK;

    return (uint16_t)(i * RECORD_BLOCK < last ? i * RECORD_BLOCK : last);
}

/* The lowest byte of each place, and behind these how many may follow on it. */
static void write_bounds(const char *line, const uint8_t *may, unsigned char *ret_image)
{
    for (size_t i = 0; i < RECORD_BLOCK; i++) {
        const bool same = may[i] == RECORD_MAY_SAME;
        ret_image[i] = same ? (unsigned char)line[i] : may_bounds[may[i]].low;
        ret_image[RECORD_BLOCK + i] = same ? 0 : may_bounds[may[i]].span;
    }
}

/* Filled up to whole groups with the last of them. */
static void list_fixed(struct record_layout *layout, const char *line, const uint8_t *may,
                       size_t count)
{
    uint16_t listed = 0;

    for (size_t i = 0; i < count; i++) {
        const uint16_t at = block_at(layout, i);
        if (is_fixed_block(may + at)) {
            memcpy(layout->image + listed * RECORD_BLOCK, line + at, RECORD_BLOCK);
            layout->blocks[listed++] = at;
        }
    }
    for (; listed % RECORD_FIXED_GROUP != 0; listed++) {
        layout->blocks[listed] = layout->blocks[listed - 1];
        memcpy(layout->image + listed * RECORD_BLOCK, layout->image + (listed - 1) * RECORD_BLOCK,
               RECORD_BLOCK);
    }
    layout->fixed_count = layout->block_count = listed;
}

static void list_others(struct record_layout *layout, const char *line, const uint8_t *may,
                        size_t count)
{
    unsigned char *image = layout->image + layout->fixed_count * RECORD_BLOCK;

    for (size_t i = 0; i < count; i++) {
        const uint16_t at = block_at(layout, i);
        if (!is_fixed_block(may + at)) {
            write_bounds(line + at, may + at, image);
            layout->blocks[layout->block_count++] = at;
            image += 2 * RECORD_BLOCK;
        }
    }
}

/* The image begins where a line of the processor's cache does. */
static bool take_image(struct record_layout *layout, size_t size)
{
    enum { CACHE_LINE = 64 };

    base_free(layout->memory);
    layout->fixed_count = layout->block_count = 0;
    layout->memory = base_alloc(1, size + CACHE_LINE);
    const size_t beyond = (uintptr_t)layout->memory % CACHE_LINE;
    layout->image =
        layout->memory == NULL ? NULL : (unsigned char *)layout->memory + CACHE_LINE - beyond;
    return layout->memory != NULL;
}

void record_layout_make(struct record_layout *layout, const char *line, const uint8_t *may)
{
    const size_t count =
        layout->length < RECORD_BLOCK ? 0 : (layout->length + RECORD_BLOCK - 1) / RECORD_BLOCK;
    size_t fixed = 0;

    for (size_t i = 0; i < count; i++) {
        fixed += is_fixed_block(may + block_at(layout, i));
    }
    if (take_image(layout, (2 * count - fixed + RECORD_FIXED_GROUP) * RECORD_BLOCK)) {
        list_fixed(layout, line, may, count);
        list_others(layout, line, may, count);
    }
}

void record_layout_release(struct record_layout *layout)
{
    base_free(layout->memory);
}

/* ---- comparing -------------------------------------------------------------------------------
 */

typedef unsigned char plain_vector __attribute__((vector_size(16), aligned(1), may_alias));

static inline bool is_zero(plain_vector all)
{
    uint64_t half[2];

    memcpy(half, &all, sizeof(half));
    return (half[0] | half[1]) == 0;
}

#define LAYOUT_FORM         static bool fits_plain
#define LAYOUT_VECTOR       plain_vector
#define LAYOUT_OVER(a, b)   ((plain_vector)((a) > (b)))
#define LAYOUT_IS_ZERO(all) is_zero(all)
#include "tools/review/record_layout_fits.h"

#ifdef __x86_64__
typedef unsigned char wide_vector __attribute__((vector_size(32), aligned(1), may_alias));

#define LAYOUT_FORM         __attribute__((target("avx2"))) static bool fits_wide
#define LAYOUT_VECTOR       wide_vector
#define LAYOUT_OVER(a, b)   ((wide_vector)_mm256_subs_epu8((__m256i)(a), (__m256i)(b)))
#define LAYOUT_IS_ZERO(all) (_mm256_testz_si256((__m256i)(all), (__m256i)(all)) != 0)
#include "tools/review/record_layout_fits.h"
#endif

record_layout_form *record_layout_plain(void)
{
    return fits_plain;
}

record_layout_form *record_layout_wide(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") ? fits_wide : NULL;
#else
    return NULL;
#endif
}

static bool block_differs(const struct record_layout *layout, size_t i, const char *line)
{
    return memcmp(line + layout->blocks[i], layout->image + i * RECORD_BLOCK, RECORD_BLOCK) != 0;
}

static void swap_blocks(struct record_layout *layout, size_t a, size_t b)
{
    unsigned char *one = layout->image + a * RECORD_BLOCK;
    unsigned char *other = layout->image + b * RECORD_BLOCK, kept[RECORD_BLOCK];
    const uint16_t at = layout->blocks[a];

    memcpy(kept, one, RECORD_BLOCK);
    memcpy(one, other, RECORD_BLOCK);
    memcpy(other, kept, RECORD_BLOCK);
    layout->blocks[a] = layout->blocks[b];
    layout->blocks[b] = at;
}

/* A line of another layout that was not known by the first blocks is the next time. */
__attribute__((noinline)) static void bring_forward(struct record_layout *layout, const char *line)
{
    for (size_t i = 0; i < layout->fixed_count; i++) {
        if (block_differs(layout, i, line)) {
            if (i >= RECORD_FIXED_GROUP) {
                swap_blocks(layout, i, layout->next_first);
                layout->next_first = (uint8_t)((layout->next_first + 1) % RECORD_FIXED_GROUP);
            }
            return;
        }
    }
}

bool record_layout_fits(struct record_layout *layout, const char *line)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") ? fits_wide(layout, line) : fits_plain(layout, line)) {
        return true;
    }
#else
    if (fits_plain(layout, line)) {
        return true;
    }
#endif
    bring_forward(layout, line);
    return false;
}
