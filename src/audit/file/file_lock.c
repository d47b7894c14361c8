/* SPDX-License-Identifier: MIT */
/*
 * The lock of all writers: every writer takes it first, and has the current file, whole, when it
 * does.
 *
 * The state is mapped, and a touch of it raises SIGBUS when its file was cut. So fstat(2) on its
 * descriptor proves its size when the lock was taken, and again after each call that may take its
 * time (state_prove()). What is left is a cut between such a proof and the loads and stores that
 * follow it without a system call. Only root and the user who writes the log can make it: the state
 * is mode 0600, in a folder of the same kind. Reading and writing the state instead, under
 * flock(2), has no such rest, and costs four calls more for each record, as much as all of its
 * others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "base/clock.h"
#include "base/fork.h"

/* ---- what must still be the log's ------------------------------------------------------------ */

/* What was right when it was opened need not be any more. One that came to be root's is better. */
static bool is_as_trusted(const struct stat *status, const struct file_mark *mark, mode_t others)
{
    return (status->st_uid == mark->owner || status->st_uid == 0) &&
           (status->st_mode & others) == 0;
}

/*
 * Before anything is read or written: are the descriptors still the log's? What is not is the
 * host's, and neither written to nor closed. The folder is opened again by the rules of the first
 * time, the file by its name in there when the log is made whole. A thread that may not open them
 * has the background thread do it.
 */
static bool reclaim(struct log_file *file, enum audit_loss *ret_loss)
{
    const mode_t others = S_IWGRP | S_IWOTH;
    struct stat status;

    if (!file_mark_looks(file->folder, &file->folder_mark, &status)) {
        file->folder = -1;
        if (!file_open_folder(file)) {
            *ret_loss = AUDIT_LOSS_REMOVED;
            return false;
        }
    } else if (!is_as_trusted(&status, &file->folder_mark, others)) {
        *ret_loss = AUDIT_LOSS_UNTRUSTED;
        return false;
    }
    if (file->fd < 0) {
        return true;
    }
    if (!file_mark_looks(file->fd, &file->fd_mark, &status)) {
        atomic_fetch_add(&file->turn, 1);
        file->fd = -1;
        file->inode = 0; /* of no file: file_settle() opens it */
    } else if (!is_as_trusted(&status, &file->fd_mark, others)) {
        *ret_loss = AUDIT_LOSS_UNTRUSTED;
        return false;
    }
    return true;
}

/* ---- the state --------------------------------------------------------------------------------
 */

/* Under the local lock. The descriptor proves that it is still there; another state may have its
 * name by now, when its own is gone. */
static enum state_presence look_at_state(struct log_file *file, enum audit_loss *ret_loss)
{
    const struct log_state *state = &file->state;
    char name[FILE_NAME_SIZE];
    struct stat status, other;

    enum state_presence presence = state_look(state, &status);
    if (presence != STATE_THERE) {
        return presence;
    }
    if (!is_as_trusted(&status, &state->mark, S_IRWXG | S_IRWXO)) {
        *ret_loss = AUDIT_LOSS_UNTRUSTED;
    }
    if (status.st_nlink > 0) {
        return STATE_THERE;
    }
    file_sibling(file, "state", name);
    return file_calls.fstatat(file->folder, name, &other, AT_SYMLINK_NOFOLLOW) == 0
               ? STATE_ELSEWHERE
               : state_look(state, &status);
}

/* A writer in another process may have set it aside, or something have overwritten it. proved: it
 * was there just now, without a call since; it need not be proved again when the lock was free. */
static bool lock_one(struct log_file *file, bool proved, enum audit_loss *ret_loss)
{
    struct log_state *state = &file->state;
    bool waited;

    if (!state_is_one(state)) {
        state->gone = true;
        return false;
    }
    *ret_loss = AUDIT_LOSS_BUSY;
    if (!state_lock(state, &waited)) {
        return false;
    }
    if (((proved && !waited) || state_prove(state)) && state_is_one(state) && state_sound(state)) {
        return true;
    }
    state->gone = true;
    state_unlock(state);
    return false;
}

/* Asked with each lock: another process may have set the state aside since, and its key be lost. */
static bool has_key(const struct log_file *file, const char *path, struct miguard_error *reterr)
{
    if (!file->settings.chain_required || state_head(&file->state)->key.present) {
        return true;
    }
    (void)!error_set(reterr, MIGUARD_BAD_STATE, 0, "chain",
                     "%.80s: the policy wants a chain with a key (chain: required), and this log "
                     "has none; run miguard audit init --aside, which moves it away",
                     path);
    return false;
}

/* Under the local lock. Looks, opens where that is needed, locks, and proves under the lock what
 * was seen before it. A few tries, since another process may replace the state in between. */
static bool lock_present(struct log_file *file, const char *path, enum audit_loss *ret_loss,
                         struct miguard_error *reterr)
{
    enum { TRIES = 4 };

