/* SPDX-License-Identifier: MIT */
/*
 * Pieces of records that come again and again, kept as they are written: identities may
 * have 65,536 groups, and dladdr(3) searches all symbols of a module.
 *
 * Call sites are kept for their addresses and the number of modules that were ever unloaded
 * (dl_iterate_phdr(3), dlpi_subs): after a dlclose(3) another module may be at that address, and
 * then nothing that was kept before is used again.
 */
#ifndef AUDIT_MEMORY_H
#define AUDIT_MEMORY_H

#include <pthread.h>
#include <stdbool.h>

#include "audit/digest.h"
#include "audit/encode.h"
#include "base/text.h"

/* A process has few identities and call sites. 32 slots of at most 16 KiB each bound what is
 * kept. */
enum { PIECES_SLOTS = 32, PIECE_MAX = 16384 };

/* Two digests, or what distinguishes two call sites. */
struct piece_key {
    struct digest first, second;
};

/* A small table with one slot for each hash value: a piece replaces another one with the same slot,
 * which costs time and never a wrong record, since the whole key is compared. */
struct pieces {
    pthread_mutex_t lock;
    struct piece {
        struct piece_key key;
        char *text;
        size_t length, capacity; /* length 0: nothing here */
    } slots[PIECES_SLOTS];
};

/* An identity and its digest. A refusal needs the digests of two identities up to three times, and
 * each costs as much as four comparisons. */
struct known_identity {
    struct miguard_identity identity; /* invalid: nothing here */
    struct digest digest;
};
enum { KNOWN_GROUPS = 1024 }; /* one with more groups is not kept */

/* One for each log. key makes the digests that pieces are kept under. */
struct audit_memory {
    struct digest_key key;
    struct pieces identities, sites;
    struct known_identity known[PIECES_SLOTS]; /* under the lock of identities */
    struct text origin; /* audit_encode_origin(); replaced only while no other thread writes */
};

void memory_init(struct audit_memory *memory);
void memory_destroy(struct audit_memory *memory);

/* Across fork(2). */
void memory_lock(struct audit_memory *memory);
void memory_unlock(struct audit_memory *memory);

/* digest_identity() of the identity, which may be NULL or invalid. Thread safe. */
struct digest memory_digest(struct audit_memory *memory, const struct miguard_identity *identity);

/* Appends what is kept of these two identities; false: not found, and text is as before. *ret_key
 * is what it is to be kept under in identities. Thread safe. */
bool memory_recall(struct audit_memory *memory, const struct miguard_identity *bound,
                   const struct miguard_identity *current, struct text *text,
                   struct piece_key *ret_key);

/* Appends what is kept under key; false: not found, and text is as before. Thread safe. */
bool pieces_recall(struct pieces *pieces, const struct piece_key *key, struct text *text);

/* Without memory, or when it is too long, nothing is kept. */
void pieces_keep(struct pieces *pieces, const struct piece_key *key, const char *text,
                 size_t length);

#endif
