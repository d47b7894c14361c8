/* SPDX-License-Identifier: MIT */
/* What the verifier knows while it goes through a log line by line. */
#ifndef TOOLS_REVIEW_VERIFY_WALK_H
#define TOOLS_REVIEW_VERIFY_WALK_H

#include "tools/review/record.h"
#include "tools/review/verify_report.h"

/* WALK_GAPS: more gaps than this are alarms that no later record can explain. WALK_BOOT: a boot id
 * is 36 characters. */
enum { WALK_GAPS = 256, WALK_BOOT = 40 };

/* One chain as it went so far. */
struct track {
    uint64_t id;
    bool seen;      /* a good record of it was met */
    bool restarted; /* it began behind another chain */
    uint64_t next;  /* the number that the next record should have */
    /* Lines that are no good took these numbers, for want of better; a good record with one of
     * them shows that they had been put in. 0: none. */
    uint64_t suspect;
    /* of the last good record: */
    uint64_t sequence;
    unsigned char hash[CHAIN_HASH_SIZE];
    uint64_t epoch, epoch_records;
    bool sealed; /* it ended its epoch */
    int64_t time;
    char boot[WALK_BOOT];
    const char *file;
    uint64_t line;
    /* the same before the last thing that was missing or wrong: */
    uint64_t sound, sound_epoch;
    char sound_boot[WALK_BOOT];
};

/* Numbers that no record was met for. */
struct gap {
    uint64_t first, last;
    uint64_t born; /* the record that showed it */
    enum verify_kind kind;
    int finding;
};

/* The key with which record `number` is hashed. number 0: not set. */
struct key_place {
    uint64_t number;
    struct chain_key key;
};

/* Keys of numbers from `from` to before `to`, for threads that hash ahead of the walk. */
struct keys_ahead;

struct walk {
    const struct verify_request *request;
    struct verify_report *report;
    struct findings findings;
    const char *file;
    uint64_t line;
    bool file_begins; /* no good record of this file was met */
    /* The chain of the log, and the last other chain that was met. */
    struct track main, other;
    size_t state_count;
    struct state_place {
        bool met;            /* its last record */
        struct track behind; /* of its chain, when another came in the place of it */
    } * states;
    struct key_place at, side, later; /* of main: the next record's, one elsewhere, a later one */
    uint64_t look_ahead, steps;       /* what is left of them */
    struct keys_ahead *ahead;         /* NULL: a key is made when it is needed */
    struct gap gaps[WALK_GAPS];
    size_t gap_count;
    int broken;            /* finding of broken lines that a record may still explain */
    uint64_t broken_lines; /* how many; 0: none */
    uint64_t broken_after; /* the last good record before them */
    int resealed;          /* the first RESEALED behind the last good record, or FINDING_NONE */
    int first_foreign;     /* finding of the first record of another chain */
    enum verify_kind first_foreign_kind;
    bool *met;          /* heads */
    size_t *head_order; /* of the request's heads, by number */
};

/* request and report must outlive the walk. False out of memory; walk_close() is called all the
 * same. */
bool walk_open(struct walk *walk, const struct verify_request *request,
               struct verify_report *report);
/* Clears the keys that it held. */
void walk_close(struct walk *walk);

/* A new file begins: lines count from 1 again. name lives as long as the report. */
void walk_file(struct walk *walk, const char *name);
/* One whole line, without its newline. walk->line must have its number. */
void walk_line(struct walk *walk, const char *line, size_t length);
struct item;
/* The same of a line that item_scan() has read: fault is what it gave. */
void walk_scanned(struct walk *walk, const char *fault, struct item *item);
/* A line that is not a record. fault is copied. */
void walk_broken(struct walk *walk, const char *fault);

/* A file that has the name of a rotated one and does not belong to the log. Reported as a notice,
 * without effect on the verdict. */
void walk_stray(struct walk *walk, const char *name, const char *why);

/* There may be more that just is not written yet: a head is not reached, a line is broken that the
 * next record may explain, or a file is missing that a rotation may just have removed. */
bool walk_wants_more(const struct walk *walk);

/* Everything was seen: unfinished says that the last line has no newline, boot_now names the boot
 * of the system at present ("": not known). */
void walk_finish(struct walk *walk, bool unfinished, const char *boot_now);

/* ---- verify_keys.c: which key a record fits ------------------------------------------------- */

/* What of a record is the chain's. */
struct item {
    struct record record;
    bool chained; /* it has all of the following */
    uint64_t sequence, epoch, chain_id;
    unsigned char previous[CHAIN_HASH_SIZE], hash[CHAIN_HASH_SIZE];
    size_t hashed; /* bytes */
    int64_t time;
    /* What item_scan() has made of these bytes: with no key, or with the key of `sequence`. */
    enum { HASHED_NOT, HASHED_PLAIN, HASHED_KEYED } ahead;
    unsigned char computed[CHAIN_HASH_SIZE];
};

/* The record was parsed already into item->record. Never fails: chained says whether all is
 * there. */
void item_read(const char *line, size_t length, struct item *item);

/* Parses, reads, and hashes where the key is known. NULL, or why the line is no record. For several
 * threads at once, beside the walk itself. */
struct record_kinds;
const char *item_scan(const struct walk *walk, struct record_kinds *kinds, const char *line,
                      size_t length, struct item *ret_item);

/* Makes keys for item_scan(), from the walk's place on; again and again while it goes on. False out
 * of memory. */
bool keys_extend(struct walk *walk);
/* Clears them from memory. */
void keys_forget(struct walk *walk);

/* Whether the hash is that of the record in a chain without a key. */
bool item_fits_plain(const struct item *item);
/* Whether the record was hashed with the key of its number. Needs a request with a key. False as
 * well when the key is too many steps away. */
bool keys_fit(struct walk *walk, const struct item *item);
/* The number of the later key that fits, or 0. Uses up look_ahead; 0 when that is spent. */
uint64_t keys_find_later(struct walk *walk, const struct item *item);

#endif
