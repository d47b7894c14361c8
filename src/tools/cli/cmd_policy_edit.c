/* SPDX-License-Identifier: MIT */
/*
 * miguard policy edit: changes a policy file so that no process ever reads a half-written or a
 * wrong one, as visudo(8) does for sudoers.
 *
 * edit_file() locks the file and copies it into a folder of its own (begin()), and runs rounds
 * (one_round()): the editor changes the copy; its bytes are read once, staged, checked with the
 * rest of the set and put into place (policy_swap.h). So what was checked is what comes into force,
 * whatever happens to the copy meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/cli/commands.h"
#include "tools/cli/policy_open.h"
#include "tools/cli/policy_swap.h"

/* Words of $VISUAL. */
enum { MOST_WORDS = 16 };

struct request {
    const char *file;
};

/* One edit. Paths are on the heap. */
struct edit {
    struct swap swap;
    char *folder, *copy; /* of its own, and the file in it that the editor gets */
    struct text now;     /* what the editor left */
};

/* ---- begin and end -------------------------------------------------------------------------- */

/* The copy has the file's name, so that an editor knows the language. */
static int make_copy(struct edit *edit)
{
    const char *above = secure_getenv("TMPDIR");

    if (asprintf(&edit->folder, "%s/miguard-edit.XXXXXX", above != NULL ? above : "/tmp") < 0) {
        edit->folder = NULL;
        return complain(CLI_UNABLE, "out of memory");
    }
    if (mkdtemp(edit->folder) == NULL) {
        int status = complain(CLI_UNABLE, "%s: %s", edit->folder, strerror(errno));
        free(edit->folder);
        edit->folder = NULL;
        return status;
    }
    if (asprintf(&edit->copy, "%s%s", edit->folder, strrchr(edit->swap.file, '/')) < 0) {
        edit->copy = NULL;
        return complain(CLI_UNABLE, "out of memory");
    }
    int fd = open(edit->copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && swap_write_bytes(fd, &edit->swap.before);
    int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return good ? CLI_YES : complain(CLI_UNABLE, "%s: %s", edit->copy, strerror(error));
}

static int begin(const char *path, struct edit *edit)
{
    int status = swap_begin(path, &edit->swap);

    return status == CLI_YES ? make_copy(edit) : status;
}

/* The copy is removed, unless it is the only place that has the changes (keep). */
static void end(struct edit *edit, bool keep)
{
    if (edit->copy != NULL && !keep) {
        (void)unlink(edit->copy);
    }
    if (edit->folder != NULL && !keep) {
        (void)rmdir(edit->folder); /* an editor's own copies stay, and so does the folder then */
    }
    swap_end(&edit->swap);
    free(edit->folder);
    free(edit->copy);
    text_release(&edit->now);
}

/* ---- the editor ----------------------------------------------------------------------------- */

/* $VISUAL, else $EDITOR, split at blanks: no shell sees it. The environment of a set-id program is
 * its caller's and does not count. */
static void exec_editor(const char *copy)
{
    const char *editor = secure_getenv("VISUAL");
    char *words[MOST_WORDS + 2], *rest = NULL;
    size_t count = 0;

    if (editor == NULL || editor[0] == '\0') {
        editor = secure_getenv("EDITOR");
    }
    char *line = strdup(editor == NULL || editor[0] == '\0' ? "vi" : editor);
    for (char *word = strtok_r(line, " \t", &rest); word != NULL && count < MOST_WORDS;
         word = strtok_r(NULL, " \t", &rest)) {
        words[count++] = word;
    }
    words[count] = (char *)(uintptr_t)copy;
    words[count + 1] = NULL;
    execvp(words[0], words);
    complain(CLI_UNABLE, "%s: %s; set VISUAL or EDITOR", words[0], strerror(errno));
    _exit(127);
}

/* As system(3): an interrupt is the editor's. */
static int run_editor(const struct edit *edit)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction interrupt, quit;
    int ended = 0;

    fflush(NULL);
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    pid_t child = fork();
    if (child == 0) {
        sigaction(SIGINT, &interrupt, NULL);
        sigaction(SIGQUIT, &quit, NULL);
        exec_editor(edit->copy);
    }
    while (child > 0 && waitpid(child, &ended, 0) < 0 && errno == EINTR) {
    }
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    if (child < 0 || !WIFEXITED(ended) || WEXITSTATUS(ended) != 0) {
        return complain(CLI_UNABLE, "the editor failed; %s is as it was", edit->swap.file);
    }
    return CLI_YES;
}

