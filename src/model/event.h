/* SPDX-License-Identifier: MIT */
/*
 * What is recorded: one event for each decision that a policy wants recorded. Data only; how an
 * event becomes a record is in audit/encode.h.
 *
 * The lists below are closed. A code never changes its meaning: its last letter is I for
 * a success and E for a refusal.
 */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include "identity/identity.h"
#include "model/operation.h"

/* X(NAME, "event.action", "code when allowed", "code when refused", "what happened") */
#define AUDIT_ACTION_MAP(X)                                                                        \
    X(AUDIT_START, "audit-start", "MG001I", "MG001E", "a process opened the log")                  \
    X(RECORDS_LOST, "records-lost", "MG002I", "MG002E", "records are missing before this one")     \
    X(AUDIT_SEAL, "audit-seal", "MG003I", "MG003E", "an epoch of the chain is complete")           \
    X(AUDIT_STOP, "audit-stop", "MG004I", "MG004E", "a process closed the log")                    \
    X(AUDIT_ROTATE, "audit-rotate", "MG005I", "MG005E", "a new file of the log begins")            \
    X(AUDIT_SPACE, "audit-space", "MG006I", "MG006E", "the space for the log changed")             \
    X(POLICY_LOAD, "policy-load", "MG010I", "MG010E", "a policy came into force")                  \
    X(POLICY_REFUSED, "policy-refused", "MG011I", "MG011E", "a policy with errors was refused")    \
    X(SESSION_OPEN, "session-open", "MG100I", "MG100E", "a session was asked for")                 \
    X(SESSION_USE, "session-use", "MG101I", "MG101E", "a session was used")                        \
    X(SESSION_CLOSE, "session-close-refused", "MG102I", "MG102E", "a session was to be closed")    \
    X(CALLBACK, "session-callback", "MG103I", "MG103E", "a callback was to be made")               \
    X(REAP, "operation-reaped", "MG104I", "MG104E", "an operation was cleaned up")                 \
    X(SWITCH, "switch", "MG200I", "MG200E", "a thread was to change its identity")                 \
    X(RESTORE, "restore", "MG201I", "MG201E", "a thread was to return to its identity")            \
    X(DROP, "drop", "MG202I", "MG202E", "the process was to give up its privileges")               \
    X(GATE, "gate", "MG203I", "MG203E", "the gate was to be closed, or stopped a change")          \
    X(STATE_SET_ASIDE, "audit-state-set-aside", "MG007I", "MG007E",                                \
      "the state of the log was damaged and set aside")                                            \
    X(MODULE_LOAD, "module-load", "MG300I", "MG300E", "a provider was to be loaded by its shim")

/* New rows go to the end: the state of a log holds these numbers (struct state_repeat), and
 * encode.c and batch.c ask for ranges of them. So the row of STATE_SET_ASIDE is not beside those
 * with its kind of code. */
