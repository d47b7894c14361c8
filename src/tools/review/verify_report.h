/* SPDX-License-Identifier: MIT */
/* Collecting findings: bounded, and able to take one back that a later record explains. */
#ifndef TOOLS_REVIEW_VERIFY_REPORT_H
#define TOOLS_REVIEW_VERIFY_REPORT_H

#include "tools/review/verify.h"

/* Twice what can be kept on both shelves, since a finding that is taken back leaves a hole. */
enum { FINDINGS_ROOM = 4 * VERIFY_KEEP, FINDING_NONE = -1 };

/* The report's own part is copied out at the end. */
struct findings {
    struct verify_report *report;
    struct verify_finding *list; /* FINDINGS_ROOM; kind VERIFY_KIND_COUNT: taken back */
    int used;
    unsigned kept[2];  /* notices and losses, alarms */
    uint64_t run_line; /* the last finding goes on while lines of its kind follow this one */
};

/* report is written to as findings come; it must outlive them. False out of memory. */
bool findings_open(struct findings *findings, struct verify_report *report);
/* Frees the list unless findings_finish() has given it away. */
void findings_close(struct findings *findings);

/* Its number, or FINDING_NONE when it is only counted. */
int finding_add(struct findings *findings, const struct verify_finding *finding);

/* The same, but one more of the finding before when it is of this kind and on the line before.
 * FINDING_NONE as finding_add(). */
int finding_extend(struct findings *findings, const struct verify_finding *finding);

/* It turns out to be of another kind. */
void finding_turn(struct findings *findings, int number, enum verify_kind from,
                  enum verify_kind to);

/* It turns out to be nothing. */
void finding_drop(struct findings *findings, int number, enum verify_kind kind);

/* NULL for FINDING_NONE and for one that is not kept any more. */
struct verify_finding *finding_at(struct findings *findings, int number);

/* Moves what is kept into the report. */
void findings_finish(struct findings *findings);

#endif
