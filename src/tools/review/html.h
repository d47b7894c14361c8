/* SPDX-License-Identifier: MIT */
/*
 * A report as one page of HTML that needs nothing else: no script, no outside resource. It can be
 * mailed, archived and printed. A policy in the page itself (CSP) forbids whatever a hole in the
 * escaping could add.
 */
#ifndef TOOLS_REVIEW_HTML_H
#define TOOLS_REVIEW_HTML_H

#include "tools/review/report.h"

/* now: when it was made, nanoseconds. query: what was asked for, or "" for everything. */
void html_write(struct text *text, const struct report *report, uint32_t top, int64_t now,
                const char *query);

/* ---- the parts ----------------------------------------------------------------------------- */

extern const char html_style[];
void html_timeline(struct text *text, const struct report *report); /* html_timeline.c */
void html_events(struct text *text, const struct report *report);   /* html_events.c */

void html_number(struct text *text, uint64_t number); /* 1,234,567 */
void html_string(struct text *text, const char *string);
void html_field(struct text *text, const struct record *record, enum record_field field);
/* Line i of a ring, 0 the newest, as a record; false when it is not there (any more). */
bool html_ring_record(const struct report_ring *ring, uint64_t i, struct record *ret_record);
/* <section> with its heading; a table in a region that scrolls by itself. */
void html_section(struct text *text, const char *id, const char *title);
void html_table(struct text *text, const char *caption, const char *const *heads);
void html_table_end(struct text *text);

#endif