/* The copy may be another file by now, but no link: the folder is this user's alone. */
static int take_changes(struct edit *edit)
{
    int fd = open(edit->copy, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    bool good = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                swap_read_bytes(fd, &edit->now);
    int error = errno;

    if (fd >= 0) {
        (void)close(fd);
    }
    return good ? CLI_YES : complain(CLI_UNABLE, "%s: %s", edit->copy, strerror(error));
}

/* ---- rounds --------------------------------------------------------------------------------- */

enum choice { CHOICE_EDIT, CHOICE_LEAVE, CHOICE_SAVE };

/* A policy with errors is not used by any process, so only failing tests may be saved. The end of
 * the input is to leave. */
static enum choice ask(bool may_save)
{
    char *line = NULL;
    size_t size = 0;
    enum choice choice = CHOICE_LEAVE;

    for (;;) {
        fputs(may_save ? "What now? (e)dit again, e(x)it without saving, (Q)uit and save: "
                       : "What now? (e)dit again, e(x)it without saving: ",
              stderr);
        if (getline(&line, &size, stdin) < 0 || strcmp(line, "x\n") == 0) {
            break;
        }
        if (strcmp(line, "e\n") == 0 || (may_save && strcmp(line, "Q\n") == 0)) {
            choice = line[0] == 'e' ? CHOICE_EDIT : CHOICE_SAVE;
            break;
        }
    }
    free(line);
    return choice;
}

/* *ret_again: the user wants another round. */
static int one_round(struct edit *edit, bool *ret_again)
{
    char hash[DRAFT_HASH_SIZE];
    int status = run_editor(edit);

    *ret_again = false;
    if (status == CLI_YES) {
        status = take_changes(edit);
    }
    if (status == CLI_YES && swap_same_bytes(&edit->swap.before, &edit->now)) {
        printf("%s is as it was\n", edit->swap.file);
        return CLI_YES;
    }
    if (status == CLI_YES) {
        status = swap_stage(&edit->swap, &edit->now);
    }
    if (status == CLI_YES) {
        status = swap_check(&edit->swap, hash);
        if (status == CLI_NO || status == CLI_USAGE) {
            enum choice choice = ask(status == CLI_NO);
            *ret_again = choice == CHOICE_EDIT;
            if (choice != CHOICE_SAVE) {
                return CLI_NO;
            }
            status = CLI_YES;
        }
        status = status == CLI_YES ? swap_put(&edit->swap, edit->copy) : status;
    }
    return status;
}

static int edit_file(const char *path)
{
    struct edit edit = {.swap.lock_fd = -1};
    bool again = true;
    int status = begin(path, &edit);

    while (status == CLI_YES && again) {
        status = one_round(&edit, &again);
        status = again ? CLI_YES : status;
    }
    if (status == CLI_YES && edit.swap.is_put) {
        printf("%s is saved\n", edit.swap.file);
    }
    bool kept = status != CLI_YES && edit.copy != NULL && edit.now.length > 0 &&
                !swap_same_bytes(&edit.swap.before, &edit.now);
    if (kept) {
        complain(CLI_NO, "not saved; the edited copy is %s", edit.copy);
    }
    end(&edit, kept);
    return status;
}

static int run_edit(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (!command_parse(line, &request, &status)) {
        return status;
    }
    const char *named = policy_path(NULL);
    struct stat found;
    if (request.file == NULL && named != NULL && stat(named, &found) == 0 &&
        S_ISDIR(found.st_mode)) {
        return wrong_usage(line, "which file of %s?", named);
    }
    return edit_file(request.file != NULL ? request.file : named != NULL ? named : POLICY_FILE);
}

COMMAND(policy, edit) = {
    .about =
        "Edits a policy FILE safely: locks it, has $VISUAL, $EDITOR or vi change a copy, checks "
        "that with the other files of the policy and runs all tests, and only then puts it "
        "into place, with the same owner and mode. On an error it asks what to do. The default "
        "is $MIGUARD_POLICY, else " POLICY_FILE ".",
    .exits = "Exit status: 0 saved, or nothing was changed; 1 not saved; 2 wrong usage; 3 it could "
             "not be locked, read, checked or written.",
    .operand = OPERAND("[FILE]", struct request, file),
    .run = run_edit,
};
