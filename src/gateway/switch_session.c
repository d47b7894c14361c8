/* SPDX-License-Identifier: MIT */
/* Becoming the identity of a session: the one part of switching that needs sessions. */
#include "base/error.h"
#include "gateway/gateway.h"

/* The target is a copy: it outlives the session. A revoked session gives none, since its identity
 * may do nothing more here. */
enum miguard_status miguard_target_session(const MI_Session *session,
                                           struct miguard_target **ret_target,
                                           struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    void *object = NULL;

    if (session == NULL || ret_target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target",
                         "session or ret_target is NULL");
    }
    const struct slots_handle handle = {session->reserved1, (uint64_t)session->reserved2};
    if (session->ft != &guarded_session_ft ||
        slots_acquire(&guarded_sessions, handle, &object) != SLOTS_OK) {
        return error_set(reterr, MIGUARD_NOT_FOUND, 0, "target",
                         "not an open session of a guarded context");
    }
    const struct guarded_session *guarded = object;
    enum miguard_status status =
        atomic_load(&guarded->binding.revoked)
            ? error_set(reterr, MIGUARD_BAD_STATE, 0, "target", "the session was revoked by policy")
            : miguard_target_identity(&guarded->binding.identity, ret_target, reterr);
    slots_release(&guarded_sessions, object);
    return status;
}
