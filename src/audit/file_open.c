/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/family.h"
#include "audit/file_internal.h"
#include "base/alloc.h"
#include "identity/trust.h"

enum { FIRST_RECORD = 8192 }; /* one with everything in it */

/* ---- the folder ------------------------------------------------------------------------------ */

/* "a/b" is "a" and "b", "b" is "." and "b". */
static bool split(const char *path, char folder[PATH_MAX], char name[FILE_NAME_SIZE])
{
    const char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;
    size_t length = slash != NULL ? (size_t)(slash - path) : 0;

    /* Suffixes have to fit behind it: a dot and a generation, and ".gz". */
    if (*last == '\0' || strlen(last) > NAME_MAX - 26 || length >= PATH_MAX ||
        strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
        return false;
    }
    memcpy(folder, path, length);
    folder[length] = '\0';
    if (length == 0) {
        strcpy(folder, slash != NULL ? "/" : ".");
    }
    memcpy(name, last, strlen(last) + 1);
    return true;
}

/*
 * Who may write the folder may put another log into the place of ours, sticky or not; who may write
 * one above may do so with the folder. Both are judged as a policy's are, on opened descriptors.
 */
static enum miguard_status open_trusted(const char *folder, int *ret_fd,
                                        struct miguard_error *reterr)
{
    char problem[TRUST_PROBLEM];
    struct stat status;

    switch (trust_open(folder, TRUST_STICKY_ABOVE, problem, ret_fd, &status)) {
    case TRUST_ABSENT:
        return error_set(reterr, MIGUARD_SYSTEM, ENOENT, "open", "%.120s: %s", folder,
                         strerrordesc_np(ENOENT));
    case TRUST_REFUSED:
        return error_set(reterr, MIGUARD_SYSTEM, EPERM, "open", "the folder of a log: %s", problem);
    default:
        break;
    }
    if (S_ISDIR(status.st_mode)) {
        return MIGUARD_OK;
    }
    file_calls.close(*ret_fd);
    *ret_fd = -1;
    return error_set(reterr, MIGUARD_SYSTEM, ENOTDIR, "open", "%.120s: %s", folder,
                     strerrordesc_np(ENOTDIR));
}

static enum miguard_status open_folder(struct log_file *file, const char *path,
                                       struct miguard_error *reterr)
{
    char folder[PATH_MAX];

    if (path == NULL || *path == '\0') {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "open", "the audit file has no name");
    }
    if (!split(path, folder, file->name)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, ENAMETOOLONG, "open",
                         "%.100s: is no name for a file, or too long a one", path);
    }
    file->folder_path = base_copy_text(folder);
    if (file->folder_path == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    enum miguard_status status = open_trusted(folder, &file->folder, reterr);
    if (status == MIGUARD_OK && !file_mark_set(file->folder, &file->folder_mark)) {
        status = error_set(reterr, MIGUARD_SYSTEM, errno, "fstat", "%.120s: %s", folder,
                           strerrordesc_np(errno));
    }
    return status;
}

bool file_open_folder(struct log_file *file)
{
    return open_trusted(file->folder_path, &file->folder, NULL) == MIGUARD_OK &&
           file_mark_set(file->folder, &file->folder_mark);
}

/* ---- making and releasing -------------------------------------------------------------------- */

static struct log_file *new_file(void)
{
    struct log_file *file = base_alloc(1, sizeof(*file));

    if (file != NULL) {
        file->folder = -1;
        file->fd = -1;
        file->uid = geteuid();
        pthread_mutex_init(&file->local, NULL);
        pthread_mutex_init(&file->sync_lock, NULL);
        file_make_condition(&file->sync_done);
        pthread_mutex_init(&file->keeper_lock, NULL);
        file_make_condition(&file->keeper_asked);
        file_make_condition(&file->keeper_answered);
    }
    return file;
}

