/* SPDX-License-Identifier: MIT */
#include "tools/cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: miguard COMMAND [ARGUMENT]...\n"
    "\n"
    "  doctor          what of all this works on this machine, and how to get the rest\n"
    "  gate show       what a gate refuses, and by which program\n"
    "  identity show   what a process or thread is to the guard\n"
    "  identity diff   in what two processes or threads differ\n"
    "  policy check    look for errors in policy files, and for what is not meant\n"
    "  policy show     print the policy in force\n"
    "  policy explain  decide one call, and tell why\n"
    "  policy test     run the tests in policy files\n"
    "  policy fmt      put policy files into the canonical form\n"
    "  audit ...       read, check and translate the audit log; see miguard audit --help\n"
    "  run             make one request to provider modules behind the guard\n"
    "\n"
    "  --help          this text; miguard COMMAND --help tells more\n"
    "  --version       the version of the command and of the library\n"
    "\n"
    "Exit status: 0 yes or done, 1 no or refused, 2 wrong usage, 3 could not be done.\n";

static const char *const words[] = {"audit", "doctor", "gate",      "identity", "policy",
                                    "run",   "--help", "--version", NULL};

static const struct {
    const char *name;
    int (*run)(int count, char **arguments);
} commands[] = {
    {"audit", cmd_audit},       {"doctor", cmd_doctor}, {"gate", cmd_gate},
    {"identity", cmd_identity}, {"policy", cmd_policy}, {"run", cmd_run},
};

static int unknown(const char *word)
{
    const char *nearest = nearest_word(word, words);

    if (nearest == NULL) {
        return complain(CLI_USAGE, "unknown command %s; see miguard --help", word);
    }
    return complain(CLI_USAGE, "unknown command %s; did you mean %s?", word, nearest);
}

static int dispatch(int count, char **arguments)
{
    if (count < 2) {
        return complain(CLI_USAGE, "what is to be done? see miguard --help");
    }
    const char *word = arguments[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        fputs(help, stdout);
        return CLI_YES;
    }
    if (strcmp(word, "--version") == 0) {
        printf("miguard %s (library %s)\n", MIGUARD_VERSION, miguard_version());
        return CLI_YES;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(word, commands[i].name) == 0) {
            return commands[i].run(count - 2, arguments + 2);
        }
    }
    return unknown(word);
}

/* Else the first file that is opened, a log or its state, would get what is printed. Whoever prints
 * is to meet an error, so what takes the place is open for the other direction. */
static void occupy_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) {
            _exit(CLI_UNABLE);
        }
    }
}

int main(int count, char **arguments)
{
    occupy_standard_files();
    /* RLIMIT_FSIZE: the call tells, and what is half written is taken away. */
    (void)signal(SIGXFSZ, SIG_IGN);
    int status = dispatch(count, arguments);

    /* A full disk must not look like success. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return complain(CLI_UNABLE, "the output could not be written");
    }
    return status;
}
