/* SPDX-License-Identifier: MIT */
/*
 * One verification of a log as a command makes it: the key, the states beside the logs, and the
 * answer. `audit verify` prints all of it, `audit report` and `audit metrics` the verdict.
 */
#ifndef TOOLS_CLI_AUDIT_VERIFICATION_H
#define TOOLS_CLI_AUDIT_VERIFICATION_H

#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/review/verify.h"

/* The request, and everything read for it. Begins as {.every_state = true}. */
struct verification {
    /* The operands, and the values of --head as they were given. */
    struct word_list files, heads_given;
    /* "-" is standard input; NULL: without a key. */
    const char *key_file;
    /* The parsed heads, as many as heads_given has. */
    struct verify_head *heads;
    size_t head_count;
    /* strict: declared losses are a failure. */
    bool strict, json;
    /* Wiped by verification_release(). */
    struct chain_key key;
    struct state_head *states; /* of the logs that have one that may be read */
    size_t state_count;
    /* Each log had a state that could be read; starts as true. */
    bool every_state;
    /* The path behind files.items[0] when no FILE was given. */
    char *default_log;
    char no_state[256];     /* why every_state is false */
    int64_t started, shown; /* milliseconds; shown 0: no progress line is on the terminal */
};

/* What is printed and what the exit status follows. */
enum verification_answer {
    VERIFICATION_INTACT,
    /* Nothing is wrong, but whether records are missing at the end is not known: there was no state
     * and no head. */
    VERIFICATION_INTACT_SO_FAR,
    VERIFICATION_TAMPERED,
    VERIFICATION_UNPROVEN,
};

/* Reads key_file, if there is one. CLI_YES, or the exit status after a message. */
int verification_read_key(const struct command_line *line, struct verification *verification);
/* The key in a file, or "-". CLI_YES, or the exit status after a message. */
int verification_load_key(const struct command_line *line, const char *name,
                          struct chain_key *ret_key);
/* Verifies the files, or the log of the policy in force. CLI_YES: *ret_report is the caller's to
 * release, whatever was found; else CLI_UNABLE after a message. */
int verification_run(struct verification *verification, struct verify_report *ret_report);
/* All of it for another command, with these files and this key (NULL: none): CLI_YES with
 * *ret_answer and *ret_report, which the caller releases; else the exit status after a message. */
int verification_of(const struct command_line *line, const struct word_list *files, const char *key,
                    enum verification_answer *ret_answer, struct verify_report *ret_report);
/* "intact", "intact-so-far", "tampered", "unproven": for programs, frozen. */
extern const char *const verification_words[];
/* Whether a state or a head shows that the end is there. */
bool verification_end_proven(const struct verification *verification,
                             const struct verify_report *report);
enum verification_answer verification_answer(const struct verification *verification,
                                             const struct verify_report *report);
/* Wipes the key first: it is the one thing here that must not stay in memory. */
void verification_release(struct verification *verification);

#endif
