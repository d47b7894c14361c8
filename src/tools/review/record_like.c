/* SPDX-License-Identifier: MIT */
/*
 * Parses lines by comparing them with lines of the same kind, for the readers of logs: it takes a
 * tenth of the time of record_parse(). record_like.h has the argument why the result is the same.
 *
 * follow_kind() walks along the old and the new line together and notes how far the new line is
 * shifted behind each value that differed (struct shift); from these the places of all fields
 * follow. record_layout_fits() comes before it: a kind knows for each byte of its line which ones
 * may stand there, and widen() adds to these what follow_kind() found.
 */
#include "tools/review/record_like.h"

#include "base/alloc.h"
#include "tools/review/record_complete.h"
#include "tools/review/record_layout.h"

/* From old position `from` on, the new line's position is the old one plus by. */
struct shift {
    uint32_t from;
    int32_t by;
};

/* A field of a kind's line, with where it begins and ends. */
struct known_field {
    uint32_t start, end;
    uint8_t field;
};

/* A line that was parsed. What record_layout_fits() needs stands first, in one line of the cache.
 */
struct kind {
    struct record_layout layout;
    uint32_t fitted;      /* the number of the line that fitted last, or was learnt */
    bool watched_differs; /* a byte of a field that is watched is not always the same */
    uint8_t answer;       /* of record_like_answer() */
    bool used;            /* a line fitted since it was learnt */

    char *line;            /* on the heap; NULL: free */
    uint32_t passes, pass; /* lines that are not learnt in its place: in a row, and of them left */
    size_t leaf_count, field_count;
    struct record_leaf *leaves;         /* in one block with all that follows */
    struct known_field *fields;         /* in the order of their starts */
    uint8_t *may;                       /* enum record_may of each byte of the line */
    uint16_t place[RECORD_FIELD_COUNT]; /* in fields, from 1; 0: the line does not have it */
};

/* For what the middle of a line looks like, kinds that such lines were of, and their lengths. */
enum { GUESSES = 512, GUESS_WAYS = 4 };
struct guess {
    uint16_t kind, length; /* 0: none */
};

/* WATCHED: each field that is wanted, and four that it follows from. */
enum { WATCHED = 5 * RECORD_FIELD_COUNT + 1 };

struct record_kinds {
    struct kind list[RECORD_KINDS];
    uint8_t tags[RECORD_KINDS]; /* of their lines */
    struct guess guesses[GUESSES][GUESS_WAYS];
    uint32_t lines;         /* that were looked at */
    uint64_t walks, listed; /* for record_kinds_work() */
    size_t hand;            /* of forget_stale() */
    size_t last;            /* the kind that fitted last */
    uint8_t watch[WATCHED]; /* the fields that an answer depends on */
    size_t watch_count;     /* 0: no answers */
    bool same;              /* the line that fitted last has its values where the kind has them */
    /* of the line that fitted last: */
    const char *line;
    size_t length;
    size_t diffs; /* values that differed */
    size_t shift_count;
    struct shift shifts[RECORD_LEAVES + 1];
    struct record_leaves leaves; /* while a line is learnt */
};

/* Zeroed: all kinds are free. */
struct record_kinds *record_kinds_new(void)
{
    return base_alloc(1, sizeof(struct record_kinds));
}

static void free_kind(struct kind *kind)
{
    record_layout_release(&kind->layout);
    base_free(kind->leaves);
}

void record_kinds_free(struct record_kinds *kinds)
{
    for (size_t i = 0; kinds != NULL && i < RECORD_KINDS; i++) {
        free_kind(&kinds->list[i]);
    }
    base_free(kinds);
}

struct record_kinds_work record_kinds_work(const struct record_kinds *kinds)
{
    struct record_kinds_work work = {.walks = kinds->walks, .listed = kinds->listed};

    for (size_t i = 0; i < RECORD_KINDS; i++) {
        work.remembered += kinds->list[i].line != NULL;
    }
    return work;
}

/* ---- comparing -------------------------------------------------------------------------------
 */

/* Of eight bytes in the order of memory, how many stand before the first that differs. */
static size_t same_bytes(uint64_t difference)
{
    return (size_t)__builtin_ctzll(le64toh(difference)) >> 3;
}

