/* SPDX-License-Identifier: MIT */
/*
 * Proves the file of a provider before it is mapped.
 *
 * proof_take() opens the file once, by trust_open(), and reads everything through that descriptor:
 * owner, permissions, the ELF header, the hash. proof_still() is asked again after the file was
 * mapped by its path.
 *
 * The path and not /proc/self/fd is what is mapped: a debugger, a record and the provider's own
 * $ORIGIN need its name, and glibc takes two descriptors of one number for the same library. What
 * lies between the two is closed in this way: only root and the user of the process can put another
 * file there, since each folder was proved; and another file is noticed, because a file that leaves
 * its place, and one that comes back, gets a new ctime (inode(7)).
 */
#include "shim/proof.h"

#include <elf.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Static_assert(MIGUARD_SHIM_HASH == crypto_hash_sha256_BYTES, "SHA-256");

enum { HASH_STEP = 16384 }; /* bytes: on the stack of a host's thread */

static bool text_ends(const char *text, size_t size)
{
    return text[0] != '\0' && memchr(text, '\0', size) != NULL;
}

bool proof_settings_sound(const struct miguard_shim *shim, size_t size)
{
    static const unsigned char magic[sizeof(shim->magic)] = MIGUARD_SHIM_MAGIC;

    return size >= sizeof(*shim) && memcmp(shim->magic, magic, sizeof(magic)) == 0 &&
           shim->size == sizeof(*shim) && text_ends(shim->version, sizeof(shim->version)) &&
           text_ends(shim->provider, sizeof(shim->provider)) &&
           text_ends(shim->path, sizeof(shim->path)) && shim->path[0] == '/';
}

/* ---- the file --------------------------------------------------------------------------------
 */

#if defined(__x86_64__)
enum { OWN_MACHINE = EM_X86_64 };
#else
enum { OWN_MACHINE = EM_AARCH64 };
#endif

/* NULL: a shared object for this machine. A loader would say so, too, but of a file that is cut off
 * it may not come back. */
static const char *header_fault(int fd)
{
    Elf64_Ehdr header = {0};

    if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        return "it is no ELF file";
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != OWN_MACHINE) {
        return "it is for another machine than this process";
    }
    return header.e_type == ET_DYN ? NULL : "it is no shared object";
}

/* SHA-256 of the whole file, whatever the offset of fd is. False and errno. */
static bool hash_file(int fd, unsigned char ret_hash[MIGUARD_SHIM_HASH])
{
    unsigned char bytes[HASH_STEP];
    crypto_hash_sha256_state state;
    ssize_t got;

    (void)crypto_hash_sha256_init(&state);
    for (off_t at = 0; (got = pread(fd, bytes, sizeof(bytes), at)) != 0; at += got) {
        if (got < 0 && errno != EINTR) {
            return false;
        }
        got = got < 0 ? 0 : got;
        (void)crypto_hash_sha256_update(&state, bytes, (size_t)got);
    }
    (void)crypto_hash_sha256_final(&state, ret_hash);
    return true;
}

static enum proof_result refuse_file(enum proof_result result, const char *path, const char *why,
                                     char problem[PROOF_PROBLEM])
{
    snprintf(problem, PROOF_PROBLEM, "%s: %s", path, why);
    return result;
}

/* By the descriptor that trust_open() gave. */
static enum proof_result prove_content(struct proof *proof, const char *path,
                                       char problem[PROOF_PROBLEM])
{
    if (!S_ISREG(proof->status.st_mode)) {
        return refuse_file(PROOF_UNUSABLE, path, "it is a folder", problem);
    }
    const char *fault = header_fault(proof->fd);
    if (fault != NULL) {
        return refuse_file(PROOF_UNUSABLE, path, fault, problem);
    }
    if (!hash_file(proof->fd, proof->hash)) {
        return refuse_file(PROOF_UNUSABLE, path, strerrordesc_np(errno), problem);
    }
    return proof_still(proof, NULL)
               ? PROOF_GOOD
               : refuse_file(PROOF_CHANGED, path, "it was changed while it was read", problem);
}

enum proof_result proof_take_new(const char *path, char problem[PROOF_PROBLEM],
                                 struct proof *ret_proof)
{
    struct proof proof = {.fd = -1};

    switch (trust_open(path, TRUST_STRICT, problem, &proof.fd, &proof.status)) {
    case TRUST_OPENED:
        break;
    case TRUST_ABSENT:
        return refuse_file(PROOF_MISSING, path, "there is no such file", problem);
    default:
        return PROOF_UNTRUSTED;
    }
    enum proof_result result = prove_content(&proof, path, problem);
    if (result != PROOF_GOOD) {
        proof_release(&proof);
        return result;
    }
    *ret_proof = proof;
    return PROOF_GOOD;
}

/* The first bytes of a hash are enough to distinguish two files in a message. */
static enum proof_result refuse_hash(const struct miguard_shim *shim, const struct proof *proof,
                                     char problem[PROOF_PROBLEM])
{
    char now[17], then[17];

    (void)sodium_bin2hex(now, sizeof(now), proof->hash, 8);
    (void)sodium_bin2hex(then, sizeof(then), shim->hash, 8);
    snprintf(problem, PROOF_PROBLEM,
             "%s: it is not the file that was wrapped: its SHA-256 begins with %s, that of the "
             "wrapped one with %s",
             shim->path, now, then);
    return PROOF_CHANGED;
}

enum proof_result proof_take(const struct miguard_shim *shim, char problem[PROOF_PROBLEM],
                             struct proof *ret_proof)
{
    struct proof proof;
    enum proof_result result = proof_take_new(shim->path, problem, &proof);

    if (result != PROOF_GOOD) {
        return result;
    }
    if (memcmp(proof.hash, shim->hash, sizeof(proof.hash)) != 0) {
        result = refuse_hash(shim, &proof, problem);
    } else if (proof.status.st_uid != shim->owner) {
        snprintf(problem, PROOF_PROBLEM, "%s: it belongs to uid %u; when it was wrapped, to uid %u",
                 shim->path, proof.status.st_uid, shim->owner);
        result = PROOF_UNTRUSTED;
    }
    if (result != PROOF_GOOD) {
        proof_release(&proof);
        return result;
    }
    *ret_proof = proof;
    return PROOF_GOOD;
}

/* ---- later ------------------------------------------------------------------------------------
 */

static bool same_moment(const struct timespec *one, const struct timespec *other)
{
    return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

/* By the path, or with NULL by the descriptor. */
bool proof_still(const struct proof *proof, const char *path)
{
    const struct stat *then = &proof->status;
    struct stat now;

    if ((path != NULL ? stat(path, &now) : fstat(proof->fd, &now)) != 0) {
        return false;
    }
    return now.st_dev == then->st_dev && now.st_ino == then->st_ino &&
           now.st_size == then->st_size && same_moment(&now.st_mtim, &then->st_mtim) &&
           same_moment(&now.st_ctim, &then->st_ctim);
}

void proof_release(struct proof *proof)
{
    if (proof->fd >= 0) {
        close(proof->fd);
        proof->fd = -1;
    }
}
