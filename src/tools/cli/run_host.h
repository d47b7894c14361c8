/* SPDX-License-Identifier: MIT */
/* The embedded server behind the guard, for `miguard run` and `miguard serve` (run_host.c). */
#ifndef TOOLS_CLI_RUN_HOST_H
#define TOOLS_CLI_RUN_HOST_H

#include <stdbool.h>

#include "tools/cli/cli.h"
#include "tools/cli/options.h"

/* THREAD and PROCESS are the positions of their words; BY_POLICY is not a word, but the default. */
enum run_gate { RUN_GATE_THREAD, RUN_GATE_PROCESS, RUN_GATE_BY_POLICY };

/* How it is set up. */
struct run_hosting {
    struct word_list modules;
    const char *audit_file, *policy; /* NULL: as the policy and the environment say */
    enum run_gate gate;
    bool report, no_report; /* what a gate refuses */
};

#define RUN_HOSTING_INIT                                                                           \
    {                                                                                              \
        .gate = RUN_GATE_BY_POLICY                                                                 \
    }

extern const char *const run_gate_scopes[];

/* The options of it, for a request T with a member hosting. */
#define RUN_HOSTING_OPTIONS(T, MODULE_HELP)                                                        \
    LIST("--module", "FILE.so", T, hosting.modules, MODULE_HELP),                                  \
        TEXT("--audit", "FILE", T, hosting.audit_file,                                             \
             "where to record what the guard decides; the default is the log of the policy, and "  \
             "for users who cannot write that miguard/audit.jsonl in $XDG_STATE_HOME or "          \
             "~/.local/state"),                                                                    \
        TEXT("--policy", "FILE|DIR", T, hosting.policy,                                            \
             "the policy, in place of $MIGUARD_POLICY and that in /etc/miguard"),                  \
        WORD("--gate", run_gate_scopes, T, hosting.gate,                                           \
             "from then on the kernel lets only the library change credentials "                   \
             "(miguard-gate(7)); without it, as the policy says; what it refuses is recorded "     \
             "with its call site"),                                                                \
        FLAG("--report", T, hosting.report,                                                        \
             "close that gate (without --gate that of the process), and serve nothing where what " \
             "it refuses cannot be recorded"),                                                     \
        FLAG("--no-report", T, hosting.no_report,                                                  \
             "do not record it: refuse only, as a policy's gate does without report: true",        \
             .needs = "--gate", .excludes = "--report")

/* Opens the log, loads the policy and closes the gate: before any provider is loaded. CLI_YES, or
 * the exit status after a message. */
int run_host_prepare(const struct run_hosting *hosting);

/* The host, with the modules that serve name_space. CLI_YES, or the exit status after a message.
 * Once in a process at a time. */
int run_host_open(const struct run_hosting *hosting, const char *name_space,
                  struct miguard_host **ret_host);

/* Waits for providers that still run. NULL is allowed. */
void run_host_close(struct miguard_host *host);

#endif
