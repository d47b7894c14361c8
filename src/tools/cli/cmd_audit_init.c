/* SPDX-License-Identifier: MIT */
/*
 * miguard audit init: begins the chain of a new log and prints its verification key, once.
 *
 * The order is the point: file_begin() calls give_key(), and the chain begins only when the key has
 * reached its reader. A key lost on the way leaves no chain that cannot be verified.
 *
 * The signals that would end the command are blocked while the key is handed over and the chain
 * begins: an interruption finds either nothing begun or all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file/file.h"
#include "tools/cli/audit_open.h"
#include "tools/cli/commands.h"

/* FILE, and what may be done with an earlier log. */
struct request {
    const char *path;
    /* aside and goes_on exclude each other. */
    bool no_key, aside, goes_on, json;
};

static const struct option_row options[] = {
    FLAG("--no-key", struct request, no_key,
         "a chain without a key: shows accidents and naive changes, but who can write the file can "
         "make it anew"),
    FLAG("--aside", struct request, aside,
         "a log, or files of an earlier one, that lie there move into a folder beside them, "
         "FILE.aside-TIME, where they can still be verified; stop the programs before that",
         .excludes = "--continue"),
    FLAG("--continue", struct request, goes_on,
         "files of an earlier log whose state is gone stay; they do not belong to the new log"),
    FLAG("--json", struct request, json, "print the key as a JSON object with the log's path"),
};

/* ---- handing the key over -------------------------------------------------------------------- */

/* The signals that would end the command between the two steps. */
static const int ending[] = {SIGHUP, SIGINT, SIGTERM};

/* The signals are blocked, so a pending one is how an interruption shows. */
static bool is_interrupted(void)
{
    sigset_t waiting;

    sigpending(&waiting);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
        if (sigismember(&waiting, ending[i]) == 1) {
            return true;
        }
    }
    return false;
}

/* What lies in a pipe is lost when its reader ends: write(2) succeeds before that. 0, or an error
 * number. */
static int wait_for_reader(int fd)
{
    enum { STEP_MS = 20, REPORT_AFTER = 100 };

    for (int i = 0;; i++) {
        struct pollfd reader = {.fd = fd};
        int left = 0;
        /* In this order: who has gone takes no more of it. */
        bool gone = poll(&reader, 1, i == 0 ? 0 : STEP_MS) > 0 && (reader.revents & POLLERR) != 0;
        if (ioctl(fd, FIONREAD, &left) != 0) {
            return errno;
        }
        if (left == 0 || gone || is_interrupted()) {
            return left == 0 ? 0 : gone ? EPIPE : EINTR;
        }
        if (i == REPORT_AFTER) {
            complain(CLI_YES, "the chain begins when the reader of the key has taken it");
        }
    }
}

/* Has the key reached who keeps it? A file has it when the disk has. 0, or an error number. */
static int wait_until_taken(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return errno;
    }
    if (S_ISREG(status.st_mode)) {
        return fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    }
    return S_ISFIFO(status.st_mode) ? wait_for_reader(fd) : 0;
}

/* What give_key() needs. */
struct giving {
    const char *path;
    /* Borrowed; begin() wipes it. */
    const struct chain_key *key;
    bool json;
};

/* {"log": PATH, "key": TEXT or null}, written by itself: a JSON value would keep a copy of the key.
 */
