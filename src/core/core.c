/* SPDX-License-Identifier: MIT */
/*
 * The guard of a process with the built-in policy and records for the program: what libmiguard-core
 * has in place of src/guard/setup.c. Called by programs, and by the guard at each binding.
 */
#include "miguard/core.h"

#include "base/entry.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/pin.h"
#include "core/records.h"
#include "guard/process_guard.h"
#include "switch/copy.h"

static struct fork_once start_once = FORK_ONCE_INIT;

FORK_OWNER(start_owner, .rank = FORK_ONCE, .lock = &start_once.lock);

/* Once in a process, before anything that leaves a pointer into the library. */
static void start(void)
{
    (void)pin_in_memory(); /* without it bindings are refused (copy_claim) */
    fork_do_once(&start_once, observe_all);
}

/* Puts policy and log in force. The caller holds the guard's lock. */
static enum miguard_status start_guard(const struct miguard_core_config *config,
                                       struct miguard_error *reterr)
{
    if (process_guard.configured) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "start", "the guard is set up already");
    }
    process_guard.guard.audit = records_open(config->record, config->data);
    store_set(&process_guard.guard.store, policy_builtin);
    process_guard.configured = true;
    return MIGUARD_OK;
}

enum miguard_status miguard_core_start(const struct miguard_core_config *config,
                                       struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;

    if (config == NULL || config->size != sizeof(*config) || config->record == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "start",
                         "start from MIGUARD_CORE_CONFIG_INIT and set record");
    }
    if (copy_claim(NULL) != MIGUARD_OK) {
        return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "start",
                         "another copy of the library is in use in this process");
    }
    start();
    pthread_mutex_lock(&process_guard.lock);
    enum miguard_status status = start_guard(config, reterr);
    pthread_mutex_unlock(&process_guard.lock);
    return status;
}

uint64_t miguard_core_lost(void)
{
    return records_lost();
}

const char *miguard_version(void)
{
    return MIGUARD_VERSION;
}

/* Sets nothing up: without miguard_core_start() there is no policy, and a binding is refused. */
struct guard *guard_enter(void)
{
    if (!guard_enter_open()) {
        start();
        pthread_mutex_lock(&process_guard.lock);
        guard_add_user();
        if (process_guard.configured) {
            guard_open();
        }
        pthread_mutex_unlock(&process_guard.lock);
    }
    return &process_guard.guard;
}

/* The built-in policy closes no gate; the program does, by miguard_gate_close(). */
enum miguard_status guard_close_thread(struct guard *guard)
{
    (void)guard;
    return copy_claim(NULL) == MIGUARD_OK ? MIGUARD_OK : MIGUARD_NOT_SUPPORTED;
}
