/* SPDX-License-Identifier: MIT */
/*
 * Values of records on their way into another text: one escaper for every place that they can
 * stand in, and small readers of the JSON that a record holds.
 */
#ifndef TOOLS_REVIEW_EXPORT_TEXT_H
#define TOOLS_REVIEW_EXPORT_TEXT_H

#include "base/text.h"
#include "model/event.h"
#include "tools/review/record.h"

/* The places that a value can come to stand in. Each has its own escapes; a value that is escaped
 * for one is not safe in another. */
enum export_style {
    EXPORT_PLAIN,      /* as it is: for what is escaped later */
    EXPORT_TERMINAL,   /* one line that cannot move a cursor */
    EXPORT_HTML,       /* text of an element, or an attribute's value in double quotes */
    EXPORT_YAML,       /* inside double quotes */
    EXPORT_GLOB,       /* a pattern that matches this text alone, in YAML's double quotes */
    EXPORT_CEF_HEADER, /* between two bars of CEF */
    EXPORT_CEF,        /* a value of CEF's extension */
    EXPORT_SYSLOG,     /* a parameter's value in RFC 5424, in double quotes */
};

/* Control characters, bidirectional and invisible ones become \xHHHH (YAML: its own escapes),
 * invalid UTF-8 becomes U+FFFD. bytes need not be UTF-8. Out of memory: text->failed, as for all
 * functions here. */
void export_text(struct text *text, enum export_style style, const char *bytes, size_t length);
/* A text that ends with NUL. */
void export_string(struct text *text, enum export_style style, const char *string);
/* A JSON value: escapes of JSON are undone first. Nothing for one that is absent. */
void export_slice(struct text *text, enum export_style style, const struct slice *slice);
/* The field of a record; nothing when it is absent. */
void export_field(struct text *text, enum export_style style, const struct record *record,
                  enum record_field field);

/* The field is there and not "". */
bool export_has(const struct record *record, enum record_field field);

/* "root (0)", "root (0, looked up now)" where the record has no name, "uid 4711" or "an unknown
 * user". In EXPORT_PLAIN, for reports that count by it, the second is as the first. */
void export_person(struct text *text, enum export_style style, const struct record *record,
                   enum record_field id, enum record_field name);

/* A member or element as a JSON value: the same value as in the line, with what is hidden in it as
 * \u escapes. */
void export_json(struct text *text, const char *name, const struct record *record,
                 enum record_field field);

/* "2026-03-01 13:00:00.000000 CET", or without fraction and zone. nanoseconds since 1970; in the
 * local time zone. */
void export_time(struct text *text, int64_t time, bool exact);
/* "2026-03-01T12:00:00.000000Z". */
void export_utc(struct text *text, int64_t time);

/* How many events the record stands for. 1 for a record that is not grouped. */
uint64_t export_repeats(const struct record *record);

/* false: a name that this version does not know. */
bool export_action(const struct record *record, enum audit_action *ret_action);
/* The reason, by its name in this version's list. */
bool export_reason(const struct record *record, enum audit_reason *ret_reason);
/* The action in a sentence; "what this version does not know". */
const char *export_action_text(const struct record *record);
/* A decision about a caller, and not a record about the log or the policy. */
bool export_is_decision(const struct record *record);
bool export_action_decides(enum audit_action action); /* the same, of one that is known */
bool export_is_refusal(const struct record *record);  /* denied, or would have been */

/* Steps through an object or an array that record_parse() has checked. *at is 0 at first. The name
 * has its quotes. False at its end. */
bool export_member(const struct slice *object, size_t *at, struct slice *ret_name,
                   struct slice *ret_value);
/* An element of an array; its strings keep their quotes. */
bool export_element(const struct slice *array, size_t *at, struct slice *ret_value);
/* The member of that name, or a slice whose at is NULL. */
struct slice export_find(const struct slice *object, const char *name);

/* Room for 20 digits, 6 commas and the NUL. */
enum { EXPORT_NUMBER = 32 };

/* 1234567 as 1,234,567; the return value points into text. */
const char *export_number(uint64_t number, char text[EXPORT_NUMBER]);

#endif
