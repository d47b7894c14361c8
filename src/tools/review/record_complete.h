/* SPDX-License-Identifier: MIT */
/*
 * What records leave out since format 3 because other members say it, as fields: so that a search
 * finds a record by it without making the full form of each (record_expand.h). Fields then point to
 * constant text, or to the value that says the same; some of these have no quotes. Objects are not
 * added.
 */
#ifndef TOOLS_REVIEW_RECORD_COMPLETE_H
#define TOOLS_REVIEW_RECORD_COMPLETE_H

#include "model/record_derived.h"
#include "tools/review/record.h"

/* All of them. Nothing for a record of another format. */
void record_complete(struct record *record);

/* Whether it is of a format that leaves fields out. */
bool record_leaves_out(const struct record *record);

/* One, when the record does not have it: all that it follows from must have been looked up before.
 */
void record_complete_field(struct record *record, enum record_field field);

/* Whether it may be left out, and the fields that it then follows from, beside RECORD_FORMAT. */
bool record_completes(enum record_field field);
size_t record_complete_needs(enum record_field field, const uint8_t **ret_fields);

/* process.name as it follows from the path, and process.thread.name from that: without quotes, or
 * with at NULL. */
struct slice record_process_name(const struct record *record);
struct slice record_thread_name(const struct record *record);

/* Written where it follows from others by constant text, so that a search for text finds it. */
extern const uint8_t record_constant_fields[];
extern const size_t record_constant_count;
/* record_derived_any(), of all texts that these may have. */
bool record_constants_any(record_derived_visit *visit, void *context);

#endif
