/* SPDX-License-Identifier: MIT */
/* Keeps encoded pieces of records for reuse; called by encode.c. */
#include "audit/memory.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fork.h"

/* No other thread uses them any more. */
static void pieces_release(struct pieces *pieces)
{
    for (int i = 0; i < PIECES_SLOTS; i++) {
        base_free(pieces->slots[i].text);
    }
    pthread_mutex_destroy(&pieces->lock);
}

/* The key is new for each log, so that digests of two logs of one process differ. */
void memory_init(struct audit_memory *memory)
{
    memset(memory, 0, sizeof(*memory));
    digest_key_new(&memory->key);
    pthread_mutex_init(&memory->identities.lock, NULL);
    pthread_mutex_init(&memory->sites.lock, NULL);
}

/* No other thread may use it. The key needs no wiping: it protects nothing after the process. */
void memory_destroy(struct audit_memory *memory)
{
    for (int i = 0; i < PIECES_SLOTS; i++) {
        identity_release(&memory->known[i].identity);
    }
    pieces_release(&memory->identities);
    pieces_release(&memory->sites);
    text_release(&memory->origin);
}

/* fork(2) must not copy a lock that another thread holds, or a piece that is half copied. */
void memory_lock(struct audit_memory *memory)
{
    fork_take(&memory->identities.lock);
    fork_take(&memory->sites.lock);
}

void memory_unlock(struct audit_memory *memory)
{
    pthread_mutex_unlock(&memory->sites.lock);
    pthread_mutex_unlock(&memory->identities.lock);
}

/* ---- digests of identities ------------------------------------------------------------------- */

/* What mostly distinguishes the identities of a process. Two in one slot cost time alone. */
static struct known_identity *known_slot(struct audit_memory *memory,
                                         const struct miguard_identity *identity)
{
    uint64_t mixed = (uint64_t)identity->uid[IDENTITY_FS] << 32 ^ identity->uid[IDENTITY_E] ^
                     (uint64_t)identity->gid[IDENTITY_FS] << 16 ^
                     identity->cap[IDENTITY_CAP_EFFECTIVE];
    return &memory->known[(mixed * 0x9E3779B97F4A7C15u >> 32) % PIECES_SLOTS];
}

/* In all that the digest covers. One with a component that could not be read is equal to none. */
static bool is_known(const struct known_identity *known, const struct miguard_identity *identity)
{
    return known->identity.cap_count == identity->cap_count &&
           miguard_identity_compare(&known->identity, identity) == 0;
}

static bool may_be_known(const struct miguard_identity *identity)
{
    return identity_valid(identity) && identity->group_count <= KNOWN_GROUPS;
}

/* With the lock held. Of one that may be known. */
static struct digest known_digest(struct audit_memory *memory,
                                  const struct miguard_identity *identity)
{
    struct known_identity *known = known_slot(memory, identity);

    if (!is_known(known, identity)) {
        identity_release(&known->identity);
        known->digest = digest_identity(&memory->key, identity);
        (void)!identity_copy(identity, &known->identity); /* without memory it stays invalid */
    }
    return known->digest;
}

struct digest memory_digest(struct audit_memory *memory, const struct miguard_identity *identity)
{
    if (!may_be_known(identity)) {
        return digest_identity(&memory->key, identity);
    }
    pthread_mutex_lock(&memory->identities.lock);
    const struct digest digest = known_digest(memory, identity);
    pthread_mutex_unlock(&memory->identities.lock);
    return digest;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* A call site's key is addresses and a count, not digests: the multiplications (2^64 by the golden
 * ratio) spread their few differing bits over the upper half. */
static struct piece *slot_of(struct pieces *pieces, const struct piece_key *key)
{
    const uint64_t golden = 0x9E3779B97F4A7C15u;
    uint64_t mixed = key->first.word[0] * golden ^ key->first.word[1];

    mixed = (mixed * golden ^ key->second.word[0]) * golden ^ key->second.word[1];
    return &pieces->slots[(mixed >> 32) % PIECES_SLOTS];
}

/* With the lock held. All of the key is compared. */
static bool append_kept(struct pieces *pieces, const struct piece_key *key, struct text *text)
{
    const struct piece *piece = slot_of(pieces, key);
    bool known = piece->length > 0 && digest_equal(&piece->key.first, &key->first) &&
                 digest_equal(&piece->key.second, &key->second);

    if (known) {
        text_append_bytes(text, piece->text, piece->length);
    }
    return known;
}

bool pieces_recall(struct pieces *pieces, const struct piece_key *key, struct text *text)
{
    pthread_mutex_lock(&pieces->lock);
    bool known = append_kept(pieces, key, text);
    pthread_mutex_unlock(&pieces->lock);
    return known;
}

/* One lock for both digests and the piece. The digest of an identity that is not kept is made
 * before it: 65,536 groups take their time. */
bool memory_recall(struct audit_memory *memory, const struct miguard_identity *bound,
                   const struct miguard_identity *current, struct text *text,
                   struct piece_key *ret_key)
{
    const bool known[] = {may_be_known(bound), may_be_known(current)};

    if (!known[0]) {
        ret_key->first = digest_identity(&memory->key, bound);
    }
    if (!known[1]) {
        ret_key->second = digest_identity(&memory->key, current);
    }
    pthread_mutex_lock(&memory->identities.lock);
    if (known[0]) {
        ret_key->first = known_digest(memory, bound);
    }
    if (known[1]) {
        ret_key->second = known_digest(memory, current);
    }
    bool found = append_kept(&memory->identities, ret_key, text);
    pthread_mutex_unlock(&memory->identities.lock);
    return found;
}

/* The key is set with the text under the lock. When memory runs out, the piece that was there
 * stays. */
void pieces_keep(struct pieces *pieces, const struct piece_key *key, const char *text,
                 size_t length)
{
    struct piece *piece = slot_of(pieces, key);

    if (length > PIECE_MAX) {
        return;
    }
    pthread_mutex_lock(&pieces->lock);
    if (length > piece->capacity) {
        char *larger = base_resize(piece->text, length, 1);
        if (larger == NULL) {
            pthread_mutex_unlock(&pieces->lock);
            return;
        }
        piece->text = larger;
        piece->capacity = length;
    }
    memcpy(piece->text, text, length);
    piece->length = length;
    piece->key = *key;
    pthread_mutex_unlock(&pieces->lock);
}
