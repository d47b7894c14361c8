/* SPDX-License-Identifier: MIT */
/*
 * Samples a file and says which part of it can hold what is asked for, for read.c.
 *
 * narrow_look() reads the record that comes first behind each multiple of the grain (sample) and
 * looks whether they are in order. narrow_range() then takes the samples before and behind: the
 * guarantee of narrow.h says what can stand between.
 */
#include "tools/review/narrow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tools/review/record_like.h"

#define SLACK (NARROW_SLACK * INT64_C(1000000000))

const struct narrow_bounds narrow_all = {
    .last = UINT64_MAX, .start = INT64_MIN, .end = INT64_MAX, .to = UINT64_MAX};

/* For all samples of a file. */
struct look {
    int fd;
    struct record_kinds *kinds;
    char *buffer;
};

/* FIRST: two or three records. MOST: more than the longest line, and the rest of one before it. */
enum { FIRST = 8 * 1024, MOST = 2 * RECORD_MAX_LINE + FIRST };

/* Less than was asked for is the end of the file; -1: it cannot be read. */
static ssize_t read_at(int fd, char *buffer, size_t size, uint64_t offset)
{
    size_t have = 0;
    ssize_t got;

    do {
        got = pread(fd, buffer + have, size - have, (off_t)(offset + have));
        have += got > 0 ? (size_t)got : 0;
    } while (have < size && (got > 0 || (got < 0 && errno == EINTR)));
    return got < 0 ? -1 : (ssize_t)have;
}

/* 16 hexadecimal digits, "-" and a number; else both stay 0. */
static void read_id(const struct record *record, struct narrow_mark *mark)
{
    char id[64], *end = NULL;
    size_t length = record_text(record, RECORD_EVENT_ID, id, sizeof(id));

    if (length < 18 || length >= sizeof(id) || id[16] != '-') {
        return;
    }
    uint64_t entity = strtoull(id, &end, 16);
    if (end == id + 16) {
        mark->entity = entity;
        mark->number = strtoull(id + 17, NULL, 10);
    }
}

/* False: no record, or not one that has its place. */
static bool read_mark_line(struct look *look, const char *line, size_t length,
                           struct narrow_mark *ret_mark)
{
    struct record record;
    size_t at;

    if (record_like(look->kinds, line, length)) {
        record_like_all(look->kinds, &record);
    } else if (record_parse_new(look->kinds, line, length, &record, &at) != NULL) {
        return false;
    }
    read_id(&record, ret_mark);
    return record_number(&record, RECORD_SEQUENCE, &ret_mark->sequence) &&
           record_time(&record, RECORD_TIMESTAMP, &ret_mark->time);
}

/* The first record whose line begins at offset or behind, in the next `size` bytes. Only whole
 * lines: the last one may be in the middle of being written. */
static bool sample_within(struct look *look, uint64_t offset, size_t size,
                          struct narrow_mark *ret_mark)
{
    uint64_t before = offset > 0 ? offset - 1 : 0;
    ssize_t got = read_at(look->fd, look->buffer, size, before);
    char *end = look->buffer + (got > 0 ? got : 0), *at = look->buffer;

    if (offset > 0) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at != NULL ? at + 1 : end;
    }
    for (char *newline; at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL;
         at = newline + 1) {
        struct narrow_mark mark = {.offset = before + (uint64_t)(at - look->buffer)};
        if (read_mark_line(look, at, (size_t)(newline - at), &mark)) {
            *ret_mark = mark;
            return true;
        }
    }
    return false;
}

/* Most are found in the first bytes. */
static bool sample(struct look *look, uint64_t offset, struct narrow_mark *ret_mark)
{
    return sample_within(look, offset, FIRST, ret_mark) ||
           sample_within(look, offset, MOST, ret_mark);
}

/* The last record that begins in the last `size` bytes of a file of that length. */
static bool last_within(struct look *look, uint64_t length, size_t size,
                        struct narrow_mark *ret_mark)
{
    uint64_t start = length > size ? length - size : 0;
    ssize_t got = read_at(look->fd, look->buffer, size, start);
    const char *begin = look->buffer, *end = got > 0 ? begin + got : begin;

    end = memrchr(begin, '\n', (size_t)(end - begin));
    while (end != NULL && end > begin) {
        const char *before = memrchr(begin, '\n', (size_t)(end - begin));
        if (before == NULL && start > 0) {
            return false; /* the line begins earlier */
        }
        const char *at = before != NULL ? before + 1 : begin;
        struct narrow_mark mark = {.offset = start + (uint64_t)(at - begin)};
        if (read_mark_line(look, at, (size_t)(end - at), &mark)) {
            *ret_mark = mark;
            return true;
        }
        end = before;
    }
    return false;
}

