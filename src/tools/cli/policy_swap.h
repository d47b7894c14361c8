/* SPDX-License-Identifier: MIT */
/*
 * Putting one file of a policy into place, so that no process ever reads a half-written or a wrong
 * one: for `miguard policy edit` and `install`.
 *
 * swap_begin() takes the lock; swap_stage() writes the bytes beside the file under a hidden name,
 * which only this user may write; swap_check() checks that file with the rest of the set; and
 * swap_put() makes it the file by rename(2). So what was checked is what comes into force.
 *
 * The file must be one that the guard would read (identity/trust.h): one who could write to a
 * folder on the way could replace it anyway, and have root put in what is not a policy.
 */
#ifndef TOOLS_CLI_POLICY_SWAP_H
#define TOOLS_CLI_POLICY_SWAP_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/text.h"
#include "policy/draft.h"

/* One file that is being changed. lock_fd must be -1 before swap_begin(). Paths are on the heap. */
struct swap {
    char *file;          /* what is replaced: no link */
    char *lock, *staged; /* beside it */
    struct stat old;     /* of the file */
    bool is_new;         /* the file did not exist */
    bool is_put;         /* swap_put() has done it */
    struct text before;  /* its bytes; of a new one: "version: 1" */
    int lock_fd;
};

/* Locks the file and reads it. Each of these functions gives CLI_YES, or another exit status after
 * a message. swap_end() is called in every case. */
int swap_begin(const char *path, struct swap *swap);

/* Removes what was staged and not put, and the lock. */
void swap_end(struct swap *swap);

/* Writes the file that will be put, durable, with owner and mode of the old one. */
int swap_stage(const struct swap *swap, const struct text *bytes);

/* What `policy check` says of the set with the staged file in it, its findings on stderr. CLI_NO:
 * its tests fail; CLI_USAGE: it has errors, and would not be used at all. ret_hash is that of the
 * set (struct policy_draft); "" where that has errors. */
int swap_check(const struct swap *swap, char ret_hash[DRAFT_HASH_SIZE]);

/* CLI_NO: the file is no longer the one that swap_begin() read. copy, or NULL: where the bytes are,
 * for the messages. */
int swap_put(struct swap *swap, const char *copy);

/* The same steps for a file beside it that is no policy: "FOLDER/.NAME.new" is written and durable,
 * then it is NAME. errno says why not. */
bool swap_write_beside(const char *staged, const struct text *bytes, const struct stat *old);
/* Makes the names in the folder of file durable. */
void swap_flush_folder(const char *file);

/* "FOLDER/.NAMEsuffix", on the heap; NULL out of memory. */
char *swap_beside(const char *file, const char *suffix);

/* All of it, up to one byte more than a policy may have. False with errno. */
bool swap_read_bytes(int fd, struct text *bytes);
bool swap_write_bytes(int fd, const struct text *bytes);
bool swap_same_bytes(const struct text *a, const struct text *b);

#endif