void file_close(struct log_file *file)
{
    if (file == NULL) {
        return;
    }
    state_close(&file->state);
    if (file_mark_holds(file->fd, &file->fd_mark)) {
        file_calls.close(file->fd);
    }
    if (file_mark_holds(file->folder, &file->folder_mark)) {
        file_calls.close(file->folder);
    }
    base_free(file->folder_path);
    text_release(&file->own_body);
    text_release(&file->own_line);
    pthread_mutex_destroy(&file->local);
    pthread_mutex_destroy(&file->sync_lock);
    pthread_cond_destroy(&file->sync_done);
    pthread_mutex_destroy(&file->keeper_lock);
    pthread_cond_destroy(&file->keeper_asked);
    pthread_cond_destroy(&file->keeper_answered);
    base_free(file);
}

/* ---- the first head -------------------------------------------------------------------------- */

/* The highest number of a file that holds records. Others take no number from us: 20261127 is a
 * date. */
static uint64_t highest_log(const struct log_file *file, const struct family *family)
{
    char name[FILE_NAME_SIZE + 4];
    struct family_place place;

    for (size_t i = family->count; i-- > 0;) {
        const struct family_member *member = &family->list[i];
        family_name(file->name, member, name, sizeof(name));
        if (!member->current && member->number < FAMILY_LAST_NUMBER && !member->packed &&
            family_read_first(file->folder, name, &place)) {
            return member->number;
        }
    }
    return 0;
}

/* The last number in a file of a log whose state is gone. */
static uint64_t last_number(struct log_file *file, const char *name, struct stat *ret_status)
{
    unsigned char hash[CHAIN_HASH_SIZE];
    const char *problem = NULL;
    uint64_t last = 0;
    int fd = -1;

    if (!file_open_name(file, name, &fd, ret_status, &problem)) {
        return 0;
    }
    bool found = file_last_record(fd, &last, hash);
    file_calls.close(fd);
    return found ? last : 0;
}

/*
 * A log without its state, which somebody removed. Refusing would let whoever can do that stop
 * every program that uses the log; so it goes on, with a chain of its own, and the break is told:
 * the next number is taken for a record that may have been there, and counts as cut off. False:
 * there is no such log.
 */
static bool go_on_without_state(struct log_file *file, struct state_head *head, uint64_t highest,
                                struct state_loss *ret_lost)
{
    char rotated[FILE_NAME_SIZE];
    struct stat status = {0};
    uint64_t last = last_number(file, file->name, &status);

    head->inode = status.st_ino;
    head->size = (uint64_t)status.st_size;
    if (last == 0 && highest > 0) {
        struct stat ignored;
        file_rotated_name(file, highest, rotated);
        last = last_number(file, rotated, &ignored);
    }
    if (head->size == 0 && highest == 0) {
        return false;
    }
    head->sequence = last + 1;
    head->file_after = head->sequence;
    *ret_lost = (struct state_loss){.by_cause[AUDIT_LOSS_CUT] = 1,
                                    .first = head->file_start,
                                    .last = head->file_start,
                                    .first_sequence = head->sequence,
                                    .last_sequence = head->sequence};
    return true;
}

/* begins: a chain that somebody begins on purpose goes on from nothing that lies there. */
static enum miguard_status make_state(struct log_file *file, const char *name, const char *path,
                                      const struct chain_key *key, bool begins, bool *ret_made,
                                      struct miguard_error *reterr)
{
    struct family family;
    uint64_t highest = 0;
    struct state_head head;
    struct state_loss lost;

    memset(&head, 0, sizeof(head)); /* with its padding, which the check covers */
    head.chain_id = key->present ? chain_id_of_key(key) : chain_id_random();
    head.key = *key;
    head.epoch = key->present ? 1 : 0;
    if (family_list(file->folder, file->name, &family)) {
        highest = highest_log(file, &family);
    }
    head.generation = family_free(&family, highest + 1);
    head.oldest = head.generation; /* what lies there is of another chain */
    family_release(&family);
    head.file_start = audit_now();
    bool goes_on = !begins && go_on_without_state(file, &head, highest, &lost);
    enum miguard_status status =
        state_create(file->folder, name, path, &head, goes_on ? &lost : NULL, ret_made, reterr);
    chain_key_wipe(&head.key);
    return status;
}

