/* SPDX-License-Identifier: MIT */
/*
 * Names that a record lacks, because the directory was slow or down when it was written. They are
 * looked up when the record is read, and marked as such where they are shown: the id may have been
 * another's then. Only for records of this host: elsewhere the id may be anybody's.
 */
#ifndef TOOLS_REVIEW_LATER_H
#define TOOLS_REVIEW_LATER_H

#include <stdbool.h>

#include "identity/directory.h"
#include "tools/review/record.h"

/* Milliseconds. A directory that did not answer in time is not asked again. */
enum { LATER_WAIT = 3000 };

/* False where the record has the name of this id, is another host's, or no name is known now. Each
 * id is asked once in the life of the process. Any thread; one waits for the other's question. */
bool later_name(const struct record *record, enum record_field id, char name[DIRECTORY_NAME]);

/* The record lacks the name of this id, and is this host's. */
bool later_lacks_name(const struct record *record, enum record_field id);

/* The field that has the name of an id, and RECORD_FIELD_COUNT for other fields. */
enum record_field later_name_field(enum record_field id, enum directory_kind *ret_kind);

#endif
