/* SPDX-License-Identifier: MIT */
/*
 * What is remembered: one event for each decision that a policy wants recorded.
 *
 * The two lists below are closed. A code never changes its meaning: the letter at its end is I for
 * what went well and E for what was refused.
 */
#ifndef AUDIT_EVENT_H
#define AUDIT_EVENT_H

#include "identity/identity.h"
#include "policy/operation.h"

/* X(NAME, "event.action", "code when allowed", "code when refused", "what happened") */
#define AUDIT_ACTION_MAP(X)                                                                        \
    X(AUDIT_START, "audit-start", "MG001I", "MG001E", "the log was opened")                        \
    X(RECORDS_LOST, "records-lost", "MG002I", "MG002E", "records are missing before this one")     \
    X(POLICY_LOAD, "policy-load", "MG010I", "MG010E", "a policy came into force")                  \
    X(POLICY_REFUSED, "policy-refused", "MG011I", "MG011E", "a policy with errors was refused")    \
    X(SESSION_OPEN, "session-open", "MG100I", "MG100E", "a session was asked for")                 \
    X(SESSION_USE, "session-use", "MG101I", "MG101E", "a session was used")                        \
    X(SESSION_CLOSE, "session-close", "MG102I", "MG102E", "a session was to be closed")            \
    X(CALLBACK, "session-callback", "MG103I", "MG103E", "a callback was to be made")               \
    X(REAP, "operation-reaped", "MG104I", "MG104E", "an operation was cleaned up")

enum audit_action {
#define AUDIT_ACTION_ENUM(NAME, name, allowed, refused, text) AUDIT_ACTION_##NAME,
    AUDIT_ACTION_MAP(AUDIT_ACTION_ENUM)
#undef AUDIT_ACTION_ENUM
};

/* X(NAME, "event.reason", "in a sentence") */
#define AUDIT_REASON_MAP(X)                                                                        \
    X(NONE, "none", "nothing to say")                                                              \
    X(IDENTITY_MATCH, "identity-match", "the thread is who took the session")                      \
    X(IDENTITY_MISMATCH, "identity-mismatch", "the session was taken under another identity")      \
    X(IDENTITY_UNREADABLE, "identity-unreadable", "the thread's identity could not be read")       \
    X(IDENTITY_TORN, "identity-torn", "the thread's identity kept changing while it was read")     \
    X(IDENTITY_UNPROVABLE, "identity-unprovable",                                                  \
      "an id is not mapped in this user namespace and proves nothing")                             \
    X(POLICY, "policy", "a policy rule says so")                                                   \
    X(SESSION_REVOKED, "session-revoked", "the session was misused or denied before and is over")  \
    X(NO_POLICY, "no-policy", "there is no valid policy in force")                                 \
    X(CONTEXT_ENDED, "context-ended", "the context that the session came from has ended")          \
    X(HANDLE_STALE, "handle-stale", "the handle was closed, or its context has ended")             \
    X(HANDLE_FORGED, "handle-forged", "no such handle was ever given out")                         \
    X(HANDLE_INHERITED, "handle-inherited", "the handle was inherited through a fork")             \
    X(LOCAL_SESSION_CLOSE, "local-session-close", "a local session must not be closed")            \
    X(APPLICATION_RESTRICTED, "application-restricted",                                            \
      "the application of a local session cannot be closed nor open sessions or host providers")   \
    X(CANNOT_ADOPT, "cannot-adopt", "the callback's thread cannot take on the session's identity") \
    X(AUDIT_FAILED, "audit-failed", "the decision could not be recorded")                          \
    X(LEFT_OPEN, "left-open", "an operation was still open when its context ended")

enum audit_reason {
#define AUDIT_REASON_ENUM(NAME, name, text) AUDIT_REASON_##NAME,
    AUDIT_REASON_MAP(AUDIT_REASON_ENUM)
#undef AUDIT_REASON_ENUM
        AUDIT_REASON_COUNT
};

const char *audit_reason_name(enum audit_reason reason);
const char *audit_reason_text(enum audit_reason reason);

/* Everything borrowed for the time of the call. What does not apply stays NULL or 0. */
struct audit_event {
    enum audit_action action;
    enum audit_reason reason;
    bool denied;
    bool would_deny; /* let pass by mode: permissive only */
    enum operation operation;
    const char *provider; /* file name of the provider module */
    const char *name_space;
    const char *class_name;
    uint64_t context_id, session_id, operation_id;
    const struct miguard_identity *bound;   /* whom the session belongs to */
    const struct miguard_identity *current; /* who made the call */
    miguard_components mismatch;
    miguard_components unreadable;
    const char *rule;
    const char *rule_source;
    const char *rule_reason;
    const void *call_site;     /* where the provider made the call */
    uint64_t lost;             /* for RECORDS_LOST */
    const char *policy_detail; /* for POLICY_*: the files or the errors */
};

/* Who writes, and the place of the record in the log. */
struct audit_names;

struct audit_stamp {
    uint64_t sequence;
    struct audit_names *names; /* NULL: every name is looked up */
    const struct identity_process *process;
    const char *host_name, *boot_id;
    uint64_t entity; /* this process, among all that ever write to the log */
};

/* event.id: who writes, and the number of the record. It is also the decision id that the caller of
 * a refused function is told. */
enum { AUDIT_ID_SIZE = 48 };
void audit_id(const struct audit_stamp *stamp, char id[AUDIT_ID_SIZE]);

/*
 * One line of JSON without its newline, in ECS 9 names, in two halves. The head holds the sequence
 * number and the time and is written under the log's lock; the body may ask NSS for names, which
 * can take long, and must be written without it.
 */
void audit_encode_head(struct text *text, const struct audit_event *event,
                       const struct audit_stamp *stamp);
void audit_encode_body(struct text *text, const struct audit_event *event,
                       const struct audit_stamp *stamp);

#endif
