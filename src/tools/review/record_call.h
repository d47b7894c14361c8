/* SPDX-License-Identifier: MIT */
/* The call that a record is about, so that a policy can be asked about it again: for `miguard
 * policy replay`, `diff` and `explain`. */
#ifndef TOOLS_REVIEW_RECORD_CALL_H
#define TOOLS_REVIEW_RECORD_CALL_H

#include "policy/policy.h"
#include "tools/review/record_expand.h"

/* How a record ended, and how a policy decides: allowed, allowed because mode is permissive, or
 * refused. */
enum call_end { CALL_REFUSED, CALL_LET_PASS, CALL_ALLOWED, CALL_ENDS };

/* Whether a policy can be asked about a record. */
enum call_reading {
    CALL_READ,
    CALL_NOT_ASKED, /* it is not about a call, or the call was decided before any rule was asked */
    CALL_VARIED,    /* it stands for several refusals that differ, with samples alone */
    CALL_UNKNOWN,   /* something that a policy may ask is not in it as it was */
    CALL_NO_MEMORY,
};

/* The call points into the struct, which is not copied. */
struct record_call {
    struct policy_call call;
    enum call_end end;           /* as recorded */
    miguard_components mismatch; /* as recorded */
    bool client;         /* about the client of a request: the entry of `clients:` decides */
    bool one_of_classes; /* the call may have named classes that the record does not have */
    struct record_identities identities;
    struct cim_names names;
    char provider[1024], host[256], action[ACTION_NAME_MAX + 2], resource[POLICY_RESOURCE];
};

/* To be released in every case. */
enum call_reading record_call_read(const struct record *record, struct record_call *ret_call);
void record_call_release(struct record_call *call);

/* What the policy compares of the two identities is put into call->call.mismatch; then the call can
 * be given to policy_decide() and policy_explain(). */
void record_call_prepare(struct record_call *call, const struct policy *policy);

enum call_end record_call_end_of(const struct policy_verdict *verdict);

#endif
