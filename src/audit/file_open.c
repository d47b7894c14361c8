/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    return open_trusted(folder, &file->folder, reterr);
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
    if (file->fd >= 0) {
        file_calls.close(file->fd);
    }
    if (file->folder >= 0) {
        file_calls.close(file->folder);
    }
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
 * the next number is taken for a record that may have been there, and counts as cut off.
 */
static void go_on_without_state(struct log_file *file, struct state_head *head, uint64_t highest)
{
    struct state_shared *shared = file->state.shared;
    struct state_loss *pending = &shared->pending[SINK_FILE];
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
        return;
    }
    head->sequence = last + 1;
    head->file_after = head->sequence;
    pending->by_cause[AUDIT_LOSS_CUT] = 1;
    pending->first = pending->last = head->file_start;
    pending->first_sequence = pending->last_sequence = head->sequence;
    shared->lost_total[AUDIT_LOSS_CUT] = 1;
    atomic_store(&shared->dirty, STATE_LOOK);
}

static void make_first_head(struct log_file *file, const struct chain_key *key)
{
    uint64_t lowest = 0, highest = 0;
    struct state_head head;

    memset(&head, 0, sizeof(head)); /* with its padding, which the check covers */
    head.chain_id = key->present ? chain_id_of_key(key) : chain_id_random();
    head.key = *key;
    head.epoch = key->present ? 1 : 0;
    file_generations(file, &lowest, &highest);
    head.generation = highest + 1;
    head.oldest = lowest != 0 ? lowest : head.generation;
    head.file_start = audit_now();
    go_on_without_state(file, &head, highest);
    state_publish(&file->state, &head);
    chain_key_wipe(&head.key);
    (void)file_calls.fsync(file->state.fd); /* else a crash finds a log without a state, or none */
    (void)file_calls.fsync(file->folder);
}

static enum miguard_status open_state(struct log_file *file, const char *path,
                                      const struct chain_key *key, bool *ret_new,
                                      struct miguard_error *reterr)
{
    char name[FILE_NAME_SIZE];

    if (!chain_init()) {
        return error_set(reterr, MIGUARD_SYSTEM, 0, "sodium_init", "no random numbers");
    }
    file_sibling(file, "state", name);
    enum miguard_status status =
        state_open(file->folder, name, path, &file->state, ret_new, reterr);
    if (status == MIGUARD_OK && *ret_new) {
        make_first_head(file, key);
    }
    return status;
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
    const struct chain_key none = {.present = false};
    bool is_new = false;

    enum miguard_status status = open_folder(file, path, reterr);
    if (status == MIGUARD_OK) {
        status = check_log(file, path, reterr);
    }
    if (status == MIGUARD_OK) {
        status = open_state(file, path, &none, &is_new, reterr);
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

static enum miguard_status refuse_second(const struct log_file *file, const char *path,
                                         struct miguard_error *reterr)
{
    char name[FILE_NAME_SIZE];
    struct stat status;

    file_sibling(file, "state", name);
    if (file_calls.fstatat(file->folder, file->name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return error_set(reterr, MIGUARD_BAD_STATE, EEXIST, "init",
                         "%.100s: there is a log already; move it away with its .state", path);
    }
    if (file_calls.fstatat(file->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return error_set(reterr, MIGUARD_BAD_STATE, EEXIST, "init",
                         "%.80s.state: the chain is begun already; its key was printed then", path);
    }
    return MIGUARD_OK;
}

enum miguard_status file_init(const char *path, const struct chain_key *key,
                              struct miguard_error *reterr)
{
    struct log_file *file = new_file();
    bool is_new = false;

    if (file == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "init", NULL);
    }
    enum miguard_status status = open_folder(file, path, reterr);
    if (status == MIGUARD_OK) {
        status = refuse_second(file, path, reterr);
    }
    if (status == MIGUARD_OK) {
        status = open_state(file, path, key, &is_new, reterr);
    }
    if (status == MIGUARD_OK && !is_new) {
        status = refuse_second(file, path, reterr);
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
