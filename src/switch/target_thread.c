/* SPDX-License-Identifier: MIT */
/* The calling thread as a target. Not in target.c, which switch.c needs. */
#include "base/entry.h"
#include "base/error.h"
#include "switch/switch.h"

enum miguard_status miguard_target_thread(struct miguard_target **ret_target,
                                          struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    struct miguard_identity identity;

    if (ret_target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target", "ret_target is NULL");
    }
    switch_settle(); /* else it would be an identity that a callback left */
    enum miguard_status status = identity_capture(&identity, reterr);
    if (status == MIGUARD_OK) {
        status = miguard_target_identity(&identity, ret_target, reterr);
        identity_release(&identity);
    }
    return status;
}
