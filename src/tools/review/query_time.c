/* SPDX-License-Identifier: MIT */
/* Reads times as people write them, for the conditions of query.c. */
#include "tools/review/query_time.h"
#include "tools/review/record.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SECOND INT64_C(1000000000)

/* ---- words ------------------------------------------------------------------------------------
 */

/*
 * A span of the calendar is found with struct tm and mktime(3), never by adding 86,400 seconds: a
 * day has 23 or 25 hours when summer time begins or ends.
 */

/* How long what a word names lasts. MOMENT has no length. */
enum span { MOMENT, DAY, WEEK, MONTH, YEAR };

/* The word: days before today, and how long it lasts. */
static const struct {
    const char *word;
    enum span span;
    int days_ago;
} spans[] = {
    {"today", DAY, 0},      {"yesterday", DAY, 1},    {"week-ago", DAY, 7},
    {"this-week", WEEK, 0}, {"this-month", MONTH, 0}, {"this-year", YEAR, 0},
};

/* For --help and completion. word_time() must know each of them. */
const char *const query_time_words[] = {"now",       "recent",   "boot",      "today",
                                        "yesterday", "week-ago", "this-week", "this-month",
                                        "this-year", NULL};

/* Midnight of a local day; mktime(3) sets right what is beyond a month, and finds whether summer
 * time is in force then. */
static int64_t midnight(struct tm day)
{
    day.tm_hour = day.tm_min = day.tm_sec = 0;
    day.tm_isdst = -1;
    return (int64_t)mktime(&day) * SECOND;
}

/* first is any local time inside of the span; the result is its first and its last nanosecond.
 * tm_wday is 0 on Sunday, so Monday is (wday + 6) % 7 days back. */
static void span_times(struct tm first, enum span span, int64_t *ret_first, int64_t *ret_last)
{
    if (span == WEEK) {
        first.tm_mday -= (first.tm_wday + 6) % 7;
    } else if (span == MONTH || span == YEAR) {
        first.tm_mday = 1;
        first.tm_mon = span == YEAR ? 0 : first.tm_mon;
    }
    struct tm after = first;
    after.tm_mday += span == DAY ? 1 : span == WEEK ? 7 : 0;
    after.tm_mon += span == MONTH;
    after.tm_year += span == YEAR;
    *ret_first = midnight(first);
    *ret_last = midnight(after) - 1;
}

/* The difference of two clocks, so that a clock that was set since is right today and wrong for the
 * past, like every stamp in the log. */
static int64_t boot_time(int64_t now)
{
    struct timespec since;

    clock_gettime(CLOCK_BOOTTIME, &since); /* also counts while the machine sleeps */
    return now - (since.tv_sec * SECOND + since.tv_nsec);
}

