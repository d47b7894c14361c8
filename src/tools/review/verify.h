/* SPDX-License-Identifier: MIT */
/*
 * Is a log whole? Reads it once, in order, with memory that does not grow with it, goes on after
 * each thing that is wrong, and says what and where.
 *
 * What can be proved, and what not:
 * - With the verification key every record is proved that was written before an intruder took the
 *   key in use from the host. What that person wrote later, with this key and at its right place,
 * is indistinguishable from the log's own.
 * - That the end is there is proved only by a head (sequence:hash) from elsewhere: the state beside
 *   the log shows a careless cut, a head kept outside the host shows every one.
 * - A damaged state takes that knowledge with it, and in a chain with a key the key. The record
 *   that says so is believed when it follows the last record before it by number and hash. Who can
 *   write the log can forge one where the key is lost: what comes behind is never proved, and what
 *   was cut before it only by a head from elsewhere.
 * - Retention and a crash take records away honestly. What a record declares so is believed as far
 *   as a crash can reach (see FALSE_LOSS), and is reported.
 */
#ifndef TOOLS_REVIEW_VERIFY_H
#define TOOLS_REVIEW_VERIFY_H

#include "audit/chain.h"
#include "audit/file/log_state.h"
#include "base/error.h"
#include "base/text.h"

/* By what an honest writer can leave. Only alarms make a log tampered. */
enum verify_severity {
    VERIFY_NOTICE, /* worth knowing */
    VERIFY_LOSS,   /* records are missing, and the log says so itself */
    VERIFY_ALARM,  /* no honest writer, killed or not, leaves this */
};

/* X(NAME, severity, "name", "in a sentence") */
#define VERIFY_KIND_MAP(X)                                                                         \
    X(EDITED, ALARM, "edited", "not as it was written")                                            \
    X(REPLACED, ALARM, "replaced", "not the record that the next one was written after")           \
    X(DELETED, ALARM, "deleted", "missing, with records before and behind it")                     \
    X(MISSING_FILE, ALARM, "missing-file", "missing between two files")                            \
    X(MISSING_START, ALARM, "missing-start", "missing at the beginning, not through retention")    \
    X(CUT, ALARM, "cut", "missing at the end")                                                     \
    X(NOTICED_CUT, ALARM, "noticed-cut",                                                           \
      "missing at an end that was there: a writer noticed when it opened the log")                 \
    X(FALSE_LOSS, ALARM, "false-loss", "declared as lost in a crash that cannot have taken them")  \
    X(REORDERED, ALARM, "reordered", "not where it was written")                                   \
    X(DUPLICATED, ALARM, "duplicated", "here a second time")                                       \
    X(INSERTED, ALARM, "inserted", "no record of this log")                                        \
    X(FOREIGN, ALARM, "foreign", "of another chain")                                               \
    X(RESTARTED, ALARM, "restarted",                                                               \
      "the beginning of a new chain: the state of the log was removed or replaced")                \
    X(RESEALED, ALARM, "resealed", "written again by someone who took a later key from the host")  \
    X(CONTINUED, ALARM, "continued",                                                               \
      "written behind a cut by someone who took a later key from the host")                        \
    X(UNKEYED, ALARM, "unkeyed", "without a key, in a chain that has one")                         \
    X(UNCHAINED, ALARM, "unchained", "without a place in a chain")                                 \
    X(EPOCH, ALARM, "epoch", "of an epoch that cannot follow: seals are missing")                  \
    X(BROKEN, ALARM, "broken", "no record, and no later record counts it as lost")                 \
    X(HEAD, ALARM, "head", "not the record with the head that was kept")                           \
    X(WRONG_KEY, ALARM, "wrong-key", "of another chain than the key")                              \
    X(LOST, LOSS, "lost", "declared as lost")                                                      \
    X(LOST_TAIL, LOSS, "lost-tail",                                                                \
      "missing at the end, never known to be on the disk when the system went down")               \
    X(SET_ASIDE, LOSS, "state-set-aside",                                                          \
      "the first under a new state: the one before was damaged, and what of the end before it "    \
      "was "                                                                                       \
      "cut is not missed without a head from outside")                                             \
    X(STATE_KEPT, NOTICE, "state-kept",                                                            \
      "the first under a new state, which has head and key of the damaged one")                    \
    X(REMOVED, NOTICE, "removed", "removed by retention, as the log says")                         \
    X(BEFORE, NOTICE, "before", "before the first record of what was given")                       \
    X(STRAY, NOTICE, "stray", "none of this log, and was left out")                                \
    X(UNFINISHED, NOTICE, "unfinished", "being written, or left by a writer that was killed")      \
    X(CLOCK, NOTICE, "clock", "older than the record before: the clock was set back")

/* In the order of VERIFY_KIND_MAP. */
enum verify_kind {
#define VERIFY_KIND_ENUM(NAME, severity, name, text) VERIFY_##NAME,
    VERIFY_KIND_MAP(VERIFY_KIND_ENUM)
#undef VERIFY_KIND_ENUM
        VERIFY_KIND_COUNT
};

