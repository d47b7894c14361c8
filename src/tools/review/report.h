/* SPDX-License-Identifier: MIT */
/*
 * Records summed up. A record that stands for N refusals counts N events. Memory does not grow with
 * the log: each list holds REPORT_KEYS keys, the timeline REPORT_BUCKETS buckets, and of refusals,
 * losses and policies the latest are kept.
 *
 * When a list is full, the key with the fewest refusals makes room (Space-Saving: A. Metwally,
 * D. Agrawal, A. El Abbadi, 2005), so that a key with more than 1/REPORT_KEYS of all refusals is
 * never missing, however many others a flood invents. What the removed key had counted goes to
 * "others": the sum is always exact. A key that came in that way may have had events before, so its
 * count is the least that it had, and is marked.
 *
 * A record is counted in two steps: report_facts() may run in any thread, report_add_facts() adds
 * what it made in the order of the records. So the result does not depend on how many threads there
 * are.
 */
#ifndef TOOLS_REVIEW_REPORT_H
#define TOOLS_REVIEW_REPORT_H

#include "tools/review/export_text.h"
#include "tools/review/read.h"

enum {
    /* Of one list. Each key takes at most REPORT_KEY_LENGTH bytes, so the keys of all lists take
       some 10 MB at the most, whatever the log holds. */
    REPORT_KEYS = 2048,
    REPORT_KEY_LENGTH = 256,
    /* Nearly three days in minutes; then the unit gets coarser (report_timeline.c). */
    REPORT_BUCKETS = 4096,
    /* Refusals that the report shows one by one. */
    REPORT_REFUSALS = 200,
    REPORT_MARKS = 100,      /* losses, changes of space, policies: of each the latest */
    REPORT_LINE = 64 * 1024, /* a longer one is kept without its credentials */
};

/* X(NAME, "name in JSON", "title", "what a key is") */
#define REPORT_LIST_MAP(X)                                                                         \
    X(PAIR, "pairs", "Who opened, who used", "Opened by, used by")                                 \
    X(BOUND, "bound_users", "Sessions opened by", "User")                                          \
    X(CURRENT, "current_users", "Sessions used by", "User")                                        \
    X(PROVIDER, "providers", "Providers", "Provider")                                              \
    X(REASON, "reasons", "Reasons", "Reason")                                                      \
    X(PROVIDER_RULE, "provider_rules", "Providers and rules", "Provider, rule")                    \
    X(HOST_USER, "host_users", "Hosts and users", "Host, opened by, used by")                      \
    X(LOGIN, "login_users", "Login identities", "Login user id")                                   \
    X(COMPONENT, "components", "Components that differed", "Component")                            \
    X(RULE, "rules", "Rules", "Rule")                                                              \
    X(OPERATION, "operations", "Operations", "Operation")                                          \
    X(CLASS, "classes", "Classes", "Class")                                                        \
    X(METHOD, "methods", "Methods", "Method")                                                      \
    X(NAMESPACE, "namespaces", "Namespaces", "Namespace")                                          \
    X(RESOURCE, "resources", "Resources", "Resource")                                              \
    X(SITE, "call_sites", "Call sites", "Call site")                                               \
    X(HOST, "hosts", "Hosts", "Host")                                                              \
    X(PROCESS, "processes", "Processes", "Process")                                                \
    X(POLICY, "policy_sets", "Policies in force", "Policy")                                        \
    X(FILE, "files", "Log files", "File")

/* In the order of the report. */
enum report_list {
#define REPORT_LIST_ENUM(NAME, name, title, head) REPORT_##NAME,
    REPORT_LIST_MAP(REPORT_LIST_ENUM)
#undef REPORT_LIST_ENUM
        REPORT_LISTS
};

/* Events. other: records about the log and the policy. */
struct report_count {
    uint64_t refused, would, allowed, other;
};

/* One key of a list, such as a user, and what was counted under it. */
struct report_key {
    char *text; /* not escaped */
    uint64_t hash;
    struct report_count count, before; /* before: the most that it may have had besides */
    int64_t first, last;               /* nanoseconds; first > last: no record with a time */
    uint32_t next, place;              /* in the bucket, in the heap */
};

/* A list: keys in no order, found by a hash table (buckets), and a heap with the lightest first,
 * which is only in order once a key had to make room. All three are NULL until the first key. */
struct report_keys {
    struct report_key *keys;
    uint32_t count;
    uint32_t *buckets, *heap;
    bool full;
    struct report_count others;
    uint64_t removed; /* how often a key made room */
};

/* Ascending. Up to the hour a unit has a fixed length; the others go by the calendar. */
enum report_unit {
    REPORT_MINUTE,
    REPORT_TEN_MINUTES,
    REPORT_HOUR,
    REPORT_SIX_HOURS,
    REPORT_DAY,
    REPORT_MONTH,
    REPORT_YEAR,
};

/* What happened in one unit of time. */
struct report_bucket {
    int64_t start; /* seconds since 1970: where the unit begins in local time */
    struct report_count count;
    uint64_t lost;
};

/* Begins with minutes and gets coarser when it is full. */
struct report_timeline {
    enum report_unit unit;
    struct report_bucket *buckets; /* ascending; only those with something in them */
    uint32_t count;
    uint64_t outside; /* events for which there was no bucket any more */
    /* The minute that was asked for last, in minutes since 1970, and where its unit begins. */
    bool asked;
    int64_t minute, start;
};

/* Of the first hosts that a log names: what each did over time. */
enum { REPORT_HOSTS = 8 };
struct report_host {
    char *name; /* not escaped */
    struct report_timeline timeline;
};

