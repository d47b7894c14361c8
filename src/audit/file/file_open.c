/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/file/family.h"
#include "audit/file/file_internal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "identity/trust.h"

enum {
    FIRST_RECORD = 8192, /* one with everything in it */
    FOLDER_MODE = 0750,
};

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
 * make: a folder that is missing is made, for those who may read the file; NULL: it is not.
 */
static enum miguard_status open_trusted(const char *folder, const struct sink_settings *make,
                                        int *ret_fd, struct miguard_error *reterr)
{
    char problem[TRUST_PROBLEM];
    struct stat status;

    enum trust_result result = trust_open(folder, TRUST_STICKY_ABOVE, problem, ret_fd, &status);
    if (result == TRUST_ABSENT && make != NULL) {
        result = trust_make_folder(folder, FOLDER_MODE, make->has_gid ? make->gid : getegid(),
                                   problem, ret_fd, &status);
    }
    switch (result) {
    case TRUST_ABSENT:
        return error_set(reterr, MIGUARD_SYSTEM, ENOENT, "open", "%.120s: %s", folder,
                         strerrordesc_np(ENOENT));
    case TRUST_REFUSED:
        return error_set(reterr, MIGUARD_SYSTEM, EPERM, "open", "the folder of a log: %s", problem);
    default:
        break;
    }
    if (S_ISDIR(status.st_mode)) {
        *ret_fd = descriptor_away(*ret_fd);
        return *ret_fd >= 0 ? MIGUARD_OK
                            : error_set(reterr, MIGUARD_SYSTEM, errno, "open", "%.120s: %s", folder,
                                        strerrordesc_np(errno));
    }
    file_calls.close(*ret_fd);
    *ret_fd = -1;
    return error_set(reterr, MIGUARD_SYSTEM, ENOTDIR, "open", "%.120s: %s", folder,
                     strerrordesc_np(ENOTDIR));
}

static enum miguard_status open_first(struct log_file *file, const char *path,
                                      const struct sink_settings *make,
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
    enum miguard_status status = open_trusted(folder, make, &file->folder, reterr);
    if (status == MIGUARD_OK && !file_mark_set(file->folder, &file->folder_mark)) {
        status = error_set(reterr, MIGUARD_SYSTEM, errno, "fstat", "%.120s: %s", folder,
                           strerrordesc_np(errno));
    }
    return status;
}

enum miguard_status file_first_folder(struct log_file *file, const char *path,
                                      struct miguard_error *reterr)
{
    return open_first(file, path, &file->settings, reterr);
}

bool file_open_folder(struct log_file *file)
{
    return open_trusted(file->folder_path, NULL, &file->folder, NULL) == MIGUARD_OK &&
           file_mark_set(file->folder, &file->folder_mark);
}

/* ---- making and releasing -------------------------------------------------------------------- */

struct log_file *file_new(void)
{
    struct log_file *file = base_alloc(1, sizeof(*file));

    if (file != NULL) {
        file->folder = -1;
        file->fd = -1;
        file->uid = geteuid();
        pthread_mutex_init(&file->local, NULL);
        pthread_mutex_init(&file->sync_lock, NULL);
        clock_cond_init(&file->sync_done);
        pthread_mutex_init(&file->keeper_lock, NULL);
        clock_cond_init(&file->keeper_asked);
        clock_cond_init(&file->keeper_answered);
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

uint64_t file_highest_log(const struct log_file *file, const struct family *family)
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

bool file_first_head(const struct log_file *file, const struct chain_key *key,
                     struct state_head *ret_head, uint64_t *ret_highest)
{
    struct family family;

    memset(ret_head, 0, sizeof(*ret_head)); /* with its padding, which the check covers */
    *ret_highest = 0;
    ret_head->chain_id = key->present ? chain_id_of_key(key) : chain_id_random();
    ret_head->key = *key;
    ret_head->epoch = key->present ? 1 : 0;
    bool listed = family_list(file->folder, file->name, &family);
    int error = errno;
    if (listed) {
        *ret_highest = file_highest_log(file, &family);
    }
    ret_head->generation = family_free(&family, *ret_highest + 1);
    ret_head->oldest = ret_head->generation; /* what lies there is of another chain */
    family_release(&family);
    ret_head->file_start = audit_now();
    errno = error;
    return listed;
}

static enum miguard_status make_state(struct log_file *file, const char *name, const char *path,
                                      struct miguard_error *reterr)
{
    const struct chain_key none = {.present = false};
    struct state_loss lost;
    struct state_head head;
    uint64_t highest = 0;

    (void)file_first_head(file, &none, &head, &highest); /* repair.c finds its files */
    bool goes_on = go_on_without_state(file, &head, highest, &lost);
    return state_create(file->folder, name, path, &head, goes_on ? &lost : NULL, NULL, reterr);
}

static enum miguard_status begin_state(struct log_file *file, const char *name, const char *path,
                                       struct miguard_error *reterr)
{
    if (file->settings.chain_required) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "chain",
                         "%.80s: the policy wants a chain with a key (chain: required), and none "
                         "was begun; run miguard audit init",
                         path);
    }
    return make_state(file, name, path, reterr);
}

