/* SPDX-License-Identifier: MIT */
/* Where a search stopped, in a small file, so that the next one goes on behind it. */
#ifndef TOOLS_CLI_AUDIT_CHECKPOINT_H
#define TOOLS_CLI_AUDIT_CHECKPOINT_H

#include "audit/file/family.h"
#include "tools/review/read.h"

/* How far each chain was read, so that what retention takes before the next search is reported. */
enum { CHECKPOINT_CHAINS = 16 };
struct checkpoint {
    struct family_place before[CHECKPOINT_CHAINS]; /* the last of the search before */
    size_t before_count;
    struct checkpoint_chain {
        uint64_t chain, lowest, highest; /* of this search */
        uint64_t removed_through;        /* by retention, as the log says */
    } now[CHECKPOINT_CHAINS];
    size_t now_count;
};

/* Every record that is read, whether it is asked for or not. */
void checkpoint_note(struct checkpoint *checkpoint, const struct record *record);

/* Records behind the last one of the search before that this one did not find. */
struct checkpoint_gap {
    uint64_t chain, first, last;
    bool retention; /* the log says that it removed them */
};
/* False: there is no number at of these. */
bool checkpoint_gap(const struct checkpoint *checkpoint, size_t at, struct checkpoint_gap *ret_gap);

/* Sets each file of the reader to its mark, and reports files that changed. A checkpoint that does
 * not exist is one of nothing read. CLI_YES, or CLI_UNABLE after a message: a checkpoint that
 * cannot be read or understood is never taken for an empty one. */
int checkpoint_load(const char *path, struct log_reader *reader, struct checkpoint *ret_before);

/* Replaces the checkpoint as a whole: after a crash there is the old one or the new one. */
int checkpoint_save(const char *path, const struct log_reader *reader,
                    const struct checkpoint *checkpoint);

/* The same for one place, where miguard audit follow stopped. */
int checkpoint_load_place(const char *path, struct family_place *ret_place);
int checkpoint_save_place(const char *path, const struct family_place *place);

#endif
