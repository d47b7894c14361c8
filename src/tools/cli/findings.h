/* SPDX-License-Identifier: MIT */
/* Findings of a verification as text and as JSON, for the commands that verify. */
#ifndef TOOLS_CLI_FINDINGS_H
#define TOOLS_CLI_FINDINGS_H

#include "tools/cli/cli.h"
#include "tools/review/verify.h"

enum { FINDINGS_TIME_SIZE = 40 };

/* "2026-03-01T12:00:00Z", since a log may be verified on another host than its own. */
void findings_time(int64_t time, char text[FINDINGS_TIME_SIZE]);

/* "FILE:LINE: alarm: edited: record 17 is not as it was written [TIME]"; false: out of memory. */
bool print_finding(FILE *stream, const struct verify_finding *finding);

/* A new reference; NULL out of memory. A time of 0 is unknown and becomes null. */
json_t *make_finding_json(const struct verify_finding *finding);

#endif