/* "edited": for JSON, frozen. */
const char *verify_kind_name(enum verify_kind kind);
/* Fixed for each kind. */
enum verify_severity verify_kind_severity(enum verify_kind kind);

/* Findings of one kind that follow each other are one. */
struct verify_finding {
    enum verify_kind kind;
    const char *file;     /* lives as long as the report; NULL: no place */
    uint64_t line;        /* from 1; 0: no place */
    uint64_t first, last; /* sequence numbers; 0: not known */
    uint64_t count;       /* of records or lines */
    uint64_t key;         /* RESEALED, CONTINUED: the number of the key that the first one has */
    uint64_t said;        /* EDITED: the number that the line itself has; 0: none */
    int64_t time;         /* of the record, nanoseconds since 1970; 0: not known */
    char detail[96];      /* the cause of a loss; what is wrong with a broken line */
};

/* A record by its number and hash, as `miguard audit verify` printed it and the user kept it
 * elsewhere. */
struct verify_head {
    uint64_t sequence;
    unsigned char hash[CHAIN_HASH_SIZE];
};

enum {
    /* Of alarms, and of notices and losses: further ones are counted and not kept. */
    VERIFY_KEEP = 100,
    /* The usual bounds of a request, so that a forged log cannot keep the verifier for long. */
    VERIFY_LOOK_AHEAD = 1 << 18,
    VERIFY_STEPS = 1 << 28,
    VERIFY_WAITS = 20,
};

/* SEQ:HASH, and the number by itself: decimal digits only, and not 0, which is no record. */
bool verify_head_parse(const char *text, size_t length, struct verify_head *ret_head);
bool verify_head_number(const char *text, size_t length, uint64_t *ret_sequence);

/* What to verify, and by what. Nothing in it is changed or kept. */
struct verify_request {
    const char *const *logs; /* each stands for itself and what was rotated from it */
    size_t log_count;
    const struct chain_key *key;    /* key 1, or NULL */
    const struct state_head *state; /* read before this call, or NULL */
    size_t state_count;             /* of these, one for each log that has one; 0: one */
    const struct verify_head *heads;
    size_t head_count;
    /* How many later keys are tried, in all, on records that do not fit their own, and how many
     * keys are made, in all, to step over what is missing. VERIFY_LOOK_AHEAD, VERIFY_STEPS. */
    uint64_t look_ahead, steps;
    /* How often, 10 ms apart, the end is looked at again for what a writer is in the middle of.
     * VERIFY_WAITS. */
    unsigned waits;
    /* Called now and then; false ends the work. May be NULL. Bytes as they lie on the disk. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
    bool partial; /* what is given begins later than the log, and its first record is believed */
    unsigned threads; /* that hash; 0 and 1: the caller alone. scan_processors() */
    uint64_t piece;   /* bytes for a thread at once; 0: 256 KiB. For tests */
};

/* The answer in one word; the report has the grounds. */
enum verify_verdict {
    VERIFY_INTACT,
    VERIFY_TAMPERED,
    VERIFY_UNPROVEN, /* nothing is wrong, but without the key, or without records, or behind a state
                      * that was set aside, that says little */
};

/* What was found. Owned by the caller, released by verify_release(). */
struct verify_report {
    enum verify_verdict verdict;
    bool keyed;  /* the chain has a key */
    bool proven; /* every hash was checked */
    uint64_t chain_id;
    uint64_t records, first, last;       /* good records; sequence numbers */
    unsigned char head[CHAIN_HASH_SIZE]; /* of the last */
    uint64_t files, bytes;               /* bytes uncompressed */
    uint64_t removed_through;            /* by retention, as the log says */
    uint64_t set_aside; /* the record that the last state was set aside before; 0: none */
    bool key_lost;      /* with it: what follows has no key */
    uint64_t anchored;  /* the highest sequence of a head that was met; 0: none */
    uint64_t lost;      /* as the log says */
    uint64_t count[VERIFY_KIND_COUNT]; /* findings of each kind, also those that are not kept */
    uint64_t by_severity[VERIFY_ALARM + 1];
    struct verify_finding *findings; /* in the order of the log; VERIFY_KEEP of alarms and others */
    size_t finding_count;
    char **names; /* of the files */
    size_t name_count;
};

/*
 * Errors: INVALID_ARGUMENT, NO_MEMORY, NOT_FOUND (no such log), SYSTEM (reterr names the file),
 * BAD_STATE (the progress function ended it, or the files change too fast to be listed).
 * *ret_report is written only with OK: then the verdict is in it, and any finding is no error.
 * progress is called on this thread.
 */
MIGUARD_CHECKED enum miguard_status verify_log(const struct verify_request *request,
                                               struct verify_report *ret_report,
                                               struct miguard_error *reterr);
/* A zeroed report is allowed; it is zeroed again. */
void verify_release(struct verify_report *report);

/* "record 17 is not as it was written", without the place. Texts of the log in it are not escaped:
 * the caller must escape what it prints. */
void verify_describe(const struct verify_finding *finding, struct text *text);

#endif