/* Eight bytes at a and b. */
static uint64_t difference_at(const char *a, const char *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x ^ y;
}

/* Sixteen bytes, which a compiler keeps in one register where the machine has such. */
typedef uint64_t __attribute__((vector_size(16))) wide;

/* The same, byte for byte. */
typedef unsigned char __attribute__((vector_size(16))) bytes;

static bytes bytes_at(const char *at)
{
    bytes read;

    memcpy(&read, at, sizeof(read));
    return read;
}

static wide wide_at(const char *at)
{
    wide read;

    memcpy(&read, at, sizeof(read));
    return read;
}

/* Of 64 bytes. */
static bool same_block(const char *a, const char *b)
{
    wide one = (wide_at(a) ^ wide_at(b)) | (wide_at(a + 16) ^ wide_at(b + 16));
    wide two = (wide_at(a + 32) ^ wide_at(b + 32)) | (wide_at(a + 48) ^ wide_at(b + 48));
    wide all = one | two;

    return (all[0] | all[1]) == 0;
}

/* How many bytes at the beginning are the same. memcmp(3) does not say where it found the
 * difference. */
static size_t same_length(const char *a, const char *b, size_t length)
{
    size_t at = 0;

    while (length - at >= 4 * sizeof(wide) && same_block(a + at, b + at)) {
        at += 4 * sizeof(wide);
    }
    for (; length - at >= 32; at += 32) {
        uint64_t one = difference_at(a + at, b + at), two = difference_at(a + at + 8, b + at + 8);
        uint64_t three = difference_at(a + at + 16, b + at + 16);
        uint64_t four = difference_at(a + at + 24, b + at + 24);
        if ((one | two | three | four) != 0) {
            return one != 0     ? at + same_bytes(one)
                   : two != 0   ? at + 8 + same_bytes(two)
                   : three != 0 ? at + 16 + same_bytes(three)
                                : at + 24 + same_bytes(four);
        }
    }
    while (at < length && a[at] == b[at]) {
        at++;
    }
    return at;
}

/* ---- the same places --------------------------------------------------------------------------
 */

static bool is_fixed(const struct kind *kind, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (kind->may[i] != RECORD_MAY_SAME) {
            return false;
        }
    }
    return true;
}

static size_t count_digits(const char *text, size_t length)
{
    size_t count = 0;

    while (count < length && text[count] >= '0' && text[count] <= '9') {
        count++;
    }
    return count;
}

/* Each is behind what it looked at. What differs is widened: in the kind's line, which is a record,
 * other plain bytes in a string are a string, and other digits are a number when several do not
 * begin with a zero (RFC 8259, 6). */
static size_t widen_string(struct kind *kind, const char *line, size_t at, size_t end)
{
    const char *behind = record_skip_plain(kind->line + at + 1, kind->line + end);
    const size_t quote = (size_t)(behind - kind->line);

    if (quote >= end || *behind != '"') {
        return end; /* one with an escape: rare enough to be walked along */
    }
    if (memcmp(kind->line + at, line + at, quote - at) != 0) {
        memset(kind->may + at + 1, RECORD_MAY_PLAIN, quote - at - 1);
    }
    return quote + 1;
}

static size_t widen_digits(struct kind *kind, const char *line, size_t at, size_t end)
{
    const size_t count = count_digits(kind->line + at, end - at);

    if (memcmp(kind->line + at, line + at, count) != 0) {
        memset(kind->may + at, RECORD_MAY_DIGIT, count);
        kind->may[at] = count > 1 ? RECORD_MAY_FIRST_DIGIT : RECORD_MAY_DIGIT;
    }
    return at + count;
}

/* The strings and numbers of an array, or the one number. */
static void widen_items(struct kind *kind, const char *line, size_t at, size_t end)
{
    while (at < end) {
        const char byte = kind->line[at];
        at = byte == '"'                  ? widen_string(kind, line, at, end)
             : byte >= '0' && byte <= '9' ? widen_digits(kind, line, at, end)
                                          : at + 1;
    }
}

/* From now on the value may be any plain string, or any number, of its length; or an array of such
 * ones, as an identity has: it is another one for each user. */
