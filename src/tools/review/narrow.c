/* SPDX-License-Identifier: MIT */
/*
 * Samples a file and says which part of it can hold what is asked for, for read.c.
 *
 * narrow_look() reads the end of the file, which says how far it is in order (slack_of()), and the
 * record that comes first behind each multiple of the grain (sample), and looks whether they are.
 * narrow_refine() takes more samples between two of them, by halves, where the range of what is
 * asked for begins and ends; for a process that is one of several in the log, of its own records
 * (add_of_process). narrow_range() then takes the samples before and behind: the guarantee of
 * narrow.h says what can stand between.
 *
 * Most of the time goes into samples, and most of theirs into the page cache: so one is a page,
 * and begins where a page begins.
 */
#include "tools/review/narrow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tools/review/record_like.h"

const struct narrow_bounds narrow_all = {.last = UINT64_MAX,
                                         .start = INT64_MIN,
                                         .end = INT64_MAX,
                                         .numbers = NARROW_NUMBERS,
                                         .to = UINT64_MAX,
                                         .last_file = SIZE_MAX};

/* For all samples. */
struct narrow_sampler {
    int fd; /* of the file that is looked at */
    struct record_kinds *kinds;
    char *buffer;
};

/* FIRST: the rest of a record and one that is whole, in most logs. SECOND, THIRD:
 * RECORD_ORDER_EVERY records, in most, and in those of before. MOST: more than the longest line,
 * and the rest of one before it. FINER: how many samples narrow_refine() may add. */
enum {
    FIRST = 4096,
    SECOND = 16 * 1024,
    THIRD = 64 * 1024,
    MOST = 2 * RECORD_MAX_LINE + FIRST,
    FINER = 256
};

static const struct record_fields_wanted mark_fields = {
    .list = {RECORD_TIMESTAMP, RECORD_EVENT_ID, RECORD_SEQUENCE, RECORD_CHAIN, RECORD_ORDER_SINCE,
             RECORD_ORDER_LATE},
    .count = 6};

/* What the end of a file says of its order: of the records of a chain from a number on, each is at
 * most so many nanoseconds older than any before it. since 0: nothing. */
struct end_order {
    uint64_t chain, since;
    int64_t late;
};

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

/* Sums that stay within what a time can be. */
static int64_t later(int64_t time, int64_t by)
{
    int64_t sum;
    return __builtin_add_overflow(time, by, &sum) ? INT64_MAX : sum;
}

static int64_t earlier(int64_t time, int64_t by)
{
    int64_t difference;
    return __builtin_sub_overflow(time, by, &difference) ? INT64_MIN : difference;
}

/* 0: it stands in none. */
static uint64_t chain_of(const struct record *record)
{
    char text[24] = "";

    return record_text(record, RECORD_CHAIN, text, sizeof(text)) == 16 ? strtoull(text, NULL, 16)
                                                                       : 0;
}

/* since stays 0 where the record does not say it. */
static void read_order(const struct record *record, struct end_order *order)
{
    uint64_t late;

    *order = (struct end_order){.chain = chain_of(record)};
    if (order->chain != 0 && record_number(record, RECORD_ORDER_LATE, &late) &&
        record_number(record, RECORD_ORDER_SINCE, &order->since)) {
        order->late = late <= INT64_MAX / 1000000 ? (int64_t)late * 1000000 : INT64_MAX;
    }
}

/* False: no record, or not one that has its place. order: NULL, or what it says. */
static bool read_mark_line(struct narrow_sampler *look, const char *line, size_t length,
                           struct narrow_mark *ret_mark, struct end_order *ret_order)
{
    struct record record;
    size_t at;

    if (record_like(look->kinds, line, length)) {
        record_like_some(look->kinds, &mark_fields, &record);
    } else if (record_parse_new(look->kinds, line, length, &record, &at) != NULL) {
        return false;
    }
    read_id(&record, ret_mark);
    ret_mark->chain = chain_of(&record);
    if (ret_order != NULL) {
        read_order(&record, ret_order);
    }
    return record_number(&record, RECORD_SEQUENCE, &ret_mark->sequence) &&
           record_time(&record, RECORD_TIMESTAMP, &ret_mark->time);
}

