/* SPDX-License-Identifier: MIT */
/* miguard audit init: begins the chain of a new log and prints its verification key, once. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file.h"
#include "cli/cmd_audit.h"

static const char help[] =
    "usage: miguard audit init [--no-key] [--aside|--continue] [FILE]\n"
    "\n"
    "Begins the chain of the log FILE (default: the log of the policy in force), which must not\n"
    "exist yet: makes FILE.state and prints the verification key on stdout. It is printed this\n"
    "once and kept nowhere. Store it on another host:\n"
    "\n"
    "    miguard audit init | ssh safe 'umask 077; cat > audit.key'\n"
    "    miguard audit verify --key audit.key\n"
    "\n"
    "Whoever has the key can forge the log; whoever takes this host later cannot change what was\n"
    "recorded before. Without a call of this command a log begins as with --no-key.\n"
    "\n"
    "  --no-key  a chain without a key: shows accidents and naive changes, but who can write the\n"
    "            file can make it anew\n"
    "  --aside   a log, or files of an earlier one, that lie there move into a folder beside "
    "them,\n"
    "            FILE.aside-TIME, where they can still be verified; stop the programs before that\n"
    "  --continue\n"
    "            files of an earlier log whose state is gone stay; they are none of the new log's\n"
    "  --help    this text\n"
    "\n"
    "Exit status: 0 done; 1 there is a log or a state already; 2 wrong usage; 3 it could not be\n"
    "done.\n";

static const char *const options[] = {"--no-key", "--aside", "--continue", "--help", NULL};

struct request {
    const char *path;
    bool no_key, help;
    enum file_earlier earlier;
};

static int parse(int count, char **list, struct request *ret_request)
{
    struct arguments arguments = {
        .count = count, .list = list, .command = "miguard audit init", .known = options};

    while (arguments_next(&arguments)) {
        if (arguments.operand != NULL && ret_request->path != NULL) {
            return complain(CLI_USAGE, "miguard audit init: one FILE, not also %s",
                            arguments.operand);
        }
        if (arguments.operand != NULL) {
            ret_request->path = arguments.operand;
        } else if (arguments_is(&arguments, "--no-key")) {
            ret_request->no_key = true;
        } else if (arguments_is(&arguments, "--aside")) {
            ret_request->earlier = FILE_EARLIER_ASIDE;
        } else if (arguments_is(&arguments, "--continue")) {
            ret_request->earlier = FILE_EARLIER_CONTINUE;
        } else if (arguments_is(&arguments, "--help") || arguments_is(&arguments, "-h")) {
            ret_request->help = true;
        } else {
            return arguments_unknown(&arguments);
        }
    }
    return arguments.failed ? CLI_USAGE : CLI_YES;
}

/* As the library does: a host that runs as root needs no set-up. */
static void make_parent(const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (slash != NULL && slash != path && (size_t)(slash - path) < sizeof(parent)) {
        memcpy(parent, path, (size_t)(slash - path));
        parent[slash - path] = '\0';
        (void)mkdir(parent, 0750); /* file_init() tells when it is still missing */
    }
}

/* A key that did not reach its reader is lost, and a chain whose key is lost cannot be verified. */
static int print_key(const char *path, const struct chain_key *key)
{
    char text[CHAIN_KEY_TEXT_SIZE], state[PATH_MAX];

    chain_key_text(key, text);
    fputs("# verification key of the log ", stdout);
    print_safe(stdout, path, true);
    printf(", made once: keep it off this host\n%s\n", text);
    explicit_bzero(text, sizeof(text));
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        fputs("miguard: the chain is begun. The key above is not stored here: keep it elsewhere\n",
              stderr);
        return CLI_YES;
    }
    int error = errno;
    int length = snprintf(state, sizeof(state), "%s.state", path);
    if (length > 0 && (size_t)length < sizeof(state)) {
        unlink(state);
    }
    return complain(CLI_UNABLE, "the key could not be printed, and nothing was begun: %s",
                    strerror(error));
}

static int begin(const struct request *request, const char *path)
{
    struct miguard_error error = {0};
    struct chain_key key = {.present = false};
    char aside[PATH_MAX] = "";

    if (!chain_init()) {
        return complain(CLI_UNABLE, "miguard audit init: no random numbers");
    }
    if (!request->no_key) {
        chain_key_new(&key);
    }
    make_parent(path);
    enum miguard_status status = file_init(path, &key, request->earlier, aside, &error);
    int exit_status = CLI_YES;
    if (aside[0] != '\0') {
        complain(CLI_YES, "what lay there is in %s now", aside);
    }
    if (status != MIGUARD_OK) {
        exit_status = complain_error(status == MIGUARD_BAD_STATE ? CLI_NO : CLI_UNABLE,
                                     "miguard audit init", &error);
    } else if (key.present) {
        exit_status = print_key(path, &key);
    }
    chain_key_wipe(&key);
    return exit_status;
}

int audit_init(int count, char **arguments)
{
    struct request request = {0};
    int status = parse(count, arguments, &request);

    if (status != CLI_YES) {
        return status;
    }
    if (request.help) {
        fputs(help, stdout);
        return CLI_YES;
    }
    char *found = request.path == NULL ? audit_default_log() : NULL;
    const char *path = request.path != NULL ? request.path : found;
    status = path != NULL ? begin(&request, path) : CLI_UNABLE;
    free(found);
    return status;
}
