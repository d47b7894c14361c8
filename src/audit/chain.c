/* SPDX-License-Identifier: MIT */
/* Hashes and keys of the chain of records; called by the log file, and by the commands that verify
 * one. */
#include "audit/chain.h"

#include <sodium.h>
#include <string.h>

#include "base/hex.h"

_Static_assert(CHAIN_HASH_SIZE == crypto_generichash_BYTES, "BLAKE2b-256");
_Static_assert(CHAIN_KEY_SIZE == crypto_generichash_KEYBYTES, "BLAKE2b key");

/* sodium_init() returns 1 when it was called before; only a negative answer is a failure. */
bool chain_init(void)
{
    return sodium_init() >= 0;
}

/* randombytes_buf(3) of libsodium ends the process when the kernel gives no random numbers, so that
 * no weak key is made. */
void chain_key_new(struct chain_key *ret_key)
{
    ret_key->present = true;
    randombytes_buf(ret_key->bytes, sizeof(ret_key->bytes));
}

/* The two purposes below have exactly this length, without a NUL, so that no purpose is the
 * beginning of another. */
enum { PURPOSE_SIZE = 24 };

/* The key is part of the message, not BLAKE2b's own key: both fit one block, which halves the cost
 * of each record's new key. Hashes of lines are keyed, so a derived key can never equal one. */
static void derive(const struct chain_key *key, const char purpose[PURPOSE_SIZE],
                   unsigned char ret_bytes[CHAIN_HASH_SIZE])
{
    unsigned char message[PURPOSE_SIZE + CHAIN_KEY_SIZE];

    memcpy(message, purpose, PURPOSE_SIZE);
    memcpy(message + PURPOSE_SIZE, key->bytes, CHAIN_KEY_SIZE);
    crypto_generichash(ret_bytes, CHAIN_HASH_SIZE, message, sizeof(message), NULL, 0);
    sodium_memzero(message, sizeof(message));
}

/* The copy on the stack is wiped as well: key n must not be found in a dump that is taken after
 * record n. */
void chain_key_advance(struct chain_key *key)
{
    unsigned char next[CHAIN_HASH_SIZE];

    if (!key->present) {
        return;
    }
    derive(key, "miguard audit: next key", next);
    memcpy(key->bytes, next, sizeof(key->bytes));
    sodium_memzero(next, sizeof(next));
}

void chain_key_wipe(struct chain_key *key)
{
    sodium_memzero(key, sizeof(*key));
}

/* An id of 64 bits names a chain and protects nothing: a wrong key is found by the hashes in any
 * case. 0 means "no chain" in the state and in a place. */
static uint64_t first_bits(const unsigned char bytes[CHAIN_HASH_SIZE])
{
    uint64_t id;

    memcpy(&id, bytes, sizeof(id));
    return id != 0 ? id : 1;
}

/* By another purpose than the next key, so that the id, which every record shows, says nothing
 * about any key. */
uint64_t chain_id_of_key(const struct chain_key *first)
{
    unsigned char bytes[CHAIN_HASH_SIZE];

    derive(first, "miguard audit: chain id", bytes);
    return first_bits(bytes);
}

uint64_t chain_id_random(void)
{
    unsigned char bytes[CHAIN_HASH_SIZE];

    randombytes_buf(bytes, sizeof(bytes));
    return first_bits(bytes);
}

void chain_hash(const struct chain_key *key, const char *bytes, size_t length,
                unsigned char ret_hash[CHAIN_HASH_SIZE])
{
    crypto_generichash(ret_hash, CHAIN_HASH_SIZE, (const unsigned char *)bytes, length,
                       key->present ? key->bytes : NULL, key->present ? sizeof(key->bytes) : 0);
}

bool chain_hash_equal(const unsigned char a[CHAIN_HASH_SIZE],
                      const unsigned char b[CHAIN_HASH_SIZE])
{
    return sodium_memcmp(a, b, CHAIN_HASH_SIZE) == 0;
}

void chain_hex(const unsigned char bytes[CHAIN_HASH_SIZE], char ret_hex[CHAIN_HEX_SIZE])
{
    *hex_put_bytes(ret_hex, bytes, CHAIN_HASH_SIZE) = '\0';
}

/* Into a copy first: ret_bytes stays what it was when the text is not a hash. */
bool chain_parse_hex(const char *text, size_t length, unsigned char ret_bytes[CHAIN_HASH_SIZE])
{
    unsigned char bytes[CHAIN_HASH_SIZE];

    if (length != CHAIN_HEX_SIZE - 1 || !hex_take_bytes(text, length, bytes, sizeof(bytes))) {
        return false;
    }
    memcpy(ret_bytes, bytes, sizeof(bytes));
    return true;
}

/* The prefix carries a version, so that another kind of key would not be taken for this one. */
void chain_key_text(const struct chain_key *key, char ret_text[CHAIN_KEY_TEXT_SIZE])
{
    memcpy(ret_text, CHAIN_KEY_PREFIX, sizeof(CHAIN_KEY_PREFIX));
    sodium_bin2hex(ret_text + sizeof(CHAIN_KEY_PREFIX) - 1, CHAIN_HEX_SIZE, key->bytes,
                   sizeof(key->bytes)); /* in a time that does not depend on the key */
}

/* The end of the line that begins at text, without white space at its end. */
static size_t line_length(const char *text, size_t length)
{
    const char *end = memchr(text, '\n', length);
    size_t line = end != NULL ? (size_t)(end - text) : length;

    while (line > 0 && (text[line - 1] == '\r' || text[line - 1] == ' ')) {
        line--;
    }
    return line;
}

/* Exactly one line may be a key: with two, which one is meant would be a guess. */
bool chain_key_parse(const char *text, size_t length, struct chain_key *ret_key)
{
    const size_t prefix = sizeof(CHAIN_KEY_PREFIX) - 1;
    bool found = false;

    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t whole = end != NULL ? (size_t)(end - text) + 1 : length;
        size_t line = line_length(text, length);
        if (line > 0 && text[0] != '#') {
            if (found || line < prefix || memcmp(text, CHAIN_KEY_PREFIX, prefix) != 0 ||
                !chain_parse_hex(text + prefix, line - prefix, ret_key->bytes)) {
                return false;
            }
            found = true;
        }
        text += whole;
        length -= whole;
    }
    ret_key->present = found;
    return found;
}
