/* SPDX-License-Identifier: MIT */
/* Reads and verifies bundles of policies, for `miguard policy verify-bundle` and `install`, and has
 * the comment of their signatures, for `bundle`. */
#include "tools/cli/policy_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the comment ---------------------------------------------------------------------------- */

bool bundle_comment(const struct bundle_facts *facts, char ret_comment[SIGN_TRUSTED_MOST])
{
    int length = snprintf(ret_comment, SIGN_TRUSTED_MOST,
                          "miguard-policy-bundle:1\tfile:%s\tserial:%" PRIu64 "\ttimestamp:%" PRId64
                          "\tsha256:%s",
                          facts->name, facts->serial, facts->time, facts->hash);

    return length > 0 && length < SIGN_TRUSTED_MOST;
}

/* One field with its tab, or at the end. Copies the value; false when it is missing or too long. */
static bool take_field(const char **comment, const char *key, char *value, size_t size)
{
    size_t key_length = strlen(key);

    if (strncmp(*comment, key, key_length) != 0) {
        return false;
    }
    const char *from = *comment + key_length;
    size_t length = strcspn(from, "\t");
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(value, from, length);
    value[length] = '\0';
    *comment = from + length + (from[length] == '\t');
    return true;
}

/* The numbers are read loosely; what they make is compared with what was read, so that each comment
 * has one way to be written. */
bool bundle_comment_read(const char *comment, struct bundle_facts *ret_facts)
{
    struct bundle_facts facts = {.serial = 0};
    char version[8], serial[24], moment[24], again[SIGN_TRUSTED_MOST];
    const char *rest = comment;

    if (!take_field(&rest, "miguard-policy-bundle:", version, sizeof(version)) ||
        !take_field(&rest, "file:", facts.name, sizeof(facts.name)) ||
        !take_field(&rest, "serial:", serial, sizeof(serial)) ||
        !take_field(&rest, "timestamp:", moment, sizeof(moment)) ||
        !take_field(&rest, "sha256:", facts.hash, sizeof(facts.hash)) ||
        strlen(facts.hash) + 1 != sizeof(facts.hash)) {
        return false;
    }
    facts.serial = strtoull(serial, NULL, 10);
    facts.time = strtoll(moment, NULL, 10);
    if (!bundle_comment(&facts, again) || strcmp(again, comment) != 0) {
        return false;
    }
    *ret_facts = facts;
    return true;
}

/* ---- reasons -------------------------------------------------------------------------------- */

const char *bundle_reason_word(enum bundle_reason reason)
{
    switch (reason) {
    case BUNDLE_GOOD:
        return "good";
#define BUNDLE_WORD(value, word, sentence)                                                         \
    case value:                                                                                    \
        return word;
        BUNDLE_REASON_MAP(BUNDLE_WORD)
#undef BUNDLE_WORD
    case BUNDLE_UNKNOWN:
        break;
    }
    return "unknown";
}

const char *bundle_reason_text(enum bundle_reason reason)
{
    switch (reason) {
    case BUNDLE_GOOD:
        return "good";
#define BUNDLE_TEXT(value, word, sentence)                                                         \
    case value:                                                                                    \
        return sentence;
        BUNDLE_REASON_MAP(BUNDLE_TEXT)
#undef BUNDLE_TEXT
    case BUNDLE_UNKNOWN:
        break;
    }
    return "it was not verified";
}

/* ---- reading -------------------------------------------------------------------------------- */

char *bundle_signature_path(const char *path)
{
    char *made = NULL;

    return asprintf(&made, "%s.minisig", path) < 0 ? NULL : made;
}

/* Up to one byte more than a signature may have, which sign_read() then refuses. A missing file is
 * no error here. */
