/* SPDX-License-Identifier: MIT */
/* A refusal as data, for a front end to report to its caller in its own form. */
#ifndef GUARD_REFUSAL_H
#define GUARD_REFUSAL_H

#include <stddef.h>

#include "miguard/guard.h"
#include "model/event.h"

/* How a front end answers. Zero is the strictest: an answer that was not set denies. */
enum guard_answer {
    GUARD_DENIED,  /* this identity is not allowed to do that */
    GUARD_INVALID, /* the handle is not an object of the guard, or no longer */
    GUARD_LIMIT,   /* the limit is reached, or memory ran out */
    GUARD_FAILED,  /* the guard cannot work in this process */
};

/* The components, the reason and the decision id always have room in a sentence. The policy's texts
 * are cut to this many bytes; the log has them in full. */
enum { REFUSAL_RULE = 100, REFUSAL_SOURCE = 160, REFUSAL_REASON = 160, REFUSAL_CUT_MARK = 4 };

/* Why a call was refused, as far as its caller may know: no value of the bound identity. */
struct refusal {
    enum guard_answer answer;
    enum audit_reason reason;
    miguard_components mismatch;
    char rule[REFUSAL_RULE + REFUSAL_CUT_MARK];     /* "": no rule decided */
    char source[REFUSAL_SOURCE + REFUSAL_CUT_MARK]; /* file and line of the rule */
    char rule_reason[REFUSAL_REASON + REFUSAL_CUT_MARK];
    char decision_id[AUDIT_ID_SIZE]; /* of the record in the log; "": not recorded */
};

/* Any text may be NULL or "". Allocates nothing. */
struct refusal refusal_new(enum guard_answer answer, enum audit_reason reason,
                           miguard_components mismatch);
/* Copies the texts, cut to the sizes above. */
void refusal_set_rule(struct refusal *refusal, const char *rule, const char *source,
                      const char *rule_reason);

/* The sentence for the caller: what differs, which rule decided, why, and the decision id. Always
 * ends within size; REFUSAL_SENTENCE has room for all of it. Never has a value of the bound
 * identity. */
enum { REFUSAL_SENTENCE = 960 };
void refusal_sentence(const struct refusal *refusal, char *ret_text, size_t size);

/* The refusal as a caller of <miguard/guard.h> gets it; ret_refusal may be NULL. Returns its
 * status. */
enum miguard_status refusal_export(const struct refusal *refusal,
                                   struct miguard_refusal *ret_refusal);

#endif
