/* SPDX-License-Identifier: MIT */
/*
 * Which datetimes are possible, in one place for what is read from a text and for what a caller
 * sets.
 */
#include "host/object/object.h"

#include <stdio.h>

#include "base/civil.h"

/* A day of the calendar, a time of day, and an offset of three digits. */
static bool timestamp_possible(const MI_Timestamp *t)
{
    return t->year <= 9999 && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
           t->day <= civil_days_in_month(t->year, t->month) && t->hour <= 23 && t->minute <= 59 &&
           t->second <= 59 && t->microseconds <= 999999 && t->utc >= -999 && t->utc <= 999;
}

/* Eight digits of days and a time of day. */
static bool interval_possible(const MI_Interval *i)
{
    return i->days <= 99999999 && i->hours <= 23 && i->minutes <= 59 && i->seconds <= 59 &&
           i->microseconds <= 999999;
}

/* isTimestamp chooses the member of the union. */
bool value_datetime_possible(const MI_Datetime *value)
{
    return value->isTimestamp != 0 ? timestamp_possible(&value->u.timestamp)
                                   : interval_possible(&value->u.interval);
}

/* The remainders change nothing: they show the compiler that the digits fit. */
bool value_datetime_text(const MI_Datetime *value, char text[26])
{
    const MI_Timestamp *t = &value->u.timestamp;
    const MI_Interval *i = &value->u.interval;

    text[0] = '\0';
    if (!value_datetime_possible(value)) {
        return false;
    }
    if (value->isTimestamp == 0) {
        snprintf(text, 26, "%08u%02u%02u%02u.%06u:000", i->days % 100000000, i->hours % 24,
                 i->minutes % 60, i->seconds % 60, i->microseconds % 1000000);
        return true;
    }
    unsigned offset = t->utc < 0 ? 0U - (unsigned)t->utc : (unsigned)t->utc;
    snprintf(text, 26, "%04u%02u%02u%02u%02u%02u.%06u%c%03u", t->year % 10000, t->month % 13,
             t->day % 32, t->hour % 24, t->minute % 60, t->second % 60, t->microseconds % 1000000,
             t->utc < 0 ? '-' : '+', offset % 1000);
    return true;
}