static void print_key_json(const char *path, const char *key)
{
    char *valid = valid_utf8(path);
    json_t *log = json_string(valid != NULL ? valid : "");
    char *quoted = log != NULL ? json_dumps(log, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;

    printf("{\"log\": %s, \"key\": ", quoted != NULL ? quoted : "null");
    if (key != NULL) {
        printf("\"%s\"}\n", key);
    } else {
        puts("null}");
    }
    json_decref(log);
    free(valid);
    free(quoted);
}

/* Prints the key and waits until its reader has it; called by file_begin() before the chain begins.
 * 0, or an error number, on which nothing is begun. A key that did not reach its reader is lost,
 * and a chain whose key is lost cannot be verified. */
static int give_key(void *context)
{
    const struct giving *giving = context;
    char text[CHAIN_KEY_TEXT_SIZE];

    errno = 0;
    chain_key_text(giving->key, text);
    if (giving->json) {
        print_key_json(giving->path, text);
    } else {
        fputs("# verification key of the log ", stdout);
        print_safe(stdout, giving->path, true);
        printf(", made once: keep it off this host\n%s\n", text);
    }
    explicit_bzero(text, sizeof(text));
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return errno != 0 ? errno : EIO;
    }
    return wait_until_taken(STDOUT_FILENO);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Who interrupts it finds nothing begun: the signal takes effect afterwards. */
static enum miguard_status begin_undisturbed(const struct file_beginning *beginning,
                                             char aside[PATH_MAX], struct miguard_error *error)
{
    sigset_t held, before;

    sigemptyset(&held);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
        sigaddset(&held, ending[i]);
    }
    signal(SIGPIPE, SIG_IGN); /* the write fails instead */
    sigprocmask(SIG_BLOCK, &held, &before);
    enum miguard_status status = file_begin(beginning, aside, error);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

/* Makes the key, unless --no-key was given, and begins the chain. The key is wiped on every way out
 * and is not stored on this host. CLI_NO when there is a log or a state already; then nothing was
 * changed. */
static int begin(const struct request *request, const char *path)
{
    struct miguard_error error = {0};
    struct chain_key key = {.present = false};
    struct giving giving = {.path = path, .key = &key, .json = request->json};
    char aside[PATH_MAX] = "";

    if (!chain_init()) {
        return complain(CLI_UNABLE, "miguard audit init: no random numbers");
    }
    if (!request->no_key) {
        chain_key_new(&key);
    }
    const enum file_earlier earlier = request->aside     ? FILE_EARLIER_ASIDE
                                      : request->goes_on ? FILE_EARLIER_CONTINUE
                                                         : FILE_EARLIER_REFUSE;
    const struct file_beginning beginning = {.path = path,
                                             .key = &key,
                                             .earlier = earlier,
                                             .give = key.present ? give_key : NULL,
                                             .context = &giving};
    enum miguard_status status = begin_undisturbed(&beginning, aside, &error);
    if (aside[0] != '\0') {
        complain(CLI_YES, "what lay there is in %s now", aside);
    }
    if (status == MIGUARD_OK && !key.present && request->json) {
        print_key_json(path, NULL);
    }
    if (status == MIGUARD_OK && key.present) {
        fputs("miguard: the chain is begun. The key above is not stored here: keep it elsewhere\n",
              stderr);
    }
    chain_key_wipe(&key);
    return status == MIGUARD_OK ? CLI_YES
                                : complain_error(status == MIGUARD_BAD_STATE ? CLI_NO : CLI_UNABLE,
                                                 "miguard audit init", &error);
}

/* Without FILE it is the log that a program under the policy in force would write. */
static int run_init(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (!command_parse(line, &request, &status)) {
        return status;
    }
    if (request.path != NULL) {
        return begin(&request, request.path);
    }
    char *path = audit_log_to_begin();
    status = path != NULL ? begin(&request, path) : CLI_UNABLE;
    free(path);
    return status;
}

COMMAND(audit, init) = {
    .about =
        "Begins the chain of the log FILE (default: the log of the policy in force), which must "
        "not exist yet: makes FILE.state and prints the verification key on stdout. It is printed "
        "this once and kept nowhere. Store it on another host:\n"
        "\n"
        "    miguard audit init | ssh safe 'umask 077; cat > audit.key'\n"
        "    miguard audit verify --key audit.key\n"
        "\n"
        "Anyone with the key can forge the log; an intruder who takes this host later cannot "
        "change what was recorded before. Without a call of this command a log begins as with "
        "--no-key.",
    .exits = "Exit status: 0 done; 1 there is a log or a state already; 2 wrong usage; 3 it could "
             "not be done.",
    .operand = OPERAND("[FILE]", struct request, path),
    OPTIONS(options),
    .run = run_init,
};
