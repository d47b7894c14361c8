/* SPDX-License-Identifier: MIT */
/*
 * Events over time. Buckets begin where a unit of local time begins; each is named by the instant
 * of its beginning, so that the hour that comes twice when summer time ends is two buckets. Offsets
 * from UTC are whole minutes, and every unit is a part of the next: buckets can be merged.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "tools/review/report.h"

/* Indexed by enum report_unit. label is for strftime(3), as exact as the unit. */
static const struct {
    const char *name;
    int64_t seconds; /* about: months and years go by the calendar */
    const char *label;
} units[] = {
    [REPORT_MINUTE] = {"minute", 60, "%Y-%m-%d %H:%M"},
    [REPORT_TEN_MINUTES] = {"10 minutes", 600, "%Y-%m-%d %H:%M"},
    [REPORT_HOUR] = {"hour", 3600, "%Y-%m-%d %H:%M"},
    [REPORT_SIX_HOURS] = {"6 hours", 21600, "%Y-%m-%d %H:%M"},
    [REPORT_DAY] = {"day", 86400, "%Y-%m-%d"},
    [REPORT_MONTH] = {"month", 2592000, "%Y-%m"},
    [REPORT_YEAR] = {"year", 31536000, "%Y"},
};

const char *report_unit_name(enum report_unit unit)
{
    return units[unit].name;
}

/* The zone is that of the reader (TZ), as in all visible times. */
static struct tm local_time(int64_t seconds)
{
    time_t time = (time_t)seconds;
    struct tm local = {0};

    localtime_r(&time, &local);
    return local;
}

/* The first instant of that local time; mktime() fills in what summer time does to it. */
static int64_t instant(struct tm local)
{
    local.tm_isdst = -1;
    return (int64_t)mktime(&local);
}

/* Within a day every unit is a part of the same hour: local minutes are counted back. */
static int64_t floor_part(int64_t seconds, const struct tm *local, int64_t width)
{
    return seconds - (local->tm_hour * 3600 + local->tm_min * 60 + local->tm_sec) % width;
}

/* A time that summer time skips could begin later than the second itself; the second stands for it
 * then, so that no bucket begins behind its events. */
int64_t report_floor(enum report_unit unit, int64_t seconds)
{
    struct tm local = local_time(seconds);

    if (unit <= REPORT_HOUR) {
        return floor_part(seconds, &local, units[unit].seconds);
    }
    local.tm_sec = local.tm_min = 0;
    local.tm_hour = unit == REPORT_SIX_HOURS ? local.tm_hour / 6 * 6 : 0;
    /* The first day of the month, and for a year the first month as well. */
    local.tm_mday = unit >= REPORT_MONTH ? 1 : local.tm_mday;
    local.tm_mon = unit >= REPORT_YEAR ? 0 : local.tm_mon;
    int64_t start = instant(local);
    return start > seconds ? seconds : start;
}

/* Always later than start, so that report_step() ends. */
int64_t report_next(enum report_unit unit, int64_t start)
{
    struct tm local = local_time(start);

    if (unit <= REPORT_HOUR) {
        return start + units[unit].seconds;
    }
    local.tm_hour += unit == REPORT_SIX_HOURS ? 6 : 0;
    local.tm_mday += unit == REPORT_DAY ? 1 : 0;
    local.tm_mon += unit == REPORT_MONTH ? 1 : 0;
    local.tm_year += unit == REPORT_YEAR ? 1 : 0;
    int64_t next = instant(local);
    return next > start ? next : start + units[unit].seconds;
}

/* Local time, without zone: report_zone() stands once beside the table. */
void report_bucket_label(struct text *text, enum report_unit unit, int64_t start)
{
    struct tm local = local_time(start);
    char label[64];

    strftime(label, sizeof(label), units[unit].label, &local);
    text_append(text, label);
}

/* The name comes from TZ, which the caller may set to anything; it is escaped. */
void report_zone(struct text *text, int64_t seconds)
{
    struct tm local = local_time(seconds);
    char label[64];

    strftime(label, sizeof(label), "%Z", &local);
    export_string(text, EXPORT_TERMINAL, label);
    long minutes = local.tm_gmtoff / 60;
    text_format(text, " (UTC%c%02ld:%02ld)", minutes < 0 ? '-' : '+', labs(minutes) / 60,
                labs(minutes) % 60);
}

/* ---- adding ----------------------------------------------------------------------------------*/

/*
 * Buckets are an ascending array of fixed size. When a new one finds no room, all are merged into
 * the next unit, which at least halves a dense timeline.
 */

