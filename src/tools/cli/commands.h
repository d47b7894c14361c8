/* SPDX-License-Identifier: MIT */
/*
 * All commands. A new one is a row here and a file cmd_*.c with its COMMAND(); a row without that
 * does not link, and a COMMAND() without a row does not compile.
 */
#ifndef TOOLS_CLI_COMMANDS_H
#define TOOLS_CLI_COMMANDS_H

#include "tools/cli/options.h"

/* X(folder, name, summary) */
#define MIGUARD_COMMAND_MAP(X)                                                                     \
    X(miguard, doctor, "try what works on this machine, and say how to get the rest")              \
    X(miguard, gate, "show what a gate refuses")                                                   \
    X(miguard, identity, "show and compare what processes and threads are to the guard")           \
    X(miguard, policy, "check, explain, test and format policy files")                             \
    X(miguard, audit, "read, check and translate the audit log")                                   \
    X(miguard, fleet, "verify what was collected from many hosts")                                 \
    X(miguard, key, "make keys that sign policies and lists of heads")                             \
    X(miguard, module, "say what a provider module declares, serves and imports")                  \
    X(miguard, run, "make one request to provider modules behind the guard")                       \
    X(miguard, serve, "serve provider modules to local users, each as who they are")               \
    X(miguard, wrap, "guard a provider that cannot be compiled again, by a shim")                  \
    X(miguard, unwrap, "undo miguard wrap")                                                        \
    X(miguard, completion, "print what completes this command in bash, zsh or fish")

#define GATE_COMMAND_MAP(X) X(gate, show, "print what a gate refuses, and by which program")

#define MODULE_COMMAND_MAP(X)                                                                      \
    X(module, info, "print what a provider module declares, serves and imports")

#define IDENTITY_COMMAND_MAP(X)                                                                    \
    X(identity, show, "print what a process or thread is to the guard")                            \
    X(identity, diff, "print in what two processes or threads differ")

#define POLICY_COMMAND_MAP(X)                                                                      \
    X(policy, check, "look for errors in policy files, and for what is not meant")                 \
    X(policy, show, "print the policy in force")                                                   \
    X(policy, explain, "decide one call, and say why")                                             \
    X(policy, who, "print all that a user may do, and by which rules")                             \
    X(policy, replay, "decide recorded calls by another policy, and print what changes")           \
    X(policy, diff, "print in what two policies differ")                                           \
    X(policy, test, "run the tests in policy files")                                               \
    X(policy, edit, "change a policy file, checked and locked")                                    \
    X(policy, fmt, "put policy files into the canonical form")                                     \
    X(policy, status, "print which policy each running process has in force")                      \
    X(policy, bundle, "make one signed file of a policy, for many machines")                       \
    X(policy, install, "verify a bundle and put it into force, at once")

/* X(folder, identifier, word, summary): words that are not identifiers. */
#define POLICY_WORD_COMMAND_MAP(X)                                                                 \
    X(policy, verify_bundle, "verify-bundle", "verify a bundle, and run its tests")

#define AUDIT_COMMAND_MAP(X)                                                                       \
    X(audit, init, "begin the chain of a new log and print its verification key")                  \
    X(audit, search, "print the records that match QUERY")                                         \
    X(audit, report, "sum up by user, provider, rule, component, reason and hour")                 \
    X(audit, follow, "print records as they are written, over rotation")                           \
    X(audit, explain, "say in sentences why a call was refused, and what to do")                   \
    X(audit, suggest, "write rules for what was refused; read them before use")                    \
    X(audit, export, "translate records for other systems")                                        \
    X(audit, top, "show what is refused now, on a screen that renews itself")                      \
    X(audit, alert, "send what is new and matches to a program, by web or mail")                   \
    X(audit, metrics, "count for Prometheus, as text for its node exporter")                       \
    X(audit, load, "load records into PostgreSQL")                                                 \
    X(audit, queries, "list the saved queries")                                                    \
    X(audit, verify, "check that the log is intact, or find the record that is not")

#define FLEET_COMMAND_MAP(X)                                                                       \
    X(fleet, verify, "check that what was collected is intact, host by host")                      \
    X(fleet, heads, "write the heads of all hosts as one list, and sign it")                       \
    X(fleet, report, "answer who was refused where, what is new, which policy is in force")        \
    X(fleet, schema, "print the tables that a database has for records")

#define KEY_COMMAND_MAP(X) X(key, create, "make a pair of keys, one secret and one to give out")

#define COMMAND_DECLARE(folder, name, ...) extern const struct command command_##folder##_##name;
MIGUARD_COMMAND_MAP(COMMAND_DECLARE)
GATE_COMMAND_MAP(COMMAND_DECLARE)
MODULE_COMMAND_MAP(COMMAND_DECLARE)
IDENTITY_COMMAND_MAP(COMMAND_DECLARE)
POLICY_COMMAND_MAP(COMMAND_DECLARE)
POLICY_WORD_COMMAND_MAP(COMMAND_DECLARE)
AUDIT_COMMAND_MAP(COMMAND_DECLARE)
FLEET_COMMAND_MAP(COMMAND_DECLARE)
KEY_COMMAND_MAP(COMMAND_DECLARE)
#undef COMMAND_DECLARE

/* The type is that of the declaration above, which is missing without a row. */
#define COMMAND(folder, name) __typeof__(command_##folder##_##name) command_##folder##_##name

#endif