static void widen_leaf(struct kind *kind, const struct record_leaf *leaf, const char *line)
{
    const char *old = kind->line + leaf->start;
    const size_t length = leaf->end - leaf->start;

    if (memcmp(old, line + leaf->start, length) == 0) {
        return;
    }
    if (old[0] == '"') {
        memset(kind->may + leaf->start + 1, RECORD_MAY_PLAIN, length - 2);
    } else {
        widen_items(kind, line, leaf->start, leaf->end);
    }
}

/* NULL: the kind does not have it. */
static const struct known_field *watched_field(const struct record_kinds *kinds,
                                               const struct kind *kind, size_t i)
{
    uint16_t place = kind->place[kinds->watch[i]];

    return place == 0 ? NULL : &kind->fields[place - 1];
}

/* The line is like the kind's and has its values at the same places. */
static void widen(struct record_kinds *kinds, struct kind *kind, const char *line)
{
    for (size_t i = 0; i < kind->leaf_count; i++) {
        widen_leaf(kind, &kind->leaves[i], line);
    }
    record_layout_make(&kind->layout, kind->line, kind->may);
    kinds->listed++;
    for (size_t i = 0; i < kinds->watch_count; i++) {
        const struct known_field *field = watched_field(kinds, kind, i);
        kind->watched_differs |= field != NULL && !is_fixed(kind, field->start, field->end);
    }
}

/* Does a field that is watched have other bytes in the line? */
static bool watched_differs(const struct record_kinds *kinds, const struct kind *kind,
                            const char *line)
{
    for (size_t i = 0; i < kinds->watch_count; i++) {
        const struct known_field *field = watched_field(kinds, kind, i);
        if (field != NULL && memcmp(kind->line + field->start, line + field->start,
                                    field->end - field->start) != 0) {
            return true;
        }
    }
    return false;
}

/* ---- other places -----------------------------------------------------------------------------
 */

/* Steps *leaf to the value that the difference at old position `at` is in. A number or word may go
 * on behind its end in the new line. NULL: the difference is in no value. */
static const struct record_leaf *leaf_at(const struct kind *kind, uint32_t at, size_t *leaf)
{
    while (*leaf < kind->leaf_count && kind->leaves[*leaf].end < at) {
        ++*leaf;
    }
    if (*leaf == kind->leaf_count || kind->leaves[*leaf].start > at) {
        return NULL;
    }
    return &kind->leaves[(*leaf)++];
}

/* Behind the value that begins at `at`, or NULL. Most are strings without escapes. */
static const char *value_end(const char *at, const char *end, unsigned depth)
{
    if (*at == '"') {
        const char *quote = record_skip_plain(at + 1, end);
        if (quote < end && *quote == '"') {
            return quote + 1;
        }
    }
    return record_scan_leaf(at, end, depth);
}

/* True when the line is of this kind. Each value is scanned once at the most, so that a line costs
 * no more than twice its length. */
static bool follow_kind(struct record_kinds *kinds, const struct kind *kind, const char *line,
                        size_t length)
{
    const char *end = line + length;
    size_t old = 0, now = 0, leaf = 0;
    int64_t by = 0;

    kinds->walks++;
    kinds->diffs = kinds->shift_count = 0;
    for (;;) {
        size_t left =
            kind->layout.length - old < length - now ? kind->layout.length - old : length - now;
        size_t same = same_length(kind->line + old, line + now, left);
        old += same;
        now += same;
        if (old == kind->layout.length && now == length) {
            return true;
        }
        const struct record_leaf *value = leaf_at(kind, (uint32_t)old, &leaf);
        if (value == NULL) {
            return false;
        }
        const char *start = line + now - (old - value->start);
        const char *behind = start < end ? value_end(start, end, value->depth) : NULL;
        if (behind == NULL) {
            return false;
        }
        old = value->end;
        now = (size_t)(behind - line);
        kinds->diffs++;
        if ((int64_t)now - (int64_t)old != by) {
            by = (int64_t)now - (int64_t)old;
            kinds->shifts[kinds->shift_count++] = (struct shift){value->end, (int32_t)by};
        }
    }
}

