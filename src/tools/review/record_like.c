/* SPDX-License-Identifier: MIT */
/*
 * Parses lines by comparing them with lines of the same kind, for the readers of logs: it takes a
 * tenth of the time of record_parse(). record_like.h has the argument why the result is the same.
 *
 * follow_kind() walks along the old and the new line together and notes how far the new line is
 * shifted behind each value that differed (struct shift); from these the places of all fields
 * follow.
 */
#include "tools/review/record_like.h"

#include "base/alloc.h"
#include "tools/review/record_complete.h"

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

/* A line that was parsed. */
struct kind {
    char *line; /* on the heap; NULL: free */
    uint32_t length;
    bool used;             /* a line fitted since it was learnt */
    uint32_t passes, pass; /* lines that are not learnt in its place: in a row, and of them left */
    size_t leaf_count, field_count;
    struct record_leaf *leaves;         /* in one block with fields and line */
    struct known_field *fields;         /* in the order of their starts */
    uint16_t place[RECORD_FIELD_COUNT]; /* in fields, from 1; 0: the line does not have it */
};

struct record_kinds {
    struct kind list[RECORD_KINDS];
    size_t last; /* the kind that fitted last */
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

void record_kinds_free(struct record_kinds *kinds)
{
    for (size_t i = 0; kinds != NULL && i < RECORD_KINDS; i++) {
        base_free(kinds->list[i].leaves);
    }
    base_free(kinds);
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

static wide wide_at(const char *at)
{
    wide bytes;

    memcpy(&bytes, at, sizeof(bytes));
    return bytes;
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

    kinds->diffs = kinds->shift_count = 0;
    for (;;) {
        size_t left = kind->length - old < length - now ? kind->length - old : length - now;
        size_t same = same_length(kind->line + old, line + now, left);
        old += same;
        now += same;
        if (old == kind->length && now == length) {
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

/* WAYS: kinds that a line may be of. A line that differs from its kind in MANY values is learnt as
 * one of its own, while there is room. */
enum { WAYS = 4, MANY = 9 };

/* The first of the kinds that a line may be of: by its length and a few bytes of its reason, which
 * stands before the hash, since records of one user, class and decision have these in common. A
 * wrong guess costs time only. */
static size_t guess_kind(const char *line, size_t length)
{
    enum { REASON = 8 + sizeof("\",\"hash\":\"\"}}") - 1 + 64 }; /* from the end */
    uint64_t word = 0;

    if (length >= REASON) {
        memcpy(&word, line + length - REASON, sizeof(word));
    }
    return (size_t)(((word ^ length) * UINT64_C(0x9E3779B97F4A7C15)) >> 50) % RECORD_KINDS &
           ~(size_t)(WAYS - 1);
}

/* How much alike they look: of a few places in the middle, where users, classes and identities
 * stand, those with the same bytes. -1: the kind is free. */
static int likeness(const struct kind *kind, const char *line, size_t length)
{
    enum { PLACES = 8 };
    int same = 0;

    if (kind->line == NULL) {
        return -1;
    }
    if (kind->length != length || length < 16 * PLACES) {
        return 0;
    }
    for (size_t i = 2; i < PLACES; i++) {
        same += difference_at(kind->line + i * length / PLACES, line + i * length / PLACES) == 0;
    }
    return same;
}

/* Of those from guess on, the one that a new line replaces. */
static struct kind *learn_place(struct record_kinds *kinds, size_t guess)
{
    struct kind *list = &kinds->list[guess];

    for (size_t i = 0; i < WAYS; i++) {
        if (list[i].line == NULL) {
            return &list[i];
        }
    }
    for (size_t i = 0; i < WAYS; i++) {
        if (!list[i].used) {
            return &list[i];
        }
    }
    return &list[WAYS - 1];
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
        int same = likeness(&kinds->list[i], line, length);
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

/* The guess first; while lines of that guess are not learnt, the kind that fitted last. */
bool record_like(struct record_kinds *kinds, const char *line, size_t length)
{
    if (kinds == NULL || length > RECORD_KIND_LINE) {
        return false;
    }
    size_t guess = guess_kind(line, length), last = kinds->last, chosen[2];
    struct kind *place = learn_place(kinds, guess);
    choose_kinds(kinds, guess, line, length, chosen);
    for (size_t i = 0; i < 2 && (i == 0 || chosen[1] != chosen[0]); i++) {
        if (try_kind(kinds, chosen[i], line, length)) {
            kinds->list[chosen[i]].used = true;
            kinds->list[chosen[i]].passes = 0;
            /* record_parse_new() learns it */
            return kinds->diffs < MANY || place->line != NULL;
        }
    }
    if (place->pass == 0) {
        return false; /* record_parse_new() learns it */
    }
    place->pass--;
    return last / WAYS != guess / WAYS && try_kind(kinds, last, line, length);
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

void record_like_all(const struct record_kinds *kinds, struct record *ret_record)
{
    const struct kind *kind = &kinds->list[kinds->last];
    size_t at = 0;

    memset(ret_record, 0, sizeof(*ret_record));
    ret_record->line = kinds->line;
    ret_record->length = kinds->length;
    for (size_t i = 0; i < kind->field_count; i++) {
        ret_record->field[kind->fields[i].field] = field_slice(kinds, &kind->fields[i], &at);
    }
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

/* Lines that are like no other must not cost more than to parse them: while none fits what was
 * learnt, more and more of them are passed. Without memory the line is not remembered. */
static void learn(struct record_kinds *kinds, const struct record *record)
{
    enum { MOST_PASSES = 256 };
    const struct record_leaves *leaves = &kinds->leaves;
    struct kind *kind = learn_place(kinds, guess_kind(record->line, record->length));
    uint32_t passes = kind->line == NULL || kind->used     ? 0
                      : 2 * kind->passes + 1 > MOST_PASSES ? MOST_PASSES
                                                           : 2 * kind->passes + 1;
    size_t leaf_bytes = leaves->count * sizeof(struct record_leaf);
    size_t field_bytes = RECORD_FIELD_COUNT * sizeof(struct known_field);

    base_free(kind->leaves);
    *kind = (struct kind){.leaves = base_alloc(1, leaf_bytes + field_bytes + record->length),
                          .passes = passes,
                          .pass = passes};
    if (kind->leaves == NULL) {
        return;
    }
    kind->fields = (struct known_field *)((char *)kind->leaves + leaf_bytes);
    kind->line = (char *)kind->fields + field_bytes;
    memcpy(kind->leaves, leaves->list, leaf_bytes);
    memcpy(kind->line, record->line, record->length);
    kind->leaf_count = leaves->count;
    kind->length = (uint32_t)record->length;
    for (uint32_t i = 0; i < RECORD_FIELD_COUNT; i++) {
        if (record->field[i].at != NULL) {
            add_field(kind, record, i);
        }
    }
    for (size_t i = 0; i < kind->field_count; i++) {
        kind->place[kind->fields[i].field] = (uint16_t)(i + 1);
    }
    kinds->last = (size_t)(kind - kinds->list);
}

const char *record_parse_new(struct record_kinds *kinds, const char *line, size_t length,
                             struct record *ret_record, size_t *ret_offset)
{
    if (kinds == NULL || length > RECORD_KIND_LINE ||
        learn_place(kinds, guess_kind(line, length))->pass > 0 ||
        !record_parse_leaves(line, length, ret_record, &kinds->leaves)) {
        return record_parse(line, length, ret_record, ret_offset);
    }
    learn(kinds, ret_record);
    record_complete(ret_record);
    return NULL;
}
