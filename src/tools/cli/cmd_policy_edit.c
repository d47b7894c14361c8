/* SPDX-License-Identifier: MIT */
/*
 * miguard policy edit: changes a policy file so that no process ever reads a half-written or a
 * wrong one, as visudo(8) does for sudoers.
 *
 * edit() takes the lock, copies the file into a folder of its own (begin()), and runs rounds
 * (one_round()): the editor changes the copy; its bytes are read once and written beside the file
 * under a hidden name (stage()), which only this user may write; that file is checked with the rest
 * of the set (check()), and is itself what rename(2) puts into place (put_in_place()). So what was
 * checked is what comes into force, whatever happens to the copy meanwhile.
 *
 * The file must be one that the guard would read (identity/trust.h): one who could write to a
 * folder on the way could replace it anyway, and have the editor of root open what is not a policy.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "identity/trust.h"
#include "tools/cli/commands.h"
#include "tools/cli/policy_open.h"
#include "tools/policy/lint.h"

/* Words of $VISUAL. */
enum { MOST_WORDS = 16 };

struct request {
    const char *file;
};

/* One edit. Paths are on the heap. */
struct edit {
    char *file;          /* what is replaced: no link */
    char *lock, *staged; /* beside it */
    char *folder, *copy; /* of its own, and the file in it that the editor gets */
    struct stat old;     /* of the file */
    bool is_new;         /* the file did not exist */
    struct text before;  /* its bytes */
    struct text now;     /* what the editor left */
    int lock_fd;
};

/* ---- paths ---------------------------------------------------------------------------------- */

/* "FOLDER/PREFIXNAMESUFFIX" beside the file; NULL out of memory. */
static char *beside(const char *file, const char *suffix)
{
    const char *slash = strrchr(file, '/');
    char *path = NULL;

    return asprintf(&path, "%.*s/.%s%s", (int)(slash - file), file, slash + 1, suffix) < 0 ? NULL
                                                                                           : path;
}

/* The file itself where path is a link, and where it does not exist the place where it will be. */
static char *resolve(const char *path)
{
    char *file = realpath(path, NULL);

    if (file != NULL || errno != ENOENT) {
        return file;
    }
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));
    char *above = folder == NULL ? NULL : realpath(folder, NULL);
    int error = errno;
    if (above != NULL && asprintf(&file, "%s/%s", above, slash == NULL ? path : slash + 1) < 0) {
        file = NULL;
    }
    free(folder);
    free(above);
    errno = error;
    return file;
}

/* By the rule for policies. *ret_fd is -1 for a file that does not exist, whose folder is then what
 * was looked at. CLI_YES, or CLI_UNABLE after a message. */
