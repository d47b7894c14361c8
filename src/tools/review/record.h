/* SPDX-License-Identifier: MIT */
/*
 * One record as it is read back: a line is checked to be one whole JSON object (RFC 8259, UTF-8, no
 * duplicate member of those in model/record_fields.h, no deeper than 16) in one pass, and these
 * members are found without copying. Members that are not known are checked and passed over.
 */
#ifndef TOOLS_REVIEW_RECORD_H
#define TOOLS_REVIEW_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/record_fields.h"
#include "model/record_limits.h"

/* The bytes of a JSON value as they stand in the line, with the quotes of a string; at is NULL when
 * the member is absent. */
struct slice {
    const char *at;
    size_t length;
};

/* A view of one line. It owns nothing: line and fields are valid as long as the bytes that were
 * parsed. Indexed by enum record_field; an object's own field holds the whole object, with its
 * braces. */
struct record {
    const char *line; /* without its newline; not terminated */
    size_t length;
    struct slice field[RECORD_FIELD_COUNT];
};

/* Checks the line and finds its members. NULL, or what is wrong ("a string is not closed"; a
 * constant) and at which byte (0 is the first); then *ret_record is not to be used but for its
 * line. Fields that the record leaves out because others say them are set as well. No allocation,
 * no lock; any thread. */
const char *record_parse(const char *line, size_t length, struct record *ret_record,
                         size_t *ret_offset);

/* The same without what follows from other members (record_complete.h): what stands in the line. */
const char *record_parse_bare(const char *line, size_t length, struct record *ret_record,
                              size_t *ret_offset);

/* The field as text: strings without quotes and escapes, else as it stands. As snprintf gives the
 * whole length and always terminates; 0 and "" when the field is absent. */
size_t record_text(const struct record *record, enum record_field field, char *buffer, size_t size);

/* Compares the field as record_text() gives it with text, without copying. An absent field equals
 * no text, not even "". */
bool record_is(const struct record *record, enum record_field field, const char *text);

/* A number that is an integer and fits; false otherwise. Accepts one in quotes as well. Also false
 * when the field is absent; *ret_number is untouched then. */
bool record_number(const struct record *record, enum record_field field, uint64_t *ret_number);

/* @timestamp (or START, END, PROCESS_START, LOST_FIRST, LOST_LAST) in nanoseconds since 1970. False
 * when the field is absent or not a time; *ret_time is untouched then. */
bool record_time(const struct record *record, enum record_field field, int64_t *ret_time);

/* Steps through an array of strings such as MISMATCH: *at is 0 at first. False at its end. The item
 * has its quotes, as every slice; slice_text() and slice_is() are without. */
bool record_item(const struct record *record, enum record_field field, size_t *at,
                 struct slice *ret_item);

/* record_text() and record_is() of a value that was come by otherwise, such as an item. */
size_t slice_text(const struct slice *slice, char *buffer, size_t size);
/* As record_is(): false for a slice whose at is NULL. */
bool slice_is(const struct slice *slice, const char *text);

/* "2026-03-01T12:00:00.5Z" or with an offset "+01:00" (RFC 3339), from 1970 to 2261. A "60" in the
 * seconds (a leap second) is the next minute's first. False otherwise, with *ret_time untouched. */
bool record_parse_time(const char *text, size_t length, int64_t *ret_time);

#endif