/* The first record whose line begins behind offset, in the next `size` bytes. Only whole lines: the
 * last one may be in the middle of being written. */
static bool sample_within(struct narrow_sampler *look, uint64_t offset, size_t size,
                          struct narrow_mark *ret_mark)
{
    ssize_t got = read_at(look->fd, look->buffer, size, offset);
    char *end = look->buffer + (got > 0 ? got : 0), *at = look->buffer;

    if (offset > 0) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at != NULL ? at + 1 : end;
    }
    for (char *newline; at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL;
         at = newline + 1) {
        struct narrow_mark mark = {.offset = offset + (uint64_t)(at - look->buffer)};
        if (read_mark_line(look, at, (size_t)(newline - at), &mark, NULL)) {
            *ret_mark = mark;
            return true;
        }
    }
    return false;
}

/* Most are found in the first bytes. */
static bool sample(struct narrow_sampler *look, uint64_t offset, struct narrow_mark *ret_mark)
{
    return sample_within(look, offset, FIRST, ret_mark) ||
           sample_within(look, offset, SECOND, ret_mark) ||
           sample_within(look, offset, MOST, ret_mark);
}

/* The end of a file, from its last record backwards to the one that says the order. */
struct end_of_file {
    struct narrow_mark last;
    size_t records; /* so many were met */
    struct end_order order;
    int64_t lowest; /* of their times */
};

/* False: it is the one that says the order, or there can be none before it any more. Records behind
 * it are compared with each other, and with the highest time that may stand before them. */
static bool go_back_over(struct end_of_file *end, const struct narrow_mark *mark,
                         const struct end_order *said)
{
    int64_t highest = said->since != 0 ? later(mark->time, said->late) : mark->time;
    int64_t late = said->since != 0 ? said->late : 0;

    if (end->records++ == 0) {
        end->last = *mark;
        end->lowest = INT64_MAX;
    }
    late = highest > end->lowest && earlier(highest, end->lowest) > late
               ? earlier(highest, end->lowest)
               : late;
    end->order.late = late > end->order.late ? late : end->order.late;
    end->lowest = mark->time < end->lowest ? mark->time : end->lowest;
    end->order.chain = said->chain;
    end->order.since = said->since;
    return said->since == 0 && end->records < RECORD_ORDER_EVERY;
}

/* Of the records that begin in the last `size` bytes of a file of that length. False: another one
 * may have to be looked at before them. */
static bool end_within(struct narrow_sampler *look, uint64_t length, size_t size,
                       struct end_of_file *ret_end)
{
    uint64_t start = length > size ? length - size : 0;
    ssize_t got = read_at(look->fd, look->buffer, size, start);
    const char *begin = look->buffer, *end = got > 0 ? begin + got : begin;

    *ret_end = (struct end_of_file){.records = 0};
    end = memrchr(begin, '\n', (size_t)(end - begin));
    while (end != NULL && end > begin) {
        const char *before = memrchr(begin, '\n', (size_t)(end - begin));
        if (before == NULL && start > 0) {
            return false; /* the line begins earlier */
        }
        const char *at = before != NULL ? before + 1 : begin;
        struct narrow_mark mark = {.offset = start + (uint64_t)(at - begin)};
        struct end_order said;
        if (read_mark_line(look, at, (size_t)(end - at), &mark, &said) &&
            !go_back_over(ret_end, &mark, &said)) {
            return true;
        }
        end = before;
    }
    return start == 0;
}

/* What is behind the last multiple of the grain would otherwise be seen by no sample. */
static void look_at_end(struct narrow_sampler *look, uint64_t length, struct end_of_file *ret_end)
{
    static const size_t sizes[] = {SECOND, THIRD, MOST};

    for (int i = 0; i < 3 && !end_within(look, length, sizes[i], ret_end); i++) {
    }
}

