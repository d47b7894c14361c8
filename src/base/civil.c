/* SPDX-License-Identifier: MIT */
/* Dates for the timestamps of records, written and read, and for those of the MI API. */
#include "base/civil.h"

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
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

/* A year that begins in March has its leap day at the end, so that 153 days are five months
 * wherever they begin (31 30 31 30 31), and the years of 400 are a cycle of 146,097 days. No loop:
 * each record has the date twice or more. */
struct civil_date civil_date(uint64_t days_since_1970)
{
    enum { DAYS_TO_10000 = 2932897, FROM_MARCH_0 = 719468, CYCLE = 146097 };
    const unsigned day =
        (unsigned)(days_since_1970 < DAYS_TO_10000 ? days_since_1970 : DAYS_TO_10000 - 1) +
        FROM_MARCH_0;
    const unsigned in_cycle = day % CYCLE;
    /* 1460, 36524: days after which a year of 366 days and a century's missing one are behind. */
    const unsigned year =
        (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / (CYCLE - 1)) / 365;
    const unsigned in_year = in_cycle - (365 * year + year / 4 - year / 100);
    const unsigned month = (5 * in_year + 2) / 153; /* 0 is March */

    return (struct civil_date){
        .year = day / CYCLE * 400 + year + (month >= 10 ? 1 : 0),
        .month = month < 10 ? month + 3 : month - 9,
        .day = in_year - (153 * month + 2) / 5 + 1,
    };
}
