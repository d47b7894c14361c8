/* SPDX-License-Identifier: MIT */
/* Hash tables for fleet_ask.c. Secrets of each run keep who writes records from making chains. */
#include "tools/review/fleet_groups.h"
#include "base/alloc.h"

#include <sodium.h>
#include <string.h>

/* ---- tuples ---------------------------------------------------------------------------------- */

void tuple_add(struct text *tuple, const char *text)
{
    text_append(tuple, text != NULL ? "+" : "-");
    text_append(tuple, text != NULL ? text : "");
    text_append_bytes(tuple, "", 1);
}

const char *tuple_next(const char *tuple, size_t *at)
{
    const char *item = tuple + *at;

    *at += strlen(item) + 1;
    return item[0] == '+' ? item + 1 : NULL;
}

static char *copy_bytes(const struct text *text)
{
    char *copy = base_alloc(1, text->length + 1);

    if (copy != NULL && text->length > 0) {
        memcpy(copy, text->data, text->length);
    }
    return copy;
}

/* ---- groups ---------------------------------------------------------------------------------- */

static uint64_t hash_of(const struct groups *groups, const char *key, size_t length)
{
    uint64_t hash;

    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key, length, groups->secret);
    return hash;
}

static void put(struct groups *groups, size_t at)
{
    const struct group *group = &groups->list[at];
    size_t bucket = hash_of(groups, group->key, group->key_length) & (groups->bucket_count - 1);

    while (groups->buckets[bucket] != 0) {
        bucket = (bucket + 1) & (groups->bucket_count - 1);
    }
    groups->buckets[bucket] = (uint32_t)at + 1;
}

/* Twice as many buckets as groups, at least. */
static bool grow(struct groups *groups)
{
    size_t room = groups->room == 0 ? 64 : 2 * groups->room;
    uint32_t *buckets = base_alloc(2 * room, sizeof(*buckets));
    struct group *list = base_resize(groups->list, room, sizeof(*list));

    groups->list = list != NULL ? list : groups->list;
    if (buckets == NULL || list == NULL) {
        base_free(buckets);
        return false;
    }
    if (groups->room == 0) {
        randombytes_buf(groups->secret, sizeof(groups->secret));
    }
    base_free(groups->buckets);
    groups->buckets = buckets;
    groups->bucket_count = 2 * room;
    groups->room = room;
    memset(buckets, 0, groups->bucket_count * sizeof(*buckets));
    for (size_t i = 0; i < groups->count; i++) {
        put(groups, i);
    }
    return true;
}

static struct group *find(const struct groups *groups, const struct text *key)
{
    if (groups->room == 0) {
        return NULL;
    }
    size_t bucket = hash_of(groups, key->data, key->length) & (groups->bucket_count - 1);
    for (; groups->buckets[bucket] != 0; bucket = (bucket + 1) & (groups->bucket_count - 1)) {
        struct group *group = &groups->list[groups->buckets[bucket] - 1];
        if (group->key_length == key->length && memcmp(group->key, key->data, key->length) == 0) {
            return group;
        }
    }
    return NULL;
}

static struct group *add(struct groups *groups, const struct text *key)
{
    if (groups->count == groups->room && !grow(groups)) {
        return NULL;
    }
    char *copy = copy_bytes(key);
    if (copy == NULL) {
        return NULL;
    }
    struct group *group = &groups->list[groups->count];
    *group = (struct group){
        .key = copy, .key_length = key->length, .first = INT64_MAX, .last = INT64_MIN};
    put(groups, groups->count++);
    return group;
}

/* By time, host and sequence: below 0 when the record is before the one that extra is of. */
static int against_kept(const struct group *group, const struct group_record *record,
                        int64_t kept_time)
{
    if (record->time != kept_time || group->tie_host == NULL) {
        return record->time < kept_time ? -1 : 1;
    }
    int hosts = strcmp(record->host, group->tie_host);
    return hosts != 0 ? hosts
                      : (record->sequence > group->tie_sequence) -
                            (record->sequence < group->tie_sequence);
}

struct group *groups_count(struct groups *groups, const struct text *key,
                           const struct group_record *record, bool keep_first, bool *ret_keep)
{
    struct group *group = key->failed ? NULL : find(groups, key);

    if (group == NULL && (key->failed || (group = add(groups, key)) == NULL)) {
        return NULL;
    }
    *ret_keep = group->extra == NULL || (keep_first ? against_kept(group, record, group->first) < 0
                                                    : against_kept(group, record, group->last) > 0);
    group->count =
        group->count > UINT64_MAX - record->count ? UINT64_MAX : group->count + record->count;
    group->first = record->time < group->first ? record->time : group->first;
    group->last = record->time > group->last ? record->time : group->last;
    return group;
}

bool group_keep(struct group *group, const struct text *extra, const struct group_record *record)
{
    base_free(group->extra);
    base_free(group->tie_host);
    group->extra = extra->failed ? NULL : copy_bytes(extra);
    group->tie_host = base_copy_text(record->host);
    group->tie_sequence = record->sequence;
    return group->extra != NULL && group->tie_host != NULL;
}

void groups_release(struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        base_free(groups->list[i].key);
        base_free(groups->list[i].extra);
        base_free(groups->list[i].tie_host);
    }
    base_free(groups->list);
    base_free(groups->buckets);
    *groups = (struct groups){0};
}

/* ---- lines ----------------------------------------------------------------------------------- */

static const unsigned char no_line[16];

static unsigned char *slot_of(const struct line_set *set, const unsigned char hash[16])
{
    size_t at;

    memcpy(&at, hash, sizeof(at));
    for (at &= set->room - 1;; at = (at + 1) & (set->room - 1)) {
        if (memcmp(set->slots[at], hash, 16) == 0 || memcmp(set->slots[at], no_line, 16) == 0) {
            return set->slots[at];
        }
    }
}

static bool grow_set(struct line_set *set)
{
    struct line_set larger = {.room = set->room == 0 ? 1024 : 2 * set->room};

    larger.slots = base_alloc(larger.room, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return false;
    }
    memset(larger.slots, 0, larger.room * sizeof(*larger.slots));
    for (size_t i = 0; i < set->room; i++) {
        if (memcmp(set->slots[i], no_line, 16) != 0) {
            memcpy(slot_of(&larger, set->slots[i]), set->slots[i], 16);
        }
    }
    if (set->room == 0) {
        randombytes_buf(set->secret, sizeof(set->secret));
    }
    base_free(set->slots);
    set->slots = larger.slots;
    set->room = larger.room;
    return true;
}

enum line_seen line_set_add(struct line_set *set, const char *line, size_t length)
{
    unsigned char hash[crypto_shorthash_siphashx24_BYTES];

    if (2 * (set->count + 1) > set->room && !grow_set(set)) {
        return LINE_NO_MEMORY;
    }
    crypto_shorthash_siphashx24(hash, (const unsigned char *)line, length, set->secret);
    unsigned char *slot = slot_of(set, hash);
    if (memcmp(slot, no_line, 16) != 0) {
        return LINE_SEEN;
    }
    memcpy(slot, hash, 16);
    set->count++;
    return LINE_NEW;
}

void line_set_release(struct line_set *set)
{
    base_free(set->slots);
    *set = (struct line_set){0};
}