static int read_signature(struct bundle *bundle)
{
    char piece[SIGN_FILE_MOST + 1];
    int fd = open(bundle->signature_path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t count = 1;

    if (fd < 0) {
        return errno == ENOENT
                   ? CLI_YES
                   : complain(CLI_UNABLE, "%s: %s", bundle->signature_path, strerror(errno));
    }
    bundle->has_signature = true;
    while (count > 0 && bundle->signature.length <= SIGN_FILE_MOST) {
        count = read(fd, piece, sizeof(piece));
        text_append_bytes(&bundle->signature, piece, count > 0 ? (size_t)count : 0);
    }
    int error = errno;
    (void)close(fd);
    return count < 0 ? complain(CLI_UNABLE, "%s: %s", bundle->signature_path, strerror(error))
           : bundle->signature.failed ? complain(CLI_UNABLE, "out of memory")
                                      : CLI_YES;
}

int bundle_read(const char *path, struct bundle *ret_bundle)
{
    struct bundle *bundle = ret_bundle;

    *bundle = (struct bundle){.path = path};
    bundle->signature_path = bundle_signature_path(path);
    if (bundle->signature_path == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    bundle->bytes = read_policy_source(path, &bundle->length);
    return bundle->bytes != NULL ? read_signature(bundle) : CLI_UNABLE;
}

void bundle_release(struct bundle *bundle)
{
    policy_set_release(&bundle->set);
    text_release(&bundle->signature);
    free(bundle->signature_path);
    free(bundle->bytes);
    *bundle = (struct bundle){.path = NULL};
}

/* ---- verifying ------------------------------------------------------------------------------ */

static enum bundle_reason reason_of(enum sign_result result)
{
    switch (result) {
    case SIGN_GOOD:
        return BUNDLE_GOOD;
    case SIGN_OLD_KIND:
        return BUNDLE_OLD_KIND;
    case SIGN_OTHER_KEY:
        return BUNDLE_OTHER_KEY;
    case SIGN_CHANGED:
        return BUNDLE_CHANGED;
    case SIGN_COMMENT_CHANGED:
        return BUNDLE_COMMENT_CHANGED;
    default:
        return BUNDLE_MALFORMED;
    }
}

/* That of a policy of this one file, as policy/load.c makes it: sha256sum FILE | cut -c1-64 |
 * sha256sum. */
static void hash_of_policy(const char *bytes, size_t length, char ret_hash[DRAFT_HASH_SIZE])
{
    unsigned char hash[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256(hash, (const unsigned char *)bytes, length);
    (void)sodium_bin2hex(ret_hash, DRAFT_HASH_SIZE, hash, sizeof(hash));
    ret_hash[DRAFT_HASH_SIZE - 1] = '\n';
    (void)crypto_hash_sha256(hash, (const unsigned char *)ret_hash, DRAFT_HASH_SIZE);
    (void)sodium_bin2hex(ret_hash, DRAFT_HASH_SIZE, hash, sizeof(hash));
}

void bundle_verify(struct bundle *bundle, const struct sign_public *keys, size_t count)
{
    uint8_t digest[SIGN_DIGEST];
    char hash[DRAFT_HASH_SIZE];
    size_t index = 0;

    if (!bundle->has_signature) {
        bundle->reason = BUNDLE_UNSIGNED;
        return;
    }
    enum sign_result result =
        bundle->signature.length > 0
            ? sign_read(bundle->signature.data, bundle->signature.length, &bundle->read)
            : SIGN_MALFORMED;
    if (result == SIGN_GOOD) {
        sign_digest(bundle->bytes, bundle->length, digest);
        result = sign_verify(&bundle->read, digest, keys, count, &index);
    }
    bundle->reason = reason_of(result);
    if (result != SIGN_GOOD) {
        return;
    }
    bundle->key = keys[index];
    hash_of_policy(bundle->bytes, bundle->length, hash);
    bundle->reason = !bundle_comment_read(bundle->read.trusted, &bundle->facts) ? BUNDLE_NO_BUNDLE
                     : strcmp(hash, bundle->facts.hash) != 0 ? BUNDLE_HASH_DIFFERS
                                                             : BUNDLE_GOOD;
}

int bundle_test(struct bundle *bundle)
{
    struct policy_set *set = &bundle->set;

    set->label = bundle->path;
    enum miguard_status status =
        draft_load_text(bundle->path, bundle->bytes, bundle->length, &set->draft, &set->findings);
    if (status == MIGUARD_BAD_POLICY && !set->findings.failed) {
        bundle->reason = bundle->reason == BUNDLE_GOOD ? BUNDLE_ERRORS : bundle->reason;
        return CLI_YES;
    }
    if (status != MIGUARD_OK || policy_compile(set->draft, &set->policy) != MIGUARD_OK) {
        return complain(CLI_UNABLE, "%s: %s", bundle->path, miguard_status_text(status));
    }
    int tested = policy_set_test(set);
    if (tested == CLI_YES && set->tested.failed > 0 && bundle->reason == BUNDLE_GOOD) {
        bundle->reason = BUNDLE_TESTS_FAIL;
    }
    return tested;
}
