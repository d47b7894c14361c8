/* SPDX-License-Identifier: MIT */
/*
 * Where a search stopped, in a small file, so that the next one goes on behind it.
 *
 * A search notes a mark for each file and the highest record of each chain; follow notes one place
 * only, since it shows one log in its order. Both are files of JSON that name their own version, so
 * that a newer format is refused rather than misread.
 */
#ifndef TOOLS_CLI_AUDIT_CHECKPOINT_H
#define TOOLS_CLI_AUDIT_CHECKPOINT_H

#include <jansson.h>

#include "audit/file/family.h"
#include "tools/review/read.h"

/* How far each chain was read, so that what retention takes before the next search is reported. */
enum { CHECKPOINT_CHAINS = 16 };

/* What one search knows of its chains. Starts from {0}; holds no memory of its own. */
struct checkpoint {
    struct family_place before[CHECKPOINT_CHAINS]; /* the last of the search before */
    size_t before_count;
    struct checkpoint_chain {
        uint64_t chain, lowest, highest; /* of this search */
        uint64_t removed_through;        /* by retention, as the log says */
    } now[CHECKPOINT_CHAINS];
    /* Chains of which this search has met a record. */
    size_t now_count;
};

/* Notes the number of the record in its chain. Called for every record that is read, whether it is
 * asked for or not: a gap is about what was in the log, not about what matched. Lines without a
 * place in a chain are ignored. */
void checkpoint_note(struct checkpoint *checkpoint, const struct record *record);

/* Records behind the last one of the search before that this one did not find. */
struct checkpoint_gap {
    uint64_t chain, first, last;
    bool retention; /* the log says that it removed them */
};
/* The gap with this index, counted over all chains, in *ret_gap. False: there is no gap with that
 * number, so a loop from 0 finds all of them. */
bool checkpoint_gap(const struct checkpoint *checkpoint, size_t at, struct checkpoint_gap *ret_gap);

/* Sets each file of the reader to its mark, and reports files that changed. A checkpoint that does
 * not exist is one of nothing read. CLI_YES, or CLI_UNABLE after a message: a checkpoint that
 * cannot be read or understood is never taken for an empty one. */
int checkpoint_load(const char *path, struct log_reader *reader, struct checkpoint *ret_before);

/* Replaces the checkpoint as a whole, by rename(2): after a crash there is the old one or the new
 * one. CLI_YES, or CLI_UNABLE after a message; the old one is then as it was. */
int checkpoint_save(const char *path, const struct log_reader *reader,
                    const struct checkpoint *checkpoint);

/* The same as a part of another file, for a command that keeps more than its place: json is what
 * checkpoint_json() gave. read_keep_marks() must have been called. False: it is no checkpoint. */
bool checkpoint_take(const json_t *json, struct log_reader *reader, struct checkpoint *ret_before);
/* A new reference, or NULL out of memory. */
json_t *checkpoint_json(const struct log_reader *reader, const struct checkpoint *checkpoint);
/* Reads such a file: CLI_YES with *ret_json (NULL: no such file), or CLI_UNABLE after a message.
 */
int checkpoint_load_file(const char *path, json_t **ret_json);
/* Takes over json and replaces the file as a whole. CLI_YES, or CLI_UNABLE after a message. */
int checkpoint_save_file(const char *path, json_t *json);
/* Says that the file is no checkpoint; CLI_UNABLE. */
int checkpoint_refuse(const char *path);

/* The same for one place, where miguard audit follow stopped. Without a file *ret_place is left as
 * it was. */
int checkpoint_load_place(const char *path, struct family_place *ret_place);

/* As checkpoint_save(). */
int checkpoint_save_place(const char *path, const struct family_place *place);

#endif
