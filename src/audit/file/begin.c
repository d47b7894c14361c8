/* SPDX-License-Identifier: MIT */
/*
 * A log is begun on purpose: what lies there of an earlier one goes out of the way, a state is
 * made, the key is handed over, and only then the state becomes one (state_draft()). What fails
 * before that is undone.
 *
 * file_begin() -> begin(): clear_way() (refuse, leave or move), begin_state() (the first head as a
 * draft), hand_over() (the key, then state_finish()); undo() on any failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/file/family.h"
#include "audit/file/file_internal.h"

/* What was done with files of an earlier log, so that it can be undone. */
struct way {
    struct family family; /* of FILE_EARLIER_ASIDE */
    size_t moved;         /* so many of them, from the first on */
    bool state_moved;
    int to;                          /* the folder they are in; -1: none */
    char folder[FILE_NAME_SIZE + 8]; /* its name */
    char numbered[FILE_NAME_SIZE]; /* what FILE_EARLIER_CONTINUE made of the current file, or "" */
};

/* From errno, which the caller's last call has set. */
static enum miguard_status system_error(const char *path, struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_SYSTEM, errno, "init", "%.120s: %s", path,
                     strerrordesc_np(errno));
}

/* ---- what lies there ------------------------------------------------------------------------- */

/* A state there is a chain that was begun: a second key would make the first one worthless. A draft
 * that an earlier init left is removed, since no log was begun with it. */
static enum miguard_status refuse_state(const struct log_file *file, const char *path,
                                        struct miguard_error *reterr)
{
    char name[FILE_NAME_SIZE];
    struct stat status;

    file_sibling(file, "state", name);
    if (file_calls.fstatat(file->folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? MIGUARD_OK : system_error(path, reterr);
    }
    if (state_remove_draft(file->folder, name)) {
        return MIGUARD_OK;
    }
    if (status.st_size == 0) {
        return error_set(reterr, MIGUARD_BAD_STATE, EEXIST, "init",
                         "%.60s.state is empty: it was not finished (a full disk?), no chain was "
                         "begun and no key printed; remove it, or give --aside",
                         path);
    }
    return error_set(reterr, MIGUARD_BAD_STATE, EEXIST, "init",
                     "%.60s.state: the chain is begun already; its key was printed then; --aside "
                     "moves the log away",
                     path);
}

/* Files of an earlier log: rotated ones that hold records, or are packed. What has such a name and
 * neither holds a record nor is packed belongs to other programs. */
static size_t count_earlier(const struct log_file *file, const struct family *family,
                            char ret_first[FILE_NAME_SIZE + 4])
{
    char name[FILE_NAME_SIZE + 4];
    struct family_place place;
    size_t count = 0;

    for (size_t i = 0; i < family->count; i++) {
        const struct family_member *member = &family->list[i];
        family_name(file->name, member, name, sizeof(name));
        if (member->packed || member->current || family_read_first(file->folder, name, &place)) {
            memcpy(ret_first, name, count == 0 ? sizeof(name) : 0);
            count++;
        }
    }
    return count;
}

/* Files of an earlier log without its state would be taken for the new log's by a reader. */
static enum miguard_status refuse_earlier(const struct log_file *file, const char *path,
                                          struct miguard_error *reterr)
{
    char first[FILE_NAME_SIZE + 4] = "";
    struct family family;

