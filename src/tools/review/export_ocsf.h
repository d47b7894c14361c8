/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_REVIEW_EXPORT_OCSF_H
#define TOOLS_REVIEW_EXPORT_OCSF_H

#include "tools/review/export_text.h"

void export_ocsf(struct text *text, const struct record *record);

#endif
