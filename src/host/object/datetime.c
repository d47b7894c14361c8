/* SPDX-License-Identifier: MIT */
/*
 * Which datetimes are possible, in one place for what is read from a text and for what a caller
 * sets.
 */
#include "host/object/object.h"

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
