/* SPDX-License-Identifier: MIT */
#include "audit/digest.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(struct digest) == crypto_shorthash_siphashx24_BYTES, "a digest");
_Static_assert(sizeof(struct digest_key) == crypto_shorthash_siphashx24_KEYBYTES, "a key");

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

struct digest digest_text(const struct digest_key *key, const char *text)
{
    return text == NULL ? (struct digest){{0, 0}} : digest_bytes(key, text, strlen(text));
}

struct digest digest_identity(const struct digest_key *key, const struct miguard_identity *identity)
{
    if (!identity_valid(identity)) {
        return (struct digest){{0, 0}};
    }
    struct digest groups =
        digest_bytes(key, identity->groups, identity->group_count * sizeof(gid_t));
    struct digest label = digest_text(key, identity->lsm_label);
    uint64_t words[2 * IDENTITY_IDS + IDENTITY_CAP_SETS + 9];
    size_t count = 0;

    for (int i = 0; i < IDENTITY_IDS; i++) {
        words[count++] = identity->uid[i];
        words[count++] = identity->gid[i];
    }
    for (int i = 0; i < IDENTITY_CAP_SETS; i++) {
        words[count++] = identity->cap[i];
    }
    words[count++] = identity->known;
    words[count++] = identity->cap_count;
    words[count++] = identity->securebits;
    words[count++] = identity->no_new_privs;
    words[count++] = identity->user_namespace;
    memcpy(&words[count], groups.word, sizeof(groups.word));
    memcpy(&words[count + 2], label.word, sizeof(label.word));
    return digest_bytes(key, words, sizeof(words));
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}
