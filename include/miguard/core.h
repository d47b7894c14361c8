/* SPDX-License-Identifier: MIT */
/*
 * libmiguard-core: identity, switch, gate and guard for a daemon that brings its own policy and its
 * own log. It needs libcap-ng and libseccomp, and neither libyaml nor libsodium; there are no
 * policy files, no log and no background thread.
 *
 * The policy is the built-in one: every component is compared, a difference is refused, the rest is
 * allowed; refusals, bindings and failed switches are records, which the program gets.
 *
 * A process uses libmiguard or libmiguard-core. The second one that is loaded refuses everything
 * (NOT_SUPPORTED, BAD_STATE): two guards would take each other's switches for foreign ones.
 */
#ifndef MIGUARD_CORE_H
#define MIGUARD_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate.h"
#include "guard.h"
#include "home.h"
#include "identity.h"
#include "status.h"
#include "switch.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Gets each record, as one JSON object without a newline and followed by a NUL, in the form of
 * miguard-audit-record(5): without sequence and chain, which are those of a log, and with ids in
 * place of user and group names, since no guarded call may wait for a directory.
 *
 * Runs on the thread whose call is recorded, before that call is answered, under the identity that
 * the thread has at that moment, and for several threads at a time. It must not call the library,
 * and must not change the thread's identity. json is valid during the call only.
 *
 * Answers true when the record is kept. false counts as lost: what is refused is refused all the
 * same, and what is allowed stays allowed.
 */
typedef bool (*miguard_record_function)(void *data, const char *json, size_t length);

/* Start from MIGUARD_CORE_CONFIG_INIT. */
struct miguard_core_config {
    size_t size; /* sizeof(struct miguard_core_config) of the caller's header */
    miguard_record_function record;
    void *data; /* handed to record */
};

#define MIGUARD_CORE_CONFIG_INIT                                                                   \
    {                                                                                              \
        sizeof(struct miguard_core_config), NULL, NULL                                             \
    }

/*
 * Sets up the guard of this process. Until then every binding is refused, since a decision that
 * nothing records must not be made. Once: a second call is refused.
 *
 * Errors: INVALID_ARGUMENT (no record function, or another size), BAD_STATE (it is set up already),
 * NOT_SUPPORTED (another copy of the library is in use). Thread safe, not async-signal safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_core_start(const struct miguard_core_config *config, struct miguard_error *reterr);

/* How many records the program did not take, or that could not be made for want of memory. Thread
 * safe, async-signal safe. */
MIGUARD_API uint64_t miguard_core_lost(void);

#ifdef __cplusplus
}
#endif

#endif