/* The same as in report.c: both files add counts of four members. */
static void add_count(struct report_count *to, const struct report_count *from)
{
    to->refused += from->refused;
    to->would += from->would;
    to->allowed += from->allowed;
    to->other += from->other;
}

/* Merges the buckets into the next coarser unit, in place: each bucket falls into one of the
 * coarser ones as a whole. */
static void coarsen(struct report_timeline *timeline)
{
    uint32_t kept = 0;

    timeline->unit++;
    for (uint32_t i = 0; i < timeline->count; i++) {
        struct report_bucket bucket = timeline->buckets[i];
        bucket.start = report_floor(timeline->unit, bucket.start);
        if (kept > 0 && timeline->buckets[kept - 1].start == bucket.start) {
            add_count(&timeline->buckets[kept - 1].count, &bucket.count);
            timeline->buckets[kept - 1].lost += bucket.lost;
        } else {
            timeline->buckets[kept++] = bucket;
        }
    }
    timeline->count = kept;
}

/* The bucket that begins there, or where it belongs. */
static uint32_t find_bucket(const struct report_timeline *timeline, int64_t start)
{
    uint32_t low = 0, high = timeline->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (timeline->buckets[middle].start < start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* report_floor() of the unit at hand. Offsets from UTC are whole minutes, so it is the same for all
 * seconds of a minute of UTC, and records come many in a minute. */
static int64_t floor_of(struct report_timeline *timeline, int64_t seconds)
{
    int64_t minute = (seconds - (seconds % 60 + 60) % 60) / 60;

    if (!timeline->asked || timeline->minute != minute) {
        timeline->minute = minute;
        timeline->start = report_floor(timeline->unit, seconds);
        /* Else a time that summer time skips: see report_floor(). */
        timeline->asked = timeline->start <= minute * 60;
    }
    return timeline->start;
}

/* Coarsens until there is room. With years full, which needs 4,096 of them, the events are counted
 * as outside. False out of memory. */
bool report_time_add(struct report_timeline *timeline, int64_t seconds,
                     const struct report_count *count, uint64_t lost)
{
    if (timeline->buckets == NULL) {
        timeline->buckets = base_alloc(REPORT_BUCKETS, sizeof(*timeline->buckets));
        if (timeline->buckets == NULL) {
            return false;
        }
    }
    int64_t start = floor_of(timeline, seconds);
    uint32_t at = find_bucket(timeline, start);
    /* A new bucket is needed and all are in use. */
    while ((at == timeline->count || timeline->buckets[at].start != start) &&
           timeline->count == REPORT_BUCKETS) {
        if (timeline->unit == REPORT_YEAR) {
            timeline->outside += report_sum(count);
            return true;
        }
        coarsen(timeline);
        timeline->asked = false;
        start = floor_of(timeline, seconds);
        at = find_bucket(timeline, start);
    }
    struct report_bucket *bucket = &timeline->buckets[at];
    if (at == timeline->count || bucket->start != start) {
        /* Records come nearly in order, so this moves little. */
        memmove(bucket + 1, bucket, (timeline->count - at) * sizeof(*bucket));
        *bucket = (struct report_bucket){.start = start};
        timeline->count++;
    }
    add_count(&bucket->count, count);
    bucket->lost += lost;
    return true;
}

/* ---- reading ---------------------------------------------------------------------------------*/

/* By the length of the range; months and years by their usual length, which is near enough for a
 * limit. */
enum report_unit report_fitting(const struct report_timeline *timeline, uint32_t most)
{
    enum report_unit unit = timeline->unit;

    if (timeline->count == 0) {
        return unit;
    }
    int64_t range = timeline->buckets[timeline->count - 1].start - timeline->buckets[0].start;
    while (unit < REPORT_YEAR && range / units[unit].seconds + 1 > (int64_t)most) {
        unit++;
    }
    return unit;
}

/* Buckets of the timeline are never coarser than steps->unit, so each lies in one step. */
bool report_step(const struct report_timeline *timeline, struct report_steps *steps)
{
    if (steps->at >= timeline->count) {
        return false;
    }
    int64_t start = steps->begun ? report_next(steps->unit, steps->bucket.start)
                                 : report_floor(steps->unit, timeline->buckets[0].start);
    int64_t end = report_next(steps->unit, start);
    steps->begun = true;
    steps->bucket = (struct report_bucket){.start = start};
    while (steps->at < timeline->count && timeline->buckets[steps->at].start < end) {
        add_count(&steps->bucket.count, &timeline->buckets[steps->at].count);
        steps->bucket.lost += timeline->buckets[steps->at].lost;
        steps->at++;
    }
    return true;
}
