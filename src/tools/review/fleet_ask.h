/* SPDX-License-Identifier: MIT */
/*
 * Answers the questions of fleet_answers.h from the files of a collected store, in one pass, as the
 * saved SQL answers them from PostgreSQL. Proves nothing: `miguard fleet verify` does.
 */
#ifndef TOOLS_REVIEW_FLEET_ASK_H
#define TOOLS_REVIEW_FLEET_ASK_H

#include "base/error.h"
#include "tools/review/fleet_answers.h"

/* Different keys, such as a user with a provider, of one question. */
enum { FLEET_KEYS_MOST = 1 << 22 };

/* Every file below the places, whatever its name, plain or packed; lines that came twice count
 * once. Memory grows with what is different, and by 16 to 32 bytes for each refusal. progress:
 * after some records, with the files done and all; NULL is allowed.
 * Errors: NOT_FOUND, SYSTEM, NO_MEMORY, LIMIT (FLEET_KEYS_MOST). */
MIGUARD_CHECKED enum miguard_status fleet_ask(const char *const *places, size_t count,
                                              struct fleet_answers *answers,
                                              struct miguard_error *reterr);

#endif