enum audit_action {
#define AUDIT_ACTION_ENUM(NAME, name, allowed, refused, text) AUDIT_ACTION_##NAME,
    AUDIT_ACTION_MAP(AUDIT_ACTION_ENUM)
#undef AUDIT_ACTION_ENUM
        AUDIT_ACTION_COUNT
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
    X(CONTEXTS_SPENT, "contexts-spent", "no address is left for a guarded context")                \
    X(LIMIT_REACHED, "limit-reached", "as many as there may be are open, or memory is out")        \
    X(HANDLE_STALE, "handle-stale", "the handle was closed, or its context has ended")             \
    X(HANDLE_FORGED, "handle-forged", "no such handle was ever given out")                         \
    X(HANDLE_INHERITED, "handle-inherited", "the handle was inherited through a fork")             \
    X(LOCAL_SESSION_CLOSE, "local-session-close", "a local session must not be closed")            \
    X(APPLICATION_RESTRICTED, "application-restricted",                                            \
      "the application of a local session cannot be closed nor open sessions or host providers")   \
    X(CANNOT_ADOPT, "cannot-adopt", "the callback's thread cannot take on the session's identity") \
    X(AUDIT_FAILED, "audit-failed", "the decision could not be recorded")                          \
    X(SWITCH_FAILED, "switch-failed", "the identity could not be changed, and is what it was")     \
    X(GATE, "gate", "behind the gate only the library may change credentials")                     \
    X(GATE_FAILED, "gate-failed", "the gate could not be closed")                                  \
    X(LEFT_OPEN, "left-open", "an operation was still open when its context ended")                \
    X(NAME_INVALID, "name-invalid",                                                                \
      "a rule asks for a name of the call that cannot be read with certainty")                     \
    X(LEFT_SWITCHED, "left-switched",                                                              \
      "a callback or request left its thread changed, and the thread was brought back")            \
    X(IO_URING, "io-uring",                                                                        \
      "an io_uring of the process serves the switched thread's requests as who made the ring")     \
    X(ANOTHER_COPY, "another-copy", "another copy of the library is in use in this process")       \
    X(NOT_RESTORED, "not-restored",                                                                \
      "a request left its thread changed, and it cannot be brought back")                          \
    X(CLIENT_GIVEN, "client-given", "the provider was given the client of its request")            \
    X(CLIENT_DENIED, "client-denied",                                                              \
      "the policy keeps the client of a request from the provider")                                \
    X(HOST_REFUSED, "host-refused", "the host itself refused the call; the guard had allowed it")

/* Also held in the state of a log by number: new rows go to the end. */
enum audit_reason {
#define AUDIT_REASON_ENUM(NAME, name, text) AUDIT_REASON_##NAME,
    AUDIT_REASON_MAP(AUDIT_REASON_ENUM)
#undef AUDIT_REASON_ENUM
        AUDIT_REASON_COUNT
};

/* Why records are missing. X(NAME, "miguard.lost.cause", "in a sentence") */
#define AUDIT_LOSS_MAP(X)                                                                          \
    X(NO_SPACE, "no-space", "the disk, a quota or a limit on the size of files left no room")      \
    X(IO_ERROR, "io-error", "the device failed")                                                   \
    X(READ_ONLY, "read-only", "the file system became read-only")                                  \
    X(NOT_SYNCED, "not-synced", "written, but the disk did not confirm it")                        \
    X(NO_MEMORY, "no-memory", "memory ran out")                                                    \
    X(TOO_LARGE, "too-large", "the record is larger than the sink takes")                          \
    X(BUSY, "busy", "another writer held the log too long")                                        \
    X(REMOVED, "removed", "the file was rotated or removed and this thread may not open another")  \
    X(UNTRUSTED, "untrusted", "others came to be able to write the log, its state or its folder")  \
    X(UNREACHABLE, "unreachable", "the daemon or socket of the sink does not answer")              \
    X(KILLED, "killed", "a writer was killed in the middle of a record")                           \
    X(CRASH, "crash", "the system went down before the disk had them")                             \
    X(CUT, "cut", "the end of the log is gone although it was on the disk")

/* The state counts losses in arrays of AUDIT_LOSS_COUNT members, so a further row changes the
 * format of the state (log_state.h asserts the number). */
enum audit_loss {
#define AUDIT_LOSS_ENUM(NAME, name, text) AUDIT_LOSS_##NAME,
    AUDIT_LOSS_MAP(AUDIT_LOSS_ENUM)
#undef AUDIT_LOSS_ENUM
        AUDIT_LOSS_COUNT
};

/* The rows of the maps, by number. Of an action: event.action, event.code when allowed and when
 * refused, and the message of a record that has no reason. */
struct audit_action_words {
    const char *name, *allowed, *refused, *text;
};
/* A short name for programs and a sentence for readers. */
struct audit_words {
    const char *name, *text;
};
extern const struct audit_action_words audit_actions[AUDIT_ACTION_COUNT];
extern const struct audit_words audit_reasons[AUDIT_REASON_COUNT];
extern const struct audit_words audit_losses[AUDIT_LOSS_COUNT];

/* How many records are missing, for RECORDS_LOST. Times are nanoseconds since 1970. */
struct audit_lost {
    const char *sink; /* which sink lacks them: "file", "syslog", ... */
    uint64_t count;   /* the sum of by_cause */
    uint64_t by_cause[AUDIT_LOSS_COUNT];
    int64_t first, last;     /* when the first and the last of them should have been written */
    uint64_t first_sequence; /* for CRASH and CUT, whose numbers are known; else 0 */
    uint64_t last_sequence;
    uint64_t total; /* of all sinks, since the log was made */
};

/* What happened to the files, for AUDIT_ROTATE. */
struct audit_rotated {
    const char *previous;     /* file name, without folder, that the file before this now has */
    uint64_t removed_files;   /* by `keep`, on this occasion */
    uint64_t removed_through; /* the last sequence number that retention ever removed, or 0 */
    uint64_t stray_files;     /* named like rotated files but not the log's, since the last time */
    const char *stray;        /* one of them, or NULL */
    uint64_t beyond;          /* bytes by which the file before is longer than it should be */
};

/* The four steps of AUDIT_SPACE: low (90 % used) -> full (no more room for records) -> flooded
 * (records are being lost) -> normal (below 85 % again, and all that could be written was). */
struct audit_space {
    const char *step;
    uint64_t available; /* bytes */
    unsigned used_percent;
};

/* The result of setting aside a damaged state, for STATE_SET_ASIDE. */
struct audit_set_aside {
    const char *found; /* what is wrong with it: "size", "content", "lock", "heads", "empty" */
    const char *key;   /* the key of the chain: "none" (there was no chain), "kept", or "lost" */
    const char *file;  /* the present name, without folder, of the damaged file */
};

/* The count of records of the process that writes AUDIT_STOP. */
struct audit_tally {
    uint64_t written; /* records, without this one */
    uint64_t lost;    /* counted once for each sink that did not take one */
};

/* The last switch that the thread made through this library. */
struct audit_last_switch {
    const void *site; /* where the library was called for it */
    int64_t time;     /* nanoseconds since 1970 */
};

/* What a record keeps of the keys of an instance (record_limits.h). */
struct audit_keys;

/* Everything is borrowed for the duration of the call. What does not apply stays NULL or 0. */
struct audit_event {
    /* Always set. They choose message, code and class of the record. */
    enum audit_action action;
    enum audit_reason reason;
    /* The outcome: decision, code and event.outcome of the record, and whether sync: deny
     * applies. */
    bool denied;
    bool would_deny; /* allowed only by mode: permissive */
    bool varied; /* the first of refusals that are counted together though they vary (repeat.h) */
    enum operation operation;
    bool kept;            /* provider, namespace, class and method are already cut to length */
    const char *provider; /* file name of the provider module */
    const char *name_space;
    const char *class_name;
    const char *method;            /* of an Invoke and its results */
    const struct audit_keys *keys; /* of the instance that the call is about (record_limits.h) */
    /* Of a front end other than MI; cut by the encoder, whatever kept says. */
    const char *action_name; /* of an own action; NULL: the operation has the name */
    const char *resource;    /* what the policy was asked about */
    const char *object;      /* which one; for the record alone */
    /* Numbers that the guard gives out, not addresses; 0: does not apply. */
    uint64_t context_id, session_id, operation_id;
    const struct miguard_identity *bound;   /* the owner of the session */
    const struct miguard_identity *current; /* the caller */
    /* Bits of MIGUARD_COMPONENT_...: what differs between bound and current, and what of current
     * the kernel did not give. */
    miguard_components mismatch;
    miguard_components unreadable;
    /* The rule that decided: its name, file and line, and the reason that the policy gives. rule
     * NULL: no rule did, and the other two are not recorded either. */
    const char *rule;
    const char *rule_source;
    const char *rule_reason;
    const void *call_site; /* where the provider made the call */
    const struct audit_last_switch *last_switch;
    const char *attempt; /* what was attempted, for SWITCH, RESTORE, DROP, GATE, MODULE_LOAD */
    pid_t tid;           /* the thread concerned; 0: the writing thread */
    /* Of a SWITCH to the peer of a socket: facts for a person. */
    pid_t peer_pid;
    const char *peer_label;
    /* One of these at most, for the action that is named at its struct. */
    const struct audit_lost *lost;
    const struct audit_rotated *rotated;
    const struct audit_space *space;
    const struct audit_tally *tally;
    const struct audit_set_aside *set_aside;
    const char *policy_detail; /* for POLICY_*: the files or the errors */
    /* Of the files (policy/draft.h); for POLICY_LOAD and AUDIT_START. NULL: built-in, no policy. */
    const char *policy_hash;
    const char *policy_path; /* where it was looked for; NULL: in the standard places */
};

/* event.id: the writing process in 16 hex digits, "-" and a number that it counts up, with a NUL.
 * It is also the decision id that the caller of a refused function gets, so that an administrator
 * finds the record from a report of the caller. */
enum { AUDIT_ID_SIZE = 48 };

#endif
