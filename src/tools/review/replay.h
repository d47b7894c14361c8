/* SPDX-License-Identifier: MIT */
/* What a policy decides about recorded calls, and where that is another decision than the recorded
 * one, or than that of another policy: for `miguard policy replay` and `diff`. */
#ifndef TOOLS_REVIEW_REPLAY_H
#define TOOLS_REVIEW_REPLAY_H

#include "base/text.h"
#include "tools/review/record_call.h"

/* Calls whose decision changes alike. */
struct replay_group {
    enum call_end before, after;
    char *before_rule;                  /* on the heap */
    const char *rule, *source, *reason; /* of what decides now: the policy's */
    uint64_t records, calls;
    char example[64]; /* the id of the first record */
};

/* Counts are of calls, which are more than records where a record stands for repeated refusals. */
struct replay {
    const struct policy *before; /* NULL: what the records say */
    const struct policy *after;
    struct replay_group *groups;
    size_t count, capacity;
    uint64_t records, calls;             /* that were decided again */
    uint64_t changed;                    /* calls */
    uint64_t refused;                    /* calls that are refused now and were not */
    uint64_t one_of_classes;             /* calls whose record may lack a class */
    uint64_t not_asked, varied, unknown; /* records that were left out */
};

/* False: out of memory. */
bool replay_add(struct replay *replay, const struct record *record);
/* By what matters: new refusals first, then by the number of calls. */
void replay_sort(struct replay *replay);
void replay_release(struct replay *replay);

#endif
