/* SPDX-License-Identifier: MIT */
/* Dates for the timestamps of records, written and read, and for those of the MI API. */
#include "base/civil.h"

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_of_year(unsigned year)
{
    return is_leap(year) ? 366 : 365;
}

unsigned civil_days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

int64_t civil_days(unsigned year, unsigned month, unsigned day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t past = (int64_t)year - 1;
    int64_t days = past * 365 + past / 4 - past / 100 + past / 400 - 719162;

    return days + before[month - 1] + (month > 2 && is_leap(year)) + day - 1;
}

/* Starts at 2000 where it can: the loop over years is what costs, and nearly every date is later.
 * The upper bound keeps the loop short for any input. */
struct civil_date civil_date(uint64_t days_since_1970)
{
    const uint64_t days_to_2000 = 10957, days_to_10000 = 2932897;
    uint64_t days = days_since_1970 < days_to_10000 ? days_since_1970 : days_to_10000 - 1;
    struct civil_date date = {1970, 1, 1};

    if (days >= days_to_2000) {
        days -= days_to_2000;
        date.year = 2000;
    }
    while (days >= days_of_year(date.year)) {
        days -= days_of_year(date.year++);
    }
    while (days >= civil_days_in_month(date.year, date.month)) {
        days -= civil_days_in_month(date.year, date.month++);
    }
    date.day += (unsigned)days;
    return date;
}