/* What a verification of the log found, for the page to say; set by who verified it. answer NULL:
 * it was not verified. */
struct report_verified {
    const char *answer; /* intact, intact-so-far, tampered, unproven; constant */
    bool keyed;
    uint64_t records, alarms, losses, last;
    char head[65]; /* the hash of the last record */
};

/* The latest lines of a kind, oldest at next when it is full. */
struct report_ring {
    struct text *lines;
    uint32_t size, next;
    uint64_t seen;
};

/* By sink and cause, as many as there are. */
enum { REPORT_LOSSES = 64 };
/* Both texts as the record has them, cut to the room. */
struct report_loss {
    char sink[32], cause[32];
    uint64_t count;
};

/* Lists, timeline and rings are on the heap, and taken when the first record needs them. */
struct report {
    uint64_t records, broken; /* broken lines: set by who reads */
    /* Records of refusals, each of which may stand for many; and records without a time. */
    uint64_t refusal_records, untimed;
    struct report_count events;
    /* Records that are missing, as records-lost says, and how many such records there are. */
    uint64_t lost, loss_records;
    struct report_loss losses[REPORT_LOSSES];
    uint32_t loss_count;
    int64_t first, last; /* nanoseconds; first > last: no record with a time */
    struct report_keys lists[REPORT_LISTS];
    struct report_timeline timeline;
    struct report_host hosts[REPORT_HOSTS];
    uint32_t host_count;
    struct report_verified verified;
    bool since; /* only what came since the last report: set by who reads */
    /* The lines that are shown one by one. */
    struct report_ring refusals, gaps, spaces, policies;
    struct text facts; /* of report_add() */
};

/* NULL out of memory. */
struct report *report_new(void);
/* NULL is allowed. */
void report_free(struct report *report);

/* False out of memory. The record is counted in part when memory runs out: the report must be given
 * up then. place names the file. */
bool report_add(struct report *report, const struct record *record, const struct read_place *place);

/* ---- in two steps (report_facts.c) ----------------------------------------------------------- */

/* Which lines the report shows one by one. */
enum report_shown {
    REPORT_SHOWN_NONE,
    REPORT_SHOWN_REFUSAL,
    REPORT_SHOWN_LOSS,
    REPORT_SHOWN_SPACE,
    REPORT_SHOWN_POLICY,
};

/* What a record counts as. Behind it stand its keys: of each a struct report_fact_key, which need
 * not be aligned, and its text with a zero behind it. */
struct report_facts {
    struct report_count count;
    int64_t time; /* nanoseconds */
    bool timed;
    enum report_shown shown;
};
struct report_fact_key {
    uint64_t hash; /* of the whole text, before it was cut */
    enum report_list list;
    uint32_t size; /* of the text, with the zero */
};

/* The fields that report_facts() looks at. */
extern const struct record_fields_wanted report_fields;
/* Appends the facts of a record. For any thread. */
void report_facts(const struct record *record, struct text *text);
/* As report_add(). line: the record, of which the line alone is used. facts: what report_facts()
 * made of it. */
bool report_add_facts(struct report *report, const struct record *line, struct slice facts,
                      const struct read_place *place);
uint64_t report_hash(const char *text, size_t length);

/* For a heading. */
const char *report_list_title(enum report_list list);
/* What a key of the list is, for the head of its column. */
const char *report_list_head(enum report_list list);
/* For JSON, frozen. */
const char *report_list_name(enum report_list list);

/* The keys in the order of refusals, then of all events, then of names; order has room for
 * REPORT_KEYS. Gives how many there are. */
uint32_t report_order(const struct report_keys *keys, uint32_t *ret_order);

/* All events of a count. */
static inline uint64_t report_sum(const struct report_count *count)
{
    return count->refused + count->would + count->allowed + count->other;
}

/* ---- timeline (report_timeline.c) ---------------------------------------------------------- */

/* seconds since 1970. False out of memory. */
bool report_time_add(struct report_timeline *timeline, int64_t seconds,
                     const struct report_count *count, uint64_t lost);
/* Where the unit that holds seconds begins, and the next one, in local time. */
int64_t report_floor(enum report_unit unit, int64_t seconds);
/* start must be what report_floor() gave for the unit. */
int64_t report_next(enum report_unit unit, int64_t start);
/* The finest unit, not finer than the timeline's, with at most `most` buckets from first to last.
 */
enum report_unit report_fitting(const struct report_timeline *timeline, uint32_t most);
/* "10 minutes": for a heading. */
const char *report_unit_name(enum report_unit unit);
/* "2026-03-01 13:00", as exact as the unit is. */
void report_bucket_label(struct text *text, enum report_unit unit, int64_t start);
/* "CET (UTC+01:00)" at that time. */
void report_zone(struct text *text, int64_t seconds);

/*
 * Steps through the timeline in another unit, empty buckets as well. Start from {.unit}; false at
 * the end.
 */
struct report_steps {
    enum report_unit unit;
    uint32_t at;
    bool begun;
    struct report_bucket bucket; /* the one at hand */
};
/* steps->bucket is the next step; one without events is given as well. */
bool report_step(const struct report_timeline *timeline, struct report_steps *steps);

/* ---- what comes out (report_write.c) ------------------------------------------------------- */

/* top: keys a list. Safe for a terminal. */
void report_write_text(struct text *text, const struct report *report, uint32_t top);
/* One object and a newline. Lists hold `top` keys and the sum of the others. */
void report_write_json(struct text *text, const struct report *report, uint32_t top);

#endif
