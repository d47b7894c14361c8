/* SPDX-License-Identifier: MIT */
/*
 * A report as one page of HTML that needs nothing else: no script, no outside resource. It can be
 * mailed, archived and printed. A policy in the page itself (CSP) forbids whatever a hole in the
 * escaping could add.
 */
#ifndef TOOLS_REVIEW_HTML_H
#define TOOLS_REVIEW_HTML_H

#include "tools/review/report.h"

/* now: when it was made, nanoseconds. query: what was asked for, or "" for everything. top: rows of
 * each list. The text ends with a newline; text->failed when memory is out. */
void html_write(struct text *text, const struct report *report, uint32_t top, int64_t now,
                const char *query);

/* ---- the parts ----------------------------------------------------------------------------- */

/* The head of a page up to the text of its title, and from there to its end. */
void html_head(struct text *text);
void html_head_end(struct text *text);
/* The style sheet; its hash stands in the page's policy. */
extern const char html_style[];
/* The section with the chart and its table. */
void html_timeline(struct text *text, const struct report *report); /* html_timeline.c */
/* One entry for each kind of refusal, with what to do about it. */
void html_kinds(struct text *text, const struct report *report); /* html_kinds.c */
/* Whether the log is intact: the sentence of the summary, and what it rests on. */
void html_verified(struct text *text, const struct report *report); /* html_kinds.c */
/* The sections of single records. */
void html_events(struct text *text, const struct report *report); /* html_events.c */

/* 1234567 as 1,234,567. */
void html_number(struct text *text, uint64_t number); /* 1,234,567 */
/* Escaped for an element or an attribute in double quotes. */
void html_string(struct text *text, const char *string);
/* The field, escaped and isolated by <bdi>; nothing when absent. */
void html_field(struct text *text, const struct record *record, enum record_field field);
/* Line i of a ring, 0 the newest, as a record; false when it is not there (any more). */
bool html_ring_record(const struct report_ring *ring, uint64_t i, struct record *ret_record);
/* <section> with its heading; a table in a region that scrolls by itself. */
void html_section(struct text *text, const char *id, const char *title);
/* heads ends with NULL. A head with "#" in front is that of numbers, one with "!" of what must not
 * be broken. */
void html_table(struct text *text, const char *caption, const char *const *heads);
/* Closes the table and its region. */
void html_table_end(struct text *text);

#endif
