/* SPDX-License-Identifier: MIT */
/* A log file before it has a state: its folder, by the rules of trust, and the head of a new chain.
 * Used where a log is opened, begun or set aside. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file/family.h"
#include "audit/file/file_internal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "identity/trust.h"

/* For a folder that is made: the log's group may read what is in it. */
enum { FOLDER_MODE = 0750 };

/* ---- the folder ------------------------------------------------------------------------------ */

/* "a/b" is "a" and "b", "b" is "." and "b". "." and ".." are folders, and a path that ends in a
 * slash names one. */
bool file_split(const char *path, char folder[PATH_MAX], char name[FILE_NAME_SIZE])
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
 * A user who may write the folder may replace the log in it, sticky or not; one who may write a
 * folder above may replace the folder. Both are judged as a policy's are, on opened descriptors.
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

/* The path is used once. Afterwards all calls go by the opened folder, which no rename on the way
 * to it can change; the path is kept for file_open_folder() alone. */
enum miguard_status file_first_folder(struct log_file *file, const char *path,
                                      const struct sink_settings *make,
                                      struct miguard_error *reterr)
{
    char folder[PATH_MAX];

    if (path == NULL || *path == '\0') {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "open", "the audit file has no name");
    }
    if (!file_split(path, folder, file->name)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, ENAMETOOLONG, "open",
                         "%.100s: is not a name for a file, or too long", path);
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

/* Never makes one: a folder that vanished while the log was open is an administrator's doing. */
bool file_open_folder(struct log_file *file)
{
    return open_trusted(file->folder_path, NULL, &file->folder, NULL) == MIGUARD_OK &&
           file_mark_set(file->folder, &file->folder_mark);
}

/* ---- making and releasing -------------------------------------------------------------------- */

/* Everything that file_close() releases is initialized here, so that it can be called at any
 * time. */
struct log_file *file_new(void)
{
    struct log_file *file = base_alloc(1, sizeof(*file));

    if (file != NULL) {
        file->folder = -1;
        file->fd = -1;
        file->uid = geteuid();
        pthread_mutex_init(&file->local, NULL);
        pthread_mutex_init(&file->sync_lock, NULL);
        pthread_mutex_init(&file->background_lock, NULL);
        clock_cond_init(&file->background_asked);
        clock_cond_init(&file->background_answered);
    }
    return file;
}

/* Closes only descriptors that still are the log's: a program that closed them may have its own
 * files under these numbers. */
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
    pthread_mutex_destroy(&file->local);
    pthread_mutex_destroy(&file->sync_lock);
    pthread_mutex_destroy(&file->background_lock);
    pthread_cond_destroy(&file->background_asked);
    pthread_cond_destroy(&file->background_answered);
    base_free(file);
}

/* ---- the first head -------------------------------------------------------------------------- */

/* From the end of the list, which is in order of the numbers. */
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

/* Numbers go on behind files of an earlier log, so that none of them is taken for this one's or
 * removed by `keep`. errno is that of the listing. */
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
