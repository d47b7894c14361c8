/* SPDX-License-Identifier: MIT */
/*
 * Where each record of a collected store lies, given back in the order of chains and numbers. What
 * does not fit into memory is sorted in runs that lie in a temporary file, so that a store of any
 * size is read with the same memory.
 */
#ifndef TOOLS_REVIEW_FLEET_INDEX_H
#define TOOLS_REVIEW_FLEET_INDEX_H

#include "audit/chain.h"
#include "base/error.h"

/* A record, or a head that was reported for it. */
struct fleet_entry {
    uint64_t chain, sequence;
    uint32_t length; /* of the record in bytes; 0: this is a head */
    uint32_t file;
    union {
        struct {
            uint64_t offset, line;
            unsigned char digest[16]; /* of its bytes: two that are the same are one record */
        } record;
        unsigned char head[CHAIN_HASH_SIZE];
    } of;
};

/* How many entries are sorted in memory at once, unless a test wants fewer: 56 MiB. */
enum { FLEET_RUN = 1 << 20, FLEET_RUNS_MOST = 1024 };

struct fleet_run;

/* For one thread: first fleet_index_add() for all, then fleet_index_next() to the end. */
struct fleet_index {
    struct fleet_entry *list;
    size_t used, room, next;
    int file;               /* of the runs; -1: none was needed */
    struct fleet_run *runs; /* a heap by the entry that each gives next */
    size_t run_count;
};

/* A temporary file without a name in $TMPDIR or /var/tmp, which may have room for more than memory.
 * -1 and errno. */
int fleet_temporary(void);

/* run 0: FLEET_RUN. Closed in any case. */
MIGUARD_CHECKED enum miguard_status fleet_index_open(struct fleet_index *index, size_t run,
                                                     struct miguard_error *reterr);
void fleet_index_close(struct fleet_index *index);

/* Errors: NO_MEMORY, SYSTEM (the temporary file), LIMIT (more than FLEET_RUNS_MOST runs). */
MIGUARD_CHECKED enum miguard_status fleet_index_add(struct fleet_index *index,
                                                    const struct fleet_entry *entry,
                                                    struct miguard_error *reterr);
/* By chain; in a chain its heads by number, then its records by number and place. *ret_end: there
 * is no more, and *ret_entry is untouched. */
MIGUARD_CHECKED enum miguard_status fleet_index_next(struct fleet_index *index,
                                                     struct fleet_entry *ret_entry, bool *ret_end,
                                                     struct miguard_error *reterr);

#endif