/* "recent" is ten minutes ago, as in ausearch(8). */
static bool word_time(const char *text, int64_t now, int64_t *ret_first, int64_t *ret_last)
{
    static const char *const moments[] = {"now", "recent", "boot"};
    const int64_t times[] = {now, now - 600 * SECOND, boot_time(now)};
    time_t seconds = (time_t)(now / SECOND);
    struct tm today;

    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        if (strcasecmp(text, moments[i]) == 0) {
            *ret_first = *ret_last = times[i];
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        if (strcasecmp(text, spans[i].word) == 0) {
            localtime_r(&seconds, &today);
            today.tm_mday -= spans[i].days_ago;
            span_times(today, spans[i].span, ret_first, ret_last);
            return true;
        }
    }
    return false;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

/* "2h": that long before now. False also for a time before 1970, which no record has. */
static bool duration(const char *text, int64_t now, int64_t *ret_moment)
{
    static const char units[] = "smhdw";
    static const int64_t lengths[] = {1, 60, 3600, 86400, 604800};
    int64_t nanoseconds;
    char *end = NULL;

    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    long long count = strtoll(text, &end, 10); /* LLONG_MAX beyond it, which overflows below */
    const char *unit = *end == '\0' ? NULL : strchr(units, tolower((unsigned char)*end));
    if (unit == NULL || end[1] != '\0' ||
        __builtin_mul_overflow(count, lengths[unit - units] * SECOND, &nanoseconds) ||
        nanoseconds > now) {
        return false;
    }
    *ret_moment = now - nanoseconds;
    return true;
}

/* "2026-03-01" and what of the time follows, made whole with `:00`; the length of what is named. A
 * fraction counts as a moment of one nanosecond's length. False for anything else: a year alone, or
 * a time alone, could mean several things. */
static bool complete(const char *text, char whole[64], int64_t *ret_length)
{
    static const struct {
        const char *form, *rest;
        int64_t length;
    } forms[] = {
        {"dddd-dd-dd", "T00:00:00", 0}, /* a day, which summer time may make longer or shorter */
        {"dddd-dd-ddTdd:dd", ":00", 60 * SECOND},
        {"dddd-dd-ddTdd:dd:dd", "", SECOND},
    };

    size_t fits = 0, end = strspn(text, "0123456789-:Tt ");
    if (end > 10) { /* a zone may begin with - as well */
        end = 11 + strspn(text + 11, "0123456789:");
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        size_t length = strlen(forms[i].form);
        bool good = length == end;
        for (size_t k = 0; good && k < length; k++) {
            char c = text[k], want = forms[i].form[k];
            good = want == 'd'   ? isdigit((unsigned char)c) != 0
                   : want == 'T' ? strchr("Tt ", c) != NULL
                                 : c == want;
        }
        if (good) {
            fits =
                (size_t)snprintf(whole, 64, "%.*s%s%s", (int)end, text, forms[i].rest, text + end);
            *ret_length = text[end] == '.' ? 1 : forms[i].length;
        }
    }
    return fits > 0 && fits < 64;
}

/* whole is a time without a zone; as UTC it gives the calendar day and hour that are local. */
static bool local_time(char whole[64], bool day, int64_t *ret_first, int64_t *ret_last)
{
    int64_t utc = 0;
    struct tm local;

    strcat(whole, "Z");
    if (!record_parse_time(whole, strlen(whole), &utc)) {
        return false;
    }
    time_t seconds = (time_t)(utc / SECOND);
    gmtime_r(&seconds, &local);
    if (day) {
        span_times(local, DAY, ret_first, ret_last);
        return true;
    }
    local.tm_isdst = -1;
    *ret_first = (int64_t)mktime(&local) * SECOND + utc % SECOND;
    return true;
}

/* Exactly one of the two ways sets *ret_first: local_time() without a zone, record_parse_time()
 * with one. whole[19] is behind the seconds. */
static bool calendar_time(const char *text, int64_t *ret_first, int64_t *ret_last)
{
    char whole[64 + 2];
    int64_t length = 0;

    if (!complete(text, whole, &length)) {
        return false;
    }
    bool zone = whole[19 + strspn(whole + 19, ".0123456789")] != '\0';
    if (!zone && !local_time(whole, length == 0, ret_first, ret_last)) {
        return false;
    }
    if (zone && !record_parse_time(whole, strlen(whole), ret_first)) {
        return false;
    }
    if (length > 0) {
        *ret_last = *ret_first + length - 1;
    } else if (zone) {
        *ret_last = *ret_first + 86400 * SECOND - 1;
    }
    return true;
}

/* Outputs stay as they were when the text is not a time. */
bool query_time(const char *text, int64_t now, int64_t *ret_first, int64_t *ret_last)
{
    int64_t first = 0, last = 0;

    if (duration(text, now, &first)) {
        last = first;
    } else if (!word_time(text, now, &first, &last) && !calendar_time(text, &first, &last)) {
        return false;
    }
    *ret_first = first;
    *ret_last = last;
    return true;
}
