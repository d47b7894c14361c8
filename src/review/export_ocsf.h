/* SPDX-License-Identifier: MIT */
#ifndef AUDIT_EXPORT_OCSF_H
#define AUDIT_EXPORT_OCSF_H

#include "review/export_text.h"

void export_ocsf(struct text *text, const struct record *record);

#endif
