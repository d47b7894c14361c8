/* SPDX-License-Identifier: MIT */
/*
 * Reads what the chain needs of a record, derives the keys of the epochs from the verification key
 * and checks records with them, for verify_walk.c.
 *
 * A key is made from the one before it by chain_key_advance() and cannot be turned back
 * (audit/chain.h), so record n has key n, n - 1 steps from key 1. Three places are kept: `at` where
 * the log is now, `side` for records that stand too early, `later` for the key that an intruder is
 * found to write with. Steps and keys that are tried are limited in all, or one forged sequence
 * number would cost hours.
 */
#include "audit/encode.h"
#include "base/alloc.h"
#include "tools/review/record_like.h"
#include "tools/review/verify_walk.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

/* As encode.c writes it, last in the record. */
#define HASH_NAME "\"hash\":\""

/* Lower-case hex in quotes, of exactly the hash's length. */
static bool read_hash(const struct record *record, enum record_field field,
                      unsigned char ret_hash[CHAIN_HASH_SIZE])
{
    const struct slice *slice = &record->field[field];

    return slice->at != NULL && slice->length == CHAIN_HEX_SIZE + 1 &&
           chain_parse_hex(slice->at + 1, CHAIN_HEX_SIZE - 1, ret_hash);
}

/* 16 hex digits, as encode.c writes ids. 0 is no chain. Another spelling of the same number is
 * refused: the hash covers bytes, and a writer has one spelling. */