static enum miguard_status open_state(struct log_file *file, const char *path,
                                      struct miguard_error *reterr)
{
    const struct chain_key none = {.present = false};
    char name[FILE_NAME_SIZE];
    bool made = false;

    if (!chain_init()) {
        return error_set(reterr, MIGUARD_SYSTEM, 0, "sodium_init", "no random numbers");
    }
    file_sibling(file, "state", name);
    enum miguard_status status = state_open(file->folder, name, path, &file->state, reterr);
    if (status != MIGUARD_NOT_FOUND) {
        return status;
    }
    if (file->settings.chain_required) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "chain",
                         "%.80s: the policy wants a chain with a key (chain: required), and none "
                         "was begun; run miguard audit init",
                         path);
    }
    status = make_state(file, name, path, &none, false, &made, reterr);
    return status != MIGUARD_OK ? status
                                : state_open(file->folder, name, path, &file->state, reterr);
}

/* Under a policy that wants a key a log without one is as bad as none. */
static enum miguard_status check_key(const struct log_file *file, const char *path,
                                     struct miguard_error *reterr)
{
    if (!file->settings.chain_required || state_head(&file->state)->key.present) {
        return MIGUARD_OK;
    }
    return error_set(reterr, MIGUARD_BAD_STATE, 0, "chain",
                     "%.80s: the policy wants a chain with a key (chain: required), and this log "
                     "has none; move it away with its .state and run miguard audit init",
                     path);
}

/* ---- the log --------------------------------------------------------------------------------- */

static enum miguard_status no_room(const struct log_file *file, const char *path,
                                   enum audit_loss loss, struct miguard_error *reterr)
{
    struct statvfs space;
    unsigned long long free_bytes = 0;

    if (file->fd >= 0 && file_calls.fstatvfs(file->fd, &space) == 0) {
        free_bytes = (unsigned long long)space.f_bavail * space.f_frsize;
    }
    return error_set(reterr, MIGUARD_AUDIT_FAILED, 0, "write",
                     "%.90s: no first record fits, %s; its file system has %llu KiB free", path,
                     loss == AUDIT_LOSS_NO_SPACE ? "disk, quota or file size limit"
                                                 : audit_loss_name(loss),
                     free_bytes / 1024);
}

static enum miguard_status damaged(const char *path, struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_BAD_STATE, 0, "state",
                     "%.60s.state is damaged; move it and the log away and run miguard audit init",
                     path);
}

/* Repairs, and sees to it that a first record fits. No record is written yet: the owner is not
 * ready for one. */
static enum miguard_status settle_first(struct log_file *file, const char *path,
                                        struct miguard_error *reterr)
{
    enum miguard_status status = MIGUARD_OK;
    enum audit_loss loss = AUDIT_LOSS_BUSY;
    const char *problem = NULL;

    if (!state_lock(&file->state)) {
        return error_set(reterr, MIGUARD_SYSTEM, EBUSY, "lock",
                         "%.120s: another process holds the log, or its state is damaged", path);
    }
    file->in_own = true;
    if (!state_sound(&file->state)) {
        status = damaged(path, reterr);
    } else if ((status = check_key(file, path, reterr)) != MIGUARD_OK) {
        /* told */
    } else if (!file_settle(file, &loss, &problem)) {
        status = loss == AUDIT_LOSS_NO_SPACE
                     ? no_room(file, path, loss, reterr)
                     : error_set(reterr,
                                 loss == AUDIT_LOSS_NO_MEMORY ? MIGUARD_NO_MEMORY : MIGUARD_SYSTEM,
                                 errno, "open", "%.90s: %s", path,
                                 problem != NULL ? problem : audit_loss_text(loss));
    } else if (!file_make_room(file, FIRST_RECORD, false, &loss)) {
        status = no_room(file, path, loss, reterr);
    }
    file->in_own = false;
    state_unlock(&file->state);
    return status;
}

