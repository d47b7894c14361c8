/* SPDX-License-Identifier: MIT */
/* Deciding the calls of a log again and printing what changes: for `miguard policy replay` and
 * `diff`. */
#ifndef TOOLS_CLI_POLICY_CHANGES_H
#define TOOLS_CLI_POLICY_CHANGES_H

#include "tools/cli/audit_review.h"
#include "tools/cli/policy_open.h"
#include "tools/review/replay.h"

/* As policy_set_load(), with its findings on stderr; errors in the policy are CLI_UNABLE after a
 * message: nothing can be said then. Release in every case. */
int policy_changes_load(const char *path, struct policy_set *ret_set);

/* Adds each record of the review to replay. CLI_YES, or the exit status after a message. */
int policy_changes_walk(struct review *review, struct replay *replay);

void policy_changes_text(const struct replay *replay);
/* A new reference; NULL out of memory. */
json_t *policy_changes_json(const struct replay *replay);

#endif
