/* SPDX-License-Identifier: MIT */
/* A record as Elastic Common Schema 9: as it is, and related.*. Called by export_record(). */
#ifndef TOOLS_REVIEW_EXPORT_ECS_H
#define TOOLS_REVIEW_EXPORT_ECS_H

#include "base/text.h"
#include "tools/review/record.h"

/* No newline. */
void export_ecs(struct text *text, const struct record *record);

#endif
