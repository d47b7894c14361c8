/* SPDX-License-Identifier: MIT */
/*
 * What is allowed: one immutable compiled policy, asked at session open and at each use.
 *
 * First match wins. A call whose identity differs from the bound one is matched only by a rule
 * whose mismatch set covers every differing component, and denied when there is none; a call whose
 * identity is the same is matched only by rules without a mismatch set, and falls to the default.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>

#include "identity/identity.h"
#include "policy/operation.h"

/* DENY is 0: a verdict that nobody filled in refuses. */
enum policy_decision { POLICY_DENY, POLICY_ALLOW };

/* When a rule or default asks for a record. */
enum policy_audit {
    POLICY_AUDIT_DENY = 1 << 0, /* refusals */
    POLICY_AUDIT_OPEN = 1 << 1, /* sessions that are given out */
    POLICY_AUDIT_USE = 1 << 2,  /* every use */
};

struct policy_rule {
    const char *name;
    const char *source; /* file:line:col */
    const char *reason;
    miguard_components mismatch; /* 0: for calls whose identity is the same */
    uint32_t operations;         /* 1 << enum operation; 0 means all */
    enum policy_decision decision;
    bool permissive;
    unsigned audit; /* enum policy_audit bits */
};

struct policy {
    const char *source;
    miguard_components compared;
    enum policy_decision decision;
    bool permissive;
    bool audit_failure_denies;
    unsigned audit;
    const struct policy_rule *rules;
    size_t rule_count;
};

struct policy_call {
    enum operation operation;
    const struct miguard_identity *opened_as;
    const struct miguard_identity *used_as; /* NULL when it is not known beyond mismatch */
    miguard_components mismatch;            /* what identity_check() found */
    const char *provider;
    const char *name_space;
    const char *class_name;
};

struct policy_verdict {
    enum policy_decision decision;
    bool would_deny; /* allowed only because of mode: permissive */
    bool recorded;   /* a record is asked for */
    bool audit_failure_denies;
    const char *rule;   /* its name, or "default" */
    const char *source; /* file:line:col, or "built-in" */
    const char *reason; /* for a person */
};

/* The policy in force where there is no file: every component compared, mismatch denied, the rest
 * allowed, refusals and opened sessions recorded. */
extern const struct policy policy_builtin;

/* Pure: no side effect, no allocation, no system call. Thread safe. */
struct policy_verdict policy_decide(const struct policy *policy, const struct policy_call *call);

/* Told once for each rule that was looked at, in order: why it does not apply, or NULL when it
 * does. */
typedef void (*policy_observer)(void *context, const struct policy_rule *rule, const char *why_not);

/* policy_decide() itself, watched. */
struct policy_verdict policy_explain(const struct policy *policy, const struct policy_call *call,
                                     policy_observer observer, void *context);

#endif