/* What is said counts where it speaks of the first record, too. */
static int64_t slack_of(const struct narrow_mark *first, const struct end_of_file *end)
{
    const struct end_order *order = &end->order;

    return order->since != 0 && order->since <= first->sequence && order->chain == first->chain
               ? order->late
               : NARROW_SLACK * INT64_C(1000000000);
}

/* Compared with all before it. highest: their highest time. */
static bool in_order(const struct narrow_mark *before, const struct narrow_mark *mark,
                     int64_t highest, int64_t slack)
{
    return mark->sequence > before->sequence && mark->time >= earlier(highest, slack);
}

/* False: it is not in order. A line may be met twice: by two multiples of the grain when it is a
 * long one, and as the last. */
static bool add_mark(struct narrow_marks *marks, const struct narrow_mark *mark, int64_t *highest)
{
    const struct narrow_mark *before = marks->count > 0 ? &marks->list[marks->count - 1] : NULL;

    if (before != NULL && before->offset >= mark->offset) {
        return true;
    }
    if (before != NULL && !in_order(before, mark, *highest, marks->slack)) {
        return false;
    }
    *highest = mark->time > *highest ? mark->time : *highest;
    marks->list[marks->count++] = *mark;
    return true;
}

/* In the order of the file. False: no record was found, which is right behind the last one, or it
 * is not in order. */
static bool look_at(struct narrow_sampler *look, struct narrow_marks *marks, uint64_t offset,
                    int64_t *highest)
{
    struct narrow_mark mark;

    if (!sample(look, offset, &mark)) {
        marks->ordered = offset > 0 && offset + MOST > marks->size;
        return false;
    }
    marks->ordered = add_mark(marks, &mark, highest);
    return marks->ordered;
}

/* The last records are asked for most: behind the last multiple of the grain the samples stand
 * closer and closer. */
static void look_at_all(struct narrow_sampler *look, uint64_t grain, bool closely,
                        struct narrow_marks *marks)
{
    int64_t highest = INT64_MIN;
    struct end_of_file end;
    uint64_t offset = 0;

    look_at_end(look, marks->size, &end);
    marks->ordered = true;
    while (offset < marks->size && look_at(look, marks, offset, &highest)) {
        marks->slack = offset == 0 ? slack_of(&marks->list[0], &end) : marks->slack;
        offset += grain;
    }
    for (uint64_t left = grain; closely && left >= marks->fine && offset >= marks->size;
         left /= 2) {
        if (marks->size > left && !look_at(look, marks, marks->size - left, &highest)) {
            break;
        }
    }
    if (marks->ordered && end.records > 0) {
        marks->ordered = add_mark(marks, &end.last, &highest);
    }
}

struct narrow_sampler *narrow_sampler_new(void)
{
    struct narrow_sampler *look = base_alloc(1, sizeof(*look));

    if (look == NULL) {
        return NULL;
    }
    *look = (struct narrow_sampler){
        .fd = -1, .kinds = record_kinds_new(), .buffer = base_alloc(1, MOST)};
    if (look->buffer == NULL) {
        narrow_sampler_free(look);
        return NULL;
    }
    return look;
}

void narrow_sampler_free(struct narrow_sampler *look)
{
    if (look != NULL) {
        record_kinds_free(look->kinds);
        base_free(look->buffer);
        base_free(look);
    }
}

/* A boundary is looked for as finely in a large log: that takes few samples more. */
bool narrow_look(struct narrow_sampler *look, int fd, uint64_t size, uint64_t all, uint64_t grain,
                 bool closely, struct narrow_marks *ret_marks)
{
    uint64_t fine = grain / NARROW_FINE;

    while (all / grain >= NARROW_MOST) {
        grain *= 2;
    }
    struct narrow_marks marks = {
        .room = size / grain + 3 + FINER, .fd = fd, .size = size, .fine = fine > 0 ? fine : 1};

    marks.list = base_alloc(marks.room, sizeof(*marks.list));
    if (marks.list == NULL) {
        return false;
    }
    look->fd = fd;
    look_at_all(look, grain, closely, &marks);
    *ret_marks = marks;
    return true;
}

