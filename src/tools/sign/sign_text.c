/* SPDX-License-Identifier: MIT */
/*
 * The text of public keys, secret keys and signatures, written and read. sign.h says where the
 * formats are described.
 *
 * Each file is two or four lines, the last one ended as well: a file that lost its end is refused
 * at every length. Reading goes line by line (take_line), the base64 of a line must have exactly
 * the bytes of its structure (take_bytes), and nothing may follow.
 */
#include "tools/sign/sign_text.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* "Ed" stands in a key for Ed25519, and in a signature for one over the file itself. */
static const uint8_t of_key[2] = {'E', 'd'}, prehashed[2] = {'E', 'D'};
static const uint8_t by_scrypt[2] = {'S', 'c'}, not_encrypted[2] = {0, 0};
static const uint8_t by_blake2b[2] = {'B', '2'};

#define UNTRUSTED "untrusted comment: "
#define TRUSTED   "trusted comment: "

/* As in the files, byte by byte: no member needs padding. */
struct public_bytes {
    uint8_t algorithm[2], id[SIGN_ID], key[SIGN_PUBLIC];
};
struct signature_bytes {
    uint8_t algorithm[2], id[SIGN_ID], signature[SIGN_BYTES];
};
/* What the password encrypts. */
struct secret_core {
    uint8_t id[SIGN_ID], key[SIGN_SECRET], checksum[32];
};
struct secret_bytes {
    uint8_t algorithm[2], encryption[2], checksum[2], salt[32];
    uint8_t operations[8], memory[8]; /* of scrypt; numbers, the least byte first */
    struct secret_core core;
};
_Static_assert(sizeof(struct public_bytes) == 42 && sizeof(struct signature_bytes) == 74 &&
                   sizeof(struct secret_bytes) == 158,
               "the sizes that the format has");
_Static_assert(sizeof(((struct secret_bytes *)0)->salt) ==
                   crypto_pwhash_scryptsalsa208sha256_SALTBYTES,
               "scrypt's salt");

/* ---- lines ---------------------------------------------------------------------------------- */

struct lines {
    const char *rest, *end;
};

/* The next line without its end; false when the end is missing. */
static bool take_line(struct lines *lines, const char **ret_line, size_t *ret_length)
{
    size_t left = (size_t)(lines->end - lines->rest);
    const char *end = left == 0 ? NULL : memchr(lines->rest, '\n', left);

    if (end == NULL) {
        return false;
    }
    *ret_line = lines->rest;
    *ret_length = (size_t)(end - lines->rest);
    lines->rest = end + 1;
    return true;
}

/* A comment goes to terminals and into logs. */
static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7F) {
            return false;
        }
    }
    return true;
}

/* A line that begins with prefix; what follows in *ret_comment, which lies in the text. */
static bool take_comment(struct lines *lines, const char *prefix, size_t most,
                         const char **ret_comment, size_t *ret_length)
{
    const char *line;
    size_t length, prefix_length = strlen(prefix);

    if (!take_line(lines, &line, &length) || length < prefix_length ||
        length - prefix_length >= most || memcmp(line, prefix, prefix_length) != 0) {
        return false;
    }
    *ret_comment = line + prefix_length;
    *ret_length = length - prefix_length;
    return is_printable(*ret_comment, *ret_length);
}

/* libsodium 1.0.18 takes some bytes above 127 for digits. */
static bool is_ascii(const char *text, size_t length)
{
    unsigned bits = 0;

    for (size_t i = 0; i < length; i++) {
        bits |= (unsigned char)text[i];
    }
    return bits < 0x80;
}

