/* SPDX-License-Identifier: MIT */
/*
 * The command itself: the tables of all commands, and main().
 *
 * The tables of each level are made from the maps in commands.h; root is the top. main() occupies
 * the standard descriptors, runs the command, and reports output that could not be written as a
 * failure, since a script would take a cut file for the whole.
 */
#include "tools/cli/cli.h"
#include "tools/cli/commands.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A row of a table of commands from a line of commands.h. */
#define COMMAND_ROW(folder, name, summary) {#name, summary, &command_##folder##_##name},

#define COMMAND_WORD_ROW(folder, name, word, summary) {word, summary, &command_##folder##_##name},

static const struct command_row gate_commands[] = {GATE_COMMAND_MAP(COMMAND_ROW)};
static const struct command_row module_commands[] = {MODULE_COMMAND_MAP(COMMAND_ROW)};
static const struct command_row identity_commands[] = {IDENTITY_COMMAND_MAP(COMMAND_ROW)};
static const struct command_row policy_commands[] = {POLICY_COMMAND_MAP(COMMAND_ROW)
                                                         POLICY_WORD_COMMAND_MAP(COMMAND_WORD_ROW)};
static const struct command_row audit_commands[] = {AUDIT_COMMAND_MAP(COMMAND_ROW)};
static const struct command_row fleet_commands[] = {FLEET_COMMAND_MAP(COMMAND_ROW)};
static const struct command_row key_commands[] = {KEY_COMMAND_MAP(COMMAND_ROW)};
static const struct command_row miguard_commands[] = {MIGUARD_COMMAND_MAP(COMMAND_ROW)};

COMMAND(miguard, gate) = {
    .about = "What a gate is, and what it costs: miguard-gate(7).",
    COMMANDS(gate_commands),
};

COMMAND(miguard, module) = {
    .about = "Looks into provider modules before they are registered: miguard-provider(7).",
    COMMANDS(module_commands),
};

COMMAND(miguard, identity) = {
    .about = "What the guard compares of a process or thread: libmiguard(3).",
    COMMANDS(identity_commands),
};

COMMAND(miguard, policy) = {
    .about = "Works on the policy in force, or on policy files: miguard-policy(5).",
    .exits = "Exit status: 0 yes, in order, allowed, up to date; 1 no, findings, denied, not; 2 "
             "wrong usage; 3 it could not be done.",
    COMMANDS(policy_commands),
};

COMMAND(miguard, audit) = {
    .about = "Works on the log of the policy in force with its rotated files, or on the files that "
             "are named: miguard-audit(1). The fields of a record: miguard-audit-record(5).",
    .exits = "Exit status: 0 yes, found, intact; 1 no, nothing found, not intact; 2 wrong usage; 3 "
             "it could not be done.",
    COMMANDS(audit_commands),
};

COMMAND(miguard, key) = {
    .about = "Makes keys for `miguard policy bundle`, in the files of minisign(1).",
    COMMANDS(key_commands),
};
COMMAND(miguard, fleet) = {
    .about = "Works on the records of many hosts that were collected on one: miguard-fleet(7).",
    .exits = "Exit status: 0 intact; 1 not; 2 wrong usage; 3 it could not be proved or done.",
    COMMANDS(fleet_commands),
};

struct root_options {
    bool version;
};

static const struct option_row root_options[] = {
    FLAG("--version", struct root_options, version,
         "print the version of the command and of the library"),
};

static const struct command root = {
    .about = "Identities, policies and requests to MI providers behind the guard: miguard(1).",
    .notes = "miguard help COMMAND and miguard COMMAND --help describe a command.",
    .exits = "Exit status: 0 yes or done, 1 no or refused, 2 wrong usage, 3 could not be done.",
    OPTIONS(root_options),
    COMMANDS(miguard_commands),
};

/* The name "miguard" is fixed, whatever the file is called, so that messages are the same
 * everywhere. */
static int run_root(int count, char **list)
{
    const struct command_line line = {
        .name = "miguard", .command = &root, .root = &root, .count = count, .list = list};

    if (count > 0 && strcmp(list[0], "--version") == 0) {
        printf("miguard %s (library %s)\n", MIGUARD_VERSION, miguard_version());
        return CLI_YES;
    }
    return command_run(&line);
}

/* Opens closed standard descriptors: else the first file that is opened, a log or its state, would
 * get what is printed. A writer must meet an error, so what takes the place is open for the other
 * direction. */
static void occupy_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) {
            _exit(CLI_UNABLE);
        }
    }
}

/* Nothing is opened before the standard descriptors are known to be in use. */
int main(int count, char **arguments)
{
    occupy_standard_files();
    /* RLIMIT_FSIZE: the call fails instead, and what is half written is removed. */
    (void)signal(SIGXFSZ, SIG_IGN);
    int status = count > 0 ? run_root(count - 1, arguments + 1) : CLI_USAGE;

    /* A full disk must not look like success. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return complain(CLI_UNABLE, "the output could not be written");
    }
    return status;
}