void narrow_release(struct narrow_marks *marks)
{
    base_free(marks->list);
    *marks = (struct narrow_marks){0};
}

/* ---- the range -------------------------------------------------------------------------------
 */

/* Everything before the mark comes before what is asked for. */
static bool lies_before(const struct narrow_mark *mark, const struct narrow_bounds *bounds,
                        int64_t slack)
{
    return mark->sequence <= bounds->first ||
           (bounds->start != INT64_MIN && later(mark->time, slack) < bounds->start) ||
           (bounds->entity != 0 && mark->entity == bounds->entity &&
            mark->number + bounds->numbers < bounds->number) ||
           mark->offset <= bounds->from;
}

/* Everything from the mark on comes behind it. */
static bool lies_behind(const struct narrow_mark *mark, const struct narrow_bounds *bounds,
                        int64_t slack)
{
    return mark->sequence > bounds->last ||
           (bounds->end != INT64_MAX && earlier(mark->time, slack) > bounds->end) ||
           (bounds->entity != 0 && mark->entity == bounds->entity &&
            mark->number > bounds->number + bounds->numbers) ||
           mark->offset >= bounds->to;
}

/* Before the returned mark no record is younger than the one at `at`. */
static size_t settled_before(const struct narrow_marks *marks, size_t at)
{
    size_t settled = at;

    while (settled > 0 && later(marks->list[settled].time, marks->slack) >= marks->list[at].time) {
        settled--;
    }
    return settled;
}

/* ---- finer -----------------------------------------------------------------------------------
 */

/* The last mark before what is asked for; 0 without one. *ret_behind: the first one behind it, or
 * count. */
static size_t find_marks(const struct narrow_marks *marks, const struct narrow_bounds *bounds,
                         size_t *ret_behind)
{
    size_t from = 0, i = 0;

    for (; i < marks->count; i++) {
        if (lies_behind(&marks->list[i], bounds, marks->slack)) {
            break;
        }
        from = lies_before(&marks->list[i], bounds, marks->slack) ? i : from;
    }
    *ret_behind = i;
    return from;
}

/* One sample between two. False: they are close enough, or there is no line between them that
 * could be one. */
static bool add_between(struct narrow_sampler *look, struct narrow_marks *marks, size_t at)
{
    struct narrow_mark mark, *one = &marks->list[at], *two = one + 1;

    if (at + 1 >= marks->count || marks->count == marks->room ||
        two->offset - one->offset <= marks->fine ||
        !sample(look, one->offset + (two->offset - one->offset) / 2, &mark) ||
        mark.offset >= two->offset || mark.offset <= one->offset) {
        return false;
    }
    memmove(two + 1, two, (marks->count - at - 1) * sizeof(*two));
    *two = mark;
    marks->count++;
    return true;
}

/* ---- records of one process ----
 */

/* How far behind a place a record of the process is looked for: first in NEAR bytes. AWAY: the
 * same where few are met. REACH, MORE_REACH: how far from its outermost ones all others are taken
 * to be, at first and when nothing was found so. */
enum {
    NEAR = 16 * 1024,
    AWAY = 64 * 1024,
    FAR = 512 * 1024,
    REACH = 2 * FAR,
    MORE_REACH = 512 * FAR,
};
_Static_assert(NEAR <= FAR && (int)FAR <= (int)MOST, "both fit the buffer of a look");