    bool listed = family_list(file->folder, file->name, &family);
    size_t count = listed ? count_earlier(file, &family, first) : 0;
    family_release(&family);
    if (!listed) {
        return system_error(path, reterr);
    }
    return count == 0
               ? MIGUARD_OK
               : error_set(reterr, MIGUARD_BAD_STATE, EEXIST, "init",
                           "%.40s: %zu file%s of an earlier log %s there (%.40s); --aside moves "
                           "them away, --continue leaves them",
                           path, count, count == 1 ? "" : "s", count == 1 ? "lies" : "lie", first);
}

/* ---- staying: --continue --------------------------------------------------------------------- */

/* Undoes leave_earlier(). The new name goes only when the old one is there. */
static void return_current(const struct log_file *file, struct way *way)
{
    if (way->numbered[0] != '\0' &&
        file_calls.linkat(file->folder, way->numbered, file->folder, file->name, 0) == 0) {
        (void)file_calls.unlinkat(file->folder, way->numbered, 0);
    }
    way->numbered[0] = '\0';
}

/* The current file of an earlier log gets the next number, so that the new one begins empty. By
 * linkat(2) and unlinkat(2), which unlike rename(2) never replace a file that has the name
 * already. */
static bool leave_earlier(const struct log_file *file, struct way *way)
{
    struct family family;
    struct stat status;

    if (file_calls.fstatat(file->folder, file->name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT;
    }
    bool listed = family_list(file->folder, file->name, &family);
    if (listed) {
        file_rotated_name(file, family_free(&family, file_highest_log(file, &family) + 1),
                          way->numbered);
    }
    family_release(&family);
    if (!listed ||
        file_calls.linkat(file->folder, file->name, file->folder, way->numbered, 0) != 0) {
        way->numbered[0] = '\0';
        return false;
    }
    if (file_calls.unlinkat(file->folder, file->name, 0) == 0) {
        return true;
    }
    int error = errno;
    (void)file_calls.unlinkat(file->folder, way->numbered, 0);
    way->numbered[0] = '\0';
    errno = error;
    return false;
}

/* ---- moving away: --aside -------------------------------------------------------------------- */

/* A folder beside the log, named after the second, and a number where that has one already. -1 and
 * errno. */
static int make_aside(const struct log_file *file, char folder[FILE_NAME_SIZE + 8])
{
    enum { TRIES = 100 };
    time_t now = time(NULL);
    struct tm utc = {0};
    char stamp[32], numbered[48];

    gmtime_r(&now, &utc);
    strftime(stamp, sizeof(stamp), "aside-%Y%m%dT%H%M%SZ", &utc);
    file_sibling(file, stamp, folder);
    for (int i = 2; file_calls.mkdirat(file->folder, folder, 0700) != 0; i++) {
        if (errno != EEXIST || i > TRIES) {
            return -1;
        }
        snprintf(numbered, sizeof(numbered), "%s-%d", stamp, i);
        file_sibling(file, numbered, folder);
    }
    int fd =
        file_calls.openat(file->folder, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0) {
        int error = errno;
        (void)file_calls.unlinkat(file->folder, folder, AT_REMOVEDIR);
        errno = error;
    }
    return fd;
}

/* A file that is moved keeps its name, so that the log can be verified there. way->moved counts
 * what was moved, so that a failure in the middle is undone exactly. */
static bool move_aside(const struct log_file *file, struct way *way)
{
    char name[FILE_NAME_SIZE + 4], state[FILE_NAME_SIZE];

    file_sibling(file, "state", state);
    way->to = make_aside(file, way->folder);
    if (way->to < 0) {
        way->folder[0] = '\0';
        return false;
    }
    if (!family_list(file->folder, file->name, &way->family)) {
        return false;
    }
    for (; way->moved < way->family.count; way->moved++) {
        family_name(file->name, &way->family.list[way->moved], name, sizeof(name));
        if (file_calls.renameat(file->folder, name, way->to, name) != 0) {
            return false;
        }
    }
    way->state_moved = file_calls.renameat(file->folder, state, way->to, state) == 0;
    return (way->state_moved || errno == ENOENT) && file_calls.fsync(way->to) == 0 &&
           file_calls.fsync(file->folder) == 0;
}

/* The state first: with it the log is whole again as far as its files are back. */
static void move_back(const struct log_file *file, struct way *way)
{
    char name[FILE_NAME_SIZE + 4], state[FILE_NAME_SIZE];

    file_sibling(file, "state", state);
    bool all = !way->state_moved || file_calls.renameat(way->to, state, file->folder, state) == 0;
    for (; way->moved > 0; way->moved--) {
        family_name(file->name, &way->family.list[way->moved - 1], name, sizeof(name));
        all &= file_calls.renameat(way->to, name, file->folder, name) == 0;
    }
    if (all && file_calls.unlinkat(file->folder, way->folder, AT_REMOVEDIR) == 0) {
        way->folder[0] = '\0';
    }
    (void)file_calls.fsync(file->folder);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* What the administrator chose for files of an earlier log. way notes each step for undo(). */
static enum miguard_status clear_way(const struct log_file *file,
                                     const struct file_beginning *beginning, struct way *way,
                                     struct miguard_error *reterr)
{
    if (beginning->earlier == FILE_EARLIER_ASIDE) {
        return move_aside(file, way) ? MIGUARD_OK : system_error(beginning->path, reterr);
    }
    enum miguard_status status = refuse_state(file, beginning->path, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    if (beginning->earlier == FILE_EARLIER_REFUSE) {
        return refuse_earlier(file, beginning->path, reterr);
    }
    return leave_earlier(file, way) ? MIGUARD_OK : system_error(beginning->path, reterr);
}

/* Keeps errno. What cannot be moved back stays in the folder whose name the caller gets. */
static void undo(const struct log_file *file, struct way *way)
{
    int error = errno;

    if (way->to >= 0) {
        move_back(file, way);
    }
    return_current(file, way);
    errno = error;
}

/* The key goes out while the state is a draft: should printing it fail, no log was begun with a key
 * that is lost. After it there is one store and its flush. */
static enum miguard_status hand_over(const struct file_beginning *beginning,
                                     struct state_draft *draft, struct miguard_error *reterr)
{
    int error = beginning->give == NULL ? 0 : beginning->give(beginning->context);

    if (error != 0) {
        return error_set(reterr, MIGUARD_SYSTEM, error, "key",
                         "the key could not be printed, and nothing was begun: %s",
                         strerrordesc_np(error));
    }
    if (!state_finish(draft)) {
        return error_set(reterr, MIGUARD_SYSTEM, errno, "write",
                         "%.80s.state: nothing was begun, and a key that was printed is void: %s",
                         beginning->path, strerrordesc_np(errno));
    }
    return MIGUARD_OK;
}

/* state_discard() does nothing to a draft that was finished, so it is right on both ways. */
static enum miguard_status begin_state(const struct log_file *file, const char *name,
                                       const struct file_beginning *beginning,
                                       struct miguard_error *reterr)
{
    struct state_draft draft;
    struct state_head head;
    uint64_t highest = 0;

    enum miguard_status status =
        file_first_head(file, beginning->key, &head, &highest)
            ? state_draft(file->folder, name, beginning->path, &head, &draft, reterr)
            : system_error(beginning->path, reterr);
    chain_key_wipe(&head.key);
    if (status != MIGUARD_OK) {
        return status;
    }
    status = hand_over(beginning, &draft, reterr);
    state_discard(&draft);
    return status;
}

/* The folder as the administrator named the log: with the same folder before it. */
static void name_aside(const struct log_file *file, const char *path, const struct way *way,
                       char ret_aside[PATH_MAX])
{
    snprintf(ret_aside, PATH_MAX, "%.*s%s", (int)(strlen(path) - strlen(file->name)), path,
             way->folder);
    if (way->folder[0] == '\0') {
        ret_aside[0] = '\0';
    }
}

/* All of it, or nothing as far as undo() can. */
static enum miguard_status begin(struct log_file *file, const struct file_beginning *beginning,
                                 char *ret_aside, struct miguard_error *reterr)
{
    struct way way = {.to = -1};
    char name[FILE_NAME_SIZE];

    file_sibling(file, "state", name);
    enum miguard_status status = clear_way(file, beginning, &way, reterr);
    if (status == MIGUARD_OK) {
        status = begin_state(file, name, beginning, reterr);
    }
    if (status != MIGUARD_OK) {
        undo(file, &way);
    }
    if (beginning->earlier == FILE_EARLIER_ASIDE) {
        name_aside(file, beginning->path, &way, ret_aside);
    }
    if (way.to >= 0) {
        file_calls.close(way.to);
    }
    family_release(&way.family);
    return status;
}

/* The folder is judged by the same rules as when a program opens the log, and made when it is
 * missing. */
enum miguard_status file_begin(const struct file_beginning *beginning, char ret_aside[PATH_MAX],
                               struct miguard_error *reterr)
{
    struct log_file *file = file_new();

    if (file == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "init", NULL);
    }
    enum miguard_status status = file_first_folder(file, beginning->path, &file->settings, reterr);
    if (status == MIGUARD_OK && !chain_init()) {
        status = error_set(reterr, MIGUARD_SYSTEM, 0, "sodium_init", "no random numbers");
    }
    if (status == MIGUARD_OK) {
        status = begin(file, beginning, ret_aside, reterr);
    }
    file_close(file);
    return status;
}

/* For tests, which know their key. */
enum miguard_status file_init(const char *path, const struct chain_key *key,
                              enum file_earlier earlier, char ret_aside[PATH_MAX],
                              struct miguard_error *reterr)
{
    const struct file_beginning beginning = {.path = path, .key = key, .earlier = earlier};

    return file_begin(&beginning, ret_aside, reterr);
}
