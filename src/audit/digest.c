/* SPDX-License-Identifier: MIT */
/* Keyed digests of texts and identities; called by repeat.c and encode.c. */
#include "audit/digest.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(struct digest) == crypto_shorthash_siphashx24_BYTES, "a digest");
_Static_assert(sizeof(struct digest_key) == crypto_shorthash_siphashx24_KEYBYTES, "a key");

/* From getrandom(2), by libsodium. */
void digest_key_new(struct digest_key *ret_key)
{
    randombytes_buf(ret_key->bytes, sizeof(ret_key->bytes));
}

struct digest digest_bytes(const struct digest_key *key, const void *bytes, size_t length)
{
    struct digest digest;
    crypto_shorthash_siphashx24((unsigned char *)&digest, bytes, length, key->bytes);
    return digest;
}

/* NULL has the digest 0, which no text has but by a chance of 2^-128. */
struct digest digest_text(const struct digest_key *key, const char *text)
{
    return text == NULL ? (struct digest){{0, 0}} : digest_bytes(key, text, strlen(text));
}

/* These two fill an array of words and return where the next one goes: fixed widths, so that no two
 * identities have the same bytes. */
static uint64_t *put_word(uint64_t *at, uint64_t word)
{
    *at = word;
    return at + 1;
}

static uint64_t *put_digest(uint64_t *at, struct digest digest)
{
    memcpy(at, digest.word, sizeof(digest.word));
    return at + 2;
}

/* Of the shapes of identity/component.h, so that a component that is added is in the digest or does
 * not compile. What has a length of its own goes in as a digest, which has a fixed one. */
#define PUT_VALUE(at, key, identity, member) put_word(at, (identity)->member)
#define PUT_user                             PUT_VALUE
#define PUT_group                            PUT_VALUE
#define PUT_caps                             PUT_VALUE
#define PUT_securebits                       PUT_VALUE
#define PUT_flag                             PUT_VALUE
#define PUT_number                           PUT_VALUE
#define PUT_groups(at, key, identity, member)                                                      \
    put_digest(at, digest_bytes(key, (identity)->member, (identity)->group_count * sizeof(gid_t)))
#define PUT_label(at, key, identity, member) put_digest(at, digest_text(key, (identity)->member))

/* known and cap_count are part of it: a component that could not be read differs from one that is
 * 0. */
struct digest digest_identity(const struct digest_key *key, const struct miguard_identity *identity)
{
    if (!identity_valid(identity)) {
        return (struct digest){{0, 0}};
    }
    uint64_t words[2 + 2 * MIGUARD_COMPONENT_COUNT], *end = words;

    end = put_word(end, identity->known);
    end = put_word(end, identity->cap_count);
#define PUT(NAME, shape, member, ...) end = PUT_##shape(end, key, identity, member);
    COMPONENT_MAP(PUT)
#undef PUT
    return digest_bytes(key, words, (size_t)(end - words) * sizeof(*words));
}

/* Both words: a digest is equal only as a whole. */
bool digest_equal(const struct digest *a, const struct digest *b)
{
    return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}