/* The first record of the process whose line begins behind offset, in the next `size` bytes. */
static bool process_within(struct narrow_sampler *look, uint64_t offset, size_t size,
                           uint64_t entity, struct narrow_mark *ret_mark)
{
    char wanted[32]; /* as an id begins */
    const size_t length =
        (size_t)snprintf(wanted, sizeof(wanted), "\"%016llx-", (unsigned long long)entity);
    ssize_t got = read_at(look->fd, look->buffer, size, offset);
    const char *begin = look->buffer, *end = got > 0 ? begin + got : begin, *at = begin;

    while ((at = memmem(at, (size_t)(end - at), wanted, length)) != NULL) {
        const char *before = memrchr(begin, '\n', (size_t)(at - begin));
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            return false;
        }
        const char *line = before != NULL ? before + 1 : begin;
        struct narrow_mark mark = {.offset = offset + (uint64_t)(line - begin)};
        if ((before != NULL || offset == 0) &&
            read_mark_line(look, line, (size_t)(newline - line), &mark, NULL) &&
            mark.entity == entity) {
            *ret_mark = mark;
            return true;
        }
        at = newline;
    }
    return false;
}

bool narrow_first(struct narrow_sampler *look, int fd, uint64_t entity,
                  struct narrow_mark *ret_mark)
{
    look->fd = fd;
    return process_within(look, 0, NEAR, entity, ret_mark) ||
           process_within(look, 0, FAR, entity, ret_mark);
}

static void insert_mark(struct narrow_marks *marks, const struct narrow_mark *mark)
{
    size_t at = marks->count;

    while (at > 0 && marks->list[at - 1].offset > mark->offset) {
        at--;
    }
    memmove(&marks->list[at + 1], &marks->list[at], (marks->count - at) * sizeof(*mark));
    marks->list[at] = *mark;
    marks->count++;
}

static bool has_mark(const struct narrow_marks *marks, uint64_t offset)
{
    for (size_t i = 0; i < marks->count; i++) {
        if (marks->list[i].offset == offset) {
            return true;
        }
    }
    return false;
}

/* A sample of the process that is not known yet, of those that begin in the `size` bytes behind a
 * place and before `high`. */
static bool add_behind(struct narrow_sampler *look, struct narrow_marks *marks, uint64_t offset,
                       uint64_t high, size_t size, uint64_t entity)
{
    const size_t far = high - offset < size ? (size_t)(high - offset) : size;
    const size_t near = far < NEAR ? far : NEAR;
    struct narrow_mark mark;

    if ((!process_within(look, offset, near, entity, &mark) &&
         !process_within(look, offset, far, entity, &mark)) ||
        has_mark(marks, mark.offset)) {
        return false;
    }
    insert_mark(marks, &mark);
    return true;
}

/* A process mostly wrote in a part of the log: ever further from its first sample or, upwards, from
 * its last. */
static bool add_around(struct narrow_sampler *look, struct narrow_marks *marks, uint64_t low,
                       uint64_t high, bool upwards, const struct narrow_bounds *bounds)
{
    const size_t size = bounds->numbers <= NARROW_NEAR ? AWAY : FAR;

    for (uint64_t away = marks->fine; away < high - low; away *= 2) {
        if (add_behind(look, marks, upwards ? low + away : high - away, high, size,
                       bounds->entity)) {
            return true;
        }
    }
    return false;
}

/* One sample of the process between two bytes, by halves: where it has none in the upper half, in
 * the lower one. Where the middle has none near it, which says nothing of where others are, from
 * the end where it has some. False: they are close enough, or it has no sample. */
static bool add_of_process(struct narrow_sampler *look, struct narrow_marks *marks, uint64_t low,
                           uint64_t high, bool upwards, const struct narrow_bounds *bounds)
{
    while (marks->count < marks->room && high - low > marks->fine) {
        const uint64_t middle = low + (high - low) / 2;
        if (add_behind(look, marks, middle, high, FAR, bounds->entity)) {
            return true;
        }
        if (high - middle > FAR) {
            return add_around(look, marks, low, high, upwards, bounds);
        }
        high = middle;
    }
    return false;
}

/* Samples of other processes say nothing of where a number of this one is: only those of its own
 * stand at the boundaries, and between them. The lower boundary or, upwards, the upper one. */