static bool read_id(const struct record *record, uint64_t *ret_id)
{
    const struct slice *slice = &record->field[RECORD_CHAIN];
    uint64_t id = 0;

    if (slice->at == NULL || slice->length != 18) {
        return false;
    }
    for (size_t i = 1; i <= 16; i++) {
        char c = slice->at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        id = id << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret_id = id;
    return id != 0;
}

/* What stands behind the hash is not hashed, so there must be nothing but the end of the line.
 * *ret_hashed: the bytes from the beginning of the line to the hash's first digit. */
static bool ends_in_hash(const struct record *record, size_t *ret_hashed)
{
    const size_t end = sizeof(AUDIT_LINE_END) - 1, name = sizeof(HASH_NAME) - 1;
    const size_t tail = CHAIN_HEX_SIZE - 1 + end;

    if (record->length < tail + name ||
        memcmp(record->line + record->length - end, AUDIT_LINE_END, end) != 0) {
        return false;
    }
    *ret_hashed = record->length - tail;
    return record->field[RECORD_HASH].at == record->line + *ret_hashed - 1 &&
           memcmp(record->line + *ret_hashed - name, HASH_NAME, name) == 0;
}

/* chained is false unless every part is there and well formed; walk_line() reports such a line. */
void item_read(const char *line, size_t length, struct item *item)
{
    struct record *record = &item->record;

    record->line = line;
    record->length = length;
    item->time = 0;
    item->ahead = HASHED_NOT;
    item->chained = ends_in_hash(record, &item->hashed) &&
                    read_hash(record, RECORD_HASH, item->hash) &&
                    read_hash(record, RECORD_CHAIN_PREVIOUS, item->previous) &&
                    read_id(record, &item->chain_id) &&
                    record_number(record, RECORD_CHAIN_EPOCH, &item->epoch) &&
                    record_number(record, RECORD_SEQUENCE, &item->sequence) && item->sequence > 0;
    if (!record_time(record, RECORD_TIMESTAMP, &item->time)) {
        item->time = 0;
    }
}

/* In constant time (chain_hash_equal()), as every comparison of hashes. */
static bool fits(const struct item *item, const struct chain_key *key)
{
    unsigned char hash[CHAIN_HASH_SIZE];

    chain_hash(key, item->record.line, item->hashed, hash);
    return chain_hash_equal(hash, item->hash);
}

/* ---- keys that run ahead ----------------------------------------------------------------------
 */

/*
 * Key n + 1 is made from key n, so keys can be made by one thread only; with them the records are
 * hashed by several. A thread that does not find a key leaves the hash to the walk, so keys_ahead
 * decides how fast a log is verified and never what is found.
 */

/* More records than lie in the pieces that are read ahead. */
enum { KEYS_AHEAD = 8192 };

/* The key of number n lies at n % KEYS_AHEAD. The walk's thread alone writes; under the lock it
 * moves from and to, and others look there and copy. */
struct keys_ahead {
    pthread_mutex_t lock;
    uint64_t from, to;
    struct chain_key keys[KEYS_AHEAD];
};

/* First the old ones go, so that no thread copies a key while another takes its place. */
bool keys_extend(struct walk *walk)
{
    struct keys_ahead *ahead = walk->ahead;

    if (walk->request->key == NULL) {
        return true;
    }
    if (ahead == NULL) {
        ahead = walk->ahead = base_alloc(1, sizeof(*ahead));
        if (ahead == NULL) {
            return false;
        }
        pthread_mutex_init(&ahead->lock, NULL);
    }
    uint64_t to = ahead->to;
    bool jumped = walk->at.number >= to;
    pthread_mutex_lock(&ahead->lock);
    ahead->from = walk->at.number;
    ahead->to = jumped ? ahead->from : to;
    pthread_mutex_unlock(&ahead->lock);
    if (jumped) {
        to = ahead->from;
        ahead->keys[to % KEYS_AHEAD] = walk->at.key;
        to++;
    }
    for (; to < ahead->from + KEYS_AHEAD; to++) {
        ahead->keys[to % KEYS_AHEAD] = ahead->keys[(to - 1) % KEYS_AHEAD];
        chain_key_advance(&ahead->keys[to % KEYS_AHEAD]);
    }
    pthread_mutex_lock(&ahead->lock);
    ahead->to = to;
    pthread_mutex_unlock(&ahead->lock);
    return true;
}

void keys_forget(struct walk *walk)
{
    if (walk->ahead != NULL) {
        pthread_mutex_destroy(&walk->ahead->lock);
        sodium_memzero(walk->ahead, sizeof(*walk->ahead));
        base_free(walk->ahead);
        walk->ahead = NULL;
    }
}

/* For any thread. */
static bool copy_key(struct keys_ahead *ahead, uint64_t number, struct chain_key *ret_key)
{
    pthread_mutex_lock(&ahead->lock);
    bool known = number >= ahead->from && number < ahead->to;
    if (known) {
        *ret_key = ahead->keys[number % KEYS_AHEAD];
    }
    pthread_mutex_unlock(&ahead->lock);
    return known;
}

/* Chains without a key need none; of others only the log's own has the keys. */
static void hash_ahead(const struct walk *walk, struct item *item)
{
    static const struct chain_key none = {0};
    struct chain_key key;

    if (item->epoch == 0) {
        chain_hash(&none, item->record.line, item->hashed, item->computed);
        item->ahead = HASHED_PLAIN;
    } else if (walk->ahead != NULL && item->chain_id == walk->main.id &&
               copy_key(walk->ahead, item->sequence, &key)) {
        chain_hash(&key, item->record.line, item->hashed, item->computed);
        item->ahead = HASHED_KEYED;
        chain_key_wipe(&key);
    }
}

const char *item_scan(const struct walk *walk, struct record_kinds *kinds, const char *line,
                      size_t length, struct item *ret_item)
{
    size_t at = 0;
    const char *fault = record_parse_like(kinds, line, length, &ret_item->record, &at);

    if (fault == NULL) {
        item_read(line, length, ret_item);
        if (ret_item->chained) {
            hash_ahead(walk, ret_item);
        }
    }
    return fault;
}

/* ---- which key a record fits ------------------------------------------------------------------
 */

bool item_fits_plain(const struct item *item)
{
    static const struct chain_key none = {0};
    unsigned char hash[CHAIN_HASH_SIZE];

    if (item->ahead == HASHED_PLAIN) {
        return chain_hash_equal(item->computed, item->hash);
    }
    chain_hash(&none, item->record.line, item->hashed, hash);
    return chain_hash_equal(hash, item->hash);
}

/* With the key of its own number, which may have been done ahead. */
static bool fits_own(const struct item *item, const struct chain_key *key)
{
    return item->ahead == HASHED_KEYED ? chain_hash_equal(item->computed, item->hash)
                                       : fits(item, key);
}

/* Moves place on to key number. False when that is further than is allowed. One step is free: a
 * whole log needs one for each record. Only jumps count. */
static bool step_to(struct walk *walk, struct key_place *place, uint64_t number)
{
    uint64_t distance = number - place->number;

    if (distance > 1 && distance > walk->steps) {
        return false;
    }
    walk->steps -= distance > 1 ? distance : 0;
    if (walk->ahead != NULL && number >= walk->ahead->from && number < walk->ahead->to) {
        place->key = walk->ahead->keys[number % KEYS_AHEAD];
        place->number = number;
    }
    while (place->number < number) {
        chain_key_advance(&place->key);
        place->number++;
    }
    return true;
}

/* A key before the next one has to be made from the first again. `side` stays where it is, so that
 * a run of early records costs one step each. */
static const struct chain_key *earlier_key(struct walk *walk, uint64_t number)
{
    if (walk->side.number == 0 || walk->side.number > number) {
        walk->side = (struct key_place){1, *walk->request->key};
    }
    return step_to(walk, &walk->side, number) ? &walk->side.key : NULL;
}

/* `at` moves only with a record that fits, so a forged number cannot carry it away. */
bool keys_fit(struct walk *walk, const struct item *item)
{
    if (item->sequence < walk->at.number) {
        const struct chain_key *key = earlier_key(walk, item->sequence);
        return key != NULL && fits_own(item, key);
    }
    struct key_place place = walk->at;
    if (!step_to(walk, &place, item->sequence) || !fits_own(item, &place.key)) {
        return false;
    }
    walk->at = place;
    return true;
}

/* Who writes with a stolen key either moves it on with each record or keeps it. Both ways are tried
 * before the search, which is what costs. */
static uint64_t found_again(struct walk *walk, const struct item *item)
{
    if (walk->later.number == 0 || item->sequence >= walk->later.number) {
        return 0;
    }
    if (fits(item, &walk->later.key)) {
        return walk->later.number;
    }
    struct key_place next = walk->later;
    chain_key_advance(&next.key);
    next.number++;
    if (!fits(item, &next.key)) {
        return 0;
    }
    walk->later = next;
    return next.number;
}

/* A hash that fits a later key than its number's was made after that key came into use: by a person
 * who took that key, and rewrote an older record. */
uint64_t keys_find_later(struct walk *walk, const struct item *item)
{
    uint64_t again = found_again(walk, item);
    struct key_place place = {1, *walk->request->key};

    if (again != 0) {
        return again;
    }
    if (item->sequence >= walk->at.number) {
        place = walk->at;
    } else if (earlier_key(walk, item->sequence) != NULL) {
        place = walk->side;
    }
    if (!step_to(walk, &place, item->sequence)) {
        return 0;
    }
    /* One record that fits no key must not use up what shows where the next one comes from. */
    for (uint64_t left = (walk->look_ahead + 1) / 2; left > 0; left--) {
        walk->look_ahead--;
        chain_key_advance(&place.key);
        place.number++;
        if (fits(item, &place.key)) {
            walk->later = place;
            return place.number;
        }
    }
    return 0;
}