/* Between two of the steps another process may take one, too. */
enum miguard_status file_open_state(struct log_file *file, const char *path,
                                    struct miguard_error *reterr)
{
    enum { TRIES = 4 };
    enum miguard_status status = MIGUARD_BAD_STATE;
    enum state_damage damage = STATE_SOUND;
    char name[FILE_NAME_SIZE];

    file_sibling(file, "state", name);
    for (int i = 0; i < TRIES; i++) {
        status = state_open(file->folder, name, path, &file->state, &damage, reterr);
        if (status == MIGUARD_OK || (status == MIGUARD_BAD_STATE && damage == STATE_SOUND)) {
            return status;
        }
        enum miguard_status mended =
            status == MIGUARD_NOT_FOUND   ? begin_state(file, name, path, reterr)
            : status == MIGUARD_BAD_STATE ? file_set_state_aside(file, path, reterr)
                                          : status;
        if (mended != MIGUARD_OK) {
            return mended;
        }
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
                                                 : audit_losses[loss].name,
                     free_bytes / 1024);
}

/* Repairs, and sees to it that a first record fits. No record is written yet: the owner is not
 * ready for one. */
static enum miguard_status settle_first(struct log_file *file, const char *path,
                                        struct miguard_error *reterr)
{
    enum miguard_status status = MIGUARD_OK;
    enum audit_loss loss = AUDIT_LOSS_BUSY;
    const char *problem = NULL;
    struct miguard_error why = {.status = MIGUARD_OK};

    if (!file_lock_state(file, path, &loss, &why)) {
        return why.status == MIGUARD_OK
                   ? error_set(reterr, MIGUARD_SYSTEM, EBUSY, "lock",
                               "%.120s: another process holds the log, or its state is damaged",
                               path)
                   : error_set(reterr, why.status, why.system_errno, why.step, "%s", why.detail);
    }
    file->in_own = true;
    if (!file_settle(file, &loss, &problem)) {
        status = loss == AUDIT_LOSS_NO_SPACE
                     ? no_room(file, path, loss, reterr)
                     : error_set(reterr,
                                 loss == AUDIT_LOSS_NO_MEMORY ? MIGUARD_NO_MEMORY : MIGUARD_SYSTEM,
                                 errno, "open", "%.90s: %s", path,
                                 problem != NULL ? problem : audit_losses[loss].text);
    } else if (!file_make_room(file, FIRST_RECORD, false, &loss)) {
        status = no_room(file, path, loss, reterr);
    }
    file->in_own = false;
    file_unlock(file);
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
    enum miguard_status status = file_first_folder(file, path, reterr);
    if (status == MIGUARD_OK) {
        status = check_log(file, path, reterr);
    }
    if (status == MIGUARD_OK) {
        status = chain_init()
                     ? file_open_state(file, path, reterr)
                     : error_set(reterr, MIGUARD_SYSTEM, 0, "sodium_init", "no random numbers");
    }
    return status != MIGUARD_OK ? status : settle_first(file, path, reterr);
}

enum miguard_status file_open(const struct sink_settings *settings, const struct file_owner *owner,
                              struct log_file **ret_file, struct miguard_error *reterr)
{
    struct log_file *file = file_new();

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

static enum miguard_status try_state(const struct log_file *file, const char *path,
                                     struct miguard_error *reterr)
{
    char name[FILE_NAME_SIZE];
    struct state_head head;

    file_sibling(file, "state", name);
    enum miguard_status status = state_read_head(file->folder, name, path, &head, reterr);
    bool keyed = status == MIGUARD_OK && head.epoch != 0;
    if (status == MIGUARD_OK && faccessat(file->folder, name, R_OK | W_OK, AT_EACCESS) != 0) {
        return error_set(reterr, MIGUARD_SYSTEM, errno, "open", "%.100s.state: %s", path,
                         strerrordesc_np(errno));
    }
    if (status != MIGUARD_OK && status != MIGUARD_NOT_FOUND) {
        return status;
    }
    return keyed || !file->settings.chain_required
               ? MIGUARD_OK
               : error_set(reterr, MIGUARD_BAD_STATE, 0, "chain",
                           "%.80s: the policy wants a chain with a key (chain: required); run "
                           "miguard audit init",
                           path);
}

enum miguard_status file_try(const struct sink_settings *settings, int *ret_folder,
                             struct miguard_error *reterr)
{
    struct log_file *file = file_new();

    if (file == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    file->settings = *settings;
    enum miguard_status status = open_first(file, settings->path, NULL, reterr);
    if (status == MIGUARD_OK) {
        status = check_log(file, settings->path, reterr);
    }
    if (status == MIGUARD_OK) {
        status = try_state(file, settings->path, reterr);
    }
    if (status == MIGUARD_OK) {
        *ret_folder = file->folder;
        file->folder = -1;
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
