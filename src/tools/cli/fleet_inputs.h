/* SPDX-License-Identifier: MIT */
/*
 * What the `miguard fleet` commands that verify a store read first: keys, heads, and whether a list
 * of heads is signed by whom it should be.
 */
#ifndef TOOLS_CLI_FLEET_INPUTS_H
#define TOOLS_CLI_FLEET_INPUTS_H

#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/review/fleet.h"

/* A part of a command's request. Begins as {0}. */
struct fleet_inputs {
    struct word_list places, heads, signed_by; /* as they were given */
    const char *keys;
    struct fleet_request fleet; /* now, silent, slack, by_folder and partial are the command's */
    struct fleet_key *key_list;
    size_t key_count;
    int *copies; /* of signed lists, so that they cannot change between the look and the use */
    char **copy_names;
    size_t copy_count;
    int64_t started, shown; /* milliseconds; shown 0: no progress line is on the terminal */
};

/* The options of it that each command has. */
#define FLEET_KEYS(T, member)                                                                      \
    TEXT("--keys", "FOLDER", T, member.keys,                                                       \
         "the verification keys, one in each file; HOST.key is expected to be the host's")
#define FLEET_HEADS(T, member)                                                                     \
    LIST("--heads", "FILE", T, member.heads,                                                       \
         "heads that came another way: what the syslog or journal sink sent elsewhere, or a list " \
         "of CHAIN SEQ:HASH; a folder stands for its files")
#define FLEET_SIGNED_BY(T, member)                                                                 \
    LIST(                                                                                          \
        "--signed-by", "PUBKEY", T, member.signed_by,                                              \
        "each FILE of --heads has a signature in FILE.minisig by one of these keys; else nothing " \
        "is verified",                                                                             \
        .needs = "--heads")

/* Reads all of it and verifies the store. CLI_YES: *ret_report is the caller's; else the exit
 * status after a message. */
int fleet_inputs_verify(const struct command_line *line, struct fleet_inputs *inputs,
                        struct fleet_report *ret_report);
/* Wipes the keys. */
void fleet_inputs_release(struct fleet_inputs *inputs);

#endif