static bool refine_process(struct narrow_sampler *look, struct narrow_marks *marks,
                           const struct narrow_bounds *bounds, bool upwards)
{
    size_t behind, from = find_marks(marks, bounds, &behind), first, last;

    if (behind == 0) {
        return false; /* the process wrote its number before this file */
    }
    if (upwards) {
        for (last = behind - 1; last > from && marks->list[last].entity != bounds->entity;) {
            last--;
        }
        uint64_t upper = behind < marks->count ? marks->list[behind].offset : marks->size;
        return add_of_process(look, marks, marks->list[last].offset, upper, true, bounds);
    }
    for (first = from + 1; first < behind && marks->list[first].entity != bounds->entity;) {
        first++;
    }
    uint64_t end = first < marks->count ? marks->list[first].offset : marks->size;
    return add_of_process(look, marks, marks->list[from].offset, end, false, bounds);
}

/* Whether all are in order with those that came between. */
static bool still_ordered(const struct narrow_marks *marks)
{
    int64_t highest = INT64_MIN;

    for (size_t i = 0; i < marks->count; i++) {
        if (i > 0 && !in_order(&marks->list[i - 1], &marks->list[i], highest, marks->slack)) {
            return false;
        }
        highest = marks->list[i].time > highest ? marks->list[i].time : highest;
    }
    return true;
}

/* The boundaries are asked for anew after each sample, which is one of them then or not. */
void narrow_refine(struct narrow_sampler *look, struct narrow_marks *marks,
                   const struct narrow_bounds *bounds, bool merged)
{
    bool more = bounds->entity == 0;
    size_t behind = 0;

    if (!marks->ordered || marks->count == 0) {
        return;
    }
    look->fd = marks->fd;
    for (int upwards = 0; bounds->entity != 0 && upwards <= 1; upwards++) {
        while (refine_process(look, marks, bounds, upwards == 1)) {
        }
    }
    while (more) {
        size_t from = find_marks(marks, bounds, &behind);
        size_t settled = merged ? settled_before(marks, from) : from;
        more = (from > 0 && add_between(look, marks, from)) ||
               (behind < marks->count && behind > 0 && add_between(look, marks, behind - 1)) ||
               (settled > 0 && settled < from && add_between(look, marks, settled));
    }
    marks->ordered = still_ordered(marks);
}

/* Where a process has written at all, as far as its samples show: before the first and behind the
 * last of them, little is left to look at. */
static void limit_to_process(const struct narrow_marks *marks, const struct narrow_bounds *bounds,
                             uint64_t *from, uint64_t *to)
{
    const uint64_t reach = bounds->numbers <= NARROW_NEAR ? REACH : MORE_REACH;
    uint64_t first = UINT64_MAX, last = 0;

    for (size_t i = 0; i < marks->count; i++) {
        if (marks->list[i].entity == bounds->entity) {
            first = first == UINT64_MAX ? marks->list[i].offset : first;
            last = marks->list[i].offset;
        }
    }
    if (first == UINT64_MAX) {
        *from = *to = 0;
        return;
    }
    *from = first > reach && first - reach > *from ? first - reach : *from;
    *to = last + reach < *to ? last + reach : *to;
}

void narrow_range(const struct narrow_marks *marks, const struct narrow_bounds *bounds, bool merged,
                  uint64_t *ret_from, uint64_t *ret_to)
{
    size_t behind;

    *ret_from = 0;
    *ret_to = UINT64_MAX;
    if (!marks->ordered || marks->count == 0) {
        return;
    }
    size_t from = find_marks(marks, bounds, &behind);
    *ret_to = behind < marks->count ? marks->list[behind].offset : UINT64_MAX;
    from = merged ? settled_before(marks, from) : from;
    /* What stands in front of the first record is no record, and is reported. */
    *ret_from = from > 0 ? marks->list[from].offset : 0;
    if (bounds->entity != 0) {
        limit_to_process(marks, bounds, ret_from, ret_to);
    }
}
