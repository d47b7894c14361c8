/* SPDX-License-Identifier: MIT */
/*
 * Signatures in the file formats of minisign(1): bundles of policies, lists of heads.
 *
 * A public key, a secret key and a signature are small text files of lines, of which one is base64
 * (<https://jedisct1.github.io/minisign/>, "Signature format", "Public key format", "Secret key
 * format"). So a site can sign and check with minisign(1) what this command made, and the reverse.
 * Only prehashed signatures are made and taken ("ED": Ed25519 over the BLAKE2b-512 of the file),
 * since the older kind would need the whole file in memory.
 *
 * The text of these files comes from outside. What is read here has each line, each length and each
 * bit as the format says, or is SIGN_MALFORMED. sign_begin() comes before all others.
 */
#ifndef TOOLS_SIGN_SIGN_H
#define TOOLS_SIGN_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum {
    SIGN_ID = 8,
    SIGN_PUBLIC = 32,
    SIGN_SECRET = 64, /* seed and public half */
    SIGN_BYTES = 64,
    SIGN_DIGEST = 64,
    SIGN_COMMENT_MOST = 1024, /* bytes of the line of an untrusted comment */
    SIGN_TRUSTED_MOST = 8192, /* the same of a trusted one */
    SIGN_FILE_MOST = 16384,   /* no file of the three formats is larger */
    SIGN_PASSWORD_MOST = 1024,
    SIGN_ID_TEXT = 2 * SIGN_ID + 1,
    SIGN_SECRET_TEXT = 512, /* the file of a secret key, which has 272 bytes at most */
};

/* Only SIGN_GOOD is a yes, and it is not zero. */
enum sign_result {
    SIGN_UNABLE,          /* the system failed; errno says how */
    SIGN_GOOD,            /* done; or the signature is right */
    SIGN_MALFORMED,       /* not a file of this format */
    SIGN_OLD_KIND,        /* a signature over the file itself, not over its hash */
    SIGN_OTHER_KEY,       /* made by a key that was not given */
    SIGN_CHANGED,         /* the file is not the one that was signed */
    SIGN_COMMENT_CHANGED, /* the file is, but the trusted comment is not */
    SIGN_EXPOSED,         /* others than the owner can read the secret */
    SIGN_LOCKED,          /* the secret key needs a password */
    SIGN_WRONG_PASSWORD,  /* or the secret key is damaged, which looks the same */
    SIGN_DAMAGED,         /* the halves of the secret key do not belong together */
};

/* A sentence without a file name, static: "made by another key". */
const char *sign_result_text(enum sign_result result);

struct sign_public {
    uint8_t id[SIGN_ID]; /* of the pair; names it, and proves nothing */
    uint8_t key[SIGN_PUBLIC];
};

/* Its owner calls sign_wipe() on each way out. */
struct sign_secret {
    uint8_t id[SIGN_ID];
    uint8_t key[SIGN_SECRET];
};

struct sign_signature {
    uint8_t id[SIGN_ID];
    uint8_t file[SIGN_BYTES];  /* over the hash of the file */
    uint8_t whole[SIGN_BYTES]; /* over that and the trusted comment */
    char trusted[SIGN_TRUSTED_MOST];
};

/* False: the system gives no random numbers. May be called more than once. */
bool sign_begin(void);

void sign_wipe(struct sign_secret *secret);

/* The id as minisign(1) shows it: 16 hexadecimal digits. */
void sign_id_text(const uint8_t id[SIGN_ID], char ret_text[SIGN_ID_TEXT]);

/* ---- keys ----------------------------------------------------------------------------------- */

/* A new pair. */
void sign_make_keys(struct sign_secret *ret_secret, struct sign_public *ret_public);

/* Appends the file of a public key. */
void sign_public_write(const struct sign_public *key, struct text *text);

/* GOOD or MALFORMED. */
enum sign_result sign_public_read(const char *text, size_t length, struct sign_public *ret_key);

/* Writes the file of a secret key, with a NUL behind it. password NULL: not encrypted. Else the key
 * is encrypted by what scrypt makes of it at the cost that minisign(1) takes (1 GiB, some seconds),
 * or less where there is not that much memory. False: memory is out, or length is 0 or too long.
 * The caller wipes the text; a struct text would leave copies behind as it grows. */
bool sign_secret_write(const struct sign_secret *secret, const char *password, size_t length,
                       char ret_text[SIGN_SECRET_TEXT]);

/* The reverse. LOCKED: the key is encrypted, and password is NULL; a password for a key that is not
 * encrypted is not used. GOOD, MALFORMED, LOCKED, WRONG_PASSWORD, DAMAGED, UNABLE. */
enum sign_result sign_secret_read(const char *text, size_t length, const char *password,
                                  size_t password_length, struct sign_secret *ret_secret);

/* ---- signatures ----------------------------------------------------------------------------- */

/* The hash that is signed. */
void sign_digest(const void *bytes, size_t length, uint8_t ret_digest[SIGN_DIGEST]);

/* The same of what is left to read of fd. UNABLE with errno. */
enum sign_result sign_digest_fd(int fd, uint8_t ret_digest[SIGN_DIGEST]);

/* Appends the file of a signature with this trusted comment: one line of at most SIGN_TRUSTED_MOST
 * - 1 bytes without control characters, else false. */
bool sign_write(const struct sign_secret *secret, const uint8_t digest[SIGN_DIGEST],
                const char *trusted, struct text *text);

/* GOOD, MALFORMED or OLD_KIND. Nothing of it is proved yet, the comment included. */
enum sign_result sign_read(const char *text, size_t length, struct sign_signature *ret_signature);

/* Whether one of the keys made the signature of what has this hash, and of its trusted comment:
 * GOOD, and *ret_index is the key's; OTHER_KEY, CHANGED, COMMENT_CHANGED. Keys may share an id. */
enum sign_result sign_verify(const struct sign_signature *signature,
                             const uint8_t digest[SIGN_DIGEST], const struct sign_public *keys,
                             size_t count, size_t *ret_index);

/* Whether one of the keys made the trusted comment, whatever file it was for: GOOD, OTHER_KEY,
 * COMMENT_CHANGED. It says what was signed once, and nothing of a file that is there now. */
enum sign_result sign_verify_comment(const struct sign_signature *signature,
                                     const struct sign_public *keys, size_t count,
                                     size_t *ret_index);

/* ---- files ---------------------------------------------------------------------------------- */

/* The same from files. A file of more than SIGN_FILE_MOST bytes, or that is not a regular file, is
 * MALFORMED. UNABLE with errno where it cannot be opened or read. */
enum sign_result sign_public_load(const char *path, struct sign_public *ret_key);
enum sign_result sign_load(const char *path, struct sign_signature *ret_signature);

/* EXPOSED: group or others may read or write it; an access list that lets them shows in the bits of
 * the group, too (acl(5)). */
enum sign_result sign_secret_load(const char *path, const char *password, size_t length,
                                  struct sign_secret *ret_secret);

/* The first line of a file of one line, as a password; EXPOSED as above. It has at most
 * SIGN_PASSWORD_MOST bytes, at least one and none of them NUL, else MALFORMED. */
enum sign_result sign_password_load(const char *path, char ret_password[SIGN_PASSWORD_MOST + 1],
                                    size_t *ret_length);

/* Makes a file that must not exist, durable, with this mode. False with errno: what it made is
 * removed again. */
bool sign_make_file(const char *path, const char *bytes, size_t length, unsigned mode);

#endif
