/* SPDX-License-Identifier: MIT */
/*
 * Records counted by a key of several texts, for fleet_ask.c: a hash table of what SQL calls
 * groups. And the set of lines that came before.
 */
#ifndef TOOLS_REVIEW_FLEET_GROUPS_H
#define TOOLS_REVIEW_FLEET_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Texts one behind the other, each of which may be null: "+text" or "-", with a NUL behind it. */
void tuple_add(struct text *tuple, const char *text);
/* Steps through it; *at is 0 at first. */
const char *tuple_next(const char *tuple, size_t *at);

struct group {
    char *key, *extra; /* tuples; extra is of the first or last record; NULL: none was kept */
    size_t key_length;
    uint64_t count; /* stays at the highest number */
    int64_t first, last;
    /* The record that extra is of: times are not enough for an order. */
    char *tie_host;
    uint64_t tie_sequence;
};

struct groups {
    struct group *list;
    size_t count, room;
    uint32_t *buckets; /* index + 1 */
    size_t bucket_count;
    unsigned char secret[16];
};

/* A record that counts for a group. */
struct group_record {
    uint64_t count;
    int64_t time;
    const char *host;
    uint64_t sequence;
};

/* The group of this key with the record counted; NULL out of memory. Which of two records is the
 * earlier: by time, host, sequence. *ret_first, *ret_last: it is the first or last so far. */
struct group *groups_count(struct groups *groups, const struct text *key,
                           const struct group_record *record, bool keep_first, bool *ret_keep);
/* Replaces extra by that of the record. */
bool group_keep(struct group *group, const struct text *extra, const struct group_record *record);
void groups_release(struct groups *groups);

/* Lines by a hash with a secret of this run, 128 bits: no writer of records can make two the same.
 */
struct line_set {
    unsigned char (*slots)[16]; /* all zero: free */
    size_t count, room;
    unsigned char secret[16];
};
enum line_seen { LINE_NEW, LINE_SEEN, LINE_NO_MEMORY };
enum line_seen line_set_add(struct line_set *set, const char *line, size_t length);
void line_set_release(struct line_set *set);

#endif
