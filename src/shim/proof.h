/* SPDX-License-Identifier: MIT */
/*
 * That the file of a provider is the one that was wrapped, and that others cannot have changed it.
 * Without state: `miguard wrap --check` asks the same.
 */
#ifndef SHIM_PROOF_H
#define SHIM_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "identity/trust.h"
#include "miguard/shim.h"

enum proof_result {
    PROOF_GOOD,
    PROOF_MISSING,   /* no such file */
    PROOF_UNTRUSTED, /* others can have placed it, or its owner is another one */
    PROOF_CHANGED,   /* its content is not what was wrapped */
    PROOF_UNUSABLE,  /* it is no shared object for this machine, or cannot be read */
};

/* Bytes of a message: a path and a reason. */
enum { PROOF_PROBLEM = TRUST_PROBLEM };

/* A proved file. What is mapped later can be compared with it (proof_still). */
struct proof {
    int fd;
    struct stat status;
    unsigned char hash[MIGUARD_SHIM_HASH];
};

/* Whether size bytes at shim are settings that were filled in: sizes, ends of texts, and a path
 * that is absolute. Reads nothing outside of them. */
bool proof_settings_sound(const struct miguard_shim *shim, size_t size);

/* Opens the file of shim and proves all of it, by one descriptor. GOOD sets *ret_proof, which
 * proof_release() ends; otherwise problem has the path and the reason. */
enum proof_result proof_take(const struct miguard_shim *shim, char problem[PROOF_PROBLEM],
                             struct proof *ret_proof);

/* The part that does not depend on a shim: the file at path is one that could be wrapped. */
enum proof_result proof_take_new(const char *path, char problem[PROOF_PROBLEM],
                                 struct proof *ret_proof);

/* Whether path still leads to the proved file, and it has not been changed since. */
bool proof_still(const struct proof *proof, const char *path);

void proof_release(struct proof *proof);

#endif
