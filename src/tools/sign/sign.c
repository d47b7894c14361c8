/* SPDX-License-Identifier: MIT */
/* Makes keys and signatures, and checks signatures: Ed25519 over BLAKE2b-512, by libsodium. What
 * the files look like is sign_text.c's; tools/cli calls both. */
#include "tools/sign/sign.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Static_assert(SIGN_PUBLIC == crypto_sign_PUBLICKEYBYTES &&
                   SIGN_SECRET == crypto_sign_SECRETKEYBYTES && SIGN_BYTES == crypto_sign_BYTES &&
                   SIGN_DIGEST == crypto_generichash_BYTES_MAX,
               "the sizes of Ed25519 and BLAKE2b-512");

const char *sign_result_text(enum sign_result result)
{
    static const char *const texts[] = {
        [SIGN_UNABLE] = "the system failed",
        [SIGN_GOOD] = "good",
        [SIGN_MALFORMED] = "not a file that minisign or miguard wrote, or cut off",
        [SIGN_OLD_KIND] = "a signature without a hash (minisign -l); sign again without -l",
        [SIGN_OTHER_KEY] = "signed by another key",
        [SIGN_CHANGED] = "changed after it was signed",
        [SIGN_COMMENT_CHANGED] = "the trusted comment was changed after it was signed",
        [SIGN_EXPOSED] = "open to others than its owner; right is mode 0600",
        [SIGN_LOCKED] = "needs a password",
        [SIGN_WRONG_PASSWORD] = "wrong password, or a damaged key",
        [SIGN_DAMAGED] = "damaged: its halves do not belong together",
    };

    return (size_t)result < sizeof(texts) / sizeof(texts[0]) ? texts[result] : "unknown";
}

bool sign_begin(void)
{
    return sodium_init() >= 0;
}

void sign_wipe(struct sign_secret *secret)
{
    sodium_memzero(secret, sizeof(*secret));
}

/* minisign(1) takes the bytes as a number, the least first. */
void sign_id_text(const uint8_t id[SIGN_ID], char ret_text[SIGN_ID_TEXT])
{
    for (size_t i = 0; i < SIGN_ID; i++) {
        snprintf(ret_text + 2 * i, 3, "%02X", id[SIGN_ID - 1 - i]);
    }
}

void sign_make_keys(struct sign_secret *ret_secret, struct sign_public *ret_public)
{
    (void)crypto_sign_keypair(ret_public->key, ret_secret->key);
    randombytes_buf(ret_public->id, sizeof(ret_public->id));
    memcpy(ret_secret->id, ret_public->id, sizeof(ret_secret->id));
}

void sign_digest(const void *bytes, size_t length, uint8_t ret_digest[SIGN_DIGEST])
{
    (void)crypto_generichash(ret_digest, SIGN_DIGEST, bytes, length, NULL, 0);
}

enum sign_result sign_digest_fd(int fd, uint8_t ret_digest[SIGN_DIGEST])
{
    crypto_generichash_state state;
    unsigned char piece[16384];
    ssize_t count;

    (void)crypto_generichash_init(&state, NULL, 0, SIGN_DIGEST);
    while ((count = read(fd, piece, sizeof(piece))) != 0) {
        if (count < 0 && errno != EINTR) {
            return SIGN_UNABLE;
        }
        (void)crypto_generichash_update(&state, piece, count > 0 ? (size_t)count : 0);
    }
    (void)crypto_generichash_final(&state, ret_digest, SIGN_DIGEST);
    return SIGN_GOOD;
}

/* The signature of a file is followed by what covers it and the comment: without that, a comment
 * could be moved from one signature to another. */
static size_t whole_message(const uint8_t file[SIGN_BYTES], const char *trusted,
                            uint8_t ret_message[SIGN_BYTES + SIGN_TRUSTED_MOST])
{
    size_t length = strlen(trusted);

    memcpy(ret_message, file, SIGN_BYTES);
    memcpy(ret_message + SIGN_BYTES, trusted, length);
    return SIGN_BYTES + length;
}

enum sign_result sign_verify(const struct sign_signature *signature,
                             const uint8_t digest[SIGN_DIGEST], const struct sign_public *keys,
                             size_t count, size_t *ret_index)
{
    uint8_t message[SIGN_BYTES + SIGN_TRUSTED_MOST];
    size_t length = whole_message(signature->file, signature->trusted, message);
    enum sign_result result = SIGN_OTHER_KEY;

    for (size_t i = 0; i < count; i++) {
        if (memcmp(signature->id, keys[i].id, SIGN_ID) != 0) {
            continue;
        }
        if (crypto_sign_verify_detached(signature->file, digest, SIGN_DIGEST, keys[i].key) != 0) {
            result = result == SIGN_OTHER_KEY ? SIGN_CHANGED : result;
        } else if (crypto_sign_verify_detached(signature->whole, message, length, keys[i].key) !=
                   0) {
            result = SIGN_COMMENT_CHANGED;
        } else {
            *ret_index = i;
            return SIGN_GOOD;
        }
    }
    return result;
}

enum sign_result sign_verify_comment(const struct sign_signature *signature,
                                     const struct sign_public *keys, size_t count,
                                     size_t *ret_index)
{
    uint8_t message[SIGN_BYTES + SIGN_TRUSTED_MOST];
    size_t length = whole_message(signature->file, signature->trusted, message);
    enum sign_result result = SIGN_OTHER_KEY;

    for (size_t i = 0; i < count; i++) {
        if (memcmp(signature->id, keys[i].id, SIGN_ID) != 0) {
            continue;
        }
        if (crypto_sign_verify_detached(signature->whole, message, length, keys[i].key) == 0) {
            *ret_index = i;
            return SIGN_GOOD;
        }
        result = SIGN_COMMENT_CHANGED;
    }
    return result;
}

/* Declared in sign_text.h: what sign_write() puts into its file. */
void sign_both(const struct sign_secret *secret, const uint8_t digest[SIGN_DIGEST],
               struct sign_signature *signature)
{
    uint8_t message[SIGN_BYTES + SIGN_TRUSTED_MOST];

    memcpy(signature->id, secret->id, SIGN_ID);
    (void)crypto_sign_detached(signature->file, NULL, digest, SIGN_DIGEST, secret->key);
    size_t length = whole_message(signature->file, signature->trusted, message);
    (void)crypto_sign_detached(signature->whole, NULL, message, length, secret->key);
}
