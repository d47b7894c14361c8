/* SPDX-License-Identifier: MIT */
/* Opens a log file, or says without writing what opening it would meet; called by the log and by
 * the commands that read one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file/file_internal.h"

enum { FIRST_RECORD = 8192 /* one with everything in it */ };

/* ---- the log --------------------------------------------------------------------------------- */

/* Names how much room the file system has: with much of it the cause is a quota or a limit. */
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

/* Repairs, and sees to it that a first record fits. No record is written yet: that is the first
 * record's affair. The space is not looked at yet: a report about it is a record, too. */
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
    if (!file_settle(file, &loss, &problem)) {
        status = loss == AUDIT_LOSS_NO_SPACE
                     ? no_room(file, path, loss, reterr)
                     : error_set(reterr,
                                 loss == AUDIT_LOSS_NO_MEMORY ? MIGUARD_NO_MEMORY : MIGUARD_SYSTEM,
                                 errno, "open", "%.90s: %s", path,
                                 problem != NULL ? problem : audit_losses[loss].text);
    } else {
        file_allocate_ahead(file, FIRST_RECORD, false, NULL);
        if (!file_make_room(file, FIRST_RECORD, false, NULL, &loss)) {
            status = no_room(file, path, loss, reterr);
        }
    }
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

/* In an order in which nothing is made before what it lies in is trusted: folder, log, state,
 * repair. */
static enum miguard_status open_all(struct log_file *file, const char *path,
                                    struct miguard_error *reterr)
{
    enum miguard_status status = file_first_folder(file, path, &file->settings, reterr);
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

/* A file that could not be opened is released with all it has so far. */
enum miguard_status file_open(const struct sink_settings *settings, struct log_process *process,
                              struct log_file **ret_file, struct miguard_error *reterr)
{
    struct log_file *file = file_new();

    if (file == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    file->settings = *settings;
    file->settings.path = NULL; /* not ours to keep */
    file->process = process;
    enum miguard_status status = open_all(file, settings->path, reterr);
    if (status != MIGUARD_OK) {
        file_close(file);
        return status;
    }
    *ret_file = file;
    return MIGUARD_OK;
}

/* ---- without writing ------------------------------------------------------------------------- */

/* A missing state is right unless a key is required: opening makes one. faccessat(2) with
 * AT_EACCESS asks for the effective ids, which are those that would open it. */
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

/* The same checks as open_all(), without making the folder. The descriptor of the folder goes to
 * the caller, who then looks at the very folder that was checked. */
enum miguard_status file_try(const struct sink_settings *settings, int *ret_folder,
                             struct miguard_error *reterr)
{
    struct log_file *file = file_new();

    if (file == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    file->settings = *settings;
    enum miguard_status status = file_first_folder(file, settings->path, NULL, reterr);
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

/* For readers, who may not be the user that writes: the folder is not judged, and nothing is
 * locked. */
enum miguard_status file_read_head(const char *path, struct state_head *ret_head,
                                   struct miguard_error *reterr)
{
    char folder[PATH_MAX], name[FILE_NAME_SIZE], state[FILE_NAME_SIZE + 8];

    if (path == NULL || !file_split(path, folder, name)) {
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
