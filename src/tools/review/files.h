/* SPDX-License-Identifier: MIT */
/*
 * Which files are a log's, for everything that reads one: those whose first record is of its chain,
 * or of a chain that this one went on from after its state was lost, in the order of their records.
 */
#ifndef TOOLS_REVIEW_FILES_H
#define TOOLS_REVIEW_FILES_H

#include "audit/file/family.h"
#include "base/error.h"

/* One file of the folder that has a name of the log's. */
struct log_part {
    char *name;                /* on the heap */
    const char *stray;         /* why it does not belong to the log; NULL: it does */
    bool copy;                 /* begins as another part does, which is as long or longer */
    enum family_packed packed; /* by its name */
    bool current;              /* without a number, the one that is written to */
    /* Of rotation: NAME.7 has 7. See audit/file/family.h. */
    uint64_t number;
    bool known; /* first is */
    /* Sequence and chain of its first and last record. A packed file's last is known only where it
     * was needed. */
    struct family_place first, last;
    /* As fstat(2) gave them when it was listed; the file may have grown since. */
    uint64_t size, device, inode;
};

/* The log's own first, oldest first; then strays. */
struct log_parts {
    struct log_part *list;
    size_t count; /* of the log's own */
    size_t strays;
};

/* chain 0: the one that the log's state or its current file names. Errors: NOT_FOUND (there is no
 * file at all), SYSTEM, NO_MEMORY. On success ret_parts is to be released. Reads the beginning and
 * end of every file; opens no link, waits for no FIFO. */
MIGUARD_CHECKED enum miguard_status log_parts_find(const char *log, uint64_t chain,
                                                   struct log_parts *ret_parts,
                                                   struct miguard_error *reterr);
/* NULL names are allowed; *parts is zeroed. */
void log_parts_release(struct log_parts *parts);

/* The first and the last record of one file; of a packed one the first is both. */
struct log_ends {
    struct family_place first, last;
    bool packed; /* by what is in it */
};
/* Of a regular file that is open, and is read from its beginning afterwards. Errors: NOT_FOUND (it
 * has no record with a place in a chain), NO_MEMORY. */
MIGUARD_CHECKED enum miguard_status log_ends_read(int fd, uint64_t size, struct log_ends *ret_ends);
/* The second file goes on where the first one ended: in its chain, or in one that was begun anew
 * after its state was lost; with higher numbers. */
bool log_ends_follow(const struct log_ends *before, const struct log_ends *after);

#endif
