/* SPDX-License-Identifier: MIT */
/*
 * The one text of both forms of record_layout_fits(), for record_layout.c alone, which defines
 * before each: LAYOUT_FORM, the function's name and attributes; LAYOUT_VECTOR, what is compared by
 * one instruction; LAYOUT_OVER(a, b), in which a byte is not 0 where that of a is above that of b;
 * and LAYOUT_IS_ZERO(all). It is no inline function, since what a compiler makes of vectors is
 * settled before it is inlined.
 */

#define PART          (sizeof(LAYOUT_VECTOR))
#define VECTOR_AT(at) (*(const LAYOUT_VECTOR *)(const void *)(at))
#define DIFFERENCE(i)                                                                              \
    (VECTOR_AT(line + blocks[i] + part) ^ VECTOR_AT(image + (i)*RECORD_BLOCK + part))

LAYOUT_FORM(const struct record_layout *layout, const char *line)
{
    const size_t fixed = layout->fixed_count, all = layout->block_count;
    const unsigned char *image = layout->image;
    const uint16_t *blocks = layout->blocks;
    LAYOUT_VECTOR wrong = {0}, also = {0};

    _Static_assert(RECORD_FIXED_GROUP == 4, "as it stands below");
    for (size_t i = 0; i < fixed; i += RECORD_FIXED_GROUP) {
        for (size_t part = 0; part < RECORD_BLOCK; part += PART) {
            wrong |= DIFFERENCE(i) | DIFFERENCE(i + 1);
            also |= DIFFERENCE(i + 2) | DIFFERENCE(i + 3);
        }
        /* Most lines of another layout differ in the first ones: see bring_forward(). */
        if (i == 0 && !LAYOUT_IS_ZERO(wrong | also)) {
            return false;
        }
    }
    image += fixed * RECORD_BLOCK;
    for (size_t i = fixed; i < all; i++, image += 2 * RECORD_BLOCK) {
        for (size_t part = 0; part < RECORD_BLOCK; part += PART) {
            const LAYOUT_VECTOR now = VECTOR_AT(line + blocks[i] + part);
            const LAYOUT_VECTOR span = VECTOR_AT(image + RECORD_BLOCK + part);
            const LAYOUT_VECTOR special =
                (LAYOUT_VECTOR)(now == '"') | (LAYOUT_VECTOR)(now == '\\');
            wrong |= LAYOUT_OVER(now - VECTOR_AT(image + part), span);
            also |= special & span; /* a span of 0: the byte is the one that it was */
        }
    }
    return LAYOUT_IS_ZERO(wrong | also);
}

#undef DIFFERENCE
#undef VECTOR_AT
#undef PART
#undef LAYOUT_FORM
#undef LAYOUT_VECTOR
#undef LAYOUT_OVER
#undef LAYOUT_IS_ZERO