/* Before anything is made: what lies there must be a log, or nothing. */
static enum miguard_status check_log(struct log_file *file, const char *path,
                                     struct miguard_error *reterr)
{
    const char *problem = NULL;
    struct stat status;
    int fd = -1;

    if (file_open_name(file, file->name, &fd, &status, &problem)) {
        file_calls.close(fd);
        return MIGUARD_OK;
    }
    return errno == ENOENT
               ? MIGUARD_OK
               : error_set(reterr, MIGUARD_SYSTEM, errno, "open", "%.90s: %s", path, problem);
}

static enum miguard_status open_all(struct log_file *file, const char *path,
                                    struct miguard_error *reterr)
{
    enum miguard_status status = open_folder(file, path, reterr);
    if (status == MIGUARD_OK) {
        status = check_log(file, path, reterr);
    }
    if (status == MIGUARD_OK) {
        status = open_state(file, path, reterr);
    }
    return status != MIGUARD_OK ? status : settle_first(file, path, reterr);
}

enum miguard_status file_open(const struct sink_settings *settings, const struct file_owner *owner,
                              struct log_file **ret_file, struct miguard_error *reterr)
{
    struct log_file *file = new_file();

    if (file == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    file->settings = *settings;
    file->settings.path = NULL; /* not ours to keep */
    file->owner = *owner;
    enum miguard_status status = open_all(file, settings->path, reterr);
    if (status != MIGUARD_OK) {
        file_close(file);
        return status;
    }
    *ret_file = file;
    return MIGUARD_OK;
}

/* ---- without writing ------------------------------------------------------------------------- */

static enum miguard_status refuse_state(const struct log_file *file, const char *path,
                                        struct miguard_error *reterr)
{
    char name[FILE_NAME_SIZE];
    struct stat status;

