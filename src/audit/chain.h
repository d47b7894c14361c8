/* SPDX-License-Identifier: MIT */
/*
 * The chain that ties the records of a log together.
 *
 * Record n ends in hash(n) = BLAKE2b-256(key n, every byte of its line up to and with "hash":"),
 * and what is hashed holds the sequence number n and hash(n-1). key n+1 is made from key n one way
 * and key n is wiped, so that an attacker who takes the host after record n cannot write another
 * record n: no interval of records is left unsealed. key 1 is the verification key; `miguard audit
 * init` prints it once and it is kept off the host.
 *
 * A chain without a key uses the same hash without one: it shows accidents and naive editing, and
 * with an anchored head also everything before that head, but an attacker who can write the file
 * can make it anew. Its records have epoch 0.
 *
 * An epoch is a run of records that ends in a record "audit-seal": after CHAIN_EPOCH_RECORDS
 * records, or with the first record that comes CHAIN_EPOCH_SECONDS after its start. With it the
 * state on the disk, which holds the next key, is brought up to date (state.h). In between the
 * disk, and so a snapshot or backup of it, may have an older key than the live state: an attacker
 * who reads that can write anew what came after it, up to one epoch.
 */
#ifndef AUDIT_CHAIN_H
#define AUDIT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* 256 bits, both: BLAKE2b's generic sizes in libsodium, asserted in chain.c. */
    CHAIN_KEY_SIZE = 32,
    CHAIN_HASH_SIZE = 32,
    CHAIN_HEX_SIZE = 2 * CHAIN_HASH_SIZE + 1, /* of a hash or key in hex, with its NUL */
    /* How often a seal is written and the state flushed: the bound on how old a key on the disk can
     * be. */
    CHAIN_EPOCH_RECORDS = 1024,
    CHAIN_EPOCH_SECONDS = 900,
};

/* Copies are wiped as soon as they are not needed (chain_key_wipe()). */
struct chain_key {
    bool present; /* false: a chain without a key */
    unsigned char bytes[CHAIN_KEY_SIZE];
};

/* Before anything else of this file. False when libsodium cannot start. Thread safe. */
bool chain_init(void);

/* A fresh key 1 from the kernel's random numbers. */
void chain_key_new(struct chain_key *ret_key);

/* Key n+1 from key n; key n is gone. Nothing for a chain without a key. */
void chain_key_advance(struct chain_key *key);

/* Overwrites it in a way that the compiler cannot leave out. Afterwards it is a chain without a
 * key. */
void chain_key_wipe(struct chain_key *key);

/* Which chain key 1 belongs to, so that a wrong key differs from a changed record. Never 0. */
uint64_t chain_id_of_key(const struct chain_key *first);

/* For a chain without a key: a random id, never 0. */
uint64_t chain_id_random(void);

/* The hash of a record: bytes are its line up to and with "hash":". Keyed, unless the chain has no
 * key. */
void chain_hash(const struct chain_key *key, const char *bytes, size_t length,
                unsigned char ret_hash[CHAIN_HASH_SIZE]);

/* Compares in constant time: a verifier that answers sooner for a hash that begins right would help
 * to guess one. */
bool chain_hash_equal(const unsigned char a[CHAIN_HASH_SIZE],
                      const unsigned char b[CHAIN_HASH_SIZE]);

/* Lower case, with a NUL: the spelling that chain_parse_hex() takes. */
void chain_hex(const unsigned char bytes[CHAIN_HASH_SIZE], char ret_hex[CHAIN_HEX_SIZE]);

/* 64 lower-case hex digits and nothing else (length is that of text). */
bool chain_parse_hex(const char *text, size_t length, unsigned char ret_bytes[CHAIN_HASH_SIZE]);

/*
 * The key on paper and in --key FILE: one line "miguard-audit-key-1:" and 64 hex digits; blank
 * lines and lines that begin with # are passed over. False when text is nothing of that kind.
 */
#define CHAIN_KEY_PREFIX "miguard-audit-key-1:"
enum { CHAIN_KEY_TEXT_SIZE = sizeof(CHAIN_KEY_PREFIX) + 64 };
void chain_key_text(const struct chain_key *key, char ret_text[CHAIN_KEY_TEXT_SIZE]);
bool chain_key_parse(const char *text, size_t length, struct chain_key *ret_key);

#endif
