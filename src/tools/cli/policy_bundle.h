/* SPDX-License-Identifier: MIT */
/*
 * A bundle: one policy file, and beside it FILE.minisig, whose trusted comment says what it is. For
 * `miguard policy bundle`, `verify-bundle` and `install`.
 *
 * The comment has five fields with a tab between, as minisign(1) writes its own:
 *
 *     miguard-policy-bundle:1  file:NAME  serial:N  timestamp:SECONDS  sha256:HASH
 *
 * HASH is that of the policy as records have it (struct policy_draft), so that the bundle that a
 * host reports can be found again.
 */
#ifndef TOOLS_CLI_POLICY_BUNDLE_H
#define TOOLS_CLI_POLICY_BUNDLE_H

#include "tools/cli/policy_open.h"
#include "tools/sign/sign.h"

/* X(value, word, sentence): why a bundle is not taken. */
#define BUNDLE_REASON_MAP(X)                                                                       \
    X(BUNDLE_UNSIGNED, "unsigned", "no signature beside it")                                       \
    X(BUNDLE_MALFORMED, "malformed", "its signature is cut off, or not one of minisign's")         \
    X(BUNDLE_OLD_KIND, "old-kind", "its signature is one without a hash (minisign -l)")            \
    X(BUNDLE_OTHER_KEY, "other-key", "it is signed by another key")                                \
    X(BUNDLE_CHANGED, "changed", "it was changed after it was signed")                             \
    X(BUNDLE_COMMENT_CHANGED, "comment-changed", "the comment of its signature was changed")       \
    X(BUNDLE_NO_BUNDLE, "no-bundle",                                                               \
      "its signature is good, but not that of a bundle of policies")                               \
    X(BUNDLE_HASH_DIFFERS, "hash-differs", "the comment of its signature has another hash")        \
    X(BUNDLE_ERRORS, "errors", "the policy has errors")                                            \
    X(BUNDLE_TESTS_FAIL, "tests-fail", "a test of the policy fails")

/* Zero is not a yes. */
enum bundle_reason {
    BUNDLE_UNKNOWN,
    BUNDLE_GOOD,
#define BUNDLE_VALUE(value, word, sentence) value,
    BUNDLE_REASON_MAP(BUNDLE_VALUE)
#undef BUNDLE_VALUE
};

/* What the comment says. */
struct bundle_facts {
    char name[256];
    uint64_t serial;
    int64_t time; /* seconds since 1970 */
    char hash[DRAFT_HASH_SIZE];
};

/* A bundle as it was read. */
struct bundle {
    const char *path;     /* borrowed */
    char *signature_path; /* on the heap */
    char *bytes;          /* of the policy, on the heap */
    size_t length;
    bool has_signature;    /* the file exists */
    struct text signature; /* the bytes of the signature */
    struct sign_signature read;
    enum bundle_reason reason;
    struct bundle_facts facts; /* after a good signature */
    struct sign_public key;    /* the one that made it; the same */
    struct policy_set set;     /* after bundle_test() */
};

/* False: a part cannot be said in a comment. */
bool bundle_comment(const struct bundle_facts *facts, char ret_comment[SIGN_TRUSTED_MOST]);
/* False: this is not the comment of a bundle. */
bool bundle_comment_read(const char *comment, struct bundle_facts *ret_facts);

/* "PATH.minisig", on the heap; NULL out of memory. */
char *bundle_signature_path(const char *path);

/* Reads both files once; all later steps work on these bytes. A signature that is missing is
 * UNSIGNED. CLI_YES, or CLI_UNABLE after a message. Release in every case. */
int bundle_read(const char *path, struct bundle *ret_bundle);
void bundle_release(struct bundle *bundle);

/* Signature, comment and hash. bundle->reason is GOOD, or why not. */
void bundle_verify(struct bundle *bundle, const struct sign_public *keys, size_t count);

/* Reads the policy and runs its tests; sets bundle->reason where that is not good. CLI_YES, or
 * CLI_UNABLE after a message. */
int bundle_test(struct bundle *bundle);

const char *bundle_reason_word(enum bundle_reason reason); /* "good", "unsigned", ... */
const char *bundle_reason_text(enum bundle_reason reason);

#endif
