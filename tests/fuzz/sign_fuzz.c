/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a public key, a secret key and a signature: never a crash, and what is read is
 * written again as the same bytes but for the untrusted comment. No input verifies: the key is not
 * in the seeds.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sign/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good)
{
    if (!good) {
        abort();
    }
}

/* From the second line on: the first is the untrusted comment. */
static void same_behind_the_comment(const char *read, size_t length, const char *made)
{
    const char *line = memchr(read, '\n', length), *made_line = strchr(made, '\n');

    need(line != NULL && made_line != NULL);
    need(strlen(made_line) == length - (size_t)(line - read));
    need(memcmp(line, made_line, strlen(made_line)) == 0);
}

static void read_public(const char *text, size_t size)
{
    struct sign_public key;
    struct text made = TEXT_EMPTY;

    if (sign_public_read(text, size, &key) == SIGN_GOOD) {
        sign_public_write(&key, &made);
        same_behind_the_comment(text, size, made.data);
        text_release(&made);
    }
}

/* Without a password, which takes a second each. */
static void read_secret(const char *text, size_t size)
{
    struct sign_secret secret;
    char made[SIGN_SECRET_TEXT];

    if (sign_secret_read(text, size, NULL, 0, &secret) == SIGN_GOOD) {
        need(sign_secret_write(&secret, NULL, 0, made));
        need(sign_secret_read(made, strlen(made), NULL, 0, &secret) == SIGN_GOOD);
    }
}

static void read_signature(const char *text, size_t size)
{
    static const struct sign_public key = {.key = {9}};
    static const uint8_t digest[SIGN_DIGEST];
    static struct sign_signature read;
    struct sign_public named = key;
    size_t index;

    if (sign_read(text, size, &read) != SIGN_GOOD) {
        return;
    }
    need(strlen(read.trusted) < size);
    memcpy(named.id, read.id, SIGN_ID);
    need(sign_verify(&read, digest, &named, 1, &index) == SIGN_CHANGED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    need(sign_begin());
    read_public((const char *)data, size);
    read_secret((const char *)data, size);
    read_signature((const char *)data, size);
    return 0;
}
