/* SPDX-License-Identifier: MIT */
/* What the other parts of the log file do to the file itself: its names, opening, making, replacing
 * and writing it. Calls none of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/file/file_internal.h"

/* ---- names and errors ------------------------------------------------------------------------ */

/* All names of a log begin with the log's, so that they are found, moved and removed together. */
void file_sibling(const struct log_file *file, const char *suffix, char buffer[FILE_NAME_SIZE])
{
    snprintf(buffer, FILE_NAME_SIZE, "%.*s.%s", NAME_MAX, file->name, suffix);
}

/* Decimal without leading zeros, which family.c accepts as the only spelling. */
void file_rotated_name(const struct log_file *file, uint64_t generation,
                       char buffer[FILE_NAME_SIZE])
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)generation);
    file_sibling(file, digits, buffer);
}

/* A limit on the size of files (EFBIG) is reported as a full disk: in both cases room must be made.
 * What a thread may not do with its identity counts as REMOVED, for which the background thread is
 * asked. */
enum audit_loss file_loss_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return AUDIT_LOSS_NO_SPACE;
    case EROFS:
        return AUDIT_LOSS_READ_ONLY;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return AUDIT_LOSS_NO_MEMORY;
    case EACCES:
    case EPERM:
    case ENOENT:
        return AUDIT_LOSS_REMOVED;
    default:
        return AUDIT_LOSS_IO_ERROR;
    }
}

/* The caller reports the error that came before. */
static void close_keeping_errno(int fd)
{
    int error = errno;

    file_calls.close(fd);
    errno = error;
}

/* ---- the files of a log ---------------------------------------------------------------------- */

/* NULL, or why a file is not a log that this process may trust: another user could have written it,
 * or could change it later. */
static const char *wrong_log(const struct log_file *file, const struct stat *status)
{
    if (!S_ISREG(status->st_mode)) {
        return "is not a regular file";
    }
    if (status->st_uid != file->uid && status->st_uid != 0) {
        return "belongs to another user; a log belongs to root or to the user who writes it";
    }
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return "is writable by others than its owner; right would be mode 0640";
    }
    return NULL;
}

/* O_NOFOLLOW: the name may be a link that someone with write access to the folder made. The rest is
 * judged on the open file, which cannot be exchanged any more. */
bool file_open_name(struct log_file *file, const char *name, int *ret_fd, struct stat *ret_status,
                    const char **ret_problem)
{
    /* O_NONBLOCK so that a FIFO put there cannot hold us up; it has no effect on a regular file. */
    int fd = file_open_away(file->folder, name,
                            O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd < 0) {
        *ret_problem =
            errno == ELOOP ? "is a symbolic link; name the file itself" : strerrordesc_np(errno);
        return false;
    }
    if (file_calls.fstat(fd, ret_status) != 0) {
        *ret_problem = strerrordesc_np(errno);
        close_keeping_errno(fd);
        return false;
    }
    *ret_problem = wrong_log(file, ret_status);
    if (*ret_problem != NULL) {
        file_calls.close(fd);
        errno = EINVAL;
        return false;
    }
    *ret_fd = fd;
    return true;
}

/* The group first: a wrong one must not read it for a moment. The mode is set apart from the umask,
 * which must neither widen nor narrow it. A thread with another identity could make a
 * file that belongs to that user, who could then write it. */
static bool finish_new(const struct log_file *file, int fd, struct stat *ret_status)
{
    if ((file->settings.has_gid &&
         file_calls.fchown(fd, (uid_t)-1, (gid_t)file->settings.gid) != 0) ||
        file_calls.fchmod(fd, 0640) != 0 || file_calls.fstat(fd, ret_status) != 0) {
        return false;
    }
    if (ret_status->st_uid != file->uid && ret_status->st_uid != 0) {
        errno = EACCES;
        return false;
    }
    return true;
}

/* Mode 0600 until finish_new() has set group and mode: in between no other user can open it. A file
 * that cannot be finished is removed. */