/* WAYS: kinds that a line may be of. A kind that fitted none of the last STALE lines gives its
 * place to a new one. */
enum { WAYS = 16, STALE = 8192 };

/* The part of a line in which its shape is looked at: there stand users, classes and identities. */
enum { SHAPE_FROM = 256, SHAPE_STEP = 64, SHAPE_STEPS = 8, SHAPE_END = 768 };
_Static_assert(SHAPE_FROM + SHAPE_STEPS * SHAPE_STEP == SHAPE_END, "all of it is looked at");

/* Where quotes stand in it, in every fourth 16 bytes. Lines of one kind have them in the same
 * places, and most others do not. */
static uint64_t shape_of(const char *line)
{
    bytes shape = {0};

    for (size_t i = 0; i < SHAPE_STEPS; i++) {
        shape = shape + shape - (bytes)(bytes_at(line + SHAPE_FROM + i * SHAPE_STEP) == '"');
    }
    const wide two = (wide)shape;
    return two[0] * UINT64_C(0x9E3779B97F4A7C15) + two[1] * UINT64_C(0xC2B2AE3D27D4EB4F);
}

/* What is known of a line's kind before it is compared: its length, its shape and a few bytes of
 * its reason, which stands before the hash. Records of one user, class and decision have these in
 * common. A wrong guess costs time only. */
