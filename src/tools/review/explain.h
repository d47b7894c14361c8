/* SPDX-License-Identifier: MIT */
/*
 * One record in plain sentences: what happened, who, as whom, what differed, by which rule, and
 * what to do about it.
 */
#ifndef TOOLS_REVIEW_EXPLAIN_H
#define TOOLS_REVIEW_EXPLAIN_H

#include "tools/review/export_text.h"

/* What one component was at open and is now: "root (0) -> alice (1000)", "lost 4, 27; gained none".
 * component is the name as in the record ("euid"). Says in words when a value could not be read or
 * is not in the record. Out of memory: text->failed. */
void explain_change(struct text *text, enum export_style style, const struct record *record,
                    const char *component);

/* Other records that belong to this one. Lines end in a newline each; empty: none was found. */
struct explain_related {
    bool searched;          /* false: the log could be read only once */
    uint64_t around;        /* only among so many records before it and behind; 0: in all */
    struct text open;       /* the record of the opening of this session, in full */
    uint64_t others;        /* more records of the same session */
    uint64_t other_refused; /* how many events of them are refusals */
};

/* Safe for a terminal. Begins with the outcome and ends with the record's id. */
void explain_write_text(struct text *text, const struct record *record,
                        const struct explain_related *related);
/* One object and a newline. Its keys are frozen: programs read them. */
void explain_write_json(struct text *text, const struct record *record,
                        const struct explain_related *related);

/* What to do about refusals with this reason, or NULL; constant text. */
const char *explain_reason_step(enum audit_reason reason);

/* What to do about a record, one step each; false at the end. *at is 0 at first. *ret_step is
 * constant text. Valid for any record, also one of a later version. */
bool explain_step(const struct record *record, uint32_t *at, const char **ret_step);

#endif