bool file_create(struct log_file *file, const char *name, int *ret_fd, struct stat *ret_status)
{
    int fd = file_open_away(file->folder, name,
                            O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    if (!finish_new(file, fd, ret_status)) {
        int error = errno;
        file_calls.unlinkat(file->folder, name, 0);
        file_calls.close(fd);
        errno = error;
        return false;
    }
    *ret_fd = fd;
    return true;
}

/* dup3(2) keeps the descriptor number, and a thread inside fdatasync(2) keeps its reference to the
 * old file. A number that is the host's by now stays the host's, and one that it closed may be fd
 * again. Called with the lock of syncs: a descriptor and its mark are looked at together there. */
static bool replace_descriptor(struct log_file *file, int fd)
{
    if (file->fd < 0 || file->fd == fd || !file_mark_holds(file->fd, &file->fd_mark)) {
        file->fd = fd;
    } else {
        int done = file_calls.dup3(fd, file->fd, O_CLOEXEC);
        close_keeping_errno(fd);
        if (done < 0) {
            return false;
        }
    }
    return file_mark_set(file->fd, &file->fd_mark);
}

/* False: the descriptor could not be replaced, or what it is not be read. */
bool file_take(struct log_file *file, int fd, uint64_t inode)
{
    /* In this order for sync.c: a thread that sees the new descriptor sees one of these two. */
    atomic_store(&file->after, UINT64_MAX);
    atomic_fetch_add(&file->turn, 1);
    pthread_mutex_lock(&file->sync_lock);
    bool taken = replace_descriptor(file, fd);
    pthread_mutex_unlock(&file->sync_lock);
    file->inode = taken ? inode : file->inode;
    return taken;
}

/* ---- what a file was --------------------------------------------------------------------------
 */

/* status NULL: only the last number is known, and the file is later recognized by what is in it. */
void file_note_rotated(struct log_file *file, const struct state_head *head,
                       const struct stat *status)
{
    (void)state_prove(&file->state);
    struct state_file *note = &file->state.shared->files[head->generation % STATE_FILES];

    *note = (struct state_file){.last = head->sequence};
    if (status != NULL) {
        note->inode = (uint64_t)status->st_ino;
        note->size = (uint64_t)status->st_size;
        note->changed = status->st_mtim.tv_sec;
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

/* What is written of a record that cannot be finished is taken back; where that fails, the next
 * writer ends the line. Truncating also gives back the blocks beyond the end. */
static void take_back(struct log_file *file)
{
    uint64_t size = state_head(&file->state)->size;

    bool taken = file_calls.ftruncate(file->fd, (off_t)size) == 0;
    (void)state_prove(&file->state);
    if (!taken) {
        atomic_fetch_or(&file->state.shared->dirty, STATE_TORN);
        return;
    }
    state_begin(&file->state)->reserved = size;
    state_commit(&file->state);
}

/* A write at the limit fails, so nothing is written of what would not fit. file_make_room() has
 * looked before the first; one that came short may have met a limit that was set since. */
static bool within_limit(uint64_t end)
{
    struct rlimit limit;

    if (file_calls.getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        end > limit.rlim_cur) {
        errno = EFBIG;
        return false;
    }
    return true;
}

/* Mostly one write(2). A second is needed when the disk filled up in the middle or a signal came; a
 * record is whole or taken back, so that readers never see a part for long. */
bool file_write(struct log_file *file, const char *bytes, size_t length, enum audit_loss *ret_loss)
{
    uint64_t end = state_head(&file->state)->size + length;
    size_t done = 0;

    while (done < length && (done == 0 || within_limit(end))) {
        ssize_t written = file_calls.write(file->fd, bytes + done, length - done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            break;
        }
        done += (size_t)written;
    }
    if (done == length) {
        return true;
    }
    *ret_loss = file_loss_of(errno);
    (void)state_prove(&file->state);
    if (done > 0) {
        take_back(file);
    }
    return false;
}

/* Shared by appending and repairing, so that both make the same head from the same record. A writer
 * advances the key here and nowhere else. */
void file_advance(struct state_head *head, const unsigned char hash[CHAIN_HASH_SIZE], size_t length,
                  bool is_seal, int64_t now)
{
    head->sequence++;
    memcpy(head->hash, hash, CHAIN_HASH_SIZE);
    chain_key_advance(&head->key);
    head->size += length;
    if (is_seal) {
        head->epoch++;
        head->epoch_records = 0;
        head->epoch_start = 0;
        return;
    }
    head->epoch_start = head->epoch_records == 0 ? now : head->epoch_start;
    head->epoch_records++;
}