    file_sibling(file, "state", name);
    if (file_calls.fstatat(file->folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
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

/* Files of an earlier log: rotated ones that hold records, or are packed. */
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

static enum miguard_status refuse_earlier(const struct log_file *file, const char *path,
                                          struct miguard_error *reterr)
{
    char first[FILE_NAME_SIZE + 4] = "";
    struct family family;

    bool listed = family_list(file->folder, file->name, &family);
    size_t count = listed ? count_earlier(file, &family, first) : 0;
    family_release(&family);
    if (!listed) {
        return error_set(reterr, MIGUARD_SYSTEM, errno, "init", "%.120s: its folder: %s", path,
                         strerrordesc_np(errno));
    }
    return count == 0
               ? MIGUARD_OK
               : error_set(reterr, MIGUARD_BAD_STATE, EEXIST, "init",
                           "%.40s: %zu file%s of an earlier log %s there (%.40s); --aside moves "
                           "them away, --continue leaves them",
                           path, count, count == 1 ? "" : "s", count == 1 ? "lies" : "lie", first);
}

/* The current file of an earlier log gets the next number, so that the new one begins empty. */
static enum miguard_status leave_earlier(const struct log_file *file, const char *path,
                                         struct miguard_error *reterr)
{
    char name[FILE_NAME_SIZE];
    struct family family;
    struct stat status;

    if (file_calls.fstatat(file->folder, file->name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return MIGUARD_OK;
    }
    bool done = family_list(file->folder, file->name, &family);
    if (done) {
        file_rotated_name(file, family_free(&family, highest_log(file, &family) + 1), name);
        done = file_calls.linkat(file->folder, file->name, file->folder, name, 0) == 0 &&
               file_calls.unlinkat(file->folder, file->name, 0) == 0;
    }
    family_release(&family);
    return done ? MIGUARD_OK
                : error_set(reterr, MIGUARD_SYSTEM, errno, "init", "%.120s: %s", path,
                            strerrordesc_np(errno));
}

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
    for (int i = 2; mkdirat(file->folder, folder, 0700) != 0; i++) {
        if (errno != EEXIST || i > TRIES) {
            return -1;
        }
        snprintf(numbered, sizeof(numbered), "%s-%d", stamp, i);
        file_sibling(file, numbered, folder);
    }
    return file_calls.openat(file->folder, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                             0);
}

/* A file that is moved keeps its name, so that the log can be verified there. */
static enum miguard_status move_aside(const struct log_file *file, const char *path,
                                      char ret_aside[PATH_MAX], struct miguard_error *reterr)
{
    char folder[FILE_NAME_SIZE + 8], name[FILE_NAME_SIZE + 4], state[FILE_NAME_SIZE];
    struct family family;

    file_sibling(file, "state", state);
    int to = make_aside(file, folder);
    snprintf(ret_aside, PATH_MAX, "%.*s%s", (int)(strlen(path) - strlen(file->name)), path, folder);
    if (to < 0) {
        return error_set(reterr, MIGUARD_SYSTEM, errno, "aside", "%.120s: %s", ret_aside,
                         strerrordesc_np(errno));
    }
    bool done = family_list(file->folder, file->name, &family);
    for (size_t i = 0; i < family.count && done; i++) {
        family_name(file->name, &family.list[i], name, sizeof(name));
        done = file_calls.renameat(file->folder, name, to, name) == 0;
    }
    family_release(&family);
    done = done && (file_calls.renameat(file->folder, state, to, state) == 0 || errno == ENOENT);
    done = done && file_calls.fsync(to) == 0 && file_calls.fsync(file->folder) == 0;
    int error = errno;
    file_calls.close(to);
    return done ? MIGUARD_OK
                : error_set(reterr, MIGUARD_SYSTEM, error, "aside", "%.120s: %s", ret_aside,
                            strerrordesc_np(error));
}

static enum miguard_status clear_way(const struct log_file *file, const char *path,
                                     enum file_earlier earlier, char ret_aside[PATH_MAX],
                                     struct miguard_error *reterr)
{
    if (earlier == FILE_EARLIER_ASIDE) {
        return move_aside(file, path, ret_aside, reterr);
    }
    enum miguard_status status = refuse_state(file, path, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    return earlier == FILE_EARLIER_CONTINUE ? leave_earlier(file, path, reterr)
                                            : refuse_earlier(file, path, reterr);
}

enum miguard_status file_init(const char *path, const struct chain_key *key,
                              enum file_earlier earlier, char ret_aside[PATH_MAX],
                              struct miguard_error *reterr)
{
    struct log_file *file = new_file();
    char name[FILE_NAME_SIZE];
    bool made = false;

    if (file == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "init", NULL);
    }
    enum miguard_status status = open_folder(file, path, reterr);
    if (status == MIGUARD_OK && !chain_init()) {
        status = error_set(reterr, MIGUARD_SYSTEM, 0, "sodium_init", "no random numbers");
    }
    if (status == MIGUARD_OK) {
        status = clear_way(file, path, earlier, ret_aside, reterr);
    }
    if (status == MIGUARD_OK) {
        file_sibling(file, "state", name);
        status = make_state(file, name, path, key, true, &made, reterr);
    }
    if (status == MIGUARD_OK && !made) {
        status = refuse_state(file, path, reterr);
    }
    file_close(file);
    return status;
}

enum miguard_status file_read_head(const char *path, struct state_head *ret_head,
                                   struct miguard_error *reterr)
{
    char folder[PATH_MAX], name[FILE_NAME_SIZE], state[FILE_NAME_SIZE + 8];

    if (path == NULL || !split(path, folder, name)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "open", "the audit file has no name");
    }
    snprintf(state, sizeof(state), "%s.state", name);
    int fd = file_calls.openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) {
        return error_set(reterr, errno == ENOENT ? MIGUARD_NOT_FOUND : MIGUARD_SYSTEM, errno,
                         "open", "%.120s: %s", folder, strerrordesc_np(errno));
    }
    enum miguard_status status = state_read_head(fd, state, path, ret_head, reterr);
    file_calls.close(fd);
    return status;
}
