/* SPDX-License-Identifier: MIT */
/* Locks, stages, checks and replaces one file of a policy; policy_swap.h has the way through it. */
#include "tools/cli/policy_swap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "identity/trust.h"
#include "tools/cli/policy_open.h"
#include "tools/policy/lint.h"

/* ---- paths ---------------------------------------------------------------------------------- */

char *swap_beside(const char *file, const char *suffix)
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

bool swap_read_bytes(int fd, struct text *bytes)
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

bool swap_write_bytes(int fd, const struct text *bytes)
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

bool swap_same_bytes(const struct text *a, const struct text *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

/* ---- begin and end -------------------------------------------------------------------------- */

/* The lock is a file of its own: an editor may put another file in the place of the one it edits.
 * Its mode keeps other users from opening it, and so from holding the lock. A lock whose file was
 * removed by the one who held it is taken on the new file. */
static int take_lock(struct swap *swap)
{
    struct stat opened, named;

    for (int tries = 0; tries < 100; tries++) {
        swap->lock_fd = open(swap->lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (swap->lock_fd < 0) {
            return complain(CLI_UNABLE, "%s: %s", swap->lock, strerror(errno));
        }
        if (flock(swap->lock_fd, LOCK_EX | LOCK_NB) < 0) {
            (void)close(swap->lock_fd);
            swap->lock_fd = -1;
            return complain(CLI_UNABLE, "%s is being edited; try again later", swap->file);
        }
        if (fstat(swap->lock_fd, &opened) == 0 && lstat(swap->lock, &named) == 0 &&
            opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
            return CLI_YES;
        }
        (void)close(swap->lock_fd);
        swap->lock_fd = -1;
    }
    return complain(CLI_UNABLE, "%s: it cannot be locked", swap->lock);
}

int swap_begin(const char *path, struct swap *swap)
{
    int fd = -1;

    swap->file = resolve(path);
    if (swap->file == NULL) {
        return complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    }
    swap->lock = swap_beside(swap->file, ".lock");
    swap->staged = swap_beside(swap->file, ".new");
    if (swap->lock == NULL || swap->staged == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = open_trusted(swap->file, &fd, &swap->old);
    if (status == CLI_YES) {
        swap->is_new = fd < 0;
        status = take_lock(swap);
    }
    if (fd >= 0) { /* what it was before the lock does not count */
        (void)close(fd);
    }
    if (status == CLI_YES && !swap->is_new) {
        status = open_trusted(swap->file, &fd, &swap->old);
        if (status == CLI_YES && (fd < 0 || !swap_read_bytes(fd, &swap->before))) {
            status = complain(CLI_UNABLE, "%s: it cannot be read", swap->file);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    } else if (status == CLI_YES) {
        text_append(&swap->before, "version: 1\n");
    }
    return status;
}

void swap_end(struct swap *swap)
{
    if (swap->lock_fd >= 0) {
        if (!swap->is_put) {
            (void)unlink(swap->staged);
        }
        (void)unlink(swap->lock);
        (void)close(swap->lock_fd);
    }
    free(swap->file);
    free(swap->lock);
    free(swap->staged);
    text_release(&swap->before);
}

/* ---- what was changed ----------------------------------------------------------------------- */

/* Of an attempt that was killed one may be left; the lock is held. The owner first: fchown(2)
 * clears bits of the mode. */
bool swap_write_beside(const char *staged, const struct text *bytes, const struct stat *old)
{
    (void)unlink(staged);
    int fd = open(staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && swap_write_bytes(fd, bytes);

    if (good && old != NULL) {
        good = fchown(fd, old->st_uid, old->st_gid) == 0 && fchmod(fd, old->st_mode & 07777) == 0;
    } else if (good) {
        good = fchmod(fd, 0644) == 0;
    }
    good = good && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (fd >= 0 && !good) {
        (void)unlink(staged);
    }
    errno = error;
    return good;
}

int swap_stage(const struct swap *swap, const struct text *bytes)
{
    return swap_write_beside(swap->staged, bytes, swap->is_new ? NULL : &swap->old)
               ? CLI_YES
               : complain(CLI_UNABLE, "%s: %s", swap->staged, strerror(errno));
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
static bool add_folder(const struct swap *swap, const char *folder, struct set *set)
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
            has_file = has_file || (good && strcmp(set->names[set->count], swap->file) == 0);
            set->count += good;
        }
    }
    if (good && !has_file && is_in_folder(swap->file, folder)) {
        set->names[set->count] = strdup(swap->file);
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
static bool make_set(const struct swap *swap, struct set *set)
{
    const char *named = policy_path(NULL);
    char *main_file = resolve(POLICY_FILE);
    bool is_main = main_file != NULL && strcmp(main_file, swap->file) == 0;
    bool good = true;

    if (named != NULL && is_in_folder(swap->file, named)) {
        good = add_folder(swap, named, set);
    } else if (named == NULL && (is_main || is_in_folder(swap->file, POLICY_FOLDER))) {
        if (is_main || access(POLICY_FILE, F_OK) == 0) {
            set->names[set->count] = strdup(is_main ? swap->file : POLICY_FILE);
            good = set->names[set->count++] != NULL;
        }
        good = good && add_folder(swap, POLICY_FOLDER, set);
    } else {
        set->names[set->count] = strdup(swap->file);
        good = set->names[set->count++] != NULL;
    }
    for (size_t i = 0; good && i < set->count; i++) {
        set->paths[i] = strcmp(set->names[i], swap->file) == 0 ? swap->staged : set->names[i];
    }
    free(main_file);
    return good;
}

/* text with the file's own name for that of the staged one; NULL out of memory. */
static char *by_own_name(const struct swap *swap, const char *text)
{
    struct text made = TEXT_EMPTY;
    const char *found;

    while ((found = strstr(text, swap->staged)) != NULL) {
        text_append_bytes(&made, text, (size_t)(found - text));
        text_append(&made, swap->file);
        text = found + strlen(swap->staged);
    }
    text_append(&made, text);
    text_append_bytes(&made, "", 1);
    char *copy = made.failed ? NULL : base_copy_text(made.data);
    text_release(&made);
    return copy;
}

/* The staged file is a matter of this command: a person knows the file by its own name. */
static void print_by_name(const struct swap *swap, struct diagnostics *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        char **texts[] = {&findings->items[i].file, &findings->items[i].message};
        for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
            char *text = by_own_name(swap, *texts[j]);
            if (text != NULL) {
                base_free(*texts[j]);
                *texts[j] = text;
            }
        }
    }
    print_findings(stderr, findings);
}

int swap_check(const struct swap *swap, char ret_hash[DRAFT_HASH_SIZE])
{
    struct policy_set loaded = {.label = swap->file};
    struct set set = {.count = 0};
    int status = make_set(swap, &set) ? CLI_YES
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
    ret_hash[0] = '\0';
    if (loaded.draft != NULL) {
        memcpy(ret_hash, loaded.draft->hash, DRAFT_HASH_SIZE);
    }
    print_by_name(swap, &loaded.findings);
    policy_set_release(&loaded);
    for (size_t i = 0; i < set.count; i++) {
        free(set.names[i]);
    }
    return status;
}

/* The file is still the one that was copied: who changes it without the lock would lose that. */
static bool is_unchanged(const struct swap *swap)
{
    struct stat now;

    if (lstat(swap->file, &now) < 0) {
        return swap->is_new && errno == ENOENT;
    }
    return !swap->is_new && now.st_ino == swap->old.st_ino && now.st_dev == swap->old.st_dev &&
           now.st_size == swap->old.st_size && now.st_mtim.tv_sec == swap->old.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == swap->old.st_mtim.tv_nsec;
}

void swap_flush_folder(const char *file)
{
    char *folder = strndup(file, (size_t)(strrchr(file, '/') - file + 1));
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd); /* the file itself is durable; a crash leaves it or the old one */
        (void)close(fd);
    }
    free(folder);
}

int swap_put(struct swap *swap, const char *copy)
{
    const char *hint = copy == NULL ? "" : "; the edited copy is ";

    if (!is_unchanged(swap)) {
        return complain(CLI_NO, "%s was changed meanwhile%s%s", swap->file, hint,
                        copy == NULL ? "" : copy);
    }
    if (rename(swap->staged, swap->file) < 0) {
        return complain(CLI_UNABLE, "%s: %s%s%s", swap->file, strerror(errno), hint,
                        copy == NULL ? "" : copy);
    }
    swap->is_put = true;
    swap_flush_folder(swap->file);
    return CLI_YES;
}
