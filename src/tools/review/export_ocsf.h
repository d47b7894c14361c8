/* SPDX-License-Identifier: MIT */
/* The writer of OCSF 1.8 for export.c, by the table in export.h. */
#ifndef TOOLS_REVIEW_EXPORT_OCSF_H
#define TOOLS_REVIEW_EXPORT_OCSF_H

#include "tools/review/export_text.h"

/* Appends the record as one OCSF object, without a newline, for export_record(). text->comma must
 * be false. Out of memory: text->failed. */
void export_ocsf(struct text *text, const struct record *record);

#endif
