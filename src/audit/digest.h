/* SPDX-License-Identifier: MIT */
/*
 * 128 bits that identify a refusal or an identity: SipHash-2-4 under a key that only this process
 * knows. Without the key no two inputs with the same digest can be found, so that no caller can
 * make a refusal that is taken for another.
 */
#ifndef AUDIT_DIGEST_H
#define AUDIT_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "identity/identity.h"

/* The key of SipHash, random for each process. No digest leaves the process but into the state of
 * its log, where no other process compares it with one of its own. */
struct digest_key {
    unsigned char bytes[16];
};

/* Two words, compared and stored as they are: the byte order of the host does not matter, since the
 * key does not leave it. */
struct digest {
    uint64_t word[2];
};

/* chain_init() comes first. */
void digest_key_new(struct digest_key *ret_key);

/* length may be 0, and bytes then NULL: an identity may have no groups. */
struct digest digest_bytes(const struct digest_key *key, const void *bytes, size_t length);

/* NULL differs from "". */
struct digest digest_text(const struct digest_key *key, const char *text);

/* Of all components. All invalid identities are the same. */
struct digest digest_identity(const struct digest_key *key,
                              const struct miguard_identity *identity);

/* Not in constant time: a digest is not a secret, its key is. */
bool digest_equal(const struct digest *a, const struct digest *b);

#endif
