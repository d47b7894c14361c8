/* SPDX-License-Identifier: MIT */
/* What an audit record must look like: tests/data/audit-record.schema.json, checked in C. */
#ifndef SUPPORT_RECORD_H
#define SUPPORT_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The full form of the line as readers have it; a line that is no record as it is. NULL: no JSON.
 */
json_t *record_json(const char *line, size_t length);

/*
 * True when every field that a record needs is there with its type and form, no field stands there
 * that is not known, and the fields agree with one another (a refusal has a refusal's code, outcome
 * and decision). Else why says what is wrong with which field.
 */
bool record_check(const json_t *record, char *why, size_t size);

#endif
