/* SPDX-License-Identifier: MIT */
/*
 * The guard of a process: its policy and its log. Nothing here knows MI; <miguard.h> has the front
 * end for MI providers.
 */
#ifndef MIGUARD_GUARD_H
#define MIGUARD_GUARD_H

#include <stddef.h>

#include "status.h"

#define MIGUARD_VERSION "0.1.0"

/* Where the audit log goes by default. */
#define MIGUARD_AUDIT_FILE "/var/log/miguard/audit.jsonl"

#ifdef __cplusplus
extern "C" {
#endif

/* Start from MIGUARD_CONFIG_INIT and change what is wanted. */
struct miguard_config {
    size_t size;            /* sizeof(struct miguard_config) of the caller's header */
    const char *audit_file; /* path of the log file, in place of the policy's; NULL: the policy's,
                               or MIGUARD_AUDIT_FILE where it names no file */
    const char *policy;     /* a policy file, or a folder of them; NULL means the standard places:
                               /etc/miguard/miguard.yaml and /etc/miguard/policy.d */
    int repeat_window; /* seconds in which identical refusals become one record, in place of the
                          policy's; 0: one record each; -1: the policy's */
};

#define MIGUARD_CONFIG_INIT                                                                        \
    {                                                                                              \
        sizeof(struct miguard_config), NULL, NULL, -1                                              \
    }

/*
 * Sets up the guard of this process. Optional: without it the first guarded context does so, from
 * the policy in the standard places. Without a policy there, the built-in default compares every
 * component, denies a mismatch, allows the rest and records in MIGUARD_AUDIT_FILE. While the policy
 * is broken or the log cannot be written, sessions are refused (fail closed).
 *
 * May be called again while no guarded context is alive.
 * Errors: INVALID_ARGUMENT (also a window below -1 or over 3600), NO_MEMORY, BAD_STATE (a guarded
 * context is alive), BAD_POLICY (reterr holds the first error and the number of errors), SYSTEM
 * (the audit file cannot be opened; reterr has the reason). On failure the earlier set-up stays.
 * Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_configure(const struct miguard_config *config, struct miguard_error *reterr);

/*
 * Reads the policy again from the same place. A set with errors changes nothing: the old one stays
 * in force and a record has the errors. Open sessions keep the policy that they were opened under,
 * unless the new one denies them. The log does not move. No signal and no thread is involved; with
 * `watch: true` in the policy the library calls this by itself. Errors: BAD_POLICY, NO_MEMORY,
 * BAD_STATE (nothing is set up yet). Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_reload(struct miguard_error *reterr);

/* The version of the library that is running, as MIGUARD_VERSION. */
MIGUARD_API const char *miguard_version(void);

#ifdef __cplusplus
}
#endif

#endif
