/* SPDX-License-Identifier: MIT */
/* How a refusal (guard/refusal.h) reaches a provider: as a result, as a message that MI borrows, as
 * a refused operation. */
#ifndef GATEWAY_REFUSED_H
#define GATEWAY_REFUSED_H

#include <MI.h>

#include "gateway/objects.h"
#include "guard/refusal.h"

/* The MI result of each answer; ACCESS_DENIED for a value outside of the enum. */
MI_Result refused_result(const struct refusal *refusal);

/* The sentence, in memory that is never freed and overwritten only many refusals later. Thread
 * safe; never NULL. */
const char *refused_message(const struct refusal *refusal);

/* Delivers a refused start: a real error operation in *operation
 * (when not NULL) and the matching result callback once, now, on this thread. session is the handle
 * that Operation_GetSession() returns. */
void refused_deliver(const struct refusal *refusal, const MI_Session *session,
                     enum result_kind kind, const MI_OperationCallbacks *callbacks,
                     MI_Operation *operation);

/* The next ticket. Only a test that wants the last one sets it. */
extern _Atomic uint64_t refused_next_ticket;

#endif
