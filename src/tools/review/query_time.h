/* SPDX-License-Identifier: MIT */
/* Times as people name them: today, 2h (ago), 2026-03-01, 2026-03-01T12:00:00+01:00. */
#ifndef TOOLS_REVIEW_QUERY_TIME_H
#define TOOLS_REVIEW_QUERY_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* The words that query_time() knows, ended with NULL, for completion. */
extern const char *const query_time_words[];

/*
 * The first and the last nanosecond of what text names: of a day, a minute, a second, or twice the
 * same for a moment. A time without a zone is local. A number with s, m, h, d or w is that long
 * before now; weeks begin on Monday (ISO 8601). False when it is no time. now: nanoseconds since
 * 1970. Reads the time zone (TZ).
 */
bool query_time(const char *text, int64_t now, int64_t *ret_first, int64_t *ret_last);

#endif
