/* SPDX-License-Identifier: MIT */
/*
 * Is what was collected from many hosts whole? Reads every file of a store, brings the records of
 * each chain into their order, leaves out what was delivered twice, and has the rest judged as
 * `miguard audit verify` judges the log of one host (verify_walk.h). What is wrong with a record is
 * decided there alone; here is what only a store can show.
 *
 * What can be proved, and what not:
 * - With the key of a chain its records are proved, and every number that is missing is known.
 * - That the end is there shows only against a head that came another way: from the syslog or
 *   journal sink to another machine, or from a list that was kept.
 * - Transports may deliver records late, twice or in another order: that is counted, and
 *   is no alarm. What is missing behind the last record that came is not distinguished from what is
 *   still on the way; a host that fell silent is named.
 */
#ifndef TOOLS_REVIEW_FLEET_H
#define TOOLS_REVIEW_FLEET_H

#include "tools/review/verify.h"

/* Facts about a host and chain that the walk does not know. X(NAME, alarm, "name", "in a sentence")
 */
#define FLEET_FACT_MAP(X)                                                                          \
    X(SILENT, true, "silent", "nothing came for longer than --silent")                             \
    X(NEVER_HEARD, true, "never-heard", "nothing came of a chain whose key or head is known")      \
    X(WENT_BACK, true, "went-back",                                                                \
      "a number stands for different records: the host or its log was set back, or copied")        \
    X(RESTARTED, true, "restarted",                                                                \
      "a chain without a known key begins behind the end of another one of this host")             \
    X(WRONG_KEY, true, "wrong-key", "the key with the name of this host is of another chain")      \
    X(FOREIGN_HOST, true, "foreign-host", "records lie in the folder of another host")             \
    X(SHARED_FOLDER, true, "shared-folder",                                                        \
      "the folder has the first part of its name, and that of another host")                       \
    X(CLOCK_AHEAD, true, "clock-ahead", "its clock is ahead of the others or of this machine")     \
    X(CLOCK_BEHIND, true, "clock-behind", "its clock is behind the others, or its records late")   \
    X(NO_KEY, false, "no-key", "the key of this chain is missing")                                 \
    X(NO_HEAD, false, "no-head", "no head was met: that the end is there is not proved")           \
    X(RENAMED, false, "renamed", "records of this chain have more than one host name")

/* Bits. */
enum fleet_fact_index {
#define FLEET_FACT_INDEX(NAME, alarm, name, text) FLEET_INDEX_##NAME,
    FLEET_FACT_MAP(FLEET_FACT_INDEX)
#undef FLEET_FACT_INDEX
        FLEET_FACT_COUNT
};
enum fleet_fact {
#define FLEET_FACT_BIT(NAME, alarm, name, text) FLEET_##NAME = 1 << FLEET_INDEX_##NAME,
    FLEET_FACT_MAP(FLEET_FACT_BIT)
#undef FLEET_FACT_BIT
};
struct fleet_fact_words {
    bool alarm;
    const char *name, *text;
};
extern const struct fleet_fact_words fleet_facts[FLEET_FACT_COUNT];

/* HEADS_MOST: of one chain. More are thinned out; the last one stays, and it covers the others. */
enum { FLEET_HEADS_MOST = 1 << 16, FLEET_FINDINGS_MOST = 1 << 16, FLEET_BROKEN_KEPT = 20 };

/* So that a forged store cannot keep the verifier for days: beyond, what cannot be checked is an
 * alarm. */
#define FLEET_LOOK_AHEAD (UINT64_C(64) * VERIFY_LOOK_AHEAD)
#define FLEET_STEPS      (UINT64_C(16) * VERIFY_STEPS)

/* name: of its file without ".key"; where that is a host's name the key is expected there. */
struct fleet_key {
    struct chain_key key;
    const char *name;
};

struct fleet_request {
    const char *const *places; /* folders and files */
    size_t place_count;
    const char *const *heads; /* files and folders of what came through another channel */
    size_t head_count;
    const struct fleet_key *keys;
    size_t key_count;
    bool by_folder; /* the folder of a file is the name of its host */
    bool partial;   /* the store begins later than the logs */
    int64_t now;    /* nanoseconds since 1970 */
    int64_t silent; /* nanoseconds; 0: not asked */
    int64_t slack;  /* of clocks, nanoseconds */
    /* As of verify_request, for all chains together; 0: FLEET_LOOK_AHEAD, FLEET_STEPS. No chain
     * gets more than VERIFY_LOOK_AHEAD and VERIFY_STEPS of them. */
    uint64_t look_ahead, steps;
    size_t run; /* entries in memory; 0: FLEET_RUN. For tests */
    bool (*progress)(void *context, uint64_t done, uint64_t total); /* may be NULL; of files */
    void *context;
};

/* One host and chain. */
struct fleet_row {
    char *host; /* "": no record says it */
    uint64_t chain;
    struct verify_report report; /* as of one log; names are the store's */
    unsigned facts;              /* of enum fleet_fact */
    uint64_t missing;            /* numbers of which no line came, from the first expected on */
    uint64_t duplicates;         /* lines that came before, byte by byte */
    uint64_t reordered;          /* lines that came before one with a lower number */
    uint64_t first_reordered;    /* the lowest number of these; 0: none */
    uint64_t heads;              /* how many of this chain were given */
    uint64_t foreign;            /* lines in the folder of another host */
    const char *foreign_file;
    /* by_folder: the first file in a folder with only the first parts of its name; NULL: none */
    const char *short_file;
    int64_t first_time, last_time; /* of good records; 0: none */
    int64_t offset;                /* of the clock, with CLOCK_AHEAD and CLOCK_BEHIND */
    bool partial;                  /* by_folder: what is before the first is elsewhere */
    /* It says that it goes on behind this record of a chain whose state was set aside; 0: no. */
    uint64_t follows;
    unsigned char follows_hash[CHAIN_HASH_SIZE];
};

/* A line that is no record, or has no place in a chain. */
struct fleet_broken {
    const char *file;
    uint64_t line;
    char fault[64];
};

struct fleet_report {
    struct fleet_row *rows; /* by host and age */
    size_t row_count;
    uint64_t files, bytes, lines;
    uint64_t broken, unchained, unfinished; /* lines */
    struct fleet_broken kept[FLEET_BROKEN_KEPT];
    size_t kept_count;
    uint64_t heads; /* that were read */
    char **names;
    size_t name_count;
};

/* Errors: INVALID_ARGUMENT, NO_MEMORY, NOT_FOUND, SYSTEM, LIMIT, BAD_STATE (ended by progress).
 * *ret_report is written with OK only, and is then the caller's to release. What is wrong with the
 * store is no error. */
MIGUARD_CHECKED enum miguard_status fleet_verify(const struct fleet_request *request,
                                                 struct fleet_report *ret_report,
                                                 struct miguard_error *reterr);
void fleet_release(struct fleet_report *report);

/* Whether anything about the row is an alarm, and whether all of it is proved up to a head. */
bool fleet_row_alarms(const struct fleet_row *row);
bool fleet_row_proven(const struct fleet_row *row);

/* Where the record begins in a line that a collector put a head before; 0 without one. */
size_t fleet_record_start(const char *line, size_t length);
/* A head in any line of another channel: "CHAIN SEQ:HASH", the structured data of the syslog sink,
 * the journal's JSON (journalctl -o json), or a whole record. False: the line has none. */
bool fleet_head_read(const char *line, size_t length, uint64_t *ret_chain,
                     struct verify_head *ret_head);

#endif
