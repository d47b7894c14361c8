/* SPDX-License-Identifier: MIT */
/* Dates of the Gregorian calendar, extended to the time before its introduction (proleptic). Months
 * and days count from 1. gmtime_r(3) is not used: it takes a lock of the C library. */
#ifndef BASE_CIVIL_H
#define BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

struct civil_date {
    unsigned year, month, day;
};

unsigned civil_days_in_month(unsigned year, unsigned month);

/* Days from 1970-01-01 to a date. */
int64_t civil_days(unsigned year, unsigned month, unsigned day);

/* The date that many days after 1970-01-01; 9999-12-31 for every later day. */
struct civil_date civil_date(uint64_t days_since_1970);

#endif
