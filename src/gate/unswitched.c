/* SPDX-License-Identifier: MIT */
/* Whether the calling thread has its own identity: asked by gate.c before it closes a gate and by
 * gate_report.c before it starts a thread. */
#include "base/error.h"
#include "gate/gate.h"
#include "switch/switch.h"

/* The gate would be closed with the privileges of another identity, and no_new_privs would prevent
 * the thread's return. */
enum miguard_status gate_check_unswitched(struct miguard_error *reterr)
{
    return switch_is_busy()
               ? error_set(reterr, MIGUARD_BAD_STATE, 0, "gate",
                           "this thread is switched, or serves a callback under its session's "
                           "identity; close the gate before, or after that")
               : MIGUARD_OK;
}