static int open_trusted(const char *file, int *ret_fd, struct stat *ret_stat)
{
    char problem[TRUST_PROBLEM], *folder = strdup(file);
    struct stat above;

    *ret_fd = -1;
    if (folder == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    enum trust_result result = trust_open(file, TRUST_STRICT, problem, ret_fd, ret_stat);
    if (result == TRUST_ABSENT) {
        char *slash = strrchr(folder, '/');
        slash[slash == folder] = '\0';
        int fd = -1;
        result = trust_open(folder, TRUST_STRICT, problem, &fd, &above);
        if (result == TRUST_OPENED) {
            (void)close(fd);
        }
        *ret_fd = -1;
    } else if (result == TRUST_OPENED && !S_ISREG(ret_stat->st_mode)) {
        (void)close(*ret_fd);
        free(folder);
        return complain(CLI_UNABLE, "%s: not a file; name one file of the policy", file);
    }
    int status = result == TRUST_OPENED   ? CLI_YES
                 : result == TRUST_ABSENT ? complain(CLI_UNABLE, "%s: no such folder", folder)
                                          : complain(CLI_UNABLE, "%s", problem);
    free(folder);
    return status;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* All of it, up to one byte more than a policy may have. */
static bool read_bytes(int fd, struct text *bytes)
{
    char piece[4096];
    ssize_t count = 1;

    bytes->length = 0;
    while (count != 0 && bytes->length <= DRAFT_MAX_FILE) {
        count = read(fd, piece, sizeof(piece));
        if (count < 0 && errno != EINTR) {
            return false;
        }
        text_append_bytes(bytes, piece, count > 0 ? (size_t)count : 0);
    }
    return !bytes->failed;
}

static bool write_bytes(int fd, const struct text *bytes)
{
    for (size_t at = 0; at < bytes->length;) {
        ssize_t count = write(fd, bytes->data + at, bytes->length - at);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        at += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool same_bytes(const struct text *a, const struct text *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

/* ---- begin and end -------------------------------------------------------------------------- */

/* The lock is a file of its own: an editor may put another file in the place of the one it edits.
 * Its mode keeps other users from opening it, and so from holding the lock. A lock whose file was
 * removed by the one who held it is taken on the new file. */
static int take_lock(struct edit *edit)
{
    struct stat opened, named;

    for (int tries = 0; tries < 100; tries++) {
        edit->lock_fd = open(edit->lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (edit->lock_fd < 0) {
            return complain(CLI_UNABLE, "%s: %s", edit->lock, strerror(errno));
        }
        if (flock(edit->lock_fd, LOCK_EX | LOCK_NB) < 0) {
            (void)close(edit->lock_fd);
            edit->lock_fd = -1;
            return complain(CLI_UNABLE, "%s is being edited; try again later", edit->file);
        }
        if (fstat(edit->lock_fd, &opened) == 0 && lstat(edit->lock, &named) == 0 &&
            opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
            return CLI_YES;
        }
        (void)close(edit->lock_fd);
        edit->lock_fd = -1;
    }
    return complain(CLI_UNABLE, "%s: it cannot be locked", edit->lock);
}

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
    if (asprintf(&edit->copy, "%s%s", edit->folder, strrchr(edit->file, '/')) < 0) {
        edit->copy = NULL;
        return complain(CLI_UNABLE, "out of memory");
    }
    int fd = open(edit->copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_bytes(fd, &edit->before);
    int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return good ? CLI_YES : complain(CLI_UNABLE, "%s: %s", edit->copy, strerror(error));
}

static int begin(const char *path, struct edit *edit)
{
    int fd = -1;

    edit->file = resolve(path);
    if (edit->file == NULL) {
        return complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    }
    edit->lock = beside(edit->file, ".lock");
    edit->staged = beside(edit->file, ".new");
    if (edit->lock == NULL || edit->staged == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = open_trusted(edit->file, &fd, &edit->old);
    if (status == CLI_YES) {
        edit->is_new = fd < 0;
        status = take_lock(edit);
    }
    if (fd >= 0) { /* what it was before the lock does not count */
        (void)close(fd);
    }
    if (status == CLI_YES && !edit->is_new) {
        status = open_trusted(edit->file, &fd, &edit->old);
        if (status == CLI_YES && (fd < 0 || !read_bytes(fd, &edit->before))) {
            status = complain(CLI_UNABLE, "%s: it cannot be read", edit->file);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    } else if (status == CLI_YES) {
        text_append(&edit->before, "version: 1\n");
    }
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
    if (edit->lock_fd >= 0) {
        (void)unlink(edit->lock);
        (void)close(edit->lock_fd);
    }
    free(edit->file);
    free(edit->lock);
    free(edit->staged);
    free(edit->folder);
    free(edit->copy);
    text_release(&edit->before);
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
        return complain(CLI_UNABLE, "the editor failed; %s is as it was", edit->file);
    }
    return CLI_YES;
}

/* The copy may be another file by now, but no link: the folder is this user's alone. */
static int take_changes(struct edit *edit)
{
    int fd = open(edit->copy, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    bool good =
        fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && read_bytes(fd, &edit->now);
    int error = errno;

    if (fd >= 0) {
        (void)close(fd);
    }
    return good ? CLI_YES : complain(CLI_UNABLE, "%s: %s", edit->copy, strerror(error));
}

/* ---- what was changed ----------------------------------------------------------------------- */

/* With the owner and mode of the old file, durable before it is put into place. */
static int stage(const struct edit *edit)
{
    (void)unlink(edit->staged); /* of an edit that was killed; the lock is held */
    int fd = open(edit->staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_bytes(fd, &edit->now);
    /* The owner first: fchown(2) clears bits of the mode. */
    if (good && !edit->is_new) {
        good = fchown(fd, edit->old.st_uid, edit->old.st_gid) == 0 &&
               fchmod(fd, edit->old.st_mode & 07777) == 0;
    } else if (good) {
        good = fchmod(fd, 0644) == 0;
    }
    good = good && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return good ? CLI_YES : complain(CLI_UNABLE, "%s: %s", edit->staged, strerror(error));
}

/* Files of the set that the file is a part of, itself replaced by the staged one. */
struct set {
    const char *paths[DRAFT_MAX_FILES + 2];
    char *names[DRAFT_MAX_FILES + 2]; /* on the heap */
    size_t count;
};

static bool is_in_folder(const char *file, const char *folder)
{
    char *real = realpath(folder, NULL);
    size_t length = real == NULL ? 0 : strlen(real);
    bool within = real != NULL && strncmp(file, real, length) == 0 && file[length] == '/' &&
                  strchr(file + length + 1, '/') == NULL;

    free(real);
    return within;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The *.yaml of the folder, in the order of their bytes, with the file among them. */
static bool add_folder(const struct edit *edit, const char *folder, struct set *set)
{
    char *real = realpath(folder, NULL);
    DIR *stream = real == NULL ? NULL : opendir(real);
    size_t first = set->count;
    bool good = true, has_file = false;

    for (struct dirent *entry; stream != NULL && good && (entry = readdir(stream)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (entry->d_name[0] != '.' && length > 5 &&
            strcmp(entry->d_name + length - 5, ".yaml") == 0) {
            good = set->count < DRAFT_MAX_FILES &&
                   asprintf(&set->names[set->count], "%s/%s", real, entry->d_name) >= 0;
            has_file = has_file || (good && strcmp(set->names[set->count], edit->file) == 0);
            set->count += good;
        }
    }
    if (good && !has_file && is_in_folder(edit->file, folder)) {
        set->names[set->count] = strdup(edit->file);
        good = set->names[set->count++] != NULL;
    }
    if (good) {
        qsort(set->names + first, set->count - first, sizeof(set->names[0]), by_bytes);
    }
    if (stream != NULL) {
        (void)closedir(stream);
    }
    free(real);
    return good;
}

/* The standard places where the file is one of them, or the folder that MIGUARD_POLICY names where
 * it lies in that; else the file alone. False: out of memory, or more files than a policy may
 * have. */
static bool make_set(const struct edit *edit, struct set *set)
{
    const char *named = policy_path(NULL);
    char *main_file = resolve(POLICY_FILE);
    bool is_main = main_file != NULL && strcmp(main_file, edit->file) == 0;
    bool good = true;

    if (named != NULL && is_in_folder(edit->file, named)) {
        good = add_folder(edit, named, set);
    } else if (named == NULL && (is_main || is_in_folder(edit->file, POLICY_FOLDER))) {
        if (is_main || access(POLICY_FILE, F_OK) == 0) {
            set->names[set->count] = strdup(is_main ? edit->file : POLICY_FILE);
            good = set->names[set->count++] != NULL;
        }
        good = good && add_folder(edit, POLICY_FOLDER, set);
    } else {
        set->names[set->count] = strdup(edit->file);
        good = set->names[set->count++] != NULL;
    }
    for (size_t i = 0; good && i < set->count; i++) {
        set->paths[i] = strcmp(set->names[i], edit->file) == 0 ? edit->staged : set->names[i];
    }
    free(main_file);
    return good;
}

/* text with the file's own name for that of the staged one; NULL out of memory. */
static char *by_own_name(const struct edit *edit, const char *text)
{
    struct text made = TEXT_EMPTY;
    const char *found;

    while ((found = strstr(text, edit->staged)) != NULL) {
        text_append_bytes(&made, text, (size_t)(found - text));
        text_append(&made, edit->file);
        text = found + strlen(edit->staged);
    }
    text_append(&made, text);
    text_append_bytes(&made, "", 1);
    char *copy = made.failed ? NULL : base_copy_text(made.data);
    text_release(&made);
    return copy;
}

/* The staged file is a matter of this command: a person knows the file by its own name. */
static void print_by_name(const struct edit *edit, struct diagnostics *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        char **texts[] = {&findings->items[i].file, &findings->items[i].message};
        for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
            char *text = by_own_name(edit, *texts[j]);
            if (text != NULL) {
                base_free(*texts[j]);
                *texts[j] = text;
            }
        }
    }
    print_findings(stderr, findings);
}

/* What `policy check` says of the set. CLI_YES; CLI_NO: its tests fail; CLI_USAGE: it has errors,
 * and would not be used at all; CLI_UNABLE after a message. */
static int check(const struct edit *edit)
{
    struct policy_set loaded = {.label = edit->file};
    struct set set = {.count = 0};
    int status = make_set(edit, &set) ? CLI_YES
                                      : complain(CLI_UNABLE, "the files of the policy cannot be "
                                                             "listed, or are too many");

    if (status == CLI_YES) {
        enum miguard_status read =
            draft_load(set.paths, set.count, DRAFT_TRUST_ALL, &loaded.draft, &loaded.findings);
        status = read == MIGUARD_OK           ? CLI_YES
                 : read == MIGUARD_BAD_POLICY ? CLI_USAGE
                                              : complain(CLI_UNABLE, "out of memory");
    }
    if (status == CLI_YES && policy_compile(loaded.draft, &loaded.policy) != MIGUARD_OK) {
        status = complain(CLI_UNABLE, "out of memory");
    }
    status = status == CLI_YES ? policy_set_test(&loaded) : status;
    if (status == CLI_YES) {
        lint_draft(loaded.draft, &loaded.tested, &loaded.findings);
        status = loaded.tested.failed > 0 || loaded.findings.errors > 0 ? CLI_NO : CLI_YES;
    }
    print_by_name(edit, &loaded.findings);
    policy_set_release(&loaded);
    for (size_t i = 0; i < set.count; i++) {
        free(set.names[i]);
    }
    return status;
}

/* The file is still the one that was copied: who changes it without the lock would lose that. */
static bool is_unchanged(const struct edit *edit)
{
    struct stat now;

    if (lstat(edit->file, &now) < 0) {
        return edit->is_new && errno == ENOENT;
    }
    return !edit->is_new && now.st_ino == edit->old.st_ino && now.st_dev == edit->old.st_dev &&
           now.st_size == edit->old.st_size && now.st_mtim.tv_sec == edit->old.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == edit->old.st_mtim.tv_nsec;
}

static int put_in_place(const struct edit *edit)
{
    char *folder = strndup(edit->file, (size_t)(strrchr(edit->file, '/') - edit->file + 1));

    if (!is_unchanged(edit)) {
        free(folder);
        return complain(CLI_NO, "%s was changed meanwhile; the edited copy is %s", edit->file,
                        edit->copy);
    }
    if (rename(edit->staged, edit->file) < 0) {
        free(folder);
        return complain(CLI_UNABLE, "%s: %s; the edited copy is %s", edit->file, strerror(errno),
                        edit->copy);
    }
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* the file itself is durable; a crash leaves it or the old one */
        (void)close(fd);
    }
    free(folder);
    return CLI_YES;
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
    int status = run_editor(edit);

    *ret_again = false;
    if (status == CLI_YES) {
        status = take_changes(edit);
    }
    if (status == CLI_YES && same_bytes(&edit->before, &edit->now)) {
        printf("%s is as it was\n", edit->file);
        return CLI_YES;
    }
    if (status == CLI_YES) {
        status = stage(edit);
    }
    if (status == CLI_YES) {
        status = check(edit);
        if (status == CLI_NO || status == CLI_USAGE) {
            enum choice choice = ask(status == CLI_NO);
            *ret_again = choice == CHOICE_EDIT;
            if (choice != CHOICE_SAVE) {
                return CLI_NO;
            }
            status = CLI_YES;
        }
        status = status == CLI_YES ? put_in_place(edit) : status;
    }
    return status;
}

static int edit_file(const char *path)
{
    struct edit edit = {.lock_fd = -1};
    bool again = true;
    int status = begin(path, &edit);

    while (status == CLI_YES && again) {
        status = one_round(&edit, &again);
        status = again ? CLI_YES : status;
    }
    bool saved = edit.staged != NULL && edit.lock_fd >= 0 && unlink(edit.staged) < 0;
    if (status == CLI_YES && saved && edit.now.length > 0 && !same_bytes(&edit.before, &edit.now)) {
        printf("%s is saved\n", edit.file);
    }
    bool kept = status != CLI_YES && edit.copy != NULL && edit.now.length > 0 &&
                !same_bytes(&edit.before, &edit.now);
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
