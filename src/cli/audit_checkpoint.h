/* SPDX-License-Identifier: MIT */
/* Where a search stopped, in a small file, so that the next one goes on behind it. */
#ifndef CLI_AUDIT_CHECKPOINT_H
#define CLI_AUDIT_CHECKPOINT_H

#include "review/read.h"

/* Sets each file of the reader to its mark, and tells of files that changed. A checkpoint that does
 * not exist is one of nothing read. CLI_YES, or CLI_UNABLE after a message: a checkpoint that
 * cannot be read or understood is never taken for an empty one. */
int checkpoint_load(const char *path, struct log_reader *reader);

/* Replaces the checkpoint as a whole: after a crash there is the old one or the new one. */
int checkpoint_save(const char *path, const struct log_reader *reader);

#endif