/* A line of base64 of exactly this many bytes. libsodium refuses bits that are left over. */
static bool take_bytes(struct lines *lines, void *bytes, size_t count)
{
    const char *line, *end;
    size_t length, got = 0;

    return take_line(lines, &line, &length) && is_ascii(line, length) &&
           length + 1 == sodium_base64_encoded_len(count, sodium_base64_VARIANT_ORIGINAL) &&
           sodium_base642bin(bytes, count, line, length, NULL, &got, &end,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           got == count && end == line + length;
}

/* A line of bytes that are public. */
static void append_bytes(struct text *text, const void *bytes, size_t count)
{
    char line[sodium_base64_ENCODED_LEN(sizeof(struct signature_bytes),
                                        sodium_base64_VARIANT_ORIGINAL)];

    text_append(
        text, sodium_bin2base64(line, sizeof(line), bytes, count, sodium_base64_VARIANT_ORIGINAL));
    text_append(text, "\n");
}

/* An untrusted comment and a line of bytes, and nothing behind them: both files of keys. */
static bool read_key_file(const char *text, size_t length, void *bytes, size_t count)
{
    struct lines lines = {text, text + length};
    const char *comment;
    size_t comment_length;

    return length <= SIGN_FILE_MOST &&
           take_comment(&lines, UNTRUSTED, SIGN_COMMENT_MOST, &comment, &comment_length) &&
           take_bytes(&lines, bytes, count) && lines.rest == lines.end;
}

/* ---- public keys ---------------------------------------------------------------------------- */

void sign_public_write(const struct sign_public *key, struct text *text)
{
    struct public_bytes bytes;
    char id[SIGN_ID_TEXT];

    sign_id_text(key->id, id);
    text_format(text, UNTRUSTED "minisign public key %s\n", id);
    memcpy(bytes.algorithm, of_key, sizeof(of_key));
    memcpy(bytes.id, key->id, SIGN_ID);
    memcpy(bytes.key, key->key, SIGN_PUBLIC);
    append_bytes(text, &bytes, sizeof(bytes));
}

enum sign_result sign_public_read(const char *text, size_t length, struct sign_public *ret_key)
{
    struct public_bytes bytes;

    if (!read_key_file(text, length, &bytes, sizeof(bytes)) ||
        memcmp(bytes.algorithm, of_key, sizeof(of_key)) != 0) {
        return SIGN_MALFORMED;
    }
    memcpy(ret_key->id, bytes.id, SIGN_ID);
    memcpy(ret_key->key, bytes.key, SIGN_PUBLIC);
    return SIGN_GOOD;
}

/* ---- secret keys ---------------------------------------------------------------------------- */

static void store_number(uint8_t bytes[8], uint64_t number)
{
    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint64_t load_number(const uint8_t bytes[8])
{
    uint64_t number = 0;

    for (size_t i = 8; i-- > 0;) {
        number = number << 8 | bytes[i];
    }
    return number;
}

/* Shows a wrong password: it covers the algorithm, the id and the key. */
static void make_checksum(const struct secret_bytes *bytes, uint8_t ret_checksum[32])
{
    crypto_generichash_state state;

    (void)crypto_generichash_init(&state, NULL, 0, 32);
    (void)crypto_generichash_update(&state, bytes->algorithm, sizeof(bytes->algorithm));
    (void)crypto_generichash_update(&state, bytes->core.id, sizeof(bytes->core.id));
    (void)crypto_generichash_update(&state, bytes->core.key, sizeof(bytes->core.key));
    (void)crypto_generichash_final(&state, ret_checksum, 32);
}

/* Encrypts and decrypts: the core by exclusive or with what scrypt makes of the password. False:
 * not enough memory. */
static bool mask_core(struct secret_bytes *bytes, const char *password, size_t length,
                      uint64_t operations, size_t memory)
{
    uint8_t mask[sizeof(struct secret_core)], *core = (uint8_t *)&bytes->core;

    if (crypto_pwhash_scryptsalsa208sha256(mask, sizeof(mask), password, length, bytes->salt,
                                           operations, memory) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(mask); i++) {
        core[i] ^= mask[i];
    }
    sodium_memzero(mask, sizeof(mask));
    store_number(bytes->operations, operations);
    store_number(bytes->memory, memory);
    return true;
}

/* As minisign(1): half the cost, as often as memory does not suffice. Never less than libsodium
 * calls interactive. */
static bool encrypt_core(struct secret_bytes *bytes, const char *password, size_t length)
{
    uint64_t operations = crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE;
    size_t memory = crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE;

    memcpy(bytes->encryption, by_scrypt, sizeof(by_scrypt));
    randombytes_buf(bytes->salt, sizeof(bytes->salt));
    while (!mask_core(bytes, password, length, operations, memory)) {
        operations /= 2;
        memory /= 2;
        if (memory < crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_INTERACTIVE) {
            return false;
        }
    }
    return true;
}

bool sign_secret_write(const struct sign_secret *secret, const char *password, size_t length,
                       char ret_text[SIGN_SECRET_TEXT])
{
    struct secret_bytes bytes = {.algorithm = {0}};
    bool good = password == NULL || (length > 0 && length <= SIGN_PASSWORD_MOST);

    memcpy(bytes.algorithm, of_key, sizeof(of_key));
    memcpy(bytes.checksum, by_blake2b, sizeof(by_blake2b));
    memcpy(bytes.core.id, secret->id, SIGN_ID);
    memcpy(bytes.core.key, secret->key, SIGN_SECRET);
    make_checksum(&bytes, bytes.core.checksum);
    if (good && password != NULL) {
        good = encrypt_core(&bytes, password, length);
    }
    if (good) {
        char *end = stpcpy(ret_text, password != NULL ? UNTRUSTED "minisign encrypted secret key\n"
                                                      : UNTRUSTED "minisign secret key\n");
        (void)sodium_bin2base64(end, SIGN_SECRET_TEXT - (size_t)(end - ret_text),
                                (const uint8_t *)&bytes, sizeof(bytes),
                                sodium_base64_VARIANT_ORIGINAL);
        (void)strcat(end, "\n");
    }
    sodium_memzero(&bytes, sizeof(bytes));
    return good;
}

/* A cost above what minisign(1) takes would only be there to use up this machine's memory. */
static enum sign_result decrypt_core(struct secret_bytes *bytes, const char *password,
                                     size_t length)
{
    uint64_t operations = load_number(bytes->operations), memory = load_number(bytes->memory);

    if (operations > crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE ||
        memory > crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE) {
        return SIGN_MALFORMED;
    }
    if (password == NULL) {
        return SIGN_LOCKED;
    }
    if (!mask_core(bytes, password, length, operations, (size_t)memory)) {
        errno = errno != 0 ? errno : ENOMEM;
        return SIGN_UNABLE;
    }
    return SIGN_GOOD;
}

/* A key whose public half is another's signs in a way that shows the secret, so the halves are
 * compared. minisign(1) leaves the checksum of a key that is not encrypted zero. */
static enum sign_result prove_core(const struct secret_bytes *bytes, bool encrypted)
{
    uint8_t checksum[32], public_half[SIGN_PUBLIC], key[SIGN_SECRET];

    make_checksum(bytes, checksum);
    bool same = sodium_memcmp(checksum, bytes->core.checksum, sizeof(checksum)) == 0 ||
                (!encrypted && sodium_is_zero(bytes->core.checksum, sizeof(checksum)));
    (void)crypto_sign_seed_keypair(public_half, key, bytes->core.key);
    bool whole = sodium_memcmp(key, bytes->core.key, sizeof(key)) == 0;
    sodium_memzero(key, sizeof(key));
    sodium_memzero(checksum, sizeof(checksum));
    return !same && encrypted ? SIGN_WRONG_PASSWORD : !same || !whole ? SIGN_DAMAGED : SIGN_GOOD;
}

static enum sign_result open_secret(struct secret_bytes *bytes, const char *password, size_t length)
{
    bool encrypted = memcmp(bytes->encryption, by_scrypt, sizeof(by_scrypt)) == 0;

    if (memcmp(bytes->algorithm, of_key, sizeof(of_key)) != 0 ||
        memcmp(bytes->checksum, by_blake2b, sizeof(by_blake2b)) != 0 ||
        (!encrypted && memcmp(bytes->encryption, not_encrypted, sizeof(not_encrypted)) != 0)) {
        return SIGN_MALFORMED;
    }
    enum sign_result result = encrypted ? decrypt_core(bytes, password, length) : SIGN_GOOD;
    return result == SIGN_GOOD ? prove_core(bytes, encrypted) : result;
}

enum sign_result sign_secret_read(const char *text, size_t length, const char *password,
                                  size_t password_length, struct sign_secret *ret_secret)
{
    struct secret_bytes bytes;
    enum sign_result result = SIGN_MALFORMED;

    if (read_key_file(text, length, &bytes, sizeof(bytes))) {
        result = open_secret(&bytes, password, password_length);
    }
    if (result == SIGN_GOOD) {
        memcpy(ret_secret->id, bytes.core.id, SIGN_ID);
        memcpy(ret_secret->key, bytes.core.key, SIGN_SECRET);
    }
    sodium_memzero(&bytes, sizeof(bytes));
    return result;
}

/* ---- signatures ----------------------------------------------------------------------------- */

bool sign_write(const struct sign_secret *secret, const uint8_t digest[SIGN_DIGEST],
                const char *trusted, struct text *text)
{
    struct sign_signature made;
    struct signature_bytes bytes;
    size_t length = strlen(trusted);

    if (length >= sizeof(made.trusted) || !is_printable(trusted, length)) {
        return false;
    }
    memcpy(made.trusted, trusted, length + 1);
    sign_both(secret, digest, &made);
    memcpy(bytes.algorithm, prehashed, sizeof(prehashed));
    memcpy(bytes.id, made.id, SIGN_ID);
    memcpy(bytes.signature, made.file, SIGN_BYTES);
    text_append(text, UNTRUSTED "signature from minisign secret key\n");
    append_bytes(text, &bytes, sizeof(bytes));
    text_append(text, TRUSTED);
    text_append(text, trusted);
    text_append(text, "\n");
    append_bytes(text, made.whole, SIGN_BYTES);
    return !text->failed;
}

enum sign_result sign_read(const char *text, size_t length, struct sign_signature *ret_signature)
{
    struct lines lines = {text, text + length};
    struct signature_bytes bytes;
    const char *comment, *trusted;
    size_t comment_length, trusted_length;
    uint8_t whole[SIGN_BYTES];

    if (length > SIGN_FILE_MOST ||
        !take_comment(&lines, UNTRUSTED, SIGN_COMMENT_MOST, &comment, &comment_length) ||
        !take_bytes(&lines, &bytes, sizeof(bytes)) ||
        !take_comment(&lines, TRUSTED, SIGN_TRUSTED_MOST, &trusted, &trusted_length) ||
        !take_bytes(&lines, whole, sizeof(whole)) || lines.rest != lines.end) {
        return SIGN_MALFORMED;
    }
    if (memcmp(bytes.algorithm, prehashed, sizeof(prehashed)) != 0) {
        return memcmp(bytes.algorithm, of_key, sizeof(of_key)) == 0 ? SIGN_OLD_KIND
                                                                    : SIGN_MALFORMED;
    }
    memcpy(ret_signature->id, bytes.id, SIGN_ID);
    memcpy(ret_signature->file, bytes.signature, SIGN_BYTES);
    memcpy(ret_signature->whole, whole, SIGN_BYTES);
    memcpy(ret_signature->trusted, trusted, trusted_length);
    ret_signature->trusted[trusted_length] = '\0';
    return SIGN_GOOD;
}