static uint32_t tag_of(const char *line, size_t length)
{
    enum { REASON = 8 + sizeof("\",\"hash\":\"\"}}") - 1 + 64 }; /* from the end */
    uint64_t word = 0;

    if (length >= REASON) {
        memcpy(&word, line + length - REASON, sizeof(word));
    }
    word ^= length >= SHAPE_END ? shape_of(line) >> 20 : 0;
    return (uint32_t)(((word ^ length) * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

/* The first of the kinds that a line with this tag may be of. */
static size_t guess_kind(uint32_t tag)
{
    return (size_t)(tag >> 18) % RECORD_KINDS & ~(size_t)(WAYS - 1);
}

/* Not the bits that the guess has. */
static uint8_t tag_byte(uint32_t tag)
{
    return (uint8_t)tag;
}

/* How much alike they look: of a few places in the middle, where users, classes and identities
 * stand, those with the same bytes; and more than these the fields that are watched. -1: the kind
 * is free. */
static int likeness(const struct record_kinds *kinds, const struct kind *kind, const char *line,
                    size_t length)
{
    enum { PLACES = 8 };

    if (kind->line == NULL) {
        return -1;
    }
    if (kind->layout.length != length) {
        return 0;
    }
    int same = watched_differs(kinds, kind, line) ? 1 : 1 + PLACES;
    if (length < 16 * PLACES) {
        return same;
    }
    for (size_t i = 2; i < PLACES; i++) {
        same += difference_at(kind->line + i * length / PLACES, line + i * length / PLACES) == 0;
    }
    return same;
}

static bool is_stale(const struct record_kinds *kinds, const struct kind *kind)
{
    return kinds->lines - kind->fitted > STALE;
}

/* Of those from guess on, the one that a new line replaces: what fitted longest ago when it is
 * stale, so that no more are remembered than there are in use; else a free one. */
static struct kind *learn_place(struct record_kinds *kinds, size_t guess)
{
    struct kind *list = &kinds->list[guess], *oldest = NULL, *unused = NULL;

    for (size_t i = 0; i < WAYS; i++) {
        if (list[i].line == NULL) {
            unused = unused == NULL ? &list[i] : unused;
        } else if (oldest == NULL ||
                   kinds->lines - list[i].fitted > kinds->lines - oldest->fitted) {
            oldest = &list[i];
        }
    }
    return oldest == NULL || (unused != NULL && !is_stale(kinds, oldest)) ? unused : oldest;
}

/* Whether a line that is like a kind may be learnt all the same. */
static bool has_room(const struct record_kinds *kinds, struct kind *place)
{
    if (place->line != NULL && !is_stale(kinds, place)) {
        return false;
    }
    return place->pass == 0 || place->pass-- == 0;
}

/* Fits the line to the kind of this number. */
static bool try_kind(struct record_kinds *kinds, size_t at, const char *line, size_t length)
{
    struct kind *kind = &kinds->list[at];

    if (kind->line == NULL || !follow_kind(kinds, kind, line, length)) {
        return false;
    }
    kinds->last = at;
    kinds->line = line;
    kinds->length = length;
    return true;
}

/* The two of the guess that look most like it. */
static void choose_kinds(const struct record_kinds *kinds, size_t guess, const char *line,
                         size_t length, size_t ret_kinds[2])
{
    int best = -1, second = -1;

    ret_kinds[0] = ret_kinds[1] = guess;
    for (size_t i = guess; i < guess + WAYS; i++) {
        int same = likeness(kinds, &kinds->list[i], line, length);
        if (same > best) {
            second = best;
            ret_kinds[1] = ret_kinds[0];
            best = same;
            ret_kinds[0] = i;
        } else if (same > second) {
            second = same;
            ret_kinds[1] = i;
        }
    }
}

static void note_fit(struct record_kinds *kinds, struct kind *kind)
{
    kind->used = true;
    kind->fitted = kinds->lines;
    kind->passes = 0;
}

static uint64_t load_tags(const struct record_kinds *kinds, size_t at)
{
    uint64_t tags;

    memcpy(&tags, &kinds->tags[at], sizeof(tags));
    return le64toh(tags);
}

static bool try_same(struct record_kinds *kinds, size_t at, const char *line, size_t length)
{
    struct kind *kind = &kinds->list[at];

    if (kind->layout.length != length || kind->layout.block_count == 0 ||
        !record_layout_fits(&kind->layout, line)) {
        return false;
    }
    kinds->last = at;
    kinds->line = line;
    kinds->length = length;
    kinds->diffs = kinds->shift_count = 0;
    note_fit(kinds, kind);
    return true;
}

/* Of the kinds of the guess, one whose line has its values where this line has them. */
static bool like_same(struct record_kinds *kinds, uint32_t tag, const char *line, size_t length)
{
    const size_t guess = guess_kind(tag);

    const uint64_t ones = UINT64_C(0x0101010101010101);

    for (size_t i = 0; i < WAYS; i += sizeof(uint64_t)) {
        uint64_t found = load_tags(kinds, guess + i) ^ ones * tag_byte(tag);
        /* The high bit of each byte that was the same, and perhaps of some above it. */
        found = (found - ones) & ~found & ones << 7;
        for (; found != 0; found &= found - 1) {
            if (try_same(kinds, guess + i + (size_t)(__builtin_ctzll(found) >> 3), line, length)) {
                return true;
            }
        }
    }
    return false;
}

/* What was found by follow_kind(), with all values where the kind has them. False:
 * record_parse_new() is to learn the line, since one that is watched differs. */
static bool take_same(struct record_kinds *kinds, struct kind *place, const char *line)
{
    struct kind *kind = &kinds->list[kinds->last];

    if (watched_differs(kinds, kind, line) && has_room(kinds, place)) {
        return false;
    }
    note_fit(kinds, kind);
    widen(kinds, kind, line);
    return true;
}

/* By its tag the line may be of these kinds. *ret_fits: it is like one. False: of none, or
 * record_parse_new() is to learn it. */
static bool like_other(struct record_kinds *kinds, uint32_t tag, const char *line, size_t length,
                       bool *ret_fits)
{
    const size_t guess = guess_kind(tag);
    struct kind *place = learn_place(kinds, guess);
    size_t chosen[2], fits = RECORD_KINDS, walked = RECORD_KINDS;

    choose_kinds(kinds, guess, line, length, chosen);
    for (size_t i = 0; i < 2 && (i == 0 || chosen[1] != chosen[0]); i++) {
        if (fits != RECORD_KINDS && kinds->list[chosen[i]].layout.length != length) {
            break; /* it has its values elsewhere, too */
        }
        walked = chosen[i];
        if (try_kind(kinds, walked, line, length)) {
            *ret_fits = true;
            fits = walked;
            if (kinds->length == kinds->list[fits].layout.length && kinds->shift_count == 0) {
                return take_same(kinds, place, line);
            }
        }
    }
    if (fits == RECORD_KINDS || has_room(kinds, place) ||
        (walked != fits && !try_kind(kinds, fits, line, length))) {
        return false;
    }
    note_fit(kinds, &kinds->list[fits]);
    return true;
}

/* ---- the next line ----------------------------------------------------------------------------
 */

_Static_assert(RECORD_KIND_LINE <= UINT16_MAX && RECORD_KINDS <= UINT16_MAX, "struct guess");

static struct guess *guesses_of(struct record_kinds *kinds, const char *line)
{
    const uint64_t shape = shape_of(line);
    return kinds->guesses[(shape >> 32 ^ shape >> 48) % GUESSES];
}

/* The line was of the kind that fitted last, and no guess said so. */
static void note_guess(struct record_kinds *kinds, const char *line, size_t length)
{
    if (length < SHAPE_END) {
        return;
    }
    struct guess *guesses = guesses_of(kinds, line);
    memmove(guesses + 1, guesses, (GUESS_WAYS - 1) * sizeof(*guesses));
    guesses[0] = (struct guess){(uint16_t)kinds->last, (uint16_t)length};
}

bool record_like_next(struct record_kinds *kinds, const char *text, size_t most, size_t *ret_length)
{
    if (kinds == NULL || most < SHAPE_END) {
        return false;
    }
    const struct guess *guesses = guesses_of(kinds, text);

    for (size_t i = 0; i < GUESS_WAYS; i++) {
        const size_t length = guesses[i].length;
        if (length > 0 && length < most && text[length] == '\n' &&
            try_same(kinds, guesses[i].kind, text, length)) {
            kinds->lines++;
            kinds->same = true;
            *ret_length = length;
            return true;
        }
    }
    return false;
}

/* While lines of that tag are not learnt, the kind that fitted last is tried, too. */
bool record_like(struct record_kinds *kinds, const char *line, size_t length)
{
    if (kinds == NULL || length > RECORD_KIND_LINE) {
        return false;
    }
    const uint32_t tag = tag_of(line, length);
    const size_t last = kinds->last;
    bool fits = false;

    kinds->lines++;
    kinds->same = like_same(kinds, tag, line, length);
    if (kinds->same) {
        note_guess(kinds, line, length);
    }
    if (kinds->same || like_other(kinds, tag, line, length, &fits)) {
        return true;
    }
    struct kind *place = learn_place(kinds, guess_kind(tag));
    if (fits || place->pass == 0) {
        return false; /* record_parse_new() learns it */
    }
    place->pass--;
    return last / WAYS != guess_kind(tag) / WAYS && try_kind(kinds, last, line, length);
}

/* ---- answers ---------------------------------------------------------------------------------
 */

/* What each record has of its own: no answer would hold for a second one. */
static bool differs_always(enum record_field field)
{
    return field == RECORD_TIMESTAMP || field == RECORD_SEQUENCE || field == RECORD_EVENT_ID ||
           field == RECORD_HASH;
}

static void watch_field(struct record_kinds *kinds, enum record_field field)
{
    const uint8_t *needs;

    kinds->watch[kinds->watch_count++] = (uint8_t)field;
    for (size_t k = record_complete_needs(field, &needs); k > 0; k--) {
        kinds->watch[kinds->watch_count++] = needs[k - 1];
    }
}

/* What follows from others is watched by these, too (record_complete.h). */
void record_kinds_watch(struct record_kinds *kinds, const struct record_fields_wanted *watch)
{
    bool watches = kinds != NULL && !watch->line;

    for (size_t i = 0; i < watch->count; i++) {
        watches = watches && !differs_always(watch->list[i]);
    }
    if (!watches) {
        return;
    }
    watch_field(kinds, RECORD_FORMAT);
    for (size_t i = 0; i < watch->count; i++) {
        watch_field(kinds, watch->list[i]);
    }
}

uint8_t *record_like_answer(struct record_kinds *kinds)
{
    struct kind *kind = &kinds->list[kinds->last];

    return kinds->watch_count > 0 && kinds->same && !kind->watched_differs ? &kind->answer : NULL;
}

/* ---- fields ----------------------------------------------------------------------------------
 */

/* Where an old position is in the new line. Positions come in ascending order; *at is the first
 * shift that is not passed. A value ends where its shift begins. */
static const char *shifted(const struct record_kinds *kinds, uint32_t position, size_t *at)
{
    while (*at < kinds->shift_count && kinds->shifts[*at].from <= position) {
        ++*at;
    }
    return kinds->line + position + (*at > 0 ? kinds->shifts[*at - 1].by : 0);
}

/* The end of an object lies further on than the starts of its members. */
static struct slice field_slice(const struct record_kinds *kinds, const struct known_field *field,
                                size_t *at)
{
    const char *start = shifted(kinds, field->start, at);
    size_t behind = *at;
    const char *end = shifted(kinds, field->end, &behind);

    return (struct slice){start, (size_t)(end - start)};
}

void record_like_bare(const struct record_kinds *kinds, struct record *ret_record)
{
    const struct kind *kind = &kinds->list[kinds->last];
    size_t at = 0;

    memset(ret_record, 0, sizeof(*ret_record));
    ret_record->line = kinds->line;
    ret_record->length = kinds->length;
    for (size_t i = 0; i < kind->field_count; i++) {
        ret_record->field[kind->fields[i].field] = field_slice(kinds, &kind->fields[i], &at);
    }
}

void record_like_all(const struct record_kinds *kinds, struct record *ret_record)
{
    record_like_bare(kinds, ret_record);
    record_complete(ret_record);
}

static void like_one(const struct record_kinds *kinds, uint32_t field, struct record *ret_record)
{
    const struct kind *kind = &kinds->list[kinds->last];
    uint16_t place = kind->place[field];
    size_t at = 0;

    ret_record->field[field] =
        place == 0 ? (struct slice){NULL, 0} : field_slice(kinds, &kind->fields[place - 1], &at);
}

/* The fields that may follow from others: what these are first, since one of them may be wanted
 * itself. */
static void like_completed(const struct record_kinds *kinds,
                           const struct record_fields_wanted *wanted, struct record *ret_record)
{
    const uint8_t *needs;

    like_one(kinds, RECORD_FORMAT, ret_record);
    if (!record_leaves_out(ret_record)) {
        return;
    }
    for (size_t i = 0; i < wanted->count; i++) {
        for (size_t k = record_complete_needs(wanted->list[i], &needs); k > 0; k--) {
            like_one(kinds, needs[k - 1], ret_record);
        }
    }
    for (size_t i = 0; i < wanted->count; i++) {
        if (record_completes(wanted->list[i])) {
            record_complete_field(ret_record, wanted->list[i]);
        }
    }
}

/* Most are asked for in the order of the line: a field that stands before the last one is searched
 * from the first shift again. */
void record_like_some(const struct record_kinds *kinds, const struct record_fields_wanted *wanted,
                      struct record *ret_record)
{
    const struct kind *kind = &kinds->list[kinds->last];

    uint16_t before = 0;
    size_t at = 0;

    ret_record->line = kinds->line;
    ret_record->length = kinds->length;
    for (size_t i = 0; i < wanted->count; i++) {
        uint16_t place = kind->place[wanted->list[i]];
        if (place == 0) {
            ret_record->field[wanted->list[i]] = (struct slice){NULL, 0};
            continue;
        }
        at = place < before ? 0 : at;
        before = place;
        ret_record->field[wanted->list[i]] = field_slice(kinds, &kind->fields[place - 1], &at);
    }
    like_completed(kinds, wanted, ret_record);
}

/* ---- learning --------------------------------------------------------------------------------
 */

/* In the order of their starts. An insertion: fields stand in the order of their numbers but for
 * few. */
static void add_field(struct kind *kind, const struct record *record, uint32_t field)
{
    const struct slice *slice = &record->field[field];
    struct known_field added = {(uint32_t)(slice->at - record->line),
                                (uint32_t)(slice->at + slice->length - record->line),
                                (uint8_t)field};
    size_t at = kind->field_count++;

    for (; at > 0 && kind->fields[at - 1].start > added.start; at--) {
        kind->fields[at] = kind->fields[at - 1];
    }
    kind->fields[at] = added;
}

static size_t count_fields(const struct record *record)
{
    size_t count = 0;

    for (size_t i = 0; i < RECORD_FIELD_COUNT; i++) {
        count += record->field[i].at != NULL;
    }
    return count;
}

/* A log goes on to other lines, as its numbers get longer: those that came before must not stay
 * beside them for ever. A few kinds are looked at for each line that is learnt. One that no line
 * was like stays, since it counts passes. */
static void forget_stale(struct record_kinds *kinds)
{
    enum { LOOKED_AT = 32 };

    for (size_t i = 0; i < LOOKED_AT; i++) {
        struct kind *kind = &kinds->list[kinds->hand];
        kinds->hand = (kinds->hand + 1) % RECORD_KINDS;
        if (kind->line != NULL && kind->used && is_stale(kinds, kind)) {
            free_kind(kind);
            *kind = (struct kind){0};
        }
    }
}

/* Lines that are like no other must not cost more than to parse them: while none fits what was
 * learnt, more and more of them are passed. Without memory the line is not remembered. */
static void learn(struct record_kinds *kinds, const struct record *record)
{
    enum { MOST_PASSES = 256 };
    const struct record_leaves *leaves = &kinds->leaves;
    const uint32_t tag = tag_of(record->line, record->length);
    forget_stale(kinds);
    struct kind *kind = learn_place(kinds, guess_kind(tag));
    uint32_t passes = kind->line == NULL || kind->used     ? 0
                      : 2 * kind->passes + 1 > MOST_PASSES ? MOST_PASSES
                                                           : 2 * kind->passes + 1;
    size_t leaf_bytes = leaves->count * sizeof(struct record_leaf);
    size_t field_bytes = count_fields(record) * sizeof(struct known_field);
    size_t block_bytes = record_layout_blocks(record->length) * sizeof(uint16_t);

    free_kind(kind);
    *kind = (struct kind){
        .leaves = base_alloc(1, leaf_bytes + field_bytes + block_bytes + 2 * record->length),
        .fitted = kinds->lines,
        .passes = passes,
        .pass = passes};
    if (kind->leaves == NULL) {
        return;
    }
    kind->fields = (struct known_field *)((char *)kind->leaves + leaf_bytes);
    kind->layout.blocks = (uint16_t *)((char *)kind->fields + field_bytes);
    kind->line = (char *)kind->layout.blocks + block_bytes;
    kind->may = (uint8_t *)kind->line + record->length;
    memcpy(kind->leaves, leaves->list, leaf_bytes);
    memcpy(kind->line, record->line, record->length);
    kind->leaf_count = leaves->count;
    kind->layout.length = (uint32_t)record->length;
    for (uint32_t i = 0; i < RECORD_FIELD_COUNT; i++) {
        if (record->field[i].at != NULL) {
            add_field(kind, record, i);
        }
    }
    for (size_t i = 0; i < kind->field_count; i++) {
        kind->place[kind->fields[i].field] = (uint16_t)(i + 1);
    }
    kinds->last = (size_t)(kind - kinds->list);
    kinds->tags[kinds->last] = tag_byte(tag);
}

const char *record_parse_new_bare(struct record_kinds *kinds, const char *line, size_t length,
                                  struct record *ret_record, size_t *ret_offset)
{
    if (kinds == NULL || length > RECORD_KIND_LINE ||
        learn_place(kinds, guess_kind(tag_of(line, length)))->pass > 0 ||
        !record_parse_leaves(line, length, ret_record, &kinds->leaves)) {
        return record_parse_bare(line, length, ret_record, ret_offset);
    }
    learn(kinds, ret_record);
    return NULL;
}

const char *record_parse_new(struct record_kinds *kinds, const char *line, size_t length,
                             struct record *ret_record, size_t *ret_offset)
{
    const char *fault = record_parse_new_bare(kinds, line, length, ret_record, ret_offset);

    if (fault == NULL) {
        record_complete(ret_record);
    }
    return fault;
}

const char *record_parse_like(struct record_kinds *kinds, const char *line, size_t length,
                              struct record *ret_record, size_t *ret_offset)
{
    if (record_like(kinds, line, length)) {
        record_like_all(kinds, ret_record);
        return NULL;
    }
    return record_parse_new(kinds, line, length, ret_record, ret_offset);
}
