/* SPDX-License-Identifier: MIT */
/*
 * Which log is meant, for everything in this command that writes, reads or examines one: `run`,
 * `audit` and `doctor` look at the same.
 *
 * It is the policy's, for root and for other users who can write it. All others keep one of their
 * own, miguard/audit.jsonl in $XDG_STATE_HOME or ~/.local/state (XDG base directory specification),
 * so that `miguard run` works for them under the policy of the system.
 */
#ifndef TOOLS_CLI_LOG_PLACE_H
#define TOOLS_CLI_LOG_PLACE_H

#include <stdbool.h>

#include "policy/draft.h"

/* Where a policy sends its records; NULL when not to a file. Borrowed from settings. */
const struct sink_settings *log_sink(const struct draft_settings *settings);

/*
 * The path, on the heap; NULL and errno: out of memory, or (ENOENT) no home directory is known.
 * of_policy is where the policy says. reads: of this user and the policy's, it is the one that is
 * there, its own first. *ret_own: it is this user's own.
 */
char *log_place(const char *of_policy, bool reads, bool *ret_own);

/* Makes the missing folders above the log, mode 0700. False and errno. */
bool log_place_make(const char *path);

#endif
