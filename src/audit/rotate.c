/* SPDX-License-Identifier: MIT */
/*
 * Rotation: NAME becomes NAME.G, and G counts up for ever, so that no file ever changes its name
 * again and no program that reads one loses its place.
 *
 *     make NAME.new    link NAME to NAME.G    rename NAME.new to NAME    set the head
 *
 * There is a NAME at every moment, and after a kill between any two steps repair.c knows by the
 * inodes how far it came. What cannot be done now is postponed: the file grows, nothing is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/file_internal.h"

enum { NAME_TRIES = 1000 };

/* ---- whether --------------------------------------------------------------------------------- */

static bool is_due(const struct log_file *file, size_t length, int64_t now)
{
    const struct state_head *head = state_head(&file->state);
    const struct sink_settings *settings = &file->settings;
    int64_t age = now - head->file_start;

    if (head->rotate_asked != 0) {
        return true;
    }
    if (head->sequence <= head->file_after + 1) {
        return false; /* it holds nothing but the record that it began with */
    }
    return (settings->rotate_bytes != 0 && head->size + length > settings->rotate_bytes) ||
           (settings->rotate_seconds != 0 && age >= (int64_t)settings->rotate_seconds * 1000000000);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* The new file under its working name, with room for the records that it begins with. */
static bool make_new(struct log_file *file, int *ret_fd, struct stat *ret_status,
                     uint64_t *ret_reserved)
{
    enum audit_loss loss;
    char name[FILE_NAME_SIZE];

    file_sibling(file, "new", name);
    bool made = file_create(file, name, ret_fd, ret_status);
    if (!made && errno == EEXIST && file_calls.unlinkat(file->folder, name, 0) == 0) {
        made = file_create(file, name, ret_fd, ret_status);
    }
    if (!made) {
        return false;
    }
    if (!file_allocate(*ret_fd, 0, 2 * FILE_TAIL, ret_reserved, &loss)) {
        file_calls.unlinkat(file->folder, name, 0);
        file_calls.close(*ret_fd);
        return false;
    }
    return true;
}

/* Gives the current file its second name. Where somebody has taken it, the generation counts on:
 * in the head first, which is where repair.c looks for it. */
static bool link_old(struct log_file *file)
{
    char name[FILE_NAME_SIZE];
    struct stat status;

    for (int i = 0; i < NAME_TRIES; i++) {
        file_rotated_name(file, state_head(&file->state)->generation, name);
        if (file_calls.linkat(file->folder, file->name, file->folder, name, 0) == 0) {
            return true;
        }
        if (errno != EEXIST) {
            return false;
        }
        if (file_calls.fstatat(file->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            (uint64_t)status.st_ino == file->inode) {
            return true;
        }
        state_begin(&file->state)->generation++;
        state_commit(&file->state);
    }
    return false;
}

static bool rename_new(struct log_file *file)
{
    char name[FILE_NAME_SIZE], rotated[FILE_NAME_SIZE];

    file_sibling(file, "new", name);
    if (link_old(file)) {
        if (file_calls.renameat(file->folder, name, file->folder, file->name) == 0) {
            return true;
        }
        file_rotated_name(file, state_head(&file->state)->generation, rotated);
        file_calls.unlinkat(file->folder, rotated, 0);
    }
    file_calls.unlinkat(file->folder, name, 0);
    return false;
}

/* The old file for good: on the disk, where that is wanted at all, and without spare blocks. */
static void finish_old(struct log_file *file)
{
    const struct state_head *head = state_head(&file->state);

    if (file->settings.sync != AUDIT_SYNC_NONE) {
        if (file_calls.fdatasync(file->fd) == 0) {
            file_tell_synced(file->state.shared, head->sequence);
        } else {
            file_tell_unsynced(file->state.shared, head->sequence);
        }
    }
}

/* Never shorter than it is: what others put behind our last record stays for who looks into it. */
static void trim_old(const struct log_file *file)
{
    struct stat status;

    if (file_calls.fstat(file->fd, &status) == 0) {
        (void)file_calls.ftruncate(file->fd, status.st_size); /* else some blocks are spare */
    }
}

static void begin_new(struct log_file *file, uint64_t inode, uint64_t reserved, int64_t now)
{
    struct state_head *head = state_begin(&file->state);

    file->state.shared->file_last[head->generation % STATE_FILES] = head->sequence;
    head->generation++;
    head->inode = inode;
    head->size = 0;
    head->reserved = reserved;
    head->file_after = head->sequence;
    head->file_start = now;
    head->rotate_asked = 0;
    state_commit(&file->state);
}

/* ---- `keep` ---------------------------------------------------------------------------------- */

/* The last record of a rotated file; false: it is not known, and then the file is better kept than
 * removed without a word. */
static bool last_of(struct log_file *file, uint64_t generation, const char *name,
                    uint64_t *ret_last)
{
    unsigned char hash[CHAIN_HASH_SIZE];
    uint64_t last = file->state.shared->file_last[generation % STATE_FILES];
    const char *problem = NULL;
    struct stat status;
    int fd = -1;

    if (last != 0 && generation + STATE_FILES > state_head(&file->state)->generation) {
        *ret_last = last;
        return true;
    }
    if (!file_open_name(file, name, &fd, &status, &problem)) {
        return false;
    }
    bool known = file_last_record(fd, ret_last, hash);
    file_calls.close(fd);
    return known;
}

/* Told in the head before it is done: a file that is said to be removed and is not does no harm,
 * the other way round is a false alarm. */
static void remove_rotated(struct log_file *file, uint64_t generation)
{
    char name[FILE_NAME_SIZE], packed[FILE_NAME_SIZE + 4];
    uint64_t last = 0;

    file_rotated_name(file, generation, name);
    snprintf(packed, sizeof(packed), "%s.gz", name);
    bool known = last_of(file, generation, name, &last);

    struct state_head *head = state_begin(&file->state);
    head->oldest = generation + 1;
    if (known && last > head->removed_through) {
        head->removed_through = last;
    }
    state_commit(&file->state);
    if (known) {
        file->removed_files += file_calls.unlinkat(file->folder, name, 0) == 0;
        file->removed_files += file_calls.unlinkat(file->folder, packed, 0) == 0;
    }
}

static void remove_oldest(struct log_file *file)
{
    const uint64_t keep = file->settings.keep;

    while (keep != 0 &&
           state_head(&file->state)->oldest + keep < state_head(&file->state)->generation) {
        remove_rotated(file, state_head(&file->state)->oldest);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool rotate(struct log_file *file, int64_t now)
{
    struct stat status;
    uint64_t reserved = 0;
    int fd = -1;

    if (!make_new(file, &fd, &status, &reserved)) {
        return false;
    }
    finish_old(file);
    if (!rename_new(file)) {
        file_calls.close(fd);
        return false;
    }
    if (file->settings.sync != AUDIT_SYNC_NONE) {
        (void)file_calls.fsync(file->folder); /* else the disk has the old order of names */
    }
    trim_old(file);
    begin_new(file, (uint64_t)status.st_ino, reserved, now);
    if (file_take(file, fd, (uint64_t)status.st_ino)) {
        atomic_store(&file->after, state_head(&file->state)->file_after);
    }
    remove_oldest(file);
    return true;
}

void file_rotate_if_due(struct log_file *file, size_t length, int64_t now)
{
    struct stat status;

    if (!is_due(file, length, now) ||
        (file->rotation_failed && file->locks % FILE_LOOK_EVERY != 0)) {
        return;
    }
    /* Nobody else's file may get the name: what is not ours any more repair.c sees to. */
    int found = file_calls.fstatat(file->folder, file->name, &status, AT_SYMLINK_NOFOLLOW);
    if (found == 0 && (uint64_t)status.st_ino == file->inode) {
        file->rotation_failed = !rotate(file, now);
    } else {
        file->rotation_failed = true;
        atomic_fetch_or(&file->state.shared->dirty,
                        found == 0 || errno == ENOENT ? STATE_LOOK : STATE_CLEAN);
    }
    if (file->rotation_failed) {
        file_call_keeper(file);
    }
}

bool file_begin_rotated(struct log_file *file, enum audit_loss *ret_loss)
{
    const struct state_head *head = state_head(&file->state);
    char previous[FILE_NAME_SIZE];
    struct stat status;

    if (file->inode != head->inode) { /* the descriptor could not be replaced: not ours to write */
        *ret_loss = AUDIT_LOSS_REMOVED;
        return false;
    }
    if (head->size != 0 || head->sequence == 0) {
        return true;
    }
    file_rotated_name(file, head->generation - 1, previous);
    if (file_calls.fstatat(file->folder, previous, &status, AT_SYMLINK_NOFOLLOW) != 0 &&
        errno == ENOENT) {
        previous[0] = '\0';
    }
    const struct audit_rotated rotated = {.previous = previous,
                                          .removed_files = file->removed_files,
                                          .removed_through = head->removed_through};
    const struct audit_event event = {.action = AUDIT_ACTION_AUDIT_ROTATE, .rotated = &rotated};
    if (!file_append_own(file, &event, ret_loss)) {
        return false;
    }
    file->removed_files = 0;
    return true;
}