    for (int i = 0; i < TRIES; i++) {
        *ret_loss = AUDIT_LOSS_REMOVED;
        enum state_presence presence = look_at_state(file, ret_loss);
        if (*ret_loss == AUDIT_LOSS_UNTRUSTED) {
            return false;
        }
        if (presence != STATE_THERE && file_open_state(file, path, reterr) != MIGUARD_OK) {
            return false;
        }
        if (presence != STATE_THERE && look_at_state(file, ret_loss) != STATE_THERE) {
            continue;
        }
        if (lock_one(file, presence == STATE_THERE, ret_loss)) {
            *ret_loss = AUDIT_LOSS_REMOVED;
            bool good = has_key(file, path, reterr);
            if (!good) {
                state_unlock(&file->state);
            }
            return good;
        }
        if (!file->state.gone) {
            return false;
        }
    }
    return false;
}

/* The local lock first and the shared one under it. Both are waited for at most
 * STATE_LOCK_SECONDS. */
bool file_lock_state(struct log_file *file, const char *path, enum audit_loss *ret_loss,
                     struct miguard_error *reterr)
{
    if (state_wait_for(&file->local) != 0) {
        *ret_loss = AUDIT_LOSS_BUSY;
        return false;
    }
    if (file->limit_locks++ % FILE_LIMIT_EVERY == 0) {
        file_read_limit(file);
    }
    if (!reclaim(file, ret_loss) || !lock_present(file, path, ret_loss, reterr)) {
        pthread_mutex_unlock(&file->local);
        return false;
    }
    return true;
}

/* Its address stays the same while the file is open; what it holds may be replaced by a lock. */
struct log_state *file_state(struct log_file *file)
{
    return &file->state;
}

/* In the opposite order. */
void file_unlock(struct log_file *file)
{
    state_unlock(&file->state);
    pthread_mutex_unlock(&file->local);
}

/* Was the log removed, replaced or cut? */
static void look_at_name(struct log_file *file)
{
    struct state_shared *shared = file->state.shared;
    struct stat status;

    if ((atomic_load(&shared->dirty) & STATE_REPAIR) != 0) {
        return;
    }
    int found = file_calls.fstatat(file->folder, file->name, &status, AT_SYMLINK_NOFOLLOW);
    int error = errno;
    (void)state_prove(&file->state);
    const struct state_head *head = state_head(&file->state);
    if (found == 0
            ? (uint64_t)status.st_ino != head->inode || (uint64_t)status.st_size != head->size
            : error == ENOENT) {
        atomic_fetch_or(&shared->dirty, STATE_LOOK);
    }
}

/* Locks, and makes the file the current one and whole. When the file cannot be made whole the lock
 * is given back, and nothing was written. */
bool file_lock_whole(struct log_file *file, enum audit_loss *ret_loss)
{
    if (!file_lock_state(file, file->name, ret_loss, NULL)) {
        return false;
    }
    if (++file->locks % FILE_LOOK_EVERY == 0) { /* a system call more, so not every time */
        look_at_name(file);
    }
    if ((atomic_load(&file->state.shared->dirty) & STATE_REPAIR) == STATE_CLEAN &&
        state_head(&file->state)->inode == file->inode) {
        return true;
    }
    if (file_settle(file, ret_loss, NULL)) {
        return true;
    }
    file_unlock(file);
    return false;
}

/* A thread with another identity than the one that opened the log may not rotate it. Its records
 * must not make the file too long either, so it waits for the background thread while there is room
 * left. Where that cannot rotate either, not every record waits for it. */
static bool leaves_it_to_background(struct log_file *file)
{
    if (!file_rotate_near(file) || geteuid() == file->uid ||
        (file->rotation_failed && file->locks % FILE_LOOK_EVERY != 0)) {
        return false;
    }
    return file_has_background(file);
}

/* A thread that may not open what it needs asks the background thread once and tries again: REMOVED
 * is the only loss that it can mend. */
bool file_lock(struct log_file *file, enum audit_loss *ret_loss)
{
    if (!file_lock_whole(file, ret_loss)) {
        return *ret_loss == AUDIT_LOSS_REMOVED && file_ask_background(file) &&
               file_lock_whole(file, ret_loss);
    }
    if (!leaves_it_to_background(file)) {
        return true;
    }
    file_unlock(file);
    atomic_store(&file->early, true);
    (void)file_ask_background(file);
    return file_lock_whole(file, ret_loss) ||
           (*ret_loss == AUDIT_LOSS_REMOVED && file_ask_background(file) &&
            file_lock_whole(file, ret_loss));
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* Not the shared mutex: it is in memory that parent and child both map, and only the local lock's
 * owner takes it. */
void file_fork_lock(struct log_file *file)
{
    fork_take(&file->local);
    fork_take(&file->sync_lock);
    fork_take(&file->background_lock);
}

/* The conditions are made anew in a child: they count waiting threads, which are all with the
 * parent. */
void file_fork_unlock(struct log_file *file, bool child)
{
    if (child) { /* the threads that wait and lead stayed with the parent */
        file->background = false;
        atomic_store(&file->round, 0);
        atomic_store(&file->waiting, 0);
        file->crowd = 0;
        clock_cond_init(&file->background_asked);
        clock_cond_init(&file->background_answered);
    }
    pthread_mutex_unlock(&file->background_lock);
    pthread_mutex_unlock(&file->sync_lock);
    pthread_mutex_unlock(&file->local);
}
