/* SPDX-License-Identifier: MIT */
/*
 * Reads `when` of a rule and `at` of a test: days, hours, dates and moments.
 *
 * All times are UTC unless `zone` gives an offset: the rules of summer time are in files that a
 * privileged process would have to read, and that change.
 */
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "policy/schema.h"

enum { DAY_SECONDS = 24 * 60 * 60, FIRST_YEAR = 2024, LAST_YEAR = 2200, MOST_ZONE = 14 * 60 };

/* Exactly so many digits, and within the bounds. */
static bool read_digits(const char **text, size_t count, unsigned least, unsigned most,
                        unsigned *ret_number)
{
    unsigned number = 0;

    for (size_t i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9') {
            return false;
        }
        number = number * 10 + (unsigned)(**text - '0');
    }
    *ret_number = number;
    return number >= least && number <= most;
}

static bool read_char(const char **text, char wanted)
{
    bool there = **text == wanted;

    *text += there;
    return there;
}

/* "08:30"; 24:00 is the end of the day. */
static bool read_minute(const char **text, unsigned *ret_minute)
{
    unsigned hour, minute;

    if (!read_digits(text, 2, 0, 24, &hour) || !read_char(text, ':') ||
        !read_digits(text, 2, 0, 59, &minute) || (hour == 24 && minute != 0)) {
        return false;
    }
    *ret_minute = hour * 60 + minute;
    return true;
}

/* "2026-03-01", as its first second. */
static bool read_day(const char **text, int64_t *ret_seconds)
{
    unsigned year, month, day;

    if (!read_digits(text, 4, FIRST_YEAR, LAST_YEAR, &year) || !read_char(text, '-') ||
        !read_digits(text, 2, 1, 12, &month) || !read_char(text, '-') ||
        !read_digits(text, 2, 1, civil_days_in_month(year, month), &day)) {
        return false;
    }
    *ret_seconds = civil_days(year, month, day) * DAY_SECONDS;
    return true;
}

/* "Z", "+01:00" or "-05:30". */
static bool read_offset(const char **text, int *ret_minutes)
{
    unsigned minutes;
    bool east = **text == '+';

    if (read_char(text, 'Z')) {
        *ret_minutes = 0;
        return true;
    }
    if ((!read_char(text, '+') && !read_char(text, '-')) || !read_minute(text, &minutes) ||
        minutes > MOST_ZONE) {
        return false;
    }
    *ret_minutes = east ? (int)minutes : -(int)minutes;
    return true;
}

/* ---- the keys of when ------------------------------------------------------------------------ */

static const struct schema_word day_words[] = {
    {"sun", 1 << 0}, {"mon", 1 << 1}, {"tue", 1 << 2}, {"wed", 1 << 3},
    {"thu", 1 << 4}, {"fri", 1 << 5}, {"sat", 1 << 6}, {NULL, 0},
};

static void read_days(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_times *times = target;
    times->days = (uint8_t)schema_read_word_set(reader, node, "day", day_words);
}

static void read_hours(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_times *times = target;
    const char *text = schema_read_text(reader, node, "time of day"), *at = text;
    unsigned first, last;

    if (text == NULL) {
        return;
    }
    if (!read_minute(&at, &first) || !read_char(&at, '-') || !read_minute(&at, &last) ||
        *at != '\0' || first == last) {
        schema_value_error(reader, node,
                           "\"%s\" is not a time of day from one to another; write it as in "
                           "08:00-18:30",
                           text);
        return;
    }
    times->has_hours = true;
    times->first = (uint16_t)first;
    times->last = (uint16_t)last;
}

static bool read_date(const struct reader *reader, const struct node *node, int64_t *ret_seconds)
{
    const char *text = schema_read_text(reader, node, "date"), *at = text;

    if (text == NULL) {
        return false;
    }
    if (!read_day(&at, ret_seconds) || *at != '\0') {
        schema_value_error(reader, node,
                           "\"%s\" is not a date from %d on; write it as in 2026-12-31", text,
                           FIRST_YEAR);
        return false;
    }
    return true;
}

static void read_from(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_times *times = target;
    (void)read_date(reader, node, &times->from);
}

/* That day belongs to it. */
static void read_until(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_times *times = target;

    if (read_date(reader, node, &times->until)) {
        times->until += DAY_SECONDS;
    }
}

static void read_zone(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_times *times = target;
    const char *text = schema_read_text(reader, node, "zone"), *at = text;
    int minutes;

    if (text == NULL) {
        return;
    }
    if (!read_offset(&at, &minutes) || *at != '\0') {
        schema_value_error(reader, node, "\"%s\" is not an offset from UTC; write it as in +01:00",
                           text);
        return;
    }
    times->zone = (int16_t)minutes;
}

void schema_read_times(const struct reader *reader, const struct node *node,
                       struct draft_times *ret_times)
{
    static const struct schema_key keys[] = {
        {"days", false, read_days},   {"hours", false, read_hours}, {"from", false, read_from},
        {"until", false, read_until}, {"zone", false, read_zone},   {NULL, false, NULL},
    };
    size_t before = reader->load->errors->errors;
    struct draft_times *times = ret_times;

    schema_read_map(reader, node, "when", keys, times);
    if (reader->load->errors->errors != before) {
        return;
    }
    if (times->days == 0 && !times->has_hours && times->from == 0 && times->until == 0) {
        schema_value_error(reader, node, "when lacks days, hours, from or until");
    }
    if (times->until != 0 && times->from >= times->until) {
        schema_value_error(reader, node, "when never comes: until is before from");
    }
    times->from -= times->from != 0 ? times->zone * 60 : 0;
    times->until -= times->until != 0 ? times->zone * 60 : 0;
}

bool schema_read_moment(const struct reader *reader, const struct node *node, int64_t *ret_moment)
{
    const char *text = schema_read_text(reader, node, "time"), *at = text;
    unsigned minute, second = 0;
    int64_t day;
    int zone;

    if (text == NULL) {
        return false;
    }
    bool good = read_day(&at, &day) && read_char(&at, 'T') && read_minute(&at, &minute) &&
                (!read_char(&at, ':') || read_digits(&at, 2, 0, 59, &second)) &&
                read_offset(&at, &zone) && *at == '\0';
    if (!good) {
        schema_value_error(reader, node,
                           "\"%s\" is not a time; write it as in 2026-03-01T12:00:00Z", text);
        return false;
    }
    *ret_moment = day + minute * 60 + second - zone * 60;
    return true;
}