/* What is behind the last multiple of the grain would otherwise be seen by no sample. */
static bool sample_last(struct look *look, uint64_t length, struct narrow_mark *ret_mark)
{
    return last_within(look, length, FIRST, ret_mark) || last_within(look, length, MOST, ret_mark);
}

/* Compared with all before it. highest: their highest time. */
static bool in_order(const struct narrow_mark *before, const struct narrow_mark *mark,
                     int64_t highest)
{
    return mark->sequence > before->sequence && mark->time >= highest - SLACK;
}

/* False: it is not in order. A line may be met twice: by two multiples of the grain when it is a
 * long one, and as the last. */
static bool add_mark(struct narrow_marks *marks, const struct narrow_mark *mark, int64_t *highest)
{
    const struct narrow_mark *before = marks->count > 0 ? &marks->list[marks->count - 1] : NULL;

    if (before != NULL && before->offset >= mark->offset) {
        return true;
    }
    if (before != NULL && !in_order(before, mark, *highest)) {
        return false;
    }
    *highest = mark->time > *highest ? mark->time : *highest;
    marks->list[marks->count++] = *mark;
    return true;
}

static void look_at_all(struct look *look, uint64_t size, uint64_t grain,
                        struct narrow_marks *marks)
{
    int64_t highest = INT64_MIN;
    struct narrow_mark mark;

    marks->ordered = true;
    for (uint64_t offset = 0; offset < size && marks->ordered; offset += grain) {
        if (sample(look, offset, &mark)) {
            marks->ordered = add_mark(marks, &mark, &highest);
        } else {
            /* Behind the last record there may be none. */
            marks->ordered = offset > 0 && offset + MOST > size;
            break;
        }
    }
    if (marks->ordered && sample_last(look, size, &mark)) {
        marks->ordered = add_mark(marks, &mark, &highest);
    }
}

bool narrow_look(int fd, uint64_t size, uint64_t grain, struct narrow_marks *ret_marks)
{
    while (size / grain >= NARROW_MOST) {
        grain *= 2;
    }
    struct look look = {.fd = fd, .kinds = record_kinds_new(), .buffer = base_alloc(1, MOST)};
    struct narrow_marks marks = {.list = base_alloc(size / grain + 3, sizeof(*marks.list))};
    bool good = look.buffer != NULL && marks.list != NULL;

    if (good) {
        look_at_all(&look, size, grain, &marks);
        *ret_marks = marks;
    } else {
        base_free(marks.list);
    }
    record_kinds_free(look.kinds);
    base_free(look.buffer);
    return good;
}

void narrow_release(struct narrow_marks *marks)
{
    base_free(marks->list);
    *marks = (struct narrow_marks){0};
}

/* ---- the range -------------------------------------------------------------------------------
 */

/* Everything before the mark comes before what is asked for. */
static bool lies_before(const struct narrow_mark *mark, const struct narrow_bounds *bounds)
{
    return mark->sequence <= bounds->first ||
           (bounds->start != INT64_MIN && mark->time + SLACK < bounds->start) ||
           (bounds->entity != 0 && mark->entity == bounds->entity &&
            mark->number + NARROW_NUMBERS < bounds->number) ||
           mark->offset <= bounds->from;
}

/* Everything from the mark on comes behind it. */
static bool lies_behind(const struct narrow_mark *mark, const struct narrow_bounds *bounds)
{
    return mark->sequence > bounds->last ||
           (bounds->end != INT64_MAX && mark->time - SLACK > bounds->end) ||
           (bounds->entity != 0 && mark->entity == bounds->entity &&
            mark->number > bounds->number + NARROW_NUMBERS) ||
           mark->offset >= bounds->to;
}

/* Before the returned mark no record is younger than the one at `at`. */
static size_t settled_before(const struct narrow_marks *marks, size_t at)
{
    size_t settled = at;

    while (settled > 0 && marks->list[settled].time + SLACK >= marks->list[at].time) {
        settled--;
    }
    return settled;
}

void narrow_range(const struct narrow_marks *marks, const struct narrow_bounds *bounds, bool merged,
                  uint64_t *ret_from, uint64_t *ret_to)
{
    size_t from = 0;

    *ret_from = 0;
    *ret_to = UINT64_MAX;
    if (!marks->ordered || marks->count == 0) {
        return;
    }
    for (size_t i = 0; i < marks->count; i++) {
        if (lies_before(&marks->list[i], bounds)) {
            from = i;
        } else if (lies_behind(&marks->list[i], bounds)) {
            *ret_to = marks->list[i].offset;
            break;
        }
    }
    from = merged ? settled_before(marks, from) : from;
    /* What stands in front of the first record is no record, and is reported. */
    *ret_from = from > 0 ? marks->list[from].offset : 0;
}
